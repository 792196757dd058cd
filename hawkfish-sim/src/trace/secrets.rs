//! Tokens and passwords by names of their own.
//!
//! A secret is known by where it stands: in a header that carries credentials, in a member of JSON whose name says so, before the `@` of a URI, as a private key. The same secret has
//! the same name wherever it stands, so that a trace without secrets can be run again: the world is made with passwords of these names, and a token that the new world gives
//! is known by the place at which the recorded one was given.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::entry::{Entry, What};
use super::{Header, Secrets};

/// Fewest and most characters of what the service takes for a password: only such get a name of any length.
const PASSWORDS: std::ops::RangeInclusive<usize> = 8..=128;

/// The header of a session's token.
pub(super) const X_AUTH_TOKEN: &str = "x-auth-token";

/// Knows the secrets that it has seen.
#[derive(Debug, Default)]
pub(super) struct Hider {
    names: BTreeMap<String, String>,
    tokens: usize,
    passwords: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Token,
    Password,
}

/// Whether a member of that name holds a secret, and what it is called then.
fn kind(member: &str) -> Option<Kind> {
    let ends = |endings: &[&str]| endings.iter().any(|ending| member.ends_with(ending));
    if ends(&["Password", "Passphrase", "password"]) {
        Some(Kind::Password)
    } else if ends(&["Token", "Secret", "SecretKey", "EncryptionKey"])
        || ["authorization", "cookie", X_AUTH_TOKEN].contains(&member.to_ascii_lowercase().as_str())
    {
        Some(Kind::Token)
    } else {
        None
    }
}

