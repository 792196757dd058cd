use super::*;
use crate::catalog::Catalog;
use crate::resource;

fn whole() -> Value {
    let catalog = Catalog::new(resource::ALL);
    document(&catalog.resources().collect::<Vec<_>>())
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(place) if name == "$ref" => found.push(place),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let whole = whole();
    let mut found = Vec::new();
    references(&whole, &mut found);
    assert!(found.len() > 1000, "{}", found.len());
    for place in found {
        let pointer = place.strip_prefix('#').unwrap();
        assert!(whole.pointer(pointer).is_some(), "{place}");
    }
}

#[test]
fn every_operation_has_a_name_of_its_own_and_every_variable_is_told() {
    let whole = whole();
    let mut names = BTreeSet::new();
    for (uri, item) in whole["paths"].as_object().unwrap() {
        let told = item["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(told, uri.matches('{').count(), "{uri}");
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name), "{name} stands twice");
            }
        }
    }
}

#[test]
fn every_resource_and_action_is_in_the_document_with_its_methods_and_privileges() {
    let whole = whole();
    for resource in resource::ALL {
        let item = &whole["paths"][resource.uri];
        let shown: Vec<&str> = item["get"]["x-privileges"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let needs = resource.privileges.get.iter().map(|one| one.as_str());
        if resource.get.is_some() {
            assert_eq!(shown, needs.collect::<Vec<_>>(), "{}", resource.uri);
        }
        assert_eq!(item.get("patch").is_some(), resource.patch.is_some());
        let creates = resource.verbs().any(|verb| verb == Verb::Create);
        assert_eq!(item.get("post").is_some(), creates, "{}", resource.uri);
        assert_eq!(item.get("delete").is_some(), resource.delete.is_some());
        for action in resource.actions {
            let uri = action.target(resource.entity, resource.uri);
            assert!(whole["paths"][&uri]["post"].is_object(), "{uri}");
        }
        if resource.patch.is_some() {
            let schema = &item["patch"]["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(
                schema["$ref"],
                format!("#/components/schemas/{}Patch", resource.entity)
            );
        }
    }
}

#[test]
fn what_can_be_sent_holds_what_can_be_written_and_nothing_else() {
    let whole = whole();
    let schemas = &whole["components"]["schemas"];
    let patch = schemas["ComputerSystemPatch"]["properties"]
        .as_object()
        .unwrap();
    assert!(patch.contains_key("AssetTag") && !patch.contains_key("UUID"));
    let create = &schemas["ManagerAccountCreate"];
    assert_eq!(
        create["properties"]["Password"]["type"],
        json!(["string", "null"])
    );
    let needed = create["required"].as_array().unwrap();
    assert!(needed.contains(&json!("UserName")) && needed.contains(&json!("Password")));
    let shown = &schemas["ManagerAccount"]["properties"]["Password"];
    assert_eq!(shown["type"], "null");
}
