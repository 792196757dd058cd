//! The certificate of the service: told as it is, asked for, signed by an authority, put to use at once and for good; and nothing else is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hawkfish_server::app::Reach;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::tls::{self, Identity};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};

use crate::door::{Answer, Door};

const SERVICE: &str = "/redfish/v1/CertificateService";

/// A service on a socket, with TLS out of a data directory.
struct Served {
    door: Door,
    address: std::net::SocketAddr,
    identity: Arc<Identity>,
    collection: String,
}

impl Served {
    async fn from(dir: &Path) -> Self {
        let door = Door::open().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = tls::load(&TlsChoice::SelfSigned, dir, address.ip())
            .unwrap()
            .unwrap();
        door.app.reached(Reach {
            https: Some(address),
            identity: Some(tls.identity.clone()),
            ..Reach::default()
        });
        let bounds = Bounds {
            max_connections: 10,
        };
        tokio::spawn(serve(
            door.app.clone(),
            listener,
            Some(tls.config),
            bounds,
            std::future::pending(),
        ));
        let manager = door.system(0).replace("/Systems/", "/Managers/");
        Self {
            door,
            address,
            identity: tls.identity,
            collection: format!("{manager}/NetworkProtocol/HTTPS/Certificates"),
        }
    }

    fn uri(&self) -> String {
        format!("{}/1", self.collection)
    }

    /// The certificate that a client is shown, DER.
    async fn shown(&self) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Anything(provider.clone()));
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    async fn act(&self, uri: &str, body: &Value) -> Answer {
        let sending = self.door.send("POST", uri).admin().json(body);
        sending.answer().await
    }

    /// Asks for a certificate for localhost.
    async fn request(&self, more: Value) -> String {
        let mut body = json!({
            "CertificateCollection": {"@odata.id": self.collection},
            "CommonName": "bmc.example",
            "AlternativeNames": ["localhost", "127.0.0.1"],
            "Organization": "Example", "OrganizationalUnit": "Racks",
            "City": "Berlin", "State": "Berlin", "Country": "DE",
        });
        let (body_map, more) = (body.as_object_mut().unwrap(), more.as_object().unwrap());
        body_map.extend(more.clone());
        let uri = format!("{SERVICE}/Actions/CertificateService.GenerateCSR");
        let answer = self.act(&uri, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let link = &answer.body["CertificateCollection"]["@odata.id"];
        assert_eq!(*link, json!(self.collection));
        answer.body["CSRString"].as_str().unwrap().to_owned()
    }

    async fn replace(&self, text: &str, kind: &str) -> Answer {
        let uri = format!("{SERVICE}/Actions/CertificateService.ReplaceCertificate");
        let body = json!({
            "CertificateString": text, "CertificateType": kind,
            "CertificateUri": {"@odata.id": self.uri()},
        });
        self.act(&uri, &body).await
    }

    /// Whether somebody who trusts only that authority gets an answer.
    async fn is_trusted_by(&self, authority: &str) -> bool {
        let client = reqwest::Client::builder()
            .tls_built_in_root_certs(false)
            .add_root_certificate(reqwest::Certificate::from_pem(authority.as_bytes()).unwrap())
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap();
        let url = format!("https://localhost:{}/redfish/v1/", self.address.port());
        match client.get(url).send().await {
            Ok(answer) => answer.status() == 200,
            Err(error) => {
                assert!(error.is_connect(), "{error:?}");
                false
            }
        }
    }
}

/// A client that looks at everything and minds nothing.
#[derive(Debug)]
struct Anything(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }
    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An authority of the test's own.
struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CommonName, "Test authority");
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = rcgen::Issuer::new(params, key);
        Self { issuer, pem }
    }

    /// Signs what is asked for.
    fn sign(&self, request: &str) -> String {
        let request = rcgen::CertificateSigningRequestParams::from_pem(request).unwrap();
        request.signed_by(&self.issuer).unwrap().pem()
    }
}

fn fingerprint(der: &[u8]) -> String {
    let pairs: Vec<String> = Sha256::digest(der)
        .iter()
        .map(|b| format!("{b:02X}"))
        .collect();
    pairs.join(":")
}

