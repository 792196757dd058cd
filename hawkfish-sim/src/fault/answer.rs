//! Answers in place of the service's.

use axum::body::Body;
use hawkfish_server::problem::Problem;
use http::header::{CACHE_CONTROL, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::effect::Asked;

/// An answer in place of the service's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// The key of a message of DMTF's Base registry; the body carries it. `GeneralError` unless said.
    #[serde(default = "general")]
    pub message: String,
    /// The arguments of the message.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// The header Retry-After, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// How Retry-After is written.
    #[serde(default, skip_serializing_if = "RetryForm::is_seconds")]
    pub retry_as: RetryForm,
}

/// How Retry-After is written (RFC 9110, section 10.2.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryForm {
    /// As a number of seconds.
    #[default]
    Seconds,
    /// As a date, by the clock of the world.
    Date,
}

impl RetryForm {
    fn is_seconds(&self) -> bool {
        *self == Self::Seconds
    }
}

fn general() -> String {
    "GeneralError".to_owned()
}

impl Default for Answer {
    /// 503, and no more about it.
    fn default() -> Self {
        Self {
            status: 503,
            message: general(),
            args: Vec::new(),
            retry_after: None,
            retry_as: RetryForm::Seconds,
        }
    }
}

impl Answer {
    pub(super) fn check(&self) -> Result<(), String> {
        let status = StatusCode::from_u16(self.status);
        if !status.is_ok_and(|s| s.is_client_error() || s.is_server_error()) {
            return Err("the status of an answer is 400 to 599".to_owned());
        }
        let facts = hawkfish_redfish::message::base_facts();
        let mut known = facts.filter(|(key, ..)| *key == self.message);
        match known.next() {
            None => Err("the Base registry has no such message".to_owned()),
            Some((_, args, _)) if args != self.args.len() => {
                Err("the message takes another number of arguments".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn response(&self, asked: &Asked) -> Response<Body> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let problem = Problem::base(status(self.status), &self.message, &args);
        let mut response = problem.into_response(asked.uri.path(), None);
        let said = self.retry_after.and_then(|seconds| match self.retry_as {
            RetryForm::Seconds => Some(seconds.into()),
            RetryForm::Date => date(asked.now, seconds),
        });
        if let Some(said) = said {
            response.headers_mut().insert(RETRY_AFTER, said);
        }
        usual(response)
    }
}

fn date(now: Timestamp, seconds: u32) -> Option<HeaderValue> {
    let then = now.checked_add(SignedDuration::from_secs(seconds.into()));
    let date = httpdate::fmt_http_date(std::time::SystemTime::from(then.ok()?));
    HeaderValue::try_from(date).ok()
}

/// The answer of a service that says it did what it did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pretend {
    /// The HTTP status, 200 to 299; 202 makes no task, so that there is nothing to wait for.
    pub status: u16,
}

impl Default for Pretend {
    fn default() -> Self {
        Self { status: 204 }
    }
}

impl Pretend {
    pub(super) fn check(&self) -> Result<(), String> {
        match StatusCode::from_u16(self.status) {
            Ok(status) if status.is_success() => Ok(()),
            _ => Err("the status of a pretence is 200 to 299".to_owned()),
        }
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.status);
        usual(response)
    }
}

/// Where a request is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The HTTP status: 301, 302, 303, 307 or 308. Most clients make a GET of a POST that is answered with one of the first three.
    pub status: u16,
    /// Where to.
    pub to: Aim,
}

/// What the other place is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// The same with a slash at its end. What has one is not sent anywhere.
    Slash,
    /// The same without a slash at its end. What has none is not sent anywhere.
    NoSlash,
    /// This URI. What is there already is not sent anywhere.
    Uri(String),
}

impl Redirect {
    pub(super) fn check(&self) -> Result<(), String> {
        if !matches!(self.status, 301 | 302 | 303 | 307 | 308) {
            return Err("the status of a redirect is 301, 302, 303, 307 or 308".to_owned());
        }
        match &self.to {
            Aim::Uri(uri) if HeaderValue::try_from(uri).is_err() => {
                Err("that cannot stand in a header".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Where a path is sent; `None` where it is there.
    pub(super) fn of(&self, path: &str) -> Option<String> {
        match &self.to {
            Aim::Slash if path.ends_with('/') => None,
            Aim::Slash => Some(format!("{path}/")),
            Aim::NoSlash => path
                .strip_suffix('/')
                .filter(|path| !path.is_empty())
                .map(str::to_owned),
            Aim::Uri(uri) => (uri != path).then(|| uri.clone()),
        }
    }

    pub(super) fn response(&self, asked: &Asked) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status(self.status);
        let query = asked.uri.query().map(|query| format!("?{query}"));
        let to = self.of(asked.uri.path()).unwrap_or_default() + &query.unwrap_or_default();
        if let Ok(to) = HeaderValue::try_from(to) {
            response.headers_mut().insert(LOCATION, to);
        }
        usual(response)
    }
}

fn status(number: u16) -> StatusCode {
    // A rule is checked when it is put in.
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// With the headers that every answer of the service has.
pub(super) fn usual(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert("odata-version", HeaderValue::from_static("4.0"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
