//! A plain HTTP client that looks closely at every answer.

use std::path::Path;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, StatusCode};
use serde_json::{Value, json};

const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

/// A client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Its body as JSON; null where there is none.
    pub(crate) body: Value,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Answer {
    /// The keys of the messages in an error, such as `Base.1.2.AccessDenied`, without registry and version.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let messages = self.body["error"]["@Message.ExtendedInfo"].as_array();
        let ids = messages
            .into_iter()
            .flatten()
            .filter_map(|message| message["MessageId"].as_str());
        ids.filter_map(|id| id.rsplit('.').next()).collect()
    }

    /// What an error says to people.
    #[cfg(feature = "libvirt")]
    pub(crate) fn said(&self) -> String {
        let messages = self.body["error"]["@Message.ExtendedInfo"].as_array();
        let texts = messages
            .into_iter()
            .flatten()
            .filter_map(|message| message["Message"].as_str());
        texts.collect::<Vec<_>>().join(" ")
    }

    /// The answer, if it is a success.
    #[track_caller]
    pub(crate) fn good(self) -> Self {
        assert!(self.status.is_success(), "{self:#?}");
        self
    }
}

impl Client {
    /// A client that trusts nobody but the server whose certificate this is.
    pub(crate) fn new(url: &str, certificate: Option<&Path>) -> Self {
        let mut http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120));
        if let Some(certificate) = certificate {
            let pem = std::fs::read(certificate).unwrap();
            http = http
                .tls_built_in_root_certs(false)
                .add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
        }
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            token: None,
        }
    }

    /// Begins a session and uses it from now on. Gives its URI.
    pub(crate) async fn log_in(&mut self, user: &str, password: &str) -> reqwest::Result<String> {
        let (uri, token) = self.new_session(user, password).await?;
        self.token = Some(token);
        Ok(uri)
    }

    /// Begins a session: its URI and its token.
    pub(crate) async fn new_session(
        &self,
        user: &str,
        password: &str,
    ) -> reqwest::Result<(String, String)> {
        let body = json!({"UserName": user, "Password": password});
        let answer = self.post(SESSIONS, &body).await?.good();
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        Ok((header("location"), header("x-auth-token")))
    }

    /// The same client with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// Sends a request. Whatever comes back must be Redfish: an answer, or an error in Redfish's own shape.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let began = Instant::now();
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::look(began, &method, path, request).await
    }

    /// POST of something that is no JSON.
    #[cfg(feature = "libvirt")]
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<Answer> {
        let began = Instant::now();
        let mut request = self.http.post(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("x-auth-token", token);
        }
        let request = request.header("content-type", kind).body(body);
        Self::look(began, &Method::POST, path, request).await
    }

    async fn look(
        began: Instant,
        method: &Method,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> reqwest::Result<Answer> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"))
        };
        let answer = Answer {
            status,
            headers,
            body,
            took: began.elapsed(),
        };
        // The longest that the service itself allows.
        assert!(answer.took < Duration::from_secs(62), "{method} {path}");
        assert_eq!(
            answer.headers["odata-version"], "4.0",
            "{method} {path}: {answer:#?}"
        );
        if !status.is_success() {
            assert!(!answer.keys().is_empty(), "{method} {path}: {answer:#?}");
        }
        Ok(answer)
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// GET of what must be there.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        answer
            .unwrap_or_else(|error| panic!("GET {path}: {error:?}"))
            .good()
            .body
    }

    /// POST.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PATCH.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> reqwest::Result<Answer> {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// DELETE.
    pub(crate) async fn delete(&self, path: &str) -> reqwest::Result<Answer> {
        self.send(Method::DELETE, path, None).await
    }

    /// The URIs of the members of a collection.
    pub(crate) async fn members(&self, path: &str) -> Vec<String> {
        let body = self.read(path).await;
        let members = body["Members"].as_array().expect("a collection");
        let uris = members
            .iter()
            .map(|m| m["@odata.id"].as_str().unwrap().to_owned());
        uris.collect()
    }
}
