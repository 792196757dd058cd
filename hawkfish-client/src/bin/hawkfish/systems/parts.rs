//! Parts of a machine, of a chassis, of a manager: how they are found, whatever shape the service gives the list; processors, memory and PCIe devices are no more than that.

use std::collections::HashSet;

use clap::Subcommand;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hawkfish_client::{Client, Fetched, Kind, Outcome, link};
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::find;
pub(crate) use crate::find::text;
use crate::output::{Column, Format, Output};

/// Requests under way at once: BMCs are slow machines.
const AT_ONCE: usize = 8;

/// What stands at a pointer: a link to a collection, links, or parts written out where they stand. `None` where the service has nothing there.
pub(crate) async fn at(
    client: &Client,
    resource: &Value,
    pointer: &str,
) -> Result<Option<Vec<Fetched<Value>>>> {
    match resource.pointer(pointer) {
        Some(Value::Array(list)) => listed(client, list).await.map(Some),
        Some(_) => match link(resource, pointer) {
            Some(collection) => find::all(client, collection).await.map(Some),
            None => Ok(None),
        },
        None => Ok(None),
    }
}

/// As [`at`], and what is not there is an error that says so.
pub(crate) async fn need(
    client: &Client,
    resource: &Value,
    pointer: &str,
    what: &str,
) -> Result<Vec<Fetched<Value>>> {
    at(client, resource, pointer)
        .await?
        .ok_or_else(|| none(what))
}

/// The one resource that a link leads to; `None` where the service has none.
pub(crate) async fn linked(
    client: &Client,
    resource: &Value,
    pointer: &str,
) -> Result<Option<Fetched<Value>>> {
    let Some(uri) = link(resource, pointer) else {
        return Ok(None);
    };
    if let Some(whole) = resource.pointer(pointer).and_then(written_out) {
        return Ok(Some(whole));
    }
    Ok(Some(client.get_value(uri).await?))
}

/// As [`linked`], and what is not there is an error that says so.
pub(crate) async fn one(
    client: &Client,
    resource: &Value,
    pointer: &str,
    what: &str,
) -> Result<Fetched<Value>> {
    linked(client, resource, pointer)
        .await?
        .ok_or_else(|| none(what))
}

pub(crate) fn none(what: &str) -> Failure {
    Failure::NotFound(format!("the service has no {what}"))
}

/// Some services name a part twice, and some a part that is not there: it is shown once, or not at all.
async fn listed(client: &Client, list: &[Value]) -> Result<Vec<Fetched<Value>>> {
    let mut known = HashSet::new();
    let list = list.iter().filter(|item| match link(item, "") {
        Some(uri) => known.insert(uri.trim_end_matches('/')),
        None => true,
    });
    let read = list.map(|item| async move {
        if let Some(whole) = written_out(item) {
            return Ok(Some(whole));
        }
        let Some(uri) = link(item, "") else {
            return Ok(None);
        };
        match client.get_value(uri).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind == Kind::NotFound => Ok(None),
            Err(error) => Err(Failure::from(error)),
        }
    });
    let found = stream::iter(read.collect::<Vec<_>>()).buffered(AT_ONCE);
    let found: Vec<Option<Fetched<Value>>> = found.try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// The part itself, where it stands where a link could.
fn written_out(item: &Value) -> Option<Fetched<Value>> {
    let whole = item.as_object()?.keys().any(|name| !name.contains('@'));
    whole.then(|| Fetched {
        value: item.clone(),
        etag: None,
        uri: link(item, "").unwrap_or_default().to_owned(),
    })
}

/// The texts of a list; empty where there is none.
pub(crate) fn texts(resource: &Value, pointer: &str) -> Vec<String> {
    let list = resource.pointer(pointer).and_then(Value::as_array);
    let list = list.into_iter().flatten();
    list.filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// What a person calls it by: its id, and where it has none, its number among the others.
pub(crate) fn id(part: &Fetched<Value>) -> &str {
    let own = text(&part.value, "/Id").or_else(|| text(&part.value, "/MemberId"));
    own.unwrap_or_else(|| {
        let path = part.uri.trim_end_matches('/');
        path.rsplit('/').next().unwrap_or(path)
    })
}

/// The part of that id, else the one of that name.
pub(crate) fn named<'a>(
    parts: &'a [Fetched<Value>],
    wanted: &str,
    what: &str,
) -> Result<&'a Fetched<Value>> {
    if let Some(found) = parts.iter().find(|part| id(part) == wanted) {
        return Ok(found);
    }
    let is = |name: &Value| name.as_str().is_some_and(|name| same(name, wanted));
    let called =
        |part: &&Fetched<Value>| same(id(part), wanted) || part.value.get("Name").is_some_and(is);
    let found: Vec<_> = parts.iter().filter(called).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let all: Vec<&str> = parts.iter().map(id).collect();
            let but = match all.is_empty() {
                true => String::new(),
                false => format!(", but {}", all.join(", ")),
            };
            Err(Failure::NotFound(format!(
                "there is no {what} {wanted}{but}"
            )))
        }
        _ => Err(Failure::Usage(format!(
            "{} {what}s are called {wanted}; use the id",
            found.len()
        ))),
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// What a parameter of an action may be: as the resource says, or its `ActionInfo`; empty where neither does.
pub(crate) async fn parameter(
    client: &Client,
    resource: &Value,
    action: &str,
    name: &str,
) -> Result<Vec<String>> {
    let Some(action) = resource
        .get("Actions")
        .and_then(|all| all.get(format!("#{action}")))
    else {
        return Ok(Vec::new());
    };
    let here = texts(action, &format!("/{name}@Redfish.AllowableValues"));
    if !here.is_empty() {
        return Ok(here);
    }
    let info = action.get("@Redfish.ActionInfo");
    let Some(uri) = info.and_then(|info| info.as_str().or_else(|| link(info, ""))) else {
        return Ok(Vec::new());
    };
    let info = client.get_value(uri).await?.value;
    let parameters = info.get("Parameters").and_then(Value::as_array);
    let found = parameters
        .into_iter()
        .flatten()
        .find(|parameter| text(parameter, "/Name") == Some(name));
    Ok(found.map_or_else(Vec::new, |found| texts(found, "/AllowableValues")))
}

