//! What is asked of a request before a handler sees it.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use hawkfish_core::ctx::{Ctx, Privilege};
use hawkfish_core::error::{Error, ErrorKind};
use hawkfish_core::id::SystemId;
use hawkfish_redfish::message::base;
use hawkfish_redfish::query::{Query, QueryProblem};
use hawkfish_redfish::validate::{self, Finding};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde_json::{Map, Value};

use super::{Action, AnyOf, Entry, Representation, Resource, Route, Rq, Target, Verb};
use crate::problem::Problem;

/// How much of a body that is too large is read and thrown away, so that the client gets to read the answer instead of a reset connection.
const DRAIN_BYTES: usize = 128 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(10);

/// What the method means at that place, whether or not it is supported there.
pub(super) fn verb(route: &Route, method: &Method) -> Option<Verb> {
    match (route.target, method.as_str()) {
        (Target::Resource, "GET" | "HEAD") => Some(Verb::Get),
        (Target::Resource, "PATCH") => Some(Verb::Patch),
        (Target::Resource, "DELETE") => Some(Verb::Delete),
        (Target::Resource | Target::Members, "POST") => Some(Verb::Create),
        (Target::Action(_) | Target::UnknownAction, "POST") => Some(Verb::Act),
        _ => None,
    }
}

/// What the method means at that place, where it is supported.
pub(super) fn verb_of(resource: &Resource, route: &Route, method: &Method) -> Option<Verb> {
    verb(route, method).filter(|verb| match verb {
        Verb::Act => true,
        _ => resource.verbs().any(|known| known == *verb),
    })
}

/// The `Allow` header of a resource.
pub(super) fn allow(resource: &Resource) -> HeaderValue {
    let methods: Vec<&str> = resource
        .verbs()
        .map(|verb| match verb {
            Verb::Get => "GET, HEAD",
            Verb::Patch => "PATCH",
            Verb::Create | Verb::Act => "POST",
            Verb::Delete => "DELETE",
        })
        .collect();
    HeaderValue::try_from(methods.join(", ")).expect("names of methods")
}

pub(super) fn no_such_method(entry: &Entry, route: &Route) -> Problem {
    let allow = match route.target {
        Target::Resource => entry.allow.clone(),
        Target::Members | Target::Action(_) | Target::UnknownAction => {
            HeaderValue::from_static("POST")
        }
    };
    Problem::base(StatusCode::METHOD_NOT_ALLOWED, "OperationNotAllowed", &[]).header(ALLOW, allow)
}

fn holds(resource: &Resource, rq: &Rq, needs: AnyOf) -> bool {
    needs.iter().any(|privilege| {
        let own = || resource.own.is_some_and(|own| own(rq));
        rq.ctx.has(*privilege) && (*privilege != Privilege::ConfigureSelf || own())
    })
}

fn needs(resource: &Resource, rq: &Rq, verb: Verb) -> AnyOf {
    match verb {
        Verb::Get => resource.privileges.get,
        Verb::Patch => resource.privileges.patch,
        Verb::Delete => resource.privileges.delete,
        Verb::Create => resource.privileges.post,
        Verb::Act => rq
            .action()
            .and_then(|action| action.needs)
            .unwrap_or(resource.privileges.post),
    }
}

fn insufficient() -> Problem {
    Problem::base(StatusCode::FORBIDDEN, "InsufficientPrivilege", &[])
}

/// May the caller? The one place where that is decided.
pub(super) fn privilege(resource: &Resource, rq: &Rq, verb: Verb) -> Result<(), Problem> {
    let some_property = || {
        verb == Verb::Patch
            && resource
                .overrides
                .iter()
                .any(|property| holds(resource, rq, property.needs))
    };
    if holds(resource, rq, needs(resource, rq, verb)) || some_property() {
        Ok(())
    } else {
        Err(insufficient())
    }
}

/// May the caller PATCH each of these properties?
pub(super) fn overrides(resource: &Resource, rq: &Rq) -> Result<(), Problem> {
    if holds(resource, rq, resource.privileges.patch) {
        return Ok(());
    }
    let refused = rq.body.keys().find(|name| {
        let mut granted = resource
            .overrides
            .iter()
            .filter(|property| property.property == name.as_str());
        !name.starts_with('@') && !granted.any(|property| holds(resource, rq, property.needs))
    });
    match refused {
        None => Ok(()),
        Some(name) => Err(insufficient().related(&format!("/{name}"))),
    }
}

/// At the face of a system nothing is there of other systems, whatever is asked of it.
pub(super) fn is_here(ctx: &Ctx, route: &Route) -> Result<(), Problem> {
    let (Some(face), Some(range)) = (ctx.face(), route.params.get("system")) else {
        return Ok(());
    };
    match route.uri.get(range) == Some(face.as_str()) {
        true => Ok(()),
        false => Err(Problem::missing(&route.uri)),
    }
}

