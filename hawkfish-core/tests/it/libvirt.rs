//! What the behaviour suite cannot say of libvirt, because it takes a HawkFish that is away, machines of a particular make, or a host that hangs.
//!
//! Each test has a libvirtd of its own, so that no other HawkFish takes a hand in what must happen without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings, probe};
use hawkfish_core::backend::{
    Backend, BootOverride, BootTarget, Change, Insert, Machine, MachineKey, MediaSource, Power,
    Setup, Step,
};
use hawkfish_core::clock::SystemClock;
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::SlotId;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::sys;

use crate::lab::{image, lab, variable};

/// How long to wait for what must come; emulated guests on a busy machine take their time.
const PATIENCE: Duration = Duration::from_secs(180);
const GLANCE: Duration = Duration::from_millis(100);

/// Real guests and daemons take real time, and nobody tells when a guest has written to its console.
#[expect(clippy::disallowed_methods, reason = "see above")]
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A libvirtd of its own, and a folder for images.
struct Lab {
    uri: String,
    folder: TempDir,
    /// Somebody else's connection.
    others: Connect,
    efi: bool,
}

impl Drop for Lab {
    fn drop(&mut self) {
        lab(&["down", self.path().to_str().expect("text")]);
    }
}

impl Lab {
    fn new(efi: bool) -> Option<Self> {
        variable("HAWKFISH_TEST_LIBVIRT_URI")?;
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("lab");
        let uri = lab(&["up", at.to_str().expect("text")]).trim().to_owned();
        Some(Self {
            others: Connect::open(Some(&uri)).expect("libvirt answers"),
            uri,
            folder,
            efi,
        })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    fn settings(&self) -> LibvirtSettings {
        LibvirtSettings {
            look_every: Duration::from_secs(2),
            read_within: Duration::from_secs(5),
            ..LibvirtSettings::new(&self.uri)
        }
    }

    async fn hawkfish(&self) -> Arc<LibvirtBackend> {
        connected(self.settings()).await
    }

    fn image(&self, name: &str, arguments: &[&str]) -> PathBuf {
        image(self.folder.path(), name, arguments)
    }

    /// Defines a machine with a disk that boots as `HD`.
    fn machine(&self, name: &str, more: &[&str]) -> Guest<'_> {
        let disk = self.image(&format!("{name}.qcow2"), &["disk", "HD"]);
        self.machine_with(name, &disk, more)
    }

    fn machine_with(&self, name: &str, disk: &Path, more: &[&str]) -> Guest<'_> {
        let serial = self.folder.path().join(format!("{name}.serial"));
        let mut arguments = vec![
            "xml",
            name,
            "--disk",
            disk.to_str().expect("text"),
            "--serial",
            serial.to_str().expect("text"),
        ];
        if self.efi {
            arguments.push("--efi");
        }
        arguments.extend(more);
        let domain =
            Domain::define_xml(&self.others, &lab(&arguments)).expect("libvirt takes the domain");
        let key = MachineKey(domain.get_uuid().expect("a UUID"));
        Guest {
            _lab: self,
            before: definition(&domain),
            domain,
            key,
            serial,
        }
    }
}

async fn connected(settings: LibvirtSettings) -> Arc<LibvirtBackend> {
    let backend = LibvirtBackend::connect(settings, Arc::new(SystemClock));
    loop {
        timeout(PATIENCE, backend.changed())
            .await
            .expect("it tells something");
        for change in backend.drain_changes() {
            match change {
                Change::Connected => return backend,
                Change::Lost(why) => panic!("it does not answer: {why}"),
                _ => {}
            }
        }
    }
}

fn definition(domain: &Domain) -> String {
    let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
    domain.get_xml_desc(flags).expect("it has a definition")
}

/// A machine as libvirt knows it.
struct Guest<'a> {
    /// Ended after its guests.
    _lab: &'a Lab,
    domain: Domain,
    key: MachineKey,
    serial: PathBuf,
    /// Its definition before anything was done to it.
    before: String,
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let _ = self.domain.destroy();
        let _ = self
            .domain
            .undefine_flags(sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | sys::VIR_DOMAIN_UNDEFINE_NVRAM);
    }
}

