//! Events that go astray on their way to those who listen: to webhooks and to streams, events and reports of metrics alike.
//!
//! What the service knows to have happened stays as it is: a client finds out what it missed by the numbers of events, or by opening its stream again with
//! `Last-Event-ID`.

use hawkfish_core::entropy::{Entropy as _, SeededEntropy};
use hawkfish_core::subscriptions::{Errand, Fate, Kind};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::latency::Delay;
use super::rule::Then;
use super::when::When;

/// What becomes of an event on its way to one who listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Events {
    /// It never arrives.
    Lost,
    /// It arrives twice, the second time by itself.
    Twice,
    /// It arrives later.
    Late(Delay),
    /// It waits for others, and arrives with them in another order.
    Reordered(Reordered),
}

/// Events that arrive in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reordered {
    /// How many of them at a time, from 2 up.
    pub window: u32,
    /// How long the first waits for the others at most.
    #[serde(default = "minute")]
    pub within: SignedDuration,
}

fn minute() -> SignedDuration {
    SignedDuration::from_mins(1)
}

/// Who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// A destination to which events are sent.
    Webhook,
    /// Who holds a stream of server-sent events open.
    Stream,
}

impl Listener {
    fn is(self, kind: Kind) -> bool {
        match self {
            Self::Webhook => kind == Kind::Webhook,
            Self::Stream => kind == Kind::Stream,
        }
    }
}

impl Events {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Lost | Self::Twice => Ok(()),
            Self::Late(delay) => delay.check(),
            Self::Reordered(Reordered { window, within }) => {
                match (2..=1000).contains(window) && within.is_positive() {
                    true => Ok(()),
                    false => Err("2 to 1000 events change places, within some time".to_owned()),
                }
            }
        }
    }
}

/// How far the events of one listener that change places are.
#[derive(Clone, Debug, Default)]
pub(super) struct Shuffling {
    group: u64,
    /// The places that are left, the next one last.
    places: Vec<u32>,
}

/// The places of so many, in an order that is not theirs.
fn places(of: u32, seed: u64, name: &str) -> Vec<u32> {
    let chance = SeededEntropy::new(seed, name);
    let mut places: Vec<u32> = (0..of).rev().collect();
    for at in (1..places.len()).rev() {
        let other = usize::try_from(chance.number() % (at as u64 + 1)).unwrap_or(0);
        places.swap(at, other);
    }
    if places.iter().rev().is_sorted() {
        places.reverse();
    }
    places
}

impl Engine {
    /// What becomes of an event, while the world that it happened in began at `beginning`.
    pub(crate) fn fate(&mut self, errand: &Errand<'_>, beginning: Timestamp) -> Option<Fate> {
        let age = errand.told.happened().event.at.duration_since(beginning);
        let system = errand.system;
        let names = system.map(|system| (system.id.as_str(), system.machine.name.as_str()));
        let firing = self.fire_first(age, |rule| {
            matches!(rule.then, Then::Events(_)) && fits(&rule.when, names, errand)
        })?;
        let Then::Events(events) = &firing.rule.then else {
            return None;
        };
        Some(match events {
            Events::Lost => Fate::Lost,
            Events::Twice => Fate::Again(1),
            Events::Late(delay) => Fate::Late(delay.draw(firing.roll)),
            Events::Reordered(Reordered { window, within }) => {
                let key = (firing.rule.name.clone(), errand.to.to_string());
                let name = format!("order {} {}", key.0, key.1);
                let (seed, next) = (self.seed(), self.groups());
                let shuffling = self.shuffling(key);
                if shuffling.places.is_empty() {
                    shuffling.group = next;
                    shuffling.places = places(*window, seed, &format!("{name} {next}"));
                }
                Fate::Shuffled {
                    group: shuffling.group,
                    of: *window,
                    place: shuffling.places.pop()?,
                    within: *within,
                }
            }
        })
    }
}

fn fits(when: &When, system: Option<(&str, &str)>, errand: &Errand<'_>) -> bool {
    let message = &errand.record.message_id;
    when.of_system(system)
        && when
            .message
            .as_ref()
            .is_none_or(|pattern| pattern.fits(message))
        && (when.to.is_empty() || when.to.iter().any(|to| to.is(errand.kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_all_there_and_never_in_their_order() {
        for seed in 0..200 {
            for of in 2..6 {
                let mut all = places(of, seed, "x");
                let drawn: Vec<u32> = all.iter().rev().copied().collect();
                assert!(!drawn.is_sorted(), "{drawn:?}");
                all.sort_unstable();
                assert_eq!(all, (0..of).collect::<Vec<_>>());
            }
        }
    }
}
