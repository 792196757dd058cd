//! Volumes: disks that are made for a system, and deleted again.
//!
//! A disk is on the host and in the system, and a crash may come between the two. So what is wanted is a task before anything is done, with the token that the disk is made
//! under; the backend's verbs may be asked again with the same token, and a task that was interrupted does just that. What was not made through HawkFish is shown and never
//! touched.

mod rows;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::HawkFish;
use crate::backend::{Disk, Machine, NewDisk, USUAL_BLOCK, Work};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::Subject;
use crate::hosts::Host;
use crate::id::{DiskToken, SystemId, TaskId};
use crate::inventory::System;
use crate::logs::What;
use crate::tasks::{NewTask, RequestPayload, Task};

pub(crate) use rows::load;

/// The kind of a task that makes a volume.
pub(crate) const MAKE: &str = "volume.make";
/// The kind of a task that deletes one.
pub(crate) const DELETE: &str = "volume.delete";

/// The smallest volume, bytes.
pub const LEAST: u64 = 1 << 20;
/// The largest volume, bytes: 64 TiB, where qcow2 with its usual clusters ends.
pub const MOST: u64 = 64 << 40;
/// The longest name, characters.
pub const LONGEST_NAME: usize = 128;

/// A volume to make.
#[derive(Clone, Debug)]
pub struct NewVolume {
    /// What to call it.
    pub name: Option<String>,
    /// Its size, bytes; rounded up to whole blocks.
    pub bytes: u64,
    /// The request, for the task.
    pub request: Option<RequestPayload>,
}

/// What a task needs to go on after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Making {
    token: DiskToken,
    controller: String,
    bytes: u64,
    name: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Deleting {
    token: DiskToken,
}

impl System {
    /// What people call a disk, if they gave it a name.
    #[must_use]
    pub fn volume_name(&self, disk: &Disk) -> Option<&str> {
        self.volumes.get(&disk.token()?).map(String::as_str)
    }
}

