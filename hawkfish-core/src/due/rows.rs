//! The SQL of what is due.

use std::collections::BTreeSet;

use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Due;
use crate::db::{self, Tx};
use crate::error::Result;

pub(super) async fn moments(conn: &mut SqliteConnection) -> Result<BTreeSet<(i64, i64)>> {
    let rows: Vec<(i64, i64)> = sqlx::query_as("SELECT at_ms, id FROM hf_due")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().collect())
}

pub(super) async fn find(tx: &mut Tx, kind: &str, subject: &str) -> Result<Option<(i64, i64)>> {
    Ok(
        sqlx::query_as("SELECT at_ms, id FROM hf_due WHERE kind = $1 AND subject = $2")
            .bind(kind)
            .bind(subject)
            .fetch_optional(tx.conn())
            .await?,
    )
}

pub(super) async fn put(
    tx: &mut Tx,
    at_ms: i64,
    kind: &str,
    subject: &str,
    payload: &Value,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "INSERT INTO hf_due (at_ms, kind, subject, payload) VALUES ($1, $2, $3, $4)
         ON CONFLICT (kind, subject) DO UPDATE SET at_ms = excluded.at_ms, payload = excluded.payload
         RETURNING id",
    )
    .bind(at_ms)
    .bind(kind)
    .bind(subject)
    .bind(payload.to_string())
    .fetch_one(tx.conn())
    .await?)
}

pub(super) async fn remove(tx: &mut Tx, id: i64) -> Result<()> {
    sqlx::query("DELETE FROM hf_due WHERE id = $1")
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn by(conn: &mut SqliteConnection, now_ms: i64, most: u32) -> Result<Vec<Due>> {
    let rows = sqlx::query(
        "SELECT id, at_ms, kind, subject, payload FROM hf_due WHERE at_ms <= $1 ORDER BY at_ms, id LIMIT $2",
    )
    .bind(now_ms)
    .bind(i64::from(most))
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Due {
                id: row.try_get("id")?,
                at: db::from_ms(row.try_get("at_ms")?)?,
                kind: row.try_get("kind")?,
                subject: row.try_get("subject")?,
                payload: serde_json::from_str(row.try_get("payload")?)?,
            })
        })
        .collect()
}
