//! Along every link of a service: each resource once, nearest to the beginning first, as a stream.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Client, resource};
use crate::error::Error;
use crate::resource::{Etag, Fetched};
use crate::wire::{Request, Response};

/// Requests under way at once, unless said otherwise: BMCs are slow machines.
const AT_ONCE: usize = 8;

/// A resource that a walk came to.
#[derive(Debug, Clone)]
pub struct Visited {
    /// The link that led to it.
    pub uri: String,
    /// Where that link stood first; `None` where the walk began.
    pub from: Option<String>,
    /// How many links lie between it and the beginning.
    pub depth: usize,
    /// The resource.
    pub value: Value,
    /// Guards a change of it.
    pub etag: Option<Etag>,
    /// The whole answer.
    pub response: Response,
}

impl From<Visited> for Fetched<Value> {
    fn from(visited: Visited) -> Self {
        Self {
            value: visited.value,
            etag: visited.etag,
            uri: visited.uri,
        }
    }
}

/// A link that led to no resource.
#[derive(Debug)]
pub struct Missed {
    /// The link.
    pub uri: String,
    /// Where it stood first; `None` where the walk began.
    pub from: Option<String>,
    /// How many links lie between it and the beginning.
    pub depth: usize,
    /// Why.
    pub error: Error,
    /// The answer, if there was one.
    pub response: Option<Response>,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.uri, self.error)
    }
}

impl std::error::Error for Missed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Which links are followed.
type Filter = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A walk, as [`Client::walk`] begins it: a stream of what it comes to. A link that leads nowhere is an item, and the walk goes on.
///
/// The order is the same each time as long as the service is: by how far a resource is, then by where its link stands. At any time some requests are under
/// way; what they bring waits for its turn.
#[must_use = "nothing is read before it is polled"]
pub struct Walk {
    client: Client,
    at_once: usize,
    at_most: usize,
    depth: usize,
    documents: bool,
    follow: Option<Filter>,
    known: HashSet<String>,
    ahead: VecDeque<Step>,
    reads: FuturesOrdered<BoxFuture<'static, (Step, Result<Response, Error>)>>,
    begun: usize,
    left: usize,
    outside: BTreeSet<String>,
}

#[derive(Debug)]
struct Step {
    uri: String,
    from: Option<String>,
    depth: usize,
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("begun", &self.begun)
            .field("ahead", &self.ahead.len())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Reads what stands at `from` and whatever its links lead to, each resource once. Followed is what stands in any `@odata.id`, and the further pages of
    /// collections, within `/redfish/` of the same origin; a fragment belongs to its whole resource.
    ///
    /// ```no_run
    /// # async fn example(client: hawkfish_client::Client) {
    /// use futures::StreamExt as _;
    ///
    /// let mut walk = client.walk(hawkfish_client::SERVICE_ROOT).at_most(10_000);
    /// while let Some(found) = walk.next().await {
    ///     match found {
    ///         Ok(visited) => println!("{} {}", visited.uri, visited.value["@odata.type"]),
    ///         Err(missed) => eprintln!("{missed}, which {:?} links to", missed.from),
    ///     }
    /// }
    /// # }
    /// ```
    pub fn walk(&self, from: &str) -> Walk {
        let from = whole(from);
        Walk {
            client: self.clone(),
            at_once: AT_ONCE,
            at_most: usize::MAX,
            depth: usize::MAX,
            documents: false,
            follow: None,
            known: HashSet::from([key(from).to_owned()]),
            ahead: VecDeque::from([Step {
                uri: from.to_owned(),
                from: None,
                depth: 0,
            }]),
            reads: FuturesOrdered::new(),
            begun: 0,
            left: 0,
            outside: BTreeSet::new(),
        }
    }
}

impl Walk {
    /// Reads no more than so many. A service whose pages never end would be walked without end.
    pub fn at_most(mut self, resources: usize) -> Self {
        self.at_most = resources;
        self
    }

    /// Follows no link of what is so many links from the beginning: 0 reads only that, 1 what it links to.
    pub fn depth(mut self, links: usize) -> Self {
        self.depth = links;
        self
    }

    /// So many requests under way at once; 8 unless said. The bound of the client holds besides.
    pub fn at_once(mut self, requests: usize) -> Self {
        self.at_once = requests.max(1);
        self
    }

    /// Follows only links for which this holds: `|uri| !uri.contains("/JsonSchemas")`.
    pub fn follow_if(mut self, follow: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.follow = Some(Box::new(follow));
        self
    }

    /// Also reads what is linked by a plain URI: descriptions of actions, and the bodies of registries and schemas, of which each may be a megabyte.
    pub fn documents(mut self) -> Self {
        self.documents = true;
        self
    }

