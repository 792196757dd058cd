//! `/redfish`: which versions of the protocol there are (DSP0266, "Protocol version").

use bytes::Bytes;

use crate::catalog::{Content, Resource, Rq, Verb};
use crate::problem::Problem;

/// `/redfish`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish",
    get: Some(|rq| Box::pin(read(rq))),
    open: &[Verb::Get],
    ..Resource::NONE
};

async fn read(_: &Rq) -> Result<Content, Problem> {
    Ok(Content::Document(Bytes::from_static(
        b"{\"v1\":\"/redfish/v1/\"}",
    )))
}
