//! What real services do otherwise than the specification has it, and how it is read all the same. All of it is in this file, and each has a name that says what is
//! wrong; who has it stands beside it for whoever wonders, and decides nothing: the client looks at answers, never at names of vendors.
//!
//! Tolerance is for what is read. What is sent is as the specification has it, whoever listens.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hawkfish_redfish::message::Message;
use http::header::{CONTENT_ENCODING, DATE, ETAG, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_path_to_error::Segment;
use url::Url;

use crate::error::{Error, Kind};
use crate::resource::Etag;
use crate::transport::MAX_BODY;

/// A way in which services are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quirk {
    /// Its name, for what is wrong.
    pub name: &'static str,
    /// What such a service does, and what becomes of it.
    pub about: &'static str,
    /// Where it was seen.
    pub seen: &'static str,
}

/// All that are known.
pub const QUIRKS: &[Quirk] = &[
    // Bodies.
    quirk(
        "byte_order_mark",
        "The JSON begins with a mark of byte order, which is left out.",
        "AMI MegaRAC; web servers in front",
    ),
    quirk(
        "not_utf8",
        "Texts in the JSON are in another coding; what is no UTF-8 is read as U+FFFD.",
        "serial numbers and asset tags as memory holds them",
    ),
    quirk(
        "packed_unasked",
        "The body is packed by gzip, though nobody asked for that. It is unpacked, up to the bound that bodies have.",
        "HPE iLO 4 and 5",
    ),
    quirk(
        "property_twice",
        "A property stands in an object twice; the last one counts.",
        "AMI MegaRAC",
    ),
    quirk(
        "success_as_error",
        "A change that went well is answered with a body in the shape of an error, which says Success. It is done.",
        "HPE iLO 4 and 5",
    ),
    quirk(
        "error_as_success",
        "What cannot be read is answered with 200, and a body that is nothing but an error. It is an error.",
        "Dell iDRAC 9, HPE iLO 5, in collections of what is not fitted",
    ),
    // Types.
    quirk(
        "members_null",
        "Members of a collection is null, an object, or not there. It has none.",
        "NVIDIA BlueField",
    ),
    quirk(
        "null_member",
        "A list holds null between its links, which is passed over.",
        "HPE iLO 5 (AlertDestinations), in lists of links elsewhere",
    ),
    quirk(
        "object_for_list",
        "An empty list is `{}`, or a list of one is that one. As a type it is read as the list.",
        "services written in Lua",
    ),
    quirk(
        "text_for_number",
        "A number is a text, or a text a number. As a type it is read as what the schema has.",
        "HPE iLO 5 (BitRate), Dell (MemberId)",
    ),
    quirk(
        "placeholder_for_nothing",
        "Where nothing is known there is N/A, NA or an empty text, also for numbers. As a type such a property is absent.",
        "Cisco CIMC, Dell iDRAC 9",
    ),
    quirk(
        "date_that_is_none",
        "Times are 00:00:00Z, 0000-00-00T00:00:00Z or have no offset. They stay the texts that they are.",
        "Dell iDRAC 9 (ReleaseDate), HPE iLO 5 (Created)",
    ),
    quirk(
        "required_is_missing",
        "Name, ChassisType or AccountTypes are missing, or null. As a type they are empty, or absent.",
        "AMI, HPE, Supermicro",
    ),
    quirk(
        "count_is_wrong",
        "Members@odata.count is another number than there are members. Nothing goes by it.",
        "Dell iDRAC 9 (DellSlots), services that count before they filter",
    ),
    // Tags.
    quirk(
        "tag_in_body_only",
        "There is no header ETag, but @odata.etag, which is as good.",
        "Dell iDRAC 9, older OpenBMC",
    ),
    quirk(
        "tag_is_a_number",
        "@odata.etag is a JSON number, or has no quotes. It is sent back as it came, and with quotes where that is refused.",
        "Dell iDRAC 9",
    ),
    quirk(
        "weak_tag_refused",
        "A weak tag is given, and refused in If-Match, which compares strongly. The strong form is tried once.",
        "HPE iLO 5, Lenovo XCC",
    ),
    quirk(
        "header_tag_is_another",
        "The header ETag is not what @odata.etag says, and only that is taken.",
        "web servers in front that make tags themselves",
    ),
    quirk(
        "tag_with_packing",
        "The tag ends in -gzip or ;gzip, for the packing of the answer, and is not known without it.",
        "Apache, Jetty in front",
    ),
    quirk(
        "star_refused",
        "If-Match: * is refused with 412, though it is there. The tag is read and sent.",
        "HPE iLO 5 and 6",
    ),
    quirk(
        "own_tag_refused",
        "The very tag that the service gives is refused, in every form. It is an error, unless the client was built `unguarded`.",
        "AMI MegaRAC",
    ),
    quirk(
        "no_tag",
        "There are no tags. Changes are not guarded.",
        "sushy-tools, older BMCs",
    ),
    quirk(
        "member_without_tag",
        "Members that `$expand` brings in have no @odata.etag. What is to be changed is read by itself first.",
        "HPE iLO 5 and 6",
    ),
    // Reading many.
    quirk(
        "expand_drops_properties",
        "Members that `$expand` brings in lack what they have when read by themselves. They are read by themselves.",
        "AMI",
    ),
    quirk(
        "expand_is_ignored",
        "`$expand` is said to be there, and does nothing, or is answered with an error. Members are read by themselves, and it is remembered.",
        "bmcweb as it is built mostly",
    ),
    // Places.
    quirk(
        "location_of_another_host",
        "Location names a host that only the BMC knows. Its path is asked for at the service, and no other host ever.",
        "behind translation of addresses, and gateways",
    ),
    quirk(
        "location_missing",
        "A new session has no Location. The body says where it stands.",
        "older OpenBMC, Huawei iBMC, Dell PowerVault",
    ),
    quirk(
        "location_without_root",
        "Location is SessionService/Sessions/1, which begins at the service root and not where it stands.",
        "BMCs of 2019, known from DMTF's Python library",
    ),
    quirk(
        "redirect_to_slash",
        "A request is sent on to its URI with a slash at the end, by 301, of which HTTP makes a GET. It is sent there as it is: nothing was done yet.",
        "older Supermicro, Lenovo IMM2",
    ),
    quirk(
        "link_is_a_text",
        "A link is the URI as a text, and no object with @odata.id.",
        "services before Redfish 1.0",
    ),
    // Sessions.
    quirk(
        "root_wants_login",
        "The service root answers 401 without credentials. It is read with them.",
        "gateways in front",
    ),
    quirk(
        "root_without_sessions",
        "The service root has no Links/Sessions. They are looked for where the schema has them.",
        "AMI before its first restart",
    ),
    quirk(
        "no_sessions",
        "There are no sessions, neither listed nor where the schema has them. User and password go with each request.",
        "sushy-tools",
    ),
    quirk(
        "session_gone_at_logout",
        "DELETE of one's own session is answered with 401 or 404 though it ends it, or it had ended. It is closed.",
        "several",
    ),
    // Long work.
    quirk(
        "accepted_without_location",
        "202 has no Location. The task is looked for in the body; where there is none, the change is taken as done.",
        "Supermicro",
    ),
    quirk(
        "task_in_part",
        "A task has no @odata.type. What has a TaskState is one.",
        "Supermicro",
    ),
    quirk(
        "job_for_task",
        "Where a task belongs there is a job, whose JobState has words of its own.",
        "Dell iDRAC 9",
    ),
    quirk(
        "job_behind_success",
        "Work that goes on is answered with 200 or 201, and Location names its job.",
        "Dell iDRAC 9, for volumes",
    ),
    // Time.
    quirk(
        "clock_is_wrong",
        "Retry-After is a date by a clock that is years off. It is held against the header Date of the same answer.",
        "BMCs whose battery is empty",
    ),
    quirk(
        "wait_with_fraction",
        "Retry-After is 0.5, or 2 seconds. The number counts.",
        "web frameworks",
    ),
    // Errors.
    quirk(
        "message_alone",
        "@Message.ExtendedInfo is one message, and no list of them.",
        "HPE iLO 4",
    ),
    quirk(
        "message_at_top",
        "@Message.ExtendedInfo stands at the top of the body, and there is no error.",
        "HPE iLO 4, Lenovo",
    ),
    quirk(
        "message_without_text",
        "A message has a MessageId and no Message. The id is shown.",
        "HPE iLO 5",
    ),
    quirk(
        "message_of_before",
        "A message says Severity, as before MessageSeverity, and its arguments are numbers.",
        "most services before 2020",
    ),
    quirk(
        "page_for_error",
        "An error is a page of HTML, or a line of text, from what stands in front. Its status counts.",
        "all with a web server in front",
    ),
];

