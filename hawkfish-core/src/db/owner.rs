//! Whose the data directory is: one process at a time, and one user.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Conflict, Error, Result};

/// An advisory lock on the data directory. It ends with the process, however that ends.
#[derive(Debug)]
pub(super) struct Ownership {
    _file: File,
}

impl Ownership {
    pub(super) fn take(dir: &Path) -> Result<Self> {
        let failed = |what: &'static str| {
            move |e: std::io::Error| {
                Error::internal(what)
                    .caused_by(e)
                    .with("data_dir", dir.display())
            }
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed("The data directory could not be made."))?;
        let file = private(&dir.join("hawkfish.lock"))
            .map_err(failed("The data directory cannot be written."))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::conflict(
                Conflict::InUse,
                format!(
                    "The data directory {} is in use by another HawkFish.",
                    dir.display()
                ),
            )),
            Err(TryLockError::Error(e)) => {
                Err(failed("The data directory could not be locked.")(e))
            }
        }
    }
}

/// The path of the database, which is made here so that nobody else can ever read the password hashes in it. SQLite gives its log the same mode.
pub(super) fn database(dir: &Path) -> Result<PathBuf> {
    let path = dir.join(super::DATABASE);
    private(&path)
        .and_then(|_| fs::set_permissions(&path, Permissions::from_mode(0o600)))
        .map_err(|e| {
            Error::internal("The database file could not be made.")
                .caused_by(e)
                .with("path", path.display())
        })?;
    Ok(path)
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
