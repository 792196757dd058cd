use futures::StreamExt as _;
use hawkfish_client::{Client, Kind, Missed, SERVICE_ROOT, Visited, Walk};
use hawkfish_sim::World;
use serde_json::{Value, json};

use super::tree::Tree;

async fn all(mut walk: Walk) -> (Vec<Visited>, Vec<Missed>, Walk) {
    let (mut visited, mut missed) = (Vec::new(), Vec::new());
    while let Some(found) = walk.next().await {
        match found {
            Ok(one) => visited.push(one),
            Err(one) => missed.push(one),
        }
    }
    (visited, missed, walk)
}

fn uris(visited: &[Visited]) -> Vec<&str> {
    visited.iter().map(|one| one.uri.as_str()).collect()
}

fn to(uris: &[&str]) -> Value {
    let links: Vec<Value> = uris.iter().map(|uri| json!({"@odata.id": uri})).collect();
    json!({"Name": "a place", "Links": {"Others": links}})
}

#[tokio::test]
async fn each_resource_is_read_once_however_it_is_linked_to() {
    let tree = Tree::of(
        [
            (
                "/redfish/v1/",
                to(&["/redfish/v1/A", "/redfish/v1/B/", "/redfish/v1"]),
            ),
            (
                "/redfish/v1/A",
                to(&[
                    "/redfish/v1/A/",
                    "/redfish/v1/B#/Parts/1",
                    "#/Links",
                    "http://bmc.example/redfish/v1/C",
                    "/redfish/v1/x/../C",
                    "",
                ]),
            ),
            (
                "/redfish/v1/B",
                to(&["/redfish/v1/A#/", "/redfish/v1/", "/redfish/v1/C"]),
            ),
            ("/redfish/v1/C", to(&[])),
        ],
        &[],
    );
    let (visited, missed, walk) = all(tree.client().walk(SERVICE_ROOT)).await;
    assert_eq!(
        uris(&visited),
        [
            "/redfish/v1/",
            "/redfish/v1/A",
            "/redfish/v1/B/",
            "/redfish/v1/C"
        ]
    );
    assert_eq!(
        tree.asked(),
        [
            "/redfish/v1/",
            "/redfish/v1/A",
            "/redfish/v1/B/",
            "/redfish/v1/C"
        ]
    );
    assert!(missed.is_empty() && walk.outside().is_empty(), "{missed:?}");
    assert_eq!(visited[0].from, None);
    assert_eq!(
        (visited[3].from.as_deref(), visited[3].depth),
        (Some("/redfish/v1/A"), 2)
    );
}

