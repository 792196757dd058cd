//! What can be seen and changes is told: once, in order, and whoever hears of it finds it so already. What changes nothing tells nothing.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use hawkfish_core::backend::sim::{Guest, OnPanic};
use hawkfish_core::ctx::Ctx;
use hawkfish_server::catalog::Verb;
use hawkfish_server::resource;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::door::{ACCOUNTS, ADMIN, Answer, Door, ROLES, SESSIONS, password};

/// Somebody who listens to all that is told, and looks at once at what it is about.
pub(crate) struct Ear<'a> {
    door: &'a Door,
    token: String,
    heard: u64,
    news: watch::Receiver<u64>,
    /// What was asked for: the method, and the template of the URI with the name of the action.
    asked: Vec<(String, String)>,
    /// How things looked in the moment in which something was told of them.
    seen: BTreeMap<String, (u16, Value)>,
    /// What is not as it should be.
    faults: Vec<String>,
}

/// What is told of tasks and jobs has tests of its own.
fn is_of_work(line: &str) -> bool {
    line.starts_with("Task") || line.starts_with("Job")
}

/// Parts of a resource that are as of now, or change because somebody looks.
fn steady(mut body: Value) -> Value {
    if let Some(all) = body.as_object_mut() {
        let moving = [
            "@odata.etag",
            "DateTime",
            "@Redfish.Settings",
            "@Redfish.SettingsApplyTime",
        ];
        for name in moving {
            all.remove(name);
        }
    }
    body
}

impl<'a> Ear<'a> {
    pub(crate) async fn to(door: &'a Door) -> Self {
        let session = door.log_in(ADMIN.0, ADMIN.1).await;
        assert_eq!(session.status, 201, "{session:?}");
        let events = door.app.hawkfish().events();
        let mut news = events.watch();
        let heard = *news.borrow_and_update();
        Self {
            door,
            token: session.header("x-auth-token").to_owned(),
            heard,
            news,
            asked: Vec::new(),
            seen: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Notes it where that was not told that should have been.
    #[track_caller]
    fn told(&mut self, what: &str, lines: &[String], expected: &[impl AsRef<str>]) {
        let caller = std::panic::Location::caller().line();
        self.told_at(caller, what, lines, expected);
    }

    fn told_at(&mut self, line: u32, what: &str, lines: &[String], expected: &[impl AsRef<str>]) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        if lines != expected {
            let fault =
                format!("line {line}: {what}: {expected:#?} is to be told, and {lines:#?} is");
            self.faults.push(fault);
        }
    }

    pub(crate) fn end(self) {
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n\n"));
    }

    /// `/redfish/v1/` left out, and systems by their number.
    fn short(&self, uri: &str) -> String {
        let mut text = uri.trim_start_matches("/redfish/v1/").to_owned();
        let systems = self.door.app.hawkfish().systems(&Ctx::service());
        for (name, system) in ["A", "B", "C"].iter().zip(&systems) {
            text = text.replace(system.id.as_str(), name);
        }
        text
    }

    /// The other way round.
    fn long(&self, uri: &str) -> String {
        let systems = self.door.app.hawkfish().systems(&Ctx::service());
        let part = |part: &str| match ["A", "B", "C"].iter().position(|name| *name == part) {
            Some(number) => systems[number].id.to_string(),
            None => part.to_owned(),
        };
        let parts: Vec<String> = uri.split('/').map(part).collect();
        format!("/redfish/v1/{}", parts.join("/"))
    }

    async fn look(&self, uri: &str) -> (u16, Value) {
        let answer = self.door.send("GET", uri).token(&self.token).answer().await;
        (answer.status.as_u16(), steady(answer.body))
    }

    /// What was told since this was last asked, a line each; and what it is about, as it looks now.
    pub(crate) async fn hear(&mut self) -> Vec<String> {
        let events = self.door.app.hawkfish().events();
        self.news.borrow_and_update();
        let told = events.recent(self.heard, 10_000).expect("kept in memory");
        let telling = events.telling().expect("there are words");
        let mut lines = Vec::new();
        for told in told {
            assert_eq!(told.seq(), self.heard + 1, "no gaps");
            self.heard = told.seq();
            let record = told.record(&*telling);
            let key = record.message_id.rsplit('.').next().unwrap();
            let origin = record.origin.clone().unwrap_or_default();
            let json: Value = serde_json::from_slice(&record.json).unwrap();
            if !record.message_id.is_empty() {
                assert_eq!(json["MessageId"], record.message_id.as_str());
                assert_eq!(json["EventId"], told.seq().to_string());
                let link = &json["OriginOfCondition"]["@odata.id"];
                assert_eq!(link.as_str(), record.origin.as_deref());
            }
            let line = format!("{key} {}", self.short(&origin));
            if is_of_work(&line) {
                continue;
            }
            lines.push(line.trim().to_owned());
            if !origin.is_empty() {
                let (status, body) = self.look(&origin).await;
                let removed = record.message_id.ends_with(".ResourceRemoved");
                if status != if removed { 404 } else { 200 } {
                    self.faults.push(format!("{lines:?} leads to {status}"));
                }
                if let Some(kind) = body["@odata.type"].as_str().filter(|_| !removed) {
                    let kind = kind.trim_start_matches('#').split('.').next();
                    if kind != record.resource_type {
                        self.faults.push(format!("{lines:?} is about a {kind:?}"));
                    }
                }
                self.seen.insert(origin, (status, body));
            }
        }
        lines
    }

    /// Sends a request and listens meanwhile. While it is looked at what was told, the request stands still: what it would change only after it was told has not
    /// been changed by then.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        uri: &str,
        body: &Value,
    ) -> (Answer, Vec<String>) {
        let uri = self.long(uri);
        self.note(method, &uri);
        let sending = self.door.send(method, &uri).admin();
        let sending = if body.is_null() {
            sending
        } else {
            sending.json(body)
        };
        let mut answer = pin!(sending.answer());
        let mut lines = Vec::new();
        self.seen.clear();
        let mut news = self.news.clone();
        let answer = loop {
            tokio::select! {
                biased;
                heard = news.changed() => {
                    heard.unwrap();
                    lines.extend(self.hear().await);
                }
                answer = &mut answer => break answer,
            }
        };
        for (uri, then) in std::mem::take(&mut self.seen) {
            let now = self.look(&uri).await;
            if then != now {
                let fault =
                    format!("{uri} was told of before it was so: {then:?} instead of {now:?}");
                self.faults.push(fault);
            }
        }
        (answer, lines)
    }

