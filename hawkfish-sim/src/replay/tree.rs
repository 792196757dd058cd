//! A captured tree as it is kept: read-only, shared by all that replay it, each document as compact bytes that are parsed when asked for.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use super::map::Map;
use crate::capture::{Capture, Content, plain_uri};

/// A captured tree, with the map of what in it has a counterpart in the production service.
#[derive(Debug)]
pub(crate) struct Tree {
    documents: BTreeMap<String, Document>,
    pub(super) map: Map,
}

/// A document of a tree.
#[derive(Debug)]
pub(crate) struct Document {
    pub(super) bytes: Bytes,
    /// `None` for JSON.
    pub(super) content_type: Option<String>,
    /// The type of the resource, without its version.
    pub(super) kind: Option<Box<str>>,
    /// The methods that the source said it takes.
    pub(super) allow: Option<Box<str>>,
}

/// A capture that cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a capture without {0} cannot be replayed")]
pub struct NotReplayable(pub(crate) &'static str);

impl Tree {
    /// Takes a capture apart.
    ///
    /// # Errors
    /// It has no service root, or no system.
    pub(crate) fn new(capture: Capture) -> Result<Self, NotReplayable> {
        let map = Map::of(&capture)?;
        let documents = capture.documents.into_iter().map(|(uri, document)| {
            let kind = document.kind().map(Box::from);
            let allow = document.headers.get("allow").map(|all| all.as_str().into());
            let (bytes, content_type) = match document.content {
                Content::Json(value) => (Bytes::from(value.to_string()), None),
                Content::Bytes {
                    bytes,
                    content_type,
                } => (bytes, Some(content_type)),
            };
            let document = Document {
                bytes,
                content_type,
                kind,
                allow,
            };
            (uri, document)
        });
        Ok(Self {
            documents: documents.collect(),
            map,
        })
    }

    /// The document of a URI as it was captured.
    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.documents.get(uri)
    }

    /// The JSON of a document as it was captured.
    pub(super) fn value(&self, uri: &str) -> Option<Value> {
        let document = self.documents.get(uri)?;
        match document.content_type {
            None => serde_json::from_slice(&document.bytes).ok(),
            Some(_) => None,
        }
    }

    /// All documents.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Document)> {
        self.documents.iter().map(|(uri, d)| (uri.as_str(), d))
    }

    /// The key of what a client asks for: a slash at the end does not matter, nor do escapes that need not be.
    pub(super) fn key(&self, path: &str) -> String {
        let plain = plain_uri(path);
        if self.documents.contains_key(&plain) || !plain.contains('%') {
            return plain;
        }
        let unescaped = unescaped(&plain);
        match self.documents.contains_key(&unescaped) {
            true => unescaped,
            false => plain,
        }
    }
}

/// A path without percent escapes.
fn unescaped(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let bytes = path.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = path.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}
