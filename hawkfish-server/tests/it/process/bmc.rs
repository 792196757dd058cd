//! sushy, the Redfish client of OpenStack Ironic, in a process beside; it knows nothing of HawkFish but its URL and certificate.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::part;

/// A system as sushy drives it.
pub(crate) struct Bmc {
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    system: String,
}

/// What sushy raised.
#[derive(Debug)]
pub(crate) struct Raised {
    /// Its class.
    pub(crate) kind: String,
    /// What it says.
    pub(crate) text: String,
}

impl Bmc {
    /// Connects to a server as the operator of the system of that name; or skips the test, aloud, where there is no sushy.
    pub(crate) fn of(server: &Server, system: &str) -> Option<Self> {
        let python = part::python()?;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/drive_sushy.py");
        let certificate: PathBuf = server.certificate().expect("a server with TLS");
        let mut child = Command::new(python)
            .arg(program)
            .args([&server.url(), USER])
            .arg(certificate)
            .env("HAWKFISH_PASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        Some(Self {
            child,
            requests,
            answers,
            system: system.to_owned(),
        })
    }

    /// Has sushy do something, and gives what comes of it.
    pub(crate) fn attempt(&mut self, verb: &str, arguments: Value) -> Result<Value, Raised> {
        let request = json!({"system": self.system, "do": verb, "with": arguments});
        writeln!(self.requests.as_mut().expect("open"), "{request}").expect("python listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("{verb}: {error}; python said: {line:?}"));
        match answer["raised"].as_str() {
            None => Ok(answer["gave"].take()),
            Some(kind) => Err(Raised {
                kind: kind.to_owned(),
                text: answer["text"].as_str().unwrap_or_default().to_owned(),
            }),
        }
    }

    #[track_caller]
    fn call(&mut self, verb: &str, arguments: Value) -> Value {
        match self.attempt(verb, arguments) {
            Ok(gave) => gave,
            Err(raised) => panic!("{verb}: {raised:?}"),
        }
    }

    /// The names of all systems.
    pub(crate) fn names(&mut self) -> Vec<String> {
        let names = self.call("names", json!({}));
        serde_json::from_value(names).unwrap()
    }

    /// The system, read anew: `power`, `target`, `enabled`, `mode`, `uuid`, `state`.
    pub(crate) fn system(&mut self) -> Value {
        self.call("system", json!({}))
    }

    /// The first medium of the kind, read anew: `inserted`, `image`, `name`, `user_name`.
    pub(crate) fn medium(&mut self, kind: &str) -> Value {
        self.call("medium", json!({"kind": kind}))
    }

    /// Inserts an image as a CD.
    pub(crate) fn insert(&mut self, image: &str) {
        self.call("insert", json!({"kind": "CD", "image": image}));
    }

    /// Takes the CD out.
    pub(crate) fn eject(&mut self) {
        self.call("eject", json!({"kind": "CD"}));
    }

    /// Boot from `target`, `Once` or `Continuous`.
    pub(crate) fn boot(&mut self, target: &str, enabled: &str) {
        self.call("boot", json!({"target": target, "enabled": enabled}));
    }

    /// Resets the system.
    pub(crate) fn reset(&mut self, how: &str) {
        self.call("reset", json!({"how": how}));
    }

    /// Waits until the system has that power state.
    pub(crate) fn wait_for_power(&mut self, state: &str, seconds: u64) {
        self.call("wait", json!({"state": state, "seconds": seconds}));
    }
}

impl Drop for Bmc {
    fn drop(&mut self) {
        // At the end of its input it ends.
        self.requests.take();
        let _ = self.child.wait();
    }
}
