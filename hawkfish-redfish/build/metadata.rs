//! Writes the `$metadata` document.

use crate::csdl::{file_name, schema_of};
use crate::ir::Ir;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const PUBLIC: &str = "http://redfish.dmtf.org/schemas/v1";
/// Where the service gives out its own.
const OWN: &str = "/redfish/v1/schemas";

/// Terms and types that annotations in payloads use, beside what the resources themselves use.
const ANNOTATIONS: &[(&str, &str)] = &[
    ("Settings", "Settings"),
    ("Settings", "Settings.v1_4_0"),
    ("Message", "Message"),
];

pub(crate) fn emit(ir: &Ir) -> String {
    let mut files: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for namespace in &ir.namespaces {
        let schema = schema_of(namespace);
        let included = files.entry(schema.to_owned()).or_default();
        included.insert(schema);
        included.insert(namespace);
    }
    for (schema, namespace) in ANNOTATIONS {
        files
            .entry((*schema).to_owned())
            .or_default()
            .insert(namespace);
    }
    files
        .entry("ServiceRoot".to_owned())
        .or_default()
        .insert(&ir.container);

    let mut out = String::new();
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str(
        "<edmx:Edmx xmlns:edmx=\"http://docs.oasis-open.org/odata/ns/edmx\" Version=\"4.0\">\n",
    );
    let mut reference = |schema: &str, includes: &str| {
        writeln!(
            out,
            "  <edmx:Reference Uri=\"{}/{}\">\n{includes}  </edmx:Reference>",
            if ir.own.contains(schema) { OWN } else { PUBLIC },
            file_name(schema),
        )
        .expect("a string takes all");
    };
    for (schema, namespaces) in &files {
        let includes: String = namespaces
            .iter()
            .map(|namespace| format!("    <edmx:Include Namespace=\"{namespace}\"/>\n"))
            .collect();
        reference(schema, &includes);
    }
    reference(
        "RedfishExtensions",
        "    <edmx:Include Namespace=\"RedfishExtensions.v1_0_0\" Alias=\"Redfish\"/>\n",
    );
    let container = &ir.container;
    write!(
        out,
        "  <edmx:DataServices>\n    \
         <Schema xmlns=\"http://docs.oasis-open.org/odata/ns/edm\" Namespace=\"Service\">\n      \
         <EntityContainer Name=\"Service\" Extends=\"{container}.ServiceContainer\"/>\n    \
         </Schema>\n  </edmx:DataServices>\n</edmx:Edmx>\n"
    )
    .expect("a string takes all");
    out
}

/// Our own files whole, by name, as Rust.
pub(crate) fn files(own: &Path) -> String {
    let entries = fs::read_dir(own).expect("the folder of our own schemas can be read");
    let names: BTreeSet<String> = entries
        .map(|entry| {
            let name = entry.expect("an entry can be read").file_name();
            name.into_string().expect("a plain name")
        })
        .filter(|name| name.ends_with("_v1.xml"))
        .collect();
    let mut out = String::from("&[\n");
    for name in &names {
        writeln!(
            out,
            "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/schema/{name}\"))),"
        )
        .expect("a string takes all");
    }
    out.push_str("]\n");
    out
}
