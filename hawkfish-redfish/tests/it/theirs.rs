//! What was generated agrees with what DMTF publishes elsewhere: JSON Schemas and registries.

use crate::dmtf::{self, Schemas};
use hawkfish_redfish::{message, metadata, validate};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Where ours and theirs differ, and why that is right.
const EXPLAINED: [&str; 2] = [
    // It has no URI of its own that the schema would name.
    "ActionInfo: required: ours {\"@odata.type\", \"Id\", \"Name\"}, theirs {\"@odata.id\", \"@odata.type\", \"Id\", \"Name\"}",
    // Since 2026.1 an alternative name is enough.
    "CertificateService.GenerateCSR: required parameters: ours {\"CertificateCollection\"}, theirs {\"CertificateCollection\", \"CommonName\"}",
];

struct Comparison {
    schemas: Schemas,
    ours: &'static Value,
    seen: BTreeSet<String>,
    wrong: Vec<String>,
    /// Properties that were compared.
    compared: usize,
    /// Properties and values that are newer than DMTF's files here.
    newer: Vec<String>,
}

#[test]
fn every_property_agrees_with_dmtfs_json_schema() {
    let Some(schemas) = Schemas::open() else {
        return;
    };
    let ours = &Value::Null;
    let seen = BTreeSet::new();
    let mut comparison = Comparison {
        schemas,
        ours,
        seen,
        wrong: vec![],
        compared: 0,
        newer: vec![],
    };
    // Of what is our own they know nothing.
    for entity in validate::entities().filter(|entity| !metadata::is_own(entity)) {
        comparison.ours = metadata::json_schema(entity).unwrap();
        let (file, theirs) = comparison.schemas.newest(entity);
        let found = comparison
            .schemas
            .resolve(&file, &theirs["definitions"][entity]);
        comparison.object(entity, comparison.ours, &found.file, found.node);
        comparison.actions(entity, &file, theirs);
        comparison.creation(entity, found.node);
    }
    for explained in EXPLAINED {
        let place = comparison.wrong.iter().position(|line| line == explained);
        let place = place.unwrap_or_else(|| panic!("outlived: {explained}"));
        comparison.wrong.remove(place);
    }
    assert!(
        comparison.wrong.is_empty(),
        "\n{}",
        comparison.wrong.join("\n")
    );
    assert!(
        comparison.compared > 500,
        "only {} were compared",
        comparison.compared
    );
    // The CSDL is one release newer than the files: some things are new, most are not.
    let newer = &comparison.newer;
    assert!(
        newer.len() * 20 < comparison.compared,
        "{} are newer: {newer:?}",
        newer.len()
    );
}

impl Comparison {
    fn wrong(
        &mut self,
        path: &str,
        what: &str,
        ours: impl std::fmt::Debug,
        theirs: impl std::fmt::Debug,
    ) {
        self.wrong
            .push(format!("{path}: {what}: ours {ours:?}, theirs {theirs:?}"));
    }

    fn ours(&self, node: &'static Value) -> (&'static Value, bool) {
        if let Some(alternatives) = node["anyOf"].as_array() {
            return (self.ours(&alternatives[0]).0, true);
        }
        match node["$ref"].as_str() {
            Some(reference) => (self.ours.pointer(&reference[1..]).unwrap(), false),
            None => (node, false),
        }
    }

    fn object(&mut self, path: &str, ours: &'static Value, file: &str, theirs: &'static Value) {
        let needs = |node: &Value| -> BTreeSet<String> {
            let names = node["required"].as_array().into_iter().flatten();
            names
                .map(|name| name.as_str().unwrap().to_owned())
                .collect()
        };
        if needs(ours) != needs(theirs) {
            self.wrong(path, "required", needs(ours), needs(theirs));
        }
        let Some(listed) = theirs["properties"].as_object() else {
            return self.wrong(path, "no properties", ours, theirs);
        };
        for (name, property) in ours["properties"].as_object().unwrap() {
            // Of actions they list more, and ours differ in what is left out.
            if name.starts_with('@') || name.starts_with('#') {
                continue;
            }
            let path = format!("{path}/{name}");
            match listed.get(name) {
                Some(theirs) => self.property(&path, property, file, theirs),
                None => self.newer.push(path),
            }
        }
    }

