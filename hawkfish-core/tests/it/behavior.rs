//! What every backend owes: the `# Behavior` bullets of [`Backend`], asserted on whatever a [`Fixture`] brings.
//!
//! A backend joins by a fixture and one line, `behavior_suite!(fixture)`. Where it says by its capabilities that it cannot do a thing, the behaviour holds it to saying so
//! plainly; where a fixture has no such guest, the behaviour has nothing to say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hawkfish_core::backend::{
    Backend, BootMode, BootOverride, BootTarget, Change, Insert, Machine, MachineKey, MediaKind,
    MediaSource, Power, Setup, Step,
};
use hawkfish_core::error::{Conflict, Error, ErrorKind, Result};
use hawkfish_core::id::{BootOptionId, SlotId};
use uuid::Uuid;

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
            a_guest_restarts_when_asked
            a_host_that_does_not_answer_is_unavailable
            a_machine_that_is_off_can_only_be_started
            a_machine_that_runs_can_neither_be_started_nor_resumed
            a_machine_whose_override_was_set_and_taken_away_is_as_before
            a_medium_inserted_into_a_running_machine_is_there_at_once
            a_medium_stays_over_restarts_until_it_is_ejected
            a_medium_that_cannot_be_attached_leaves_the_slot_empty
            a_paused_machine_goes_on_where_it_was
            a_polite_guest_shuts_down_when_asked
            a_reset_boots_anew
            a_suspended_machine_goes_on_where_it_was
            a_switch_of_firmware_holds_from_the_next_cold_start_on
            an_impossible_setup_is_refused_and_changes_nothing
            an_unknown_machine_or_slot_is_not_found
            changes_are_told_in_order_and_end_with_what_is
            machines_are_listed_in_the_order_of_their_keys
            once_holds_for_exactly_the_next_reset
            once_holds_for_exactly_the_next_start
            once_holds_for_the_guests_own_reset
            small_facts_can_be_set_and_taken_away
            start_and_force_off_hold_when_they_return
            the_console_starts_anew_with_each_start
            what_capabilities_do_not_name_is_unsupported
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
        match result.as_ref().map_err(|error: &Error| error.kind()) {
            Err($kind) => {}
            _ => panic!("{} should be {}, but is {result:?}", format!($($what)+), stringify!($kind)),
        }
    };
}

/// A machine that is off, apart from the moment at which it was last looked at.
fn settled(machine: &Machine) -> Machine {
    Machine {
        last_reset: None,
        ..machine.clone()
    }
}

pub(crate) async fn machines_are_listed_in_the_order_of_their_keys(fixture: &dyn Fixture) {
    let one = Subject::any(fixture).await;
    let other = Subject::any(fixture).await;
    let machines = one.backend.machines().await.unwrap();
    assert!(
        machines.is_sorted_by_key(|m| m.key),
        "machines are ordered by key"
    );
    for subject in [&one, &other] {
        let listed: Vec<_> = machines.iter().filter(|m| m.key == subject.key).collect();
        assert_eq!(listed, [&subject.now().await]);
    }
    let host = one.backend.host().await.unwrap();
    assert!(!host.name.is_empty() && !host.hypervisor.is_empty() && !host.version.is_empty());
}

