//! What README and docs say is so: every command in them is run, every table and every shown output is compared.

mod blocks;
mod session;

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use hawkfish_server::settings::{KEYS, Settings};

use self::blocks::{Block, blocks};
use self::session::{Session, Step, built, server, top};
use hawkfish_testing::part;

const README: &str = "README.md";
const SIMULATOR: &str = "docs/simulator.md";
const CLIENT: &str = "docs/client.md";
const PYTHON: &str = "docs/python.md";
const COMMAND_LINE: &str = "docs/cli.md";

/// The examples in Rust, by the crate that builds them.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("hawkfish-sim", &["world", "power_on"]),
    ("hawkfish-client", &["fleet", "asset_tags", "follow_events"]),
];

/// What is not run as it stands: the document, the command or the first line of the block, and why not.
const NOT_RUN: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "scripts/serve",
        "it may find a libvirt whose machines matter; with --backend sim it is run below",
    ),
    (
        "README.md",
        "scripts/test",
        "it runs this test; a test of its own holds what calls it",
    ),
    (
        "README.md",
        "HawkFish 0.1.0 serves Redfish at https://127.0.0.1:8443/redfish/v1/",
        "no command but what one prints; a test of its own compares it",
    ),
    (
        "docs/architecture.md",
        "hawkfish-redfish -> none of ours          the words of Redfish: no I/O   (tests: testing)",
        "a picture; a test of the conformance crate holds it against cargo's metadata",
    ),
    (
        "docs/architecture.md",
        "pub(crate) const RESOURCE: Resource = Resource {",
        "a part of a file, with a part left out",
    ),
    (
        "docs/operation.md",
        "cargo build --release --locked",
        "it takes minutes, and builds what is tested here once more",
    ),
    (
        "docs/operation.md",
        "hawkfish-server --backend libvirt --libvirt-uri qemu:///system --libvirt-uri qemu+ssh://root@host2/system --data-dir /var/lib/hawkfish",
        "there is no host2; its flags are read",
    ),
    (
        "docs/operation.md",
        "sudo install -d -o \"$USER\" -m 0711 /var/lib/hawkfish",
        "it changes the machine",
    ),
];

fn reason_not_to_run(document: &str, what: &str) -> Option<&'static str> {
    let known = NOT_RUN
        .iter()
        .find(|(of, which, _)| *of == document && *which == what);
    known.map(|(_, _, why)| *why)
}

fn read(document: &str) -> String {
    std::fs::read_to_string(top().join(document)).unwrap_or_else(|e| panic!("{document}: {e}"))
}

/// Every document that this test works through.
fn documents() -> Vec<String> {
    let mut all = vec!["README.md".to_owned(), "examples/README.md".to_owned()];
    for entry in std::fs::read_dir(top().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            all.push(format!("docs/{name}"));
        }
    }
    all.sort();
    all
}

/// The steps of a document.
fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for block in blocks(&read(document)) {
        if let Some(first) = block.lines.first()
            && reason_not_to_run(document, first).is_some()
        {
            continue;
        }
        match block.kind.as_str() {
            "console" => {
                for command in block.commands() {
                    if reason_not_to_run(document, &command.text).is_some() {
                        continue;
                    }
                    steps.push(Step::Command {
                        line: block.line,
                        text: command.text,
                        prints: command.prints,
                    });
                }
            }
            "sh" => steps.push(Step::Command {
                line: block.line,
                text: block.text(),
                prints: Vec::new(),
            }),
            // A test of hawkfish-py.
            "python" if document == PYTHON || block.text().contains("import hawkfish") => {}
            "python" => {
                let name = format!("block-{}.py", block.line);
                steps.push(Step::File {
                    name: name.clone(),
                    text: block.text(),
                });
                steps.push(Step::Command {
                    line: block.line,
                    text: format!("python {name}"),
                    prints: Vec::new(),
                });
            }
            // Tests of the documentation of hawkfish-sim and hawkfish-client; descriptions are tests of hawkfish-sim.
            "rust" | "rust,no_run" if [SIMULATOR, CLIENT, README].contains(&document) => {}
            "toml" if document == SIMULATOR && !block.is_named() => {}
            "toml" => steps.push(settings_file(document, &block)),
            other => panic!(
                "{document}:{}: a block of kind {other:?} is neither run nor listed with a reason",
                block.line
            ),
        }
    }
    steps
}

/// A TOML block is a file, of settings or of a world, which its first line names.
fn settings_file(document: &str, block: &Block) -> Step {
    let name = block.lines[0].strip_prefix("# ");
    let name = name.unwrap_or_else(|| panic!("{document}:{}: whose file is it?", block.line));
    Step::File {
        name: name.to_owned(),
        text: block.text(),
    }
}

