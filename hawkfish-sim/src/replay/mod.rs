//! Captured trees with state: what a real BMC showed, in front of the production service on simulated machines.
//!
//! The captured tree is a template that nobody changes; each replica of it has a state of its own. What a document shows that the machine behind decides (power,
//! the next boot, media, time) comes from the production service, which also does what is asked for: a request to a captured URI becomes one to the production's
//! URI, and its answer is told in captured URIs. What has no counterpart there and may be written by its schema is kept beside the template.
//!
//! - `tree`: the template. `map`: what in it has a counterpart, found by types and links.
//! - `overlay`: what GET shows. `write`: PATCH. `action`: actions. `member`: sessions, tasks, subscriptions, accounts. `settings`: what waits for a start. `query`: query parameters.
//! - `check`: what PATCH may say.
//!
//! Shapes stay as they were captured: what the source did not show is not shown. What a capture cannot tell is not made up: an action that is not understood is
//! answered as such ([`UnknownActions`]), and messages of errors are those of DMTF's registry.

mod account;
mod action;
mod check;
mod map;
mod member;
mod names;
mod open;
mod overlay;
mod query;
mod settings;
mod tree;
mod varied;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use bytes::Bytes;
use hawkfish_core::ctx::{Ctx, Privilege};
use hawkfish_core::id::SystemId;
use hawkfish_server::App;
use hawkfish_server::problem::Problem;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::{Map as Object, Value};

use self::account::Accounts;
use self::map::Part;
pub(crate) use self::open::{Opening, Replicas, Shown};
use self::settings::Pending;
use self::varied::Varied;
pub use tree::NotReplayable;
pub(crate) use tree::Tree;

/// What becomes of an action that is not understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownActions {
    /// It is answered with 501, `ActionNotSupported`.
    #[default]
    Refuse,
    /// It is answered with 204, and nothing happens.
    Accept,
}

/// One machine, or several that were captured together, as the capture shows them.
#[derive(Debug)]
pub(crate) struct Replica {
    tree: Arc<Tree>,
    app: App,
    /// The simulated machines, in the order of the capture's systems.
    systems: Vec<SystemId>,
    beginning: Timestamp,
    unknown: UnknownActions,
    varied: Varied,
    /// Accounts belong to the service: all replicas of a tree share them.
    accounts: Arc<Accounts>,
    state: Mutex<State>,
}

/// What differs from the template.
#[derive(Debug, Default)]
struct State {
    /// Documents as clients changed or made them.
    documents: BTreeMap<String, Value>,
    /// Members of collections that are new, by collection.
    added: BTreeMap<String, Vec<String>>,
    /// Documents that are no more.
    gone: BTreeSet<String>,
    /// What waits for a start, by the URI of the settings.
    pending: BTreeMap<String, Pending>,
    /// How each machine runs, as far as it was looked at.
    runs: Vec<Runs>,
    /// Which captured slot shows what is in a slot of a machine.
    media: BTreeMap<(usize, bool), String>,
    /// How many jobs there were.
    jobs: u64,
}

/// How a machine runs.
#[derive(Clone, Debug, Default)]
struct Runs {
    /// When the machine was last reset, as the world began.
    first_reset: Option<String>,
    last_reset: Option<String>,
    /// The boot mode as the world began.
    first_mode: Option<String>,
    /// An override that the machine does not know of, which is the firmware's alone.
    over: Option<settings::Over>,
}

/// A request, once it is known who sends it.
struct Rq {
    parts: Parts,
    body: Bytes,
    ctx: Ctx,
    /// The URI in the tree.
    uri: String,
}

