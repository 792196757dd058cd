//! How much of the memory of a system is used, where the guest tells.

use hawkfish_core::telemetry::percent;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::memory_metrics::MemoryMetrics;

use super::measured::measured;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// All memory of a system.
pub(crate) const SUMMARY: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/MemorySummary/MemoryMetrics",
    entity: "MemoryMetrics",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: &["CapacityUtilizationPercent"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (_, stats) = measured(rq)?;
    Content::of(&MemoryMetrics {
        odata_id: rq.uri().to_owned(),
        id: "MemoryMetrics".into(),
        name: "Metrics of all memory".into(),
        capacity_utilization_percent: Prop::or_null(stats.memory.used().map(percent)),
        ..Default::default()
    })
}
