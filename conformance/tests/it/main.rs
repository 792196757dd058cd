//! The cases against the simulator, against services with one defect each, and the shape of the workspace.

mod arrows;
mod client;
mod defects;
mod program;
mod simulator;
