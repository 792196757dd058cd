//! A service that does whatever it likes: the client does not panic, does not hang, tells nobody else what is secret, and has nothing done twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use hawkfish_client::redfish::model::computer_system::ComputerSystem;
use hawkfish_client::{Client, Etag, Outcome, Request, Retry};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const USER: &str = "admin";
const PASSWORD: &str = "sesame-open-7";
/// What the client lets one answer take.
const ANSWER: Duration = Duration::from_millis(120);
const RETRY: Retry = Retry {
    attempts: 3,
    base: Duration::from_millis(1),
    most: Duration::from_millis(20),
};
/// How many answers one call of the test can take at most, and what that takes: generously, for machines with more to do.
const A_CALL: Duration = Duration::from_secs(30);

/// What becomes of a request.
#[derive(Debug, Clone)]
enum Turn {
    /// An answer, and whether it was acted upon where its status leaves that open.
    Answer {
        status: u16,
        headers: Vec<usize>,
        body: usize,
        acts: bool,
    },
    /// The connection ends, before or after it was acted upon.
    Close { acts: bool },
    /// The connection ends in the middle of the answer.
    Half { body: usize },
    /// Nothing, on an open connection.
    Silence,
    /// What is no HTTP.
    Noise(Vec<u8>),
}

/// Headers, with `@` for this origin and `#` for another.
const HEADERS: &[(&str, &str)] = &[
    ("location", "#/redfish/v1/Systems"),
    ("location", "@/redfish/v1/TaskService/TaskMonitors/1"),
    ("location", "/redfish/v1/TaskService/Tasks/1"),
    ("location", "//evil\\@x/redfish"),
    ("location", ""),
    ("location", "/redfish/v1/x/"),
    ("retry-after", "0"),
    ("retry-after", "3600"),
    ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT"),
    ("retry-after", "18446744073709551616"),
    ("etag", "\"1\""),
    ("etag", "W/\"1\""),
    ("etag", "\u{e9}"),
    ("x-auth-token", "token-of-the-hostile"),
    ("content-encoding", "gzip"),
    ("link", "<#/x>; rel=describedby"),
    ("connection", "close"),
];

const BODIES: &[&str] = &[
    "",
    "{}",
    "null",
    "[[[[[[]]]]]]",
    "{\"Members\": [{\"@odata.id\": \"/redfish/v1/a\"}, null, 7], \"Members@odata.nextLink\": \"/redfish/v1/x?$skip=1\"}",
    "{\"Members\": [{\"@odata.id\": \"#/redfish/v1/b\"}], \"Members@odata.nextLink\": \"#/redfish/v1/x\"}",
    "{\"Members\": {\"@odata.id\": \"/redfish/v1/c\"}}",
    "{\"@odata.id\": \"/redfish/v1/\", \"Links\": {\"Sessions\": {\"@odata.id\": \"/redfish/v1/Sessions\"}}, \"ProtocolFeaturesSupported\": {\"ExpandQuery\": {\"NoLinks\": true}}}",
    "{\"@odata.id\": \"/redfish/v1/\", \"Links\": {\"Sessions\": {\"@odata.id\": \"#/redfish/v1/Sessions\"}}}",
    "{\"@odata.id\": \"#/redfish/v1/Sessions/1\", \"@odata.etag\": 7}",
    "{\"@odata.id\": \"/redfish/v1/x\", \"@odata.type\": \"#Task.v1_0_0.Task\", \"TaskState\": \"Running\", \"Actions\": {\"#A.B\": {\"target\": \"#/redfish/v1/x\"}}}",
    "{\"TaskState\": \"Exception\", \"Messages\": {\"Message\": 7}}",
    "{\"error\": {\"@Message.ExtendedInfo\": {\"MessageId\": 7, \"MessageArgs\": {}}}}",
    "{\"error\": []}",
    "{\"Id\": \"1\", \"Boot\": [], \"PowerState\": {}, \"MemorySummary\": \"N/A\", \"Status\": [null]}",
    "{\"a\": ",
    "\u{feff}{\"Id\": \"1\"}",
    "<html>502</html>",
];