/// What a document needs, unless it is missing, which is said aloud.
fn is_possible(steps: &[Step]) -> bool {
    let uses = |word: &str| {
        steps.iter().any(|step| match step {
            Step::Command { text, .. } => text.split_whitespace().any(|w| w == word),
            Step::File { .. } => false,
        })
    };
    if uses("python") && part::python().is_none() {
        return false;
    }
    for tool in ["curl", "jq", "openssl", "python3"] {
        let there = Command::new("which").arg(tool).output();
        if !there.is_ok_and(|found| found.status.success()) {
            part::skip(tool);
            return false;
        }
    }
    true
}

/// Programs of other crates, which the command that runs all tests has built already.
fn build(arguments: &[&str], makes: &str) {
    if !built().join(makes).exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let done = Command::new(cargo)
            .arg("build")
            .args(arguments)
            .current_dir(top())
            .status();
        assert!(done.unwrap().success(), "cargo build {arguments:?}");
    }
}

fn work_through(document: &str) {
    let steps = steps(document);
    assert!(!steps.is_empty(), "{document} has no command");
    if !is_possible(&steps) {
        return;
    }
    build(&["-p", "hawkfish-client", "--bin", "hawkfish"], "hawkfish");
    for (of, examples) in EXAMPLES {
        for example in *examples {
            let made = format!("examples/{example}");
            let arguments = ["-p", of, "--all-features", "--example", example];
            build(&arguments, &made);
        }
    }
    Session::new().take(&steps);
}

#[test]
fn every_command_of_the_readme_does_what_it_says() {
    work_through("README.md");
}

#[test]
fn every_command_of_the_operation_manual_does_what_it_says() {
    work_through("docs/operation.md");
}

#[test]
fn every_command_of_the_guide_to_the_simulator_does_what_it_says() {
    build(
        &["-p", "hawkfish-sim", "--bin", "hawkfish-sim"],
        "hawkfish-sim",
    );
    work_through(SIMULATOR);
}

#[test]
fn every_command_of_the_guide_to_the_command_line_does_what_it_says() {
    work_through(COMMAND_LINE);
}

#[test]
fn every_example_runs_as_its_readme_calls_it() {
    work_through("examples/README.md");
}

#[test]
fn every_block_of_every_document_is_run_or_has_a_reason_not_to_be() {
    let worked_through = [
        "README.md",
        "docs/operation.md",
        SIMULATOR,
        COMMAND_LINE,
        "examples/README.md",
    ];
    for document in documents() {
        let steps = steps(&document);
        assert!(
            steps.is_empty() || worked_through.contains(&document.as_str()),
            "{document} has commands that no test runs"
        );
    }
}

#[test]
fn no_reason_not_to_run_a_block_has_outlived_it() {
    for (document, what, _) in NOT_RUN {
        let blocks = blocks(&read(document));
        let stands = |block: &Block| {
            let command =
                block.kind == "console" && block.commands().iter().any(|known| known.text == *what);
            command || block.lines.first().is_some_and(|line| line == what)
        };
        assert!(blocks.iter().any(stands), "{document}: {what}");
    }
}

#[test]
fn flags_of_a_command_that_cannot_be_run_are_flags_all_the_same() {
    let mut read = 0;
    for (_, command, _) in NOT_RUN {
        let words: Vec<&str> = command.split_whitespace().collect();
        if words[0] == "hawkfish-server" {
            Settings::read(words, []).unwrap_or_else(|error| panic!("{command}: {error}"));
            read += 1;
        }
    }
    assert_eq!(read, 1);
}

/// A row of the table of settings, without marks: `--flag VALUE`, variable, key, default.
fn settings_rows() -> Vec<[String; 4]> {
    let manual = read("docs/operation.md");
    let rows = manual.lines().filter(|line| line.starts_with("| `--"));
    rows.map(|row| {
        let row = row.replace("\\|", "\u{0}").replace('`', "");
        let mut cells = row.split('|').map(|c| c.trim().replace('\u{0}', "|"));
        cells.next();
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    })
    .collect()
}

