//! Tests of hawkfish-core from outside, in one binary.

mod behavior;
#[cfg(feature = "libvirt")]
mod behavior_libvirt;
mod behavior_sim;
mod bios;
mod crash;
mod deliveries;
mod fleet;
mod hostile_receivers;
mod jobs;
#[cfg(feature = "libvirt")]
mod libvirt;
#[cfg(feature = "libvirt")]
mod libvirt_disks;
mod managers;
mod media;
mod media_authorities;
mod post;
mod rig;
mod sim;
mod sim_props;
#[cfg(feature = "libvirt")]
mod stats_libvirt;
mod subscriptions;
mod systems;
mod tasks;
mod telemetry;
mod update;
mod volumes;
