//! What the machines of a rack are made from: seed, name and makes. It never changes, so that it is asked without the world's lock.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::boot::Config;
use super::hardware::Kit;
use super::identity::Identity;
use super::knobs;
use super::machine::Life;
use super::profile::Profile;
use super::storage;
use super::world::{SLOTS, timestamp};
use crate::backend::{self, Firmware, Machine, MachineKey, Mould, Processors, Slot};
use crate::entropy::{Entropy as _, SeededEntropy};
use crate::id::SlotId;

/// The mould of a rack.
#[derive(Debug)]
pub(super) struct Makes {
    recipe: Recipe,
    pub(super) identity: Identity,
    profiles: Vec<Arc<Profile>>,
    /// What machines of a profile have in common, by its place.
    kits: Vec<Kit>,
    /// Firmware settings as delivered, likewise.
    delivered: Vec<Arc<Firmware>>,
    /// Keys with the numbers of their machines in the rack, by key.
    index: Vec<(MachineKey, u32)>,
}

/// What decides which machines there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recipe {
    seed: u64,
    name: String,
    systems: u32,
}

impl Recipe {
    /// The keys of its machines, by their numbers.
    fn keys(&self) -> impl Iterator<Item = MachineKey> {
        let keys = SeededEntropy::new(self.seed, &format!("sim/{}/uuid", self.name));
        (0..self.systems).map(move |_| MachineKey(keys.uuid()))
    }
}

impl Makes {
    pub(super) fn new(
        seed: u64,
        name: &str,
        systems: usize,
        first: usize,
        profiles: Vec<Arc<Profile>>,
    ) -> Arc<Self> {
        let recipe = Recipe {
            seed,
            name: name.to_owned(),
            systems: u32::try_from(systems).expect("fewer than 2^32 machines"),
        };
        let first = u32::try_from(first).expect("fewer than 2^32 machines");
        let mut index: Vec<(MachineKey, u32)> = recipe.keys().zip(0..).collect();
        index.sort_unstable();
        Arc::new(Self {
            identity: Identity::new(seed, name, first),
            delivered: profiles
                .iter()
                .map(|profile| {
                    Arc::new(Firmware {
                        keys: knobs::keys(profile).map(Arc::new),
                        ..Config::new(profile).settings(profile)
                    })
                })
                .collect(),
            kits: profiles.iter().map(|profile| Kit::of(profile)).collect(),
            profiles,
            index,
            recipe,
        })
    }

    /// All machines with their numbers, by key.
    pub(super) fn machines(&self) -> impl Iterator<Item = (MachineKey, u32)> {
        self.index.iter().copied()
    }

    pub(super) fn profile(&self, number: u32) -> &Arc<Profile> {
        &self.profiles[number as usize % self.profiles.len()]
    }

