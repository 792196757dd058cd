//! Real machines, through libvirt.
//!
//! What to know of it:
//! - Nothing here waits for libvirt but threads of its own (`pool`); a verb on a host that is lost fails at once.
//! - A domain's XML is edited as a tree and defined anew in one step (`setup`, `slot`); nothing is ever undefined. What HawkFish has to remember of a
//!   domain, to take its changes back, it notes in the domain's own metadata (`marker`).
//! - An override `once` is used for one boot only, whoever causes it: `boot` says how, and what nobody can see.
//! - The picture of a host's machines follows libvirt's events (`event`); a look every few seconds finds what comes without one (`host`).
//!
//! Drivers: QEMU (all of it), and libvirt's own `test` driver, which runs nothing: its machines have no guests, take no interrupts, and show media at once.
//! Of other drivers, machines are shown and switched on and off.

mod boot;
mod console;
mod device;
mod event;
mod facts;
mod fault;
mod firmware;
mod hardware;
mod host;
mod identity;
mod knobs;
mod leases;
mod line;
mod live;
mod look;
mod marker;
mod media;
mod nic;
mod order;
mod pci;
mod pool;
mod power;
mod raw;
mod session;
mod setup;
mod sizes;
mod slot;
mod stats;
mod storage;
#[cfg(test)]
mod tests;
mod varstore;
mod volume;
mod xml;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use tokio::sync::oneshot;
use virt::connect::Connect;

use self::event::Happening;
use self::host::Host;
use super::{
    Backend, Capabilities, Change, HostFacts, Insert, Machine, MachineKey, NewDisk, Setup, Stats,
    Step,
};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{DiskToken, SlotId};

/// How a host is reached and looked after.
#[derive(Clone, Debug)]
pub struct LibvirtSettings {
    /// libvirt's name of it: `qemu:///system`, `qemu+ssh://root@host/system`.
    pub uri: String,
    /// Name of the host, for logs and threads.
    pub name: String,
    /// Threads for calls that stay, and connections: each thread has one of its own. Four times as many when they are busy.
    pub workers: usize,
    /// Time between two looks at what comes without an event.
    pub look_every: Duration,
    /// Time between two samples of what machines use.
    pub sample_every: Duration,
    /// Time between two questions whether the host still answers, and how long it may take over one; a host that takes longer is lost. Calls that wait
    /// for an answer then fail, so the two together bound how long a host that hangs holds anybody up.
    pub ask_every: Duration,
    /// See `ask_every`.
    pub answer_within: Duration,
    /// Wait before the first attempt to connect again; it doubles with each.
    pub retry_first: Duration,
    /// Longest such wait.
    pub retry_most: Duration,
    /// How long a question may take; a host that takes longer is lost.
    pub read_within: Duration,
    /// How long a change may take.
    pub change_within: Duration,
    /// How long writing a machine's memory to disk may take.
    pub suspend_within: Duration,
    /// The pool in which disks are made; `None` is `default`, where there is one.
    pub storage_pool: Option<String>,
}

impl LibvirtSettings {
    /// Settings for a host, with the rest as is usual.
    #[must_use]
    pub fn new(uri: impl Into<String>) -> Self {
        let uri = uri.into();
        Self {
            name: uri.clone(),
            uri,
            workers: 4,
            look_every: Duration::from_secs(10),
            sample_every: Duration::from_secs(10),
            ask_every: Duration::from_secs(2),
            answer_within: Duration::from_secs(5),
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(15),
            read_within: Duration::from_secs(20),
            change_within: Duration::from_secs(90),
            suspend_within: Duration::from_secs(900),
            storage_pool: None,
        }
    }

    /// Whether it is the system's libvirt, whose places are known, and not a user's own.
    fn is_of_system(&self) -> bool {
        let path = self.uri.split(['?', '#']).next().unwrap_or_default();
        !path.ends_with("/session")
    }

    /// Whether the host is this machine, so that its files are ours.
    fn is_local(&self) -> bool {
        let Some((scheme, rest)) = self.uri.split_once("://") else {
            return true;
        };
        let transport = scheme.split_once('+').map(|(_, transport)| transport);
        rest.starts_with('/') && transport.is_none_or(|transport| transport == "unix")
    }
}

/// Which of libvirt's drivers runs machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    Qemu,
    Test,
    Other,
}

impl Driver {
    /// By the answer of `virConnectGetType`.
    fn of_type(text: &str) -> Self {
        match text {
            "QEMU" => Self::Qemu,
            "Test" | "TEST" => Self::Test,
            _ => Self::Other,
        }
    }

