//! Power steps.

use std::sync::Arc;
use std::time::Duration;

use virt::connect::Connect;
use virt::domain::Domain;
use virt::sys;

use super::event::Happening;
use super::host::{Host, is_active};
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
    pub(super) fn step(&self, conn: &Connect, key: MachineKey, step: Step) -> Result<Arc<Machine>> {
        let (domain, state) = self.find(conn, key)?;
        if let Some(conflict) = refusal(state, step) {
            let message = match conflict {
                Conflict::PowerOnRequired => "The system is off.",
                Conflict::PowerOffRequired => "The system is not off.",
                _ => "The system is not in a state in which this can be done.",
            };
            return Err(Error::conflict(conflict, message));
        }
        self.expect(key, &[]);
        let is_test = self.driver() == Driver::Test;
        let done = match step {
            Step::Start => {
                let before = self.console_length(key);
                self.start(conn, &domain, key)?;
                let machine = self.look(conn, key, &[])?;
                self.note_console(key, before);
                return Ok(machine);
            }
            Step::ForceOff if !is_active(state) => Ok(()),
            Step::ForceOff => domain.destroy(),
            // Without a word how, libvirt asks the agent if it is there, and presses the power button if that does not help.
            Step::Shutdown => domain.shutdown().map(drop),
            Step::Restart => domain.reboot(sys::VIR_DOMAIN_REBOOT_DEFAULT).map(drop),
            Step::Reset => return self.reset(conn, &domain, key, state),
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
            // It may have stopped by itself just before.
            let stopped = domain.get_state().is_ok_and(|state| !is_active(state));
            if step == Step::ForceOff && stopped {
                return self.look_at_state(conn, key, &[]);
            }
            return Err(fault::of(&error, phrase(step), key));
        }
        self.look_at_state(conn, key, &[])
    }

    /// Resets a machine. With an override that waits for this boot, it is held while that is put back, so that no second reset can come between.
    fn reset(
        &self,
        conn: &Connect,
        domain: &Domain,
        key: MachineKey,
        state: raw::State,
    ) -> Result<Arc<Machine>> {
        let failed = |error| fault::of(&error, phrase(Step::Reset), key);
        let over = self
            .entry(key)
            .and_then(|entry| entry.config.marker.over.clone())
            .filter(|over| over.over.once);
        let before = self.resets(key);
        let Some(over) = over.filter(|_| self.driver() == Driver::Qemu) else {
            domain.reset().map_err(failed)?;
            if self.driver() == Driver::Qemu {
                // Its event is to have been heard when this returns: it must not use up an override that is set next.
                self.wait_for_reset(key, before, RESET_WITHIN);
            }
            return self.look_at_state(conn, key, &[]);
        };
        let was_running = state.0 == sys::VIR_DOMAIN_RUNNING;
        self.expect(
            key,
            if was_running {
                &[Happening::Paused, Happening::Reset, Happening::Resumed]
            } else {
                &[Happening::Reset]
            },
        );
        if was_running {
            domain.suspend().map_err(failed)?;
        }
        let done = domain.reset().map_err(failed).and_then(|_| {
            if self.wait_for_reset(key, before, RESET_WITHIN) {
                self.take_back(conn, domain, key, Some(&over.id))
            } else {
                Err(Error::backend("The hypervisor did not reset the machine."))
            }
        });
        let let_go = if was_running {
            domain.resume().map(drop).map_err(failed)
        } else {
            Ok(())
        };
        done.and(let_go)?;
        self.look(conn, key, &[Happening::Reset])
    }
}
