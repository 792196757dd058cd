//! What a service gives, by what was recorded in its place.

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderValue;
use serde_json::Value;

/// From recorded words to those of now.
#[derive(Debug, Default)]
pub(super) struct Map {
    /// Whole words: tokens, tags.
    words: HashMap<String, String>,
    /// Parts of URIs: ids.
    parts: HashMap<String, String>,
}

impl Map {
    /// That word stands for this one from now on.
    pub(super) fn word(&mut self, was: &str, is: &str) {
        if was == is {
            self.words.remove(was);
        } else {
            self.words.insert(was.to_owned(), is.to_owned());
        }
    }

    pub(super) fn knows(&self, was: &str) -> bool {
        self.words.contains_key(was)
    }

    /// Learns ids from two URIs. False where they differ in more than that, or otherwise than is known.
    pub(super) fn uri(&mut self, was: &str, is: &str) -> bool {
        let (was, is) = (path(was), path(is));
        if !was.starts_with('/') || !is.starts_with('/') {
            return was == is;
        }
        let (was, is): (Vec<&str>, Vec<&str>) = (was.split('/').collect(), is.split('/').collect());
        if was.len() != is.len() {
            return false;
        }
        for (was, is) in was.iter().zip(&is) {
            match self.parts.get(*was) {
                Some(known) if known == is => {}
                None if was == is => {}
                // What has an id is something that was made: never the name of a place.
                _ if is_id(was) && is_id(is) => {
                    self.parts.insert((*was).to_owned(), (*is).to_owned());
                }
                _ => return false,
            }
        }
        true
    }

    /// A text with ids of now: all of it, or its parts where it is a URI.
    pub(super) fn text(&self, was: &str) -> String {
        if let Some(is) = self.words.get(was).or_else(|| self.parts.get(was)) {
            return is.clone();
        }
        if self.parts.is_empty() || !was.contains('/') {
            return was.to_owned();
        }
        was.split_inclusive(['/', '#', '?', ' ', '\''])
            .map(|part| {
                let bare = part.trim_end_matches(['/', '#', '?', ' ', '\'', '.']);
                match self.parts.get(bare) {
                    Some(is) => format!("{is}{}", &part[bare.len()..]),
                    None => part.to_owned(),
                }
            })
            .collect()
    }

    pub(super) fn header(&self, was: &HeaderValue) -> HeaderValue {
        let Ok(text) = was.to_str() else {
            return was.clone();
        };
        let is = HeaderValue::try_from(self.text(text));
        is.unwrap_or_else(|_| was.clone())
    }

    pub(super) fn body(&self, was: &Bytes) -> Bytes {
        if self.words.is_empty() && self.parts.is_empty() {
            return was.clone();
        }
        match serde_json::from_slice::<Value>(was) {
            Ok(mut value) => match self.value(&mut value) {
                true => value.to_string().into(),
                false => was.clone(),
            },
            Err(_) => was.clone(),
        }
    }

    fn value(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => {
                let is = self.text(text);
                let changed = is != *text;
                *text = is;
                changed
            }
            Value::Array(all) => all.iter_mut().fold(false, |c, one| self.value(one) | c),
            Value::Object(all) => all.values_mut().fold(false, |c, one| self.value(one) | c),
            _ => false,
        }
    }
}

/// Whether a part of a path may be an id: it has a digit, or is long.
fn is_id(part: &str) -> bool {
    part.bytes().any(|byte| byte.is_ascii_digit()) && part != "v1"
}

/// The path of a URI that may name its host.
fn path(uri: &str) -> &str {
    match uri.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => uri,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_learned_from_uris_and_put_where_they_stand() {
        let mut map = Map::default();
        let sessions = "/redfish/v1/SessionService/Sessions";
        let (was, is) = (format!("{sessions}/1"), format!("http://h{sessions}/7"));
        assert!(map.uri(&was, &is));
        assert_eq!(map.text(&was), format!("{sessions}/7"));
        assert_eq!(
            map.text(&format!("{sessions}/1?a=1")),
            format!("{sessions}/7?a=1")
        );
        assert!(!map.uri("/redfish/v1/Systems", "/redfish/v1/Chassis"));
        map.word("token-1", "secret");
        assert_eq!(map.header(&HeaderValue::from_static("token-1")), "secret");
        let body = Bytes::from_static(b"{\"a\":[\"/x/1\"],\"n\":1}");
        assert_eq!(map.body(&body), "{\"a\":[\"/x/7\"],\"n\":1}");
    }
}
