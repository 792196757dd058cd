//! Headers of answers, and the query of requests.

use std::collections::BTreeMap;

use axum::body::Body;
use http::header::LOCATION;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Response, Uri};
use serde::{Deserialize, Serialize};

use super::effect::Asked;
use super::when::Pattern;

/// What becomes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// These are missing.
    pub remove: Vec<String>,
    /// These are as said.
    pub set: BTreeMap<String, String>,
}

impl Headers {
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { remove, set } = self;
        let name = |name: &String| HeaderName::try_from(name).is_ok();
        let value = |value: &String| HeaderValue::try_from(value).is_ok();
        match remove.iter().chain(set.keys()).all(name) && set.values().all(value) {
            true => Ok(()),
            false => Err("that cannot stand in a header".to_owned()),
        }
    }

    pub(super) fn done_to(&self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        for name in &self.remove {
            headers.remove(name.as_str());
        }
        for (name, value) in &self.set {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// How the header Location is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    /// As a path: `/redfish/v1/…`.
    Path,
    /// With scheme and host, as the client knows them.
    Absolute,
    /// With another scheme and host: `https://bmc.internal`.
    Host(String),
}

impl Location {
    pub(super) fn check(&self) -> Result<(), String> {
        let Self::Host(host) = self else {
            return Ok(());
        };
        let read = host.parse::<Uri>();
        match read.is_ok_and(|uri| uri.scheme().is_some() && uri.path() == "/") {
            true => Ok(()),
            false => Err(format!("{host:?} is no scheme and host")),
        }
    }

    pub(super) fn done_to(&self, mut response: Response<Body>, asked: &Asked) -> Response<Body> {
        let said = response.headers().get(LOCATION);
        let Some(uri) = said.and_then(|said| said.to_str().ok()?.parse::<Uri>().ok()) else {
            return response;
        };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let to = match self {
            Self::Path => path.to_owned(),
            Self::Absolute => format!("{}://{}{path}", asked.scheme, asked.host),
            Self::Host(host) => format!("{}{path}", host.trim_end_matches('/')),
        };
        if let Ok(to) = HeaderValue::try_from(to) {
            response.headers_mut().insert(LOCATION, to);
        }
        response
    }
}

/// Which parameters of a query are not looked at: the request is answered as if they were not there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Query {
    /// Those with such a name.
    pub ignore: Vec<Pattern>,
    /// But not those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<Pattern>,
}

impl Query {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.ignore.is_empty() {
            true => Err("query says which parameters it ignores".to_owned()),
            false => Ok(()),
        }
    }

    /// A URI without them; `None` where it has none of them.
    pub(crate) fn of(&self, uri: &Uri) -> Option<Uri> {
        let query = uri.query()?;
        let is_kept = |pair: &&str| {
            let name = pair.split('=').next().unwrap_or_default();
            // As many clients write it.
            let name = name.replace("%24", "$");
            !self.ignore.iter().any(|pattern| pattern.fits(&name))
                || self.keep.iter().any(|pattern| pattern.fits(&name))
        };
        let kept: Vec<&str> = query.split('&').filter(is_kept).collect();
        if kept.len() == query.split('&').count() {
            return None;
        }
        let rest = match kept.is_empty() {
            true => uri.path().to_owned(),
            false => format!("{}?{}", uri.path(), kept.join("&")),
        };
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(rest.parse().ok()?);
        Uri::from_parts(parts).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_loses_what_is_ignored_and_keeps_the_rest() {
        let patterns = |all: &[&str]| all.iter().map(|p| Pattern::new(p).unwrap()).collect();
        let query = Query {
            ignore: patterns(&["$*"]),
            keep: patterns(&["$top"]),
        };
        let of = |uri: &str| query.of(&uri.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(of("/a?$expand=*&$top=2&x=1").unwrap(), "/a?$top=2&x=1");
        assert_eq!(of("http://h/a?%24expand=*").unwrap(), "http://h/a");
        assert_eq!(of("/a?$top=2&only"), None);
        assert_eq!(of("/a"), None);
    }
}
