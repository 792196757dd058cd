//! Whose certificates tell who a client is, as the operator chose it at the start.

use hawkfish_redfish::model::certificate::{Certificate, CertificateUsageType};
use rustls::pki_types::CertificateDer;

use super::certificate;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;

/// Where they are.
pub(crate) const URI: &str =
    "/redfish/v1/AccountService/MultiFactorAuth/ClientCertificate/Certificates";

/// All of them; none where clients are not asked for certificates.
pub(crate) const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "CertificateCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let ids = (1..=all(rq).len()).map(|number| number.to_string());
            Ok(Content::collection(rq, "Authorities of clients", ids))
        })
    }),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// One of them.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/AccountService/MultiFactorAuth/ClientCertificate/Certificates/{certificate}",
    entity: "Certificate",
    get: Some(|rq| Box::pin(async move { read(rq) })),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

fn all(rq: &Rq) -> &[CertificateDer<'static>] {
    let chosen = rq.service.options.client_certificates.as_ref();
    chosen.map_or(&[], |chosen| &*chosen.authorities)
}

fn read(rq: &Rq) -> Result<Content, Problem> {
    let id = rq.param("certificate");
    let mut numbered = (1..).map(|number: usize| number.to_string()).zip(all(rq));
    let found = numbered.find(|(number, _)| number == id);
    let (id, der) = found.ok_or_else(|| Problem::missing(rq.uri()))?;
    Content::of(&Certificate {
        odata_id: rq.uri().to_owned(),
        name: format!("Authority {id} of clients"),
        id,
        certificate_usage_types: Some(vec![CertificateUsageType::User]),
        ..certificate::of_der(der)?
    })
}
