//! Simulated machines: a rack of servers that start, boot, shut down and fail as told, in simulated time.
//!
//! A machine is a function of (seed, its number, what was done to it and when): nothing in here draws chance, waits, or runs beside its
//! caller. Whatever is called first lets everything happen that the [`Clock`] says is due, in the order of time and each at its own moment, so that one
//! leap of the clock and many small ones come to the same.
//!
//! What to know of this world:
//! - [`Step::Start`] returns a machine that is [`PoweringOn`](crate::backend::Power::PoweringOn) for as long as its self-test takes, or, if it was suspended, as it was.
//! - The firmware chooses what to boot when the self-test is over; at that moment an override for one boot is used up. Cutting the power before then is no boot.
//! - The console shows every attempt and, when something is booted, a line `HAWKFISH-BOOT target=Cd image=<what> mode=Uefi`. It starts anew with each cold start.
//! - Any file can be inserted: nothing is read. Any address with a server in it can, too, save hosts under `.invalid` (RFC 2606), which cannot be
//!   reached: an `Upstream` error.
//! - A guest that is still booting heeds a request to shut down once it is up; the firmware heeds it at once.
//! - A [`Change`] is told whenever something that a [`Machine`] shows has changed, by a verb or by time, from the first look at changes on; that look presents
//!   the rack as it is by then: every machine that is not as it was made.
//!
//! What is not in here: faults and misbehaviour of BMCs, which belong to a simulated service, not to a machine.

mod boot;
mod console;
mod gauge;
mod hardware;
mod identity;
mod keys;
mod knobs;
mod machine;
mod mould;
mod parts;
mod profile;
mod script;
mod sensors;
mod stats;
mod storage;
mod trouble;
mod world;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Notify;

pub use gauge::{FanMake, PowerMake, Reads, SensorMake, SupplyMake, TEMPERATURES, Warmth};
pub use parts::{NicMake, Parts};
pub use profile::{Disk, Guest, OnPanic, Profile};
pub use script::{AfterInstall, Ending, GuestState, Install, Line, Phase};

pub use trouble::{Misboot, Misflash, Mishap, Mismount, Misstep, Trouble, Victim};

use self::mould::Makes;
use self::world::{SLOTS, World, timestamp};
use super::{
    Backend, Capabilities, Change, Hindrance, HostFacts, Insert, Machine, MachineKey, MediaKind,
    Medium, Mould, NewDisk, Setup, Stats, Step, Work,
};
use crate::clock::Clock;
use crate::error::{Conflict, Error, Result};
use crate::id::{DiskToken, SlotId};

/// What a simulated rack is made of.
#[derive(Clone, Debug)]
pub struct SimSettings {
    /// How many machines it holds.
    pub systems: usize,
    /// Decides UUIDs, serial numbers, MAC addresses and asset tags.
    pub seed: u64,
    /// Name of the rack. Machines are named after it: `sim-00001`. Racks of one seed with different names hold different machines.
    pub name: String,
    /// How many machines there are in the racks before it: where makes have a MAC prefix, no two machines of up to 2^20 share an address then.
    pub first: usize,
    /// Makes of server: the n-th machine is of the n-th, and so on in turn. None at all means [`Profile::all`].
    pub profiles: Vec<Arc<Profile>>,
}

impl Default for SimSettings {
    fn default() -> Self {
        Self {
            systems: 4,
            seed: 0,
            name: "sim".to_owned(),
            first: 0,
            profiles: Profile::all(),
        }
    }
}

/// A rack of simulated machines.
#[derive(Debug)]
pub struct SimBackend {
    name: String,
    clock: Arc<dyn Clock>,
    mould: Arc<Makes>,
    world: Mutex<World>,
    changed: Notify,
    /// How many look at changes without being woken.
    attending: AtomicUsize,
}

impl SimBackend {
    /// A rack whose machines are all off, at the time of the clock.
    #[must_use]
    pub fn new(settings: SimSettings, clock: Arc<dyn Clock>) -> Arc<Self> {
        let profiles = if settings.profiles.is_empty() {
            Profile::all()
        } else {
            settings.profiles
        };
        let mould = Makes::new(
            settings.seed,
            &settings.name,
            settings.systems,
            settings.first,
            profiles,
        );
        let world = World::new(Arc::clone(&mould), clock.now().as_millisecond());
        Arc::new(Self {
            name: settings.name,
            clock,
            mould,
            world: Mutex::new(world),
            changed: Notify::new(),
            attending: AtomicUsize::new(0),
        })
    }

    /// The n-th machine, from 0.
    #[must_use]
    pub fn key(&self, number: usize) -> Option<MachineKey> {
        self.world.lock().expect("world").key(number)
    }

