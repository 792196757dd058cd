//! One host: its connection, kept up by a thread of its own, and the picture of its machines.
//!
//! The thread (`keep`) opens the connection, lists all machines, then looks in now and then; when the connection ends it opens it anew, waiting
//! longer each time. It waits in real time, outside tokio: what it waits for is a process on a real host.
//!
//! The picture is changed in jobs that run one after another for each machine (see [`super::pool`]), verbs and events alike, so that an older look never
//! overwrites a newer one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error as Virt;
use virt::sys;

use super::event::Happening;
use super::facts::{self, Condition, Facts, Surroundings};
use super::fault;
use super::firmware::Make;
use super::pool::Pool;
use super::raw::{self, Closed, Sink, State as DomainState, Subscriptions};
use super::xml::Doc;
use super::{Driver, LibvirtSettings};
use crate::backend::{Cause, Change, HostFacts, Machine, MachineKey, Power};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// A host and all that is known of it.
pub(super) struct Host {
    pub settings: LibvirtSettings,
    pub clock: Arc<dyn Clock>,
    pub pool: Pool,
    picture: Mutex<Picture>,
    /// Wakes threads that wait for something in the picture.
    stirred: Condvar,
    /// Wakes who waits for changes.
    pub changed: Notify,
}

/// What is known of a domain.
#[derive(Clone)]
pub(super) struct Entry {
    pub domain: Domain,
    state: DomainState,
    pub config: Arc<Facts>,
    pub live: Option<Arc<Facts>>,
    pub autostart: bool,
    pub last_reset: Option<Timestamp>,
    /// How much of its console is from before its start.
    pub console_from: Option<u64>,
    machine: Arc<Machine>,
}

impl Entry {
    pub(super) fn machine(&self) -> &Arc<Machine> {
        &self.machine
    }
}

struct Picture {
    closed: bool,
    ended: bool,
    conn: Option<Connect>,
    driver: Driver,
    facts: HostFacts,
    /// Cancelled when that connection is lost, so that nobody waits for what will not be answered.
    lost: CancellationToken,
    /// Why the connection is to be given up, once somebody noticed.
    broken: Option<String>,
    told_lost: bool,
    entries: BTreeMap<MachineKey, Entry>,
    /// What happened and was not looked at yet.
    pending: HashMap<MachineKey, Vec<Happening>>,
    /// What verbs will cause to be told, and what nobody needs to hear: the stops and goes inside one verb.
    own: HashMap<MachineKey, Vec<Happening>>,
    resets: HashMap<MachineKey, u64>,
    /// Machines whose firmware is watched after a reset.
    watched: HashSet<MachineKey>,
    /// Machines that were paused while that was so.
    unfinished: HashSet<MachineKey>,
    changes: VecDeque<Change>,
    has_efi: BTreeMap<Make, bool>,
    /// The machine up to which definitions were last read again.
    looked_up_to: Option<MachineKey>,
}

/// Definitions read again at each look, because some changes come without an event (autostart, `attach-device --config`).
const LOOKS_AT_ONCE: usize = 64;

