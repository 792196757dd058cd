//! The side that asks: as little of it as can be, so that what is measured is the server.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Shot {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) token: String,
    pub(crate) body: String,
    /// The status that must come back.
    pub(crate) wants: u16,
}

impl Shot {
    pub(crate) fn get(uri: &str, token: &str) -> Self {
        Self {
            method: "GET".into(),
            uri: uri.into(),
            token: token.into(),
            body: String::new(),
            wants: 200,
        }
    }

    pub(crate) fn post(uri: &str, token: &str, body: String, wants: u16) -> Self {
        Self {
            method: "POST".into(),
            uri: uri.into(),
            token: token.into(),
            body,
            wants,
        }
    }

    pub(crate) fn reset(system: &str, reset: &str, token: &str) -> Self {
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        Self::post(&uri, token, format!(r#"{{"ResetType":"{reset}"}}"#), 204)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n",
            self.method, self.uri
        );
        if !self.token.is_empty() {
            text += &format!("x-auth-token: {}\r\n", self.token);
        }
        if !self.body.is_empty() {
            text += &format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                self.body.len()
            );
        }
        (text + "\r\n" + &self.body).into_bytes()
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Until {
    /// When it is over.
    Time(Duration),
    /// When everything was asked once.
    Once,
}

/// Who asks what.
#[derive(Clone, Debug)]
pub(crate) struct Load<'a> {
    pub(crate) connections: &'a [Vec<Shot>],
    pub(crate) until: Until,
}

/// What came of a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) requests: usize,
    pub(crate) per_second: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Processor time of the server's whole process for each request.
    pub(crate) cpu: Duration,
}

impl Measured {
    pub(crate) fn of(mut latencies: Vec<Duration>, took: Duration, cpu: Duration) -> Self {
        latencies.sort_unstable();
        let requests = latencies.len();
        let at = |part: f64| latencies[((requests - 1) as f64 * part) as usize];
        Self {
            requests,
            per_second: requests as f64 / took.as_secs_f64(),
            p50: at(0.50),
            p99: at(0.99),
            cpu: cpu / u32::try_from(requests).expect("not that many"),
        }
    }
}

/// Asks, and gives what each answer took and what it all took.
pub(crate) fn fire(address: SocketAddr, load: &Load<'_>) -> (Vec<Duration>, Duration) {
    match load.connections {
        [one] => blocking(address, one, load.until),
        many => concurrent(address, many, load.until),
    }
}

fn blocking(address: SocketAddr, shots: &[Shot], until: Until) -> (Vec<Duration>, Duration) {
    let mut wire = Wire::open(address);
    let shots = packed(shots);
    let mut latencies = Vec::with_capacity(1 << 20);
    let began = Instant::now();
    for at in 0.. {
        let Some((bytes, wants)) = next(&shots, at, until, began) else {
            break;
        };
        let asked = Instant::now();
        wire.ask(bytes, *wants);
        latencies.push(asked.elapsed());
    }
    (latencies, began.elapsed())
}

type Packed = Vec<(Vec<u8>, u16)>;

fn packed(shots: &[Shot]) -> Packed {
    shots
        .iter()
        .map(|shot| (shot.bytes(), shot.wants))
        .collect()
}

fn next(shots: &Packed, at: usize, until: Until, began: Instant) -> Option<&(Vec<u8>, u16)> {
    match until {
        Until::Once => shots.get(at),
        // Only between whole turns, so that a machine ends as it began.
        Until::Time(time) if at.is_multiple_of(shots.len()) && began.elapsed() >= time => None,
        Until::Time(_) => Some(&shots[at % shots.len()]),
    }
}

fn concurrent(
    address: SocketAddr,
    connections: &[Vec<Shot>],
    until: Until,
) -> (Vec<Duration>, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut open = Vec::new();
        for shots in connections {
            let stream = tokio::net::TcpStream::connect(address).await;
            let stream = stream.expect("a connection");
            stream.set_nodelay(true).expect("no delay");
            open.push((stream, packed(shots)));
        }
        let began = Instant::now();
        let tasks: Vec<_> = open
            .into_iter()
            .map(|(mut stream, shots)| {
                tokio::spawn(async move {
                    let mut latencies = Vec::with_capacity(1 << 12);
                    let mut taken = Vec::with_capacity(64 * 1024);
                    for at in 0.. {
                        let Some((bytes, wants)) = next(&shots, at, until, began) else {
                            break;
                        };
                        let asked = Instant::now();
                        stream.write_all(bytes).await.expect("a request");
                        taken.clear();
                        while !complete(&taken, *wants) {
                            let read = stream.read_buf(&mut taken).await.expect("an answer");
                            assert!(read > 0, "the server closed the connection");
                        }
                        latencies.push(asked.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.expect("a connection"));
        }
        (all, began.elapsed())
    })
}

/// A connection that waits for each answer.
pub(crate) struct Wire {
    stream: std::net::TcpStream,
    taken: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = std::net::TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self {
            stream,
            taken: Vec::new(),
        }
    }

    fn ask(&mut self, bytes: &[u8], wants: u16) {
        self.stream.write_all(bytes).expect("a request");
        self.taken.clear();
        while !complete(&self.taken, wants) {
            let have = self.taken.len();
            self.taken.resize(have + 128 * 1024, 0);
            let read = self.stream.read(&mut self.taken[have..]);
            let read = read.expect("an answer");
            assert!(read > 0, "the server closed the connection");
            self.taken.truncate(have + read);
        }
    }

    /// The headers and the body of an answer.
    pub(crate) fn whole(&mut self, shot: &Shot) -> (Vec<(String, String)>, Vec<u8>) {
        self.ask(&shot.bytes(), shot.wants);
        let head = head_of(&self.taken).expect("a whole answer");
        let text = std::str::from_utf8(&self.taken[..head]).expect("headers are text");
        let headers = text
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        (headers, self.taken[head + 4..].to_vec())
    }
}

fn head_of(taken: &[u8]) -> Option<usize> {
    taken.windows(4).position(|four| four == b"\r\n\r\n")
}

/// Whether all of an answer is here, which must be the one that is wanted.
fn complete(taken: &[u8], wants: u16) -> bool {
    let Some(head) = head_of(taken) else {
        return false;
    };
    let status = std::str::from_utf8(&taken[9..12]).expect("a status");
    assert_eq!(
        status,
        wants.to_string(),
        "{}",
        String::from_utf8_lossy(taken)
    );
    const LENGTH: &[u8] = b"content-length: ";
    let length = taken[..head]
        .windows(LENGTH.len())
        .position(|name| name.eq_ignore_ascii_case(LENGTH))
        .map_or(0, |at| {
            taken[at + LENGTH.len()..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))
        });
    taken.len() >= head + 4 + length
}
