//! Between the side that asks and a server: orders go in as lines of JSON, answers come out as lines of JSON.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Case;
use crate::client::{self, Load, Measured, Shot, Until, Wire};

/// Password of the one account.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Every system in one answer.
pub(crate) const EXPANDED: &str = "/redfish/v1/Systems?$expand=.";

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    HawkFish,
    Axum,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::HawkFish => "hawkfish",
            Self::Axum => "axum",
        }
    }
}

/// What a bare server answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Constant {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The constants of a bare server.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Constants {
    pub(crate) system: Constant,
    pub(crate) systems: Constant,
    pub(crate) expanded: Constant,
    pub(crate) reset: Constant,
}

/// What a server is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// This many systems.
    Systems(usize),
    /// Answer that.
    Constants(Constants),
    /// How much processor time so far?
    Cpu,
    /// Change every system to something that it never was.
    Change,
    /// Call the service without a socket.
    Call { shots: Vec<Shot>, until: Until },
    /// Commit single rows.
    Commits { producers: usize, millis: u64 },
}

/// What it says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Listening(SocketAddr),
    Cpu(Duration),
    Measured(Measured),
}

/// A server in a process of its own; it ends with its standard input.
pub(crate) struct Server {
    kind: Kind,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    pub(crate) fn start(kind: Kind, systems: usize) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .args(["serve", kind.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What it logs costs what it costs; nobody reads it here.
            .stderr(match std::env::var_os("LOAD_STDERR") {
                Some(_) => Stdio::inherit(),
                None => Stdio::null(),
            })
            .spawn()
            .expect("a server");
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut server = Self {
            kind,
            child,
            orders,
            answers,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        match server.order(&Order::Systems(systems)) {
            Answer::Listening(address) => server.address = address,
            other => panic!("{other:?}"),
        }
        server
    }

    pub(crate) fn order(&mut self, order: &Order) -> Answer {
        let mut line = serde_json::to_vec(order).expect("an order");
        line.push(b'\n');
        let orders = self.orders.as_mut().expect("not ended");
        orders.write_all(&line).expect("a server that runs");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the {} server: {error}: {line}", self.kind.word()))
    }

    fn cpu(&mut self) -> Duration {
        match self.order(&Order::Cpu) {
            Answer::Cpu(cpu) => cpu,
            other => panic!("{other:?}"),
        }
    }

    /// A session's token.
    pub(crate) fn log_in(&self) -> String {
        let body = format!(r#"{{"UserName":"admin","Password":"{PASSWORD}"}}"#);
        let shot = Shot::post("/redfish/v1/SessionService/Sessions", "", body, 201);
        let (headers, _) = Wire::open(self.address).whole(&shot);
        let token = headers.into_iter().find(|(name, _)| name == "x-auth-token");
        token.expect("a token").1
    }

    /// The URIs of all systems.
    pub(crate) fn systems(&self, token: &str) -> Vec<String> {
        let (_, body) = Wire::open(self.address).whole(&Shot::get("/redfish/v1/Systems", token));
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let members = body["Members"].as_array().expect("members");
        let uri = |member: &serde_json::Value| member["@odata.id"].as_str().map(str::to_owned);
        members.iter().filter_map(uri).collect()
    }

    /// Every URI that the root leads to, of one system alone.
    pub(crate) fn tree(&self, token: &str, system: &str) -> Vec<String> {
        let id = system.rsplit('/').next().expect("a URI");
        let elsewhere = |uri: &str| {
            ["Systems", "Chassis", "Managers"].iter().any(|set| {
                let member = uri
                    .strip_prefix("/redfish/v1/")
                    .and_then(|uri| uri.strip_prefix(set));
                let member = member.and_then(|uri| uri.strip_prefix('/'));
                member.is_some_and(|member| member.split('/').next() != Some(id))
            })
        };
        let mut wire = Wire::open(self.address);
        let mut seen = vec!["/redfish/v1".to_owned()];
        let mut at = 0;
        while let Some(uri) = seen.get(at) {
            at += 1;
            let (_, body) = wire.whole(&Shot::get(uri, token));
            // Documents that are no resources lead nowhere.
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let mut found = Vec::new();
            links(&body, &mut found);
            for uri in found {
                if !elsewhere(&uri) && !seen.contains(&uri) {
                    seen.push(uri);
                }
            }
        }
        seen
    }

    /// What a bare server is to answer: what this one does.
    pub(crate) fn constants(&self, token: &str, system: &str) -> Constants {
        let mut wire = Wire::open(self.address);
        let mut of = |shot: &Shot| {
            let (mut headers, body) = wire.whole(shot);
            // These the server under every service puts in by itself.
            headers.retain(|(name, _)| name != "date" && name != "content-length");
            Constant {
                headers,
                body: String::from_utf8(body).expect("text"),
            }
        };
        let constants = Constants {
            system: of(&Shot::get(system, token)),
            systems: of(&Shot::get("/redfish/v1/Systems", token)),
            expanded: of(&Shot::get(EXPANDED, token)),
            reset: of(&Shot::reset(system, "On", token)),
        };
        of(&Shot::reset(system, "ForceOff", token));
        constants
    }

    pub(crate) fn measure(&mut self, case: &Case) -> Measured {
        if case.changed && self.kind == Kind::HawkFish {
            self.order(&Order::Change);
        }
        if case.in_process {
            let order = Order::Call {
                shots: case.connections.concat(),
                until: case.until,
            };
            return match self.order(&order) {
                Answer::Measured(measured) => measured,
                other => panic!("{other:?}"),
            };
        }
        let load = Load {
            connections: &case.connections,
            until: case.until,
        };
        let before = self.cpu();
        let (latencies, took) = client::fire(self.address, &load);
        let cpu = self.cpu() - before;
        Measured::of(latencies, took, cpu)
    }
}

/// The resources that a body links to.
fn links(body: &serde_json::Value, found: &mut Vec<String>) {
    match body {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                match value.as_str().filter(|_| name == "@odata.id") {
                    Some(uri) if !uri.contains('#') => {
                        found.push(uri.trim_end_matches('/').to_owned())
                    }
                    Some(_) => {}
                    None => links(value, found),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| links(item, found)),
        _ => {}
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.orders.take());
        // It ends with its input; nothing is left to do if it does not.
        let _ = self.child.wait();
    }
}
