//! What a real guest uses, as its host tells.

use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings};
use hawkfish_core::backend::{Backend as _, MachineKey, Origin, Stats, Step};
use hawkfish_core::clock::SystemClock;
use tokio::time::Instant;
use virt::connect::Connect;
use virt::domain::Domain;

use hawkfish_testing::lab::{image, script};
use hawkfish_testing::part::variable;

/// How long a guest may take to start and settle on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until the samples of a machine show something.
async fn until(
    backend: &LibvirtBackend,
    key: MachineKey,
    what: &str,
    is: impl Fn(&Stats) -> bool,
) -> Arc<Stats> {
    let began = Instant::now();
    let mut seen = None;
    while began.elapsed() < PATIENCE {
        if let Some(stats) = backend.stats(key) {
            if is(&stats) {
                return stats;
            }
            seen = Some(stats);
        }
        // Samples come without being told of.
        let _ = tokio::time::timeout(Duration::from_millis(100), backend.changed()).await;
        backend.drain_changes();
    }
    panic!("not {what}: {seen:?}");
}

#[tokio::test]
async fn a_guest_that_boots_is_seen_to_work_and_to_read_and_one_that_has_booted_to_rest() {
    if variable("HAWKFISH_TEST_LIBVIRT_URI").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("lab");
    let at = at.to_str().expect("text");
    let uri = script(&["up", at]).trim().to_owned();
    let others = Connect::open(Some(&uri)).expect("libvirt answers");
    let disk = image(folder.path(), "busy.qcow2", &["disk", "BUSY"]);
    let disk = disk.to_str().expect("text");
    // The long boot of UEFI is work enough to be seen.
    let xml = script(&["xml", "busy", "--efi", "--disk", disk, "--nic", "user"]);
    let domain = Domain::define_xml(&others, &xml).expect("libvirt takes the domain");
    let key = MachineKey(domain.get_uuid().expect("a UUID"));
    let settings = LibvirtSettings {
        sample_every: Duration::from_millis(500),
        ask_every: Duration::from_millis(500),
        ..LibvirtSettings::new(&uri)
    };
    let backend = LibvirtBackend::connect(settings, Arc::new(SystemClock));

    let off = until(&backend, key, "known", |_| true).await;
    let load = off.sensor("CPULoad").expect("a sensor");
    assert_eq!((load.reading, load.origin), (None, Origin::Reported));
    assert!(off.nics.is_empty() && off.cpu.time.is_none());

    backend.step(key, Step::Start).await.expect("it starts");
    let busy = until(&backend, key, "busy", |stats| {
        stats.cpu.load.is_some_and(|load| load > 0.5)
    })
    .await;
    let read = until(&backend, key, "reading", |stats| {
        stats.disks.iter().any(|disk| disk.read_bytes > 0)
    })
    .await;
    assert_eq!(read.nics.len(), 1);
    let storage = backend.machine(key).await.expect("it is there").storage;
    assert!(
        storage
            .disks
            .iter()
            .all(|disk| { read.disks.iter().any(|stats| stats.id == disk.id) })
    );
    let rests = until(&backend, key, "resting", |stats| {
        stats.cpu.load.is_some_and(|load| load < 0.3)
    })
    .await;
    assert!(rests.cpu.time > busy.cpu.time);
    assert!(rests.memory.balloon.is_some_and(|kib| kib > 0));

    backend.step(key, Step::ForceOff).await.expect("it stops");
    until(&backend, key, "off", |stats| stats.cpu.time.is_none()).await;
    backend.close().await;
    drop((domain, others));
    script(&["down", at]);
}
