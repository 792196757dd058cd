//! All members of a collection, read: in one request where the service can bring them in (`$expand`, DSP0266, "Expand parameter"), else each by itself.
//!
//! A service may say that it has `$expand` and not have it, or have it for some collections only. So what came is looked at, what is missing is read, and what
//! does not work is not tried again.

use std::collections::HashSet;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde_json::Value;

use crate::client::Client;
use crate::collection::{self, Member};
use crate::error::{Error, Kind};
use crate::resource::Fetched;

/// Members that are read at once where each has to be read by itself: BMCs are slow machines.
const AT_ONCE: usize = 8;

/// How `$expand` went with a service until now.
#[derive(Debug, Default)]
pub(crate) struct Experience {
    works: AtomicBool,
    broken: AtomicBool,
    /// Collections where it does not work, of a service where it works elsewhere.
    broken_at: Mutex<HashSet<String>>,
}

impl Experience {
    fn promising(&self, collection: &str) -> bool {
        if self.broken.load(Ordering::Relaxed) {
            return false;
        }
        let broken_at = self.broken_at.lock();
        !broken_at
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .contains(collection)
    }

    fn worked(&self) {
        self.works.store(true, Ordering::Relaxed);
    }

    fn failed(&self, collection: &str) {
        if self.works.load(Ordering::Relaxed) {
            let broken_at = self.broken_at.lock();
            broken_at
                .unwrap_or_else(|poisoned| poisoned.into_inner())
                .insert(collection.to_owned());
        } else {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

/// The members of a collection that are to be read: `client.resources(uri).await?`, or as a [stream](Resources::stream).
#[derive(Clone)]
#[must_use = "nothing is read before it is awaited"]
pub struct Resources {
    client: Client,
    uri: String,
    select: Vec<String>,
    expand: bool,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Resources").field(&self.uri).finish()
    }
}

impl Client {
    /// All members of a collection, in its order, read: in one request for each page where the service has `$expand`, else each by itself, some at once.
    pub fn resources(&self, collection: &str) -> Resources {
        Resources {
            client: self.clone(),
            uri: collection.to_owned(),
            select: Vec::new(),
            expand: true,
        }
    }
}

impl Resources {
    /// Only these properties (`Name`, `Status/Health`), where the service can leave out the rest; else all of them.
    pub fn select<S: Into<String>>(mut self, properties: impl IntoIterator<Item = S>) -> Self {
        self.select.extend(properties.into_iter().map(Into::into));
        self
    }

    /// Each member by itself, even where the service could bring them in.
    pub fn one_by_one(mut self) -> Self {
        self.expand = false;
        self
    }

    /// One after the other, in the order of the collection. A member that cannot be read is an error in its place, and the others follow; an error of a page
    /// of the collection is the last item.
    pub fn stream(self) -> BoxStream<'static, Result<Fetched<Value>, Error>> {
        let client = self.client.clone();
        let pages = Pages {
            next: Some(self.uri.clone()),
            expand: self.expand,
            of: self,
            select: None,
            seen: HashSet::new(),
        };
        let pages = stream::unfold(Some(pages), |pages| async {
            let mut pages = pages?;
            match pages.next().await {
                Ok(members) => {
                    let members = members?.into_iter().map(Ok).collect();
                    Some((members, Some(pages)))
                }
                Err(error) => Some((vec![Err(error)], None)),
            }
        });
        pages
            .map(stream::iter)
            .flatten()
            .map(move |member: Result<Member, Error>| {
                let client = client.clone();
                async move { member?.read(&client).await }
            })
            .buffered(AT_ONCE)
            .boxed()
    }
}

impl IntoFuture for Resources {
    type Output = Result<Vec<Fetched<Value>>, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    /// All of them.
    ///
    /// # Errors
    /// The first error, as [`Client::get_value`]; [`Kind::Protocol`] for a member without a URI and for pages that go in a circle.
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.stream().try_collect())
    }
}

