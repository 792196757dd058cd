//! A life of the process, which ends at a step that was chosen; and what goes on without it: machines, and receivers of events.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use async_trait::async_trait;
use hawkfish_core::backend::sim::SimBackend;
use hawkfish_core::backend::{
    Backend, Capabilities, Change, HostFacts, Insert, Machine, MachineKey, NewDisk, Setup, Step,
};
use hawkfish_core::db::fuse::{Fuse, Moment};
use hawkfish_core::error::Result;
use hawkfish_core::id::{DiskToken, SlotId};
use hawkfish_core::subscriptions::{Courier, Parcel, Refusal};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

/// A runtime for one life: with it ends all that is under way.
pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Copies a database as it lies there: the log first, so that whatever is folded into the database meanwhile is in the copy twice rather than not at all.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("media")).unwrap();
    for file in ["hawkfish.db-wal", "hawkfish.db"] {
        let bytes = match std::fs::read(from.join(file)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{error}"),
        };
        std::fs::write(to.join(file), bytes).unwrap();
    }
}

/// Does to a database what nobody should.
pub(super) async fn damage(dir: &Path, how: &[&'static str]) {
    use sqlx::{ConnectOptions as _, Connection as _};
    if how.is_empty() {
        return;
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(dir.join("hawkfish.db"));
    let mut database = options.connect().await.unwrap();
    for how in how {
        sqlx::query(how).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

/// How a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes what it gets.
    Takes,
    /// It takes it after a while.
    Dawdles,
    /// It does not take it.
    Refuses,
    /// It takes it, but its answer is lost.
    Mumbles,
}

/// Something that a receiver has.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    /// In which life.
    pub(super) life: usize,
    pub(super) delivery: String,
    /// Number and text of each event.
    pub(super) events: Vec<(u64, Value)>,
    /// The sender has not heard that it arrived.
    pub(super) unheard: bool,
}

/// What goes on without the process.
#[derive(Debug, Default)]
pub(super) struct Town {
    state: Mutex<Outside>,
    /// Whether the writer is about to write to the files, or may be; whoever copies them waits for it.
    written: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Outside {
    life: usize,
    alive: bool,
    committing: bool,
    pub(super) moods: BTreeMap<String, Mood>,
    pub(super) arrivals: BTreeMap<String, Vec<Arrival>>,
    /// Dead letters that somebody had sent once more, or dropped: these may come late, again, or not at all.
    pub(super) excused: BTreeMap<String, BTreeSet<u64>>,
}

impl Town {
    pub(super) fn look(&self) -> MutexGuard<'_, Outside> {
        self.state.lock().unwrap()
    }

    pub(super) fn begin(&self, life: usize) {
        let mut outside = self.look();
        outside.life = life;
        outside.alive = true;
        outside.committing = false;
    }
}

/// A process.
pub(super) struct Life {
    pub(super) town: Arc<Town>,
    number: usize,
    pub(super) dir: PathBuf,
    wreck: PathBuf,
    steps: u64,
    taken: AtomicU64,
    end: Notify,
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Life")
    }
}

impl Life {
    pub(super) fn new(town: Arc<Town>, dir: PathBuf, wreck: PathBuf, steps: u64) -> Arc<Self> {
        let number = town.look().life;
        Arc::new(Self {
            town,
            number,
            dir,
            wreck,
            steps,
            taken: AtomicU64::new(0),
            end: Notify::new(),
        })
    }

    /// Returns when it has ended.
    pub(super) async fn ended(&self) {
        self.end.notified().await;
    }

    pub(super) fn is_over(&self) -> bool {
        let outside = self.town.look();
        !self.is_alive(&outside)
    }

    pub(super) fn steps_taken(&self) -> u64 {
        self.taken.load(Ordering::Acquire)
    }

    fn is_alive(&self, outside: &Outside) -> bool {
        outside.alive && outside.life == self.number
    }

    /// Ends it here, unless it has ended. What SQLite does to its files is not for us to cut in two: a copy takes longer than a moment.
    pub(super) fn end(&self) {
        let outside = self.town.look();
        let mut outside = self
            .town
            .written
            .wait_while(outside, |outside| outside.committing)
            .unwrap();
        if self.is_alive(&outside) {
            // Nothing arrives meanwhile, and no machine does anything.
            copy(&self.dir, &self.wreck);
            outside.alive = false;
            self.end.notify_one();
        }
    }

    /// Goes on by a step. False when it is over.
    fn step(&self) -> bool {
        if self.is_over() {
            return false;
        }
        if self.taken.fetch_add(1, Ordering::AcqRel) + 1 >= self.steps {
            self.end();
        }
        !self.is_over()
    }

    /// As [`Life::step`]; never returns when it is over.
    async fn go_on(&self) {
        if !self.step() {
            std::future::pending::<()>().await;
        }
    }
}

impl Fuse for Life {
    fn burns(&self, at: Moment) -> bool {
        let commits = |committing| {
            let mut outside = self.town.look();
            if self.is_alive(&outside) {
                outside.committing = committing;
                self.town.written.notify_all();
            }
        };
        if at == Moment::Committed {
            commits(false);
        }
        let burns = !self.step();
        if at == Moment::Committing && !burns {
            commits(true);
            // Somebody else may have ended it in between.
            return self.is_over();
        }
        burns
    }
}

/// The machines, as far as a process that may die can reach them.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) rack: Arc<SimBackend>,
    pub(super) life: Arc<Life>,
}

