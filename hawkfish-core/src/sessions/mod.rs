//! Sessions: a token in place of a password.
//!
//! A token is looked up in memory, without SQL and without hashing a password; of the token only its SHA-256 is kept, there and in the
//! store. A session ends when nobody used it for the time-out, when it is deleted, and with its account; it outlives a restart. When it was last used
//! is stored now and then, so that a crash can make a session older by one round of [`DUE_SWEEP`].

mod rows;
mod view;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnection;

use crate::accounts::{Account, Accounts, BasicAuth};
use crate::clock::Clock;
use crate::ctx::{Ctx, Privilege};
use crate::db::{self, Store, settings};
use crate::due::{self, Due};
use crate::entropy::Entropy;
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::{Room, Subject};
use crate::id::{AccountId, SessionId, SystemId};
use crate::logs::{self, Client, Event, LogId, What};

pub(crate) use view::View;

/// The kind of the due row that ends idle sessions and stores when the others were used.
pub const DUE_SWEEP: &str = "session.sweep";

/// How many sessions there can be, unless told otherwise.
pub const LIMIT: usize = 64;

/// The time-outs that can be set, seconds (SessionService schema).
pub const TIMEOUTS: std::ops::RangeInclusive<u32> = 30..=86_400;

/// The time-out until an operator sets another, seconds.
pub const TIMEOUT: u32 = 1_800;

const SETTINGS: &str = "sessions";
const EVERYONE: &str = "all";

type Digest = [u8; 32];

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// The user name of that account.
    pub user: Arc<str>,
    /// When it was made.
    pub created: Timestamp,
    /// Where the request that made it came from.
    pub address: Option<IpAddr>,
    /// The system through whose face it was made: it counts there and nowhere else. `None` is the face of the fleet.
    pub face: Option<SystemId>,
    /// Grows with every change of any fact here.
    pub generation: u64,
}

/// What a client shows to use a session. It is known only when it is made.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The text, for the client alone.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What a token stands for: the session, its account, and what that may do.
pub type Held = (Arc<Session>, Arc<Account>, Arc<BTreeSet<Privilege>>);

/// A row.
#[derive(Clone, Debug)]
struct Stored {
    session: Session,
    digest: Digest,
    last_used_ms: i64,
}

/// What an operator can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionPolicy {
    /// Whether sessions can be made and used.
    pub enabled: bool,
    /// How long a session lasts unused, seconds.
    pub timeout: u32,
    /// Grows with every change.
    pub generation: u64,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            enabled: true,
            timeout: TIMEOUT,
            generation: 1,
        }
    }
}

/// All sessions. Cheap to clone.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    accounts: Accounts,
    view: Arc<View>,
    policy: RwLock<SessionPolicy>,
    limit: usize,
}

