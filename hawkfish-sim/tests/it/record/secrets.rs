//! Nothing of the source is left in a capture: in trees that are drawn by lot, and in those of real BMCs.

use std::collections::BTreeSet;
use std::sync::Arc;

use hawkfish_sim::capture::Capture;
use hawkfish_sim::record::anonymise::{self, anonymise};
use hawkfish_sim::record::{Journal, Options, walk};
use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::{Value, json};

use super::{dangling, statically};
use hawkfish_testing::part;

/// A machine as it is drawn by lot.
#[derive(Clone, Debug)]
struct Lot {
    serial: String,
    mac: [u8; 6],
    uuid: [u8; 16],
    address: [u8; 4],
    host: String,
    user: String,
    tag: String,
}

impl Lot {
    fn mac(&self) -> String {
        self.mac.map(|byte| format!("{byte:02X}")).join(":")
    }

    fn uuid(&self) -> String {
        let text = self.uuid.map(|byte| format!("{byte:02x}")).concat();
        [
            &text[..8],
            &text[8..12],
            &text[12..16],
            &text[16..20],
            &text[20..],
        ]
        .join("-")
    }

    fn address(&self) -> String {
        self.address.map(|byte| byte.to_string()).join(".")
    }

    fn secrets(&self) -> Vec<String> {
        let bare = self.mac().replace(':', "");
        vec![
            self.serial.clone(),
            self.mac(),
            bare,
            self.uuid(),
            self.uuid().replace('-', ""),
            self.address(),
            self.host.clone(),
            self.user.clone(),
            self.tag.clone(),
        ]
    }
}

fn lot() -> impl Strategy<Value = Lot> {
    let parts = (
        "[A-Z]{2}[0-9]{3}[A-Z0-9]{3,6}",
        any::<[u8; 6]>(),
        any::<[u8; 16]>(),
        (1..=254_u8, 0..=255_u8, 1..=254_u8),
        "[a-z]{4}[0-9]{2}-[a-z]{3}",
        "[a-z]{5}_[0-9]{4}",
        "Hall [0-9]{5} [A-Z]{4}",
    );
    parts.prop_map(|(serial, mut mac, uuid, (b, c, d), host, user, tag)| {
        mac[0] = 0x50;
        Lot {
            serial,
            mac,
            uuid,
            address: [10, b, c, d],
            host: format!("{host}.corp.lan"),
            user,
            tag,
        }
    })
}

fn tree(lots: &[Lot]) -> Capture {
    let mut documents = vec![(
        "/redfish/v1".to_owned(),
        json!({"@odata.id": "/redfish/v1", "Systems": {"@odata.id": "/redfish/v1/Systems"}}),
    )];
    let mut members = Vec::new();
    for (number, lot) in lots.iter().enumerate() {
        // The serial number and the MAC stand in URIs, as they do with some.
        let uri = format!("/redfish/v1/Systems/{}-{number}", lot.serial);
        let port = format!(
            "{uri}/Ports/{}",
            lot.mac().replace(':', "").to_ascii_lowercase()
        );
        members.push(json!({"@odata.id": uri}));
        documents.push((uri.clone(), json!({
            "@odata.id": uri, "@odata.type": "#ComputerSystem.v1_20_0.ComputerSystem", "SerialNumber": lot.serial, "UUID": lot.uuid(),
            "HostName": lot.host, "AssetTag": lot.tag, "Port": {"@odata.id": port}, "Other": lot.uuid().replace('-', ""),
            "Description": format!("{} at {} ({}), {} in {}", lot.serial, lot.mac().to_lowercase(), lot.address(), lot.host.to_uppercase(), lot.tag),
        })));
        documents.push((port.clone(), json!({
            "@odata.id": port, "MACAddress": lot.mac(), "Address": lot.address(), "UserName": lot.user,
            "Message": format!("ILO{}: login of {} from {}, urn:uuid:{}.", lot.serial, lot.user, lot.address(), lot.uuid()),
        })));
    }
    documents.push((
        "/redfish/v1/Systems".to_owned(),
        json!({"@odata.id": "/redfish/v1/Systems", "Members": members}),
    ));
    Capture::from_documents(documents)
}

