//! The way into a world: each request is counted, traced, and held against the faults, before and after the service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_server::layers::X_AUTH_TOKEN;
use hawkfish_server::serve::Hangup;
use http::header::ACCEPT_ENCODING;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;

use crate::face::Face;
use crate::fault::{self, Asked, Broken, Encounter, Firing, Framing, Pace, Then};
use crate::trace::{Exchange, InFlight};
use crate::world::World;

/// The service of a world with its faults, as a [`tower::Service`]: what a client talks to. Cheap to clone.
///
/// # Behavior
/// - A fault that takes time lets the world's time go on meanwhile: whoever asks has waited.
/// - A connection that a fault closes is an error ([`Broken`]), as there is no answer.
#[derive(Clone)]
pub struct Bmc {
    world: World,
    face: Arc<Face>,
}

impl Bmc {
    pub(crate) fn new(world: World, face: Arc<Face>) -> Self {
        Self { world, face }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// A fault closed the connection.
    pub async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Broken> {
        let world = &self.world;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_else(|_broken| Bytes::new());
        world.take_events().await;
        let mut exchange = world.is_traced().then(|| self.exchange(&parts, &body));
        if let Some(exchange) = &mut exchange {
            world.traced(|trace| trace.request(exchange));
        }
        let under_way = UnderWay::new(world);
        // Only a socket can be told to hang up.
        let said = parts.extensions.get::<InFlight>();
        let in_flight = said.map_or(under_way.count, |said| said.0);
        let is_on_wire = parts.extensions.get::<Hangup>().is_some();
        let request = Request::from_parts(parts, body);
        let mut answered = self.through(request, in_flight, exchange.as_mut()).await;
        if let Ok((parts, _)) = &mut answered {
            date(&mut parts.headers, world.now());
        }
        if let Some(exchange) = &exchange {
            world.traced(|trace| match &answered {
                Ok((parts, body)) => {
                    let (status, headers) = (parts.status, &parts.headers);
                    trace.response(exchange, world.now(), status, headers, &body.bytes());
                }
                Err(broken) => trace.broken(world.now(), Some(exchange), &broken.to_string()),
            });
            world.take_events().await;
        }
        let (mut parts, body) = self.leave(answered?).await;
        let pace = parts.extensions.remove::<Pace>();
        let framing = parts.extensions.remove::<Framing>();
        Ok(match (body, framing, pace) {
            (Answered::Whole(whole), Some(framing), _) => {
                framing.of(parts, &whole.bytes, is_on_wire)
            }
            (Answered::Whole(whole), None, Some(pace)) => {
                let body = pace.of(whole.bytes, world, is_on_wire);
                Response::from_parts(parts, body)
            }
            (body, ..) => Response::from_parts(parts, body.into_body()),
        })
    }

    /// The request as the trace tells it.
    fn exchange(&self, parts: &http::request::Parts, body: &Bytes) -> Exchange {
        let uri = parts.uri.path_and_query();
        Exchange {
            number: 0,
            at: self.world.now(),
            face: self.face.system.as_ref().map(|_| self.face.name.clone()),
            method: parts.method.clone(),
            uri: uri.map_or_else(String::new, ToString::to_string),
            headers: parts.headers.clone(),
            body: body.clone(),
            peer: parts.extensions.get().copied(),
            is_met: false,
        }
    }

    /// The answer as the face gives it: with what stands in front of its URIs.
    async fn leave(
        &self,
        (parts, body): (http::response::Parts, Answered),
    ) -> (http::response::Parts, Answered) {
        let Some(shown) = self.face.prefixed() else {
            return (parts, body);
        };
        match body {
            Answered::Whole(Collected { bytes, broke }) => {
                let left = shown.leave(Response::from_parts(parts, Body::from(bytes)));
                let (parts, body) = left.await.into_parts();
                let Collected { bytes, .. } = Collected::of(body).await;
                (parts, Answered::Whole(Collected { bytes, broke }))
            }
            Answered::Stream(body) => {
                let left = shown.leave(Response::from_parts(parts, body)).await;
                let (parts, body) = left.into_parts();
                (parts, Answered::Stream(body))
            }
        }
    }

    /// The rules that fire, which the trace tells.
    fn meet(
        &self,
        parts: &http::request::Parts,
        status: Option<StatusCode>,
        in_flight: u32,
    ) -> Vec<Firing> {
        let world = &self.world;
        let system = self.system(parts.uri.path());
        let bmc = system.clone().or_else(|| self.alone());
        let at = world.age();
        let token = parts.headers.get(X_AUTH_TOKEN);
        let firings = world.faults(|engine| {
            let session = token.and_then(|token| engine.session(token.as_bytes(), at));
            engine.meet(&Encounter {
                at,
                method: &parts.method,
                path: parts.uri.path(),
                headers: &parts.headers,
                face: &self.face.name,
                system: system
                    .as_ref()
                    .map(|(id, name)| (id.as_str(), name.as_str())),
                bmc: bmc.as_ref().map(|(id, name)| (id.as_str(), name.as_str())),
                session,
                status,
                in_flight,
            })
        });
        for firing in &firings {
            world.traced(|trace| trace.fault(world.now(), &firing.rule.name, firing.number));
        }
        firings
    }

    /// Id and name of the only system of the world.
    fn alone(&self) -> Option<(String, String)> {
        let (hf, service) = (self.world.hawkfish(), Ctx::service());
        if hf.inventory().count(&service) != 1 {
            return None;
        }
        let system = hf.inventory().each(&service).next()?;
        Some((system.id.to_string(), system.machine.name.clone()))
    }

    /// The BMC that a request is for: it may restart now, be away already, or forget a task. What it is answered with, where that is all of the answer.
    async fn at_the_bmc(
        &self,
        parts: &http::request::Parts,
        firings: &[Firing],
        asked: &Asked,
    ) -> Result<Option<Response<Body>>, Broken> {
        let world = &self.world;
        let id = self.system(parts.uri.path()).or_else(|| self.alone());
        let id = id.and_then(|(id, _)| SystemId::parse(&id).ok());
        if let Some(id) = &id {
            for firing in firings {
                if firing.rule.then.place() == fault::Place::Happening {
                    world.strike(id, &firing.rule).await;
                }
            }
        }
        match world.nobody_there(id.as_ref()).await {
            None => Ok(None),
            Some(fault::Nobody::Closed(broken)) => Err(broken),
            Some(fault::Nobody::Busy(seconds)) => Ok(Some(fault::busy(seconds, asked))),
        }
    }

    /// Id and name of the system that a path belongs to; at a face all others belong to its system.
    fn system(&self, path: &str) -> Option<(String, String)> {
        let id = named(path).or_else(|| self.face.system.clone())?;
        let system = self.world.hawkfish().system(&Ctx::service(), &id).ok()?;
        Some((id.to_string(), system.machine.name.clone()))
    }

    async fn through(
        &self,
        request: Request<Bytes>,
        in_flight: u32,
        exchange: Option<&mut Exchange>,
    ) -> Result<(http::response::Parts, Answered), Broken> {
        let world = &self.world;
        let (mut parts, body) = request.into_parts();
        let firings = self.meet(&parts, None, in_flight);
        let asked = Asked::of(&parts, world.now(), world.age());
        let mut instead = self.at_the_bmc(&parts, &firings, &asked).await?;
        let shown = world.look_at_task(&parts.method, parts.uri.path()).await;
        let rules = if instead.is_none() {
            firings.as_slice()
        } else {
            &[]
        };
        for firing in rules {
            match &firing.rule.then {
                Then::Delay(delay) => world.pass(delay.draw(firing.roll)).await,
                Then::Query(query) => {
                    if let Some(rest) = query.of(&parts.uri) {
                        parts.uri = rest;
                    }
                }
                _ => {
                    let memory =
                        |engine: &mut fault::Engine| fault::before(firing, &asked, engine.memory());
                    if let Some(response) = world.faults(memory)? {
                        instead = Some(response);
                        break;
                    }
                }
            }
        }
        let is_instead = instead.is_some();
        let mut response = match instead {
            Some(response) => response,
            None => {
                if shown.is_some() || world.faults(|engine| engine.reads_bodies()) {
                    parts.headers.remove(ACCEPT_ENCODING);
                }
                let front = world.front_for(&self.face);
                let request = Request::from_parts(parts.clone(), Body::from(body));
                front.answer(request).await
            }
        };
        if let Some(shown) = shown {
            response = shown.put_into(response).await;
        }
        let status = response.status();
        let mut all = firings;
        if world.faults(|engine| engine.asks_for_status()) {
            all.extend(self.meet(&parts, Some(status), in_flight));
        }
        if let Some(exchange) = exchange {
            exchange.is_met = !all.is_empty();
        }
        for firing in &all {
            // What a cache has given is not put into it again.
            if is_instead && matches!(firing.rule.then, Then::Cache(_)) {
                continue;
            }
            let memory = |look: &mut dyn FnMut(&mut fault::Memory)| {
                world.faults(|engine| look(engine.memory()));
            };
            response = fault::after(firing, response, &asked, memory).await?;
        }
        if let Some(token) = response.headers().get(X_AUTH_TOKEN) {
            let at = world.age();
            world.faults(|engine| engine.session(token.as_bytes(), at));
        }
        let is_stream = fault::is_stream(&response);
        let (parts, body) = response.into_parts();
        let body = match is_stream {
            true => Answered::Stream(body),
            false => Answered::Whole(Collected::of(body).await),
        };
        Ok((parts, body))
    }
}

/// The system that stands in a path.
fn named(path: &str) -> Option<SystemId> {
    let rest = path.strip_prefix("/redfish/v1/")?;
    let mut parts = rest.split('/');
    let of = parts.next()?;
    let id = matches!(of, "Systems" | "Managers" | "Chassis").then(|| parts.next())?;
    SystemId::parse(id?).ok()
}

/// The body of an answer.
enum Answered {
    Whole(Collected),
    Stream(Body),
}

impl Answered {
    fn bytes(&self) -> Bytes {
        match self {
            Self::Whole(collected) => collected.bytes.clone(),
            Self::Stream(_) => Bytes::new(),
        }
    }

