//! Everything that is served: one file for each noun, one list of all of them.
//!
//! How to add one is told in [`crate::catalog`].

pub mod manager_account;
pub mod odata;
pub mod service_root;
pub mod task;
pub mod task_monitor;
pub mod version;

use crate::catalog::Resource;

/// What is served. Routes, `Allow`, privileges, validation and the coverage test walk this list.
pub const ALL: &[&Resource] = &[
    &version::RESOURCE,
    &service_root::RESOURCE,
    &odata::SERVICE_DOCUMENT,
    &odata::METADATA,
];
