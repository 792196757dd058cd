//! Which face a request is for, and where each face is. Nothing is kept for a face: what it takes is found from its name.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use hawkfish_core::backend::sim::SimBackend;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::id::SystemId;
use hawkfish_core::inventory::{System, system_id};
use hawkfish_server::face::Face as Shown;
use http::Request;
use http::header::HOST;
use serde::Serialize;

use super::{Face, Faces};
use crate::description::{Called, Template, number};
use crate::world::World;

/// Where a face is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaceAt {
    /// The name of its system.
    pub name: String,
    /// The id of its system.
    pub system: SystemId,
    /// What stands in front of `/redfish/v1/`, without a slash at its end; absent while the world is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Where a world is served.
#[derive(Debug)]
struct Where {
    address: SocketAddr,
    is_tls: bool,
    /// The ports of the faces, in the order of the systems.
    ports: Vec<u16>,
}

/// How the faces of a world are reached.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) faces: Option<Faces>,
    /// The racks with how many systems each has, in the order in which faces are listed.
    racks: Vec<(String, usize)>,
    served: OnceLock<Where>,
}

/// Whom a request is for.
pub(crate) enum Asked {
    Fleet,
    Face(Arc<Face>),
    /// There is no such face.
    Nobody,
}

impl Plan {
    pub(crate) fn new(faces: Option<Faces>, racks: Vec<(String, usize)>) -> Self {
        Self {
            faces,
            racks,
            served: OnceLock::new(),
        }
    }

    /// Where it is served. Only the first word counts.
    pub(crate) fn serve(&self, address: SocketAddr, is_tls: bool, ports: Vec<u16>) {
        let at = Where {
            address,
            is_tls,
            ports,
        };
        let _ = self.served.set(at);
    }

    /// The host names of the faces, as a certificate names them.
    pub(crate) fn names(&self) -> Vec<String> {
        match &self.faces {
            Some(Faces::Host { host }) => {
                let template = Template::of(host);
                template.iter().map(Template::wildcard).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many faces there are beside the fleet's.
    pub(crate) fn count(&self) -> usize {
        match self.faces {
            Some(_) => self.racks.iter().map(|(_, systems)| systems).sum(),
            None => 0,
        }
    }

    fn url(&self, place: usize, system: &System) -> Option<String> {
        let served = self.served.get()?;
        let Where {
            address, is_tls, ..
        } = served;
        let scheme = if *is_tls { "https" } else { "http" };
        let called = |template: &Template<'_>| match template.called {
            Called::Name => template.with(&system.machine.name),
            Called::Id => template.with(system.id.as_str()),
        };
        match self.faces.as_ref()? {
            Faces::Port { .. } => {
                let port = *served.ports.get(place)?;
                Some(format!(
                    "{scheme}://{}",
                    SocketAddr::new(address.ip(), port)
                ))
            }
            Faces::Host { host } => {
                let host = called(&Template::of(host)?);
                Some(format!("{scheme}://{host}:{}", address.port()))
            }
            Faces::Prefix { prefix } => Some(format!(
                "{scheme}://{address}{}",
                called(&Template::of(prefix)?)
            )),
        }
    }
}

impl World {
    /// The system at a place in the order of all systems: rack by rack, in the order of their names.
    fn system_at(&self, mut place: usize) -> Option<Arc<System>> {
        for (rack, systems) in &self.plan().racks {
            if place < *systems {
                return self.system_in(self.racks().get(rack)?, place);
            }
            place -= systems;
        }
        None
    }

    fn system_in(&self, rack: &SimBackend, place: usize) -> Option<Arc<System>> {
        let id = system_id(rack.key(place)?);
        self.hawkfish().system(&Ctx::service(), &id).ok()
    }

    /// The system of a name, in whatever letters.
    pub(crate) fn system_named(&self, name: &str) -> Option<Arc<System>> {
        let name = name.to_ascii_lowercase();
        let mut all = self.racks().iter().filter_map(|(rack, backend)| {
            let place = number(&rack.to_ascii_lowercase(), &name)? - 1;
            self.system_in(backend, place)
        });
        all.find(|system| system.machine.name.eq_ignore_ascii_case(&name))
    }

    fn system_called(&self, text: &str, called: Called) -> Option<Arc<System>> {
        match called {
            Called::Name => self.system_named(text),
            Called::Id => {
                let id = SystemId::parse(text).ok()?;
                self.hawkfish().system(&Ctx::service(), &id).ok()
            }
        }
    }

    /// The face of a system, by its name or its id, as it is without a socket: with nothing in front of its paths.
    #[must_use]
    pub fn face(&self, system: &str) -> Option<Face> {
        let found = self
            .system_named(system)
            .or_else(|| self.system_called(system, Called::Id))?;
        Some(plain(&found))
    }

    /// Where faces are, from the one with number `from`, counting from 0, at most so many. None where the description makes no faces.
    #[must_use]
    pub fn faces(&self, from: usize, most: usize) -> Vec<FaceAt> {
        let end = self.face_count().min(from.saturating_add(most));
        let all = (from..end).filter_map(|place| {
            let system = self.system_at(place)?;
            Some(FaceAt {
                name: system.machine.name.clone(),
                system: system.id.clone(),
                url: self.plan().url(place, &system),
            })
        });
        all.collect()
    }

    /// How many faces there are beside that of the fleet.
    #[must_use]
    pub fn face_count(&self) -> usize {
        self.plan().count()
    }

    /// The face of the system at a place, for a port.
    pub(crate) fn face_at(&self, place: usize) -> Option<Face> {
        self.system_at(place).map(|system| plain(&system))
    }

    /// Whom a request at the fleet's address is for, and the request as that takes it.
    pub(crate) fn asked(&self, request: Request<Body>) -> (Asked, Request<Body>) {
        match &self.plan().faces {
            None | Some(Faces::Port { .. }) => (Asked::Fleet, request),
            Some(Faces::Host { host }) => {
                let found = Template::of(host).and_then(|template| {
                    let called = template.in_host(named(&request)?)?;
                    Some((template.called, called))
                });
                let Some((called, text)) = found else {
                    return (Asked::Fleet, request);
                };
                let face = self.system_called(&text, called);
                let face = face.map(|system| Asked::Face(Arc::new(plain(&system))));
                (face.unwrap_or(Asked::Nobody), request)
            }
            Some(Faces::Prefix { prefix }) => self.below(prefix, request),
        }
    }

    fn below(&self, prefix: &str, request: Request<Body>) -> (Asked, Request<Body>) {
        let path = request.uri().path();
        let found = Template::of(prefix).and_then(|template| {
            let (called, length) = template.in_path(path)?;
            Some((self.system_called(called, template.called), length))
        });
        let Some((system, length)) = found else {
            return (Asked::Fleet, request);
        };
        let face = system.and_then(|system| {
            let shown = Shown::below(system.id.clone(), &path[..length]).ok()?;
            Some(Face::of(&*system.machine.name, shown))
        });
        let Some(face) = face else {
            return (Asked::Nobody, request);
        };
        match face.prefixed().map(|shown| shown.enter(request)) {
            Some(Some(request)) => (Asked::Face(Arc::new(face)), request),
            _ => (Asked::Nobody, Request::new(Body::empty())),
        }
    }
}

fn plain(system: &System) -> Face {
    Face::of(&*system.machine.name, Shown::of(system.id.clone()))
}

/// The host that a request names, without a port.
fn named(request: &Request<Body>) -> Option<&str> {
    let host = match request.uri().host() {
        Some(host) => host,
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    host.split(':').next()
}
