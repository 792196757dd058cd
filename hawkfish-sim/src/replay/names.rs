//! URIs: those of the production service and those of the capture, each for the other.

use hawkfish_core::backend::MediaKind;
use hawkfish_core::id::SystemId;
use serde_json::Value;

use super::Replica;
use super::map::{Part, Rooms};

const ROOT: &str = "/redfish/v1/";

impl Rooms {
    /// Collections and services: the production's URI of each and the capture's.
    fn pairs(&self) -> [(&'static str, Option<&String>); 9] {
        [
            ("SessionService/Sessions", self.sessions.as_ref()),
            ("SessionService", self.session_service.as_ref()),
            ("TaskService/Tasks", self.tasks.as_ref()),
            ("TaskService", self.task_service.as_ref()),
            ("EventService/Subscriptions", self.subscriptions.as_ref()),
            ("EventService", self.event_service.as_ref()),
            ("AccountService/Accounts", self.accounts.as_ref()),
            ("AccountService", self.account_service.as_ref()),
            ("UpdateService", self.update_service.as_ref()),
        ]
    }
}

/// What is below a prefix: nothing, or a path that begins with a slash.
fn below<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

impl Replica {
    /// The production's URI of a system.
    pub(super) fn system_uri(&self, at: usize) -> String {
        format!("{ROOT}Systems/{}", self.id(at))
    }

    /// The production's URI of the manager of a system.
    pub(super) fn manager_uri(&self, at: usize) -> String {
        format!("{ROOT}Managers/{}", self.id(at))
    }

    /// The production's URI of a slot.
    pub(super) fn slot_uri(&self, at: usize, kind: MediaKind) -> String {
        let slot = match kind {
            MediaKind::Cd => "Cd",
            MediaKind::Usb => "Usb",
        };
        format!("{}/VirtualMedia/{slot}", self.system_uri(at))
    }

    fn id(&self, at: usize) -> &str {
        self.systems.get(at).map_or("", SystemId::as_str)
    }

    /// Which of the machines has that id.
    pub(super) fn number(&self, id: &str) -> Option<usize> {
        self.systems.iter().position(|one| one.as_str() == id)
    }

    /// What a URI of the production service is called in the capture, if it is there at all.
    pub(crate) fn known(&self, uri: &str) -> Option<String> {
        let rest = uri.strip_prefix(ROOT)?;
        let map = &self.tree.map;
        let mut parts = rest.splitn(3, '/');
        let (room, id, more) = (parts.next()?, parts.next(), parts.next());
        if matches!(room, "Systems" | "Managers" | "Chassis")
            && let Some(at) = id.and_then(|id| self.number(id))
        {
            let system = map.systems.get(at);
            return match room {
                "Managers" => map.managers.get(at)?.clone(),
                "Chassis" => map.chassis.get(at)?.clone(),
                _ => match more {
                    Some(slot) if slot.starts_with("VirtualMedia/") => self.slot(at, slot),
                    Some(log) if log.starts_with("LogServices/") => None,
                    _ => system.cloned(),
                },
            };
        }
        if let Some(account) = rest.strip_prefix("AccountService/Accounts/") {
            return self.accounts.shown(account);
        }
        let pairs = map.rooms.pairs();
        pairs.iter().find_map(|(ours, theirs)| {
            let rest = below(rest, ours)?;
            Some(format!("{}{rest}", theirs.as_ref()?))
        })
    }

    /// What a URI of the production service is called in the capture; what is not there keeps its name.
    pub(super) fn shown(&self, uri: &str) -> String {
        self.known(uri).unwrap_or_else(|| uri.to_owned())
    }

    fn slot(&self, at: usize, slot: &str) -> Option<String> {
        let is_cd = slot == "VirtualMedia/Cd";
        let in_use = self.state(|state| state.media.get(&(at, is_cd)).cloned());
        let parts = &self.tree.map.parts;
        let first = || {
            let kind = if is_cd { MediaKind::Cd } else { MediaKind::Usb };
            let mut fitting = parts.iter().filter(|(_, p)| **p == Part::Media(at, kind));
            fitting.next().map(|(uri, _)| uri.clone())
        };
        in_use.or_else(first)
    }

    /// The production's URI of a captured one, if it has one.
    pub(super) fn meant(&self, uri: &str) -> Option<String> {
        let plain = crate::capture::plain_uri(uri);
        match self.tree.map.parts.get(&plain) {
            Some(Part::System(at)) => return Some(self.system_uri(*at)),
            Some(Part::Manager(at)) => return Some(self.manager_uri(*at)),
            Some(Part::Chassis(at)) => return Some(format!("{ROOT}Chassis/{}", self.id(*at))),
            Some(Part::Media(at, kind)) => return Some(self.slot_uri(*at, *kind)),
            _ => {}
        }
        if let Some(account) = self.accounts.meant(&plain) {
            return Some(format!("{ROOT}AccountService/Accounts/{account}"));
        }
        let pairs = self.tree.map.rooms.pairs();
        pairs.iter().find_map(|(ours, theirs)| {
            let rest = below(&plain, theirs.as_ref()?)?;
            Some(format!("{ROOT}{ours}{rest}"))
        })
    }

    /// All URIs of a body of the production service, as the capture calls them.
    pub(super) fn outward(&self, value: &mut Value) {
        turn(value, &|uri| self.known(uri));
    }

    /// All URIs of a body that a client sends, as the production service calls them.
    pub(super) fn inward(&self, value: &mut Value) {
        turn(value, &|uri| self.meant(uri));
    }
}

fn turn(value: &mut Value, name: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) if text.starts_with(ROOT) => {
            if let Some(named) = name(text) {
                *text = named;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| turn(one, name)),
        Value::Object(all) => all.values_mut().for_each(|one| turn(one, name)),
        _ => {}
    }
}
