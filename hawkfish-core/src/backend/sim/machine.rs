//! The life of a simulated machine: what it does now, and what comes next when it is told something or when its time is up.
//!
//! ```text
//!            Start                 found something            prompt
//!   Off ─────────────▶ SelfTest ──────────────────▶ Booting ─────────▶ Up ◀─ asked while Booting: heeded here
//!    ▲                  ▲   │                         │                │
//!    │                  │   └─▶ Idle (set-up, or      │ Nmi            ├─ Shutdown, PowerButton, Restart ─▶ ShuttingDown
//!    │                  │       nothing to boot)      ▼                │                                      │    │
//!    │                  │◀──────────────────────── Panicked ◀── Nmi ───┤                                      │    │
//!    │                  │  on_panic, or the watchdog  │                │                                      │    │
//!    │                  │◀────────────────────────────┼── resets itself┘                        restart ──────┘    │
//!    │                  └─ Reset, of anything that runs │                                                           │
//!    └── ForceOff of anything ◀────────────────────────┴── (crashed)                              off ◀────────────┘
//!
//!   Booting ── by the guest's script, in place of the prompt ──▶ Panicked, Hung, SelfTest (it resets itself) or Off
//!   SelfTest ── found an installer ──▶ Installing ──▶ SelfTest or Off, with a system on the first disk
//!   Panicked and Hung end by a Reset, by the watchdog, or, of a Hung one, by an Nmi; before Panicked comes Dumping, if the guest writes its memory to disk
//!
//!   anything that runs ── Pause ──▶ Paused ── Resume ──▶ as it was, its timer with the time that was left
//!   anything that runs ── Suspend ──▶ Off with memory ── Start ──▶ as it was, likewise
//! ```
//!
//! The firmware itself (`SelfTest`, `Idle`) heeds the power button at once, as that of a PC does. A cold `SelfTest` shows as `PoweringOn`,
//! one after a reset as `On`; `ShuttingDown` shows as `PoweringOff` unless it is to restart. A paused machine hears what it was asked when it goes on.
//!
//! Nothing in here knows of clocks, slots or boot orders: time comes in with each event, and what to boot is asked for by an action.

use std::time::Duration;

use super::console::What;
use super::profile::{Guest, OnPanic};
use super::script::{AfterInstall, Ending, Install, Phase};
use crate::backend::{BootTarget, Cause, Machine, MediaKind, Power, Step, Word};
use crate::error::Conflict;

/// Milliseconds, since 1970 or of a length.
pub(super) type Millis = i64;

pub(super) fn millis(duration: Duration) -> Millis {
    // A century is as good as never, and leaves room for sums.
    const LONGEST: u128 = 100 * 366 * 86_400_000;
    duration
        .as_millis()
        .min(LONGEST)
        .try_into()
        .expect("a century fits")
}

/// The life of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    pub state: State,
    /// What the guest was asked and will heed when it can.
    pub asked: Option<Ask>,
    /// It is off because its guest failed.
    pub crashed: bool,
    /// How often its guest has reset it since the last cold start.
    pub own_resets: u32,
    /// How often the firmware has handed over.
    pub boots: u32,
    /// For how long it had run when the firmware last handed over, while there is a guest that may speak.
    handed_over: Option<Millis>,
    /// Until when, counted from then, the guest's script was spoken; below 0 is not at all.
    spoken: Millis,
    /// When it last started cold or was reset.
    pub last_reset: Option<Millis>,
    /// While it runs, when it would last have been reset had it never stood still since then; while it stands still, for how long it had run.
    run: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Off; with what it was doing, if it was suspended.
    Off(Option<Memory>),
    Running {
        doing: Doing,
        /// When it goes on to something else by itself.
        until: Option<Millis>,
    },
    Paused(Memory),
}

impl Default for State {
    fn default() -> Self {
        Self::Off(None)
    }
}

/// A machine that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    doing: Doing,
    left: Option<Millis>,
}

