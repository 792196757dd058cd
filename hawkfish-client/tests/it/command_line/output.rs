//! How things are printed.

use serde_json::{Value, json};

use super::rack::Rack;
use super::run::{Home, hawkfish, on, ran};
use crate::mock::{Mock, PASSWORD, USER};

#[tokio::test(flavor = "multi_thread")]
async fn yaml_says_what_json_says() {
    let mock = Mock::new();
    mock.inside().name = "yes: [no]\n- \"two\"".into();
    let (code, out, err) = on(&mock, &["systems", "show", "7", "-o", "yaml"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.contains("PowerState: Off\n") || out.contains("PowerState: \"Off\"\n"),
        "{out}"
    );
    insta::assert_snapshot!(out);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_chosen_by_name_or_pointer_and_an_unknown_one_names_those_there_are() {
    let mock = Mock::new();
    let (code, out, _) = on(
        &mock,
        &[
            "systems",
            "ls",
            "--columns",
            "name,/Boot/BootSourceOverrideTarget",
        ],
    )
    .await;
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines,
        ["NAME  /Boot/BootSourceOverrideTarget", "node  None"]
    );
    let (_, out, _) = on(&mock, &["systems", "ls", "--columns", "ID", "--no-headers"]).await;
    assert_eq!(out, "7\n");
    let (code, _, err) = on(&mock, &["systems", "ls", "--columns", "colour"]).await;
    assert_eq!(code, 2);
    assert!(
        err.contains("colour") && err.contains("ID, NAME, POWER"),
        "{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_gets_colours_only_when_they_are_asked_for_and_is_never_cut() {
    let rack = Rack::of(1).await;
    let shown = |variables: &'static [(&'static str, &'static str)],
                 flags: &'static [&'static str]| {
        let mut command = rack.hawkfish();
        command.args(["systems", "ls"]).args(flags);
        command.env("COLUMNS", "20").envs(variables.iter().copied());
        ran(command)
    };
    let plain = shown(&[], &[]).await.out;
    assert!(
        !plain.contains('\u{1b}') && !plain.contains('…'),
        "{plain:?}"
    );
    assert!(plain.lines().any(|line| line.len() > 60), "{plain:?}");
    let green = "\u{1b}[32mOK\u{1b}[0m";
    assert!(
        shown(&[("CLICOLOR_FORCE", "1")], &[])
            .await
            .out
            .contains(green)
    );
    assert!(shown(&[], &["--color=always"]).await.out.contains(green));
    assert_eq!(
        shown(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], &[])
            .await
            .out,
        plain
    );
    assert_eq!(
        shown(&[("CLICOLOR_FORCE", "1")], &["--color=never"])
            .await
            .out,
        plain
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_something_is_not_watched() {
    let mock = Mock::new();
    let (code, _, err) = on(&mock, &["systems", "power", "7", "On", "--watch"]).await;
    assert_eq!(code, 2);
    assert!(err.contains("only read"), "{err}");
    assert_eq!(mock.inside().power, "Off");
    let (code, _, _) = on(&mock, &["systems", "ls", "--watch=0"]).await;
    assert_eq!(code, 2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn in_a_pipe_a_watch_writes_a_line_of_json_for_each_change() {
    use std::io::{BufRead as _, BufReader};

    let mock = Mock::new();
    let mut command = hawkfish(&mock.listen().await);
    command
        .args(["systems", "show", "7", "-o", "json", "--watch=0.1"])
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = move || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let (first, rest) = tokio::task::spawn_blocking(move || {
        let mut line = line;
        (line(), line)
    })
    .await
    .unwrap();
    assert_eq!(first["PowerState"], "Off");
    // Passes in which nothing changes write nothing.
    let before = mock.paths().len();
    while mock.paths().len() < before + 6 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    mock.inside().power = "On";
    let second = tokio::task::spawn_blocking(move || {
        let mut rest = rest;
        rest()
    })
    .await
    .unwrap();
    assert_eq!(second["PowerState"], "On");
    // One log-in for all passes.
    assert_eq!(mock.inside().logins, 1);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_says_how_to_print_unless_somebody_else_does() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    std::fs::write(
        home.config(),
        format!(
            "profile = \"m\"\n[profiles.m]\nurl = \"{url}\"\nuser = \"{USER}\"\noutput = \"json\"\n"
        ),
    )
    .unwrap();
    let listed = async |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = home.hawkfish(&["systems", "ls"]);
        command.args(flags).env("HAWKFISH_PASSWORD", PASSWORD);
        ran({
            command.envs(variables.iter().copied());
            command
        })
        .await
        .out
    };
    let json: Value = serde_json::from_str(&listed(&[], &[]).await).unwrap();
    assert_eq!(json[0]["Id"], json!("7"));
    assert!(
        listed(&[("HAWKFISH_OUTPUT", "table")], &[])
            .await
            .starts_with("ID")
    );
    assert!(
        listed(&[("HAWKFISH_OUTPUT", "yaml")], &["-o", "table"])
            .await
            .starts_with("ID")
    );
    // Named on the command line, it says more than the environment.
    let named = listed(&[("HAWKFISH_OUTPUT", "table")], &["--profile", "m"]).await;
    assert!(named.starts_with('['), "{named}");
}
