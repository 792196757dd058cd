//! Managers: their clocks and who sets them, their network, their restarts.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hawkfish_core::accounts::HashCost;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::{Clock as _, ManualClock};
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::Policy;
use hawkfish_server::app::Reach;
use hawkfish_server::{App, HawkFish, Options};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use crate::door::{ADMIN, Answer, Door};

/// A service that may ask time servers on loopback, with what it keeps in `dir`.
async fn open(dir: &Path, clock: &Arc<ManualClock>) -> Door {
    let rack = SimSettings {
        systems: 2,
        ..SimSettings::default()
    };
    let rack = SimBackend::new(rack, clock.clone());
    let policy = Policy {
        allow: vec!["127.0.0.1".parse().unwrap()],
        deny: vec![],
    };
    let hf = HawkFish::builder()
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7, "managers")))
        .hash_cost(HashCost::LEAST)
        .media(MediaSettings {
            policy: Arc::new(policy),
            ..MediaSettings::default()
        })
        .host(HostId::parse("sim").unwrap(), rack.clone())
        .data_dir(dir)
        .start()
        .await
        .unwrap();
    hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
    Door {
        app: App::new(hf, Options::default()),
        clock: clock.clone(),
        rack,
        post: Arc::default(),
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

fn manager(door: &Door, number: usize) -> String {
    door.system(number).replace("/Systems/", "/Managers/")
}

async fn patch(door: &Door, uri: &str, body: &Value) -> Answer {
    door.send("PATCH", uri).admin().json(body).answer().await
}

async fn act(door: &Door, uri: &str, action: &str, body: &Value) -> Answer {
    let uri = format!("{uri}/Actions/{action}");
    door.send("POST", &uri).admin().json(body).answer().await
}

/// The time on the clock of a manager.
async fn time(door: &Door, manager: &str) -> Timestamp {
    let body = door.read(manager).await.body;
    body["DateTime"].as_str().unwrap().parse().unwrap()
}

/// A time server whose clock is so far ahead of the given one; it answers only while it is told to.
struct TimeServer {
    address: SocketAddr,
    ahead_seconds: Arc<AtomicI64>,
    asked: Arc<AtomicUsize>,
}

impl TimeServer {
    async fn start(clock: Arc<ManualClock>, ahead_seconds: i64, is_mute: bool) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            ahead_seconds: Arc::new(AtomicI64::new(ahead_seconds)),
            asked: Arc::default(),
        };
        let (ahead, asked) = (server.ahead_seconds.clone(), server.asked.clone());
        tokio::spawn(async move {
            let mut request = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut request).await {
                asked.fetch_add(1, Ordering::AcqRel);
                if is_mute || length < 48 {
                    continue;
                }
                let now = clock.now().as_second() + ahead.load(Ordering::Acquire);
                // Seconds since 1900, and no part of one.
                let stamp = (u64::try_from(now + 2_208_988_800).unwrap() << 32).to_be_bytes();
                let mut answer = [0_u8; 48];
                // Version 4, a server, at the top of its kind.
                (answer[0], answer[1]) = (0x24, 1);
                answer[12..16].copy_from_slice(b"TEST");
                answer[16..24].copy_from_slice(&stamp);
                // What the client sent, when it came, when this goes.
                answer[24..32].copy_from_slice(&request[40..48]);
                answer[32..40].copy_from_slice(&stamp);
                answer[40..48].copy_from_slice(&stamp);
                socket.send_to(&answer, client).await.unwrap();
            }
        });
        server
    }
}

