//! Tests of the simulator as its users meet it.

mod determinism;
mod faults;
