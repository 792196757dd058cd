//! What is counted while requests come. All of it is bounded.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytes::Bytes;
use hawkfish_core::app::HawkFish;
use hawkfish_redfish::deprecated;
use hawkfish_server::App;
use hawkfish_server::app::Standing;
use http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::left::{Known, Left};
use super::{Check, Finding, Report, Requests, UnfetchedTask};
use crate::trace::Exchange;

/// Most findings of a check, tasks, sessions, and URIs that are looked after at once.
const MOST: usize = 1_000;
/// Most kinds of requests; beyond, what stands there is not told apart.
const KINDS: usize = 5_000;
/// How often the same may be asked for in a second.
const POLLS: u32 = 5;
/// So many sessions that were used once at most are a habit.
const CHURN: u64 = 3;

/// Messages of the Base registry that say that the request cannot be.
const MISTAKES: &[&str] = &[
    "MalformedJSON",
    "UnrecognizedRequestBody",
    "EmptyJSON",
    "HeaderMissing",
    "HeaderInvalid",
    "MissingOrMalformedPart",
    "OperationNotAllowed",
    "PropertyUnknown",
    "PropertyDuplicate",
    "PropertyMissing",
    "PropertyNotWritable",
    "PropertyValueTypeError",
    "PropertyValueNotInList",
    "PropertyValueFormatError",
    "PropertyValueOutOfRange",
    "PropertyValueIncorrect",
    "PropertyValueError",
    "StringValueTooLong",
    "StringValueTooShort",
    "ArraySizeTooLong",
    "ArraySizeTooShort",
    "ActionNotSupported",
    "ActionParameterMissing",
    "ActionParameterUnknown",
    "ActionParameterNotSupported",
    "ActionParameterDuplicate",
    "ActionParameterValueTypeError",
    "ActionParameterValueFormatError",
    "ActionParameterValueNotInList",
    "ActionParameterValueOutOfRange",
    "QueryParameterValueTypeError",
    "QueryParameterValueFormatError",
    "QueryParameterValueError",
    "QueryParameterOutOfRange",
    "QueryParameterUnsupported",
    "QueryNotSupported",
    "QueryNotSupportedOnResource",
    "QueryCombinationInvalid",
];

#[derive(Clone, Debug)]
struct Tally {
    count: u64,
    at: Timestamp,
    entry: Option<u64>,
}

#[derive(Clone, Debug)]
struct Use {
    id: String,
    who: (Option<String>, String),
    at: Timestamp,
    entry: u64,
    requests: u64,
}

#[derive(Clone, Copy, Debug)]
struct Polls {
    since: Timestamp,
    count: u32,
}

/// Who asks for what: a hash of face, credentials, method and path.
type Asking = u64;

/// Counts what a client does.
#[derive(Debug)]
pub(crate) struct Collector {
    app: App,
    seed: u64,
    since: Timestamp,
    known: Known,
    requests: BTreeMap<(String, String, &'static str), u64>,
    findings: BTreeMap<(Check, String), Tally>,
    left_out: BTreeMap<Check, u64>,
    tasks: BTreeMap<u64, UnfetchedTask>,
    /// Monitors and tasks, to the entry that started them.
    waited: HashMap<String, u64>,
    polls: HashMap<Asking, Polls>,
    /// Not before.
    later: HashMap<Asking, Timestamp>,
    refused: HashMap<Asking, u64>,
    /// Sessions that are open, by a hash of their tokens.
    sessions: HashMap<u64, Use>,
    /// Sessions that were used once at most.
    churn: Option<Tally>,
}

impl Collector {
    pub(crate) fn new(app: App, seed: u64, since: Timestamp) -> Self {
        Self {
            app,
            seed,
            since,
            known: Known::default(),
            requests: BTreeMap::new(),
            findings: BTreeMap::new(),
            left_out: BTreeMap::new(),
            tasks: BTreeMap::new(),
            waited: HashMap::new(),
            polls: HashMap::new(),
            later: HashMap::new(),
            refused: HashMap::new(),
            sessions: HashMap::new(),
            churn: None,
        }
    }

