//! Editing of definitions, on documents alone.

use std::path::Path;

use super::device;
use super::facts::{self, Condition, Facts, Surroundings};
use super::firmware;
use super::identity;
use super::knobs::Offers;
use super::marker::{Marker, Phase};
use super::media::{self, Live};
use super::order;
use super::setup;
use super::xml::{Doc, canonical};
use crate::backend::{
    BootMode, BootOverride, BootTarget, Machine, MachineKey, MediaSource, Power, Setup,
};
use crate::error::{Conflict, ErrorKind};

/// With all that a definition should survive: foreign namespaces, comments, unknown devices and attributes, secrets, classes to boot from.
const TRICKY: &str = r#"<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <!-- by hand -->
  <name>a &amp; "b" &lt;c&gt;</name>
  <uuid>11111111-2222-3333-4444-555555555555</uuid>
  <title>T</title>
  <metadata>
    <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1" nova:x="1"><!-- kept --><nova:name>n</nova:name> text </nova:instance>
    <other xmlns="urn:other"><machine/></other>
  </metadata>
  <memory unit='MiB'>512</memory>
  <vcpu current='2'>4</vcpu>
  <cpu mode='custom'><model fallback='forbid'>qemu64</model><topology sockets='1' dies='2' cores='1' threads='2'/></cpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev='network'/>
    <boot dev='hd'/>
    <bootmenu enable='yes' timeout='3000'/>
    <bios useserial='no'/>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='network' device='disk'><auth username='u'><secret type='ceph' uuid='5f'/></auth><source protocol='rbd' name='p/i'/><target dev='vda' bus='virtio'/><new-thing a='1'/></disk>
    <disk type='file' device='disk'><source file='/b'/><target dev='vdb' bus='virtio'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda' bus='sata'/><readonly/><address type='drive' unit='0'/></disk>
    <disk type='file' device='cdrom'><driver name='qemu' type='raw'/><source file='/other.iso'/><target dev='sdb' bus='sata'/><readonly/></disk>
    <controller type='usb' index='0' model='qemu-xhci'/>
    <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
    <interface type='user'><mac address='52:54:00:00:00:02'/></interface>
    <hostdev mode='subsystem' type='usb'><source><vendor id='0x1234'/><product id='0xbeef'/></source></hostdev>
    <graphics type='vnc' passwd='secret'/>
    <alien xmlns='urn:alien'><boot dev='not ours'/></alien>
  </devices>
  <qemu:commandline><qemu:arg value='-foo'/></qemu:commandline>
</domain>"#;

const PER_DEVICE: &str = r#"<domain type='kvm'>
  <name>d</name>
  <os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/><iotune/><boot order='2'/><serial>s</serial></disk>
    <disk type='file' device='floppy'><target dev='fda' bus='fdc'/><boot order='3'/></disk>
    <interface type='user'><mac address='52:54:00:00:00:01'/><boot order='1' loadparm='2'/></interface>
    <controller type='usb' index='0' model='piix3-uhci'/>
  </devices>
</domain>"#;

const AARCH64: &str = r#"<domain type='qemu'>
  <name>arm</name>
  <os firmware='efi'><type arch='aarch64' machine='virt-7.2'>hvm</type><loader readonly='yes' type='pflash'>/usr/share/AAVMF/AAVMF_CODE.fd</loader><boot dev='hd'/></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
  </devices>
</domain>"#;

fn facts(doc: &Doc) -> Facts {
    let around = Surroundings {
        is_qemu: true,
        offers: Offers {
            efi: true,
            secure: true,
            nested: Some("vmx"),
        },
    };
    Facts::read(doc, around)
}

fn machine(doc: &Doc) -> Machine {
    let condition = Condition {
        power: Power::Off,
        crashed: false,
        autostart: false,
        last_reset: None,
    };
    facts::machine(
        MachineKey(uuid::Uuid::nil()),
        &facts(doc),
        None,
        condition,
        true,
        std::sync::Arc::default(),
    )
}

fn edit(doc: &mut Doc, setup: &Setup) -> crate::Result<()> {
    let machine = machine(doc);
    setup::edit(doc, &machine, setup, "1")
}

