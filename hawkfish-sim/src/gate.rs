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
use http::{Request, Response};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;

use crate::face::Face;
use crate::fault::{self, Broken, Encounter, Firing, Then};
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
        world.traced(|trace| {
            let uri = parts.uri.path_and_query().map_or("", |all| all.as_str());
            trace.request(world.now(), &parts.method, uri, &parts.headers, &body);
        });
        let under_way = UnderWay::new(world);
        let firings = self.meet(&parts, under_way.count);
        let path = parts.uri.path().to_owned();
        let answered = self
            .through(&path, &firings, Request::from_parts(parts, body))
            .await;
        world.traced(|trace| match &answered {
            Ok((parts, body)) => {
                trace.response(world.now(), parts.status, &parts.headers, body.bytes())
            }
            Err(broken) => trace.broken(world.now(), &broken.to_string()),
        });
        let (parts, body) = answered?;
        Ok(Response::from_parts(parts, body.into_body()))
    }

    /// The rules that fire, which the trace tells.
    fn meet(&self, parts: &http::request::Parts, in_flight: u32) -> Vec<Firing> {
        let world = &self.world;
        let system = self.system(parts.uri.path());
        let request = Encounter {
            at: world.age(),
            method: &parts.method,
            path: parts.uri.path(),
            headers: &parts.headers,
            system: system
                .as_ref()
                .map(|(id, name)| (id.as_str(), name.as_str())),
            in_flight,
        };
        let firings = world.faults(|engine| engine.meet(&request));
        for firing in &firings {
            world.traced(|trace| trace.fault(world.now(), &firing.rule.name, firing.number));
        }
        firings
    }

    /// Id and name of the system that a path belongs to.
    fn system(&self, path: &str) -> Option<(String, String)> {
        let rest = path.strip_prefix("/redfish/v1/")?;
        let mut parts = rest.split('/');
        let of = parts.next()?;
        let id = matches!(of, "Systems" | "Managers" | "Chassis").then(|| parts.next())??;
        let id = SystemId::parse(id).ok()?;
        let system = self.world.hawkfish().system(&Ctx::service(), &id).ok()?;
        Some((id.to_string(), system.machine.name.clone()))
    }

    async fn through(
        &self,
        path: &str,
        firings: &[Firing],
        request: Request<Bytes>,
    ) -> Result<(http::response::Parts, Answered), Broken> {
        let world = &self.world;
        let mut response = None;
        for firing in firings {
            if let Then::Delay(delay) = &firing.rule.then {
                world.pass(long(delay, firing.roll)).await;
            } else if let Some(instead) = fault::before(firing, path)? {
                response = Some(instead);
                break;
            }
        }
        let mut response = match response {
            Some(response) => response,
            None => {
                let front = world.front_for(&self.face);
                front.answer(request.map(Body::from)).await
            }
        };
        for firing in firings {
            response = fault::after(firing, response).await?;
        }
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get(http::header::CONTENT_TYPE);
        let body = match kind {
            // It has no end that could be waited for.
            Some(kind) if kind.as_bytes().starts_with(b"text/event-stream") => {
                Answered::Stream(body)
            }
            _ => Answered::Whole(Collected::of(body).await),
        };
        Ok((parts, body))
    }
}

/// How long a delay is this time, to the millisecond.
fn long(delay: &fault::Delay, roll: u64) -> SignedDuration {
    let (least, most) = (delay.least, delay.most.unwrap_or(delay.least));
    let span = u64::try_from((most - least).as_millis()).unwrap_or(0);
    let more = roll % (span + 1);
    least + SignedDuration::from_millis(i64::try_from(more).unwrap_or(i64::MAX))
}

/// The body of an answer.
enum Answered {
    Whole(Collected),
    Stream(Body),
}

impl Answered {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Whole(collected) => &collected.bytes,
            Self::Stream(_) => b"",
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
