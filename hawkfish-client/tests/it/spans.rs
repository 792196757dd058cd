//! What the client tells those who trace it, and what it does not.

use std::io::Write;
use std::sync::{Arc, Mutex};

use hawkfish_client::Retry;
use serde_json::json;
use tracing::instrument::WithSubscriber as _;

use crate::mock::{Mock, PASSWORD, USER};
use crate::script::{Script, answer};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn told(what: impl Future<Output = ()>) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    what.with_subscriber(subscriber).await;
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_request_is_a_span_with_method_path_and_status_and_without_secrets() {
    let told = told(async {
        let mock = Mock::new();
        let client = mock.client();
        let system = "/redfish/v1/Machines/7";
        let asked = format!("{system}?secret=in-the-query");
        client.get_value(&asked).await.unwrap();
        let change = |_: &serde_json::Value| {
            Ok(Some(
                json!({"Boot": {"BootSourceOverrideTarget": "Cd", "Word": "in-the-body"}}),
            ))
        };
        client.update(system, change).await.unwrap();
        client.get_value("/redfish/v1/Nothing").await.unwrap_err();
        client.logout().await.unwrap();
        let client = mock.builder().basic(USER, PASSWORD).build().unwrap();
        client.get_value(system).await.unwrap();
    })
    .await;
    for there in [
        "method=GET",
        "method=PATCH",
        "path=\"/redfish/v1/Machines/7\"",
        "status=200",
        "status=404",
        "service=bmc.example",
    ] {
        assert!(told.contains(there), "{there}: {told}");
    }
    // The last is what Basic makes of name and password.
    for secret in [
        PASSWORD,
        "token-1",
        "in-the-query",
        "in-the-body",
        "YWRtaW46c2VzYW1l",
    ] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

#[tokio::test]
async fn what_is_sent_again_is_told() {
    let told = told(async {
        let script = Script::new(|asked| match asked.number {
            0 => answer(503, &[], ""),
            _ => answer(200, &[], "{}"),
        });
        let retry = Retry {
            base: std::time::Duration::from_millis(1),
            ..Retry::default()
        };
        let client = script.builder().retry(retry).build().unwrap();
        client.get_value("/x").await.unwrap();
    })
    .await;
    assert!(told.contains("sending the request again"), "{told}");
    assert!(told.contains("status=503"), "{told}");
}
