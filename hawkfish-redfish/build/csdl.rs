//! Reads CSDL files into plain structs, each file when one of its namespaces is first asked for.

use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Csdl {
    dir: PathBuf,
    /// Where our own schemas lie.
    own: PathBuf,
    /// The namespaces of each schema whose file was read.
    schemas: BTreeMap<String, Vec<String>>,
    namespaces: BTreeMap<String, Namespace>,
}

#[derive(Default)]
pub(crate) struct Namespace {
    pub(crate) types: BTreeMap<String, TypeDef>,
    pub(crate) enums: BTreeMap<String, EnumDef>,
    /// Name to underlying type, and what is said of values of that name.
    pub(crate) typedefs: BTreeMap<String, (String, Annotations)>,
    pub(crate) actions: Vec<ActionDef>,
    /// Names of entity containers.
    pub(crate) containers: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct TypeDef {
    /// Whether it is a resource, which stands at a URI of its own.
    pub(crate) is_entity: bool,
    pub(crate) base: Option<String>,
    pub(crate) properties: Vec<PropertyDef>,
    pub(crate) annotations: Annotations,
}

#[derive(Clone)]
pub(crate) struct PropertyDef {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) collection: bool,
    pub(crate) navigation: bool,
    pub(crate) nullable: bool,
    /// Characters of a string at most.
    pub(crate) max_length: Option<u64>,
    pub(crate) annotations: Annotations,
}

#[derive(Clone, Default)]
pub(crate) struct EnumDef {
    pub(crate) doc: String,
    pub(crate) members: Vec<(String, String)>,
}

pub(crate) struct ActionDef {
    pub(crate) name: String,
    pub(crate) deprecated: Option<String>,
    pub(crate) doc: String,
    pub(crate) parameters: Vec<PropertyDef>,
}

/// Term to value; a term without a value is "true".
#[derive(Clone, Default)]
pub(crate) struct Annotations {
    values: BTreeMap<String, String>,
    /// (pattern, type) of `Redfish.DynamicPropertyPatterns`.
    pub(crate) dynamic: Vec<(String, String)>,
    /// Since which version clients are asked not to use it any more (`Redfish.Revisions`); empty where that is not said.
    pub(crate) deprecated: Option<String>,
    /// URIs that clients are asked not to use any more (`Redfish.DeprecatedUris`).
    pub(crate) deprecated_uris: Vec<String>,
}

impl Annotations {
    pub(crate) fn get(&self, term: &str) -> Option<&str> {
        self.values.get(term).map(String::as_str)
    }

    pub(crate) fn has(&self, term: &str) -> bool {
        self.get(term).is_some_and(|value| value != "false")
    }

    pub(crate) fn number(&self, term: &str) -> Option<f64> {
        self.get(term).and_then(|value| value.parse().ok())
    }

    pub(crate) fn doc(&self) -> String {
        self.get("OData.Description").unwrap_or_default().to_owned()
    }
}

