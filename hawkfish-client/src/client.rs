//! Reads, changes and calls what a service has.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use crate::SERVICE_ROOT;
use crate::auth::{Credentials, Session, basic};
use crate::collection::Members;
use crate::error::{Error, Kind};
use crate::resource::{Etag, Fetched, action_target, link};
use crate::task::Outcome;
use crate::transport::{InProcess, Network, Transport, Trust};
use crate::wire::{Request, Response};

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const MAX_REDIRECTS: usize = 5;

/// A client of one service. Clones share its session and its connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    transport: Arc<dyn Transport>,
    base: Url,
    credentials: Credentials,
    // Held over a log-in, so that many requests at once open one session and not many.
    session: Mutex<Option<Session>>,
}

/// Sets up a [`Client`].
#[derive(Debug)]
pub struct Builder {
    url: String,
    credentials: Credentials,
    trust: Trust,
    timeout: Duration,
    transport: Option<Arc<dyn Transport>>,
}

impl Builder {
    /// Log in with a session, when first needed; a session that the service has ended is renewed once.
    #[must_use]
    pub fn session(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Session {
            user: user.into(),
            password: password.into(),
        };
        self
    }

    /// Send user and password with each request.
    #[must_use]
    pub fn basic(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Credentials::Basic {
            user: user.into(),
            password: password.into(),
        };
        self
    }

