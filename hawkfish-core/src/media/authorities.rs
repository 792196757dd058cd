//! Authorities that the servers of images may use, for one slot, beside those that count for all: a client brings that of its own image server.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::HawkFish;
use crate::certificates::{Bundle, Facts, malformed, pem};
use crate::ctx::Ctx;
use crate::db::{Store, Tx};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Subject;
use crate::id::{SlotId, SystemId};
use crate::inventory::System;
use crate::logs::What;

/// Most authorities of a slot.
pub const MOST_AUTHORITIES: usize = 16;

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its number.
    pub id: u64,
    /// Its certificate.
    pub der: Vec<u8>,
    /// What stands in that.
    pub facts: Facts,
}

type OfSlots = BTreeMap<(SystemId, SlotId), BTreeMap<u64, Arc<Authority>>>;

/// All of them, in memory.
#[derive(Debug, Default)]
pub(crate) struct Authorities(RwLock<OfSlots>);

impl Authorities {
    pub(crate) async fn open(store: &Store) -> Result<Arc<Self>> {
        let all = store.read(|conn| Box::pin(load(conn))).await?;
        Ok(Arc::new(Self(RwLock::new(all))))
    }

    fn of(&self, system: &SystemId, slot: &SlotId) -> Vec<Arc<Authority>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_slot = all.get(&(system.clone(), slot.clone()));
        of_slot
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    /// The slots of a system and the numbers of their authorities.
    fn of_system(&self, system: &SystemId) -> Vec<(SlotId, u64)> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let of_system = all.iter().filter(|((of, _), _)| of == system);
        of_system
            .flat_map(|((_, slot), known)| known.keys().map(|number| (slot.clone(), *number)))
            .collect()
    }

    fn change(&self, change: impl FnOnce(&mut OfSlots)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// The authorities of a slot, each as PEM.
    pub(super) fn pem(&self, system: &SystemId, slot: &SlotId) -> Vec<Arc<[u8]>> {
        let all = self.of(system, slot);
        all.iter()
            .map(|one| pem("CERTIFICATE", &one.der).into_bytes().into())
            .collect()
    }
}

async fn load(conn: &mut SqliteConnection) -> Result<OfSlots> {
    let rows = sqlx::query("SELECT system, slot, id, der FROM hf_media_authorities")
        .fetch_all(conn)
        .await?;
    let mut all = OfSlots::new();
    for row in rows {
        let id: i64 = row.try_get("id")?;
        let id = u64::try_from(id)
            .map_err(|error| Error::internal("A number is below zero.").caused_by(error))?;
        let der: Vec<u8> = row.try_get("der")?;
        let facts = Facts::of(&der)?;
        let system = SystemId::parse(row.try_get("system")?)?;
        let slot = SlotId::parse(row.try_get("slot")?)?;
        let authority = Arc::new(Authority { id, der, facts });
        all.entry((system, slot)).or_default().insert(id, authority);
    }
    Ok(all)
}

fn about(system: &SystemId, slot: &SlotId, number: u64) -> Subject {
    Subject::Authority {
        system: system.clone(),
        slot: slot.clone(),
        number,
    }
}

fn has_slot(system: &System, slot: &SlotId) -> Result<()> {
    match system.machine.slots.iter().any(|s| s.id == *slot) {
        true => Ok(()),
        false => Err(Error::not_found("VirtualMedia", slot.as_str())),
    }
}

