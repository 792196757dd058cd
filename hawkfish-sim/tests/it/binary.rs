//! The program `hawkfish-sim`, as it is started from a shell.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::{Client, StatusCode};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hawkfish-sim");

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_first_lines_say_where_and_with_what_and_the_trace_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (world, trace) = (dir.path().join("world.toml"), dir.path().join("trace.txt"));
    std::fs::write(&world, "seed = 9\n[[rack]]\nname = \"lab\"\nsystems = 2\n").unwrap();
    let mut child = Command::new(PROGRAM)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--fault",
            "session-table-full",
            "--world",
        ])
        .arg(&world)
        .arg("--trace")
        .arg(&trace)
        .stdout(Stdio::piped())
        .spawn()
        .map(Running)
        .unwrap();
    let out = BufReader::new(child.0.stdout.take().unwrap());
    let said: Vec<(String, String)> = out
        .lines()
        .take(4)
        .map(|line| {
            let line = line.unwrap();
            let (name, value) = line.split_once(' ').unwrap();
            (name.to_owned(), value.trim().to_owned())
        })
        .collect();
    let names: Vec<_> = said.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["url", "user", "password", "seed"]);
    assert_eq!(said[3].1, "9");
    let client = Client::builder().no_proxy().build().unwrap();
    let systems = client
        .get(format!("{}Systems", said[0].1))
        .basic_auth(&said[1].1, Some(&said[2].1))
        .send()
        .await
        .unwrap();
    assert_eq!(systems.status(), StatusCode::OK);
    let systems: serde_json::Value = systems.json().await.unwrap();
    assert_eq!(systems["Members@odata.count"], 2);
    let login = client
        .post(format!("{}SessionService/Sessions", said[0].1))
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(login.status(), StatusCode::SERVICE_UNAVAILABLE);
    let ended = Command::new("kill")
        .arg(child.0.id().to_string())
        .status()
        .unwrap();
    assert!(ended.success());
    assert!(child.0.wait().unwrap().success());
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("> GET /redfish/v1/Systems"), "{trace}");
    assert!(trace.contains("fault \"session-table-full\""), "{trace}");
}

#[test]
fn a_description_is_checked_and_what_is_wrong_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        let file = dir.path().join("world.toml");
        std::fs::write(&file, text).unwrap();
        let check = Command::new(PROGRAM)
            .args(["world", "check"])
            .arg(file)
            .output()
            .unwrap();
        let said = [check.stdout, check.stderr].concat();
        (check.status.success(), String::from_utf8(said).unwrap())
    };
    let (good, said) = check("presets = [\"slow\"]\n[[rack]]\nname = \"a\"\nsystems = 3\n");
    assert!(
        good && said.contains("1 racks, 3 systems, 1 faults"),
        "{said}"
    );
    let (good, said) = check("seed = 1\nsystem = 3\n");
    assert!(
        !good && said.contains("line 2") && said.contains("system"),
        "{said}"
    );
}

#[test]
fn the_faults_that_have_names_are_listed() {
    let list = Command::new(PROGRAM).arg("faults").output().unwrap();
    let said = String::from_utf8(list.stdout).unwrap();
    for preset in hawkfish_sim::fault::PRESETS {
        assert!(said.contains(preset.name), "{}", preset.name);
    }
}
