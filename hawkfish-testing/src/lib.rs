//! What the tests of all crates get from outside: other people's programs, captures of real BMCs, and a libvirt of their own.
//!
//! Such [parts](part) come by the variables that `scripts/test` describes. What is missing is said aloud, and a failure where `HAWKFISH_TEST_REQUIRE=1` is set.

pub mod lab;
pub mod part;

use std::time::{Duration, Instant};

/// Asks again and again until there is an answer, for as long as `limit`.
///
/// # Panics
/// When the time is up, with what was waited for.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
