//! Sending once more: when that is safe, and how long to wait before.
//!
//! | what came | is sent again |
//! |---|---|
//! | no connection: nothing was sent | any request |
//! | 429, and 503 with `Retry-After`: the service says that it did nothing | any request |
//! | 502, 503, 504, or a connection that was lost on the way | GET, HEAD, and the DELETE of a session |
//! | no answer in time, a certificate that is not trusted | nothing |
//!
//! So a change that may have been acted upon is never sent twice. How long to wait is what the service says by `Retry-After`, up to [`Retry::most`];
//! where it asks for more, its answer is the error at once, with the time in it. Where it says nothing the wait doubles each time, with chance in it, so that
//! many clients do not come back as one.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use http::{Method, StatusCode};

use crate::error::{Error, Kind};
use crate::wire::{Request, Response};

/// How often a request is sent, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often it is sent at most, the first time included; 0 and 1 are once.
    pub attempts: u32,
    /// The wait before the second time, where the service does not say; it doubles from one to the next.
    pub base: Duration,
    /// The longest wait. A service that asks for a longer one is not waited for.
    pub most: Duration,
}

impl Default for Retry {
    /// Four times, after 0.25 s, 0.5 s and 1 s; up to 30 s where the service says so.
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(250),
            most: Duration::from_secs(30),
        }
    }
}

impl Retry {
    /// Every request once: what came is what the caller gets.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            attempts: 1,
            base: Duration::ZERO,
            most: Duration::ZERO,
        }
    }

    /// How long to wait before it is sent again; `None` where what came is the end of it. `sent` is how often it was sent by now.
    pub(crate) fn pause(
        &self,
        sent: u32,
        request: &Request,
        came: &Result<Response, Error>,
    ) -> Option<Duration> {
        if sent >= self.attempts {
            return None;
        }
        let harmless = request.again || matches!(request.method, Method::GET | Method::HEAD);
        let asked = match came {
            Ok(answer) => {
                let asked = answer.retry_after();
                let again = match answer.status {
                    StatusCode::TOO_MANY_REQUESTS => true,
                    StatusCode::SERVICE_UNAVAILABLE => harmless || asked.is_some(),
                    StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => harmless,
                    _ => false,
                };
                again.then_some(asked)?
            }
            Err(error) => {
                let again = error.kind == Kind::Transport
                    && !error.is_hopeless()
                    && (harmless || error.is_unsent());
                again.then_some(None)?
            }
        };
        match asked {
            // A little later than asked for: a service that counts in seconds begins a new one.
            Some(asked) => {
                (asked <= self.most).then(|| asked + jittered(self.base.min(self.most)) / 2)
            }
            None => Some(self.between(sent)),
        }
    }

    /// The wait between one time and the next where nobody says how long; `sent` is how often it was sent by now.
    pub(crate) fn between(&self, sent: u32) -> Duration {
        let doubled = 2_u32
            .checked_pow(sent.saturating_sub(1))
            .and_then(|times| self.base.checked_mul(times));
        jittered(doubled.unwrap_or(self.most).min(self.most))
    }
}

/// Between half of it and all of it, by chance.
fn jittered(whole: Duration) -> Duration {
    // Each state has keys of its own; this is no secret, only not the same everywhere.
    let share = RandomState::new().hash_one(0_u8) >> 11;
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are what a double holds"
    )]
    let share = share as f64 / (1_u64 << 53) as f64;
    whole.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    fn answer(status: u16, retry_after: Option<&str>) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("retry-after", value.parse().unwrap());
        }
        Ok(Response {
            uri: "/x".into(),
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: bytes::Bytes::new(),
        })
    }

    fn again(method: Method, came: &Result<Response, Error>) -> bool {
        let request = Request::new(method, "/x");
        Retry::default().pause(1, &request, came).is_some()
    }

    #[test]
    fn a_read_is_sent_again_where_the_service_may_be_back_soon() {
        for (status, is) in [
            (200, false),
            (404, false),
            (412, false),
            (429, true),
            (500, false),
            (502, true),
            (503, true),
            (504, true),
        ] {
            let came = answer(status, None);
            assert_eq!(again(Method::GET, &came), is, "{status}");
            assert_eq!(again(Method::HEAD, &came), is, "{status}");
        }
    }

    #[test]
    fn a_change_is_sent_again_only_where_the_service_says_that_it_did_nothing() {
        for method in [Method::POST, Method::PATCH, Method::DELETE, Method::PUT] {
            assert!(again(method.clone(), &answer(429, None)));
            assert!(again(method.clone(), &answer(503, Some("1"))));
            for status in [500, 502, 503, 504] {
                assert!(!again(method.clone(), &answer(status, None)), "{status}");
            }
            assert!(!again(method.clone(), &answer(502, Some("1"))));
            let lost = Err(Error::new(Kind::Transport, "lost"));
            assert!(!again(method.clone(), &lost));
            let unsent = Err(Error::new(Kind::Transport, "refused").unsent());
            assert!(again(method, &unsent));
        }
    }

    #[test]
    fn the_close_of_a_session_may_be_sent_again() {
        let mut request = Request::new(Method::DELETE, "/x");
        request.again = true;
        let lost = Err(Error::new(Kind::Transport, "lost"));
        assert!(Retry::default().pause(1, &request, &lost).is_some());
    }

    #[test]
    fn what_would_not_be_otherwise_the_next_time_is_not_sent_again() {
        let late = Err(Error::new(Kind::Transport, "late").hopeless());
        assert!(!again(Method::GET, &late));
        let elsewhere = Err(Error::new(Kind::Refused, "elsewhere"));
        assert!(!again(Method::GET, &elsewhere));
    }

    #[test]
    fn a_wait_is_what_the_service_says_up_to_the_longest() {
        let retry = Retry::default();
        let request = Request::get("/x");
        let pause = retry.pause(1, &request, &answer(503, Some("7"))).unwrap();
        assert!(
            (Duration::from_secs(7)..Duration::from_millis(7200)).contains(&pause),
            "{pause:?}"
        );
        assert_eq!(retry.pause(1, &request, &answer(503, Some("31"))), None);
    }

    #[test]
    fn waits_double_and_differ_and_come_to_an_end() {
        let retry = Retry {
            attempts: 6,
            base: Duration::from_millis(100),
            most: Duration::from_millis(300),
        };
        let request = Request::get("/x");
        let came = answer(503, None);
        for (sent, most) in [(1, 100), (2, 200), (3, 300), (4, 300)] {
            let pauses: std::collections::HashSet<Duration> = (0..50)
                .map(|_| retry.pause(sent, &request, &came).unwrap())
                .collect();
            assert!(pauses.len() > 1, "no chance in it");
            for pause in pauses {
                let millis = pause.as_millis();
                assert!(millis >= most / 2 && millis <= most, "{sent}: {pause:?}");
            }
        }
        assert_eq!(retry.pause(6, &request, &came), None);
        assert_eq!(Retry::none().pause(1, &request, &came), None);
    }
}
