//! Typed resources, one module per schema, newest version of each.

mod prop;

pub use prop::{OdataId, Oem, Prop};
