//! The service from the outside, through the door and without a socket unless the socket is what is tested.

mod accounts;
mod body;
mod coverage;
mod door;
mod etag;
mod headers;
mod hostile;
mod monitors;
mod sessions;
mod socket;
mod tree;
mod urls;
