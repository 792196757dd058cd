//! Faults that real BMCs have, by name.

use jiff::SignedDuration;

use super::{Answer, Change, Delay, Edit, Method, Pattern, Rule, Then, When};

mod auth;
mod bmc;
mod body;
mod connection;
mod effect;
mod etag;
mod headers;
mod machine;
mod overload;
mod told;
mod work;

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
const ALL: &str = "/redfish/v1{,/**}";

/// A room each for what has to do with one another.
const ROOMS: &[&[Preset]] = &[
    auth::PRESETS,
    overload::PRESETS,
    effect::PRESETS,
    etag::PRESETS,
    headers::PRESETS,
    body::PRESETS,
    connection::PRESETS,
    told::PRESETS,
    work::PRESETS,
    bmc::PRESETS,
    machine::PRESETS,
];

const COUNT: usize = {
    let (mut count, mut room) = (0, 0);
    while room < ROOMS.len() {
        count += ROOMS[room].len();
        room += 1;
    }
    count
};

/// All of them.
pub const PRESETS: &[Preset] = &{
    let mut all = [ROOMS[0][0]; COUNT];
    let (mut at, mut room) = (0, 0);
    while room < ROOMS.len() {
        let mut number = 0;
        while number < ROOMS[room].len() {
            all[at] = ROOMS[room][number];
            (at, number) = (at + 1, number + 1);
        }
        room += 1;
    }
    all
};

fn always(name: &str, then: Then) -> Rule {
    Rule::new(name, then)
}

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
        ..Answer::default()
    })
}

fn slow(name: &str, least: i64, most: i64, uri: &str) -> Rule {
    let secs = SignedDuration::from_secs;
    let delay = Delay::between(secs(least), secs(most));
    rule(name, Then::Delay(delay), uri, &[Method::Get])
}

/// An answer to a GET of anything, changed.
fn of_every_get(name: &str, then: Then) -> Vec<Rule> {
    vec![rule(name, then, ALL, &[Method::Get])]
}

/// The JSON of answers to GETs says something else.
fn edited(name: &str, changes: Vec<Change>) -> Vec<Rule> {
    of_every_get(name, Then::Edit(Edit(changes)))
}

fn sometimes(name: &str, then: Then, chance: f64) -> Rule {
    let mut rule = rule(name, then, ALL, &[Method::Get]);
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
