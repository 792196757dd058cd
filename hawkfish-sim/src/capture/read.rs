//! Reads folders and archives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::manifest::{FORMAT, Manifest};
use super::place::{plain_uri, type_of};
use super::{Capture, Content, Document, Error, Finding, Flaw, HEADERS, MANIFEST, archive};

/// How much is read at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Files.
    pub files: usize,
    /// Folders in folders.
    pub depth: usize,
    /// Bytes of one file; a larger one is left out.
    pub file_bytes: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            files: 200_000,
            depth: 64,
            file_bytes: 64 << 20,
            bytes: 1 << 30,
        }
    }
}

impl Bounds {
    pub(super) fn too_many(&self, path: &Path) -> Error {
        Error::TooLarge {
            path: path.to_owned(),
            why: format!("more than {} files", self.files),
        }
    }
}

/// A file that was found, and not read yet.
pub(super) struct Listed {
    /// The names of its folders and its own.
    pub(super) place: Vec<String>,
    pub(super) held: Held,
}

pub(super) enum Held {
    At(PathBuf),
    Bytes(Vec<u8>),
}

impl Listed {
    fn bytes(&mut self) -> Result<Vec<u8>, Error> {
        match &mut self.held {
            Held::At(path) => std::fs::read(&*path).map_err(Error::io(path.clone())),
            Held::Bytes(bytes) => Ok(std::mem::take(bytes)),
        }
    }

    fn name(&self) -> &str {
        self.place.last().map_or("", String::as_str)
    }
}

impl Capture {
    /// Reads a folder, or an archive (`.tar`, `.tar.gz`, `.tar.xz`) of one: what [`Capture::write`] or DMTF's mockup creator made,
    /// with `redfish/v1` at its top, or in its short form, where the service root stands at the top.
    ///
    /// # Errors
    /// Files that cannot be read, a folder without a tree of resources, more than [`Bounds`] allow.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::read_within(path.as_ref(), &Bounds::default())
    }

    /// As [`Capture::read`], within other bounds.
    ///
    /// # Errors
    /// As [`Capture::read`].
    pub fn read_within(path: &Path, bounds: &Bounds) -> Result<Self, Error> {
        let mut findings = Vec::new();
        let is_folder = path.metadata().map_err(Error::io(path))?.is_dir();
        let mut files = match is_folder {
            true => list(path, bounds, &mut findings)?,
            false => archive::list(path, bounds, &mut findings)?,
        };
        let (skip, base) = root(path, &mut files)?;
        let mut reading = Reading {
            base,
            findings,
            ..Reading::default()
        };
        let manifest = files
            .iter_mut()
            .find(|file| file.place.len() == skip + 1 && file.name() == MANIFEST);
        if let Some(file) = manifest {
            reading.manifest(&file.bytes()?);
        }
        let mut sum = 0_u64;
        for file in &mut files {
            let place = file.place.get(skip..).unwrap_or_default().to_vec();
            if !reading.is_part(&place) {
                continue;
            }
            let bytes = file.bytes()?;
            sum += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            if sum > bounds.bytes {
                return Err(Error::TooLarge {
                    path: path.to_owned(),
                    why: format!("more than {} bytes", bounds.bytes),
                });
            }
            reading.file(&place, bytes);
        }
        let mut capture = reading.finish();
        if capture.documents.is_empty() {
            return Err(Error::NotACapture {
                path: path.to_owned(),
                why: "no documents in it".to_owned(),
            });
        }
        capture.learn();
        Ok(capture)
    }
}

/// The files of a folder, in order. Links of the file system are not followed, wherever they lead.
fn list(top: &Path, bounds: &Bounds, findings: &mut Vec<Finding>) -> Result<Vec<Listed>, Error> {
    let mut files = Vec::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(folder) = open.pop() {
        let path: PathBuf = top.join(folder.iter().collect::<PathBuf>());
        for entry in std::fs::read_dir(&path).map_err(Error::io(&path))? {
            let entry = entry.map_err(Error::io(&path))?;
            let mut leave_out = |why: &str| {
                findings.push(Finding {
                    at: entry.path().display().to_string(),
                    what: Flaw::LeftOut(why.to_owned()),
                });
            };
            let Ok(name) = entry.file_name().into_string() else {
                leave_out("its name is not text");
                continue;
            };
            // Of the entry itself, not of what it may link to.
            let facts = entry.metadata().map_err(Error::io(entry.path()))?;
            let mut place = folder.clone();
            place.push(name);
            if facts.is_dir() {
                match place.len() > bounds.depth {
                    true => leave_out("too deep"),
                    false => open.push(place),
                }
            } else if !facts.is_file() {
                leave_out("not a plain file");
            } else if facts.len() > bounds.file_bytes {
                leave_out("too large");
            } else if files.len() >= bounds.files {
                return Err(bounds.too_many(top));
            } else {
                files.push(Listed {
                    place,
                    held: Held::At(entry.path()),
                });
            }
        }
    }
    files.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(files)
}

