//! DMTF's published data, from the folder that `HAWKFISH_DMTF_DIR` names.
//!
//! It holds tarballs `*json-schema*.tar.xz` and `*registries*.tar.xz`. None of it is kept here.

use hawkfish_testing::part;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use tempfile::TempDir;

/// The folder with the data unpacked; none if it is not there, which is said aloud.
pub(crate) fn unpacked() -> Option<&'static Path> {
    static DIR: OnceLock<Option<TempDir>> = OnceLock::new();
    DIR.get_or_init(|| part::dmtf().map(|dir| unpack(&dir)))
        .as_ref()
        .map(TempDir::path)
}

fn unpack(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    for entry in std::fs::read_dir(from).expect("HAWKFISH_DMTF_DIR is a folder") {
        let tarball = entry.unwrap().path();
        let name = tarball.file_name().unwrap().to_string_lossy().into_owned();
        if name.ends_with(".tar.xz")
            && (name.contains("json-schema") || name.contains("registries"))
        {
            let status = Command::new("tar")
                .arg("-xJf")
                .arg(&tarball)
                .arg("-C")
                .arg(to.path())
                .status();
            assert!(
                status.expect("tar is installed").success(),
                "{} unpacks",
                tarball.display()
            );
        }
    }
    to
}

/// Numbers of a version, for comparison: `v1_10_2` is newer than `v1_9_0`.
fn version(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// DMTF's JSON Schemas.
pub(crate) struct Schemas {
    dir: PathBuf,
    /// Schema name to the file of the newest version.
    newest: BTreeMap<String, String>,
    files: Mutex<BTreeMap<String, &'static Value>>,
}

impl Schemas {
    pub(crate) fn open() -> Option<Self> {
        let dir = unpacked()?.join("json-schema");
        let mut newest: BTreeMap<String, String> = BTreeMap::new();
        for entry in std::fs::read_dir(&dir).expect("the tarball holds json-schema/") {
            let file = entry.unwrap().file_name().to_string_lossy().into_owned();
            let Some(stem) = file.strip_suffix(".json") else {
                continue;
            };
            let schema = stem.split('.').next().unwrap().to_owned();
            let best = newest.entry(schema).or_insert_with(|| file.clone());
            if version(&file) > version(best) {
                *best = file;
            }
        }
        Some(Self {
            dir,
            newest,
            files: Mutex::default(),
        })
    }

    /// The file of the newest version of a schema, and what stands in it.
    pub(crate) fn newest(&self, schema: &str) -> (String, &'static Value) {
        let file = self
            .newest
            .get(schema)
            .unwrap_or_else(|| panic!("DMTF has no {schema}"))
            .clone();
        let value = self.file(&file).expect("it is listed");
        (file, value)
    }

    fn file(&self, name: &str) -> Option<&'static Value> {
        let mut files = self.files.lock().unwrap();
        if let Some(known) = files.get(name) {
            return Some(known);
        }
        let text = std::fs::read(self.dir.join(name)).ok()?;
        let value: &'static Value = Box::leak(Box::new(serde_json::from_slice(&text).unwrap()));
        files.insert(name.to_owned(), value);
        Some(value)
    }

    /// Follows references to the definition meant, the newest where there are several. Says whether
    /// null is among the alternatives, and whether a reference to a resource is.
    pub(crate) fn resolve(&self, file: &str, node: &'static Value) -> Resolved {
        if let Some(reference) = node["$ref"].as_str() {
            let (url, pointer) = reference.split_once('#').unwrap();
            let name = match url.rsplit('/').next().unwrap() {
                "" => file,
                name => name,
            };
            if name.starts_with("odata") && pointer.ends_with("/idRef") {
                return Resolved {
                    file: file.to_owned(),
                    node,
                    null: false,
                    link: true,
                };
            }
            let Some(target) = self.file(name) else {
                return Resolved {
                    file: name.to_owned(),
                    node: &Value::Null,
                    null: false,
                    link: false,
                };
            };
            let found = target
                .pointer(pointer)
                .unwrap_or_else(|| panic!("{name} has no {pointer}"));
            return self.resolve(name, found);
        }
        if let Some(alternatives) = node["anyOf"].as_array() {
            let (mut null, mut link) = (false, false);
            let mut best: Option<Resolved> = None;
            for alternative in alternatives {
                if alternative["type"] == "null" {
                    null = true;
                    continue;
                }
                let found = self.resolve(file, alternative);
                link |= found.link;
                null |= found.null;
                let newer = best
                    .as_ref()
                    .is_none_or(|best| version(&found.file) >= version(&best.file));
                if !found.link && !found.node.is_null() && newer {
                    best = Some(found);
                }
            }
            let none = || Resolved {
                file: file.to_owned(),
                node,
                null,
                link,
            };
            let best = best.unwrap_or_else(none);
            return Resolved { null, link, ..best };
        }
        Resolved {
            file: file.to_owned(),
            node,
            null: false,
            link: false,
        }
    }
}

pub(crate) struct Resolved {
    pub(crate) file: String,
    pub(crate) node: &'static Value,
    pub(crate) null: bool,
    pub(crate) link: bool,
}

/// The newest version of a message registry.
pub(crate) fn registry(name: &str) -> Option<Value> {
    let dir = unpacked()?.join("registries");
    let files = std::fs::read_dir(&dir).expect("the tarball holds registries/");
    let newest = files
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|file| file.starts_with(&format!("{name}.")) && file.ends_with(".json"))
        .max_by_key(|file| version(file))
        .expect("the registry is there");
    Some(serde_json::from_slice(&std::fs::read(dir.join(newest)).unwrap()).unwrap())
}