    /// A guess, for as long as the host was not reached.
    fn of_uri(uri: &str) -> Self {
        match uri.split(['+', ':']).next() {
            Some("qemu") => Self::Qemu,
            Some("test") => Self::Test,
            _ => Self::Other,
        }
    }

    fn capabilities(self, is_local: bool, has_pool: bool) -> Capabilities {
        let without = |steps: &[Step]| -> BTreeSet<Step> {
            Step::ALL
                .into_iter()
                .filter(|step| !steps.contains(step))
                .collect()
        };
        match self {
            Self::Qemu => Capabilities {
                steps: Step::ALL.into(),
                media_by_uri: false,
                media: true,
                boot: true,
                console_log: is_local,
                disks: has_pool,
                firmware: false,
                nic_link: true,
            },
            Self::Test => Capabilities {
                steps: without(&[Step::Nmi]),
                media_by_uri: false,
                media: true,
                boot: true,
                console_log: false,
                disks: false,
                firmware: false,
                nic_link: false,
            },
            Self::Other => Capabilities {
                steps: without(&[Step::Nmi, Step::PowerButton]),
                media_by_uri: false,
                media: false,
                boot: false,
                console_log: false,
                disks: false,
                firmware: false,
                nic_link: false,
            },
        }
    }
}

/// A host behind libvirt.
pub struct LibvirtBackend {
    host: Arc<Host>,
}

impl fmt::Debug for LibvirtBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LibvirtBackend")
            .field("uri", &self.host.settings.uri)
            .field("name", &self.host.settings.name)
            .finish_non_exhaustive()
    }
}

impl LibvirtBackend {
    /// A host, to which a thread connects and keeps connected from now on. Returns at once; until the connection stands, verbs are `Unavailable`.
    /// [`Backend::changed`] returns when it stands ([`Change::Connected`]) or could not be made ([`Change::Lost`]).
    #[must_use]
    pub fn connect(settings: LibvirtSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let host = Host::new(settings, clock);
        let keeper = Arc::clone(&host);
        let spawned = std::thread::Builder::new()
            .name(format!("libvirt-keep-{}", host.settings.name))
            .spawn(move || keeper.keep());
        if let Err(error) = spawned {
            tracing::error!(%error, host = host.settings.name, "no thread to connect with");
        }
        Arc::new(Self { host })
    }

    fn can(&self, is_so: bool, what: &str) -> Result<()> {
        // While it is lost that is what matters, whatever it could do.
        self.host.want_connected()?;
        if is_so {
            Ok(())
        } else {
            Err(Error::unsupported(what))
        }
    }
}

impl Drop for LibvirtBackend {
    fn drop(&mut self) {
        self.host.close();
    }
}

/// Asks whether there is a host at that URI, and who it is. Gives up after `limit`, leaving behind the thread that asked if it hangs.
///
/// # Errors
/// `Unavailable`, with the reason in its message, if nothing answers there in time.
pub async fn probe(uri: &str, limit: Duration) -> Result<HostFacts> {
    let (answer, answered) = oneshot::channel();
    let at = uri.to_owned();
    std::thread::Builder::new()
        .name("libvirt-probe".to_owned())
        .spawn(move || {
            let asked = raw::start_event_loop().and_then(|()| {
                Connect::open(Some(&at))
                    .and_then(|conn| session::host_facts(&conn))
                    .map_err(|error| error.message().to_owned())
            });
            let _ = answer.send(asked);
        })
        .map_err(|error| Error::internal("No thread to ask libvirt with.").caused_by(error))?;
    match tokio::time::timeout(limit, answered).await {
        Ok(Ok(Ok((_, facts)))) => Ok(facts),
        Ok(Ok(Err(why))) => Err(Error::unavailable(why)),
        Ok(Err(_)) => Err(Error::internal("The thread that asked libvirt failed.")),
        Err(_) => Err(Error::unavailable(format!(
            "no answer within {} s",
            limit.as_secs()
        ))),
    }
}

#[async_trait]
impl Backend for LibvirtBackend {
    fn capabilities(&self) -> Capabilities {
        let is_local = self.host.settings.is_local();
        let has_pool = self.host.has_pool();
        self.host.driver().capabilities(is_local, has_pool)
    }

    async fn host(&self) -> Result<HostFacts> {
        self.host.want_connected()?;
        Ok(self.host.facts())
    }