/// An answer of the production service.
struct Asked {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// Why a request is not answered as it hoped.
enum Refusal {
    /// In our words.
    Problem(Problem),
    /// As the production service said it.
    Asked(Box<Asked>),
}

impl From<Asked> for Refusal {
    fn from(asked: Asked) -> Self {
        Self::Asked(Box::new(asked))
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

type Answer<T> = Result<T, Refusal>;

fn base(status: StatusCode, key: &str, args: &[&str]) -> Refusal {
    Problem::base(status, key, args).into()
}

fn missing(uri: &str) -> Refusal {
    Problem::missing(uri).into()
}

impl Replica {
    /// Whether it is of one system alone, as a face is.
    pub(crate) fn is_one(&self) -> bool {
        self.systems.len() == 1
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let path = self.varied.captured(parts.uri.path());
        // A page of a collection that was captured is a document of its own.
        let page = parts
            .uri
            .path_and_query()
            .map(|all| self.varied.captured(all.as_str()));
        let page = page.map(|page| self.tree.key(&page));
        let page = page.filter(|page| page.contains('?') && self.tree.get(page).is_some());
        let uri = page.unwrap_or_else(|| self.tree.key(&path));
        let body = body.collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_else(|_| Bytes::new());
        let is_head = parts.method == Method::HEAD;
        if is_head {
            parts.method = Method::GET;
        }
        let asked = parts.uri.path().to_owned();
        let answered = self.through(parts, body, uri).await;
        let mut response = match answered {
            Ok(response) => response,
            Err(Refusal::Problem(problem)) => problem.into_response(&asked, None),
            Err(Refusal::Asked(asked)) => self.passed_on(*asked),
        };
        let headers = response.headers_mut();
        headers.insert("odata-version", HeaderValue::from_static("4.0"));
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-cache"));
        if response.status() == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"Redfish\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        if is_head {
            *response.body_mut() = Body::empty();
        }
        response
    }

    async fn through(&self, parts: Parts, body: Bytes, uri: String) -> Answer<Response<Body>> {
        let away = self.systems.first();
        if away.is_some_and(|id| self.app.hawkfish().manager_away(id).is_some()) {
            // All that a BMC answers comes from its manager: the production service says for how long.
            let id = away.map_or("", SystemId::as_str);
            let rq = self.nobody(&parts);
            let asked = self
                .ask(
                    &rq,
                    Method::GET,
                    &format!("/redfish/v1/Managers/{id}"),
                    None,
                )
                .await;
            if asked.status == StatusCode::SERVICE_UNAVAILABLE {
                return Err(asked.into());
            }
            return Err(base(
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceTemporarilyUnavailable",
                &["30"],
            ));
        }
        let room = &self.tree.map.rooms;
        let logs_in = parts.method == Method::POST && room.sessions.as_ref() == Some(&uri);
        let open = logs_in || self.is_open(&uri) && parts.method == Method::GET;
        let ctx = self.app.caller(&parts, open).await?;
        let rq = Rq {
            parts,
            body,
            ctx,
            uri,
        };
        let system = rq.parts.method == Method::GET && room.stream.as_ref() == Some(&rq.uri);
        if system {
            return Ok(self.stream(&rq).await);
        }
        self.look().await;
        match rq.parts.method {
            Method::GET => self.get(&rq).await,
            Method::PATCH => {
                self.may_write(&rq)?;
                self.patch(&rq).await
            }
            Method::POST => {
                if !logs_in {
                    self.may_write(&rq)?;
                }
                self.post(&rq).await
            }
            Method::DELETE => self.delete(&rq).await,
            _ => Err(self.not_allowed(&rq)),
        }
    }

    /// Whether a document is there for everybody (DSP0266, "Authentication").
    fn is_open(&self, uri: &str) -> bool {
        uri == self.tree.map.root
            || uri == "/redfish"
            || uri.ends_with("/$metadata")
            || uri.ends_with("/odata")
    }

    /// What has a counterpart is guarded there; the rest is for who may configure something.
    fn may_write(&self, rq: &Rq) -> Answer<()> {
        let may = [Privilege::ConfigureComponents, Privilege::ConfigureManager];
        let own = [Privilege::ConfigureSelf, Privilege::ConfigureUsers];
        let mut enough = may.to_vec();
        if matches!(
            self.tree.map.parts.get(&rq.uri),
            Some(Part::Account | Part::Accounts | Part::Subscriptions)
        ) || self.accounts.has(&rq.uri)
        {
            enough.extend(own);
        }
        match enough.iter().any(|one| rq.ctx.privileges.contains(one)) {
            true => Ok(()),
            false => Err(base(StatusCode::FORBIDDEN, "InsufficientPrivilege", &[])),
        }
    }

    fn nobody(&self, parts: &Parts) -> Rq {
        Rq {
            parts: parts.clone(),
            body: Bytes::new(),
            ctx: Ctx::service(),
            uri: String::new(),
        }
    }

    /// Asks the production service, as who sent the request.
    async fn ask(&self, rq: &Rq, method: Method, uri: &str, body: Option<&Value>) -> Asked {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = uri.parse().unwrap_or_default();
        *request.extensions_mut() = rq.parts.extensions.clone();
        for name in ["authorization", "x-auth-token"] {
            if let Some(value) = rq.parts.headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Body::from(body.to_string());
        }
        let (parts, body) = self.app.answer(request).await.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        Asked {
            status: parts.status,
            headers: parts.headers,
            body: body.unwrap_or_else(|_| Bytes::new()),
        }
    }

    /// Asks, and takes no refusal.
    async fn ask_for(
        &self,
        rq: &Rq,
        method: Method,
        uri: &str,
        body: Option<&Value>,
    ) -> Answer<Asked> {
        let asked = self.ask(rq, method, uri, body).await;
        match asked.status.is_success() {
            true => Ok(asked),
            false => Err(asked.into()),
        }
    }

    /// The production service's answer, told in captured URIs.
    fn passed_on(&self, asked: Asked) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = asked.status;
        for name in [CONTENT_TYPE, RETRY_AFTER, ALLOW] {
            if let Some(value) = asked.headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(to) = asked.headers.get(LOCATION).and_then(|to| to.to_str().ok())
            && let Ok(to) = HeaderValue::try_from(self.shown(to))
        {
            response.headers_mut().insert(LOCATION, to);
        }
        *response.body_mut() = match serde_json::from_slice::<Value>(&asked.body) {
            Ok(mut body) => {
                self.outward(&mut body);
                Body::from(self.varied.replica(&body.to_string()))
            }
            Err(_) => Body::from(asked.body),
        };
        response
    }

    /// Events as they happen, which tell captured URIs already.
    async fn stream(&self, rq: &Rq) -> Response<Body> {
        let query = rq.parts.uri.query().map(|query| format!("?{query}"));
        let uri = format!(
            "/redfish/v1/EventService/SSE{}",
            query.as_deref().unwrap_or("")
        );
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri.parse().unwrap_or_default();
        *request.headers_mut() = rq.parts.headers.clone();
        *request.extensions_mut() = rq.parts.extensions.clone();
        self.app.answer(request).await
    }

    /// The JSON object that a request carries; nothing is an empty one.
    fn said(&self, rq: &Rq) -> Answer<Object<String, Value>> {
        if rq.body.is_empty() {
            return Ok(Object::new());
        }
        let text = String::from_utf8_lossy(&rq.body);
        let text = self.varied.captured(&text);
        match hawkfish_redfish::validate::parse_strict(text.as_bytes()) {
            Ok(Value::Object(said)) => Ok(said),
            _ => Err(base(StatusCode::BAD_REQUEST, "MalformedJSON", &[])),
        }
    }

    /// The time of the world.
    fn now(&self) -> Timestamp {
        self.app.hawkfish().clock().now()
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("the state of a replica"))
    }

