use conformance::{Plan, Report, Verdict, cases};
use hawkfish_sim::{PASSWORD, USER, World};

async fn run(world: &World, adapt: impl FnOnce(&mut Plan)) -> Report {
    let credentials = Some((USER.to_owned(), PASSWORD.to_owned()));
    let mut plan = Plan::new(world.client().unwrap(), credentials);
    adapt(&mut plan);
    plan.run().await.unwrap()
}

#[tokio::test]
async fn the_simulator_passes_every_case() {
    let world = World::builder().seed(7).systems(3).start().await.unwrap();
    let report = run(&world, |plan| plan.writes = true).await;
    let other: Vec<_> = report
        .cases
        .iter()
        .filter(|judged| !matches!(judged.verdict, Verdict::Passed { .. }))
        .collect();
    assert!(other.is_empty(), "{report}");
    assert_eq!(report.cases.len(), cases::ALL.len());
}

#[tokio::test]
async fn everything_that_the_simulator_serves_is_found_and_known() {
    let world = World::builder().systems(3).start().await.unwrap();
    let report = run(&world, |_| {}).await;
    let walked = &report.walked;
    assert_eq!(walked.known["ComputerSystem"], 3, "{report}");
    assert!(walked.known["VirtualMedia"] >= 3, "{report}");
    assert!(walked.unknown.is_empty() && walked.untyped == 0, "{report}");
    assert_eq!(walked.unjudged_values, 0, "{report}");
    assert_eq!(walked.not_followed, 0);
}

#[tokio::test]
async fn a_run_leaves_the_service_as_it_was() {
    let world = World::builder().start().await.unwrap();
    let client = world.client().unwrap();
    let system = {
        let root = client.root().await.unwrap().value;
        let systems = hawkfish_client::link(&root, "/Systems").unwrap().to_owned();
        client.members(&systems).next().await.unwrap().unwrap().uri
    };
    let before = client.get_value(&system).await.unwrap().value;
    let sessions = || async {
        let uri = "/redfish/v1/SessionService/Sessions";
        client.members(uri).all().await.unwrap().len()
    };
    let open = sessions().await;
    run(&world, |plan| plan.writes = true).await;
    let after = client.get_value(&system).await.unwrap().value;
    assert_eq!(before["Boot"], after["Boot"]);
    assert_eq!(sessions().await, open);
}

#[tokio::test]
async fn what_is_not_tried_is_counted_as_skipped() {
    let world = World::builder().start().await.unwrap();
    let report = run(&world, |_| {}).await;
    let writing = cases::ALL.iter().filter(|case| case.writes).count();
    assert_eq!(report.counts().skipped, writing, "{report}");
    assert_eq!(
        report.counts().passed,
        cases::ALL.len() - writing,
        "{report}"
    );

    let report = run(&world, |plan| {
        plan.credentials = None;
        plan.client = hawkfish_client::Client::builder("http://hawkfish.sim")
            .service::<_, axum::body::Body>(world.app().clone())
            .build()
            .unwrap();
    })
    .await;
    assert!(report.walked.dead_links > 0, "{report}");
    let skipped = |id: &str| {
        let judged = report.cases.iter().find(|judged| judged.case.id == id);
        matches!(judged.unwrap().verdict, Verdict::Skipped { .. })
    };
    assert!(
        skipped("auth.required") && skipped("auth.basic"),
        "{report}"
    );
}

#[tokio::test]
async fn a_walk_that_was_cut_says_so() {
    let world = World::builder().systems(20).start().await.unwrap();
    let report = run(&world, |plan| plan.limit = 15).await;
    assert_eq!(report.walked.resources, 15);
    assert!(report.walked.not_followed > 0);
    assert!(report.to_string().contains("NOT FOLLOWED"));
}

#[tokio::test]
async fn only_the_cases_asked_for_are_run() {
    let world = World::builder().start().await.unwrap();
    let report = run(&world, |plan| plan.only = Some("errors.".into())).await;
    assert!(!report.cases.is_empty());
    assert!(
        report
            .cases
            .iter()
            .all(|judged| judged.case.id.starts_with("errors."))
    );
}
