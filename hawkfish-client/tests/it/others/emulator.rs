//! The emulator of sushy-tools, as a process.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hawkfish_client::{Builder, Client};
use tempfile::TempDir;

use super::Place;
use hawkfish_testing::part;
use hawkfish_testing::until;

const USER: &str = "admin";
const PASSWORD: &str = "secret";
/// That password, as `htpasswd -B` writes it.
const HTPASSWD: &str = "admin:$2b$04$trueUMTA3kZrXw1zqewGlujDhD53ByJXZpKWJSjfbJjWq.VddxOC.";

/// How long it may take to start, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A running `sushy-emulator` that wants a password; ended when this is dropped.
pub(super) struct Emulator {
    pub(super) place: Place,
    child: Child,
    folder: TempDir,
}

impl Emulator {
    /// With the one machine that it makes up: `fake`.
    pub(super) async fn fake() -> Option<Self> {
        Self::start(&["--fake"]).await
    }

    /// In front of a libvirt.
    pub(super) async fn libvirt(uri: &str) -> Option<Self> {
        Self::start(&["--libvirt-uri", uri]).await
    }

    async fn start(arguments: &[&str]) -> Option<Self> {
        let program = part::python()?.with_file_name("sushy-emulator");
        if !program.exists() {
            part::skip("sushy-emulator beside HAWKFISH_TEST_PYTHON");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("hf-sushy-").tempdir();
        let folder = folder.unwrap();
        let path = folder.path().display();
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).unwrap();
        std::fs::write(
            folder.path().join("settings.py"),
            format!("SUSHY_EMULATOR_STATE_DIR = '{path}'\nSUSHY_EMULATOR_AUTH_FILE = '{path}/htpasswd'\n"),
        )
        .unwrap();
        let address = own_address();
        // It cannot tell which port it took, so it is told one that was free a moment ago, of an address that nobody else uses.
        let port = TcpListener::bind((address, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args([
                "--interface",
                &address.to_string(),
                "--port",
                &port.to_string(),
            ])
            .arg("--config")
            .arg(folder.path().join("settings.py"))
            .args(arguments)
            // What it unpacks goes where the rest is.
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let url = format!("http://{address}:{port}");
        let mut emulator = Self {
            place: Place {
                url,
                user: USER,
                password: PASSWORD,
                ca: None,
            },
            child,
            folder,
        };
        let nobody = Client::builder(&emulator.place.url).build().unwrap();
        until("the emulator answers", START, async || {
            assert!(emulator.child.try_wait().unwrap().is_none(), "it has ended");
            nobody.root().await.ok()
        })
        .await;
        Some(emulator)
    }

    /// A client on its way there, which says in its own way who it is.
    pub(super) fn client(&self, login: impl FnOnce(Builder, &str, &str) -> Builder) -> Client {
        let builder = Client::builder(&self.place.url);
        login(builder, USER, PASSWORD).build().unwrap()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the emulator's log");
            eprintln!(
                "{}\n---",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

/// A loopback address that no other test uses.
fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 8 + TAKEN.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from(0x7f80_0000 | (number & 0x003f_ffff))
}
