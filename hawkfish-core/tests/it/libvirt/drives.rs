//! Drives that come and go with what they hold.

use super::lab::*;
use super::*;

#[tokio::test]
async fn a_machine_without_a_drive_is_given_one_for_as_long_as_it_holds_something() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("driveless", &["--no-cdrom"]);
    let hawkfish = lab.hawkfish().await;

    let machine = guest.insert(&hawkfish, "Cd", &cd).await;
    assert!(machine.slots[0].medium.is_some());
    assert!(definition(&guest.domain).contains("bus='sata'"));
    let machine = guest.eject(&hawkfish, "Cd").await;
    assert_eq!(machine.slots[0].medium, None);
    let after = definition(&guest.domain);
    // libvirt keeps the controller that it added for the drive; nothing of ours is left.
    assert!(
        !after.contains("cdrom") && !after.contains("hawkfish"),
        "{after}"
    );

    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["HD"]).await;
    guest.insert(&hawkfish, "Cd", &cd).await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.eject(&hawkfish, "Cd").await;
    let live = guest.domain.get_xml_desc(0).expect("it runs");
    assert!(!live.contains("cdrom"), "{live}");
    assert_eq!(definition(&guest.domain), after);
}

#[tokio::test]
async fn a_stick_boots_and_leaves_no_trace() {
    let Some(lab) = Lab::new(false) else { return };
    let stick = lab.image("stick.img", &["disk", "USB"]);
    let guest = lab.machine("stick", &[]);
    let hawkfish = lab.hawkfish().await;
    // The override first: it holds for what comes into the slot later.
    guest.set_once(&hawkfish, BootTarget::Usb).await;
    let machine = guest.insert(&hawkfish, "Usb", &stick).await;
    let usb = machine.slots[1].medium.clone().expect("it is in");
    assert!(usb.write_protected);
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["USB"]).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["USB", "HD"]).await;
    let machine = guest.eject(&hawkfish, "Usb").await;
    assert_eq!(machine.slots[1].medium, None);
    guest.is_as_before();

    // Into a running machine, and set after that.
    guest.insert(&hawkfish, "Usb", &stick).await;
    guest.set_once(&hawkfish, BootTarget::Usb).await;
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["USB", "HD", "USB"]).await;
    guest.used_up(&hawkfish).await;
    guest.eject(&hawkfish, "Usb").await;
    guest.is_as_before();
}
