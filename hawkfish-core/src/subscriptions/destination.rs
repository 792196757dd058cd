//! A destination in memory: what a client said of it, how far it is, and its dead letters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::filter::Filter;
use super::machine::{Delivery, Life};
use super::meddle::Mailbox;
use super::subscription::{DeadLetter, Kind, Retry, Subscription};
use crate::ctx::Scope;
use crate::error::Result;
use crate::events::Format;
use crate::id::{AccountId, ProjectId, SubscriptionId};

/// What a client said of a destination. With its secrets: it is stored, and never shown.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) name: String,
    #[serde(with = "url_text")]
    pub(super) destination: Url,
    pub(super) context: Option<String>,
    pub(super) filter: Filter,
    pub(super) format: Format,
    pub(super) headers: Vec<(String, String)>,
    pub(super) secret: Option<String>,
    pub(super) retry: Retry,
    pub(super) verify_certificate: bool,
    pub(super) heartbeat: Option<SignedDuration>,
    #[serde(with = "url_texts")]
    pub(super) backups: Vec<Url>,
    pub(super) project: Option<ProjectId>,
    #[serde(default)]
    pub(super) scope: Option<Arc<Scope>>,
    pub(super) owner: Option<AccountId>,
    pub(super) made: Timestamp,
    pub(super) generation: u64,
    /// Where the chance in its waits comes from: drawn once, so that no other destination's waits shift this one's.
    pub(super) seed: u64,
}

mod url_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(url: &Url, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(url.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Url, D::Error> {
        let text = String::deserialize(from)?;
        Url::parse(&text).map_err(de::Error::custom)
    }
}

mod url_texts {
    use serde::{Deserialize as _, Deserializer, Serializer, de};
    use url::Url;

    pub(super) fn serialize<S: Serializer>(urls: &[Url], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(urls.iter().map(Url::as_str))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Url>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let urls = texts.iter().map(|text| Url::parse(text));
        urls.collect::<Result<_, _>>().map_err(de::Error::custom)
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("name", &self.name)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What changes while it is delivered to.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) delivery: Delivery,
    /// Somebody is at work on it.
    pub(super) running: bool,
    /// What is stored of `delivery.through`, at least.
    pub(super) stored: u64,
    /// The dead letters, by the place of their events.
    pub(super) dead: BTreeMap<u64, Arc<DeadLetter>>,
    /// Those of them that are to be sent once more.
    pub(super) again: BTreeSet<u64>,
}

/// A destination.
#[derive(Debug)]
pub(super) struct Destination {
    pub(super) id: u64,
    /// Changed after a commit.
    facts: RwLock<Arc<Facts>>,
    state: Mutex<State>,
    /// What goes to it another way than the plain one, in a simulation.
    pub(super) mailbox: Mailbox,
    /// Held from the decision to change the state until it has changed, so that what is stored is stored in that order.
    pub(super) gate: tokio::sync::Mutex<()>,
    /// Whether the state is to be stored with the next commit.
    pub(super) dirty: AtomicBool,
    /// Ends what is under way, because the destination is gone.
    pub(super) gone: CancellationToken,
}

impl Destination {
    pub(super) fn new(id: u64, facts: Facts, state: State) -> Self {
        Self {
            id,
            facts: RwLock::new(Arc::new(facts)),
            state: Mutex::new(state),
            mailbox: Mailbox::default(),
            gate: tokio::sync::Mutex::default(),
            dirty: AtomicBool::default(),
            gone: CancellationToken::new(),
        }
    }

    pub(super) fn facts(&self) -> Arc<Facts> {
        let facts = self.facts.read().unwrap_or_else(PoisonError::into_inner);
        facts.clone()
    }

    pub(super) fn set_facts(&self, facts: Arc<Facts>) {
        *self.facts.write().unwrap_or_else(PoisonError::into_inner) = facts;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn name(&self) -> Result<SubscriptionId> {
        SubscriptionId::parse(&self.id.to_string())
    }

    /// As it may be shown, while the newest event is `last`.
    pub(super) fn shown(&self, last: u64) -> Result<Subscription> {
        let facts = self.facts();
        let id = self.name()?;
        let state = self.state();
        let delivery = &state.delivery;
        Ok(Subscription {
            id,
            kind: Kind::Webhook,
            name: facts.name.clone(),
            destination: Some(facts.destination.clone()),
            context: facts.context.clone(),
            filter: facts.filter.clone(),
            format: facts.format,
            headers: facts.headers.len(),
            signed: facts.secret.is_some(),
            retry: facts.retry,
            verify_certificate: facts.verify_certificate,
            heartbeat: facts.heartbeat,
            backups: facts.backups.clone(),
            suspended: delivery.life == Life::Suspended,
            through: delivery.through,
            pending: last.saturating_sub(delivery.through),
            attempts: delivery.attempts,
            next_attempt: match delivery.life {
                Life::Waiting { until } => Some(until),
                _ => None,
            },
            last_failure: delivery.failure.clone(),
            last_delivered: delivery.arrived,
            delivered: delivery.delivered,
            lost: delivery.lost,
            dead: state.dead.len() as u64,
            made: facts.made,
            generation: facts.generation,
            project: facts.project.clone(),
            face: facts.scope.as_ref().map(|scope| scope.system.clone()),
            owner: facts.owner.clone(),
        })
    }
}
