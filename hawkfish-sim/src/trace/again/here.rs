//! In a world of one's own, on this build.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hawkfish_server::layers::Peer;
use http::Response;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::compare::{Close, Comparing};
use super::{Again, Came, CannotRun, Difference, asked, called, sent};
use crate::gate::{Bmc, Collected};
use crate::trace::entry::{Control, Entry, Request, State, What};
use crate::trace::text;
use crate::trace::{Header, InFlight, Secrets};
use crate::world::World;

/// How much longer than recorded an answer is waited for, in the time of the world.
const PATIENCE: i64 = 120;

/// A request that is not answered yet.
type UnderWay = JoinHandle<(Came, Option<Response<Body>>)>;

/// Events, of then and of now.
type States = (VecDeque<(u64, State)>, VecDeque<State>);

struct Run<'a> {
    world: World,
    entries: &'a [&'a Entry],
    comparing: Comparing<'a>,
    /// The last entry of the new world that was looked at.
    seen: u64,
    /// Requests that are not answered yet.
    under_way: BTreeMap<u64, UnderWay>,
    /// Streams, which are held open to the end.
    streams: Vec<Response<Body>>,
    /// What is to be compared only when all is done: events by what they are about, of then and of now.
    states: BTreeMap<Option<String>, States>,
    faults: BTreeMap<String, (u64, u64)>,
    /// How much times may be off beside what an answer took.
    slack: SignedDuration,
}

pub(super) async fn run(
    header: &Header,
    entries: &[&Entry],
    how: &Again,
) -> Result<Vec<Difference>, CannotRun> {
    let mut description = match &how.description {
        Some(description) => description.clone(),
        None => header.description.clone(),
    };
    description.seed = description.seed.or(Some(header.seed));
    description.begins = Some(header.begins);
    description.password = header.description.password.clone();
    let dir = tempfile::tempdir()?;
    let mut builder = World::builder().describe(description).reported(false);
    if header.on_disk {
        builder = builder.data_dir(dir.path());
    }
    let world = builder.start().await?;
    let fastest = fastest(entries);
    let slack = SignedDuration::try_from_secs_f64(2.0 * fastest.max(1.0));
    let slack = slack.unwrap_or(SignedDuration::MAX);
    let is_loose = fastest > 0.0 || overlaps(entries);
    let close = match is_loose {
        true => Close::Within(slack),
        false => Close::Exactly,
    };
    let mut run = Run {
        world,
        entries,
        comparing: Comparing::new(close, header.secrets == Secrets::Hide, &how.ignore),
        seen: 0,
        under_way: BTreeMap::new(),
        streams: Vec::new(),
        states: BTreeMap::new(),
        faults: BTreeMap::new(),
        slack,
    };
    if is_loose {
        run.world.wait_for_others();
        run.loosely(how.all).await?;
    } else {
        run.exactly(how.all).await?;
    }
    let Run {
        world,
        comparing,
        streams,
        ..
    } = run;
    drop(streams);
    world.close().await?;
    Ok(comparing.found)
}

/// How fast its clock ever went by itself; 0 where it stood.
fn fastest(entries: &[&Entry]) -> f64 {
    let speeds = entries.iter().map(|entry| match entry.what {
        What::Control(Control::Speed(speed)) => speed,
        _ => 0.0,
    });
    speeds.fold(0.0, f64::max)
}

/// Whether a request came before another was answered.
fn overlaps(entries: &[&Entry]) -> bool {
    let mut open = 0_u32;
    entries.iter().any(|entry| {
        match &entry.what {
            What::Request(_) => open += 1,
            What::Response(_) => open = open.saturating_sub(1),
            What::Broken { of, .. } if *of > 0 => open = open.saturating_sub(1),
            _ => {}
        }
        open > 1
    })
}

/// Whether it comes from outside, so that it is to be done again.
fn drives(what: &What) -> bool {
    match what {
        What::Request(_) | What::Control(_) | What::Console { .. } => true,
        What::Advanced { waited, .. } => !waited,
        _ => false,
    }
}

