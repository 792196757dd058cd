use std::sync::{Arc, Mutex};

use axum::Router;
use hawkfish_client::redfish::model::certificate::{RekeyParams, RenewParams};
use hawkfish_client::redfish::model::certificate_service::{
    GenerateCSRParams, ReplaceCertificateParams,
};
use hawkfish_client::redfish::model::job::{Job as JobModel, JobCreate, Payload};
use hawkfish_client::redfish::model::manager_account::ManagerAccountCreate;
use hawkfish_client::redfish::model::resource::{PowerState, ResetType};
use hawkfish_client::redfish::model::role::RoleCreate;
use hawkfish_client::redfish::model::schedule::Schedule;
use hawkfish_client::redfish::model::update_service::SimpleUpdateParams;
use hawkfish_client::typed::{Account, Certificate, CertificateService, Chassis, Handle, Role};
use hawkfish_client::{Client, Kind, Outcome, Progress};
use serde_json::{Value, json};

use super::media::serve;
use super::{Lab, done};

async fn account(lab: &Lab) -> Account {
    let service = lab.client.account_service().await.unwrap();
    let wanted = ManagerAccountCreate {
        user_name: "erika".into(),
        password: "first password".into(),
        role_id: "ReadOnly".into(),
        ..ManagerAccountCreate::default()
    };
    let outcome = service.create_account(&wanted).await.unwrap();
    lab.client.created(outcome).await.unwrap()
}

