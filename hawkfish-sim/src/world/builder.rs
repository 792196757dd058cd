//! What a world is made of, and how it is made.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use hawkfish_core::accounts::HashCost;
use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::{Profile, SimBackend, SimSettings};
use hawkfish_core::backend::{Backend, Step};
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::Policy;
use hawkfish_server::{App, Options};
use jiff::SignedDuration;
use tokio::sync::Notify;

use super::{Error, Inner, PASSWORD, World};
use crate::capture::Capture;
use crate::clock::WorldClock;
use crate::description::{self, Description, Rack};
use crate::face::{Faces, Plan};
use crate::fault::{Absent, Engine, Ill, Rule};
use crate::replay::{Opening, Replicas, Shown, Tree};
use crate::report::Collector;
use crate::trace::{Header, Keep, Log, Recorder, Secrets, Sink};

/// When every world begins.
const BEGINNING: &str = "2026-01-01T00:00:00Z";

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

    /// Whether what happens is kept in the [`Trace`](crate::Trace), in memory; it is unless said.
    #[must_use]
    pub fn traced(mut self, traced: bool) -> Self {
        self.keep = if traced { Keep::All } else { Keep::Nothing };
        self
    }

    /// Keeps only so many of the last entries of the [`Trace`](crate::Trace) in memory.
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

    /// Whether what clients do is counted for the [`Report`](crate::report::Report); it is unless said.
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
        let mut first = 0;
        for rack in &sizes {
            let backend = rack_of(&description, rack, first, seed, &clock)?;
            first += rack.systems;
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
    first: usize,
    seed: u64,
    clock: &Arc<WorldClock>,
) -> Result<Arc<SimBackend>, Error> {
    let settings = SimSettings {
        systems: rack.systems,
        seed,
        name: rack.name.clone(),
        first,
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
