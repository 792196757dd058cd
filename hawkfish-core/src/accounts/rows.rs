//! The SQL of accounts and roles.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::password::Hashed;
use super::{Account, Lockout, Role};
use crate::ctx::Privilege;
use crate::db::{self, Tx};
use crate::error::{Error, Result};
use crate::id::{AccountId, RoleId};

fn generation(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn insert(tx: &mut Tx, account: &Account) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_accounts (id, name, role, enabled, password_hash, password_change_required, created_ms, failures, last_failure_ms,
                                  locked, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(account.id.as_str())
    .bind(&*account.name)
    .bind(account.role.as_str())
    .bind(i64::from(account.enabled))
    .bind(&*account.hashed.0)
    .bind(i64::from(account.password_change_required))
    .bind(db::to_ms(account.created))
    .bind(i64::from(account.lockout.failures))
    .bind(account.lockout.last_failure.map(db::to_ms))
    .bind(i64::from(account.lockout.tripped))
    .bind(generation(account.generation))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn update(tx: &mut Tx, account: &Account) -> Result<()> {
    sqlx::query(
        "UPDATE hf_accounts SET name = $1, role = $2, enabled = $3, password_hash = $4, password_change_required = $5, failures = $6,
                                last_failure_ms = $7, locked = $8, generation = $9
         WHERE id = $10",
    )
    .bind(&*account.name)
    .bind(account.role.as_str())
    .bind(i64::from(account.enabled))
    .bind(&*account.hashed.0)
    .bind(i64::from(account.password_change_required))
    .bind(i64::from(account.lockout.failures))
    .bind(account.lockout.last_failure.map(db::to_ms))
    .bind(i64::from(account.lockout.tripped))
    .bind(generation(account.generation))
    .bind(account.id.as_str())
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &AccountId) -> Result<()> {
    sqlx::query("DELETE FROM hf_accounts WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn get(conn: &mut SqliteConnection, id: &AccountId) -> Result<Option<Account>> {
    sqlx::query("SELECT * FROM hf_accounts WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(account)
        .transpose()
}

pub(super) async fn id_of(conn: &mut SqliteConnection, name: &str) -> Result<Option<AccountId>> {
    let id: Option<String> = sqlx::query_scalar("SELECT id FROM hf_accounts WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    id.map(|id| AccountId::parse(&id)).transpose()
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Account>> {
    sqlx::query("SELECT * FROM hf_accounts")
        .fetch_all(conn)
        .await?
        .iter()
        .map(account)
        .collect()
}

pub(super) async fn count(conn: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM hf_accounts")
        .fetch_one(conn)
        .await?)
}

/// How many accounts of a role are enabled, besides `but`.
pub(super) async fn others_enabled(
    conn: &mut SqliteConnection,
    role: &str,
    but: &AccountId,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT COUNT(*) FROM hf_accounts WHERE role = $1 AND enabled = 1 AND id <> $2",
    )
    .bind(role)
    .bind(but.as_str())
    .fetch_one(conn)
    .await?)
}

fn account(row: &SqliteRow) -> Result<Account> {
    let flag = |column: &str| row.try_get::<i64, _>(column).map(|n| n != 0);
    let last_failure: Option<i64> = row.try_get("last_failure_ms")?;
    let last_failure: Option<Timestamp> = last_failure.map(db::from_ms).transpose()?;
    let tripped = flag("locked")?;
    Ok(Account {
        id: AccountId::parse(row.try_get("id")?)?,
        name: row.try_get::<&str, _>("name")?.into(),
        role: RoleId::parse(row.try_get("role")?)?,
        enabled: flag("enabled")?,
        locked: tripped,
        password_change_required: flag("password_change_required")?,
        created: db::from_ms(row.try_get("created_ms")?)?,
        generation: u64::try_from(row.try_get::<i64, _>("generation")?).unwrap_or_default(),
        hashed: Hashed(row.try_get::<&str, _>("password_hash")?.into()),
        lockout: Lockout {
            failures: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or(u32::MAX),
            last_failure,
            tripped,
        },
    })
}

pub(super) async fn put_role(tx: &mut Tx, role: &Role) -> Result<()> {
    let privileges: Vec<_> = role.privileges.iter().map(|p| p.as_str()).collect();
    sqlx::query(
        "INSERT INTO hf_roles (id, predefined, privileges, generation) VALUES ($1, $2, $3, $4)
         ON CONFLICT (id) DO UPDATE SET privileges = excluded.privileges, generation = excluded.generation",
    )
    .bind(role.id.as_str())
    .bind(i64::from(role.predefined))
    .bind(serde_json::to_string(&privileges)?)
    .bind(generation(role.generation))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete_role(tx: &mut Tx, id: &RoleId) -> Result<()> {
    sqlx::query("DELETE FROM hf_roles WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn accounts_with(conn: &mut SqliteConnection, role: &RoleId) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT COUNT(*) FROM hf_accounts WHERE role = $1")
            .bind(role.as_str())
            .fetch_one(conn)
            .await?,
    )
}

pub(super) async fn get_role(conn: &mut SqliteConnection, id: &str) -> Result<Option<Role>> {
    sqlx::query("SELECT * FROM hf_roles WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(role)
        .transpose()
}

pub(super) async fn all_roles(conn: &mut SqliteConnection) -> Result<Vec<Role>> {
    sqlx::query("SELECT * FROM hf_roles")
        .fetch_all(conn)
        .await?
        .iter()
        .map(role)
        .collect()
}

fn role(row: &SqliteRow) -> Result<Role> {
    let names: Vec<String> = serde_json::from_str(row.try_get("privileges")?)?;
    let privileges = names
        .iter()
        .map(|name| name.parse())
        .collect::<Result<BTreeSet<Privilege>>>()
        .map_err(|e| Error::internal("A stored role has an unknown privilege.").caused_by(e))?;
    Ok(Role {
        id: RoleId::parse(row.try_get("id")?)?,
        predefined: row.try_get::<i64, _>("predefined")? != 0,
        privileges: Arc::new(privileges),
        generation: u64::try_from(row.try_get::<i64, _>("generation")?).unwrap_or_default(),
    })
}
