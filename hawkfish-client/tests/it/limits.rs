//! How much is asked at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures::future::{BoxFuture, join_all};
use hawkfish_client::{Client, Error, Transport};

/// Counts how many requests are under way, and lets each wait for some turns of the others.
#[derive(Debug, Default)]
struct Counting {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    order: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Transport for Counting {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            self.order.lock().unwrap().push(path);
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.now.fetch_sub(1, Ordering::SeqCst);
            Ok(http::Response::new(Bytes::from_static(b"{}")))
        })
    }
}

async fn most(at_most: Option<usize>, clients: usize) -> (usize, Vec<String>) {
    let counting = Counting::default();
    let (most, order) = (counting.most.clone(), counting.order.clone());
    let mut builder = Client::builder("http://bmc.example").transport(counting);
    if let Some(at_most) = at_most {
        builder = builder.at_most(at_most);
    }
    let client = builder.build().unwrap();
    let asking = (0..clients).map(|number| {
        let clone = client.clone();
        async move { clone.get_value(&format!("/{number}")).await }
    });
    for came in join_all(asking).await {
        came.unwrap();
    }
    let order = order.lock().unwrap().clone();
    (most.load(Ordering::SeqCst), order)
}

#[tokio::test]
async fn all_clones_together_ask_no_more_than_so_much_at_once() {
    assert_eq!(most(Some(3), 50).await.0, 3);
    assert_eq!(most(Some(0), 5).await.0, 1);
    assert_eq!(most(Some(usize::MAX), 50).await.0, 50);
}

#[tokio::test]
async fn if_nobody_says_otherwise_it_is_eight() {
    assert_eq!(most(None, 50).await.0, 8);
}

#[tokio::test]
async fn who_comes_first_is_asked_first() {
    let (_, order) = most(Some(2), 30).await;
    let all: Vec<String> = (0..30).map(|number| format!("/{number}")).collect();
    assert_eq!(order, all);
}

#[tokio::test]
async fn one_at_a_time_is_enough_to_log_in_and_to_come_back() {
    let mock = crate::mock::Mock::new();
    let client = mock
        .builder()
        .session(crate::mock::USER, crate::mock::PASSWORD)
        .at_most(1)
        .build()
        .unwrap();
    let asking = (0..10).map(|_| client.get_value("/redfish/v1/Machines/7"));
    for came in join_all(asking).await {
        came.unwrap();
    }
    mock.inside().tokens.clear();
    client.get_value("/redfish/v1/Machines/7").await.unwrap();
    assert_eq!(mock.inside().logins, 2);
}
