//! Between the side that reads and a server: orders go in as lines of JSON, answers come out as lines of JSON.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Password of the one account.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    HawkFish,
    HawkFishTls,
    Axum,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::HawkFish => "hawkfish",
            Self::HawkFishTls => "hawkfish-tls",
            Self::Axum => "axum",
        }
    }
}

/// What a server is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    Start,
    /// Which number will the next event have?
    Next,
    /// So many events, evenly over so long; the answer comes when all are committed.
    Emit {
        per_second: usize,
        millis: u64,
    },
    /// How much processor time so far?
    Cpu,
    /// How much memory is resident, bytes?
    Memory,
}

/// What it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Listening {
        address: SocketAddr,
        certificate: Option<PathBuf>,
    },
    Number(u64),
    Emitted,
    Cpu(Duration),
}

/// Events under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Emitting {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// What events cost by themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alone {
    pub(crate) cpu_each: Duration,
}

/// A server in a process of its own; it ends with its standard input.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
    pub(crate) certificate: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["serve", kind.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(match std::env::var_os("LOAD_STDERR") {
                Some(_) => Stdio::inherit(),
                None => Stdio::null(),
            })
            .spawn()
            .expect("a server");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = Self {
            kind,
            child,
            orders,
            answers,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificate: None,
        };
        match server.order(&Order::Start) {
            Answer::Listening {
                address,
                certificate,
            } => {
                server.address = address;
                server.certificate = certificate;
            }
            other => panic!("{other:?}"),
        }
        server
    }

    fn tell(&mut self, order: &Order) {
        let mut line = serde_json::to_vec(order).expect("an order");
        line.push(b'\n');
        let orders = self.orders.as_mut().expect("not ended");
        orders.write_all(&line).expect("a server that runs");
    }

    fn hear(&mut self) -> Answer {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the {} server: {error}: {line}", self.kind.word()))
    }

    fn order(&mut self, order: &Order) -> Answer {
        self.tell(order);
        self.hear()
    }

    pub(crate) fn cpu(&mut self) -> Duration {
        match self.order(&Order::Cpu) {
            Answer::Cpu(cpu) => cpu,
            other => panic!("{other:?}"),
        }
    }

    fn number(&mut self, order: &Order) -> u64 {
        match self.order(order) {
            Answer::Number(number) => number,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn memory(&mut self) -> u64 {
        self.number(&Order::Memory)
    }

    /// Events that nobody hears.
    pub(crate) fn emit(&mut self, per_second: usize, time: Duration) -> Alone {
        let spent = self.cpu();
        let emitting = self.begin(per_second, time);
        self.emitted();
        let count = u32::try_from(emitting.last - emitting.first + 1).expect("not that many");
        Alone {
            cpu_each: (self.cpu() - spent) / count,
        }
    }

    /// Begins to have events happen; [`Server::emitted`] is to be called next.
    pub(crate) fn begin(&mut self, per_second: usize, time: Duration) -> Emitting {
        let millis = time.as_millis() as u64;
        let first = self.number(&Order::Next);
        self.tell(&Order::Emit { per_second, millis });
        Emitting {
            first,
            last: first + count(per_second, millis) as u64 - 1,
        }
    }

    /// Waits until all of them are committed.
    pub(crate) fn emitted(&mut self) {
        match self.hear() {
            Answer::Emitted => {}
            other => panic!("{other:?}"),
        }
    }

    /// A session's token; none where nobody asks for one.
    pub(crate) fn log_in(&self) -> String {
        if self.kind != Kind::HawkFish {
            return String::new();
        }
        let body = format!(r#"{{"UserName":"admin","Password":"{PASSWORD}"}}"#);
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        let request = format!(
            "POST /redfish/v1/SessionService/Sessions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let token = answer
            .lines()
            .find_map(|line| line.strip_prefix("x-auth-token: "));
        token.expect("a token").to_owned()
    }
}

/// How many events that makes.
pub(crate) fn count(per_second: usize, millis: u64) -> usize {
    (per_second as u64 * millis / 1000).max(1) as usize
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It ends with its input; what it thinks of that does not matter here.
        let _ = self.child.wait();
    }
}
