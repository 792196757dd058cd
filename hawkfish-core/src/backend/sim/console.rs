//! What a machine says on its first serial console.
//!
//! Kept as what happened, a few bytes each, and put into words when somebody reads it: a hundred thousand consoles then fit in little memory.

use std::fmt::Write as _;
use std::sync::Arc;

use super::boot::Source;
use super::machine::Millis;
use super::profile::Profile;
use crate::backend::{BootMode, BootOverride, BootTarget};

/// Most that is read back, bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// Entries that certainly fill [`LONGEST`]: none is shorter than 32 bytes, save lines of scripts.
const KEPT: usize = LONGEST / SHORTEST;
const SHORTEST: usize = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    /// Since the cold start, ms.
    at: u32,
    mode: BootMode,
    what: What,
}

/// Something worth saying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The firmware after a cold start.
    PowerOn,
    /// The firmware after a reset.
    Reset,
    /// The firmware was told what to boot first.
    Override(BootOverride),
    /// The firmware could not boot from there.
    Failed(Source, Why),
    /// The firmware hands over.
    Booted(Source, Image),
    /// The firmware's set-up.
    Setup,
    /// The firmware has nothing left to try.
    NothingToBoot,
    /// The guest is up.
    Prompt,
    /// The guest heard and does nothing.
    Ignored,
    /// The guest heard and goes down.
    GoingDown { restart: bool },
    /// The guest is down.
    Down,
    /// The guest resets its machine.
    OwnReset,
    /// The guest fails as a non-maskable interrupt tells it to.
    Panic,
    /// The guest fails by itself.
    Fault,
    /// The guest heard a non-maskable interrupt and does nothing.
    NmiIgnored,
    /// The guest begins to write its memory to disk.
    Dumping,
    /// It has.
    Dumped,
    /// The guest does nothing any more.
    Hangs,
    /// An installer begins.
    Installing,
    /// It is done.
    Installed { ejects: bool },
    /// A line of the guest's script, and the number of the boot.
    Line(Arc<str>, u32),
    /// The watchdog fires.
    Watchdog,
}

impl What {
    /// Whether it is the firmware that says it, not the guest.
    pub(super) fn is_of_firmware(&self) -> bool {
        matches!(
            self,
            Self::PowerOn
                | Self::Reset
                | Self::Override(_)
                | Self::Failed(..)
                | Self::Booted(..)
                | Self::Setup
                | Self::NothingToBoot
        )
    }
}

/// Why a source could not be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Empty,
    NoSystem,
    NoAnswer,
    Unreachable,
    UnknownToFirmware,
    Installed,
}

/// What was booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Image {
    Disk(u8),
    Nic(u8),
    At(Arc<str>),
}

/// What the words need to know of a machine.
pub(super) struct Speaker<'a> {
    pub name: &'a str,
    pub serial: &'a str,
    pub profile: &'a Profile,
    /// Version of the firmware.
    pub firmware: &'a str,
    pub mac: &'a dyn Fn(u8) -> String,
}

/// The console of a machine since its cold start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Console {
    started: Millis,
    said: Vec<Said>,
    /// How much was said before that.
    before: u32,
}

impl Console {
    pub(super) fn clear(&mut self, now: Millis) {
        self.started = now;
        self.before = self.before.saturating_add(self.count());
        self.said.clear();
    }

    pub(super) fn say(&mut self, now: Millis, mode: BootMode, what: What) {
        if self.said.len() >= 2 * KEPT {
            self.said.drain(..KEPT);
            self.before = self.before.saturating_add(KEPT as u32);
        }
        self.said.push(Said {
            at: (now - self.started).try_into().unwrap_or(u32::MAX),
            mode,
            what,
        });
    }

    fn count(&self) -> u32 {
        self.said.len().try_into().unwrap_or(u32::MAX)
    }

    /// The number that comes next.
    pub(super) fn next(&self) -> u64 {
        u64::from(self.before) + u64::from(self.count())
    }

    /// The text from the number `since` on, at most the last 64 KiB of it.
    pub(super) fn text(&self, speaker: &Speaker<'_>, since: u64) -> Vec<u8> {
        let mut text = String::new();
        let skipped = since.saturating_sub(u64::from(self.before));
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        for said in self.said.iter().skip(skipped) {
            said.write(&mut text, speaker);
        }
        let mut bytes = text.into_bytes();
        bytes.drain(..bytes.len().saturating_sub(LONGEST));
        bytes
    }
}

