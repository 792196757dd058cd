//! What is served, and the one way to read, change or call it.
//!
//! A [`Resource`] is a constant value: its URI template, its schema, what can be done to it, by whom. [`crate::resource::ALL`] lists them; routing,
//! `Allow`, privileges, body schemas, ETags and the coverage test all walk that list. A request goes through [`Catalog::call`] in this order:
//! is there such a URI, does it take the method, may the caller, are headers and query sound; for a write then the URI's lock, `If-Match`, the body
//! against its schema, the handler, and a fresh read for the answer.
//!
//! # To add a resource
//!
//! One file `resource/<noun>.rs` with a constant, and one line in `resource::ALL`:
//!
//! ```ignore
//! pub const RESOURCE: Resource = Resource {
//!     uri: "/redfish/v1/Systems/{system}",     // variables in braces; values come from `rq.id("system")?`
//!     entity: "ComputerSystem",                // names the schema: @odata.type, Link, validation of PATCH, actions and answers
//!     get: Some(|rq| Box::pin(read(rq))),
//!     patch: Some(|rq| Box::pin(change(rq))),
//!     actions: &[Action { name: "ComputerSystem.Reset", run: |rq| Box::pin(reset(rq)), needs: None }],
//!     version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
//!     ..Resource::NONE
//! };
//!
//! async fn read(rq: &Rq) -> Result<Content, Problem> {
//!     let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;   // a core error becomes its HTTP answer by `?`
//!     Content::of(&ComputerSystem { id: ..., name: ..., ..Default::default() })
//! }
//!
//! async fn change(rq: &Rq) -> Result<Outcome, Problem> {
//!     let patch: ComputerSystemPatch = rq.body()?;              // already validated against the schema
//!     rq.hf.update_system(...).await?;
//!     Ok(Outcome::Done)                                         // the catalog reads again and answers 200 with the new ETag
//! }
//! ```
//!
//! - The catalog itself puts in `@odata.id`, `@odata.type`, `@odata.etag` and `Actions/#X/target`; a handler may set any of them itself.
//! - `version` is for what is read often: a number that changes whenever anything shown changes. While it stands still, the rendered bytes are
//!   served from memory, so it must fail as `get` would where the caller may not see the resource. Leave it out where no such number exists.
//! - Properties named in `clock_like` are shown but do not count for the ETag.
//! - Collections: use [`Content::collection`]; a POST to one is `create`, with `member` naming the schema of what it creates, and answers
//!   [`Outcome::Created`] with the new URI. Long work answers [`Outcome::Started`] with its task.
//! - A handler cannot mention the constant that holds it (the compiler sees a circle), so a URI that it needs is a constant of its own.
//! - A handler never checks privileges: it names them in `privileges`.

mod cache;
mod checks;
mod locks;
mod route;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;

use hawkfish_core::ctx::{Ctx, Privilege};
use hawkfish_core::id::TaskId;
use hawkfish_core::tasks::RequestPayload;
use hawkfish_redfish::validate;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use self::route::{Route, Target, plain_path};
use self::{cache::Cache, locks::WriteLocks, route::Routes};
use crate::HawkFish;
use crate::app::Shared;
use crate::problem::Problem;
use crate::respond;

/// Reads a resource.
pub type Get = for<'a> fn(&'a Rq) -> BoxFuture<'a, Result<Content, Problem>>;
/// Changes a resource, or calls an action of it.
pub type Write = for<'a> fn(&'a Rq) -> BoxFuture<'a, Result<Outcome, Problem>>;
/// Privileges of which one is enough. [`Privilege::ConfigureSelf`] counts only for what is the caller's own.
pub type AnyOf = &'static [Privilege];

