//! Logging in, and being known.

use jiff::SignedDuration;

use super::{ALL, Preset, SESSIONS, answer, rule};
use crate::fault::{Method, Pretend, Then};

const SESSION: &str = "/redfish/v1/SessionService/Sessions/{*,Members/*}";

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "session-table-full",
        about: "No further session can be opened: 503, as of BMCs whose few places are taken by clients that never log out.",
        make: || {
            let full = answer(503, "SessionLimitExceeded", &[], Some(60));
            vec![rule("session-table-full", full, SESSIONS, &[Method::Post])]
        },
    },
    Preset {
        name: "sessions-leak",
        about: "DELETE of a session is answered with 204, and the session stays, as where logging out only forgets the cookie of a web page.",
        make: || {
            let pretend = Then::Pretend(Pretend::default());
            vec![rule("sessions-leak", pretend, SESSION, &[Method::Delete])]
        },
    },
    Preset {
        name: "session-expires-early",
        about: "A session is refused with 401 once it is a minute old, whatever SessionTimeout says and however much it is used.",
        make: || {
            let lost = answer(401, "NoValidSession", &[], None);
            let mut lost = rule("session-expires-early", lost, ALL, &[]);
            lost.when.session_over = Some(SignedDuration::from_mins(1));
            vec![lost]
        },
    },
    Preset {
        name: "login-works-the-second-time",
        about: "Every other login is refused with 401, the first as well, as of BMCs that ask a directory that has fallen asleep.",
        make: || {
            let no = answer(401, "NoValidSession", &[], None);
            let mut no = rule("login-works-the-second-time", no, SESSIONS, &[Method::Post]);
            no.when.calls.every = 2;
            vec![no]
        },
    },
    Preset {
        name: "unauthorized-now-and-then",
        about: "Every fifth request in a session is refused with 401; the session is good again right after, as of BMCs short of memory.",
        make: || {
            let no = answer(401, "NoValidSession", &[], None);
            let mut no = rule("unauthorized-now-and-then", no, ALL, &[]);
            no.when.header = Some("x-auth-token".to_owned());
            (no.when.calls.first, no.when.calls.every) = (5, 5);
            vec![no]
        },
    },
];
