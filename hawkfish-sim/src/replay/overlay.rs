//! What GET shows: the template, with what the machine behind it decides in its place.

use axum::body::Body;
use hawkfish_core::backend::MediaKind;
use http::header::{CONTENT_TYPE, ETAG};
use http::{HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Map as Object, Value, json};

use super::map::Part;
use super::{Answer, Replica, Rq, missing, query};

/// A property of an object that is there is given a value.
pub(super) fn put(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(shown) = object.get_mut(name) {
        *shown = value.into();
    }
}

/// A moment written as another is: as far ahead of UTC, and with a Z where that has one.
pub(super) fn like(shown: &str, at: Timestamp, offset: Option<i32>) -> String {
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let captured = shown.get(shown.len().saturating_sub(6)..).and_then(seconds);
    let seconds = offset.or(captured).unwrap_or(0);
    if shown.ends_with('Z') && seconds == 0 {
        return at.to_string();
    }
    let offset = Offset::from_seconds(seconds).unwrap_or(Offset::UTC);
    at.to_zoned(TimeZone::fixed(offset))
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// The seconds of `+02:00`.
pub(super) fn seconds(text: &str) -> Option<i32> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let all = hours.parse::<i32>().ok()? * 3600 + minutes.parse::<i32>().ok()? * 60;
    match sign {
        "+" => Some(all),
        "-" => Some(-all),
        _ => None,
    }
}

/// A tag of a body (FNV-1a).
fn mark(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A body without what changes by itself, and without its own tag.
fn still(value: &Value) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        object.shift_remove("DateTime");
        object.shift_remove("@odata.etag");
    }
    value
}

impl Replica {
    /// The tag of what is shown at a URI: the source's own where it shows what the source showed.
    pub(super) fn etag(&self, uri: &str, shown: &Value) -> String {
        let captured = self.tree.value(uri);
        let own = captured
            .as_ref()
            .and_then(|said| said.get("@odata.etag")?.as_str());
        let still_now = still(shown);
        if let (Some(own), Some(captured)) = (own, &captured)
            && still(captured) == still_now
            && HeaderValue::try_from(own).is_ok()
        {
            return own.to_owned();
        }
        let weak = own.is_some_and(|own| own.starts_with("W/"));
        let number = mark(still_now.to_string().as_bytes());
        format!("{}\"{number:016X}\"", if weak { "W/" } else { "" })
    }

    pub(super) async fn get(&self, rq: &Rq) -> Answer<Response<Body>> {
        let uri = &rq.uri;
        if let Some(document) = self.tree.get(uri)
            && let Some(kind) = &document.content_type
        {
            let mut response = Response::new(Body::from(document.bytes.clone()));
            if let Ok(kind) = HeaderValue::try_from(kind) {
                response.headers_mut().insert(CONTENT_TYPE, kind);
            }
            return Ok(response);
        }
        // Task monitors are not in any tree.
        if self.tree.get(uri).is_none() && uri.starts_with("/redfish/v1/TaskService/TaskMonitors/")
        {
            let asked = self.ask(rq, Method::GET, uri, None).await;
            return Ok(self.passed_on(asked));
        }
        let mut shown = self.shown_at(rq, uri).await?;
        // What the source answered with an error is one again. The layout of captures does not say which.
        if let Some(error) = shown
            .get("error")
            .filter(|_| shown.get("@odata.id").is_none())
        {
            let text = error.to_string();
            let status = match text.contains("ResourceMissingAtURI") {
                true => StatusCode::NOT_FOUND,
                false => StatusCode::BAD_REQUEST,
            };
            let mut response = Response::new(Body::from(shown.to_string()));
            *response.status_mut() = status;
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return Ok(response);
        }
        let etag = self.etag(uri, &shown);
        put(&mut shown, "@odata.etag", etag.as_str());
        let asked = rq.parts.uri.query().filter(|_| !uri.contains('?'));
        let asked = asked.unwrap_or_default();
        if !asked.is_empty() {
            shown = query::answer(self, rq, asked, shown).await?;
        }
        let mut response = self.sent(rq, uri, &shown, &etag)?;
        if !asked.is_empty() {
            response.headers_mut().remove(ETAG);
        }
        Ok(response)
    }

