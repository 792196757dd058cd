//! What machines stand in, and what measures there.

use serde_json::json;

use super::system::indicator;
use super::{Drive, Handle, LogService, Sensor};
use crate::error::Error;
use crate::redfish::model::chassis::Chassis;
use crate::redfish::model::fan::Fan;
use crate::redfish::model::power::Power;
use crate::redfish::model::power_subsystem::PowerSubsystem;
use crate::redfish::model::power_supply::PowerSupply;
use crate::redfish::model::resource::ResetType;
use crate::redfish::model::sensor;
use crate::redfish::model::thermal::Thermal;
use crate::redfish::model::thermal_subsystem::ThermalSubsystem;
use crate::task::Outcome;

impl Handle<Chassis> {
    /// Switches on, off or resets what stands in it.
    ///
    /// # Errors
    /// As [`Handle::action`]; [`crate::Kind::Unsupported`] for what the chassis says that it does not take.
    pub async fn reset(&self, reset: ResetType) -> Result<Outcome, Error> {
        self.takes("Chassis.Reset", "ResetType", reset.as_str())?;
        self.action("Chassis.Reset", &json!({"ResetType": reset}))
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

    /// What measures in it.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn sensor_readings(&self) -> Result<Vec<Sensor>, Error> {
        self.list("/Sensors").await
    }

    /// Power as it was told before PowerSubsystem.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn power_readings(&self) -> Result<Handle<Power>, Error> {
        self.follow("/Power").await
    }

    /// Temperatures and fans as they were told before ThermalSubsystem.
    ///
    /// # Errors
    /// As [`Handle::follow`].
    pub async fn thermal_readings(&self) -> Result<Handle<Thermal>, Error> {
        self.follow("/Thermal").await
    }

    /// Its power supplies.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn power_supplies(&self) -> Result<Vec<Handle<PowerSupply>>, Error> {
        let power: Handle<PowerSubsystem> = self.follow("/PowerSubsystem").await?;
        power.list("/PowerSupplies").await
    }

    /// Its fans.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn fans(&self) -> Result<Vec<Handle<Fan>>, Error> {
        let thermal: Handle<ThermalSubsystem> = self.follow("/ThermalSubsystem").await?;
        thermal.list("/Fans").await
    }

    /// The disks in it.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn disks(&self) -> Result<Vec<Drive>, Error> {
        self.list("/Drives").await
    }

    /// Its logs.
    ///
    /// # Errors
    /// As [`Handle::list`].
    pub async fn logs(&self) -> Result<Vec<LogService>, Error> {
        self.list("/LogServices").await
    }
}

impl Handle<sensor::Sensor> {
    /// What it measures now, and in what: `(21.5, "Cel")`. `None` while it measures nothing.
    pub fn measured(&self) -> Option<(f64, &str)> {
        let units = self.reading_units.as_deref().unwrap_or_default();
        Some((*self.reading.value()?, units))
    }
}
