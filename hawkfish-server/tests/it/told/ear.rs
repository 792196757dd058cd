//! Hears what is told, and looks at once at what it is about.

use std::collections::BTreeMap;
use std::pin::pin;

use hawkfish_core::ctx::Ctx;
use hawkfish_server::resource;
use serde_json::Value;
use tokio::sync::watch;

use crate::door::{ADMIN, Answer, Door};

/// Somebody who listens to all that is told, and looks at once at what it is about.
pub(crate) struct Ear<'a> {
    pub(super) door: &'a Door,
    token: String,
    pub(super) heard: u64,
    news: watch::Receiver<u64>,
    /// What was asked for: the method, and the template of the URI with the name of the action.
    pub(super) asked: Vec<(String, String)>,
    /// How things looked in the moment in which something was told of them.
    seen: BTreeMap<String, (u16, Value)>,
    /// What is not as it should be.
    pub(super) faults: Vec<String>,
}

/// What is told of tasks and jobs has tests of its own.
pub(super) fn is_of_work(line: &str) -> bool {
    line.starts_with("Task") || line.starts_with("Job")
}

/// Parts of a resource that are as of now, or change because somebody looks.
pub(super) fn steady(mut body: Value) -> Value {
    if let Some(all) = body.as_object_mut() {
        let moving = [
            "@odata.etag",
            "DateTime",
            "@Redfish.Settings",
            "@Redfish.SettingsApplyTime",
        ];
        for name in moving {
            all.remove(name);
        }
    }
    body
}

