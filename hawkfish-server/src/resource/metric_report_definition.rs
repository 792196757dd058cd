//! Metric report definitions: what is collected, when, and what becomes of what was collected before.

use hawkfish_core::error::{Error, ErrorKind, Invalid};
use hawkfish_core::id::ReportId;
use hawkfish_core::telemetry::{
    Definition, MOST_VALUES, Metric, NewDefinition, Set, Update, Wanted, When,
};
use serde_json::{Map, Value, json};

use super::metric_definition::{self, Unknown};
use super::{metric_report, schedule};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub(super) const URI: &str = "/redfish/v1/TelemetryService/MetricReportDefinitions";

/// `/redfish/v1/TelemetryService/MetricReportDefinitions`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "MetricReportDefinitionCollection",
    member: "MetricReportDefinition",
    get: Some(|rq| {
        Box::pin(async move {
            let all = rq.hf.telemetry().definitions(&rq.ctx);
            let ids = all.iter().map(|definition| &definition.id);
            Ok(Content::collection(rq, "Metric report definitions", ids))
        })
    }),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/TelemetryService/MetricReportDefinitions/{report}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/TelemetryService/MetricReportDefinitions/{report}",
    entity: "MetricReportDefinition",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

const TYPES: [&str; 3] = ["Periodic", "OnChange", "OnRequest"];
const UPDATES: [(&str, Update); 3] = [
    ("Overwrite", Update::Overwrite),
    ("AppendWrapsWhenFull", Update::AppendWrapsWhenFull),
    ("AppendStopsWhenFull", Update::AppendStopsWhenFull),
];
/// The one thing that becomes of a report.
const ACTION: &str = "LogToMetricReportsCollection";
/// What says what is reported; core keeps it as it was sent.
const WORDS: [&str; 3] = ["Wildcards", "MetricProperties", "Metrics"];

/// The URI of a definition.
pub(crate) fn uri(id: &ReportId) -> String {
    format!("{URI}/{id}")
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let id: ReportId = rq.id("report")?;
    let definition = rq.hf.telemetry().definition(&rq.ctx, &id)?;
    let mut body = json!({
        "@odata.id": rq.uri(),
        "Id": id.as_str(),
        "Name": definition.name,
        "MetricReport": {"@odata.id": metric_report::uri(&id)},
        "AppendLimit": MOST_VALUES,
        "MetricReportDefinitionType@Redfish.AllowableValues": TYPES,
        "ReportActions@Redfish.AllowableValues": [ACTION],
        "ReportUpdates@Redfish.AllowableValues": UPDATES.map(|(name, _)| name),
        "Status": {
            "State": if definition.enabled { "Enabled" } else { "Disabled" },
            "Health": "OK",
        },
    });
    if let (Value::Object(body), Value::Object(said)) = (&mut body, said(&definition)) {
        body.extend(said);
        if let Some(description) = &definition.description {
            body.insert("Description".into(), description.as_str().into());
        }
    }
    Content::of(&body)
}

/// What can be said of a definition, as it is now.
fn said(definition: &Definition) -> Value {
    let (kind, schedule) = match &definition.when {
        When::Periodic(schedule) => ("Periodic", Some(schedule)),
        When::OnChange => ("OnChange", None),
        When::OnRequest => ("OnRequest", None),
    };
    let update = UPDATES.iter().find(|(_, one)| *one == definition.update);
    let mut said = json!({
        "MetricReportDefinitionType": kind,
        "MetricReportDefinitionEnabled": definition.enabled,
        "Schedule": schedule::shown(schedule),
        "ReportActions": [ACTION],
        "ReportUpdates": update.map(|(name, _)| *name),
        "SuppressRepeatedMetricValue": definition.suppress_repeated,
    });
    for name in WORDS {
        let word = definition.words.get(name).cloned();
        said[name] = word.unwrap_or_else(|| json!([]));
    }
    said
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let new = asked(rq, rq.raw_body())?;
    let made = rq.hf.telemetry().define(&rq.ctx, new).await?;
    Ok(Outcome::Created {
        uri: uri(&made.id),
        headers: Vec::new(),
        with: Map::new(),
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let id: ReportId = rq.id("report")?;
    let definition = rq.hf.telemetry().definition(&rq.ctx, &id)?;
    let Value::Object(mut body) = said(&definition) else {
        return Err(Problem::internal("a definition is no object"));
    };
    for (name, value) in rq.raw_body() {
        let value = match name.as_str() {
            "Schedule" => schedule::patched(body["Schedule"].clone(), Some(value)),
            _ => value.clone(),
        };
        body.insert(name.clone(), value);
    }
    let mut new = asked(rq, &body)?;
    new.name = Some(definition.name.clone());
    new.description.clone_from(&definition.description);
    rq.hf.telemetry().redefine(&rq.ctx, &id, new).await?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.telemetry().delete(&rq.ctx, &rq.id("report")?).await?;
    Ok(Outcome::Done)
}

fn not_in_list(pointer: String, value: &str, message: &'static str) -> Error {
    Error::invalid(pointer, value, Invalid::NotInList, message)
}

/// What a body asks for, which is valid by its schema.
fn asked(rq: &Rq, body: &Map<String, Value>) -> Result<NewDefinition, Error> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let id = text("Id").map(|id| {
        ReportId::parse(id).map_err(|_not_one| {
            let message = "It must be letters, digits, dots, dashes and underscores, at most 128.";
            Error::invalid("/Id", id, Invalid::Format, message)
        })
    });
    actions(body)?;
    let update = match text("ReportUpdates") {
        None => Update::Overwrite,
        Some(name) => UPDATES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, update)| *update)
            .ok_or_else(|| {
                not_in_list(
                    "/ReportUpdates".into(),
                    name,
                    "Each definition has one report.",
                )
            })?,
    };
    let when = when(rq, body)?;
    if when == When::OnRequest && update != Update::Overwrite {
        return Err(Error::new(
            ErrorKind::PropertyConflict {
                property: "/ReportUpdates".into(),
                with: "/MetricReportDefinitionType".into(),
            },
            "A report that is made on request holds what is known then.",
        ));
    }
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    let mut words = Map::new();
    for name in WORDS {
        if let Some(word) = body.get(name) {
            words.insert(name.to_owned(), word.clone());
        }
    }
    Ok(NewDefinition {
        id: id.transpose()?,
        name: text("Name").map(str::to_owned),
        description: text("Description").map(str::to_owned),
        when,
        enabled: flag("MetricReportDefinitionEnabled").unwrap_or(true),
        update,
        suppress_repeated: flag("SuppressRepeatedMetricValue").unwrap_or(false),
        wanted: wanted(rq, body)?,
        words: Value::Object(words),
    })
}

