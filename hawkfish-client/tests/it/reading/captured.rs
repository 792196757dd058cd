//! Trees of real BMCs, walked and read as types: what a machine says, whatever it says, must become what its schema has.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use hawkfish_client::redfish::model;
use hawkfish_client::typed::Handle;
use hawkfish_client::{Client, Error, Fetched, SERVICE_ROOT};
use hawkfish_sim::World;
use hawkfish_sim::capture::{Capture, Content};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use hawkfish_testing::part;

/// A resource that was read as its type, written down again, and what of it does not fit and was mended.
type Read = fn(&Client, Fetched<Value>) -> Result<(Value, Option<String>), Error>;

fn read<T: DeserializeOwned + Serialize>(
    client: &Client,
    resource: Fetched<Value>,
) -> Result<(Value, Option<String>), Error> {
    let misfit = T::deserialize(&resource.value).err();
    let handle: Handle<T> = Handle::of(client, resource)?;
    let kept = serde_json::to_value(handle.value()).unwrap();
    Ok((kept, misfit.map(|error| error.to_string())))
}

macro_rules! models {
    ($($module:ident :: $name:ident,)*) => {
        /// Every resource that there is a type for, by the name of its schema.
        const MODELS: &[(&str, Read)] = &[$((stringify!($name), read::<model::$module::$name>),)*];
    };
}

models! {
    account_service::AccountService,
    action_info::ActionInfo,
    attribute_registry::AttributeRegistry,
    bios::Bios,
    boot_option::BootOption,
    boot_option_collection::BootOptionCollection,
    certificate::Certificate,
    certificate_collection::CertificateCollection,
    certificate_locations::CertificateLocations,
    certificate_service::CertificateService,
    chassis::Chassis,
    chassis_collection::ChassisCollection,
    computer_system::ComputerSystem,
    computer_system_collection::ComputerSystemCollection,
    drive::Drive,
    drive_collection::DriveCollection,
    drive_metrics::DriveMetrics,
    environment_metrics::EnvironmentMetrics,
    ethernet_interface::EthernetInterface,
    ethernet_interface_collection::EthernetInterfaceCollection,
    event::Event,
    event_destination::EventDestination,
    event_destination_collection::EventDestinationCollection,
    event_service::EventService,
    fan::Fan,
    fan_collection::FanCollection,
    graphics_controller::GraphicsController,
    graphics_controller_collection::GraphicsControllerCollection,
    hawkfish_dead_letter::HawkFishDeadLetter,
    hawkfish_dead_letter_collection::HawkFishDeadLetterCollection,
    job::Job,
    job_collection::JobCollection,
    job_service::JobService,
    json_schema_file::JsonSchemaFile,
    json_schema_file_collection::JsonSchemaFileCollection,
    log_entry::LogEntry,
    log_entry_collection::LogEntryCollection,
    log_service::LogService,
    log_service_collection::LogServiceCollection,
    manager::Manager,
    manager_account::ManagerAccount,
    manager_account_collection::ManagerAccountCollection,
    manager_collection::ManagerCollection,
    manager_diagnostic_data::ManagerDiagnosticData,
    manager_network_protocol::ManagerNetworkProtocol,
    memory::Memory,
    memory_collection::MemoryCollection,
    memory_metrics::MemoryMetrics,
    message_registry::MessageRegistry,
    message_registry_file::MessageRegistryFile,
    message_registry_file_collection::MessageRegistryFileCollection,
    metric_definition::MetricDefinition,
    metric_definition_collection::MetricDefinitionCollection,
    metric_report::MetricReport,
    metric_report_collection::MetricReportCollection,
    metric_report_definition::MetricReportDefinition,
    metric_report_definition_collection::MetricReportDefinitionCollection,
    network_adapter::NetworkAdapter,
    network_adapter_collection::NetworkAdapterCollection,
    network_device_function::NetworkDeviceFunction,
    network_device_function_collection::NetworkDeviceFunctionCollection,
    network_interface::NetworkInterface,
    network_interface_collection::NetworkInterfaceCollection,
    pcie_device::PCIeDevice,
    pcie_device_collection::PCIeDeviceCollection,
    pcie_function::PCIeFunction,
    pcie_function_collection::PCIeFunctionCollection,
    port::Port,
    port_collection::PortCollection,
    port_metrics::PortMetrics,
    power::Power,
    power_subsystem::PowerSubsystem,
    power_supply::PowerSupply,
    power_supply_collection::PowerSupplyCollection,
    power_supply_metrics::PowerSupplyMetrics,
    privilege_registry::PrivilegeRegistry,
    processor::Processor,
    processor_collection::ProcessorCollection,
    processor_metrics::ProcessorMetrics,
    role::Role,
    role_collection::RoleCollection,
    secure_boot::SecureBoot,
    secure_boot_database::SecureBootDatabase,
    secure_boot_database_collection::SecureBootDatabaseCollection,
    security_policy::SecurityPolicy,
    sensor::Sensor,
    sensor_collection::SensorCollection,
    service_root::ServiceRoot,
    session::Session,
    session_collection::SessionCollection,
    session_service::SessionService,
    signature::Signature,
    signature_collection::SignatureCollection,
    simple_storage::SimpleStorage,
    simple_storage_collection::SimpleStorageCollection,
    software_inventory::SoftwareInventory,
    software_inventory_collection::SoftwareInventoryCollection,
    storage::Storage,
    storage_collection::StorageCollection,
    storage_controller::StorageController,
    storage_controller_collection::StorageControllerCollection,
    task::Task,
    task_collection::TaskCollection,
    task_service::TaskService,
    telemetry_service::TelemetryService,
    thermal::Thermal,
    thermal_metrics::ThermalMetrics,
    thermal_subsystem::ThermalSubsystem,
    trusted_component::TrustedComponent,
    trusted_component_collection::TrustedComponentCollection,
    update_service::UpdateService,
    usb_controller::USBController,
    usb_controller_collection::USBControllerCollection,
    virtual_media::VirtualMedia,
    virtual_media_collection::VirtualMediaCollection,
    volume::Volume,
    volume_collection::VolumeCollection,
}

