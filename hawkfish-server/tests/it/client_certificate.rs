//! Clients that show a certificate (mutual TLS; DSP0266, "Client certificates"): whom they are taken for.

use std::path::Path;

use hawkfish_server::Options;
use hawkfish_server::tls::{ClientAuthorities, NameIn};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::door::{ADMIN, Door, SESSIONS, SYSTEMS, password};
use crate::listening::Listening;

const SERVICE: &str = "/redfish/v1/AccountService";
/// `msUPN`.
const PRINCIPAL: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

/// Somebody who signs certificates.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    fn signs(&self, change: impl FnOnce(&mut CertificateParams)) -> reqwest::Identity {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = certificate.pem() + &key.serialize_pem();
        reqwest::Identity::from_pem(pem.as_bytes()).unwrap()
    }

    fn common_name(&self, name: &str) -> reqwest::Identity {
        self.signs(|params| params.distinguished_name.push(DnType::CommonName, name))
    }

    pub(crate) fn write(&self, folder: &Path) -> std::path::PathBuf {
        let path = folder.join("authority.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        path
    }
}

async fn listening(authority: &Authority, optional: bool, name_in: NameIn) -> Listening {
    let dir = tempfile::tempdir().unwrap();
    let clients = ClientAuthorities {
        files: vec![authority.write(dir.path())],
        optional,
        name_in,
    };
    let clients = clients.read().unwrap();
    let door = Door::open_with(Options {
        client_certificates: Some(clients.clone()),
        ..Options::default()
    });
    let door = door.await;
    door.account("operator", "Operator").await;
    Listening::start_asking(door, Some(&clients)).await
}

fn with(listening: &Listening, identity: reqwest::Identity) -> Client {
    listening.client().identity(identity).build().unwrap()
}

async fn get(listening: &Listening, client: &Client, uri: &str) -> Response {
    client.get(listening.url(uri)).send().await.unwrap()
}

#[tokio::test]
async fn a_certificate_stands_for_the_account_of_its_common_name_and_no_more() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, true, NameIn::CommonName).await;
    let client = with(&listening, authority.common_name("operator"));
    assert_eq!(get(&listening, &client, SYSTEMS).await.status(), 200);

    let reset = format!("{}/Actions/ComputerSystem.Reset", listening.door.system(0));
    let on = json!({"ResetType": "On"});
    let done = client.post(listening.url(&reset)).json(&on).send().await;
    assert_eq!(done.unwrap().status(), 204);

    let policy = json!({"AccountLockoutThreshold": 3});
    let refused = client.patch(listening.url(SERVICE)).json(&policy).send();
    assert_eq!(refused.await.unwrap().status(), 403);
    let admin = with(&listening, authority.common_name(ADMIN.0));
    let changed = admin.patch(listening.url(SERVICE)).json(&policy).send();
    assert_eq!(changed.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_certificate_opens_nothing_for_who_has_no_account_that_can_be_used() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, true, NameIn::CommonName).await;
    let unknown = with(&listening, authority.common_name("unknown"));
    assert_eq!(get(&listening, &unknown, SYSTEMS).await.status(), 401);
    // What is open to everybody is open to them as well.
    assert_eq!(
        get(&listening, &unknown, "/redfish/v1/").await.status(),
        200
    );
    let nameless = with(&listening, authority.signs(|_| {}));
    assert_eq!(get(&listening, &nameless, SYSTEMS).await.status(), 401);

    let client = with(&listening, authority.common_name("operator"));
    assert_eq!(get(&listening, &client, SYSTEMS).await.status(), 200);
    let accounts = listening.door.read(&format!("{SERVICE}/Accounts")).await;
    let members = accounts.body["Members"].as_array().unwrap();
    let operator = members.last().unwrap()["@odata.id"].as_str().unwrap();
    let disable = listening.door.send("PATCH", operator).admin();
    let disable = disable.json(&json!({"Enabled": false})).answer().await;
    assert_eq!(disable.status, 200);
    assert_eq!(get(&listening, &client, SYSTEMS).await.status(), 401);
}

