//! What is asked wrongly is answered in the words of Redfish.

use futures::FutureExt as _;
use hawkfish_client::{Request, link};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::{allow, ask, refused};

const ROOT: &str = "/redfish/v1/";

pub(super) const NOT_FOUND: Case = Case {
    id: "errors.not-found",
    proves: "what is not there is answered with 404 and a Redfish error",
    section: "DSP0266, Error responses",
    level: Level::Must,
    writes: false,
    run: |context| {
        let uris = [
            "/redfish/v1/Conformance",
            "/redfish/v1/Systems/conformance-no-such-system",
            "/redfish/v1/$conformance",
        ];
        each(context, uris.map(Request::get).into(), &[404]).boxed()
    },
};

pub(super) const METHOD_NOT_ALLOWED: Case = Case {
    id: "errors.method-not-allowed",
    proves: "a method that a resource does not take is answered with 405 and the methods that it takes",
    section: "DSP0266, Status codes",
    level: Level::Must,
    writes: false,
    run: |context| method_not_allowed(context).boxed(),
};

pub(super) const UNKNOWN_METHOD: Case = Case {
    id: "errors.unknown-method",
    proves: "a method that nobody knows is answered with 405 or 501 and a Redfish error",
    section: "DSP0266, HTTP methods",
    level: Level::Must,
    writes: false,
    run: |context| {
        let method = Method::from_bytes(b"CONFORM").unwrap_or(Method::TRACE);
        each(context, vec![Request::new(method, ROOT)], &[405, 501]).boxed()
    },
};

pub(super) const UNKNOWN_QUERY: Case = Case {
    id: "errors.unknown-query",
    proves: "an unknown query parameter that begins with $ is answered with 501",
    section: "DSP0266, Query parameters",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(
            context,
            vec![Request::get("/redfish/v1/?$conformance=1")],
            &[501],
        )
        .boxed()
    },
};

pub(super) const NOT_ACCEPTABLE: Case = Case {
    id: "errors.not-acceptable",
    proves: "who accepts only what there is not is answered with 406",
    section: "DSP0266, Request headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        let request = Request::get(ROOT).header(ACCEPT, HeaderValue::from_static("image/png"));
        each(context, vec![request], &[406]).boxed()
    },
};

pub(super) const ODATA_VERSION: Case = Case {
    id: "errors.odata-version",
    proves: "who asks for another OData-Version than 4.0 is answered with 412",
    section: "DSP0266, Request headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        let name = HeaderName::from_static("odata-version");
        let request = Request::get(ROOT).header(name, HeaderValue::from_static("4.1"));
        each(context, vec![request], &[412]).boxed()
    },
};

pub(super) const MALFORMED: Case = Case {
    id: "errors.malformed",
    proves: "a body that is not JSON is answered with 400 and a Redfish error",
    section: "DSP0266, Error responses",
    level: Level::Must,
    writes: false,
    run: |context| malformed(context, "application/json", &[400]).boxed(),
};

pub(super) const MEDIA_TYPE: Case = Case {
    id: "errors.media-type",
    proves: "a body of a media type that the service does not read is answered with 415",
    section: "DSP0266, Request headers",
    level: Level::Must,
    writes: false,
    run: |context| malformed(context, "image/png", &[415]).boxed(),
};

async fn each(context: &Context<'_>, requests: Vec<Request>, statuses: &[u16]) -> Verdict {
    let mut tally = Tally::default();
    for request in requests {
        let uri = request.uri.clone();
        let answer = ask(context, request).await;
        tally.check(&uri, answer.and_then(|answer| refused(&answer, statuses)));
    }
    tally.verdict("")
}

async fn method_not_allowed(context: &Context<'_>) -> Verdict {
    let root = context
        .walk
        .resources()
        .find(|(visited, ..)| visited.uri == ROOT);
    let Some(allowed) = root.and_then(|(_, answer, _)| allow(answer)) else {
        return Verdict::skipped("the service root has no Allow");
    };
    // Never DELETE: a service that took it would be gone.
    let untaken = [Method::POST, Method::PATCH]
        .into_iter()
        .find(|method| !allowed.iter().any(|allowed| allowed == method.as_str()));
    let Some(method) = untaken else {
        return Verdict::skipped("the service root takes POST and PATCH");
    };
    let mut tally = Tally::default();
    let found = match Request::new(method, ROOT).json(&serde_json::json!({})) {
        Err(error) => Err(error.to_string()),
        Ok(request) => ask(context, request).await.and_then(|answer| {
            refused(&answer, &[405])?;
            allow(&answer)
                .map(drop)
                .ok_or_else(|| "405 without Allow".into())
        }),
    };
    tally.check(ROOT, found);
    tally.verdict("")
}

/// Sent to where sessions are opened: that reads a body from anyone, and opens none for this one.
async fn malformed(context: &Context<'_>, media_type: &'static str, statuses: &[u16]) -> Verdict {
    let Some(sessions) = link(&context.root, "/Links/Sessions") else {
        return Verdict::skipped("the service root has no Links/Sessions");
    };
    let mut request = Request::new(Method::POST, sessions)
        .anonymous()
        .header(CONTENT_TYPE, HeaderValue::from_static(media_type));
    request.body = "{\"UserName\": ".into();
    each(context, vec![request], statuses).await
}
