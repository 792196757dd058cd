//! Subscriptions to events: who hears what, and what becomes of what does not arrive.
//!
//! Webhooks are made here. A stream that a client opens is a subscription, too, for as long as it is open, and can be ended here.

mod asked;
mod oem;

use std::sync::Arc;

use hawkfish_core::ctx::Privilege;
use hawkfish_core::error::{Error, ErrorKind, Invalid};
use hawkfish_core::events::Format;
use hawkfish_core::subscriptions::{Kind, Subscription, SubscriptionChange};
use hawkfish_redfish::message::{Message, Severity, hawkfish};
use hawkfish_redfish::model::event_destination::{
    EventDestination, EventDestinationPatch, EventDestinationProtocol, EventFormatType, EventType,
    Health, ResumeSubscriptionParams, SubscriptionType,
};
use hawkfish_redfish::model::resource::{Condition, State, Status};
use hawkfish_redfish::model::{OdataId, Prop};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{date_time, schedule};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub(crate) const URI: &str = "/redfish/v1/EventService/Subscriptions";

/// `/redfish/v1/EventService/Subscriptions`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "EventDestinationCollection",
    member: "EventDestination",
    get: Some(|rq| {
        Box::pin(async move {
            let all = rq.hf.subscriptions().list(&rq.ctx);
            let ids = all.iter().map(|subscription| &subscription.id);
            Ok(Content::collection(rq, "Event subscriptions", ids))
        })
    }),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges {
        patch: ANYBODYS,
        post: ANYBODYS,
        delete: ANYBODYS,
        ..Privileges::MANAGER
    },
    ..Resource::NONE
};

/// Who may have subscriptions of their own.
const ANYBODYS: &[Privilege] = &[Privilege::ConfigureManager, Privilege::ConfigureComponents];
const OWN: &[Privilege] = &[Privilege::ConfigureManager, Privilege::ConfigureSelf];

/// `/redfish/v1/EventService/Subscriptions/{subscription}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/EventService/Subscriptions/{subscription}",
    entity: "EventDestination",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    actions: &[
        Action {
            name: SUSPEND,
            run: |rq| Box::pin(suspend(rq)),
            needs: None,
        },
        Action {
            name: RESUME,
            run: |rq| Box::pin(resume(rq)),
            needs: None,
        },
        Action {
            name: oem::REPLAY,
            run: |rq| Box::pin(oem::replay(rq)),
            needs: None,
        },
        Action {
            name: oem::DROP,
            run: |rq| Box::pin(oem::drop(rq)),
            needs: None,
        },
    ],
    privileges: Privileges {
        patch: OWN,
        post: OWN,
        delete: OWN,
        ..Privileges::MANAGER
    },
    own: Some(is_own),
    clock_like: oem::RUNNING,
    ..Resource::NONE
};

const SUSPEND: &str = "EventDestination.SuspendSubscription";
const RESUME: &str = "EventDestination.ResumeSubscription";

/// The URI of a subscription.
pub(crate) fn uri(id: &str) -> String {
    format!("{URI}/{id}")
}

fn found(rq: &Rq) -> Result<Arc<Subscription>, Problem> {
    let id = rq.id("subscription")?;
    Ok(rq.hf.subscriptions().get(&rq.ctx, &id)?)
}

/// A subscription is one's own when one's account made it.
pub(super) fn is_own(rq: &Rq) -> bool {
    let own = |subscription: Arc<Subscription>| {
        subscription.owner.is_some() && subscription.owner.as_ref() == rq.ctx.account()
    };
    found(rq).is_ok_and(own)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let subscription = found(rq)?;
    let content = Content::of(&model(&subscription))?;
    let Content::Resource(mut body) = content else {
        return Ok(content);
    };
    if subscription.kind == Kind::Stream {
        // What is not kept for it cannot wait for it.
        let none = json!({
            format!("#{SUSPEND}"): null,
            format!("#{RESUME}"): null,
            "Oem": {format!("#{}", oem::REPLAY): null, format!("#{}", oem::DROP): null},
        });
        body.insert("Actions".into(), none);
    }
    Ok(Content::Resource(body))
}

fn links(uris: &[String]) -> Option<Vec<OdataId>> {
    Some(uris.iter().map(OdataId::new).collect())
}

