//! Every case can fail: a service with one defect fails the case that is about it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use conformance::{Plan, Report, Verdict, cases};
use futures::future::BoxFuture;
use hawkfish_client::transport::InProcess;
use hawkfish_client::{Client, Error, Transport};
use hawkfish_sim::{PASSWORD, USER, World};
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, LINK, LOCATION};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

/// What a service with the defect makes of an answer.
type Spoil = fn(&Parts, &mut Answer);

const DEFECTS: &[(&str, Spoil)] = &[
    ("service.versions", |asked, answer| {
        if asked.uri.path() == "/redfish" {
            answer.edit(|body| *body = json!({"v1": "/redfish/v1"}));
        }
    }),
    ("service.root", |asked, answer| {
        if asked.uri.path() == "/redfish/v1" {
            answer.status = StatusCode::NOT_FOUND;
        }
    }),
    ("service.odata", |asked, answer| {
        if asked.uri.path() == "/redfish/v1/odata" {
            answer.edit(|body| body["@odata.context"] = Value::Null);
        }
    }),
    ("service.metadata", |asked, answer| {
        if asked.uri.path() == "/redfish/v1/$metadata" {
            answer.say(CONTENT_TYPE, "text/html");
        }
    }),
    ("service.sessions", |_, answer| {
        answer.of("ServiceRoot", |body| body["Links"] = json!({}));
    }),
    ("links.lead", |_, answer| {
        answer.of("ComputerSystemCollection", |body| {
            body["Members"][0]["@odata.id"] = "/redfish/v1/Systems/nowhere".into();
        });
    }),
    ("payload.model", |_, answer| {
        answer.of("ComputerSystem", |body| {
            body["PowerState"] = "Sideways".into()
        });
    }),
    ("payload.type", |_, answer| {
        answer.of("Chassis", |body| body["@odata.type"] = "Chassis".into());
    }),
    ("payload.odata-id", |_, answer| {
        answer.of("Chassis", |body| body["@odata.id"] = "/redfish/v1".into());
    }),
    ("payload.id", |_, answer| {
        answer.of("ComputerSystem", |body| body["Id"] = "another".into());
    }),
    ("payload.name", |_, answer| {
        answer.of("Manager", |body| body["Name"] = "".into());
    }),
    ("payload.count", |_, answer| {
        answer.of("RoleCollection", |body| {
            body["Members@odata.count"] = 99.into()
        });
    }),
    ("payload.targets", |_, answer| {
        answer.of("ComputerSystem", |body| {
            body["Actions"]["#ComputerSystem.Reset"]["target"] = "/redfish/v1/reset".into();
        });
    }),
    ("headers.odata-version", |_, answer| {
        answer.lose("odata-version")
    }),
    ("headers.content-type", |_, answer| {
        answer.say(CONTENT_TYPE, "text/plain")
    }),
    ("headers.allow", |_, answer| answer.say(ALLOW, "PATCH")),
    ("headers.link", |_, answer| {
        answer.say(LINK, "</schemas/Other.v1_0_0.json>; rel=describedby");
    }),
    ("headers.cache-control", |_, answer| {
        answer.lose(CACHE_CONTROL.as_str())
    }),
    ("headers.head", |asked, answer| {
        if asked.method == Method::HEAD {
            answer.say(ALLOW, "HEAD");
        }
    }),
    ("etags.equal", |_, answer| answer.say(ETAG, "\"other\"")),
    ("etags.not-modified", |_, answer| answer.instead(304, 200)),
    ("etags.stable", |_, answer| {
        let tag = format!("\"{}\"", answer.number);
        answer.say(ETAG, &tag);
        answer.edit(|body| body["@odata.etag"] = tag.into());
    }),
    ("auth.required", |asked, answer| {
        if asked.uri.path().contains("/Chassis") {
            answer.instead(401, 200);
        }
    }),
    ("auth.before-not-found", |asked, answer| {
        if asked.uri.path().contains("NoSuchThing") {
            answer.instead(401, 404);
        }
    }),
    ("auth.wrong-password", |asked, answer| {
        if asked.method == Method::POST {
            answer.instead(401, 201);
        }
    }),
    ("auth.foreign-token", |asked, answer| {
        if asked.headers.contains_key("x-auth-token") {
            answer.instead(401, 200);
        }
    }),
    ("auth.session", |_, answer| answer.lose(LOCATION.as_str())),
    ("auth.basic", |asked, answer| {
        if asked.headers.contains_key(AUTHORIZATION) {
            answer.instead(200, 401);
        }
    }),
    ("errors.not-found", |_, answer| {
        if answer.status == 404 {
            answer.body = b"<h1>Not found</h1>".to_vec();
        }
    }),
    ("errors.method-not-allowed", |_, answer| {
        if answer.status == 405 {
            answer.lose(ALLOW.as_str());
        }
    }),
    ("errors.unknown-method", |asked, answer| {
        if asked.method.as_str() == "CONFORM" {
            answer.status = StatusCode::OK;
        }
    }),
    ("errors.unknown-query", |_, answer| answer.instead(501, 200)),
    ("errors.not-acceptable", |_, answer| {
        answer.instead(406, 200)
    }),
    ("errors.odata-version", |_, answer| answer.instead(412, 200)),
    ("errors.malformed", |_, answer| answer.instead(400, 500)),
    ("errors.media-type", |_, answer| answer.instead(415, 400)),
    ("writes.stale", |_, answer| answer.instead(412, 200)),
    ("writes.unknown-property", |asked, answer| {
        if asked.method == Method::PATCH {
            answer.edit(|body| {
                let message = &mut body["error"]["@Message.ExtendedInfo"][0];
                message["MessageId"] = "Base.1.22.GeneralError".into();
                message["MessageArgs"] = json!([]);
            });
        }
    }),
    ("writes.nothing", |asked, answer| {
        if asked.method == Method::PATCH {
            answer.edit(|body| *body = json!({}));
        }
    }),
    ("writes.boot", |_, answer| {
        answer.of("ComputerSystem", |body| {
            body["Boot"]["BootSourceOverrideEnabled"] = "Disabled".into();
        });
    }),
];

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    number: usize,
}