#[test]
fn the_table_of_settings_is_what_the_program_says_of_itself() {
    let help = Command::new(server()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let told: Vec<[String; 4]> = help
        .lines()
        .filter_map(|line| {
            let flag = line.trim_start().strip_prefix("--")?;
            let (name, rest) = flag.split_once(" <")?;
            let (value, text) = rest.split_once('>')?;
            let between = |begin: &str| {
                let (_, rest) = text.split_once(begin)?;
                Some(rest.split_once(']')?.0.to_owned())
            };
            let several = KEYS.iter().any(|key| key.name == name && key.repeatable);
            Some([
                format!(
                    "--{name} {value}{}",
                    if several { " (several)" } else { "" }
                ),
                between("[env: ")?,
                // The file cannot name itself.
                if name == "config" {
                    String::new()
                } else {
                    name.to_owned()
                },
                between("[default: ").unwrap_or_default(),
            ])
        })
        .collect();
    assert_eq!(told.len(), KEYS.len(), "{help}");
    let rows = settings_rows();
    assert_eq!(rows.len(), told.len());
    for (mut row, told) in rows.into_iter().zip(told) {
        // What has no fixed default may say in words what it then is.
        if told[3].is_empty() {
            row[3].clear();
        }
        assert_eq!(row, told);
    }
}

/// The lines up to the one to try, and the rest of the process.
fn banner(mut command: Command) -> (Vec<String>, std::process::Child) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = Vec::new();
    for line in BufReader::new(child.stdout.as_mut().unwrap()).lines() {
        lines.push(line.unwrap());
        if lines.last().is_some_and(|line| line.starts_with("  try ")) {
            return (lines, child);
        }
    }
    panic!("it ended: {lines:?}, {:?}", child.wait())
}

/// Runs the line to try as it stands, and ends the service in order.
fn try_it(session: &Session, lines: &[String], mut child: std::process::Child) {
    let line = lines.last().unwrap();
    let line = line.strip_prefix("  try ").unwrap().trim();
    let mut curl = session.command("sh");
    let answer = curl
        .args(["-c", &format!("{line} --fail --silent")])
        .output()
        .unwrap();
    let end = Command::new("kill").arg(child.id().to_string()).status();
    assert!(end.unwrap().success());
    assert!(child.wait().unwrap().success());
    let body: serde_json::Value = serde_json::from_slice(&answer.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error}: {answer:?}"));
    assert_eq!(body["Members@odata.count"], 4);
}

#[cfg(feature = "libvirt")]
#[test]
fn the_readme_shows_what_is_really_printed() {
    let session = Session::new();
    let socket = session.at("no/libvirt-sock").display().to_string();
    let uri = format!("qemu+unix:///system?socket={socket}");
    let mut command = session.command(server());
    command.args(["--listen", "127.0.0.1:0", "--libvirt-uri", &uri]);
    let (lines, child) = banner(command);
    try_it(&session, &lines, child);

    let readme = read("README.md");
    let shown = blocks(&readme).into_iter().find(|b| b.kind == "text");
    let shown = shown.expect("what you see").text();
    let word_after = |text: &str, begin: &str| {
        let (_, rest) = text.split_once(begin).unwrap();
        rest.split([' ', '/']).next().unwrap().to_owned()
    };
    let mut printed = lines.join("\n");
    // What differs from one start to another.
    for begin in ["https://127.0.0.1:", "password "] {
        let (here, there) = (word_after(&printed, begin), word_after(&shown, begin));
        assert_eq!(here.is_empty(), there.is_empty());
        printed = printed.replace(&here, &there);
    }
    let printed = printed
        .replace(&uri, "qemu:///system")
        .replace(&socket, "/var/run/libvirt/libvirt-sock")
        .replace(&session.at("home").display().to_string(), "/home/you");
    assert_eq!(printed, shown);
}

#[test]
fn the_command_that_serves_ends_in_a_service_that_works() {
    let session = Session::new();
    let mut command = session.command(top().join("scripts/serve"));
    command.args(["--backend", "sim", "--listen", "127.0.0.1:0"]);
    let (lines, child) = banner(command);
    assert!(lines[0].starts_with("HawkFish"), "{lines:?}");
    try_it(&session, &lines, child);
}

#[test]
fn what_a_change_must_pass_is_the_command_that_passes_all_tests() {
    let session = Session::new();
    let clone = session.at("clone");
    for folder in [".ci", "scripts"] {
        std::fs::create_dir_all(clone.join(folder)).unwrap();
    }
    std::fs::copy(top().join(".ci/run"), clone.join(".ci/run")).unwrap();
    let stand_in = clone.join("scripts/test");
    std::fs::write(
        &stand_in,
        "#!/bin/sh\necho \"called with $# arguments in $PWD\"\nexit 7\n",
    )
    .unwrap();
    std::fs::set_permissions(&stand_in, std::fs::Permissions::from_mode(0o755)).unwrap();
    let done = session.command(clone.join(".ci/run")).output().unwrap();
    let clone = clone.canonicalize().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stdout).trim(),
        format!("called with 0 arguments in {}", clone.display())
    );
    assert_eq!(done.status.code(), Some(7), "{done:?}");
    // And the real one is a script that runs: it explains itself to who asks it something else.
    let asked = Command::new(top().join("scripts/test"))
        .arg("--what")
        .output()
        .unwrap();
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("scripts/test --fast"));
}
