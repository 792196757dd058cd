//! Everything that is served: one file for each noun, one list of all of them.
//!
//! How to add one is told in [`crate::catalog`].

pub mod account_service;
pub mod boot_option;
pub mod chassis;
pub mod computer_system;
pub mod json_schema;
pub mod manager;
pub mod manager_account;
pub mod odata;
pub mod registry;
pub mod role;
pub mod service_root;
pub mod session;
pub mod session_service;
pub mod task;
pub mod task_monitor;
pub mod task_service;
pub mod version;
pub mod virtual_media;

use hawkfish_redfish::model::resource::{Health, State, Status};
use jiff::Timestamp;

use crate::catalog::Resource;

/// What is served. Routes, `Allow`, privileges, validation and the coverage test walk this list.
pub const ALL: &[&Resource] = &[
    &version::RESOURCE,
    &service_root::RESOURCE,
    &odata::SERVICE_DOCUMENT,
    &odata::METADATA,
    &computer_system::COLLECTION,
    &computer_system::RESOURCE,
    &boot_option::COLLECTION,
    &boot_option::RESOURCE,
    &virtual_media::SYSTEM_COLLECTION,
    &virtual_media::SYSTEM,
    &chassis::COLLECTION,
    &chassis::RESOURCE,
    &manager::COLLECTION,
    &manager::RESOURCE,
    &virtual_media::MANAGER_COLLECTION,
    &virtual_media::MANAGER,
    &session_service::RESOURCE,
    &session::COLLECTION,
    &session::RESOURCE,
    &account_service::RESOURCE,
    &manager_account::COLLECTION,
    &manager_account::RESOURCE,
    &role::COLLECTION,
    &role::RESOURCE,
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
