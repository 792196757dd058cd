//! How a manager fares: the machine and the process that HawkFish is. What surrounds a simulated manager is made up, so of that only tells how long the
//! service has been there.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::manager_diagnostic_data::{
    ManagerDiagnosticData, MemoryStatistics, ProcessStatistics, ProcessorStatistics,
};

use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Managers/{system}/ManagerDiagnosticData`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/ManagerDiagnosticData",
    entity: "ManagerDiagnosticData",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    clock_like: &[
        "MemoryStatistics",
        "ProcessorStatistics",
        "ServiceRootUptimeSeconds",
        "TopProcesses",
    ],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let uptime = rq.hf.clock().now().duration_since(rq.service.started());
    let data = ManagerDiagnosticData {
        odata_id: rq.uri().to_owned(),
        id: "ManagerDiagnosticData".to_owned(),
        name: "Diagnostic data of the manager".to_owned(),
        service_root_uptime_seconds: Prop::Value(rounded(uptime.as_secs_f64())),
        ..Default::default()
    };
    if rq.hf.is_simulated(&system) {
        return Content::of(&data);
    }
    // The kernel makes these up as they are read; none of them lies on a disk.
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    let memory = memory(&text("/proc/meminfo"));
    let ticks = rustix::param::clock_ticks_per_second();
    let process = process(&text("/proc/self/stat"), &text("/proc/uptime"), ticks);
    Content::of(&ManagerDiagnosticData {
        memory_statistics: memory,
        processor_statistics: processor(&text("/proc/stat")),
        top_processes: process.map(|process| vec![process]),
        ..data
    })
}

/// To hundredths: what is beyond is noise.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// From lines such as `MemTotal:  16384 kB`.
fn memory(text: &str) -> Option<MemoryStatistics> {
    let bytes = |name: &str| -> Option<i64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        let number = line.split_whitespace().nth(1)?;
        Some(number.parse::<i64>().ok()? * 1024)
    };
    let total = bytes("MemTotal:")?;
    let free = bytes("MemFree:")?;
    let cache = bytes("Buffers:")? + bytes("Cached:")?;
    Some(MemoryStatistics {
        total_bytes: Prop::Value(total),
        free_bytes: Prop::Value(free),
        used_bytes: Prop::Value((total - free - cache).max(0)),
        buffers_and_cache_bytes: Prop::Value(cache),
        shared_bytes: Prop::or_absent(bytes("Shmem:")),
        available_bytes: Prop::or_absent(bytes("MemAvailable:")),
    })
}

/// From the first line, `cpu user nice system idle iowait irq softirq steal …`: shares of all time since the machine was started.
fn processor(text: &str) -> Option<ProcessorStatistics> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let times: Vec<f64> = line
        .split_whitespace()
        .take(8)
        .map(|time| time.parse().ok())
        .collect::<Option<_>>()?;
    let all: f64 = times.iter().sum();
    let share = |parts: &[usize]| -> Option<f64> {
        let part: f64 = parts.iter().map(|at| times.get(*at)).sum::<Option<f64>>()?;
        (all > 0.0).then(|| rounded(100.0 * part / all))
    };
    Some(ProcessorStatistics {
        user_percent: Prop::Value(share(&[0, 1])?),
        kernel_percent: Prop::Value(share(&[2, 5, 6])?),
    })
}

/// This process, from its line in `/proc` (proc(5)) and the time for which the machine has been up.
fn process(stat: &str, uptime: &str, ticks: u64) -> Option<ProcessStatistics> {
    // The name stands in brackets and may hold spaces and brackets itself.
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first field here is the third of the line.
    let number = |nth: usize| fields.get(nth - 3)?.parse::<f64>().ok();
    let seconds = |nth: usize| Some(rounded(number(nth)? / ticks as f64));
    let pages = fields.get(24 - 3)?.parse::<i64>().ok()?;
    let up: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let page_bytes = i64::try_from(rustix::param::page_size()).ok()?;
    Some(ProcessStatistics {
        command_line: Some(name.to_owned()),
        user_time_seconds: Prop::Value(seconds(14)?),
        kernel_time_seconds: Prop::Value(seconds(15)?),
        resident_set_size_bytes: Prop::Value(pages * page_bytes),
        uptime_seconds: Prop::Value(rounded((up - seconds(22)?).max(0.0))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let memory = memory(
            "MemTotal: 100 kB\nMemFree: 40 kB\nMemAvailable: 70 kB\nBuffers: 10 kB\nCached: 20 kB\nShmem: 5 kB\n",
        )
        .unwrap();
        assert_eq!(memory.used_bytes, Prop::Value(30 * 1024));
        assert_eq!(memory.buffers_and_cache_bytes, Prop::Value(30 * 1024));
        let processor = processor("cpu 10 10 20 50 5 3 2 0 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(processor.user_percent, Prop::Value(20.0));
        assert_eq!(processor.kernel_percent, Prop::Value(25.0));
        let stat = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1000 99 12 0";
        let process = process(stat, "100.50 3.0", 100).unwrap();
        assert_eq!(process.command_line.as_deref(), Some("a (b) c"));
        assert_eq!(process.user_time_seconds, Prop::Value(2.5));
        assert_eq!(process.kernel_time_seconds, Prop::Value(0.5));
        assert_eq!(process.uptime_seconds, Prop::Value(90.5));
        let page = i64::try_from(rustix::param::page_size()).unwrap();
        assert_eq!(process.resident_set_size_bytes, Prop::Value(12 * page));
    }
}
