//! Subscriptions of those who hold a stream open: in memory alone, gone with the stream.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::filter::Filter;
use super::hears::hears;
use super::meddle::Mailbox;
use super::subscription::{Kind, Retry, Subscription};
use crate::app::HawkFish;
use crate::ctx::{Ctx, Scope};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Format, Record, Told};
use crate::id::{AccountId, ProjectId, SubscriptionId, SystemId};

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
    face: Option<SystemId>,
    owner: Option<AccountId>,
    closed: CancellationToken,
    /// The last event before it was opened.
    after: u64,
    /// What it takes to the letter, where that was said.
    takes: OnceLock<Takes>,
    /// What goes to it another way than the plain one, in a simulation.
    pub(super) mailbox: Mailbox,
}

/// Whether a stream takes something.
struct Takes(Box<dyn Fn(&Record) -> bool + Send + Sync>);

impl fmt::Debug for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takes")
    }
}

impl Stream {
    pub(super) fn name(&self) -> Result<SubscriptionId> {
        SubscriptionId::parse(&format!("{PREFIX}{}", self.number))
    }

    /// Whether it is to have an event that is new.
    pub(super) fn is_to_have(&self, hf: &HawkFish, told: &Told, record: &Record) -> bool {
        told.seq() > self.after
            && match self.takes.get() {
                Some(takes) => (takes.0)(record),
                None => {
                    let format = self.new.format;
                    format.is_none_or(|format| format == record.format)
                        && self.new.filter.takes(record)
                }
            }
            && {
                let scope = self.face.clone().map(|face| Arc::new(Scope::of(face)));
                hears(hf, self.project.as_ref(), scope.as_ref(), told.happened())
            }
    }

    pub(super) fn shown(&self, last: u64) -> Result<Subscription> {
        let id = self.name()?;
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
            face: self.face.clone(),
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
        (now, after): (Timestamp, u64),
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
            face: ctx.face().cloned(),
            owner: ctx.account().cloned(),
            closed: CancellationToken::new(),
            after,
            takes: OnceLock::new(),
            mailbox: Mailbox::default(),
        });
        open.all.insert(number, stream.clone());
        let id = stream.name()?;
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

    /// Ends those that were opened at the face of a system; of `None` all.
    pub(super) fn cut(&self, face: Option<&SystemId>) {
        let gone: BTreeMap<_, _> = {
            let mut open = self.open_ones();
            let is_of = |stream: &Arc<Stream>| face.is_none() || stream.face.as_ref() == face;
            let all = std::mem::take(&mut open.all);
            let (gone, kept) = all.into_iter().partition(|(_, stream)| is_of(stream));
            open.all = kept;
            gone
        };
        for (_, stream) in gone {
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

    /// Says what it takes to the letter; its filter is only as near to that as lists can say it.
    pub fn set_takes(&self, takes: impl Fn(&Record) -> bool + Send + Sync + 'static) {
        // It is said once.
        let _ = self.stream.takes.set(Takes(Box::new(takes)));
    }

    /// Whether an event is not to go the plain way, because a simulation meddles with it.
    #[must_use]
    pub fn is_aside(&self, seq: u64) -> bool {
        self.stream.mailbox.is_aside(seq)
    }

    /// The first event that was kept back and is to go by then.
    #[must_use]
    pub fn take_kept_back(&self, now: Timestamp) -> Option<Arc<Told>> {
        self.stream.mailbox.take(now)
    }

    /// When something goes that was kept back.
    #[must_use]
    pub fn next_kept_back(&self) -> Option<Timestamp> {
        self.stream.mailbox.next()
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
