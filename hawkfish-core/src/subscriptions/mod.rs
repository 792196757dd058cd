//! Subscriptions: who wants to hear what, and the delivery of it.
//!
//! The outbox is the stream itself with a cursor for each destination: nothing is copied, and a destination is done with an event once its cursor is behind it.
//! So order is that of the stream, and what a crash may repeat is what was sent since the cursor was last stored. Cursors go along with the next commit, or within a
//! second, and are stored when HawkFish ends in order.
//!
//! Each destination has one worker at most, which ends when nothing is left to be sent; a slow or dead one holds up nobody else. What is tried again is a row in
//! `due`. What a destination does not take in the end becomes a dead letter, with its own copy of the event, to be looked at, sent once more, or dropped.
//!
//! Those who hold a stream open are shown here and known in memory alone; they read the stream of events themselves.

mod check;
mod courier;
mod dead;
mod deliver;
mod destination;
mod filter;
mod hears;
mod keep;
mod machine;
mod meddle;
mod next;
mod rows;
mod sign;
mod streams;
mod subscription;
mod verbs;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use self::destination::{Destination, Facts, State};
use self::machine::{Delivery, Event as Occurrence, Rules};
use self::streams::Streams;
use crate::app::HawkFish;
use crate::clock::Clock;
use crate::db::{Store, settings};
use crate::error::Result;
use crate::events::Format;
use crate::outgoing::Policy;

pub use courier::{Courier, Parcel, Refusal};
pub use filter::Filter;
pub use machine::MOST_BACKOFF;
pub use meddle::{Errand, Fate, Meddler};
pub use streams::{NewStream, OpenStream};
pub use subscription::{
    DeadLetter, Kind, LastFailure, NewSubscription, Retry, ServiceSettings, Subscription,
    SubscriptionChange,
};

/// The kind of the due row of what is tried again; its subject is the subscription.
pub const DUE_RETRY: &str = "subscription.retry";
/// The kind of the due row of the next heartbeat; its subject is the subscription.
pub const DUE_HEARTBEAT: &str = "subscription.heartbeat";

const SETTINGS: &str = "subscriptions";

/// What the operator says about subscriptions.
#[derive(Clone, Debug)]
pub struct SubscriptionSettings {
    /// Where events may be sent; `None` is as for images.
    pub policy: Option<Arc<Policy>>,
    /// Authorities that destinations may use beside the public ones: PEM; `None` is as for images.
    pub authorities: Option<Vec<Arc<[u8]>>>,
    /// Most destinations at each face.
    pub most: usize,
    /// Most open streams.
    pub most_streams: usize,
    /// Most dead letters of a destination: the oldest go.
    pub most_dead: usize,
    /// Most dead letters of all destinations, with some to spare for each.
    pub most_dead_of_all: usize,
    /// Most events in one request.
    pub batch: usize,
    /// Most bytes of the events in one request; a larger one goes alone.
    pub batch_bytes: usize,
    /// What carries requests; `None` is HTTP.
    pub courier: Option<Arc<dyn Courier>>,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self {
            policy: None,
            authorities: None,
            most: 1_000,
            most_streams: 10_000,
            most_dead: 10_000,
            most_dead_of_all: 50_000,
            batch: 100,
            batch_bytes: 64 << 10,
            courier: None,
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) settings: SubscriptionSettings,
    policy: Arc<Policy>,
    courier: Arc<dyn Courier>,
    /// Changed after a commit.
    service: RwLock<ServiceSettings>,
    /// Changed after a commit.
    all: RwLock<BTreeMap<u64, Arc<Destination>>>,
    streams: Arc<Streams>,
    /// What goes wrong on the way, in a simulation.
    meddling: meddle::Meddling,
    /// Held from the decision to add a destination until it is there.
    gate: tokio::sync::Mutex<()>,
    /// Told when there are other destinations than before.
    changed: Notify,
    /// How many destinations are being delivered to.
    busy: watch::Sender<usize>,
    /// How many dead letters there are.
    dead: AtomicUsize,
}

