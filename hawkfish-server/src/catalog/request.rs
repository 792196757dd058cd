//! A request on its way through a handler, and what the handler gives back.

use std::sync::Arc;

use bytes::Bytes;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::TaskId;
use hawkfish_core::tasks::RequestPayload;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Action, Route, Target};
use crate::HawkFish;
use crate::app::Shared;
use crate::problem::Problem;
use crate::respond;

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
    pub(super) route: Route,
    pub(super) method: Method,
    pub(super) body: Map<String, Value>,
    /// What the body said about itself rather than about the resource.
    pub(super) annotations: Map<String, Value>,
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

    /// The ETag that the resource would have with that body.
    ///
    /// # Errors
    /// 500 when it does not become JSON.
    pub fn tag_of(&self, body: Map<String, Value>) -> Result<String, Problem> {
        let resource = self.service.catalog.entry(&self.route).resource;
        respond::tag_of(resource, self.uri(), body)
    }

    /// An annotation at the top of the body, as it was sent: `@Redfish.SettingsApplyTime`.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&Value> {
        self.annotations.get(name)
    }

    /// When the caller wants it done (`@Redfish.OperationApplyTime`), one of `supported`; `None` where nothing is said.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn apply_time(&self, supported: &[&'static str]) -> Result<Option<&'static str>, Problem> {
        apply_time(&self.annotations, supported)
    }

    /// The request as a task may show it: without secrets.
    #[must_use]
    pub fn payload(&self) -> RequestPayload {
        let mut body = Value::Object(self.body.clone());
        respond::without_secrets(&mut body);
        let uri = match self.action() {
            Some(action) => {
                let entity = self.service.catalog.entry(&self.route).resource.entity;
                action.target(entity, self.uri())
            }
            None => self.uri().to_owned(),
        };
        RequestPayload {
            uri,
            method: self.method.to_string(),
            body: Some(body),
        }
    }

    pub(super) fn action(&self) -> Option<&'static Action> {
        match self.route.target {
            Target::Action(action) => Some(action),
            Target::Resource | Target::Members | Target::UnknownAction => None,
        }
    }
}

impl Rq {
    pub(super) fn new(service: &Arc<Shared>, ctx: Ctx, route: Route) -> Self {
        Self {
            hf: service.hf.clone(),
            service: service.clone(),
            ctx,
            head: false,
            route,
            method: Method::GET,
            body: Map::new(),
            annotations: Map::new(),
        }
    }
}

/// What a GET found.
#[derive(Debug)]
pub enum Content {
    /// A resource.
    Resource(Map<String, Value>),
    /// A resource that lacks nothing, as it goes over the wire but for its tag.
    Ready(Vec<u8>),
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

    /// A resource from a model that says everything itself: its `@odata.id`, and the targets of its actions. It is written at once, which is for what is
    /// read often; what is missing is found wherever answers are validated.
    ///
    /// # Errors
    /// 500 when the model does not become JSON.
    pub fn ready(model: &impl Serialize) -> Result<Self, Problem> {
        let mut bytes = Vec::with_capacity(4096);
        match serde_json::to_writer(&mut bytes, model) {
            Ok(()) => Ok(Self::Ready(bytes)),
            Err(error) => Err(Problem::internal(error.to_string())),
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

/// When something is wanted, by its annotations.
pub(crate) fn apply_time(
    annotations: &Map<String, Value>,
    supported: &[&'static str],
) -> Result<Option<&'static str>, Problem> {
    const NAME: &str = "@Redfish.OperationApplyTime";
    let Some(wanted) = annotations.get(NAME) else {
        return Ok(None);
    };
    let known = supported
        .iter()
        .find(|known| wanted.as_str() == Some(known));
    known.copied().map(Some).ok_or_else(|| {
        let shown = match wanted.as_str() {
            Some(text) => text.chars().take(64).collect(),
            None => wanted.to_string().chars().take(64).collect::<String>(),
        };
        let args = [shown.as_str(), NAME];
        Problem::base(StatusCode::BAD_REQUEST, "PropertyValueNotInList", &args)
            .related(&format!("/{NAME}"))
    })
}
