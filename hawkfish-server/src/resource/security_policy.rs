//! How connections to a manager are protected: what TLS is made of here. It cannot be changed.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::security_policy::{
    SecurityPolicy, TLSAlgorithmSet, TLSCommunication, TLSParameterSet, TLSPolicy,
};

use super::healthy;
use crate::catalog::{Content, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::tls;

/// `/redfish/v1/Managers/{system}/SecurityPolicy`
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Managers/{system}/SecurityPolicy",
    entity: "SecurityPolicy",
    get: Some(|rq| Box::pin(read(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    let reach = rq.service.reach();
    if reach.https.is_none() {
        return Err(Problem::missing(rq.uri()));
    }
    let version = |version: &&rustls::SupportedProtocolVersion| match version.version {
        rustls::ProtocolVersion::TLSv1_2 => Some("1.2".to_owned()),
        rustls::ProtocolVersion::TLSv1_3 => Some("1.3".to_owned()),
        _ => None,
    };
    let suites = rustls::crypto::ring::default_provider().cipher_suites;
    // rustls puts the version into the names that IANA gives without it.
    let suite = |suite: &rustls::SupportedCipherSuite| {
        Some(suite.suite().as_str()?.replacen("TLS13_", "TLS_", 1))
    };
    Content::of(&SecurityPolicy {
        odata_id: rq.uri().to_owned(),
        id: "SecurityPolicy".to_owned(),
        name: "Security policy".to_owned(),
        tls: Some(TLSCommunication {
            server: Some(TLSPolicy {
                allowed: Some(TLSParameterSet {
                    algorithms: Some(TLSAlgorithmSet {
                        cipher_suites: Some(suites.iter().filter_map(suite).collect()),
                    }),
                    versions: Some(tls::VERSIONS.iter().filter_map(version).collect()),
                }),
                verify_certificate: Prop::Value(reach.asks_clients),
            }),
        }),
        status: Some(healthy()),
        ..Default::default()
    })
}
