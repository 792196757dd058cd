//! What waits for the next start: settings of the firmware and of what else says so, and boot overrides of which the machine knows nothing.

use axum::body::Body;
use hawkfish_core::ctx::Ctx;
use hawkfish_redfish::message::base as message;
use hawkfish_server::problem::Problem;
use http::header::LOCATION;
use http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map as Object, Value, json};

use super::overlay::{like, put};
use super::{Answer, Replica, Rq, base, check};

/// A boot override to what only the captured firmware knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) enabled: String,
    pub(super) target: String,
}

/// What waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Pending {
    /// What was written, as one.
    said: Object<String, Value>,
    /// The documents of the job that takes it over, where it needs one and has it.
    job: Option<Vec<String>>,
}

/// Puts what is said of an object into it, at any depth.
pub(super) fn merge(into: &mut Value, said: &Object<String, Value>) {
    let Some(object) = into.as_object_mut() else {
        return;
    };
    for (name, value) in said {
        if name.contains('@') {
            continue;
        }
        match (object.get_mut(name), value) {
            (Some(below @ Value::Object(_)), Value::Object(said)) => merge(below, said),
            _ => {
                object.insert(name.clone(), value.clone());
            }
        }
    }
}

impl Replica {
    /// Notices machines that have started since somebody last looked.
    pub(super) async fn look(&self) {
        for (at, id) in self.systems.iter().enumerate() {
            let Ok(system) = self.app.hawkfish().system(&Ctx::service(), id) else {
                continue;
            };
            let last = system.machine.last_reset.map(|at| at.to_string());
            let has_started = self.state(|state| {
                state.runs.get_mut(at).is_some_and(|runs| {
                    let before = std::mem::replace(&mut runs.last_reset, last);
                    before != runs.last_reset
                })
            });
            if has_started {
                self.started(at, system.machine.last_reset);
            }
        }
    }

    /// A machine has started: what waited for that comes into force.
    pub(super) fn started(&self, at: usize, when: Option<Timestamp>) {
        let ready: Vec<(String, Pending)> = self.state(|state| {
            if let Some(runs) = state.runs.get_mut(at)
                && runs
                    .over
                    .as_ref()
                    .is_some_and(|over| over.enabled == "Once")
            {
                runs.over = None;
            }
            let map = &self.tree.map.settings;
            let ready = |uri: &str, pending: &Pending| {
                map.get(uri)
                    .is_some_and(|s| s.system == at && (!s.needs_job || pending.job.is_some()))
            };
            let all = std::mem::take(&mut state.pending);
            let (now, later) = all.into_iter().partition(|(uri, p)| ready(uri, p));
            state.pending = later;
            let now: std::collections::BTreeMap<String, Pending> = now;
            now.into_iter().collect()
        });
        for (uri, pending) in ready {
            self.take_over(&uri, &pending, when.unwrap_or_else(|| self.now()));
        }
    }

    fn take_over(&self, uri: &str, pending: &Pending, when: Timestamp) {
        let Some(settings) = self.tree.map.settings.get(uri) else {
            return;
        };
        for of in &settings.of {
            let Some(mut document) = self.plain(of) else {
                continue;
            };
            merge(&mut document, &pending.said);
            if let Some(said) = document.get_mut("@Redfish.Settings")
                && let Some(time) = said.get("Time").and_then(Value::as_str)
            {
                let time = like(time, when, None);
                put(said, "Time", time);
            }
            self.state(|state| state.documents.insert(of.clone(), document));
        }
        if settings.needs_job {
            // Nothing waits there any more.
            self.state(|state| state.documents.remove(uri));
        }
        for job in pending.job.iter().flatten() {
            let Some(mut document) = self.plain(job) else {
                continue;
            };
            put(&mut document, "JobState", "Completed");
            put(&mut document, "TaskState", "Completed");
            put(&mut document, "PercentComplete", 100);
            for name in ["EndTime", "CompletionTime"] {
                put(&mut document, name, like("Z", when, None));
            }
            put(&mut document, "Message", "The change has been made.");
            self.state(|state| state.documents.insert(job.clone(), document));
        }
    }

    pub(super) async fn patch_settings(&self, rq: &Rq) -> Answer<Response<Body>> {
        let uri = &rq.uri;
        let Some(settings) = self.tree.map.settings.get(uri).cloned() else {
            return Err(self.not_allowed(rq));
        };
        let now = self.plain(uri).unwrap_or_default();
        self.holds(rq, &self.etag(uri, &now))?;
        let said = self.said(rq)?;
        let of = settings.of.first().and_then(|of| self.plain(of));
        // What can be set is what the document has that takes it over.
        let mut whole = of.clone().unwrap_or_else(|| now.clone());
        if let Some(now) = now.as_object() {
            merge(&mut whole, now);
        }
        let kind = self.tree.get(uri).and_then(|d| d.kind.as_deref());
        let _ = check::changed(&whole, kind.unwrap_or_default(), &said, &[])?;
        self.check_attributes(&whole, &said)?;
        let apply = self.apply_time(&said, of.as_ref())?;
        let mut after = now;
        merge(&mut after, &said);
        self.state(|state| {
            state.documents.insert(uri.clone(), after);
            let pending = state.pending.entry(uri.clone()).or_default();
            let mut all = Value::Object(std::mem::take(&mut pending.said));
            merge(&mut all, &said);
            if let Value::Object(all) = all {
                pending.said = all;
            }
        });
        if apply.as_deref() == Some("Immediate") {
            let job = settings.needs_job.then(|| self.make_job(uri));
            self.at_once(uri);
            if let Some((task, _)) = job {
                return Ok(accepted(&task));
            }
        } else if apply.is_some() && settings.needs_job {
            let (task, _) = self.make_job(uri);
            return Ok(accepted(&task));
        }
        self.changed(rq).await
    }

