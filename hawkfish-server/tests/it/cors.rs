//! Web pages from elsewhere: who may talk to the service, and who only thinks so.

use hawkfish_server::Options;
use hawkfish_server::layers::{Allowed, Origins};
use serde_json::json;

use crate::door::{ADMIN, Answer, Door, SESSIONS};

const UI: &str = "https://ui.example";
const EVIL: &str = "https://evil.example";
const ROOT: &str = "/redfish/v1/";

async fn open(origins: &[&str]) -> Door {
    let origins: Origins = origins
        .iter()
        .map(|origin| origin.parse::<Allowed>().unwrap())
        .collect();
    Door::open_with(Options {
        origins,
        ..Options::default()
    })
    .await
}

async fn ask(door: &Door, uri: &str, origin: &str, method: &str) -> Answer {
    door.send("OPTIONS", uri)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "x-auth-token,if-match")
        .answer()
        .await
}

#[tokio::test]
async fn a_page_that_the_operator_listed_asks_reads_and_changes() {
    let door = open(&[UI, "https://other.example:444"]).await;
    let asked = ask(&door, &door.system(0), UI, "PATCH").await;
    assert_eq!(asked.status, 204, "a browser asks without credentials");
    assert_eq!(asked.header("access-control-allow-origin"), UI);
    assert!(
        asked
            .header("access-control-allow-methods")
            .contains("PATCH")
    );
    for name in ["x-auth-token", "if-match", "content-type", "odata-version"] {
        assert!(
            asked.header("access-control-allow-headers").contains(name),
            "{name}"
        );
    }
    assert!(!asked.header("access-control-max-age").is_empty());

    let read = door.send("GET", &door.system(0)).admin();
    let read = read.header("origin", UI).answer().await;
    assert_eq!(read.status, 200);
    assert_eq!(read.header("access-control-allow-origin"), UI);
    assert!(
        read.header("access-control-expose-headers")
            .contains("etag")
    );
    // Nobody's cookies are wanted.
    assert!(
        !read
            .headers
            .contains_key("access-control-allow-credentials")
    );

    let patch = door.send("PATCH", &door.system(0)).admin();
    let patch = patch.header("origin", UI).json(&json!({"AssetTag": "ui"}));
    assert_eq!(patch.answer().await.status, 200);

    // What goes wrong can be read, too.
    let refused = door.send("GET", &door.system(0)).header("origin", UI);
    let refused = refused.answer().await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), UI);
}

#[tokio::test]
async fn answers_vary_by_origin_where_there_is_a_list() {
    let door = open(&[UI]).await;
    for origin in [Some(UI), Some(EVIL), None] {
        let mut sent = door.send("GET", ROOT);
        if let Some(origin) = origin {
            sent = sent.header("origin", origin);
        }
        let answer = sent.answer().await;
        let vary: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert!(vary.iter().any(|name| *name == "origin"), "{answer:?}");
        assert_eq!(
            answer.headers.contains_key("access-control-allow-origin"),
            origin == Some(UI)
        );
    }
}

#[tokio::test]
async fn a_page_from_elsewhere_changes_nothing_even_with_credentials() {
    for origins in [&[][..], &[UI]] {
        let door = open(origins).await;
        for origin in [EVIL, "null", "http://ui.example", "https://ui.example:444"] {
            let asked = ask(&door, ROOT, origin, "GET").await;
            asked.refused(403, "HeaderInvalid");
            assert!(!asked.headers.contains_key("access-control-allow-origin"));

            // A form can be sent without asking, and a browser may remember name and password.
            let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
            let sent = door
                .send("POST", &reset)
                .admin()
                .header("host", "bmc.example")
                .header("origin", origin)
                .raw(json!({"ResetType": "On"}).to_string());
            sent.answer().await.refused(403, "HeaderInvalid");
        }
        let system = door.read(&door.system(0)).await;
        assert_eq!(system.body["PowerState"], "Off");
    }
}

#[tokio::test]
async fn a_page_of_the_service_itself_is_at_home() {
    let door = open(&[]).await;
    let log_in = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
    let made = door
        .send("POST", SESSIONS)
        .header("host", "bmc.example:8443")
        .header("origin", "https://bmc.example:8443")
        .json(&log_in);
    assert_eq!(made.answer().await.status, 201);
}

#[tokio::test]
async fn nothing_is_said_of_origins_unless_the_operator_wants_it() {
    let door = open(&[]).await;
    let read = door.send("GET", ROOT).header("origin", EVIL).answer().await;
    assert_eq!(read.status, 200);
    assert!(!read.headers.contains_key("access-control-allow-origin"));

    let door = open(&["*"]).await;
    let read = door.send("GET", ROOT).header("origin", EVIL).answer().await;
    assert_eq!(read.header("access-control-allow-origin"), "*");
    let asked = ask(&door, ROOT, EVIL, "DELETE").await;
    assert_eq!(
        (
            asked.status.as_u16(),
            asked.header("access-control-allow-origin")
        ),
        (204, "*")
    );
}