impl Guest<'_> {
    /// What it has booted so far.
    fn boots(&self) -> Vec<String> {
        let serial = std::fs::read(&self.serial).unwrap_or_default();
        String::from_utf8_lossy(&serial)
            .split("HAWKFISH-BOOT label=")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
            .collect()
    }

    /// Waits until it has booted these, and nothing else.
    async fn booted(&self, expected: &[&str]) {
        let began = Instant::now();
        loop {
            let boots = self.boots();
            let common = boots.len().min(expected.len());
            assert_eq!(boots[..common], expected[..common], "of {boots:?}");
            if boots.len() >= expected.len() {
                assert_eq!(boots, expected);
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {expected:?}; it booted {boots:?}"
            );
            pause(GLANCE).await;
        }
    }

    async fn until(&self, backend: &LibvirtBackend, what: &str, is: impl Fn(&Machine) -> bool) {
        let began = Instant::now();
        loop {
            let machine = backend.machine(self.key).await.expect("it is there");
            if is(&machine) {
                return;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain until {what}: {machine:?}"
            );
            pause(GLANCE).await;
        }
    }

    async fn set_once(&self, backend: &LibvirtBackend, target: BootTarget) {
        let over = BootOverride { target, once: true };
        let wanted = Setup {
            over: Some(Some(over)),
            ..Setup::default()
        };
        let machine = backend.setup(self.key, &wanted).await.expect("it is set");
        assert_eq!(machine.boot.over, Some(over));
    }

    async fn used_up(&self, backend: &LibvirtBackend) {
        self.until(backend, "the override is used up", |m| {
            m.boot.over.is_none()
        })
        .await;
    }

    /// Its definition is exactly as it was.
    fn is_as_before(&self) {
        assert_eq!(definition(&self.domain), self.before);
    }

    async fn insert(&self, backend: &LibvirtBackend, slot: &str, file: &Path) -> Machine {
        let medium = Insert {
            source: MediaSource::File(file.to_owned()),
            write_protected: true,
        };
        let slot = SlotId::parse(slot).expect("a slot");
        backend
            .insert(self.key, &slot, &medium)
            .await
            .expect("it goes in")
    }

    async fn eject(&self, backend: &LibvirtBackend, slot: &str) -> Machine {
        let slot = SlotId::parse(slot).expect("a slot");
        backend.eject(self.key, &slot).await.expect("it comes out")
    }
}

/// A CD whose guest resets itself once, with the drive to read it.
fn restless_cd(lab: &Lab) -> PathBuf {
    lab.image("restless.iso", &["iso", "CD", "--reboot-after", "4"])
}

