//! Reads, changes and calls what a service has.

pub(crate) mod auth;
mod builder;
pub(crate) mod open;
mod send;
mod session;
pub(crate) mod upload;

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use http::Method;
use http::header::HeaderName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use self::auth::{Credentials, Session};
pub use self::builder::Builder;
use crate::SERVICE_ROOT;
use crate::collection::Members;
use crate::error::{Error, Kind};
use crate::features::Learnt;
use crate::limit::Limit;
use crate::quirks;
use crate::resource::{Etag, Fetched, action_target, actions};
use crate::retry::Retry;
use crate::task::Outcome;
use crate::transport::Transport;
use crate::wire::{Request, Response};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// A client of one service. Clones share its session, its connections and its limits.
///
/// [`Client::logout`] is the sure way to close the session. Where that is forgotten, the last clone that is dropped within a tokio runtime closes it behind the
/// back of the program, in the five seconds that it has for that, and only while the runtime still runs. What is dropped outside of a runtime leaves its session to the service, which
/// ends it after a while; BMCs have few places for sessions.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

/// What clones share.
#[derive(Debug)]
pub(crate) struct Inner {
    transport: Arc<dyn Transport>,
    base: Url,
    learnt: Learnt,
    credentials: Credentials,
    // Never held over an await: who is dropped looks into it, too.
    session: Mutex<Option<Session>>,
    // Held over a log-in, so that many requests at once open one session and not many.
    login: tokio::sync::Mutex<()>,
    // There are none, as it turned out.
    sessionless: AtomicBool,
    retry: Retry,
    limit: Limit,
    unguarded: bool,
    // Numbers requests for the log.
    sent: AtomicU64,
}

impl Client {
    /// A client of the service at `url`: `https://host`, `https://host:port`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder::new(url.into())
    }

    /// Scheme, host and port of the service.
    pub fn origin(&self) -> String {
        self.inner.base.origin().ascii_serialization()
    }

    /// The service root, which needs no credentials.
    ///
    /// # Errors
    /// As [`Client::get_value`].
    pub async fn root(&self) -> Result<Fetched<Value>, Error> {
        match self.anonymous_root().await {
            // Quirk `root_wants_login`.
            Err(error) if error.kind == Kind::Unauthorized && self.has_credentials() => {
                self.heard(read(self.fetch(SERVICE_ROOT).await?)?)
            }
            root => root,
        }
    }

    async fn anonymous_root(&self) -> Result<Fetched<Value>, Error> {
        let request = Request::get(SERVICE_ROOT).anonymous();
        self.heard(read(self.call(request).await?)?)
    }

    fn heard(&self, root: Fetched<Value>) -> Result<Fetched<Value>, Error> {
        self.inner.learnt.hear(&root.value);
        Ok(root)
    }

    pub(crate) fn retry(&self) -> &Retry {
        &self.inner.retry
    }

    pub(crate) fn is_unguarded(&self) -> bool {
        self.inner.unguarded
    }

    /// Scheme, host and port of the service, with the path that it was named by.
    pub(crate) fn base(&self) -> &Url {
        &self.inner.base
    }

    /// Reads a resource as its type.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Protocol`] when the resource does not fit the type.
    pub async fn get<T: DeserializeOwned>(&self, uri: &str) -> Result<Fetched<T>, Error> {
        let response = self.fetch(uri).await?;
        // Read as a type whose properties may all be absent, the report of a failure would be a resource without any.
        if memchr::memmem::find(&response.body, b"@odata.id").is_none() {
            resource(&response)?;
        }
        let value = quirks::typed(&response.body).map_err(|error| {
            Error::protocol(format!("{}: not what was expected", response.uri)).caused_by(error)
        })?;
        Ok(Fetched {
            value,
            etag: response.etag(),
            uri: response.uri,
        })
    }

    /// Reads a resource as JSON. A URI with a fragment, such as `…/Power#/PowerSupplies/0`, reads that part.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::NotFound`] when the resource has no such part.
    pub async fn get_value(&self, uri: &str) -> Result<Fetched<Value>, Error> {
        let mut found = read(self.fetch(uri).await?)?;
        if let Some((_, pointer)) = uri.split_once('#')
            && !pointer.is_empty()
        {
            let missing = || Error::new(Kind::NotFound, format!("{uri}: no such part"));
            found.value = found
                .value
                .pointer_mut(pointer)
                .map(Value::take)
                .ok_or_else(missing)?;
        }
        Ok(found)
    }

    /// The members of a collection.
    pub fn members(&self, uri: &str) -> Members {
        Members::new(self.clone(), uri)
    }

    /// Changes properties. With an ETag only if the resource still is what was read.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::PreconditionFailed`] when it has changed meanwhile.
    pub async fn patch(
        &self,
        uri: &str,
        etag: Option<&Etag>,
        body: &impl Serialize,
    ) -> Result<Outcome, Error> {
        let request = Request::new(Method::PATCH, uri).json(body)?;
        self.guarded(request, etag).await
    }

    /// Creates a member of a collection, or calls an action whose target is known.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn post(&self, uri: &str, body: &impl Serialize) -> Result<Outcome, Error> {
        self.change(Request::new(Method::POST, uri).json(body)?)
            .await
    }

    /// Calls an action of a resource that was read; it is named as in the schema, `ComputerSystem.Reset`.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Unsupported`] when the resource does not list the action.
    pub async fn action(
        &self,
        resource: &Value,
        action: &str,
        parameters: &impl Serialize,
    ) -> Result<Outcome, Error> {
        let target = action_target(resource, action).ok_or_else(|| {
            let uri = resource.get("@odata.id").and_then(Value::as_str);
            let uri = uri.unwrap_or("the resource");
            let there = actions(resource);
            let there = match there.as_slice() {
                [] => "none at all".to_owned(),
                there => format!("but {}", there.join(", ")),
            };
            Error::new(
                Kind::Unsupported,
                format!("{uri} has no action {action}, {there}"),
            )
        })?;
        self.post(target, parameters).await
    }

    /// Deletes a resource. With an ETag only if it still is what was read.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn delete(&self, uri: &str, etag: Option<&Etag>) -> Result<Outcome, Error> {
        self.guarded(Request::new(Method::DELETE, uri), etag).await
    }

    /// What is known of the service until now.
    pub(crate) fn learnt(&self) -> &Learnt {
        &self.inner.learnt
    }

    pub(crate) async fn fetch(&self, uri: &str) -> Result<Response, Error> {
        self.call(Request::get(uri)).await
    }

    /// Sends a request that changes something, with whatever headers it has.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn change(&self, request: Request) -> Result<Outcome, Error> {
        Outcome::of(self, self.call(request).await?)
    }
}

/// A resource that was read, with the tag that it has.
fn read(response: Response) -> Result<Fetched<Value>, Error> {
    let value = resource(&response)?;
    Ok(Fetched {
        etag: quirks::tag(&response.headers, &value),
        value,
        uri: response.uri,
    })
}

/// The body of an answer that should be a resource.
pub(crate) fn resource(response: &Response) -> Result<Value, Error> {
    let value = response.json()?;
    // Quirk `error_as_success`.
    if quirks::only_an_error(&value) {
        return Err(Error::of_response(&Method::GET, response));
    }
    Ok(value)
}
