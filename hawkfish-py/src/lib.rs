//! `hawkfish._native`: what the Python package `hawkfish` is made of. Private; the package in `python/hawkfish` is the interface.
//!
//! JSON crosses as bytes: Python's own `json` makes its objects faster than we could from here.

mod call;
mod client;
mod errors;
mod runtime;
mod server;
mod simulator;
mod task;
mod validate;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("HAS_LIBVIRT", cfg!(feature = "libvirt"))?;
    module.add_function(wrap_pyfunction!(validate::validate, module)?)?;
    module.add_function(wrap_pyfunction!(simulator::presets, module)?)?;
    module.add_function(wrap_pyfunction!(server::serve, module)?)?;
    module.add_class::<call::Call>()?;
    module.add_class::<call::Flow>()?;
    module.add_class::<client::Client>()?;
    module.add_class::<server::Server>()?;
    module.add_class::<task::Task>()?;
    module.add_class::<simulator::Simulator>()
}