impl Said {
    fn write(&self, out: &mut String, speaker: &Speaker<'_>) {
        let stamp = format!("[{:6}.{:03}]", self.at / 1000, self.at % 1000);
        let name = speaker.name;
        let mode = self.mode;
        let profile = speaker.profile;
        let place = |source: Source| match source.target {
            BootTarget::Hdd => profile
                .disks
                .get(usize::from(source.unit))
                .map_or_else(|| "disk".to_owned(), |disk| disk.name.clone()),
            BootTarget::Pxe => format!("network {}", (speaker.mac)(source.unit)),
            BootTarget::UefiHttp => format!("http {}", (speaker.mac)(source.unit)),
            BootTarget::Cd => "virtual cd".to_owned(),
            BootTarget::Usb => "virtual usb".to_owned(),
            BootTarget::BiosSetup => "set-up".to_owned(),
        };
        let firmware = match mode {
            BootMode::Legacy => "BIOS",
            BootMode::Uefi => "UEFI",
        };
        let written = match &self.what {
            What::PowerOn | What::Reset => {
                let why = if self.what == What::PowerOn {
                    "power on"
                } else {
                    "reset"
                };
                writeln!(
                    out,
                    "{stamp} {} {firmware} firmware {}: {why}\n{stamp} {}, serial {}, {} x {} cores, {} MiB",
                    profile.manufacturer,
                    speaker.firmware,
                    profile.product,
                    speaker.serial,
                    profile.sockets,
                    profile.cores,
                    profile.memory_kib / 1024,
                )
            }
            What::Override(BootOverride { target, once }) => {
                let how_long = if *once { "once" } else { "until changed" };
                writeln!(out, "{stamp} firmware: told to boot {target:?}, {how_long}")
            }
            What::Failed(source, why) => {
                let why = match why {
                    Why::Empty => "nothing in it",
                    Why::NoSystem => "no operating system on it",
                    Why::NoAnswer => "nobody answers",
                    Why::Unreachable => "the server cannot be reached",
                    Why::UnknownToFirmware => "not known to this firmware",
                    Why::Installed => "told to boot from disk",
                };
                writeln!(
                    out,
                    "{stamp} firmware: tried {:?} ({}): {why}",
                    source.target,
                    place(*source)
                )
            }
            What::Booted(source, image) => {
                let image = match image {
                    Image::Disk(unit) => place(Source {
                        target: BootTarget::Hdd,
                        unit: *unit,
                    }),
                    Image::Nic(unit) => (speaker.mac)(*unit),
                    Image::At(place) => place.to_string(),
                };
                writeln!(
                    out,
                    "{stamp} firmware: booting {:?} ({})\nHAWKFISH-BOOT target={:?} image={image} mode={mode:?}",
                    source.target,
                    place(*source),
                    source.target,
                )
            }
            What::Setup => writeln!(
                out,
                "{stamp} firmware: set-up\nHAWKFISH-BOOT target=BiosSetup image=setup mode={mode:?}"
            ),
            What::NothingToBoot => writeln!(out, "{stamp} firmware: no bootable device"),
            What::Prompt => write!(out, "{stamp} system: all services are up\n\n{name} login: "),
            What::Ignored => writeln!(out, "\n{stamp} system: power button ignored"),
            What::GoingDown { restart: true } => {
                writeln!(out, "\n{stamp} system: going down for a restart")
            }
            What::GoingDown { restart: false } => {
                writeln!(out, "\n{stamp} system: going down for power off")
            }
            What::Down => writeln!(out, "{stamp} system: power down"),
            What::OwnReset => writeln!(out, "\n{stamp} system: resetting this machine"),
            What::Panic => writeln!(
                out,
                "\n{stamp} kernel panic - not syncing: NMI: unknown reason"
            ),
            What::Fault => writeln!(out, "\n{stamp} kernel panic - not syncing: Fatal exception"),
            What::NmiIgnored => writeln!(out, "\n{stamp} system: NMI: dazed, but going on"),
            What::Dumping => writeln!(out, "{stamp} kdump: saving memory to disk"),
            What::Dumped => writeln!(out, "{stamp} kdump: saving memory is complete"),
            What::Hangs => writeln!(
                out,
                "{stamp} system: task blocked for more than 120 seconds"
            ),
            What::Installing => writeln!(out, "{stamp} installer: installing to the first disk"),
            What::Installed { ejects } => {
                let ejected = if *ejects { ", medium ejected" } else { "" };
                writeln!(out, "{stamp} installer: installation is complete{ejected}")
            }
            What::Line(text, boot) => {
                // What came before may be a prompt.
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                let text = text
                    .replace("{name}", name)
                    .replace("{serial}", speaker.serial)
                    .replace("{boot}", &boot.to_string());
                writeln!(out, "{text}")
            }
            What::Watchdog => writeln!(out, "{stamp} watchdog: not fed in time"),
        };
        written.expect("a String takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_64_kib_are_always_there_and_no_more_is_kept() {
        let profile = Profile::default();
        let mac = |_: u8| "02:00:00:00:00:00".to_owned();
        let speaker = Speaker {
            name: "a",
            serial: "",
            profile: &profile,
            firmware: "1.0",
            mac: &mac,
        };
        let everything = [
            What::PowerOn,
            What::Reset,
            What::Setup,
            What::NothingToBoot,
            What::Prompt,
            What::Ignored,
            What::GoingDown { restart: true },
            What::GoingDown { restart: false },
            What::Down,
            What::OwnReset,
            What::Panic,
            What::Fault,
            What::NmiIgnored,
            What::Dumping,
            What::Dumped,
            What::Hangs,
            What::Installing,
            What::Installed { ejects: false },
        ];
        for what in everything {
            let mut console = Console::default();
            console.say(0, BootMode::Uefi, what.clone());
            assert!(
                console.text(&speaker, 0).len() >= SHORTEST,
                "{what:?} is too short"
            );
        }
        let mut console = Console::default();
        for at in 0..100_000 {
            console.say(at, BootMode::Uefi, What::Down);
        }
        assert!(console.said.len() <= 2 * KEPT);
        let text = String::from_utf8(console.text(&speaker, 0)).unwrap();
        assert_eq!(text.len(), LONGEST);
        assert!(
            text.ends_with("[    99.999] system: power down\n"),
            "{}",
            &text[LONGEST - 99..]
        );
    }
}
