//! What a walk found, as files in the layout of DMTF's mockups: a folder for each part of a URI, and in it `index.json`.
//!
//! A URI is a string of the service, and could be made to lead out of the folder. So each part becomes a name of harmless characters before it is used, and no
//! file is ever written over.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::output::{Output, warn};

/// What stands in a folder beside the folders below it.
const INDEX: &str = "index.json";
/// Most bytes of a name; file systems have 255.
const MOST_NAME: usize = 200;
/// Most parts of a URI.
const MOST_PARTS: usize = 40;

#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    kept: u64,
    refused: u64,
}

impl Folder {
    /// A folder that is not there yet, or empty.
    pub(super) fn new(dir: &Path) -> Result<Self> {
        let wrong = |error: std::io::Error| Failure::Usage(format!("{}: {error}", dir.display()));
        std::fs::create_dir_all(dir).map_err(wrong)?;
        if std::fs::read_dir(dir).map_err(wrong)?.next().is_some() {
            let why = format!("{}: something stands in it already", dir.display());
            return Err(Failure::Usage(why));
        }
        Ok(Self {
            dir: dir.to_owned(),
            kept: 0,
            refused: 0,
        })
    }

    pub(super) fn keep(&mut self, uri: &str, value: &Value) -> Result<()> {
        let Some(place) = place(uri) else {
            self.refused += 1;
            warn(&format!("{uri}: not saved: no place in a folder"));
            return Ok(());
        };
        let wrong =
            |error: std::io::Error| Failure::Usage(format!("{}: {error}", self.dir.display()));
        let folder = self.dir.join(place);
        std::fs::create_dir_all(&folder).map_err(wrong)?;
        let mut file = match std::fs::File::create_new(folder.join(INDEX)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                self.refused += 1;
                warn(&format!("{uri}: not saved: its place is taken"));
                return Ok(());
            }
            Err(error) => return Err(wrong(error)),
        };
        let text = format!("{value:#}\n");
        file.write_all(text.as_bytes()).map_err(wrong)?;
        self.kept += 1;
        Ok(())
    }

    pub(super) fn done(self, output: &Output, found: u64, missing: u64) -> Result<()> {
        if missing > 0 {
            warn(&format!("{missing} links lead nowhere"));
        }
        output.line(&format!(
            "{}: {} of {found} resources saved",
            self.dir.display(),
            self.kept
        ))?;
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::Output(std::io::Error::other(format!(
                "{refused} resources have no place in a folder"
            )))),
        }
    }
}

/// Where a resource lies: a relative path without a step up, whatever the URI is. `None` where it is too long to be told from others.
fn place(uri: &str) -> Option<PathBuf> {
    let parts = uri.split('/').filter(|part| !part.is_empty());
    let parts: Vec<String> = parts.map(safe).collect();
    let fits = !parts.is_empty()
        && parts.len() <= MOST_PARTS
        && parts.iter().all(|part| part.len() <= MOST_NAME);
    fits.then(|| parts.iter().collect())
}

/// A name that means nothing to any file system but itself.
fn safe(part: &str) -> String {
    let mut name = String::new();
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => name.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b'$' | b':' | b'@' | b'+' | b',' | b'=' | b'(' | b')'
            | b'%' | b'!' | b';' => name.push(char::from(byte)),
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.chars().all(|c| c == '.') || name == INDEX {
        name = name.replace('.', "%2E");
    }
    name
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use super::*;

    #[test]
    fn a_resource_lies_where_the_mockup_has_it() {
        let place = place("/redfish/v1/Chassis/1/Drives/Disk.Bay.0:Enclosure.0-1/").unwrap();
        assert_eq!(
            place,
            Path::new("redfish/v1/Chassis/1/Drives/Disk.Bay.0:Enclosure.0-1")
        );
    }

    #[test]
    fn no_uri_leads_out_of_the_folder() {
        for uri in [
            "/redfish/../../etc/passwd",
            "/redfish/v1/./x",
            "/redfish/v1/a\\..\\b",
            "/redfish/v1//x",
            "/redfish/v1/index.json",
            "/redfish/v1/a\0b",
            "/redfish/v1/C:/x?y=../../z",
            "/…/\u{202e}",
        ] {
            let place = place(uri).unwrap();
            assert!(
                place
                    .components()
                    .all(|part| matches!(part, Component::Normal(_))),
                "{uri}: {}",
                place.display()
            );
            let text = place.to_str().unwrap();
            assert!(
                !text.contains(['\\', '\0', '?']) && !text.ends_with(INDEX),
                "{uri}"
            );
        }
        assert_eq!(place(&format!("/{}", "x".repeat(300))), None);
        assert_eq!(place(&"/x".repeat(50)), None);
        assert_eq!(place("/"), None);
    }
}
