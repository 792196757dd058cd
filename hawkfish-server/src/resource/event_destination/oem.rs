//! What HawkFish adds to a subscription: how deliveries are signed and how they went, and what is done with those that did not arrive.

use hawkfish_core::subscriptions::{Kind, Subscription};
use hawkfish_redfish::model::event_destination::EventDestinationOem;
use hawkfish_redfish::model::hawkfish_event_destination::{
    DropDeadLettersParams, EventDestination, Failure, ReplayDeadLettersParams,
};
use hawkfish_redfish::model::{OdataId, Prop};

use crate::catalog::{Outcome, Rq};
use crate::problem::Problem;
use crate::resource::{date_time, dead_letter};

pub(super) const REPLAY: &str = "HawkFishEventDestination.ReplayDeadLetters";
pub(super) const DROP: &str = "HawkFishEventDestination.DropDeadLetters";

/// What moves with each delivery: who changes a subscription need not have seen the newest of it.
pub(super) const RUNNING: &[&str] = &[
    "Oem/HawkFish/DeliveredCount",
    "Oem/HawkFish/PendingCount",
    "Oem/HawkFish/LostCount",
    "Oem/HawkFish/DeadLetterCount",
    "Oem/HawkFish/FailedAttempts",
    "Oem/HawkFish/NextAttemptTime",
    "Oem/HawkFish/LastDeliveredTime",
    "Oem/HawkFish/LastFailure",
    "Status/Health",
    "Status/Conditions",
];

/// A count as it is shown.
fn count(count: u64) -> Option<i64> {
    Some(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(super) fn model(of: &Subscription) -> EventDestinationOem {
    let at = |at| Prop::or_null(Option::map(at, date_time));
    let hawkfish = match of.kind {
        // A stream is read by its client: what is sent there, and whether it arrives, is known to nobody else.
        Kind::Stream => EventDestination {
            is_signed: Some(false),
            ..EventDestination::default()
        },
        Kind::Webhook => EventDestination {
            signing_key: Prop::Null,
            is_signed: Some(of.signed),
            delivered_count: count(of.delivered),
            pending_count: count(of.pending),
            lost_count: count(of.lost),
            dead_letter_count: count(of.dead),
            failed_attempts: count(of.attempts.into()),
            next_attempt_time: at(of.next_attempt),
            last_delivered_time: at(of.last_delivered),
            last_failure: Prop::or_null(of.last_failure.as_ref().map(|failure| Failure {
                http_status: Prop::or_null(failure.status.map(Into::into)),
                message: Some(failure.reason.clone()),
                timestamp: Some(date_time(failure.at)),
            })),
            dead_letters: Some(OdataId::new(dead_letter::uri(of.id.as_str()))),
            ..EventDestination::default()
        },
    };
    EventDestinationOem {
        hawkfish: Some(hawkfish),
    }
}

pub(super) async fn replay(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("subscription")?;
    let asked: ReplayDeadLettersParams = rq.body()?;
    let one = dead_letter::named(rq, &id, asked.dead_letter_id.as_deref())?;
    rq.hf.subscriptions().replay(&rq.ctx, &id, one).await?;
    Ok(Outcome::Done)
}

pub(super) async fn drop(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("subscription")?;
    let asked: DropDeadLettersParams = rq.body()?;
    let one = dead_letter::named(rq, &id, asked.dead_letter_id.as_deref())?;
    rq.hf.subscriptions().drop_dead(&rq.ctx, &id, one).await?;
    Ok(Outcome::Done)
}
