//! What real services get wrong: a test for each quirk, whose name begins with that of the quirk. The answers are made by hand.

use std::io::Write as _;

use axum::body::Body;
use hawkfish_client::quirks::QUIRKS;
use hawkfish_client::redfish::message::Severity;
use hawkfish_client::redfish::model::computer_system::ComputerSystem;
use hawkfish_client::{Client, Etag, Kind, Outcome, Request, link};
use http::Response;
use serde_json::{Value, json};

use crate::mock::{PASSWORD, USER};
use crate::script::{Script, Seen, answer, json};

/// Answers every request with this.
fn says(status: u16, headers: &'static [(&str, &str)], body: impl Into<Vec<u8>>) -> Script {
    let body: Vec<u8> = body.into();
    Script::new(move |_| answer(status, headers, body.clone()))
}

async fn read(body: impl Into<Vec<u8>>) -> Value {
    let client = says(200, &[], body).client();
    client.get_value("/redfish/v1/x").await.unwrap().value
}

/// What is read of it as the type of a machine.
async fn machine(body: &Value) -> Value {
    let client = says(200, &[], body.to_string()).client();
    let typed = client.get::<ComputerSystem>("/redfish/v1/x").await.unwrap();
    serde_json::to_value(typed.value).unwrap()
}

/// A list, as strictly as serde has it.
#[derive(serde::Deserialize)]
struct Listed {
    #[serde(rename = "Members")]
    members: Vec<Value>,
}

