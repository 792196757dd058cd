//! `BootImagePushURI`: one POST brings an image and boots it.
//!
//! The image goes to the local image store and into the CD slot of the system, which boots from it once: at once, or with `@Redfish.OperationApplyTime` of `OnReset` in
//! the part `UpdateParameters` at its next reset. With the reset after that it is ejected; in the store it stays.

use std::time::Duration;

use hawkfish_core::error::Error;
use hawkfish_core::id::SystemId;
use http::StatusCode;
use serde_json::Map;

use super::software_inventory::image_uri;
use crate::catalog::{Outcome, Resource, Rq, apply_time};
use crate::problem::Problem;
use crate::upload;

/// How long it may take before the request is answered with the task.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where images to be booted are pushed. No resource: there is nothing to read.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/BootImage",
    upload: Some(|rq, headers, body| Box::pin(push(rq, headers, body))),
    ..Resource::NONE
};

/// The URI to push to.
pub(super) fn uri(system: &str) -> String {
    format!("/redfish/v1/Systems/{system}/BootImage")
}

async fn push(
    rq: &Rq,
    headers: &http::HeaderMap,
    body: axum::body::Body,
) -> Result<Outcome, Problem> {
    let id: SystemId = rq.id("system")?;
    let reserved = rq.hf.reserve_boot_image(&rq.ctx, &id)?;
    let most = rq.hf.most_image_bytes();
    let pushed = upload::multipart(rq, headers, body, most, "img").await?;
    let said = pushed.parameters.unwrap_or_default();
    if let Some(name) = said.keys().find(|name| !name.contains('@')) {
        let unknown = Problem::base(StatusCode::BAD_REQUEST, "PropertyUnknown", &[name]);
        return Err(unknown.related(&format!("/UpdateParameters/{name}")));
    }
    let when = apply_time(&said, &["Immediate", "OnReset"])?;
    let image = rq.hf.keep_image(pushed.file, &pushed.name).await?;
    let task = rq
        .hf
        .boot_image(
            &rq.ctx,
            reserved,
            &image,
            when != Some("OnReset"),
            Some(rq.payload()),
        )
        .await?;
    match super::task::ended(rq, &task.id, PATIENCE).await {
        Ok(ended) => match &ended?.failure {
            Some(failure) => Err(Error::from(failure).into()),
            None => Ok(Outcome::Created {
                uri: image_uri(&image.id),
                headers: Vec::new(),
                with: Map::new(),
            }),
        },
        Err(_) => Ok(Outcome::Started(task.id.clone())),
    }
}