impl Host {
    pub(super) fn new(settings: LibvirtSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let driver = Driver::of_uri(&settings.uri);
        Arc::new(Self {
            pool: Pool::new(
                settings.name.clone(),
                settings.workers,
                settings.workers.saturating_mul(4),
            ),
            settings,
            clock,
            picture: Mutex::new(Picture {
                closed: false,
                ended: false,
                conn: None,
                lost: CancellationToken::new(),
                driver,
                facts: HostFacts::default(),
                broken: None,
                told_lost: false,
                entries: BTreeMap::new(),
                pending: HashMap::new(),
                own: HashMap::new(),
                resets: HashMap::new(),
                watched: HashSet::new(),
                unfinished: HashSet::new(),
                changes: VecDeque::new(),
                has_efi: BTreeMap::new(),
                looked_up_to: None,
            }),
            stirred: Condvar::new(),
            changed: Notify::new(),
        })
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, in a thread that may block, until something is so or the time is up; returns whether it is.
    fn wait_until(&self, limit: Duration, mut is_so: impl FnMut(&mut Picture) -> bool) -> bool {
        let (_picture, waited) = self
            .stirred
            .wait_timeout_while(self.picture(), limit, |picture| !is_so(picture))
            .unwrap_or_else(PoisonError::into_inner);
        !waited.timed_out()
    }

    pub(super) fn driver(&self) -> Driver {
        self.picture().driver
    }

    pub(super) fn facts(&self) -> HostFacts {
        self.picture().facts.clone()
    }

    /// The connection; `Unavailable` at once while there is none.
    pub(super) fn connection(&self) -> Result<Connect> {
        self.picture().conn.clone().ok_or_else(|| {
            Error::unavailable("The host does not answer.").with("host", &self.settings.name)
        })
    }

    pub(super) fn entry(&self, key: MachineKey) -> Option<Entry> {
        self.picture().entries.get(&key).cloned()
    }

    pub(super) fn machines(&self) -> Vec<Machine> {
        let machines: Vec<Arc<Machine>> = self
            .picture()
            .entries
            .values()
            .map(|entry| Arc::clone(&entry.machine))
            .collect();
        machines.iter().map(|machine| (**machine).clone()).collect()
    }

    pub(super) fn drain_changes(&self) -> Vec<Change> {
        self.picture().changes.drain(..).collect()
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.picture().changes.is_empty()
    }

    fn tell(&self, picture: &mut Picture, change: Change) {
        picture.changes.push_back(change);
        self.changed.notify_waiters();
    }

    /// Somebody found that the host does not answer; the keeper sees to it.
    pub(super) fn suspect(&self, reason: &str) {
        let mut picture = self.picture();
        if picture.conn.is_some() {
            picture.broken.get_or_insert_with(|| reason.to_owned());
            self.stirred.notify_all();
        }
    }

    /// Begins to end everything.
    pub(super) fn close(&self) {
        self.picture().closed = true;
        self.stirred.notify_all();
        self.pool.close();
    }

    pub(super) fn is_ended(&self) -> bool {
        self.picture().ended
    }

    // ---- the connection

    /// Keeps the connection up until the host is closed. Runs in a thread of its own.
    pub(super) fn keep(self: &Arc<Self>) {
        let mut pause = self.settings.retry_first;
        while !self.picture().closed {
            match self.open() {
                Ok(subscriptions) => {
                    pause = self.settings.retry_first;
                    let reason = self.tend();
                    self.lose(&reason);
                    // Ending the registrations may have to wait for a host that hangs; nobody is to wait with it.
                    self.aside("close", move || drop(subscriptions));
                }
                Err(reason) => self.lose(&reason),
            }
            self.wait_until(pause, |picture| picture.closed);
            pause = (pause * 2).min(self.settings.retry_most);
        }
        self.picture().ended = true;
        self.changed.notify_waiters();
    }

    fn lose(&self, reason: &str) {
        let mut picture = self.picture();
        picture.conn = None;
        picture.broken = None;
        picture.lost.cancel();
        picture.pending.clear();
        picture.own.clear();
        picture.watched.clear();
        if !picture.told_lost && !picture.closed {
            picture.told_lost = true;
            tracing::warn!(host = self.settings.name, reason, "host lost");
            self.tell(&mut picture, Change::Lost(reason.to_owned()));
        }
        drop(picture);
        self.pool.abandon();
    }

    fn open(self: &Arc<Self>) -> Result<Subscriptions, String> {
        raw::start_event_loop()?;
        let said = |error: Virt| error.message().to_owned();
        let conn = Connect::open(Some(&self.settings.uri)).map_err(said)?;
        let keepalive = &self.settings.keepalive;
        if let Err(error) = conn.set_keep_alive(
            i32::try_from(keepalive.interval.as_secs()).unwrap_or(i32::MAX),
            keepalive.count,
        ) {
            tracing::debug!(
                host = self.settings.name,
                error = error.message(),
                "no keepalive"
            );
        }
        let here = Arc::downgrade(self);
        let sink: Arc<Sink> = {
            let here = here.clone();
            Arc::new(move |uuid, happening| {
                if let Some(host) = here.upgrade() {
                    host.happened(MachineKey(uuid), happening);
                }
            })
        };
        let closed: Arc<Closed> = Arc::new(move |reason| {
            if let Some(host) = here.upgrade() {
                host.suspect(reason);
            }
        });
        // Before the listing, so that nothing falls between.
        let subscriptions = Subscriptions::register(&conn, &sink, &closed);
        let (driver, facts) = host_facts(&conn).map_err(said)?;
        self.picture().driver = driver;
        let entries = self.list(&conn).map_err(|error| error.to_string())?;

        let mut picture = self.picture();
        let gone: Vec<MachineKey> = picture
            .entries
            .keys()
            .filter(|key| !entries.contains_key(key))
            .copied()
            .collect();
        let unsettled: Vec<MachineKey> = entries
            .iter()
            .filter(|(_, entry)| needs_settling(entry))
            .map(|(key, _)| *key)
            .collect();
        tracing::info!(
            host = self.settings.name,
            machines = entries.len(),
            hypervisor = facts.hypervisor,
            "host connected"
        );
        picture.facts = facts;
        // They may be the last that hold the connection before, whose end may take a while.
        let before = std::mem::replace(&mut picture.entries, entries);
        picture.conn = Some(conn);
        picture.lost = CancellationToken::new();
        picture.told_lost = false;
        picture.broken = None;
        self.tell(&mut picture, Change::Connected);
        for key in gone {
            self.tell(&mut picture, Change::Removed(key));
        }
        let machines: Vec<_> = picture
            .entries
            .values()
            .map(|entry| Arc::clone(&entry.machine))
            .collect();
        for machine in machines {
            let cause = Cause::Seen;
            self.tell(&mut picture, Change::Machine { machine, cause });
        }
        let early: Vec<MachineKey> = picture.pending.keys().copied().collect();
        drop(picture);
        self.aside("close", move || drop(before));
        for key in early {
            self.look_later(key);
        }
        for key in unsettled {
            self.happened(key, Happening::Met);
        }
        Ok(subscriptions)
    }

    /// Looks in now and then until the connection ends; returns why.
    fn tend(self: &Arc<Self>) -> String {
        loop {
            self.wait_until(self.settings.look_every, |picture| {
                picture.closed || picture.broken.is_some()
            });
            let (closed, broken) = {
                let mut picture = self.picture();
                (picture.closed, picture.broken.take())
            };
            if closed {
                return "closed".to_owned();
            }
            let Ok(conn) = self.connection() else {
                return "no connection".to_owned();
            };
            if !conn.is_alive().unwrap_or(false) {
                return broken.unwrap_or_else(|| "the connection ended".to_owned());
            }
            match self.look_around(&conn) {
                Ok(stale) => {
                    for key in stale {
                        self.happened(key, Happening::Look);
                    }
                }
                Err(reason) => return reason,
            }
        }
    }

    /// Asks what is stale, in a thread that is left behind if there is no answer: when a connection ends while several callers wait on it, libvirt's client
    /// (9.0 for one) wakes one of them and leaves the others waiting for good.
    fn look_around(self: &Arc<Self>, conn: &Connect) -> Result<Vec<MachineKey>, String> {
        let found = Arc::new(Mutex::new(None));
        let (host, asked, answer) = (Arc::clone(self), conn.clone(), Arc::clone(&found));
        self.aside("look", move || {
            let stale = host.stale(&asked, true);
            // Under the lock that is waited with, so that the news is not missed.
            let _picture = host.picture();
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(stale);
            host.stirred.notify_all();
        });
        let found = || found.lock().unwrap_or_else(PoisonError::into_inner).take();
        loop {
            let mut answer = None;
            let in_time = self.wait_until(self.settings.read_within, |picture| {
                answer = found();
                answer.is_some() || picture.closed || picture.broken.is_some()
            });
            if let Some(answer) = answer {
                return answer.map_err(|error| error.message().to_owned());
            }
            let (closed, broken) = {
                let mut picture = self.picture();
                (picture.closed, picture.broken.take())
            };
            if closed {
                return Err("closed".to_owned());
            }
            if !in_time {
                return Err("it does not answer".to_owned());
            }
            // Somebody may have meant the connection before.
            if let Some(reason) = broken
                && !conn.is_alive().unwrap_or(false)
            {
                return Err(reason);
            }
        }
    }

    /// Runs something that may hang, in a thread of its own.
    fn aside(&self, what: &str, run: impl FnOnce() + Send + 'static) {
        let name = format!("libvirt-{what}-{}", self.settings.name);
        // Without a thread it is dropped, which looks like no answer.
        if let Err(error) = std::thread::Builder::new().name(name).spawn(run) {
            tracing::error!(%error, host = self.settings.name, what, "no thread for libvirt's calls");
        }
    }

    // ---- looking

    /// All domains, read from scratch.
    fn list(&self, conn: &Connect) -> Result<BTreeMap<MachineKey, Entry>> {
        let states = raw::states(conn).map_err(|e| fault::unavailable(&e))?;
        let autostarts = autostarts(conn).map_err(|e| fault::unavailable(&e))?;
        let mut entries = BTreeMap::new();
        for (domain, state) in states {
            let key = MachineKey(domain.get_uuid().map_err(|e| fault::unavailable(&e))?);
            let autostart = autostarts.contains(&key);
            let old = self.entry(key);
            match self.read(conn, domain, key, state, autostart, old.as_ref()) {
                Ok(entry) => {
                    entries.insert(key, entry);
                }
                Err(error) if matches!(error.kind(), crate::ErrorKind::Unavailable { .. }) => {
                    return Err(error);
                }
                // It vanished while we looked, or is one that we cannot read; the others are not to suffer.
                Err(error) => tracing::warn!(machine = %key, ?error, "machine left out"),
            }
        }
        Ok(entries)
    }

    /// Machines whose state, autostart or being there is not as in the picture; with `also_some`, some more in turn.
    pub(super) fn stale(&self, conn: &Connect, also_some: bool) -> Result<Vec<MachineKey>, Virt> {
        let states = raw::states(conn)?;
        let autostarts = autostarts(conn)?;
        let mut seen = BTreeSet::new();
        let mut picture = self.picture();
        let mut stale = BTreeSet::new();
        for (domain, state) in &states {
            let key = MachineKey(domain.get_uuid()?);
            seen.insert(key);
            let is_known = picture.entries.get(&key).is_some_and(|entry| {
                entry.state == *state && entry.autostart == autostarts.contains(&key)
            });
            if !is_known {
                stale.insert(key);
            }
        }
        stale.extend(picture.entries.keys().filter(|key| !seen.contains(key)));
        if also_some {
            let after = picture.looked_up_to;
            let some: Vec<MachineKey> = picture
                .entries
                .keys()
                .filter(|key| after.is_none_or(|after| **key > after))
                .take(LOOKS_AT_ONCE)
                .copied()
                .collect();
            // Having come to the end, the next look begins anew.
            picture.looked_up_to = some.last().copied().filter(|_| some.len() == LOOKS_AT_ONCE);
            stale.extend(some);
        }
        Ok(stale.into_iter().collect())
    }

    /// Reads all of a domain. Makes up to three calls.
    fn read(
        &self,
        conn: &Connect,
        domain: Domain,
        key: MachineKey,
        state: DomainState,
        autostart: bool,
        old: Option<&Entry>,
    ) -> Result<Entry> {
        let doing = "describe the machine";
        let of = |flags| {
            let text = domain
                .get_xml_desc(flags)
                .map_err(|error| fault::of(&error, doing, key))?;
            let doc = Doc::parse(&text)?;
            let around = self.surroundings(conn, &Make::of(&doc));
            Ok::<_, Error>(Arc::new(Facts::read(&doc, around)))
        };
        let config = of(sys::VIR_DOMAIN_XML_INACTIVE)?;
        let live = if is_active(state) { Some(of(0)?) } else { None };
        Ok(self.entry_of(
            key,
            Parts {
                domain,
                state,
                config,
                live,
                autostart,
                last_reset: old.and_then(|old| old.last_reset),
                console_from: old.and_then(|old| old.console_from),
            },
        ))
    }

    fn entry_of(&self, key: MachineKey, parts: Parts) -> Entry {
        let (power, crashed) = power(parts.state);
        let condition = Condition {
            power,
            crashed,
            autostart: parts.autostart,
            last_reset: parts.last_reset,
        };
        let machine = facts::machine(
            key,
            &parts.config,
            parts.live.as_deref(),
            condition,
            // libvirt's test driver takes no media into what runs; there, what is defined is what there is.
            self.driver() == Driver::Qemu,
        );
        Entry {
            domain: parts.domain,
            state: parts.state,
            config: parts.config,
            live: parts.live,
            autostart: parts.autostart,
            last_reset: parts.last_reset,
            console_from: parts.console_from,
            machine: Arc::new(machine),
        }
    }

    fn surroundings(&self, conn: &Connect, make: &Make) -> Surroundings {
        let driver = self.driver();
        let is_qemu = driver == Driver::Qemu;
        if !is_qemu || !make.is_pc() {
            // The test driver runs nothing, so every firmware is as good as any.
            return Surroundings {
                is_qemu,
                has_efi: driver == Driver::Test,
            };
        }
        if let Some(&has_efi) = self.picture().has_efi.get(make) {
            return Surroundings { is_qemu, has_efi };
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let asked = conn.get_domain_capabilities(
            make.emulator.as_deref(),
            some(&make.arch).as_deref(),
            some(&make.machine).as_deref(),
            some(&make.domain).as_deref(),
            0,
        );
        let has_efi = match asked {
            Ok(text) => Doc::parse(&text).is_ok_and(|doc| says_efi(&doc)),
            Err(error) => {
                tracing::debug!(error = error.message(), ?make, "no domain capabilities");
                if fault::is_of_connection(&error) {
                    return Surroundings {
                        is_qemu,
                        has_efi: false,
                    };
                }
                false
            }
        };
        self.picture().has_efi.insert(make.clone(), has_efi);
        Surroundings { is_qemu, has_efi }
    }

    /// How a domain stands now. A domain that is not there any more leaves the picture.
    pub(super) fn find(&self, conn: &Connect, key: MachineKey) -> Result<(Domain, DomainState)> {
        let known = self.picture().entries.get(&key).map(|e| e.domain.clone());
        let found = match known {
            Some(domain) => Ok(domain),
            None => Domain::lookup_by_uuid(conn, key.0),
        }
        .and_then(|domain| {
            let state = domain.get_state()?;
            Ok((domain, state))
        });
        found.map_err(|error| {
            let error = fault::of(&error, "look at the machine", key);
            if matches!(error.kind(), crate::ErrorKind::NotFound { .. }) {
                let mut picture = self.picture();
                if picture.entries.remove(&key).is_some() {
                    self.tell(&mut picture, Change::Removed(key));
                }
            }
            error
        })
    }

    /// Looks at a machine, all of it, and tells what has changed.
    pub(super) fn look(
        &self,
        conn: &Connect,
        key: MachineKey,
        happenings: &[Happening],
    ) -> Result<Arc<Machine>> {
        let entry = self.read_anew(conn, key)?;
        Ok(self.put(key, entry, happenings))
    }

    fn read_anew(&self, conn: &Connect, key: MachineKey) -> Result<Entry> {
        let (domain, state) = self.find(conn, key)?;
        let autostart = domain.get_autostart().unwrap_or(false);
        let old = self.entry(key);
        self.read(conn, domain, key, state, autostart, old.as_ref())
    }

    /// Looks at whether a machine runs, and takes the rest as known.
    pub(super) fn look_at_state(
        &self,
        conn: &Connect,
        key: MachineKey,
        happenings: &[Happening],
    ) -> Result<Arc<Machine>> {
        let (domain, state) = self.find(conn, key)?;
        match self.entry(key) {
            Some(old) if !is_active(state) || old.live.is_some() => {
                let live = old.live.filter(|_| is_active(state));
                let entry = self.entry_of(
                    key,
                    Parts {
                        domain,
                        state,
                        config: old.config,
                        live,
                        autostart: old.autostart,
                        last_reset: old.last_reset,
                        console_from: old.console_from,
                    },
                );
                Ok(self.put(key, entry, happenings))
            }
            _ => self.look(conn, key, happenings),
        }
    }

    /// Puts a machine into the picture, and tells of it what happened, or that it is not as it was.
    fn put(&self, key: MachineKey, mut entry: Entry, happenings: &[Happening]) -> Arc<Machine> {
        let is_new_life = happenings
            .iter()
            .any(|h| matches!(h, Happening::Started | Happening::Reset));
        if is_new_life {
            entry.last_reset = Some(self.clock.now());
            let mut machine = (*entry.machine).clone();
            machine.last_reset = entry.last_reset;
            entry.machine = Arc::new(machine);
        }
        let machine = Arc::clone(&entry.machine);
        let mut picture = self.picture();
        let old = picture.entries.insert(key, entry);
        let differs = old.is_none_or(|old| *old.machine != *machine);
        let mut told = false;
        for happening in happenings.iter().filter(|h| h.is_worth_telling()) {
            told = true;
            let change = Change::Machine {
                machine: Arc::clone(&machine),
                cause: happening.cause(),
            };
            self.tell(&mut picture, change);
        }
        if differs && !told {
            let change = Change::Machine {
                machine: Arc::clone(&machine),
                cause: happenings.last().map_or(Cause::Verb, |h| h.cause()),
            };
            self.tell(&mut picture, change);
        }
        machine
    }

    /// Notes from where on the console of a machine is of its present run.
    pub(super) fn note_console(&self, key: MachineKey, from: Option<u64>) {
        if let Some(entry) = self.picture().entries.get_mut(&key) {
            entry.console_from = from;
        }
    }

    // ---- events

    /// Takes note of an event; a job looks at it. Called on the thread of the event loop.
    pub(super) fn happened(self: &Arc<Self>, key: MachineKey, mut happening: Happening) {
        let mut picture = self.picture();
        if happening == Happening::Reset {
            *picture.resets.entry(key).or_default() += 1;
            self.stirred.notify_all();
        }
        if let Some(own) = picture.own.get_mut(&key)
            && let Some(place) = own.iter().position(|h| *h == happening)
        {
            own.remove(place);
            happening = Happening::Look;
        }
        let pending = picture.pending.entry(key).or_default();
        let is_first = pending.is_empty();
        if happening != Happening::Look || is_first {
            pending.push(happening);
        }
        let is_connected = picture.conn.is_some();
        drop(picture);
        if is_first && is_connected {
            self.look_later(key);
        }
    }

    fn look_later(self: &Arc<Self>, key: MachineKey) {
        let host = Arc::clone(self);
        self.pool.submit(Some(key), move || {
            let Ok(conn) = host.connection() else { return };
            if let Err(error) = host.handle(&conn, key)
                && !matches!(error.kind(), crate::ErrorKind::NotFound { .. })
            {
                tracing::debug!(machine = %key, ?error, "event not followed");
            }
        });
    }

    /// Looks at a machine after what happened to it, and keeps its boot override to one boot.
    pub(super) fn handle(
        self: &Arc<Self>,
        conn: &Connect,
        key: MachineKey,
    ) -> Result<Arc<Machine>> {
        let happenings = self.picture().pending.remove(&key).unwrap_or_default();
        let is_of_state_only = !happenings.is_empty()
            && happenings.iter().all(|h| {
                use Happening::{Paused, Reset, Resumed, Stopped, Watchdog};
                matches!(h, Paused | Resumed | Reset | Watchdog | Stopped(_))
            });
        let known = self.entry(key).filter(|_| is_of_state_only);
        let is_known = known.is_some();
        let entry = match known {
            Some(entry) => entry,
            None => self.read_anew(conn, key)?,
        };
        if needs_settling(&entry) {
            match self.settle(conn, key, &entry, &happenings) {
                Ok(false) => {}
                Ok(true) => return self.look(conn, key, &happenings),
                Err(error) => {
                    tracing::warn!(machine = %key, ?error, "boot override not taken back");
                }
            }
        }
        if is_known {
            self.look_at_state(conn, key, &happenings)
        } else {
            Ok(self.put(key, entry, &happenings))
        }
    }

    // ---- inside verbs

    /// Events that a verb is about to cause and that nobody needs to hear.
    pub(super) fn expect(&self, key: MachineKey, happenings: Vec<Happening>) {
        let mut picture = self.picture();
        if happenings.is_empty() {
            picture.own.remove(&key);
        } else {
            picture.own.insert(key, happenings);
        }
    }

    /// Whether nobody watches the machine's firmware yet; then the caller does.
    pub(super) fn begin_watch(&self, key: MachineKey) -> bool {
        self.picture().watched.insert(key)
    }

    /// `is_unfinished`: it is to be watched again when the machine goes on.
    pub(super) fn end_watch(&self, key: MachineKey, is_unfinished: bool) {
        let mut picture = self.picture();
        picture.watched.remove(&key);
        if is_unfinished {
            picture.unfinished.insert(key);
        }
    }

    pub(super) fn take_unfinished(&self, key: MachineKey) -> bool {
        self.picture().unfinished.remove(&key)
    }

    /// How often a machine was reset so far.
    pub(super) fn resets(&self, key: MachineKey) -> u64 {
        self.picture().resets.get(&key).copied().unwrap_or(0)
    }

    /// Waits until a machine was reset again; returns whether it was.
    pub(super) fn wait_for_reset(&self, key: MachineKey, before: u64, limit: Duration) -> bool {
        self.wait_until(limit, |picture| {
            picture.resets.get(&key).copied().unwrap_or(0) > before
        })
    }

    /// Runs blocking work for a verb, on one machine or on none, in its turn.
    pub(super) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        key: Option<MachineKey>,
        limit: Duration,
        work: impl FnOnce(&Arc<Self>, &Connect) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let conn = self.connection()?;
        let lost = self.picture().lost.clone();
        let (answer, answered) = oneshot::channel();
        let host = Arc::clone(self);
        self.pool.submit(key, move || {
            // Who asked may have given up while this waited for its turn; then it must not happen any more.
            if answer.is_closed() {
                return;
            }
            let done = work(&host, &conn);
            if let Err(error) = &done
                && matches!(error.kind(), crate::ErrorKind::Unavailable { .. })
            {
                host.suspect("a call failed");
            }
            let _ = answer.send(done);
        });
        let answered = async {
            tokio::select! {
                biased;
                answered = answered => answered.map_err(|_| ()),
                () = lost.cancelled() => Err(()),
            }
        };
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(done)) => done,
            Ok(Err(())) => Err(Error::unavailable("The host's connection was closed.")),
            Err(_) => {
                self.suspect("a call took too long");
                Err(Error::unavailable("The host did not answer in time.")
                    .with("limit_seconds", limit.as_secs()))
            }
        }
    }
}

