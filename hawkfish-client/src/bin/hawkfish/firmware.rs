//! `firmware`: what is installed, and replacing it.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Kind, Outcome, Upload, action_target};
use serde_json::{Map, Value};

use crate::change::as_written;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What is installed.
    Ls {
        /// Software instead of firmware.
        #[arg(long)]
        software: bool,
    },
    /// One of what is installed.
    Show {
        /// Its id or name.
        item: String,
        /// Software instead of firmware.
        #[arg(long)]
        software: bool,
    },
    /// Installs an image: a file from here, or a URI from which the service fetches it.
    Update(Update),
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// A file, or a URI. User and password for a URI come from HAWKFISH_IMAGE_USERNAME and HAWKFISH_IMAGE_PASSWORD.
    image: String,
    /// What it is for: id or name of what is installed, or a URI; may be given more than once. Without it the service decides.
    #[arg(long = "target", value_name = "ITEM")]
    targets: Vec<String>,
    /// When it is put to use: Immediate, OnReset, … as far as the service has them.
    #[arg(long, value_name = "WHEN")]
    apply: Option<String>,
    /// How the service fetches it, where the URI does not say it: HTTP, HTTPS, NFS, …
    #[arg(long)]
    protocol: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("VERSION", &["/Version"]),
    ("UPDATEABLE", &["/Updateable"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Description", &["/Description"]),
    ("Version", &["/Version"]),
    ("Oldest possible", &["/LowestSupportedVersion"]),
    ("Updateable", &["/Updateable"]),
    ("Needs a reset", &["/ResetRequiredOnUpdate"]),
    ("Manufacturer", &["/Manufacturer"]),
    ("Released", &["/ReleaseDate"]),
    ("Installed", &["/InstallDate"]),
    ("Software id", &["/SoftwareId"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("Of", &["/RelatedItem/0/@odata.id"]),
    ("URI", &["/@odata.id"]),
];

const ACTION: &str = "UpdateService.SimpleUpdate";

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let service = find::service(client, "/UpdateService", "firmware inventory")
        .await?
        .value;
    match command {
        Command::Ls { software } => {
            let items = find::all(client, inventory(&service, *software)?).await?;
            output.list(COLUMNS, &find::values(items))
        }
        Command::Show { item, software } => {
            let inventory = inventory(&service, *software)?;
            let item = find::member(client, inventory, item, &["Id", "Name"], "item").await?;
            output.one(ROWS, &item.value)
        }
        Command::Update(update) => self::update(client, output, &service, update).await,
    }
}

fn inventory(service: &Value, software: bool) -> Result<&str> {
    match software {
        true => find::linked(service, "/SoftwareInventory", "inventory of software"),
        false => find::linked(service, "/FirmwareInventory", "inventory of firmware"),
    }
}

async fn update(client: &Client, output: &Output, service: &Value, update: &Update) -> Result<()> {
    let targets = targets(client, service, &update.targets).await?;
    let (outcome, sentence) = if update.image.contains("://") || update.protocol.is_some() {
        let outcome = fetched(client, service, update, targets).await?;
        (outcome, format!("{}: installed", update.image))
    } else {
        let outcome = pushed(client, output, service, update, targets).await?;
        (outcome, format!("{}: installed", update.image))
    };
    update.waiting.conclude(output, outcome, &sentence).await
}

/// The URIs of what is meant.
async fn targets(client: &Client, service: &Value, names: &[String]) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for name in names {
        if name.starts_with('/') {
            targets.push(name.clone());
            continue;
        }
        let inventory = inventory(service, false)?;
        let item = find::member(client, inventory, name, &["Id", "Name"], "item").await?;
        targets.push(item.uri);
    }
    Ok(targets)
}

/// The service fetches it.
async fn fetched(
    client: &Client,
    service: &Value,
    update: &Update,
    targets: Vec<String>,
) -> Result<Outcome> {
    if action_target(service, ACTION).is_none() {
        return Err(Failure::NotFound(
            "the service has no update from a URI".into(),
        ));
    }
    let action = service.pointer(&format!("/Actions/#{ACTION}"));
    let mut parameters = Map::from_iter([("ImageURI".to_owned(), update.image.clone().into())]);
    if !targets.is_empty() {
        parameters.insert("Targets".into(), targets.into());
    }
    if let Some(protocol) = &update.protocol {
        let allowed = strings(action, "/TransferProtocol@Redfish.AllowableValues");
        let protocol = as_written(&allowed, protocol, "protocol")?;
        parameters.insert("TransferProtocol".into(), protocol.into());
    }
    if let Some(when) = &update.apply {
        let allowed = strings(
            action,
            "/@Redfish.OperationApplyTimeSupport/SupportedValues",
        );
        let when = as_written(&allowed, when, "time to apply")?;
        parameters.insert("@Redfish.OperationApplyTime".into(), when.into());
    }
    for (variable, parameter) in [
        ("HAWKFISH_IMAGE_USERNAME", "Username"),
        ("HAWKFISH_IMAGE_PASSWORD", "Password"),
    ] {
        if let Ok(value) = std::env::var(variable) {
            parameters.insert(parameter.to_owned(), value.into());
        }
    }
    Ok(client.action(service, ACTION, &parameters).await?)
}

/// We bring it.
async fn pushed(
    client: &Client,
    output: &Output,
    service: &Value,
    update: &Update,
    targets: Vec<String>,
) -> Result<Outcome> {
    let file = Path::new(&update.image);
    let size = std::fs::metadata(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?
        .len();
    let most = service.get("MaxImageSizeBytes").and_then(Value::as_u64);
    if let Some(most) = most
        && most > 0
        && size > most
    {
        return Err(Failure::Usage(format!(
            "{}: {size} bytes, and the service takes no more than {most}",
            file.display()
        )));
    }
    let (uri, upload) = if let Some(uri) = find::text(service, "/MultipartHttpPushUri") {
        let mut parameters = Map::from_iter([("Targets".to_owned(), targets.into())]);
        if let Some(when) = &update.apply {
            let allowed = strings(
                Some(service),
                "/Actions/#UpdateService.SimpleUpdate/@Redfish.OperationApplyTimeSupport/SupportedValues",
            );
            let when = as_written(&allowed, when, "time to apply")?;
            parameters.insert("@Redfish.OperationApplyTime".into(), when.into());
        }
        (uri, Upload::form(file, parameters.into()))
    } else if let Some(uri) = find::text(service, "/HttpPushUri") {
        if !targets.is_empty() || update.apply.is_some() {
            return Err(Failure::Usage(
                "this service takes a file as it is, and can be told neither --target nor --apply with it"
                    .into(),
            ));
        }
        (uri, Upload::plain(file))
    } else {
        return Err(Failure::NotFound(
            "the service has no place to push a file to; let it fetch it from a URI".into(),
        ));
    };
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let bar = Arc::new(output.transfer(&name, Some(size)));
    let shown = bar.clone();
    let sent = client
        .upload(uri, &upload, move |sent, _| shown.at(sent))
        .await;
    drop(bar);
    match sent {
        // Where only the inventory itself stands there, it is a place of the vendor's own making.
        Err(error) if error.kind == Kind::Unsupported => Err(Failure::NotFound(format!(
            "the service does not take a file at {uri}"
        ))),
        other => Ok(other?),
    }
}

fn strings(value: Option<&Value>, pointer: &str) -> Vec<String> {
    let list = value.and_then(|value| value.pointer(pointer)?.as_array());
    let list = list.into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_allowed_is_read_where_it_stands() {
        let service = json!({"Actions": {"#UpdateService.SimpleUpdate": {"@Redfish.OperationApplyTimeSupport": {"SupportedValues": ["Immediate", 7]}}}});
        let pointer = "/Actions/#UpdateService.SimpleUpdate/@Redfish.OperationApplyTimeSupport/SupportedValues";
        assert_eq!(strings(Some(&service), pointer), ["Immediate"]);
        assert!(strings(None, pointer).is_empty());
    }
}
