//! Against a service that runs elsewhere.

use hawkfish_client::{Client, Request, Retry};

use super::compare::{Close, Comparing};
use super::{Again, Came, CannotRun, Difference, asked, called, is_of_the_way, sent};
use crate::trace::entry::{Entry, What};

pub(super) async fn run(
    entries: &[&Entry],
    url: &str,
    how: &Again,
) -> Result<Vec<Difference>, CannotRun> {
    let mut client = Client::builder(url).retry(Retry::none());
    if how.insecure {
        client = client.insecure();
    }
    let client = client.build()?;
    let mut comparing = Comparing::new(Close::Elsewhere, true, &how.ignore);
    for entry in entries {
        let (of, was): (u64, Came) = match &entry.what {
            What::Response(was) => (
                was.of,
                Ok((was.status, was.headers.clone(), was.body.clone())),
            ),
            What::Broken { of, why } => (*of, Err(why.clone())),
            _ => continue,
        };
        let Some((number, request)) = asked(entries, of) else {
            continue;
        };
        // A stream has no end.
        if is_stream(&was) {
            continue;
        }
        let (method, uri, headers, body) = sent(&comparing, request);
        let mut again = Request::new(method, uri).anonymous().stay();
        again.body = body;
        for (name, value) in &headers {
            if !is_of_the_way(name.as_str()) {
                again.headers.append(name, value.clone());
            }
        }
        let is = match client.send(again).await {
            Ok(answer) => Ok((answer.status, answer.headers, answer.body)),
            Err(error) => Err(error.to_string()),
        };
        comparing.answer(entry.number, &called(number, request), &was, &is);
        if !how.all && !comparing.found.is_empty() {
            break;
        }
    }
    Ok(comparing.found)
}

pub(super) fn is_stream(came: &Came) -> bool {
    let kind = came.as_ref().ok();
    let kind = kind.and_then(|(_, headers, _)| headers.get("content-type"));
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}
