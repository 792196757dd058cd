//! Collections whose members come and go in the production service: sessions, tasks, subscriptions. And POST and DELETE, wherever they go.

use axum::body::Body;
use http::header::{ETAG, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::map::{Part, links};
use super::overlay::{put, shaped};
use super::{Answer, Replica, Rq, missing, nothing};
use crate::capture::plain_uri;

/// The collection, if the URI is one of a member.
fn below<'r>(room: &'r Option<String>, uri: &str) -> Option<&'r str> {
    let room = room.as_deref()?;
    uri.strip_prefix(room)?.starts_with('/').then_some(room)
}

impl Replica {
    /// Whether a captured session has expired: they last as long as any other that nobody uses.
    pub(super) fn has_expired(&self, uri: &str) -> bool {
        if self.tree.map.parts.get(uri) != Some(&Part::Session) {
            return false;
        }
        let hawkfish = self.app.hawkfish();
        let timeout = SignedDuration::from_secs(hawkfish.sessions().policy().timeout.into());
        self.now().duration_since(self.beginning) >= timeout
    }

    /// Puts the members into a collection that are there now.
    pub(super) async fn live(&self, rq: &Rq, uri: &str, shown: &mut Value) -> Answer<()> {
        let members = if self.part(uri) == Some(Part::Accounts) {
            self.accounts_listed(shown)
        } else {
            let mut members = links(shown, "Members");
            let (added, gone) = self.state(|state| {
                let added = state.added.get(uri).cloned().unwrap_or_default();
                (added, state.gone.clone())
            });
            members.retain(|one| !gone.contains(one) && !self.has_expired(one));
            members.extend(added);
            let ours = self.meant(uri).unwrap_or_default();
            let now = self.facts(rq, &ours).await?;
            members.extend(links(&now, "Members").iter().map(|one| self.shown(one)));
            members
        };
        put(shown, "Members@odata.count", members.len());
        let members = members.iter().map(|uri| json!({"@odata.id": uri}));
        put(shown, "Members", members.collect::<Value>());
        Ok(())
    }

    /// A document that the tree does not have: a member of such a collection, in the shape of the captured ones.
    pub(super) async fn member(&self, rq: &Rq, uri: &str) -> Answer<Value> {
        if self.tree.map.actions.contains_key(uri) {
            return Err(self.not_allowed(rq));
        }
        let rooms = &self.tree.map.rooms;
        let rooms = [&rooms.sessions, &rooms.tasks, &rooms.subscriptions];
        let is_gone = self.state(|state| state.gone.contains(uri));
        let Some(room) = rooms
            .into_iter()
            .find_map(|room| below(room, uri))
            .filter(|_| !is_gone)
        else {
            return Err(missing(uri));
        };
        let Some(ours) = self.meant(uri) else {
            return Err(missing(uri));
        };
        let asked = self.ask(rq, Method::GET, &ours, None).await;
        if asked.status == StatusCode::NOT_FOUND {
            return Err(missing(uri));
        }
        if asked.status != StatusCode::OK {
            return Err(asked.into());
        }
        let mut now = asked.json();
        self.outward(&mut now);
        Ok(self.in_shape(room, uri, now))
    }

    /// A member of the production service in the shape of the captured ones; as it is, without what is HawkFish's alone, where none was captured.
    fn in_shape(&self, room: &str, uri: &str, mut now: Value) -> Value {
        let listed = self.tree.value(room).unwrap_or_default();
        let first = links(&listed, "Members").into_iter().next();
        let template = first.and_then(|first| self.tree.value(&first));
        match (template, &mut now) {
            (Some(template), Value::Object(now)) => shaped(&template, uri, now),
            (None, Value::Object(object)) => {
                for name in ["Oem", "Actions", "@odata.etag"] {
                    object.shift_remove(name);
                }
                now
            }
            _ => now,
        }
    }

    /// The answer to what has made something.
    pub(super) fn created(
        &self,
        rq: &Rq,
        uri: &str,
        shown: &Value,
        token: Option<&HeaderValue>,
    ) -> Answer<Response<Body>> {
        let etag = self.etag(uri, shown);
        let mut response = self.sent(rq, uri, shown, &etag)?;
        *response.status_mut() = StatusCode::CREATED;
        let headers = response.headers_mut();
        if let Ok(to) = HeaderValue::try_from(self.varied.replica(uri)) {
            headers.insert(LOCATION, to);
        }
        if let Some(token) = token {
            headers.insert("x-auth-token", token.clone());
            headers.remove(ETAG);
        }
        Ok(response)
    }

    pub(super) async fn post(&self, rq: &Rq) -> Answer<Response<Body>> {
        if let Some(action) = self.tree.map.actions.get(&rq.uri) {
            return self.act(rq, action).await;
        }
        let room = match self.part(&rq.uri) {
            Some(Part::Accounts) => return self.post_account(rq).await,
            Some(Part::Sessions | Part::Subscriptions) => &rq.uri,
            _ if self.makes_jobs(&rq.uri) => return self.post_job(rq).await,
            _ => return Err(self.not_allowed(rq)),
        };
        let mut said = Value::Object(self.said(rq)?);
        self.inward(&mut said);
        let ours = self.meant(room).unwrap_or_default();
        let made = self.ask_for(rq, Method::POST, &ours, Some(&said)).await?;
        let at = made.headers.get(LOCATION).and_then(|at| at.to_str().ok());
        let path = at.map(|at| match at.find("/redfish/v1/") {
            Some(from) => &at[from..],
            None => at,
        });
        let uri = self.shown(path.unwrap_or_default());
        let mut now = made.json();
        self.outward(&mut now);
        let shown = self.in_shape(room, &uri, now);
        self.created(rq, &uri, &shown, made.headers.get("x-auth-token"))
    }

    pub(super) async fn delete(&self, rq: &Rq) -> Answer<Response<Body>> {
        let uri = &rq.uri;
        if self.part(uri) == Some(Part::Account) {
            self.may_write(rq)?;
            return self.delete_account(rq).await;
        }
        let rooms = &self.tree.map.rooms;
        let rooms = [&rooms.sessions, &rooms.tasks, &rooms.subscriptions];
        let is_member = rooms.iter().any(|room| {
            let rest = room.as_deref().and_then(|room| uri.strip_prefix(room));
            rest.is_some_and(|rest| rest.starts_with('/'))
        });
        if self.state(|state| state.documents.contains_key(uri)) {
            self.may_write(rq)?;
            if self.remove_made(uri) {
                return Ok(nothing());
            }
        }
        if !is_member {
            return Err(self.not_allowed(rq));
        }
        if self.tree.get(uri).is_some() {
            // One that was captured: a client that is long gone made it.
            self.may_write(rq)?;
            let is_gone = self.has_expired(uri) || self.plain(uri).is_none();
            if is_gone {
                return Err(missing(uri));
            }
            self.state(|state| state.gone.insert(plain_uri(uri)));
            return Ok(nothing());
        }
        let Some(ours) = self.meant(uri) else {
            return Err(self.not_allowed(rq));
        };
        self.ask_for(rq, Method::DELETE, &ours, None).await?;
        Ok(nothing())
    }
}
