//! `$filter` of a stream of events (DSP0266, "Server-sent events").
//!
//! What is compared are not properties of one resource but the filters of a subscription, so each comparison here is one of those: it means to a stream what it
//! means to a webhook. Values stand in quotes, or bare as some clients send them.

use hawkfish_core::events::{Format, Record};
use hawkfish_core::subscriptions::Filter;
use hawkfish_redfish::message::base;
use hawkfish_redfish::query::{self, Expression, Operand, Operator};
use http::StatusCode;
use serde_json::Value;

use crate::problem::Problem;

/// What a stream is to carry. The default is every event, and no reports.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wanted {
    /// Nothing said: all of that format.
    test: Option<Test>,
    /// The format, unless the expression speaks of formats.
    only: Option<Format>,
    /// The one format that it can take; `None` for both.
    pub(super) format: Option<Format>,
    /// What is nearest to it among lists, to be shown.
    pub(super) filter: Filter,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            test: None,
            only: Some(Format::Event),
            format: Some(Format::Event),
            filter: Filter::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Any(Vec<Test>),
    All(Vec<Test>),
    Not(Box<Test>),
    Always,
    Format(Format),
    /// A single comparison, as the filter of a subscription to events.
    Event(Box<Filter>),
    /// The definition of a report.
    Report(Box<Filter>),
}

impl Wanted {
    /// What an expression means.
    ///
    /// # Errors
    /// 400 for a comparison that means nothing here.
    pub(super) fn of(filter: Option<&query::Filter>) -> Result<Self, Problem> {
        let Some(filter) = filter else {
            return Ok(Self::default());
        };
        let expression = filter.expression();
        let mut reading = Reading {
            subordinate: false,
            formats: false,
        };
        reading.look(expression)?;
        let test = reading.test(expression)?;
        let shown = shown(&test, reading.subordinate);
        let only = (!reading.formats).then_some(Format::Event);
        let takes = |format| test.may_hold(format) && only.is_none_or(|only| only == format);
        let format = match (takes(Format::Event), takes(Format::MetricReport)) {
            (true, true) => None,
            (false, true) => Some(Format::MetricReport),
            _ => Some(Format::Event),
        };
        Ok(Self {
            only,
            format,
            filter: shown,
            test: Some(test),
        })
    }

    /// Whether it is every event, and nothing else.
    pub(super) fn is_all(&self) -> bool {
        self.test.is_none()
    }

    /// Whether the stream is to carry that.
    pub(super) fn takes(&self, record: &Record) -> bool {
        self.only.is_none_or(|format| format == record.format)
            && self.test.as_ref().is_none_or(|test| test.holds(record))
    }
}

impl Test {
    fn holds(&self, record: &Record) -> bool {
        match self {
            Self::Any(tests) => tests.iter().any(|test| test.holds(record)),
            Self::All(tests) => tests.iter().all(|test| test.holds(record)),
            Self::Not(test) => !test.holds(record),
            Self::Always => true,
            Self::Format(format) => *format == record.format,
            Self::Event(filter) => record.format == Format::Event && filter.takes(record),
            Self::Report(filter) => record.format == Format::MetricReport && filter.takes(record),
        }
    }

    /// Whether anything of that format can pass.
    fn may_hold(&self, format: Format) -> bool {
        match self {
            Self::Any(tests) => tests.iter().any(|test| test.may_hold(format)),
            Self::All(tests) => tests.iter().all(|test| test.may_hold(format)),
            Self::Not(test) => **test != Self::Format(format),
            Self::Always => true,
            Self::Format(one) => *one == format,
            Self::Event(_) => format == Format::Event,
            Self::Report(_) => format == Format::MetricReport,
        }
    }
}

/// What must be known of the whole before any part of it is read.
struct Reading {
    /// Origins are meant with what lies below them.
    subordinate: bool,
    /// It says which formats it takes.
    formats: bool,
}

