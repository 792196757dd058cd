//! BMCs.

use serde_json::json;

use super::{Certificate, EthernetInterface, Handle, LogService, NetworkProtocol, System};
use crate::error::Error;
use crate::redfish::model::manager::{Manager, ResetToDefaultsType};
use crate::redfish::model::manager_network_protocol::ManagerNetworkProtocol;
use crate::redfish::model::resource::ResetType;
use crate::task::Outcome;

impl Handle<Manager> {
    /// Restarts it; it does not answer meanwhile.
    ///
    /// # Errors
    /// As [`Handle::action`]; [`crate::Kind::Unsupported`] for what it says that it does not take.
    pub async fn reset(&self, reset: ResetType) -> Result<Outcome, Error> {
        self.takes("Manager.Reset", "ResetType", reset.as_str())?;
        self.action("Manager.Reset", &json!({"ResetType": reset}))
            .await
    }

    /// Has it forget how it was set up.
    ///
    /// # Errors
    /// As [`Handle::action`]; [`crate::Kind::Unsupported`] for what it says that it does not take.
    pub async fn reset_to_defaults(&self, what: ResetToDefaultsType) -> Result<Outcome, Error> {
        self.takes("Manager.ResetToDefaults", "ResetType", what.as_str())?;
        self.action("Manager.ResetToDefaults", &json!({"ResetType": what}))
            .await
    }

    /// Sets its clock: `2026-03-01T12:00:00+01:00`.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_date_time(&self, date_time: &str) -> Result<Outcome, Error> {
        self.set(&json!({"DateTime": date_time})).await
    }

    /// How it is reached.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn network(&self) -> Result<NetworkProtocol, Error> {
        self.follow("/NetworkProtocol").await
    }

    /// Its network interfaces.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn ethernet(&self) -> Result<Vec<EthernetInterface>, Error> {
        self.list("/EthernetInterfaces").await
    }

    /// Its logs.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn logs(&self) -> Result<Vec<LogService>, Error> {
        self.list("/LogServices").await
    }

    /// The machines that it manages.
    ///
    /// # Errors
    /// As [`Handle::follow_all`].
    pub async fn manages(&self) -> Result<Vec<System>, Error> {
        self.follow_all("/Links/ManagerForServers").await
    }
}

impl Handle<ManagerNetworkProtocol> {
    /// The certificates that its HTTPS shows.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn https_certificates(&self) -> Result<Vec<Certificate>, Error> {
        self.list("/HTTPS/Certificates").await
    }

    /// Where it gets the time from.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_ntp(&self, enabled: bool, servers: &[&str]) -> Result<Outcome, Error> {
        self.set(&json!({"NTP": {"ProtocolEnabled": enabled, "NTPServers": servers}}))
            .await
    }
}
