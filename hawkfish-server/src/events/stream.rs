//! One stream: the body of an answer that goes on until somebody ends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use hawkfish_core::accounts::Account;
use hawkfish_core::ctx::{Actor, Ctx, Privilege};
use hawkfish_core::error::Result;
use hawkfish_core::events::{Telling, Told};
use hawkfish_core::subscriptions::OpenStream;
use hyper::body::{Body, Frame};
use jiff::Timestamp;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::block::frame;
use super::hub::{Hub, Seat};
use super::wanted::Wanted;
use crate::HawkFish;

/// How many events a stream that is behind takes at a time.
const AT_ONCE: usize = 64;
/// How often a stream goes on without having found anything before others get their turn.
const TURNS: usize = 8;
/// What says that a silent stream is alive: a comment.
const ALIVE: Bytes = Bytes::from_static(b":\n\n");

/// Who listens.
#[derive(Debug)]
pub(super) struct Listener {
    hf: HawkFish,
    ctx: Ctx,
    /// As it was when it began to listen.
    account: Option<Arc<Account>>,
}

impl Listener {
    pub(super) fn of(hf: &HawkFish, ctx: &Ctx) -> Self {
        let account = match &ctx.actor {
            Actor::Account { id, .. } => hf.accounts().get(id).ok(),
            Actor::Service | Actor::Anonymous => None,
        };
        Self {
            hf: hf.clone(),
            ctx: ctx.clone(),
            account,
        }
    }

    /// Whether it may go on: not when the account may no longer log in, nor when it has another password.
    fn may(&self) -> bool {
        let accounts = self.hf.accounts();
        self.account.as_ref().is_some_and(|before| {
            accounts.get(&before.id).is_ok_and(|now| {
                now.enabled
                    && now.has_password_of(before)
                    && accounts.privileges(&now).contains(&Privilege::Login)
            })
        })
    }

    /// Whether it sees all there is, so that nobody need look at each event.
    pub(super) fn hears_all(&self) -> bool {
        self.ctx.project.is_none() && self.ctx.scope.is_none()
    }

    pub(super) fn hears(&self, told: &Told) -> bool {
        self.hears_all() || self.hf.subscriptions().hears(&self.ctx, told.happened())
    }
}

type Reading = BoxFuture<'static, Result<Vec<Arc<Told>>>>;

/// The body.
pub(super) struct Stream {
    pub(super) hub: Arc<Hub>,
    pub(super) seat: Arc<Seat>,
    pub(super) listener: Listener,
    /// Its subscription, which ends with this.
    pub(super) open: OpenStream,
    /// Done when the subscription is ended.
    pub(super) closed: Pin<Box<WaitForCancellationFutureOwned>>,
    pub(super) wanted: Arc<Wanted>,
    /// The event that it has come to.
    pub(super) at: u64,
    /// What is said first.
    pub(super) first: Option<Bytes>,
    pub(super) reading: Option<Reading>,
    /// Done when something goes that was kept back.
    pub(super) sleeping: Option<(Timestamp, BoxFuture<'static, ()>)>,
    pub(super) over: bool,
}

/// What there is for a stream now.
enum Next {
    Bytes(Bytes),
    /// Nothing of this was wanted.
    Nothing,
    Wait,
    End,
}

impl Stream {
    fn next(&mut self, telling: &Arc<dyn Telling>, cx: &mut Context<'_>) -> Next {
        if let Some(reading) = &mut self.reading {
            let Poll::Ready(read) = reading.as_mut().poll(cx) else {
                return Next::Wait;
            };
            self.reading = None;
            return match read {
                Ok(events) => self.behind(&events, telling),
                Err(error) => {
                    // A client comes again, with the number that it has come to.
                    tracing::warn!(
                        ?error,
                        "a stream of events ends because they cannot be read"
                    );
                    Next::End
                }
            };
        }
        if self.at >= self.hub.published() {
            return self.kept_back(telling, cx);
        }
        if self.is_meddled_with() {
            if let Some(events) = self.hub.events.recent(self.at, AT_ONCE) {
                return self.behind(&events, telling);
            }
        } else if let Some(block) = self.hub.block(self.at) {
            let bytes = block.after(self.at, &self.wanted, &self.listener, &**telling);
            self.at = block.through;
            return bytes_or_nothing(bytes);
        }
        if let Some(events) = self.hub.events.recent(self.at, AT_ONCE) {
            return self.behind(&events, telling);
        }
        let (hub, at) = (self.hub.clone(), self.at);
        self.reading = Some(Box::pin(async move {
            // Never closed; without a place it would only be in more of a hurry.
            let _place = hub.readers.acquire().await;
            hub.events.read(at, AT_ONCE).await
        }));
        Next::Nothing
    }

