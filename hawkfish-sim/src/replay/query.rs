//! Query parameters, as far as the captured service root says that the source understands them.

use futures::future::BoxFuture;
use hawkfish_redfish::query::{Expand, Query, excerpt};
use hawkfish_server::problem::Problem;
use http::StatusCode;
use serde_json::{Value, json};

use super::overlay::put;
use super::{Answer, Replica, Rq, base};

/// Most documents that one answer brings in; beyond, links stay links.
const MOST: usize = 5_000;

pub(super) async fn answer(replica: &Replica, rq: &Rq, text: &str, shown: Value) -> Answer<Value> {
    let query = Query::parse(text).map_err(|problem| {
        let status = match problem {
            hawkfish_redfish::query::QueryProblem::Unsupported { .. } => {
                StatusCode::NOT_IMPLEMENTED
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Problem::messages(status, vec![problem.message()])
    })?;
    let features = &replica.tree.map.features;
    let has = |name: &str| features.get(name) == Some(&Value::Bool(true));
    let expand = features.get("ExpandQuery").and_then(Value::as_object);
    let unsupported = [
        ("$expand", query.expand.is_some() && expand.is_none()),
        ("$filter", query.filter.is_some() && !has("FilterQuery")),
        ("$select", query.select.is_some() && !has("SelectQuery")),
    ];
    for (name, is_it) in unsupported {
        if is_it {
            let args = [name];
            let key = "QueryParameterUnsupported";
            return Err(base(StatusCode::NOT_IMPLEMENTED, key, &args));
        }
    }
    let most = expand
        .and_then(|said| said.get("MaxLevels")?.as_u64())
        .unwrap_or(6);
    if let Some(levels) = query.expand.map(|expand| u64::from(expand.levels))
        && levels > most
    {
        let args = [
            levels.to_string(),
            "$levels".to_owned(),
            format!("1-{most}"),
        ];
        let args = args.each_ref().map(String::as_str);
        return Err(base(
            StatusCode::BAD_REQUEST,
            "QueryParameterOutOfRange",
            &args,
        ));
    }
    let mut shown = shown;
    let is_collection = shown.get("Members").is_some();
    let chooses = query.filter.is_some() || query.top.is_some() || query.skip.is_some();
    if (query.only && has("OnlyMemberQuery") || chooses) && !is_collection {
        let key = "QueryNotSupportedOnResource";
        return Err(base(StatusCode::BAD_REQUEST, key, &[]));
    }
    if query.only && has("OnlyMemberQuery") {
        let members = super::map::links(&shown, "Members");
        if let [only] = members.as_slice() {
            shown = replica.shown_at(rq, only).await?;
        }
    } else if chooses {
        choose(replica, rq, &query, &mut shown).await;
    }
    if let Some(expand) = query.expand {
        let mut room = MOST;
        for (name, value) in shown.as_object_mut().into_iter().flatten() {
            if !name.contains('@') {
                let related = name == "Links";
                bring(
                    replica,
                    rq,
                    expand,
                    expand.levels,
                    related,
                    value,
                    &mut room,
                )
                .await;
            }
        }
    }
    if query.excerpt {
        each(&mut shown, is_collection, excerpt);
    }
    if let Some(select) = &query.select {
        each(&mut shown, is_collection, |object| select.apply(object));
    }
    Ok(shown)
}

/// Something is done to a resource, or to each member that stands whole in a collection.
fn each(
    shown: &mut Value,
    is_collection: bool,
    mut act: impl FnMut(&mut serde_json::Map<String, Value>),
) {
    if !is_collection {
        shown.as_object_mut().into_iter().for_each(act);
        return;
    }
    let members = shown.get_mut("Members").and_then(Value::as_array_mut);
    for member in members
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        if member.len() > 1 {
            act(member);
        }
    }
}

async fn choose(replica: &Replica, rq: &Rq, query: &Query, shown: &mut Value) {
    let members = shown
        .get_mut("Members")
        .map(Value::take)
        .unwrap_or_default();
    let mut met = Vec::new();
    for member in members.as_array().into_iter().flatten() {
        let meets = match (&query.filter, link(member)) {
            (None, _) => true,
            (Some(filter), None) => filter.matches(member),
            (Some(filter), Some(uri)) => {
                let found = replica.shown_at(rq, &crate::capture::plain_uri(uri)).await;
                found.is_ok_and(|found| filter.matches(&found))
            }
        };
        if meets {
            met.push(member.clone());
        }
    }
    put(shown, "Members@odata.count", met.len());
    let number = |n: Option<u64>, other| n.map_or(other, |n| usize::try_from(n).unwrap_or(other));
    let (skip, top) = (number(query.skip, 0), number(query.top, usize::MAX));
    let page: Vec<Value> = met.into_iter().skip(skip).take(top).collect();
    put(shown, "Members", json!(page));
}

fn link(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    let uri = object.get("@odata.id")?.as_str()?;
    (!uri.contains('#')).then_some(uri)
}

fn bring<'a>(
    replica: &'a Replica,
    rq: &'a Rq,
    expand: Expand,
    levels: u32,
    related: bool,
    value: &'a mut Value,
    room: &'a mut usize,
) -> BoxFuture<'a, ()> {
    Box::pin(async move {
        let follows = match related {
            true => expand.links.related(),
            false => expand.links.subordinate(),
        };
        if let Some(uri) = link(value).map(crate::capture::plain_uri) {
            if !follows || *room == 0 || levels == 0 {
                return;
            }
            if let Ok(found) = replica.shown_at(rq, &uri).await {
                *room -= 1;
                *value = found;
                inside(replica, rq, expand, levels - 1, value, room).await;
            }
            return;
        }
        match value {
            Value::Object(object) => {
                for (name, below) in object.iter_mut().filter(|(name, _)| !name.contains('@')) {
                    let related = related || name == "Links";
                    bring(replica, rq, expand, levels, related, below, room).await;
                }
            }
            Value::Array(all) => {
                for one in all {
                    bring(replica, rq, expand, levels, related, one, room).await;
                }
            }
            _ => {}
        }
    })
}

/// What was brought in is gone into as deep as there are levels left.
async fn inside(
    replica: &Replica,
    rq: &Rq,
    expand: Expand,
    levels: u32,
    value: &mut Value,
    room: &mut usize,
) {
    if levels == 0 {
        return;
    }
    for (name, below) in value.as_object_mut().into_iter().flatten() {
        if !name.contains('@') {
            bring(replica, rq, expand, levels, name == "Links", below, room).await;
        }
    }
}