/// The texts of a document in their order.
fn texts(value: &Value, all: &mut Vec<String>) {
    match value {
        Value::String(text) => all.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, all)),
        Value::Object(members) => members.values().for_each(|item| texts(item, all)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_secret_survives_what_was_equal_stays_equal_and_links_hold(lots in proptest::collection::vec(lot(), 1..5), key in any::<[u8; 32]>()) {
        let capture = tree(&lots);
        let new = anonymise(&capture, &key, anonymise::Options::default()).unwrap();
        prop_assert_eq!(&new, &anonymise(&capture, &key, anonymise::Options::default()).unwrap());
        for (file, bytes) in new.files() {
            let text = format!("{file}\n{}", String::from_utf8(bytes).unwrap()).to_lowercase();
            for secret in lots.iter().flat_map(Lot::secrets) {
                prop_assert!(!text.contains(&secret.to_lowercase()), "{} in {}:\n{}", secret, file, text);
            }
        }
        prop_assert_eq!(dangling(&new), []);
        prop_assert_eq!(new.documents.len(), capture.documents.len());
        // In the source a document is found by what its collection calls it; so it is here.
        let order = |capture: &Capture| {
            let root = capture.get("/redfish/v1/Systems").unwrap().value().unwrap()["Members"].clone();
            let mut all = Vec::new();
            for member in root.as_array().unwrap() {
                let system = capture.get(member["@odata.id"].as_str().unwrap()).unwrap().value().unwrap();
                texts(system, &mut all);
                texts(capture.get(system["Port"]["@odata.id"].as_str().unwrap()).unwrap().value().unwrap(), &mut all);
            }
            all
        };
        let (old, new) = (order(&capture), order(&new));
        prop_assert_eq!(old.len(), new.len());
        for (a, b) in old.iter().zip(&new) {
            prop_assert_eq!(a.len() == b.len() || a.contains('.'), true, "{} {}", a, b);
            for (c, d) in old.iter().zip(&new) {
                prop_assert_eq!(a == c, b == d, "{} {} {} {}", a, b, c, d);
            }
        }
    }
}