/// Changes properties, guarded by the tag of what is there now: what others change meanwhile stays.
pub(crate) async fn amend(client: &Client, uri: &str, change: impl Into<Value>) -> Result<Outcome> {
    let change = change.into();
    Ok(client.update(uri, |_| Ok(Some(change.clone()))).await?)
}

/// A list of which people see what was worked out for them, and programs what the service said.
pub(crate) fn list(
    output: &Output,
    columns: &[Column],
    resources: Vec<Value>,
    view: impl Fn(&Value) -> Value,
) -> Result<()> {
    match output.format {
        Format::Table => {
            let views: Vec<Value> = resources.iter().map(view).collect();
            output.list(columns, &views)
        }
        _ => output.list(columns, &resources),
    }
}

/// The resource and what was worked out for its reader. The names begin with `·`, which no property's does.
pub(crate) fn with(
    resource: &Value,
    more: impl IntoIterator<Item = (&'static str, Value)>,
) -> Value {
    let mut view = resource.clone();
    if let Some(view) = view.as_object_mut() {
        view.extend(
            more.into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
    }
    view
}

/// Bytes for people, in powers of two.
pub(crate) fn size(bytes: Option<&Value>) -> Value {
    let Some(bytes) = bytes.and_then(Value::as_f64) else {
        return Value::Null;
    };
    let mut left = bytes;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if left < 1024.0 {
            break;
        }
        left /= 1024.0;
        unit = next;
    }
    let number = format!("{left:.1}");
    format!("{} {unit}", number.strip_suffix(".0").unwrap_or(&number)).into()
}

/// Bytes from a size with its unit; without one they are bytes.
pub(crate) fn bytes(text: &str) -> std::result::Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return Err("no unit; there are KB, MB, GB, TB and KiB, MiB, GiB, TiB".to_owned()),
    };
    let number: u64 = digits
        .trim()
        .parse()
        .map_err(|_| "not a whole number with a unit, such as 100GiB".to_owned())?;
    number
        .checked_mul(unit)
        .ok_or_else(|| "too much".to_owned())
}

/// Parts that are only looked at.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All of them.
    Ls {
        /// Id, name or UUID of the machine.
        id: String,
    },
    /// One of them.
    Show {
        /// Id, name or UUID of the machine.
        id: String,
        /// Id or name of the part.
        part: String,
    },
}

/// A sort of parts.
pub(crate) struct Sort {
    what: &'static str,
    /// Where the machine has them, or its chassis.
    pointer: &'static str,
    columns: &'static [Column],
    rows: &'static [Column],
}

pub(crate) const PROCESSORS: Sort = Sort {
    what: "processor",
    pointer: "/Processors",
    columns: &[
        ("ID", &["/Id"]),
        ("TYPE", &["/ProcessorType"]),
        ("MODEL", &["/Model", "/Name"]),
        ("CORES", &["/TotalCores"]),
        ("THREADS", &["/TotalThreads"]),
        ("MHZ", &["/MaxSpeedMHz"]),
        ("STATE", &["/Status/State"]),
        ("HEALTH", &["/Status/Health"]),
    ],
    rows: &[
        ("Id", &["/Id"]),
        ("Name", &["/Name"]),
        ("Socket", &["/Socket"]),
        ("Type", &["/ProcessorType"]),
        ("Manufacturer", &["/Manufacturer"]),
        ("Model", &["/Model"]),
        ("Architecture", &["/ProcessorArchitecture"]),
        ("Instruction set", &["/InstructionSet"]),
        ("Cores", &["/TotalCores"]),
        ("Enabled cores", &["/TotalEnabledCores"]),
        ("Threads", &["/TotalThreads"]),
        ("Most MHz", &["/MaxSpeedMHz"]),
        ("Serial number", &["/SerialNumber"]),
        ("State", &["/Status/State"]),
        ("Health", &["/Status/Health"]),
        ("URI", &["/@odata.id"]),
    ],
};

