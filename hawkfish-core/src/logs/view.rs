//! Logs in memory: what is read, and who gets the next number.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use sqlx::sqlite::SqliteConnection;

use super::event::{Event, LogId, What};
use super::rows::{self, LogRow};
use super::{Entry, LogSettings, LogStatus};
use crate::db::Row;
use crate::error::Result;

/// A log in memory.
#[derive(Debug)]
struct Log {
    enabled: bool,
    overflowed: bool,
    /// Whether the newest that is known of the system's host is that it does not answer.
    lost: bool,
    /// Numbers from here on were not handed out before the log was last cleared.
    first: u64,
    next: u64,
    /// Entries that have a number and are not yet in.
    on_the_way: usize,
    entries: BTreeMap<u64, Arc<Entry>>,
    generation: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            enabled: true,
            overflowed: false,
            lost: false,
            first: 1,
            next: 1,
            on_the_way: 0,
            entries: BTreeMap::new(),
            generation: 0,
        }
    }
}

impl Log {
    fn put(&mut self, entry: Entry, most: usize) {
        match entry.event.what {
            What::HostLost { .. } => self.lost = true,
            What::HostBack { .. } => self.lost = false,
            _ => {}
        }
        self.entries.insert(entry.number, Arc::new(entry));
        while self.entries.len() > most {
            self.entries.pop_first();
        }
    }
}

/// All logs.
#[derive(Debug, Default)]
pub(crate) struct View {
    logs: RwLock<BTreeMap<LogId, Log>>,
    settings: OnceLock<LogSettings>,
    generation: AtomicU64,
    /// Held while a number is taken and its entry handed to the store, so that the store gets them in their order.
    order: Mutex<()>,
}

/// The place of an entry that is on its way in. Without [`Place::fill`] it is given back.
pub(super) struct Place {
    view: Arc<View>,
    log: LogId,
    pub(super) number: u64,
    /// Entries below no longer belong to the log, now and then.
    trim_below: Option<u64>,
    /// Whether this is the first for which something makes room.
    overflows: bool,
    filled: bool,
}

impl Place {
    /// The rows of the entry, and of what it changes about the log.
    pub(super) fn rows(&self, event: &Event, mut give: impl FnMut(Row)) -> Result<()> {
        give(rows::entry(&self.log, self.number, event)?);
        if let Some(below) = self.trim_below {
            give(rows::trim(&self.log, below)?);
        }
        if self.overflows {
            give(rows::overflow(&self.log)?);
        }
        Ok(())
    }