pub(crate) async fn an_unknown_machine_or_slot_is_not_found(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let backend = &subject.backend;
    let capabilities = backend.capabilities();
    let nobody = MachineKey(Uuid::from_u128(0x4242_4242_4242_4242_8242_4242_4242_4242));
    let medium = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    let tag = Setup {
        autostart: Some(true),
        ..Setup::default()
    };
    assert_kind!(
        backend.machine(nobody).await,
        ErrorKind::NotFound { .. },
        "machine"
    );
    assert_kind!(
        backend.setup(nobody, &tag).await,
        ErrorKind::NotFound { .. },
        "setup"
    );
    for step in &capabilities.steps {
        assert_kind!(
            backend.step(nobody, *step).await,
            ErrorKind::NotFound { .. },
            "{step:?}"
        );
    }
    if capabilities.console_log {
        assert_kind!(
            backend.console_log(nobody).await,
            ErrorKind::NotFound { .. },
            "console_log"
        );
    }
    if capabilities.media {
        let floppy = SlotId::parse("Floppy").unwrap();
        assert_kind!(
            backend.insert(nobody, &cd(), &medium).await,
            ErrorKind::NotFound { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(nobody, &cd()).await,
            ErrorKind::NotFound { .. },
            "eject"
        );
        let key = subject.key;
        assert_kind!(
            backend.insert(key, &floppy, &medium).await,
            ErrorKind::NotFound { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(key, &floppy).await,
            ErrorKind::NotFound { .. },
            "eject"
        );
    }
}

pub(crate) async fn what_capabilities_do_not_name_is_unsupported(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    let capabilities = backend.capabilities();
    let before = subject.now().await;
    assert!(
        capabilities.steps.contains(&Step::Start) && capabilities.steps.contains(&Step::ForceOff),
        "a machine that cannot be switched is none"
    );
    for step in Step::ALL
        .into_iter()
        .filter(|step| !capabilities.steps.contains(step))
    {
        assert_kind!(
            backend.step(key, step).await,
            ErrorKind::Unsupported { .. },
            "{step:?}"
        );
    }
    let medium = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    if !capabilities.media {
        assert_kind!(
            backend.insert(key, &cd(), &medium).await,
            ErrorKind::Unsupported { .. },
            "insert"
        );
        assert_kind!(
            backend.eject(key, &cd()).await,
            ErrorKind::Unsupported { .. },
            "eject"
        );
    } else if !capabilities.media_by_uri {
        let by_uri = Insert {
            source: MediaSource::Uri("http://images.example/a.iso".to_owned()),
            write_protected: true,
        };
        assert_kind!(
            backend.insert(key, &cd(), &by_uri).await,
            ErrorKind::Unsupported { .. },
            "insert by URI"
        );
    }
    if !capabilities.boot {
        let over = Setup {
            over: Some(Some(BootOverride {
                target: BootTarget::Hdd,
                once: true,
            })),
            ..Setup::default()
        };
        assert_kind!(
            backend.setup(key, &over).await,
            ErrorKind::Unsupported { .. },
            "override"
        );
    }
    if !capabilities.console_log {
        assert_kind!(
            backend.console_log(key).await,
            ErrorKind::Unsupported { .. },
            "console_log"
        );
    }
    assert_eq!(
        subject.now().await,
        before,
        "a verb that fails leaves the machine as it was"
    );
}

pub(crate) async fn a_machine_that_is_off_can_only_be_started(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    for step in subject.backend.capabilities().steps {
        if !matches!(step, Step::Start | Step::ForceOff) {
            assert_conflict(subject.backend.step(subject.key, step).await, step);
            assert_eq!(
                subject.now().await,
                before,
                "a verb that fails leaves the machine as it was"
            );
        }
    }
    let machine = subject.step(Step::ForceOff).await;
    assert_eq!(machine, before, "ForceOff of what is off changes nothing");
}

pub(crate) async fn a_machine_that_runs_can_neither_be_started_nor_resumed(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.start().await;
    let before = subject.now().await;
    for step in [Step::Start, Step::Resume] {
        if subject.can(step) {
            assert_conflict(subject.backend.step(subject.key, step).await, step);
            assert_eq!(
                subject.now().await,
                before,
                "a verb that fails leaves the machine as it was"
            );
        }
    }
}

pub(crate) async fn start_and_force_off_hold_when_they_return(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let machine = subject.step(Step::Start).await;
    assert!(
        matches!(machine.power, Power::On | Power::PoweringOn),
        "{machine:?}"
    );
    assert_eq!(
        subject.now().await,
        machine,
        "what a verb returns is what is"
    );
    assert!(machine.last_reset.is_some(), "the backend saw it start");
    // Also on the way to On.
    let machine = subject.step(Step::ForceOff).await;
    assert_eq!(machine.power, Power::Off);
    assert_eq!(
        subject.now().await,
        machine,
        "what a verb returns is what is"
    );
    assert!(!machine.crashed);
    subject.start().await;
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
    subject
        .for_a_while("it stays off", |m| m.power == Power::Off)
        .await;
}

pub(crate) async fn a_polite_guest_shuts_down_when_asked(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    for step in [Step::Shutdown, Step::PowerButton] {
        if subject.can(step) {
            subject.start().await;
            subject.step(step).await;
            let machine = subject.until("it is off", |m| m.power == Power::Off).await;
            assert!(
                !machine.crashed,
                "a guest that was shut down has not crashed"
            );
        }
    }
}

pub(crate) async fn a_deaf_guest_may_refuse_to_shut_down(fixture: &dyn Fixture) {
    let Some(subject) = Subject::new(fixture, Temper::Deaf).await else {
        return;
    };
    subject.start().await;
    for step in [Step::Shutdown, Step::PowerButton] {
        if subject.can(step) {
            subject.step(step).await;
            subject
                .for_a_while("a deaf guest runs on", |m| {
                    matches!(m.power, Power::On | Power::PoweringOff)
                })
                .await;
        }
    }
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
}

pub(crate) async fn a_guest_restarts_when_asked(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    if !subject.can(Step::Restart) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    subject.step(Step::Restart).await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
        .await;
    subject.until("it is on", |m| m.power == Power::On).await;
}

pub(crate) async fn a_reset_boots_anew(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.can(Step::Reset) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let machine = subject.step(Step::Reset).await;
    assert!(
        matches!(machine.power, Power::On | Power::PoweringOn),
        "{machine:?}"
    );
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
        .await;
    subject.until_up().await;
}

pub(crate) async fn a_paused_machine_goes_on_where_it_was(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.can(Step::Pause) || !subject.can(Step::Resume) {
        return;
    }
    subject.start().await;
    assert_eq!(subject.step(Step::Pause).await.power, Power::Paused);
    assert_conflict(
        subject.backend.step(subject.key, Step::Start).await,
        "Start of a paused machine",
    );
    subject
        .for_a_while("it stays paused", |m| m.power == Power::Paused)
        .await;
    assert_eq!(subject.step(Step::Resume).await.power, Power::On);
    subject.until_booted(&[BootTarget::Hdd]).await;
    // The power can be cut of what is paused, too.
    subject.step(Step::Pause).await;
    assert_eq!(subject.step(Step::ForceOff).await.power, Power::Off);
}

pub(crate) async fn a_suspended_machine_goes_on_where_it_was(fixture: &dyn Fixture) {
    let subject = Subject::polite(fixture).await;
    if !subject.can(Step::Suspend) {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let machine = subject.step(Step::Suspend).await;
    assert_eq!(machine.power, Power::Off);
    assert!(!machine.crashed);
    subject
        .for_a_while("it stays off", |m| m.power == Power::Off)
        .await;
    subject.step(Step::Start).await;
    // A host may begin its record of the console anew; but no guest boots in it.
    let boots = fixture.boots(subject.key).await;
    subject.until_up().await;
    subject
        .for_a_while("it runs on", |m| m.power == Power::On)
        .await;
    assert_eq!(fixture.boots(subject.key).await, boots);
}

pub(crate) async fn once_holds_for_exactly_the_next_start(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media {
        return;
    }
    subject.insert_cd().await;
    subject.set_over(BootTarget::Cd, true).await;
    subject.step(Step::Start).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject.until_booted(&[BootTarget::Cd]).await;
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Cd, BootTarget::Hdd])
            .await;
    }
    subject.step(Step::ForceOff).await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(subject.now().await.boot.over, None);
}

