//! Along every link of a service.

use std::collections::{BTreeSet, HashSet};

use futures::stream::{self, StreamExt as _};
use hawkfish_client::{Client, Request, Response, SERVICE_ROOT};
use serde_json::Value;

/// Requests under way at once: BMCs are slow machines.
const AT_ONCE: usize = 8;

/// What was found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Everything that a link led to, nearest to the root first.
    pub visited: Vec<Visited>,
    /// Links that lead out of the service, each once.
    pub outside: BTreeSet<String>,
    /// Links that were not followed because the limit was reached.
    pub left: usize,
}

/// What a link led to.
#[derive(Debug)]
pub struct Visited {
    /// The link.
    pub uri: String,
    /// Where it stood first.
    pub from: String,
    /// What came of following it.
    pub answer: Result<Response, String>,
    /// The resource, if it is one.
    pub body: Option<Value>,
}

impl Visited {
    /// The resource and its answer, where there is one.
    pub fn resource(&self) -> Option<(&Response, &Value)> {
        Some((self.answer.as_ref().ok()?, self.body.as_ref()?))
    }
}

impl Walk {
    /// All resources.
    pub fn resources(&self) -> impl Iterator<Item = (&Visited, &Response, &Value)> {
        self.visited.iter().filter_map(|visited| {
            let (answer, body) = visited.resource()?;
            Some((visited, answer, body))
        })
    }
}

/// Follows every link from the service root, reading at most `limit` resources.
pub async fn walk(client: &Client, limit: usize) -> Walk {
    let mut walk = Walk::default();
    let mut known = HashSet::from([key(SERVICE_ROOT)]);
    let mut level = vec![(SERVICE_ROOT.to_owned(), "the specification".to_owned())];
    while !level.is_empty() {
        let room = limit - walk.visited.len();
        walk.left += level.len().saturating_sub(room);
        level.truncate(room);
        let mut reads = stream::iter(
            level
                .into_iter()
                .map(|(uri, from)| visit(client, uri, from)),
        )
        .buffered(AT_ONCE);
        let mut next = Vec::new();
        while let Some(visited) = reads.next().await {
            let mut links = Vec::new();
            if let Some(body) = &visited.body {
                collect(body, &mut links);
            }
            for link in links {
                let whole = link.split('#').next().unwrap_or_default();
                if !within(whole) {
                    walk.outside.insert(link);
                } else if known.insert(key(whole)) {
                    next.push((whole.to_owned(), visited.uri.clone()));
                }
            }
            walk.visited.push(visited);
        }
        level = next;
    }
    walk
}

async fn visit(client: &Client, uri: String, from: String) -> Visited {
    let answer = client.send(Request::get(&uri)).await;
    let body = match &answer {
        Ok(answer) if answer.status == 200 => answer.json().ok().filter(Value::is_object),
        _ => None,
    };
    Visited {
        uri,
        from,
        answer: answer.map_err(|error| error.to_string()),
        body,
    }
}

/// A slash at the end makes no other resource.
fn key(uri: &str) -> String {
    uri.trim_end_matches('/').to_owned()
}

fn within(uri: &str) -> bool {
    uri == "/redfish/v1" || uri.starts_with(SERVICE_ROOT)
}

fn collect(value: &Value, links: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(uri)
                        if name == "@odata.id" || name.ends_with("@odata.nextLink") =>
                    {
                        links.push(uri.clone());
                    }
                    below => collect(below, links),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, links)),
        _ => {}
    }
}
