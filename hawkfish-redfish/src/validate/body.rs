//! Reads a body, more strictly than serde_json does by itself.

use crate::message::{Message, base};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// Objects and arrays within each other, at most. No resource comes near it.
const MAX_DEPTH: usize = 64;

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

/// Reads a body: a JSON object, no key twice at any depth, nothing behind it.
///
/// # Errors
///
/// Says which of these it is not.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, BodyProblem> {
    if bytes.trim_ascii().is_empty() {
        return Err(BodyProblem::Empty);
    }
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let strict = Strict {
        duplicate: &duplicate,
        depth: 0,
    };
    let value = strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| match duplicate.take() {
            Some(name) => BodyProblem::Duplicate { name },
            None => BodyProblem::Malformed {
                line: error.line().max(1),
            },
        })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(BodyProblem::NotObject)
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<String>>,
    depth: usize,
}

impl Strict<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(deeper)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if object.contains_key(&name) {
                *self.duplicate.borrow_mut() = Some(name);
                return Err(A::Error::custom("a property stands twice"));
            }
            let value = map.next_value_seed(deeper)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_good_body_is_read_as_it_is() {
        let body = br#" {"Boot": {"BootOrder": ["a", null, -1, 1.5, true]}, "x": {}} "#;
        assert_eq!(
            parse_strict(body).unwrap(),
            json!({"Boot": {"BootOrder": ["a", null, -1, 1.5, true]}, "x": {}})
        );
    }

    #[test]
    fn a_property_that_stands_twice_is_named_at_any_depth() {
        let duplicate = |name: &str| {
            Err(BodyProblem::Duplicate {
                name: name.to_owned(),
            })
        };
        assert_eq!(parse_strict(br#"{"a": 1, "a": 1}"#), duplicate("a"));
        assert_eq!(
            parse_strict(br#"{"a": [{"b": {"c": 1, "\u0063": 2}}]}"#),
            duplicate("c")
        );
        assert!(parse_strict(br#"{"a": {"b": 1}, "b": {"a": 1}}"#).is_ok());
    }

    #[test]
    fn what_is_no_object_is_told_apart_from_what_is_no_json() {
        assert_eq!(parse_strict(b""), Err(BodyProblem::Empty));
        assert_eq!(parse_strict(b" \r\n\t"), Err(BodyProblem::Empty));
        for body in ["[]", "null", "1", "\"x\"", "[{}]"] {
            assert_eq!(
                parse_strict(body.as_bytes()),
                Err(BodyProblem::NotObject),
                "{body}"
            );
        }
        for body in [
            "{",
            "{\"a\"}",
            "{} {}",
            "{}x",
            "{'a': 1}",
            "{\"a\": NaN}",
            "\u{feff}{}",
        ] {
            assert_eq!(
                parse_strict(body.as_bytes()),
                Err(BodyProblem::Malformed { line: 1 }),
                "{body}"
            );
        }
        assert_eq!(
            parse_strict(b"{\"a\": \"\xff\"}"),
            Err(BodyProblem::Malformed { line: 1 })
        );
        assert_eq!(
            parse_strict(b"{\n\n  oops"),
            Err(BodyProblem::Malformed { line: 3 })
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| format!("{{\"a\":{}1{}}}", "[".repeat(n), "]".repeat(n));
        assert!(parse_strict(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        for n in [MAX_DEPTH, 100_000] {
            let problem = parse_strict(nested(n).as_bytes());
            assert_eq!(problem, Err(BodyProblem::Malformed { line: 1 }));
        }
    }
}