async fn may_log_in(lab: &Lab, password: &str) -> bool {
    let client = lab.login("erika", password);
    let came = client.login().await;
    if came.is_ok() {
        client.logout().await.unwrap();
    }
    came.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_changed_and_deleted() {
    let lab = Lab::open().await;
    let mut erika = account(&lab).await;
    assert!(may_log_in(&lab, "first password").await);
    done(erika.set_password("second password").await).await;
    assert!(!may_log_in(&lab, "first password").await && may_log_in(&lab, "second password").await);
    done(erika.change_password("hawkfish", "third password").await).await;
    assert!(may_log_in(&lab, "third password").await);
    done(erika.enable(false).await).await;
    assert!(!may_log_in(&lab, "third password").await);
    done(erika.enable(true).await).await;
    done(erika.set_role("Operator").await).await;
    erika.refresh().await.unwrap();
    assert_eq!(erika.role_id.as_deref(), Some("Operator"));
    assert_eq!(erika.role().await.unwrap().id, "Operator");
    assert_eq!(lab.client.accounts().await.unwrap().len(), 2);
    done(erika.delete().await).await;
    assert_eq!(lab.client.accounts().await.unwrap().len(), 1);
    assert!(!may_log_in(&lab, "third password").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_locked_out_is_unlocked() {
    let lab = Lab::open().await;
    let mut erika = account(&lab).await;
    for _ in 0..5 {
        assert!(!may_log_in(&lab, "a guess").await);
    }
    erika.refresh().await.unwrap();
    assert_eq!(erika.locked, Some(true));
    assert!(!may_log_in(&lab, "first password").await);
    done(erika.unlock().await).await;
    assert!(may_log_in(&lab, "first password").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_made_changed_and_deleted() {
    let lab = Lab::open().await;
    let service = lab.client.account_service().await.unwrap();
    let before = service.roles().await.unwrap().len();
    let wanted = RoleCreate {
        role_id: "Night".into(),
        assigned_privileges: Some(vec!["Login".into()]),
    };
    let outcome = service.create_role(&wanted).await.unwrap();
    let mut role: Role = lab.client.created(outcome).await.unwrap();
    done(role.set_privileges(&["Login", "ConfigureSelf"]).await).await;
    role.refresh().await.unwrap();
    assert_eq!(
        json!(role.assigned_privileges),
        json!(["Login", "ConfigureSelf"])
    );
    done(role.delete().await).await;
    assert_eq!(service.roles().await.unwrap().len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_somebody_else_is_ended() {
    let lab = Lab::open().await;
    let other = lab.admin();
    other.login().await.unwrap();
    let sessions = lab.client.sessions().await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].user_name.as_deref(), Some("admin"));
    done(sessions[0].end().await).await;
    assert!(lab.client.sessions().await.unwrap().is_empty());
    other.logout().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_is_updated_and_the_task_is_watched() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    let service = lab.client.update_service().await.unwrap();
    let firmware = service.firmware().await.unwrap();
    assert!(
        firmware
            .iter()
            .any(|one| one.version.value() == system.bios_version.value())
    );
    service.software().await.unwrap();
    let model = system.model.as_deref().unwrap();
    let image = json!({"HawkFishFirmware": 1, "Target": model, "Version": "X-9.9.9"});
    let update = SimpleUpdateParams {
        image_uri: serve(image.to_string()).await,
        targets: Some(vec![system.uri().to_owned()]),
        ..SimpleUpdateParams::default()
    };
    let Outcome::Started(mut watched) = service.simple_update(&update).await.unwrap() else {
        panic!("it was done at once");
    };
    let listed = lab.client.tasks().await.unwrap();
    assert!(!listed.is_empty());
    let answered = async {
        loop {
            match watched.poll().await.unwrap() {
                Progress::Done(answer) => return answer,
                Progress::Running { .. } => lab.pass(5).await,
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), answered)
        .await
        .unwrap();
    // Firmware of a machine that is off is there at once, of one that runs when it starts again.
    done(system.reset(ResetType::On).await).await;
    system.refresh().await.unwrap();
    assert_eq!(system.bios_version.as_deref(), Some("X-9.9.9"));
    let mut tasks = lab.client.tasks().await.unwrap();
    let task = tasks.remove(0);
    task.parts().await.unwrap();
    task.watch().wait(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_cancelled() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    // It takes connections, and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let update = SimpleUpdateParams {
        image_uri: format!("http://{}/a.iso", silent.local_addr().unwrap()),
        targets: Some(vec![system.uri().to_owned()]),
        ..SimpleUpdateParams::default()
    };
    let service = lab.client.update_service().await.unwrap();
    let outcome = service.simple_update(&update).await.unwrap();
    assert!(matches!(outcome, Outcome::Started(_)));
    let mut task = lab.client.tasks().await.unwrap().remove(0);
    done(task.cancel().await).await;
    let ended = match task.refresh().await {
        Ok(_) => json!(task.task_state),
        Err(error) => {
            assert_eq!(error.kind, Kind::NotFound);
            json!("Cancelled")
        }
    };
    assert!(
        ["Cancelled", "Cancelling"].contains(&ended.as_str().unwrap()),
        "{ended}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_resolved_stopped_and_cleared() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    done(system.reset(ResetType::On).await).await;
    lab.pass(60).await;
    let mut log = system.logs().await.unwrap().remove(0);
    let entries = log.read().await.unwrap();
    assert!(!entries.is_empty());
    let mut entry = entries.into_iter().next().unwrap();
    done(entry.resolve(true).await).await;
    entry.refresh().await.unwrap();
    assert_eq!(entry.resolved.value(), Some(&true));
    done(log.clear().await).await;
    let left = log.read().await.unwrap();
    assert!(left.iter().all(|one| one.uri() != entry.uri()), "{left:?}");
    done(log.enable(false).await).await;
    log.refresh().await.unwrap();
    assert_eq!(log.service_enabled.value(), Some(&false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_made_suspended_resumed_and_cancelled() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    let service = lab.client.job_service().await.unwrap();
    let reset = format!("{}/Actions/ComputerSystem.Reset", system.uri());
    let wanted = |at: &str| JobCreate {
        name: Some("Morning".into()),
        schedule: Some(Schedule {
            initial_start_time: at.into(),
            ..Schedule::default()
        }),
        payload: Some(Payload {
            target_uri: Some(reset.clone()),
            http_operation: Some("POST".into()),
            json_body: Some(r#"{"ResetType": "On"}"#.into()),
            ..Payload::default()
        }),
    };
    let outcome = service.create_job(&wanted("2026-01-01T01:00:00Z")).await;
    let mut job: Handle<JobModel> = lab.client.created(outcome.unwrap()).await.unwrap();
    done(job.suspend().await).await;
    job.refresh().await.unwrap();
    assert_eq!(json!(job.job_state), "Suspended");
    done(job.resume().await).await;
    lab.pass(3700).await;
    system.refresh().await.unwrap();
    assert_eq!(system.power_state.value(), Some(&PowerState::On));
    let outcome = service.create_job(&wanted("2026-02-01T01:00:00Z")).await;
    let mut later: Handle<JobModel> = lab.client.created(outcome.unwrap()).await.unwrap();
    assert_eq!(service.list_jobs().await.unwrap().len(), 2);
    done(later.cancel().await).await;
    later.refresh().await.unwrap();
    assert_eq!(json!(later.job_state), "Cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_are_read() {
    let lab = Lab::open().await;
    let service = lab.client.telemetry_service().await.unwrap();
    let definitions = service.definitions().await.unwrap();
    assert!(!definitions.is_empty());
    lab.pass(3600).await;
    let reports = service.reports().await.unwrap();
    assert!(
        reports
            .iter()
            .any(|report| report.raw()["MetricValues"].is_array())
    );
}

/// What the simulator has only with TLS, or not at all.
#[tokio::test]
async fn requests_for_certificates_come_back_and_a_chassis_is_reset() {
    let asked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let notes = asked.clone();
    let router = Router::new().fallback(async move |uri: http::Uri, body: axum::body::Bytes| {
        let action = |name: &str| json!({format!("#{name}"): {"target": format!("/Do/{name}")}});
        if let Ok(body) = serde_json::from_slice(&body) {
            notes.lock().unwrap().push((uri.path().to_owned(), body));
            return axum::Json(
                json!({"CSRString": "-----BEGIN", "CertificateCollection": {"@odata.id": "/C"}}),
            );
        }
        let mut actions = json!({});
        for name in [
            "CertificateService.GenerateCSR",
            "CertificateService.ReplaceCertificate",
            "Certificate.Rekey",
            "Certificate.Renew",
            "Chassis.Reset",
        ] {
            actions
                .as_object_mut()
                .unwrap()
                .extend(action(name).as_object().unwrap().clone());
        }
        actions["#Chassis.Reset"]["ResetType@Redfish.AllowableValues"] = json!(["PowerCycle"]);
        axum::Json(json!({"@odata.id": uri.path(), "Id": "1", "Name": "One", "Actions": actions}))
    });
    let client = Client::builder("http://bmc.example")
        .service::<_, axum::body::Body>(router)
        .build()
        .unwrap();
    let service: CertificateService = client.handle("/S").await.unwrap();
    let wanted = GenerateCSRParams {
        common_name: Some("bmc.example".into()),
        certificate_collection: Some("/C".into()),
        ..GenerateCSRParams::default()
    };
    assert_eq!(service.generate_csr(&wanted).await.unwrap(), "-----BEGIN");
    let by = ReplaceCertificateParams {
        certificate_string: "-----BEGIN".into(),
        certificate_uri: Some("/C/1".into()),
        ..ReplaceCertificateParams::default()
    };
    done(service.replace(&by).await).await;
    let certificate: Certificate = client.handle("/C/1").await.unwrap();
    let key = RekeyParams {
        key_bit_length: Some(4096),
        ..RekeyParams::default()
    };
    assert_eq!(certificate.rekey(&key).await.unwrap(), "-----BEGIN");
    let renewed = certificate.renew(&RenewParams::default()).await;
    assert_eq!(renewed.unwrap(), "-----BEGIN");
    let chassis: Chassis = client.handle("/Chassis/1").await.unwrap();
    done(chassis.reset(ResetType::PowerCycle).await).await;
    let error = chassis.reset(ResetType::On).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    let expected = [
        (
            "/Do/CertificateService.GenerateCSR",
            json!({"CommonName": "bmc.example", "CertificateCollection": {"@odata.id": "/C"}}),
        ),
        (
            "/Do/CertificateService.ReplaceCertificate",
            json!({"CertificateString": "-----BEGIN", "CertificateUri": {"@odata.id": "/C/1"}}),
        ),
        ("/Do/Certificate.Rekey", json!({"KeyBitLength": 4096})),
        ("/Do/Certificate.Renew", json!({})),
        ("/Do/Chassis.Reset", json!({"ResetType": "PowerCycle"})),
    ];
    let expected = expected.map(|(uri, body)| (uri.to_owned(), body));
    assert_eq!(*asked.lock().unwrap(), expected);
}