    /// How many machines there are of each make.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&Profile, u32)> {
        let (all, makes) = (self.recipe.systems, self.profiles.len() as u32);
        let count = move |make| (all / makes) + u32::from(make < all % makes);
        let makes = self.profiles.iter().zip(0..);
        makes.map(move |(profile, make)| (&**profile, count(make)))
    }

    fn kit(&self, number: u32) -> &Kit {
        &self.kits[number as usize % self.kits.len()]
    }

    fn delivered(&self, number: u32) -> &Arc<Firmware> {
        &self.delivered[number as usize % self.delivered.len()]
    }

    fn number(&self, key: MachineKey) -> Option<u32> {
        let place = self.index.binary_search_by_key(&key, |(key, _)| *key);
        place.ok().map(|place| self.index[place].1)
    }

    /// A machine as it is shown when it lives and is set up so.
    pub(super) fn shown(
        &self,
        key: MachineKey,
        number: u32,
        life: &Life,
        config: &Config,
    ) -> Machine {
        let profile = self.profile(number);
        let asset_tag = match config.asset_tag() {
            Some("") => None,
            Some(tag) => Some(tag.to_owned()),
            None => Some(self.identity.asset_tag(number)),
        };
        Machine {
            key,
            name: self.identity.name(number),
            title: None,
            description: None,
            power: life.power(),
            crashed: life.crashed,
            last_reset: life.last_reset.map(timestamp),
            processors: Processors {
                sockets: profile.sockets,
                cores: profile.cores,
                threads: profile.threads,
                online: config.processors(profile),
                model: Some(profile.processor_model.clone()),
                manufacturer: Some(profile.parts.processor_manufacturer.clone()),
                max_mhz: Some(profile.parts.processor_mhz),
                arch: profile.arch.clone(),
            },
            memory_kib: profile.memory_kib,
            identity: backend::Identity {
                manufacturer: Some(profile.manufacturer.clone()),
                product: Some(profile.product.clone()),
                version: Some(profile.version.clone()),
                serial: Some(self.identity.serial(number)),
                sku: Some(profile.sku.clone()),
                family: Some(profile.family.clone()),
                asset_tag,
                bios_version: Some(config.firmware(profile).to_owned()),
            },
            boot: config.boot(profile, &|nic| {
                self.identity.mac(profile.parts.nic.mac_prefix, number, nic)
            }),
            slots: SLOTS
                .into_iter()
                .map(|(id, kind)| Slot {
                    id: SlotId::parse(id).expect("an identifier"),
                    kind,
                    medium: config.medium(kind).cloned(),
                })
                .collect(),
            autostart: config.autostart,
            hardware: Arc::new(self.kit(number).hardware(
                profile,
                |nic| self.identity.mac(profile.parts.nic.mac_prefix, number, nic),
                config.unplugged(),
            )),
            storage: Arc::new(storage::of(
                profile,
                &self.identity.serial(number),
                config.made(),
            )),
            firmware: if config.is_as_delivered(profile) {
                Arc::clone(self.delivered(number))
            } else {
                let delivered = self.delivered(number);
                Arc::new(Firmware {
                    keys: delivered.keys.clone(),
                    ..config.settings(profile)
                })
            },
        }
    }
}

impl Mould for Makes {
    fn keys(&self) -> Vec<MachineKey> {
        self.index.iter().map(|(key, _)| *key).collect()
    }

    fn first(&self) -> Option<MachineKey> {
        self.index.first().map(|(key, _)| *key)
    }

    fn count(&self) -> usize {
        self.index.len()
    }

    fn has(&self, key: MachineKey) -> bool {
        self.number(key).is_some()
    }

    fn make(&self, key: MachineKey) -> Option<Machine> {
        let number = self.number(key)?;
        let config = Config::new(self.profile(number));
        Some(self.shown(key, number, &Life::default(), &config))
    }

    fn samples(&self) -> Vec<MachineKey> {
        let mut samples: Vec<MachineKey> = self.recipe.keys().take(self.profiles.len()).collect();
        samples.sort_unstable();
        samples
    }

    fn recipe(&self) -> String {
        serde_json::to_string(&self.recipe).expect("numbers and a text")
    }

    fn keys_of(&self, recipe: &str) -> Option<Vec<MachineKey>> {
        let recipe: Recipe = serde_json::from_str(recipe).ok()?;
        let mut keys: Vec<MachineKey> = recipe.keys().collect();
        keys.sort_unstable();
        Some(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mould_makes_the_same_machines_over_and_over_and_knows_those_of_other_recipes() {
        let four = Makes::new(5, "sim", 4, 0, Profile::all());
        let more = Makes::new(5, "sim", 9, 0, Profile::all());
        let keys = four.keys();
        assert!(keys.is_sorted() && keys.len() == four.count());
        assert_eq!(more.keys_of(&four.recipe()), Some(keys.clone()));
        assert!(keys.iter().all(|key| more.has(*key)));
        for key in keys {
            assert_eq!(four.make(key), more.make(key));
            assert_eq!(four.make(key).unwrap().key, key);
        }
        assert_eq!(more.make(MachineKey(uuid::Uuid::nil())), None);
        assert_eq!(more.keys_of("no recipe"), None);
        assert_eq!(more.samples().len(), 4);
        let counts: Vec<u32> = more.counts().map(|(_, count)| count).collect();
        assert_eq!(counts, [3, 2, 2, 2]);
    }
}
