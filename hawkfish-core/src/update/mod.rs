//! Firmware updates: an image comes in, is looked at, is laid ready in each system that it is for, and is in use when the system was reset.
//!
//! # The image
//!
//! Only simulated machines have firmware that HawkFish can replace, and theirs is a JSON object:
//!
//! ```json
//! {"HawkFishFirmware": 1, "Target": "Kestrel S1", "Version": "S1-1.9.0"}
//! ```
//!
//! `HawkFishFirmware` is the version of the format, `Target` the product that it is for ([`Identity::product`]), `Version` what its systems have afterwards.
//!
//! # The task
//!
//! It is stored before anything is done, and is done when every system shows the new version. What was interrupted by a restart is laid ready again; what is cancelled is
//! taken back where it was not yet in use.
//!
//! [`Identity::product`]: crate::backend::Identity::product

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::HawkFish;
use crate::backend::{Power, Work};
use crate::ctx::{Ctx, Scope};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::{Room, Subject, UpdateStep};
use crate::id::{SystemId, TaskId};
use crate::inventory::System;
use crate::logs::What;
use crate::media::{Stored, fetch};
use crate::outgoing::{self, Tls};
use crate::systems::ResetType;
use crate::tasks::{MOST_PARTS, NewPart, NewTask, RequestPayload, Task, TaskHandle};

/// The kind of a task that updates firmware.
pub(crate) const UPDATE: &str = "update.firmware";

/// Most bytes of a firmware image, until the operator says otherwise.
pub const MOST_BYTES: u64 = 64 << 20;

/// Where an image comes from.
#[derive(Debug)]
pub enum Source {
    /// It was pushed.
    Pushed(Stored),
    /// It is to be fetched, where the address policy allows.
    Fetch {
        /// From where, by HTTP or HTTPS.
        url: Url,
        /// User name for its server.
        user_name: Option<String>,
        /// Password for its server; never stored.
        password: Option<String>,
    },
}

/// An update, as asked for.
#[derive(Debug)]
pub struct Update {
    /// The image.
    pub source: Source,
    /// The systems to update; none at all means every system that the image is for.
    pub systems: Vec<SystemId>,
    /// Whether systems that run are reset to put it to use; else it waits for their next reset.
    pub immediate: bool,
    /// The request, for the task.
    pub request: Option<RequestPayload>,
}

/// What an image says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Firmware {
    #[serde(rename = "HawkFishFirmware")]
    format: u32,
    #[serde(rename = "Target")]
    target: String,
    #[serde(rename = "Version")]
    version: String,
}

/// What a task needs to go on after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    /// From where, without credentials; `None` for what was pushed.
    url: Option<String>,
    user_name: Option<String>,
    systems: Vec<SystemId>,
    immediate: bool,
    /// What the image turned out to be, and the systems it is for.
    found: Option<Found>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    version: String,
    systems: Vec<Target>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    id: SystemId,
    /// What it had before.
    from: Option<String>,
}

impl System {
    /// Whether its firmware can be replaced.
    #[must_use]
    pub fn can_update(&self) -> bool {
        self.capabilities.firmware
    }
}

impl HawkFish {
    /// Whether there is a host whose machines' firmware can be replaced, and a place for images.
    #[must_use]
    pub fn can_update(&self) -> bool {
        let mut hosts = self.inner.hosts.values();
        self.can_store() && hosts.any(|host| host.capabilities.load().firmware)
    }

    /// Most bytes of a firmware image.
    #[must_use]
    pub fn most_update_bytes(&self) -> u64 {
        self.inner.media.settings.update_bytes
    }

