//! Virtual media: an image from a web server or an allowed folder, in a slot of a system.
//!
//! Inserting is a task, because a download takes as long as it takes. What is in a slot is what the backend shows there; the record beside it
//! only remembers where HawkFish had it from. Images lie in the cache under their SHA-256 and leave it when no slot needs them.

mod authorities;
mod boot_image;
pub(crate) mod fetch;
mod rows;
mod store;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::app::HawkFish;
use crate::backend::{Hindrance, Insert, MediaKind, MediaSource, Wait, Work};
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::Subject;
use crate::id::{SlotId, SystemId, TaskId};
use crate::inventory::System;
use crate::logs::What;
use crate::outgoing::{self, Policy, Tls};
use crate::tasks::{NewTask, RequestPayload, Task, TaskHandle};

pub use authorities::{Authority, MOST_AUTHORITIES};

pub(crate) use authorities::Authorities;
pub(crate) use boot_image::BOOT_IMAGE;
pub use boot_image::Reserved;
pub(crate) use rows::load;
pub use store::{Image, Stored, Storing};

/// The kind of a task that inserts a medium.
pub(crate) const INSERT: &str = "media.insert";

/// What the operator says about images.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Where HawkFish may fetch from.
    pub policy: Arc<Policy>,
    /// Folders whose files may be inserted by a `file:` URL.
    pub folders: Vec<PathBuf>,
    /// Most bytes of one image.
    pub max_bytes: u64,
    /// Most bytes of all images in the store.
    pub store_bytes: u64,
    /// Most bytes of a firmware image.
    pub update_bytes: u64,
    /// Authorities that image servers may use beside the public ones: PEM.
    pub authorities: Vec<Arc<[u8]>>,
}

impl Default for MediaSettings {
    /// The default policy, no folder, 32 GiB, the public authorities.
    fn default() -> Self {
        Self {
            policy: Arc::default(),
            folders: Vec::new(),
            max_bytes: 32 << 30,
            store_bytes: 64 << 30,
            update_bytes: crate::update::MOST_BYTES,
            authorities: Vec::new(),
        }
    }
}

/// How an image was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferProtocol {
    /// `http:`
    Http,
    /// `https:`
    Https,
    /// A file on the host of HawkFish.
    File,
    /// Not fetched: it was pushed into the store, and the record's image is its id there.
    Stored,
}

/// A medium to insert, as asked for.
#[derive(Clone, Debug, Default)]
pub struct InsertMedia {
    /// URL of the image.
    pub image: String,
    /// Keep the guest from writing to it.
    pub write_protected: bool,
    /// User name for the image's server.
    pub user_name: Option<String>,
    /// Password for the image's server; never stored.
    pub password: Option<String>,
    /// How to fetch it, where the caller says so; must agree with the URL.
    pub transfer_protocol: Option<TransferProtocol>,
    /// The request, for the task.
    pub request: Option<RequestPayload>,
}

/// What HawkFish remembers of a medium that it inserted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaRecord {
    /// The URL that was asked for, without credentials.
    pub image: String,
    /// The last part of its path.
    pub image_name: String,
    /// The user name for the image's server.
    pub user_name: Option<String>,
    /// How it was fetched.
    pub transfer_protocol: TransferProtocol,
    /// Where the backend has it from: what tells whether the backend still shows this medium.
    pub source: MediaSource,
}

/// What a task needs to go on after a crash.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Job {
    slot: SlotId,
    image: String,
    write_protected: bool,
    user_name: Option<String>,
}

/// The media room of a running HawkFish.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) settings: MediaSettings,
    pub(crate) cache: PathBuf,
    /// Slots into which something is on its way.
    filling: Mutex<BTreeSet<(SystemId, SlotId)>>,
    /// Held by whoever writes into the cache.
    pub(crate) busy: Arc<()>,
    /// What was pushed into the store.
    images: store::Images,
    /// What is in a slot for one boot.
    passing: Mutex<Vec<boot_image::Passing>>,
}

impl Media {
    pub(crate) fn new(settings: MediaSettings, cache: PathBuf) -> Self {
        Self {
            settings,
            cache,
            filling: Mutex::default(),
            busy: Arc::default(),
            images: store::Images::default(),
            passing: Mutex::default(),
        }
    }

