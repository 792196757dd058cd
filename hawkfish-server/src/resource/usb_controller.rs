//! USB controllers of systems.

use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::usb_controller::{Links, USBController};

use super::parts;
use crate::catalog::{Content, Resource, Rq};
use crate::problem::Problem;

/// The USB controllers of a system.
pub(crate) const COLLECTION: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/USBControllers",
    entity: "USBControllerCollection",
    get: Some(|rq| {
        Box::pin(async move {
            let system = parts::system(rq)?;
            let controllers = system.machine.hardware.usb.iter();
            let ids = controllers.map(|controller| controller.name.as_str());
            Ok(Content::collection(rq, "USB controllers", ids))
        })
    }),
    version: Some(parts::version),
    ..Resource::NONE
};

/// A USB controller.
pub(crate) const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/USBControllers/{controller}",
    entity: "USBController",
    get: Some(|rq| Box::pin(read(rq))),
    version: Some(parts::version),
    ..Resource::NONE
};

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = parts::system(rq)?;
    let hardware = &system.machine.hardware;
    let id = rq.param("controller");
    let controller = hardware.usb.iter().find(|known| known.name == id);
    let controller = controller.ok_or_else(|| parts::missing("USBController", id))?;
    let device = controller
        .pci
        .filter(|at| hardware.pci_device(*at).is_some());
    Content::of(&USBController {
        odata_id: rq.uri().to_owned(),
        id: controller.name.clone(),
        name: format!("USB controller {}", controller.name),
        model: Prop::or_absent(controller.model.clone()),
        status: Some(parts::status(&system, true)),
        links: device.map(|at| Links {
            pcie_device: Some(parts::in_chassis(&system, &parts::pcie_device_path(at))),
            ..Default::default()
        }),
        ..Default::default()
    })
}
