//! Everything that is served: one file for each noun, one list of all of them.
//!
//! How to add one is told in [`crate::catalog`].

pub mod account_service;
pub mod action_info;
pub mod attribute_registry;
pub mod bios;
pub mod boot_image;
pub mod boot_option;
pub mod certificate;
pub mod certificate_service;
pub mod chassis;
pub(crate) mod client_authority;
pub mod computer_system;
pub mod dead_letter;
pub mod docs;
pub mod drive;
pub mod drive_metrics;
pub mod environment_metrics;
pub mod ethernet_interface;
pub mod event_destination;
pub mod event_service;
pub mod fan;
pub mod graphics_controller;
pub(crate) mod host_watchdog;
pub mod job;
pub mod job_service;
pub mod json_schema;
pub mod log_entry;
pub mod log_service;
pub mod manager;
pub mod manager_account;
pub mod manager_diagnostic_data;
pub mod manager_ethernet_interface;
mod measured;
pub mod media_certificate;
pub mod memory;
pub mod memory_metrics;
pub mod metric_definition;
pub mod metric_report;
pub mod metric_report_definition;
pub mod network_adapter;
pub mod network_device_function;
pub mod network_interface;
pub mod network_protocol;
pub mod odata;
pub mod openapi;
mod parts;
pub mod pcie_device;
pub mod pcie_function;
pub mod port;
pub mod port_metrics;
pub mod power;
pub mod power_subsystem;
pub mod power_supply;
pub mod privilege_registry;
pub mod processor;
pub mod processor_metrics;
pub mod registry;
pub mod role;
mod schedule;
pub mod secure_boot;
pub mod secure_boot_database;
pub mod security_policy;
pub mod sensor;
pub mod service_root;
pub mod session;
pub mod session_service;
pub mod simple_storage;
pub mod software_inventory;
pub mod storage;
pub mod storage_controller;
pub mod task;
pub mod task_monitor;
pub mod task_service;
pub mod telemetry_service;
pub mod thermal;
pub mod thermal_subsystem;
pub mod trusted_component;
pub mod update_service;
pub mod usb_controller;
pub mod version;
pub mod virtual_media;
pub mod volume;

use hawkfish_redfish::model::resource::{Health, State, Status};
use jiff::Timestamp;

