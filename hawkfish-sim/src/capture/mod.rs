//! Captures: what a Redfish service answered, by URI, as data. Recorded by [`crate::record`], or read from a folder or archive that somebody else made.
//!
//! On disk a capture has the layout of DMTF's mockup creator, so that other tools read ours and ours reads theirs: for each URI a folder of that name with its
//! `index.json` (or `index.xml`, ...), beside it `headers.json`. What that layout cannot say stands in `capture.json` at the top: what the source was, how it was
//! recorded, what could not be read, and the URIs that no folder can be named after.
//!
//! - What is wrong with a capture, such as broken JSON or a link that leads nowhere, is a [`Finding`] with its place, and no error: real services have such.
//! - Nothing outside of the folder is read: links of the file system are left alone, as are names with `..`. Nothing is written to a path that a URI decides unchecked.
//! - Sizes, depth and number of files are bounded ([`Bounds`]).

mod archive;
mod check;
mod manifest;
mod place;
mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::{Link, Summary};
pub use place::{follows_to, plain_uri};
pub use read::Bounds;

/// The file at the top that says what the layout cannot.
pub const MANIFEST: &str = "capture.json";

/// What a Redfish service answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Capture {
    /// What the source was, and how it was recorded.
    pub source: Source,
    /// The documents by URI, in order. A URI is a path without a slash at its end, with its query where it has one: see [`plain_uri`].
    pub documents: BTreeMap<String, Document>,
    /// What the source links to and could not be read, in the order of URIs.
    pub unread: Vec<Unread>,
    /// What is wrong, as far as it was found while reading. [`Capture::check`] finds more.
    pub findings: Vec<Finding>,
}

/// What a capture is of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Who makes the service or the machine: `Vendor` of the service root, or else `Manufacturer` of the first system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// `Product` of the service root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<String>,
    /// `Model` of the first system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `FirmwareVersion` of the first manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// `RedfishVersion` of the service root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redfish_version: Option<String>,
    /// When it was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Timestamp>,
    /// What recorded it, with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_by: Option<String>,
    /// Whether serial numbers, addresses, names and the like were replaced; absent where nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_anonymised: Option<bool>,
}

/// What one URI answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The body.
    pub content: Content,
    /// The headers that matter, by names in small letters: `etag`, `allow`, `link`.
    pub headers: BTreeMap<String, String>,
}

/// The headers of an answer that a capture keeps.
pub const HEADERS: &[&str] = &["allow", "etag", "link"];

/// A body.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// JSON.
    Json(Value),
    /// Anything else, or JSON that is broken.
    Bytes {
        /// As it was.
        bytes: Bytes,
        /// The media type, such as `application/xml`.
        content_type: String,
    },
}

impl Document {
    /// A JSON document without headers.
    #[must_use]
    pub fn json(value: Value) -> Self {
        Self {
            content: Content::Json(value),
            headers: BTreeMap::new(),
        }
    }

    /// A document of bytes, without headers.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>, content_type: impl Into<String>) -> Self {
        Self {
            content: Content::Bytes {
                bytes: bytes.into(),
                content_type: content_type.into(),
            },
            headers: BTreeMap::new(),
        }
    }

    /// Its JSON, where it has some.
    #[must_use]
    pub fn value(&self) -> Option<&Value> {
        match &self.content {
            Content::Json(value) => Some(value),
            Content::Bytes { .. } => None,
        }
    }

    /// The type of the resource without its version, such as `ComputerSystem`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        let kind = self.value()?.get("@odata.type")?.as_str()?;
        kind.rsplit_once('.').map(|(_, name)| name)
    }
}

/// A URI that the source links to and that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unread {
    /// Which.
    pub uri: String,
    /// The status of the answer; absent where none came or nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why, for people.
    pub why: String,
}

/// Something that is wrong with a capture.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: a URI, with the JSON pointer after `#` where it is a part of it, or a file.
    pub at: String,
    /// What.
    pub what: Flaw,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Flaw {
    /// A link leads to a URI that is not there.
    Dangling(String),
    /// A link leads to a part that the document of the URI does not have.
    NoSuchPart(String),
    /// The document says that it stands elsewhere.
    OtherId(String),
    /// The JSON cannot be read; the document is kept as bytes.
    BrokenJson(String),
    /// A file was left out, and why.
    LeftOut(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.at)?;
        match &self.what {
            Flaw::Dangling(to) => write!(f, "leads to {to}, which is not there"),
            Flaw::NoSuchPart(to) => write!(f, "leads to {to}, and there is no such part"),
            Flaw::OtherId(id) => write!(f, "says that it is {id}"),
            Flaw::BrokenJson(why) => write!(f, "broken JSON: {why}"),
            Flaw::LeftOut(why) => write!(f, "left out: {why}"),
        }
    }
}

/// A capture that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// There is no tree of Redfish resources.
    #[error("{}: {why}", path.display())]
    NotACapture {
        /// What was looked at.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// There is more than the bounds allow.
    #[error("{}: {why}", path.display())]
    TooLarge {
        /// What was looked at.
        path: PathBuf,
        /// More of what.
        why: String,
    },
    /// Where a capture is to be written there is something already.
    #[error("{}: there is something already", .0.display())]
    NotEmpty(PathBuf),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}

impl Capture {
    /// A capture of JSON documents by URI, with what they say about their source.
    pub fn from_documents<U: AsRef<str>>(documents: impl IntoIterator<Item = (U, Value)>) -> Self {
        let documents = documents
            .into_iter()
            .map(|(uri, value)| (plain_uri(uri.as_ref()), Document::json(value)));
        let mut capture = Self {
            documents: documents.collect(),
            ..Self::default()
        };
        capture.learn();
        capture
    }

    /// The document of a URI: a slash at its end and what follows `#` do not matter.
    #[must_use]
    pub fn get(&self, uri: &str) -> Option<&Document> {
        self.documents.get(&plain_uri(uri))
    }
}