impl Sessions {
    /// The sessions of a store, at most `limit` at a time at each face. There is to be one of these for each [`Accounts`].
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn open(
        store: &Store,
        accounts: &Accounts,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        limit: usize,
    ) -> Result<Self> {
        let (stored, policy) = store
            .read(|conn| {
                Box::pin(async move { Ok((rows::all(conn).await?, policy_in(conn).await?)) })
            })
            .await?;
        let view = accounts.sessions().clone();
        for session in stored {
            view.put(session);
        }
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            clock,
            entropy,
            accounts: accounts.clone(),
            view,
            policy: RwLock::new(policy),
            limit,
        })))
    }

    /// Makes a session for who knows the password of an account.
    ///
    /// # Errors
    /// `Unauthenticated`; `Forbidden` when the account's role lacks the privilege `Login`; `SessionLimit`; `Conflict::NotAllowed` while
    /// the service is off; `Internal` when the store fails.
    pub async fn login(
        &self,
        ctx: &Ctx,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<(Arc<Session>, Token)> {
        if !self.policy().enabled {
            return Err(Error::conflict(
                Conflict::NotAllowed,
                "The session service is off.",
            ));
        }
        let account = self
            .0
            .accounts
            .check_password(user, password, address)
            .await?;
        if !self
            .0
            .accounts
            .privileges(&account)
            .contains(&Privilege::Login)
        {
            return Err(Error::new(
                ErrorKind::Forbidden,
                "The account's role does not let it log in.",
            ));
        }
        let face = ctx.face().cloned();
        let all = self.0.view.all();
        let here = all.iter().filter(|live| live.session.face == face).count();
        if here >= self.0.limit {
            // Those that have timed out hold no place.
            self.sweep().await?;
        }
        let token = Token(self.0.entropy.token());
        let digest = digest(token.as_str());
        let now = self.0.clock.now();
        let limit = i64::try_from(self.0.limit).unwrap_or(i64::MAX);
        let sweep_at = now + self.round();
        let view = self.0.view.clone();
        let session = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    crate::accounts::unchanged(tx.conn(), &account).await?;
                    if rows::count_at(tx.conn(), face.as_ref()).await? >= limit {
                        return Err(Error::new(
                            ErrorKind::SessionLimit,
                            format!(
                                "There are {limit} sessions already, and there can be no more."
                            ),
                        ));
                    }
                    let session = Session {
                        id: SessionId::parse(&tx.next_number("sessions").await?.to_string())?,
                        account: account.id.clone(),
                        user: account.name.clone(),
                        created: now,
                        address,
                        face,
                        generation: 1,
                    };
                    rows::insert(tx, &session, &digest).await?;
                    let event = Event {
                        at: now,
                        what: What::LoggedIn {
                            session: session.id.clone(),
                        },
                        by: Some(Client {
                            user: Some(session.user.clone()),
                            address,
                        }),
                    };
                    let log = LogId::audit(session.face.as_ref());
                    logs::tell(tx, &log, event).await?;
                    let about = Subject::Session(session.id.clone());
                    tx.happened(about, What::Created.at(now));
                    due::put_if_absent(tx, sweep_at, DUE_SWEEP, EVERYONE, &Value::Null).await?;
                    let stored = Stored {
                        session: session.clone(),
                        digest,
                        last_used_ms: db::to_ms(now),
                    };
                    tx.after_commit(move || view.put(stored));
                    Ok(Arc::new(session))
                })
            })
            .await?;
        tracing::info!(session = %session.id, account = %session.account, ?address, "session created");
        Ok((session, token))
    }

    /// Whose token this is, and what they may do, at the face through which the session was made. Using a session keeps it alive. From memory.
    #[must_use]
    pub fn by_token(&self, ctx: &Ctx, token: &str) -> Option<Held> {
        let policy = self.policy();
        let live = self
            .0
            .view
            .by_token(&digest(token))
            .filter(|live| policy.enabled && live.session.face.as_ref() == ctx.face())?;
        let now_ms = db::to_ms(self.0.clock.now());
        if expired(&live, policy, now_ms) {
            return None;
        }
        let account = self
            .0
            .accounts
            .get(&live.session.account)
            .ok()
            .filter(|account| account.enabled)?;
        live.touch(now_ms);
        let privileges = self.0.accounts.privileges(&account);
        Some((live.session.clone(), account, privileges))
    }

    /// All sessions that have not timed out, the oldest first: at the face of a system those that were made there.
    #[must_use]
    pub fn list(&self, ctx: &Ctx) -> Vec<Arc<Session>> {
        let (policy, now_ms) = (self.policy(), db::to_ms(self.0.clock.now()));
        let all = self.0.view.all();
        all.iter()
            .filter(|live| !expired(live, policy, now_ms))
            .filter(|live| ctx.made_here(live.session.face.as_ref()))
            .map(|live| live.session.clone())
            .collect()
    }

    /// A session.
    ///
    /// # Errors
    /// `NotFound`, also once it has timed out, and at another face than its own or the fleet's.
    pub fn get(&self, ctx: &Ctx, id: &SessionId) -> Result<Arc<Session>> {
        let (policy, now_ms) = (self.policy(), db::to_ms(self.0.clock.now()));
        let live = self
            .0
            .view
            .by_number(number(id)?)
            .filter(|live| !expired(live, policy, now_ms))
            .filter(|live| ctx.made_here(live.session.face.as_ref()));
        live.map(|live| live.session.clone())
            .ok_or_else(|| missing(id))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &SessionId) -> Result<()> {
        self.get(ctx, id)?;
        let (view, gone, now) = (self.0.view.clone(), id.clone(), self.0.clock.now());
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if !rows::delete(tx, &gone).await? {
                        return Err(missing(&gone));
                    }
                    tx.happened(Subject::Session(gone.clone()), What::Removed.at(now));
                    tx.after_commit(move || view.remove(&gone));
                    Ok(())
                })
            })
            .await?;
        tracing::info!(session = %id, by = ?ctx.account(), "session ended");
        Ok(())
    }

    /// What is set.
    #[must_use]
    pub fn policy(&self) -> SessionPolicy {
        *self.0.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a session lasts unused, seconds.
    #[must_use]
    pub fn timeout(&self) -> u32 {
        self.policy().timeout
    }

    /// Sets how long sessions last unused, 30 to 86,400 seconds; those there are included.
    ///
    /// # Errors
    /// `Invalid` at `/SessionTimeout`; `Internal` when the store fails.
    pub async fn set_timeout(&self, ctx: &Ctx, secs: u32) -> Result<SessionPolicy> {
        self.set_policy(ctx, Some(secs), None).await
    }

    /// Sets the time-out, and whether sessions can be made and used: both, or nothing.
    ///
    /// # Errors
    /// `Invalid` at `/SessionTimeout`; `Conflict::NotAllowed` when nobody could come in any more, because HTTP Basic authentication is off;
    /// `Internal` when the store fails.
    pub async fn set_policy(
        &self,
        ctx: &Ctx,
        timeout: Option<u32>,
        enabled: Option<bool>,
    ) -> Result<SessionPolicy> {
        if let Some(secs) = timeout
            && !TIMEOUTS.contains(&secs)
        {
            return Err(Error::invalid(
                "/SessionTimeout",
                secs.to_string(),
                Invalid::OutOfRange,
                "The time-out must be between 30 and 86400 seconds.",
            ));
        }
        let inner = self.0.clone();
        let policy = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = policy_in(tx.conn()).await?;
                    let mut new = SessionPolicy {
                        timeout: timeout.unwrap_or(old.timeout),
                        enabled: enabled.unwrap_or(old.enabled),
                        generation: old.generation,
                    };
                    if new == old {
                        return Ok(old);
                    }
                    let basic = crate::accounts::policy_in(tx.conn()).await?.basic_auth;
                    if !new.enabled && basic == BasicAuth::Disabled {
                        return Err(Error::conflict(
                            Conflict::NotAllowed,
                            "With HTTP Basic authentication off, sessions are the only way in.",
                        ));
                    }
                    new.generation += 1;
                    settings::put(tx, SETTINGS, &new).await?;
                    let at = inner.clock.now();
                    tx.happened(Subject::Room(Room::Sessions), What::Changed.at(at));
                    tx.after_commit(move || {
                        *inner.policy.write().unwrap_or_else(PoisonError::into_inner) = new;
                    });
                    Ok(new)
                })
            })
            .await?;
        tracing::info!(policy = ?policy, by = ?ctx.account(), "session policy set");
        Ok(policy)
    }

    /// How many sessions there can be at each face.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Does what a due row of kind [`DUE_SWEEP`] asks for, and puts the next one where sessions are left.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn on_due(&self, _due: &Due) -> Result<()> {
        self.sweep().await
    }

    /// Stores when each session was last used. To be called before the store is closed, so that a restart makes no session older.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn flush(&self) -> Result<()> {
        self.sweep().await
    }

    /// Ends what has timed out, stores when the others were used, and puts the next round down.
    async fn sweep(&self) -> Result<()> {
        let (policy, now) = (self.policy(), self.0.clock.now());
        let now_ms = db::to_ms(now);
        let next = now + self.round();
        let (gone, left): (Vec<_>, Vec<_>) = self
            .0
            .view
            .all()
            .into_iter()
            .partition(|live| expired(live, policy, now_ms));
        let used: Vec<_> = left
            .into_iter()
            .filter(|live| live.dirty())
            .map(|live| (live.last_used_ms(), live))
            .collect();
        let view = self.0.view.clone();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    for live in &gone {
                        if rows::delete(tx, &live.session.id).await? {
                            let about = Subject::Session(live.session.id.clone());
                            tx.happened(about, What::Removed.at(now));
                        }
                    }
                    for (ms, live) in &used {
                        rows::used(tx, &live.session.id, *ms).await?;
                    }
                    if rows::count(tx.conn()).await? > 0 {
                        due::put(tx, next, DUE_SWEEP, EVERYONE, &Value::Null).await?;
                    } else {
                        due::remove(tx, DUE_SWEEP, EVERYONE).await?;
                    }
                    tx.after_commit(move || {
                        for live in &gone {
                            view.remove(&live.session.id);
                        }
                        for (ms, live) in &used {
                            live.stored(*ms);
                        }
                    });
                    Ok(())
                })
            })
            .await
    }

    /// The time from one sweep to the next: short beside the time-out, and not so short that it is felt.
    fn round(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from((self.policy().timeout / 4).clamp(5, 60)))
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

/// Whether sessions can be made and used.
pub(crate) async fn enabled(conn: &mut SqliteConnection) -> Result<bool> {
    Ok(policy_in(conn).await?.enabled)
}

async fn policy_in(conn: &mut SqliteConnection) -> Result<SessionPolicy> {
    Ok(settings::get(conn, SETTINGS).await?.unwrap_or_default())
}

fn expired(live: &view::Live, policy: SessionPolicy, now_ms: i64) -> bool {
    now_ms - live.last_used_ms() >= i64::from(policy.timeout) * 1000
}

fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

fn missing(id: &SessionId) -> Error {
    Error::not_found("Session", id.as_str())
}

/// The number that a session's id is, written as HawkFish writes it.
fn number(id: &SessionId) -> Result<u64> {
    let number = id.as_str().parse().map_err(|_| missing(id))?;
    if u64::to_string(&number) == id.as_str() {
        Ok(number)
    } else {
        Err(missing(id))
    }
}

#[cfg(test)]
mod tests;
