//! Changes that follow from what is there: read, decide, change, and begin anew where somebody else was faster.

use serde_json::Value;

use crate::client::Client;
use crate::error::Error;
use crate::task::Outcome;

impl Client {
    /// Reads a resource, has `decide` say what to change in it, and changes that, guarded by the ETag that was read. Where somebody else has changed the resource
    /// meanwhile it is read again and decided again, a few times. `None` is that nothing is to be done: the answer is then what was read.
    ///
    /// # Errors
    /// The kind of the answer; [`crate::Kind::PreconditionFailed`] when others are faster each time; what `decide` says as it is.
    pub async fn update(
        &self,
        uri: &str,
        mut decide: impl FnMut(&Value) -> Result<Option<Value>, Error>,
    ) -> Result<Outcome, Error> {
        let read = self.fetch(uri).await?;
        let value = read.json()?;
        match decide(&value)? {
            Some(change) => self.patch(&read.uri, read.etag().as_ref(), &change).await,
            None => Ok(Outcome::Done(read)),
        }
    }
}
