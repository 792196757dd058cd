//! What an operator can choose about the door: who may come in, from where, and how the service is found.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{Found, SettingsError, list, parsed, text, wrong};
use crate::layers::{Allowed, Origins};
use crate::tls::{ClientAuthorities, NameIn};

/// The settings of the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// Whose web pages may talk to the service.
    pub origins: Origins,
    /// Whether PATCH and DELETE must say what they were made for.
    pub require_if_match: bool,
    /// Where plain HTTP is answered with the way to https.
    pub http_redirect: Option<SocketAddr>,
    /// Whose certificates tell who a client is, and how.
    pub clients: Option<ClientAuthorities>,
    /// Whether the service can be found by SSDP.
    pub ssdp: bool,
}

impl Door {
    pub(super) fn of(found: &Found) -> Result<Self, SettingsError> {
        let origin = |text: String| {
            text.parse::<Allowed>()
                .map_err(|error| wrong(found, "cors-origin", &error.to_string()))
        };
        let optional = match text(found, "client-certificates", "optional") {
            "optional" => true,
            "required" => false,
            _ => {
                let reason = "it is neither optional nor required";
                return Err(wrong(found, "client-certificates", reason));
            }
        };
        let name_in = match text(found, "client-name-in", "CommonName") {
            "CommonName" => NameIn::CommonName,
            "UserPrincipalName" => NameIn::UserPrincipalName,
            _ => {
                let reason = "it is neither CommonName nor UserPrincipalName";
                return Err(wrong(found, "client-name-in", reason));
            }
        };
        let files: Vec<PathBuf> = list(found, "client-ca", &[])
            .into_iter()
            .map(Into::into)
            .collect();
        let plain = text(found, "tls", "self-signed") == "off";
        for name in ["client-certificates", "client-name-in"] {
            if found.contains_key(name) && files.is_empty() {
                return Err(wrong(found, name, "there is no client-ca"));
            }
        }
        for name in ["client-ca", "http-redirect"] {
            if found.contains_key(name) && plain {
                return Err(wrong(found, name, "tls is off"));
            }
        }
        Ok(Self {
            origins: list(found, "cors-origin", &[])
                .into_iter()
                .map(origin)
                .collect::<Result<_, _>>()?,
            require_if_match: yes_or_no(found, "require-if-match")?,
            http_redirect: match found.contains_key("http-redirect") {
                true => Some(parsed(
                    found,
                    "http-redirect",
                    "",
                    "it is no address and port",
                )?),
                false => None,
            },
            clients: (!files.is_empty()).then_some(ClientAuthorities {
                files,
                optional,
                name_in,
            }),
            ssdp: yes_or_no(found, "ssdp")?,
        })
    }
}

fn yes_or_no(found: &Found, name: &str) -> Result<bool, SettingsError> {
    match text(found, name, "no") {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(wrong(found, name, "it is neither yes nor no")),
    }
}

#[cfg(test)]
mod tests {
    use crate::settings::{Settings, SettingsError};

    fn read(flags: &[&str]) -> Result<Settings, SettingsError> {
        let flags = std::iter::once(&"hawkfish-server").chain(flags);
        Settings::read(flags.copied(), [])
    }

    #[test]
    fn nothing_is_opened_unless_it_is_asked_for() {
        let door = read(&[]).unwrap().door;
        assert_eq!(door.origins, crate::layers::Origins::default());
        assert!(!door.require_if_match && !door.ssdp);
        assert_eq!((door.http_redirect, door.clients), (None, None));
    }

    #[test]
    fn what_does_not_fit_together_is_refused_by_name() {
        for (flags, name) in [
            (&["--cors-origin", "ui.example"][..], "cors-origin"),
            (&["--require-if-match", "maybe"], "require-if-match"),
            (&["--http-redirect", "80"], "http-redirect"),
            (
                &["--http-redirect", "127.0.0.1:80", "--tls", "off"],
                "http-redirect",
            ),
            (
                &["--client-certificates", "required"],
                "client-certificates",
            ),
            (
                &["--client-ca", "x", "--client-name-in", "DNS"],
                "client-name-in",
            ),
            (&["--client-ca", "x", "--tls", "off"], "client-ca"),
            (&["--ssdp", "on"], "ssdp"),
        ] {
            let told = read(flags).unwrap_err().to_string();
            assert!(told.starts_with(&format!("--{name}: ")), "{told}");
        }
    }
}
