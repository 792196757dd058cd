//! A libvirt of the test's own, with domains that somebody else has defined: by `scripts/lab`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use tempfile::TempDir;

use crate::{part, until};

/// A libvirtd in a folder, gone with its guests when this is dropped.
#[derive(Debug)]
pub struct Lab {
    folder: TempDir,
    uri: String,
}

impl Lab {
    /// Starts one; or skips the test, aloud, where no guests are to be had.
    pub fn up() -> Option<Self> {
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
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The lab's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Does something to libvirtd: `stop`, `start`, `kill`, `freeze`, `thaw`.
    pub fn daemon(&self, verb: &str) {
        script(&[verb, text(self.path())]);
    }

    /// Runs virsh, and gives what it prints.
    pub fn virsh(&self, arguments: &[&str]) -> String {
        let mut all = vec!["virsh", text(self.path())];
        all.extend(arguments);
        script(&all)
    }

    /// A bootable CD.
    pub fn iso(&self, label: &str, more: &[&str]) -> PathBuf {
        self.image("iso", label, more)
    }

    fn image(&self, kind: &str, label: &str, more: &[&str]) -> PathBuf {
        let mut all = vec![kind, label];
        all.extend(more);
        image(self.path(), &format!("images/{label}.{kind}"), &all)
    }

    /// Defines a domain of that name, with a disk whose label is its name in capitals.
    pub fn define(&self, name: &str, more: &[&str]) -> Guest {
        let xml = self.xml(name, more);
        self.define_as(name, &xml)
    }

    /// Defines a domain of that name by a text made by [`Lab::xml`].
    pub fn define_as(&self, name: &str, xml: &str) -> Guest {
        let file = self.path().join(format!("{name}.xml"));
        std::fs::write(&file, xml).unwrap();
        self.virsh(&["define", text(&file)]);
        Guest {
            name: name.to_owned(),
            disk: name.to_ascii_uppercase(),
            serial: self.serial(name),
        }
    }

    /// What such a domain is defined by.
    pub fn xml(&self, name: &str, more: &[&str]) -> String {
        let disk = self.image("disk", &name.to_ascii_uppercase(), &[]);
        let serial = self.serial(name);
        std::fs::write(&serial, "").unwrap();
        let mut all = vec![
            "xml",
            name,
            "--disk",
            text(&disk),
            "--serial",
            text(&serial),
        ];
        all.extend(more);
        script(&all)
    }

    fn serial(&self, name: &str) -> PathBuf {
        self.path().join(format!("{name}.serial"))
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
#[derive(Debug)]
pub struct Guest {
    /// Its name.
    pub name: String,
    /// The label of its disk.
    pub disk: String,
    serial: PathBuf,
}

impl Guest {
    /// What it has written to its serial console since it was defined.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.serial).unwrap_or_default()).into_owned()
    }

    /// The labels of all that it has booted, one for each boot.
    pub fn booted(&self) -> Vec<String> {
        let console = self.console();
        let boots = console.split("HAWKFISH-BOOT label=").skip(1);
        let labels = boots.filter_map(|rest| rest.split_once(" platform="));
        labels.map(|(label, _)| label.to_owned()).collect()
    }

    /// Waits until it has booted what these labels say, each after the other, since it was defined.
    pub async fn boots(&self, labels: &[&str]) {
        let what = format!(
            "{} boots {labels:?}; console: {}",
            self.name,
            self.console()
        );
        until(&what, BOOT, async || {
            (self.booted().len() >= labels.len()).then_some(())
        })
        .await;
        assert_eq!(self.booted(), labels, "{}", self.console());
    }

    /// Waits until its console says so.
    pub async fn says(&self, text: &str) {
        let what = format!("{} says {text}", self.name);
        until(&what, BOOT, async || {
            self.console().contains(text).then_some(())
        })
        .await;
    }
}

/// How long a boot may take: emulated, on a busy machine.
const BOOT: Duration = Duration::from_secs(120);

/// An image in a folder, made of what `scripts/lab` takes for one: its kind, its label, and what else is to be said of it.
///
/// # Panics
/// Where it cannot be made.
pub fn image(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let (kind, label) = (arguments[0], arguments[1]);
    let mut all = vec![kind, label, text(&path)];
    all.extend(&arguments[2..]);
    script(&all);
    path
}

fn run(arguments: &[&str]) -> std::io::Result<Output> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/lab");
    Command::new(script).args(arguments).output()
}

/// Runs `scripts/lab` and gives what it prints.
///
/// # Panics
/// With what it complained of, where it failed.
pub fn script(arguments: &[&str]) -> String {
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
