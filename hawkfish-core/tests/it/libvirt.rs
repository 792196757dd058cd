//! What the behaviour suite cannot say of libvirt, because it takes a HawkFish that is away, machines of a particular make, or a host that hangs.
//!
//! Each test has a libvirtd of its own, so that no other HawkFish takes a hand in what must happen without one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings, probe};
use hawkfish_core::backend::{
    Backend, BootOverride, BootTarget, Change, Insert, Machine, MachineKey, MediaSource, Power,
    Setup, Step,
};
use hawkfish_core::clock::SystemClock;
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::SlotId;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use virt::connect::Connect;
use virt::domain::Domain;
use virt::sys;

mod drives;
mod host;
mod lab;
mod once;
