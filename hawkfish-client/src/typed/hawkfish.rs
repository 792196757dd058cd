//! What only HawkFish has: signatures of what it delivers, and what it could not deliver.

use serde_json::json;

use super::{DeadLetter, EventDestination, Handle};
use crate::error::{Error, Kind};
use crate::redfish::model::event_destination;
use crate::redfish::model::hawkfish_dead_letter::HawkFishDeadLetter;
use crate::redfish::model::hawkfish_event_destination::EventDestination as Oem;
use crate::task::Outcome;

/// HawkFish's own of a destination: [`Handle::hawkfish`].
#[derive(Debug, Clone, Copy)]
pub struct HawkFish<'a> {
    destination: &'a EventDestination,
    oem: &'a Oem,
}

impl Handle<event_destination::EventDestination> {
    /// What HawkFish says of it beside the standard.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] where the service is another, or does not say it of this destination.
    pub fn hawkfish(&self) -> Result<HawkFish<'_>, Error> {
        let oem = self.oem.as_ref().and_then(|oem| oem.hawkfish.as_ref());
        let oem = oem.ok_or_else(|| {
            Error::new(
                Kind::Unsupported,
                format!("{} has nothing of HawkFish", self.uri()),
            )
        })?;
        Ok(HawkFish {
            destination: self,
            oem,
        })
    }
}

impl std::ops::Deref for HawkFish<'_> {
    type Target = Oem;

    fn deref(&self) -> &Oem {
        self.oem
    }
}

impl HawkFish<'_> {
    /// Signs what is delivered from now on with another key, or with none.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_signing_key(&self, key: Option<&str>) -> Result<Outcome, Error> {
        let body = json!({"Oem": {"HawkFish": {"SigningKey": key}}});
        self.destination.set(&body).await
    }

    /// What could not be delivered, the oldest first.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Error> {
        self.destination.list("/Oem/HawkFish/DeadLetters").await
    }

    /// Delivers all of it once more.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn replay_dead_letters(&self) -> Result<Outcome, Error> {
        self.destination
            .action("HawkFishEventDestination.ReplayDeadLetters", &json!({}))
            .await
    }

    /// Deletes all of it.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn drop_dead_letters(&self) -> Result<Outcome, Error> {
        self.destination
            .action("HawkFishEventDestination.DropDeadLetters", &json!({}))
            .await
    }
}

impl Handle<HawkFishDeadLetter> {
    /// Delivers it once more; it is gone when the destination has taken it.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn replay(&self) -> Result<Outcome, Error> {
        self.action("HawkFishDeadLetter.Replay", &json!({})).await
    }
}
