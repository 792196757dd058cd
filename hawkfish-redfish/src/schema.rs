//! What DMTF's schemas say of every resource, served here or not: its properties, their types, and which of them a client may write. For services whose
//! resources are not ours, such as one that was recorded. What is served here is known more precisely: see [`crate::validate`].
//!
//! ```
//! use hawkfish_redfish::schema::{self, Of};
//!
//! let drive = schema::resource("Drive").unwrap();
//! assert!(drive.property("AssetTag").unwrap().is_writable);
//! assert!(!drive.property("SerialNumber").unwrap().is_writable);
//! let Of::One(of) = drive.property("IndicatorLED").unwrap().of else { panic!() };
//! assert!(of.iter().any(|value| value == "Lit"));
//! ```

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
struct Written(String, char, u8, usize);

#[derive(Deserialize)]
struct Tables {
    resources: BTreeMap<String, usize>,
    types: Vec<Vec<Written>>,
    enums: Vec<Vec<String>>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let text = include_str!(concat!(env!("OUT_DIR"), "/schemas.json"));
    serde_json::from_str(text).expect("the build script wrote it")
});

/// The type of an object, in its newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(usize);

/// A property of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Whether the schema lets clients write it; a service may still refuse.
    pub is_writable: bool,
    /// Whether it is an array of such values.
    pub is_list: bool,
    /// Whether it may be null; of an array, whether its elements may.
    pub is_nullable: bool,
    /// What its value is.
    pub of: Of,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A date and time, as text.
    DateTime,
    /// One of these texts.
    One(&'static [String]),
    /// A text, a number, or true or false.
    Primitive,
    /// An object of a type.
    Object(Type),
    /// A reference to a resource.
    Link,
    /// Something that DMTF's schemas do not describe.
    Unknown,
}

/// The type of a resource, by its name without a version: `ComputerSystem`.
#[must_use]
pub fn resource(name: &str) -> Option<Type> {
    TABLES.resources.get(name).map(|at| Type(*at))
}

impl Type {
    /// The property of a name.
    #[must_use]
    pub fn property(self, name: &str) -> Option<Property> {
        let properties = &TABLES.types[self.0];
        let at = properties.binary_search_by(|known| known.0.as_str().cmp(name));
        let Written(_, kind, flags, to) = &properties[at.ok()?];
        Some(Property {
            is_writable: flags & 1 != 0,
            is_list: flags & 2 != 0,
            is_nullable: flags & 4 != 0,
            of: match kind {
                'b' => Of::Bool,
                'i' => Of::Int,
                'n' => Of::Number,
                's' => Of::Text,
                't' => Of::DateTime,
                'e' => Of::One(&TABLES.enums[*to]),
                'p' => Of::Primitive,
                'o' => Of::Object(Type(*to)),
                'l' => Of::Link,
                _ => Of::Unknown,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_written_is_known_at_any_depth_and_of_resources_that_are_not_served() {
        let boot = resource("ComputerSystem")
            .unwrap()
            .property("Boot")
            .unwrap();
        let Of::Object(boot) = boot.of else {
            panic!("{boot:?}");
        };
        let target = boot.property("BootSourceOverrideTarget").unwrap();
        assert!(
            target.is_writable
                && matches!(target.of, Of::One(all) if all.iter().any(|v| v == "Pxe"))
        );
        assert!(!boot.property("BootOptions").unwrap().is_writable);
        let id = resource("ComputerSystem").unwrap().property("Id").unwrap();
        assert!(!id.is_writable);
        // Not served here.
        let outlet = resource("Outlet").unwrap();
        assert!(outlet.property("UserLabel").unwrap().is_writable);
        assert!(outlet.property("NoSuchThing").is_none());
        assert!(resource("NoSuchThing").is_none());
    }
}