#[tokio::test]
async fn the_certificate_is_told_as_clients_are_shown_it() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let certificate = served.door.read(&served.uri()).await.body;
    let shown = served.shown().await;
    assert_eq!(certificate["Fingerprint"], json!(fingerprint(&shown)));
    assert_eq!(certificate["FingerprintHashAlgorithm"], "TPM_ALG_SHA256");
    assert_eq!(certificate["Subject"]["CommonName"], "HawkFish");
    assert_eq!(certificate["Issuer"]["CommonName"], "HawkFish");
    assert_eq!(certificate["SignatureAlgorithm"], "ecdsa-with-SHA256");
    let usage = json!(["DigitalSignature", "ServerAuthentication"]);
    assert_eq!(certificate["KeyUsage"], usage);
    let names = certificate["Subject"]["AlternativeNames"]
        .as_array()
        .unwrap();
    assert!(names.contains(&json!("localhost")) && names.contains(&json!("127.0.0.1")));
    assert_eq!(certificate["CertificateType"], "PEM");
    let text = certificate["CertificateString"].as_str().unwrap();
    let der = hawkfish_core::certificates::Bundle::of_pem(text).unwrap();
    assert_eq!(der.certificates, [shown]);

    // It is found from where clients begin to look.
    let root = served.door.read("/redfish/v1/").await.body;
    assert_eq!(root["CertificateService"]["@odata.id"], SERVICE);
    let service = served.door.read(SERVICE).await.body;
    let locations = service["CertificateLocations"]["@odata.id"]
        .as_str()
        .unwrap();
    let locations = served.door.read(locations).await.body;
    let all = locations["Links"]["Certificates"].as_array().unwrap();
    assert!(all.contains(&json!({"@odata.id": served.uri()})), "{all:?}");
    let missing = format!("{}/2", served.collection);
    let answer = served.door.send("GET", &missing).admin().answer().await;
    answer.refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_certificate_that_an_authority_signs_is_in_use_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let authority = Authority::new();
    let request = served.request(json!({"Email": "racks@example.org"})).await;
    let kept = dir.path().join("tls-request-key.pem");
    let mode = std::fs::metadata(&kept).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!served.is_trusted_by(&authority.pem).await);

    let before = served.shown().await;
    let signed = authority.sign(&request);
    let answer = served.replace(&signed, "PEM").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(served.is_trusted_by(&authority.pem).await);
    let after = served.shown().await;
    assert_ne!(after, before);

    let certificate = served.door.read(&served.uri()).await.body;
    assert_eq!(certificate["Fingerprint"], json!(fingerprint(&after)));
    assert_eq!(certificate["Issuer"]["CommonName"], "Test authority");
    for (part, text) in [
        ("CommonName", "bmc.example"),
        ("Organization", "Example"),
        ("OrganizationalUnit", "Racks"),
        ("City", "Berlin"),
        ("State", "Berlin"),
        ("Country", "DE"),
        ("Email", "racks@example.org"),
    ] {
        assert_eq!(certificate["Subject"][part], text, "{certificate:#}");
    }
    assert!(!certificate.to_string().contains("PRIVATE KEY"));
    assert!(!kept.exists(), "a key that is in use waits for nothing");
    let installed = dir.path().join("tls-installed.json");
    let mode = std::fs::metadata(installed).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let again = Served::from(dir.path()).await;
    assert!(again.is_trusted_by(&authority.pem).await);
    assert_eq!(again.shown().await, after);
    // Who listens elsewhere now has the same certificate still: it is not ours to make anew.
    let elsewhere = "127.0.0.9".parse().unwrap();
    let moved = tls::load(&TlsChoice::SelfSigned, dir.path(), elsewhere);
    let moved = moved.unwrap().unwrap().identity.in_use();
    assert_eq!(moved.facts.fingerprint, fingerprint(&after));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let authority = Authority::new();
    let old = served.request(json!({})).await;
    let signed_before = authority.sign(&old);
    // A newer request takes the place of the older one.
    let request = served
        .request(json!({"KeyCurveId": "TPM_ECC_NIST_P384"}))
        .await;
    let signed = authority.sign(&request);
    let shown = served.shown().await;
    let twice = format!("{signed}{signed}");
    let chain_of_strangers = format!("{signed}{signed_before}");
    for (text, kind, key, related) in [
        (
            "garbage",
            "PEM",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            signed_before.as_str(),
            "PEM",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            authority.pem.as_str(),
            "PEM",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            &request,
            "PEM",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            &twice,
            "PEM",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            &chain_of_strangers,
            "PEMchain",
            "ActionParameterValueFormatError",
            "#/CertificateString",
        ),
        (
            &signed,
            "PKCS7",
            "ActionParameterValueNotInList",
            "#/CertificateType",
        ),
    ] {
        let answer = served.replace(text, kind).await;
        answer.refused(400, key);
        assert_eq!(answer.related(), [related], "{answer:?}");
        assert_eq!(served.shown().await, shown);
    }
    // After all of that, what was asked for last is still waited for, with its chain.
    let chain = format!("{signed}{}", authority.pem);
    let answer = served.replace(&chain, "PEMchain").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let certificate = served.door.read(&served.uri()).await.body;
    assert_eq!(certificate["CertificateType"], "PEMchain");
    assert!(served.is_trusted_by(&authority.pem).await);
}

