//! Faces: the BMC of one system as a service of its own, which shows that system and nothing of others.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use axum::body::Body;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_core::tasks::NewTask;
use hawkfish_server::face::Face;
use http::Request;
use http_body_util::BodyExt as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::door::{ADMIN, Answer, Door, SESSIONS, SYSTEMS};
use crate::post::SUBSCRIPTIONS;

const TASKS: &str = "/redfish/v1/TaskService/Tasks";
const JOBS: &str = "/redfish/v1/JobService/Jobs";
const DEFINITIONS: &str = "/redfish/v1/TelemetryService/MetricReportDefinitions";
const PREFIX: &str = "/bmc/here";

impl Door {
    fn id(&self, number: usize) -> SystemId {
        self.app.hawkfish().systems(&Ctx::service())[number]
            .id
            .clone()
    }

    /// The same service through a face.
    fn through(&self, face: Face) -> Self {
        Self {
            app: self.app.face(face),
            clock: self.clock.clone(),
            rack: self.rack.clone(),
            post: self.post.clone(),
        }
    }

    /// The face of the n-th system.
    fn face(&self, number: usize) -> Self {
        self.through(Face::of(self.id(number)))
    }

    fn below(&self, number: usize, prefix: &str) -> Self {
        self.through(Face::below(self.id(number), prefix).unwrap())
    }

    async fn post_to(&self, uri: &str, body: Value) -> Answer {
        self.send("POST", uri).admin().json(&body).answer().await
    }

    async fn token_of(&self) -> String {
        let made = self.log_in(ADMIN.0, ADMIN.1).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.header("x-auth-token").to_owned()
    }

    /// A task about a system.
    async fn task(&self, about: Option<SystemId>) -> String {
        let new = NewTask {
            name: "Something".to_owned(),
            subject: about,
            kind: "test".to_owned(),
            payload: Value::Null,
            request: None,
            resumable: false,
        };
        let tasks = self.app.hawkfish().tasks();
        let task = tasks.create(&Ctx::service(), new).await.unwrap();
        format!("{TASKS}/{}", task.id)
    }

    async fn members(&self, uri: &str) -> BTreeSet<String> {
        let list = self.read(uri).await.body;
        let members = list["Members"].as_array().unwrap();
        let uris: BTreeSet<_> = members
            .iter()
            .map(|one| one["@odata.id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(list["Members@odata.count"], uris.len());
        uris
    }

    /// All that leads on from the root, with its body as text.
    async fn walk(&self, prefix: &str) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        let mut open = BTreeSet::from([format!("{prefix}/redfish/v1/")]);
        let mut all = Vec::new();
        while let Some(uri) = open.pop_first() {
            let uri = uri.split('#').next().unwrap().to_owned();
            if !seen.insert(uri.clone()) {
                continue;
            }
            let answer = self
                .send("GET", &uri)
                .admin()
                .header("accept", "*/*")
                .answer()
                .await;
            assert_eq!(answer.status, 200, "{uri}: {answer:?}");
            links(&answer.body, &mut open);
            let headers = format!("{:?}", answer.headers);
            all.push((uri, headers + &String::from_utf8_lossy(&answer.bytes)));
        }
        all
    }
}

fn links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(uri) if name == "@odata.id" || name == "@Redfish.ActionInfo" => {
                        found.insert(uri.to_owned());
                    }
                    _ => links(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        _ => {}
    }
}

/// What a system is known by.
fn marks(door: &Door, number: usize) -> Vec<String> {
    let system = door.app.hawkfish().systems(&Ctx::service())[number].clone();
    let machine = &system.machine;
    let mut marks = vec![system.id.to_string(), machine.name.clone()];
    marks.extend(machine.identity.serial.clone());
    marks.extend(machine.hardware.nics.iter().map(|nic| nic.mac.to_string()));
    marks
}