    fn into_body(self) -> Body {
        match self {
            Self::Whole(collected) => collected.into_body(),
            Self::Stream(body) => body,
        }
    }
}

/// A body that was read, and whether it broke off.
pub(crate) struct Collected {
    pub(crate) bytes: Bytes,
    broke: Option<axum::Error>,
}

impl Collected {
    pub(crate) async fn of(mut body: Body) -> Self {
        let mut bytes = Vec::new();
        let mut broke = None;
        while let Some(frame) = body.frame().await {
            match frame.map(http_body::Frame::into_data) {
                Ok(Ok(data)) => bytes.extend_from_slice(&data),
                Ok(Err(_trailers)) => {}
                Err(error) => {
                    broke = Some(error);
                    break;
                }
            }
        }
        let bytes = bytes.into();
        Self { bytes, broke }
    }

    fn into_body(self) -> Body {
        match self.broke {
            None => Body::from(self.bytes),
            Some(error) => fault::breaking_off(self.bytes, error),
        }
    }
}

/// The time of the world, not of whoever serves it, unless a fault or a capture says another.
fn date(headers: &mut http::HeaderMap, now: jiff::Timestamp) {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let shown = printer.timestamp_to_rfc9110_string(&now).ok();
    let value = shown.and_then(|shown| http::HeaderValue::try_from(shown).ok());
    if let (Some(value), http::header::Entry::Vacant(vacant)) =
        (value, headers.entry(http::header::DATE))
    {
        vacant.insert(value);
    }
}

/// A request is under way for as long as this is there.
struct UnderWay<'a> {
    world: &'a World,
    count: u32,
}

impl<'a> UnderWay<'a> {
    fn new(world: &'a World) -> Self {
        let count = world.in_flight().fetch_add(1, Ordering::AcqRel) + 1;
        Self { world, count }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.world.in_flight().fetch_sub(1, Ordering::AcqRel);
    }
}

impl fmt::Debug for Bmc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bmc")
    }
}

impl tower::Service<Request<Body>> for Bmc {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = BoxFuture<'static, Result<Response<Body>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let bmc = self.clone();
        Box::pin(async move { bmc.answer(request).await })
    }
}
