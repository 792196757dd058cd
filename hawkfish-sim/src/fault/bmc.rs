//! BMCs that restart when nobody asked them to, that are set back to how they came, and whose clocks are wrong.
//!
//! What is away is one BMC: its system, its chassis, its manager, and, where it has a face of its own, all of that. In a world of one system that is the whole
//! service.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use http::Response;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::effect::{Asked, Broken};
use super::machine::Machine;
use super::rule::{Rule, Then};
use crate::world::{Error, World};

/// What happens to a BMC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bmc {
    /// It restarts.
    Reboot(Reboot),
    /// Its clock is wrong from then on: `DateTime`, the times of its events and of the log of its system.
    Clock(Clock),
    /// It is set back to how it came, and restarts.
    FactoryReset,
}

/// A restart of a BMC. The machine goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reboot {
    /// How long it is away.
    pub offline: SignedDuration,
    /// What becomes of requests meanwhile.
    pub away: Away,
    /// For so long at the beginning it still answers, with 503.
    pub busy_first: SignedDuration,
    /// Whether sessions that were opened with it are still there afterwards.
    pub keeps_sessions: bool,
    /// Whether streams of events that were opened with it stay open.
    pub keeps_streams: bool,
    /// Whether its clock shows 1970 when it is back.
    pub clock_in_1970: bool,
}

impl Default for Reboot {
    /// A minute, in which connections are refused; sessions and streams are gone, the clock is right.
    fn default() -> Self {
        Self {
            offline: SignedDuration::from_mins(1),
            away: Away::Refuses,
            busy_first: SignedDuration::ZERO,
            keeps_sessions: false,
            keeps_streams: false,
            clock_in_1970: false,
        }
    }
}

/// What becomes of requests to a BMC that is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Away {
    /// Their connections are closed.
    #[default]
    Refuses,
    /// Nothing comes back until it is there again; then their connections are closed.
    Hangs,
    /// They are answered with 503 and Retry-After.
    Busy,
}

/// A clock that is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clock {
    /// How far it is ahead; behind, where that is below zero.
    pub offset: SignedDuration,
    /// How many parts in a million it is too fast; too slow, where that is below zero.
    pub drift_ppm: f64,
}

impl Bmc {
    pub(super) fn check(&self) -> Result<(), String> {
        let day = SignedDuration::from_hours(24);
        match self {
            Self::Reboot(reboot) => {
                let Reboot {
                    offline,
                    busy_first,
                    ..
                } = reboot;
                let is_fine = offline.is_positive()
                    && *offline <= day
                    && !busy_first.is_negative()
                    && busy_first <= offline;
                match is_fine {
                    true => Ok(()),
                    false => Err(
                        "a restart takes some time, a day at most, and busy_first is a part of it"
                            .to_owned(),
                    ),
                }
            }
            Self::Clock(clock) => {
                let years = SignedDuration::from_hours(24 * 366 * 200);
                let is_fine = clock.offset.abs() <= years
                    && clock.drift_ppm.is_finite()
                    && clock.drift_ppm.abs() <= 1e6;
                match is_fine {
                    true => Ok(()),
                    false => Err(
                        "a clock is at most 200 years wrong, and at most twice too fast".to_owned(),
                    ),
                }
            }
            Self::FactoryReset => Ok(()),
        }
    }
}

/// The answer of a BMC that restarts.
pub(crate) fn busy(seconds: u32, asked: &Asked) -> Response<Body> {
    let busy = Answer {
        status: 503,
        message: "ServiceTemporarilyUnavailable".to_owned(),
        args: vec![seconds.to_string()],
        retry_after: Some(seconds),
        ..Answer::default()
    };
    busy.response(asked)
}

/// BMCs that are away.
#[derive(Debug, Default)]
pub(crate) struct Absent(Mutex<BTreeMap<SystemId, Gone>>);

#[derive(Clone, Debug)]
struct Gone {
    why: String,
    since: Timestamp,
    until: Timestamp,
    reboot: Reboot,
}

/// What a request to a BMC that is away gets.
#[derive(Clone, Debug)]
pub(crate) enum Nobody {
    /// 503, for so many seconds.
    Busy(u32),
    Closed(Broken),
}

impl World {
    async fn set_bmc_clock(&self, system: &SystemId, clock: Clock) -> Result<(), Error> {
        // Parts in a million, as parts in a thousand million; bounded by the check of a rule.
        let drift = (clock.drift_ppm * 1000.0).clamp(-1e9, 1e9) as i64;
        let hf = self.hawkfish();
        hf.set_manager_clock(&Ctx::service(), system, clock.offset, drift)
            .await?;
        Ok(())
    }

