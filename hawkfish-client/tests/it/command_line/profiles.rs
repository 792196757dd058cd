//! `hawkfish profiles`, and which service a command goes to.

use super::run::{Home, mode_of, ran};
use crate::mock::{Mock, PASSWORD, USER};

#[tokio::test(flavor = "multi_thread")]
async fn profiles_are_made_shown_chosen_and_forgotten() {
    let home = Home::new();
    let add = [
        "profiles",
        "add",
        "lab",
        "--url",
        "bmc.example:8443",
        "--user",
        "root",
        "--timeout",
        "9",
    ];
    let ran = home.run(&add).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = home
        .run(&[
            "profiles",
            "add",
            "site",
            "--url",
            "http://site.example",
            "--auth",
            "basic",
        ])
        .await;
    assert_eq!(ran.code, 0);
    let ran = home.run(&["profiles", "ls"]).await;
    insta::assert_snapshot!(ran.out, @"
    NAME  DEFAULT  URL                       USER  AUTH
    lab   yes      https://bmc.example:8443  root
    site  no       http://site.example             basic
    ");
    let ran = home.run(&add).await;
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("--replace"), "{}", ran.err);
    let ran = home
        .run(&[
            "profiles",
            "add",
            "lab",
            "--replace",
            "--url",
            "https://other.example",
        ])
        .await;
    assert_eq!(ran.code, 0);
    let shown = home.run(&["profiles", "show", "-o", "json"]).await.out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["url"], "https://other.example");
    assert_eq!(shown["user"], serde_json::Value::Null);
    assert_eq!(home.run(&["profiles", "use", "site"]).await.code, 0);
    assert_eq!(home.run(&["profiles", "rm", "lab"]).await.code, 0);
    let text = std::fs::read_to_string(home.config()).unwrap();
    assert_eq!(
        text,
        "profile = \"site\"\n\n[profiles.site]\nurl = \"http://site.example\"\nauth = \"basic\"\n"
    );
    assert_eq!(mode_of(&home.config()), 0o600);
    let ran = home.run(&["profiles", "use", "lab"]).await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("there are site"), "{}", ran.err);
    assert_eq!(home.run(&["profiles", "rm", "site"]).await.code, 0);
    assert_eq!(home.run(&["profiles", "show"]).await.code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_has_written_into_the_file_stays() {
    let home = Home::new();
    let written = "# mine\nprofile = \"a\" # today\n\n[profiles.a] # the first\nurl = \"https://a.example\"\n";
    std::fs::write(home.config(), written).unwrap();
    assert_eq!(
        home.run(&["profiles", "add", "b", "--url", "b.example"])
            .await
            .code,
        0
    );
    assert_eq!(home.run(&["profiles", "rm", "b"]).await.code, 0);
    assert_eq!(std::fs::read_to_string(home.config()).unwrap(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nobody_knows_is_an_error_that_names_it_and_where_it_stands() {
    let home = Home::new();
    for (text, words) in [
        (
            "[profiles.a]\nurl = \"x\"\nusr = \"y\"\n",
            ["usr", "config.toml:3"],
        ),
        ("colour = 1\n", ["colour", "config.toml:1"]),
        (
            "[profiles.a]\npassword = \"inside\"\n",
            ["`password`", "hawkfish login --save"],
        ),
        (
            "[profiles.a]\nauth = \"inside out\"\n",
            ["config.toml:2", "session"],
        ),
        ("[profiles\n", ["config.toml:1", ""]),
    ] {
        std::fs::write(home.config(), text).unwrap();
        for command in [&["systems", "ls"][..], &["profiles", "ls"]] {
            let ran = home.run(command).await;
            assert_eq!(ran.code, 2, "{text}");
            assert!(
                words.iter().all(|word| ran.err.contains(word)),
                "{text}: {}",
                ran.err
            );
            assert!(!ran.err.contains("\"inside\""), "{}", ran.err);
        }
        // What needs no configuration works also then.
        assert_eq!(home.run(&["completions", "bash"]).await.code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_say_more_than_the_environment_and_that_says_more_than_profiles() {
    let (one, two, three) = (Mock::new(), Mock::new(), Mock::new());
    let urls = [one.listen().await, two.listen().await, three.listen().await];
    let home = Home::new();
    std::fs::write(
        home.config(),
        format!(
            "profile = \"one\"\n[profiles.one]\nurl = \"{}\"\nuser = \"{USER}\"\n[profiles.two]\nurl = \"{}\"\nuser = \"{USER}\"\n",
            urls[0], urls[1]
        ),
    )
    .unwrap();
    let asked = async |variables: &[(&str, &str)], flags: &[&str]| {
        let mut command = home.hawkfish(&["systems", "ls"]);
        command.args(flags).env("HAWKFISH_PASSWORD", PASSWORD);
        command.envs(variables.iter().copied());
        let before = [&one, &two, &three].map(|mock| mock.paths().len());
        let ran = ran(command).await;
        let after = [&one, &two, &three].map(|mock| mock.paths().len());
        let asked: Vec<usize> = (0..3)
            .filter(|&index| after[index] > before[index])
            .collect();
        (ran.code, asked)
    };
    let url = urls[2].as_str();
    let user = ("HAWKFISH_USERNAME", USER);
    assert_eq!(asked(&[], &[]).await, (0, vec![0]));
    assert_eq!(
        asked(&[("HAWKFISH_PROFILE", "two")], &[]).await,
        (0, vec![1])
    );
    assert_eq!(
        asked(&[("HAWKFISH_PROFILE", "one")], &["--profile", "two"]).await,
        (0, vec![1])
    );
    assert_eq!(
        asked(&[("HAWKFISH_URL", url), user], &[]).await,
        (0, vec![2])
    );
    assert_eq!(
        asked(&[("HAWKFISH_URL", url)], &["--profile", "two"]).await,
        (0, vec![1])
    );
    assert_eq!(asked(&[user], &["--url", url]).await, (0, vec![2]));
    assert_eq!(asked(&[], &["--profile", "three"]).await, (4, vec![]));
    // The user of a profile is not that of another service: whose the password is, nobody has said.
    assert_eq!(asked(&[], &["--url", url]).await, (2, vec![]));
}