    /// Begins anew: what is there now is not held against who comes after.
    pub(crate) fn reset(&mut self, now: Timestamp) {
        let known = Left::of(self.hawkfish()).known();
        *self = Self {
            known,
            ..Self::new(self.app.clone(), self.seed, now)
        };
    }

    fn hawkfish(&self) -> &HawkFish {
        self.app.hawkfish()
    }

    fn find(&mut self, check: Check, about: String, of: &Exchange) {
        let of_check = (check, String::new())..;
        let those = self.findings.range(of_check);
        let those = those.take_while(|((of, _), _)| *of == check).take(MOST);
        let is_full = those.count() >= MOST;
        let key = (check, about);
        match self.findings.get_mut(&key) {
            Some(tally) => tally.count += 1,
            None if is_full => *self.left_out.entry(check).or_default() += 1,
            None => {
                let tally = Tally {
                    count: 1,
                    at: of.at,
                    entry: Some(of.number),
                };
                self.findings.insert(key, tally);
            }
        }
    }

    /// A request came.
    pub(crate) fn request(&mut self, of: &Exchange) {
        let path = path(&of.uri);
        let asking = asking(of, &of.method, path);
        if matches!(of.method, Method::GET | Method::HEAD | Method::DELETE)
            && let Some(entry) = self.waited.remove(path)
        {
            self.tasks.remove(&entry);
        }
        if let Some(later) = self.later.remove(&asking)
            && of.at < later
        {
            let about = format!("{} {path} before {later}", of.method);
            self.find(Check::RetryAfter, about, of);
        }
        if of.method == Method::GET {
            self.poll(asking, path, of);
        }
        if let Some(refused) = self.refused.remove(&asking) {
            if of.headers.contains_key(IF_MATCH) {
                self.refused.insert(asking, refused);
            } else {
                let about = format!("{} {path} without If-Match, after 412", of.method);
                self.find(Check::Overwrites, about, of);
            }
        }
        let authorization = of.headers.get(AUTHORIZATION);
        if authorization.is_some_and(|value| value.as_bytes().starts_with(b"Basic ")) {
            self.find(Check::Basic, "Authorization: Basic".to_owned(), of);
        }
        if let Some(token) = of.headers.get("x-auth-token")
            && let Some(used) = self.sessions.get_mut(&hash(token.as_bytes()))
        {
            let ends_it = of.method == Method::DELETE && path.ends_with(&format!("/{}", used.id));
            used.requests += u64::from(!ends_it);
        }
    }

    fn poll(&mut self, asking: Asking, path: &str, of: &Exchange) {
        let second = SignedDuration::from_secs(1);
        if self.polls.len() >= MOST {
            self.polls
                .retain(|_, polls| of.at.duration_since(polls.since) < second);
        }
        if self.polls.len() >= MOST {
            self.polls.clear();
        }
        let polls = self.polls.entry(asking).or_insert(Polls {
            since: of.at,
            count: 0,
        });
        if of.at.duration_since(polls.since) >= second {
            *polls = Polls {
                since: of.at,
                count: 0,
            };
        }
        polls.count += 1;
        if polls.count == POLLS + 1 {
            self.find(Check::Polling, format!("GET {path}"), of);
        }
    }

    /// There was no answer.
    pub(crate) fn broken(&mut self, of: &Exchange) {
        let standing = self.app.standing_at(path(&of.uri));
        self.count(of, standing.map_or("", |at| at.called()), "none");
    }

    fn count(&mut self, of: &Exchange, called: &str, class: &'static str) {
        let called = match self.requests.len() < KINDS {
            true => called,
            false => "",
        };
        // A client may make up any method.
        let method = match of.method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "other",
        };
        let key = (method.to_owned(), called.to_owned(), class);
        *self.requests.entry(key).or_default() += 1;
    }

