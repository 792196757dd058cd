//! What in a captured tree has a counterpart in the production service: found once, by types and links, never by what a vendor calls things.

use std::collections::{BTreeMap, BTreeSet};

use hawkfish_core::backend::MediaKind;
use serde_json::{Map as Object, Value};

use super::tree::NotReplayable;
use crate::capture::{Capture, plain_uri};

/// What a document is to the simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The n-th system of the capture.
    System(usize),
    /// The manager of a system.
    Manager(usize),
    /// A chassis that a system stands in.
    Chassis(usize),
    /// A slot of a system's for virtual media.
    Media(usize, MediaKind),
    /// The service of sessions.
    SessionService,
    /// The collection of sessions.
    Sessions,
    /// A session.
    Session,
    /// The collection of tasks.
    Tasks,
    /// The collection of subscriptions.
    Subscriptions,
    /// The collection of accounts.
    Accounts,
    /// An account.
    Account,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Action {
    /// The document that offers it.
    pub(super) of: String,
    /// Its name: `ComputerSystem.Reset`.
    pub(super) name: String,
    /// What is said of it, such as allowable values.
    pub(super) said: Object<String, Value>,
}

/// A document whose changes wait in another until the next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// The documents that take over what waits.
    pub(super) of: Vec<String>,
    /// The system that has to start; the first where none is near.
    pub(super) system: usize,
    /// Whether what waits needs a job before it is taken over.
    pub(super) needs_job: bool,
}

/// The collections and services that clients write to.
#[derive(Clone, Debug, Default)]
pub(super) struct Rooms {
    pub(super) session_service: Option<String>,
    pub(super) sessions: Option<String>,
    pub(super) task_service: Option<String>,
    pub(super) tasks: Option<String>,
    pub(super) event_service: Option<String>,
    pub(super) subscriptions: Option<String>,
    pub(super) stream: Option<String>,
    pub(super) account_service: Option<String>,
    pub(super) accounts: Option<String>,
    pub(super) update_service: Option<String>,
    pub(super) jobs: Option<String>,
}

/// The map of a tree.
#[derive(Debug, Default)]
pub(super) struct Map {
    pub(super) root: String,
    pub(super) systems: Vec<String>,
    /// The manager and the chassis of each system.
    pub(super) managers: Vec<Option<String>>,
    pub(super) chassis: Vec<Option<String>>,
    pub(super) parts: BTreeMap<String, Part>,
    pub(super) rooms: Rooms,
    pub(super) actions: BTreeMap<String, Action>,
    pub(super) settings: BTreeMap<String, Settings>,
    /// Where a POST makes the job that takes settings over.
    pub(super) job_collections: BTreeSet<String>,
    /// Whether accounts are slots, empty where their name is, and none can be added.
    pub(super) account_slots: bool,
    /// Seconds that one of `SessionTimeout` stands for.
    pub(super) timeout_unit: i64,
    /// What the service root says it understands of query parameters.
    pub(super) features: Value,
}

/// The link of that name in an object.
pub(super) fn link(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.get("@odata.id")?.as_str().map(plain_uri)
}

/// The links in the array of that name.
pub(super) fn links(object: &Value, name: &str) -> Vec<String> {
    let all = object.get(name).and_then(Value::as_array);
    let each = all.into_iter().flatten();
    each.filter_map(|one| one.get("@odata.id")?.as_str().map(plain_uri))
        .collect()
}

