//! Images from servers that prove who they are by an authority of which only one slot knows.

use std::net::SocketAddr;
use std::sync::Arc;

use hawkfish_core::ErrorKind;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SlotId;
use hawkfish_core::media::{InsertMedia, MediaSettings};
use hawkfish_core::outgoing::Policy;
use hawkfish_core::tasks::TaskState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::rig::Rig;

const IMAGE: &[u8] = b"an image from somebody whom few know";

/// A web server with a certificate that an authority of its own has signed, and the certificate of that.
pub(crate) async fn server() -> (SocketAddr, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let name = &mut params.distinguished_name;
    name.push(rcgen::DnType::CommonName, "Images of ours");
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(params, key);
    let own = rcgen::KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let params = rcgen::CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&own, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivatePkcs8KeyDer::from(own.serialize_der()).into(),
        )
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Who does not trust us goes away here.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    IMAGE.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), IMAGE].concat()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, authority)
}

#[tokio::test]
async fn an_image_comes_from_a_server_whose_authority_was_brought_for_that_slot_alone() {
    let (address, authority) = server().await;
    let dir = tempfile::tempdir().unwrap();
    let media = || {
        let policy = Policy {
            allow: vec!["127.0.0.1".parse().unwrap()],
            deny: vec![],
        };
        MediaSettings {
            policy: Arc::new(policy),
            ..MediaSettings::default()
        }
    };
    let rig = Rig::start(dir.path(), |builder| builder.media(media())).await;
    let ctx = Ctx::service();
    let id = rig.hf.systems(&ctx)[0].id.clone();
    let (cd, usb) = (SlotId::parse("Cd").unwrap(), SlotId::parse("Usb").unwrap());
    let insert = async |rig: &Rig, slot: &SlotId| {
        let what = InsertMedia {
            image: format!("https://{address}/a.iso"),
            write_protected: true,
            ..InsertMedia::default()
        };
        let task = rig.hf.insert_media(&ctx, &id, slot, what).await.unwrap();
        rig.hf.tasks().finished(&task.id).await.unwrap()
    };
    assert_eq!(insert(&rig, &cd).await.state, TaskState::Exception);

    let known = rig.hf.add_media_authority(&ctx, &id, &cd, &authority).await;
    let known = known.unwrap();
    assert_eq!(known.facts.subject.common_names, ["Images of ours"]);
    assert!(known.facts.is_authority);
    // Brought again, it is the same.
    let again = rig.hf.add_media_authority(&ctx, &id, &cd, &authority).await;
    assert_eq!(again.unwrap().id, known.id);
    assert_eq!(insert(&rig, &cd).await.state, TaskState::Completed);
    assert_eq!(insert(&rig, &usb).await.state, TaskState::Exception);
    rig.hf.eject_media(&ctx, &id, &cd).await.unwrap();

    // It is remembered, and forgotten when it is to be.
    rig.hf.close().await.unwrap();
    let rig = Rig::start(dir.path(), |builder| builder.media(media())).await;
    assert_eq!(insert(&rig, &cd).await.state, TaskState::Completed);
    rig.hf.eject_media(&ctx, &id, &cd).await.unwrap();
    let gone = rig
        .hf
        .remove_media_authority(&ctx, &id, &cd, known.id)
        .await;
    gone.unwrap();
    assert_eq!(insert(&rig, &cd).await.state, TaskState::Exception);
    let twice = rig
        .hf
        .remove_media_authority(&ctx, &id, &cd, known.id)
        .await;
    assert!(matches!(
        twice.unwrap_err().kind(),
        ErrorKind::NotFound { .. }
    ));
}

#[tokio::test]
async fn what_is_no_certificate_becomes_no_authority() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start(dir.path(), |builder| builder).await;
    let ctx = Ctx::service();
    let id = rig.hf.systems(&ctx)[0].id.clone();
    let cd = SlotId::parse("Cd").unwrap();
    let (_, authority) = server().await;
    let twice = format!("{authority}{authority}");
    let broken = authority.replace("MII", "AAA");
    for text in ["", "nonsense", &twice, &broken] {
        let error = rig.hf.add_media_authority(&ctx, &id, &cd, text).await;
        let error = error.unwrap_err();
        let is_named = matches!(
            error.kind(),
            ErrorKind::Invalid { property, .. } if property == "/CertificateString"
        );
        assert!(is_named, "{error:?}");
    }
    assert!(rig.hf.media_authorities(&ctx, &id, &cd).unwrap().is_empty());
}
