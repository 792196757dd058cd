//! The behaviour suite on libvirt: on its own test driver, which has no guests but needs nothing either, and on QEMU with real ones.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings};
use hawkfish_core::backend::{Backend, BootTarget, Change, MachineKey, MediaSource};
use hawkfish_core::clock::SystemClock;
use tempfile::TempDir;
use tokio::time::Instant;
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::sys;

use crate::behavior::{Fixture, Temper, behavior_suite};
use hawkfish_testing::lab::{image, script};
use hawkfish_testing::part::variable;

/// How long to wait before looking again at what nobody tells of, such as a guest's console.
const GLANCE: Duration = Duration::from_millis(200);

/// The backend of a libvirt that answers.
async fn open(uri: &str) -> Arc<dyn Backend> {
    let backend = LibvirtBackend::connect(LibvirtSettings::new(uri), Arc::new(SystemClock));
    loop {
        backend.changed().await;
        for change in backend.drain_changes() {
            match change {
                Change::Connected => return backend,
                Change::Lost(why) => panic!("{uri} does not answer: {why}"),
                _ => {}
            }
        }
    }
}

/// libvirt's test driver: domains that nothing runs in, in this process.
struct Driver {
    backend: Arc<dyn Backend>,
    handed_out: AtomicUsize,
    folder: TempDir,
    began: Instant,
}

impl Driver {
    async fn new() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let domain = |n: u32| {
            let uuid = key(n).0;
            format!(
                "<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
                   <name>test-{n}</name><uuid>{uuid}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
                   <os><type arch='x86_64'>hvm</type><boot dev='hd'/></os>
                   <features><acpi/></features>
                   <devices>
                     <disk type='file' device='disk'><source file='/guest/{n}.img'/><target dev='vda' bus='virtio'/></disk>
                     <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>
                   </devices>
                   <test:runstate>5</test:runstate>
                 </domain>"
            )
        };
        let node = format!("<node>{}{}{}</node>", domain(1), domain(2), domain(3));
        let file = folder.path().join("node.xml");
        std::fs::write(&file, node).expect("a file");
        std::fs::write(folder.path().join("cd.iso"), [0; 4096]).expect("a file");
        let backend = open(&format!("test://{}", file.display())).await;
        Some(Self {
            backend,
            handed_out: AtomicUsize::new(1),
            folder,
            began: Instant::now(),
        })
    }
}

fn key(n: u32) -> MachineKey {
    MachineKey(Uuid::from_u128(
        0x7e57_0000_0000_4000_8000_0000_0000_0000 + u128::from(n),
    ))
}

#[async_trait]
impl Fixture for Driver {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    async fn machine(&self, temper: Temper) -> Option<MachineKey> {
        // Its domains do at once what they are asked.
        matches!(temper, Temper::Any | Temper::Polite).then(|| {
            key(self
                .handed_out
                .fetch_add(1, Ordering::Relaxed)
                .try_into()
                .expect("few"))
        })
    }

