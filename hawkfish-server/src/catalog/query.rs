//! What a GET with query parameters answers: the one place where they are evaluated, for every resource.
//!
//! The order is that of DSP0266, "Query parameters": `only`, then `$filter`, `$skip` and `$top` choose members; `$expand` brings in what is linked,
//! `includeoriginofcondition` what caused an entry of a log; `excerpt` and then `$select` leave out the rest. Whatever is brought in is read through the
//! catalog, as the caller may see it; what may not be seen stays a link.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use hawkfish_redfish::query::{Expand, Query, excerpt};
use hawkfish_redfish::validate;
use http::StatusCode;
use serde_json::{Map, Value};

use super::{Catalog, Representation, Rq};
use crate::problem::Problem;

/// Most resources that one answer brings in; beyond, links stay links.
const MOST_EXPANDED: usize = 20_000;

/// What a query made of a resource.
pub(super) struct Answered {
    /// The body.
    pub(super) bytes: Bytes,
    /// The one member that stands for its collection.
    pub(super) member: Option<(String, Arc<Representation>)>,
}

/// The answer to `query`, which was written `raw`, at what `now` represents.
pub(super) async fn answer(
    rq: &Rq,
    raw: &str,
    query: &Query,
    now: &Representation,
) -> Result<Answered, Problem> {
    let mut body: Map<String, Value> = parse(now)?;
    let mut one = None;
    let is_collection = body.contains_key("Members");
    let chooses =
        query.only || query.filter.is_some() || query.top.is_some() || query.skip.is_some();
    if chooses && !is_collection {
        return Err(Problem::base(
            StatusCode::BAD_REQUEST,
            "QueryNotSupportedOnResource",
            &[],
        ));
    }
    if query.only {
        if query.filter.is_some()
            || query.top.is_some()
            || query.skip.is_some()
            || query.expand.is_some()
        {
            return Err(Problem::base(
                StatusCode::BAD_REQUEST,
                "QueryCombinationInvalid",
                &[],
            ));
        }
        if let [member] = members(&body)
            && let Some(uri) = member.get("@odata.id").and_then(Value::as_str)
        {
            let uri = uri.to_owned();
            let member = Catalog::read(&rq.service, &rq.ctx, &uri).await?;
            body = parse(&member)?;
            one = Some((uri, member));
        }
    } else if chooses {
        choose(rq, raw, query, &mut body).await?;
    }
    if let Some(expand) = query.expand {
        if is_collection
            && query.select.is_none()
            && !query.excerpt
            && !query.origins
            && expand.levels == 1
            && expand.links.subordinate()
        {
            let bytes = expand_members(rq, body).await?;
            return Ok(Answered {
                bytes,
                member: None,
            });
        }
        let mut walk = Walk {
            rq,
            expand,
            room: MOST_EXPANDED,
            above: vec![rq.uri().to_owned()],
        };
        let mut whole = Value::Object(body);
        walk.expand(&mut whole, expand.levels, false).await;
        body = match whole {
            Value::Object(body) => body,
            _ => Map::new(),
        };
    }
    if query.origins {
        let mut whole = Value::Object(body);
        let mut room = MOST_EXPANDED;
        origins(rq, &mut whole, &mut room).await;
        body = match whole {
            Value::Object(body) => body,
            _ => Map::new(),
        };
    }
    // What is left out of a collection is left out of its members.
    let of_members = is_collection && one.is_none();
    if query.excerpt {
        each(&mut body, of_members, excerpt);
    }
    if let Some(select) = &query.select {
        each(&mut body, of_members, |resource| select.apply(resource));
    }
    Ok(Answered {
        bytes: to_bytes(&body)?,
        member: one,
    })
}

fn parse(now: &Representation) -> Result<Map<String, Value>, Problem> {
    // Only documents that are no resources are no JSON objects.
    serde_json::from_slice(&now.bytes)
        .map_err(|_| Problem::base(StatusCode::BAD_REQUEST, "QueryNotSupportedOnResource", &[]))
}

