//! What libvirt tells of a domain, boiled down to what matters here.

use std::ffi::c_int;

use virt::sys;

use crate::backend::Cause;

/// Why a domain stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Its guest shut down.
    Guest,
    /// Somebody cut its power, saved it or moved it away.
    Force,
    /// It failed.
    Fault,
}

/// Something that happened to a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// It was defined anew or for the first time.
    Defined,
    /// Its definition is gone; if it runs, it runs on.
    Undefined,
    Started,
    Paused,
    Resumed,
    Stopped(Stop),
    Crashed,
    /// The guest, or somebody else, reset it.
    Reset,
    Watchdog,
    IoError,
    /// Something else about it may have changed.
    Other,
    /// Nothing happened: the connection is new, and nobody saw what was before.
    Met,
    /// Nothing happened: it is looked at.
    Look,
}

impl Happening {
    pub(super) fn lifecycle(event: c_int, detail: c_int) -> Self {
        let detail = detail.cast_unsigned();
        match event.cast_unsigned() {
            sys::VIR_DOMAIN_EVENT_DEFINED => Self::Defined,
            sys::VIR_DOMAIN_EVENT_UNDEFINED => Self::Undefined,
            sys::VIR_DOMAIN_EVENT_STARTED => Self::Started,
            sys::VIR_DOMAIN_EVENT_SUSPENDED => match detail {
                sys::VIR_DOMAIN_EVENT_SUSPENDED_IOERROR => Self::IoError,
                sys::VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG => Self::Watchdog,
                _ => Self::Paused,
            },
            sys::VIR_DOMAIN_EVENT_RESUMED => Self::Resumed,
            sys::VIR_DOMAIN_EVENT_STOPPED => Self::Stopped(match detail {
                sys::VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN => Stop::Guest,
                sys::VIR_DOMAIN_EVENT_STOPPED_CRASHED | sys::VIR_DOMAIN_EVENT_STOPPED_FAILED => {
                    Stop::Fault
                }
                _ => Stop::Force,
            }),
            sys::VIR_DOMAIN_EVENT_PMSUSPENDED => Self::Paused,
            sys::VIR_DOMAIN_EVENT_CRASHED => Self::Crashed,
            _ => Self::Other,
        }
    }

    /// The cause to tell with the machine as it is now.
    pub(super) fn cause(self) -> Cause {
        match self {
            Self::Started => Cause::Started,
            Self::Paused => Cause::Paused,
            Self::Resumed => Cause::Resumed,
            Self::Stopped(Stop::Guest) => Cause::Shutdown,
            Self::Stopped(Stop::Force) => Cause::Stopped,
            Self::Stopped(Stop::Fault) | Self::Crashed => Cause::Crashed,
            Self::Reset => Cause::Reset,
            Self::Watchdog => Cause::Watchdog,
            Self::IoError => Cause::IoError,
            Self::Defined | Self::Undefined | Self::Other => Cause::Changed,
            Self::Met | Self::Look => Cause::Seen,
        }
    }

    /// Told also when nothing about the machine shows it.
    pub(super) fn is_worth_telling(self) -> bool {
        !matches!(
            self,
            Self::Defined | Self::Undefined | Self::Other | Self::Met | Self::Look
        )
    }
}
