//! Walks a body and the table together.

use super::format::{is_date_time, is_duration, is_guid, is_uri_reference};
use super::shown::{HIDDEN, shown};
use super::{Finding, Problem, entity};
use crate::table::{Flags, Kind, Property, Table, Type};
use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Patch,
    Create,
    Action,
    Response,
}

pub(super) struct Check<'a> {
    table: &'static Table,
    mode: Mode,
    path: Vec<Step<'a>>,
    pub(super) findings: Vec<Finding>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

/// More than this many things wrong are not listed: nobody reads them, and a body is made to have
/// them cheaply.
const MAX_FINDINGS: usize = 100;

impl<'a> Check<'a> {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            table: Table::get(),
            mode,
            path: Vec::with_capacity(8),
            findings: Vec::new(),
        }
    }

    /// All members are unknown.
    pub(super) fn refuse(&mut self, body: &'a Map<String, Value>) {
        for name in body.keys() {
            self.at(Step::Name(name), |check| check.find(name, Problem::Unknown));
        }
    }

    pub(super) fn object(&mut self, ty: usize, body: &'a Map<String, Value>) {
        let ty = &self.table.types[ty];
        for (name, value) in body {
            self.path.push(Step::Name(name));
            self.member(ty, name, value);
            self.path.pop();
        }
        self.missing(ty, body);
    }

    fn at(&mut self, step: Step<'a>, f: impl FnOnce(&mut Self)) {
        self.path.push(step);
        f(self);
        self.path.pop();
    }

    fn member(&mut self, ty: &'static Type, name: &str, value: &'a Value) {
        let annotation = name.contains('@');
        if annotation && self.mode != Mode::Response {
            // A client's annotations are not looked at; but one beside a parameter is a slip.
            if self.mode == Mode::Action && !name.starts_with('@') {
                self.find(name, Problem::Unknown);
            }
            return;
        }
        if let Some(property) = ty.property(name) {
            return self.property(ty, property, value);
        }
        if annotation {
            if !is_annotation(name) {
                self.find(name, Problem::Unknown);
            }
            return;
        }
        for (pattern, kind) in &ty.dynamic {
            if self.table.pattern(*pattern).is_match(name) {
                return self.value(name, *kind, Flags::default(), None, value);
            }
        }
        if !ty.open {
            self.find(name, Problem::Unknown);
        }
    }

    fn property(&mut self, ty: &'static Type, property: &'static Property, value: &'a Value) {
        let flags = property.flags;
        let (below, given) = match property.kind {
            Kind::Object(at) => {
                let below = &self.table.types[at];
                (below.writable, below.creatable)
            }
            _ => (false, false),
        };
        let allowed = match self.mode {
            Mode::Patch => below || flags.has(Flags::WRITABLE),
            // What is within an array or an object that may be given may be given, too, unless that says itself what may.
            Mode::Create => {
                let whole = self.path.len() > 1 && !ty.creatable;
                whole || given || flags.has(Flags::CREATE)
            }
            Mode::Action | Mode::Response => true,
        };
        if !allowed {
            return self.find(&property.name, Problem::NotWritable);
        }
        if !flags.has(Flags::ARRAY) {
            return self.scalar(property, flags, value);
        }
        let Value::Array(items) = value else {
            let optional = self.mode == Mode::Action && !flags.has(Flags::REQUIRED);
            if !(optional && value.is_null()) {
                let value = shown(value, flags.has(Flags::SECRET));
                self.find(&property.name, Problem::Type { value });
            }
            return;
        };
        for (index, item) in items.iter().enumerate() {
            // Null removes an element.
            if self.mode == Mode::Patch && item.is_null() {
                continue;
            }
            self.at(Step::Index(index), |check| {
                check.scalar(property, flags, item)
            });
        }
    }

    fn scalar(&mut self, property: &'static Property, flags: Flags, value: &'a Value) {
        self.value(&property.name, property.kind, flags, Some(property), value);
    }

    fn value(
        &mut self,
        name: &str,
        kind: Kind,
        flags: Flags,
        property: Option<&'static Property>,
        value: &'a Value,
    ) {
        let secret = flags.has(Flags::SECRET);
        if value.is_null() {
            let optional = self.mode == Mode::Action && !flags.has(Flags::REQUIRED);
            if !flags.has(Flags::NULLABLE) && !optional {
                self.find(
                    name,
                    Problem::Type {
                        value: "null".to_owned(),
                    },
                );
            }
            return;
        }
        let problem = match (kind, value) {
            (Kind::Bool, Value::Bool(_))
            | (Kind::Map, Value::Object(_))
            | (Kind::Primitive, Value::Bool(_) | Value::Number(_) | Value::String(_)) => None,
            (Kind::Int, Value::Number(number)) if is_whole(number) => range(property, number),
            (Kind::Decimal, Value::Number(number)) => range(property, number),
            (Kind::Enum(at), Value::String(text)) => {
                let known = self.table.enums[at].iter().any(|member| member == text);
                (!known).then(|| Problem::NotInList {
                    value: shown(value, secret),
                })
            }
            (Kind::Object(at), Value::Object(body)) => return self.object(at, body),
            (Kind::Link, Value::Object(body)) => return self.link(body),
            (
                Kind::Str | Kind::Uri | Kind::DateTime | Kind::Guid | Kind::Duration,
                Value::String(text),
            ) => {
                // A password is null in every representation (DSP0266, "Property permissions").
                let hidden = flags.has(Flags::WRITE_ONLY) || (secret && name.contains("Password"));
                let longest = property.and_then(|property| property.max_length);
                let too_long = longest.filter(|max| text.chars().count() as u64 > *max);
                if hidden && self.mode == Mode::Response {
                    Some(Problem::Type {
                        value: HIDDEN.to_owned(),
                    })
                } else if let Some(max) = too_long {
                    Some(Problem::TooLong {
                        value: shown(value, secret),
                        max,
                    })
                } else {
                    let good = match kind {
                        Kind::Uri => is_uri_reference(text),
                        Kind::DateTime => is_date_time(text),
                        Kind::Guid => is_guid(text),
                        Kind::Duration => is_duration(text),
                        _ => true,
                    } && property
                        .and_then(|property| property.pattern)
                        .is_none_or(|pattern| self.table.pattern(pattern).is_match(text));
                    (!good).then(|| Problem::Format {
                        value: shown(value, secret),
                    })
                }
            }
            _ => Some(Problem::Type {
                value: shown(value, secret),
            }),
        };
        if let Some(problem) = problem {
            self.find(name, problem);
        }
    }

    /// A reference is `{"@odata.id": ...}`; one that carries a type has been expanded.
    fn link(&mut self, body: &'a Map<String, Value>) {
        if self.mode == Mode::Response
            && let Some(Value::String(ty)) = body.get("@odata.type")
        {
            let name = ty
                .trim_start_matches('#')
                .split('.')
                .next()
                .unwrap_or_default();
            match entity(name) {
                Some(entity) => self.object(entity.ty, body),
                None => self.find("@odata.type", Problem::NotInList { value: ty.clone() }),
            }
            return;
        }
        for (name, value) in body {
            self.at(Step::Name(name), |check| match (name.as_str(), value) {
                ("@odata.id", Value::String(uri)) if is_uri_reference(uri) => {}
                ("@odata.id", Value::String(_)) => {
                    check.find(
                        name,
                        Problem::Format {
                            value: shown(value, false),
                        },
                    );
                }
                ("@odata.id", _) => check.find(
                    name,
                    Problem::Type {
                        value: shown(value, false),
                    },
                ),
                _ if is_annotation(name) => {}
                _ => check.find(name, Problem::Unknown),
            });
        }
        if !body.contains_key("@odata.id") {
            self.at(Step::Name("@odata.id"), |check| {
                check.find("@odata.id", Problem::Missing)
            });
        }
    }

    fn missing(&mut self, ty: &'static Type, body: &'a Map<String, Value>) {
        match self.mode {
            Mode::Patch => {}
            Mode::Create => {
                for property in &ty.properties {
                    if property.flags.has(Flags::REQUIRED_ON_CREATE) {
                        self.need(property, body);
                    }
                }
            }
            Mode::Action | Mode::Response => {
                for place in &ty.index.required {
                    self.need(&ty.properties[usize::from(*place)], body);
                }
            }
        }
    }

    fn need(&mut self, property: &'static Property, body: &'a Map<String, Value>) {
        if !body.contains_key(&property.name) {
            let step = Step::Name(&property.name);
            self.at(step, |check| check.find(&property.name, Problem::Missing));
        }
    }

    fn find(&mut self, name: &str, problem: Problem) {
        if self.findings.len() < MAX_FINDINGS {
            let finding = Finding {
                pointer: self.pointer(),
                name: name.to_owned(),
                problem,
            };
            self.findings.push(finding);
        }
    }

    fn pointer(&self) -> String {
        let mut pointer = String::new();
        for step in &self.path {
            pointer.push('/');
            match step {
                Step::Name(name) => pointer.push_str(&name.replace('~', "~0").replace('/', "~1")),
                Step::Index(index) => pointer.push_str(&index.to_string()),
            }
        }
        pointer
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|n| n.fract() == 0.0)
}

fn range(property: Option<&Property>, number: &serde_json::Number) -> Option<Problem> {
    let property = property?;
    let n = number.as_f64()?;
    let good = property.min.is_none_or(|min| n >= min) && property.max.is_none_or(|max| n <= max);
    (!good).then(|| Problem::OutOfRange {
        value: number.to_string(),
    })
}

/// `@odata.id`, `Members@odata.count`, `ResetType@Redfish.AllowableValues`, …
fn is_annotation(name: &str) -> bool {
    let Some((property, term)) = name.split_once('@') else {
        return false;
    };
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    (property.is_empty() || word(property))
        && term.split_once('.').is_some_and(|(namespace, term)| {
            matches!(namespace, "odata" | "Redfish" | "Message") && word(term)
        })
}
