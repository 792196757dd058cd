//! How a simulated machine is set up, what is in its slots, and what its firmware makes of both.

use std::collections::BTreeSet;
use std::sync::Arc;

use url::{Host, Url};

use super::console::{Image, What, Why};
use super::hardware;
use super::knobs::Knobs;
use super::profile::{Guest, Profile};
use super::storage::{self, Made};
use crate::backend::{
    Boot, BootMode, BootOption, BootOverride, BootTarget, Machine, MediaKind, MediaSource, Medium,
    Setup,
};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::id::BootOptionId;

/// A device to boot from: the n-th of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub target: BootTarget,
    pub unit: u8,
}

/// What was set, rather than delivered. A machine that nobody touched has no `more`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub over: Option<BootOverride>,
    /// The firmware in use.
    pub mode: BootMode,
    /// The firmware from the next cold start on.
    pub next_mode: BootMode,
    pub autostart: bool,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    http_uri: Option<String>,
    /// `Some("")`: taken away.
    asset_tag: Option<String>,
    /// Enabled boot options by number.
    order: Option<Box<[u8]>>,
    /// Network interfaces without a cable: a bit for each.
    unplugged: u16,
    cd: Option<Medium>,
    usb: Option<Medium>,
    knobs: Knobs,
    made: Vec<Made>,
    /// Slots whose media the machine does not see.
    unseen: Vec<MediaKind>,
    /// An installer has put a system on the first disk.
    installed: bool,
    /// The firmware in use, where it is not the one that was delivered.
    firmware: Option<Box<str>>,
    /// The firmware that is laid ready for the next reset.
    next_firmware: Option<Box<str>>,
}

const LONGEST_ASSET_TAG: usize = 255;
const LONGEST_URI: usize = 2048;

/// Every device of a machine of that make; its place is the number of its boot option.
fn sources(profile: &Profile) -> impl Iterator<Item = Source> {
    let disks = profile.disks.len().min(64) as u8;
    let nics = hardware::nics(profile);
    let of = |target| move |unit| Source { target, unit };
    (0..disks)
        .map(of(BootTarget::Hdd))
        .chain((0..1).map(of(BootTarget::Cd)))
        .chain((0..1).map(of(BootTarget::Usb)))
        .chain((0..nics).map(of(BootTarget::Pxe)))
        .chain((0..nics.min(1)).map(of(BootTarget::UefiHttp)))
}

fn is_known_to(mode: BootMode, target: BootTarget) -> bool {
    target != BootTarget::UefiHttp || mode == BootMode::Uefi
}

fn targets(profile: &Profile, mode: BootMode) -> BTreeSet<BootTarget> {
    sources(profile)
        .map(|source| source.target)
        .chain([BootTarget::BiosSetup])
        .filter(|target| is_known_to(mode, *target))
        .collect()
}

fn option_id(number: usize) -> BootOptionId {
    BootOptionId::parse(&format!("Boot{number:04X}")).expect("an identifier")
}

impl Config {
    pub(super) fn new(profile: &Profile) -> Self {
        Self {
            over: None,
            mode: profile.mode,
            next_mode: profile.mode,
            autostart: false,
            more: None,
        }
    }

