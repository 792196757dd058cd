//! What all streams share: one task that makes blocks of new events and wakes whoever waits for them.
//!
//! To write to thousands of connections costs far more than what is written, so events that follow close upon each other go out together: the first after a
//! pause at once, the next ones [`GAP`] later. A stream is never waited for. It holds the number that it has come to and takes what follows when its connection
//! can take more; who is slow falls behind the blocks, then behind what is in memory, and reads from the store.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use futures::task::AtomicWaker;
use hawkfish_core::clock::Clock;
use hawkfish_core::events::Events;
use hawkfish_core::subscriptions::Subscriptions;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, MissedTickBehavior};

use super::block::{Block, Ring, blocks};
use crate::HawkFish;
use crate::serve::Hangup;

/// The least time between two rounds of writing.
const GAP: Duration = Duration::from_millis(8);
/// How much longer it is for each stream: about what writing to one costs, so that a round is over before the next begins, and what comes meanwhile goes
/// along instead of waiting in line.
const GAP_EACH: Duration = Duration::from_micros(8);
/// The clock of keep-alives and stuck connections.
const TICK: Duration = Duration::from_secs(1);
/// A stream that was silent for so many ticks says that it is alive. Clients and proxies give up after 30 seconds, the quick ones.
const SILENT: u32 = 10;
/// A connection that took nothing for so many ticks is given up.
const STUCK: u32 = 300;
/// How long connections have to take the end of their streams before they are cut.
const GRACE: Duration = Duration::from_secs(2);
/// Most events read at once.
const BATCH: usize = 512;
/// How many streams read from the store at a time.
const READERS: usize = 4;

/// What all streams share.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) events: Events,
    pub(super) subscriptions: Subscriptions,
    pub(super) clock: Arc<dyn Clock>,
    ring: RwLock<Ring>,
    /// The newest event of which streams were told.
    published: AtomicU64,
    seats: Mutex<Seats>,
    ticks: AtomicU32,
    closing: AtomicBool,
    /// Somebody left.
    left: Notify,
    /// A place for each who reads from the store.
    pub(super) readers: Semaphore,
}

#[derive(Debug, Default)]
struct Seats {
    all: Vec<Arc<Seat>>,
    /// Whether the task runs; it ends when nobody is there.
    running: bool,
}

/// The place of one stream.
#[derive(Debug, Default)]
pub(super) struct Seat {
    pub(super) waker: AtomicWaker,
    /// Where it is among all.
    at: AtomicUsize,
    /// When it last sent something, in ticks.
    sent: AtomicU32,
    hangup: Option<Hangup>,
}

impl Hub {
    pub(super) fn new(hf: &HawkFish) -> Self {
        Self {
            events: hf.events(),
            subscriptions: hf.subscriptions(),
            clock: hf.clock().clone(),
            ring: RwLock::default(),
            published: AtomicU64::new(0),
            seats: Mutex::default(),
            ticks: AtomicU32::new(SILENT),
            closing: AtomicBool::new(false),
            left: Notify::new(),
            readers: Semaphore::new(READERS),
        }
    }

    /// A place for a stream.
    pub(super) fn sit(self: &Arc<Self>, hangup: Option<Hangup>) -> Arc<Seat> {
        let mut seats = self.seats.lock().expect("seats");
        let at = seats.all.len();
        // Streams that were opened together do not say together that they are alive.
        let spread = u32::try_from(at).unwrap_or_default() % (SILENT / 2);
        let seat = Arc::new(Seat {
            at: AtomicUsize::new(at),
            sent: AtomicU32::new(self.now().saturating_sub(spread)),
            hangup,
            ..Seat::default()
        });
        seats.all.push(seat.clone());
        if !std::mem::replace(&mut seats.running, true) {
            self.published.store(self.events.last(), Ordering::Release);
            tokio::spawn(self.clone().run());
        }
        seat
    }