    /// Gives a machine a guest of its own. What its present one has begun goes on.
    ///
    /// # Errors
    /// `NotFound` if there is no such machine, `Unavailable` while the rack is lost.
    pub fn set_guest(&self, key: MachineKey, guest: Guest) -> Result<()> {
        self.with(|world| {
            let place = world.place(key)?;
            world.set_guest(place, guest);
            Ok(())
        })
    }

    /// How far the guest of a machine is.
    ///
    /// # Errors
    /// `NotFound` if there is no such machine, `Unavailable` while the rack is lost.
    pub fn guest_state(&self, key: MachineKey) -> Result<GuestState> {
        self.with(|world| Ok(world.guest_state(world.place(key)?)))
    }

    /// What was said on the console of a machine since the cold start, from the number `since` on, and the number from which to ask the next time. Each thing
    /// said has a number, counted on over cold starts; 0 is from the beginning.
    ///
    /// # Errors
    /// `NotFound` if there is no such machine, `Unavailable` while the rack is lost.
    pub fn console_since(&self, key: MachineKey, since: u64) -> Result<(Vec<u8>, u64)> {
        self.with(|world| {
            let place = world.place(key)?;
            Ok(world.console_since(place, since))
        })
    }

    /// Hands in who decides what goes wrong with these machines.
    pub fn set_trouble(&self, trouble: Arc<dyn Trouble>) {
        self.with(|world| world.troubles.who = Some(trouble));
    }

    /// Something happens to a machine by itself.
    ///
    /// # Errors
    /// `NotFound` for a machine, a disk, a sensor or a fan that is not there; `Invalid` for a reading that is no number, or a network interface that is not there;
    /// `Unavailable` while the rack is lost.
    pub fn mishap(&self, key: MachineKey, mishap: Mishap) -> Result<()> {
        self.with(|world| world.mishap(world.place(key)?, mishap))
    }

    /// Cuts the line to the rack: until [`SimBackend::find`], every verb is `Unavailable` and nothing is told. Its machines go on.
    pub fn lose(&self, reason: impl Into<String>) {
        self.with(|world| world.lose(reason.into()));
    }

    /// Mends the line to the rack, which then presents itself as it has become.
    pub fn find(&self) {
        self.with(World::found);
    }

    /// Does something to the world as it is now, and wakes who waits for changes.
    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let (done, has_changes) = {
            let mut world = self.world.lock().expect("world");
            world.catch_up(self.clock.now().as_millisecond());
            let done = act(&mut world);
            (done, world.has_changes())
        };
        if has_changes && self.attending.load(Ordering::SeqCst) == 0 {
            self.changed.notify_waiters();
        }
        done
    }

    /// Does something to a machine, and returns it as it is afterwards.
    fn with_machine(
        &self,
        key: MachineKey,
        act: impl FnOnce(&mut World, usize) -> Result<()>,
    ) -> Result<Machine> {
        self.with(|world| {
            let place = world.place(key)?;
            act(world, place)?;
            Ok(world.shown(place))
        })
    }
}

fn kind(slot: &SlotId) -> Result<MediaKind> {
    SLOTS
        .into_iter()
        .find(|(id, _)| *id == slot.as_str())
        .map(|(_, kind)| kind)
        .ok_or_else(|| Error::not_found("VirtualMedia", slot.as_str()))
}

fn refused(conflict: Conflict) -> Error {
    let message = match conflict {
        Conflict::PowerOnRequired => "The system is off.",
        Conflict::PowerOffRequired => "The system is not off.",
        _ => "The system is not in a state in which this can be done.",
    };
    Error::conflict(conflict, message)
}

