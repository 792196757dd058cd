//! What was there already when a report began: it is not held against who comes after.

use std::collections::BTreeSet;

use hawkfish_core::app::HawkFish;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::subscriptions::Kind;

use super::{OpenSession, OpenStream, OpenSubscription};

/// What clients leave behind in a service.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left {
    pub(crate) sessions: Vec<OpenSession>,
    pub(crate) subscriptions: Vec<OpenSubscription>,
    pub(crate) streams: Vec<OpenStream>,
}

/// The ids of all that.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    sessions: BTreeSet<String>,
    subscriptions: BTreeSet<String>,
}

impl Left {
    /// What is there now, from memory.
    pub(crate) fn of(hawkfish: &HawkFish) -> Self {
        let mut left = Self::default();
        for session in hawkfish.sessions().list(&Ctx::service()) {
            left.sessions.push(OpenSession {
                id: session.id.to_string(),
                user: session.user.to_string(),
                face: None,
                since: session.created,
                entry: None,
            });
        }
        for one in hawkfish.subscriptions().list(&Ctx::service()) {
            let (id, since) = (one.id.to_string(), one.made);
            match one.kind {
                Kind::Stream => left.streams.push(OpenStream { id, since }),
                Kind::Webhook => left.subscriptions.push(OpenSubscription {
                    id,
                    destination: one.destination.as_ref().map_or_else(String::new, bare),
                    since,
                }),
            }
        }
        left
    }

    pub(super) fn known(&self) -> Known {
        let subscriptions = self.subscriptions.iter().map(|one| &one.id);
        let streams = self.streams.iter().map(|one| &one.id);
        Known {
            sessions: self.sessions.iter().map(|one| one.id.clone()).collect(),
            subscriptions: subscriptions.chain(streams).cloned().collect(),
        }
    }

    /// Leaves out what was known before.
    pub(super) fn but_for(mut self, known: &Known) -> Self {
        let of_old = |id: &String| known.subscriptions.contains(id);
        self.sessions
            .retain(|one| !known.sessions.contains(&one.id));
        self.subscriptions.retain(|one| !of_old(&one.id));
        self.streams.retain(|one| !of_old(&one.id));
        self
    }
}

/// A destination without what may be secret in it.
fn bare(url: &impl ToString) -> String {
    let url = url.to_string();
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}
