//! The job service: what is done at a time that somebody chose.

use hawkfish_core::jobs::MOST;
use hawkfish_redfish::model::job_service::{JobService, JobServiceCapabilities};

use super::{date_time, healthy, job};
use crate::catalog::{Action, Content, Outcome, Privileges, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/JobService`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/JobService",
    entity: "JobService",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[Action {
        name: "JobService.CancelAllJobs",
        run: |rq| Box::pin(cancel_all(rq)),
        needs: None,
    }],
    privileges: Privileges::MANAGER,
    clock_like: &["DateTime"],
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    Content::of(&JobService {
        odata_id: rq.uri().to_owned(),
        id: "JobService".into(),
        name: "Job service".into(),
        service_enabled: true.into(),
        date_time: date_time(rq.hf.clock().now()).into(),
        service_capabilities: Some(JobServiceCapabilities {
            max_jobs: i64::try_from(MOST).unwrap_or(i64::MAX).into(),
            max_steps: 1.into(),
            scheduling: true.into(),
            user_specified_jobs: true.into(),
            document_based_jobs: false.into(),
        }),
        jobs: Some(job::URI.into()),
        status: Some(healthy()),
        ..Default::default()
    })
}

async fn cancel_all(rq: &Rq) -> Result<Outcome, Problem> {
    rq.hf.jobs().cancel_all(&rq.ctx).await?;
    Ok(Outcome::Done)
}
