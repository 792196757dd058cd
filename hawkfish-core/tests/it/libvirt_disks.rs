//! Disks on libvirt: what a crash leaves half made, what a full machine does not take, and what breaks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings};
use hawkfish_core::backend::{Backend, Change, Disk, Machine, MachineKey, NewDisk, Step};
use hawkfish_core::clock::SystemClock;
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::DiskToken;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::sys;

use hawkfish_testing::lab::{image, script};
use hawkfish_testing::part::variable;

const PATIENCE: Duration = Duration::from_secs(120);
const MIB: u64 = 1 << 20;

/// A libvirtd of its own with a pool and one machine, whose disk boots as `HD`.
struct Scene {
    folder: TempDir,
    pool: PathBuf,
    disk: PathBuf,
    domain: Domain,
    key: MachineKey,
    backend: Arc<LibvirtBackend>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        script(&["down", text(&home(&self.folder))]);
    }
}

fn home(folder: &TempDir) -> PathBuf {
    folder.path().join("lab")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

impl Scene {
    async fn set() -> Option<Self> {
        variable("HAWKFISH_TEST_LIBVIRT_URI")?;
        let folder = tempfile::tempdir().expect("a folder");
        let uri = script(&["up", text(&home(&folder))]).trim().to_owned();
        let pool = folder.path().join("pool");
        std::fs::create_dir(&pool).expect("a folder");
        let lab_home = home(&folder);
        let make = [
            "virsh",
            text(&lab_home),
            "pool-create-as",
            "default",
            "dir",
            "--target",
            text(&pool),
        ];
        script(&make);
        let disk = image(folder.path(), "hd.qcow2", &["disk", "HD"]);
        let serial = folder.path().join("serial");
        let xml = [
            "xml",
            "machine",
            "--disk",
            text(&disk),
            "--serial",
            text(&serial),
            "--memory",
            "128",
        ];
        let others = Connect::open(Some(&uri)).expect("libvirt answers");
        let domain = Domain::define_xml(&others, &script(&xml)).expect("libvirt takes the domain");
        let key = MachineKey(domain.get_uuid().expect("a UUID"));
        let backend = LibvirtBackend::connect(LibvirtSettings::new(uri), Arc::new(SystemClock));
        while !backend.drain_changes().contains(&Change::Connected) {
            timeout(PATIENCE, backend.changed())
                .await
                .expect("it connects");
        }
        Some(Self {
            folder,
            pool,
            disk,
            domain,
            key,
            backend,
        })
    }

    fn files(&self) -> Vec<String> {
        let files = std::fs::read_dir(&self.pool).expect("a folder");
        let mut names: Vec<String> = files
            .map(|file| {
                file.expect("a file")
                    .file_name()
                    .into_string()
                    .expect("text")
            })
            .collect();
        names.sort();
        names
    }

    fn definition(&self) -> String {
        let text = self.domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE);
        text.expect("it has a definition")
    }

    /// A file that a call which did not come to its end has left in the pool.
    fn leave(&self, token: &DiskToken, size: &str) {
        let name = format!("hawkfish-{token}.qcow2");
        let home = home(&self.folder);
        let make = [
            "virsh",
            text(&home),
            "vol-create-as",
            "default",
            &name,
            size,
            "--format",
            "qcow2",
        ];
        script(&make);
    }

    async fn until(&self, what: &str, holds: impl Fn(&Machine) -> bool) {
        let began = Instant::now();
        loop {
            let machine = self.backend.machine(self.key).await.expect("it is there");
            if holds(&machine) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "not so: {what}: {machine:?}");
            let _ = timeout(Duration::from_millis(200), self.backend.changed()).await;
            self.backend.drain_changes();
        }
    }
}

fn token(number: usize) -> DiskToken {
    DiskToken::parse(&format!("hf{number:016x}")).expect("letters and digits")
}

fn wish(number: usize) -> NewDisk {
    NewDisk {
        token: token(number),
        controller: "virtio".to_owned(),
        bytes: 48 * MIB,
    }
}

