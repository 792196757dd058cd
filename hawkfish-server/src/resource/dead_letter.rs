//! Dead letters: what a destination of events did not take, one by one. They are HawkFish's own, in the schema `HawkFishDeadLetter`.

use std::sync::Arc;

use hawkfish_core::ctx::Privilege;
use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::events::Format;
use hawkfish_core::id::{SubscriptionId, number};
use hawkfish_core::subscriptions::DeadLetter;
use hawkfish_redfish::model::hawkfish_dead_letter::{EventFormatType, HawkFishDeadLetter, Health};
use hawkfish_redfish::model::{OdataId, Prop};
use serde_json::Value;

use super::{date_time, event_destination};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// Who may see to them: as of the subscription that they are of.
const PRIVILEGES: Privileges = Privileges {
    post: OWN,
    delete: OWN,
    ..Privileges::MANAGER
};

const OWN: &[Privilege] = &[Privilege::ConfigureManager, Privilege::ConfigureSelf];

/// `/redfish/v1/EventService/Subscriptions/{subscription}/Oem/HawkFish/DeadLetters`
pub const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/EventService/Subscriptions/{subscription}/Oem/HawkFish/DeadLetters",
    entity: "HawkFishDeadLetterCollection",
    get: Some(|rq| Box::pin(list(rq))),
    privileges: PRIVILEGES,
    own: Some(event_destination::is_own),
    ..Resource::NONE
};

/// `/redfish/v1/EventService/Subscriptions/{subscription}/Oem/HawkFish/DeadLetters/{letter}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/EventService/Subscriptions/{subscription}/Oem/HawkFish/DeadLetters/{letter}",
    entity: "HawkFishDeadLetter",
    get: Some(|rq| Box::pin(read(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    actions: &[Action {
        name: "HawkFishDeadLetter.Replay",
        run: |rq| Box::pin(replay(rq)),
        needs: None,
    }],
    privileges: PRIVILEGES,
    own: Some(event_destination::is_own),
    ..Resource::NONE
};

/// Where the dead letters of a subscription stand.
pub(crate) fn uri(subscription: &str) -> String {
    let subscription = event_destination::uri(subscription);
    format!("{subscription}/Oem/HawkFish/DeadLetters")
}

/// The one that a parameter of an action names, of this subscription.
pub(crate) fn named(
    rq: &Rq,
    subscription: &SubscriptionId,
    id: Option<&str>,
) -> Result<Option<u64>, Problem> {
    let Some(id) = id else {
        return Ok(None);
    };
    let known = number(id).filter(|seq| {
        let subscriptions = rq.hf.subscriptions();
        subscriptions
            .dead_letter(&rq.ctx, subscription, *seq)
            .is_ok()
    });
    if known.is_none() {
        let message = "There is no such dead letter.";
        return Err(Error::invalid("/DeadLetterId", id, Invalid::NotInList, message).into());
    }
    Ok(known)
}

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let letters = rq
        .hf
        .subscriptions()
        .dead_letters(&rq.ctx, &rq.id("subscription")?)?;
    let ids = letters.iter().map(|letter| letter.seq.to_string());
    Ok(Content::collection(rq, "Dead letters", ids))
}

fn found(rq: &Rq) -> Result<(SubscriptionId, Arc<DeadLetter>), Problem> {
    let subscription = rq.id("subscription")?;
    let seq = number(rq.param("letter")).ok_or_else(|| Problem::missing(rq.uri()))?;
    let letter = rq
        .hf
        .subscriptions()
        .dead_letter(&rq.ctx, &subscription, seq)?;
    Ok((subscription, letter))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let (_, letter) = found(rq)?;
    let told = &letter.told;
    let telling = rq.hf.events().telling();
    let telling = telling.ok_or_else(|| Problem::internal("events have no words"))?;
    let record = told.record(&*telling);
    let json: Value =
        serde_json::from_slice(&record.json).map_err(|e| Problem::internal(e.to_string()))?;
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let is_event = record.format == Format::Event;
    let event = |value: Option<String>| Prop::or_absent(value.filter(|_| is_event));
    let args = json["MessageArgs"].as_array().map(|args| {
        let texts = args.iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    });
    let at = date_time(told.happened().event.at);
    Content::of(&HawkFishDeadLetter {
        odata_id: rq.uri().to_owned(),
        id: letter.seq.to_string(),
        name: format!("Dead letter {}", letter.seq),
        event_format_type: Some(match record.format {
            Format::Event => EventFormatType::Event,
            Format::MetricReport => EventFormatType::MetricReport,
        }),
        // What a test says of itself is what is sent.
        event_id: Some(text("EventId").unwrap_or_else(|| letter.seq.to_string())),
        event_timestamp: Some(text("EventTimestamp").unwrap_or(at)),
        message_id: event(Some(record.message_id.clone())),
        message: event(text("Message")),
        message_args: args,
        message_severity: match is_event {
            true => Prop::Value(Health::from(record.severity)),
            false => Prop::Absent,
        },
        origin_of_condition: record.origin.as_ref().map(OdataId::new),
        given_up_time: Some(date_time(letter.at)),
        attempts: Some(letter.attempts.into()),
        reason: Some(letter.reason.clone()),
        replay_requested: Some(letter.replaying),
        ..HawkFishDeadLetter::default()
    })
}

async fn replay(rq: &Rq) -> Result<Outcome, Problem> {
    let (subscription, letter) = found(rq)?;
    let subscriptions = rq.hf.subscriptions();
    subscriptions
        .replay(&rq.ctx, &subscription, Some(letter.seq))
        .await?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    let (subscription, letter) = found(rq)?;
    let subscriptions = rq.hf.subscriptions();
    subscriptions
        .drop_dead(&rq.ctx, &subscription, Some(letter.seq))
        .await?;
    Ok(Outcome::Done)
}