    /// Whether anything is in a slot for one boot.
    pub(crate) fn has_passing(&self) -> bool {
        !self.passing.lock().expect("passing").is_empty()
    }

    /// Takes a slot for filling, or says that somebody else has.
    fn reserve(self: &Arc<Self>, system: &SystemId, slot: &SlotId) -> Result<Filling> {
        let key = (system.clone(), slot.clone());
        if !self.filling.lock().expect("filling").insert(key.clone()) {
            return Err(Error::conflict(
                Conflict::InUse,
                "An image is on its way into this slot.",
            ));
        }
        Ok(Filling {
            media: Arc::clone(self),
            key,
        })
    }
}

/// Holds a slot for one insertion.
#[derive(Debug)]
struct Filling {
    media: Arc<Media>,
    key: (SystemId, SlotId),
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.media
            .filling
            .lock()
            .expect("filling")
            .remove(&self.key);
    }
}

/// What is in a slot, as users see it.
#[derive(Debug)]
pub struct Inserted<'a> {
    /// The medium, from the backend.
    pub medium: &'a crate::backend::Medium,
    /// Where HawkFish had it from, unless somebody else put it there.
    pub record: Option<&'a MediaRecord>,
}

impl System {
    /// What is in a slot; `None` for an empty slot and for one that is not there.
    #[must_use]
    pub fn inserted(&self, slot: &SlotId) -> Option<Inserted<'_>> {
        let medium = self
            .machine
            .slots
            .iter()
            .find(|s| s.id == *slot)?
            .medium
            .as_ref()?;
        let record = self.media.get(slot).filter(|r| r.source == medium.source);
        Some(Inserted { medium, record })
    }
}

impl HawkFish {
    /// Starts to put an image into a slot, and gives the task that does it; wait for it with [`crate::tasks::Tasks::finished`].
    ///
    /// # Errors
    /// `NotFound`, `Conflict` (the slot is occupied or being filled), `Invalid` (`/Image`, `/TransferProtocolType`, `/WriteProtected`),
    /// `AddressRefused`. What goes wrong later is in the task.
    pub async fn insert_media(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
        what: InsertMedia,
    ) -> Result<Arc<Task>> {
        let system = self.system(ctx, id)?;
        let found = system.machine.slots.iter().find(|s| s.id == *slot);
        let found = found.ok_or_else(|| Error::not_found("VirtualMedia", slot.as_str()))?;
        if !system.capabilities.media {
            return Err(Error::unsupported("Virtual media"));
        }
        if found.kind == MediaKind::Cd && !what.write_protected {
            return Err(Error::invalid(
                "/WriteProtected",
                "false",
                Invalid::NotInList,
                "A CD is always write-protected.",
            ));
        }
        let url = image_url(&what.image)?;
        let protocol = protocol(&url).ok_or_else(|| outgoing::refused(&url))?;
        if what.transfer_protocol.is_some_and(|p| p != protocol) {
            return Err(Error::new(
                ErrorKind::PropertyConflict {
                    property: "/TransferProtocolType".into(),
                    with: "/Image".into(),
                },
                "The transfer protocol is not that of the image's URL.",
            ));
        }
        let media = &self.inner.media;
        let local = match protocol {
            TransferProtocol::File => Some(fetch::local(&media.settings.folders, &url).await?),
            TransferProtocol::Http | TransferProtocol::Https => {
                media.settings.policy.check(&url)?;
                None
            }
            // No URL says so.
            TransferProtocol::Stored => return Err(outgoing::refused(&url)),
        };
        let filling = media.reserve(id, slot)?;
        let system = self.system(ctx, id)?;
        if system.inserted(slot).is_some() {
            return Err(Error::conflict(
                Conflict::Occupied,
                "The slot holds a medium already; eject it first.",
            ));
        }

        let secret = what.password.is_some() || url.password().is_some();
        let job = Job {
            slot: slot.clone(),
            image: without_credentials(&url),
            write_protected: what.write_protected,
            user_name: what.user_name.clone(),
        };
        let task = self
            .tasks()
            .create(
                ctx,
                NewTask {
                    name: format!("Insert {} into {slot}", name_of(&url)),
                    subject: Some(id.clone()),
                    kind: INSERT.to_owned(),
                    payload: serde_json::to_value(&job)?,
                    request: what.request.clone(),
                    // Without the password, which is not stored, it could not go on.
                    resumable: !secret,
                },
            )
            .await?;
        let backend = self.host(&system.host)?.backend.clone();
        let hindrance = backend.hindrance(system.machine.key, Work::InsertMedia);
        let waits = matches!(&hindrance, Some(hindrance) if hindrance.wait != Wait::No);
        let fetch = Fetch {
            url,
            local,
            password: what.password,
            hindrance,
            filling,
        };
        if system.capabilities.media_by_uri && !waits {
            // The backend reads by itself: nothing to wait for, and so nothing to run aside.
            self.run_insert(&task.id, id.clone(), job, fetch).await;
        } else {
            let (hawkfish, task_id, system) = (self.clone(), task.id.clone(), id.clone());
            self.inner
                .jobs
                .spawn(async move { hawkfish.run_insert(&task_id, system, job, fetch).await });
        }
        self.tasks().get(&Ctx::service(), &task.id)
    }

