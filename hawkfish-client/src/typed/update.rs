//! Firmware, and what updates it.

use super::{Handle, SoftwareInventory};
use crate::error::Error;
use crate::redfish::model::update_service::{SimpleUpdateParams, UpdateService};
use crate::task::Outcome;

impl Handle<UpdateService> {
    /// What firmware is installed.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn firmware(&self) -> Result<Vec<SoftwareInventory>, Error> {
        self.list("/FirmwareInventory").await
    }

    /// What software is installed.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn software(&self) -> Result<Vec<SoftwareInventory>, Error> {
        self.list("/SoftwareInventory").await
    }

    /// Updates from a URI that the service reads.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn simple_update(&self, update: &SimpleUpdateParams) -> Result<Outcome, Error> {
        self.action("UpdateService.SimpleUpdate", update).await
    }
}