impl Map {
    pub(super) fn of(capture: &Capture) -> Result<Self, NotReplayable> {
        let value = |uri: &str| capture.documents.get(uri).and_then(|d| d.value());
        let mut root = None;
        let mut systems = Vec::new();
        for (uri, document) in &capture.documents {
            match document.kind() {
                Some("ServiceRoot") if root.is_none() => root = Some(uri.clone()),
                Some("ComputerSystem") => systems.push(uri.clone()),
                _ => {}
            }
        }
        let root = root.ok_or(NotReplayable("a service root"))?;
        let top = value(&root).ok_or(NotReplayable("a service root"))?;
        // In the order of their collection, which is how clients count them.
        if let Some(listed) = link(top, "Systems").and_then(|uri| value(&uri)) {
            let order = links(listed, "Members");
            systems.sort_by_key(|uri| order.iter().position(|one| one == uri));
        }
        if systems.is_empty() {
            return Err(NotReplayable("a system"));
        }
        let mut map = Self {
            features: top
                .get("ProtocolFeaturesSupported")
                .cloned()
                .unwrap_or(Value::Null),
            timeout_unit: 1,
            ..Self::default()
        };
        for (at, uri) in systems.iter().enumerate() {
            map.system(at, uri, &value);
        }
        map.systems = systems;
        let mut kinds = capture
            .documents
            .iter()
            .filter(|(_, d)| d.kind() == Some("Manager"));
        if let (Some((only, _)), None) = (kinds.next(), kinds.next()) {
            // Nobody says whose it is, and there is no other.
            map.parts.entry(only.clone()).or_insert(Part::Manager(0));
            let first = &mut map.managers[0];
            first.get_or_insert_with(|| only.clone());
        }
        map.rooms(top, &value);
        map.root = root;
        for (uri, document) in &capture.documents {
            if let Some(said) = document.value() {
                map.look_for_actions(uri, said);
                map.look_for_settings(uri, said, &value);
            }
        }
        // Some services do not tell letters of either case apart, and were captured under both.
        let small: BTreeMap<String, Settings> = map
            .settings
            .iter()
            .map(|(uri, settings)| (uri.to_lowercase(), settings.clone()))
            .collect();
        for uri in capture.documents.keys() {
            if let Some(same) = small.get(&uri.to_lowercase())
                && !map.settings.contains_key(uri)
            {
                map.settings.insert(uri.clone(), same.clone());
            }
        }
        Ok(map)
    }

