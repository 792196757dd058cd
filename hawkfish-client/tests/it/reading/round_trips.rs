//! How often a service is asked.

use hawkfish_sim::trace::What;

use crate::command_line::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_machines_are_listed_in_one_round_trip_after_root_and_session() {
    let rack = Rack::of(1000).await;
    let ran = rack.run(&["systems", "ls"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out.lines().count(), 1001);
    let trace = rack.world.trace();
    let asked: Vec<String> = trace
        .entries()
        .filter_map(|entry| match &entry.what {
            What::Request(request) => Some(format!("{} {}", request.method, request.uri)),
            _ => None,
        })
        .collect();
    assert_eq!(
        asked[..3],
        [
            "GET /redfish/v1/",
            "POST /redfish/v1/SessionService/Sessions",
            "GET /redfish/v1/Systems?$expand=.($levels=1)",
        ]
    );
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(asked[3].starts_with("DELETE "), "{asked:?}");
}
