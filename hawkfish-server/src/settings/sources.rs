//! Where settings come from: flags, the environment, a file.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

use super::{Found, KEYS, SettingsError};

/// `data-dir` as it stands in the environment.
pub(super) fn variable(name: &str) -> String {
    format!("HF_{}", name.replace('-', "_").to_ascii_uppercase())
}

fn command() -> Command {
    let mut command = Command::new("hawkfish-server")
        .version(env!("CARGO_PKG_VERSION"))
        // One line for each flag, however long.
        .term_width(0)
        .about("Redfish in front of virtual machines, real and simulated.")
        .after_help("Each flag can also be set in the environment, and without its dashes in the file given by --config. Flags win over the environment, which wins over the file.");
    for key in KEYS {
        let help = format!("{} [env: {}]", key.help, variable(key.name));
        let action = if key.repeatable {
            ArgAction::Append
        } else {
            ArgAction::Set
        };
        command = command.arg(
            Arg::new(key.name)
                .long(key.name)
                .value_name(key.value)
                .help(help)
                .action(action)
                .allow_negative_numbers(true),
        );
    }
    command
}

pub(super) fn from_flags(
    flags: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Found, SettingsError> {
    let matches = command().try_get_matches_from(flags)?;
    let mut found = Found::new();
    for key in KEYS {
        if let Some(values) = matches.get_many::<String>(key.name) {
            let place = format!("--{}", key.name);
            found.insert(key.name, (place, values.cloned().collect()));
        }
    }
    Ok(found)
}

pub(super) fn from_environment(
    environment: &BTreeMap<String, String>,
) -> Result<Found, SettingsError> {
    let mut found = Found::new();
    for (variable_name, value) in environment {
        let Some(rest) = variable_name.strip_prefix("HF_") else {
            continue;
        };
        let name = rest.to_ascii_lowercase().replace('_', "-");
        let key = KEYS.iter().find(|key| variable(key.name) == *variable_name);
        match key {
            Some(key) => {
                let values = if key.repeatable {
                    value
                        .split(',')
                        .map(|v| v.trim().to_owned())
                        .filter(|v| !v.is_empty())
                        .collect()
                } else {
                    vec![value.clone()]
                };
                found.insert(key.name, (variable_name.clone(), values));
            }
            // Other programs have variables of that prefix, too; only what looks like one of ours is surely a slip.
            None if nearest(&name).is_some() => {
                return Err(SettingsError::Unknown {
                    place: variable_name.clone(),
                    name,
                });
            }
            None => {}
        }
    }
    Ok(found)
}

pub(super) fn from_file(path: &std::path::Path) -> Result<Found, SettingsError> {
    let unreadable = |reason: String| SettingsError::File {
        path: path.to_owned(),
        reason,
    };
    let content = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
    let table: toml::Table = content
        .parse()
        .map_err(|e: toml::de::Error| unreadable(e.to_string()))?;
    let mut found = Found::new();
    for (name, value) in table {
        let place = path.display().to_string();
        let plain = name.replace('_', "-");
        let Some(key) = KEYS
            .iter()
            .find(|key| key.name == plain && key.name != "config")
        else {
            return Err(SettingsError::Unknown { place, name: plain });
        };
        let scalar = |value: &toml::Value| match value {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Integer(number) => Some(number.to_string()),
            _ => None,
        };
        let values = match &value {
            toml::Value::Array(items) if key.repeatable => items.iter().map(scalar).collect(),
            other => scalar(other).map(|one| vec![one]),
        };
        let Some(values) = values else {
            return Err(SettingsError::Value {
                place,
                name: plain,
                value: value.to_string(),
                reason: "it has the wrong type".to_owned(),
            });
        };
        found.insert(key.name, (place, values));
    }
    Ok(found)
}

/// The setting whose name is a slip of the pen away from `name`.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|key| (distance(name, key.name), key.name))
        .min()
        .filter(|(distance, known)| *distance <= 1 + known.len() / 5)
        .map(|(_, known)| known)
}

/// How many letters to add, leave out or change to make one of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
