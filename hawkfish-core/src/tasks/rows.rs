//! The SQL of tasks.

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::{Task, TaskState};
use crate::db::{self, Tx};
use crate::error::{Error, Result};
use crate::id::{AccountId, ProjectId, SystemId, TaskId};

pub(super) async fn insert(tx: &mut Tx, task: &Task) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_tasks (id, name, kind, subject, project, owner, state, percent, resumable, payload, request, messages, failure,
                               start_ms, end_ms, generation, parent, face)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(task.id.as_str())
    .bind(&task.name)
    .bind(&task.kind)
    .bind(task.subject.as_ref().map(SystemId::as_str))
    .bind(task.project.as_ref().map(ProjectId::as_str))
    .bind(task.owner.as_ref().map(AccountId::as_str))
    .bind(task.state.as_str())
    .bind(i64::from(task.percent))
    .bind(i64::from(task.resumable))
    .bind(task.payload.to_string())
    .bind(task.request.as_ref().map(serde_json::to_string).transpose()?)
    .bind(serde_json::to_string(&task.messages)?)
    .bind(task.failure.as_ref().map(serde_json::to_string).transpose()?)
    .bind(db::to_ms(task.start))
    .bind(task.end.map(db::to_ms))
    .bind(i64::try_from(task.generation).unwrap_or(i64::MAX))
    .bind(task.parent.as_ref().map(TaskId::as_str))
    .bind(task.face.as_ref().map(SystemId::as_str))
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Stores what can change of a task. False when it was deleted.
pub(super) async fn update(tx: &mut Tx, task: &Task) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hf_tasks SET state = $1, percent = $2, messages = $3, failure = $4, end_ms = $5, generation = $6 WHERE id = $7",
    )
    .bind(task.state.as_str())
    .bind(i64::from(task.percent))
    .bind(serde_json::to_string(&task.messages)?)
    .bind(task.failure.as_ref().map(serde_json::to_string).transpose()?)
    .bind(task.end.map(db::to_ms))
    .bind(i64::try_from(task.generation).unwrap_or(i64::MAX))
    .bind(task.id.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores what is needed to take a task up again.
pub(super) async fn update_payload(
    tx: &mut Tx,
    id: &TaskId,
    payload: &serde_json::Value,
) -> Result<bool> {
    let done = sqlx::query("UPDATE hf_tasks SET payload = $1 WHERE id = $2")
        .bind(payload.to_string())
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores that somebody works on a task. False when it is so already, when it was told to stop, or when it is gone.
pub(super) async fn start(tx: &mut Tx, task: &Task) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hf_tasks SET state = $1, generation = $2 WHERE id = $3 AND state IN ($4, $5)",
    )
    .bind(task.state.as_str())
    .bind(i64::try_from(task.generation).unwrap_or(i64::MAX))
    .bind(task.id.as_str())
    .bind(TaskState::New.as_str())
    .bind(TaskState::Interrupted.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores how far a task is. False when it has ended or is gone.
pub(super) async fn get_on(tx: &mut Tx, task: &Task) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE hf_tasks SET percent = $1, messages = $2, generation = $3 WHERE id = $4 AND end_ms IS NULL",
    )
    .bind(i64::from(task.percent))
    .bind(serde_json::to_string(&task.messages)?)
    .bind(i64::try_from(task.generation).unwrap_or(i64::MAX))
    .bind(task.id.as_str())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Stores that the end of a task was told.
pub(super) async fn put_told(tx: &mut Tx, id: &TaskId) -> Result<()> {
    sqlx::query("UPDATE hf_tasks SET told = 1 WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

pub(super) async fn is_there(tx: &mut Tx, id: &TaskId) -> Result<bool> {
    let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM hf_tasks WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(tx.conn())
        .await?;
    Ok(found.is_some())
}

/// Removes a task and its parts, and gives the ids of all that is gone.
pub(super) async fn delete(tx: &mut Tx, id: &TaskId) -> Result<Vec<TaskId>> {
    let gone: Vec<String> =
        sqlx::query_scalar("DELETE FROM hf_tasks WHERE id = $1 OR parent = $1 RETURNING id")
            .bind(id.as_str())
            .fetch_all(tx.conn())
            .await?;
    gone.iter().map(|id| TaskId::parse(id)).collect()
}

/// All tasks, each with whether its end was told. Parts know what they are parts of, but not the other way round.
pub(super) async fn all(conn: &mut SqliteConnection) -> Result<Vec<(Task, bool)>> {
    sqlx::query("SELECT * FROM hf_tasks")
        .fetch_all(conn)
        .await?
        .iter()
        .map(|row| Ok((task(row)?, row.try_get::<i64, _>("told")? != 0)))
        .collect()
}

fn task(row: &SqliteRow) -> Result<Task> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let state: String = row.try_get("state")?;
    let percent: i64 = row.try_get("percent")?;
    let generation: i64 = row.try_get("generation")?;
    Ok(Task {
        id: TaskId::parse(row.try_get("id")?)?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        parent: text("parent")?.map(|t| TaskId::parse(&t)).transpose()?,
        parts: Vec::new(),
        subject: text("subject")?.map(|t| SystemId::parse(&t)).transpose()?,
        project: text("project")?.map(|t| ProjectId::parse(&t)).transpose()?,
        face: text("face")?.map(|t| SystemId::parse(&t)).transpose()?,
        owner: text("owner")?.map(|t| AccountId::parse(&t)).transpose()?,
        state: TaskState::ALL
            .into_iter()
            .find(|s| s.as_str() == state)
            .ok_or_else(|| {
                Error::internal("A stored task is in no known state.").with("state", state)
            })?,
        percent: u8::try_from(percent).unwrap_or(100),
        resumable: row.try_get::<i64, _>("resumable")? != 0,
        payload: serde_json::from_str(row.try_get("payload")?)?,
        request: text("request")?
            .map(|t| serde_json::from_str(&t))
            .transpose()?,
        messages: serde_json::from_str(row.try_get("messages")?)?,
        failure: text("failure")?
            .map(|t| serde_json::from_str(&t))
            .transpose()?,
        start: db::from_ms(row.try_get("start_ms")?)?,
        end: row
            .try_get::<Option<i64>, _>("end_ms")?
            .map(db::from_ms)
            .transpose()?,
        generation: u64::try_from(generation).unwrap_or_default(),
    })
}
