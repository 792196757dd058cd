//! From what a client sends to a subscription that makes sense: what contradicts itself, or could never hear anything, is refused by name.

use hawkfish_core::error::{Error, ErrorKind, Invalid};
use hawkfish_core::events::Format;
use hawkfish_core::subscriptions::{Filter, NewSubscription, Retry};
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::event::EventType;
use hawkfish_redfish::model::event_destination::{
    DeliveryRetryPolicy, EventDestinationCreate, EventDestinationProtocol, EventFormatType,
    HttpHeaderProperty, SubscriptionType,
};
use jiff::SignedDuration;
use url::Url;

use crate::catalog::{Catalog, Rq};
use crate::problem::Problem;
use crate::resource::event_service::registries;
use crate::resource::metric_report_definition;
use crate::telling::TYPES;

/// The policies of retrying, in the words of Redfish. One has no word: the one that is in force where nothing is said.
const POLICIES: [(DeliveryRetryPolicy, Retry); 4] = [
    (
        DeliveryRetryPolicy::TerminateAfterRetries,
        Retry::TerminateAfterRetries,
    ),
    (DeliveryRetryPolicy::SuspendRetries, Retry::SuspendRetries),
    (DeliveryRetryPolicy::RetryForever, Retry::RetryForever),
    (
        DeliveryRetryPolicy::RetryForeverWithBackoff,
        Retry::RetryForeverWithBackoff,
    ),
];

/// How often there is a heartbeat where a client does not say it.
const HEARTBEAT_MINUTES: i64 = 5;

/// A policy of retrying, in the words of core.
pub(super) fn retry(policy: Option<&DeliveryRetryPolicy>) -> Retry {
    let known = POLICIES.iter().find(|(word, _)| Some(word) == policy);
    known.map_or(Retry::DeadLetter, |(_, retry)| *retry)
}

/// A policy of retrying, in the words of Redfish.
pub(super) fn policy(retry: Retry) -> Option<DeliveryRetryPolicy> {
    let known = POLICIES.iter().find(|(_, known)| *known == retry);
    known.map(|(word, _)| word.clone())
}

/// Where events are to be sent. Whether that may be is core's to say.
pub(super) fn destination(pointer: &str, text: &str) -> Result<Url, Error> {
    text.parse().map_err(|_| {
        // Whatever stands in it where a password may is not repeated.
        let shown = match text.rsplit_once('@') {
            Some((_, rest)) => format!("******@{rest}"),
            None => text.to_owned(),
        };
        let message = "It must be a URI with http or https.";
        Error::invalid(pointer.to_owned(), shown, Invalid::Format, message)
    })
}

/// Where events are to be sent while the destination does not take them.
pub(super) fn backups<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<Url>, Error> {
    let texts = texts.into_iter().enumerate();
    texts
        .map(|(at, text)| destination(&format!("/BackupDestinations/{at}"), text))
        .collect()
}

