//! Puts the CSDL and the allow-list together: newest versions, inherited properties, permissions.

use crate::csdl::{Annotations, Csdl, PropertyDef, schema_of, split};
use crate::ir::{Action, Entity, Enum, Ir, Property, Role, Type, With};
use crate::served::{self, Served};
use crate::table::{Flags, Kind};
use std::collections::BTreeMap;

pub(crate) fn resolve(csdl: &mut Csdl, served: &Served) -> Ir {
    let mut resolver = Resolver {
        csdl,
        served,
        ir: Ir::default(),
        types: BTreeMap::new(),
        enums: BTreeMap::new(),
    };
    for (schema, wanted) in served {
        // A schema without properties of its own only lends its types to others.
        if !wanted.properties.is_empty() {
            resolver.entity(schema, wanted);
        }
    }
    let container = resolver
        .csdl
        .newest_container("ServiceRoot", "ServiceContainer");
    resolver.ir.container = container.expect("ServiceRoot has a ServiceContainer");
    let schemas = resolver.ir.namespaces.iter().map(|name| schema_of(name));
    resolver.ir.own = schemas
        .filter(|schema| resolver.csdl.is_own(schema))
        .map(str::to_owned)
        .collect();
    resolver.ir
}

struct Resolver<'a> {
    csdl: &'a mut Csdl,
    served: &'a Served,
    ir: Ir,
    /// Full name to index.
    types: BTreeMap<String, usize>,
    enums: BTreeMap<String, usize>,
}

/// What may be given when a member is created although it cannot be changed later, and the schema only says so in words.
const GIVEN_ON_CREATE: &[(&str, &str)] = &[
    ("Volume", "RAIDType"),
    ("EventDestination", "SubscriptionType"),
    ("EventDestination", "EventFormatType"),
    ("EventDestination", "RegistryPrefixes"),
    ("EventDestination", "ExcludeRegistryPrefixes"),
    ("EventDestination", "MessageIds"),
    ("EventDestination", "ExcludeMessageIds"),
    ("EventDestination", "ResourceTypes"),
    ("EventDestination", "OriginResources"),
    ("EventDestination", "SubordinateResources"),
    ("EventDestination", "Severities"),
    ("EventDestination", "EventTypes"),
    ("EventDestination", "MetricReportDefinitions"),
    ("EventDestination", "IncludeOriginOfCondition"),
    ("EventDestination", "SendHeartbeat"),
    ("EventDestination", "HeartbeatIntervalMinutes"),
];
/// What can be written although the schema says nothing of it: objects with members of any name, which it says nothing of either.
const WRITTEN_WHOLE: &[(&str, &str)] = &[("EventDestination", "HttpHeaders")];

/// Always first, in this order, where a type has them.
const FIRST: &[&str] = &["Id", "MemberId", "Name", "Description"];
/// Always last.
const LAST: &[&str] = &["Links", "Actions", "Oem"];