pub(crate) async fn once_holds_for_exactly_the_next_reset(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media || !subject.can(Step::Reset) {
        return;
    }
    subject.insert_cd().await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let over = subject.set_over(BootTarget::Cd, true).await.boot.over;
    subject
        .for_a_while("the override waits for the next boot", |m| {
            m.boot.over == over
        })
        .await;
    subject.step(Step::Reset).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
        .await;
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd, BootTarget::Hdd])
        .await;
}

pub(crate) async fn once_holds_for_the_guests_own_reset(fixture: &dyn Fixture) {
    let Some(subject) = Subject::new(fixture, Temper::Restless).await else {
        return;
    };
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media {
        return;
    }
    subject.insert_cd().await;
    subject.start().await;
    subject.set_over(BootTarget::Cd, true).await;
    subject
        .until("the override is used up", |m| m.boot.over.is_none())
        .await;
    subject
        .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
        .await;
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Cd, BootTarget::Hdd])
            .await;
    }
}

pub(crate) async fn a_continuous_override_holds_until_it_is_taken_away(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot || !capabilities.media || !subject.can(Step::Reset) {
        return;
    }
    subject.insert_cd().await;
    let over = subject.set_over(BootTarget::Cd, false).await.boot.over;
    subject.step(Step::Start).await;
    subject.until_booted(&[BootTarget::Cd]).await;
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Cd, BootTarget::Cd])
        .await;
    assert_eq!(subject.now().await.boot.over, over);
    let machine = subject
        .setup(Setup {
            over: Some(None),
            ..Setup::default()
        })
        .await;
    assert_eq!(machine.boot.over, None);
    subject.step(Step::Reset).await;
    subject
        .until_booted(&[BootTarget::Cd, BootTarget::Cd, BootTarget::Hdd])
        .await;
}

