//! A world: the production service on simulated machines, with a clock and chance of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use hawkfish_client::Client;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::Backend;
use hawkfish_core::backend::sim::{Profile, SimBackend, SimSettings};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::inventory::machine_key;
use hawkfish_server::{App, Options};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tower::ServiceExt as _;

use crate::clock::WorldClock;
use crate::description::{self, BadDescription, Description, Rack};
use crate::face::Face;
use crate::fault::{BadRule, Broken, Engine, Rule};
use crate::front::Front;
use crate::gate::{Bmc, Collected};
use crate::trace::Trace;

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
    /// A description makes no world.
    #[error(transparent)]
    Description(#[from] BadDescription),
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
    traced: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            description: Description::default(),
            systems: 1,
            data_dir: None,
            options: Options::default(),
            traced: true,
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
        self.traced = traced;
        self
    }

    /// Makes the world. Its clock stands at the beginning of 2026.
    ///
    /// # Errors
    /// `Core` when the store cannot be opened; `Fault` and `Description` for what cannot be.
    pub async fn start(self) -> Result<World, Error> {
        let Self {
            mut description,
            systems,
            data_dir,
            options,
            traced,
        } = self;
        description.check()?;
        if description.racks.is_empty() {
            description.racks.push(Rack::new("sim", systems));
        }
        let seed = description.seed.unwrap_or(0);
        let mut faults = Engine::new(seed);
        for rule in description.all_faults()? {
            faults.put(rule)?;
        }
        let beginning = description
            .begins
            .unwrap_or_else(|| BEGINNING.parse().expect("a constant time"));
        let clock = Arc::new(WorldClock::new(beginning));
        let mut builder = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(seed, "service")))
            .hash_cost(HashCost::LEAST);
        let mut racks = BTreeMap::new();
        for rack in &description.racks {
            let backend = rack_of(&description, rack, seed, &clock)?;
            builder = builder.host(HostId::parse(&rack.name)?, backend.clone());
            racks.insert(rack.name.clone(), backend);
        }
        if let Some(dir) = data_dir {
            builder = builder.data_dir(dir);
        }
        let password = description.password.unwrap_or_else(|| PASSWORD.to_owned());
        let hawkfish = builder.start().await?;
        hawkfish.accounts().ensure_admin(Some(&password)).await?;
        let app = App::new(hawkfish, options);
        Ok(World(Arc::new(Inner {
            app,
            beginning,
            clock,
            racks,
            password,
            faults: Mutex::new(faults),
            in_flight: AtomicU32::new(0),
            trace: Mutex::default(),
            is_traced: traced,
            turn: tokio::sync::Mutex::default(),
        })))
    }
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
    beginning: Timestamp,
    clock: Arc<WorldClock>,
    racks: BTreeMap<String, Arc<SimBackend>>,
    password: String,
    faults: Mutex<Engine>,
    in_flight: AtomicU32,
    trace: Mutex<Trace>,
    is_traced: bool,
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

    /// What answers the requests to a face.
    pub(crate) fn front_for(&self, _face: &Face) -> Front {
        Front::Service(self.app().clone())
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
        self.faults(|engine| engine.put(rule))
    }

    /// Takes a fault away. False where there was none of that name.
    pub fn clear_fault(&self, name: &str) -> bool {
        self.faults(|engine| engine.remove(name))
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

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &WorldClock {
        &self.0.clock
    }

    /// Lets happen what is due as its clock goes on by itself; until [`World::close`].
    pub fn start_running(&self) {
        self.hawkfish().start_running();
    }

    /// How old the world is.
    #[must_use]
    pub fn age(&self) -> SignedDuration {
        self.now().duration_since(self.0.beginning)
    }

    /// Lets time go on while somebody waits for an answer: where it goes by itself, this waits as well.
    pub(crate) async fn pass(&self, by: SignedDuration) {
        use hawkfish_core::clock::Clock as _;
        if self.0.clock.speed() > 0.0 {
            return self.0.clock.sleep_until(self.now() + by).await;
        }
        if let Err(error) = self.advance(by).await {
            self.traced(|trace| trace.broken(self.now(), &error.to_string()));
        }
    }

    /// Lets time go on by `by`. Everything that is due on the way happens, in its order and at its moment.
    ///
    /// # Errors
    /// `Core` when something that was due failed; `Stuck` when it stays due.
    pub async fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        let _turn = self.0.turn.lock().await;
        let end = self.now() + by;
        self.traced(|t| t.advanced(self.now(), end));
        while let Some(next) = self.hawkfish().next_due().filter(|next| *next <= end) {
            self.0.clock.set(next);
            let now = self.now();
            // One tick takes on only so much; what is due at one moment may need several.
            for _ in 0..10_000 {
                self.hawkfish().tick().await?;
                // Time stands still while a destination of events makes up its mind.
                self.hawkfish().subscriptions().settle().await;
                if self.hawkfish().next_due().is_none_or(|next| next > now) {
                    break;
                }
            }
            if self.hawkfish().next_due().is_some_and(|next| next <= now) {
                return Err(Error::Stuck(now));
            }
        }
        self.0.clock.set(end);
        self.hawkfish().tick().await?;
        self.hawkfish().subscriptions().settle().await;
        Ok(())
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
            self.traced(|t| t.console(system.id.as_str(), &text));
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.trace.lock().expect("trace").clone()
    }

    /// Ends the world in order.
    ///
    /// # Errors
    /// `Core` when the store fails.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.hawkfish().close().await?)
    }

    pub(crate) fn traced(&self, write: impl FnOnce(&mut Trace)) {
        if self.0.is_traced {
            write(&mut self.0.trace.lock().expect("trace"));
        }
    }
}