/// Waits for something that happens aside.
async fn until<F: Future<Output = bool>>(what: impl Fn() -> F) {
    let end = Instant::now() + Duration::from_secs(30);
    while !what().await {
        assert!(Instant::now() < end, "it did not happen");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn time_servers_set_the_clock_of_a_manager_and_of_no_other() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let (first, second) = (manager(&door, 0), manager(&door, 1));
    let server = TimeServer::start(clock.clone(), 90, false).await;
    let before = door.read(&first).await.body;
    assert_eq!(before["DateTimeSource"], "RTC");
    assert_eq!(before["DateTime"], "2026-01-01T00:00:00Z");

    let protocols = before["NetworkProtocol"]["@odata.id"].as_str().unwrap();
    let ntp = json!({"NTP": {"ProtocolEnabled": true, "NTPServers": [server.address.to_string()]}});
    let answer = patch(&door, protocols, &ntp).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["NTP"]["ProtocolEnabled"], true);
    door.app.hawkfish().tick().await.unwrap();
    until(async || door.read(&first).await.body["DateTimeSource"] == "NTP").await;
    assert_eq!(
        time(&door, &first).await,
        clock.now() + SignedDuration::from_secs(90)
    );
    assert_eq!(time(&door, &second).await, clock.now());

    // It asks again, later.
    let asked = server.asked.load(Ordering::Acquire);
    server.ahead_seconds.store(-30, Ordering::Release);
    clock.advance(SignedDuration::from_secs(30 * 60));
    door.app.hawkfish().tick().await.unwrap();
    until(async || time(&door, &first).await == clock.now() - SignedDuration::from_secs(30)).await;
    assert!(server.asked.load(Ordering::Acquire) > asked);

    // While servers set it nobody else does; afterwards it runs on from where it was.
    let by_hand = json!({"DateTime": "2030-05-06T07:08:09Z"});
    let refused = patch(&door, &first, &by_hand).await;
    assert_eq!(
        refused.refused(400, "PropertyNotWritable").related(),
        ["#/DateTime"]
    );
    let off = json!({"NTP": {"ProtocolEnabled": false}});
    assert_eq!(patch(&door, protocols, &off).await.status, 200);
    let after = door.read(&first).await.body;
    assert_eq!(after["DateTimeSource"], "RTC");
    assert_eq!(
        time(&door, &first).await,
        clock.now() - SignedDuration::from_secs(30)
    );
    let asked = server.asked.load(Ordering::Acquire);
    clock.advance(SignedDuration::from_hours(3));
    door.app.hawkfish().tick().await.unwrap();
    assert_eq!(patch(&door, &first, &by_hand).await.status, 200);
    assert_eq!(server.asked.load(Ordering::Acquire), asked);
}

#[tokio::test]
async fn a_time_server_that_says_nothing_holds_nobody_up_and_the_next_one_is_asked() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let first = manager(&door, 0);
    let mute = TimeServer::start(clock.clone(), 0, true).await;
    let protocols = format!("{first}/NetworkProtocol");
    let mut servers = vec![mute.address.to_string()];
    let ntp = |servers: &[String]| json!({"NTP": {"ProtocolEnabled": true, "NTPServers": servers}});
    let begun = Instant::now();
    assert_eq!(patch(&door, &protocols, &ntp(&servers)).await.status, 200);
    door.app.hawkfish().tick().await.unwrap();
    until(async || mute.asked.load(Ordering::Acquire) > 0).await;
    // What is asked for meanwhile is the clock as it was.
    assert_eq!(door.read(&first).await.body["DateTimeSource"], "RTC");
    assert!(begun.elapsed() < Duration::from_secs(3));
    let server = TimeServer::start(clock.clone(), 7, false).await;
    servers.push(server.address.to_string());
    assert_eq!(patch(&door, &protocols, &ntp(&servers)).await.status, 200);
    door.app.hawkfish().tick().await.unwrap();
    until(async || door.read(&first).await.body["DateTimeSource"] == "NTP").await;
    assert_eq!(
        time(&door, &first).await,
        clock.now() + SignedDuration::from_secs(7)
    );
}

#[tokio::test]
async fn the_list_of_time_servers_follows_the_rules_for_arrays() {
    let door = Door::open().await;
    let uri = format!("{}/NetworkProtocol", manager(&door, 0));
    let sent = async |servers: Value| {
        let body = json!({"NTP": {"NTPServers": servers}});
        patch(&door, &uri, &body).await
    };
    let listed = async || door.read(&uri).await.body["NTP"]["NTPServers"].clone();
    assert_eq!(listed().await, json!([]));
    for (servers, then) in [
        (
            json!(["b.example", "a.example", "192.0.2.1"]),
            json!(["b.example", "a.example", "192.0.2.1"]),
        ),
        (
            json!([{}, null, {}, "2001:db8::1"]),
            json!(["b.example", "192.0.2.1", "2001:db8::1"]),
        ),
        (
            json!(["c.example:1123", {}]),
            json!(["c.example:1123", "192.0.2.1"]),
        ),
    ] {
        let answer = sent(servers).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(listed().await, then);
    }
    let before = listed().await;
    for (servers, key, related) in [
        (
            json!(["ok.example", "not a host"]),
            "PropertyValueFormatError",
            "#/NTP/NTPServers/1",
        ),
        (
            json!(["127.0.0.1"]),
            "PropertyValueNotInList",
            "#/NTP/NTPServers/0",
        ),
        (
            json!(["169.254.169.254"]),
            "PropertyValueNotInList",
            "#/NTP/NTPServers/0",
        ),
        (
            json!(vec!["a.example"; 9]),
            "PropertyValueOutOfRange",
            "#/NTP/NTPServers",
        ),
        (json!([1]), "PropertyValueTypeError", "#/NTP/NTPServers/0"),
    ] {
        let answer = sent(servers).await;
        assert_eq!(answer.refused(400, key).related(), [related], "{answer:?}");
        assert_eq!(listed().await, before);
    }
    let answer = patch(&door, &uri, &json!({"NTP": {"ProtocolEnabled": null}})).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(answer.related(), ["#/NTP/ProtocolEnabled"]);
    let answer = patch(&door, &uri, &json!({"HTTPS": {"Port": 1}})).await;
    answer.refused(400, "PropertyNotWritable");
}

