//! `hawkfish systems` on simulated machines.

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_listed_in_the_order_of_the_service() {
    let rack = Rack::of(3).await;
    let ran = rack.run(&["systems", "ls"]).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(ran.out);
}
