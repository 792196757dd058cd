//! A domain's XML in a form that can be compared: order of attributes and white space do not matter, everything else does.

use roxmltree::{Document, Node};

use hawkfish_testing::lab::{Guest, Lab};

/// How a domain is defined, a line for each element and each text.
pub(crate) fn definition(lab: &Lab, guest: &Guest) -> String {
    let xml = lab.virsh(&["dumpxml", "--inactive", &guest.name]);
    let document = Document::parse(&xml).unwrap();
    let mut lines = Vec::new();
    write(document.root_element(), 0, &mut lines);
    lines.join("\n")
}

fn write(node: Node<'_, '_>, depth: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(depth);
    if let Some(text) = node.text().map(str::trim).filter(|_| node.is_text()) {
        if !text.is_empty() {
            lines.push(format!("{indent}{text:?}"));
        }
        return;
    }
    if !node.is_element() {
        return;
    }
    let name = |namespace: Option<&str>, name: &str| match namespace {
        Some(namespace) => format!("{{{namespace}}}{name}"),
        None => name.to_owned(),
    };
    let mut attributes: Vec<String> = node
        .attributes()
        .map(|a| format!("{}={:?}", name(a.namespace(), a.name()), a.value()))
        .collect();
    attributes.sort();
    let tag = node.tag_name();
    lines.push(format!(
        "{indent}{} {}",
        name(tag.namespace(), tag.name()),
        attributes.join(" ")
    ));
    for child in node.children() {
        write(child, depth + 1, lines);
    }
}
