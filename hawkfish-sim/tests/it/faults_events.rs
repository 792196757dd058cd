//! Events that go astray, as receivers see them.

use std::collections::BTreeSet;
use std::time::Duration;

use hawkfish_sim::fault::{Events, Listener, Pattern, Rule, Then, When};
use hawkfish_sim::{PASSWORD, USER};

use crate::bench::{Bench, Receiver};

/// Server-sent events, read until there were so many or nothing comes any more: their numbers.
struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    async fn open(bench: &Bench, last: Option<u64>) -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let uri = "/redfish/v1/EventService/SSE?$filter=OriginResource%20eq%20'SYSTEM'";
        let mut request = client
            .get(bench.url(&uri.replace("SYSTEM", &bench.system)))
            .header("accept", "text/event-stream")
            .basic_auth(USER, Some(PASSWORD));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let text = String::new();
        let mut stream = Self { response, text };
        // It begins with the number from which on there is more.
        stream.more(Duration::from_secs(20)).await;
        stream
    }

    async fn more(&mut self, within: Duration) -> bool {
        match tokio::time::timeout(within, self.response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                self.text.push_str(std::str::from_utf8(&chunk).unwrap());
                true
            }
            _ => false,
        }
    }

    /// The numbers of the events so far, once there are `count` of them.
    async fn ids(&mut self, count: usize) -> Vec<u64> {
        loop {
            let with_data = self.text.split("\n\n").filter(|one| one.contains("data: "));
            let ids: Vec<u64> = with_data
                .filter_map(|one| {
                    let id = one.lines().find_map(|line| line.strip_prefix("id: "))?;
                    id.parse().ok()
                })
                .collect();
            if ids.len() >= count || !self.more(Duration::from_secs(20)).await {
                return ids;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_of_events_that_get_lost_finds_gaps_and_the_stream_has_what_fills_them() {
    let bench = Bench::with(&["events-get-lost"]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    let before = bench.world.hawkfish().events().last();
    bench.happen(20).await;
    let got = receiver.ids();
    let lost = bench.fired("events-get-lost") as usize;
    assert!(lost > 0 && lost < 20, "{lost}");
    assert_eq!(got.len() + lost, 20, "{got:?}");
    assert!(got.is_sorted());
    // Nothing of it is lost to the service.
    assert!(bench.world.clear_fault("events-get-lost"));
    let all = Stream::open(&bench, Some(before)).await.ids(20).await;
    assert_eq!(all.len(), 20);
    let all: BTreeSet<u64> = all.into_iter().collect();
    assert!(got.iter().all(|id| all.contains(id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_twice_come_with_the_same_number() {
    let bench = Bench::with(&["events-twice"]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    bench.happen(4).await;
    let mut ids = receiver.ids();
    ids.sort_unstable();
    assert_eq!(ids.len(), 8, "{ids:?}");
    assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
    assert_eq!(bench.fired("events-twice"), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_events_come_when_their_time_has_come_and_not_before() {
    let bench = Bench::with(&["events-late"]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    bench.happen(3).await;
    bench.wait(5).await;
    assert_eq!(receiver.ids(), [0_u64; 0]);
    let mut counts = Vec::new();
    for _ in 0..30 {
        bench.wait(1).await;
        counts.push(receiver.ids().len());
    }
    assert_eq!(counts.last(), Some(&3));
    counts.dedup();
    assert!(counts.len() > 2, "they came at one moment: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_out_of_order_are_all_there() {
    let bench = Bench::with(&["events-out-of-order"]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    bench.happen(8).await;
    let ids = receiver.ids();
    assert_eq!(ids.len(), 8);
    for four in ids.chunks(4) {
        assert!(!four.is_sorted(), "{ids:?}");
    }
    let (first, second) = ids.split_at(4);
    assert!(first.iter().max() < second.iter().min(), "{ids:?}");
    // Two that wait for others do not wait for ever.
    bench.happen(2).await;
    assert_eq!(receiver.ids().len(), 8);
    bench.wait(60).await;
    assert_eq!(receiver.ids().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_streams_is_none_of_webhooks() {
    let twice = Rule::new("twice", Then::Events(Events::Twice)).when(When {
        to: vec![Listener::Stream],
        message: Some(Pattern::new("ResourceEvent.*.ResourceChanged").unwrap()),
        ..When::default()
    });
    let late = Rule::new(
        "late",
        Then::Events(Events::Late(hawkfish_sim::fault::Delay::Constant(
            jiff::SignedDuration::from_secs(60),
        ))),
    )
    .when(When {
        to: vec![Listener::Webhook],
        ..When::default()
    });
    let bench = Bench::of(vec![twice, late]).await;
    let receiver = Receiver::start().await;
    bench.subscribe(&receiver).await;
    let mut stream = Stream::open(&bench, None).await;
    bench.happen(3).await;
    let mut ids = stream.ids(6).await;
    ids.sort_unstable();
    assert!(
        ids.len() == 6 && ids.chunks(2).all(|pair| pair[0] == pair[1]),
        "{ids:?}"
    );
    assert_eq!(receiver.ids(), [0_u64; 0]);
    bench.wait(60).await;
    assert_eq!(receiver.ids().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_events_come_over_a_stream_as_time_goes_on() {
    let bench = Bench::with(&["events-late"]).await;
    let mut stream = Stream::open(&bench, None).await;
    bench.happen(2).await;
    assert!(
        !stream.more(Duration::from_millis(300)).await,
        "{}",
        stream.text
    );
    bench.wait(60).await;
    assert_eq!(stream.ids(2).await.len(), 2);
}
