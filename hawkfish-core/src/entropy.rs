//! Chance, handed in. Core never draws randomness itself.

use std::fmt;
use std::sync::Mutex;

use base64::Engine as _;
use rand_chacha::ChaCha12Rng;
use rand_core::{OsRng, RngCore, SeedableRng, TryRngCore};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A source of random bytes: the operating system's, or one that repeats itself for a seed.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// A random number.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A random UUID (version 4).
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// A secret of 256 random bits in 64 hexadecimal digits: what checks whether tokens are random (DSP0266, "Redfish session login authentication") reads those.
    fn token(&self) -> String {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// A password of 192 random bits in 32 characters that can be typed.
    fn password(&self) -> String {
        let mut bytes = [0; 24];
        self.fill(&mut bytes);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng
            .try_fill_bytes(bytes)
            .expect("the operating system gives random bytes");
    }
}

/// Randomness that is a function of a seed. Not for secrets of real use.
pub struct SeededEntropy(Mutex<ChaCha12Rng>);

impl SeededEntropy {
    /// The stream of `seed` named `stream`; streams of one seed are independent, so that one room drawing more does not shift another's.
    #[must_use]
    pub fn new(seed: u64, stream: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(seed.to_le_bytes());
        hash.update(stream.as_bytes());
        Self(Mutex::new(ChaCha12Rng::from_seed(hash.finalize().into())))
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeededEntropy")
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("entropy").fill_bytes(bytes);
    }
}
