//! The one list of typed identifiers.
//!
//! An identifier is what stands in a URI and in a row: 1 to 128 characters of `A-Z a-z 0-9 . _ -`, not starting with a dot. It can
//! therefore never climb out of a folder, need escaping in a URI (DSP0266, "Resource URIs"), or be mistaken for markup.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Longest identifier, in characters.
pub const MAX_LEN: usize = 128;

fn is_safe(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_LEN
        && !text.starts_with('.')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes a text as an identifier.
            ///
            /// # Errors
            /// `NotFound` when the text is no identifier: nothing can be known by such a name.
            pub fn parse(text: &str) -> Result<Self> {
                if is_safe(text) { Ok(Self(text.to_owned())) } else { Err(Error::not_found($what, text)) }
            }

            /// The text of the identifier.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::parse(text)
            }
        }
    )*};
}

ids! {
    /// A system: the UUID of its machine, so that it survives restarts and moves between hosts.
    SystemId, "ComputerSystem";
    /// A host: where machines live, a libvirt connection or a simulated rack.
    HostId, "Host";
    /// A project: who may see a system.
    ProjectId, "Project";
    /// An account, by its number in the account collection.
    AccountId, "ManagerAccount";
    /// A role, predefined or custom.
    RoleId, "Role";
    /// A session.
    SessionId, "Session";
    /// A task.
    TaskId, "Task";
    /// A virtual media slot of a system, `Cd` or `Usb`.
    SlotId, "VirtualMedia";
    /// A boot option of a system, such as `Boot0001`.
    BootOptionId, "BootOption";
    /// A job.
    JobId, "Job";
    /// A definition of what is to be reported, and the report that it makes.
    ReportId, "MetricReportDefinition";
    /// Where events are sent.
    SubscriptionId, "EventDestination";
    /// A request, for logs, audit and traces.
    RequestId, "Request";
    /// An image in the store.
    ImageId, "SoftwareInventory";
    /// A disk that HawkFish made, wherever it hangs. It is its serial number, too.
    DiskToken, "Volume";
}

/// The number that an identifier is: there is one way to write it, so that nothing has two names.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

impl ProjectId {
    /// The project of everything that was not put into another.
    #[must_use]
    pub fn default_project() -> Self {
        Self("default".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_way_to_write_a_number() {
        assert_eq!(number("10"), Some(10));
        for other in ["010", "+10", " 10", "10 ", "-1", "", "1e1"] {
            assert_eq!(number(other), None, "{other:?}");
        }
    }

    #[test]
    fn an_identifier_never_climbs_out_of_a_folder() {
        for bad in [
            "", ".", "..", "../x", "a/b", "a\\b", "a b", "a%2e", "ä", "a\0", "<x/>", ".hidden",
        ] {
            assert!(SystemId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(SystemId::parse(&"x".repeat(MAX_LEN + 1)).is_err());
        assert_eq!(SystemId::parse("a-1_b.C").unwrap().as_str(), "a-1_b.C");
    }
}
