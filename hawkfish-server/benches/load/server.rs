//! The two servers: HawkFish as it is in production, and axum with nothing in it.

use std::io::{BufRead as _, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::RawQuery;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use hawkfish_core::backend::Setup;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::{Clock, SystemClock};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::db::{Store, settings};
use hawkfish_core::id::HostId;
use hawkfish_core::systems::SystemChange;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::{App, HawkFish, Options};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::client::{Measured, Shot, Until};
use crate::control::{Answer, Constant, Constants, Kind, Order, PASSWORD};

/// Serves until its standard input ends.
pub(crate) fn run(kind: &str) {
    // As in production: a change is logged, a read is not.
    tracing_subscriber::fmt()
        .with_env_filter("info")
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
            Order::Systems(systems) => {
                let (started, address) = runtime.block_on(async {
                    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
                    let address = listener.local_addr().expect("an address");
                    let started = if kind == Kind::Axum.word() {
                        Side::axum(listener)
                    } else {
                        Side::hawkfish(listener, systems, folder.path()).await
                    };
                    (started, address)
                });
                side = Some(started);
                Answer::Listening(address)
            }
            Order::Cpu => Answer::Cpu(cpu()),
            Order::Commits { producers, millis } => {
                let time = Duration::from_millis(millis);
                Answer::Measured(runtime.block_on(commits(folder.path(), producers, time)))
            }
            order => {
                let side = side.as_mut().expect("started first");
                runtime.block_on(side.obey(order))
            }
        };
        let mut line = serde_json::to_vec(&answer).expect("an answer");
        line.push(b'\n');
        std::io::stdout().write_all(&line).expect("somebody reads");
    }
}

/// Processor time of this process so far: what getrusage says, to the nanosecond.
fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Waits until what follows from changes is done, so that it is not taken for the work of what is measured next.
fn settle() {
    let pause = Duration::from_millis(20);
    loop {
        let before = cpu();
        std::thread::sleep(pause);
        if cpu() - before < pause / 40 {
            return;
        }
    }
}

enum Side {
    HawkFish { app: App, changes: u64 },
    Axum { router: Router, answers: Answers },
}

type Answers = Arc<OnceLock<Prepared>>;

struct Prepared {
    system: (HeaderMap, Bytes),
    systems: (HeaderMap, Bytes),
    expanded: (HeaderMap, Bytes),
    reset: (HeaderMap, Bytes),
}

impl Prepared {
    fn of(constants: Constants) -> Self {
        let one = |constant: Constant| {
            let headers = constant.headers.iter().map(|(name, value)| {
                let name = HeaderName::try_from(name).expect("a name");
                (name, HeaderValue::try_from(value).expect("a value"))
            });
            (headers.collect::<HeaderMap>(), Bytes::from(constant.body))
        };
        Self {
            system: one(constants.system),
            systems: one(constants.systems),
            expanded: one(constants.expanded),
            reset: one(constants.reset),
        }
    }
}

fn constant(status: StatusCode, (headers, body): &(HeaderMap, Bytes)) -> Response<Body> {
    let mut response = Response::new(Body::from(body.clone()));
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response
}

