//! Changes. Each sends what stands there already, or puts back what it changed.

use futures::FutureExt as _;
use hawkfish_client::{Etag, Outcome, Request, Response};
use http::header::{ETAG, IF_MATCH};
use http::{HeaderValue, Method};
use serde_json::{Map, Value, json};

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::{allow, ask, refused};
use crate::walk::Visited;

const NOTHING: &str = "no system takes PATCH and has a boot override";
const BOOT: [&str; 2] = ["BootSourceOverrideEnabled", "BootSourceOverrideTarget"];

pub(super) const STALE: Case = Case {
    id: "writes.stale",
    proves: "a change guarded by an ETag that is not the resource's is answered with 412 and changes nothing",
    section: "DSP0266, ETags",
    level: Level::Must,
    writes: true,
    run: |context| stale(context).boxed(),
};

pub(super) const UNKNOWN_PROPERTY: Case = Case {
    id: "writes.unknown-property",
    proves: "a property that a resource does not have is answered with 400, naming the property",
    section: "DSP0266, PATCH (update)",
    level: Level::Must,
    writes: true,
    run: |context| unknown_property(context).boxed(),
};

pub(super) const NOTHING_TO_DO: Case = Case {
    id: "writes.nothing",
    proves: "a change of nothing but annotations is told as NoOperation",
    section: "DSP0266, PATCH (update)",
    level: Level::Should,
    writes: true,
    run: |context| nothing(context).boxed(),
};

pub(super) const BOOT_OVERRIDE: Case = Case {
    id: "writes.boot",
    proves: "a boot override that was set is read back, with another ETag",
    section: "DSP0266, PATCH (update)",
    level: Level::Must,
    writes: true,
    run: |context| boot(context).boxed(),
};

/// A system that can be changed, and its boot override.
fn system<'a>(context: &'a Context<'_>) -> Option<(&'a Visited, &'a Value, Map<String, Value>)> {
    context
        .walk
        .resources()
        .find_map(|(visited, answer, body)| {
            let odata_type = body.get("@odata.type")?.as_str()?;
            let takes = allow(answer)?.iter().any(|method| method == "PATCH");
            if !takes || !odata_type.starts_with("#ComputerSystem.v") {
                return None;
            }
            let boot = body.get("Boot")?;
            let now = BOOT
                .iter()
                .map(|name| Some(((*name).to_owned(), boot.get(*name)?.clone())));
            Some((visited, body, now.collect::<Option<_>>()?))
        })
}

fn patch(uri: &str, body: &Value) -> Result<Request, String> {
    let request = Request::new(Method::PATCH, uri).json(body);
    request.map_err(|error| error.to_string())
}

async fn stale(context: &Context<'_>) -> Verdict {
    let Some((visited, _, now)) = system(context) else {
        return Verdict::skipped(NOTHING);
    };
    let mut tally = Tally::default();
    // What stands there already: a service that does not look at the tag changes nothing by it.
    let found = match patch(&visited.uri, &json!({"Boot": now})) {
        Err(error) => Err(error),
        Ok(request) => {
            let tag = HeaderValue::from_static("\"conformance-never-given\"");
            let answer = ask(context, request.header(IF_MATCH, tag)).await;
            answer.and_then(|answer| refused(&answer, &[412]))
        }
    };
    tally.check(&visited.uri, found);
    tally.verdict("")
}

async fn unknown_property(context: &Context<'_>) -> Verdict {
    const NAME: &str = "ConformanceNoSuchProperty";
    let Some((visited, ..)) = system(context) else {
        return Verdict::skipped(NOTHING);
    };
    let mut tally = Tally::default();
    let found = match patch(&visited.uri, &json!({NAME: 1})) {
        Err(error) => Err(error),
        Ok(request) => ask(context, request).await.and_then(|answer| {
            refused(&answer, &[400])?;
            let body = answer.json().map_err(|error| error.to_string())?;
            let messages = body.pointer("/error/@Message.ExtendedInfo");
            let mut messages = messages.and_then(Value::as_array).into_iter().flatten();
            let named = messages.any(|message| {
                let id = message.get("MessageId").and_then(Value::as_str);
                let args = message.get("MessageArgs").and_then(Value::as_array);
                id.is_some_and(|id| id.ends_with(".PropertyUnknown"))
                    && args.is_some_and(|args| args.contains(&NAME.into()))
            });
            named
                .then_some(())
                .ok_or_else(|| "no PropertyUnknown that names it".into())
        }),
    };
    tally.check(&visited.uri, found);
    tally.verdict("")
}

async fn nothing(context: &Context<'_>) -> Verdict {
    let Some((visited, ..)) = system(context) else {
        return Verdict::skipped(NOTHING);
    };
    let mut tally = Tally::default();
    let found = match patch(&visited.uri, &json!({"@odata.id": visited.uri})) {
        Err(error) => Err(error),
        Ok(request) => ask(context, request).await.and_then(|answer| {
            let told = String::from_utf8_lossy(&answer.body).contains("NoOperation");
            match (answer.status.as_u16(), told) {
                (200 | 400, true) => Ok(()),
                (status, _) => Err(format!("{status}, NoOperation is told: {told}")),
            }
        }),
    };
    tally.check(&visited.uri, found);
    tally.verdict("")
}

async fn boot(context: &Context<'_>) -> Verdict {
    let Some((visited, body, before)) = system(context) else {
        return Verdict::skipped(NOTHING);
    };
    let targets = body.pointer("/Boot/BootSourceOverrideTarget@Redfish.AllowableValues");
    let other = targets
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .find(|target| ["Cd", "Pxe", "Hdd"].contains(target) && before[BOOT[1]] != *target);
    let Some(other) = other else {
        return Verdict::skipped("the system says no boot target to try");
    };
    let mut tally = Tally::default();
    let set = json!({BOOT[0]: "Once", BOOT[1]: other});
    let found = set_and_read(context, &visited.uri, &set).await;
    let back = context
        .client
        .patch(&visited.uri, None, &json!({"Boot": before}))
        .await;
    let back = match back {
        Ok(outcome) => outcome.finish(None).await.map(drop),
        Err(error) => Err(error),
    };
    tally.check(&visited.uri, found);
    tally.check(
        &visited.uri,
        back.map_err(|error| format!("IT WAS NOT PUT BACK: {error}")),
    );
    tally.verdict("")
}

async fn set_and_read(context: &Context<'_>, uri: &str, set: &Value) -> Result<(), String> {
    let text = |error: hawkfish_client::Error| error.to_string();
    let read = || ask(context, Request::get(uri));
    let tag = |answer: &Response| answer.header(ETAG).map(Etag::new);
    let before = tag(&read().await?);
    let outcome = context
        .client
        .patch(uri, before.as_ref(), &json!({"Boot": set}))
        .await
        .map_err(text)?;
    if let Outcome::Started(_) = outcome {
        outcome.finish(None).await.map_err(text)?;
    }
    let after = read().await?;
    let body = after.json().map_err(text)?;
    for name in BOOT {
        let found = body.pointer(&format!("/Boot/{name}"));
        if found != set.get(name) {
            return Err(format!(
                "{name} is {found:?} after it was set to {}",
                set[name]
            ));
        }
    }
    match (before, tag(&after)) {
        (Some(before), Some(after)) if before == after => Err("the ETag stayed the same".into()),
        _ => Ok(()),
    }
}