/// Something served, as a value.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// URI template, such as `/redfish/v1/Systems/{system}`; without a slash at the end.
    pub uri: &'static str,
    /// Name of its schema's entity: `ComputerSystem`. Empty for what has no schema.
    pub entity: &'static str,
    /// Entity of what a POST creates.
    pub member: &'static str,
    /// GET and HEAD.
    pub get: Option<Get>,
    /// PATCH.
    pub patch: Option<Write>,
    /// POST to the collection.
    pub create: Option<Write>,
    /// DELETE.
    pub delete: Option<Write>,
    /// POST to `<uri>/Actions/<name>`.
    pub actions: &'static [Action],
    /// Who may.
    pub privileges: Privileges,
    /// Properties that others may PATCH, too.
    pub overrides: &'static [Override],
    /// Whether it is the caller's own: account, session.
    pub own: Option<fn(&Rq) -> bool>,
    /// Methods that need no credentials.
    pub open: &'static [Verb],
    /// Changes with every change of what is shown.
    pub version: Option<fn(&Rq) -> Result<u64, Problem>>,
    /// Properties that run with the clock and so do not count for the ETag.
    pub clock_like: &'static [&'static str],
    /// Media type of what a GET gives.
    pub media_type: &'static str,
    /// Must not be stored by any cache on the way.
    pub no_store: bool,
    /// Still allowed while the caller's password must be changed, where it is the caller's own.
    pub before_password_change: bool,
}

impl Resource {
    /// Nothing at all: what a resource does not say.
    pub const NONE: Self = Self {
        uri: "",
        entity: "",
        member: "",
        get: None,
        patch: None,
        create: None,
        delete: None,
        actions: &[],
        privileges: Privileges::COMPONENTS,
        overrides: &[],
        own: None,
        open: &[],
        version: None,
        clock_like: &[],
        media_type: "application/json",
        no_store: false,
        before_password_change: false,
    };

    /// The methods that its own URI takes, in the order of `Allow`.
    pub fn verbs(&self) -> impl Iterator<Item = Verb> {
        [
            self.get.map(|_| Verb::Get),
            self.patch.map(|_| Verb::Patch),
            self.create.map(|_| Verb::Create),
            self.delete.map(|_| Verb::Delete),
        ]
        .into_iter()
        .flatten()
    }
}

/// An action of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// `ComputerSystem.Reset`.
    pub name: &'static str,
    /// Does it.
    pub run: Write,
    /// Who may, if not who may POST to the resource.
    pub needs: Option<AnyOf>,
}

/// Who may do what, as in DMTF's privilege registry. An empty list is nobody.
#[derive(Clone, Copy, Debug)]
pub struct Privileges {
    /// GET and HEAD.
    pub get: AnyOf,
    /// PATCH.
    pub patch: AnyOf,
    /// POST, for creating and for actions.
    pub post: AnyOf,
    /// DELETE.
    pub delete: AnyOf,
}

impl Privileges {
    const fn writes(needs: AnyOf) -> Self {
        Self {
            get: &[Privilege::Login],
            patch: needs,
            post: needs,
            delete: needs,
        }
    }

    /// Systems and what belongs to them.
    pub const COMPONENTS: Self = Self::writes(&[Privilege::ConfigureComponents]);
    /// The manager and the service itself.
    pub const MANAGER: Self = Self::writes(&[Privilege::ConfigureManager]);
    /// Accounts.
    pub const USERS: Self = Self::writes(&[Privilege::ConfigureUsers]);
}

/// A property that may be PATCHed by others than the rest of its resource.
#[derive(Clone, Copy, Debug)]
pub struct Override {
    /// The property, at the top of the body.
    pub property: &'static str,
    /// Who may.
    pub needs: AnyOf,
}

/// What can be done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET or HEAD.
    Get,
    /// PATCH.
    Patch,
    /// POST to a collection.
    Create,
    /// POST to an action.
    Act,
    /// DELETE.
    Delete,
}

/// A request on its way through a handler.
#[derive(Debug)]
pub struct Rq {
    /// The system behind.
    pub hf: HawkFish,
    /// What belongs to the service and not to the system behind it.
    pub service: Arc<Shared>,
    /// Who asks.
    pub ctx: Ctx,
    /// Whether only the headers are wanted.
    pub head: bool,
    route: Route,
    method: Method,
    body: Map<String, Value>,
}