    /// As a machine was last seen; what its make does not know is let go.
    pub(super) fn restored(seen: &Machine, profile: &Profile, asset_tag: &str) -> Self {
        let mut config = Self::new(profile);
        if profile.modes.contains(&seen.boot.mode) {
            config.mode = seen.boot.mode;
            config.next_mode = seen.boot.mode;
        }
        let targets = targets(profile, config.mode);
        config.over = seen.boot.over.filter(|o| targets.contains(&o.target));
        config.autostart = seen.autostart;
        let count = sources(profile).count();
        let order: Vec<u8> = seen
            .boot
            .options
            .iter()
            .filter(|option| option.enabled)
            .filter_map(|option| (0..count).find(|&n| option_id(n) == option.id))
            .filter_map(|number| u8::try_from(number).ok())
            .collect();
        if order != config.order(profile) {
            config.more().order = Some(order.into());
        }
        if let Some(uri) = &seen.boot.http_uri {
            config.more().http_uri = Some(uri.clone());
        }
        if seen.identity.asset_tag.as_deref() != Some(asset_tag) {
            config.more().asset_tag = Some(seen.identity.asset_tag.clone().unwrap_or_default());
        }
        for nic in seen.hardware.nics.iter().filter(|nic| !nic.link_up) {
            if let Some(number) = hardware::nic_number(profile, &nic.name) {
                config.more().unplugged |= 1 << number;
            }
        }
        config.restore_knobs(profile, &seen.firmware);
        for slot in &seen.slots {
            if let Some(medium) = &slot.medium {
                config.set_medium(slot.kind, Some(medium.clone()));
            }
        }
        let made = storage::restored(&seen.storage);
        if !made.is_empty() {
            config.more().made = made;
        }
        if let Some(version) = &seen.identity.bios_version
            && *version != profile.firmware_version
        {
            config.more().firmware = Some(version.as_str().into());
        }
        config
    }

    pub(super) fn knobs(&self) -> Option<&Knobs> {
        Some(&self.more.as_ref()?.knobs)
    }

    pub(super) fn knobs_mut(&mut self) -> &mut Knobs {
        &mut self.more().knobs
    }

    /// Whether its firmware is set as delivered.
    pub(super) fn is_as_delivered(&self, profile: &Profile) -> bool {
        self.mode == profile.mode
            && self.next_mode == profile.mode
            && self.knobs().is_none_or(|knobs| *knobs == Knobs::default())
    }