impl Hider {
    pub(super) fn header(&mut self, header: &Header) -> Header {
        let mut hidden = header.clone();
        hidden.secrets = Secrets::Hide;
        if let Some(password) = &mut hidden.description.password {
            *password = self.name(password, Kind::Password);
        }
        hidden
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Entry {
        let mut hidden = entry.clone();
        match &mut hidden.what {
            What::Request(request) => {
                self.headers(&mut request.headers);
                self.body(&mut request.body);
            }
            What::Response(response) => {
                self.headers(&mut response.headers);
                self.body(&mut response.body);
            }
            What::State(state) => self.body(&mut state.record),
            _ => {}
        }
        hidden
    }

    fn name(&mut self, secret: &str, kind: Kind) -> String {
        if secret.is_empty() {
            return String::new();
        }
        if let Some(name) = self.names.get(secret) {
            return name.clone();
        }
        let name = match kind {
            Kind::Token => {
                self.tokens += 1;
                format!("token-{}", self.tokens)
            }
            Kind::Password => {
                self.passwords += 1;
                let name = format!("password-{}", self.passwords);
                let length = secret.chars().count();
                // What is refused for its length stays so.
                match PASSWORDS.contains(&length) {
                    true => name,
                    false => {
                        let end = name.len().saturating_sub(length);
                        format!("{:-<length$}", &name[end..])
                    }
                }
            }
        };
        self.names.insert(secret.to_owned(), name.clone());
        name
    }

    fn headers(&mut self, headers: &mut HeaderMap) {
        let token = HeaderName::from_static(X_AUTH_TOKEN);
        for name in [
            AUTHORIZATION,
            PROXY_AUTHORIZATION,
            COOKIE,
            SET_COOKIE,
            token,
        ] {
            let values: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
            if values.is_empty() {
                continue;
            }
            headers.remove(&name);
            for value in values {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                let hidden = HeaderValue::try_from(self.credentials(&text));
                let hidden = hidden.unwrap_or_else(|_| HeaderValue::from_static("token"));
                headers.append(&name, hidden);
            }
        }
    }

    /// The value of a header that carries credentials: of Basic the name stays.
    fn credentials(&mut self, value: &str) -> String {
        let Some((scheme, secret)) = value.split_once(' ') else {
            return self.name(value, Kind::Token);
        };
        if scheme.eq_ignore_ascii_case("basic")
            && let Ok(plain) = BASE64_STANDARD.decode(secret.trim())
            && let Ok(plain) = String::from_utf8(plain)
            && let Some((user, password)) = plain.split_once(':')
        {
            let password = self.name(password, Kind::Password);
            return format!(
                "{scheme} {}",
                BASE64_STANDARD.encode(format!("{user}:{password}"))
            );
        }
        format!("{scheme} {}", self.name(secret, Kind::Token))
    }

    fn body(&mut self, body: &mut Bytes) {
        // Most hold none, and are not read.
        let holds = |part: &[u8]| memchr::memmem::find(body, part).is_some();
        let parts: [&[u8]; 8] = [
            b"assword",
            b"assphrase",
            b"oken",
            b"ecret",
            b"EncryptionKey",
            b"uthorization",
            b"ookie",
            b"PRIVATE KEY",
        ];
        let has_user = holds(b"://") && holds(b"@") && holds(b":");
        if !has_user && !parts.iter().any(|part| holds(part)) {
            return;
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(mut value) => {
                if self.json(&mut value) {
                    *body = value.to_string().into();
                }
            }
            // What is broken may hold anything.
            Err(_) if parts.iter().any(|part| holds(part)) => {
                *body = Bytes::from_static(b"(left out: it is not JSON, and may hold a secret)");
            }
            Err(_) => {}
        }
    }

    /// Whether something was there to hide.
    fn json(&mut self, value: &mut Value) -> bool {
        match value {
            Value::Object(members) => {
                let mut hid = false;
                for (name, below) in members {
                    hid |= match (kind(name), &mut *below) {
                        (Some(kind), Value::String(secret)) if !secret.is_empty() => {
                            *secret = self.name(secret, kind);
                            true
                        }
                        (_, below) => self.json(below),
                    };
                }
                hid
            }
            Value::Array(all) => all.iter_mut().fold(false, |hid, one| self.json(one) | hid),
            Value::String(text) if text.contains("PRIVATE KEY-----") => {
                *text = self.name(text, Kind::Token);
                true
            }
            Value::String(text) => match self.without_password(text) {
                Some(hidden) => {
                    *text = hidden;
                    true
                }
                None => false,
            },
            _ => false,
        }
    }

    /// A URI with a name in place of the password before its `@`.
    fn without_password(&mut self, text: &str) -> Option<String> {
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, host) = authority.rsplit_once('@')?;
        let (user, password) = user.split_once(':')?;
        let password = self.name(password, Kind::Password);
        let behind = &rest[authority.len()..];
        Some(format!("{scheme}://{user}:{password}@{host}{behind}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(hider: &mut Hider, text: &str) -> String {
        let mut body = Bytes::from(text.to_owned());
        hider.body(&mut body);
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn a_secret_has_one_name_wherever_it_stands() {
        let mut hider = Hider::default();
        let login = body(&mut hider, r#"{"UserName":"u","Password":"long enough"}"#);
        assert_eq!(login, r#"{"UserName":"u","Password":"password-1"}"#);
        let basic = format!("Basic {}", BASE64_STANDARD.encode("u:long enough"));
        let hidden = format!("Basic {}", BASE64_STANDARD.encode("u:password-1"));
        assert_eq!(hider.credentials(&basic), hidden);
        assert_eq!(hider.credentials("abc"), "token-1");
        assert_eq!(hider.credentials("Bearer abc"), "Bearer token-1");
        let image = r#"{"Image":"https://me:long enough@host/a"}"#;
        assert_eq!(
            body(&mut hider, image),
            r#"{"Image":"https://me:password-1@host/a"}"#
        );
        // What is refused for its length is so in the next run.
        assert_eq!(
            body(&mut hider, r#"{"Password":"ab!"}"#),
            r#"{"Password":"d-2"}"#
        );
        let nothing = "{ \"Password\": null, \"AssetTag\": \"x\" }";
        assert_eq!(body(&mut hider, nothing), nothing);
    }
}
