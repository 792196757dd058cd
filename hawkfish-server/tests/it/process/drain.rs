//! How it starts and how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::until;

/// Enough for a request that is under way.
const END: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn the_line_that_it_prints_to_try_it_with_works_as_it_stands() {
    let server = Server::simulated(3, &[]);
    let line = server.banner().lines().last().unwrap();
    let line = line.trim().strip_prefix("try").unwrap();
    // The password was given, so curl would ask for it.
    let line = line.replace("-u admin ", &format!("-u 'admin:{PASSWORD}' "));
    let done = Command::new("sh")
        .args(["-c", &format!("{line} --silent --fail")])
        .output();
    let done = done.unwrap();
    assert!(done.status.success(), "{line}: {done:?}");
    let systems: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(systems["Members@odata.count"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_is_answered_before_it_ends_by_sigterm() {
    let mut server = Server::simulated(1, &["--tls", "off"]);
    let client = server.client().await;
    let system = client.members("/redfish/v1/Systems").await.remove(0);
    // Half of a request: a slow client, as seen from the server.
    let body = r#"{"AssetTag":"slow"}"#;
    let (first, second) = body.split_at(8);
    let credentials = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let mut slow = TcpStream::connect(server.address()).unwrap();
    write!(
        slow,
        "PATCH {system} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{first}",
        body.len()
    )
    .unwrap();
    // What is sent after it has been answered, so the server has begun with it, too.
    client.read(&system).await;

    server.terminate();
    until("it takes no more connections", END, async || {
        TcpStream::connect(server.address()).is_err().then_some(())
    })
    .await;
    slow.write_all(second.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains(r#""AssetTag":"slow""#), "{answer}");
    // The client's own connection is idle, and holds nothing up.
    let status = server.ended(END).await;
    assert_eq!(status.code(), Some(0), "{status}");

    server.start();
    let client = server.client().await;
    assert_eq!(client.read(&system).await["AssetTag"], "slow");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_clients_do_not_keep_it_from_ending() {
    for tls in ["self-signed", "off"] {
        let mut server = Server::simulated(2, &["--tls", tls]);
        let clients = [server.client().await, server.client().await];
        // And one that never says anything, not even what TLS begins with.
        let silent = TcpStream::connect(server.address()).unwrap();
        for client in &clients {
            client.read("/redfish/v1/Systems").await;
        }
        server.terminate();
        let status = server.ended(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{tls}: {status}");
        drop(silent);
    }
}
