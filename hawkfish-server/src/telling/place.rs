//! What an event is about, as a place in the tree: its URI and its type.

use hawkfish_core::ctx::Ctx;
use hawkfish_core::events::{Room, Subject};
use hawkfish_core::id::SystemId;
use hawkfish_core::logs::LogId;

use crate::app::Shared;
use crate::resource::{manager_ethernet_interface, service_root};

/// The types of what events are about.
pub const TYPES: &[&str] = &[
    "AccountService",
    "Bios",
    "Certificate",
    "Chassis",
    "ComputerSystem",
    "Drive",
    "EthernetInterface",
    "EthernetInterfaceCollection",
    "EventDestination",
    "EventService",
    "Job",
    "JobService",
    "LogEntry",
    "LogService",
    "Manager",
    "ManagerAccount",
    "ManagerNetworkProtocol",
    "MetricReport",
    "MetricReportDefinition",
    "Role",
    "SecureBoot",
    "ServiceRoot",
    "Session",
    "SessionService",
    "SoftwareInventory",
    "Task",
    "TaskService",
    "TelemetryService",
    "UpdateService",
    "VirtualMedia",
    "Volume",
];

/// Where in the tree something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its URI; it may no longer lead anywhere.
    pub uri: Option<String>,
    /// Its type.
    pub kind: &'static str,
    /// The system that it belongs to.
    pub system: Option<&'a SystemId>,
}

impl<'a> Place<'a> {
    /// The place of what an event is about. Only what the tree shows under a name that core does not know has to be looked up.
    #[must_use]
    pub fn of(about: &'a Subject, service: Option<&Shared>) -> Self {
        let (kind, system, uri) = match about {
            Subject::Service => ("ServiceRoot", None, service_root::URI.to_owned()),
            Subject::Room(room) => {
                let kind = match room {
                    Room::Accounts => "AccountService",
                    Room::Sessions => "SessionService",
                    Room::Tasks => "TaskService",
                    Room::Events => "EventService",
                    Room::Updates => "UpdateService",
                    Room::Telemetry => "TelemetryService",
                    Room::Jobs => "JobService",
                    _ => return Self::unknown(),
                };
                (kind, None, ["/redfish/v1/", kind].concat())
            }
            Subject::System(id) => of_system("ComputerSystem", id, ""),
            Subject::Bios(id) => of_system("Bios", id, "/Bios"),
            Subject::BiosToCome(id) => of_system("Bios", id, "/Bios/Settings"),
            Subject::SecureBoot(id) => of_system("SecureBoot", id, "/SecureBoot"),
            Subject::Nic { system, nic } => {
                below("EthernetInterface", system, &["/EthernetInterfaces/", nic])
            }
            Subject::Volume {
                system,
                controller,
                disk,
            } => below(
                "Volume",
                system,
                &["/Storage/", controller, "/Volumes/", disk],
            ),
            Subject::Slot { system, slot } => {
                below("VirtualMedia", system, &["/VirtualMedia/", slot.as_str()])
            }
            Subject::Authority {
                system,
                slot,
                number,
            } => below(
                "Certificate",
                system,
                &[
                    "/VirtualMedia/",
                    slot.as_str(),
                    "/Certificates/",
                    &number.to_string(),
                ],
            ),
            Subject::Chassis(id) => of_chassis("Chassis", id, &[]),
            Subject::Drive { system, drive } => of_chassis("Drive", system, &["/Drives/", drive]),
            Subject::Manager(id) => of_manager("Manager", id, &[]),
            Subject::Network(id) => of_manager("ManagerNetworkProtocol", id, &["/NetworkProtocol"]),
            Subject::Certificate(id) => (
                "Certificate",
                Some(id),
                crate::resource::certificate::https_uri(id),
            ),
            Subject::ManagerInterface(id) => match service.and_then(|s| interface(s, id)) {
                Some(name) => of_manager("EthernetInterface", id, &["/EthernetInterfaces/", &name]),
                None => of_manager("EthernetInterfaceCollection", id, &["/EthernetInterfaces"]),
            },
            Subject::Firmware(id) => (
                "SoftwareInventory",
                Some(id),
                [
                    "/redfish/v1/UpdateService/FirmwareInventory/BIOS-",
                    id.as_str(),
                ]
                .concat(),
            ),
            Subject::Image(id) => {
                let uri = ["/redfish/v1/UpdateService/LocalImageStore/", id.as_str()];
                ("SoftwareInventory", None, uri.concat())
            }
            Subject::Log(log) => {
                let (system, uri) = of_log(log, service);
                return Self {
                    uri,
                    kind: "LogService",
                    system,
                };
            }
            Subject::Entry { log, number } => {
                let (system, uri) = of_log(log, service);
                return Self {
                    uri: uri.map(|uri| format!("{uri}/Entries/{number}")),
                    kind: "LogEntry",
                    system,
                };
            }
            Subject::Account(id) => member("ManagerAccount", "AccountService/Accounts", id),
            Subject::Role(id) => member("Role", "AccountService/Roles", id),
            Subject::Session(id) => member("Session", "SessionService/Sessions", id),
            Subject::Task(id) => member("Task", "TaskService/Tasks", id),
            Subject::SubTask { task, part } => {
                let (kind, system, uri) = member("Task", "TaskService/Tasks", task);
                (kind, system, [&uri, "/SubTasks/", part.as_str()].concat())
            }
            Subject::Job(id) => member("Job", "JobService/Jobs", id),
            Subject::ReportDefinition(id) => member(
                "MetricReportDefinition",
                "TelemetryService/MetricReportDefinitions",
                id,
            ),
            Subject::Report(id) => member("MetricReport", "TelemetryService/MetricReports", id),
            Subject::Subscription(id) => {
                member("EventDestination", "EventService/Subscriptions", id)
            }
            // Core may come to tell of more than has a place here.
            _ => return Self::unknown(),
        };
        Self {
            uri: Some(uri),
            kind,
            system,
        }
    }

