//! What a rule says.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::when::When;

/// A rule that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {rule:?}: {what}")]
pub struct BadRule {
    /// The name of the rule.
    pub rule: String,
    /// What is wrong with it.
    pub what: String,
}

/// When something goes wrong, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What it is called in the trace. Its chance goes by this name, too.
    pub name: String,
    /// When. Nothing said is always.
    #[serde(default)]
    pub when: When,
    /// What then.
    pub then: Then,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Then {
    /// It is answered at once; the service does not see it.
    Answer(Answer),
    /// It is answered as if it had been done; the service does not see it.
    Pretend(Pretend),
    /// It takes longer.
    Delay(Delay),
    /// The connection is closed.
    HangUp(HangUp),
    /// The body of the answer is not as it should be.
    Damage(Damage),
    /// Headers of the answer are not as they should be.
    Headers(Headers),
}

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
}

fn general() -> String {
    "GeneralError".to_owned()
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

/// How much longer something takes: as much as chance says, each as likely as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delay {
    /// At least.
    pub least: SignedDuration,
    /// At most; as the least unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<SignedDuration>,
}

/// When the connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangUp {
    /// Before anything was done.
    Before,
    /// When it is done and should be answered: the client does not know.
    After,
}

/// What becomes of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// The connection ends in the middle of it: its length says more than there is.
    CutOff,
    /// It is whole as HTTP sees it, and ends in the middle as JSON sees it.
    Truncated,
    /// Nothing is left.
    Empty,
    /// A page of HTML, as web servers in front of a service that is not up give one.
    Html,
    /// Bytes that are no text.
    NotUtf8,
    /// An array where there should be an object.
    Array,
}

/// What becomes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// These are missing.
    pub remove: Vec<String>,
    /// These are as said.
    pub set: BTreeMap<String, String>,
}

impl Rule {
    /// A rule for every request, to be narrowed.
    #[must_use]
    pub fn new(name: impl Into<String>, then: Then) -> Self {
        Self {
            name: name.into(),
            when: When::default(),
            then,
        }
    }

    /// Says when.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// Holds the rule against what can be.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), BadRule> {
        let wrong = |what: &str| {
            Err(BadRule {
                rule: self.name.clone(),
                what: what.to_owned(),
            })
        };
        let When {
            calls,
            chance,
            from,
            until,
            header,
            ..
        } = &self.when;
        if calls.first == 0 || calls.every == 0 {
            return wrong("calls are counted from 1, and every 0th is none");
        }
        if chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return wrong("a chance is between 0 and 1");
        }
        if from.zip(*until).is_some_and(|(from, until)| until <= from) {
            return wrong("it ends before it begins");
        }
        let name = |name: &str| http::HeaderName::try_from(name).is_ok();
        if header.as_deref().is_some_and(|header| !name(header)) {
            return wrong("that is no name of a header");
        }
        match &self.then {
            Then::Answer(answer) => {
                let status = StatusCode::from_u16(answer.status);
                if !status.is_ok_and(|s| s.is_client_error() || s.is_server_error()) {
                    return wrong("the status of an answer is 400 to 599");
                }
                let facts = hawkfish_redfish::message::base_facts();
                let mut known = facts.filter(|(key, ..)| *key == answer.message);
                match known.next() {
                    None => return wrong("the Base registry has no such message"),
                    Some((_, args, _)) if args != answer.args.len() => {
                        return wrong("the message takes another number of arguments");
                    }
                    Some(_) => {}
                }
            }
            Then::Pretend(pretend) => {
                let status = StatusCode::from_u16(pretend.status);
                if !status.is_ok_and(|s| s.is_success()) {
                    return wrong("the status of a pretence is 200 to 299");
                }
            }
            Then::Delay(Delay { least, most }) => {
                if least.is_negative() || most.is_some_and(|most| most < *least) {
                    return wrong("a delay goes from nothing up");
                }
            }
            Then::Headers(Headers { remove, set }) => {
                let value = |value: &String| http::HeaderValue::try_from(value).is_ok();
                if !remove.iter().chain(set.keys()).all(|n| name(n)) || !set.values().all(value) {
                    return wrong("that cannot stand in a header");
                }
            }
            Then::HangUp(_) | Then::Damage(_) => {}
        }
        Ok(())
    }
}
