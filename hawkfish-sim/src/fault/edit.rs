//! Edits of JSON: what a body says, said otherwise.

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Changes of the JSON of an answer, one after the other. What is no JSON stays as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Edit(pub Vec<Change>);

/// A change of JSON. Places are JSON pointers (RFC 6901) in which `*` is any one property or member, and `**` any number of them, none as well. A place that
/// there is not is left alone, but for `insert`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// What stands there is gone.
    Remove(String),
    /// `null` stands there.
    Null(String),
    /// Another value stands there.
    Set {
        /// Where.
        at: String,
        /// What.
        to: Value,
    },
    /// A value stands in each such object, under the name that is the last step, whether there was one or not.
    Insert {
        /// Where.
        at: String,
        /// What.
        to: Value,
    },
    /// It has another name.
    Rename {
        /// Which.
        at: String,
        /// Its new name.
        to: String,
    },
    /// It is more, or less: only what is a whole number.
    Add {
        /// Where.
        at: String,
        /// By how much.
        by: i64,
    },
    /// Part of a text is another text: only what is a text.
    Replace {
        /// Where.
        at: String,
        /// Each place in it that reads so…
        text: String,
        /// …reads so.
        by: String,
    },
    /// It is as it was, but an array of none is an object of none.
    Unlist(String),
}

impl Change {
    fn at(&self) -> &str {
        match self {
            Self::Remove(at) | Self::Null(at) | Self::Unlist(at) => at,
            Self::Set { at, .. }
            | Self::Insert { at, .. }
            | Self::Rename { at, .. }
            | Self::Add { at, .. }
            | Self::Replace { at, .. } => at,
        }
    }
}

impl Edit {
    pub(super) fn check(&self) -> Result<(), String> {
        for change in &self.0 {
            let at = change.at();
            if !at.starts_with('/') {
                return Err(format!(
                    "{at:?} is no JSON pointer: it begins with no slash"
                ));
            }
            if matches!(change, Change::Replace { text, .. } if text.is_empty()) {
                return Err("nothing cannot be replaced".to_owned());
            }
        }
        Ok(())
    }

    /// Changes a document.
    pub fn apply(&self, document: &mut Value) {
        for change in &self.0 {
            let steps: Vec<String> = change.at()[1..].split('/').map(unescape).collect();
            walk(document, &steps, change);
        }
    }

    pub(super) async fn done_to(&self, response: Response<Body>) -> Response<Body> {
        let is_json = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !is_json {
            return response;
        }
        let (mut parts, body) = response.into_parts();
        let whole = body.collect().await.map(|body| body.to_bytes());
        let whole = whole.unwrap_or_default();
        let body = match serde_json::from_slice(&whole) {
            Ok(mut document) => {
                self.apply(&mut document);
                Bytes::from(document.to_string())
            }
            Err(_) => whole,
        };
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
        Response::from_parts(parts, Body::from(body))
    }
}

/// A step of a pointer, as it is meant.
fn unescape(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn walk(at: &mut Value, steps: &[String], change: &Change) {
    let Some((step, rest)) = steps.split_first() else {
        return;
    };
    if step == "**" {
        walk(at, rest, change);
        for below in below(at) {
            walk(below, steps, change);
        }
        return;
    }
    if rest.is_empty() {
        return last(at, step, change);
    }
    for below in picked(at, step) {
        walk(below, rest, change);
    }
}

fn below(at: &mut Value) -> Vec<&mut Value> {
    match at {
        Value::Object(object) => object.values_mut().collect(),
        Value::Array(array) => array.iter_mut().collect(),
        _ => Vec::new(),
    }
}

fn picked<'a>(at: &'a mut Value, step: &str) -> Vec<&'a mut Value> {
    if step == "*" {
        return below(at);
    }
    let one = match at {
        Value::Object(object) => object.get_mut(step),
        Value::Array(array) => step.parse().ok().and_then(|n: usize| array.get_mut(n)),
        _ => None,
    };
    one.into_iter().collect()
}

