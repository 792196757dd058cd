use hawkfish_client::{Etag, Kind, Outcome};
use serde_json::json;

use crate::mock::Mock;

const SYSTEM: &str = "/redfish/v1/Machines/7";

#[tokio::test]
async fn a_change_guarded_by_what_was_read_is_done() {
    let mock = Mock::new();
    let client = mock.client();
    let system = client.get_value(SYSTEM).await.unwrap();
    let change = json!({"Boot": {"BootSourceOverrideTarget": "Cd"}});
    let outcome = client
        .patch(&system.uri, system.etag.as_ref(), &change)
        .await
        .unwrap();
    let Outcome::Done(answer) = outcome else {
        panic!("it is done at once");
    };
    assert_ne!(answer.etag(), system.etag);
    assert_eq!(
        answer.json().unwrap()["Boot"]["BootSourceOverrideTarget"],
        "Cd"
    );
}

#[tokio::test]
async fn a_change_of_what_somebody_else_has_changed_is_refused() {
    let mock = Mock::new();
    let client = mock.client();
    let system = client.get_value(SYSTEM).await.unwrap();
    mock.inside().generation += 1;
    let change = json!({"Boot": {"BootSourceOverrideTarget": "Cd"}});
    let error = client
        .patch(&system.uri, system.etag.as_ref(), &change)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::PreconditionFailed);
    assert_eq!(mock.inside().boot["BootSourceOverrideTarget"], "None");
}

#[tokio::test]
async fn an_action_goes_to_the_target_that_the_resource_names() {
    let mock = Mock::new();
    let client = mock.client();
    let system = client.get_value(SYSTEM).await.unwrap().value;
    client
        .action(&system, "ComputerSystem.Reset", &json!({"ResetType": "On"}))
        .await
        .unwrap();
    assert_eq!(mock.inside().power, "On");
}

#[tokio::test]
async fn an_action_that_the_resource_does_not_list_is_not_sent() {
    let mock = Mock::new();
    let client = mock.client();
    let system = client.get_value(SYSTEM).await.unwrap().value;
    let before = mock.paths().len();
    let error = client
        .action(&system, "ComputerSystem.Decommission", &json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert_eq!(mock.paths().len(), before);
}

#[tokio::test]
async fn every_request_says_which_version_of_odata_it_speaks() {
    let mock = Mock::new();
    mock.client().get_value(SYSTEM).await.unwrap();
    for asked in &mock.inside().asked {
        assert_eq!(asked.headers["odata-version"], "4.0", "{}", asked.path);
        assert_eq!(asked.headers["accept"], "application/json");
        assert_eq!(asked.headers["host"], "bmc.example");
    }
}

#[tokio::test]
async fn a_uri_with_a_fragment_reads_that_part() {
    let mock = Mock::new();
    let client = mock.client();
    let part = client
        .get_value(&format!("{SYSTEM}#/Status/Health"))
        .await
        .unwrap();
    assert_eq!(part.value, "OK");
    let error = client
        .get_value(&format!("{SYSTEM}#/Status/Mood"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_delete_with_any_etag_says_so() {
    let mock = Mock::new();
    let client = mock.client();
    client
        .delete("/redfish/v1/Sessions/1", Some(&Etag::any()))
        .await
        .unwrap();
    assert_eq!(mock.inside().asked.last().unwrap().headers["if-match"], "*");
}