struct Pages {
    of: Resources,
    next: Option<String>,
    /// Whether members are to be brought in.
    expand: bool,
    /// The query by which a member is read by itself; `None` until the first page.
    select: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    /// The members of the next page.
    async fn next(&mut self) -> Result<Option<Vec<Member>>, Error> {
        let Some(uri) = self.next.take() else {
            return Ok(None);
        };
        if !self.seen.insert(uri.clone()) {
            return Err(Error::protocol(format!("{uri}: the pages go in a circle")));
        }
        let (page, expanded) = match self.select {
            None => self.first(&uri).await?,
            // The link to the next page has the query in it, where a service has a query at all.
            Some(_) => (self.of.client.get_value(&uri).await?.value, self.expand),
        };
        let (mut members, next) = collection::page(page, &uri)?;
        self.next = next;
        if expanded {
            self.look_at(&mut members);
        }
        let query = self.select.as_deref().unwrap_or_default();
        if !query.is_empty() {
            for member in members.iter_mut().filter(|member| member.inline.is_none()) {
                member.uri = with_query(&member.uri, query);
            }
        }
        Ok(Some(members))
    }

    /// The first page, and whether the members were asked for with it.
    async fn first(&mut self, uri: &str) -> Result<(Value, bool), Error> {
        let client = self.of.client.clone();
        let features = match client.features().await {
            Ok(features) => features,
            // Whoever may not read the root may still read the collection.
            Err(error) if error.answered.is_some() => Default::default(),
            Err(error) => return Err(error),
        };
        let select = match features.select && !self.of.select.is_empty() {
            true => format!("$select={}", self.of.select.join(",")),
            false => String::new(),
        };
        self.select = Some(select.clone());
        let experience = &client.learnt().expand;
        let form = features.expand.of_members();
        let Some(form) = form.filter(|_| self.expand && experience.promising(uri)) else {
            self.expand = false;
            return Ok((client.get_value(uri).await?.value, false));
        };
        let mut query = format!("$expand={form}");
        if !select.is_empty() {
            query = format!("{query}&{select}");
        }
        match client.get_value(&with_query(uri, &query)).await {
            Ok(page) => Ok((page.value, true)),
            Err(error) if may_be_of_the_query(&error) => {
                self.expand = false;
                // Only if it goes without is it `$expand` that is broken, and not the collection.
                let page = client.get_value(uri).await?.value;
                experience.failed(uri);
                Ok((page, false))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the members that were asked for are really there. Those that are not, or not whole, become links.
    fn look_at(&mut self, members: &mut [Member]) {
        let asked: Vec<&str> = self
            .of
            .select
            .iter()
            .map(|path| path.split('/').next().unwrap_or(path))
            .collect();
        let selects = self.select.as_ref().is_some_and(|query| !query.is_empty());
        let mut whole = 0;
        for member in members.iter_mut() {
            let complete = member.inline.as_ref().is_some_and(|value| match selects {
                // Every resource has these (DSP0266, "Required properties").
                false => value.get("Id").is_some() && value.get("Name").is_some(),
                true => asked.iter().any(|name| value.get(*name).is_some()),
            });
            match complete {
                true => whole += 1,
                false => member.inline = None,
            }
        }
        let experience = &self.of.client.learnt().expand;
        if whole > 0 {
            experience.worked();
        } else if !members.is_empty() {
            experience.failed(&self.of.uri);
            self.expand = false;
        }
    }
}

/// Whether the request may succeed without its query.
fn may_be_of_the_query(error: &Error) -> bool {
    matches!(
        error.kind,
        Kind::BadRequest
            | Kind::NotFound
            | Kind::Unsupported
            | Kind::Conflict
            | Kind::Service
            | Kind::Protocol
            | Kind::Transport
    )
}

fn with_query(uri: &str, query: &str) -> String {
    let (before, fragment) = match uri.split_once('#') {
        Some((before, fragment)) => (before, Some(fragment)),
        None => (uri, None),
    };
    let sign = match before.contains('?') {
        true => '&',
        false => '?',
    };
    match fragment {
        Some(fragment) => format!("{before}{sign}{query}#{fragment}"),
        None => format!("{before}{sign}{query}"),
    }
}