const fn quirk(name: &'static str, about: &'static str, seen: &'static str) -> Quirk {
    Quirk { name, about, seen }
}

/// Where sessions are, by the schema of `Session`.
pub(crate) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// Whether a service that does not list sessions has refused one since it has none. It may say 401 to whoever brings no password, before it looks for anything.
pub(crate) fn no_sessions(listed: Option<&str>, refused: &Error) -> bool {
    let none = matches!(
        refused.kind,
        Kind::Unauthorized | Kind::NotFound | Kind::Unsupported
    );
    listed.is_none() && none
}

// ---- Bodies

/// The body as JSON.
pub(crate) fn json(body: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(body).or_else(|error| {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        serde_json::from_str(&String::from_utf8_lossy(body)).map_err(|_| error)
    })
}

/// The body as its type. What does not fit is mended or left out, property by property.
pub(crate) fn typed<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(body).or_else(|_| fitted(json(body)?))
}

/// The value as its type. What does not fit is mended or left out, property by property.
pub(crate) fn fitted<T: DeserializeOwned>(mut value: Value) -> Result<T, serde_json::Error> {
    // A resource has some hundred properties; one whose every second is wrong is no resource.
    for _ in 0..100 {
        let error = match serde_path_to_error::deserialize(&value) {
            Ok(typed) => return Ok(typed),
            Err(error) => error,
        };
        let text = error.inner().to_string();
        let path: Vec<Step> = error.path().iter().map(Step::of).collect();
        tracing::debug!(path = %error.path(), error = %text, "a property does not fit its type");
        if !mend(&mut value, &path, &text) {
            return Err(error.into_inner());
        }
    }
    serde_json::from_value(value)
}