impl Reading {
    fn look(&mut self, expression: &Expression) -> Result<(), Problem> {
        match expression {
            Expression::Or(parts) | Expression::And(parts) => {
                parts.iter().try_for_each(|part| self.look(part))
            }
            Expression::Not(part) => self.look(part),
            Expression::Compare(left, operator, right) => {
                match name(left)? {
                    "EventFormatType" | "MetricReportDefinition" => self.formats = true,
                    "SubordinateResources" => {
                        self.subordinate |= truth(right)? == (*operator == Operator::Eq);
                    }
                    _ => {}
                }
                Ok(())
            }
            Expression::True(operand) => {
                self.subordinate |= name(operand)? == "SubordinateResources";
                Ok(())
            }
        }
    }

    fn test(&self, expression: &Expression) -> Result<Test, Problem> {
        let all = |parts: &[Expression]| -> Result<Vec<Test>, Problem> {
            parts.iter().map(|part| self.test(part)).collect()
        };
        match expression {
            Expression::Or(parts) => Ok(Test::Any(all(parts)?)),
            Expression::And(parts) => Ok(Test::All(all(parts)?)),
            Expression::Not(part) => Ok(Test::Not(Box::new(self.test(part)?))),
            Expression::True(operand) => match name(operand)? {
                "SubordinateResources" => Ok(Test::Always),
                other => Err(refused(other)),
            },
            Expression::Compare(left, operator, right) => {
                let test = self.comparison(name(left)?, right)?;
                match operator {
                    _ if test == Test::Always => Ok(test),
                    Operator::Eq => Ok(test),
                    Operator::Ne => Ok(Test::Not(Box::new(test))),
                    _ => Err(refused("gt, ge, lt, le")),
                }
            }
        }
    }

    fn comparison(&self, name: &str, right: &Operand) -> Result<Test, Problem> {
        if name == "SubordinateResources" {
            return truth(right).map(|_| Test::Always);
        }
        let value = text(right)?;
        let event = |filter: Filter| Ok(Test::Event(Box::new(filter)));
        match name {
            "EventFormatType" => match value.as_str() {
                "Event" => Ok(Test::Format(Format::Event)),
                "MetricReport" => Ok(Test::Format(Format::MetricReport)),
                other => Err(refused(other)),
            },
            "MetricReportDefinition" => Ok(Test::Report(Box::new(Filter {
                definitions: vec![value],
                ..Filter::default()
            }))),
            "MessageId" => event(Filter {
                message_ids: vec![value],
                ..Filter::default()
            }),
            "RegistryPrefix" => event(Filter {
                registry_prefixes: vec![value],
                ..Filter::default()
            }),
            "EventType" => event(Filter {
                event_types: vec![value],
                ..Filter::default()
            }),
            "ResourceType" => event(Filter {
                resource_types: vec![value],
                ..Filter::default()
            }),
            "OriginResource" => event(Filter {
                origins: vec![value],
                subordinate: self.subordinate,
                ..Filter::default()
            }),
            "Severity" if matches!(value.as_str(), "OK" | "Warning" | "Critical") => {
                event(Filter {
                    severities: vec![value],
                    ..Filter::default()
                })
            }
            "Severity" => Err(refused(&value)),
            other => Err(refused(other)),
        }
    }
}

/// 400: this part of the expression means nothing.
fn refused(part: &str) -> Problem {
    let part: String = part.chars().take(200).collect();
    let message = base("QueryParameterValueFormatError", &[&part, "$filter"]);
    Problem::messages(StatusCode::BAD_REQUEST, vec![message])
}

/// The name on the left of a comparison.
fn name(operand: &Operand) -> Result<&str, Problem> {
    match operand {
        Operand::Path(path) => match path.as_slice() {
            [name] => Ok(name),
            more => Err(refused(&more.join("/"))),
        },
        Operand::Literal(value) => Err(refused(&value.to_string())),
    }
}