async fn started_by_hawkfish_which_dies_at_once(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("once", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    let machine = hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    assert_eq!(machine.power, Power::On);
    assert_eq!(machine.boot.over, None);
    hawkfish.close().await;
    drop(hawkfish);
    guest.is_as_before();
    guest.booted(&["CD", "HD"]).await;
    guest.is_as_before();
}

#[tokio::test]
async fn once_is_once_for_a_bios_guest_that_resets_itself_when_hawkfish_is_dead() {
    started_by_hawkfish_which_dies_at_once(false).await;
}

#[tokio::test]
async fn once_is_once_for_a_uefi_guest_that_resets_itself_when_hawkfish_is_dead() {
    started_by_hawkfish_which_dies_at_once(true).await;
}

async fn started_by_others_while_hawkfish_is_away(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("others", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    guest.domain.create().expect("others can start it");
    guest.booted(&["CD"]).await;
    let hawkfish = lab.hawkfish().await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["CD", "HD"]).await;
}

#[tokio::test]
async fn once_is_used_up_by_a_bios_boot_that_hawkfish_did_not_see() {
    started_by_others_while_hawkfish_is_away(false).await;
}

#[tokio::test]
async fn once_is_used_up_by_a_uefi_boot_that_hawkfish_did_not_see() {
    started_by_others_while_hawkfish_is_away(true).await;
}

async fn started_by_others(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("virsh", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    guest.domain.create().expect("others can start it");
    guest.booted(&["CD", "HD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn once_is_once_for_a_bios_guest_that_others_start() {
    started_by_others(false).await;
}

#[tokio::test]
async fn once_is_once_for_a_uefi_guest_that_others_start() {
    started_by_others(true).await;
}

#[tokio::test]
async fn once_waits_for_the_reset_of_a_running_guest_over_a_restart_of_hawkfish() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("waits", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["HD"]).await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    let hawkfish = lab.hawkfish().await;
    let machine = hawkfish.machine(guest.key).await.expect("it is there");
    assert!(machine.boot.over.is_some(), "it waits");
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["HD", "CD", "HD"]).await;
}

#[tokio::test]
async fn once_is_used_by_a_restart_that_the_guest_was_asked_for() {
    let Some(lab) = Lab::new(false) else { return };
    let Some(assets) = variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let disk = lab.image("linux.qcow2", &["disk", "HD", "--linux", &assets]);
    let guest = lab.machine_with("asked", &disk, &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    let began = Instant::now();
    while !String::from_utf8_lossy(&std::fs::read(&guest.serial).unwrap_or_default())
        .contains("tick ")
    {
        assert!(began.elapsed() < PATIENCE, "it does not come up");
        pause(GLANCE).await;
    }
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Restart)
        .await
        .expect("it is asked");
    let began = Instant::now();
    while guest.boots().last().map(String::as_str) != Some("CD") {
        assert!(began.elapsed() < PATIENCE, "it does not restart");
        pause(GLANCE).await;
    }
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_carried_through() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("cut", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    // As a HawkFish leaves it that is killed in the middle of a start.
    let noted = definition(&guest.domain);
    let starting = noted.replacen(" once=\"yes\"", " once=\"yes\" phase=\"starting\"", 1);
    assert_ne!(starting, noted);
    Domain::define_xml(&lab.others, &starting).expect("libvirt takes it");
    guest
        .domain
        .create_with_flags(sys::VIR_DOMAIN_START_PAUSED)
        .expect("it starts");
    let hawkfish = lab.hawkfish().await;
    guest.booted(&["CD", "HD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn what_was_used_up_stays_so_over_saving_and_restoring() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("saved", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["CD"]).await;
    let machine = hawkfish
        .step(guest.key, Step::Suspend)
        .await
        .expect("it is saved");
    assert_eq!(machine.power, Power::Off);
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it is restored");
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["CD", "HD"]).await;

    // Likewise one that waits, though others restore the machine.
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Suspend)
        .await
        .expect("it is saved");
    guest.domain.create().expect("others can restore it");
    guest
        .until(&hawkfish, "it runs", |m| m.power == Power::On)
        .await;
    let machine = hawkfish.machine(guest.key).await.expect("it is there");
    assert!(machine.boot.over.is_some(), "being restored is no boot");
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["CD", "HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn a_machine_without_a_drive_is_given_one_for_as_long_as_it_holds_something() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("driveless", &["--no-cdrom"]);
    let hawkfish = lab.hawkfish().await;

    let machine = guest.insert(&hawkfish, "Cd", &cd).await;
    assert!(machine.slots[0].medium.is_some());
    assert!(definition(&guest.domain).contains("bus='sata'"));
    let machine = guest.eject(&hawkfish, "Cd").await;
    assert_eq!(machine.slots[0].medium, None);
    let after = definition(&guest.domain);
    // libvirt keeps the controller that it added for the drive; nothing of ours is left.
    assert!(
        !after.contains("cdrom") && !after.contains("hawkfish"),
        "{after}"
    );

    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["HD"]).await;
    guest.insert(&hawkfish, "Cd", &cd).await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.eject(&hawkfish, "Cd").await;
    let live = guest.domain.get_xml_desc(0).expect("it runs");
    assert!(!live.contains("cdrom"), "{live}");
    assert_eq!(definition(&guest.domain), after);
}

#[tokio::test]
async fn a_stick_boots_and_leaves_no_trace() {
    let Some(lab) = Lab::new(false) else { return };
    let stick = lab.image("stick.img", &["disk", "USB"]);
    let guest = lab.machine("stick", &[]);
    let hawkfish = lab.hawkfish().await;
    // The override first: it holds for what comes into the slot later.
    guest.set_once(&hawkfish, BootTarget::Usb).await;
    let machine = guest.insert(&hawkfish, "Usb", &stick).await;
    let usb = machine.slots[1].medium.clone().expect("it is in");
    assert!(usb.write_protected);
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["USB"]).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["USB", "HD"]).await;
    let machine = guest.eject(&hawkfish, "Usb").await;
    assert_eq!(machine.slots[1].medium, None);
    guest.is_as_before();

    // Into a running machine, and set after that.
    guest.insert(&hawkfish, "Usb", &stick).await;
    guest.set_once(&hawkfish, BootTarget::Usb).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["USB", "HD", "USB"]).await;
    guest.used_up(&hawkfish).await;
    guest.eject(&hawkfish, "Usb").await;
    guest.is_as_before();
}

