//! Processors: one for each socket of a system.

use hawkfish_core::backend::Processors;
use hawkfish_redfish::model::processor::{
    InstructionSet, Links, Processor, ProcessorArchitecture, ProcessorType,
};
use hawkfish_redfish::model::resource::{State, Status};
use hawkfish_redfish::model::{OdataId, Prop};

use super::parts;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The processors of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Processors",
    entity: "ProcessorCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let sockets = sockets(&system.machine.processors);
            let ids = sockets.into_iter().map(|socket| socket.id());
            Ok(Content::collection(rq, "Processors", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A processor.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Processors/{processor}",
    entity: "Processor",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A socket and how much of what is in it is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// Its number, from 0.
    pub number: u32,
    /// Threads in use.
    pub threads: u32,
    /// Cores of which at least one thread is in use.
    pub cores: u32,
}

impl Socket {
    pub(super) fn id(self) -> String {
        format!("CPU{}", self.number)
    }
}

/// The sockets of a machine. Virtual processors come into use in the order of their numbers, and those of a core and of a socket follow one another.
pub(super) fn sockets(processors: &Processors) -> Vec<Socket> {
    let (cores, threads) = (processors.cores.max(1), processors.threads.max(1));
    let each = cores * threads;
    (0..processors.sockets)
        .map(|number| {
            let in_use = processors.online.saturating_sub(number * each).min(each);
            Socket {
                number,
                threads: in_use,
                cores: in_use.div_ceil(threads),
            }
        })
        .collect()
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let processors = &system.machine.processors;
    let id = rq.param("processor");
    let socket = sockets(processors)
        .into_iter()
        .find(|socket| socket.id() == id)
        .ok_or_else(|| parts::missing("Processor", id))?;
    let mut processor = Processor {
        odata_id: rq.uri().to_owned(),
        id: socket.id(),
        name: format!("Processor {}", socket.number),
        socket: Prop::Value(socket.number.to_string()),
        processor_type: Prop::Value(ProcessorType::CPU),
        links: Some(Links {
            chassis: Some(parts::in_chassis(&system, "")),
            memory: memory(&system, socket.number),
            ..Default::default()
        }),
        ..Default::default()
    };
    if socket.threads == 0 {
        // A socket into which nothing is plugged yet.
        processor.status = Some(Status {
            state: State::Absent.into(),
            ..Default::default()
        });
        return Content::of(&processor);
    }
    let (architecture, instructions) = architecture(&processors.arch);
    Content::of(&Processor {
        processor_architecture: Prop::or_absent(architecture),
        instruction_set: Prop::or_absent(instructions),
        manufacturer: Prop::or_absent(processors.manufacturer.clone()),
        model: Prop::or_absent(processors.model.clone()),
        max_speed_m_hz: Prop::or_absent(processors.max_mhz.map(Into::into)),
        total_cores: Prop::Value(processors.cores.into()),
        total_enabled_cores: Prop::Value(socket.cores.into()),
        total_threads: Prop::Value((processors.cores * processors.threads).into()),
        total_enabled_threads: Prop::Value(socket.threads.into()),
        enabled: Some(true),
        metrics: Some(OdataId::new(format!("{}/ProcessorMetrics", rq.uri()))),
        status: Some(parts::status(&system, true)),
        ..processor
    })
}

/// The modules of a socket, where it is known which they are.
fn memory(
    system: &hawkfish_core::inventory::System,
    socket: u32,
) -> Option<Vec<hawkfish_redfish::model::OdataId>> {
    let modules = system.machine.hardware.modules.iter();
    let links: Vec<_> = modules
        .filter(|module| module.socket == Some(socket))
        .map(|module| parts::in_system(system, &format!("/Memory/{}", module.name)))
        .collect();
    (!links.is_empty()).then_some(links)
}

/// libvirt's name of an architecture in Redfish's words.
fn architecture(name: &str) -> (Option<ProcessorArchitecture>, Option<InstructionSet>) {
    use {InstructionSet as Set, ProcessorArchitecture as Of};
    match name {
        "x86_64" => (Some(Of::x86), Some(Set::x86_64)),
        "i686" | "i586" | "i486" | "i386" => (Some(Of::x86), Some(Set::x86)),
        "aarch64" => (Some(Of::ARM), Some(Set::ARM_A64)),
        "armv7l" | "armv6l" => (Some(Of::ARM), Some(Set::ARM_A32)),
        "ppc64" | "ppc64le" | "ppc" => (Some(Of::Power), Some(Set::PowerISA)),
        "riscv64" => (Some(Of::RISC_V), Some(Set::RV64)),
        "riscv32" => (Some(Of::RISC_V), Some(Set::RV32)),
        "mips64" | "mips64el" => (Some(Of::MIPS), Some(Set::MIPS64)),
        "mips" | "mipsel" => (Some(Of::MIPS), Some(Set::MIPS32)),
        // Not in Redfish's list: s390x and others.
        "" => (None, None),
        _ => (Some(Of::OEM), Some(Set::OEM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_fills_socket_after_socket_and_core_after_core() {
        let processors = Processors {
            sockets: 3,
            cores: 2,
            threads: 2,
            online: 7,
            ..Processors::default()
        };
        let found = sockets(&processors);
        let used: Vec<_> = found.iter().map(|s| (s.cores, s.threads)).collect();
        assert_eq!(used, [(2, 4), (2, 3), (0, 0)]);
    }
}
