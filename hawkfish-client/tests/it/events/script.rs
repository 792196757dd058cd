//! A service whose streams are written down beforehand, one connection after the other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use hawkfish_client::transport::Chunks;
use hawkfish_client::{Client, Error, Kind, Transport};
use serde_json::{Value, json};

/// What a connection does next.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// The answer is of another type.
    Type(&'static str),
    /// The answer is none that streams: its status, and when to come again.
    Refuse(u16, Option<&'static str>),
    Data(String),
    /// The connection is lost.
    Break,
    /// The answer is over.
    End,
    /// Nothing more comes.
    Hang,
}

impl Piece {
    pub(super) fn data(text: &str) -> Self {
        Self::Data(text.to_owned())
    }
}

/// A message of a stream, with a test event in it.
pub(super) fn event(id: Option<&str>, text: &str) -> String {
    let body = json!({"@odata.type": "#Event.v1_7_0.Event", "Events": [{"MessageId": "Test.1.0.Test", "Message": text}]});
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}data: {body}\n\n")
}

#[derive(Debug, Clone)]
pub(super) struct Script(Arc<Mutex<Inside>>);

#[derive(Debug)]
struct Inside {
    connections: VecDeque<Vec<Piece>>,
    asked: Vec<Option<String>>,
}

impl Script {
    pub(super) fn new(connections: Vec<Vec<Piece>>) -> Self {
        Self(Arc::new(Mutex::new(Inside {
            connections: connections.into(),
            asked: Vec::new(),
        })))
    }

    pub(super) fn client(&self) -> Client {
        let builder = Client::builder("http://bmc.example").transport(self.clone());
        builder.build().unwrap()
    }

    /// After which event each connection was to go on.
    pub(super) fn asked(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().asked.clone()
    }
}

fn ok(body: &Value) -> http::Response<Bytes> {
    http::Response::new(body.to_string().into())
}

impl Transport for Script {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        let answer = match request.uri().path() {
            "/redfish/v1/" => ok(&json!({"EventService": {"@odata.id": "/redfish/v1/Events"}})),
            "/redfish/v1/Events" => ok(&json!({"ServerSentEventUri": "/stream"})),
            other => panic!("nobody asks for {other}"),
        };
        Box::pin(async { Ok(answer) })
    }

    fn open(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Chunks>, Error>> {
        assert_eq!(request.headers()["accept"], "text/event-stream");
        let mut inside = self.0.lock().unwrap();
        let last = request.headers().get("last-event-id");
        inside
            .asked
            .push(last.map(|id| id.to_str().unwrap().to_owned()));
        let mut pieces = inside
            .connections
            .pop_front()
            .expect("a connection more")
            .into_iter()
            .peekable();
        let mut answer = http::Response::builder().header("content-type", "text/event-stream");
        match pieces.peek() {
            Some(Piece::Type(kind)) => {
                answer = http::Response::builder().header("content-type", *kind);
            }
            Some(Piece::Refuse(status, after)) => {
                answer = http::Response::builder().status(*status);
                if let Some(after) = after {
                    answer = answer.header("retry-after", *after);
                }
            }
            _ => {}
        }
        let body = stream::iter(pieces).filter_map(|piece| async {
            match piece {
                Piece::Type(_) | Piece::Refuse(..) | Piece::End => None,
                Piece::Data(text) => Some(Ok(Bytes::from(text))),
                Piece::Break => Some(Err(Error::new(Kind::Transport, "the connection was cut"))),
                Piece::Hang => std::future::pending().await,
            }
        });
        let answer = answer.body(body.boxed()).unwrap();
        Box::pin(async { Ok(answer) })
    }
}
