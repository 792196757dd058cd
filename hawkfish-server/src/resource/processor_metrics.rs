//! How busy processors are: those of a system together, and those of each socket.

use hawkfish_core::backend::VcpuStats;
use hawkfish_core::telemetry::percent;
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::processor_metrics::{CStateResidency, CoreMetrics, ProcessorMetrics};

use super::measured::measured;
use super::parts;
use super::processor::sockets;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

const CLOCK_LIKE: &[&str] = &[
    "BandwidthPercent",
    "UserPercent",
    "KernelPercent",
    "CoreMetrics",
];

/// All processors of a system.
pub(crate) const SUMMARY: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/ProcessorSummary/ProcessorMetrics",
    entity: "ProcessorMetrics",
    get: Some(|rq| Box::pin(summary(rq))),
    clock_like: CLOCK_LIKE,
    ..Resource::NONE
};

/// Those of a socket.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Processors/{processor}/ProcessorMetrics",
    entity: "ProcessorMetrics",
    get: Some(|rq| Box::pin(read(rq))),
    clock_like: CLOCK_LIKE,
    ..Resource::NONE
};

async fn summary(rq: &Rq) -> Result<Content, Problem> {
    let (_, stats) = measured(rq)?;
    Content::of(&ProcessorMetrics {
        odata_id: rq.uri().to_owned(),
        id: "ProcessorMetrics".into(),
        name: "Metrics of all processors".into(),
        bandwidth_percent: Prop::or_null(stats.cpu.load.map(percent)),
        user_percent: Prop::or_absent(stats.cpu.user.map(percent)),
        kernel_percent: Prop::or_absent(stats.cpu.kernel.map(percent)),
        core_metrics: Some(stats.cpu.each.iter().map(core).collect()),
        ..Default::default()
    })
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (system, stats) = measured(rq)?;
    let processors = &system.machine.processors;
    let id = rq.param("processor");
    let socket = sockets(processors)
        .into_iter()
        .find(|socket| socket.id() == id && socket.threads > 0)
        .ok_or_else(|| parts::missing("Processor", id))?;
    let each = processors.cores.max(1) * processors.threads.max(1);
    let own: Vec<&VcpuStats> = stats
        .cpu
        .each
        .iter()
        .filter(|one| one.number / each == socket.number)
        .collect();
    let loads: Option<Vec<f64>> = own.iter().map(|one| one.load).collect();
    let load = loads
        .filter(|loads| !loads.is_empty())
        .map(|loads| loads.iter().sum::<f64>() / loads.len() as f64);
    Content::of(&ProcessorMetrics {
        odata_id: rq.uri().to_owned(),
        id: "ProcessorMetrics".into(),
        name: format!("Metrics of processor {}", socket.number),
        bandwidth_percent: Prop::or_null(load.map(percent)),
        core_metrics: Some(own.into_iter().map(core).collect()),
        ..Default::default()
    })
}

/// A virtual processor is at work or halted, as a core in C0 is or is not.
fn core(one: &VcpuStats) -> CoreMetrics {
    CoreMetrics {
        core_id: Prop::Value(one.number.to_string()),
        c_state_residency: one.load.map(|load| {
            vec![CStateResidency {
                level: "C0".into(),
                residency_percent: Prop::Value(percent(load)),
            }]
        }),
    }
}
