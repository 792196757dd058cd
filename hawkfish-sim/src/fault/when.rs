//! To what a rule applies.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use hawkfish_core::backend::Work;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::machine::Command;
use super::told::Listener;

/// To which requests something happens. All that is said must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// The system that the URI belongs to, by its name (`sim-00001`) or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<Pattern>,
    /// The face that was talked to, by its name: that of a system, or `fleet`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<Pattern>,
    /// The path: `*` is any part without a slash, `**` any at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<Pattern>,
    /// The methods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub method: Vec<Method>,
    /// A header that the request has, whatever its value; without regard to case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The status of the service's answer: `404`, `4??` for any from 400 to 499.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<Pattern>,
    /// Only in a session that is older than this; it is so old as its token was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_over: Option<SignedDuration>,
    /// Only where more come than so many in so long; those that come in the meantime and are let through are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_over: Option<Rate>,
    /// Of events: the id of the message, such as `ResourceEvent.*.ResourceChanged`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Pattern>,
    /// Of events: who listens.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<Listener>,
    /// Of tasks: what they do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operation: Vec<Work>,
    /// Of power commands: which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub power: Vec<Command>,
    /// So long after the beginning of the world, by itself; at once, where that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<SignedDuration>,
    /// And from then on again each time that so long has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<SignedDuration>,
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
    /// Only while more than so many requests are under way, this one among them; where the rule is about connections, while so many are open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight_over: Option<u32>,
}

/// So many in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// So many.
    pub calls: u32,
    /// In so long.
    pub within: SignedDuration,
}

impl When {
    /// The selectors that say something, by the names that they are written with.
    #[must_use]
    pub fn said(&self) -> Vec<&'static str> {
        let Self {
            system,
            face,
            uri,
            method,
            header,
            status,
            session_over,
            rate_over,
            message,
            to,
            operation,
            power,
            at,
            every,
            calls,
            chance,
            from,
            until,
            in_flight_over,
        } = self;
        [
            ("system", system.is_some()),
            ("face", face.is_some()),
            ("uri", uri.is_some()),
            ("method", !method.is_empty()),
            ("header", header.is_some()),
            ("status", !status.is_empty()),
            ("session_over", session_over.is_some()),
            ("rate_over", rate_over.is_some()),
            ("message", message.is_some()),
            ("to", !to.is_empty()),
            ("operation", !operation.is_empty()),
            ("power", !power.is_empty()),
            ("at", at.is_some()),
            ("every", every.is_some()),
            ("calls", *calls != Calls::default()),
            ("chance", chance.is_some()),
            ("from", from.is_some()),
            ("until", until.is_some()),
            ("in_flight_over", in_flight_over.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, is_said)| is_said.then_some(name))
        .collect()
    }

    /// Whether that is one of the systems that it is about, by id and name.
    pub(super) fn of_system(&self, names: Option<(&str, &str)>) -> bool {
        self.system.as_ref().is_none_or(|pattern| {
            names.is_some_and(|(id, name)| pattern.fits(id) || pattern.fits(name))
        })
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if self.at.is_none() && self.every.is_some() {
            return Err("every is counted from a time: say at as well".to_owned());
        }
        if self.at.is_some_and(|at| at.is_negative()) {
            return Err("at is not below zero".to_owned());
        }
        let least = SignedDuration::from_secs(1);
        if self.every.is_some_and(|every| every < least) {
            return Err("every is a second at least".to_owned());
        }
        if self.at.is_some() {
            let of_requests = ["face", "uri", "method", "header"];
            let said = self.said();
            if let Some(selector) = said.iter().find(|one| of_requests.contains(*one)) {
                return Err(format!(
                    "what happens at a time asks for no request: {selector}"
                ));
            }
        }
        let Self {
            calls,
            chance,
            from,
            until,
            header,
            session_over,
            rate_over,
            ..
        } = self;
        if calls.first == 0 || calls.every == 0 {
            return Err("calls are counted from 1, and every 0th is none".to_owned());
        }
        if chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err("a chance is between 0 and 1".to_owned());
        }
        if from.zip(*until).is_some_and(|(from, until)| until <= from) {
            return Err("it ends before it begins".to_owned());
        }
        if header
            .as_ref()
            .is_some_and(|header| http::HeaderName::try_from(header).is_err())
        {
            return Err("that is no name of a header".to_owned());
        }
        if session_over.is_some_and(|over| over.is_negative()) {
            return Err("session_over is not below zero".to_owned());
        }
        if rate_over.is_some_and(|rate| rate.calls == 0 || !rate.within.is_positive()) {
            return Err("rate_over says how many, from 1 up, and in how long".to_owned());
        }
        Ok(())
    }
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