#[tokio::test]
async fn who_shows_none_may_log_in_otherwise_and_a_token_or_password_goes_first() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, true, NameIn::CommonName).await;
    let bare = listening.client().build().unwrap();
    assert_eq!(get(&listening, &bare, SYSTEMS).await.status(), 401);
    let basic = bare.get(listening.url(SYSTEMS));
    let basic = basic.basic_auth(ADMIN.0, Some(ADMIN.1)).send().await;
    assert_eq!(basic.unwrap().status(), 200);

    // Who brings both is who the request says.
    let client = with(&listening, authority.common_name(ADMIN.0));
    let body = json!({"UserName": "operator", "Password": password("operator")});
    let made = client.post(listening.url(SESSIONS)).json(&body).send();
    let made = made.await.unwrap();
    assert_eq!(made.status(), 201);
    let token = made.headers()["x-auth-token"].to_str().unwrap().to_owned();
    let policy = json!({"AccountLockoutThreshold": 3});
    let patch = || client.patch(listening.url(SERVICE)).json(&policy);
    let refused = patch().header("x-auth-token", token).send().await;
    assert_eq!(refused.unwrap().status(), 403);
    let wrong = patch().basic_auth(ADMIN.0, Some("wrong")).send().await;
    assert_eq!(wrong.unwrap().status(), 401);
    assert_eq!(patch().send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_certificate_of_somebody_else_is_refused_before_anything_is_said() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, true, NameIn::CommonName).await;
    let other = Authority::new("others").common_name(ADMIN.0);
    let client = with(&listening, other);
    let refused = client.get(listening.url("/redfish/v1/")).send().await;
    assert!(refused.is_err(), "{refused:?}");
    // A server's certificate is no client's.
    let server = authority.signs(|params| {
        params.distinguished_name.push(DnType::CommonName, ADMIN.0);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let client = with(&listening, server);
    let refused = client.get(listening.url("/redfish/v1/")).send().await;
    assert!(refused.is_err(), "{refused:?}");
}

#[tokio::test]
async fn where_the_operator_wants_it_nobody_gets_in_without() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, false, NameIn::CommonName).await;
    let bare = listening.client().build().unwrap();
    let refused = bare.get(listening.url("/redfish/v1/")).send().await;
    assert!(refused.is_err(), "{refused:?}");
    let client = with(&listening, authority.common_name("operator"));
    assert_eq!(get(&listening, &client, SYSTEMS).await.status(), 200);
}

#[tokio::test]
async fn a_user_principal_name_is_a_user_name_where_the_operator_says_so() {
    let authority = Authority::new("clients");
    let listening = listening(&authority, true, NameIn::UserPrincipalName).await;
    listening.door.account("op@lab.example", "Operator").await;
    let principal = |name: &str| {
        let name = (PRINCIPAL.to_vec(), name.to_owned().into());
        authority.signs(|params| {
            params.distinguished_name.push(DnType::CommonName, ADMIN.0);
            params.subject_alt_names = vec![SanType::OtherName(name)];
        })
    };
    for (name, status) in [
        ("op@lab.example", 200),
        ("op@else.example", 401),
        ("op", 401),
    ] {
        let client = with(&listening, principal(name));
        assert_eq!(
            get(&listening, &client, SYSTEMS).await.status(),
            status,
            "{name}"
        );
    }
    let only_common = with(&listening, authority.common_name("operator"));
    assert_eq!(get(&listening, &only_common, SYSTEMS).await.status(), 401);
}

#[tokio::test]
async fn the_account_service_says_what_is_made_of_certificates_and_whose_count() {
    let told = |service: &Value| service["MultiFactorAuth"]["ClientCertificate"].clone();
    let uri = format!("{SERVICE}/MultiFactorAuth/ClientCertificate/Certificates");
    let link = json!({"@odata.id": uri});
    let door = Door::open().await;
    assert_eq!(
        told(&door.read(SERVICE).await.body),
        json!({"Enabled": false, "Certificates": link})
    );
    assert_eq!(door.read(&uri).await.body["Members"], json!([]));

    let authority = Authority::new("clients");
    for (optional, name_in, mapping) in [
        (true, NameIn::CommonName, "CommonName"),
        (false, NameIn::UserPrincipalName, "UserPrincipalName"),
    ] {
        let listening = listening(&authority, optional, name_in).await;
        let door = &listening.door;
        assert_eq!(
            told(&door.read(SERVICE).await.body),
            json!({
                "Enabled": true, "CertificateMappingAttribute": mapping, "RespondToUnauthenticatedClients": optional,
                "Certificates": link,
            })
        );
        let authorities = door.read(&uri).await.body["Members"].clone();
        assert_eq!(authorities, json!([{"@odata.id": format!("{uri}/1")}]));
        let shown = door.read(&format!("{uri}/1")).await.body;
        assert_eq!(shown["Subject"]["CommonName"], "clients");
        let text = shown["CertificateString"].as_str().unwrap();
        let plain = |pem: &str| pem.split_whitespace().collect::<String>();
        assert_eq!(plain(text), plain(&authority.certificate.pem()));
        let none = door.send("GET", &format!("{uri}/2")).admin().answer().await;
        none.refused(404, "ResourceMissingAtURI");
    }
}