pub(crate) async fn a_boot_order_holds_from_the_next_boot_on(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.boot {
        return;
    }
    let options = subject.now().await.boot.options;
    let of = |target| {
        let found = options.iter().find(|o| o.target == target);
        found.map(|o| o.id.clone())
    };
    let (Some(hdd), Some(cd)) = (of(BootTarget::Hdd), of(BootTarget::Cd)) else {
        panic!("there are a disk and a CD to boot from: {options:?}");
    };
    if capabilities.media {
        subject.insert_cd().await;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let order = vec![cd.clone(), hdd.clone()];
    let machine = subject
        .setup(Setup {
            order: Some(order.clone()),
            ..Setup::default()
        })
        .await;
    let enabled = |machine: &Machine| -> Vec<BootOptionId> {
        let options = machine.boot.options.iter();
        options
            .filter(|o| o.enabled)
            .map(|o| o.id.clone())
            .collect()
    };
    assert_eq!(enabled(&machine), order);
    assert!(
        machine.boot.options.is_sorted_by_key(|o| !o.enabled),
        "the disabled last"
    );
    let mut before: Vec<_> = options.iter().map(|o| &o.id).collect();
    let mut after: Vec<_> = machine.boot.options.iter().map(|o| &o.id).collect();
    before.sort();
    after.sort();
    assert_eq!(
        before, after,
        "no option appears or goes by being put into another order"
    );
    if capabilities.media {
        subject.step(Step::ForceOff).await;
        subject.step(Step::Start).await;
        subject.until_booted(&[BootTarget::Cd]).await;
    }
    let machine = subject
        .setup(Setup {
            order: Some(vec![hdd.clone()]),
            ..Setup::default()
        })
        .await;
    assert_eq!(enabled(&machine), [hdd]);
    subject.step(Step::ForceOff).await;
    subject.step(Step::Start).await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(enabled(&subject.now().await), enabled(&machine));
}

pub(crate) async fn a_machine_whose_override_was_set_and_taken_away_is_as_before(
    fixture: &dyn Fixture,
) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().boot {
        return;
    }
    for running in [false, true] {
        if running {
            subject.start().await;
        }
        let before = subject.now().await;
        let definition = fixture.definition(subject.key).await;
        for target in before.boot.targets.clone() {
            for once in [true, false] {
                subject.set_over(target, once).await;
                let over = Setup {
                    over: Some(None),
                    ..Setup::default()
                };
                subject.setup(over).await;
                assert_eq!(settled(&subject.now().await), settled(&before));
                assert_eq!(fixture.definition(subject.key).await, definition);
            }
        }
    }
}

