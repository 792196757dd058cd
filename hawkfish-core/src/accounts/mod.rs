//! Accounts, roles and passwords: who may come in, and what they may do then.
//!
//! All of it is in memory, so that a request is let in without SQL; every change is decided on the rows, in the writer's transaction, and appears in
//! memory when it is durable. Passwords are kept as argon2id; the right one is remembered by a digest that only this process can make, so
//! that a client that sends name and password with every request costs a hash and not an argon2.
//!
//! Not in here: whether a caller may change an account. That is the catalog's to check, before it calls.

mod login;
mod machine;
mod password;
mod policy;
mod roles;
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnection;

use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::db::{Store, Tx, settings};
use crate::entropy::Entropy;
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::{Room, Subject};
use crate::id::{AccountId, RoleId};
use crate::logs::What;
use crate::sessions;

pub(crate) use login::unchanged;
pub use machine::{Attempt, Lockout};
pub use password::HashCost;
pub use policy::{AccountPolicy, BasicAuth, MOST_PASSWORD_LENGTH, PolicyChange};
pub use roles::{NewRole, Role, RoleChange};

/// The role that may do everything. There is always an enabled account that has it.
pub const ADMINISTRATOR: &str = "Administrator";

/// The user name of the first administrator.
pub const FIRST_ADMIN: &str = "admin";

/// Longest user name, in characters.
pub const MOST_NAME: usize = 64;

/// Most accounts.
pub const MOST_ACCOUNTS: i64 = 10_000;

const POLICY: &str = "accounts";

/// An account.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// The user name.
    pub name: Arc<str>,
    /// The one role that it has.
    pub role: RoleId,
    /// Whether it can be used.
    pub enabled: bool,
    /// Whether too many failures keep it locked.
    pub locked: bool,
    /// Whether it must change its password before it does anything else.
    pub password_change_required: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Grows with every change of any fact here.
    pub generation: u64,
    pub(crate) hashed: password::Hashed,
    pub(crate) lockout: Lockout,
}

/// An account to be made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAccount {
    /// The user name: 1 to 64 printable characters, without a colon (RFC 7617) and without blanks at its ends.
    pub name: String,
    /// The password.
    pub password: String,
    /// The id of its role.
    pub role: String,
    /// Whether it can be used.
    pub enabled: bool,
    /// Whether it must change its password before it does anything else.
    pub password_change_required: bool,
}

/// A wanted change to an account. It is made as one, or not at all.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// A new user name.
    pub name: Option<String>,
    /// A new password. Ends the requirement to change it, unless the same change sets that.
    pub password: Option<String>,
    /// The id of another role.
    pub role: Option<String>,
    /// Whether it can be used.
    pub enabled: Option<bool>,
    /// False unlocks it. Only failures lock it.
    pub locked: Option<bool>,
    /// Whether it must change its password before it does anything else.
    pub password_change_required: Option<bool>,
}

impl fmt::Debug for NewAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AccountChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountChange")
            .field("name", &self.name)
            .field("password", &self.password.is_some())
            .field("role", &self.role)
            .field("enabled", &self.enabled)
            .field("locked", &self.locked)
            .field("password_change_required", &self.password_change_required)
            .finish()
    }
}

/// What became of the first administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstAdmin {
    /// It was made. `generated` is its password where none was given: to be shown once.
    Made {
        /// A password made by HawkFish.
        generated: Option<String>,
    },
    /// There were accounts already, and nothing was changed.
    Kept,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<u64, Arc<Account>>,
    names: BTreeMap<Arc<str>, u64>,
    roles: BTreeMap<RoleId, Arc<Role>>,
    policy: Arc<AccountPolicy>,
}

impl State {
    fn put(&mut self, account: Account) {
        let Ok(number) = number(&account.id) else {
            return;
        };
        let name = account.name.clone();
        if let Some(old) = self.accounts.insert(number, Arc::new(account)) {
            self.names.remove(&old.name);
        }
        self.names.insert(name, number);
    }

