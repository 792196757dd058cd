//! Actions: by their names, DMTF's and those of vendors that mean the same, at the targets that were captured.

use axum::body::Body;
use hawkfish_core::backend::MediaKind;
use hawkfish_redfish::message::base as message;
use hawkfish_server::problem::Problem;
use http::{Method, Response, StatusCode};
use serde_json::{Map as Object, Value, json};

use super::map::{Action, Part};
use super::{Answer, Refusal, Replica, Rq, UnknownActions, base, nothing};

/// What an action asks for, whoever's name it has.
enum Meaning {
    Reset(String),
    ResetManager,
    Insert,
    Eject,
    Clear,
    Forget,
    Test,
    Update,
    /// An image by network share, as the first drive of disks; whether it is booted from at once.
    Share {
        boots: bool,
    },
    Unshare,
}

impl Replica {
    pub(super) async fn act(&self, rq: &Rq, action: &Action) -> Answer<Response<Body>> {
        let said = self.said(rq)?;
        allowable(action, &said)?;
        let Some(meaning) = meaning(action, &said)? else {
            return match self.unknown {
                UnknownActions::Accept => Ok(nothing()),
                UnknownActions::Refuse => Err(base(
                    StatusCode::NOT_IMPLEMENTED,
                    "ActionNotSupported",
                    &[&action.name],
                )),
            };
        };
        let part = self.tree.map.parts.get(&action.of).copied();
        let at = match part {
            Some(Part::System(at) | Part::Manager(at) | Part::Chassis(at)) => at,
            Some(Part::Media(at, _)) => at,
            _ => {
                let systems = &self.tree.map.systems;
                let near = systems.iter().position(|uri| action.of.starts_with(uri));
                near.unwrap_or(0)
            }
        };
        match (meaning, part) {
            (Meaning::Reset(how), _) => self.reset(rq, at, &how).await,
            (Meaning::ResetManager, _) => {
                let how = said.get("ResetType").and_then(Value::as_str);
                let how = if how == Some("ForceRestart") {
                    "ForceRestart"
                } else {
                    "GracefulRestart"
                };
                let uri = format!("{}/Actions/Manager.Reset", self.manager_uri(at));
                self.pass(rq, &uri, &json!({"ResetType": how})).await
            }
            (Meaning::Insert, Some(Part::Media(at, kind))) => {
                let body = Value::Object(said);
                self.insert(rq, &action.of, at, kind, body).await?;
                Ok(nothing())
            }
            (Meaning::Eject, Some(Part::Media(at, kind))) => {
                self.eject(rq, &action.of, at, kind).await?;
                Ok(nothing())
            }
            (Meaning::Share { boots }, _) => self.share(rq, at, action, &said, boots).await,
            (Meaning::Unshare, _) => {
                self.eject(rq, &action.of, at, MediaKind::Cd).await?;
                Ok(nothing())
            }
            (Meaning::Clear, _) => self.clear(action),
            (Meaning::Forget, _) => {
                self.forget(&action.of);
                Ok(nothing())
            }
            (Meaning::Test, _) => {
                let uri = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent";
                self.pass(rq, uri, &Value::Object(said)).await
            }
            (Meaning::Update, _) => {
                let mut said = said;
                // What is updated is the firmware of the machine, whichever part of it was named.
                said.insert("Targets".into(), json!([self.system_uri(at)]));
                let uri = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
                self.pass(rq, uri, &Value::Object(said)).await
            }
            (Meaning::Insert | Meaning::Eject, _) => Err(unsupported(action)),
        }
    }

    async fn pass(&self, rq: &Rq, uri: &str, body: &Value) -> Answer<Response<Body>> {
        let asked = self.ask_for(rq, Method::POST, uri, Some(body)).await?;
        Ok(self.passed_on(asked))
    }

    async fn reset(&self, rq: &Rq, at: usize, how: &str) -> Answer<Response<Body>> {
        let uri = format!("{}/Actions/ComputerSystem.Reset", self.system_uri(at));
        let answer = self.pass(rq, &uri, &json!({"ResetType": how})).await?;
        if matches!(how, "On" | "ForceOn" | "ForceRestart" | "PowerCycle") {
            // It has started, even if no time has passed since it last did.
            self.look().await;
            self.started(at, None);
        }
        Ok(answer)
    }

