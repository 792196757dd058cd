//! Files that only their owner can read.

use std::io::{Error, Result, Write as _};
use std::path::Path;

/// Makes a folder, and what of its way is missing, for its owner only.
pub(crate) fn folder(path: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a whole file or nothing: aside first, then in place of the old one.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| Error::other("not a file"))?
        .to_string_lossy()
        .into_owned();
    let aside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&aside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    written
}

/// Why somebody else could read it, if so.
#[cfg(unix)]
pub(crate) fn exposed(path: &Path) -> Result<Option<&'static str>> {
    use std::os::unix::fs::MetadataExt as _;

    let facts = std::fs::metadata(path)?;
    Ok(if facts.mode() & 0o077 != 0 {
        Some(match facts.is_dir() {
            true => "others can look into it; chmod 700 it",
            false => "others can read it; chmod 600 it",
        })
    } else if facts.uid() != rustix::process::geteuid().as_raw() {
        Some("it belongs to somebody else")
    } else {
        None
    })
}

#[cfg(not(unix))]
pub(crate) fn exposed(path: &Path) -> Result<Option<&'static str>> {
    std::fs::metadata(path).map(|_| None)
}
