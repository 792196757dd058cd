//! What carries a body to a destination: HTTP, and nothing that a hostile receiver can make of it.
//!
//! A connection goes only where the address policy allows, a redirect is followed nowhere, headers and bodies of answers are read to a small bound and for a
//! short time. What a receiver answers counts for itself alone.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::clock::Clock;
use crate::error::{ErrorKind, Result};
use crate::outgoing::{self, Policy, Tls};

/// How long a receiver may take for its answer, from the first byte of the connection to the end of the headers.
const ANSWER: Duration = Duration::from_secs(20);
/// How long the body of an answer, which nobody wants, is read, so that the connection can be used again.
const BODY: Duration = Duration::from_secs(1);
/// Most bytes of that.
const MOST_BODY: usize = 16 << 10;

/// Something to be carried.
#[derive(Clone)]
pub struct Parcel {
    /// Where to.
    pub url: Url,
    /// Check who is there.
    pub verify_certificate: bool,
    /// The headers of the request: those of HawkFish and those of the client.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel")
            .field("url", &outgoing::redacted(&self.url))
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// In words, without secrets.
    pub reason: String,
    /// How long the receiver wants to be left alone.
    pub retry_after: Option<SignedDuration>,
}

/// What carries.
#[async_trait]
pub trait Courier: Send + Sync + fmt::Debug {
    /// Carries a parcel once. It has arrived when this is `Ok`, and may have arrived when it is not.
    async fn carry(&self, parcel: Parcel) -> Result<(), Refusal>;
}

/// The courier that goes by HTTP/1.1.
#[derive(Debug)]
pub(super) struct Http {
    pub(super) policy: Arc<Policy>,
    pub(super) authorities: Vec<Arc<[u8]>>,
    pub(super) clock: Arc<dyn Clock>,
    checking: OnceLock<Result<reqwest::Client>>,
    trusting: OnceLock<Result<reqwest::Client>>,
}

impl Http {
    pub(super) fn new(
        policy: Arc<Policy>,
        authorities: Vec<Arc<[u8]>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            policy,
            authorities,
            clock,
            checking: OnceLock::new(),
            trusting: OnceLock::new(),
        }
    }

    fn client(&self, verify: bool) -> Result<&reqwest::Client> {
        let cell = if verify {
            &self.checking
        } else {
            &self.trusting
        };
        cell.get_or_init(|| {
            self.policy.poster(&Tls {
                verify,
                authorities: self.authorities.clone(),
            })
        })
        .as_ref()
        .map_err(Clone::clone)
    }
}

/// How long the receiver wants to be left alone: seconds, or a date (RFC 9110, "Retry-After").
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<SignedDuration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(SignedDuration::from_secs(seconds.into()));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    let wait = Timestamp::from(&at).duration_since(now);
    Some(wait.max(SignedDuration::ZERO))
}

fn refusal(reason: impl Into<String>) -> Refusal {
    Refusal {
        status: None,
        reason: reason.into(),
        retry_after: None,
    }
}

#[async_trait]
impl Courier for Http {
    async fn carry(&self, parcel: Parcel) -> Result<(), Refusal> {
        let Parcel {
            url,
            verify_certificate,
            headers,
            body,
        } = parcel;
        // A name is held against the policy when it is resolved; an address is not resolved.
        self.policy
            .check(&url)
            .map_err(|error| refusal(error.message()))?;
        let client = self
            .client(verify_certificate)
            .map_err(|error| refusal(error.message()))?;
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            // They were checked when they were said.
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                value.set_sensitive(true);
                map.insert(name, value);
            }
        }
        let answer = client.post(url.clone()).headers(map).body(body).send();
        let answer = tokio::time::timeout(ANSWER, answer)
            .await
            .map_err(|_| refusal(format!("No answer came within {} s.", ANSWER.as_secs())))?
            .map_err(|error| explain(&url, error))?;
        let status = answer.status();
        if status.is_success() {
            drain(answer).await;
            return Ok(());
        }
        let reason = if status.is_redirection() {
            format!("It answered {status}; redirects are not followed.")
        } else {
            format!("It answered {status}.")
        };
        Err(Refusal {
            status: Some(status.as_u16()),
            reason,
            retry_after: retry_after(answer.headers(), self.clock.now()),
        })
    }
}

/// Reads what is left of an answer, so that the connection can be used again; not at any price.
async fn drain(answer: reqwest::Response) {
    let long = |length| length > MOST_BODY as u64;
    if answer.content_length() == Some(0) || answer.content_length().is_some_and(long) {
        return;
    }
    let read = async {
        let mut body = answer.bytes_stream();
        let mut left = MOST_BODY;
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // Whoever is slower than that gets a new connection the next time.
    let _ = tokio::time::timeout(BODY, read).await;
}

fn explain(url: &Url, error: reqwest::Error) -> Refusal {
    let error = outgoing::explain(url, error);
    let reason = match error.kind() {
        ErrorKind::Upstream { uri } => error
            .message()
            .strip_prefix(uri.as_str())
            .map_or_else(|| error.message().to_owned(), |rest| format!("It{rest}")),
        _ => error.message().to_owned(),
    };
    refusal(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_in_seconds_or_by_a_date_how_long_it_wants_to_be_left_alone() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let seconds = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 2026 00:01:30 GMT"), Some(90));
        assert_eq!(seconds("Wed, 31 Dec 2025 23:00:00 GMT"), Some(0));
        for odd in ["", "-5", "soon", "99999999999999999999", "1.5"] {
            assert_eq!(seconds(odd), None, "{odd}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_parcel_shows_no_header_and_no_query() {
        let parcel = Parcel {
            url: "https://a.example/x?token=hunter2".parse().unwrap(),
            verify_certificate: true,
            headers: vec![("Authorization".to_owned(), "hunter2".to_owned())],
            body: Bytes::from_static(b"hunter2"),
        };
        assert!(!format!("{parcel:?}").contains("hunter2"));
    }
}