    /// Sends a request that succeeds and has these told.
    #[track_caller]
    pub(crate) fn does<'b>(
        &'b mut self,
        method: &'b str,
        uri: &'b str,
        body: Value,
        expected: &'b [&'b str],
    ) -> impl Future<Output = Answer> + use<'a, 'b> {
        let caller = std::panic::Location::caller().line();
        async move {
            let (answer, lines) = self.send(method, uri, &body).await;
            if !answer.status.is_success() {
                self.faults
                    .push(format!("line {caller}: {method} {uri}: {answer:?}"));
            }
            self.told_at(caller, uri, &lines, expected);
            answer
        }
    }

    /// The same for a request that changes nothing when it comes a second time.
    #[track_caller]
    pub(crate) fn sets<'b>(
        &'b mut self,
        uri: &'b str,
        body: Value,
        expected: &'b [&'b str],
    ) -> impl Future<Output = ()> + use<'a, 'b> {
        let caller = std::panic::Location::caller().line();
        async move {
            for expected in [expected, &[]] {
                let (answer, lines) = self.send("PATCH", uri, &body).await;
                if !answer.status.is_success() {
                    self.faults
                        .push(format!("line {caller}: {uri}: {answer:?}"));
                }
                self.told_at(caller, uri, &lines, expected);
            }
        }
    }

    fn note(&mut self, method: &str, uri: &str) {
        let (of, action) = uri.split_once("/Actions/").unwrap_or((uri, ""));
        let of: Vec<&str> = of.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            let pairs = of.iter().zip(&template);
            of.len() == template.len()
                && pairs.into_iter().all(|(a, b)| a == b || b.starts_with('{'))
        };
        let found = resource::ALL.iter().find(|resource| fits(resource.uri));
        let found = found.unwrap_or_else(|| panic!("{uri} is nowhere"));
        let what = match action {
            "" => method.to_owned(),
            action => action.to_owned(),
        };
        self.asked.push((what, found.uri.to_owned()));
    }
}

/// Everything that can be asked to change something, as [`Ear::asked`] has it.
fn changing() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for resource in resource::ALL {
        for verb in resource.verbs() {
            let method = match verb {
                Verb::Create => "POST",
                Verb::Patch => "PATCH",
                Verb::Delete => "DELETE",
                _ => continue,
            };
            all.push((method.to_owned(), resource.uri.to_owned()));
        }
        for action in resource.actions {
            all.push((action.name.to_owned(), resource.uri.to_owned()));
        }
    }
    all
}

/// What has a test of its own for what it tells, and what changes nothing.
const ELSEWHERE: &[&str] = &[
    "/redfish/v1/EventService",
    "/redfish/v1/JobService",
    "/redfish/v1/TaskService/Tasks",
    "/redfish/v1/TaskService/TaskMonitors",
    "/redfish/v1/CertificateService",
    "/redfish/v1/Managers/{system}/NetworkProtocol/HTTPS",
    "/redfish/v1/UpdateService",
    "/redfish/v1/Systems/{system}/BootImage",
    // The same as below systems.
    "/redfish/v1/Managers/{system}/VirtualMedia",
];

