//! Reads a stream as a browser would.

use super::*;

/// A message of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    pub(crate) data: Option<Value>,
    pub(crate) retry: Option<u64>,
}

impl Message {
    /// The fields of a message, as the HTML standard has a client read them.
    pub(super) fn of(text: &str) -> Self {
        let mut message = Self::default();
        for line in text.lines().filter(|line| !line.starts_with(':')) {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            match name {
                "id" => message.id = Some(value.parse().expect("a number")),
                "retry" => message.retry = Some(value.parse().expect("a number")),
                "data" => {
                    assert_eq!(message.data, None, "more than one line: {text}");
                    message.data = Some(serde_json::from_str(value).expect("JSON"));
                }
                other => panic!("an unknown field {other}: {text}"),
            }
        }
        message
    }

    /// The key of the message of its one event.
    pub(crate) fn key(&self) -> &str {
        let id = self.event()["MessageId"].as_str().expect("a message");
        id.rsplit('.').next().unwrap_or_default()
    }

    /// Its one event.
    pub(crate) fn event(&self) -> &Value {
        let data = self.data.as_ref().expect("data");
        let events = data["Events"].as_array().expect("events");
        assert_eq!((events.len(), &data["Events@odata.count"]), (1, &json!(1)));
        &events[0]
    }
}

/// Messages out of bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    text: String,
}

impl Messages {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.text
            .push_str(std::str::from_utf8(bytes).expect("whole characters"));
    }

    /// The next one that is all there; comments are none.
    pub(crate) fn next(&mut self) -> Option<Message> {
        loop {
            let (one, rest) = self.text.split_once("\n\n")?;
            let message = Message::of(one);
            self.text = rest.to_owned();
            if message != Message::default() {
                return Some(message);
            }
        }
    }
}

/// A stream, read without a socket.
pub(super) struct Reader {
    pub(super) body: Body,
    pub(super) messages: Messages,
}

impl Reader {
    /// What comes next; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.messages.next() {
                return Some(message);
            }
            let frame = tokio::time::timeout(LIMIT, self.body.frame()).await;
            let frame = frame.expect("in time")?.expect("a frame");
            self.messages.add(frame.data_ref().expect("data"));
        }
    }

    /// The next event.
    pub(super) async fn event(&mut self) -> Message {
        self.next().await.expect("not the end")
    }

    /// Events up to one of that number.
    pub(super) async fn through(&mut self, last: u64) -> Vec<Message> {
        let mut all: Vec<Message> = Vec::new();
        while all.last().is_none_or(|message| message.id < Some(last)) {
            all.push(self.event().await);
        }
        all
    }

    /// That nothing comes for a while.
    pub(super) async fn is_quiet(&mut self) {
        assert_eq!(self.messages.next(), None);
        let frame = tokio::time::timeout(QUIET, self.body.frame()).await;
        assert!(frame.is_err(), "{frame:?}");
    }

    /// That it ends, whatever else comes before.
    pub(super) async fn ends(mut self) {
        while self.next().await.is_some() {}
    }
}

impl Door {
    pub(super) async fn ask(&self, uri: &str, headers: &[(&str, &str)]) -> Response<Body> {
        let mut request = Request::builder().uri(uri);
        if !headers
            .iter()
            .any(|(name, _)| *name == "x-auth-token" || *name == "authorization")
        {
            request = request.header("authorization", admin());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.app.answer(request.body(Body::empty()).unwrap()).await
    }

    /// Opens a stream, whose first message is checked and gives the number that it begins after.
    pub(super) async fn listen(&self, uri: &str, headers: &[(&str, &str)]) -> (Reader, u64) {
        let response = self.ask(uri, headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut reader = Reader {
            body: response.into_body(),
            messages: Messages::default(),
        };
        let first = reader.event().await;
        assert_eq!((first.data, first.retry), (None, Some(2000)));
        (reader, first.id.expect("a number"))
    }

    /// Has that many events happen, and gives the number of the last.
    pub(super) async fn happen(&self, count: usize) -> u64 {
        let hf = self.app.hawkfish();
        let (ctx, subscriptions) = (Ctx::service(), hf.subscriptions());
        for _ in 0..count.div_ceil(500) {
            let tests = (0..count.min(500)).map(|_| subscriptions.submit_test(&ctx, test("")));
            for done in join_all(tests).await {
                done.unwrap();
            }
        }
        hf.events().last()
    }

    pub(super) async fn open_streams(&self) -> Vec<String> {
        let all = self.read(SUBSCRIPTIONS).await;
        let members = all.body["Members"].as_array().unwrap();
        let uri = |member: &Value| member["@odata.id"].as_str().unwrap().to_owned();
        members.iter().map(uri).collect()
    }

    /// Waits until so many streams are shown.
    pub(super) async fn shows_streams(&self, count: usize) {
        let end = tokio::time::Instant::now() + LIMIT;
        while self.open_streams().await.len() != count {
            assert!(
                tokio::time::Instant::now() < end,
                "{:?}",
                self.open_streams().await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(super) fn admin() -> String {
    use base64::Engine as _;
    let text = format!("{}:{}", ADMIN.0, ADMIN.1);
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(text)
    )
}

pub(super) fn test(message: &str) -> TestEvent {
    TestEvent {
        message: (!message.is_empty()).then(|| message.to_owned()),
        ..TestEvent::default()
    }
}

pub(super) fn ids(messages: &[Message]) -> Vec<u64> {
    messages.iter().filter_map(|message| message.id).collect()
}

/// A service that keeps few events.
pub(super) async fn forgetful(kept: u64, in_memory: usize) -> Door {
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
        .host(HostId::parse("sim").unwrap(), rack.clone())
        .events(EventSettings { kept, in_memory })
        .in_memory()
        .start()
        .await
        .unwrap();
    hf.accounts().ensure_admin(Some(ADMIN.1)).await.unwrap();
    let app = App::new(hf, Options::default());
    Door {
        app,
        clock,
        rack,
        post: Arc::default(),
    }
}