#[tokio::test]
async fn what_others_change_is_told_even_where_libvirt_does_not_tell() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("told", &[]);
    let hawkfish = lab.hawkfish().await;
    let told = async |what: &str, is: &dyn Fn(&Machine) -> bool| {
        let began = Instant::now();
        loop {
            let found = hawkfish.drain_changes().into_iter().any(|change| {
                matches!(change, Change::Machine { machine, .. } if machine.key == guest.key && is(&machine))
            });
            if found {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{what} is not told");
            let _ = timeout(GLANCE, hawkfish.changed()).await;
        }
    };
    guest
        .domain
        .set_autostart(true)
        .expect("others can do that");
    told("autostart", &|m| m.autostart).await;
    guest
        .domain
        .set_autostart(false)
        .expect("others can do that");
    told("no autostart", &|m| !m.autostart).await;
    let disk = format!(
        "<disk type='file' device='cdrom'><source file='{}'/><target dev='sda' bus='sata'/><readonly/></disk>",
        cd.display()
    );
    guest
        .domain
        .update_device_flags(&disk, sys::VIR_DOMAIN_AFFECT_CONFIG)
        .expect("others can do that");
    told("a medium", &|m| {
        m.slots[0].medium.as_ref().map(|m| &m.source) == Some(&MediaSource::File(cd.clone()))
    })
    .await;
    let slot = SlotId::parse("Cd").expect("a slot");
    let medium = Insert {
        source: MediaSource::File(cd.clone()),
        write_protected: true,
    };
    let error = hawkfish
        .insert(guest.key, &slot, &medium)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::Occupied));
}

#[tokio::test]
async fn a_host_that_hangs_holds_nobody_up_and_is_found_again() {
    let Some(lab_of_test) = Lab::new(false) else {
        return;
    };
    let guest = lab_of_test.machine("hangs", &[]);
    let hawkfish = lab_of_test.hawkfish().await;
    let folder = lab_of_test.path();
    let folder = folder.to_str().expect("text");
    lab(&["freeze", folder]);
    let began = Instant::now();
    let error = hawkfish.step(guest.key, Step::Start).await.unwrap_err();
    let first = began.elapsed();
    let lost = async {
        while !hawkfish
            .drain_changes()
            .iter()
            .any(|change| matches!(change, Change::Lost(_)))
        {
            hawkfish.changed().await;
        }
    };
    let is_told = timeout(PATIENCE, lost).await.is_ok();
    let began = Instant::now();
    let again = hawkfish.machine(guest.key).await.unwrap_err();
    let second = began.elapsed();
    // Before any assertion: a frozen libvirtd cannot be ended.
    lab(&["thaw", folder]);
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable { .. }),
        "{error:?}"
    );
    assert!(
        matches!(again.kind(), ErrorKind::Unavailable { .. }),
        "{again:?}"
    );
    assert!(is_told);
    assert!(first < Duration::from_secs(20), "{first:?}");
    assert!(second < Duration::from_millis(100), "{second:?}");
    let back = async {
        loop {
            hawkfish.changed().await;
            let told = hawkfish.drain_changes();
            if told
                .iter()
                .any(|change| matches!(change, Change::Connected))
            {
                return;
            }
        }
    };
    timeout(PATIENCE, back).await.expect("it is found again");
    let began = Instant::now();
    while hawkfish.machine(guest.key).await.is_err() {
        assert!(began.elapsed() < PATIENCE);
        pause(GLANCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_under_load_strands_nobody() {
    let Some(lab_of_test) = Lab::new(false) else {
        return;
    };
    let disk = lab_of_test.image("any.qcow2", &["disk", "HD"]);
    let guests: Vec<Guest<'_>> = (0..4)
        .map(|n| lab_of_test.machine_with(&format!("load-{n}"), &disk, &[]))
        .collect();
    let hawkfish = lab_of_test.hawkfish().await;
    let ends = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..12)
        .map(|n| {
            let (hawkfish, ends) = (Arc::clone(&hawkfish), Arc::clone(&ends));
            let key = guests[n % guests.len()].key;
            tokio::spawn(async move {
                let (mut done, mut refused) = (0_u32, 0_u32);
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    let wanted = Setup {
                        asset_tag: Some(format!("tag {n}")),
                        ..Setup::default()
                    };
                    let call = async {
                        match n % 3 {
                            0 => hawkfish.machines().await.map(drop),
                            1 => hawkfish.machine(key).await.map(drop),
                            _ => hawkfish.setup(key, &wanted).await.map(drop),
                        }
                    };
                    match timeout(Duration::from_secs(60), call)
                        .await
                        .expect("it returns")
                    {
                        Ok(()) => done += 1,
                        Err(error) => {
                            let kind = error.kind();
                            assert!(matches!(kind, ErrorKind::Unavailable { .. }), "{error:?}");
                            refused += 1;
                            pause(Duration::from_millis(5)).await;
                        }
                    }
                }
                (done, refused)
            })
        })
        .collect();
    let folder = lab_of_test.path();
    let folder = folder.to_str().expect("text");
    for _ in 0..3 {
        pause(Duration::from_secs(1)).await;
        lab(&["kill", folder]);
        pause(Duration::from_secs(1)).await;
        lab(&["start", folder]);
        let began = Instant::now();
        while hawkfish.machines().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it is not found again");
            pause(GLANCE).await;
        }
    }
    pause(Duration::from_secs(1)).await;
    ends.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        let (done, refused) = caller.await.expect("no caller is stranded");
        assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    }
    for guest in &guests {
        let untag = Setup {
            asset_tag: Some(String::new()),
            ..Setup::default()
        };
        let machine = hawkfish
            .setup(guest.key, &untag)
            .await
            .expect("it is there");
        assert_eq!(machine.identity.asset_tag, None);
    }
    // The guests' connection is of the libvirtd that was killed.
    let others = Connect::open(Some(&lab_of_test.uri)).expect("libvirt answers");
    for guest in &guests {
        let domain = Domain::lookup_by_uuid(&others, guest.key.0).expect("it is there");
        assert_eq!(definition(&domain), guest.before);
    }
}