impl Answer {
    fn edit(&mut self, edit: impl FnOnce(&mut Value)) {
        if let Ok(mut body) = serde_json::from_slice(&self.body) {
            edit(&mut body);
            self.body = serde_json::to_vec(&body).unwrap();
        }
    }

    /// Edits resources of this type.
    fn of(&mut self, entity: &str, edit: impl FnOnce(&mut Value)) {
        let mine = |body: &Value| {
            let odata_type = body["@odata.type"].as_str().unwrap_or_default();
            odata_type.starts_with(&format!("#{entity}."))
        };
        self.edit(|body| {
            if mine(body) {
                edit(body);
            }
        });
    }

    fn say(&mut self, name: HeaderName, value: &str) {
        self.headers
            .insert(name, HeaderValue::from_str(value).unwrap());
    }

    fn lose(&mut self, name: &str) {
        self.headers.remove(name);
    }

    fn instead(&mut self, of: u16, status: u16) {
        if self.status == of {
            self.status = StatusCode::from_u16(status).unwrap();
        }
    }
}

/// The simulator, with a defect.
struct Defective {
    whole: Box<dyn Transport>,
    spoil: Spoil,
    answered: AtomicUsize,
}

impl std::fmt::Debug for Defective {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Defective")
    }
}

impl Transport for Defective {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, Error>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let asked = Request::from_parts(parts.clone(), body);
            let (mut told, body) = self.whole.send(asked).await?.into_parts();
            let mut answer = Answer {
                status: told.status,
                headers: told.headers,
                body: body.to_vec(),
                number: self.answered.fetch_add(1, Ordering::Relaxed),
            };
            (self.spoil)(&parts, &mut answer);
            (told.status, told.headers) = (answer.status, answer.headers);
            Ok(Response::from_parts(told, answer.body.into()))
        })
    }
}

async fn report(spoil: Spoil, only: &str) -> Report {
    let world = World::builder().start().await.unwrap();
    let transport = Defective {
        whole: Box::new(InProcess::<_, Body>::new(world.app().clone())),
        spoil,
        answered: AtomicUsize::new(0),
    };
    let client = Client::builder("http://hawkfish.sim");
    // Basic is used only where the defect is that there are no sessions.
    let client = match only {
        "service.sessions" => client.basic(USER, PASSWORD),
        _ => client.session(USER, PASSWORD),
    };
    let client = client.transport(transport).build().unwrap();
    let plan = Plan {
        writes: true,
        only: Some(only.to_owned()),
        ..Plan::new(client, Some((USER.to_owned(), PASSWORD.to_owned())))
    };
    plan.run().await.unwrap()
}

fn verdict<'a>(report: &'a Report, id: &str) -> &'a Verdict {
    let judged = report.cases.iter().find(|judged| judged.case.id == id);
    &judged.unwrap().verdict
}

#[test]
fn there_is_a_defect_for_every_case_and_no_id_stands_twice() {
    let ids: BTreeSet<&str> = cases::ALL.iter().map(|case| case.id).collect();
    assert_eq!(ids.len(), cases::ALL.len());
    let covered: BTreeSet<&str> = DEFECTS.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, covered);
}

