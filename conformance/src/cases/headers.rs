//! Headers of every resource.

use futures::FutureExt as _;
use hawkfish_client::{Request, Response};
use http::Method;
use serde_json::Value;

use crate::case::{Case, Context, Level, Tally, Verdict};
use crate::probe::{allow, ask, is_json};

pub(super) const ODATA_VERSION: Case = Case {
    id: "headers.odata-version",
    proves: "every answer says OData-Version 4.0",
    section: "DSP0266, Response headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |answer, _| match answer.header("odata-version") {
            Some("4.0") => Ok(()),
            other => Err(format!("OData-Version is {other:?}")),
        })
        .boxed()
    },
};

pub(super) const CONTENT_TYPE: Case = Case {
    id: "headers.content-type",
    proves: "every resource says that it is JSON",
    section: "DSP0266, Response headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |answer, _| match is_json(answer) {
            true => Ok(()),
            false => Err(format!(
                "Content-Type is {:?}",
                answer.header("content-type")
            )),
        })
        .boxed()
    },
};

pub(super) const ALLOW: Case = Case {
    id: "headers.allow",
    proves: "every resource says which methods it takes, GET among them",
    section: "DSP0266, Response headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |answer, _| match allow(answer) {
            Some(methods) if methods.iter().any(|method| method == "GET") => Ok(()),
            Some(methods) => Err(format!("Allow is {}", methods.join(", "))),
            None => Err("no Allow".into()),
        })
        .boxed()
    },
};

pub(super) const LINK: Case = Case {
    id: "headers.link",
    proves: "every resource links to the schema that describes it, in the version of its type",
    section: "DSP0266, Link header",
    level: Level::Must,
    writes: false,
    run: |context| each(context, described).boxed(),
};

pub(super) const CACHE_CONTROL: Case = Case {
    id: "headers.cache-control",
    proves: "every resource says how it may be cached",
    section: "DSP0266, Response headers",
    level: Level::Must,
    writes: false,
    run: |context| {
        each(context, |answer, _| {
            match answer.header(http::header::CACHE_CONTROL) {
                Some(_) => Ok(()),
                None => Err("no Cache-Control".into()),
            }
        })
        .boxed()
    },
};

pub(super) const HEAD: Case = Case {
    id: "headers.head",
    proves: "HEAD answers every resource as GET does, without the body",
    section: "DSP0266, HEAD",
    level: Level::Should,
    writes: false,
    run: |context| head(context).boxed(),
};

async fn each(context: &Context<'_>, look: fn(&Response, &Value) -> Result<(), String>) -> Verdict {
    let mut tally = Tally::default();
    for (visited, answer, body) in context.walk.resources() {
        tally.check(&visited.uri, look(answer, body));
    }
    tally.verdict("no resource was found")
}

fn described(answer: &Response, body: &Value) -> Result<(), String> {
    let links: Vec<&str> = answer
        .headers
        .get_all(http::header::LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter(|link| {
            let rel = link.split(';').skip(1).any(|part| {
                let part = part.trim().replace('"', "");
                part.eq_ignore_ascii_case("rel=describedby")
            });
            rel && link.trim_start().starts_with('<')
        })
        .collect();
    if links.is_empty() {
        return Err("no Link with rel=describedby".into());
    }
    // `#ComputerSystem.v1_26_0.ComputerSystem` is described by a file named `ComputerSystem.v1_26_0…`.
    let odata_type = body
        .get("@odata.type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let versioned = odata_type
        .trim_start_matches('#')
        .rsplit_once('.')
        .map(|(before, _)| before);
    match versioned.filter(|name| name.contains(".v")) {
        Some(name) if !links.iter().any(|link| link.contains(name)) => Err(format!(
            "the type is {name}, the link is {}",
            links.join(", ").trim()
        )),
        _ => Ok(()),
    }
}

async fn head(context: &Context<'_>) -> Verdict {
    let mut tally = Tally::default();
    for (visited, get, _) in context.walk.resources() {
        let head = ask(context, Request::new(Method::HEAD, &visited.uri)).await;
        tally.check(&visited.uri, head.and_then(|head| alike(get, &head)));
    }
    tally.verdict("no resource was found")
}

fn alike(get: &Response, head: &Response) -> Result<(), String> {
    if head.status != get.status {
        return Err(format!("{} instead of {}", head.status, get.status));
    }
    if !head.body.is_empty() {
        return Err("it has a body".into());
    }
    // Others, such as Date and ETag, may differ between two moments.
    for name in ["content-type", "allow", "link", "odata-version"] {
        if head.header(name) != get.header(name) {
            return Err(format!(
                "{name} is {:?}, and {:?} with GET",
                head.header(name),
                get.header(name)
            ));
        }
    }
    Ok(())
}
