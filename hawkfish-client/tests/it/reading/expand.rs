use futures::StreamExt as _;
use hawkfish_client::{Fetched, Kind};
use serde_json::{Value, json};

use super::tree::{Expand, Tree};

const A: &str = "/redfish/v1/A";
const B: &str = "/redfish/v1/B";

fn numbers(read: &[Fetched<Value>]) -> Vec<u64> {
    read.iter()
        .map(|one| one.value["Number"].as_u64().unwrap())
        .collect()
}

fn expanded(collection: &str) -> String {
    format!("{collection}?$expand=.($levels=1)")
}

fn each(collection: &str, members: usize) -> impl Iterator<Item = String> {
    (1..=members).map(move |id| format!("{collection}/{id}"))
}

#[tokio::test]
async fn a_collection_that_can_be_expanded_is_one_request_and_the_root_is_read_once() {
    let tree = Tree::collections(20, &[(A, Expand::Works), (B, Expand::Works)]);
    let client = tree.client();
    let read = client.resources(A).await.unwrap();
    assert_eq!(numbers(&read), (1..=20).collect::<Vec<u64>>());
    assert_eq!(read[4].uri, "/redfish/v1/A/5");
    assert_eq!(read[4].etag.as_ref().unwrap().as_str(), "\"5\"");
    client.clone().resources(B).await.unwrap();
    assert_eq!(tree.asked(), ["/redfish/v1/", &expanded(A), &expanded(B)]);
}

#[tokio::test]
async fn without_expand_the_members_are_read_at_once_but_not_all_and_come_in_order() {
    let tree = Tree::collections(40, &[]).slow();
    let read = tree.client().resources(A).await.unwrap();
    assert_eq!(numbers(&read), (1..=40).collect::<Vec<u64>>());
    let asked = tree.asked();
    assert!(
        asked.len() == 42 && !asked.iter().any(|uri| uri.contains('?')),
        "{asked:?}"
    );
    assert!((2..=8).contains(&tree.most()), "{}", tree.most());
}

#[tokio::test]
async fn an_expand_that_is_refused_is_tried_once_and_never_again() {
    for status in [400, 404, 500, 501] {
        let refused = Expand::Refused(status);
        let tree = Tree::collections(2, &[(A, refused), (B, refused)]);
        let client = tree.client();
        assert_eq!(numbers(&client.resources(A).await.unwrap()), [1, 2]);
        let mut expected = vec!["/redfish/v1/".to_owned(), expanded(A), A.to_owned()];
        expected.extend(each(A, 2));
        assert_eq!(tree.asked(), expected, "{status}");
        assert_eq!(numbers(&client.resources(B).await.unwrap()), [1, 2]);
        assert_eq!(tree.asked()[0], B, "{status}");
    }
}

#[tokio::test]
async fn an_expand_that_is_ignored_costs_no_second_request_for_the_collection() {
    let tree = Tree::collections(3, &[(A, Expand::Ignored)]);
    let client = tree.client();
    assert_eq!(numbers(&client.resources(A).await.unwrap()), [1, 2, 3]);
    let mut expected = vec!["/redfish/v1/".to_owned(), expanded(A)];
    expected.extend(each(A, 3));
    assert_eq!(tree.asked(), expected);
    client.resources(A).await.unwrap();
    assert_eq!(tree.asked()[0], A);
}

#[tokio::test]
async fn members_that_came_without_what_every_resource_has_are_read() {
    let tree = Tree::collections(2, &[(A, Expand::Bare)]);
    let client = tree.client();
    let read = client.resources(A).await.unwrap();
    assert_eq!(read[1].value["Name"], "Member");
    assert_eq!(tree.asked().len(), 4);
    client.resources(A).await.unwrap();
    assert_eq!(tree.asked()[0], A);
}

#[tokio::test]
async fn a_member_that_stayed_a_link_is_read_and_expand_is_used_again() {
    let tree = Tree::collections(3, &[(A, Expand::NotTheFirst)]);
    let client = tree.client();
    assert_eq!(numbers(&client.resources(A).await.unwrap()), [1, 2, 3]);
    assert_eq!(
        tree.asked(),
        ["/redfish/v1/", &expanded(A), "/redfish/v1/A/1"]
    );
    client.resources(A).await.unwrap();
    assert_eq!(tree.asked(), [&expanded(A), "/redfish/v1/A/1"]);
}

