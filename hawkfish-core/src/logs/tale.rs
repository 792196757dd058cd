//! What a change of a machine tells: from how it was, how it is, and why, to what happened. Pure.

use super::event::{BootPart, What, Why};
use crate::backend::{Cause, Machine, MediaSource, Power};
use crate::inventory::System;

/// What HawkFish is doing to a machine at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// A power step.
    Power,
    /// Anything else.
    Setup,
}

/// What happened to a machine that was as `before` and is as `now`. `power` is how it was last told to run, which is not always what `before` shows: of
/// several things that happen at once a backend tells with the machine as it is after all of them.
pub(crate) fn tale(
    power: &mut Power,
    before: &Machine,
    now: &Machine,
    cause: &Cause,
    doing: Option<Doing>,
    system: Option<&System>,
) -> Vec<What> {
    let mut told = Vec::new();
    power_tale(power, before, now, cause, doing, &mut told);
    boot_tale(before, now, doing, &mut told);
    media_tale(before, now, system, &mut told);
    told
}

fn power_tale(
    power: &mut Power,
    before: &Machine,
    now: &Machine,
    cause: &Cause,
    doing: Option<Doing>,
    told: &mut Vec<What>,
) {
    let why = match (doing, cause) {
        (Some(Doing::Power), _) => Why::Command,
        (_, Cause::Shutdown | Cause::Reset | Cause::Crashed | Cause::Watchdog) => Why::Guest,
        (_, Cause::Seen) => Why::Unseen,
        _ => Why::Outside,
    };
    let was_off = *power == Power::Off;
    let stops = matches!(
        cause,
        Cause::Shutdown | Cause::Stopped | Cause::Crashed | Cause::Seen | Cause::Verb
    );
    match cause {
        Cause::Watchdog => {
            told.push(What::WatchdogFired);
            // Where its bite shows already, what is told of that next is its echo.
            if !was_off && now.power != Power::Off && before.last_reset != now.last_reset {
                told.push(What::Reset(why));
            }
        }
        Cause::IoError => told.push(What::DiskFailed),
        _ => {}
    }
    if !was_off && (now.power == Power::Off || matches!(cause, Cause::Shutdown | Cause::Stopped)) {
        // One that failed and stood still comes to be off: that it failed is known.
        let stood = before.crashed && *power == Power::Paused;
        told.push(match cause {
            Cause::Crashed if !stood => What::Crashed,
            _ if now.crashed && !before.crashed && stops => What::Crashed,
            // What was asked to shut down does so by itself, also while HawkFish waits for it.
            Cause::Shutdown => What::PoweredOff(Why::Guest),
            _ => What::PoweredOff(why),
        });
        *power = Power::Off;
    } else if was_off && now.power != Power::Off {
        told.push(What::PoweredOn(why));
        *power = now.power;
        if now.power == Power::Paused {
            return;
        }
    } else if *cause == Cause::Crashed
        && !(before.crashed && matches!(*power, Power::Paused | Power::Off))
    {
        told.push(What::Crashed);
    } else if *cause == Cause::Reset && now.power != Power::Off {
        if why == Why::Command || !is_same_reset(before, now) {
            told.push(What::Reset(why));
        }
    } else if now.power == Power::Paused && *power != Power::Paused {
        // Who looks between a failure and what is told of it sees it stand still.
        told.push(match now.crashed && !before.crashed {
            true => What::Crashed,
            false => What::Paused(why),
        });
    } else if *power == Power::Paused && matches!(now.power, Power::On | Power::PoweringOn) {
        told.push(What::Resumed(why));
    }
    // Of what stopped and started in between, that it started is still to be told.
    if !matches!(cause, Cause::Shutdown | Cause::Stopped) {
        *power = now.power;
    }
}

/// Whether a reset is but the echo of one that was told: QEMU tells of several where firmware resets the machine once more on its way.
fn is_same_reset(before: &Machine, now: &Machine) -> bool {
    const ECHO: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);
    match (before.last_reset, now.last_reset) {
        (Some(before), Some(now)) => now.duration_since(before) < ECHO,
        _ => false,
    }
}

