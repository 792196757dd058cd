//! PATCH: what the machine does goes to the production service, the rest is kept beside the template.

use axum::body::Body;
use hawkfish_core::backend::MediaKind;
use http::{Method, Response, StatusCode};
use serde_json::{Map as Object, Value, json};

use super::map::Part;
use super::settings::Over;
use super::{Answer, Replica, Rq, base, check};

const ENABLED: &str = "BootSourceOverrideEnabled";
const TARGET: &str = "BootSourceOverrideTarget";
const MODE: &str = "BootSourceOverrideMode";

impl Replica {
    pub(super) async fn patch(&self, rq: &Rq) -> Answer<Response<Body>> {
        let uri = &rq.uri;
        let part = self.part(uri);
        match part {
            Some(Part::Account) => return self.patch_account(rq).await,
            Some(Part::Media(at, kind)) => return self.patch_media(rq, at, kind).await,
            Some(
                Part::Sessions | Part::Session | Part::Tasks | Part::Subscriptions | Part::Accounts,
            ) => return Err(self.not_allowed(rq)),
            _ if self.tree.map.settings.contains_key(uri) => return self.patch_settings(rq).await,
            _ => {}
        }
        let Some(plain) = self.plain(uri) else {
            return self.patch_member(rq).await;
        };
        if self.is_collection(uri) || plain.get("@odata.id").is_none() {
            return Err(self.not_allowed(rq));
        }
        let before = self.shown_at(rq, uri).await?;
        self.holds(rq, &self.etag(uri, &before))?;
        let said = self.said(rq)?;
        let kind = self.tree.get(uri).and_then(|d| d.kind.as_deref());
        let after = check::changed(&plain, kind.unwrap_or_default(), &said, &[])?;
        match part {
            Some(Part::System(at)) => self.change_system(rq, at, &said).await?,
            Some(Part::Manager(at)) => self.change_manager(rq, at, &said).await?,
            Some(Part::SessionService) => self.change_sessions(rq, &said).await?,
            _ => {}
        }
        self.state(|state| state.documents.insert(uri.clone(), after));
        self.changed(rq).await
    }

    /// What stands at a URI after it was changed.
    pub(super) async fn changed(&self, rq: &Rq) -> Answer<Response<Body>> {
        let mut shown = self.shown_at(rq, &rq.uri).await?;
        let etag = self.etag(&rq.uri, &shown);
        super::overlay::put(&mut shown, "@odata.etag", etag.as_str());
        self.sent(rq, &rq.uri, &shown, &etag)
    }

    async fn change_system(&self, rq: &Rq, at: usize, said: &Object<String, Value>) -> Answer<()> {
        let uri = self.system_uri(at);
        let mut wanted = Object::new();
        for name in ["AssetTag", "LocationIndicatorActive"] {
            if let Some(value) = said.get(name).filter(|value| !value.is_null()) {
                wanted.insert(name.into(), value.clone());
            }
        }
        if let Some(led) = said.get("IndicatorLED").and_then(Value::as_str) {
            // The machine's light is on or off.
            let led = if led == "Off" { "Off" } else { "Lit" };
            wanted.insert("IndicatorLED".into(), led.into());
        }
        let mut own = None;
        if let Some(Value::Object(boot)) = said.get("Boot") {
            let now = self.facts(rq, &uri).await?;
            let mut asked = Object::new();
            let can = |name: &str, value: &Value| {
                let all = now
                    .get("Boot")?
                    .get(format!("{name}@Redfish.AllowableValues"))?;
                Some(all.as_array()?.contains(value))
            };
            for name in [ENABLED, TARGET, MODE] {
                if let Some(value) = boot.get(name) {
                    asked.insert(name.into(), value.clone());
                }
            }
            if let Some(mode) = asked.get(MODE)
                && can(MODE, mode) != Some(true)
            {
                // A mode that the machine does not have is shown all the same.
                asked.shift_remove(MODE);
            }
            let running = self.state(|state| state.runs.get(at).and_then(|runs| runs.over.clone()));
            let target = asked.get(TARGET).cloned();
            let is_off = asked.get(ENABLED).is_some_and(|value| value == "Disabled");
            match (target, running) {
                _ if is_off => {
                    asked.shift_remove(TARGET);
                }
                // The firmware alone knows what that is: the machine boots as ever.
                (Some(target), _) if can(TARGET, &target) != Some(true) => {
                    let enabled = asked.get(ENABLED).and_then(Value::as_str);
                    own = Some(Over {
                        enabled: enabled.unwrap_or("Once").to_owned(),
                        target: target.as_str().unwrap_or_default().to_owned(),
                    });
                    asked.shift_remove(TARGET);
                    asked.insert(ENABLED.into(), "Disabled".into());
                }
                (None, Some(over)) => {
                    if let Some(enabled) = asked.shift_remove(ENABLED) {
                        let enabled = enabled.as_str().unwrap_or_default().to_owned();
                        own = Some(Over { enabled, ..over });
                    } else {
                        own = Some(over);
                    }
                }
                _ => {}
            }
            if !asked.is_empty() {
                wanted.insert("Boot".into(), Value::Object(asked));
            }
            if !wanted.is_empty() {
                let body = Value::Object(wanted);
                self.ask_for(rq, Method::PATCH, &uri, Some(&body)).await?;
            }
            self.state(|state| {
                if let Some(runs) = state.runs.get_mut(at) {
                    runs.over = own;
                }
            });
            return Ok(());
        }
        if !wanted.is_empty() {
            let body = Value::Object(wanted);
            self.ask_for(rq, Method::PATCH, &uri, Some(&body)).await?;
        }
        Ok(())
    }

