//! What stands in the resources.

use futures::FutureExt as _;
use serde_json::Value;

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::model::{Judgement, judge, parse};
use crate::walk::Visited;

const NOTHING: &str = "no resource was found";

pub(super) const LINKS: Case = Case {
    id: "links.lead",
    proves: "every link within the service leads to a resource",
    section: "DSP0266, Resources",
    level: Level::Must,
    writes: false,
    run: |context| links(context).boxed(),
};

pub(super) const MODEL: Case = Case {
    id: "payload.model",
    proves: "every resource of a type that we know is as its schema says",
    section: "DSP0268 (Redfish data model)",
    level: Level::Must,
    writes: false,
    run: |context| {
        async move {
            let mut tally = Tally::default();
            for (visited, _, body) in context.walk.resources() {
                if let Judgement::Known { wrong, .. } = judge(body) {
                    tally.expect(&visited.uri, wrong.is_empty(), || wrong.join("; "));
                }
            }
            tally.verdict("no resource of a type that we know was found")
        }
        .boxed()
    },
};

pub(super) const TYPE: Case = Case {
    id: "payload.type",
    proves: "every resource says its type, with its version where the type has one",
    section: "DSP0266, Type (@odata.type) property",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |_, body| {
            let found = body.get("@odata.type").and_then(Value::as_str);
            match found.and_then(parse) {
                Some(_) => Some(Ok(())),
                None => Some(Err(format!("@odata.type is {found:?}"))),
            }
        })
        .boxed()
    },
};

pub(super) const ODATA_ID: Case = Case {
    id: "payload.odata-id",
    proves: "every resource says the URI at which it was found",
    section: "DSP0266, Resource identifier (@odata.id) property",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |visited, body| {
            let found = body.get("@odata.id").and_then(Value::as_str);
            // A page of a collection is the collection, and a slash at the end makes no other resource.
            let asked = visited.uri.split('?').next().unwrap_or_default();
            let plain = |uri: &str| {
                uri.split('?')
                    .next()
                    .unwrap_or_default()
                    .trim_end_matches('/')
                    .to_owned()
            };
            Some(match found {
                Some(found) if plain(found) == plain(asked) => Ok(()),
                other => Err(format!("@odata.id is {other:?}")),
            })
        })
        .boxed()
    },
};

pub(super) const ID: Case = Case {
    id: "payload.id",
    proves: "the Id of a member of a collection is the last segment of its URI",
    section: "DSP0266, Id property",
    level: Level::Must,
    writes: false,
    run: |context| ids(context).boxed(),
};

pub(super) const NAME: Case = Case {
    id: "payload.name",
    proves: "every resource has a name",
    section: "DSP0266, Name property",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |_, body| {
            Some(match body.get("Name") {
                Some(Value::String(name)) if !name.is_empty() => Ok(()),
                other => Err(format!("Name is {other:?}")),
            })
        })
        .boxed()
    },
};

pub(super) const COUNT: Case = Case {
    id: "payload.count",
    proves: "every collection counts its members rightly",
    section: "DSP0266, Resource collections",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |visited, body| {
            let collection = is_collection(body) && !visited.uri.contains('?');
            collection.then(|| count(body))
        })
        .boxed()
    },
};

pub(super) const TARGETS: Case = Case {
    id: "payload.targets",
    proves: "every standard action is called at a URI below its resource's Actions",
    section: "DSP0266, POST (action)",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |visited, body| {
            let actions = body.get("Actions")?.as_object()?;
            Some(targets(visited, actions))
        })
        .boxed()
    },
};

async fn each(
    context: &Context<'_>,
    look: fn(&Visited, &Value) -> Option<Result<(), String>>,
) -> Verdict {
    let mut tally = Tally::default();
    for (visited, _, body) in context.walk.resources() {
        if let Some(found) = look(visited, body) {
            tally.check(&visited.uri, found);
        }
    }
    tally.verdict(NOTHING)
}

async fn links(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for visited in &context.walk.visited {
        let found = match (&visited.answer, &visited.body) {
            (Err(error), _) => Err(error.clone()),
            (Ok(answer), _) if answer.status != 200 => Err(answer.status.to_string()),
            (Ok(_), None) => Err("what is there is no JSON object".into()),
            (Ok(_), Some(_)) => Ok(()),
        };
        let found = found.map_err(|found| format!("{found} (linked from {})", visited.from));
        tally.check(&visited.uri, found);
    }
    tally.verdict(NOTHING)
}

async fn ids(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for (_, _, collection) in context.walk.resources() {
        let members = collection.get("Members").and_then(Value::as_array);
        let uris = members
            .into_iter()
            .flatten()
            .filter_map(|member| member.get("@odata.id")?.as_str());
        for uri in uris {
            let mut resources = context.walk.resources();
            let Some((.., body)) = resources.find(|(visited, ..)| visited.uri == uri) else {
                continue;
            };
            let last = uri.trim_end_matches('/').rsplit('/').next();
            let id = body.get("Id").and_then(Value::as_str);
            tally.expect(uri, id == last, || format!("Id is {id:?}"));
        }
    }
    tally.verdict("no member of a collection was found")
}

fn is_collection(body: &Value) -> bool {
    body.get("Members").is_some() && body.get("Id").is_none()
}

fn count(body: &Value) -> Result<(), String> {
    let Some(members) = body.get("Members").and_then(Value::as_array) else {
        return Err("Members is no list".into());
    };
    let told = body.get("Members@odata.count").and_then(Value::as_u64);
    let told = told.ok_or("no Members@odata.count")?;
    let here = members.len() as u64;
    // What is on further pages counts, too.
    let good = match body.get("Members@odata.nextLink") {
        Some(_) => told > here,
        None => told == here,
    };
    match good {
        true => Ok(()),
        false => Err(format!("{told} are counted, {here} are here")),
    }
}

fn targets(visited: &Visited, actions: &serde_json::Map<String, Value>) -> Result<(), String> {
    let below = format!("{}/Actions/", visited.uri.trim_end_matches('/'));
    for (name, action) in actions.iter().filter(|(name, _)| name.starts_with('#')) {
        let target = action.get("target").and_then(Value::as_str);
        let wanted = format!("{below}{}", name.trim_start_matches('#'));
        if target.map(|target| target.trim_end_matches('/')) != Some(wanted.as_str()) {
            return Err(format!("the target of {name} is {target:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_of_a_collection_counts_more_members_than_it_shows() {
        let member = json!({"@odata.id": "/redfish/v1/Systems/1"});
        assert!(count(&json!({"Members": [member], "Members@odata.count": 1})).is_ok());
        assert!(count(&json!({"Members": [], "Members@odata.count": 0})).is_ok());
        assert!(count(&json!({"Members": [member], "Members@odata.count": 2})).is_err());
        assert!(count(&json!({"Members": null, "Members@odata.count": 0})).is_err());
        assert!(count(&json!({"Members": []})).is_err());
        let next = "/redfish/v1/Systems?$skip=1";
        assert!(count(&json!({"Members": [member], "Members@odata.count": 2, "Members@odata.nextLink": next})).is_ok());
    }
}