impl HawkFish {
    /// Starts to make a volume on a controller, and gives the task that does it; wait for it with [`crate::tasks::Tasks::finished`]. When it has ended well, what it
    /// made is [`HawkFish::made_volume`].
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` where the host has nowhere to put disks; `Invalid` (`/CapacityBytes`, `/Name`). What goes wrong later is in the task.
    pub async fn make_volume(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        controller: &str,
        what: NewVolume,
    ) -> Result<Arc<Task>> {
        let system = self.system(ctx, id)?;
        if system.machine.storage.controller(controller).is_none() {
            return Err(Error::not_found("Storage", controller));
        }
        want_disks(&system)?;
        let bytes = size(what.bytes)?;
        if let Some(name) = &what.name {
            check_name(name, "/Name")?;
        }
        if !system.reachable {
            return Err(Error::unavailable("The host does not answer."));
        }
        let making = Making {
            token: DiskToken::parse(&format!("hf{:016x}", self.entropy().number()))?,
            controller: controller.to_owned(),
            bytes,
            name: what.name,
        };
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: format!("Make a volume of {bytes} bytes"),
                    subject: Some(id.clone()),
                    kind: MAKE.to_owned(),
                    payload: serde_json::to_value(&making)?,
                    request: what.request,
                    resumable: true,
                },
            )
            .await?;
        let (hawkfish, task_id, id) = (self.clone(), task.id.clone(), id.clone());
        self.inner
            .jobs
            .spawn(async move { hawkfish.run_make(&task_id, &id, &making).await });
        Ok(task)
    }

    /// The disk that a task of [`HawkFish::make_volume`] made, as the system has it now.
    #[must_use]
    pub fn made_volume(&self, task: &Task) -> Option<(Arc<System>, Disk)> {
        let making: Making = serde_json::from_value(task.payload.clone()).ok()?;
        let system = self.system(&Ctx::service(), task.subject.as_ref()?).ok()?;
        let disk = system.machine.storage.made(&making.token)?.clone();
        Some((system, disk))
    }

    /// Goes on with a volume that a crash interrupted.
    pub(crate) fn resume_make(&self, task: &Task) -> Result<()> {
        let making: Making = serde_json::from_value(task.payload.clone())?;
        let (hawkfish, task_id, id) = (self.clone(), task.id.clone(), subject(task)?);
        self.inner
            .jobs
            .spawn(async move { hawkfish.run_make(&task_id, &id, &making).await });
        Ok(())
    }

    async fn run_make(&self, task: &TaskId, id: &SystemId, making: &Making) {
        let handle = self.tasks().handle(task);
        let cancelled = handle.cancelled();
        let mut going = None;
        let hindered = tokio::select! {
            hindered = self.hindered(&handle, &mut going, id, Work::MakeVolume) => hindered,
            () = cancelled.cancelled() => Err(Error::conflict(Conflict::NotAllowed, "The task was cancelled.")),
            () = self.inner.closing.cancelled() => return,
        };
        let make = async {
            hindered?;
            self.make(id, making).await
        };
        let result = tokio::select! {
            made = make => made,
            // The task stays as it is, to be taken up at the next start.
            () = self.inner.closing.cancelled() => return,
        };
        if let Err(error) = &result {
            tracing::warn!(system = %id, bytes = making.bytes, error = ?error, "a volume could not be made");
        }
        if let Err(error) = handle.finish(result).await {
            tracing::error!(task = %task, error = ?error, "the end of a task could not be stored");
        }
    }

    async fn make(&self, id: &SystemId, making: &Making) -> Result<()> {
        let _guard = self.lock(id).await;
        let system = self.system(&Ctx::service(), id)?;
        let host = self.host(&system.host)?;
        let disk = NewDisk {
            token: making.token.clone(),
            controller: making.controller.clone(),
            bytes: making.bytes,
        };
        let machine = host.backend.make_disk(system.machine.key, &disk).await?;
        if let Some(name) = &making.name {
            self.name_volume(id, &making.token, name.clone()).await?;
        }
        tracing::info!(system = %id, token = %making.token, bytes = making.bytes, "a volume was made");
        self.saw(&host, machine).await
    }

    /// Starts to delete a volume with all that is on it, and gives the task that does it.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported`; `Conflict::NotAllowed` for a disk that was not made through HawkFish. What goes wrong later is in the task.
    pub async fn delete_volume(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        disk: &str,
        request: Option<RequestPayload>,
    ) -> Result<Arc<Task>> {
        let system = self.system(ctx, id)?;
        let token = own(&system, disk)?;
        want_disks(&system)?;
        if !system.reachable {
            return Err(Error::unavailable("The host does not answer."));
        }
        let deleting = Deleting { token };
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: format!("Delete volume {disk}"),
                    subject: Some(id.clone()),
                    kind: DELETE.to_owned(),
                    payload: serde_json::to_value(&deleting)?,
                    request,
                    resumable: true,
                },
            )
            .await?;
        let (hawkfish, task_id, id) = (self.clone(), task.id.clone(), id.clone());
        self.inner
            .jobs
            .spawn(async move { hawkfish.run_delete(&task_id, &id, &deleting.token).await });
        Ok(task)
    }

    /// Goes on with a deletion that a crash interrupted.
    pub(crate) fn resume_delete(&self, task: &Task) -> Result<()> {
        let deleting: Deleting = serde_json::from_value(task.payload.clone())?;
        let (hawkfish, task_id, id) = (self.clone(), task.id.clone(), subject(task)?);
        self.inner
            .jobs
            .spawn(async move { hawkfish.run_delete(&task_id, &id, &deleting.token).await });
        Ok(())
    }

    async fn run_delete(&self, task: &TaskId, id: &SystemId, token: &DiskToken) {
        let handle = self.tasks().handle(task);
        let cancelled = handle.cancelled();
        let mut going = None;
        let hindered = tokio::select! {
            hindered = self.hindered(&handle, &mut going, id, Work::DeleteVolume) => hindered,
            () = cancelled.cancelled() => Err(Error::conflict(Conflict::NotAllowed, "The task was cancelled.")),
            () = self.inner.closing.cancelled() => return,
        };
        let delete = async {
            hindered?;
            self.delete(id, token).await
        };
        let result = tokio::select! {
            deleted = delete => deleted,
            () = self.inner.closing.cancelled() => return,
        };
        if let Err(error) = &result {
            tracing::warn!(system = %id, token = %token, error = ?error, "a volume could not be deleted");
        }
        if let Err(error) = handle.finish(result).await {
            tracing::error!(task = %task, error = ?error, "the end of a task could not be stored");
        }
    }

    async fn delete(&self, id: &SystemId, token: &DiskToken) -> Result<()> {
        let _guard = self.lock(id).await;
        let system = self.system(&Ctx::service(), id)?;
        let host = self.host(&system.host)?;
        let machine = host.backend.delete_disk(system.machine.key, token).await?;
        let (row_system, row_token) = (id.clone(), token.clone());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move { rows::remove(tx, &row_system, &row_token).await })
            })
            .await?;
        self.inner.inventory.update(id, |s| {
            s.volumes.remove(token);
        });
        tracing::info!(system = %id, token = %token, "a volume was deleted");
        self.saw(&host, machine).await
    }

    /// Changes the name of a volume, or makes it larger; all or nothing as far as can be told beforehand, the size first.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported`; `Conflict::NotAllowed` for a disk that was not made through HawkFish; `Invalid` (`/CapacityBytes`, `/DisplayName`): a volume does not
    /// shrink; what the backend says.
    pub async fn change_volume(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        disk: &str,
        bytes: Option<u64>,
        name: Option<String>,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        let token = own(&system, disk)?;
        want_disks(&system)?;
        if let Some(name) = &name {
            check_name(name, "/DisplayName")?;
        }
        let now = system.machine.storage.disk(disk).and_then(|d| d.bytes);
        if let Some(bytes) = bytes {
            let wanted = size(bytes)?;
            if now.is_some_and(|now| wanted < now) {
                return Err(Error::invalid(
                    "/CapacityBytes",
                    bytes.to_string(),
                    Invalid::OutOfRange,
                    "A volume does not shrink.",
                ));
            }
            if now != Some(wanted) {
                let host: Arc<Host> = self.host(&system.host)?;
                let key = system.machine.key;
                let machine: Machine = host.backend.grow_disk(key, &token, wanted).await?;
                self.saw(&host, machine).await?;
            }
        }
        if let Some(name) = name {
            self.name_volume(id, &token, name).await?;
        }
        self.system(ctx, id)
    }

    async fn name_volume(&self, id: &SystemId, token: &DiskToken, name: String) -> Result<()> {
        let (row_system, row_token, row) = (id.clone(), token.clone(), name);
        let (hawkfish, now) = (self.clone(), self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    rows::put(tx, &row_system, &row_token, &row).await?;
                    let system = hawkfish.system(&Ctx::service(), &row_system).ok();
                    let shown = system.as_deref().and_then(|system| {
                        let disk = system.machine.storage.made(&row_token)?;
                        (system.volume_name(disk) != Some(row.as_str())).then_some(disk)
                    });
                    // Not of a disk that is yet to be made.
                    if let Some(disk) = shown {
                        let about = Subject::Volume {
                            system: row_system.clone(),
                            controller: disk.controller.clone(),
                            disk: disk.id.clone(),
                        };
                        tx.happened(about, What::Changed.at(now));
                    }
                    tx.after_commit(move || {
                        hawkfish.inner.inventory.update(&row_system, |s| {
                            s.volumes.insert(row_token, row);
                        });
                    });
                    Ok(())
                })
            })
            .await
    }
}

