//! What the service sends to destinations, without a network: kept, or refused.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use hawkfish_core::subscriptions::{Courier, Parcel, Refusal};
use serde_json::{Value, json};

use crate::door::{Answer, Door};

pub(crate) const SERVICE: &str = "/redfish/v1/EventService";
pub(crate) const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";

/// What carries.
#[derive(Debug, Default)]
pub(crate) struct Post {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    arrived: Vec<Parcel>,
    /// Hosts that take nothing.
    closed: Vec<String>,
}

impl Post {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on that host takes nothing.
    pub(crate) fn close(&self, host: &str) {
        self.state().closed.push(host.to_owned());
    }

    /// All hosts take what comes.
    pub(crate) fn open_all(&self) {
        self.state().closed.clear();
    }

    /// What arrived at a host since the last time, in order.
    pub(crate) fn taken(&self, host: &str) -> Vec<Parcel> {
        let mut state = self.state();
        let (taken, kept) = std::mem::take(&mut state.arrived)
            .into_iter()
            .partition(|parcel| parcel.url.host_str() == Some(host));
        state.arrived = kept;
        taken
    }
}

#[async_trait]
impl Courier for Post {
    async fn carry(&self, parcel: Parcel) -> Result<(), Refusal> {
        let mut state = self.state();
        let host = parcel.url.host_str().unwrap_or_default();
        if state.closed.iter().any(|closed| closed == host) {
            return Err(Refusal {
                status: Some(503),
                reason: "It is closed.".to_owned(),
                retry_after: None,
            });
        }
        state.arrived.push(parcel);
        Ok(())
    }
}

impl Door {
    /// A subscription of a host with what is said beside the destination.
    pub(crate) async fn ask_for(&self, host: &str, more: Value) -> Answer {
        let mut body = json!({"Destination": format!("https://{host}/"), "Protocol": "Redfish"});
        let all = body.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        let asked = self.send("POST", SUBSCRIPTIONS).admin().json(&body);
        asked.answer().await
    }

    /// The URI of a subscription that is made.
    pub(crate) async fn subscribe(&self, host: &str, more: Value) -> String {
        let made = self.ask_for(host, more).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(
            made.header("location"),
            made.body["@odata.id"].as_str().unwrap()
        );
        made.header("location").to_owned()
    }

    /// What arrived at a host since the last time.
    pub(crate) async fn bodies(&self, host: &str) -> Vec<Value> {
        self.app.hawkfish().tick().await.unwrap();
        self.app.hawkfish().subscriptions().settle().await;
        let parcels = self.post.taken(host).into_iter();
        parcels
            .map(|parcel| serde_json::from_slice(&parcel.body).unwrap())
            .collect()
    }

    /// The events that arrived at a host since the last time.
    pub(crate) async fn events(&self, host: &str) -> Vec<Value> {
        let bodies = self.bodies(host).await;
        let events = bodies.iter().flat_map(|body| body["Events"].as_array());
        events.flatten().cloned().collect()
    }

    /// Their messages, without registries and versions.
    pub(crate) async fn messages(&self, host: &str) -> Vec<String> {
        let events = self.events(host).await;
        let ids = events
            .iter()
            .map(|event| event["MessageId"].as_str().unwrap());
        ids.map(|id| id.rsplit('.').next().unwrap().to_owned())
            .collect()
    }

    /// POST of an action, which succeeds.
    pub(crate) async fn act(&self, uri: &str, action: &str, body: Value) {
        let uri = format!("{uri}/Actions/{action}");
        let asked = self.send("POST", &uri).admin().json(&body);
        let answer = asked.answer().await;
        assert_eq!(answer.status, 204, "{uri}: {answer:?}");
    }

    /// Has a test event sent to whoever wants such.
    pub(crate) async fn submit(&self, message_id: &str, more: Value) {
        let mut body = json!({"MessageId": message_id});
        let all = body.as_object_mut().unwrap();
        all.extend(more.as_object().unwrap().clone());
        self.act(SERVICE, "EventService.SubmitTestEvent", body)
            .await;
    }
}
