//! Which events.

use clap::Args;
use hawkfish_client::events::{Format, Wanted};
use serde_json::{Map, Value, json};

/// Which events are wanted; all of them if nothing is said.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
pub(crate) struct Choice {
    /// With this message, such as ResourceEvent.1.4.ResourcePoweredOn (several times: any of them).
    #[arg(long, value_name = "ID")]
    message: Vec<String>,
    /// With a message of this registry, such as ResourceEvent (several times: any of them).
    #[arg(long, value_name = "PREFIX")]
    registry: Vec<String>,
    /// About a resource of this type, such as ComputerSystem (several times: any of them).
    #[arg(long = "type", value_name = "TYPE")]
    resource_type: Vec<String>,
    /// About the resource at this URI (several times: any of them).
    #[arg(long, value_name = "URI")]
    origin: Vec<String>,
    /// About what lies below these URIs as well.
    #[arg(long, requires = "origin")]
    below: bool,
    /// With this severity: OK, Warning or Critical (several times: any of them).
    #[arg(long, value_name = "SEVERITY", ignore_case = true, value_parser = ["OK", "Warning", "Critical"])]
    severity: Vec<String>,
    /// Reports of metrics in place of events.
    #[arg(long, conflicts_with_all = ["message", "registry", "severity"])]
    reports: bool,
}

impl Choice {
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            messages: self.message.clone(),
            registries: self.registry.clone(),
            resource_types: self.resource_type.clone(),
            origins: self.origin.clone(),
            subordinate: self.below,
            severities: self.severity.clone(),
            format: self.reports.then_some(Format::MetricReport),
        }
    }

    /// The same as properties of a subscription.
    pub(super) fn properties(&self) -> Map<String, Value> {
        let mut all = Map::new();
        let lists = [
            ("MessageIds", &self.message),
            ("RegistryPrefixes", &self.registry),
            ("ResourceTypes", &self.resource_type),
            ("Severities", &self.severity),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                all.insert(name.to_owned(), json!(list));
            }
        }
        if !self.origin.is_empty() {
            let links = self.origin.iter().map(|uri| json!({"@odata.id": uri}));
            all.insert("OriginResources".to_owned(), links.collect());
        }
        if self.below {
            all.insert("SubordinateResources".to_owned(), true.into());
        }
        if self.reports {
            all.insert("EventFormatType".to_owned(), "MetricReport".into());
        }
        all
    }
}
