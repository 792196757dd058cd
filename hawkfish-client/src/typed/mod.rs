//! What a service has, as types with verbs.
//!
//! ```no_run
//! # async fn example() -> Result<(), hawkfish_client::Error> {
//! use hawkfish_client::Client;
//! use hawkfish_client::redfish::model::resource::ResetType;
//! use hawkfish_client::typed::Override;
//! use hawkfish_client::redfish::model::computer_system::BootSource;
//!
//! let client = Client::builder("https://bmc.example").session("admin", "secret").build()?;
//! let mut system = client.system("web-1").await?;
//! system.set_boot(Override::once(BootSource::Pxe)).await?.finish(None).await?;
//! system.reset(ResetType::On).await?.finish(None).await?;
//! system.refresh().await?;
//! println!("{} is {:?}", system.name, system.power_state);
//! # client.logout().await?;
//! # Ok(())
//! # }
//! ```
//!
//! - [`Handle`] is a resource that was read: its fields are those of the [`model`], its verbs those of the schema. Values that the model does not know
//!   are kept; whatever else the service shows is in [`Handle::raw`].
//! - A verb that reads gives handles, one that changes gives an [`Outcome`]: it is done, or goes on as a task.
//! - A handle shows what was read until [`Handle::refresh`].
//! - All is found by links. What a resource does not link to, or list among its actions, is [`Kind::Unsupported`], and nothing is sent.
//! - Nothing here is one vendor's but what says so: [`HawkFish`]'s own.

mod account;
mod certificate;
mod chassis;
mod event;
mod handle;
mod hawkfish;
mod job;
mod log;
mod manager;
mod media;
mod storage;
mod system;
mod task;
mod update;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::handle::Handle;
pub use self::hawkfish::HawkFish;
pub use self::media::Image;
pub use self::system::Override;
use crate::client::Client;
use crate::error::{Error, Kind};
use crate::redfish::model;
use crate::resource::link;
use crate::task::Outcome;

/// A machine.
pub type System = Handle<model::computer_system::ComputerSystem>;
/// What a machine stands in.
pub type Chassis = Handle<model::chassis::Chassis>;
/// A BMC.
pub type Manager = Handle<model::manager::Manager>;
/// The firmware settings of a machine.
pub type Bios = Handle<model::bios::Bios>;
/// Something that a machine can boot from.
pub type BootOption = Handle<model::boot_option::BootOption>;
/// Secure boot of a machine.
pub type SecureBoot = Handle<model::secure_boot::SecureBoot>;
/// A drive for images from the network.
pub type VirtualMedia = Handle<model::virtual_media::VirtualMedia>;
/// A storage subsystem.
pub type Storage = Handle<model::storage::Storage>;
/// A disk.
pub type Drive = Handle<model::drive::Drive>;
/// A volume on disks.
pub type Volume = Handle<model::volume::Volume>;
/// A processor.
pub type Processor = Handle<model::processor::Processor>;
/// A memory module.
pub type Memory = Handle<model::memory::Memory>;
/// A network interface of a machine or a BMC.
pub type EthernetInterface = Handle<model::ethernet_interface::EthernetInterface>;
/// Something that measures.
pub type Sensor = Handle<model::sensor::Sensor>;
/// A log.
pub type LogService = Handle<model::log_service::LogService>;
/// An entry of a log.
pub type LogEntry = Handle<model::log_entry::LogEntry>;
/// Where accounts are kept.
pub type AccountService = Handle<model::account_service::AccountService>;
/// Who may log in.
pub type Account = Handle<model::manager_account::ManagerAccount>;
/// What an account may do.
pub type Role = Handle<model::role::Role>;
/// Who is logged in.
pub type Session = Handle<model::session::Session>;
/// Work that the service has under way, or had.
pub type Task = Handle<model::task::Task>;
/// What updates firmware.
pub type UpdateService = Handle<model::update_service::UpdateService>;
/// A firmware or a software that is installed.
pub type SoftwareInventory = Handle<model::software_inventory::SoftwareInventory>;
/// What tells events.
pub type EventService = Handle<model::event_service::EventService>;
/// Whom events are told to.
pub type EventDestination = Handle<model::event_destination::EventDestination>;
/// What knows all certificates.
pub type CertificateService = Handle<model::certificate_service::CertificateService>;
/// A certificate.
pub type Certificate = Handle<model::certificate::Certificate>;
/// How a BMC is reached over its network.
pub type NetworkProtocol = Handle<model::manager_network_protocol::ManagerNetworkProtocol>;
/// What does work at a time.
pub type JobService = Handle<model::job_service::JobService>;
/// Work that is done at a time.
pub type Job = Handle<model::job::Job>;
/// What measures over time.
pub type TelemetryService = Handle<model::telemetry_service::TelemetryService>;
/// Measured values.
pub type MetricReport = Handle<model::metric_report::MetricReport>;
/// What is measured, and when.
pub type MetricReportDefinition = Handle<model::metric_report_definition::MetricReportDefinition>;
/// An event that HawkFish could not deliver.
pub type DeadLetter = Handle<model::hawkfish_dead_letter::HawkFishDeadLetter>;

