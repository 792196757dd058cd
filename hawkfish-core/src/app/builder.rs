//! Setting up a HawkFish.

use super::*;
use crate::accounts::HashCost;
use crate::db::fuse::Fuse;
use crate::db::settings;
use crate::events::EventSettings;
use crate::logs::LogSettings;
use crate::subscriptions::SubscriptionSettings;

/// What a HawkFish is made of. Without a data directory it keeps everything in memory.
#[derive(Debug)]
pub struct Builder {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    data_dir: Option<PathBuf>,
    hosts: BTreeMap<HostId, Arc<dyn Backend>>,
    media: MediaSettings,
    hash_cost: HashCost,
    session_limit: usize,
    logs: LogSettings,
    events: EventSettings,
    subscriptions: SubscriptionSettings,
    fuse: Option<Arc<dyn Fuse>>,
}

impl Default for Builder {
    /// The wall clock, the operating system's randomness, everything in memory, no host.
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            data_dir: None,
            hosts: BTreeMap::new(),
            media: MediaSettings::default(),
            hash_cost: HashCost::default(),
            session_limit: crate::sessions::LIMIT,
            logs: LogSettings::default(),
            events: EventSettings::default(),
            subscriptions: SubscriptionSettings::default(),
            fuse: None,
        }
    }
}

impl Builder {
    /// Hands in time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Hands in chance.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Where the database and the image cache lie. Made if it is not there.
    #[must_use]
    pub fn data_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(dir.into());
        self
    }

    /// Keeps everything in memory: nothing survives the end.
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.data_dir = None;
        self
    }

    /// Adds a host.
    #[must_use]
    pub fn host(mut self, id: HostId, backend: Arc<dyn Backend>) -> Self {
        self.hosts.insert(id, backend);
        self
    }

    /// Says what images may be inserted.
    #[must_use]
    pub fn media(mut self, media: MediaSettings) -> Self {
        self.media = media;
        self
    }

    /// How dear it is to check a password: the default is for real use, tests want it cheap.
    #[must_use]
    pub fn hash_cost(mut self, cost: HashCost) -> Self {
        self.hash_cost = cost;
        self
    }

    /// Most sessions at a time.
    #[must_use]
    pub fn session_limit(mut self, limit: usize) -> Self {
        self.session_limit = limit;
        self
    }

    /// How large logs are, and what becomes of full ones.
    #[must_use]
    pub fn logs(mut self, logs: LogSettings) -> Self {
        self.logs = logs;
        self
    }

    /// How many events are kept.
    #[must_use]
    pub fn events(mut self, events: EventSettings) -> Self {
        self.events = events;
        self
    }

    /// Where events may be sent, how many subscriptions there may be, and what carries.
    #[must_use]
    pub fn subscriptions(mut self, subscriptions: SubscriptionSettings) -> Self {
        self.subscriptions = subscriptions;
        self
    }

    /// Hands in a way to die, for tests of crashes.
    #[doc(hidden)]
    #[must_use]
    pub fn fuse(mut self, fuse: Arc<dyn Fuse>) -> Self {
        self.fuse = Some(fuse);
        self
    }

    /// Opens the store, recalls what was there, asks the hosts, and takes up what a crash interrupted.
    ///
    /// # Errors
    /// A store that cannot be opened. A host that does not answer is no error.
    pub async fn start(self) -> Result<HawkFish> {
        let Self {
            clock,
            entropy,
            data_dir,
            hosts,
            media,
            hash_cost,
            session_limit,
            logs,
            events,
            subscriptions,
            fuse,
        } = self;
        if let Some(dir) = &data_dir {
            make_dirs(dir)?;
        }
        let store = Store::open_with(data_dir.as_deref(), fuse).await?;
        store.logs().set(logs);
        store.events().set(events);
        let (uuid, is_new) = installation(&store, &*entropy).await?;
        let accounts =
            Accounts::open(&store, Arc::clone(&clock), Arc::clone(&entropy), hash_cost).await?;
        let sessions = Sessions::open(
            &store,
            &accounts,
            Arc::clone(&clock),
            Arc::clone(&entropy),
            session_limit,
        )
        .await?;
        let tasks = Tasks::open(&store, Arc::clone(&clock)).await?;
        let telemetry = Telemetry::open(&store, Arc::clone(&clock)).await?;
        let scheduled = Jobs::open(&store, Arc::clone(&clock)).await?;
        let subscriptions = Room::open(
            &store,
            &clock,
            subscriptions,
            &media.policy,
            &media.authorities,
        )
        .await?;
        let authorities = Authorities::open(&store).await?;
        let managers = Managers::open(&store).await?;
        let cache = data_dir.map_or_else(PathBuf::new, |d| d.join("media"));
        let hosts = hosts
            .into_iter()
            .map(|(id, backend)| (id.clone(), Arc::new(Host::new(id, backend))))
            .collect();
        let hawkfish = HawkFish {
            inner: Arc::new(Inner {
                clock,
                entropy,
                store,
                accounts,
                sessions,
                tasks,
                telemetry,
                scheduled,
                subscriptions,
                inventory: Inventory::default(),
                hosts,
                media: Arc::new(Media::new(media, cache)),
                authorities,
                managers,
                locks: Mutex::default(),
                jobs: TaskTracker::new(),
                bustle: Arc::default(),
                closing: CancellationToken::new(),
                turn: tokio::sync::Mutex::default(),
                replan: tokio::sync::Notify::new(),
                planned: AtomicI64::new(i64::MAX),
                resume: AtomicBool::new(false),
                is_first_look: AtomicBool::new(is_new),
                uuid,
            }),
        };
        hawkfish.recall().await?;
        for host in hawkfish.inner.hosts.values() {
            if let Err(error) = hawkfish.reconcile(host).await {
                tracing::warn!(host = %host.id, error = ?error, "the host does not answer yet");
            }
        }
        if let Err(error) = hawkfish.tick().await {
            tracing::warn!(error = ?error, "not everything that was due at the start could be done");
        }
        hawkfish
            .inner
            .is_first_look
            .store(false, std::sync::atomic::Ordering::Release);
        hawkfish.prune_images().await?;
        Ok(hawkfish)
    }
}

/// The UUID of this installation, made when its store is, and whether that is now.
async fn installation(store: &Store, entropy: &dyn Entropy) -> Result<(uuid::Uuid, bool)> {
    const NAME: &str = "installation";
    if let Some(uuid) = store
        .read(|conn| Box::pin(settings::get(conn, NAME)))
        .await?
    {
        return Ok((uuid, false));
    }
    let uuid = entropy.uuid();
    store
        .write(move |tx| Box::pin(async move { settings::put(tx, NAME, &uuid).await }))
        .await?;
    Ok((uuid, true))
}

/// The data directory is nobody else's business, but hypervisors that run as another user read images below it by their full path.
fn make_dirs(dir: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let media = dir.join("media");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&media)
        .map_err(|e| {
            Error::internal(format!(
                "The data directory {} cannot be made.",
                dir.display()
            ))
            .caused_by(e)
        })
}
