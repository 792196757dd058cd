//! The two servers: HawkFish as it is in production, and axum with a broadcast channel.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::{Clock, SystemClock};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::TestEvent;
use hawkfish_core::id::HostId;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::{App, HawkFish, Options, tls};
use http::Response;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use crate::control::{Answer, Kind, Order, PASSWORD, count};
use crate::reader::MARK;

/// Connections that are let in.
const MOST: usize = 20_000;
/// Events that a bare server keeps for who is slow.
const ROOM: usize = 65_536;

/// Serves until its standard input ends.
pub(crate) fn run(kind: &str) {
    tracing_subscriber::fmt()
        .with_env_filter("warn")
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder, on a disk where TMPDIR says so");
    let mut side = None;
    for line in std::io::stdin().lock().lines() {
        let order = serde_json::from_str(&line.expect("a line")).expect("an order");
        let answer = match order {
            Order::Start => {
                let (started, answer) = runtime.block_on(start(kind, folder.path()));
                side = Some(started);
                answer
            }
            Order::Cpu => Answer::Cpu(cpu()),
            Order::Memory => Answer::Number(memory()),
            Order::Next => Answer::Number(side.as_ref().expect("started first").last() + 1),
            Order::Emit { per_second, millis } => {
                let side = side.as_ref().expect("started first");
                runtime.block_on(side.emit(per_second, count(per_second, millis)));
                Answer::Emitted
            }
        };
        let mut line = serde_json::to_vec(&answer).expect("an answer");
        line.push(b'\n');
        std::io::stdout().write_all(&line).expect("somebody reads");
    }
    // Nothing of it is wanted any more.
    std::process::exit(0);
}

/// Processor time of this process so far.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Resident memory of this process, bytes.
fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    pages.unwrap_or(0u64) * rustix::param::page_size() as u64
}

enum Side {
    HawkFish(Box<App>),
    Axum {
        sender: broadcast::Sender<Bytes>,
        last: AtomicU64,
    },
}

async fn start(kind: &str, folder: &std::path::Path) -> (Side, Answer) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    if kind == Kind::Axum.word() {
        let answer = Answer::Listening {
            address,
            certificate: None,
        };
        return (axum(listener), answer);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let backend = SimBackend::new(SimSettings::default(), clock.clone());
    let hf = HawkFish::builder()
        .clock(clock)
        .data_dir(folder.join("data"))
        .host(HostId::parse("sim").expect("an id"), backend)
        .start()
        .await
        .expect("a system");
    let accounts = hf.accounts();
    accounts.ensure_admin(Some(PASSWORD)).await.expect("admin");
    hf.start_running();
    let app = App::new(hf, Options::default());
    let bounds = Bounds {
        max_connections: MOST,
    };
    let tls = match kind == Kind::HawkFishTls.word() {
        true => tls::load(&TlsChoice::SelfSigned, folder, address.ip()).expect("a certificate"),
        false => None,
    };
    let certificate = tls.as_ref().map(|tls| tls.certificate.clone());
    let config = tls.map(|tls| tls.config);
    let never = std::future::pending();
    tokio::spawn(serve(app.clone(), listener, config, bounds, never));
    let answer = Answer::Listening {
        address,
        certificate,
    };
    (Side::HawkFish(Box::new(app)), answer)
}

fn axum(listener: TcpListener) -> Side {
    let (sender, _) = broadcast::channel(ROOM);
    let hearing = sender.clone();
    let handler = move || {
        let heard = hearing.subscribe();
        async move {
            let events = futures::stream::unfold(heard, |mut heard| async move {
                // Who is too slow loses some: the reader counts them.
                loop {
                    match heard.recv().await {
                        Ok(event) => {
                            return Some((Ok::<_, std::convert::Infallible>(event), heard));
                        }
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => return None,
                    }
                }
            });
            let first = futures::stream::once(async { Ok(Bytes::from_static(b":\n\n")) });
            let body = futures::StreamExt::chain(first, events);
            Response::builder()
                .header("content-type", "text/event-stream")
                .body(Body::from_stream(body))
                .expect("a response")
        }
    };
    let router = Router::new().route("/redfish/v1/EventService/SSE", get(handler));
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("no delay"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Side::Axum {
        sender,
        last: AtomicU64::new(0),
    }
}

/// What an event says: when it was submitted.
fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!("{MARK}{:019}", now.expect("after 1970").as_nanos())
}

impl Side {
    fn last(&self) -> u64 {
        match self {
            Self::HawkFish(app) => app.hawkfish().events().last(),
            Self::Axum { last, .. } => last.load(Ordering::Relaxed),
        }
    }

    /// So many events, evenly, a millisecond's worth at a time.
    async fn emit(&self, per_second: usize, count: usize) {
        let began = tokio::time::Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        let mut done = 0;
        let mut under_way = JoinSet::new();
        while done < count {
            ticks.tick().await;
            let due = began.elapsed().as_secs_f64() * per_second as f64;
            let due = (due as usize).min(count);
            for _ in done..due {
                match self {
                    Self::HawkFish(app) => {
                        let subscriptions = app.hawkfish().subscriptions();
                        under_way.spawn(async move {
                            let test = TestEvent {
                                message: Some(now()),
                                ..TestEvent::default()
                            };
                            let told = subscriptions.submit_test(&Ctx::service(), test).await;
                            told.expect("an event");
                        });
                    }
                    Self::Axum { sender, last } => {
                        let seq = last.fetch_add(1, Ordering::Relaxed) + 1;
                        // Nobody need listen.
                        let _ = sender.send(event(seq));
                    }
                }
            }
            done = done.max(due);
            while under_way.try_join_next().is_some() {}
        }
        while under_way.join_next().await.is_some() {}
    }
}

/// An event as HawkFish sends one.
fn event(seq: u64) -> Bytes {
    let text = format!(
        "id: {seq}\ndata: {{\"@odata.type\":\"#Event.v1_13_0.Event\",\"Id\":\"{seq}\",\"Name\":\"Events\",\"Events@odata.count\":1,\"Events\":[{{\"MemberId\":\"0\",\"EventType\":\"Other\",\"EventId\":\"{seq}\",\"EventTimestamp\":\"2026-01-01T00:00:00Z\",\"Severity\":\"OK\",\"MessageSeverity\":\"OK\",\"Message\":\"{}\",\"MessageId\":\"ResourceEvent.1.4.TestMessage\",\"Resolution\":\"None.\",\"OriginOfCondition\":{{\"@odata.id\":\"/redfish/v1\"}}}}]}}\n\n",
        now()
    );
    Bytes::from(text)
}
