//! The service from the outside, through the door and without a socket unless the socket is what is tested.

mod accounts;
mod action_info;
mod body;
mod boot_options;
mod coverage;
mod docs;
mod door;
mod etag;
mod faults;
mod headers;
mod hostile;
mod log;
mod monitors;
mod places;
mod privileges;
mod process;
mod query;
mod sessions;
mod socket;
mod tree;
mod urls;