    /// Trust what these certificates (PEM, one or several) have signed, besides what is publicly trusted.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust.ca_pem.push(pem.into());
        self
    }

    /// Trust any certificate: whoever stands between reads and changes everything.
    #[must_use]
    pub fn insecure(mut self) -> Self {
        self.trust.insecure = true;
        self
    }

    /// Trust the certificate whose SHA-256 this is, whoever signed it, and no certificate that is not named so.
    #[must_use]
    pub fn fingerprint(mut self, sha256: [u8; 32]) -> Self {
        self.trust.fingerprints.push(sha256);
        self
    }

    /// How long one answer may take; 60 s if not said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Over a transport of one's own instead of the network.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Straight into a service in this process, such as an `axum::Router`; the URL only names it.
    #[must_use]
    pub fn service<S, B>(self, service: S) -> Self
    where
        InProcess<S, B>: Transport,
    {
        self.transport(InProcess::<S, B>::new(service))
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a URL that is not `http` or `https`, or that holds credentials, and for a CA that is no PEM.
    pub fn build(self) -> Result<Client, Error> {
        let refused = |why: &str| Error::new(Kind::Refused, format!("{}: {why}", self.url));
        let base = Url::parse(&self.url).map_err(|error| refused("no URL").caused_by(error))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(refused("neither http nor https"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            // Not shown: what is refused here would stand in logs.
            return Err(Error::new(
                Kind::Refused,
                "the URL holds credentials; give them separately",
            ));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(Network::new(&base, &self.trust, self.timeout)?),
        };
        Ok(Client {
            inner: Arc::new(Inner {
                transport,
                base,
                credentials: self.credentials,
                session: Mutex::new(None),
            }),
        })
    }
}

impl Client {
    /// A client of the service at `url`: `https://host`, `https://host:port`.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            credentials: Credentials::None,
            trust: Trust::default(),
            timeout: Duration::from_secs(60),
            transport: None,
        }
    }

    /// Scheme, host and port of the service.
    pub fn origin(&self) -> String {
        self.inner.base.origin().ascii_serialization()
    }

    /// The service root, which needs no credentials.
    ///
    /// # Errors
    /// As [`Client::get_value`].
    pub async fn root(&self) -> Result<Fetched<Value>, Error> {
        fetched(
            self.call(Request::get(SERVICE_ROOT).anonymous()).await?,
            |response| response.json(),
        )
    }

    /// Reads a resource as its type.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Protocol`] when the resource does not fit the type.
    pub async fn get<T: DeserializeOwned>(&self, uri: &str) -> Result<Fetched<T>, Error> {
        fetched(self.fetch(uri).await?, |response| {
            serde_json::from_slice(&response.body).map_err(|error| {
                Error::protocol(format!("{}: not what was expected", response.uri)).caused_by(error)
            })
        })
    }

    /// Reads a resource as JSON. A URI with a fragment, such as `…/Power#/PowerSupplies/0`, reads that part.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::NotFound`] when the resource has no such part.
    pub async fn get_value(&self, uri: &str) -> Result<Fetched<Value>, Error> {
        let mut found = fetched(self.fetch(uri).await?, Response::json)?;
        if let Some((_, pointer)) = uri.split_once('#')
            && !pointer.is_empty()
        {
            let missing = || Error::new(Kind::NotFound, format!("{uri}: no such part"));
            found.value = found
                .value
                .pointer_mut(pointer)
                .map(Value::take)
                .ok_or_else(missing)?;
        }
        Ok(found)
    }

    /// The members of a collection.
    pub fn members(&self, uri: &str) -> Members {
        Members::new(self.clone(), uri)
    }

    /// Changes properties. With an ETag only if the resource still is what was read.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::PreconditionFailed`] when it has changed meanwhile.
    pub async fn patch(
        &self,
        uri: &str,
        etag: Option<&Etag>,
        body: &impl Serialize,
    ) -> Result<Outcome, Error> {
        let request = Request::new(Method::PATCH, uri)
            .if_match(etag)?
            .json(body)?;
        self.change(request).await
    }

    /// Creates a member of a collection, or calls an action whose target is known.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn post(&self, uri: &str, body: &impl Serialize) -> Result<Outcome, Error> {
        self.change(Request::new(Method::POST, uri).json(body)?)
            .await
    }

    /// Calls an action of a resource that was read; it is named as in the schema, `ComputerSystem.Reset`.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Unsupported`] when the resource does not list the action.
    pub async fn action(
        &self,
        resource: &Value,
        action: &str,
        parameters: &impl Serialize,
    ) -> Result<Outcome, Error> {
        let target = action_target(resource, action).ok_or_else(|| {
            let uri = resource.get("@odata.id").and_then(Value::as_str);
            Error::new(
                Kind::Unsupported,
                format!("{} has no action {action}", uri.unwrap_or("the resource")),
            )
        })?;
        self.post(target, parameters).await
    }

    /// Deletes a resource. With an ETag only if it still is what was read.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn delete(&self, uri: &str, etag: Option<&Etag>) -> Result<Outcome, Error> {
        self.change(Request::new(Method::DELETE, uri).if_match(etag)?)
            .await
    }

    /// Opens the session now and not with the first request. Without session credentials there is nothing to do.
    ///
    /// # Errors
    /// [`Kind::Unauthorized`] when the service does not accept them.
    pub async fn login(&self) -> Result<(), Error> {
        self.authorization().await.map(drop)
    }

    /// Closes the session, if there is one.
    ///
    /// # Errors
    /// The kind of the answer; [`Kind::Protocol`] when the service never said where its session stands.
    pub async fn logout(&self) -> Result<(), Error> {
        let Some(session) = self.inner.session.lock().await.take() else {
            return Ok(());
        };
        let uri = session.uri.ok_or_else(|| {
            Error::protocol("the service did not say where the session stands; it ends by itself")
        })?;
        let request = Request::new(Method::DELETE, uri)
            .anonymous()
            .header(X_AUTH_TOKEN, session.token);
        match self.call(request).await {
            // It had ended already.
            Err(error) if error.kind == Kind::Unauthorized => Ok(()),
            other => other.map(drop),
        }
    }

    /// Sends a request and gives back the answer, whatever its status.
    ///
    /// # Errors
    /// Only where there is no answer, no session, or a redirect to another origin.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let mut url = self.resolve(&request.uri)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send_to(&request, &url).await?;
            let follow = match response.status.as_u16() {
                301..=303 => matches!(request.method, Method::GET | Method::HEAD),
                307 | 308 => true,
                _ => false,
            };
            let Some(location) = response.headers.get(LOCATION) else {
                return Ok(response);
            };
            if !follow || request.stay {
                return Ok(response);
            }
            let location = String::from_utf8_lossy(location.as_bytes());
            let next = url.join(&location).map_err(|error| {
                Error::protocol(format!("{}: redirected to no URI", request.uri)).caused_by(error)
            })?;
            self.same_origin(&next)?;
            url = next;
        }
        Err(Error::protocol(format!(
            "{}: more than {MAX_REDIRECTS} redirects",
            request.uri
        )))
    }

    /// Sends a request; a 4xx or 5xx is an error.
    ///
    /// # Errors
    /// The kind of the answer.
    pub async fn call(&self, request: Request) -> Result<Response, Error> {
        let method = request.method.clone();
        self.send(request).await?.checked(&method)
    }

    pub(crate) async fn fetch(&self, uri: &str) -> Result<Response, Error> {
        self.call(Request::get(uri)).await
    }

    async fn change(&self, request: Request) -> Result<Outcome, Error> {
        Outcome::of(self, self.call(request).await?)
    }

    async fn send_to(&self, request: &Request, url: &Url) -> Result<Response, Error> {
        if request.anonymous {
            return self.transmit(request, url, None).await;
        }
        let authorization = self.authorization().await?;
        let response = self.transmit(request, url, authorization.as_ref()).await?;
        // The service has ended the session: it did nothing, so the request can be sent again.
        if response.status == StatusCode::UNAUTHORIZED
            && let Some((name, token)) = authorization
            && name == X_AUTH_TOKEN
        {
            self.forget(&token).await;
            let authorization = self.authorization().await?;
            return self.transmit(request, url, authorization.as_ref()).await;
        }
        Ok(response)
    }

    async fn transmit(
        &self,
        request: &Request,
        url: &Url,
        authorization: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, Error> {
        let mut sent = http::Request::new(request.body.clone());
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = plain(url).parse().map_err(|error: http::uri::InvalidUri| {
            Error::new(Kind::Refused, format!("{}: no URI", request.uri)).caused_by(error)
        })?;
        let headers = sent.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(ODATA_VERSION, HeaderValue::from_static("4.0"));
        headers.insert(
            USER_AGENT,
            HeaderValue::from_static(concat!("hawkfish/", env!("CARGO_PKG_VERSION"))),
        );
        if let Some((name, value)) = authorization {
            headers.insert(name, value.clone());
        }
        for (name, value) in &request.headers {
            headers.insert(name, value.clone());
        }
        let (parts, body) = self.inner.transport.send(sent).await?.into_parts();
        Ok(Response {
            uri: url.path().to_owned(),
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    async fn authorization(&self) -> Result<Option<(HeaderName, HeaderValue)>, Error> {
        match &self.inner.credentials {
            Credentials::None => Ok(None),
            Credentials::Basic { user, password } => {
                Ok(Some((AUTHORIZATION, basic(user, password))))
            }
            Credentials::Session { user, password } => {
                let mut session = self.inner.session.lock().await;
                let token = match &*session {
                    Some(session) => session.token.clone(),
                    None => session
                        .insert(self.open_session(user, password).await?)
                        .token
                        .clone(),
                };
                Ok(Some((X_AUTH_TOKEN, token)))
            }
        }
    }

    async fn forget(&self, token: &HeaderValue) {
        let mut session = self.inner.session.lock().await;
        // Another request may have renewed it already.
        if session.as_ref().is_some_and(|held| held.token == *token) {
            *session = None;
        }
    }

    async fn open_session(&self, user: &str, password: &str) -> Result<Session, Error> {
        // Boxed: a log-in sends requests, and each of those may look for a log-in.
        let root = Box::pin(self.root()).await?;
        let sessions = link(&root.value, "/Links/Sessions")
            .ok_or_else(|| Error::protocol("the service root has no Links/Sessions"))?;
        let request = Request::new(Method::POST, sessions)
            .anonymous()
            .json(&json!({"UserName": user, "Password": password}))?;
        let response = Box::pin(self.call(request)).await?;
        let mut token = response
            .headers
            .get(X_AUTH_TOKEN)
            .cloned()
            .ok_or_else(|| Error::protocol("the new session has no X-Auth-Token"))?;
        token.set_sensitive(true);
        let body_uri = || {
            response
                .json()
                .ok()
                .and_then(|body| Some(body.get("@odata.id")?.as_str()?.to_owned()))
        };
        // Behind a gateway a Location may name an address inside; then the body says where the session stands.
        let uri = response
            .location()
            .map(str::to_owned)
            .filter(|uri| self.resolve(uri).is_ok())
            .or_else(body_uri)
            .filter(|uri| self.resolve(uri).is_ok());
        Ok(Session { token, uri })
    }

    fn resolve(&self, uri: &str) -> Result<Url, Error> {
        let url = self.inner.base.join(uri).map_err(|error| {
            Error::new(Kind::Refused, format!("{uri}: no URI")).caused_by(error)
        })?;
        self.same_origin(&url)?;
        Ok(url)
    }

    fn same_origin(&self, url: &Url) -> Result<(), Error> {
        if url.origin() == self.inner.base.origin() {
            return Ok(());
        }
        Err(Error::new(
            Kind::Refused,
            format!(
                "{} leads away from {}; if that is the service, name it instead",
                url.origin().ascii_serialization(),
                self.origin()
            ),
        ))
    }
}

/// The URL as it is sent: a fragment stays with us.
fn plain(url: &Url) -> &str {
    let text = url.as_str();
    text.split_once('#').map_or(text, |(before, _)| before)
}

fn fetched<T>(
    response: Response,
    read: impl FnOnce(&Response) -> Result<T, Error>,
) -> Result<Fetched<T>, Error> {
    Ok(Fetched {
        value: read(&response)?,
        etag: response.etag(),
        uri: response.uri,
    })
}