    /// What waits comes into force without waiting.
    fn at_once(&self, uri: &str) {
        if let Some(pending) = self.state(|state| state.pending.remove(uri)) {
            self.take_over(uri, &pending, self.now());
        }
    }

    /// When a client wants it done, if it says so.
    fn apply_time(
        &self,
        said: &Object<String, Value>,
        of: Option<&Value>,
    ) -> Answer<Option<String>> {
        let wanted = said.get("@Redfish.SettingsApplyTime");
        let Some(wanted) = wanted.and_then(|said| said.get("ApplyTime")?.as_str()) else {
            return Ok(None);
        };
        let settings = of.and_then(|of| of.get("@Redfish.Settings"));
        let known = settings.and_then(|said| said.get("SupportedApplyTimes")?.as_array());
        match known {
            Some(known) if !known.iter().any(|one| one == wanted) => {
                let args = [wanted, "ApplyTime"];
                Err(base(
                    StatusCode::BAD_REQUEST,
                    "PropertyValueNotInList",
                    &args,
                ))
            }
            _ => Ok(Some(wanted.to_owned())),
        }
    }

    /// Attributes are held against their registry, where that was captured.
    fn check_attributes(&self, of: &Value, said: &Object<String, Value>) -> Answer<()> {
        let Some(Value::Object(said)) = said.get("Attributes") else {
            return Ok(());
        };
        let Some(name) = of.get("AttributeRegistry").and_then(Value::as_str) else {
            return Ok(());
        };
        let registry = self.tree.all().find_map(|(uri, document)| {
            (document.kind.as_deref() == Some("AttributeRegistry"))
                .then(|| self.tree.value(uri))
                .flatten()
                .filter(|said| said.get("Id").and_then(Value::as_str) == Some(name))
        });
        let entries = registry.as_ref().and_then(|said| {
            let all = said.get("RegistryEntries")?.get("Attributes")?;
            all.as_array()
        });
        let Some(entries) = entries else {
            return Ok(());
        };
        let mut wrong = Vec::new();
        for (name, value) in said {
            let named = |entry: &&Value| entry.get("AttributeName").is_some_and(|n| n == name);
            let Some(entry) = entries.iter().find(named) else {
                continue;
            };
            let at = format!("/Attributes/{name}");
            let shown = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let number = |key: &str| entry.get(key).and_then(Value::as_i64);
            if entry.get("ReadOnly") == Some(&Value::Bool(true)) {
                wrong.push(message("PropertyNotWritable", &[name]).related(&at));
            } else if entry.get("Type").is_some_and(|kind| kind == "Enumeration") {
                let all = entry.get("Value").and_then(Value::as_array);
                let mut all = all.into_iter().flatten();
                if !all.any(|one| one.get("ValueName") == Some(value)) {
                    wrong.push(message("PropertyValueNotInList", &[&shown, name]).related(&at));
                }
            } else if let Some(given) = value.as_i64()
                && (number("LowerBound").is_some_and(|low| given < low)
                    || number("UpperBound").is_some_and(|high| given > high))
            {
                wrong.push(message("PropertyValueOutOfRange", &[&shown, name]).related(&at));
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Problem::messages(StatusCode::BAD_REQUEST, wrong).into()),
        }
    }

    /// Whether a POST to a collection makes jobs.
    pub(super) fn makes_jobs(&self, uri: &str) -> bool {
        self.tree.map.job_collections.contains(uri)
    }

    pub(super) async fn post_job(&self, rq: &Rq) -> Answer<Response<Body>> {
        const TARGET: &str = "TargetSettingsURI";
        let said = self.said(rq)?;
        let Some(target) = said.get(TARGET).and_then(Value::as_str) else {
            return Err(base(StatusCode::BAD_REQUEST, "PropertyMissing", &[TARGET]));
        };
        let uri = crate::capture::plain_uri(target);
        let waits = self.state(|state| state.pending.get(&uri).map(|p| p.job.is_none()));
        match waits {
            Some(true) => {}
            Some(false) => return Err(base(StatusCode::CONFLICT, "ResourceInUse", &[])),
            None => {
                let args = [target, TARGET];
                return Err(base(
                    StatusCode::BAD_REQUEST,
                    "PropertyValueNotInList",
                    &args,
                ));
            }
        }
        let (_, documents) = self.make_job(&uri);
        let mut made = documents.into_iter();
        let here = made.find(|one| one.starts_with(&rq.uri));
        let here = here.unwrap_or_else(|| rq.uri.clone());
        let shown = self.plain(&here).unwrap_or_default();
        self.created(rq, &here, &shown, None)
    }

