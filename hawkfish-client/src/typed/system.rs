//! Machines: power, boot, firmware settings, parts.

use serde_json::{Map, Value, json};

use super::{
    Bios, BootOption, Chassis, EthernetInterface, Handle, LogService, Manager, Memory, Processor,
    SecureBoot, Sensor, Storage, System,
};
use crate::error::Error;
use crate::redfish::model::bios::Bios as BiosModel;
use crate::redfish::model::boot_option::BootOption as BootOptionModel;
use crate::redfish::model::computer_system::{
    BootPatch, BootSource, BootSourceOverrideEnabled, BootSourceOverrideMode, ComputerSystem,
    ComputerSystemPatch, PowerRestorePolicyTypes,
};
use crate::redfish::model::resource::ResetType;
use crate::redfish::model::secure_boot::SecureBoot as SecureBootModel;
use crate::resource::link;
use crate::task::Outcome;

/// What a machine is to boot from instead of what it usually does.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// From what.
    pub target: BootSource,
    /// For how long.
    pub enabled: BootSourceOverrideEnabled,
    /// As UEFI or as a legacy BIOS; as it is where `None`.
    pub mode: Option<BootSourceOverrideMode>,
    /// From which URI, with [`BootSource::UefiHttp`].
    pub http_uri: Option<String>,
}

impl Override {
    /// At the next boot only.
    pub fn once(target: BootSource) -> Self {
        Self {
            target,
            enabled: BootSourceOverrideEnabled::Once,
            mode: None,
            http_uri: None,
        }
    }

    /// At each boot, until told otherwise.
    pub fn continuous(target: BootSource) -> Self {
        Self {
            enabled: BootSourceOverrideEnabled::Continuous,
            ..Self::once(target)
        }
    }

    /// As UEFI or as a legacy BIOS.
    #[must_use]
    pub fn mode(mut self, mode: BootSourceOverrideMode) -> Self {
        self.mode = Some(mode);
        self
    }
}

impl Handle<ComputerSystem> {
    /// Switches it on or off, or resets it.
    ///
    /// # Errors
    /// As [`Handle::action`]; [`crate::Kind::Unsupported`] for what the machine says that it does not take.
    pub async fn reset(&self, reset: ResetType) -> Result<Outcome, Error> {
        self.takes("ComputerSystem.Reset", "ResetType", reset.as_str())?;
        self.action("ComputerSystem.Reset", &json!({"ResetType": reset}))
            .await
    }

    /// Has it boot from something else.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_boot(&self, boot: Override) -> Result<Outcome, Error> {
        self.patch_boot(BootPatch {
            boot_source_override_enabled: boot.enabled.into(),
            boot_source_override_target: boot.target.into(),
            boot_source_override_mode: crate::redfish::model::Prop::or_absent(boot.mode),
            http_boot_uri: crate::redfish::model::Prop::or_absent(boot.http_uri),
            ..BootPatch::default()
        })
        .await
    }

    /// Has it boot as it usually does.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn clear_boot(&self) -> Result<Outcome, Error> {
        self.patch_boot(BootPatch {
            boot_source_override_enabled: BootSourceOverrideEnabled::Disabled.into(),
            ..BootPatch::default()
        })
        .await
    }

    /// The order in which it usually tries what it can boot from, by the references of its boot options.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_boot_order<S: Into<String>>(
        &self,
        order: impl IntoIterator<Item = S>,
    ) -> Result<Outcome, Error> {
        self.patch_boot(BootPatch {
            boot_order: Some(order.into_iter().map(|one| Some(one.into())).collect()),
            ..BootPatch::default()
        })
        .await
    }

    async fn patch_boot(&self, boot: BootPatch) -> Result<Outcome, Error> {
        self.set(&ComputerSystemPatch {
            boot: Some(boot),
            ..ComputerSystemPatch::default()
        })
        .await
    }

    /// What its owner calls it.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_asset_tag(&self, tag: &str) -> Result<Outcome, Error> {
        self.set(&json!({"AssetTag": tag})).await
    }

    /// Lights its lamp, so that it is found among others.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_indicator(&self, lit: bool) -> Result<Outcome, Error> {
        self.set(&indicator(self.raw(), lit)).await
    }

    /// What it does when power comes back.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_power_restore(
        &self,
        policy: PowerRestorePolicyTypes,
    ) -> Result<Outcome, Error> {
        self.set(&json!({"PowerRestorePolicy": policy})).await
    }

    /// What it can boot from.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn boot_options(&self) -> Result<Vec<BootOption>, Error> {
        self.list("/Boot/BootOptions").await
    }

    /// Its firmware settings.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn bios(&self) -> Result<Bios, Error> {
        self.follow("/Bios").await
    }

    /// Its secure boot.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn secure_boot(&self) -> Result<SecureBoot, Error> {
        self.follow("/SecureBoot").await
    }

    /// Its processors.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn processors(&self) -> Result<Vec<Processor>, Error> {
        self.list("/Processors").await
    }

    /// Its memory modules.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn memory_modules(&self) -> Result<Vec<Memory>, Error> {
        self.list("/Memory").await
    }

    /// Its storage subsystems.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn storages(&self) -> Result<Vec<Storage>, Error> {
        self.list("/Storage").await
    }

    /// Its network interfaces.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn ethernet(&self) -> Result<Vec<EthernetInterface>, Error> {
        self.list("/EthernetInterfaces").await
    }

    /// Its logs.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn logs(&self) -> Result<Vec<LogService>, Error> {
        self.list("/LogServices").await
    }

    /// What it stands in.
    ///
    /// # Errors
    /// As [`Handle::follow_all`].
    pub async fn stands_in(&self) -> Result<Vec<Chassis>, Error> {
        self.follow_all("/Links/Chassis").await
    }

    /// The BMCs that manage it.
    ///
    /// # Errors
    /// As [`Handle::follow_all`].
    pub async fn managed_by(&self) -> Result<Vec<Manager>, Error> {
        self.follow_all("/Links/ManagedBy").await
    }

    /// What measures in the chassis that it stands in; chassis without sensors have none.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn sensors(&self) -> Result<Vec<Sensor>, Error> {
        let mut all = Vec::new();
        for chassis in self.stands_in().await? {
            if chassis.link("/Sensors").is_ok() {
                all.extend(chassis.sensor_readings().await?);
            }
        }
        Ok(all)
    }

    /// What an action of it says that it takes as `ResetType`; empty where it does not say.
    pub fn resets(&self) -> Vec<ResetType> {
        let listed = self.allowable("ComputerSystem.Reset", "ResetType");
        listed.into_iter().map(ResetType::from).collect()
    }
}

