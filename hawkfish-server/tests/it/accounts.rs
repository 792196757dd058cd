//! Accounts, roles and what is asked of them.

use jiff::SignedDuration;
use serde_json::json;

use crate::door::{ACCOUNTS, ADMIN, Door, ROLES, SYSTEMS, password};

const SERVICE: &str = "/redfish/v1/AccountService";

#[tokio::test]
async fn an_account_is_made_used_changed_and_deleted() {
    let door = Door::open().await;
    let uri = door.account("ann", "Operator").await;
    let read = door.send("GET", &uri).user("ann").answer().await;
    assert_eq!(
        (&read.body["UserName"], &read.body["RoleId"]),
        (&json!("ann"), &json!("Operator"))
    );
    assert_eq!(read.body["Password"], json!(null));
    assert!(read.headers.contains_key("etag"));
    let change = json!({"UserName": "anna", "RoleId": "ReadOnly", "Enabled": false});
    let changed = door
        .send("PATCH", &uri)
        .admin()
        .json(&change)
        .answer()
        .await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        (&changed.body["UserName"], &changed.body["Enabled"]),
        (&json!("anna"), &json!(false))
    );
    let locked_out = door
        .send("GET", SYSTEMS)
        .basic("anna", &password("ann"))
        .answer()
        .await;
    locked_out.refused(401, "AccessUnauthorized");
    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 204);
    door.send("GET", &uri)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_role_that_is_not_there_are_refused() {
    let door = Door::open().await;
    let make = |name: &str, secret: &str, role: &str| {
        let body = json!({"UserName": name, "Password": secret, "RoleId": role});
        door.send("POST", ACCOUNTS).admin().json(&body).answer()
    };
    let taken = make("admin", "long enough", "ReadOnly").await;
    taken.refused(409, "ResourceAlreadyExists");
    assert_eq!(taken.related(), ["#/UserName"]);
    let no_role = make("x", "long enough", "King").await;
    assert_eq!(
        (no_role.status.as_u16(), no_role.related()),
        (400, vec!["#/RoleId"])
    );
    let short = make("x", "short", "ReadOnly").await;
    short.refused(400, "PasswordIncorrectLength");
    assert_eq!(short.related(), ["#/Password"]);
    assert!(!short.body.to_string().contains("short\""), "{short:?}");
    for name in ["", "a:b", "a\nb"] {
        assert_eq!(
            make(name, "long enough", "ReadOnly").await.status,
            400,
            "{name:?}"
        );
    }
    assert_eq!(door.read(ACCOUNTS).await.body["Members@odata.count"], 1);
}

#[tokio::test]
async fn ones_own_password_is_ones_own_to_change_and_nothing_else_is() {
    let door = Door::open().await;
    let own = door.account("reader", "ReadOnly").await;
    let other = door.account("other", "ReadOnly").await;
    let change = |uri: &str, body: serde_json::Value| {
        door.send("PATCH", uri).user("reader").json(&body).answer()
    };
    change(&other, json!({"Password": "long enough"}))
        .await
        .refused(403, "InsufficientPrivilege");
    let more = change(
        &own,
        json!({"Password": "long enough", "RoleId": "Administrator"}),
    )
    .await;
    more.refused(403, "InsufficientPrivilege");
    assert_eq!(more.related(), ["#/RoleId"]);
    assert_eq!(
        change(&own, json!({"Password": "a new secret"}))
            .await
            .status,
        200
    );
    change(&own, json!({"Password": "one more secret"}))
        .await
        .refused(401, "AccessUnauthorized");
    let read = door
        .send("GET", &own)
        .basic("reader", "a new secret")
        .answer()
        .await;
    assert_eq!(
        (read.status.as_u16(), &read.body["RoleId"]),
        (200, &json!("ReadOnly"))
    );
}

