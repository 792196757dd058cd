//! `service`: what this service is, and what it can do.

use clap::Subcommand;
use hawkfish_client::{Client, Request, link};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::failure::Result;
use crate::output::{Column, Format, Output};
use crate::{find, lines};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What the service says of itself, and what it leads to.
    Show,
    /// What it can do beside plain reading and writing.
    Features,
    /// The versions of Redfish that it speaks.
    Versions,
    /// What time it is there, and how far that is off the time here.
    Clock,
}

const ROWS: &[Column] = &[
    ("Name", &["/Name"]),
    ("Product", &["/Product"]),
    ("Vendor", &["/Vendor"]),
    ("Redfish", &["/RedfishVersion"]),
    ("UUID", &["/UUID"]),
    ("Service id", &["/ServiceIdentification"]),
    ("Has", &["/Has"]),
    ("Type", &["/@odata.type"]),
    ("URI", &["/@odata.id"]),
];

const FEATURES: &[Column] = &[("FEATURE", &["/Feature"]), ("HAS IT", &["/Is"])];

const VERSIONS: &[Column] = &[("VERSION", &["/Version"]), ("AT", &["/Uri"])];

const CLOCKS: &[Column] = &[
    ("CLOCK OF", &["/Of"]),
    ("THERE", &["/DateTime"]),
    ("OFF BY", &["/Off"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Show => {
            let root = client.root().await?.value;
            let mut shown = root.clone();
            if let Some(object) = shown.as_object_mut() {
                object.insert("Has".into(), has(&root).into());
            }
            lines::one(output, ROWS, &shown, &root)
        }
        Command::Features => {
            let root = client.root().await?.value;
            let features = find::there(&root, "/ProtocolFeaturesSupported", "list of features")?;
            if output.format != Format::Table {
                return output.json(features);
            }
            let mut rows = Vec::new();
            flatten(features, "", &mut rows);
            output.list(FEATURES, &rows)
        }
        Command::Versions => {
            let request = Request::get("/redfish").anonymous();
            let versions = client.call(request).await?.json()?;
            let object = versions.as_object().into_iter().flatten();
            let rows: Vec<Value> = object
                .filter(|(name, uri)| !name.starts_with('@') && uri.is_string())
                .map(|(name, uri)| json!({"Version": name, "Uri": uri}))
                .collect();
            output.list(VERSIONS, &rows)
        }
        Command::Clock => clock(client, output).await,
    }
}

/// What the root leads to.
fn has(root: &Value) -> Vec<&str> {
    let object = root.as_object().into_iter().flatten();
    let links = object.filter(|(_, value)| find::text(value, "/@odata.id").is_some());
    links.map(|(name, _)| name.as_str()).collect()
}

fn flatten(value: &Value, above: &str, rows: &mut Vec<Value>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        if name.contains('@') || name == "Oem" {
            continue;
        }
        let name = match above {
            "" => name.clone(),
            above => format!("{above}.{name}"),
        };
        match value {
            Value::Object(_) => flatten(value, &name, rows),
            value => rows.push(json!({"Feature": name, "Is": value})),
        }
    }
}

async fn clock(client: &Client, output: &Output) -> Result<()> {
    let mut clocks = Vec::new();
    // Of an answer, the second in which it was sent; how long it took to ask is no error of the clock.
    let begun = Timestamp::now();
    let answer = client
        .call(Request::get(hawkfish_client::SERVICE_ROOT).anonymous())
        .await?;
    let here = middle(begun);
    let date = answer.header(http::header::DATE);
    if let Some(there) = date.and_then(|date| httpdate::parse_http_date(date).ok())
        && let Ok(there) = Timestamp::try_from(there)
    {
        clocks.push(row("HTTP", &there.to_string(), there, here));
    }
    let root = answer.json()?;
    if let Some(managers) = link(&root, "/Managers") {
        for manager in client.members(managers).all().await? {
            let begun = Timestamp::now();
            let manager = manager.read(client).await?;
            let here = middle(begun);
            let Some(text) = find::text(&manager.value, "/DateTime") else {
                continue;
            };
            let id = find::called(&manager);
            match text.parse::<Timestamp>() {
                Ok(there) => clocks.push(row(id, text, there, here)),
                Err(_) => clocks.push(json!({"Of": id, "DateTime": text, "Off": "not a time"})),
            }
        }
    }
    output.list(CLOCKS, &clocks)
}

fn middle(begun: Timestamp) -> Timestamp {
    let half = Timestamp::now().duration_since(begun) / 2;
    begun.checked_add(half).unwrap_or(begun)
}

fn row(of: &str, text: &str, there: Timestamp, here: Timestamp) -> Value {
    let off = there.duration_since(here);
    json!({"Of": of, "DateTime": text, "OffSeconds": off.as_secs(), "Off": said(off)})
}

/// How far off, as people say it. A clock that is told in whole seconds is not off by a part of one.
fn said(off: SignedDuration) -> String {
    let seconds = off.as_secs().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let size = match () {
        () if seconds <= 1 => return "nothing".to_owned(),
        () if days > 0 => format!("{days} d {hours} h"),
        () if hours > 0 => format!("{hours} h {minutes} min"),
        () if minutes > 0 => format!("{minutes} min {} s", seconds % 60),
        () => format!("{seconds} s"),
    };
    let way = if off.is_negative() { "slow" } else { "fast" };
    format!("{size} {way}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_clock_is_off_is_said_in_what_matters_of_it() {
        for (seconds, expected) in [
            (0, "nothing"),
            (-1, "nothing"),
            (45, "45 s fast"),
            (-125, "2 min 5 s slow"),
            (7260, "2 h 1 min fast"),
            (-90_000, "1 d 1 h slow"),
        ] {
            assert_eq!(said(SignedDuration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn features_are_told_one_by_one() {
        let mut rows = Vec::new();
        let features = json!({"ExpandQuery": {"Levels": true, "MaxLevels": 6}, "FilterQuery": false, "Oem": {}});
        flatten(&features, "", &mut rows);
        let names: Vec<&Value> = rows.iter().map(|row| &row["Feature"]).collect();
        assert_eq!(
            names,
            ["ExpandQuery.Levels", "ExpandQuery.MaxLevels", "FilterQuery"]
        );
    }
}
