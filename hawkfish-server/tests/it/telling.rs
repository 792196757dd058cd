//! What is said of events: the messages, and the places that they are about.

use std::collections::BTreeSet;
use std::sync::Arc;

use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::{
    Format, Happened, JobNews, Record, Room, Subject, TaskNews, Telling, TestEvent, UpdateStep,
};
use hawkfish_core::id::{
    AccountId, HostId, ImageId, JobId, ReportId, RoleId, SessionId, SlotId, SubscriptionId,
    SystemId, TaskId,
};
use hawkfish_core::logs::{Ask, BootPart, Client, Event, LogId, What, Why};
use hawkfish_core::tasks::Severity;
use hawkfish_core::telemetry::{Metric, Report, Value as Measured};
use hawkfish_redfish::message::{REGISTRIES, Registry};
use hawkfish_redfish::validate;
use serde_json::{Value, json};

use crate::dmtf;
use crate::door::Door;

fn id<T: std::str::FromStr<Err = hawkfish_core::Error>>(text: &str) -> T {
    text.parse().unwrap()
}

impl Door {
    fn telling(&self) -> Arc<dyn Telling> {
        self.app.hawkfish().events().telling().unwrap()
    }

    fn system_id(&self) -> SystemId {
        self.app.hawkfish().systems(&Ctx::service())[0].id.clone()
    }
}

fn happened(about: Subject, what: What) -> Happened {
    Happened {
        seq: 7,
        about,
        event: Event {
            at: "2026-01-02T03:04:05.6Z".parse().unwrap(),
            what,
            by: Some(Client {
                user: Some("ann".into()),
                address: "192.0.2.1".parse().ok(),
            }),
        },
        entry: None,
    }
}

/// Everything that can happen, with what it can happen to.
fn everything(system: &SystemId) -> Vec<(Subject, What)> {
    let of = |what| (Subject::System(system.clone()), what);
    let chassis = |what| (Subject::Chassis(system.clone()), what);
    let slot = || Subject::Slot {
        system: system.clone(),
        slot: id("Cd"),
    };
    let host: HostId = id("sim");
    let account: AccountId = id("1");
    let mut all = vec![
        of(What::PoweredOn(Why::Command)),
        of(What::PoweredOff(Why::Guest)),
        of(What::Reset(Why::Outside)),
        of(What::Paused(Why::Unseen)),
        of(What::Resumed(Why::Command)),
        chassis(What::PoweredOn(Why::Command)),
        chassis(What::PoweredOff(Why::Guest)),
        of(What::Crashed),
        of(What::WatchdogFired),
        of(What::DiskFailed),
        of(What::OverrideUsed),
        of(What::HostLost { host: host.clone() }),
        of(What::HostBack { host }),
        of(What::Created),
        of(What::Changed),
        of(What::Removed),
        (
            slot(),
            What::MediumInserted {
                slot: id("Cd"),
                image: "a \"quoted\" image\n".into(),
            },
        ),
        (slot(), What::MediumEjected { slot: id("Cd") }),
        of(What::BootChanged(vec![
            BootPart::Override,
            BootPart::Mode,
            BootPart::Order,
            BootPart::HttpUri,
        ])),
        (
            Subject::Service,
            What::Requested {
                method: "POST".into(),
                uri: "/redfish/v1/Systems".into(),
                status: 405,
            },
        ),
        (
            Subject::Session(id("a")),
            What::LoggedIn { session: id("a") },
        ),
        (
            Subject::Account(account.clone()),
            What::LoginRefused {
                account: Some(account.clone()),
            },
        ),
        (Subject::Service, What::LoginRefused { account: None }),
        (
            Subject::Account(account.clone()),
            What::AccountLocked {
                account,
                name: "ann".into(),
            },
        ),
        (Subject::Room(Room::Events), What::Test(Box::default())),
        (
            Subject::Room(Room::Events),
            What::Test(Box::new(full_test(system))),
        ),
        (Subject::Room(Room::Events), What::Heartbeat),
        (Subject::Room(Room::Events), What::Missed),
    ];
    for health in [Severity::Ok, Severity::Warning, Severity::Critical] {
        let about = Subject::Drive {
            system: system.clone(),
            drive: "sda".into(),
        };
        all.push((about, What::Health(health)));
    }
    for ask in [
        Ask::ShutDown,
        Ask::Restart,
        Ask::PowerButton,
        Ask::Interrupt,
    ] {
        all.push(of(What::Asked(ask)));
    }
    for news in [
        TaskNews::Started,
        TaskNews::Progress(40),
        TaskNews::Paused,
        TaskNews::Resumed,
        TaskNews::Completed,
        TaskNews::CompletedWithWarning,
        TaskNews::Failed,
        TaskNews::Cancelled,
        TaskNews::Removed,
    ] {
        all.push((Subject::Task(id("5")), What::Task(news)));
    }
    for news in [
        JobNews::Started,
        JobNews::Completed,
        JobNews::Failed,
        JobNews::Suspended,
        JobNews::Resumed,
        JobNews::Cancelled,
        JobNews::Removed,
    ] {
        all.push((Subject::Job(id("6")), What::Job(news)));
    }
    for step in [
        UpdateStep::TargetFound,
        UpdateStep::NoTarget,
        UpdateStep::Transferring,
        UpdateStep::TransferFailed,
        UpdateStep::VerificationFailed,
        UpdateStep::Applying,
        UpdateStep::ApplyFailed,
        UpdateStep::AwaitsStart,
        UpdateStep::Done,
        UpdateStep::SameVersion,
    ] {
        let image = "S1-1.9.0".to_owned();
        let about = Subject::Firmware(system.clone());
        all.push((about, What::Update { step, image }));
    }
    all
}

