//! Logging in, and being known.

use crate::fault::Method;

use super::{Preset, SESSIONS, answer, rule};

pub(super) const PRESETS: &[Preset] = &[Preset {
    name: "session-table-full",
    about: "No further session can be opened.",
    make: || {
        let full = answer(503, "SessionLimitExceeded", &[], Some(60));
        vec![rule("session-table-full", full, SESSIONS, &[Method::Post])]
    },
}];
