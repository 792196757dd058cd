use hawkfish_client::Kind;
use hawkfish_client::redfish::model::computer_system::{
    BootSource, BootSourceOverrideEnabled, BootSourceOverrideMode, PowerRestorePolicyTypes,
};
use hawkfish_client::redfish::model::manager::ResetToDefaultsType;
use hawkfish_client::redfish::model::resource::{PowerState, ResetType};
use hawkfish_client::typed::Override;
use serde_json::json;

use super::{Lab, done};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_found_by_its_id_name_and_uuid_and_one_that_is_not_is_not_found() {
    let lab = Lab::open().await;
    let all = lab.client.systems().await.unwrap();
    assert_eq!(all.len(), 2);
    for name in [&all[1].id, &all[1].name, all[1].uuid.value().unwrap()] {
        let found = lab.client.system(name).await.unwrap();
        assert_eq!(found.uri(), all[1].uri());
    }
    let error = lab.client.system("nobody").await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_switched_on_and_off_and_what_it_does_not_take_is_not_sent() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    assert_eq!(system.power_state.value(), Some(&PowerState::Off));
    done(system.reset(ResetType::On).await).await;
    // It shows what was read.
    assert_eq!(system.power_state.value(), Some(&PowerState::Off));
    lab.pass(60).await;
    assert!(system.refresh().await.unwrap());
    assert_eq!(system.power_state.value(), Some(&PowerState::On));
    assert!(system.resets().contains(&ResetType::ForceOff));
    let before = lab.world.trace().entries().len();
    let error = system.reset("Explode".into()).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
    assert!(error.text.contains("ForceOff"), "{error}");
    assert_eq!(lab.world.trace().entries().len(), before);
    done(system.reset(ResetType::ForceOff).await).await;
    lab.pass(60).await;
    system.refresh().await.unwrap();
    assert_eq!(system.power_state.value(), Some(&PowerState::Off));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_is_not_sent_again_and_stays() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    let shown = system.clone();
    assert!(!system.refresh().await.unwrap());
    assert_eq!(lab.last_status(), 304);
    assert_eq!(
        (system.value(), system.etag(), system.raw()),
        (shown.value(), shown.etag(), shown.raw())
    );
    done(system.set_asset_tag("another").await).await;
    assert!(system.refresh().await.unwrap());
    assert_eq!(lab.last_status(), 200);
    assert_ne!(system.etag(), shown.etag());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_goes_by_what_was_read_is_refused_when_that_has_changed() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    done(system.set_asset_tag("one").await).await;
    let error = system.patch(&json!({"AssetTag": "two"})).await.unwrap_err();
    assert_eq!(error.kind, Kind::PreconditionFailed);
    system.refresh().await.unwrap();
    assert_eq!(system.asset_tag.as_deref(), Some("one"));
    done(system.patch(&json!({"AssetTag": "two"})).await).await;
    // Whoever sets does not care.
    done(system.set_asset_tag("three").await).await;
    system.refresh().await.unwrap();
    assert_eq!(system.asset_tag.as_deref(), Some("three"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_boots_from_is_overridden_and_ordered() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    let once = Override::once(BootSource::Pxe).mode(BootSourceOverrideMode::UEFI);
    done(system.set_boot(once).await).await;
    system.refresh().await.unwrap();
    let boot = system.boot.as_ref().unwrap();
    assert_eq!(
        (
            boot.boot_source_override_target.value(),
            boot.boot_source_override_enabled.value()
        ),
        (
            Some(&BootSource::Pxe),
            Some(&BootSourceOverrideEnabled::Once)
        )
    );
    done(system.set_boot(Override::continuous(BootSource::Cd)).await).await;
    done(system.reset(ResetType::On).await).await;
    system.refresh().await.unwrap();
    let boot = system.boot.as_ref().unwrap();
    assert_eq!(
        boot.boot_source_override_enabled.value(),
        Some(&BootSourceOverrideEnabled::Continuous)
    );
    done(system.clear_boot().await).await;
    system.refresh().await.unwrap();
    let boot = system.boot.as_ref().unwrap();
    assert_eq!(
        boot.boot_source_override_enabled.value(),
        Some(&BootSourceOverrideEnabled::Disabled)
    );
    let mut order = boot.boot_order.clone().unwrap();
    order.reverse();
    done(system.set_boot_order(order.clone()).await).await;
    system.refresh().await.unwrap();
    assert_eq!(
        system.boot.as_ref().unwrap().boot_order.as_ref(),
        Some(&order)
    );
    let options = system.boot_options().await.unwrap();
    let mut option = options
        .into_iter()
        .find(|option| option.boot_option_reference.as_deref() == Some(&order[0]))
        .unwrap();
    assert_eq!(option.boot_option_enabled.value(), Some(&true));
    done(option.enable(false).await).await;
    assert!(option.refresh().await.unwrap());
    assert_eq!(option.boot_option_enabled.value(), Some(&false));
}

#[tokio::test(flavor = "multi_thread")]
async fn firmware_settings_wait_for_the_next_start_and_can_be_as_they_came() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    done(system.reset(ResetType::On).await).await;
    let mut bios = system.bios().await.unwrap();
    let settings = bios.settings();
    assert_eq!(settings["Hpet"], "Enabled");
    assert!(bios.pending().await.unwrap().is_empty());
    done(bios.set_setting("Hpet", "Disabled").await).await;
    bios.refresh().await.unwrap();
    assert_eq!(bios.settings()["Hpet"], "Enabled");
    let pending = bios.pending().await.unwrap();
    assert_eq!(json!(pending), json!({"Hpet": "Disabled"}));
    done(system.reset(ResetType::ForceOff).await).await;
    done(system.reset(ResetType::On).await).await;
    bios.refresh().await.unwrap();
    assert_eq!(bios.settings()["Hpet"], "Disabled");
    assert!(bios.pending().await.unwrap().is_empty());
    done(bios.reset_to_defaults().await).await;
    bios.refresh().await.unwrap();
    assert_eq!(json!(bios.value())["ResetBiosToDefaultsPending"], true);
    done(system.reset(ResetType::ForceOff).await).await;
    done(system.reset(ResetType::On).await).await;
    bios.refresh().await.unwrap();
    assert_eq!(bios.settings()["Hpet"], "Enabled");
    let error = bios.set_setting("Nothing", 1).await.unwrap_err();
    assert_eq!(error.kind, Kind::BadRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn lamp_power_policy_and_secure_boot_are_set() {
    let lab = Lab::open().await;
    let mut system = lab.system().await;
    done(system.set_indicator(true).await).await;
    done(
        system
            .set_power_restore(PowerRestorePolicyTypes::AlwaysOn)
            .await,
    )
    .await;
    system.refresh().await.unwrap();
    assert_eq!(system.location_indicator_active.value(), Some(&true));
    assert_eq!(
        system.power_restore_policy,
        Some(PowerRestorePolicyTypes::AlwaysOn)
    );
    let mut secure = system.secure_boot().await.unwrap();
    done(secure.enable(true).await).await;
    done(system.reset(ResetType::On).await).await;
    secure.refresh().await.unwrap();
    assert_eq!(secure.secure_boot_enable.value(), Some(&true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_machine_are_found_by_its_links() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    let processors = system.processors().await.unwrap();
    assert_eq!(
        processors.len() as i64,
        *system
            .processor_summary
            .as_ref()
            .unwrap()
            .count
            .value()
            .unwrap()
    );
    let memory = system.memory_modules().await.unwrap();
    let mib: i64 = memory
        .iter()
        .map(|one| *one.capacity_mib.value().unwrap())
        .sum();
    let gib = system.memory_summary.as_ref().unwrap();
    assert_eq!(
        mib as f64 / 1024.0,
        *gib.total_system_memory_gib.value().unwrap()
    );
    assert!(
        system.ethernet().await.unwrap()[0]
            .mac_address
            .value()
            .is_some()
    );
    let storage = system.storages().await.unwrap().remove(0);
    let disks = storage.disks().await.unwrap();
    assert!(!disks.is_empty() && !storage.controller_list().await.unwrap().is_empty());
    storage.volume_list().await.unwrap();
    let chassis = system.stands_in().await.unwrap().remove(0);
    assert!(chassis.disks().await.unwrap().len() >= disks.len());
    let manager = system.managed_by().await.unwrap().remove(0);
    assert_eq!(manager.manages().await.unwrap()[0].uri(), system.uri());
    assert!(!manager.ethernet().await.unwrap().is_empty());
    let error = manager.list::<serde_json::Value>("/Nothing").await;
    assert_eq!(error.unwrap_err().kind, Kind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_measures_is_read_and_says_in_what() {
    let lab = Lab::open().await;
    let system = lab.system().await;
    done(system.reset(ResetType::On).await).await;
    lab.pass(120).await;
    let sensors = system.sensors().await.unwrap();
    let measured: Vec<_> = sensors.iter().filter_map(|one| one.measured()).collect();
    assert!(
        measured
            .iter()
            .any(|(value, units)| *units == "W" && *value > 0.0),
        "{measured:?}"
    );
    let mut chassis = system.stands_in().await.unwrap().remove(0);
    assert_eq!(
        chassis.sensor_readings().await.unwrap().len(),
        sensors.len()
    );
    chassis.power_readings().await.unwrap();
    chassis.thermal_readings().await.unwrap();
    chassis.power_supplies().await.unwrap();
    chassis.fans().await.unwrap();
    done(chassis.set_asset_tag("rack 7").await).await;
    done(chassis.set_indicator(true).await).await;
    chassis.refresh().await.unwrap();
    assert_eq!(
        (
            chassis.asset_tag.as_deref(),
            chassis.location_indicator_active.value()
        ),
        (Some("rack 7"), Some(&true))
    );
    let error = chassis.reset(ResetType::On).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_set_up_and_restarted() {
    let lab = Lab::open().await;
    let mut manager = lab.client.managers().await.unwrap().remove(0);
    done(manager.set_date_time("2030-05-06T07:08:09Z").await).await;
    // A clock is in no tag.
    assert!(!manager.refresh().await.unwrap());
    assert!(manager.reload().await.unwrap());
    let clock = manager.date_time.as_deref().unwrap();
    assert!(clock.starts_with("2030-05-06T07:08"), "{clock}");
    let mut network = manager.network().await.unwrap();
    done(network.set_ntp(false, &["192.0.2.1", "192.0.2.2"]).await).await;
    network.refresh().await.unwrap();
    let ntp = network.ntp.as_ref().unwrap();
    assert_eq!(json!(ntp)["NTPServers"], json!(["192.0.2.1", "192.0.2.2"]));
    assert!(!manager.logs().await.unwrap().is_empty());
    let before = manager.last_reset_time.clone();
    lab.pass(10).await;
    done(manager.reset(ResetType::GracefulRestart).await).await;
    lab.pass(600).await;
    manager.refresh().await.unwrap();
    assert_ne!(manager.last_reset_time, before);
    done(
        manager
            .reset_to_defaults(ResetToDefaultsType::PreserveNetworkAndUsers)
            .await,
    )
    .await;
    lab.pass(600).await;
    manager.reload().await.unwrap();
    let clock = manager.date_time.as_deref().unwrap();
    assert!(clock.starts_with("2026-"), "{clock}");
    let error = manager
        .reset_to_defaults(ResetToDefaultsType::ResetAll)
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Unsupported);
}
