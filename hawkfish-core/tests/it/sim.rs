//! Scenarios on simulated machines that no other backend could be asked for.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::backend::sim::{Guest, OnPanic, Profile, SimBackend, SimSettings};
use hawkfish_core::backend::{
    Backend, BootMode, BootOverride, BootTarget, Cause, Change, Insert, Machine, MachineKey,
    MediaSource, Power, Setup, Step,
};
use hawkfish_core::clock::{Clock as _, ManualClock};
use hawkfish_core::error::{Conflict, ErrorKind};
use hawkfish_core::id::SlotId;
use jiff::{SignedDuration, Timestamp};

struct Rack {
    backend: Arc<SimBackend>,
    clock: Arc<ManualClock>,
    key: MachineKey,
}

impl Rack {
    fn of(profile: Profile) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let settings = SimSettings {
            systems: 1,
            profiles: vec![Arc::new(profile)],
            ..SimSettings::default()
        };
        let backend = SimBackend::new(settings, Arc::<ManualClock>::clone(&clock));
        let key = backend.key(0).unwrap();
        backend.drain_changes();
        Self {
            backend,
            clock,
            key,
        }
    }

    fn with(guest: Guest) -> Self {
        Self::of(Profile {
            guest,
            ..Profile::small()
        })
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.backend.advance();
    }

    async fn step(&self, step: Step) -> Machine {
        self.backend.step(self.key, step).await.unwrap()
    }

    async fn now(&self) -> Machine {
        self.backend.machine(self.key).await.unwrap()
    }

    async fn setup(&self, setup: Setup) -> Machine {
        self.backend.setup(self.key, &setup).await.unwrap()
    }

    async fn over(&self, target: BootTarget) {
        self.setup(Setup {
            over: Some(Some(BootOverride { target, once: true })),
            ..Setup::default()
        })
        .await;
    }

    async fn insert(&self, slot: &str, source: MediaSource) {
        let medium = Insert {
            source,
            write_protected: false,
        };
        let slot = SlotId::parse(slot).unwrap();
        self.backend.insert(self.key, &slot, &medium).await.unwrap();
    }

    async fn console(&self) -> String {
        String::from_utf8(self.backend.console_log(self.key).await.unwrap()).unwrap()
    }

    /// The last line about what was booted.
    async fn booted(&self) -> String {
        let console = self.console().await;
        let line = console.lines().rfind(|l| l.starts_with("HAWKFISH-BOOT "));
        line.unwrap_or_else(|| panic!("nothing was booted:\n{console}"))
            .to_owned()
    }

    /// What was told since the last look: seconds since start are not told, so power and cause.
    fn told(&self) -> Vec<(Power, Cause)> {
        let told = self.backend.drain_changes().into_iter();
        told.map(|change| match change {
            Change::Machine { machine, cause } => (machine.power, cause),
            other => panic!("{other:?}"),
        })
        .collect()
    }
}

fn uri(text: &str) -> MediaSource {
    MediaSource::Uri(text.to_owned())
}

#[tokio::test]
async fn a_life_is_told_step_by_step() {
    let rack = Rack::of(Profile::small());
    assert_eq!(rack.step(Step::Start).await.power, Power::PoweringOn);
    rack.pass(1);
    assert_eq!(rack.now().await.power, Power::PoweringOn);
    rack.pass(1);
    assert_eq!(rack.now().await.power, Power::On);
    rack.pass(5);
    assert_eq!(rack.step(Step::Shutdown).await.power, Power::PoweringOff);
    rack.pass(3);
    assert_eq!(rack.now().await.power, Power::Off);
    assert_eq!(
        rack.told(),
        [
            (Power::PoweringOn, Cause::Verb),
            (Power::On, Cause::Started),
            (Power::PoweringOff, Cause::Verb),
            (Power::Off, Cause::Shutdown),
        ]
    );
    assert_eq!(
        rack.console().await,
        "[     0.000] HawkFish UEFI firmware S1-1.8.2: power on\n\
         [     0.000] Kestrel S1, serial HFSERIAL, 1 x 8 cores, 32768 MiB\n\
         [     2.000] firmware: booting Hdd (disk0)\n\
         HAWKFISH-BOOT target=Hdd image=disk0 mode=Uefi\n\
         [     7.000] system: all services are up\n\
         \n\
         sim-00001 login: \n\
         [     7.000] system: going down for power off\n\
         [    10.000] system: power down\n"
            .replace(
                "HFSERIAL",
                rack.now().await.identity.serial.as_deref().unwrap()
            )
    );
}