    fn remove(&mut self, id: &AccountId) {
        if let Some(old) = number(id)
            .ok()
            .and_then(|number| self.accounts.remove(&number))
        {
            self.names.remove(&old.name);
        }
    }
}

/// All accounts and roles. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hasher: password::Hasher,
    state: RwLock<State>,
    /// What [`sessions::Sessions`] has in memory, because what ends an account ends its sessions.
    sessions: Arc<sessions::View>,
}

impl Accounts {
    /// The accounts of a store.
    ///
    /// # Errors
    /// `Internal` when the store fails or `cost` is out of range.
    pub async fn open(
        store: &Store,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        cost: HashCost,
    ) -> Result<Self> {
        let hasher = password::Hasher::new(entropy.clone(), cost)?;
        let (accounts, all_roles, policy) = store
            .read(|conn| {
                Box::pin(async move {
                    let accounts = rows::all(conn).await?;
                    let roles = rows::all_roles(conn).await?;
                    let policy = policy_in(conn).await?;
                    Ok((accounts, roles, policy))
                })
            })
            .await?;
        let mut state = State {
            policy: Arc::new(policy),
            ..State::default()
        };
        state.roles = all_roles
            .into_iter()
            .map(|role| (role.id.clone(), Arc::new(role)))
            .collect();
        for account in accounts {
            state.put(account);
        }
        Ok(Self(Arc::new(Inner {
            store: store.clone(),
            clock,
            entropy,
            hasher,
            state: RwLock::new(state),
            sessions: Arc::default(),
        })))
    }