/// A fleet of two in which there is something of each kind of each system. What was made for the first, by URI.
async fn lived_in() -> (Door, tempfile::TempDir, Vec<String>) {
    let (door, folder) = crate::update::open_with(hawkfish_server::Options::default()).await;
    door.furnish().await;
    let mut made = Vec::new();
    for number in 0..2 {
        let id = door.id(number);
        let system = door.system(number);
        let face = door.face(number);
        let location = |answer: Answer| {
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.header("location").to_owned()
        };
        let mut own = Vec::new();
        let job = json!({
            "Name": format!("Job of {id}"),
            "Schedule": {"InitialStartTime": "2026-01-02T00:00:00Z"},
            "Payload": {
                "TargetUri": format!("{system}/Actions/ComputerSystem.Reset"),
                "JsonBody": "{\"ResetType\": \"On\"}",
            },
        });
        own.push(location(door.post_to(JOBS, job.clone()).await));
        own.push(location(face.post_to(JOBS, job).await));
        own.push(location(face.log_in(ADMIN.0, ADMIN.1).await));
        own.push(location(
            face.ask_for(
                &format!("host{number}.example"),
                json!({"Context": format!("for {id}")}),
            )
            .await,
        ));
        own.push(door.task(Some(id.clone())).await);
        own.push(own.last().unwrap().replace("/Tasks/", "/TaskMonitors/"));
        let definition = json!({
            "Id": format!("of{number}"),
            "MetricReportDefinitionType": "OnRequest",
            "Wildcards": [{"Name": "C", "Values": [id.as_str()]}],
            "MetricProperties": ["/redfish/v1/Chassis/{C}/EnvironmentMetrics#/PowerWatts/Reading"],
        });
        own.push(location(face.post_to(DEFINITIONS, definition).await));
        own.push(own.last().unwrap().replace("ReportDefinitions", "Reports"));
        let on = json!({"ResetType": "On"});
        let reset = format!("{system}/Actions/ComputerSystem.Reset");
        assert_eq!(door.post_to(&reset, on.clone()).await.status, 204);
        face.post_to(&reset, on).await;
        if number == 0 {
            made = own;
        }
    }
    // Of the fleet, and about the first.
    let id = door.id(0);
    let definition = json!({
        "Id": "fleet",
        "MetricReportDefinitionType": "OnRequest",
        "Wildcards": [{"Name": "C", "Values": [id.as_str()]}],
        "MetricProperties": ["/redfish/v1/Chassis/{C}/EnvironmentMetrics#/PowerWatts/Reading"],
    });
    let defined = door.post_to(DEFINITIONS, definition).await;
    made.push(defined.header("location").to_owned());
    made.push(
        door.log_in(ADMIN.0, ADMIN.1)
            .await
            .header("location")
            .to_owned(),
    );
    made.push(
        door.subscribe("fleet.example", json!({"Context": format!("for {id}")}))
            .await,
    );
    made.push(format!("{}/Oem/HawkFish/DeadLetters", made.last().unwrap()));
    (door, folder, made)
}

#[tokio::test]
async fn a_walk_through_a_face_finds_its_system_and_nothing_of_another() {
    let (door, _folder, _) = lived_in().await;
    let other = marks(&door, 0);
    let own = door.id(1).to_string();
    let all = door.face(1).walk("").await;
    assert!(all.len() > 100, "{}", all.len());
    for (uri, text) in &all {
        for mark in &other {
            assert!(!text.contains(mark), "{uri} tells of {mark}: {text}");
        }
    }
    for part in ["Systems", "Chassis", "Managers"] {
        let uri = format!("/redfish/v1/{part}");
        let members = door.face(1).members(&uri).await;
        assert_eq!(members, BTreeSet::from([format!("{uri}/{own}")]));
        assert!(door.members(&uri).await.len() > 1);
    }
}

#[tokio::test]
async fn nothing_of_another_system_is_there_through_a_face_for_any_method() {
    let (door, _folder, made) = lived_in().await;
    let id = door.id(0).to_string();
    let fleet = door.walk("").await;
    let mut others: BTreeSet<String> = made.into_iter().collect();
    others.extend(
        fleet
            .into_iter()
            .map(|(uri, _)| uri)
            .filter(|uri| uri.contains(&id)),
    );
    assert!(others.len() > 60, "{others:?}");
    let face = door.face(1);
    for uri in &others {
        for method in ["GET", "HEAD", "PATCH", "POST", "DELETE"] {
            let sending = face.send(method, uri).admin();
            let sending = match method {
                "PATCH" | "POST" => sending.json(&json!({"Name": "x"})),
                _ => sending,
            };
            let answer = sending.answer().await;
            assert_eq!(answer.status, 404, "{method} {uri}: {answer:?}");
        }
        let reset = format!("{uri}/Actions/ComputerSystem.Reset");
        assert_eq!(face.post_to(&reset, json!({})).await.status, 404, "{reset}");
    }
    // It is all still there.
    for uri in others.iter().filter(|uri| !uri.contains("TaskMonitors")) {
        door.read(uri).await;
    }
    // Nor by a word in a body.
    let update = "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate";
    let wanted =
        json!({"ImageURI": "http://images.example/a", "Targets": [format!("{SYSTEMS}/{id}")]});
    let refused = face.post_to(update, wanted).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
    let job = json!({"Payload": {"TargetUri": format!("{SYSTEMS}/{id}/Actions/ComputerSystem.Reset"), "JsonBody": "{\"ResetType\":\"On\"}"}});
    face.post_to(JOBS, job)
        .await
        .refused(400, "PropertyValueNotInList");
}

