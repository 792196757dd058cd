//! The hypervisor's verbs: what HawkFish needs of the thing that runs machines, and nothing of what it makes of it.
//!
//! One `Arc<dyn Backend>` stands for each host. Backends are told what to do and tell what is; they hold no policy, no project, no
//! Redfish. The `# Behavior` bullets are owed by every backend and are what the behaviour suite asserts.

mod firmware;
mod hardware;
mod hindrance;
#[cfg(feature = "libvirt")]
pub mod libvirt;
mod machine;
mod mould;
pub mod sim;
mod stats;
mod storage;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

pub use firmware::*;
pub use hardware::*;
pub use hindrance::*;
pub use machine::*;
pub use mould::*;
pub use stats::*;
pub use storage::*;

use crate::error::{Error, Result};
use crate::id::{DiskToken, SlotId};

/// What a backend can do; the rest is `Unsupported`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The power steps that machines here can take.
    pub steps: BTreeSet<Step>,
    /// Media are read by the backend itself from a URI; else it wants a file on the host.
    pub media_by_uri: bool,
    /// Media can be inserted and ejected.
    pub media: bool,
    /// Boot override, order and mode can be set.
    pub boot: bool,
    /// Text that guests write to their console can be read back.
    pub console_log: bool,
    /// Cables of network interfaces can be plugged in and unplugged.
    pub nic_link: bool,
    /// Disks can be made, grown and deleted.
    pub disks: bool,
    /// The firmware of machines can be replaced.
    pub firmware: bool,
}

/// What a host says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Name of the host.
    pub name: String,
    /// Hypervisor and version: `QEMU 7.2.0`, `simulator`.
    pub hypervisor: String,
    /// Version of the management layer: libvirt's, or our own.
    pub version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory, KiB.
    pub memory_kib: u64,
    /// Architecture: `x86_64`.
    pub arch: String,
}

/// Something that happened on a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A machine appeared or is no longer as it was; here is all that is known of it.
    Machine {
        /// The machine as it is now.
        machine: Arc<Machine>,
        /// Why it changed.
        cause: Cause,
    },
    /// A machine is gone.
    Removed(MachineKey),
    /// The host answers (again); every machine follows as a [`Change::Machine`], save those that are still as their [`Mould`] makes them.
    Connected,
    /// The host does not answer.
    Lost(String),
}

/// Why a machine changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It was listed: at start, on reconnection, by a periodic look.
    Seen,
    /// It was told to by a verb of this backend.
    Verb,
    /// It started.
    Started,
    /// It stopped by the guest's own shutdown.
    Shutdown,
    /// It was stopped by force.
    Stopped,
    /// It stopped because it failed.
    Crashed,
    /// The guest or somebody else reset it.
    Reset,
    /// Its processors were stopped.
    Paused,
    /// Its processors go on.
    Resumed,
    /// Its definition, boot or media were changed.
    Changed,
    /// Its watchdog fired.
    Watchdog,
    /// A disk failed to read or write.
    IoError,
}

/// Most changes that [`Backend::drain_changes`] gives at a time, so that whoever takes them never holds a whole fleet in memory.
pub const MOST_CHANGES: usize = 1024;

