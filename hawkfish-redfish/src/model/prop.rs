//! What every model is made of.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An `Oem` object, or another one without a schema.
pub type Oem = serde_json::Map<String, serde_json::Value>;

/// A nullable property: not there, there and null, or there with a value.
///
/// In a representation null says "supported, but not known"; in a PATCH body it says "clear it",
/// and absent says "leave it".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Prop<T> {
    /// The property is not there.
    #[default]
    Absent,
    /// The property is null.
    Null,
    /// The property has a value.
    Value(T),
}

impl<T> Prop<T> {
    /// Null where there is no value: for a property that is always shown.
    pub fn or_null(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }

    /// Absent where there is no value: for a property that is shown only when known.
    pub fn or_absent(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }

    /// Is it not there?
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Is it there and null?
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// The value itself, if there is one.
    pub fn into_value(self) -> Option<T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// `None` where absent, `Some(None)` where null: what a patch has to act on.
    pub fn change(self) -> Option<Option<T>> {
        match self {
            Self::Absent => None,
            Self::Null => Some(None),
            Self::Value(value) => Some(Some(value)),
        }
    }

    /// The same property with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Prop<U> {
        match self {
            Self::Absent => Prop::Absent,
            Self::Null => Prop::Null,
            Self::Value(value) => Prop::Value(f(value)),
        }
    }
}

impl<T: std::ops::Deref> Prop<T> {
    /// The value as what it points to: `Option<&str>` of a `Prop<String>`.
    pub fn as_deref(&self) -> Option<&T::Target> {
        self.value().map(|value| &**value)
    }
}

impl<T> From<T> for Prop<T> {
    fn from(value: T) -> Self {
        Self::Value(value)
    }
}

impl From<&str> for Prop<String> {
    fn from(value: &str) -> Self {
        Self::Value(value.to_owned())
    }
}

impl<T: Serialize> Serialize for Prop<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Value(value) => value.serialize(serializer),
            // An absent property is skipped by the struct that holds it.
            Self::Absent | Self::Null => serializer.serialize_none(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Prop<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::or_null)
    }
}

/// A reference to a resource: `{"@odata.id": "/redfish/v1/..."}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct OdataId {
    /// The URI.
    #[serde(rename = "@odata.id", default)]
    pub odata_id: String,
}

impl OdataId {
    /// A reference to a URI.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            odata_id: uri.into(),
        }
    }
}

impl<T: Into<String>> From<T> for OdataId {
    fn from(uri: T) -> Self {
        Self::new(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Thing {
        #[serde(default, skip_serializing_if = "Prop::is_absent")]
        tag: Prop<String>,
    }

    #[test]
    fn absent_null_and_value_survive_the_way_through_json() {
        for (tag, json) in [
            (Prop::Absent, "{}"),
            (Prop::Null, r#"{"tag":null}"#),
            ("x".into(), r#"{"tag":"x"}"#),
        ] {
            let thing = Thing { tag };
            assert_eq!(serde_json::to_string(&thing).unwrap(), json);
            assert_eq!(serde_json::from_str::<Thing>(json).unwrap(), thing);
        }
    }

    #[test]
    fn a_change_tells_clearing_from_leaving() {
        assert_eq!(Prop::<u8>::Absent.change(), None);
        assert_eq!(Prop::<u8>::Null.change(), Some(None));
        assert_eq!(Prop::from(3).change(), Some(Some(3)));
    }
}
