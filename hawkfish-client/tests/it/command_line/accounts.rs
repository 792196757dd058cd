//! `hawkfish accounts`: who can log in, proved by who then can.

use std::os::unix::fs::PermissionsExt as _;

use hawkfish_client::{Client, Kind};
use serde_json::json;
use wiremock::matchers::{any, method, path_regex};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::rack::Rack;
use super::run::bare;

const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";

/// Whether they are let in.
async fn is_let_in(rack: &Rack, user: &str, password: &str) -> bool {
    let client = Client::builder(&rack.url).session(user, password).build();
    let client = client.unwrap();
    match client.login().await {
        Ok(()) => {
            client.logout().await.unwrap();
            true
        }
        Err(error) => {
            assert_eq!(error.kind, Kind::Unauthorized, "{error}");
            false
        }
    }
}

async fn add(rack: &Rack, name: &str, role: &str, password: &str) {
    let arguments = ["accounts", "add", name, "--role", role, "--password-stdin"];
    let input = format!("{password}\n");
    let ran = rack.run_with_input(&input, &arguments).await;
    assert_eq!(ran.done(), format!("{name}: added\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_shown_changed_and_removed() {
    let rack = Rack::of(1).await;
    add(&rack, "olga", "operator", "olga's first").await;
    assert!(is_let_in(&rack, "olga", "olga's first").await);
    insta::assert_snapshot!("accounts_ls", rack.run(&["accounts", "ls"]).await.done());
    insta::assert_snapshot!(
        "accounts_show",
        rack.run(&["accounts", "show", "olga"]).await.done()
    );

    let ran = rack.run(&[
        "accounts", "set", "olga", "--role", "readonly", "--name", "oleg",
    ]);
    assert_eq!(ran.await.done(), "olga: is called oleg and is ReadOnly\n");
    let account = &rack.members(ACCOUNTS).await[1];
    let account = rack.get(account).await;
    assert_eq!(
        (&account["UserName"], &account["RoleId"]),
        (&"oleg".into(), &"ReadOnly".into())
    );

    rack.run(&["accounts", "disable", "oleg"]).await.done();
    assert!(!is_let_in(&rack, "oleg", "olga's first").await);
    rack.run(&["accounts", "enable", "oleg"]).await.done();
    assert!(is_let_in(&rack, "oleg", "olga's first").await);

    assert_eq!(
        rack.run(&["accounts", "rm", "oleg"]).await.done(),
        "oleg: removed\n"
    );
    assert!(!is_let_in(&rack, "oleg", "olga's first").await);
    let err = rack.run(&["accounts", "show", "oleg"]).await.failed(4);
    assert!(err.contains("there is no account oleg"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_comes_from_a_file_that_only_its_owner_can_read_and_never_from_the_command_line()
{
    let rack = Rack::of(1).await;
    add(&rack, "olga", "Operator", "olga's first").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "olga's second\nand no more\n").unwrap();
    let path = file.path().to_str().unwrap();
    let arguments = ["accounts", "passwd", "olga", "--password-file", path];
    let mode = |mode| {
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(0o644);
    let err = rack.run(&arguments).await.failed(2);
    assert!(err.contains("chmod 600"), "{err}");
    assert!(is_let_in(&rack, "olga", "olga's first").await);
    mode(0o600);
    assert_eq!(
        rack.run(&arguments).await.done(),
        "olga: password changed\n"
    );
    assert!(!is_let_in(&rack, "olga", "olga's first").await);
    assert!(is_let_in(&rack, "olga", "olga's second").await);

    for more in [&["--password", "olga's third"][..], &["olga's third"]] {
        let arguments = [&["accounts", "passwd", "olga"], more].concat();
        rack.run(&arguments).await.failed(2);
    }
    // Without a terminal there is nobody to ask.
    let err = rack.run_with_input("olga's third\n", &["accounts", "passwd", "olga"]);
    let err = err.await.failed(2);
    assert!(err.contains("--password-stdin"), "{err}");
    assert!(is_let_in(&rack, "olga", "olga's second").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_change_the_password_is_told_how_and_can() {
    let rack = Rack::of(1).await;
    let add = [
        "accounts",
        "add",
        "olga",
        "--role",
        "Operator",
        "--must-change",
        "--password-stdin",
    ];
    rack.run_with_input("olga's first\n", &add).await.done();
    let err = rack
        .run_as("olga", "olga's first", &["systems", "ls"])
        .await
        .failed(3);
    assert!(err.contains("hawkfish accounts passwd"), "{err}");

    let passwd = |more: &'static [&'static str]| {
        let mut command = rack.hawkfish();
        command
            .env("HAWKFISH_USERNAME", "olga")
            .env("HAWKFISH_PASSWORD", "olga's first")
            .args([&["accounts", "passwd", "--password-stdin"], more].concat());
        super::run::ran_with_input(command, "olga's second\n")
    };
    // Somebody else's is not hers to change.
    passwd(&["admin"]).await.failed(3);
    assert_eq!(passwd(&[]).await.done(), "olga: password changed\n");
    let ran = rack.run_as("olga", "olga's second", &["systems", "ls"]);
    assert!(ran.await.done().contains("sim-00001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_account_is_unlocked() {
    let rack = Rack::of(1).await;
    add(&rack, "olga", "Operator", "olga's first").await;
    for _ in 0..5 {
        assert!(!is_let_in(&rack, "olga", "a guess").await);
    }
    assert!(!is_let_in(&rack, "olga", "olga's first").await);
    let listed = rack.run(&["accounts", "ls", "-o", "json"]).await.json();
    assert_eq!(listed[1]["Locked"], true);
    assert_eq!(
        rack.run(&["accounts", "unlock", "olga"]).await.done(),
        "olga: unlocked\n"
    );
    assert!(is_let_in(&rack, "olga", "olga's first").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_does_not_take_makes_no_account() {
    let rack = Rack::of(1).await;
    let add = |role: &'static str, password: &'static str| {
        let arguments = [
            "accounts",
            "add",
            "olga",
            "--role",
            role,
            "--password-stdin",
        ];
        let rack = &rack;
        async move { rack.run_with_input(password, &arguments).await }
    };
    let err = add("King", "long enough\n").await.failed(2);
    assert!(err.contains("Administrator, Operator, ReadOnly"), "{err}");
    let err = add("Operator", "short\n").await.failed(1);
    assert!(
        err.contains("Password") && !err.contains("short\n"),
        "{err}"
    );
    let err = add("Operator", "\n").await.failed(2);
    assert!(err.contains("empty"), "{err}");
    assert_eq!(rack.members(ACCOUNTS).await.len(), 1);
    rack.run(&["accounts", "set", "admin"]).await.failed(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_refused_as_such() {
    let rack = Rack::of(1).await;
    add(&rack, "olga", "ReadOnly", "olga's first").await;
    let ran = rack.run_as("olga", "olga's first", &["accounts", "disable", "admin"]);
    ran.await.failed(3);
    let add = ["accounts", "rm", "admin"];
    rack.run_as("olga", "olga's first", &add).await.failed(3);
    assert_eq!(rack.members(ACCOUNTS).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_it_has_to_be_said_whose_password_it_is() {
    let rack = Rack::of(1).await;
    add(&rack, "olga", "Operator", "olga's first").await;
    let passwd = async |more: &[&str]| {
        let mut command = rack.hawkfish();
        command
            .env("HAWKFISH_AUTH", "basic")
            .env("HAWKFISH_USERNAME", "olga")
            .env("HAWKFISH_PASSWORD", "olga's first")
            .args([&["accounts", "passwd", "--password-stdin"], more].concat());
        super::run::ran_with_input(command, "olga's second\n").await
    };
    let err = passwd(&[]).await.failed(2);
    assert!(err.contains("name the account"), "{err}");
    assert!(is_let_in(&rack, "olga", "olga's first").await);
}

/// A service whose accounts are slots that are always there, as those of IPMI are.
async fn slots() -> MockServer {
    let server = MockServer::start().await;
    let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
    let slot = |id: &str, name: &str| json!({"@odata.id": format!("/redfish/v1/A/{id}"), "Id": id, "UserName": name, "Enabled": !name.is_empty()});
    for (path, body) in [
        ("", json!({"AccountService": at("/S")})),
        ("/S", json!({"Accounts": at("/A")})),
        (
            "/A",
            json!({"Members": [at("/A/1"), at("/A/2"), at("/A/3")]}),
        ),
        ("/A/1", slot("1", "")),
        ("/A/2", slot("2", "root")),
        ("/A/3", slot("3", "")),
    ] {
        let answer = ResponseTemplate::new(200)
            .insert_header("etag", "\"7\"")
            .set_body_json(body);
        let path = path_regex(format!("^/redfish/v1{path}/?$"));
        let given = Mock::given(method("GET")).and(path);
        given.respond_with(answer).mount(&server).await;
    }
    let given = Mock::given(method("PATCH"));
    given
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let refused = ResponseTemplate::new(405);
    Mock::given(any())
        .respond_with(refused)
        .with_priority(10)
        .mount(&server)
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn where_accounts_are_slots_an_empty_one_is_filled_and_emptied_again() {
    let server = slots().await;
    let run = async |arguments: &[&str], input: &str| {
        let mut command = bare();
        command.env("HAWKFISH_URL", server.uri()).args(arguments);
        super::run::ran_with_input(command, input).await
    };
    let listed = run(&["accounts", "ls"], "").await.done();
    assert!(
        listed.lines().count() == 2 && listed.contains("root"),
        "{listed}"
    );
    let listed = run(&["accounts", "ls", "--all"], "").await.done();
    assert_eq!(listed.lines().count(), 4);
    let add = [
        "accounts",
        "add",
        "olga",
        "--role",
        "Operator",
        "--password-stdin",
    ];
    assert_eq!(run(&add, "secret\n").await.done(), "olga: added\n");
    assert_eq!(
        run(&["accounts", "rm", "root"], "").await.done(),
        "root: removed\n"
    );
    let requests = server.received_requests().await.unwrap();
    let patches: Vec<_> = requests
        .iter()
        .filter(|request| request.method.as_str() == "PATCH")
        .map(|request| {
            assert_eq!(request.headers["if-match"], "\"7\"");
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            (request.url.path().to_owned(), body)
        })
        .collect();
    // Not the first, which is nobody's.
    let filled =
        json!({"UserName": "olga", "Password": "secret", "RoleId": "Operator", "Enabled": true});
    let emptied = json!({"UserName": "", "Enabled": false});
    assert_eq!(
        patches,
        [
            ("/redfish/v1/A/3".to_owned(), filled),
            ("/redfish/v1/A/2".to_owned(), emptied)
        ]
    );
}