#[tokio::test]
async fn where_expand_works_a_collection_without_it_costs_the_others_nothing() {
    let tree = Tree::collections(2, &[(A, Expand::Works), (B, Expand::Refused(500))]);
    let client = tree.client();
    client.resources(A).await.unwrap();
    client.resources(B).await.unwrap();
    tree.asked();
    client.resources(A).await.unwrap();
    client.resources(B).await.unwrap();
    let mut expected = vec![expanded(A), B.to_owned()];
    expected.extend(each(B, 2));
    assert_eq!(tree.asked(), expected);
}

#[tokio::test]
async fn a_collection_that_is_not_there_says_nothing_of_expand() {
    let tree = Tree::collections(2, &[(A, Expand::Works)]);
    let client = tree.client();
    let error = client.resources("/redfish/v1/Nothing").await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    tree.asked();
    client.resources(A).await.unwrap();
    assert_eq!(tree.asked(), [expanded(A)]);
}

#[tokio::test]
async fn expanded_pages_are_followed_and_pages_in_a_circle_are_an_error() {
    let member = |id: u64| json!({"@odata.id": format!("/redfish/v1/C/{id}"), "Id": id.to_string(), "Name": "M", "Number": id});
    let first = json!({"Members": [member(1), member(2)], "Members@odata.nextLink": "/redfish/v1/C?$skip=2"});
    let mut tree = Tree::of(
        [
            ("/redfish/v1/C?$expand=.($levels=1)", first.clone()),
            ("/redfish/v1/C/1", member(1)),
            ("/redfish/v1/C/2", member(2)),
            ("/redfish/v1/C?$skip=2", json!({"Members": [member(3)]})),
        ],
        &[("/redfish/v1/C", Expand::Works)],
    );
    let read = tree.client().resources("/redfish/v1/C").await.unwrap();
    assert_eq!(numbers(&read), [1, 2, 3]);
    assert_eq!(tree.asked().len(), 3);
    let circle = json!({"Members": [member(3)], "Members@odata.nextLink": "/redfish/v1/C?$skip=2"});
    tree = Tree::of(
        [
            ("/redfish/v1/C?$expand=.($levels=1)", first),
            ("/redfish/v1/C/1", member(1)),
            ("/redfish/v1/C/2", member(2)),
            ("/redfish/v1/C?$skip=2", circle),
        ],
        &[("/redfish/v1/C", Expand::Works)],
    );
    let error = tree.client().resources("/redfish/v1/C").await.unwrap_err();
    assert_eq!(error.kind, Kind::Protocol);
}

#[tokio::test]
async fn a_member_that_cannot_be_read_is_an_error_in_its_place_and_the_others_follow() {
    let mut tree = Tree::collections(4, &[]);
    tree.set("/redfish/v1/A/2", Value::Null);
    let client = tree.client();
    let items: Vec<_> = client.resources(A).stream().collect().await;
    let read: Vec<Result<u64, Kind>> = items
        .into_iter()
        .map(|item| match item {
            Ok(member) => Ok(member.value["Number"].as_u64().unwrap()),
            Err(error) => Err(error.kind),
        })
        .collect();
    assert_eq!(read, [Ok(1), Err(Kind::Service), Ok(3), Ok(4)]);
    assert_eq!(client.resources(A).await.unwrap_err().kind, Kind::Service);
}

#[tokio::test]
async fn only_what_is_selected_is_asked_for_where_the_service_can_select() {
    let tree = Tree::collections(2, &[(A, Expand::Works), (B, Expand::Refused(501))]);
    let client = tree.client();
    client.resources(A).select(["Number"]).await.unwrap();
    assert_eq!(
        tree.asked()[1],
        "/redfish/v1/A?$expand=.($levels=1)&$select=Number"
    );
    client.resources(B).select(["Number"]).await.unwrap();
    assert_eq!(
        tree.asked()[2..],
        [
            "/redfish/v1/B/1?$select=Number",
            "/redfish/v1/B/2?$select=Number"
        ]
    );
    let plain = Tree::collections(2, &[]);
    let read = plain
        .client()
        .resources(A)
        .select(["Number"])
        .await
        .unwrap();
    assert_eq!(numbers(&read), [1, 2]);
    assert!(!plain.asked().iter().any(|uri| uri.contains("select")));
}

#[tokio::test]
async fn features_are_what_the_root_says_and_it_is_read_once() {
    let tree = Tree::collections(1, &[(A, Expand::Works)]);
    let client = tree.client();
    let features = client.features().await.unwrap();
    assert!(features.select && features.expand.no_links && !features.expand.all);
    assert_eq!(features.expand.max_levels, Some(2));
    client.features().await.unwrap();
    assert_eq!(tree.asked(), ["/redfish/v1/"]);
}
