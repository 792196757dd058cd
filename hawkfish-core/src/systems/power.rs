//! What Redfish calls a reset, as a plan of power steps: pure, so that every case can be listed.
//!
//! ```text
//!                    On          Paused      Off         PoweringOff
//!  On, ForceOn       -           409         Start       409
//!  ForceOff          ForceOff    ForceOff    -           ForceOff
//!  GracefulShutdown  Shutdown    409         409         -
//!  GracefulRestart   Restart     409         409         409
//!  ForceRestart      Reset       Reset       Start       Reset
//!  PowerCycle        Off, Start  Off, Start  Start       Off, Start
//!  PushPowerButton   PowerButton 409         Start       PowerButton
//!  Nmi               Nmi         409         409         Nmi
//!  Pause             Pause       -           409         409
//!  Resume            -           Resume      409         409
//!  Suspend           Suspend     Suspend     409         409
//! ```
//! A machine that is powering on counts as on. A dash changes nothing and succeeds: the wanted state is there already. Who forces a restart wants a system
//! that runs from its beginning, so one that is off is turned on.

use serde::{Deserialize, Serialize};

use crate::backend::{Capabilities, Power, Step};
use crate::error::{Conflict, Error, Result};

/// The ways to reset a system, in the words of Redfish's `ResetType` (DSP0268, Resource).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResetType {
    /// Turn it on.
    On,
    /// Cut its power.
    ForceOff,
    /// Ask the guest to shut down.
    GracefulShutdown,
    /// Ask the guest to restart.
    GracefulRestart,
    /// Reset it without asking.
    ForceRestart,
    /// Send a non-maskable interrupt.
    Nmi,
    /// Turn it on, whatever stands in the way.
    ForceOn,
    /// Press the power button.
    PushPowerButton,
    /// Cut its power and turn it on again.
    PowerCycle,
    /// Stop its processors.
    Pause,
    /// Let its processors go on.
    Resume,
    /// Write its memory to disk and turn it off.
    Suspend,
}

impl ResetType {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 12] = [
        Self::On,
        Self::ForceOff,
        Self::GracefulShutdown,
        Self::GracefulRestart,
        Self::ForceRestart,
        Self::Nmi,
        Self::ForceOn,
        Self::PushPowerButton,
        Self::PowerCycle,
        Self::Pause,
        Self::Resume,
        Self::Suspend,
    ];

    /// The name that Redfish gives it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "On",
            Self::ForceOff => "ForceOff",
            Self::GracefulShutdown => "GracefulShutdown",
            Self::GracefulRestart => "GracefulRestart",
            Self::ForceRestart => "ForceRestart",
            Self::Nmi => "Nmi",
            Self::ForceOn => "ForceOn",
            Self::PushPowerButton => "PushPowerButton",
            Self::PowerCycle => "PowerCycle",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Suspend => "Suspend",
        }
    }

    /// The reset of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// The steps that this reset may need; a backend that lacks one of them does not offer the reset.
    #[must_use]
    pub fn needs(self) -> &'static [Step] {
        match self {
            Self::On | Self::ForceOn => &[Step::Start],
            Self::ForceOff => &[Step::ForceOff],
            Self::GracefulShutdown => &[Step::Shutdown],
            Self::GracefulRestart => &[Step::Restart],
            Self::ForceRestart => &[Step::Reset, Step::Start],
            Self::Nmi => &[Step::Nmi],
            Self::PushPowerButton => &[Step::PowerButton, Step::Start],
            Self::PowerCycle => &[Step::ForceOff, Step::Start],
            Self::Pause => &[Step::Pause],
            Self::Resume => &[Step::Resume],
            Self::Suspend => &[Step::Suspend],
        }
    }
}

/// The resets that a backend of these capabilities can honour.
#[must_use]
pub fn offered(capabilities: &Capabilities) -> Vec<ResetType> {
    ResetType::ALL
        .into_iter()
        .filter(|r| r.needs().iter().all(|s| capabilities.steps.contains(s)))
        .collect()
}

