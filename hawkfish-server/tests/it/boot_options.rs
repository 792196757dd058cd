//! Boot options: each is there, and can be taken out of the boot order and put back.

use serde_json::json;

use crate::door::Door;

#[tokio::test]
async fn a_disabled_boot_option_leaves_the_boot_order_and_comes_back_at_its_end() {
    let door = Door::open().await;
    let system = door.system(0);
    let order = door.read(&system).await.body["Boot"]["BootOrder"].clone();
    let order: Vec<String> = serde_json::from_value(order).unwrap();
    assert!(order.len() > 1, "{order:?}");
    let first = format!("{system}/BootOptions/{}", order[0]);
    let option = door.read(&first).await;
    assert_eq!(option.body["BootOptionEnabled"], true);
    assert_eq!(option.body["BootOptionReference"], order[0]);

    for (enabled, expected) in [
        (false, order[1..].to_vec()),
        (true, [&order[1..], &order[..1]].concat()),
    ] {
        let body = json!({ "BootOptionEnabled": enabled });
        let answer = door
            .send("PATCH", &first)
            .admin()
            .json(&body)
            .answer()
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body["BootOptionEnabled"], enabled);
        let system = door.read(&system).await.body;
        assert_eq!(system["Boot"]["BootOrder"], json!(expected));
    }
    let listed = door.read(&format!("{system}/BootOptions")).await.body;
    let known = door.read(&system).await.body["Boot"]["BootOrder@Redfish.AllowableValues"].clone();
    assert_eq!(
        listed["Members@odata.count"],
        known.as_array().unwrap().len()
    );
    let missing = format!("{system}/BootOptions/Boot9999");
    door.send("GET", &missing)
        .admin()
        .answer()
        .await
        .refused(404, "ResourceMissingAtURI");
}
