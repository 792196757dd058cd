//! The SQL of jobs.

use sqlx::sqlite::SqliteConnection;

use super::Job;
use crate::db::Tx;
use crate::error::Result;
use crate::id::JobId;

pub(super) async fn put(tx: &mut Tx, job: &Job) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_jobs (id, job) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET job = excluded.job",
    )
    .bind(job.id.as_str())
    .bind(serde_json::to_string(job)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &JobId) -> Result<()> {
    sqlx::query("DELETE FROM hf_jobs WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<Job>> {
    let rows: Vec<String> = sqlx::query_scalar("SELECT job FROM hf_jobs")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|text| Ok(serde_json::from_str(text)?))
        .collect()
}
