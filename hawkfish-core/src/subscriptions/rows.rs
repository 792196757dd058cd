//! The SQL of subscriptions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::destination::Facts;
use super::machine::Delivery;
use super::subscription::DeadLetter;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::events::{Draft, Happened, Told};

/// A dead letter as it is stored: with its own copy of the event, because the stream forgets.
#[derive(Serialize, Deserialize)]
struct Letter {
    seq: u64,
    at: Timestamp,
    attempts: u32,
    reason: String,
    replaying: bool,
    fact: Draft,
}

pub(super) fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn number(value: i64) -> Result<u64> {
    u64::try_from(value)
        .map_err(|e| Error::internal("A subscription is numbered below zero.").caused_by(e))
}

/// Stores what a client said, and how far the deliveries are.
pub(super) async fn put(tx: &mut Tx, id: u64, facts: &Facts, delivery: &Delivery) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_subscriptions (id, subscription, delivery) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET subscription = excluded.subscription, delivery = excluded.delivery",
    )
    .bind(sql(id))
    .bind(serde_json::to_string(facts)?)
    .bind(serde_json::to_string(delivery)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores how far the deliveries are. Of one that is gone nothing is stored.
pub(super) async fn put_delivery(tx: &mut Tx, id: u64, delivery: &Delivery) -> Result<()> {
    sqlx::query("UPDATE hf_subscriptions SET delivery = $2 WHERE id = $1")
        .bind(sql(id))
        .bind(serde_json::to_string(delivery)?)
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Deletes a subscription with its dead letters.
pub(super) async fn delete(tx: &mut Tx, id: u64) -> Result<()> {
    sqlx::query("DELETE FROM hf_subscriptions WHERE id = $1")
        .bind(sql(id))
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<(u64, Facts, Delivery)>> {
    let rows = sqlx::query("SELECT id, subscription, delivery FROM hf_subscriptions ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok((
                number(row.try_get("id")?)?,
                serde_json::from_str(row.try_get("subscription")?)?,
                serde_json::from_str(row.try_get("delivery")?)?,
            ))
        })
        .collect()
}

/// Stores dead letters, over those of the same events.
pub(super) async fn put_letters(tx: &mut Tx, id: u64, letters: &[Arc<DeadLetter>]) -> Result<()> {
    let letters: Vec<Letter> = letters
        .iter()
        .map(|letter| {
            let Happened {
                about,
                event,
                entry,
                ..
            } = letter.told.happened().clone();
            Letter {
                seq: letter.seq,
                at: letter.at,
                attempts: letter.attempts,
                reason: letter.reason.clone(),
                replaying: letter.replaying,
                fact: Draft {
                    about,
                    event,
                    entry,
                },
            }
        })
        .collect();
    sqlx::query(
        "INSERT INTO hf_dead_letters (subscription, seq, letter)
         SELECT $1, json_extract(value, '$.seq'), value FROM json_each($2) WHERE true
         ON CONFLICT (subscription, seq) DO UPDATE SET letter = excluded.letter",
    )
    .bind(sql(id))
    .bind(serde_json::to_string(&letters)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Deletes dead letters.
pub(super) async fn delete_letters(tx: &mut Tx, id: u64, seqs: &[u64]) -> Result<()> {
    sqlx::query(
        "DELETE FROM hf_dead_letters WHERE subscription = $1 AND seq IN (SELECT value FROM json_each($2))",
    )
    .bind(sql(id))
    .bind(serde_json::to_string(seqs)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn letters(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<u64, BTreeMap<u64, Arc<DeadLetter>>>> {
    let rows = sqlx::query("SELECT subscription, letter FROM hf_dead_letters")
        .fetch_all(conn)
        .await?;
    let mut all: BTreeMap<u64, BTreeMap<u64, Arc<DeadLetter>>> = BTreeMap::new();
    for row in rows {
        let text: &str = row.try_get("letter")?;
        // A newer HawkFish may have known of things that this one does not.
        let Ok(letter) = serde_json::from_str::<Letter>(text) else {
            tracing::warn!("a dead letter cannot be read");
            continue;
        };
        let told = Told::new(Happened {
            seq: letter.seq,
            about: letter.fact.about,
            event: letter.fact.event,
            entry: letter.fact.entry,
        });
        let of = all
            .entry(number(row.try_get("subscription")?)?)
            .or_default();
        of.insert(
            letter.seq,
            Arc::new(DeadLetter {
                seq: letter.seq,
                at: letter.at,
                attempts: letter.attempts,
                reason: letter.reason,
                replaying: letter.replaying,
                told: Arc::new(told),
            }),
        );
    }
    Ok(all)
}