/// The tree of a vendor's BMC.
fn captured(vendor: &str) -> Option<Capture> {
    let file = part::captures()?.join(format!("{vendor}.tar.xz"));
    Some(Capture::read(file).unwrap())
}

/// What is in `said` and not in `kept`, by the name of the property: of those that the type has, since others it cannot keep.
fn lost(said: &Value, kept: &Value, at: &str, into: &mut Vec<String>) {
    match (said, kept) {
        (Value::Object(said), Value::Object(kept)) => {
            for (name, value) in kept {
                let Some(was) = said.get(name) else {
                    continue;
                };
                lost(was, value, &format!("{at}/{name}"), into);
            }
        }
        (Value::Array(said), Value::Array(kept)) => {
            // Nulls in lists are passed over.
            let said: Vec<&Value> = said.iter().filter(|one| !one.is_null()).collect();
            if said.len() != kept.len() {
                into.push(format!("{at}: {} of {}", kept.len(), said.len()));
                return;
            }
            for (was, value) in said.into_iter().zip(kept) {
                lost(was, value, &format!("{at}/-"), into);
            }
        }
        (said, kept) => {
            let same = match (said.as_f64(), kept.as_f64()) {
                (Some(said), Some(kept)) => said == kept,
                _ => said == kept,
            };
            if !same {
                into.push(format!("{at}: {} as {}", kind(said), kind(kept)));
            }
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Reads every document of a tree that there is a type for. `odd` is what does not fit, and `lost` what is read otherwise than it was said.
fn every_resource_becomes_its_type(vendor: &str, at_least: usize, odd: &[&str]) {
    let Some(capture) = captured(vendor) else {
        return;
    };
    let client = Client::builder("http://bmc.example").build().unwrap();
    let (mut typed, mut unknown) = (0, BTreeMap::<String, usize>::new());
    let (mut failed, mut differs) = (Vec::new(), Vec::new());
    for (uri, document) in &capture.documents {
        let Content::Json(said) = &document.content else {
            continue;
        };
        let Some(kind) = said.get("@odata.type").and_then(Value::as_str) else {
            continue;
        };
        let name = kind.trim_start_matches('#').split('.').next().unwrap();
        let Some((_, read)) = MODELS.iter().find(|(known, _)| *known == name) else {
            *unknown.entry(name.to_owned()).or_default() += 1;
            continue;
        };
        let resource = Fetched {
            value: said.clone(),
            etag: None,
            uri: uri.clone(),
        };
        match read(&client, resource) {
            Ok((kept, misfit)) => {
                typed += 1;
                let why = misfit.as_deref().and_then(|why| why.rsplit(", ").next());
                differs.extend(why.map(|why| format!("{name}: {why}")));
                lost(said, &kept, name, &mut differs);
            }
            Err(error) => failed.push(format!("{uri}: {error}")),
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(typed >= at_least, "{vendor}: {typed} typed");
    differs.sort();
    differs.dedup();
    assert_eq!(differs, odd, "{vendor}");
    eprintln!("{vendor}: {typed} resources are typed; there are no types for {unknown:?}");
}

#[test]
fn every_resource_of_an_ilo_5_becomes_its_type() {
    every_resource_becomes_its_type("hpe", 580, &[]);
}

#[test]
fn every_resource_of_an_idrac_9_becomes_its_type() {
    // A bound of 2^64-1 where the schema has 64 bits with a sign: left out. A list of links as a text: an empty list.
    let odd = [
        "AttributeRegistry: expected i64",
        "Power/PowerControl/-/RelatedItem: a text as a list",
        "Power: expected a sequence",
    ];
    every_resource_becomes_its_type("dell", 1400, &odd);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbs_that_read_find_what_real_bmcs_have() {
    for (vendor, linked) in [("hpe", 755), ("dell", 1950)] {
        let Some(capture) = captured(vendor) else {
            return;
        };
        let world = World::builder().traced(false).capture(capture);
        let world = world.start().await.unwrap();
        let client = world.client().unwrap();
        let found: Vec<_> = client.walk(SERVICE_ROOT).collect().await;
        let visited = found.iter().filter(|one| one.is_ok()).count();
        assert!(visited >= linked, "{vendor}: {visited}");
        let systems = client.systems().await.unwrap();
        assert_eq!(systems.len(), 1, "{vendor}");
        let system = client.system(&systems[0].id).await.unwrap();
        let serial = system.serial_number.as_deref().unwrap();
        assert_eq!(client.system(serial).await.unwrap().uri(), system.uri());
        assert!(!system.resets().is_empty());
        assert!(!system.bios().await.unwrap().settings().is_empty());
        system.bios().await.unwrap().pending().await.unwrap();
        assert!(!system.processors().await.unwrap().is_empty());
        assert!(!system.memory_modules().await.unwrap().is_empty());
        assert!(!system.storages().await.unwrap().is_empty());
        assert!(!system.ethernet().await.unwrap().is_empty());
        assert!(!system.media().await.unwrap().is_empty());
        assert!(!system.boot_options().await.unwrap().is_empty());
        system.secure_boot().await.unwrap();
        let chassis = system.stands_in().await.unwrap();
        assert!(!chassis.is_empty());
        chassis[0].power_readings().await.unwrap();
        chassis[0].thermal_readings().await.unwrap();
        let manager = system.managed_by().await.unwrap().remove(0);
        manager.network().await.unwrap();
        for log in manager.logs().await.unwrap() {
            log.read().await.unwrap();
        }
        assert!(!client.accounts().await.unwrap().is_empty());
        assert!(
            !client
                .update_service()
                .await
                .unwrap()
                .firmware()
                .await
                .unwrap()
                .is_empty()
        );
        client.event_service().await.unwrap();
        client.tasks().await.unwrap();
        world.close().await.unwrap();
    }
}
