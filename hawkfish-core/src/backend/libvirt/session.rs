//! Keeping a connection to a host, for its events.
//!
//! ```text
//!   keeper ──begins──▶ session: connects, registers for events, lists all machines, says so; then looks in now and then
//!     ▲                   │
//!     └── ended, or takes too long over one question: the host is lost; wait, longer each time, and begin anew
//! ```
//!
//! A call of libvirt cannot be called off. So a session is a thread of its own that can be left behind: when its call returns at last, it sees
//! that another has taken its place, and ends. Both wait in real time, outside tokio: what they wait for is a process on a real host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use virt::connect::Connect;
use virt::error::Error as Virt;

use super::event::Happening;
use super::host::{Entry, Host, Picture};
use super::line::Line;
use super::look::needs_settling;
use super::raw::{Closed, Sink, Subscriptions};
use super::{Driver, volume};
use crate::backend::{Cause, Change, HostFacts, MachineKey};

/// How the session of a host stands.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Which one it is; an older one has nothing to say any more.
    number: u64,
    /// It waits for an answer of the host, which may take so long.
    asking: Option<Duration>,
    /// Counts its questions.
    questions: u64,
    /// Why it ended.
    ended: Option<String>,
}

const FOREVER: Duration = Duration::from_secs(3600);

impl Host {
    /// Keeps sessions going until the host is closed. Runs in a thread of its own.
    pub(super) fn keep(self: &Arc<Self>) {
        let mut pause = self.settings.retry_first;
        loop {
            let number = {
                let mut picture = self.picture();
                if picture.closed {
                    break;
                }
                let number = picture.session.number + 1;
                picture.session = Session {
                    number,
                    asking: Some(self.settings.read_within),
                    ..Session::default()
                };
                number
            };
            let host = Arc::clone(self);
            self.aside("session", move || host.session(number));
            let reason = self.watch(number);
            if self.lose(&reason) {
                pause = self.settings.retry_first;
            }
            self.wait_until(pause, |picture| picture.closed);
            pause = (pause * 2).min(self.settings.retry_most);
        }
        self.picture().ended = true;
        self.changed.notify_waiters();
    }

    /// Waits until a session ends or takes too long over a question; returns why it is over.
    fn watch(&self, number: u64) -> String {
        loop {
            let (asking, questions) = {
                let picture = self.picture();
                (picture.session.asking, picture.session.questions)
            };
            let limit = asking.unwrap_or(FOREVER);
            let has_moved = self.wait_until(limit, |picture| {
                let session = &picture.session;
                picture.closed || session.ended.is_some() || session.questions != questions
            });
            let mut picture = self.picture();
            if picture.closed {
                return "closed".to_owned();
            }
            if let Some(reason) = picture.session.ended.take() {
                return reason;
            }
            if !has_moved && asking.is_some() {
                // What it does from now on no longer counts.
                picture.session.number = number + 1;
                return format!("no answer within {} s", limit.as_secs());
            }
        }
    }

    /// The host is lost, or could not be reached. Returns whether it was connected.
    fn lose(self: &Arc<Self>, reason: &str) -> bool {
        let mut picture = self.picture();
        let was_connected = std::mem::replace(&mut picture.connected, false);
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
        self.samples.forget();
        self.pool.abandon();
        // To close a connection is to say goodbye, which a host that hangs does not hear.
        let idle = self.lines.lose();
        self.aside("close", move || drop(idle));
        was_connected
    }

    /// One session, from connecting to the end of the connection.
    fn session(self: &Arc<Self>, number: u64) {
        let (reason, leftover) = match self.begin(number) {
            Ok((line, subscriptions)) => {
                let reason = self.tend(number, &line);
                (reason, Some((subscriptions, line)))
            }
            Err(reason) => (reason, None),
        };
        let mut picture = self.picture();
        if picture.session.number == number {
            picture.session.ended = Some(reason);
            self.stirred.notify_all();
        }
        drop(picture);
        // Only now, and in this thread, which may have to wait with it.
        drop(leftover);
    }

    /// The session asks the host something. Returns whether it still has the say.
    pub(super) fn asks(&self, number: u64) -> bool {
        self.mark(number, Some(self.settings.read_within))
    }

    fn mark(&self, number: u64, asking: Option<Duration>) -> bool {
        let mut picture = self.picture();
        if picture.session.number != number || picture.closed {
            return false;
        }
        picture.session.asking = asking;
        picture.session.questions += 1;
        self.stirred.notify_all();
        true
    }