fn to_bytes(body: &Map<String, Value>) -> Result<Bytes, Problem> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|e| Problem::internal(e.to_string()))
}

/// Does something to a resource, or to each member of it that is more than a link.
fn each(body: &mut Map<String, Value>, of_members: bool, act: impl Fn(&mut Map<String, Value>)) {
    if !of_members {
        return act(body);
    }
    let members = body.get_mut("Members").and_then(Value::as_array_mut);
    for member in members.into_iter().flatten() {
        if link(member).is_none()
            && let Value::Object(member) = member
        {
            act(member);
        }
    }
}

/// The members of a collection.
fn members(collection: &Map<String, Value>) -> &[Value] {
    let members = collection.get("Members").and_then(Value::as_array);
    members.map_or(&[], Vec::as_slice)
}

/// The URI, of what is nothing but a link to a resource of its own.
fn link(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|o| o.len() == 1)?;
    object
        .get("@odata.id")?
        .as_str()
        .filter(|uri| !uri.contains('#'))
}

/// `$filter`, `$skip`, `$top`: which members stay. The count is that of the members that met the filter.
async fn choose(
    rq: &Rq,
    raw: &str,
    query: &Query,
    collection: &mut Map<String, Value>,
) -> Result<(), Problem> {
    let mut members = match collection.get_mut("Members").map(Value::take) {
        Some(Value::Array(members)) => members,
        _ => Vec::new(),
    };
    if let Some(filter) = &query.filter {
        let entity = rq.service.catalog.entry(&rq.route).resource.entity;
        let misfit = validate::member(entity).and_then(|member| filter.misfit(member));
        if let Some(literal) = misfit {
            return Err(Problem::base(
                StatusCode::BAD_REQUEST,
                "QueryParameterValueTypeError",
                &[&literal.to_string(), "$filter"],
            ));
        }
        let mut met = Vec::new();
        for member in members {
            let meets = match link(&member) {
                // One that is gone, or that the caller may not see, is no member for this caller.
                Some(uri) => match Catalog::read(&rq.service, &rq.ctx, uri).await {
                    Ok(now) => filter.matches(&Value::Object(parse(&now)?)),
                    Err(_) => false,
                },
                // Entries of a log stand in their collection whole.
                None => filter.matches(&member),
            };
            if meets {
                met.push(member);
            }
        }
        members = met;
    }
    let count = members.len();
    let skip = usize::try_from(query.skip.unwrap_or(0))
        .unwrap_or(usize::MAX)
        .min(count);
    let top = query
        .top
        .map_or(count, |top| usize::try_from(top).unwrap_or(usize::MAX));
    let page: Vec<Value> = members.into_iter().skip(skip).take(top).collect();
    let next = skip + page.len();
    collection.insert("Members@odata.count".into(), count.into());
    collection.insert("Members".into(), page.into());
    // Pages end only where `$top` ended them; asking for none of many has no next page to go to.
    if next < count && top > 0 {
        collection.insert(
            "Members@odata.nextLink".into(),
            next_link(rq, raw, next).into(),
        );
    }
    Ok(())
}

/// The URI of the rest of the members: the same query, further on.
fn next_link(rq: &Rq, raw: &str, skip: usize) -> String {
    let others = form_urlencoded::parse(raw.as_bytes()).filter(|(name, _)| name != "$skip");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query
        .extend_pairs(others)
        .append_pair("$skip", &skip.to_string());
    // Redfish writes the dollar as it is.
    format!("{}?{}", rq.uri(), query.finish().replace("%24", "$"))
}

/// A member of a collection that is being expanded.
enum Member {
    Here(Value),
    Brought(Arc<Representation>),
}

