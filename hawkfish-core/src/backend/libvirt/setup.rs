//! Changing how a machine is set up.

use std::sync::Arc;

use super::boot::{define, definition, running};
use super::firmware::Make;
use super::host::Host;
use super::line::Line;
use super::look::is_active;
use super::marker::Marker;
use super::xml::Doc;
use super::{Driver, device, fault, firmware, identity, knobs, live, nic, order};
use crate::backend::{BootOverride, Knob, Machine, MachineKey, Setup};
use crate::error::{Conflict, Error, Invalid, Result};

/// Edits a definition as wanted; `facts` are those of the definition as it is. Touches no host.
pub(super) fn edit(doc: &mut Doc, facts: &Machine, setup: &Setup, id: &str) -> Result<()> {
    if let Some(mode) = setup.mode {
        if !facts.boot.modes.contains(&mode) {
            return Err(Error::invalid(
                "/Boot/BootSourceOverrideMode",
                format!("{mode:?}"),
                Invalid::NotInList,
                "This machine cannot start by that firmware.",
            ));
        }
        firmware::set_mode(doc, mode)?;
    }
    if let Some(Some(uri)) = &setup.http_uri {
        return Err(Error::invalid(
            "/Boot/HttpBootUri",
            uri.as_str(),
            Invalid::ReadOnly,
            "The firmware of this machine takes the address to boot from from its network.",
        ));
    }
    if let Some(tag) = &setup.asset_tag {
        identity::set_asset_tag(doc, tag)?;
    }
    if let Some(wanted) = &setup.order {
        let devices = device::all(doc);
        let ids = device::option_ids(&devices);
        let mut keys = Vec::with_capacity(wanted.len());
        for (place, id) in wanted.iter().enumerate() {
            let key = ids
                .iter()
                .position(|known| known == id)
                .map(|n| &devices[n])
                .filter(|device| device.target.is_some())
                .map(|device| device.key.clone())
                .filter(|key| !keys.contains(key));
            let Some(key) = key else {
                return Err(Error::invalid(
                    format!("/Boot/BootOrder/{place}"),
                    id.as_str(),
                    Invalid::NotInList,
                    "This machine has no such boot option, or it is named twice.",
                ));
            };
            keys.push(key);
        }
        if keys.is_empty() {
            return Err(Error::invalid(
                "/Boot/BootOrder",
                "[]",
                Invalid::Length { min: 1, max: 256 },
                "A machine of this host always tries to boot from something.",
            ));
        }
        order::set_order(doc, &keys)?;
    }
    nic::check(&facts.hardware.nics, &setup.nic_link)?;
    nic::set_links(doc, &facts.hardware.nics, &setup.nic_link);
    match setup.over {
        Some(Some(over)) => set_override(doc, facts, over, id)?,
        Some(None) => order::clear_override(doc)?,
        None => {}
    }
    Ok(())
}

fn set_override(doc: &mut Doc, facts: &Machine, over: BootOverride, id: &str) -> Result<()> {
    if !facts.boot.targets.contains(&over.target) {
        return Err(Error::invalid(
            "/Boot/BootSourceOverrideTarget",
            format!("{:?}", over.target),
            Invalid::NotInList,
            "This machine has nothing of that kind to boot from.",
        ));
    }
    order::set_override(doc, over, id.to_owned());
    Ok(())
}

