//! A capture becomes machines: how they are brought to where the source was, and who shows which of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::{BootMode, BootOverride, BootTarget, Setup};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_core::manager::ManagerChange;
use hawkfish_core::systems::SystemChange;
use hawkfish_server::App;
use hawkfish_server::telling::Rename;
use jiff::Timestamp;
use serde_json::Value;

use super::account::Accounts;
use super::overlay::seconds;
use super::varied::Varied;
use super::{Replica, Runs, State, Tree, UnknownActions};

/// A rack that shows a capture.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) tree: Arc<Tree>,
    pub(crate) unknown: UnknownActions,
    pub(crate) rack: String,
}

/// What all that replay captures in a world share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) app: &'a App,
    pub(crate) seed: u64,
    pub(crate) password: &'a str,
    pub(crate) beginning: Timestamp,
}

/// All replicas of a world, by the systems that they show.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    by_system: BTreeMap<SystemId, Arc<Replica>>,
    /// The only one of a world that has no other systems.
    only: Option<Arc<Replica>>,
}

impl Replicas {
    /// Makes the replicas of all racks that show a capture.
    ///
    /// # Errors
    /// Core cannot bring a machine to where the source was.
    pub(crate) async fn open(
        opening: Opening<'_>,
        racks: &[Shown],
    ) -> hawkfish_core::Result<Arc<Self>> {
        if racks.is_empty() {
            return Ok(Arc::default());
        }
        let hawkfish = opening.app.hawkfish();
        let all = hawkfish.systems(&Ctx::service());
        let count = all.len();
        let mut replicas = Self::default();
        for shown in racks {
            let tree = &shown.tree;
            let accounts = Accounts::open(tree, hawkfish, opening.password).await;
            let accounts = Arc::new(accounts);
            let mut here: Vec<_> = all
                .iter()
                .filter(|system| system.host.as_str() == shown.rack)
                .collect();
            here.sort_by_key(|system| system.machine.name.clone());
            for (number, systems) in here.chunks(tree.map.systems.len()).enumerate() {
                let systems: Vec<SystemId> = systems.iter().map(|s| s.id.clone()).collect();
                let varied = match number {
                    0 => Varied::not(),
                    _ => Varied::of(tree, opening.seed, &shown.rack, number),
                };
                let replica = Replica {
                    tree: Arc::clone(tree),
                    app: opening.app.clone(),
                    beginning: opening.beginning,
                    unknown: shown.unknown,
                    varied,
                    accounts: Arc::clone(&accounts),
                    state: Mutex::new(State::default()),
                    systems,
                };
                replica.bring(hawkfish).await?;
                let replica = Arc::new(replica);
                for id in &replica.systems {
                    replicas.by_system.insert(id.clone(), Arc::clone(&replica));
                }
            }
        }
        let first = replicas.by_system.values().next().cloned();
        replicas.only = first.filter(|first| first.systems.len() == count);
        let replicas = Arc::new(replicas);
        // The service must not keep itself alive.
        let names = Arc::downgrade(&replicas);
        opening
            .app
            .rename_origins(Rename(Box::new(move |uri: &str| {
                let Some(replicas) = names.upgrade() else {
                    return Some(uri.to_owned());
                };
                replicas.renamed(uri)
            })));
        Ok(replicas)
    }

    /// What a URI of the production service is called by who shows it; `None` for what nobody shows.
    fn renamed(&self, uri: &str) -> Option<String> {
        let mut parts = uri.strip_prefix("/redfish/v1/")?.split('/');
        let room = parts.next()?;
        let replica = match parts.next() {
            Some(id) if matches!(room, "Systems" | "Managers" | "Chassis") => {
                let id = SystemId::parse(id).ok();
                match id.and_then(|id| self.by_system.get(&id)) {
                    Some(replica) => return Some(replica.varied.replica(&replica.known(uri)?)),
                    None => return Some(uri.to_owned()),
                }
            }
            _ => self.only.as_ref(),
        };
        Some(match replica {
            Some(replica) => replica.shown(uri),
            None => uri.to_owned(),
        })
    }

    /// Who shows a system; of none in particular, who shows all that there are.
    pub(crate) fn of(&self, system: Option<&SystemId>) -> Option<&Arc<Replica>> {
        match system {
            Some(id) => self.by_system.get(id),
            None => self.only.as_ref(),
        }
    }
}

impl Tree {
    /// Which of the systems were on.
    pub(crate) fn were_on(&self) -> Vec<bool> {
        let on = |uri: &String| {
            let said = self.value(uri).unwrap_or_default();
            said.get("PowerState")
                .is_none_or(|power| power == "On" || power == "PoweringOn")
        };
        self.map.systems.iter().map(on).collect()
    }

