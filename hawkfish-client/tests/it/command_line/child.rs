//! The program while it runs: what it has said so far, and how it is ended.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::run::Ran;

/// Longest time for a step.
const LIMIT: Duration = Duration::from_secs(60);

/// A run that is under way; ended with this.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Receiver<String>,
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (say, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    lines
}

impl Running {
    pub(crate) fn start(mut command: Command, arguments: &[&str]) -> Self {
        command.args(arguments).stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self {
            child,
            out: lines(out),
            err: lines(err),
        }
    }

    /// The next line that it prints. Waits where it stands, so the runtime of the test must have other threads.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        match self.out.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(error) => panic!(
                "{error}; it complained: {:?}",
                self.err.try_iter().collect::<Vec<_>>()
            ),
        }
    }

    /// The next line that it complains with.
    #[track_caller]
    pub(crate) fn complaint(&self) -> String {
        self.err.recv_timeout(LIMIT).expect("a word on stderr")
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Its end, with what it has printed since it was last asked.
    pub(crate) fn end(&mut self) -> Ran {
        let status = self.child.wait().unwrap();
        let rest = |from: &Receiver<String>| from.iter().map(|line| line + "\n").collect();
        Ran {
            code: status.code().unwrap(),
            out: rest(&self.out),
            err: rest(&self.err),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