fn over(target: BootTarget, once: bool) -> Setup {
    Setup {
        over: Some(Some(BootOverride { target, once })),
        ..Setup::default()
    }
}

/// As if libvirt had taken it and given it back.
fn again(doc: &Doc) -> Doc {
    Doc::parse(&doc.to_text()).unwrap()
}

#[test]
fn an_override_taken_away_leaves_a_definition_exactly_as_it_was() {
    for text in [TRICKY, PER_DEVICE, AARCH64] {
        for target in machine(&Doc::parse(text).unwrap()).boot.targets {
            let mut doc = Doc::parse(text).unwrap();
            edit(&mut doc, &over(target, true)).unwrap();
            assert_ne!(canonical::of(&doc.to_text()), canonical::of(text));
            let mut doc = again(&doc);
            edit(&mut doc, &over(target, false)).unwrap();
            let mut doc = again(&doc);
            assert_eq!(
                machine(&doc).boot.over,
                Some(BootOverride {
                    target,
                    once: false
                })
            );
            let none = Setup {
                over: Some(None),
                ..Setup::default()
            };
            edit(&mut doc, &none).unwrap();
            assert_eq!(
                canonical::of(&doc.to_text()),
                canonical::of(text),
                "{target:?}"
            );
        }
    }
}

#[test]
fn an_override_stands_in_front_of_the_order_and_uses_numbers_alone() {
    let mut doc = Doc::parse(TRICKY).unwrap();
    assert_eq!(
        order::effective(&doc),
        ["nic:52:54:00:00:00:01", "disk:vda"]
    );
    edit(&mut doc, &over(BootTarget::Cd, true)).unwrap();
    assert_eq!(
        order::effective(&doc),
        ["disk:sda", "disk:sdb", "nic:52:54:00:00:00:01", "disk:vda"]
    );
    let os = doc.path(&["os"]).unwrap();
    assert_eq!(doc.child(os, "boot"), None);
    assert!(doc.child(os, "bootmenu").is_some());
    assert_eq!(order::normal(&doc), ["nic:52:54:00:00:00:01", "disk:vda"]);
    edit(&mut doc, &over(BootTarget::Pxe, true)).unwrap();
    assert_eq!(
        order::effective(&doc),
        ["nic:52:54:00:00:00:01", "nic:52:54:00:00:00:02", "disk:vda"]
    );
    // The options show the order without the override.
    let options = machine(&doc).boot.options;
    let names: Vec<(&str, bool)> = options
        .iter()
        .map(|option| (option.name.as_str(), option.enabled))
        .collect();
    assert_eq!(
        names,
        [
            ("network 52:54:00:00:00:01", true),
            ("disk vda", true),
            ("disk vdb", false),
            ("cd sda", false),
            ("cd sdb", false),
            ("network 52:54:00:00:00:02", false),
            ("host device usb id=0x1234,id=0xbeef", false),
        ]
    );
}

#[test]
fn an_order_set_under_an_override_holds_when_that_is_gone() {
    let mut doc = Doc::parse(PER_DEVICE).unwrap();
    edit(&mut doc, &over(BootTarget::Cd, true)).unwrap();
    let options = machine(&doc).boot.options;
    let hdd = options
        .iter()
        .find(|o| o.target == BootTarget::Hdd)
        .unwrap();
    let wanted = Setup {
        order: Some(vec![hdd.id.clone()]),
        ..Setup::default()
    };
    edit(&mut doc, &wanted).unwrap();
    assert!(Marker::read(&doc).over.is_some());
    assert_eq!(
        order::normal(&doc),
        ["disk:vda", "disk:fda"],
        "a floppy drive keeps its place"
    );
    order::clear_override(&mut doc).unwrap();
    assert_eq!(order::effective(&doc), ["disk:vda", "disk:fda"]);
    assert_eq!(Marker::read(&doc), Marker::default());
    assert_eq!(doc.path(&["metadata"]), None);
}

