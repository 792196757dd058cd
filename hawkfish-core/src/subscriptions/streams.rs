//! Subscriptions of those who hold a stream open: in memory alone, gone with the stream.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::filter::Filter;
use super::subscription::{Kind, Retry, Subscription};
use crate::ctx::Ctx;
use crate::error::{Error, ErrorKind, Result};
use crate::events::Format;
use crate::id::{AccountId, ProjectId, SubscriptionId};

/// What the ids of streams begin with.
pub(super) const PREFIX: &str = "stream-";

/// A stream to be opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewStream {
    /// What is to be heard.
    pub filter: Filter,
    /// Events or reports; `None` for both.
    pub format: Option<Format>,
    /// What the client wants to be called.
    pub context: Option<String>,
}

#[derive(Debug)]
pub(super) struct Stream {
    number: u64,
    new: NewStream,
    made: Timestamp,
    pub(super) project: Option<ProjectId>,
    owner: Option<AccountId>,
    closed: CancellationToken,
}

impl Stream {
    pub(super) fn shown(&self, last: u64) -> Result<Subscription> {
        let id = SubscriptionId::parse(&format!("{PREFIX}{}", self.number))?;
        Ok(Subscription {
            name: format!("Stream {}", self.number),
            id,
            kind: Kind::Stream,
            destination: None,
            context: self.new.context.clone(),
            filter: self.new.filter.clone(),
            format: self.new.format.unwrap_or(Format::Event),
            headers: 0,
            signed: false,
            retry: Retry::default(),
            verify_certificate: true,
            heartbeat: None,
            backups: Vec::new(),
            suspended: false,
            through: last,
            pending: 0,
            attempts: 0,
            next_attempt: None,
            last_failure: None,
            last_delivered: None,
            delivered: 0,
            lost: 0,
            dead: 0,
            made: self.made,
            generation: 1,
            project: self.project.clone(),
            owner: self.owner.clone(),
        })
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    all: BTreeMap<u64, Arc<Stream>>,
}

impl Streams {
    fn open_ones(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(
        self: &Arc<Self>,
        ctx: &Ctx,
        new: NewStream,
        now: Timestamp,
        most: usize,
    ) -> Result<OpenStream> {
        let mut open = self.open_ones();
        if open.all.len() >= most {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "streams" },
                "There are too many open streams.",
            ));
        }
        open.last += 1;
        let number = open.last;
        let stream = Arc::new(Stream {
            number,
            new,
            made: now,
            project: ctx.project.clone(),
            owner: ctx.account().cloned(),
            closed: CancellationToken::new(),
        });
        open.all.insert(number, stream.clone());
        let id = SubscriptionId::parse(&format!("{PREFIX}{number}"))?;
        Ok(OpenStream {
            id,
            stream,
            of: self.clone(),
        })
    }

    pub(super) fn all(&self) -> Vec<Arc<Stream>> {
        self.open_ones().all.values().cloned().collect()
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<Stream>> {
        self.open_ones().all.get(&number).cloned()
    }

    pub(super) fn wants_reports(&self) -> bool {
        let open = self.open_ones();
        open.all
            .values()
            .any(|stream| stream.new.format != Some(Format::Event))
    }

    /// Ends one.
    pub(super) fn close(&self, number: u64) {
        let gone = self.open_ones().all.remove(&number);
        if let Some(stream) = gone {
            stream.closed.cancel();
        }
    }

    /// Ends all of them.
    pub(super) fn close_all(&self) {
        let all = std::mem::take(&mut self.open_ones().all);
        for stream in all.values() {
            stream.closed.cancel();
        }
    }
}

/// A stream that is open. The subscription ends with it.
#[derive(Debug)]
pub struct OpenStream {
    id: SubscriptionId,
    stream: Arc<Stream>,
    of: Arc<Streams>,
}

impl OpenStream {
    /// The id of the subscription.
    #[must_use]
    pub fn id(&self) -> &SubscriptionId {
        &self.id
    }

    /// Returns when the stream is to end: its subscription was deleted, or nothing is delivered any more.
    pub fn closed(&self) -> WaitForCancellationFutureOwned {
        self.stream.closed.clone().cancelled_owned()
    }

    /// Whether it is to end.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stream.closed.is_cancelled()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.of.close(self.stream.number);
    }
}
