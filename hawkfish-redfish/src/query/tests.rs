use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn system() -> Value {
    json!({
        "@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#X", "@odata.etag": "\"1\"",
        "Id": "1", "Name": "it's one", "PowerState": "On", "PowerState@Redfish.AllowableValues": ["On", "Off"],
        "ProcessorSummary": {"Count": 2, "Model": "Kestrel", "Status": {"Health": "OK", "State": "Enabled"}},
        "MemorySummary": {"TotalSystemMemoryGiB": 32.5},
        "AssetTag": null, "LocationIndicatorActive": true,
        "Members": [{"Health": "OK", "Count": 1}, {"Health": "Critical", "Count": 9}],
    })
}

#[test]
fn filters_mean_what_they_say() {
    for (filter, expected) in [
        ("PowerState eq 'On'", true),
        ("PowerState ne 'On'", false),
        ("Name eq 'it''s one'", true),
        ("ProcessorSummary/Count gt 1", true),
        (
            "ProcessorSummary/Count ge 2 and ProcessorSummary/Count le 2",
            true,
        ),
        ("ProcessorSummary/Count lt 2", false),
        ("MemorySummary/TotalSystemMemoryGiB gt 32", true),
        ("ProcessorSummary/Count eq 2.0", true),
        ("AssetTag eq null", true),
        ("NoSuch eq null", true),
        ("NoSuch/Deep ne null", false),
        ("NoSuch eq 'x'", false),
        ("LocationIndicatorActive", true),
        ("not LocationIndicatorActive", false),
        ("LocationIndicatorActive eq true", true),
        ("PowerState", false),
        ("'On' eq PowerState", true),
        // and binds closer than or, parentheses closer than both.
        (
            "PowerState eq 'On' or PowerState eq 'x' and AssetTag eq 'x'",
            true,
        ),
        (
            "(PowerState eq 'On' or PowerState eq 'x') and AssetTag eq 'x'",
            false,
        ),
        ("not (PowerState eq 'Off')", true),
        ("not(PowerState eq 'Off')and(Id eq '1')", true),
        ("not not LocationIndicatorActive", true),
        ("Members/Health eq 'Critical'", true),
        ("Members/Count gt 9", false),
        ("PowerState gt 5", false),
        ("PowerState lt 5", false),
        ("PowerState ne 5", true),
        ("@odata.id eq '/redfish/v1/Systems/1'", true),
    ] {
        let parsed = Filter::parse(filter).unwrap_or_else(|| panic!("{filter}"));
        assert_eq!(parsed.matches(&system()), expected, "{filter}");
    }
}

#[test]
fn what_is_no_filter_is_refused() {
    for bad in [
        "",
        " ",
        "PowerState eq",
        "eq 'On'",
        "PowerState is 'On'",
        "PowerState eq 'On",
        "(PowerState eq 'On'",
        "PowerState eq 'On')",
        "PowerState eq 'On' and",
        "PowerState = 'On'",
        "a//b eq 1",
        "/a eq 1",
        "a eq 1x",
        "a eq -",
        "a eq 01",
        "a eq 'x' 'y'",
        "not",
        "a eq b eq c",
        "a\"b eq 1",
        "contains(Name,'x')",
    ] {
        assert_eq!(Filter::parse(bad), None, "{bad}");
    }
    let deep = |n: usize| format!("{}a eq 1{}", "(".repeat(n), ")".repeat(n));
    assert!(Filter::parse(&deep(MAX_DEPTH - 1)).is_some());
    assert!(Filter::parse(&deep(100_000)).is_none());
    assert!(Filter::parse(&"not ".repeat(100_000)).is_none());
}

