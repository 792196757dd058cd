//! Simulated BMCs in this process.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use hawkfish_core::ctx::Ctx;
use hawkfish_sim::fault::Rule;
use hawkfish_sim::time::Until;
use hawkfish_sim::{Description, Error, Served, World};
use jiff::{SignedDuration, Timestamp};
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::{Call, Failure, Plain};
use crate::errors::named;
use crate::runtime::wait;

impl Failure for Error {
    fn raised(self, py: Python<'_>) -> PyErr {
        failed(py, &self)
    }
}

#[pyclass(frozen, module = "hawkfish._native")]
pub(crate) struct Simulator {
    world: World,
    address: SocketAddr,
    url: String,
    tls: Option<(String, [u8; 32])>,
    // Taken when it is closed.
    served: Mutex<Option<Served>>,
    process: u32,
}

#[pymethods]
impl Simulator {
    #[new]
    fn new(
        py: Python<'_>,
        description: &[u8],
        systems: usize,
        speed: f64,
        listen: &str,
        tls: bool,
        traced: bool,
    ) -> PyResult<Self> {
        let text = std::str::from_utf8(description).map_err(value_error)?;
        let description = Description::from_json(text).map_err(value_error)?;
        let listen: SocketAddr = listen.parse().map_err(value_error)?;
        if !(0.0..=hawkfish_sim::clock::MOST_SPEED).contains(&speed) {
            return Err(value_error("a speed is 0 to 1,000,000"));
        }
        let begun = wait(py, async {
            let world = World::builder()
                .systems(systems)
                .describe(description)
                .traced(traced)
                .reported(traced);
            let world = world.start().await.map_err(Begun::World)?;
            if speed > 0.0 {
                world.clock().set_speed(speed);
                world.start_running();
            }
            let tls = match tls {
                true => Some(world.tls(&[listen.ip().to_string()]).map_err(Begun::Io)?),
                false => None,
            };
            let shown = tls
                .as_ref()
                .map(|tls| (tls.authority.clone(), tls.fingerprint));
            let served = world.serve_with(listen, tls.map(|tls| tls.config)).await;
            Ok((world, served.map_err(Begun::Io)?, shown))
        })?;
        let (world, served, tls) = begun.map_err(|error| match error {
            Begun::World(error) => failed(py, &error),
            Begun::Io(error) => PyOSError::new_err(format!("cannot listen on {listen}: {error}")),
        })?;
        Ok(Self {
            address: served.address,
            url: served.url(),
            tls,
            world,
            served: Mutex::new(Some(served)),
            process: std::process::id(),
        })
    }

    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    #[getter]
    fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate of its authority, PEM.
    #[getter]
    fn authority(&self) -> Option<&str> {
        self.tls.as_ref().map(|(authority, _)| authority.as_str())
    }