fn boot_tale(before: &Machine, now: &Machine, doing: Option<Doing>, told: &mut Vec<What>) {
    let (old, new) = (&before.boot, &now.boot);
    let mut parts = Vec::new();
    if old.over != new.over {
        let once = old.over.is_some_and(|over| over.once);
        if once && new.over.is_none() && doing != Some(Doing::Setup) {
            told.push(What::OverrideUsed);
        } else {
            parts.push(BootPart::Override);
        }
    }
    if old.mode != new.mode {
        parts.push(BootPart::Mode);
    }
    let order = |machine: &Machine| -> Vec<String> {
        let tried = machine.boot.options.iter().filter(|o| o.enabled);
        tried.map(|o| o.id.to_string()).collect()
    };
    if old.options != new.options && order(before) != order(now) {
        parts.push(BootPart::Order);
    }
    if old.http_uri != new.http_uri {
        parts.push(BootPart::HttpUri);
    }
    if !parts.is_empty() {
        told.push(What::BootChanged(parts));
    }
}

fn media_tale(before: &Machine, now: &Machine, system: Option<&System>, told: &mut Vec<What>) {
    for slot in &now.slots {
        let old = before.slots.iter().find(|old| old.id == slot.id);
        let old = old.and_then(|old| old.medium.as_ref());
        let new = slot.medium.as_ref();
        if old.map(|m| &m.source) == new.map(|m| &m.source) {
            continue;
        }
        if old.is_some() {
            told.push(What::MediumEjected {
                slot: slot.id.clone(),
            });
        }
        if let Some(medium) = new {
            let record = system.and_then(|system| system.media.get(&slot.id));
            let record = record.filter(|record| record.source == medium.source);
            told.push(What::MediumInserted {
                slot: slot.id.clone(),
                image: match record {
                    Some(record) => record.image_name.clone(),
                    None => name_of(&medium.source),
                },
            });
        }
    }
}

