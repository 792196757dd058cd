//! A world: the production service on simulated machines, with a clock and chance of its own.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use hawkfish_client::{Client, Retry};
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::Backend;
use hawkfish_core::backend::sim::SimBackend;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::inventory::machine_key;
use hawkfish_server::App;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::capture;
use crate::clock::WorldClock;
use crate::description::BadDescription;
use crate::face::{Face, Plan};
use crate::fault::{Absent, Authority, BadRule, Broken, Certificate, Engine, Place, Rule, Tls};
use crate::front::Front;
use crate::gate::{Bmc, Collected};
use crate::replay::{NotReplayable, Replicas};
use crate::report::{Collector, Report};
use crate::trace::{Control, Log, Recorder, Trace};

mod builder;

pub use builder::Builder;

/// The administrator of every world.
pub const USER: &str = "admin";
/// The administrator's password, unless another is chosen.
pub const PASSWORD: &str = "hawkfish";

/// Requests that a client in this process has under way at once: there is no BMC to spare.
const IN_PROCESS: usize = 4096;

/// A world could not be made, or does not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Core could not do something.
    #[error(transparent)]
    Core(#[from] hawkfish_core::Error),
    /// The client could not be made.
    #[error(transparent)]
    Client(#[from] hawkfish_client::Error),
    /// A fault cannot be.
    #[error(transparent)]
    Fault(#[from] BadRule),
    /// There is no such system.
    #[error("there is no system {0:?}")]
    NoSystem(String),
    /// A description makes no world.
    #[error(transparent)]
    Description(#[from] BadDescription),
    /// The file of a trace cannot be written.
    #[error("the trace cannot be written: {0}")]
    Trace(std::io::Error),
    /// A capture cannot be read.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// A capture cannot be replayed.
    #[error(transparent)]
    Replay(#[from] NotReplayable),
    /// What was waited for has not come.
    #[error("what was waited for is not so at {at}, after {within:#}")]
    NotReached {
        /// For how long it was waited.
        within: SignedDuration,
        /// When it was given up.
        at: Timestamp,
    },
    /// Something is due again and again at the same moment.
    #[error("time cannot go on: what is due at {0} stays due")]
    Stuck(Timestamp),
}

/// A service on simulated machines, in process. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct World(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    app: App,
    /// Who shows captured trees.
    replicas: Arc<Replicas>,
    plan: Plan,
    beginning: Timestamp,
    clock: Arc<WorldClock>,
    racks: BTreeMap<String, Arc<SimBackend>>,
    password: String,
    faults: Arc<Mutex<Engine>>,
    /// BMCs that are away because of a fault.
    absent: Absent,
    /// Told when there is another fault.
    refaulted: Notify,
    in_flight: AtomicU32,
    connections: AtomicU32,
    /// Made when TLS is first spoken.
    authority: Mutex<Option<Authority>>,
    log: Log,
    /// Whether who waits for a fault leaves it to others to let time go on.
    waits: AtomicBool,
    /// Told when somebody begins to wait so.
    waiting: Notify,
    /// Held while time goes on, so that it does once.
    turn: tokio::sync::Mutex<()>,
}

impl World {
    /// Something to make a world with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The service without its faults. What goes this way is not in the trace.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.0.app
    }

    /// The system behind the service.
    #[must_use]
    pub fn hawkfish(&self) -> &HawkFish {
        self.0.app.hawkfish()
    }

    /// The machines of the first rack, which is the only one where none was described.
    #[must_use]
    pub fn machines(&self) -> &Arc<SimBackend> {
        self.racks().values().next().expect("a world has a rack")
    }

    /// The racks, by name.
    #[must_use]
    pub fn racks(&self) -> &BTreeMap<String, Arc<SimBackend>> {
        &self.0.racks
    }

    /// The time in this world.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        use hawkfish_core::clock::Clock as _;
        self.0.clock.now()
    }

    /// The service with its faults, for a transport of one's own.
    #[must_use]
    pub fn bmc(&self) -> Bmc {
        Bmc::new(self.clone(), Arc::new(Face::fleet()))
    }

    /// The BMC of one system, by its name or its id, with its faults, for a transport of one's own: it shows that system alone. `None` where there is none.
    #[must_use]
    pub fn bmc_of(&self, system: &str) -> Option<Bmc> {
        let face = self.face(system)?;
        Some(Bmc::new(self.clone(), Arc::new(face)))
    }

    /// How its faces are reached.
    pub(crate) fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// What answers the requests to a face.
    pub(crate) fn front_for(&self, face: &Face) -> Front {
        if let Some(replica) = self.0.replicas.of(face.system.as_ref()) {
            return Front::Captured(Arc::clone(replica), face.shown().cloned());
        }
        Front::Service(match face.shown() {
            None => self.app().clone(),
            Some(shown) => self.app().within(shown),
        })
    }

    /// A client that talks to the service without a socket, with the administrator's name and password. It sends everything once, so that each fault is seen.
    ///
    /// # Errors
    /// `Client` when it cannot be made.
    pub fn client(&self) -> Result<Client, Error> {
        let client = Client::builder("http://hawkfish.sim")
            .basic(USER, &self.0.password)
            .retry(Retry::none())
            .at_most(IN_PROCESS)
            .service::<Bmc, Body>(self.bmc())
            .build()?;
        Ok(client)
    }

    /// A client that talks to the BMC of one system, by its name or its id, without a socket, with the administrator's name and password.
    ///
    /// # Errors
    /// `NoSystem`; `Client` when it cannot be made.
    pub fn client_for(&self, system: &str) -> Result<Client, Error> {
        let bmc = self.bmc_of(system);
        let bmc = bmc.ok_or_else(|| Error::NoSystem(system.to_owned()))?;
        let client = Client::builder("http://hawkfish.sim")
            .basic(USER, &self.0.password)
            .retry(Retry::none())
            .at_most(IN_PROCESS)
            .service::<Bmc, Body>(bmc)
            .build()?;
        Ok(client)
    }

    /// Lets the service answer a request, with its faults.
    ///
    /// # Errors
    /// A fault closed the connection; where that was in the middle of the body, the answer has what came before.
    pub async fn try_call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Broken> {
        let response = self.bmc().oneshot(request.map(Body::from)).await?;
        let (parts, body) = response.into_parts();
        let bytes = Collected::of(body).await.bytes;
        Ok(Response::from_parts(parts, bytes))
    }

    /// Lets the service answer a request, with its faults.
    ///
    /// # Panics
    /// Where a fault closes the connection: see [`World::try_call`].
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.try_call(request).await {
            Ok(response) => response,
            Err(broken) => panic!("{broken}"),
        }
    }

    /// Puts a fault at the end of the list; one of that name is replaced.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set_fault(&self, rule: Rule) -> Result<(), BadRule> {
        self.faults(|engine| engine.put(rule.clone()))?;
        self.0.refaulted.notify_one();
        self.traced(|trace| trace.put_fault(self.now(), &rule));
        Ok(())
    }

    /// Takes a fault away. False where there was none of that name.
    pub fn clear_fault(&self, name: &str) -> bool {
        let was_there = self.faults(|engine| engine.remove(name));
        if was_there {
            let cleared = Control::ClearFault(name.to_owned());
            self.traced(|trace| trace.control(self.now(), cleared));
        }
        was_there
    }

    /// How often the fault of a name has fired; `None` where there is none.
    #[must_use]
    pub fn fired(&self, name: &str) -> Option<u64> {
        self.faults(|engine| {
            let mut rules = engine.rules();
            rules
                .find(|(rule, _)| rule.name == name)
                .map(|(_, fired)| fired)
        })
    }

    pub(crate) fn faults<T>(&self, look: impl FnOnce(&mut Engine) -> T) -> T {
        look(&mut self.0.faults.lock().expect("faults"))
    }

    pub(crate) fn in_flight(&self) -> &AtomicU32 {
        &self.0.in_flight
    }

    pub(crate) fn connections(&self) -> &AtomicU32 {
        &self.0.connections
    }

    /// TLS with a certificate for `names` and for this machine's own, of an authority that this world alone has. For [`World::serve_with`].
    ///
    /// # Errors
    /// Names that cannot stand in a certificate.
    pub fn tls(&self, names: &[String]) -> io::Result<Tls> {
        let names = &[names, &self.plan().names()].concat();
        let mut authority = self.0.authority.lock().expect("authority");
        let authority = match &mut *authority {
            Some(authority) => {
                authority.names(names);
                authority
            }
            none => none.insert(Authority::new(names)?),
        };
        authority.tls()
    }

    /// A certificate that is wrong.
    pub(crate) fn certificate(
        &self,
        which: Certificate,
    ) -> io::Result<Arc<dyn rustls::server::ResolvesServerCert>> {
        let mut authority = self.0.authority.lock().expect("authority");
        let authority = match &mut *authority {
            Some(authority) => authority,
            none => none.insert(Authority::new(&[])?),
        };
        authority.wrong(which, self.now())
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &WorldClock {
        &self.0.clock
    }

    /// Lets happen what is due as its clock goes on by itself; until [`World::close`].
    pub fn start_running(&self) {
        self.hawkfish().start_running();
        let world = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            use hawkfish_core::clock::Clock as _;
            while let Some(inner) = world.upgrade() {
                let world = World(inner);
                world.do_timed().await;
                let timed = world.faults(|engine| engine.next_timed());
                let at = timed.and_then(|age| world.0.beginning.checked_add(age).ok());
                // Not for long at a time, so that it ends with the world.
                let soon = tokio::time::sleep(std::time::Duration::from_secs(1));
                tokio::select! {
                    () = world.0.clock.sleep_until(at.unwrap_or(Timestamp::MAX)) => {}
                    () = world.0.refaulted.notified() => {}
                    () = soon => {}
                }
            }
        });
        if !self.0.log.takes_events {
            return;
        }
        // Nobody may ask anything for hours: the trace is to tell all the same.
        let (world, mut told) = (Arc::downgrade(&self.0), self.hawkfish().events().watch());
        tokio::spawn(async move {
            while told.changed().await.is_ok() {
                match world.upgrade() {
                    Some(world) => World(world).take_events().await,
                    None => break,
                }
            }
        });
    }

    /// Lets time go by itself from now on, so many times as fast as outside; 0 stops it.
    pub fn set_speed(&self, speed: f64) {
        self.traced(|trace| trace.control(self.now(), Control::Speed(speed)));
        self.0.clock.set_speed(speed);
    }

    /// How old the world is.
    #[must_use]
    pub fn age(&self) -> SignedDuration {
        self.now().duration_since(self.0.beginning)
    }

    /// Lets time go on while somebody waits for an answer: where it goes by itself, this waits as well.
    pub(crate) async fn pass(&self, by: SignedDuration) {
        use hawkfish_core::clock::Clock as _;
        if self.0.clock.speed() > 0.0 || self.0.waits.load(Ordering::Acquire) {
            self.0.waiting.notify_one();
            return self.0.clock.sleep_until(self.now() + by).await;
        }
        if let Err(error) = self.go_on(by, true).await {
            self.traced(|trace| trace.broken(self.now(), None, &error.to_string()));
        }
    }

    /// Lets who waits for a fault leave it to others to let time go on.
    pub(crate) fn wait_for_others(&self) {
        self.0.waits.store(true, Ordering::Release);
    }

    /// Returns when somebody begins to wait for a fault, having left it to others to let time go on.
    pub(crate) async fn somebody_waits(&self) {
        self.0.waiting.notified().await;
    }

    /// Lets time go on by `by`. Everything that is due on the way happens, in its order and at its moment.
    ///
    /// # Errors
    /// `Core` when something that was due failed; `Stuck` when it stays due.
    pub async fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        self.go_on(by, false).await
    }

    async fn go_on(&self, by: SignedDuration, waited: bool) -> Result<(), Error> {
        let _turn = self.0.turn.lock().await;
        let end = self.now() + by;
        self.take_events().await;
        self.traced(|trace| trace.advanced(self.now(), end, waited));
        while let Some(next) = self.next_due().filter(|next| *next <= end) {
            self.0.clock.set(next);
            let now = self.now();
            self.do_timed().await;
            // One tick takes on only so much; what is due at one moment may need several.
            for _ in 0..10_000 {
                self.hawkfish().tick().await?;
                // Time stands still while work gets on, and while a destination of events makes up its mind.
                self.hawkfish().settle_work().await;
                self.settle_store().await;
                self.hawkfish().subscriptions().settle().await;
                if self.hawkfish().next_due().is_none_or(|next| next > now) {
                    break;
                }
            }
            if self.hawkfish().next_due().is_some_and(|next| next <= now) {
                return Err(Error::Stuck(now));
            }
            self.take_events().await;
        }
        self.0.clock.set(end);
        self.do_timed().await;
        self.hawkfish().tick().await?;
        self.hawkfish().settle_work().await;
        self.hawkfish().subscriptions().settle().await;
        self.take_events().await;
        Ok(())
    }

    /// Has what nobody waits for stored by a certain moment, so that what goes wrong with it does so in the same order each time.
    async fn settle_store(&self) {
        let is_aside = |rule: &Rule| matches!(rule.then.place(), Place::Event | Place::Task);
        if self.faults(|engine| engine.has(is_aside))
            && let Err(error) = self.hawkfish().store().flush().await
        {
            self.traced(|trace| trace.broken(self.now(), None, &error.to_string()));
        }
    }

    /// When something happens next by itself, in the service or by a fault.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let timed = self.faults(|engine| engine.next_timed());
        let timed = timed.and_then(|age| self.0.beginning.checked_add(age).ok());
        timed.into_iter().chain(self.hawkfish().next_due()).min()
    }

    /// Tells of faults that fired where the trace was not at hand.
    pub(crate) fn say_firings(&self) {
        for (rule, number) in self.faults(|engine| engine.take_unsaid()) {
            self.traced(|trace| trace.fault(self.now(), &rule, number));
        }
    }

    pub(crate) fn absent(&self) -> &Absent {
        &self.0.absent
    }

    /// Puts what the service has told since the last time into the trace.
    pub(crate) async fn take_events(&self) {
        /// So many at once.
        const MOST: usize = 512;
        self.do_timed().await;
        self.settle_store().await;
        self.hawkfish().subscriptions().meddle();
        self.say_firings();
        let log = &self.0.log;
        if !log.takes_events {
            return;
        }
        let events = self.hawkfish().events();
        let mut cursor = log.cursor.lock().await;
        let Some(telling) = events.telling() else {
            return;
        };
        while events.last() > *cursor {
            let told = match events.read(*cursor, MOST).await {
                Ok(told) if !told.is_empty() => told,
                Ok(_) => return,
                Err(error) => {
                    return self.traced(|trace| trace.broken(self.now(), None, &error.to_string()));
                }
            };
            self.traced(|trace| told.iter().for_each(|told| trace.state(told, &*telling)));
            *cursor = told.last().map_or(*cursor, |told| told.seq());
        }
    }

    /// Puts what every guest has written on its console into the trace.
    ///
    /// # Errors
    /// `Core` when the machines cannot be asked.
    pub async fn trace_consoles(&self) -> Result<(), Error> {
        for system in self.hawkfish().systems(&Ctx::service()) {
            let rack = self.racks().get(system.host.as_str());
            let rack = rack.expect("a system stands in one of the racks");
            let text = rack.console_log(machine_key(&system.id)?).await?;
            self.traced(|trace| trace.console(self.now(), system.id.as_str(), &text));
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.log.recorder.lock().expect("trace").trace()
    }

    /// What clients did so far. Empty but for what was left behind where that is not counted ([`Builder::reported`]).
    #[must_use]
    pub fn report(&self) -> Report {
        let faults = self.faults(|engine| {
            let rules = engine.rules().filter(|(_, fired)| *fired > 0);
            rules
                .map(|(rule, fired)| (rule.name.clone(), fired))
                .collect()
        });
        let recorder = self.0.log.recorder.lock().expect("trace");
        match &recorder.report {
            Some(report) => report.report(self.now(), faults),
            None => {
                let (app, seed) = (self.app().clone(), recorder.header().seed);
                Collector::new(app, seed, self.0.beginning).report(self.now(), faults)
            }
        }
    }

    /// Begins the report anew: what is there now is not held against who comes after.
    pub fn reset_report(&self) {
        let mut recorder = self.0.log.recorder.lock().expect("trace");
        if let Some(report) = &mut recorder.report {
            report.reset(self.now());
        }
    }

    /// Why the file of the trace could not be written to its end; asked once.
    pub fn trace_broke(&self) -> Option<std::io::Error> {
        self.0.log.recorder.lock().expect("trace").broke()
    }

    /// Ends the world in order.
    ///
    /// # Errors
    /// `Core` when the store fails.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.hawkfish().close().await?)
    }

    /// Whether anything that happens is to be told.
    pub(crate) fn is_traced(&self) -> bool {
        self.0.log.is_on
    }

    pub(crate) fn traced(&self, write: impl FnOnce(&mut Recorder)) {
        if self.0.log.is_on {
            write(&mut self.0.log.recorder.lock().expect("trace"));
        }
    }
}
