//! A service on simulated machines, and requests to it. Every answer is held against the rules that all answers follow.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use bytes::Bytes;
use hawkfish_core::accounts::HashCost;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::entropy::SeededEntropy;
use hawkfish_core::id::HostId;
use hawkfish_core::outgoing::Policy;
use hawkfish_core::subscriptions::SubscriptionSettings;
use hawkfish_server::app::Reach;
use hawkfish_server::settings::TlsChoice;
use hawkfish_server::{App, HawkFish, Options, tls};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::post::Post;

pub(crate) const ADMIN: (&str, &str) = ("admin", "correct horse");
pub(crate) const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
pub(crate) const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";
pub(crate) const ROLES: &str = "/redfish/v1/AccountService/Roles";
pub(crate) const SYSTEMS: &str = "/redfish/v1/Systems";

/// The service.
pub(crate) struct Door {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    /// The simulated machines.
    pub(crate) rack: Arc<SimBackend>,
    /// What carries events to destinations.
    pub(crate) post: Arc<Post>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) bytes: Bytes,
}

/// A request on its way.
#[must_use]
pub(crate) struct Sending<'a> {
    door: &'a Door,
    request: http::request::Builder,
    body: Body,
}

impl Door {
    pub(crate) async fn open() -> Self {
        Self::open_with(Options::default()).await
    }

    pub(crate) async fn open_with(options: Options) -> Self {
        Self::open_for(options, SubscriptionSettings::default().most).await
    }

    /// One that takes only so many subscriptions.
    pub(crate) async fn open_with_subscriptions(most: usize) -> Self {
        Self::open_for(Options::default(), most).await
    }

    async fn open_for(options: Options, subscriptions: usize) -> Self {
        let post = Arc::new(Post::default());
        let settings = SubscriptionSettings {
            most: subscriptions,
            courier: Some(post.clone()),
            ..SubscriptionSettings::default()
        };
        Self::open_through(options, settings, post).await
    }

    /// One that sends events by HTTP, to receivers on this machine.
    pub(crate) async fn over_http() -> Self {
        let settings = SubscriptionSettings {
            policy: Some(Arc::new(Policy {
                allow: vec!["127.0.0.0/8".parse().unwrap()],
                deny: Vec::new(),
            })),
            ..SubscriptionSettings::default()
        };
        Self::open_through(Options::default(), settings, Arc::default()).await
    }

    async fn open_through(
        options: Options,
        subscriptions: SubscriptionSettings,
        post: Arc<Post>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let rack = SimSettings {
            systems: 2,
            ..SimSettings::default()
        };
        let rack = SimBackend::new(rack, clock.clone());
        let hf = HawkFish::builder()
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(7, "door")))
            .hash_cost(HashCost::LEAST)
            .session_limit(20)
            .subscriptions(subscriptions)
            .host(HostId::parse("sim").unwrap(), rack.clone())
            .in_memory()
            .start()
            .await
            .unwrap();
        hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
        let app = App::new(hf, options);
        Self {
            app,
            clock,
            rack,
            post,
        }
    }

    /// Has the service be like one that listens and is used: with a certificate of its own, and that of an authority in a slot.
    pub(crate) async fn furnish(&self) {
        let dir = tempfile::tempdir().unwrap();
        let here: std::net::SocketAddr = "127.0.0.1:8443".parse().unwrap();
        let tls = tls::load(&TlsChoice::SelfSigned, dir.path(), here.ip()).unwrap();
        let identity = tls.unwrap().identity;
        let text = identity.in_use().pem();
        self.app.reached(Reach {
            https: Some(here),
            identity: Some(identity),
            ..Reach::default()
        });
        let slot = format!("{}/VirtualMedia/Cd/Certificates", self.system(0));
        let body = json!({"CertificateString": text, "CertificateType": "PEM"});
        let made = self.send("POST", &slot).admin().json(&body).answer().await;
        assert_eq!(made.status, 201, "{made:?}");
    }

    /// The URI of the n-th system.
    pub(crate) fn system(&self, number: usize) -> String {
        let systems = self.app.hawkfish().systems(&Ctx::service());
        format!("{SYSTEMS}/{}", systems[number].id)
    }

    pub(crate) fn send(&self, method: &str, uri: &str) -> Sending<'_> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Sending {
            door: self,
            request: Request::builder().method(method).uri(uri),
            body: Body::empty(),
        }
    }

    /// GET as the administrator, which succeeds.
    pub(crate) async fn read(&self, uri: &str) -> Answer {
        let answer = self.send("GET", uri).admin().answer().await;
        assert_eq!(answer.status, 200, "GET {uri}: {answer:?}");
        answer
    }

    /// Makes an account and returns its URI.
    pub(crate) async fn account(&self, name: &str, role: &str) -> String {
        let body = json!({"UserName": name, "Password": password(name), "RoleId": role});
        let made = self
            .send("POST", ACCOUNTS)
            .admin()
            .json(&body)
            .answer()
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        made.header("location").to_owned()
    }

    /// Logs in and returns the answer.
    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Answer {
        let body = json!({"UserName": name, "Password": password});
        self.send("POST", SESSIONS).json(&body).answer().await
    }
}

