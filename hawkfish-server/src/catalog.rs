//! What is served, and the one way to read, change or call it.
//!
//! A [`Resource`] is a constant value: its URI template, its schema, what can be done to it, by whom. [`crate::resource::ALL`] lists them; routing,
//! `Allow`, privileges, body schemas, ETags and the coverage test all walk that list. A request goes through `Catalog::call` in this order:
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
//! - The catalog itself puts in `@odata.id`, `@odata.type`, `@odata.etag`, `Actions/#X/target` and where the action is described; a handler may set any of them itself.
//! - `version` is for what is read often: a number that changes whenever anything shown changes. While it stands still, the rendered bytes are
//!   served from memory, so it must fail as `get` would where the caller may not see the resource. Leave it out where no such number exists.
//! - Properties named in `clock_like` are shown but do not count for the ETag.
//! - Collections: use [`Content::collection`]; a POST to one is `create`, with `member` naming the schema of what it creates, and answers
//!   [`Outcome::Created`] with the new URI. Long work answers [`Outcome::Started`] with its task.
//! - What is HawkFish's own on a resource of DMTF's goes into its `Oem` (its schema is a file in `hawkfish-redfish/schema`, see the head of `served.toml`). An action of it is
//!   listed among the others by its full name, `HawkFishEventDestination.ReplayDeadLetters`; that it is called in `Actions/Oem` follows from that.
//! - A handler cannot mention the constant that holds it (the compiler sees a circle), so a URI that it needs is a constant of its own.
//! - A handler never checks privileges: it names them in `privileges`.
//! - What is read as a stream has `stream` in place of `get`: its answer is the handler's own, and goes on after the time that requests have.

mod cache;
mod checks;
mod locks;
mod query;
mod request;
mod route;
mod value;

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use hawkfish_core::ctx::Ctx;
use hawkfish_redfish::query::Query;
use hawkfish_redfish::validate;
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Map, Value};

pub(crate) use self::checks::object;
pub(crate) use self::request::apply_time;
pub use self::request::{Content, Outcome, Rq};
pub(crate) use self::route::{Route, Target, plain_path};
pub use self::value::{
    Action, AnyOf, Get, Override, Privileges, Resource, Stream, Upload, Verb, Version, Write,
};
use self::{cache::Cache, locks::WriteLocks, route::Routes};
use crate::app::{Shared, Standing};
use crate::problem::Problem;
use crate::resource::action_info;
use crate::respond;

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

