//! What holds of simulated machines whatever is done to them, and whenever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::sim::{
    Ending, Guest, Install, Line, OnPanic, Profile, SimBackend, SimSettings,
};
use hawkfish_core::backend::{
    Backend, BootMode, BootOverride, BootTarget, Change, Insert, Machine, MediaSource, Power,
    Setup, Step,
};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::error::ErrorKind;
use hawkfish_core::id::{BootOptionId, SlotId};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

const MACHINES: usize = 5;

#[derive(Clone, Debug)]
enum Act {
    Step(usize, Step),
    Setup(usize, Setup),
    Insert(usize, &'static str, &'static str),
    Eject(usize, &'static str),
    Guest(usize, Guest),
    Pass(u64),
    Drain,
    Lose,
    Find,
}

fn target() -> impl Strategy<Value = BootTarget> {
    prop::sample::select(vec![
        BootTarget::Pxe,
        BootTarget::Hdd,
        BootTarget::Cd,
        BootTarget::Usb,
        BootTarget::BiosSetup,
        BootTarget::UefiHttp,
    ])
}

fn setup() -> impl Strategy<Value = Setup> {
    let over = (target(), any::<bool>()).prop_map(|(target, once)| BootOverride { target, once });
    let uri = prop::sample::select(vec![
        "http://boot.example/a.efi",
        "http://b.invalid/",
        "no address",
    ]);
    (
        prop::option::of(prop::option::of(over)),
        prop::option::weighted(
            0.3,
            prop::sample::select(vec![BootMode::Legacy, BootMode::Uefi]),
        ),
        prop::option::weighted(0.3, prop::collection::vec(0_u8..12, 0..5)),
        prop::option::weighted(0.2, prop::option::of(uri)),
        prop::option::weighted(0.2, "[a-z]{0,3}"),
        prop::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(
            |(over, mode, order, http_uri, asset_tag, autostart)| Setup {
                over,
                mode,
                order: order.map(|numbers| {
                    let ids = numbers.into_iter().map(|n| format!("Boot{n:04X}"));
                    ids.map(|id| BootOptionId::parse(&id).unwrap()).collect()
                }),
                http_uri: http_uri.map(|uri| uri.map(str::to_owned)),
                asset_tag,
                autostart,
                ..Setup::default()
            },
        )
}

fn guest() -> impl Strategy<Value = Guest> {
    (
        0_u64..9,
        0_u64..9,
        any::<bool>(),
        prop::option::of(0_u64..20),
        any::<bool>(),
        0_u64..3,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(boots, shuts, deaf, resets, stop, panics, disk, network)| Guest {
                boots_in: Duration::from_secs(boots),
                shuts_down_in: Duration::from_secs(shuts),
                ignores_acpi: deaf,
                resets_itself_after: resets.map(Duration::from_secs),
                on_panic: if stop {
                    OnPanic::Stop
                } else {
                    OnPanic::Restart
                },
                panics_for: Duration::from_secs(panics),
                disk_boots: disk,
                network_boots: network,
                at_boots: match panics {
                    0 => BTreeMap::from([(2, Ending::Hang), (3, Ending::Reset)]),
                    1 => BTreeMap::from([(1, Ending::Panic), (4, Ending::PowerOff)]),
                    _ => BTreeMap::new(),
                },
                says: vec![Line {
                    after: Duration::from_millis(700 * shuts),
                    text: "boot {boot} of {name}".into(),
                    at_boots: BTreeSet::new(),
                }],
                installs: (!disk).then(|| Install {
                    takes: Duration::from_secs(boots),
                    ejects: deaf,
                    ..Install::default()
                }),
                dumps_for: stop.then_some(Duration::from_secs(2)),
                ..Guest::default()
            },
        )
}

fn act() -> impl Strategy<Value = Act> {
    let machine = || 0..MACHINES;
    let slot = || prop::sample::select(vec!["Cd", "Usb", "Floppy"]);
    let image = prop::sample::select(vec!["http://a.example/x.iso", "http://b.invalid/x", "x"]);
    prop_oneof![
        10 => (machine(), prop::sample::select(Step::ALL.to_vec())).prop_map(|(m, s)| Act::Step(m, s)),
        4 => (machine(), Just(Step::Start)).prop_map(|(m, s)| Act::Step(m, s)),
        5 => (machine(), setup()).prop_map(|(m, s)| Act::Setup(m, s)),
        3 => (machine(), slot(), image).prop_map(|(m, s, i)| Act::Insert(m, s, i)),
        1 => (machine(), slot()).prop_map(|(m, s)| Act::Eject(m, s)),
        2 => (machine(), guest()).prop_map(|(m, g)| Act::Guest(m, g)),
        8 => (0_u64..12_000).prop_map(Act::Pass),
        1 => (0_u64..1 << 44).prop_map(Act::Pass),
        1 => Just(Act::Drain),
        1 => Just(Act::Lose),
        2 => Just(Act::Find),
    ]
}

fn script() -> impl Strategy<Value = Vec<Act>> {
    prop::collection::vec(act(), 0..80)
}

/// How the clock gets from one moment to the next.
#[derive(Clone, Copy)]
enum Pace {
    Leap,
    /// In steps of so many milliseconds, at most so many, with a look at the machines after each.
    Creep(u64, u64),
    /// From one due moment to the next.
    Due,
}

/// All that can be seen of a world.
#[derive(Debug, PartialEq)]
struct Seen {
    results: Vec<Result<Machine, ErrorKind>>,
    changes: Vec<Change>,
    machines: Vec<Machine>,
    /// As they came.
    made: Vec<Machine>,
    consoles: Vec<String>,
}

fn play(seed: u64, script: &[Act], pace: Pace) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_000_000).unwrap()));
        let settings = SimSettings {
            systems: MACHINES,
            seed,
            profiles: Profile::all(),
            ..SimSettings::default()
        };
        let backend = SimBackend::new(settings, Arc::<ManualClock>::clone(&clock));
        let key = |number: usize| backend.key(number).unwrap();
        let mut seen = Seen {
            results: Vec::new(),
            changes: Vec::new(),
            machines: Vec::new(),
            made: backend.machines().await.unwrap(),
            consoles: Vec::new(),
        };
        seen.changes.extend(backend.drain_changes());
        for act in script {
            let result = match act {
                Act::Step(machine, step) => backend.step(key(*machine), *step).await,
                Act::Setup(machine, setup) => backend.setup(key(*machine), setup).await,
                Act::Insert(machine, slot, image) => {
                    let medium = Insert {
                        source: MediaSource::Uri((*image).to_owned()),
                        write_protected: false,
                    };
                    let slot = SlotId::parse(slot).unwrap();
                    backend.insert(key(*machine), &slot, &medium).await
                }
                Act::Eject(machine, slot) => {
                    backend
                        .eject(key(*machine), &SlotId::parse(slot).unwrap())
                        .await
                }
                Act::Guest(machine, guest) => {
                    let _ = backend.set_guest(key(*machine), guest.clone());
                    continue;
                }
                Act::Drain => {
                    seen.changes.extend(backend.drain_changes());
                    continue;
                }
                Act::Lose => {
                    backend.lose("lost");
                    continue;
                }
                Act::Find => {
                    backend.find();
                    seen.changes.extend(backend.drain_changes());
                    continue;
                }
                Act::Pass(ms) => {
                    pass(&backend, &clock, *ms, pace).await;
                    continue;
                }
            };
            seen.results
                .push(result.map_err(|error| error.kind().clone()));
        }
        backend.find();
        seen.changes.extend(backend.drain_changes());
        seen.machines = backend.machines().await.unwrap();
        for number in 0..MACHINES {
            let console = backend.console_log(key(number)).await.unwrap();
            seen.consoles.push(String::from_utf8(console).unwrap());
        }
        seen
    })
}