fn bmc(world: &World, entry: &Entry) -> Result<Bmc, CannotRun> {
    let Some(face) = &entry.face else {
        return Ok(world.bmc());
    };
    world.bmc_of(face).ok_or_else(|| CannotRun::NoFace {
        entry: entry.number,
        face: face.clone(),
    })
}

/// Sends a request, and reads its answer where that has an end.
async fn answer(bmc: Bmc, request: http::Request<Body>) -> (Came, Option<Response<Body>>) {
    let response = match bmc.answer(request).await {
        Ok(response) => response,
        Err(broken) => return (Err(broken.to_string()), None),
    };
    let (parts, body) = response.into_parts();
    let came = |bytes| Ok((parts.status, parts.headers.clone(), bytes));
    let kind = parts.headers.get("content-type");
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        let came = came(bytes::Bytes::new());
        return (came, Some(Response::from_parts(parts, body)));
    }
    let bytes = Collected::of(body).await.bytes;
    (came(bytes), None)
}

impl Run<'_> {
    fn request(&self, request: &Request, in_flight: Option<u32>) -> http::Request<Body> {
        let (method, uri, headers, body) = sent(&self.comparing, request);
        let mut again = http::Request::new(Body::from(body));
        *again.method_mut() = method;
        if let Ok(uri) = uri.parse() {
            *again.uri_mut() = uri;
        }
        *again.headers_mut() = headers;
        if let Some(address) = request.from {
            let tls = request.tls;
            again.extensions_mut().insert(Peer { address, tls });
        }
        if let Some(count) = in_flight {
            again.extensions_mut().insert(InFlight(count));
        }
        again
    }

    /// What is new in the new world.
    fn new_entries(&mut self) -> Vec<Arc<Entry>> {
        let mut new = Vec::new();
        let seen = self.seen;
        self.world.traced(|trace| new = trace.after(seen));
        self.seen = new.last().map_or(seen, |entry| entry.number);
        // Nothing is kept that was looked at: runs may be long.
        let seen = self.seen;
        self.world.traced(|trace| trace.forget(seen));
        new
    }

    fn control(&self, control: &Control) -> Result<(), CannotRun> {
        match control {
            Control::PutFault(rule) => {
                let put = self.world.set_fault((**rule).clone());
                put.map_err(|bad| CannotRun::from(crate::world::Error::from(bad)))?;
            }
            Control::ClearFault(name) => drop(self.world.clear_fault(name)),
            // It goes from entry to entry.
            Control::Speed(_) => {}
            Control::Served { at, tls } => self.world.tell_served(*at, *tls, None),
        }
        Ok(())
    }

    /// One after the other, each entry as it was.
    async fn exactly(&mut self, all: bool) -> Result<(), CannotRun> {
        let entries = self.entries;
        let mut at = 0;
        while at < entries.len() {
            let first = entries[at];
            let is_console = matches!(first.what, What::Console { .. });
            let mut end = at + 1;
            while end < entries.len()
                && (!drives(&entries[end].what)
                    || (is_console && matches!(entries[end].what, What::Console { .. })))
            {
                end += 1;
            }
            match &first.what {
                What::Request(request) => {
                    let bmc = bmc(&self.world, first)?;
                    let (_, stream) = answer(bmc, self.request(request, None)).await;
                    self.streams.extend(stream);
                }
                What::Advanced { to, .. } => {
                    let by = to.duration_since(self.world.now());
                    if by >= SignedDuration::ZERO {
                        self.world.advance(by).await?;
                    }
                }
                What::Control(control) => self.control(control)?,
                What::Console { .. } => self.world.trace_consoles().await?,
                _ => {}
            }
            let new = self.new_entries();
            self.group(&entries[at..end], &new);
            if !all && !self.comparing.found.is_empty() {
                break;
            }
            at = end;
        }
        Ok(())
    }

    /// What followed from one thing that was done, then and now.
    fn group(&mut self, was: &[&Entry], is: &[Arc<Entry>]) {
        // What is told of the service's own address has no words of its own here.
        let is: Vec<&Entry> = is.iter().map(|entry| &**entry).collect();
        for place in 0..was.len().max(is.len()) {
            match (was.get(place), is.get(place)) {
                (Some(was), Some(is)) if kind(was) == kind(is) => self.pair(was, is),
                (old, new) => {
                    let entry = was[place.min(was.len() - 1)].number;
                    let shown = |entry: &&Entry| Value::from(line(entry));
                    let about = "what happened";
                    let (old, new) = (old.map(shown), new.map(shown));
                    self.comparing.only(entry, about, old, new);
                    // The rest only follows from that.
                    return;
                }
            }
        }
    }

    fn pair(&mut self, was: &Entry, is: &Entry) {
        let number = was.number;
        match (&was.what, &is.what) {
            (What::Response(old), What::Response(new)) => {
                let about = asked(self.entries, old.of).map(|(n, request)| called(n, request));
                let came = |answer: &crate::trace::Response| {
                    Ok((answer.status, answer.headers.clone(), answer.body.clone()))
                };
                let about = about.unwrap_or_default();
                self.comparing
                    .answer(number, &about, &came(old), &came(new));
            }
            (What::State(old), What::State(new)) => {
                let about = told(old);
                if (&old.message, &old.origin) != (&new.message, &new.origin) {
                    let (old, new) = (line(was), line(is));
                    let (old, new) = (Some(Value::from(old)), Some(Value::from(new)));
                    return self.comparing.only(number, "an event", old, new);
                }
                self.comparing
                    .record(number, &about, &old.record, &new.record);
            }
            (What::Console { system, text }, What::Console { text: new, .. }) if text != new => {
                let about = format!("the console of {system}");
                let shown = |text: &[u8]| Some(json!(String::from_utf8_lossy(text)));
                let place = "console".to_owned();
                let all = vec![(place, shown(text), shown(new))];
                self.comparing.note(number, &about, all);
            }
            (What::Request(_) | What::Control(_) | What::Console { .. }, _) => {}
            (old, new) if old != new => {
                let (old, new) = (line(was), line(is));
                let (old, new) = (Some(Value::from(old)), Some(Value::from(new)));
                self.comparing.only(number, "what happened", old, new);
            }
            _ => {}
        }
    }

    /// Each request at its time and in its order; answers by what they answer, events by what they are about.
    async fn loosely(&mut self, all: bool) -> Result<(), CannotRun> {
        let mut open: BTreeMap<u64, jiff::Timestamp> = BTreeMap::new();
        for entry in self.entries {
            match &entry.what {
                What::Request(request) => {
                    self.go_on_to(entry.at).await?;
                    open.insert(entry.number, entry.at);
                    let count = u32::try_from(open.len()).unwrap_or(u32::MAX);
                    let bmc = bmc(&self.world, entry)?;
                    let request = self.request(request, Some(count));
                    let (done, is_done) = tokio::sync::oneshot::channel::<()>();
                    let task = tokio::spawn(async move {
                        let answered = answer(bmc, request).await;
                        drop(done);
                        answered
                    });
                    // In order: the next is sent when this one is through, or waits for time to go on.
                    tokio::select! {
                        biased;
                        _ = is_done => {}
                        () = self.world.somebody_waits() => {}
                        () = tokio::time::sleep(Duration::from_secs(2)) => {}
                    }
                    self.under_way.insert(entry.number, task);
                }
                What::Response(was) => {
                    let long = open
                        .remove(&was.of)
                        .map(|began| entry.at.duration_since(began));
                    let came = Ok((was.status, was.headers.clone(), was.body.clone()));
                    self.answered(entry, was.of, &came, long).await?;
                }
                What::Broken { of, why } => {
                    let long = open.remove(of).map(|began| entry.at.duration_since(began));
                    self.answered(entry, *of, &Err(why.clone()), long).await?;
                }
                What::Advanced { to, waited: false } => self.go_on_to(*to).await?,
                What::Control(control) => {
                    self.go_on_to(entry.at).await?;
                    self.control(control)?;
                }
                What::State(state) => {
                    let of = self.states.entry(state.origin.clone()).or_default();
                    of.0.push_back((entry.number, state.clone()));
                }
                What::Fault { rule, .. } => self.faults.entry(rule.clone()).or_default().0 += 1,
                What::Console { .. } | What::Advanced { .. } => {}
            }
            self.take();
            if !all && !self.comparing.found.is_empty() {
                return Ok(());
            }
        }
        // What the last entries tell of has happened by then.
        if let Some(last) = self.entries.last() {
            self.go_on_to(last.at).await?;
        }
        self.take();
        self.rest();
        Ok(())
    }

    async fn go_on_to(&self, at: jiff::Timestamp) -> Result<(), CannotRun> {
        let by = at.duration_since(self.world.now());
        if by > SignedDuration::ZERO {
            self.world.advance(by).await?;
        }
        Ok(())
    }

    async fn answered(
        &mut self,
        entry: &Entry,
        of: u64,
        was: &Came,
        long: Option<SignedDuration>,
    ) -> Result<(), CannotRun> {
        let Some(mut task) = self.under_way.remove(&of) else {
            return Ok(());
        };
        self.go_on_to(entry.at).await?;
        let mut patience = PATIENCE;
        let is = loop {
            match tokio::time::timeout(Duration::from_millis(200), &mut task).await {
                Ok(Ok((came, stream))) => {
                    self.streams.extend(stream);
                    break came;
                }
                Ok(Err(error)) => break Err(error.to_string()),
                Err(_) if patience > 0 => {
                    patience -= 1;
                    self.world.advance(SignedDuration::from_secs(1)).await?;
                }
                Err(_) => break Err("it takes too long".to_owned()),
            }
        };
        let slack = self.slack.saturating_add(long.unwrap_or_default());
        self.comparing.close = Close::Within(slack);
        let about = asked(self.entries, of).map(|(n, request)| called(n, request));
        let about = about.unwrap_or_default();
        self.comparing.answer(entry.number, &about, was, &is);
        Ok(())
    }

    fn take(&mut self) {
        for entry in self.new_entries() {
            match &entry.what {
                What::State(state) => {
                    let of = self.states.entry(state.origin.clone()).or_default();
                    of.1.push_back(state.clone());
                }
                What::Fault { rule, .. } => self.faults.entry(rule.clone()).or_default().1 += 1,
                _ => {}
            }
        }
    }

    /// What can only be said when all is done.
    fn rest(&mut self) {
        let last = self.entries.last().map_or(0, |entry| entry.number);
        for (_, (old, new)) in std::mem::take(&mut self.states) {
            let mut new = new.into_iter();
            for (number, old) in old {
                let about = told(&old);
                match new.next() {
                    Some(new) if new.message == old.message => {
                        // Numbers and times are those of the whole stream.
                    }
                    Some(new) => {
                        let (old, new) = (Some(json!(told(&old))), Some(json!(told(&new))));
                        self.comparing.only(number, "an event", old, new);
                        break;
                    }
                    None => {
                        self.comparing
                            .only(number, &about, Some(json!(about)), None);
                        break;
                    }
                }
            }
            if let Some(more) = new.next() {
                let about = told(&more);
                self.comparing.only(last, &about, None, Some(json!(about)));
            }
        }
        for (rule, (was, is)) in std::mem::take(&mut self.faults) {
            if was != is {
                let about = format!("how often fault {rule:?} fired");
                self.comparing
                    .only(last, &about, Some(was.into()), Some(is.into()));
            }
        }
        let found = &mut self.comparing.found;
        found.sort_by_key(|difference| difference.entry);
    }
}

fn kind(entry: &Entry) -> std::mem::Discriminant<What> {
    std::mem::discriminant(&entry.what)
}

fn told(state: &State) -> String {
    let about = state.origin.as_deref().unwrap_or("nothing that has a URI");
    format!("the event {} of {about}", state.message)
}

/// What happened, in a line.
fn line(entry: &Entry) -> String {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = text::one(&mut text, entry);
    text.lines().next().unwrap_or_default().to_owned()
}