/// What is reached through a manager is not there while that restarts: the manager itself, its system, its chassis.
pub(super) fn manager_is_there(rq: &Rq) -> Result<(), Problem> {
    let id = rq.param("system");
    if id.is_empty() {
        return Ok(());
    }
    let Ok(id) = SystemId::parse(id) else {
        return Ok(());
    };
    match rq.hf.manager_away(&id) {
        None => Ok(()),
        Some(left) => {
            let retry_after = Duration::from_secs(left.as_secs() + 1);
            let why = "Its manager restarts.";
            Err(Error::new(ErrorKind::Unavailable { retry_after }, why).into())
        }
    }
}

/// Whoever must change the password may see to just that.
pub(super) fn allowed_before_password_change(resource: &Resource, rq: &Rq, verb: Verb) -> bool {
    resource.before_password_change
        && matches!(verb, Verb::Get | Verb::Patch | Verb::Delete)
        && resource.own.is_some_and(|own| own(rq))
}

/// `OData-Version` and `Accept`.
pub(super) fn headers(headers: &HeaderMap, resource: &Resource) -> Result<(), Problem> {
    if let Some(version) = headers.get("odata-version")
        && version.as_bytes().trim_ascii() != b"4.0"
    {
        return Err(Problem::base(
            StatusCode::PRECONDITION_FAILED,
            "HeaderInvalid",
            &["OData-Version"],
        ));
    }
    let mut ranges = headers.get_all(ACCEPT).iter().peekable();
    if ranges.peek().is_none() {
        return Ok(());
    }
    let accepted = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| accepts(range, resource.media_type));
    if accepted {
        Ok(())
    } else {
        Err(Problem::base(
            StatusCode::NOT_ACCEPTABLE,
            "HeaderInvalid",
            &["Accept"],
        ))
    }
}

/// Whether a media range (RFC 9110, 12.5.1) holds the media type.
fn accepts(range: &str, media_type: &str) -> bool {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let refused = parts.any(|parameter| {
        let weight = parameter
            .strip_prefix("q=")
            .or_else(|| parameter.strip_prefix("Q="));
        weight.is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
    });
    let kind = media_type.split_once('/').map_or("", |(kind, _)| kind);
    let fits = name.is_empty() && range.trim().is_empty()
        || name == "*/*"
        || name.eq_ignore_ascii_case(media_type)
        || name
            .strip_suffix("/*")
            .is_some_and(|range| range.eq_ignore_ascii_case(kind));
    fits && !refused
}

/// Query parameters: those of a read are taken as they are, those of a change refused (DSP0266, "Query parameters").
pub(super) fn query(uri: &Uri, verb: Verb) -> Result<Query, Problem> {
    let Some(query) = uri.query().filter(|query| !query.is_empty()) else {
        return Ok(Query::default());
    };
    if verb != Verb::Get {
        return Err(Problem::base(
            StatusCode::BAD_REQUEST,
            "QueryNotSupportedOnOperation",
            &[],
        ));
    }
    Query::parse(query).map_err(|problem| {
        let status = match problem {
            QueryProblem::Unsupported { .. } => StatusCode::NOT_IMPLEMENTED,
            QueryProblem::Format { .. } | QueryProblem::OutOfRange { .. } => {
                StatusCode::BAD_REQUEST
            }
        };
        Problem::messages(status, vec![problem.message()])
    })
}

/// The body must be JSON where there is one, and not packed.
pub(super) fn content_type(headers: &HeaderMap, body: &Body) -> Result<(), Problem> {
    let packed = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if packed {
        return Err(Problem::base(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HeaderInvalid",
            &["Content-Encoding"],
        )
        .header(ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    if body.is_end_stream() || body.size_hint().exact() == Some(0) {
        return Ok(());
    }
    let value = value.to_str().unwrap_or_default();
    let mut parts = value.split(';').map(str::trim);
    let json = parts
        .next()
        .is_some_and(|name| name.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
            let charset = charset.trim().trim_matches('"');
            charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("us-ascii")
        }
        _ => true,
    });
    if json && utf8 {
        Ok(())
    } else {
        Err(Problem::base(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HeaderInvalid",
            &["Content-Type"],
        ))
    }
}

/// Takes in the body, up to `limit` bytes.
pub(super) async fn collect(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
) -> Result<Bytes, Problem> {
    let too_large = || Problem::base(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", &[]);
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        // Who asks first whether to go on has not sent anything yet.
        if !headers.contains_key(EXPECT) {
            drain(body).await;
        }
        return Err(too_large());
    }
    let mut taken = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_broken_off| {
            Problem::base(StatusCode::BAD_REQUEST, "UnrecognizedRequestBody", &[])
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if taken.len() + data.len() > limit {
            drain(body).await;
            return Err(too_large());
        }
        if taken.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        taken.extend_from_slice(&data);
    }
    Ok(taken.freeze())
}

async fn drain(mut body: Body) {
    let all = async {
        let mut seen = 0;
        while let Some(Ok(frame)) = body.frame().await {
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > DRAIN_BYTES {
                return;
            }
        }
    };
    // Either way the answer is the same.
    let _ = tokio::time::timeout(DRAIN_TIME, all).await;
}

/// A body that is an object, no property twice.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match validate::parse_strict(bytes) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Problem::messages(
            StatusCode::BAD_REQUEST,
            vec![base("UnrecognizedRequestBody", &[])],
        )),
        Err(problem) => Err(Problem::messages(
            StatusCode::BAD_REQUEST,
            vec![problem.message()],
        )),
    }
}

