//! `$select`: only the properties named.

use serde_json::{Map, Value};

/// The properties to keep, as a tree of their paths.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Select {
    names: Vec<(String, Option<Self>)>,
}

impl Select {
    /// Reads a list of property paths: `Name,Boot/BootOrder`. `None` where it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut select = Self::default();
        for path in text.split(',') {
            let segments: Vec<&str> = path.trim().split('/').collect();
            let sound = |s: &&str| {
                !s.is_empty()
                    && s.bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"@._#-".contains(&b))
            };
            if segments.len() > 16 || !segments.iter().all(sound) {
                return None;
            }
            select.add(&segments);
        }
        Some(select)
    }

    fn add(&mut self, segments: &[&str]) {
        let Some((first, rest)) = segments.split_first() else {
            return;
        };
        let found = self.names.iter().position(|(name, _)| name == first);
        let at = found.unwrap_or_else(|| {
            self.names
                .push(((*first).to_owned(), Some(Self::default())));
            self.names.len() - 1
        });
        let below = &mut self.names[at].1;
        if rest.is_empty() {
            // The whole of it; what was asked for of its inside is in it.
            *below = None;
        } else if let Some(below) = below {
            below.add(rest);
        }
    }

    /// Leaves in a resource only what is selected, and what tells which resource it is: `@odata.id`, `@odata.type`, `@odata.context` and
    /// `@odata.etag` always stay, and so do the annotations of a property that stays. In a collection it is the members that are selected
    /// from, once they are expanded.
    pub fn apply(&self, resource: &mut Map<String, Value>) {
        resource.retain(|key, _| key.starts_with("@odata.") || self.below(key).is_some());
        for (key, value) in resource.iter_mut() {
            if let Some(Some(below)) = self.below(key) {
                below.apply_inside(value);
            }
        }
    }

    fn apply_inside(&self, value: &mut Value) {
        match value {
            Value::Object(object) => self.apply(object),
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply_inside(item)),
            _ => {}
        }
    }

    /// Whether a property stays, and if only part of it does, which.
    fn below(&self, key: &str) -> Option<&Option<Self>> {
        let plain = match key.split_once('@') {
            Some((plain, _)) if !plain.is_empty() => plain,
            _ => key,
        };
        self.names
            .iter()
            .find(|(name, _)| name == key || name == plain)
            .map(|(_, below)| below)
    }
}
