//! Work that has to wait for its time, and whether any work goes on: so that who moves a simulation's clock can let all follow that follows from a moment
//! before the next comes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{oneshot, watch};

use super::TaskHandle;
use crate::app::HawkFish;
use crate::backend::{Hindrance, Wait, Work};
use crate::ctx::Ctx;
use crate::error::Result;
use crate::id::SystemId;

/// In how many steps work that waits says that it gets on.
const STEPS: i32 = 4;

/// Work that waits and work that goes on.
#[derive(Debug, Default)]
pub(crate) struct Bustle {
    waiting: Mutex<Waiting>,
    /// How much goes on that waited before.
    busy: watch::Sender<usize>,
}

#[derive(Default)]
struct Waiting {
    count: u64,
    /// Those who wait for a moment.
    parked: BTreeMap<(Timestamp, u64), oneshot::Sender<Going>>,
    /// What those wait for who wait for something to be so.
    wanted: BTreeMap<u64, Box<dyn Fn() -> bool + Send>>,
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("parked", &self.parked.len())
            .finish_non_exhaustive()
    }
}

/// Work goes on for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Going(Arc<Bustle>);

impl Drop for Going {
    fn drop(&mut self) {
        self.0.busy.send_modify(|busy| *busy -= 1);
    }
}

impl Bustle {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go(self: &Arc<Self>) -> Going {
        self.busy.send_modify(|busy| *busy += 1);
        Going(Arc::clone(self))
    }

    /// When the first of those goes on who wait for a moment.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let waiting = self.waiting();
        waiting.parked.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets the first go on whose moment has come. The next is let go on the next time, so that who settles in between has them go on in order.
    pub(crate) fn release(self: &Arc<Self>, now: Timestamp) {
        let first = {
            let mut waiting = self.waiting();
            let first = waiting.parked.first_entry();
            first
                .filter(|one| one.key().0 <= now)
                .map(|one| one.remove())
        };
        if let Some(first) = first {
            // Who was cancelled meanwhile does not take it, and it ends.
            let _ = first.send(self.go());
        }
    }

    /// Waits for a moment that [`Bustle::release`] says has come; from now on, whether or not anybody looks.
    fn park(&self, at: Timestamp) -> oneshot::Receiver<Going> {
        let (go, going) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.count += 1;
        let number = waiting.count;
        waiting.parked.insert((at, number), go);
        going
    }
}

/// What somebody waits for, for as long as somebody does.
struct Wanting<'a>(&'a Bustle, u64);

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.waiting().wanted.remove(&self.1);
        // Whoever looks whether all is quiet looks again.
        self.0.busy.send_modify(|_| ());
    }
}

impl HawkFish {
    /// Lets what stands in the way of a piece of work have its way; for production nothing does. What goes on then is kept in `going` until it ends.
    pub(crate) async fn unhindered(
        &self,
        handle: &TaskHandle,
        going: &mut Option<Going>,
        hindrance: Option<Hindrance>,
    ) -> Result<()> {
        let Some(Hindrance { wait, fails }) = hindrance else {
            return Ok(());
        };
        let bustle = &self.inner.bustle;
        match wait {
            Wait::No => {}
            Wait::Until(at) => {
                handle.hold();
                let begin = self.clock().now();
                let step = at.duration_since(begin).max(SignedDuration::ZERO) / STEPS;
                for number in 1..=STEPS {
                    let next = if number == STEPS {
                        at
                    } else {
                        begin + step * number
                    };
                    let parked = bustle.park(next);
                    // Only now is what went on so far at its end: who waits until all is quiet is to know of the next moment by then.
                    drop(going.take());
                    self.replan();
                    *going = parked.await.ok();
                    if number < STEPS {
                        handle.progress(u8::try_from(number * 20).unwrap_or(0), None);
                    }
                }
            }
            Wait::Forever => {
                handle.hold();
                drop(going.take());
                std::future::pending::<()>().await;
            }
        }
        fails.map_or(Ok(()), Err)
    }

    /// Asks what stands in the way of a piece of work on a system, and lets it have its way.
    pub(crate) async fn hindered(
        &self,
        handle: &TaskHandle,
        going: &mut Option<Going>,
        id: &SystemId,
        work: Work,
    ) -> Result<()> {
        let system = self.system(&Ctx::service(), id)?;
        let host = self.host(&system.host)?;
        let hindrance = host.backend.hindrance(system.machine.key, work);
        self.unhindered(handle, going, hindrance).await
    }

    /// Returns when something is so that a change of the inventory brings; what goes on then is kept in `going`.
    pub(crate) async fn until_it_is(
        &self,
        going: &mut Option<Going>,
        is_so: impl Fn() -> bool + Clone + Send + Sync + 'static,
    ) {
        let bustle = &self.inner.bustle;
        let number = {
            let mut waiting = bustle.waiting();
            waiting.count += 1;
            let number = waiting.count;
            waiting.wanted.insert(number, Box::new(is_so.clone()));
            number
        };
        drop(going.take());
        let wanting = Wanting(bustle, number);
        self.inner.inventory.until(is_so).await;
        *going = Some(bustle.go());
        drop(wanting);
    }

    /// Returns once all work has come to its end or waits for another moment. For simulations, whose time stands still meanwhile.
    pub async fn settle_work(&self) {
        let mut busy = self.inner.bustle.busy.subscribe();
        loop {
            let is_busy = *busy.borrow_and_update() > 0 || {
                let waiting = self.inner.bustle.waiting();
                waiting.wanted.values().any(|is_so| is_so())
            };
            if !is_busy {
                return;
            }
            // The sender lives as long as the system.
            let _ = busy.changed().await;
        }
    }
}