    /// Gives a place back.
    pub(super) fn leave(&self, seat: &Seat) {
        let mut seats = self.seats.lock().expect("seats");
        let at = seat.at.load(Ordering::Relaxed);
        seats.all.swap_remove(at);
        if let Some(moved) = seats.all.get(at) {
            moved.at.store(at, Ordering::Relaxed);
        }
        if seats.all.is_empty() {
            drop(seats);
            self.left.notify_one();
        }
    }

    /// Ends all streams, and lets nobody open another.
    pub(super) fn close(self: &Arc<Self>) {
        self.closing.store(true, Ordering::Release);
        self.wake();
        let hub = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GRACE).await;
            for seat in &hub.seats.lock().expect("seats").all {
                seat.hang_up();
            }
        });
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    fn now(&self) -> u32 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Notes that something goes out.
    pub(super) fn sends(&self, seat: &Seat) {
        seat.sent.store(self.now(), Ordering::Relaxed);
    }

    /// Whether it is time to say that the stream is alive.
    pub(super) fn is_silent(&self, seat: &Seat) -> bool {
        self.now().saturating_sub(seat.sent.load(Ordering::Relaxed)) >= SILENT
    }

    /// The newest event of which streams were told.
    pub(super) fn published(&self) -> u64 {
        self.published.load(Ordering::Acquire)
    }

    /// The block with the event that follows `seq`, if it is kept.
    pub(super) fn block(&self, seq: u64) -> Option<Arc<Block>> {
        self.ring.read().expect("ring").after(seq)
    }

    async fn run(self: Arc<Self>) {
        let mut newest = self.events.watch();
        // Something may have come since somebody sat down.
        newest.mark_changed();
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes at once.
        ticks.tick().await;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                changed = newest.changed() => {
                    if changed.is_err() {
                        // The store is closed: there will be no more.
                        self.close();
                        return;
                    }
                    tokio::time::sleep_until(next).await;
                    newest.mark_unchanged();
                    self.publish();
                    let streams = self.wake();
                    next = Instant::now() + GAP.max(GAP_EACH * streams);
                }
                _ = ticks.tick() => self.tick(),
                () = self.left.notified() => {
                    let mut seats = self.seats.lock().expect("seats");
                    if seats.all.is_empty() {
                        self.ring.write().expect("ring").clear();
                        seats.running = false;
                        return;
                    }
                }
            }
        }
    }

    /// Makes blocks of what is new.
    fn publish(&self) {
        let Some(telling) = self.events.telling() else {
            return;
        };
        // Before anybody reads what is new.
        self.subscriptions.meddle();
        let mut at = self.published();
        loop {
            let Some(new) = self.events.recent(at, BATCH) else {
                // More came than memory holds: all streams read from the store.
                self.ring.write().expect("ring").clear();
                at = self.events.last();
                break;
            };
            let Some(last) = new.last() else {
                break;
            };
            let through = last.seq();
            // Made before anybody is kept waiting.
            let blocks = blocks(at, &new, &*telling);
            self.ring.write().expect("ring").extend(blocks);
            at = through;
        }
        self.published.store(at, Ordering::Release);
    }

    /// Wakes all streams, and says how many there are.
    fn wake(&self) -> u32 {
        let seats = self.seats.lock().expect("seats");
        for seat in &seats.all {
            seat.waker.wake();
        }
        u32::try_from(seats.all.len()).unwrap_or(u32::MAX)
    }

    fn tick(&self) {
        let now = self.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        for seat in &self.seats.lock().expect("seats").all {
            let silent = now.saturating_sub(seat.sent.load(Ordering::Relaxed));
            if silent >= STUCK {
                seat.hang_up();
            } else if silent >= SILENT {
                seat.waker.wake();
            }
        }
    }
}

impl Seat {
    fn hang_up(&self) {
        if let Some(hangup) = &self.hangup {
            hangup.now();
        }
    }
}