impl Resolver<'_> {
    fn entity(&mut self, schema: &str, wanted: &served::Type) {
        let full = self.csdl.newest(&format!("{schema}.{schema}"));
        let (namespace, _) = split(&full);
        let namespace = namespace.to_owned();
        let collection = self
            .csdl
            .chain(&full)
            .iter()
            .any(|base| base.ends_with(".ResourceCollection"));
        let role = if collection {
            Role::Collection
        } else {
            Role::Entity
        };

        let (actions_ty, actions) = self.actions(schema, &namespace, wanted);
        let ty = self.ty(&full, role, wanted, actions_ty);
        let member = collection.then(|| self.member_of(&full));
        let writable = self.ir.reaches(ty, Flags::WRITABLE);
        let capabilities = [wanted.insertable, writable, wanted.deletable];
        let name = schema.to_owned();
        let (mut deprecated, mut deprecated_uris) = (None, Vec::new());
        for base in self.csdl.chain(&full) {
            // What all resources are based on is the schema `Resource`'s.
            if schema_of(&base) == schema {
                let def = self.csdl.ty(&base).expect("the chain holds types");
                deprecated = deprecated.or_else(|| def.annotations.deprecated.clone());
                deprecated_uris.extend(def.annotations.deprecated_uris.iter().cloned());
            }
        }
        self.ir.entities.push(Entity {
            name,
            namespace,
            ty,
            member,
            deprecated,
            deprecated_uris,
            actions,
            capabilities,
        });
    }

    fn member_of(&mut self, full: &str) -> String {
        let properties = self.properties(full);
        let members = properties
            .iter()
            .find(|property| property.name == "Members");
        let members = members.unwrap_or_else(|| panic!("{full} has no Members"));
        schema_of(&members.ty).to_owned()
    }

    /// The `Actions` type of an entity, and its actions.
    fn actions(
        &mut self,
        schema: &str,
        namespace: &str,
        wanted: &served::Type,
    ) -> (Option<usize>, Vec<Action>) {
        if wanted.actions.is_empty() && !wanted.properties.iter().any(|name| name == "Actions") {
            let of = |extension: &String| self.served.get(extension).map(|of| of.actions.len());
            assert!(
                wanted
                    .oem
                    .values()
                    .all(|extension| of(extension).unwrap_or(0) == 0),
                "served.toml: {schema} has actions in Actions/Oem, serve Actions"
            );
            return (None, Vec::new());
        }
        let mut actions = Vec::new();
        let mut properties = Vec::new();
        for short in &wanted.actions {
            let (property, action) = self.action(schema, namespace, short);
            properties.push(property);
            actions.push(action);
        }
        let oem = self.oem_actions(schema, namespace, wanted, &mut actions);
        properties.push(property("Oem", oem, Flags::default(), false));
        let ty = self.actions_type(schema, namespace, "Actions", properties);
        (Some(ty), actions)
    }

    /// `Actions/Oem`: the actions of the schemas that extend this one.
    fn oem_actions(
        &mut self,
        schema: &str,
        namespace: &str,
        wanted: &served::Type,
        actions: &mut Vec<Action>,
    ) -> Kind {
        let served: &Served = self.served;
        let mut properties = Vec::new();
        for extension in wanted.oem.values() {
            let own = self.csdl.newest_namespace(extension);
            let shorts = served.get(extension).map_or(&[][..], |of| &of.actions);
            for short in shorts {
                let (property, action) = self.action(extension, &own, short);
                properties.push(property);
                actions.push(action);
            }
        }
        if properties.is_empty() {
            return Kind::Map;
        }
        Kind::Object(self.actions_type(schema, namespace, "OemActions", properties))
    }

    fn actions_type(
        &mut self,
        schema: &str,
        namespace: &str,
        name: &str,
        properties: Vec<Property>,
    ) -> usize {
        self.push(Type {
            role: Role::Actions,
            schema: schema.to_owned(),
            full: format!("{namespace}.{name}"),
            name: name.to_owned(),
            doc: "The actions of this resource.".to_owned(),
            open: false,
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties,
        })
    }

    /// An action of a schema: what stands of it within `Actions`, and itself.
    fn action(&mut self, schema: &str, namespace: &str, short: &str) -> (Property, Action) {
        self.ir.namespaces.insert(namespace.to_owned());
        let def = self
            .csdl
            .namespace(schema)
            .actions
            .iter()
            .find(|a| a.name == short);
        let def = def.unwrap_or_else(|| panic!("{schema} has no action {short}"));
        let (doc, parameters) = (def.doc.clone(), def.parameters.clone());
        let deprecated = def.deprecated.clone();
        let params: Vec<Property> = parameters
            .iter()
            .map(|parameter| self.parameter(parameter))
            .collect();
        let enums = params
            .iter()
            .filter(|param| matches!(param.kind, Kind::Enum(_)))
            .map(|param| property(&param.name, param.kind, Flags::ARRAY, true))
            .collect();
        let params = self.push(Type {
            role: Role::Params,
            schema: schema.to_owned(),
            full: format!("{schema}.{short}"),
            name: format!("{short}Params"),
            doc: doc.clone(),
            open: false,
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties: params,
        });
        let mut members = vec![
            property("target", Kind::Uri, Flags::REQUIRED, false),
            property("title", Kind::Str, Flags::default(), false),
        ];
        members.extend::<Vec<_>>(enums);
        let action = self.push(Type {
            role: Role::Action,
            schema: schema.to_owned(),
            full: format!("{namespace}.{short}"),
            name: format!("{short}Action"),
            doc: doc.clone(),
            open: false,
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties: members,
        });
        let name = format!("{schema}.{short}");
        let mut listed = property(
            &format!("#{name}"),
            Kind::Object(action),
            Flags::default(),
            false,
        );
        listed.doc = doc;
        let action = Action {
            name,
            deprecated,
            params,
        };
        (listed, action)
    }

    /// The `Oem` of a type: an object for each vendor that extends it.
    fn oem(&mut self, full: &str, wanted: &served::Type) -> usize {
        let (_, name) = split(full);
        let served: &Served = self.served;
        let none = served::Type::default();
        let mut properties = Vec::new();
        for (vendor, schema) in &wanted.oem {
            let extension = self.csdl.newest_named(schema, name);
            let wanted = served
                .get(schema)
                .and_then(|schema| schema.types.get(name))
                .unwrap_or(&none);
            let at = self.ty(&extension, Role::Extension, wanted, None);
            let known = &mut self.ir.extensions;
            match known.iter_mut().find(|(of, _)| of == schema) {
                Some(_) => {}
                None => known.push((schema.clone(), at)),
            }
            let mut listed = property(vendor, Kind::Object(at), Flags::default(), false);
            listed.doc = self.ir.types[at].doc.clone();
            properties.push(listed);
        }
        self.push(Type {
            role: Role::Oem,
            schema: schema_of(full).to_owned(),
            full: format!("{full}Oem"),
            name: format!("{name}Oem"),
            doc: format!("What vendors add to `{name}`."),
            open: false,
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties,
        })
    }

    fn parameter(&mut self, def: &PropertyDef) -> Property {
        let (namespace, name) = split(&def.ty);
        let is_resource = namespace != "Edm"
            && (self.csdl.namespace(namespace).types.get(name)).is_some_and(|ty| ty.is_entity);
        // A resource is named by its URI, not sent along.
        let mut parameter = self.property(&PropertyDef {
            navigation: is_resource,
            ..def.clone()
        });
        // A parameter that may not be null is one that must be given (DSP0266).
        let flags = if def.collection {
            Flags::ARRAY
        } else {
            Flags::default()
        };
        parameter.flags = flags
            .with(Flags::REQUIRED, !def.nullable)
            .with(Flags::SECRET, is_secret(&def.name, &def.annotations));
        parameter
    }

    fn push(&mut self, ty: Type) -> usize {
        self.ir.types.push(ty);
        self.ir.types.len() - 1
    }

    /// All properties of a type, inherited ones first; a later one takes the place of an earlier.
    fn properties(&mut self, full: &str) -> Vec<PropertyDef> {
        let mut all: Vec<PropertyDef> = Vec::new();
        for base in self.csdl.chain(full).into_iter().rev() {
            let def = self.csdl.ty(&base).expect("the chain holds types");
            for property in &def.properties {
                all.retain(|earlier| earlier.name != property.name);
                all.push(property.clone());
            }
        }
        all
    }

    fn ty(
        &mut self,
        full: &str,
        role: Role,
        wanted: &served::Type,
        actions: Option<usize>,
    ) -> usize {
        let full = if role == Role::Complex {
            self.csdl.newest(full)
        } else {
            full.to_owned()
        };
        if let Some(&known) = self.types.get(&full) {
            return known;
        }
        let (namespace, name) = split(&full);
        self.ir.namespaces.insert(namespace.to_owned());

        // A type may hold itself, so its place is taken before its properties are looked at.
        let def = self.csdl.ty(&full).expect("newest gives a type").clone();
        let at = self.push(Type {
            role,
            schema: schema_of(&full).to_owned(),
            full: full.clone(),
            name: name.to_owned(),
            doc: def.annotations.doc(),
            open: def.annotations.get("OData.AdditionalProperties") == Some("true"),
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties: Vec::new(),
        });
        self.types.insert(full.clone(), at);

        let mut doc = String::new();
        for base in self.csdl.chain(&full) {
            let annotations = self
                .csdl
                .ty(&base)
                .expect("the chain holds types")
                .annotations
                .clone();
            if doc.is_empty() {
                doc = annotations.doc();
            }
            for (pattern, of) in &annotations.dynamic {
                let kind = self.kind(of, false);
                self.ir.types[at].dynamic.push((pattern.clone(), kind));
            }
        }
        self.ir.types[at].doc = doc;
        self.ir.types[at].dynamic_writable = wanted.writable.iter().any(|name| name == EVERY)
            && !self.ir.types[at].dynamic.is_empty();

        let all = self.properties(&full);
        let order = order(&full, role, wanted, &all);
        let mut properties = Vec::new();
        for name in &order {
            let def = all
                .iter()
                .find(|property| property.name == *name)
                .expect("order knows it");
            let mut property = match (name.as_str(), actions) {
                ("Actions", Some(actions)) => {
                    let mut property =
                        property("Actions", Kind::Object(actions), Flags::default(), false);
                    property.doc = def.annotations.doc();
                    property
                }
                ("Actions", None) => property("Actions", Kind::Map, Flags::default(), false),
                ("Oem", _) if !wanted.oem.is_empty() => {
                    let kind = Kind::Object(self.oem(&full, wanted));
                    property("Oem", kind, Flags::default(), false)
                }
                _ => self.property(def),
            };
            self.permit(&full, def, wanted, &mut property);
            properties.push(property);
        }
        if role == Role::Collection {
            let count = property("Members@odata.count", Kind::Int, Flags::REQUIRED, false);
            let members = properties
                .iter()
                .position(|property| property.name == "Members");
            properties.insert(members.expect("a collection has Members"), count);
            properties.push(property(
                "Members@odata.nextLink",
                Kind::Uri,
                Flags::default(),
                false,
            ));
        }
        if role == Role::Extension {
            // It says whose it is and of which version (DSP0266, "OEM-specified object naming").
            let required = Flags::default().with(Flags::REQUIRED, true);
            let mut ty = property("@odata.type", Kind::Str, required, false);
            ty.pattern = Some(format!("^#{}\\.", schema_of(&full)));
            self.ir.types[at].annotations = vec![ty];
        } else if matches!(role, Role::Entity | Role::Collection) {
            self.ir.types[at].annotations = self.annotations(&full);
        } else if role == Role::Complex && self.is_referenceable(&full) && !self.is_sent(&full) {
            // What stands inside a resource and can be pointed to says where it is.
            let required = Flags::default().with(Flags::REQUIRED, true);
            self.ir.types[at].annotations = vec![property("@odata.id", Kind::Uri, required, false)];
        }
        self.ir.types[at].properties = properties;
        at
    }

    fn is_referenceable(&mut self, full: &str) -> bool {
        let chain = self.csdl.chain(full);
        let is_root = |base: &String| split(base).1 == "ReferenceableMember";
        chain.len() > 1 && chain.iter().any(is_root)
    }

    /// Whether it stands inside of what has no URI of its own, such as an event.
    fn is_sent(&mut self, full: &str) -> bool {
        let schema = schema_of(full);
        let whole = self.csdl.newest(&format!("{schema}.{schema}"));
        !self.is_referenceable(&whole) && !self.is_addressed(&whole)
    }

    fn is_addressed(&mut self, full: &str) -> bool {
        let chain = self.csdl.chain(full);
        let mut annotated = |base: &String| {
            let def = self.csdl.ty(base).expect("the chain holds types");
            def.annotations.has("Redfish.Uris")
        };
        chain.iter().any(&mut annotated)
    }

    /// The annotations that identify a resource. Only what has a URI of its own must tell it: a
    /// message registry, for one, is a file that may lie anywhere.
    fn annotations(&mut self, full: &str) -> Vec<Property> {
        let required = Flags::default().with(Flags::REQUIRED, true);
        let id = if self.is_addressed(full) {
            required
        } else {
            Flags::default()
        };
        let mut ty = property("@odata.type", Kind::Str, required, false);
        ty.pattern = Some(format!("^#{}\\.", schema_of(full)));
        vec![
            property("@odata.id", Kind::Uri, id, false),
            ty,
            property("@odata.etag", Kind::Str, Flags::default(), false),
            property("@odata.context", Kind::Uri, Flags::default(), false),
        ]
    }

    /// Sets what can be done with a property here, if the schema lets it.
    fn permit(
        &self,
        full: &str,
        def: &PropertyDef,
        wanted: &served::Type,
        property: &mut Property,
    ) {
        let listed = |list: &[String]| list.contains(&def.name);
        let permission = def.annotations.get("OData.Permissions").unwrap_or("Read");
        let required_on_create = def.annotations.has("Redfish.RequiredOnCreate");
        let writable = listed(&wanted.writable);
        assert!(
            !writable
                || matches!(permission, "ReadWrite" | "Write")
                || WRITTEN_WHOLE.contains(&(schema_of(full), def.name.as_str())),
            "{full}/{} cannot be writable: the schema says {permission}",
            def.name
        );
        let create = listed(&wanted.create);
        assert!(
            !create
                || required_on_create
                || matches!(permission, "ReadWrite" | "Write")
                // An object says it of each of its members; what a resource is called may be said when it is made.
                || !def.annotations.has("OData.Permissions")
                || matches!(def.name.as_str(), "Id" | "Name" | "Description")
                || GIVEN_ON_CREATE.contains(&(schema_of(full), def.name.as_str())),
            "{full}/{} cannot be given on create: the schema says {permission}",
            def.name
        );
        property.allowable = listed(&wanted.allowable);
        property.flags = property
            .flags
            .with(Flags::WRITABLE, writable)
            .with(Flags::CREATE, create)
            .with(Flags::REQUIRED_ON_CREATE, create && required_on_create);
    }

    fn property(&mut self, def: &PropertyDef) -> Property {
        let expand = def.annotations.has("OData.AutoExpand");
        let copy = def.annotations.get("Redfish.ExcerptCopy");
        let kind = if let Some(copy) = copy.filter(|_| def.navigation) {
            Kind::Object(self.excerpt(&def.ty, copy))
        } else if def.navigation && !expand {
            Kind::Link
        } else {
            // The schema calls these URIs, but lets wildcards in braces stand in them, which no URI holds.
            let is_template = def.name == "MetricProperties";
            self.kind(&def.ty, def.annotations.has("OData.IsURL") && !is_template)
        };
        let flags = Flags::default()
            // A list of references never holds null, whatever the schema leaves unsaid.
            .with(
                Flags::NULLABLE,
                def.nullable && !(def.navigation && def.collection),
            )
            .with(Flags::ARRAY, def.collection)
            .with(Flags::REQUIRED, def.annotations.has("Redfish.Required"))
            .with(Flags::EXCERPT, def.annotations.has("Redfish.Excerpt"))
            .with(
                Flags::SECRET,
                kind == Kind::Str && is_secret(&def.name, &def.annotations),
            )
            .with(Flags::WRITE_ONLY, is_write_only(&def.annotations));
        let own = &def.annotations;
        let facets = match def.navigation {
            true => Annotations::default(),
            false => self.csdl.facets(&def.ty),
        };
        let number = |term| own.number(term).or(facets.number(term));
        Property {
            name: def.name.clone(),
            doc: def.annotations.doc(),
            kind,
            flags,
            pattern: own
                .get("Validation.Pattern")
                .or(facets.get("Validation.Pattern"))
                .map(str::to_owned),
            min: number("Validation.Minimum"),
            max: number("Validation.Maximum"),
            max_length: def.max_length,
            allowable: false,
            deprecated: def.annotations.deprecated.clone(),
        }
    }

    fn kind(&mut self, ty: &str, url: bool) -> Kind {
        match ty {
            "Edm.Boolean" => return Kind::Bool,
            "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => return Kind::Int,
            "Edm.Decimal" | "Edm.Double" | "Edm.Single" => return Kind::Decimal,
            "Edm.String" if url => return Kind::Uri,
            "Edm.String" => return Kind::Str,
            "Edm.DateTimeOffset" => return Kind::DateTime,
            "Edm.Guid" => return Kind::Guid,
            "Edm.Duration" => return Kind::Duration,
            "Edm.PrimitiveType" | "Edm.Primitive" => return Kind::Primitive,
            "Resource.Oem" | "Resource.OemObject" => return Kind::Map,
            _ => {}
        }
        let (namespace, name) = split(ty);
        assert!(namespace != "Edm", "the type {ty} is not known here");
        if let Some((underlying, _)) = self.csdl.namespace(namespace).typedefs.get(name).cloned() {
            return self.kind(&underlying, url);
        }
        if self.csdl.namespace(namespace).enums.contains_key(name) {
            return Kind::Enum(self.enumeration(ty));
        }
        let newest = self.csdl.newest(ty);
        let def = self.csdl.ty(&newest).expect("newest gives a type");
        // An object without properties that takes any others is only a map.
        if def.properties.is_empty()
            && def.base.is_none()
            && def.annotations.get("OData.AdditionalProperties") == Some("true")
            && def.annotations.dynamic.is_empty()
        {
            return Kind::Map;
        }
        let served: &Served = self.served;
        let none = served::Type::default();
        let wanted = served
            .get(schema_of(ty))
            .and_then(|schema| schema.types.get(name))
            .unwrap_or(&none);
        Kind::Object(self.ty(&newest, Role::Complex, wanted, None))
    }

    /// What is copied of a resource into another one (DSP0266, "Excerpts"), named as DMTF's JSON Schema names it: `SensorPowerExcerpt`.
    fn excerpt(&mut self, ty: &str, copy: &str) -> usize {
        // An annotation without a value is a copy of no particular kind.
        let copy = if copy == "true" { "" } else { copy };
        let newest = self.csdl.newest(ty);
        let (namespace, resource) = split(&newest);
        let name = format!("{resource}{copy}Excerpt");
        let full = format!("{namespace}.{name}");
        if let Some(&known) = self.types.get(&full) {
            return known;
        }
        self.ir.namespaces.insert(namespace.to_owned());
        let copied = |def: &PropertyDef| match def.annotations.get("Redfish.Excerpt") {
            Some("true") => true,
            Some(copies) => copies.split(',').any(|one| one.trim() == copy),
            None => def.annotations.has("Redfish.ExcerptCopyOnly"),
        };
        let mut defs = self.properties(&newest);
        defs.retain(|def| copied(def) && !def.navigation);
        let at = self.push(Type {
            role: Role::Complex,
            schema: schema_of(&newest).to_owned(),
            full: full.clone(),
            name,
            doc: format!("What another resource shows of a `{resource}`."),
            open: false,
            dynamic: Vec::new(),
            dynamic_writable: false,
            annotations: Vec::new(),
            properties: Vec::new(),
        });
        self.types.insert(full, at);
        let properties = defs.iter().map(|def| self.property(def)).collect();
        self.ir.types[at].properties = properties;
        at
    }

    fn enumeration(&mut self, full: &str) -> usize {
        if let Some(&known) = self.enums.get(full) {
            return known;
        }
        let (namespace, name) = split(full);
        self.ir.namespaces.insert(namespace.to_owned());
        let def = self.csdl.namespace(namespace).enums[name].clone();
        self.ir.enums.push(Enum {
            schema: schema_of(full).to_owned(),
            full: full.to_owned(),
            name: name.to_owned(),
            doc: def.doc,
            members: def.members,
        });
        self.enums.insert(full.to_owned(), self.ir.enums.len() - 1);
        self.ir.enums.len() - 1
    }
}

