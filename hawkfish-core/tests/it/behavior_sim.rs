//! The behaviour suite on the simulator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hawkfish_core::backend::sim::{Guest, Profile, SimBackend, SimSettings};
use hawkfish_core::backend::{Backend, BootMode, BootTarget, MachineKey, MediaSource};
use hawkfish_core::clock::{Clock as _, ManualClock};
use jiff::{SignedDuration, Timestamp};

use crate::behavior::{Fixture, Temper, behavior_suite};

struct Rack {
    backend: Arc<SimBackend>,
    clock: Arc<ManualClock>,
    handed_out: AtomicUsize,
}

impl Rack {
    fn new(mode: BootMode) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let profile = Profile {
            mode,
            ..Profile::small()
        };
        let settings = SimSettings {
            systems: 3,
            seed: 1,
            name: "behavior".to_owned(),
            first: 0,
            profiles: vec![Arc::new(profile)],
        };
        Self {
            backend: SimBackend::new(settings, Arc::<ManualClock>::clone(&clock)),
            clock,
            handed_out: AtomicUsize::new(0),
        }
    }
}

#[async_trait]
impl Fixture for Rack {
    fn backend(&self) -> Arc<dyn Backend> {
        Arc::<SimBackend>::clone(&self.backend)
    }

    async fn machine(&self, temper: Temper) -> Option<MachineKey> {
        let number = self.handed_out.fetch_add(1, Ordering::Relaxed);
        let key = self.backend.key(number).expect("enough machines");
        let guest = Guest {
            ignores_acpi: temper == Temper::Deaf,
            resets_itself_after: (temper == Temper::Restless).then_some(Duration::from_secs(90)),
            ..Guest::default()
        };
        self.backend
            .set_guest(key, guest)
            .expect("the rack answers");
        Some(key)
    }

    async fn pass(&self) {
        self.clock.advance(SignedDuration::from_millis(700));
        self.backend.advance();
    }

    fn elapsed(&self) -> Duration {
        let since = self.clock.now().duration_since(Timestamp::UNIX_EPOCH);
        since.try_into().expect("forwards")
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(600)
    }

    fn a_while(&self) -> Duration {
        Duration::from_secs(60)
    }

    async fn is_up(&self, key: MachineKey) -> bool {
        let console = self.backend.console_log(key).await.expect("a console");
        console.ends_with(b" login: ")
    }

    async fn boots(&self, key: MachineKey) -> Option<Vec<BootTarget>> {
        let console = self.backend.console_log(key).await.expect("a console");
        let console = String::from_utf8(console).expect("text");
        let targets = console
            .lines()
            .filter_map(|line| line.strip_prefix("HAWKFISH-BOOT target="))
            .map(|line| match line.split(' ').next() {
                Some("Cd") => BootTarget::Cd,
                Some("Hdd") => BootTarget::Hdd,
                other => panic!("nobody asked to boot {other:?}"),
            });
        Some(targets.collect())
    }

    async fn medium(&self) -> MediaSource {
        MediaSource::Uri("https://images.example/installer.iso".to_owned())
    }

    fn broken_medium(&self) -> Option<MediaSource> {
        Some(MediaSource::Uri(
            "https://gone.invalid/installer.iso".to_owned(),
        ))
    }

    async fn lose(&self) -> bool {
        self.backend.lose("somebody pulled a cable");
        true
    }

    async fn find(&self) {
        self.backend.find();
    }
}

mod uefi {
    use super::*;
    behavior_suite!(async { Some(Rack::new(BootMode::Uefi)) });
}

mod legacy {
    use super::*;
    behavior_suite!(async { Some(Rack::new(BootMode::Legacy)) });
}