pub(crate) async fn an_impossible_setup_is_refused_and_changes_nothing(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().boot {
        return;
    }
    let before = subject.now().await;
    let definition = fixture.definition(subject.key).await;
    let targets = [
        BootTarget::Pxe,
        BootTarget::Hdd,
        BootTarget::Cd,
        BootTarget::Usb,
        BootTarget::BiosSetup,
        BootTarget::UefiHttp,
    ];
    let over = |target| Setup {
        over: Some(Some(BootOverride { target, once: true })),
        ..Setup::default()
    };
    let mut impossible: Vec<Setup> = targets
        .into_iter()
        .filter(|target| !before.boot.targets.contains(target))
        .map(over)
        .collect();
    impossible.extend(
        [BootMode::Legacy, BootMode::Uefi]
            .into_iter()
            .filter(|mode| !before.boot.modes.contains(mode))
            .map(|mode| Setup {
                mode: Some(mode),
                ..Setup::default()
            }),
    );
    let known = before.boot.options[0].id.clone();
    impossible.push(Setup {
        order: Some(vec![
            known.clone(),
            BootOptionId::parse("Boot7777").unwrap(),
        ]),
        ..Setup::default()
    });
    impossible.push(Setup {
        order: Some(vec![known.clone(), known]),
        ..Setup::default()
    });
    let possible = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::Hdd,
            once: true,
        })),
        autostart: Some(!before.autostart),
        ..Setup::default()
    };
    for bad in impossible {
        assert_kind!(
            subject.backend.setup(subject.key, &bad).await,
            ErrorKind::Invalid { .. },
            "{bad:?}"
        );
        // All or nothing: what could be done is not done either.
        let mixed = Setup {
            over: bad.over.or(possible.over),
            autostart: possible.autostart,
            ..bad
        };
        assert_kind!(
            subject.backend.setup(subject.key, &mixed).await,
            ErrorKind::Invalid { .. },
            "{mixed:?}"
        );
        assert_eq!(
            subject.now().await,
            before,
            "a verb that fails leaves the machine as it was"
        );
        assert_eq!(fixture.definition(subject.key).await, definition);
    }
    let machine = subject.setup(Setup::default()).await;
    assert_eq!(machine, before, "to want nothing changes nothing");
}

pub(crate) async fn a_switch_of_firmware_holds_from_the_next_cold_start_on(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let boot = &before.boot;
    let Some(other) = boot.modes.iter().copied().find(|mode| *mode != boot.mode) else {
        assert_eq!(boot.modes.iter().collect::<Vec<_>>(), [&boot.mode]);
        return;
    };
    let to = |mode| Setup {
        mode: Some(mode),
        ..Setup::default()
    };
    let machine = subject.setup(to(other)).await;
    assert_eq!(machine.boot.mode, other);
    assert_eq!(machine.boot.modes, boot.modes);
    assert_eq!(
        machine.boot.secure.is_some(),
        other == BootMode::Uefi && machine.boot.secure.is_some()
    );
    subject.step(Step::Start).await;
    subject.until("it is on", |m| m.power == Power::On).await;
    assert_eq!(subject.now().await.boot.mode, other);
    subject.step(Step::ForceOff).await;
    let machine = subject.setup(to(boot.mode)).await;
    assert_eq!(
        settled(&machine),
        settled(&before),
        "switched there and back, it is as before"
    );
}

pub(crate) async fn small_facts_can_be_set_and_taken_away(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let before = subject.now().await;
    let machine = subject
        .setup(Setup {
            asset_tag: Some("Rack 7 <left> & \"top\"".to_owned()),
            autostart: Some(true),
            ..Setup::default()
        })
        .await;
    assert_eq!(
        machine.identity.asset_tag.as_deref(),
        Some("Rack 7 <left> & \"top\"")
    );
    assert!(machine.autostart);
    let machine = subject
        .setup(Setup {
            asset_tag: Some(String::new()),
            autostart: Some(false),
            ..Setup::default()
        })
        .await;
    assert_eq!(machine.identity.asset_tag, None);
    assert!(!machine.autostart);
    assert_eq!(machine.boot, before.boot);
    let machine = subject
        .backend
        .setup(
            subject.key,
            &Setup {
                http_uri: Some(Some("http://boot.example/shim.efi".to_owned())),
                ..Setup::default()
            },
        )
        .await;
    if before.boot.targets.contains(&BootTarget::UefiHttp) {
        let http_uri = machine.expect("there is HTTP boot").boot.http_uri;
        assert_eq!(http_uri.as_deref(), Some("http://boot.example/shim.efi"));
        let forget = Setup {
            http_uri: Some(None),
            ..Setup::default()
        };
        assert_eq!(subject.setup(forget).await.boot.http_uri, None);
    }
}

