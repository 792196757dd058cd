//! The client and the command line against a small service of the tests' own, in process and over sockets.

mod changes;
mod collections;
mod command_line;
mod dropped;
mod errors;
mod events;
mod hostile;
mod limits;
mod mock;
mod origin;
mod others;
mod presets;
mod quirks;
mod reading;
mod retries;
mod script;
mod sessions;
mod spans;
mod tasks;
mod tls;
mod updates;
mod uploads;
mod webhook;
