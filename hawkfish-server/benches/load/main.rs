//! What HawkFish costs, against a bare axum handler that answers the same constant bytes with the same headers, in the same run.
//!
//! `cargo bench -p hawkfish-server --bench load`, with `-- --rounds N --millis N --systems N --only WORD` to change how much of it.
//!
//! Each server is a process of its own (this program again), so that what its processor time says is the server's alone. The two are asked in turn,
//! round by round, and what is printed are medians over the rounds: on a machine that others use, only what was measured in the same minute compares.
//! Over TCP it is keep-alive on loopback without TLS. In process it is the service called without a socket, on one thread.

mod client;
mod control;
mod server;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::client::{Measured, Shot, Until};
use crate::control::{Answer, EXPANDED, Kind, Order, Server};

/// As in the server itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for on the command line.
#[derive(Clone, Debug)]
struct Wanted {
    rounds: usize,
    time: Duration,
    systems: usize,
    only: Option<String>,
}

/// A column of the comparison.
const SERVERS: [Kind; 2] = [Kind::HawkFish, Kind::Axum];
const MANY: usize = 256;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = Wanted {
        rounds: 5,
        time: Duration::from_millis(700),
        systems: 1000,
        only: None,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage(&argument));
        match argument.as_str() {
            // cargo says so to every benchmark.
            "--bench" => {}
            // A test runner that looks for tests finds none.
            "--list" | "--test" => return,
            "--rounds" => wanted.rounds = number(&value()),
            "--millis" => wanted.time = Duration::from_millis(number(&value()) as u64),
            "--systems" => wanted.systems = number(&value()).max(MANY),
            "--only" => wanted.only = Some(value()),
            "serve" => return server::run(&value()),
            other => usage(other),
        }
    }
    compare(&wanted);
}

fn number(text: &str) -> usize {
    match text.parse() {
        Ok(number) if number > 0 => number,
        _ => usage(text),
    }
}

fn usage(what: &str) -> ! {
    eprintln!("load: {what}? It takes --rounds N --millis N --systems N --only WORD");
    std::process::exit(2)
}

/// A row of the table.
struct Case {
    name: &'static str,
    /// What each connection asks, again and again.
    connections: Vec<Vec<Shot>>,
    until: Until,
    /// Whether every system is changed before each round, so that nothing can be answered from memory.
    changed: bool,
    /// Whether the calls are made without a socket.
    in_process: bool,
}

fn compare(wanted: &Wanted) {
    let hawkfish = Server::start(Kind::HawkFish, wanted.systems);
    let token = hawkfish.log_in();
    let systems = hawkfish.systems(&token);
    let tree = hawkfish.tree(&token, &systems[0]);
    eprintln!("load: {} URIs in the tree of one system", tree.len());
    let cases: Vec<Case> = cases(&token, &systems, &tree, wanted)
        .into_iter()
        .filter(|case| {
            wanted
                .only
                .as_ref()
                .is_none_or(|word| case.name.contains(word.as_str()))
        })
        .collect();
    let mut axum = Server::start(Kind::Axum, wanted.systems);
    axum.order(&Order::Constants(hawkfish.constants(&token, &systems[0])));
    let mut servers = BTreeMap::from([(Kind::HawkFish, hawkfish), (Kind::Axum, axum)]);
    let mut results: BTreeMap<(usize, Kind), Vec<Measured>> = BTreeMap::new();
    for round in 0..=wanted.rounds {
        for (number, case) in cases.iter().enumerate() {
            for kind in SERVERS {
                let server = servers.get_mut(&kind).expect("both are there");
                let measured = server.measure(case);
                // The first round warms up.
                if round > 0 {
                    results.entry((number, kind)).or_default().push(measured);
                }
            }
        }
        eprintln!("load: round {round} of {}", wanted.rounds);
    }
    for (number, case) in cases.iter().enumerate() {
        table::row(
            number,
            case.name,
            &results[&(number, Kind::HawkFish)],
            &results[&(number, Kind::Axum)],
        );
    }
    commits(&mut servers, wanted);
}

/// What a row in the database costs by itself: the floor under every change.
fn commits(servers: &mut BTreeMap<Kind, Server>, wanted: &Wanted) {
    if wanted.only.is_some() {
        return;
    }
    let server = servers.get_mut(&Kind::HawkFish).expect("it is there");
    for producers in [1, MANY] {
        let rounds: Vec<Measured> = (0..wanted.rounds)
            .map(|_| {
                let millis = wanted.time.as_millis() as u64;
                match server.order(&Order::Commits { producers, millis }) {
                    Answer::Measured(measured) => measured,
                    other => panic!("{other:?}"),
                }
            })
            .collect();
        table::alone(
            &format!("one row, committed, {producers} at a time"),
            &rounds,
        );
    }
}

fn cases(token: &str, systems: &[String], tree: &[String], wanted: &Wanted) -> Vec<Case> {
    let get = |uri: &str| Shot::get(uri, token);
    let system = |at: usize| vec![get(&systems[at % systems.len()])];
    let reset = |at: usize| {
        let uri = &systems[at % systems.len()];
        vec![
            Shot::reset(uri, "On", token),
            Shot::reset(uri, "ForceOff", token),
        ]
    };
    let time = Until::Time(wanted.time);
    let tcp = |name, connections, until| Case {
        name,
        connections,
        until,
        changed: false,
        in_process: false,
    };
    let many = |of: &dyn Fn(usize) -> Vec<Shot>| (0..MANY).map(of).collect::<Vec<_>>();
    let all = || vec![systems.iter().map(|uri| get(uri)).collect::<Vec<_>>()];
    let collection = |_| vec![get("/redfish/v1/Systems")];
    let expanded = || vec![get(EXPANDED)];
    let walk = || tree.iter().map(|uri| get(uri)).collect::<Vec<_>>();
    let called = |case: Case| Case {
        in_process: true,
        ..case
    };
    let afresh = |case: Case| Case {
        changed: true,
        until: Until::Once,
        ..case
    };
    vec![
        tcp("GET System, 1 connection", vec![system(0)], time),
        tcp("GET System, 256 connections", many(&system), time),
        called(tcp("GET System, in process", vec![system(0)], time)),
        afresh(tcp("first GET after a change, 1 connection", all(), time)),
        called(afresh(tcp(
            "first GET after a change, in process",
            all(),
            time,
        ))),
        tcp("GET Systems, 1 connection", vec![collection(0)], time),
        tcp("GET Systems, 256 connections", many(&collection), time),
        called(tcp("GET Systems, in process", vec![collection(0)], time)),
        tcp("GET Systems expanded, 1 connection", vec![expanded()], time),
        called(tcp(
            "GET Systems expanded, in process",
            vec![expanded()],
            time,
        )),
        tcp("walk of a tree, 1 connection", vec![walk()], time),
        called(tcp("walk of a tree, in process", vec![walk()], time)),
        tcp("Reset, 1 connection", vec![reset(0)], time),
        tcp("Reset, 256 connections", many(&reset), time),
        called(tcp("Reset, in process", vec![reset(0)], time)),
    ]
}