    /// What stands at a URI, for who asks.
    pub(super) async fn shown_at(&self, rq: &Rq, uri: &str) -> Answer<Value> {
        match self.part(uri) {
            Some(Part::Account) => return self.account(rq, uri).await,
            Some(Part::Session) if self.has_expired(uri) => return Err(missing(uri)),
            _ => {}
        }
        let Some(mut shown) = self.plain(uri) else {
            return self.member(rq, uri).await;
        };
        match self.part(uri) {
            Some(Part::System(at)) => {
                let now = self.facts(rq, &self.system_uri(at)).await?;
                self.system(at, &now, &mut shown);
            }
            Some(Part::Chassis(at)) => {
                let now = self.facts(rq, &self.system_uri(at)).await?;
                if let Some(power) = now.get("PowerState") {
                    self.power(&mut shown, power, "PowerState");
                }
            }
            Some(Part::Manager(at)) => {
                let now = self.facts(rq, &self.manager_uri(at)).await?;
                if let Some(offset) = now.get("DateTimeLocalOffset") {
                    put(&mut shown, "DateTimeLocalOffset", offset.clone());
                }
                let reset = self.app.hawkfish().clock().now();
                let last = now.get("LastResetTime").and_then(Value::as_str);
                let last = last.and_then(|last| last.parse::<Timestamp>().ok());
                if let Some(last) = last.filter(|last| *last > self.beginning && *last <= reset) {
                    moment(&mut shown, "LastResetTime", last);
                }
            }
            Some(Part::Media(at, kind)) => self.media(rq, (at, kind), uri, &mut shown).await?,
            Some(Part::SessionService) => {
                let now = self.facts(rq, "/redfish/v1/SessionService").await?;
                if let Some(seconds) = now.get("SessionTimeout").and_then(Value::as_i64) {
                    let unit = self.tree.map.timeout_unit;
                    put(&mut shown, "SessionTimeout", seconds / unit);
                }
            }
            Some(Part::Sessions | Part::Tasks | Part::Subscriptions | Part::Accounts) => {
                self.live(rq, uri, &mut shown).await?
            }
            _ => self.members(uri, &mut shown),
        }
        self.clocks(&mut shown);
        Ok(shown)
    }

    /// What the production service says of one of its resources.
    pub(super) async fn facts(&self, rq: &Rq, uri: &str) -> Answer<Value> {
        let asked = self.ask(rq, Method::GET, uri, None).await;
        match asked.status {
            StatusCode::OK => Ok(asked.json()),
            // The account sees the document, and what the machine does is no secret.
            StatusCode::FORBIDDEN => Ok(Value::Null),
            _ => Err(asked.into()),
        }
    }

    /// Clocks go on: the world began when the source was captured, or when it was told to.
    fn clocks(&self, shown: &mut Value) {
        let Some(text) = shown.get("DateTime").and_then(Value::as_str) else {
            return;
        };
        if text.parse::<Timestamp>().is_err() {
            return;
        }
        let offset = shown.get("DateTimeLocalOffset").and_then(Value::as_str);
        let offset = offset.and_then(seconds);
        let now = self.manager_time();
        let text = like(text, now, offset);
        put(shown, "DateTime", text);
    }

    /// The time by the clock of the manager.
    fn manager_time(&self) -> Timestamp {
        let hawkfish = self.app.hawkfish();
        let now = hawkfish.clock().now();
        let first = self.systems.first();
        let manager = first.and_then(|id| {
            let ctx = hawkfish_core::ctx::Ctx::service();
            hawkfish.manager(&ctx, id).ok()
        });
        manager.map_or(now, |manager| manager.time(now))
    }

    /// The power of what is on, or on its way.
    fn power(&self, shown: &mut Value, power: &Value, name: &str) {
        put(shown, name, power.clone());
    }

    fn system(&self, at: usize, now: &Value, shown: &mut Value) {
        let runs = self.state(|state| state.runs.get(at).cloned().unwrap_or_default());
        if let Some(power) = now.get("PowerState") {
            self.power(shown, power, "PowerState");
            self.status(now, shown);
            if let Some(vendors) = shown.get_mut("Oem").and_then(Value::as_object_mut) {
                vendors
                    .values_mut()
                    .for_each(|said| post_state(said, power));
            }
        }
        let last = now.get("LastResetTime").and_then(Value::as_str);
        if last != runs.first_reset.as_deref()
            && let Some(last) = last.and_then(|last| last.parse::<Timestamp>().ok())
        {
            moment(shown, "LastResetTime", last);
        }
        let (Some(boot), Some(shown)) = (now.get("Boot"), shown.get_mut("Boot")) else {
            return;
        };
        const PREFIX: &str = "BootSourceOverride";
        match &runs.over {
            Some(over) => {
                put(shown, &format!("{PREFIX}Enabled"), over.enabled.as_str());
                put(shown, &format!("{PREFIX}Target"), over.target.as_str());
            }
            None => {
                for name in ["Enabled", "Target"] {
                    let name = format!("{PREFIX}{name}");
                    if let Some(value) = boot.get(&name) {
                        put(shown, &name, value.clone());
                    }
                }
            }
        }
        let mode = boot.get(format!("{PREFIX}Mode")).and_then(Value::as_str);
        if mode != runs.first_mode.as_deref()
            && let Some(mode) = mode
        {
            put(shown, &format!("{PREFIX}Mode"), mode);
        }
    }

