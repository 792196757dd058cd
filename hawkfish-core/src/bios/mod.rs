//! Firmware settings that wait for a reset.
//!
//! What is wanted is kept, checked against what the machine takes, and applied when HawkFish next starts the machine cold: its definition is changed in one step,
//! then it is started. A forced restart of a machine for which something waits is therefore a power cycle, and a graceful one asks the guest to shut down and
//! starts the machine again when it is off. A guest that resets itself keeps what it has, because a hypervisor gives what is set to a machine only when it is
//! started.
//!
//! What cannot be applied goes on waiting, and why is kept with it; the machine is started with what it has. So it is with settings with which the machine does not
//! start: they are taken back.

mod plan;
pub(crate) mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app::HawkFish;
use crate::backend::{Knob, KnobValue, Power, Setup, Step};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Conflict, Error, ErrorKind, Result};
use crate::events::Subject;
use crate::id::SystemId;
use crate::inventory::System;
use crate::logs::What;

/// How long a guest that was asked to restart may take to shut down.
const RESTARTS_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// When settings are to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyTime {
    /// When the system is next reset or started.
    OnReset,
    /// Now, which a system that is off can do.
    Immediate,
}

/// What waits for the next reset of a system, and what became of the last that did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bios {
    /// What is wanted beyond what is.
    pub pending: BTreeMap<Knob, KnobValue>,
    /// First all settings are to be as they were before anybody changed them.
    pub to_defaults: bool,
    /// What was applied last.
    pub applied: Option<Applied>,
    /// Why what waits could not be applied when it should have been.
    pub failed: Option<Failed>,
    /// The guest was asked to shut down in order to be started again, which is done only until then.
    pub restart_until: Option<Timestamp>,
}

/// Settings that were applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// When.
    pub at: Timestamp,
    /// All settings as they were then.
    pub values: BTreeMap<Knob, KnobValue>,
}

/// Settings that could not be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When that was found.
    pub at: Timestamp,
    /// Why: a sentence.
    pub message: String,
}

impl Bios {
    /// Whether something waits.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.to_defaults || !self.pending.is_empty()
    }
}

impl System {
    /// The settings of its firmware after its next reset through HawkFish.
    #[must_use]
    pub fn settings_to_come(&self) -> BTreeMap<Knob, KnobValue> {
        plan::future(&self.machine.firmware, &self.bios)
    }

    /// Whether only a cold start brings about what is wanted of its firmware.
    pub(crate) fn wants_cold_start(&self) -> bool {
        let differs = |knob| {
            let setting = self.machine.firmware.setting(knob);
            setting.is_some_and(|setting| setting.now != setting.next)
        };
        let can = [Step::ForceOff, Step::Start]
            .iter()
            .all(|step| self.capabilities.steps.contains(step));
        can && (self.bios.waits() || differs(Knob::BootMode) || differs(Knob::SecureBoot))
    }
}

fn want_settings(system: &System) -> Result<()> {
    if system.machine.firmware.settings.is_empty() {
        return Err(Error::unsupported("Setting the firmware of this system"));
    }
    Ok(())
}

impl HawkFish {
    /// Wants firmware settings, all or none of them.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with a pointer such as `/Attributes/Hpet`; `PropertyConflict` for two that exclude each other; `Conflict` for what is to be applied at once
    /// to a system that is not off; what the backend says to that.
    pub async fn set_firmware(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        wanted: BTreeMap<Knob, KnobValue>,
        when: ApplyTime,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        want_settings(&system)?;
        let pending = plan::with(&system.machine.firmware, &system.bios, &wanted)?;
        let next = Bios {
            pending,
            failed: None,
            ..Bios::clone(&system.bios)
        };
        match when {
            ApplyTime::OnReset => self.keep_bios(id, next).await?,
            ApplyTime::Immediate => {
                if !system.reachable {
                    return Err(Error::unavailable("The host does not answer."));
                }
                if system.machine.power != Power::Off {
                    return Err(Error::conflict(
                        Conflict::PowerOffRequired,
                        "Settings are applied at once only while the system is off.",
                    ));
                }
                self.apply(&system, next).await?;
            }
        }
        self.system(ctx, id)
    }

