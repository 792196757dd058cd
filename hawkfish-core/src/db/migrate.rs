//! The one list of migrations. A file in `migrations/` and a line here; what was released is never edited.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;

use crate::error::{Conflict, Error, Result};

macro_rules! list {
    ($($version:literal $name:literal,)*) => {
        /// Version, name and SQL of each, in order.
        pub(super) const ALL: &[(i64, &str, &str)] = &[
            $(($version, $name, include_str!(concat!("../../migrations/", $name, ".sql"))),)*
        ];
    };
}

list! {
    1 "0001_base",
    2 "0002_accounts",
    3 "0003_sessions",
    4 "0004_tasks",
    100 "0100_systems",
    110 "0110_manager",
    120 "0120_logs",
    130 "0130_volumes",
    140 "0140_bios",
    150 "0150_telemetry",
    160 "0160_update",
    170 "0170_jobs",
    200 "0200_events",
    210 "0210_subscriptions",
    220 "0220_subtasks",
    230 "0230_later",
    240 "0240_faces",
}

pub(super) fn migrator(all: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = all
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(
                *version,
                Cow::Borrowed(name),
                MigrationType::Simple,
                Cow::Borrowed(sql),
                false,
            )
        })
        .collect();
    Migrator {
        migrations: Cow::Owned(migrations),
        ..Migrator::DEFAULT
    }
}

pub(super) async fn run(conn: &mut SqliteConnection) -> Result<()> {
    migrator(ALL).run_direct(conn).await.map_err(|e| match e {
        MigrateError::VersionMissing(version) => Error::conflict(
            Conflict::NotAllowed,
            format!("The database was made by a newer HawkFish (it has migration {version}); use that version, or another data directory."),
        ),
        MigrateError::VersionMismatch(version) => Error::conflict(
            Conflict::NotAllowed,
            format!("The database was made by another build of HawkFish (migration {version} differs); use that build, or another data directory."),
        ),
        e => Error::internal("The database could not be brought up to date.").caused_by(e),
    })
}