/// Marks an answer to a request that the audit log tells of already.
#[derive(Clone, Copy, Debug)]
struct Told;

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
        let described = resources
            .iter()
            .flat_map(|resource| action_info::of(resource));
        let all: Vec<&'static Resource> = resources.iter().copied().chain(described).collect();
        let entries = all
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
            routes: Routes::new(&all),
            cache: Cache::default(),
            locks: WriteLocks::default(),
        }
    }

    /// Everything that is served, with what the catalog adds to the list that it was given.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &'static Resource> {
        self.entries.iter().map(|entry| entry.resource)
    }

    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        self.routes.find(path)
    }

    pub(crate) fn entry(&self, route: &Route) -> &Entry {
        &self.entries[route.entry]
    }

    /// The schema of what stands at `uri`; empty where nothing of a schema does.
    pub(crate) fn entity_at(&self, uri: &str) -> &'static str {
        let route = self.find(uri);
        route.map_or("", |route| self.entry(&route).resource.entity)
    }

    /// What stands at a path, if it is of a schema.
    pub(crate) fn standing_at(&self, path: &str) -> Option<Standing> {
        let route = self.find(path)?;
        let resource = self.entry(&route).resource;
        let action = match route.target {
            Target::Action(action) => Some(action.name),
            Target::Resource | Target::Members | Target::UnknownAction => None,
        };
        (!resource.entity.is_empty()).then_some(Standing {
            entity: resource.entity,
            template: resource.uri,
            action,
            member: (!resource.member.is_empty()).then_some(resource.member),
        })
    }

    /// Whether a collection stands at `uri`.
    pub(crate) fn is_collection(&self, uri: &str) -> bool {
        let route = self.find(uri);
        route.is_some_and(|route| self.entry(&route).resource.entity.ends_with("Collection"))
    }

    /// Whether the method at that place needs no credentials.
    pub(crate) fn is_open(&self, route: &Route, method: &Method) -> bool {
        let open = self.entry(route).resource.open;
        checks::verb(route, method).is_some_and(|verb| open.contains(&verb))
    }

    /// Whether what is sent there may take as long as it comes.
    pub(crate) fn is_upload(&self, route: &Route, method: &Method) -> bool {
        method == Method::POST && self.entry(route).resource.upload.is_some()
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
        checks::is_here(ctx, &route)?;
        let rq = Rq::new(service, ctx.clone(), route);
        let resource = service.catalog.entry(&rq.route).resource;
        if !resource.open.contains(&Verb::Get) {
            checks::privilege(resource, &rq, Verb::Get)?;
        }
        checks::manager_is_there(&rq)?;
        service.catalog.current(&rq).await
    }

    /// Answers a request.
    pub(crate) async fn call(service: &Arc<Shared>, asked: Box<Asked>) -> Response<Body> {
        let path: Box<str> = match &asked.route {
            Some(route) => route.uri.clone(),
            None => asked.parts.uri.path().into(),
        };
        let action = asked.route.as_ref().and_then(|route| match route.target {
            Target::Action(action) => Some(action.name),
            Target::Resource | Target::Members | Target::UnknownAction => None,
        });
        let refused = Self::wants_change(service, &asked).then(|| {
            let method = asked.parts.method.clone();
            let path = plain_path(asked.parts.uri.path()).into_owned();
            (asked.ctx.clone(), method, path)
        });
        let mut response = match Self::answer(service, asked).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(&path, action),
        };
        if let Some((ctx, method, path)) = refused
            && response.extensions_mut().remove::<Told>().is_none()
        {
            let status = response.status().as_u16();
            service
                .hf
                .logs()
                .requested(&ctx, method.as_str(), &path, status);
        }
        response
    }

    /// Whether a request belongs into the audit log: it is for a change that takes a known caller. Log-ins are told by whoever lets in.
    fn wants_change(service: &Arc<Shared>, asked: &Asked) -> bool {
        let method = &asked.parts.method;
        !method.is_safe()
            && asked.route.as_ref().is_some_and(|route| {
                let resource = service.catalog.entry(route).resource;
                checks::verb_of(resource, route, method)
                    .is_some_and(|verb| !resource.open.contains(&verb))
            })
    }

    async fn answer(service: &Arc<Shared>, asked: Box<Asked>) -> Result<Response<Body>, Problem> {
        let Asked {
            parts,
            body,
            route,
            ctx,
            password_change,
        } = *asked;
        let catalog = &service.catalog;
        let Some(route) = route else {
            return Err(Problem::missing(parts.uri.path()));
        };
        checks::is_here(&ctx, &route)?;
        let entry = catalog.entry(&route);
        let resource = entry.resource;
        let Some(verb) = checks::verb_of(resource, &route, &parts.method) else {
            let refused = checks::no_such_method(entry, &route);
            if ctx.scope.is_some() && resource.get.is_some() {
                // Of what a face does not show it is not even told what could be done with it.
                let mut rq = Rq::new(service, ctx, route);
                rq.head = true;
                if checks::privilege(resource, &rq, Verb::Get).is_ok() {
                    catalog.render(&rq).await?;
                }
            }
            return Err(refused);
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
        checks::manager_is_there(&rq)?;
        checks::headers(&parts.headers, resource)?;
        let query = checks::query(&parts.uri, verb)?;
        if let Some(stream) = resource.stream.filter(|_| verb == Verb::Get) {
            return stream(&rq, &query, &parts).await;
        }
        if verb == Verb::Get {
            return catalog.get(&rq, entry, &parts, &query).await;
        }
        if let Some(upload) = resource.upload.filter(|_| verb == Verb::Create) {
            let outcome = upload(&rq, &parts.headers, body).await?;
            return catalog.conclude(&rq, entry, verb, outcome).await;
        }
        // Boxed, so that the many reads do not carry about the room that the few changes need.
        Box::pin(Self::change(service, rq, verb, parts, body)).await
    }

    /// A request that is not a read.
    async fn change(
        service: &Arc<Shared>,
        rq: Rq,
        verb: Verb,
        parts: http::request::Parts,
        body: Body,
    ) -> Result<Response<Body>, Problem> {
        if let Target::UnknownAction = rq.route.target {
            // First whether there is such a resource at all.
            service.catalog.current(&rq).await?;
            let name = parts.uri.path().trim_end_matches('/');
            let name = name.rsplit('/').next().unwrap_or_default();
            return Err(Problem::base(
                StatusCode::BAD_REQUEST,
                "ActionNotSupported",
                &[name],
            ));
        }
        checks::content_type(&parts.headers, &body)?;
        let bytes = checks::collect(&parts.headers, body, service.options.body_limit).await?;
        let if_match = parts.headers.get(http::header::IF_MATCH).cloned();
        // A change that has begun is carried to its end, also when the client goes away or time runs out meanwhile; and then it is told.
        let shared = service.clone();
        let work = async move {
            let (ctx, method, path) = (rq.ctx.clone(), rq.method.clone(), rq.uri().to_owned());
            let called = rq.action();
            let action = called.map(|action| action.name);
            let entity = shared.catalog.entry(&rq.route).resource.entity;
            let open = shared.catalog.is_open(&rq.route, &method);
            let done = Self::carry_out(shared.clone(), rq, verb, if_match, bytes).await;
            let mut response = done.unwrap_or_else(|problem| problem.into_response(&path, action));
            if !open {
                let whole = match called {
                    Some(action) => action.target(entity, &path),
                    None => path,
                };
                let status = response.status().as_u16();
                shared
                    .hf
                    .logs()
                    .requested(&ctx, method.as_str(), &whole, status);
                response.extensions_mut().insert(Told);
            }
            response
        };
        let work = tracing::Instrument::instrument(work, tracing::Span::current());
        match tokio::spawn(work).await {
            Ok(response) => Ok(response),
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

    async fn carry_out(
        service: Arc<Shared>,
        mut rq: Rq,
        verb: Verb,
        if_match: Option<HeaderValue>,
        bytes: Bytes,
    ) -> Result<Response<Body>, Problem> {
        let catalog = &service.catalog;
        let entry = catalog.entry(&rq.route);
        let resource = entry.resource;
        let _guard = catalog.locks.lock(rq.uri()).await;
        let replaces = matches!(verb, Verb::Patch | Verb::Delete);
        if if_match.is_none() && replaces && service.options.require_if_match {
            // First whether there is anything at all.
            catalog.current(&rq).await?;
            return Err(Problem::base(
                StatusCode::PRECONDITION_REQUIRED,
                "PreconditionRequired",
                &[],
            ));
        }
        if let Some(tags) = if_match {
            let now = catalog.current(&rq).await?;
            if !checks::matches(&tags, &now.etag) {
                return Err(Problem::base(
                    StatusCode::PRECONDITION_FAILED,
                    "PreconditionFailed",
                    &[],
                ));
            }
        }
        catalog.take_body(&mut rq, verb, &bytes).await?;
        let run = match verb {
            Verb::Patch => resource.patch,
            Verb::Create => resource.create,
            Verb::Delete => resource.delete,
            Verb::Act => rq.action().map(|action| action.run),
            Verb::Get => None,
        };
        let run = run.ok_or_else(|| Problem::internal("a method without a handler"))?;
        let outcome = run(&rq).await?;
        catalog.conclude(&rq, entry, verb, outcome).await
    }

    /// Takes the body as an object, and holds it against the schema and against the resource as it is now.
    async fn take_body(&self, rq: &mut Rq, verb: Verb, bytes: &[u8]) -> Result<(), Problem> {
        let resource = self.entry(&rq.route).resource;
        rq.body = match verb {
            Verb::Delete | Verb::Get => return Ok(()),
            Verb::Act if bytes.trim_ascii().is_empty() => Map::new(),
            Verb::Patch | Verb::Create | Verb::Act => checks::object(bytes)?,
        };
        let findings = match rq.action() {
            Some(action) => {
                let now = self.current(rq).await?;
                let findings = validate::action(resource.entity, action.name, &rq.body);
                let findings = findings.map_err(|_unknown| {
                    Problem::internal(format!("the schema has no action {}", action.name))
                })?;
                checks::and_here(findings, &rq.body, &now, Some((action, resource.entity)))
            }
            None if verb == Verb::Create => validate::create(resource.member, &rq.body),
            None => {
                let now = self.current(rq).await?;
                checks::overrides(resource, rq)?;
                checks::fill_arrays(&mut rq.body, &now, true);
                let findings = validate::patch(resource.entity, &rq.body);
                let findings = checks::and_here(findings, &rq.body, &now, None);
                checks::fill_arrays(&mut rq.body, &now, false);
                checks::cut_arrays(&mut rq.body);
                findings
            }
        };
        if !findings.is_empty() {
            return Err(Problem::findings(findings));
        }
        rq.annotations = rq.body.clone();
        rq.annotations.retain(|name, _| name.contains('@'));
        rq.body.retain(|name, _| !name.contains('@'));
        if verb == Verb::Patch && rq.body.is_empty() {
            return Err(Problem::base(StatusCode::BAD_REQUEST, "NoOperation", &[]));
        }
        Ok(())
    }

    async fn get(
        &self,
        rq: &Rq,
        entry: &Entry,
        parts: &http::request::Parts,
        query: &Query,
    ) -> Result<Response<Body>, Problem> {
        match self.render(rq).await? {
            Rendered::Representation(now) if !query.is_empty() => {
                let raw = parts.uri.query().unwrap_or_default();
                // Boxed, so that the many plain reads do not carry about the room that this needs.
                let answered = Box::pin(query::answer(rq, raw, query, &now)).await?;
                let member = answered.member.as_ref();
                let of = member.and_then(|(uri, member)| Some((self.find(uri)?, member)));
                Ok(match of {
                    Some((route, member)) => {
                        respond::part(self.entry(&route), member, answered.bytes)
                    }
                    None => respond::part(entry, &now, answered.bytes),
                })
            }
            Rendered::Representation(now) => {
                let unchanged = parts
                    .headers
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
                ctx.scope = rq.ctx.scope.clone();
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
        // What a caller sees who is confined to a project is not what others see.
        let version = match resource.version.filter(|_| rq.ctx.project.is_none()) {
            Some(version) => Some(version(rq)?),
            None => None,
        };
        // What stands at a URI is another thing at each face.
        let key = match rq.ctx.face() {
            None => std::borrow::Cow::Borrowed(rq.uri()),
            Some(face) => [face.as_str(), rq.uri()].concat().into(),
        };
        if let Some(version) = version
            && let Some(kept) = self.cache.get(&key, version)
        {
            return Ok(Rendered::Representation(kept));
        }
        let representation = match get(rq).await? {
            Content::Answer(outcome) => return Ok(Rendered::Answer(outcome)),
            Content::Document(bytes) => Arc::new(respond::document(bytes)?),
            Content::Ready(bytes) => Arc::new(respond::ready(
                resource,
                rq.uri(),
                &bytes,
                &rq.service.validated,
            )?),
            Content::Resource(body) => Arc::new(respond::render(
                resource,
                rq.uri(),
                body,
                &rq.service.validated,
            )?),
        };
        if let Some(version) = version {
            self.cache.put(&key, version, representation.clone());
        }
        Ok(Rendered::Representation(representation))
    }
}

enum Rendered {
    Representation(Arc<Representation>),
    Answer(Outcome),
}
