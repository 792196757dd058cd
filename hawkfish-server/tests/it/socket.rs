//! What only a socket shows: TLS, plain HTTP on the wrong port, slow clients, and the end.

use std::sync::Arc;
use std::time::Duration;

use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::door::Door;

struct Running {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
    certificate: Option<CertificateDer<'static>>,
    _dir: tempfile::TempDir,
}

async fn run(choice: TlsChoice, max_connections: usize) -> Running {
    let door = Door::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let tls = tls::load(&choice, dir.path(), address.ip()).unwrap();
    let certificate = tls
        .as_ref()
        .map(|tls| CertificateDer::from_pem_file(&tls.certificate).unwrap());
    let (stop, stopped) = oneshot::channel();
    let bounds = Bounds { max_connections };
    let stop_now = async {
        let _ = stopped.await;
    };
    let done = tokio::spawn(serve(
        door.app,
        listener,
        tls.map(|tls| tls.config),
        bounds,
        stop_now,
    ));
    Running {
        address,
        stop,
        done,
        certificate,
        _dir: dir,
    }
}

/// Sends text, and returns all that comes back until the end.
async fn talk(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    text: &str,
) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // A TLS peer that just closes is no error for us.
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all))
        .await
        .unwrap();
    String::from_utf8_lossy(&all).into_owned()
}

const GET: &str = "GET /redfish/v1/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn tls_is_spoken_with_the_certificate_of_its_own() {
    let running = run(TlsChoice::SelfSigned, 10).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(running.certificate.clone().unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for name in ["localhost", "127.0.0.1"] {
        let stream = TcpStream::connect(running.address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(config.clone()));
        let mut stream = connector
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
            .unwrap();
        let answer = talk(&mut stream, GET).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(
            answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
        assert!(answer.contains("strict-transport-security"), "{answer}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_http_ends_only_its_own_connection() {
    let running = run(TlsChoice::Off, 10).await;
    for nonsense in [
        "\r\n\r\n\0\0\0",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /a b c HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let answer = talk(&mut stream, nonsense).await;
        assert!(
            answer.is_empty()
                || answer.starts_with("HTTP/1.1 4")
                || answer.starts_with("HTTP/1.0 4"),
            "{answer}"
        );
    }
    let long = format!(
        "GET /redfish/v1/ HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(100 * 1024)
    );
    for (nonsense, status) in [("GET / HTTP/9.9\r\n\r\n", 400), (long.as_str(), 431)] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let answer = talk(&mut stream, nonsense).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        assert_eq!(head.split(' ').nth(1), Some(status.to_string().as_str()));
        assert!(head.contains("odata-version: 4.0"), "{head}");
        let body: serde_json::Value = serde_json::from_str(body).expect("JSON, all of it");
        assert!(body["error"]["@Message.ExtendedInfo"][0]["MessageId"].is_string());
    }
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert!(talk(&mut stream, GET).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_and_the_answer_arrives() {
    let running = run(TlsChoice::Off, 10).await;
    let stream = TcpStream::connect(running.address).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let size = 100 * 1024 * 1024;
    let sending = tokio::spawn(async move {
        let head = format!(
            "POST /redfish/v1/SessionService/Sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        );
        write.write_all(head.as_bytes()).await.unwrap();
        let chunk = vec![b' '; 1024 * 1024];
        for _ in 0..100 {
            if write.write_all(&chunk).await.is_err() {
                break;
            }
        }
        // Closed only by whoever takes it.
        write
    });
    let mut answer = [0; 64];
    let got = tokio::time::timeout(Duration::from_secs(30), read.read(&mut answer))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&answer[..got]);
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    sending.abort();
}

/// The statuses of all answers in a talk, and whether the last one says that the connection ends.
fn statuses(talk: &str) -> (Vec<&str>, bool) {
    let answers = talk.split("HTTP/1.1 ").skip(1);
    let statuses = answers
        .clone()
        .filter_map(|answer| answer.split(' ').next());
    let last = answers.clone().last().unwrap_or_default();
    let ends = last.to_lowercase().contains("connection: close");
    (statuses.collect(), ends)
}

#[tokio::test]
async fn a_refused_body_that_comes_late_does_not_cost_the_next_request_its_connection() {
    let running = run(TlsChoice::Off, 10).await;
    for path in ["/redfish/v1/", "/redfish/v1/Systems", "/redfish/v1/None"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // Long enough to be answered, were it not for the body.
        tokio::time::sleep(Duration::from_millis(200)).await;
        stream.write_all(b"{}").await.unwrap();
        let talk = talk(&mut stream, GET).await;
        let (all, _) = statuses(&talk);
        assert_eq!(all.len(), 2, "{talk}");
        assert!(all[0].starts_with('4') && all[1] == "200", "{talk}");
    }
}

#[tokio::test]
async fn a_refused_body_that_is_large_or_held_back_ends_the_connection_and_the_answer_says_so() {
    let running = run(TlsChoice::Off, 10).await;
    for more in [
        "Content-Length: 1000000",
        "Content-Length: 5\r\nExpect: 100-continue",
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let head = format!("POST /redfish/v1/ HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n");
        let talk = talk(&mut stream, &head).await;
        assert_eq!(statuses(&talk), (vec!["401"], true), "{talk}");
    }
}

#[tokio::test]
async fn the_end_waits_for_requests_and_lets_nobody_else_in() {
    let running = run(TlsChoice::Off, 10).await;
    // A request that has begun: its body is still on the way.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let body = r#"{"UserName": "admin", "Password": "correct horse"}"#;
    let head = format!(
        "POST /redfish/v1/SessionService/Sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    // Another connection has said nothing; once it is answered, the first one's head has been read as well.
    let mut other = TcpStream::connect(running.address).await.unwrap();
    assert!(talk(&mut other, GET).await.starts_with("HTTP/1.1 200"));
    running.stop.send(()).unwrap();
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let answer = talk(&mut stream, &body[10..]).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    tokio::time::timeout(Duration::from_secs(10), running.done)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn more_connections_than_allowed_wait_their_turn() {
    let running = run(TlsChoice::Off, 1).await;
    let first = TcpStream::connect(running.address).await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(300), second.read(&mut byte)).await;
    assert!(
        early.is_err(),
        "the second was answered although the first was there"
    );
    drop(first);
    let answer = talk(&mut second, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
