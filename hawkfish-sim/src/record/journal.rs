//! What was read so far, on disk: one line of JSON for each URI, readable by its owner only, because nothing in it is anonymised.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::capture::{Content, Document, Unread};

/// What came of asking for a URI.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// What stands there.
    Document(Document),
    /// It could not be read.
    Unread(Unread),
}

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct BadJournal {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    pub why: String,
}

/// The journal of a walk.
#[derive(Debug, Default)]
pub struct Journal {
    out: Option<(PathBuf, File)>,
    read: BTreeMap<String, Read>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    service: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    uri: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unread: Option<Unread>,
}

impl Journal {
    /// A journal that keeps nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Begins a journal of a service, named by its origin.
    ///
    /// # Errors
    /// A file that is there already or cannot be made.
    pub fn begin(path: &Path, service: &str) -> Result<Self, BadJournal> {
        let bad = bad(path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let mut file = options.open(path).map_err(|error| bad(error.to_string()))?;
        let head = Head {
            service: service.to_owned(),
        };
        let line = serde_json::to_string(&head).expect("a text");
        writeln!(file, "{line}").map_err(|error| bad(error.to_string()))?;
        Ok(Self {
            out: Some((path.to_owned(), file)),
            read: BTreeMap::new(),
        })
    }

    /// Goes on with a journal. A last line that was not finished does not count; what was not answered is asked for again.
    ///
    /// # Errors
    /// A file that is not there, is no journal, or is one of another service.
    pub fn resume(path: &Path, service: &str) -> Result<Self, BadJournal> {
        let bad = bad(path);
        let io = |error: std::io::Error| bad(error.to_string());
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let file = options.open(path).map_err(io)?;
        let mut lines = BufReader::new(&file);
        let mut line = String::new();
        let mut length = lines.read_line(&mut line).map_err(io)?;
        let head: Head = serde_json::from_str(&line).map_err(|_| bad("no journal".to_owned()))?;
        if head.service != service {
            return Err(bad(format!("of another service, {}", head.service)));
        }
        let mut read = BTreeMap::new();
        loop {
            line.clear();
            let more = lines.read_line(&mut line).map_err(io)?;
            if more == 0 || !line.ends_with('\n') {
                break;
            }
            length += more;
            let line = serde_json::from_str(&line).map_err(|error| bad(error.to_string()))?;
            let (uri, what) = of_line(line).ok_or_else(|| bad("no journal".to_owned()))?;
            match &what {
                Read::Unread(Unread { status: None, .. }) => {}
                _ => {
                    read.insert(uri, what);
                }
            }
        }
        drop(lines);
        // The half line goes, so that the next one is whole.
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        file.set_len(length).map_err(io)?;
        drop(file);
        let mut options = OpenOptions::new();
        let file = options.append(true).open(path).map_err(io)?;
        Ok(Self {
            out: Some((path.to_owned(), file)),
            read,
        })
    }

    /// How many URIs were read when it was taken up again.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read.len()
    }

    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }

    pub(super) fn take(&mut self) -> BTreeMap<String, Read> {
        std::mem::take(&mut self.read)
    }

    pub(super) fn keep(&mut self, uri: &str, read: &Read) -> Result<(), BadJournal> {
        let Some((path, file)) = &mut self.out else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(&to_line(uri, read)).expect("JSON is written as JSON");
        line.push(b'\n');
        file.write_all(&line)
            .map_err(|error| bad(path)(error.to_string()))
    }
}

fn bad(path: &Path) -> impl Fn(String) -> BadJournal {
    let path = path.to_owned();
    move |why| BadJournal {
        path: path.clone(),
        why,
    }
}

fn to_line(uri: &str, read: &Read) -> Line {
    let mut line = Line {
        uri: uri.to_owned(),
        headers: BTreeMap::new(),
        json: None,
        bytes: None,
        content_type: None,
        unread: None,
    };
    match read {
        Read::Unread(unread) => line.unread = Some(unread.clone()),
        Read::Document(document) => {
            line.headers = document.headers.clone();
            match &document.content {
                Content::Json(value) => line.json = Some(value.clone()),
                Content::Bytes {
                    bytes,
                    content_type,
                } => {
                    line.bytes = Some(STANDARD.encode(bytes));
                    line.content_type = Some(content_type.clone());
                }
            }
        }
    }
    line
}

fn of_line(line: Line) -> Option<(String, Read)> {
    if let Some(unread) = line.unread {
        return Some((line.uri, Read::Unread(unread)));
    }
    let mut document = match (line.json, line.bytes) {
        (_, Some(bytes)) => Document::bytes(
            STANDARD.decode(bytes).ok()?,
            line.content_type.unwrap_or_default(),
        ),
        (json, None) => Document::json(json.unwrap_or_default()),
    };
    document.headers = line.headers;
    Some((line.uri, Read::Document(document)))
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600);
}

#[cfg(not(unix))]
fn private(_: &mut OpenOptions) {}