impl Memory {
    pub(super) fn doing(self) -> Doing {
        self.doing
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    SelfTest { cold: bool },
    Idle,
    Booting,
    Up,
    ShuttingDown { restart: bool },
    Installing { from: BootTarget },
    Dumping,
    Panicked,
    Hung,
}

/// What a guest can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Off,
    Restart,
    Nmi,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A power step that [`Life::refusal`] has nothing against.
    Step(Step),
    /// The time of what it was doing is up.
    Due,
    /// Its guest does nothing any more.
    Hangs,
    /// The answer to [`Action::ChooseBoot`].
    Found {
        /// From where there is an operating system to boot; else the firmware stays.
        bootable: Option<BootTarget>,
        /// An override for one boot was used up.
        used_override: bool,
        /// When the firmware tries again, if there is nothing to boot.
        tries_again: Option<Duration>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The console starts anew.
    ClearConsole,
    Say(What),
    /// The firmware wants to know what to boot.
    ChooseBoot,
    /// There is a system on the first disk now; the installer may have ejected its medium.
    Installed {
        ejects: Option<MediaKind>,
    },
    /// It has lost its memory: what holds from the next cold start on holds now.
    LostMemory,
    /// It is no longer as it was seen.
    Changed(Cause),
}

/// What an event finds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    pub now: Millis,
    pub self_test: Duration,
    pub guest: &'a Guest,
    /// What the watchdog does when it is not fed.
    pub watchdog: Word,
}

impl Moment<'_> {
    fn after(&self, duration: Duration) -> Option<Millis> {
        Some(self.now + millis(duration))
    }
}

impl Life {
    /// A life that goes on from how a machine was last seen: in the middle of its self-test or boot if it was reset so lately.
    pub(super) fn restored(seen: &Machine, moment: &Moment<'_>) -> Self {
        let last_reset = seen.last_reset.map(|at| at.as_millisecond());
        let booted = |at: Millis| at + millis(moment.self_test);
        let doing_on = match last_reset {
            Some(at) if moment.now < booted(at) => {
                running(Doing::SelfTest { cold: false }, Some(booted(at)))
            }
            Some(at) if moment.now < booted(at) + millis(moment.guest.boots_in) => running(
                Doing::Booting,
                Some(booted(at) + millis(moment.guest.boots_in)),
            ),
            _ => running(Doing::Up, None),
        };
        let state = match seen.power {
            Power::Off => State::Off(None),
            Power::On => doing_on,
            Power::Paused => State::Paused(Memory {
                doing: Doing::Up,
                left: None,
            }),
            Power::PoweringOn => running(
                Doing::SelfTest { cold: true },
                Some(last_reset.map_or(moment.now, booted)),
            ),
            Power::PoweringOff => running(
                Doing::ShuttingDown { restart: false },
                moment.after(moment.guest.shuts_down_in),
            ),
        };
        Self {
            state,
            asked: None,
            crashed: seen.crashed,
            // Nobody knows; a guest that resets itself twice is worse than one that has done so before.
            own_resets: u32::MAX,
            boots: u32::from(seen.power != Power::Off),
            handed_over: None,
            spoken: 0,
            last_reset,
            run: match state {
                State::Running { .. } => last_reset.unwrap_or(moment.now),
                State::Paused(_) | State::Off(_) => last_reset.map_or(0, |at| moment.now - at),
            },
        }
    }

    pub(super) fn power(&self) -> Power {
        match self.state {
            State::Off(_) => Power::Off,
            State::Paused(_) => Power::Paused,
            State::Running { doing, .. } => match doing {
                Doing::SelfTest { cold: true } => Power::PoweringOn,
                Doing::ShuttingDown { restart: false } => Power::PoweringOff,
                _ => Power::On,
            },
        }
    }

