//! `excerpt` and `includeoriginofcondition`, on resources that have one: a sensor, and a log of what it had to say.

use hawkfish_server::catalog::{Content, Resource, Rq, Verb};
use hawkfish_server::problem::Problem;
use hawkfish_server::{App, Options};
use serde_json::{Value, json};

use crate::door::{Answer, Door};

const ANYBODY: Resource = Resource {
    open: &[Verb::Get],
    ..Resource::NONE
};

const SENSORS: Resource = Resource {
    uri: "/sensors",
    entity: "SensorCollection",
    get: Some(|rq| {
        Box::pin(async { Ok(Content::collection(rq, "Sensors", ["intake", "exhaust"])) })
    }),
    ..ANYBODY
};

const SENSOR: Resource = Resource {
    uri: "/sensors/{sensor}",
    entity: "Sensor",
    get: Some(|rq| Box::pin(async { sensor(rq) })),
    ..ANYBODY
};

const LOG: Resource = Resource {
    uri: "/log",
    entity: "LogEntryCollection",
    get: Some(|_| Box::pin(async { log() })),
    ..ANYBODY
};

const ENTRY: Resource = Resource {
    uri: "/log/{entry}",
    entity: "LogEntry",
    get: Some(|rq| Box::pin(async { content(entry(rq.param("entry"), "/sensors/intake")) })),
    ..ANYBODY
};

fn content(value: Value) -> Result<Content, Problem> {
    match value {
        Value::Object(body) => Ok(Content::Resource(body)),
        other => Err(Problem::internal(other.to_string())),
    }
}

fn sensor(rq: &Rq) -> Result<Content, Problem> {
    let reading = match rq.param("sensor") {
        "intake" => 21.5,
        "exhaust" => 40.0,
        _ => return Err(Problem::missing(rq.uri())),
    };
    content(json!({
        "Id": rq.param("sensor"), "Name": "Temperature", "ReadingType": "Temperature", "Reading": reading, "ReadingUnits": "Cel",
        "Status": {"State": "Enabled", "Health": "OK"},
        "Thresholds": {"UpperCritical": {"Reading": 60.0}},
    }))
}

fn entry(id: &str, origin: &str) -> Value {
    json!({
        "@odata.id": format!("/log/{id}"), "@odata.type": "#LogEntry.v1_19_0.LogEntry", "Id": id, "Name": "Entry", "EntryType": "Event",
        "Severity": if id == "2" { "Warning" } else { "OK" }, "Message": "It is warm.",
        "Links": {"OriginOfCondition": {"@odata.id": origin}},
    })
}

fn log() -> Result<Content, Problem> {
    content(json!({
        "Name": "Log", "Members@odata.count": 3,
        "Members": [entry("1", "/sensors/intake"), entry("2", "/sensors/exhaust"), entry("3", "/sensors/gone")],
    }))
}

static RESOURCES: [&Resource; 4] = [&SENSORS, &SENSOR, &LOG, &ENTRY];

async fn measuring() -> Door {
    let door = Door::open().await;
    let app = App::serving(door.app.hawkfish().clone(), Options::default(), &RESOURCES);
    Door { app, ..door }
}

async fn ask(door: &Door, uri: &str) -> Answer {
    door.send("GET", uri).answer().await
}

async fn get(door: &Door, uri: &str) -> Value {
    let answer = ask(door, uri).await;
    assert_eq!(answer.status, 200, "{uri}: {answer:?}");
    answer.body
}

fn names(body: &Value) -> Vec<&str> {
    let names = body.as_object().unwrap().keys().map(String::as_str);
    names.filter(|name| !name.starts_with("@odata.")).collect()
}

#[tokio::test]
async fn of_a_sensor_its_excerpt_is_the_reading() {
    let door = measuring().await;
    let whole = ask(&door, "/sensors/intake").await;
    let excerpt = ask(&door, "/sensors/intake?excerpt").await;
    assert_eq!(excerpt.status, 200);
    assert_eq!(names(&excerpt.body), ["Reading"]);
    assert_eq!(excerpt.body["Reading"], 21.5);
    for name in ["@odata.id", "@odata.type", "@odata.etag"] {
        assert_eq!(excerpt.body[name], whole.body[name]);
    }
    ask(&door, "/sensors/intake?excerpt=true")
        .await
        .refused(400, "QueryParameterValueFormatError");
}

#[tokio::test]
async fn what_is_expanded_is_cut_down_and_then_selected_from() {
    let door = measuring().await;
    let sensors = get(&door, "/sensors?$expand=.&excerpt").await;
    assert_eq!(sensors["Members@odata.count"], 2);
    for (member, reading) in [(0, 21.5), (1, 40.0)] {
        assert_eq!(names(&sensors["Members"][member]), ["Reading"]);
        assert_eq!(sensors["Members"][member]["Reading"], reading);
    }
    let none = get(&door, "/sensors?$expand=.&excerpt&$select=Name").await;
    assert_eq!(names(&none["Members"][0]), [""; 0]);
    // Filters see the whole.
    let warm = "/sensors?$filter=Name+eq+'Temperature'+and+Reading+gt+30&$expand=.&excerpt";
    let warm = get(&door, warm).await;
    assert_eq!(warm["Members@odata.count"], 1);
    assert_eq!(warm["Members"][0]["Reading"], 40.0);
}

#[tokio::test]
async fn what_has_no_excerpt_is_sent_whole() {
    let door = measuring().await;
    for uri in ["/sensors", "/log", "/log/1"] {
        let whole = get(&door, uri).await;
        assert_eq!(get(&door, &format!("{uri}?excerpt")).await, whole, "{uri}");
    }
}

#[tokio::test]
async fn an_entry_brings_along_what_it_tells_of() {
    let door = measuring().await;
    let intake = get(&door, "/sensors/intake").await;
    let entry = get(&door, "/log/1?includeoriginofcondition").await;
    assert_eq!(entry["Links"]["OriginOfCondition"], intake);
    let plain = get(&door, "/log/1").await;
    assert_eq!(
        plain["Links"]["OriginOfCondition"],
        json!({"@odata.id": "/sensors/intake"})
    );

    let log = get(
        &door,
        "/log?includeoriginofcondition&$filter=Severity+ne+'OK'+or+Id+eq+'3'",
    )
    .await;
    assert_eq!(log["Members@odata.count"], 2);
    let origin = |at: usize| &log["Members"][at]["Links"]["OriginOfCondition"];
    assert_eq!(*origin(0), get(&door, "/sensors/exhaust").await);
    assert_eq!(*origin(1), json!({"@odata.id": "/sensors/gone"}));
}

#[tokio::test]
async fn members_that_stand_in_their_collection_whole_are_chosen_like_others() {
    let door = measuring().await;
    let all = get(&door, "/log").await;
    let page = get(&door, "/log?$skip=1&$top=1").await;
    assert_eq!(page["Members"], json!([all["Members"][1]]));
    assert_eq!(page["Members@odata.count"], 3);
    let next = page["Members@odata.nextLink"].as_str().unwrap();
    assert_eq!(
        get(&door, next).await["Members"],
        json!([all["Members"][2]])
    );
    assert_eq!(
        get(&door, "/log?$expand=.").await["Members"],
        all["Members"]
    );
    let ids = get(&door, "/log?$select=Id").await;
    assert_eq!(names(&ids["Members"][0]), ["Id"]);
}
