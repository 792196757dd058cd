//! The SQL of logs.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Entry;
use super::event::{Event, LogId};
use crate::db::{Row, Tx, from_ms, to_ms};
use crate::error::{Error, Result};

/// What is stored of a log beside its entries.
pub(super) struct LogRow {
    pub(super) log: LogId,
    pub(super) enabled: bool,
    pub(super) overflowed: bool,
    pub(super) first: u64,
}

fn number(value: i64) -> Result<u64> {
    u64::try_from(value).map_err(|e| Error::internal("A log number is below zero.").caused_by(e))
}

fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn logs(conn: &mut SqliteConnection) -> Result<Vec<LogRow>> {
    let rows = sqlx::query("SELECT log, enabled, overflowed, first FROM hf_logs")
        .fetch_all(conn)
        .await?;
    let mut all = Vec::new();
    for row in rows {
        let Some(log) = LogId::from_key(row.try_get("log")?) else {
            continue;
        };
        all.push(LogRow {
            log,
            enabled: row.try_get::<i64, _>("enabled")? != 0,
            overflowed: row.try_get::<i64, _>("overflowed")? != 0,
            first: number(row.try_get("first")?)?,
        });
    }
    Ok(all)
}

pub(super) async fn entries(conn: &mut SqliteConnection) -> Result<Vec<(LogId, Entry)>> {
    let rows = sqlx::query(
        "SELECT log, number, event, resolved, modified_ms FROM hf_log_entries ORDER BY log, number",
    )
    .fetch_all(conn)
    .await?;
    let mut all = Vec::new();
    for row in rows {
        let text: &str = row.try_get("event")?;
        // A newer HawkFish may have known of things that this one does not.
        let (Some(log), Ok(event)) = (
            LogId::from_key(row.try_get("log")?),
            serde_json::from_str::<Event>(text),
        ) else {
            tracing::warn!(event = text, "a log entry cannot be read");
            continue;
        };
        let modified: Option<i64> = row.try_get("modified_ms")?;
        let entry = Entry {
            number: number(row.try_get("number")?)?,
            event,
            resolved: row.try_get::<i64, _>("resolved")? != 0,
            modified: modified.map(from_ms).transpose()?,
        };
        all.push((log, entry));
    }
    Ok(all)
}

/// An entry, as it is left to the commit.
pub(super) fn entry(log: &LogId, number: u64, event: &Event) -> Result<Row> {
    Ok(Row::Entry(serde_json::to_string(&(
        log.key(),
        number,
        event,
    ))?))
}

/// That the entries of a log whose numbers are below go, as it is left to the commit.
pub(super) fn trim(log: &LogId, below: u64) -> Result<Row> {
    Ok(Row::Trim(serde_json::to_string(&(log.key(), below))?))
}

/// That a log was full, as it is left to the commit.
pub(super) fn overflow(log: &LogId) -> Result<Row> {
    Ok(Row::Overflow(serde_json::to_string(&log.key())?))
}

/// Removes the entries of a log whose numbers are below.
pub(super) async fn remove_below(tx: &mut Tx, log: &LogId, below: u64) -> Result<()> {
    sqlx::query("DELETE FROM hf_log_entries WHERE log = $1 AND number < $2")
        .bind(log.key())
        .bind(sql(below))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn put_log(tx: &mut Tx, row: &LogRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_logs (log, enabled, overflowed, first) VALUES ($1, $2, $3, $4)
         ON CONFLICT (log) DO UPDATE SET enabled = excluded.enabled, overflowed = excluded.overflowed, first = excluded.first",
    )
    .bind(row.log.key())
    .bind(i64::from(row.enabled))
    .bind(i64::from(row.overflowed))
    .bind(sql(row.first))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores whether an entry is resolved. False where there is no such entry.
pub(super) async fn put_resolved(
    tx: &mut Tx,
    log: &LogId,
    number: u64,
    resolved: bool,
    at: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hf_log_entries SET resolved = $3, modified_ms = $4 WHERE log = $1 AND number = $2",
    )
    .bind(log.key())
    .bind(sql(number))
    .bind(i64::from(resolved))
    .bind(to_ms(at))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}
