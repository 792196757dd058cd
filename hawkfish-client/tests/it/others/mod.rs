//! The client and the command line against what other people made: sushy-tools, BMCs that were captured, and guests of libvirt behind HawkFish.
//!
//! What these tests need from outside comes by the variables that `scripts/test` describes. What is missing is said aloud, and a failure where
//! `HAWKFISH_TEST_REQUIRE=1` is set.

mod captured;
mod emulator;
mod hawkfish;
mod images;
mod mockup;
mod server;
mod sushy_tools;
mod sushy_tools_libvirt;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::command_line::run::{Ran, bare, ran};

/// A machine of a lab with a drive for CDs, and nothing in it.
const EMPTY_CD: &[&str] = &["--cdrom-empty", "--memory", "128"];

/// Where a service is, and as whom to ask it.
#[derive(Clone, Debug)]
struct Place {
    url: String,
    user: &'static str,
    password: &'static str,
    /// Whom to believe that they are the service, where it is reached over TLS.
    ca: Option<PathBuf>,
}

impl Place {
    /// The program, on its way there.
    fn hawkfish(&self) -> Command {
        let mut command = bare();
        command
            .env("HAWKFISH_URL", &self.url)
            .env("HAWKFISH_USERNAME", self.user)
            .env("HAWKFISH_PASSWORD", self.password);
        if let Some(ca) = &self.ca {
            command.env("HAWKFISH_CA", ca);
        }
        command
    }

    /// What it comes to.
    async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.hawkfish();
        command.args(arguments);
        ran(command).await
    }

    /// What it prints; it must succeed, and have nothing to complain of.
    #[track_caller]
    fn out(&self, arguments: &[&str]) -> impl Future<Output = String> {
        let place = std::panic::Location::caller();
        async move {
            let ran = self.run(arguments).await;
            assert!(
                ran.code == 0 && ran.err.is_empty(),
                "{place}: {arguments:?}: {ran:?}"
            );
            ran.out
        }
    }

    /// As [`Place::out`], of `--output json`.
    #[track_caller]
    fn json(&self, arguments: &[&str]) -> impl Future<Output = Value> {
        let all: Vec<String> = ["--output", "json"]
            .iter()
            .chain(arguments)
            .map(ToString::to_string)
            .collect();
        let place = std::panic::Location::caller();
        async move {
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let ran = self.run(&all).await;
            assert!(
                ran.code == 0 && ran.err.is_empty(),
                "{place}: {all:?}: {ran:?}"
            );
            serde_json::from_str(&ran.out)
                .unwrap_or_else(|error| panic!("{place}: {all:?}: {error}: {}", ran.out))
        }
    }
}
