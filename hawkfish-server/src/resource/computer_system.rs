//! Systems: the machines behind the service.

use hawkfish_core::backend::{BootMode, BootOverride, BootTarget, Knob, Power, Setup};
use hawkfish_core::error::{Error, ErrorKind, Invalid};
use hawkfish_core::id::BootOptionId;
use hawkfish_core::inventory::System;
use hawkfish_core::systems::{ResetCause, ResetType, SystemChange};
use hawkfish_redfish::model::computer_system as model;
use hawkfish_redfish::model::computer_system::{
    BootPatch, BootSource, BootSourceOverrideEnabled, BootSourceOverrideMode, ComputerSystem,
    ComputerSystemPatch, IndicatorLED, LastResetCauses, PowerRestorePolicyTypes, ResetParams,
};
use hawkfish_redfish::model::resource::{self, Condition, Health, PowerState, State, Status};
use hawkfish_redfish::model::{OdataId, Prop};

use super::processor::sockets;
use super::{host_watchdog, pcie_device, secure_boot, trusted_component};
use crate::catalog::{Action, Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// The collection of systems.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems",
    entity: "ComputerSystemCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let systems = rq.hf.inventory().ids(&rq.ctx);
            Ok(Content::collection(
                rq,
                "Systems",
                systems.iter().map(|id| id.as_str()),
            ))
        })
    }),
    version: Some(|rq| Ok(rq.hf.inventory().membership())),
    ..Resource::NONE
};

