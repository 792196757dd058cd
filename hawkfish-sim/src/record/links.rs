//! Where a document leads: all that a walk follows, and nothing that does something.

use serde_json::Value;

use crate::capture::{Content, Document};

/// A link that is followed.
pub(super) struct Found {
    /// Where to, as it is written.
    pub(super) to: String,
    /// A member of a collection.
    pub(super) is_member: bool,
    /// The next page of a collection.
    pub(super) is_next: bool,
}

impl Found {
    fn plain(to: impl Into<String>) -> Self {
        Self {
            to: to.into(),
            is_member: false,
            is_next: false,
        }
    }
}

/// The links of a document, in its order: references, pages, descriptions of actions, files of registries and schemas, what `$metadata` refers to, and headers `Link`.
pub(super) fn of(document: &Document) -> Vec<Found> {
    let mut found = Vec::new();
    match &document.content {
        Content::Json(value) => {
            json(value, "", false, &mut found);
            // DSP0266, "Service document": the URLs of services.
            if value.get("@odata.context").is_some() && value.get("value").is_some() {
                let all = value.get("value").and_then(Value::as_array);
                for url in all.into_iter().flatten().filter_map(|one| one.get("url")) {
                    found.extend(url.as_str().map(Found::plain));
                }
            }
            // The versions of the protocol, at /redfish.
            if let Some(versions) = value.as_object().filter(|all| all.len() <= 4) {
                let all = versions.iter().filter(|(name, _)| name.starts_with('v'));
                found.extend(all.filter_map(|(_, to)| to.as_str()).map(Found::plain));
            }
        }
        Content::Bytes {
            bytes,
            content_type,
        } if content_type.contains("xml") => {
            let text = String::from_utf8_lossy(bytes);
            found.extend(references(&text).map(Found::plain));
        }
        Content::Bytes { .. } => {}
    }
    if let Some(link) = document.headers.get("link") {
        let targets = link.split('<').skip(1);
        found.extend(targets.filter_map(|rest| Some(Found::plain(rest.split_once('>')?.0))));
    }
    found
}

fn json(value: &Value, name: &str, in_location: bool, found: &mut Vec<Found>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(to) if key == "@odata.id" => found.push(Found {
                        to: to.clone(),
                        is_member: name == "Members",
                        is_next: false,
                    }),
                    Value::String(to) if key.ends_with("@odata.nextLink") => found.push(Found {
                        to: to.clone(),
                        is_member: false,
                        is_next: true,
                    }),
                    Value::String(to) if key == "@Redfish.ActionInfo" => {
                        found.push(Found::plain(to));
                    }
                    // Where files of registries and schemas lie; older services have an object around it.
                    Value::String(to) if in_location && (key == "Uri" || key == "extref") => {
                        found.push(Found::plain(to));
                    }
                    _ => {
                        let inside = key == "Location" || in_location && key == "Uri";
                        json(value, key, inside, found);
                    }
                }
            }
        }
        Value::Array(items) => {
            for value in items {
                json(value, name, in_location, found);
            }
        }
        _ => {}
    }
}

/// What the `edmx:Reference` of a CSDL document name.
fn references(text: &str) -> impl Iterator<Item = String> {
    let tags = text.split("Reference ").skip(1);
    tags.filter_map(|tag| {
        let tag = tag.split_once('>')?.0;
        let after = tag.split_once("Uri=")?.1;
        let quote = after.chars().next().filter(|q| matches!(q, '"' | '\''))?;
        let uri = after[1..].split_once(quote)?.0;
        Some(uri.replace("&amp;", "&"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn to(document: &Document) -> Vec<String> {
        of(document).into_iter().map(|found| found.to).collect()
    }

    #[test]
    fn links_are_followed_and_actions_are_not() {
        let document = Document::json(json!({
            "@odata.id": "/redfish/v1/A",
            "Members": [{"@odata.id": "/redfish/v1/A/1"}],
            "Members@odata.nextLink": "/redfish/v1/A?$skip=1",
            "Actions": {"#A.Do": {"target": "/redfish/v1/A/Actions/A.Do", "@Redfish.ActionInfo": "/redfish/v1/A/DoInfo"}},
            "HttpPushUri": "/push",
            "Location": [{"Uri": "/redfish/v1/R.json"}, {"Uri": {"extref": "/redfish/v1/S.json"}}],
        }));
        let expected = ["A", "A/1", "A?$skip=1", "A/DoInfo", "R.json", "S.json"];
        assert_eq!(
            to(&document),
            expected.map(|end| format!("/redfish/v1/{end}"))
        );
    }

    #[test]
    fn what_metadata_refers_to_is_followed() {
        let text = "<edmx:Edmx><edmx:Reference Uri=\"/redfish/v1/Schemas/A_v1.xml\"><x/></edmx:Reference></edmx:Edmx>";
        let document = Document::bytes(text, "application/xml");
        assert_eq!(to(&document), ["/redfish/v1/Schemas/A_v1.xml"]);
    }
}