/// The headers of each delivery, one by one.
pub(super) fn headers<'a>(
    objects: impl IntoIterator<Item = &'a HttpHeaderProperty>,
) -> Vec<(String, String)> {
    let entries = objects.into_iter().flat_map(|object| &object.entries);
    entries
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a body that is valid by its schema asks for.
pub(super) async fn subscription(rq: &Rq) -> Result<NewSubscription, Problem> {
    let asked: EventDestinationCreate = rq.body()?;
    transport(&asked)?;
    let format = format(&asked)?;
    consistent(&asked, format)?;
    let mut filter = words(&asked)?;
    filter.origins = origins(rq, asked.origin_resources.as_deref()).await?;
    filter.definitions = definitions(rq, asked.metric_report_definitions.as_deref())?;
    let mut new = NewSubscription::to(destination("/Destination", &asked.destination)?);
    new.name = asked.name.clone();
    new.backups = backups(texts(asked.backup_destinations.as_deref()))?;
    new.context = asked.context.value().cloned();
    new.filter = filter;
    new.format = format;
    new.headers = headers(asked.http_headers.iter().flatten());
    new.retry = retry(asked.delivery_retry_policy.value());
    // What is not said is false (EventDestination, VerifyCertificate).
    new.verify_certificate = asked.verify_certificate.value() == Some(&true);
    new.heartbeat = heartbeat(&asked)?;
    let ours = asked.oem.and_then(|oem| oem.hawkfish);
    new.secret = ours.and_then(|ours| ours.signing_key.into_value());
    Ok(new)
}

fn texts(list: Option<&[String]>) -> impl Iterator<Item = &str> {
    list.unwrap_or_default().iter().map(String::as_str)
}

fn said<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn not_in_list(pointer: impl Into<String>, value: &str, message: &'static str) -> Error {
    Error::invalid(pointer.into(), value, Invalid::NotInList, message)
}

fn conflict(property: &'static str, with: &'static str, message: &'static str) -> Error {
    let kind = ErrorKind::PropertyConflict {
        property: property.into(),
        with: with.into(),
    };
    Error::new(kind, message)
}

/// How events get there.
fn transport(asked: &EventDestinationCreate) -> Result<(), Error> {
    if let Some(protocol) = &asked.protocol
        && *protocol != EventDestinationProtocol::Redfish
    {
        let message = "Events are sent by HTTP, as Redfish has it.";
        return Err(not_in_list("/Protocol", protocol.as_str(), message));
    }
    if asked.include_origin_of_condition.value() == Some(&true) {
        let message =
            "Events hold links to what they are about; see IncludeOriginOfConditionSupported.";
        return Err(not_in_list("/IncludeOriginOfCondition", "true", message));
    }
    match asked.subscription_type.value() {
        None | Some(SubscriptionType::RedfishEvent) => Ok(()),
        Some(SubscriptionType::SSE) => Err(not_in_list(
            "/SubscriptionType",
            "SSE",
            "A stream is opened by a GET of the ServerSentEventUri of the event service.",
        )),
        Some(other) => {
            let message = "Events are sent by HTTP, as Redfish has it.";
            Err(not_in_list("/SubscriptionType", other.as_str(), message))
        }
    }
}

/// Events or reports. Clients of old say so among the types of events.
fn format(asked: &EventDestinationCreate) -> Result<Format, Error> {
    let types = asked.event_types.as_deref().unwrap_or_default();
    let reports = types.contains(&EventType::MetricReport);
    let only_reports = reports && types.iter().all(|one| *one == EventType::MetricReport);
    let wanted = asked.event_format_type.value();
    if reports && !only_reports {
        let message = "A destination hears of events or of reports; make a subscription for each.";
        let at = types.iter().position(|one| *one == EventType::MetricReport);
        let pointer = format!("/EventTypes/{}", at.unwrap_or_default());
        return Err(not_in_list(pointer, "MetricReport", message));
    }
    match wanted {
        Some(EventFormatType::Event) if reports => Err(conflict(
            "/EventTypes",
            "/EventFormatType",
            "A report is no event.",
        )),
        Some(EventFormatType::MetricReport) if !types.is_empty() && !reports => Err(conflict(
            "/EventTypes",
            "/EventFormatType",
            "A report is no event.",
        )),
        Some(EventFormatType::MetricReport) => Ok(Format::MetricReport),
        None if reports => Ok(Format::MetricReport),
        _ => Ok(Format::Event),
    }
}

/// Whether what is asked for contradicts itself (DSP0266, "Subscribing to events").
fn consistent(asked: &EventDestinationCreate, format: Format) -> Result<(), Error> {
    let filters = [
        ("/RegistryPrefixes", said(asked.registry_prefixes.as_ref())),
        (
            "/ExcludeRegistryPrefixes",
            said(asked.exclude_registry_prefixes.as_ref()),
        ),
        ("/MessageIds", said(asked.message_ids.as_ref())),
        (
            "/ExcludeMessageIds",
            said(asked.exclude_message_ids.as_ref()),
        ),
        ("/ResourceTypes", said(asked.resource_types.as_ref())),
        ("/OriginResources", said(asked.origin_resources.as_ref())),
        ("/Severities", said(asked.severities.as_ref())),
    ];
    let [prefixes, exclude_prefixes, messages, exclude_messages, ..] = filters.map(|(_, is)| is);
    if format == Format::MetricReport {
        if let Some((property, _)) = filters.iter().find(|(_, is)| *is) {
            let message = "It chooses among events, and reports are asked for.";
            return Err(conflict(property, "/EventFormatType", message));
        }
    } else if said(asked.metric_report_definitions.as_ref()) {
        let message = "It chooses among reports, and events are asked for.";
        return Err(conflict(
            "/MetricReportDefinitions",
            "/EventFormatType",
            message,
        ));
    }
    if said(asked.event_types.as_ref()) {
        let newer = filters[..4].iter().find(|(_, is)| *is);
        if let Some((property, _)) = newer {
            let message =
                "Types of events were there before registries; say what is wanted by one of them.";
            return Err(conflict("/EventTypes", property, message));
        }
    }
    if prefixes && exclude_prefixes {
        let message = "What is not among the RegistryPrefixes is excluded already.";
        return Err(conflict(
            "/RegistryPrefixes",
            "/ExcludeRegistryPrefixes",
            message,
        ));
    }
    let wanted = asked.message_ids.as_deref();
    for id in texts(wanted) {
        let (registry, _) = named(id);
        if texts(asked.exclude_registry_prefixes.as_deref()).any(|one| one == registry) {
            let message = "The registry of one of the MessageIds is excluded.";
            return Err(conflict("/MessageIds", "/ExcludeRegistryPrefixes", message));
        }
        if texts(asked.exclude_message_ids.as_deref()).any(|one| named(one) == named(id)) {
            let message = "A message is both asked for and excluded.";
            return Err(conflict("/MessageIds", "/ExcludeMessageIds", message));
        }
    }
    if messages && exclude_messages && !prefixes {
        let message = "What is not among the MessageIds is excluded already.";
        return Err(conflict("/MessageIds", "/ExcludeMessageIds", message));
    }
    Ok(())
}

/// Registry and key of a message's id, whatever version stands between.
fn named(id: &str) -> (&str, &str) {
    let (registry, rest) = id.split_once('.').unwrap_or(("", id));
    (registry, rest.rsplit('.').next().unwrap_or(rest))
}

/// Whether events have that message; its version does not count, and its key will do.
fn is_message(id: &str) -> bool {
    let (registry, key) = named(id);
    let mut of = registries().filter(|one| registry.is_empty() || one.prefix == registry);
    of.any(|one| one.facts().any(|(known, ..)| known == key))
}

/// What chooses among events, but for what they are about.
fn words(asked: &EventDestinationCreate) -> Result<Filter, Error> {
    let prefixes = |name: &str, list: Option<&[String]>| -> Result<Vec<String>, Error> {
        for (at, prefix) in texts(list).enumerate() {
            if !registries().any(|known| known.prefix == prefix) {
                let message = "No event is a message of that registry; see RegistryPrefixes of the event service.";
                return Err(not_in_list(format!("/{name}/{at}"), prefix, message));
            }
        }
        Ok(unique(list))
    };
    let messages = |name: &str, list: Option<&[String]>| -> Result<Vec<String>, Error> {
        for (at, id) in texts(list).enumerate() {
            if !is_message(id) {
                let message = "No event has that message; see the registries among RegistryPrefixes of the event service.";
                return Err(not_in_list(format!("/{name}/{at}"), id, message));
            }
        }
        Ok(unique(list))
    };
    for (at, kind) in texts(asked.resource_types.as_deref()).enumerate() {
        if !TYPES.contains(&kind) {
            let message = "No event is about a resource of that type; see ResourceTypes of the event service.";
            return Err(not_in_list(format!("/ResourceTypes/{at}"), kind, message));
        }
    }
    let severities = asked.severities.iter().flatten();
    let mut filter = Filter {
        registry_prefixes: prefixes("RegistryPrefixes", asked.registry_prefixes.as_deref())?,
        exclude_registry_prefixes: prefixes(
            "ExcludeRegistryPrefixes",
            asked.exclude_registry_prefixes.as_deref(),
        )?,
        message_ids: messages("MessageIds", asked.message_ids.as_deref())?,
        exclude_message_ids: messages("ExcludeMessageIds", asked.exclude_message_ids.as_deref())?,
        resource_types: unique(asked.resource_types.as_deref()),
        severities: severities.map(|one| one.as_str().to_owned()).collect(),
        subordinate: asked.subordinate_resources.value() == Some(&true),
        ..Filter::default()
    };
    // What is of no other type is `Other`, and so is what a client means that says nothing else: everything.
    let types = asked.event_types.as_deref().unwrap_or_default();
    if !types.contains(&EventType::Other) && !types.contains(&EventType::MetricReport) {
        filter.event_types = types.iter().map(|one| one.as_str().to_owned()).collect();
    }
    Ok(filter)
}

fn unique(list: Option<&[String]>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for text in texts(list) {
        if !all.iter().any(|known| known == text) {
            all.push(text.to_owned());
        }
    }
    all
}

/// What events are to be about: it must be there, for the caller to see.
async fn origins(rq: &Rq, links: Option<&[OdataId]>) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for (at, link) in links.unwrap_or_default().iter().enumerate() {
        let uri = link.odata_id.as_str();
        let (path, _) = uri.split_once('#').unwrap_or((uri, ""));
        let there = !path.contains('?')
            && Catalog::read(&rq.service, &rq.ctx, path.trim_end_matches('/'))
                .await
                .is_ok();
        if !there {
            let pointer = format!("/OriginResources/{at}");
            return Err(not_in_list(pointer, uri, "There is no such resource."));
        }
        let uri = uri.strip_suffix('/').unwrap_or(uri).to_owned();
        if !all.contains(&uri) {
            all.push(uri);
        }
    }
    Ok(all)
}

