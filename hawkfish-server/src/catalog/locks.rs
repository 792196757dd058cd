//! One writer at a time for each URI, so that a compared ETag still holds when the change is made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

#[derive(Debug, Default)]
pub(crate) struct WriteLocks(Arc<Held>);

type Held = Mutex<HashMap<Box<str>, Arc<AsyncMutex<()>>>>;

/// Held while a URI is written.
#[derive(Debug)]
pub(crate) struct WriteGuard {
    locks: Arc<Held>,
    uri: Box<str>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl WriteLocks {
    /// Waits until nobody else writes `uri`.
    pub(crate) async fn lock(&self, uri: &str) -> WriteGuard {
        let lock = self
            .0
            .lock()
            .expect("write locks")
            .entry(uri.into())
            .or_default()
            .clone();
        WriteGuard {
            locks: self.0.clone(),
            uri: uri.into(),
            guard: Some(lock.lock_owned().await),
        }
    }
}

impl Drop for WriteGuard {
    fn drop(&mut self) {
        let mut locks = self.locks.lock().expect("write locks");
        self.guard = None;
        // Whoever waits holds another reference; a lock that nobody waits for is forgotten.
        if locks
            .get(&self.uri)
            .is_some_and(|lock| Arc::strong_count(lock) == 1)
        {
            locks.remove(&self.uri);
        }
    }
}