/// How a lamp is lit here: by what the resource shows, for `IndicatorLED` has become `LocationIndicatorActive`.
pub(super) fn indicator(raw: &Value, lit: bool) -> Value {
    if raw.get("LocationIndicatorActive").is_none() && raw.get("IndicatorLED").is_some() {
        return json!({"IndicatorLED": if lit { "Lit" } else { "Off" }});
    }
    json!({"LocationIndicatorActive": lit})
}

impl Handle<BootOptionModel> {
    /// Whether it is tried.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn enable(&self, enabled: bool) -> Result<Outcome, Error> {
        self.set(&json!({"BootOptionEnabled": enabled})).await
    }
}

impl Handle<BiosModel> {
    /// The settings as they are.
    pub fn settings(&self) -> Map<String, Value> {
        attributes(self.raw())
    }

    /// The settings that wait for a restart of the machine; what is not among them stays as it is. Empty where nothing waits, and where the service keeps none.
    ///
    /// # Errors
    /// As [`crate::Client::get`].
    pub async fn pending(&self) -> Result<Map<String, Value>, Error> {
        let Some(uri) = self.settings_uri() else {
            return Ok(Map::new());
        };
        let waiting = self.client().get_value(uri).await?.value;
        let now = self.settings();
        // Some services show all settings there, and not only those that wait.
        let mut waits = attributes(&waiting);
        waits.retain(|name, value| now.get(name) != Some(value));
        Ok(waits)
    }

    /// Changes settings. Where the service has a resource for what waits for the next start of the machine it is that one which is changed.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_settings(&self, settings: &Map<String, Value>) -> Result<Outcome, Error> {
        let body = json!({"Attributes": settings});
        self.set_at(self.settings_uri().unwrap_or(self.uri()), &body)
            .await
    }

    /// Changes one setting.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn set_setting(&self, name: &str, value: impl Into<Value>) -> Result<Outcome, Error> {
        self.set_settings(&Map::from_iter([(name.to_owned(), value.into())]))
            .await
    }

    /// Has all settings be as the machine came, from its next start on.
    ///
    /// # Errors
    /// As [`Handle::action`].
    pub async fn reset_to_defaults(&self) -> Result<Outcome, Error> {
        self.action("Bios.ResetBios", &json!({})).await
    }

    fn settings_uri(&self) -> Option<&str> {
        link(self.raw().get("@Redfish.Settings")?, "/SettingsObject")
    }
}

fn attributes(bios: &Value) -> Map<String, Value> {
    let attributes = bios.get("Attributes").and_then(Value::as_object);
    let attributes = attributes.into_iter().flatten();
    attributes
        .filter(|(name, _)| !name.contains('@'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

impl Handle<SecureBootModel> {
    /// Whether it is on from the next start of the machine on.
    ///
    /// # Errors
    /// As [`Handle::set`].
    pub async fn enable(&self, enabled: bool) -> Result<Outcome, Error> {
        self.set(&json!({"SecureBootEnable": enabled})).await
    }
}

/// So that what is said of [`System`] stays true: one can be sent to another task.
const _: fn() = || {
    fn is_send<T: Send + Sync + 'static>() {}
    is_send::<System>();
};