/// Whose reports are wanted.
fn definitions(rq: &Rq, links: Option<&[OdataId]>) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> = Vec::new();
    for (at, link) in links.unwrap_or_default().iter().enumerate() {
        let uri = link.odata_id.trim_end_matches('/');
        let id = uri
            .strip_prefix(metric_report_definition::URI)
            .and_then(|id| id.strip_prefix('/'));
        let known = id
            .and_then(|id| id.parse().ok())
            .is_some_and(|id| rq.hf.telemetry().definition(&rq.ctx, &id).is_ok());
        if !known {
            let pointer = format!("/MetricReportDefinitions/{at}");
            let message = "There is no such definition.";
            return Err(not_in_list(pointer, &link.odata_id, message));
        }
        if !all.iter().any(|one| one == uri) {
            all.push(uri.to_owned());
        }
    }
    Ok(all)
}

fn heartbeat(asked: &EventDestinationCreate) -> Result<Option<SignedDuration>, Error> {
    let minutes = asked.heartbeat_interval_minutes.value();
    if asked.send_heartbeat.value() != Some(&true) {
        return match minutes {
            None => Ok(None),
            Some(_) => Err(conflict(
                "/HeartbeatIntervalMinutes",
                "/SendHeartbeat",
                "It says how often there is a heartbeat, and none is asked for.",
            )),
        };
    }
    let minutes = minutes.copied().unwrap_or(HEARTBEAT_MINUTES);
    Ok(Some(SignedDuration::from_mins(minutes)))
}