fn model(of: &Subscription) -> EventDestination {
    let webhook = of.kind == Kind::Webhook;
    let filter = &of.filter;
    let events = of.format == Format::Event;
    let only = |list: &[String], shown: bool| shown.then(|| list.to_vec());
    let minutes = of.heartbeat.map(|every| every.as_mins());
    EventDestination {
        id: of.id.to_string(),
        name: of.name.clone(),
        destination: of.destination.as_ref().map(ToString::to_string),
        backup_destinations: webhook.then(|| of.backups.iter().map(ToString::to_string).collect()),
        // Of a stream it is a string (DSP0266, "Server-sent events").
        context: match webhook {
            true => Prop::or_null(of.context.clone()),
            false => Prop::Value(of.context.clone().unwrap_or_default()),
        },
        subscription_type: Prop::Value(match of.kind {
            Kind::Webhook => SubscriptionType::RedfishEvent,
            Kind::Stream => SubscriptionType::SSE,
        }),
        protocol: Some(EventDestinationProtocol::Redfish),
        event_format_type: Prop::Value(match of.format {
            Format::Event => EventFormatType::Event,
            Format::MetricReport => EventFormatType::MetricReport,
        }),
        registry_prefixes: only(&filter.registry_prefixes, events),
        exclude_registry_prefixes: only(&filter.exclude_registry_prefixes, events),
        message_ids: only(&filter.message_ids, events),
        exclude_message_ids: only(&filter.exclude_message_ids, events),
        resource_types: only(&filter.resource_types, events),
        origin_resources: links(&filter.origins).filter(|_| events),
        subordinate_resources: Prop::or_absent(events.then_some(filter.subordinate)),
        severities: events.then(|| {
            let severities = filter.severities.iter();
            severities.map(|text| Health::from(text.as_str())).collect()
        }),
        // Deprecated: for who asked for it.
        event_types: Some(&filter.event_types)
            .filter(|types| !types.is_empty())
            .map(|types| {
                types
                    .iter()
                    .map(|one| EventType::from(one.as_str()))
                    .collect()
            }),
        metric_report_definitions: links(&filter.definitions).filter(|_| !events),
        include_origin_of_condition: Prop::or_absent((webhook && events).then_some(false)),
        http_headers: webhook.then(Vec::new),
        delivery_retry_policy: match webhook {
            true => Prop::or_null(asked::policy(of.retry)),
            false => Prop::Absent,
        },
        verify_certificate: Prop::or_absent(webhook.then_some(of.verify_certificate)),
        send_heartbeat: Prop::or_absent(webhook.then_some(minutes.is_some())),
        heartbeat_interval_minutes: Prop::or_absent(minutes),
        status: Some(status(of)),
        oem: Some(oem::model(of)),
        ..EventDestination::default()
    }
}

/// Whether anything is sent, and how that goes.
fn status(of: &Subscription) -> Status {
    // What the last attempt came to; a success after it makes it history.
    let failure = of.last_failure.as_ref();
    let failure = failure
        .filter(|failure| of.attempts > 0 || of.last_delivered.is_none_or(|at| at < failure.at));
    let mut conditions = Vec::new();
    if let Some(failure) = failure {
        let to = of.destination.as_ref().map(ToString::to_string);
        let args = [to.as_deref().unwrap_or_default(), failure.reason.as_str()];
        conditions.push(condition(hawkfish("DeliveryFailed", &args), failure.at));
    }
    let given_up = of.dead + of.lost;
    if given_up > 0 {
        let at = failure.map_or(of.made, |failure| failure.at);
        let args = [&*of.dead.to_string(), &*of.lost.to_string()];
        conditions.push(condition(hawkfish("EventsNotDelivered", &args), at));
    }
    let health = match (failure, given_up > 0 || of.suspended) {
        (None, false) => Health::OK,
        (None, true) if given_up == 0 => Health::OK,
        (Some(_), true) => Health::Critical,
        _ => Health::Warning,
    };
    Status {
        state: Prop::Value(match of.suspended {
            true => State::Disabled,
            false => State::Enabled,
        }),
        health: Prop::Value(health),
        conditions: Some(conditions).filter(|all| !all.is_empty()),
        ..Status::default()
    }
}

