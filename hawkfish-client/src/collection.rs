//! Collections, over all their pages.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::resource::{Etag, Fetched};

/// A member of a collection.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Where it stands.
    pub uri: String,
    /// The member itself, where the collection carries it whole and not only as a link.
    pub inline: Option<Value>,
}

impl Member {
    /// The member: what the collection carried, else read from its URI.
    ///
    /// # Errors
    /// As [`Client::get_value`].
    pub async fn read(self, client: &Client) -> Result<Fetched<Value>, Error> {
        match self.inline {
            Some(value) => Ok(Fetched {
                etag: value
                    .get("@odata.etag")
                    .and_then(Value::as_str)
                    .map(Etag::new),
                value,
                uri: self.uri,
            }),
            None => client.get_value(&self.uri).await,
        }
    }

    /// The last segment of its URI, which is its `Id`.
    pub fn id(&self) -> &str {
        let path = self.uri.trim_end_matches('/');
        path.rsplit('/').next().unwrap_or(path)
    }
}

/// Walks the members of a collection; pages are read when they are reached.
#[derive(Debug)]
pub struct Members {
    client: Client,
    page: Option<String>,
    read: HashSet<String>,
    ready: VecDeque<Member>,
}

impl Members {
    pub(crate) fn new(client: Client, uri: &str) -> Self {
        Self {
            client,
            page: Some(uri.to_owned()),
            read: HashSet::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next member; `None` after the last.
    ///
    /// # Errors
    /// As [`Client::get_value`]; [`crate::Kind::Protocol`] for a member without a URI and for pages that go in a circle.
    pub async fn next(&mut self) -> Result<Option<Member>, Error> {
        loop {
            if let Some(member) = self.ready.pop_front() {
                return Ok(Some(member));
            }
            let Some(uri) = self.page.take() else {
                return Ok(None);
            };
            if !self.read.insert(uri.clone()) {
                return Err(Error::protocol(format!("{uri}: the pages go in a circle")));
            }
            let body = self.client.get_value(&uri).await?.value;
            let (members, next) = page(body, &uri)?;
            self.ready.extend(members);
            self.page = next;
        }
    }

    /// All members that are left.
    ///
    /// # Errors
    /// As [`Members::next`].
    pub async fn all(mut self) -> Result<Vec<Member>, Error> {
        let mut all = Vec::new();
        while let Some(member) = self.next().await? {
            all.push(member);
        }
        Ok(all)
    }
}

/// The members of a page of a collection, and where the next page stands.
pub(crate) fn page(mut page: Value, uri: &str) -> Result<(Vec<Member>, Option<String>), Error> {
    let next = page
        .get("Members@odata.nextLink")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let members = match page.get_mut("Members").map(Value::take) {
        Some(Value::Array(members)) => members,
        // Quirk `members_null`.
        _ => Vec::new(),
    };
    let members: Result<_, Error> = members
        .into_iter()
        // Quirk `null_member`.
        .filter(|member| !member.is_null())
        .map(|member| of(member, uri))
        .collect();
    Ok((members?, next))
}

fn of(member: Value, page: &str) -> Result<Member, Error> {
    let uri = member
        .get("@odata.id")
        .and_then(Value::as_str)
        .ok_or_else(|| Error::protocol(format!("{page}: a member has no @odata.id")))?;
    // A link may carry annotations; what has a property of its own is the resource.
    let whole = member
        .as_object()
        .is_some_and(|member| member.keys().any(|name| !name.contains('@')));
    Ok(Member {
        uri: uri.to_owned(),
        inline: whole.then_some(member),
    })
}
