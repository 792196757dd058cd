//! What an operator can set: by flag, in the environment, in a TOML file, under the same names; in this order of precedence.
//!
//! [`KEYS`] lists every setting once. A key that is not in it is refused, with the nearest that is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use hawkfish_core::logs::LogSettings;
use hawkfish_core::outgoing::Rule;

mod door;
mod events;
mod keys;
mod sources;

pub use self::door::Door;
pub use self::events::Events;
pub use self::keys::{KEYS, Key};
use self::sources::{from_environment, from_file, from_flags, nearest};

/// What runs the machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendChoice {
    /// libvirt when it answers, else simulated.
    Auto,
    /// libvirt, whether it answers yet or not.
    Libvirt,
    /// Simulated.
    Sim,
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsChoice {
    /// With a certificate that is made at the first start.
    SelfSigned,
    /// Not at all.
    Off,
    /// With a certificate chain and a key, PEM.
    Files {
        /// The chain.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
    },
}

/// How to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines for machines.
    Json,
}

/// All that was set.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where things are kept.
    pub data_dir: PathBuf,
    /// What runs the machines.
    pub backend: BackendChoice,
    /// The libvirts to manage.
    pub libvirt_uris: Vec<String>,
    /// Time between two samples of what their machines use, seconds.
    pub sample_interval_seconds: u64,
    /// How many machines to simulate.
    pub sim_systems: usize,
    /// What simulated machines are made from.
    pub seed: u64,
    /// Encryption.
    pub tls: TlsChoice,
    /// Password of the first account.
    pub admin_password: Option<String>,
    /// Whether that account is to be given that password again.
    pub admin_reset: bool,
    /// Folders whose images may be inserted.
    pub media_dirs: Vec<PathBuf>,
    /// Addresses to fetch from although they would be refused.
    pub media_allow: Vec<Rule>,
    /// Addresses never to fetch from.
    pub media_deny: Vec<Rule>,
    /// Authorities to trust when fetching, PEM files.
    pub media_cas: Vec<PathBuf>,
    /// Largest image, bytes.
    pub media_max_bytes: u64,
    /// What can be chosen about the door.
    pub door: Door,
    /// Most bytes of images that were pushed.
    pub image_store_bytes: u64,
    /// Largest firmware image, bytes.
    pub update_max_bytes: u64,
    /// The storage pool in which volumes are made.
    pub storage_pool: Option<String>,
    /// What can be chosen about events.
    pub events: Events,
    /// How large logs are, and what becomes of full ones.
    pub logs: LogSettings,
    /// Most connections.
    pub max_connections: usize,
    /// Longest time for a request, seconds.
    pub request_timeout_seconds: u64,
    /// What to log.
    pub log: String,
    /// How to log.
    pub log_format: LogFormat,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("data_dir", &self.data_dir)
            .field("backend", &self.backend)
            .field("tls", &self.tls)
            .field(
                "admin_password",
                &self.admin_password.as_ref().map(|_| "******"),
            )
            .finish_non_exhaustive()
    }
}

/// Why settings cannot be taken, as a sentence; or what was asked for instead of running.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A flag is wrong, or help was asked for.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// A key that there is not.
    #[error("{place}: there is no setting {name}{}", nearest(name).map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    Unknown {
        /// Where it stands.
        place: String,
        /// The key, as it would stand in the file.
        name: String,
    },
    /// A value that cannot be taken.
    #[error("{place}: {name} cannot be {value:?}: {reason}")]
    Value {
        /// Where it stands.
        place: String,
        /// The key.
        name: String,
        /// The value.
        value: String,
        /// Why.
        reason: String,
    },
    /// The file cannot be read.
    #[error("the settings file {} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Values found so far, and where.
type Found = BTreeMap<&'static str, (String, Vec<String>)>;

impl Settings {
    /// The settings of flags (the program's name first), environment and the file that one of them names.
    ///
    /// # Errors
    /// An unknown key or a value that cannot be taken; `--help` and `--version` come as [`SettingsError::Flags`].
    pub fn read(
        flags: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let environment: BTreeMap<String, String> = environment.into_iter().collect();
        let mut found = from_flags(flags)?;
        for (name, value) in from_environment(&environment)? {
            found.entry(name).or_insert(value);
        }
        if let Some((_, path)) = found.get("config") {
            let path = PathBuf::from(path.join(","));
            for (name, value) in from_file(&path)? {
                found.entry(name).or_insert(value);
            }
        }
        Self::of(&found, &environment)
    }