struct Parts {
    domain: Domain,
    state: DomainState,
    config: Arc<Facts>,
    live: Option<Arc<Facts>>,
    autostart: bool,
    last_reset: Option<Timestamp>,
    console_from: Option<u64>,
}

/// Whether the boot order of what runs has to be looked after.
fn needs_settling(entry: &Entry) -> bool {
    entry
        .live
        .as_ref()
        .is_some_and(|live| live.marker.over.is_some() || entry.config.marker.over.is_some())
}

pub(super) fn is_active(state: DomainState) -> bool {
    state.0 != sys::VIR_DOMAIN_SHUTOFF
}

/// What a state of libvirt means, and whether the machine failed.
///
/// A guest that has put itself to sleep in memory (ACPI S3) is `Paused`: its processors stand still and [`crate::backend::Step::Resume`] wakes it.
pub(super) fn power((state, reason): DomainState) -> (Power, bool) {
    let reason = reason.cast_unsigned();
    match state {
        sys::VIR_DOMAIN_SHUTOFF => {
            let crashed = matches!(
                reason,
                sys::VIR_DOMAIN_SHUTOFF_CRASHED | sys::VIR_DOMAIN_SHUTOFF_FAILED
            );
            (Power::Off, crashed)
        }
        sys::VIR_DOMAIN_SHUTDOWN => (Power::PoweringOff, false),
        sys::VIR_DOMAIN_CRASHED => (Power::Paused, true),
        sys::VIR_DOMAIN_PMSUSPENDED => (Power::Paused, false),
        sys::VIR_DOMAIN_PAUSED => match reason {
            sys::VIR_DOMAIN_PAUSED_STARTING_UP => (Power::PoweringOn, false),
            sys::VIR_DOMAIN_PAUSED_SHUTTING_DOWN => (Power::PoweringOff, false),
            sys::VIR_DOMAIN_PAUSED_CRASHED => (Power::Paused, true),
            _ => (Power::Paused, false),
        },
        _ => (Power::On, false),
    }
}

