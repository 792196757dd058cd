//! A libvirt of the test's own, with domains that somebody else has defined.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use super::until;
use crate::part;

/// How long a boot may take: emulated, on a busy machine.
const BOOT: Duration = Duration::from_secs(120);

/// A libvirtd in a folder, gone with its guests when this is dropped.
pub(super) struct Lab {
    folder: TempDir,
    uri: String,
}

impl Lab {
    /// Starts one; or skips the test, aloud, where no guests are to be had.
    pub(super) fn up() -> Option<Self> {
        part::variable("HAWKFISH_TEST_LIBVIRT_URI")?;
        // A short path: a socket lies within it.
        let folder = tempfile::Builder::new()
            .prefix("hf-lab-")
            .tempdir_in("/tmp")
            .unwrap();
        let uri = script(&["up", text(folder.path())]);
        Some(Self {
            folder,
            uri: uri.trim().to_owned(),
        })
    }

    /// Where libvirt answers.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// The lab's folder.
    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs virsh, and gives what it prints.
    pub(super) fn virsh(&self, arguments: &[&str]) -> String {
        let mut all = vec!["virsh", text(self.path())];
        all.extend(arguments);
        script(&all)
    }

    /// A bootable CD.
    pub(super) fn iso(&self, label: &str) -> PathBuf {
        self.image("iso", label)
    }

    fn image(&self, kind: &str, label: &str) -> PathBuf {
        let path = self.path().join(format!("images/{label}.{kind}"));
        script(&[kind, label, text(&path)]);
        path
    }

    /// Defines a domain of that name with an empty CD drive, and a disk whose label is its name in capitals.
    pub(super) fn define(&self, name: &str) -> Guest {
        let disk = name.to_ascii_uppercase();
        let image = self.image("disk", &disk);
        let serial = self.path().join(format!("{name}.serial"));
        std::fs::write(&serial, "").unwrap();
        let xml = script(&[
            "xml",
            name,
            "--disk",
            text(&image),
            "--serial",
            text(&serial),
            "--cdrom-empty",
            "--memory",
            "128",
        ]);
        let file = self.path().join(format!("{name}.xml"));
        std::fs::write(&file, xml).unwrap();
        self.virsh(&["define", text(&file)]);
        Guest { disk, serial }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Not `script`: a panic within a panic would hide the first.
        if let Err(error) = run(&["down", text(self.path())]) {
            eprintln!("the lab could not be ended: {error}");
        }
    }
}

/// A domain of the lab.
pub(super) struct Guest {
    /// The label of its disk.
    pub(super) disk: String,
    serial: PathBuf,
}

impl Guest {
    /// What it has written to its serial console since it was defined.
    fn console(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.serial).unwrap_or_default()).into_owned()
    }

    /// The labels of all that it has booted, one for each boot.
    pub(super) fn booted(&self) -> Vec<String> {
        let console = self.console();
        let boots = console.split("HAWKFISH-BOOT label=").skip(1);
        let labels = boots.filter_map(|rest| rest.split_once(" platform="));
        labels.map(|(label, _)| label.to_owned()).collect()
    }

    /// Waits until it has booted what these labels say, each after the other, since it was defined.
    pub(super) async fn boots(&self, labels: &[&str]) {
        let what = format!("the guest boots {labels:?}");
        until(&what, BOOT, async || {
            (self.booted().len() >= labels.len()).then_some(())
        })
        .await;
        assert_eq!(self.booted(), labels, "{}", self.console());
    }
}

fn run(arguments: &[&str]) -> std::io::Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/lab");
    Command::new(script).args(arguments).output()
}

/// Runs `scripts/lab` and gives what it prints.
fn script(arguments: &[&str]) -> String {
    let done = run(arguments).expect("scripts/lab runs");
    assert!(
        done.status.success(),
        "scripts/lab {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).expect("text")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