enum Step {
    Key(String),
    Index(usize),
    Unknown,
}

impl Step {
    fn of(segment: &Segment) -> Self {
        match segment {
            Segment::Map { key } => Self::Key(key.clone()),
            Segment::Seq { index } => Self::Index(*index),
            Segment::Enum { .. } | Segment::Unknown => Self::Unknown,
        }
    }
}

/// Changes what stands at `path` to what is wanted there, else takes it away.
fn mend(value: &mut Value, path: &[Step], wrong: &str) -> bool {
    // What lies behind a step that has no name is judged with what holds it.
    let known = path
        .iter()
        .position(|step| matches!(step, Step::Unknown))
        .unwrap_or(path.len());
    let Some((last, before)) = path[..known].split_last() else {
        return false;
    };
    let mut at = value;
    for step in before {
        let next = match step {
            Step::Key(key) => at.get_mut(key),
            Step::Index(index) => at.get_mut(index),
            Step::Unknown => None,
        };
        let Some(next) = next else {
            return false;
        };
        at = next;
    }
    let found = match last {
        Step::Key(key) => at.get_mut(key),
        Step::Index(index) => at.get_mut(index),
        Step::Unknown => None,
    };
    let Some(found) = found else {
        return false;
    };
    if let Some(better) = better(found, wrong) {
        *found = better;
        return true;
    }
    match (at, last) {
        (Value::Object(object), Step::Key(key)) => object.remove(key).is_some(),
        (Value::Array(list), Step::Index(index)) => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

fn better(found: &Value, wrong: &str) -> Option<Value> {
    let wanted = wrong
        .rsplit_once("expected ")
        .map_or("", |(_, wanted)| wanted);
    let begins = |words: &[&str]| words.iter().any(|word| wanted.starts_with(word));
    match found {
        Value::Object(object) if begins(&["a sequence"]) => Some(match object.is_empty() {
            true => json!([]),
            false => json!([found]),
        }),
        Value::String(_) | Value::Number(_) if begins(&["a sequence"]) => Some(json!([found])),
        Value::Number(number) if begins(&["a string", "string"]) => Some(json!(number.to_string())),
        Value::String(text) if begins(&["f64", "f32"]) => {
            text.trim().parse::<f64>().ok().map(|number| json!(number))
        }
        Value::String(text) if begins(&["i", "u"]) => {
            text.trim().parse::<i64>().ok().map(|number| json!(number))
        }
        Value::String(text) if begins(&["a boolean"]) => {
            let text = text.to_ascii_lowercase();
            text.parse::<bool>().ok().map(|yes| json!(yes))
        }
        _ => None,
    }
}

/// The body as it was before it was packed. What cannot be unpacked stays as it came, and will be no JSON.
pub(crate) fn unpacked(headers: &mut HeaderMap, body: Bytes) -> Bytes {
    use std::io::Read as _;
    let packed = headers
        .get(CONTENT_ENCODING)
        .and_then(|coding| coding.to_str().ok())
        .is_some_and(|coding| {
            let coding = coding.trim();
            coding.eq_ignore_ascii_case("gzip") || coding.eq_ignore_ascii_case("x-gzip")
        });
    // The answer to a HEAD says how the body would be coded, and has none; some say gzip and mean it not.
    if !packed || !body.starts_with(&[0x1f, 0x8b]) {
        return body;
    }
    let mut whole = Vec::new();
    let most = MAX_BODY as u64;
    let unpacking = flate2::read::MultiGzDecoder::new(&*body).take(most + 1);
    match { unpacking }.read_to_end(&mut whole) {
        Ok(_) if whole.len() <= MAX_BODY => {
            headers.remove(CONTENT_ENCODING);
            whole.into()
        }
        _ => body,
    }
}

/// Whether a body is nothing but the report of a failure.
pub(crate) fn only_an_error(body: &Value) -> bool {
    let Some(body) = body.as_object() else {
        return false;
    };
    body.get("error").is_some_and(Value::is_object)
        && !body.contains_key("@odata.id")
        && !body.contains_key("@odata.type")
        && !says_success(&body["error"])
}

/// What a failure is whose status says that all went well: its messages know.
pub(crate) fn kind_of(messages: &[Message]) -> Kind {
    let is = |keys: &[&str]| messages.iter().any(|message| keys.contains(&message.key()));
    if is(&["ResourceMissingAtURI", "ResourceNotFound"]) {
        Kind::NotFound
    } else if is(&["InsufficientPrivilege", "ResourceAtUriUnauthorized"]) {
        Kind::Forbidden
    } else if is(&["NoValidSession"]) {
        Kind::Unauthorized
    } else {
        Kind::Service
    }
}

/// Whether an object in the shape of an error says that all went well.
fn says_success(error: &Value) -> bool {
    let messages = match error.get("@Message.ExtendedInfo") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    let fine = |message: &Value| {
        let id = message
            .get("MessageId")
            .and_then(Value::as_str)
            .unwrap_or_default();
        matches!(
            id.rsplit('.').next(),
            Some(
                "Success"
                    | "NoOperation"
                    | "Created"
                    | "OperationSuccess"
                    | "SystemResetRequired"
                    | "ResetRequired"
            )
        )
    };
    !messages.is_empty() && messages.iter().all(fine)
}

// ---- Tags

/// The tag of an answer: in the header, else in the body.
pub(crate) fn etag(headers: &HeaderMap, body: &[u8]) -> Option<Etag> {
    header_tag(headers).or_else(|| body_tag(&json(body).ok()?))
}

/// The same of a body that was read already.
pub(crate) fn tag(headers: &HeaderMap, body: &Value) -> Option<Etag> {
    header_tag(headers).or_else(|| body_tag(body))
}

fn header_tag(headers: &HeaderMap) -> Option<Etag> {
    let tag = headers.get(ETAG)?.to_str().ok()?.trim();
    (!tag.is_empty()).then(|| Etag::new(tag))
}

/// `@odata.etag` of a resource.
pub(crate) fn body_tag(body: &Value) -> Option<Etag> {
    match body.get("@odata.etag")? {
        Value::String(tag) if !tag.is_empty() => Some(Etag::new(tag.as_str())),
        Value::Number(tag) => Some(Etag::new(tag.to_string())),
        _ => None,
    }
}

/// The forms in which a tag may be taken, the right one first. Each names the same state, so that none of them can overwrite what another client changed.
pub(crate) fn forms(headers: &HeaderMap, body: &Value) -> Vec<Etag> {
    let mut forms: Vec<Etag> = Vec::new();
    let said: Vec<Etag> = header_tag(headers)
        .into_iter()
        .chain(body_tag(body))
        .collect();
    forms.extend(said.iter().cloned());
    forms.extend(said.iter().filter_map(other_form));
    let mut known = std::collections::HashSet::new();
    forms.retain(|form| known.insert(form.clone()));
    forms
}

/// Another way to write the same tag: strong where it is weak, with quotes where it has none, without the packing that it names.
pub(crate) fn other_form(tag: &Etag) -> Option<Etag> {
    let text = tag.as_str();
    if text == "*" {
        return None;
    }
    let strong = text
        .strip_prefix("W/")
        .or_else(|| text.strip_prefix("w/"))
        .unwrap_or(text);
    let bare = strong.trim_matches('"');
    let plain = ["--gzip", "-gzip", ";gzip"]
        .iter()
        .find_map(|packing| bare.strip_suffix(packing))
        .unwrap_or(bare);
    let form = format!("\"{plain}\"");
    (form != text).then(|| Etag::new(form))
}

// ---- Places

/// The URI as one of the service: where it names another host, its path.
pub(crate) fn here(base: &Url, uri: &str) -> Option<String> {
    let uri = uri.trim();
    if uri.is_empty() {
        return None;
    }
    let rootless = ["SessionService/", "TaskService/", "JobService/", "v1/"]
        .iter()
        .any(|begin| uri.starts_with(begin));
    let url = match uri.strip_prefix("v1/").unwrap_or(uri) {
        uri if rootless => base.join("/redfish/v1/").ok()?.join(uri).ok()?,
        uri => base.join(uri).ok()?,
    };
    if url.origin() == base.origin() {
        return Some(uri_of(&url));
    }
    let ours = matches!(url.scheme(), "http" | "https") && url.path().starts_with("/redfish/");
    ours.then(|| uri_of(&url))
}

fn uri_of(url: &Url) -> String {
    match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    }
}

/// Where an answer says that something stands, as a URI of the service.
pub(crate) fn location(base: &Url, headers: &HeaderMap) -> Option<String> {
    let location = headers.get(LOCATION)?;
    here(base, &String::from_utf8_lossy(location.as_bytes()))
}

/// Whether a redirect only adds a slash at the end, or takes one away.
pub(crate) fn only_a_slash(from: &Url, to: &Url) -> bool {
    from.path() != to.path() && from.path().trim_end_matches('/') == to.path().trim_end_matches('/')
}

// ---- Long work

/// Where the work is watched that an answer speaks of, if it speaks of some. `accepted`: its status is 202.
pub(crate) fn monitor(
    base: &Url,
    accepted: bool,
    headers: &HeaderMap,
    body: Option<&Value>,
) -> Option<String> {
    let told = location(base, headers);
    if !accepted {
        // A job that is made is no work that goes on; one of Dell's is.
        return told.filter(|uri| {
            let last = uri.trim_end_matches('/').rsplit('/').next();
            last.is_some_and(|id| id.starts_with("JID_"))
        });
    }
    let body = body.unwrap_or(&Value::Null);
    told.or_else(|| here(base, body.get("TaskMonitor")?.as_str()?))
        .or_else(|| here(base, body.get("@odata.id")?.as_str()?).filter(|_| is_task(body)))
        .or_else(|| here(base, body.get("@odata.id")?.as_str()?).filter(|uri| is_of_work(uri)))
        .or_else(|| {
            let info = body.pointer("/error/@Message.ExtendedInfo");
            let info = info.or_else(|| body.get("@Message.ExtendedInfo"))?;
            let list = match info {
                Value::Array(list) => list.as_slice(),
                single => std::slice::from_ref(single),
            };
            list.iter()
                .filter_map(|message| message.get("MessageArgs")?.as_array())
                .flatten()
                .filter_map(Value::as_str)
                .filter(|argument| argument.contains("/redfish/"))
                .filter_map(|argument| here(base, argument))
                .find(|uri| is_of_work(uri))
        })
}

fn is_of_work(uri: &str) -> bool {
    ["/TaskService/", "/TaskMonitor", "/Tasks/", "/Jobs/"]
        .iter()
        .any(|part| uri.contains(part))
}

/// Whether this is a task, or a job in its place.
pub(crate) fn is_task(body: &Value) -> bool {
    let named = body
        .get("@odata.type")
        .and_then(Value::as_str)
        .is_some_and(|name| {
            let name = name.trim_start_matches('#');
            ["Task.", "Job.", "DellJob."]
                .iter()
                .any(|begin| name.starts_with(begin))
        });
    let stated = ["TaskState", "JobState"]
        .iter()
        .any(|name| body.get(*name).is_some_and(Value::is_string));
    named || stated
}

/// How work goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// It goes on.
    Running,
    /// It went well.
    Done,
    /// It ended otherwise, with this state.
    Failed(String),
}