impl Rq {
    /// The URI of the resource, without a slash at the end.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.route.uri
    }

    /// The URI up to and without its last `count` segments: of a member, its collection.
    #[must_use]
    pub fn above(&self, count: usize) -> &str {
        let mut uri = self.uri();
        for _ in 0..count {
            uri = uri.rsplit_once('/').map_or("", |(above, _)| above);
        }
        uri
    }

    /// The value of a variable of the URI template; empty for one that the template does not have.
    #[must_use]
    pub fn param(&self, name: &str) -> &str {
        let range = self.route.params.get(name);
        range.map_or("", |range| &self.route.uri[range])
    }

    /// The value of a variable as an identifier.
    ///
    /// # Errors
    /// 404 when it is none: nothing can be there.
    pub fn id<T>(&self, name: &str) -> Result<T, Problem>
    where
        T: std::str::FromStr<Err = hawkfish_core::Error>,
    {
        Ok(self.param(name).parse()?)
    }

    /// The body, which is valid by its schema.
    ///
    /// # Errors
    /// 400 when it does not fit the type all the same.
    pub fn body<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_value(Value::Object(self.body.clone())).map_err(|error| {
            tracing::warn!(%error, uri = self.uri(), "a valid body does not fit its type");
            Problem::base(StatusCode::BAD_REQUEST, "UnrecognizedRequestBody", &[])
        })
    }

    /// The body as it was sent, without annotations.
    #[must_use]
    pub fn raw_body(&self) -> &Map<String, Value> {
        &self.body
    }

    /// The request as a task may show it: without secrets.
    #[must_use]
    pub fn payload(&self) -> RequestPayload {
        let mut body = Value::Object(self.body.clone());
        respond::without_secrets(&mut body);
        let uri = match self.action() {
            Some(action) => format!("{}/Actions/{}", self.uri(), action.name),
            None => self.uri().to_owned(),
        };
        RequestPayload {
            uri,
            method: self.method.to_string(),
            body: Some(body),
        }
    }

    fn action(&self) -> Option<&'static Action> {
        match self.route.target {
            Target::Action(action) => Some(action),
            Target::Resource | Target::Members | Target::UnknownAction => None,
        }
    }
}

/// What a GET found.
#[derive(Debug)]
pub enum Content {
    /// A resource.
    Resource(Map<String, Value>),
    /// A document that is no resource, of the media type that its entry names.
    Document(Bytes),
    /// The answer of something else: what a task monitor has to tell.
    Answer(Outcome),
}

impl Content {
    /// A resource from its model.
    ///
    /// # Errors
    /// 500 when the model does not become a JSON object.
    pub fn of(model: &impl Serialize) -> Result<Self, Problem> {
        match serde_json::to_value(model) {
            Ok(Value::Object(body)) => Ok(Self::Resource(body)),
            other => Err(Problem::internal(format!("a model became {other:?}"))),
        }
    }

    /// A collection of what stands at `<uri of the collection>/<id>`, for each id.
    #[must_use]
    pub fn collection<'a>(
        rq: &Rq,
        name: &str,
        ids: impl IntoIterator<Item = impl AsRef<str> + 'a>,
    ) -> Self {
        let members: Vec<Value> = ids
            .into_iter()
            .map(|id| {
                let uri = format!("{}/{}", rq.uri(), id.as_ref());
                Value::Object(Map::from_iter([("@odata.id".to_owned(), uri.into())]))
            })
            .collect();
        Self::Resource(Map::from_iter([
            ("Name".to_owned(), name.into()),
            ("Members@odata.count".to_owned(), members.len().into()),
            ("Members".to_owned(), members.into()),
        ]))
    }
}

