//! Which rules fire for which request. Pure but for the counts and the chance of each rule.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use hawkfish_core::entropy::{Entropy as _, SeededEntropy};
use http::{HeaderMap, Method, StatusCode};
use jiff::SignedDuration;

use super::etag::Memory;
use super::rule::{BadRule, Place, Rule, Then};
use super::told::Shuffling;
use super::when::{Rate, When};
use super::wire::Connection;

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
    /// The face that is talked to.
    pub face: &'a str,
    /// Id and name of the system that the path belongs to.
    pub system: Option<(&'a str, &'a str)>,
    /// Id and name of the system whose BMC is asked: by the path, or because no other can be meant.
    pub bmc: Option<(&'a str, &'a str)>,
    /// How old the session is in which it is made.
    pub session: Option<SignedDuration>,
    /// The status of its answer, once there is one.
    pub status: Option<StatusCode>,
    /// How many requests are under way, this one among them.
    pub in_flight: u32,
}

/// A connection, as rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The time since the beginning of the world.
    pub at: SignedDuration,
    /// The face that is talked to.
    pub face: &'a str,
    /// How many connections are open, this one among them.
    pub open: u32,
    /// Whether TLS is spoken on it.
    pub is_tls: bool,
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
    /// When the last came that were let through, where there is a bound on how many may.
    recent: VecDeque<SignedDuration>,
    /// When it happens next, where it does so by itself.
    next: Option<SignedDuration>,
}

/// All rules of a world.
#[derive(Default)]
pub struct Engine {
    seed: u64,
    rules: Vec<Armed>,
    memory: Memory,
    /// Firings that the trace does not tell yet: the rules' names, and how often each had fired.
    unsaid: Vec<(String, u64)>,
    /// Events that change places, by the rule's name and the listener's.
    shuffling: BTreeMap<(String, String), Shuffling>,
    groups: u64,
}

