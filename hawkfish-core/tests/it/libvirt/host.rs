//! Hosts that hang, are killed, or change behind our back.

use super::lab::*;
use super::*;
use hawkfish_testing::lab::script;

#[tokio::test]
async fn what_others_change_is_told_even_where_libvirt_does_not_tell() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("told", &[]);
    let hawkfish = lab.hawkfish().await;
    let told = async |what: &str, is: &dyn Fn(&Machine) -> bool| {
        let began = Instant::now();
        loop {
            let found = hawkfish.drain_changes().into_iter().any(|change| {
                matches!(change, Change::Machine { machine, .. } if machine.key == guest.key && is(&machine))
            });
            if found {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{what} is not told");
            let _ = timeout(GLANCE, hawkfish.changed()).await;
        }
    };
    guest
        .domain
        .set_autostart(true)
        .expect("others can do that");
    told("autostart", &|m| m.autostart).await;
    guest
        .domain
        .set_autostart(false)
        .expect("others can do that");
    told("no autostart", &|m| !m.autostart).await;
    let disk = format!(
        "<disk type='file' device='cdrom'><source file='{}'/><target dev='sda' bus='sata'/><readonly/></disk>",
        cd.display()
    );
    guest
        .domain
        .update_device_flags(&disk, sys::VIR_DOMAIN_AFFECT_CONFIG)
        .expect("others can do that");
    told("a medium", &|m| {
        m.slots[0].medium.as_ref().map(|m| &m.source) == Some(&MediaSource::File(cd.clone()))
    })
    .await;
    let slot = SlotId::parse("Cd").expect("a slot");
    let medium = Insert {
        source: MediaSource::File(cd.clone()),
        write_protected: true,
    };
    let error = hawkfish
        .insert(guest.key, &slot, &medium)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::Occupied));
}

#[tokio::test]
async fn a_host_that_hangs_holds_nobody_up_and_is_found_again() {
    let Some(lab_of_test) = Lab::new(false) else {
        return;
    };
    let guest = lab_of_test.machine("hangs", &[]);
    let hawkfish = lab_of_test.hawkfish().await;
    let folder = lab_of_test.path();
    let folder = folder.to_str().expect("text");
    script(&["freeze", folder]);
    let began = Instant::now();
    let error = hawkfish.step(guest.key, Step::Start).await.unwrap_err();
    let first = began.elapsed();
    let lost = async {
        while !hawkfish
            .drain_changes()
            .iter()
            .any(|change| matches!(change, Change::Lost(_)))
        {
            hawkfish.changed().await;
        }
    };
    let is_told = timeout(PATIENCE, lost).await.is_ok();
    let began = Instant::now();
    let again = hawkfish.machine(guest.key).await.unwrap_err();
    let second = began.elapsed();
    // Before any assertion: a frozen libvirtd cannot be ended.
    script(&["thaw", folder]);
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable { .. }),
        "{error:?}"
    );
    assert!(
        matches!(again.kind(), ErrorKind::Unavailable { .. }),
        "{again:?}"
    );
    assert!(is_told);
    assert!(first < Duration::from_secs(20), "{first:?}");
    assert!(second < Duration::from_millis(100), "{second:?}");
    let back = async {
        loop {
            hawkfish.changed().await;
            let told = hawkfish.drain_changes();
            if told
                .iter()
                .any(|change| matches!(change, Change::Connected))
            {
                return;
            }
        }
    };
    timeout(PATIENCE, back).await.expect("it is found again");
    let began = Instant::now();
    while hawkfish.machine(guest.key).await.is_err() {
        assert!(began.elapsed() < PATIENCE);
        pause(GLANCE).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_is_killed_under_load_strands_nobody() {
    let Some(lab_of_test) = Lab::new(false) else {
        return;
    };
    let disk = lab_of_test.image("any.qcow2", &["disk", "HD"]);
    let guests: Vec<Guest<'_>> = (0..4)
        .map(|n| lab_of_test.machine_with(&format!("load-{n}"), &disk, &[]))
        .collect();
    let hawkfish = lab_of_test.hawkfish().await;
    let ends = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let callers: Vec<_> = (0..12)
        .map(|n| {
            let (hawkfish, ends) = (Arc::clone(&hawkfish), Arc::clone(&ends));
            let key = guests[n % guests.len()].key;
            tokio::spawn(async move {
                let (mut done, mut refused) = (0_u32, 0_u32);
                while !ends.load(std::sync::atomic::Ordering::Relaxed) {
                    let wanted = Setup {
                        asset_tag: Some(format!("tag {n}")),
                        ..Setup::default()
                    };
                    let call = async {
                        match n % 3 {
                            0 => hawkfish.machines().await.map(drop),
                            1 => hawkfish.machine(key).await.map(drop),
                            _ => hawkfish.setup(key, &wanted).await.map(drop),
                        }
                    };
                    match timeout(Duration::from_secs(60), call)
                        .await
                        .expect("it returns")
                    {
                        Ok(()) => done += 1,
                        Err(error) => {
                            let kind = error.kind();
                            assert!(matches!(kind, ErrorKind::Unavailable { .. }), "{error:?}");
                            refused += 1;
                            pause(Duration::from_millis(5)).await;
                        }
                    }
                }
                (done, refused)
            })
        })
        .collect();
    let folder = lab_of_test.path();
    let folder = folder.to_str().expect("text");
    for _ in 0..3 {
        pause(Duration::from_secs(1)).await;
        script(&["kill", folder]);
        pause(Duration::from_secs(1)).await;
        script(&["start", folder]);
        let began = Instant::now();
        while hawkfish.machines().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "it is not found again");
            pause(GLANCE).await;
        }
    }
    pause(Duration::from_secs(1)).await;
    ends.store(true, std::sync::atomic::Ordering::Relaxed);
    for caller in callers {
        let (done, refused) = caller.await.expect("no caller is stranded");
        assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    }
    for guest in &guests {
        let untag = Setup {
            asset_tag: Some(String::new()),
            ..Setup::default()
        };
        let machine = hawkfish
            .setup(guest.key, &untag)
            .await
            .expect("it is there");
        assert_eq!(machine.identity.asset_tag, None);
    }
    // The guests' connection is of the libvirtd that was killed.
    let others = Connect::open(Some(&lab_of_test.uri)).expect("libvirt answers");
    for guest in &guests {
        let domain = Domain::lookup_by_uuid(&others, guest.key.0).expect("it is there");
        assert_eq!(definition(&domain), guest.before);
    }
}

