//! What is done to a system: its power, its boot, its set-up. Each verb checks, calls the backend, and has the change in the picture and in
//! the store before it answers.

mod cause;
pub mod power;
pub(crate) mod rows;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::HawkFish;
use crate::backend::{BootOverride, Machine, Power, Setup, Step, Work};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Error, Invalid, Result};
use crate::events::Subject;
use crate::id::{BootOptionId, SystemId};
use crate::inventory::System;
use crate::logs::{self, Ask, Doing, Event, LogId, What};
use crate::tasks::{NewTask, Task};

pub(crate) use cause::Lately;
pub use cause::ResetCause;
pub use power::ResetType;

/// The kind of a task that cuts the power of a system and turns it on again.
pub(crate) const POWER_CYCLE: &str = "power.cycle";

/// A wanted change to a system. It is made as one, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemChange {
    /// What the backend is to change.
    pub setup: Setup,
    /// Whether the indicator is to be lit.
    pub indicator: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct CycleJob {
    /// Whether the power was cut already: then only turning it on is left.
    cut: bool,
}

impl System {
    /// The resets that this system can honour.
    #[must_use]
    pub fn reset_types(&self) -> Vec<ResetType> {
        power::offered(&self.capabilities)
    }
}

impl HawkFish {
    /// Resets a system.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for a reset that is not among [`System::reset_types`]; `Conflict` where the power state does not allow it;
    /// what the backend says.
    pub async fn reset(&self, ctx: &Ctx, id: &SystemId, reset: ResetType) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        if !system.reset_types().contains(&reset) {
            return Err(Error::unsupported(format!("ResetType {}", reset.as_str())));
        }
        if !system.reachable {
            // What was seen last may be long past, so it tells neither that nothing is to be done nor that nothing can be.
            return Err(Error::unavailable("The host does not answer."));
        }
        let steps = power::plan(system.machine.power, reset)?;
        // What waits for the firmware comes with a cold start only.
        let steps = match steps.as_slice() {
            [Step::Reset] if system.wants_cold_start() => vec![Step::ForceOff, Step::Start],
            [Step::Restart] if system.wants_cold_start() => vec![Step::Shutdown],
            _ => steps,
        };
        tracing::info!(system = %id, reset = reset.as_str(), steps = ?steps, "resetting");
        if !steps.is_empty() {
            let again = reset == ResetType::GracefulRestart && steps == [Step::Shutdown];
            self.restart_when_off(&system, again).await?;
        }
        let cause = match steps.last() {
            Some(Step::Start) if reset == ResetType::PushPowerButton => {
                Some(ResetCause::PowerButton)
            }
            Some(Step::Start | Step::Reset) => Some(ResetCause::Command),
            _ => None,
        };
        let host = self.host(&system.host)?;
        let commanded = cause.map(|cause| host.command(system.machine.key, cause));
        match steps.as_slice() {
            [] => {}
            [Step::Start] => self.start_cold(id).await?,
            [step] => self.step(&system, *step).await?,
            // More than one step: the intent is stored first, so that a crash does not leave the system off.
            steps => {
                debug_assert_eq!(steps, [Step::ForceOff, Step::Start]);
                self.power_cycle(ctx, &system).await?;
            }
        }
        drop(commanded);
        if let Some(cause) = cause {
            self.note_command(id, cause);
        } else if steps == [Step::Restart] {
            self.note_asked(id);
        }
        self.system(ctx, id)
    }

    pub(crate) async fn step(&self, system: &System, step: Step) -> Result<()> {
        let host = self.host(&system.host)?;
        let _busy = host.busy(system.machine.key, Doing::Power);
        let machine = host.backend.step(system.machine.key, step).await?;
        let asked = match step {
            Step::Shutdown => Some(Ask::ShutDown),
            Step::Restart => Some(Ask::Restart),
            Step::PowerButton => Some(Ask::PowerButton),
            Step::Nmi => Some(Ask::Interrupt),
            _ => None,
        };
        if let Some(ask) = asked {
            let event = Event {
                at: self.clock().now(),
                what: What::Asked(ask),
                by: None,
            };
            logs::tell_soon(self.store(), &LogId::System(system.id.clone()), event);
        }
        self.saw(&host, machine).await
    }

    async fn power_cycle(&self, ctx: &Ctx, system: &System) -> Result<()> {
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: "Power cycle".to_owned(),
                    subject: Some(system.id.clone()),
                    kind: POWER_CYCLE.to_owned(),
                    payload: serde_json::to_value(CycleJob { cut: false })?,
                    request: None,
                    resumable: true,
                },
            )
            .await?;
        let handle = self.tasks().handle(&task.id);
        let cycle = async {
            self.step(system, Step::ForceOff).await?;
            let host = self.host(&system.host)?;
            let hindrance = host.backend.hindrance(system.machine.key, Work::PowerCycle);
            if let Some(error) = hindrance.and_then(|hindrance| hindrance.fails) {
                return Err(error);
            }
            self.start_cold(&system.id).await
        };
        let result = cycle.await;
        handle.finish(result.clone()).await?;
        result
    }

    /// Ends a power cycle that a crash interrupted: a system that was left off is turned on.
    pub(crate) async fn resume_power_cycle(&self, task: &Task) -> Result<()> {
        let id = task
            .subject
            .clone()
            .ok_or_else(|| Error::internal("The task names no system."))?;
        let _guard = self.lock(&id).await;
        let system = self.system(&Ctx::service(), &id)?;
        let host = self.host(&system.host)?;
        let machine = host.backend.machine(system.machine.key).await?;
        if machine.power == Power::Off {
            self.saw(&host, machine).await?;
            self.start_cold(&id).await?;
            self.note_command(&id, ResetCause::Command);
            Ok(())
        } else {
            self.saw(&host, machine).await
        }
    }

    /// Changes a system, all or nothing.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with a pointer such as `/Boot/BootSourceOverrideTarget`; what the backend says.
    pub async fn update_system(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        change: SystemChange,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        self.update_locked(ctx, &system, change).await
    }

    /// Puts a boot option at the end of the boot order, or takes it out of it.
    ///
    /// # Errors
    /// `NotFound`; what the backend says.
    pub async fn enable_boot_option(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        option: &BootOptionId,
        enabled: bool,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        let options = &system.machine.boot.options;
        let now = options.iter().find(|o| o.id == *option);
        let now = now.ok_or_else(|| Error::not_found("BootOption", option.as_str()))?;
        if now.enabled == enabled {
            return Ok(system);
        }
        let others = options.iter().filter(|o| o.enabled && o.id != *option);
        let order = others
            .map(|o| o.id.clone())
            .chain(enabled.then(|| option.clone()))
            .collect();
        let setup = Setup {
            order: Some(order),
            ..Setup::default()
        };
        let change = SystemChange {
            setup,
            indicator: None,
        };
        self.update_locked(ctx, &system, change).await
    }

    async fn update_locked(
        &self,
        ctx: &Ctx,
        system: &System,
        change: SystemChange,
    ) -> Result<Arc<System>> {
        let id = &system.id;
        let SystemChange { setup, indicator } = change;
        check(system, &setup)?;
        let host = self.host(&system.host)?;
        let _busy = host.busy(system.machine.key, Doing::Setup);
        if !setup.is_empty() {
            let machine = host.backend.setup(system.machine.key, &setup).await?;
            self.saw(&host, machine).await?;
        }
        if let Some(lit) = indicator.filter(|lit| *lit != system.indicator) {
            let row = id.clone();
            // With what the backend has changed just now.
            let stored = self.system(ctx, id)?;
            let (hawkfish, now) = (self.clone(), self.clock().now());
            let stored = self
                .store()
                .write(move |tx: &mut Tx| {
                    Box::pin(async move {
                        rows::put_indicator(tx, &stored, lit).await?;
                        tx.happened(Subject::System(row.clone()), What::Changed.at(now));
                        tx.happened(Subject::Chassis(row.clone()), What::Changed.at(now));
                        tx.after_commit(move || {
                            let inventory = &hawkfish.inner.inventory;
                            inventory.update(&row, |s| s.indicator = lit);
                        });
                        Ok(())
                    })
                })
                .await;
            if let Err(error) = stored {
                // All or nothing: what the backend took is given back.
                let back = undo(&system.machine, &setup);
                if !back.is_empty() {
                    let machine = host.backend.setup(system.machine.key, &back).await?;
                    self.saw(&host, machine).await?;
                }
                return Err(error);
            }
        }
        self.system(ctx, id)
    }
}