    /// Starts an update, and gives the task that does it.
    ///
    /// # Errors
    /// `Unsupported`; `NotFound` for a system that is not there; `Invalid` (`/ImageURI`); `AddressRefused`. What goes wrong later is in the task.
    pub async fn update_firmware(&self, ctx: &Ctx, update: Update) -> Result<Arc<Task>> {
        if !self.can_update() {
            return Err(Error::unsupported("Replacing firmware"));
        }
        for id in &update.systems {
            if !self.system(ctx, id)?.can_update() {
                return Err(Error::unsupported("Replacing the firmware of this system"));
            }
        }
        let (secret, url, user_name) = match &update.source {
            Source::Pushed(_) => (true, None, None),
            Source::Fetch {
                url,
                user_name,
                password,
            } => {
                if !matches!(url.scheme(), "http" | "https") {
                    return Err(Error::invalid(
                        "/ImageURI",
                        outgoing::redacted(url),
                        Invalid::Format,
                        "Images are fetched by HTTP or HTTPS.",
                    ));
                }
                self.inner.media.settings.policy.check(url)?;
                let mut plain = url.clone();
                let _ = plain.set_username("");
                let _ = plain.set_password(None);
                let secret = password.is_some() || url.password().is_some();
                (secret, Some(String::from(plain)), user_name.clone())
            }
        };
        let mut job = Job {
            url,
            user_name,
            systems: update.systems,
            immediate: update.immediate,
            found: None,
        };
        // What was pushed is looked at before the answer: who sends nonsense is to hear so.
        if let Source::Pushed(stored) = &update.source {
            let read = read(&stored.path).await;
            let _ = tokio::fs::remove_file(&stored.path).await;
            job.found = Some(self.meant(ctx, &job, &read?)?);
        }
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: "Update firmware".to_owned(),
                    subject: match job.systems.as_slice() {
                        [one] => Some(one.clone()),
                        _ => None,
                    },
                    kind: UPDATE.to_owned(),
                    payload: serde_json::to_value(&job)?,
                    request: update.request,
                    resumable: !secret || job.found.is_some(),
                },
            )
            .await?;
        let source = match update.source {
            // It is read, and gone.
            Source::Pushed(_) => None,
            fetch @ Source::Fetch { .. } => Some(fetch),
        };
        self.start_update(ctx.clone(), task.id.clone(), job, source);
        Ok(task)
    }

    /// Goes on with an update that a crash interrupted.
    pub(crate) fn resume_update(&self, task: &Task) -> Result<()> {
        let job: Job = serde_json::from_value(task.payload.clone())?;
        let mut ctx = Ctx::service();
        ctx.project.clone_from(&task.project);
        ctx.scope = task.face.clone().map(|face| Arc::new(Scope::of(face)));
        self.start_update(ctx, task.id.clone(), job, None);
        Ok(())
    }

    fn start_update(&self, ctx: Ctx, task: TaskId, job: Job, source: Option<Source>) {
        let hawkfish = self.clone();
        self.inner.jobs.spawn(async move {
            let handle = hawkfish.tasks().handle(&task);
            let cancelled = handle.cancelled();
            let result = tokio::select! {
                done = hawkfish.run_update(&ctx, &handle, job, source) => done,
                () = cancelled.cancelled() => {
                    hawkfish.take_back(&task).await;
                    Err(Error::conflict(Conflict::NotAllowed, "The task was cancelled."))
                }
                // The task stays as it is, to be taken up at the next start.
                () = hawkfish.inner.closing.cancelled() => return,
            };
            if let Err(error) = &result {
                tracing::warn!(task = %task, error = ?error, "firmware was not updated");
            }
            if let Err(error) = handle.finish(result).await {
                tracing::error!(task = %task, error = ?error, "the end of a task could not be stored");
            }
        });
    }

    async fn run_update(
        &self,
        ctx: &Ctx,
        handle: &TaskHandle,
        mut job: Job,
        source: Option<Source>,
    ) -> Result<()> {
        let found = match job.found.clone() {
            Some(found) => found,
            None => {
                handle.progress(5, Some("The image is being fetched."));
                let firmware = match self.fetch_firmware(handle, &job, source).await {
                    Ok(firmware) => firmware,
                    Err(error) => {
                        let step = match error.kind() {
                            ErrorKind::Invalid { .. } => UpdateStep::VerificationFailed,
                            _ => UpdateStep::TransferFailed,
                        };
                        self.tell_refused(&job, step).await?;
                        return Err(error);
                    }
                };
                let found = match self.meant(ctx, &job, &firmware) {
                    Ok(found) => found,
                    Err(error) => {
                        self.tell_refused(&job, UpdateStep::NoTarget).await?;
                        return Err(error);
                    }
                };
                job.found = Some(found.clone());
                handle.set_payload(serde_json::to_value(&job)?).await?;
                found
            }
        };
        handle.progress(30, Some("The image is sound and fits."));
        let parts = self.update_parts(handle, &found).await?;
        for target in &found.systems {
            let step = match self.has(&target.id, &found.version) {
                true => UpdateStep::SameVersion,
                false => UpdateStep::TargetFound,
            };
            self.tell_step(target, &found, step).await?;
        }
        // What has that firmware already needs nothing but that nothing else is laid ready.
        let fresh = |target: &&Target| !self.has(&target.id, &found.version);
        let fresh: Vec<&Target> = found.systems.iter().filter(fresh).collect();
        let mut going = None;
        for target in &found.systems {
            let is_fresh = fresh.iter().any(|other| other.id == target.id);
            if is_fresh {
                let step = UpdateStep::Transferring;
                self.tell_step(target, &found, step).await?;
            }
            let hindered = self
                .hindered(handle, &mut going, &target.id, Work::TransferFirmware)
                .await;
            if let Err(error) = hindered {
                let step = UpdateStep::TransferFailed;
                self.tell_step(target, &found, step).await?;
                return Err(error);
            }
            let _guard = self.lock(&target.id).await;
            let system = self.system(&Ctx::service(), &target.id)?;
            let host = self.host(&system.host)?;
            let laid = host
                .backend
                .lay_firmware(system.machine.key, &found.version);
            let machine = match laid.await {
                Ok(machine) => machine,
                Err(error) => {
                    let step = UpdateStep::TransferFailed;
                    self.tell_step(target, &found, step).await?;
                    return Err(error);
                }
            };
            self.saw(&host, machine).await?;
            if let Some(part) = parts.get(&target.id) {
                part.progress(50, Some("The image is laid ready."));
            }
        }
        handle.progress(60, Some("The image is laid ready."));
        for target in &found.systems {
            if !job.immediate || self.has(&target.id, &found.version) {
                continue;
            }
            let system = self.system(&Ctx::service(), &target.id)?;
            if system.machine.power != Power::Off {
                self.tell_step(target, &found, UpdateStep::Applying).await?;
                let ctx = Ctx::service();
                let hindered = self
                    .hindered(handle, &mut going, &target.id, Work::ApplyFirmware)
                    .await;
                let reset = async {
                    hindered?;
                    self.reset(&ctx, &target.id, ResetType::ForceRestart).await
                };
                if let Err(error) = reset.await {
                    let step = UpdateStep::ApplyFailed;
                    self.tell_step(target, &found, step).await?;
                    return Err(error);
                }
            }
        }
        for target in fresh.iter().filter(|t| !self.has(&t.id, &found.version)) {
            let step = UpdateStep::AwaitsStart;
            self.tell_step(target, &found, step).await?;
        }
        let waiting = found
            .systems
            .iter()
            .any(|t| !self.has(&t.id, &found.version));
        if waiting {
            handle.progress(80, Some("The image waits for systems to be reset."));
        }
        drop(going);
        let each = found.systems.iter().map(|target| async {
            // A system that goes away is not waited for.
            let gone = || self.system(&Ctx::service(), &target.id);
            let (hawkfish, id, version) = (self.clone(), target.id.clone(), found.version.clone());
            let is_over = move || {
                hawkfish.system(&Ctx::service(), &id).is_err() || hawkfish.has(&id, &version)
            };
            let mut going = None;
            self.until_it_is(&mut going, is_over).await;
            let result = gone().map(drop);
            let is_fresh = fresh.iter().any(|other| other.id == target.id);
            match &result {
                Ok(()) if is_fresh => self.tell_step(target, &found, UpdateStep::Done).await?,
                Ok(()) => {}
                Err(_) => {
                    let step = UpdateStep::ApplyFailed;
                    self.tell_step(target, &found, step).await?;
                }
            }
            if result.is_err() {
                handle.warn("A system went away before its firmware was updated.");
            }
            match parts.get(&target.id) {
                Some(part) => part.finish(result).await,
                None => Ok(()),
            }
        });
        futures::future::try_join_all(each).await?;
        tracing::info!(
            version = found.version,
            systems = found.systems.len(),
            "firmware was updated"
        );
        Ok(())
    }

    /// Tells how far the update of a system is.
    async fn tell_step(&self, target: &Target, found: &Found, step: UpdateStep) -> Result<()> {
        let image = found.version.clone();
        let about = Subject::Firmware(target.id.clone());
        self.tell(about, What::Update { step, image }).await
    }

    /// Tells that an image is not taken.
    async fn tell_refused(&self, job: &Job, step: UpdateStep) -> Result<()> {
        let image = job.url.clone().unwrap_or_default();
        let about = Subject::Room(Room::Updates);
        self.tell(about, What::Update { step, image }).await
    }

    /// An update of several systems has a part for each, which is begun by this.
    async fn update_parts(
        &self,
        handle: &TaskHandle,
        found: &Found,
    ) -> Result<BTreeMap<SystemId, TaskHandle>> {
        if !(2..=MOST_PARTS).contains(&found.systems.len()) {
            return Ok(BTreeMap::new());
        }
        let part = |target: &Target| NewPart {
            name: format!("Update firmware of {}", target.id),
            subject: Some(target.id.clone()),
        };
        let parts = found.systems.iter().map(part).collect();
        let parts = self.tasks().split(handle.id(), parts).await?;
        let begun = parts
            .iter()
            .filter_map(|part| Some((part.subject.clone()?, self.tasks().handle(&part.id))));
        Ok(begun.collect())
    }

    /// Whether a system has that firmware in use.
    fn has(&self, id: &SystemId, version: &str) -> bool {
        self.system(&Ctx::service(), id)
            .is_ok_and(|s| s.machine.identity.bios_version.as_deref() == Some(version))
    }

    /// Puts back what was laid ready and is not in use.
    async fn take_back(&self, task: &TaskId) {
        let Ok(task) = self.tasks().get(&Ctx::service(), task) else {
            return;
        };
        let Ok(Job {
            found: Some(found), ..
        }) = serde_json::from_value(task.payload.clone())
        else {
            return;
        };
        for target in &found.systems {
            let Some(from) = &target.from else { continue };
            if self.has(&target.id, &found.version) {
                continue;
            }
            let _guard = self.lock(&target.id).await;
            let taken = async {
                let system = self.system(&Ctx::service(), &target.id)?;
                let host = self.host(&system.host)?;
                let machine = host.backend.lay_firmware(system.machine.key, from).await?;
                self.saw(&host, machine).await
            };
            if let Err(error) = taken.await {
                tracing::warn!(system = %target.id, error = ?error, "firmware could not be taken back");
            }
        }
    }

    async fn fetch_firmware(
        &self,
        handle: &TaskHandle,
        job: &Job,
        source: Option<Source>,
    ) -> Result<Firmware> {
        let (url, user_name, password) = match source {
            Some(Source::Fetch {
                url,
                user_name,
                password,
            }) => (url, user_name, password),
            _ => {
                let url = job.url.as_deref().and_then(|url| Url::parse(url).ok());
                let url = url.ok_or_else(|| Error::internal("The task names no image."))?;
                (url, job.user_name.clone(), None)
            }
        };
        let media = &self.inner.media;
        let what = fetch::Download {
            url,
            user_name,
            password,
            tls: Tls {
                verify: true,
                authorities: media.settings.authorities.clone(),
            },
            max_bytes: media.settings.update_bytes,
        };
        let place = (media.cache.as_path(), handle.id().as_str(), "firmware");
        let progress = |percent| handle.progress(5 + percent / 5, None);
        let stored =
            fetch::download(&media.settings.policy, place, &media.busy, what, progress).await?;
        let firmware = read(&stored.path).await;
        let _ = tokio::fs::remove_file(&stored.path).await;
        firmware
    }

    /// The systems that are meant, of which each is one that the image is for.
    fn meant(&self, ctx: &Ctx, job: &Job, firmware: &Firmware) -> Result<Found> {
        let fits = |system: &System| {
            system.machine.identity.product.as_deref() == Some(firmware.target.as_str())
        };
        let systems: Vec<Arc<System>> = if job.systems.is_empty() {
            let all = self.inner.inventory.each(ctx);
            all.filter(|s| s.can_update() && fits(s)).collect()
        } else {
            let named = job.systems.iter().map(|id| self.system(ctx, id));
            named.collect::<Result<_>>()?
        };
        if systems.is_empty() || !systems.iter().all(|s| fits(s)) {
            return Err(
                broken("The image is not for these systems.").with("target", &firmware.target)
            );
        }
        Ok(Found {
            version: firmware.version.clone(),
            systems: systems
                .iter()
                .map(|s| Target {
                    id: s.id.clone(),
                    from: s.machine.identity.bios_version.clone(),
                })
                .collect(),
        })
    }
}

fn broken(why: &'static str) -> Error {
    Error::new(
        ErrorKind::Invalid {
            property: "/UpdateFile".into(),
            value: "image".to_owned(),
            reason: Invalid::Format,
        },
        why,
    )
}

/// Reads an image.
async fn read(path: &Path) -> Result<Firmware> {
    /// What an image needs at most; the rest of what may be pushed is for other makes.
    const LONGEST: u64 = 64 << 10;
    let size = tokio::fs::metadata(path).await.map(|m| m.len());
    if !size.is_ok_and(|size| size <= LONGEST) {
        return Err(broken("The image is no firmware image that is known here."));
    }
    let bytes = tokio::fs::read(path)
        .await
        .map_err(|error| Error::internal("The image could not be read.").caused_by(error))?;
    let firmware: Firmware = serde_json::from_slice(&bytes)
        .map_err(|_| broken("The image is no firmware image that is known here."))?;
    let is_plain = |text: &str| {
        (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if firmware.format != 1 || !is_plain(&firmware.version) {
        return Err(broken("The image is of a format that is not known here."));
    }
    Ok(firmware)
}
