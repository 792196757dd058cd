//! The program, started, ended and started again.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::Client;

/// The user of every server here.
pub(crate) const USER: &str = "admin";
/// And the password.
pub(crate) const PASSWORD: &str = "one for the tests";

/// How long it may take to start: on a busy machine, with a debug build.
const START: Duration = Duration::from_secs(60);

/// Makes a network of which the loopback interface is all there is, and runs a program in it.
const NETWORK: &str = "ip link set lo up multicast on && ip route add 239.0.0.0/8 dev lo && { ip -6 route add ff02::c dev lo table local 2>/dev/null || :; } && exec \"$0\" \"$@\"";

/// A running `hawkfish-server`, ended when this is dropped.
pub(crate) struct Server {
    settings: Vec<String>,
    /// Whether it is in a network of its own.
    alone: bool,
    address: SocketAddr,
    child: Option<Child>,
    folder: TempDir,
    banner: String,
}

impl Server {
    /// Serves simulated systems.
    pub(crate) fn simulated(systems: usize, more: &[&str]) -> Self {
        let count = systems.to_string();
        let mut settings = vec!["--backend", "sim", "--sim-systems", &count];
        settings.extend(more);
        Self::started(&settings)
    }

    /// Serves simulated systems in a network of its own, which only [`Server::beside`] leads into, so that multicast reaches nobody else.
    pub(crate) fn alone(systems: usize, more: &[&str]) -> Self {
        let count = systems.to_string();
        let mut settings = vec!["--backend", "sim", "--sim-systems", &count];
        settings.extend(more);
        Self::begun(&settings, true)
    }

    /// A program in the network of this server.
    pub(crate) fn beside(&self, program: &Path) -> Command {
        if !self.alone {
            return Command::new(program);
        }
        let child = self.child.as_ref().expect("it runs");
        let mut command = Command::new("nsenter");
        command
            .args(["--user", "--net", "--preserve-credentials", "--target"])
            .arg(child.id().to_string())
            .arg(program);
        command
    }

    /// Serves the domains of a libvirt.
    #[cfg(feature = "libvirt")]
    pub(crate) fn libvirt(uri: &str, more: &[&str]) -> Self {
        let mut settings = vec!["--backend", "libvirt", "--libvirt-uri", uri];
        settings.extend(more);
        Self::started(&settings)
    }

    fn started(settings: &[&str]) -> Self {
        Self::begun(settings, false)
    }

    fn begun(settings: &[&str], alone: bool) -> Self {
        let mut server = Self {
            settings: settings.iter().map(ToString::to_string).collect(),
            alone,
            address: SocketAddr::new(own_address().into(), 0),
            child: None,
            folder: tempfile::Builder::new()
                .prefix("hf-server-")
                .tempdir()
                .unwrap(),
            banner: String::new(),
        };
        server.start();
        server
    }

    /// Starts it (again), where it was and with the data it had. Returns when it has said that it serves.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .unwrap();
        let program = env!("CARGO_BIN_EXE_hawkfish-server");
        let mut command = if self.alone {
            // Each of them becomes the next, so that it is one process with one number.
            let mut command = Command::new("unshare");
            command.args(["--user", "--map-root-user", "--net", "sh", "-c", NETWORK]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("HF_") {
                command.env_remove(name);
            }
        }
        command
            .env("HF_ADMIN_PASSWORD", PASSWORD)
            .args(["--listen", &self.address.to_string()])
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let out = child.stdout.take().expect("piped");
        self.child = Some(child);

        let (line, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for text in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = line.send(text);
            }
        });
        self.banner.clear();
        let end = Instant::now() + START;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(text) => {
                    self.banner.push_str(&text);
                    self.banner.push('\n');
                    // The last of the lines that it greets with.
                    if text.starts_with("  try ") {
                        break;
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("not ready within {START:?}"),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("it ended instead of serving; it had said: {}", self.banner)
                }
            }
        }
        let url = self
            .banner
            .split_whitespace()
            .find(|word| word.contains("://"));
        let url = url.expect("a URL in the first line").to_owned();
        let address = url.split('/').nth(2).expect("a host in the URL");
        // The port stays for the next start.
        self.address = address.parse().expect("an address and a port");
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to end, and returns at once.
    pub(crate) fn terminate(&self) {
        let child = self.child.as_ref().expect("it runs");
        let kill = format!("kill -TERM {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > end {
                self.child = Some(child);
                panic!("it does not end within {limit:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it printed at its last start.
    pub(crate) fn banner(&self) -> &str {
        &self.banner
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a path.
    pub(crate) fn url(&self) -> String {
        let tls = self.certificate().is_some();
        format!("{}://{}", if tls { "https" } else { "http" }, self.address)
    }

    /// Its certificate, unless it serves without.
    pub(crate) fn certificate(&self) -> Option<PathBuf> {
        let path = self.data_dir().join("tls-cert.pem");
        path.exists().then_some(path)
    }

    /// Where it keeps its things.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Its log, as far as it is written.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A folder of the test's own that is gone with the server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client that has logged in.
    pub(crate) async fn client(&self) -> Client {
        let mut client = Client::new(&self.url(), self.certificate().as_deref());
        client.log_in(USER, PASSWORD).await.expect("an answer");
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            if let Ok(Some(status)) = child.try_wait() {
                eprintln!("the server has ended by itself: {status}");
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            let text = self.log_text();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.len().saturating_sub(60);
            eprintln!("--- the end of {}", self.log().display());
            eprintln!("{}\n---", lines[last..].join("\n"));
        }
    }
}

/// A loopback address that no other test uses, so that a port can be taken again after a restart: clients never bind there by chance.
fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 8 + TAKEN.fetch_add(1, Ordering::Relaxed);
    Ipv4Addr::from(0x7f40_0000 | (number & 0x003f_ffff))
}
