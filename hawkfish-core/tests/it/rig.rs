//! What tests of the whole of core stand on: simulated machines behind a backend that can be told to take images as files, or to die.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::app::{Builder, HawkFish};
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::backend::{
    Backend, Capabilities, Change, Disk, HostFacts, Insert, Machine, MachineKey, NewDisk, Setup,
    Step,
};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::error::{Error, Result};
use hawkfish_core::id::{DiskToken, HostId, SlotId, SystemId};
use hawkfish_core::inventory::System;
use jiff::Timestamp;

/// A rack that wants its images as files, as libvirt does.
#[derive(Debug)]
pub(crate) struct Rack {
    pub sim: Arc<SimBackend>,
    /// Never comes back from starting a machine: what a crash looks like from here.
    pub dies_at_start: AtomicBool,
    /// Never comes back from making a disk.
    pub dies_at_disk: AtomicBool,
    /// Takes no firmware settings.
    pub refuses_settings: AtomicBool,
    /// Does not come up with firmware settings other than those of its delivery.
    pub starts_only_as_delivered: AtomicBool,
    /// Refuses to attach what was fetched.
    pub refuses_media: AtomicBool,
}

impl Rack {
    /// The disks of a machine as the simulator has them, whatever HawkFish knows.
    pub(crate) async fn sim_disks(&self, key: MachineKey) -> Vec<Disk> {
        let machine = self.sim.machine(key).await.unwrap();
        machine.storage.disks.clone()
    }
}

#[async_trait]
impl Backend for Rack {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media_by_uri: false,
            ..self.sim.capabilities()
        }
    }
    async fn host(&self) -> Result<HostFacts> {
        self.sim.host().await
    }
    async fn machines(&self) -> Result<Vec<Machine>> {
        self.sim.machines().await
    }
    async fn machine(&self, key: MachineKey) -> Result<Machine> {
        self.sim.machine(key).await
    }
    async fn step(&self, key: MachineKey, step: Step) -> Result<Machine> {
        if step == Step::Start && self.dies_at_start.load(Ordering::Acquire) {
            std::future::pending::<()>().await;
        }
        if step == Step::Start && self.starts_only_as_delivered.load(Ordering::Acquire) {
            let machine = self.sim.machine(key).await?;
            let settings = &machine.firmware.settings;
            if settings
                .iter()
                .any(|setting| setting.next != setting.default)
            {
                return Err(Error::backend("The machine does not come up."));
            }
        }
        self.sim.step(key, step).await
    }
    async fn setup(&self, key: MachineKey, setup: &Setup) -> Result<Machine> {
        if !setup.knobs.is_empty() && self.refuses_settings.load(Ordering::Acquire) {
            return Err(Error::backend("The settings are refused."));
        }
        self.sim.setup(key, setup).await
    }
    async fn insert(&self, key: MachineKey, slot: &SlotId, medium: &Insert) -> Result<Machine> {
        if self.refuses_media.load(Ordering::Acquire) {
            return Err(Error::backend("The drive does not take it."));
        }
        self.sim.insert(key, slot, medium).await
    }
    async fn eject(&self, key: MachineKey, slot: &SlotId) -> Result<Machine> {
        self.sim.eject(key, slot).await
    }
    async fn make_disk(&self, key: MachineKey, disk: &NewDisk) -> Result<Machine> {
        if self.dies_at_disk.load(Ordering::Acquire) {
            self.sim.make_disk(key, disk).await?;
            std::future::pending::<()>().await;
        }
        self.sim.make_disk(key, disk).await
    }
    async fn delete_disk(&self, key: MachineKey, token: &DiskToken) -> Result<Machine> {
        self.sim.delete_disk(key, token).await
    }
    async fn grow_disk(&self, key: MachineKey, token: &DiskToken, bytes: u64) -> Result<Machine> {
        self.sim.grow_disk(key, token, bytes).await
    }
    async fn lay_firmware(&self, key: MachineKey, version: &str) -> Result<Machine> {
        self.sim.lay_firmware(key, version).await
    }
    async fn console_log(&self, key: MachineKey) -> Result<Vec<u8>> {
        self.sim.console_log(key).await
    }
    fn drain_changes(&self) -> Vec<Change> {
        self.sim.drain_changes()
    }
    async fn changed(&self) {
        self.sim.changed().await;
    }
    fn next_due(&self) -> Option<Timestamp> {
        self.sim.next_due()
    }
    fn advance(&self) {
        self.sim.advance();
    }
    fn restore(&self, seen: &[Machine]) {
        self.sim.restore(seen);
    }
    fn drifts(&self) -> bool {
        self.sim.drifts()
    }
}

/// A HawkFish on a rack, at a time that only moves when told.
#[derive(Debug)]
pub(crate) struct Rig {
    pub hf: HawkFish,
    pub rack: Arc<Rack>,
    pub clock: Arc<ManualClock>,
}

impl Rig {
    /// Two machines, with the store in `dir`.
    pub(crate) async fn start(dir: &Path, more: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let settings = SimSettings {
            systems: 2,
            seed: 1,
            ..SimSettings::default()
        };
        let sim = SimBackend::new(settings, clock.clone());
        Self::on(sim, clock, dir, more).await
    }

    /// On machines that are there already.
    pub(crate) async fn on(
        sim: Arc<SimBackend>,
        clock: Arc<ManualClock>,
        dir: &Path,
        more: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let rack = Arc::new(Rack {
            sim,
            dies_at_start: false.into(),
            dies_at_disk: false.into(),
            refuses_settings: false.into(),
            starts_only_as_delivered: false.into(),
            refuses_media: false.into(),
        });
        let builder = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(1, "test")))
            .hash_cost(HashCost::LEAST)
            .data_dir(dir)
            .host(HostId::parse("rack").unwrap(), rack.clone());
        Self {
            hf: more(builder).start().await.unwrap(),
            rack,
            clock,
        }
    }

    /// The systems, in order.
    pub(crate) fn systems(&self) -> Vec<Arc<System>> {
        self.hf.systems(&Ctx::service())
    }

    /// The first system's id.
    pub(crate) fn first(&self) -> SystemId {
        self.systems()[0].id.clone()
    }

    /// A system as it is now.
    pub(crate) fn system(&self, id: &SystemId) -> Arc<System> {
        self.hf.system(&Ctx::service(), id).unwrap()
    }
}
