use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hawkfish_client::{Client, Kind};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A service with a certificate of its own; gives its URL and the certificate.
async fn listen() -> (String, String) {
    let (url, pem, _) = counted().await;
    (url, pem)
}

/// The same, and how often somebody has connected.
async fn counted() -> (String, String, Arc<AtomicUsize>) {
    let connected = Arc::new(AtomicUsize::new(0));
    let count = connected.clone();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer =
                "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n{\"Id\": \"x\"}";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (format!("https://localhost:{port}"), cert.pem(), connected)
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_not_asked_for_again() {
    let (url, _, connected) = counted().await;
    for client in [
        Client::builder(&url),
        Client::builder(&url).fingerprint([7; 32]),
    ] {
        let before = connected.load(Ordering::Relaxed);
        let error = client.build().unwrap().root().await.unwrap_err();
        assert!(error.is_unsent(), "{error}");
        assert_eq!(connected.load(Ordering::Relaxed), before + 1);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    let (url, _) = listen().await;
    let error = Client::builder(url)
        .build()
        .unwrap()
        .root()
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_that_the_caller_names_is_trusted() {
    let (url, pem) = listen().await;
    let client = Client::builder(url).ca_pem(pem).build().unwrap();
    assert_eq!(client.root().await.unwrap().value["Id"], "x");
}

#[tokio::test]
async fn any_certificate_is_trusted_when_the_caller_says_so() {
    let (url, _) = listen().await;
    let client = Client::builder(url).insecure().build().unwrap();
    assert_eq!(client.root().await.unwrap().value["Id"], "x");
}

#[test]
fn a_ca_that_is_no_certificate_is_refused() {
    let error = Client::builder("https://localhost")
        .ca_pem("not a certificate")
        .build()
        .unwrap_err();
    assert_eq!(error.kind, Kind::Refused);
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_fingerprint_and_no_other_is() {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    use sha2::{Digest as _, Sha256};

    let (url, pem) = listen().await;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let client = Client::builder(&url).fingerprint(Sha256::digest(&der).into());
    assert_eq!(
        client.build().unwrap().root().await.unwrap().value["Id"],
        "x"
    );
    let other = Client::builder(&url).fingerprint([7; 32]).build().unwrap();
    let error = other.root().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transport);
    assert!(error.to_string().contains("SHA-256"), "{error}");
}
