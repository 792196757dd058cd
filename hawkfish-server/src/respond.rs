//! The way out: from what a handler found to bytes, ETag and headers.

use std::collections::HashSet;
use std::sync::Mutex;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::TaskId;
use hawkfish_redfish::error::RedfishError;
use hawkfish_redfish::validate;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LINK,
    LOCATION, RETRY_AFTER,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_128;

use crate::catalog::{Catalog, Entry, Representation, Resource, Rq};
use crate::problem::Problem;
use crate::resource::{action_info, docs};

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What becomes of an answer that its schema does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Nobody looks.
    Off,
    /// It is sent, and logged. Only some answers are looked at.
    Log,
    /// It becomes a 500, and is logged.
    Enforce,
}

/// Answers whose schema was found to hold; what comes again byte for byte needs no second look.
#[derive(Debug)]
pub struct Validated {
    mode: Validation,
    known: Mutex<HashSet<[u8; ETAG_BYTES]>>,
}

/// Where answers are only logged, one of so many is looked at, by its hash: the look costs as much as the answer.
const ONE_OF: u8 = 64;
/// Tags remembered at most.
const KNOWN: usize = 16 * 1024;
/// Bytes of the hash in an ETag.
const ETAG_BYTES: usize = 15;

impl Validated {
    /// Nothing known so far.
    #[must_use]
    pub fn new(mode: Validation) -> Self {
        Self {
            mode,
            known: Mutex::default(),
        }
    }

    /// Whether nobody needs to look at an answer of that hash.
    fn is_settled(&self, entity: &str, hash: [u8; ETAG_BYTES]) -> bool {
        let passed_over = match self.mode {
            Validation::Off => true,
            Validation::Log => !hash[0].is_multiple_of(ONE_OF),
            Validation::Enforce => false,
        };
        passed_over || entity.is_empty() || self.known.lock().expect("validated").contains(&hash)
    }

    fn check(&self, entity: &str, hash: [u8; ETAG_BYTES], body: &Value) -> Result<(), Problem> {
        if self.is_settled(entity, hash) {
            return Ok(());
        }
        let findings = validate::response(entity, body);
        if findings.is_empty() {
            let mut known = self.known.lock().expect("validated");
            if known.len() >= KNOWN {
                known.clear();
            }
            known.insert(hash);
            return Ok(());
        }
        for finding in &findings {
            tracing::error!(entity, pointer = finding.pointer, problem = ?finding.problem, "an answer is not as its schema says");
        }
        match self.mode {
            Validation::Enforce => Err(Problem::internal(format!(
                "{entity} is not as its schema says: {findings:?}"
            ))),
            Validation::Log | Validation::Off => Ok(()),
        }
    }
}

/// Tells two bodies apart, and no more: nobody gains anything by making two of one tag.
fn hash(bytes: &[u8]) -> [u8; ETAG_BYTES] {
    let digest = xxh3_128(bytes).to_be_bytes();
    let mut out = [0; ETAG_BYTES];
    out.copy_from_slice(&digest[..ETAG_BYTES]);
    out
}

