//! Query parameters: what they choose, bring in and leave out, and that what they say of themselves is true.

use serde_json::{Value, json};

use crate::door::{Answer, Door, SYSTEMS};

async fn ask(door: &Door, uri: &str, query: &str) -> Answer {
    door.send("GET", &format!("{uri}?{query}"))
        .admin()
        .answer()
        .await
}

async fn get(door: &Door, uri: &str, query: &str) -> Value {
    let answer = ask(door, uri, query).await;
    assert_eq!(answer.status, 200, "{uri}?{query}: {answer:?}");
    answer.body
}

fn names(collection: &Value) -> Vec<&str> {
    let members = collection["Members"].as_array().unwrap();
    members
        .iter()
        .map(|m| m["Name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn expanded_members_are_what_reading_each_gives() {
    let door = Door::open().await;
    let one = door.read(&door.system(0)).await.body;
    let two = door.read(&door.system(1)).await.body;
    let plain = door.read(SYSTEMS).await;
    for query in ["$expand=.", "$expand=*", "$expand=.($levels=1)"] {
        let answer = ask(&door, SYSTEMS, query).await;
        assert_eq!(answer.body["Members"], json!([one, two]), "{query}");
        assert_eq!(answer.body["Members@odata.count"], 2);
        assert_eq!(answer.header("etag"), plain.header("etag"));
        assert_eq!(answer.body["@odata.etag"], plain.body["@odata.etag"]);
    }
    // Members are not in Links.
    assert_eq!(get(&door, SYSTEMS, "$expand=~").await, plain.body);
}

#[tokio::test]
async fn levels_and_kinds_of_links_decide_how_far_an_expansion_goes() {
    let door = Door::open().await;
    let system = door.system(0);
    let media = format!("{system}/VirtualMedia");

    let subordinate = get(&door, &system, "$expand=.").await;
    assert_eq!(subordinate["VirtualMedia"], door.read(&media).await.body);
    assert_eq!(subordinate["Links"], door.read(&system).await.body["Links"]);

    let related = get(&door, &system, "$expand=~").await;
    assert_eq!(related["VirtualMedia"], json!({"@odata.id": media}));
    assert_eq!(related["Links"]["Chassis"][0]["ChassisType"], "Other");
    assert_eq!(related["Links"]["ManagedBy"][0]["ManagerType"], "BMC");

    let deep = get(&door, SYSTEMS, "$expand=.($levels=3)").await;
    assert_eq!(deep["Members"][0]["VirtualMedia"]["Members"][0]["Id"], "Cd");

    // A system stands inside its chassis, but not inside itself.
    let all = get(&door, &system, "$expand=*($levels=3)").await;
    let back = &all["Links"]["Chassis"][0]["Links"]["ComputerSystems"][0];
    assert_eq!(*back, json!({"@odata.id": system}));
}

#[tokio::test]
async fn an_expansion_shows_nobody_what_they_may_not_read() {
    let door = Door::open().await;
    // The service root is open to everybody, what it links to is not.
    let answer = door
        .send("GET", "/redfish/v1/?$expand=*($levels=6)")
        .answer()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body["Systems"], json!({"@odata.id": SYSTEMS}));
    assert_eq!(
        answer.body["AccountService"],
        json!({"@odata.id": "/redfish/v1/AccountService"})
    );
}

#[tokio::test]
async fn a_filter_chooses_members_and_their_count() {
    let door = Door::open().await;
    let first = door.read(&door.system(0)).await.body;
    let name = first["Name"].as_str().unwrap();
    let found = get(
        &door,
        SYSTEMS,
        &format!("$filter=Name%20eq%20'{name}'&$expand=."),
    )
    .await;
    assert_eq!(found["Members"], json!([first]));
    assert_eq!(found["Members@odata.count"], 1);
    for (filter, count) in [
        ("PowerState+eq+'Off'", 2),
        ("PowerState+ne+'Off'", 0),
        ("Status/Health+eq+'OK'+and+not+(Name+eq+'x')", 2),
        ("ProcessorSummary/LogicalProcessorCount+gt+0", 2),
        (
            "MemorySummary/TotalSystemMemoryGiB+lt+1+or+Boot/BootSourceOverrideEnabled+eq+'Disabled'",
            2,
        ),
    ] {
        let found = get(&door, SYSTEMS, &format!("$filter={filter}")).await;
        assert_eq!(found["Members@odata.count"], count, "{filter}");
        assert_eq!(
            found["Members"].as_array().unwrap().len(),
            count,
            "{filter}"
        );
    }
    for bad in [
        "PowerState+eq+1",
        "MemorySummary/TotalSystemMemoryGiB+gt+'4'",
    ] {
        let answer = ask(&door, SYSTEMS, &format!("$filter={bad}")).await;
        answer.refused(400, "QueryParameterValueTypeError");
    }
    for bad in ["Name", "Name+eq", "(Name+eq+'x'", "Name+is+'x'"] {
        let answer = ask(&door, SYSTEMS, &format!("$filter={bad}")).await;
        match bad {
            // A path alone asks whether it is true.
            "Name" => assert_eq!(answer.body["Members@odata.count"], 0),
            _ => drop(answer.refused(400, "QueryParameterValueFormatError")),
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_to_the_end_and_keep_the_query() {
    let door = Door::open().await;
    for name in ["anna", "bert", "carl", "dora"] {
        door.account(name, "ReadOnly").await;
    }
    let uri = "/redfish/v1/AccountService/Accounts";
    let mut seen = Vec::new();
    let mut next = format!("{uri}?$filter=RoleId%20eq%20'ReadOnly'&$top=3&$expand=.");
    let mut pages = 0;
    loop {
        let page = door.read(&next).await.body;
        assert_eq!(
            page["Members@odata.count"], 4,
            "the count is that of all pages"
        );
        for member in page["Members"].as_array().unwrap() {
            seen.push(member["UserName"].as_str().unwrap().to_owned());
        }
        pages += 1;
        match page.get("Members@odata.nextLink") {
            Some(link) => next = link.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(
        (pages, seen),
        (
            2,
            ["anna", "bert", "carl", "dora"].map(str::to_owned).to_vec()
        )
    );

    let beyond = get(&door, uri, "$skip=99").await;
    assert_eq!(beyond["Members"], json!([]));
    assert_eq!(beyond["Members@odata.count"], 5);
    let none = get(&door, uri, "$top=0").await;
    assert_eq!(none["Members"], json!([]));
    assert_eq!(none.get("Members@odata.nextLink"), None);
}

#[tokio::test]
async fn a_selection_leaves_what_names_the_resource() {
    let door = Door::open().await;
    let system = door.system(0);
    let whole = door.read(&system).await.body;
    let part = get(&door, &system, "$select=Name,Boot/BootSourceOverrideTarget").await;
    let boot = &whole["Boot"];
    assert_eq!(
        part,
        json!({
            "@odata.etag": whole["@odata.etag"], "@odata.id": whole["@odata.id"], "@odata.type": whole["@odata.type"],
            "Name": whole["Name"],
            "Boot": {
                "BootSourceOverrideTarget": boot["BootSourceOverrideTarget"],
                "BootSourceOverrideTarget@Redfish.AllowableValues": boot["BootSourceOverrideTarget@Redfish.AllowableValues"],
            },
        })
    );
    let members = get(&door, SYSTEMS, "$expand=.&$select=Name").await;
    assert_eq!(names(&members).len(), 2);
    assert_eq!(members["Members"][0].as_object().unwrap().len(), 4);
    assert_eq!(members["Members@odata.count"], 2);
    ask(&door, &system, "$select=")
        .await
        .refused(400, "QueryParameterValueFormatError");
}

#[tokio::test]
async fn only_gives_the_one_member_and_the_collection_where_there_are_more() {
    let door = Door::open().await;
    let accounts = "/redfish/v1/AccountService/Accounts";
    let only = get(&door, accounts, "only").await;
    assert_eq!(only["UserName"], "admin");
    assert_eq!(
        get(&door, SYSTEMS, "only").await,
        door.read(SYSTEMS).await.body
    );
    ask(&door, accounts, "only=foo")
        .await
        .refused(400, "QueryParameterValueFormatError");
    ask(&door, accounts, "only&$top=1")
        .await
        .refused(400, "QueryCombinationInvalid");
    ask(&door, &door.system(0), "only")
        .await
        .refused(400, "QueryNotSupportedOnResource");
    ask(&door, &door.system(0), "$top=1")
        .await
        .refused(400, "QueryNotSupportedOnResource");
}

#[tokio::test]
async fn the_service_root_tells_the_truth_about_queries() {
    let door = Door::open().await;
    let features = door.read("/redfish/v1/").await.body["ProtocolFeaturesSupported"].clone();
    for (feature, query) in [
        ("FilterQuery", "$filter=Id+ne+'x'"),
        ("SelectQuery", "$select=Name"),
        ("TopSkipQuery", "$top=1&$skip=1"),
        ("OnlyMemberQuery", "only"),
        ("ExcerptQuery", "excerpt"),
        ("IncludeOriginOfConditionQuery", "includeoriginofcondition"),
    ] {
        assert_eq!(features[feature], true, "{feature}");
        assert_eq!(ask(&door, SYSTEMS, query).await.status, 200, "{query}");
    }
    let expand = &features["ExpandQuery"];
    for (feature, query) in [
        ("ExpandAll", "*"),
        ("Links", "~"),
        ("NoLinks", "."),
        ("Levels", ".($levels=2)"),
    ] {
        assert_eq!(expand[feature], true, "{feature}");
        assert_eq!(
            ask(&door, SYSTEMS, &format!("$expand={query}"))
                .await
                .status,
            200,
            "{query}"
        );
    }
    let most = expand["MaxLevels"].as_u64().unwrap();
    assert_eq!(
        ask(&door, SYSTEMS, &format!("$expand=.($levels={most})"))
            .await
            .status,
        200
    );
    ask(&door, SYSTEMS, &format!("$expand=.($levels={})", most + 1))
        .await
        .refused(400, "QueryParameterOutOfRange");
    // And what is not said is not to be had.
    assert_eq!(features.get("DeepOperations"), None);
}
