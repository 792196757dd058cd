//! Time servers: what one is called, and how far a clock is off it (SNTP, RFC 5905 section 14).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sntpc::{NtpContext, NtpTimestampGenerator, NtpUdpSocket};
use tokio::net::UdpSocket;
use url::Host;

use crate::clock::Clock;
use crate::outgoing::Policy;

/// The port of NTP.
pub const PORT: u16 = 123;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A time server: a host name or an address, and a port. Written as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Server {
    text: String,
    host: String,
    port: u16,
}

/// A text that names no time server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is neither a host name nor an address")]
pub struct NoServer;

impl Server {
    /// Its name or address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its address, where it is named by that.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl FromStr for Server {
    type Err = NoServer;
    fn from_str(text: &str) -> Result<Self, NoServer> {
        let server = |host: &str, port| Self {
            text: text.to_owned(),
            host: host.to_owned(),
            port,
        };
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(server(&address.ip().to_string(), address.port()));
        }
        if text.parse::<IpAddr>().is_ok() {
            return Ok(server(text, PORT));
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port.parse().map_err(|_| NoServer)?),
            None => (text, PORT),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        match Host::parse(name) {
            Ok(Host::Domain(_)) if name.bytes().all(plain) && name.len() <= 253 => {
                Ok(server(name, port))
            }
            // The short ways to write an IPv4 address, `127.1`, are left to those who like riddles.
            Ok(Host::Ipv4(address)) if address.to_string() == name => Ok(server(name, port)),
            _ => Err(NoServer),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Server {
    type Error = NoServer;
    fn try_from(text: String) -> Result<Self, NoServer> {
        text.parse()
    }
}

impl From<Server> for String {
    fn from(server: Server) -> Self {
        server.text
    }
}

/// How far a time server is ahead of `clock`; or why that cannot be told.
pub(super) async fn ahead(
    policy: &Policy,
    server: &Server,
    clock: &Arc<dyn Clock>,
) -> Result<SignedDuration, String> {
    let found = tokio::net::lookup_host((server.host(), server.port));
    let found = tokio::time::timeout(PATIENCE, found).await;
    let found = found.map_err(|_| "its name was not resolved in time".to_owned())?;
    let mut allowed = found
        .map_err(|error| error.to_string())?
        .filter(|address| policy.allows(server.host(), address.ip()));
    let address = allowed
        .next()
        .ok_or_else(|| "the address policy does not allow any address of it".to_owned())?;
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await;
    let socket = Socket(socket.map_err(|error| error.to_string())?);
    let context = NtpContext::new(Stamp {
        clock: &**clock,
        now: Timestamp::UNIX_EPOCH,
    });
    let asked = sntpc::get_time(address, &socket, context);
    let answered = tokio::time::timeout(PATIENCE, asked).await;
    let answered = answered.map_err(|_| "it did not answer in time".to_owned())?;
    let result = answered.map_err(|error| format!("{error:?}"))?;
    Ok(SignedDuration::from_micros(result.offset()))
}

/// The clock that the answer is held against.
#[derive(Clone, Copy)]
struct Stamp<'a> {
    clock: &'a dyn Clock,
    now: Timestamp,
}

impl NtpTimestampGenerator for Stamp<'_> {
    fn init(&mut self) {
        self.now = self.clock.now();
    }

    fn timestamp_sec(&self) -> u64 {
        u64::try_from(self.now.as_second()).unwrap_or_default()
    }

    fn timestamp_subsec_micros(&self) -> u32 {
        u32::try_from(self.now.subsec_microsecond() + 1000 * self.now.subsec_millisecond())
            .unwrap_or_default()
    }
}

struct Socket(UdpSocket);

impl NtpUdpSocket for Socket {
    async fn send_to(&self, bytes: &[u8], address: SocketAddr) -> sntpc::Result<usize> {
        let sent = self.0.send_to(bytes, address).await;
        sent.map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, bytes: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        let received = self.0.recv_from(bytes).await;
        received.map_err(|_| sntpc::Error::Network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_server_is_a_name_or_an_address_with_or_without_a_port() {
        for (text, host, port) in [
            ("pool.ntp.org", "pool.ntp.org", 123),
            ("time-1.example:1123", "time-1.example", 1123),
            ("192.0.2.7", "192.0.2.7", 123),
            ("192.0.2.7:99", "192.0.2.7", 99),
            ("2001:db8::1", "2001:db8::1", 123),
            ("[2001:db8::1]:99", "2001:db8::1", 99),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!((server.host(), server.port), (host, port), "{text}");
            assert_eq!(server.to_string(), text);
        }
        for text in [
            "",
            " ",
            "a b",
            "http://x",
            "x:y",
            "127.1",
            "a/b",
            "ä.example",
            "x:70000",
        ] {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
