//! What a rule says.

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Pretend, Redirect};
use super::bmc::Bmc;
use super::body::{Damage, Trickle};
use super::edit::Edit;
use super::etag::{Cache, Etag};
use super::headers::{Headers, Location, Query};
use super::latency::Delay;
use super::machine::Machine;
use super::told::Events;
use super::when::When;
use super::wire::{Certificate, Connection, Framing};
use super::work::Task;

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

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Then {
    /// A request is answered at once; the service does not see it.
    Answer(Answer),
    /// A request is answered as if it had been done; the service does not see it.
    Pretend(Pretend),
    /// A request is sent elsewhere; the service does not see it.
    Redirect(Redirect),
    /// A request takes longer.
    Delay(Delay),
    /// Parameters of a query are not looked at.
    Query(Query),
    /// A GET is answered as it was answered before.
    Cache(Cache),
    /// The connection of a request is closed.
    HangUp(HangUp),
    /// The body of an answer is not as it should be.
    Damage(Damage),
    /// The JSON of an answer says something else.
    Edit(Edit),
    /// The body of an answer comes slowly.
    Trickle(Trickle),
    /// Headers of an answer are not as they should be.
    Headers(Headers),
    /// The header Location of an answer is written in another way.
    Location(Location),
    /// The tag of an answer is not that of what it shows.
    Etag(Etag),
    /// An answer is not framed as HTTP wants it.
    Framing(Framing),
    /// A connection is not served.
    Connection(Connection),
    /// A connection is shown another certificate.
    Certificate(Certificate),
    /// An event goes astray on its way.
    Events(Events),
    /// A task goes wrong.
    Task(Task),
    /// A BMC restarts, or its clock is wrong.
    Bmc(Bmc),
    /// A machine does not do as it is told, or a part of it fails.
    Machine(Machine),
}

/// What a rule is about. It decides which selectors it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A request, before its answer is known.
    Request,
    /// An answer.
    Answer,
    /// A connection, of which nothing is read yet.
    Connection,
    /// An event on its way to one who listens.
    Event,
    /// A task.
    Task,
    /// Something that is done to a machine.
    Deed,
    /// Something that happens by itself, at a time or when a request comes.
    Happening,
}

impl Place {
    /// The selectors that make sense there.
    #[must_use]
    pub fn selectors(self) -> &'static [&'static str] {
        match self {
            Self::Request => &[
                "system",
                "face",
                "uri",
                "method",
                "header",
                "session_over",
                "rate_over",
                "calls",
                "chance",
                "from",
                "until",
                "in_flight_over",
            ],
            Self::Answer => &[
                "system",
                "face",
                "uri",
                "method",
                "header",
                "status",
                "session_over",
                "rate_over",
                "calls",
                "chance",
                "from",
                "until",
                "in_flight_over",
            ],
            Self::Event => &[
                "system", "message", "to", "calls", "chance", "from", "until",
            ],
            Self::Task => &["system", "operation", "calls", "chance", "from", "until"],
            Self::Deed => &["system", "power", "calls", "chance", "from", "until"],
            Self::Happening => &[
                "system", "face", "uri", "method", "header", "at", "every", "calls", "chance",
                "from", "until",
            ],
            Self::Connection => &[
                "face",
                "rate_over",
                "calls",
                "chance",
                "from",
                "until",
                "in_flight_over",
            ],
        }
    }
}