#[test]
fn an_order_that_is_so_already_changes_nothing() {
    let mut doc = Doc::parse(TRICKY).unwrap();
    let ids: Vec<_> = machine(&doc)
        .boot
        .options
        .into_iter()
        .filter(|o| o.enabled)
        .map(|o| o.id)
        .collect();
    let same = Setup {
        order: Some(ids),
        ..Setup::default()
    };
    edit(&mut doc, &same).unwrap();
    assert_eq!(doc.to_text(), Doc::parse(TRICKY).unwrap().to_text());
}

#[test]
fn what_a_machine_does_not_have_cannot_be_set() {
    let mut doc = Doc::parse(AARCH64).unwrap();
    assert_eq!(
        machine(&doc).boot.targets,
        [BootTarget::Hdd, BootTarget::Cd].into(),
        "no network card, no USB; a CD can be added to its SCSI controller"
    );
    let uefi_only = [BootMode::Uefi].into();
    assert_eq!(machine(&doc).boot.modes, uefi_only);
    for wanted in [
        over(BootTarget::Pxe, true),
        over(BootTarget::BiosSetup, true),
        Setup {
            mode: Some(BootMode::Legacy),
            ..Setup::default()
        },
        Setup {
            order: Some(vec![crate::id::BootOptionId::parse("Boot0042").unwrap()]),
            ..Setup::default()
        },
        Setup {
            order: Some(Vec::new()),
            ..Setup::default()
        },
        Setup {
            http_uri: Some(Some("http://x/".to_owned())),
            ..Setup::default()
        },
        Setup {
            asset_tag: Some("a\u{0}b".to_owned()),
            ..Setup::default()
        },
        Setup {
            asset_tag: Some("x".repeat(256)),
            ..Setup::default()
        },
    ] {
        let error = edit(&mut doc, &wanted).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { .. }),
            "{wanted:?}: {error:?}"
        );
    }
}

#[test]
fn boot_options_keep_their_names_when_others_come_and_go() {
    let doc = Doc::parse(TRICKY).unwrap();
    let devices = device::all(&doc);
    let ids = device::option_ids(&devices);
    let named = |key: &str| {
        let place = devices.iter().position(|d| d.key == key).unwrap();
        ids[place].as_str().to_owned()
    };
    assert_eq!(named("disk:vda"), "Boot0000");
    assert_eq!(named("disk:vdb"), "Boot0001");
    assert_eq!(named("disk:sda"), "Boot0100");
    let mut less = Doc::parse(TRICKY).unwrap();
    let first = device::all(&less)[0].node;
    less.remove(first);
    let devices = device::all(&less);
    let rest: Vec<_> = device::option_ids(&devices)
        .into_iter()
        .map(String::from)
        .collect();
    for (device, id) in devices.iter().zip(&rest) {
        assert_eq!(named(&device.key), *id);
    }
    let unique: std::collections::BTreeSet<_> = rest.iter().collect();
    assert_eq!(unique.len(), rest.len());
}

#[test]
fn switching_the_firmware_there_and_back_leaves_a_definition_exactly_as_it_was() {
    let uefi = TRICKY.replace(
        "<boot dev='network'/>",
        "<loader readonly='yes' secure='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader>\
         <nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>/var/x_VARS.fd</nvram><boot dev='network'/>",
    );
    for (text, there, back) in [
        (TRICKY, BootMode::Uefi, BootMode::Legacy),
        (uefi.as_str(), BootMode::Legacy, BootMode::Uefi),
    ] {
        let mut doc = Doc::parse(text).unwrap();
        assert_eq!(machine(&doc).boot.mode, back);
        for mode in [there, back] {
            let wanted = Setup {
                mode: Some(mode),
                ..Setup::default()
            };
            edit(&mut doc, &wanted).unwrap();
            doc = again(&doc);
            assert_eq!(machine(&doc).boot.mode, mode);
        }
        assert_eq!(canonical::of(&doc.to_text()), canonical::of(text));
    }
    let doc = Doc::parse(&uefi).unwrap();
    assert_eq!(machine(&doc).boot.secure, Some(true));
    let mut doc = Doc::parse(TRICKY).unwrap();
    assert_eq!(machine(&doc).boot.secure, None);
    firmware::set_mode(&mut doc, BootMode::Uefi).unwrap();
    assert_eq!(machine(&doc).boot.secure, Some(false));
}

