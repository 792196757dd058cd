use std::collections::BTreeSet;

use super::*;
use crate::ctx::Privilege;

#[tokio::test]
async fn predefined_roles_are_those_of_redfish_and_stay_so() {
    use Privilege::{ConfigureComponents, ConfigureManager, ConfigureSelf, ConfigureUsers, Login};
    let w = world().await;
    let expected = [
        (
            "Administrator",
            vec![
                Login,
                ConfigureManager,
                ConfigureUsers,
                ConfigureSelf,
                ConfigureComponents,
            ],
        ),
        ("Operator", vec![Login, ConfigureSelf, ConfigureComponents]),
        ("ReadOnly", vec![Login, ConfigureSelf]),
    ];
    assert_eq!(w.accounts.roles().len(), 3);
    for (name, privileges) in expected {
        let id = RoleId::parse(name).unwrap();
        let role = w.accounts.role(&id).unwrap();
        assert!(role.predefined);
        assert_eq!(
            *role.privileges,
            privileges.into_iter().collect::<BTreeSet<_>>()
        );
        let change = RoleChange {
            privileges: Some(BTreeSet::new()),
        };
        let error = w
            .accounts
            .update_role(&Ctx::service(), &id, change)
            .await
            .unwrap_err();
        assert_eq!(property(&error), "/AssignedPrivileges");
        let error = w
            .accounts
            .delete_role(&Ctx::service(), &id)
            .await
            .unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
    }
}

#[tokio::test]
async fn custom_roles_can_be_made_changed_and_once_unused_deleted() {
    let w = world().await;
    let ctx = Ctx::service();
    let role = NewRole {
        id: "Auditor".to_owned(),
        privileges: [Privilege::Login].into(),
    };
    let made = w.accounts.create_role(&ctx, role.clone()).await.unwrap();
    assert!(!made.predefined);
    let error = w.accounts.create_role(&ctx, role).await.unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::AlreadyExists {
            property: "RoleId",
            ..
        }
    ));
    for bad in ["", "a b", "../x"] {
        let role = NewRole {
            id: bad.to_owned(),
            privileges: BTreeSet::new(),
        };
        assert_eq!(
            property(&w.accounts.create_role(&ctx, role).await.unwrap_err()),
            "/RoleId"
        );
    }

    let b = w.add("b", "Auditor").await;
    let account = w.accounts.get(&b).unwrap();
    assert_eq!(*w.accounts.privileges(&account), [Privilege::Login].into());
    let error = w.accounts.delete_role(&ctx, &made.id).await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::InUse));
    let wider: BTreeSet<_> = [Privilege::Login, Privilege::ConfigureUsers].into();
    let change = RoleChange {
        privileges: Some(wider.clone()),
    };
    let changed = w
        .accounts
        .update_role(&ctx, &made.id, change)
        .await
        .unwrap();
    assert_eq!(changed.generation, made.generation + 1);
    assert_eq!(*w.accounts.privileges(&account), wider);
    assert_eq!(open(&w.store, &w.clock).await.roles(), w.accounts.roles());

    w.accounts.delete(&ctx, &b).await.unwrap();
    w.accounts.delete_role(&ctx, &made.id).await.unwrap();
    assert!(w.accounts.role(&made.id).is_err());
    let error = w
        .accounts
        .create(&ctx, new("c", "Auditor"))
        .await
        .unwrap_err();
    assert_eq!(property(&error), "/RoleId");
}
