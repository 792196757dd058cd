//! Roles: names for sets of privileges. Three are given (DSP0266, "Roles"), others can be made.

use hawkfish_core::accounts::{NewRole, RoleChange};
use hawkfish_core::ctx::Privilege;
use hawkfish_core::error::{Error, Invalid};
use hawkfish_redfish::model::privileges::PrivilegeType;
use hawkfish_redfish::model::role::{Role, RoleCreate, RolePatch};

use crate::catalog::{Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub const URI: &str = "/redfish/v1/AccountService/Roles";

/// `/redfish/v1/AccountService/Roles`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "RoleCollection",
    member: "Role",
    get: Some(|rq| Box::pin(list(rq))),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/AccountService/Roles/{role}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/AccountService/Roles/{role}",
    entity: "Role",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

async fn list(rq: &Rq) -> Result<Content, Problem> {
    let roles = rq.hf.accounts().roles();
    Ok(Content::collection(
        rq,
        "Roles",
        roles.iter().map(|role| &role.id),
    ))
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let role = rq.hf.accounts().role(&rq.id("role")?)?;
    let privileges = role.privileges.iter();
    Content::of(&Role {
        id: role.id.to_string(),
        name: format!("{} Role", role.id),
        role_id: Some(role.id.to_string()),
        is_predefined: Some(role.predefined),
        assigned_privileges: Some(
            privileges
                .filter_map(|privilege| PrivilegeType::known(privilege.as_str()))
                .collect(),
        ),
        restricted: Some(false),
        ..Role::default()
    })
}

/// Every privilege that is named, or which one cannot be given.
fn privileges(
    wanted: impl IntoIterator<Item = PrivilegeType>,
) -> Result<std::collections::BTreeSet<Privilege>, Problem> {
    let convert = |privilege: PrivilegeType| {
        privilege.as_str().parse::<Privilege>().map_err(|_| {
            let message = "No role can be given this privilege.";
            Error::invalid(
                "/AssignedPrivileges",
                privilege.as_str(),
                Invalid::NotInList,
                message,
            )
        })
    };
    Ok(wanted.into_iter().map(convert).collect::<Result<_, _>>()?)
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let RoleCreate {
        role_id,
        assigned_privileges,
    } = rq.body()?;
    let new = NewRole {
        id: role_id,
        privileges: privileges(assigned_privileges.unwrap_or_default())?,
    };
    let role = rq.hf.accounts().create_role(&rq.ctx, new).await?;
    Ok(Outcome::Created {
        uri: format!("{}/{}", URI, role.id),
        headers: Vec::new(),
        with: serde_json::Map::new(),
    })
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let RolePatch {
        assigned_privileges,
    } = rq.body()?;
    let wanted = assigned_privileges.map(|all| privileges(all.into_iter().flatten()));
    let change = RoleChange {
        privileges: wanted.transpose()?,
    };
    rq.hf
        .accounts()
        .update_role(&rq.ctx, &rq.id("role")?, change)
        .await?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf
        .accounts()
        .delete_role(&rq.ctx, &rq.id("role")?)
        .await?;
    Ok(Outcome::Done)
}
