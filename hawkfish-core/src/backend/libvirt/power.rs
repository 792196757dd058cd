//! Power steps.

use std::sync::Arc;
use std::time::Duration;

use virt::domain::Domain;
use virt::sys;

use super::event::{Happening, Stop};
use super::host::Host;
use super::line::Line;
use super::look::is_active;
use super::{Driver, fault, raw};
use crate::backend::{Machine, MachineKey, Step};
use crate::error::{Conflict, Error, Result};

/// How long QEMU may take to reset a machine; it does so between two turns of its main loop.
const RESET_WITHIN: Duration = Duration::from_secs(5);

fn refusal(state: raw::State, step: Step) -> Option<Conflict> {
    let is_paused = matches!(
        state.0,
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED | sys::VIR_DOMAIN_CRASHED
    );
    match (is_active(state), step) {
        (false, Step::Start) | (_, Step::ForceOff) => None,
        (true, Step::Start) => Some(Conflict::PowerOffRequired),
        (_, Step::Resume) => (!is_paused).then_some(Conflict::NotAllowed),
        (false, _) => Some(Conflict::PowerOnRequired),
        (true, Step::Pause) => is_paused.then_some(Conflict::NotAllowed),
        (true, _) => None,
    }
}

/// What a step is, after "could not".
fn phrase(step: Step) -> &'static str {
    match step {
        Step::Start => "start the machine",
        Step::ForceOff => "switch the machine off",
        Step::Shutdown => "ask the guest to shut down",
        Step::Restart => "ask the guest to restart",
        Step::Reset => "reset the machine",
        Step::PowerButton => "press the power button",
        Step::Nmi => "send an interrupt",
        Step::Pause => "pause the machine",
        Step::Resume => "let the machine go on",
        Step::Suspend => "suspend the machine",
    }
}

impl Host {
    /// Takes a power step and returns the machine as it is then.
    pub(super) fn step(
        self: &Arc<Self>,
        line: &Line,
        key: MachineKey,
        step: Step,
    ) -> Result<Arc<Machine>> {
        let (domain, state) = self.find(line, key)?;
        if let Some(conflict) = refusal(state, step) {
            let message = match conflict {
                Conflict::PowerOnRequired => "The system is off.",
                Conflict::PowerOffRequired => "The system is not off.",
                _ => "The system is not in a state in which this can be done.",
            };
            return Err(Error::conflict(conflict, message));
        }
        use Happening::{Paused, Reset, Resumed, Started, Stopped};
        // What the step surely does is told here and now; the event that follows then has nothing to add.
        let (happens, also) = match step {
            Step::Start => (Some(Started), vec![Paused, Resumed, Resumed]),
            Step::ForceOff if is_active(state) => (Some(Stopped(Stop::Force)), vec![]),
            Step::Pause => (Some(Paused), vec![]),
            Step::Resume => (Some(Resumed), vec![]),
            Step::Suspend => (Some(Stopped(Stop::Force)), vec![Paused]),
            Step::Reset => (Some(Reset), vec![]),
            _ => (None, vec![]),
        };
        let happens: Vec<Happening> = happens.into_iter().collect();
        self.expect(key, [happens.clone(), also].concat());
        let is_test = self.driver() == Driver::Test;
        let console_before = self.console_length(key);
        let done = match step {
            Step::Start => {
                // Nobody can have failed in it yet, and the event of its start may come later than we look.
                self.picture().failed.remove(&key);
                self.start(line, &domain, key)?;
                Ok(())
            }
            Step::Reset => {
                self.reset(&domain, key)?;
                Ok(())
            }
            Step::ForceOff if !is_active(state) => Ok(()),
            Step::ForceOff => domain.destroy(),
            // Without a word how, libvirt asks the agent if it is there, and presses the power button if that does not help.
            Step::Shutdown => domain.shutdown().map(drop),
            Step::Restart => domain.reboot(sys::VIR_DOMAIN_REBOOT_DEFAULT),
            Step::PowerButton if is_test => domain.shutdown().map(drop),
            Step::PowerButton => domain
                .shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
                .map(drop),
            Step::Nmi => raw::inject_nmi(&domain),
            Step::Pause => domain.suspend().map(drop),
            Step::Resume if state.0 == sys::VIR_DOMAIN_PMSUSPENDED => domain.pm_wakeup(0).map(drop),
            Step::Resume => domain.resume().map(drop),
            Step::Suspend => domain.managed_save(0).map(drop),
        };
        if let Err(error) = done {
            self.expect(key, Vec::new());
            // It may have stopped by itself just before.
            let stopped = domain.get_state().is_ok_and(|state| !is_active(state));
            if step == Step::ForceOff && stopped {
                return self.look_at_state(line, key, &[]);
            }
            return Err(fault::of(&error, phrase(step), key));
        }
        if step == Step::Start {
            self.note_console(key, console_before);
        }
        if is_test && matches!(step, Step::Reset | Step::Restart) {
            // There, both are done when they return, and nothing is told of them.
            self.take_back_once(line, &domain, key)?;
        }
        if matches!(step, Step::Start | Step::Reset | Step::Restart) {
            return self.look(line, key, &happens);
        }
        self.look_at_state(line, key, &happens)
    }

    /// Takes an override for one boot back, if there is one.
    fn take_back_once(&self, line: &Line, domain: &Domain, key: MachineKey) -> Result<()> {
        match self.once(key) {
            Some(id) => self.take_back(line, domain, key, Some(&id)),
            None => Ok(()),
        }
    }

    /// The name of the override for one boot that is set.
    fn once(&self, key: MachineKey) -> Option<String> {
        let entry = self.entry(key)?;
        let over = entry.config.marker.over.as_ref()?;
        over.over.once.then(|| over.id.clone())
    }

    /// Resets a machine. Its event is to have been heard when this returns: it must not use up an override that is set next.
    fn reset(self: &Arc<Self>, domain: &Domain, key: MachineKey) -> Result<()> {
        let once = self.once(key);
        let before = self.resets(key);
        domain
            .reset()
            .map_err(|error| fault::of(&error, phrase(Step::Reset), key))?;
        if self.driver() == Driver::Qemu && !self.wait_for_reset(key, before, RESET_WITHIN) {
            return Err(Error::backend("The hypervisor did not reset the machine."));
        }
        if let Some(id) = once.filter(|_| self.driver() == Driver::Qemu) {
            self.take_back_after_firmware(key, id);
        }
        Ok(())
    }
}