    /// A document without what the machine behind it decides.
    fn plain(&self, uri: &str) -> Option<Value> {
        let changed = self.state(|state| match state.gone.contains(uri) {
            true => Some(None),
            false => state.documents.get(uri).cloned().map(Some),
        });
        match changed {
            Some(changed) => changed,
            None => self.tree.value(uri),
        }
    }

    /// The methods that a URI takes.
    fn allowed(&self, uri: &str) -> String {
        if let Some(allow) = self.tree.get(uri).and_then(|d| d.allow.as_deref()) {
            return allow.to_owned();
        }
        if self.tree.map.actions.contains_key(uri) {
            return "POST".to_owned();
        }
        let mut all = vec!["GET", "HEAD"];
        let part = self.part(uri);
        let slots = self.tree.map.account_slots;
        match part {
            Some(Part::Sessions | Part::Subscriptions) => all.push("POST"),
            Some(Part::Accounts) if !slots => all.push("POST"),
            Some(Part::Accounts | Part::Tasks) => {}
            Some(Part::Session) => all.push("DELETE"),
            Some(Part::Account) if slots => all.push("PATCH"),
            Some(Part::Account) => all.extend(["PATCH", "DELETE"]),
            _ if self.makes_jobs(uri) => all.push("POST"),
            _ if self.is_collection(uri) => {}
            _ => all.push("PATCH"),
        }
        all.join(", ")
    }