use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// What is served. Routes, `Allow`, privileges, validation and the coverage test walk this list.
pub const ALL: &[&Resource] = &[
    &version::RESOURCE,
    &service_root::RESOURCE,
    &odata::SERVICE_DOCUMENT,
    &odata::METADATA,
    &odata::SCHEMA,
    &openapi::RESOURCE,
    &docs::PAGE,
    &docs::START,
    &docs::BUNDLE,
    &docs::STYLE,
    &computer_system::COLLECTION,
    &computer_system::RESOURCE,
    &log_service::SYSTEM_COLLECTION,
    &log_service::SYSTEM,
    &log_entry::SYSTEM_COLLECTION,
    &log_entry::SYSTEM,
    &log_service::MANAGER_COLLECTION,
    &log_service::MANAGER,
    &log_entry::MANAGER_COLLECTION,
    &log_entry::MANAGER,
    &bios::RESOURCE,
    &bios::SETTINGS,
    &secure_boot::RESOURCE,
    &secure_boot_database::COLLECTION,
    &secure_boot_database::RESOURCE,
    &secure_boot_database::CERTIFICATES,
    &secure_boot_database::CERTIFICATE,
    &secure_boot_database::SIGNATURES,
    &secure_boot_database::SIGNATURE,
    &boot_option::COLLECTION,
    &boot_option::RESOURCE,
    &virtual_media::SYSTEM_COLLECTION,
    &virtual_media::SYSTEM,
    &media_certificate::SYSTEM_COLLECTION,
    &media_certificate::SYSTEM,
    &boot_image::RESOURCE,
    &update_service::RESOURCE,
    &update_service::PUSH,
    &software_inventory::FIRMWARE_COLLECTION,
    &software_inventory::FIRMWARE_MEMBER,
    &software_inventory::SOFTWARE_COLLECTION,
    &software_inventory::SOFTWARE_MEMBER,
    &software_inventory::STORE_COLLECTION,
    &software_inventory::STORE_MEMBER,
    &storage::COLLECTION,
    &storage::RESOURCE,
    &storage_controller::COLLECTION,
    &storage_controller::RESOURCE,
    &volume::COLLECTION,
    &volume::RESOURCE,
    &simple_storage::COLLECTION,
    &simple_storage::RESOURCE,
    &drive::COLLECTION,
    &drive::RESOURCE,
    &processor::COLLECTION,
    &processor::RESOURCE,
    &memory::COLLECTION,
    &memory::RESOURCE,
    &ethernet_interface::COLLECTION,
    &ethernet_interface::RESOURCE,
    &network_interface::COLLECTION,
    &network_interface::RESOURCE,
    &graphics_controller::COLLECTION,
    &graphics_controller::RESOURCE,
    &usb_controller::COLLECTION,
    &usb_controller::RESOURCE,
    &chassis::COLLECTION,
    &chassis::RESOURCE,
    &sensor::COLLECTION,
    &sensor::RESOURCE,
    &environment_metrics::RESOURCE,
    &power_subsystem::RESOURCE,
    &power_supply::COLLECTION,
    &power_supply::RESOURCE,
    &power_supply::METRICS,
    &thermal_subsystem::RESOURCE,
    &thermal_subsystem::METRICS,
    &fan::COLLECTION,
    &fan::RESOURCE,
    &power::RESOURCE,
    &thermal::RESOURCE,
    &processor_metrics::SUMMARY,
    &processor_metrics::RESOURCE,
    &memory_metrics::SUMMARY,
    &drive_metrics::RESOURCE,
    &port_metrics::RESOURCE,
    &network_adapter::COLLECTION,
    &network_adapter::RESOURCE,
    &port::COLLECTION,
    &port::RESOURCE,
    &network_device_function::COLLECTION,
    &network_device_function::RESOURCE,
    &pcie_device::COLLECTION,
    &pcie_device::RESOURCE,
    &pcie_function::COLLECTION,
    &pcie_function::RESOURCE,
    &trusted_component::COLLECTION,
    &trusted_component::RESOURCE,
    &manager::COLLECTION,
    &manager::RESOURCE,
    &network_protocol::RESOURCE,
    &certificate::HTTPS_COLLECTION,
    &certificate::HTTPS,
    &manager_ethernet_interface::COLLECTION,
    &manager_ethernet_interface::RESOURCE,
    &manager_diagnostic_data::RESOURCE,
    &security_policy::RESOURCE,
    &virtual_media::MANAGER_COLLECTION,
    &virtual_media::MANAGER,
    &media_certificate::MANAGER_COLLECTION,
    &media_certificate::MANAGER,
    &certificate_service::RESOURCE,
    &certificate_service::LOCATIONS,
    &session_service::RESOURCE,
    &session::COLLECTION,
    &session::RESOURCE,
    &account_service::RESOURCE,
    &client_authority::COLLECTION,
    &client_authority::RESOURCE,
    &manager_account::COLLECTION,
    &manager_account::RESOURCE,
    &role::COLLECTION,
    &role::RESOURCE,
    &privilege_registry::RESOURCE,
    &task_service::RESOURCE,
    &task::COLLECTION,
    &task::RESOURCE,
    &task::PARTS,
    &task::PART,
    &task_monitor::RESOURCE,
    &job_service::RESOURCE,
    &job::COLLECTION,
    &job::RESOURCE,
    &event_service::RESOURCE,
    &event_destination::COLLECTION,
    &event_destination::RESOURCE,
    &dead_letter::COLLECTION,
    &dead_letter::RESOURCE,
    &telemetry_service::RESOURCE,
    &metric_definition::COLLECTION,
    &metric_definition::RESOURCE,
    &metric_report_definition::COLLECTION,
    &metric_report_definition::RESOURCE,
    &metric_report::COLLECTION,
    &metric_report::RESOURCE,
    &registry::COLLECTION,
    &registry::FILE,
    &registry::HAWKFISH,
    &attribute_registry::RESOURCE,
    &json_schema::COLLECTION,
    &json_schema::FILE,
    &json_schema::DOCUMENT,
    &crate::events::STREAM,
    &crate::events::ALIAS,
];

/// A moment as Redfish writes it (DSP0266, "Date-Time values").
#[must_use]
pub fn date_time(at: Timestamp) -> String {
    // Without a fraction a moment is written just so, and far sooner than by a format that must be read first.
    let whole = Timestamp::from_second(at.as_second());
    whole.unwrap_or(at).to_string()
}

/// All is well.
#[must_use]
pub fn healthy() -> Status {
    Status {
        state: State::Enabled.into(),
        health: Health::OK.into(),
        ..Status::default()
    }
}

/// A resource from its model, of whose arrays each member has a URI of its own, a fragment (DSP0266, "Universal Resource Identifiers").
fn with_ids(rq: &Rq, model: &impl serde::Serialize, arrays: &[&str]) -> Result<Content, Problem> {
    let content = Content::of(model)?;
    let Content::Resource(mut body) = content else {
        return Ok(content);
    };
    for array in arrays {
        let members = body
            .get_mut(*array)
            .and_then(serde_json::Value::as_array_mut);
        for (at, member) in members.into_iter().flatten().enumerate() {
            if let Some(member) = member.as_object_mut() {
                let uri = format!("{}#/{array}/{at}", rq.uri());
                member.shift_insert(0, "@odata.id".to_owned(), uri.into());
            }
        }
    }
    Ok(Content::Resource(body))
}
