//! What the log tells, and what it never tells.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::door::{ADMIN, Door, SESSIONS, SYSTEMS};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn every_request_is_told_and_no_secret_is() {
    let kept = Kept::default();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(kept.clone());
    let _guard = tracing::subscriber::set_default(log.finish());
    let door = Door::open().await;
    let session = door.log_in(ADMIN.0, ADMIN.1).await;
    let token = session.header("x-auth-token").to_owned();
    door.log_in(ADMIN.0, "mistyped secret")
        .await
        .refused(401, "AccessUnauthorized");
    door.read(SYSTEMS).await;
    door.send("GET", SYSTEMS).token(&token).answer().await;
    door.send("GET", &format!("{SYSTEMS}?token=query-secret"))
        .token(&token)
        .answer()
        .await;
    let body = json!({"UserName": "ann", "Password": "body secret", "RoleId": "ReadOnly"});
    door.send("POST", crate::door::ACCOUNTS)
        .token(&token)
        .json(&body)
        .answer()
        .await;
    let broken = r#"{"UserName": "ann", "Password": "broken secret""#;
    door.send("POST", SESSIONS)
        .header("content-type", "application/json")
        .raw(broken)
        .answer()
        .await;
    door.send("DELETE", session.header("location"))
        .token(&token)
        .answer()
        .await;
    let text = kept.text();
    for secret in [
        ADMIN.1,
        &token,
        "mistyped secret",
        "query-secret",
        "body secret",
        "broken secret",
        "YWRtaW46",
    ] {
        assert!(!text.contains(secret), "{secret} is in the log:\n{text}");
    }
    let line = text
        .lines()
        .find(|line| {
            line.contains("route=\"/redfish/v1/SessionService/Sessions/{session}\"")
                && line.contains("answered")
        })
        .unwrap_or_else(|| panic!("{text}"));
    for part in [
        "request{id=",
        "method=DELETE",
        "status=204",
        "microseconds=",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}
