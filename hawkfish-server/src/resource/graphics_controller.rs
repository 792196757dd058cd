//! Graphics controllers of systems.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::graphics_controller::{GraphicsController, Links};

use super::parts;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The graphics controllers of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/GraphicsControllers",
    entity: "GraphicsControllerCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let ids = (0..system.machine.hardware.video.len()).map(id);
            Ok(Content::collection(rq, "Graphics controllers", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A graphics controller.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/GraphicsControllers/{controller}",
    entity: "GraphicsController",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

fn id(place: usize) -> String {
    format!("video{place}")
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let hardware = &system.machine.hardware;
    let wanted = rq.param("controller");
    let place = (0..hardware.video.len()).find(|place| id(*place) == wanted);
    let place = place.ok_or_else(|| parts::missing("GraphicsController", wanted))?;
    let video = &hardware.video[place];
    let device = video.pci.filter(|at| hardware.pci_device(*at).is_some());
    Content::of(&GraphicsController {
        odata_id: rq.uri().to_owned(),
        id: id(place),
        name: format!("Graphics controller {place}"),
        model: Prop::Value(video.model.clone()),
        status: Some(parts::status(&system, true)),
        links: device.map(|at| Links {
            pcie_device: Some(parts::in_chassis(&system, &parts::pcie_device_path(at))),
            ..Default::default()
        }),
        ..Default::default()
    })
}
