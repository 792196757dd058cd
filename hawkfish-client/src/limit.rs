//! How much is asked of one service at a time: BMCs are slow, and some fall over.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Places for requests under way; who comes first is let in first.
#[derive(Debug)]
pub(crate) struct Limit {
    places: Semaphore,
}

impl Limit {
    pub(crate) const USUAL: usize = 8;

    /// So many places, and at least one.
    pub(crate) fn new(places: usize) -> Self {
        Self {
            places: Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)),
        }
    }

    /// Waits for a place, which is free again when what is returned is dropped.
    ///
    /// Held for one request and its answer, and never while something else is asked: a log-in before a request, or the wait before the next try, would
    /// otherwise wait for a place that they hold themselves.
    pub(crate) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }
}