    /// For how long it has run since it was last started cold or reset, without the time that it stood still.
    pub(super) fn ran(&self, now: Millis) -> Millis {
        match self.state {
            State::Running { .. } => (now - self.run).max(0),
            State::Paused(_) | State::Off(_) => self.run,
        }
    }

    /// When [`Event::Due`] is due.
    pub(super) fn due(&self) -> Option<Millis> {
        match self.state {
            State::Running { until, .. } => until,
            _ => None,
        }
    }

    /// Whether it is off with nothing kept, so that the next start is a cold one.
    pub(super) fn is_cold(&self) -> bool {
        self.state == State::Off(None)
    }

    /// Why a step cannot be taken now.
    pub(super) fn refusal(&self, step: Step) -> Option<Conflict> {
        match (self.state, step) {
            (State::Off(_), Step::Start | Step::ForceOff) | (State::Paused(_), Step::Resume) => {
                None
            }
            (_, Step::Start) => Some(Conflict::PowerOffRequired),
            (_, Step::Resume) | (State::Paused(_), Step::Pause) => Some(Conflict::NotAllowed),
            (State::Off(_), _) => Some(Conflict::PowerOnRequired),
            _ => None,
        }
    }

    pub(super) fn event(mut self, event: Event, moment: &Moment<'_>) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        match event {
            Event::Step(step) => self.step(step, moment, &mut actions),
            Event::Due => self.time_is_up(moment, &mut actions),
            Event::Hangs => {
                if let State::Running {
                    doing: Doing::Booting | Doing::Up | Doing::ShuttingDown { .. },
                    ..
                } = self.state
                {
                    let before = self.power();
                    self.hang(moment, &mut actions);
                    if self.power() != before {
                        actions.push(Action::Changed(Cause::Changed));
                    }
                }
            }
            Event::Found {
                bootable,
                used_override,
                tries_again,
            } => {
                let State::Running {
                    doing: Doing::SelfTest { cold },
                    ..
                } = self.state
                else {
                    return (self, actions);
                };
                match bootable {
                    Some(from) => self.hand_over(from, moment, &mut actions),
                    None => {
                        let tries_again = tries_again.and_then(|after| moment.after(after));
                        self.state = running(Doing::Idle, tries_again);
                    }
                }
                if cold {
                    actions.push(Action::Changed(Cause::Started));
                } else if used_override {
                    actions.push(Action::Changed(Cause::Changed));
                }
            }
        }
        (self, actions)
    }

    fn step(&mut self, step: Step, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        match (step, self.state) {
            (Step::Start, State::Off(None)) => {
                self.state = running(
                    Doing::SelfTest { cold: true },
                    moment.after(moment.self_test),
                );
                self.asked = None;
                self.crashed = false;
                self.own_resets = 0;
                self.handed_over = None;
                self.last_reset = Some(moment.now);
                self.run = moment.now;
                actions.extend([
                    Action::ClearConsole,
                    Action::Say(What::PowerOn),
                    Action::Changed(Cause::Verb),
                ]);
            }
            (Step::Start, State::Off(Some(memory))) => {
                self.go_on(memory, Cause::Started, moment, actions);
            }
            (Step::Resume, State::Paused(memory)) => {
                self.go_on(memory, Cause::Resumed, moment, actions);
            }
            (Step::ForceOff, State::Running { .. } | State::Paused(_)) => {
                self.turn_off(Cause::Stopped, actions);
            }
            (Step::Shutdown | Step::PowerButton, _) => self.ask(Ask::Off, moment, actions),
            (Step::Restart, _) => self.ask(Ask::Restart, moment, actions),
            (Step::Nmi, _) => self.ask(Ask::Nmi, moment, actions),
            (Step::Reset, State::Running { .. }) => self.reset(moment, actions),
            (Step::Reset, State::Paused(_)) => {
                self.reset(moment, actions);
                self.stand_still(moment.now, State::Paused);
                // The change that the reset announced is the machine as it stands now: paused, at the start of its self-test.
            }
            (Step::Pause, State::Running { .. }) => {
                self.stand_still(moment.now, State::Paused);
                actions.push(Action::Changed(Cause::Paused));
            }
            (Step::Suspend, State::Running { .. } | State::Paused(_)) => {
                self.stand_still(moment.now, |memory| State::Off(Some(memory)));
                actions.push(Action::Changed(Cause::Stopped));
            }
            // What `refusal` refuses, and ForceOff of what is off.
            _ => {}
        }
    }

    fn hang(&mut self, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        let until = moment.guest.watchdog.and_then(|d| moment.after(d));
        self.state = running(Doing::Hung, until);
        self.asked = None;
        self.handed_over = None;
        actions.push(Action::Say(What::Hangs));
    }

    fn time_is_up(&mut self, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        let State::Running { doing, .. } = self.state else {
            return;
        };
        match doing {
            Doing::SelfTest { .. } => actions.push(Action::ChooseBoot),
            Doing::Idle => self.reset(moment, actions),
            Doing::Booting if moment.guest.at_boots.contains_key(&self.boots) => {
                self.asked = None;
                match moment.guest.at_boots[&self.boots] {
                    Ending::Panic => self.panic(What::Fault, moment, actions),
                    Ending::Hang => self.hang(moment, actions),
                    Ending::Reset => {
                        actions.push(Action::Say(What::OwnReset));
                        self.reset(moment, actions);
                    }
                    Ending::PowerOff => {
                        actions.push(Action::Say(What::Down));
                        self.turn_off(Cause::Shutdown, actions);
                    }
                }
            }
            Doing::Booting => {
                let guest = moment.guest;
                let own_reset = guest
                    .resets_itself_after
                    .filter(|_| self.own_resets < guest.resets_itself_times);
                self.state = running(Doing::Up, own_reset.and_then(|d| moment.after(d)));
                actions.push(Action::Say(What::Prompt));
                if let Some(ask) = self.asked.take() {
                    self.ask(ask, moment, actions);
                }
            }
            Doing::Up => {
                self.own_resets = self.own_resets.saturating_add(1);
                actions.push(Action::Say(What::OwnReset));
                self.reset(moment, actions);
            }
            Doing::ShuttingDown { restart: true } => self.reset(moment, actions),
            Doing::ShuttingDown { restart: false } => {
                actions.push(Action::Say(What::Down));
                self.turn_off(Cause::Shutdown, actions);
            }
            Doing::Installing { from } => {
                let own = moment.guest.installs.as_ref();
                let ejects = match from {
                    BootTarget::Cd => Some(MediaKind::Cd),
                    BootTarget::Usb => Some(MediaKind::Usb),
                    _ => None,
                };
                let ejects = ejects.filter(|_| own.is_some_and(|install| install.ejects));
                let is_ejected = ejects.is_some();
                actions.extend([
                    Action::Say(What::Installed { ejects: is_ejected }),
                    Action::Installed { ejects },
                ]);
                match own.map_or(AfterInstall::Restart, |install| install.then) {
                    AfterInstall::Restart => self.reset(moment, actions),
                    AfterInstall::PowerOff => {
                        actions.push(Action::Say(What::Down));
                        self.turn_off(Cause::Shutdown, actions);
                    }
                }
            }
            Doing::Dumping => {
                actions.push(Action::Say(What::Dumped));
                self.panicked(moment);
            }
            Doing::Hung => self.watchdog(Doing::Hung, moment, actions),
            Doing::Panicked => match moment.guest.on_panic {
                OnPanic::Restart => self.reset(moment, actions),
                OnPanic::Stop => {
                    self.crashed = true;
                    self.turn_off(Cause::Crashed, actions);
                }
                OnPanic::Hang => self.watchdog(Doing::Panicked, moment, actions),
            },
        }
    }

    fn ask(&mut self, ask: Ask, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        let before = self.power();
        let doing = match self.state {
            State::Off(_) => return,
            State::Paused(_) => {
                self.asked = Some(ask);
                return;
            }
            State::Running { doing, .. } => doing,
        };
        match (doing, ask) {
            (Doing::SelfTest { .. } | Doing::Idle, Ask::Off) => {
                return self.turn_off(Cause::Shutdown, actions);
            }
            (Doing::SelfTest { .. } | Doing::Idle, Ask::Restart) => {
                return self.reset(moment, actions);
            }
            (Doing::Booting, Ask::Off | Ask::Restart) => self.asked = Some(ask),
            (Doing::Up | Doing::Installing { .. }, Ask::Off | Ask::Restart)
                if moment.guest.ignores_acpi =>
            {
                actions.push(Action::Say(What::Ignored));
            }
            (Doing::Up | Doing::Installing { .. }, Ask::Off | Ask::Restart)
            | (Doing::ShuttingDown { restart: true }, Ask::Off) => {
                let restart = ask == Ask::Restart;
                self.state = running(
                    Doing::ShuttingDown { restart },
                    moment.after(moment.guest.shuts_down_in),
                );
                actions.push(Action::Say(What::GoingDown { restart }));
            }
            (
                Doing::Booting
                | Doing::Installing { .. }
                | Doing::Up
                | Doing::ShuttingDown { .. }
                | Doing::Hung,
                Ask::Nmi,
            ) => {
                if moment.guest.ignores_nmi {
                    actions.push(Action::Say(What::NmiIgnored));
                } else {
                    self.panic(What::Panic, moment, actions);
                }
            }
            (Doing::SelfTest { .. } | Doing::Idle, Ask::Nmi)
            | (Doing::ShuttingDown { .. } | Doing::Dumping | Doing::Panicked | Doing::Hung, _) => {}
        }
        if self.power() != before {
            actions.push(Action::Changed(Cause::Verb));
        }
    }

    /// The firmware hands over to what it found.
    fn hand_over(&mut self, from: BootTarget, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        self.boots = self.boots.saturating_add(1);
        self.handed_over = Some(self.ran(moment.now));
        self.spoken = -1;
        let install = moment.guest.installs.as_ref();
        self.state = match install.filter(|install| install.from.contains(&from)) {
            Some(install) => {
                actions.push(Action::Say(What::Installing));
                running(Doing::Installing { from }, moment.after(install.takes))
            }
            None => running(Doing::Booting, moment.after(moment.guest.boots_in)),
        };
    }

    /// What the guest's script says until now and has not yet said, with its moments, in order. Whoever asks lets it be said.
    pub(super) fn lines(&mut self, moment: &Moment<'_>) -> Vec<(Millis, What)> {
        let Some(handed_over) = self.handed_over else {
            return Vec::new();
        };
        let install = moment.guest.installs.as_ref();
        let script = match (self.doing(), install) {
            (Some(Doing::Installing { .. }), Some(Install { says, .. })) => says,
            (Some(Doing::Installing { .. }), None) => return Vec::new(),
            _ => &moment.guest.says,
        };
        let (from, to) = (self.spoken, self.ran(moment.now) - handed_over);
        self.spoken = to;
        let mut lines: Vec<(Millis, What)> = script
            .iter()
            .filter(|line| line.is_said_at(self.boots))
            .map(|line| (millis(line.after), line))
            .filter(|(after, _)| (from + 1..=to).contains(after))
            .map(|(after, line)| {
                let what = What::Line(line.text.clone(), self.boots);
                (moment.now - (to - after), what)
            })
            .collect();
        lines.sort_by_key(|(at, _)| *at);
        lines
    }

    fn doing(&self) -> Option<Doing> {
        match self.state {
            State::Running { doing, .. } => Some(doing),
            State::Paused(memory) | State::Off(Some(memory)) => Some(memory.doing),
            State::Off(None) => None,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.state {
            State::Off(None) => Phase::Off,
            State::Off(Some(_)) => Phase::Suspended,
            State::Paused(_) => Phase::Paused,
            State::Running { doing, .. } => match doing {
                Doing::SelfTest { .. } => Phase::SelfTest,
                Doing::Idle => Phase::Firmware,
                Doing::Booting => Phase::Booting,
                Doing::Installing { .. } => Phase::Installing,
                Doing::Up => Phase::Up,
                Doing::ShuttingDown { .. } => Phase::ShuttingDown,
                Doing::Dumping => Phase::Dumping,
                Doing::Panicked => Phase::Panicked,
                Doing::Hung => Phase::Hung,
            },
        }
    }

    /// The guest fails; `what` says so.
    fn panic(&mut self, what: What, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        self.asked = None;
        self.handed_over = None;
        actions.push(Action::Say(what));
        match moment.guest.dumps_for {
            Some(long) => {
                self.state = running(Doing::Dumping, moment.after(long));
                actions.push(Action::Say(What::Dumping));
            }
            None => self.panicked(moment),
        }
    }

    fn panicked(&mut self, moment: &Moment<'_>) {
        let until = match moment.guest.on_panic {
            // Nobody feeds the watchdog any more.
            OnPanic::Hang => moment.guest.watchdog.and_then(|d| moment.after(d)),
            OnPanic::Restart | OnPanic::Stop => moment.after(moment.guest.panics_for),
        };
        self.state = running(Doing::Panicked, until);
    }

    /// The watchdog was not fed in time.
    fn watchdog(&mut self, doing: Doing, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        self.state = running(doing, None);
        actions.extend([
            Action::Say(What::Watchdog),
            Action::Changed(Cause::Watchdog),
        ]);
        match moment.watchdog {
            Word::Reset => self.reset(moment, actions),
            Word::PowerOff => self.turn_off(Cause::Stopped, actions),
            Word::Pause => {
                self.state = State::Paused(self.memory(moment.now));
                actions.push(Action::Changed(Cause::Paused));
            }
            // An interrupt finds a guest that has failed already.
            _ => {}
        }
    }

    fn reset(&mut self, moment: &Moment<'_>, actions: &mut Vec<Action>) {
        self.state = running(
            Doing::SelfTest { cold: false },
            moment.after(moment.self_test),
        );
        self.asked = None;
        self.handed_over = None;
        self.last_reset = Some(moment.now);
        self.run = moment.now;
        actions.extend([Action::Say(What::Reset), Action::Changed(Cause::Reset)]);
    }

    fn turn_off(&mut self, cause: Cause, actions: &mut Vec<Action>) {
        self.state = State::Off(None);
        self.asked = None;
        self.handed_over = None;
        self.run = 0;
        actions.extend([Action::LostMemory, Action::Changed(cause)]);
    }

    fn stand_still(&mut self, now: Millis, into: impl FnOnce(Memory) -> State) {
        let (memory, ran) = (self.memory(now), self.ran(now));
        self.state = into(memory);
        self.run = ran;
    }

    fn memory(&self, now: Millis) -> Memory {
        match self.state {
            State::Running { doing, until } => Memory {
                doing,
                left: until.map(|at| (at - now).max(0)),
            },
            State::Paused(memory) | State::Off(Some(memory)) => memory,
            State::Off(None) => unreachable!("nothing is kept of a machine that is off"),
        }
    }

    fn go_on(
        &mut self,
        memory: Memory,
        cause: Cause,
        moment: &Moment<'_>,
        actions: &mut Vec<Action>,
    ) {
        let ran = self.ran(moment.now);
        self.state = running(memory.doing, memory.left.map(|left| moment.now + left));
        self.run = moment.now - ran;
        actions.push(Action::Changed(cause));
        if let Some(ask) = self.asked.take() {
            self.ask(ask, moment, actions);
        }
    }
}

fn running(doing: Doing, until: Option<Millis>) -> State {
    State::Running { doing, until }
}