    /// All accounts, ordered by number.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<Account>> {
        let all: Vec<_> = self
            .0
            .look(|state| state.accounts.values().cloned().collect());
        all.into_iter()
            .map(|account| self.as_of_now(account))
            .collect()
    }

    /// An account.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn get(&self, id: &AccountId) -> Result<Arc<Account>> {
        let number = number(id)?;
        let account = self.0.look(|state| state.accounts.get(&number).cloned());
        account
            .map(|account| self.as_of_now(account))
            .ok_or_else(|| missing(id))
    }

    /// The account with that user name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Arc<Account>> {
        let account = self.0.look(|state| {
            let number = state.names.get(name)?;
            state.accounts.get(number).cloned()
        })?;
        Some(self.as_of_now(account))
    }

    /// Makes an account.
    ///
    /// # Errors
    /// `Invalid` at `/UserName`, `/Password` or `/RoleId`; `AlreadyExists`; `LimitExceeded`; `Internal` when the store fails.
    pub async fn create(&self, ctx: &Ctx, new: NewAccount) -> Result<Arc<Account>> {
        check_name(&new.name)?;
        self.policy().check_password(&new.name, &new.password)?;
        self.role_by_name(&new.role)?;
        let hashed = self.0.hasher.hash(&new.password).await?;
        let (inner, created) = (self.0.clone(), self.0.clock.now());
        let account = self
            .0
            .store
            .write(move |tx| Box::pin(async move { make(tx, inner, new, hashed, created).await }))
            .await?;
        tracing::info!(account = %account.id, user = %account.name, role = %account.role, by = ?ctx.account(), "account created");
        Ok(account)
    }

    /// Changes an account. Disabling it ends its sessions; a new password ends them but the one that asks.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` at `/UserName`, `/Password`, `/RoleId` or `/Locked`; `AlreadyExists`; `Conflict::NotAllowed` where no enabled
    /// administrator would be left; `Internal` when the store fails.
    pub async fn update(
        &self,
        ctx: &Ctx,
        id: &AccountId,
        change: AccountChange,
    ) -> Result<Arc<Account>> {
        let old = self.get(id)?;
        if let Some(name) = &change.name {
            check_name(name)?;
        }
        if let Some(role) = &change.role {
            self.role_by_name(role)?;
        }
        let hashed = match &change.password {
            None => None,
            Some(password) => {
                self.policy()
                    .check_password(change.name.as_deref().unwrap_or(&old.name), password)?;
                if old.password_change_required
                    && self
                        .0
                        .hasher
                        .verify(Some((&old.id, &old.hashed)), password)
                        .await?
                {
                    return Err(Error::invalid(
                        "/Password",
                        "",
                        Invalid::Format,
                        "The new password cannot be the old one.",
                    ));
                }
                Some(self.0.hasher.hash(password).await?)
            }
        };
        let keep = ctx.session().filter(|_| ctx.account() == Some(id)).cloned();
        let (inner, id, now) = (self.0.clone(), id.clone(), self.0.clock.now());
        let policy = self.policy();
        let account = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = rows::get(tx.conn(), &id)
                        .await?
                        .ok_or_else(|| missing(&id))?;
                    let mut new = old.clone();
                    if let Some(name) = &change.name
                        && **name != *old.name
                    {
                        name_is_free(tx, name).await?;
                        new.name = name.as_str().into();
                    }
                    if let Some(role) = &change.role {
                        new.role = role_of(tx, role).await?;
                    }
                    new.enabled = change.enabled.unwrap_or(old.enabled);
                    if let Some(hashed) = hashed {
                        new.hashed = hashed;
                        new.password_change_required = false;
                    }
                    if let Some(required) = change.password_change_required {
                        new.password_change_required = required;
                    }
                    match change.locked {
                        Some(false) => {
                            new.lockout = old.lockout.event(&policy, now, Attempt::Unlocked)
                        }
                        Some(true) if !old.lockout.locked(&policy, now) => {
                            return Err(Error::invalid(
                                "/Locked",
                                "true",
                                Invalid::NotInList,
                                "An account is locked by failures alone; it can be disabled.",
                            ));
                        }
                        _ => {}
                    }
                    new.locked = new.lockout.tripped;
                    if new == old {
                        return Ok(old);
                    }
                    if old.administers() && !new.administers() {
                        others_administer(tx, &id).await?;
                    }
                    new.generation += 2;
                    rows::update(tx, &new).await?;
                    tx.happened(Subject::Account(id.clone()), What::Changed.at(now));
                    let sessions = inner.sessions.clone();
                    if !new.enabled {
                        sessions.end(tx, &id, None, now).await?;
                    } else if new.hashed != old.hashed {
                        sessions.end(tx, &id, keep.as_ref(), now).await?;
                    }
                    if new.name != old.name {
                        sessions.rename(tx, &id, new.name.clone(), now);
                    }
                    put_after_commit(tx, inner, new.clone());
                    Ok(new)
                })
            })
            .await?;
        tracing::info!(account = %account.id, user = %account.name, by = ?ctx.account(), "account changed");
        Ok(self.as_of_now(Arc::new(account)))
    }

    /// Deletes an account and ends its sessions.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` where no enabled administrator would be left; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &AccountId) -> Result<()> {
        number(id)?;
        let (inner, gone, now) = (self.0.clone(), id.clone(), self.0.clock.now());
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = rows::get(tx.conn(), &gone)
                        .await?
                        .ok_or_else(|| missing(&gone))?;
                    if old.administers() {
                        others_administer(tx, &gone).await?;
                    }
                    let sessions = inner.sessions.clone();
                    sessions.end(tx, &gone, None, now).await?;
                    rows::delete(tx, &gone).await?;
                    tx.happened(Subject::Account(gone.clone()), What::Removed.at(now));
                    tx.after_commit(move || {
                        inner.change(|state| state.remove(&gone));
                        inner.hasher.forget(&gone);
                    });
                    Ok(())
                })
            })
            .await?;
        tracing::info!(account = %id, by = ?ctx.account(), "account deleted");
        Ok(())
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> Arc<AccountPolicy> {
        self.0.look(|state| state.policy.clone())
    }

    /// Changes the policy. It holds from the next password on; those there are stay.
    ///
    /// # Errors
    /// `Invalid` at `/MinPasswordLength`, `/MaxPasswordLength`, `/AccountLockoutDuration` or `/AccountLockoutCounterResetAfter`;
    /// `Conflict::NotAllowed` when nobody could come in any more, because the session service is off; `Internal` when the store fails.
    pub async fn set_policy(&self, ctx: &Ctx, change: PolicyChange) -> Result<Arc<AccountPolicy>> {
        let inner = self.0.clone();
        let policy = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = policy_in(tx.conn()).await?;
                    let new = old.changed(&change)?;
                    if new.basic_auth == BasicAuth::Disabled && !sessions::enabled(tx.conn()).await? {
                        return Err(Error::conflict(
                            Conflict::NotAllowed,
                            "With the session service off, HTTP Basic authentication is the only way in.",
                        ));
                    }
                    let new = Arc::new(new);
                    if *new != old {
                        settings::put(tx, POLICY, &*new).await?;
                        let at = inner.clock.now();
                        tx.happened(Subject::Room(Room::Accounts), What::Changed.at(at));
                        let policy = new.clone();
                        tx.after_commit(move || inner.change(|state| state.policy = policy));
                    }
                    Ok(new)
                })
            })
            .await?;
        tracing::info!(policy = ?policy, by = ?ctx.account(), "account policy set");
        Ok(policy)
    }

    /// Makes the first administrator, `admin`, where there is no account at all: with this password, or with one made here.
    ///
    /// # Errors
    /// `Invalid` at `/Password`; `Internal` when the store fails.
    pub async fn ensure_admin(&self, password: Option<&str>) -> Result<FirstAdmin> {
        if self.0.look(|state| !state.accounts.is_empty()) {
            return Ok(FirstAdmin::Kept);
        }
        let generated = password.is_none().then(|| self.0.entropy.password());
        let new = first_admin(password.or(generated.as_deref()).unwrap_or_default());
        self.create(&Ctx::service(), new).await?;
        Ok(FirstAdmin::Made { generated })
    }

    /// Gives the account `admin` this password and the role of an administrator, enabled and unlocked; makes it where it is missing. For
    /// an operator who is locked out and can start the server.
    ///
    /// # Errors
    /// `Invalid` at `/Password`; `Internal` when the store fails.
    pub async fn recover_admin(&self, password: &str) -> Result<Arc<Account>> {
        let ctx = Ctx::service();
        match self.by_name(FIRST_ADMIN) {
            None => self.create(&ctx, first_admin(password)).await,
            Some(account) => {
                let change = AccountChange {
                    password: Some(password.to_owned()),
                    role: Some(ADMINISTRATOR.to_owned()),
                    enabled: Some(true),
                    locked: Some(false),
                    password_change_required: Some(false),
                    ..AccountChange::default()
                };
                self.update(&ctx, &account.id, change).await
            }
        }
    }

    /// What sessions have in memory.
    pub(crate) fn sessions(&self) -> &Arc<sessions::View> {
        &self.0.sessions
    }

    /// An account with its lock as it is now: time opens locks, and nobody writes that down.
    fn as_of_now(&self, account: Arc<Account>) -> Arc<Account> {
        if !account.locked || account.lockout.locked(&self.policy(), self.0.clock.now()) {
            return account;
        }
        // Stored generations grow by two, so that this one is nobody else's.
        Arc::new(Account {
            locked: false,
            generation: account.generation + 1,
            ..Account::clone(&account)
        })
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts")
    }
}

