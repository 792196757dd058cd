//! An override that is used once is used once, whoever starts the guest and whether or not HawkFish is there.

use super::lab::*;
use super::*;
use hawkfish_testing::part::variable;

/// A CD whose guest resets itself once, with the drive to read it.
fn restless_cd(lab: &Lab) -> PathBuf {
    lab.image("restless.iso", &["iso", "CD", "--reboot-after", "4"])
}

async fn started_by_hawkfish_which_dies_at_once(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("once", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    let machine = hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    assert_eq!(machine.power, Power::On);
    assert_eq!(machine.boot.over, None);
    hawkfish.close().await;
    drop(hawkfish);
    guest.is_as_before();
    guest.booted(&["CD", "HD"]).await;
    guest.is_as_before();
}

#[tokio::test]
async fn once_is_once_for_a_bios_guest_that_resets_itself_when_hawkfish_is_dead() {
    started_by_hawkfish_which_dies_at_once(false).await;
}

#[tokio::test]
async fn once_is_once_for_a_uefi_guest_that_resets_itself_when_hawkfish_is_dead() {
    started_by_hawkfish_which_dies_at_once(true).await;
}

async fn started_by_others_while_hawkfish_is_away(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("others", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    guest.domain.create().expect("others can start it");
    guest.booted(&["CD"]).await;
    let hawkfish = lab.hawkfish().await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["CD", "HD"]).await;
}

#[tokio::test]
async fn once_is_used_up_by_a_bios_boot_that_hawkfish_did_not_see() {
    started_by_others_while_hawkfish_is_away(false).await;
}

#[tokio::test]
async fn once_is_used_up_by_a_uefi_boot_that_hawkfish_did_not_see() {
    started_by_others_while_hawkfish_is_away(true).await;
}

async fn started_by_others(efi: bool) {
    let Some(lab) = Lab::new(efi) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("virsh", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    guest.domain.create().expect("others can start it");
    guest.booted(&["CD", "HD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn once_is_once_for_a_bios_guest_that_others_start() {
    started_by_others(false).await;
}

#[tokio::test]
async fn once_is_once_for_a_uefi_guest_that_others_start() {
    started_by_others(true).await;
}

#[tokio::test]
async fn once_waits_for_the_reset_of_a_running_guest_over_a_restart_of_hawkfish() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("waits", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["HD"]).await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    let hawkfish = lab.hawkfish().await;
    let machine = hawkfish.machine(guest.key).await.expect("it is there");
    assert!(machine.boot.over.is_some(), "it waits");
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["HD", "CD", "HD"]).await;
}

#[tokio::test]
async fn once_is_used_by_a_restart_that_the_guest_was_asked_for() {
    let Some(lab) = Lab::new(false) else { return };
    let Some(assets) = variable("HAWKFISH_TEST_ASSETS") else {
        return;
    };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let disk = lab.image("linux.qcow2", &["disk", "HD", "--linux", &assets]);
    let guest = lab.machine_with("asked", &disk, &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    let began = Instant::now();
    while !String::from_utf8_lossy(&std::fs::read(&guest.serial).unwrap_or_default())
        .contains("tick ")
    {
        assert!(began.elapsed() < PATIENCE, "it does not come up");
        pause(GLANCE).await;
    }
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Restart)
        .await
        .expect("it is asked");
    let began = Instant::now();
    while guest.boots().last().map(String::as_str) != Some("CD") {
        assert!(began.elapsed() < PATIENCE, "it does not restart");
        pause(GLANCE).await;
    }
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn a_start_that_was_cut_short_is_carried_through() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = restless_cd(&lab);
    let guest = lab.machine("cut", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish.close().await;
    // As a HawkFish leaves it that is killed in the middle of a start.
    let noted = definition(&guest.domain);
    let starting = noted.replacen(" once=\"yes\"", " once=\"yes\" phase=\"starting\"", 1);
    assert_ne!(starting, noted);
    Domain::define_xml(&lab.others, &starting).expect("libvirt takes it");
    guest
        .domain
        .create_with_flags(sys::VIR_DOMAIN_START_PAUSED)
        .expect("it starts");
    let hawkfish = lab.hawkfish().await;
    guest.booted(&["CD", "HD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}

#[tokio::test]
async fn what_was_used_up_stays_so_over_saving_and_restoring() {
    let Some(lab) = Lab::new(false) else { return };
    let cd = lab.image("cd.iso", &["iso", "CD"]);
    let guest = lab.machine("saved", &["--cdrom", cd.to_str().expect("text")]);
    let hawkfish = lab.hawkfish().await;
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it starts");
    guest.booted(&["CD"]).await;
    let machine = hawkfish
        .step(guest.key, Step::Suspend)
        .await
        .expect("it is saved");
    assert_eq!(machine.power, Power::Off);
    hawkfish
        .step(guest.key, Step::Start)
        .await
        .expect("it is restored");
    hawkfish
        .step(guest.key, Step::Reset)
        .await
        .expect("it is reset");
    guest.booted(&["CD", "HD"]).await;

    // Likewise one that waits, though others restore the machine.
    guest.set_once(&hawkfish, BootTarget::Cd).await;
    hawkfish
        .step(guest.key, Step::Suspend)
        .await
        .expect("it is saved");
    guest.domain.create().expect("others can restore it");
    guest
        .until(&hawkfish, "it runs", |m| m.power == Power::On)
        .await;
    let machine = hawkfish.machine(guest.key).await.expect("it is there");
    assert!(machine.boot.over.is_some(), "being restored is no boot");
    guest.domain.reset().expect("others can reset it");
    guest.booted(&["CD", "HD", "CD"]).await;
    guest.used_up(&hawkfish).await;
    guest.is_as_before();
}