async fn members(body: &Value) -> Vec<String> {
    let client = says(200, &[], body.to_string()).client();
    let members = client.members("/redfish/v1/x").all().await.unwrap();
    members.into_iter().map(|member| member.uri).collect()
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

#[test]
fn every_quirk_has_a_test_here_and_a_name_of_its_own() {
    let here = include_str!("quirks.rs");
    let mut names = std::collections::BTreeSet::new();
    for quirk in QUIRKS {
        assert!(names.insert(quirk.name), "{} twice", quirk.name);
        assert!(
            here.contains(&format!("fn {}_", quirk.name)),
            "no test of {}",
            quirk.name
        );
        assert!(!quirk.about.is_empty() && !quirk.seen.is_empty());
    }
}

// ---- Bodies

#[tokio::test]
async fn byte_order_mark_is_left_out() {
    assert_eq!(read("\u{feff}{\"Id\": \"1\"}").await["Id"], "1");
    let client = says(200, &[], "\u{feff}{\"Id\": \"1\"}").client();
    let typed = client.get::<ComputerSystem>("/x").await.unwrap();
    assert_eq!(typed.value.id, "1");
}

#[tokio::test]
async fn not_utf8_is_read_all_the_same() {
    let found = read(b"{\"Id\": \"1\", \"AssetTag\": \"M\xfcller\"}".as_slice()).await;
    assert_eq!(found["AssetTag"], "M\u{fffd}ller");
}

#[tokio::test]
async fn packed_unasked_is_unpacked_up_to_a_bound() {
    let gzip: &[(&str, &str)] = &[("content-encoding", "gzip")];
    let client = says(200, gzip, packed(b"{\"Id\": \"1\"}")).client();
    assert_eq!(client.get_value("/x").await.unwrap().value["Id"], "1");

    // 65 MiB of spaces are some 64 KiB; they are not taken for a body.
    let bomb = says(200, gzip, packed(&vec![b' '; 65 << 20])).client();
    assert_eq!(bomb.get_value("/x").await.unwrap_err().kind, Kind::Protocol);
    let plain = says(200, gzip, "{\"Id\": \"1\"}").client();
    assert_eq!(plain.get_value("/x").await.unwrap().value["Id"], "1");
}

#[tokio::test]
async fn property_twice_is_the_last_one() {
    let body = r#"{"Name": null, "Id": "1", "Name": "a", "@odata.id": "/x"}"#;
    assert_eq!(read(body).await["Name"], "a");
    let client = says(200, &[], body).client();
    let typed = client.get::<ComputerSystem>("/x").await.unwrap();
    assert_eq!(typed.value.name, "a");
}

#[tokio::test]
async fn success_as_error_is_success() {
    let body = json!({"error": {"code": "iLO.0.10.ExtendedInfo", "message": "See it.",
        "@Message.ExtendedInfo": [{"MessageId": "Base.1.4.Success"}]}});
    let client = says(200, &[], body.to_string()).client();
    let outcome = client.post("/x", &json!({})).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
}

#[tokio::test]
async fn error_as_success_is_an_error_with_its_messages() {
    let body = json!({"error": {"code": "Base.1.12.GeneralError",
        "@Message.ExtendedInfo": [{"MessageId": "Base.1.12.ResourceMissingAtURI", "Message": "Nothing is there."}]}});
    let client = says(200, &[], body.to_string()).client();
    for error in [
        client.get_value("/x").await.map(drop).unwrap_err(),
        client
            .get::<ComputerSystem>("/x")
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(error.kind, Kind::NotFound);
        assert_eq!(error.messages()[0].key(), "ResourceMissingAtURI");
    }
    let other = json!({"error": {"code": "Base.1.12.GeneralError", "message": "It is broken."}});
    let client = says(200, &[], other.to_string()).client();
    let error = client.get_value("/x").await.unwrap_err();
    assert_eq!(error.kind, Kind::Service);
    // What has an error beside its own properties is a resource.
    let found = read(json!({"@odata.id": "/x", "error": {"code": "a"}}).to_string()).await;
    assert_eq!(found["@odata.id"], "/x");
}

// ---- Types

#[tokio::test]
async fn members_null_is_no_members() {
    for none in [json!(null), json!({}), json!("")] {
        assert!(members(&json!({"Members": none})).await.is_empty());
    }
    assert!(members(&json!({"Name": "x"})).await.is_empty());
}

#[tokio::test]
async fn null_member_is_passed_over() {
    let body = json!({"Members": [null, {"@odata.id": "/redfish/v1/x/1"}, null]});
    assert_eq!(members(&body).await, ["/redfish/v1/x/1"]);
}

#[tokio::test]
async fn object_for_list_is_read_as_the_list() {
    let found = machine(&json!({"@odata.id": "/x", "Id": "1", "HostingRoles": {},
        "Boot": {"BootOrder": {}}, "PowerState": "On"}))
    .await;
    assert_eq!(found["Id"], "1");
    assert_eq!(found["PowerState"], "On");
    let one = json!({"@odata.id": "/x", "Members": {"@odata.id": "/x/1"}});
    let client = says(200, &[], one.to_string()).client();
    let list = client.get::<Listed>("/x").await.unwrap().value;
    assert_eq!(list.members.len(), 1);
}

#[tokio::test]
async fn text_for_number_is_the_number_and_number_for_text_the_text() {
    let found = machine(&json!({"@odata.id": "/x", "Id": 1, "SerialNumber": 4711,
        "ProcessorSummary": {"Count": "2"}, "MemorySummary": {"TotalSystemMemoryGiB": "15.5"}}))
    .await;
    assert_eq!(found["Id"], "1");
    assert_eq!(found["SerialNumber"], "4711");
    assert_eq!(found["ProcessorSummary"]["Count"], 2);
    assert_eq!(found["MemorySummary"]["TotalSystemMemoryGiB"], 15.5);
}

#[tokio::test]
async fn placeholder_for_nothing_is_absent_and_the_rest_is_there() {
    let found = machine(&json!({"@odata.id": "/x", "Id": "1",
        "ProcessorSummary": {"Count": "N/A", "Model": "Some"}, "MemorySummary": ""}))
    .await;
    assert_eq!(found["ProcessorSummary"].get("Count"), None);
    assert_eq!(found["ProcessorSummary"]["Model"], "Some");
}

#[tokio::test]
async fn date_that_is_none_hides_nothing_else() {
    for date in [
        "00:00:00Z",
        "0000-00-00T00:00:00+00:00",
        "2024-03-26T22:10:57",
        "",
    ] {
        let found = machine(&json!({"@odata.id": "/x", "Id": "1", "LastResetTime": date})).await;
        assert_eq!(found["Id"], "1", "{date}");
    }
}

#[tokio::test]
async fn required_is_missing_and_the_rest_is_read() {
    let found = machine(&json!({"@odata.id": "/x", "Name": null, "PowerState": "Off"})).await;
    assert_eq!((&found["Id"], &found["Name"]), (&json!(""), &json!("")));
    assert_eq!(found["PowerState"], "Off");
}

#[tokio::test]
async fn count_is_wrong_and_nothing_goes_by_it() {
    let body = json!({"Members@odata.count": 9, "Members": [{"@odata.id": "/x/1"}]});
    assert_eq!(members(&body).await, ["/x/1"]);
}

// ---- Tags

async fn tag(headers: &'static [(&str, &str)], body: Value) -> Option<Etag> {
    let client = says(200, headers, body.to_string()).client();
    client.get_value("/x").await.unwrap().etag
}

#[tokio::test]
async fn tag_in_body_only_is_the_tag() {
    let found = tag(&[], json!({"@odata.etag": "W/\"1\""})).await;
    assert_eq!(found, Some(Etag::new("W/\"1\"")));
    let empty = tag(&[("etag", "")], json!({"@odata.etag": "\"2\""})).await;
    assert_eq!(empty, Some(Etag::new("\"2\"")));
}

/// A resource whose tag is shown like this, and taken only like that.
fn tagged(header: Option<&'static str>, body: Value, taken: &'static str) -> Script {
    Script::new(move |asked| {
        if asked.method == "GET" {
            let header: Vec<(&str, &str)> = header.iter().map(|tag| ("etag", *tag)).collect();
            return json(200, &header, &json!({"@odata.etag": body, "AssetTag": "a"}));
        }
        match asked.header("if-match") {
            Some(tag) if tag == taken => answer(204, &[], ""),
            None if taken.is_empty() => answer(204, &[], ""),
            _ => answer(412, &[], ""),
        }
    })
}

async fn update(client: &Client) -> Result<Outcome, hawkfish_client::Error> {
    let to_b = |_: &Value| Ok(Some(json!({"AssetTag": "b"})));
    client.update("/x", to_b).await
}

#[tokio::test]
async fn tag_is_a_number_and_goes_back_as_it_came_or_with_quotes() {
    for taken in ["1718082924", "\"1718082924\""] {
        let script = tagged(None, json!(1_718_082_924), taken);
        update(&script.client()).await.unwrap();
        assert_eq!(script.lines()[0..2], ["GET /x", "PATCH /x"]);
        assert_eq!(script.seen()[1].header("if-match"), Some("1718082924"));
    }
}

#[tokio::test]
async fn weak_tag_refused_is_tried_once_as_strong() {
    let script = tagged(Some("W/\"1\""), json!("W/\"1\""), "\"1\"");
    update(&script.client()).await.unwrap();
    assert_eq!(script.lines(), ["GET /x", "PATCH /x", "PATCH /x"]);

    let script = tagged(None, json!(null), "\"1\"");
    let weak = Etag::new("W/\"1\"");
    let client = script.client();
    client.patch("/x", Some(&weak), &json!({})).await.unwrap();
    client.delete("/x", Some(&weak)).await.unwrap();
    let other = Etag::new("W/\"2\"");
    let error = client.patch("/x", Some(&other), &json!({})).await;
    assert_eq!(error.unwrap_err().kind, Kind::PreconditionFailed);
    assert_eq!(script.lines().len(), 6);
}

#[tokio::test]
async fn header_tag_is_another_than_that_of_the_body_and_both_are_tried() {
    let script = tagged(Some("\"front\""), json!("\"1\""), "\"1\"");
    update(&script.client()).await.unwrap();
    assert_eq!(script.seen()[2].header("if-match"), Some("\"1\""));
}

#[tokio::test]
async fn tag_with_packing_is_known_without_it() {
    for shown in ["\"1-gzip\"", "\"1;gzip\"", "W/\"1--gzip\""] {
        let script = tagged(Some(shown), json!(null), "\"1\"");
        update(&script.client()).await.unwrap();
    }
}

#[tokio::test]
async fn star_refused_is_answered_with_the_tag() {
    let script = tagged(Some("\"1\""), json!("\"1\""), "\"1\"");
    let client = script.client();
    let any = Etag::any();
    client.patch("/x", Some(&any), &json!({})).await.unwrap();
    client.delete("/x", Some(&any)).await.unwrap();
    assert_eq!(script.lines()[0..3], ["PATCH /x", "GET /x", "PATCH /x"]);
    assert_eq!(script.lines()[3..6], ["DELETE /x", "GET /x", "DELETE /x"]);
}

#[tokio::test]
async fn own_tag_refused_is_an_error_unless_one_has_said_otherwise() {
    let script = tagged(Some("\"1\""), json!("\"1\""), "");
    let error = update(&script.client()).await.unwrap_err();
    assert_eq!(error.kind, Kind::PreconditionFailed);
    assert!(error.to_string().contains("unguarded"), "{error}");
    let guarded = script.seen();
    let changes = guarded.iter().filter(|asked| asked.method == "PATCH");
    assert!(changes.clone().count() <= 3);
    assert!(
        changes
            .clone()
            .all(|asked| asked.header("if-match").is_some())
    );

    let unguarded = script.builder().unguarded().build().unwrap();
    update(&unguarded).await.unwrap();
}

#[tokio::test]
async fn no_tag_is_no_guard() {
    let script = tagged(None, json!(null), "");
    update(&script.client()).await.unwrap();
    assert_eq!(script.lines(), ["GET /x", "PATCH /x"]);
}

/// A collection of two machines, whose members are brought in as this says.
fn expanding(member: impl Fn(&str) -> Value + Clone + Send + Sync + 'static) -> Script {
    Script::new(move |asked| {
        let body = match asked.uri.as_str() {
            "/redfish/v1/" => json!({"@odata.id": "/redfish/v1/",
                "ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": true, "Levels": true}}}),
            "/redfish/v1/Systems" => {
                json!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}, {"@odata.id": "/redfish/v1/Systems/2"}]})
            }
            uri if uri.contains("$expand") => json!({"Members": [member("1"), member("2")]}),
            uri => {
                let id = uri.rsplit('/').next().unwrap();
                let body = json!({"@odata.id": uri, "Id": id, "Name": id, "PowerState": "On", "@odata.etag": "\"1\""});
                if asked.method == "PATCH" {
                    let taken = asked.header("if-match") == Some("\"1\"");
                    return answer(if taken { 204 } else { 412 }, &[], "");
                }
                body
            }
        };
        json(200, &[], &body)
    })
}