fn condition(message: Message, at: Timestamp) -> Condition {
    Condition {
        message_id: Some(message.message_id),
        message: Some(message.message),
        message_args: Some(message.args),
        severity: Some(match message.severity {
            Severity::OK => Health::OK,
            Severity::Warning => Health::Warning,
            Severity::Critical => Health::Critical,
        }),
        resolution: Some(message.resolution),
        timestamp: Some(date_time(at)),
        ..Condition::default()
    }
}

/// An address that policy refuses is one of those that the caller sent.
fn named(error: Error, destination: Option<&str>, backups: &[&str]) -> Problem {
    let about = match error.kind() {
        ErrorKind::AddressRefused { uri } => {
            let same = |text: &&str| {
                let url = text.parse().ok();
                url.is_some_and(|url| hawkfish_core::outgoing::redacted(&url) == *uri)
            };
            match backups.iter().position(same) {
                Some(at) if !destination.as_ref().is_some_and(same) => {
                    Some(format!("/BackupDestinations/{at}"))
                }
                _ => Some("/Destination".to_owned()),
            }
        }
        ErrorKind::LimitExceeded { .. } => {
            let key = "EventSubscriptionLimitExceeded";
            return Problem::base(http::StatusCode::SERVICE_UNAVAILABLE, key, &[]);
        }
        _ => None,
    };
    let problem = Problem::from(error);
    match about {
        Some(pointer) => problem.related(&pointer),
        None => problem,
    }
}

fn strings<'a>(body: &'a Map<String, Value>, name: &str) -> Vec<&'a str> {
    let list = body.get(name).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let new = asked::subscription(rq).await?;
    let body = rq.raw_body();
    let made = rq.hf.subscriptions().create(&rq.ctx, new).await;
    let made = made.map_err(|error| {
        let destination = body.get("Destination").and_then(Value::as_str);
        named(error, destination, &strings(body, "BackupDestinations"))
    })?;
    Ok(Outcome::Created {
        uri: uri(made.id.as_str()),
        headers: Vec::new(),
        with: Map::new(),
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("subscription")?;
    let patch: EventDestinationPatch = rq.body()?;
    let body = rq.raw_body();
    let backups = patch.backup_destinations.as_ref();
    let backups = backups.map(|list| asked::backups(list.iter().flatten().map(String::as_str)));
    let headers = patch.http_headers.as_ref();
    let ours = patch.oem.and_then(|oem| oem.hawkfish);
    let change = SubscriptionChange {
        context: patch.context.change(),
        headers: headers.map(|list| asked::headers(list.iter().flatten())),
        secret: ours.and_then(|ours| ours.signing_key.change()),
        retry: patch
            .delivery_retry_policy
            .change()
            .map(|policy| asked::retry(policy.as_ref())),
        // What is not said is false.
        verify_certificate: patch.verify_certificate.change().map(|is| is == Some(true)),
        backups: backups.transpose()?,
        ..SubscriptionChange::default()
    };
    let changed = rq.hf.subscriptions().update(&rq.ctx, &id, change).await;
    changed.map_err(|error| named(error, None, &strings(body, "BackupDestinations")))?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("subscription")?;
    rq.hf.subscriptions().delete(&rq.ctx, &id).await?;
    Ok(Outcome::Done)
}

async fn suspend(rq: &Rq) -> Result<Outcome, Problem> {
    let id = rq.id("subscription")?;
    rq.hf.subscriptions().suspend(&rq.ctx, &id).await?;
    Ok(Outcome::Done)
}

async fn resume(rq: &Rq) -> Result<Outcome, Problem> {
    const PARAMETER: &str = "/DeliverBufferedEventDuration";
    let id = rq.id("subscription")?;
    let asked: ResumeSubscriptionParams = rq.body()?;
    let age = asked.deliver_buffered_event_duration.as_deref();
    let wrong = |text: &str, why: Invalid| {
        let message = "It says how old the oldest event is that is still to be delivered.";
        Error::invalid(PARAMETER, text, why, message)
    };
    let age = age
        .map(|text| match schedule::parse_duration(text) {
            None => Err(wrong(text, Invalid::Format)),
            Some(age) if age.is_negative() => Err(wrong(text, Invalid::OutOfRange)),
            Some(age) => Ok(age),
        })
        .transpose()?;
    rq.hf.subscriptions().resume(&rq.ctx, &id, age).await?;
    Ok(Outcome::Done)
}