#[tokio::test]
async fn a_leap_of_the_clock_happens_in_order_and_at_the_right_moments() {
    let rack = Rack::with(Guest {
        resets_itself_after: Some(Duration::from_secs(10)),
        ..Guest::default()
    });
    rack.step(Step::Start).await;
    assert_eq!(
        rack.backend.next_due(),
        Some(Timestamp::from_second(2).unwrap())
    );
    rack.pass(1_000_000);
    // 2 self-test, 5 boot, 10 until its own reset.
    let machine = rack.now().await;
    assert_eq!(
        machine.last_reset,
        Some(Timestamp::from_second(17).unwrap())
    );
    assert_eq!(machine.power, Power::On);
    assert_eq!(
        rack.told(),
        [
            (Power::PoweringOn, Cause::Verb),
            (Power::On, Cause::Started),
            (Power::On, Cause::Reset),
        ]
    );
    assert_eq!(rack.backend.next_due(), None, "it resets itself once");
    let console = rack.console().await;
    assert!(
        console.contains("\n[    17.000] system: resetting this machine\n"),
        "{console}"
    );
    assert_eq!(console.matches("HAWKFISH-BOOT").count(), 2, "{console}");
}

#[tokio::test]
async fn each_override_boots_what_it_names() {
    let mut expected = vec![
        (
            BootTarget::Cd,
            "target=Cd image=https://images.example/a.iso",
        ),
        (BootTarget::Usb, "target=Usb image=/srv/images/b.img"),
        (BootTarget::Hdd, "target=Hdd image=disk0"),
        (BootTarget::BiosSetup, "target=BiosSetup image=setup"),
        (
            BootTarget::UefiHttp,
            "target=UefiHttp image=https://boot.example/shim.efi",
        ),
    ];
    let rack = Rack::of(Profile::small());
    let pxe = {
        let options = rack.now().await.boot.options;
        let nic = options
            .iter()
            .find(|o| o.target == BootTarget::Pxe)
            .unwrap();
        format!(
            "target=Pxe image={}",
            nic.name.strip_prefix("network ").unwrap()
        )
    };
    expected.push((BootTarget::Pxe, &pxe));
    rack.insert("Cd", uri("https://images.example/a.iso")).await;
    rack.insert("Usb", MediaSource::File("/srv/images/b.img".into()))
        .await;
    rack.setup(Setup {
        http_uri: Some(Some("https://boot.example/shim.efi".to_owned())),
        ..Setup::default()
    })
    .await;
    rack.step(Step::Start).await;
    for (target, line) in expected {
        rack.pass(20);
        rack.over(target).await;
        rack.step(Step::Reset).await;
        rack.pass(20);
        assert_eq!(
            rack.booted().await,
            format!("HAWKFISH-BOOT {line} mode=Uefi")
        );
        assert_eq!(rack.now().await.boot.over, None);
    }
    rack.step(Step::Reset).await;
    rack.pass(20);
    assert_eq!(
        rack.booted().await,
        "HAWKFISH-BOOT target=Hdd image=disk0 mode=Uefi"
    );
}

