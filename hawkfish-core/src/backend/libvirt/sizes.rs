//! How large disks are, and which of them failed.
//!
//! libvirt tells the sizes of all disks of a host in one call, for which it asks every emulator; one that hangs holds up the answer. So that call is made aside, by one
//! thread at a time, and what comes of it is put into the picture when it comes.

use std::sync::Arc;

use virt::domain::Domain;

use super::fault;
use super::host::{Entry, Host};
use super::line::Line;
use super::storage::{differs, keep_sizes};
use super::{raw, volume};
use crate::backend::{Cause, Change, MachineKey};
use crate::error::Result;

/// Held while somebody asks for the sizes, whatever becomes of it.
struct Sizing(Arc<Host>);

impl Drop for Sizing {
    fn drop(&mut self) {
        self.0.picture().sizing = false;
    }
}

impl Host {
    /// Whether there is a pool in which disks can be made.
    pub(super) fn has_pool(&self) -> bool {
        self.picture().pool.is_some()
    }

    /// Whether a machine has a disk whose size nobody asked for.
    pub(super) fn wants_sizes(&self, key: MachineKey, entry: &Entry) -> bool {
        let told = &entry.live.as_ref().unwrap_or(&entry.config).storage;
        told.wants_sizes(self.picture().blocks.get(&key))
    }

    /// Asks for the sizes of the disks of one machine.
    pub(super) fn size(&self, domain: &Domain, key: MachineKey) {
        match raw::blocks_of(domain) {
            Ok(mut blocks) => {
                let mut picture = self.picture();
                keep_sizes(picture.blocks.get(&key), &mut blocks);
                picture.blocks.insert(key, blocks);
            }
            Err(error) => {
                tracing::debug!(machine = %key, error = error.message(), "no sizes of disks");
            }
        }
    }

    /// Asks for the sizes of all disks, unless somebody is at it.
    pub(super) fn size_later(self: &Arc<Self>) {
        {
            let mut picture = self.picture();
            if !picture.connected || picture.sizing {
                return;
            }
            picture.sizing = true;
        }
        let sizing = Sizing(Arc::clone(self));
        self.submit(None, move |line| {
            let done = sizing.0.size_all(line);
            drop(sizing);
            done
        });
    }

    fn size_all(&self, line: &Line) -> Result<()> {
        let all = raw::blocks(&line.conn).map_err(|error| fault::unavailable_if_lost(&error))?;
        let pool = volume::pool(&line.conn, self.settings.storage_pool.as_deref());
        let mut picture = self.picture();
        if let Ok(pool) = pool {
            picture.pool = pool;
        }
        for (uuid, mut blocks) in all {
            let key = MachineKey(uuid);
            let known = picture.blocks.get(&key);
            keep_sizes(known, &mut blocks);
            if known.is_some_and(|known| !differs(known, &blocks)) {
                continue;
            }
            let Some(entry) = picture.entries.get(&key) else {
                continue;
            };
            let told = &entry.live.as_ref().unwrap_or(&entry.config).storage;
            let volumes = &entry.config.marker.volumes;
            let storage = told.with(Some(&blocks), picture.failed.get(&key), volumes);
            let mut machine = (*entry.machine).clone();
            let is_new = *machine.storage != *storage;
            machine.storage = storage;
            let machine = Arc::new(machine);
            picture.blocks.insert(key, blocks);
            if !is_new {
                continue;
            }
            if let Some(entry) = picture.entries.get_mut(&key) {
                entry.machine = Arc::clone(&machine);
            }
            let cause = Cause::Seen;
            self.tell(&mut picture, Change::Machine { machine, cause });
        }
        let entries = std::mem::take(&mut picture.entries);
        picture.blocks.retain(|key, _| entries.contains_key(key));
        picture.leases.retain(|key, _| entries.contains_key(key));
        picture.failed.retain(|key, _| entries.contains_key(key));
        picture.entries = entries;
        Ok(())
    }

    /// A device of a machine could not be read or written.
    pub(super) fn device_failed(&self, key: MachineKey, alias: &str) {
        let mut picture = self.picture();
        let failed = picture.failed.entry(key).or_default();
        // A guest decides how many devices it has, not how much memory we use.
        if failed.len() < 256 {
            failed.insert(alias.to_owned());
        }
    }
}