#[tokio::test]
async fn every_change_that_a_client_makes_is_told_once_and_is_made_when_it_is_told() {
    let door = Door::open().await;
    let mut ear = Ear::to(&door).await;
    ear.accounts().await;
    ear.sessions().await;
    ear.systems().await;
    ear.power().await;
    ear.firmware().await;
    ear.managers().await;
    ear.media().await;
    ear.volumes().await;
    ear.logs().await;
    ear.telemetry().await;
    let minutes = json!({"TaskAutoDeleteTimeoutMinutes": 77});
    ear.sets("TaskService", minutes, &["ResourceChanged TaskService"])
        .await;

    let mut missing = changing();
    missing.retain(|(_, uri)| !ELSEWHERE.iter().any(|elsewhere| uri.starts_with(elsewhere)));
    missing.retain(|asked| !ear.asked.contains(asked));
    if !missing.is_empty() {
        ear.faults
            .push(format!("nobody knows what these tell: {missing:#?}"));
    }
    ear.end();
}

#[tokio::test]
async fn what_changes_by_itself_is_told_too() {
    let door = Door::open().await;
    let mut ear = Ear::to(&door).await;
    let rack = door.rack.clone();
    let key = rack.key(0).unwrap();
    // Systems are ordered by their ids, machines of the rack are not.
    let systems = door.app.hawkfish().systems(&Ctx::service());
    let own = systems.iter().position(|s| s.machine.key == key).unwrap();
    let name = ["A", "B"][own];
    let of = |key: &str, kind: &str| format!("{key} {kind}/{name}");
    let reset = format!("Systems/{name}/Actions/ComputerSystem.Reset");
    let kind = |kind: &str| json!({ "ResetType": kind });
    let both = || {
        [
            of("ResourceChanged", "Systems"),
            of("ResourceChanged", "Chassis"),
        ]
    };
    let off = || {
        [
            of("ResourcePoweredOff", "Systems"),
            of("ChassisPoweredOff", "Chassis"),
        ]
    };

    // A guest that resets itself after its boot, and shuts down when it is asked.
    let guest = Guest {
        resets_itself_after: Some(Duration::from_secs(30)),
        ..Guest::default()
    };
    rack.set_guest(key, guest.clone()).unwrap();
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    let lines = ear.hear().await;
    let itself = [of("SystemReset", "Systems")];
    let expected = [&both()[..], &itself].concat();
    ear.told("its own reset", &lines, &expected);
    ear.send("POST", &reset, &kind("GracefulShutdown")).await;
    door.pass_time(60).await;
    let lines = ear.hear().await;
    ear.told("its own end", &lines, &off());

    // One that panics.
    let guest = Guest {
        on_panic: OnPanic::Stop,
        ..Guest::default()
    };
    rack.set_guest(key, guest).unwrap();
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    ear.hear().await;
    ear.send("POST", &reset, &kind("Nmi")).await;
    door.pass_time(60).await;
    let lines = ear.hear().await;
    let crashed = [
        of("GuestAsked", "Systems"),
        of("SystemCrashed", "Systems"),
        of("ChassisPoweredOff", "Chassis"),
    ];
    ear.told("a panic", &lines, &crashed);

    // One that hangs, with a watchdog.
    let guest = Guest {
        on_panic: OnPanic::Hang,
        watchdog: Some(Duration::from_secs(30)),
        ..Guest::default()
    };
    rack.set_guest(key, guest).unwrap();
    let body = json!({"HostWatchdogTimer": {"TimeoutAction": "ResetSystem"}});
    ear.send("PATCH", &format!("Systems/{name}"), &body).await;
    ear.send("POST", &reset, &kind("On")).await;
    door.pass_time(600).await;
    ear.hear().await;
    ear.send("POST", &reset, &kind("Nmi")).await;
    door.pass_time(600).await;
    let lines = ear.hear().await;
    let fired = [
        of("GuestAsked", "Systems"),
        of("WatchdogFired", "Systems"),
        of("SystemReset", "Systems"),
    ];
    ear.told("a watchdog", &lines, &fired);

    // The host goes, and comes back.
    rack.lose("somebody pulled the cable");
    door.app.hawkfish().tick().await.unwrap();
    let lines = ear.hear().await;
    ear.told(
        "a lost host",
        &lines,
        &["HostLost Systems/A", "HostLost Systems/B"],
    );
    rack.find();
    door.app.hawkfish().tick().await.unwrap();
    let lines = ear.hear().await;
    ear.told(
        "a host that is back",
        &lines,
        &["HostBack Systems/A", "HostBack Systems/B"],
    );

    // Somebody guesses passwords.
    let policy = json!({"AccountLockoutThreshold": 2, "AccountLockoutDuration": 60});
    ear.send("PATCH", "AccountService", &policy).await;
    let account = door.account("ann", "Operator").await;
    let account = ear.short(&account);
    ear.hear().await;
    for _ in 0..2 {
        door.log_in("ann", "a wrong secret").await;
    }
    let lines = ear.hear().await;
    let refused = format!("LoginRefused {account}");
    let locked = format!("AccountLocked {account}");
    ear.told("a lockout", &lines, &[&refused, &refused, &locked]);

    // A task that ended is deleted in the end, and so is a session that nobody uses.
    let minutes = json!({"TaskAutoDeleteTimeoutMinutes": 1});
    ear.send("PATCH", "TaskService", &minutes).await;
    ear.send("POST", &reset, &kind("PowerCycle")).await;
    let task = format!("/redfish/v1/TaskService/Tasks/{}", tasks(&door)[0]);
    let session = door.log_in(ADMIN.0, ADMIN.1).await;
    let session = ear.short(session.header("location"));
    let short = json!({"SessionTimeout": 30});
    ear.send("PATCH", "SessionService", &short).await;
    let before = ear.heard;
    door.pass_time(180).await;
    let events = door.app.hawkfish().events();
    let telling = events.telling().unwrap();
    let gone: Vec<String> = events
        .recent(before, 1000)
        .unwrap()
        .iter()
        .map(|told| told.record(&*telling))
        .filter(|record| record.message_id.ends_with("Removed"))
        .map(|record| ear.short(record.origin.as_deref().unwrap_or_default()))
        .collect();
    for wanted in [session, ear.short(&task)] {
        let times = gone.iter().filter(|origin| **origin == wanted).count();
        if times != 1 {
            ear.faults.push(format!(
                "{wanted} was told to be gone {times} times: {gone:?}"
            ));
        }
    }
    ear.end();
}

