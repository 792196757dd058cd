//! What documents tell of a machine's parts, and cables in documents.

use std::collections::BTreeMap;

use super::super::xml::{Doc, canonical};
use super::super::{nic, pci};
use super::*;
use crate::backend::{PciIds, PciKind};

const MANY: &str = r"<domain type='kvm' id='7'>
  <name>many</name>
  <memory unit='MiB'>6144</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    <controller type='pci' index='1' model='pcie-root-port'>
      <model name='pcie-root-port'/><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0' multifunction='on'/>
    </controller>
    <controller type='pci' index='2' model='pcie-root-port'>
      <model name='made-tomorrow'/><address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x1'/>
    </controller>
    <controller type='pci' index='3' model='pcie-to-pci-bridge'><address type='pci' bus='0x02' slot='0x00'/></controller>
    <controller type='sata' index='0'><address type='pci' bus='0x00' slot='0x1f' function='0x2'/></controller>
    <controller type='usb' index='0' model='ich9-ehci1'><address type='pci' bus='0x00' slot='0x1d' function='0x7'/></controller>
    <controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/><address type='pci' bus='0x00' slot='0x1d' function='0x0'/></controller>
    <controller type='usb' index='1' model='qemu-xhci' ports='15'/>
    <controller type='usb' index='2' model='none'/>
    <interface type='network'>
      <mac address='52:54:00:AA:00:01'/><source network='default' portgroup='blue' bridge='virbr0'/><vlan><tag id='42'/></vlan>
      <model type='virtio'/><mtu size='9000'/><address type='pci' bus='0x01' slot='0x00'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:aa:00:02'/><source bridge='br0'/><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>
      <model type='virtio'/><link state='down'/><address type='pci' bus='0x03' slot='0x01'/>
    </interface>
    <interface type='direct'>
      <mac address='52:54:00:aa:00:03'/><source dev='eth7' mode='bridge'/><model type='e1000e'/>
      <address type='pci' bus='0x04' slot='0x00'/>
    </interface>
    <interface type='hostdev' managed='yes'>
      <mac address='52:54:00:aa:00:04'/><source><address type='pci' domain='0x0000' bus='0xf0' slot='0x0a' function='0x1'/></source>
      <address type='pci' bus='0x05' slot='0x00'/>
    </interface>
    <interface type='user'><mac address='52:54:00:aa:00:02'/></interface>
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></source><address type='pci' bus='0x06' slot='0x00'/>
    </hostdev>
    <serial type='pty'><target port='0'/></serial>
    <serial type='file'><target port='1'/></serial>
    <graphics type='vnc' port='5907' autoport='yes'/>
    <graphics type='spice' tlsPort='5908' autoport='no'/>
    <graphics type='sdl'/>
    <video><model type='qxl' vram='65536' primary='yes'/><address type='pci' bus='0x00' slot='0x01'/></video>
    <video><model type='none'/></video>
    <tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
    <watchdog model='i6300esb' action='inject-nmi'><address type='pci' bus='0x03' slot='0x02'/></watchdog>
    <watchdog model='itco' action='reset'/>
    <memory model='dimm'><target><size unit='GiB'>1</size></target></memory>
    <memory model='nvdimm'><source><path>/x</path></source><target><size unit='KiB'>1048576</size></target></memory>
    <memory model='dimm'><target><size unit='MiB'>2048</size></target></memory>
    <memory model='virtio-mem'><target><size unit='GiB'>1</size></target></memory>
  </devices>
</domain>";

fn many() -> (Doc, Hardware) {
    let doc = Doc::parse(MANY).unwrap();
    let hardware = read(&doc);
    (doc, hardware)
}

#[test]
fn network_interfaces_say_where_they_are_plugged_in() {
    let (_, hardware) = many();
    let nics = &hardware.nics;
    let told: Vec<_> = nics
        .iter()
        .map(|nic| {
            (
                nic.name.as_str(),
                nic.mac.as_str(),
                nic.attachment.as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "net0",
                "52:54:00:aa:00:01",
                "network default, port group blue"
            ),
            ("net1", "52:54:00:aa:00:02", "bridge br0"),
            ("net2", "52:54:00:aa:00:03", "host interface eth7"),
            ("net3", "52:54:00:aa:00:04", "host device"),
            ("net4", "52:54:00:aa:00:02", "user network of the host"),
        ]
    );
    assert_eq!(
        (nics[0].vlan, nics[1].vlan),
        (Some(42), None),
        "a trunk is not one VLAN"
    );
    assert_eq!((nics[0].mtu, nics[2].mtu), (Some(9000), None));
    assert_eq!((nics[0].mbps, nics[2].mbps), (None, Some(1000)));
    let up: Vec<_> = nics
        .iter()
        .map(|nic| (nic.link_up, nic.link_settable))
        .collect();
    assert_eq!(
        up,
        [
            (true, true),
            (false, true),
            (true, true),
            (true, false),
            (true, true)
        ]
    );
}

