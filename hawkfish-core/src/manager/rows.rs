//! The SQL of managers.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Manager;
use crate::db::Tx;
use crate::error::Result;
use crate::id::SystemId;

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<BTreeMap<SystemId, Manager>> {
    let rows = sqlx::query("SELECT system, state FROM hf_managers")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let id = SystemId::parse(row.try_get("system")?)?;
            Ok((id, serde_json::from_str(row.try_get("state")?)?))
        })
        .collect()
}

pub(super) async fn get(conn: &mut SqliteConnection, id: &SystemId) -> Result<Manager> {
    let text: Option<String> =
        sqlx::query_scalar("SELECT state FROM hf_managers WHERE system = $1")
            .bind(id.as_str())
            .fetch_optional(conn)
            .await?;
    match text {
        Some(text) => Ok(serde_json::from_str(&text)?),
        None => Ok(Manager::default()),
    }
}

pub(super) async fn put(tx: &mut Tx, id: &SystemId, manager: &Manager) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_managers (system, state) VALUES ($1, $2) ON CONFLICT (system) DO UPDATE SET state = excluded.state",
    )
    .bind(id.as_str())
    .bind(serde_json::to_string(manager)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}