impl Client {
    /// The resource at `uri`, with verbs.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn handle<T: DeserializeOwned>(&self, uri: &str) -> Result<Handle<T>, Error> {
        Handle::of(self, self.get_value(uri).await?)
    }

    /// All members of a collection, with verbs, in its order.
    ///
    /// # Errors
    /// As [`Client::resources`]; [`Kind::Protocol`] when a member does not fit the type.
    pub async fn handles<T: DeserializeOwned>(
        &self,
        collection: &str,
    ) -> Result<Vec<Handle<T>>, Error> {
        let members = self.resources(collection).await?;
        members
            .into_iter()
            .map(|member| Handle::of(self, member))
            .collect()
    }

    /// What a change has made: its end is awaited, and then it is read from where the service says that it stands.
    ///
    /// # Errors
    /// As [`Outcome::finish`] and [`Client::get`]; [`Kind::Protocol`] when the service does not say where it stands.
    pub async fn created<T: DeserializeOwned>(&self, outcome: Outcome) -> Result<Handle<T>, Error> {
        let answer = outcome.finish(None).await?;
        let body = answer.json().unwrap_or_default();
        let within = |uri: &&str| self.resolve(uri).is_ok();
        let uri = answer
            .location()
            .filter(within)
            .or_else(|| body.get("@odata.id")?.as_str())
            .ok_or_else(|| {
                Error::protocol(format!(
                    "{}: the service did not say what it made",
                    answer.uri
                ))
            })?;
        self.handle(uri).await
    }

    /// All machines.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn systems(&self) -> Result<Vec<System>, Error> {
        self.handles(&self.of_root("/Systems").await?).await
    }

    /// The machine with this id, else the one with this name, host name, UUID or serial number.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::Conflict`] when several have that name.
    pub async fn system(&self, name: &str) -> Result<System, Error> {
        let names = ["Id", "Name", "HostName", "UUID", "SerialNumber"];
        self.named("/Systems", name, &names).await
    }

    /// All chassis.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn chassis(&self) -> Result<Vec<Chassis>, Error> {
        self.handles(&self.of_root("/Chassis").await?).await
    }

    /// The BMCs, and whatever else manages.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn managers(&self) -> Result<Vec<Manager>, Error> {
        self.handles(&self.of_root("/Managers").await?).await
    }

    /// Where accounts are kept.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn account_service(&self) -> Result<AccountService, Error> {
        self.handle(&self.of_root("/AccountService").await?).await
    }

    /// Who may log in.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.account_service().await?.accounts().await
    }

    /// Who is logged in.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn sessions(&self) -> Result<Vec<Session>, Error> {
        self.handles(&self.of_root("/Links/Sessions").await?).await
    }

    /// What the service has under way, and had.
    ///
    /// # Errors
    /// As [`Client::handles`].
    pub async fn tasks(&self) -> Result<Vec<Task>, Error> {
        let service: Handle<model::task_service::TaskService> =
            self.handle(&self.of_root("/Tasks").await?).await?;
        service.list("/Tasks").await
    }

    /// What updates firmware.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn update_service(&self) -> Result<UpdateService, Error> {
        self.handle(&self.of_root("/UpdateService").await?).await
    }

    /// What tells events.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn event_service(&self) -> Result<EventService, Error> {
        self.handle(&self.of_root("/EventService").await?).await
    }

    /// What knows all certificates.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn certificate_service(&self) -> Result<CertificateService, Error> {
        self.handle(&self.of_root("/CertificateService").await?)
            .await
    }

    /// What does work at a time.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn job_service(&self) -> Result<JobService, Error> {
        self.handle(&self.of_root("/JobService").await?).await
    }

    /// What measures over time.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn telemetry_service(&self) -> Result<TelemetryService, Error> {
        self.handle(&self.of_root("/TelemetryService").await?).await
    }

    async fn of_root(&self, pointer: &str) -> Result<String, Error> {
        let root = self.root().await?.value;
        link(&root, pointer)
            .map(str::to_owned)
            .ok_or_else(|| Error::new(Kind::Unsupported, format!("the service has no {pointer}")))
    }

    async fn named<T: DeserializeOwned>(
        &self,
        pointer: &str,
        name: &str,
        names: &[&str],
    ) -> Result<Handle<T>, Error> {
        let collection = self.of_root(pointer).await?;
        let members = self.members(&collection).all().await?;
        if let Some(member) = members.into_iter().find(|member| member.id() == name) {
            return Handle::of(self, member.read(self).await?);
        }
        let mut found = self.resources(&collection).await?;
        found.retain(|member| {
            let says =
                |property: &&str| member.value.get(*property).and_then(Value::as_str) == Some(name);
            names.iter().any(says)
        });
        match (found.pop(), found.len()) {
            (Some(one), 0) => Handle::of(self, one),
            (None, _) => Err(Error::new(
                Kind::NotFound,
                format!("{collection} has no member {name}"),
            )),
            (Some(_), others) => Err(Error::new(
                Kind::Conflict,
                format!("{} members of {collection} are called {name}", others + 1),
            )),
        }
    }
}
