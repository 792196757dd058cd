//! Bytes on their way into the cache, and the images that people have pushed there.
//!
//! Whatever comes in is written as it comes, with a bound and a hash; where the writing stops half-way, nothing stays. An image that was pushed lies in the store until
//! it is deleted, also when no slot holds it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use tokio::io::AsyncWriteExt;

use super::file_of;
use crate::app::HawkFish;
use crate::ctx::Ctx;
use crate::db::Tx;
use crate::error::{Conflict, Error, ErrorKind, Result};
use crate::events::Subject;
use crate::id::ImageId;
use crate::logs::What;

/// A file that is being written. Dropped before [`Storing::finish`], it is gone.
#[derive(Debug)]
pub struct Storing {
    part: Part,
    file: tokio::fs::File,
    cache: PathBuf,
    hash: Sha256,
    taken: u64,
    most: u64,
    /// Keeps the cache from being cleaned meanwhile.
    busy: Arc<()>,
}

/// A file that was written.
#[derive(Debug)]
pub struct Stored {
    /// Where it lies.
    pub path: PathBuf,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    #[expect(dead_code, reason = "held, not read")]
    busy: Arc<()>,
}

/// A file under way, gone with what made it unless that finished.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // What was finished has another name already.
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Storing {
    /// Begins a file in `cache`. `unique` keeps two of them apart while they are written.
    pub(super) async fn begin(
        cache: &Path,
        unique: &str,
        most: u64,
        busy: &Arc<()>,
    ) -> Result<Self> {
        let part = Part(cache.join(format!("{unique}.part")));
        let file = tokio::fs::File::create(&part.0).await.map_err(failed)?;
        Ok(Self {
            part,
            file,
            cache: cache.to_owned(),
            hash: Sha256::new(),
            taken: 0,
            most,
            busy: Arc::clone(busy),
        })
    }

    /// How much was written.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Writes on.
    ///
    /// # Errors
    /// `LimitExceeded` when it would become too large; `Internal` when it cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.taken += bytes.len() as u64;
        if self.taken > self.most {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "bytes" },
                format!("It is larger than the {} bytes allowed.", self.most),
            ));
        }
        self.hash.update(bytes);
        self.file.write_all(bytes).await.map_err(failed)
    }

    /// Ends the file and gives it its name: its SHA-256 and that ending, so that the same bytes lie there once.
    ///
    /// # Errors
    /// `Internal` when it cannot be written.
    pub async fn finish(mut self, ending: &str) -> Result<Stored> {
        self.file.flush().await.map_err(failed)?;
        self.file.sync_all().await.map_err(failed)?;
        let sha256 = hex::encode(self.hash.finalize_reset());
        let path = self.cache.join(format!("{sha256}.{ending}"));
        tokio::fs::rename(&self.part.0, &path)
            .await
            .map_err(failed)?;
        Ok(Stored {
            path,
            sha256,
            bytes: self.taken,
            busy: Arc::clone(&self.busy),
        })
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::internal("What came in could not be written to the cache.").caused_by(error)
}

/// An image in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The beginning of its SHA-256.
    pub id: ImageId,
    /// What its owner called it. Any text.
    pub name: String,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Where it lies.
    pub path: PathBuf,
    /// When it was pushed.
    pub at: Timestamp,
}

/// All of them, in memory.
pub(super) type Images = Mutex<BTreeMap<ImageId, Arc<Image>>>;

impl HawkFish {
    /// Whether there is a place for images that are pushed: without a data directory there is none.
    #[must_use]
    pub fn can_store(&self) -> bool {
        !self.inner.media.cache.as_os_str().is_empty()
    }

    /// Most bytes of an image.
    #[must_use]
    pub fn most_image_bytes(&self) -> u64 {
        self.inner.media.settings.max_bytes
    }

    /// Most bytes of all images in the store.
    #[must_use]
    pub fn image_store_bytes(&self) -> u64 {
        self.inner.media.settings.store_bytes
    }

    /// Begins to take in a file of at most so many bytes.
    ///
    /// # Errors
    /// `Unsupported` where there is no place for it; `Internal` when it cannot be written.
    pub async fn take_in_file(&self, most: u64) -> Result<Storing> {
        if !self.can_store() {
            return Err(Error::unsupported(
                "Taking in files without a data directory",
            ));
        }
        let media = &self.inner.media;
        let unique = format!("upload-{}", self.entropy().uuid());
        Storing::begin(&media.cache, &unique, most, &media.busy).await
    }

