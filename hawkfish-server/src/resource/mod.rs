//! Everything that is served: one file for each noun, one list of all of them.
//!
//! How to add one is told in [`crate::catalog`].

pub mod account_service;
pub mod action_info;
pub mod boot_option;
pub mod certificate;
pub mod certificate_service;
pub mod chassis;
pub mod computer_system;
pub mod drive;
pub mod ethernet_interface;
pub mod graphics_controller;
pub mod json_schema;
pub mod log_entry;
pub mod log_service;
pub mod manager;
pub mod manager_account;
pub mod manager_diagnostic_data;
pub mod manager_ethernet_interface;
pub mod media_certificate;
pub mod memory;
pub mod network_adapter;
pub mod network_device_function;
pub mod network_interface;
pub mod network_protocol;
pub mod docs;
pub mod odata;
pub mod openapi;
mod parts;
pub mod pcie_device;
pub mod pcie_function;
pub mod port;
pub mod privilege_registry;
pub mod processor;
pub mod registry;
pub mod role;
pub mod security_policy;
pub mod service_root;
pub mod session;
pub mod session_service;
pub mod simple_storage;
pub mod storage;
pub mod storage_controller;
pub mod task;
pub mod task_monitor;
pub mod task_service;
pub mod trusted_component;
pub mod usb_controller;
pub mod version;
pub mod virtual_media;
pub mod volume;

use hawkfish_redfish::model::resource::{Health, State, Status};
use jiff::Timestamp;

use crate::catalog::Resource;

/// What is served. Routes, `Allow`, privileges, validation and the coverage test walk this list.
pub const ALL: &[&Resource] = &[
    &version::RESOURCE,
    &service_root::RESOURCE,
    &odata::SERVICE_DOCUMENT,
    &odata::METADATA,
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
    &boot_option::COLLECTION,
    &boot_option::RESOURCE,
    &virtual_media::SYSTEM_COLLECTION,
    &virtual_media::SYSTEM,
    &media_certificate::SYSTEM_COLLECTION,
    &media_certificate::SYSTEM,
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
    &manager_account::COLLECTION,
    &manager_account::RESOURCE,
    &role::COLLECTION,
    &role::RESOURCE,
    &privilege_registry::RESOURCE,
    &task_service::RESOURCE,
    &task::COLLECTION,
    &task::RESOURCE,
    &task_monitor::RESOURCE,
    &registry::COLLECTION,
    &registry::FILE,
    &registry::HAWKFISH,
    &json_schema::COLLECTION,
    &json_schema::FILE,
    &json_schema::DOCUMENT,
];

/// A moment as Redfish writes it (DSP0266, "Date-Time values").
#[must_use]
pub fn date_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
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
