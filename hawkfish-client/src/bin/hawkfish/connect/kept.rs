//! Sessions that `hawkfish login` leaves open, for the commands after it: a file of the user's run-time folder, which goes when the user logs out
//! of the machine; where there is no such folder, the keyring.

use std::path::{Path, PathBuf};

use hawkfish_client::SessionInfo;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{keyring, private};
use crate::failure::{Failure, Result};

/// A session of one user at one service; sent to no other.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    pub(crate) origin: String,
    pub(crate) user: String,
    token: String,
    uri: Option<String>,
}

impl Kept {
    pub(crate) fn new(origin: &str, user: &str, session: SessionInfo) -> Self {
        Self {
            origin: origin.to_owned(),
            user: user.to_owned(),
            token: session.token,
            uri: session.uri,
        }
    }

    pub(crate) fn session(&self) -> SessionInfo {
        SessionInfo {
            token: self.token.clone(),
            uri: self.uri.clone(),
        }
    }

    /// Keeps it; gives the place in words.
    pub(crate) async fn keep(&self) -> Result<String> {
        let text = serde_json::to_string(self).map_err(std::io::Error::from)?;
        let no_folder = match folder() {
            Ok(folder) => {
                let failed = |error| Failure::Usage(format!("{}: {error}", folder.display()));
                private::folder(&folder).map_err(failed)?;
                let file = file(&folder, &self.origin, &self.user);
                private::write(&file, text.as_bytes()).map_err(failed)?;
                return Ok(folder.display().to_string());
            }
            Err(why) => why,
        };
        match keyring::set(account(&self.origin), text).await {
            Ok(()) => Ok("the keyring".into()),
            Err(no_keyring) => Err(Failure::Usage(format!(
                "there is no place to keep the session: {no_folder}; {no_keyring}. Set XDG_RUNTIME_DIR to a folder that only you can look into, \
                 or name user and password for each command (HAWKFISH_USERNAME, HAWKFISH_PASSWORD, --credentials-file)"
            ))),
        }
    }

    /// The session that is kept for a service; without a user that of the last log-in there.
    pub(crate) async fn find(origin: &str, user: Option<&str>) -> Result<Option<Self>> {
        let of_user =
            |kept: &Self| kept.origin == origin && user.is_none_or(|user| kept.user == user);
        match folder() {
            Ok(folder) => {
                let mut newest = None;
                let prefix = prefix(origin);
                for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                    if !entry.file_name().to_string_lossy().starts_with(&prefix) {
                        continue;
                    }
                    let path = entry.path();
                    let Some(kept) = read(&path)?.filter(of_user) else {
                        continue;
                    };
                    let at = entry.metadata().and_then(|facts| facts.modified()).ok();
                    if newest.as_ref().is_none_or(|(last, _)| *last < at) {
                        newest = Some((at, kept));
                    }
                }
                Ok(newest.map(|(_, kept)| kept))
            }
            Err(_) => {
                // Without a keyring there is none in it.
                let text = keyring::get(account(origin)).await.unwrap_or_default();
                Ok(text
                    .and_then(|text| serde_json::from_str(&text).ok())
                    .filter(of_user))
            }
        }
    }

    /// Forgets it here; the service is told elsewhere.
    pub(crate) async fn forget(&self) -> Result<()> {
        match folder() {
            Ok(folder) => {
                let file = file(&folder, &self.origin, &self.user);
                match std::fs::remove_file(&file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(Failure::Usage(format!("{}: {error}", file.display())))
                    }
                    _ => Ok(()),
                }
            }
            Err(_) => keyring::remove(account(&self.origin))
                .await
                .map(drop)
                .map_err(Failure::Usage),
        }
    }
}

fn read(path: &Path) -> Result<Option<Kept>> {
    let wrong = |why: &dyn std::fmt::Display| Failure::Usage(format!("{}: {why}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // Another command has just logged out.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(&error)),
    };
    match private::exposed(path) {
        Ok(None) => {}
        Ok(Some(why)) => return Err(wrong(&why)),
        Err(error) => return Err(wrong(&error)),
    }
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|_| wrong(&"no session of `hawkfish login`; remove it"))
}

/// In the user's run-time folder, or why not.
fn folder() -> std::result::Result<PathBuf, String> {
    let folder = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let folder = PathBuf::from(folder.ok_or("XDG_RUNTIME_DIR is not set")?);
    if !folder.is_absolute() {
        return Err("XDG_RUNTIME_DIR is not absolute".into());
    }
    match private::exposed(&folder) {
        Ok(None) => Ok(folder.join("hawkfish")),
        Ok(Some(why)) => Err(format!("{}: {why}", folder.display())),
        Err(error) => Err(format!("{}: {error}", folder.display())),
    }
}

fn file(folder: &Path, origin: &str, user: &str) -> PathBuf {
    folder.join(format!("{}{}.json", prefix(origin), short(user)))
}

fn prefix(origin: &str) -> String {
    format!("session-{}-", short(origin))
}

/// A name for a file from what may hold any character.
fn short(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn account(origin: &str) -> String {
    format!("session {origin}")
}