#[tokio::test]
async fn a_look_at_a_thousand_machines_costs_little_more_than_their_listing() {
    let Some(lab) = Lab::new(false) else { return };
    for n in 0..1000 {
        let xml = format!(
            "<domain type='qemu'><name>many-{n:04}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
               <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>
               <devices><disk type='file' device='disk'><source file='/nowhere/{n}.img'/><target dev='vda' bus='virtio'/></disk></devices>
             </domain>"
        );
        Domain::define_xml(&lab.others, &xml).expect("libvirt takes the domain");
    }
    let began = Instant::now();
    let hawkfish = lab.hawkfish().await;
    let first = began.elapsed();
    let mut raw = Duration::MAX;
    let mut ours = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        let listed = lab.others.list_all_domains(0).expect("it answers");
        raw = raw.min(began.elapsed());
        assert_eq!(listed.len(), 1000);
        let began = Instant::now();
        let machines = hawkfish.machines().await.expect("it answers");
        ours = ours.min(began.elapsed());
        assert_eq!(machines.len(), 1000);
    }
    eprintln!("1,000 machines: connected and read in {first:?}, listing {raw:?}, look {ours:?}");
    // An unoptimised build clones a thousand machines in some milliseconds.
    assert!(ours < raw * 8 + Duration::from_millis(20), "{ours:?}");
}

#[tokio::test]
async fn a_probe_says_who_answers_and_why_nobody_does() {
    let limit = Duration::from_secs(20);
    let facts = probe("test:///default", limit)
        .await
        .expect("it is built in");
    assert!(
        facts.hypervisor.to_lowercase().starts_with("test"),
        "{facts:?}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("sock");
    let uri = format!("qemu+unix:///system?socket={}", socket.display());
    let error = probe(&uri, limit).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert!(error.message().contains("socket"), "{error:?}");

    // One that takes the connection and says nothing.
    let _mute = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let began = Instant::now();
    let error = probe(&uri, Duration::from_millis(300)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unavailable { .. }));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn addresses_that_a_network_of_the_host_has_given_are_shown_while_a_machine_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("node.xml");
    let node = "<node>
        <network><name>default</name><bridge name='virbr0'/>
          <ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.99'/></dhcp></ip>
        </network>
        <domain type='test'><name>leased</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
          <os><type arch='x86_64'>hvm</type></os>
          <devices>
            <interface type='user'><mac address='52:54:00:00:00:01'/></interface>
            <interface type='network'><mac address='52:54:00:00:00:02'/><source network='default'/></interface>
          </devices>
        </domain>
      </node>";
    std::fs::write(&file, node).expect("a file");
    let backend = connected(LibvirtSettings::new(format!("test://{}", file.display()))).await;
    let machine = backend.machines().await.expect("it answers").remove(0);
    // The driver's domains run when it begins; what it leases follows from the number of the interface.
    assert_eq!(machine.power, Power::On);
    let machine = backend.machine(machine.key).await.expect("it is there");
    let addresses: Vec<_> = machine
        .hardware
        .nics
        .iter()
        .map(|nic| &nic.addresses)
        .collect();
    assert!(addresses.iter().all(|own| own.len() == 1), "{addresses:?}");
    let is_leased = |nic: usize| {
        addresses[nic][0]
            .address
            .to_string()
            .starts_with("192.0.2.")
    };
    assert!(!is_leased(0) && is_leased(1), "{addresses:?}");
    assert_eq!(addresses[1][0].prefix, 24);
    let off = backend
        .step(machine.key, Step::ForceOff)
        .await
        .expect("it is cut");
    assert!(off.hardware.nics.iter().all(|nic| nic.addresses.is_empty()));
}