#[tokio::test]
async fn links_that_lead_out_of_the_service_are_told_and_not_followed() {
    let outside = [
        "http://elsewhere.example/redfish/v1/A",
        "//elsewhere.example/redfish/v1/A",
        "https://bmc.example/redfish/v1/A",
        "/images/a.iso",
        "/redfish/../etc/passwd",
        "/redfishes",
    ];
    let tree = Tree::of([("/redfish/v1/", to(&outside))], &[]);
    let (visited, missed, walk) = all(tree.client().walk(SERVICE_ROOT)).await;
    assert_eq!((visited.len(), missed.len()), (1, 0));
    assert_eq!(tree.asked(), ["/redfish/v1/"]);
    let mut expected = outside.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(walk.outside().iter().cloned().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_an_item_and_the_walk_goes_on() {
    let tree = Tree::of(
        [
            (
                "/redfish/v1/",
                to(&[
                    "/redfish/v1/Gone",
                    "/redfish/v1/Broken",
                    "/redfish/v1/List",
                    "/redfish/v1/A",
                ]),
            ),
            ("/redfish/v1/Broken", Value::Null),
            ("/redfish/v1/List", json!([1, 2])),
            ("/redfish/v1/A", to(&[])),
        ],
        &[],
    );
    let (visited, missed, _) = all(tree.client().walk(SERVICE_ROOT)).await;
    assert_eq!(uris(&visited), ["/redfish/v1/", "/redfish/v1/A"]);
    let why: Vec<(&str, Kind, u16)> = missed
        .iter()
        .map(|one| {
            let status = one.response.as_ref().unwrap().status.as_u16();
            (one.uri.as_str(), one.error.kind, status)
        })
        .collect();
    assert_eq!(
        why,
        [
            ("/redfish/v1/Gone", Kind::NotFound, 404),
            ("/redfish/v1/Broken", Kind::Service, 500),
            ("/redfish/v1/List", Kind::Protocol, 200),
        ]
    );
    assert_eq!(missed[0].from.as_deref(), Some("/redfish/v1/"));
}

#[tokio::test]
async fn a_walk_ends_at_its_limits_and_says_what_is_left() {
    let tree = Tree::collections(30, &[]);
    let mut root = to(&["/redfish/v1/A", "/redfish/v1/B"]);
    root["Deep"] = json!({"Deeper": [{"@odata.id": "/redfish/v1/A"}]});
    let mut tree = tree;
    tree.set("/redfish/v1/", root);
    let client = tree.client();
    let (visited, _, walk) = all(client.walk(SERVICE_ROOT).at_most(10)).await;
    assert_eq!((visited.len(), walk.left()), (10, 53));
    assert_eq!(tree.asked().len(), 10);
    let (visited, _, walk) = all(client.walk(SERVICE_ROOT).depth(1)).await;
    assert_eq!(
        uris(&visited),
        ["/redfish/v1/", "/redfish/v1/A", "/redfish/v1/B"]
    );
    assert_eq!(walk.left(), 0);
    let only_a = client
        .walk("/redfish/v1/A")
        .follow_if(|uri| uri.ends_with('7'));
    let (visited, ..) = all(only_a).await;
    assert_eq!(
        uris(&visited),
        [
            "/redfish/v1/A",
            "/redfish/v1/A/7",
            "/redfish/v1/A/17",
            "/redfish/v1/A/27"
        ]
    );
}

#[tokio::test]
async fn some_are_read_at_once_and_the_order_stays() {
    let mut tree = Tree::collections(30, &[]).slow();
    tree.set("/redfish/v1/", to(&["/redfish/v1/A", "/redfish/v1/B"]));
    let client = tree.client();
    let (visited, ..) = all(client.walk(SERVICE_ROOT)).await;
    let mut expected = vec![
        "/redfish/v1/".into(),
        "/redfish/v1/A".into(),
        "/redfish/v1/B".into(),
    ];
    for collection in ["A", "B"] {
        expected.extend((1..=30).map(|id| format!("/redfish/v1/{collection}/{id}")));
    }
    assert_eq!(uris(&visited), expected);
    assert!((2..=8).contains(&tree.most()), "{}", tree.most());
    let alone = client.walk(SERVICE_ROOT).at_once(1);
    tree.asked();
    let (visited, ..) = all(alone).await;
    assert_eq!(
        (uris(&visited), tree.asked()),
        (
            expected.iter().map(String::as_str).collect(),
            expected.clone()
        )
    );
}

#[tokio::test]
async fn documents_are_read_only_if_asked_for() {
    let tree = Tree::of(
        [
            ("/redfish/v1/", to(&["/redfish/v1/S"])),
            (
                "/redfish/v1/S",
                json!({"Location": [{"Uri": "/redfish/v1/schemas/S.json"}],
                    "Actions": {"#S.Do": {"@Redfish.ActionInfo": "/redfish/v1/S/DoInfo"}}}),
            ),
            ("/redfish/v1/S/DoInfo", to(&[])),
            ("/redfish/v1/schemas/S.json", json!({"type": "object"})),
        ],
        &[],
    );
    let client = tree.client();
    let (visited, ..) = all(client.walk(SERVICE_ROOT)).await;
    assert_eq!(visited.len(), 2);
    let (visited, ..) = all(client.walk(SERVICE_ROOT).documents()).await;
    assert_eq!(visited.len(), 4);
}

/// As plainly as it can be said.
async fn by_hand(client: &Client) -> Vec<String> {
    fn links(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match value.as_str() {
                        Some(uri) if name == "@odata.id" || name.ends_with("nextLink") => {
                            into.push(uri.split('#').next().unwrap().to_owned());
                        }
                        _ => links(value, into),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| links(item, into)),
            _ => {}
        }
    }
    let mut found = vec![SERVICE_ROOT.to_owned()];
    let mut at = 0;
    while let Some(uri) = found.get(at) {
        let body = client.get_value(uri).await.unwrap().value;
        let mut more = Vec::new();
        links(&body, &mut more);
        for link in more {
            let slash = format!("{link}/");
            if !found.contains(&link) && !found.contains(&slash) {
                found.push(link);
            }
        }
        at += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_simulated_service_is_walked_and_nothing_is_missed() {
    let world = World::builder().seed(6).systems(2).start().await.unwrap();
    let client = world.client().unwrap();
    let (visited, missed, walk) = all(client.walk(SERVICE_ROOT)).await;
    assert!(missed.is_empty(), "{missed:?}");
    assert!(walk.outside().is_empty(), "{:?}", walk.outside());
    let expected = by_hand(&client).await;
    assert!(expected.len() > 200, "{}", expected.len());
    assert_eq!(uris(&visited), expected);
}