#[test]
fn a_host_without_uefi_offers_none() {
    let doc = Doc::parse(TRICKY).unwrap();
    let make = firmware::Make::of(&doc);
    assert_eq!(
        firmware::modes(&doc, &make, false),
        [BootMode::Legacy].into()
    );
    assert_eq!(
        firmware::modes(&doc, &make, true),
        [BootMode::Legacy, BootMode::Uefi].into()
    );
}

#[test]
fn an_asset_tag_is_set_beside_what_is_said_already_and_taken_away_again() {
    let spoken = TRICKY
        .replace(
            "<os>",
            "<sysinfo type='smbios'><bios><entry name='version'>1</entry></bios>\
             <system><entry name='manufacturer'>Acme</entry><entry name='serial'>S</entry></system>\
             <oemStrings><entry>x</entry></oemStrings></sysinfo><os>",
        )
        .replace(
            "<bios useserial='no'/>",
            "<bios useserial='no'/><smbios mode='sysinfo'/>",
        );
    for text in [TRICKY, PER_DEVICE, &spoken] {
        let mut doc = Doc::parse(text).unwrap();
        identity::set_asset_tag(&mut doc, "A <1> & 2").unwrap();
        let mut doc = again(&doc);
        let said = machine(&doc).identity;
        assert_eq!(said.asset_tag.as_deref(), Some("A <1> & 2"));
        identity::set_asset_tag(&mut doc, "B").unwrap();
        assert_eq!(machine(&doc).identity.asset_tag.as_deref(), Some("B"));
        identity::set_asset_tag(&mut doc, "").unwrap();
        assert_eq!(canonical::of(&doc.to_text()), canonical::of(text));
    }
    let said = machine(&Doc::parse(&spoken).unwrap()).identity;
    assert_eq!(said.manufacturer.as_deref(), Some("Acme"));
    assert_eq!(said.serial.as_deref(), Some("S"));
    assert_eq!(said.bios_version.as_deref(), Some("1"));
    assert_eq!(
        said.product.as_deref(),
        Some("Standard PC (Q35 + ICH9, 2009)")
    );
    let host = TRICKY.replace("<bios useserial='no'/>", "<smbios mode='host'/>");
    let mut doc = Doc::parse(&host).unwrap();
    let error = identity::set_asset_tag(&mut doc, "A").unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
}

#[test]
fn facts_are_read_from_a_definition() {
    let machine = machine(&Doc::parse(TRICKY).unwrap());
    assert_eq!(machine.name, "a & \"b\" <c>");
    assert_eq!(machine.title.as_deref(), Some("T"));
    assert_eq!(machine.memory_kib, 512 * 1024);
    let p = &machine.processors;
    assert_eq!((p.sockets, p.cores, p.threads, p.online), (1, 2, 2, 2));
    assert_eq!(p.model.as_deref(), Some("qemu64"));
    assert_eq!(p.arch, "x86_64");
    assert_eq!(machine.identity.manufacturer.as_deref(), Some("QEMU"));
    assert_eq!(machine.identity.serial, None);
    assert!(machine.slots.iter().all(|slot| slot.medium.is_none()));
    let slots: Vec<&str> = machine.slots.iter().map(|s| s.id.as_str()).collect();
    assert_eq!(slots, ["Cd", "Usb"]);
}

#[test]
fn a_kernel_given_by_the_host_leaves_nothing_to_override() {
    let text = TRICKY.replace("<bootmenu", "<kernel>/k</kernel><bootmenu");
    assert!(machine(&Doc::parse(&text).unwrap()).boot.targets.is_empty());
}

#[test]
fn a_medium_goes_into_the_first_drive_and_out_again() {
    let mut doc = Doc::parse(TRICKY).unwrap();
    let change = media::insert(&mut doc, None, "Cd", Path::new("/x & y.iso"), false).unwrap();
    assert_eq!(change, None);
    let mut doc = again(&doc);
    let cd = machine(&doc).slots[0].medium.clone().unwrap();
    assert_eq!(cd.source, MediaSource::File("/x & y.iso".into()));
    assert!(cd.write_protected);
    media::eject(&mut doc, None, "Cd");
    assert_eq!(canonical::of(&doc.to_text()), canonical::of(TRICKY));
}

