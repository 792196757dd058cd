//! From a path to what stands there: URI templates, walked segment by segment.

use std::collections::HashMap;
use std::ops::Range;

use super::{Action, Resource};

/// Most variables that a URI template holds.
const MAX_PARAMS: usize = 4;

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// A resource.
    Resource,
    /// The `Members` of a collection, which takes a POST as the collection itself does (DSP0266, "POST (create)").
    Members,
    /// An action of a resource.
    Action(&'static Action),
    /// A name below `Actions` that the resource does not have.
    UnknownAction,
}

/// A path that leads somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Place of the resource in the catalog.
    pub(crate) entry: usize,
    pub(crate) target: Target,
    /// The path of the resource itself, without a trailing slash.
    pub(crate) uri: Box<str>,
    pub(crate) params: Params,
}

/// The variables of a URI template and where their values stand in the path.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    found: [(&'static str, u16, u16); MAX_PARAMS],
    count: usize,
}

impl Params {
    pub(crate) fn get(&self, name: &str) -> Option<Range<usize>> {
        self.found[..self.count]
            .iter()
            .find(|(known, ..)| *known == name)
            .map(|&(_, from, to)| usize::from(from)..usize::from(to))
    }

    fn push(&mut self, name: &'static str, range: Range<usize>) {
        // Paths are bounded far below 64 KiB, templates to MAX_PARAMS (both tested).
        self.found[self.count] = (name, range.start as u16, range.end as u16);
        self.count += 1;
    }
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<&'static str, usize>,
    param: Option<(&'static str, usize)>,
    leaf: Option<Leaf>,
}

#[derive(Clone, Copy, Debug)]
struct Leaf {
    entry: usize,
    target: Target,
    /// How many segments stand behind the URI of the resource.
    tail: usize,
}

/// All URI templates as a tree.
#[derive(Debug)]
pub(crate) struct Routes(Vec<Node>);

impl Routes {
    /// The tree of `resources`.
    ///
    /// # Panics
    /// When two resources claim one URI or a template is malformed: a defect of the list, found by any test.
    pub(crate) fn new(resources: &[&'static Resource]) -> Self {
        let mut routes = Self(vec![Node::default()]);
        for (entry, resource) in resources.iter().enumerate() {
            let at = routes.grow(0, resource.uri);
            routes.claim(at, entry, Target::Resource, 0, resource.uri);
            if resource.create.is_some() {
                let members = routes.grow(at, "Members");
                routes.claim(members, entry, Target::Members, 1, resource.uri);
            }
            if !resource.actions.is_empty() {
                for (place, tail) in [("Actions", 2), ("Actions/Oem", 3)] {
                    let actions = routes.grow(at, place);
                    for action in resource.actions {
                        if action.place(resource.entity) == place {
                            let leaf = routes.grow(actions, action.name);
                            routes.claim(leaf, entry, Target::Action(action), tail, action.name);
                        }
                    }
                    let unknown = routes.grow(actions, "{}");
                    routes.claim(unknown, entry, Target::UnknownAction, tail, resource.uri);
                }
            }
        }
        routes
    }

    fn grow(&mut self, from: usize, template: &'static str) -> usize {
        let mut at = from;
        for segment in template.split('/').filter(|s| !s.is_empty()) {
            let fresh = self.0.len();
            let param = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}'));
            let next = match param {
                Some(name) => {
                    let (known, next) = *self.0[at].param.get_or_insert((name, fresh));
                    assert_eq!(known, name, "two names for one variable in {template}");
                    next
                }
                None => *self.0[at].literals.entry(segment).or_insert(fresh),
            };
            if next == fresh {
                self.0.push(Node::default());
            }
            at = next;
        }
        at
    }

    fn claim(&mut self, node: usize, entry: usize, target: Target, tail: usize, what: &str) {
        let leaf = Leaf {
            entry,
            target,
            tail,
        };
        let before = self.0[node].leaf.replace(leaf);
        assert!(before.is_none(), "{what} stands twice in the catalog");
    }

    /// Follows `path`, which may end with one slash more than the template.
    pub(crate) fn find(&self, path: &str) -> Option<Route> {
        if path.len() > usize::from(u16::MAX) {
            return None;
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments = path.strip_prefix('/')?;
        let mut params = Params::default();
        let node = self.walk(0, path, path.len() - segments.len(), &mut params)?;
        let Leaf {
            entry,
            target,
            tail,
        } = self.0[node].leaf?;
        let uri = path.rsplitn(tail + 1, '/').last().unwrap_or_default();
        Some(Route {
            entry,
            target,
            uri: uri.into(),
            params,
        })
    }

    /// The leaf that the segments from `from` on lead to. A literal goes before a variable; where it leads nowhere, the variable is tried.
    fn walk(&self, node: usize, path: &str, from: usize, params: &mut Params) -> Option<usize> {
        if from > path.len() {
            return self.0[node].leaf.map(|_| node);
        }
        let to = path[from..].find('/').map_or(path.len(), |at| from + at);
        let segment = &path[from..to];
        if segment.is_empty() {
            return None;
        }
        if let Some(next) = self.0[node].literals.get(segment) {
            let before = params.count;
            if let Some(leaf) = self.walk(*next, path, to + 1, params) {
                return Some(leaf);
            }
            params.count = before;
        }
        let (name, next) = self.0[node].param?;
        if !name.is_empty() {
            params.push(name, from..to);
        }
        self.walk(next, path, to + 1, params)
    }
}

/// The path with needlessly escaped characters written plainly (RFC 3986, 6.2.2.2): `%53ystems` is `Systems`. What needs its escape keeps it, and so
/// leads nowhere: no URI of ours holds such a character.
pub(crate) fn plain_path(path: &str) -> std::borrow::Cow<'_, str> {
    if !path.contains('%') {
        return path.into();
    }
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(byte)
                if byte.is_ascii_alphanumeric()
                    || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'$') =>
            {
                out.push(byte as char);
                rest = &rest[at + 3..];
            }
            _ => {
                out.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource;

    #[test]
    fn a_path_leads_to_its_resource_with_or_without_a_slash_at_the_end() {
        let routes = Routes::new(resource::ALL);
        for path in [
            "/redfish",
            "/redfish/v1",
            "/redfish/v1/",
            "/redfish/v1/odata",
        ] {
            assert!(routes.find(path).is_some(), "{path}");
        }
        for path in [
            "",
            "/",
            "redfish",
            "//redfish",
            "/redfish//v1",
            "/redfish/v1//",
            "/Redfish/v1",
            "/redfish/v2",
        ] {
            assert!(routes.find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn every_template_fits_its_bounds() {
        for resource in resource::ALL {
            let variables = resource.uri.matches('{').count();
            assert!(variables <= MAX_PARAMS, "{}", resource.uri);
        }
    }

    #[test]
    fn only_needless_escapes_are_undone() {
        assert_eq!(plain_path("/redfish/v1/%53ystems"), "/redfish/v1/Systems");
        assert_eq!(
            plain_path("/redfish/v1/%24metadata"),
            "/redfish/v1/$metadata"
        );
        for kept in ["/a%2fb", "/a%", "/a%2", "/a%zz", "/%00", "/%C3%A4", "/%+1"] {
            assert_eq!(plain_path(kept), kept);
        }
    }
}