fn tasks(door: &Door) -> Vec<String> {
    let tasks = door.app.hawkfish().tasks().list(&Ctx::service());
    tasks.iter().rev().map(|task| task.id.to_string()).collect()
}

#[tokio::test]
async fn an_update_tells_how_far_it_is_and_an_image_comes_and_goes() {
    use crate::update::{image, open_with, push};
    let (door, _folder) = open_with(hawkfish_server::Options::default()).await;
    let mut ear = Ear::to(&door).await;
    let system = door.read(&door.system(0)).await.body;
    let firmware = "UpdateService/FirmwareInventory/BIOS-A";
    // What is off takes its firmware at once; what runs does so when it is reset.
    let reset = format!("{}/Actions/ComputerSystem.Reset", door.system(0));
    let on = json!({"ResetType": "On"});
    let turned = door.send("POST", &reset).admin().json(&on).answer().await;
    turned.ok();
    door.pass_time(600).await;
    let parameters = json!({"Targets": [ear.long("Systems/A")]}).to_string();
    let file = image(system["Model"].as_str().unwrap(), "X-9");
    let parts = [
        ("UpdateParameters", None, parameters.as_bytes()),
        ("UpdateFile", Some("new.json"), file.as_slice()),
    ];
    let upload = "/redfish/v1/UpdateService/MultipartUpload";
    let answer = push(&door, upload, &parts).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let monitor = answer.header("location").to_owned();
    let id = monitor.rsplit('/').next().unwrap().parse().unwrap();
    let hf = door.app.hawkfish();
    let mut news = hf.events().watch();
    let awaits = format!("AwaitToActivate {firmware}");
    while !ear.lines_since(0).contains(&awaits) {
        let more = tokio::time::timeout(Duration::from_secs(20), news.changed()).await;
        more.expect("something more is told").unwrap();
    }
    ear.heard = 0;
    let lines = ear.lines_since(0);
    let last = lines.len() - 3;
    let told = [
        "TargetDetermined",
        "TransferringToComponent",
        "AwaitToActivate",
    ];
    let told = told.map(|key| format!("{key} {firmware}"));
    ear.told("an update", &lines[last..], &told);
    let before = ear.heard;
    let again = json!({"ResetType": "ForceRestart"});
    door.send("POST", &reset)
        .admin()
        .json(&again)
        .answer()
        .await
        .ok();
    let finished = hf.tasks().finished(&id);
    let finished = tokio::time::timeout(Duration::from_secs(20), finished).await;
    finished.expect("the update ends").unwrap();
    let lines = ear.lines_since(before);
    let changed = lines
        .iter()
        .any(|l| *l == format!("ResourceChanged {firmware}"));
    let done = lines.last() == Some(&format!("UpdateSuccessful {firmware}"));
    if !changed || !done {
        ear.faults.push(format!("no end of an update: {lines:#?}"));
    }

    let before = ear.heard;
    let system = door.system(0);
    let uri = door.read(&system).await.body["BootImagePushURI"].clone();
    let parts = [("UpdateFile", Some("boot.iso"), b"an image".as_slice())];
    let answer = push(&door, uri.as_str().unwrap(), &parts).await;
    assert!(answer.status.is_success(), "{answer:?}");
    let store = door.read("/redfish/v1/UpdateService/LocalImageStore").await;
    let stored = store.body["Members"][0]["@odata.id"].as_str().unwrap();
    let lines = ear.lines_since(before);
    let short = ear.short(stored);
    ear.told(
        "an image",
        &lines[..1],
        &[format!("ResourceCreated {short}")],
    );
    ear.end();
}

