//! Which crate may use which: the drawing in docs/architecture.md holds.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// What a crate may use of ours.
#[derive(Debug, Default, PartialEq)]
struct Arrow {
    uses: Vec<String>,
    /// What its tests may use besides.
    tests: Vec<String>,
}

/// Reads lines such as `conformance -> client, redfish   what it is (tests: sim)`.
fn arrows(drawing: &str) -> BTreeMap<String, Arrow> {
    let names = |list: &str| -> Vec<String> {
        let list = list.split(',').map(str::trim);
        list.map(|short| format!("hawkfish-{short}")).collect()
    };
    let lines = drawing.lines().filter_map(|line| line.split_once(" -> "));
    lines
        .filter(|(from, _)| !from.trim().contains(' '))
        .map(|(from, rest)| {
            let rest = rest.trim();
            let list = rest.split("  ").next().unwrap_or_default();
            let uses = match list {
                "none of ours" => Vec::new(),
                list => names(list),
            };
            let tests = rest
                .split_once("(tests: ")
                .and_then(|(_, tests)| tests.split_once(')'));
            let tests = tests.map(|(tests, _)| names(tests)).unwrap_or_default();
            (from.trim().to_owned(), Arrow { uses, tests })
        })
        .collect()
}

#[test]
fn a_drawing_is_read_with_what_tests_may_use_besides() {
    let read = arrows(
        "a -> none of ours   the words\nb    -> c, d     words, (tests: e)\nnot this -> one\n",
    );
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("hawkfish-{name}"))
            .collect()
    };
    assert_eq!(read.len(), 2);
    assert_eq!(read["a"], Arrow::default());
    assert_eq!(
        read["b"],
        Arrow {
            uses: names(&["c", "d"]),
            tests: names(&["e"])
        }
    );
}

/// Imported by none, and free to use all.
const LEAVES: &[&str] = &["examples", "xtask"];

fn metadata(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn members(metadata: &Value) -> BTreeMap<&str, &Value> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    let ours = packages.filter(|package| package["source"].is_null());
    ours.map(|package| (package["name"].as_str().unwrap(), package))
        .collect()
}

#[test]
fn a_crate_uses_only_those_that_the_architecture_lets_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/architecture.md");
    let arrows = arrows(&std::fs::read_to_string(path).unwrap());
    let metadata = metadata(&["--no-deps"]);
    let members = members(&metadata);
    for (name, package) in &members {
        for dependency in package["dependencies"].as_array().unwrap() {
            let (used, kind) = (dependency["name"].as_str().unwrap(), &dependency["kind"]);
            if !members.contains_key(used) {
                continue;
            }
            assert!(
                !LEAVES.contains(&used),
                "{name} uses {used}, which nothing uses"
            );
            if LEAVES.contains(name) {
                continue;
            }
            let Some(arrow) = arrows.get(*name) else {
                panic!("{name} has no place in the architecture");
            };
            let is = |list: &[String]| list.iter().any(|name| name == used);
            let allowed = is(&arrow.uses) || (kind == "dev" && is(&arrow.tests));
            assert!(allowed, "{name} must not use {used} ({kind})");
        }
    }
    for name in members.keys() {
        assert!(
            LEAVES.contains(name) || arrows.contains_key(*name),
            "{name} is not drawn"
        );
    }
    for name in arrows.keys() {
        assert!(
            members.contains_key(name.as_str()),
            "{name} is drawn and not there"
        );
    }
}

#[test]
fn a_crate_lies_in_the_folder_of_its_name() {
    let metadata = metadata(&["--no-deps"]);
    for (name, package) in members(&metadata) {
        let manifest = package["manifest_path"].as_str().unwrap();
        assert!(
            manifest.ends_with(&format!("/{name}/Cargo.toml")),
            "{manifest}"
        );
    }
}

/// That the client is light is why the words of Redfish are a crate of their own.
#[test]
fn the_client_brings_neither_a_database_nor_a_hypervisor_nor_a_server() {
    // Of other platforms nothing is at hand.
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .arg("-vV")
        .output()
        .unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let metadata = metadata(&["--filter-platform", host]);
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let name = |id: &str| {
        let packages = metadata["packages"].as_array().unwrap();
        let package = packages.iter().find(|package| package["id"] == id).unwrap();
        package["name"].as_str().unwrap()
    };
    let client = nodes
        .iter()
        .find(|node| name(node["id"].as_str().unwrap()) == "hawkfish-client");
    let mut left = vec![client.unwrap()["id"].as_str().unwrap()];
    let mut found = BTreeSet::new();
    while let Some(id) = left.pop() {
        if !found.insert(id) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).unwrap();
        for dependency in node["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                left.push(dependency["pkg"].as_str().unwrap());
            }
        }
    }
    let names: BTreeSet<&str> = found.into_iter().map(name).collect();
    assert!(
        names.contains("reqwest"),
        "the walk along the dependencies went astray: {names:?}"
    );
    for heavy in [
        "sqlx",
        "libsqlite3-sys",
        "virt",
        "axum",
        "argon2",
        "hawkfish-core",
    ] {
        assert!(!names.contains(heavy), "the client brings {heavy}");
    }
}
