//! Bodies and representations against what is served.

use crate::message::{Message, base};
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

/// Why a body cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyProblem {
    /// Nothing but white space.
    Empty,
    /// Not JSON, or nested too deep; `line` counts from 1.
    Malformed {
        /// Where reading stopped.
        line: usize,
    },
    /// JSON, but not an object.
    NotObject,
    /// An object that names a property twice.
    Duplicate {
        /// The property.
        name: String,
    },
}

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

impl BodyProblem {
    /// The Base message that says so.
    pub fn message(&self) -> Message {
        match self {
            Self::Empty => base("EmptyJSON", &[]),
            Self::Malformed { .. } => base("MalformedJSON", &[]),
            Self::NotObject => base("UnrecognizedRequestBody", &[]),
            Self::Duplicate { name } => base("PropertyDuplicate", &[name]),
        }
    }
}

/// A PATCH body against what is writable here. OData annotations are passed over.
pub fn patch(_entity: &str, _body: &Map<String, Value>) -> Vec<Finding> {
    Vec::new()
}

/// A POST body that creates a member of a collection; `entity` is that of the member.
pub fn create(_entity: &str, _body: &Map<String, Value>) -> Vec<Finding> {
    Vec::new()
}

/// The body of an action. The action is named `Reset`, `ComputerSystem.Reset` or
/// `#ComputerSystem.Reset`.
pub fn action(
    _entity: &str,
    _action: &str,
    _body: &Map<String, Value>,
) -> Result<Vec<Finding>, UnknownAction> {
    Ok(Vec::new())
}

/// A full representation of a resource.
pub fn response(_entity: &str, _body: &Value) -> Vec<Finding> {
    Vec::new()
}

/// `#ComputerSystem.v1_26_0.ComputerSystem`; a collection has no version.
pub fn odata_type(_entity: &str) -> Option<&'static str> {
    None
}

/// Where the JSON Schema of the version served is published, for the `Link` header.
pub fn describedby(_entity: &str) -> Option<&'static str> {
    None
}

/// Reads a body: a JSON object, no key twice at any depth.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, BodyProblem> {
    if bytes.trim_ascii().is_empty() {
        return Err(BodyProblem::Empty);
    }
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(BodyProblem::NotObject),
        Err(error) => Err(BodyProblem::Malformed { line: error.line() }),
    }
}