#[tokio::test]
async fn change_password_asks_for_the_present_one() {
    let door = Door::open().await;
    let own = door.account("reader", "ReadOnly").await;
    let uri = format!("{own}/Actions/ManagerAccount.ChangePassword");
    let change = |old: &str, new: &str| {
        let body = json!({"SessionAccountPassword": old, "NewPassword": new});
        door.send("POST", &uri).user("reader").json(&body).answer()
    };
    let wrong = change("wrong password", "a new secret").await;
    assert_eq!(
        (wrong.status.as_u16(), wrong.related()),
        (400, vec!["#/SessionAccountPassword"])
    );
    let short = change(&password("reader"), "x").await;
    short.refused(400, "PasswordIncorrectLength");
    assert_eq!(short.related(), ["#/NewPassword"]);
    assert_eq!(
        change(&password("reader"), "a new secret").await.status,
        204
    );
    assert_eq!(
        door.send("GET", &own)
            .basic("reader", "a new secret")
            .answer()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn who_must_change_the_password_can_do_just_that() {
    let door = Door::open().await;
    let body = json!({"UserName": "new", "Password": password("new"), "RoleId": "Administrator", "PasswordChangeRequired": true});
    let made = door
        .send("POST", ACCOUNTS)
        .admin()
        .json(&body)
        .answer()
        .await;
    let uri = made.header("location").to_owned();
    assert_eq!(made.body["PasswordChangeRequired"], true);
    let session = door.log_in("new", &password("new")).await;
    assert_eq!(session.status, 201);
    let told = session.body["@Message.ExtendedInfo"][0].clone();
    assert!(
        told["MessageId"]
            .as_str()
            .unwrap()
            .ends_with(".PasswordChangeRequired")
    );
    assert_eq!(told["MessageArgs"], json!([uri]));
    let token = session.header("x-auth-token").to_owned();
    for (method, place) in [
        ("GET", SYSTEMS),
        ("GET", ACCOUNTS),
        ("GET", "/redfish/v1/AccountService/Accounts/1"),
        ("POST", ACCOUNTS),
    ] {
        let refused = door.send(method, place).token(&token).answer().await;
        refused.refused(403, "PasswordChangeRequired");
    }
    let more = json!({"PasswordChangeRequired": false});
    door.send("PATCH", &uri)
        .token(&token)
        .json(&more)
        .answer()
        .await
        .refused(403, "InsufficientPrivilege");
    assert_eq!(
        door.send("GET", &uri).token(&token).answer().await.status,
        200
    );
    let changed = door
        .send("PATCH", &uri)
        .token(&token)
        .json(&json!({"Password": "a new secret"}))
        .answer()
        .await;
    assert_eq!(
        (
            changed.status.as_u16(),
            &changed.body["PasswordChangeRequired"]
        ),
        (200, &json!(false))
    );
    assert_eq!(
        door.send("GET", SYSTEMS)
            .basic("new", "a new secret")
            .answer()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn guessing_locks_an_account_for_a_while() {
    let door = Door::open().await;
    let uri = door.account("ann", "Operator").await;
    let policy = json!({"AccountLockoutThreshold": 3, "AccountLockoutDuration": 100, "AccountLockoutCounterResetAfter": 50});
    let policy = door
        .send("PATCH", SERVICE)
        .admin()
        .json(&policy)
        .answer()
        .await;
    assert_eq!(policy.body["AccountLockoutThreshold"], 3, "{policy:?}");
    for _ in 0..3 {
        door.send("GET", SYSTEMS)
            .basic("ann", "wrong password")
            .answer()
            .await
            .refused(401, "AccessUnauthorized");
    }
    door.send("GET", SYSTEMS)
        .user("ann")
        .answer()
        .await
        .refused(401, "AccessUnauthorized");
    assert_eq!(door.log_in("ann", &password("ann")).await.status, 401);
    assert_eq!(door.read(&uri).await.body["Locked"], true);
    let set = door
        .send("PATCH", &uri)
        .admin()
        .json(&json!({"Locked": false}))
        .answer()
        .await;
    assert_eq!(set.body["Locked"], false);
    assert_eq!(
        door.send("GET", SYSTEMS).user("ann").answer().await.status,
        200
    );
    for _ in 0..3 {
        door.log_in("ann", "wrong password")
            .await
            .refused(401, "AccessUnauthorized");
    }
    door.clock.advance(SignedDuration::from_secs(101));
    assert_eq!(
        door.send("GET", SYSTEMS).user("ann").answer().await.status,
        200
    );
}

#[tokio::test]
async fn nobody_is_locked_by_asking_for_what_is_open() {
    let door = Door::open().await;
    for _ in 0..20 {
        let root = door
            .send("GET", "/redfish/v1/")
            .basic(ADMIN.0, "wrong password")
            .answer()
            .await;
        assert_eq!(root.status, 200);
    }
    assert_eq!(door.read(SYSTEMS).await.status, 200);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let door = Door::open().await;
    let admin = format!("{ACCOUNTS}/1");
    assert_eq!(
        door.send("DELETE", &admin).admin().answer().await.status,
        409
    );
    for body in [json!({"Enabled": false}), json!({"RoleId": "ReadOnly"})] {
        assert_eq!(
            door.send("PATCH", &admin)
                .admin()
                .json(&body)
                .answer()
                .await
                .status,
            409,
            "{body}"
        );
    }
    assert_eq!(door.read(SYSTEMS).await.status, 200);
}

#[tokio::test]
async fn basic_authentication_can_be_hidden_or_switched_off() {
    let door = Door::open().await;
    let token = door
        .log_in(ADMIN.0, ADMIN.1)
        .await
        .header("x-auth-token")
        .to_owned();
    let off = door
        .send("PATCH", SERVICE)
        .token(&token)
        .json(&json!({"HTTPBasicAuth": "Disabled"}))
        .answer()
        .await;
    assert_eq!(off.body["HTTPBasicAuth"], "Disabled");
    let request =
        http::Request::get(SYSTEMS).header("authorization", "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==");
    let refused = door
        .app
        .answer(request.body(axum::body::Body::empty()).unwrap())
        .await;
    assert_eq!(refused.status(), 401);
    assert!(!refused.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn a_role_of_ones_own_gives_what_it_says() {
    let door = Door::open().await;
    let body = json!({"RoleId": "Auditor", "AssignedPrivileges": ["Login", "ConfigureUsers"]});
    let made = door.send("POST", ROLES).admin().json(&body).answer().await;
    assert_eq!(made.status, 201, "{made:?}");
    let uri = made.header("location").to_owned();
    assert_eq!(
        (&made.body["Id"], &made.body["IsPredefined"]),
        (&json!("Auditor"), &json!(false))
    );
    door.account("aud", "Auditor").await;
    assert_eq!(
        door.send("GET", &format!("{ACCOUNTS}/1"))
            .user("aud")
            .answer()
            .await
            .status,
        200
    );
    let tag = json!({"AssetTag": "x"});
    door.send("PATCH", &door.system(0))
        .user("aud")
        .json(&tag)
        .answer()
        .await
        .refused(403, "InsufficientPrivilege");
    // `{}` keeps what stands there, null takes it away.
    let change = json!({"AssignedPrivileges": [{}, null, "ConfigureComponents"]});
    let changed = door
        .send("PATCH", &uri)
        .admin()
        .json(&change)
        .answer()
        .await;
    assert_eq!(
        changed.body["AssignedPrivileges"],
        json!(["Login", "ConfigureComponents"]),
        "{changed:?}"
    );
    assert_eq!(
        door.send("PATCH", &door.system(0))
            .user("aud")
            .json(&tag)
            .answer()
            .await
            .status,
        200
    );
    assert_eq!(door.send("DELETE", &uri).admin().answer().await.status, 409);
}

#[tokio::test]
async fn predefined_roles_are_as_they_are() {
    let door = Door::open().await;
    for role in ["Administrator", "Operator", "ReadOnly"] {
        let uri = format!("{ROLES}/{role}");
        let before = door.read(&uri).await;
        assert_eq!(before.body["IsPredefined"], true);
        let change = json!({"AssignedPrivileges": ["Login"]});
        let answer = door
            .send("PATCH", &uri)
            .admin()
            .json(&change)
            .answer()
            .await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        let answer = door.send("DELETE", &uri).admin().answer().await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        assert_eq!(door.read(&uri).await.bytes, before.bytes);
    }
    for body in [
        json!({"RoleId": "Operator", "AssignedPrivileges": ["Login"]}),
        json!({"RoleId": "x", "AssignedPrivileges": ["NoAuth"]}),
        json!({"RoleId": "a b", "AssignedPrivileges": ["Login"]}),
        json!({"RoleId": "x", "AssignedPrivileges": [], "OemPrivileges": ["y"]}),
    ] {
        let answer = door.send("POST", ROLES).admin().json(&body).answer().await;
        assert!(matches!(answer.status.as_u16(), 400 | 409), "{answer:?}");
    }
}
