//! Hosts whose machines can be made anew ([`Mould`]): of those, only what is different from how they came is looked at, kept and stored.
//!
//! Which machines such a host has follows from its recipe. That is stored, and stands for a row of each of them: with the same recipe all of them were there
//! before, and nothing is told; with another one, those that only it makes have appeared, and those that it does not make are gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Heard, Host};
use crate::app::HawkFish;
use crate::backend::{Cause, Change, MOST_CHANGES, Machine, MachineKey, Mould};
use crate::db::{Tx, settings};
use crate::error::{Error, ErrorKind, Result};
use crate::events;
use crate::id::{ProjectId, SystemId};
use crate::inventory::{machine_key, system_id};
use crate::logs::What;
use crate::systems::rows::{self, StateRow, SystemRow};

/// What is stored of a host whose machines can be made anew.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// What decided which machines there were.
    recipe: String,
    /// When it was first seen to.
    seen: Timestamp,
}

fn name(host: &Host) -> String {
    format!("mould/{}", host.id)
}

/// Gives a machine as it was stored what is not stored because its make has it: else it would seem to have got it since.
pub(super) fn complete(mould: &dyn Mould, machine: &mut Machine) {
    let Some(made) = mould.make(machine.key) else {
        return;
    };
    if made.hardware.of_make {
        let (own, of_make) = (Arc::make_mut(&mut machine.hardware), &made.hardware);
        own.of_make = true;
        own.modules = Arc::clone(&of_make.modules);
        own.pci = Arc::clone(&of_make.pci);
        own.video = Arc::clone(&of_make.video);
        own.usb = Arc::clone(&of_make.usb);
        own.firmwares = Arc::clone(&of_make.firmwares);
    }
    Arc::make_mut(&mut machine.firmware)
        .keys
        .clone_from(&made.firmware.keys);
}

impl HawkFish {
    /// Whether the machines of a host that can be made anew are not in the picture yet.
    pub(super) fn is_rack_to_come(&self, host: &Host) -> bool {
        host.mould.is_some() && !self.inner.inventory.knows_rack(&host.id)
    }

    async fn kept(&self, host: &Host) -> Result<Option<Kept>> {
        let name = name(host);
        self.store()
            .read(move |conn| Box::pin(async move { settings::get(conn, &name).await }))
            .await
    }

    /// Puts the machines into the picture that are made as they were before.
    pub(super) async fn recall_made(&self) -> Result<()> {
        for host in self.inner.hosts.values() {
            let Some(mould) = &host.mould else { continue };
            if let Some(kept) = self.kept(host).await?
                && kept.recipe == mould.recipe()
            {
                let capabilities = host.capabilities.load_full();
                let inventory = &self.inner.inventory;
                inventory.put_rack(&host.id, mould, capabilities, false, kept.seen);
            }
        }
        Ok(())
    }

    /// The systems of which nothing is stored but how they run.
    pub(super) fn made_rows(&self, states: Vec<StateRow>) -> impl Iterator<Item = SystemRow> {
        states.into_iter().filter_map(|row| {
            let key = machine_key(&row.id).ok()?;
            let mut made = self.inner.hosts.values().filter_map(|host| {
                let machine = host.mould.as_ref()?.make(key)?;
                Some((host.id.clone(), machine))
            });
            let (host, mut machine) = made.next()?;
            let (id, seen) = (row.id.clone(), row.seen);
            row.put_into(&mut machine);
            Some(SystemRow {
                id,
                host,
                project: ProjectId::default_project(),
                present: true,
                indicator: false,
                machine,
                seen,
            })
        })
    }

