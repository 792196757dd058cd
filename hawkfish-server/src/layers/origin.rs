//! Web pages from elsewhere (DSP0266, "Response headers": `Access-Control-Allow-Origin`; the Fetch standard, "CORS protocol").
//!
//! A browser sends what a page asks for together with the page's origin. Pages of the service's own origin are at home. Pages of an origin that the operator
//! listed may ask for anything and read the answers. Pages from elsewhere may not read answers, which browsers see to, and may not change anything, which is
//! seen to here: a browser that remembers name and password would send them along.

use std::fmt;
use std::str::FromStr;

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    CACHE_CONTROL, HOST, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Uri};

/// Headers that a page may send.
const SENT: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, if-match, if-none-match, last-event-id, odata-version, x-auth-token",
);
/// Headers that a page may read, besides those that every page may.
const READ: HeaderValue = HeaderValue::from_static(
    "allow, etag, link, location, odata-version, retry-after, x-auth-token, x-request-id",
);
/// Methods that some resource takes; which one takes which is for those to know who may see it.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH, PUT, DELETE");
/// How long a browser may remember what it was told, seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");

/// Whose pages may talk to the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<Allowed>);

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Everybody's.
    Any,
    /// The pages of `https://host:port`, lower-case, without a port where it is the scheme's own.
    One(String),
}

/// Why an origin cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnOrigin;

impl fmt::Display for NotAnOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is no origin such as https://host or https://host:8443, and not *")
    }
}

impl std::error::Error for NotAnOrigin {}

impl FromStr for Allowed {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let uri: Uri = text.parse().map_err(|_| NotAnOrigin)?;
        let scheme = uri.scheme_str().filter(|s| matches!(*s, "http" | "https"));
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
            return Err(NotAnOrigin);
        };
        if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(NotAnOrigin);
        }
        let own = if scheme == "https" { 443 } else { 80 };
        let host = authority.host().to_ascii_lowercase();
        Ok(Self::One(match authority.port_u16() {
            Some(port) if port != own => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }))
    }
}

impl FromIterator<Allowed> for Origins {
    fn from_iter<I: IntoIterator<Item = Allowed>>(list: I) -> Self {
        Self(list.into_iter().collect())
    }
}

/// What the origin of a request means for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// No page of another origin sent it.
    Home,
    /// A page that may: with what is said to its browser.
    Listed(HeaderValue),
    /// A page that may not.
    Foreign,
}

impl Origins {
    /// Whose page sent the request.
    pub(super) fn page(&self, parts: &Parts) -> Page {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return Page::Home;
        };
        if is_home(origin, parts) {
            return Page::Home;
        }
        if self.0.contains(&Allowed::Any) {
            return Page::Listed(HeaderValue::from_static("*"));
        }
        let listed = origin.to_str().ok().and_then(|text| text.parse().ok());
        match listed {
            Some(one) if self.0.contains(&one) => Page::Listed(origin.clone()),
            _ => Page::Foreign,
        }
    }

    /// Adds to an answer what a browser needs to know.
    pub(super) fn tell(&self, page: &Page, response: &mut Response<Body>) {
        if let Page::Listed(origin) = page {
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, READ);
        }
        // Whoever keeps answers keeps one for each origin, also for those that are told nothing.
        if !self.0.is_empty() && !self.0.contains(&Allowed::Any) {
            response
                .headers_mut()
                .append(VARY, HeaderValue::from_static("origin"));
        }
    }
}

/// Whether a page of the service's own sent it: the origin's host and port are those that were asked. The scheme is not looked at: TLS may end before us.
fn is_home(origin: &HeaderValue, parts: &Parts) -> bool {
    let asked = parts
        .headers
        .get(HOST)
        .map(HeaderValue::as_bytes)
        .or_else(|| parts.uri.authority().map(|all| all.as_str().as_bytes()));
    let host = origin.as_bytes().splitn(3, |b| *b == b'/').nth(2);
    matches!((host, asked), (Some(host), Some(asked)) if host.eq_ignore_ascii_case(asked))
}

/// Whether a browser asks before it sends what a page wants.
pub(super) fn is_question(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that, for a page that may.
pub(super) fn yes() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, SENT);
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(origins: &str, origin: &str) -> Page {
        let origins: Origins = origins
            .split_whitespace()
            .map(|one| one.parse::<Allowed>().unwrap())
            .collect();
        let request = http::Request::get("/").header(HOST, "bmc.example:8443");
        let (parts, ()) = request
            .header(ORIGIN, origin)
            .body(())
            .unwrap()
            .into_parts();
        origins.page(&parts)
    }

    #[test]
    fn a_page_is_at_home_listed_or_foreign() {
        let listed = "https://ui.example https://other.example:444 http://plain.example:80";
        for (origin, may) in [
            ("https://ui.example", true),
            ("https://UI.example", true),
            ("https://other.example:444", true),
            ("http://plain.example", true),
            ("http://ui.example", false),
            ("https://ui.example:444", false),
            ("https://ui.example.evil", false),
            ("https://other.example", false),
            ("null", false),
        ] {
            let found = page(listed, origin);
            match may {
                true => assert_eq!(found, Page::Listed(origin.parse().unwrap()), "{origin}"),
                false => assert_eq!(found, Page::Foreign, "{origin}"),
            }
            assert_eq!(page("", origin), Page::Foreign);
            assert_eq!(page("*", origin), Page::Listed("*".parse().unwrap()));
        }
        assert_eq!(page("", "https://bmc.example:8443"), Page::Home);
        assert_eq!(page("", "https://bmc.example"), Page::Foreign);
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for bad in [
            "",
            "ui.example",
            "https://",
            "ftp://ui.example",
            "https://ui.example/page",
            "https://me@ui.example",
            "https://ui.example?x",
            "null",
        ] {
            assert_eq!(bad.parse::<Allowed>(), Err(NotAnOrigin), "{bad}");
        }
    }
}
