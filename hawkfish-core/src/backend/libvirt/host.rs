//! One host: the picture of its machines, and how calls to it are made.
//!
//! The picture is changed in jobs that run one after another for each machine (see [`super::pool`]), verbs and events alike, so that an older look never
//! overwrites a newer one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::event::Happening;
use super::facts::Facts;
use super::firmware::Make;
use super::knobs::Offers;
use super::line::{Line, Lines};
use super::pool::Pool;
use super::raw::State as DomainState;
use super::session::Session;
use super::stats::Samples;
use super::storage::Blocks;
use super::{Driver, LibvirtSettings};
use crate::backend::{Change, HostFacts, Keys, Machine, MachineKey, NicAddress};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};

/// A host and all that is known of it.
pub(super) struct Host {
    pub settings: LibvirtSettings,
    pub clock: Arc<dyn Clock>,
    pub pool: Pool,
    pub lines: Lines,
    pub samples: Samples,
    picture: Mutex<Picture>,
    /// Wakes threads that wait for something in the picture.
    pub stirred: Condvar,
    /// Wakes who waits for changes.
    pub changed: Notify,
}

/// What is known of a domain.
#[derive(Clone)]
pub(super) struct Entry {
    pub state: DomainState,
    pub config: Arc<Facts>,
    pub live: Option<Arc<Facts>>,
    pub autostart: bool,
    pub last_reset: Option<Timestamp>,
    /// How much of its console is from before its start.
    pub console_from: Option<u64>,
    pub machine: Arc<Machine>,
}

/// All that changes. Whoever changes what others wait for wakes [`Host::stirred`].
pub(super) struct Picture {
    pub closed: bool,
    /// The keeper has ended.
    pub ended: bool,
    pub session: Session,
    pub connected: bool,
    pub driver: Driver,
    pub facts: HostFacts,
    /// Cancelled when the host is lost, so that nobody waits for what will not be answered.
    pub lost: CancellationToken,
    /// Why the connection may have to be given up, once somebody noticed.
    pub broken: Option<String>,
    pub told_lost: bool,
    pub entries: BTreeMap<MachineKey, Entry>,
    /// What happened and was not looked at yet.
    pub pending: HashMap<MachineKey, Vec<Happening>>,
    /// Events that a verb has told of already, or that nobody needs to hear: the stops and goes inside it.
    pub own: HashMap<MachineKey, Vec<Happening>>,
    resets: HashMap<MachineKey, u64>,
    /// Machines whose firmware is watched after a reset.
    pub watched: HashSet<MachineKey>,
    /// Machines that were paused while that was so.
    unfinished: HashSet<MachineKey>,
    /// Addresses that networks of the host have given to interfaces of what runs, as last asked for.
    pub leases: HashMap<MachineKey, Vec<(String, NicAddress)>>,
    /// Sizes of disks, as last asked for.
    pub blocks: HashMap<MachineKey, Blocks>,
    /// Somebody is asking for them.
    pub sizing: bool,
    /// Devices that could not be read or written since their machine started, by alias.
    pub failed: HashMap<MachineKey, BTreeSet<String>>,
    /// The pool in which disks can be made.
    pub pool: Option<String>,
    pub changes: VecDeque<Change>,
    pub offers: BTreeMap<Make, Offers>,
    /// Keys of secure boot, with the file that they are from and when that was written.
    pub keys: HashMap<MachineKey, (String, std::time::SystemTime, Option<Arc<Keys>>)>,
    /// The machine up to which definitions were last read again.
    pub looked_up_to: Option<MachineKey>,
}

impl Host {
    pub(super) fn new(settings: LibvirtSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let driver = Driver::of_uri(&settings.uri);
        Arc::new(Self {
            pool: Pool::new(
                settings.name.clone(),
                settings.workers,
                settings.workers.saturating_mul(4),
            ),
            lines: Lines::new(settings.uri.clone(), settings.workers),
            settings,
            clock,
            samples: Samples::default(),
            picture: Mutex::new(Picture {
                closed: false,
                ended: false,
                session: Session::default(),
                connected: false,
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
                leases: HashMap::new(),
                blocks: HashMap::new(),
                sizing: false,
                failed: HashMap::new(),
                pool: None,
                changes: VecDeque::new(),
                offers: BTreeMap::new(),
                keys: HashMap::new(),
                looked_up_to: None,
            }),
            stirred: Condvar::new(),
            changed: Notify::new(),
        })
    }