    /// Whether events do not all go the plain way.
    fn is_meddled_with(&self) -> bool {
        self.hub.subscriptions.is_meddled_with() || self.open.next_kept_back().is_some()
    }

    /// What was kept back and is to go by now; and has it be woken for the rest.
    fn kept_back(&mut self, telling: &Arc<dyn Telling>, cx: &mut Context<'_>) -> Next {
        let mut out = String::new();
        let now = self.hub.clock.now();
        while let Some(late) = self.open.take_kept_back(now) {
            frame(&mut out, &**telling, late.seq(), late.record(&**telling));
        }
        if !out.is_empty() {
            return Next::Bytes(Bytes::from(out));
        }
        let Some(at) = self.open.next_kept_back() else {
            self.sleeping = None;
            return Next::Wait;
        };
        let sleeping = match &mut self.sleeping {
            Some((until, sleeping)) if *until == at => sleeping,
            _ => {
                let clock = self.hub.clock.clone();
                let sleep = Box::pin(async move { clock.sleep_until(at).await });
                &mut self.sleeping.insert((at, sleep)).1
            }
        };
        match sleeping.as_mut().poll(cx) {
            Poll::Pending => Next::Wait,
            Poll::Ready(()) => {
                self.sleeping = None;
                Next::Nothing
            }
        }
    }

    /// Events that no block has, or no longer has.
    fn behind(&mut self, events: &[Arc<Told>], telling: &Arc<dyn Telling>) -> Next {
        let mut out = String::new();
        let first = self.hub.events.first();
        if first > self.at + 1 {
            self.at = first - 1;
            let now = self.hub.clock.now();
            exceeded(&mut out, &**telling, self.at, now);
        }
        for told in events {
            let record = told.record(&**telling);
            while let Some(late) = self.open.take_kept_back(told.happened().event.at) {
                frame(&mut out, &**telling, late.seq(), late.record(&**telling));
            }
            let wanted = self.listener.hears(told)
                && self.wanted.takes(record)
                && !self.open.is_aside(told.seq());
            if told.seq() > self.at && wanted {
                frame(&mut out, &**telling, told.seq(), record);
            }
        }
        match events.last() {
            Some(last) => self.at = self.at.max(last.seq()),
            // None of them could be read.
            None => self.at = self.at.max(self.hub.published()),
        }
        bytes_or_nothing(Bytes::from(out))
    }
}

/// Says that events are lost, and at which number it goes on.
pub(super) fn exceeded(out: &mut String, telling: &dyn Telling, at: u64, now: Timestamp) {
    frame(out, telling, at, &super::words::lost(at, now));
}

fn bytes_or_nothing(bytes: Bytes) -> Next {
    if bytes.is_empty() {
        Next::Nothing
    } else {
        Next::Bytes(bytes)
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        // First, so that what comes from now on is not missed.
        this.seat.waker.register(cx.waker());
        let ended = this.hub.is_closing()
            || !this.listener.may()
            || this.closed.as_mut().poll(cx).is_ready();
        let telling = this.hub.events.telling();
        let (false, Some(telling)) = (ended, telling) else {
            this.over = true;
            return Poll::Ready(None);
        };
        if let Some(first) = this.first.take() {
            this.hub.sends(&this.seat);
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        for _ in 0..TURNS {
            match this.next(&telling, cx) {
                Next::Bytes(bytes) => {
                    this.hub.sends(&this.seat);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Next::Nothing => {}
                Next::Wait => {
                    if this.hub.is_silent(&this.seat) {
                        this.hub.sends(&this.seat);
                        return Poll::Ready(Some(Ok(Frame::data(ALIVE))));
                    }
                    return Poll::Pending;
                }
                Next::End => {
                    this.over = true;
                    return Poll::Ready(None);
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hub.leave(&self.seat);
    }
}
