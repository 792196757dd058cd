//! The manager (BMC) that HawkFish is for each system: its clock, its time servers, its restarts.
//!
//! Each has a clock of its own: that of HawkFish, and how far this one is off it, which is set by hand or measured at time servers. A restart of a
//! manager leaves its system alone; for a while nothing that belongs to it answers, and then it looks at its machine anew.

pub mod interfaces;
mod names;
pub mod ntp;
mod rows;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::HawkFish;
use crate::backend::MachineKey;
use crate::ctx::Ctx;
use crate::db::{Store, Tx};
use crate::due::{self, Due};
use crate::error::{Error, Invalid, Result};
use crate::events::Subject;
use crate::id::SystemId;
use crate::inventory::System;
use crate::logs::What;
use interfaces::Interface;
use names::Names;
pub use names::NamesChange;
use ntp::Server;

/// The kind of the due row that asks the time servers of a manager.
pub(crate) const DUE_NTP: &str = "manager.ntp";
/// The kind of the due row that ends the restart of a manager.
pub(crate) const DUE_BACK: &str = "manager.back";

/// How long a restart takes.
pub const RESTART: SignedDuration = SignedDuration::from_secs(10);
/// Most time servers of a manager.
pub const MOST_SERVERS: usize = 8;
/// How far from UTC the local time of a manager can be, minutes.
pub const LOCAL_OFFSETS: std::ops::RangeInclusive<i32> = -12 * 60..=14 * 60;
/// From one question for the time to the next, while none was answered (RFC 5905 begins with 64 seconds).
const ASK_AGAIN: SignedDuration = SignedDuration::from_secs(64);
/// And afterwards.
const ASK_NOW_AND_THEN: SignedDuration = SignedDuration::from_secs(1024);

/// What is set at a manager, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manager {
    /// Whether time servers set its clock.
    pub ntp_enabled: bool,
    /// Its time servers, the preferred ones first.
    pub ntp_servers: Vec<Server>,
    /// Whether a time server has set its clock since they were last told to.
    pub ntp_answered: bool,
    /// How far its clock is ahead of HawkFish's, microseconds.
    clock_ahead_us: i64,
    /// How far its local time is ahead of UTC, minutes.
    pub local_offset_minutes: i32,
    /// When it was last restarted; `None` for one that started with HawkFish.
    pub last_reset: Option<Timestamp>,
    /// Until when its restart takes.
    pub away_until: Option<Timestamp>,
    /// What a simulated one is called, as far as that was set.
    names: Names,
    /// How its clock went, where events and logs are told by it: the newest last. Else they are told by HawkFish's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    readings: Vec<Reading>,
}

/// How a clock goes from some time on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    from: Timestamp,
    ahead_us: i64,
    /// How much too fast it is: so many parts in a thousand million.
    drift_ppb: i64,
}

/// Most readings that are kept of a clock.
const MOST_READINGS: usize = 32;