#[tokio::test]
async fn a_service_with_one_defect_fails_the_case_that_is_about_it() {
    let mut unnoticed = Vec::new();
    for (id, spoil) in DEFECTS {
        let report = report(*spoil, id).await;
        if !matches!(verdict(&report, id), Verdict::Failed { failures, .. } if !failures.is_empty())
        {
            unnoticed.push(format!("{id}: {:?}", verdict(&report, id)));
        }
    }
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}

#[tokio::test]
async fn a_service_without_a_defect_passes_the_same_cases() {
    let report = report(|_, _| {}, "").await;
    assert_eq!(report.counts().passed, cases::ALL.len(), "{report}");
}

#[tokio::test]
async fn a_type_that_the_model_does_not_have_is_counted_and_not_passed() {
    let report = report(
        |_, answer| {
            answer.of("ComputerSystem", |body| {
                body["@odata.type"] = "#Toaster.v1_0_0.Toaster".into();
            });
        },
        "payload.model",
    )
    .await;
    assert_eq!(report.walked.unknown["#Toaster.v1_0_0.Toaster"], 1);
    assert!(!report.walked.known.contains_key("ComputerSystem"));
    assert!(report.to_string().contains("Toaster"), "{report}");
}

#[tokio::test]
async fn a_property_that_the_model_does_not_have_is_counted_and_not_judged() {
    let report = report(
        |_, answer| answer.of("ComputerSystem", |body| body["ToastLevel"] = 7.into()),
        "payload.model",
    )
    .await;
    assert_eq!(report.walked.unjudged_values, 1, "{report}");
    assert!(matches!(
        verdict(&report, "payload.model"),
        Verdict::Passed { .. }
    ));
}

#[tokio::test]
async fn a_value_that_a_newer_version_may_have_added_is_counted_and_not_judged() {
    let report = report(
        |_, answer| {
            answer.of("ComputerSystem", |body| {
                body["@odata.type"] = "#ComputerSystem.v1_999_0.ComputerSystem".into();
                body["PowerState"] = "Sideways".into();
            });
        },
        "payload.model",
    )
    .await;
    assert_eq!(report.walked.unjudged_values, 1, "{report}");
}

#[tokio::test]
async fn a_property_that_an_older_version_may_not_have_required_is_counted_and_not_judged() {
    let lose = |version: &'static str| {
        let spoil: Spoil = match version {
            "old" => |_, answer| {
                answer.of("ManagerAccount", |body| {
                    body["@odata.type"] = "#ManagerAccount.v1_0_0.ManagerAccount".into();
                    body.as_object_mut().unwrap().remove("AccountTypes");
                });
            },
            _ => |_, answer| {
                answer.of("ManagerAccount", |body| {
                    body.as_object_mut().unwrap().remove("AccountTypes");
                });
            },
        };
        report(spoil, "payload.model")
    };
    let old = lose("old").await;
    assert_eq!(
        (old.counts().failed, old.walked.unjudged_values),
        (0, 1),
        "{old}"
    );
    let new = lose("new").await;
    assert_eq!(
        (new.counts().failed, new.walked.unjudged_values),
        (1, 0),
        "{new}"
    );
}

#[tokio::test]
async fn the_report_says_where_and_what_in_all_its_forms() {
    let report = report(
        |_, answer| {
            answer.of("ComputerSystem", |body| {
                body["PowerState"] = "<&\u{1b}]]>\"".into()
            })
        },
        "payload.",
    )
    .await;
    let text = report.to_string();
    assert!(
        text.contains("FAIL  payload.model") && text.contains("/PowerState"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));

    let json = report.json();
    assert_eq!(json["counts"]["failed"], 1);
    let case = json["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["id"] == "payload.model")
        .unwrap();
    assert_eq!(case["outcome"], "failed");
    assert!(
        case["failures"][0]["uri"]
            .as_str()
            .unwrap()
            .starts_with("/redfish/v1/Systems/")
    );

    let junit = report.junit();
    let document = roxmltree::Document::parse(&junit).unwrap();
    let suite = document
        .descendants()
        .find(|node| node.has_tag_name("testsuite"))
        .unwrap();
    assert_eq!(suite.attribute("failures"), Some("1"));
    let failures = document
        .descendants()
        .filter(|node| node.has_tag_name("failure"));
    let told: Vec<_> = failures.map(|node| node.text().unwrap()).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("/PowerState is"), "{told:?}");
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    assert_eq!(cases.count(), report.cases.len());
}