impl HawkFish {
    /// The authorities that servers of images for a slot may use, the oldest first. From memory.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn media_authorities(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
    ) -> Result<Vec<Arc<Authority>>> {
        has_slot(&*self.system(ctx, id)?, slot)?;
        Ok(self.inner.authorities.of(id, slot))
    }

    /// Lets servers of images for a slot use an authority. One that they may use already is not added again.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` at `/CertificateString` when the text is not the certificate of an authority; `LimitExceeded`; `Internal` when the
    /// store fails.
    pub async fn add_media_authority(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
        text: &str,
    ) -> Result<Arc<Authority>> {
        has_slot(&*self.system(ctx, id)?, slot)?;
        let (der, facts) = Bundle::one_of_pem(text)?;
        // The client of `outgoing` must be able to use it, or every download would fail from now on.
        let usable = reqwest::Certificate::from_der(&der)
            .and_then(|one| reqwest::Client::builder().add_root_certificate(one).build());
        if let Err(error) = usable {
            return Err(malformed("It cannot be used to check others.").caused_by(error));
        }
        let _guard = self.lock(id).await;
        let known = self.inner.authorities.of(id, slot);
        if let Some(known) = known.iter().find(|known| known.der == der) {
            return Ok(known.clone());
        }
        if known.len() >= MOST_AUTHORITIES {
            let kind = ErrorKind::LimitExceeded {
                what: "certificates of authorities",
            };
            return Err(Error::new(kind, "A slot can have sixteen."));
        }
        let (authorities, key) = (self.inner.authorities.clone(), (id.clone(), slot.clone()));
        let event = What::Created.at(self.clock().now());
        let authority = self
            .store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    let id = tx.next_number("media_authorities").await?;
                    let authority = Arc::new(Authority { id, der, facts });
                    sqlx::query(
                        "INSERT INTO hf_media_authorities (system, slot, id, der) VALUES ($1, $2, $3, $4)",
                    )
                    .bind(key.0.as_str())
                    .bind(key.1.as_str())
                    .bind(i64::try_from(id).unwrap_or(i64::MAX))
                    .bind(&authority.der)
                    .execute(tx.conn())
                    .await?;
                    tx.happened(about(&key.0, &key.1, id), event);
                    let known = authority.clone();
                    tx.after_commit(move || {
                        authorities.change(|all| {
                            all.entry(key).or_default().insert(id, known);
                        });
                    });
                    Ok(authority)
                })
            })
            .await?;
        tracing::info!(system = %id, %slot, subject = authority.facts.subject.text, by = ?ctx.account(), "images may come from servers of another authority");
        Ok(authority)
    }

    /// No longer lets servers of images for a slot use an authority.
    ///
    /// # Errors
    /// `NotFound`; `Internal` when the store fails.
    pub async fn remove_media_authority(
        &self,
        ctx: &Ctx,
        id: &SystemId,
        slot: &SlotId,
        number: u64,
    ) -> Result<()> {
        let known = self.media_authorities(ctx, id, slot)?;
        if !known.iter().any(|known| known.id == number) {
            return Err(Error::not_found("Certificate", &number.to_string()));
        }
        let (authorities, key) = (self.inner.authorities.clone(), (id.clone(), slot.clone()));
        let event = What::Removed.at(self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    let done = sqlx::query(
                        "DELETE FROM hf_media_authorities WHERE system = $1 AND slot = $2 AND id = $3",
                    )
                    .bind(key.0.as_str())
                    .bind(key.1.as_str())
                    .bind(i64::try_from(number).unwrap_or(i64::MAX))
                    .execute(tx.conn())
                    .await?;
                    if done.rows_affected() > 0 {
                        tx.happened(about(&key.0, &key.1, number), event);
                    }
                    tx.after_commit(move || {
                        authorities.change(|all| {
                            all.entry(key).or_default().remove(&number);
                        });
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Makes the slots of a system check servers of images as they do when nobody has said otherwise.
    pub(crate) async fn default_slots(&self, id: &SystemId) -> Result<()> {
        let _guard = self.lock(id).await;
        let (authorities, row) = (self.inner.authorities.clone(), id.clone());
        let (hawkfish, now) = (self.clone(), self.clock().now());
        self.store()
            .write(move |tx: &mut Tx| {
                Box::pin(async move {
                    for (slot, number) in authorities.of_system(&row) {
                        tx.happened(about(&row, &slot, number), What::Removed.at(now));
                    }
                    let system = hawkfish.system(&Ctx::service(), &row).ok();
                    let verify = system.iter().flat_map(|system| &system.verify);
                    // Servers are checked where nothing is said.
                    for (slot, _) in verify.filter(|(_, verify)| !**verify) {
                        let about = Subject::Slot {
                            system: row.clone(),
                            slot: slot.clone(),
                        };
                        tx.happened(about, What::Changed.at(now));
                    }
                    for sql in [
                        "DELETE FROM hf_media_authorities WHERE system = $1",
                        "DELETE FROM hf_slots WHERE system = $1",
                    ] {
                        sqlx::query(sql)
                            .bind(row.as_str())
                            .execute(tx.conn())
                            .await?;
                    }
                    tx.after_commit(move || {
                        authorities.change(|all| all.retain(|(system, _), _| *system != row));
                        let inventory = &hawkfish.inner.inventory;
                        inventory.update(&row, |system| system.verify.clear());
                    });
                    Ok(())
                })
            })
            .await
    }
}
