//! What every service has, and tells anyone.

use futures::FutureExt as _;
use hawkfish_client::{Request, Response, link};
use http::HeaderValue;
use http::header::ACCEPT;
use serde_json::{Value, json};

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::{ask, ok};

pub(super) const VERSIONS: Case = Case {
    id: "service.versions",
    proves: "/redfish tells anyone where version 1 begins",
    section: "DSP0266, Protocol version",
    level: Level::Must,
    writes: false,
    run: |context| open(context, &["/redfish"], versions).boxed(),
};

pub(super) const ROOT: Case = Case {
    id: "service.root",
    proves: "the service root is open to anyone, with and without the slash at its end",
    section: "DSP0266, Service root request",
    level: Level::Must,
    writes: false,
    run: |context| open(context, &["/redfish/v1/", "/redfish/v1"], root).boxed(),
};

pub(super) const ODATA: Case = Case {
    id: "service.odata",
    proves: "the OData service document is open to anyone and names the service root's resources",
    section: "DSP0266, OData service document",
    level: Level::Must,
    writes: false,
    run: |context| open(context, &["/redfish/v1/odata"], service_document).boxed(),
};

pub(super) const METADATA: Case = Case {
    id: "service.metadata",
    proves: "$metadata is open to anyone, and is XML with an entity container",
    section: "DSP0266, OData $metadata",
    level: Level::Must,
    writes: false,
    run: |context| open(context, &["/redfish/v1/$metadata"], metadata).boxed(),
};

pub(super) const SESSIONS: Case = Case {
    id: "service.sessions",
    proves: "the service root says where sessions are opened",
    section: "DSP0266, Session login",
    level: Level::Must,
    writes: false,
    run: |context| {
        async move {
            let mut tally = Tally::default();
            let found = link(&context.root, "/Links/Sessions").is_some();
            tally.expect("/redfish/v1/", found, || "no Links/Sessions".into());
            tally.verdict("")
        }
        .boxed()
    },
};

async fn open(
    context: &Context<'_>,
    uris: &[&str],
    look: fn(&Response) -> Result<(), String>,
) -> Verdict {
    let mut tally = Tally::default();
    for uri in uris {
        let request = Request::get(*uri).anonymous();
        // Each in the form that it has.
        let request = request.header(
            ACCEPT,
            HeaderValue::from_static("application/json, application/xml"),
        );
        let answer = ask(context, request).await;
        tally.check(
            uri,
            answer.and_then(|answer| ok(&answer).and_then(|()| look(&answer))),
        );
    }
    tally.verdict("")
}

fn versions(answer: &Response) -> Result<(), String> {
    let body = answer.json().map_err(|error| error.to_string())?;
    if body == json!({"v1": "/redfish/v1/"}) {
        return Ok(());
    }
    Err(format!("{body}"))
}

fn root(answer: &Response) -> Result<(), String> {
    let body = answer.json().map_err(|error| error.to_string())?;
    let odata_type = body.get("@odata.type").and_then(Value::as_str);
    match odata_type {
        Some(name) if name.starts_with("#ServiceRoot.") => Ok(()),
        other => Err(format!("@odata.type is {other:?}")),
    }
}

fn service_document(answer: &Response) -> Result<(), String> {
    let body = answer.json().map_err(|error| error.to_string())?;
    if !body.get("@odata.context").is_some_and(Value::is_string) {
        return Err("no @odata.context".into());
    }
    let listed = body.get("value").and_then(Value::as_array);
    let listed = listed.ok_or("value is no list")?;
    let whole = |item: &Value| {
        ["name", "kind", "url"]
            .iter()
            .all(|name| item.get(*name).is_some_and(Value::is_string))
    };
    match listed.iter().find(|item| !whole(item)) {
        Some(item) => Err(format!("{item} lacks name, kind or url")),
        None => Ok(()),
    }
}

fn metadata(answer: &Response) -> Result<(), String> {
    let media_type = answer
        .header(http::header::CONTENT_TYPE)
        .unwrap_or_default();
    if !media_type.starts_with("application/xml") {
        return Err(format!("Content-Type is {media_type:?}"));
    }
    let text = String::from_utf8_lossy(&answer.body);
    if text.contains("EntityContainer") {
        Ok(())
    } else {
        Err("no EntityContainer".into())
    }
}
