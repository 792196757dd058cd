//! What a trace is made of.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fault::Rule;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place: 1 for the first, then one more for each.
    pub number: u64,
    /// When, in the time of the world.
    pub at: Timestamp,
    /// The face that a request came to, by its name; `None` for that of the fleet, and for what has none.
    pub face: Option<String>,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A request came.
    Request(Request),
    /// It was answered.
    Response(Response),
    /// It was not: the connection was closed.
    Broken {
        /// The number of the request; 0 where it is about none.
        of: u64,
        /// Why.
        why: String,
    },
    /// A fault fired.
    Fault {
        /// Its name.
        rule: String,
        /// How often it has fired now.
        firing: u64,
    },
    /// Time went on.
    Advanced {
        /// Until then.
        to: Timestamp,
        /// Because a fault made somebody wait, not because somebody moved it.
        waited: bool,
    },
    /// The service told of a change.
    State(State),
    /// A guest has written this on its console, so far.
    Console {
        /// Its system.
        system: String,
        /// What is kept of it.
        text: Bytes,
    },
    /// Something was done to the world from outside.
    Control(Control),
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub uri: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The address that it came from, where it came over a socket.
    pub from: Option<IpAddr>,
    /// Whether the connection was encrypted.
    pub tls: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The number of the request.
    pub of: u64,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, where it has an end.
    pub body: Bytes,
}

/// An event of the service's stream.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Its place in the stream.
    pub seq: u64,
    /// The message, `ResourceEvent.1.4.ResourceChanged`; empty for a report of metrics.
    pub message: String,
    /// The URI of what it is about.
    pub origin: Option<String>,
    /// As it is sent: a JSON object.
    pub record: Bytes,
}

/// What can be done to a world from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// A fault was put in.
    PutFault(Box<Rule>),
    /// A fault was taken away.
    ClearFault(String),
    /// Time goes by itself as fast as that from now on.
    Speed(f64),
    /// The service is served there, which it tells of.
    Served {
        /// Where.
        at: SocketAddr,
        /// Whether by TLS.
        tls: bool,
    },
}
