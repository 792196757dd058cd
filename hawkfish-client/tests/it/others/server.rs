//! `hawkfish-server` in front of a libvirt, as a process.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use hawkfish_client::Client;
use tempfile::TempDir;

use super::Place;

const USER: &str = "admin";
const PASSWORD: &str = "one for the tests";

/// A running server, ended when this is dropped.
pub(super) struct Server {
    pub(super) place: Place,
    child: Child,
    folder: TempDir,
}

impl Server {
    /// Serves the domains of a libvirt, with images and listeners of this machine allowed.
    pub(super) fn libvirt(uri: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("hf-server-").tempdir();
        let folder = folder.unwrap();
        let data = folder.path().join("data");
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HF_") {
                command.env_remove(name);
            }
        }
        let log = File::create(folder.path().join("log")).unwrap();
        let mut child = command
            .env("HF_ADMIN_PASSWORD", PASSWORD)
            .args(["--backend", "libvirt", "--libvirt-uri", uri])
            .args([
                "--listen",
                "127.0.0.1:0",
                "--media-allow",
                "127.0.0.1",
                "--event-allow",
                "127.0.0.1",
            ])
            .arg("--data-dir")
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut url = None;
        // It goes on to be read, so that it never writes into nothing.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.by_ref().map_while(Result::ok) {
            let word = line.split_whitespace().find(|word| word.contains("://"));
            url = url.or_else(|| word.map(str::to_owned));
            // The last of the lines that it greets with.
            if line.starts_with("  try ") {
                break;
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        let url = url.expect("a URL in the first line");
        let url = url.strip_suffix("/redfish/v1/").unwrap_or(&url).to_owned();
        let place = Place {
            url,
            user: USER,
            password: PASSWORD,
            ca: Some(data.join("tls-cert.pem")),
        };
        Self {
            place,
            child,
            folder,
        }
    }

    /// A client that has a session here.
    pub(super) fn client(&self) -> Client {
        let ca = std::fs::read(self.place.ca.as_ref().expect("TLS")).unwrap();
        let builder = Client::builder(&self.place.url).ca_pem(ca);
        builder.session(USER, PASSWORD).build().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("--- the end of the server's log");
            eprintln!(
                "{}\n---",
                lines[lines.len().saturating_sub(40)..].join("\n")
            );
        }
    }
}

/// The server, which the command that runs all tests has built already.
fn program() -> std::path::PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_hawkfish")).with_file_name("hawkfish-server");
    if !program.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "-p", "hawkfish-server", "--bin", "hawkfish-server"])
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status();
        assert!(built.unwrap().success(), "hawkfish-server is built");
    }
    program
}
