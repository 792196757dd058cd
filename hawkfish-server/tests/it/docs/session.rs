//! A shell in which a document is worked through from its beginning to its end, as a reader would: in a folder of its own, with a home of its own.
//!
//! - The ports 8443 and 9000 of the documents are free ones here; so are 8000 and 8001, of the simulator and its control.
//! - After a command that ends in `&` the reader waits until the service has said that it serves.
//! - `cargo` is a stand-in that runs what has been built already: building it all once more, in release, would take longer than all other tests.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::blocks::shows;

/// Longest time for a document.
const LIMIT_SECONDS: u32 = 240;

/// What is done, one after the other.
#[derive(Debug)]
pub(super) enum Step {
    /// A file is written.
    File { name: String, text: String },
    /// A command is typed.
    Command {
        line: usize,
        text: String,
        prints: Vec<String>,
    },
}

pub(super) struct Session {
    folder: TempDir,
    port: u16,
    /// Of a receiver of events.
    receiver: u16,
    simulator: u16,
    control: u16,
}

impl Session {
    pub(super) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hf-docs-").tempdir();
        let session = Self {
            folder: folder.unwrap(),
            port: free_port(),
            receiver: free_port(),
            simulator: free_port(),
            control: free_port(),
        };
        for name in ["work", "home", "bin", "out", "run"] {
            std::fs::create_dir(session.at(name)).unwrap();
        }
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(session.at("run"), private).unwrap();
        // What a reader sees who stands in the project's top folder.
        for entry in std::fs::read_dir(top()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() != "target" {
                let link = session.at("work").join(entry.file_name());
                std::os::unix::fs::symlink(entry.path(), link).unwrap();
            }
        }
        session.stand_in(
            "cargo",
            &format!(
                "case \"$*\" in\n\
                 'build --release --locked -p hawkfish-server '*) echo '{{\"executable\":\"{server}\"}}' ;;\n\
                 'run -p hawkfish-'*' --example '*) program={built}/examples/$5; shift 5; [ $# = 0 ] || shift; exec \"$program\" \"$@\" ;;\n\
                 *) echo \"no stand-in for: cargo $*\" >&2; exit 1 ;;\nesac",
                server = server().display(),
                built = built().display(),
            ),
        );
        // On a terminal curl shows no progress.
        std::fs::write(session.at("home").join(".curlrc"), "silent\nshow-error\n").unwrap();
        // All packages are installed: a test does not install any.
        session.stand_in("dpkg-query", "printf installed");
        if let Ok(python) = std::env::var("HAWKFISH_TEST_PYTHON") {
            session.stand_in("python", &format!("exec '{python}' \"$@\""));
        }
        session
    }

    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn stand_in(&self, name: &str, script: &str) {
        let path = self.at("bin").join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command with the environment of the session and no other.
    pub(super) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut path = vec![self.at("bin"), built()];
        path.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.at("home"))
            .env("TMPDIR", self.folder.path())
            .env("XDG_RUNTIME_DIR", self.at("run"))
            .current_dir(self.at("work"));
        command
    }

    /// Takes all steps.
    ///
    /// # Panics
    /// At the first that fails or prints something else than the document says, with what it printed.
    pub(super) fn take(&self, steps: &[Step]) {
        let script = self.script(steps);
        let path = self.at("session.sh");
        std::fs::write(&path, &script).unwrap();
        let done = self
            .command("timeout")
            .arg(LIMIT_SECONDS.to_string())
            .args(["bash", "--noprofile", "--norc"])
            .arg(&path)
            .env("HF_LISTEN", format!("127.0.0.1:{}", self.port))
            .output()
            .unwrap();
        for (number, step) in steps.iter().enumerate() {
            let Step::Command { line, text, prints } = step else {
                continue;
            };
            let read = |what: &str| {
                std::fs::read_to_string(self.at("out").join(format!("{number}.{what}")))
            };
            let all = read("all").unwrap_or_default();
            let status = read("status").unwrap_or_else(|_| "not over".to_owned());
            assert_eq!(
                status.trim(),
                "0",
                "line {line}: {text}\n{all}\n{}",
                String::from_utf8_lossy(&done.stderr)
            );
            let all = all
                .replace(&format!(":{}", self.port), ":8443")
                .replace(&format!(":{}", self.simulator), ":8000")
                .replace(&format!(":{}", self.control), ":8001");
            let printed: Vec<&str> = all.lines().filter(|line| !is_log(line)).collect();
            assert!(
                prints.is_empty() || shows(prints, &printed),
                "line {line}: {text}\nthe document shows\n{}\nbut it prints\n{}",
                prints.join("\n"),
                printed.join("\n")
            );
        }
        assert!(done.status.success(), "{done:?}");
    }

    fn script(&self, steps: &[Step]) -> String {
        let mut script = String::from(
            "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n\
             served() { until grep -q '^  try \\|^url ' \"$1\"; do kill -0 $! || exit 1; sleep 0.05; done; }\n",
        );
        let out = self.at("out");
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::File { name, text } => {
                    let text = self.here(text);
                    std::fs::write(self.at("work").join(name), text).unwrap();
                }
                Step::Command { text, .. } => {
                    let text = self.here(text);
                    let place = out.join(number.to_string());
                    let place = place.display();
                    let _ = writeln!(
                        script,
                        "{{ {text}\n}} >{place}.all 2>&1; status=$?; echo $status >{place}.status; [ $status = 0 ] || exit 0"
                    );
                    // The command line itself goes on beside, and serves nothing.
                    if text.ends_with('&') && !text.starts_with("hawkfish ") {
                        let _ = writeln!(script, "served {place}.all");
                    }
                }
            }
        }
        script
    }

    fn here(&self, text: &str) -> String {
        let text = text
            .replace(":8443", &format!(":{}", self.port))
            .replace(":8000", &format!(":{}", self.simulator))
            .replace(":8001", &format!(":{}", self.control));
        text.replace("9000", &self.receiver.to_string())
    }
}

/// A line of the log, which a reader sees among the rest and documents leave out.
fn is_log(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let time = words.next().unwrap_or_default();
    let level = words.next().unwrap_or_default();
    time.len() == 27
        && time.ends_with('Z')
        && ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The program that this test is of.
pub(super) fn server() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_hawkfish-server"))
}

/// Where programs lie that were built with it.
pub(super) fn built() -> PathBuf {
    server().parent().unwrap().to_owned()
}

/// The project's top folder.
pub(super) fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap().to_owned()
}
