//! The configuration file: profiles, and what `hawkfish login` has learned of services that no profile names. It holds no secrets.
//!
//! ```toml
//! profile = "lab"                      # the one that is used where none is named
//!
//! [profiles.lab]
//! url = "https://bmc.example"
//! user = "admin"                       # all but the URL may be left out
//! auth = "session"
//! ca = "lab-ca.pem"                    # relative to this file
//! timeout = 30
//! output = "table"
//!
//! [services."https://10.0.0.7"]
//! user = "root"
//! fingerprint = "5f…"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table, Value};

use super::{Auth, private};
use crate::failure::{Failure, Result};
use crate::output::Format;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The profile that is used where none is named.
    pub(crate) profile: Option<String>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<String, Profile>,
    /// By origin.
    #[serde(default)]
    pub(crate) services: BTreeMap<String, Known>,
}

/// A service and how to speak with it, by a name of one's own.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Profile {
    pub(crate) url: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) credentials_file: Option<PathBuf>,
    pub(crate) auth: Option<Auth>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) fingerprint: Option<String>,
    pub(crate) insecure: Option<bool>,
    pub(crate) timeout: Option<u64>,
    pub(crate) output: Option<Format>,
}

/// What `hawkfish login` has learned of a service.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Known {
    pub(crate) user: Option<String>,
    pub(crate) fingerprint: Option<String>,
}

/// The file, as it stands: comments and order stay when something in it is changed.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    document: DocumentMut,
}

impl File {
    /// The file that HAWKFISH_CONFIG names, else the one in the user's folder for configuration. One that is not there is empty.
    pub(crate) fn read() -> Result<Self> {
        let path = path()?;
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::Usage(format!("{}: {error}", path.display()))),
        };
        let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            wrong(&path, &text, error.span(), error.message())
        })?;
        let config = toml_edit::de::from_str::<Config>(&text)
            .map_err(|error| wrong(&path, &text, error.span(), error.message()))?;
        Ok(Self {
            path,
            config,
            document,
        })
    }

    pub(crate) fn profile(&self, name: &str) -> Result<&Profile> {
        self.config.profiles.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.config.profiles.keys().map(String::as_str).collect();
            let there = match names.as_slice() {
                [] => format!("{} has none", self.path.display()),
                names => format!("there are {}", names.join(", ")),
            };
            Failure::NotFound(format!("there is no profile {name}; {there}"))
        })
    }

    /// A path as it stands in the file: relative to it, or to the user's home.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        if let Ok(rest) = path.strip_prefix("~")
            && let Some(home) = std::env::home_dir()
        {
            return home.join(rest);
        }
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// Sets a key of a table, which is made where it is missing.
    pub(crate) fn set(&mut self, table: &[&str], key: &str, value: impl Into<Value>) {
        let mut at = self.document.as_table_mut();
        for (depth, name) in table.iter().enumerate() {
            let made = at.entry(name).or_insert_with(|| {
                let mut made = Table::new();
                // `[profiles]` alone says nothing.
                made.set_implicit(depth + 1 < table.len());
                Item::Table(made)
            });
            let Some(next) = made.as_table_mut() else {
                return;
            };
            at = next;
        }
        at[key] = toml_edit::value(value);
    }

    /// Removes a key of a table, if it is there.
    pub(crate) fn remove(&mut self, table: &[&str], key: &str) {
        let mut at = self.document.as_table_mut();
        for name in table {
            match at.get_mut(name).and_then(Item::as_table_mut) {
                Some(next) => at = next,
                None => return,
            }
        }
        at.remove(key);
    }

    pub(crate) fn save(&self) -> Result<()> {
        let failed = |error| Failure::Usage(format!("{}: {error}", self.path.display()));
        // A link to a file that is kept elsewhere stays a link.
        let path = self.path.canonicalize().unwrap_or(self.path.clone());
        if let Some(folder) = path.parent() {
            private::folder(folder).map_err(failed)?;
        }
        private::write(&path, self.document.to_string().as_bytes()).map_err(failed)
    }
}

/// Only what is wrong and where; not the line itself, which may hold what somebody took for a place for secrets.
fn wrong(path: &Path, text: &str, span: Option<std::ops::Range<usize>>, message: &str) -> Failure {
    let line = span
        .and_then(|span| text.get(..span.start))
        .map(|before| format!(":{}", before.matches('\n').count() + 1));
    let advice = match message.contains("`password`") || message.contains("`token`") {
        true => "; secrets are not kept here: use `hawkfish login --save`",
        false => "",
    };
    Failure::Usage(format!(
        "{}{}: {}{advice}",
        path.display(),
        line.unwrap_or_default(),
        message.trim()
    ))
}

fn path() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(file) = set("HAWKFISH_CONFIG") {
        return Ok(file);
    }
    // The specification of XDG: a path that is not absolute is to be ignored.
    let folder = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("APPDATA").filter(|_| cfg!(windows)))
        .or_else(|| Some(std::env::home_dir()?.join(".config")));
    let folder = folder.ok_or_else(|| {
        Failure::Usage("no folder for the configuration; name the file in HAWKFISH_CONFIG".into())
    })?;
    Ok(folder.join("hawkfish").join("config.toml"))
}