impl Csdl {
    pub(crate) fn new(dir: &Path, own: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            own: own.to_owned(),
            schemas: BTreeMap::new(),
            namespaces: BTreeMap::new(),
        }
    }

    /// Where our own schema of that name lies, if it is one of ours.
    fn own(&self, schema: &str) -> Option<PathBuf> {
        let path = self.own.join(file_name(schema));
        path.exists().then_some(path)
    }

    pub(crate) fn is_own(&self, schema: &str) -> bool {
        self.own(schema).is_some()
    }

    /// All namespaces of a schema: `ComputerSystem`, `ComputerSystem.v1_0_0`, …
    pub(crate) fn schema(&mut self, schema: &str) -> Vec<String> {
        self.load(schema);
        self.schemas[schema].clone()
    }

    fn load(&mut self, schema: &str) {
        if self.schemas.contains_key(schema) {
            return;
        }
        let public = || self.dir.join(file_name(schema));
        let path = self.own(schema).unwrap_or_else(public);
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("schema {schema} ({}): {error}", path.display()));
        let document = Document::parse(&text).unwrap_or_else(|e| panic!("{schema}: {e}"));
        let versioned = format!("{schema}.v");
        let mut names = BTreeSet::new();
        for node in document
            .descendants()
            .filter(|node| node.has_tag_name_local("Schema"))
        {
            let name = node
                .attribute("Namespace")
                .expect("a Schema has a Namespace");
            if name == schema || name.starts_with(&versioned) {
                names.insert(name.to_owned());
            }
            self.namespaces.insert(name.to_owned(), namespace(node));
        }
        let names = names.into_iter().collect();
        self.schemas.insert(schema.to_owned(), names);
    }

    pub(crate) fn namespace(&mut self, name: &str) -> &Namespace {
        self.load(schema_of(name));
        self.namespaces
            .get(name)
            .unwrap_or_else(|| panic!("no namespace {name}"))
    }

    /// What a type that is another by a name of its own says of its values.
    pub(crate) fn facets(&mut self, full: &str) -> Annotations {
        let (namespace, name) = split(full);
        if namespace == "Edm" {
            return Annotations::default();
        }
        let found = self.namespace(namespace).typedefs.get(name);
        found.map_or_else(Annotations::default, |(_, facets)| facets.clone())
    }

    pub(crate) fn ty(&mut self, full: &str) -> Option<&TypeDef> {
        let (namespace, name) = split(full);
        self.namespace(namespace).types.get(name)
    }

    /// The type itself, then what it is based on, to the root.
    pub(crate) fn chain(&mut self, full: &str) -> Vec<String> {
        let mut chain = vec![full.to_owned()];
        let mut at = full.to_owned();
        while let Some(base) = self
            .ty(&at)
            .unwrap_or_else(|| panic!("no type {at}"))
            .base
            .clone()
        {
            chain.push(base.clone());
            at = base;
        }
        chain
    }

    /// The newest type of the same name in the same schema that is, or is based on, this one.
    pub(crate) fn newest(&mut self, full: &str) -> String {
        let (namespace, name) = split(full);
        let mut best: Option<(Version, String)> = None;
        for candidate_namespace in self.schema(schema_of(namespace)) {
            let candidate = format!("{candidate_namespace}.{name}");
            if self.ty(&candidate).is_none() || !self.chain(&candidate).iter().any(|c| c == full) {
                continue;
            }
            let version = version_of(&candidate_namespace);
            if best.as_ref().is_none_or(|(newest, _)| version > *newest) {
                best = Some((version, candidate));
            }
        }
        best.unwrap_or_else(|| panic!("no type {full}")).1
    }

    /// The newest type of that name in a schema, whatever it is based on: extensions of one vendor have no common base.
    pub(crate) fn newest_named(&mut self, schema: &str, name: &str) -> String {
        self.schema(schema)
            .into_iter()
            .filter(|namespace| self.namespaces[namespace].types.contains_key(name))
            .max_by_key(|namespace| version_of(namespace))
            .map_or_else(
                || panic!("{schema} has no type {name}"),
                |namespace| format!("{namespace}.{name}"),
            )
    }

    /// The newest namespace of a schema.
    pub(crate) fn newest_namespace(&mut self, schema: &str) -> String {
        let newest = self
            .schema(schema)
            .into_iter()
            .max_by_key(|n| version_of(n));
        newest.unwrap_or_else(|| panic!("{schema} is empty"))
    }

    /// The newest namespace of a schema that has the entity container.
    pub(crate) fn newest_container(&mut self, schema: &str, container: &str) -> Option<String> {
        self.schema(schema)
            .into_iter()
            .filter(|name| {
                self.namespaces[name]
                    .containers
                    .iter()
                    .any(|c| c == container)
            })
            .max_by_key(|name| version_of(name))
    }
}

/// `ComputerSystem_v1.xml`.
pub(crate) fn file_name(schema: &str) -> String {
    format!("{schema}_v1.xml")
}

pub(crate) type Version = (u32, u32, u32);

