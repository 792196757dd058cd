//! `profiles`: services by names of one's own, in the configuration file.

use clap::{ArgMatches, Subcommand};
use serde_json::{Value, json};

use crate::connect::config::{File, Profile};
use crate::connect::{Connection, located};
use crate::failure::{Failure, Result};
use crate::output::{Column, Format, Output, Style};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All profiles.
    Ls,
    /// One profile, and what holds for it.
    Show {
        /// Its name; the one that is used where none is named, if left out.
        name: Option<String>,
    },
    /// Makes a profile of the options of this command line: --url, --user, --auth, --ca, --fingerprint, --insecure, --timeout, --credentials-file, -o.
    Add {
        /// A name for it.
        name: String,
        /// Put it in the place of the profile of this name.
        #[arg(long)]
        replace: bool,
    },
    /// Makes a profile the one that is used where none is named.
    Use {
        /// Its name.
        name: String,
    },
    /// Forgets a profile.
    Rm {
        /// Its name.
        name: String,
    },
}

const COLUMNS: &[Column] = &[
    ("NAME", &["/Name"]),
    ("DEFAULT", &["/Default"]),
    ("URL", &["/url"]),
    ("USER", &["/user"]),
    ("AUTH", &["/auth"]),
];

const ROWS: &[Column] = &[
    ("Name", &["/Name"]),
    ("Default", &["/Default"]),
    ("URL", &["/url"]),
    ("User", &["/user"]),
    ("Credentials file", &["/credentials-file"]),
    ("Auth", &["/auth"]),
    ("CA", &["/ca"]),
    ("Fingerprint", &["/fingerprint"]),
    ("Insecure", &["/insecure"]),
    ("Timeout (s)", &["/timeout"]),
    ("Output", &["/output"]),
    ("File", &["/File"]),
];

pub(crate) fn run(
    connection: &Connection,
    style: &Style,
    given: &ArgMatches,
    file: &mut File,
    output: &Output,
    command: &Command,
) -> Result<()> {
    match command {
        Command::Ls => {
            let profiles: Vec<Value> = file
                .config
                .profiles
                .iter()
                .map(|(name, profile)| shown(file, name, profile))
                .collect();
            output.list(COLUMNS, &profiles)
        }
        Command::Show { name } => {
            let name = name.as_deref().or(file.config.profile.as_deref());
            let name = name.ok_or_else(|| {
                Failure::NotFound(format!("{} names no default profile", file.path.display()))
            })?;
            output.one(ROWS, &shown(file, name, file.profile(name)?))
        }
        Command::Add { name, replace } => {
            if file.config.profiles.contains_key(name) && !replace {
                return Err(Failure::Conflict(format!(
                    "there is a profile {name} already; use --replace"
                )));
            }
            let mut profile = connection.as_profile(given);
            profile.output = style.output_option(given);
            add(file, name, &profile)?;
            // The first one is meant when none is named.
            if file.config.profiles.is_empty() {
                file.set(&[], "profile", name.as_str());
            }
            file.save()?;
            said(
                output,
                file,
                name,
                &format!("{name} is in {}", file.path.display()),
            )
        }
        Command::Use { name } => {
            file.profile(name)?;
            file.set(&[], "profile", name.as_str());
            file.save()?;
            said(
                output,
                file,
                name,
                &format!("{name} is used where no profile is named"),
            )
        }
        Command::Rm { name } => {
            file.profile(name)?;
            file.remove(&["profiles"], name);
            if file.config.profile.as_deref() == Some(name) {
                file.remove(&[], "profile");
            }
            file.save()?;
            said(output, file, name, &format!("{name} is forgotten"))
        }
    }
}

fn add(file: &mut File, name: &str, profile: &Profile) -> Result<()> {
    let url = profile
        .url
        .as_deref()
        .ok_or_else(|| Failure::Usage(format!("where is {name}? use --url")))?;
    let (url, _) = located(url)?;
    file.remove(&["profiles"], name);
    let at = ["profiles", name];
    file.set(&at, "url", url);
    // Whoever gives a path means it from where they stand.
    let absolute = |path: &std::path::Path| {
        std::path::absolute(path)
            .map(|path| path.to_string_lossy().into_owned())
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
    };
    if let Some(user) = &profile.user {
        file.set(&at, "user", user.as_str());
    }
    if let Some(path) = &profile.credentials_file {
        file.set(&at, "credentials-file", absolute(path)?);
    }
    if let Some(auth) = profile.auth {
        file.set(&at, "auth", auth.name());
    }
    if let Some(path) = &profile.ca {
        file.set(&at, "ca", absolute(path)?);
    }
    if let Some(fingerprint) = &profile.fingerprint {
        file.set(&at, "fingerprint", fingerprint.as_str());
    }
    if let Some(insecure) = profile.insecure {
        file.set(&at, "insecure", insecure);
    }
    if let Some(timeout) = profile.timeout {
        let timeout = i64::try_from(timeout).unwrap_or(i64::MAX);
        file.set(&at, "timeout", timeout);
    }
    if let Some(format) = profile.output {
        file.set(&at, "output", format.name());
    }
    Ok(())
}

fn shown(file: &File, name: &str, profile: &Profile) -> Value {
    json!({
        "Name": name,
        "Default": file.config.profile.as_deref() == Some(name),
        "url": profile.url,
        "user": profile.user,
        "credentials-file": profile.credentials_file,
        "auth": profile.auth.map(crate::connect::Auth::name),
        "ca": profile.ca,
        "fingerprint": profile.fingerprint,
        "insecure": profile.insecure,
        "timeout": profile.timeout,
        "output": profile.output.map(Format::name),
        "File": file.path,
    })
}

fn said(output: &Output, file: &File, name: &str, sentence: &str) -> Result<()> {
    match output.format {
        Format::Table => output.line(sentence),
        _ => output.json(&json!({"Name": name, "File": file.path})),
    }
}
