//! What a client can change, noun by noun, and what each change tells.

use hawkfish_core::ctx::Ctx;
use serde_json::{Value, json};

use super::ear::{Ear, is_of_work};
use crate::door::{ACCOUNTS, ADMIN, ROLES, SESSIONS, password};

impl Ear<'_> {
    pub(super) async fn accounts(&mut self) {
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

    pub(super) async fn sessions(&mut self) {
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

    pub(super) async fn systems(&mut self) {
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

    pub(super) async fn power(&mut self) {
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

    pub(super) async fn firmware(&mut self) {
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

    pub(super) async fn managers(&mut self) {
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
    pub(super) fn lines_since(&mut self, since: u64) -> Vec<String> {
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

    pub(super) async fn media(&mut self) {
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

    pub(super) async fn volumes(&mut self) {
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

    pub(super) async fn logs(&mut self) {
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

    pub(super) async fn telemetry(&mut self) {
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