impl Side {
    fn axum(listener: TcpListener) -> Self {
        let answers = Answers::default();
        let known = |answers: &Answers, which: fn(&Prepared) -> &(HeaderMap, Bytes), status| {
            let answers = answers.clone();
            move || {
                let answers = answers.clone();
                async move { constant(status, which(answers.get().expect("told before"))) }
            }
        };
        let (ok, done) = (StatusCode::OK, StatusCode::NO_CONTENT);
        let reset = "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset";
        let router = Router::new()
            .route("/redfish/v1/Systems", {
                let plain = known(&answers, |p| &p.systems, ok);
                let expanded = known(&answers, |p| &p.expanded, ok);
                get(move |RawQuery(query): RawQuery| async move {
                    match query {
                        None => plain().await,
                        Some(_) => expanded().await,
                    }
                })
            })
            .route(
                "/redfish/v1/Systems/{system}",
                get(known(&answers, |p| &p.system, ok)),
            )
            .route(reset, {
                let handler = known(&answers, |p| &p.reset, done);
                // It takes the body in as every service must.
                post(move |_: Bytes| handler())
            });
        // Whatever else there is: a resource of the size of a system.
        let router = router.fallback(known(&answers, |p| &p.system, ok));
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("no delay"));
        let serving = router.clone();
        tokio::spawn(async move { axum::serve(listener, serving).await });
        Self::Axum { router, answers }
    }

    async fn hawkfish(listener: TcpListener, systems: usize, folder: &std::path::Path) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let rack = SimSettings {
            systems,
            ..SimSettings::default()
        };
        let backend = SimBackend::new(rack, clock.clone());
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
            max_connections: 1024,
        };
        tokio::spawn(serve(
            app.clone(),
            listener,
            None,
            bounds,
            std::future::pending(),
        ));
        Self::HawkFish { app, changes: 0 }
    }

    async fn obey(&mut self, order: Order) -> Answer {
        match (self, order) {
            (Self::Axum { answers, .. }, Order::Constants(constants)) => {
                assert!(answers.set(Prepared::of(constants)).is_ok(), "told twice");
                Answer::Done
            }
            (Self::HawkFish { app, changes }, Order::Change) => {
                *changes += 1;
                let (hf, ctx) = (app.hawkfish(), Ctx::service());
                for system in hf.systems(&ctx) {
                    let setup = Setup {
                        asset_tag: Some(format!("change {changes}")),
                        ..Setup::default()
                    };
                    let change = SystemChange {
                        setup,
                        ..SystemChange::default()
                    };
                    let done = hf.update_system(&ctx, &system.id, change).await;
                    done.expect("a change");
                }
                settle();
                Answer::Done
            }
            (Self::Axum { router, .. }, Order::Call { shots, until }) => {
                let call = |request| {
                    let router = router.clone();
                    async move {
                        router
                            .oneshot(request)
                            .await
                            .unwrap_or_else(|never| match never {})
                    }
                };
                Answer::Measured(called(&shots, until, call).await)
            }
            (Self::HawkFish { app, .. }, Order::Call { shots, until }) => {
                let call = |request| {
                    let app = app.clone();
                    async move {
                        app.oneshot(request)
                            .await
                            .unwrap_or_else(|never| match never {})
                    }
                };
                Answer::Measured(called(&shots, until, call).await)
            }
            (_, other) => panic!("not for this server: {other:?}"),
        }
    }
}

/// Calls a service without a socket, one request after the other, and takes its answers in.
async fn called<F>(shots: &[Shot], until: Until, call: impl Fn(Request<Body>) -> F) -> Measured
where
    F: Future<Output = Response<Body>>,
{
    let mut latencies = Vec::with_capacity(1 << 20);
    let (began, spent) = (Instant::now(), cpu());
    for at in 0.. {
        let over = match until {
            Until::Once => at >= shots.len(),
            Until::Time(time) => at % shots.len() == 0 && began.elapsed() >= time,
        };
        if over {
            break;
        }
        let shot = &shots[at % shots.len()];
        let mut request = Request::builder()
            .method(shot.method.as_str())
            .uri(&shot.uri)
            .header("x-auth-token", &shot.token)
            .header("accept", "application/json");
        if !shot.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(shot.body.clone()));
        let asked = Instant::now();
        let response = call(request.expect("a request")).await;
        assert_eq!(response.status().as_u16(), shot.wants);
        response.into_body().collect().await.expect("a body");
        latencies.push(asked.elapsed());
    }
    Measured::of(latencies, began.elapsed(), cpu() - spent)
}

/// Single rows by so many at a time, each waiting for its own before it writes the next.
async fn commits(folder: &std::path::Path, producers: usize, time: Duration) -> Measured {
    let dir = folder.join(format!("store-{producers}"));
    let store = Store::open(Some(&dir)).await.expect("a store");
    let (began, spent) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..producers)
        .map(|producer| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while began.elapsed() < time {
                    let asked = Instant::now();
                    let row = latencies.len();
                    let work = store.write(move |tx| {
                        Box::pin(
                            async move { settings::put(tx, &format!("{producer}"), &row).await },
                        )
                    });
                    work.await.expect("a row");
                    latencies.push(asked.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("a producer"));
    }
    let measured = Measured::of(all, began.elapsed(), cpu() - spent);
    store.close().await;
    measured
}
