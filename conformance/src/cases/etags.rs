//! ETags, and reading only what has changed.

use futures::FutureExt as _;
use hawkfish_client::Request;
use http::HeaderValue;
use http::header::{ETAG, IF_NONE_MATCH};
use serde_json::Value;

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::ask;

const NONE: &str = "no resource has an ETag";

pub(super) const EQUAL: Case = Case {
    id: "etags.equal",
    proves: "the header ETag and @odata.etag say the same",
    section: "DSP0266, ETags",
    level: Level::Must,
    writes: false,
    run: |context| equal(context).boxed(),
};

pub(super) const NOT_MODIFIED: Case = Case {
    id: "etags.not-modified",
    proves: "what has not changed is answered with 304 and no body",
    section: "DSP0266, ETags",
    level: Level::Should,
    writes: false,
    run: |context| not_modified(context).boxed(),
};

pub(super) const STABLE: Case = Case {
    id: "etags.stable",
    proves: "a resource that has not changed keeps its ETag",
    section: "DSP0266, ETags",
    level: Level::Must,
    writes: false,
    run: |context| stable(context).boxed(),
};

async fn equal(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for (visited, answer, body) in context.walk.resources() {
        let inside = body.get("@odata.etag").and_then(Value::as_str);
        let header = answer.header(ETAG);
        // A resource may have the header alone; the annotation without the header is wrong.
        let good = match (header, inside) {
            (None, None) => continue,
            (Some(_), None) => true,
            (header, inside) => header == inside,
        };
        tally.expect(&visited.uri, good, || {
            format!("ETag is {header:?}, @odata.etag is {inside:?}")
        });
    }
    tally.verdict(NONE)
}

async fn not_modified(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for (visited, answer, _) in context.walk.resources() {
        let Some(tag) = answer.headers.get(ETAG) else {
            continue;
        };
        let found = unchanged(context, &visited.uri, tag.clone()).await;
        tally.check(&visited.uri, found);
    }
    tally.verdict(NONE)
}

async fn unchanged(context: &Context<'_>, uri: &str, mut tag: HeaderValue) -> Result<(), String> {
    // Twice, for what has really changed since it was walked.
    for last in [false, true] {
        let request = Request::get(uri).header(IF_NONE_MATCH, tag.clone());
        let answer = ask(context, request).await?;
        if answer.status == 304 {
            return match answer.body.is_empty() {
                true => Ok(()),
                false => Err("304 with a body".into()),
            };
        }
        let now = answer.headers.get(ETAG).cloned();
        match now {
            Some(now) if now != tag && !last => tag = now,
            _ => return Err(format!("{} instead of 304", answer.status)),
        }
    }
    Ok(())
}

async fn stable(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for (visited, before, body) in context.walk.resources() {
        let Some(tag) = before.header(ETAG) else {
            continue;
        };
        let found = match ask(context, Request::get(&visited.uri)).await {
            Err(error) => Err(error),
            Ok(after) => {
                let same = after
                    .json()
                    .ok()
                    .is_some_and(|after| plain(&after) == plain(body));
                match after.header(ETAG) {
                    now if same && now != Some(tag) => Err(format!("{tag}, and then {now:?}")),
                    _ => Ok(()),
                }
            }
        };
        tally.check(&visited.uri, found);
    }
    tally.verdict(NONE)
}

/// The resource without its tag.
fn plain(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("@odata.etag");
    }
    body
}
