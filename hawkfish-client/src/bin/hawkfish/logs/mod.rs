//! `logs`: what happened, as machines, managers and chassis have written it down.

mod entries;
mod when;

use std::collections::HashSet;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use hawkfish_client::{Client, Fetched, link};
use jiff::Timestamp;
use serde_json::{Value, json};

use self::entries::Wanted;
use self::when::Since;
use crate::change::conclude;
use crate::failure::{Failure, Result};
use crate::find;
use crate::lines;
use crate::output::{Column, Output, plain, warn};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The logs there are.
    Ls {
        /// Only of this machine, manager or chassis: its id or name.
        #[arg(long)]
        of: Option<String>,
    },
    /// What stands in a log, or in all of them, oldest first.
    Show(Show),
    /// Empties a log.
    Clear {
        /// The log: its id, OWNER/ID, or its URI.
        log: String,
        /// Of this machine, manager or chassis: its id or name.
        #[arg(long)]
        of: Option<String>,
    },
    /// Prints what is added to a log, or to any, until stopped.
    Follow(Follow),
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The log: its id, OWNER/ID, or its URI; all logs without it.
    log: Option<String>,
    /// Only of this machine, manager or chassis: its id or name.
    #[arg(long)]
    of: Option<String>,
    /// Nothing less severe.
    #[arg(long, value_enum, default_value_t = Severity::Ok)]
    severity: Severity,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Severity {
    Ok,
    Warning,
    Critical,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,
    /// Only this entry, with all that is known of it.
    entry: Option<String>,
    /// Nothing older: a time (2026-01-31, 2026-01-31T12:00:00Z) or so long ago by the clock of the log (90s, 15m, 2h, 3d, 1w).
    #[arg(long, value_name = "TIME", value_parser = when::since)]
    since: Option<Since>,
    /// Of each log only so many, the newest.
    #[arg(long, value_name = "N", default_value_t = 100)]
    last: usize,
    /// However many there are.
    #[arg(long, conflicts_with = "last")]
    all: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Follow {
    #[command(flatten)]
    which: Which,
    /// First print so many that are there already, of each log.
    #[arg(long, value_name = "N", default_value_t = 0)]
    last: usize,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = pause)]
    every: f64,
    /// End after so many entries.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
}

fn pause(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("seconds, from 0.1 to 86400".into()),
    }
}

/// A log, and whose it is.
#[derive(Debug)]
struct Log {
    kind: &'static str,
    owner: String,
    service: Fetched<Value>,
}

impl Log {
    fn id(&self) -> &str {
        find::text(&self.service.value, "/Id").unwrap_or_else(|| find::id(&self.service.uri))
    }

    fn place(&self) -> String {
        format!("{}/{}", self.owner, self.id())
    }

    fn shown(&self) -> Value {
        let mut shown = self.service.value.clone();
        if let Some(object) = shown.as_object_mut() {
            object.insert("Of".into(), self.owner.clone().into());
            object.insert("Kind".into(), self.kind.into());
        }
        shown
    }

    /// What time it is there.
    fn now(&self) -> Timestamp {
        let there = find::text(&self.service.value, "/DateTime");
        there
            .and_then(|time| time.parse().ok())
            .unwrap_or_else(Timestamp::now)
    }
}

const LOGS: &[Column] = &[
    ("OF", &["/Of"]),
    ("KIND", &["/Kind"]),
    ("LOG", &["/Id"]),
    ("NAME", &["/Name"]),
    ("TYPE", &["/LogEntryType"]),
    ("FOR", &["/LogPurposes"]),
    ("WHEN FULL", &["/OverWritePolicy"]),
    ("AT MOST", &["/MaxNumberOfRecords"]),
];

const ENTRIES: &[Column] = &[
    ("WHEN", &["/EventTimestamp", "/Created"]),
    ("SEVERITY", &["/Severity"]),
    ("ID", &["/Id"]),
    ("MESSAGE", &["/Message", "/MessageId", "/Name"]),
];