#[test]
fn certificates_and_keys_are_others_passwords_are_gone_and_names_can_be_kept() {
    let made = rcgen::generate_simple_self_signed(["bmc7.corp.example".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let ssh = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDLT7F0X9D5RbmmxvdoTzPMBCE94b6uycXbF0X9D5RbmmxvdoTzPMBCE94b6uyc comment";
    let capture = Capture::from_documents([(
        "/redfish/v1/C",
        json!({"CertificateString": pem, "SSHHostKey": ssh, "Password": "calvin17", "HostName": "rack12-bmc", "SerialNumber": "CN1234567",
            "Email": "jane.doe@corp.example.org", "FirmwareVersion": "21.80.16.95", "Netmask": "255.255.255.192", "UserName": "root"}),
    )]);
    let new = anonymise(&capture, &[1; 32], anonymise::Options::default()).unwrap();
    let value = new.get("/redfish/v1/C").unwrap().value().unwrap();
    let other = value["CertificateString"].as_str().unwrap();
    assert_ne!(other, pem);
    assert!(other.starts_with("-----BEGIN CERTIFICATE-----"));
    hawkfish_client::Client::builder("https://a.example")
        .ca_pem(other)
        .build()
        .unwrap();
    let key = value["SSHHostKey"].as_str().unwrap();
    assert!(
        key.starts_with("ssh-rsa AAAAB3NzaC1yc2E") && key != ssh,
        "{key}"
    );
    assert_eq!(value["Password"], Value::Null);
    assert_eq!(value["UserName"], "root");
    assert_eq!(value["FirmwareVersion"], "21.80.16.95");
    assert_eq!(value["Netmask"], "255.255.255.192");
    assert_ne!(value["HostName"], "rack12-bmc");
    let options = anonymise::Options { keep_names: true };
    let kept = anonymise(&capture, &[1; 32], options).unwrap();
    let value = kept.get("/redfish/v1/C").unwrap().value().unwrap();
    assert_eq!(value["HostName"], "rack12-bmc");
    assert_ne!(value["SerialNumber"], "CN1234567");
}

/// What a regular expression finds in all documents that are no schemas and no registries.
fn collected(capture: &Capture, pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let words = Regex::new("(?i)/(JsonSchemas|Schemas|SchemaStore|Registr)").unwrap();
    let documents = capture
        .documents
        .iter()
        .filter(|(uri, _)| !words.is_match(uri));
    let mut all = BTreeSet::new();
    for value in documents.filter_map(|(_, document)| document.value()) {
        let text = serde_json::to_string(value).unwrap();
        for found in pattern.captures_iter(&text) {
            all.insert(found.get(1).unwrap().as_str().trim().to_lowercase());
        }
    }
    all
}

async fn of_a_real_bmc(name: &str, most_missing: usize) {
    let Some(dir) = part::captures() else {
        return;
    };
    let source = Capture::read(dir.join(name)).unwrap();
    let options = Options {
        log_entries: usize::MAX,
        sleep: Arc::new(|_| Box::pin(async {})),
        ..Options::default()
    };
    let client = statically(&source);
    let recorded = walk(&client, &options, &mut Journal::none(), |_| {})
        .await
        .unwrap();
    let plain = |uri: &String| uri.to_ascii_lowercase();
    let read: BTreeSet<String> = recorded.documents.keys().map(plain).collect();
    let there: BTreeSet<String> = source.documents.keys().map(plain).collect();
    let missing: Vec<_> = there.difference(&read).collect();
    assert!(
        missing.len() <= most_missing,
        "{} of {}: {missing:?}",
        missing.len(),
        there.len()
    );
    assert_eq!(read.difference(&there).count(), 0);
    for (uri, document) in &recorded.documents {
        if let Some(known) = source.documents.get(uri) {
            assert_eq!(known.content, document.content, "{uri}");
        }
    }
    let new = anonymise(&recorded, &[9; 32], anonymise::Options::default()).unwrap();
    assert_eq!(new.documents.len(), recorded.documents.len());
    assert_eq!(dangling(&new).len(), dangling(&recorded).len());

    let mut secrets = collected(&source, r#"\b((?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})\b"#);
    secrets.retain(|mac| {
        !mac.split(':').all(|byte| byte == "00") && !mac.split(':').all(|byte| byte == "ff")
    });
    let macs = secrets.len();
    secrets.extend(secrets.clone().iter().map(|mac| mac.replace(':', "")));
    secrets.extend(collected(
        &source,
        r#""(?:UUID|smbiosGUID|PlatformGUID)":"([0-9A-Fa-f-]{36})""#,
    ));
    secrets.extend(
        collected(
            &source,
            r#"\b((?:192\.168|10|172\.16)(?:\.\d{1,3}){2,3})\b"#,
        )
        .into_iter()
        .filter(|it| it.matches('.').count() == 3),
    );
    secrets.extend(collected(
        &source,
        r#""[A-Za-z.0-9]*(?:SerialNumber|ServiceTag)":"([^"]{7,})""#,
    ));
    assert!(macs > 5 && secrets.len() > 40, "{macs} {secrets:?}");
    for (file, bytes) in new.files() {
        let text = String::from_utf8(bytes).unwrap().to_lowercase();
        for secret in &secrets {
            let boundary = |at: usize| {
                !text
                    .as_bytes()
                    .get(at)
                    .is_some_and(u8::is_ascii_alphanumeric)
            };
            let found = text.match_indices(secret.as_str()).find(|(at, _)| {
                // A number may stand in another by chance.
                secret.len() > 10
                    || at.checked_sub(1).is_none_or(boundary) && boundary(at + secret.len())
            });
            assert!(found.is_none(), "{secret} in {file}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_real_hpe_is_left() {
    of_a_real_bmc("hpe.tar.xz", 0).await;
}

#[tokio::test]
async fn nothing_of_a_real_dell_is_left() {
    // One document stands where no link leads.
    of_a_real_bmc("dell.tar.xz", 1).await;
}
