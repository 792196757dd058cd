//! Streams over sockets: who goes away, the end of the service, HTTP/1.1 and HTTP/2.

use super::*;

/// A service on a socket without TLS.
struct Plain {
    door: Door,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Plain {
    async fn start(door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let bounds = Bounds {
            max_connections: 20,
        };
        let stopped = async {
            let _ = stopped.await;
        };
        let done = tokio::spawn(serve(door.app.clone(), listener, None, bounds, stopped));
        Self {
            door,
            address,
            stop,
            done,
        }
    }

    /// Opens a stream by hand; what comes is left where it is.
    async fn open(&self) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "GET {SSE} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: {}\r\n\r\n",
            admin()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).await.unwrap();
        stream
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_is_no_longer_shown() {
    let plain = Plain::start(Door::open().await).await;
    let (one, two) = (plain.open().await, plain.open().await);
    plain.door.shows_streams(2).await;
    drop(one);
    plain.door.shows_streams(1).await;
    drop(two);
    plain.door.shows_streams(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_ends_quickly_although_streams_are_open_and_one_takes_nothing() {
    let plain = Plain::start(Door::open().await).await;
    let mut reads = plain.open().await;
    let stuck = plain.open().await;
    // More than the sockets between hold, so that the one connection cannot even be told of the end.
    plain.door.happen(500).await;
    for _ in 0..30 {
        plain.door.happen(500).await;
        let mut some = vec![0; 1 << 20];
        let _ = reads.read(&mut some).await.unwrap();
    }
    let began = tokio::time::Instant::now();
    plain.stop.send(()).unwrap();
    let all = async {
        let mut rest = Vec::new();
        reads.read_to_end(&mut rest).await.unwrap();
        rest
    };
    let rest = tokio::time::timeout(LIMIT, all).await.expect("it ends");
    assert!(rest.ends_with(b"0\r\n\r\n"), "the stream ends as it should");
    plain.done.await.unwrap().unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(6),
        "{:?}",
        began.elapsed()
    );
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_come_over_http_1_and_http_2_with_a_session() {
    let listening = Listening::start(Door::open().await).await;
    for old in [true, false] {
        let client = listening.client();
        let client = if old {
            client.http1_only()
        } else {
            client.http2_prior_knowledge()
        };
        let client = client.build().unwrap();
        let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
        let made = client.post(listening.url(SESSIONS)).json(&body).send();
        let token = made.await.unwrap().headers()["x-auth-token"].clone();
        let mut streams = Vec::new();
        for _ in 0..5 {
            let open = client
                .get(listening.url(SSE))
                .header("x-auth-token", token.clone())
                .header("accept", "text/event-stream");
            streams.push(open.send().await.unwrap());
        }
        listening.door.shows_streams(5).await;
        let last = listening.door.happen(700).await;
        for stream in &mut streams {
            let mut messages = Messages::default();
            let mut at = None;
            while at < Some(last) {
                let bytes = tokio::time::timeout(LIMIT, stream.chunk()).await.unwrap();
                messages.add(&bytes.unwrap().expect("not the end"));
                while let Some(message) = messages.next() {
                    assert!(
                        at.is_none_or(|at| message.id == Some(at + 1)),
                        "{message:?}"
                    );
                    at = message.id;
                }
            }
        }
        // Over HTTP/2 a stream ends without its connection.
        drop(streams);
        listening.door.shows_streams(0).await;
    }
}
