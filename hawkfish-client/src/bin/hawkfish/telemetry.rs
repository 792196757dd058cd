//! `telemetry`: what the service measures over time, in reports.

use clap::Subcommand;
use hawkfish_client::{Client, Fetched};
use serde_json::{Value, json};

use crate::change::conclude;
use crate::failure::Result;
use crate::output::{Column, Output};
use crate::{find, lines};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reports of what was measured.
    #[command(subcommand)]
    Reports(Reports),
    /// What is reported, and when.
    #[command(subcommand)]
    Definitions(Definitions),
    /// What can be measured.
    #[command(subcommand)]
    Metrics(Metrics),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Reports {
    /// All reports.
    Ls,
    /// What a report says.
    Show {
        /// Its id.
        report: String,
        /// Only this metric.
        #[arg(long)]
        metric: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Definitions {
    /// All definitions of reports.
    Ls,
    /// One definition of a report.
    Show {
        /// Its id.
        definition: String,
    },
    /// Has it reported from now on.
    Enable {
        /// Its id.
        definition: String,
    },
    /// Has it reported no more.
    Disable {
        /// Its id.
        definition: String,
    },
    /// Removes it, and its report.
    Rm {
        /// Its id.
        definition: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Metrics {
    /// All metrics.
    Ls,
    /// One metric.
    Show {
        /// Its id.
        metric: String,
    },
}

const REPORTS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("AT", &["/Timestamp"]),
    ("VALUES", &["/Values"]),
];

const VALUES: &[Column] = &[
    ("METRIC", &["/MetricId"]),
    ("VALUE", &["/MetricValue"]),
    ("AT", &["/Timestamp"]),
    ("OF", &["/MetricProperty"]),
];

const DEFINITIONS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("ENABLED", &["/MetricReportDefinitionEnabled"]),
    ("WHEN", &["/MetricReportDefinitionType"]),
    ("EVERY", &["/Schedule/RecurrenceInterval"]),
    ("DOES", &["/ReportActions"]),
];

const DEFINITION: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Enabled", &["/MetricReportDefinitionEnabled"]),
    ("When", &["/MetricReportDefinitionType"]),
    ("First", &["/Schedule/InitialStartTime"]),
    ("Every", &["/Schedule/RecurrenceInterval"]),
    ("At most", &["/Schedule/MaxOccurrences"]),
    ("Does", &["/ReportActions"]),
    ("Keeps", &["/ReportUpdates"]),
    ("Metrics", &["/MetricIds"]),
    ("Properties", &["/MetricProperties"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/Health"]),
    ("Report", &["/MetricReport/@odata.id"]),
    ("URI", &["/@odata.id"]),
];

const METRICS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("TYPE", &["/MetricType"]),
    ("DATA", &["/MetricDataType"]),
    ("UNITS", &["/Units"]),
];

const METRIC: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Description", &["/Description"]),
    ("Type", &["/MetricType"]),
    ("Data", &["/MetricDataType"]),
    ("Units", &["/Units"]),
    ("Least", &["/MinReadingRange"]),
    ("Most", &["/MaxReadingRange"]),
    ("Measured every", &["/SensingInterval"]),
    ("Properties", &["/MetricProperties"]),
    ("URI", &["/@odata.id"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let service = find::service(client, "/TelemetryService", "telemetry")
        .await?
        .value;
    match command {
        Command::Reports(command) => reports(client, output, &service, command).await,
        Command::Definitions(command) => definitions(client, output, &service, command).await,
        Command::Metrics(command) => {
            let collection = find::linked(&service, "/MetricDefinitions", "metrics")?;
            match command {
                Metrics::Ls => {
                    let metrics = find::values(find::all(client, collection).await?);
                    output.list(METRICS, &metrics)
                }
                Metrics::Show { metric } => {
                    let found = named(client, collection, metric, "metric").await?;
                    output.one(METRIC, &found.value)
                }
            }
        }
    }
}

async fn reports(
    client: &Client,
    output: &Output,
    service: &Value,
    command: &Reports,
) -> Result<()> {
    let collection = find::linked(service, "/MetricReports", "reports")?;
    match command {
        Reports::Ls => {
            let said = find::values(find::all(client, collection).await?);
            let shown = said.iter().map(|report| {
                let mut shown = report.clone();
                if let Some(object) = shown.as_object_mut() {
                    object.insert("Values".into(), values(report).len().into());
                }
                shown
            });
            lines::list(output, REPORTS, &shown.collect::<Vec<_>>(), &said)
        }
        Reports::Show { report, metric } => {
            let report = named(client, collection, report, "report").await?.value;
            let mut values = values(&report);
            values.retain(|value| {
                metric.as_deref().is_none_or(|metric| {
                    let id = find::text(value, "/MetricId")
                        .or_else(|| find::text(value, "/MetricDefinition/@odata.id").map(find::id));
                    id == Some(metric)
                })
            });
            output.list(VALUES, &values)
        }
    }
}

fn values(report: &Value) -> Vec<Value> {
    let values = report.get("MetricValues").and_then(Value::as_array);
    values.cloned().unwrap_or_default()
}

async fn definitions(
    client: &Client,
    output: &Output,
    service: &Value,
    command: &Definitions,
) -> Result<()> {
    let collection = find::linked(
        service,
        "/MetricReportDefinitions",
        "definitions of reports",
    )?;
    let what = "definition of a report";
    match command {
        Definitions::Ls => {
            let definitions = find::values(find::all(client, collection).await?);
            output.list(DEFINITIONS, &definitions)
        }
        Definitions::Show { definition } => {
            let found = named(client, collection, definition, what).await?;
            output.one(DEFINITION, &found.value)
        }
        Definitions::Enable { definition } | Definitions::Disable { definition } => {
            let on = matches!(command, Definitions::Enable { .. });
            let found = named(client, collection, definition, what).await?;
            let change = json!({"MetricReportDefinitionEnabled": on});
            let outcome = client
                .patch(&found.uri, found.etag.as_ref(), &change)
                .await?;
            let said = if on { "enabled" } else { "disabled" };
            conclude(output, outcome, &format!("{definition}: {said}")).await
        }
        Definitions::Rm { definition } => {
            let found = named(client, collection, definition, what).await?;
            let outcome = client.delete(&found.uri, found.etag.as_ref()).await?;
            conclude(output, outcome, &format!("{definition}: removed")).await
        }
    }
}

async fn named(
    client: &Client,
    collection: &str,
    name: &str,
    what: &str,
) -> Result<Fetched<Value>> {
    find::member(client, collection, name, &["Id", "Name"], what).await
}