    fn begin(self: &Arc<Self>, number: u64) -> Result<(Line, Subscriptions), String> {
        let given_up = || "given up".to_owned();
        let line = self.lines.open()?;
        let here = Arc::downgrade(self);
        let sink: Arc<Sink> = {
            let here = here.clone();
            Arc::new(move |uuid, happening, device| {
                if let Some(host) = here.upgrade() {
                    if let (Happening::IoError, Some(device)) = (happening, device) {
                        host.device_failed(MachineKey(uuid), device);
                    }
                    host.happened(MachineKey(uuid), happening);
                }
            })
        };
        let closed: Arc<Closed> = Arc::new(move |reason| {
            if let Some(host) = here.upgrade() {
                host.suspect(reason);
            }
        });
        if !self.asks(number) {
            return Err(given_up());
        }
        // Before the listing, so that nothing falls between.
        let subscriptions = Subscriptions::register(&line.conn, &sink, &closed);
        let (driver, facts) = host_facts(&line.conn).map_err(|e| e.message().to_owned())?;
        self.picture().driver = driver;
        let pool = volume::pool(&line.conn, self.settings.storage_pool.as_deref());
        let entries = self
            .list(&line, || self.asks(number))
            .map_err(|error| error.to_string())?;
        let mut picture = self.picture();
        if picture.session.number != number || picture.closed {
            return Err(given_up());
        }
        self.lines.share(&line.conn, driver);
        picture.pool = pool.ok().flatten();
        tracing::info!(
            host = self.settings.name,
            machines = entries.len(),
            hypervisor = facts.hypervisor,
            "host connected"
        );
        let unsettled = self.present(&mut picture, facts, entries);
        let early: Vec<MachineKey> = picture.pending.keys().copied().collect();
        drop(picture);
        self.size_later();
        for key in early {
            self.look_later(key);
        }
        for key in unsettled {
            self.happened(key, Happening::Met);
        }
        Ok((line, subscriptions))
    }

    /// Tells of a host that was just connected and all its machines. Returns those whose boot order has to be looked after.
    fn present(
        &self,
        picture: &mut Picture,
        facts: HostFacts,
        entries: BTreeMap<MachineKey, Entry>,
    ) -> Vec<MachineKey> {
        let before = std::mem::replace(&mut picture.entries, entries);
        picture.facts = facts;
        picture.connected = true;
        picture.lost = CancellationToken::new();
        picture.told_lost = false;
        picture.broken = None;
        self.tell(picture, Change::Connected);
        for key in before.into_keys() {
            if !picture.entries.contains_key(&key) {
                self.tell(picture, Change::Removed(key));
            }
        }
        let machines: Vec<_> = picture
            .entries
            .values()
            .map(|entry| Arc::clone(&entry.machine))
            .collect();
        for machine in machines {
            let cause = Cause::Seen;
            self.tell(picture, Change::Machine { machine, cause });
        }
        let unsettled = picture.entries.iter().filter(|(_, e)| needs_settling(e));
        unsettled.map(|(key, _)| *key).collect()
    }

    /// Asks now and then whether the host is there, and every so often what is new, until the connection ends; returns why.
    fn tend(self: &Arc<Self>, number: u64, line: &Line) -> String {
        let settings = &self.settings;
        let mut since_look = Duration::ZERO;
        // The first sample is taken with the first question, the second soon after: a load is the difference of two.
        let mut since_sample = settings.sample_every;
        loop {
            if !self.mark(number, None) {
                return "given up".to_owned();
            }
            let is_stirred = self.wait_until(settings.ask_every, |picture| {
                picture.closed || picture.broken.is_some() || picture.session.number != number
            });
            let broken = self.picture().broken.take();
            if !self.mark(number, Some(settings.answer_within)) {
                return "given up".to_owned();
            }
            // A question that any libvirtd answers by the way, however busy it is with machines.
            if let Err(error) = line.conn.get_lib_version() {
                return broken.unwrap_or_else(|| error.message().to_owned());
            }
            since_sample += settings.ask_every;
            if since_sample >= settings.sample_every {
                since_sample = Duration::ZERO;
                if !self.asks(number) {
                    return "given up".to_owned();
                }
                if let Err(error) = self.sample(line) {
                    return error.message().to_owned();
                }
            }
            since_look += settings.ask_every;
            if since_look < settings.look_every && !is_stirred {
                continue;
            }
            since_look = Duration::ZERO;
            if !self.asks(number) {
                return "given up".to_owned();
            }
            match self.stale(line, true) {
                Ok(stale) => {
                    for key in stale {
                        self.happened(key, Happening::Look);
                    }
                    self.size_later();
                }
                Err(error) => return error.message().to_owned(),
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