#[tokio::test]
async fn what_cannot_be_booted_is_passed_over_in_order_until_nothing_is_left() {
    let rack = Rack::with(Guest {
        disk_boots: false,
        network_boots: false,
        ..Guest::default()
    });
    rack.setup(Setup {
        http_uri: Some(Some("http://nowhere.invalid/shim.efi".to_owned())),
        over: Some(Some(BootOverride {
            target: BootTarget::UefiHttp,
            once: true,
        })),
        ..Setup::default()
    })
    .await;
    rack.step(Step::Start).await;
    rack.pass(3600);
    let console = rack.console().await;
    let attempts: Vec<&str> = console
        .lines()
        .filter_map(|l| l.split_once("firmware: ")?.1.strip_prefix("tried "))
        .collect();
    let options = rack.now().await.boot.options;
    let nic = |n: usize| {
        let nics = options.iter().filter(|o| o.target == BootTarget::Pxe);
        nics.map(|o| o.name.clone()).nth(n).unwrap()
    };
    let http = options
        .iter()
        .find(|o| o.target == BootTarget::UefiHttp)
        .unwrap();
    assert_eq!(
        attempts,
        [
            format!("UefiHttp ({}): the server cannot be reached", http.name).as_str(),
            "Hdd (disk0): no operating system on it",
            "Cd (virtual cd): nothing in it",
            "Usb (virtual usb): nothing in it",
            &format!("Pxe ({}): nobody answers", nic(0)),
            &format!("Pxe ({}): nobody answers", nic(1)),
        ]
    );
    assert!(
        console.ends_with("firmware: no bootable device\n"),
        "{console}"
    );
    assert_eq!(rack.now().await.boot.over, None, "that was its one boot");
    assert_eq!(rack.now().await.power, Power::On);
    // The firmware heeds the power button by itself.
    assert_eq!(rack.step(Step::PowerButton).await.power, Power::Off);
}

#[tokio::test]
async fn power_that_is_cut_before_the_firmware_chose_is_no_boot() {
    let rack = Rack::of(Profile::small());
    rack.over(BootTarget::BiosSetup).await;
    rack.step(Step::Start).await;
    rack.pass(1);
    rack.step(Step::ForceOff).await;
    assert!(rack.now().await.boot.over.is_some());
    rack.step(Step::Start).await;
    rack.pass(2);
    assert_eq!(rack.now().await.boot.over, None);
    assert!(rack.booted().await.contains("target=BiosSetup"));
}

#[tokio::test]
async fn a_guest_that_is_asked_while_it_boots_goes_down_once_it_is_up() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.pass(3);
    assert_eq!(rack.step(Step::Shutdown).await.power, Power::On);
    rack.pass(4);
    assert_eq!(rack.now().await.power, Power::PoweringOff);
    rack.pass(3);
    assert_eq!(rack.now().await.power, Power::Off);
}

#[tokio::test]
async fn pause_freezes_every_timer() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.pass(1);
    rack.step(Step::Pause).await;
    assert_eq!(rack.backend.next_due(), None);
    rack.pass(1000);
    assert_eq!(rack.now().await.power, Power::Paused);
    assert_eq!(rack.step(Step::Resume).await.power, Power::PoweringOn);
    assert_eq!(
        rack.backend.next_due(),
        Some(Timestamp::from_second(1002).unwrap()),
        "the second that was left"
    );
    // What a paused guest is asked it hears when it goes on.
    rack.pass(10);
    rack.step(Step::Pause).await;
    assert_eq!(rack.step(Step::Shutdown).await.power, Power::Paused);
    rack.pass(1000);
    assert_eq!(rack.step(Step::Resume).await.power, Power::PoweringOff);
    rack.pass(3);
    assert_eq!(rack.now().await.power, Power::Off);
}

#[tokio::test]
async fn a_suspended_machine_keeps_its_memory_and_its_override() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.pass(4);
    rack.over(BootTarget::Pxe).await;
    rack.step(Step::Suspend).await;
    rack.pass(1000);
    assert_eq!(rack.now().await.power, Power::Off);
    assert_eq!(rack.step(Step::Start).await.power, Power::On);
    let console = rack.console().await;
    assert!(!console.contains("login"), "{console}");
    rack.pass(3);
    let console = rack.console().await;
    assert!(console.ends_with("login: "), "{console}");
    assert_eq!(
        console.matches("HAWKFISH-BOOT").count(),
        1,
        "that was no boot"
    );
    assert!(rack.now().await.boot.over.is_some());
}

