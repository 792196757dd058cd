//! Logs: what happens to a system and what is done through the service stands in them, and nothing that is secret.

use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::logs::LogSettings;
use hawkfish_server::{App, HawkFish, Options};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::door::{ACCOUNTS, ADMIN, Answer, Door, SESSIONS, password};

impl Door {
    fn event_log(&self) -> String {
        format!("{}/LogServices/Event", self.system(0))
    }

    fn audit_log(&self) -> String {
        let system = self.system(0);
        let id = system.rsplit('/').next().unwrap();
        format!("/redfish/v1/Managers/{id}/LogServices/Audit")
    }

    /// What stands in a log.
    async fn log_entries(&self, log: &str) -> Vec<Value> {
        let body = self.read(&format!("{log}/Entries")).await.body;
        let members = body["Members"].as_array().unwrap().clone();
        assert_eq!(body["Members@odata.count"], members.len());
        members
    }

    /// The keys of the messages of a log, with their arguments.
    async fn log_told(&self, log: &str) -> Vec<String> {
        let entries = self.log_entries(log).await;
        entries.iter().map(line).collect()
    }

    async fn switch_power(&self, kind: &str) -> Answer {
        let uri = format!("{}/Actions/ComputerSystem.Reset", self.system(0));
        let body = json!({"ResetType": kind});
        self.send("POST", &uri).admin().json(&body).answer().await
    }

    /// Lets time go on, and everything happen that is due.
    pub(crate) async fn pass_time(&self, seconds: i64) {
        use hawkfish_core::clock::Clock as _;
        let end = self.clock.now() + SignedDuration::from_secs(seconds);
        while let Some(next) = self.app.hawkfish().next_due().filter(|next| *next <= end) {
            self.clock.set(next.max(self.clock.now()));
            self.app.hawkfish().tick().await.unwrap();
            let now = self.clock.now();
            if self
                .app
                .hawkfish()
                .next_due()
                .is_some_and(|next| next <= now)
            {
                // A look at a host that is lost stays due until it is back.
                break;
            }
        }
        self.clock.set(end);
        self.app.hawkfish().tick().await.unwrap();
    }
}