    async fn pass(&self) {
        let _ = tokio::time::timeout(GLANCE, self.backend.changed()).await;
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn a_while(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn is_up(&self, _key: MachineKey) -> bool {
        true
    }

    async fn boots(&self, _key: MachineKey) -> Option<Vec<BootTarget>> {
        None
    }

    async fn medium(&self) -> MediaSource {
        MediaSource::File(self.folder.path().join("cd.iso"))
    }

    fn broken_medium(&self) -> Option<MediaSource> {
        None
    }
}

/// A domain that a lab defined.
struct Defined {
    key: MachineKey,
    serial: PathBuf,
    /// It boots a Linux from its disk, else a mere GRUB.
    is_linux: bool,
}

/// QEMU with guests that say what they booted, behind a libvirtd of its own: two who keep overrides to one boot cannot look after one host.
struct Lab {
    backend: Arc<dyn Backend>,
    folder: TempDir,
    /// Where its libvirtd lives.
    lab: String,
    /// Somebody else's connection to the same libvirt.
    others: Connect,
    efi: bool,
    domains: Mutex<Vec<Defined>>,
    began: Instant,
}

impl Lab {
    async fn new(efi: bool) -> Option<Self> {
        variable("HAWKFISH_TEST_LIBVIRT_URI")?;
        variable("HAWKFISH_TEST_ASSETS")?;
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().join("lab");
        let home = home.to_str().expect("text").to_owned();
        let uri = script(&["up", &home]);
        let uri = uri.trim();
        let pool = folder.path().join("pool");
        std::fs::create_dir(&pool).expect("a folder");
        let pool = pool.to_str().expect("text");
        let make = [
            "virsh",
            &home,
            "pool-create-as",
            "default",
            "dir",
            "--target",
            pool,
        ];
        script(&make);
        Some(Self {
            backend: open(uri).await,
            folder,
            lab: home,
            others: Connect::open(Some(uri)).expect("libvirt answers"),
            efi,
            domains: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn serial(&self, key: MachineKey) -> String {
        let domains = self.domains.lock().expect("domains");
        let domain = domains.iter().find(|d| d.key == key).expect("one of ours");
        String::from_utf8_lossy(&std::fs::read(&domain.serial).unwrap_or_default()).into_owned()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Ends its guests, too.
        script(&["down", &self.lab]);
    }
}

#[async_trait]
impl Fixture for Lab {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::clone(&self.backend)
    }

    async fn machine(&self, temper: Temper) -> Option<MachineKey> {
        let number = self.domains.lock().expect("domains").len();
        let name = format!("guest-{number}");
        let assets = variable("HAWKFISH_TEST_ASSETS")?;
        let wish: &[&str] = match temper {
            // GRUB, which does not hear the power button, is there in no time.
            Temper::Any | Temper::Deaf => &["disk", "HFDISK"],
            Temper::Restless => &["disk", "HFDISK", "--reboot-after", "10"],
            Temper::Polite => &["disk", "HFDISK", "--linux", &assets],
        };
        let disk = image(self.folder.path(), &format!("{name}.qcow2"), wish);
        let serial = self.folder.path().join(format!("{name}.serial"));
        let (disk, file) = (disk.to_str().expect("text"), serial.to_str().expect("text"));
        let mut arguments = vec![
            "xml",
            &name,
            "--disk",
            disk,
            "--cdrom-empty",
            "--serial",
            file,
        ];
        if self.efi {
            arguments.push("--efi");
        }
        // QEMU's file then holds what was said since the last start, as the suite wants to know.
        let xml = script(&arguments).replace("append='on'", "append='off'");
        let domain = Domain::define_xml(&self.others, &xml).expect("libvirt takes the domain");
        let key = MachineKey(domain.get_uuid().expect("a UUID"));
        self.domains.lock().expect("domains").push(Defined {
            key,
            serial,
            is_linux: temper == Temper::Polite,
        });
        while self.backend.machine(key).await.is_err() {
            assert!(self.elapsed() < self.patience(), "the domain is not seen");
            self.pass().await;
        }
        Some(key)
    }

    async fn pass(&self) {
        let _ = tokio::time::timeout(GLANCE, self.backend.changed()).await;
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(240)
    }

    fn a_while(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn is_up(&self, key: MachineKey) -> bool {
        let serial = self.serial(key);
        let since_boot = serial.rsplit("HAWKFISH-BOOT ").next().unwrap_or_default();
        let domains = self.domains.lock().expect("domains");
        let is_linux = domains.iter().any(|d| d.key == key && d.is_linux);
        // The Linux of the lab hears the power button once it ticks.
        since_boot.contains(if is_linux { "tick " } else { "platform=" })
    }

    async fn boots(&self, key: MachineKey) -> Option<Vec<BootTarget>> {
        let serial = self.serial(key);
        let labels = serial.split("HAWKFISH-BOOT label=").skip(1);
        let targets = labels.filter_map(|rest| match rest.split_once(' ')?.0 {
            "HFDISK" => Some(BootTarget::Hdd),
            "HFCD" => Some(BootTarget::Cd),
            other => panic!("nobody asked to boot {other:?}"),
        });
        Some(targets.collect())
    }

    async fn disks_seen(&self, key: MachineKey) -> Option<Vec<(String, u64)>> {
        let serial = self.serial(key);
        let told = serial.rsplit("HAWKFISH-GUEST ").next()?.lines().next()?;
        let told: serde_json::Value = serde_json::from_str(told.trim()).ok()?;
        let disks = told["disks"].as_array()?.iter();
        let seen = disks.filter_map(|disk| {
            let serial = disk["serial"].as_str().unwrap_or_default().to_owned();
            Some((serial, disk["bytes"].as_u64()?))
        });
        Some(seen.collect())
    }

    async fn medium(&self) -> MediaSource {
        let path = self.folder.path().join("cd.iso");
        if !path.exists() {
            image(self.folder.path(), "cd.iso", &["iso", "HFCD"]);
        }
        MediaSource::File(path)
    }

    fn broken_medium(&self) -> Option<MediaSource> {
        Some(MediaSource::File(self.folder.path().join("nothing.iso")))
    }

    async fn others_start(&self, key: MachineKey) -> bool {
        let domain = Domain::lookup_by_uuid(&self.others, key.0).expect("it is there");
        domain.create().expect("it starts");
        true
    }

    async fn definition(&self, key: MachineKey) -> Option<String> {
        let domain = Domain::lookup_by_uuid(&self.others, key.0).expect("it is there");
        let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
        Some(domain.get_xml_desc(flags).expect("it has a definition"))
    }

    async fn lose(&self) -> bool {
        script(&["kill", &self.lab]);
        true
    }

    async fn find(&self) {
        script(&["start", &self.lab]);
    }
}

mod test_driver {
    use super::*;
    behavior_suite!(Driver::new());
}

mod qemu_bios {
    use super::*;
    behavior_suite!(Lab::new(false));
}

mod qemu_uefi {
    use super::*;
    behavior_suite!(Lab::new(true));
}