/// How the work of a task or job goes.
pub(crate) fn life(task: &Value) -> Life {
    let text = |name: &str| task.get(name).and_then(Value::as_str).unwrap_or_default();
    let state = match text("TaskState") {
        "" => text("JobState"),
        state => state,
    };
    let critical = [text("TaskStatus"), text("JobStatus")].contains(&"Critical");
    match state {
        "Completed" | "RebootCompleted" if critical => Life::Failed(state.to_owned()),
        "Completed" | "RebootCompleted" => Life::Done,
        "Exception"
        | "Killed"
        | "Cancelled"
        | "Failed"
        | "CompletedWithErrors"
        | "RebootFailed" => Life::Failed(state.to_owned()),
        _ => Life::Running,
    }
}

// ---- Time

/// `Retry-After`, in seconds or as a date, as time from now.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |value: &HeaderValue| Some(value.to_str().ok()?.trim().to_owned());
    let value = headers.get(RETRY_AFTER).and_then(text)?;
    if value.starts_with(|first: char| first.is_ascii_digit()) {
        let number = value
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .next()?;
        return Duration::try_from_secs_f64(number.parse().ok()?).ok();
    }
    let date = httpdate::parse_http_date(&value).ok()?;
    let now = headers
        .get(DATE)
        .and_then(text)
        .and_then(|date| httpdate::parse_http_date(&date).ok());
    let now = now.unwrap_or_else(SystemTime::now);
    Some(date.duration_since(now).unwrap_or(Duration::ZERO))
}