#[tokio::test]
async fn an_nmi_makes_a_guest_panic_and_what_follows_is_its_own_affair() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.pass(10);
    rack.told();
    assert_eq!(rack.step(Step::Nmi).await.power, Power::On);
    assert!(
        rack.console()
            .await
            .ends_with("kernel panic - not syncing: NMI: unknown reason\n")
    );
    rack.pass(1);
    assert_eq!(rack.told(), [(Power::On, Cause::Reset)]);
    rack.pass(10);
    let halting = Guest {
        on_panic: OnPanic::Stop,
        ..Guest::default()
    };
    rack.backend.set_guest(rack.key, halting).unwrap();
    rack.step(Step::Nmi).await;
    rack.pass(1);
    assert_eq!(rack.told(), [(Power::Off, Cause::Crashed)]);
    assert!(rack.now().await.crashed);
    assert!(!rack.step(Step::Start).await.crashed);
}

#[tokio::test]
async fn a_switch_of_firmware_waits_for_a_cold_start() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.pass(10);
    let machine = rack
        .setup(Setup {
            mode: Some(BootMode::Legacy),
            ..Setup::default()
        })
        .await;
    assert_eq!(machine.boot.mode, BootMode::Uefi, "the firmware in use");
    assert!(!machine.boot.targets.contains(&BootTarget::UefiHttp));
    rack.step(Step::Reset).await;
    rack.pass(10);
    assert!(rack.booted().await.ends_with("mode=Uefi"));
    assert_eq!(rack.step(Step::ForceOff).await.boot.mode, BootMode::Legacy);
    assert_eq!(rack.now().await.boot.secure, None);
    rack.step(Step::Start).await;
    rack.pass(10);
    assert!(rack.booted().await.ends_with("mode=Legacy"));
    assert!(
        rack.console()
            .await
            .starts_with("[     0.000] HawkFish BIOS firmware")
    );
}

#[tokio::test]
async fn a_standing_override_is_not_left_to_a_firmware_that_does_not_know_it() {
    let rack = Rack::of(Profile::small());
    rack.over(BootTarget::UefiHttp).await;
    let to_legacy = |over| Setup {
        mode: Some(BootMode::Legacy),
        over,
        ..Setup::default()
    };
    let error = rack
        .backend
        .setup(rack.key, &to_legacy(None))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
    assert_eq!(rack.now().await.boot.mode, BootMode::Uefi);
    let machine = rack.setup(to_legacy(Some(None))).await;
    assert_eq!(machine.boot.mode, BootMode::Legacy);
    let over = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::UefiHttp,
            once: true,
        })),
        ..Setup::default()
    };
    let error = rack.backend.setup(rack.key, &over).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Invalid { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_image_on_a_host_that_cannot_exist_is_an_upstream_error_without_its_password() {
    let rack = Rack::of(Profile::small());
    let cd = SlotId::parse("Cd").unwrap();
    let insert = |text: &str| Insert {
        source: uri(text),
        write_protected: true,
    };
    for (text, shown) in [
        ("http://a.invalid/x.iso", "http://a.invalid/x.iso"),
        ("http://a.INVALID./x.iso", "http://a.INVALID./x.iso"),
        ("https://invalid/x.iso", "https://invalid/x.iso"),
        ("http://me:secret@a.invalid/x.iso", "http://a.invalid/x.iso"),
    ] {
        let error = rack
            .backend
            .insert(rack.key, &cd, &insert(text))
            .await
            .unwrap_err();
        assert_eq!(
            *error.kind(),
            ErrorKind::Upstream {
                uri: shown.to_owned()
            }
        );
        assert_eq!(rack.now().await.slots[0].medium, None);
    }
    for text in ["", "x.iso", "/etc/shadow", "file:///etc/shadow", "http://"] {
        let error = rack
            .backend
            .insert(rack.key, &cd, &insert(text))
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { .. }),
            "{text:?}: {error:?}"
        );
    }
    rack.insert("Cd", uri("http://me:secret@images.example/x.iso"))
        .await;
    let medium = rack.now().await.slots[0].medium.clone().unwrap();
    assert_eq!(medium.source, uri("http://images.example/x.iso"));
    assert!(medium.write_protected);
}

