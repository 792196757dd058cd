//! What went over the wire and what the guests wrote, in order.

use std::fmt::{self, Write as _};

use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

/// Everything that happened in a world, as text: one that is compared byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(String);

impl Trace {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn request(
        &mut self,
        at: Timestamp,
        method: &Method,
        uri: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        self.line(format_args!("[{at}] > {method} {uri}"));
        self.message(headers, body);
    }

    pub(crate) fn response(
        &mut self,
        at: Timestamp,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) {
        self.line(format_args!("[{at}] < {status}"));
        self.message(headers, body);
    }

    /// A rule fired, for the n-th time.
    pub(crate) fn fault(&mut self, at: Timestamp, rule: &str, number: u64) {
        self.line(format_args!(
            "[{at}] ! fault {rule:?} for the {number}. time"
        ));
    }

    pub(crate) fn broken(&mut self, at: Timestamp, what: &str) {
        self.line(format_args!("[{at}] < none: {what}"));
    }

    pub(crate) fn advanced(&mut self, from: Timestamp, to: Timestamp) {
        self.line(format_args!("[{from}] time goes on to {to}"));
    }

    pub(crate) fn console(&mut self, system: &str, text: &[u8]) {
        self.line(format_args!("console of {system}: {} bytes", text.len()));
        for line in String::from_utf8_lossy(text).lines() {
            self.line(format_args!("  {line}"));
        }
    }

    fn message(&mut self, headers: &HeaderMap, body: &[u8]) {
        let mut headers: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        headers.sort();
        for (name, value) in headers {
            self.line(format_args!("  {name}: {value}"));
        }
        if !body.is_empty() {
            self.line(format_args!("  {}", String::from_utf8_lossy(body)));
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("writing to a text does not fail");
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
