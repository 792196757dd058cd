//! A service as small as the tests allow: one machine, one drive, sessions, a task. It notes what it was asked.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hawkfish_client::{Builder, Client};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde_json::{Value, json};

pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "sesame open";

#[derive(Debug)]
pub(crate) struct Inside {
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) logins: usize,
    pub(crate) generation: u64,
    pub(crate) name: String,
    pub(crate) power: &'static str,
    pub(crate) boot: Value,
    pub(crate) image: Option<String>,
    /// Resets become tasks that are done after so many questions; `None` does them at once.
    pub(crate) task_after: Option<u32>,
    pub(crate) task_fails: bool,
    pub(crate) asked: Vec<Asked>,
}

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Clone)]
pub(crate) struct Mock(Arc<Mutex<Inside>>);

impl Mock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inside {
            tokens: BTreeSet::new(),
            logins: 0,
            generation: 1,
            name: "node".into(),
            power: "Off",
            boot: json!({"BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None",
                "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Cd", "Pxe"]}),
            image: None,
            task_after: None,
            task_fails: false,
            asked: Vec::new(),
        })))
    }

    pub(crate) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// A builder of a client straight into the service.
    pub(crate) fn builder(&self) -> Builder {
        Client::builder("http://bmc.example").service::<_, axum::body::Body>(self.router())
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().session(USER, PASSWORD).build().unwrap()
    }

    /// Serves on a port of loopback until the runtime of the test ends; gives the URL.
    pub(crate) async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        let inside = self.inside();
        inside
            .asked
            .iter()
            .map(|asked| format!("{} {}", asked.method, asked.path))
            .collect()
    }
}

pub(crate) fn error(status: StatusCode, key: &str, text: &str) -> Response {
    let id = format!("Base.1.22.{key}");
    let body = json!({"error": {"code": id, "message": text, "@Message.ExtendedInfo": [
        {"MessageId": id, "Message": text, "MessageSeverity": "Critical", "Resolution": "Think again."}]}});
    (status, axum::Json(body)).into_response()
}

fn ok(body: Value) -> Response {
    axum::Json(body).into_response()
}

