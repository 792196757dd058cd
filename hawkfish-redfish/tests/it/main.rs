//! The words of Redfish against DMTF's data, against another validator, and against bad input.

mod dmtf;
mod fuzz;
mod oem;
mod samples;
mod schema;
mod theirs;