const ENTRIES_OF_SEVERAL: &[Column] = &[
    ("WHEN", &["/EventTimestamp", "/Created"]),
    ("SEVERITY", &["/Severity"]),
    ("LOG", &["/Log"]),
    ("ID", &["/Id"]),
    ("MESSAGE", &["/Message", "/MessageId", "/Name"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("When", &["/EventTimestamp", "/Created"]),
    ("Severity", &["/Severity"]),
    ("Message", &["/Message"]),
    ("Message id", &["/MessageId"]),
    ("Arguments", &["/MessageArgs"]),
    ("To do", &["/Resolution"]),
    ("Resolved", &["/Resolved"]),
    ("About", &["/Links/OriginOfCondition/@odata.id"]),
    ("User", &["/Username"]),
    ("From", &["/Originator"]),
    ("Type", &["/EntryType"]),
    ("Code", &["/EntryCode"]),
    ("Sensor", &["/SensorType"]),
    ("Sensor number", &["/SensorNumber"]),
    ("Data", &["/AdditionalDataURI"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls { of } => {
            let logs = all(client, of.as_deref()).await?;
            let shown: Vec<Value> = logs.iter().map(Log::shown).collect();
            let said: Vec<Value> = logs.into_iter().map(|log| log.service.value).collect();
            lines::list(output, LOGS, &shown, &said)
        }
        Command::Show(show) => self::show(client, output, show).await,
        Command::Clear { log, of } => {
            let log = single(client, log, of.as_deref()).await?;
            let sentence = format!("{}: empty", log.place());
            let outcome = client
                .action(&log.service.value, "LogService.ClearLog", &json!({}))
                .await?;
            conclude(output, outcome, &sentence).await
        }
        Command::Follow(follow) => self::follow(client, output, follow).await,
    }
}

async fn show(client: &Client, output: &Output, show: &Show) -> Result<()> {
    let logs = chosen(client, &show.which).await?;
    if let Some(id) = &show.entry {
        let [log] = logs.as_slice() else {
            return Err(several(&logs));
        };
        let entries = entries_of(log)?;
        let entry = find::member(client, entries, id, &["Id"], "entry").await?;
        return output.one(ROWS, &entry.value);
    }
    let mut found = Vec::new();
    let mut more = false;
    for log in &logs {
        let wanted = Wanted {
            last: (!show.all).then_some(show.last),
            since: show.since.map(|since| since.moment(log.now())),
            severity: show.which.severity as u8,
            known: HashSet::new(),
        };
        // A log may be without entries of its own, as a place to fetch a dump from.
        let Some(entries) = link(&log.service.value, "/Entries") else {
            continue;
        };
        let read = entries::read(client, entries, &wanted).await?;
        more |= read.more;
        found.extend(read.entries.into_iter().map(|entry| (log.place(), entry)));
    }
    if logs.len() > 1 {
        found.sort_by_key(|(_, entry)| when::of(entry));
    }
    let shown: Vec<Value> = found
        .iter()
        .map(|(log, entry)| placed(log, entry))
        .collect();
    let said: Vec<Value> = found.into_iter().map(|(_, entry)| entry).collect();
    let columns = match logs.len() {
        1 => ENTRIES,
        _ => ENTRIES_OF_SEVERAL,
    };
    lines::list(output, columns, &shown, &said)?;
    if more {
        warn(&format!(
            "only the last {} of each log; --last N or --all shows more",
            show.last
        ));
    }
    Ok(())
}

fn placed(log: &str, entry: &Value) -> Value {
    let mut entry = entry.clone();
    if let Some(object) = entry.as_object_mut() {
        object.insert("Log".into(), log.into());
    }
    entry
}

async fn follow(client: &Client, output: &Output, follow: &Follow) -> Result<()> {
    let logs = chosen(client, &follow.which).await?;
    let severity = follow.which.severity as u8;
    let mut known = Vec::new();
    let mut left = follow.count.unwrap_or(usize::MAX);
    for log in &logs {
        // All of it once, so that what comes is told apart from what was there.
        let there = entries::read(client, entries_of(log)?, &Wanted::default()).await?;
        known.push(
            there
                .entries
                .iter()
                .map(entries::key)
                .collect::<HashSet<_>>(),
        );
        let old = there.entries.iter();
        let mut old: Vec<&Value> = old
            .filter(|entry| entries::severity(entry) >= severity)
            .collect();
        old.drain(..old.len().saturating_sub(follow.last));
        for entry in old {
            tell(output, log, entry)?;
        }
    }
    let every = Duration::from_secs_f64(follow.every);
    while left > 0 {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        for (log, known) in logs.iter().zip(&mut known) {
            let wanted = Wanted {
                known: std::mem::take(known),
                ..Wanted::default()
            };
            let read = entries::read(client, entries_of(log)?, &wanted).await;
            *known = wanted.known;
            let read = match read {
                Ok(read) => read,
                // A BMC that restarts is there again later.
                Err(failure) if failure.exit_code() == 6 => {
                    warn(&failure.to_string());
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            for entry in &read.entries {
                known.insert(entries::key(entry));
                if left > 0 && entries::severity(entry) >= severity {
                    tell(output, log, entry)?;
                    left -= 1;
                }
            }
        }
    }
    Ok(())
}

fn tell(output: &Output, log: &Log, entry: &Value) -> Result<()> {
    let text = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| find::text(entry, name));
        found.next().unwrap_or("-").to_owned()
    };
    let line = format!(
        "{}  {:<8}  {}  {}",
        text(&["/EventTimestamp", "/Created"]),
        text(&["/Severity"]),
        log.place(),
        text(&["/Message", "/MessageId", "/Name"]),
    );
    output.each(&plain(&line), entry)
}

fn entries_of(log: &Log) -> Result<&str> {
    find::linked(&log.service.value, "/Entries", "entries in this log")
}

async fn chosen(client: &Client, which: &Which) -> Result<Vec<Log>> {
    match &which.log {
        Some(name) => Ok(vec![single(client, name, which.of.as_deref()).await?]),
        None => all(client, which.of.as_deref()).await,
    }
}

async fn single(client: &Client, name: &str, of: Option<&str>) -> Result<Log> {
    if name.starts_with('/') {
        let service = client.get_value(name).await?;
        // …/Systems/1/LogServices/IML
        let mut parts = name.trim_end_matches('/').rsplit('/');
        let owner = parts.nth(2).unwrap_or_default().to_owned();
        return Ok(Log {
            kind: "",
            owner,
            service,
        });
    }
    let (of, id) = match name.rsplit_once('/') {
        Some((owner, id)) => (Some(owner), id),
        None => (of, name),
    };
    let mut logs = all(client, of).await?;
    logs.retain(|log| log.id() == id || find::text(&log.service.value, "/Name") == Some(id));
    match logs.len() {
        0 => Err(Failure::NotFound(format!("there is no log {name}"))),
        1 => Ok(logs.remove(0)),
        _ => Err(several(&logs)),
    }
}

fn several(logs: &[Log]) -> Failure {
    let places: Vec<String> = logs.iter().take(6).map(Log::place).collect();
    let dots = if logs.len() > 6 { ", …" } else { "" };
    Failure::Usage(format!(
        "there are several logs: {}{dots}; name one, or whose it is with --of",
        places.join(", ")
    ))
}

/// All logs, each once: some services have one and the same log stand under a machine and under its manager.
async fn all(client: &Client, of: Option<&str>) -> Result<Vec<Log>> {
    let root = client.root().await?.value;
    let mut logs: Vec<Log> = Vec::new();
    let mut owned = false;
    for (pointer, kind) in [
        ("/Systems", "system"),
        ("/Managers", "manager"),
        ("/Chassis", "chassis"),
    ] {
        let Some(owners) = link(&root, pointer) else {
            continue;
        };
        for owner in owners_of(client, owners, of).await? {
            owned = true;
            let Some(services) = link(&owner.value, "/LogServices") else {
                continue;
            };
            let called = find::called(&owner);
            for service in find::all(client, services).await? {
                if logs.iter().any(|log| log.service.uri == service.uri) {
                    continue;
                }
                logs.push(Log {
                    kind,
                    owner: called.to_owned(),
                    service,
                });
            }
        }
    }
    if let Some(of) = of
        && !owned
    {
        return Err(Failure::NotFound(format!(
            "there is no machine, manager or chassis {of}"
        )));
    }
    Ok(logs)
}

async fn owners_of(client: &Client, owners: &str, of: Option<&str>) -> Result<Vec<Fetched<Value>>> {
    let Some(of) = of else {
        return find::all(client, owners).await;
    };
    let members = client.members(owners).all().await?;
    if let Some(member) = members.iter().find(|member| member.id() == of) {
        return Ok(vec![client.get_value(&member.uri).await?]);
    }
    let mut all = find::all(client, owners).await?;
    all.retain(|owner| {
        ["/Id", "/Name", "/HostName", "/UUID"]
            .iter()
            .any(|pointer| find::text(&owner.value, pointer) == Some(of))
    });
    Ok(all)
}