async fn states(script: &Script) -> Vec<Value> {
    let all = script.client().resources("/redfish/v1/Systems").await;
    all.unwrap()
        .iter()
        .map(|found| found.value["PowerState"].clone())
        .collect()
}

#[tokio::test]
async fn member_without_tag_is_read_before_it_is_changed() {
    let script = expanding(
        |id| json!({"@odata.id": format!("/redfish/v1/Systems/{id}"), "Id": id, "Name": id, "PowerState": "On"}),
    );
    let client = script.client();
    let all = client.resources("/redfish/v1/Systems").await.unwrap();
    assert_eq!(all[0].etag, None);
    let outcome = client.update(&all[0].uri, |_| Ok(Some(json!({"AssetTag": "b"}))));
    outcome.await.unwrap();
    let last = script.seen().pop().unwrap();
    assert_eq!(last.header("if-match"), Some("\"1\""));
}

#[tokio::test]
async fn expand_drops_properties_so_that_members_are_read_by_themselves() {
    let script = expanding(
        |id| json!({"@odata.id": format!("/redfish/v1/Systems/{id}"), "PowerState": "Off"}),
    );
    assert_eq!(states(&script).await, ["On", "On"]);
}

#[tokio::test]
async fn expand_is_ignored_so_that_members_are_read_by_themselves() {
    let script = expanding(|id| json!({"@odata.id": format!("/redfish/v1/Systems/{id}")}));
    assert_eq!(states(&script).await, ["On", "On"]);
}