#[tokio::test]
async fn a_session_counts_at_the_face_where_it_was_made_and_nowhere_else() {
    let door = Door::open().await;
    let faces = [door.face(0), door.face(1)];
    let tokens = [
        faces[0].token_of().await,
        faces[1].token_of().await,
        door.token_of().await,
    ];
    for (at, place) in faces.iter().chain([&door]).enumerate() {
        for (of, token) in tokens.iter().enumerate() {
            let answer = place.send("GET", SYSTEMS).token(token).answer().await;
            let status = if at == of { 200 } else { 401 };
            assert_eq!(answer.status, status, "the token of {of} at {at}");
        }
    }
    assert_eq!(faces[0].members(SESSIONS).await.len(), 1);
    assert_eq!(door.members(SESSIONS).await.len(), 3);
    // Each has room for as many as it takes: one that is full is full alone.
    for _ in 1..20 {
        faces[0].token_of().await;
    }
    let full = faces[0].log_in(ADMIN.0, ADMIN.1).await;
    full.refused(503, "SessionLimitExceeded");
    faces[1].token_of().await;
    door.token_of().await;
    // A restart would not let them loose: each is kept with its face.
    let own = door.id(0);
    let kept = door.app.hawkfish().sessions().list(&Ctx::service());
    assert_eq!(
        kept.iter()
            .filter(|one| one.face.as_ref() == Some(&own))
            .count(),
        20
    );
}

#[tokio::test]
async fn a_task_about_a_system_is_seen_at_its_face_and_at_that_of_the_fleet() {
    let door = Door::open().await;
    let tasks = [
        door.task(Some(door.id(0))).await,
        door.task(Some(door.id(1))).await,
        door.task(None).await,
    ];
    for (number, task) in tasks.iter().enumerate().take(2) {
        let seen = door.face(number).members(TASKS).await;
        assert_eq!(seen, BTreeSet::from([task.clone()]));
    }
    assert_eq!(door.members(TASKS).await, BTreeSet::from(tasks));
}

#[tokio::test]
async fn a_face_is_a_service_with_a_name_and_uuid_of_its_own() {
    let door = Door::open().await;
    let root = "/redfish/v1/";
    let fleet = door.read(root).await.body;
    for number in 0..2 {
        let face = door.face(number);
        let own = face.read(root).await.body;
        let manager = face
            .read(&door.system(number).replace("Systems", "Managers"))
            .await
            .body;
        let system = face.read(&door.system(number)).await.body;
        assert_eq!(own["UUID"], manager["UUID"]);
        assert_eq!(own["UUID"], manager["ServiceEntryPointUUID"]);
        assert_eq!(own["Name"], system["Name"]);
        assert_ne!(own["UUID"], fleet["UUID"]);
        // Again, now that bodies are kept.
        assert_eq!(face.read(root).await.body, own);
    }
    assert_eq!(door.read(root).await.body, fleet);
    let gone = door.through(Face::of(SystemId::parse("nobody").unwrap()));
    gone.send("GET", root)
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn who_listens_at_a_face_hears_of_its_system_alone() {
    let door = Door::open().await;
    let faces = [door.face(0), door.below(1, PREFIX)];
    faces[0].subscribe("zero.example", json!({})).await;
    let made = faces[1]
        .send("POST", &format!("{PREFIX}{SUBSCRIPTIONS}"))
        .admin()
        .json(&json!({"Destination": "https://one.example/", "Protocol": "Redfish"}))
        .answer()
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    door.subscribe("fleet.example", json!({})).await;
    for number in 0..2 {
        let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(number));
        door.post_to(&reset, json!({"ResetType": "On"})).await.ok();
    }
    let test =
        json!({"MessageId": "ResourceEvent.1.4.TestMessage", "OriginOfCondition": door.system(0)});
    faces[0]
        .post_to(
            "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent",
            test,
        )
        .await
        .ok();
    door.app.hawkfish().subscriptions().settle().await;
    let (other, own) = (door.id(0).to_string(), door.id(1).to_string());
    let heard = |host: &str| -> String {
        let parcels = door.post.taken(host);
        parcels
            .iter()
            .map(|one| String::from_utf8_lossy(&one.body).into_owned())
            .collect()
    };
    let (zero, one, fleet) = (
        heard("zero.example"),
        heard("one.example"),
        heard("fleet.example"),
    );
    assert!(zero.contains(&other) && !zero.contains(&own), "{zero}");
    assert!(zero.contains("TestMessage"));
    assert!(
        one.contains(&format!("\"{PREFIX}/redfish/v1/Systems/{own}\"")),
        "{one}"
    );
    assert!(
        !one.contains(&other) && !one.contains("\"/redfish/"),
        "{one}"
    );
    assert!(!one.contains("TestMessage"));
    assert!(fleet.contains(&other) && fleet.contains(&own), "{fleet}");
    assert!(!fleet.contains(PREFIX));
}

