//! Files on their way to a service: as they are on disk, in pieces, and never further ahead than the service takes them.

use std::io::{Seek as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hawkfish_client::{Client, Kind, Outcome, Upload};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const PUSH: &str = "/redfish/v1/UpdateService/push";

fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::with_suffix(".bin").unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[tokio::test]
async fn a_form_holds_what_is_to_be_done_and_the_file_as_it_is() {
    let server = MockServer::start().await;
    Mock::given(path(PUSH))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let file = file(&bytes);
    let client = Client::builder(server.uri())
        .basic("u", "p")
        .build()
        .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let progress = move |sent, all| telling.lock().unwrap().push((sent, all));
    let upload = Upload::form(file.path(), json!({"Targets": ["/redfish/v1/x"]}));
    let outcome = client.upload(PUSH, &upload, progress).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));

    let requests = server.received_requests().await.unwrap();
    let request = &requests[0];
    let kind = request.headers["content-type"].to_str().unwrap();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
    let name = file.path().file_name().unwrap().to_str().unwrap();
    let mut expected = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"UpdateParameters\"\r\nContent-Type: application/json\r\n\r\n\
         {{\"Targets\":[\"/redfish/v1/x\"]}}\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"UpdateFile\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    expected.extend_from_slice(&bytes);
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert!(
        request.body == expected,
        "{}",
        String::from_utf8_lossy(&request.body[..400])
    );
    assert_eq!(
        request.headers["content-length"],
        expected.len().to_string().as_str()
    );
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.len() > 2);
    assert_eq!(told.last(), Some(&(200_000, 200_000)));
}

#[tokio::test]
async fn a_file_can_be_the_whole_body_and_may_be_empty() {
    let server = MockServer::start().await;
    Mock::given(path(PUSH))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let client = Client::builder(server.uri()).build().unwrap();
    for bytes in [&b"firmware"[..], b""] {
        let file = file(bytes);
        client
            .upload(PUSH, &Upload::plain(file.path()), |_, _| {})
            .await
            .unwrap();
        let requests = server.received_requests().await.unwrap();
        let request = requests.last().unwrap();
        assert_eq!(request.body, bytes);
        assert_eq!(request.headers["content-type"], "application/octet-stream");
        assert_eq!(
            request.headers["content-length"],
            bytes.len().to_string().as_str()
        );
    }
}

#[tokio::test]
async fn a_session_that_has_ended_is_renewed_and_the_file_sent_again() {
    let server = MockServer::start().await;
    let root = json!({"Links": {"Sessions": {"@odata.id": "/redfish/v1/Sessions"}}});
    let root = ResponseTemplate::new(200).set_body_json(root);
    Mock::given(path("/redfish/v1/"))
        .respond_with(root)
        .mount(&server)
        .await;
    for (token, times) in [("old", 1), ("new", u64::MAX)] {
        let session = ResponseTemplate::new(201)
            .insert_header("x-auth-token", token)
            .insert_header("location", "/redfish/v1/Sessions/1");
        let given = Mock::given(method("POST")).and(path("/redfish/v1/Sessions"));
        given
            .respond_with(session)
            .up_to_n_times(times)
            .mount(&server)
            .await;
    }
    let refused = Mock::given(path(PUSH)).and(header("x-auth-token", "old"));
    refused
        .respond_with(ResponseTemplate::new(401))
        .mount(&server)
        .await;
    let taken = Mock::given(path(PUSH)).and(header("x-auth-token", "new"));
    taken
        .respond_with(ResponseTemplate::new(204))
        .expect(1)
        .mount(&server)
        .await;
    let client = Client::builder(server.uri())
        .session("u", "p")
        .build()
        .unwrap();
    let file = file(b"firmware");
    client
        .upload(PUSH, &Upload::plain(file.path()), |_, _| {})
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_service_does_not_want_is_its_error_and_what_cannot_be_read_is_not_sent() {
    let server = MockServer::start().await;
    let error = json!({"error": {"code": "Base.1.0.GeneralError", "message": "No firmware."}});
    let answer = ResponseTemplate::new(400).set_body_json(error);
    Mock::given(path(PUSH))
        .respond_with(answer)
        .mount(&server)
        .await;
    let client = Client::builder(server.uri()).build().unwrap();
    let file = file(b"nonsense");
    let error = client
        .upload(PUSH, &Upload::plain(file.path()), |_, _| {})
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::BadRequest);
    assert!(error.to_string().contains("No firmware."), "{error}");
    let before = server.received_requests().await.unwrap().len();
    let folder = tempfile::tempdir().unwrap();
    for nothing in [folder.path(), std::path::Path::new("/nowhere/at/all")] {
        let upload = Upload::plain(nothing);
        let error = client.upload(PUSH, &upload, |_, _| {}).await.unwrap_err();
        assert_eq!(error.kind, Kind::Refused);
    }
    let upload = Upload::plain(file.path());
    let away = client.upload("https://elsewhere.example/x", &upload, |_, _| {});
    assert_eq!(away.await.unwrap_err().kind, Kind::Refused);
    assert_eq!(server.received_requests().await.unwrap().len(), before);
}

