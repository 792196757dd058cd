//! To what a rule applies.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// To which requests something happens. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The system that the URI belongs to, by its name (`sim-00001`) or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<Pattern>,
    /// The path: `*` is any part without a slash, `**` any at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<Pattern>,
    /// The methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub method: Vec<Method>,
    /// A header that the request has, whatever its value; without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Which of the calls that all the rest holds for.
    pub calls: Calls,
    /// With what chance, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// Not before so long after the beginning of the world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<SignedDuration>,
    /// No longer so long after the beginning of the world.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<SignedDuration>,
    /// Only while more than so many requests are under way, this one among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_over: Option<u32>,
}

/// Which calls, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// The first.
    pub first: u64,
    /// From there on each so manyth.
    pub every: u64,
    /// At most so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most: Option<u64>,
}

impl Default for Calls {
    /// All.
    fn default() -> Self {
        Self {
            first: 1,
            every: 1,
            most: None,
        }
    }
}

/// An HTTP method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are what HTTP calls them")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    /// Whether it is this one.
    #[must_use]
    pub fn is(self, method: &http::Method) -> bool {
        method
            == match self {
                Self::Get => http::Method::GET,
                Self::Head => http::Method::HEAD,
                Self::Post => http::Method::POST,
                Self::Put => http::Method::PUT,
                Self::Patch => http::Method::PATCH,
                Self::Delete => http::Method::DELETE,
                Self::Options => http::Method::OPTIONS,
            }
    }
}

/// A pattern of names or paths.
#[derive(Clone)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// A pattern. `*` stands for any part without a slash, `**` for any at all, `?` for a character, `{a,b}` for either.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .empty_alternates(true)
            .build();
        glob.map(|glob| Self(glob.compile_matcher()))
            .map_err(|error| error.to_string())
    }

    /// Whether it fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.glob().glob()
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}
