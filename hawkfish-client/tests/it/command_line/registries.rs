//! `hawkfish registries`: what messages mean.

use super::rack::Rack;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_explained_in_the_words_of_the_service() {
    let rack = Rack::of(1).await;
    insta::assert_snapshot!(
        "registries_ls",
        rack.run(&["registries", "ls"]).await.done()
    );
    let explain = [
        "registries",
        "explain",
        "HawkFish.1.0.MediaFetchFailed",
        "http://a.example/x.iso",
        "it is gone",
    ];
    insta::assert_snapshot!("explain_of_the_service", rack.run(&explain).await.done());
    // However much of the id is said.
    let short = [
        "registries",
        "explain",
        "MediaFetchFailed",
        "http://a.example/x.iso",
        "it is gone",
    ];
    assert_eq!(
        rack.run(&short).await.done(),
        rack.run(&explain).await.done()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_service_only_refers_to_is_explained_in_ours_and_says_so() {
    let rack = Rack::of(1).await;
    let explain = [
        "registries",
        "explain",
        "Base.1.22.PropertyUnknown",
        "Color",
    ];
    let out = rack.run(&explain).await.done();
    assert!(
        out.contains("no property Color") && out.contains("in its own words"),
        "{out}"
    );
    let err = rack
        .run(&["registries", "explain", "Acme.1.0.Explosion"])
        .await
        .failed(4);
    assert!(err.contains("Acme.1.0.Explosion"), "{err}");
}
