//! The program in a process of its own, as a script or a person runs it.

use std::process::{Command, Output};

use crate::mock::{Mock, PASSWORD, USER};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program with nothing of this process's environment that would tell it where to go or as whom.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawkfish"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HAWKFISH_")) {
        command.env_remove(name);
    }
    command
}

/// The program, logging in at `url` as the user of [`Mock`].
pub(crate) fn hawkfish(url: &str) -> Command {
    let mut command = bare();
    command
        .env("HAWKFISH_URL", url)
        .env("HAWKFISH_USERNAME", USER)
        .env("HAWKFISH_PASSWORD", PASSWORD);
    command
}

/// Runs it while the service of the test goes on answering.
pub(crate) async fn ran(mut command: Command) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran {
        code: status.code().unwrap(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// As [`ran`], as code, stdout and stderr.
pub(crate) async fn run(command: Command) -> (i32, String, String) {
    let Ran { code, out, err } = ran(command).await;
    (code, out, err)
}

pub(crate) async fn on(mock: &Mock, arguments: &[&str]) -> (i32, String, String) {
    let mut command = hawkfish(&mock.listen().await);
    command.args(arguments);
    run(command).await
}
