//! What the firmware of a machine is set to, and can be set to: plain facts, and the values in which changes are wanted.
//!
//! A setting stands for something that the machine truly has: a boot mode, a timer, what its watchdog does. A machine tells of those that it can have and
//! of no others.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $member:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* $member,)*
        }

        impl $name {
            /// All, in order.
            pub const ALL: &[Self] = &[$(Self::$member,)*];

            /// Its name.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$member => stringify!($member),)*
                }
            }

            /// The one of that name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

named! {
    /// Something that can be set.
    Knob {
        /// The firmware that starts the machine.
        BootMode,
        /// Whether UEFI starts only what is signed.
        SecureBoot,
        /// How many processors the guest is given, of those that the machine has.
        ProcessorsEnabled,
        /// Whether the guest can run machines of its own by the processor's means.
        NestedVirtualization,
        /// A high precision event timer.
        Hpet,
        /// Sleep with memory kept (ACPI S3).
        AcpiS3,
        /// In what time the clock runs.
        RealTimeClock,
        /// A menu of boot devices.
        BootMenu,
        /// How long that menu waits, milliseconds; 0 leaves it to the firmware.
        BootMenuTimeout,
        /// How long a PC BIOS waits before it tries again when there is nothing to boot, milliseconds; -1 is for ever.
        RebootTimeout,
        /// A PC BIOS shows on the first serial port what it shows on the screen.
        SerialRedirection,
        /// What happens when the watchdog is not fed.
        WatchdogAction,
    }
}

named! {
    /// A value that is a word.
    Word {
        /// As the hypervisor does by itself.
        Auto,
        /// It is on.
        Enabled,
        /// It is off.
        Disabled,
        /// PC BIOS.
        Legacy,
        /// UEFI.
        Uefi,
        /// Coordinated universal time.
        Utc,
        /// The time of the host's place.
        LocalTime,
        /// Nothing but saying so.
        None,
        /// The machine is reset.
        Reset,
        /// The machine is switched off.
        PowerOff,
        /// The guest is asked to shut down.
        Shutdown,
        /// The machine's processors are stopped.
        Pause,
        /// A non-maskable interrupt.
        Nmi,
        /// The machine's memory is written to a file.
        Dump,
    }
}

/// The value of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum KnobValue {
    /// A number.
    Number(i64),
    /// A word.
    Word(Word),
}

impl KnobValue {
    /// `Enabled` or `Disabled`.
    #[must_use]
    pub fn switch(on: bool) -> Self {
        Self::Word(if on { Word::Enabled } else { Word::Disabled })
    }
}

impl fmt::Display for KnobValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Word(word) => word.fmt(f),
        }
    }
}

/// A set of words.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Words(u32);

impl Words {
    /// Whether it is one of them.
    #[must_use]
    pub fn contains(self, word: Word) -> bool {
        self.0 & (1 << word as u32) != 0
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Word> {
        Word::ALL
            .iter()
            .copied()
            .filter(move |word| self.contains(*word))
    }
}

impl FromIterator<Word> for Words {
    fn from_iter<T: IntoIterator<Item = Word>>(words: T) -> Self {
        Self(
            words
                .into_iter()
                .fold(0, |set, word| set | 1 << word as u32),
        )
    }
}

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Takes {
    /// One of these.
    Words(Words),
    /// A whole number from the one to the other.
    Numbers(i64, i64),
}

impl Takes {
    /// One of these words.
    #[must_use]
    pub fn words(words: &[Word]) -> Self {
        Self::Words(words.iter().copied().collect())
    }

    /// `Enabled` or `Disabled`.
    #[must_use]
    pub fn switch() -> Self {
        Self::words(&[Word::Enabled, Word::Disabled])
    }

    /// Whether it takes this value.
    #[must_use]
    pub fn allows(self, value: KnobValue) -> bool {
        match (self, value) {
            (Self::Words(words), KnobValue::Word(word)) => words.contains(word),
            (Self::Numbers(least, most), KnobValue::Number(number)) => {
                (least..=most).contains(&number)
            }
            _ => false,
        }
    }

