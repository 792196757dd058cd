//! A tree of our own under random requests.

use super::own::*;
use super::*;

/// A value that somebody could send.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("Once"),
            Just("Pxe"),
            Just("Lit"),
            Just("On"),
            Just("ForceOff"),
            Just("http://a.example/x")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![
            Just("Boot"),
            Just("Oem"),
            Just("Acme"),
            Just("AssetTag"),
            Just("Attributes"),
            Just("Turbo"),
            Just("Image"),
            Just("ResetType"),
            Just("UserName"),
            Just("Password"),
            Just("RoleId"),
            Just("BootSourceOverrideTarget"),
            Just("Members"),
            Just("Links"),
            Just("BootOrder"),
            Just("DateTime"),
            Just("SessionTimeout"),
            Just("Destination"),
            Just("@odata.id"),
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name.prop_map(str::to_owned), inner, 0..4)
                .prop_map(|all| Value::Object(Map::from_iter(all))),
        ]
    })
}

/// Whether something has all that the captured document shows, of the same kinds; null stands for anything.
fn has_shape(now: &Value, captured: &Value, at: &str) -> Result<(), String> {
    match (now, captured) {
        (Value::Object(now), Value::Object(captured)) => {
            for (name, captured) in captured.iter().filter(|(name, _)| *name != "Members") {
                let Some(now) = now.get(name) else {
                    return Err(format!("{at}/{name} is gone"));
                };
                has_shape(now, captured, &format!("{at}/{name}"))?;
            }
            let more = now.keys().find(|name| !captured.contains_key(*name));
            more.map_or(Ok(()), |name| Err(format!("{at}/{name} is new")))
        }
        (Value::Null, _) | (_, Value::Null) => Ok(()),
        (now, captured) if std::mem::discriminant(now) == std::mem::discriminant(captured) => {
            Ok(())
        }
        (now, captured) => Err(format!("{at}: {captured} became {now}")),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_sent_is_answered_and_leaves_documents_in_their_shape(
        sent in prop::collection::vec((0usize..4, any::<prop::sample::Index>(), anything()), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = World::builder().seed(1).traced(false).capture(tree()).start().await.unwrap();
            let client = Client::of(&world);
            let documents = tree().documents;
            let mut targets: Vec<String> = documents.keys().cloned().collect();
            targets.push(format!("{SYSTEM}/Do/Reset"));
            targets.push(format!("{SLOT}/Actions/VirtualMedia.InsertMedia"));
            targets.push(format!("{SLOT}/Actions/VirtualMedia.EjectMedia"));
            for (method, target, body) in &sent {
                let uri = target.get(&targets);
                let method = ["PATCH", "POST", "DELETE", "GET"][*method];
                // What ends everybody's sessions and accounts is tried elsewhere.
                let answer = client.send(method, uri, Some(body)).await;
                let status = answer.status();
                prop_assert!(
                    !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED || status == StatusCode::SERVICE_UNAVAILABLE,
                    "{method} {uri} {body}: {}", text(&answer)
                );
            }
            seconds(&world, 300).await;
            for (uri, document) in &documents {
                let answer = client.send("GET", uri, None).await;
                if answer.status() == StatusCode::OK && !uri.ends_with("/E") {
                    let captured = document.value().unwrap();
                    has_shape(&json_of(&answer), captured, uri).map_err(TestCaseError::fail)?;
                }
            }
            Ok(())
        })?;
    }
}
