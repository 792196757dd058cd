//! Images from the network, as drives of a machine.

use serde_json::json;

use super::{Handle, VirtualMedia};
use crate::error::{Error, Kind};
use crate::redfish::model::computer_system::ComputerSystem;
use crate::redfish::model::manager::Manager;
use crate::redfish::model::virtual_media::{
    InsertMediaParams, MediaType, TransferMethod, TransferProtocolType, VirtualMedia as Model,
};
use crate::task::Outcome;

/// An image that is to be inserted.
#[derive(Clone, Default, PartialEq)]
pub struct Image {
    /// Where it is.
    pub uri: String,
    /// Whether the machine may write to it; as the service has it where `None`.
    pub write_protected: Option<bool>,
    /// Who reads it there.
    pub user_name: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// By which protocol; by that of the URI where `None`.
    pub protocol: Option<TransferProtocolType>,
    /// Whether it is read while it is used, or before.
    pub method: Option<TransferMethod>,
}

impl Image {
    /// The image at `uri`.
    pub fn at(uri: impl Into<String>) -> Self {
        Self {
            uri: uri.into(),
            ..Self::default()
        }
    }

    /// For whoever may read it there.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.user_name = Some(user.into());
        self.password = Some(password.into());
        self
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

impl Handle<Model> {
    /// Whether something is in it.
    pub fn is_inserted(&self) -> bool {
        match self.inserted.value() {
            Some(inserted) => *inserted,
            // Some services do not say it otherwise.
            None => self.image.value().is_some_and(|image| !image.is_empty()),
        }
    }

    /// Inserts an image.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn insert(&self, image: &Image) -> Result<Outcome, Error> {
        let parameters = InsertMediaParams {
            image: image.uri.clone(),
            inserted: Some(true),
            write_protected: image.write_protected,
            user_name: image.user_name.clone(),
            password: image.password.clone(),
            transfer_protocol_type: image.protocol.clone(),
            transfer_method: image.method.clone(),
        };
        self.action("VirtualMedia.InsertMedia", &parameters).await
    }

    /// Takes out what is in it.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn eject(&self) -> Result<Outcome, Error> {
        self.action("VirtualMedia.EjectMedia", &json!({})).await
    }
}

impl Handle<Manager> {
    /// Its drives for images.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn media(&self) -> Result<Vec<VirtualMedia>, Error> {
        self.list("/VirtualMedia").await
    }
}

impl Handle<ComputerSystem> {
    /// Its drives for images: its own, else those of its BMC, where they stood before ComputerSystem 1.18.
    ///
    /// # Errors
    /// As [`Handle::list`]; [`Kind::Unsupported`] where it has none.
    pub async fn media(&self) -> Result<Vec<VirtualMedia>, Error> {
        if self.link("/VirtualMedia").is_ok() {
            return self.list("/VirtualMedia").await;
        }
        for manager in self.managed_by().await? {
            if manager.link("/VirtualMedia").is_ok() {
                return manager.media().await;
            }
        }
        Err(Error::new(
            Kind::Unsupported,
            format!("{} has no virtual media", self.uri()),
        ))
    }

    /// Inserts an image into the first empty drive for CDs or DVDs.
    ///
    /// # Errors
    /// As [`Handle::action`]; [`Kind::Conflict`] when all such drives are full, [`Kind::Unsupported`] when there is none.
    pub async fn insert_media(&self, image: &Image) -> Result<Outcome, Error> {
        let cd = |drive: &VirtualMedia| {
            let types = drive.media_types.as_deref().unwrap_or_default();
            types
                .iter()
                .any(|kind| matches!(kind, MediaType::CD | MediaType::DVD))
        };
        let mut drives = self.media().await?;
        drives.retain(cd);
        if drives.is_empty() {
            return Err(Error::new(
                Kind::Unsupported,
                format!("{} has no drive for CDs", self.uri()),
            ));
        }
        match drives.iter().find(|drive| !drive.is_inserted()) {
            Some(drive) => drive.insert(image).await,
            None => Err(Error::new(
                Kind::Conflict,
                format!("{}: all drives for CDs are full", self.uri()),
            )),
        }
    }

    /// Takes out whatever is in its drives, and says how many were full.
    ///
    /// # Errors
    /// As [`Handle::action`] and [`Outcome::finish`].
    pub async fn eject_media(&self) -> Result<usize, Error> {
        let mut ejected = 0;
        for drive in self.media().await? {
            if drive.is_inserted() {
                drive.eject().await?.finish(None).await?;
                ejected += 1;
            }
        }
        Ok(ejected)
    }
}
