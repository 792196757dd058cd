//! The time of a world, and waiting in it for what guests do: by hand, and over the control.
//!
//! | request of the control | what it does |
//! |---|---|
//! | `POST /time/freeze` | time stands still |
//! | `POST /time/thaw` | it goes on as fast as before |
//! | `POST /time/step` | time goes on to the next thing that is due, which has happened when this is answered |
//! | `POST /time/until` `{"system": "lab-00001", "phase": "Up", "within": "1h"}` | time goes on until the system is so far: see [`Until`] |
//! | `GET /systems/{system}` | how far a system is, by its name or its id: `{"power": …, "phase": …, "boots": …, "installed": …}` |
//! | `GET /consoles/{system}?since=0` | `{"text": …, "next": …}`: what was said on its console, from a number on |

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use hawkfish_core::backend::MachineKey;
use hawkfish_core::backend::sim::{GuestState, Phase, SimBackend};
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_core::inventory::machine_key;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::description;
use crate::world::{Error, World};

/// How often a condition is looked at where nothing is due.
const LOOK: SignedDuration = SignedDuration::from_secs(1);
/// How long is waited unless said.
const USUAL: SignedDuration = SignedDuration::from_hours(1);
/// The longest wait, so that a request to the control has an end.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 366);

impl World {
    /// Lets time go on until `at`; it does not go back.
    ///
    /// # Errors
    /// As [`World::advance`].
    pub async fn advance_to(&self, at: Timestamp) -> Result<(), Error> {
        let by = at.duration_since(self.now());
        self.advance(by.max(SignedDuration::ZERO)).await
    }

    /// Lets time go on to the next thing that is due, and that happen. `None` where nothing is.
    ///
    /// # Errors
    /// As [`World::advance`].
    pub async fn step(&self) -> Result<Option<Timestamp>, Error> {
        let Some(next) = self.next_due() else {
            return Ok(None);
        };
        self.advance_to(next).await?;
        Ok(Some(self.now()))
    }

    /// Lets time go on until something is so: looked at now, after each thing that was due, and each second of the world. Returns when it was so.
    ///
    /// # Errors
    /// `NotReached` when it is still not so after `within`, where time then stands; else as [`World::advance`].
    pub async fn run_until(
        &self,
        within: SignedDuration,
        mut is_so: impl AsyncFnMut(&Self) -> bool,
    ) -> Result<Timestamp, Error> {
        let end = self.now().checked_add(within).unwrap_or(Timestamp::MAX);
        loop {
            if is_so(self).await {
                return Ok(self.now());
            }
            self.to_next_look(within, end).await?;
        }
    }

    /// Lets time go on until it is worth looking again at what is waited for: until the next thing that is due has happened, a second of the world at most.
    /// For who waits in a way of their own; [`World::run_until`] is made of it. `end` is when they give up, `within` for how long they wait.
    ///
    /// # Errors
    /// `NotReached` where it is over at `end`; else as [`World::advance`].
    pub async fn to_next_look(&self, within: SignedDuration, end: Timestamp) -> Result<(), Error> {
        let now = self.now();
        if now >= end {
            return Err(Error::NotReached { within, at: now });
        }
        let look = now.checked_add(LOOK).unwrap_or(Timestamp::MAX);
        let next = self.next_due().filter(|next| *next > now);
        let next = next.unwrap_or(end).min(look).min(end);
        self.advance_to(next).await
    }

    /// Lets time go on until a system, by its name or its id, is about that.
    ///
    /// # Errors
    /// `NoSystem`; else as [`World::run_until`].
    pub async fn run_until_phase(
        &self,
        system: &str,
        phase: Phase,
        within: SignedDuration,
    ) -> Result<Timestamp, Error> {
        let end = self.now().checked_add(within).unwrap_or(Timestamp::MAX);
        while self.guest(system)?.phase != phase {
            self.to_next_look(within, end).await?;
        }
        Ok(self.now())
    }

    /// Stops time that goes by itself, until [`World::thaw`].
    pub fn freeze(&self) {
        let speed = self.clock().speed();
        if speed > 0.0 {
            self.clock().remember(speed);
            self.set_speed(0.0);
        }
    }

