//! Machines that do not do as they are told, and parts that fail, as a client sees them.

use reqwest::StatusCode;
use serde_json::Value;

use crate::bench::Bench;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_stays_as_it_is() {
    let bench = Bench::with(&["power-stays-as-it-is"]).await;
    assert_eq!(bench.reset("On").await, StatusCode::NO_CONTENT);
    bench.wait(600).await;
    assert_eq!(bench.power().await, "Off");
    assert!(bench.world.clear_fault("power-stays-as-it-is"));
    bench.reset("On").await;
    bench.wait(60).await;
    assert_eq!(bench.power().await, "On");
    let again = crate::bench::rules(&["power-stays-as-it-is"]).remove(0);
    bench.world.set_fault(again).unwrap();
    assert_eq!(bench.reset("ForceOff").await, StatusCode::NO_CONTENT);
    bench.wait(60).await;
    assert_eq!(bench.power().await, "On");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_comes_late() {
    let bench = Bench::with(&["power-comes-late"]).await;
    assert_eq!(bench.reset("On").await, StatusCode::NO_CONTENT);
    bench.wait(59).await;
    assert_eq!(bench.power().await, "Off");
    bench.wait(150).await;
    assert_eq!(bench.power().await, "On");
    assert_eq!(bench.fired("power-comes-late"), 1);
    assert_eq!(bench.reset("ForceOff").await, StatusCode::NO_CONTENT);
    assert_eq!(bench.power().await, "Off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn power_comes_and_goes() {
    let bench = Bench::with(&["power-comes-and-goes"]).await;
    bench.reset("On").await;
    bench.wait(15).await;
    assert_eq!(bench.power().await, "On");
    bench.wait(5).await;
    assert_eq!(bench.power().await, "Off");
    assert_eq!(bench.fired("power-comes-and-goes"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_state_lags() {
    let bench = Bench::with(&["power-state-lags"]).await;
    bench.reset("On").await;
    bench.wait(29).await;
    assert_eq!(bench.power().await, "Off");
    assert_eq!(bench.booted().await, ["Hdd"]);
    bench.wait(1).await;
    assert_eq!(bench.power().await, "On");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_override_is_ignored_and_used_up() {
    let bench = Bench::with(&["override-ignored"]).await;
    assert_eq!(bench.insert().await.status(), StatusCode::NO_CONTENT);
    bench.boot_from_cd("Once").await;
    bench.reset("On").await;
    bench.wait(60).await;
    assert_eq!(bench.booted().await, ["Hdd"]);
    assert_eq!(
        bench.system().await["Boot"]["BootSourceOverrideEnabled"],
        "Disabled"
    );
    assert_eq!(bench.fired("override-ignored"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_sticks() {
    let bench = Bench::with(&["once-sticks"]).await;
    assert_eq!(bench.insert().await.status(), StatusCode::NO_CONTENT);
    bench.boot_from_cd("Once").await;
    bench.reset("On").await;
    bench.wait(60).await;
    bench.reset("ForceRestart").await;
    bench.wait(60).await;
    assert_eq!(bench.booted().await, ["Cd", "Cd"]);
    assert_eq!(
        bench.system().await["Boot"]["BootSourceOverrideEnabled"],
        "Once"
    );
    assert_eq!(bench.fired("once-sticks"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_that_is_not_seen_is_not_booted() {
    let bench = Bench::with(&["media-unseen"]).await;
    assert_eq!(bench.insert().await.status(), StatusCode::NO_CONTENT);
    assert_eq!(bench.slot().await["Inserted"], true);
    bench.boot_from_cd("Once").await;
    bench.reset("On").await;
    bench.wait(60).await;
    assert_eq!(bench.booted().await, ["Hdd"]);
    assert_eq!(bench.fired("media-unseen"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_medium_ejects_itself() {
    let bench = Bench::with(&["media-ejects-itself"]).await;
    assert_eq!(bench.insert().await.status(), StatusCode::NO_CONTENT);
    bench.wait(119).await;
    assert_eq!(bench.slot().await["Inserted"], true);
    bench.wait(1).await;
    assert_eq!(bench.slot().await["Inserted"], false);
    assert_eq!(bench.fired("media-ejects-itself"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_that_hangs_hears_nothing() {
    let bench = Bench::with(&["guest-hangs"]).await;
    bench.reset("On").await;
    bench.wait(301).await;
    assert_eq!(bench.fired("guest-hangs"), 1);
    assert_eq!(
        bench.reset("GracefulShutdown").await,
        StatusCode::NO_CONTENT
    );
    bench.wait(600).await;
    assert_eq!(bench.power().await, "On");
    assert_eq!(bench.reset("ForceOff").await, StatusCode::NO_CONTENT);
    assert_eq!(bench.power().await, "Off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_is_critical_and_told_of() {
    let bench = Bench::with(&["disk-fails"]).await;
    let storage = bench.get(&format!("{}/Storage", bench.system)).await;
    let storage = storage["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    let storage = bench.get(&storage).await;
    let drive = storage["Drives"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(bench.get(&drive).await["Status"]["Health"], "OK");
    bench.wait(300).await;
    let drive = bench.get(&drive).await;
    assert_ne!(drive["Status"]["Health"], "OK", "{drive}");
    let log = format!("{}/LogServices/Event/Entries", bench.system);
    let log = bench.get(&log).await.to_string();
    assert!(log.contains("DiskFailed"), "{log}");
    assert_eq!(bench.fired("disk-fails"), 1);
}

async fn sensor(bench: &Bench, id: &str) -> Value {
    bench
        .get(&format!("{}/Sensors/{id}", bench.chassis()))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_that_stands_still_and_a_processor_that_is_too_hot_are_critical() {
    let bench = Bench::with(&["fan-fails", "processor-too-hot"]).await;
    bench.reset("On").await;
    bench.wait(200).await;
    let ids = ["Fan1Speed", "CPU1Temperature"];
    for id in ids {
        assert_eq!(sensor(&bench, id).await["Status"]["Health"], "OK", "{id}");
    }
    bench.wait(120).await;
    for (id, reading) in ids.into_iter().zip([0.0, 101.0]) {
        let sensor = sensor(&bench, id).await;
        assert_eq!(sensor["Reading"].as_f64(), Some(reading), "{sensor}");
        assert_eq!(sensor["Status"]["Health"], "Critical", "{sensor}");
    }
    assert_eq!(bench.fired("fan-fails"), 1);
    assert_eq!(bench.fired("processor-too-hot"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_down_shows() {
    let bench = Bench::with(&["link-down"]).await;
    let nics = bench
        .get(&format!("{}/EthernetInterfaces", bench.system))
        .await;
    let mut states = Vec::new();
    let members = nics["Members"].as_array().unwrap();
    bench.wait(300).await;
    for member in members {
        let nic = bench.get(member["@odata.id"].as_str().unwrap()).await;
        states.push(nic["InterfaceEnabled"].as_bool().unwrap());
    }
    let down = states.iter().filter(|up| !**up).count();
    assert_eq!(down, 1, "{states:?}");
    assert_eq!(bench.fired("link-down"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_goes_and_is_back_a_minute_later() {
    let bench = Bench::with(&["power-fails"]).await;
    bench.reset("On").await;
    bench.wait(299).await;
    assert_eq!(bench.power().await, "On");
    bench.wait(1).await;
    assert_eq!(bench.power().await, "Off");
    bench.wait(90).await;
    assert_eq!(bench.power().await, "On");
    assert_eq!(bench.fired("power-fails"), 1);
}
