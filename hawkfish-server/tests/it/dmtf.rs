//! DMTF's published JSON Schemas, from the folder that `HAWKFISH_DMTF_DIR` names. None of it is kept here.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::Value;
use tempfile::TempDir;

use hawkfish_testing::part;

/// Answers for where the schemas are published, from the folder.
struct Published(PathBuf);

impl Retrieve for Published {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.path().as_str().rsplit('/').next().unwrap_or_default();
        Ok(read(&self.0, name))
    }
}

fn read(dir: &Path, name: &str) -> Value {
    let text = std::fs::read(dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut schema: Value = serde_json::from_slice(&text).unwrap();
    narrow(dir, &mut schema);
    schema
}

/// Leaves out what the folder does not hold, which is all but the newest versions, and the names of dialects, which are DMTF's own.
fn narrow(dir: &Path, schema: &mut Value) {
    let missing = |alternative: &Value| {
        let file = alternative["$ref"]
            .as_str()
            .and_then(|reference| reference.split('#').next())
            .and_then(|url| url.rsplit('/').next());
        file.is_some_and(|file| !file.is_empty() && !dir.join(file).exists())
    };
    match schema {
        Value::Object(object) => {
            object.remove("$schema");
            if let Some(alternatives) = object.get_mut("anyOf").and_then(Value::as_array_mut) {
                alternatives.retain(|alternative| !missing(alternative));
            }
            object.values_mut().for_each(|value| narrow(dir, value));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| narrow(dir, value)),
        _ => {}
    }
}

/// The folder with the schemas; `None` where there is none, which is said aloud.
fn unpacked() -> Option<&'static Path> {
    static DIR: OnceLock<Option<TempDir>> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let from = part::dmtf()?;
        let to = TempDir::new().unwrap();
        for archive in std::fs::read_dir(from).unwrap() {
            let archive = archive.unwrap().path();
            if archive.to_string_lossy().contains("json-schema") {
                let mut tar = Command::new("tar");
                let tar = tar.arg("-xJf").arg(&archive).arg("-C").arg(to.path());
                assert!(tar.status().expect("tar is installed").success());
            }
        }
        Some(to)
    });
    dir.as_ref().map(TempDir::path)
}

/// What tells whether something is as the newest version of a schema says.
pub(crate) fn validator(entity: &str) -> Option<Validator> {
    let dir = unpacked()?.join("json-schema");
    let newest = std::fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|file| file.starts_with(&format!("{entity}.v")))
        .max_by_key(|file| {
            let numbers = file.split(|c: char| !c.is_ascii_digit());
            numbers.filter_map(|n| n.parse().ok()).collect::<Vec<u32>>()
        })
        .unwrap_or_else(|| panic!("DMTF has no {entity}"));
    let mut schema = read(&dir, &newest);
    // The file only leads to its definition, as something that may also be a link.
    schema["$ref"] = format!("#/definitions/{entity}").into();
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .should_validate_formats(true)
        .with_retriever(Published(dir))
        .build(&schema);
    Some(validator.unwrap())
}
