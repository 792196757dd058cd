//! Who is let in.

use futures::FutureExt as _;
use hawkfish_client::{Request, Response, basic_authorization, link};
use http::header::{LOCATION, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method};
use serde_json::{Value, json};

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::{ask, refused};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const NO_CREDENTIALS: &str = "no user and password were given";
const MISSING: &str = "/redfish/v1/Conformance/NoSuchThing";
/// Open by the specification, whatever links to them.
const OPEN: &[&str] = &["/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"];

pub(super) const REQUIRED: Case = Case {
    id: "auth.required",
    proves: "without credentials every resource below the root is refused with 401",
    section: "DSP0266, Authentication requirements",
    level: Level::Must,
    writes: false,
    run: |context| required(context).boxed(),
};

pub(super) const BEFORE_NOT_FOUND: Case = Case {
    id: "auth.before-not-found",
    proves: "without credentials nobody learns what there is not",
    section: "DSP0266, HTTP header security",
    level: Level::Must,
    writes: false,
    run: |context| one(context, Request::get(MISSING).anonymous(), &[401]).boxed(),
};

pub(super) const WRONG_PASSWORD: Case = Case {
    id: "auth.wrong-password",
    proves: "no session is opened for a wrong name and password",
    section: "DSP0266, Session login",
    level: Level::Must,
    writes: false,
    run: |context| wrong_password(context).boxed(),
};

pub(super) const FOREIGN_TOKEN: Case = Case {
    id: "auth.foreign-token",
    proves: "a token that the service did not give is refused with 401",
    section: "DSP0266, X-Auth-Token HTTP header",
    level: Level::Must,
    writes: false,
    run: |context| foreign_token(context).boxed(),
};

pub(super) const SESSION: Case = Case {
    id: "auth.session",
    proves: "a session opens with 201, Location and token, and its token ends with it",
    section: "DSP0266, Redfish session login authentication",
    level: Level::Must,
    writes: false,
    run: |context| session(context).boxed(),
};

pub(super) const BASIC: Case = Case {
    id: "auth.basic",
    proves: "user and password of HTTP Basic are taken without a session",
    section: "DSP0266, HTTP basic authentication",
    level: Level::Must,
    writes: false,
    run: |context| basic(context).boxed(),
};

/// Some resource that is not open.
fn closed<'a>(context: &'a Context<'_>) -> Option<&'a str> {
    let mut uris = context
        .walk
        .resources()
        .map(|(visited, ..)| visited.uri.as_str());
    uris.find(|uri| !is_open(uri))
}

fn is_open(uri: &str) -> bool {
    OPEN.contains(&uri.trim_end_matches('/'))
}

async fn required(context: &Context<'_>) -> Verdict {
    if context.credentials.is_none() {
        return Verdict::skipped(NO_CREDENTIALS);
    }
    let mut tally = Tally::default();
    for (visited, ..) in context.walk.resources() {
        if is_open(&visited.uri) {
            continue;
        }
        let answer = ask(context, Request::get(&visited.uri).anonymous()).await;
        tally.check(
            &visited.uri,
            answer.and_then(|answer| unauthorized(&answer)),
        );
    }
    tally.verdict("no resource below the root was found")
}

fn unauthorized(answer: &Response) -> Result<(), String> {
    refused(answer, &[401])?;
    match answer.headers.contains_key(WWW_AUTHENTICATE) {
        true => Ok(()),
        false => Err("401 without WWW-Authenticate".into()),
    }
}

async fn one(context: &Context<'_>, request: Request, statuses: &[u16]) -> Verdict {
    let mut tally = Tally::default();
    let uri = request.uri.clone();
    let answer = ask(context, request).await;
    tally.check(&uri, answer.and_then(|answer| refused(&answer, statuses)));
    tally.verdict("")
}

fn login(context: &Context<'_>, user: &str, password: &str) -> Result<Request, String> {
    let sessions = link(&context.root, "/Links/Sessions").ok_or("no Links/Sessions")?;
    let request = Request::new(Method::POST, sessions).anonymous();
    request
        .json(&json!({"UserName": user, "Password": password}))
        .map_err(|error| error.to_string())
}

async fn wrong_password(context: &Context<'_>) -> Verdict {
    // Nobody's name, so that nobody is locked out by it.
    match login(context, "conformance-nobody", "conformance-wrong-password") {
        Ok(request) => one(context, request, &[401]).await,
        Err(why) => Verdict::skipped(why),
    }
}

async fn foreign_token(context: &Context<'_>) -> Verdict {
    let (Some(uri), Some(_)) = (closed(context), context.credentials) else {
        return Verdict::skipped(NO_CREDENTIALS);
    };
    let token = HeaderValue::from_static("0123456789abcdef0123456789abcdef");
    let request = Request::get(uri).anonymous().header(X_AUTH_TOKEN, token);
    one(context, request, &[401]).await
}

async fn session(context: &Context<'_>) -> Verdict {
    let (Some((user, password)), Some(uri)) = (context.credentials, closed(context)) else {
        return Verdict::skipped(NO_CREDENTIALS);
    };
    let mut tally = Tally::default();
    let place = link(&context.root, "/Links/Sessions").unwrap_or_default();
    tally.check(place, life_of_session(context, user, password, uri).await);
    tally.verdict("")
}

async fn life_of_session(
    context: &Context<'_>,
    user: &str,
    password: &str,
    uri: &str,
) -> Result<(), String> {
    let opened = ask(context, login(context, user, password)?).await?;
    if opened.status != 201 {
        return Err(format!("opening it: {} instead of 201", opened.status));
    }
    let token = opened
        .headers
        .get(X_AUTH_TOKEN)
        .ok_or("no X-Auth-Token")?
        .clone();
    let body = opened.json().map_err(|error| error.to_string())?;
    let id = body
        .get("@odata.id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let location = opened.header(LOCATION).ok_or("no Location")?;
    let told = if !id.is_empty() && location.ends_with(id) {
        Ok(())
    } else {
        Err(format!("Location is {location:?}, @odata.id is {id:?}"))
    };
    let with = |method: Method, uri: &str| {
        Request::new(method, uri)
            .anonymous()
            .header(X_AUTH_TOKEN, token.clone())
    };
    let read = ask(context, with(Method::GET, uri)).await?;
    // Closed first, told afterwards: no session is left behind by a failure.
    let closed = ask(
        context,
        with(Method::DELETE, if id.is_empty() { location } else { id }),
    )
    .await?;
    let after = ask(context, with(Method::GET, uri)).await?;
    told?;
    if read.status != 200 {
        return Err(format!(
            "reading with its token: {} instead of 200",
            read.status
        ));
    }
    if !closed.status.is_success() {
        return Err(format!("closing it: {}", closed.status));
    }
    refused(&after, &[401]).map_err(|why| format!("reading with its token after its end: {why}"))
}

async fn basic(context: &Context<'_>) -> Verdict {
    let (Some((user, password)), Some(uri)) = (context.credentials, closed(context)) else {
        return Verdict::skipped(NO_CREDENTIALS);
    };
    let mut tally = Tally::default();
    let request = Request::get(uri).anonymous().header(
        http::header::AUTHORIZATION,
        basic_authorization(user, password),
    );
    let answer = ask(context, request).await;
    tally.check(uri, answer.and_then(|answer| crate::probe::ok(&answer)));
    tally.verdict("")
}