    pub(super) async fn insert(
        &self,
        rq: &Rq,
        slot: &str,
        at: usize,
        kind: MediaKind,
        mut body: Value,
    ) -> Answer<()> {
        if let Some(said) = body.as_object_mut() {
            // What only the source's firmware would do with it.
            said.retain(|name, _| {
                matches!(
                    name.as_str(),
                    "Image"
                        | "WriteProtected"
                        | "UserName"
                        | "Password"
                        | "TransferProtocolType"
                        | "TransferMethod"
                        | "Inserted"
                )
            });
            said.retain(|_, value| !value.is_null());
        }
        let uri = format!(
            "{}/Actions/VirtualMedia.InsertMedia",
            self.slot_uri(at, kind)
        );
        self.ask_for(rq, Method::POST, &uri, Some(&body)).await?;
        let key = (at, kind == MediaKind::Cd);
        self.state(|state| state.media.insert(key, slot.to_owned()));
        Ok(())
    }

    pub(super) async fn eject(
        &self,
        rq: &Rq,
        slot: &str,
        at: usize,
        kind: MediaKind,
    ) -> Answer<()> {
        let key = (at, kind == MediaKind::Cd);
        let is_here = self.state(|state| state.media.get(&key).is_some_and(|one| one == slot));
        if is_here {
            let uri = format!(
                "{}/Actions/VirtualMedia.EjectMedia",
                self.slot_uri(at, kind)
            );
            self.ask_for(rq, Method::POST, &uri, Some(&json!({})))
                .await?;
            self.state(|state| state.media.remove(&key));
            return Ok(());
        }
        // What was in it when it was captured.
        if let Some(mut shown) = self.plain(slot)
            && shown.get("Inserted") == Some(&Value::Bool(true))
        {
            for (name, value) in [
                ("Inserted", json!(false)),
                ("Image", Value::Null),
                ("ImageName", Value::Null),
                ("ConnectedVia", json!("NotConnected")),
            ] {
                super::overlay::put(&mut shown, name, value);
            }
            self.state(|state| state.documents.insert(slot.to_owned(), shown));
            return Ok(());
        }
        // An empty slot: the production service says what it says of such.
        let uri = format!(
            "{}/Actions/VirtualMedia.EjectMedia",
            self.slot_uri(at, kind)
        );
        let is_taken = self.state(|state| state.media.contains_key(&key));
        if !is_taken {
            self.ask_for(rq, Method::POST, &uri, Some(&json!({})))
                .await?;
        }
        Ok(())
    }

    /// An image on a share, by what the vendor calls its parts. It is in the machine's drive, and none of the slots shows it. Simulated machines read no
    /// images, so it does not matter by what protocol this one would be read.
    async fn share(
        &self,
        rq: &Rq,
        at: usize,
        action: &Action,
        said: &Object<String, Value>,
        boots: bool,
    ) -> Answer<Response<Body>> {
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let need = |name: &'static str| {
            let args = [action.name.as_str(), name];
            let missing = || base(StatusCode::BAD_REQUEST, "ActionParameterMissing", &args);
            text(name).ok_or_else(missing)
        };
        let (host, image) = (need("IPAddress")?, need("ImageName")?);
        let kind = need("ShareType")?;
        if !matches!(kind, "NFS" | "CIFS" | "HTTP" | "HTTPS") {
            let args = [kind, "ShareType", &action.name];
            let key = "ActionParameterValueNotInList";
            return Err(base(StatusCode::BAD_REQUEST, key, &args));
        }
        let share = text("ShareName").unwrap_or_default().trim_matches('/');
        let path = [share, image].map(str::to_owned);
        let path: Vec<String> = path.into_iter().filter(|part| !part.is_empty()).collect();
        let scheme = if kind == "HTTPS" { "https" } else { "http" };
        let url = format!("{scheme}://{host}/{}", path.join("/"));
        self.insert(rq, &action.of, at, MediaKind::Cd, json!({"Image": url}))
            .await?;
        if boots {
            let once = json!({"Boot": {
                "BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Cd",
            }});
            let uri = self.system_uri(at);
            self.ask_for(rq, Method::PATCH, &uri, Some(&once)).await?;
            let now = self.facts(rq, &uri).await?;
            let is_off = now.get("PowerState").is_some_and(|power| power == "Off");
            let how = if is_off { "On" } else { "ForceRestart" };
            return self.reset(rq, at, how).await;
        }
        Ok(nothing())
    }

    /// A log is emptied.
    fn clear(&self, action: &Action) -> Answer<Response<Body>> {
        let log = self.tree.value(&action.of).unwrap_or_default();
        let entries = super::map::link(&log, "Entries").ok_or_else(|| unsupported(action))?;
        let mut listed = self.plain(&entries).ok_or_else(|| unsupported(action))?;
        let gone = super::map::links(&listed, "Members");
        super::overlay::put(&mut listed, "Members", json!([]));
        super::overlay::put(&mut listed, "Members@odata.count", 0);
        if let Some(object) = listed.as_object_mut() {
            object.shift_remove("Members@odata.nextLink");
        }
        self.state(|state| {
            state.gone.extend(gone);
            state.documents.insert(entries, listed);
        });
        Ok(nothing())
    }
}

