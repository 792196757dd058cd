//! What a change of a machine tells of its parts: from how it was and how it is, to what is no longer as it was. Pure.
//!
//! What happened to the machine as a whole is told by its log ([`tale`](crate::logs::tale)), and what that tells is not told again.

use super::Subject;
use crate::backend::{Disk, Knob, Machine, Nic, Setting};
use crate::id::SystemId;
use crate::logs::What;
use crate::tasks::Severity;

/// All that there is of a system: new, or gone.
pub(crate) fn whole(id: &SystemId) -> [Subject; 3] {
    [
        Subject::System(id.clone()),
        Subject::Chassis(id.clone()),
        Subject::Manager(id.clone()),
    ]
}

/// What happened to the parts of a machine that was as `before` and is as `now`. `told` is what is told of it as a whole.
pub(crate) fn parts(
    id: &SystemId,
    before: &Machine,
    now: &Machine,
    told: &[What],
) -> Vec<(Subject, What)> {
    let mut all = Vec::new();
    let mut turns = false;
    for what in told {
        let chassis = match what {
            What::PoweredOn(why) => What::PoweredOn(*why),
            What::PoweredOff(why) => What::PoweredOff(*why),
            What::Crashed if now.power == crate::backend::Power::Off => {
                What::PoweredOff(crate::logs::Why::Guest)
            }
            What::Crashed | What::Reset(_) | What::Paused(_) | What::Resumed(_) => {
                turns = true;
                continue;
            }
            _ => continue,
        };
        turns = true;
        all.push((Subject::Chassis(id.clone()), chassis));
    }
    // On its way to where it was told to be already.
    let arrives = before.power != now.power && !turns;
    let set = settings(before, now);
    if arrives || set.contains(&Knob::WatchdogAction) || differs(before, now) {
        all.push((Subject::System(id.clone()), What::Changed));
    }
    if arrives || before.name != now.name || before.identity != now.identity {
        all.push((Subject::Chassis(id.clone()), What::Changed));
    }
    if before.identity.bios_version != now.identity.bios_version {
        all.push((Subject::Firmware(id.clone()), What::Changed));
    }
    if !set.is_empty() {
        all.push((Subject::Bios(id.clone()), What::Changed));
    }
    if set.contains(&Knob::SecureBoot)
        || before.boot.secure != now.boot.secure
        || before.firmware.keys != now.firmware.keys
    {
        all.push((Subject::SecureBoot(id.clone()), What::Changed));
    }
    nics(id, before, now, &mut all);
    disks(id, before, now, &mut all);
    all
}

/// Whether the machine as a whole shows something else than before, in a way that has no other name.
fn differs(before: &Machine, now: &Machine) -> bool {
    before.name != now.name
        || before.title != now.title
        || before.description != now.description
        || before.processors != now.processors
        || before.memory_kib != now.memory_kib
        || before.identity != now.identity
        || before.autostart != now.autostart
        || before.boot.targets != now.boot.targets
        || before.boot.modes != now.boot.modes
        || devices(before) != devices(now)
        || before.storage.controllers != now.storage.controllers
        || slots(before).ne(slots(now))
        || other_parts(before, now)
}

fn slots(machine: &Machine) -> impl Iterator<Item = &str> {
    machine.slots.iter().map(|slot| slot.id.as_str())
}

/// What can be booted from, in an order that is always the same: another order has a name of its own.
fn devices(machine: &Machine) -> Vec<(&str, &str)> {
    let options = machine.boot.options.iter();
    let mut all: Vec<_> = options
        .map(|option| (option.id.as_str(), option.name.as_str()))
        .collect();
    all.sort_unstable();
    all
}

fn other_parts(before: &Machine, now: &Machine) -> bool {
    let (old, new) = (&*before.hardware, &*now.hardware);
    old.board != new.board
        || old.modules != new.modules
        || old.pci != new.pci
        || old.video != new.video
        || old.displays != new.displays
        || old.serials != new.serials
        || old.usb != new.usb
        || old.tpm != new.tpm
        || old.watchdog.is_some() != new.watchdog.is_some()
}

/// The firmware settings that are not as they were.
fn settings(before: &Machine, now: &Machine) -> Vec<Knob> {
    let (old, new) = (&before.firmware.settings, &now.firmware.settings);
    if old == new {
        return Vec::new();
    }
    let of = |all: &[Setting], knob| all.iter().find(|setting| setting.knob == knob).cloned();
    let mut knobs: Vec<Knob> = old.iter().chain(new).map(|setting| setting.knob).collect();
    knobs.sort_unstable();
    knobs.dedup();
    knobs.retain(|knob| of(old, *knob) != of(new, *knob));
    knobs
}

fn nics(id: &SystemId, before: &Machine, now: &Machine, all: &mut Vec<(Subject, What)>) {
    let about = |nic: &Nic| Subject::Nic {
        system: id.clone(),
        nic: nic.name.clone(),
    };
    let (old, new) = (&before.hardware, &now.hardware);
    for nic in old.nics.iter().filter(|nic| new.nic(&nic.name).is_none()) {
        all.push((about(nic), What::Removed));
    }
    for nic in &new.nics {
        match old.nic(&nic.name) {
            None => all.push((about(nic), What::Created)),
            Some(known) if known != nic => all.push((about(nic), What::Changed)),
            Some(_) => {}
        }
    }
}

fn disks(id: &SystemId, before: &Machine, now: &Machine, all: &mut Vec<(Subject, What)>) {
    let mut say = |disk: &Disk, what: What| {
        let drive = Subject::Drive {
            system: id.clone(),
            drive: disk.id.clone(),
        };
        let volume = Subject::Volume {
            system: id.clone(),
            controller: disk.controller.clone(),
            disk: disk.id.clone(),
        };
        all.extend([(volume, what.clone()), (drive, what)]);
    };
    let (old, new) = (&before.storage, &now.storage);
    for disk in &old.disks {
        let is_gone = new
            .disk(&disk.id)
            .is_none_or(|now| now.controller != disk.controller);
        if is_gone {
            say(disk, What::Removed);
        }
    }
    for disk in &new.disks {
        let known = old.disk(&disk.id);
        match known.filter(|known| known.controller == disk.controller) {
            None => say(disk, What::Created),
            // What a disk takes of its host changes all the time, and is nobody's news.
            Some(known) => {
                let known = Disk {
                    allocated: disk.allocated,
                    ..known.clone()
                };
                if known.failed != disk.failed {
                    say(
                        disk,
                        What::Health(match disk.failed {
                            true => Severity::Critical,
                            false => Severity::Ok,
                        }),
                    );
                } else if known != *disk {
                    say(disk, What::Changed);
                }
            }
        }
    }
}
