//! What shells and readers of the manual get.

use std::path::Path;
use std::process::Command;

use super::run::{PROGRAM, bare};
use hawkfish_testing::part;

fn there(program: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !there {
        part::skip(program);
    }
    there
}

pub(crate) fn script(shell: &str) -> String {
    let made = bare().args(["completions", shell]).output().unwrap();
    assert!(made.status.success());
    String::from_utf8(made.stdout).unwrap()
}

fn said(command: &mut Command) -> String {
    let said = command.output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    let err = String::from_utf8(said.stderr).unwrap();
    assert!(said.status.success() && err.is_empty(), "{text}{err}");
    text
}

#[test]
fn every_shell_has_a_script() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(script(shell).contains("systems"), "{shell}");
    }
    assert!(
        !bare()
            .args(["completions", "sh"])
            .output()
            .unwrap()
            .status
            .success()
    );
}

#[test]
fn bash_completes_commands_and_options() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hawkfish.bash");
    std::fs::write(&file, script("bash")).unwrap();
    for (words, expected) in [
        ("hawkfish sys", "systems"),
        ("hawkfish systems sh", "show"),
        ("hawkfish systems ls --wat", "--watch"),
        ("hawkfish -o ya", "yaml"),
    ] {
        let last = words.rsplit(' ').next().unwrap();
        let before = words
            .trim_end_matches(last)
            .trim_end()
            .rsplit(' ')
            .next()
            .unwrap();
        let ask = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _hawkfish hawkfish {last} {before}; echo \"${{COMPREPLY[@]}}\"",
            file.display()
        );
        let text = said(Command::new("bash").args(["--norc", "-c", &ask]));
        assert!(
            text.split_whitespace().any(|word| word == expected),
            "{words}: {text}"
        );
    }
}

#[test]
fn fish_completes_commands() {
    if !there("fish") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("hawkfish.fish");
    std::fs::write(&file, script("fish")).unwrap();
    let ask = format!(
        "source {}; complete -C 'hawkfish sys'; complete -C 'hawkfish systems sh'",
        file.display()
    );
    let text = said(
        Command::new("fish")
            .args(["--no-config", "-c", &ask])
            .env("HOME", dir.path()),
    );
    assert!(text.contains("systems") && text.contains("show"), "{text}");
}

#[test]
fn there_is_a_manual_page_for_each_command_that_man_understands() {
    let dir = tempfile::tempdir().unwrap();
    let made = bare()
        .args(["man", "--dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    let mut pages: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    let names: Vec<String> = pages
        .iter()
        .map(|page| page.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for name in [
        "hawkfish.1",
        "hawkfish-login.1",
        "hawkfish-systems.1",
        "hawkfish-systems-show.1",
    ] {
        assert!(names.iter().any(|have| have == name), "{names:?}");
    }
    if !there("mandoc") {
        return;
    }
    let lint = Command::new("mandoc")
        .args(["-T", "lint", "-W", "error"])
        .args(&pages)
        .output()
        .unwrap();
    assert!(
        lint.status.success(),
        "{}",
        String::from_utf8_lossy(&lint.stdout)
    );
    let shown = Command::new("mandoc")
        .args(["-T", "utf8"])
        .arg(dir.path().join("hawkfish.1"))
        .output()
        .unwrap();
    // Bold is a letter over itself.
    let text = String::from_utf8(shown.stdout).unwrap();
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '\u{8}' => drop(plain.pop()),
            c => plain.push(c),
        }
    }
    for words in [
        "SYNOPSIS",
        "Exit codes:",
        "130  interrupted",
        "HAWKFISH_URL",
        "--profile",
    ] {
        assert!(plain.contains(words), "{words}: {plain}");
    }
}

#[test]
fn the_version_is_told_without_anything_being_read() {
    let told = bare()
        .arg("--version")
        .env("HAWKFISH_CONFIG", "/")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(told.stdout).unwrap(),
        concat!("hawkfish ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(PROGRAM.ends_with("hawkfish"));
}