fn last(at: &mut Value, step: &str, change: &Change) {
    match change {
        Change::Remove(_) => match at {
            Value::Object(object) if step == "*" => object.clear(),
            Value::Array(array) if step == "*" => array.clear(),
            Value::Object(object) => drop(object.shift_remove(step)),
            Value::Array(array) => {
                if let Some(n) = step.parse().ok().filter(|n| *n < array.len()) {
                    array.remove(n);
                }
            }
            _ => {}
        },
        Change::Rename { to, .. } => {
            if let Value::Object(object) = at
                && let Some(value) = object.shift_remove(step)
            {
                object.insert(to.clone(), value);
            }
        }
        Change::Set { to, .. } => picked(at, step)
            .into_iter()
            .for_each(|value| *value = to.clone()),
        Change::Insert { to, .. } => {
            if let Value::Object(object) = at {
                object.insert(step.to_owned(), to.clone());
            }
        }
        Change::Null(_) => picked(at, step)
            .into_iter()
            .for_each(|value| *value = Value::Null),
        Change::Unlist(_) => {
            for value in picked(at, step) {
                if value.as_array().is_some_and(Vec::is_empty) {
                    *value = Value::Object(serde_json::Map::new());
                }
            }
        }
        Change::Add { by, .. } => {
            for value in picked(at, step) {
                if let Some(number) = value.as_i64() {
                    *value = number.saturating_add(*by).into();
                }
            }
        }
        Change::Replace { text, by, .. } => {
            for value in picked(at, step) {
                if let Value::String(said) = value {
                    *said = said.replace(text, by);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn edited(changes: Value, wanted: Value) {
        let edit: Edit = serde_json::from_value(changes).unwrap();
        edit.check().unwrap();
        let mut document = json!({
            "Id": "1",
            "Members": [{"Id": "a", "Name": "x"}, {"Id": "b"}],
            "Members@odata.count": 2,
            "Links": {"Chassis": [], "a/b": 1},
            "Created": "2026-01-01T00:00:00Z",
        });
        edit.apply(&mut document);
        for (pointer, value) in wanted.as_object().unwrap() {
            let seen = document
                .pointer(pointer)
                .unwrap_or(&json!("(none)"))
                .clone();
            assert_eq!(&seen, value, "{pointer} of {document}");
        }
    }

    #[test]
    fn edits_are_made_where_their_pointers_point() {
        edited(
            json!([{"remove": "/Members/*/Id"}, {"remove": "/Links/a~1b"}, {"remove": "/None/a"}]),
            json!({"/Id": "1", "/Members/0/Id": "(none)", "/Members/0/Name": "x", "/Links/a~1b": "(none)"}),
        );
        edited(
            json!([{"remove": "/Members/0"}, {"add": {"at": "/Members@odata.count", "by": 3}}]),
            json!({"/Members/0/Id": "b", "/Members/1": "(none)", "/Members@odata.count": 5}),
        );
        edited(
            json!([{"set": {"at": "/**/Id", "to": 7}}, {"insert": {"at": "/Links/New", "to": []}}]),
            json!({"/Id": 7, "/Members/1/Id": 7, "/Links/Id": "(none)", "/Links/New": []}),
        );
        edited(
            json!([{"rename": {"at": "/Id", "to": "ID"}}, {"null": "/Members"}]),
            json!({"/Id": "(none)", "/ID": "1", "/Members": null}),
        );
        edited(
            json!([{"unlist": "/**/*"}, {"replace": {"at": "/**/Created", "text": "Z", "by": ""}}]),
            json!({"/Links/Chassis": {}, "/Created": "2026-01-01T00:00:00", "/Members/1/Id": "b"}),
        );
        let bad: Edit = serde_json::from_value(json!([{"remove": "Id"}])).unwrap();
        assert!(bad.check().unwrap_err().contains("\"Id\""));
    }
}