    /// Links that led out of the service, as far as it was walked.
    pub fn outside(&self) -> &BTreeSet<String> {
        &self.outside
    }

    /// How many links were not followed because enough was read. Complete when the stream has ended.
    pub fn left(&self) -> usize {
        self.left
    }

    fn begin(&mut self) {
        while self.reads.len() < self.at_once && self.begun < self.at_most {
            let Some(step) = self.ahead.pop_front() else {
                return;
            };
            self.begun += 1;
            let client = self.client.clone();
            self.reads.push_back(Box::pin(async move {
                let answer = client.send(Request::get(&step.uri)).await;
                (step, answer)
            }));
        }
        if self.begun == self.at_most {
            self.left += self.ahead.len();
            self.ahead.clear();
        }
    }

    /// What came of a link; `None` where it led to what was seen already.
    fn arrive(
        &mut self,
        step: Step,
        answer: Result<Response, Error>,
    ) -> Option<Result<Visited, Missed>> {
        let Step { uri, from, depth } = step;
        let missed = |uri, from, error, response| {
            Some(Err(Missed {
                uri,
                from,
                depth,
                error,
                response,
            }))
        };
        let response = match answer {
            Ok(response) => response,
            Err(error) => return missed(uri, from, error, None),
        };
        let path = uri.split('?').next().unwrap_or_default();
        let came_to = key(&response.uri);
        if came_to != key(path) && !self.known.insert(came_to.to_owned()) {
            return None;
        }
        if response.status.is_client_error() || response.status.is_server_error() {
            let error = Error::of_response(&Method::GET, &response);
            return missed(uri, from, error, Some(response));
        }
        let value = match resource(&response) {
            Ok(value) if value.is_object() && response.status == StatusCode::OK => value,
            Ok(_) => {
                let error = Error::protocol(format!("{}: no resource", response.uri));
                return missed(uri, from, error, Some(response));
            }
            Err(error) => return missed(uri, from, error, Some(response)),
        };
        if depth < self.depth {
            self.collect(&value, &uri, depth + 1);
        }
        Some(Ok(Visited {
            etag: Etag::of(&response, &value),
            uri,
            from,
            depth,
            value,
            response,
        }))
    }

    fn collect(&mut self, value: &Value, from: &str, depth: usize) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match value {
                        Value::String(uri) if self.is_link(name) => self.link(uri, from, depth),
                        Value::Object(_) | Value::Array(_) => self.collect(value, from, depth),
                        _ => {}
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.collect(item, from, depth);
                }
            }
            _ => {}
        }
    }

    fn is_link(&self, name: &str) -> bool {
        name == "@odata.id"
            || name.ends_with("@odata.nextLink")
            || (self.documents && matches!(name, "@Redfish.ActionInfo" | "Uri"))
    }

    fn link(&mut self, link: &str, from: &str, depth: usize) {
        let uri = whole(link);
        if uri.is_empty() {
            // A part of the resource that it stands in.
            return;
        }
        // Most links are plain paths, and most of those were seen.
        if self.known.contains(key(uri)) {
            return;
        }
        let plain = uri.starts_with('/') && !uri.starts_with("//") && !uri.contains("/.");
        let uri = match plain {
            true => uri.to_owned(),
            false => match self.client.resolve(uri) {
                Ok(url) => url[url::Position::BeforePath..].to_owned(),
                Err(_) => {
                    self.outside.insert(link.to_owned());
                    return;
                }
            },
        };
        if uri != "/redfish" && !uri.starts_with("/redfish/") {
            self.outside.insert(link.to_owned());
            return;
        }
        if self.follow.as_ref().is_some_and(|follow| !follow(&uri)) {
            return;
        }
        if !self.known.insert(key(&uri).to_owned()) {
            return;
        }
        if self.begun >= self.at_most {
            self.left += 1;
            return;
        }
        self.ahead.push_back(Step {
            uri,
            from: Some(from.to_owned()),
            depth,
        });
    }
}

impl Stream for Walk {
    type Item = Result<Visited, Missed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            self.begin();
            let next = Pin::new(&mut self.reads).poll_next(cx);
            match next {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some((step, answer))) => {
                    if let Some(item) = self.arrive(step, answer) {
                        return Poll::Ready(Some(item));
                    }
                }
            }
        }
    }
}

/// The resource that a URI is of.
fn whole(uri: &str) -> &str {
    uri.split('#').next().unwrap_or_default()
}

/// A slash at the end makes no other resource.
fn key(uri: &str) -> &str {
    uri.trim_end_matches('/')
}
