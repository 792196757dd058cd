//! The service as a value: a [`tower::Service`] from request to answer, which a socket, a test and the simulator call alike.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::RequestId;
use http::{Request, Response};
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use tower::ServiceExt as _;

use crate::HawkFish;
use crate::catalog::{Catalog, Resource};
use crate::events::Streams;
use crate::face::Face;
use crate::problem::Problem;
use crate::respond::{Validated, Validation};
use crate::ssdp::Switch;
use crate::tls::{Identity, NameIn};
use crate::{layers, resource, telling};

/// What can be chosen about the service itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// What becomes of an answer that its schema does not allow.
    pub validation: Validation,
    /// Largest body of a request, bytes.
    pub body_limit: usize,
    /// Longest path and query of a request, bytes.
    pub uri_limit: usize,
    /// Longest time that a request may take.
    pub time_limit: Duration,
    /// Whose web pages may talk to the service.
    pub origins: layers::Origins,
    /// Whether PATCH and DELETE must name in `If-Match` what they were made for.
    pub require_if_match: bool,
    /// What is made of clients' certificates, where they are asked for.
    pub client_certificates: Option<ClientCertificates>,
}

/// What is made of clients' certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// The certificates of those who may sign them, DER.
    pub authorities: Arc<[CertificateDer<'static>]>,
    /// Where in a certificate the user name stands.
    pub name_in: NameIn,
    /// Whether who shows none is talked to, to authenticate in another way.
    pub optional: bool,
}

impl Default for Options {
    /// Bounds that no honest client meets; answers are checked strictly in debug builds; in release builds some are, and what is wrong is logged.
    fn default() -> Self {
        Self {
            validation: if cfg!(debug_assertions) {
                Validation::Enforce
            } else {
                Validation::Log
            },
            body_limit: 1024 * 1024,
            uri_limit: 4 * 1024,
            time_limit: Duration::from_secs(60),
            origins: layers::Origins::default(),
            require_if_match: false,
            client_certificates: None,
        }
    }
}

/// How clients reach the service from outside; all of it unknown to a service that is only called.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Where TLS is spoken.
    pub https: Option<SocketAddr>,
    /// Where plain HTTP is answered.
    pub http: Option<SocketAddr>,
    /// Whether the service makes itself known by SSDP; none where it cannot.
    pub ssdp: Option<Arc<Switch>>,
    /// Whether clients are asked for certificates.
    pub asks_clients: bool,
    /// The certificate in use, where TLS is spoken.
    pub identity: Option<Arc<Identity>>,
}

/// What all requests share.
#[derive(Debug)]
pub struct Shared {
    /// The system behind.
    pub hf: HawkFish,
    /// What is served.
    pub catalog: Catalog,
    /// What was chosen.
    pub options: Options,
    /// Answers known to be as their schema says.
    pub validated: Validated,
    /// Streams of events.
    pub(crate) streams: Streams,
    /// How clients reach it, told once it listens.
    pub reach: OnceLock<Reach>,
    /// By which URIs events tell of resources, where not by the service's own.
    pub(crate) rename: OnceLock<telling::Rename>,
    requests: AtomicU64,
    started: i64,
}

impl Shared {
    /// How clients reach the service.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach.get().cloned().unwrap_or_default()
    }

    /// When the service was started.
    #[must_use]
    pub fn started(&self) -> Timestamp {
        Timestamp::from_millisecond(self.started).unwrap_or_default()
    }

    /// A name for a request: unique for this installation, and the same again where time and order of requests are.
    pub(crate) fn next_request(&self) -> RequestId {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        RequestId::parse(&format!("{:x}-{number:x}", self.started))
            .expect("hexadecimal digits are an identifier")
    }
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The schema of the resource: `ComputerSystem`.
    pub entity: &'static str,
    /// The URI template of the resource.
    pub template: &'static str,
    /// The action that is called there: `ComputerSystem.Reset`.
    pub action: Option<&'static str>,
    /// The schema of what a POST there makes.
    pub member: Option<&'static str>,
}

impl Standing {
    /// What it is called: its action, else its schema.
    #[must_use]
    pub fn called(&self) -> &'static str {
        self.action.unwrap_or(self.entity)
    }
}

type Answering = BoxFuture<'static, Result<Response<Body>, Infallible>>;
type Answer = dyn Fn(Request<Body>) -> Answering + Send + Sync;

/// The service. Clones are handles to the same one.
#[derive(Clone)]
pub struct App {
    shared: Arc<Shared>,
    answer: Arc<Answer>,
}