fn tag(hash: [u8; ETAG_BYTES]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

/// A resource as it goes over the wire: identified, its actions addressed, tagged, and checked against its schema.
pub(crate) fn render(
    resource: &Resource,
    uri: &str,
    body: Map<String, Value>,
    validated: &Validated,
) -> Result<Representation, Problem> {
    let out = completed(resource, uri, body);
    let bytes = serde_json::to_vec(&out).map_err(|e| Problem::internal(e.to_string()))?;
    let hash = if resource.clock_like.is_empty() {
        hash(&bytes)
    } else {
        let mut still = out.clone();
        stand_still(resource, &mut still);
        let still = serde_json::to_vec(&still).map_err(|e| Problem::internal(e.to_string()))?;
        hash(&still)
    };
    validated.check(resource.entity, hash, &Value::Object(out))?;
    tagged(&bytes, hash)
}

/// A resource as a GET would show it, for whoever is sent it.
pub(crate) fn whole(resource: &Resource, uri: &str, body: Map<String, Value>) -> Bytes {
    let whole = Value::Object(completed(resource, uri, body));
    whole.to_string().into()
}

/// The tag, quotes included, of a resource with that body.
pub(crate) fn tag_of(
    resource: &Resource,
    uri: &str,
    body: Map<String, Value>,
) -> Result<String, Problem> {
    let mut out = completed(resource, uri, body);
    stand_still(resource, &mut out);
    let bytes = serde_json::to_vec(&out).map_err(|e| Problem::internal(e.to_string()))?;
    Ok(format!("\"{}\"", tag(hash(&bytes))))
}

/// Takes out what does not count for the tag.
fn stand_still(resource: &Resource, body: &mut Map<String, Value>) {
    for path in resource.clock_like {
        let mut at = &mut *body;
        let mut path = path.split('/').peekable();
        while let Some(name) = path.next() {
            if path.peek().is_none() {
                at.shift_remove(name);
                break;
            }
            match at.get_mut(name) {
                Some(Value::Object(below)) => at = below,
                _ => break,
            }
        }
    }
}

/// What a resource lacks that the catalog knows: where it stands, its type, where its actions are called.
fn completed(resource: &Resource, uri: &str, mut body: Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    // A model that was not told leaves them empty.
    let mut said = |name| body.shift_remove(name).filter(|value| value != "");
    let id = said("@odata.id");
    let kind = said("@odata.type");
    out.insert("@odata.id".into(), id.unwrap_or_else(|| uri.into()));
    let kind = kind.or_else(|| validate::odata_type(resource.entity).map(Value::from));
    if let Some(kind) = kind {
        out.insert("@odata.type".into(), kind);
    }
    out.append(&mut body);
    if !resource.actions.is_empty() {
        let actions = out.entry("Actions").or_insert_with(|| json!({}));
        for action in resource.actions {
            let name = format!("#{}", action.name);
            let actions = match action.is_oem(resource.entity) {
                true => &mut actions["Oem"],
                false => &mut *actions,
            };
            if actions.get(&name).is_some_and(Value::is_null) {
                // Known, and not offered here.
                actions.as_object_mut().map(|all| all.shift_remove(&name));
                continue;
            }
            let entry = &mut actions[name];
            if entry.get("target").is_none() {
                entry["target"] = action.target(resource.entity, uri).into();
            }
            if entry.get("@Redfish.ActionInfo").is_none() {
                entry["@Redfish.ActionInfo"] = action_info::uri(uri, action.name).into();
            }
        }
    }
    out
}

/// A resource that lacks nothing: tagged, and checked against its schema and for what it lacks all the same.
pub(crate) fn ready(
    resource: &Resource,
    uri: &str,
    bytes: &[u8],
    validated: &Validated,
) -> Result<Representation, Problem> {
    debug_assert!(resource.clock_like.is_empty(), "{uri}");
    let hash = hash(bytes);
    if !validated.is_settled(resource.entity, hash) {
        let internal = |error: serde_json::Error| Problem::internal(error.to_string());
        let body: Map<String, Value> = serde_json::from_slice(bytes).map_err(internal)?;
        let whole =
            serde_json::to_vec(&completed(resource, uri, body.clone())).map_err(internal)?;
        if whole != bytes {
            tracing::error!(uri, "an answer lacks what the catalog adds to others");
            if validated.mode == Validation::Enforce {
                return Err(Problem::internal(format!("{uri} lacks something")));
            }
        }
        validated.check(resource.entity, hash, &Value::Object(body))?;
    }
    tagged(bytes, hash)
}

/// The tag is of the body without itself; it is put in where the object begins.
fn tagged(bytes: &[u8], hash: [u8; ETAG_BYTES]) -> Result<Representation, Problem> {
    let tag = tag(hash);
    let mut tagged = Vec::with_capacity(bytes.len() + 48);
    tagged.extend_from_slice(b"{\"@odata.etag\":\"\\\"");
    tagged.extend_from_slice(tag.as_bytes());
    tagged.extend_from_slice(b"\\\"\",");
    tagged.extend_from_slice(&bytes[1..]);
    Ok(Representation {
        bytes: tagged.into(),
        etag: quoted(&tag)?,
    })
}

fn quoted(tag: &str) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(format!("\"{tag}\"")).map_err(|e| Problem::internal(e.to_string()))
}

/// A document that is no resource.
pub(crate) fn document(bytes: Bytes) -> Result<Representation, Problem> {
    let etag = quoted(&tag(hash(&bytes)))?;
    Ok(Representation { bytes, etag })
}

fn describe(response: &mut Response<Body>, entry: &Entry, now: &Representation) {
    let headers = response.headers_mut();
    // Room for these and for what the door adds, at once.
    headers.reserve(14);
    headers.insert(ETAG, now.etag.clone());
    headers.insert(ALLOW, entry.allow.clone());
    let cache = if entry.resource.no_store {
        NO_STORE
    } else {
        NO_CACHE
    };
    headers.insert(CACHE_CONTROL, cache);
    if let Some(link) = &entry.link {
        headers.insert(LINK, link.clone());
    }
}

