//! `raw`: any URI of the service.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Etag, Outcome, Request, Response};
use http::header::{ACCEPT, HeaderName, HeaderValue, IF_MATCH};
use http::{HeaderMap, Method};

use crate::change::{json_of, text_in};
use crate::failure::{Failure, Result};
use crate::output::{Format, Output};
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads it.
    Get(Asked),
    /// Reads only its headers.
    Head(Asked),
    /// Changes it.
    Patch {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        body: Body,
        #[command(flatten)]
        guard: Guard,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Creates a member of it, or calls an action.
    Post {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        body: Body,
        #[command(flatten)]
        guard: Guard,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Puts another in its place.
    Put {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        body: Body,
        #[command(flatten)]
        guard: Guard,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Deletes it.
    Delete {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        guard: Guard,
        #[command(flatten)]
        waiting: Waiting,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// A path of the service.
    uri: String,
    /// A query parameter, such as '$expand=.' or '$filter=Name eq 1'; may be given more than once.
    #[arg(short, long = "query", value_name = "NAME=VALUE")]
    queries: Vec<String>,
    /// A header, or @FILE with one in each line (secrets belong there); may be given more than once.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Also shows the status and the headers of the answer.
    #[arg(short, long)]
    include: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Body {
    /// The body: JSON, @FILE, or @- for standard input. A password belongs in a file, not here.
    #[arg(short, long, default_value = "{}")]
    data: String,
}

#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// Only if it has this ETag.
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    /// Reads its ETag first, and does it only if nobody else changes it meanwhile.
    #[arg(long, conflicts_with = "if_match")]
    guard: bool,
}

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    let (method, asked, body, guard, waiting) = match command {
        Command::Get(asked) => return read(client, output, Method::GET, asked).await,
        Command::Head(asked) => return read(client, output, Method::HEAD, asked).await,
        Command::Patch {
            asked,
            body,
            guard,
            waiting,
        } => (Method::PATCH, asked, Some(body), guard, waiting),
        Command::Post {
            asked,
            body,
            guard,
            waiting,
        } => (Method::POST, asked, Some(body), guard, waiting),
        Command::Put {
            asked,
            body,
            guard,
            waiting,
        } => (Method::PUT, asked, Some(body), guard, waiting),
        Command::Delete {
            asked,
            guard,
            waiting,
        } => (Method::DELETE, asked, None, guard, waiting),
    };
    let mut request = Request::new(method, asked.uri());
    if let Some(body) = body {
        request = request.json(&json_of(&body.data)?)?;
    }
    if let Some(etag) = guard.etag(client, asked).await? {
        let value = HeaderValue::try_from(etag.as_str())
            .map_err(|_| Failure::Usage(format!("{}: no ETag", etag.as_str())))?;
        request = request.header(IF_MATCH, value);
    }
    request.headers.extend(asked.headers()?);
    let outcome = client.change(request).await?;
    if let (Outcome::Done(answer), true) = (&outcome, asked.include) {
        return show(output, answer);
    }
    match waiting.answer(output, outcome).await? {
        Some(answer) if asked.include => show(output, &answer),
        Some(answer) if answer.body.is_empty() => output.done("done", &answer),
        Some(answer) => output.raw(&answer),
        None => Ok(()),
    }
}

async fn read(client: &Client, output: &Output, method: Method, asked: &Asked) -> Result<()> {
    // Not everything is JSON: $metadata is XML.
    let accept = HeaderValue::from_static("application/json, */*;q=0.5");
    let head = method == Method::HEAD;
    let mut request = Request::new(method, asked.uri()).header(ACCEPT, accept);
    request.headers.extend(asked.headers()?);
    let answer = client.call(request).await?;
    match asked.include || head {
        true => show(output, &answer),
        false => output.raw(&answer),
    }
}

/// The whole answer: of a table what stood on the wire, else an object of it.
fn show(output: &Output, answer: &Response) -> Result<()> {
    if output.format == Format::Table {
        output.line(&answer.status.to_string())?;
        for (name, value) in &answer.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            output.line(&format!("{name}: {}", hidden(name, &value)))?;
        }
        if answer.body.is_empty() {
            return Ok(());
        }
        output.line("")?;
        return output.raw(answer);
    }
    let headers: serde_json::Map<String, serde_json::Value> = answer
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), hidden(name, &value).into())
        })
        .collect();
    let body = match answer.json() {
        Ok(body) => body,
        Err(_) if answer.body.is_empty() => serde_json::Value::Null,
        Err(_) => String::from_utf8_lossy(&answer.body).into_owned().into(),
    };
    output.json(&serde_json::json!({
        "Status": answer.status.as_u16(),
        "Headers": headers,
        "Body": body,
    }))
}

/// What stands on a screen or in a log of a build is read by others.
fn hidden<'a>(name: &HeaderName, value: &'a str) -> &'a str {
    match name.as_str() {
        "x-auth-token" | "set-cookie" => "(not shown)",
        _ => value,
    }
}

impl Asked {
    fn uri(&self) -> String {
        let mut uri = self.uri.clone();
        for query in &self.queries {
            uri.push(if uri.contains('?') { '&' } else { '?' });
            uri.push_str(&encoded(query));
        }
        uri
    }

    fn headers(&self) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for argument in &self.headers {
            let lines = match argument.strip_prefix('@') {
                Some(file) => text_in(std::path::Path::new(file))?,
                None => argument.clone(),
            };
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                // What is wrong may be a secret.
                let wrong = || Failure::Usage("a header is `Name: value`".into());
                let (name, value) = line.split_once(':').ok_or_else(wrong)?;
                let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
                let value = HeaderValue::try_from(value.trim()).map_err(|_| wrong())?;
                headers.append(name, value);
            }
        }
        Ok(headers)
    }
}

impl Guard {
    async fn etag(&self, client: &Client, asked: &Asked) -> Result<Option<Etag>> {
        if !self.guard {
            return Ok(self.if_match.as_ref().map(Etag::new));
        }
        // An action stands below what it changes, and is not itself something to read.
        let uri = asked.uri.split(['?', '#']).next().unwrap_or_default();
        let guarded = uri
            .split_once("/Actions/")
            .map_or(uri, |(before, _)| before);
        let read = client.get_value(guarded).await?;
        read.etag.map(Some).ok_or_else(|| {
            Failure::NotFound(format!(
                "{guarded} has no ETag, so that nothing can be guarded by it"
            ))
        })
    }
}

/// A parameter of a query, with what cannot stand in a URI percent-encoded. `$` and what the values of Redfish's parameters are made of stay readable, since not every BMC decodes.
fn encoded(query: &str) -> String {
    let mut encoded = String::new();
    for byte in query.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => encoded.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' | b';'
            | b'=' | b':' | b'@' | b'/' | b'?' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_as_far_as_it_must_be() {
        let asked = Asked {
            uri: "/redfish/v1/Systems?only".into(),
            queries: vec![
                "$filter=Name eq 'a&b#c'".into(),
                "$expand=.($levels=1)".into(),
            ],
            headers: Vec::new(),
            include: false,
        };
        assert_eq!(
            asked.uri(),
            "/redfish/v1/Systems?only&$filter=Name%20eq%20'a%26b%23c'&$expand=.($levels=1)"
        );
    }
}
