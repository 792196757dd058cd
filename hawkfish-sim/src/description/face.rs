//! Where the BMCs of a world are found, each at a face of its own.

use std::fmt;
use std::str::FromStr;

use hawkfish_core::id::SystemId;
use hawkfish_server::face;
use serde::{Deserialize, Serialize};

use super::{BadDescription, wrong};

/// How clients reach the BMC of each system as a service of its own, beside that of the whole fleet.
///
/// In a template `{name}` stands for the name of a system, `{id}` for its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub enum Faces {
    /// Each on a port of its own, at the address of the fleet.
    Port {
        /// That of the first system, and one more for each further one; any free ones where it is 0.
        #[serde(default)]
        first_port: u16,
    },
    /// Each under a host name of its own, at the address and port of the fleet.
    Host {
        /// `{name}.bmc.example`
        #[serde(default = "host")]
        host: String,
    },
    /// Each below a path of its own.
    Prefix {
        /// `/bmc/{name}`
        #[serde(default = "prefix")]
        prefix: String,
    },
}

fn host() -> String {
    "{name}.bmc.example".to_owned()
}

fn prefix() -> String {
    "/bmc/{name}".to_owned()
}

impl Faces {
    /// By prefix, `/bmc/{name}`.
    #[must_use]
    pub fn by_prefix() -> Self {
        Self::Prefix { prefix: prefix() }
    }

    /// By host, `{name}.bmc.example`.
    #[must_use]
    pub fn by_host() -> Self {
        Self::Host { host: host() }
    }

    /// By port, any free ones.
    #[must_use]
    pub fn by_port() -> Self {
        Self::Port { first_port: 0 }
    }

    pub(super) fn check(&self, systems: usize) -> Result<(), BadDescription> {
        let bad = |what: String| Err(wrong("faces", what));
        match self {
            Self::Port { first_port: 0 } if systems > usize::from(u16::MAX) => {
                bad(format!("{systems} systems are more than there are ports"))
            }
            Self::Port { first_port }
                if *first_port > 0 && usize::from(*first_port) + systems > 65_536 =>
            {
                bad(format!("there are no {systems} ports from {first_port} on"))
            }
            Self::Port { .. } => Ok(()),
            Self::Host { host } => match Template::of(host) {
                Some(template) if template.is_host() => Ok(()),
                _ => bad(format!(
                    "{host:?} is no host name whose first label has {{name}} or {{id}} in it, once"
                )),
            },
            Self::Prefix { prefix } => match Template::of(prefix) {
                Some(template) if template.is_prefix() => Ok(()),
                _ => bad(format!(
                    "{prefix:?} is no path with {{name}} or {{id}} in it, once, such as /bmc/{{name}}"
                )),
            },
        }
    }
}

/// `prefix`, `host`, `port`, each with a template or the first port behind a colon.
impl FromStr for Faces {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (by, rest) = match text.split_once(':') {
            Some((by, rest)) => (by, Some(rest)),
            None => (text, None),
        };
        let faces = match (by, rest) {
            ("prefix", None) => Self::by_prefix(),
            ("prefix", Some(prefix)) => Self::Prefix {
                prefix: prefix.to_owned(),
            },
            ("host", None) => Self::by_host(),
            ("host", Some(host)) => Self::Host {
                host: host.to_owned(),
            },
            ("port", None) => Self::by_port(),
            ("port", Some(first)) => Self::Port {
                first_port: first.parse().map_err(|_| format!("{first:?} is no port"))?,
            },
            _ => return Err("prefix, host or port, and perhaps a colon and more".to_owned()),
        };
        faces.check(0).map_err(|error| error.what)?;
        Ok(faces)
    }
}

/// What stands in a template for a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    Name,
    Id,
}

/// A text with a place for a system in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Template<'a> {
    before: &'a str,
    pub(crate) called: Called,
    after: &'a str,
}