impl App {
    /// The service in front of `hf`.
    #[must_use]
    pub fn new(hf: HawkFish, options: Options) -> Self {
        Self::serving(hf, options, resource::ALL)
    }

    /// A service that serves other resources than [`resource::ALL`].
    #[must_use]
    pub fn serving(
        hf: HawkFish,
        options: Options,
        resources: &'static [&'static Resource],
    ) -> Self {
        let shared = Arc::new(Shared {
            catalog: Catalog::new(resources),
            validated: Validated::new(options.validation),
            streams: Streams::of(&hf),
            reach: OnceLock::new(),
            rename: OnceLock::new(),
            requests: AtomicU64::new(1),
            started: hf.clock().now().as_millisecond(),
            hf,
            options,
        });
        let words = Arc::new(telling::Words::of(&shared));
        shared.hf.events().set_telling(words);
        let stack = layers::stack(&shared);
        let answer = move |request| -> Answering { Box::pin(stack.clone().oneshot(request)) };
        Self {
            shared,
            answer: Arc::new(answer),
        }
    }

    /// The same service behind a front, which sees each request first: it hands it on or answers it, and may change the answer, or have the connection closed
    /// without one ([`crate::serve::Close`]). For simulations of services that misbehave.
    #[must_use]
    pub fn behind<F>(self, front: F) -> Self
    where
        F: Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync + 'static,
    {
        let answer = move |request| -> Answering {
            let answered = front(request);
            Box::pin(async move { Ok(answered.await) })
        };
        Self {
            shared: self.shared,
            answer: Arc::new(answer),
        }
    }

    /// The same service as the face of a system shows it. Costs next to nothing: one can be made for each request.
    #[must_use]
    pub fn face(&self, face: Face) -> Self {
        let inside = self.within(&face).answer;
        let answer = move |request: Request<Body>| -> Answering {
            let (inside, face) = (inside.clone(), face.clone());
            Box::pin(async move {
                let path = request.uri().path().to_owned();
                let Some(request) = face.enter(request) else {
                    return Ok(Problem::missing(&path).into_response(&path, None));
                };
                Ok(face.leave(inside(request).await?).await)
            })
        };
        Self {
            shared: self.shared.clone(),
            answer: Arc::new(answer),
        }
    }

    /// The same service confined to what a face shows, for who sees to the face's prefix itself ([`Face::enter`], [`Face::leave`]).
    #[must_use]
    pub fn within(&self, face: &Face) -> Self {
        let (inside, scope) = (self.answer.clone(), face.scope().clone());
        let answer = move |mut request: Request<Body>| -> Answering {
            request.extensions_mut().insert(scope.clone());
            inside(request)
        };
        Self {
            shared: self.shared.clone(),
            answer: Arc::new(answer),
        }
    }

    /// Tells the service how clients reach it. Only the first word counts.
    pub fn reached(&self, reach: Reach) {
        // Who asked before was told that nothing is known, which was so.
        let _ = self.shared.reach.set(reach);
    }

    /// Ends all streams of events, and opens no more: the service is about to end.
    pub fn end_streams(&self) {
        self.shared.streams.end();
    }

    /// The system behind.
    #[must_use]
    pub fn hawkfish(&self) -> &HawkFish {
        &self.shared.hf
    }

    /// Who sends a request: for a front that answers some of them itself. Where nobody needs to be known (`open`), nobody may be it.
    ///
    /// # Errors
    /// Credentials that are missing or wrong; an account that has to change its password first.
    pub async fn caller(&self, parts: &http::request::Parts, open: bool) -> Result<Ctx, Problem> {
        layers::caller(&self.shared, parts, open).await
    }

    /// Has what events are about told by other URIs: for a front that shows the service's resources elsewhere. What becomes `None` is not told.
    /// Only the first word counts.
    pub fn rename_origins(&self, rename: telling::Rename) {
        let _ = self.shared.rename.set(rename);
    }

    /// What was chosen about it.
    pub(crate) fn options(&self) -> &Options {
        &self.shared.options
    }

    /// What stands at a path, for whoever counts; `None` where nothing of a schema does.
    #[must_use]
    pub fn standing_at(&self, path: &str) -> Option<Standing> {
        self.shared.catalog.standing_at(path)
    }

    /// Answers a request. Never fails: whatever is the matter is an answer.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        match (self.answer)(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl<B> tower::Service<Request<B>> for App
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        (self.answer)(request.map(Body::new))
    }
}
