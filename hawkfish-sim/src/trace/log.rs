//! What writes a trace while the world runs, and tells the report.

use std::collections::VecDeque;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use hawkfish_core::events::{Telling, Told};
use hawkfish_server::layers::Peer;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

use super::entry::{Control, Entry, Request, Response, State, What};
use super::secrets::Hider;
use super::{Header, Secrets, Trace, line};
use crate::fault::Rule;
use crate::report::Collector;

/// How much of a trace is kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Last(usize),
    All,
}

/// How many requests are under way, as whoever runs a trace again says it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight(pub(crate) u32);

/// A request on its way through the gate.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// The number of its entry.
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) face: Option<String>,
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where it came from, over a socket.
    pub(crate) peer: Option<Peer>,
    /// Whether a fault met it.
    pub(crate) is_met: bool,
}

/// Where a trace goes while the world runs.
pub(crate) struct Sink {
    out: Box<dyn Write + Send>,
    hider: Option<Hider>,
    broke: Option<std::io::Error>,
}

impl Sink {
    /// Each entry goes out with one call, so that what a killed program wrote is whole up to the last of them.
    pub(crate) fn new(out: Box<dyn Write + Send>, secrets: Secrets) -> Self {
        Self {
            out,
            hider: (secrets == Secrets::Hide).then(Hider::default),
            broke: None,
        }
    }

    fn header(&mut self, header: &Header) {
        let shown = match &mut self.hider {
            Some(hider) => serde_json::to_string(&hider.header(header)),
            None => serde_json::to_string(header),
        };
        self.line(shown);
    }

    fn entry(&mut self, entry: &Entry) {
        let shown = match &mut self.hider {
            Some(hider) => line::write(&hider.entry(entry)),
            None => line::write(entry),
        };
        self.line(shown);
    }

    fn line(&mut self, line: serde_json::Result<String>) {
        if self.broke.is_some() {
            return;
        }
        let written = line.map_err(std::io::Error::from).and_then(|mut line| {
            line.push('\n');
            self.out.write_all(line.as_bytes())
        });
        self.broke = written.err();
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}

/// Writes what happens.
#[derive(Debug)]
pub(crate) struct Recorder {
    header: Arc<Header>,
    keep: Keep,
    entries: VecDeque<Arc<Entry>>,
    /// The number of the last entry.
    last: u64,
    sink: Option<Sink>,
    pub(crate) report: Option<Collector>,
}

impl Recorder {
    pub(crate) fn new(
        header: Header,
        keep: Keep,
        mut sink: Option<Sink>,
        report: Option<Collector>,
    ) -> Self {
        if let Some(sink) = &mut sink {
            sink.header(&header);
        }
        Self {
            header: Arc::new(header),
            keep,
            entries: VecDeque::new(),
            last: 0,
            sink,
            report,
        }
    }

    /// Whether entries go anywhere.
    pub(crate) fn is_traced(&self) -> bool {
        self.keep != Keep::Nothing || self.sink.is_some()
    }

    pub(crate) fn header(&self) -> &Arc<Header> {
        &self.header
    }

    pub(crate) fn trace(&self) -> Trace {
        Trace::of(Some(Arc::clone(&self.header)), self.entries.clone())
    }

    /// What became of the writing; asked once.
    pub(crate) fn broke(&mut self) -> Option<std::io::Error> {
        self.sink.as_mut()?.broke.take()
    }

    /// The entries after a number.
    pub(crate) fn after(&self, number: u64) -> Vec<Arc<Entry>> {
        let from = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.range(from..).cloned().collect()
    }

    /// Lets go of the entries up to a number.
    pub(crate) fn forget(&mut self, number: u64) {
        let to = self.entries.partition_point(|entry| entry.number <= number);
        self.entries.drain(..to);
    }

