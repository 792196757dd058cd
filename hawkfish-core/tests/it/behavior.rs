//! What every backend owes: the `# Behavior` bullets of [`Backend`], asserted on whatever a [`Fixture`] brings.
//!
//! A backend joins by a fixture and one line, `behavior_suite!(fixture)`. Where it says by its capabilities that it cannot do a thing, the behaviour holds it to saying so
//! plainly; where a fixture has no such guest, the behaviour has nothing to say.

mod boot;
mod disks;
mod firmware;
mod media;
mod nic;
mod power;
mod telling;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hawkfish_core::backend::{
    Backend, BootOverride, BootTarget, Change, Insert, Machine, MachineKey, MediaKind, MediaSource,
    Power, Setup, Step,
};
use hawkfish_core::error::{Conflict, Error, ErrorKind, Result};
use hawkfish_core::id::SlotId;

pub(crate) use self::{boot::*, disks::*, firmware::*, media::*, nic::*, power::*, telling::*};

/// How a guest behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// Whatever boots soonest.
    Any,
    /// It heeds the power button.
    Polite,
    /// It does not.
    Deaf,
    /// It resets itself once, some time after it is up.
    Restless,
}

/// A backend with machines to try things on.
#[async_trait]
pub(crate) trait Fixture: Send + Sync {
    fn backend(&self) -> Arc<dyn Backend>;

    /// A machine for this test alone: off, its slots empty, no override, its order such that it boots from its disk; or `None`, if guests here
    /// are not like that.
    async fn machine(&self, temper: Temper) -> Option<MachineKey>;

    /// Lets a moment pass, or less if there is a change to be told.
    async fn pass(&self);

    /// How much time has passed.
    fn elapsed(&self) -> Duration;

    /// How long to wait for what must come.
    fn patience(&self) -> Duration;

    /// How long to wait for what must not come.
    fn a_while(&self) -> Duration;

    /// Whether the guest is up, and shows it since its machine was started.
    async fn is_up(&self, key: MachineKey) -> bool;

    /// What was booted since the machine was started, as its guests told it; `None`, if guests here do not tell.
    async fn boots(&self, key: MachineKey) -> Option<Vec<BootTarget>>;

    /// Serial numbers and sizes of the disks that the guest sees, as it told when it was up; `None`, if guests here do not tell.
    async fn disks_seen(&self, _key: MachineKey) -> Option<Vec<(String, u64)>> {
        None
    }

    /// A medium that boots.
    async fn medium(&self) -> MediaSource;

    /// A medium that cannot be attached.
    fn broken_medium(&self) -> Option<MediaSource>;

    /// Somebody else starts the machine, past the backend. False, if there is nobody else.
    async fn others_start(&self, _key: MachineKey) -> bool {
        false
    }

    /// The machine as its host keeps it.
    async fn definition(&self, _key: MachineKey) -> Option<String> {
        None
    }

    /// The host no longer answers. False, if it cannot be made to.
    async fn lose(&self) -> bool {
        false
    }

    /// It answers again.
    async fn find(&self) {}
}