    /// How many systems it shows.
    pub(crate) fn systems(&self) -> usize {
        self.map.systems.len()
    }

    /// The time by the clock of its first manager, as it was captured.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let manager = self.value(self.map.managers.first()?.as_deref()?)?;
        manager.get("DateTime")?.as_str()?.parse().ok()
    }
}

impl Replica {
    /// Brings the machines to where the source was, by what they can.
    async fn bring(&self, hawkfish: &HawkFish) -> hawkfish_core::Result<()> {
        let ctx = Ctx::service();
        let mut all = Vec::new();
        for (at, id) in self.systems.iter().enumerate() {
            let said = self
                .tree
                .map
                .systems
                .get(at)
                .and_then(|uri| self.tree.value(uri));
            let said = said.unwrap_or_default();
            let text = |name: &str| said.get(name).and_then(Value::as_str);
            let boot = said.get("Boot").unwrap_or(&Value::Null);
            let boot = |name: &str| boot.get(name).and_then(Value::as_str).unwrap_or_default();
            let system = hawkfish.system(&ctx, id)?;
            let can = &system.machine.boot;
            let target = target(boot("BootSourceOverrideTarget"));
            let target = target.filter(|target| can.targets.contains(target));
            let once = match boot("BootSourceOverrideEnabled") {
                "Once" => Some(true),
                "Continuous" => Some(false),
                _ => None,
            };
            let mode = match boot("BootSourceOverrideMode") {
                "UEFI" => Some(BootMode::Uefi),
                "Legacy" => Some(BootMode::Legacy),
                _ => None,
            };
            let mode = mode.filter(|mode| *mode != can.mode && can.modes.contains(mode));
            let over = target.zip(once);
            let setup = Setup {
                asset_tag: text("AssetTag").map(str::to_owned),
                over: over.map(|(target, once)| Some(BootOverride { target, once })),
                mode,
                ..Setup::default()
            };
            let lit = said.get("LocationIndicatorActive").and_then(Value::as_bool);
            let lit = lit.or_else(|| Some(!matches!(text("IndicatorLED")?, "Off" | "Unknown")));
            let change = SystemChange {
                setup,
                indicator: lit,
            };
            // A machine that cannot be so is shown as it was captured all the same.
            let _ = hawkfish.update_system(&ctx, id, change).await;
            let manager = self.tree.map.managers.get(at).cloned().flatten();
            let manager = manager
                .and_then(|uri| self.tree.value(&uri))
                .unwrap_or_default();
            let offset = manager.get("DateTimeLocalOffset").and_then(Value::as_str);
            if let Some(offset) = offset.and_then(seconds).filter(|offset| *offset != 0) {
                let change = ManagerChange {
                    local_offset_minutes: Some(offset / 60),
                    ..ManagerChange::default()
                };
                hawkfish.update_manager(&ctx, id, change).await?;
            }
            let system = hawkfish.system(&ctx, id)?;
            let last = system.machine.last_reset.map(|at| at.to_string());
            let mode = match system.machine.boot.mode {
                BootMode::Uefi => "UEFI",
                BootMode::Legacy => "Legacy",
            };
            all.push(Runs {
                first_reset: last.clone(),
                last_reset: last,
                first_mode: Some(mode.to_owned()),
                over: None,
            });
        }
        self.state(|state| state.runs = all);
        let service = self.tree.map.rooms.session_service.as_deref();
        let service = service
            .and_then(|uri| self.tree.value(uri))
            .unwrap_or_default();
        let timeout = service.get("SessionTimeout").and_then(Value::as_i64);
        let timeout = timeout.map(|timeout| timeout.saturating_mul(self.tree.map.timeout_unit));
        if let Some(Ok(timeout)) = timeout.map(u32::try_from) {
            // One that the production service does not take stays what it was.
            let _ = hawkfish
                .sessions()
                .set_policy(&ctx, Some(timeout), None)
                .await;
        }
        Ok(())
    }
}

fn target(name: &str) -> Option<BootTarget> {
    Some(match name {
        "Pxe" => BootTarget::Pxe,
        "Hdd" => BootTarget::Hdd,
        "Cd" => BootTarget::Cd,
        "Usb" => BootTarget::Usb,
        "BiosSetup" => BootTarget::BiosSetup,
        "UefiHttp" => BootTarget::UefiHttp,
        _ => return None,
    })
}