async fn pass(backend: &SimBackend, clock: &ManualClock, ms: u64, pace: Pace) {
    use hawkfish_core::clock::Clock as _;
    let until = clock.now() + SignedDuration::from_millis(ms as i64);
    match pace {
        Pace::Leap => {}
        Pace::Creep(step, most) => {
            for _ in 0..(ms / step).min(most) {
                clock.advance(SignedDuration::from_millis(step as i64));
                let _ = backend.machines().await;
            }
        }
        Pace::Due => {
            while let Some(due) = backend.next_due().filter(|due| *due <= until) {
                clock.set(due);
                backend.advance();
                assert!(
                    backend.next_due().is_none_or(|next| next > due),
                    "what was due is done"
                );
            }
        }
    }
    clock.set(until);
    backend.advance();
}

fn is_legal(from: Power, to: Power) -> bool {
    use Power::{Off, On, Paused, PoweringOff, PoweringOn};
    match (from, to) {
        _ if from == to => true,
        // Suspended machines go on as they were.
        (Off, PoweringOn | On | PoweringOff) => true,
        // Power can be cut, and processors stopped, at any moment; and then go on.
        (_, Off) | (PoweringOn | On | PoweringOff, Paused) => true,
        (Paused, PoweringOn | On | PoweringOff) => true,
        (PoweringOn | PoweringOff, On) | (On, PoweringOff) => true,
        (On | PoweringOff, PoweringOn) | (PoweringOn, PoweringOff) | (Off, Paused) => false,
        _ => unreachable!("all pairs are named"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn no_script_panics_and_every_change_of_power_is_a_legal_one(seed: u64, script in script()) {
        let seen = play(seed, &script, Pace::Leap);
        let mut powers = std::collections::BTreeMap::new();
        for change in &seen.changes {
            match change {
                Change::Connected => powers.clear(),
                Change::Lost(_) => {}
                Change::Removed(key) => prop_assert!(false, "{key} vanished"),
                Change::Machine { machine, .. } => {
                    if let Some(before) = powers.insert(machine.key, machine.power) {
                        prop_assert!(is_legal(before, machine.power), "{before:?} -> {:?}", machine.power);
                    }
                    prop_assert!(!machine.crashed || machine.power == Power::Off);
                    let boot = &machine.boot;
                    prop_assert!(boot.modes.contains(&boot.mode));
                    prop_assert!(boot.over.is_none_or(|over| boot.targets.contains(&over.target)), "{boot:?}");
                    let ids: BTreeSet<_> = boot.options.iter().map(|o| &o.id).collect();
                    prop_assert_eq!(ids.len(), boot.options.len());
                    prop_assert!(boot.options.is_sorted_by_key(|o| !o.enabled));
                    prop_assert!(machine.slots[0].medium.as_ref().is_none_or(|m| m.write_protected));
                }
            }
        }
        // The last that was told is what is.
        for machine in &seen.machines {
            let told = seen.changes.iter().rev().find_map(|change| match change {
                Change::Machine { machine: told, .. } if told.key == machine.key => Some(told),
                _ => None,
            });
            match told {
                Some(told) => prop_assert_eq!(&**told, machine),
                None => prop_assert!(seen.made.contains(machine)),
            }
        }
    }

    #[test]
    fn the_same_seed_and_script_give_the_same_world(seed: u64, script in script()) {
        let first = play(seed, &script, Pace::Leap);
        for _ in 0..3 {
            prop_assert_eq!(&play(seed, &script, Pace::Leap), &first);
        }
    }

    #[test]
    fn one_leap_and_many_small_steps_come_to_the_same(seed: u64, script in script(), step in 1_u64..3000) {
        let leap = play(seed, &script, Pace::Leap);
        prop_assert_eq!(&play(seed, &script, Pace::Creep(step, 200)), &leap);
        prop_assert_eq!(&play(seed, &script, Pace::Due), &leap);
    }

    #[test]
    fn a_verb_that_fails_leaves_every_machine_as_it_was(seed: u64, script in script(), last in act()) {
        let mut with = script.clone();
        with.push(last);
        let before = play(seed, &script, Pace::Leap);
        let after = play(seed, &with, Pace::Leap);
        if after.results.len() > before.results.len() && after.results.last().unwrap().is_err() {
            prop_assert_eq!(before.machines, after.machines);
            prop_assert_eq!(before.consoles, after.consoles);
            prop_assert_eq!(before.changes, after.changes);
        }
    }

    #[test]
    fn what_was_last_seen_is_where_a_new_rack_goes_on(seed: u64, script in script()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let seen = play(seed, &script, Pace::Leap).machines;
        let settings = SimSettings { systems: MACHINES, seed, ..SimSettings::default() };
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_000_000).unwrap()));
        let rack = SimBackend::new(settings, clock);
        rack.restore(&seen);
        let machines = runtime.block_on(rack.machines()).unwrap();
        for (restored, machine) in machines.iter().zip(&seen) {
            // A switch of firmware that waits for a cold start is known to nobody but the firmware.
            let same_firmware = restored.boot.targets == machine.boot.targets;
            if same_firmware {
                prop_assert_eq!(restored, machine);
            }
        }
    }
}