impl Then {
    /// What it is about.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Answer(_)
            | Self::Pretend(_)
            | Self::Redirect(_)
            | Self::Delay(_)
            | Self::Query(_)
            | Self::Cache(_)
            | Self::HangUp(HangUp::Before)
            | Self::Etag(Etag::Unchanged) => Place::Request,
            Self::HangUp(HangUp::After)
            | Self::Damage(_)
            | Self::Edit(_)
            | Self::Trickle(_)
            | Self::Headers(_)
            | Self::Location(_)
            | Self::Etag(_)
            | Self::Framing(_) => Place::Answer,
            Self::Connection(_) | Self::Certificate(_) => Place::Connection,
            Self::Events(_) => Place::Event,
            Self::Task(_) => Place::Task,
            Self::Bmc(_) => Place::Happening,
            Self::Machine(machine) if machine.mishap().is_some() => Place::Happening,
            Self::Machine(_) => Place::Deed,
        }
    }

    /// What it is called where it is written.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Pretend(_) => "pretend",
            Self::Redirect(_) => "redirect",
            Self::Delay(_) => "delay",
            Self::Query(_) => "query",
            Self::Cache(_) => "cache",
            Self::HangUp(_) => "hang_up",
            Self::Damage(_) => "damage",
            Self::Edit(_) => "edit",
            Self::Trickle(_) => "trickle",
            Self::Headers(_) => "headers",
            Self::Location(_) => "location",
            Self::Etag(_) => "etag",
            Self::Framing(_) => "framing",
            Self::Connection(_) => "connection",
            Self::Certificate(_) => "certificate",
            Self::Events(_) => "events",
            Self::Task(_) => "task",
            Self::Bmc(_) => "bmc",
            Self::Machine(_) => "machine",
        }
    }

    /// Whether it reads or writes the text of bodies: who is behind must not pack them.
    pub(crate) fn reads_bodies(&self) -> bool {
        matches!(
            self,
            Self::Damage(_) | Self::Edit(_) | Self::Etag(_) | Self::Cache(_)
        )
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Answer(answer) => answer.check(),
            Self::Pretend(pretend) => pretend.check(),
            Self::Redirect(redirect) => redirect.check(),
            Self::Delay(delay) => delay.check(),
            Self::Query(query) => query.check(),
            Self::Cache(cache) => cache.check(),
            Self::Edit(edit) => edit.check(),
            Self::Trickle(trickle) => trickle.check(),
            Self::Headers(headers) => headers.check(),
            Self::Location(location) => location.check(),
            Self::Events(events) => events.check(),
            Self::Bmc(bmc) => bmc.check(),
            Self::Machine(machine) => machine.check(),
            Self::HangUp(_)
            | Self::Damage(_)
            | Self::Etag(_)
            | Self::Framing(_)
            | Self::Connection(_)
            | Self::Certificate(_)
            // With what its rule says of when.
            | Self::Task(_) => Ok(()),
        }
    }
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

impl Rule {
    /// A rule for everything, to be narrowed.
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
        let possible = self.then.place().selectors();
        let said = self.when.said();
        let misplaced = said.iter().find(|selector| !possible.contains(selector));
        let checked = match misplaced {
            Some(selector) => Err(format!(
                "{selector} says nothing of what {} is about",
                self.then.name()
            )),
            None => self.when.check().and_then(|()| match &self.then {
                Then::Task(task) => task.check(&self.when.operation),
                Then::Machine(machine)
                    if !self.when.power.is_empty() && !matches!(machine, Machine::Power(_)) =>
                {
                    Err("power says nothing of what is no power command".to_owned())
                }
                then => then.check(),
            }),
        };
        checked.map_err(|what| BadRule {
            rule: self.name.clone(),
            what,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Pattern;

    #[test]
    fn a_selector_that_an_action_cannot_have_is_refused_with_both_names() {
        let uri = When {
            uri: Some(Pattern::new("/redfish/v1/**").unwrap()),
            ..When::default()
        };
        let reset = Rule::new("r", Then::Connection(Connection::Reset)).when(uri);
        let bad = reset.check().unwrap_err();
        assert!(
            bad.what.contains("uri") && bad.what.contains("connection"),
            "{bad}"
        );
        let status = When {
            status: vec![Pattern::new("404").unwrap()],
            ..When::default()
        };
        let bad = Rule::new("d", Then::HangUp(HangUp::Before)).when(status.clone());
        let bad = bad.check().unwrap_err();
        assert!(
            bad.what.contains("status") && bad.what.contains("hang_up"),
            "{bad}"
        );
        Rule::new("d", Then::HangUp(HangUp::After))
            .when(status)
            .check()
            .unwrap();
    }
}
