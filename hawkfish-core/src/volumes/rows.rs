//! The SQL of volumes.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::db::Tx;
use crate::error::Result;
use crate::id::{DiskToken, SystemId};

/// Remembers what a volume is called.
pub(super) async fn put(
    tx: &mut Tx,
    system: &SystemId,
    token: &DiskToken,
    name: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_volumes (system, token, name) VALUES ($1, $2, $3)
         ON CONFLICT (system, token) DO UPDATE SET name = excluded.name",
    )
    .bind(system.as_str())
    .bind(token.as_str())
    .bind(name)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Forgets a volume.
pub(super) async fn remove(tx: &mut Tx, system: &SystemId, token: &DiskToken) -> Result<()> {
    sqlx::query("DELETE FROM hf_volumes WHERE system = $1 AND token = $2")
        .bind(system.as_str())
        .bind(token.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// What all volumes are called.
pub(crate) async fn load(
    conn: &mut SqliteConnection,
) -> Result<BTreeMap<SystemId, BTreeMap<DiskToken, String>>> {
    let mut all: BTreeMap<SystemId, BTreeMap<DiskToken, String>> = BTreeMap::new();
    for row in sqlx::query("SELECT system, token, name FROM hf_volumes")
        .fetch_all(conn)
        .await?
    {
        let token = DiskToken::parse(row.try_get("token")?)?;
        all.entry(SystemId::parse(row.try_get("system")?)?)
            .or_default()
            .insert(token, row.try_get("name")?);
    }
    Ok(all)
}