/// What the schema allows and this very resource, as it is now, does not: a property that it does not have, a value that it does not list.
pub(super) fn and_here(
    mut findings: Vec<Finding>,
    body: &Map<String, Value>,
    now: &Representation,
    action: Option<(&Action, &str)>,
) -> Vec<Finding> {
    let Ok(current) = serde_json::from_slice::<Value>(&now.bytes) else {
        return findings;
    };
    let more = match action {
        Some((action, entity)) => validate::allowable(body, action.shown(entity, &current)),
        None => {
            let mut more = validate::allowable(body, &current);
            absent(body, &current, "", &mut more);
            // What not even the schema has is not there to be written by anybody.
            let kind = current["@odata.type"].as_str().unwrap_or_default();
            let entity = kind.trim_start_matches('#').split('.').next();
            for finding in &mut more {
                let is_absent = finding.problem == validate::Problem::NotWritable;
                if is_absent
                    && !validate::is_served_property(entity.unwrap_or_default(), &finding.pointer)
                {
                    finding.problem = validate::Problem::Unknown;
                }
            }
            more
        }
    };
    for finding in more {
        if findings
            .iter()
            .all(|known| known.pointer != finding.pointer)
        {
            findings.push(finding);
        }
    }
    findings
}

fn absent(body: &Map<String, Value>, current: &Value, above: &str, found: &mut Vec<Finding>) {
    for (name, value) in body.iter().filter(|(name, _)| !name.contains('@')) {
        let pointer = format!("{above}/{name}");
        match (value, current.get(name)) {
            (Value::Object(below), Some(current @ Value::Object(_))) => {
                absent(below, current, &pointer, found);
            }
            (_, Some(_)) => {}
            (_, None) => found.push(Finding {
                pointer,
                name: name.clone(),
                problem: validate::Problem::NotWritable,
            }),
        }
    }
}

/// Puts into the arrays of a PATCH what `{}` stands for: the element that is there (DSP0266, "PATCH (update)"). With `plain`, only where that is no
/// object, so that the whole can be held against the schema: of an object some members cannot be written.
pub(super) fn fill_arrays(body: &mut Map<String, Value>, now: &Representation, plain: bool) {
    if let Ok(Value::Object(current)) = serde_json::from_slice(&now.bytes) {
        each_array(body, Some(&current), &mut |items, current| {
            for (item, old) in items.iter_mut().zip(current) {
                let kept = item.as_object().is_some_and(Map::is_empty);
                if kept && !(plain && old.is_object()) {
                    *item = old.clone();
                }
            }
        });
    }
}

/// Takes out of the arrays of a PATCH what null asks to be removed. Handlers see arrays as they are to be.
pub(super) fn cut_arrays(body: &mut Map<String, Value>) {
    each_array(body, None, &mut |items, _| {
        items.retain(|item| !item.is_null() && item.as_object().is_none_or(|one| !one.is_empty()));
    });
}

fn each_array(
    body: &mut Map<String, Value>,
    current: Option<&Map<String, Value>>,
    act: &mut impl FnMut(&mut Vec<Value>, &[Value]),
) {
    for (name, value) in body {
        let current = current.and_then(|current| current.get(name));
        match value {
            Value::Object(below) => each_array(below, current.and_then(Value::as_object), act),
            Value::Array(items) => {
                let current = current.and_then(Value::as_array);
                act(items, current.map_or(&[], Vec::as_slice));
            }
            _ => {}
        }
    }
}

/// Whether a list of entity tags, or `*`, holds this one. Weakness is passed over: tags of packed answers are weak, be it by the door or by a proxy, and what
/// comes back still names exactly one state of the resource.
pub(super) fn matches(tags: &HeaderValue, etag: &HeaderValue) -> bool {
    let Ok(tags) = tags.to_str() else {
        return false;
    };
    tags.split(',').map(str::trim).any(|tag| {
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_range_holds_json_or_does_not() {
        for range in [
            "application/json",
            "*/*",
            " application/* ; q=0.1",
            "APPLICATION/JSON;charset=utf-8",
            "",
        ] {
            assert!(accepts(range, "application/json"), "{range}");
        }
        for range in [
            "text/html",
            "application/xml",
            "application/json;q=0",
            "*/*;q=0.0",
            "json",
            "*/json",
        ] {
            assert!(!accepts(range, "application/json"), "{range}");
        }
    }

    #[test]
    fn a_tag_matches_itself_in_any_list_and_strength() {
        let etag = HeaderValue::from_static("\"abc\"");
        for tags in ["\"abc\"", "*", "\"x\", \"abc\"", "W/\"abc\""] {
            assert!(matches(&HeaderValue::from_static(tags), &etag), "{tags}");
        }
        for tags in ["abc", "\"ab\"", "", "\"ABC\""] {
            assert!(!matches(&HeaderValue::from_static(tags), &etag), "{tags}");
        }
    }
}