impl Inner {
    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Account {
    /// Whether the other has the same password, set at the same time: so it is told whether what a client once proved still holds.
    #[must_use]
    pub fn has_password_of(&self, other: &Self) -> bool {
        self.hashed == other.hashed
    }

    fn administers(&self) -> bool {
        self.enabled && self.role.as_str() == ADMINISTRATOR
    }
}

pub(crate) async fn policy_in(conn: &mut SqliteConnection) -> Result<AccountPolicy> {
    Ok(settings::get(conn, POLICY).await?.unwrap_or_default())
}

fn first_admin(password: &str) -> NewAccount {
    NewAccount {
        name: FIRST_ADMIN.to_owned(),
        password: password.to_owned(),
        role: ADMINISTRATOR.to_owned(),
        enabled: true,
        password_change_required: false,
    }
}

async fn make(
    tx: &mut Tx,
    inner: Arc<Inner>,
    new: NewAccount,
    hashed: password::Hashed,
    created: Timestamp,
) -> Result<Arc<Account>> {
    if rows::count(tx.conn()).await? >= MOST_ACCOUNTS {
        return Err(Error::new(
            ErrorKind::LimitExceeded { what: "accounts" },
            "There are too many accounts.",
        ));
    }
    name_is_free(tx, &new.name).await?;
    let account = Account {
        role: role_of(tx, &new.role).await?,
        id: AccountId::parse(&tx.next_number("accounts").await?.to_string())?,
        name: new.name.into(),
        enabled: new.enabled,
        locked: false,
        password_change_required: new.password_change_required,
        created,
        generation: 1,
        hashed,
        lockout: Lockout::default(),
    };
    rows::insert(tx, &account).await?;
    tx.happened(
        Subject::Account(account.id.clone()),
        What::Created.at(created),
    );
    put_after_commit(tx, inner, account.clone());
    Ok(Arc::new(account))
}

fn put_after_commit(tx: &mut Tx, inner: Arc<Inner>, account: Account) {
    tx.after_commit(move || inner.change(|state| state.put(account)));
}

async fn name_is_free(tx: &mut Tx, name: &str) -> Result<()> {
    match rows::id_of(tx.conn(), name).await? {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::AlreadyExists {
                what: "ManagerAccount",
                property: "UserName",
                value: name.to_owned(),
            },
            "There is an account of that name already.",
        )),
    }
}

