//! Which rules fire for which request. Pure but for the counts and the chance of each rule.

use std::fmt;
use std::sync::Arc;

use hawkfish_core::entropy::{Entropy as _, SeededEntropy};
use http::{HeaderMap, Method};
use jiff::SignedDuration;

use super::rule::{BadRule, Rule};
use super::when::When;

/// A request, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Encounter<'a> {
    /// The time since the beginning of the world.
    pub at: SignedDuration,
    /// The method.
    pub method: &'a Method,
    /// The path, without query.
    pub path: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// Id and name of the system that the path belongs to.
    pub system: Option<(&'a str, &'a str)>,
    /// How many requests are under way, this one among them.
    pub in_flight: u32,
}

/// A rule fired.
#[derive(Clone, Debug)]
pub struct Firing {
    /// The rule.
    pub rule: Arc<Rule>,
    /// How often it has fired now.
    pub number: u64,
    /// Chance for what follows.
    pub roll: u64,
}

struct Armed {
    rule: Arc<Rule>,
    chance: SeededEntropy,
    met: u64,
    fired: u64,
}

/// All rules of a world.
#[derive(Default)]
pub struct Engine {
    seed: u64,
    rules: Vec<Armed>,
}

impl Engine {
    /// Nothing goes wrong yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
        }
    }

    /// Puts a rule at the end of the list. One of that name is replaced, and counted anew.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn put(&mut self, rule: Rule) -> Result<(), BadRule> {
        rule.check()?;
        self.remove(&rule.name);
        self.rules.push(Armed {
            chance: SeededEntropy::new(self.seed, &format!("fault {}", rule.name)),
            rule: Arc::new(rule),
            met: 0,
            fired: 0,
        });
        Ok(())
    }

    /// Takes a rule away. False where there was none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|armed| armed.rule.name != name);
        self.rules.len() < before
    }

    /// All rules, in order, and how often each has fired.
    pub fn rules(&self) -> impl Iterator<Item = (&Arc<Rule>, u64)> {
        self.rules.iter().map(|armed| (&armed.rule, armed.fired))
    }

    /// The rules that fire for a request, in order.
    pub fn meet(&mut self, request: &Encounter<'_>) -> Vec<Firing> {
        let hit = |armed: &mut Armed| armed.meet(request);
        self.rules.iter_mut().filter_map(hit).collect()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|armed| &armed.rule.name))
            .finish()
    }
}

impl Armed {
    fn meet(&mut self, request: &Encounter<'_>) -> Option<Firing> {
        let When { calls, chance, .. } = &self.rule.when;
        if !fits(&self.rule.when, request) {
            return None;
        }
        self.met += 1;
        if self.met < calls.first
            || !(self.met - calls.first).is_multiple_of(calls.every)
            || calls.most.is_some_and(|most| self.fired >= most)
        {
            return None;
        }
        // Drawn for each call that comes so far, so that the n-th has its own draw whatever else is set.
        let draw = self.chance.number();
        let roll = self.chance.number();
        // The upper 53 bits are what a number between 0 and 1 can hold.
        let draw = (draw >> 11) as f64 / (1_u64 << 53) as f64;
        if chance.is_some_and(|chance| draw >= chance) {
            return None;
        }
        self.fired += 1;
        Some(Firing {
            rule: Arc::clone(&self.rule),
            number: self.fired,
            roll,
        })
    }
}

