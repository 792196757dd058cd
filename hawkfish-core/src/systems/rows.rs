//! The SQL of systems.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use crate::backend::Machine;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::id::{HostId, ProjectId, SystemId};

/// What is stored of a system.
#[derive(Clone, Debug)]
pub(crate) struct SystemRow {
    pub(crate) id: SystemId,
    pub(crate) host: HostId,
    pub(crate) project: ProjectId,
    pub(crate) present: bool,
    pub(crate) indicator: bool,
    pub(crate) machine: Machine,
    pub(crate) seen: Timestamp,
}

/// All systems that were ever seen.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Vec<SystemRow>> {
    let rows = sqlx::query("SELECT id, host, project, present, indicator, machine, seen_ms FROM hf_systems ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(SystemRow {
                id: SystemId::parse(row.try_get("id")?)?,
                host: HostId::parse(row.try_get("host")?)?,
                project: ProjectId::parse(row.try_get("project")?)?,
                present: row.try_get::<i64, _>("present")? != 0,
                indicator: row.try_get::<i64, _>("indicator")? != 0,
                machine: serde_json::from_str(row.try_get("machine")?)?,
                seen: Timestamp::from_millisecond(row.try_get("seen_ms")?)
                    .map_err(|e| Error::internal("A stored time is out of range.").caused_by(e))?,
            })
        })
        .collect()
}

/// Stores what was seen of a machine. A system that is new goes to the project given; one that is known keeps its own.
pub(crate) async fn saw(
    tx: &mut Tx,
    id: &SystemId,
    host: &HostId,
    project: &ProjectId,
    machine: &Machine,
    seen: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_systems (id, host, project, present, indicator, machine, seen_ms) VALUES ($1, $2, $3, 1, 0, $4, $5)
         ON CONFLICT (id) DO UPDATE SET host = excluded.host, present = 1, machine = excluded.machine, seen_ms = excluded.seen_ms",
    )
    .bind(id.as_str())
    .bind(host.as_str())
    .bind(project.as_str())
    .bind(serde_json::to_string(machine)?)
    .bind(seen.as_millisecond())
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// What a system keeps when its machine goes and comes back: its project, and whether its indicator is lit.
pub(crate) async fn kept(tx: &mut Tx, id: &SystemId) -> Result<(ProjectId, bool)> {
    let row = sqlx::query("SELECT project, indicator FROM hf_systems WHERE id = $1")
        .bind(id.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok((
        ProjectId::parse(row.try_get("project")?)?,
        row.try_get::<i64, _>("indicator")? != 0,
    ))
}

/// Stores that a machine is gone. Its project is kept, should it come back.
pub(crate) async fn gone(tx: &mut Tx, id: &SystemId) -> Result<()> {
    sqlx::query("UPDATE hf_systems SET present = 0 WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stores whether the indicator is lit.
pub(crate) async fn put_indicator(tx: &mut Tx, id: &SystemId, lit: bool) -> Result<()> {
    sqlx::query("UPDATE hf_systems SET indicator = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(i64::from(lit))
        .execute(tx.conn())
        .await?;
    Ok(())
}
