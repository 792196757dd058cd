use axum::Router;
use axum::routing::get;
use hawkfish_client::Kind;
use hawkfish_client::redfish::model::certificate::{CertificateCreate, CertificateType};
use hawkfish_client::redfish::model::volume::VolumeCreate;
use hawkfish_client::typed::{Certificate, Image, Volume};

use super::{Lab, done};

/// Serves something at `/a.iso`, for as long as the test runs.
pub(super) async fn serve(body: String) -> String {
    let router = Router::new().route("/a.iso", get(async move || body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/a.iso")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_inserted_into_the_first_empty_drive_for_cds_and_ejected() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    let image = Image::at(serve("an image".repeat(1000)).await).credentials("u", "secret");
    assert!(!format!("{image:?}").contains("secret"));
    done(system.insert_media(&image).await).await;
    let drives = system.media().await.unwrap();
    let cd = drives.iter().find(|drive| drive.id == "Cd").unwrap();
    assert!(cd.is_inserted());
    assert_eq!(cd.image.as_deref(), Some(image.uri.as_str()));
    let error = system.insert_media(&image).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert_eq!(system.eject_media().await.unwrap(), 1);
    let mut drives = system.media().await.unwrap();
    assert!(drives.iter().all(|drive| !drive.is_inserted()));
    let mut usb = drives.pop().unwrap();
    done(usb.insert(&image).await).await;
    usb.refresh().await.unwrap();
    assert!(usb.is_inserted());
    done(usb.eject().await).await;
    usb.refresh().await.unwrap();
    assert!(!usb.is_inserted());
    // The BMC has the same ones.
    let manager = system.managed_by().await.unwrap().remove(0);
    assert_eq!(manager.media().await.unwrap().len(), drives.len() + 1);
}

fn pem(name: &str) -> String {
    let signed = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    signed.cert.pem()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_added_found_and_deleted() {
    let lab = Lab::open().await;
    let drive = lab.system().await.media().await.unwrap().remove(0);
    let first = CertificateCreate {
        certificate_string: pem("one.example"),
        certificate_type: CertificateType::PEM.into(),
    };
    let outcome = drive.add_certificate(&first).await.unwrap();
    let added: Certificate = lab.client.created(outcome).await.unwrap();
    let service = lab.client.certificate_service().await.unwrap();
    let known = service.certificates().await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(known[0].uri(), added.uri());
    assert_eq!(added.certificate_type.value(), Some(&CertificateType::PEM));
    done(added.delete().await).await;
    assert!(service.certificates().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_made_and_deleted() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    let storage = system.storages().await.unwrap().remove(0);
    let before = storage.volume_list().await.unwrap().len();
    let wanted = VolumeCreate {
        name: Some("data".into()),
        capacity_bytes: (1 << 30).into(),
        ..VolumeCreate::default()
    };
    let outcome = storage.create_volume(&wanted).await.unwrap();
    let made: Volume = lab.client.created(outcome).await.unwrap();
    assert_eq!(made.capacity_bytes.value(), Some(&(1 << 30)));
    assert_eq!(storage.volume_list().await.unwrap().len(), before + 1);
    done(made.delete().await).await;
    assert_eq!(storage.volume_list().await.unwrap().len(), before);
}
