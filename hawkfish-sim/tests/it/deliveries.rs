//! What is sent out of a world follows its clock: time stands still while a destination makes up its mind.

use hawkfish_core::ctx::Ctx;
use hawkfish_core::subscriptions::{NewSubscription, Retry, Subscription};
use hawkfish_core::systems::ResetType;
use hawkfish_sim::World;
use jiff::SignedDuration;

/// An hour of a world with a destination that cannot be found; as it is then, with the number of the last event.
async fn hour() -> (Subscription, u64) {
    let world = World::builder().seed(7).systems(1).start().await.unwrap();
    let (hf, ctx) = (world.hawkfish(), Ctx::service());
    let mut new = NewSubscription::to("http://nobody.invalid/".parse().unwrap());
    new.filter.resource_types = vec!["ComputerSystem".to_owned()];
    new.retry = Retry::SuspendRetries;
    let made = hf.subscriptions().create(&ctx, new).await.unwrap();
    let system = hf.systems(&ctx)[0].id.clone();
    hf.reset(&ctx, &system, ResetType::On).await.unwrap();
    world.advance(SignedDuration::from_hours(1)).await.unwrap();
    let shown = hf.subscriptions().get(&ctx, &made.id).unwrap();
    (Subscription::clone(&shown), hf.events().last())
}

#[tokio::test]
async fn a_dead_destination_is_given_up_at_the_same_moment_of_each_run() {
    let (one, last) = hour().await;
    assert!(one.suspended, "{one:?}");
    // Four waits, of 15 to 240 seconds: within the first minutes.
    let failed = one.last_failure.as_ref().unwrap().at;
    let took = failed.duration_since(one.made);
    assert!(took > SignedDuration::from_secs(225) && took <= SignedDuration::from_secs(451));
    assert_eq!(hour().await, (one, last));
}