#[tokio::test]
async fn what_a_crash_left_between_file_and_machine_is_finished_or_cleared_away() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let before = scene.definition();
    // It came as far as the file; asked again, it goes on from there.
    scene.leave(&token(1), "48M");
    let machine = scene.backend.make_disk(scene.key, &wish(1)).await.unwrap();
    let made = machine.storage.made(&token(1)).expect("it is shown");
    assert_eq!(made.bytes, Some(48 * MIB));
    assert_eq!(scene.files().len(), 1);
    // Its deletion came as far as the definition.
    scene.leave(&token(2), "48M");
    let machine = scene
        .backend
        .delete_disk(scene.key, &token(2))
        .await
        .unwrap();
    assert!(
        machine.storage.made(&token(1)).is_some(),
        "no other is touched"
    );
    assert_eq!(scene.files(), ["hawkfish-hf0000000000000001.qcow2"]);
    scene
        .backend
        .delete_disk(scene.key, &token(1))
        .await
        .unwrap();
    assert_eq!(scene.files(), Vec::<String>::new());
    assert_eq!(scene.definition(), before);
}

#[tokio::test]
async fn a_machine_that_takes_no_more_disks_while_it_runs_says_so_and_nothing_is_left_behind() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    scene.backend.step(scene.key, Step::Start).await.unwrap();
    let mut made = 0;
    let refused = loop {
        match scene.backend.make_disk(scene.key, &wish(made)).await {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(made < 64, "no machine has so many ports");
    };
    let off = ErrorKind::Conflict(Conflict::PowerOffRequired);
    assert_eq!(*refused.kind(), off, "{refused:?}");
    assert_eq!(scene.files().len(), made);
    let machine = scene.backend.machine(scene.key).await.unwrap();
    let ours = machine.storage.disks.iter().filter(|disk| disk.ours);
    assert_eq!(ours.count(), made);
    // A guest that hears nothing lets nothing go: then the disk stays, whole, until the machine is off.
    if made > 0 {
        let held = scene.backend.delete_disk(scene.key, &token(0)).await;
        assert_eq!(held.map_err(|error| error.kind().clone()).err(), Some(off));
        assert_eq!(scene.files().len(), made);
    }
    scene.backend.step(scene.key, Step::ForceOff).await.unwrap();
    let machine = scene
        .backend
        .make_disk(scene.key, &wish(made))
        .await
        .unwrap();
    let ours = machine.storage.disks.iter().filter(|disk| disk.ours);
    assert_eq!(ours.count(), made + 1, "off, it takes it");
    for number in 0..=made {
        scene
            .backend
            .delete_disk(scene.key, &token(number))
            .await
            .unwrap();
    }
    assert_eq!(scene.files(), Vec::<String>::new());
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_marked_until_its_machine_starts_anew() {
    let Some(scene) = Scene::set().await else {
        return;
    };
    let whole = std::fs::read(&scene.disk).expect("an image");
    // The first cluster is said to be compressed, and is not (qcow2: byte 40 leads to the table of tables, whose first entry leads to the table of clusters).
    const PLACE: u64 = 0x00ff_ffff_ffff_fe00;
    let mut broken = whole.clone();
    let at = |place: u64| usize::try_from(place).expect("a small file");
    let word = |place: u64| {
        let bytes = whole[at(place)..][..8].try_into().expect("eight bytes");
        u64::from_be_bytes(bytes)
    };
    let table = word(word(40)) & PLACE;
    let nonsense = (1 << 62) | (word(table) & PLACE);
    broken[at(table)..][..8].copy_from_slice(&nonsense.to_be_bytes());
    std::fs::write(&scene.disk, &broken).expect("an image");
    let failed = |machine: &Machine| machine.storage.disk("vda").map(|disk: &Disk| disk.failed);
    scene
        .until("its size is known", |m| {
            m.storage.disk("vda").is_some_and(|d| d.bytes.is_some())
        })
        .await;
    scene.backend.step(scene.key, Step::Start).await.unwrap();
    scene.until("it failed", |m| failed(m) == Some(true)).await;
    scene.backend.step(scene.key, Step::ForceOff).await.unwrap();
    std::fs::write(&scene.disk, &whole).expect("an image");
    let machine = scene.backend.step(scene.key, Step::Start).await.unwrap();
    assert_eq!(failed(&machine), Some(false));
}
