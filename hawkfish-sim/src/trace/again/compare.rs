//! What was and what is.

use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::map::Map;
use super::{Came, Difference};
use crate::fault::Pattern;

/// Headers that say something of the service.
const MATTER: &[&str] = &[
    "allow",
    "cache-control",
    "content-type",
    "etag",
    "link",
    "location",
    "odata-version",
    "retry-after",
    "www-authenticate",
    "x-auth-token",
];

/// How closely is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// All is to be as it was.
    Exactly,
    /// Times may be off by so much; tags follow from them.
    Within(SignedDuration),
    /// Times and ids are the service's own.
    Elsewhere,
}

/// Compares, and collects differences.
#[derive(Debug)]
pub(super) struct Comparing<'a> {
    pub(super) map: Map,
    pub(super) close: Close,
    /// Whether tokens are names in the trace.
    pub(super) hidden: bool,
    ignore: &'a [Pattern],
    pub(super) found: Vec<Difference>,
}

/// One place of difference.
pub(super) type At = (String, Option<Value>, Option<Value>);

impl<'a> Comparing<'a> {
    pub(super) fn new(close: Close, hidden: bool, ignore: &'a [Pattern]) -> Self {
        Self {
            map: Map::default(),
            close,
            hidden,
            ignore,
            found: Vec::new(),
        }
    }

    /// Notes differences of an entry, but for those that are ignored.
    pub(super) fn note(&mut self, entry: u64, about: &str, all: Vec<At>) {
        let count = all.len();
        let is_ignored = |place: &str| self.ignore.iter().any(|pattern| pattern.fits(place));
        let kept: Vec<At> = all.into_iter().filter(|(at, ..)| !is_ignored(at)).collect();
        let ignored = kept.len() < count;
        let is_tag = |place: &str| place == "header:etag" || place.ends_with("@odata.etag");
        let has_more = kept.iter().any(|(place, ..)| !is_tag(place));
        for (place, was, is) in kept {
            // A tag follows from what is different, or ignored.
            if (ignored || has_more) && is_tag(&place) {
                continue;
            }
            self.found.push(Difference {
                entry,
                about: about.to_owned(),
                place,
                was,
                is,
            });
        }
    }

    /// Something was there and is not, or the other way round.
    pub(super) fn only(&mut self, entry: u64, about: &str, was: Option<Value>, is: Option<Value>) {
        self.note(entry, about, vec![(String::new(), was, is)]);
    }

    /// An answer.
    pub(super) fn answer(&mut self, entry: u64, about: &str, was: &Came, is: &Came) {
        let mut all = Vec::new();
        match (was, is) {
            (Ok((status, headers, body)), Ok((now, now_headers, now_body))) => {
                self.status(*status, *now, &mut all);
                self.body(body, now_body, "", &mut all);
                self.headers(headers, now_headers, &mut all);
            }
            (Err(was), Err(is)) if was == is || self.close == Close::Elsewhere => {}
            (was, is) => {
                let shown = |came: &Came| match came {
                    Ok((status, ..)) => Value::from(status.as_u16()),
                    Err(why) => Value::from(format!("no answer: {why}")),
                };
                all.push(("status".to_owned(), Some(shown(was)), Some(shown(is))));
            }
        }
        self.note(entry, about, all);
    }

    /// A body of JSON on its own, such as an event.
    pub(super) fn record(&mut self, entry: u64, about: &str, was: &[u8], is: &[u8]) {
        let mut all = Vec::new();
        self.body(was, is, "", &mut all);
        self.note(entry, about, all);
    }

    fn status(&self, was: StatusCode, is: StatusCode, all: &mut Vec<At>) {
        if was != is {
            let shown = |status: StatusCode| Some(Value::from(status.as_u16()));
            all.push(("status".to_owned(), shown(was), shown(is)));
        }
    }

