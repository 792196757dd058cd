//! Who may log in, as what, and who is logged in.

use serde_json::json;

use super::{Account, Handle, Role};
use crate::error::Error;
use crate::redfish::model::account_service::AccountService;
use crate::redfish::model::manager_account::{ManagerAccount, ManagerAccountCreate};
use crate::redfish::model::role::{Role as RoleModel, RoleCreate};
use crate::redfish::model::session::Session;
use crate::task::Outcome;

impl Handle<AccountService> {
    /// Who may log in.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.list("/Accounts").await
    }

    /// What accounts may do.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn roles(&self) -> Result<Vec<Role>, Error> {
        self.list("/Roles").await
    }

    /// Makes an account; [`crate::Client::created`] reads it.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn create_account(&self, account: &ManagerAccountCreate) -> Result<Outcome, Error> {
        self.create("/Accounts", account).await
    }

    /// Makes a role; [`crate::Client::created`] reads it.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn create_role(&self, role: &RoleCreate) -> Result<Outcome, Error> {
        self.create("/Roles", role).await
    }
}

impl Handle<ManagerAccount> {
    /// Sets its password.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_password(&self, password: &str) -> Result<Outcome, Error> {
        self.set(&json!({"Password": password})).await
    }

    /// Sets its password, and proves with that of one's own that it is oneself who does. Other sessions of the account are ended.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn change_password(&self, own: &str, new: &str) -> Result<Outcome, Error> {
        let parameters = json!({"SessionAccountPassword": own, "NewPassword": new});
        self.action("ManagerAccount.ChangePassword", &parameters)
            .await
    }

    /// What it may do.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_role(&self, role: &str) -> Result<Outcome, Error> {
        self.set(&json!({"RoleId": role})).await
    }

    /// Whether it may log in at all.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn enable(&self, enabled: bool) -> Result<Outcome, Error> {
        self.set(&json!({"Enabled": enabled})).await
    }

    /// Lets it log in again after too many wrong passwords.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn unlock(&self) -> Result<Outcome, Error> {
        self.set(&json!({"Locked": false})).await
    }

    /// The role that it has.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn role(&self) -> Result<Role, Error> {
        self.follow("/Links/Role").await
    }
}

impl Handle<RoleModel> {
    /// What it allows.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_privileges(&self, privileges: &[&str]) -> Result<Outcome, Error> {
        self.set(&json!({"AssignedPrivileges": privileges})).await
    }
}

impl Handle<Session> {
    /// Logs it out.
    ///
    /// # Errors
    /// As [`Handle::delete`].
    pub async fn end(&self) -> Result<Outcome, Error> {
        self.delete().await
    }
}