/// A test of which everything is said.
fn full_test(system: &SystemId) -> TestEvent {
    TestEvent {
        face: None,
        message_id: Some("ResourceEvent.1.0.ResourceErrorsDetected".into()),
        message: Some("Mind the gap".into()),
        args: vec!["Fan1".into(), "wobbling".into()],
        severity: Some(Severity::Critical),
        resolution: Some("Hold it.".into()),
        origin: Some(format!("/redfish/v1/Systems/{system}")),
        event_id: Some("test-1".into()),
        timestamp: "2020-02-02T02:02:02Z".parse().ok(),
        group: Some(42),
        event_type: Some("Alert".into()),
        user: Some("eve".into()),
    }
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn report(system: &SystemId) -> Report {
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    Report {
        definition: id("Power"),
        name: Some("Power and energy of all systems".into()),
        at,
        sequence: 1,
        values: vec![Measured {
            metric: Metric::PowerConsumption,
            system: system.clone(),
            instance: None,
            at,
            value: 81.5,
        }],
        last: vec![81.5],
    }
}

#[tokio::test]
async fn whatever_happens_becomes_an_event_as_the_schema_has_it() {
    let door = Door::open().await;
    let (telling, system) = (door.telling(), door.system_id());
    let dmtf = dmtf::validator("Event");
    let mut records = Vec::new();
    for (about, what) in everything(&system) {
        let happened = happened(about, what);
        let record = telling.record(&happened);
        let told = parsed(&record.json);
        let what = &happened.event.what;
        assert_eq!(record.format, Format::Event, "{what:?}");
        assert_eq!(told["MessageId"], record.message_id.as_str(), "{what:?}");
        assert_eq!(told["MessageSeverity"], record.severity, "{what:?}");
        assert_eq!(told["Severity"], record.severity, "{what:?}");
        let origin = told["OriginOfCondition"]["@odata.id"].as_str();
        assert_eq!(origin, record.origin.as_deref(), "{what:?}");
        assert!(record.resource_type.is_some(), "{what:?}");

        // What the message says is what its registry has under that id.
        let parts: Vec<&str> = record.message_id.split('.').collect();
        let [prefix, major, minor, key] = parts[..] else {
            panic!("{}", record.message_id)
        };
        let registry = REGISTRIES.iter().find(|one| one.prefix == prefix).unwrap();
        let (_, args, severity) = registry.facts().find(|(known, ..)| *known == key).unwrap();
        let given = told["MessageArgs"].as_array().map_or(0, Vec::len);
        assert_eq!(given, args, "{what:?}");
        if !matches!(what, What::Test(test) if test.message_id.is_some()) {
            assert_eq!(format!("{major}.{minor}"), registry.version, "{what:?}");
            assert_eq!(told["MessageSeverity"], json!(severity), "{what:?}");
            assert_eq!(told["EventId"], "7");
            assert_eq!(told["EventTimestamp"], "2026-01-02T03:04:05Z");
            let args: Vec<String> = serde_json::from_value(
                told.get("MessageArgs")
                    .cloned()
                    .unwrap_or_else(|| json!([])),
            )
            .unwrap();
            let again = Registry::named(&record.message_id, &args).unwrap();
            assert_eq!(told["Message"], again.message.as_str());
        }
        records.push(record);
    }

    let all: Vec<&Record> = records.iter().collect();
    let whole = parsed(&telling.body("11", Some("my \"context\""), &all));
    assert_eq!(whole["Id"], "11");
    assert_eq!(whole["Context"], "my \"context\"");
    assert_eq!(whole["Events@odata.count"], records.len());
    for (at, event) in whole["Events"].as_array().unwrap().iter().enumerate() {
        assert_eq!(event["MemberId"], at.to_string());
        let mut alone = parsed(&records[at].json);
        alone["MemberId"] = at.to_string().into();
        assert_eq!(*event, alone);
    }
    let findings = validate::response("Event", &whole);
    assert!(findings.is_empty(), "{findings:?}");
    let Some(dmtf) = dmtf else { return };
    let errors: Vec<String> = dmtf
        .iter_errors(&whole)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert!(!dmtf.is_valid(&json!({"@odata.type": "#Event.v1_13_0.Event"})));
    let one = parsed(&telling.body("12", None, &all[..1]));
    assert!(one.get("Context").is_none());
    assert!(dmtf.is_valid(&one), "{one}");
}

#[tokio::test]
async fn a_system_is_told_of_by_its_name_in_dmtfs_words_and_leads_to_its_log_which_says_why() {
    let door = Door::open().await;
    let (telling, system) = (door.telling(), door.system_id());
    let name = door.read(&door.system(0)).await.body["Name"].clone();
    let mut on = happened(
        Subject::System(system.clone()),
        What::PoweredOn(Why::Command),
    );
    on.entry = Some((LogId::System(system.clone()), 3));
    let told = parsed(&telling.record(&on).json);
    assert_eq!(told["MessageId"], "ResourceEvent.1.4.ResourcePoweredOn");
    assert_eq!(told["MessageArgs"], json!([name]));
    assert_eq!(told["Username"], "ann");
    assert_eq!(
        told["LogEntry"]["@odata.id"],
        format!("{}/LogServices/Event/Entries/3", door.system(0))
    );
    // The audit log is for fewer people.
    on.entry = Some((LogId::Audit, 3));
    assert!(parsed(&telling.record(&on).json).get("LogEntry").is_none());

    let what = What::PoweredOff(Why::Guest);
    let off = telling.record(&happened(Subject::Chassis(system.clone()), what));
    assert_eq!(off.message_id, "Power.1.2.ChassisPoweredOff");
    assert_eq!(parsed(&off.json)["MessageArgs"], json!(["Server", name]));

    let drive = Subject::Drive {
        system: system.clone(),
        drive: "sda".into(),
    };
    let failed = telling.record(&happened(drive, What::Health(Severity::Critical)));
    assert_eq!(
        failed.message_id,
        "ResourceEvent.1.4.ResourceStatusChangedCritical"
    );
    let part = format!("sda of {}", name.as_str().unwrap());
    let told = parsed(&failed.json);
    assert_eq!(told["MessageArgs"], json!([part, "Critical"]));
    assert_eq!(told["EventType"], "Alert");

    // Of one that is no longer there the id is left.
    let gone = Subject::System(id("long-gone"));
    let told = telling.record(&happened(gone, What::Paused(Why::Unseen)));
    assert_eq!(parsed(&told.json)["MessageArgs"], json!(["long-gone"]));
    let gone = Subject::System(id("long-gone"));
    let removed = parsed(&telling.record(&happened(gone, What::Removed)).json);
    assert_eq!(removed["OriginOfConditionUnavailable"], true);
    assert_eq!(removed["EventType"], "ResourceRemoved");
}

#[tokio::test]
async fn a_test_is_told_as_it_was_asked_for() {
    let door = Door::open().await;
    let (telling, system) = (door.telling(), door.system_id());
    let about = || Subject::Room(Room::Events);
    let tell = |test: TestEvent| {
        let record = telling.record(&happened(about(), What::Test(Box::new(test))));
        let told = parsed(&record.json);
        (record, told)
    };
    let (record, told) = tell(full_test(&system));
    let expected = json!({
        "MemberId": "0",
        "EventType": "Alert",
        "EventId": "test-1",
        "EventGroupId": 42,
        "EventTimestamp": "2020-02-02T02:02:02Z",
        "Severity": "Critical",
        "MessageSeverity": "Critical",
        "Message": "Mind the gap",
        "MessageId": "ResourceEvent.1.0.ResourceErrorsDetected",
        "MessageArgs": ["Fan1", "wobbling"],
        "Resolution": "Hold it.",
        "Username": "eve",
        "OriginOfCondition": {"@odata.id": door.system(0)},
    });
    assert_eq!(told, expected);
    assert_eq!(record.resource_type, Some("ComputerSystem"));

    let (record, told) = tell(TestEvent::default());
    assert_eq!(record.message_id, "ResourceEvent.1.4.TestMessage");
    assert_eq!(record.origin.as_deref(), Some("/redfish/v1/EventService"));
    assert_eq!(told["EventId"], "7");

    // What is left out is as the registry has it; what no registry here knows is as it was given.
    let (_, told) = tell(TestEvent {
        message_id: Some("TaskEvent.1.0.TaskAborted".into()),
        args: vec!["9".into()],
        ..TestEvent::default()
    });
    assert_eq!(told["MessageSeverity"], "Critical");
    assert!(told["Message"].as_str().unwrap().contains('9'), "{told}");
    let (record, told) = tell(TestEvent {
        message_id: Some("Contoso.2.1.Strange".into()),
        ..TestEvent::default()
    });
    assert_eq!(record.message_id, "Contoso.2.1.Strange");
    assert_eq!(told["MessageSeverity"], "OK");
}

#[tokio::test]
async fn a_report_is_sent_as_it_is_read() {
    let door = Door::open().await;
    let (telling, system) = (door.telling(), door.system_id());
    let report = report(&system);
    let uri = "/redfish/v1/TelemetryService/MetricReports/Power";
    let about = Subject::Report(id("Power"));
    let record = telling.record(&happened(about, What::Report(Arc::new(report))));
    assert_eq!(record.format, Format::MetricReport);
    assert_eq!(record.origin.as_deref(), Some(uri));
    assert_eq!(
        record.definition.as_deref(),
        Some("/redfish/v1/TelemetryService/MetricReportDefinitions/Power")
    );
    let mut sent = parsed(&telling.body("1", None, &[&record]));
    let findings = validate::response("MetricReport", &sent);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(sent["MetricValues"][0]["MetricValue"], "81.5");
    let shown = door.read(uri).await.body;
    // The same but for what is measured anew whenever it is read.
    let mut shown = shown.as_object().unwrap().clone();
    shown.remove("@odata.etag");
    let values = shown["MetricValues"].as_array().unwrap();
    assert_eq!(
        values[0]["MetricProperty"],
        sent["MetricValues"][0]["MetricProperty"]
    );
    for varying in ["MetricValues", "Timestamp"] {
        shown.remove(varying);
        sent.as_object_mut().unwrap().remove(varying);
    }
    assert_eq!(Value::Object(shown), sent);

    let named = parsed(&telling.body("1", Some("mine"), &[&record]));
    assert_eq!(named["Context"], "mine");
    if let Some(dmtf) = dmtf::validator("MetricReport") {
        assert!(dmtf.is_valid(&named), "{named}");
    }
}

#[tokio::test]
async fn whatever_an_event_is_about_has_its_place_in_the_tree() {
    let door = Door::open().await;
    let (telling, system) = (door.telling(), door.system_id());
    let machine = door.app.hawkfish().systems(&Ctx::service())[0].clone();
    let disk = &machine.machine.storage.disks[0];
    let nic = machine.machine.hardware.nics[0].name.clone();
    let of = |f: fn(SystemId) -> Subject| f(system.clone());
    // What a new service has: there it is, and of that type.
    let mut there = vec![
        Subject::Service,
        of(Subject::System),
        of(Subject::Chassis),
        of(Subject::Manager),
        of(Subject::Network),
        of(Subject::ManagerInterface),
        of(Subject::Bios),
        of(Subject::BiosToCome),
        of(Subject::SecureBoot),
        of(Subject::Firmware),
        Subject::Nic {
            system: system.clone(),
            nic,
        },
        Subject::Volume {
            system: system.clone(),
            controller: disk.controller.clone(),
            disk: disk.id.clone(),
        },
        Subject::Drive {
            system: system.clone(),
            drive: disk.id.clone(),
        },
        Subject::Slot {
            system: system.clone(),
            slot: id("Cd"),
        },
        Subject::Log(LogId::System(system.clone())),
        Subject::Log(LogId::Audit),
        Subject::Account(id("1")),
        Subject::Role(id("ReadOnly")),
        Subject::ReportDefinition(id("Power")),
        Subject::Report(id("Power")),
    ];
    for room in [
        Room::Accounts,
        Room::Sessions,
        Room::Tasks,
        Room::Events,
        Room::Updates,
        Room::Telemetry,
        Room::Jobs,
    ] {
        there.push(Subject::Room(room));
    }
    let mut places = BTreeSet::new();
    for about in there {
        let record = telling.record(&happened(about.clone(), What::Changed));
        let uri = record.origin.unwrap();
        let body = door.read(&uri).await.body;
        let kind = body["@odata.type"].as_str().unwrap();
        let expected = format!("#{}.", record.resource_type.unwrap());
        assert!(kind.starts_with(&expected), "{about:?}: {uri} is a {kind}");
        assert!(places.insert(uri), "{about:?} is where another is");
    }
    // What comes and goes: a place that is served, whether or not something stands there.
    for (about, entity) in [
        (of(Subject::Certificate), "Certificate"),
        (
            Subject::Authority {
                system: system.clone(),
                slot: SlotId::parse("Cd").unwrap(),
                number: 1,
            },
            "Certificate",
        ),
        (
            Subject::Image(ImageId::parse("i").unwrap()),
            "SoftwareInventory",
        ),
        (
            Subject::Entry {
                log: LogId::System(system.clone()),
                number: 1,
            },
            "LogEntry",
        ),
        (
            Subject::Entry {
                log: LogId::Audit,
                number: 1,
            },
            "LogEntry",
        ),
        (Subject::Session(SessionId::parse("s").unwrap()), "Session"),
        (Subject::Role(RoleId::parse("Keeper").unwrap()), "Role"),
        (Subject::Task(TaskId::parse("1").unwrap()), "Task"),
        (
            Subject::SubTask {
                task: id("1"),
                part: id("2"),
            },
            "Task",
        ),
        (Subject::Job(JobId::parse("1").unwrap()), "Job"),
        (
            Subject::Report(ReportId::parse("1").unwrap()),
            "MetricReport",
        ),
        (
            Subject::Subscription(SubscriptionId::parse("1").unwrap()),
            "EventDestination",
        ),
    ] {
        let record = telling.record(&happened(about.clone(), What::Changed));
        assert_eq!(record.resource_type, Some(entity), "{about:?}");
        let uri = record.origin.unwrap();
        // Where nothing is served, no method is known.
        let answer = door.send("PUT", &uri).admin().answer().await;
        assert_eq!(answer.status, 405, "{about:?}: {uri} is not served");
    }
}
