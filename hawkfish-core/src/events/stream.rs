//! The stream in memory: the newest events, and how far the store is.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sqlx::sqlite::SqliteConnection;
use tokio::sync::watch;

use super::fact::{Draft, Happened};
use super::record::{Record, Telling};
use super::{EventSettings, rows};
use crate::error::Result;

/// An event of the stream, with its words once somebody asked for them.
#[derive(Debug)]
pub struct Told {
    happened: Happened,
    record: OnceLock<Record>,
}

impl Told {
    pub(crate) fn new(happened: Happened) -> Self {
        Self {
            happened,
            record: OnceLock::new(),
        }
    }

    /// What happened.
    #[must_use]
    pub fn happened(&self) -> &Happened {
        &self.happened
    }

    /// Its place in the stream.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.happened.seq
    }

    /// What is said of it. The words are found once.
    pub fn record(&self, telling: &dyn Telling) -> &Record {
        self.record.get_or_init(|| telling.record(&self.happened))
    }
}

/// How often the store is rid of what is no longer kept.
const TRIM_EVERY: u64 = 1024;

/// The stream. Only the writer adds to it.
#[derive(Debug)]
pub(crate) struct Stream {
    recent: RwLock<VecDeque<Arc<Told>>>,
    /// The oldest number that the store still has.
    first: AtomicU64,
    last: watch::Sender<u64>,
    settings: OnceLock<EventSettings>,
    telling: OnceLock<Arc<dyn Telling>>,
}

impl Stream {
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self> {
        let (first, last) = rows::bounds(conn).await?;
        let most = EventSettings::default().in_memory;
        let recent = rows::after(conn, last.saturating_sub(most as u64), most).await?;
        Ok(Self {
            recent: RwLock::new(recent.into_iter().map(Told::new).map(Arc::new).collect()),
            first: AtomicU64::new(first.max(1)),
            last: watch::Sender::new(last),
            settings: OnceLock::new(),
            telling: OnceLock::new(),
        })
    }

    /// Says once how much is kept.
    pub(crate) fn set(&self, settings: EventSettings) {
        // Who sets it a second time is late.
        let _ = self.settings.set(settings);
    }

    pub(crate) fn settings(&self) -> EventSettings {
        self.settings.get().copied().unwrap_or_default()
    }

    pub(super) fn set_telling(&self, telling: Arc<dyn Telling>) {
        // One service speaks for a store; a second one, such as a test's, speaks the same words.
        let _ = self.telling.set(telling);
        // What waited for words can be told now.
        self.last.send_modify(|_| ());
    }

    pub(crate) fn telling(&self) -> Option<&Arc<dyn Telling>> {
        self.telling.get()
    }

    /// The newest number, 0 before the first event.
    pub(crate) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// The oldest number that is kept.
    pub(super) fn first(&self) -> u64 {
        self.first.load(Ordering::Acquire)
    }

    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// Events after a number, if all of them are in memory.
    pub(super) fn after(&self, seq: u64, most: usize) -> Option<Vec<Arc<Told>>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        let Some(oldest) = recent.front() else {
            return (seq >= self.last()).then(Vec::new);
        };
        if oldest.seq() > seq + 1 {
            return None;
        }
        let from = recent.partition_point(|told| told.seq() <= seq);
        Some(recent.range(from..).take(most).cloned().collect())
    }

    /// What is about to be committed gets its places after those that are, and becomes the number that it comes after and the text that goes into the store.
    pub(crate) fn place(
        &self,
        drafts: Vec<Draft>,
        placed: &mut Placed,
    ) -> Result<(Option<i64>, Option<String>)> {
        if drafts.is_empty() {
            return Ok((None, None));
        }
        let before = placed.told.last().map_or(self.last(), |told| told.seq());
        let text = serde_json::to_string(&drafts)?;
        placed.told.reserve(drafts.len());
        placed
            .told
            .extend((before + 1..).zip(drafts).map(|(seq, draft)| {
                Arc::new(Told::new(Happened {
                    seq,
                    about: draft.about,
                    event: draft.event,
                    entry: draft.entry,
                }))
            }));
        Ok((Some(rows::sql(before)), Some(text)))
    }

    /// Up to where the store is rid of what is no longer kept with the commit that is on its way; now and then.
    ///
    /// [`Stream::first`] says so before the rows are gone: who looks there after having read from the store misses nothing unawares.
    pub(crate) fn forget(&self, placed: &mut Placed) -> Option<i64> {
        let last = placed.told.last()?.seq();
        // Never the newest: its number is where those of the next start go on from.
        let below = last.saturating_sub(self.settings().kept.max(1));
        let first = self.first();
        if below < first + TRIM_EVERY - 1 {
            return None;
        }
        placed.first.get_or_insert(first);
        self.first.store(below + 1, Ordering::Release);
        Some(rows::sql(below))
    }

    /// Takes back what was said of a commit that failed.
    pub(crate) fn remember(&self, placed: Placed) {
        if let Some(first) = placed.first {
            self.first.store(first, Ordering::Release);
        }
    }

    /// Shows what was committed.
    pub(crate) fn publish(&self, placed: Placed) {
        let new = placed.told;
        let Some(last) = new.last().map(|told| told.seq()) else {
            return;
        };
        {
            let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
            recent.extend(new);
            let over = recent.len().saturating_sub(self.settings().in_memory);
            recent.drain(..over);
        }
        self.last.send_replace(last);
    }
}

/// What a commit that is on its way brings to the stream.
#[derive(Debug, Default)]
pub(crate) struct Placed {
    told: Vec<Arc<Told>>,
    /// The oldest number that was kept, where that changes.
    first: Option<u64>,
}