    /// The SHA-256 of the certificate that it shows.
    #[getter]
    fn fingerprint<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let tls = self.tls.as_ref();
        tls.map(|(_, fingerprint)| PyBytes::new(py, fingerprint))
    }

    /// The time in the world, RFC 3339.
    #[getter]
    fn now(&self) -> String {
        self.world.now().to_string()
    }

    /// The names of all systems.
    fn systems(&self) -> Vec<String> {
        let systems = self.world.hawkfish().systems(&Ctx::service());
        let names = systems.iter().map(|system| system.machine.name.to_string());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Name and URL of the BMC of each system.
    fn faces(&self) -> Vec<(String, String)> {
        let faces = self.world.faces(0, usize::MAX).into_iter();
        faces
            .filter_map(|face| Some((face.name, face.url?)))
            .collect()
    }

    fn advance(&self, seconds: f64) -> PyResult<Call> {
        let (world, by) = (self.own()?, span(seconds)?);
        Ok(Call::of(async move { world.advance(by).await }))
    }

    fn advance_to(&self, at: &str) -> PyResult<Call> {
        let (world, at) = (self.own()?, moment(at)?);
        if at < world.now() {
            return Err(value_error("time does not go back"));
        }
        Ok(Call::of(async move { world.advance_to(at).await }))
    }

    /// The moment of the next thing that was due; none where nothing was.
    fn step(&self) -> PyResult<Call> {
        let world = self.own()?;
        Ok(Call::of(async move {
            let at = world.step().await?;
            Ok::<_, Error>(Plain(at.map(|at| at.to_string())))
        }))
    }

    /// When a wait from now on is given up.
    fn deadline(&self, within: f64) -> PyResult<String> {
        let end = self.world.now().checked_add(span(within)?);
        Ok(end.unwrap_or(Timestamp::MAX).to_string())
    }

    /// Lets time go on until it is worth looking again.
    fn look(&self, within: f64, end: &str) -> PyResult<Call> {
        let (world, within, end) = (self.stands()?, span(within)?, moment(end)?);
        Ok(Call::of(
            async move { world.to_next_look(within, end).await },
        ))
    }

    fn until(&self, until: &[u8], within: f64) -> PyResult<Call> {
        let (world, within) = (self.stands()?, span(within)?);
        let until: Until = serde_json::from_slice(until).map_err(value_error)?;
        until.check(&world).map_err(value_error)?;
        let end = world.now().checked_add(within).unwrap_or(Timestamp::MAX);
        Ok(Call::of(async move {
            while !until.holds(&world) {
                world.to_next_look(within, end).await?;
            }
            Ok::<_, Error>(())
        }))
    }

    /// Power state, phase, boots, installed.
    fn guest(&self, py: Python<'_>, system: &str) -> PyResult<(String, String, u32, bool)> {
        let far = self.own()?.far(system);
        let (guest, power) = far.map_err(|error| failed(py, &error))?;
        let phase = format!("{:?}", guest.phase);
        Ok((power, phase, guest.boots, guest.installed))
    }

    /// What was said on the console of a system from a number on, and the next number.
    fn console(&self, py: Python<'_>, system: &str, since: u64) -> PyResult<(String, u64)> {
        let said = self.own()?.console_since(system, since);
        said.map_err(|error| failed(py, &error))
    }

    /// Has something happen to a machine now, by a rule that then goes.
    fn happen(&self, py: Python<'_>, system: &str, rule: &[u8]) -> PyResult<Call> {
        let world = self.own()?;
        world.guest(system).map_err(|error| failed(py, &error))?;
        let rule: Rule = serde_json::from_slice(rule).map_err(value_error)?;
        Ok(Call::of(async move {
            let name = rule.name.clone();
            world.set_fault(rule)?;
            let went_on = world.advance(SignedDuration::ZERO).await;
            world.clear_fault(&name);
            went_on
        }))
    }

    fn put_fault(&self, rule: &[u8]) -> PyResult<()> {
        let rule: Rule = serde_json::from_slice(rule).map_err(value_error)?;
        self.own()?.set_fault(rule).map_err(value_error)
    }

    fn put_preset(&self, name: &str) -> PyResult<Vec<String>> {
        let world = self.own()?;
        let preset = hawkfish_sim::fault::preset(name)
            .ok_or_else(|| value_error(format!("there is no fault called {name:?}")))?;
        let mut names = Vec::new();
        for rule in preset.rules() {
            names.push(rule.name.clone());
            world.set_fault(rule).map_err(value_error)?;
        }
        Ok(names)
    }

    fn clear_fault(&self, name: &str) -> PyResult<bool> {
        Ok(self.own()?.clear_fault(name))
    }

    fn fired(&self, name: &str) -> Option<u64> {
        self.world.fired(name)
    }

    fn trace<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let trace = py.detach(|| self.world.trace().to_string());
        PyBytes::new(py, trace.as_bytes())
    }

    fn report<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let report = py.detach(|| serde_json::to_vec(&self.world.report()));
        let report = report.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &report))
    }

    /// Ends it; true if it was not ended before.
    fn close(&self) -> Call {
        let (world, served) = (self.world.clone(), self.taken());
        Call::of(async move {
            let Some(served) = served else {
                return Ok::<_, Error>(Plain(false));
            };
            let ended = served.end().await;
            world.close().await?;
            let ended = ended.map_err(|error| {
                hawkfish_core::Error::internal("Its listener broke.").caused_by(error)
            });
            Ok(ended.map(|()| Plain(true))?)
        })
    }
}

/// Why it could not begin.
enum Begun {
    World(Error),
    Io(std::io::Error),
}

impl Simulator {
    /// The world, where it is of this process.
    fn own(&self) -> PyResult<World> {
        if self.process == std::process::id() {
            return Ok(self.world.clone());
        }
        Err(PyRuntimeError::new_err(
            "this simulator was made before the process forked and lives in the parent; reach it by its url, or make a new one in the child",
        ))
    }

    /// The world, where its time stands until it is moved.
    fn stands(&self) -> PyResult<World> {
        let world = self.own()?;
        if world.clock().speed() > 0.0 {
            return Err(PyRuntimeError::new_err(
                "time goes by itself here: nobody can run it until something is so",
            ));
        }
        Ok(world)
    }

    /// What is to be ended, if that is still to be done, and by this process.
    fn taken(&self) -> Option<Served> {
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let served = served.take()?;
        if self.process == std::process::id() {
            return Some(served);
        }
        // It lives on in the parent; what is here has no threads that could end it.
        std::mem::forget(served);
        None
    }
}

fn span(seconds: f64) -> PyResult<SignedDuration> {
    let span = SignedDuration::try_from_secs_f64(seconds).map_err(value_error)?;
    if span.is_negative() {
        return Err(value_error("time does not go back"));
    }
    Ok(span)
}

fn moment(text: &str) -> PyResult<Timestamp> {
    text.parse().map_err(value_error)
}

fn failed(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Fault(_)
        | Error::Description(_)
        | Error::NoSystem(_)
        | Error::Capture(_)
        | Error::Replay(_) => value_error(error),
        Error::NotReached { .. } => named(py, "TimedOut", &error.to_string()),
        _ => PyRuntimeError::new_err(error.to_string()),
    }
}

fn value_error(error: impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Name and meaning of each fault that has a name.
#[pyfunction]
pub(crate) fn presets() -> Vec<(&'static str, &'static str)> {
    hawkfish_sim::fault::PRESETS
        .iter()
        .map(|preset| (preset.name, preset.about))
        .collect()
}