impl Manager {
    /// The time on its clock when it is `now` on HawkFish's.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Timestamp {
        match self.readings.is_empty() {
            // A clock that would leave the calendar stays with HawkFish's.
            true => now
                .checked_add(SignedDuration::from_micros(self.clock_ahead_us))
                .unwrap_or(now),
            false => self.stamp(now),
        }
    }

    /// The time with which it tells of what happened when it was `at` on HawkFish's clock: that time, unless this one tells by its own clock.
    #[must_use]
    pub fn stamp(&self, at: Timestamp) -> Timestamp {
        let Some(reading) = self.readings.iter().rev().find(|one| one.from <= at) else {
            return at;
        };
        let passed = i128::from(micros(at.duration_since(reading.from)));
        let drift = passed * i128::from(reading.drift_ppb) / 1_000_000_000;
        let drift = SignedDuration::from_micros(i64::try_from(drift).unwrap_or(0));
        at.checked_add(SignedDuration::from_micros(reading.ahead_us))
            .and_then(|shown| shown.checked_add(drift))
            .unwrap_or(at)
    }

    /// Whether its clock was set by time servers.
    #[must_use]
    pub fn is_set_by_ntp(&self) -> bool {
        self.ntp_enabled && self.ntp_answered
    }

    /// What the simulated manager of a machine is called on its network, without its domain.
    #[must_use]
    pub fn host_name(&self, key: MachineKey) -> String {
        self.names.host(key)
    }

    /// The same with its domain.
    #[must_use]
    pub fn fqdn(&self, key: MachineKey) -> String {
        format!("{}.{}", self.names.host(key), self.names.domain())
    }

    /// The interface by which the simulated manager of a machine is on its network.
    #[must_use]
    pub fn interface(&self, key: MachineKey) -> Interface {
        let mut interface = interfaces::simulated(key);
        self.names.apply(&mut interface);
        interface
    }

    /// Notes how its clock goes from now on.
    fn read(&mut self, now: Timestamp, drift_ppb: i64) {
        self.readings.retain(|reading| reading.from < now);
        if self.readings.len() >= MOST_READINGS {
            self.readings.remove(0);
        }
        self.readings.push(Reading {
            from: now,
            ahead_us: self.clock_ahead_us,
            drift_ppb,
        });
    }

    fn asks(&self) -> bool {
        self.ntp_enabled && !self.ntp_servers.is_empty()
    }
}

/// A wanted change to a manager. It is made as one, or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagerChange {
    /// The time on its clock.
    pub time: Option<Timestamp>,
    /// How far its local time is ahead of UTC, minutes.
    pub local_offset_minutes: Option<i32>,
    /// Whether time servers set its clock.
    pub ntp_enabled: Option<bool>,
    /// Its time servers: names or addresses, with a port where it is not 123.
    pub ntp_servers: Option<Vec<String>>,
    /// What a simulated one is called, and whom it asks for names.
    pub names: NamesChange,
}

/// How a manager is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagerReset {
    /// The tasks of its system go on meanwhile.
    Graceful,
    /// The tasks of its system are told to stop.
    Force,
}

/// What is known of managers, in memory.
#[derive(Debug, Default)]
pub(crate) struct Managers(RwLock<BTreeMap<SystemId, Arc<Manager>>>);

impl Managers {
    pub(crate) async fn open(store: &Store) -> Result<Arc<Self>> {
        let all = store.read(|conn| Box::pin(rows::all(conn))).await?;
        let all = all.into_iter().map(|(id, manager)| (id, Arc::new(manager)));
        Ok(Arc::new(Self(RwLock::new(all.collect()))))
    }

    fn get(&self, id: &SystemId) -> Option<Arc<Manager>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.get(id).cloned()
    }

    fn put(&self, id: SystemId, manager: Manager) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(id, Arc::new(manager));
    }
}

