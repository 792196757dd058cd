//! A request as the caller means it, and the whole answer.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::quirks;
use crate::resource::Etag;

/// A request to the service of a [`crate::Client`].
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// A path of the service, or a URI of the same origin.
    pub uri: String,
    /// Headers of its own; each stands instead of the one that the client would send.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Sent without credentials.
    pub anonymous: bool,
    /// Answers with a redirect, instead of going there.
    pub stay: bool,
    /// May be sent again though it is no read: nothing is lost by doing it twice.
    pub(crate) again: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(method: Method, uri: impl Into<String>) -> Self {
        Self {
            method,
            uri: uri.into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            anonymous: false,
            stay: false,
            again: false,
        }
    }

    /// A GET.
    pub fn get(uri: impl Into<String>) -> Self {
        Self::new(Method::GET, uri)
    }

    /// With a JSON body.
    ///
    /// # Errors
    /// [`crate::Kind::Refused`] when the body does not become JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|error| {
            Error::new(crate::Kind::Refused, "the body does not become JSON").caused_by(error)
        })?;
        self.body = bytes.into();
        Ok(self.header(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        ))
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Without credentials.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Without following redirects.
    #[must_use]
    pub fn stay(mut self) -> Self {
        self.stay = true;
        self
    }

    pub(crate) fn if_match(mut self, etag: Option<&Etag>) -> Result<Self, Error> {
        if let Some(etag) = etag {
            let value = HeaderValue::try_from(etag.as_str()).map_err(|error| {
                Error::protocol("the ETag cannot stand in a header").caused_by(error)
            })?;
            self.headers.insert(http::header::IF_MATCH, value);
        }
        Ok(self)
    }
}

/// A whole answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The path that answered, after redirects.
    pub uri: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`crate::Kind::Protocol`] when it is none.
    pub fn json(&self) -> Result<Value, Error> {
        quirks::json(&self.body).map_err(|error| {
            Error::protocol(format!("{}: the answer is not JSON", self.uri)).caused_by(error)
        })
    }

    /// A header's value; `None` also where it is not text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The header `ETag`; where there is none, `@odata.etag` of the body.
    pub fn etag(&self) -> Option<Etag> {
        quirks::etag(&self.headers, &self.body)
    }

    /// The header `Location`.
    pub fn location(&self) -> Option<&str> {
        self.header(LOCATION)
    }

    /// The header `Retry-After`, in seconds or as a date, as time from now.
    pub fn retry_after(&self) -> Option<Duration> {
        quirks::retry_after(&self.headers)
    }

    /// The answer itself, or the error that it is.
    pub(crate) fn checked(self, method: &Method) -> Result<Self, Error> {
        if self.status.is_client_error() || self.status.is_server_error() {
            return Err(Error::of_response(method, &self));
        }
        if self.status.is_redirection() {
            return Err(Error::protocol(format!(
                "{method} {}: {} leads nowhere",
                self.uri, self.status
            )));
        }
        Ok(self)
    }
}