impl<'a> Ear<'a> {
    pub(crate) async fn to(door: &'a Door) -> Self {
        let session = door.log_in(ADMIN.0, ADMIN.1).await;
        assert_eq!(session.status, 201, "{session:?}");
        let events = door.app.hawkfish().events();
        let mut news = events.watch();
        let heard = *news.borrow_and_update();
        Self {
            door,
            token: session.header("x-auth-token").to_owned(),
            heard,
            news,
            asked: Vec::new(),
            seen: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    /// Notes it where that was not told that should have been.
    #[track_caller]
    pub(super) fn told(&mut self, what: &str, lines: &[String], expected: &[impl AsRef<str>]) {
        let caller = std::panic::Location::caller().line();
        self.told_at(caller, what, lines, expected);
    }

    pub(super) fn told_at(
        &mut self,
        line: u32,
        what: &str,
        lines: &[String],
        expected: &[impl AsRef<str>],
    ) {
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        if lines != expected {
            let fault =
                format!("line {line}: {what}: {expected:#?} is to be told, and {lines:#?} is");
            self.faults.push(fault);
        }
    }

    pub(crate) fn end(self) {
        assert!(self.faults.is_empty(), "{}", self.faults.join("\n\n"));
    }

    /// `/redfish/v1/` left out, and systems by their number.
    pub(super) fn short(&self, uri: &str) -> String {
        let mut text = uri.trim_start_matches("/redfish/v1/").to_owned();
        let systems = self.door.app.hawkfish().systems(&Ctx::service());
        for (name, system) in ["A", "B", "C"].iter().zip(&systems) {
            text = text.replace(system.id.as_str(), name);
        }
        text
    }

    /// The other way round.
    pub(super) fn long(&self, uri: &str) -> String {
        let systems = self.door.app.hawkfish().systems(&Ctx::service());
        let part = |part: &str| match ["A", "B", "C"].iter().position(|name| *name == part) {
            Some(number) => systems[number].id.to_string(),
            None => part.to_owned(),
        };
        let parts: Vec<String> = uri.split('/').map(part).collect();
        format!("/redfish/v1/{}", parts.join("/"))
    }

    pub(super) async fn look(&self, uri: &str) -> (u16, Value) {
        let answer = self.door.send("GET", uri).token(&self.token).answer().await;
        (answer.status.as_u16(), steady(answer.body))
    }

    /// What was told since this was last asked, a line each; and what it is about, as it looks now.
    pub(crate) async fn hear(&mut self) -> Vec<String> {
        let events = self.door.app.hawkfish().events();
        self.news.borrow_and_update();
        let told = events.recent(self.heard, 10_000).expect("kept in memory");
        let telling = events.telling().expect("there are words");
        let mut lines = Vec::new();
        for told in told {
            assert_eq!(told.seq(), self.heard + 1, "no gaps");
            self.heard = told.seq();
            let record = told.record(&*telling);
            let key = record.message_id.rsplit('.').next().unwrap();
            let origin = record.origin.clone().unwrap_or_default();
            let json: Value = serde_json::from_slice(&record.json).unwrap();
            if !record.message_id.is_empty() {
                assert_eq!(json["MessageId"], record.message_id.as_str());
                assert_eq!(json["EventId"], told.seq().to_string());
                let link = &json["OriginOfCondition"]["@odata.id"];
                assert_eq!(link.as_str(), record.origin.as_deref());
            }
            let line = format!("{key} {}", self.short(&origin));
            if is_of_work(&line) {
                continue;
            }
            lines.push(line.trim().to_owned());
            if !origin.is_empty() {
                let (status, body) = self.look(&origin).await;
                let removed = record.message_id.ends_with(".ResourceRemoved");
                if status != if removed { 404 } else { 200 } {
                    self.faults.push(format!("{lines:?} leads to {status}"));
                }
                if let Some(kind) = body["@odata.type"].as_str().filter(|_| !removed) {
                    let kind = kind.trim_start_matches('#').split('.').next();
                    if kind != record.resource_type {
                        self.faults.push(format!("{lines:?} is about a {kind:?}"));
                    }
                }
                self.seen.insert(origin, (status, body));
            }
        }
        lines
    }

    /// Sends a request and listens meanwhile. While it is looked at what was told, the request stands still: what it would change only after it was told has not
    /// been changed by then.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        uri: &str,
        body: &Value,
    ) -> (Answer, Vec<String>) {
        let uri = self.long(uri);
        self.note(method, &uri);
        let sending = self.door.send(method, &uri).admin();
        let sending = if body.is_null() {
            sending
        } else {
            sending.json(body)
        };
        let mut answer = pin!(sending.answer());
        let mut lines = Vec::new();
        self.seen.clear();
        let mut news = self.news.clone();
        let answer = loop {
            tokio::select! {
                biased;
                heard = news.changed() => {
                    heard.unwrap();
                    lines.extend(self.hear().await);
                }
                answer = &mut answer => break answer,
            }
        };
        for (uri, then) in std::mem::take(&mut self.seen) {
            let now = self.look(&uri).await;
            if then != now {
                let fault =
                    format!("{uri} was told of before it was so: {then:?} instead of {now:?}");
                self.faults.push(fault);
            }
        }
        (answer, lines)
    }

    /// Sends a request that succeeds and has these told.
    #[track_caller]
    pub(crate) fn does<'b>(
        &'b mut self,
        method: &'b str,
        uri: &'b str,
        body: Value,
        expected: &'b [&'b str],
    ) -> impl Future<Output = Answer> + use<'a, 'b> {
        let caller = std::panic::Location::caller().line();
        async move {
            let (answer, lines) = self.send(method, uri, &body).await;
            if !answer.status.is_success() {
                self.faults
                    .push(format!("line {caller}: {method} {uri}: {answer:?}"));
            }
            self.told_at(caller, uri, &lines, expected);
            answer
        }
    }

    /// The same for a request that changes nothing when it comes a second time.
    #[track_caller]
    pub(crate) fn sets<'b>(
        &'b mut self,
        uri: &'b str,
        body: Value,
        expected: &'b [&'b str],
    ) -> impl Future<Output = ()> + use<'a, 'b> {
        let caller = std::panic::Location::caller().line();
        async move {
            for expected in [expected, &[]] {
                let (answer, lines) = self.send("PATCH", uri, &body).await;
                if !answer.status.is_success() {
                    self.faults
                        .push(format!("line {caller}: {uri}: {answer:?}"));
                }
                self.told_at(caller, uri, &lines, expected);
            }
        }
    }

    pub(super) fn note(&mut self, method: &str, uri: &str) {
        let (of, action) = uri.split_once("/Actions/").unwrap_or((uri, ""));
        let of: Vec<&str> = of.split('/').collect();
        let fits = |template: &str| {
            let template: Vec<&str> = template.split('/').collect();
            let pairs = of.iter().zip(&template);
            of.len() == template.len()
                && pairs.into_iter().all(|(a, b)| a == b || b.starts_with('{'))
        };
        let found = resource::ALL.iter().find(|resource| fits(resource.uri));
        let found = found.unwrap_or_else(|| panic!("{uri} is nowhere"));
        let what = match action {
            "" => method.to_owned(),
            action => action.to_owned(),
        };
        self.asked.push((what, found.uri.to_owned()));
    }
}