/// The steps that lead from `power` to what `reset` wants; none where it is so already.
///
/// # Errors
/// `Conflict` where the state does not allow it.
pub fn plan(power: Power, reset: ResetType) -> Result<Vec<Step>> {
    use Power as P;
    use ResetType as R;
    let on_required = || {
        Error::conflict(
            Conflict::PowerOnRequired,
            format!("{} needs a system that is on.", reset.as_str()),
        )
    };
    let not_allowed = |state: &str| {
        Error::conflict(
            Conflict::NotAllowed,
            format!(
                "{} cannot be done while the system is {state}.",
                reset.as_str()
            ),
        )
    };
    Ok(match (reset, power) {
        (R::On | R::ForceOn, P::On | P::PoweringOn) => vec![],
        (R::On | R::ForceOn | R::ForceRestart | R::PowerCycle | R::PushPowerButton, P::Off) => {
            vec![Step::Start]
        }
        (R::ForceOff, P::Off) => vec![],
        (R::ForceOff, _) => vec![Step::ForceOff],
        (R::GracefulShutdown, P::On | P::PoweringOn) => vec![Step::Shutdown],
        (R::GracefulShutdown, P::PoweringOff) => vec![],
        (R::GracefulRestart, P::On | P::PoweringOn) => vec![Step::Restart],
        (R::ForceRestart, P::On | P::PoweringOn | P::Paused | P::PoweringOff) => vec![Step::Reset],
        (R::PowerCycle, P::On | P::PoweringOn | P::Paused | P::PoweringOff) => {
            vec![Step::ForceOff, Step::Start]
        }
        (R::PushPowerButton, P::On | P::PoweringOn | P::PoweringOff) => vec![Step::PowerButton],
        (R::Nmi, P::On | P::PoweringOn | P::PoweringOff) => vec![Step::Nmi],
        (R::Pause, P::On | P::PoweringOn) => vec![Step::Pause],
        (R::Pause, P::Paused) => vec![],
        (R::Resume, P::Paused) => vec![Step::Resume],
        (R::Resume, P::On | P::PoweringOn) => vec![],
        (R::Suspend, P::On | P::PoweringOn | P::Paused) => vec![Step::Suspend],
        (_, P::Off) => return Err(on_required()),
        (_, P::Paused) => return Err(not_allowed("paused")),
        (_, P::PoweringOff) => return Err(not_allowed("powering off")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [Power; 5] = [
        Power::On,
        Power::Off,
        Power::Paused,
        Power::PoweringOn,
        Power::PoweringOff,
    ];

    #[test]
    fn a_plan_uses_only_steps_that_the_reset_names() {
        for reset in ResetType::ALL {
            for power in STATES {
                for step in plan(power, reset).unwrap_or_default() {
                    assert!(
                        reset.needs().contains(&step),
                        "{reset:?} from {power:?} takes {step:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_there_already_is_no_conflict() {
        assert_eq!(plan(Power::On, ResetType::On).unwrap(), []);
        assert_eq!(plan(Power::Off, ResetType::ForceOff).unwrap(), []);
        assert_eq!(plan(Power::Paused, ResetType::Pause).unwrap(), []);
    }

    #[test]
    fn a_system_that_is_off_can_only_be_turned_on_or_left_off() {
        for reset in ResetType::ALL {
            let allowed = matches!(
                reset,
                ResetType::On
                    | ResetType::ForceOn
                    | ResetType::ForceOff
                    | ResetType::ForceRestart
                    | ResetType::PowerCycle
                    | ResetType::PushPowerButton
            );
            assert_eq!(plan(Power::Off, reset).is_ok(), allowed, "{reset:?}");
        }
    }

    #[test]
    fn a_reset_is_offered_only_with_all_its_steps() {
        let capabilities = Capabilities {
            steps: [Step::Start, Step::ForceOff].into(),
            ..Capabilities::default()
        };
        assert_eq!(
            offered(&capabilities),
            [
                ResetType::On,
                ResetType::ForceOff,
                ResetType::ForceOn,
                ResetType::PowerCycle
            ]
        );
    }
}
