//! The groups about the service itself against captures of real BMCs, which stand in no file of ours: only shapes and facts are held against them.

use std::path::Path;

use hawkfish_sim::World;
use hawkfish_sim::capture::Capture;
use serde_json::Value;

use super::rack::Rack;
use hawkfish_testing::part;

async fn rack(dir: &Path, vendor: &str) -> Rack {
    let capture = Capture::read(dir.join(format!("{vendor}.tar.xz"))).unwrap();
    Rack::serving(World::builder().traced(false).capture(capture)).await
}

async fn listed(rack: &Rack, arguments: &[&str]) -> Vec<Value> {
    let arguments = [arguments, &["-o", "json"]].concat();
    let Value::Array(list) = rack.run(&arguments).await.json() else {
        panic!("{arguments:?}: no list");
    };
    // And as a table, a line for each under the heads.
    let table = &arguments[..arguments.len() - 2];
    let table = rack.run(table).await.done();
    assert_eq!(table.lines().count(), list.len() + 1, "{table}");
    list
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_ilo_is_read() {
    let Some(dir) = part::captures() else { return };
    let rack = rack(&dir, "hpe").await;
    let accounts = listed(&rack, &["accounts", "ls"]).await;
    assert!(
        accounts
            .iter()
            .any(|account| account["RoleId"] == "Administrator")
    );
    assert!(accounts.iter().all(|account| account["UserName"] != ""));
    let logs = listed(&rack, &["logs", "ls"]).await;
    let ids: Vec<&Value> = logs.iter().map(|log| &log["Id"]).collect();
    assert!(
        ids.contains(&&"IML".into()) && ids.contains(&&"IEL".into()),
        "{ids:?}"
    );
    let entries = listed(&rack, &["logs", "show", "IML"]).await;
    assert!(entries.len() >= 3);
    let times: Vec<&str> = entries
        .iter()
        .map(|entry| entry["Created"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");

    // It has no Sensors: Thermal and Power stand in for them.
    let sensors = listed(&rack, &["sensors", "ls"]).await;
    assert!(
        sensors
            .iter()
            .any(|sensor| sensor["ReadingCelsius"].is_number())
    );
    assert!(
        sensors
            .iter()
            .any(|sensor| sensor["PowerConsumedWatts"].is_number())
    );
    let fans = listed(&rack, &["sensors", "ls", "--kind", "Rotational"]).await;
    assert!(!fans.is_empty() && fans.iter().all(|fan| fan.get("Reading").is_some()));

    let firmware = listed(&rack, &["firmware", "ls"]).await;
    assert!(firmware.iter().all(|item| item["Version"].is_string()));
    assert!(firmware.iter().any(|item| item["Name"] == "iLO 5"));
    let err = rack.run(&["jobs", "ls"]).await.failed(4);
    assert!(err.contains("the service has no jobs"), "{err}");
    let err = rack.run(&["telemetry", "reports", "ls"]).await.failed(4);
    assert!(err.contains("no telemetry"), "{err}");

    common(&rack, "HPE", 300).await;
    changed(&rack, "IML").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_idrac_is_read() {
    let Some(dir) = part::captures() else { return };
    let rack = rack(&dir, "dell").await;
    // It has sixteen slots, most of them empty.
    let accounts = listed(&rack, &["accounts", "ls"]).await;
    assert!((1..10).contains(&accounts.len()));
    assert_eq!(listed(&rack, &["accounts", "ls", "--all"]).await.len(), 16);
    let logs = listed(&rack, &["logs", "ls"]).await;
    assert!(logs.iter().any(|log| log["Id"] == "Lclog"));
    // The newest first, there; the oldest first, here, and only as many as are wanted.
    let show = ["logs", "show", "Lclog", "--last", "3", "-o", "json"];
    let last = rack.run(&show).await;
    assert!(last.err.contains("--all"), "{}", last.err);
    let last: Vec<Value> = serde_json::from_str(&last.out).unwrap();
    assert_eq!(last.len(), 3);
    let ids: Vec<u64> = last
        .iter()
        .map(|entry| entry["Id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(ids.is_sorted(), "{ids:?}");

    let sensors = listed(&rack, &["sensors", "ls"]).await;
    assert!(
        sensors
            .iter()
            .all(|sensor| sensor["Thresholds"].is_object())
    );
    let firmware = listed(&rack, &["firmware", "ls"]).await;
    assert!(firmware.iter().any(|item| item["Name"] == "BIOS"));
    assert_eq!(listed(&rack, &["jobs", "ls"]).await.len(), 1);
    let certificates = listed(&rack, &["certificates", "ls"]).await;
    assert!(
        certificates
            .iter()
            .any(|one| one["Subject"]["CommonName"].is_string())
    );

    common(&rack, "Dell", 1000).await;
    changed(&rack, "Sel").await;
}

async fn common(rack: &Rack, vendor: &str, least: usize) {
    let root = rack.run(&["service", "show", "-o", "json"]).await.json();
    assert_eq!(root["Vendor"], vendor);
    let features = rack.run(&["service", "features"]).await.done();
    assert!(features.contains("FilterQuery"), "{features}");
    let clocks = rack.run(&["service", "clock"]).await.done();
    assert!(
        clocks.lines().count() > 1 && clocks.contains("slow"),
        "{clocks}"
    );
    let explained = rack
        .run(&["registries", "explain", "Base.PropertyUnknown", "Color"])
        .await
        .done();
    assert!(
        explained.contains("Color") && !explained.contains("%1"),
        "{explained}"
    );
    let uris = rack.run(&["tree", "--uris"]).await;
    assert_eq!(uris.code, 0, "{}", uris.err);
    assert!(
        uris.out.lines().count() > least,
        "{}",
        uris.out.lines().count()
    );
    let tree = rack.run(&["tree", "--depth", "2"]).await;
    assert!(
        tree.out.starts_with("/redfish/v1  ServiceRoot"),
        "{}",
        tree.out
    );
    assert!(!tree.out.contains('\u{1b}'));
}

/// What is changed is changed for who asks afterwards.
async fn changed(rack: &Rack, log: &str) {
    let before = listed(rack, &["accounts", "ls"]).await.len();
    let add = [
        "accounts",
        "add",
        "olga",
        "--role",
        "operator",
        "--password-stdin",
    ];
    rack.run_with_input("olga's first\n", &add).await.done();
    let accounts = listed(rack, &["accounts", "ls"]).await;
    assert_eq!(accounts.len(), before + 1);
    assert_eq!(accounts.last().unwrap()["RoleId"], "Operator");
    let by_olga = |password| rack.run_as("olga", password, &["firmware", "ls"]);
    by_olga("olga's first").await.done();
    let passwd = ["accounts", "passwd", "olga", "--password-stdin"];
    rack.run_with_input("olga's second\n", &passwd).await.done();
    by_olga("olga's second").await.done();
    by_olga("olga's first").await.failed(3);
    rack.run(&["accounts", "rm", "olga"]).await.done();
    by_olga("olga's second").await.failed(3);
    assert_eq!(listed(rack, &["accounts", "ls"]).await.len(), before);

    assert!(!listed(rack, &["logs", "show", log]).await.is_empty());
    rack.run(&["logs", "clear", log]).await.done();
    assert!(listed(rack, &["logs", "show", log]).await.is_empty());
}