/// A system.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}",
    entity: "ComputerSystem",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    actions: &[Action {
        name: "ComputerSystem.Reset",
        run: |rq| Box::pin(reset(rq)),
        needs: None,
    }],
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let machine = &system.machine;
    let id = system.id.as_str();
    let identity = &machine.identity;
    let processors = &machine.processors;
    let status = status(&system);
    let sockets = sockets(processors);
    let in_use = || sockets.iter().filter(|socket| socket.threads > 0);
    let below = |name: &str| Some(OdataId::new(format!("{}/{name}", rq.uri())));
    let persistent_kib = machine.hardware.persistent_kib();
    Content::ready(&ComputerSystem {
        odata_id: rq.uri().to_owned(),
        id: id.to_owned(),
        name: machine.name.clone(),
        description: Prop::or_absent(
            machine
                .description
                .clone()
                .or_else(|| machine.title.clone()),
        ),
        system_type: Some(model::SystemType::Virtual),
        manufacturer: Prop::or_absent(identity.manufacturer.clone()),
        model: Prop::or_absent(identity.product.clone()),
        sub_model: Prop::or_absent(identity.family.clone()),
        sku: Prop::or_absent(identity.sku.clone()),
        serial_number: Prop::or_absent(identity.serial.clone()),
        uuid: Prop::Value(machine.key.to_string()),
        asset_tag: Prop::Value(identity.asset_tag.clone().unwrap_or_default()),
        bios_version: Prop::or_absent(identity.bios_version.clone()),
        power_state: Prop::Value(power_state(machine.power)),
        power_restore_policy: Some(match machine.autostart {
            true => PowerRestorePolicyTypes::AlwaysOn,
            false => PowerRestorePolicyTypes::AlwaysOff,
        }),
        power_restore_policy_allowable: vec![
            PowerRestorePolicyTypes::AlwaysOn,
            PowerRestorePolicyTypes::AlwaysOff,
        ],
        indicator_led: Prop::Value(if system.indicator {
            IndicatorLED::Lit
        } else {
            IndicatorLED::Off
        }),
        indicator_led_allowable: vec![IndicatorLED::Lit, IndicatorLED::Off],
        location_indicator_active: Prop::Value(system.indicator),
        last_reset_time: machine.last_reset.map(|at| at.to_string()),
        last_reset_cause: system.last_reset_cause().map(reset_cause),
        host_watchdog_timer: host_watchdog::of(&system),
        bios: (!machine.firmware.settings.is_empty())
            .then(|| OdataId::new(format!("{}/Bios", rq.uri()))),
        secure_boot: secure_boot::is_there(&system)
            .then(|| OdataId::new(format!("{}/SecureBoot", rq.uri()))),
        boot: Some(boot(&system, rq.uri())),
        boot_image_push_uri: system
            .boot_slot()
            .filter(|_| rq.hf.can_store())
            .map(|_| super::boot_image::uri(id)),
        processor_summary: Some(model::ProcessorSummary {
            count: Prop::Value(in_use().count().try_into().unwrap_or(i64::MAX)),
            core_count: Prop::Value(in_use().map(|socket| i64::from(socket.cores)).sum()),
            logical_processor_count: Prop::Value(processors.online.into()),
            threading_enabled: Some(processors.threads > 1),
            metrics: Some(OdataId::new(format!(
                "{}/ProcessorSummary/ProcessorMetrics",
                rq.uri()
            ))),
            model: Prop::or_absent(processors.model.clone()),
            status: Some(status.clone()),
        }),
        memory_summary: Some(model::MemorySummary {
            metrics: Some(OdataId::new(format!(
                "{}/MemorySummary/MemoryMetrics",
                rq.uri()
            ))),
            total_system_memory_gib: Prop::Value(gibibytes(
                machine.memory_kib.saturating_sub(persistent_kib),
            )),
            total_system_persistent_memory_gib: match persistent_kib {
                0 => Prop::Absent,
                kib => Prop::Value(gibibytes(kib)),
            },
            status: Some(status.clone()),
            ..Default::default()
        }),
        status: Some(status),
        virtual_media: Some(OdataId::new(format!("{}/VirtualMedia", rq.uri()))),
        log_services: Some(OdataId::new(format!("{}/LogServices", rq.uri()))),
        storage: Some(OdataId::new(format!("{}/Storage", rq.uri()))),
        simple_storage: Some(OdataId::new(format!("{}/SimpleStorage", rq.uri()))),
        virtual_media_config: (system.capabilities.media && !machine.slots.is_empty()).then(|| {
            model::VirtualMediaConfig {
                service_enabled: Some(true),
                ..Default::default()
            }
        }),
        processors: below("Processors"),
        memory: below("Memory"),
        ethernet_interfaces: below("EthernetInterfaces"),
        network_interfaces: below("NetworkInterfaces"),
        graphics_controllers: below("GraphicsControllers"),
        usb_controllers: below("USBControllers"),
        pcie_devices: Some(pcie_device::links(&system)),
        links: Some(model::Links {
            trusted_components: trusted_component::links(&system),
            chassis: Some(vec![OdataId::new(format!("/redfish/v1/Chassis/{id}"))]),
            managed_by: Some(vec![OdataId::new(format!("/redfish/v1/Managers/{id}"))]),
            ..Default::default()
        }),
        actions: Some(model::Actions {
            reset: Some(model::ResetAction {
                target: format!("{}/Actions/ComputerSystem.Reset", rq.uri()),
                reset_type_allowable: system.reset_types().into_iter().map(reset_type).collect(),
                action_info: Some(format!("{}/ResetActionInfo", rq.uri())),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn boot(system: &System, uri: &str) -> model::Boot {
    let boot = &system.machine.boot;
    let can = system.capabilities.boot;
    model::Boot {
        boot_source_override_enabled: Prop::Value(match boot.over {
            None => BootSourceOverrideEnabled::Disabled,
            Some(BootOverride { once: true, .. }) => BootSourceOverrideEnabled::Once,
            Some(BootOverride { once: false, .. }) => BootSourceOverrideEnabled::Continuous,
        }),
        boot_source_override_enabled_allowable: if can {
            vec![
                BootSourceOverrideEnabled::Disabled,
                BootSourceOverrideEnabled::Once,
                BootSourceOverrideEnabled::Continuous,
            ]
        } else {
            vec![BootSourceOverrideEnabled::Disabled]
        },
        boot_source_override_target: Prop::Value(
            boot.over.map_or(BootSource::None, |o| source(o.target)),
        ),
        boot_source_override_target_allowable: std::iter::once(BootSource::None)
            .chain(boot.targets.iter().filter(|_| can).map(|t| source(*t)))
            .collect(),
        boot_source_override_mode: Prop::Value(mode(boot.mode)),
        boot_source_override_mode_allowable: boot.modes.iter().map(|m| mode(*m)).collect(),
        // A device path cannot be chosen to boot from; only who boots by UEFI could have one.
        uefi_target_boot_source_override: match boot.mode {
            BootMode::Uefi => Prop::Null,
            BootMode::Legacy => Prop::Absent,
        },
        http_boot_uri: if boot.targets.contains(&BootTarget::UefiHttp) {
            Prop::or_null(boot.http_uri.clone())
        } else {
            Prop::Absent
        },
        boot_order: Some(
            boot.options
                .iter()
                .filter(|o| o.enabled)
                .map(|o| o.id.to_string())
                .collect(),
        ),
        boot_options: Some(OdataId::new(format!("{uri}/BootOptions"))),
        boot_order_allowable: boot.options.iter().map(|o| o.id.to_string()).collect(),
        ..Default::default()
    }
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("system")?;
    // Every property is named, so that one that can be written and is not heeded does not compile.
    let ComputerSystemPatch {
        asset_tag,
        indicator_led,
        location_indicator_active,
        power_restore_policy,
        boot,
        host_watchdog_timer,
    } = rq.body()?;
    let system = rq.hf.system(&rq.ctx, &id)?;
    let mut setup = match boot {
        Some(boot) => boot_setup(&system, boot)?,
        None => Setup::default(),
    };
    if let Some(patch) = host_watchdog_timer
        && let Some(action) = host_watchdog::wanted(&system, patch)?
    {
        setup.knobs.insert(Knob::WatchdogAction, action);
    }
    setup.asset_tag = asset_tag.change().map(Option::unwrap_or_default);
    setup.autostart = match power_restore_policy {
        None => None,
        Some(PowerRestorePolicyTypes::AlwaysOn) => Some(true),
        Some(PowerRestorePolicyTypes::AlwaysOff) => Some(false),
        Some(other) => {
            return Err(not_in_list("/PowerRestorePolicy", other.as_str()).into());
        }
    };
    let indicator = indicator(&location_indicator_active, &indicator_led)?;
    rq.hf
        .update_system(&rq.ctx, &id, SystemChange { setup, indicator })
        .await?;
    Ok(Outcome::Done)
}

/// What the two properties for the same light ask for together.
pub(super) fn indicator(
    active: &Prop<bool>,
    led: &Prop<IndicatorLED>,
) -> Result<Option<bool>, Error> {
    let active = match active {
        Prop::Absent => None,
        Prop::Null => return Err(not_in_list("/LocationIndicatorActive", "null")),
        Prop::Value(active) => Some(*active),
    };
    let led = match led {
        Prop::Absent => None,
        Prop::Value(IndicatorLED::Lit) => Some(true),
        Prop::Value(IndicatorLED::Off) => Some(false),
        Prop::Value(other) => return Err(not_in_list("/IndicatorLED", other.as_str())),
        Prop::Null => return Err(not_in_list("/IndicatorLED", "null")),
    };
    match (active, led) {
        (Some(active), Some(led)) if active != led => Err(Error::new(
            ErrorKind::PropertyConflict {
                property: "/LocationIndicatorActive".into(),
                with: "/IndicatorLED".into(),
            },
            "Both name the same light and do not agree.",
        )),
        (active, led) => Ok(active.or(led)),
    }
}

/// What a PATCH of `Boot` asks for.
///
/// The target says what, `BootSourceOverrideEnabled` says how long. A target alone takes the length in force, or Once where none is; a length alone
/// takes the target in force, and is a conflict where there is none. `None` as a target, or `Disabled`, take the override away.
fn boot_setup(system: &System, patch: BootPatch) -> Result<Setup, Error> {
    const TARGET: &str = "/Boot/BootSourceOverrideTarget";
    const ENABLED: &str = "/Boot/BootSourceOverrideEnabled";
    const MODE: &str = "/Boot/BootSourceOverrideMode";
    let BootPatch {
        boot_source_override_enabled,
        boot_source_override_target,
        boot_source_override_mode,
        http_boot_uri,
        boot_order,
    } = patch;
    let now = system.machine.boot.over;

    let target = match boot_source_override_target {
        Prop::Absent => None,
        Prop::Null => return Err(not_in_list(TARGET, "null")),
        Prop::Value(BootSource::None) => Some(None),
        Prop::Value(wanted) => Some(Some(
            boot_target(&wanted).ok_or_else(|| not_in_list(TARGET, wanted.as_str()))?,
        )),
    };
    let enabled = match boot_source_override_enabled {
        Prop::Absent => None,
        Prop::Null => return Err(not_in_list(ENABLED, "null")),
        Prop::Value(BootSourceOverrideEnabled::Disabled) => Some(None),
        Prop::Value(BootSourceOverrideEnabled::Once) => Some(Some(true)),
        Prop::Value(BootSourceOverrideEnabled::Continuous) => Some(Some(false)),
        Prop::Value(other) => return Err(not_in_list(ENABLED, other.as_str())),
    };
    let over = match (target, enabled) {
        (None, None) => None,
        (_, Some(None)) | (Some(None), None) => Some(None),
        (Some(Some(target)), Some(Some(once))) => Some(Some(BootOverride { target, once })),
        (Some(Some(target)), None) => Some(Some(BootOverride {
            target,
            once: now.is_none_or(|o| o.once),
        })),
        (None, Some(Some(once))) => match now {
            Some(over) => Some(Some(BootOverride { once, ..over })),
            None => return Err(conflict(ENABLED, TARGET)),
        },
        (Some(None), Some(Some(_))) => return Err(conflict(ENABLED, TARGET)),
    };

    let mode = match boot_source_override_mode {
        Prop::Absent => None,
        Prop::Null => return Err(not_in_list(MODE, "null")),
        Prop::Value(BootSourceOverrideMode::Legacy) => Some(BootMode::Legacy),
        Prop::Value(BootSourceOverrideMode::UEFI) => Some(BootMode::Uefi),
        Prop::Value(other) => return Err(not_in_list(MODE, other.as_str())),
    };

    let order = match boot_order {
        None => None,
        Some(order) => {
            let mut ids = Vec::new();
            // A null takes an entry out of an array (DSP0266, "PATCH on array properties").
            for (at, id) in order
                .iter()
                .enumerate()
                .filter_map(|(at, id)| Some((at, id.as_ref()?)))
            {
                let pointer = format!("/Boot/BootOrder/{at}");
                ids.push(BootOptionId::parse(id).map_err(|_| not_in_list(pointer, id))?);
            }
            Some(ids)
        }
    };

    Ok(Setup {
        over,
        mode,
        order,
        http_uri: http_boot_uri.change(),
        ..Setup::default()
    })
}

fn not_in_list(pointer: impl Into<std::borrow::Cow<'static, str>>, value: &str) -> Error {
    Error::invalid(
        pointer,
        value,
        Invalid::NotInList,
        "This system does not take that value.",
    )
}

fn conflict(property: &'static str, with: &'static str) -> Error {
    Error::new(
        ErrorKind::PropertyConflict {
            property: property.into(),
            with: with.into(),
        },
        "An override needs something to boot from.",
    )
}

async fn reset(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("system")?;
    let ResetParams { reset_type } = rq.body()?;
    let wanted = match &reset_type {
        Some(wanted) => wanted.as_str(),
        // Required by what we publish as allowable; a service may choose a default, but a wrong guess cuts somebody's power.
        None => {
            return Err(Error::invalid(
                "/ResetType",
                "",
                Invalid::Missing,
                "Say how to reset the system.",
            )
            .into());
        }
    };
    let reset = ResetType::from_name(wanted).ok_or_else(|| not_in_list("/ResetType", wanted))?;
    if !rq.hf.system(&rq.ctx, &id)?.reset_types().contains(&reset) {
        return Err(not_in_list("/ResetType", wanted).into());
    }
    rq.hf.reset(&rq.ctx, &id, reset).await?;
    Ok(Outcome::Done)
}

fn reset_cause(cause: ResetCause) -> LastResetCauses {
    match cause {
        ResetCause::PowerButton => LastResetCauses::PowerButtonPress,
        ResetCause::Command => LastResetCauses::ManagementCommand,
        ResetCause::Watchdog => LastResetCauses::WatchdogExpiration,
        ResetCause::Unknown => LastResetCauses::Unknown,
    }
}

fn reset_type(reset: ResetType) -> resource::ResetType {
    match reset {
        ResetType::On => resource::ResetType::On,
        ResetType::ForceOff => resource::ResetType::ForceOff,
        ResetType::GracefulShutdown => resource::ResetType::GracefulShutdown,
        ResetType::GracefulRestart => resource::ResetType::GracefulRestart,
        ResetType::ForceRestart => resource::ResetType::ForceRestart,
        ResetType::Nmi => resource::ResetType::Nmi,
        ResetType::ForceOn => resource::ResetType::ForceOn,
        ResetType::PushPowerButton => resource::ResetType::PushPowerButton,
        ResetType::PowerCycle => resource::ResetType::PowerCycle,
        ResetType::Pause => resource::ResetType::Pause,
        ResetType::Resume => resource::ResetType::Resume,
        ResetType::Suspend => resource::ResetType::Suspend,
    }
}

pub(super) fn power_state(power: Power) -> PowerState {
    match power {
        Power::On => PowerState::On,
        Power::Off => PowerState::Off,
        Power::Paused => PowerState::Paused,
        Power::PoweringOn => PowerState::PoweringOn,
        Power::PoweringOff => PowerState::PoweringOff,
    }
}

/// How a system does, and whether what is shown is what was last seen of it.
pub(super) fn status(system: &System) -> Status {
    if !system.reachable {
        let seen = system.seen.to_string();
        let message =
            hawkfish_redfish::message::hawkfish("StateLastSeen", &[system.host.as_str(), &seen]);
        return Status {
            state: Prop::Value(State::UnavailableOffline),
            health: Prop::Value(Health::Warning),
            conditions: Some(vec![Condition {
                message_id: Some(message.message_id),
                message: Some(message.message),
                message_args: Some(message.args),
                severity: Some(Health::Warning),
                resolution: Some(message.resolution),
                timestamp: Some(seen),
                ..Default::default()
            }]),
            ..Default::default()
        };
    }
    let state = match system.machine.power {
        Power::On | Power::PoweringOff => State::Enabled,
        Power::PoweringOn => State::Starting,
        Power::Paused => State::Quiesced,
        Power::Off => State::StandbyOffline,
    };
    let health = if system.machine.crashed {
        Health::Critical
    } else {
        Health::OK
    };
    Status {
        state: Prop::Value(state),
        health: Prop::Value(health),
        ..Default::default()
    }
}

pub(super) fn source(target: BootTarget) -> BootSource {
    match target {
        BootTarget::Pxe => BootSource::Pxe,
        BootTarget::Hdd => BootSource::Hdd,
        BootTarget::Cd => BootSource::Cd,
        BootTarget::Usb => BootSource::Usb,
        BootTarget::BiosSetup => BootSource::BiosSetup,
        BootTarget::UefiHttp => BootSource::UefiHttp,
    }
}

fn boot_target(wanted: &BootSource) -> Option<BootTarget> {
    Some(match wanted {
        BootSource::Pxe => BootTarget::Pxe,
        BootSource::Hdd => BootTarget::Hdd,
        BootSource::Cd => BootTarget::Cd,
        BootSource::Usb => BootTarget::Usb,
        BootSource::BiosSetup => BootTarget::BiosSetup,
        BootSource::UefiHttp => BootTarget::UefiHttp,
        _ => return None,
    })
}

fn mode(mode: BootMode) -> BootSourceOverrideMode {
    match mode {
        BootMode::Legacy => BootSourceOverrideMode::Legacy,
        BootMode::Uefi => BootSourceOverrideMode::UEFI,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a machine with 2^53 KiB of memory is not near"
)]
fn gibibytes(kibibytes: u64) -> f64 {
    kibibytes as f64 / f64::from(1 << 20)
}