    /// Holds the picture of a host against what its backend says. Held up against others who do by the caller.
    pub(super) async fn reconcile_made(
        &self,
        host: &Arc<Host>,
        mould: &Arc<dyn Mould>,
    ) -> Result<()> {
        let altered = match host.backend.altered().await {
            Ok(altered) => altered,
            Err(error) => return self.did_not_answer(host, error).await,
        };
        self.answers(host, mould.count()).await?;
        if !self.inner.inventory.has_rack(&host.id) {
            self.show_rack(host, mould).await?;
        }
        // What was told before is older, but says what happened.
        loop {
            let changes = host.backend.drain_changes();
            let is_last = changes.len() < MOST_CHANGES;
            let mut heard = Heard::default();
            for change in changes {
                match change {
                    Change::Machine { machine, cause } => {
                        self.hear(host, &mut heard, Arc::unwrap_or_clone(machine), &cause);
                    }
                    Change::Lost(reason) => return self.lost(host, &reason).await,
                    Change::Connected | Change::Removed(_) => {}
                }
            }
            self.take_in(host, heard).await?;
            if is_last {
                break;
            }
        }
        for some in altered.chunks(MOST_CHANGES) {
            let mut heard = Heard::default();
            for key in some {
                match host.backend.machine(*key).await {
                    Ok(machine) => self.hear(host, &mut heard, machine, &Cause::Seen),
                    Err(error) => return self.did_not_answer(host, error).await,
                }
            }
            self.take_in(host, heard).await?;
        }
        self.back(host).await?;
        for id in self.inner.inventory.strays(&host.id) {
            self.gone(&id).await?;
        }
        Ok(())
    }

    async fn did_not_answer(&self, host: &Arc<Host>, error: Error) -> Result<()> {
        if matches!(error.kind(), ErrorKind::Unavailable { .. }) {
            self.lost(host, error.message()).await?;
        }
        Err(error)
    }

    /// Puts the machines of a host that answers into the picture, and tells which have appeared and which are gone since it was last known.
    async fn show_rack(&self, host: &Arc<Host>, mould: &Arc<dyn Mould>) -> Result<()> {
        let (now, recipe) = (self.clock().now(), mould.recipe());
        let kept = self.kept(host).await?;
        let show = {
            let (hawkfish, host, mould) = (self.clone(), Arc::clone(host), Arc::clone(mould));
            move || {
                let capabilities = host.capabilities.load_full();
                let inventory = &hawkfish.inner.inventory;
                inventory.put_rack(&host.id, &mould, capabilities, true, now);
            }
        };
        if kept.as_ref().is_some_and(|kept| kept.recipe == recipe) {
            show();
            return Ok(());
        }
        // Those with rows are in the picture already.
        let with_rows = self.inner.inventory.of_host(&host.id);
        let with_rows: BTreeSet<MachineKey> = with_rows.iter().map(|s| s.machine.key).collect();
        let kept = kept.and_then(|kept| mould.keys_of(&kept.recipe));
        let before: BTreeSet<MachineKey> = kept.unwrap_or_default().into_iter().collect();
        // What an installation finds when it is made was there before it.
        let tells = !self.inner.is_first_look.load(Ordering::Acquire);
        let (mut appeared, mut back): (Vec<SystemId>, Vec<SystemId>) = Default::default();
        if tells {
            let new = mould.keys().into_iter();
            let new = new.filter(|key| !before.contains(key) && !with_rows.contains(key));
            appeared = new.map(system_id).collect();
            let id = host.id.clone();
            let back_here = self
                .store()
                .read(move |conn| Box::pin(async move { rows::gone_ones(conn, &id).await }));
            back = back_here.await?;
            back.retain(|id| machine_key(id).is_ok_and(|key| mould.has(key)));
        }
        // What has rows and is no longer made is taken out with all the rest that has.
        let gone = before.iter();
        let gone = gone.filter(|key| !mould.has(**key) && !with_rows.contains(key));
        let gone: Vec<SystemId> = gone.copied().map(system_id).collect();
        let (name, kept) = (name(host), Kept { recipe, seen: now });
        let (hawkfish, host, mould) = (self.clone(), host.id.clone(), Arc::clone(mould));
        self.store()
            .write_settled(move |tx: &mut Tx| {
                for (ids, what) in [(&appeared, What::Created), (&gone, What::Removed)] {
                    for about in ids.iter().flat_map(events::whole) {
                        tx.happened(about, what.clone().at(now));
                    }
                }
                Box::pin(async move {
                    for id in &gone {
                        rows::forget_state(tx, id).await?;
                    }
                    tx.after_commit(show);
                    let project = ProjectId::default_project();
                    for id in back {
                        let Some(machine) = mould.make(machine_key(&id)?) else {
                            continue;
                        };
                        rows::put(tx, &id, &host, &project, &machine, now).await?;
                        let (project, indicator) = rows::kept(tx, &id).await?;
                        let hawkfish = hawkfish.clone();
                        tx.after_commit(move || {
                            hawkfish.inner.inventory.update(&id, |s| {
                                (s.project, s.indicator) = (project, indicator);
                            });
                        });
                    }
                    settings::put(tx, &name, &kept).await
                })
            })
            .await
    }
}