    /// Wants all firmware settings as they were before anybody changed them, from the next reset on. What else waits is forgotten.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where there are no settings.
    pub async fn reset_firmware(&self, ctx: &Ctx, id: &SystemId) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        want_settings(&system)?;
        let next = Bios {
            pending: BTreeMap::new(),
            to_defaults: true,
            failed: None,
            ..Bios::clone(&system.bios)
        };
        self.keep_bios(id, next).await?;
        self.system(ctx, id)
    }

    pub(crate) async fn keep_bios(&self, id: &SystemId, bios: Bios) -> Result<()> {
        let (hawkfish, id, now) = (self.clone(), id.clone(), self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    rows::put(tx, &id, &bios).await?;
                    if let Ok(system) = hawkfish.system(&Ctx::service(), &id) {
                        for about in changed(&system, &bios) {
                            tx.happened(about, What::Changed.at(now));
                        }
                    }
                    tx.after_commit(move || {
                        let inventory = &hawkfish.inner.inventory;
                        inventory.update(&id, |s| s.bios = Arc::new(bios));
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Applies what waits by `bios`, and keeps that it was done. Returns how the settings were before.
    async fn apply(&self, system: &System, bios: Bios) -> Result<BTreeMap<Knob, KnobValue>> {
        let firmware = &system.machine.firmware;
        let changes = plan::changes(firmware, &bios);
        let before = firmware.next();
        let before = before
            .into_iter()
            .filter(|(knob, _)| changes.contains_key(knob));
        let before: BTreeMap<Knob, KnobValue> = before.collect();
        let mut values = firmware.next();
        if !changes.is_empty() {
            let host = self.host(&system.host)?;
            let setup = Setup {
                knobs: changes.clone(),
                ..Setup::default()
            };
            let machine = host.backend.setup(system.machine.key, &setup).await?;
            values = machine.firmware.next();
            self.saw(&host, machine).await?;
            let missed = changes
                .iter()
                .find(|(knob, value)| values.get(knob) != Some(value));
            if let Some((knob, value)) = missed {
                return Err(Error::backend(format!(
                    "The hypervisor did not take {knob} as {value}."
                )));
            }
        }
        tracing::info!(system = %system.id, changes = ?changes, "firmware settings applied");
        let applied = Bios {
            applied: Some(Applied {
                at: self.clock().now(),
                values,
            }),
            restart_until: bios.restart_until,
            ..Bios::default()
        };
        self.keep_bios(&system.id, applied).await?;
        Ok(before)
    }

    /// Starts a system that is off, with what waits for its firmware.
    pub(crate) async fn start_cold(&self, id: &SystemId) -> Result<()> {
        let system = self.system(&Ctx::service(), id)?;
        if !system.bios.waits() {
            return self.step(&system, Step::Start).await;
        }
        let waiting = Bios::clone(&system.bios);
        let before = match self.apply(&system, waiting.clone()).await {
            Ok(before) => before,
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable { .. }) => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(system = %id, ?error, "firmware settings not applied");
                let failed = waiting.clone().failed(self.clock().now(), &error);
                self.keep_bios(id, failed).await?;
                BTreeMap::new()
            }
        };
        let started = self.step(&system, Step::Start).await;
        let Err(error) = started else { return Ok(()) };
        if before.is_empty() || matches!(error.kind(), ErrorKind::Unavailable { .. }) {
            return Err(error);
        }
        // As firmware does that does not come up with what was set: back, and on.
        tracing::warn!(system = %id, ?error, "not started with new firmware settings, which are taken back");
        let host = self.host(&system.host)?;
        let setup = Setup {
            knobs: before,
            ..Setup::default()
        };
        let machine = host.backend.setup(system.machine.key, &setup).await?;
        self.saw(&host, machine).await?;
        let failed = waiting.failed(self.clock().now(), &error);
        self.keep_bios(id, failed).await?;
        self.step(&system, Step::Start).await
    }

    /// Notes that a guest that is asked to shut down is to be started again, or no longer is.
    pub(crate) async fn restart_when_off(&self, system: &System, wanted: bool) -> Result<()> {
        let restart_until = wanted.then(|| self.clock().now() + RESTARTS_WITHIN);
        if !wanted && system.bios.restart_until.is_none() {
            return Ok(());
        }
        let bios = Bios {
            restart_until,
            ..Bios::clone(&system.bios)
        };
        self.keep_bios(&system.id, bios).await
    }

    /// Starts the systems that were asked to restart and are off now.
    pub(crate) async fn restart_those_off(&self) -> Result<()> {
        let mut first = Ok(());
        for id in self.inner.inventory.to_restart() {
            first = first.and(self.restart_if_off(&id).await);
        }
        first
    }

    async fn restart_if_off(&self, id: &SystemId) -> Result<()> {
        let _guard = self.lock(id).await;
        let Ok(system) = self.system(&Ctx::service(), id) else {
            return Ok(());
        };
        let Some(until) = system.bios.restart_until else {
            return Ok(());
        };
        let is_over = self.clock().now() > until;
        if !is_over && (!system.reachable || system.machine.power != Power::Off) {
            return Ok(());
        }
        // First, so that a start that fails is not tried over and over.
        self.restart_when_off(&system, false).await?;
        if is_over {
            return Ok(());
        }
        tracing::info!(system = %id, "starting a system that was asked to restart");
        self.start_cold(id).await
    }
}

/// What it shows in that something else waits for the firmware of a system.
fn changed(system: &System, bios: &Bios) -> Vec<Subject> {
    let (id, old) = (&system.id, &system.bios);
    let mut all = Vec::new();
    // What was applied is told when it is so, with the machine.
    if bios.failed.is_some() && bios.failed != old.failed {
        all.push(Subject::Bios(id.clone()));
    }
    let firmware = &system.machine.firmware;
    let (before, now) = (plan::future(firmware, old), plan::future(firmware, bios));
    if (&old.pending, old.to_defaults) != (&bios.pending, bios.to_defaults) {
        all.push(Subject::BiosToCome(id.clone()));
    }
    if before.get(&Knob::SecureBoot) != now.get(&Knob::SecureBoot) {
        all.push(Subject::SecureBoot(id.clone()));
    }
    all
}

impl Bios {
    fn failed(self, at: Timestamp, error: &Error) -> Self {
        Self {
            failed: Some(Failed {
                at,
                message: error.message().to_owned(),
            }),
            restart_until: None,
            ..self
        }
    }
}