fn line(entry: &Value) -> String {
    let key = entry["MessageId"]
        .as_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap();
    let args: Vec<&str> = entry["MessageArgs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    format!("{key}({})", args.join(", "))
}

#[tokio::test]
async fn the_log_of_a_system_tells_what_happened_to_it_and_why() {
    let door = Door::open().await;
    let log = door.event_log();
    let system = door.system(0);
    assert!(door.log_told(&log).await.is_empty());

    door.switch_power("On").await.ok();
    door.pass_time(120).await;
    door.switch_power("ForceRestart").await.ok();
    door.pass_time(120).await;
    let insert = format!("{system}/VirtualMedia/Cd/Actions/VirtualMedia.InsertMedia");
    let body = json!({"Image": "http://images.example/folder/installer.iso?key=1"});
    door.send("POST", &insert)
        .admin()
        .json(&body)
        .answer()
        .await
        .ok();
    let boot =
        json!({"Boot": {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}});
    door.send("PATCH", &system)
        .admin()
        .json(&boot)
        .answer()
        .await
        .ok();
    door.switch_power("PowerCycle").await.ok();
    door.pass_time(120).await;
    let eject = format!("{system}/VirtualMedia/Cd/Actions/VirtualMedia.EjectMedia");
    door.send("POST", &eject).admin().answer().await.ok();
    door.switch_power("GracefulShutdown").await.ok();
    door.pass_time(600).await;
    // What changes nothing is not told.
    door.switch_power("ForceOff").await.ok();

    assert_eq!(
        door.log_told(&log).await,
        [
            "SystemPoweredOn(by a command)",
            "SystemReset(by a command)",
            "MediumInserted(installer.iso, Cd)",
            "BootSettingsChanged(override)",
            "SystemPoweredOff(by a command)",
            "SystemPoweredOn(by a command)",
            "BootOverrideUsed()",
            "MediumEjected(Cd)",
            "GuestAsked(to shut down)",
            "SystemPoweredOff(by its guest)",
        ]
    );
    let other = format!("{}/LogServices/Event", door.system(1));
    assert!(
        door.log_told(&other).await.is_empty(),
        "one system's log tells of another"
    );

    let first = door.log_entries(&log).await.remove(0);
    assert_eq!(first["EntryType"], "Event");
    assert_eq!(first["Severity"], "OK");
    assert_eq!(first["Created"], "2026-01-01T00:00:00Z");
    assert_eq!(
        first["Links"]["OriginOfCondition"]["@odata.id"],
        json!(system)
    );
    // What stands in the collection is what stands by itself, its tag included.
    let alone = door.read(first["@odata.id"].as_str().unwrap()).await;
    assert_eq!(alone.body, first);
}

#[tokio::test]
async fn a_crash_is_told_as_critical() {
    let door = Door::open().await;
    let log = door.event_log();
    door.switch_power("On").await.ok();
    door.pass_time(120).await;
    door.switch_power("Nmi").await.ok();
    door.pass_time(600).await;
    let entries = door.log_entries(&log).await;
    let lines: Vec<String> = entries.iter().map(line).collect();
    assert!(
        lines.contains(&"GuestAsked(it was sent a non-maskable interrupt)".to_owned()),
        "{lines:?}"
    );
    // A panicked guest of the simulator restarts or stops, as its profile says.
    let last = lines.last().unwrap();
    match last.as_str() {
        "SystemCrashed()" => assert_eq!(entries.last().unwrap()["Severity"], "Critical"),
        other => assert_eq!(other, "SystemReset(by its guest)", "{lines:?}"),
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_from_where_and_how_it_ended() {
    let door = Door::open().await;
    let log = door.audit_log();
    door.account("ann", "Operator").await;
    let session = door.log_in("ann", &password("ann")).await;
    let token = session.header("x-auth-token").to_owned();
    let system = door.system(0);
    let tag = json!({"AssetTag": "rack 7"});
    door.send("PATCH", &system)
        .token(&token)
        .coming_from("198.51.100.7")
        .json(&tag)
        .answer()
        .await
        .ok();
    let policy = json!({"MinPasswordLength": 1});
    let service = "/redfish/v1/AccountService";
    let refused = door
        .send("PATCH", service)
        .token(&token)
        .json(&policy)
        .answer()
        .await;
    refused.refused(403, "InsufficientPrivilege");
    door.log_in("ann", "a wrong secret")
        .await
        .refused(401, "AccessUnauthorized");
    door.log_in("my secret by mistake", "x")
        .await
        .refused(401, "AccessUnauthorized");
    // A read is no change.
    door.read(&system).await;
    let gone = door
        .send("DELETE", session.header("location"))
        .token(&token)
        .answer()
        .await;
    assert_eq!(gone.status, 204);

    let nowhere = "an unknown address";
    let number = session
        .header("location")
        .rsplit('/')
        .next()
        .unwrap()
        .to_owned();
    let entries = door.log_entries(&log).await;
    let lines: Vec<String> = entries.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            format!("ChangeMade(admin, POST, {ACCOUNTS}, 201)"),
            format!("LoggedIn(ann, {nowhere})"),
            format!("ChangeMade(ann, PATCH, {system}, 200)"),
            format!("ChangeRefused(ann, PATCH, {service}, 403)"),
            format!("LoginRefused(ann, {nowhere})"),
            format!("LoginRefused(somebody unknown, {nowhere})"),
            format!("ChangeMade(ann, DELETE, {SESSIONS}/{number}, 204)"),
        ]
    );
    assert_eq!(entries[2]["Username"], "ann");
    assert_eq!(entries[2]["Originator"], "198.51.100.7");
    assert_eq!(entries[2]["OriginatorType"], "Client");
    assert_eq!(
        entries[2]["Links"]["OriginOfCondition"]["@odata.id"],
        json!(system)
    );
    // What an entry was about may be gone since.
    assert_eq!(entries[6]["OriginOfConditionUnavailable"], true);
    assert!(entries[6].get("Links").is_none());
    assert_eq!(entries[3]["Severity"], "Warning");
    let text = json!(entries).to_string();
    let own = password("ann");
    for secret in [
        ADMIN.1,
        "a wrong secret",
        "my secret",
        &token,
        &own,
        "rack 7",
    ] {
        assert!(!text.contains(secret), "{secret} is in the audit log");
    }
}

#[tokio::test]
async fn an_account_that_is_locked_is_told_of_once() {
    let door = Door::open().await;
    let log = door.audit_log();
    door.account("ann", "ReadOnly").await;
    let policy = json!({"AccountLockoutThreshold": 3, "AccountLockoutDuration": 600});
    let uri = "/redfish/v1/AccountService";
    door.send("PATCH", uri)
        .admin()
        .json(&policy)
        .answer()
        .await
        .ok();
    for _ in 0..5 {
        door.log_in("ann", "wrong")
            .await
            .refused(401, "AccessUnauthorized");
    }
    let lines = door.log_told(&log).await;
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(
        (count("LoginRefused(ann"), count("AccountLocked(ann)")),
        (5, 1),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_log_can_be_turned_off_cleared_and_its_entries_marked() {
    let door = Door::open().await;
    let log = door.event_log();
    door.switch_power("On").await.ok();
    door.pass_time(60).await;
    door.switch_power("ForceOff").await.ok();
    let entries = door.log_entries(&log).await;
    assert_eq!(entries.len(), 2);

    let first = entries[0]["@odata.id"].as_str().unwrap();
    let before = door
        .read(&format!("{log}/Entries"))
        .await
        .header("etag")
        .to_owned();
    let mark = json!({"Resolved": true});
    let marked = door.send("PATCH", first).admin().json(&mark).answer().await;
    assert_eq!(
        (marked.status.as_u16(), &marked.body["Resolved"]),
        (200, &json!(true))
    );
    assert_eq!(marked.body["Modified"], "2026-01-01T00:01:00Z");
    assert_eq!(door.log_entries(&log).await[0]["Resolved"], true);
    let after = door
        .read(&format!("{log}/Entries"))
        .await
        .header("etag")
        .to_owned();
    assert_ne!(
        before, after,
        "a change of an entry is a change of what the collection shows"
    );

    let off = json!({"ServiceEnabled": false});
    let answer = door.send("PATCH", &log).admin().json(&off).answer().await;
    assert_eq!(
        (
            &answer.body["ServiceEnabled"],
            &answer.body["Status"]["State"]
        ),
        (&json!(false), &json!("Disabled"))
    );
    door.switch_power("On").await.ok();
    assert_eq!(door.log_entries(&log).await.len(), 2);
    let on = json!({"ServiceEnabled": true});
    door.send("PATCH", &log)
        .admin()
        .json(&on)
        .answer()
        .await
        .ok();

    let clear = format!("{log}/Actions/LogService.ClearLog");
    let stale = json!({"LogEntriesETag": before});
    let refused = door
        .send("POST", &clear)
        .admin()
        .json(&stale)
        .answer()
        .await;
    refused.refused(412, "PreconditionFailed");
    assert_eq!(door.log_entries(&log).await.len(), 2);
    let fresh = json!({"LogEntriesETag": after});
    let cleared = door
        .send("POST", &clear)
        .admin()
        .json(&fresh)
        .answer()
        .await;
    assert_eq!(cleared.status, 204, "{cleared:?}");
    assert!(door.log_entries(&log).await.is_empty());
    door.send("GET", first)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
    door.switch_power("ForceOff").await.ok();
    let entries = door.log_entries(&log).await;
    assert_eq!(line(&entries[0]), "SystemPoweredOff(by a command)");
    assert_ne!(entries[0]["@odata.id"], first, "a number was given twice");
}

#[tokio::test]
async fn entries_are_filtered_and_paged_where_they_stand() {
    let door = Door::open().await;
    let log = door.event_log();
    for _ in 0..3 {
        door.switch_power("On").await.ok();
        door.pass_time(60).await;
        door.switch_power("ForceOff").await.ok();
    }
    let query = |query: &str| format!("{log}/Entries?{query}");
    let on = door
        .read(&query(
            "$filter=MessageId%20eq%20'HawkFish.1.0.SystemPoweredOn'",
        ))
        .await
        .body;
    assert_eq!(on["Members@odata.count"], 3);
    assert_eq!(on["Members"][0]["Severity"], "OK");
    let page = door.read(&query("$skip=2&$top=2")).await.body;
    assert_eq!(
        (
            page["Members@odata.count"].clone(),
            page["Members"].as_array().unwrap().len()
        ),
        (json!(6), 2)
    );
    assert_eq!(page["Members"][0]["Id"], "3");
    let next = page["Members@odata.nextLink"].as_str().unwrap();
    let rest = door.read(next).await.body;
    assert_eq!(rest["Members"][0]["Id"], "5");
    let origins = door
        .read(&query("$top=1&includeoriginofcondition"))
        .await
        .body;
    assert!(origins["Members"][0]["Links"]["OriginOfCondition"]["PowerState"].is_string());
}

/// A service whose logs hold three entries.
async fn tight(wraps: bool) -> Door {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let rack = SimSettings {
        systems: 2,
        ..SimSettings::default()
    };
    let rack = SimBackend::new(rack, clock.clone());
    let hf = HawkFish::builder()
        .clock(clock.clone())
        .entropy(Arc::new(SeededEntropy::new(7, "door")))
        .hash_cost(hawkfish_core::accounts::HashCost::LEAST)
        .logs(LogSettings {
            most_system: 3,
            most_audit: 3,
            wraps,
        })
        .host(HostId::parse("sim").unwrap(), rack.clone())
        .in_memory()
        .start()
        .await
        .unwrap();
    hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
    Door {
        app: App::new(hf, Options::default()),
        clock,
        rack,
        post: Arc::default(),
    }
}

#[tokio::test]
async fn a_host_that_is_lost_and_back_is_told_of_to_each_of_its_systems_once() {
    let door = tight(true).await;
    let other = format!("{}/LogServices/Event", door.system(1));
    door.rack.lose("the cable is out");
    for _ in 0..3 {
        door.pass_time(120).await;
    }
    assert_eq!(door.log_told(&other).await, ["HostLost(sim)"]);
    door.rack.find();
    door.pass_time(120).await;
    for log in [door.event_log(), other] {
        assert_eq!(
            door.log_told(&log).await,
            ["HostLost(sim)", "HostBack(sim)"]
        );
        assert_eq!(door.log_entries(&log).await[0]["Severity"], "Critical");
    }
}

#[tokio::test]
async fn a_full_log_does_what_its_policy_says() {
    for (wraps, policy, expected) in [
        (true, "WrapsWhenFull", ["4", "5", "6"]),
        (false, "NeverOverWrites", ["1", "2", "3"]),
    ] {
        let door = tight(wraps).await;
        let log = door.event_log();
        for _ in 0..3 {
            door.switch_power("On").await.ok();
            door.pass_time(60).await;
            door.switch_power("ForceOff").await.ok();
        }
        let service = door.read(&log).await.body;
        assert_eq!(service["OverWritePolicy"], policy);
        assert_eq!(service["MaxNumberOfRecords"], 3);
        assert_eq!(service["Overflow"], true);
        let entries = door.log_entries(&log).await;
        let ids: Vec<&str> = entries
            .iter()
            .map(|entry| entry["Id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, expected);
        let clear = format!("{log}/Actions/LogService.ClearLog");
        door.send("POST", &clear).admin().answer().await.ok();
        assert_eq!(door.read(&log).await.body["Overflow"], false);
        door.switch_power("On").await.ok();
        assert_eq!(door.log_entries(&log).await.len(), 1);
    }
}

#[tokio::test]
async fn who_runs_systems_sees_to_their_logs_and_not_to_the_audit() {
    let door = Door::open().await;
    door.account("op", "Operator").await;
    for (log, allowed) in [(door.event_log(), true), (door.audit_log(), false)] {
        let clear = format!("{log}/Actions/LogService.ClearLog");
        let answer = door
            .send("POST", &clear)
            .user("op")
            .json(&json!({}))
            .answer()
            .await;
        assert_eq!(answer.status == 204, allowed, "{answer:?}");
        assert_eq!(answer.status == 403, !allowed, "{answer:?}");
        let read = door
            .send("GET", &format!("{log}/Entries"))
            .user("op")
            .answer()
            .await;
        assert_eq!(read.status, 200);
    }
}