#[tokio::test]
async fn a_stream_through_a_prefix_carries_it_and_nothing_of_others() {
    let door = Door::open().await;
    let face = door.below(1, PREFIX);
    let token = {
        let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
        let uri = format!("{PREFIX}{SESSIONS}");
        let made = face.send("POST", &uri).json(&body).answer().await;
        assert!(made.header("location").starts_with(&uri), "{made:?}");
        made.header("x-auth-token").to_owned()
    };
    let request = Request::get(format!("{PREFIX}/redfish/v1/EventService/SSE"))
        .header("x-auth-token", &token)
        .header("accept", "text/event-stream")
        .body(Body::empty())
        .unwrap();
    let mut stream = face.app.answer(request).await.into_body();
    for number in 0..2 {
        let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(number));
        door.post_to(&reset, json!({"ResetType": "On"})).await.ok();
    }
    let (other, own) = (door.id(0).to_string(), door.id(1).to_string());
    let mut text = String::new();
    while !text.contains(&own) {
        let frame = tokio::time::timeout(std::time::Duration::from_secs(20), stream.frame());
        let frame = frame.await.expect("it comes").unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&frame.into_data().unwrap()));
    }
    assert!(
        text.contains(&format!("\"{PREFIX}/redfish/v1/Systems/{own}\"")),
        "{text}"
    );
    assert!(
        !text.contains(&other) && !text.contains("\"/redfish/"),
        "{text}"
    );
}

#[tokio::test]
async fn all_links_below_a_prefix_carry_it_and_tags_do_not_change() {
    let (door, _folder, _) = lived_in().await;
    let (plain, below) = (door.face(1), door.below(1, PREFIX));
    let all = below.walk(PREFIX).await;
    assert!(all.len() > 100);
    for (uri, text) in &all {
        assert!(uri.starts_with(PREFIX), "{uri}");
        for bare in [
            "\"/redfish/",
            "'/redfish/",
            "</redfish/",
            " /redfish/",
            "\\\"/redfish/",
        ] {
            assert!(!text.contains(bare), "{uri}: {bare} in {text}");
        }
    }
    let system = door.system(1);
    let (bare, prefixed) = (
        plain.read(&system).await,
        below.read(&format!("{PREFIX}{system}")).await,
    );
    assert_eq!(bare.header("etag"), prefixed.header("etag"));
    assert_eq!(bare.body["@odata.etag"], prefixed.body["@odata.etag"]);
    let unchanged = below
        .send("GET", &format!("{PREFIX}{system}"))
        .admin()
        .header("if-none-match", bare.header("etag"))
        .answer()
        .await;
    assert_eq!(unchanged.status, 304);
    for (root, status) in [
        ("/redfish", 200),
        ("/redfish/v1", 200),
        ("/redfish/v1/", 200),
        ("/redfish/v1/odata", 200),
    ] {
        let answer = below.send("GET", &format!("{PREFIX}{root}")).answer().await;
        assert_eq!(answer.status, status, "{root}");
        assert!(
            !answer.body.to_string().contains("\"/redfish"),
            "{answer:?}"
        );
    }
    // The service is not there beside its prefix.
    for uri in [
        "/redfish/v1/",
        "/bmc/hereabouts/redfish/v1/",
        "/bmc/redfish/v1/",
    ] {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        assert_eq!(below.app.answer(request).await.status(), 404, "{uri}");
    }
}

