//! The telemetry service: what is collected of systems into reports.

use hawkfish_core::telemetry::{LEAST_INTERVAL, MOST};
use hawkfish_redfish::model::telemetry_service::TelemetryService;

use super::{healthy, metric_definition, metric_report, metric_report_definition, schedule};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/TelemetryService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TelemetryService",
    entity: "TelemetryService",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[
        Action {
            name: "TelemetryService.ClearMetricReports",
            run: |rq| Box::pin(clear(rq)),
            needs: None,
        },
        Action {
            name: "TelemetryService.ResetMetricReportDefinitionsToDefaults",
            run: |rq| Box::pin(reset(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::MANAGER,
    version: Some(|_| Ok(0)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    Content::of(&TelemetryService {
        odata_id: rq.uri().to_owned(),
        id: "TelemetryService".into(),
        name: "Telemetry service".into(),
        service_enabled: true.into(),
        max_reports: i64::try_from(MOST).unwrap_or(i64::MAX).into(),
        min_collection_interval: schedule::duration_text(LEAST_INTERVAL).into(),
        metric_definitions: Some(metric_definition::URI.into()),
        metric_report_definitions: Some(metric_report_definition::URI.into()),
        metric_reports: Some(metric_report::URI.into()),
        status: Some(healthy()),
        ..Default::default()
    })
}

async fn clear(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.telemetry().clear_reports(&rq.ctx).await?;
    Ok(Outcome::Done)
}

async fn reset(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.telemetry().reset_defaults().await?;
    Ok(Outcome::Done)
}