async fn role_of(tx: &mut Tx, id: &str) -> Result<RoleId> {
    rows::get_role(tx.conn(), id)
        .await?
        .map(|role| role.id)
        .ok_or_else(|| roles::unknown(id))
}

async fn others_administer(tx: &mut Tx, but: &AccountId) -> Result<()> {
    if rows::others_enabled(tx.conn(), ADMINISTRATOR, but).await? == 0 {
        return Err(Error::conflict(
            Conflict::NotAllowed,
            "This is the last enabled administrator: it cannot be deleted, disabled or given another role.",
        ));
    }
    Ok(())
}

fn check_name(name: &str) -> Result<()> {
    let refuse = |reason, message: String| {
        let shown: String = name
            .chars()
            .filter(|c| !c.is_control())
            .take(MOST_NAME)
            .collect();
        Err(Error::invalid("/UserName", shown, reason, message))
    };
    if !(1..=MOST_NAME).contains(&name.chars().count()) {
        let reason = Invalid::Length {
            min: 1,
            max: MOST_NAME as u32,
        };
        return refuse(
            reason,
            format!("A user name must have 1 to {MOST_NAME} characters."),
        );
    }
    if name.chars().any(|c| c.is_control() || c == ':') || name.trim() != name {
        return refuse(
            Invalid::Format,
            "A user name cannot contain control characters or a colon, nor begin or end with a blank.".to_owned(),
        );
    }
    Ok(())
}

fn missing(id: &AccountId) -> Error {
    Error::not_found("ManagerAccount", id.as_str())
}

/// The number that an account's id is, written as HawkFish writes it.
fn number(id: &AccountId) -> Result<u64> {
    let number = id.as_str().parse().map_err(|_| missing(id))?;
    if u64::to_string(&number) == id.as_str() {
        Ok(number)
    } else {
        Err(missing(id))
    }
}

#[cfg(test)]
pub(crate) mod tests;