    fn part(&self, uri: &str) -> Option<Part> {
        let known = self.tree.map.parts.get(uri).copied();
        known.or_else(|| self.accounts.has(uri).then_some(Part::Account))
    }

    fn is_collection(&self, uri: &str) -> bool {
        let kind = self.tree.get(uri).and_then(|d| d.kind.as_deref());
        kind.is_some_and(|kind| kind.ends_with("Collection"))
    }

    fn not_allowed(&self, rq: &Rq) -> Refusal {
        let is_there = self.tree.get(&rq.uri).is_some()
            || self.tree.map.actions.contains_key(&rq.uri)
            || self.plain(&rq.uri).is_some();
        if !is_there {
            return missing(rq.parts.uri.path());
        }
        let problem = Problem::base(StatusCode::METHOD_NOT_ALLOWED, "OperationNotAllowed", &[]);
        match HeaderValue::try_from(self.allowed(&rq.uri)) {
            Ok(allow) => problem.header(ALLOW, allow).into(),
            Err(_) => problem.into(),
        }
    }

    /// A document as it goes over the wire.
    fn sent(&self, rq: &Rq, uri: &str, value: &Value, etag: &str) -> Answer<Response<Body>> {
        let fits = |name: http::HeaderName| {
            let said = rq.parts.headers.get(name)?.to_str().ok()?;
            Some(said == "*" || said.split(',').any(|one| bare(one) == bare(etag)))
        };
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::try_from(etag) {
            headers.insert(ETAG, etag);
        }
        if rq.parts.method == Method::GET && fits(IF_NONE_MATCH) == Some(true) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return Ok(response);
        }
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        headers.insert(CONTENT_TYPE, json);
        // What the source said; what it did not say is made up only where a method was refused.
        let allow = self.tree.get(uri).and_then(|d| d.allow.as_deref());
        if let Some(Ok(allow)) = allow.map(HeaderValue::try_from) {
            headers.insert(ALLOW, allow);
        }
        *response.body_mut() = Body::from(self.varied.replica(&value.to_string()));
        Ok(response)
    }

    /// Holds `If-Match` against a document.
    fn holds(&self, rq: &Rq, etag: &str) -> Answer<()> {
        let Some(said) = rq.parts.headers.get(IF_MATCH) else {
            return Ok(());
        };
        let said = said.to_str().unwrap_or_default();
        let fits = said.trim() == "*" || said.split(',').any(|one| bare(one) == bare(etag));
        match fits {
            true => Ok(()),
            false => Err(base(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                &[],
            )),
        }
    }
}

/// The answer to what is done, and of which there is nothing to say.
fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// A tag without what makes it weak: what BMCs call weak is as good as strong.
fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}