impl HawkFish {
    /// The manager of a system. From memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn manager(&self, ctx: &Ctx, id: &SystemId) -> Result<Arc<Manager>> {
        self.system(ctx, id)?;
        Ok(self.inner.managers.get(id).unwrap_or_default())
    }

    /// Whether a system is simulated, and with it what surrounds its manager.
    #[must_use]
    pub fn is_simulated(&self, system: &System) -> bool {
        let host = self.inner.hosts.get(&system.host);
        host.is_some_and(|host| host.backend.is_simulated())
    }

    /// How long the manager of a system is still away because it restarts; `None` while it is there. From memory.
    #[must_use]
    pub fn manager_away(&self, id: &SystemId) -> Option<Duration> {
        let until = self.inner.managers.get(id)?.away_until?;
        let left = until.duration_since(self.clock().now());
        Duration::try_from(left).ok().filter(|left| !left.is_zero())
    }

    /// Changes a manager, all or nothing.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` at `/DateTime`, `/DateTimeLocalOffset`, `/NTP/NTPServers`, `/HostName`, `/FQDN`, `/StaticNameServers`, the last three always where
    /// the manager is on a real network; `Internal` when the store fails.
    pub async fn update_manager(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        change: ManagerChange,
    ) -> Result<Arc<Manager>> {
        let ManagerChange {
            time,
            local_offset_minutes,
            ntp_enabled,
            ntp_servers,
            names,
        } = change;
        let system = self.system(ctx, id)?;
        if let Some(pointer) = names.first()
            && !self.is_simulated(&system)
        {
            let why =
                "What the manager's machine is called, and whom it asks for names, is set there.";
            return Err(Error::invalid(pointer, "", Invalid::ReadOnly, why));
        }
        let servers = match ntp_servers {
            Some(servers) => Some(self.servers(servers)?),
            None => None,
        };
        if let Some(minutes) = local_offset_minutes
            && !LOCAL_OFFSETS.contains(&minutes)
        {
            return Err(Error::invalid(
                "/DateTimeLocalOffset",
                minutes.to_string(),
                Invalid::OutOfRange,
                "Local times are 12 hours behind to 14 hours ahead of UTC.",
            ));
        }
        let now = self.clock().now();
        self.change_manager(id, now, move |manager| {
            manager.names.change(names)?;
            let asked = (manager.asks(), manager.ntp_servers.clone());
            manager.ntp_enabled = ntp_enabled.unwrap_or(manager.ntp_enabled);
            manager.ntp_servers = servers.unwrap_or_else(|| manager.ntp_servers.clone());
            if asked != (manager.asks(), manager.ntp_servers.clone()) {
                manager.ntp_answered = false;
            }
            manager.local_offset_minutes =
                local_offset_minutes.unwrap_or(manager.local_offset_minutes);
            if let Some(time) = time {
                if manager.ntp_enabled {
                    return Err(Error::invalid(
                        "/DateTime",
                        time.to_string(),
                        Invalid::ReadOnly,
                        "The clock is set by time servers (NTP).",
                    ));
                }
                manager.clock_ahead_us = micros(time.duration_since(now));
            }
            Ok(())
        })
        .await
    }

    /// Time servers as a caller names them.
    fn servers(&self, servers: Vec<String>) -> Result<Vec<Server>> {
        if servers.len() > MOST_SERVERS {
            return Err(Error::invalid(
                "/NTP/NTPServers",
                format!("{} servers", servers.len()),
                Invalid::OutOfRange,
                "There can be eight time servers.",
            ));
        }
        let policy = &self.inner.media.settings.policy;
        let mut all = Vec::with_capacity(servers.len());
        for (at, text) in servers.into_iter().enumerate() {
            let bad = |reason, why: &'static str| {
                Error::invalid(format!("/NTP/NTPServers/{at}"), text.clone(), reason, why)
            };
            let server: Server = text.parse().map_err(|ntp::NoServer| {
                let why =
                    "A time server is a host name or an address, with a port where it is not 123.";
                bad(Invalid::Format, why)
            })?;
            if server
                .address()
                .is_some_and(|address| !policy.allows(server.host(), address))
            {
                return Err(bad(
                    Invalid::NotInList,
                    "The address policy does not allow it.",
                ));
            }
            all.push(server);
        }
        Ok(all)
    }

    /// Restarts the manager of a system; the system itself goes on.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn reset_manager(&self, ctx: &Ctx, id: &SystemId, how: ManagerReset) -> Result<()> {
        self.system(ctx, id)?;
        if how == ManagerReset::Force {
            let of_it = |task: &Arc<crate::tasks::Task>| {
                task.subject.as_ref() == Some(id) && !task.state.ended()
            };
            for task in self
                .tasks()
                .list(&Ctx::service())
                .iter()
                .filter(|t| of_it(t))
            {
                // It may have ended since.
                let _ = self.tasks().cancel(&Ctx::service(), &task.id).await;
            }
        }
        let now = self.clock().now();
        tracing::info!(manager = %id, ?how, by = ?ctx.account(), "a manager restarts");
        self.change_manager(id, now, move |manager| {
            manager.last_reset = Some(now);
            manager.away_until = Some(now + RESTART);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Restarts the manager of a system, which is then away for so long. For simulations.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn restart_manager(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        away: SignedDuration,
    ) -> Result<()> {
        self.system(ctx, id)?;
        let now = self.clock().now();
        self.change_manager(id, now, move |manager| {
            manager.last_reset = Some(now);
            manager.away_until = now.checked_add(away).ok();
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Sets the clock of a manager wrong: so far ahead of HawkFish's (behind, where that is below zero), and by so many parts in a thousand million too fast. From
    /// now on its events and the log of its system are told by it. Whoever sets its time sets it right, but for how fast it goes. For simulations.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn set_manager_clock(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        ahead: SignedDuration,
        drift_ppb: i64,
    ) -> Result<()> {
        self.system(ctx, id)?;
        let now = self.clock().now();
        self.change_manager(id, now, move |manager| {
            manager.clock_ahead_us = micros(ahead);
            manager.read(now, drift_ppb);
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// The time with which the manager of a system tells of what happened `at` that moment. From memory.
    #[must_use]
    pub fn manager_stamp(&self, id: &SystemId, at: Timestamp) -> Timestamp {
        let manager = self.inner.managers.get(id);
        manager.map_or(at, |manager| manager.stamp(at))
    }

    /// Makes a manager as it comes, but for its network and its users, and restarts it: its clock, its local time, and how its slots check the servers
    /// of images.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn default_manager(&self, ctx: &Ctx, id: &SystemId) -> Result<()> {
        self.system(ctx, id)?;
        self.default_slots(id).await?;
        let now = self.clock().now();
        self.change_manager(id, now, |manager| {
            manager.local_offset_minutes = 0;
            if !manager.is_set_by_ntp() {
                manager.clock_ahead_us = 0;
            }
            Ok(())
        })
        .await?;
        self.reset_manager(ctx, id, ManagerReset::Graceful).await
    }

    /// Does what a due row of this room asks for.
    pub(crate) async fn on_manager_due(&self, row: &Due) -> Result<()> {
        let id = SystemId::parse(&row.subject)?;
        match row.kind.as_str() {
            DUE_NTP => self.ask_time(id).await,
            _ => self.manager_is_back(&id).await,
        }
    }

    /// Asks the time servers, aside: who waits for the answer is nobody.
    async fn ask_time(&self, id: SystemId) -> Result<()> {
        let manager = self.inner.managers.get(&id).unwrap_or_default();
        let now = self.clock().now();
        let pause = match manager.ntp_answered {
            true => ASK_NOW_AND_THEN,
            false => ASK_AGAIN,
        };
        let (subject, asks) = (id.clone(), manager.asks());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    match asks {
                        true => {
                            due::put(tx, now + pause, DUE_NTP, subject.as_str(), &Value::Null).await
                        }
                        false => due::remove(tx, DUE_NTP, subject.as_str()).await,
                    }
                })
            })
            .await?;
        if asks {
            let hawkfish = self.clone();
            self.inner.jobs.spawn(async move {
                tokio::select! {
                    () = hawkfish.inner.closing.cancelled() => {}
                    set = hawkfish.set_clock(&id, &manager) => if let Err(error) = set {
                        tracing::warn!(manager = %id, error = ?error, "the clock of a manager could not be set");
                    }
                }
            });
        }
        Ok(())
    }

    /// Sets the clock of a manager by the first of its time servers that answers.
    async fn set_clock(&self, id: &SystemId, asked: &Manager) -> Result<()> {
        let policy = self.inner.media.settings.policy.clone();
        let mut reasons = Vec::new();
        for server in &asked.ntp_servers {
            match ntp::ahead(&policy, server, self.clock()).await {
                Ok(ahead) => {
                    let servers = asked.ntp_servers.clone();
                    let ahead_us = micros(ahead);
                    tracing::debug!(manager = %id, %server, ahead_us, "a time server answered");
                    let known = self.inner.managers.get(id).unwrap_or_default();
                    if known.ntp_answered && known.clock_ahead_us.abs_diff(ahead_us) < 1000 {
                        return Ok(());
                    }
                    let now = self.clock().now();
                    self.change_manager(id, now, move |manager| {
                        // What was set meanwhile stands.
                        if manager.ntp_enabled && manager.ntp_servers == servers {
                            manager.clock_ahead_us = ahead_us;
                            manager.ntp_answered = true;
                        }
                        Ok(())
                    })
                    .await?;
                    return Ok(());
                }
                Err(reason) => reasons.push(format!("{server}: {reason}")),
            }
        }
        Err(
            Error::unavailable("No time server gave an answer that can be used.")
                .with("servers", reasons.join("; ")),
        )
    }

    /// The end of a restart: the manager looks at its machine anew.
    async fn manager_is_back(&self, id: &SystemId) -> Result<()> {
        if let Ok(system) = self.system(&Ctx::service(), id)
            && let Ok(host) = self.host(&system.host)
        {
            host.backend.manager_restarted(system.machine.key);
            match host.backend.machine(system.machine.key).await {
                Ok(machine) => self.saw(&host, machine).await?,
                Err(error) => {
                    tracing::warn!(manager = %id, error = ?error, "a manager is back and cannot see its machine");
                }
            }
        }
        let now = self.clock().now();
        self.change_manager(id, now, |manager| {
            manager.away_until = None;
            Ok(())
        })
        .await?;
        Ok(())
    }

    /// Changes what is stored of a manager and, once that is durable, what is known of it; and puts down what follows from it later.
    async fn change_manager(
        &self,
        id: &SystemId,
        now: Timestamp,
        change: impl FnOnce(&mut Manager) -> Result<()> + Send + 'static,
    ) -> Result<Arc<Manager>> {
        let (managers, id) = (self.inner.managers.clone(), id.clone());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    let old = rows::get(tx.conn(), &id).await?;
                    let mut new = old.clone();
                    change(&mut new)?;
                    if let Some(last) = new.readings.last()
                        && new.clock_ahead_us != old.clock_ahead_us
                        && last.from != now
                    {
                        new.read(now, last.drift_ppb);
                    }
                    let is_other = !old.asks() || new.ntp_servers != old.ntp_servers;
                    if !new.asks() {
                        due::remove(tx, DUE_NTP, id.as_str()).await?;
                    } else if is_other {
                        due::put(tx, now, DUE_NTP, id.as_str(), &Value::Null).await?;
                    }
                    match new.away_until {
                        Some(at) => due::put(tx, at, DUE_BACK, id.as_str(), &Value::Null).await?,
                        None => due::remove(tx, DUE_BACK, id.as_str()).await?,
                    }
                    rows::put(tx, &id, &new).await?;
                    for about in changed(&id, &old, &new) {
                        tx.happened(about, What::Changed.at(now));
                    }
                    let known = new.clone();
                    tx.after_commit(move || managers.put(id, known));
                    Ok(Arc::new(new))
                })
            })
            .await
    }
}

/// What a change of a manager shows in.
fn changed(id: &SystemId, old: &Manager, new: &Manager) -> Vec<Subject> {
    /// Time servers set a clock right all the time, by less than anybody reads off it.
    const SETS_RIGHT_US: u64 = 1_000_000;
    let mut all = Vec::new();
    let is_set_right = old.is_set_by_ntp()
        && new.is_set_by_ntp()
        && old.clock_ahead_us.abs_diff(new.clock_ahead_us) < SETS_RIGHT_US;
    if (old.clock_ahead_us != new.clock_ahead_us && !is_set_right)
        || old.is_set_by_ntp() != new.is_set_by_ntp()
        || old.local_offset_minutes != new.local_offset_minutes
        || old.readings != new.readings
        || old.last_reset != new.last_reset
        || old.away_until != new.away_until
    {
        all.push(Subject::Manager(id.clone()));
    }
    if old.names != new.names
        || old.ntp_enabled != new.ntp_enabled
        || old.ntp_servers != new.ntp_servers
    {
        all.push(Subject::Network(id.clone()));
    }
    if old.names != new.names {
        all.push(Subject::ManagerInterface(id.clone()));
    }
    all
}

fn micros(span: SignedDuration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}