/// Makes a test of each behaviour. `$fixture`: a future of an `Option` of a fixture; `None` is a test that was skipped aloud.
macro_rules! behavior_suite {
    ($fixture:expr) => {
        behavior_suite! { @each $fixture;
            a_boot_order_holds_from_the_next_boot_on
            a_change_made_by_others_is_told
            a_continuous_override_holds_until_it_is_taken_away
            a_deaf_guest_may_refuse_to_shut_down
            a_disk_grows_and_does_not_shrink
            a_disk_made_for_a_running_machine_is_there_at_once
            a_disk_that_cannot_be_made_leaves_nothing_behind
            a_guest_restarts_when_asked
            a_host_that_does_not_answer_is_unavailable
            a_machine_that_is_off_can_only_be_started
            a_machine_that_runs_can_neither_be_started_nor_resumed
            a_machine_whose_override_was_set_and_taken_away_is_as_before
            a_machine_with_fewer_processors_enabled_runs_with_fewer
            a_medium_inserted_into_a_running_machine_is_there_at_once
            a_medium_stays_over_restarts_until_it_is_ejected
            a_medium_that_cannot_be_attached_leaves_the_slot_empty
            a_new_disk_is_there_at_the_next_start_and_stays_until_it_is_deleted
            a_paused_machine_goes_on_where_it_was
            a_polite_guest_shuts_down_when_asked
            a_reset_boots_anew
            a_suspended_machine_goes_on_where_it_was
            a_suspended_machine_takes_no_settings
            a_switch_of_firmware_holds_from_the_next_cold_start_on
            an_impossible_setting_is_refused_and_changes_nothing
            an_impossible_setup_is_refused_and_changes_nothing
            an_unknown_machine_or_slot_is_not_found
            an_unplugged_cable_is_so_at_once_and_stays_so_over_restarts
            changes_are_told_in_order_and_end_with_what_is
            firmware_is_replaced_at_the_next_reset
            firmware_settings_hold_from_the_next_cold_start_on
            machines_are_listed_in_the_order_of_their_keys
            once_holds_for_exactly_the_next_reset
            once_holds_for_exactly_the_next_start
            once_holds_for_the_guests_own_reset
            small_facts_can_be_set_and_taken_away
            start_and_force_off_hold_when_they_return
            the_console_starts_anew_with_each_start
            what_capabilities_do_not_name_is_unsupported
            what_the_watchdog_does_holds_at_once
        }
    };
    (@each $fixture:expr; $($name:ident)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                if let Some(fixture) = $fixture.await {
                    $crate::behavior::$name(&fixture).await;
                }
            }
        )*
    };
}
pub(crate) use behavior_suite;

/// A machine under test.
struct Subject<'a> {
    fixture: &'a dyn Fixture,
    backend: Arc<dyn Backend>,
    key: MachineKey,
    /// What was told while something else was waited for.
    told: Mutex<Vec<Change>>,
}

impl<'a> Subject<'a> {
    async fn new(fixture: &'a dyn Fixture, temper: Temper) -> Option<Self> {
        let key = fixture.machine(temper).await?;
        let backend = fixture.backend();
        let subject = Self {
            fixture,
            backend,
            key,
            told: Mutex::default(),
        };
        let machine = subject.now().await;
        assert_eq!(
            machine.power,
            Power::Off,
            "a fixture hands out machines that are off"
        );
        assert_eq!(machine.boot.over, None);
        Some(subject)
    }

    async fn polite(fixture: &'a dyn Fixture) -> Self {
        Self::new(fixture, Temper::Polite)
            .await
            .expect("every fixture has polite guests")
    }

    async fn any(fixture: &'a dyn Fixture) -> Self {
        Self::new(fixture, Temper::Any)
            .await
            .expect("every fixture has guests")
    }

    /// Hears what was told since the last time.
    fn hear(&self) {
        let told = self.backend.drain_changes();
        self.told.lock().unwrap().extend(told);
    }

    /// Forgets what was told.
    fn forget(&self) {
        self.hear();
        self.told.lock().unwrap().clear();
    }

    fn can(&self, step: Step) -> bool {
        self.backend.capabilities().steps.contains(&step)
    }

    async fn now(&self) -> Machine {
        self.backend
            .machine(self.key)
            .await
            .expect("the machine is there")
    }

    /// Takes a step that must succeed, and holds the backend to returning the machine as it is.
    async fn step(&self, step: Step) -> Machine {
        let machine = self
            .backend
            .step(self.key, step)
            .await
            .unwrap_or_else(|error| panic!("{step:?}: {error:?}"));
        assert_eq!(machine.key, self.key);
        machine
    }

    async fn setup(&self, setup: Setup) -> Machine {
        let machine = self
            .backend
            .setup(self.key, &setup)
            .await
            .unwrap_or_else(|error| panic!("{setup:?}: {error:?}"));
        let now = self.now().await;
        assert_eq!(
            (&machine.boot, &machine.identity, machine.autostart),
            (&now.boot, &now.identity, now.autostart),
            "what a verb returns is what is"
        );
        machine
    }