pub(crate) const MEMORY: Sort = Sort {
    what: "memory",
    pointer: "/Memory",
    columns: &[
        ("ID", &["/Id"]),
        ("MIB", &["/CapacityMiB"]),
        ("TYPE", &["/MemoryDeviceType"]),
        ("MHZ", &["/OperatingSpeedMhz"]),
        ("MANUFACTURER", &["/Manufacturer"]),
        ("PART NUMBER", &["/PartNumber"]),
        ("STATE", &["/Status/State"]),
        ("HEALTH", &["/Status/Health"]),
    ],
    rows: &[
        ("Id", &["/Id"]),
        ("Name", &["/Name"]),
        ("Locator", &["/DeviceLocator"]),
        ("Socket", &["/MemoryLocation/Socket"]),
        ("Slot", &["/MemoryLocation/Slot"]),
        ("Capacity (MiB)", &["/CapacityMiB"]),
        ("Type", &["/MemoryDeviceType"]),
        ("Error correction", &["/ErrorCorrection"]),
        ("Speed (MHz)", &["/OperatingSpeedMhz"]),
        ("Manufacturer", &["/Manufacturer"]),
        ("Part number", &["/PartNumber"]),
        ("Serial number", &["/SerialNumber"]),
        ("State", &["/Status/State"]),
        ("Health", &["/Status/Health"]),
        ("URI", &["/@odata.id"]),
    ],
};

pub(crate) const PCIE: Sort = Sort {
    what: "PCIe device",
    pointer: "/PCIeDevices",
    columns: &[
        ("ID", &["/Id"]),
        ("NAME", &["/Name"]),
        ("TYPE", &["/DeviceType"]),
        ("MANUFACTURER", &["/Manufacturer"]),
        ("MODEL", &["/Model"]),
        ("FIRMWARE", &["/FirmwareVersion"]),
        ("STATE", &["/Status/State"]),
        ("HEALTH", &["/Status/Health"]),
    ],
    rows: &[
        ("Id", &["/Id"]),
        ("Name", &["/Name"]),
        ("Description", &["/Description"]),
        ("Type", &["/DeviceType"]),
        ("Manufacturer", &["/Manufacturer"]),
        ("Model", &["/Model"]),
        ("Part number", &["/PartNumber"]),
        ("Serial number", &["/SerialNumber"]),
        ("Firmware", &["/FirmwareVersion"]),
        ("PCIe", &["/PCIeInterface/PCIeType"]),
        ("Lanes", &["/PCIeInterface/LanesInUse"]),
        ("State", &["/Status/State"]),
        ("Health", &["/Status/Health"]),
        ("URI", &["/@odata.id"]),
    ],
};

pub(crate) async fn run(
    client: &Client,
    output: &Output,
    sort: &Sort,
    command: &Command,
) -> Result<()> {
    let (Command::Ls { id } | Command::Show { id, .. }) = command;
    let system = find::system(client, id).await?.value;
    let parts = match at(client, &system, sort.pointer).await? {
        Some(parts) => parts,
        // Some services have what a machine is made of only in its chassis.
        None => {
            let chassis = one(
                client,
                &system,
                "/Links/Chassis/0",
                &format!("{}s here", sort.what),
            )
            .await?;
            need(
                client,
                &chassis.value,
                sort.pointer,
                &format!("{}s here", sort.what),
            )
            .await?
        }
    };
    match command {
        Command::Ls { .. } => {
            let parts: Vec<Value> = parts.into_iter().map(|part| part.value).collect();
            output.list(sort.columns, &parts)
        }
        Command::Show { part, .. } => output.one(sort.rows, &named(&parts, part, sort.what)?.value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_size_has_a_unit_of_ten_or_of_two_and_no_other() {
        assert_eq!(bytes("10GB").unwrap(), 10_000_000_000);
        assert_eq!(bytes("10gib").unwrap(), 10 << 30);
        assert_eq!(bytes("512").unwrap(), 512);
        assert!(bytes("10G").is_err());
        assert!(bytes("GiB").is_err());
        assert!(bytes("99999999999TiB").is_err());
    }

    #[test]
    fn a_size_is_shown_in_powers_of_two() {
        assert_eq!(size(Some(&json!(515_396_075_520_u64))), json!("480 GiB"));
        assert_eq!(size(Some(&json!(1536))), json!("1.5 KiB"));
        assert_eq!(size(Some(&json!(null))), Value::Null);
    }

    #[test]
    fn a_part_is_found_by_its_id_before_another_that_has_that_name() {
        let part = |id: &str, name: &str| Fetched {
            value: json!({"Id": id, "Name": name}),
            etag: None,
            uri: String::new(),
        };
        let parts = [part("1", "2"), part("2", "x"), part("3", "x")];
        assert_eq!(id(named(&parts, "2", "part").unwrap()), "2");
        assert_eq!(named(&parts, "X", "part").unwrap_err().exit_code(), 2);
        assert_eq!(named(&parts, "y", "part").unwrap_err().exit_code(), 4);
    }
}
