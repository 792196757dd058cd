//! What a guest does by a script: lines on its console, boots that go wrong, an installer. Data; [`super::machine`] acts on it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::BootTarget;

/// A line on the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How long after the firmware has handed over; time in which the machine is paused does not count.
    pub after: Duration,
    /// What it says. `{name}` is the name of the machine, `{serial}` its serial number, `{boot}` the number of the boot, from 1.
    pub text: Arc<str>,
    /// At which boots; none is all.
    pub at_boots: BTreeSet<u32>,
}

impl Line {
    pub(super) fn is_said_at(&self, boot: u32) -> bool {
        self.at_boots.is_empty() || self.at_boots.contains(&boot)
    }
}

/// How a boot ends that does not end at the login prompt, when it would have been up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The kernel panics.
    Panic,
    /// Nothing happens any more.
    Hang,
    /// It resets its machine.
    Reset,
    /// It powers its machine off.
    PowerOff,
}

/// An installer, which puts an operating system on the first disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// What starts it: a boot from there. A network offers it until the system is installed, a medium for as long as it is in its slot.
    pub from: BTreeSet<BootTarget>,
    /// From the firmware's choice until it is done.
    pub takes: Duration,
    /// Whether it ejects the medium it came from.
    pub ejects: bool,
    /// What it does when it is done.
    pub then: AfterInstall,
    /// What it writes on the console, in place of what the guest does.
    pub says: Vec<Line>,
}

impl Default for Install {
    /// From a virtual CD or the network, in a minute; then a restart.
    fn default() -> Self {
        Self {
            from: BTreeSet::from([BootTarget::Cd, BootTarget::Pxe]),
            takes: Duration::from_secs(60),
            ejects: false,
            then: AfterInstall::Restart,
            says: Vec::new(),
        }
    }
}

/// What an installer does when it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterInstall {
    /// It resets the machine.
    Restart,
    /// It powers the machine off.
    PowerOff,
}

/// What a machine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// It is off.
    Off,
    /// It is off with its memory kept.
    Suspended,
    /// It stands still.
    Paused,
    /// Its firmware tests it.
    SelfTest,
    /// Its firmware waits: it is in its set-up, or there is nothing to boot.
    Firmware,
    /// Its operating system boots.
    Booting,
    /// An installer is at work.
    Installing,
    /// Its operating system is up.
    Up,
    /// Its operating system goes down.
    ShuttingDown,
    /// Its kernel has panicked and writes its memory to disk.
    Dumping,
    /// Its kernel has panicked.
    Panicked,
    /// Its operating system hangs.
    Hung,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 12] = [
        Self::Off,
        Self::Suspended,
        Self::Paused,
        Self::SelfTest,
        Self::Firmware,
        Self::Booting,
        Self::Installing,
        Self::Up,
        Self::ShuttingDown,
        Self::Dumping,
        Self::Panicked,
        Self::Hung,
    ];
}

/// How far a guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestState {
    /// What its machine is about.
    pub phase: Phase,
    /// How often the firmware has handed over since the world began.
    pub boots: u32,
    /// Whether an installer has put a system on its first disk.
    pub installed: bool,
}
