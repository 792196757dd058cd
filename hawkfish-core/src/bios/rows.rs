//! The SQL of firmware settings that wait.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Bios;
use crate::db::Tx;
use crate::error::Result;
use crate::id::SystemId;

/// What is kept of all systems.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<BTreeMap<SystemId, Bios>> {
    let rows = sqlx::query("SELECT system, state FROM hf_bios")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id = SystemId::parse(row.try_get("system")?)?;
            Ok((id, serde_json::from_str(row.try_get("state")?)?))
        })
        .collect()
}

/// What is kept of one system.
pub(crate) async fn get(tx: &mut Tx, system: &SystemId) -> Result<Bios> {
    let row = sqlx::query("SELECT state FROM hf_bios WHERE system = $1")
        .bind(system.as_str())
        .fetch_optional(tx.conn())
        .await?;
    match row {
        Some(row) => Ok(serde_json::from_str(row.try_get("state")?)?),
        None => Ok(Bios::default()),
    }
}

/// Keeps it.
pub(super) async fn put(tx: &mut Tx, system: &SystemId, bios: &Bios) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_bios (system, state) VALUES ($1, $2)
         ON CONFLICT (system) DO UPDATE SET state = excluded.state",
    )
    .bind(system.as_str())
    .bind(serde_json::to_string(bios)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}