    /// Goes on with an insertion that a crash interrupted.
    pub(crate) async fn resume_insert(&self, task: &Task) -> Result<()> {
        let job: Job = serde_json::from_value(task.payload.clone())?;
        let system = task
            .subject
            .clone()
            .ok_or_else(|| Error::internal("The task names no system."))?;
        let url = image_url(&job.image)?;
        let local = match protocol(&url) {
            Some(TransferProtocol::File) => {
                Some(fetch::local(&self.inner.media.settings.folders, &url).await?)
            }
            _ => None,
        };
        let filling = self.inner.media.reserve(&system, &job.slot)?;
        let fetch = Fetch {
            url,
            local,
            password: None,
            hindrance: None,
            filling,
        };
        let (hawkfish, id) = (self.clone(), task.id.clone());
        self.inner
            .jobs
            .spawn(async move { hawkfish.run_insert(&id, system, job, fetch).await });
        Ok(())
    }

    /// Runs an insertion to its end and says in its task how it ended.
    async fn run_insert(&self, task: &TaskId, system: SystemId, job: Job, fetch: Fetch) {
        let handle = self.tasks().handle(task);
        let cancelled = handle.cancelled();
        let mut going = None;
        let hindrance = fetch.hindrance.clone();
        let fetched = tokio::select! {
            fetched = async {
                self.unhindered(&handle, &mut going, hindrance).await?;
                self.fetch(&handle, &system, &job, &fetch).await
            } => fetched,
            () = cancelled.cancelled() => Err(Error::conflict(Conflict::NotAllowed, "The task was cancelled.")),
            // The task stays as it is, to be taken up at the next start.
            () = self.inner.closing.cancelled() => return,
        };
        // From here on it is a matter of moments, and stopping half-way would only leave a doubt.
        let result = match fetched {
            Ok(source) => match record(&job, &fetch.url, source) {
                Ok(record) => {
                    let slot = &job.slot;
                    self.attach(&system, slot, job.write_protected, record)
                        .await
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        drop(fetch);
        if let Err(error) = &result {
            if let Err(error) = self.prune_images().await {
                tracing::warn!(error = ?error, "the image cache could not be cleaned");
            }
            tracing::warn!(system = %system, slot = %job.slot, image = %shown(&job.image), error = ?error, "a medium could not be inserted");
        }
        if let Err(error) = handle.finish(result).await {
            tracing::error!(task = %task, error = ?error, "the end of a task could not be stored");
        }
    }

    /// Brings the image to where the backend can read it.
    async fn fetch(
        &self,
        handle: &TaskHandle,
        id: &SystemId,
        job: &Job,
        fetch: &Fetch,
    ) -> Result<MediaSource> {
        let system = self.system(&Ctx::service(), id)?;
        if let Some(path) = &fetch.local {
            return Ok(MediaSource::File(path.clone()));
        }
        if system.capabilities.media_by_uri {
            return Ok(MediaSource::Uri(job.image.clone()));
        }
        let media = &self.inner.media;
        let mut authorities = media.settings.authorities.clone();
        authorities.extend(self.inner.authorities.pem(id, &job.slot));
        let tls = Tls {
            verify: system.verify.get(&job.slot).copied().unwrap_or(true),
            authorities,
        };
        let what = fetch::Download {
            url: fetch.url.clone(),
            user_name: job.user_name.clone(),
            password: fetch.password.clone(),
            tls,
            max_bytes: media.settings.max_bytes,
        };
        let progress = |percent| handle.progress(percent, None);
        let place = (media.cache.as_path(), handle.id().as_str(), "img");
        let stored =
            fetch::download(&media.settings.policy, place, &media.busy, what, progress).await?;
        Ok(MediaSource::File(stored.path))
    }

    /// Puts an image that is there into a slot.
    async fn attach(
        &self,
        id: &SystemId,
        slot: &SlotId,
        write_protected: bool,
        record: MediaRecord,
    ) -> Result<()> {
        let source = record.source.clone();
        let _guard = self.lock(id).await;
        let system = self.system(&Ctx::service(), id)?;
        let slots = system.machine.slots.iter();
        let there = slots
            .filter(|s| s.id == *slot)
            .find_map(|s| s.medium.as_ref());
        // After a crash: the backend made the change already, and only the end of the task is missing.
        let is_done = match there {
            Some(medium) if medium.source == source => true,
            Some(_) => {
                return Err(Error::conflict(
                    Conflict::Occupied,
                    "The slot has come to hold another medium.",
                ));
            }
            None => false,
        };
        // The record first: should HawkFish die after the backend's change, it still knows what is in the slot.
        let (row_system, row_slot, row) = (id.clone(), slot.clone(), record.clone());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move { rows::put(tx, &row_system, &row_slot, &row).await })
            })
            .await?;
        if is_done {
            self.inner.inventory.update(id, |s| {
                s.media.insert(slot.clone(), record);
            });
            return Ok(());
        }
        let host = self.host(&system.host)?;
        let insert = Insert {
            source,
            write_protected,
        };
        // So that whoever hears of the medium knows what it is. It shows only once the backend shows the medium.
        self.inner.inventory.update(id, |s| {
            s.media.insert(slot.clone(), record);
        });
        match host.backend.insert(system.machine.key, slot, &insert).await {
            Ok(machine) => self.saw(&host, machine).await,
            Err(error) => {
                self.forget_medium(id, slot).await?;
                Err(error)
            }
        }
    }

