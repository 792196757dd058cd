//! Faults that real BMCs have, by name.

use jiff::SignedDuration;

use super::rule::{
    Answer, Calls, Damage, Delay, HangUp, Headers, Method, Pattern, Pretend, Rule, Then, When,
};

/// Rules under one name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name.
    pub name: &'static str,
    /// What happens, for people.
    pub about: &'static str,
    make: fn() -> Vec<Rule>,
}

impl Preset {
    /// Its rules.
    #[must_use]
    pub fn rules(&self) -> Vec<Rule> {
        (self.make)()
    }
}

/// The preset of a name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

const SYSTEM: &str = "/redfish/v1/Systems/*";
const RESET: &str = "/redfish/v1/Systems/*/Actions/ComputerSystem.Reset";
const INSERT: &str = "/redfish/v1/**/VirtualMedia/*/Actions/VirtualMedia.InsertMedia";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions{,/Members}";

/// All of them.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "session-table-full",
        about: "No further session can be opened.",
        make: || {
            let full = answer(503, "SessionLimitExceeded", &[], Some(60));
            vec![rule("session-table-full", full, SESSIONS, &[Method::Post])]
        },
    },
    Preset {
        name: "busy-now-and-then",
        about: "One request in ten is answered with 503 and Retry-After: 2.",
        make: || {
            let mut busy = rule(
                "busy-now-and-then",
                answer(503, "ServiceTemporarilyUnavailable", &["2"], Some(2)),
                "/redfish/v1/**",
                &[],
            );
            busy.when.chance = Some(0.1);
            vec![busy]
        },
    },
    Preset {
        name: "overloaded",
        about: "More than eight requests at a time are refused with 503.",
        make: || {
            let mut over = rule(
                "overloaded",
                answer(503, "ServiceTemporarilyUnavailable", &["1"], Some(1)),
                "/redfish/v1/**",
                &[],
            );
            over.when.in_flight_over = Some(8);
            vec![over]
        },
    },
    Preset {
        name: "slow",
        about: "Every answer takes two to five seconds.",
        make: || vec![slow("slow", 2, 5, "/redfish/v1/**")],
    },
    Preset {
        name: "slow-first-inventory",
        about: "The first look at each system takes half a minute, as after a cold start of a BMC.",
        make: || {
            let mut first = slow("slow-first-inventory", 30, 30, SYSTEM);
            first.when.calls.most = Some(1);
            vec![first]
        },
    },
    Preset {
        name: "power-does-not-come",
        about: "A reset is answered with 204, and nothing happens.",
        make: || {
            let pretend = Then::Pretend(Pretend::default());
            vec![rule("power-does-not-come", pretend, RESET, &[Method::Post])]
        },
    },
    Preset {
        name: "media-does-not-mount",
        about: "InsertMedia is answered with 204, and the slot stays empty.",
        make: || {
            let pretend = Then::Pretend(Pretend::default());
            vec![rule(
                "media-does-not-mount",
                pretend,
                INSERT,
                &[Method::Post],
            )]
        },
    },
    Preset {
        name: "refuses-its-own-etag",
        about: "Whatever stands in If-Match: 412.",
        make: || {
            let refuse = answer(412, "PreconditionFailed", &[], None);
            let methods = [Method::Patch, Method::Delete, Method::Put];
            let mut stale = rule("refuses-its-own-etag", refuse, "/redfish/v1/**", &methods);
            stale.when.header = Some("if-match".to_owned());
            vec![stale]
        },
    },
    Preset {
        name: "no-etags",
        about: "Answers have no ETag header.",
        make: || {
            let headers = Headers {
                remove: vec!["etag".to_owned()],
                ..Headers::default()
            };
            vec![rule(
                "no-etags",
                Then::Headers(headers),
                "/redfish/v1/**",
                &[],
            )]
        },
    },
    Preset {
        name: "task-without-location",
        about: "Answers to POST do not say where what they made is.",
        make: || {
            let headers = Headers {
                remove: vec!["location".to_owned()],
                ..Headers::default()
            };
            let gone = Then::Headers(headers);
            vec![rule(
                "task-without-location",
                gone,
                "/redfish/v1/**/Actions/*",
                &[Method::Post],
            )]
        },
    },
    Preset {
        name: "truncated-json",
        about: "One GET in five answers with half of its JSON.",
        make: || {
            vec![sometimes(
                "truncated-json",
                Then::Damage(Damage::Truncated),
                0.2,
            )]
        },
    },
    Preset {
        name: "cut-off",
        about: "One GET in five breaks off in the middle of its body.",
        make: || vec![sometimes("cut-off", Then::Damage(Damage::CutOff), 0.2)],
    },
    Preset {
        name: "html-error-page",
        about: "One GET in five answers with a page of the web server in front.",
        make: || {
            vec![sometimes(
                "html-error-page",
                Then::Damage(Damage::Html),
                0.2,
            )]
        },
    },
    Preset {
        name: "drops-connections",
        about: "One GET in five finds its connection closed.",
        make: || {
            vec![sometimes(
                "drops-connections",
                Then::HangUp(HangUp::Before),
                0.2,
            )]
        },
    },
    Preset {
        name: "lost-answers",
        about: "Every second reset is carried out, and its answer is lost.",
        make: || {
            let mut lost = rule(
                "lost-answers",
                Then::HangUp(HangUp::After),
                RESET,
                &[Method::Post],
            );
            lost.when.calls = Calls {
                every: 2,
                ..Calls::default()
            };
            vec![lost]
        },
    },
];

fn rule(name: &str, then: Then, uri: &str, method: &[Method]) -> Rule {
    Rule::new(name, then).when(When {
        uri: Some(Pattern::new(uri).expect("a constant pattern")),
        method: method.to_vec(),
        ..When::default()
    })
}

fn answer(status: u16, message: &str, args: &[&str], retry_after: Option<u32>) -> Then {
    Then::Answer(Answer {
        status,
        message: message.to_owned(),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        retry_after,
    })
}

fn slow(name: &str, least: i64, most: i64, uri: &str) -> Rule {
    let delay = Delay {
        least: SignedDuration::from_secs(least),
        most: Some(SignedDuration::from_secs(most)),
    };
    rule(name, Then::Delay(delay), uri, &[Method::Get])
}

fn sometimes(name: &str, then: Then, chance: f64) -> Rule {
    let mut rule = rule(name, then, "/redfish/v1/**", &[Method::Get]);
    rule.when.chance = Some(chance);
    rule
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Engine;

    #[test]
    fn every_preset_can_be_and_is_written_and_read_again() {
        for preset in PRESETS {
            let rules = preset.rules();
            let text = serde_json::to_string(&rules).unwrap();
            let again: Vec<Rule> = serde_json::from_str(&text).unwrap();
            assert_eq!(rules, again, "{}", preset.name);
            let mut engine = Engine::new(0);
            for rule in rules {
                engine.put(rule).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    #[test]
    fn presets_have_names_of_their_own() {
        let mut names: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PRESETS.len());
    }
}