    fn of(found: &Found, environment: &BTreeMap<String, String>) -> Result<Self, SettingsError> {
        let data_dir = match found.get("data-dir") {
            Some((_, dir)) => PathBuf::from(dir.join(",")),
            None => default_data_dir(environment),
        };
        Ok(Self {
            listen: parsed(
                found,
                "listen",
                "127.0.0.1:8443",
                "it is no address and port",
            )?,
            data_dir,
            backend: match text(found, "backend", "auto") {
                "auto" => BackendChoice::Auto,
                "libvirt" => BackendChoice::Libvirt,
                "sim" => BackendChoice::Sim,
                _ => return Err(wrong(found, "backend", "it is none of auto, libvirt, sim")),
            },
            libvirt_uris: list(found, "libvirt-uri", &["qemu:///system"]),
            sample_interval_seconds: match parsed(
                found,
                "sample-interval",
                "10",
                "it is no number",
            )? {
                0 => return Err(wrong(found, "sample-interval", "time must pass in between")),
                some => some,
            },
            sim_systems: parsed(found, "sim-systems", "4", "it is no number")?,
            seed: parsed(found, "seed", "1", "it is no number")?,
            tls: match text(found, "tls", "self-signed") {
                "self-signed" => TlsChoice::SelfSigned,
                "off" => TlsChoice::Off,
                files => match files.split_once(':') {
                    Some((cert, key)) if !cert.is_empty() && !key.is_empty() => TlsChoice::Files {
                        cert: cert.into(),
                        key: key.into(),
                    },
                    _ => {
                        let reason = "it is none of self-signed, off, CERT:KEY";
                        return Err(wrong(found, "tls", reason));
                    }
                },
            },
            admin_password: found
                .get("admin-password")
                .map(|(_, value)| value.join(",")),
            admin_reset: match text(found, "admin-reset", "no") {
                "yes" if found.contains_key("admin-password") => true,
                "yes" => return Err(wrong(found, "admin-reset", "there is no admin-password")),
                "no" => false,
                _ => return Err(wrong(found, "admin-reset", "it is neither yes nor no")),
            },
            media_dirs: list(found, "media-dir", &[])
                .into_iter()
                .map(Into::into)
                .collect(),
            media_allow: rules(found, "media-allow")?,
            media_deny: rules(found, "media-deny")?,
            media_cas: list(found, "media-ca", &[])
                .into_iter()
                .map(Into::into)
                .collect(),
            media_max_bytes: bytes(text(found, "media-max-size", "32G")).ok_or_else(|| {
                wrong(found, "media-max-size", "it is no size such as 700M or 32G")
            })?,
            door: Door::of(found)?,
            image_store_bytes: bytes(text(found, "image-store-size", "64G")).ok_or_else(|| {
                wrong(
                    found,
                    "image-store-size",
                    "it is no size such as 700M or 32G",
                )
            })?,
            update_max_bytes: bytes(text(found, "update-max-size", "64M")).ok_or_else(|| {
                wrong(
                    found,
                    "update-max-size",
                    "it is no size such as 700M or 32G",
                )
            })?,
            storage_pool: found
                .get("storage-pool")
                .and_then(|(_, values)| values.last().cloned()),
            events: Events::of(found)?,
            logs: LogSettings {
                most_system: log_size(found, "event-log-size", "500")?,
                most_audit: log_size(found, "audit-log-size", "2000")?,
                wraps: match text(found, "full-log", "wrap") {
                    "wrap" => true,
                    "stop" => false,
                    _ => return Err(wrong(found, "full-log", "it is neither wrap nor stop")),
                },
            },
            max_connections: match parsed(found, "max-connections", "1024", "it is no number")? {
                0 => return Err(wrong(found, "max-connections", "nobody could connect")),
                some => some,
            },
            request_timeout_seconds: match parsed(
                found,
                "request-timeout",
                "60",
                "it is no number",
            )? {
                0 => {
                    return Err(wrong(
                        found,
                        "request-timeout",
                        "no request could be answered",
                    ));
                }
                some => some,
            },
            log: text(found, "log", "info").to_owned(),
            log_format: match text(found, "log-format", "text") {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(wrong(found, "log-format", "it is neither text nor json")),
            },
        })
    }
}

fn text<'a>(found: &'a Found, name: &str, default: &'a str) -> &'a str {
    found
        .get(name)
        .and_then(|(_, values)| values.last())
        .map_or(default, String::as_str)
}

fn list(found: &Found, name: &str, default: &[&str]) -> Vec<String> {
    match found.get(name) {
        Some((_, values)) => values.clone(),
        None => default.iter().map(ToString::to_string).collect(),
    }
}

fn parsed<T: FromStr>(
    found: &Found,
    name: &str,
    default: &str,
    reason: &str,
) -> Result<T, SettingsError> {
    text(found, name, default)
        .parse()
        .map_err(|_| wrong(found, name, reason))
}

fn rules(found: &Found, name: &str) -> Result<Vec<Rule>, SettingsError> {
    let parse = |text: String| {
        text.parse::<Rule>()
            .map_err(|e| wrong(found, name, e.message()))
    };
    list(found, name, &[]).into_iter().map(parse).collect()
}

fn wrong(found: &Found, name: &str, reason: &str) -> SettingsError {
    let (place, values) = found.get(name).cloned().unwrap_or_default();
    SettingsError::Value {
        place,
        name: name.to_owned(),
        value: values.join(","),
        reason: reason.to_owned(),
    }
}

/// Entries of a log: at least one, and no more than answer in one piece.
fn log_size(found: &Found, name: &str, default: &str) -> Result<usize, SettingsError> {
    match parsed(found, name, default, "it is no number")? {
        size @ 1..=20_000 => Ok(size),
        _ => Err(wrong(found, name, "it is not from 1 to 20000")),
    }
}

/// `700M`, `32G` or plain bytes.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KIB" => 10,
        "M" | "MIB" => 20,
        "G" | "GIB" => 30,
        "T" | "TIB" => 40,
        _ => return None,
    };
    digits
        .parse::<u64>()
        .ok()
        .filter(|n| *n > 0)?
        .checked_mul(1 << shift)
}

fn default_data_dir(environment: &BTreeMap<String, String>) -> PathBuf {
    let set = |name: &str| {
        environment
            .get(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_STATE_HOME")
        .or_else(|| Some(set("HOME")?.join(".local/state")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("hawkfish")
}

#[cfg(test)]
mod tests;
