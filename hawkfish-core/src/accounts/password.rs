//! Passwords: how they are hashed, and how the right one is found again without hashing.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use crate::entropy::Entropy;
use crate::error::{Error, Result};
use crate::id::AccountId;

/// What a guess at a password costs: the parameters of argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl HashCost {
    /// The least there is: for tests and simulations, whose passwords are no secrets.
    pub const LEAST: Self = Self {
        memory_kib: 8,
        passes: 1,
        lanes: 1,
    };
}

impl Default for HashCost {
    /// 19 MiB and two passes, as OWASP recommends.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

/// A hashed password, as a PHC string.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hashed(pub(super) Arc<str>);

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashed")
    }
}

/// Hashes and verifies, a few at a time, and remembers what was right.
pub(super) struct Hasher {
    entropy: Arc<dyn Entropy>,
    cost: Params,
    /// What a password for nobody is compared with, so that it takes as long.
    nobody: Hashed,
    permits: Semaphore,
    /// A key that only this process has.
    key: [u8; 32],
    right: Mutex<HashMap<AccountId, [u8; 32]>>,
}

impl Hasher {
    pub(super) fn new(entropy: Arc<dyn Entropy>, cost: HashCost) -> Result<Self> {
        let cost = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|e| {
            Error::internal("The cost of password hashes is out of range.").with("argon2", e)
        })?;
        let mut key = [0; 32];
        entropy.fill(&mut key);
        // Not the hash of anything: made without the time that a hash takes, which a start has not got.
        let mut random = [0; 32];
        entropy.fill(&mut random);
        let nobody = format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.m_cost(),
            cost.t_cost(),
            cost.p_cost(),
            salt(&*entropy)?,
            STANDARD_NO_PAD.encode(random),
        );
        let nobody = Hashed(nobody.into());
        // Each takes memory and a core.
        let most = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(4);
        Ok(Self {
            entropy,
            cost,
            nobody,
            permits: Semaphore::new(most),
            key,
            right: Mutex::default(),
        })
    }

    #[cfg(test)]
    pub(super) fn nobody(&self) -> &Hashed {
        &self.nobody
    }

    pub(super) async fn hash(&self, password: &str) -> Result<Hashed> {
        let salt = salt(&*self.entropy)?;
        let (cost, password) = (self.cost.clone(), password.to_owned());
        self.aside(move || hash(&cost, &salt, &password)).await?
    }

    /// Whether this is the password of an account, or of nobody: then it is not, after the same time.
    pub(super) async fn verify(
        &self,
        of: Option<(&AccountId, &Hashed)>,
        password: &str,
    ) -> Result<bool> {
        let digest = of.map(|(id, hashed)| (id, self.digest(hashed, password)));
        if let Some((id, digest)) = &digest {
            let right = self.right.lock().expect("cache").get(*id).copied();
            if right.is_some_and(|right| bool::from(right.ct_eq(digest))) {
                return Ok(true);
            }
        }
        let hashed = of.map_or_else(|| self.nobody.clone(), |(_, hashed)| hashed.clone());
        let password = password.to_owned();
        let right = self.aside(move || verify(&hashed, &password)).await??;
        match digest {
            Some((id, digest)) if right => {
                self.right.lock().expect("cache").insert(id.clone(), digest);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Forgets an account.
    pub(super) fn forget(&self, id: &AccountId) {
        self.right.lock().expect("cache").remove(id);
    }

    /// What is remembered of a password in place of the password. It contains the hash, so that a new password makes it worthless.
    fn digest(&self, hashed: &Hashed, password: &str) -> [u8; 32] {
        let inner = Sha256::new()
            .chain_update(self.key)
            .chain_update((hashed.0.len() as u64).to_le_bytes())
            .chain_update(hashed.0.as_bytes())
            .chain_update(password.as_bytes())
            .finalize();
        Sha256::new()
            .chain_update(self.key)
            .chain_update(inner)
            .finalize()
            .into()
    }

    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|e| Error::internal("Hashing has ended.").caused_by(e))?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|e| Error::internal("Hashing a password failed.").caused_by(e))
    }
}

fn salt(entropy: &dyn Entropy) -> Result<SaltString> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    SaltString::encode_b64(&bytes)
        .map_err(|e| Error::internal("A salt could not be made.").with("argon2", e))
}

fn hash(cost: &Params, salt: &SaltString, password: &str) -> Result<Hashed> {
    let hashed = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.clone())
        .hash_password(password.as_bytes(), salt)
        .map_err(|e| Error::internal("A password could not be hashed.").with("argon2", e))?;
    Ok(Hashed(hashed.to_string().into()))
}

fn verify(hashed: &Hashed, password: &str) -> Result<bool> {
    let parsed = PasswordHash::new(&hashed.0).map_err(|e| {
        Error::internal("A stored password hash could not be read.").with("argon2", e)
    })?;
    match Argon2::default().verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(e) => Err(Error::internal("A password could not be verified.").with("argon2", e)),
    }
}