    async fn change_manager(&self, rq: &Rq, at: usize, said: &Object<String, Value>) -> Answer<()> {
        let wanted = ["DateTime", "DateTimeLocalOffset"];
        self.pass_on(rq, &self.manager_uri(at), said, &wanted).await
    }

    async fn change_sessions(&self, rq: &Rq, said: &Object<String, Value>) -> Answer<()> {
        let mut said = said.clone();
        if let Some(timeout) = said.get("SessionTimeout").and_then(Value::as_i64) {
            let seconds = timeout.saturating_mul(self.tree.map.timeout_unit);
            said.insert("SessionTimeout".into(), seconds.into());
        }
        let wanted = ["SessionTimeout", "ServiceEnabled"];
        self.pass_on(rq, "/redfish/v1/SessionService", &said, &wanted)
            .await
    }

    /// Has some of what is written done by the production service.
    async fn pass_on(
        &self,
        rq: &Rq,
        uri: &str,
        said: &Object<String, Value>,
        names: &[&str],
    ) -> Answer<()> {
        let wanted = said
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        let wanted: Object<String, Value> = wanted
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if !wanted.is_empty() {
            let body = Value::Object(wanted);
            self.ask_for(rq, Method::PATCH, uri, Some(&body)).await?;
        }
        Ok(())
    }

    /// Media by PATCH, as older clients do: an image is inserted, none is an ejection.
    async fn patch_media(&self, rq: &Rq, at: usize, kind: MediaKind) -> Answer<Response<Body>> {
        let before = self.shown_at(rq, &rq.uri).await?;
        self.holds(rq, &self.etag(&rq.uri, &before))?;
        let mut said = self.said(rq)?;
        let plain = self.plain(&rq.uri).unwrap_or_default();
        let open = ["Image", "Inserted", "WriteProtected"];
        let after = check::changed(&plain, "VirtualMedia", &said, &open)?;
        let is_in = before.get("Inserted") == Some(&Value::Bool(true));
        let image = said.shift_remove("Image");
        let inserted = said.shift_remove("Inserted");
        let ejects = image
            .as_ref()
            .is_some_and(|image| image.is_null() || image == "")
            || image.is_none() && inserted == Some(Value::Bool(false));
        if ejects {
            if is_in {
                self.eject(rq, &rq.uri, at, kind).await?;
            }
        } else if let Some(image) = image {
            let mut body = json!({"Image": image});
            if let Some(protected) = said.get("WriteProtected") {
                body["WriteProtected"] = protected.clone();
            }
            if is_in {
                self.eject(rq, &rq.uri, at, kind).await?;
            }
            self.insert(rq, &rq.uri, at, kind, body).await?;
        } else if inserted == Some(Value::Bool(true)) && !is_in {
            let args = ["Image"];
            return Err(base(StatusCode::BAD_REQUEST, "PropertyMissing", &args));
        }
        // What is in the slot is the machine's; what else is said of it is kept.
        let mut kept = after;
        for name in ["Image", "Inserted"] {
            if let Some(value) = self.plain(&rq.uri).and_then(|said| said.get(name).cloned()) {
                super::overlay::put(&mut kept, name, value);
            }
        }
        self.state(|state| state.documents.insert(rq.uri.clone(), kept));
        self.changed(rq).await
    }

    /// A member of a collection that lives in the production service alone.
    async fn patch_member(&self, rq: &Rq) -> Answer<Response<Body>> {
        let room = self.tree.map.rooms.subscriptions.as_deref();
        let is_subscription = room.is_some_and(|room| rq.uri.starts_with(&format!("{room}/")));
        let Some(ours) = self.meant(&rq.uri).filter(|_| is_subscription) else {
            return Err(self.not_allowed(rq));
        };
        let mut said = Value::Object(self.said(rq)?);
        self.inward(&mut said);
        let asked = self.ask(rq, Method::PATCH, &ours, Some(&said)).await;
        match asked.status.is_success() {
            true => self.changed(rq).await,
            false => Err(asked.into()),
        }
    }
}