    /// The images in the store, ordered by id.
    #[must_use]
    pub fn images(&self) -> Vec<Arc<Image>> {
        let images = self.inner.media.images.lock().expect("images");
        images.values().cloned().collect()
    }

    /// An image in the store.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn image(&self, id: &ImageId) -> Result<Arc<Image>> {
        let images = self.inner.media.images.lock().expect("images");
        images
            .get(id)
            .cloned()
            .ok_or_else(|| Error::not_found("SoftwareInventory", id.as_str()))
    }

    /// Puts a file that was taken in into the store, under the name that its owner gave it. The same bytes are one image.
    ///
    /// # Errors
    /// `LimitExceeded` when the store is full; `Internal` when the store fails.
    pub async fn keep_image(&self, stored: Stored, name: &str) -> Result<Arc<Image>> {
        let id = ImageId::parse(&stored.sha256[..16])?;
        if let Ok(known) = self.image(&id) {
            return Ok(known);
        }
        let media = &self.inner.media;
        let held: u64 = self.images().iter().map(|image| image.bytes).sum();
        if held.saturating_add(stored.bytes) > media.settings.store_bytes {
            let _ = tokio::fs::remove_file(&stored.path).await;
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "bytes" },
                "The image store is full; delete images that are not needed.",
            ));
        }
        let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
        let image = Arc::new(Image {
            id: id.clone(),
            name: if name.is_empty() {
                id.to_string()
            } else {
                name
            },
            sha256: stored.sha256.clone(),
            bytes: stored.bytes,
            path: stored.path.clone(),
            at: self.clock().now(),
        });
        let (row, media) = (Arc::clone(&image), Arc::clone(media));
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    put(tx, &row).await?;
                    tx.happened(Subject::Image(row.id.clone()), What::Created.at(row.at));
                    tx.after_commit(move || {
                        let mut images = media.images.lock().expect("images");
                        images.insert(row.id.clone(), row);
                    });
                    Ok(())
                })
            })
            .await?;
        drop(stored);
        Ok(image)
    }

    /// Deletes an image from the store.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::InUse` while a slot holds it.
    pub async fn delete_image(&self, id: &ImageId) -> Result<()> {
        let image = self.image(id)?;
        let service = Ctx::service();
        let mut systems = self.inner.inventory.each_altered(&service);
        let is_used = systems.any(|system| {
            let mut slots = system
                .machine
                .slots
                .iter()
                .filter_map(|s| s.medium.as_ref());
            slots.any(|medium| file_of(&medium.source).as_ref() == Some(&image.path))
        });
        if is_used {
            return Err(Error::conflict(
                Conflict::InUse,
                "The image is in a slot of a system; eject it first.",
            ));
        }
        let (row, media) = (id.clone(), Arc::clone(&self.inner.media));
        let event = What::Removed.at(self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    remove(tx, &row).await?;
                    tx.happened(Subject::Image(row.clone()), event);
                    tx.after_commit(move || {
                        media.images.lock().expect("images").remove(&row);
                    });
                    Ok(())
                })
            })
            .await?;
        self.prune_images().await
    }

    /// Recalls what is in the store; a file that is gone meanwhile is not.
    pub(crate) async fn recall_images(&self) -> Result<()> {
        let images = self
            .store()
            .read(|conn| Box::pin(async move { load(conn).await }))
            .await?;
        let mut known = self.inner.media.images.lock().expect("images");
        for image in images {
            if image.path.is_file() {
                known.insert(image.id.clone(), Arc::new(image));
            }
        }
        Ok(())
    }
}

async fn put(tx: &mut Tx, image: &Image) -> Result<()> {
    sqlx::query("INSERT OR REPLACE INTO hf_images (id, image) VALUES ($1, $2)")
        .bind(image.id.as_str())
        .bind(serde_json::to_string(image)?)
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn remove(tx: &mut Tx, id: &ImageId) -> Result<()> {
    sqlx::query("DELETE FROM hf_images WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

async fn load(conn: &mut SqliteConnection) -> Result<Vec<Image>> {
    let rows = sqlx::query("SELECT image FROM hf_images ORDER BY id")
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| Ok(serde_json::from_str(row.try_get("image")?)?))
        .collect()
}
