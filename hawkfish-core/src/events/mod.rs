//! The stream of what happens: every change that somebody may want to hear of, in the order of the commits.
//!
//! A room that changes something says so with [`Tx::happened`](crate::db::Tx::happened), in the transaction of the change: both are kept, or neither. All that a
//! commit tells goes in with one statement, just before it; the numbers have no gaps, so who has heard of one knows whether it missed any.
//!
//! The newest events are read from memory, older ones from the store, which keeps a bounded number. Whoever delivers (a stream to a client, a webhook)
//! keeps the number that it has come to: that is the whole outbox.
//!
//! Not in here: words ([`Telling`] has them), who wants to hear what, and how it gets there.

mod fact;
mod news;
mod parts;
mod record;
mod rows;
mod stream;

use std::sync::Arc;

use tokio::sync::watch;

pub(crate) use self::fact::Draft;
pub use self::fact::{Happened, Room, Subject};
pub use self::news::{JobNews, TaskNews, TestEvent, UpdateStep};
pub(crate) use self::parts::{parts, whole};
pub use self::record::{Format, Record, Telling};
pub use self::stream::Told;
pub(crate) use self::stream::{Placed, Stream};
use crate::app::HawkFish;
use crate::db::{Store, Tx};
use crate::error::Result;
use crate::logs::What;

/// What the operator says about events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSettings {
    /// How many events the store keeps; a destination that is further behind has lost some.
    pub kept: u64,
    /// How many of them are kept in memory.
    pub in_memory: usize,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self {
            kept: 100_000,
            in_memory: 8_192,
        }
    }
}

/// The stream. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    store: Store,
}

impl Events {
    /// Hands in who finds the words. Until then nothing can be told.
    pub fn set_telling(&self, telling: Arc<dyn Telling>) {
        self.store.events().set_telling(telling);
    }

    /// Who finds the words, if somebody was handed in.
    #[must_use]
    pub fn telling(&self) -> Option<Arc<dyn Telling>> {
        self.store.events().telling().cloned()
    }

    /// The number of the newest event; 0 before the first.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.store.events().last()
    }

    /// The number of the oldest event that is kept: what came before is lost to who has not heard of it.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.store.events().first()
    }

    /// Tells of the newest number whenever it grows.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.store.events().watch()
    }

    /// The events after a number, in order, at most so many; `None` where the oldest of them are no longer in memory: then [`Events::read`].
    #[must_use]
    pub fn recent(&self, after: u64, most: usize) -> Option<Vec<Arc<Told>>> {
        self.store.events().after(after, most)
    }

    /// The events after a number, in order, at most so many: from memory, else from the store. What is no longer kept is left out: see [`Events::first`].
    ///
    /// # Errors
    /// `Internal` when SQLite fails.
    pub async fn read(&self, after: u64, most: usize) -> Result<Vec<Arc<Told>>> {
        if let Some(recent) = self.recent(after, most) {
            return Ok(recent);
        }
        let read = self
            .store
            .read(move |conn| Box::pin(async move { rows::after(conn, after, most).await }))
            .await?;
        Ok(read.into_iter().map(Told::new).map(Arc::new).collect())
    }
}

impl HawkFish {
    /// The stream of what happens.
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            store: self.store().clone(),
        }
    }

    /// Tells of something that no room of core changes, such as a file of the server's. What is told must be so by now.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn tell(&self, about: Subject, what: What) -> Result<()> {
        let event = what.at(self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                tx.happened(about, event);
                Box::pin(async { Ok(()) })
            })
            .await
    }
}

#[cfg(test)]
mod tests;