    fn property(&mut self, path: &str, ours: &'static Value, file: &str, theirs: &'static Value) {
        self.compared += 1;
        if ours["readOnly"] != true && theirs["readonly"] == true {
            self.wrong(path, "writable", true, false);
        }
        if theirs["type"] == "array" {
            if ours["type"] != "array" {
                return self.wrong(path, "array", false, true);
            }
            // They say of the list what holds of what is in it.
            let mut items = theirs["items"].clone();
            for said in ["minimum", "maximum", "pattern", "format"] {
                // They call these URIs, and let wildcards in braces stand in them, which no URI holds.
                let template = said == "format" && path.ends_with("/MetricProperties");
                if let Some(value) = theirs.get(said).filter(|_| !template) {
                    items[said] = value.clone();
                }
            }
            let items = Box::leak(Box::new(items));
            return self.value(path, &ours["items"], file, items);
        }
        self.value(path, ours, file, theirs);
    }

    fn value(&mut self, path: &str, ours: &'static Value, file: &str, theirs: &'static Value) {
        let found = self.schemas.resolve(file, theirs);
        let (ours_is, ours_null) = self.ours(ours);
        let types = |node: &Value| -> BTreeSet<String> {
            match &node["type"] {
                Value::String(name) => [name.clone()].into(),
                Value::Array(names) => names
                    .iter()
                    .map(|name| name.as_str().unwrap().into())
                    .collect(),
                _ => BTreeSet::new(),
            }
        };
        let (mut mine, mut their) = (types(ours_is), types(found.node));
        if ours_null {
            mine.insert("null".into());
        }
        if found.null {
            their.insert("null".into());
        }
        // A reference: they say so, or refer to a resource that is one among alternatives.
        if ours["$ref"] == "#/$defs/idRef" || ours["anyOf"][0]["$ref"] == "#/$defs/idRef" {
            let null = (mine.contains("null"), their.contains("null"));
            if !found.link && !found.node.is_null() || null.0 != null.1 {
                self.wrong(path, "reference", null.0, (found.link, null.1));
            }
            return;
        }
        // Ours are null where they allow a secret to be read.
        let secret = mine == BTreeSet::from(["null".to_owned()]) && their.contains("null");
        if mine != their && !secret {
            return self.wrong(path, "type", mine, their);
        }
        if let (Some(mine), Some(their)) =
            (ours_is["enum"].as_array(), found.node["enum"].as_array())
        {
            let mine: BTreeSet<String> = mine
                .iter()
                .map(Value::to_string)
                .filter(|v| v != "null")
                .collect();
            let their: BTreeSet<String> = their
                .iter()
                .map(Value::to_string)
                .filter(|v| v != "null")
                .collect();
            if !mine.is_superset(&their) {
                self.wrong(path, "values", &mine, &their);
            }
            self.newer.extend(
                mine.difference(&their)
                    .map(|value| format!("{path} {value}")),
            );
        } else if ours_is.get("enum").is_some() != found.node.get("enum").is_some() {
            self.wrong(
                path,
                "enumeration",
                ours_is.get("enum"),
                found.node.get("enum"),
            );
        }
        for bound in ["minimum", "maximum"] {
            if ours_is[bound].as_f64() != found.node[bound].as_f64() {
                self.wrong(path, bound, &ours_is[bound], &found.node[bound]);
            }
        }
        let theirs_format = found.node["format"].as_str();
        match ours_is["format"].as_str() {
            // They write a GUID and a duration as patterns.
            Some("uuid") => {
                if found.node.get("pattern").is_none() {
                    self.wrong(path, "format", "uuid", found.node);
                }
            }
            mine if mine != theirs_format => self.wrong(path, "format", mine, theirs_format),
            Some(_) => {}
            None => {
                let duration = ours_is.get("allOf").is_some();
                let mine = ours_is.get("pattern").filter(|_| !duration);
                let their = found.node.get("pattern").filter(|_| !duration);
                if mine != their {
                    self.wrong(path, "pattern", mine, their);
                }
                if duration && found.node.get("pattern").is_none() {
                    self.wrong(path, "duration", true, false);
                }
            }
        }
        if ours_is.get("properties").is_some() && self.seen.insert(ours["$ref"].to_string()) {
            self.object(path, ours_is, &found.file, found.node);
        }
    }