/// The password of an account made by [`Door::account`].
pub(crate) fn password(name: &str) -> String {
    format!("{name}'s secret")
}

impl Sending<'_> {
    /// As if it came from there.
    pub(crate) fn coming_from(mut self, address: &str) -> Self {
        self.request = self.request.extension(hawkfish_server::layers::Peer {
            address: address.parse().unwrap(),
            tls: true,
        });
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn basic(self, name: &str, password: &str) -> Self {
        let encoded =
            base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
        self.header("authorization", &format!("Basic {encoded}"))
    }

    pub(crate) fn admin(self) -> Self {
        self.basic(ADMIN.0, ADMIN.1)
    }

    /// As an account made by [`Door::account`].
    pub(crate) fn user(self, name: &str) -> Self {
        self.basic(name, &password(name))
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("x-auth-token", token)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .raw(body.to_string())
    }

    pub(crate) fn raw(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn answer(self) -> Answer {
        let request = self.request.body(self.body).unwrap();
        let head = request.method() == Method::HEAD;
        let told = format!("{} {}", request.method(), request.uri());
        let response = self.door.app.answer(request).await;
        let (parts, body) = response.into_parts();
        let kind = parts.headers.get("content-type");
        let bytes = if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            // It would not end.
            Bytes::new()
        } else {
            body.collect().await.unwrap().to_bytes()
        };
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            bytes,
        };
        answer.check(&told, head);
        answer
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().unwrap()
    }

    /// Keys of the messages of an error, in their order.
    pub(crate) fn keys(&self) -> Vec<&str> {
        let messages = self.body["error"]["@Message.ExtendedInfo"].as_array();
        messages
            .into_iter()
            .flatten()
            .map(|message| {
                message["MessageId"]
                    .as_str()
                    .unwrap()
                    .rsplit('.')
                    .next()
                    .unwrap()
            })
            .collect()
    }

    /// Properties that an error is about.
    pub(crate) fn related(&self) -> Vec<&str> {
        let messages = self.body["error"]["@Message.ExtendedInfo"].as_array();
        messages
            .into_iter()
            .flatten()
            .flat_map(|message| message["RelatedProperties"].as_array())
            .flatten()
            .map(|pointer| pointer.as_str().unwrap())
            .collect()
    }

    /// Asserts a refusal: its status and the key of its first message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, key: &str) -> &Self {
        assert_eq!(
            (self.status.as_u16(), self.keys().first().copied()),
            (status, Some(key)),
            "{self:?}"
        );
        self
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(&self) -> &Self {
        assert!(self.status.is_success(), "{self:?}");
        self
    }

    /// What holds of every answer of the service.
    fn check(&self, told: &str, head: bool) {
        assert_eq!(self.header("odata-version"), "4.0", "{told}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{told}");
        assert!(
            self.headers.contains_key("cache-control"),
            "{told}: {self:?}"
        );
        assert!(!self.headers.contains_key("set-cookie"), "{told}");
        if self.status == StatusCode::UNAUTHORIZED {
            assert!(
                self.header("www-authenticate").starts_with("Basic realm="),
                "{told}"
            );
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(!self.header("allow").is_empty(), "{told}");
        }
        if head || matches!(self.status.as_u16(), 204 | 304) {
            assert!(self.bytes.is_empty(), "{told}: {self:?}");
            return;
        }
        if self.status.is_client_error() || self.status.is_server_error() {
            let error = &self.body["error"];
            assert!(
                error["code"]
                    .as_str()
                    .is_some_and(|code| code.contains('.')),
                "{told}: {self:?}"
            );
            assert!(error["message"].is_string(), "{told}: {self:?}");
            let messages = error["@Message.ExtendedInfo"].as_array();
            assert!(
                messages.is_some_and(|all| !all.is_empty()),
                "{told}: {self:?}"
            );
        }
        if let Some(etag) = self.body.get("@odata.etag") {
            assert_eq!(etag.as_str(), Some(self.header("etag")), "{told}");
        }
    }
}
