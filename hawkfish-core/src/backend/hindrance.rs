//! What stands in the way of a piece of work: only simulations have such a thing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A piece of work for which there is a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// To put an image into a slot.
    InsertMedia,
    /// To make a volume.
    MakeVolume,
    /// To delete a volume.
    DeleteVolume,
    /// To boot a pushed image.
    BootImage,
    /// To bring a firmware to a machine.
    TransferFirmware,
    /// To reset a machine, so that its new firmware is in use.
    ApplyFirmware,
    /// To cut the power of a machine and turn it on again.
    PowerCycle,
}

/// How long work has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until then.
    Until(Timestamp),
    /// Until somebody cancels it.
    Forever,
}

/// What stands in the way.
#[derive(Clone, Debug)]
pub struct Hindrance {
    /// How long it does.
    pub wait: Wait,
    /// With what the work fails after that.
    pub fails: Option<Error>,
}
