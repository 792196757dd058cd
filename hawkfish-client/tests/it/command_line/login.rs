//! `hawkfish login`: what is kept, where, for whom, and what is never seen.

use std::path::PathBuf;

use serde_json::Value;

use super::run::{Home, PROGRAM, forget_us, mode_of, ran, set_mode};
use crate::mock::{Mock, PASSWORD, USER};
use hawkfish_testing::part;

const LOGIN: &[&str] = &["login", "--user", USER, "--password-stdin", "--url"];

fn sessions(home: &Home) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(home.runtime().join("hawkfish"));
    let entries = entries.into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_login_serves_the_commands_after_it_until_logout() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let login = [LOGIN, &[url.as_str()]].concat();
    let ran = home.told(&login, &format!("{PASSWORD}\n")).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out
            .starts_with(&format!("logged in at {url} as {USER}")),
        "{}",
        ran.out
    );
    for _ in 0..2 {
        let ran = home.run(&["systems", "ls", "--url", &url]).await;
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    }
    assert_eq!(mock.inside().logins, 1);
    assert_eq!(mock.inside().tokens.len(), 1);
    let kept = sessions(&home);
    assert_eq!(kept.len(), 1);
    assert_eq!(mode_of(&kept[0]), 0o600);
    assert_eq!(mode_of(kept[0].parent().unwrap()), 0o700);

    let ran = home.run(&["logout", "--url", &url]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(mock.inside().tokens.is_empty());
    assert!(sessions(&home).is_empty());
    let ran = home.run(&["systems", "ls", "--url", &url]).await;
    assert_eq!(ran.code, 3);
    let ran = home.run(&["logout", "--url", &url]).await;
    assert!(
        ran.code == 0 && ran.out.contains("nobody was logged in"),
        "{}",
        ran.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_log_in_closes_the_session_of_the_first() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let login = [LOGIN, &[url.as_str()]].concat();
    for _ in 0..2 {
        assert_eq!(home.told(&login, PASSWORD).await.code, 0);
    }
    let inside = mock.inside();
    assert_eq!(inside.logins, 2);
    assert_eq!(Vec::from_iter(&inside.tokens), ["token-2"]);
    assert_eq!(sessions(&home).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_keeps_nothing_and_is_not_repeated() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let ran = home
        .told(&[LOGIN, &[url.as_str()]].concat(), "guessed wrong")
        .await;
    assert_eq!(ran.code, 3);
    assert!(
        !ran.err.contains("guessed") && ran.out.is_empty(),
        "{}",
        ran.err
    );
    assert!(sessions(&home).is_empty() && !home.config().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_for_one_service_is_sent_to_no_other() {
    let (one, other) = (Mock::new(), Mock::new());
    let (url, elsewhere) = (one.listen().await, other.listen().await);
    let home = Home::new();
    assert_eq!(
        home.told(&[LOGIN, &[url.as_str()]].concat(), PASSWORD)
            .await
            .code,
        0
    );
    // The token would be taken here.
    other.inside().tokens.insert("token-1".into());
    let ran = home.run(&["systems", "ls", "--url", &elsewhere]).await;
    assert_eq!(ran.code, 3, "{}", ran.out);
    let inside = other.inside();
    assert!(
        inside
            .asked
            .iter()
            .all(|asked| !asked.headers.contains_key("x-auth-token"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_has_ended_says_to_log_in_again_by_the_profile() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    home.run(&["profiles", "add", "lab", "--url", &url]).await;
    let login = ["login", "--user", USER, "--password-stdin"];
    assert_eq!(home.told(&login, PASSWORD).await.code, 0);
    // The profile has learned who it is.
    let text = std::fs::read_to_string(home.config()).unwrap();
    assert!(text.contains(&format!("user = \"{USER}\"")), "{text}");
    assert_eq!(home.run(&["systems", "ls"]).await.code, 0);
    mock.inside().tokens.clear();
    let ran = home.run(&["systems", "ls"]).await;
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("hawkfish login --profile lab"),
        "{}",
        ran.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_could_read_is_neither_written_nor_believed() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let login = [LOGIN, &[url.as_str()]].concat();
    set_mode(&home.runtime(), 0o755);
    let ran = home.told(&login, PASSWORD).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("chmod 700"), "{}", ran.err);
    assert!(sessions(&home).is_empty());
    // Nothing is left open that nobody can use.
    assert!(mock.inside().tokens.is_empty());
    set_mode(&home.runtime(), 0o700);
    assert_eq!(home.told(&login, PASSWORD).await.code, 0);
    set_mode(&sessions(&home)[0], 0o644);
    let ran = home.run(&["systems", "ls", "--url", &url]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("chmod 600"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_stand_in_no_output_and_in_no_file_but_that_of_the_session() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let login = [LOGIN, &[url.as_str(), "-o", "json"]].concat();
    let ran = home.told(&login, PASSWORD).await;
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(said["UserName"], USER);
    let mut all = vec![
        ran.out,
        ran.err,
        std::fs::read_to_string(home.config()).unwrap(),
    ];
    for command in [
        &["systems", "ls"][..],
        &["profiles", "ls"],
        &["raw", "get", "/nothing"],
        &["login", "--help"],
    ] {
        let ran = home
            .run(&[command, &["-o", "json", "--url", &url]].concat())
            .await;
        all.extend([ran.out, ran.err]);
    }
    for text in &all {
        assert!(
            !text.contains(PASSWORD) && !text.contains("token-1"),
            "{text}"
        );
    }
    let kept = std::fs::read_to_string(&sessions(&home)[0]).unwrap();
    assert!(kept.contains("token-1") && !kept.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_nobody_is_asked() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    // setsid: a test may be run from a terminal, which is then at /dev/tty.
    let mut command = std::process::Command::new("setsid");
    command.args(["--wait", PROGRAM, "login", "--user", USER, "--url", &url]);
    forget_us(&mut command);
    home.leads(&mut command);
    let ended = ran(command).await;
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("--password-stdin"), "{}", ended.err);
    let ended = home
        .told(&["login", "--password-stdin", "--url", &url], PASSWORD)
        .await;
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("--user"), "{}", ended.err);
}

/// Runs a script in a session bus of its own, with a keyring that is unlocked.
async fn with_keyring(home: &Home, script: &str) -> Option<super::run::Ran> {
    for program in ["dbus-run-session", "gnome-keyring-daemon"] {
        if !std::path::Path::new("/usr/bin").join(program).exists() {
            part::skip(program);
            return None;
        }
    }
    let script = format!(
        "set -u; echo -n key | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; {script}"
    );
    let mut command = std::process::Command::new("dbus-run-session");
    command.args(["--", "bash", "-c", &script]);
    forget_us(&mut command);
    home.leads(&mut command);
    command
        .env("XDG_DATA_HOME", home.dir.path().join("data"))
        .env("HF", PROGRAM)
        .env("PASSWORD", PASSWORD);
    Some(ran(command).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_keyring_opens_a_session_for_each_command_until_logout() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let script = format!(
        "echo \"$PASSWORD\" | $HF login --save --password-stdin --user {USER} --url {url} || exit 10
         unset PASSWORD
         $HF systems ls --url {url} || exit 11
         $HF systems ls --url {url} --auth basic || exit 12
         $HF logout --url {url} || exit 13
         $HF systems ls --url {url} --user {USER}; [ $? = 3 ] || exit 14"
    );
    let Some(ran) = with_keyring(&home, &script).await else {
        return;
    };
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(
        ran.out.contains("the password is kept in the keyring"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains(&format!("password of {USER}")),
        "{}",
        ran.out
    );
    assert!(
        ran.err.contains("there is no password for admin"),
        "{}",
        ran.err
    );
    // To prove it and for the first command; the second needs none.
    assert_eq!(mock.inside().logins, 2);
    assert!(mock.inside().tokens.is_empty());
    assert!(sessions(&home).is_empty());
    assert!(!format!("{}{}", ran.out, ran.err).contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_folder_at_run_time_the_keyring_keeps_the_session() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let script = format!(
        "unset XDG_RUNTIME_DIR
         echo \"$PASSWORD\" | $HF login --password-stdin --user {USER} --url {url} || exit 10
         $HF systems ls --url {url} || exit 11
         $HF logout --url {url} || exit 12"
    );
    let Some(ran) = with_keyring(&home, &script).await else {
        return;
    };
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(
        ran.out.contains("the session is kept in the keyring"),
        "{}",
        ran.out
    );
    assert_eq!(mock.inside().logins, 1);
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_kept_it_says_what_to_do() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    for (save, words) in [
        (true, "HAWKFISH_CREDENTIALS_FILE"),
        (false, "XDG_RUNTIME_DIR"),
    ] {
        let mut command = home.hawkfish(&["login", "--url", &url]);
        command
            .env_remove("XDG_RUNTIME_DIR")
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/there is none")
            .env("HAWKFISH_USERNAME", USER)
            .env("HAWKFISH_PASSWORD", PASSWORD)
            .args(save.then_some("--save"));
        let ran = ran(command).await;
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains(words), "{}", ran.err);
        assert!(mock.inside().tokens.is_empty());
    }
}
