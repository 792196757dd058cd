//! Inserting and ejecting media.

use std::path::Path;
use std::sync::Arc;

use virt::domain::Domain;
use virt::sys;

use super::boot::{define, definition, running};
use super::host::Host;
use super::line::Line;
use super::look::is_active;
use super::marker::Marker;
use super::media::{self, Live};
use super::xml::Doc;
use super::{Driver, fault, live, order};
use crate::backend::{Insert, Machine, MachineKey, MediaSource};
use crate::error::{Conflict, Error, Invalid, Result};
use crate::id::SlotId;

fn apply(domain: &Domain, key: MachineKey, live: &Live, doing: &'static str) -> Result<()> {
    match live {
        // By force: a guest that has locked its drive is not asked.
        Live::Change(xml) => domain.update_device_flags(
            xml,
            sys::VIR_DOMAIN_DEVICE_MODIFY_LIVE | sys::VIR_DOMAIN_DEVICE_MODIFY_FORCE,
        ),
        Live::Attach(xml) => domain.attach_device_flags(xml, sys::VIR_DOMAIN_AFFECT_LIVE),
        Live::Detach(xml) => domain.detach_device_flags(xml, sys::VIR_DOMAIN_AFFECT_LIVE),
    }
    .map(drop)
    .map_err(|error| fault::of(&error, doing, key))
}

impl Host {
    fn slot_holds_something(&self, machine: &Machine, slot: &SlotId) -> Result<bool> {
        let found = machine
            .slots
            .iter()
            .find(|found| found.id == *slot)
            .ok_or_else(|| Error::not_found("VirtualMedia", slot.as_str()))?;
        Ok(found.medium.is_some())
    }

    /// Puts a file into a slot.
    pub(super) fn insert(
        &self,
        line: &Line,
        key: MachineKey,
        slot: &SlotId,
        medium: &Insert,
    ) -> Result<Arc<Machine>> {
        let doing = "insert the medium";
        let file = match &medium.source {
            MediaSource::File(file) => file.as_path(),
            MediaSource::Uri(_) => return Err(Error::unsupported("Inserting media by address")),
        };
        // The picture must be of now: others may have put something into the slot.
        let machine = self.look(line, key, &[])?;
        if self.slot_holds_something(&machine, slot)? {
            return Err(Error::conflict(
                Conflict::Occupied,
                "There is a medium in the slot.",
            ));
        }
        self.want_readable(file)?;
        let (domain, state) = self.find(line, key)?;
        self.want_persistent(&domain, key)?;
        let mut config = definition(&domain, key)?;
        let before = config.to_text();
        let mut running_doc = self.live_doc(&domain, key, state)?;
        let change = media::insert(
            &mut config,
            running_doc.as_mut(),
            slot.as_str(),
            file,
            medium.write_protected,
        )?;
        order::renumber(&mut config);
        define(line, key, &config.to_text())?;
        let rest = || {
            if let Some(change) = &change {
                apply(&domain, key, change, doing)?;
                self.follow_override(&domain, key, &config)?;
            }
            let machine = self.look(line, key, &[])?;
            if self.slot_holds_something(&machine, slot)? {
                Ok(machine)
            } else {
                Err(Error::backend(
                    "The hypervisor took the medium and does not show it.",
                ))
            }
        };
        rest().inspect_err(|_| {
            // All or nothing.
            if change.is_some()
                && let Ok(mut live) = running(&domain, key)
                && let Some(undo) = media::eject(&mut config, Some(&mut live), slot.as_str())
            {
                let _ = apply(&domain, key, &undo, doing);
            }
            let _ = define(line, key, &before);
            let _ = self.look(line, key, &[]);
        })
    }

    /// Takes the medium out of a slot.
    pub(super) fn eject(
        &self,
        line: &Line,
        key: MachineKey,
        slot: &SlotId,
    ) -> Result<Arc<Machine>> {
        let doing = "eject the medium";
        let machine = self.look(line, key, &[])?;
        if !self.slot_holds_something(&machine, slot)? {
            return Err(Error::conflict(Conflict::Empty, "The slot is empty."));
        }
        let (domain, state) = self.find(line, key)?;
        self.want_persistent(&domain, key)?;
        let mut config = definition(&domain, key)?;
        let before = config.to_text();
        let mut running_doc = self.live_doc(&domain, key, state)?;
        let change = media::eject(&mut config, running_doc.as_mut(), slot.as_str());
        order::renumber(&mut config);
        let after = config.to_text();
        if after != before {
            define(line, key, &after)?;
        }
        let rest = || {
            if let Some(change) = &change {
                apply(&domain, key, change, doing)?;
                self.follow_override(&domain, key, &config)?;
            }
            let machine = self.look(line, key, &[])?;
            if self.slot_holds_something(&machine, slot)? {
                return Err(Error::backend("The guest does not let go of the medium."));
            }
            Ok(machine)
        };
        rest().inspect_err(|_| {
            if after != before {
                let _ = define(line, key, &before);
            }
            let _ = self.look(line, key, &[]);
        })
    }

    fn live_doc(
        &self,
        domain: &Domain,
        key: MachineKey,
        state: super::raw::State,
    ) -> Result<Option<Doc>> {
        if is_active(state) && self.driver() == Driver::Qemu {
            return Ok(Some(running(domain, key)?));
        }
        Ok(None)
    }

    /// A device that came or went has its place in an override that waits for the next reset.
    fn follow_override(&self, domain: &Domain, key: MachineKey, config: &Doc) -> Result<()> {
        if Marker::read(config).over.is_none() {
            return Ok(());
        }
        let live = running(domain, key)?;
        live::set_order(domain, key, &live, &order::effective(config))
    }

    fn want_readable(&self, file: &Path) -> Result<()> {
        let invalid = |message: &'static str| {
            Error::invalid(
                "/Image",
                file.display().to_string(),
                Invalid::Format,
                message,
            )
        };
        let is_plain = file
            .to_str()
            .is_some_and(|path| !path.chars().any(char::is_control));
        if !file.is_absolute() || !is_plain {
            return Err(invalid(
                "The image is not named by a full path in plain letters.",
            ));
        }
        // Nobody reads it there; and on another machine we cannot look.
        if self.driver() == Driver::Qemu && self.settings.is_local() && !file.is_file() {
            return Err(Error::backend("There is no such image file on the host.")
                .with("file", file.display()));
        }
        Ok(())
    }
}
