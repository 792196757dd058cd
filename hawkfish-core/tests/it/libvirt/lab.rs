//! A libvirtd of a test's own, and the guests in it.

use super::*;
use hawkfish_testing::lab::{image, script};
use hawkfish_testing::part::variable;

/// How long to wait for what must come; emulated guests on a busy machine take their time.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// Real guests and daemons take real time, and nobody tells when a guest has written to its console.
#[expect(clippy::disallowed_methods, reason = "see above")]
pub(super) async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// A libvirtd of its own, and a folder for images.
pub(super) struct Lab {
    pub(super) uri: String,
    pub(super) folder: TempDir,
    /// Somebody else's connection.
    pub(super) others: Connect,
    pub(super) efi: bool,
}

impl Drop for Lab {
    fn drop(&mut self) {
        script(&["down", self.path().to_str().expect("text")]);
    }
}

impl Lab {
    pub(super) fn new(efi: bool) -> Option<Self> {
        variable("HAWKFISH_TEST_LIBVIRT_URI")?;
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("lab");
        let uri = script(&["up", at.to_str().expect("text")])
            .trim()
            .to_owned();
        Some(Self {
            others: Connect::open(Some(&uri)).expect("libvirt answers"),
            uri,
            folder,
            efi,
        })
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    pub(super) fn settings(&self) -> LibvirtSettings {
        LibvirtSettings {
            look_every: Duration::from_secs(2),
            read_within: Duration::from_secs(5),
            ..LibvirtSettings::new(&self.uri)
        }
    }

    pub(super) async fn hawkfish(&self) -> Arc<LibvirtBackend> {
        connected(self.settings()).await
    }

    pub(super) fn image(&self, name: &str, arguments: &[&str]) -> PathBuf {
        image(self.folder.path(), name, arguments)
    }

    /// Defines a machine with a disk that boots as `HD`.
    pub(super) fn machine(&self, name: &str, more: &[&str]) -> Guest<'_> {
        let disk = self.image(&format!("{name}.qcow2"), &["disk", "HD"]);
        self.machine_with(name, &disk, more)
    }

    pub(super) fn machine_with(&self, name: &str, disk: &Path, more: &[&str]) -> Guest<'_> {
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
        let domain = Domain::define_xml(&self.others, &script(&arguments))
            .expect("libvirt takes the domain");
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

pub(super) async fn connected(settings: LibvirtSettings) -> Arc<LibvirtBackend> {
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

pub(super) fn definition(domain: &Domain) -> String {
    let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
    domain.get_xml_desc(flags).expect("it has a definition")
}

/// A machine as libvirt knows it.
pub(super) struct Guest<'a> {
    /// Ended after its guests.
    pub(super) _lab: &'a Lab,
    pub(super) domain: Domain,
    pub(super) key: MachineKey,
    pub(super) serial: PathBuf,
    /// Its definition before anything was done to it.
    pub(super) before: String,
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
    pub(super) fn boots(&self) -> Vec<String> {
        let serial = std::fs::read(&self.serial).unwrap_or_default();
        String::from_utf8_lossy(&serial)
            .split("HAWKFISH-BOOT label=")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
            .collect()
    }

    /// Waits until it has booted these, and nothing else.
    pub(super) async fn booted(&self, expected: &[&str]) {
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

    pub(super) async fn until(
        &self,
        backend: &LibvirtBackend,
        what: &str,
        is: impl Fn(&Machine) -> bool,
    ) {
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

    pub(super) async fn set_once(&self, backend: &LibvirtBackend, target: BootTarget) {
        let over = BootOverride { target, once: true };
        let wanted = Setup {
            over: Some(Some(over)),
            ..Setup::default()
        };
        let machine = backend.setup(self.key, &wanted).await.expect("it is set");
        assert_eq!(machine.boot.over, Some(over));
    }

    pub(super) async fn used_up(&self, backend: &LibvirtBackend) {
        self.until(backend, "the override is used up", |m| {
            m.boot.over.is_none()
        })
        .await;
    }

    /// Its definition is exactly as it was.
    pub(super) fn is_as_before(&self) {
        assert_eq!(definition(&self.domain), self.before);
    }

    pub(super) async fn insert(
        &self,
        backend: &LibvirtBackend,
        slot: &str,
        file: &Path,
    ) -> Machine {
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

    pub(super) async fn eject(&self, backend: &LibvirtBackend, slot: &str) -> Machine {
        let slot = SlotId::parse(slot).expect("a slot");
        backend.eject(self.key, &slot).await.expect("it comes out")
    }
}