    /// A system that is off says so in its status, where the source was on.
    fn status(&self, now: &Value, shown: &mut Value) {
        let is_off = now.get("PowerState").is_some_and(|power| power == "Off");
        let state = now.get("Status").and_then(|status| status.get("State"));
        if is_off
            && let Some(state) = state
            && let Some(status) = shown.get_mut("Status")
        {
            put(status, "State", state.clone());
        }
    }

    async fn media(
        &self,
        rq: &Rq,
        (at, kind): (usize, MediaKind),
        uri: &str,
        shown: &mut Value,
    ) -> Answer<()> {
        let key = (at, kind == MediaKind::Cd);
        let is_here = self.state(|state| state.media.get(&key).is_some_and(|in_use| in_use == uri));
        if !is_here {
            return Ok(());
        }
        let now = self.facts(rq, &self.slot_uri(at, kind)).await?;
        if now.get("Inserted") != Some(&Value::Bool(true)) {
            return Ok(());
        }
        for name in [
            "Image",
            "ImageName",
            "Inserted",
            "ConnectedVia",
            "WriteProtected",
            "TransferMethod",
            "TransferProtocolType",
            "UserName",
        ] {
            if let Some(value) = now.get(name) {
                put(shown, name, value.clone());
            }
        }
        Ok(())
    }

    /// The members of a collection that is no more than that: those that were captured, without those that are gone, with those that are new.
    fn members(&self, uri: &str, shown: &mut Value) {
        let (added, gone) = self.state(|state| {
            let added = state.added.get(uri).cloned().unwrap_or_default();
            (added, state.gone.clone())
        });
        if added.is_empty() && gone.is_empty() {
            return;
        }
        let Some(members) = shown.get_mut("Members").and_then(Value::as_array_mut) else {
            return;
        };
        members.retain(|one| {
            let uri = one.get("@odata.id").and_then(Value::as_str);
            uri.is_none_or(|uri| !gone.contains(&crate::capture::plain_uri(uri)))
        });
        members.extend(added.iter().map(|uri| json!({"@odata.id": uri})));
        let count = members.len();
        put(shown, "Members@odata.count", count);
    }
}

/// A property that is a moment, written as it was.
fn moment(shown: &mut Value, name: &str, at: Timestamp) {
    if let Some(text) = shown.get(name).and_then(Value::as_str) {
        let text = like(text, at, None);
        put(shown, name, text);
    }
}

/// How far a machine is with its self-test, where a vendor tells: by the words that the one known property of that name has.
fn post_state(vendor: &mut Value, power: &Value) {
    let is_known = vendor
        .get("PostState")
        .and_then(Value::as_str)
        .is_some_and(|state| {
            matches!(
                state,
                "PowerOff" | "Reset" | "InPost" | "InPostDiscoveryComplete" | "FinishedPost"
            )
        });
    if is_known {
        let state = match power.as_str() {
            Some("On") => return,
            Some("PoweringOn") => "InPost",
            _ => "PowerOff",
        };
        put(vendor, "PostState", state);
    }
}

/// A document in the shape of another: only what that has, and of it only what is known of this one.
pub(super) fn shaped(template: &Value, uri: &str, now: &Object<String, Value>) -> Value {
    let mut shown = Object::new();
    for (name, value) in template.as_object().into_iter().flatten() {
        let value = match name.as_str() {
            "@odata.id" => uri.into(),
            "@odata.type" | "@odata.context" | "Name" | "Description" => value.clone(),
            "@odata.etag" => continue,
            _ => match name.strip_suffix("@odata.count") {
                Some(of) => match now.get(of).and_then(Value::as_array) {
                    Some(all) => all.len().into(),
                    None => continue,
                },
                None if name == "Oem" || name == "Actions" => continue,
                None => match now.get(name) {
                    Some(value) => value.clone(),
                    None if value.is_null() => Value::Null,
                    None => continue,
                },
            },
        };
        shown.insert(name.clone(), value);
    }
    Value::Object(shown)
}