    async fn strike_bmc(&self, system: &SystemId, bmc: &Bmc, rule: &str) -> Result<(), Error> {
        match bmc {
            Bmc::Reboot(reboot) => self.restart(system, *reboot, rule).await,
            Bmc::Clock(clock) => self.set_bmc_clock(system, *clock).await,
            Bmc::FactoryReset => {
                let hf = self.hawkfish();
                Ok(hf.default_manager(&Ctx::service(), system).await?)
            }
        }
    }

    async fn restart(&self, system: &SystemId, reboot: Reboot, why: &str) -> Result<(), Error> {
        let (hf, service) = (self.hawkfish(), Ctx::service());
        hf.restart_manager(&service, system, reboot.offline).await?;
        let since = self.now();
        let gone = Gone {
            why: why.to_owned(),
            since,
            until: since + reboot.offline,
            reboot,
        };
        let absent = &self.absent().0;
        absent.lock().expect("absent").insert(system.clone(), gone);
        // Of a world with one system, whoever is there is there with its BMC.
        let is_alone = hf.inventory().count(&service) == 1;
        if !reboot.keeps_sessions {
            for session in hf.sessions().list(&Ctx::service()) {
                if is_alone || session.face.as_ref() == Some(system) {
                    hf.sessions().delete(&service, &session.id).await?;
                }
            }
        }
        if !reboot.keeps_streams {
            hf.subscriptions()
                .cut_streams((!is_alone).then_some(system));
        }
        if reboot.clock_in_1970 {
            // It counts from the moment in which it is back.
            let behind = Timestamp::UNIX_EPOCH.duration_since(since + reboot.offline);
            hf.set_manager_clock(&service, system, behind, 0).await?;
        }
        Ok(())
    }

    /// What a request gets that is for a BMC which is away; it has waited, where those wait.
    pub(crate) async fn nobody_there(&self, system: Option<&SystemId>) -> Option<Nobody> {
        let gone = {
            let mut absent = self.absent().0.lock().expect("absent");
            if absent.is_empty() {
                return None;
            }
            let now = self.now();
            absent.retain(|_, gone| gone.until > now);
            let alone = || {
                let is_alone = self.hawkfish().inventory().count(&Ctx::service()) == 1;
                absent.values().next().filter(|_| is_alone)
            };
            let gone = system.and_then(|id| absent.get(id)).or_else(alone);
            gone.cloned()?
        };
        let left = gone.until.duration_since(self.now());
        let busy = Nobody::Busy(u32::try_from(left.as_secs() + 1).unwrap_or(u32::MAX));
        if self.now().duration_since(gone.since) < gone.reboot.busy_first {
            return Some(busy);
        }
        match gone.reboot.away {
            Away::Busy => Some(busy),
            Away::Refuses => Some(Nobody::Closed(Broken(gone.why))),
            Away::Hangs => {
                self.pass(left).await;
                Some(Nobody::Closed(Broken(gone.why)))
            }
        }
    }

    /// Does what rules do by themselves when it is time for it.
    pub(crate) async fn do_timed(&self) {
        loop {
            let age = self.age();
            let Some(rule) = self.faults(|engine| engine.take_timed(age)) else {
                return;
            };
            let mut systems = self.hawkfish().systems(&Ctx::service());
            systems.sort_by(|one, other| one.machine.name.cmp(&other.machine.name));
            for system in systems {
                let names = (system.id.as_str(), system.machine.name.as_str());
                if !rule.when.of_system(Some(names)) {
                    continue;
                }
                let fires = self.faults(|engine| engine.fire_timed(&rule.name, age));
                self.say_firings();
                if fires.is_some() {
                    self.strike(&system.id, &rule).await;
                }
            }
        }
    }

    /// Has a rule happen to a system. What cannot, because that has no such part, is told.
    pub(crate) async fn strike(&self, system: &SystemId, rule: &Rule) {
        let struck = match &rule.then {
            Then::Bmc(bmc) => self.strike_bmc(system, bmc, &rule.name).await,
            Then::Machine(machine) => self.strike_machine(system, machine).await,
            _ => Ok(()),
        };
        if let Err(error) = struck {
            let why = format!("fault {:?}: {error}", rule.name);
            self.traced(|trace| trace.broken(self.now(), None, &why));
        }
    }

    async fn strike_machine(&self, system: &SystemId, machine: &Machine) -> Result<(), Error> {
        let known = self.hawkfish().system(&Ctx::service(), system)?;
        let rack = self.racks().get(known.host.as_str());
        if let (Some(mishap), Some(rack)) = (machine.mishap(), rack) {
            rack.mishap(known.machine.key, mishap)?;
            self.hawkfish().tick().await?;
        }
        Ok(())
    }
}
