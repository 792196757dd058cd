//! A world: the production service on simulated machines, with a clock and chance of its own.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use hawkfish_client::Client;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::{Backend, Step};
use hawkfish_core::backend::sim::{Profile, SimBackend, SimSettings};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::inventory::machine_key;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::Policy;
use hawkfish_server::{App, Options};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::capture::{self, Capture};
use crate::clock::WorldClock;
use crate::description::{self, BadDescription, Description, Rack};
use crate::face::{Face, Faces, Plan};
use crate::fault::{Absent, Authority, BadRule, Broken, Certificate, Engine, Ill, Place, Rule, Tls};
use crate::front::Front;
use crate::gate::{Bmc, Collected};
use crate::replay::{NotReplayable, Opening, Replicas, Shown, Tree};
use crate::report::{Collector, Report};
use crate::trace::{Control, Header, Keep, Log, Recorder, Secrets, Sink, Trace};

/// The administrator of every world.
pub const USER: &str = "admin";
/// The administrator's password, unless another is chosen.
pub const PASSWORD: &str = "hawkfish";

/// When every world begins.
const BEGINNING: &str = "2026-01-01T00:00:00Z";

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

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Builder {
    description: Description,
    systems: usize,
    data_dir: Option<PathBuf>,
    options: Options,
    keep: Keep,
    trace_to: Option<(PathBuf, Secrets)>,
    reported: bool,
    capture: Option<Arc<Capture>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            description: Description::default(),
            systems: 1,
            data_dir: None,
            options: Options::default(),
            keep: Keep::All,
            trace_to: None,
            reported: true,
            capture: None,
        }
    }
}

impl Builder {
    /// Decides everything that is left to chance: identities, tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.description.seed = Some(seed);
        self
    }

    /// Takes what a description says, in place of all that was said so far of seed, password, racks and faults.
    #[must_use]
    pub fn describe(mut self, description: Description) -> Self {
        self.description = description;
        self
    }

    /// How many systems there are, where no rack is described; one unless said.
    #[must_use]
    pub fn systems(mut self, systems: usize) -> Self {
        self.systems = systems;
        self
    }

    /// The administrator's password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.description.password = Some(password.into());
        self
    }

    /// Where the database lies; in memory unless said.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// What can be chosen about the service.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How the BMC of each system is reached as a service of its own, where the world is served.
    #[must_use]
    pub fn faces(mut self, faces: Faces) -> Self {
        self.description.faces = Some(faces);
        self
    }

    /// Puts a fault at the end of the list. See [`crate::fault`].
    #[must_use]
    pub fn fault(mut self, rule: Rule) -> Self {
        self.description.faults.push(rule);
        self
    }

    /// Puts faults at the end of the list, such as those of a [`crate::fault::preset`].
    #[must_use]
    pub fn faults(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.description.faults.extend(rules);
        self
    }

    /// Whether what happens is kept in the [`Trace`], in memory; it is unless said.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.keep = if traced { Keep::All } else { Keep::Nothing };
        self
    }

    /// Keeps only so many of the last entries of the [`Trace`] in memory.
    #[must_use]
    pub fn traced_last(mut self, most: usize) -> Self {
        self.keep = Keep::Last(most);
        self
    }

    /// Writes the trace to a file of JSON lines as things happen, whatever is kept of it in memory.
    #[must_use]
    pub fn trace_to(mut self, file: impl Into<PathBuf>, secrets: Secrets) -> Self {
        self.trace_to = Some((file.into(), secrets));
        self
    }

    /// Has the systems of the first rack, the only one where none is described, show a captured tree: see [`crate::replay`]. The world begins at the time
    /// of the capture, unless its beginning is described.
    #[must_use]
    pub fn capture(mut self, capture: Capture) -> Self {
        self.capture = Some(Arc::new(capture));
        self
    }

    /// Whether what clients do is counted for the [`Report`]; it is unless said.
    #[must_use]
    pub fn reported(mut self, reported: bool) -> Self {
        self.reported = reported;
        self
    }

    /// Makes the world. Its clock stands at the beginning of 2026.
    ///
    /// # Errors
    /// `Core` when the store cannot be opened; `Fault` and `Description` for what cannot be; `Trace` when its file cannot be made; `Capture` and `Replay` for
    /// captures that cannot be read or replayed.
    pub async fn start(self) -> Result<World, Error> {
        let Self {
            mut description,
            systems,
            data_dir,
            options,
            keep,
            trace_to,
            reported,
            mut capture,
        } = self;
        description.check()?;
        if description.racks.is_empty() {
            description.racks.push(Rack::new("sim", systems));
        }
        description.check()?;
        let mut shown = Vec::new();
        // A capture of several systems is that many machines, each time.
        let mut sizes = description.racks.clone();
        for (at, rack) in sizes.iter_mut().enumerate() {
            let given = capture.take().filter(|_| at == 0);
            let tree = match (&rack.capture, given) {
                (_, Some(given)) => Tree::new(Arc::unwrap_or_clone(given))?,
                (Some(path), None) => Tree::new(Capture::read(path)?)?,
                (None, None) => continue,
            };
            rack.systems *= tree.systems();
            shown.push(Shown {
                tree: Arc::new(tree),
                unknown: rack.unknown_actions,
                rack: rack.name.clone(),
            });
        }
        let racks = sizes.iter();
        let mut racks: Vec<_> = racks.map(|r| (r.name.clone(), r.systems)).collect();
        racks.sort();
        let plan = Plan::new(description.faces.clone(), racks);
        let seed = description.seed.unwrap_or(0);
        let mut faults = Engine::new(seed);
        for rule in description.all_faults()? {
            faults.put(rule)?;
        }
        let beginning = description
            .begins
            .or_else(|| shown.iter().filter_map(|shown| shown.tree.time()).max())
            .unwrap_or_else(|| BEGINNING.parse().expect("a constant time"));
        let before = match shown.is_empty() {
            true => SignedDuration::ZERO,
            false => RUNNING_FOR,
        };
        let clock = Arc::new(WorldClock::new(beginning - before));
        let mut builder = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed, "service")))
            .hash_cost(HashCost::LEAST)
            .media(MediaSettings {
                // Who tests a client has its receivers and image servers beside it.
                policy: Arc::new(Policy {
                    allow: vec!["127.0.0.0/8".parse()?, "::1".parse()?],
                    ..Policy::default()
                }),
                ..MediaSettings::default()
            });
        let mut racks = BTreeMap::new();
        for rack in &sizes {
            let backend = rack_of(&description, rack, seed, &clock)?;
            builder = builder.host(HostId::parse(&rack.name)?, backend.clone());
            racks.insert(rack.name.clone(), backend);
        }
        for shown in &shown {
            switch_on(&racks[&shown.rack], &shown.tree).await?;
        }
        clock.set(beginning);
        let on_disk = data_dir.is_some();
        if let Some(dir) = data_dir {
            builder = builder.data_dir(dir);
        }
        let password = description.password.take();
        let password = password.unwrap_or_else(|| PASSWORD.to_owned());
        description.seed = Some(seed);
        description.password = Some(password.clone());
        let header = Header::of(description, beginning, on_disk);
        let hawkfish = builder.start().await?;
        hawkfish.accounts().ensure_admin(Some(&password)).await?;
        let faults = Arc::new(Mutex::new(faults));
        let ill = Ill::new(Arc::clone(&faults), beginning);
        for rack in racks.values() {
            rack.set_trouble(ill.clone());
        }
        hawkfish.subscriptions().set_meddler(ill);
        let app = App::new(hawkfish, options);
        let opening = Opening {
            app: &app,
            seed,
            password: &password,
            beginning,
        };
        let replicas = Replicas::open(opening, &shown).await?;
        let sink = match trace_to {
            Some((file, secrets)) => {
                let file = std::fs::File::create(file).map_err(Error::Trace)?;
                Some(Sink::new(Box::new(file), secrets))
            }
            None => None,
        };
        let report = reported.then(|| Collector::new(app.clone(), seed, beginning));
        let recorder = Recorder::new(header, keep, sink, report);
        let log = Log::new(recorder, app.hawkfish().events().last());
        Ok(World(Arc::new(Inner {
            app,
            replicas,
            plan,
            beginning,
            clock,
            racks,
            password,
            faults,
            absent: Absent::default(),
            refaulted: Notify::new(),
            in_flight: AtomicU32::new(0),
            connections: AtomicU32::new(0),
            authority: Mutex::default(),
            log,
            waits: AtomicBool::new(false),
            waiting: Notify::new(),
            turn: tokio::sync::Mutex::default(),
        })))
    }
}