    /// Takes the medium out of a slot.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::Empty`; what the backend says.
    pub async fn eject_media(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        if !system.machine.slots.iter().any(|s| s.id == *slot) {
            return Err(Error::not_found("VirtualMedia", slot.as_str()));
        }
        if !system.capabilities.media {
            return Err(Error::unsupported("Virtual media"));
        }
        if system.reachable && system.inserted(slot).is_none() {
            return Err(Error::conflict(Conflict::Empty, "The slot is empty."));
        }
        let host = self.host(&system.host)?;
        let machine = host.backend.eject(system.machine.key, slot).await?;
        self.saw(&host, machine).await?;
        self.forget_medium(id, slot).await?;
        self.system(ctx, id)
    }

    /// Says whether servers of images for this slot must prove who they are.
    ///
    /// # Errors
    /// `NotFound`; a failing store.
    pub async fn set_media_verification(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
        verify: bool,
    ) -> Result<Arc<System>> {
        let _guard = self.lock(id).await;
        let system = self.system(ctx, id)?;
        if !system.machine.slots.iter().any(|s| s.id == *slot) {
            return Err(Error::not_found("VirtualMedia", slot.as_str()));
        }
        let (row_system, row_slot) = (id.clone(), slot.clone());
        let (hawkfish, now) = (self.clone(), self.clock().now());
        let is_other = system.verify.get(slot).copied().unwrap_or(true) != verify;
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    rows::put_verify(tx, &row_system, &row_slot, verify).await?;
                    if is_other {
                        let about = Subject::Slot {
                            system: row_system.clone(),
                            slot: row_slot.clone(),
                        };
                        tx.happened(about, What::Changed.at(now));
                    }
                    tx.after_commit(move || {
                        hawkfish.inner.inventory.update(&row_system, |s| {
                            s.verify.insert(row_slot, verify);
                        });
                    });
                    Ok(())
                })
            })
            .await?;
        self.system(ctx, id)
    }

    /// Forgets where a medium came from, and drops its image from the cache if nobody else needs it.
    async fn forget_medium(&self, id: &SystemId, slot: &SlotId) -> Result<()> {
        let (row_system, row_slot) = (id.clone(), slot.clone());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move { rows::remove(tx, &row_system, &row_slot).await })
            })
            .await?;
        self.inner.inventory.update(id, |s| {
            s.media.remove(slot);
        });
        self.prune_images().await
    }

    /// Removes from the cache what no slot holds and no download is making.
    pub(crate) async fn prune_images(&self) -> Result<()> {
        let media = &self.inner.media;
        let busy = !media.filling.lock().expect("filling").is_empty()
            || Arc::strong_count(&media.busy) > 1;
        if busy {
            // Something lies in the cache that no slot shows yet; the next eject looks again.
            return Ok(());
        }
        let mut needed: BTreeSet<PathBuf> = BTreeSet::new();
        for system in self.inner.inventory.each_altered(&Ctx::service()) {
            let shown = system
                .machine
                .slots
                .iter()
                .filter_map(|s| s.medium.as_ref().map(|m| &m.source));
            let known = system.media.values().map(|r| &r.source);
            needed.extend(shown.chain(known).filter_map(file_of));
        }
        needed.extend(self.images().iter().map(|image| image.path.clone()));
        let cache = media.cache.clone();
        let removed = tokio::task::spawn_blocking(move || remove_others(&cache, &needed)).await;
        match removed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                Err(Error::internal("The image cache could not be read.").caused_by(error))
            }
            Err(error) => {
                Err(Error::internal("The image cache could not be read.").caused_by(error))
            }
        }
    }
}

