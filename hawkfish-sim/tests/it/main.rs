//! Tests of the simulator as its users meet it.

mod bench;
mod binary;
mod deliveries;
mod determinism;
mod faces;
mod fault_tables;
mod faults;
mod faults_bmc;
mod faults_events;
mod faults_machine;
mod faults_together;
mod faults_wire;
mod faults_work;
mod guests;
mod guide;
mod model;
mod presets;
mod profiles;
mod random_worlds;
mod record;
mod replay;
mod report;
mod scale;
mod time;
mod trace;
mod wire;