fn fits(when: &When, request: &Encounter<'_>) -> bool {
    let When {
        system,
        uri,
        method,
        header,
        calls: _,
        chance: _,
        from,
        until,
        in_flight_over,
    } = when;
    let system = system.as_ref().is_none_or(|pattern| {
        let of = request.system;
        of.is_some_and(|(id, name)| pattern.fits(id) || pattern.fits(name))
    });
    let path = request.path.trim_end_matches('/');
    system
        && uri.as_ref().is_none_or(|pattern| pattern.fits(path))
        && (method.is_empty() || method.iter().any(|method| method.is(request.method)))
        && header
            .as_ref()
            .is_none_or(|name| request.headers.contains_key(name))
        && from.is_none_or(|from| request.at >= from)
        && until.is_none_or(|until| request.at < until)
        && in_flight_over.is_none_or(|most| request.in_flight > most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Answer, Calls, Pattern, Then};

    fn busy() -> Then {
        Then::Answer(Answer {
            status: 503,
            message: "GeneralError".to_owned(),
            args: Vec::new(),
            retry_after: None,
        })
    }

    /// How often each of `calls` requests of that path made the rule fire.
    fn fired(engine: &mut Engine, path: &str, calls: usize) -> Vec<bool> {
        let headers = HeaderMap::new();
        (0..calls)
            .map(|second| {
                let request = Encounter {
                    at: SignedDuration::from_secs(second as i64),
                    method: &Method::GET,
                    path,
                    headers: &headers,
                    system: Some(("4f", "sim-00001")),
                    in_flight: 1,
                };
                !engine.meet(&request).is_empty()
            })
            .collect()
    }

    fn engine(when: When) -> Engine {
        let mut engine = Engine::new(7);
        engine.put(Rule::new("busy", busy()).when(when)).unwrap();
        engine
    }

    #[test]
    fn calls_are_counted_among_those_that_the_rest_holds_for() {
        let calls = Calls {
            first: 2,
            every: 3,
            most: Some(2),
        };
        let mut engine = engine(When {
            uri: Some(Pattern::new("/redfish/v1/Systems/*").unwrap()),
            calls,
            ..When::default()
        });
        assert_eq!(fired(&mut engine, "/redfish/v1", 5), [false; 5]);
        let hits = fired(&mut engine, "/redfish/v1/Systems/4f/", 10);
        let at: Vec<_> = (0..10).filter(|n| hits[*n]).collect();
        assert_eq!(at, [1, 4]);
    }

    #[test]
    fn a_window_of_time_has_its_beginning_and_not_its_end() {
        let mut engine = engine(When {
            from: Some(SignedDuration::from_secs(2)),
            until: Some(SignedDuration::from_secs(4)),
            ..When::default()
        });
        assert_eq!(
            fired(&mut engine, "/x", 5),
            [false, false, true, true, false]
        );
    }

    #[test]
    fn a_system_is_found_by_its_name_and_by_its_id() {
        for (pattern, fits) in [("sim-*", true), ("4f", true), ("other", false)] {
            let mut engine = engine(When {
                system: Some(Pattern::new(pattern).unwrap()),
                ..When::default()
            });
            assert_eq!(fired(&mut engine, "/x", 1), [fits], "{pattern}");
        }
    }

    #[test]
    fn the_chance_of_a_rule_is_its_own_and_the_seeds() {
        let chance = || When {
            chance: Some(0.3),
            ..When::default()
        };
        let alone = fired(&mut engine(chance()), "/x", 200);
        let hits = alone.iter().filter(|hit| **hit).count();
        assert!((30..90).contains(&hits), "{hits}");
        let mut both = Engine::new(7);
        let other = Rule::new("other", busy()).when(When {
            uri: Some(Pattern::new("/other").unwrap()),
            chance: Some(0.5),
            ..When::default()
        });
        both.put(other).unwrap();
        both.put(Rule::new("busy", busy()).when(chance())).unwrap();
        assert_eq!(fired(&mut both, "/x", 200), alone);
        let mut another = Engine::new(8);
        another
            .put(Rule::new("busy", busy()).when(chance()))
            .unwrap();
        assert_ne!(fired(&mut another, "/x", 200), alone);
    }

    #[test]
    fn a_rule_that_cannot_be_is_refused_by_name() {
        let answer = |status, message: &str, args: &[&str]| {
            Then::Answer(Answer {
                status,
                message: message.to_owned(),
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
                retry_after: None,
            })
        };
        for then in [
            answer(204, "GeneralError", &[]),
            answer(503, "NoSuchThing", &[]),
            answer(503, "GeneralError", &["one too many"]),
        ] {
            let error = Engine::new(0).put(Rule::new("bad", then)).unwrap_err();
            assert_eq!(error.rule, "bad");
        }
        let never = When {
            chance: Some(1.5),
            ..When::default()
        };
        assert!(
            Engine::new(0)
                .put(Rule::new("bad", busy()).when(never))
                .is_err()
        );
    }
}