/// How a change went.
#[derive(Debug)]
pub enum Outcome {
    /// It is done. PATCH answers with the resource as it is now, everything else with 204.
    Done,
    /// It made something.
    Created {
        /// The URI of what was made.
        uri: String,
        /// Headers of the answer.
        headers: Vec<(HeaderName, HeaderValue)>,
        /// Properties that are told only now.
        with: Map<String, Value>,
    },
    /// It goes on as a task.
    Started(TaskId),
    /// It is done, with an answer.
    Answer(Map<String, Value>),
    /// It failed, after a while.
    Failed(Problem),
}

/// What stands at a URI, as it goes over the wire.
#[derive(Debug)]
pub struct Representation {
    /// The body.
    pub bytes: Bytes,
    /// Its strong ETag, quotes included.
    pub etag: HeaderValue,
}

/// What the catalog knows of a resource beyond its constant.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) resource: &'static Resource,
    pub(crate) allow: HeaderValue,
    pub(crate) link: Option<HeaderValue>,
    pub(crate) media_type: HeaderValue,
}

/// A request that the door has let in.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) parts: http::request::Parts,
    pub(crate) body: Body,
    pub(crate) route: Option<Route>,
    pub(crate) ctx: Ctx,
    /// The account whose password must be changed first.
    pub(crate) password_change: bool,
}

/// What is served.
#[derive(Debug)]
pub struct Catalog {
    entries: Vec<Entry>,
    routes: Routes,
    cache: Cache,
    locks: WriteLocks,
}

