//! What an operator can set: one document for each room, in its own row.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteConnection;

use super::Tx;
use crate::error::Result;

/// The document stored under `name`, if one was.
///
/// # Errors
/// `Internal` when SQLite fails or the document is not of this type.
pub async fn get<T: DeserializeOwned>(
    conn: &mut SqliteConnection,
    name: &str,
) -> Result<Option<T>> {
    let text: Option<String> = sqlx::query_scalar("SELECT value FROM hf_settings WHERE name = $1")
        .bind(name)
        .fetch_optional(conn)
        .await?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}

/// Stores a document under `name`.
///
/// # Errors
/// `Internal` when SQLite fails.
pub async fn put<T: Serialize + Sync>(tx: &mut Tx, name: &str, value: &T) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name)
    .bind(serde_json::to_string(value)?)
    .execute(tx.conn())
    .await?;
    Ok(())
}
