//! Connections: those that are not served, those that are shown another certificate, and answers that are not framed as HTTP wants it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use bytes::Bytes;
use hawkfish_server::serve::{Admission, Admitted, Porter, Raw};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Response, Version};
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};

use super::body::breaking_off;
use super::engine::Arrival;
use super::rule::Then;
use crate::face::Face;
use crate::world::World;

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// It is reset as soon as it is there.
    Reset,
    /// It is there, and nothing is ever said on it: no handshake, no answer.
    Silent,
    /// The handshake of TLS begins, and stops after the server's first bytes. Connections without TLS are let be.
    StallsInHandshake,
}

/// Which certificate a connection is shown. Connections without TLS are let be.
///
/// All but the last are of the same authority as the right one ([`World::tls`]), so that nothing else is wrong with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// One that ended a day ago, by the clock of the world and by that of this machine.
    Expired,
    /// One that begins in a day, by both clocks.
    NotYetValid,
    /// One for another name.
    AnotherName,
    /// One of an authority that nobody knows.
    UnknownIssuer,
}

/// How an answer is framed. The connection is closed after it. Only in HTTP/1: a connection of HTTP/2 is closed in place of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// As HTTP/1.0: without a length, and over when the connection is.
    Http10,
    /// In chunks, of which the last is shorter than it says, and no end comes.
    ChunkTooShort,
    /// Content-Length is that of half of it; all of it comes.
    LengthTooShort,
    /// The names of the headers are in capital letters, as HTTP allows.
    CapitalNames,
    /// Lines of the head end with a line feed alone, as some clients allow.
    BareNewlines,
}

impl Framing {
    /// The answer in this framing. Without a socket there is nothing to be framed: what would not come whole breaks off.
    pub(crate) fn of(self, mut parts: Parts, bytes: &Bytes, is_on_wire: bool) -> Response<Body> {
        if is_on_wire {
            let raw = self.raw(&parts, bytes);
            let mut response = Response::from_parts(parts, Body::empty());
            response.extensions_mut().insert(Raw(raw));
            return response;
        }
        match self {
            Self::Http10 => {
                parts.version = Version::HTTP_10;
                parts.headers.remove(CONTENT_LENGTH);
            }
            Self::ChunkTooShort => {
                parts.headers.remove(CONTENT_LENGTH);
                let ended = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                let body = breaking_off(bytes.clone(), axum::Error::new(ended));
                return Response::from_parts(parts, body);
            }
            Self::LengthTooShort => {
                let half = bytes.slice(..bytes.len() / 2);
                parts.headers.insert(CONTENT_LENGTH, half.len().into());
                return Response::from_parts(parts, Body::from(half));
            }
            Self::CapitalNames | Self::BareNewlines => {}
        }
        Response::from_parts(parts, Body::from(bytes.clone()))
    }

    fn raw(self, parts: &Parts, bytes: &Bytes) -> Bytes {
        let version = if self == Self::Http10 { "1.0" } else { "1.1" };
        let end = if self == Self::BareNewlines {
            "\n"
        } else {
            "\r\n"
        };
        let reason = parts.status.canonical_reason().unwrap_or_default();
        let mut head = format!("HTTP/{version} {} {reason}{end}", parts.status.as_u16());
        let mut header = |name: &str, value: &str| {
            let name = match self {
                Self::CapitalNames => name.to_ascii_uppercase(),
                _ => name.to_owned(),
            };
            // Writing to a text does not fail.
            let _ = write!(head, "{name}: {value}{end}");
        };
        for (name, value) in &parts.headers {
            if [CONTENT_LENGTH, CONNECTION, TRANSFER_ENCODING].contains(name) {
                continue;
            }
            header(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
        }
        header("connection", "close");
        match self {
            Self::Http10 => {}
            Self::ChunkTooShort => header("transfer-encoding", "chunked"),
            Self::LengthTooShort => header("content-length", &(bytes.len() / 2).to_string()),
            Self::CapitalNames | Self::BareNewlines => {
                header("content-length", &bytes.len().to_string());
            }
        }
        head.push_str(end);
        if self == Self::ChunkTooShort {
            let _ = write!(head, "{:x}\r\n", bytes.len() + 16);
        }
        Bytes::from([head.as_bytes(), bytes].concat())
    }
}

/// So many bytes of a server's hello are no whole record.
const PART_OF_HELLO: usize = 20;

/// The porter of a face's connections.
#[derive(Debug)]
pub(crate) struct Door {
    world: World,
    face: Arc<Face>,
    tls: Option<Arc<ServerConfig>>,
}

impl Door {
    pub(crate) fn new(world: World, face: Arc<Face>, tls: Option<Arc<ServerConfig>>) -> Self {
        Self { world, face, tls }
    }
}

/// A connection is open for as long as this is there.
struct Open(World);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections().fetch_sub(1, Ordering::AcqRel);
    }
}

impl Porter for Door {
    fn admit(&self, _client: SocketAddr) -> Admission {
        let world = &self.world;
        let open = world.connections().fetch_add(1, Ordering::AcqRel) + 1;
        let arrival = Arrival {
            at: world.age(),
            face: &self.face.name,
            open,
            is_tls: self.tls.is_some(),
        };
        let firings = world.faults(|engine| engine.meet_connection(&arrival));
        let mut admission = Admission {
            kept: Some(Box::new(Open(world.clone()))),
            ..Admission::default()
        };
        for firing in &firings {
            world.traced(|trace| trace.fault(world.now(), &firing.rule.name, firing.number));
            match &firing.rule.then {
                Then::Connection(Connection::Reset) => admission.entry = Admitted::Reset,
                Then::Connection(Connection::Silent) => {
                    admission.entry = Admitted::Mute { after: 0 };
                }
                Then::Connection(Connection::StallsInHandshake) => {
                    let after = PART_OF_HELLO;
                    admission.entry = Admitted::Mute { after };
                }
                Then::Certificate(which) => {
                    admission.tls = self.tls.as_ref().and_then(|usual| {
                        let shown = world.certificate(*which).ok()?;
                        let mut config = ServerConfig::clone(usual);
                        config.cert_resolver = shown;
                        // A session that is resumed shows no certificate.
                        config.session_storage =
                            Arc::new(rustls::server::NoServerSessionStorage {});
                        config.send_tls13_tickets = 0;
                        Some(Arc::new(config))
                    });
                }
                _ => {}
            }
        }
        admission
    }
}
