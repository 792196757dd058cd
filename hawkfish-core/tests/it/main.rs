//! Tests of hawkfish-core from outside, in one binary.

mod behavior;
mod behavior_sim;
mod sim;
mod sim_props;