#[tokio::test]
async fn a_clock_that_was_set_by_hand_runs_on_and_outlives_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let (first, second) = (manager(&door, 0), manager(&door, 1));
    let body = json!({"DateTime": "2030-05-06T09:08:09+02:00", "DateTimeLocalOffset": "+05:30"});
    let answer = patch(&door, &first, &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["DateTime"], "2030-05-06T12:38:09+05:30");
    assert_eq!(answer.body["DateTimeLocalOffset"], "+05:30");
    clock.advance(SignedDuration::from_secs(61));
    let body = door.read(&first).await.body;
    assert_eq!(body["DateTime"], "2030-05-06T12:39:10+05:30");
    assert_eq!(time(&door, &second).await, clock.now());
    door.app.hawkfish().close().await.unwrap();
    let door = open(dir.path(), &clock).await;
    let body = door.read(&first).await.body;
    assert_eq!(body["DateTime"], "2030-05-06T12:39:10+05:30");

    for (property, value) in [
        ("DateTime", json!("yesterday")),
        ("DateTime", Value::Null),
        ("DateTimeLocalOffset", json!("+19:00")),
        ("DateTimeLocalOffset", json!("5 hours")),
    ] {
        let answer = patch(&door, &first, &json!({property: value})).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert_eq!(answer.related(), [format!("#/{property}")], "{answer:?}");
    }
    let now = door.read(&first).await.body;
    assert_eq!(
        (&now["DateTime"], &now["DateTimeLocalOffset"]),
        (&body["DateTime"], &body["DateTimeLocalOffset"])
    );
}

#[tokio::test]
async fn a_manager_that_restarts_is_away_for_a_while_and_its_system_runs_on() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let (system, first) = (door.system(0), manager(&door, 0));
    let on = act(
        &door,
        &system,
        "ComputerSystem.Reset",
        &json!({"ResetType": "On"}),
    )
    .await;
    assert!(on.status.is_success(), "{on:?}");
    clock.advance(SignedDuration::from_mins(5));
    door.app.hawkfish().tick().await.unwrap();
    let power = door.read(&system).await.body["PowerState"].clone();
    assert_eq!(power, "On");
    let before = door.read(&first).await.body;
    let reset_at = clock.now();
    let login = door.log_in(ADMIN.0, ADMIN.1).await;
    let token = login.header("x-auth-token").to_owned();

    let types = &before["Actions"]["#Manager.Reset"]["ResetType@Redfish.AllowableValues"];
    assert_eq!(*types, json!(["GracefulRestart", "ForceRestart"]));
    let answer = act(
        &door,
        &first,
        "Manager.Reset",
        &json!({"ResetType": "ForceRestart"}),
    )
    .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let chassis = first.replace("/Managers/", "/Chassis/");
    let media = format!("{first}/VirtualMedia");
    for uri in [&first, &system, &chassis, &media] {
        let answer = door.send("GET", uri).admin().answer().await;
        answer.refused(503, "ServiceTemporarilyUnavailable");
        let seconds: u64 = answer.header("retry-after").parse().unwrap();
        assert!((1..=11).contains(&seconds), "{answer:?}");
    }
    let again = act(&door, &first, "Manager.Reset", &json!({})).await;
    again.refused(503, "ServiceTemporarilyUnavailable");
    let write = patch(&door, &system, &json!({"AssetTag": "x"})).await;
    write.refused(503, "ServiceTemporarilyUnavailable");
    // The others are there, collections tell what there is, and who is not let in hears nothing.
    door.read(&manager(&door, 1)).await;
    let all = door.read("/redfish/v1/Managers?$expand=.").await.body;
    assert_eq!(all["Members"].as_array().unwrap().len(), 2);
    let stranger = door.send("GET", &first).answer().await;
    stranger.refused(401, "AccessUnauthorized");

    clock.advance(SignedDuration::from_secs(10));
    door.app.hawkfish().tick().await.unwrap();
    let after = door.send("GET", &first).token(&token).answer().await;
    assert_eq!(after.status, 200, "sessions outlive it: {after:?}");
    assert_ne!(after.body["LastResetTime"], before["LastResetTime"]);
    let said: Timestamp = after.body["LastResetTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(said, reset_at);
    assert_eq!(door.read(&system).await.body["PowerState"], power);
    let other = act(
        &door,
        &first,
        "Manager.Reset",
        &json!({"ResetType": "ForceOff"}),
    )
    .await;
    other.refused(400, "ActionParameterValueNotInList");
}

