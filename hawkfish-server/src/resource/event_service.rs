//! The event service: what there is to hear, how it is delivered, and events that only show that events arrive.

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::events::{Format, TestEvent};
use hawkfish_core::subscriptions::{Kind, ServiceSettings};
use hawkfish_core::tasks;
use hawkfish_redfish::message::{REGISTRIES, Registry};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::event_destination::EventFormatType;
use hawkfish_redfish::model::event_service::{
    EventService, EventServicePatch, Health, SSEFilterPropertiesSupported, SubmitTestEventParams,
};
use hawkfish_redfish::model::resource::{State, Status};
use jiff::{SignedDuration, Timestamp};

use super::event_destination;
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::events;
use crate::problem::Problem;
use crate::telling::TYPES;

/// `/redfish/v1/EventService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/EventService",
    entity: "EventService",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    actions: &[
        Action {
            name: "EventService.SubmitTestEvent",
            run: |rq| Box::pin(submit(rq)),
            needs: None,
        },
        Action {
            name: "EventService.TestEventSubscription",
            run: |rq| Box::pin(test(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The registries that events are messages of. What is told to one destination alone comes from others, whatever that wants to hear.
pub(super) fn registries() -> impl Iterator<Item = &'static Registry> {
    let all = REGISTRIES.iter().copied();
    all.filter(|registry| !matches!(registry.prefix, "Base" | "HeartbeatEvent"))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let set = rq.hf.subscriptions().settings();
    let state = match set.enabled {
        true => State::Enabled,
        false => State::Disabled,
    };
    Content::of(&EventService {
        id: "EventService".into(),
        name: "Event service".into(),
        service_enabled: set.enabled.into(),
        delivery_retry_attempts: Some(set.attempts.into()),
        delivery_retry_interval_seconds: Some(set.interval.as_secs()),
        event_format_types: Some(vec![EventFormatType::Event, EventFormatType::MetricReport]),
        registry_prefixes: Some(registries().map(|one| one.prefix.to_owned()).collect()),
        exclude_registry_prefix: Some(true),
        exclude_message_id: Some(true),
        resource_types: Some(TYPES.iter().map(ToString::to_string).collect()),
        origin_resources_supported: true.into(),
        subordinate_resources_supported: true.into(),
        severities: Some(vec![Health::OK, Health::Warning, Health::Critical]),
        include_origin_of_condition_supported: false.into(),
        server_sent_event_uri: Some(events::URI.to_owned()),
        sse_filter_properties_supported: Some(SSEFilterPropertiesSupported {
            event_format_type: Some(true),
            message_id: Some(true),
            metric_report_definition: Some(true),
            origin_resource: Some(true),
            registry_prefix: Some(true),
            resource_type: Some(true),
            subordinate_resources: Some(true),
        }),
        status: Some(Status {
            state: state.into(),
            health: Health::OK.into(),
            ..Status::default()
        }),
        subscriptions: Some(event_destination::URI.into()),
        ..EventService::default()
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let patch: EventServicePatch = rq.body()?;
    let subscriptions = rq.hf.subscriptions();
    let mut set: ServiceSettings = subscriptions.settings();
    match patch.service_enabled {
        Prop::Absent => {}
        Prop::Value(enabled) => set.enabled = enabled,
        Prop::Null => {
            let message = "It is enabled, or it is not.";
            return Err(Error::invalid("/ServiceEnabled", "null", Invalid::Format, message).into());
        }
    }
    if let Some(attempts) = patch.delivery_retry_attempts {
        // What is outside of 32 bits is outside of the range, too.
        set.attempts = u32::try_from(attempts).unwrap_or(match attempts < 0 {
            true => 0,
            false => u32::MAX,
        });
    }
    if let Some(seconds) = patch.delivery_retry_interval_seconds {
        set.interval = SignedDuration::from_secs(seconds);
    }
    subscriptions.set_settings(&rq.ctx, set).await?;
    Ok(Outcome::Done)
}

/// An event that a client makes up: it goes to whoever wants to hear of such.
async fn submit(rq: &Rq) -> Result<Outcome, Problem> {
    let asked: SubmitTestEventParams = rq.body()?;
    let timestamp = asked.event_timestamp.as_deref().map(|text| {
        text.parse::<Timestamp>().map_err(|_| {
            let message = "It is no moment with an offset.";
            Error::invalid("/EventTimestamp", text, Invalid::Format, message)
        })
    });
    let word = |text: &str| match text {
        "OK" => Ok(tasks::Severity::Ok),
        "Warning" => Ok(tasks::Severity::Warning),
        "Critical" => Ok(tasks::Severity::Critical),
        other => {
            let message = "It is none of OK, Warning, Critical.";
            Err(Error::invalid(
                "/Severity",
                other,
                Invalid::NotInList,
                message,
            ))
        }
    };
    let newer = asked.message_severity.as_ref().map(Health::as_str);
    let severity = newer.or(asked.severity.as_deref()).map(word);
    let event = TestEvent {
        message_id: Some(asked.message_id),
        message: asked.message,
        args: asked.message_args.unwrap_or_default(),
        severity: severity.transpose()?,
        origin: asked.origin_of_condition,
        event_id: asked.event_id,
        timestamp: timestamp.transpose()?,
        group: asked.event_group_id,
        event_type: asked.event_type.map(|kind| kind.as_str().to_owned()),
        ..TestEvent::default()
    };
    rq.hf.subscriptions().submit_test(&rq.ctx, event).await?;
    Ok(Outcome::Done)
}

/// A test to each destination of events, whatever else it wants to hear of.
async fn test(rq: &Rq) -> Result<Outcome, Problem> {
    let subscriptions = rq.hf.subscriptions();
    for subscription in subscriptions.list(&rq.ctx) {
        let events = subscription.kind == Kind::Webhook && subscription.format == Format::Event;
        if events && !subscription.suspended {
            subscriptions.test(&rq.ctx, &subscription.id).await?;
        }
    }
    Ok(Outcome::Done)
}
