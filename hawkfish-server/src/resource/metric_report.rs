//! Metric reports: what was collected.

use bytes::Bytes;
use hawkfish_core::id::ReportId;
use hawkfish_core::telemetry::Report;
use serde_json::{Value, json};

use super::{date_time, metric_definition, metric_report_definition};
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::respond;

/// The URI of the collection.
pub(super) const URI: &str = "/redfish/v1/TelemetryService/MetricReports";

/// `/redfish/v1/TelemetryService/MetricReports`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "MetricReportCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let all = rq.hf.telemetry().definitions(&rq.ctx);
            let ids = all.iter().map(|definition| &definition.id);
            Ok(Content::collection(rq, "Metric reports", ids))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/TelemetryService/MetricReports/{report}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TelemetryService/MetricReports/{report}",
    entity: "MetricReport",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &["Timestamp", "MetricValues"],
    ..Resource::NONE
};

/// The URI of a report.
pub(crate) fn uri(id: &ReportId) -> String {
    format!("{URI}/{id}")
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let id: ReportId = rq.id("report")?;
    let definition = rq.hf.telemetry().definition(&rq.ctx, &id)?;
    let report = rq.hf.metric_report(&rq.ctx, &id)?;
    Content::of(&body(rq.uri(), &definition.name, &report))
}

fn body(uri: &str, name: &str, report: &Report) -> Value {
    let values: Vec<Value> = report
        .values
        .iter()
        .map(|value| {
            json!({
                "MetricId": value.metric.as_str(),
                "MetricValue": value.value.to_string(),
                "Timestamp": date_time(value.at),
                "MetricProperty": metric_definition::property(value),
            })
        })
        .collect();
    json!({
        "@odata.id": uri,
        "Id": report.definition.as_str(),
        "Name": name,
        "MetricReportDefinition": {"@odata.id": metric_report_definition::uri(&report.definition)},
        "Timestamp": date_time(report.at),
        "MetricValues": values,
    })
}

/// A report as it is sent to whoever subscribed to it: as a GET shows it.
pub(crate) fn sent(uri: &str, name: &str, report: &Report) -> Bytes {
    let Value::Object(body) = body(uri, name, report) else {
        return Bytes::new();
    };
    respond::whole(&RESOURCE, uri, body)
}
