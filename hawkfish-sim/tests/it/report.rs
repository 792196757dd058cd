//! The report: each thing that a client should not do, done by a small client; and a client that does nothing of it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use hawkfish_sim::fault::{Answer, Calls, Rule, Then, When, preset};
use hawkfish_sim::report::{Check, Policy, Report};
use hawkfish_sim::{PASSWORD, USER, World};
use http::{Request, Response, StatusCode};
use jiff::SignedDuration;
use serde_json::{Value, json};

use hawkfish_testing::part;

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A client that does what it is told.
struct Client {
    world: World,
    /// What it shows to be let in.
    shows: (&'static str, String),
}

impl Client {
    fn basic(world: &World) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
        Self {
            world: world.clone(),
            shows: ("authorization", format!("Basic {credentials}")),
        }
    }

    /// One that has a session, and where that is.
    async fn login(world: &World) -> (Self, String) {
        let mut client = Self {
            world: world.clone(),
            shows: ("x-nothing", "at all".to_owned()),
        };
        let login = json!({"UserName": USER, "Password": PASSWORD});
        let made = client.send("POST", SESSIONS, &[], &login.to_string()).await;
        assert_eq!(made.status(), StatusCode::CREATED);
        let header = |name| made.headers()[name].to_str().unwrap().to_owned();
        client.shows = ("x-auth-token", header("x-auth-token"));
        (client, header("location"))
    }

    async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response<Bytes> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(self.shows.0, &self.shows.1);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Bytes::from(body.to_owned());
        self.world.call(request.body(body).unwrap()).await
    }

    async fn get(&self, uri: &str) -> Value {
        let got = self.send("GET", uri, &[], "").await;
        serde_json::from_slice(got.body()).unwrap_or_default()
    }

    async fn system(&self) -> String {
        let all = self.get("/redfish/v1/Systems").await;
        all["Members"][0]["@odata.id"].as_str().unwrap().to_owned()
    }
}

async fn world() -> World {
    World::builder().seed(3).start().await.unwrap()
}

/// What a check found: about what, how often, and the text of the entry that it names.
fn found(world: &World, check: Check) -> Vec<(String, u64)> {
    let (report, trace) = (world.report(), world.trace());
    let of_it = report.violations(&Policy::of(&[check]));
    for finding in &of_it {
        if let Some(number) = finding.entry {
            let mut entries = trace.entries();
            let entry = entries.find(|entry| entry.number == number).unwrap();
            assert!(
                matches!(entry.what, hawkfish_sim::trace::What::Request(_)),
                "{finding}"
            );
            assert_eq!(entry.at, finding.at);
        }
    }
    let shown = of_it.iter().map(|one| (one.about.clone(), one.count));
    shown.collect()
}

async fn wait(world: &World, seconds: i64) {
    let by = SignedDuration::from_secs(seconds);
    world.advance(by).await.unwrap();
}