    fn push(&mut self, at: Timestamp, face: Option<&str>, what: impl FnOnce() -> What) -> u64 {
        self.last += 1;
        if self.is_traced() {
            let entry = Arc::new(Entry {
                number: self.last,
                at,
                face: face.map(str::to_owned),
                what: what(),
            });
            if let Some(sink) = &mut self.sink {
                sink.entry(&entry);
            }
            if self.keep != Keep::Nothing {
                self.entries.push_back(entry);
            }
            if let Keep::Last(most) = self.keep {
                while self.entries.len() > most {
                    self.entries.pop_front();
                }
            }
        }
        self.last
    }

    /// A request came: gives it its number.
    pub(crate) fn request(&mut self, exchange: &mut Exchange) {
        let Exchange {
            at,
            face,
            method,
            uri,
            headers,
            body,
            peer,
            ..
        } = &*exchange;
        exchange.number = self.push(*at, face.as_deref(), || {
            What::Request(Request {
                method: method.clone(),
                uri: uri.clone(),
                headers: headers.clone(),
                body: body.clone(),
                from: peer.map(|peer| peer.address),
                tls: peer.is_some_and(|peer| peer.tls),
            })
        });
        if let Some(report) = &mut self.report {
            report.request(exchange);
        }
    }

    pub(crate) fn response(
        &mut self,
        exchange: &Exchange,
        at: Timestamp,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) {
        self.push(at, exchange.face.as_deref(), || {
            What::Response(Response {
                of: exchange.number,
                status,
                headers: headers.clone(),
                body: body.clone(),
            })
        });
        if let Some(report) = &mut self.report {
            report.response(exchange, at, status, headers, body);
        }
    }

    /// A rule fired, for the n-th time.
    pub(crate) fn fault(&mut self, at: Timestamp, rule: &str, firing: u64) {
        self.push(at, None, || What::Fault {
            rule: rule.to_owned(),
            firing,
        });
    }

    /// There is no answer.
    pub(crate) fn broken(&mut self, at: Timestamp, of: Option<&Exchange>, why: &str) {
        let face = of.and_then(|of| of.face.as_deref());
        self.push(at, face, || What::Broken {
            of: of.map_or(0, |of| of.number),
            why: why.to_owned(),
        });
        if let (Some(report), Some(of)) = (&mut self.report, of) {
            report.broken(of);
        }
    }

    pub(crate) fn advanced(&mut self, from: Timestamp, to: Timestamp, waited: bool) {
        self.push(from, None, || What::Advanced { to, waited });
    }

    pub(crate) fn state(&mut self, told: &Told, telling: &dyn Telling) {
        let record = told.record(telling);
        self.push(told.happened().event.at, None, || {
            What::State(State {
                seq: told.seq(),
                message: record.message_id.clone(),
                origin: record.origin.clone(),
                record: record.json.clone(),
            })
        });
    }

    pub(crate) fn console(&mut self, at: Timestamp, system: &str, text: &[u8]) {
        self.push(at, None, || What::Console {
            system: system.to_owned(),
            text: Bytes::copy_from_slice(text),
        });
    }

    pub(crate) fn control(&mut self, at: Timestamp, control: Control) {
        self.push(at, None, || What::Control(control));
    }

    pub(crate) fn put_fault(&mut self, at: Timestamp, rule: &Rule) {
        self.control(at, Control::PutFault(Box::new(rule.clone())));
    }
}

/// The log of a world: who writes it, and how far it is with the events of the service.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) recorder: std::sync::Mutex<Recorder>,
    /// Whether anything is to be told at all.
    pub(crate) is_on: bool,
    /// Whether events are.
    pub(crate) takes_events: bool,
    /// The last event that was taken.
    pub(crate) cursor: tokio::sync::Mutex<u64>,
}

impl Log {
    pub(crate) fn new(recorder: Recorder, last_event: u64) -> Self {
        let takes_events = recorder.is_traced();
        Self {
            is_on: takes_events || recorder.report.is_some(),
            takes_events,
            recorder: std::sync::Mutex::new(recorder),
            cursor: tokio::sync::Mutex::new(last_event),
        }
    }
}