impl Catalog {
    /// A catalog of `resources`.
    #[must_use]
    pub fn new(resources: &'static [&'static Resource]) -> Self {
        let entries = resources
            .iter()
            .map(|resource| {
                let link = validate::describedby(resource.entity).and_then(|uri| {
                    HeaderValue::try_from(format!("<{uri}>; rel=describedby")).ok()
                });
                Entry {
                    resource,
                    allow: checks::allow(resource),
                    link,
                    media_type: respond::content_type(resource.media_type),
                }
            })
            .collect();
        Self {
            entries,
            routes: Routes::new(resources),
            cache: Cache::default(),
            locks: WriteLocks::default(),
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        self.routes.find(path)
    }

    pub(crate) fn entry(&self, route: &Route) -> &Entry {
        &self.entries[route.entry]
    }

    /// Whether the method at that place needs no credentials.
    pub(crate) fn is_open(&self, route: &Route, method: &Method) -> bool {
        let open = self.entry(route).resource.open;
        checks::verb(route, method).is_some_and(|verb| open.contains(&verb))
    }

    /// Reads what stands at `uri`, as the caller may see it: what a GET, a comparison of ETags and an expanded member have in common.
    ///
    /// # Errors
    /// As a GET of `uri` would answer.
    pub async fn read(
        service: &Arc<Shared>,
        ctx: &Ctx,
        uri: &str,
    ) -> Result<Arc<Representation>, Problem> {
        let missing = || Problem::base(StatusCode::NOT_FOUND, "ResourceMissingAtURI", &[uri]);
        let route = service.catalog.find(uri).ok_or_else(missing)?;
        let rq = Rq::new(service, ctx.clone(), route);
        let resource = service.catalog.entry(&rq.route).resource;
        if !resource.open.contains(&Verb::Get) {
            checks::privilege(resource, &rq, Verb::Get)?;
        }
        service.catalog.current(&rq).await
    }

    /// Answers a request.
    pub(crate) async fn call(service: &Arc<Shared>, asked: Asked) -> Response<Body> {
        let path: Box<str> = match &asked.route {
            Some(route) => route.uri.clone(),
            None => asked.parts.uri.path().into(),
        };
        let action = asked.route.as_ref().and_then(|route| match route.target {
            Target::Action(action) => Some(action.name),
            Target::Resource | Target::Members | Target::UnknownAction => None,
        });
        match Self::answer(service, asked).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(&path, action),
        }
    }

    async fn answer(service: &Arc<Shared>, asked: Asked) -> Result<Response<Body>, Problem> {
        let Asked {
            parts,
            body,
            route,
            ctx,
            password_change,
        } = asked;
        let catalog = &service.catalog;
        let Some(route) = route else {
            return Err(Problem::missing(parts.uri.path()));
        };
        let entry = catalog.entry(&route);
        let resource = entry.resource;
        let Some(verb) = checks::verb_of(resource, &route, &parts.method) else {
            return Err(checks::no_such_method(entry, &route));
        };
        let mut rq = Rq::new(service, ctx, route);
        rq.head = parts.method == Method::HEAD;
        rq.method = parts.method.clone();
        if !resource.open.contains(&verb) {
            if password_change && !checks::allowed_before_password_change(resource, &rq, verb) {
                return Err(Problem::password_change(&rq.ctx));
            }
            checks::privilege(resource, &rq, verb)?;
        }
        checks::headers(&parts.headers, resource)?;
        checks::query(&parts.uri, verb)?;
        if verb == Verb::Get {
            return catalog.get(&rq, entry, &parts.headers).await;
        }
        let action = match rq.route.target {
            Target::UnknownAction => {
                // First whether there is such a resource at all.
                catalog.current(&rq).await?;
                let name = parts.uri.path().rsplit('/').next().unwrap_or_default();
                return Err(Problem::base(
                    StatusCode::BAD_REQUEST,
                    "ActionNotSupported",
                    &[name],
                ));
            }
            _ => rq.action(),
        };
        checks::content_type(&parts.headers, &body)?;
        let bytes = checks::collect(&parts.headers, body, service.options.body_limit).await?;
        let if_match = parts.headers.get(http::header::IF_MATCH).cloned();
        // A change that has begun is carried to its end, also when the client goes away or time runs out meanwhile.
        let service = service.clone();
        let span = tracing::Span::current();
        let work = async move {
            let entry = service.catalog.entry(&rq.route);
            let resource = entry.resource;
            let guard = service.catalog.locks.lock(rq.uri()).await;
            if let Some(tags) = if_match {
                let now = service.catalog.current(&rq).await?;
                if !checks::matches(&tags, &now.etag) {
                    return Err(Problem::base(
                        StatusCode::PRECONDITION_FAILED,
                        "PreconditionFailed",
                        &[],
                    ));
                }
            }
            rq.body = match verb {
                Verb::Delete | Verb::Get => Map::new(),
                Verb::Act if bytes.trim_ascii().is_empty() => Map::new(),
                Verb::Patch | Verb::Create | Verb::Act => checks::object(&bytes)?,
            };
            let findings = match verb {
                Verb::Patch => {
                    let now = service.catalog.current(&rq).await?;
                    checks::overrides(resource, &rq)?;
                    checks::fill_arrays(&mut rq.body, &now, true);
                    let findings = validate::patch(resource.entity, &rq.body);
                    let findings = checks::and_here(findings, &rq.body, &now, None);
                    if findings.is_empty() {
                        checks::fill_arrays(&mut rq.body, &now, false);
                        checks::cut_arrays(&mut rq.body);
                    }
                    findings
                }
                Verb::Create => validate::create(resource.member, &rq.body),
                Verb::Act => {
                    let name = action.map_or("", |action| action.name);
                    let now = service.catalog.current(&rq).await?;
                    let findings = validate::action(resource.entity, name, &rq.body);
                    let findings = findings.map_err(|_unknown| {
                        Problem::internal(format!("the schema has no action {name}"))
                    })?;
                    checks::and_here(findings, &rq.body, &now, Some(name))
                }
                Verb::Delete | Verb::Get => Vec::new(),
            };
            if !findings.is_empty() {
                return Err(Problem::findings(findings));
            }
            if verb == Verb::Patch || verb == Verb::Create {
                rq.body.retain(|name, _| !name.starts_with('@'));
            }
            if verb == Verb::Patch && rq.body.is_empty() {
                return Err(Problem::base(StatusCode::BAD_REQUEST, "NoOperation", &[]));
            }
            let run = match verb {
                Verb::Patch => resource.patch,
                Verb::Create => resource.create,
                Verb::Delete => resource.delete,
                Verb::Act => action.map(|action| action.run),
                Verb::Get => None,
            };
            let run = run.ok_or_else(|| Problem::internal("a method without a handler"))?;
            let outcome = run(&rq).await?;
            let response = service.catalog.conclude(&rq, entry, verb, outcome).await;
            drop(guard);
            response
        };
        match tokio::spawn(tracing::Instrument::instrument(work, span)).await {
            Ok(response) => response,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => Err(Problem::base(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "ServiceShuttingDown",
                    &[],
                )),
            },
        }
    }

    async fn get(
        &self,
        rq: &Rq,
        entry: &Entry,
        headers: &http::HeaderMap,
    ) -> Result<Response<Body>, Problem> {
        match self.render(rq).await? {
            Rendered::Representation(now) => {
                let unchanged = headers
                    .get(http::header::IF_NONE_MATCH)
                    .is_some_and(|tags| checks::matches(tags, &now.etag));
                if unchanged {
                    return Ok(respond::not_modified(entry, &now));
                }
                Ok(respond::representation(entry, &now, StatusCode::OK))
            }
            Rendered::Answer(outcome) => self.conclude(rq, entry, Verb::Get, outcome).await,
        }
    }

    /// The answer to a change.
    async fn conclude(
        &self,
        rq: &Rq,
        entry: &Entry,
        verb: Verb,
        outcome: Outcome,
    ) -> Result<Response<Body>, Problem> {
        match outcome {
            Outcome::Done if verb == Verb::Patch => {
                let now = self.current(rq).await?;
                Ok(respond::representation(entry, &now, StatusCode::OK))
            }
            Outcome::Done => Ok(respond::no_content()),
            Outcome::Created { uri, headers, with } => {
                let missing = || Problem::internal(format!("created {uri}, which is nowhere"));
                let route = self.find(&uri).ok_or_else(missing)?;
                let entry = self.entry(&route);
                // Who created it may see it this once: a log-in was nobody before.
                let mut ctx = Ctx::service();
                ctx.request = rq.ctx.request.clone();
                let made = Rq::new(&rq.service, ctx, route);
                let now = self.current(&made).await?;
                respond::created(entry, &now, &uri, headers, with)
            }
            Outcome::Started(task) => respond::started(rq, &task).await,
            Outcome::Answer(body) => Ok(respond::json(StatusCode::OK, &Value::Object(body))),
            Outcome::Failed(problem) => Err(problem),
        }
    }

    /// What stands there now.
    async fn current(&self, rq: &Rq) -> Result<Arc<Representation>, Problem> {
        match self.render(rq).await? {
            Rendered::Representation(now) => Ok(now),
            Rendered::Answer(_) => Err(Problem::base(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                &[],
            )),
        }
    }

    async fn render(&self, rq: &Rq) -> Result<Rendered, Problem> {
        let resource = self.entry(&rq.route).resource;
        let Some(get) = resource.get else {
            return Err(Problem::missing(rq.uri()));
        };
        let version = match resource.version {
            Some(version) => Some(version(rq)?),
            None => None,
        };
        if let Some(version) = version
            && let Some(kept) = self.cache.get(rq.uri(), version)
        {
            return Ok(Rendered::Representation(kept));
        }
        let representation = match get(rq).await? {
            Content::Answer(outcome) => return Ok(Rendered::Answer(outcome)),
            Content::Document(bytes) => Arc::new(respond::document(bytes)?),
            Content::Resource(body) => Arc::new(respond::render(
                resource,
                rq.uri(),
                body,
                &rq.service.validated,
            )?),
        };
        if let Some(version) = version {
            self.cache.put(rq.uri(), version, representation.clone());
        }
        Ok(Rendered::Representation(representation))
    }
}

enum Rendered {
    Representation(Arc<Representation>),
    Answer(Outcome),
}

impl Rq {
    fn new(service: &Arc<Shared>, ctx: Ctx, route: Route) -> Self {
        Self {
            hf: service.hf.clone(),
            service: service.clone(),
            ctx,
            head: false,
            route,
            method: Method::GET,
            body: Map::new(),
        }
    }
}
