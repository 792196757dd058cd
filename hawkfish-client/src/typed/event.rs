//! Whom events are told to.

use serde_json::json;

use super::{EventDestination, Handle};
use crate::error::Error;
use crate::redfish::model::event_destination::{
    EventDestination as Model, EventDestinationCreate, EventDestinationPatch,
};
use crate::redfish::model::event_service::{EventService, SubmitTestEventParams};
use crate::task::Outcome;

impl Handle<EventService> {
    /// Whom events are told to.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn destinations(&self) -> Result<Vec<EventDestination>, Error> {
        self.list("/Subscriptions").await
    }

    /// Has events told to somebody else, too; [`crate::Client::created`] reads the new destination.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn subscribe(&self, destination: &EventDestinationCreate) -> Result<Outcome, Error> {
        self.create("/Subscriptions", destination).await
    }

    /// Tells an event that did not happen.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn submit_test_event(&self, event: &SubmitTestEventParams) -> Result<Outcome, Error> {
        self.action("EventService.SubmitTestEvent", event).await
    }
}

impl Handle<Model> {
    /// Changes what can be changed of it.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn change(&self, patch: &EventDestinationPatch) -> Result<Outcome, Error> {
        self.set(patch).await
    }

    /// Tells it nothing until it is resumed.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn suspend(&self) -> Result<Outcome, Error> {
        self.action("EventDestination.SuspendSubscription", &json!({}))
            .await
    }

    /// Goes on telling.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn resume(&self) -> Result<Outcome, Error> {
        self.action("EventDestination.ResumeSubscription", &json!({}))
            .await
    }
}