impl Host {
    /// Changes how a machine is set up, and returns it as it is then.
    pub(super) fn setup(
        &self,
        line: &Line,
        key: MachineKey,
        setup: &Setup,
    ) -> Result<Arc<Machine>> {
        let (domain, state) = self.find(line, key)?;
        let entry = self.entry(key);
        let facts = match &entry {
            Some(entry) => Arc::clone(&entry.machine),
            None => self.look(line, key, &[])?,
        };
        self.want_persistent(&domain, key)?;
        let mut doc = definition(&domain, key)?;
        let before = doc.to_text();
        let order_before = order::effective(&doc);
        edit(&mut doc, &facts, setup, &self.stamp())?;
        if !setup.knobs.is_empty() {
            self.edit_knobs(line, key, &domain, &mut doc, setup)?;
        }
        let after = doc.to_text();
        let order = order::effective(&doc);
        let has_override = Marker::read(&doc).over.is_some();

        let autostart = setup
            .autostart
            .filter(|wanted| domain.get_autostart().ok() != Some(*wanted));
        if after != before {
            define(line, key, &after)?;
        }
        let is_running = is_active(state) && self.driver() == Driver::Qemu;
        let rest = || {
            if let Some(wanted) = autostart {
                domain.set_autostart(wanted).map_err(|error| {
                    fault::of(&error, "change whether it starts by itself", key)
                })?;
            }
            let is_about_boot = setup.over.is_some() || setup.order.is_some();
            if is_about_boot && is_running {
                let live = running(&domain, key)?;
                if has_override || order != order_before || Marker::read(&live).over.is_some() {
                    live::set_order(&domain, key, &live, &order)?;
                }
            }
            if let Some(action) = setup
                .knobs
                .get(&Knob::WatchdogAction)
                .filter(|_| is_running)
            {
                live::set_watchdog(&domain, key, *action)?;
            }
            if !setup.nic_link.is_empty() && is_running {
                let live = running(&domain, key)?;
                nic::set_live_links(&domain, key, live, &facts.hardware.nics, &setup.nic_link)?;
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = rest() {
            // All or nothing; what cannot be put back is shown by the look that the events cause.
            if autostart.is_some() {
                let _ = domain.set_autostart(facts.autostart);
            }
            if after != before {
                let _ = define(line, key, &before);
            }
            if is_running {
                let before = setup.nic_link.keys().filter_map(|name| {
                    let nic = facts.hardware.nic(name)?;
                    Some((name.clone(), nic.link_up))
                });
                let _ = running(&domain, key).and_then(|live| {
                    nic::set_live_links(&domain, key, live, &facts.hardware.nics, &before.collect())
                });
                let _ = self.bring_in_order(&domain, key, &order_before);
            }
            return Err(error);
        }
        self.look(line, key, &[])
    }

    fn edit_knobs(
        &self,
        line: &Line,
        key: MachineKey,
        domain: &virt::domain::Domain,
        doc: &mut Doc,
        setup: &Setup,
    ) -> Result<()> {
        let is_running = domain
            .is_active()
            .map_err(|error| fault::of(&error, "look at the machine", key))?;
        if !is_running && domain.has_managed_save(0).unwrap_or(false) {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The machine is suspended: it goes on as it was, and takes settings when it has been switched off.",
            ));
        }
        let make = Make::of(doc);
        let offers = self.surroundings(line, &make).offers;
        let facts = knobs::firmware(&knobs::read(doc, &make, offers), None);
        let in_use = if is_running && setup.knobs.contains_key(&Knob::SecureBoot) {
            let live = running(domain, key)?;
            live.path(&["os", "nvram"])
                .and_then(|node| live.string(node))
        } else {
            None
        };
        // Where they lie does not show before the machine runs.
        let nvram = in_use.or_else(|| firmware::usual_nvram(doc));
        knobs::edit(doc, &facts, &setup.knobs, offers, nvram.as_deref())
    }

    /// A name for an override: the moment at which it is set.
    fn stamp(&self) -> String {
        self.clock.now().as_nanosecond().to_string()
    }

    /// What runs without a definition cannot be set up: it would be gone at its next start.
    pub(super) fn want_persistent(
        &self,
        domain: &virt::domain::Domain,
        key: MachineKey,
    ) -> Result<()> {
        let is_persistent = domain
            .is_persistent()
            .map_err(|error| fault::of(&error, "look at the machine", key))?;
        if is_persistent {
            Ok(())
        } else {
            Err(Error::conflict(
                Conflict::NotAllowed,
                "The machine has no definition of its own: it ends when it is switched off.",
            ))
        }
    }
}
