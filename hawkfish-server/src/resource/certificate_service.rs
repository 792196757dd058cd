//! The certificate service: asks for certificates and puts them to use.

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::events::Subject;
use hawkfish_core::id::SystemId;
use hawkfish_core::logs::What;
use hawkfish_core::media::Authority;
use hawkfish_redfish::model::OdataId;
use hawkfish_redfish::model::certificate::{CertificateType, KeyUsage};
use hawkfish_redfish::model::certificate_locations::{CertificateLocations, Links};
use hawkfish_redfish::model::certificate_service::{
    Actions, CertificateService, GenerateCSRAction, GenerateCSRParams, ReplaceCertificateAction,
    ReplaceCertificateParams,
};
use serde_json::{Map, json};
use std::sync::Arc;

use super::certificate::{allow_keys, https_uri, usage};
use super::media_certificate;
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::tls::{Identity, KeyKind, Request};

const URI: &str = "/redfish/v1/CertificateService";
const LOCATIONS_URI: &str = "/redfish/v1/CertificateService/CertificateLocations";

/// `/redfish/v1/CertificateService`
pub(crate) const RESOURCE: Resource = Resource {
    uri: URI,
    entity: "CertificateService",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[
        Action {
            name: "CertificateService.GenerateCSR",
            run: |rq| Box::pin(generate(rq)),
            needs: None,
        },
        Action {
            name: "CertificateService.ReplaceCertificate",
            run: |rq| Box::pin(replace(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/CertificateService/CertificateLocations`
pub(crate) const LOCATIONS: Resource = Resource {
    uri: LOCATIONS_URI,
    entity: "CertificateLocations",
    get: Some(|rq| Box::pin(locations(rq))),
    privileges: Privileges::CERTIFICATES,
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let action = |name: &str| format!("{URI}/Actions/CertificateService.{name}");
    let can = rq.service.reach().identity.is_some();
    let service = CertificateService {
        odata_id: URI.to_owned(),
        id: "CertificateService".to_owned(),
        name: "Certificate service".to_owned(),
        certificate_locations: Some(OdataId::new(LOCATIONS_URI)),
        // Without TLS there is no certificate to ask for or to replace.
        actions: can.then(|| Actions {
            generate_csr: Some(GenerateCSRAction {
                target: action("GenerateCSR"),
                key_usage_allowable: KeyUsage::ALL.to_vec(),
                ..Default::default()
            }),
            replace_certificate: Some(ReplaceCertificateAction {
                target: action("ReplaceCertificate"),
                certificate_type_allowable: vec![CertificateType::PEM, CertificateType::PEMchain],
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let Content::Resource(mut body) = Content::of(&service)? else {
        return Err(Problem::internal("a model became no resource"));
    };
    if can {
        allow_keys(&mut body, "CertificateService.GenerateCSR");
    }
    Ok(Content::Resource(body))
}

async fn locations(rq: &Rq) -> Result<Content, Problem> {
    let has_https = rq.service.reach().identity.is_some();
    let mut all = Vec::new();
    for system in rq.hf.inventory().each(&rq.ctx) {
        if has_https {
            all.push(OdataId::new(https_uri(&system.id)));
        }
        for slot in &system.machine.slots {
            let known = rq.hf.media_authorities(&rq.ctx, &system.id, &slot.id)?;
            let uri = |one: &Arc<Authority>| media_certificate::uri(&system.id, &slot.id, one.id);
            all.extend(known.iter().map(uri).map(OdataId::new));
        }
    }
    Content::of(&CertificateLocations {
        odata_id: LOCATIONS_URI.to_owned(),
        id: "CertificateLocations".to_owned(),
        name: "Certificate locations".to_owned(),
        links: Some(Links {
            certificates: Some(all),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn identity(rq: &Rq) -> Result<Arc<Identity>, Problem> {
    let identity = rq.service.reach().identity;
    Ok(identity.ok_or_else(|| Error::unsupported("A certificate for a service without TLS"))?)
}

/// Whether the URI is that of the certificate of a manager that the caller may see, with `tail` cut off.
fn is_https(rq: &Rq, uri: &str, tail: &str) -> bool {
    let uri = uri.trim_end_matches('/');
    manager_of(uri).is_some_and(|id| {
        rq.hf.system(&rq.ctx, &id).is_ok() && https_uri(&id).strip_suffix(tail) == Some(uri)
    })
}

/// The manager below which something stands.
fn manager_of(uri: &str) -> Option<SystemId> {
    let rest = uri.strip_prefix("/redfish/v1/Managers/")?;
    SystemId::parse(rest.split('/').next()?).ok()
}

async fn generate(rq: &Rq) -> Result<Outcome, Problem> {
    let identity = identity(rq)?;
    let params: GenerateCSRParams = rq.body()?;
    let collection = params.certificate_collection.map(|link| link.odata_id);
    let collection = collection.unwrap_or_default();
    if !is_https(rq, &collection, "/1") {
        let why = "Certificates are asked for where managers keep that of their HTTPS.";
        let property = "/CertificateCollection";
        return Err(Error::invalid(property, collection, Invalid::NotInList, why).into());
    }
    if let Some(person) = params.contact_person {
        let why = "A signing request has no place for it.";
        return Err(Error::invalid("/ContactPerson", person, Invalid::ReadOnly, why).into());
    }
    let kind = KeyKind::asked(
        params.key_pair_algorithm.as_deref(),
        params.key_curve_id.as_deref(),
        params.key_bit_length,
    )?;
    let request = Request {
        common_name: params.common_name,
        alternative_names: params.alternative_names.unwrap_or_default(),
        organization: params.organization,
        unit: params.organizational_unit,
        city: params.city,
        state: params.state,
        country: params.country,
        email: params.email,
        surname: params.surname,
        given_name: params.given_name,
        initials: params.initials,
        usages: params
            .key_usage
            .unwrap_or_default()
            .iter()
            .filter_map(usage)
            .collect(),
        challenge_password: params.challenge_password,
        unstructured_name: params.unstructured_name,
    };
    let text = identity.request(request, kind).await?;
    Ok(Outcome::Answer(Map::from_iter([
        (
            "CertificateCollection".to_owned(),
            json!(OdataId::new(collection)),
        ),
        ("CSRString".to_owned(), text.into()),
    ])))
}

async fn replace(rq: &Rq) -> Result<Outcome, Problem> {
    let identity = identity(rq)?;
    let params: ReplaceCertificateParams = rq.body()?;
    let uri = params.certificate_uri.map(|link| link.odata_id);
    let uri = uri.unwrap_or_default();
    if !is_https(rq, &uri, "") {
        let why = "There is no certificate there that can be replaced.";
        return Err(Error::invalid("/CertificateUri", uri, Invalid::NotInList, why).into());
    }
    if params.password.is_some() {
        let why = "PEM text has none.";
        return Err(Error::invalid("/Password", "******", Invalid::ReadOnly, why).into());
    }
    let may_be_chain = match params.certificate_type {
        Some(CertificateType::PEM) => false,
        Some(CertificateType::PEMchain) => true,
        other => {
            let other = other.map_or_else(String::new, |kind| kind.as_str().to_owned());
            let why = "Certificates come as PEM.";
            return Err(Error::invalid("/CertificateType", other, Invalid::NotInList, why).into());
        }
    };
    identity
        .install(params.certificate_string, may_be_chain, rq.hf.clock().now())
        .await?;
    if let Some(manager) = manager_of(&uri) {
        let about = Subject::Certificate(manager);
        rq.hf.tell(about, What::Changed).await?;
    }
    Ok(Outcome::Done)
}