fn turn() -> impl Strategy<Value = Turn> {
    let status = prop_oneof![
        4 => prop::sample::select(vec![200_u16, 201, 202, 204]),
        3 => prop::sample::select(vec![401_u16, 412, 429, 503]),
        2 => prop::sample::select(vec![301_u16, 302, 303, 304, 307, 308]),
        2 => prop::sample::select(vec![400_u16, 403, 404, 405, 409, 428, 500, 501, 502, 504]),
        1 => 100_u16..1000,
    ];
    let headers = prop::collection::vec(0..HEADERS.len(), 0..4);
    prop_oneof![
        12 => (status, headers, 0..BODIES.len(), any::<bool>())
            .prop_map(|(status, headers, body, acts)| Turn::Answer { status, headers, body, acts }),
        2 => any::<bool>().prop_map(|acts| Turn::Close { acts }),
        1 => (0..BODIES.len()).prop_map(|body| Turn::Half { body }),
        1 => Just(Turn::Silence),
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Turn::Noise),
    ]
}

/// What a service has heard and done.
#[derive(Debug, Default)]
struct Heard {
    /// How often each change was acted upon.
    acted: HashMap<String, usize>,
    requests: usize,
    /// Everything that came, as bytes.
    all: Vec<u8>,
}

struct Asked {
    method: String,
    line: String,
    body: Vec<u8>,
}

async fn read(stream: &mut BufReader<TcpStream>, heard: &Mutex<Heard>) -> Option<Asked> {
    let mut line = String::new();
    let mut length = 0;
    let mut first = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        heard.lock().unwrap().all.extend_from_slice(line.as_bytes());
        if first.is_empty() {
            first = line.trim().to_owned();
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut heard = heard.lock().unwrap();
    heard.all.extend_from_slice(&body);
    heard.requests += 1;
    Some(Asked {
        method: first.split(' ').next()?.to_owned(),
        line: first,
        body,
    })
}

/// Whether it is acted upon: what an answer that says so is believed of.
fn acts(turn: &Turn) -> bool {
    match turn {
        Turn::Answer {
            status,
            headers,
            acts,
            ..
        } => {
            let comes_back = headers
                .iter()
                .any(|header| HEADERS[*header].0 == "retry-after" && *header != 9);
            match status {
                200..=299 => true,
                // Nothing was done, these say.
                401 | 412 | 429 | 301 | 302 | 307 | 308 => false,
                503 if comes_back => false,
                _ => *acts,
            }
        }
        Turn::Close { acts } => *acts,
        Turn::Half { .. } | Turn::Silence | Turn::Noise(_) => true,
    }
}

async fn serve(listener: TcpListener, turns: Vec<Turn>, other: String, heard: Arc<Mutex<Heard>>) {
    let ours = format!("http://{}", listener.local_addr().unwrap());
    let next = Arc::new(Mutex::new(0));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (turns, heard, next) = (turns.clone(), heard.clone(), next.clone());
        let (ours, other) = (ours.clone(), other.clone());
        let placed = move |text: &str| text.replace('#', &other).replace('@', &ours);
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            while let Some(asked) = read(&mut stream, &heard).await {
                let turn = {
                    let mut next = next.lock().unwrap();
                    *next += 1;
                    turns[(*next - 1) % turns.len()].clone()
                };
                // Each log-in is the same, wherever a redirect has it go.
                let login = asked.body.starts_with(b"{\"UserName\"");
                if !matches!(asked.method.as_str(), "GET" | "HEAD") && !login && acts(&turn) {
                    // The same change has the same body, and a DELETE its own place; others are of sessions, wherever those are said to stand.
                    let path = asked
                        .line
                        .trim_end_matches(" HTTP/1.1")
                        .trim_end_matches('/');
                    let what = match asked.body.is_empty() {
                        true => path.to_owned(),
                        false => String::from_utf8_lossy(&asked.body).into_owned(),
                    };
                    if !asked.body.is_empty() || path.starts_with("DELETE /redfish/v1/x/") {
                        *heard.lock().unwrap().acted.entry(what).or_default() += 1;
                    }
                }
                let whole = |status: u16, headers: &[usize], body: usize| {
                    let body = match BODIES[body] {
                        body if body.contains("odata") => body.replace("\"#/", &placed("\"#/")),
                        body => body.to_owned(),
                    };
                    let mut text = format!(
                        "HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n",
                        body.len()
                    );
                    for header in headers {
                        let (name, value) = HEADERS[*header];
                        text.push_str(&format!("{name}: {}\r\n", placed(value)));
                    }
                    format!("{text}\r\n{body}")
                };
                let (bytes, goes_on) = match turn {
                    Turn::Answer {
                        status,
                        headers,
                        body,
                        ..
                    } => (whole(status, &headers, body).into_bytes(), true),
                    Turn::Close { .. } => (Vec::new(), false),
                    Turn::Half { body } => {
                        let text = whole(200, &[], body);
                        (text.as_bytes()[..text.len() * 2 / 3].to_vec(), false)
                    }
                    Turn::Silence => {
                        // Longer than the client waits.
                        tokio::time::sleep(ANSWER * 3).await;
                        (Vec::new(), false)
                    }
                    Turn::Noise(bytes) => (bytes, false),
                };
                if stream.get_mut().write_all(&bytes).await.is_err() || !goes_on {
                    return;
                }
            }
        });
    }
}

