//! A service made of documents that a test writes: it reads, merges what is sent with PATCH, and keeps what was asked of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::run::{Ran, bare, ran};

#[derive(Debug, Default)]
struct Inside {
    documents: BTreeMap<String, Value>,
    /// What was sent with something else than GET: method, path, body.
    sent: Vec<(Method, String, Value)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Little {
    inside: Arc<Mutex<Inside>>,
    url: String,
}

impl Little {
    /// Serves the documents under `/redfish/v1`, the root as well, until the runtime of the test ends.
    pub(crate) async fn of<'a>(documents: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let inside: Arc<Mutex<Inside>> = Arc::default();
        for (path, mut document) in documents {
            let uri = format!("/redfish/v1{path}");
            document["@odata.id"] = json!(uri);
            let uri = uri.trim_end_matches('/').to_owned();
            inside.lock().unwrap().documents.insert(uri, document);
        }
        let shared = inside.clone();
        let router = Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
            let answer = answer(&mut shared.lock().unwrap(), &method, uri.path(), &body);
            async move { answer }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { inside, url }
    }

    /// The machine `7` with these properties, and what else there is.
    pub(crate) async fn with_system<'a>(
        system: Value,
        more: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Self {
        let at = |path: &str| json!({"@odata.id": format!("/redfish/v1{path}")});
        let mut machine = json!({"Id": "7", "Name": "node"});
        for (name, value) in system.as_object().unwrap() {
            machine[name] = value.clone();
        }
        let documents = [
            ("/", json!({"Systems": at("/Systems")})),
            ("/Systems", json!({"Members": [at("/Systems/7")]})),
            ("/Systems/7", machine),
        ];
        Self::of(documents.into_iter().chain(more)).await
    }

    pub(crate) fn sent(&self) -> Vec<(Method, String, Value)> {
        self.inside.lock().unwrap().sent.clone()
    }

    pub(crate) fn hawkfish(&self) -> std::process::Command {
        let mut command = bare();
        command.env("HAWKFISH_URL", &self.url);
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.hawkfish();
        command.args(arguments);
        ran(command).await
    }
}

fn answer(inside: &mut Inside, method: &Method, path: &str, body: &[u8]) -> Response {
    let path = path.trim_end_matches('/');
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if *method == Method::GET {
        return match inside.documents.get(path) {
            Some(document) => axum::Json(document).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        };
    }
    inside
        .sent
        .push((method.clone(), path.to_owned(), body.clone()));
    if *method == Method::PATCH
        && let Some(document) = inside.documents.get_mut(path)
    {
        merge(document, &body);
    }
    StatusCode::NO_CONTENT.into_response()
}

fn merge(into: &mut Value, change: &Value) {
    match change {
        Value::Object(change) => {
            for (name, value) in change {
                merge(&mut into[name], value);
            }
        }
        other => *into = other.clone(),
    }
}
