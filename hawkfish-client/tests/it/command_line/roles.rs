//! `hawkfish roles`: what accounts may do, proved by an account that does it.

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_made_shown_used_and_removed() {
    let rack = Rack::of(1).await;
    let add = [
        "roles",
        "add",
        "Watcher",
        "-p",
        "Login",
        "-p",
        "ConfigureSelf",
    ];
    assert_eq!(rack.run(&add).await.done(), "Watcher: added\n");
    insta::assert_snapshot!("roles_ls", rack.run(&["roles", "ls"]).await.done());
    insta::assert_snapshot!(
        "roles_show",
        rack.run(&["roles", "show", "Watcher"]).await.done()
    );

    let add = [
        "accounts",
        "add",
        "olga",
        "--role",
        "watcher",
        "--password-stdin",
    ];
    rack.run_with_input("long enough\n", &add).await.done();
    let by_olga =
        |arguments: &'static [&'static str]| rack.run_as("olga", "long enough", arguments);
    assert!(
        by_olga(&["systems", "ls"])
            .await
            .done()
            .contains("sim-00001")
    );
    by_olga(&["systems", "power", "sim-00001", "On"])
        .await
        .failed(3);

    // In use it cannot go.
    rack.run(&["roles", "rm", "Watcher"]).await.failed(5);
    rack.run(&["accounts", "rm", "olga"]).await.done();
    assert_eq!(
        rack.run(&["roles", "rm", "Watcher"]).await.done(),
        "Watcher: removed\n"
    );
    rack.run(&["roles", "show", "Watcher"]).await.failed(4);
    rack.run(&["roles", "add", "Nobody"]).await.failed(2);
}
