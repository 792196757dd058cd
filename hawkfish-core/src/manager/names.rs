//! What a simulated manager is called on its network, and whom it asks for names. Those of a real one are its machine's own affair.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::interfaces::{self, Interface};
use crate::backend::MachineKey;
use crate::error::{Error, ErrorKind, Invalid, Result};

/// Most name servers of a manager.
const MOST_NAME_SERVERS: usize = 8;
/// The domain in which simulated managers are, unless told otherwise (RFC 2606).
const DOMAIN: &str = "hawkfish.example";

/// What was set by hand; the rest is as the manager came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Names {
    host: Option<String>,
    domain: Option<String>,
    servers: Option<Vec<IpAddr>>,
}

/// A wanted change to the names of a manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesChange {
    /// The host name, without a domain.
    pub host_name: Option<String>,
    /// The host name with its domain.
    pub fqdn: Option<String>,
    /// The addresses of the name servers.
    pub name_servers: Option<Vec<String>>,
}

impl NamesChange {
    /// The first property that is to be changed.
    pub(super) fn first(&self) -> Option<&'static str> {
        [
            (self.host_name.is_some(), "/HostName"),
            (self.fqdn.is_some(), "/FQDN"),
            (self.name_servers.is_some(), "/StaticNameServers"),
        ]
        .into_iter()
        .find_map(|(is_wanted, pointer)| is_wanted.then_some(pointer))
    }
}

impl Names {
    pub(super) fn host(&self, key: MachineKey) -> String {
        let own = || interfaces::simulated_host_name(key);
        self.host.clone().unwrap_or_else(own)
    }

    pub(super) fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(DOMAIN)
    }

    /// Has an interface ask the name servers that were set.
    pub(super) fn apply(&self, interface: &mut Interface) {
        if let Some(servers) = &self.servers {
            interface.name_servers.clone_from(servers);
        }
    }

    pub(super) fn change(&mut self, change: NamesChange) -> Result<()> {
        let NamesChange {
            host_name,
            fqdn,
            name_servers,
        } = change;
        let mut given = None;
        if let Some(name) = host_name {
            if !is_label(&name) {
                return Err(bad(
                    "/HostName",
                    name,
                    "A host name is letters, digits and hyphens, at most 63 of them.",
                ));
            }
            self.host = Some(name.clone());
            given = Some(name);
        }
        if let Some(name) = fqdn {
            let parts = name.split_once('.');
            let parts = parts.filter(|_| name.len() <= 253 && name.split('.').all(is_label));
            let Some((host, domain)) = parts else {
                return Err(bad(
                    "/FQDN",
                    name,
                    "It is a host name and a domain, with dots between.",
                ));
            };
            if given.as_ref().is_some_and(|given| given != host) {
                let kind = ErrorKind::PropertyConflict {
                    property: "/HostName".into(),
                    with: "/FQDN".into(),
                };
                return Err(Error::new(kind, "Both name the host, and do not agree."));
            }
            (self.host, self.domain) = (Some(host.to_owned()), Some(domain.to_owned()));
        }
        if let Some(servers) = name_servers {
            if servers.len() > MOST_NAME_SERVERS {
                let found = format!("{} servers", servers.len());
                return Err(Error::invalid(
                    "/StaticNameServers",
                    found,
                    Invalid::OutOfRange,
                    "There can be eight name servers.",
                ));
            }
            let mut all = Vec::with_capacity(servers.len());
            for (at, text) in servers.into_iter().enumerate() {
                match text.parse() {
                    Ok(address) => all.push(address),
                    Err(_) => {
                        return Err(bad(
                            format!("/StaticNameServers/{at}"),
                            text,
                            "A name server is given by its address.",
                        ));
                    }
                }
            }
            self.servers = Some(all);
        }
        Ok(())
    }
}

fn bad(
    pointer: impl Into<std::borrow::Cow<'static, str>>,
    value: String,
    why: &'static str,
) -> Error {
    Error::invalid(pointer, value, Invalid::Format, why)
}

/// A part of a name, between dots (RFC 1123, 2.1).
fn is_label(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || c == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
