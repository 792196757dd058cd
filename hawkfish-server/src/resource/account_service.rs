//! The account service: what is asked of passwords and of those who try them.

use hawkfish_core::accounts::{BasicAuth, PolicyChange};
use hawkfish_core::error::{Error, Invalid};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::account_service::{
    AccountService, AccountServicePatch, BasicAuthState, CertificateMappingAttribute,
    ClientCertificate, LocalAccountAuth, MultiFactorAuth,
};
use hawkfish_redfish::model::manager_account::AccountTypes;

use super::{client_authority, healthy, manager_account, role};
use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;
use crate::tls::NameIn;

/// `/redfish/v1/AccountService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/AccountService",
    entity: "AccountService",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    privileges: Privileges::USERS,
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let policy = rq.hf.accounts().policy();
    Content::of(&AccountService {
        id: "AccountService".into(),
        name: "Account Service".into(),
        service_enabled: true.into(),
        http_basic_auth: match policy.basic_auth {
            BasicAuth::Enabled => BasicAuthState::Enabled,
            BasicAuth::Unadvertised => BasicAuthState::Unadvertised,
            BasicAuth::Disabled => BasicAuthState::Disabled,
        }
        .into(),
        http_basic_auth_allowable: BasicAuthState::ALL.to_vec(),
        local_account_auth: Some(LocalAccountAuth::Enabled),
        min_password_length: Some(policy.min_password_length.into()),
        max_password_length: Some(policy.max_password_length.into()),
        account_lockout_threshold: i64::from(policy.lockout_threshold).into(),
        account_lockout_duration: i64::from(policy.lockout_duration).into(),
        account_lockout_counter_reset_after: Some(policy.lockout_reset_after.into()),
        account_lockout_counter_reset_enabled: Some(policy.lockout_counter_reset),
        supported_account_types: Some(vec![AccountTypes::Redfish]),
        status: Some(healthy()),
        accounts: Some(manager_account::URI.into()),
        roles: Some(role::URI.into()),
        privilege_map: Some(super::privilege_registry::URI.into()),
        multi_factor_auth: Prop::Value(MultiFactorAuth {
            client_certificate: Prop::Value(client_certificate(rq)),
        }),
        ..AccountService::default()
    })
}

/// What the operator has chosen about clients' certificates.
fn client_certificate(rq: &Rq) -> ClientCertificate {
    let certificates = Some(client_authority::URI.into());
    match &rq.service.options.client_certificates {
        None => ClientCertificate {
            enabled: Prop::Value(false),
            certificates,
            ..ClientCertificate::default()
        },
        Some(chosen) => ClientCertificate {
            enabled: Prop::Value(true),
            certificate_mapping_attribute: Prop::Value(match chosen.name_in {
                NameIn::CommonName => CertificateMappingAttribute::CommonName,
                NameIn::UserPrincipalName => CertificateMappingAttribute::UserPrincipalName,
            }),
            respond_to_unauthenticated_clients: Prop::Value(chosen.optional),
            certificates,
        },
    }
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let patch: AccountServicePatch = rq.body()?;
    let change = PolicyChange {
        min_password_length: number("/MinPasswordLength", patch.min_password_length)?,
        max_password_length: number("/MaxPasswordLength", patch.max_password_length)?,
        // Null, too, says that no account is locked.
        lockout_threshold: number(
            "/AccountLockoutThreshold",
            patch
                .account_lockout_threshold
                .change()
                .map(Option::unwrap_or_default),
        )?,
        lockout_duration: number(
            "/AccountLockoutDuration",
            patch
                .account_lockout_duration
                .change()
                .map(Option::unwrap_or_default),
        )?,
        lockout_reset_after: number(
            "/AccountLockoutCounterResetAfter",
            patch.account_lockout_counter_reset_after,
        )?,
        lockout_counter_reset: patch.account_lockout_counter_reset_enabled,
        basic_auth: match patch.http_basic_auth.change() {
            None => None,
            Some(Some(BasicAuthState::Enabled)) => Some(BasicAuth::Enabled),
            Some(Some(BasicAuthState::Unadvertised)) => Some(BasicAuth::Unadvertised),
            Some(Some(BasicAuthState::Disabled)) => Some(BasicAuth::Disabled),
            Some(other) => {
                let value = other.map_or("null".to_owned(), |other| other.as_str().to_owned());
                let message = "It must be one of the three.";
                return Err(
                    Error::invalid("/HTTPBasicAuth", value, Invalid::NotInList, message).into(),
                );
            }
        },
    };
    rq.hf.accounts().set_policy(&rq.ctx, change).await?;
    Ok(Outcome::Done)
}

fn number(property: &'static str, value: Option<i64>) -> Result<Option<u32>, Problem> {
    let convert = |value: i64| {
        u32::try_from(value).map_err(|_| {
            let message = "It is negative, or too large.";
            Error::invalid(property, value.to_string(), Invalid::OutOfRange, message)
        })
    };
    Ok(value.map(convert).transpose()?)
}
