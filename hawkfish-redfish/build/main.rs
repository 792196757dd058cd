//! Makes models, validation tables and `$metadata` from DMTF's CSDL, from ours and `served.toml`.
//!
//! DMTF's lies in the crate `nv-redfish-schema`; nothing of it is kept in this one. What is
//! HawkFish's own (DSP0266, "OEM extensions") is in `schema/`, as CSDL too, and is read the same way. What is
//! served, and what of it can be written, is decided by people in `served.toml`; a name there that
//! the CSDL does not know, or a required property left out, fails the build.

#![expect(clippy::print_stdout, reason = "cargo is spoken to over stdout")]

mod csdl;
mod ir;
mod metadata;
mod names;
mod resolve;
mod rust;
mod schemas;
mod served;
#[path = "../src/table.rs"]
#[expect(dead_code, reason = "the library reads what is only written here")]
mod table;
mod tables;

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=served.toml");
    println!("cargo:rerun-if-changed=schema");
    println!("cargo:rerun-if-changed=src/table.rs");

    let served = served::read(Path::new("served.toml"));
    let own = Path::new("schema");
    let mut csdl = csdl::Csdl::new(nv_redfish_schema::REDFISH_CSDL_DIR.as_ref(), own);
    let ir = resolve::resolve(&mut csdl, &served);

    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let out = Path::new(&out);
    fs::write(out.join("model.rs"), rust::emit(&ir)).expect("model.rs can be written");
    fs::write(out.join("table.json"), tables::emit(&ir)).expect("table.json can be written");
    fs::write(out.join("metadata.xml"), metadata::emit(&ir)).expect("metadata.xml can be written");
    let schemas = schemas::emit(&mut csdl, nv_redfish_schema::REDFISH_CSDL_DIR.as_ref());
    fs::write(out.join("schemas.json"), schemas).expect("schemas.json can be written");
    fs::write(out.join("own.rs"), metadata::files(own)).expect("own.rs can be written");
}
