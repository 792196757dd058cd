//! The client and the command line against a small service of the tests' own, in process and over sockets.

mod changes;
mod collections;
mod command_line;
mod errors;
mod mock;
mod origin;
mod sessions;
mod tasks;
mod tls;