fn actions(body: &Map<String, Value>) -> Result<(), Error> {
    let Some(actions) = body.get("ReportActions").and_then(Value::as_array) else {
        return Ok(());
    };
    for (at, action) in actions.iter().enumerate() {
        let action = action.as_str().unwrap_or_default();
        if action != ACTION {
            let pointer = format!("/ReportActions/{at}");
            let message = "Reports go to their collection and nowhere else.";
            return Err(not_in_list(pointer, action, message));
        }
    }
    if actions.is_empty() {
        let message = "A report goes to the collection.";
        return Err(Error::invalid(
            "/ReportActions",
            "[]",
            Invalid::Missing,
            message,
        ));
    }
    Ok(())
}

fn when(rq: &Rq, body: &Map<String, Value>) -> Result<When, Error> {
    let empty = json!({});
    let scheduled = body.get("Schedule").unwrap_or(&empty);
    let recurs = scheduled
        .get("RecurrenceInterval")
        .is_some_and(|interval| !interval.is_null());
    let kind = body
        .get("MetricReportDefinitionType")
        .and_then(Value::as_str);
    match kind {
        Some("OnChange") => Ok(When::OnChange),
        Some("OnRequest") => Ok(When::OnRequest),
        None if !recurs => Ok(When::OnRequest),
        _ => {
            let schedule = schedule::read(scheduled, rq.hf.clock().now())?;
            Ok(When::Periodic(schedule))
        }
    }
}

/// What is to be reported: the properties of the definition itself, and those of each of its metrics.
fn wanted(rq: &Rq, body: &Map<String, Value>) -> Result<Vec<Wanted>, Error> {
    let wildcards = metric_definition::wildcards(body);
    let one = |pointer: String, text: &str| {
        let found = metric_definition::wanted(text, &wildcards);
        let found = found.map_err(|why| {
            let message = match why {
                Unknown::Property => "No metric is read there; see the metric definitions.",
                Unknown::Wildcard => "It names a wildcard that is not among the Wildcards.",
            };
            not_in_list(pointer.clone(), text, message)
        })?;
        if let Set::These(systems) = &found.systems {
            for system in systems {
                let id = system.parse();
                if id.and_then(|id| rq.hf.system(&rq.ctx, &id)).is_err() {
                    return Err(not_in_list(pointer, text, "There is no such system."));
                }
            }
        }
        Ok(found)
    };
    let mut all = Vec::new();
    for (at, text) in texts(body.get("MetricProperties")) {
        all.push(one(format!("/MetricProperties/{at}"), text)?);
    }
    let metrics = body.get("Metrics").and_then(Value::as_array);
    for (at, asked) in metrics.into_iter().flatten().enumerate() {
        let pointer = format!("/Metrics/{at}/MetricId");
        let metric =
            match asked.get("MetricId").and_then(Value::as_str) {
                None => None,
                Some(name) => Some(Metric::from_name(name).ok_or_else(|| {
                    not_in_list(pointer.clone(), name, "There is no such metric.")
                })?),
            };
        let mut properties = texts(asked.get("MetricProperties")).peekable();
        match (metric, properties.peek().is_some()) {
            (None, false) => {
                let message = "Say which metric, or where it is read.";
                return Err(Error::invalid(pointer, "", Invalid::Missing, message));
            }
            (Some(metric), false) => all.push(Wanted {
                metric,
                systems: Set::All,
                instances: Set::All,
            }),
            (metric, true) => {
                for (n, text) in properties {
                    let pointer = format!("/Metrics/{at}/MetricProperties/{n}");
                    let found = one(pointer.clone(), text)?;
                    if metric.is_some_and(|metric| metric != found.metric) {
                        let message = "Another metric is read there.";
                        return Err(not_in_list(pointer, text, message));
                    }
                    all.push(found);
                }
            }
        }
    }
    Ok(all)
}

fn texts(array: Option<&Value>) -> impl Iterator<Item = (usize, &str)> {
    let items = array.and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(at, item)| (at, item.as_str().unwrap_or_default()))
}
