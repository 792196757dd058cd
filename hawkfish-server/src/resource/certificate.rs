//! Certificates, and the one by which clients know this service: under each manager, because each manager is reached through it.

use hawkfish_core::certificates::{Facts, Name, Usage, pem};
use hawkfish_core::id::SystemId;
use hawkfish_redfish::model::certificate::{
    Actions, Certificate, CertificateType, CertificateUsageType, Identifier, KeyUsage, RekeyAction,
    RekeyParams, RenewAction, RenewParams,
};
use hawkfish_redfish::model::{OdataId, Prop};
use serde_json::{Map, Value, json};

use super::date_time;
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::tls::{InUse, KeyKind, Request};

/// The id of the certificate in use. There is one.
const ID: &str = "1";

/// The certificates of a manager's HTTPS.
pub(crate) const HTTPS_COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/NetworkProtocol/HTTPS/Certificates",
    entity: "CertificateCollection",
    get: Some(|rq| {
        Box::pin(async move {
            in_use(rq)?;
            Ok(Content::collection(rq, "HTTPS certificates", [ID]))
        })
    }),
    privileges: Privileges::CERTIFICATES,
    ..Resource::NONE
};

/// The certificate by which clients know the service.
pub(crate) const HTTPS: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/NetworkProtocol/HTTPS/Certificates/{certificate}",
    entity: "Certificate",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[
        Action {
            name: "Certificate.Rekey",
            run: |rq| Box::pin(rekey(rq)),
            needs: None,
        },
        Action {
            name: "Certificate.Renew",
            run: |rq| Box::pin(renew(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::CERTIFICATES,
    ..Resource::NONE
};

/// The URI of the certificate of a manager's HTTPS.
pub(crate) fn https_uri(system: &SystemId) -> String {
    format!("/redfish/v1/Managers/{system}/NetworkProtocol/HTTPS/Certificates/{ID}")
}

/// The certificate in use, where the manager of the request is there and TLS is spoken.
fn in_use(rq: &Rq) -> Result<std::sync::Arc<InUse>, Problem> {
    rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let identity = rq.service.reach().identity;
    let identity = identity.ok_or_else(|| Problem::missing(rq.uri()))?;
    match rq.param("certificate") {
        "" | ID => Ok(identity.in_use()),
        _ => Err(Problem::missing(rq.uri())),
    }
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let now = in_use(rq)?;
    let action = |name: &str| format!("{}/Actions/{name}", rq.uri());
    let certificate = Certificate {
        odata_id: rq.uri().to_owned(),
        id: ID.to_owned(),
        name: "HTTPS certificate".to_owned(),
        certificate_string: Prop::Value(now.pem()),
        certificate_type: Prop::Value(match now.chain.len() {
            1 => CertificateType::PEM,
            _ => CertificateType::PEMchain,
        }),
        certificate_usage_types: Some(vec![CertificateUsageType::Web]),
        actions: Some(Actions {
            rekey: Some(RekeyAction {
                target: action("Certificate.Rekey"),
                ..Default::default()
            }),
            renew: Some(RenewAction {
                target: action("Certificate.Renew"),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..of(&now.facts)
    };
    let Content::Resource(mut body) = Content::of(&certificate)? else {
        return Err(Problem::internal("a model became no resource"));
    };
    allow_keys(&mut body, "Certificate.Rekey");
    Ok(Content::Resource(body))
}

/// Says beside an action which keys it can make. The schema has them as mere text, so its model knows of no list.
pub(super) fn allow_keys(body: &mut Map<String, Value>, action: &str) {
    let action = &mut body["Actions"][format!("#{action}")];
    let curves = KeyKind::CURVES;
    action["KeyPairAlgorithm@Redfish.AllowableValues"] = json!([KeyKind::ALGORITHM]);
    action["KeyCurveId@Redfish.AllowableValues"] = json!(curves.map(|curve| curve.0));
}

/// The facts of a certificate as a resource; where it stands, its id, its name and its text are still to be told.
pub(crate) fn of(facts: &Facts) -> Certificate {
    Certificate {
        issuer: Some(identifier(&facts.issuer, &[])),
        subject: Some(identifier(&facts.subject, &facts.alternative_names)),
        valid_not_before: Some(date_time(facts.not_before)),
        valid_not_after: Some(date_time(facts.not_after)),
        key_usage: Some(facts.usages.iter().map(|usage| word(*usage)).collect()),
        serial_number: Some(facts.serial.clone()),
        fingerprint: Some(facts.fingerprint.clone()),
        fingerprint_hash_algorithm: Some("TPM_ALG_SHA256".to_owned()),
        signature_algorithm: Some(facts.signature_algorithm.clone()),
        ..Default::default()
    }
}

/// One certificate, DER, as a resource; where it stands, its id and its name are still to be told.
///
/// # Errors
/// 400 about `/CertificateString` when it is none.
pub(crate) fn of_der(der: &[u8]) -> Result<Certificate, Problem> {
    Ok(Certificate {
        certificate_string: Prop::Value(pem("CERTIFICATE", der)),
        certificate_type: Prop::Value(CertificateType::PEM),
        ..of(&Facts::of(der)?)
    })
}

fn identifier(name: &Name, alternative_names: &[String]) -> Identifier {
    let more = |all: &[String]| match all.get(1..) {
        None | Some([]) => None,
        Some(more) => Some(more.to_vec()),
    };
    let some = |all: &[String]| (!all.is_empty()).then(|| all.to_vec());
    Identifier {
        common_name: name.common_names.first().cloned(),
        organization: name.organization.clone(),
        organizational_unit: name.units.first().cloned(),
        city: name.city.clone(),
        state: name.state.clone(),
        country: name.country.clone(),
        email: Prop::or_absent(name.email.clone()),
        display_string: Prop::Value(name.text.clone()),
        domain_components: some(&name.domain_components),
        additional_common_names: more(&name.common_names),
        additional_organizational_units: more(&name.units),
        alternative_names: some(alternative_names),
    }
}

fn word(usage: Usage) -> KeyUsage {
    match usage {
        Usage::DigitalSignature => KeyUsage::DigitalSignature,
        Usage::NonRepudiation => KeyUsage::NonRepudiation,
        Usage::KeyEncipherment => KeyUsage::KeyEncipherment,
        Usage::DataEncipherment => KeyUsage::DataEncipherment,
        Usage::KeyAgreement => KeyUsage::KeyAgreement,
        Usage::KeyCertSign => KeyUsage::KeyCertSign,
        Usage::CrlSigning => KeyUsage::CRLSigning,
        Usage::EncipherOnly => KeyUsage::EncipherOnly,
        Usage::DecipherOnly => KeyUsage::DecipherOnly,
        Usage::ServerAuthentication => KeyUsage::ServerAuthentication,
        Usage::ClientAuthentication => KeyUsage::ClientAuthentication,
        Usage::CodeSigning => KeyUsage::CodeSigning,
        Usage::EmailProtection => KeyUsage::EmailProtection,
        Usage::Timestamping => KeyUsage::Timestamping,
        Usage::OcspSigning => KeyUsage::OCSPSigning,
    }
}

/// The usage of that word; nothing for a word that is none.
pub(super) fn usage(word: &KeyUsage) -> Option<Usage> {
    Some(match word {
        KeyUsage::DigitalSignature => Usage::DigitalSignature,
        KeyUsage::NonRepudiation => Usage::NonRepudiation,
        KeyUsage::KeyEncipherment => Usage::KeyEncipherment,
        KeyUsage::DataEncipherment => Usage::DataEncipherment,
        KeyUsage::KeyAgreement => Usage::KeyAgreement,
        KeyUsage::KeyCertSign => Usage::KeyCertSign,
        KeyUsage::CRLSigning => Usage::CrlSigning,
        KeyUsage::EncipherOnly => Usage::EncipherOnly,
        KeyUsage::DecipherOnly => Usage::DecipherOnly,
        KeyUsage::ServerAuthentication => Usage::ServerAuthentication,
        KeyUsage::ClientAuthentication => Usage::ClientAuthentication,
        KeyUsage::CodeSigning => Usage::CodeSigning,
        KeyUsage::EmailProtection => Usage::EmailProtection,
        KeyUsage::Timestamping => Usage::Timestamping,
        KeyUsage::OCSPSigning => Usage::OcspSigning,
        KeyUsage::Unrecognized(_) => return None,
    })
}

/// Asks for a certificate like this one, for a new key.
async fn rekey(rq: &Rq) -> Result<Outcome, Problem> {
    let now = in_use(rq)?;
    let params: RekeyParams = rq.body()?;
    let kind = KeyKind::asked(
        params.key_pair_algorithm.as_deref(),
        params.key_curve_id.as_deref(),
        params.key_bit_length,
    )?;
    let request = Request {
        challenge_password: params.challenge_password,
        ..Request::like(&now.facts)
    };
    let identity = rq.service.reach().identity;
    let identity = identity.ok_or_else(|| Problem::missing(rq.uri()))?;
    Ok(requested(rq, identity.request(request, kind).await?))
}

/// Asks for a certificate like this one, for the same key.
async fn renew(rq: &Rq) -> Result<Outcome, Problem> {
    let now = in_use(rq)?;
    let params: RenewParams = rq.body()?;
    let request = Request {
        challenge_password: params.challenge_password,
        ..Request::like(&now.facts)
    };
    let identity = rq.service.reach().identity;
    let identity = identity.ok_or_else(|| Problem::missing(rq.uri()))?;
    Ok(requested(rq, identity.request_again(request).await?))
}

fn requested(rq: &Rq, text: String) -> Outcome {
    let certificate = json!(OdataId::new(rq.uri()));
    Outcome::Answer(Map::from_iter([
        ("Certificate".to_owned(), certificate),
        ("CSRString".to_owned(), text.into()),
    ]))
}
