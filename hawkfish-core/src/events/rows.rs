//! The SQL of the stream. New events, and those that are no longer kept, are left to the commit.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::fact::{Draft, Happened};
use crate::error::{Error, Result};

pub(super) fn sql(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn number(value: i64) -> Result<u64> {
    u64::try_from(value)
        .map_err(|e| Error::internal("An event is numbered below zero.").caused_by(e))
}

/// The first and the last number that are kept; zeros where there are none.
pub(super) async fn bounds(conn: &mut SqliteConnection) -> Result<(u64, u64)> {
    let row = sqlx::query(
        "SELECT COALESCE(MIN(seq), 0) AS first, COALESCE(MAX(seq), 0) AS last FROM hf_events",
    )
    .fetch_one(conn)
    .await?;
    Ok((
        number(row.try_get("first")?)?,
        number(row.try_get("last")?)?,
    ))
}

/// Events after a number, at most so many, in order.
pub(super) async fn after(
    conn: &mut SqliteConnection,
    seq: u64,
    most: usize,
) -> Result<Vec<Happened>> {
    let rows = sqlx::query("SELECT seq, fact FROM hf_events WHERE seq > $1 ORDER BY seq LIMIT $2")
        .bind(sql(seq))
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let text: &str = row.try_get("fact")?;
        // A newer HawkFish may have known of things that this one does not.
        let Ok(Draft {
            about,
            event,
            entry,
        }) = serde_json::from_str(text)
        else {
            tracing::warn!(event = text, "an event cannot be read");
            continue;
        };
        all.push(Happened {
            seq: number(row.try_get("seq")?)?,
            about,
            event,
            entry,
        });
    }
    Ok(all)
}