/// The members of a collection in place of their links, without taking them apart: what clients ask for most.
async fn expand_members(rq: &Rq, mut collection: Map<String, Value>) -> Result<Bytes, Problem> {
    let linked = match collection.shift_remove("Members") {
        Some(Value::Array(members)) => members,
        _ => Vec::new(),
    };
    let mut members = Vec::with_capacity(linked.len());
    let mut room = MOST_EXPANDED;
    for member in linked {
        let brought = match link(&member).filter(|_| room > 0) {
            Some(uri) => Catalog::read(&rq.service, &rq.ctx, uri).await.ok(),
            None => None,
        };
        members.push(match brought {
            Some(brought) => {
                room -= 1;
                Member::Brought(brought)
            }
            None => Member::Here(member),
        });
    }
    let internal = |error: serde_json::Error| Problem::internal(error.to_string());
    let mut out = serde_json::to_vec(&collection).map_err(internal)?;
    let length = |member: &Member| match member {
        Member::Here(_) => 128,
        Member::Brought(member) => member.bytes.len() + 1,
    };
    out.reserve(members.iter().map(length).sum::<usize>() + 64);
    out.pop();
    out.extend_from_slice(b",\"Members\":[");
    for (at, member) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match member {
            Member::Here(member) => serde_json::to_writer(&mut out, &member).map_err(internal)?,
            Member::Brought(member) => out.extend_from_slice(&member.bytes),
        }
    }
    out.extend_from_slice(b"]}");
    Ok(out.into())
}

/// What caused an entry of a log or a condition, in place of the link to it.
fn origins<'s>(rq: &'s Rq, value: &'s mut Value, room: &'s mut usize) -> BoxFuture<'s, ()> {
    Box::pin(async move {
        match value {
            Value::Object(object) => {
                for (name, value) in object.iter_mut() {
                    let uri = link(value).filter(|_| name == "OriginOfCondition" && *room > 0);
                    let Some(uri) = uri else {
                        origins(rq, value, room).await;
                        continue;
                    };
                    // What is gone, or not for the caller to see, stays a link.
                    if let Ok(now) = Catalog::read(&rq.service, &rq.ctx, uri).await
                        && let Ok(body) = parse(&now)
                    {
                        *room -= 1;
                        *value = Value::Object(body);
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    origins(rq, item, room).await;
                }
            }
            _ => {}
        }
    })
}

/// `$expand` from one resource on.
struct Walk<'a> {
    rq: &'a Rq,
    expand: Expand,
    /// How many resources may still be brought in.
    room: usize,
    /// The resources around what is being expanded, so that none stands inside itself.
    above: Vec<String>,
}

impl Walk<'_> {
    /// Brings in what `value` links to. `related` says whether it stands inside a `Links` property.
    fn expand<'s>(
        &'s mut self,
        value: &'s mut Value,
        levels: u32,
        related: bool,
    ) -> BoxFuture<'s, ()> {
        Box::pin(async move {
            let follows = if related {
                self.expand.links.related()
            } else {
                self.expand.links.subordinate()
            };
            if let Some(uri) = link(value).map(str::to_owned) {
                if !follows || self.room == 0 || self.above.contains(&uri) {
                    return;
                }
                let Ok(now) = Catalog::read(&self.rq.service, &self.rq.ctx, &uri).await else {
                    return;
                };
                let Ok(body) = parse(&now) else { return };
                self.room -= 1;
                *value = Value::Object(body);
                if levels > 1 {
                    self.above.push(uri);
                    self.inside(value, levels - 1, false).await;
                    self.above.pop();
                }
            } else {
                self.inside(value, levels, related).await;
            }
        })
    }

    async fn inside(&mut self, value: &mut Value, levels: u32, related: bool) {
        match value {
            Value::Object(object) => {
                for (name, value) in object.iter_mut().filter(|(name, _)| !name.contains('@')) {
                    self.expand(value, levels, related || name == "Links").await;
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.expand(item, levels, related).await;
                }
            }
            _ => {}
        }
    }
}