#[tokio::test]
async fn machines_go_on_while_their_rack_is_lost() {
    let rack = Rack::of(Profile::small());
    rack.step(Step::Start).await;
    rack.told();
    rack.backend.lose("a cable");
    rack.pass(10);
    assert_eq!(
        rack.backend.drain_changes(),
        [Change::Lost("a cable".to_owned())]
    );
    rack.backend.find();
    rack.backend.changed().await;
    let told = rack.backend.drain_changes();
    assert_eq!(told[0], Change::Connected);
    assert_eq!(
        told[1..],
        [Change::Machine {
            machine: Arc::new(rack.now().await),
            cause: Cause::Seen
        }]
    );
    assert_eq!(rack.now().await.power, Power::On);
}

#[tokio::test]
async fn a_rack_presents_itself_before_it_tells_of_anything_else() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let backend = SimBackend::new(SimSettings::default(), clock);
    backend.changed().await;
    let key = backend.key(2).unwrap();
    backend.step(key, Step::Start).await.unwrap();
    let told = backend.drain_changes();
    assert_eq!(told[0], Change::Connected);
    // The rest is as its mould makes it.
    assert_eq!(told.len(), 2);
    let mould = backend.mould().unwrap();
    for machine in backend.machines().await.unwrap() {
        let made = mould.make(machine.key).unwrap();
        assert_eq!(made == machine, machine.key != key);
    }
    assert_eq!(backend.altered().await.unwrap(), [key]);
    let started = told.iter().filter(
        |change| matches!(change, Change::Machine { machine, .. } if machine.power == Power::PoweringOn),
    );
    assert_eq!(started.count(), 1);
    assert_eq!(backend.drain_changes(), []);
}

#[tokio::test]
async fn waiting_for_a_change_ends_when_there_is_one() {
    let rack = Rack::of(Profile::small());
    let waiting = tokio::spawn({
        let backend = Arc::clone(&rack.backend);
        async move { backend.changed().await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "there is nothing to tell yet");
    rack.step(Step::Start).await;
    waiting.await.unwrap();
    assert_eq!(rack.told().len(), 1);
}

#[tokio::test]
async fn a_rack_goes_on_from_where_it_was_last_seen() {
    let settings = SimSettings {
        systems: 8,
        seed: 3,
        ..SimSettings::default()
    };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let old = SimBackend::new(settings.clone(), Arc::<ManualClock>::clone(&clock));
    let key = |number| old.key(number).unwrap();
    let options = old.machine(key(0)).await.unwrap().boot.options;
    let set = Setup {
        order: Some(vec![options[2].id.clone(), options[0].id.clone()]),
        http_uri: Some(Some("http://boot.example/x.efi".to_owned())),
        asset_tag: Some("A1".to_owned()),
        autostart: Some(true),
        ..Setup::default()
    };
    old.setup(key(0), &set).await.unwrap();
    old.insert(
        key(0),
        &SlotId::parse("Usb").unwrap(),
        &Insert {
            source: uri("http://images.example/b.img"),
            write_protected: false,
        },
    )
    .await
    .unwrap();
    let over = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::Cd,
            once: true,
        })),
        ..Setup::default()
    };
    let legacy = Setup {
        mode: Some(BootMode::Legacy),
        asset_tag: Some(String::new()),
        ..Setup::default()
    };
    old.setup(key(2), &legacy).await.unwrap();
    for number in [0, 1, 3] {
        old.step(key(number), Step::Start).await.unwrap();
    }
    clock.advance(SignedDuration::from_secs(60));
    old.step(key(1), Step::Pause).await.unwrap();
    old.step(key(3), Step::Shutdown).await.unwrap();
    // On its way to a boot for which the override holds.
    old.setup(key(4), &over).await.unwrap();
    old.step(key(4), Step::Start).await.unwrap();
    let seen = old.machines().await.unwrap();

    let new = SimBackend::new(settings, Arc::<ManualClock>::clone(&clock));
    new.restore(&seen);
    assert_eq!(new.machines().await.unwrap(), seen);
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(new.machines().await.unwrap(), old.machines().await.unwrap());
    let booted = new.machine(key(4)).await.unwrap();
    assert_eq!((booted.power, booted.boot.over), (Power::On, None));
}

