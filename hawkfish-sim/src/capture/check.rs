//! What a capture holds, and what is wrong with it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::place::{follows_to, plain_uri};
use super::{Capture, Finding, Flaw};

/// A link in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The property that holds it: `@odata.id`, `Members@odata.nextLink`, `@Redfish.ActionInfo`.
    pub property: &'a str,
    /// Where it leads, as it is written.
    pub to: &'a str,
}

/// What a capture holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many resources there are of each type.
    pub kinds: BTreeMap<String, usize>,
    /// How many documents are no resources: schemas, registries, other bytes.
    pub others: usize,
    /// How many links there are between documents.
    pub links: usize,
    /// What of the machines can work when it is served with state, by name, such as `power`.
    pub can: Vec<&'static str>,
}

impl Capture {
    /// Finds all that is wrong: what was found while reading, links that lead nowhere, documents that say that they stand elsewhere.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = self.findings.clone();
        for (uri, document) in &self.documents {
            let Some(value) = document.value() else {
                continue;
            };
            let id = value.get("@odata.id").and_then(Value::as_str);
            if let Some(id) = id.filter(|id| plain_uri(id) != without_query(uri)) {
                findings.push(Finding {
                    at: uri.clone(),
                    what: Flaw::OtherId(id.to_owned()),
                });
            }
            let mut path = Vec::new();
            walk(value, &mut path, &mut |path, link| {
                if path.len() == 1 && link.property == "@odata.id" {
                    return;
                }
                if let Some(what) = self.flaw(link.to) {
                    findings.push(Finding {
                        at: format!("{uri}#{}", pointer(path)),
                        what,
                    });
                }
            });
        }
        findings
    }

    /// What a capture holds.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        let mut can = |name: &'static str, holds: bool| {
            if holds && !summary.can.contains(&name) {
                summary.can.push(name);
            }
        };
        let has = |value: &Value, pointer: &str| value.pointer(pointer).is_some();
        for document in self.documents.values() {
            let (Some(value), Some(kind)) = (document.value(), document.kind()) else {
                continue;
            };
            match kind {
                "ComputerSystem" => {
                    can("power", has(value, "/Actions/#ComputerSystem.Reset"));
                    can("boot", has(value, "/Boot/BootSourceOverrideTarget"));
                }
                "Manager" => can("reset of the BMC", has(value, "/Actions/#Manager.Reset")),
                "VirtualMedia" => can(
                    "virtual media",
                    has(value, "/Actions/#VirtualMedia.InsertMedia"),
                ),
                "SessionService" => can("sessions", true),
                "TaskService" => can("tasks", true),
                "EventService" => can("events", has(value, "/Subscriptions")),
                "AccountService" => can("accounts", has(value, "/Accounts")),
                "Bios" => can("BIOS settings", has(value, "/@Redfish.Settings")),
                "UpdateService" => can("updates", has(value, "/Actions")),
                _ => {}
            }
        }
        summary.can.sort_unstable();
        for document in self.documents.values() {
            match document.kind() {
                Some(kind) => *summary.kinds.entry(kind.to_owned()).or_default() += 1,
                None => summary.others += 1,
            }
            if let Some(value) = document.value() {
                walk(value, &mut Vec::new(), &mut |_, _| summary.links += 1);
            }
        }
        summary
    }

    /// What is wrong with where a link leads.
    fn flaw(&self, to: &str) -> Option<Flaw> {
        let Some(target) = follows_to(to) else {
            return Some(Flaw::Dangling(to.to_owned()));
        };
        let Some(document) = self.documents.get(&target) else {
            return Some(Flaw::Dangling(to.to_owned()));
        };
        let (_, part) = to.split_once('#')?;
        let value = document.value()?;
        let is_there = part.is_empty() || value.pointer(&decoded(part)).is_some();
        (!is_there).then(|| Flaw::NoSuchPart(to.to_owned()))
    }

    /// Fills in what the documents say of their source, where the manifest did not.
    pub(crate) fn learn(&mut self) {
        let text = |uri: &str, name: &str| {
            let value = self.documents.get(uri)?.value()?.get(name)?.as_str()?;
            (!value.is_empty()).then(|| value.to_owned())
        };
        let first = |kind: &str, name: &str| {
            let of = self.documents.values().filter(|d| d.kind() == Some(kind));
            of.filter_map(|d| d.value()?.get(name)?.as_str())
                .find(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let root = "/redfish/v1";
        let vendor = || text(root, "Vendor").or_else(|| first("ComputerSystem", "Manufacturer"));
        let learned = super::Source {
            vendor: self.source.vendor.clone().or_else(vendor),
            product: (self.source.product.clone()).or_else(|| text(root, "Product")),
            model: (self.source.model.clone()).or_else(|| first("ComputerSystem", "Model")),
            firmware: (self.source.firmware.clone())
                .or_else(|| first("Manager", "FirmwareVersion")),
            redfish_version: (self.source.redfish_version.clone())
                .or_else(|| text(root, "RedfishVersion")),
            ..self.source.clone()
        };
        self.source = learned;
    }
}

fn without_query(uri: &str) -> &str {
    uri.split_once('?').map_or(uri, |(path, _)| path)
}

/// A fragment is percent-encoded where it must be.
fn decoded(part: &str) -> String {
    let coded = percent_encoding::percent_decode_str(part);
    coded.decode_utf8_lossy().into_owned()
}

/// The parts of a path as a JSON pointer.
fn pointer(path: &[Step<'_>]) -> String {
    let mut text = String::new();
    for step in path {
        text.push('/');
        match step {
            Step::Name(name) => text.push_str(&name.replace('~', "~0").replace('/', "~1")),
            Step::Number(number) => text.push_str(&number.to_string()),
        }
    }
    text
}

/// A step into a JSON value.
pub(crate) enum Step<'a> {
    Name(&'a str),
    Number(usize),
}

/// Shows every link between resources: those that a client follows to find what there is.
pub(crate) fn walk<'a>(
    value: &'a Value,
    path: &mut Vec<Step<'a>>,
    show: &mut impl FnMut(&[Step<'a>], Link<'a>),
) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                path.push(Step::Name(name));
                match value {
                    Value::String(to) if is_link(name) => {
                        show(path, Link { property: name, to });
                    }
                    _ => walk(value, path, show),
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                path.push(Step::Number(number));
                walk(value, path, show);
                path.pop();
            }
        }
        _ => {}
    }
}

/// DSP0266: references, the rest of a collection, what describes an action.
fn is_link(name: &str) -> bool {
    name == "@odata.id" || name.ends_with("@odata.nextLink") || name == "@Redfish.ActionInfo"
}
