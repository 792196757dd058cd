//! Tests of the simulator as its users meet it.

mod deliveries;
mod determinism;
mod faults;
mod wire;