impl Ear<'_> {
    async fn accounts(&mut self) {
        let service = json!({"MinPasswordLength": 9});
        let told = ["ResourceChanged AccountService"];
        self.sets("AccountService", service, &told).await;

        let role = json!({"RoleId": "Reader", "AssignedPrivileges": ["Login"]});
        let told = ["ResourceCreated AccountService/Roles/Reader"];
        let uri = self.short(ROLES);
        self.does("POST", &uri, role, &told).await;
        let role = json!({"AssignedPrivileges": ["Login", "ConfigureSelf"]});
        let uri = "AccountService/Roles/Reader";
        let told = ["ResourceChanged AccountService/Roles/Reader"];
        self.sets(uri, role, &told).await;

        let account = json!({"UserName": "ann", "Password": password("ann"), "RoleId": "Reader"});
        let uri = self.short(ACCOUNTS);
        let told = ["ResourceCreated AccountService/Accounts/2"];
        self.does("POST", &uri, account, &told).await;
        let ann = "AccountService/Accounts/2";
        let changed = format!("ResourceChanged {ann}");
        self.sets(ann, json!({"RoleId": "Operator"}), &[&changed])
            .await;
        let session = self.door.log_in("ann", &password("ann")).await;
        let session = self.short(session.header("location"));
        let lines = self.hear().await;
        self.told("a session", &lines, &[format!("ResourceCreated {session}")]);
        let named = format!("ResourceChanged {session}");
        self.sets(ann, json!({"UserName": "anna"}), &[&changed, &named])
            .await;
        let uri = format!("{ann}/Actions/ManagerAccount.ChangePassword");
        let body = json!({"NewPassword": "another secret", "SessionAccountPassword": ADMIN.1});
        let ended = format!("ResourceRemoved {session}");
        self.does("POST", &uri, body, &[&changed, &ended]).await;
        let session = self.door.log_in("anna", "another secret").await;
        let session = self.short(session.header("location"));
        self.hear().await;
        let ended = format!("ResourceRemoved {session}");
        self.sets(ann, json!({"Enabled": false}), &[&changed, &ended])
            .await;
        let told = format!("ResourceRemoved {ann}");
        self.does("DELETE", ann, Value::Null, &[&told]).await;
        let told = "ResourceRemoved AccountService/Roles/Reader";
        self.does(
            "DELETE",
            "AccountService/Roles/Reader",
            Value::Null,
            &[told],
        )
        .await;
    }

    async fn sessions(&mut self) {
        let told = ["ResourceChanged SessionService"];
        self.sets("SessionService", json!({"SessionTimeout": 3600}), &told)
            .await;
        let uri = self.short(SESSIONS);
        let body = json!({"UserName": ADMIN.0, "Password": ADMIN.1});
        let made = self.send("POST", &uri, &body).await;
        let session = self.short(made.0.header("location"));
        self.told(
            "a session",
            &made.1,
            &[format!("ResourceCreated {session}")],
        );
        let told = format!("ResourceRemoved {session}");
        self.does("DELETE", &session, Value::Null, &[&told]).await;
    }

    async fn systems(&mut self) {
        let both = ["ResourceChanged Systems/A", "ResourceChanged Chassis/A"];
        let tag = |text: &str| json!({ "AssetTag": text });
        self.sets("Systems/A", tag("rack 7"), &both).await;
        self.sets("Chassis/A", tag("rack 8"), &both).await;
        let lit = |on: bool| json!({ "LocationIndicatorActive": on });
        self.sets("Systems/A", lit(true), &both).await;
        self.sets("Chassis/A", lit(false), &both).await;
        let body = json!({"PowerRestorePolicy": "AlwaysOn"});
        self.sets("Systems/A", body, &both[..1]).await;
        let body = json!({"HostWatchdogTimer": {"TimeoutAction": "PowerDown"}});
        let told = [
            "ResourceChanged Systems/A",
            "ResourceChanged Systems/A/Bios",
        ];
        self.sets("Systems/A", body, &told).await;
        let body = json!({"Boot": {
            "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once",
        }});
        let boot = ["BootSettingsChanged Systems/A"];
        self.sets("Systems/A", body, &boot).await;
        let system = self.look(&self.long("Systems/A")).await.1;
        let first = system["Boot"]["BootOrder"][0].as_str().unwrap();
        let option = format!("Systems/A/BootOptions/{first}");
        self.sets(&option, json!({"BootOptionEnabled": false}), &boot)
            .await;
        let nics = self
            .look(&self.long("Systems/A/EthernetInterfaces"))
            .await
            .1;
        let nic = nics["Members"][0]["@odata.id"].as_str().unwrap();
        let nic = self.short(nic);
        let told = format!("ResourceChanged {nic}");
        self.sets(&nic, json!({"InterfaceEnabled": false}), &[&told])
            .await;
        // Together they are one change, each told once.
        let body = json!({"AssetTag": "rack 9", "PowerRestorePolicy": "AlwaysOff"});
        self.sets("Systems/A", body, &both).await;
    }

    async fn power(&mut self) {
        let reset = "Systems/A/Actions/ComputerSystem.Reset";
        let kind = |kind: &str| json!({ "ResetType": kind });
        let told = ["ResourcePoweredOn Systems/A", "ChassisPoweredOn Chassis/A"];
        self.does("POST", reset, kind("On"), &told).await;
        self.does("POST", reset, kind("On"), &[]).await;
        self.door.pass_time(1).await;
        self.hear().await;
        self.door.pass_time(120).await;
        let both = ["ResourceChanged Systems/A", "ResourceChanged Chassis/A"];
        let told = [&["BootOverrideUsed Systems/A"], &both[..]].concat();
        let lines = self.hear().await;
        self.told("the self-test is over", &lines, &told);
        self.does(
            "POST",
            reset,
            kind("ForceRestart"),
            &["SystemReset Systems/A"],
        )
        .await;
        self.door.pass_time(120).await;
        self.hear().await;
        let told = ["ResourcePaused Systems/A"];
        self.does("POST", reset, kind("Pause"), &told).await;
        let told = ["SystemResumed Systems/A"];
        self.does("POST", reset, kind("Resume"), &told).await;
        let told = [
            "ResourcePoweredOff Systems/A",
            "ChassisPoweredOff Chassis/A",
        ];
        self.does("POST", reset, kind("ForceOff"), &told).await;
        self.does("POST", reset, kind("ForceOff"), &[]).await;
        // What is refused tells nothing.
        let refused = self.send("POST", reset, &kind("Resume")).await;
        assert_eq!(refused.0.status, 409);
        self.told("refused", &refused.1, &[""; 0]);
    }

    async fn firmware(&mut self) {
        let settings = "Systems/A/Bios/Settings";
        let to_come = ["ResourceChanged Systems/A/Bios/Settings"];
        let wanted = json!({"Attributes": {"AcpiS3": "Enabled"}});
        self.sets(settings, wanted, &to_come).await;
        let reset = "Systems/A/Actions/ComputerSystem.Reset";
        let told = [
            "ResourceChanged Systems/A/Bios",
            "ResourceChanged Systems/A/Bios/Settings",
            "ResourcePoweredOn Systems/A",
            "ChassisPoweredOn Chassis/A",
        ];
        self.does("POST", reset, json!({"ResetType": "On"}), &told)
            .await;
        let defaults = "Systems/A/Bios/Actions/Bios.ResetBios";
        self.does("POST", defaults, Value::Null, &to_come).await;
        self.does("POST", defaults, Value::Null, &[]).await;
        let system = ["A", "B"].into_iter().find(|system| {
            let hf = self.door.app.hawkfish();
            let number = usize::from(*system == "B");
            let system = hf.systems(&Ctx::service())[number].clone();
            let knob = hawkfish_core::backend::Knob::SecureBoot;
            system.machine.firmware.setting(knob).is_some()
        });
        let system = system.expect("one has secure boot");
        let uri = format!("Systems/{system}/SecureBoot");
        let is_on = self.look(&self.long(&uri)).await.1["SecureBootEnable"]
            .as_bool()
            .unwrap();
        let told = [
            format!("ResourceChanged Systems/{system}/Bios/Settings"),
            format!("ResourceChanged {uri}"),
        ];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let body = json!({ "SecureBootEnable": !is_on });
        self.sets(&uri, body, &told).await;
    }

    async fn managers(&mut self) {
        // What was turned on comes up.
        self.door.pass_time(600).await;
        self.hear().await;
        let manager = ["ResourceChanged Managers/A"];
        let body = json!({"DateTimeLocalOffset": "+05:30"});
        self.sets("Managers/A", body, &manager).await;
        let body = json!({"DateTime": "2030-05-06T09:08:09+02:00"});
        self.sets("Managers/A", body, &manager).await;
        let network = "Managers/A/NetworkProtocol";
        let body = json!({"NTP": {"NTPServers": ["192.0.2.1"]}});
        let told = format!("ResourceChanged {network}");
        self.sets(network, body, &[&told]).await;
        let all = self
            .look(&self.long("Managers/A/EthernetInterfaces"))
            .await
            .1;
        let interface = self.short(all["Members"][0]["@odata.id"].as_str().unwrap());
        let here = format!("ResourceChanged {interface}");
        let body = json!({"HostName": "bmc7"});
        self.sets(&interface, body, &[&told, &here]).await;

        let verify = json!({"VerifyCertificate": false});
        let slot = "Systems/A/VirtualMedia/Cd";
        let told = ["ResourceChanged Systems/A/VirtualMedia/Cd"];
        self.sets(slot, verify, &told).await;
        for (action, more, told) in [
            (
                "Manager.Reset",
                json!({"ResetType": "GracefulRestart"}),
                &[][..],
            ),
            (
                "Manager.ResetToDefaults",
                json!({"ResetType": "PreserveNetworkAndUsers"}),
                &["ResourceChanged Systems/A/VirtualMedia/Cd"][..],
            ),
        ] {
            let uri = format!("Managers/A/Actions/{action}");
            // While it restarts, nothing of it answers: so it is not looked at.
            let long = self.long(&uri);
            self.note("POST", &long);
            let before = self.heard;
            let sending = self.door.send("POST", &long).admin().json(&more);
            sending.answer().await.ok();
            let lines = self.lines_since(before);
            let mut expected = told.to_vec();
            if action.ends_with("Defaults") {
                expected.push("ResourceChanged Managers/A");
            }
            expected.push("ResourceChanged Managers/A");
            self.told(action, &lines, &expected);
            self.door.pass_time(11).await;
            let lines = self.hear().await;
            self.told("it is back", &lines, &["ResourceChanged Managers/A"]);
        }
    }

    /// What was told since then, without a look.
    fn lines_since(&mut self, since: u64) -> Vec<String> {
        let events = self.door.app.hawkfish().events();
        let telling = events.telling().unwrap();
        let told = events.recent(since, 10_000).unwrap();
        let line = |told: &std::sync::Arc<hawkfish_core::events::Told>| {
            let record = told.record(&*telling);
            let key = record.message_id.rsplit('.').next().unwrap();
            let origin = record.origin.as_deref().unwrap_or_default();
            format!("{key} {}", self.short(origin))
        };
        let lines = told.iter().map(line).filter(|line| !is_of_work(line));
        let lines = lines.collect();
        self.heard = events.last();
        lines
    }

    async fn media(&mut self) {
        let slot = "Systems/A/VirtualMedia/Cd";
        let insert = format!("{slot}/Actions/VirtualMedia.InsertMedia");
        let body = json!({"Image": "http://images.example/folder/installer.iso"});
        let told = format!("MediumInserted {slot}");
        self.does("POST", &insert, body, &[&told]).await;
        let eject = format!("{slot}/Actions/VirtualMedia.EjectMedia");
        let told = format!("MediumEjected {slot}");
        self.does("POST", &eject, Value::Null, &[&told]).await;

        let certificates = format!("{slot}/Certificates");
        let text = crate::media_certificates::authority();
        let body = json!({"CertificateString": text, "CertificateType": "PEM"});
        let made = self.send("POST", &certificates, &body).await;
        let uri = self.short(made.0.header("location"));
        self.told(&certificates, &made.1, &[format!("ResourceCreated {uri}")]);
        let (_, again) = self.send("POST", &certificates, &body).await;
        self.told("it is there already", &again, &[""; 0]);
        let told = format!("ResourceRemoved {uri}");
        self.does("DELETE", &uri, Value::Null, &[&told]).await;
    }

    async fn volumes(&mut self) {
        let all = self.look(&self.long("Systems/A/Storage")).await.1;
        let storage = self.short(all["Members"][0]["@odata.id"].as_str().unwrap());
        let body = json!({"Name": "data", "CapacityBytes": 1 << 30});
        let volumes = format!("{storage}/Volumes");
        let (made, lines) = self.send("POST", &volumes, &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let volume = self.short(made.header("location"));
        let drive = made.body["Links"]["Drives"][0]["@odata.id"].clone();
        let drive = self.short(drive.as_str().unwrap());
        let both = |key: &str| [format!("{key} {volume}"), format!("{key} {drive}")];
        // What can be booted from shows in the system.
        let is_there = |line: &&String| !line.ends_with(" Systems/A");
        let lines: Vec<String> = lines.iter().filter(is_there).cloned().collect();
        self.told(&volumes, &lines, &both("ResourceCreated"));
        let named = format!("ResourceChanged {volume}");
        self.sets(&volume, json!({"DisplayName": "other"}), &[&named])
            .await;
        let [grown, too] = both("ResourceChanged");
        self.sets(
            &volume,
            json!({"CapacityBytes": 2_u64 << 30}),
            &[&grown, &too],
        )
        .await;
        let (gone, lines) = self.send("DELETE", &volume, &Value::Null).await;
        assert!(gone.status.is_success(), "{gone:?}");
        let lines: Vec<String> = lines.iter().filter(is_there).cloned().collect();
        self.told(&volume, &lines, &both("ResourceRemoved"));
    }

    async fn logs(&mut self) {
        let log = "Systems/A/LogServices/Event";
        let entries = self.look(&self.long(&format!("{log}/Entries"))).await.1;
        let entry = self.short(entries["Members"][0]["@odata.id"].as_str().unwrap());
        let told = format!("ResourceChanged {entry}");
        self.sets(&entry, json!({"Resolved": true}), &[&told]).await;
        let told = format!("ResourceChanged {log}");
        let off = json!({"ServiceEnabled": false});
        self.sets(log, off, &[&told]).await;
        // A log that is off takes in nothing, and what happens is told all the same.
        let body = json!({"Boot": {"BootSourceOverrideEnabled": "Continuous", "BootSourceOverrideTarget": "Pxe"}});
        self.sets("Systems/A", body, &["BootSettingsChanged Systems/A"])
            .await;
        let on = json!({"ServiceEnabled": true});
        self.sets(log, on, &[&told]).await;
        let clear = format!("{log}/Actions/LogService.ClearLog");
        self.does("POST", &clear, Value::Null, &[&told]).await;
        self.does("POST", &clear, Value::Null, &[]).await;
        // The other log.
        let log = "Managers/A/LogServices/Audit";
        let told = format!("ResourceChanged {log}");
        let off = json!({"ServiceEnabled": false});
        self.sets(log, off, &[&told]).await;
        let clear = format!("{log}/Actions/LogService.ClearLog");
        self.does("POST", &clear, Value::Null, &[&told]).await;
        let on = json!({"ServiceEnabled": true});
        self.sets(log, on, &[&told]).await;
        let entries = self.look(&self.long(&format!("{log}/Entries"))).await.1;
        let entry = self.short(entries["Members"][0]["@odata.id"].as_str().unwrap());
        let told = format!("ResourceChanged {entry}");
        self.sets(&entry, json!({"Resolved": true}), &[&told]).await;
    }

    async fn telemetry(&mut self) {
        let body = json!({
            "Id": "Fans",
            "MetricReportDefinitionType": "Periodic",
            "Schedule": {"RecurrenceInterval": "PT60S"},
            "Metrics": [{"MetricId": "Temperature"}],
        });
        let definitions = "TelemetryService/MetricReportDefinitions";
        let (made, lines) = self.send("POST", definitions, &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        let both = |key: &str| {
            [
                format!("{key} TelemetryService/MetricReportDefinitions/Fans"),
                format!("{key} TelemetryService/MetricReports/Fans"),
            ]
        };
        self.told(definitions, &lines, &both("ResourceCreated"));
        let uri = format!("{definitions}/Fans");
        let told = format!("ResourceChanged {uri}");
        let patch = json!({"Schedule": {"RecurrenceInterval": "PT30S"}});
        self.does("PATCH", &uri, patch, &[&told]).await;
        self.door.pass_time(31).await;
        // A report is told to who wants reports, and to nobody else.
        let lines = self.hear().await;
        self.told("a report", &lines, &[""; 0]);
        let clear = "TelemetryService/Actions/TelemetryService.ClearMetricReports";
        let told = "ResourceChanged TelemetryService/MetricReports/Fans";
        self.does("POST", clear, Value::Null, &[told]).await;
        self.does("POST", clear, Value::Null, &[]).await;
        let [definition, report] = both("ResourceRemoved");
        self.does("DELETE", &uri, Value::Null, &[&definition, &report])
            .await;
        let power = format!("{definitions}/Power");
        self.send("DELETE", &power, &Value::Null).await;
        let defaults =
            "TelemetryService/Actions/TelemetryService.ResetMetricReportDefinitionsToDefaults";
        let told = [
            "ResourceCreated TelemetryService/MetricReportDefinitions/Power",
            "ResourceCreated TelemetryService/MetricReports/Power",
        ];
        self.does("POST", defaults, Value::Null, &told).await;
        self.does("POST", defaults, Value::Null, &[]).await;
    }
}
