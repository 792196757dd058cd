//! Accounts: who may log in, and as what.

use hawkfish_core::accounts::{Account, AccountChange, NewAccount};
use hawkfish_core::ctx::Privilege;
use hawkfish_core::error::{Conflict, Error, Invalid};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::manager_account::{
    AccountTypes, Actions, ChangePasswordAction, ChangePasswordParams, Links, ManagerAccount,
    ManagerAccountCreate, ManagerAccountPatch,
};
use serde_json::Map;

use super::role;
use crate::catalog::{Action, AnyOf, Content, Outcome, Override, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub const URI: &str = "/redfish/v1/AccountService/Accounts";

/// `/redfish/v1/AccountService/Accounts`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "ManagerAccountCollection",
    member: "ManagerAccount",
    get: Some(|rq| Box::pin(list(rq))),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges::USERS,
    ..Resource::NONE
};

const SELF_OR_USERS: AnyOf = &[Privilege::ConfigureUsers, Privilege::ConfigureSelf];

/// `/redfish/v1/AccountService/Accounts/{account}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/AccountService/Accounts/{account}",
    entity: "ManagerAccount",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    actions: &[Action {
        name: "ManagerAccount.ChangePassword",
        run: |rq| Box::pin(change_password(rq)),
        needs: Some(SELF_OR_USERS),
    }],
    privileges: Privileges {
        get: &[
            Privilege::ConfigureManager,
            Privilege::ConfigureUsers,
            Privilege::ConfigureSelf,
        ],
        ..Privileges::USERS
    },
    overrides: &[Override {
        property: "Password",
        needs: SELF_OR_USERS,
    }],
    own: Some(|rq| {
        rq.ctx
            .account()
            .is_some_and(|id| id.as_str() == rq.param("account"))
    }),
    before_password_change: true,
    ..Resource::NONE
};

/// The URI of an account.
#[must_use]
pub fn uri(account: &str) -> String {
    format!("{}/{account}", URI)
}

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let accounts = rq.hf.accounts().list();
    Ok(Content::collection(
        rq,
        "Accounts",
        accounts.iter().map(|account| &account.id),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let account = rq.hf.accounts().get(&rq.id("account")?)?;
    Content::of(&model(&account))
}

fn model(account: &Account) -> ManagerAccount {
    ManagerAccount {
        id: account.id.to_string(),
        name: "User Account".into(),
        user_name: Some(account.name.to_string()),
        password: Prop::Null,
        role_id: Some(account.role.to_string()),
        enabled: Some(account.enabled),
        locked: Some(account.locked),
        password_change_required: account.password_change_required.into(),
        account_types: Some(vec![AccountTypes::Redfish]),
        links: Some(Links {
            role: Some(format!("{}/{}", role::URI, account.role).into()),
            ..Links::default()
        }),
        actions: Some(Actions {
            change_password: Some(ChangePasswordAction {
                target: format!(
                    "{}/Actions/ManagerAccount.ChangePassword",
                    uri(account.id.as_str())
                ),
                ..ChangePasswordAction::default()
            }),
            ..Actions::default()
        }),
        ..ManagerAccount::default()
    }
}

/// Every account is one for Redfish, and for nothing else.
fn check_types(types: Option<Vec<AccountTypes>>) -> Result<(), Problem> {
    match types {
        None => Ok(()),
        Some(types) if types == [AccountTypes::Redfish] => Ok(()),
        Some(types) => {
            let other = types.iter().find(|one| **one != AccountTypes::Redfish);
            let value = other.map_or("[]", AccountTypes::as_str);
            let message = "Accounts here are of the type Redfish.";
            Err(Error::invalid("/AccountTypes", value, Invalid::NotInList, message).into())
        }
    }
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let wanted: ManagerAccountCreate = rq.body()?;
    check_types(wanted.account_types)?;
    if wanted.locked == Some(true) {
        let message = "An account is locked by failing to log in, and can only be unlocked.";
        return Err(Error::invalid("/Locked", "true", Invalid::NotInList, message).into());
    }
    let new = NewAccount {
        name: wanted.user_name,
        password: wanted.password,
        role: wanted.role_id,
        enabled: wanted.enabled.unwrap_or(true),
        password_change_required: wanted
            .password_change_required
            .into_value()
            .unwrap_or(false),
    };
    let account = rq.hf.accounts().create(&rq.ctx, new).await?;
    Ok(Outcome::Created {
        uri: uri(account.id.as_str()),
        headers: Vec::new(),
        with: Map::new(),
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let patch: ManagerAccountPatch = rq.body()?;
    check_types(
        patch
            .account_types
            .map(|types| types.into_iter().flatten().collect()),
    )?;
    let id = rq.id("account")?;
    let password = match patch.password.change() {
        None => None,
        Some(Some(password)) => Some(password),
        Some(None) => {
            let message = "An account has a password.";
            return Err(Error::invalid("/Password", "null", Invalid::Format, message).into());
        }
    };
    let change = AccountChange {
        name: patch.user_name,
        password,
        role: patch.role_id,
        enabled: patch.enabled,
        locked: patch.locked,
        password_change_required: patch.password_change_required.into_value(),
    };
    rq.hf.accounts().update(&rq.ctx, &id, change).await?;
    Ok(Outcome::Done)
}

/// Changes a password for who knows the password of the account that asks (which need not be the account that is changed).
async fn change_password(rq: &Rq) -> Result<Outcome, Problem> {
    let wanted: ChangePasswordParams = rq.body()?;
    let asking = rq
        .ctx
        .account()
        .map(|id| rq.hf.accounts().get(id))
        .transpose()?;
    let Some(asking) = asking else {
        return Err(Error::conflict(Conflict::NotAllowed, "Nobody asks.").into());
    };
    let known = rq
        .hf
        .accounts()
        .check_password(
            &asking.name,
            &wanted.session_account_password,
            rq.ctx.address,
        )
        .await;
    if known.is_err() {
        let message = "It is not the password of the account that asks.";
        let pointer = "/SessionAccountPassword";
        return Err(Error::invalid(pointer, "******", Invalid::Format, message).into());
    }
    let change = AccountChange {
        password: Some(wanted.new_password),
        ..AccountChange::default()
    };
    rq.hf
        .accounts()
        .update(&rq.ctx, &rq.id("account")?, change)
        .await
        .map_err(|error| Problem::from(error).about("/Password", "/NewPassword"))?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.accounts().delete(&rq.ctx, &rq.id("account")?).await?;
    Ok(Outcome::Done)
}
