//! A world: the production service on simulated machines, with a clock and chance of its own.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use hawkfish_client::Client;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::Backend;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::inventory::machine_key;
use hawkfish_server::{App, Options};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};

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
    /// Something is due again and again at the same moment.
    #[error("time cannot go on: what is due at {0} stays due")]
    Stuck(Timestamp),
}

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Builder {
    seed: u64,
    systems: usize,
    password: String,
    data_dir: Option<PathBuf>,
    options: Options,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seed: 0,
            systems: 1,
            password: PASSWORD.to_owned(),
            data_dir: None,
            options: Options::default(),
        }
    }
}

impl Builder {
    /// Decides everything that is left to chance: identities, tokens.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How many systems there are; one unless said.
    #[must_use]
    pub fn systems(mut self, systems: usize) -> Self {
        self.systems = systems;
        self
    }

    /// The administrator's password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
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

    /// Makes the world. Its clock stands at the beginning of 2026.
    ///
    /// # Errors
    /// `Core` when the store cannot be opened.
    pub async fn start(self) -> Result<World, Error> {
        let beginning: Timestamp = BEGINNING.parse().expect("a constant time");
        let clock = Arc::new(ManualClock::new(beginning));
        let settings = SimSettings {
            systems: self.systems,
            seed: self.seed,
            ..SimSettings::default()
        };
        let backend = SimBackend::new(settings, clock.clone());
        let mut builder = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(self.seed, "service")))
            .hash_cost(HashCost::LEAST)
            .host(HostId::parse("sim")?, backend.clone());
        if let Some(dir) = self.data_dir {
            builder = builder.data_dir(dir);
        }
        let hawkfish = builder.start().await?;
        hawkfish
            .accounts()
            .ensure_admin(Some(&self.password))
            .await?;
        let app = App::new(hawkfish, self.options);
        Ok(World {
            app,
            clock,
            backend,
            password: self.password,
            trace: Mutex::default(),
        })
    }
}

/// A service on simulated machines, in process.
#[derive(Debug)]
pub struct World {
    app: App,
    clock: Arc<ManualClock>,
    backend: Arc<SimBackend>,
    password: String,
    trace: Mutex<Trace>,
}

impl World {
    /// Something to make a world with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The service, for a transport of one's own. What goes this way is not in the trace.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The system behind the service.
    #[must_use]
    pub fn hawkfish(&self) -> &HawkFish {
        self.app.hawkfish()
    }

    /// The machines.
    #[must_use]
    pub fn machines(&self) -> &Arc<SimBackend> {
        &self.backend
    }

    /// The time in this world.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        use hawkfish_core::clock::Clock as _;
        self.clock.now()
    }

    /// A client that talks to the service without a socket, with the administrator's name and password. What it does is not in the trace.
    ///
    /// # Errors
    /// `Client` when it cannot be made.
    pub fn client(&self) -> Result<Client, Error> {
        let client = Client::builder("http://hawkfish.sim")
            .basic(USER, &self.password)
            .service::<App, Body>(self.app.clone())
            .build()?;
        Ok(client)
    }

    /// Lets the service answer a request, and traces both.
    pub async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        self.traced(|t| {
            t.request(
                self.now(),
                &parts.method,
                &parts.uri.to_string(),
                &parts.headers,
                &body,
            )
        });
        let response = self
            .app
            .answer(Request::from_parts(parts, Body::from(body)))
            .await;
        let (parts, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => Bytes::from(format!("the body broke off: {error}")),
        };
        self.traced(|t| t.response(self.now(), parts.status, &parts.headers, &body));
        Response::from_parts(parts, body)
    }

    /// Lets time go on by `by`. Everything that is due on the way happens, in its order and at its moment.
    ///
    /// # Errors
    /// `Core` when something that was due failed; `Stuck` when it stays due.
    pub async fn advance(&self, by: SignedDuration) -> Result<(), Error> {
        let end = self.now() + by;
        self.traced(|t| t.advanced(self.now(), end));
        while let Some(next) = self.hawkfish().next_due().filter(|next| *next <= end) {
            self.clock.set(next);
            let now = self.now();
            // One tick takes on only so much; what is due at one moment may need several.
            for _ in 0..10_000 {
                self.hawkfish().tick().await?;
                if self.hawkfish().next_due().is_none_or(|next| next > now) {
                    break;
                }
            }
            if self.hawkfish().next_due().is_some_and(|next| next <= now) {
                return Err(Error::Stuck(now));
            }
        }
        self.clock.set(end);
        self.hawkfish().tick().await?;
        Ok(())
    }

    /// Puts what every guest has written on its console into the trace.
    ///
    /// # Errors
    /// `Core` when the machines cannot be asked.
    pub async fn trace_consoles(&self) -> Result<(), Error> {
        for system in self.hawkfish().systems(&Ctx::service()) {
            let text = self.backend.console_log(machine_key(&system.id)?).await?;
            self.traced(|t| t.console(system.id.as_str(), &text));
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.trace.lock().expect("trace").clone()
    }

    /// Ends the world in order.
    ///
    /// # Errors
    /// `Core` when the store fails.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.hawkfish().close().await?)
    }

    fn traced(&self, write: impl FnOnce(&mut Trace)) {
        write(&mut self.trace.lock().expect("trace"));
    }
}