/// How long machines have been running whose BMCs were captured, as the world begins: their self-tests are over.
const RUNNING_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Turns the machines on that were on when they were captured.
async fn switch_on(rack: &SimBackend, tree: &Tree) -> Result<(), Error> {
    let were_on = tree.were_on();
    for (number, on) in (0..).zip(were_on.iter().cycle()) {
        let Some(key) = rack.key(number) else { break };
        if *on {
            rack.step(key, Step::Start).await?;
        }
    }
    Ok(())
}

/// A rack, with the guests that are its servers' own.
fn rack_of(
    description: &Description,
    rack: &Rack,
    seed: u64,
    clock: &Arc<WorldClock>,
) -> Result<Arc<SimBackend>, Error> {
    let settings = SimSettings {
        systems: rack.systems,
        seed,
        name: rack.name.clone(),
        profiles: description.makes(rack)?,
    };
    let makes = match settings.profiles.as_slice() {
        [] => Profile::all(),
        makes => makes.to_vec(),
    };
    let backend = SimBackend::new(settings, clock.clone());
    for (name, guest) in &rack.guests {
        let place = description::number(&rack.name, name).unwrap_or(1) - 1;
        let base = makes[place % makes.len()].guest.clone();
        if let Some(key) = backend.key(place) {
            backend.set_guest(key, guest.over(base, name)?)?;
        }
    }
    Ok(backend)
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

    /// A client that talks to the service without a socket, with the administrator's name and password.
    ///
    /// # Errors
    /// `Client` when it cannot be made.
    pub fn client(&self) -> Result<Client, Error> {
        let client = Client::builder("http://hawkfish.sim")
            .basic(USER, &self.0.password)
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
        // What nobody waits for is told by a certain moment, so that what goes wrong with it does so in the same order each time.
        let is_aside = |rule: &Rule| matches!(rule.then.place(), Place::Event | Place::Task);
        if self.faults(|engine| engine.has(is_aside))
            && let Err(error) = self.hawkfish().store().flush().await
        {
            self.traced(|trace| trace.broken(self.now(), None, &error.to_string()));
        }
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
                    return self
                        .traced(|trace| trace.broken(self.now(), None, &error.to_string()));
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
            rules.map(|(rule, fired)| (rule.name.clone(), fired)).collect()
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