    /// Makes the job that takes over what waits at a URI. Returns the URI of its task, and of all its documents.
    fn make_job(&self, uri: &str) -> (String, Vec<String>) {
        let map = &self.tree.map;
        let rooms = map.job_collections.iter().chain(&map.rooms.jobs);
        let rooms: std::collections::BTreeSet<&String> = rooms.collect();
        let number = self.state(|state| {
            state.jobs += 1;
            state.jobs
        });
        let now = self.now();
        let template = |room: &str| {
            let first = super::map::links(&self.tree.value(room)?, "Members");
            self.tree.value(first.first()?)
        };
        let sample = rooms.iter().find_map(|room| template(room));
        let sample = sample.as_ref().and_then(|said| said.get("Id")?.as_str());
        let id = numbered(sample.unwrap_or("1"), number);
        let mut documents = Vec::new();
        for room in rooms {
            let at = format!("{room}/{id}");
            let mut shown = Object::new();
            let like_this = template(room).unwrap_or_default();
            for (name, value) in like_this.as_object().into_iter().flatten() {
                let value = match name.as_str() {
                    "@odata.id" => json!(at),
                    "Id" => json!(id),
                    "JobState" => json!("Scheduled"),
                    "JobStatus" => json!("OK"),
                    "PercentComplete" => json!(0),
                    "StartTime" => json!(like("Z", now, None)),
                    "EndTime" | "CompletionTime" => Value::Null,
                    "TargetSettingsURI" => json!(uri),
                    "Message" => json!("The change waits for a start."),
                    "@odata.type" | "@odata.context" | "Name" | "Description" | "JobType" => {
                        value.clone()
                    }
                    _ => continue,
                };
                shown.insert(name.clone(), value);
            }
            if shown.is_empty() {
                shown.insert("@odata.id".into(), json!(at));
                shown.insert("@odata.type".into(), json!("#Job.v1_0_0.Job"));
                shown.insert("Id".into(), json!(id));
                shown.insert("Name".into(), json!("Configuration"));
                shown.insert("JobState".into(), json!("Scheduled"));
                shown.insert("PercentComplete".into(), json!(0));
            }
            self.add_member(room, &at, Value::Object(shown));
            documents.push(at);
        }
        let tasks = map
            .rooms
            .tasks
            .as_deref()
            .unwrap_or("/redfish/v1/TaskService/Tasks");
        let task = format!("{tasks}/{id}");
        let shown = json!({
            "@odata.id": task,
            "@odata.type": hawkfish_redfish::validate::odata_type("Task"),
            "Id": id,
            "Name": "Configuration",
            "TaskState": "New",
            "TaskStatus": "OK",
            "PercentComplete": 0,
            "StartTime": like("Z", now, None),
        });
        self.add_member(tasks, &task, shown);
        documents.push(task.clone());
        self.state(|state| {
            if let Some(pending) = state.pending.get_mut(uri) {
                pending.job = Some(documents.clone());
            }
        });
        (task, documents)
    }

    fn add_member(&self, room: &str, uri: &str, document: Value) {
        self.state(|state| {
            state.documents.insert(uri.to_owned(), document);
            let members = state.added.entry(room.to_owned()).or_default();
            members.push(uri.to_owned());
        });
    }

    /// What waits at a URI is forgotten.
    pub(super) fn forget(&self, uri: &str) {
        let jobs = self.state(|state| {
            state.documents.remove(uri);
            state.pending.remove(uri).and_then(|pending| pending.job)
        });
        for job in jobs.into_iter().flatten() {
            self.remove_made(&job);
        }
    }

    /// Takes a document away that was made here; whether it was.
    pub(super) fn remove_made(&self, uri: &str) -> bool {
        self.state(|state| {
            let mut was = false;
            for members in state.added.values_mut() {
                let before = members.len();
                members.retain(|one| one != uri);
                was |= members.len() < before;
            }
            if was {
                state.documents.remove(uri);
                for pending in state.pending.values_mut() {
                    let has = pending.job.iter().flatten().any(|job| job == uri);
                    if has {
                        pending.job = None;
                    }
                }
            }
            was
        })
    }
}

/// An id like another, with a number of its own.
fn numbered(sample: &str, number: u64) -> String {
    let digits = sample.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (prefix, old) = sample.split_at(sample.len() - digits);
    let first = old.parse::<u64>().unwrap_or(0);
    format!("{prefix}{:0digits$}", first.saturating_add(number))
}

/// The answer to what a task does later.
fn accepted(task: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Ok(task) = HeaderValue::try_from(task) {
        response.headers_mut().insert(LOCATION, task);
    }
    response
}