#[tokio::test]
async fn the_same_seed_makes_the_same_rack_and_another_another() {
    let rack = |seed, name: &str| {
        let settings = SimSettings {
            systems: 50,
            seed,
            name: name.to_owned(),
            ..SimSettings::default()
        };
        SimBackend::new(settings, Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)))
    };
    let one = rack(7, "a").machines().await.unwrap();
    assert_eq!(one, rack(7, "a").machines().await.unwrap());
    assert!(one.is_sorted_by_key(|m| m.key));
    let keys = |machines: &[Machine]| machines.iter().map(|m| m.key).collect::<BTreeSet<_>>();
    assert_eq!(keys(&one).len(), 50);
    for other in [rack(8, "a"), rack(7, "b")] {
        assert!(keys(&other.machines().await.unwrap()).is_disjoint(&keys(&one)));
    }
    let legacy = one
        .iter()
        .filter(|m| m.boot.modes.contains(&BootMode::Legacy))
        .count();
    assert!((20..=30).contains(&legacy), "half know a PC BIOS: {legacy}");
    assert!(one.iter().all(|m| m.boot.modes.contains(&BootMode::Uefi)));
}

#[tokio::test]
async fn a_hundred_thousand_machines_are_one_rack() {
    let settings = SimSettings {
        systems: 100_000,
        ..SimSettings::default()
    };
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let backend = SimBackend::new(settings, Arc::<ManualClock>::clone(&clock));
    let key = backend.key(99_999).unwrap();
    backend.step(key, Step::Start).await.unwrap();
    clock.advance(SignedDuration::from_hours(24));
    assert_eq!(backend.machine(key).await.unwrap().power, Power::On);
    assert_eq!(clock.now(), Timestamp::from_second(86_400).unwrap());
}

#[tokio::test]
async fn nothing_is_booted_through_a_cable_that_is_unplugged() {
    let rack = Rack::with(Guest::default());
    let nics: Vec<String> = rack
        .now()
        .await
        .hardware
        .nics
        .iter()
        .map(|nic| nic.name.clone())
        .collect();
    let pxe = Setup {
        over: Some(Some(BootOverride {
            target: BootTarget::Pxe,
            once: true,
        })),
        nic_link: nics.iter().map(|name| (name.clone(), false)).collect(),
        ..Setup::default()
    };
    rack.backend.setup(rack.key, &pxe).await.unwrap();
    rack.step(Step::Start).await;
    rack.pass(60);
    let console = rack.console().await;
    assert!(!console.contains("HAWKFISH-BOOT target=Pxe"), "{console}");
    assert!(console.contains("HAWKFISH-BOOT target=Hdd"), "{console}");

    // Who was seen without a cable is without one after HawkFish has come back.
    let seen = rack.now().await;
    assert!(seen.hardware.nics.iter().all(|nic| !nic.link_up));
    let kept = serde_json::to_string(&seen).unwrap();
    let again = Rack::with(Guest::default());
    again
        .backend
        .restore(&[serde_json::from_str(&kept).unwrap()]);
    assert_eq!(again.now().await.hardware, seen.hardware);
}
