//! What a service says that it can do beside the plain reading and writing: `ProtocolFeaturesSupported` of its root.

use std::sync::OnceLock;

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::expand::Experience;
use crate::resource::link;

/// The query parameters and operations that a service says it has (ServiceRoot, `ProtocolFeaturesSupported`). What it does not speak of it does not have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// `$expand`, and in which forms.
    pub expand: Expands,
    /// `$select`.
    pub select: bool,
    /// `$filter`.
    pub filter: bool,
    /// `$top` and `$skip`.
    pub top_skip: bool,
    /// `only`.
    pub only: bool,
    /// `excerpt`.
    pub excerpt: bool,
    /// `includeoriginofcondition`.
    pub origin_of_condition: bool,
    /// Several requests of one client at once.
    pub multiple_requests: bool,
    /// PATCH of a resource together with what is below it.
    pub deep_patch: bool,
    /// POST of a resource together with what is below it.
    pub deep_post: bool,
}

/// The forms of `$expand` that a service says it has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expands {
    /// `$expand=*`: all links.
    pub all: bool,
    /// `$expand=~`: the links in `Links`.
    pub links: bool,
    /// `$expand=.`: all links but those in `Links`.
    pub no_links: bool,
    /// `$levels` may be given.
    pub levels: bool,
    /// The most that `$levels` may be.
    pub max_levels: Option<u32>,
}

impl Features {
    /// What a service root says. Whatever is not plainly said is taken as not there.
    pub fn of_root(root: &Value) -> Self {
        let Some(said) = root.get("ProtocolFeaturesSupported") else {
            return Self::default();
        };
        let expand = said.get("ExpandQuery").unwrap_or(&Value::Null);
        Self {
            expand: Expands {
                all: yes(expand, "ExpandAll"),
                links: yes(expand, "Links"),
                no_links: yes(expand, "NoLinks"),
                levels: yes(expand, "Levels"),
                max_levels: expand
                    .get("MaxLevels")
                    .and_then(Value::as_u64)
                    .and_then(|levels| u32::try_from(levels).ok()),
            },
            select: yes(said, "SelectQuery"),
            filter: yes(said, "FilterQuery"),
            top_skip: yes(said, "TopSkipQuery"),
            only: yes(said, "OnlyMemberQuery"),
            excerpt: yes(said, "ExcerptQuery"),
            origin_of_condition: yes(said, "IncludeOriginOfConditionQuery"),
            multiple_requests: yes(said, "MultipleHTTPRequests"),
            deep_patch: said
                .get("DeepOperations")
                .is_some_and(|deep| yes(deep, "DeepPATCH")),
            deep_post: said
                .get("DeepOperations")
                .is_some_and(|deep| yes(deep, "DeepPOST")),
        }
    }
}

impl Expands {
    /// The value of `$expand` that brings in the members of a collection, if there is one.
    pub(crate) fn of_members(self) -> Option<&'static str> {
        // What a collection links to but its members is little, so that `*` serves where there is nothing else.
        match (self.no_links, self.all, self.levels) {
            (true, _, true) => Some(".($levels=1)"),
            (true, _, false) => Some("."),
            (false, true, true) => Some("*($levels=1)"),
            (false, true, false) => Some("*"),
            (false, false, _) => None,
        }
    }
}

fn yes(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// What a client has learnt of its service; all clones of it share that.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    features: OnceLock<Features>,
    /// Where its sessions are.
    sessions: OnceLock<String>,
    /// How `$expand` went.
    pub(crate) expand: Experience,
}

impl Learnt {
    /// Notes what a root that was read says, whatever it was read for.
    pub(crate) fn hear(&self, root: &Value) {
        // Only the first time: what a service can do changes with its firmware, and then it restarts.
        self.features.get_or_init(|| Features::of_root(root));
        if let Some(sessions) = link(root, "/Links/Sessions") {
            self.sessions.get_or_init(|| sessions.to_owned());
        }
    }

    /// Where a session can be opened, if a root was read that says it.
    pub(crate) fn sessions(&self) -> Option<&str> {
        self.sessions.get().map(String::as_str)
    }
}

impl Client {
    /// What the service says that it can do. It is asked once; a root that was read for anything else will do.
    ///
    /// # Errors
    /// As [`Client::root`].
    pub async fn features(&self) -> Result<Features, Error> {
        if let Some(features) = self.learnt().features.get() {
            return Ok(*features);
        }
        let root = self.root().await?;
        Ok(Features::of_root(&root.value))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_root_does_not_plainly_say_is_not_there() {
        assert_eq!(Features::of_root(&json!({})), Features::default());
        let odd = json!({"ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": "true", "MaxLevels": -1}, "SelectQuery": null}});
        assert_eq!(Features::of_root(&odd), Features::default());
    }

    #[test]
    fn the_form_of_expand_is_one_that_the_service_has() {
        let form = |expand: Value| {
            let root = json!({"ProtocolFeaturesSupported": {"ExpandQuery": expand}});
            Features::of_root(&root).expand.of_members()
        };
        assert_eq!(
            form(json!({"NoLinks": true, "Levels": true})),
            Some(".($levels=1)")
        );
        assert_eq!(form(json!({"NoLinks": true, "ExpandAll": true})), Some("."));
        assert_eq!(form(json!({"ExpandAll": true})), Some("*"));
        assert_eq!(form(json!({"Links": true, "Levels": true})), None);
    }
}