#[tokio::test]
async fn links_that_come_in_through_a_prefix_lose_it() {
    let door = Door::open().await;
    let below = door.below(1, PREFIX);
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(1));
    let job = json!({
        "Schedule": {"InitialStartTime": "2026-01-02T00:00:00Z"},
        "Payload": {"TargetUri": format!("{PREFIX}{reset}"), "JsonBody": "{\"ResetType\": \"On\"}"},
    });
    let made = below.post_to(&format!("{PREFIX}{JOBS}"), job).await;
    assert_eq!(made.status, 201, "{made:?}");
    let at = made.header("location").to_owned();
    assert_eq!(
        made.body["Payload"]["TargetUri"],
        format!("{PREFIX}{reset}")
    );
    let plain = door.read(at.strip_prefix(PREFIX).unwrap()).await;
    assert_eq!(plain.body["Payload"]["TargetUri"], reset);
    let filter = format!("$filter=Id%20eq%20'{}'", door.id(1));
    let found = below.read(&format!("{PREFIX}{SYSTEMS}?{filter}")).await;
    assert_eq!(found.body["Members@odata.count"], 1);
    let wrong = below
        .send("GET", &format!("{PREFIX}/redfish/v1/Nowhere"))
        .admin()
        .answer()
        .await;
    wrong.refused(404, "ResourceMissingAtURI");
    assert!(
        wrong
            .body
            .to_string()
            .contains(&format!("{PREFIX}/redfish/v1/Nowhere"))
    );
}

#[tokio::test]
async fn what_was_done_through_a_face_stands_in_its_audit_log_and_not_in_the_others() {
    let door = Door::open().await;
    let faces = [door.face(0), door.face(1)];
    faces[0].token_of().await;
    let audit = |number: usize| {
        let manager = door.system(number).replace("Systems", "Managers");
        format!("{manager}/LogServices/Audit/Entries")
    };
    assert_eq!(faces[0].members(&audit(0)).await.len(), 1);
    assert_eq!(faces[1].members(&audit(1)).await.len(), 0);
    let clear = audit(0).replace("Entries", "Actions/LogService.ClearLog");
    faces[0].post_to(&clear, json!({})).await.ok();
    door.token_of().await;
    assert!(!door.members(&audit(0)).await.is_empty());
}

static TREE: OnceLock<(Door, tempfile::TempDir)> = OnceLock::new();

#[test]
fn whatever_is_asked_through_a_face_nothing_of_another_system_comes_back() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (door, _) = TREE.get_or_init(|| {
        let (door, folder, _) = runtime.block_on(lived_in());
        (door, folder)
    });
    let marks = marks(door, 0);
    let (other, own) = (marks[0].clone(), door.id(1).to_string());
    let face = door.face(1);
    let templates: Vec<&'static str> = hawkfish_server::resource::ALL
        .iter()
        .map(|one| one.uri)
        .collect();
    let value = prop_oneof![
        Just(other.clone()),
        Just(own.clone()),
        Just(format!("BIOS-{other}")),
        Just(format!("BIOS-{own}")),
        Just("fleet".to_owned()),
        Just("of0".to_owned()),
        Just("of1".to_owned()),
        (0..9_u8).prop_map(|number| number.to_string()),
    ];
    let query = prop_oneof![
        Just(""),
        Just("?$expand=*($levels=6)"),
        Just("?$expand=."),
        Just("?$top=1"),
        Just("?$select=Id,Name,Links"),
        Just("?only"),
        Just("?excerpt"),
    ];
    let asked = (
        prop::sample::select(templates),
        prop::collection::vec(value, 4),
        query,
    );
    let mut runner = TestRunner::new(Config::with_cases(256));
    runner
        .run(&asked, |(template, mut values, query)| {
            if template.ends_with("/SSE") || template == "/events/stream" {
                return Ok(());
            }
            let parts = template.split('/').map(|part| match part.starts_with('{') {
                true => values.pop().unwrap_or_default(),
                false => part.to_owned(),
            });
            let path = parts.collect::<Vec<_>>().join("/");
            let uri = format!("{path}{query}");
            let sending = face.send("GET", &uri).admin().header("accept", "*/*");
            let answer = runtime.block_on(sending.answer());
            // What was asked for may be said again, of what is not there.
            let said = String::from_utf8_lossy(&answer.bytes).into_owned();
            let said = match answer.status.as_u16() {
                200 => said,
                _ => said.replace(&other, ""),
            };
            for mark in &marks {
                prop_assert!(!said.contains(mark), "{uri} tells of {mark}: {said}");
            }
            Ok(())
        })
        .unwrap();
}