pub(crate) async fn a_medium_stays_over_restarts_until_it_is_ejected(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    if !backend.capabilities().media {
        return;
    }
    let empty = subject.now().await;
    assert_eq!(empty.slots[0].kind, MediaKind::Cd, "the CD first");
    let conflict = assert_conflict(backend.eject(key, &cd()).await, "eject of an empty slot");
    assert_eq!(conflict, Conflict::Empty);
    let machine = subject.insert_cd().await;
    let medium = slot(&machine, MediaKind::Cd).cloned();
    let again = Insert {
        source: fixture.medium().await,
        write_protected: true,
    };
    let conflict = assert_conflict(
        backend.insert(key, &cd(), &again).await,
        "insert into a full slot",
    );
    assert_eq!(conflict, Conflict::Occupied);
    assert_eq!(
        subject.now().await,
        machine,
        "a verb that fails leaves the machine as it was"
    );
    subject.start().await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    subject.step(Step::ForceOff).await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    subject.start().await;
    assert_eq!(slot(&subject.now().await, MediaKind::Cd).cloned(), medium);
    let machine = backend
        .eject(key, &cd())
        .await
        .expect("it comes out of a running machine");
    assert_eq!(machine.slots, empty.slots);
    subject.step(Step::ForceOff).await;
    assert_eq!(
        subject.now().await.slots,
        empty.slots,
        "what was ejected does not come back"
    );
}

pub(crate) async fn a_medium_inserted_into_a_running_machine_is_there_at_once(
    fixture: &dyn Fixture,
) {
    let subject = Subject::any(fixture).await;
    let capabilities = subject.backend.capabilities();
    if !capabilities.media {
        return;
    }
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    let source = fixture.medium().await;
    let wish = Insert {
        source,
        write_protected: false,
    };
    let machine = subject
        .backend
        .insert(subject.key, &cd(), &wish)
        .await
        .unwrap();
    let medium = slot(&machine, MediaKind::Cd).expect("there is a medium in the slot");
    assert!(medium.write_protected, "a CD always is");
    assert_eq!(subject.now().await.slots, machine.slots);
    if capabilities.boot && subject.can(Step::Reset) {
        // A warm reset finds it: it was really put in.
        subject.set_over(BootTarget::Cd, true).await;
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Cd])
            .await;
    }
}

pub(crate) async fn a_medium_that_cannot_be_attached_leaves_the_slot_empty(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let Some(source) = fixture.broken_medium() else {
        return;
    };
    let wish = Insert {
        source,
        write_protected: true,
    };
    for running in [true, false] {
        if running {
            subject.start().await;
        } else {
            subject.step(Step::ForceOff).await;
        }
        let before = subject.now().await;
        let result = subject.backend.insert(subject.key, &cd(), &wish).await;
        assert!(
            result.is_err(),
            "the medium cannot be attached, yet: {result:?}"
        );
        let after = subject.now().await;
        assert_eq!(slot(&after, MediaKind::Cd), None);
        assert_eq!(after.slots, before.slots);
        assert_eq!(after.power, before.power);
    }
}

pub(crate) async fn the_console_starts_anew_with_each_start(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    if !subject.backend.capabilities().console_log {
        return;
    }
    let console = || async {
        let log = subject.backend.console_log(subject.key).await.unwrap();
        assert!(log.len() <= 64 * 1024, "at most the last 64 KiB");
        String::from_utf8_lossy(&log).into_owned()
    };
    let boots = |console: &str| console.matches("HAWKFISH-BOOT ").count();
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(boots(&console().await), 1);
    if subject.can(Step::Reset) {
        subject.step(Step::Reset).await;
        subject
            .until_booted(&[BootTarget::Hdd, BootTarget::Hdd])
            .await;
        assert_eq!(boots(&console().await), 2, "a reset is no start");
    }
    subject.step(Step::ForceOff).await;
    subject.start().await;
    subject.until_booted(&[BootTarget::Hdd]).await;
    assert_eq!(boots(&console().await), 1, "a start starts it anew");
}

/// Everything that is told of a machine until `enough`.
async fn told_until(
    subject: &Subject<'_>,
    what: &str,
    enough: impl Fn(&[Change]) -> bool,
) -> Vec<Change> {
    let began = subject.fixture.elapsed();
    let mut told = Vec::new();
    loop {
        subject.hear();
        let heard = std::mem::take(&mut *subject.told.lock().unwrap());
        told.extend(heard.into_iter().filter(|change| match change {
            Change::Machine { machine, .. } => machine.key == subject.key,
            Change::Removed(key) => *key == subject.key,
            Change::Connected | Change::Lost(_) => true,
        }));
        if enough(&told) {
            return told;
        }
        assert!(
            subject.fixture.elapsed() - began < subject.fixture.patience(),
            "waited in vain until {what}; told was {told:#?}"
        );
        subject.fixture.pass().await;
    }
}