    async fn machines(&self) -> Result<Vec<Machine>> {
        let limit = self.host.settings.read_within;
        let stale = self
            .host
            .call(None, limit, |host, line| {
                host.stale(line, false)
                    .map_err(|error| fault::unavailable(&error))
            })
            .await?;
        let looks = stale.into_iter().map(|key| async move {
            let looked = self
                .host
                .call(Some(key), limit, move |host, line| {
                    host.look(line, key, &[Happening::Look])
                })
                .await;
            match looked {
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable { .. }) => Err(error),
                // It went while we looked, or cannot be read: then the picture stays as it is.
                _ => Ok(()),
            }
        });
        try_join_all(looks).await?;
        Ok(self.host.machines())
    }

    async fn machine(&self, key: MachineKey) -> Result<Machine> {
        let limit = self.host.settings.read_within;
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.look(line, key, &[Happening::Look])
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn step(&self, key: MachineKey, step: Step) -> Result<Machine> {
        self.can(
            self.capabilities().steps.contains(&step),
            &format!("{step:?}"),
        )?;
        let limit = if step == Step::Suspend {
            self.host.settings.suspend_within
        } else {
            self.host.settings.change_within
        };
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.step(line, key, step)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn setup(&self, key: MachineKey, setup: &Setup) -> Result<Machine> {
        let capabilities = self.capabilities();
        self.can(capabilities.boot, "Setting a machine up")?;
        let plugs = !setup.nic_link.is_empty();
        self.can(capabilities.nic_link || !plugs, "Plugging cables")?;
        let limit = self.host.settings.change_within;
        let setup = setup.clone();
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.setup(line, key, &setup)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn insert(&self, key: MachineKey, slot: &SlotId, medium: &Insert) -> Result<Machine> {
        self.can(self.capabilities().media, "Virtual media")?;
        let limit = self.host.settings.change_within;
        let (slot, medium) = (slot.clone(), medium.clone());
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.insert(line, key, &slot, &medium)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn eject(&self, key: MachineKey, slot: &SlotId) -> Result<Machine> {
        self.can(self.capabilities().media, "Virtual media")?;
        let limit = self.host.settings.change_within;
        let slot = slot.clone();
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.eject(line, key, &slot)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn make_disk(&self, key: MachineKey, disk: &NewDisk) -> Result<Machine> {
        self.can(self.capabilities().disks, "Making disks")?;
        let limit = self.host.settings.change_within;
        let disk = disk.clone();
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.make_disk(line, key, &disk)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn delete_disk(&self, key: MachineKey, token: &DiskToken) -> Result<Machine> {
        self.can(self.capabilities().disks, "Deleting disks")?;
        let limit = self.host.settings.change_within;
        let token = token.clone();
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.delete_disk(line, key, &token)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn grow_disk(&self, key: MachineKey, token: &DiskToken, bytes: u64) -> Result<Machine> {
        self.can(self.capabilities().disks, "Growing disks")?;
        let limit = self.host.settings.change_within;
        let token = token.clone();
        let machine = self
            .host
            .call(Some(key), limit, move |host, line| {
                host.grow_disk(line, key, &token, bytes)
            })
            .await?;
        Ok(Arc::unwrap_or_clone(machine))
    }

    async fn console_log(&self, key: MachineKey) -> Result<Vec<u8>> {
        self.can(self.capabilities().console_log, "Reading the console")?;
        let limit = self.host.settings.read_within;
        self.host
            .call(Some(key), limit, move |host, _| host.console(key))
            .await
    }

    fn stats(&self, key: MachineKey) -> Option<Arc<Stats>> {
        self.host.stats(key)
    }

    fn drain_changes(&self) -> Vec<Change> {
        self.host.drain_changes()
    }

    async fn changed(&self) {
        loop {
            let notified = self.host.changed.notified();
            let mut notified = std::pin::pin!(notified);
            // Listening before looking, so that what happens in between is not missed.
            notified.as_mut().enable();
            if self.host.has_changes() {
                return;
            }
            notified.await;
        }
    }

    async fn close(&self) {
        self.host.close();
        let ended = async {
            loop {
                let notified = self.host.changed.notified();
                let mut notified = std::pin::pin!(notified);
                notified.as_mut().enable();
                if self.host.is_ended() {
                    return;
                }
                notified.await;
            }
        };
        // A call that hangs holds the thread; the process need not wait for it.
        let _ = tokio::time::timeout(Duration::from_secs(5), ended).await;
    }
}
