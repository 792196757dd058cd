//! A resource that was read, and what every resource can be asked.

use std::fmt;
use std::ops::Deref;

use http::header::{HeaderValue, IF_NONE_MATCH};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{Client, resource};
use crate::error::{Error, Kind};
use crate::quirks;
use crate::resource::{Etag, Fetched, link};
use crate::task::Outcome;
use crate::wire::Request;

/// A resource as it was read, with what can be done to it. It derefs to the model, so that `system.name` is there.
#[derive(Clone)]
pub struct Handle<T> {
    client: Client,
    uri: String,
    etag: Option<Etag>,
    raw: Value,
    value: T,
}

impl<T> Deref for Handle<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.value).finish()
    }
}

impl<T: DeserializeOwned> Handle<T> {
    /// A handle of what was read already.
    ///
    /// # Errors
    /// [`Kind::Protocol`] when it does not fit the type.
    pub fn of(client: &Client, read: Fetched<Value>) -> Result<Self, Error> {
        Ok(Self {
            value: typed(&read.uri, &read.value)?,
            client: client.clone(),
            uri: read.uri,
            etag: read.etag,
            raw: read.value,
        })
    }

    /// Reads it again, if its tag is not what it was: a service that knows the tag sends nothing then. Whether something is different now.
    ///
    /// Services may leave out of the tag what changes by itself, such as clocks and readings; [`Handle::reload`] reads those, too.
    ///
    /// # Errors
    /// As [`Client::get`]; the handle shows what it showed before then.
    pub async fn refresh(&mut self) -> Result<bool, Error> {
        let mut request = Request::get(&self.uri);
        if let Some(etag) = &self.etag
            && let Ok(tag) = HeaderValue::try_from(etag.as_str())
        {
            request = request.header(IF_NONE_MATCH, tag);
        }
        self.read_by(request).await
    }

    /// Reads it again, whatever its tag is. Whether something is different now.
    ///
    /// # Errors
    /// As [`Handle::refresh`].
    pub async fn reload(&mut self) -> Result<bool, Error> {
        self.read_by(Request::get(&self.uri)).await
    }

    async fn read_by(&mut self, request: Request) -> Result<bool, Error> {
        let answer = self.client.send(request).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            return Ok(false);
        }
        let answer = answer.checked(&Method::GET)?;
        let raw = resource(&answer)?;
        let value = typed(&self.uri, &raw)?;
        let changed = raw != self.raw;
        self.etag = Etag::of(&answer, &raw);
        self.raw = raw;
        self.value = value;
        Ok(changed)
    }
}

impl<T> Handle<T> {
    /// Where it stands.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The tag of what was read; not every service gives one.
    pub fn etag(&self) -> Option<&Etag> {
        self.etag.as_ref()
    }

    /// All that the service said, also what the model does not have.
    pub fn raw(&self) -> &Value {
        &self.raw
    }

    /// What was read, as its type.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Who reads and changes it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The link at a JSON pointer, `/Links/ManagedBy/0`.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] where there is none.
    pub fn link(&self, pointer: &str) -> Result<&str, Error> {
        link(&self.raw, pointer).ok_or_else(|| {
            let what = pointer.trim_start_matches('/');
            Error::new(Kind::Unsupported, format!("{} has no {what}", self.uri))
        })
    }

    /// What is linked to at a JSON pointer, read.
    ///
    /// # Errors
    /// As [`Handle::link`] and [`Client::get`].
    pub async fn follow<U: DeserializeOwned>(&self, pointer: &str) -> Result<Handle<U>, Error> {
        self.client.handle(self.link(pointer)?).await
    }

    /// What an array at a JSON pointer links to, read; nothing where there is no such array.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn follow_all<U: DeserializeOwned>(
        &self,
        pointer: &str,
    ) -> Result<Vec<Handle<U>>, Error> {
        let links = self.raw.pointer(pointer).and_then(Value::as_array);
        let mut found = Vec::new();
        for one in links.into_iter().flatten() {
            if let Some(uri) = link(one, "") {
                found.push(self.client.handle(uri).await?);
            }
        }
        Ok(found)
    }

    /// All members of the collection that is linked to at a JSON pointer, read.
    ///
    /// # Errors
    /// As [`Handle::link`] and [`Client::handles`].
    pub async fn list<U: DeserializeOwned>(&self, pointer: &str) -> Result<Vec<Handle<U>>, Error> {
        self.client.handles(self.link(pointer)?).await
    }

    /// Changes properties if the resource still is what this handle shows.
    ///
    /// # Errors
    /// As [`Client::patch`]; [`Kind::PreconditionFailed`] when it has changed meanwhile.
    pub async fn patch(&self, body: &impl Serialize) -> Result<Outcome, Error> {
        self.client.patch(&self.uri, self.etag.as_ref(), body).await
    }

    /// Changes properties, whatever else has changed since this handle was read.
    ///
    /// # Errors
    /// As [`Client::update`].
    pub async fn set(&self, body: &impl Serialize) -> Result<Outcome, Error> {
        self.set_at(&self.uri, body).await
    }

    pub(crate) async fn set_at(&self, uri: &str, body: &impl Serialize) -> Result<Outcome, Error> {
        let body = serde_json::to_value(body).map_err(|error| {
            Error::new(Kind::Refused, "the body does not become JSON").caused_by(error)
        })?;
        self.client.update(uri, |_| Ok(Some(body.clone()))).await
    }

    /// Calls an action, named as in the schema: `ComputerSystem.Reset`.
    ///
    /// # Errors
    /// As [`Client::action`].
    pub async fn action(
        &self,
        action: &str,
        parameters: &impl Serialize,
    ) -> Result<Outcome, Error> {
        self.client.action(&self.raw, action, parameters).await
    }

    /// Makes a member of the collection that is linked to at a JSON pointer. [`Client::created`] reads what came of it.
    ///
    /// # Errors
    /// As [`Handle::link`] and [`Client::post`].
    pub async fn create(&self, pointer: &str, body: &impl Serialize) -> Result<Outcome, Error> {
        self.client.post(self.link(pointer)?, body).await
    }

    /// Deletes it, whatever has changed in it meanwhile.
    ///
    /// # Errors
    /// As [`Client::delete`].
    pub async fn delete(&self) -> Result<Outcome, Error> {
        self.client.delete(&self.uri, None).await
    }

    /// The values that a parameter of an action takes, where the action itself says them: empty where it does not.
    pub(crate) fn allowable(&self, action: &str, parameter: &str) -> Vec<&str> {
        let listed = self
            .raw
            .get("Actions")
            .and_then(|actions| actions.get(format!("#{action}")))
            .and_then(|action| action.get(format!("{parameter}@Redfish.AllowableValues")))
            .and_then(Value::as_array);
        listed
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Refuses what an action says that it does not take.
    pub(crate) fn takes(&self, action: &str, parameter: &str, value: &str) -> Result<(), Error> {
        let takes = self.allowable(action, parameter);
        if takes.is_empty() || takes.contains(&value) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Unsupported,
            format!(
                "{}: {parameter} is one of {}, not {value}",
                self.uri,
                takes.join(", ")
            ),
        ))
    }
}

fn typed<T: DeserializeOwned>(uri: &str, value: &Value) -> Result<T, Error> {
    T::deserialize(value)
        .or_else(|_| quirks::fitted(value.clone()))
        .map_err(|error| Error::protocol(format!("{uri}: not what was expected")).caused_by(error))
}
