//! Changes that are guarded by what was read, and that follow from it: read, decide, change, and begin anew where somebody else was faster.

use std::time::Duration;

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Client, resource};
use crate::error::{Error, Kind};
use crate::quirks;
use crate::resource::Etag;
use crate::task::Outcome;
use crate::wire::Request;

/// How often a resource is read and decided upon at most.
const ROUNDS: u32 = 6;
/// How often the same tags are tried before the service is believed to refuse them for good.
const SAME: u32 = 3;

impl Client {
    /// Reads a resource, has `decide` say what to change in it, and changes that, guarded by the ETag that was read: what others change meanwhile is never overwritten.
    /// Where somebody was faster the resource is read again and decided upon again, a few times. `None` is that nothing is to be done: the answer is then what was read.
    ///
    /// A service without ETags is sent the change as it is. One that refuses the very tags that it gives is not sent it without, unless the client was built
    /// [`unguarded`](crate::Builder::unguarded). An answer that was lost is an error, for the change may have been made.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::PreconditionFailed`] when others are faster each time, or the service refuses its own tags; what `decide` says as it is.
    pub async fn update(
        &self,
        uri: &str,
        mut decide: impl FnMut(&Value) -> Result<Option<Value>, Error>,
    ) -> Result<Outcome, Error> {
        if uri.contains('#') {
            return Err(Error::new(
                Kind::Refused,
                format!("{uri}: a part of a resource is changed through the whole of it"),
            ));
        }
        let mut before: Vec<Etag> = Vec::new();
        let mut same = 0;
        let mut round = 0;
        loop {
            round += 1;
            let mut request = Request::get(uri);
            if round > 1 {
                // What stands in between may have shown an old state.
                request = request.header(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            }
            let read = self.call(request).await?;
            let value = resource(&read)?;
            let Some(change) = decide(&value)? else {
                return Ok(Outcome::Done(read));
            };
            let change = Request::new(Method::PATCH, &read.uri).json(&change)?;
            let tags = quirks::forms(&read.headers, &value);
            let Some(refused) = self.with_one_of(&change, &tags).await? else {
                // Quirk `no_tag`.
                return self.change(change).await;
            };
            let refused = match refused {
                Answer::Taken(outcome) => return Ok(outcome),
                Answer::Refused(error) => error,
            };
            same = if tags == before { same + 1 } else { 1 };
            if same >= SAME {
                // Quirk `own_tag_refused`.
                return match self.is_unguarded() {
                    true => self.change(change).await,
                    false => Err(refused.but(
                        "the service refuses the very tag that it gives; a client that is built `unguarded` changes without one",
                    )),
                };
            }
            if round >= ROUNDS {
                return Err(refused.but(format!(
                    "the resource had changed each of the {ROUNDS} times that it was read"
                )));
            }
            before = tags;
            tokio::time::sleep(self.pause(round)).await;
        }
    }

    /// Sends a change that is guarded by a tag.
    pub(crate) async fn guarded(
        &self,
        request: Request,
        etag: Option<&Etag>,
    ) -> Result<Outcome, Error> {
        let Some(etag) = etag else {
            return self.change(request).await;
        };
        let refused = match self.change(request.clone().if_match(Some(etag))?).await {
            Err(error) if is_refusal(&error) => error,
            other => return other,
        };
        let others = match etag.as_str() {
            // Quirk `star_refused`: whatever it is, it is there.
            "*" => {
                let read = self.call(Request::get(&request.uri)).await?;
                quirks::forms(&read.headers, &read.json().unwrap_or_default())
            }
            // Quirk `weak_tag_refused`.
            _ => quirks::other_form(etag).into_iter().collect(),
        };
        match self.with_one_of(&request, &others).await? {
            Some(Answer::Taken(outcome)) => Ok(outcome),
            Some(Answer::Refused(error)) => Err(error),
            None => Err(refused),
        }
    }

    /// Sends a change with one tag after the other until one is taken: a refusal says that nothing was done. `None` where there are no tags.
    async fn with_one_of(&self, request: &Request, tags: &[Etag]) -> Result<Option<Answer>, Error> {
        let mut refused = None;
        for tag in tags {
            match self.change(request.clone().if_match(Some(tag))?).await {
                Err(error) if is_refusal(&error) => refused = Some(Answer::Refused(error)),
                other => return other.map(|outcome| Some(Answer::Taken(outcome))),
            }
        }
        Ok(refused)
    }

    fn pause(&self, round: u32) -> Duration {
        self.retry().between(round)
    }
}

enum Answer {
    Taken(Outcome),
    Refused(Error),
}

fn is_refusal(error: &Error) -> bool {
    let status = error.answered.as_ref().map(|answered| answered.status);
    status == Some(StatusCode::PRECONDITION_FAILED)
}