    fn unknown() -> Self {
        Self {
            uri: None,
            kind: "",
            system: None,
        }
    }
}

type Found<'a> = (&'static str, Option<&'a SystemId>, String);

fn of_system<'a>(kind: &'static str, id: &'a SystemId, rest: &str) -> Found<'a> {
    below(kind, id, &[rest])
}

fn below<'a>(kind: &'static str, id: &'a SystemId, rest: &[&str]) -> Found<'a> {
    (kind, Some(id), joined("/redfish/v1/Systems/", id, rest))
}

fn of_chassis<'a>(kind: &'static str, id: &'a SystemId, rest: &[&str]) -> Found<'a> {
    (kind, Some(id), joined("/redfish/v1/Chassis/", id, rest))
}

fn of_manager<'a>(kind: &'static str, id: &'a SystemId, rest: &[&str]) -> Found<'a> {
    (kind, Some(id), joined("/redfish/v1/Managers/", id, rest))
}

fn joined(root: &str, id: &SystemId, rest: &[&str]) -> String {
    let mut uri = String::with_capacity(96);
    uri.push_str(root);
    uri.push_str(id.as_str());
    rest.iter().for_each(|part| uri.push_str(part));
    uri
}

fn member<'a>(kind: &'static str, collection: &str, id: &impl AsRef<str>) -> Found<'a> {
    let uri = ["/redfish/v1/", collection, "/", id.as_ref()].concat();
    (kind, None, uri)
}

/// The audit log is one, and every manager shows it: it is named as the first one does.
fn of_log<'a>(log: &'a LogId, service: Option<&Shared>) -> (Option<&'a SystemId>, Option<String>) {
    match log {
        LogId::System(id) => {
            let uri = joined("/redfish/v1/Systems/", id, &["/LogServices/Event"]);
            (Some(id), Some(uri))
        }
        LogId::Audit => {
            let first = service.and_then(|service| {
                let first = service.hf.inventory().first(&Ctx::service())?;
                Some(joined(
                    "/redfish/v1/Managers/",
                    &first,
                    &["/LogServices/Audit"],
                ))
            });
            (None, first)
        }
        LogId::Face(id) => {
            let uri = joined("/redfish/v1/Managers/", id, &["/LogServices/Audit"]);
            (Some(id), Some(uri))
        }
    }
}

/// The entry of a log that tells of an event. The audit log is for fewer people than events are: nothing leads there.
pub(super) fn entry(log: &LogId, number: u64) -> Option<String> {
    match log {
        LogId::System(id) => Some(joined(
            "/redfish/v1/Systems/",
            id,
            &["/LogServices/Event/Entries/", &number.to_string()],
        )),
        LogId::Audit | LogId::Face(_) => None,
    }
}

/// What the one interface of a simulated manager is called in URIs.
fn interface(service: &Shared, id: &SystemId) -> Option<String> {
    let ctx = Ctx::service();
    let system = service.hf.system(&ctx, id).ok()?;
    if !service.hf.is_simulated(&system) {
        return None;
    }
    let manager = service.hf.manager(&ctx, id).ok()?;
    Some(manager_ethernet_interface::id(
        &manager.interface(system.machine.key),
    ))
}
