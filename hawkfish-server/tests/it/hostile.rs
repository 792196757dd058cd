//! Anything at all, sent to anywhere: never a panic, never a hang, never an answer that is not Redfish. `Door` holds every answer against that.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::door::{Door, password};

fn places() -> impl Strategy<Value = String> {
    let templates: Vec<&'static str> = hawkfish_server::resource::ALL
        .iter()
        .map(|resource| resource.uri)
        .collect();
    let id = prop_oneof![
        Just("1".to_owned()),
        Just("admin".to_owned()),
        Just("SYSTEM".to_owned()),
        "[A-Za-z0-9._~%!$&'()*+,;=:@-]{0,140}",
    ];
    let tail = prop_oneof![
        3 => Just(String::new()),
        1 => Just("/".to_owned()),
        1 => Just("/Members".to_owned()),
        1 => Just("/Actions/ComputerSystem.Reset".to_owned()),
        1 => "/Actions/[A-Za-z.]{0,30}",
        1 => "(/[A-Za-z0-9%._-]{0,12}){0,6}",
    ];
    let query = prop_oneof![4 => Just(String::new()), 1 => "\\?[A-Za-z0-9$%&=,.'()*~+-]{0,60}"];
    (proptest::sample::select(templates), id, tail, query).prop_map(
        |(template, id, tail, query)| {
            let part = |segment: &str| {
                if segment.starts_with('{') {
                    id.clone()
                } else {
                    segment.to_owned()
                }
            };
            let path = template.split('/').map(part).collect::<Vec<_>>().join("/");
            format!("{path}{tail}{query}")
        },
    )
}

fn json_values() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        proptest::sample::select(vec![
            "AssetTag",
            "Boot",
            "BootOrder",
            "BootSourceOverrideTarget",
            "BootSourceOverrideEnabled",
            "BootSourceOverrideMode",
            "ResetType",
            "UserName",
            "Password",
            "RoleId",
            "AssignedPrivileges",
            "Enabled",
            "Locked",
            "SessionTimeout",
            "Image",
            "Inserted",
            "WriteProtected",
            "TransferProtocolType",
            "HTTPBasicAuth",
            "MinPasswordLength",
            "AccountLockoutThreshold",
            "TaskAutoDeleteTimeoutMinutes",
            "@odata.id",
            "LocationIndicatorActive",
            "HttpBootUri",
            "PowerRestorePolicy",
            "AccountTypes",
            "NewPassword",
            "SessionAccountPassword",
        ])
        .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        proptest::sample::select(vec![
            "Cd",
            "Once",
            "UEFI",
            "On",
            "ForceOff",
            "Nmi",
            "file:///etc/shadow",
            "http://127.0.0.1/x.iso",
            "<x/>",
            "]]>",
            "Administrator"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => json_values().prop_map(|value| value.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
        1 => "[\\[\\]{}\",:0-9a-z\\\\ ]{0,60}".prop_map(String::into_bytes),
        1 => (1usize..3000).prop_map(|depth| "[".repeat(depth).into_bytes()),
    ]
}

fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let name = proptest::sample::select(vec![
        "accept",
        "content-type",
        "if-match",
        "if-none-match",
        "odata-version",
        "x-auth-token",
        "content-length",
        "expect",
        "range",
        "transfer-encoding",
        "x-request-id",
        "host",
        "prefer",
        "cookie",
        "x-http-method-override",
    ]);
    let value = prop_oneof![
        "[ -~]{0,60}",
        Just("*".to_owned()),
        Just("application/json".to_owned()),
        Just("\"x\", W/\"y\"".to_owned())
    ];
    proptest::collection::vec((name, value), 0..4)
}

fn methods() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE", "M-SEARCH",
    ])
}

#[test]
fn nothing_that_is_sent_breaks_the_service() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let door = runtime.block_on(async {
        let door = Door::open().await;
        door.account("fuzz", "Administrator").await;
        door
    });
    let system = door.system(0).rsplit('/').next().unwrap().to_owned();
    let mut runner = TestRunner::new(Config {
        cases: 1500,
        failure_persistence: None,
        ..Config::default()
    });
    let inputs = (methods(), places(), headers(), bodies(), any::<bool>());
    let result = runner.run(&inputs, |(method, place, headers, body, known)| {
        let place = place.replace("SYSTEM", &system);
        // What no URI can hold never gets here: hyper refuses it.
        prop_assume!(place.parse::<http::Uri>().is_ok());
        let mut sending = door.send(method, &place).raw(body);
        for (name, value) in &headers {
            sending = sending.header(name, value);
        }
        if known {
            sending = sending.user("fuzz");
        }
        let answer = runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(20), sending.answer()).await
        });
        let answer = answer.map_err(|_| TestCaseError::fail(format!("{method} {place} hangs")))?;
        prop_assert!(answer.status != 500, "{method} {place}: {answer:?}");
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    // And it still works.
    let after = runtime.block_on(door.send("GET", "/redfish/v1/").answer());
    assert_eq!(after.status, 200);
}

#[tokio::test]
async fn image_addresses_that_policy_refuses_are_refused_by_name() {
    let door = Door::open().await;
    let media = door.read(&format!("{}/VirtualMedia", door.system(0))).await;
    let slot = media.body["Members"][0]["@odata.id"]
        .as_str()
        .unwrap()
        .to_owned();
    let insert = format!("{slot}/Actions/VirtualMedia.InsertMedia");
    for image in [
        "file:///etc/shadow",
        "http://127.0.0.1/x.iso",
        "http://169.254.169.254/latest",
        "http://[::1]/x.iso",
        "gopher://x/y",
        "x",
        "http://localhost:1/x.iso",
    ] {
        let body = json!({"Image": image, "Inserted": true});
        let answer = door
            .send("POST", &insert)
            .admin()
            .json(&body)
            .answer()
            .await;
        assert_eq!(answer.status, 400, "{image}: {answer:?}");
        let slot = door.read(&slot).await;
        assert_eq!(slot.body["Inserted"], false, "{image}");
    }
}

#[tokio::test]
async fn a_name_that_is_markup_stays_a_name() {
    let door = Door::open().await;
    for name in [
        "<script>alert(1)</script>",
        "\"};--",
        "a]]>b",
        "😀",
        "&amp;",
    ] {
        let body = json!({"UserName": name, "Password": password("x"), "RoleId": "ReadOnly"});
        let made = door
            .send("POST", crate::door::ACCOUNTS)
            .admin()
            .json(&body)
            .answer()
            .await;
        if made.status == 201 {
            assert_eq!(made.body["UserName"], name);
        } else {
            assert_eq!(made.status, 400, "{made:?}");
        }
        let tag = json!({"AssetTag": name});
        let set = door
            .send("PATCH", &door.system(0))
            .admin()
            .json(&tag)
            .answer()
            .await;
        if set.status == 200 {
            assert_eq!(set.body["AssetTag"], name);
        } else {
            assert_eq!(set.status, 400, "{set:?}");
        }
    }
}