    fn system<'c>(&mut self, at: usize, uri: &str, value: &dyn Fn(&str) -> Option<&'c Value>) {
        self.parts.insert(uri.to_owned(), Part::System(at));
        let Some(system) = value(uri) else { return };
        let near = system.get("Links").unwrap_or(&Value::Null);
        let managers = links(near, "ManagedBy");
        let chassis = links(near, "Chassis");
        for manager in &managers {
            // One that manages several is the first one's.
            let part = Part::Manager(at);
            self.parts.entry(manager.clone()).or_insert(part);
        }
        for one in &chassis {
            self.parts.entry(one.clone()).or_insert(Part::Chassis(at));
        }
        let above = std::iter::once(uri).chain(managers.iter().map(String::as_str));
        for slots in above.filter_map(|uri| link(value(uri)?, "VirtualMedia")) {
            self.slots(at, &slots, value);
        }
        self.managers.push(managers.into_iter().next());
        self.chassis.push(chassis.into_iter().next());
    }

    /// The slots of a collection: the first that takes disks is the machine's drive of disks, one that takes sticks its stick.
    fn slots<'c>(&mut self, at: usize, uri: &str, value: &dyn Fn(&str) -> Option<&'c Value>) {
        let Some(collection) = value(uri) else { return };
        let mut has_cd = false;
        for slot in links(collection, "Members") {
            let Some(said) = value(&slot) else { continue };
            let takes = |kinds: &[&str]| {
                let all = said.get("MediaTypes").and_then(Value::as_array);
                let mut all = all.into_iter().flatten().filter_map(Value::as_str);
                all.any(|kind| kinds.contains(&kind))
            };
            let (disks, sticks) = (takes(&["CD", "DVD"]), takes(&["USBStick", "Floppy"]));
            let kind = match (disks, sticks) {
                (true, true) if has_cd => MediaKind::Usb,
                (true, _) => MediaKind::Cd,
                (false, true) => MediaKind::Usb,
                // It does not say what it takes.
                (false, false) if has_cd => MediaKind::Usb,
                (false, false) => MediaKind::Cd,
            };
            has_cd |= kind == MediaKind::Cd;
            self.parts.entry(slot).or_insert(Part::Media(at, kind));
        }
    }

    fn rooms<'c>(&mut self, top: &Value, value: &dyn Fn(&str) -> Option<&'c Value>) {
        let below = |uri: &Option<String>, name: &str| link(value(uri.as_deref()?)?, name);
        let near = top.get("Links").unwrap_or(&Value::Null);
        let mut rooms = Rooms {
            session_service: link(top, "SessionService"),
            task_service: link(top, "Tasks"),
            event_service: link(top, "EventService"),
            account_service: link(top, "AccountService"),
            update_service: link(top, "UpdateService"),
            ..Rooms::default()
        };
        let sessions = below(&rooms.session_service, "Sessions");
        rooms.sessions = sessions.or_else(|| link(near, "Sessions"));
        rooms.tasks = below(&rooms.task_service, "Tasks");
        rooms.subscriptions = below(&rooms.event_service, "Subscriptions");
        rooms.accounts = below(&rooms.account_service, "Accounts");
        rooms.jobs = below(&link(top, "JobService"), "Jobs");
        let events = rooms.event_service.as_deref().and_then(value);
        let stream = events.and_then(|said| said.get("ServerSentEventUri")?.as_str());
        rooms.stream = stream.map(plain_uri);
        for (uri, part) in [
            (&rooms.session_service, Part::SessionService),
            (&rooms.sessions, Part::Sessions),
            (&rooms.tasks, Part::Tasks),
            (&rooms.subscriptions, Part::Subscriptions),
            (&rooms.accounts, Part::Accounts),
        ] {
            if let Some(uri) = uri {
                self.parts.insert(uri.clone(), part);
            }
        }
        let members = |uri: &Option<String>| {
            let listed = uri.as_deref().and_then(value);
            listed.map_or_else(Vec::new, |listed| links(listed, "Members"))
        };
        for session in members(&rooms.sessions) {
            if let Some(unit) = value(&session).and_then(|said| self.unit(said, &rooms, value)) {
                self.timeout_unit = unit;
            }
            self.parts.insert(session, Part::Session);
        }
        for account in members(&rooms.accounts) {
            let name = value(&account).and_then(|said| said.get("UserName")?.as_str());
            self.account_slots |= name == Some("");
            self.parts.insert(account, Part::Account);
        }
        self.rooms = rooms;
    }

    /// What one of `SessionTimeout` stands for, where a session shows it: seconds by the schema, minutes for some.
    fn unit<'c>(
        &self,
        session: &Value,
        rooms: &Rooms,
        value: &dyn Fn(&str) -> Option<&'c Value>,
    ) -> Option<i64> {
        let service = value(rooms.session_service.as_deref()?)?;
        let timeout = service.get("SessionTimeout")?.as_i64()?;
        let vendors = session.get("Oem")?.as_object()?;
        let time = |said: &Value, name: &str| -> Option<jiff::Timestamp> {
            said.get(name)?.as_str()?.parse().ok()
        };
        vendors.values().find_map(|said| {
            let left = time(said, "UserExpires")?.duration_since(time(said, "AccessTime")?);
            (left.as_secs() == timeout * 60).then_some(60)
        })
    }

    fn look_for_actions(&mut self, uri: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (name, below) in object {
                    let target = below.get("target").and_then(Value::as_str);
                    match (target, below) {
                        (Some(target), Value::Object(said)) if name.contains('#') => {
                            let name = name.rsplit('#').next().unwrap_or(name).to_owned();
                            let action = Action {
                                of: uri.to_owned(),
                                name,
                                said: said.clone(),
                            };
                            self.actions.entry(plain_uri(target)).or_insert(action);
                        }
                        _ => self.look_for_actions(uri, below),
                    }
                }
            }
            Value::Array(all) => {
                for one in all.iter().filter(|one| one.is_object()) {
                    self.look_for_actions(uri, one);
                }
            }
            _ => {}
        }
    }

    fn look_for_settings<'c>(
        &mut self,
        uri: &str,
        said: &Value,
        value: &dyn Fn(&str) -> Option<&'c Value>,
    ) {
        let Some(settings) = said.get("@Redfish.Settings") else {
            return;
        };
        let Some(object) = link(settings, "SettingsObject").filter(|to| value(to).is_some()) else {
            return;
        };
        // One that shows where its jobs are is taken over by one.
        let vendors = value(&object).and_then(|said| said.get("Oem")?.as_object());
        let vendors = vendors.into_iter().flat_map(Object::values);
        let jobs: Vec<String> = vendors.filter_map(|said| link(said, "Jobs")).collect();
        let needs_job = !jobs.is_empty();
        self.job_collections.extend(jobs);
        let near = self.systems.iter().position(|one| uri.starts_with(one));
        let of = uri.to_owned();
        let entry = self.settings.entry(object).or_insert(Settings {
            of: Vec::new(),
            system: near.unwrap_or(0),
            needs_job,
        });
        entry.of.push(of);
    }
}
