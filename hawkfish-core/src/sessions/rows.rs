//! The SQL of sessions.

use std::net::IpAddr;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Digest, Session, Stored};
use crate::db::{self, Tx};
use crate::error::{Error, Result};
use crate::id::{AccountId, SessionId, SystemId};

pub(super) async fn insert(tx: &mut Tx, session: &Session, digest: &Digest) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_sessions (id, account, token_sha256, created_ms, last_used_ms, address, face) VALUES ($1, $2, $3, $4, $4, $5, $6)",
    )
    .bind(session.id.as_str())
    .bind(session.account.as_str())
    .bind(&digest[..])
    .bind(db::to_ms(session.created))
    .bind(session.address.map(|a| a.to_string()))
    .bind(session.face.as_ref().map(SystemId::as_str))
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn count(conn: &mut SqliteConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT COUNT(*) FROM hf_sessions")
        .fetch_one(conn)
        .await?)
}

/// How many there are that were made through a face.
pub(super) async fn count_at(conn: &mut SqliteConnection, face: Option<&SystemId>) -> Result<i64> {
    Ok(
        sqlx::query_scalar("SELECT COUNT(*) FROM hf_sessions WHERE face IS $1")
            .bind(face.map(SystemId::as_str))
            .fetch_one(conn)
            .await?,
    )
}

pub(super) async fn used(tx: &mut Tx, id: &SessionId, last_used_ms: i64) -> Result<()> {
    sqlx::query("UPDATE hf_sessions SET last_used_ms = $1 WHERE id = $2")
        .bind(last_used_ms)
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &SessionId) -> Result<bool> {
    let done = sqlx::query("DELETE FROM hf_sessions WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(super) async fn delete_of(
    tx: &mut Tx,
    account: &AccountId,
    but: Option<&SessionId>,
) -> Result<Vec<SessionId>> {
    let gone: Vec<String> =
        sqlx::query_scalar("DELETE FROM hf_sessions WHERE account = $1 AND id <> $2 RETURNING id")
            .bind(account.as_str())
            .bind(but.map_or("", SessionId::as_str))
            .fetch_all(tx.conn())
            .await?;
    gone.iter().map(|id| SessionId::parse(id)).collect()
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Stored>> {
    sqlx::query(
        "SELECT s.id, s.account, a.name, s.token_sha256, s.created_ms, s.last_used_ms, s.address, s.face
         FROM hf_sessions s JOIN hf_accounts a ON a.id = s.account",
    )
    .fetch_all(conn)
    .await?
    .iter()
    .map(stored)
    .collect()
}

fn stored(row: &SqliteRow) -> Result<Stored> {
    let digest: &[u8] = row.try_get("token_sha256")?;
    let address: Option<&str> = row.try_get("address")?;
    let face: Option<&str> = row.try_get("face")?;
    Ok(Stored {
        session: Session {
            id: SessionId::parse(row.try_get("id")?)?,
            account: AccountId::parse(row.try_get("account")?)?,
            user: row.try_get::<&str, _>("name")?.into(),
            created: db::from_ms(row.try_get("created_ms")?)?,
            address: address.and_then(|a| a.parse::<IpAddr>().ok()),
            face: face.map(SystemId::parse).transpose()?,
            generation: 1,
        },
        digest: digest.try_into().map_err(|e| {
            Error::internal("A stored token digest has the wrong length.").caused_by(e)
        })?,
        last_used_ms: row.try_get("last_used_ms")?,
    })
}
