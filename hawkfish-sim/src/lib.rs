//! The deterministic BMC simulator, as a library for tests.