/// How many folders stand around the tree, and the URI of its top.
fn root(path: &Path, files: &mut [Listed]) -> Result<(usize, &'static str), Error> {
    let nothing = |why: &str| Error::NotACapture {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    for skip in 0..4 {
        let has_tree = files
            .iter()
            .any(|file| file.place.len() > skip + 1 && file.place[skip] == "redfish");
        if has_tree {
            return Ok((skip, ""));
        }
        let index = files
            .iter_mut()
            .find(|file| file.place.len() == skip + 1 && file.name() == "index.json");
        if let Some(index) = index {
            let bytes = index.bytes()?;
            let id = serde_json::from_slice::<Value>(&bytes)
                .ok()
                .and_then(|value| Some(value.get("@odata.id")?.as_str()?.to_owned()));
            if let Held::Bytes(held) = &mut index.held {
                *held = bytes;
            }
            return match id.as_deref().map(plain_uri).as_deref() {
                Some("/redfish/v1") => Ok((skip, "/redfish/v1")),
                _ => Err(nothing("the document at its top is no service root")),
            };
        }
        // One folder around it, as archives have it.
        let mut around = files
            .iter()
            .filter(|file| file.place.len() > skip + 1)
            .map(|file| &file.place[skip]);
        let first = around.next();
        if first.is_none() || around.any(|name| Some(name) != first) {
            break;
        }
    }
    Err(nothing("neither a folder redfish nor a service root in it"))
}

#[derive(Default)]
struct Reading {
    base: &'static str,
    manifest: Manifest,
    documents: BTreeMap<String, Document>,
    headers: BTreeMap<String, BTreeMap<String, String>>,
    findings: Vec<Finding>,
}

impl Reading {
    fn manifest(&mut self, bytes: &[u8]) {
        let found = match serde_json::from_slice::<Manifest>(bytes) {
            Ok(manifest) if manifest.format > FORMAT => {
                Flaw::LeftOut("made by a newer version".to_owned())
            }
            Ok(manifest) => {
                self.manifest = manifest;
                return;
            }
            Err(error) => Flaw::BrokenJson(error.to_string()),
        };
        self.found(MANIFEST, found);
    }

    fn found(&mut self, at: &str, what: Flaw) {
        self.findings.push(Finding {
            at: at.to_owned(),
            what,
        });
    }

    /// Whether a file belongs to the tree: a licence beside it does not.
    fn is_part(&self, place: &[String]) -> bool {
        match place {
            [] => false,
            [name] if name == MANIFEST => false,
            [first, ..] if self.base.is_empty() => {
                first == "redfish"
                    || self.manifest.files.contains_key(&place.join("/"))
                    || place.last().is_some_and(|name| name == "headers.json")
                    || self.has_more()
            }
            _ => true,
        }
    }

    /// Whether we made this tree, so that all of it is what the service answered.
    fn has_more(&self) -> bool {
        self.manifest.format > 0
    }

    fn file(&mut self, place: &[String], bytes: Vec<u8>) {
        let path = place.join("/");
        let Some((name, folders)) = place.split_last() else {
            return;
        };
        let said = self.manifest.files.get(&path);
        let uri_of = |parts: &[String]| match parts.is_empty() {
            true => self.base.to_owned(),
            false => format!("{}/{}", self.base, parts.join("/")),
        };
        let uri = match said.and_then(|said| said.uri.as_deref()) {
            Some(uri) => plain_uri(uri),
            None if name.starts_with("index.") || is_about(name) => uri_of(folders),
            None => uri_of(place),
        };
        match name.as_str() {
            "headers.json" => {
                // Beside a document whose URI only the manifest knows.
                let beside = self.manifest.files.iter().find_map(|(file, said)| {
                    let (folder, _) = file.rsplit_once('/')?;
                    (folder == folders.join("/"))
                        .then_some(said.uri.as_deref())
                        .flatten()
                });
                let uri = beside.map_or(uri, plain_uri);
                match serde_json::from_slice(&bytes) {
                    Ok(value) => {
                        self.headers.insert(uri, headers(&value));
                    }
                    Err(error) => self.found(&path, Flaw::BrokenJson(error.to_string())),
                }
            }
            "time.json" => {}
            _ => {
                let said = said.and_then(|said| said.content_type.clone());
                let content_type = said.unwrap_or_else(|| type_of(name).to_owned());
                let document = self.document(&path, content_type, bytes);
                self.documents.insert(uri, document);
            }
        }
    }

    fn document(&mut self, path: &str, content_type: String, bytes: Vec<u8>) -> Document {
        if content_type.starts_with("application/json") {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            match serde_json::from_slice(text) {
                Ok(value) => return Document::json(value),
                Err(error) => self.found(path, Flaw::BrokenJson(error.to_string())),
            }
        }
        Document {
            content: Content::Bytes {
                bytes: bytes.into(),
                content_type,
            },
            headers: BTreeMap::new(),
        }
    }

    fn finish(mut self) -> Capture {
        for (uri, headers) in self.headers {
            if let Some(document) = self.documents.get_mut(&uri) {
                document.headers = headers;
            }
        }
        Capture {
            source: self.manifest.source,
            documents: self.documents,
            unread: self.manifest.unread,
            findings: self.findings,
        }
    }
}

fn is_about(name: &str) -> bool {
    matches!(name, "headers.json" | "time.json")
}

/// The headers that matter: of the method GET, as the mockup creator writes them, or without a method.
fn headers(value: &Value) -> BTreeMap<String, String> {
    let of = value.get("GET").unwrap_or(value);
    let all = of.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value.as_str()?.to_owned())))
        .filter(|(name, _)| HEADERS.contains(&name.as_str()))
        .collect()
}