#[test]
fn a_selection_keeps_what_is_named_and_what_names_the_resource() {
    let mut body = system();
    Select::parse("PowerState,ProcessorSummary/Status/Health,ProcessorSummary/Count,NoSuch")
        .unwrap()
        .apply(body.as_object_mut().unwrap());
    assert_eq!(
        body,
        json!({
            "@odata.id": "/redfish/v1/Systems/1", "@odata.type": "#X", "@odata.etag": "\"1\"",
            "PowerState": "On", "PowerState@Redfish.AllowableValues": ["On", "Off"],
            "ProcessorSummary": {"Count": 2, "Status": {"Health": "OK"}},
        })
    );
    let mut body = system();
    Select::parse("Members/Health, ProcessorSummary/Count ,ProcessorSummary")
        .unwrap()
        .apply(body.as_object_mut().unwrap());
    assert_eq!(
        body["Members"],
        json!([{"Health": "OK"}, {"Health": "Critical"}])
    );
    assert_eq!(body["ProcessorSummary"], system()["ProcessorSummary"]);
    for bad in ["", ",", "a,,b", "a/", "/a", "a b", "a?b"] {
        assert_eq!(Select::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_literal_that_no_value_can_be_is_found() {
    for (filter, misfit) in [
        ("PowerState eq 1", Some(Value::from(1))),
        ("'4' lt ProcessorSummary/Count", Some(Value::from("4"))),
        (
            "Name eq 'x' or not (Status/Health eq true)",
            Some(true.into()),
        ),
        ("LocationIndicatorActive ne 'off'", Some("off".into())),
        ("PowerState eq 'Sideways' and AssetTag eq null", None),
        ("MemorySummary/TotalSystemMemoryGiB ge 1.5", None),
        ("Boot/BootOrder eq 'Boot0001'", None),
        ("Nothing eq 1 and Oem/Us/X eq true", None),
        ("LocationIndicatorActive", None),
    ] {
        let read = Filter::parse(filter).unwrap();
        assert_eq!(read.misfit("ComputerSystem").cloned(), misfit, "{filter}");
    }
}

#[test]
fn a_query_is_read_whole_or_its_fault_is_named() {
    let query = Query::parse(
        "$expand=*($levels=3)&$select=Name%2CId&$top=5&$skip=0&only&excerpt&includeoriginofcondition&x=1&$filter=Id+eq+%271%27",
    )
    .unwrap();
    assert_eq!(
        query.expand,
        Some(Expand {
            links: Links::All,
            levels: 3
        })
    );
    assert_eq!(
        (query.top, query.skip, query.only),
        (Some(5), Some(0), true)
    );
    assert!(query.excerpt && query.origins);
    assert!(query.filter.unwrap().matches(&system()));
    assert!(Query::parse("").unwrap().is_empty());
    assert_eq!(
        Query::parse("$expand=.").unwrap().expand,
        Some(Expand {
            links: Links::Subordinate,
            levels: 1
        })
    );

    for (text, key) in [
        ("$unknown=1", "QueryParameterUnsupported"),
        ("$count=true", "QueryParameterUnsupported"),
        ("only=foo", "QueryParameterValueFormatError"),
        ("excerpt=true", "QueryParameterValueFormatError"),
        (
            "includeoriginofcondition=1",
            "QueryParameterValueFormatError",
        ),
        ("$top=-1", "QueryParameterValueFormatError"),
        ("$top=", "QueryParameterValueFormatError"),
        ("$skip=many", "QueryParameterValueFormatError"),
        ("$expand=", "QueryParameterValueFormatError"),
        ("$expand=Members", "QueryParameterValueFormatError"),
        ("$expand=.($levels=)", "QueryParameterValueFormatError"),
        ("$expand=.($levels=0)", "QueryParameterOutOfRange"),
        ("$expand=.($levels=99)", "QueryParameterOutOfRange"),
        ("$select=", "QueryParameterValueFormatError"),
        ("$filter=", "QueryParameterValueFormatError"),
    ] {
        let message = Query::parse(text).unwrap_err().message();
        assert!(message.message_id.ends_with(key), "{text}: {message:?}");
    }
}

proptest! {
    #[test]
    fn no_query_whatever_panics(text in ".{0,200}", filter in "[ ()'a-c0-9/eqndort-]{0,60}") {
        let _ = Query::parse(&text);
        if let Some(filter) = Filter::parse(&filter) {
            let _ = filter.matches(&system());
        }
    }
}