async fn answer(
    State(mock): State<Mock>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut inside = mock.inside();
    let path = uri.path().to_owned();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    inside.asked.push(Asked {
        method: method.clone(),
        path: path.clone(),
        headers: headers.clone(),
        body: body.clone(),
    });
    let token = headers
        .get("x-auth-token")
        .map(|token| token.to_str().unwrap().to_owned());
    // base64 of "admin:sesame open"
    let basic = headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value == "Basic YWRtaW46c2VzYW1lIG9wZW4=");
    let known = basic
        || token
            .as_ref()
            .is_some_and(|token| inside.tokens.contains(token));
    let open = path == "/redfish/v1/" || (method == Method::POST && path == "/redfish/v1/Sessions");
    if !known && !open {
        return error(
            StatusCode::UNAUTHORIZED,
            "NoValidSession",
            "There is no valid session.",
        );
    }
    match (method.as_str(), path.as_str()) {
        ("GET", "/redfish/v1/") => ok(json!({
            "@odata.id": "/redfish/v1/", "@odata.type": "#ServiceRoot.v1_20_0.ServiceRoot", "Id": "RootService", "Name": "Root",
            "Systems": {"@odata.id": "/redfish/v1/Machines"}, "Tasks": {"@odata.id": "/redfish/v1/TaskService"},
            "Links": {"Sessions": {"@odata.id": "/redfish/v1/Sessions"}},
        })),
        ("POST", "/redfish/v1/Sessions") => {
            if body != json!({"UserName": USER, "Password": PASSWORD}) {
                return error(
                    StatusCode::UNAUTHORIZED,
                    "ResourceAtUriUnauthorized",
                    "Wrong user name or password.",
                );
            }
            inside.logins += 1;
            let token = format!("token-{}", inside.logins);
            inside.tokens.insert(token.clone());
            let uri = format!("/redfish/v1/Sessions/{}", inside.logins);
            let headers = [("x-auth-token", token), ("location", uri.clone())];
            (
                StatusCode::CREATED,
                headers,
                axum::Json(json!({"@odata.id": uri, "UserName": USER})),
            )
                .into_response()
        }
        ("GET", "/redfish/v1/Sessions") => {
            let members: Vec<Value> = inside
                .tokens
                .iter()
                .map(|token| json!({"@odata.id": format!("/redfish/v1/Sessions/{token}"), "Id": token, "UserName": USER}))
                .collect();
            ok(json!({"Members": members}))
        }
        ("DELETE", path) if path.starts_with("/redfish/v1/Sessions/") => {
            inside.tokens.remove(&token.unwrap_or_default());
            StatusCode::NO_CONTENT.into_response()
        }
        ("GET", "/redfish/v1/Machines") => {
            ok(json!({"Members": [{"@odata.id": "/redfish/v1/Machines/7"}]}))
        }
        ("GET", "/redfish/v1/Machines/7") => system(&inside),
        ("PATCH", "/redfish/v1/Machines/7") => {
            if let Some(tag) = headers.get(header::IF_MATCH)
                && *tag != tag_of(&inside)
            {
                return error(
                    StatusCode::PRECONDITION_FAILED,
                    "PreconditionFailed",
                    "It has changed.",
                );
            }
            let Some(boot) = body.get("Boot").and_then(Value::as_object) else {
                return error(
                    StatusCode::BAD_REQUEST,
                    "PropertyUnknown",
                    "There is no such property.",
                );
            };
            inside.generation += 1;
            for (name, value) in boot {
                inside.boot[name] = value.clone();
            }
            system(&inside)
        }
        ("POST", "/redfish/v1/Machines/7/Actions/Go") => {
            let Some(reset) = body.get("ResetType").and_then(Value::as_str) else {
                return error(
                    StatusCode::BAD_REQUEST,
                    "ActionParameterMissing",
                    "ResetType is missing.",
                );
            };
            let power = if reset == "On" { "On" } else { "Off" };
            if inside.power == power {
                return error(
                    StatusCode::CONFLICT,
                    "ResourceInUse",
                    "It is in that state already.",
                );
            }
            inside.power = power;
            inside.generation += 1;
            if inside.task_after.is_none() {
                return StatusCode::NO_CONTENT.into_response();
            }
            let headers = [
                ("location", "/redfish/v1/TaskService/Monitors/1"),
                ("retry-after", "0"),
            ];
            (StatusCode::ACCEPTED, headers, axum::Json(task("New"))).into_response()
        }
        ("GET", "/redfish/v1/TaskService") => {
            ok(json!({"Tasks": {"@odata.id": "/redfish/v1/TaskService/Tasks"}}))
        }
        ("GET", "/redfish/v1/TaskService/Tasks") => {
            ok(json!({"Members": [{"@odata.id": "/redfish/v1/TaskService/Tasks/1"}]}))
        }
        ("GET", "/redfish/v1/TaskService/Monitors/1") => match inside.task_after {
            Some(0) if inside.task_fails => error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalError",
                "The machine did not obey.",
            ),
            Some(0) => StatusCode::NO_CONTENT.into_response(),
            left => {
                inside.task_after = left.map(|left| left - 1);
                (
                    StatusCode::ACCEPTED,
                    [("retry-after", "0")],
                    axum::Json(task("Running")),
                )
                    .into_response()
            }
        },
        ("GET", "/redfish/v1/TaskService/Tasks/1") => match inside.task_after {
            Some(0) if inside.task_fails => ok(task("Exception")),
            Some(0) => ok(task("Completed")),
            left => {
                inside.task_after = left.map(|left| left - 1);
                ([("retry-after", "0")], axum::Json(task("Running"))).into_response()
            }
        },
        ("GET", "/redfish/v1/Machines/7/Drives") => {
            ok(json!({"Members": [{"@odata.id": "/redfish/v1/Machines/7/Drives/Cd1"}]}))
        }
        ("GET", "/redfish/v1/Machines/7/Drives/Cd1") => ok(json!({
            "@odata.id": path, "Id": "Cd1", "MediaTypes": ["CD", "DVD"], "Inserted": inside.image.is_some(), "Image": inside.image,
            "Actions": {"#VirtualMedia.InsertMedia": {"target": "/redfish/v1/Machines/7/Drives/Cd1/In"},
                "#VirtualMedia.EjectMedia": {"target": "/redfish/v1/Machines/7/Drives/Cd1/Out"}},
        })),
        ("POST", "/redfish/v1/Machines/7/Drives/Cd1/In") => {
            inside.image = body["Image"].as_str().map(str::to_owned);
            StatusCode::NO_CONTENT.into_response()
        }
        ("POST", "/redfish/v1/Machines/7/Drives/Cd1/Out") => {
            inside.image = None;
            StatusCode::NO_CONTENT.into_response()
        }
        _ => error(
            StatusCode::NOT_FOUND,
            "ResourceMissingAtURI",
            "There is nothing here.",
        ),
    }
}

fn tag_of(inside: &Inside) -> String {
    format!("\"{}\"", inside.generation)
}

fn system(inside: &Inside) -> Response {
    let tag = tag_of(inside);
    let body = json!({
        "@odata.id": "/redfish/v1/Machines/7", "@odata.type": "#ComputerSystem.v1_26_0.ComputerSystem", "@odata.etag": tag,
        "Id": "7", "Name": inside.name, "PowerState": inside.power, "Boot": inside.boot, "Status": {"State": "Enabled", "Health": "OK"},
        "VirtualMedia": {"@odata.id": "/redfish/v1/Machines/7/Drives"},
        "Actions": {"#ComputerSystem.Reset": {"target": "/redfish/v1/Machines/7/Actions/Go", "ResetType@Redfish.AllowableValues": ["On", "ForceOff"]}},
    });
    ([(header::ETAG, tag)], axum::Json(body)).into_response()
}

fn task(state: &str) -> Value {
    json!({
        "@odata.id": "/redfish/v1/TaskService/Tasks/1", "@odata.type": "#Task.v1_8_0.Task", "Id": "1", "Name": "Reset", "TaskState": state,
        "PercentComplete": if state == "Running" { 50 } else { 100 },
        "Messages": [{"MessageId": "Base.1.22.InternalError", "Message": "The machine did not obey."}],
    })
}