/// The value on the right of a comparison.
fn text(operand: &Operand) -> Result<String, Problem> {
    match operand {
        Operand::Literal(Value::String(text)) => Ok(text.clone()),
        Operand::Path(path) => Ok(path.join("/")),
        Operand::Literal(other) => Err(refused(&other.to_string())),
    }
}

fn truth(operand: &Operand) -> Result<bool, Problem> {
    match operand {
        Operand::Literal(Value::Bool(truth)) => Ok(*truth),
        Operand::Literal(Value::String(text)) if text == "true" || text == "false" => {
            Ok(text == "true")
        }
        Operand::Literal(other) => Err(refused(&other.to_string())),
        Operand::Path(path) => Err(refused(&path.join("/"))),
    }
}

/// The lists of a subscription that say the same; none of them where no lists can.
fn shown(test: &Test, subordinate: bool) -> Filter {
    let mut out = Filter::default();
    let parts = match test {
        Test::All(parts) => parts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut said = Vec::new();
    for part in parts {
        if add(part, &mut out, &mut said).is_none() {
            return Filter::default();
        }
    }
    out.subordinate = subordinate && !out.origins.is_empty();
    out
}

/// Puts one part into the lists; `said` are those that hold something. `None` where a list cannot say it.
fn add(part: &Test, out: &mut Filter, said: &mut Vec<u8>) -> Option<()> {
    let choices = match part {
        Test::Any(choices) => choices.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut kinds = Vec::new();
    for choice in choices {
        let (filter, not) = match choice {
            Test::Event(filter) | Test::Report(filter) => (filter, false),
            Test::Not(inner) if choices.len() == 1 => match &**inner {
                Test::Event(filter) => (filter, true),
                _ => return None,
            },
            Test::Always | Test::Format(_) if choices.len() == 1 => return Some(()),
            _ => return None,
        };
        let (kind, from, to) = match (&**filter, not) {
            (f, false) if !f.message_ids.is_empty() => (0, &f.message_ids, &mut out.message_ids),
            (f, true) if !f.message_ids.is_empty() => {
                (1, &f.message_ids, &mut out.exclude_message_ids)
            }
            (f, false) if !f.registry_prefixes.is_empty() => {
                // Registries and messages add to each other in the lists, too.
                (0, &f.registry_prefixes, &mut out.registry_prefixes)
            }
            (f, true) if !f.registry_prefixes.is_empty() => {
                (2, &f.registry_prefixes, &mut out.exclude_registry_prefixes)
            }
            (f, false) if !f.resource_types.is_empty() => {
                (3, &f.resource_types, &mut out.resource_types)
            }
            (f, false) if !f.origins.is_empty() => (4, &f.origins, &mut out.origins),
            (f, false) if !f.event_types.is_empty() => (7, &f.event_types, &mut out.event_types),
            (f, false) if !f.severities.is_empty() => (5, &f.severities, &mut out.severities),
            (f, false) if !f.definitions.is_empty() => (6, &f.definitions, &mut out.definitions),
            _ => return None,
        };
        // Of two parts about one list, one would do.
        if !not && kinds.is_empty() && said.contains(&kind) {
            return None;
        }
        kinds.push(kind);
        to.extend(from.iter().cloned());
    }
    said.extend(&kinds);
    kinds.windows(2).all(|two| two[0] == two[1]).then_some(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn wanted(text: &str) -> Result<Wanted, Problem> {
        Wanted::of(Some(&query::Filter::parse(text).expect("an expression")))
    }

    fn event() -> Record {
        Record {
            format: Format::Event,
            message_id: "ResourceEvent.1.4.ResourceChanged".to_owned(),
            severity: "OK",
            event_type: "ResourceUpdated",
            origin: Some("/redfish/v1/Systems/1/Bios".to_owned()),
            resource_type: Some("Bios"),
            definition: None,
            json: Bytes::new(),
        }
    }

    fn report() -> Record {
        Record {
            format: Format::MetricReport,
            message_id: String::new(),
            severity: "OK",
            event_type: "MetricReport",
            origin: None,
            resource_type: Some("MetricReport"),
            definition: Some(
                "/redfish/v1/TelemetryService/MetricReportDefinitions/Power".to_owned(),
            ),
            json: Bytes::new(),
        }
    }

    #[test]
    fn an_expression_takes_what_it_says_and_reports_only_where_it_speaks_of_them() {
        for (text, takes_event, takes_report) in [
            ("EventFormatType eq Event", true, false),
            ("EventFormatType eq 'MetricReport'", false, true),
            ("EventFormatType ne 'MetricReport'", true, false),
            (
                "EventFormatType eq Event or EventFormatType eq MetricReport",
                true,
                true,
            ),
            (
                "MessageId eq 'ResourceEvent.1.0.ResourceChanged'",
                true,
                false,
            ),
            (
                "MessageId eq ResourceEvent.1.0.ResourceChanged",
                true,
                false,
            ),
            ("MessageId ne 'ResourceChanged'", false, false),
            ("not (MessageId eq 'ResourceChanged')", false, false),
            (
                "RegistryPrefix eq 'ResourceEvent' and Severity eq 'OK'",
                true,
                false,
            ),
            (
                "RegistryPrefix eq 'ResourceEvent' and Severity eq 'Critical'",
                false,
                false,
            ),
            (
                "(Severity eq 'Critical') or (ResourceType eq 'Bios')",
                true,
                false,
            ),
            ("OriginResource eq '/redfish/v1/Systems/1'", false, false),
            (
                "OriginResource eq '/redfish/v1/Systems/1' and SubordinateResources eq true",
                true,
                false,
            ),
            (
                "OriginResource eq '/redfish/v1/Systems/1' and SubordinateResources eq false",
                false,
                false,
            ),
            (
                "MetricReportDefinition eq '/redfish/v1/TelemetryService/MetricReportDefinitions/Power'",
                false,
                true,
            ),
            (
                "MetricReportDefinition eq '/redfish/v1/TelemetryService/MetricReportDefinitions/Heat'",
                false,
                false,
            ),
        ] {
            let wanted = wanted(text).unwrap();
            assert_eq!(
                (wanted.takes(&event()), wanted.takes(&report())),
                (takes_event, takes_report),
                "{text}"
            );
        }
        let all = Wanted::default();
        assert!(all.is_all() && all.takes(&event()) && !all.takes(&report()));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "PowerState eq 'On'",
            "MessageId gt 'x'",
            "MessageId",
            "'x' eq MessageId",
            "MessageId eq 5",
            "EventFormatType eq 'Nonsense'",
            "Severity eq 'Bad'",
            "SubordinateResources eq 7",
            "Boot/Mode eq 'x'",
        ] {
            assert!(wanted(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_lists_can_say_is_shown_in_lists() {
        let shown = wanted("EventFormatType eq 'Event' and (Severity eq 'Warning' or Severity eq 'Critical') and MessageId ne 'A.1.0.B'").unwrap();
        assert_eq!(shown.filter.severities, ["Warning", "Critical"]);
        assert_eq!(shown.filter.exclude_message_ids, ["A.1.0.B"]);
        let none = wanted("Severity eq 'Warning' or ResourceType eq 'Bios'").unwrap();
        assert_eq!(none.filter, Filter::default());
        let both = wanted("MessageId eq 'A' and MessageId eq 'B'").unwrap();
        assert_eq!(both.filter, Filter::default());
        let reports = wanted("EventFormatType eq MetricReport").unwrap();
        assert_eq!(reports.format, Some(Format::MetricReport));
        let not_events = wanted("not (EventFormatType eq Event)").unwrap();
        assert_eq!(not_events.format, Some(Format::MetricReport));
        let either = wanted("EventFormatType eq MetricReport or Severity eq OK").unwrap();
        assert_eq!(either.format, None);
    }
}
