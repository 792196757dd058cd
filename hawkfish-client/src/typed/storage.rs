//! Disks and volumes.

use super::{Drive, Handle, Volume};
use crate::error::Error;
use crate::redfish::model::storage::Storage;
use crate::redfish::model::storage_controller::StorageController;
use crate::redfish::model::volume::VolumeCreate;
use crate::task::Outcome;

impl Handle<Storage> {
    /// Its disks.
    ///
    /// # Errors
    /// As [`Handle::follow_all`].
    pub async fn disks(&self) -> Result<Vec<Drive>, Error> {
        self.follow_all("/Drives").await
    }

    /// Its controllers.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn controller_list(&self) -> Result<Vec<Handle<StorageController>>, Error> {
        self.list("/Controllers").await
    }

    /// Its volumes.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn volume_list(&self) -> Result<Vec<Volume>, Error> {
        self.list("/Volumes").await
    }

    /// Makes a volume; [`crate::Client::created`] reads it.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn create_volume(&self, volume: &VolumeCreate) -> Result<Outcome, Error> {
        self.create("/Volumes", volume).await
    }
}