    /// Whether it takes only one value, which so cannot be changed.
    #[must_use]
    pub fn is_fixed(self) -> bool {
        match self {
            Self::Words(words) => words.0.count_ones() <= 1,
            Self::Numbers(least, most) => least == most,
        }
    }
}

/// A setting of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Setting {
    /// What it sets.
    #[serde(rename = "k")]
    pub knob: Knob,
    /// What holds of the machine as it runs, or as it would start if it is off.
    #[serde(rename = "v")]
    pub now: KnobValue,
    /// What holds from its next cold start on.
    #[serde(rename = "n")]
    pub next: KnobValue,
    /// What it was before anybody changed it through HawkFish.
    #[serde(rename = "d")]
    pub default: KnobValue,
    /// What it can be set to.
    #[serde(rename = "t")]
    pub takes: Takes,
}

/// The firmware of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Firmware {
    /// What can be set, in the order of [`Knob::ALL`]. What this machine does not have is not in it.
    pub settings: Vec<Setting>,
    /// The keys of secure boot, where they can be read. They are not kept.
    #[serde(skip)]
    pub keys: Option<Arc<Keys>>,
}

/// The keys of secure boot, by the name of their database: `PK`, `KEK`, `db`, `dbx`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// What is in each.
    pub databases: BTreeMap<String, Vec<Key>>,
}

/// Something that a database of secure boot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What it is.
    pub kind: KeyKind,
    /// Who put it there.
    pub owner: Uuid,
    /// The thing itself: a certificate in DER, a digest, a modulus.
    pub data: Arc<[u8]>,
}

/// What a database of secure boot can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A certificate.
    X509,
    /// The SHA-256 digest of a program.
    Sha256,
    /// A public key of RSA with 2048 bits.
    Rsa2048,
    /// Something else, by the type that the UEFI specification gives it.
    Other(Uuid),
}

impl Firmware {
    /// One setting, if the machine has it.
    #[must_use]
    pub fn setting(&self, knob: Knob) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.knob == knob)
    }

    /// What holds now.
    #[must_use]
    pub fn now(&self) -> BTreeMap<Knob, KnobValue> {
        self.settings.iter().map(|s| (s.knob, s.now)).collect()
    }

    /// What holds from the next cold start on.
    #[must_use]
    pub fn next(&self) -> BTreeMap<Knob, KnobValue> {
        self.settings.iter().map(|s| (s.knob, s.next)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_kept_in_few_words_and_read_back() {
        let setting = Setting {
            knob: Knob::Hpet,
            now: KnobValue::switch(true),
            next: KnobValue::switch(false),
            default: KnobValue::switch(true),
            takes: Takes::switch(),
        };
        let kept = serde_json::to_string(&setting).unwrap();
        assert_eq!(
            kept,
            r#"{"k":"Hpet","v":"Enabled","n":"Disabled","d":"Enabled","t":{"Words":6}}"#
        );
        assert_eq!(serde_json::from_str::<Setting>(&kept).unwrap(), setting);
    }

    #[test]
    fn a_setting_takes_what_it_names_and_nothing_else() {
        let switch = Takes::switch();
        assert!(switch.allows(KnobValue::Word(Word::Enabled)));
        assert!(!switch.allows(KnobValue::Word(Word::Auto)));
        assert!(!switch.allows(KnobValue::Number(1)));
        let number = Takes::Numbers(-1, 10);
        assert!(number.allows(KnobValue::Number(-1)) && number.allows(KnobValue::Number(10)));
        assert!(!number.allows(KnobValue::Number(11)));
        assert!(!number.allows(KnobValue::Word(Word::None)));
        assert!(Takes::words(&[Word::Uefi]).is_fixed() && !switch.is_fixed());
    }
}
