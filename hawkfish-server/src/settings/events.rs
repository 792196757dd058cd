//! What an operator can choose about events: where they may be sent, how many are kept, how many may want them.

use std::path::PathBuf;

use hawkfish_core::outgoing::Rule;

use super::{Found, SettingsError, list, parsed, rules, wrong};

/// The settings of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// Addresses to send to although they would be refused.
    pub allow: Vec<Rule>,
    /// Addresses never to send to.
    pub deny: Vec<Rule>,
    /// Authorities to trust when sending, PEM files.
    pub authorities: Vec<PathBuf>,
    /// How many events are kept for destinations that are behind.
    pub kept: u64,
    /// Most subscriptions.
    pub most_subscriptions: usize,
}

impl Events {
    pub(super) fn of(found: &Found) -> Result<Self, SettingsError> {
        Ok(Self {
            allow: rules(found, "event-allow")?,
            deny: rules(found, "event-deny")?,
            authorities: list(found, "event-ca", &[])
                .into_iter()
                .map(Into::into)
                .collect(),
            kept: match parsed(found, "events-kept", "100000", "it is no number")? {
                kept @ 1_000..=100_000_000 => kept,
                _ => {
                    let reason = "it is not from 1000 to 100000000";
                    return Err(wrong(found, "events-kept", reason));
                }
            },
            most_subscriptions: match parsed(found, "max-subscriptions", "1000", "it is no number")?
            {
                most @ 1..=100_000 => most,
                _ => {
                    let reason = "it is not from 1 to 100000";
                    return Err(wrong(found, "max-subscriptions", reason));
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn what_cannot_be_taken_is_refused_by_name() {
        for (flag, value) in [
            ("--event-allow", "not a host"),
            ("--event-deny", "10.0.0.0/99"),
            ("--events-kept", "0"),
            ("--events-kept", "many"),
            ("--max-subscriptions", "0"),
        ] {
            let told = Settings::read(["hawkfish-server", flag, value], [])
                .unwrap_err()
                .to_string();
            assert!(told.starts_with(&format!("{flag}: ")), "{told}");
        }
    }

    #[test]
    fn addresses_are_allowed_and_denied_one_by_one() {
        let flags = [
            "--event-allow",
            "127.0.0.1",
            "--event-allow",
            "::1",
            "--event-deny",
            "10.0.0.0/8",
            "--events-kept",
            "5000",
        ];
        let flags = std::iter::once("hawkfish-server").chain(flags);
        let events = Settings::read(flags, []).unwrap().events;
        assert_eq!((events.allow.len(), events.deny.len()), (2, 1));
        assert_eq!((events.kept, events.most_subscriptions), (5000, 1000));
    }
}
