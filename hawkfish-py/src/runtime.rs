//! Waits for Rust's futures from Python's threads.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tokio::runtime::Runtime;

/// How long a Ctrl-C may go unnoticed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// The process that it belongs to, and the runtime: the threads of one do not live on in a forked child.
static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

fn current() -> PyResult<Arc<Runtime>> {
    let me = std::process::id();
    let mut held = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    match &*held {
        Some((process, runtime)) if *process == me => return Ok(runtime.clone()),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("hawkfish")
        .enable_all()
        .build()
        .map_err(|error| PyRuntimeError::new_err(format!("no threads for hawkfish: {error}")))?;
    let runtime = Arc::new(runtime);
    // Ending the parent's would wait for threads that are not here.
    std::mem::forget(held.replace((me, runtime.clone())));
    Ok(runtime)
}

/// Runs a future to its end while other Python threads run, too; Ctrl-C ends it.
pub(crate) fn wait<T: Send>(py: Python<'_>, future: impl Future<Output = T> + Send) -> PyResult<T> {
    let runtime = current()?;
    let mut future = Box::pin(future);
    loop {
        let waited = py.detach(|| {
            runtime.block_on(async { tokio::time::timeout(SIGNALS_EVERY, &mut future).await })
        });
        match waited {
            Ok(value) => return Ok(value),
            Err(_still_at_work) => py.check_signals()?,
        }
    }
}
