//! Work at a time, and measurements over time.

use serde_json::json;

use super::{Handle, Job, MetricReport, MetricReportDefinition};
use crate::error::Error;
use crate::redfish::model::job::{Job as Model, JobCreate};
use crate::redfish::model::job_service::JobService;
use crate::redfish::model::metric_report_definition::MetricReportDefinitionCreate;
use crate::redfish::model::telemetry_service::TelemetryService;
use crate::task::Outcome;

impl Handle<JobService> {
    /// All jobs.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn list_jobs(&self) -> Result<Vec<Job>, Error> {
        self.list("/Jobs").await
    }

    /// Makes a job; [`crate::Client::created`] reads it.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn create_job(&self, job: &JobCreate) -> Result<Outcome, Error> {
        self.create("/Jobs", job).await
    }
}

impl Handle<Model> {
    /// Ends it.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn cancel(&self) -> Result<Outcome, Error> {
        self.action("Job.Cancel", &json!({})).await
    }

    /// Does nothing until it is resumed.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn suspend(&self) -> Result<Outcome, Error> {
        self.action("Job.Suspend", &json!({})).await
    }

    /// Goes on.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn resume(&self) -> Result<Outcome, Error> {
        self.action("Job.Resume", &json!({})).await
    }
}

impl Handle<TelemetryService> {
    /// What was measured.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn reports(&self) -> Result<Vec<MetricReport>, Error> {
        self.list("/MetricReports").await
    }

    /// What is measured, and when.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn definitions(&self) -> Result<Vec<MetricReportDefinition>, Error> {
        self.list("/MetricReportDefinitions").await
    }

    /// Has more be measured; [`crate::Client::created`] reads the definition.
    ///
    /// # Errors
    /// As [`Handle::create`].
    pub async fn define(&self, report: &MetricReportDefinitionCreate) -> Result<Outcome, Error> {
        self.create("/MetricReportDefinitions", report).await
    }
}