/// What an insertion brings along and does not store.
struct Fetch {
    url: Url,
    local: Option<PathBuf>,
    password: Option<String>,
    hindrance: Option<Hindrance>,
    /// Keeps the slot until the insertion has ended.
    #[expect(dead_code, reason = "held, not read")]
    filling: Filling,
}

/// What is remembered of a medium that was fetched.
fn record(job: &Job, url: &Url, source: MediaSource) -> Result<MediaRecord> {
    Ok(MediaRecord {
        image: job.image.clone(),
        image_name: name_of(url),
        user_name: job.user_name.clone(),
        transfer_protocol: protocol(url).ok_or_else(|| outgoing::refused(url))?,
        source,
    })
}

fn file_of(source: &MediaSource) -> Option<PathBuf> {
    match source {
        MediaSource::File(path) => Some(path.clone()),
        MediaSource::Uri(_) => None,
    }
}

fn remove_others(cache: &Path, needed: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    let entries = match std::fs::read_dir(cache) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if !needed.contains(&path)
            && path
                .extension()
                .is_some_and(|e| e == "img" || e == "part" || e == "firmware")
        {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

fn image_url(image: &str) -> Result<Url> {
    Url::parse(image).map_err(|_| {
        Error::invalid(
            "/Image",
            shown(image),
            Invalid::Format,
            "The image must be an absolute URL.",
        )
    })
}

/// An image as it may be shown in messages and logs.
fn shown(image: &str) -> String {
    match Url::parse(image) {
        Ok(url) => outgoing::redacted(&url),
        Err(_) => image.chars().take(200).collect(),
    }
}

fn protocol(url: &Url) -> Option<TransferProtocol> {
    match url.scheme() {
        "http" => Some(TransferProtocol::Http),
        "https" => Some(TransferProtocol::Https),
        "file" => Some(TransferProtocol::File),
        _ => None,
    }
}

/// The URL without user name and password; its query stays, because clients compare what they read with what they sent.
fn without_credentials(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

fn name_of(url: &Url) -> String {
    let last = url
        .path_segments()
        .and_then(|mut s| s.next_back())
        .unwrap_or_default();
    let name = percent_encoding::percent_decode_str(last).decode_utf8_lossy();
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    if name.is_empty() {
        url.host_str().unwrap_or("image").to_owned()
    } else {
        name
    }
}