/// The whole of what stands there.
pub(crate) fn representation(
    entry: &Entry,
    now: &Representation,
    status: StatusCode,
) -> Response<Body> {
    let mut response = Response::new(Body::from(now.bytes.clone()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, entry.media_type.clone());
    if entry.resource.media_type == "text/html" {
        let policy = HeaderValue::from_static(docs::POLICY);
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    describe(&mut response, entry, now);
    response
}

/// What a query made of what stands there. Its tag is that of the whole (DSP0266, "ETags"), so a 304 is never answered here: members that were brought in may
/// have changed without it.
pub(crate) fn part(entry: &Entry, now: &Representation, bytes: Bytes) -> Response<Body> {
    let mut response = representation(entry, now, StatusCode::OK);
    *response.body_mut() = Body::from(bytes);
    response
}

/// 304: what the client has is what there is.
pub(crate) fn not_modified(entry: &Entry, now: &Representation) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    describe(&mut response, entry, now);
    response
}

/// 201: it was made, and this is what it is.
pub(crate) fn created(
    entry: &Entry,
    now: &Representation,
    uri: &str,
    headers: Vec<(HeaderName, HeaderValue)>,
    with: Map<String, Value>,
) -> Result<Response<Body>, Problem> {
    let mut response = representation(entry, now, StatusCode::CREATED);
    if !with.is_empty() {
        let mut body: Map<String, Value> = serde_json::from_slice(&now.bytes)
            .map_err(|error| Problem::internal(error.to_string()))?;
        body.extend(with);
        *response.body_mut() = Body::from(Value::Object(body).to_string());
    }
    let location = HeaderValue::try_from(uri).map_err(|e| Problem::internal(e.to_string()))?;
    response.headers_mut().insert(LOCATION, location);
    response
        .headers_mut()
        .extend(headers.into_iter().map(|(name, value)| (Some(name), value)));
    Ok(response)
}

/// 202: it goes on, and the monitor tells how. The body is the task as its monitor shows it, so that a client that follows the body's `@odata.id`
/// rather than `Location` ends up at the monitor, too.
pub(crate) async fn started(rq: &Rq, task: &TaskId) -> Result<Response<Body>, Problem> {
    let mut ctx = Ctx::service();
    ctx.request = rq.ctx.request.clone();
    let monitor = crate::resource::task_monitor::uri(task);
    let now = Catalog::read(&rq.service, &ctx, &crate::resource::task::uri(task)).await?;
    let mut body: Map<String, Value> =
        serde_json::from_slice(&now.bytes).map_err(|error| Problem::internal(error.to_string()))?;
    body.insert("@odata.id".into(), monitor.as_str().into());
    // The tag is that of the task, not of this answer.
    body.shift_remove("@odata.etag");
    let mut response = json(StatusCode::ACCEPTED, &Value::Object(body));
    let location = HeaderValue::try_from(monitor).map_err(|e| Problem::internal(e.to_string()))?;
    response.headers_mut().insert(LOCATION, location);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(response)
}

/// 204: it is done, and there is nothing to say.
pub(crate) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// Any JSON that is not to be kept.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A 4xx or 5xx.
pub(crate) fn error(status: StatusCode, error: RedfishError) -> Response<Body> {
    match serde_json::to_value(error) {
        Ok(body) => json(status, &body),
        // An error body of plain strings always becomes JSON; but no error may end in none.
        Err(_) => json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"error": {}})),
    }
}

/// The `Content-Type` of a media type of ours.
pub(crate) fn content_type(media_type: &'static str) -> HeaderValue {
    match media_type {
        "application/json" => JSON,
        other => HeaderValue::try_from(format!("{other}; charset=utf-8"))
            .expect("a media type of the catalog"),
    }
}

/// Leaves of an answer what HEAD gives: its headers, with the length of the body that is not sent.
pub(crate) fn behead(response: &mut Response<Body>) {
    let body = std::mem::replace(response.body_mut(), Body::empty());
    if let Some(length) = hyper::body::Body::size_hint(&body)
        .exact()
        .filter(|length| *length > 0)
    {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
}

/// Whether what goes by that name is never told on.
pub(crate) fn is_secret(name: &str) -> bool {
    ["Password", "Token", "Secret", "SigningKey"]
        .iter()
        .any(|word| name.contains(word))
}

/// Takes out what nobody may read again, wherever it stands.
pub(crate) fn without_secrets(body: &mut Value) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret(name) {
                    *value = Value::Null;
                } else {
                    without_secrets(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::computer_system::RESOURCE;

    #[test]
    fn what_is_said_to_be_ready_and_lacks_something_is_found_and_what_lacks_nothing_is_sent_as_it_is()
     {
        let uri = "/redfish/v1/Systems/one";
        let enforced = Validated::new(Validation::Enforce);
        let plain = json!({"Id": "one", "Name": "one"});
        let plain = plain.as_object().unwrap();
        let lacking = serde_json::to_vec(plain).unwrap();
        assert!(ready(&RESOURCE, uri, &lacking, &enforced).is_err());
        let logged = Validated::new(Validation::Log);
        assert!(ready(&RESOURCE, uri, &lacking, &logged).is_ok());

        let whole = serde_json::to_vec(&completed(&RESOURCE, uri, plain.clone())).unwrap();
        let sent = ready(&RESOURCE, uri, &whole, &enforced).unwrap();
        let rendered = render(&RESOURCE, uri, plain.clone(), &enforced).unwrap();
        assert_eq!(sent.bytes, rendered.bytes);
        assert_eq!(sent.etag, rendered.etag);
    }
}
