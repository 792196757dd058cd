//! Along every link of a service.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use hawkfish_client::{Client, Missed, Response, SERVICE_ROOT};
use serde_json::Value;

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
    let mut found = client.walk(SERVICE_ROOT).at_most(limit);
    let mut visited = Vec::new();
    while let Some(one) = found.next().await {
        let (uri, from, answer, body) = match one {
            Ok(one) => (one.uri, one.from, Ok(one.response), Some(one.value)),
            Err(Missed {
                uri,
                from,
                error,
                response,
                ..
            }) => {
                let answer = response.ok_or_else(|| error.to_string());
                (uri, from, answer, None)
            }
        };
        visited.push(Visited {
            uri,
            from: from.unwrap_or_else(|| "the specification".to_owned()),
            answer,
            body,
        });
    }
    Walk {
        visited,
        outside: found.outside().clone(),
        left: found.left(),
    }
}