fn unsupported(action: &Action) -> Refusal {
    base(
        StatusCode::NOT_IMPLEMENTED,
        "ActionNotSupported",
        &[&action.name],
    )
}

/// Holds parameters against what the action says that it takes.
fn allowable(action: &Action, said: &Object<String, Value>) -> Answer<()> {
    let mut wrong = Vec::new();
    for (name, value) in said {
        let allowed = action.said.get(&format!("{name}@Redfish.AllowableValues"));
        if let Some(Value::Array(allowed)) = allowed
            && !allowed.contains(value)
        {
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let args = [shown.as_str(), name, &action.name];
            let said = message("ActionParameterValueNotInList", &args);
            wrong.push(said.related(&format!("/{name}")));
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Problem::messages(StatusCode::BAD_REQUEST, wrong).into()),
    }
}

/// What an action means; `None` where nobody here knows.
fn meaning(action: &Action, said: &Object<String, Value>) -> Answer<Option<Meaning>> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let missing = |name: &str| {
        let args = [action.name.as_str(), name];
        base(StatusCode::BAD_REQUEST, "ActionParameterMissing", &args)
    };
    let (of, verb) = action.name.rsplit_once('.').unwrap_or(("", &action.name));
    let of = of.rsplit('.').next().unwrap_or(of);
    Ok(Some(match (of, verb) {
        ("ComputerSystem", "Reset") => Meaning::Reset(
            text("ResetType")
                .ok_or_else(|| missing("ResetType"))?
                .to_owned(),
        ),
        ("Chassis", "Reset") => {
            Meaning::Reset(text("ResetType").unwrap_or("PowerCycle").to_owned())
        }
        ("Manager", "Reset") => Meaning::ResetManager,
        ("VirtualMedia", "InsertMedia") | (_, "InsertVirtualMedia") => Meaning::Insert,
        ("VirtualMedia", "EjectMedia") | (_, "EjectVirtualMedia") => Meaning::Eject,
        ("LogService", "ClearLog") => Meaning::Clear,
        ("EventService", "SubmitTestEvent") => Meaning::Test,
        ("UpdateService", "SimpleUpdate") => Meaning::Update,
        (_, "ClearPending") => Meaning::Forget,
        (_, "iDRACReset") => Meaning::ResetManager,
        (_, "PowerButton") => match text("PushType") {
            Some("PressAndHold") => Meaning::Reset("ForceOff".to_owned()),
            Some(_) => Meaning::Reset("PushPowerButton".to_owned()),
            None => return Err(missing("PushType")),
        },
        // The system's power is cut and comes back, with or without that of its board.
        (_, "SystemReset") => Meaning::Reset("PowerCycle".to_owned()),
        (_, "ConnectNetworkISOImage") => Meaning::Share { boots: false },
        (_, "BootToNetworkISO") => Meaning::Share { boots: true },
        (_, "DisconnectNetworkISOImage" | "DetachISOImage") => Meaning::Unshare,
        _ => return Ok(None),
    }))
}
