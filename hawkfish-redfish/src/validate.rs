//! Bodies and representations against what is served.
//!
//! [`patch`], [`create`] and [`action`] look at what a client sends; [`response`] at what is
//! answered. They never stop at the first thing wrong, so that the client is told everything at
//! once. [`allowable`] holds a body against the `@Redfish.AllowableValues` of the moment.
//!
//! An entity is named as its schema is: `ComputerSystem`, `ComputerSystemCollection`.

mod allowable;
mod body;
mod check;
mod format;
mod shown;

pub use allowable::allowable;
pub use body::{BodyProblem, parse_strict};

use crate::message::{Message, base};
use crate::table::{Action, Entity, Flags, Kind, Property, Table};
use check::{Check, Mode};
use serde_json::{Map, Value};

/// One thing wrong with a body.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// JSON pointer to it, `/Boot/BootSourceOverrideTarget`; empty for the body itself.
    pub pointer: String,
    /// The name of the property or parameter.
    pub name: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a property. `value` is for showing: a secret is never in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The resource has no such property here.
    Unknown,
    /// It cannot be written here.
    NotWritable,
    /// Wrong JSON type, or null where null is not allowed.
    Type {
        /// What was sent.
        value: String,
    },
    /// Not one of the values of the enumeration.
    NotInList {
        /// What was sent.
        value: String,
    },
    /// Does not match the pattern, or is no date-time, URI, GUID or duration.
    Format {
        /// What was sent.
        value: String,
    },
    /// Below the minimum or above the maximum.
    OutOfRange {
        /// What was sent.
        value: String,
    },
    /// A string with too many characters.
    TooLong {
        /// What was sent.
        value: String,
        /// Most characters allowed.
        max: u64,
    },
    /// A string with too few characters.
    TooShort {
        /// What was sent.
        value: String,
        /// Fewest characters allowed.
        min: u64,
    },
    /// An array with too many elements.
    ArrayTooLong {
        /// Most elements allowed.
        max: u64,
    },
    /// An array with too few elements.
    ArrayTooShort {
        /// Fewest elements needed.
        min: u64,
    },
    /// It must be there and is not.
    Missing,
    /// It stands there twice.
    Duplicate,
}

/// The entity has no such action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownAction;

impl Finding {
    /// The Base message for a property, its pointer in `RelatedProperties`.
    pub fn message(&self) -> Message {
        let name = self.name.as_str();
        let message = match &self.problem {
            Problem::Unknown => base("PropertyUnknown", &[name]),
            Problem::NotWritable => base("PropertyNotWritable", &[name]),
            Problem::Type { value } => base("PropertyValueTypeError", &[value, name]),
            Problem::NotInList { value } => base("PropertyValueNotInList", &[value, name]),
            Problem::Format { value } => base("PropertyValueFormatError", &[value, name]),
            Problem::OutOfRange { value } => base("PropertyValueOutOfRange", &[value, name]),
            Problem::TooLong { value, max } => {
                base("StringValueTooLong", &[value, &max.to_string()])
            }
            Problem::TooShort { value, min } => {
                base("StringValueTooShort", &[value, &min.to_string()])
            }
            Problem::ArrayTooLong { max } => base("ArraySizeTooLong", &[name, &max.to_string()]),
            Problem::ArrayTooShort { min } => base("ArraySizeTooShort", &[name, &min.to_string()]),
            // Base deprecates CreateFailedMissingReqProperties in favour of this one.
            Problem::Missing => base("PropertyMissing", &[name]),
            Problem::Duplicate => base("PropertyDuplicate", &[name]),
        };
        message.related(&self.pointer)
    }

    /// The Base message for a parameter of the action, which is named as it is in the schema
    /// (`ComputerSystem.Reset`).
    pub fn action_message(&self, action: &str) -> Message {
        let name = self.name.as_str();
        let message = match &self.problem {
            Problem::Unknown => base("ActionParameterUnknown", &[action, name]),
            Problem::NotWritable => base("ActionParameterNotSupported", &[name, action]),
            Problem::Type { value } => {
                base("ActionParameterValueTypeError", &[value, name, action])
            }
            Problem::NotInList { value } => {
                base("ActionParameterValueNotInList", &[value, name, action])
            }
            Problem::Format { value } => {
                base("ActionParameterValueFormatError", &[value, name, action])
            }
            Problem::OutOfRange { value } => {
                base("ActionParameterValueOutOfRange", &[value, name, action])
            }
            Problem::TooLong { .. }
            | Problem::TooShort { .. }
            | Problem::ArrayTooLong { .. }
            | Problem::ArrayTooShort { .. } => return self.message(),
            Problem::Missing => base("ActionParameterMissing", &[action, name]),
            Problem::Duplicate => base("ActionParameterDuplicate", &[action, name]),
        };
        message.related(&self.pointer)
    }
}

/// A PATCH body against what is writable here. OData annotations are passed over, and so are `{}`
/// and null as elements of an array, which leave and remove the element (DSP0266).
pub fn patch(entity: &str, body: &Map<String, Value>) -> Vec<Finding> {
    check(entity, Mode::Patch, body)
}

