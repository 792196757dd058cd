//! Tests of the simulator as its users meet it.

mod binary;
mod deliveries;
mod determinism;
mod faults;
mod guide;
mod wire;
