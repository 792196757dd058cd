//! An image that is pushed to be booted: into the store, into the CD slot, in front of the boot order for one boot, and booted.
//!
//! It is a task with three steps, each of which may be taken again: what is in the slot already stays, an override is set once more, and before the reset it is noted that
//! the other two are done. The medium stays until the reset after the boot, as the schema says of `BootImagePushURI`: then it is ejected, so that the installed system
//! starts, and the slot is free for the next.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::store::Image;
use super::{Filling, MediaRecord, TransferProtocol};
use crate::app::HawkFish;
use crate::backend::{BootOverride, BootTarget, MediaKind, MediaSource, Power, Setup, Work};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Conflict, Error, Result};
use crate::id::{ImageId, SlotId, SystemId, TaskId};
use crate::inventory::System;
use crate::systems::{ResetType, SystemChange};
use crate::tasks::{NewPart, NewTask, RequestPayload, Task, TaskHandle};

/// The kind of a task that boots an image.
pub(crate) const BOOT_IMAGE: &str = "media.boot_image";

/// Resets so soon after another are the firmware's own.
const FIRMWARE_MILLISECONDS: i64 = 3_000;

/// A slot that waits for an image.
#[derive(Debug)]
pub struct Reserved {
    system: SystemId,
    slot: SlotId,
    filling: Filling,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    slot: SlotId,
    image: ImageId,
    /// Whether it is to be booted at once; else at whatever reset comes next.
    immediate: bool,
    /// The slot holds it and the override is set.
    ready: bool,
}

/// A medium that goes with the reset after its boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passing {
    pub(crate) system: SystemId,
    pub(crate) slot: SlotId,
    image: ImageId,
    /// The reset with which it was booted; `None` until then.
    reset: Option<i64>,
}

impl System {
    /// The slot into which an image to be booted goes.
    #[must_use]
    pub fn boot_slot(&self) -> Option<&SlotId> {
        let can = self.capabilities.media
            && self.capabilities.boot
            && self.machine.boot.targets.contains(&BootTarget::Cd);
        let mut slots = self.machine.slots.iter().filter(|_| can);
        slots.find(|s| s.kind == MediaKind::Cd).map(|s| &s.id)
    }
}

impl HawkFish {
    /// Keeps the CD slot of a system for an image that is about to be pushed.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` for a system that cannot boot from a CD; `Conflict` for a slot that is being filled, or holds what was not pushed; `Unavailable`.
    pub fn reserve_boot_image(&self, ctx: &Ctx, id: &SystemId) -> Result<Reserved> {
        let system = self.system(ctx, id)?;
        let slot = system.boot_slot().filter(|_| self.can_store()).cloned();
        let slot = slot.ok_or_else(|| Error::unsupported("Booting a pushed image"))?;
        if !system.reachable {
            return Err(Error::unavailable("The host does not answer."));
        }
        if let Some(inserted) = system.inserted(&slot)
            && !inserted
                .record
                .is_some_and(|r| r.transfer_protocol == TransferProtocol::Stored)
        {
            return Err(Error::conflict(
                Conflict::Occupied,
                "The slot holds a medium already; eject it first.",
            ));
        }
        let filling = self.inner.media.reserve(id, &slot)?;
        Ok(Reserved {
            system: id.clone(),
            slot,
            filling,
        })
    }

