//! Accounts of a capture: those that it shows are accounts of the production service, with the world's password, as nobody knows the ones they had.

use std::collections::BTreeMap;
use std::sync::Mutex;

use hawkfish_core::accounts::NewAccount;
use hawkfish_core::app::HawkFish;
use hawkfish_core::ctx::Ctx;
use http::{Method, Response, StatusCode};
use serde_json::{Map as Object, Value, json};

use super::map::{Part, links};
use super::tree::Tree;
use super::{Answer, Replica, Rq, base, check};

const PRODUCTION: &str = "/redfish/v1/AccountService/Accounts";

/// The accounts of all that replay one tree: documents by URI, and the id that the production service knows each by.
#[derive(Debug, Default)]
pub(crate) struct Accounts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    ids: BTreeMap<String, String>,
    /// As they are now, where not as captured; `None` is one that is no more.
    documents: BTreeMap<String, Option<Value>>,
}

impl Accounts {
    /// Makes an account of the production service of each that the capture shows as one that can be used.
    pub(crate) async fn open(tree: &Tree, hawkfish: &HawkFish, password: &str) -> Self {
        let mut ids = BTreeMap::new();
        for (uri, part) in &tree.map.parts {
            if *part != Part::Account {
                continue;
            }
            let Some(said) = tree.value(uri) else {
                continue;
            };
            let text = |name: &str| said.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = text("UserName");
            let Some(role) = role(tree, text("RoleId")).filter(|_| !name.is_empty()) else {
                continue;
            };
            if let Some(known) = hawkfish.accounts().by_name(name) {
                ids.insert(uri.clone(), known.id.to_string());
                continue;
            }
            let new = NewAccount {
                name: name.to_owned(),
                password: password.to_owned(),
                role,
                enabled: said.get("Enabled").and_then(Value::as_bool).unwrap_or(true),
                password_change_required: false,
            };
            // A name that the production service does not take is shown all the same, and nobody can log in by it.
            if let Ok(account) = hawkfish.accounts().create(&Ctx::service(), new).await {
                ids.insert(uri.clone(), account.id.to_string());
            }
        }
        Self(Mutex::new(State {
            ids,
            documents: BTreeMap::new(),
        }))
    }

    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().expect("accounts"))
    }

    /// Whether an account was made at that URI.
    pub(super) fn has(&self, uri: &str) -> bool {
        self.state(|state| matches!(state.documents.get(uri), Some(Some(_))))
    }

    /// The captured URI of an account of the production service.
    pub(super) fn shown(&self, id: &str) -> Option<String> {
        self.state(|state| {
            let mut all = state.ids.iter();
            all.find(|(_, known)| *known == id)
                .map(|(uri, _)| uri.clone())
        })
    }

    /// The id of the account at a captured URI.
    pub(super) fn meant(&self, uri: &str) -> Option<String> {
        self.state(|state| state.ids.get(uri).cloned())
    }
}

/// The role of the production service that lets as much be done as a captured one; `None` where that is nothing.
fn role(tree: &Tree, id: &str) -> Option<String> {
    if matches!(id, "Administrator" | "Operator" | "ReadOnly") {
        return Some(id.to_owned());
    }
    let (_, found) = tree.all().find(|(uri, document)| {
        document.kind.as_deref() == Some("Role") && uri.rsplit('/').next() == Some(id)
    })?;
    let said: Value = serde_json::from_slice(&found.bytes).ok()?;
    let all = said.get("AssignedPrivileges")?.as_array()?;
    let has = |name: &str| all.iter().any(|one| one == name);
    let role = match () {
        () if has("ConfigureUsers") => "Administrator",
        () if has("ConfigureComponents") => "Operator",
        () if has("Login") => "ReadOnly",
        () => return None,
    };
    Some(role.to_owned())
}

impl Replica {
    /// The members of the collection of accounts.
    pub(super) fn accounts_listed(&self, captured: &Value) -> Vec<String> {
        let mut all = links(captured, "Members");
        self.accounts.state(|state| {
            all.retain(|uri| !matches!(state.documents.get(uri), Some(None)));
            let new = state.documents.iter().filter(|(_, now)| now.is_some());
            for (uri, _) in new {
                if !all.contains(uri) {
                    all.push(uri.clone());
                }
            }
        });
        all
    }

    /// An account, without what only the production service knows.
    pub(super) fn account_plain(&self, uri: &str) -> Option<Value> {
        match self
            .accounts
            .state(|state| state.documents.get(uri).cloned())
        {
            Some(now) => now,
            None => self.tree.value(uri),
        }
    }

    /// An account as it is shown.
    pub(super) async fn account(&self, rq: &Rq, uri: &str) -> Answer<Value> {
        let Some(mut shown) = self.account_plain(uri) else {
            return Err(super::missing(uri));
        };
        if let Some(id) = self.accounts.meant(uri) {
            let of = format!("{PRODUCTION}/{id}");
            let now = self.ask_for(rq, Method::GET, &of, None).await?.json();
            for name in ["Locked", "Enabled", "PasswordChangeRequired"] {
                if let (Some(shown), Some(now)) = (shown.get_mut(name), now.get(name)) {
                    shown.clone_from(now);
                }
            }
        }
        Ok(shown)
    }

