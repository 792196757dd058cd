//! What a stream of events costs, against a bare axum handler that sends the same bytes from a broadcast channel, in the same run.
//!
//! `cargo bench -p hawkfish-server --bench events`, with `-- --streams N --rate N --millis N --rounds N --tls yes` to change how much of it.
//!
//! The server is a process of its own (this program again), so that what its processor time and its memory say is the server's alone; this process reads. Events
//! are real ones: each is submitted, committed to a store on a disk (`TMPDIR`), told, and written to every stream. `--rate` is how many deliveries a second are
//! wanted: with 100 streams at 500,000 there are 5,000 events a second. axum gets events of the same bytes at the same rate, and has nothing to commit.
//!
//! Every event carries the time at which it was submitted, so the latency that is shown holds the commit as well. Every stream is read whole: an event that did
//! not come, or not in its order, counts as lost. Processor time of the server stands per delivery, all of it, and without what the events cost when nobody
//! listens. Of `p50 / p99` there is one sample for each read of the first and the last event in it.

mod control;
mod reader;
mod server;

use std::io::Write as _;
use std::time::Duration;

use crate::control::{Kind, Server};
use crate::reader::{Heard, Readers};

/// As in the server itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was asked for on the command line.
#[derive(Clone, Debug)]
struct Wanted {
    streams: Vec<usize>,
    rate: usize,
    time: Duration,
    rounds: usize,
    tls: bool,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut wanted = Wanted {
        streams: Vec::new(),
        rate: 500_000,
        time: Duration::from_millis(3000),
        rounds: 1,
        tls: false,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| usage(&argument));
        match argument.as_str() {
            // cargo says so to every benchmark.
            "--bench" => {}
            // A test runner that looks for tests finds none.
            "--list" | "--test" => return,
            "--streams" => wanted.streams.push(number(&value())),
            "--rate" => wanted.rate = number(&value()),
            "--millis" => wanted.time = Duration::from_millis(number(&value()) as u64),
            "--rounds" => wanted.rounds = number(&value()),
            "--tls" => wanted.tls = value() == "yes",
            "serve" => return server::run(&value()),
            other => usage(other),
        }
    }
    if wanted.streams.is_empty() {
        wanted.streams = vec![100, 1000, 5000];
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
    eprintln!("events: {what}? It takes --streams N --rate N --millis N --rounds N --tls yes");
    std::process::exit(2)
}

fn compare(wanted: &Wanted) {
    line(&format!(
        "{:<34} {:>12} {:>18} {:>22} {:>12} {:>6}",
        "", "deliveries/s", "p50 / p99 ms", "CPU µs each (of it events)", "KiB a stream", "lost"
    ));
    let kinds: &[Kind] = match wanted.tls {
        true => &[Kind::HawkFishTls],
        false => &[Kind::HawkFish, Kind::Axum],
    };
    for round in 0..wanted.rounds {
        for streams in &wanted.streams {
            for kind in kinds {
                measure(wanted, *kind, *streams, round);
            }
        }
    }
}

fn measure(wanted: &Wanted, kind: Kind, streams: usize, round: usize) {
    // A fresh one each time: its memory is to be that of these streams.
    let mut server = Server::start(kind);
    let per_second = (wanted.rate / streams).max(1);
    let token = server.log_in();
    // The first of everything is made; then what events cost by themselves.
    server.emit(per_second, Duration::from_millis(300));
    let alone = server.emit(per_second, Duration::from_secs(1));
    let before = server.memory();
    let mut readers = Readers::open(&server, &token, streams);
    let idle = server.memory();
    let spent = server.cpu();
    let began = std::time::Instant::now();
    let emitting = server.begin(per_second, wanted.time);
    readers.read_through(emitting.last, || server.emitted());
    let took = began.elapsed();
    let cpu = server.cpu() - spent;
    let busy = server.memory();
    let Heard {
        deliveries,
        lost,
        p50,
        p99,
    } = readers.heard(emitting.first, emitting.last);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / deliveries.max(1) as f64;
    let events = (emitting.last - emitting.first + 1) as f64;
    let of_events = alone.cpu_each.as_secs_f64() * 1e6 * events / deliveries.max(1) as f64;
    let memory = |now: u64| now.saturating_sub(before) as f64 / 1024.0 / streams as f64;
    line(&format!(
        "{:<34} {:>12.0} {:>18} {:>22} {:>12} {:>6}",
        format!("{}, {streams} streams, round {}", kind.word(), round + 1),
        deliveries as f64 / took.as_secs_f64(),
        format!(
            "{:.1} / {:.1}",
            p50.as_secs_f64() * 1e3,
            p99.as_secs_f64() * 1e3
        ),
        format!("{:.2} ({of_events:.2})", each(cpu)),
        format!("{:.1}, {:.1}", memory(idle), memory(busy)),
        lost,
    ));
}

fn line(text: &str) {
    // A reader that is gone wants no more of it.
    let _ = writeln!(std::io::stdout(), "{text}");
}