    async fn set_over(&self, target: BootTarget, once: bool) -> Machine {
        let over = BootOverride { target, once };
        let machine = self
            .setup(Setup {
                over: Some(Some(over)),
                ..Setup::default()
            })
            .await;
        assert_eq!(machine.boot.over, Some(over));
        machine
    }

    async fn insert_cd(&self) -> Machine {
        let medium = Insert {
            source: self.fixture.medium().await,
            write_protected: true,
        };
        let machine = self
            .backend
            .insert(self.key, &cd(), &medium)
            .await
            .expect("the medium goes in");
        let in_slot = slot(&machine, MediaKind::Cd).expect("there is a medium in the slot");
        assert_eq!(in_slot.source, medium.source);
        assert_eq!(
            machine.slots,
            self.now().await.slots,
            "what a verb returns is what is"
        );
        machine
    }

    async fn until(&self, what: &str, holds: impl Fn(&Machine) -> bool) -> Machine {
        let began = self.fixture.elapsed();
        loop {
            let machine = self.now().await;
            if holds(&machine) {
                return machine;
            }
            self.pass(began, what, &machine).await;
        }
    }

    async fn pass(&self, began: Duration, what: &str, machine: &Machine) {
        assert!(
            self.fixture.elapsed() - began < self.fixture.patience(),
            "waited in vain until {what}; the machine is {:?} with override {:?} and its console says\n{}",
            machine.power,
            machine.boot.over,
            String::from_utf8_lossy(&self.backend.console_log(self.key).await.unwrap_or_default()),
        );
        self.hear();
        self.fixture.pass().await;
    }

    async fn until_up(&self) {
        self.until("it is on", |m| m.power == Power::On).await;
        let began = self.fixture.elapsed();
        while !self.fixture.is_up(self.key).await {
            let machine = self.now().await;
            self.pass(began, "its guest is up", &machine).await;
        }
    }

    /// Waits until the guests have told of these boots since the last start, where they tell.
    async fn until_booted(&self, expected: &[BootTarget]) {
        let began = self.fixture.elapsed();
        loop {
            let Some(boots) = self.fixture.boots(self.key).await else {
                return;
            };
            if boots.len() >= expected.len() {
                assert_eq!(boots, expected);
                return;
            }
            let machine = self.now().await;
            self.pass(began, &format!("it has booted {expected:?}"), &machine)
                .await;
        }
    }

    async fn start(&self) {
        self.step(Step::Start).await;
        self.until_up().await;
    }

    /// A while goes by in which the machine must stay as `holds` says.
    async fn for_a_while(&self, what: &str, holds: impl Fn(&Machine) -> bool) {
        let began = self.fixture.elapsed();
        while self.fixture.elapsed() - began < self.fixture.a_while() {
            self.hear();
            self.fixture.pass().await;
            let machine = self.now().await;
            assert!(holds(&machine), "{what}, but it is {machine:?}");
        }
    }
}

fn cd() -> SlotId {
    SlotId::parse("Cd").unwrap()
}

fn slot(machine: &Machine, kind: MediaKind) -> Option<&hawkfish_core::backend::Medium> {
    machine
        .slots
        .iter()
        .find(|s| s.kind == kind)?
        .medium
        .as_ref()
}

#[track_caller]
fn assert_conflict<T: std::fmt::Debug>(result: Result<T>, what: impl std::fmt::Debug) -> Conflict {
    match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Conflict(conflict)) => conflict.clone(),
        _ => panic!("{what:?} should be a conflict, but is {result:?}"),
    }
}

macro_rules! assert_kind {
    ($result:expr, $kind:pat, $($what:tt)+) => {
        let result = $result;
        match result.as_ref().map_err(hawkfish_core::Error::kind) {
            Err($kind) => {}
            _ => panic!("{} should be {}, but is {result:?}", format!($($what)+), stringify!($kind)),
        }
    };
}

use assert_kind;

/// A machine that is off, apart from the moment at which it was last looked at.
fn settled(machine: &Machine) -> Machine {
    Machine {
        last_reset: None,
        ..machine.clone()
    }
}