#[tokio::test]
async fn a_look_at_a_thousand_machines_costs_little_more_than_their_listing() {
    let Some(lab) = Lab::new(false) else { return };
    for n in 0..1000 {
        let xml = format!(
            "<domain type='qemu'><name>many-{n:04}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
               <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
               <devices><disk type='file' device='disk'><source file='/nowhere/{n}.img'/><target dev='vda' bus='virtio'/></disk></devices>
             </domain>"
        );
        Domain::define_xml(&lab.others, &xml).expect("libvirt takes the domain");
    }
    let began = Instant::now();
    let hawkfish = lab.hawkfish().await;
    let first = began.elapsed();
    let mut raw = Duration::MAX;
    let mut ours = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        let listed = lab.others.list_all_domains(0).expect("it answers");
        raw = raw.min(began.elapsed());
        assert_eq!(listed.len(), 1000);
        let began = Instant::now();
        let machines = hawkfish.machines().await.expect("it answers");
        ours = ours.min(began.elapsed());
        assert_eq!(machines.len(), 1000);
    }
    eprintln!("1,000 machines: connected and read in {first:?}, listing {raw:?}, look {ours:?}");
    // An unoptimised build clones a thousand machines in some milliseconds.
    assert!(ours < raw * 8 + Duration::from_millis(20), "{ours:?}");
}

#[tokio::test]
async fn a_probe_says_who_answers_and_why_nobody_does() {
    let limit = Duration::from_secs(20);
    let facts = probe("test:///default", limit)
        .await
        .expect("it is built in");
    assert!(
        facts.hypervisor.to_lowercase().starts_with("test"),
        "{facts:?}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("sock");
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let error = probe(&uri, limit).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert!(error.message().contains("socket"), "{error:?}");

    // One that takes the connection and says nothing.
    let _mute = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let began = Instant::now();
    let error = probe(&uri, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn addresses_that_a_network_of_the_host_has_given_are_shown_while_a_machine_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.xml");
    let node = "<node>
        <network><name>default</name><bridge name='virbr0'/>
          <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.99'/></dhcp></ip>
        </network>
        <domain type='test'><name>leased</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
          <os><type arch='x86_64'>hvm</type></os>
          <devices>
            <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
            <interface type='network'><mac address='52:54:00:00:00:02'/><source network='default'/></interface>
          </devices>
        </domain>
      </node>";
    std::fs::write(&file, node).expect("a file");
    let backend = connected(LibvirtSettings::new(format!("test://{}", file.display()))).await;
    let machine = backend.machines().await.expect("it answers").remove(0);
    // The driver's domains run when it begins; what it leases follows from the number of the interface.
    assert_eq!(machine.power, Power::On);
    let machine = backend.machine(machine.key).await.expect("it is there");
    let addresses: Vec<_> = machine
        .hardware
        .nics
        .iter()
        .map(|nic| &nic.addresses)
        .collect();
    assert!(addresses.iter().all(|own| own.len() == 1), "{addresses:?}");
    let is_leased = |nic: usize| {
        addresses[nic][0]
            .address
            .to_string()
            .starts_with("192.0.2.")
    };
    assert!(!is_leased(0) && is_leased(1), "{addresses:?}");
    assert_eq!(addresses[1][0].prefix, 24);
    let off = backend
        .step(machine.key, Step::ForceOff)
        .await
        .expect("it is cut");
    assert!(off.hardware.nics.iter().all(|nic| nic.addresses.is_empty()));
}