    /// The machine has lost its memory: what holds from its next cold start on holds now.
    pub(super) fn settle(&mut self) {
        self.mode = self.next_mode;
        if let Some(more) = &mut self.more {
            more.knobs.settle();
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(super) fn medium(&self, kind: MediaKind) -> Option<&Medium> {
        let more = self.more.as_ref()?;
        match kind {
            MediaKind::Cd => more.cd.as_ref(),
            MediaKind::Usb => more.usb.as_ref(),
        }
    }

    pub(super) fn set_medium(&mut self, kind: MediaKind, medium: Option<Medium>) {
        let more = self.more();
        more.unseen.retain(|unseen| *unseen != kind);
        match kind {
            MediaKind::Cd => more.cd = medium,
            MediaKind::Usb => more.usb = medium,
        }
    }

    /// Whether an installer has put a system on the first disk.
    pub(super) fn is_installed(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.installed)
    }

    /// An installer is done; it may have ejected the medium that it came from.
    pub(super) fn installed(&mut self, ejected: Option<MediaKind>) {
        self.more().installed = true;
        if let Some(kind) = ejected {
            self.set_medium(kind, None);
        }
    }

    /// Has the machine not see the medium in a slot.
    pub(super) fn hide_medium(&mut self, kind: MediaKind) {
        self.more().unseen.push(kind);
    }

    /// The medium in a slot, if the machine sees it.
    fn seen_medium(&self, kind: MediaKind) -> Option<&Medium> {
        let hidden = self
            .more
            .as_ref()
            .is_some_and(|more| more.unseen.contains(&kind));
        self.medium(kind).filter(|_| !hidden)
    }

    /// Plugs the cable of a network interface in, or pulls it out.
    pub(super) fn plug(&mut self, profile: &Profile, nic: u8, up: bool) -> Result<()> {
        if nic >= hardware::nics(profile) {
            return Err(Error::invalid(
                "/nic",
                nic.to_string(),
                Invalid::OutOfRange,
                "This machine has no such network interface.",
            ));
        }
        if self.is_plugged(nic) != up {
            self.more().unplugged ^= 1 << nic;
        }
        Ok(())
    }

    /// The firmware that was laid ready.
    pub(super) fn next_firmware(&self) -> Option<&str> {
        self.more.as_ref()?.next_firmware.as_deref()
    }

    /// Lets what was laid ready go.
    pub(super) fn drop_firmware(&mut self) {
        if let Some(more) = &mut self.more {
            more.next_firmware = None;
        }
    }

    /// The disks that it was given.
    pub(super) fn made(&self) -> &[Made] {
        self.more.as_ref().map_or(&[], |more| &more.made)
    }

    /// Changes the disks that it was given.
    pub(super) fn change_made(
        &mut self,
        change: impl FnOnce(&mut Vec<Made>) -> Result<()>,
    ) -> Result<()> {
        change(&mut self.more().made)
    }

    /// The version of the firmware in use.
    pub(super) fn firmware<'a>(&'a self, profile: &'a Profile) -> &'a str {
        let own = self.more.as_ref().and_then(|more| more.firmware.as_deref());
        own.unwrap_or(&profile.firmware_version)
    }

    /// Lays a firmware ready for the next reset, or takes back what was laid ready.
    pub(super) fn lay_firmware(&mut self, profile: &Profile, version: &str, cold: bool) {
        let next = (self.firmware(profile) != version).then(|| version.into());
        self.more().next_firmware = next;
        if cold {
            self.take_firmware();
        }
    }

    /// The machine is reset: what was laid ready is in use. Returns whether something was.
    pub(super) fn take_firmware(&mut self) -> bool {
        let Some(more) = self.more.as_mut() else {
            return false;
        };
        match more.next_firmware.take() {
            Some(version) => {
                more.firmware = Some(version);
                true
            }
            None => false,
        }
    }

    /// The asset tag, if one was set or taken away.
    pub(super) fn asset_tag(&self) -> Option<&str> {
        self.more.as_ref()?.asset_tag.as_deref()
    }

    /// Network interfaces without a cable: a bit for each.
    pub(super) fn unplugged(&self) -> u16 {
        self.more.as_ref().map_or(0, |more| more.unplugged)
    }

    fn is_plugged(&self, nic: u8) -> bool {
        self.unplugged() & (1 << nic) == 0
    }

    fn http_uri(&self) -> Option<&str> {
        self.more.as_ref()?.http_uri.as_deref()
    }

    /// Enabled boot options by number, in order.
    fn order(&self, profile: &Profile) -> Vec<u8> {
        match self.more.as_ref().and_then(|more| more.order.as_deref()) {
            Some(order) => order.to_vec(),
            None => (0..)
                .zip(sources(profile))
                .filter(|(_, source)| source.target != BootTarget::UefiHttp)
                .map(|(number, _)| number)
                .collect(),
        }
    }

    /// As the outside sees it.
    pub(super) fn boot(&self, profile: &Profile, mac: &dyn Fn(u8) -> String) -> Boot {
        let order = self.order(profile);
        let all: Vec<Source> = sources(profile).collect();
        let option = |number: usize, enabled: bool| {
            let source = *all.get(number)?;
            let unit = usize::from(source.unit);
            is_known_to(self.next_mode, source.target).then(|| BootOption {
                id: option_id(number),
                name: match source.target {
                    BootTarget::Hdd => format!("disk {}", profile.disks[unit].name),
                    BootTarget::Pxe => format!("network {}", mac(source.unit)),
                    BootTarget::UefiHttp => format!("http {}", mac(source.unit)),
                    BootTarget::Cd => "virtual cd".to_owned(),
                    BootTarget::Usb => "virtual usb".to_owned(),
                    BootTarget::BiosSetup => "set-up".to_owned(),
                },
                target: source.target,
                enabled,
            })
        };
        let mut options: Vec<BootOption> = order
            .iter()
            .filter_map(|&number| option(usize::from(number), true))
            .collect();
        options.extend(
            (0..all.len())
                .filter(|&number| !order.iter().any(|&n| usize::from(n) == number))
                .filter_map(|number| option(number, false)),
        );
        let mut modes = profile.modes.clone();
        modes.insert(self.mode);
        Boot {
            mode: self.mode,
            modes,
            secure: (self.mode == BootMode::Uefi).then(|| self.secure(profile)),
            over: self.over,
            targets: targets(profile, self.next_mode),
            options,
            http_uri: self.http_uri().map(str::to_owned),
        }
    }

    /// Makes all of the change or none of it. `cold`: the machine is off and its next start is a cold one.
    pub(super) fn change(&mut self, setup: &Setup, profile: &Profile, cold: bool) -> Result<()> {
        let mut new = self.clone();
        if let Some(mode) = setup.mode {
            if !profile.modes.contains(&mode) && mode != profile.mode {
                return Err(Error::invalid(
                    "/Boot/BootSourceOverrideMode",
                    format!("{mode:?}"),
                    Invalid::NotInList,
                    "This machine cannot start by that firmware.",
                ));
            }
            new.next_mode = mode;
            if cold {
                new.mode = mode;
            }
        }
        new.set_knobs(profile, &setup.knobs, cold)?;
        let targets = targets(profile, new.next_mode);
        if let Some(over) = setup.over {
            if let Some(over) = over.filter(|over| !targets.contains(&over.target)) {
                return Err(Error::invalid(
                    "/Boot/BootSourceOverrideTarget",
                    format!("{:?}", over.target),
                    Invalid::NotInList,
                    "This machine has nothing of that kind to boot from.",
                ));
            }
            new.over = over;
        } else if new.over.is_some_and(|over| !targets.contains(&over.target)) {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The boot override names a target that this firmware does not know; take it away first.",
            ));
        }
        if let Some(order) = &setup.order {
            let count = sources(profile).count();
            let mut numbers = Vec::with_capacity(order.len());
            for (place, id) in order.iter().enumerate() {
                let number = (0..count).find(|&n| option_id(n) == *id).filter(|&n| {
                    sources(profile)
                        .nth(n)
                        .is_some_and(|source| is_known_to(new.next_mode, source.target))
                });
                match number.and_then(|n| u8::try_from(n).ok()) {
                    Some(number) if !numbers.contains(&number) => numbers.push(number),
                    _ => {
                        return Err(Error::invalid(
                            format!("/Boot/BootOrder/{place}"),
                            id.as_str(),
                            Invalid::NotInList,
                            "This machine has no such boot option, or it is named twice.",
                        ));
                    }
                }
            }
            new.more().order = Some(numbers.into());
        }
        if let Some(uri) = &setup.http_uri {
            if let Some(uri) = uri {
                let is_web = uri.len() <= LONGEST_URI
                    && Url::parse(uri).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
                if !is_web {
                    return Err(Error::invalid(
                        "/Boot/HttpBootUri",
                        uri.as_str(),
                        Invalid::Format,
                        "UEFI HTTP boot takes an http or https address.",
                    ));
                }
            }
            new.more().http_uri = uri.clone();
        }
        if let Some(tag) = &setup.asset_tag {
            if tag.len() > LONGEST_ASSET_TAG {
                return Err(Error::invalid(
                    "/AssetTag",
                    tag.as_str(),
                    Invalid::Length {
                        min: 0,
                        max: LONGEST_ASSET_TAG as u32,
                    },
                    "The asset tag is too long.",
                ));
            }
            new.more().asset_tag = Some(tag.clone());
        }
        if let Some(autostart) = setup.autostart {
            new.autostart = autostart;
        }
        for (name, up) in &setup.nic_link {
            let Some(number) = hardware::nic_number(profile, name) else {
                return Err(Error::invalid(
                    "/InterfaceEnabled",
                    up.to_string(),
                    Invalid::ReadOnly,
                    "This machine has no such network interface.",
                ));
            };
            if new.is_plugged(number) != *up {
                new.more().unplugged ^= 1 << number;
            }
        }
        *self = new;
        Ok(())
    }

    /// What the firmware does: tries the override, then the order, and says so. Returns what it boots from, if there is something to boot.
    pub(super) fn choose(
        &self,
        profile: &Profile,
        guest: &Guest,
        say: &mut dyn FnMut(What),
    ) -> Option<BootTarget> {
        let all: Vec<Source> = sources(profile).collect();
        let mut first = None;
        if let Some(over) = self.over {
            say(What::Override(over));
            if over.target == BootTarget::BiosSetup {
                say(What::Setup);
                return None;
            }
            first = all.iter().find(|s| s.target == over.target).copied();
        }
        let order = self.order(profile);
        let in_order = order
            .iter()
            .filter_map(|&number| all.get(usize::from(number)).copied())
            .filter(|source| Some(*source) != first && is_known_to(self.mode, source.target));
        for source in first.into_iter().chain(in_order) {
            match self.boot_from(source, guest) {
                Ok(image) => {
                    say(What::Booted(source, image));
                    return Some(source.target);
                }
                Err(why) => say(What::Failed(source, why)),
            }
        }
        say(What::NothingToBoot);
        None
    }

    fn boot_from(&self, source: Source, guest: &Guest) -> Result<Image, Why> {
        if !is_known_to(self.mode, source.target) {
            return Err(Why::UnknownToFirmware);
        }
        let slot = |kind| match self.seen_medium(kind).map(|medium| &medium.source) {
            Some(MediaSource::Uri(uri)) => Ok(Image::At(Arc::from(uri.as_str()))),
            Some(MediaSource::File(path)) => Ok(Image::At(path.to_string_lossy().into())),
            None => Err(Why::Empty),
        };
        match source.target {
            BootTarget::Cd => slot(MediaKind::Cd),
            BootTarget::Usb => slot(MediaKind::Usb),
            BootTarget::Hdd if source.unit == 0 && (guest.disk_boots || self.is_installed()) => {
                Ok(Image::Disk(0))
            }
            BootTarget::Hdd | BootTarget::BiosSetup => Err(Why::NoSystem),
            BootTarget::UefiHttp | BootTarget::Pxe if !self.is_plugged(source.unit) => {
                Err(Why::NoAnswer)
            }
            // What installs over the network sends those away that it has installed.
            BootTarget::UefiHttp | BootTarget::Pxe
                if self.is_installed()
                    && guest
                        .installs
                        .as_ref()
                        .is_some_and(|install| install.from.contains(&source.target)) =>
            {
                Err(Why::Installed)
            }
            BootTarget::UefiHttp => match self.http_uri() {
                Some(uri) if is_reachable(uri) => Ok(Image::At(Arc::from(uri))),
                Some(_) => Err(Why::Unreachable),
                None if guest.network_boots => Ok(Image::Nic(source.unit)),
                None => Err(Why::NoAnswer),
            },
            BootTarget::Pxe if guest.network_boots => Ok(Image::Nic(source.unit)),
            BootTarget::Pxe => Err(Why::NoAnswer),
        }
    }
}

/// In a simulated world every server answers, save those that by RFC 2606 cannot exist.
fn is_reachable(uri: &str) -> bool {
    let Ok(url) = Url::parse(uri) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "invalid" && !name.ends_with(".invalid")
        }
        _ => true,
    }
}

/// Takes a source as a medium, if it can be had.
pub(super) fn fetch(source: &MediaSource) -> Result<MediaSource> {
    let MediaSource::Uri(uri) = source else {
        return Ok(source.clone());
    };
    let invalid = || {
        Error::invalid(
            "/Image",
            "",
            Invalid::Format,
            "The image is not named by an address with a server in it.",
        )
    };
    let mut url = Url::parse(uri).map_err(|_| invalid())?;
    if !url.has_host() || uri.len() > LONGEST_URI {
        return Err(invalid());
    }
    let shown = if url.username().is_empty() && url.password().is_none() {
        uri.clone()
    } else {
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.to_string()
    };
    if is_reachable(&shown) {
        Ok(MediaSource::Uri(shown))
    } else {
        Err(Error::new(
            ErrorKind::Upstream { uri: shown },
            "The server with the image cannot be reached.",
        ))
    }
}
