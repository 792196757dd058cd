//! Who is let in.

use std::net::IpAddr;
use std::sync::Arc;

use sqlx::sqlite::SqliteConnection;

use super::{Account, Accounts, Attempt, Lockout, MOST_PASSWORD_LENGTH, put_after_commit, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::id::AccountId;
use crate::logs::{self, Client, Event, LogId, What};

impl Accounts {
    /// Whose name and password this is. An account that must change its password is given; what it may do then is the server's to say.
    ///
    /// Unknown, disabled and locked accounts are answered like a wrong password, after the same time. A wrong password counts towards the lock,
    /// durably; a right one ends the count.
    ///
    /// # Errors
    /// `Unauthenticated`; `Internal` when the store fails.
    pub async fn check_password(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Arc<Account>> {
        let known = self.by_name(user);
        // Nobody has such a long one, and it is not worth hashing.
        let long = password.len() > 4 * MOST_PASSWORD_LENGTH as usize;
        let tried = if long { "" } else { password };
        let right = self
            .0
            .hasher
            .verify(known.as_ref().map(|a| (&a.id, &a.hashed)), tried)
            .await?
            && !long;
        // The account may have changed while we hashed.
        let Some(account) = known.and_then(|old| {
            self.get(&old.id)
                .ok()
                .filter(|now| now.hashed == old.hashed)
        }) else {
            tracing::info!(?address, "log-in refused: no such account");
            logs::tell_soon(&self.0.store, &LogId::Audit, self.refusal(None, address));
            return Err(refused());
        };
        if !account.enabled || account.locked {
            let reason = if account.enabled {
                "locked"
            } else {
                "disabled"
            };
            tracing::info!(account = %account.id, ?address, reason, "log-in refused");
            let refusal = self.refusal(Some(&account), address);
            logs::tell_soon(&self.0.store, &LogId::Audit, refusal);
            return Err(refused());
        }
        if right {
            return if account.lockout == Lockout::default() {
                Ok(account)
            } else {
                self.attempted(&account.id, Attempt::Succeeded, address)
                    .await
            };
        }
        let account = self
            .attempted(&account.id, Attempt::Failed, address)
            .await?;
        tracing::info!(account = %account.id, ?address, failures = account.lockout.failures, locked = account.locked, "log-in refused: wrong password");
        Err(refused())
    }

    /// Counts an attempt to log in.
    async fn attempted(
        &self,
        id: &AccountId,
        attempt: Attempt,
        address: Option<IpAddr>,
    ) -> Result<Arc<Account>> {
        let (inner, id, now) = (self.0.clone(), id.clone(), self.0.clock.now());
        let policy = self.policy();
        let accounts = self.clone();
        let account = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    // Deleted meanwhile: then nobody may come in.
                    let old = rows::get(tx.conn(), &id).await?.ok_or_else(refused)?;
                    let mut new = old.clone();
                    new.lockout = old.lockout.event(&policy, now, attempt);
                    if attempt == Attempt::Failed {
                        let refusal = accounts.refusal(Some(&old), address);
                        logs::tell(tx, &LogId::Audit, refusal).await?;
                    }
                    if new.lockout == old.lockout {
                        return Ok(old);
                    }
                    new.locked = new.lockout.tripped;
                    if new.locked != old.locked {
                        new.generation += 2;
                    }
                    if new.locked && !old.locked {
                        let locked = Event {
                            what: What::AccountLocked {
                                account: id.clone(),
                                name: new.name.clone(),
                            },
                            ..accounts.refusal(Some(&old), address)
                        };
                        logs::tell(tx, &LogId::Audit, locked).await?;
                    }
                    rows::update(tx, &new).await?;
                    put_after_commit(tx, inner, new.clone());
                    Ok(new)
                })
            })
            .await?;
        let account = self.as_of_now(Arc::new(account));
        // Somebody else's failures may have locked it between the check and the count.
        if attempt == Attempt::Succeeded && account.locked {
            Err(refused())
        } else {
            Ok(account)
        }
    }
}

impl Accounts {
    /// That somebody was not let in. A name that nobody has is not told: people type passwords where the name belongs.
    fn refusal(&self, account: Option<&Account>, address: Option<IpAddr>) -> Event {
        Event {
            at: self.0.clock.now(),
            what: What::LoginRefused {
                account: account.map(|account| account.id.clone()),
            },
            by: Some(Client {
                user: account.map(|account| account.name.clone()),
                address,
            }),
        }
    }
}

/// Whether who was let in as `account` would still be, as the rows are now.
pub(crate) async fn unchanged(conn: &mut SqliteConnection, account: &Account) -> Result<()> {
    match rows::get(conn, &account.id).await? {
        Some(now) if now.enabled && now.hashed == account.hashed => Ok(()),
        _ => Err(refused()),
    }
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "The user name or the password is wrong.",
    )
}
