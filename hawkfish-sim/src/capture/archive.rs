//! Archives: `.tar`, `.tar.gz` (`.tgz`) and `.tar.xz` (`.txz`). They are read in memory and never unpacked to disk.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use tar::{Archive, EntryType};

use super::read::{Held, Listed};
use super::{Bounds, Error, Finding, Flaw};

type Opener = fn(BufReader<File>) -> Box<dyn Read>;

fn opener(path: &Path) -> Option<Opener> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&[".tar"]) {
        Some(|file| Box::new(file))
    } else if ends(&[".tar.gz", ".tgz"]) {
        Some(|file| Box::new(MultiGzDecoder::new(file)))
    } else if ends(&[".tar.xz", ".txz"]) {
        Some(|file| Box::new(XzReader::new(file, true)))
    } else {
        None
    }
}

/// The files of an archive.
pub(super) fn list(
    path: &Path,
    bounds: &Bounds,
    findings: &mut Vec<Finding>,
) -> Result<Vec<Listed>, Error> {
    let opener = opener(path).ok_or_else(|| Error::NotACapture {
        path: path.to_owned(),
        why: "neither a folder nor .tar, .tar.gz or .tar.xz".to_owned(),
    })?;
    let file = File::open(path).map_err(Error::io(path))?;
    // Whatever the archive says of its sizes, no more than this comes out of it. Headers take their part, too.
    let most = bounds
        .bytes
        .saturating_add(2048 * u64::try_from(bounds.files).unwrap_or(u64::MAX));
    let mut archive = Archive::new(opener(BufReader::new(file)).take(most));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(Error::io(path))? {
        let mut entry = entry.map_err(Error::io(path))?;
        let kind = entry.header().entry_type();
        let inside = entry.path().map_err(Error::io(path))?.into_owned();
        if matches!(
            kind,
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader
        ) {
            continue;
        }
        let mut leave_out = |why: &str| {
            findings.push(Finding {
                at: inside.display().to_string(),
                what: Flaw::LeftOut(why.to_owned()),
            });
        };
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            leave_out("not a plain file");
            continue;
        }
        let Some(place) = place(&inside) else {
            leave_out("its name leads out of the archive or is not text");
            continue;
        };
        if place.len() > bounds.depth {
            leave_out("too deep");
            continue;
        }
        if entry.size() > bounds.file_bytes {
            leave_out("too large");
            continue;
        }
        if files.len() >= bounds.files {
            return Err(bounds.too_many(path));
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(Error::io(path))?;
        files.push(Listed {
            place,
            held: Held::Bytes(bytes),
        });
    }
    // As tar does it: where a name comes twice, the later counts.
    files.reverse();
    files.sort_by(|a, b| a.place.cmp(&b.place));
    files.dedup_by(|later, first| later.place == first.place);
    Ok(files)
}

fn place(inside: &Path) -> Option<Vec<String>> {
    let mut place = Vec::new();
    for part in inside.components() {
        match part {
            Component::Normal(name) => place.push(name.to_str()?.to_owned()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    (!place.is_empty()).then_some(place)
}