    /// The parameters of each action served, and which of them are required.
    fn actions(&mut self, entity: &str, file: &str, theirs: &'static Value) {
        let theirs_too = |name: &&str| !metadata::is_own(name.split('.').next().unwrap());
        for name in validate::actions(entity).filter(theirs_too) {
            let short = name.split('.').nth(1).unwrap();
            let parameters = theirs["definitions"][short]["parameters"].as_object();
            let Some(parameters) = parameters else {
                self.wrong(name, "action", true, false);
                continue;
            };
            let needed: BTreeSet<&String> = parameters
                .iter()
                .filter(|(_, parameter)| parameter["requiredParameter"] == true)
                .map(|(name, _)| name)
                .collect();
            let missing = validate::action(entity, name, &Map::new()).unwrap();
            let missing: BTreeSet<&String> = missing.iter().map(|finding| &finding.name).collect();
            if needed != missing {
                self.wrong(name, "required parameters", missing, &needed);
            }
            for (parameter, theirs) in parameters {
                self.compared += 1;
                // A value of a wrong type tells whether the parameter is known.
                let body = Map::from_iter([(parameter.clone(), serde_json::json!({"x": 1}))]);
                let found = validate::action(entity, name, &body).unwrap();
                let found = found.iter().find(|finding| finding.name == *parameter);
                let known = found.is_some_and(|finding| {
                    matches!(finding.problem, validate::Problem::Type { .. })
                });
                let link = self.schemas.resolve(file, theirs).link;
                if !known && !link {
                    self.wrong(name, "parameter", found, parameter);
                }
            }
        }
    }

    /// What must be given to create it.
    fn creation(&mut self, entity: &str, theirs: &'static Value) {
        // What nobody can create here needs nothing.
        let collection = validate::capabilities(&format!("{entity}Collection"));
        if !collection.is_some_and(|collection| collection.insertable) {
            return;
        }
        let names = theirs["requiredOnCreate"].as_array().into_iter().flatten();
        let needed: BTreeSet<String> = names
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        let missing = validate::create(entity, &Map::new());
        let missing: BTreeSet<String> = missing.into_iter().map(|finding| finding.name).collect();
        if needed != missing {
            self.wrong(entity, "required on create", missing, needed);
        }
    }
}

#[test]
fn every_message_agrees_with_dmtfs_registries() {
    for ours in message::REGISTRIES {
        if ours.prefix == message::HAWKFISH.prefix {
            continue;
        }
        let Some(theirs) = dmtf::registry(ours.prefix) else {
            return;
        };
        assert_eq!(theirs["RegistryVersion"], ours.release, "{}", ours.prefix);
        assert!(ours.release.starts_with(&format!("{}.", ours.version)));
        assert_eq!(theirs["RegistryPrefix"], ours.prefix);
        for (key, args, severity) in ours.facts() {
            let entry = &theirs["Messages"][key];
            let about = format!("{}.{key}", ours.prefix);
            assert_eq!(entry["NumberOfArgs"], args, "{about}");
            let severity = serde_json::to_value(severity).unwrap();
            assert_eq!(entry["MessageSeverity"], severity, "{about}");
            assert!(
                entry.get("VersionDeprecated").is_none() || ours.prefix == "Base",
                "{about}"
            );
        }
    }
}

#[test]
fn registries_are_whole_but_for_what_cannot_happen_here() {
    for ours in message::REGISTRIES {
        // Power has thresholds of what nobody watches here.
        if ours.prefix == message::HAWKFISH.prefix || ours.prefix == message::POWER.prefix {
            continue;
        }
        let Some(theirs) = dmtf::registry(ours.prefix) else {
            return;
        };
        let all = theirs["Messages"].as_object().unwrap().iter();
        let meant = all
            .filter(|(_, entry)| ours.prefix == "Base" || entry.get("VersionDeprecated").is_none());
        let mut lacking: BTreeSet<&str> = meant.map(|(key, _)| key.as_str()).collect();
        for (key, ..) in ours.facts() {
            lacking.remove(key);
        }
        assert!(lacking.is_empty(), "{} lacks {lacking:?}", ours.prefix);
    }
}

#[test]
fn no_words_are_dmtfs() {
    for ours in message::REGISTRIES {
        if ours.prefix == message::HAWKFISH.prefix {
            continue;
        }
        let Some(theirs) = dmtf::registry(ours.prefix) else {
            return;
        };
        for (key, args, _) in ours.facts() {
            let placeholders: Vec<String> = (1..=args).map(|n| format!("%{n}")).collect();
            let placeholders: Vec<&str> = placeholders.iter().map(String::as_str).collect();
            let said = ours.message(key, &placeholders).message;
            let text = theirs["Messages"][key]["Message"].as_str().unwrap();
            assert_ne!(
                said.to_lowercase(),
                text.to_lowercase(),
                "{}.{key}",
                ours.prefix
            );
        }
    }
}
