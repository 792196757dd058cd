//! The client against the whole service, without a socket.

use std::time::Duration;

use hawkfish_client::{Client, Kind, Outcome, Progress, link};
use hawkfish_redfish::model::computer_system::ComputerSystem;
use hawkfish_redfish::model::resource::PowerState;
use hawkfish_sim::{PASSWORD, USER, World};
use jiff::SignedDuration;
use serde_json::json;

fn client(world: &World) -> Client {
    Client::builder("http://hawkfish.sim")
        .session(USER, PASSWORD)
        .service::<_, axum::body::Body>(world.app().clone())
        .build()
        .unwrap()
}

async fn first_system(client: &Client) -> String {
    let root = client.root().await.unwrap().value;
    let systems = link(&root, "/Systems").unwrap();
    client.members(systems).next().await.unwrap().unwrap().uri
}

#[tokio::test]
async fn a_machine_is_read_as_its_type_and_switched_on() {
    let world = World::builder().start().await.unwrap();
    let client = client(&world);
    let uri = first_system(&client).await;
    let power = || async {
        let system = client.get::<ComputerSystem>(&uri).await.unwrap();
        system.value.power_state.into_value()
    };
    assert_eq!(power().await, Some(PowerState::Off));
    let system = client.get_value(&uri).await.unwrap().value;
    let outcome = client
        .action(&system, "ComputerSystem.Reset", &json!({"ResetType": "On"}))
        .await
        .unwrap();
    world.advance(SignedDuration::from_mins(2)).await.unwrap();
    outcome.finish(Some(Duration::from_secs(30))).await.unwrap();
    assert_eq!(power().await, Some(PowerState::On));
    client.logout().await.unwrap();
}

#[tokio::test]
async fn of_two_who_change_what_they_have_read_the_second_is_told_so() {
    let world = World::builder().start().await.unwrap();
    let client = client(&world);
    let uri = first_system(&client).await;
    let read = client.get_value(&uri).await.unwrap();
    let change = |target: &str| json!({"Boot": {"BootSourceOverrideTarget": target, "BootSourceOverrideEnabled": "Once"}});
    client
        .patch(&uri, read.etag.as_ref(), &change("Pxe"))
        .await
        .unwrap();
    let error = client
        .patch(&uri, read.etag.as_ref(), &change("Cd"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::PreconditionFailed);
    assert_eq!(error.messages()[0].key(), "PreconditionFailed");
}

#[tokio::test]
async fn what_fails_in_the_background_is_told_by_its_task() {
    let fails = json!({"name": "fails", "then": {"task": {"fails": {}}}});
    let fails = serde_json::from_value(fails).unwrap();
    let world = World::builder().fault(fails).start().await.unwrap();
    let client = client(&world);
    let system = client
        .get_value(&first_system(&client).await)
        .await
        .unwrap()
        .value;
    let media = link(&system, "/VirtualMedia").unwrap();
    let slot = client
        .members(media)
        .next()
        .await
        .unwrap()
        .unwrap()
        .read(&client)
        .await
        .unwrap();
    let image = json!({"Image": "http://images.example/none.iso"});
    let inserted = client
        .action(&slot.value, "VirtualMedia.InsertMedia", &image)
        .await;
    let error = match inserted {
        Err(error) => error,
        Ok(Outcome::Done(answer)) => panic!("what fails was done: {answer:?}"),
        Ok(Outcome::Started(mut task)) => loop {
            match task.poll().await {
                Ok(Progress::Running { .. }) => {
                    world.advance(SignedDuration::from_secs(1)).await.unwrap();
                    tokio::task::yield_now().await;
                }
                Ok(Progress::Done(answer)) => {
                    panic!("what fails was done: {answer:?}")
                }
                Err(error) => break error,
            }
        },
    };
    assert!(!error.messages().is_empty(), "{error}");
    let after = client.get_value(&slot.uri).await.unwrap().value;
    assert_eq!(after["Inserted"], false);
}

#[tokio::test]
async fn a_session_that_the_service_forgot_is_opened_again() {
    let world = World::builder().start().await.unwrap();
    let client = client(&world);
    let uri = first_system(&client).await;
    client.get_value(&uri).await.unwrap();
    // Far beyond the session time-out.
    world.advance(SignedDuration::from_hours(48)).await.unwrap();
    client.get_value(&uri).await.unwrap();
}
