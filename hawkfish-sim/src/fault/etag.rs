//! Tags that are not those of what they stand by, and answers that are older than they should be.

use std::collections::BTreeMap;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::usual;
use super::effect::Asked;
use super::engine::Firing;

/// How the tag of an answer is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Etag {
    /// It is that of the state before, as far as this rule has seen one: what is changed by it is refused with 412. In the header and in the body.
    Before,
    /// The header has another one than `@odata.etag`, which is right.
    HeaderDiffers,
    /// A strong one is weak and a weak one is strong, in the header; the body has it as it is.
    Weakness,
    /// What is asked for with If-None-Match is answered with 304, whether it has changed or not.
    Unchanged,
}

/// For how long a GET is answered as it was: changes show themselves that much later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// So long after it was answered afresh.
    pub keep: SignedDuration,
}

impl Cache {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.keep.is_positive() {
            true => Ok(()),
            false => Err("a cache keeps for more than no time".to_owned()),
        }
    }
}

/// Most answers that a world keeps in caches, and most tags.
const MOST: usize = 10_000;

/// What rules remember of what they have seen.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// By rule and path: the tag now, and the one before.
    tags: BTreeMap<(String, String), (HeaderValue, Option<HeaderValue>)>,
    /// By rule and request: until when, and what.
    answers: BTreeMap<(String, String), (SignedDuration, StatusCode, HeaderMap, Bytes)>,
    /// When tokens were first seen.
    tokens: BTreeMap<Vec<u8>, SignedDuration>,
}

impl Memory {
    /// Forgets what a rule has seen.
    pub(super) fn forget(&mut self, rule: &str) {
        self.tags.retain(|(of, _), _| of != rule);
        self.answers.retain(|(of, _), _| of != rule);
    }

    /// How long ago the token of a session was first seen.
    pub(super) fn token(&mut self, token: &[u8], at: SignedDuration) -> SignedDuration {
        if self.tokens.len() >= MOST {
            // The oldest is the least likely to be used still.
            let oldest = self.tokens.iter().min_by_key(|(_, seen)| **seen);
            if let Some(oldest) = oldest.map(|(token, _)| token.clone()) {
                self.tokens.remove(&oldest);
            }
        }
        at - *self.tokens.entry(token.to_owned()).or_insert(at)
    }

    /// The tag of the state before.
    fn before(&mut self, rule: &str, path: &str, tag: &HeaderValue) -> HeaderValue {
        let key = (rule.to_owned(), path.trim_end_matches('/').to_owned());
        if self.tags.len() >= MOST && !self.tags.contains_key(&key) {
            self.tags.pop_first();
        }
        let (now, before) = self.tags.entry(key).or_insert_with(|| (tag.clone(), None));
        if now != tag {
            *before = Some(std::mem::replace(now, tag.clone()));
        }
        before.clone().unwrap_or_else(|| tag.clone())
    }

    /// What is kept for a request.
    pub(super) fn kept(&mut self, rule: &str, asked: &Asked) -> Option<Response<Body>> {
        let key = (rule.to_owned(), asked.key());
        let (until, status, headers, body) = self.answers.get(&key)?;
        if *until <= asked.age {
            self.answers.remove(&key);
            return None;
        }
        let mut response = Response::new(Body::from(body.clone()));
        *response.status_mut() = *status;
        *response.headers_mut() = headers.clone();
        Some(response)
    }

    fn keep(&mut self, rule: &str, asked: &Asked, until: SignedDuration, answer: Kept) {
        if self.answers.len() >= MOST {
            self.answers.retain(|_, (until, ..)| *until > asked.age);
            if self.answers.len() >= MOST {
                self.answers.pop_first();
            }
        }
        let key = (rule.to_owned(), asked.key());
        let (status, headers, body) = answer;
        self.answers.insert(key, (until, status, headers, body));
    }
}

type Kept = (StatusCode, HeaderMap, Bytes);

impl Cache {
    /// Keeps an answer that the service gave.
    pub(super) async fn take(
        self,
        firing: &Firing,
        response: Response<Body>,
        asked: &Asked,
        memory: impl FnOnce(&mut dyn FnMut(&mut Memory)),
    ) -> Response<Body> {
        if asked.method != Method::GET || response.status() != StatusCode::OK {
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map(|body| body.to_bytes());
        let bytes = bytes.unwrap_or_default();
        let until = asked.age + self.keep;
        memory(&mut |memory| {
            let answer = (parts.status, parts.headers.clone(), bytes.clone());
            memory.keep(&firing.rule.name, asked, until, answer);
        });
        Response::from_parts(parts, Body::from(bytes))
    }
}

impl Etag {
    /// The 304 that a rule answers with; `None` where nothing was asked for by its tag.
    pub(super) fn unchanged(asked: &Asked) -> Option<Response<Body>> {
        let tag = asked.headers.get(IF_NONE_MATCH)?;
        if asked.method != Method::GET && asked.method != Method::HEAD {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().insert(ETAG, tag.clone());
        Some(usual(response))
    }

    pub(super) async fn done_to(
        self,
        firing: &Firing,
        mut response: Response<Body>,
        asked: &Asked,
        memory: impl FnOnce(&mut dyn FnMut(&mut Memory)),
    ) -> Response<Body> {
        let Some(tag) = response.headers().get(ETAG).cloned() else {
            return response;
        };
        let wrong = match self {
            Self::Unchanged => return response,
            Self::HeaderDiffers => HeaderValue::from_static("\"0\""),
            Self::Weakness => match tag.to_str().unwrap_or_default().strip_prefix("W/") {
                Some(strong) => HeaderValue::try_from(strong).unwrap_or(tag),
                None => {
                    let weak = [b"W/", tag.as_bytes()].concat();
                    HeaderValue::from_bytes(&weak).unwrap_or(tag)
                }
            },
            Self::Before => {
                let mut before = tag.clone();
                memory(&mut |memory| {
                    before = memory.before(&firing.rule.name, asked.uri.path(), &tag);
                });
                response = retagged(response, &before).await;
                before
            }
        };
        response.headers_mut().insert(ETAG, wrong);
        response
    }
}

/// With another tag in the body.
async fn retagged(response: Response<Body>, tag: &HeaderValue) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let bytes = body.collect().await.map(|body| body.to_bytes());
    let mut bytes = bytes.unwrap_or_default();
    if let Ok(Value::Object(mut object)) = serde_json::from_slice(&bytes)
        && let Some(said) = object.get_mut("@odata.etag")
        && let Ok(tag) = tag.to_str()
    {
        *said = tag.into();
        bytes = Value::Object(object).to_string().into();
        parts.headers.insert(CONTENT_LENGTH, bytes.len().into());
    }
    Response::from_parts(parts, Body::from(bytes))
}
