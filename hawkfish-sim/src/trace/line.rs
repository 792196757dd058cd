//! An entry as a line of JSON, and back. Nothing is lost: a body that is not JSON on one line stands as text, one that is no text as Base64.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::entry::{Control, Entry, Request, Response, State, What};

/// A line. One of its members says what happened.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    n: u64,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    face: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<RequestLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<ResponseLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<BrokenLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault: Option<FaultLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    advanced: Option<AdvancedLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<StateLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    console: Option<ConsoleLine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    method: String,
    uri: String,
    headers: Vec<(String, Value)>,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    body: Body,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tls: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponseLine {
    of: u64,
    status: u16,
    headers: Vec<(String, Value)>,
    #[serde(default, skip_serializing_if = "Body::is_empty")]
    body: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokenLine {
    of: u64,
    why: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultLine {
    rule: String,
    firing: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AdvancedLine {
    to: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    waited: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateLine {
    seq: u64,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    record: Body,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleLine {
    system: String,
    text: Body,
}

/// Bytes.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl Body {
    fn is_empty(&self) -> bool {
        self.json.is_none() && self.text.is_none() && self.base64.is_none()
    }

    fn of(bytes: &[u8]) -> Self {
        let mut body = Self::default();
        let Ok(text) = std::str::from_utf8(bytes) else {
            body.base64 = Some(BASE64_STANDARD.encode(bytes));
            return body;
        };
        if text.is_empty() {
            return body;
        }
        // A text such as `12` would be JSON, too; only what is meant so is shown so.
        if text.starts_with(['{', '[']) && !text.contains(['\n', '\r']) {
            let json = serde_json::from_str::<Box<RawValue>>(text);
            body.json = json.ok().filter(|json| json.get() == text);
        }
        if body.json.is_none() {
            body.text = Some(text.to_owned());
        }
        body
    }

    fn bytes(self) -> Result<Bytes, String> {
        Ok(match self {
            Self {
                json: Some(json), ..
            } => json.get().to_owned().into(),
            Self {
                text: Some(text), ..
            } => text.into(),
            Self {
                base64: Some(code), ..
            } => {
                let bytes = BASE64_STANDARD.decode(code);
                bytes.map_err(|error| error.to_string())?.into()
            }
            _ => Bytes::new(),
        })
    }
}

/// The value of a header.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Bytes { base64: String },
}

fn headers(of: &HeaderMap) -> Vec<(String, Value)> {
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let value = match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes {
                base64: BASE64_STANDARD.encode(value.as_bytes()),
            },
        };
        (name.as_str().to_owned(), value)
    };
    of.iter().map(shown).collect()
}

fn headers_of(lines: Vec<(String, Value)>) -> Result<HeaderMap, String> {
    let mut all = HeaderMap::new();
    for (name, value) in lines {
        let bytes = match value {
            Value::Text(text) => text.into_bytes(),
            Value::Bytes { base64 } => BASE64_STANDARD
                .decode(base64)
                .map_err(|error| error.to_string())?,
        };
        let value = HeaderValue::from_bytes(&bytes).map_err(|error| error.to_string())?;
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        all.append(name, value);
    }
    Ok(all)
}

/// An entry as a line, without its end.
pub(super) fn write(entry: &Entry) -> serde_json::Result<String> {
    let mut line = Line {
        n: entry.number,
        at: entry.at,
        face: entry.face.clone(),
        ..Line::default()
    };
    match &entry.what {
        What::Request(request) => {
            line.request = Some(RequestLine {
                method: request.method.to_string(),
                uri: request.uri.clone(),
                headers: headers(&request.headers),
                body: Body::of(&request.body),
                from: request.from,
                tls: request.tls,
            });
        }
        What::Response(response) => {
            line.response = Some(ResponseLine {
                of: response.of,
                status: response.status.as_u16(),
                headers: headers(&response.headers),
                body: Body::of(&response.body),
            });
        }
        What::Broken { of, why } => {
            line.broken = Some(BrokenLine {
                of: *of,
                why: why.clone(),
            });
        }
        What::Fault { rule, firing } => {
            line.fault = Some(FaultLine {
                rule: rule.clone(),
                firing: *firing,
            });
        }
        What::Advanced { to, waited } => {
            line.advanced = Some(AdvancedLine {
                to: *to,
                waited: *waited,
            });
        }
        What::State(state) => {
            line.state = Some(StateLine {
                seq: state.seq,
                message: state.message.clone(),
                origin: state.origin.clone(),
                record: Body::of(&state.record),
            });
        }
        What::Console { system, text } => {
            line.console = Some(ConsoleLine {
                system: system.clone(),
                text: Body::of(text),
            });
        }
        What::Control(control) => line.control = Some(control.clone()),
    }
    serde_json::to_string(&line)
}

/// An entry from a line.
pub(super) fn read(text: &str) -> Result<Entry, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    if let Some(request) = line.request {
        all.push(What::Request(Request {
            method: Method::from_bytes(request.method.as_bytes()).map_err(|e| e.to_string())?,
            uri: request.uri,
            headers: headers_of(request.headers)?,
            body: request.body.bytes()?,
            from: request.from,
            tls: request.tls,
        }));
    }
    if let Some(response) = line.response {
        all.push(What::Response(Response {
            of: response.of,
            status: StatusCode::from_u16(response.status).map_err(|error| error.to_string())?,
            headers: headers_of(response.headers)?,
            body: response.body.bytes()?,
        }));
    }
    if let Some(BrokenLine { of, why }) = line.broken {
        all.push(What::Broken { of, why });
    }
    if let Some(FaultLine { rule, firing }) = line.fault {
        all.push(What::Fault { rule, firing });
    }
    if let Some(AdvancedLine { to, waited }) = line.advanced {
        all.push(What::Advanced { to, waited });
    }
    if let Some(state) = line.state {
        all.push(What::State(State {
            seq: state.seq,
            message: state.message,
            origin: state.origin,
            record: state.record.bytes()?,
        }));
    }
    if let Some(ConsoleLine { system, text }) = line.console {
        let text = text.bytes()?;
        all.push(What::Console { system, text });
    }
    if let Some(control) = line.control {
        all.push(What::Control(control));
    }
    let mut all = all.into_iter();
    match (all.next(), all.next()) {
        (Some(what), None) => Ok(Entry {
            number: line.n,
            at: line.at,
            face: line.face,
            what,
        }),
        (None, _) => Err("it does not say what happened".to_owned()),
        (Some(_), Some(_)) => Err("it says two things at once".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn bytes() -> impl Strategy<Value = Bytes> {
        prop_oneof![
            vec(any::<u8>(), 0..40).prop_map(Bytes::from),
            ".{0,40}".prop_map(Bytes::from),
            r#"\{"[a-z]{1,4}": ?(1\.50|"[^"\\\\]{0,9}"|null|\[1, 2\])\}"#.prop_map(Bytes::from),
        ]
    }

    fn header_map() -> impl Strategy<Value = HeaderMap> {
        let value = vec(prop_oneof![32_u8..127, 128_u8..=255], 0..12);
        vec(("[a-z][a-z-]{0,9}", value), 0..5).prop_map(|all| {
            let mut map = HeaderMap::new();
            for (name, value) in all {
                let name = HeaderName::try_from(name).unwrap();
                map.append(name, HeaderValue::from_bytes(&value).unwrap());
            }
            map
        })
    }

    fn what() -> impl Strategy<Value = What> {
        let time =
            (0_i64..4_000_000_000_000).prop_map(|ms| Timestamp::from_millisecond(ms).unwrap());
        prop_oneof![
            (
                "(GET|PATCH|FROB)",
                ".{0,20}",
                header_map(),
                bytes(),
                any::<Option<IpAddr>>(),
                any::<bool>()
            )
                .prop_map(|(method, uri, headers, body, from, tls)| {
                    What::Request(Request {
                        method: Method::from_bytes(method.as_bytes()).unwrap(),
                        uri,
                        headers,
                        body,
                        from,
                        tls,
                    })
                }),
            (any::<u64>(), 100_u16..1000, header_map(), bytes()).prop_map(
                |(of, status, headers, body)| What::Response(Response {
                    of,
                    status: StatusCode::from_u16(status).unwrap(),
                    headers,
                    body,
                })
            ),
            (any::<u64>(), ".{0,20}").prop_map(|(of, why)| What::Broken { of, why }),
            (".{0,20}", any::<u64>()).prop_map(|(rule, firing)| What::Fault { rule, firing }),
            (time, any::<bool>()).prop_map(|(to, waited)| What::Advanced { to, waited }),
            (
                any::<u64>(),
                ".{0,9}",
                proptest::option::of(".{0,9}"),
                bytes()
            )
                .prop_map(|(seq, message, origin, record)| What::State(State {
                    seq,
                    message,
                    origin,
                    record,
                })),
            (".{0,9}", bytes()).prop_map(|(system, text)| What::Console { system, text }),
            ".{0,9}".prop_map(|name| What::Control(Control::ClearFault(name))),
        ]
    }

    proptest! {
        #[test]
        fn a_line_says_all_that_an_entry_is(
            number in any::<u64>(),
            ms in 0_i64..4_000_000_000_000,
            face in proptest::option::of(".{0,9}"),
            what in what(),
        ) {
            let at = Timestamp::from_millisecond(ms).unwrap();
            let entry = Entry { number, at, face, what };
            let line = write(&entry).unwrap();
            prop_assert!(!line.contains('\n'), "{line}");
            prop_assert_eq!(read(&line), Ok(entry));
        }
    }

    #[test]
    fn a_body_is_json_where_it_is_and_what_it_was_in_any_case() {
        for (bytes, kind) in [
            (&b"{\"a\": 1.50, \"a\": 2}"[..], "json"),
            (b"[1,2]", "json"),
            (b"{\"a\":\n1}", "text"),
            (b" {}", "text"),
            (b"12", "text"),
            (b"{\"a\"", "text"),
            (b"\xff\xfe{}", "base64"),
        ] {
            let body = Body::of(bytes);
            let line = serde_json::to_string(&body).unwrap();
            assert!(line.starts_with(&format!("{{\"{kind}\":")), "{line}");
            let again: Body = serde_json::from_str(&line).unwrap();
            assert_eq!(again.bytes().unwrap(), bytes, "{line}");
        }
        assert!(Body::of(b"").is_empty());
    }
}
