//! Authorities of image servers, brought to a slot and taken away.

use serde_json::json;

use crate::door::Door;

pub(crate) fn authority() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::CommonName, "Images of ours");
    params.self_signed(&key).unwrap().pem()
}

#[tokio::test]
async fn an_authority_is_brought_to_a_slot_told_under_system_and_manager_and_taken_away() {
    let door = Door::open().await;
    let slot = format!("{}/VirtualMedia/Cd", door.system(0));
    let collection = door.read(&slot).await.body["Certificates"]["@odata.id"].clone();
    let collection = collection.as_str().unwrap();
    assert_eq!(door.read(collection).await.body["Members@odata.count"], 0);
    let post = async |text: &str, kind: &str| {
        let body = json!({"CertificateString": text, "CertificateType": kind});
        let sending = door.send("POST", collection).admin().json(&body);
        sending.answer().await
    };
    let pem = authority();
    let made = post(&pem, "PEM").await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    assert_eq!(made.body["Subject"]["CommonName"], "Images of ours");
    assert_eq!(made.body["KeyUsage"], json!(["KeyCertSign"]));
    let text = made.body["CertificateString"].as_str().unwrap();
    let plain = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(plain(text), plain(&pem));
    assert_eq!(door.read(&uri).await.body, made.body);
    let locations = "/redfish/v1/CertificateService/CertificateLocations";
    let located = door.read(locations).await.body;
    assert_eq!(
        located["Links"]["Certificates"],
        json!([{"@odata.id": uri}])
    );
    // The manager's slot is the same slot, and another slot another.
    let managers = uri.replace("/Systems/", "/Managers/");
    assert_eq!(
        door.read(&managers).await.body["Fingerprint"],
        made.body["Fingerprint"]
    );
    let other = collection.replace("/Cd/", "/Usb/");
    assert_eq!(door.read(&other).await.body["Members@odata.count"], 0);

    let refused = post("nonsense", "PEM").await;
    refused.refused(400, "PropertyValueFormatError");
    assert_eq!(refused.related(), ["#/CertificateString"]);
    let refused = post(&pem, "PKCS7").await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(refused.related(), ["#/CertificateType"]);
    assert_eq!(door.read(collection).await.body["Members@odata.count"], 1);

    let gone = door.send("DELETE", &managers).admin().answer().await;
    assert_eq!(gone.status, 204, "{gone:?}");
    let answer = door.send("GET", &uri).admin().answer().await;
    answer.refused(404, "ResourceMissingAtURI");
    assert_eq!(door.read(collection).await.body["Members@odata.count"], 0);
}
