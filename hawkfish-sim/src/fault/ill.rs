//! Where the rules meet what is not of the wire: events on their way, work, machines.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use hawkfish_core::backend::sim::{Misboot, Misflash, Mismount, Misstep, Trouble, Victim};
use hawkfish_core::backend::{Hindrance, MediaKind, Step, Work};
use hawkfish_core::subscriptions::{Errand, Fate, Meddler};
use jiff::Timestamp;

use super::engine::Engine;
use super::rule::Then;

/// The rules of a world, for those deep inside of it.
pub(crate) struct Ill {
    engine: Arc<Mutex<Engine>>,
    beginning: Timestamp,
}

impl Ill {
    pub(crate) fn new(engine: Arc<Mutex<Engine>>, beginning: Timestamp) -> Arc<Self> {
        Arc::new(Self { engine, beginning })
    }

    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().expect("faults")
    }
}

impl fmt::Debug for Ill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ill")
    }
}

impl Meddler for Ill {
    fn is_active(&self) -> bool {
        self.engine()
            .has(|rule| matches!(rule.then, Then::Events(_)))
    }

    fn fate(&self, errand: &Errand<'_>) -> Option<Fate> {
        self.engine().fate(errand, self.beginning)
    }
}

impl Trouble for Ill {
    fn hindrance(&self, of: &Victim<'_>, work: Work) -> Option<Hindrance> {
        self.engine().hindrance(of, work, self.beginning)
    }

    fn step(&self, of: &Victim<'_>, step: Step) -> Option<Misstep> {
        self.engine().misstep(of, step, self.beginning)
    }

    fn boot(&self, of: &Victim<'_>) -> Option<Misboot> {
        self.engine().misboot(of, self.beginning)
    }

    fn mount(&self, of: &Victim<'_>, kind: MediaKind) -> Option<Mismount> {
        self.engine().mismount(of, kind, self.beginning)
    }

    fn flash(&self, of: &Victim<'_>) -> Option<Misflash> {
        self.engine().misflash(of, self.beginning)
    }
}