/// A POST body that creates a member of a collection; `entity` is that of the member.
pub fn create(entity: &str, body: &Map<String, Value>) -> Vec<Finding> {
    check(entity, Mode::Create, body)
}

/// The body of an action. The action is named `Reset`, `ComputerSystem.Reset` or
/// `#ComputerSystem.Reset`. An optional parameter may be null, as if it were not given.
///
/// # Errors
///
/// The entity has no such action here.
pub fn action(
    entity: &str,
    action: &str,
    body: &Map<String, Value>,
) -> Result<Vec<Finding>, UnknownAction> {
    let action = find_action(entity, action).ok_or(UnknownAction)?;
    let mut check = Check::new(Mode::Action);
    check.object(action.params, body);
    Ok(check.findings)
}

/// A full representation of a resource, as it is before `$select` and after `$expand`: a reference
/// that carries an `@odata.type` is held against that entity.
pub fn response(entity: &str, body: &Value) -> Vec<Finding> {
    match body {
        Value::Object(body) => check(entity, Mode::Response, body),
        other => vec![Finding {
            pointer: String::new(),
            name: entity.to_owned(),
            problem: Problem::Type {
                value: shown::shown(other, false),
            },
        }],
    }
}

/// The full name of an action of the entity, `ComputerSystem.Reset`, if it is served.
pub fn action_name(entity: &str, action: &str) -> Option<&'static str> {
    find_action(entity, action).map(|action| action.name.as_str())
}

/// The full names of the actions of the entity that are served.
pub fn actions(entity: &str) -> impl Iterator<Item = &'static str> {
    let actions = self::entity(entity).map_or(&[][..], |entity| &entity.actions);
    actions.iter().map(|action| action.name.as_str())
}

/// `#ComputerSystem.v1_28_0.ComputerSystem`; a collection has no version.
pub fn odata_type(entity: &str) -> Option<&'static str> {
    self::entity(entity).map(|entity| entity.odata_type.as_str())
}

/// Where the JSON Schema of the version served is published, for the `Link` header.
pub fn describedby(entity: &str) -> Option<&'static str> {
    self::entity(entity).map(|entity| entity.described_by.as_str())
}

/// The entities that are served, in alphabetic order.
pub fn entities() -> impl Iterator<Item = &'static str> {
    Table::get()
        .entities
        .iter()
        .map(|entity| entity.name.as_str())
}

/// What can be done with an entity here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A collection: POST adds a member.
    pub insertable: bool,
    /// PATCH changes something.
    pub updatable: bool,
    /// DELETE removes it.
    pub deletable: bool,
}

/// What can be done with an entity here, as `served.toml` says.
pub fn capabilities(entity: &str) -> Option<Capabilities> {
    let [insertable, updatable, deletable] = self::entity(entity)?.capabilities;
    Some(Capabilities {
        insertable,
        updatable,
        deletable,
    })
}

/// The entity of the members of a collection.
pub fn member(entity: &str) -> Option<&'static str> {
    self::entity(entity)?.member.as_deref()
}

/// Of what kind the property at the path is.
pub(crate) fn kind(entity: &str, path: &str) -> Option<Kind> {
    property(entity, path).map(|property| property.kind)
}

/// Is there a property at the path, such as `Boot/BootOrder`?
pub fn is_served_property(entity: &str, path: &str) -> bool {
    property(entity, path).is_some()
}

/// Can the property at the path be changed by PATCH?
pub fn is_writable(entity: &str, path: &str) -> bool {
    property(entity, path).is_some_and(|property| property.flags.has(Flags::WRITABLE))
}

fn property(entity: &str, path: &str) -> Option<&'static Property> {
    let table = Table::get();
    let mut path = path.trim_start_matches('/').split('/');
    let mut found = table.types[self::entity(entity)?.ty].property(path.next()?)?;
    for name in path {
        let Kind::Object(below) = found.kind else {
            return None;
        };
        found = table.types[below].property(name)?;
    }
    Some(found)
}

pub(crate) fn entity(name: &str) -> Option<&'static Entity> {
    let entities = &Table::get().entities;
    let at = entities.partition_point(|entity| entity.name.as_str() < name);
    entities.get(at).filter(|entity| entity.name == name)
}

fn find_action(entity: &str, action: &str) -> Option<&'static Action> {
    let action = action.trim_start_matches('#');
    self::entity(entity)?
        .actions
        .iter()
        .find(|known| known.name == action || known.name.split('.').nth(1) == Some(action))
}

fn check(entity: &str, mode: Mode, body: &Map<String, Value>) -> Vec<Finding> {
    let mut check = Check::new(mode);
    match self::entity(entity) {
        Some(entity) => check.object(entity.ty, body),
        None => {
            debug_assert!(false, "{entity} is not served");
            check.refuse(body);
        }
    }
    check.findings
}

#[cfg(test)]
mod tests;