impl Room {
    /// The subscriptions of a store. `policy` and `authorities` count where the settings say nothing.
    pub(crate) async fn open(
        store: &Store,
        clock: &Arc<dyn Clock>,
        settings: SubscriptionSettings,
        policy: &Arc<Policy>,
        authorities: &[Arc<[u8]>],
    ) -> Result<Self> {
        let (service, all, mut letters) = store
            .read(|conn| {
                Box::pin(async move {
                    let service: Option<ServiceSettings> = settings::get(conn, SETTINGS).await?;
                    let all = rows::all(conn).await?;
                    Ok((service, all, rows::letters(conn).await?))
                })
            })
            .await?;
        let service = service.unwrap_or_default();
        let dead = letters.values().map(BTreeMap::len).sum::<usize>();
        let all = all
            .into_iter()
            .map(|(id, facts, delivery)| {
                let rules = rules(&facts, &service, clock.now(), &delivery);
                let (delivery, _) = delivery.event(&rules, Occurrence::Restarted);
                let dead = letters.remove(&id).unwrap_or_default();
                let again = dead.values().filter(|letter| letter.replaying);
                let state = State {
                    stored: delivery.through,
                    delivery,
                    running: false,
                    again: again.map(|letter| letter.seq).collect(),
                    dead,
                };
                (id, Arc::new(Destination::new(id, facts, state)))
            })
            .collect();
        let policy = settings.policy.clone().unwrap_or_else(|| policy.clone());
        let courier = settings.courier.clone().unwrap_or_else(|| {
            let given = settings.authorities.clone();
            let authorities = given.unwrap_or_else(|| authorities.to_vec());
            Arc::new(courier::Http::new(
                policy.clone(),
                authorities,
                clock.clone(),
            ))
        });
        Ok(Self {
            settings,
            policy,
            courier,
            service: RwLock::new(service),
            all: RwLock::new(all),
            streams: Arc::default(),
            meddling: meddle::Meddling::default(),
            gate: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            busy: watch::Sender::new(0),
            dead: AtomicUsize::new(dead),
        })
    }
}

/// What counts for a destination now.
fn rules(facts: &Facts, service: &ServiceSettings, now: Timestamp, delivery: &Delivery) -> Rules {
    // A step of SplitMix64: the same at each repetition of a simulation, whoever else waits.
    let tries = delivery.through.rotate_left(32) ^ u64::from(delivery.attempts);
    let mut jitter = facts.seed ^ tries.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    jitter = (jitter ^ (jitter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    jitter = (jitter ^ (jitter >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Rules {
        now,
        retry: facts.retry,
        attempts: service.attempts,
        interval: service.interval,
        jitter: jitter ^ (jitter >> 31),
    }
}

impl Room {
    fn service(&self) -> ServiceSettings {
        *self.service.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn destinations(&self) -> Vec<Arc<Destination>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }

    fn destination(&self, number: u64) -> Option<Arc<Destination>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.get(&number).cloned()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<u64, Arc<Destination>>)) {
        change(&mut self.all.write().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_one();
    }

    /// Whether there is nobody to deliver to.
    pub(crate) fn is_empty(&self) -> bool {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.is_empty()
    }

    /// Returns when there are other destinations than before.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Whether anybody wants to hear of reports: else nobody need be told of them.
    pub(crate) fn wants_reports(&self) -> bool {
        self.streams.wants_reports()
            || self
                .destinations()
                .iter()
                .any(|one| one.facts().format == Format::MetricReport)
    }

    /// Ends all streams.
    pub(crate) fn close_streams(&self) {
        self.streams.close_all();
    }
}

/// Subscriptions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    hf: HawkFish,
}

impl HawkFish {
    /// Who wants to hear what, and how far the deliveries are.
    #[must_use]
    pub fn subscriptions(&self) -> Subscriptions {
        Subscriptions { hf: self.clone() }
    }
}
