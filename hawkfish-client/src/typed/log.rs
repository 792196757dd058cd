//! Logs.

use serde_json::json;

use super::{Handle, LogEntry};
use crate::error::Error;
use crate::redfish::model::log_entry::LogEntry as EntryModel;
use crate::redfish::model::log_service::LogService;
use crate::task::Outcome;

impl Handle<LogService> {
    /// Its entries, in the order of the service.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn read(&self) -> Result<Vec<LogEntry>, Error> {
        self.list("/Entries").await
    }

    /// Deletes all entries.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn clear(&self) -> Result<Outcome, Error> {
        self.action("LogService.ClearLog", &json!({})).await
    }

    /// Whether it takes new entries.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn enable(&self, enabled: bool) -> Result<Outcome, Error> {
        self.set(&json!({"ServiceEnabled": enabled})).await
    }
}

impl Handle<EntryModel> {
    /// Whether what it tells of is over.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn resolve(&self, resolved: bool) -> Result<Outcome, Error> {
        self.set(&json!({"Resolved": resolved})).await
    }
}
