//! Roles: named sets of privileges.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Account, Accounts, rows};
use crate::ctx::{Ctx, Privilege};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::Subject;
use crate::id::RoleId;
use crate::logs::What;

/// Most roles.
const MOST_ROLES: usize = 100;

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub id: RoleId,
    /// Whether it is one of DSP0266, which nobody can change.
    pub predefined: bool,
    /// What it lets its accounts do.
    pub privileges: Arc<BTreeSet<Privilege>>,
    /// Grows with every change.
    pub generation: u64,
}

/// A role to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRole {
    /// Its name.
    pub id: String,
    /// What it lets its accounts do.
    pub privileges: BTreeSet<Privilege>,
}

/// A wanted change to a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleChange {
    /// What it lets its accounts do.
    pub privileges: Option<BTreeSet<Privilege>>,
}

impl Accounts {
    /// All roles, ordered by name.
    #[must_use]
    pub fn roles(&self) -> Vec<Arc<Role>> {
        self.0.look(|state| state.roles.values().cloned().collect())
    }

    /// A role.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn role(&self, id: &RoleId) -> Result<Arc<Role>> {
        self.0
            .look(|state| state.roles.get(id).cloned())
            .ok_or_else(|| missing(id))
    }

    /// What an account may do. Cheap.
    #[must_use]
    pub fn privileges(&self, account: &Account) -> Arc<BTreeSet<Privilege>> {
        self.0
            .look(|state| {
                state
                    .roles
                    .get(&account.role)
                    .map(|role| role.privileges.clone())
            })
            .unwrap_or_default()
    }

    /// Makes a role.
    ///
    /// # Errors
    /// `Invalid` at `/RoleId`; `AlreadyExists`; `LimitExceeded`; `Internal` when the store fails.
    pub async fn create_role(&self, ctx: &Ctx, new: NewRole) -> Result<Arc<Role>> {
        let id = RoleId::parse(&new.id).map_err(|_| {
            let shown: String = new
                .id
                .chars()
                .filter(|c| !c.is_control())
                .take(64)
                .collect();
            Error::invalid(
                "/RoleId",
                shown,
                Invalid::Format,
                "The name of a role has 1 to 128 letters, digits, dots, underscores and hyphens.",
            )
        })?;
        if self.0.look(|state| state.roles.len()) >= MOST_ROLES {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "roles" },
                "There are too many roles.",
            ));
        }
        let role = Role {
            id,
            predefined: false,
            privileges: Arc::new(new.privileges),
            generation: 1,
        };
        let inner = self.0.clone();
        let role = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    if rows::get_role(tx.conn(), role.id.as_str()).await?.is_some() {
                        return Err(Error::new(
                            ErrorKind::AlreadyExists {
                                what: "Role",
                                property: "RoleId",
                                value: role.id.to_string(),
                            },
                            "There is a role of that name already.",
                        ));
                    }
                    rows::put_role(tx, &role).await?;
                    let event = What::Created.at(inner.clock.now());
                    tx.happened(Subject::Role(role.id.clone()), event);
                    let role = Arc::new(role);
                    let new = role.clone();
                    tx.after_commit(move || {
                        inner.change(|state| {
                            state.roles.insert(new.id.clone(), new);
                        });
                    });
                    Ok(role)
                })
            })
            .await?;
        tracing::info!(role = %role.id, privileges = ?role.privileges, by = ?ctx.account(), "role created");
        Ok(role)
    }

    /// Changes a role. Its accounts have the new privileges from the next request on.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` (read-only) at `/AssignedPrivileges` for a predefined role; `Internal` when the store fails.
    pub async fn update_role(
        &self,
        ctx: &Ctx,
        id: &RoleId,
        change: RoleChange,
    ) -> Result<Arc<Role>> {
        let (inner, id) = (self.0.clone(), id.clone());
        let role = self
            .0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = rows::get_role(tx.conn(), id.as_str())
                        .await?
                        .ok_or_else(|| missing(&id))?;
                    let Some(privileges) = change.privileges.filter(|new| *new != *old.privileges)
                    else {
                        return Ok(Arc::new(old));
                    };
                    if old.predefined {
                        return Err(Error::invalid(
                            "/AssignedPrivileges",
                            serde_json::to_string(&privileges)?,
                            Invalid::ReadOnly,
                            "A predefined role cannot be changed.",
                        ));
                    }
                    let generation = old.generation + 1;
                    let role = Role {
                        privileges: Arc::new(privileges),
                        generation,
                        ..old
                    };
                    rows::put_role(tx, &role).await?;
                    tx.happened(Subject::Role(id), What::Changed.at(inner.clock.now()));
                    let role = Arc::new(role);
                    let new = role.clone();
                    tx.after_commit(move || {
                        inner.change(|state| {
                            state.roles.insert(new.id.clone(), new);
                        });
                    });
                    Ok(role)
                })
            })
            .await?;
        tracing::info!(role = %role.id, privileges = ?role.privileges, by = ?ctx.account(), "role changed");
        Ok(role)
    }

    /// Deletes a role.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for a predefined role; `Conflict::InUse` while an account has it; `Internal` when the store fails.
    pub async fn delete_role(&self, ctx: &Ctx, id: &RoleId) -> Result<()> {
        let (inner, gone) = (self.0.clone(), id.clone());
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let old = rows::get_role(tx.conn(), gone.as_str())
                        .await?
                        .ok_or_else(|| missing(&gone))?;
                    if old.predefined {
                        return Err(Error::conflict(
                            Conflict::NotAllowed,
                            "A predefined role cannot be deleted.",
                        ));
                    }
                    if rows::accounts_with(tx.conn(), &gone).await? > 0 {
                        return Err(Error::conflict(
                            Conflict::InUse,
                            "Accounts have this role; give them another first.",
                        ));
                    }
                    rows::delete_role(tx, &gone).await?;
                    let event = What::Removed.at(inner.clock.now());
                    tx.happened(Subject::Role(gone.clone()), event);
                    tx.after_commit(move || {
                        inner.change(|state| {
                            state.roles.remove(&gone);
                        });
                    });
                    Ok(())
                })
            })
            .await?;
        tracing::info!(role = %id, by = ?ctx.account(), "role deleted");
        Ok(())
    }

    /// The role that a client names in a body.
    pub(super) fn role_by_name(&self, id: &str) -> Result<Arc<Role>> {
        RoleId::parse(id)
            .and_then(|id| self.role(&id))
            .map_err(|_| unknown(id))
    }
}

/// A body names a role that is not there.
pub(super) fn unknown(id: &str) -> Error {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    Error::invalid(
        "/RoleId",
        shown,
        Invalid::NotInList,
        "There is no such role.",
    )
}

fn missing(id: &RoleId) -> Error {
    Error::not_found("Role", id.as_str())
}