impl<'a> Template<'a> {
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let split = |hole, called| {
            let (before, after) = text.split_once(hole)?;
            Some(Self {
                before,
                called,
                after,
            })
        };
        let template = split("{name}", Called::Name).or_else(|| split("{id}", Called::Id))?;
        let is_plain = |text: &str| !text.contains(['{', '}']);
        (is_plain(template.before) && is_plain(template.after)).then_some(template)
    }

    fn is_prefix(&self) -> bool {
        let system = SystemId::parse("x").expect("an identifier");
        face::Face::below(system, &self.with("x")).is_ok()
    }

    fn is_host(&self) -> bool {
        let whole = self.with("x");
        let label = |label: &str| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        whole.len() < 200 && whole.split('.').all(label) && !self.before.contains('.')
    }

    /// The names of all systems, for a certificate.
    pub(crate) fn wildcard(&self) -> String {
        match self.after.split_once('.') {
            Some((_, rest)) => format!("*.{rest}"),
            None => "*".to_owned(),
        }
    }

    /// The template with a system in it.
    pub(crate) fn with(&self, system: &str) -> String {
        [self.before, system, self.after].concat()
    }

    /// What stands for the system in a host name.
    pub(crate) fn in_host(&self, host: &str) -> Option<String> {
        let host = host.to_ascii_lowercase();
        let rest = host.strip_prefix(&self.before.to_ascii_lowercase())?;
        let called = rest.strip_suffix(&self.after.to_ascii_lowercase())?;
        (!called.is_empty()).then(|| called.to_owned())
    }

    /// What stands for the system at the beginning of a path, and how long the prefix is.
    pub(crate) fn in_path<'p>(&self, path: &'p str) -> Option<(&'p str, usize)> {
        let rest = path.strip_prefix(self.before)?;
        let segment = rest.find('/').unwrap_or(rest.len());
        let inside = self.after.find('/').unwrap_or(self.after.len());
        let called = rest[..segment].strip_suffix(&self.after[..inside])?;
        let tail = rest[segment..].strip_prefix(&self.after[inside..])?;
        let is_over = tail.is_empty() || tail.starts_with('/');
        (is_over && !called.is_empty()).then_some((called, path.len() - tail.len()))
    }
}

impl fmt::Display for Faces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { first_port: 0 } => f.write_str("each on a port of its own"),
            Self::Port { first_port } => write!(f, "on ports from {first_port} on"),
            Self::Host { host } => write!(f, "as {host}"),
            Self::Prefix { prefix } => write!(f, "below {prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_finds_what_it_has_made() {
        for text in ["/bmc/{name}", "/a/{id}-bmc/x", "/{name}"] {
            let template = Template::of(text).unwrap();
            assert!(template.is_prefix(), "{text}");
            let made = template.with("lab-00001");
            for path in [
                made.clone(),
                format!("{made}/"),
                format!("{made}/redfish/v1"),
            ] {
                assert_eq!(
                    template.in_path(&path),
                    Some(("lab-00001", made.len())),
                    "{path}"
                );
            }
            for other in ["/redfish/v1", "/bmc", "/", "", "/bmc//redfish"] {
                let found = template.in_path(other).map(|(called, _)| called);
                assert!(!matches!(found, Some("lab-00001" | "")), "{text} {other}");
            }
        }
        let host = Template::of("bmc-{name}.example.com").unwrap();
        assert!(host.is_host());
        assert_eq!(
            host.in_host("BMC-Lab-1.example.com").as_deref(),
            Some("lab-1")
        );
        assert_eq!(host.in_host("bmc-.example.com"), None);
        assert_eq!(host.wildcard(), "*.example.com");
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for bad in [
            "prefix:/bmc",
            "prefix:bmc/{name}",
            "prefix:/bmc/{name}/",
            "prefix:/{name}{name}",
            "prefix:/redfish/{name}",
            "host:a.{name}.b",
            "host:example",
            "port:70000",
            "port:x",
            "elsewhere",
        ] {
            assert!(bad.parse::<Faces>().is_err(), "{bad}");
        }
        assert_eq!("port:9001".parse(), Ok(Faces::Port { first_port: 9001 }));
        assert_eq!("host".parse(), Ok(Faces::by_host()));
    }
}