/// (1, 28, 0) of `ComputerSystem.v1_28_0`; zeros where there is no version.
pub(crate) fn version_of(namespace: &str) -> Version {
    let mut parts = namespace
        .split_once(".v")
        .map_or("", |(_, version)| version)
        .split('_')
        .map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// `ComputerSystem` of `ComputerSystem.v1_0_0` or `ComputerSystem.v1_0_0.Boot`.
pub(crate) fn schema_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// (`ComputerSystem.v1_0_0`, `Boot`) of `ComputerSystem.v1_0_0.Boot`.
pub(crate) fn split(full: &str) -> (&str, &str) {
    full.rsplit_once('.')
        .unwrap_or_else(|| panic!("{full} has no namespace"))
}

trait Local {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl Local for Node<'_, '_> {
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn namespace(schema: Node) -> Namespace {
    let mut namespace = Namespace::default();
    for node in schema.children().filter(Node::is_element) {
        let name = node.attribute("Name").unwrap_or_default().to_owned();
        match node.tag_name().name() {
            "EntityType" | "ComplexType" => {
                namespace.types.insert(name, type_def(node));
            }
            "EnumType" => {
                let members = node
                    .children()
                    .filter(|child| child.has_tag_name_local("Member"))
                    .map(|child| {
                        let name = child.attribute("Name").expect("a Member has a Name");
                        (name.to_owned(), annotations(child).doc())
                    })
                    .collect();
                namespace.enums.insert(
                    name,
                    EnumDef {
                        doc: annotations(node).doc(),
                        members,
                    },
                );
            }
            "TypeDefinition" => typedef(&mut namespace, name, node),
            "EntityContainer" => namespace.containers.push(name),
            "Action" => {
                // The first parameter is what the action is bound to.
                let parameters = properties(node, "Parameter").skip(1).collect();
                let annotations = annotations(node);
                namespace.actions.push(ActionDef {
                    name,
                    doc: annotations.doc(),
                    deprecated: annotations.deprecated,
                    parameters,
                });
            }
            _ => {}
        }
    }
    namespace
}

/// A type definition is its underlying type, unless it lists its values: then it is an enumeration.
fn typedef(namespace: &mut Namespace, name: String, node: Node) {
    let members: Vec<_> = node
        .descendants()
        .filter(|child| {
            child.has_tag_name_local("PropertyValue")
                && child.attribute("Property") == Some("Member")
        })
        .filter_map(|child| Some((child.attribute("String")?.to_owned(), String::new())))
        .collect();
    if members.is_empty() {
        let underlying = node.attribute("UnderlyingType").unwrap_or("Edm.String");
        let definition = (underlying.to_owned(), annotations(node));
        namespace.typedefs.insert(name, definition);
    } else {
        namespace.enums.insert(
            name,
            EnumDef {
                doc: annotations(node).doc(),
                members,
            },
        );
    }
}

fn type_def(node: Node) -> TypeDef {
    let mut all: Vec<_> = properties(node, "Property").collect();
    all.extend(properties(node, "NavigationProperty"));
    TypeDef {
        is_entity: node.tag_name().name() == "EntityType",
        base: node.attribute("BaseType").map(str::to_owned),
        properties: all,
        annotations: annotations(node),
    }
}

fn properties<'a>(node: Node<'a, 'a>, tag: &'static str) -> impl Iterator<Item = PropertyDef> + 'a {
    node.children()
        .filter(move |child| child.has_tag_name_local(tag))
        .map(move |child| {
            let ty = child.attribute("Type").expect("a property has a Type");
            let element = ty
                .strip_prefix("Collection(")
                .and_then(|ty| ty.strip_suffix(')'));
            PropertyDef {
                name: child
                    .attribute("Name")
                    .expect("a property has a Name")
                    .to_owned(),
                ty: element.unwrap_or(ty).to_owned(),
                collection: element.is_some(),
                navigation: tag == "NavigationProperty",
                nullable: child.attribute("Nullable") != Some("false"),
                max_length: child
                    .attribute("MaxLength")
                    .map(|length| length.parse().expect("a MaxLength is a number")),
                annotations: annotations(child),
            }
        })
}

fn annotations(node: Node) -> Annotations {
    let mut found = Annotations::default();
    for child in node
        .children()
        .filter(|child| child.has_tag_name_local("Annotation"))
    {
        let term = child.attribute("Term").expect("an Annotation has a Term");
        let value = ["EnumMember", "String", "Bool", "Int", "Decimal"]
            .iter()
            .find_map(|name| child.attribute(*name))
            .unwrap_or("true");
        // "OData.Permission/Read" says no more than "Read".
        let value = value.strip_prefix("OData.Permission/").unwrap_or(value);
        found.values.insert(term.to_owned(), value.to_owned());
        if term == "Redfish.DynamicPropertyPatterns" {
            for record in child
                .descendants()
                .filter(|node| node.has_tag_name_local("Record"))
            {
                let get = |name: &str| {
                    record
                        .children()
                        .find(|value| value.attribute("Property") == Some(name))
                        .and_then(|value| value.attribute("String"))
                        .map(str::to_owned)
                };
                if let (Some(pattern), Some(ty)) = (get("Pattern"), get("Type")) {
                    found.dynamic.push((pattern, ty));
                }
            }
        }
        match term {
            "Redfish.Revisions" => found.deprecated = deprecation(child).or(found.deprecated),
            "Redfish.Deprecated" => found.deprecated = found.deprecated.or(Some(String::new())),
            "Redfish.DeprecatedUris" => {
                let uris = child
                    .descendants()
                    .filter(|n| n.has_tag_name_local("String"));
                let uris = uris.filter_map(|uri| uri.text());
                found
                    .deprecated_uris
                    .extend(uris.map(|uri| uri.trim().to_owned()));
            }
            _ => {}
        }
    }
    found
}

/// The version of the revision that deprecates something, `1.13.0`; empty where it names none.
fn deprecation(revisions: Node) -> Option<String> {
    let value = |record: Node, name: &str, as_what: &str| {
        let mut values = record.children();
        let value = values.find(|value| value.attribute("Property") == Some(name));
        value.and_then(|value| value.attribute(as_what).map(str::to_owned))
    };
    revisions
        .descendants()
        .filter(|node| node.has_tag_name_local("Record"))
        .find(|record| {
            let kind = value(*record, "Kind", "EnumMember");
            kind.is_some_and(|kind| kind.ends_with("RevisionKind/Deprecated"))
        })
        .map(|record| {
            let version = value(record, "Version", "String").unwrap_or_default();
            version.trim_start_matches('v').replace('_', ".")
        })
}