    /// It was answered.
    pub(crate) fn response(
        &mut self,
        of: &Exchange,
        at: Timestamp,
        status: StatusCode,
        headers: &HeaderMap,
        body: &Bytes,
    ) {
        let path = path(&of.uri);
        let standing = self.app.standing_at(path);
        let class = match status.as_u16() / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "1xx",
        };
        match standing {
            Some(at) => self.count(of, at.called(), class),
            None => {
                // A captured tree has places of its own, and says what stands there.
                let called = said_type(headers, body);
                self.count(of, called.as_deref().unwrap_or_default(), class);
            }
        }
        let asking = asking(of, &of.method, path);
        if let Some(seconds) = retry_after(headers) {
            let later = at + SignedDuration::from_secs(seconds);
            let place = headers.get(LOCATION).and_then(|place| place.to_str().ok());
            // What is asked for again is the task, not what started it.
            let asking = match place.filter(|_| status == StatusCode::ACCEPTED) {
                Some(place) => self::asking(of, &Method::GET, relative(place)),
                None => asking,
            };
            if self.later.len() >= MOST {
                self.later.retain(|_, later| *later > at);
            }
            if self.later.len() < MOST {
                self.later.insert(asking, later);
            }
        }
        if status == StatusCode::PRECONDITION_FAILED && of.headers.contains_key(IF_MATCH) {
            if self.refused.len() >= MOST {
                self.refused.clear();
            }
            self.refused.insert(asking, of.number);
        } else if status.is_success() {
            self.refused.remove(&asking);
        }
        if of.is_met {
            return;
        }
        if status == StatusCode::ACCEPTED && of.method != Method::GET {
            self.started(of, headers, body);
        }
        if let Some(standing) = standing {
            self.deprecated(of, path, &standing);
            if standing.entity == "SessionCollection" && status == StatusCode::CREATED {
                self.logged_in(of, headers, body);
            }
        }
        if of.method == Method::DELETE && status.is_success() {
            self.logged_out(of, path);
        }
        if status.is_client_error() {
            let called = standing.map_or("", |at| at.called());
            self.mistakes(of, called, status, body);
        }
    }

    fn started(&mut self, of: &Exchange, headers: &HeaderMap, body: &Bytes) {
        let Some(monitor) = headers.get(LOCATION).and_then(|place| place.to_str().ok()) else {
            return;
        };
        if self.tasks.len() >= MOST {
            *self.left_out.entry(Check::Tasks).or_default() += 1;
            return;
        }
        let monitor = relative(monitor).to_owned();
        let task: Option<Value> = serde_json::from_slice(body).ok();
        let task = task.as_ref().and_then(|task| task["@odata.id"].as_str());
        if let Some(task) = task {
            self.waited.insert(task.to_owned(), of.number);
        }
        self.waited.insert(monitor.clone(), of.number);
        let task = UnfetchedTask {
            monitor,
            face: of.face.clone(),
            since: of.at,
            entry: of.number,
        };
        self.tasks.insert(of.number, task);
    }

    fn deprecated(&mut self, of: &Exchange, path: &str, standing: &Standing) {
        let since = |since: Option<&str>| match since {
            Some(version) => format!("deprecated since {version}"),
            None => "deprecated".to_owned(),
        };
        let entity = standing.entity;
        if let Some(version) = deprecated::resource(entity) {
            self.find(
                Check::Deprecated,
                format!("{entity}, {}", since(version)),
                of,
            );
        }
        if deprecated::uri(path).is_some() {
            self.find(
                Check::Deprecated,
                format!("{entity} at {}", standing.template),
                of,
            );
        }
        let body = || serde_json::from_slice::<Value>(&of.body).ok();
        let (name, written) = match (&of.method, standing.action) {
            (&Method::POST, Some(action)) => {
                if let Some(version) = deprecated::action(action) {
                    self.find(
                        Check::Deprecated,
                        format!("{action}, {}", since(version)),
                        of,
                    );
                }
                let body = body().unwrap_or_default();
                (action, deprecated::given(action, &body))
            }
            (&Method::PATCH | &Method::PUT, _) => {
                let body = body().unwrap_or_default();
                (entity, deprecated::written(entity, &body))
            }
            (&Method::POST, None) => {
                let member = standing.member.unwrap_or(entity);
                let body = body().unwrap_or_default();
                (member, deprecated::written(member, &body))
            }
            _ => return,
        };
        for one in written {
            let about = format!("{name}{}, {}", one.pointer, since(one.since));
            self.find(Check::Deprecated, about, of);
        }
    }

    fn mistakes(&mut self, of: &Exchange, called: &str, status: StatusCode, body: &Bytes) {
        let method = &of.method;
        if matches!(
            status,
            StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
                | StatusCode::LENGTH_REQUIRED
        ) {
            let about = format!("{method} {called}: {status}");
            return self.find(Check::Mistakes, about, of);
        }
        let Ok(error) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let said = error["error"]["@Message.ExtendedInfo"].as_array();
        let mut seen = Vec::new();
        for message in said.into_iter().flatten() {
            let id = message["MessageId"].as_str().unwrap_or_default();
            let key = id.rsplit('.').next().unwrap_or_default();
            if !id.starts_with("Base.") || !MISTAKES.contains(&key) {
                continue;
            }
            let place = message["RelatedProperties"][0].as_str();
            let place = place.map_or_else(String::new, |place| format!(" {place}"));
            let about = format!("{method} {called}: {key}{place}");
            if !seen.contains(&about) {
                seen.push(about.clone());
                self.find(Check::Mistakes, about, of);
            }
        }
    }

    fn logged_in(&mut self, of: &Exchange, headers: &HeaderMap, body: &Bytes) {
        let Some(token) = headers.get("x-auth-token") else {
            return;
        };
        let session: Value = serde_json::from_slice(body).unwrap_or_default();
        let user = session["UserName"].as_str().unwrap_or_default().to_owned();
        let who = (of.face.clone(), user);
        let before: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, used)| used.who == who && used.requests <= 1)
            .map(|(token, _)| *token)
            .collect();
        // Who logs in anew while the last session was hardly used does so for each request.
        for token in before {
            if let Some(used) = self.sessions.get_mut(&token) {
                used.requests = u64::MAX / 2;
                let used = used.clone();
                self.churned(&used);
            }
        }
        if self.sessions.len() >= MOST {
            self.sessions.clear();
        }
        let used = Use {
            id: session["Id"].as_str().unwrap_or_default().to_owned(),
            who,
            at: of.at,
            entry: of.number,
            requests: 0,
        };
        self.sessions.insert(hash(token.as_bytes()), used);
    }

    fn logged_out(&mut self, of: &Exchange, path: &str) {
        let id = path.rsplit('/').next().unwrap_or_default();
        if !path.contains("/SessionService/Sessions/") {
            return;
        }
        let open = self.sessions.iter();
        let mut open = open.filter(|(_, used)| used.id == id && used.who.0 == of.face);
        let Some(token) = open.next().map(|(token, _)| *token) else {
            return;
        };
        if let Some(used) = self.sessions.remove(&token)
            && used.requests <= 1
        {
            self.churned(&used);
        }
    }

    fn churned(&mut self, used: &Use) {
        let tally = self.churn.get_or_insert(Tally {
            count: 0,
            at: used.at,
            entry: Some(used.entry),
        });
        tally.count += 1;
    }

    /// What was found so far.
    pub(crate) fn report(&self, now: Timestamp, faults: BTreeMap<String, u64>) -> Report {
        let mut left = Left::of(self.hawkfish()).but_for(&self.known);
        for session in &mut left.sessions {
            let mut opened = self.sessions.values();
            if let Some(used) = opened.find(|used| used.id == session.id) {
                session.face.clone_from(&used.who.0);
                session.entry = Some(used.entry);
            }
        }
        let requests = self.requests.iter();
        let requests = requests.map(|((method, of, status), count)| Requests {
            method: method.clone(),
            of: of.clone(),
            status: (*status).to_owned(),
            count: *count,
        });
        let tasks: Vec<UnfetchedTask> = self.tasks.values().cloned().collect();
        let mut findings: Vec<Finding> = Vec::new();
        let mut find = |check: Check, about: String, count, at, entry| {
            findings.push(Finding {
                check,
                severity: check.severity(),
                about,
                count,
                at,
                entry,
            });
        };
        for one in &left.sessions {
            let face = one.face.as_deref();
            let face = face.map_or_else(String::new, |face| format!(" at {face}"));
            let about = format!("session {} of {}{face} is open", one.id, one.user);
            find(Check::Sessions, about, 1, one.since, one.entry);
        }
        for one in &left.subscriptions {
            let about = format!("subscription {} to {} is there", one.id, one.destination);
            find(Check::Subscriptions, about, 1, one.since, None);
        }
        for one in &left.streams {
            let about = format!("the stream of events {} is open", one.id);
            find(Check::Streams, about, 1, one.since, None);
        }
        for one in &tasks {
            let about = format!("{} was not looked at", one.monitor);
            find(Check::Tasks, about, 1, one.since, Some(one.entry));
        }
        if let Some(churn) = self.churn.as_ref().filter(|churn| churn.count >= CHURN) {
            let about = "sessions were used for one request at most".to_owned();
            find(Check::Churn, about, churn.count, churn.at, churn.entry);
        }
        for ((check, about), tally) in &self.findings {
            find(*check, about.clone(), tally.count, tally.at, tally.entry);
        }
        findings.sort_by(|a, b| {
            let key = |one: &Finding| (one.severity, one.check, one.at, one.entry);
            key(a).cmp(&key(b)).then_with(|| a.about.cmp(&b.about))
        });
        Report {
            seed: self.seed,
            since: self.since,
            until: now,
            requests: requests.collect(),
            sessions: left.sessions,
            subscriptions: left.subscriptions,
            streams: left.streams,
            tasks,
            findings,
            left_out: self.left_out.clone(),
            faults,
        }
    }
}

