//! A few connections that only read.
//!
//! Not sqlx's pool: its time-outs run on tokio's clock, which a test may have stopped or made to jump.

use std::sync::Mutex;

use futures::future::BoxFuture;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tokio::sync::Semaphore;

use super::closed;
use crate::error::Result;

const MOST: u32 = 4;

#[derive(Debug)]
pub(super) struct Readers {
    options: SqliteConnectOptions,
    permits: Semaphore,
    idle: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    pub(super) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            permits: Semaphore::new(MOST as usize),
            idle: Mutex::default(),
        }
    }

    pub(super) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> BoxFuture<'c, Result<T>>,
    {
        let _permit = self.permits.acquire().await.map_err(|_| closed())?;
        let idle = self.idle.lock().expect("readers").pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => SqliteConnection::connect_with(&self.options).await?,
        };
        let result = work(&mut conn).await;
        // Work that panicked or was dropped did not get here, and its connection went with it.
        self.idle.lock().expect("readers").push(conn);
        result
    }

    pub(super) async fn close(&self) {
        // Waits for those at work, then lets nobody in.
        if let Ok(permits) = self.permits.acquire_many(MOST).await {
            self.permits.close();
            permits.forget();
        }
        let idle = std::mem::take(&mut *self.idle.lock().expect("readers"));
        for conn in idle {
            if let Err(error) = conn.close().await {
                tracing::warn!(%error, "a database connection did not close");
            }
        }
    }
}
