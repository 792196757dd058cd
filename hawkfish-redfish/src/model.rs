//! Typed resources: one module for each schema, the newest version of each.
//!
//! All of it is generated from DMTF's CSDL and `served.toml`. Of a type `Boot` there are
//!
//! - `Boot`, to be read: what may be null is a [`Prop`], what may be absent an `Option`;
//! - `BootPatch`, where something in it can be written: every property may be absent;
//! - `…Create`, where it can be created;
//! - `…Action` and `…Params` for every action.
//!
//! Reading is lenient, for real BMCs are: unknown properties and enumeration values are taken as
//! they are, and a null where none belongs counts as absent. [`crate::validate`] is strict.

mod prop;
mod support;

pub use prop::{OdataId, Oem, Prop};

pub use generated::*;

mod generated {
    #![expect(non_camel_case_types, reason = "the names are the schema's")]
    include!(concat!(env!("OUT_DIR"), "/model.rs"));
}
