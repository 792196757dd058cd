//! Threads in which libvirt's calls block, so that nothing else does.
//!
//! Jobs on one machine run one after another, in the order in which they came; so a machine whose emulator hangs holds up one thread and no
//! other machine. When all threads are busy more are made, up to a bound; those go again when there is nothing to do.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::MachineKey;

type Run = Box<dyn FnOnce() + Send>;

struct Job {
    key: Option<MachineKey>,
    run: Run,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// Machines that a thread is at work on.
    busy: HashSet<MachineKey>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Queue {
    fn next(&mut self) -> Option<Job> {
        let ready = self
            .jobs
            .iter()
            .position(|job| job.key.is_none_or(|key| !self.busy.contains(&key)))?;
        let job = self.jobs.remove(ready)?;
        self.busy.extend(job.key);
        Some(job)
    }
}

struct Inner {
    name: String,
    /// Threads that stay.
    least: usize,
    most: usize,
    queue: Mutex<Queue>,
    ready: Condvar,
}

/// A pool of threads; they end when it is closed and what was begun is done.
pub(super) struct Pool(Mutex<Arc<Inner>>);

/// How long a thread above the least waits for work before it ends.
const IDLE: Duration = Duration::from_secs(30);

impl Pool {
    pub(super) fn new(name: String, least: usize, most: usize) -> Self {
        let least = least.max(1);
        Self(Mutex::new(Arc::new(Inner {
            name,
            least,
            most: most.max(least),
            queue: Mutex::default(),
            ready: Condvar::new(),
        })))
    }

    fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a job when a thread is free and no other job is at work on the same machine.
    pub(super) fn submit(&self, key: Option<MachineKey>, run: impl FnOnce() + Send + 'static) {
        let inner = self.inner();
        let mut queue = inner.queue();
        if queue.closed {
            return;
        }
        queue.jobs.push_back(Job {
            key,
            run: Box::new(run),
        });
        if queue.idle == 0 && queue.threads < inner.most {
            queue.threads += 1;
            let worker = Arc::clone(&inner);
            let spawned = std::thread::Builder::new()
                .name(format!("libvirt-{}", inner.name))
                .spawn(move || worker.work());
            if let Err(error) = spawned {
                queue.threads -= 1;
                tracing::error!(%error, host = inner.name, "no thread for libvirt's calls");
                if queue.threads == 0 {
                    // Nobody would ever run it; dropping it tells who waits for it.
                    queue.jobs.clear();
                }
            }
        }
        drop(queue);
        inner.ready.notify_one();
    }

    /// Lets no more job begin.
    pub(super) fn close(&self) {
        self.inner().close();
    }

    /// Begins anew: drops the jobs that wait, and lets go of the threads at work, whose calls may never return. They end when those do.
    pub(super) fn abandon(&self) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = Queue {
            closed: inner.queue().closed,
            ..Queue::default()
        };
        let fresh = Inner {
            name: inner.name.clone(),
            least: inner.least,
            most: inner.most,
            queue: Mutex::new(queue),
            ready: Condvar::new(),
        };
        let old = std::mem::replace(&mut *inner, Arc::new(fresh));
        drop(inner);
        old.close();
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        let left = std::mem::take(&mut queue.jobs);
        drop(queue);
        self.ready.notify_all();
        drop(left);
    }

    fn work(&self) {
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.next() {
                drop(queue);
                // A job that panics drops its answer, which its caller notices; the thread goes on.
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job.run));
                queue = self.queue();
                if let Some(key) = job.key {
                    queue.busy.remove(&key);
                    // Another job may have waited for this machine.
                    self.ready.notify_one();
                }
                continue;
            }
            if queue.closed {
                break;
            }
            queue.idle += 1;
            let (again, waited) = self
                .ready
                .wait_timeout(queue, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = again;
            queue.idle -= 1;
            if waited.timed_out() && queue.jobs.is_empty() && queue.threads > self.least {
                break;
            }
        }
        queue.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use uuid::Uuid;

    use super::*;

    fn key(n: u128) -> Option<MachineKey> {
        Some(MachineKey(Uuid::from_u128(n)))
    }

    #[test]
    fn a_machine_that_hangs_holds_up_no_other() {
        let pool = Pool::new("test".to_owned(), 1, 3);
        let (release, hang) = mpsc::channel::<()>();
        let (said, heard) = mpsc::channel();
        pool.submit(key(1), move || hang.recv().unwrap());
        for n in 0..20 {
            let said = said.clone();
            pool.submit(key(1), move || said.send(n).unwrap());
        }
        for n in 100..120 {
            let said = said.clone();
            pool.submit(key(2), move || said.send(n).unwrap());
        }
        let others: Vec<i32> = heard.iter().take(20).collect();
        assert_eq!(others, (100..120).collect::<Vec<_>>());
        release.send(()).unwrap();
        let own: Vec<i32> = heard.iter().take(20).collect();
        assert_eq!(own, (0..20).collect::<Vec<_>>());
    }

    #[test]
    fn a_job_that_panics_takes_nothing_with_it() {
        let pool = Pool::new("test".to_owned(), 1, 1);
        let (said, heard) = mpsc::channel();
        pool.submit(key(1), || panic!("on purpose"));
        pool.submit(key(1), move || said.send(()).unwrap());
        heard.recv().unwrap();
    }

    #[test]
    fn threads_that_hang_are_let_go_and_their_machines_are_served_by_others() {
        let pool = Pool::new("test".to_owned(), 1, 1);
        let (release, hang) = mpsc::channel::<()>();
        let (said, heard) = mpsc::channel();
        let done = said.clone();
        pool.submit(key(1), move || {
            done.send("begun").unwrap();
            hang.recv().unwrap();
            done.send("late").unwrap();
        });
        assert_eq!(heard.recv(), Ok("begun"));
        let never = said.clone();
        pool.submit(key(1), move || never.send("never").unwrap());
        pool.abandon();
        pool.submit(key(1), move || said.send("anew").unwrap());
        assert_eq!(heard.recv(), Ok("anew"));
        release.send(()).unwrap();
        assert_eq!(heard.recv(), Ok("late"));
        pool.close();
        pool.abandon();
        pool.submit(key(1), || unreachable!("it is closed"));
        // All that could still say something is gone.
        assert!(heard.recv().is_err());
    }
}