#[async_trait]
impl Backend for SimBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            steps: Step::ALL.into(),
            media_by_uri: true,
            media: true,
            boot: true,
            console_log: true,
            nic_link: true,
            disks: true,
            firmware: true,
        }
    }

    async fn host(&self) -> Result<HostFacts> {
        self.with(|world| {
            world.reach()?;
            Ok(world.host(&self.name))
        })
    }

    async fn machines(&self) -> Result<Vec<Machine>> {
        self.with(|world| {
            world.reach()?;
            Ok(world.machines())
        })
    }

    async fn machine(&self, key: MachineKey) -> Result<Machine> {
        self.with_machine(key, |_, _| Ok(()))
    }

    async fn step(&self, key: MachineKey, step: Step) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            if let Some(conflict) = world.refusal(place, step) {
                return Err(refused(conflict));
            }
            world.step(place, step);
            Ok(())
        })
    }

    async fn setup(&self, key: MachineKey, setup: &Setup) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            if !setup.knobs.is_empty() && world.is_suspended(place) {
                return Err(Error::conflict(
                    Conflict::NotAllowed,
                    "The machine is suspended: it goes on as it was, and takes settings when it has been switched off.",
                ));
            }
            world.configure(place, |config, profile, cold| {
                config.change(setup, profile, cold)
            })
        })
    }

    async fn insert(&self, key: MachineKey, slot: &SlotId, medium: &Insert) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            let kind = kind(slot)?;
            world.configure(place, |config, _, _| {
                if config.medium(kind).is_some() {
                    return Err(Error::conflict(
                        Conflict::Occupied,
                        "There is a medium in the slot.",
                    ));
                }
                let medium = Medium {
                    source: boot::fetch(&medium.source)?,
                    write_protected: medium.write_protected || kind == MediaKind::Cd,
                };
                config.set_medium(kind, Some(medium));
                Ok(())
            })?;
            world.mounted(place, kind);
            Ok(())
        })
    }

    async fn eject(&self, key: MachineKey, slot: &SlotId) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            let kind = kind(slot)?;
            world.configure(place, |config, _, _| {
                if config.medium(kind).is_none() {
                    return Err(Error::conflict(Conflict::Empty, "The slot is empty."));
                }
                config.set_medium(kind, None);
                Ok(())
            })
        })
    }

    async fn make_disk(&self, key: MachineKey, disk: &NewDisk) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            world.configure(place, |config, profile, _| {
                config.change_made(|made| storage::make(made, profile, disk))
            })
        })
    }

    async fn delete_disk(&self, key: MachineKey, token: &DiskToken) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            world.configure(place, |config, _, _| {
                config.change_made(|made| {
                    made.retain(|known| known.token != *token);
                    Ok(())
                })
            })
        })
    }

    async fn grow_disk(&self, key: MachineKey, token: &DiskToken, bytes: u64) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            world.configure(place, |config, _, _| {
                config.change_made(|made| storage::grow(made, token, bytes))
            })
        })
    }

    async fn lay_firmware(&self, key: MachineKey, version: &str) -> Result<Machine> {
        self.with_machine(key, |world, place| {
            world.configure(place, |config, profile, cold| {
                config.lay_firmware(profile, version, cold);
                Ok(())
            })
        })
    }

    fn hindrance(&self, key: MachineKey, work: Work) -> Option<Hindrance> {
        self.with(|world| {
            let place = world.place(key).ok()?;
            world.trouble(place, |who, of| who.hindrance(of, work))
        })
    }

    async fn console_log(&self, key: MachineKey) -> Result<Vec<u8>> {
        self.with(|world| {
            let place = world.place(key)?;
            Ok(world.console_since(place, 0).0)
        })
    }

    fn stats(&self, key: MachineKey) -> Option<Arc<Stats>> {
        let stats = self.with(|world| {
            let place = world.place(key)?;
            Ok::<_, Error>(world.stats(place))
        });
        stats.ok().map(Arc::new)
    }

    fn drain_changes(&self) -> Vec<Change> {
        self.world.lock().expect("world").drain()
    }

    async fn changed(&self) {
        loop {
            let notified = self.changed.notified();
            let mut notified = std::pin::pin!(notified);
            // Listening before looking, so that what happens in between is not missed.
            notified.as_mut().enable();
            if self.world.lock().expect("world").has_changes() {
                return;
            }
            notified.await;
        }
    }

    fn attend(&self, begins: bool) {
        if begins {
            self.attending.fetch_add(1, Ordering::SeqCst);
        } else if self.attending.fetch_sub(1, Ordering::SeqCst) == 1
            && self.world.lock().expect("world").has_changes()
        {
            self.changed.notify_waiters();
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.world.lock().expect("world").next_due().map(timestamp)
    }

    fn advance(&self) {
        self.with(|_| ());
    }

    fn mould(&self) -> Option<Arc<dyn Mould>> {
        Some(Arc::clone(&self.mould) as Arc<dyn Mould>)
    }

    async fn altered(&self) -> Result<Vec<MachineKey>> {
        self.with(|world| {
            world.reach()?;
            Ok(world.altered())
        })
    }

    fn restore(&self, seen: &[Machine]) {
        self.with(|world| {
            for machine in seen {
                world.restore(machine);
            }
        });
    }

    fn manager_restarted(&self, key: MachineKey) {
        self.with(|world| {
            if let Ok(place) = world.place(key) {
                world.manager_restarted(place);
            }
        });
    }

    fn drifts(&self) -> bool {
        false
    }

    fn is_simulated(&self) -> bool {
        true
    }
}