/// A verb, with a chance to die before it and after it.
macro_rules! mortal {
    ($self:ident, $call:expr) => {{
        $self.life.go_on().await;
        let answer = $call.await;
        $self.life.go_on().await;
        answer
    }};
}

#[async_trait]
impl Backend for Reach {
    fn capabilities(&self) -> Capabilities {
        self.rack.capabilities()
    }
    async fn host(&self) -> Result<HostFacts> {
        self.rack.host().await
    }
    async fn machines(&self) -> Result<Vec<Machine>> {
        self.rack.machines().await
    }
    async fn machine(&self, key: MachineKey) -> Result<Machine> {
        self.rack.machine(key).await
    }
    async fn step(&self, key: MachineKey, step: Step) -> Result<Machine> {
        mortal!(self, self.rack.step(key, step))
    }
    async fn setup(&self, key: MachineKey, setup: &Setup) -> Result<Machine> {
        mortal!(self, self.rack.setup(key, setup))
    }
    async fn insert(&self, key: MachineKey, slot: &SlotId, medium: &Insert) -> Result<Machine> {
        mortal!(self, self.rack.insert(key, slot, medium))
    }
    async fn eject(&self, key: MachineKey, slot: &SlotId) -> Result<Machine> {
        mortal!(self, self.rack.eject(key, slot))
    }
    async fn make_disk(&self, key: MachineKey, disk: &NewDisk) -> Result<Machine> {
        mortal!(self, self.rack.make_disk(key, disk))
    }
    async fn delete_disk(&self, key: MachineKey, token: &DiskToken) -> Result<Machine> {
        mortal!(self, self.rack.delete_disk(key, token))
    }
    async fn grow_disk(&self, key: MachineKey, token: &DiskToken, bytes: u64) -> Result<Machine> {
        mortal!(self, self.rack.grow_disk(key, token, bytes))
    }
    async fn lay_firmware(&self, key: MachineKey, version: &str) -> Result<Machine> {
        mortal!(self, self.rack.lay_firmware(key, version))
    }
    async fn console_log(&self, key: MachineKey) -> Result<Vec<u8>> {
        self.rack.console_log(key).await
    }
    fn drain_changes(&self) -> Vec<Change> {
        match self.life.is_over() {
            true => Vec::new(),
            false => self.rack.drain_changes(),
        }
    }
    async fn changed(&self) {
        self.rack.changed().await;
    }
    fn next_due(&self) -> Option<Timestamp> {
        self.rack.next_due()
    }
    fn advance(&self) {
        self.rack.advance();
    }
    fn restore(&self, _: &[Machine]) {
        // They went on without it.
    }
    fn drifts(&self) -> bool {
        self.rack.drifts()
    }
    fn is_simulated(&self) -> bool {
        self.rack.is_simulated()
    }
}

/// What carries events to the receivers of the town.
#[derive(Debug)]
pub(super) struct Post(pub(super) Arc<Life>);

#[async_trait]
impl Courier for Post {
    async fn carry(&self, parcel: Parcel) -> Result<(), Refusal> {
        let life = &self.0;
        life.go_on().await;
        let host = parcel.url.host_str().unwrap().to_owned();
        let mood = life.town.look().moods.get(&host).copied();
        let mood = mood.unwrap_or(Mood::Takes);
        if mood == Mood::Dawdles {
            for _ in 0..30 {
                tokio::task::yield_now().await;
            }
        }
        let refusal = |status| {
            Err(Refusal {
                status,
                reason: "Not now.".to_owned(),
                retry_after: None,
            })
        };
        if mood == Mood::Refuses {
            return refusal(Some(503));
        }
        if !self.arrived(host, &parcel, mood == Mood::Mumbles) {
            std::future::pending::<()>().await;
        }
        life.go_on().await;
        match mood {
            Mood::Mumbles => refusal(None),
            _ => Ok(()),
        }
    }
}

impl Post {
    /// False when the sender has died meanwhile.
    fn arrived(&self, host: String, parcel: &Parcel, unheard: bool) -> bool {
        let body: Value = serde_json::from_slice(&parcel.body).unwrap();
        let named = |(name, _): &&(String, String)| name == "X-HawkFish-Delivery";
        let delivery = parcel.headers.iter().find(named).unwrap().1.clone();
        let number = |event: &Value| -> u64 { event["EventId"].as_str().unwrap().parse().unwrap() };
        let events = body["Events"].as_array().unwrap();
        let events = events.iter().map(|event| (number(event), event.clone()));
        let mut outside = self.0.town.look();
        if !self.0.is_alive(&outside) {
            return false;
        }
        let arrival = Arrival {
            life: outside.life,
            delivery,
            events: events.collect(),
            unheard,
        };
        outside.arrivals.entry(host).or_default().push(arrival);
        true
    }
}
