//! The watchdog of a system: what happens when its operating system, having armed it, feeds it no more.

use hawkfish_core::backend::{Knob, KnobValue, Word};
use hawkfish_core::error::{Error, ErrorKind, Invalid};
use hawkfish_core::inventory::System;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::computer_system::{
    WatchdogTimeoutActions, WatchdogTimer, WatchdogTimerPatch,
};
use hawkfish_redfish::model::resource::{State, Status};

const ENABLED: &str = "/HostWatchdogTimer/FunctionEnabled";
const ACTION: &str = "/HostWatchdogTimer/TimeoutAction";

fn action_now(system: &System) -> Option<Word> {
    match system.machine.firmware.setting(Knob::WatchdogAction)?.next {
        KnobValue::Word(word) => Some(word),
        KnobValue::Number(_) => None,
    }
}

/// The watchdog, where there is one.
pub(super) fn of(system: &System) -> Option<WatchdogTimer> {
    let action = action_now(system)?;
    let enabled = action != Word::None;
    let mut allowable = vec![
        WatchdogTimeoutActions::None,
        WatchdogTimeoutActions::ResetSystem,
        WatchdogTimeoutActions::PowerDown,
    ];
    let shown = match action {
        Word::None => WatchdogTimeoutActions::None,
        Word::Reset => WatchdogTimeoutActions::ResetSystem,
        Word::PowerOff | Word::Shutdown => WatchdogTimeoutActions::PowerDown,
        // Pausing, an interrupt, a dump: Redfish has no word for them, the firmware settings have.
        _ => WatchdogTimeoutActions::OEM,
    };
    if shown == WatchdogTimeoutActions::OEM {
        allowable.push(WatchdogTimeoutActions::OEM);
    }
    Some(WatchdogTimer {
        function_enabled: Prop::Value(enabled),
        timeout_action: Prop::Value(shown),
        timeout_action_allowable: allowable,
        status: Some(Status {
            state: Prop::Value(if enabled {
                State::Enabled
            } else {
                State::Disabled
            }),
            ..Status::default()
        }),
        ..WatchdogTimer::default()
    })
}

/// What a PATCH asks for, if that is something else than what is.
pub(super) fn wanted(
    system: &System,
    patch: WatchdogTimerPatch,
) -> Result<Option<KnobValue>, Error> {
    let WatchdogTimerPatch {
        function_enabled,
        timeout_action,
    } = patch;
    let null = |pointer: &'static str| {
        Error::invalid(pointer, "null", Invalid::NotInList, "It cannot be nothing.")
    };
    let enabled = match function_enabled {
        Prop::Absent => None,
        Prop::Null => return Err(null(ENABLED)),
        Prop::Value(enabled) => Some(enabled),
    };
    let now = action_now(system).unwrap_or(Word::None);
    let action = match timeout_action {
        Prop::Absent => None,
        Prop::Null => return Err(null(ACTION)),
        Prop::Value(WatchdogTimeoutActions::None) => Some(Word::None),
        Prop::Value(WatchdogTimeoutActions::ResetSystem) => Some(Word::Reset),
        Prop::Value(WatchdogTimeoutActions::PowerDown) => Some(Word::PowerOff),
        // What is so already may stay.
        Prop::Value(WatchdogTimeoutActions::OEM) => Some(now),
        Prop::Value(other) => {
            let message = "The watchdog of this system cannot do that.";
            return Err(Error::invalid(
                ACTION,
                other.as_str(),
                Invalid::NotInList,
                message,
            ));
        }
    };
    let wanted = match (enabled, action) {
        (None, None) => return Ok(None),
        (Some(false), None | Some(Word::None)) | (None, Some(Word::None)) => Word::None,
        (None | Some(true), Some(action)) if action != Word::None => action,
        // A watchdog that is switched on without a word does what watchdogs do.
        (Some(true), None) if now == Word::None => Word::Reset,
        (Some(true), None) => now,
        _ => {
            return Err(Error::new(
                ErrorKind::PropertyConflict {
                    property: ENABLED.into(),
                    with: ACTION.into(),
                },
                "A watchdog that does nothing is the same as one that is not enabled.",
            ));
        }
    };
    Ok((wanted != now).then_some(KnobValue::Word(wanted)))
}
