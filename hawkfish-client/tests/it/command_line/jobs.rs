//! `hawkfish jobs`: what is done at a time, and that it is.

use jiff::SignedDuration;

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_added_done_at_its_time_and_removed() {
    let rack = Rack::of(1).await;
    let system = &rack.members("/redfish/v1/Systems").await[0];
    let target = format!("{system}/Actions/ComputerSystem.Reset");
    let add = [
        "jobs",
        "add",
        &target,
        "-d",
        r#"{"ResetType": "On"}"#,
        "--name",
        "morning",
        "--at",
        "2026-01-01T06:00:00Z",
    ];
    let added = rack.run(&add).await.done();
    assert!(added.ends_with(": added\n"), "{added}");
    let id = added.trim_end_matches(": added\n");
    let listed = rack.run(&["jobs", "ls"]).await.done();
    assert!(
        listed.contains("morning") && listed.contains("2026-01-01T06:00:00Z"),
        "{listed}"
    );
    let shown = rack.run(&["jobs", "show", "morning"]).await.done();
    assert!(
        shown.contains(&target) && shown.contains("ResetType"),
        "{shown}"
    );

    rack.world
        .advance(SignedDuration::from_hours(5))
        .await
        .unwrap();
    assert_eq!(rack.get(system).await["PowerState"], "Off");
    rack.world
        .advance(SignedDuration::from_hours(2))
        .await
        .unwrap();
    assert_eq!(rack.get(system).await["PowerState"], "On");
    assert!(
        rack.run(&["jobs", "show", id])
            .await
            .done()
            .contains("Completed")
    );

    assert_eq!(
        rack.run(&["jobs", "rm", id]).await.done(),
        format!("{id}: removed\n")
    );
    assert_eq!(rack.members("/redfish/v1/JobService/Jobs").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_before_it_is_done() {
    let rack = Rack::of(1).await;
    let system = &rack.members("/redfish/v1/Systems").await[0];
    let target = format!("{system}/Actions/ComputerSystem.Reset");
    let add = [
        "jobs",
        "add",
        &target,
        "-d",
        r#"{"ResetType": "On"}"#,
        "--name",
        "daily",
        "--at",
        "2026-01-01T06:00:00Z",
        "--every",
        "P1D",
        "--times",
        "3",
    ];
    rack.run(&add).await.done();
    assert_eq!(
        rack.run(&["jobs", "cancel", "daily"]).await.done(),
        "daily: cancelled\n"
    );
    rack.world
        .advance(SignedDuration::from_hours(7))
        .await
        .unwrap();
    assert_eq!(rack.get(system).await["PowerState"], "Off");

    rack.run(&["jobs", "add", &target, "-d", "{"])
        .await
        .failed(2);
    let err = rack
        .run(&["jobs", "add", "/redfish/v1/Systems"])
        .await
        .failed(1);
    assert!(err.contains("TargetUri"), "{err}");
    rack.run(&["jobs", "rm", "none"]).await.failed(4);
}