#[tokio::test]
async fn a_client_that_behaves_is_found_nothing_of() {
    let world = world().await;
    let (client, session) = Client::login(&world).await;
    let system = client.system().await;
    let read = client.send("GET", &system, &[], "").await;
    let tag = read.headers()["etag"].to_str().unwrap();
    let patch = json!({"AssetTag": "rack 7"}).to_string();
    let patched = client
        .send("PATCH", &system, &[("if-match", tag)], &patch)
        .await;
    assert_eq!(patched.status(), StatusCode::OK);
    let gone = client.send("DELETE", &session, &[], "").await;
    assert!(gone.status().is_success());
    let report = world.report();
    report.assert_clean(&Check::ALL);
    assert_eq!(report.count("PATCH", "ComputerSystem"), 1);
    assert_eq!(report.count("POST", "SessionCollection"), 1);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[tokio::test]
async fn what_is_left_behind_is_found() {
    let world = world().await;
    let (client, session) = Client::login(&world).await;
    let subscribe = json!({"Destination": "http://127.0.0.1:9/", "Protocol": "Redfish"});
    let subscriptions = "/redfish/v1/EventService/Subscriptions";
    let made = client
        .send("POST", subscriptions, &[], &subscribe.to_string())
        .await;
    assert_eq!(made.status(), StatusCode::CREATED, "{made:?}");
    let events = client.get("/redfish/v1/EventService").await;
    let stream = events["ServerSentEventUri"].as_str().unwrap();
    let listen = Request::get(stream).header(client.shows.0, &client.shows.1);
    let listen = listen.body(axum::body::Body::empty()).unwrap();
    let stream = world.bmc().answer(listen).await.unwrap();
    assert_eq!(stream.status(), StatusCode::OK);

    let left = world.report();
    assert_eq!(left.sessions.len(), 1);
    let open = &left.sessions[0];
    assert_eq!((open.user.as_str(), open.entry), (USER, Some(1)));
    assert!(session.ends_with(&format!("/{}", open.id)), "{open:?}");
    assert_eq!(left.subscriptions[0].destination, "http://127.0.0.1:9/");
    assert_eq!(left.streams.len(), 1);
    for check in [Check::Sessions, Check::Subscriptions, Check::Streams] {
        assert_eq!(found(&world, check).len(), 1, "{check}");
    }
    // What comes later is not blamed for it.
    world.reset_report();
    assert!(world.report().sessions.is_empty());
    let (_other, _session) = Client::login(&world).await;
    assert_eq!(found(&world, Check::Sessions).len(), 1);
    drop(stream);
}

#[tokio::test]
async fn a_task_that_nobody_looks_at_is_found_until_somebody_does() {
    let slow = preset("tasks-slow").unwrap().rules();
    let world = World::builder().seed(3).faults(slow).start().await.unwrap();
    let client = Client::basic(&world);
    let system = client.system().await;
    let insert = format!("{system}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia");
    let image = json!({"Image": "http://images.example/installer.iso"}).to_string();
    let started = client.send("POST", &insert, &[], &image).await;
    assert_eq!(started.status(), StatusCode::ACCEPTED);
    let monitor = started.headers()["location"].to_str().unwrap().to_owned();
    let missed = found(&world, Check::Tasks);
    assert_eq!(missed, [(format!("{monitor} was not looked at"), 1)]);
    wait(&world, 600).await;
    client.send("GET", &monitor, &[], "").await;
    assert_eq!(found(&world, Check::Tasks), []);
}

#[tokio::test]
async fn what_is_deprecated_is_found_with_the_version_that_says_so() {
    let world = world().await;
    let client = Client::basic(&world);
    let system = client.system().await;
    for led in ["Lit", "Off"] {
        let patch = json!({"IndicatorLED": led, "AssetTag": "x"}).to_string();
        let done = client.send("PATCH", &system, &[], &patch).await;
        assert_eq!(done.status(), StatusCode::OK, "{done:?}");
    }
    let about = "ComputerSystem/IndicatorLED, deprecated since 1.13.0".to_owned();
    assert_eq!(found(&world, Check::Deprecated), [(about, 2)]);
}

#[tokio::test]
async fn what_cannot_be_understood_is_found_and_what_a_fault_says_is_not() {
    let world = world().await;
    let client = Client::basic(&world);
    let system = client.system().await;
    client.send("PATCH", &system, &[], "{\"AssetTag\":").await;
    client
        .send("PATCH", &system, &[], r#"{"AssetTug": 1}"#)
        .await;
    client.send("PUT", "/redfish/v1/Systems", &[], "{}").await;
    let mistakes = found(&world, Check::Mistakes);
    let abouts: Vec<&str> = mistakes.iter().map(|(about, _)| about.as_str()).collect();
    assert_eq!(
        abouts,
        [
            "PATCH ComputerSystem: MalformedJSON",
            "PATCH ComputerSystem: PropertyUnknown #/AssetTug",
            "PUT ComputerSystemCollection: 405 Method Not Allowed",
        ]
    );
    world.reset_report();
    let refused = Then::Answer(Answer {
        status: 400,
        message: "MalformedJSON".to_owned(),
        ..Answer::default()
    });
    world.set_fault(Rule::new("liar", refused)).unwrap();
    let lied = client.send("PATCH", &system, &[], "{}").await;
    assert_eq!(lied.status(), StatusCode::BAD_REQUEST);
    assert_eq!(found(&world, Check::Mistakes), []);
    assert_eq!(world.report().faults["liar"], 1);
}

#[tokio::test]
async fn a_write_that_ignores_412_is_found_and_one_that_heeds_it_is_not() {
    let world = world().await;
    let client = Client::basic(&world);
    let system = client.system().await;
    let patch = json!({"AssetTag": "mine"}).to_string();
    let old = [("if-match", "\"old\"")];
    let refused = client.send("PATCH", &system, &old, &patch).await;
    assert_eq!(refused.status(), StatusCode::PRECONDITION_FAILED);
    let read = client.send("GET", &system, &[], "").await;
    let new = [("if-match", read.headers()["etag"].to_str().unwrap())];
    client.send("PATCH", &system, &new, &patch).await;
    assert_eq!(found(&world, Check::Overwrites), []);
    client.send("PATCH", &system, &old, &patch).await;
    client.send("PATCH", &system, &[], &patch).await;
    let about = format!("PATCH {system} without If-Match, after 412");
    assert_eq!(found(&world, Check::Overwrites), [(about, 1)]);
}

#[tokio::test]
async fn who_does_not_wait_as_told_is_found() {
    let busy = Then::Answer(Answer {
        status: 503,
        retry_after: Some(5),
        ..Answer::default()
    });
    let when = When {
        calls: Calls {
            most: Some(2),
            ..Calls::default()
        },
        ..When::default()
    };
    let busy = Rule::new("busy", busy).when(when);
    let world = World::builder().fault(busy).start().await.unwrap();
    let client = Client::basic(&world);
    client.send("GET", "/redfish/v1/Systems", &[], "").await;
    wait(&world, 5).await;
    client.send("GET", "/redfish/v1/Systems", &[], "").await;
    assert_eq!(found(&world, Check::RetryAfter), []);
    wait(&world, 4).await;
    client.send("GET", "/redfish/v1/Systems", &[], "").await;
    assert_eq!(found(&world, Check::RetryAfter).len(), 1);
}

#[tokio::test]
async fn who_asks_too_often_is_found() {
    let world = world().await;
    let client = Client::basic(&world);
    for _ in 0..5 {
        client.get("/redfish/v1/Systems").await;
    }
    wait(&world, 1).await;
    client.get("/redfish/v1/Systems").await;
    assert_eq!(found(&world, Check::Polling), []);
    for _ in 0..9 {
        client.get("/redfish/v1/Systems").await;
    }
    let about = "GET /redfish/v1/Systems".to_owned();
    assert_eq!(found(&world, Check::Polling), [(about, 1)]);
}

#[tokio::test]
async fn who_logs_in_for_each_request_or_uses_no_session_is_found() {
    let world = world().await;
    for _ in 0..3 {
        let (client, session) = Client::login(&world).await;
        client.get("/redfish/v1/Systems").await;
        client.send("DELETE", &session, &[], "").await;
    }
    let churn = found(&world, Check::Churn);
    assert_eq!(churn.len(), 1);
    assert_eq!(churn[0].1, 3);
    assert_eq!(found(&world, Check::Basic), []);
    Client::basic(&world).get("/redfish/v1/Systems").await;
    assert_eq!(found(&world, Check::Basic).len(), 1);
}

#[tokio::test]
async fn junit_has_a_case_for_each_check_and_fails_what_is_not_let_pass() {
    let world = world().await;
    let (client, _session) = Client::login(&world).await;
    let system = client.system().await;
    client.send("PATCH", &system, &[], r#"{"<&>": 1}"#).await;
    Client::basic(&world).get("/redfish/v1/Systems").await;
    let policy: Policy = "leaks,deprecated".parse().unwrap();
    let text = world.report().junit(&policy);
    let document = roxmltree::Document::parse(&text).unwrap();
    let suite = document.root_element().first_element_child().unwrap();
    assert_eq!(suite.tag_name().name(), "testsuite");
    let cases = || {
        suite
            .children()
            .filter(|node| node.has_tag_name("testcase"))
    };
    assert_eq!(cases().count(), Check::ALL.len());
    assert_eq!(suite.attribute("tests"), Some("11"));
    assert_eq!(suite.attribute("failures"), Some("1"));
    let below = |name: &str, tag: &str| {
        let mut cases = cases();
        let class = format!("client.{name}");
        let case = cases.find(|case| case.attribute("classname") == Some(&class));
        case.unwrap().children().any(|node| node.has_tag_name(tag))
    };
    assert!(below("sessions", "failure"));
    assert!(below("mistakes", "system-out") && text.contains("#/&lt;&amp;&gt;"));
    assert!(below("basic", "system-out") && !below("basic", "failure"));
    assert!(!below("polling", "failure") && !below("polling", "system-out"));
}

#[tokio::test]
async fn nothing_is_counted_where_that_is_not_wanted() {
    let world = World::builder().reported(false).start().await.unwrap();
    let (client, _session) = Client::login(&world).await;
    client.get("/redfish/v1/Systems").await;
    let report = world.report();
    assert!(report.requests.is_empty());
    // What there is can be seen without counting.
    assert_eq!(report.sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sushy_that_ends_without_goodbye_leaves_a_session() {
    let Some(python) = part::python() else {
        return;
    };
    let world = world().await;
    let served = world.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let program = "import os, sys, sushy\n\
        from sushy import auth\n\
        root = sushy.Sushy(sys.argv[1], auth=auth.SessionAuth(sys.argv[2], sys.argv[3]), verify=False)\n\
        assert len(root.get_system_collection().get_members()) == 1\n\
        os._exit(0)\n";
    let mut sushy = std::process::Command::new(python);
    sushy.args(["-c", program, &served.url(), USER, PASSWORD]);
    let done = tokio::task::spawn_blocking(move || sushy.output().unwrap());
    let done = done.await.unwrap();
    assert!(done.status.success(), "{done:?}");
    let report = world.report();
    assert_eq!(report.sessions.len(), 1, "{report:?}");
    assert_eq!(report.sessions[0].user, USER);
    let left = report.violations(&"leaks".parse().unwrap());
    assert_eq!(left.len(), 1);
    served.end().await.unwrap();
}