#[tokio::test]
async fn a_manager_is_away_also_after_a_crash_and_comes_back_without_being_asked() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let first = manager(&door, 0);
    let answer = act(
        &door,
        &first,
        "Manager.Reset",
        &json!({"ResetType": "GracefulRestart"}),
    )
    .await;
    assert_eq!(answer.status, 204, "{answer:?}");
    door.app.hawkfish().close().await.unwrap();
    let door = open(dir.path(), &clock).await;
    let answer = door.send("GET", &first).admin().answer().await;
    answer.refused(503, "ServiceTemporarilyUnavailable");
    let due = door.app.hawkfish().next_due().unwrap();
    assert!(due <= clock.now() + SignedDuration::from_secs(10));
    clock.advance(SignedDuration::from_secs(10));
    door.app.hawkfish().tick().await.unwrap();
    door.read(&first).await;
}

#[tokio::test]
async fn defaults_undo_what_was_set_at_a_manager_and_keep_its_network() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let door = open(dir.path(), &clock).await;
    let first = manager(&door, 0);
    let set = json!({"DateTime": "2030-05-06T09:08:09Z", "DateTimeLocalOffset": "-03:00"});
    assert_eq!(patch(&door, &first, &set).await.status, 200);
    let ntp = json!({"NTP": {"NTPServers": ["a.example"]}});
    let protocols = format!("{first}/NetworkProtocol");
    assert_eq!(patch(&door, &protocols, &ntp).await.status, 200);
    let slot = format!("{first}/VirtualMedia/Cd");
    let verify = json!({"VerifyCertificate": false});
    assert_eq!(patch(&door, &slot, &verify).await.status, 200);

    let all = json!({"ResetType": "ResetAll"});
    let refused = act(&door, &first, "Manager.ResetToDefaults", &all).await;
    refused.refused(400, "ActionParameterValueNotInList");
    let body = json!({"ResetType": "PreserveNetworkAndUsers"});
    let answer = act(&door, &first, "Manager.ResetToDefaults", &body).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let away = door.send("GET", &first).admin().answer().await;
    away.refused(503, "ServiceTemporarilyUnavailable");
    clock.advance(SignedDuration::from_secs(10));
    door.app.hawkfish().tick().await.unwrap();
    let body = door.read(&first).await.body;
    assert_eq!(body["DateTimeLocalOffset"], "+00:00");
    assert_eq!(time(&door, &first).await, clock.now());
    assert_eq!(door.read(&slot).await.body["VerifyCertificate"], true);
    let kept = door.read(&protocols).await.body["NTP"]["NTPServers"].clone();
    assert_eq!(kept, json!(["a.example"]));
}