    /// Lets time go as fast as it did before it was frozen.
    pub fn thaw(&self) {
        if let Some(speed) = self.clock().remembered() {
            self.set_speed(speed);
        }
    }

    /// How far the guest of a system is, by its name or its id.
    ///
    /// # Errors
    /// `NoSystem`; `Core` while its rack is lost.
    pub fn guest(&self, system: &str) -> Result<GuestState, Error> {
        let (rack, key) = self.machine(system)?;
        Ok(rack.guest_state(key)?)
    }

    /// How far a system is, by its name or its id, and its power state in the words of Redfish, as the service has it.
    ///
    /// # Errors
    /// As [`World::guest`].
    pub fn far(&self, system: &str) -> Result<(GuestState, String), Error> {
        let (rack, key) = self.machine(system)?;
        let guest = rack.guest_state(key)?;
        let id = SystemId::parse(&key.to_string())?;
        let known = self.hawkfish().system(&Ctx::service(), &id)?;
        Ok((guest, format!("{:?}", known.machine.power)))
    }

    /// What was said on the console of a system since it was last started cold, by its name or its id.
    ///
    /// # Errors
    /// `NoSystem`; `Core` while its rack is lost.
    pub fn console(&self, system: &str) -> Result<String, Error> {
        Ok(self.console_since(system, 0)?.0)
    }

    /// What was said there from a number on, and the number from which to ask the next time; numbers go on over cold starts.
    ///
    /// # Errors
    /// `NoSystem`; `Core` while its rack is lost.
    pub fn console_since(&self, system: &str, since: u64) -> Result<(String, u64), Error> {
        let (rack, key) = self.machine(system)?;
        let (text, next) = rack.console_since(key, since)?;
        Ok((String::from_utf8_lossy(&text).into_owned(), next))
    }

    /// The machine of a system, by the system's name or id.
    fn machine(&self, system: &str) -> Result<(&SimBackend, MachineKey), Error> {
        let nobody = || Error::NoSystem(system.to_owned());
        for (name, rack) in self.racks() {
            let place = description::number(name, system).and_then(|n| rack.key(n - 1));
            if let Some(key) = place {
                return Ok((rack, key));
            }
        }
        let id = SystemId::parse(system).map_err(|_| nobody())?;
        let known = self.hawkfish().system(&Ctx::service(), &id);
        let known = known.map_err(|_| nobody())?;
        let rack = self.racks().get(known.host.as_str()).ok_or_else(nobody)?;
        Ok((rack, machine_key(&id)?))
    }
}

/// What is waited for: all that is said must be so.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Until {
    /// A moment.
    pub at: Option<Timestamp>,
    /// A system, by its name or its id, that the rest is about.
    pub system: Option<String>,
    /// What it is about: `Off`, `Suspended`, `Paused`, `SelfTest`, `Firmware`, `Booting`, `Installing`, `Up`, `ShuttingDown`, `Dumping`, `Panicked`, `Hung`.
    pub phase: Option<String>,
    /// Its power state, as Redfish shows it.
    pub power: Option<String>,
    /// How often it has booted at least since the world began.
    pub boots: Option<u32>,
    /// How long is waited for it, in the time of the world; an hour unless said.
    pub within: Option<SignedDuration>,
}

