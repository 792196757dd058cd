//! Checks any Redfish endpoint against what the protocol and the schemas demand.
//!
//! A run first [walks](walk) the service: from the root along every `@odata.id`, as whoever the client logs in as. Then every [`Case`] of
//! [`cases::ALL`] is tried, and the [`Report`] says of each whether it passed, how often it was tried, what failed where, or why it was skipped.
//!
//! What cannot be judged is never counted as good: a resource of an unknown type, a property that our model does not have, a case without
//! anything to try it on, and what lies beyond the limit of the walk each have their own number in the report.
//!
//! - Nothing is changed unless the caller allows [writes](Plan::writes), and then everything is put back. A session is opened and closed.
//! - This is not DMTF's own suite, and does not replace it: it is quick, needs nothing but the endpoint, and says what its cases are.

mod case;
pub mod cases;
mod junit;
pub mod model;
mod probe;
mod report;
pub mod walk;

pub use self::{
    case::{Case, Context, Failure, Level, Verdict},
    report::{Judged, Report},
};

use hawkfish_client::{Client, Error};

/// What to run, and as whom.
#[derive(Debug)]
pub struct Plan {
    /// Talks to the endpoint, with or without credentials.
    pub client: Client,
    /// User and password of the client, for the cases about logging in; they are skipped without.
    pub credentials: Option<(String, String)>,
    /// Cases that change something and put it back are run, too.
    pub writes: bool,
    /// Most resources that are read.
    pub limit: usize,
    /// Only cases whose id begins so.
    pub only: Option<String>,
}

impl Plan {
    /// Everything that changes nothing, on up to 10,000 resources.
    pub fn new(client: Client, credentials: Option<(String, String)>) -> Self {
        Self {
            client,
            credentials,
            writes: false,
            limit: 10_000,
            only: None,
        }
    }

    /// Walks the service and tries the cases, one after the other.
    ///
    /// # Errors
    /// When there is nothing to check: the service cannot be reached, or does not let us in.
    pub async fn run(&self) -> Result<Report, Error> {
        // Without a root, or with credentials that nobody takes, every case would fail for the same reason.
        let root = self.client.root().await?;
        self.client.login().await?;
        let context = Context {
            walk: walk::walk(&self.client, self.limit).await,
            root: root.value,
            client: &self.client,
            credentials: self.credentials.as_ref(),
        };
        let mut judged = Vec::new();
        for case in cases::ALL {
            if self
                .only
                .as_ref()
                .is_some_and(|only| !case.id.starts_with(only.as_str()))
            {
                continue;
            }
            let verdict = if case.writes && !self.writes {
                Verdict::skipped("it changes the service, which was not allowed")
            } else {
                (case.run)(&context).await
            };
            judged.push(Judged {
                case: **case,
                verdict,
            });
        }
        Ok(Report::new(self.client.origin(), &context.walk, judged))
    }
}
