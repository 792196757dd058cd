//! Writes a capture in the layout that it is read in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::manifest::{FORMAT, Manifest, Said};
use super::place::{file_for, folders, type_of};
use super::{Capture, Content, Error, MANIFEST};

impl Capture {
    /// Writes the capture into a folder, which is made if it is not there.
    ///
    /// # Errors
    /// `NotEmpty` where something stands in the folder already; files that cannot be written.
    pub fn write(&self, dir: impl AsRef<Path>) -> Result<(), Error> {
        let dir = dir.as_ref();
        std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
        let mut there = std::fs::read_dir(dir).map_err(Error::io(dir))?;
        if there.next().is_some() {
            return Err(Error::NotEmpty(dir.to_owned()));
        }
        for (path, bytes) in self.files() {
            let path = dir.join(path.split('/').collect::<PathBuf>());
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
            }
            std::fs::write(&path, bytes).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    /// The files of this capture by their paths, slashes between: what [`Capture::write`] writes.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let mut manifest = Manifest {
            format: FORMAT,
            source: self.source.clone(),
            unread: self.unread.clone(),
            files: BTreeMap::new(),
        };
        for (uri, document) in &self.documents {
            let (parts, is_said) = folders(uri);
            let mut folder = parts.join("/");
            // Two URIs that are told apart only by what no folder can be named after.
            let is_first = taken.insert(folder.clone());
            while !is_first && !taken.insert(folder.clone()) {
                folder.push('~');
            }
            let (name, bytes, content_type) = match &document.content {
                Content::Json(value) => ("index.json", pretty(value), None),
                Content::Bytes {
                    bytes,
                    content_type,
                } => (
                    file_for(content_type),
                    bytes.to_vec(),
                    Some(content_type.clone()),
                ),
            };
            let path = format!("{folder}/{name}");
            let said = Said {
                uri: (!is_said || !is_first).then(|| uri.clone()),
                content_type: content_type.filter(|kind| kind != type_of(name)),
            };
            if said.uri.is_some() || said.content_type.is_some() {
                manifest.files.insert(path.clone(), said);
            }
            files.insert(path, bytes);
            if !document.headers.is_empty() {
                let headers = json!({"GET": document.headers});
                files.insert(format!("{folder}/headers.json"), pretty(&headers));
            }
        }
        let manifest = serde_json::to_value(manifest).expect("it has only texts as keys");
        files.insert(MANIFEST.to_owned(), pretty(&manifest));
        files
    }
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("JSON is written as JSON");
    bytes.push(b'\n');
    bytes
}
