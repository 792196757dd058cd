//! Memory: the modules of a system, or, where it has none that a guest could tell apart, its memory as one.

use std::borrow::Cow;

use hawkfish_core::backend::{Machine, MemoryModule, MemoryTechnology};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::memory::{
    ErrorCorrection, Links, Memory, MemoryDeviceType, MemoryLocation, MemoryType,
    OperatingMemoryModes,
};

use super::parts;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The memory of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Memory",
    entity: "MemoryCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let modules = modules(&system.machine);
            let ids = modules.iter().map(|module| module.name.as_str());
            Ok(Content::collection(rq, "Memory", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A memory module.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Memory/{memory}",
    entity: "Memory",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

/// The modules of a machine, before them what was given to it besides: the memory on the board of a virtual machine.
fn modules(machine: &Machine) -> Vec<Cow<'_, MemoryModule>> {
    let plugged = &machine.hardware.modules;
    let on_board = machine
        .memory_kib
        .saturating_sub(plugged.iter().map(|module| module.kib).sum());
    let on_board = (on_board > 0).then(|| {
        Cow::Owned(MemoryModule {
            name: "board".to_owned(),
            kib: on_board,
            persistent: false,
            socket: None,
            make: None,
        })
    });
    let plugged = plugged.iter().map(Cow::Borrowed);
    on_board.into_iter().chain(plugged).collect()
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let id = rq.param("memory");
    let modules = modules(&system.machine);
    let place = modules.iter().position(|module| module.name == id);
    let place = place.ok_or_else(|| parts::missing("Memory", id))?;
    let module = &modules[place];
    let mib = i64::try_from(module.kib / 1024).unwrap_or(i64::MAX);
    let mut memory = Memory {
        odata_id: rq.uri().to_owned(),
        id: module.name.clone(),
        name: match module.name.as_str() {
            "board" => "Memory on the board".to_owned(),
            name => format!("Memory module {name}"),
        },
        // Of what stands in for memory that outlives the power we only know that it does.
        memory_type: match module.persistent {
            false => Prop::Value(MemoryType::DRAM),
            true => Prop::Absent,
        },
        capacity_mib: Prop::Value(mib),
        volatile_size_mib: Prop::Value(if module.persistent { 0 } else { mib }),
        non_volatile_size_mib: Prop::Value(if module.persistent { mib } else { 0 }),
        operating_memory_modes: Some(vec![match module.persistent {
            true => OperatingMemoryModes::PMEM,
            false => OperatingMemoryModes::Volatile,
        }]),
        enabled: Some(true),
        status: Some(parts::status(&system, true)),
        links: Some(Links {
            chassis: Some(parts::in_chassis(&system, "")),
            processors: module.socket.map(|socket| {
                vec![parts::in_system(
                    &system,
                    &format!("/Processors/CPU{socket}"),
                )]
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    if let Some(socket) = module.socket {
        let before = modules[..place].iter();
        let slot = before.filter(|other| other.socket == Some(socket)).count();
        memory.memory_location = Some(MemoryLocation {
            socket: Prop::Value(socket.into()),
            slot: Prop::Value(i64::try_from(slot).unwrap_or(i64::MAX)),
        });
    }
    if let Some(make) = &module.make {
        memory.manufacturer = Prop::Value(make.manufacturer.clone());
        memory.part_number = Prop::Value(make.part_number.clone());
        memory.memory_device_type = Prop::Value(match make.technology {
            MemoryTechnology::Ddr4 => MemoryDeviceType::DDR4,
            MemoryTechnology::Ddr5 => MemoryDeviceType::DDR5,
        });
        memory.operating_speed_mhz = Prop::Value(make.mhz.into());
        memory.data_width_bits = Prop::Value(make.data_bits.into());
        // Eight bits of correction for each 64 of data.
        let check = if make.ecc { make.data_bits / 8 } else { 0 };
        memory.bus_width_bits = Prop::Value((make.data_bits + check).into());
        memory.error_correction = Prop::Value(match make.ecc {
            true => ErrorCorrection::SingleBitECC,
            false => ErrorCorrection::NoECC,
        });
    }
    Content::of(&memory)
}