// ---- Places

/// A service with sessions, whose new session is answered like this.
fn logging_in(
    root: Value,
    session: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> Script {
    Script::new(
        move |asked| match (asked.method.as_str(), asked.uri.as_str()) {
            ("GET", "/redfish/v1/") if root.is_null() && asked.header("x-auth-token").is_none() => {
                answer(401, &[], "")
            }
            ("GET", "/redfish/v1/") => json(200, &[], &root),
            ("POST", "/redfish/v1/SessionService/Sessions") => session(),
            ("DELETE", _) => answer(204, &[], ""),
            _ => json(200, &[], &json!({"@odata.id": asked.uri, "Id": "x"})),
        },
    )
}

fn root() -> Value {
    json!({"@odata.id": "/redfish/v1/", "Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}})
}

fn new_session(location: Option<&str>) -> Response<Body> {
    let mut headers = vec![("x-auth-token", "t")];
    headers.extend(location.map(|location| ("location", location)));
    let body = json!({"@odata.id": "/redfish/v1/SessionService/Sessions/7", "Id": "7"});
    json(201, &headers, &body)
}

async fn closed_at(script: &Script) -> String {
    let client = script.builder().session(USER, PASSWORD).build().unwrap();
    client.login().await.unwrap();
    client.logout().await.unwrap();
    script.lines().pop().unwrap()
}

#[tokio::test]
async fn location_of_another_host_is_a_path_of_the_service() {
    for location in [
        "https://10.0.0.7/redfish/v1/SessionService/Sessions/7",
        "http://bmc.example/redfish/v1/SessionService/Sessions/7",
        "//inside:8443/redfish/v1/SessionService/Sessions/7",
    ] {
        let script = logging_in(root(), move || new_session(Some(location)));
        let closed = closed_at(&script).await;
        assert_eq!(closed, "DELETE /redfish/v1/SessionService/Sessions/7");
    }
    // What is no URI of Redfish is not guessed at.
    let script = logging_in(root(), || new_session(Some("https://evil.example/login")));
    let closed = closed_at(&script).await;
    assert_eq!(closed, "DELETE /redfish/v1/SessionService/Sessions/7");

    let monitor: &[(&str, &str)] = &[(
        "location",
        "https://inside/redfish/v1/TaskService/TaskMonitors/1",
    )];
    let client = says(202, monitor, "").client();
    let Outcome::Started(task) = client.post("/x", &json!({})).await.unwrap() else {
        panic!("it goes on");
    };
    assert_eq!(task.monitor, "/redfish/v1/TaskService/TaskMonitors/1");
}

#[tokio::test]
async fn location_missing_is_told_by_the_body() {
    let script = logging_in(root(), || new_session(None));
    let closed = closed_at(&script).await;
    assert_eq!(closed, "DELETE /redfish/v1/SessionService/Sessions/7");
}

#[tokio::test]
async fn location_without_root_begins_at_the_root() {
    let script = logging_in(root(), || new_session(Some("SessionService/Sessions/c4")));
    let closed = closed_at(&script).await;
    assert_eq!(closed, "DELETE /redfish/v1/SessionService/Sessions/c4");
}

#[tokio::test]
async fn redirect_to_slash_is_followed_with_what_was_sent() {
    let slashed = |asked: &Seen| match asked.uri.ends_with('/') {
        true => answer(204, &[], ""),
        false => answer(301, &[("location", &format!("{}/", asked.uri))], ""),
    };
    let script = Script::new(slashed);
    let client = script.client();
    client
        .post("/redfish/v1/x", &json!({"a": 1}))
        .await
        .unwrap();
    assert_eq!(
        script.lines(),
        ["POST /redfish/v1/x", "POST /redfish/v1/x/"]
    );
    assert_eq!(script.seen()[1].json(), json!({"a": 1}));

    // 303 says that it was done, and any other place is another thing.
    for (status, location) in [(303, "/redfish/v1/x/"), (301, "/redfish/v1/y")] {
        let script = Script::new(move |_| answer(status, &[("location", location)], ""));
        script
            .client()
            .post("/redfish/v1/x", &json!({}))
            .await
            .unwrap_err();
        assert_eq!(script.lines(), ["POST /redfish/v1/x"]);
    }
}

#[test]
fn link_is_a_text_and_is_followed() {
    let root = json!({"Systems": "/redfish/v1/Systems", "Name": "Root"});
    assert_eq!(link(&root, "/Systems"), Some("/redfish/v1/Systems"));
    assert_eq!(link(&root, "/Name"), None);
}

// ---- Sessions

#[tokio::test]
async fn root_wants_login_and_gets_it() {
    let script = logging_in(Value::Null, || new_session(None));
    let client = script.builder().session(USER, PASSWORD).build().unwrap();
    client.get_value("/redfish/v1/x").await.unwrap();
    assert_eq!(client.session().unwrap().token, "t");
    let anonymous = script.client().root().await.unwrap_err();
    assert_eq!(anonymous.kind, Kind::Unauthorized);
    let basic = Script::new(|asked| match asked.header("authorization") {
        Some(_) => json(200, &[], &root()),
        None => answer(401, &[], ""),
    });
    let client = basic.builder().basic(USER, PASSWORD).build().unwrap();
    client.root().await.unwrap();
}

#[tokio::test]
async fn root_without_sessions_has_them_where_the_schema_says() {
    let script = logging_in(json!({"@odata.id": "/redfish/v1/"}), || new_session(None));
    let closed = closed_at(&script).await;
    assert_eq!(closed, "DELETE /redfish/v1/SessionService/Sessions/7");
}

#[tokio::test]
async fn no_sessions_are_no_reason_to_stay_out() {
    let script = Script::new(
        |asked| match (asked.uri.as_str(), asked.header("authorization")) {
            ("/redfish/v1/", _) => json(200, &[], &json!({"@odata.id": "/redfish/v1/"})),
            (uri, _) if uri.contains("Sessions") => answer(404, &[], ""),
            (_, Some(_)) => json(200, &[], &json!({"Id": "x"})),
            _ => answer(401, &[], ""),
        },
    );
    let client = script.builder().session(USER, PASSWORD).build().unwrap();
    client.get_value("/redfish/v1/x").await.unwrap();
    assert_eq!(client.session(), None);
}

#[tokio::test]
async fn session_gone_at_logout_is_closed() {
    for status in [401, 404] {
        let script = Script::new(move |asked| match asked.method.as_str() {
            "GET" => json(200, &[], &root()),
            "POST" => new_session(None),
            _ => answer(status, &[], ""),
        });
        closed_at(&script).await;
    }
}

// ---- Long work

async fn started(status: u16, headers: &'static [(&str, &str)], body: Value) -> Option<String> {
    let client = says(status, headers, body.to_string()).client();
    match client.post("/redfish/v1/x", &json!({})).await.unwrap() {
        Outcome::Started(task) => Some(task.monitor),
        Outcome::Done(_) => None,
    }
}

#[tokio::test]
async fn accepted_without_location_is_looked_for_in_the_body_or_done() {
    let task = "/redfish/v1/TaskService/Tasks/1";
    for body in [
        json!({"@odata.id": task, "@odata.type": "#Task.v1_4_3.Task"}),
        json!({"@odata.id": task}),
        json!({"TaskMonitor": task}),
        json!({"error": {"@Message.ExtendedInfo": [{"MessageId": "Base.1.8.Accepted", "MessageArgs": ["x", task]}]}}),
        json!({"@Message.ExtendedInfo": {"MessageArgs": [task]}}),
    ] {
        let monitor = started(202, &[], body.clone()).await;
        assert_eq!(monitor.as_deref(), Some(task), "{body}");
    }
    assert_eq!(started(202, &[], json!(null)).await, None);
    // The resource itself is no task.
    let itself = json!({"@odata.id": "/redfish/v1/Systems/1"});
    assert_eq!(started(202, &[], itself).await, None);
}

/// What becomes of work whose monitor shows this.
async fn ends(shown: Value) -> Result<u16, Kind> {
    let script = Script::new(move |asked| match asked.method.as_str() {
        "POST" => answer(202, &[("location", "/redfish/v1/TaskService/Tasks/1")], ""),
        _ => json(200, &[], &shown),
    });
    let outcome = script.client().post("/x", &json!({})).await.unwrap();
    let limit = std::time::Duration::from_millis(1200);
    let ended = outcome.finish(Some(limit)).await;
    ended
        .map(|answer| answer.status.as_u16())
        .map_err(|error| error.kind)
}

#[tokio::test]
async fn task_in_part_is_a_task() {
    let failed = json!({"Id": "1", "TaskState": "Exception"});
    assert_eq!(ends(failed).await, Err(Kind::TaskFailed));
    assert_eq!(ends(json!({"TaskState": "Completed"})).await, Ok(200));
}

#[tokio::test]
async fn job_for_task_tells_by_its_own_words_how_it_ended() {
    let job = |state: &str| json!({"@odata.id": "/redfish/v1/TaskService/Tasks/1", "@odata.type": "#DellJob.v1_2_0.DellJob", "JobState": state});
    let (running, done, failed) = tokio::join!(
        ends(job("Downloading")),
        ends(job("Completed")),
        ends(job("CompletedWithErrors"))
    );
    assert_eq!(running, Err(Kind::TimedOut));
    assert_eq!(done, Ok(200));
    assert_eq!(failed, Err(Kind::TaskFailed));
}

#[tokio::test]
async fn job_behind_success_goes_on() {
    let job: &[(&str, &str)] = &[("location", "/redfish/v1/JobService/Jobs/JID_12")];
    let monitor = started(201, job, json!({})).await;
    assert_eq!(
        monitor.as_deref(),
        Some("/redfish/v1/JobService/Jobs/JID_12")
    );
    let made: &[(&str, &str)] = &[("location", "/redfish/v1/JobService/Jobs/12")];
    assert_eq!(started(201, made, json!({})).await, None);
}

// ---- Time

async fn wait(headers: &'static [(&str, &str)]) -> Option<std::time::Duration> {
    let client = says(503, headers, "")
        .builder()
        .retry(hawkfish_client::Retry::none())
        .build()
        .unwrap();
    client.send(Request::get("/x")).await.unwrap().retry_after()
}

#[tokio::test]
async fn clock_is_wrong_and_the_wait_is_right() {
    let then: &[(&str, &str)] = &[
        ("date", "Thu, 01 Jan 1970 00:10:00 GMT"),
        ("retry-after", "Thu, 01 Jan 1970 00:10:30 GMT"),
    ];
    assert_eq!(wait(then).await, Some(std::time::Duration::from_secs(30)));
}

#[tokio::test]
async fn wait_with_fraction_is_the_number() {
    let millis = std::time::Duration::from_millis;
    assert_eq!(wait(&[("retry-after", "0.5")]).await, Some(millis(500)));
    let words: &[(&str, &str)] = &[("retry-after", "2 seconds")];
    assert_eq!(wait(words).await, Some(millis(2000)));
    assert_eq!(wait(&[("retry-after", "soon")]).await, None);
    assert_eq!(wait(&[("retry-after", "-3")]).await, None);
    assert_eq!(
        wait(&[("retry-after", "99999999999999999999999")]).await,
        None
    );
}

// ---- Errors

async fn refused(body: impl Into<Vec<u8>>) -> hawkfish_client::Error {
    let client = says(400, &[], body).client();
    client.post("/x", &json!({})).await.unwrap_err()
}

#[tokio::test]
async fn message_alone_is_a_message() {
    let body = json!({"error": {"@Message.ExtendedInfo": {"MessageId": "iLO.2.14.InvalidIndex", "Message": "No."}}});
    let error = refused(body.to_string()).await;
    assert_eq!(error.messages()[0].key(), "InvalidIndex");
}

#[tokio::test]
async fn message_at_top_is_a_message() {
    let body = json!({"@Message.ExtendedInfo": [{"MessageId": "Base.0.10.PropertyUnknown", "Message": "No."}]});
    let error = refused(body.to_string()).await;
    assert_eq!(error.messages()[0].key(), "PropertyUnknown");
}

#[tokio::test]
async fn message_without_text_shows_its_id() {
    let body = json!({"error": {"code": "iLO.0.10.ExtendedInfo", "@Message.ExtendedInfo": [{"MessageId": "Base.1.4.NoValidSession"}]}});
    let error = refused(body.to_string()).await;
    assert!(error.to_string().contains("NoValidSession"), "{error}");
}

#[tokio::test]
async fn message_of_before_is_read_as_one_of_today() {
    let body = json!({"error": {"@Message.ExtendedInfo": [
        {"MessageId": "Base.1.0.X", "Message": "No.", "Severity": "Warning", "MessageArgs": [7, true]}]}});
    let error = refused(body.to_string()).await;
    assert_eq!(error.messages()[0].severity, Severity::Warning);
    assert_eq!(error.messages()[0].args, ["7", "true"]);
}

#[tokio::test]
async fn page_for_error_has_the_kind_of_its_status() {
    for page in ["<h1>Bad request</h1>", "no", "", "[]", "7", "null"] {
        let error = refused(page).await;
        assert_eq!(error.kind, Kind::BadRequest);
        assert!(error.messages().is_empty(), "{page}");
    }
}