/// Calls everything that a client can do; whatever comes is fine, as long as it comes.
async fn use_all(client: &Client, round: usize) {
    const X: &str = "/redfish/v1/x";
    let change = |what: &str| json!({"What": format!("{what} {round}")});
    let within = |call: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| async {
        let ended = tokio::time::timeout(A_CALL, call).await;
        assert!(ended.is_ok(), "a call did not come to its end");
    };
    let finish = |outcome: Result<Outcome, hawkfish_client::Error>| async {
        if let Ok(outcome) = outcome {
            let _ = outcome.finish(Some(Duration::from_millis(60))).await;
        }
    };
    macro_rules! call {
        ($client:ident, $call:expr) => {{
            let $client = client.clone();
            within(Box::pin(async move {
                let _ = $call;
            }))
            .await;
        }};
    }
    call!(client, client.root().await);
    call!(client, client.features().await);
    call!(client, client.get_value(X).await);
    call!(client, client.get::<ComputerSystem>(X).await);
    call!(client, client.members(X).all().await);
    call!(client, client.resources(X).await);
    call!(client, client.walk(X).at_most(20).collect::<Vec<_>>().await);
    let body = change("post");
    call!(client, finish(client.post(X, &body).await).await);
    let body = change("patch");
    let tag = Etag::new("W/\"1\"");
    call!(
        client,
        finish(client.patch(X, Some(&tag), &body).await).await
    );
    let body = change("star");
    call!(
        client,
        finish(client.patch(X, Some(&Etag::any()), &body).await).await
    );
    let (uri, tag) = (format!("{X}/{round}"), Etag::new("\"1\""));
    call!(client, finish(client.delete(&uri, Some(&tag)).await).await);
    let body = change("update");
    call!(
        client,
        finish(client.update(X, |_: &Value| Ok(Some(body.clone()))).await).await
    );
    let body = change("action");
    call!(client, {
        if let Ok(found) = client.get_value(X).await {
            finish(client.action(&found.value, "A.B", &body).await).await;
        }
    });
    call!(client, client.send(Request::get(X).stay()).await);
    call!(client, client.logout().await);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        max_shrink_time: 60_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_hostile_service_gets_nothing_done_twice_and_tells_nobody_else_who_asks(
        turns in prop::collection::vec(turn(), 1..24),
        basic in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (heard, elsewhere) = runtime.block_on(async {
            let (heard, elsewhere) = (Arc::default(), Arc::default());
            let here = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", here.local_addr().unwrap());
            let other = format!("http://{}", there.local_addr().unwrap());
            tokio::spawn(serve(here, turns, other.clone(), Arc::clone(&heard)));
            let fine = Turn::Answer { status: 200, headers: vec![], body: 1, acts: true };
            tokio::spawn(serve(there, vec![fine], url.clone(), Arc::clone(&elsewhere)));
            let builder = Client::builder(url).timeout(ANSWER).retry(RETRY);
            let client = match basic {
                true => builder.basic(USER, PASSWORD),
                false => builder.session(USER, PASSWORD),
            }
            .build()
            .unwrap();
            for round in 0..2 {
                use_all(&client, round).await;
            }
            drop(client);
            tokio::time::sleep(Duration::from_millis(5)).await;
            (heard, elsewhere)
        });
        runtime.shutdown_background();
        let heard: Arc<Mutex<Heard>> = heard;
        let elsewhere: Arc<Mutex<Heard>> = elsewhere;
        let heard = heard.lock().unwrap();
        prop_assert!(heard.requests > 0);
        for (what, times) in &heard.acted {
            prop_assert!(*times <= 1, "{what} was done {times} times");
        }
        let elsewhere = elsewhere.lock().unwrap();
        prop_assert_eq!(elsewhere.requests, 0, "{}", String::from_utf8_lossy(&elsewhere.all));
        prop_assert!(elsewhere.all.is_empty());
    }
}