fn last_power(told: &[Change]) -> Option<Power> {
    told.iter().rev().find_map(|change| match change {
        Change::Machine { machine, .. } => Some(machine.power),
        _ => None,
    })
}

pub(crate) async fn changes_are_told_in_order_and_end_with_what_is(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.forget();
    subject.step(Step::Start).await;
    subject.backend.changed().await;
    let on = |told: &[Change]| last_power(told) == Some(Power::On);
    let mut told = told_until(&subject, "it is told to be on", on).await;
    subject.until_up().await;
    subject.step(Step::ForceOff).await;
    let off = |told: &[Change]| last_power(told) == Some(Power::Off);
    told.extend(told_until(&subject, "it is told to be off", off).await);
    let powers: Vec<Power> = told
        .iter()
        .filter_map(|change| match change {
            Change::Machine { machine, .. } => Some(machine.power),
            _ => None,
        })
        .collect();
    let first_on = powers.iter().position(|p| *p == Power::On).unwrap();
    assert!(
        powers[..first_on]
            .iter()
            .all(|p| matches!(p, Power::Off | Power::PoweringOn)),
        "{powers:?}"
    );
    assert!(
        !powers[first_on..].contains(&Power::PoweringOn),
        "what was told later happened later: {powers:?}"
    );
    let Some(Change::Machine { machine, .. }) = told.last() else {
        panic!("the last that was told is a machine: {told:?}");
    };
    assert_eq!(**machine, subject.now().await);
    let over = subject.backend.drain_changes().into_iter().filter(
        |change| matches!(change, Change::Machine { machine, .. } if machine.key == subject.key),
    );
    for change in over {
        let Change::Machine { machine, .. } = change else {
            unreachable!()
        };
        assert_eq!(machine.power, Power::Off, "nothing old comes late");
    }
}

pub(crate) async fn a_change_made_by_others_is_told(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    subject.forget();
    if fixture.others_start(subject.key).await {
        let on = |told: &[Change]| last_power(told) == Some(Power::On);
        told_until(&subject, "it is told to be on", on).await;
        assert_eq!(subject.now().await.power, Power::On);
    }
    let Some(subject) = Subject::new(fixture, Temper::Restless).await else {
        return;
    };
    subject.start().await;
    let before = subject.now().await.last_reset;
    subject.forget();
    let reset = |told: &[Change]| {
        told.iter().any(
            |change| matches!(change, Change::Machine { machine, .. } if machine.last_reset > before),
        )
    };
    told_until(&subject, "the guest's own reset is told", reset).await;
}

pub(crate) async fn a_host_that_does_not_answer_is_unavailable(fixture: &dyn Fixture) {
    let subject = Subject::any(fixture).await;
    let (backend, key) = (&subject.backend, subject.key);
    subject.forget();
    if !fixture.lose().await {
        return;
    }
    let lost = |told: &[Change]| told.iter().any(|change| matches!(change, Change::Lost(_)));
    told_until(&subject, "it is told to be lost", lost).await;
    assert_kind!(backend.host().await, ErrorKind::Unavailable { .. }, "host");
    assert_kind!(
        backend.machines().await,
        ErrorKind::Unavailable { .. },
        "machines"
    );
    assert_kind!(
        backend.machine(key).await,
        ErrorKind::Unavailable { .. },
        "machine"
    );
    assert_kind!(
        backend.step(key, Step::Start).await,
        ErrorKind::Unavailable { .. },
        "Start"
    );
    let setup = Setup {
        autostart: Some(true),
        ..Setup::default()
    };
    assert_kind!(
        backend.setup(key, &setup).await,
        ErrorKind::Unavailable { .. },
        "setup"
    );
    fixture.find().await;
    let back = |told: &[Change]| {
        let connected = told
            .iter()
            .position(|change| matches!(change, Change::Connected));
        connected.is_some_and(|at| last_power(&told[at..]) == Some(Power::Off))
    };
    told_until(
        &subject,
        "it is told to be there again, with its machines",
        back,
    )
    .await;
    subject.start().await;
}