    pub(super) fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, in a thread that may block, until something is so or the time is up; returns whether it is.
    pub(super) fn wait_until(
        &self,
        limit: Duration,
        mut is_so: impl FnMut(&mut Picture) -> bool,
    ) -> bool {
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

    /// `Unavailable` while the host is lost.
    pub(super) fn want_connected(&self) -> Result<()> {
        if self.picture().connected {
            Ok(())
        } else {
            Err(self.unavailable())
        }
    }

    fn unavailable(&self) -> Error {
        Error::unavailable("The host does not answer.").with("host", &self.settings.name)
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

    pub(super) fn tell(&self, picture: &mut Picture, change: Change) {
        picture.changes.push_back(change);
        self.changed.notify_waiters();
    }

    /// Somebody found that the host does not answer; the keeper sees to it.
    pub(super) fn suspect(&self, reason: &str) {
        let mut picture = self.picture();
        if picture.connected {
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

    // ---- events

    /// Takes note of an event; a job looks at it. Called on the thread of the event loop.
    pub(super) fn happened(self: &Arc<Self>, key: MachineKey, mut happening: Happening) {
        let mut picture = self.picture();
        if matches!(happening, Happening::Started | Happening::Reset) {
            // Whatever failed before has another chance. Here, where events come in their order: what fails at once comes after this.
            picture.failed.remove(&key);
        }
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
        let is_connected = picture.connected;
        drop(picture);
        if is_first && is_connected {
            self.look_later(key);
        }
    }

    pub(super) fn look_later(self: &Arc<Self>, key: MachineKey) {
        let host = Arc::clone(self);
        self.submit(Some(key), move |line| {
            let handled = host.handle(line, key);
            if let Err(error) = &handled
                && !matches!(error.kind(), ErrorKind::NotFound { .. })
            {
                tracing::debug!(machine = %key, ?error, "event not followed");
            }
            handled.map(drop)
        });
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

    /// Runs blocking work that nobody waits for, on a connection of its own, if the host is there.
    pub(super) fn submit(
        self: &Arc<Self>,
        key: Option<MachineKey>,
        work: impl FnOnce(&Line) -> Result<()> + Send + 'static,
    ) {
        let host = Arc::clone(self);
        self.pool.submit(key, move || {
            let _ = host.with_line(work, |done| done);
        });
    }

    /// Lends a connection to some work, hands its result over, and only then sees to the connection, which may take a while.
    fn with_line<T, U>(
        &self,
        work: impl FnOnce(&Line) -> Result<T>,
        hand_over: impl FnOnce(Result<T>) -> U,
    ) -> U {
        let line = match self.want_connected().and_then(|()| {
            self.lines
                .take()
                .map_err(|why| self.unavailable().with("reason", why))
        }) {
            Ok(line) => line,
            Err(error) => {
                self.suspect("no further connection");
                return hand_over(Err(error));
            }
        };
        let done = work(&line);
        let is_broken =
            matches!(&done, Err(error) if matches!(error.kind(), ErrorKind::Unavailable { .. }));
        let handed = hand_over(done);
        if is_broken {
            self.suspect("a call failed");
            drop(line);
        } else {
            self.lines.give_back(line);
        }
        handed
    }

    /// Runs blocking work for a verb, on one machine or on none, in its turn.
    pub(super) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        key: Option<MachineKey>,
        limit: Duration,
        work: impl FnOnce(&Arc<Self>, &Line) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.want_connected()?;
        let lost = self.picture().lost.clone();
        let (answer, answered) = oneshot::channel();
        let host = Arc::clone(self);
        self.pool.submit(key, move || {
            // Who asked may have given up while this waited for its turn; then it must not happen any more.
            if answer.is_closed() {
                return;
            }
            let _ = host.with_line(|line| work(&host, line), |done| answer.send(done));
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
