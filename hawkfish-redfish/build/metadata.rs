//! Writes the `$metadata` document.

use crate::csdl::schema_of;
use crate::ir::Ir;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const PUBLIC: &str = "http://redfish.dmtf.org/schemas/v1";

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
            "  <edmx:Reference Uri=\"{PUBLIC}/{schema}_v1.xml\">\n{includes}  </edmx:Reference>"
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
