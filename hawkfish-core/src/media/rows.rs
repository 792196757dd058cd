//! The SQL of media.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::MediaRecord;
use crate::db::Tx;
use crate::error::Result;
use crate::id::{SlotId, SystemId};

/// Remembers what is in a slot.
pub(super) async fn put(
    tx: &mut Tx,
    system: &SystemId,
    slot: &SlotId,
    record: &MediaRecord,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_media (system, slot, record) VALUES ($1, $2, $3)
         ON CONFLICT (system, slot) DO UPDATE SET record = excluded.record",
    )
    .bind(system.as_str())
    .bind(slot.as_str())
    .bind(serde_json::to_string(record)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets what was in a slot.
pub(super) async fn remove(tx: &mut Tx, system: &SystemId, slot: &SlotId) -> Result<()> {
    sqlx::query("DELETE FROM hf_media WHERE system = $1 AND slot = $2")
        .bind(system.as_str())
        .bind(slot.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Says whether servers of images must prove who they are.
pub(super) async fn put_verify(
    tx: &mut Tx,
    system: &SystemId,
    slot: &SlotId,
    verify: bool,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_slots (system, slot, verify) VALUES ($1, $2, $3)
         ON CONFLICT (system, slot) DO UPDATE SET verify = excluded.verify",
    )
    .bind(system.as_str())
    .bind(slot.as_str())
    .bind(i64::from(verify))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What is remembered of the slots of one system.
#[derive(Debug, Default)]
pub(crate) struct SlotRows {
    pub(crate) media: BTreeMap<SlotId, MediaRecord>,
    pub(crate) verify: BTreeMap<SlotId, bool>,
}

/// All that is remembered of slots.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<BTreeMap<SystemId, SlotRows>> {
    let mut all: BTreeMap<SystemId, SlotRows> = BTreeMap::new();
    for row in sqlx::query("SELECT system, slot, record FROM hf_media")
        .fetch_all(&mut *conn)
        .await?
    {
        let record = serde_json::from_str(row.try_get("record")?)?;
        let slot = SlotId::parse(row.try_get("slot")?)?;
        all.entry(SystemId::parse(row.try_get("system")?)?)
            .or_default()
            .media
            .insert(slot, record);
    }
    for row in sqlx::query("SELECT system, slot, verify FROM hf_slots")
        .fetch_all(&mut *conn)
        .await?
    {
        let slot = SlotId::parse(row.try_get("slot")?)?;
        let verify: i64 = row.try_get("verify")?;
        all.entry(SystemId::parse(row.try_get("system")?)?)
            .or_default()
            .verify
            .insert(slot, verify != 0);
    }
    Ok(all)
}