/// In `writable`: the further properties of an object that takes any.
const EVERY: &str = "*";

/// The names of the properties served, in the order in which they are written out.
fn order(full: &str, role: Role, wanted: &served::Type, all: &[PropertyDef]) -> Vec<String> {
    let known = |name: &str| all.iter().any(|property| property.name == name);
    for name in wanted
        .properties
        .iter()
        .chain(&wanted.writable)
        .chain(&wanted.create)
        .filter(|name| *name != EVERY)
    {
        assert!(known(name), "served.toml: {full} has no property {name}");
    }
    let whole = wanted.properties.is_empty();
    let listed: Vec<&str> = if whole {
        all.iter().map(|property| property.name.as_str()).collect()
    } else {
        wanted.properties.iter().map(String::as_str).collect()
    };
    let entity = matches!(role, Role::Entity | Role::Collection);
    let wants = |name: &str| {
        listed.contains(&name)
            || (entity && (FIRST.contains(&name) || name == "Oem"))
            || (name == "Oem" && known("Oem"))
            || (name == "Actions" && !wanted.actions.is_empty())
    };
    let mut order: Vec<String> = Vec::new();
    order.extend(
        FIRST
            .iter()
            .filter(|n| known(n) && wants(n))
            .map(|n| (*n).to_owned()),
    );
    let middle = listed
        .iter()
        .filter(|n| !FIRST.contains(n) && !LAST.contains(n));
    order.extend(middle.map(|name| (*name).to_owned()));
    order.extend(
        LAST.iter()
            .filter(|n| known(n) && wants(n))
            .map(|n| (*n).to_owned()),
    );

    for property in all
        .iter()
        .filter(|property| property.annotations.has("Redfish.Required"))
    {
        assert!(
            order.contains(&property.name),
            "{full} requires {}, serve it",
            property.name
        );
    }
    for name in wanted
        .writable
        .iter()
        .chain(&wanted.create)
        .chain(&wanted.allowable)
        .filter(|name| *name != EVERY)
    {
        assert!(
            order.contains(name),
            "served.toml: {full}/{name} can be set but is not served"
        );
    }
    order
}

/// A property that is not in the CSDL as such.
fn property(name: &str, kind: Kind, flags: Flags, allowable: bool) -> Property {
    Property {
        name: name.to_owned(),
        doc: String::new(),
        kind,
        flags,
        pattern: None,
        min: None,
        max: None,
        max_length: None,
        allowable,
        deprecated: None,
    }
}

/// The schema lets nobody read it: it is null wherever it is shown.
fn is_write_only(annotations: &Annotations) -> bool {
    matches!(annotations.get("OData.Permissions"), Some("Write" | "None"))
}

/// Its value is never to be shown: the schema lets nobody read it, or its name says so.
fn is_secret(name: &str, annotations: &Annotations) -> bool {
    is_write_only(annotations)
        || [
            "Password",
            "Passphrase",
            "Token",
            "Secret",
            "SecretKey",
            "EncryptionKey",
        ]
        .iter()
        .any(|ending| name.ends_with(ending))
}
