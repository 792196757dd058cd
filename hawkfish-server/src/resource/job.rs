//! Jobs: resets of systems at a time that somebody chose, once or again and again.

use hawkfish_core::error::{Error, Invalid};
use hawkfish_core::id::{JobId, SystemId};
use hawkfish_core::jobs::{Job, JobState, NewJob, Work};
use hawkfish_core::systems::ResetType;
use hawkfish_core::tasks::{RequestPayload, Severity};
use hawkfish_redfish::validate;
use serde_json::{Map, Value, json};

use super::{date_time, schedule, task};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// The URI of the collection.
pub(super) const URI: &str = "/redfish/v1/JobService/Jobs";

/// `/redfish/v1/JobService/Jobs`
pub const COLLECTION: Resource = Resource {
    uri: URI,
    entity: "JobCollection",
    member: "Job",
    get: Some(|rq| {
        Box::pin(async move {
            let jobs = rq.hf.jobs().list(&rq.ctx);
            Ok(Content::collection(
                rq,
                "Jobs",
                jobs.iter().map(|job| &job.id),
            ))
        })
    }),
    create: Some(|rq| Box::pin(create(rq))),
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/JobService/Jobs/{job}`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/JobService/Jobs/{job}",
    entity: "Job",
    get: Some(|rq| Box::pin(read(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    delete: Some(|rq| Box::pin(delete(rq))),
    actions: &[
        Action {
            name: "Job.Cancel",
            run: |rq| Box::pin(cancel(rq)),
            needs: None,
        },
        Action {
            name: "Job.Suspend",
            run: |rq| Box::pin(suspend(rq)),
            needs: None,
        },
        Action {
            name: "Job.Resume",
            run: |rq| Box::pin(resume(rq)),
            needs: None,
        },
    ],
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// The one action that a job can call.
const RESET: &str = "ComputerSystem.Reset";

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let job = rq.hf.jobs().get(&rq.ctx, &rq.id("job")?)?;
    Content::of(&shown(rq, &job))
}

fn shown(rq: &Rq, job: &Job) -> Value {
    let messages: Vec<_> = job.messages.iter().map(task::message).collect();
    let health = match job.state {
        JobState::Exception => Severity::Critical,
        // What went wrong once may go well the next time.
        _ => match job.messages.last().map(|message| message.severity) {
            None | Some(Severity::Ok) => Severity::Ok,
            Some(_) if job.state == JobState::Cancelled => Severity::Ok,
            Some(_) => Severity::Warning,
        },
    };
    let mut body = json!({
        "@odata.id": rq.uri(),
        "Id": job.id.as_str(),
        "Name": job.name,
        "JobType": "UserSpecified",
        "JobState": job.state.as_str(),
        "JobStatus": health.as_str(),
        "PercentComplete": if job.state == JobState::Completed { 100 } else { 0 },
        "CreationTime": date_time(job.made),
        "CreatedBy": job.created_by,
        "Schedule": schedule::shown(Some(&job.schedule)),
        "HidePayload": false,
        "Payload": {
            "TargetUri": job.request.uri,
            "HttpOperation": job.request.method,
            "HttpHeaders": [],
            "JsonBody": job.request.body.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
        "Messages": messages,
    });
    // When it begins next, or when it last began.
    if let Some(start) = job.next.or(job.started) {
        body["StartTime"] = date_time(start).into();
    }
    if let Some(end) = job.ended {
        body["EndTime"] = date_time(end).into();
    }
    body
}

async fn create(rq: &Rq) -> Result<Outcome, Problem> {
    let body = rq.raw_body();
    let (work, request) = work(rq, body.get("Payload"))?;
    let empty = json!({});
    let schedule = schedule::read(body.get("Schedule").unwrap_or(&empty), rq.hf.clock().now())?;
    let new = NewJob {
        name: body.get("Name").and_then(Value::as_str).map(str::to_owned),
        work,
        request,
        schedule,
    };
    let job = rq.hf.jobs().create(&rq.ctx, new).await?;
    Ok(Outcome::Created {
        uri: format!("{URI}/{}", job.id),
        headers: Vec::new(),
        with: Map::new(),
    })
}

fn invalid(name: &str, value: &str, why: Invalid, message: &'static str) -> Error {
    Error::invalid(format!("/Payload{name}"), value, why, message)
}

/// What a payload asks for: a reset of a system, just as it would be POSTed.
fn work(rq: &Rq, payload: Option<&Value>) -> Result<(Work, RequestPayload), Error> {
    let Some(payload) = payload.filter(|payload| payload.is_object()) else {
        let message = "Say what is to be done.";
        return Err(invalid("", "", Invalid::Missing, message));
    };
    let text = |name: &str| payload.get(name).and_then(Value::as_str);
    let Some(uri) = text("TargetUri") else {
        let message = "Say what is to be called.";
        return Err(invalid("/TargetUri", "", Invalid::Missing, message));
    };
    let system = uri
        .strip_prefix("/redfish/v1/Systems/")
        .and_then(|rest| rest.trim_end_matches('/').strip_suffix(RESET))
        .and_then(|rest| rest.strip_suffix("/Actions/"))
        .and_then(|id| SystemId::parse(id).ok())
        .and_then(|id| rq.hf.system(&rq.ctx, &id).ok());
    let Some(system) = system else {
        let message = "A job calls ComputerSystem.Reset of a system.";
        return Err(invalid("/TargetUri", uri, Invalid::NotInList, message));
    };
    let method = text("HttpOperation").unwrap_or("POST");
    if method != "POST" {
        let message = "An action is called by POST.";
        return Err(invalid(
            "/HttpOperation",
            method,
            Invalid::NotInList,
            message,
        ));
    }
    let text = text("JsonBody").unwrap_or_default();
    let wrong = |why, message| Err(invalid("/JsonBody", text, why, message));
    let Ok(Value::Object(body)) = serde_json::from_str(text) else {
        return wrong(Invalid::Format, "It is to be a JSON object.");
    };
    if validate::action("ComputerSystem", RESET, &body).is_ok_and(|findings| !findings.is_empty()) {
        return wrong(
            Invalid::Format,
            "It is not what ComputerSystem.Reset takes.",
        );
    }
    let reset = body
        .get("ResetType")
        .and_then(Value::as_str)
        .and_then(ResetType::from_name)
        .filter(|reset| system.reset_types().contains(reset));
    let Some(reset) = reset else {
        return wrong(
            Invalid::NotInList,
            "It names no ResetType that this system takes.",
        );
    };
    let request = RequestPayload {
        uri: uri.trim_end_matches('/').to_owned(),
        method: method.to_owned(),
        body: Some(Value::Object(body)),
    };
    let system = system.id.clone();
    Ok((Work::Reset { system, reset }, request))
}

/// Gives a job that has not ended another schedule.
async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let id: JobId = rq.id("job")?;
    let job = rq.hf.jobs().get(&rq.ctx, &id)?;
    let wanted = schedule::patched(
        schedule::shown(Some(&job.schedule)),
        rq.raw_body().get("Schedule"),
    );
    let schedule = schedule::read(&wanted, rq.hf.clock().now())?;
    rq.hf.jobs().reschedule(&rq.ctx, &id, schedule).await?;
    Ok(Outcome::Done)
}

async fn delete(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.jobs().delete(&rq.ctx, &rq.id("job")?).await?;
    Ok(Outcome::Done)
}

async fn cancel(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.jobs().cancel(&rq.ctx, &rq.id("job")?).await?;
    Ok(Outcome::Done)
}

async fn suspend(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.jobs().suspend(&rq.ctx, &rq.id("job")?).await?;
    Ok(Outcome::Done)
}

async fn resume(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.jobs().resume(&rq.ctx, &rq.id("job")?).await?;
    Ok(Outcome::Done)
}