    /// Starts to boot a system from an image of the store, and gives the task that does it.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails. What goes wrong later is in the task.
    pub async fn boot_image(
        &self,
        ctx: &Ctx,
        reserved: Reserved,
        image: &Image,
        immediate: bool,
        request: Option<RequestPayload>,
    ) -> Result<Arc<Task>> {
        let Reserved {
            system,
            slot,
            filling,
        } = reserved;
        let job = Job {
            slot,
            image: image.id.clone(),
            immediate,
            ready: false,
        };
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: format!("Boot {}", image.name),
                    subject: Some(system.clone()),
                    kind: BOOT_IMAGE.to_owned(),
                    payload: serde_json::to_value(&job)?,
                    request,
                    resumable: true,
                },
            )
            .await?;
        self.start_boot_image(task.id.clone(), system, job, filling);
        Ok(task)
    }

    /// Goes on with a boot that a crash interrupted.
    pub(crate) fn resume_boot_image(&self, task: &Task) -> Result<()> {
        let job: Job = serde_json::from_value(task.payload.clone())?;
        let system = task.subject.clone();
        let system = system.ok_or_else(|| Error::internal("The task names no system."))?;
        let filling = self.inner.media.reserve(&system, &job.slot)?;
        self.start_boot_image(task.id.clone(), system, job, filling);
        Ok(())
    }

    fn start_boot_image(&self, task: TaskId, system: SystemId, job: Job, filling: Filling) {
        let hawkfish = self.clone();
        self.inner.jobs.spawn(async move {
            let handle = hawkfish.tasks().handle(&task);
            let cancelled = handle.cancelled();
            let mut going = None;
            let hindered = tokio::select! {
                hindered = hawkfish.hindered(&handle, &mut going, &system, Work::BootImage) => hindered,
                () = cancelled.cancelled() => Err(Error::conflict(Conflict::NotAllowed, "The task was cancelled.")),
                () = hawkfish.inner.closing.cancelled() => return,
            };
            let boot = async {
                hindered?;
                hawkfish.run_boot_image(&task, &system, job).await
            };
            let result = tokio::select! {
                done = boot => done,
                // The task stays as it is, to be taken up at the next start.
                () = hawkfish.inner.closing.cancelled() => return,
            };
            drop(filling);
            if let Err(error) = &result {
                tracing::warn!(system = %system, error = ?error, "a pushed image could not be booted");
            }
            if let Err(error) = handle.finish(result).await {
                tracing::error!(task = %task, error = ?error, "the end of a task could not be stored");
            }
        });
    }

    async fn run_boot_image(&self, task: &TaskId, id: &SystemId, mut job: Job) -> Result<()> {
        let handle = self.tasks().handle(task);
        let service = Ctx::service();
        let image = self.image(&job.image)?;
        let (insert, boot, reset) = self.boot_parts(&handle, id, &job).await?;
        if !job.ready {
            let insert = self.tasks().handle(&insert);
            let source = MediaSource::File(image.path.clone());
            let system = self.system(&service, id)?;
            let old = system.inserted(&job.slot).map(|i| i.medium.source.clone());
            if old.is_some_and(|old| old != source) {
                // Pushed before, and now replaced.
                self.eject_media(&service, id, &job.slot).await?;
            }
            let record = MediaRecord {
                image: image.id.to_string(),
                image_name: image.name.clone(),
                user_name: None,
                transfer_protocol: TransferProtocol::Stored,
                source,
            };
            self.attach(id, &job.slot, true, record).await?;
            self.note_passing(id, &job.slot, &job.image).await?;
            handle.progress(0, Some("The image is in the CD slot."));
            insert.finish(Ok(())).await?;
            let boot = self.tasks().handle(&boot);
            let over = BootOverride {
                target: BootTarget::Cd,
                once: true,
            };
            let setup = Setup {
                over: Some(Some(over)),
                ..Setup::default()
            };
            let change = SystemChange {
                setup,
                ..SystemChange::default()
            };
            self.update_system(&service, id, change).await?;
            handle.progress(0, Some("The next boot is from the CD slot."));
            job.ready = true;
            handle.set_payload(serde_json::to_value(&job)?).await?;
            boot.finish(Ok(())).await?;
        }
        // After a crash: the override is used up when the boot has happened.
        let Some(reset) = reset else {
            return Ok(());
        };
        let last = self.tasks().handle(&reset);
        if self.system(&service, id)?.machine.boot.over.is_some() {
            let power = self.system(&service, id)?.machine.power;
            let reset = match power {
                Power::Off => ResetType::On,
                _ => ResetType::ForceRestart,
            };
            self.reset(&service, id, reset).await?;
        }
        last.finish(Ok(())).await
    }

    /// The parts of a boot: into the slot, in front of the boot order, and the reset, if there is to be one.
    async fn boot_parts(
        &self,
        handle: &TaskHandle,
        id: &SystemId,
        job: &Job,
    ) -> Result<(TaskId, TaskId, Option<TaskId>)> {
        let mut names = vec!["Insert the image", "Boot it next"];
        if job.immediate {
            names.push("Reset the system");
        }
        let part = |name: &str| NewPart {
            name: name.to_owned(),
            subject: Some(id.clone()),
        };
        let parts = names.into_iter().map(part).collect();
        let parts = self.tasks().split(handle.id(), parts).await?;
        let mut ids = parts.iter().map(|part| part.id.clone());
        match (ids.next(), ids.next()) {
            (Some(insert), Some(boot)) => Ok((insert, boot, ids.next())),
            _ => Err(Error::internal("The task has lost its parts.")),
        }
    }

    async fn note_passing(&self, id: &SystemId, slot: &SlotId, image: &ImageId) -> Result<()> {
        let passing = Passing {
            system: id.clone(),
            slot: slot.clone(),
            image: image.clone(),
            reset: None,
        };
        self.put_passing(passing).await
    }

    async fn put_passing(&self, passing: Passing) -> Result<()> {
        let row = passing.clone();
        self.store()
            .write(move |tx: &mut Tx| Box::pin(async move { put(tx, &row).await }))
            .await?;
        let mut all = self.inner.media.passing.lock().expect("passing");
        all.retain(|p| (&p.system, &p.slot) != (&passing.system, &passing.slot));
        all.push(passing);
        Ok(())
    }

    async fn drop_passing(&self, passing: &Passing) -> Result<()> {
        let row = passing.clone();
        self.store()
            .write(move |tx: &mut Tx| Box::pin(async move { remove(tx, &row).await }))
            .await?;
        let mut all = self.inner.media.passing.lock().expect("passing");
        all.retain(|p| p != passing);
        Ok(())
    }

    /// Ejects what was pushed for one boot and has been booted, once its system was reset again.
    pub(crate) async fn eject_passing(&self) -> Result<()> {
        let all = self.inner.media.passing.lock().expect("passing").clone();
        for passing in all {
            let Ok(system) = self.system(&Ctx::service(), &passing.system) else {
                continue;
            };
            if !system.reachable {
                continue;
            }
            let record = system
                .inserted(&passing.slot)
                .and_then(|i| i.record.cloned());
            if record.is_none_or(|r| r.image != passing.image.as_str()) {
                // Somebody was quicker.
                self.drop_passing(&passing).await?;
                continue;
            }
            let last = system.machine.last_reset.map(Timestamp::as_millisecond);
            match (passing.reset, last) {
                // The override is used up: this is the boot that was meant.
                (None, Some(last)) if system.machine.boot.over.is_none() => {
                    let reset = Some(last);
                    self.put_passing(Passing { reset, ..passing }).await?;
                }
                // Some firmware resets itself while it starts, and that is still the same boot.
                (Some(booted), Some(last)) if last - booted > FIRMWARE_MILLISECONDS => {
                    match self
                        .eject_media(&Ctx::service(), &passing.system, &passing.slot)
                        .await
                    {
                        Ok(_) => {}
                        Err(error) => {
                            tracing::warn!(system = %passing.system, error = ?error, "a pushed image could not be ejected");
                        }
                    }
                    self.drop_passing(&passing).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Recalls what is in slots for one boot.
    pub(crate) async fn recall_passing(&self) -> Result<()> {
        let all = self
            .store()
            .read(|conn| Box::pin(async move { load(conn).await }))
            .await?;
        *self.inner.media.passing.lock().expect("passing") = all;
        Ok(())
    }
}

async fn put(tx: &mut Tx, passing: &Passing) -> Result<()> {
    sqlx::query(
        "INSERT OR REPLACE INTO hf_boot_images (system, slot, image, reset_ms) VALUES ($1, $2, $3, $4)",
    )
    .bind(passing.system.as_str())
    .bind(passing.slot.as_str())
    .bind(passing.image.as_str())
    .bind(passing.reset)
    .execute(tx.conn())
    .await?;
    Ok(())
}

async fn remove(tx: &mut Tx, passing: &Passing) -> Result<()> {
    sqlx::query("DELETE FROM hf_boot_images WHERE system = $1 AND slot = $2")
        .bind(passing.system.as_str())
        .bind(passing.slot.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn load(conn: &mut SqliteConnection) -> Result<Vec<Passing>> {
    let rows = sqlx::query("SELECT system, slot, image, reset_ms FROM hf_boot_images")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Passing {
                system: SystemId::parse(row.try_get("system")?)?,
                slot: SlotId::parse(row.try_get("slot")?)?,
                image: ImageId::parse(row.try_get("image")?)?,
                reset: row.try_get("reset_ms")?,
            })
        })
        .collect()
}