impl Engine {
    /// Nothing goes wrong yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rules: Vec::new(),
            memory: Memory::default(),
            unsaid: Vec::new(),
            shuffling: BTreeMap::new(),
            groups: 0,
        }
    }

    /// Puts a rule at the end of the list. One of that name is replaced, and counted anew.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn put(&mut self, rule: Rule) -> Result<(), BadRule> {
        rule.check()?;
        self.remove(&rule.name);
        let next = rule.when.at;
        self.rules.push(Armed {
            chance: SeededEntropy::new(self.seed, &format!("fault {}", rule.name)),
            rule: Arc::new(rule),
            met: 0,
            fired: 0,
            recent: VecDeque::new(),
            next,
        });
        Ok(())
    }

    /// Takes a rule away. False where there was none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.rules.len();
        self.rules.retain(|armed| armed.rule.name != name);
        self.memory.forget(name);
        self.shuffling.retain(|(rule, _), _| rule != name);
        self.rules.len() < before
    }

    /// All rules, in order, and how often each has fired.
    pub fn rules(&self) -> impl Iterator<Item = (&Arc<Rule>, u64)> {
        self.rules.iter().map(|armed| (&armed.rule, armed.fired))
    }

    /// The rules that fire for a request, in order: while it has no answer those that do not ask for its status, and then those that do.
    pub fn meet(&mut self, request: &Encounter<'_>) -> Vec<Firing> {
        let is_about = |rule: &Rule| {
            let place = rule.then.place();
            (matches!(place, Place::Request | Place::Answer)
                || (place == Place::Happening && rule.when.at.is_none() && request.bmc.is_some()))
                && rule.when.status.is_empty() == request.status.is_none()
                && concerns(&rule.then, request)
        };
        self.fire(request.at, |rule| {
            is_about(rule) && fits(&rule.when, request)
        })
    }

    /// The rules that fire for a connection, in order.
    pub fn meet_connection(&mut self, arrival: &Arrival<'_>) -> Vec<Firing> {
        self.fire(arrival.at, |rule| {
            let is_about = match rule.then {
                Then::Certificate(_) | Then::Connection(Connection::StallsInHandshake) => {
                    arrival.is_tls
                }
                Then::Connection(_) => true,
                _ => false,
            };
            let When {
                face,
                in_flight_over,
                ..
            } = &rule.when;
            is_about
                && face.as_ref().is_none_or(|face| face.fits(arrival.face))
                && in_flight_over.is_none_or(|most| arrival.open > most)
                && in_time(&rule.when, arrival.at)
        })
    }

    /// The rules that fire among those that fit: for each, its calls are counted and its chance is drawn.
    pub(crate) fn fire(&mut self, at: SignedDuration, fits: impl Fn(&Rule) -> bool) -> Vec<Firing> {
        let hit = |armed: &mut Armed| match fits(&armed.rule) {
            true => armed.fire(at),
            false => None,
        };
        self.rules.iter_mut().filter_map(hit).collect()
    }

    /// The first rule that fires among those that fit.
    pub(super) fn fire_first(
        &mut self,
        at: SignedDuration,
        fits: impl Fn(&Rule) -> bool,
    ) -> Option<Firing> {
        let hit = |armed: &mut Armed| {
            let fits = in_time(&armed.rule.when, at) && fits(&armed.rule);
            fits.then(|| armed.fire(at)).flatten()
        };
        let firing = self.rules.iter_mut().find_map(hit)?;
        self.unsaid.push((firing.rule.name.clone(), firing.number));
        Some(firing)
    }

    /// Whether there is such a rule.
    pub(crate) fn has(&self, is: impl Fn(&Rule) -> bool) -> bool {
        self.rules.iter().any(|armed| is(&armed.rule))
    }

    /// The firings that the trace does not tell yet.
    pub(crate) fn take_unsaid(&mut self) -> Vec<(String, u64)> {
        std::mem::take(&mut self.unsaid)
    }

    /// When the next rule happens by itself.
    pub(crate) fn next_timed(&self) -> Option<SignedDuration> {
        self.rules.iter().filter_map(|armed| armed.next).min()
    }

    /// The first of the rules that happen by themselves by then; it is put down for the next time.
    pub(crate) fn take_timed(&mut self, age: SignedDuration) -> Option<Arc<Rule>> {
        let due = |armed: &&mut Armed| armed.next.is_some_and(|next| next <= age);
        let all = self.rules.iter_mut().filter(due);
        let armed = all.min_by_key(|armed| armed.next)?;
        let When { every, until, .. } = &armed.rule.when;
        // Where it was long due, it does not happen for each time that was missed.
        armed.next = armed.next.zip(*every).map(|(next, every)| {
            let missed = (age - next).as_millis() / every.as_millis().max(1) + 1;
            next + every * i32::try_from(missed).unwrap_or(i32::MAX)
        });
        armed.next = armed
            .next
            .filter(|next| until.is_none_or(|until| *next < until));
        Some(Arc::clone(&armed.rule))
    }

    /// Whether a rule that happens by itself does so now.
    pub(crate) fn fire_timed(&mut self, name: &str, age: SignedDuration) -> Option<Firing> {
        self.fire_first(age, |rule| rule.name == name)
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// A number for a group of events.
    pub(super) fn groups(&mut self) -> u64 {
        self.groups += 1;
        self.groups
    }

    pub(super) fn shuffling(&mut self, of: (String, String)) -> &mut Shuffling {
        self.shuffling.entry(of).or_default()
    }

    /// Whether a rule may ask for the text of an answer's body.
    pub(crate) fn reads_bodies(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|armed| armed.rule.then.reads_bodies())
    }

    /// Whether a rule asks for the status of answers.
    pub(crate) fn asks_for_status(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|armed| !armed.rule.when.status.is_empty())
    }

    /// How old the session of a token is, which is first seen now if it was not before. `None` where no rule asks for it.
    pub(crate) fn session(&mut self, token: &[u8], at: SignedDuration) -> Option<SignedDuration> {
        let mut rules = self.rules.iter();
        rules
            .any(|armed| armed.rule.when.session_over.is_some())
            .then(|| self.memory.token(token, at))
    }

    pub(crate) fn memory(&mut self) -> &mut Memory {
        &mut self.memory
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
    fn fire(&mut self, at: SignedDuration) -> Option<Firing> {
        let When {
            calls,
            chance,
            rate_over,
            ..
        } = &self.rule.when;
        if let Some(Rate { calls, within }) = *rate_over {
            while self.recent.front().is_some_and(|then| *then + within <= at) {
                self.recent.pop_front();
            }
            if self.recent.len() < calls as usize {
                self.recent.push_back(at);
                return None;
            }
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

/// Whether what happens can happen to a request at all.
fn concerns(then: &Then, request: &Encounter<'_>) -> bool {
    match then {
        Then::Redirect(redirect) => redirect.of(request.path).is_some(),
        Then::Etag(super::Etag::Unchanged) => request.headers.contains_key("if-none-match"),
        _ => true,
    }
}

fn in_time(when: &When, at: SignedDuration) -> bool {
    when.from.is_none_or(|from| at >= from) && when.until.is_none_or(|until| at < until)
}

fn fits(when: &When, request: &Encounter<'_>) -> bool {
    let When {
        system,
        face,
        uri,
        method,
        header,
        status,
        session_over,
        rate_over: _,
        message: _,
        to: _,
        operation: _,
        power: _,
        at: _,
        every: _,
        calls: _,
        chance: _,
        from: _,
        until: _,
        in_flight_over,
    } = when;
    let system = system.as_ref().is_none_or(|pattern| {
        let of = request.system;
        of.is_some_and(|(id, name)| pattern.fits(id) || pattern.fits(name))
    });
    let path = request.path.trim_end_matches('/');
    let code = request.status.map(|status| status.as_u16().to_string());
    system
        && face
            .as_ref()
            .is_none_or(|pattern| pattern.fits(request.face))
        && code.is_none_or(|code| status.iter().any(|pattern| pattern.fits(&code)))
        && session_over.is_none_or(|over| request.session.is_some_and(|age| age > over))
        && uri.as_ref().is_none_or(|pattern| pattern.fits(path))
        && (method.is_empty() || method.iter().any(|method| method.is(request.method)))
        && header
            .as_ref()
            .is_none_or(|name| request.headers.contains_key(name))
        && in_time(when, request.at)
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
            ..Answer::default()
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
                    face: "fleet",
                    system: Some(("4f", "sim-00001")),
                    bmc: Some(("4f", "sim-00001")),
                    session: None,
                    status: None,
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
                ..Answer::default()
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