#[tokio::test]
async fn a_simulated_manager_has_an_interface_of_its_own_that_is_always_the_same() {
    let door = Door::open().await;
    let mut seen = Vec::new();
    for number in 0..2 {
        let collection = format!("{}/EthernetInterfaces", manager(&door, number));
        let all = door.read(&collection).await.body;
        assert_eq!(all["Members@odata.count"], 1);
        let uri = all["Members"][0]["@odata.id"].as_str().unwrap().to_owned();
        let body = door.read(&uri).await.body;
        assert_eq!(body["LinkStatus"], "LinkUp");
        assert_eq!(body["IPv4Addresses"][0]["SubnetMask"], "255.0.0.0");
        assert!(
            body["IPv6Addresses"][0]["Address"]
                .as_str()
                .unwrap()
                .starts_with("fe80::")
        );
        let name = door
            .read(&format!("{}/NetworkProtocol", manager(&door, number)))
            .await;
        assert_eq!(name.body["HostName"], body["HostName"]);
        seen.push((uri, body));
    }
    assert_ne!(seen[0].1["MACAddress"], seen[1].1["MACAddress"]);
    let again = Door::open().await;
    for (uri, body) in &seen {
        assert_eq!(again.read(uri).await.body, *body);
    }
    let missing = format!("{}/EthernetInterfaces/eth9", manager(&door, 0));
    let answer = door.send("GET", &missing).admin().answer().await;
    answer.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_simulated_manager_can_be_named_and_told_whom_to_ask_for_names_and_a_bad_name_changes_nothing()
 {
    let door = Door::open().await;
    let uri = format!("{}/EthernetInterfaces/eth0", manager(&door, 0));
    let before = door.read(&uri).await.body;
    let wanted = json!({"HostName": "bmc7", "StaticNameServers": ["192.0.2.1", "2001:db8::1"]});
    let now = patch(&door, &uri, &wanted).await;
    now.ok();
    assert_eq!(now.body["HostName"], "bmc7");
    let domain = before["FQDN"].as_str().unwrap().split_once('.').unwrap().1;
    assert_eq!(now.body["FQDN"], format!("bmc7.{domain}"));
    assert_eq!(now.body["NameServers"], json!(["192.0.2.1", "2001:db8::1"]));
    let whole = json!({"FQDN": "node1.rack2.example"});
    patch(&door, &uri, &whole).await.ok();
    let protocol = format!("{}/NetworkProtocol", manager(&door, 0));
    let protocol = door.read(&protocol).await.body;
    assert_eq!(protocol["HostName"], "node1");
    assert_eq!(protocol["FQDN"], "node1.rack2.example");

    let now = door.read(&uri).await.body;
    for (bad, property) in [
        (json!({"HostName": "-a"}), "#/HostName"),
        (json!({"HostName": "a.b"}), "#/HostName"),
        (json!({"HostName": null}), "#/HostName"),
        (json!({"FQDN": "nodot"}), "#/FQDN"),
        (json!({"FQDN": "a..b"}), "#/FQDN"),
        (
            json!({"HostName": "fine", "StaticNameServers": ["dns.example"]}),
            "#/StaticNameServers/0",
        ),
        (
            json!({"HostName": "one", "FQDN": "two.example"}),
            "#/HostName",
        ),
        (json!({"InterfaceEnabled": false}), "#/InterfaceEnabled"),
    ] {
        let answer = patch(&door, &uri, &bad).await;
        assert_eq!(answer.status, 400, "{bad}: {answer:?}");
        let told = answer.body.to_string();
        assert!(told.contains(property), "{bad}: {told}");
        assert_eq!(door.read(&uri).await.body, now, "{bad}");
    }
    // Those of another manager are its own.
    let other = format!("{}/EthernetInterfaces/eth0", manager(&door, 1));
    assert_eq!(
        door.read(&other).await.body["NameServers"],
        before["NameServers"]
    );
}

#[tokio::test]
async fn protocols_are_told_by_where_the_service_really_listens() {
    let door = Door::open().await;
    let uri = format!("{}/NetworkProtocol", manager(&door, 0));
    let unknown = door.read(&uri).await.body;
    assert_eq!(unknown["HTTPS"]["ProtocolEnabled"], false);
    assert!(unknown["HTTPS"].get("Certificates").is_none());
    assert_eq!(unknown["HTTP"]["ProtocolEnabled"], false);
    let policy = format!("{}/SecurityPolicy", manager(&door, 0));
    let none = door.send("GET", &policy).admin().answer().await;
    none.refused(404, "ResourceMissingAtURI");
    door.app.reached(Reach {
        https: Some("127.0.0.1:8443".parse().unwrap()),
        http: Some("127.0.0.1:8080".parse().unwrap()),
        ..Reach::default()
    });
    let known = door.read(&uri).await.body;
    assert_eq!(
        (&known["HTTPS"]["ProtocolEnabled"], &known["HTTPS"]["Port"]),
        (&json!(true), &json!(8443))
    );
    assert_eq!(
        (&known["HTTP"]["ProtocolEnabled"], &known["HTTP"]["Port"]),
        (&json!(true), &json!(8080))
    );
    let policy = door.read(&policy).await.body;
    assert_eq!(
        policy["TLS"]["Server"]["Allowed"]["Versions"],
        json!(["1.3", "1.2"])
    );
    let suites = policy["TLS"]["Server"]["Allowed"]["Algorithms"]["CipherSuites"].clone();
    assert!(
        suites
            .as_array()
            .unwrap()
            .contains(&json!("TLS_AES_256_GCM_SHA384")),
        "{suites}"
    );
}

#[tokio::test]
async fn diagnostics_of_a_simulated_manager_follow_the_clock_alone() {
    let door = Door::open().await;
    let uri = format!("{}/ManagerDiagnosticData", manager(&door, 0));
    let first = door.read(&uri).await;
    door.clock.advance(SignedDuration::from_secs(90));
    let second = door.read(&uri).await;
    assert_eq!(second.body["ServiceRootUptimeSeconds"], 90.0);
    assert!(second.body.get("MemoryStatistics").is_none());
    assert_eq!(first.header("etag"), second.header("etag"));
}