    /// Puts the entry in.
    pub(super) fn fill(mut self, event: Event) {
        self.filled = true;
        let entry = Entry {
            number: self.number,
            event,
            resolved: false,
            modified: None,
        };
        let most = self.view.settings().most(&self.log);
        self.view.change(&self.log, |log| {
            log.on_the_way -= 1;
            log.put(entry, most);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.filled {
            self.view.change(&self.log, |log| log.on_the_way -= 1);
        }
    }
}

impl View {
    pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Self> {
        let mut logs: BTreeMap<LogId, Log> = BTreeMap::new();
        for row in rows::logs(conn).await? {
            let log = logs.entry(row.log).or_default();
            log.enabled = row.enabled;
            log.overflowed = row.overflowed;
            log.first = row.first;
            log.next = row.first;
        }
        for (id, entry) in rows::entries(conn).await? {
            let log = logs.entry(id).or_default();
            log.next = log.next.max(entry.number + 1);
            log.put(entry, usize::MAX);
        }
        Ok(Self {
            logs: RwLock::new(logs),
            ..Self::default()
        })
    }

    /// Says once how large logs are and what becomes of full ones.
    pub(crate) fn set(&self, settings: LogSettings) {
        if self.settings.set(settings).is_ok() {
            let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
            for (id, log) in logs.iter_mut() {
                while log.entries.len() > settings.most(id) {
                    log.entries.pop_first();
                }
            }
        }
    }

    pub(super) fn settings(&self) -> LogSettings {
        self.settings.get().copied().unwrap_or_default()
    }

    pub(super) fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, id: &LogId, change: impl FnOnce(&mut Log) -> T) -> T {
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if !logs.contains_key(id) {
            logs.insert(id.clone(), Log::default());
        }
        let log = logs.get_mut(id).expect("it was put in");
        log.generation = self.generation.fetch_add(1, Ordering::AcqRel) + 1;
        change(log)
    }

    fn look<T>(&self, id: &LogId, look: impl FnOnce(&Log) -> T) -> T {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        match logs.get(id) {
            Some(log) => look(log),
            None => look(&Log::default()),
        }
    }

    /// A place for an entry; none where the log is off, or full and keeps what it has.
    pub(super) fn place(self: &Arc<Self>, id: &LogId) -> Option<Place> {
        /// How often the store is rid of what a log no longer holds: in between it keeps a few more.
        const TRIM_EVERY: u64 = 64;
        let settings = self.settings();
        let most = settings.most(id);
        self.change(id, |log| {
            if !log.enabled {
                return None;
            }
            let full = log.entries.len() + log.on_the_way >= most;
            let overflows = full && !log.overflowed;
            log.overflowed |= full;
            if full && !settings.wraps {
                return None;
            }
            let number = log.next;
            log.next += 1;
            log.on_the_way += 1;
            let trims = full && number.is_multiple_of(TRIM_EVERY);
            Some(Place {
                view: Arc::clone(self),
                log: id.clone(),
                number,
                trim_below: trims.then(|| number.saturating_sub(most as u64)),
                overflows,
                filled: false,
            })
        })
    }

    /// The row of a log as it is to be once it is cleared, with the numbers that are handed out from now on.
    pub(super) fn cleared(&self, id: &LogId) -> LogRow {
        self.look(id, |log| LogRow {
            log: id.clone(),
            enabled: log.enabled,
            overflowed: false,
            first: log.next,
        })
    }

    pub(super) fn clear(&self, row: &LogRow) {
        self.change(&row.log, |log| {
            log.entries = log.entries.split_off(&row.first);
            log.overflowed = false;
            log.first = row.first;
        });
    }

    /// The row of a log as it is to be when it is turned on or off.
    pub(super) fn enabled(&self, id: &LogId, enabled: bool) -> LogRow {
        self.look(id, |log| LogRow {
            log: id.clone(),
            enabled,
            overflowed: log.overflowed,
            first: log.first,
        })
    }

    pub(super) fn enable(&self, id: &LogId, enabled: bool) {
        self.change(id, |log| log.enabled = enabled);
    }

    pub(super) fn replace(&self, id: &LogId, entry: Entry) {
        self.change(id, |log| {
            if log.entries.contains_key(&entry.number) {
                log.entries.insert(entry.number, Arc::new(entry));
            }
        });
    }

    pub(super) fn status(&self, id: &LogId) -> LogStatus {
        let settings = self.settings();
        self.look(id, |log| LogStatus {
            enabled: log.enabled,
            overflowed: log.overflowed,
            most: settings.most(id),
            wraps: settings.wraps,
            generation: log.generation,
        })
    }

    pub(super) fn entries(&self, id: &LogId) -> Vec<Arc<Entry>> {
        self.look(id, |log| log.entries.values().cloned().collect())
    }

    pub(super) fn entry(&self, id: &LogId, number: u64) -> Option<Arc<Entry>> {
        self.look(id, |log| log.entries.get(&number).cloned())
    }

    /// The logs of which the newest that they know of the host is that it does not answer.
    pub(crate) fn that_say_lost(&self) -> Vec<LogId> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        let lost = logs.iter().filter(|(_, log)| log.lost);
        lost.map(|(id, _)| id.clone()).collect()
    }
}