/// The set-up that leads back from `setup` to how `machine` was.
fn undo(machine: &Machine, setup: &Setup) -> Setup {
    let boot = &machine.boot;
    Setup {
        over: setup.over.map(|_| boot.over),
        mode: setup.mode.map(|_| boot.mode),
        order: setup.order.as_ref().map(|_| {
            boot.options
                .iter()
                .filter(|o| o.enabled)
                .map(|o| o.id.clone())
                .collect()
        }),
        http_uri: setup.http_uri.as_ref().map(|_| boot.http_uri.clone()),
        asset_tag: setup
            .asset_tag
            .as_ref()
            .map(|_| machine.identity.asset_tag.clone().unwrap_or_default()),
        autostart: setup.autostart.map(|_| machine.autostart),
        nic_link: setup
            .nic_link
            .keys()
            .filter_map(|name| Some((name.clone(), machine.hardware.nic(name)?.link_up)))
            .collect(),
        knobs: setup
            .knobs
            .keys()
            .filter_map(|knob| Some((*knob, machine.firmware.setting(*knob)?.next)))
            .collect(),
    }
}

/// What can be told to be wrong before the backend is asked.
fn check(system: &System, setup: &Setup) -> Result<()> {
    let boot = &system.machine.boot;
    let touches_boot = setup.over.is_some()
        || setup.mode.is_some()
        || setup.order.is_some()
        || setup.http_uri.is_some();
    if touches_boot && !system.capabilities.boot {
        return Err(Error::unsupported("Changing how this system boots"));
    }
    if !setup.nic_link.is_empty() && !system.capabilities.nic_link {
        return Err(Error::unsupported("Plugging cables of this system"));
    }
    if let Some(Some(BootOverride { target, .. })) = setup.over
        && !boot.targets.contains(&target)
    {
        return Err(Error::invalid(
            "/Boot/BootSourceOverrideTarget",
            format!("{target:?}"),
            Invalid::NotInList,
            "This system cannot boot from that.",
        ));
    }
    if let Some(mode) = setup.mode
        && !boot.modes.contains(&mode)
    {
        let name = match mode {
            crate::backend::BootMode::Legacy => "Legacy",
            crate::backend::BootMode::Uefi => "UEFI",
        };
        return Err(Error::invalid(
            "/Boot/BootSourceOverrideMode",
            name,
            Invalid::NotInList,
            "This system does not have that firmware.",
        ));
    }
    if let Some(order) = &setup.order {
        for (at, id) in order.iter().enumerate() {
            let pointer = format!("/Boot/BootOrder/{at}");
            if !boot.options.iter().any(|o| o.id == *id) {
                return Err(Error::invalid(
                    pointer,
                    id.as_str(),
                    Invalid::NotInList,
                    "There is no such boot option.",
                ));
            }
            if order[..at].contains(id) {
                return Err(Error::invalid(
                    pointer,
                    id.as_str(),
                    Invalid::NotInList,
                    "The boot option stands in the order twice.",
                ));
            }
        }
    }
    if let Some(tag) = &setup.asset_tag
        && (tag.chars().count() > 64 || tag.chars().any(char::is_control))
    {
        return Err(Error::invalid(
            "/AssetTag",
            tag.chars().take(80).collect::<String>(),
            Invalid::Format,
            "An asset tag has at most 64 characters, none of them a control character.",
        ));
    }
    Ok(())
}
