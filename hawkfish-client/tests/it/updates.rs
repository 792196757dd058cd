//! Changes that follow from what was read.

use std::sync::{Arc, Mutex};

use futures::future::join_all;
use hawkfish_client::{Client, Error, Kind, Outcome};
use serde_json::{Value, json};

use crate::mock::Mock;
use crate::script::{Script, answer, json};

const SYSTEM: &str = "/redfish/v1/Machines/7";

/// A counter with a tag, which takes a change only with the right one.
fn counter() -> (Script, Arc<Mutex<u64>>) {
    let count = Arc::new(Mutex::new(0));
    let kept = count.clone();
    let script = Script::new(move |asked| {
        let mut count = kept.lock().unwrap();
        let tag = format!("\"{count}\"");
        if asked.method == "PATCH" {
            if asked.header("if-match") != Some(&tag) {
                return answer(412, &[], "");
            }
            *count = asked.json()["Count"].as_u64().unwrap();
            return answer(204, &[], "");
        }
        let body = json!({"@odata.id": "/x", "Count": *count});
        json(200, &[("etag", &tag)], &body)
    });
    (script, count)
}

fn one_more(found: &Value) -> Result<Option<Value>, Error> {
    let count = found["Count"].as_u64().unwrap();
    Ok(Some(json!({"Count": count + 1})))
}

#[tokio::test]
async fn an_update_is_guarded_by_the_tag_that_was_read() {
    let (script, count) = counter();
    script.client().update("/x", one_more).await.unwrap();
    assert_eq!(*count.lock().unwrap(), 1);
    assert_eq!(script.lines(), ["GET /x", "PATCH /x"]);
    assert_eq!(script.seen()[1].header("if-match"), Some("\"0\""));
}

#[tokio::test]
async fn where_somebody_was_faster_it_is_read_and_decided_again_and_nothing_is_lost() {
    let (script, count) = counter();
    let client = script.client();
    let all = join_all((0..4).map(|_| client.update("/x", one_more))).await;
    let done = all.iter().filter(|came| came.is_ok()).count();
    assert_eq!(*count.lock().unwrap(), done as u64);
    assert_eq!(done, 4, "{all:?}");
    assert!(script.lines().len() > 8, "nobody was faster");
}

#[tokio::test]
async fn where_others_are_faster_each_time_it_ends_and_says_so() {
    let script = Script::new(|asked| match asked.method.as_str() {
        "PATCH" => answer(412, &[], ""),
        _ => json(
            200,
            &[("etag", &format!("\"{}\"", asked.number))],
            &json!({"Count": 0}),
        ),
    });
    let error = script.client().update("/x", one_more).await.unwrap_err();
    assert_eq!(error.kind, Kind::PreconditionFailed);
    assert!(error.to_string().contains("had changed"), "{error}");
    assert!(script.lines().len() <= 12);
}

#[tokio::test]
async fn where_nothing_is_to_be_done_nothing_is_sent() {
    let (script, _) = counter();
    let outcome = script.client().update("/x", |_| Ok(None)).await.unwrap();
    let Outcome::Done(read) = outcome else {
        panic!("nothing goes on");
    };
    assert_eq!(read.json().unwrap()["Count"], 0);
    assert_eq!(script.lines(), ["GET /x"]);
}

#[tokio::test]
async fn what_decides_may_refuse() {
    let (script, _) = counter();
    let no = |_: &Value| Err(Error::new(Kind::Refused, "not this one"));
    let error = script.client().update("/x", no).await.unwrap_err();
    assert_eq!(
        (error.kind, error.text.as_str()),
        (Kind::Refused, "not this one")
    );
    assert_eq!(script.lines(), ["GET /x"]);
}

#[tokio::test]
async fn a_part_of_a_resource_is_not_updated_as_if_it_were_the_whole() {
    let (script, _) = counter();
    let error = script.client().update("/x#/Boot", one_more).await;
    assert_eq!(error.unwrap_err().kind, Kind::Refused);
    assert!(script.lines().is_empty());
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_an_error_and_is_not_sent_again() {
    let script = Script::new(|asked| match asked.method.as_str() {
        "PATCH" => answer(502, &[], ""),
        _ => json(200, &[("etag", "\"1\"")], &json!({"Count": 0})),
    });
    let error = script.client().update("/x", one_more).await.unwrap_err();
    assert_eq!(error.kind, Kind::Service);
    assert_eq!(script.lines(), ["GET /x", "PATCH /x"]);
}

#[tokio::test]
async fn an_update_of_a_machine_meets_another_client_and_keeps_what_that_one_did() {
    let mock = Mock::new();
    let client = mock.client();
    let mut times = 0;
    let outcome = client
        .update(SYSTEM, |found| {
            times += 1;
            if times == 1 {
                // Somebody else, between reading and changing.
                let mut inside = mock.inside();
                inside.boot["BootSourceOverrideTarget"] = json!("Pxe");
                inside.generation += 1;
            }
            let target = &found["Boot"]["BootSourceOverrideTarget"];
            Ok((target == "None").then(|| json!({"Boot": {"BootSourceOverrideTarget": "Cd"}})))
        })
        .await
        .unwrap();
    assert!(matches!(outcome, Outcome::Done(_)));
    assert_eq!(times, 2);
    assert_eq!(mock.inside().boot["BootSourceOverrideTarget"], "Pxe");
}

#[test]
fn an_update_can_be_made_from_any_thread() {
    fn sent<T: Send>(_: T) {}
    fn of(client: &Client) {
        sent(client.update("/x", |_| Ok(None)));
    }
    let _ = of;
}