/// What a medium that somebody else put in is called.
fn name_of(source: &MediaSource) -> String {
    match source {
        MediaSource::File(path) => path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        MediaSource::Uri(uri) => {
            let path = uri.split(['?', '#']).next().unwrap_or_default();
            path.rsplit('/').next().unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine as the simulator makes it, which is the shortest way to a whole one.
    fn machine(power: Power) -> Machine {
        let clock = std::sync::Arc::new(crate::clock::ManualClock::new(
            "2026-01-01T00:00:00Z".parse().unwrap(),
        ));
        let settings = crate::backend::sim::SimSettings::default();
        let backend = crate::backend::sim::SimBackend::new(settings, clock);
        use crate::backend::Backend as _;
        let all = futures::executor::block_on(backend.machines()).unwrap();
        let mut machine = all.into_iter().next().unwrap();
        machine.power = power;
        machine
    }

    /// What is told of several things that happen one after the other, each with the machine as it is then.
    fn told(from: Power, happens: &[(Cause, Power)], doing: Option<Doing>) -> Vec<What> {
        let mut before = machine(from);
        let mut power = from;
        let mut clock: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut all = Vec::new();
        for (cause, then) in happens {
            let mut now = before.clone();
            now.power = *then;
            now.crashed |= *cause == Cause::Crashed;
            if *cause == Cause::Reset {
                clock += jiff::SignedDuration::from_secs(60);
                now.last_reset = Some(clock);
            }
            all.extend(tale(&mut power, &before, &now, cause, doing, None));
            before = now;
        }
        all
    }

    #[test]
    fn power_is_told_once_and_with_its_cause() {
        use Power::{Off, On, Paused, PoweringOn};
        let command = Some(Doing::Power);
        for (from, happens, doing, expected) in [
            (
                Off,
                vec![(Cause::Verb, PoweringOn), (Cause::Started, On)],
                command,
                vec![What::PoweredOn(Why::Command)],
            ),
            (
                On,
                vec![(Cause::Shutdown, Off)],
                None,
                vec![What::PoweredOff(Why::Guest)],
            ),
            (
                On,
                vec![(Cause::Stopped, Off), (Cause::Verb, Off)],
                command,
                vec![What::PoweredOff(Why::Command)],
            ),
            (
                On,
                vec![(Cause::Stopped, Off)],
                None,
                vec![What::PoweredOff(Why::Outside)],
            ),
            (On, vec![(Cause::Crashed, Off)], None, vec![What::Crashed]),
            // libvirt tells of a guest that panicked, and again when it takes its machine away.
            (
                On,
                vec![(Cause::Crashed, Paused), (Cause::Crashed, Off)],
                None,
                vec![What::Crashed, What::PoweredOff(Why::Guest)],
            ),
            (
                On,
                vec![(Cause::Crashed, Off), (Cause::Crashed, Off)],
                None,
                vec![What::Crashed],
            ),
            (
                On,
                vec![(Cause::Seen, Off)],
                None,
                vec![What::PoweredOff(Why::Unseen)],
            ),
            (
                On,
                vec![(Cause::Reset, PoweringOn), (Cause::Changed, On)],
                None,
                vec![What::Reset(Why::Guest)],
            ),
            (
                On,
                vec![(Cause::Reset, On), (Cause::Verb, On)],
                command,
                vec![What::Reset(Why::Command)],
            ),
            (
                On,
                vec![(Cause::Paused, Paused), (Cause::Resumed, On)],
                None,
                vec![What::Paused(Why::Outside), What::Resumed(Why::Outside)],
            ),
            (
                On,
                vec![(Cause::Watchdog, On)],
                None,
                vec![What::WatchdogFired],
            ),
            (
                On,
                vec![(Cause::IoError, Paused)],
                None,
                vec![What::DiskFailed, What::Paused(Why::Outside)],
            ),
            (On, vec![(Cause::Seen, On), (Cause::Verb, On)], None, vec![]),
            // Told late, both with the machine as it is after both.
            (
                On,
                vec![(Cause::Shutdown, On), (Cause::Started, On)],
                None,
                vec![What::PoweredOff(Why::Guest), What::PoweredOn(Why::Outside)],
            ),
        ] {
            assert_eq!(
                told(from, &happens, doing),
                expected,
                "{from:?} {happens:?}"
            );
        }
    }

    #[test]
    fn a_failure_that_is_seen_before_it_is_told_of_is_told_once() {
        let before = machine(Power::On);
        let mut now = machine(Power::Paused);
        now.crashed = true;
        let mut power = Power::On;
        let mut all = tale(&mut power, &before, &now, &Cause::Changed, None, None);
        all.extend(tale(&mut power, &now, &now, &Cause::Crashed, None, None));
        assert_eq!(all, [What::Crashed]);
    }

    #[test]
    fn the_echo_of_a_reset_is_no_other_reset() {
        let at = |second: i64| jiff::Timestamp::from_second(second).unwrap();
        let reset = |first: i64, second: i64| {
            let mut before = machine(Power::On);
            before.last_reset = Some(at(first));
            let mut now = before.clone();
            now.last_reset = Some(at(second));
            tale(&mut Power::On, &before, &now, &Cause::Reset, None, None)
        };
        assert_eq!(reset(100, 101), []);
        assert_eq!(reset(100, 103), [What::Reset(Why::Guest)]);
    }

    #[test]
    fn an_override_that_was_used_is_told_apart_from_one_that_was_taken_away() {
        use crate::backend::{BootOverride, BootTarget};
        let mut before = machine(Power::Off);
        before.boot.over = Some(BootOverride {
            target: BootTarget::Pxe,
            once: true,
        });
        let mut now = before.clone();
        now.boot.over = None;
        let tell = |doing| tale(&mut Power::Off, &before, &now, &Cause::Changed, doing, None);
        assert_eq!(tell(None), [What::OverrideUsed]);
        assert_eq!(tell(Some(Doing::Power)), [What::OverrideUsed]);
        let taken = What::BootChanged(vec![BootPart::Override]);
        assert_eq!(tell(Some(Doing::Setup)), [taken]);
    }
}