/// A host that runs machines.
///
/// # Behavior
/// - Every verb that changes a machine returns it as it is afterwards, once the change holds.
/// - A verb that fails leaves the machine as it was.
/// - An unknown machine is `NotFound`; a host that does not answer is `Unavailable`; what capabilities do not name is `Unsupported`.
/// - Changes made by others appear in [`Backend::drain_changes`] without being asked for.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync {
    /// What this backend can do. Does not block.
    fn capabilities(&self) -> Capabilities;

    /// What the host says of itself.
    async fn host(&self) -> Result<HostFacts>;

    /// All machines, ordered by key.
    async fn machines(&self) -> Result<Vec<Machine>>;

    /// One machine.
    async fn machine(&self, key: MachineKey) -> Result<Machine>;

    /// Takes a power step.
    ///
    /// # Behavior
    /// - `Start` of what runs, `Shutdown`, `Restart`, `Reset`, `PowerButton`, `Nmi`, `Pause` and `Suspend` of what does not, and `Resume` of what is
    ///   not paused are `Conflict`. `ForceOff` of what is off changes nothing.
    /// - `Shutdown`, `Restart` and `PowerButton` only ask: the guest may take its time, or refuse.
    /// - An override `once` holds for exactly the next boot, whoever causes it, and is then gone from [`Boot::over`].
    async fn step(&self, key: MachineKey, step: Step) -> Result<Machine>;

    /// Changes how a machine is set up, all or nothing.
    ///
    /// # Behavior
    /// - The override and the order hold from the next boot on, also of a machine that runs now.
    /// - What the backend does not understand of the machine stays as it was; a machine whose override was set and taken away is as before.
    /// - A cable that is unplugged is so at once, also of a machine that runs, and stays so over restarts.
    /// - A network interface that is not there, or whose link cannot be set, is `Invalid`.
    /// - Firmware settings hold from the next cold start on: of a machine that is off, at once. [`Knob::WatchdogAction`] holds at once also of one that runs.
    ///   While memory is kept of a machine that is off they are `Conflict`; a value outside [`Setting::takes`], or a setting that the machine does not have, is `Invalid`.
    /// - A target outside [`Boot::targets`], an option that is not there, or a mode outside [`Boot::modes`] is `Invalid`.
    async fn setup(&self, key: MachineKey, setup: &Setup) -> Result<Machine>;

    /// Puts a medium into a slot.
    ///
    /// # Behavior
    /// - The guest sees it at once if it runs, and at its next start otherwise; it stays over restarts until ejected.
    /// - A slot that holds something is `Conflict::Occupied`. A medium that cannot be attached is an error and leaves the slot empty.
    async fn insert(&self, key: MachineKey, slot: &SlotId, medium: &Insert) -> Result<Machine>;

    /// Takes the medium out of a slot, also against the guest's lock. An empty slot is `Conflict::Empty`.
    async fn eject(&self, key: MachineKey, slot: &SlotId) -> Result<Machine>;

    /// Makes a disk, empty and thin, and gives it to a machine for good.
    ///
    /// # Behavior
    /// - The guest sees it at once if it runs, and at its next start otherwise; it stays over restarts until it is deleted. It is as large as was asked for, and its
    ///   serial number is its token. What is booted from stays the same.
    /// - Asked again with a token whose disk the machine has, it changes nothing, so that who does not know how the last time ended may ask again.
    /// - A controller that is not there is `NotFound`; one that takes no disk while the machine runs is `Conflict::PowerOffRequired`. A disk that cannot be attached is an
    ///   error and leaves nothing behind.
    async fn make_disk(&self, _key: MachineKey, _disk: &NewDisk) -> Result<Machine> {
        Err(Error::unsupported("Making disks"))
    }

    /// Takes a disk that was made by [`Backend::make_disk`] from a machine and deletes it with all that is on it.
    ///
    /// # Behavior
    /// - Only what was made with that token is touched. Where there is none any more nothing changes, but whatever an interrupted attempt has left of it goes.
    /// - A guest that does not let go of it is `Conflict::PowerOffRequired`, and keeps it.
    async fn delete_disk(&self, _key: MachineKey, _token: &DiskToken) -> Result<Machine> {
        Err(Error::unsupported("Deleting disks"))
    }

    /// Makes a disk that was made by [`Backend::make_disk`] larger.
    ///
    /// # Behavior
    /// - The guest sees it at once if it runs. What is on the disk stays. A size that is not larger changes nothing.
    /// - A token without a disk is `NotFound`.
    async fn grow_disk(
        &self,
        _key: MachineKey,
        _token: &DiskToken,
        _bytes: u64,
    ) -> Result<Machine> {
        Err(Error::unsupported("Growing disks"))
    }

    /// Lays a firmware ready, of which [`Identity::bios_version`] is then the version.
    ///
    /// # Behavior
    /// - A machine that is off has it at once, another from its next reset or start on. Until then the old one shows.
    /// - Another firmware laid ready before takes its place; the one in use takes back what was laid ready.
    async fn lay_firmware(&self, _key: MachineKey, _version: &str) -> Result<Machine> {
        Err(Error::unsupported("Replacing firmware"))
    }

    /// What stands in the way of a piece of work that is about to be begun on a machine; nothing, but in a simulation that wants it so. Does not block.
    fn hindrance(&self, _key: MachineKey, _work: Work) -> Option<Hindrance> {
        None
    }

    /// What the guest has written to its first serial console since it was started, at most the last 64 KiB.
    async fn console_log(&self, key: MachineKey) -> Result<Vec<u8>>;

    /// What a machine does and what is measured in it, as far as that is known without asking anybody; nothing of a host that does not answer.
    /// Does not block.
    fn stats(&self, _key: MachineKey) -> Option<Arc<Stats>> {
        None
    }

    /// Takes what happened since the last call, oldest first: at most [`MOST_CHANGES`], and fewer only where there are no more. Does not block.
    fn drain_changes(&self) -> Vec<Change>;

    /// Returns when [`Backend::drain_changes`] has something to give.
    async fn changed(&self);

    /// Somebody begins (true) or ends to look at what happens without being woken. As long as anybody does, [`Backend::changed`] need not wake
    /// who waits; when nobody does any more, it must if there is something left.
    fn attend(&self, _begins: bool) {}

    /// When something will happen here by the passing of time alone; only simulated machines know.
    fn next_due(&self) -> Option<Timestamp> {
        None
    }

    /// Lets everything happen that is due. Only simulated machines do something here.
    fn advance(&self) {}

    /// What machines here are made from, where each can be worked out anew as it came. The same for the life of the backend.
    fn mould(&self) -> Option<Arc<dyn Mould>> {
        None
    }

    /// The machines that need not be as [`Backend::mould`] makes them, ordered; all of them where there is no mould.
    async fn altered(&self) -> Result<Vec<MachineKey>> {
        let all = self.machines().await?;
        Ok(all.iter().map(|machine| machine.key).collect())
    }

    /// Tells how machines were last seen before HawkFish was restarted. Real machines know better and ignore it; simulated ones, which live
    /// only in memory, go on from there: power, boot set-up, media. May be told of some, and then of others.
    fn restore(&self, _seen: &[Machine]) {}

    /// Tells that the manager of a machine was restarted. Only simulated machines care.
    fn manager_restarted(&self, _key: MachineKey) {}

    /// Whether machines can change without a [`Change`] being told, so that the picture must be held against a listing now and then.
    fn drifts(&self) -> bool {
        true
    }

    /// Whether machines here are made up: then so is what surrounds them, such as the network of their managers.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Ends connections and threads. Machines go on.
    async fn close(&self) {}
}