    /// What a client writes of an account, as the production service takes it.
    fn wanted(&self, said: &Object<String, Value>) -> Answer<Object<String, Value>> {
        let mut wanted = Object::new();
        for name in ["UserName", "Password", "Enabled", "Locked"] {
            if let Some(value) = said.get(name) {
                wanted.insert(name.into(), value.clone());
            }
        }
        if let Some(id) = said.get("RoleId") {
            let known = id.as_str().and_then(|id| role(&self.tree, id));
            let Some(known) = known.or_else(|| (id == "None").then(|| "ReadOnly".to_owned()))
            else {
                let id = id.as_str().unwrap_or("?");
                let args = [id, "RoleId"];
                return Err(base(
                    StatusCode::BAD_REQUEST,
                    "PropertyValueNotInList",
                    &args,
                ));
            };
            wanted.insert("RoleId".into(), known.into());
        }
        Ok(wanted)
    }

    pub(super) async fn patch_account(&self, rq: &Rq) -> Answer<Response<axum::body::Body>> {
        let uri = &rq.uri;
        let before = self.account(rq, uri).await?;
        self.holds(rq, &self.etag(uri, &before))?;
        let said = self.said(rq)?;
        let after = check::changed(&before, "ManagerAccount", &said, &["Password", "UserName"])?;
        let wanted = self.wanted(&said)?;
        let id = self.accounts.meant(uri);
        let gone = said.get("UserName").is_some_and(|name| name == "");
        match id {
            Some(id) if gone => {
                let of = format!("{PRODUCTION}/{id}");
                self.ask_for(rq, Method::DELETE, &of, None).await?;
                self.accounts.state(|state| state.ids.remove(uri));
            }
            Some(id) if !wanted.is_empty() => {
                let of = format!("{PRODUCTION}/{id}");
                let body = Value::Object(wanted);
                self.ask_for(rq, Method::PATCH, &of, Some(&body)).await?;
            }
            None if said.contains_key("UserName") && !gone => {
                let mut wanted = wanted;
                wanted.shift_remove("Locked");
                wanted.entry("RoleId").or_insert("ReadOnly".into());
                self.add(rq, uri, wanted).await?;
            }
            _ => {}
        }
        let mut after = after;
        after["Password"] = Value::Null;
        self.accounts
            .state(|state| state.documents.insert(uri.clone(), Some(after)));
        let shown = self.account(rq, uri).await?;
        let etag = self.etag(uri, &shown);
        self.sent(rq, uri, &shown, &etag)
    }

    async fn add(&self, rq: &Rq, uri: &str, wanted: Object<String, Value>) -> Answer<()> {
        let body = Value::Object(wanted);
        let made = self
            .ask_for(rq, Method::POST, PRODUCTION, Some(&body))
            .await?;
        if let Some(id) = made.json().get("Id").and_then(Value::as_str) {
            self.accounts
                .state(|state| state.ids.insert(uri.to_owned(), id.to_owned()));
        }
        Ok(())
    }

    pub(super) async fn post_account(&self, rq: &Rq) -> Answer<Response<axum::body::Body>> {
        if self.tree.map.account_slots {
            return Err(self.not_allowed(rq));
        }
        let said = self.said(rq)?;
        let mut wanted = self.wanted(&said)?;
        wanted.entry("RoleId").or_insert("ReadOnly".into());
        let listed = self.tree.value(&rq.uri).unwrap_or_default();
        let all = self.accounts_listed(&listed);
        let number = |uri: &String| uri.rsplit('/').next()?.parse::<u64>().ok();
        let id = all.iter().filter_map(number).max().unwrap_or(0) + 1;
        let uri = format!("{}/{id}", rq.uri);
        let template = all.first().and_then(|uri| self.account_plain(uri));
        self.add(rq, &uri, wanted).await?;
        let role = said.get("RoleId").cloned().unwrap_or("ReadOnly".into());
        let mut shown = Object::new();
        for (name, value) in template
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = match name.as_str() {
                "@odata.id" => json!(uri),
                "@odata.etag" => continue,
                "Id" => json!(id.to_string()),
                "RoleId" => role.clone(),
                "UserName" => said.get("UserName").cloned().unwrap_or_default(),
                "Links" => {
                    let roles = self.tree.map.rooms.account_service.as_deref();
                    let to = format!(
                        "{}/Roles/{}",
                        roles.unwrap_or_default(),
                        role.as_str().unwrap_or_default()
                    );
                    json!({"Role": {"@odata.id": to}})
                }
                // What a vendor says of an account is what was said when it was made, and no more.
                "Oem" => match said.get("Oem") {
                    Some(said) => said.clone(),
                    None => continue,
                },
                _ => said.get(name).cloned().unwrap_or_else(|| value.clone()),
            };
            shown.insert(name.clone(), value);
        }
        shown.insert("Password".into(), Value::Null);
        let shown = Value::Object(shown);
        self.accounts
            .state(|state| state.documents.insert(uri.clone(), Some(shown.clone())));
        self.created(rq, &uri, &shown, None)
    }

    pub(super) async fn delete_account(&self, rq: &Rq) -> Answer<Response<axum::body::Body>> {
        if self.tree.map.account_slots {
            return Err(self.not_allowed(rq));
        }
        let _ = self.account(rq, &rq.uri).await?;
        if let Some(id) = self.accounts.meant(&rq.uri) {
            let of = format!("{PRODUCTION}/{id}");
            self.ask_for(rq, Method::DELETE, &of, None).await?;
        }
        self.accounts.state(|state| {
            state.ids.remove(&rq.uri);
            state.documents.insert(rq.uri.clone(), None);
        });
        Ok(super::nothing())
    }
}
