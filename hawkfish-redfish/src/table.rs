//! The validation tables: what the build script writes and [`crate::validate`] walks.
//!
//! The build script includes this file too, so that the two cannot differ. Everything is held by
//! index in flat lists; an entity that is served in several versions is several [`Entity`] rows.

use serde::{Deserialize, Serialize};

/// All that is known of what is served.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    /// Sorted by name, the newest version of each first.
    #[serde(rename = "e")]
    pub entities: Vec<Entity>,
    #[serde(rename = "t")]
    pub types: Vec<Type>,
    #[serde(rename = "n")]
    pub enums: Vec<Vec<String>>,
    #[serde(rename = "p")]
    pub patterns: Vec<String>,
    #[serde(rename = "x")]
    pub extensions: Vec<Extension>,
}

/// An object of a vendor within the `Oem` of something.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Extension {
    /// The schema: `HawkFishEventDestination`.
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "t")]
    pub ty: usize,
}

/// A resource or a collection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "n")]
    pub name: String,
    /// `#ComputerSystem.v1_28_0.ComputerSystem`.
    #[serde(rename = "o")]
    pub odata_type: String,
    #[serde(rename = "d")]
    pub described_by: String,
    #[serde(rename = "t")]
    pub ty: usize,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Insertable, updatable, deletable here.
    #[serde(rename = "c")]
    pub capabilities: [bool; 3],
    /// Since which version clients are asked not to use it any more, if they are; empty where that is not said.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
    /// URI templates that clients are asked not to use any more.
    #[serde(rename = "y", default, skip_serializing_if = "Vec::is_empty")]
    pub deprecated_uris: Vec<String>,
}

/// An action that is served.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Action {
    /// `ComputerSystem.Reset`.
    #[serde(rename = "n")]
    pub name: String,
    /// Its parameters, as a type whose required properties are the required parameters.
    #[serde(rename = "p")]
    pub params: usize,
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

/// An object: an entity, a complex type, an action, the parameters of an action.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Type {
    /// `ComputerSystem.v1_28_0.Boot`.
    #[serde(rename = "n")]
    pub name: String,
    /// Sorted by name, so that what is found does not depend on the order in the schema.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
    /// Further properties by pattern.
    #[serde(rename = "d", default, skip_serializing_if = "Vec::is_empty")]
    pub dynamic: Vec<(usize, Kind)>,
    /// Any further property is allowed.
    #[serde(rename = "o", default, skip_serializing_if = "is_false")]
    pub open: bool,
    /// Something in it, at any depth, can be written here.
    #[serde(rename = "w", default, skip_serializing_if = "is_false")]
    pub writable: bool,
    /// Something in it, at any depth, is said to be given when it is created; what is not said, is not.
    #[serde(rename = "c", default, skip_serializing_if = "is_false")]
    pub creatable: bool,
    /// Where each name is among the properties; made when the table is loaded.
    #[serde(skip)]
    pub index: Index,
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Names to places by a hash of their own: a representation is looked up member by member, and
/// comparing strings through a binary search took two thirds of the time of a validation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    /// As many as a power of two; a place counts from 1, and 0 is empty.
    slots: Vec<u16>,
    /// Places of the required ones.
    pub required: Vec<u16>,
}

impl Index {
    fn hash(name: &str) -> usize {
        // FNV-1a.
        name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }) as usize
    }
}

impl Type {
    /// Makes the index of the properties.
    pub(crate) fn index(&mut self) {
        let size = (self.properties.len() * 2).next_power_of_two();
        self.index.slots = vec![0; size];
        for (place, property) in (1..).zip(&self.properties) {
            let mut at = Index::hash(&property.name) & (size - 1);
            while self.index.slots[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            self.index.slots[at] = place;
            if property.flags.has(Flags::REQUIRED) {
                self.index.required.push(place - 1);
            }
        }
    }

    pub(crate) fn property(&self, name: &str) -> Option<&Property> {
        let mask = self.index.slots.len() - 1;
        let mut at = Index::hash(name) & mask;
        loop {
            let property = &self.properties[usize::from(self.index.slots[at].checked_sub(1)?)];
            if property.name == name {
                return Some(property);
            }
            at = (at + 1) & mask;
        }
    }
}

/// A property or a parameter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Property {
    #[serde(rename = "n")]
    pub name: String,
    #[serde(rename = "k")]
    pub kind: Kind,
    #[serde(rename = "f")]
    pub flags: Flags,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<usize>,
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Characters of a string at most.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u64>,
    /// Since which version clients are asked not to use it any more, if they are; empty where that is not said.
    #[serde(rename = "z", default, skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

/// What a value must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[serde(rename = "b")]
    Bool,
    #[serde(rename = "i")]
    Int,
    #[serde(rename = "f")]
    Decimal,
    #[serde(rename = "s")]
    Str,
    #[serde(rename = "u")]
    Uri,
    #[serde(rename = "t")]
    DateTime,
    #[serde(rename = "g")]
    Guid,
    #[serde(rename = "d")]
    Duration,
    /// A string, a number or a boolean.
    #[serde(rename = "p")]
    Primitive,
    /// Any object (`Oem`).
    #[serde(rename = "m")]
    Map,
    /// A reference to a resource, or the resource itself once expanded.
    #[serde(rename = "l")]
    Link,
    /// Index into [`Table::enums`].
    #[serde(rename = "e")]
    Enum(usize),
    /// Index into [`Table::types`].
    #[serde(rename = "o")]
    Object(usize),
}

/// A set of the constants below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Flags(pub u16);

impl Flags {
    /// Null is allowed; of an array: as an element.
    pub(crate) const NULLABLE: Self = Self(1);
    pub(crate) const ARRAY: Self = Self(1 << 1);
    /// It can be written here.
    pub(crate) const WRITABLE: Self = Self(1 << 2);
    pub(crate) const REQUIRED: Self = Self(1 << 3);
    /// It can be given here when the resource is created.
    pub(crate) const CREATE: Self = Self(1 << 4);
    pub(crate) const REQUIRED_ON_CREATE: Self = Self(1 << 5);
    /// Its value is never shown.
    pub(crate) const SECRET: Self = Self(1 << 6);
    /// It is part of an excerpt of the resource.
    pub(crate) const EXCERPT: Self = Self(1 << 7);
    /// It is null wherever it is shown.
    pub(crate) const WRITE_ONLY: Self = Self(1 << 8);

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