/// A path without query and without a slash at its end.
fn path(uri: &str) -> &str {
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    match path.strip_suffix('/') {
        Some(bare) if !bare.is_empty() => bare,
        _ => path,
    }
}

/// The path of a URI that may name its host.
fn relative(uri: &str) -> &str {
    let rest = uri.split_once("://").map(|(_, rest)| rest);
    let path = match rest {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => uri,
    };
    self::path(path)
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

fn asking(of: &Exchange, method: &Method, path: &str) -> Asking {
    let mut hasher = DefaultHasher::new();
    let header = |name: &str| of.headers.get(name).map(http::HeaderValue::as_bytes);
    of.face.hash(&mut hasher);
    header("x-auth-token").hash(&mut hasher);
    header("authorization").hash(&mut hasher);
    (method.as_str(), path).hash(&mut hasher);
    hasher.finish()
}

/// Seconds; a date is not looked at.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().filter(|seconds| *seconds > 0)
}

/// `ComputerSystem`, of `@odata.type`.
fn said_type(headers: &HeaderMap, body: &Bytes) -> Option<String> {
    let kind = headers.get(CONTENT_TYPE)?.as_bytes();
    if !kind.starts_with(b"application/json") {
        return None;
    }
    let body: Value = serde_json::from_slice(body).ok()?;
    let full = body["@odata.type"].as_str()?.strip_prefix('#')?;
    Some(full.split('.').next()?.to_owned())
}
