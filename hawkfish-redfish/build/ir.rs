//! What is served, resolved: what every emitter starts from.

use crate::table::{Flags, Kind};
use std::collections::BTreeSet;

#[derive(Default)]
pub(crate) struct Ir {
    pub(crate) entities: Vec<Entity>,
    pub(crate) types: Vec<Type>,
    pub(crate) enums: Vec<Enum>,
    /// Every namespace that something served comes from.
    pub(crate) namespaces: BTreeSet<String>,
    /// Objects of ours within `Oem`: schema to types.
    pub(crate) extensions: Vec<(String, usize)>,
    /// Which schemas are ours.
    pub(crate) own: BTreeSet<String>,
    /// `ServiceRoot.v1_16_0`, whose entity container is the newest.
    pub(crate) container: String,
}

pub(crate) struct Entity {
    pub(crate) name: String,
    /// `ComputerSystem.v1_28_0`, or `ComputerSystemCollection`.
    pub(crate) namespace: String,
    pub(crate) ty: usize,
    /// The entity of the members of a collection.
    pub(crate) member: Option<String>,
    pub(crate) deprecated: Option<String>,
    pub(crate) deprecated_uris: Vec<String>,
    pub(crate) actions: Vec<Action>,
    pub(crate) capabilities: [bool; 3],
}

pub(crate) struct Action {
    /// `ComputerSystem.Reset`.
    pub(crate) name: String,
    pub(crate) deprecated: Option<String>,
    pub(crate) params: usize,
}

/// What an object is for; it decides what is made of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Entity,
    Collection,
    Complex,
    /// `Oem` with an object for each vendor.
    Oem,
    /// The object of a vendor within `Oem`.
    Extension,
    /// `Actions` or the `Oem` within, one property for each action.
    Actions,
    /// `#ComputerSystem.Reset` within `Actions`.
    Action,
    Params,
}

pub(crate) struct Type {
    pub(crate) role: Role,
    pub(crate) schema: String,
    /// `ComputerSystem.v1_28_0.Boot`.
    pub(crate) full: String,
    /// The Rust name.
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) open: bool,
    pub(crate) dynamic: Vec<(String, Kind)>,
    /// PATCH can change the further properties.
    pub(crate) dynamic_writable: bool,
    /// Annotations of an entity that are known by name.
    pub(crate) annotations: Vec<Property>,
    pub(crate) properties: Vec<Property>,
}

pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
    pub(crate) pattern: Option<String>,
    pub(crate) max_length: Option<u64>,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
    pub(crate) allowable: bool,
    /// Since which version, if it is; empty where that is not said.
    pub(crate) deprecated: Option<String>,
}

pub(crate) struct Enum {
    pub(crate) schema: String,
    pub(crate) full: String,
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) members: Vec<(String, String)>,
}

impl Ir {
    /// Something in the type, at any depth, has the flag.
    pub(crate) fn reaches(&self, ty: usize, flag: Flags) -> bool {
        let dynamic = flag == Flags::WRITABLE && self.types[ty].dynamic_writable;
        dynamic || self.types[ty].properties.iter().any(|property| {
            property.flags.has(flag)
                || matches!(property.kind, Kind::Object(below) if below != ty && self.reaches(below, flag))
        })
    }
}

/// Puts sets of flags together.
pub(crate) trait With {
    fn with(self, other: Flags, on: bool) -> Flags;
}

impl With for Flags {
    fn with(self, other: Self, on: bool) -> Self {
        if on { Self(self.0 | other.0) } else { self }
    }
}