    fn headers(&mut self, was: &HeaderMap, is: &HeaderMap, all: &mut Vec<At>) {
        for name in MATTER {
            let shown = |headers: &HeaderMap| {
                let values = headers.get_all(*name).iter();
                let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
                let values: Vec<_> = values.map(|value| value.into_owned()).collect();
                (!values.is_empty()).then(|| values.join(", "))
            };
            let (was, is) = (shown(was), shown(is));
            let same = match (&was, &is) {
                (Some(was), Some(is)) => self.same_header(name, was, is),
                (None, None) => true,
                _ => false,
            };
            if !same {
                all.push((
                    format!("header:{name}"),
                    was.map(Value::from),
                    is.map(Value::from),
                ));
            }
        }
    }

    fn same_header(&mut self, name: &str, was: &str, is: &str) -> bool {
        match name {
            "x-auth-token" => {
                let is_new = self.hidden || self.close != Close::Exactly || was != is;
                let same = self.close != Close::Exactly || self.hidden || was == is;
                if is_new && !self.map.knows(was) {
                    self.map.word(was, is);
                    return same;
                }
                self.map.text(was) == is
            }
            "etag" => self.same_tag(was, is),
            "location" => {
                let known = was == is || self.map.text(was) == is;
                // The next requests go where this one leads, whatever is said of it here.
                let learned = self.map.uri(was, is);
                known || (self.close != Close::Exactly && learned)
            }
            _ => was == is || self.map.text(was) == is,
        }
    }

    fn same_tag(&mut self, was: &str, is: &str) -> bool {
        if was == is {
            return true;
        }
        self.map.word(was, is);
        self.close != Close::Exactly
    }

    fn body(&mut self, was: &[u8], is: &[u8], at: &str, all: &mut Vec<At>) {
        if was == is {
            return;
        }
        let read = |body: &[u8]| serde_json::from_slice::<Value>(body).ok();
        match (read(was), read(is)) {
            (Some(was), Some(is)) => self.value(&was, &is, &mut at.to_owned(), all),
            _ => {
                let shown = |body: &[u8]| {
                    let text = String::from_utf8_lossy(body);
                    (!body.is_empty()).then(|| Value::from(text.into_owned()))
                };
                all.push(("body".to_owned(), shown(was), shown(is)));
            }
        }
    }

    fn value(&mut self, was: &Value, is: &Value, at: &mut String, all: &mut Vec<At>) {
        let length = at.len();
        match (was, is) {
            (Value::Object(was), Value::Object(is)) => {
                let new = is.keys().filter(|name| !was.contains_key(*name));
                let names: Vec<&String> = was.keys().chain(new).collect();
                for name in names {
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    match (was.get(name), is.get(name)) {
                        (Some(was), Some(is)) => self.value(was, is, at, all),
                        (was, is) => all.push((at.clone(), was.cloned(), is.cloned())),
                    }
                    at.truncate(length);
                }
            }
            (Value::Array(was), Value::Array(is)) => {
                for place in 0..was.len().max(is.len()) {
                    at.push_str(&format!("/{place}"));
                    match (was.get(place), is.get(place)) {
                        (Some(was), Some(is)) => self.value(was, is, at, all),
                        (was, is) => all.push((at.clone(), was.cloned(), is.cloned())),
                    }
                    at.truncate(length);
                }
            }
            (Value::String(old), Value::String(new)) if self.same_text(at, old, new) => {}
            _ if was == is => {}
            _ => all.push((at.clone(), Some(was.clone()), Some(is.clone()))),
        }
    }

    fn same_text(&mut self, at: &str, was: &str, is: &str) -> bool {
        if was == is || self.map.text(was) == is {
            return true;
        }
        let name = at.rsplit('/').next().unwrap_or_default();
        if name == "@odata.etag" {
            return self.same_tag(was, is);
        }
        // A name in place of a secret.
        if self.hidden && was.starts_with("token-") && !self.map.knows(was) {
            self.map.word(was, is);
            return true;
        }
        if self.close == Close::Exactly {
            return false;
        }
        if let (Ok(was), Ok(is)) = (was.parse::<Timestamp>(), is.parse::<Timestamp>()) {
            let off = was.duration_since(is).abs();
            return match self.close {
                Close::Within(most) => off <= most,
                _ => true,
            };
        }
        let is_uri = was.starts_with('/') && is.starts_with('/');
        self.close == Close::Elsewhere && is_uri && self.map.uri(was, is)
    }
}
