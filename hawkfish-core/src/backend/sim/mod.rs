//! The simulator: machines that are a function of the clock.
