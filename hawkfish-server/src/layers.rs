//! The door: everything that happens to every request, in order, in this one file.
//!
//! From the outside in: `pack` makes answers smaller for who can unpack them; `arrive` names the request, finds its place in the catalog, opens its span,
//! holds its origin against the operator's list and puts on the headers that every answer has; `survive` turns a panic into an answer; `hurry` bounds the time; `recognise` finds out who is asking. TLS is outside of all this, in
//! `serve.rs`; bounds on the body are the catalog's, which alone knows whether a body is wanted.

mod origin;
mod pack;
mod rest;

use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt as _;
use hawkfish_core::accounts::{Account, BasicAuth};
use hawkfish_core::ctx::{Actor, Ctx, Privilege, Scope};
use hawkfish_core::error::{Error, ErrorKind};
use hawkfish_core::id::SessionId;
use http::header::{
    AUTHORIZATION, CONTENT_SECURITY_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use tower::{Service, ServiceBuilder, ServiceExt as _, layer::layer_fn, service_fn};
use tracing::Instrument as _;

use crate::app::Shared;
use crate::catalog::{Asked, Catalog, plain_path};
use crate::problem::Problem;

pub use self::origin::{Allowed, NotAnOrigin, Origins};
use self::origin::{Page, is_question, yes};
use self::rest::Rest;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// DSP0266, "Redfish session login authentication".
pub const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// Where a request came from; the socket puts it into the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The address of the client.
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

/// Whose certificate the client of a connection has shown (mutual TLS): the user name in it. The socket puts it into the request's extensions once the
/// certificate is verified.
#[derive(Clone, Debug)]
pub struct Certified(pub Arc<str>);

/// A stage of the stack.
trait Stage<R>:
    Service<R, Response = Response<Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<R, S> Stage<R> for S where
    S: Service<R, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The stack, outermost first.
pub(crate) fn stack(
    shared: &Arc<Shared>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ Sync
+ 'static
+ use<> {
    let catalog = {
        let shared = shared.clone();
        service_fn(move |asked: Box<Asked>| {
            let shared = shared.clone();
            // Boxed, because what is awaited is moved once for each layer around it.
            async move { Ok(Box::pin(Catalog::call(&shared, asked)).await) }
        })
    };
    ServiceBuilder::new()
        .layer(layer_fn(pack::pack))
        .layer(layer_fn(|inner| arrive(shared.clone(), inner)))
        .layer(layer_fn(survive))
        .layer(layer_fn(|inner| hurry(shared.clone(), inner)))
        .layer(layer_fn(|inner| recognise(shared.clone(), inner)))
        .service(catalog)
}

/// Names the request, finds its place in the catalog, opens its span, and finishes its answer.
fn arrive(shared: Arc<Shared>, inner: impl Stage<Box<Asked>>) -> impl Stage<Request<Body>> {
    service_fn(move |request: Request<Body>| {
        let (shared, inner) = (shared.clone(), inner.clone());
        async move {
            let began = Instant::now();
            let (parts, body) = request.into_parts();
            let (body, rest) = Rest::of(&parts, body);
            let id = shared.next_request();
            let peer = parts.extensions.get::<Peer>().copied();
            let shown = HeaderValue::try_from(id.as_str());
            let route = shared.catalog.find(&plain_path(parts.uri.path()));
            let template = route
                .as_ref()
                .map_or("-", |r| shared.catalog.entry(r).resource.uri);
            let method = parts.method.clone();
            let reads = matches!(method, Method::GET | Method::HEAD);
            // Reads come by the thousand and change nothing, so they are a matter for whoever looks closely.
            let span = if reads {
                tracing::debug_span!("request", %id, %method, route = template)
            } else {
                tracing::info_span!("request", %id, %method, route = template)
            };
            let long = parts
                .uri
                .path_and_query()
                .map_or(0, |all| all.as_str().len());
            let page = shared.options.origins.page(&parts);
            let question = is_question(&parts);
            let mut ctx = Ctx::anonymous(id, peer.map(|peer| peer.address));
            ctx.scope = parts.extensions.get::<Arc<Scope>>().cloned();
            let asked = Box::new(Asked {
                ctx,
                parts,
                body,
                route,
                password_change: false,
            });
            let mut response = if long > shared.options.uri_limit {
                Problem::base(StatusCode::URI_TOO_LONG, "InvalidURI", &["(too long)"])
                    .into_response("", None)
            } else if question && matches!(page, Page::Listed(_)) {
                // Browsers ask without credentials.
                yes()
            } else if !reads && page == Page::Foreign {
                Problem::base(StatusCode::FORBIDDEN, "HeaderInvalid", &["Origin"])
                    .into_response("", None)
            } else {
                inner.oneshot(asked).instrument(span.clone()).await?
            };
            if let Some(rest) = rest {
                rest.settle(&mut response).await;
            }
            shared.options.origins.tell(&page, &mut response);
            let status = response.status();
            finish(&shared, &mut response, shown.ok(), peer);
            let microseconds = began.elapsed().as_micros();
            // That something is not implemented is an answer, not a failure.
            let failed = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
            span.in_scope(|| match (reads, failed) {
                (_, true) => tracing::warn!(status = status.as_u16(), microseconds, "answered"),
                (false, _) => tracing::info!(status = status.as_u16(), microseconds, "answered"),
                (true, _) => tracing::debug!(status = status.as_u16(), microseconds, "answered"),
            });
            Ok(response)
        }
    })
}

/// The headers that every answer has.
fn finish(
    shared: &Shared,
    response: &mut Response<Body>,
    id: Option<HeaderValue>,
    peer: Option<Peer>,
) {
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // A page of ours brings its own.
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    if peer.is_some_and(|peer| peer.tls) {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if let Some(id) = id {
        headers.insert(X_REQUEST_ID, id);
    }
    let basic = shared.hf.accounts().policy().basic_auth;
    if status == StatusCode::UNAUTHORIZED && basic == BasicAuth::Enabled {
        headers.insert(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Basic realm=\"HawkFish\", charset=\"UTF-8\""),
        );
    }
}

/// A panic is a defect of ours; whoever asked gets an answer all the same, and everybody else is not harmed.
fn survive(inner: impl Stage<Box<Asked>>) -> impl Stage<Box<Asked>> {
    service_fn(move |asked: Box<Asked>| {
        let inner = inner.clone();
        async move {
            let answer = AssertUnwindSafe(inner.oneshot(asked)).catch_unwind().await;
            answer.unwrap_or_else(|panic| {
                let what = panic
                    .downcast_ref::<&str>()
                    .map(ToString::to_string)
                    .or_else(|| panic.downcast_ref::<String>().cloned())
                    .unwrap_or_default();
                Ok(Problem::internal(format!("panic: {what}")).into_response("", None))
            })
        }
    })
}

/// Bounds the time that a request takes. What it has begun to change is carried to its end.
fn hurry(shared: Arc<Shared>, inner: impl Stage<Box<Asked>>) -> impl Stage<Box<Asked>> {
    service_fn(move |asked: Box<Asked>| {
        let (shared, inner) = (shared.clone(), inner.clone());
        async move {
            // What is sent by the gigabyte takes its time; whoever takes it in sees to it that it keeps coming.
            let method = &asked.parts.method;
            let route = asked.route.as_ref();
            if route.is_some_and(|route| shared.catalog.is_upload(route, method)) {
                return inner.oneshot(asked).await;
            }
            match tokio::time::timeout(shared.options.time_limit, inner.oneshot(asked)).await {
                Ok(answer) => answer,
                Err(_elapsed) => {
                    let problem =
                        Problem::base(StatusCode::SERVICE_UNAVAILABLE, "OperationTimeout", &[])
                            .header(RETRY_AFTER, HeaderValue::from_static("5"));
                    Ok(problem.into_response("", None))
                }
            }
        }
    })
}

/// Finds out who is asking.
fn recognise(shared: Arc<Shared>, inner: impl Stage<Box<Asked>>) -> impl Stage<Box<Asked>> {
    service_fn(move |mut asked: Box<Asked>| {
        let (shared, inner) = (shared.clone(), inner.clone());
        async move {
            let open = asked
                .route
                .as_ref()
                .is_some_and(|route| shared.catalog.is_open(route, &asked.parts.method));
            let certified = asked.parts.extensions.get::<Certified>().cloned();
            let headers = &asked.parts.headers;
            match authenticate(&shared, headers, certified, &asked.ctx, open).await {
                Ok(Some(known)) => {
                    asked.password_change = known.password_change;
                    asked.ctx = known.ctx;
                }
                Ok(None) => {}
                Err(error) => return Ok(Problem::from(error).into_response("", None)),
            }
            inner.oneshot(asked).await
        }
    })
}

/// Who sends a request, for a front that answers it itself.
pub(crate) async fn caller(
    shared: &Shared,
    parts: &http::request::Parts,
    open: bool,
) -> Result<Ctx, Problem> {
    let peer = parts.extensions.get::<Peer>().copied();
    let mut nobody = Ctx::anonymous(shared.next_request(), peer.map(|peer| peer.address));
    nobody.scope = parts.extensions.get::<Arc<Scope>>().cloned();
    let certified = parts.extensions.get::<Certified>().cloned();
    match authenticate(shared, &parts.headers, certified, &nobody, open).await? {
        Some(known) if known.password_change => Err(Problem::password_change(&known.ctx)),
        Some(known) => Ok(known.ctx),
        None => Ok(nobody),
    }
}

struct Known {
    ctx: Ctx,
    password_change: bool,
}

/// Who is asking: by session token, else by name and password, else by the certificate of the connection. Where nobody needs to be known, wrong credentials do no harm and passwords are not
/// looked at, so that an old token does not stand in the way of a new session.
async fn authenticate(
    shared: &Shared,
    headers: &HeaderMap,
    certified: Option<Certified>,
    nobody: &Ctx,
    open: bool,
) -> Result<Option<Known>, Error> {
    let unknown = || {
        Error::new(
            ErrorKind::Unauthenticated,
            "The credentials are missing or wrong.",
        )
    };
    if let Some(token) = headers.get(X_AUTH_TOKEN) {
        let found = token
            .to_str()
            .ok()
            .and_then(|token| shared.hf.sessions().by_token(nobody, token));
        return match found {
            Some((session, account, privileges)) => {
                let session = Some(session.id.clone());
                Ok(Some(known(nobody, &account, privileges, session)))
            }
            None if open => Ok(None),
            None => Err(unknown()),
        };
    }
    if open {
        return Ok(None);
    }
    let accounts = shared.hf.accounts();
    if let Some(Certified(name)) = certified.filter(|_| !headers.contains_key(AUTHORIZATION)) {
        let account = accounts
            .by_name(&name)
            .filter(|account| account.enabled && !account.locked)
            .ok_or_else(unknown)?;
        let privileges = accounts.privileges(&account);
        return Ok(Some(known(nobody, &account, privileges, None)));
    }
    let (name, password) = headers
        .get(AUTHORIZATION)
        .and_then(basic)
        .ok_or_else(unknown)?;
    if accounts.policy().basic_auth == BasicAuth::Disabled {
        return Err(unknown());
    }
    let checked = accounts.check_password(&name, &password, nobody.address);
    let account = Box::pin(checked).await?;
    let privileges = accounts.privileges(&account);
    Ok(Some(known(nobody, &account, privileges, None)))
}

fn known(
    nobody: &Ctx,
    account: &Account,
    privileges: Arc<std::collections::BTreeSet<Privilege>>,
    session: Option<SessionId>,
) -> Known {
    let password_change = account.password_change_required;
    let privileges = if password_change {
        Arc::new([Privilege::ConfigureSelf].into())
    } else {
        privileges
    };
    Known {
        ctx: Ctx {
            actor: Actor::Account {
                id: account.id.clone(),
                name: account.name.clone(),
                role: account.role.clone(),
                session,
            },
            privileges,
            project: None,
            scope: nobody.scope.clone(),
            address: nobody.address,
            request: nobody.request.clone(),
        },
        password_change,
    }
}

/// Name and password of `Authorization: Basic` (RFC 7617).
fn basic(value: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