fn subject(task: &Task) -> Result<SystemId> {
    task.subject
        .clone()
        .ok_or_else(|| Error::internal("The task names no system."))
}

fn want_disks(system: &System) -> Result<()> {
    if system.capabilities.disks {
        Ok(())
    } else {
        Err(Error::unsupported("Making volumes"))
    }
}

/// The token of a disk that may be changed.
fn own(system: &System, disk: &str) -> Result<DiskToken> {
    let found = system.machine.storage.disk(disk);
    let found = found.ok_or_else(|| Error::not_found("Volume", disk))?;
    found.token().ok_or_else(|| {
        Error::conflict(
            Conflict::NotAllowed,
            "Only volumes that were made through HawkFish can be changed or deleted.",
        )
    })
}

fn size(bytes: u64) -> Result<u64> {
    if (LEAST..=MOST).contains(&bytes) {
        return Ok(bytes.next_multiple_of(u64::from(USUAL_BLOCK)));
    }
    Err(Error::invalid(
        "/CapacityBytes",
        bytes.to_string(),
        Invalid::OutOfRange,
        "A volume has between 1 MiB and 64 TiB.",
    ))
}

fn check_name(name: &str, property: &'static str) -> Result<()> {
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME {
        let bounds = Invalid::Length {
            min: 1,
            max: LONGEST_NAME as u32,
        };
        return Err(Error::new(
            ErrorKind::Invalid {
                property: property.into(),
                value: name.chars().take(LONGEST_NAME).collect(),
                reason: bounds,
            },
            "A name has between 1 and 128 characters.",
        ));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            property,
            name,
            Invalid::Format,
            "A name has no control characters.",
        ));
    }
    Ok(())
}
