//! Sessions in memory: what a token is looked up in.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use super::{Digest, Session, Stored, number, rows};
use crate::db::Tx;
use crate::error::Result;
use crate::events::Subject;
use crate::id::{AccountId, SessionId};
use crate::logs::What;

/// A session and when it was used.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) session: Arc<Session>,
    pub(super) digest: Digest,
    /// Shared with what takes this one's place when the account is renamed.
    used: Arc<Used>,
}

#[derive(Debug)]
struct Used {
    last_ms: AtomicI64,
    stored_ms: AtomicI64,
}

impl Live {
    pub(super) fn new(stored: Stored) -> Self {
        let used = Used {
            last_ms: AtomicI64::new(stored.last_used_ms),
            stored_ms: AtomicI64::new(stored.last_used_ms),
        };
        Self {
            session: Arc::new(stored.session),
            digest: stored.digest,
            used: Arc::new(used),
        }
    }

    pub(super) fn last_used_ms(&self) -> i64 {
        self.used.last_ms.load(Ordering::Relaxed)
    }

    pub(super) fn touch(&self, now_ms: i64) {
        self.used.last_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    /// Whether what is stored is older.
    pub(super) fn dirty(&self) -> bool {
        self.last_used_ms() > self.used.stored_ms.load(Ordering::Relaxed)
    }

    pub(super) fn stored(&self, ms: i64) {
        self.used.stored_ms.fetch_max(ms, Ordering::Relaxed);
    }
}

/// All sessions in memory. Changed by [`Tx::after_commit`] alone.
#[derive(Debug, Default)]
pub(crate) struct View(RwLock<State>);

#[derive(Debug, Default)]
struct State {
    /// Looked up and never walked, so that its order reaches nobody.
    by_token: HashMap<Digest, Arc<Live>>,
    by_number: BTreeMap<u64, Arc<Live>>,
}

impl State {
    fn remove(&mut self, number: u64) {
        if let Some(live) = self.by_number.remove(&number) {
            self.by_token.remove(&live.digest);
        }
    }
}

impl View {
    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn by_token(&self, digest: &Digest) -> Option<Arc<Live>> {
        self.look(|state| state.by_token.get(digest).cloned())
    }

    pub(super) fn by_number(&self, number: u64) -> Option<Arc<Live>> {
        self.look(|state| state.by_number.get(&number).cloned())
    }

    pub(super) fn all(&self) -> Vec<Arc<Live>> {
        self.look(|state| state.by_number.values().cloned().collect())
    }

    pub(super) fn put(&self, stored: Stored) {
        let Ok(number) = number(&stored.session.id) else {
            return;
        };
        let live = Arc::new(Live::new(stored));
        self.change(|state| {
            state.by_token.insert(live.digest, live.clone());
            state.by_number.insert(number, live);
        });
    }

    pub(super) fn remove(&self, id: &SessionId) {
        let Ok(number) = number(id) else { return };
        self.change(|state| state.remove(number));
    }

    /// Ends the sessions of an account, but one.
    pub(crate) async fn end(
        self: &Arc<Self>,
        tx: &mut Tx,
        account: &AccountId,
        but: Option<&SessionId>,
        now: Timestamp,
    ) -> Result<()> {
        for gone in rows::delete_of(tx, account, but).await? {
            tx.happened(Subject::Session(gone), What::Removed.at(now));
        }
        let (view, account, but) = (self.clone(), account.clone(), but.cloned());
        tx.after_commit(move || {
            view.change(|state| {
                let gone: Vec<u64> = state
                    .by_number
                    .iter()
                    .filter(|(_, live)| {
                        live.session.account == account && Some(&live.session.id) != but.as_ref()
                    })
                    .map(|(number, _)| *number)
                    .collect();
                for number in gone {
                    state.remove(number);
                }
            });
        });
        Ok(())
    }

    /// Shows the new name of an account in its sessions.
    pub(crate) fn rename(
        self: &Arc<Self>,
        tx: &mut Tx,
        account: &AccountId,
        name: Arc<str>,
        now: Timestamp,
    ) {
        for live in self.all() {
            if live.session.account == *account {
                let about = Subject::Session(live.session.id.clone());
                tx.happened(about, What::Changed.at(now));
            }
        }
        let (view, account) = (self.clone(), account.clone());
        tx.after_commit(move || {
            view.change(|state| {
                for (number, live) in &mut state.by_number {
                    if live.session.account == account {
                        let old = &live.session;
                        let session = Session {
                            user: name.clone(),
                            generation: old.generation + 1,
                            ..Session::clone(old)
                        };
                        let new = Arc::new(Live {
                            session: Arc::new(session),
                            digest: live.digest,
                            used: live.used.clone(),
                        });
                        tracing::debug!(session = number, "session shows its account's new name");
                        state.by_token.insert(live.digest, new.clone());
                        *live = new;
                    }
                }
            });
        });
    }
}