#[tokio::test]
async fn a_request_that_cannot_be_written_is_refused_by_name_and_makes_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let uri = format!("{SERVICE}/Actions/CertificateService.GenerateCSR");
    let here = json!({"@odata.id": served.collection});
    let systems = json!({"@odata.id": "/redfish/v1/Systems"});
    for (property, value, collection) in [
        ("CertificateCollection", Value::Null, &systems),
        ("Country", json!("Germany"), &here),
        ("KeyPairAlgorithm", json!("TPM_ALG_RSA"), &here),
        ("KeyCurveId", json!("TPM_ECC_BN_P256"), &here),
        ("KeyBitLength", json!(2048), &here),
        ("ContactPerson", json!("somebody"), &here),
        ("ChallengePassword", json!(""), &here),
    ] {
        let mut body = json!({"CommonName": "x", "CertificateCollection": collection});
        if !value.is_null() {
            body[property] = value;
        }
        let answer = served.act(&uri, &body).await;
        assert_eq!(answer.status, 400, "{property}: {answer:?}");
        assert_eq!(answer.related(), [format!("#/{property}")], "{answer:?}");
    }
    assert!(!dir.path().join("tls-request-key.pem").exists());
}

#[tokio::test]
async fn a_certificate_is_renewed_for_its_key_and_rekeyed_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let authority = Authority::new();
    for action in ["Renew", "Rekey"] {
        let uri = format!("{}/Actions/Certificate.{action}", served.uri());
        let before = served.identity.in_use().chain[0].clone();
        let answer = served.act(&uri, &json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body["Certificate"]["@odata.id"], json!(served.uri()));
        let signed = authority.sign(answer.body["CSRString"].as_str().unwrap());
        let answer = served.replace(&signed, "PEM").await;
        assert_eq!(answer.status, 204, "{answer:?}");
        assert!(served.is_trusted_by(&authority.pem).await);
        let key = |der: &[u8]| {
            let parsed = rustls::pki_types::CertificateDer::from(der.to_vec());
            let parsed = rustls::server::ParsedCertificate::try_from(&parsed).unwrap();
            parsed.subject_public_key_info().to_vec()
        };
        let is_same = key(&before) == key(&served.shown().await);
        assert_eq!(is_same, action == "Renew");
    }
}

#[tokio::test]
async fn a_certificate_that_comes_with_its_key_is_installed_and_the_key_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = Authority::new();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let signed = params.signed_by(&key, &authority.issuer).unwrap().pem();
    let both = format!("{signed}{}", key.serialize_pem());
    let answer = served.replace(&both, "PEM").await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert!(served.is_trusted_by(&authority.pem).await);
    let certificate = served.door.read(&served.uri()).await.body;
    assert!(!certificate.to_string().contains("PRIVATE KEY"));
}

#[tokio::test]
async fn who_only_runs_systems_has_no_say_in_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let served = Served::from(dir.path()).await;
    served.door.account("op", "Operator").await;
    let uri = format!("{SERVICE}/Actions/CertificateService.GenerateCSR");
    let body = json!({"CertificateCollection": {"@odata.id": served.collection}});
    let answer = served.door.send("POST", &uri).user("op").json(&body);
    answer.answer().await.refused(403, "InsufficientPrivilege");
}

#[tokio::test]
async fn the_operators_own_files_count_again_once_they_change() {
    let dir = tempfile::tempdir().unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("c.pem"), files.path().join("k.pem"));
    let write = || {
        let pair = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(&cert, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        pair
    };
    let load = || {
        let choice = TlsChoice::Files {
            cert: cert.clone(),
            key: key.clone(),
        };
        let tls = tls::load(&choice, dir.path(), "127.0.0.1".parse().unwrap());
        tls.unwrap().unwrap().identity
    };
    let pair = write();
    let first = load();
    // Signed by an authority for the very key of the operator.
    let authority = Authority::new();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let signed = params.signed_by(&pair, &authority.issuer).unwrap().pem();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    first.install(signed, false, now).await.unwrap();
    let installed = first.in_use().facts.fingerprint.clone();
    assert_eq!(load().in_use().facts.fingerprint, installed);
    write();
    let theirs = load().in_use();
    assert_ne!(theirs.facts.fingerprint, installed);
    assert_eq!(theirs.path, cert);
}
