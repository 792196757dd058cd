//! The SQL of telemetry.

use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteConnection;

use super::{Definition, Report};
use crate::db::Tx;
use crate::error::Result;
use crate::id::ReportId;

pub(super) async fn put(tx: &mut Tx, definition: &Definition) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_report_definitions (id, definition) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
    )
    .bind(definition.id.as_str())
    .bind(serde_json::to_string(definition)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn put_report(tx: &mut Tx, report: &Report) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_reports (id, report) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET report = excluded.report",
    )
    .bind(report.definition.as_str())
    .bind(serde_json::to_string(report)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut Tx, id: &ReportId) -> Result<()> {
    delete_report(tx, id).await?;
    sqlx::query("DELETE FROM hf_report_definitions WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn delete_report(tx: &mut Tx, id: &ReportId) -> Result<()> {
    sqlx::query("DELETE FROM hf_reports WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn definitions(conn: &mut SqliteConnection) -> Result<Vec<Definition>> {
    let rows = sqlx::query_scalar("SELECT definition FROM hf_report_definitions")
        .fetch_all(conn)
        .await?;
    read(rows)
}

pub(super) async fn reports(conn: &mut SqliteConnection) -> Result<Vec<Report>> {
    let rows = sqlx::query_scalar("SELECT report FROM hf_reports")
        .fetch_all(conn)
        .await?;
    read(rows)
}

fn read<T: DeserializeOwned>(rows: Vec<String>) -> Result<Vec<T>> {
    rows.iter()
        .map(|text| Ok(serde_json::from_str(text)?))
        .collect()
}
