//! Where Rust's futures run for Python: those that a thread waits for, and those that an event loop awaits.
//!
//! No thread of ours ever touches Python. What is done for an event loop is put down for it and its thread woken by a byte on a socket, as by any connection: so
//! thousands of answers do not fight for the interpreter, and one that comes while the interpreter ends does no harm.

use std::collections::HashMap;
use std::future::Future;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;

/// What becomes of a call, made once Python has a moment for it.
pub(crate) type Give = Box<dyn FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send>;
/// A call on its way.
pub(crate) type Work = Pin<Box<dyn Future<Output = Give> + Send>>;

/// How long a Ctrl-C may go unnoticed.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

/// The process that it belongs to, and the runtime: the threads of one do not live on in a forked child.
static RUNTIME: Mutex<Option<(u32, Arc<Runtime>)>> = Mutex::new(None);

fn held<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

fn current() -> PyResult<Arc<Runtime>> {
    let me = std::process::id();
    let mut held = held(&RUNTIME);
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

/// An asyncio future of the running event loop. Cancelling it drops the work.
///
/// # Errors
/// No event loop runs in this thread.
pub(crate) fn later<'py>(py: Python<'py>, work: Work) -> PyResult<Bound<'py, PyAny>> {
    let runtime = current()?;
    let event_loop = running_loop(py)?;
    let bridge = Bridge::of(py, &event_loop)?;
    let future = event_loop.call_method0("create_future")?;
    let (shared, number) = (Arc::clone(&bridge.get().shared), bridge.get().number());
    let task = runtime.spawn(async move {
        let give = work.await;
        shared.put_down(number, give);
    });
    let abort = task.abort_handle();
    let first = {
        let mut waiting = held(&bridge.get().waiting);
        waiting.insert(number, (future.clone().unbind(), abort));
        waiting.len() == 1
    };
    if first {
        let drain = bridge.getattr("drain")?;
        let end = bridge.get().ours.as_raw_fd();
        event_loop.call_method1("add_reader", (end, drain))?;
    }
    let end = Ended {
        bridge: bridge.unbind(),
        number,
    };
    future.call_method1("add_done_callback", (end,))?;
    Ok(future)
}

fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static RUNNING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    RUNNING.import(py, "asyncio", "get_running_loop")?.call0()
}

/// What is done, for an event loop to fetch.
struct Shared {
    done: Mutex<Vec<(u64, Give)>>,
    theirs: UnixStream,
}

impl Shared {
    fn put_down(&self, number: u64, give: Give) {
        let first = {
            let mut done = held(&self.done);
            done.push((number, give));
            done.len() == 1
        };
        if first {
            // Where nobody reads any more, nobody waits; where the line is full, it is awake.
            let _ = (&self.theirs).write(&[0]);
        }
    }
}

/// Between our threads and one event loop.
#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Bridge {
    shared: Arc<Shared>,
    ours: UnixStream,
    waiting: Mutex<HashMap<u64, (Py<PyAny>, AbortHandle)>>,
    last: std::sync::atomic::AtomicU64,
}

impl Bridge {
    /// That of a loop. It goes with the loop, which it does not hold.
    fn of<'py>(py: Python<'py>, event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        static BRIDGES: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let bridges = BRIDGES.get_or_try_init(py, || {
            let weak = py.import("weakref")?.getattr("WeakKeyDictionary")?;
            PyResult::Ok(weak.call0()?.unbind())
        })?;
        let bridges = bridges.bind(py);
        let known = bridges.call_method1("get", (event_loop,))?;
        if let Ok(bridge) = known.cast_into::<Self>() {
            return Ok(bridge);
        }
        let made = Bound::new(py, Self::new().map_err(PyOSError::new_err)?)?;
        bridges.set_item(event_loop, &made)?;
        Ok(made)
    }

    fn new() -> std::io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok(Self {
            shared: Arc::new(Shared {
                done: Mutex::default(),
                theirs,
            }),
            ours,
            waiting: Mutex::default(),
            last: Default::default(),
        })
    }

    fn number(&self) -> u64 {
        self.last.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }

    /// Takes a call off the list; with the last one the loop listens no more.
    fn take(&self, py: Python<'_>, number: u64) -> PyResult<Option<(Py<PyAny>, AbortHandle)>> {
        let (taken, none_left) = {
            let mut waiting = held(&self.waiting);
            let taken = waiting.remove(&number);
            (taken, waiting.is_empty())
        };
        if taken.is_some() && none_left {
            running_loop(py)?.call_method1("remove_reader", (self.ours.as_raw_fd(),))?;
        }
        Ok(taken)
    }
}

#[pymethods]
impl Bridge {
    /// Ends the calls that are done; the loop calls it when it was woken.
    fn drain(&self, py: Python<'_>) -> PyResult<()> {
        let mut woken = [0; 64];
        loop {
            match (&self.ours).read(&mut woken) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        let done = std::mem::take(&mut *held(&self.shared.done));
        for (number, give) in done {
            // One that was cancelled is not on the list any more.
            let Some((future, _)) = self.take(py, number)? else {
                continue;
            };
            let future = future.bind(py);
            if future.call_method0("done")?.is_truthy()? {
                continue;
            }
            match give(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(error) => future.call_method1("set_exception", (error.into_value(py),))?,
            };
        }
        Ok(())
    }
}

/// Told when a future has ended, also by being cancelled.
#[pyclass(frozen, module = "hawkfish._native")]
struct Ended {
    bridge: Py<Bridge>,
    number: u64,
}

#[pymethods]
impl Ended {
    fn __call__(&self, py: Python<'_>, _future: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some((_, abort)) = self.bridge.get().take(py, self.number)? {
            abort.abort();
        }
        Ok(())
    }
}
