//! Connections to a host for calls, each used by one thread at a time.
//!
//! libvirt allows threads to share a connection, but its client before 9.10 does not bear it: when a call is waiting and another thread makes one, or a
//! keepalive falls due, a watch on the first one's stack is left behind and called later (a crash); and when a connection ends, one of those who wait on it
//! is woken and the others wait for good. So connections are not shared, and whether a host still answers is found out by asking it, not by
//! keepalive.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error as Virt;

use super::{Driver, raw};
use crate::backend::MachineKey;

/// A connection in the hands of one thread.
pub(super) struct Line {
    pub conn: Connect,
    /// Handles of domains, which cost a call each.
    domains: RefCell<HashMap<MachineKey, Domain>>,
    generation: u64,
}

impl Line {
    pub(super) fn domain(&self, key: MachineKey) -> Result<Domain, Virt> {
        if let Some(domain) = self.domains.borrow().get(&key) {
            return Ok(domain.clone());
        }
        let domain = Domain::lookup_by_uuid(&self.conn, key.0)?;
        self.domains.borrow_mut().insert(key, domain.clone());
        Ok(domain)
    }

    /// The domain is gone.
    pub(super) fn forget(&self, key: MachineKey) {
        self.domains.borrow_mut().remove(&key);
    }
}

/// The connections to one host that are not in use.
pub(super) struct Lines {
    uri: String,
    /// Most that are kept for later.
    most: usize,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    lines: Vec<Line>,
    /// Counts how often the host was lost; lines from before are not taken back.
    generation: u64,
    /// The connection that all lines share: libvirt's test driver is in this process, and another connection would be another host.
    shared: Option<Connect>,
}

impl Lines {
    pub(super) fn new(uri: String, most: usize) -> Self {
        Self {
            uri,
            most,
            idle: Mutex::default(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a new connection. May hang for as long as the host does.
    pub(super) fn open(&self) -> Result<Line, String> {
        raw::start_event_loop()?;
        let (generation, shared) = {
            let idle = self.idle();
            (idle.generation, idle.shared.clone())
        };
        let conn = match shared {
            Some(conn) => conn,
            None => Connect::open(Some(&self.uri)).map_err(|error| error.message().to_owned())?,
        };
        Ok(Line {
            conn,
            domains: RefCell::default(),
            generation,
        })
    }

    /// Lets all lines from now on be this connection, if its driver is of that kind.
    pub(super) fn share(&self, conn: &Connect, driver: Driver) {
        self.idle().shared = (driver == Driver::Test).then(|| conn.clone());
    }

    /// A connection that was used before, or a new one.
    pub(super) fn take(&self) -> Result<Line, String> {
        loop {
            let Some(line) = self.idle().lines.pop() else {
                return self.open();
            };
            if line.conn.is_alive().unwrap_or(false) {
                return Ok(line);
            }
        }
    }

    /// Gives a connection back. One too many, or of a host that was lost since, is closed.
    pub(super) fn give_back(&self, line: Line) {
        let mut idle = self.idle();
        if line.generation == idle.generation && idle.lines.len() < self.most {
            idle.lines.push(line);
        } else {
            drop(idle);
            drop(line);
        }
    }

    /// The host was lost: returns what is idle, for somebody to close who may wait.
    pub(super) fn lose(&self) -> Vec<Line> {
        let mut idle = self.idle();
        idle.generation += 1;
        idle.shared = None;
        std::mem::take(&mut idle.lines)
    }
}
