//! Runs Rust's futures for Python: those that a thread waits for, and those of asyncio.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{self, ContextExt, JoinError};
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

/// An awaitable of the running event loop. Cancelling it drops the future.
///
/// # Errors
/// No event loop runs in this thread.
pub(crate) fn future<'py, T>(
    py: Python<'py>,
    future: impl Future<Output = PyResult<T>> + Send + 'static,
) -> PyResult<Bound<'py, PyAny>>
where
    T: for<'any> IntoPyObject<'any> + Send + 'static,
{
    // It is there before something is spawned on it, where an error could not be told.
    current()?;
    generic::future_into_py::<Threads, _, T>(py, future)
}

/// The runtime of this process, as the bridge to asyncio wants it.
struct Threads;

struct Joined(tokio::task::JoinError);

impl JoinError for Joined {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

type Handle = Pin<Box<dyn Future<Output = Result<(), Joined>> + Send>>;

fn handle(task: tokio::task::JoinHandle<()>) -> Handle {
    Box::pin(async move { task.await.map_err(Joined) })
}

tokio::task_local! {
    static LOCALS: OnceCell<TaskLocals>;
}

impl generic::Runtime for Threads {
    type JoinError = Joined;
    type JoinHandle = Handle;

    fn spawn<F>(future: F) -> Handle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        handle(current().expect("it was made before").spawn(future))
    }

    fn spawn_blocking<F>(work: F) -> Handle
    where
        F: FnOnce() + Send + 'static,
    {
        handle(current().expect("it was made before").spawn_blocking(work))
    }
}

impl ContextExt for Threads {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(OnceCell::from(locals), future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        let locals = LOCALS.try_with(|locals| locals.get().cloned());
        locals.ok().flatten()
    }
}