#[test]
fn pci_devices_stand_in_order_with_the_numbers_that_are_certain() {
    let (_, hardware) = many();
    assert!(hardware.pci.is_sorted_by(|a, b| a.address < b.address));
    let told: Vec<_> = hardware
        .pci
        .iter()
        .map(|device| {
            let at = device.address;
            let ids = device.ids.map(|PciIds { vendor, device }| (vendor, device));
            (at.bus, at.slot, at.function, device.kind, ids)
        })
        .collect();
    use PciKind::{Bridge, Display, Network, Other, PassedThrough, SerialBus, Storage};
    assert_eq!(
        told,
        [
            (0, 1, 0, Display, Some((0x1b36, 0x0100))),
            (0, 2, 0, Bridge, Some((0x1b36, 0x000c))),
            (0, 2, 1, Bridge, None),
            (0, 0x1d, 0, SerialBus, Some((0x8086, 0x2934))),
            (0, 0x1d, 7, SerialBus, Some((0x8086, 0x293a))),
            (0, 0x1f, 2, Storage, Some((0x8086, 0x2922))),
            // In a port of PCI Express a virtio device is of version 1; behind a bridge to PCI it can be driven as an older one.
            (1, 0, 0, Network, Some((0x1af4, 0x1041))),
            (2, 0, 0, Bridge, Some((0x1b36, 0x000e))),
            (3, 1, 0, Network, Some((0x1af4, 0x1000))),
            (3, 2, 0, Other, Some((0x8086, 0x25ab))),
            (4, 0, 0, Network, Some((0x8086, 0x10d3))),
            (5, 0, 0, PassedThrough, None),
            (6, 0, 0, PassedThrough, None),
        ]
    );
    let old = Doc::parse(&MANY.replace("q35-7.2", "q35-2.6")).unwrap();
    let old = read(&old);
    let nic = old.pci_device(old.nics[0].pci.unwrap()).unwrap();
    assert_eq!(nic.ids, None, "what old boards made of virtio is not known");
    let explicit = MANY.replace(
        "<model type='virtio'/><link",
        "<model type='virtio-non-transitional'/><link",
    );
    let explicit = read(&Doc::parse(&explicit).unwrap());
    let nic = explicit.pci_device(explicit.nics[1].pci.unwrap()).unwrap();
    let ids = PciIds {
        vendor: 0x1af4,
        device: 0x1041,
    };
    assert_eq!(nic.ids, Some(ids));
}

#[test]
fn the_other_parts_are_told() {
    let (doc, hardware) = many();
    assert_eq!(hardware.board.as_deref(), Some("pc-q35-7.2"));
    let modules: Vec<_> = hardware
        .modules
        .iter()
        .map(|module| (module.name.as_str(), module.kib >> 20, module.persistent))
        .collect();
    assert_eq!(
        modules,
        [
            ("dimm0", 1, false),
            ("nvdimm0", 1, true),
            ("dimm1", 2, false)
        ]
    );
    assert_eq!(hardware.persistent_kib(), 1 << 20);
    let usb: Vec<_> = hardware
        .usb
        .iter()
        .map(|usb| (usb.name.as_str(), usb.model.as_deref().unwrap(), usb.ports))
        .collect();
    assert_eq!(
        usb,
        [
            ("usb0", "ich9-ehci1", None),
            ("usb1", "qemu-xhci", Some(15))
        ]
    );
    let displays: Vec<_> = hardware.displays.iter().map(|d| (d.kind, d.port)).collect();
    assert_eq!(
        displays,
        [
            (DisplayKind::Vnc, Some(5907)),
            (DisplayKind::Spice, Some(5908))
        ]
    );
    let serials: Vec<_> = hardware
        .serials
        .iter()
        .map(|s| (s.port, s.interactive))
        .collect();
    assert_eq!(serials, [(0, true), (1, false)]);
    assert_eq!(hardware.video.len(), 1);
    assert_eq!(
        hardware.video[0].pci,
        pci::address(&doc, doc.path(&["devices", "video"]).unwrap())
    );
    assert_eq!(hardware.video[0].memory_kib, Some(65536));
    let tpm = hardware.tpm.unwrap();
    assert_eq!(
        (tpm.model.as_str(), tpm.version.as_deref(), tpm.emulated),
        ("tpm-crb", Some("2.0"), true)
    );
    let watchdog = hardware.watchdog.unwrap();
    assert_eq!(
        (watchdog.model.as_str(), watchdog.action),
        ("i6300esb", WatchdogAction::Nmi)
    );
    // Nothing listens for a machine that does not run.
    let off = read(&Doc::parse(&MANY.replace(" id='7'", "")).unwrap());
    assert!(off.displays.iter().all(|display| display.port.is_none()));
}

#[test]
fn a_cable_is_unplugged_where_it_is_and_plugged_in_again_without_a_trace() {
    let (mut doc, hardware) = many();
    let nics = &hardware.nics;
    let wanted = |name: &str, up| BTreeMap::from([(name.to_owned(), up)]);
    assert_eq!(
        nic::set_links(&mut doc, nics, &wanted("net1", false)).len(),
        0
    );
    // Two have one address: the second of them is meant.
    assert_eq!(
        nic::set_links(&mut doc, nics, &wanted("net4", false)).len(),
        1
    );
    let up: Vec<_> = read(&doc).nics.iter().map(|nic| nic.link_up).collect();
    assert_eq!(up, [true, false, true, true, false]);
    nic::set_links(&mut doc, nics, &wanted("net4", true));
    assert_eq!(canonical::of(&doc.to_text()), canonical::of(MANY));

    assert!(nic::check(nics, &wanted("net0", false)).is_ok());
    assert!(
        nic::check(nics, &wanted("net3", true)).is_ok(),
        "it is so already"
    );
    for impossible in [wanted("net3", false), wanted("net5", true)] {
        let error = nic::check(nics, &impossible).unwrap_err();
        assert!(
            matches!(error.kind(), crate::error::ErrorKind::Invalid { .. }),
            "{error:?}"
        );
    }
}