fn autostarts(conn: &Connect) -> Result<BTreeSet<MachineKey>, Virt> {
    conn.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_AUTOSTART)?
        .iter()
        .map(|domain| Ok(MachineKey(domain.get_uuid()?)))
        .collect()
}

fn says_efi(doc: &Doc) -> bool {
    let Some(os) = doc.path(&["os"]) else {
        return false;
    };
    doc.children(os, "enum")
        .filter(|&e| doc.attr(e, "name") == Some("firmware"))
        .flat_map(|e| doc.children(e, "value"))
        .any(|value| doc.string(value).as_deref() == Some("efi"))
}

/// Asks a host who it is.
pub(super) fn host_facts(conn: &Connect) -> Result<(Driver, HostFacts), Virt> {
    let kind = conn.get_type()?;
    let version = |number: u32| {
        format!(
            "{}.{}.{}",
            number / 1_000_000,
            number / 1000 % 1000,
            number % 1000
        )
    };
    let node = conn.get_node_info()?;
    let hypervisor = conn.get_hyp_version().unwrap_or(0);
    let facts = HostFacts {
        name: conn.get_hostname()?,
        hypervisor: format!("{kind} {}", version(hypervisor)),
        version: version(conn.get_lib_version()?),
        cpus: node.cpus,
        memory_kib: node.memory,
        arch: node.model,
    };
    Ok((Driver::of_type(&kind), facts))
}
