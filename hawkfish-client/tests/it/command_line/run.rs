//! The program in a process of its own, as a script or a person runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::mock::{Mock, PASSWORD, USER};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// That it was done without a word on stderr; what it printed.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (0, ""), "{}", self.out);
        self.out
    }

    /// That it failed with this code and nothing on stdout; what it complained of.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        self.err
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.done()).unwrap()
    }
}

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish");

/// The program with nothing of this process's environment that would tell it where to go, as whom, or how to show it.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(PROGRAM);
    forget_us(&mut command);
    command
}

/// Takes out of a command's environment what is of whoever runs the tests.
pub(crate) fn forget_us(command: &mut Command) {
    let ours = |name: &str| name.starts_with("HAWKFISH_") || name.starts_with("CLICOLOR");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    for name in [
        "XDG_RUNTIME_DIR",
        "DBUS_SESSION_BUS_ADDRESS",
        "NO_COLOR",
        "TMUX",
    ] {
        command.env_remove(name);
    }
    command.env("HAWKFISH_CONFIG", "/there is no such file");
}

/// A user of the tests' own: a configuration file, and a folder at run time.
pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir };
        std::fs::create_dir(home.runtime()).unwrap();
        set_mode(&home.runtime(), 0o700);
        home
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.path().join("config.toml")
    }

    pub(crate) fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The environment that leads here.
    pub(crate) fn leads(&self, command: &mut Command) {
        command
            .env("HOME", self.dir.path())
            .env("HAWKFISH_CONFIG", self.config())
            .env("XDG_RUNTIME_DIR", self.runtime());
    }

    pub(crate) fn hawkfish(&self, arguments: &[&str]) -> Command {
        let mut command = bare();
        self.leads(&mut command);
        command.args(arguments);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.hawkfish(arguments)).await
    }

    /// With something to read on standard input.
    pub(crate) async fn told(&self, arguments: &[&str], input: &str) -> Ran {
        ran_with_input(self.hawkfish(arguments), input).await
    }
}

#[cfg(unix)]
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(unix)]
pub(crate) fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
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
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    Ran::of(output.await.unwrap())
}

/// The same with something on its standard input.
pub(crate) async fn ran_with_input(mut command: Command, input: &str) -> Ran {
    use std::io::Write as _;

    let input = input.to_owned();
    let output = tokio::task::spawn_blocking(move || {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It may have ended without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    });
    Ran::of(output.await.unwrap())
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