#[test]
fn an_odd_drive_is_as_odd_after_ejection() {
    let text = TRICKY.replacen(
        "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/><target dev='sda'",
        "<disk type='block' device='cdrom'><driver name='qemu' type='qcow2'/><target dev='sda'",
        1,
    );
    let mut doc = Doc::parse(&text).unwrap();
    media::insert(&mut doc, None, "Cd", Path::new("/x.iso"), false).unwrap();
    let mut doc = again(&doc);
    assert!(doc.to_text().contains("type=\"raw\""));
    media::eject(&mut doc, None, "Cd");
    assert_eq!(canonical::of(&doc.to_text()), canonical::of(&text));
}

#[test]
fn a_drive_that_is_missing_is_added_where_the_machine_can_take_one() {
    for (text, is_running, bus, dev) in [
        (PER_DEVICE, false, "ide", "hda"),
        (PER_DEVICE, true, "usb", "sda"),
        (AARCH64, false, "scsi", "sda"),
        (AARCH64, true, "scsi", "sda"),
    ] {
        let mut doc = Doc::parse(text).unwrap();
        let mut live = is_running.then(|| Doc::parse(text).unwrap());
        let change =
            media::insert(&mut doc, live.as_mut(), "Cd", Path::new("/x.iso"), false).unwrap();
        assert_eq!(matches!(change, Some(Live::Attach(_))), is_running);
        let mut doc = again(&doc);
        let disk = media::device(&doc, "Cd").unwrap();
        assert_eq!(doc.child_attr(disk, "target", "bus"), Some(bus));
        assert_eq!(doc.child_attr(disk, "target", "dev"), Some(dev));
        let change = media::eject(&mut doc, live.as_mut(), "Cd");
        assert_eq!(matches!(change, Some(Live::Detach(_))), is_running);
        assert_eq!(canonical::of(&doc.to_text()), canonical::of(text));
    }
}

#[test]
fn a_stick_comes_and_goes_and_boots_first_when_it_is_to() {
    let mut doc = Doc::parse(TRICKY).unwrap();
    edit(&mut doc, &over(BootTarget::Usb, false)).unwrap();
    media::insert(&mut doc, None, "Usb", Path::new("/x.img"), true).unwrap();
    order::renumber(&mut doc);
    assert_eq!(order::effective(&doc)[0], "disk:sdc");
    let usb = machine(&doc).slots[1].medium.clone().unwrap();
    assert!(usb.write_protected);
    media::eject(&mut doc, None, "Usb");
    order::renumber(&mut doc);
    order::clear_override(&mut doc).unwrap();
    assert_eq!(canonical::of(&doc.to_text()), canonical::of(TRICKY));
}

#[test]
fn media_of_others_are_shown_as_what_they_are() {
    let http = TRICKY.replacen(
        "<target dev='sda'",
        "<source protocol='https' name='/a/b.iso'><host name='h' port='8443'/></source><target dev='sda'",
        1,
    );
    let slots = machine(&Doc::parse(&http).unwrap()).slots;
    let medium = slots[0].medium.clone().unwrap();
    assert_eq!(
        medium.source,
        MediaSource::Uri("https://h:8443/a/b.iso".to_owned())
    );
}

#[test]
fn a_note_survives_the_way_through_libvirts_metadata() {
    let mut doc = Doc::parse(TRICKY).unwrap();
    edit(&mut doc, &over(BootTarget::Hdd, true)).unwrap();
    let mut marker = Marker::read(&doc);
    marker.over.as_mut().unwrap().phase = Phase::Taken;
    let bare = Doc::parse(&marker.to_metadata()).unwrap();
    assert_eq!(bare.namespace(bare.top()), "");
    assert_eq!(bare.name(bare.top()), "machine");
    marker.write(&mut doc);
    assert_eq!(Marker::read(&again(&doc)), marker);
}
