//! A random client against a small model of a BMC: whatever it does, what is read afterwards is what the model says. In the fleet, at the face of one
//! system, and on a tree that was recorded and is replayed.
//!
//! `HAWKFISH_CASES` says how many scripts, `HAWKFISH_SEED` which ones.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::{Value, json};

use hawkfish_sim::capture::Capture;
use hawkfish_sim::record::{Journal, Options, walk};
use hawkfish_sim::{Bmc, PASSWORD, USER, World};

/// No sum of what is waited here.
const SESSION_SECONDS: i64 = 601;

#[derive(Clone, Debug)]
enum Op {
    Power(&'static str),
    Boot(&'static str, &'static str),
    Insert(&'static str),
    Eject,
    Tag { text: String, stale: bool },
    Login,
    Use(usize),
    Logout(usize),
    AddAccount(&'static str),
    RemoveAccount(&'static str),
    Wait(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let word = |words: &'static [&'static str]| prop::sample::select(words);
    let names = || word(&["anna", "bert", "carl"]);
    prop_oneof![
        6 => word(&["On", "ForceOff", "GracefulShutdown", "ForceRestart"]).prop_map(Op::Power),
        4 => (word(&["Cd", "Pxe", "Hdd"]), word(&["Once", "Continuous", "Disabled"]))
            .prop_map(|(target, how)| Op::Boot(target, how)),
        3 => word(&["http://images.example/a.iso", "http://images.example/b.iso"]).prop_map(Op::Insert),
        2 => Just(Op::Eject),
        3 => ("[a-z]{1,6}", any::<bool>()).prop_map(|(text, stale)| Op::Tag { text, stale }),
        2 => Just(Op::Login),
        3 => (0..3_usize).prop_map(Op::Use),
        1 => (0..3_usize).prop_map(Op::Logout),
        2 => names().prop_map(Op::AddAccount),
        2 => names().prop_map(Op::RemoveAccount),
        3 => (1..8_i64).prop_map(|minutes| Op::Wait(60 * minutes)),
    ]
}

/// What is known of a session.
struct Session {
    token: String,
    uri: String,
    used: Timestamp,
    ended: bool,
}

/// A BMC in few words.
#[derive(Default)]
struct Model {
    on: bool,
    over: Option<(&'static str, &'static str)>,
    medium: Option<&'static str>,
    tag: Option<String>,
    sessions: Vec<Session>,
    accounts: BTreeSet<&'static str>,
}

impl Model {
    /// Returns whether this can be asked of it now, after which it is so.
    fn power(&mut self, kind: &str) -> bool {
        let boots = match (kind, self.on) {
            // What is off, a restart starts.
            ("On", false) | ("ForceRestart", _) => true,
            ("ForceOff" | "GracefulShutdown", true) => {
                self.on = false;
                return true;
            }
            _ => return false,
        };
        if boots {
            self.on = true;
            self.over = self.over.filter(|(_, how)| *how != "Once");
        }
        boots
    }
}

struct Client {
    world: World,
    bmc: Bmc,
    system: String,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

impl Client {
    async fn send(&self, request: http::request::Builder, body: Option<Value>) -> Answer {
        let request = match body {
            Some(body) => request
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        let response = self.bmc.answer(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        }
    }

    fn admin(&self, method: Method, uri: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(uri);
        request.header("authorization", "Basic YWRtaW46aGF3a2Zpc2g=")
    }

    async fn get(&self, uri: &str) -> Answer {
        let answer = self.send(self.admin(Method::GET, uri), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.body);
        answer
    }

    async fn post(&self, uri: &str, body: Value) -> Answer {
        self.send(self.admin(Method::POST, uri), Some(body)).await
    }

    async fn patch(&self, uri: &str, body: Value) -> Answer {
        self.send(self.admin(Method::PATCH, uri), Some(body)).await
    }

    async fn account(&self, name: &str) -> Option<String> {
        let accounts = "/redfish/v1/AccountService/Accounts";
        let all = self.get(&format!("{accounts}?$expand=.")).await.body;
        let mut all = all["Members"].as_array().unwrap().iter();
        let known = all.find(|account| account["UserName"] == name)?;
        Some(known["@odata.id"].as_str().unwrap().to_owned())
    }

    async fn wait(&self, seconds: i64) {
        let by = SignedDuration::from_secs(seconds);
        self.world.advance(by).await.unwrap();
    }

    /// Does it, to both.
    async fn act(&self, model: &mut Model, op: &Op) {
        let system = &self.system;
        let slot = format!("{system}/VirtualMedia/Cd");
        match op {
            Op::Power(kind) => {
                let action = format!("{system}/Actions/ComputerSystem.Reset");
                let answer = self.post(&action, json!({"ResetType": kind})).await;
                if model.power(kind) {
                    assert!(answer.status.is_success(), "{kind}: {}", answer.body);
                }
                // Whatever it was, it is over.
                self.wait(120).await;
            }
            Op::Boot(target, how) => {
                let boot = match *how {
                    "Disabled" => json!({"BootSourceOverrideEnabled": "Disabled"}),
                    how => {
                        json!({"BootSourceOverrideTarget": target, "BootSourceOverrideEnabled": how})
                    }
                };
                let answer = self.patch(system, json!({"Boot": boot})).await;
                assert!(answer.status.is_success(), "{}", answer.body);
                model.over = Some((*target, *how)).filter(|_| *how != "Disabled");
            }
            Op::Insert(image) => {
                let action = format!("{slot}/Actions/VirtualMedia.InsertMedia");
                let answer = self.post(&action, json!({"Image": image})).await;
                let fits = model.medium.is_none();
                assert_eq!(answer.status.is_success(), fits, "{}", answer.body);
                model.medium = model.medium.or(Some(*image));
            }
            Op::Eject => {
                let action = format!("{slot}/Actions/VirtualMedia.EjectMedia");
                let answer = self.post(&action, json!({})).await;
                if model.medium.take().is_some() {
                    assert!(answer.status.is_success(), "{}", answer.body);
                }
            }
            Op::Tag { text, stale } => {
                let etag = self.get(system).await.headers["etag"].clone();
                let etag = match stale {
                    true => "\"of-long-ago\"".parse().unwrap(),
                    false => etag,
                };
                let request = self.admin(Method::PATCH, system).header("if-match", etag);
                let answer = self.send(request, Some(json!({"AssetTag": text}))).await;
                if *stale {
                    assert_eq!(answer.status, StatusCode::PRECONDITION_FAILED);
                } else {
                    assert!(answer.status.is_success(), "{}", answer.body);
                    model.tag = Some(text.clone());
                }
            }
            Op::Login => {
                let request = Request::post("/redfish/v1/SessionService/Sessions");
                let body = json!({"UserName": USER, "Password": PASSWORD});
                let answer = self.send(request, Some(body)).await;
                assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
                let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
                model.sessions.push(Session {
                    token: header("x-auth-token"),
                    uri: header("location"),
                    used: self.world.now(),
                    ended: false,
                });
            }
            Op::Use(n) => {
                if let Some(session) = model.sessions.get_mut(*n) {
                    let idle = self.world.now().duration_since(session.used).as_secs();
                    session.ended |= idle > SESSION_SECONDS;
                    let request = Request::get(system).header("x-auth-token", &session.token);
                    let answer = self.send(request, None).await;
                    let expected = match session.ended {
                        true => StatusCode::UNAUTHORIZED,
                        false => StatusCode::OK,
                    };
                    assert_eq!(answer.status, expected, "idle for {idle} s");
                    session.used = self.world.now();
                }
            }
            Op::Logout(n) => {
                if let Some(session) = model.sessions.get_mut(*n) {
                    let idle = self.world.now().duration_since(session.used).as_secs();
                    session.ended |= idle > SESSION_SECONDS;
                    let request = self.admin(Method::DELETE, &session.uri);
                    let answer = self.send(request, None).await;
                    assert_eq!(answer.status.is_success(), !session.ended);
                    session.ended = true;
                }
            }
            Op::AddAccount(name) => {
                let body = json!({"UserName": name, "Password": "long enough for all", "RoleId": "ReadOnly"});
                let answer = self.post("/redfish/v1/AccountService/Accounts", body).await;
                let is_new = model.accounts.insert(name);
                assert_eq!(
                    answer.status == StatusCode::CREATED,
                    is_new,
                    "{}",
                    answer.body
                );
            }
            Op::RemoveAccount(name) => {
                let known = self.account(name).await;
                assert_eq!(known.is_some(), model.accounts.remove(name), "{name}");
                if let Some(uri) = known {
                    let answer = self.send(self.admin(Method::DELETE, &uri), None).await;
                    assert!(answer.status.is_success(), "{}", answer.body);
                }
            }
            Op::Wait(seconds) => self.wait(*seconds).await,
        }
    }

    /// Reads all, and holds it against the model.
    async fn agrees(&self, model: &Model) {
        let system = self.get(&self.system).await.body;
        assert_eq!(
            system["PowerState"] == "On",
            model.on,
            "{}",
            system["PowerState"]
        );
        let boot = &system["Boot"];
        let (target, how) = model.over.unwrap_or(("None", "Disabled"));
        assert_eq!(boot["BootSourceOverrideEnabled"], how, "{boot}");
        assert_eq!(boot["BootSourceOverrideTarget"], target, "{boot}");
        if let Some(tag) = &model.tag {
            assert_eq!(system["AssetTag"], **tag);
        }
        let slot = format!("{}/VirtualMedia/Cd", self.system);
        let slot = self.get(&slot).await.body;
        assert_eq!(slot["Inserted"], model.medium.is_some(), "{slot}");
        assert_eq!(slot["Image"].as_str(), model.medium, "{slot}");
        for name in ["anna", "bert", "carl"] {
            let there = self.account(name).await.is_some();
            assert_eq!(there, model.accounts.contains(name), "{name}");
        }
    }
}

/// Where a client stands.
#[derive(Clone, Copy, Debug)]
enum Persona {
    Fleet,
    Face,
    Replayed,
}

/// The tree of a BMC, as it is recorded.
async fn recorded() -> Capture {
    let world = World::builder()
        .seed(4)
        .traced(false)
        .start()
        .await
        .unwrap();
    let client = world.client().unwrap();
    let options = Options {
        gap: Duration::ZERO,
        ..Options::default()
    };
    let capture = walk(&client, &options, &mut Journal::none(), |_| {}).await;
    world.close().await.unwrap();
    capture.unwrap()
}

async fn play(persona: Persona, capture: &Capture, script: &[Op]) {
    let world = World::builder().seed(9).traced(false);
    let world = match persona {
        Persona::Fleet | Persona::Face => world.systems(3),
        Persona::Replayed => world.capture(capture.clone()),
    };
    let world = world.start().await.unwrap();
    let bmc = match persona {
        Persona::Fleet | Persona::Replayed => world.bmc(),
        Persona::Face => world.bmc_of("sim-00002").unwrap(),
    };
    let mut client = Client {
        world: world.clone(),
        bmc,
        system: String::new(),
    };
    let systems = client.get("/redfish/v1/Systems").await.body;
    let members = systems["Members"].as_array().unwrap();
    let there = match persona {
        Persona::Fleet => 3,
        Persona::Face | Persona::Replayed => 1,
    };
    assert_eq!(members.len(), there);
    client.system = members[0]["@odata.id"].as_str().unwrap().to_owned();
    let timeout = json!({"SessionTimeout": SESSION_SECONDS});
    let answer = client.patch("/redfish/v1/SessionService", timeout).await;
    assert!(answer.status.is_success(), "{}", answer.body);
    let mut model = Model::default();
    for op in script {
        client.act(&mut model, op).await;
        client.agrees(&model).await;
    }
    world.close().await.unwrap();
}

fn number(name: &str, usual: u64) -> u64 {
    let said = std::env::var(name).ok();
    said.map_or(usual, |said| {
        said.parse().unwrap_or_else(|_| panic!("{name}: {said}"))
    })
}

fn hold(persona: Persona) {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("HAWKFISH_SEED", 1).to_le_bytes());
    let config = Config {
        cases: number("HAWKFISH_CASES", 16).try_into().unwrap(),
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let run = |work: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(work);
    };
    let capture = std::cell::OnceCell::new();
    if matches!(persona, Persona::Replayed) {
        run(Box::pin(async {
            capture.set(recorded().await).unwrap();
        }));
    }
    let capture = capture.into_inner().unwrap_or_default();
    let done =
        TestRunner::new_with_rng(config, rng).run(&prop::collection::vec(op(), 1..30), |script| {
            run(Box::pin(play(persona, &capture, &script)));
            Ok(())
        });
    match done {
        Ok(()) => {}
        Err(TestError::Fail(why, script)) => panic!("{why}\n{script:#?}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_fleet_does_as_the_model_of_a_bmc() {
    hold(Persona::Fleet);
}

#[test]
fn the_face_of_one_system_does_as_the_model_of_a_bmc() {
    hold(Persona::Face);
}

#[test]
fn a_replayed_tree_does_as_the_model_of_a_bmc() {
    hold(Persona::Replayed);
}