impl Until {
    /// Whether this can be waited for.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, world: &World) -> Result<(), String> {
        if let Some(phase) = &self.phase
            && !Phase::ALL
                .iter()
                .any(|known| format!("{known:?}") == *phase)
        {
            return Err(format!("there is no phase {phase:?}"));
        }
        let powers = ["On", "Off", "PoweringOn", "PoweringOff", "Paused"];
        if let Some(power) = &self.power
            && !powers.contains(&power.as_str())
        {
            return Err(format!("there is no power state {power:?}"));
        }
        let is_about_system = self.phase.is_some() || self.power.is_some() || self.boots.is_some();
        match &self.system {
            Some(system) => {
                world.guest(system).map_err(|error| error.to_string())?;
                if !is_about_system {
                    return Err("what of the system: phase, power, or boots?".to_owned());
                }
            }
            None if is_about_system => return Err("of which system?".to_owned()),
            None if self.at.is_none() => return Err("until what?".to_owned()),
            None => {}
        }
        match self.within {
            Some(within) if within.is_negative() || within > LONGEST => {
                Err("within is 0 to 366 days".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Whether it is so now.
    #[must_use]
    pub fn holds(&self, world: &World) -> bool {
        let of_system = |system: &String| {
            let Ok((guest, power)) = world.far(system) else {
                return false;
            };
            let phase = self.phase.as_ref();
            phase.is_none_or(|phase| format!("{:?}", guest.phase) == *phase)
                && self.power.as_ref().is_none_or(|wanted| *wanted == power)
                && self.boots.is_none_or(|boots| guest.boots >= boots)
        };
        self.at.is_none_or(|at| world.now() >= at) && self.system.as_ref().is_none_or(of_system)
    }
}

fn shown(world: &World, system: &str) -> Result<Value, Error> {
    let (guest, power) = world.far(system)?;
    Ok(json!({
        "power": power,
        "phase": format!("{:?}", guest.phase),
        "boots": guest.boots,
        "installed": guest.installed,
    }))
}

/// What the control has of this.
pub(crate) fn routes() -> Router<World> {
    Router::new()
        .route("/time/freeze", post(freeze))
        .route("/time/thaw", post(thaw))
        .route("/time/step", post(step))
        .route("/time/until", post(until))
        .route("/systems/{system}", get(system))
        .route("/consoles/{system}", get(console))
}

fn refusal(status: StatusCode, why: impl std::fmt::Display) -> Response {
    (status, Json(json!({"error": why.to_string()}))).into_response()
}

fn failed(error: &Error) -> Response {
    let status = match error {
        Error::NoSystem(_) => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    refusal(status, error)
}

fn now(world: &World) -> Response {
    Json(json!({"now": world.now(), "speed": world.clock().speed()})).into_response()
}

async fn freeze(State(world): State<World>) -> Response {
    world.freeze();
    now(&world)
}

async fn thaw(State(world): State<World>) -> Response {
    world.thaw();
    now(&world)
}

async fn step(State(world): State<World>) -> Response {
    match world.step().await {
        Ok(at) => Json(json!({"now": world.now(), "stepped": at.is_some()})).into_response(),
        Err(error) => failed(&error),
    }
}

async fn until(State(world): State<World>, body: Bytes) -> Response {
    let until: Until = match serde_json::from_slice(&body) {
        Ok(until) => until,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, error),
    };
    if let Err(why) = until.check(&world) {
        return refusal(StatusCode::BAD_REQUEST, why);
    }
    if world.clock().speed() > 0.0 {
        let why = "time goes by itself: freeze it first";
        return refusal(StatusCode::CONFLICT, why);
    }
    let from_now = until.at.map_or(USUAL, |at| at.duration_since(world.now()));
    let within = until.within.unwrap_or(from_now.clamp(USUAL, LONGEST));
    let began = world.now();
    let mut happened: Vec<Value> = Vec::new();
    let end = began.checked_add(within).unwrap_or(Timestamp::MAX);
    let reached = loop {
        if let Some(system) = &until.system
            && let Ok(mut seen) = shown(&world, system)
        {
            let is_new = happened.last().is_none_or(|last| {
                let mut last = last.clone();
                last.as_object_mut().map(|last| last.remove("at"));
                last != seen
            });
            if is_new {
                seen["at"] = json!(world.now());
                happened.push(seen);
            }
        }
        if until.holds(&world) {
            break true;
        }
        match world.to_next_look(within, end).await {
            Ok(()) => {}
            Err(Error::NotReached { .. }) => break false,
            Err(error) => return failed(&error),
        }
    };
    let waited = world.now().duration_since(began).as_secs_f64();
    Json(json!({
        "reached": reached,
        "now": world.now(),
        "waited_seconds": waited,
        "happened": happened,
    }))
    .into_response()
}

async fn system(State(world): State<World>, Path(system): Path<String>) -> Response {
    match shown(&world, &system) {
        Ok(shown) => Json(shown).into_response(),
        Err(error) => failed(&error),
    }
}

/// From where on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Since {
    since: u64,
}

async fn console(
    State(world): State<World>,
    Path(system): Path<String>,
    Query(from): Query<Since>,
) -> Response {
    match world.console_since(&system, from.since) {
        Ok((text, next)) => Json(json!({"text": text, "next": next})).into_response(),
        Err(error) => failed(&error),
    }
}
