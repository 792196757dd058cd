//! Faults of connections, by hand: what no client of others can be made to show.

use std::io::ErrorKind;
use std::net::SocketAddr;

use bytes::Bytes;
use hawkfish_sim::World;
use hawkfish_sim::face::Faces;
use hawkfish_sim::fault::{
    Certificate, Connection, Damage, Framing, HangUp, Pattern, Rate, Rule, Then, Trickle, When,
};
use http::Request;
use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const ASK: &[u8] = b"GET /redfish HTTP/1.1\r\nhost: bmc\r\nconnection: close\r\n\r\n";

fn any() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// All that is said on a new connection.
async fn said(at: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(at).await?;
    stream.write_all(ASK).await?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await?;
    Ok(String::from_utf8_lossy(&all).into_owned())
}

fn reset(when: When) -> Rule {
    Rule::new("reset", Then::Connection(Connection::Reset)).when(when)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_one_face_leaves_the_others_alone() {
    let ill = When {
        face: Some(Pattern::new("sim-00002").unwrap()),
        ..When::default()
    };
    let world = World::builder()
        .systems(2)
        .faces(Faces::Port { first_port: 0 })
        .fault(reset(ill));
    let world = world.start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let at = |name| {
        let url = served.face_url(name).unwrap();
        url.strip_prefix("http://").unwrap().parse().unwrap()
    };
    let error = said(at("sim-00002")).await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ),
        "{error}"
    );
    assert!(said(at("sim-00001")).await.unwrap().contains("200 OK"));
    assert!(said(served.address).await.unwrap().contains("200 OK"));
    assert_eq!(world.fired("reset"), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_so_many_open_connections_others_are_reset_until_one_is_closed() {
    let many = When {
        in_flight_over: Some(2),
        ..When::default()
    };
    let world = World::builder().fault(reset(many)).start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream
            .write_all(b"GET /redfish HTTP/1.1\r\nhost: bmc\r\n\r\n")
            .await
            .unwrap();
        // It is counted once it is answered.
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
        open.push(stream);
    }
    said(served.address).await.unwrap_err();
    open.pop();
    let mut again = said(served.address).await;
    // That it was left is noticed a moment later.
    while again.is_err() {
        again = said(served.address).await;
    }
    assert!(again.unwrap().contains("200 OK"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_is_open_for_as_long_as_the_world_is_served() {
    let silent = Rule::new("silent", Then::Connection(Connection::Silent));
    let world = World::builder().fault(silent).start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    stream.write_all(ASK).await.unwrap();
    let quiet = std::time::Duration::from_millis(300);
    let heard = tokio::time::timeout(quiet, stream.read_u8()).await;
    assert!(heard.is_err(), "{heard:?}");
    served.end().await.unwrap();
    let error = stream.read_u8().await.unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
        ),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_may_end_as_they_should_not() {
    let bare = Rule::new("bare", Then::Framing(Framing::BareNewlines));
    let world = World::builder().fault(bare).start().await.unwrap();
    let served = world.serve(any()).await.unwrap();
    let all = said(served.address).await.unwrap();
    let (head, body) = all.split_once("\n\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\n"), "{all:?}");
    assert!(!head.contains('\r'), "{all:?}");
    assert_eq!(body, "{\"v1\":\"/redfish/v1/\"}");
}

/// What comes without a socket, and whether it breaks off; and how long that took in the world.
async fn without_socket(then: Then) -> (usize, bool, SignedDuration) {
    use tower::ServiceExt as _;
    let world = World::builder().fault(Rule::new("f", then));
    let world = world.start().await.unwrap();
    let request = Request::get("/redfish/v1").body(axum::body::Body::empty());
    let answer = world.bmc().oneshot(request.unwrap()).await.unwrap();
    let mut body = answer.into_body().into_data_stream();
    let (mut length, mut broke) = (0, false);
    while let Some(piece) = futures::StreamExt::next(&mut body).await {
        match piece {
            Ok(piece) => length += Bytes::len(&piece),
            Err(_) => broke = true,
        }
    }
    (length, broke, world.age())
}

#[tokio::test]
async fn without_a_socket_what_would_not_come_breaks_off_and_what_is_slow_takes_the_worlds_time() {
    let zero = SignedDuration::ZERO;
    let (whole, broke, age) = without_socket(Then::Damage(Damage::Gzip)).await;
    assert!(whole > 0 && !broke && age == zero);
    let (whole, ..) = without_socket(Then::Framing(Framing::CapitalNames)).await;
    let (half, broke, _) = without_socket(Then::Damage(Damage::Stalled)).await;
    assert!(broke && half == whole / 2, "{half} of {whole}");
    let (_, broke, _) = without_socket(Then::Framing(Framing::ChunkTooShort)).await;
    assert!(broke);
    let trickle = Trickle {
        bytes_per_second: 100,
    };
    let (all, broke, age) = without_socket(Then::Trickle(trickle)).await;
    assert_eq!((all, broke), (whole, false));
    let wanted = whole as f64 / 100.0;
    let took = age.as_secs_f64();
    assert!(
        (wanted..wanted + 0.2).contains(&took),
        "{took} and not {wanted}"
    );
}

#[tokio::test]
async fn a_rate_is_of_those_that_are_let_through() {
    let when = When {
        rate_over: Some(Rate {
            calls: 2,
            within: SignedDuration::from_secs(10),
        }),
        ..When::default()
    };
    let rule = Rule::new("rate", Then::HangUp(HangUp::Before)).when(when);
    let world = World::builder().fault(rule).start().await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..16 {
        let request = Request::get("/redfish").body(Bytes::new()).unwrap();
        seen.push(u8::from(world.try_call(request).await.is_ok()));
        world.advance(SignedDuration::from_secs(2)).await.unwrap();
    }
    assert_eq!(seen, [1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_ends_when_the_time_of_the_world_has_come() {
    let hour = SignedDuration::from_hours(1);
    let later = When {
        from: Some(hour),
        ..When::default()
    };
    let expired = Rule::new("expired", Then::Certificate(Certificate::Expired)).when(later);
    let world = World::builder().fault(expired).start().await.unwrap();
    let tls = world.tls(&[]).unwrap();
    let ca = reqwest::Certificate::from_pem(tls.authority.as_bytes()).unwrap();
    let served = world.serve_with(any(), Some(tls.config)).await.unwrap();
    let get = async || {
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(ca.clone());
        let root = format!("{}/redfish", served.url());
        client.build().unwrap().get(root).send().await
    };
    assert!(get().await.unwrap().status().is_success());
    world.advance(hour).await.unwrap();
    let error = format!("{:?}", get().await.unwrap_err());
    assert!(error.contains("Expired"), "{error}");
}