/// A gigabyte that takes no room on disk.
fn huge() -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.as_file_mut()
        .seek(std::io::SeekFrom::Start((1 << 30) - 1))
        .unwrap();
    file.write_all(b"x").unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_no_faster_than_the_service_takes_it_and_a_service_that_takes_no_more_is_given_up()
 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // It takes the beginning and then nothing, but keeps the connection.
    let stuck = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut beginning = [0; 4096];
        socket.read_exact(&mut beginning).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(socket);
    });
    let client = Client::builder(url)
        .timeout(Duration::from_secs(2))
        .build()
        .unwrap();
    let ahead = Arc::new(AtomicU64::new(0));
    let seen = ahead.clone();
    let progress = move |sent, _| seen.store(sent, Ordering::Relaxed);
    let error = client
        .upload(PUSH, &Upload::plain(huge().path()), progress)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.to_string().contains("no answer in time"), "{error}");
    // What fits into the buffers of two sockets, and not the gigabyte.
    let ahead = ahead.load(Ordering::Relaxed);
    assert!((1..64 << 20).contains(&ahead), "{ahead}");
    stuck.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_takes_a_file_slowly_is_not_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let length: usize = 24 << 20;
    let slow = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut taken = 0;
        let mut piece = vec![0; 1 << 20];
        let mut pause = tokio::time::interval(Duration::from_millis(60));
        while taken < length {
            pause.tick().await;
            taken += socket.read(&mut piece).await.unwrap();
        }
        socket
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .unwrap();
    });
    let mut file = NamedTempFile::new().unwrap();
    file.as_file_mut()
        .seek(std::io::SeekFrom::Start(length as u64 - 1))
        .unwrap();
    file.write_all(b"x").unwrap();
    // In all it takes longer than an answer may take.
    let client = Client::builder(url)
        .timeout(Duration::from_secs(1))
        .build()
        .unwrap();
    let begun = std::time::Instant::now();
    client
        .upload(PUSH, &Upload::plain(file.path()), |_, _| {})
        .await
        .unwrap();
    assert!(
        begun.elapsed() > Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    slow.await.unwrap();
}

#[tokio::test]
async fn a_service_in_the_same_process_gets_the_same() {
    let got: Arc<Mutex<Vec<u8>>> = Arc::default();
    let taking = got.clone();
    let service = axum::Router::new().fallback(move |body: axum::body::Bytes| {
        taking.lock().unwrap().extend_from_slice(&body);
        async { http::StatusCode::NO_CONTENT }
    });
    let client = Client::builder("http://bmc.example")
        .service::<_, axum::body::Body>(service)
        .build()
        .unwrap();
    let file = file(b"firmware");
    client
        .upload(PUSH, &Upload::plain(file.path()), |_, _| {})
        .await
        .unwrap();
    assert_eq!(*got.lock().unwrap(), b"firmware");
}
