//! A service that is a set of documents, and notes what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use hawkfish_client::Client;
use http::{StatusCode, Uri};
use serde_json::{Value, json};

use crate::mock::error;

/// What comes of `$expand`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Expand {
    /// The members are brought in.
    Works,
    /// They are not: they stay links.
    Ignored,
    /// The answer is this.
    Refused(u16),
    /// They are brought in without what every resource has.
    Bare,
    /// They are brought in, the first one excepted.
    NotTheFirst,
}

#[derive(Debug, Clone)]
pub(crate) struct Tree(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    documents: BTreeMap<String, Value>,
    expand: BTreeMap<String, Expand>,
    slow: bool,
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    uris: Vec<String>,
    now: usize,
    most: usize,
}

impl Tree {
    /// These documents; those that are `null` are answered by 500. What `expand` names are collections; the root says that it has it if there is one.
    pub(crate) fn of(
        documents: impl IntoIterator<Item = (&'static str, Value)>,
        expand: &[(&str, Expand)],
    ) -> Self {
        let root = json!({"@odata.id": "/redfish/v1/", "Id": "RootService", "Name": "Root",
            "ProtocolFeaturesSupported": {"SelectQuery": true, "ExpandQuery": {"NoLinks": true, "Levels": true, "MaxLevels": 2}}});
        let plain = json!({"@odata.id": "/redfish/v1/", "Id": "RootService", "Name": "Root"});
        let root = if expand.is_empty() { plain } else { root };
        let mut all = BTreeMap::from([("/redfish/v1/".to_owned(), root)]);
        all.extend(
            documents
                .into_iter()
                .map(|(uri, document)| (uri.to_owned(), document)),
        );
        Self(Arc::new(Inside {
            documents: all,
            expand: expand
                .iter()
                .map(|(uri, how)| ((*uri).to_owned(), *how))
                .collect(),
            slow: false,
            asked: Mutex::default(),
        }))
    }

    /// Collections of so many members each.
    pub(crate) fn collections(members: usize, expand: &[(&str, Expand)]) -> Self {
        let mut tree = Self::of([], expand);
        let inside = Arc::get_mut(&mut tree.0).unwrap();
        for collection in ["/redfish/v1/A", "/redfish/v1/B"] {
            let links: Vec<Value> = (1..=members)
                .map(|id| json!({"@odata.id": format!("{collection}/{id}")}))
                .collect();
            inside.documents.insert(
                collection.into(),
                json!({"@odata.id": collection, "Name": "Collection", "Members": links, "Members@odata.count": members}),
            );
            for id in 1..=members {
                let uri = format!("{collection}/{id}");
                let member = json!({"@odata.id": uri, "@odata.etag": format!("\"{id}\""), "Id": id.to_string(), "Name": "Member", "Number": id});
                inside.documents.insert(uri, member);
            }
        }
        tree
    }

    /// Some answers take longer than others.
    pub(crate) fn slow(mut self) -> Self {
        Arc::get_mut(&mut self.0).unwrap().slow = true;
        self
    }

    pub(crate) fn set(&mut self, uri: &str, document: Value) {
        let inside = Arc::get_mut(&mut self.0).unwrap();
        inside.documents.insert(uri.into(), document);
    }

    pub(crate) fn client(&self) -> Client {
        let tree = self.clone();
        let router = Router::new().fallback(move |uri: Uri| {
            let tree = tree.clone();
            async move { tree.answer(uri).await }
        });
        Client::builder("http://bmc.example")
            .service::<_, axum::body::Body>(router)
            .build()
            .unwrap()
    }

    /// What it was asked since this was last called.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.asked.lock().unwrap().uris)
    }

    /// How many requests were under way at once, at most.
    pub(crate) fn most(&self) -> usize {
        self.0.asked.lock().unwrap().most
    }

    async fn answer(&self, uri: Uri) -> Response {
        let text = uri.to_string();
        {
            let mut asked = self.0.asked.lock().unwrap();
            asked.uris.push(text.clone());
            asked.now += 1;
            asked.most = asked.most.max(asked.now);
            // What is asked for first takes longest.
        }
        if self.0.slow {
            let last = text.bytes().last().unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(1 + u64::from(last % 5))).await;
        }
        let answer = self.find(&uri, &text);
        self.0.asked.lock().unwrap().now -= 1;
        answer
    }

    fn find(&self, uri: &Uri, text: &str) -> Response {
        let query = uri.query().unwrap_or_default();
        let documents = &self.0.documents;
        let mut path = uri.path();
        if documents.contains_key(text) {
            path = text;
        }
        let found = documents
            .get(path)
            .or_else(|| documents.get(path.trim_end_matches('/')));
        let Some(mut found) = found.cloned() else {
            return error(StatusCode::NOT_FOUND, "ResourceMissingAtURI", "Not here.");
        };
        if found.is_null() {
            return error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "It broke.",
            );
        }
        if query.contains("$expand=.($levels=1)") {
            let how = self.0.expand.get(uri.path()).copied();
            if let Expand::Refused(status) = how.unwrap_or(Expand::Ignored) {
                let status = StatusCode::from_u16(status).unwrap();
                return error(status, "QueryParameterUnsupported", "No such thing.");
            }
            let members = found["Members"].as_array_mut().unwrap();
            for (at, member) in members.iter_mut().enumerate() {
                let whole = documents[member["@odata.id"].as_str().unwrap()].clone();
                match how {
                    Some(Expand::Works) => *member = whole,
                    Some(Expand::NotTheFirst) if at > 0 => *member = whole,
                    Some(Expand::Bare) => member["Number"] = whole["Number"].clone(),
                    _ => {}
                }
            }
        } else if query.contains("$expand") {
            return error(
                StatusCode::BAD_REQUEST,
                "QueryParameterValueFormatError",
                "What?",
            );
        }
        axum::Json(found).into_response()
    }
}
