//! `chassis`: what machines stand in, with its power and its temperatures.

use clap::{Args, Subcommand};
use hawkfish_client::{Client, Fetched, action_target};
use serde_json::{Value, json};

use crate::change;
use crate::failure::Result;
use crate::find;
use crate::output::{Column, Format, Output};
use crate::systems::parts;
use crate::systems::sensors;
use crate::systems::set;
use crate::tasks::Waiting;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All chassis.
    Ls,
    /// One chassis.
    Show {
        /// Its id, name or serial number, or a machine in it.
        id: String,
    },
    /// Its power supplies and what it takes.
    Power {
        /// Its id, name or serial number, or a machine in it.
        id: String,
    },
    /// Its fans and temperatures.
    Thermal {
        /// Its id, name or serial number, or a machine in it.
        id: String,
    },
    /// All that is measured in it.
    Sensors(sensors::Arguments),
    /// Switches it on or off, with all that it holds.
    Reset {
        /// Its id, name or serial number, or a machine in it.
        id: String,
        /// On, ForceOff, PowerCycle, …; what it takes.
        reset: String,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Asset tag and indicator.
    Set(Set),
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["asset_tag", "indicator"]))]
pub(crate) struct Set {
    /// Its id, name or serial number, or a machine in it.
    id: String,
    #[command(flatten)]
    mark: set::Mark,
    #[command(flatten)]
    waiting: Waiting,
}

const COLUMNS: &[Column] = &[
    ("ID", &["/Id"]),
    ("NAME", &["/Name"]),
    ("TYPE", &["/ChassisType"]),
    ("POWER", &["/PowerState"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/HealthRollup", "/Status/Health"]),
    ("MODEL", &["/Model"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Type", &["/ChassisType"]),
    ("Manufacturer", &["/Manufacturer"]),
    ("Model", &["/Model"]),
    ("SKU", &["/SKU"]),
    ("Part number", &["/PartNumber"]),
    ("Serial number", &["/SerialNumber"]),
    ("Asset tag", &["/AssetTag"]),
    ("Indicator", &["/LocationIndicatorActive", "/IndicatorLED"]),
    ("Power", &["/PowerState"]),
    ("State", &["/Status/State"]),
    ("Health", &["/Status/HealthRollup", "/Status/Health"]),
    ("Rack", &["/Location/Placement/Rack"]),
    ("Intrusion", &["/PhysicalSecurity/IntrusionSensor"]),
    ("Machines", &["/·Machines"]),
    ("Managed by", &["/·Managers"]),
    ("URI", &["/@odata.id"]),
];

const POWER: &[Column] = &[
    ("NAME", &["/Name"]),
    ("CAPACITY (W)", &["/·Capacity"]),
    ("INPUT (W)", &["/·Input"]),
    ("OUTPUT (W)", &["/·Output"]),
    ("MODEL", &["/Model"]),
    ("SERIAL NUMBER", &["/SerialNumber"]),
    ("STATE", &["/Status/State"]),
    ("HEALTH", &["/Status/Health"]),
];

const THERMAL: &[Column] = &[
    ("NAME", &["/Name", "/FanName", "/DeviceName"]),
    ("READING", &["/·Reading"]),
    ("WHERE", &["/PhysicalContext"]),
    ("HEALTH", &["/Status/Health"]),
];

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls => {
            let collection = collection(client).await?;
            let chassis = find::all(client, &collection).await?;
            let chassis: Vec<Value> = chassis.into_iter().map(|one| one.value).collect();
            output.list(COLUMNS, &chassis)
        }
        Command::Show { id } => {
            let chassis = chassis(client, id).await?.value;
            match output.format {
                Format::Table => output.one(ROWS, &view(&chassis)),
                _ => output.one(ROWS, &chassis),
            }
        }
        Command::Power { id } => power(client, output, &chassis(client, id).await?.value).await,
        Command::Thermal { id } => thermal(client, output, &chassis(client, id).await?.value).await,
        Command::Sensors(arguments) => {
            let chassis = chassis(client, &arguments.id).await?.value;
            let sensors = sensors::of(client, &chassis).await?;
            let sensors = sensors.ok_or_else(|| parts::none("sensors of this chassis"))?;
            sensors::print(output, sensors, arguments.failed)
        }
        Command::Reset { id, reset, waiting } => {
            const ACTION: &str = "Chassis.Reset";
            let chassis = chassis(client, id).await?.value;
            if action_target(&chassis, ACTION).is_none() {
                return Err(parts::none("way to reset this chassis"));
            }
            let allowed = parts::parameter(client, &chassis, ACTION, "ResetType").await?;
            let reset = change::as_written(&allowed, reset, "reset")?;
            let outcome = client
                .action(&chassis, ACTION, &json!({"ResetType": reset}))
                .await?;
            waiting
                .conclude(output, outcome, &format!("{id}: {reset}"))
                .await
        }
        Command::Set(arguments) => {
            let chassis = chassis(client, &arguments.id).await?;
            let change = arguments.mark.change(&chassis.value)?;
            set::send(
                client,
                output,
                &chassis,
                &change,
                &arguments.id,
                &arguments.waiting,
            )
            .await
        }
    }
}

async fn collection(client: &Client) -> Result<String> {
    let root = client.root().await?.value;
    find::linked(&root, "/Chassis", "chassis").map(str::to_owned)
}

async fn chassis(client: &Client, id: &str) -> Result<Fetched<Value>> {
    let collection = collection(client).await?;
    let names = ["Id", "Name", "SerialNumber", "UUID"];
    let found = find::member(client, &collection, id, &names, "chassis").await;
    find::or_of_system(found, client, id, "/Links/Chassis/0").await
}

/// With the ids of what it holds.
fn view(chassis: &Value) -> Value {
    parts::with(
        chassis,
        [
            ("·Machines", ids(chassis, "/Links/ComputerSystems")),
            ("·Managers", ids(chassis, "/Links/ManagedBy")),
        ],
    )
}

/// The ids of what links lead to.
pub(crate) fn ids(resource: &Value, pointer: &str) -> Value {
    let links = resource.pointer(pointer).and_then(Value::as_array);
    let links = links.into_iter().flatten();
    let ids = links.filter_map(|one| hawkfish_client::link(one, ""));
    ids.map(find::id).collect::<Vec<_>>().into()
}

/// What it takes altogether, and each power supply: of `PowerSubsystem`, or of `Power` where the service is older.
async fn power(client: &Client, output: &Output, chassis: &Value) -> Result<()> {
    let what = "power of this chassis";
    let mut rows = Vec::new();
    let mut said = serde_json::Map::new();
    if let Some(subsystem) = parts::linked(client, chassis, "/PowerSubsystem").await? {
        let metrics = parts::linked(client, chassis, "/EnvironmentMetrics").await?;
        let metrics = metrics.map_or(Value::Null, |found| found.value);
        rows.push(parts::with(
            &json!({"Name": "chassis", "Status": subsystem.value.get("Status")}),
            [
                ("·Capacity", of(&subsystem.value, "/CapacityWatts")),
                ("·Input", of(&metrics, "/PowerWatts/Reading")),
            ],
        ));
        let supplies = parts::at(client, &subsystem.value, "/PowerSupplies").await?;
        let mut shown = Vec::new();
        for supply in supplies.unwrap_or_default() {
            let metrics = parts::linked(client, &supply.value, "/Metrics").await?;
            let metrics = metrics.map_or(Value::Null, |found| found.value);
            rows.push(parts::with(
                &supply.value,
                [
                    ("·Capacity", of(&supply.value, "/PowerCapacityWatts")),
                    ("·Input", of(&metrics, "/InputPowerWatts/Reading")),
                    ("·Output", of(&metrics, "/OutputPowerWatts/Reading")),
                ],
            ));
            shown.push(json!({"PowerSupply": supply.value, "Metrics": metrics}));
        }
        said.insert("PowerSubsystem".into(), subsystem.value);
        said.insert("EnvironmentMetrics".into(), metrics);
        said.insert("PowerSupplies".into(), shown.into());
    } else {
        let power = parts::one(client, chassis, "/Power", what).await?.value;
        let list = |name: &str| {
            power
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        for control in list("PowerControl") {
            let name = parts::text(control, "/Name").unwrap_or("chassis");
            rows.push(parts::with(
                &json!({"Name": name, "Status": control.get("Status")}),
                [
                    ("·Capacity", of(control, "/PowerCapacityWatts")),
                    ("·Input", of(control, "/PowerConsumedWatts")),
                ],
            ));
        }
        for supply in list("PowerSupplies") {
            let first = |a: &str, b: &str| match of(supply, a) {
                Value::Null => of(supply, b),
                value => value,
            };
            rows.push(parts::with(
                supply,
                [
                    ("·Capacity", of(supply, "/PowerCapacityWatts")),
                    ("·Input", of(supply, "/PowerInputWatts")),
                    (
                        "·Output",
                        first("/PowerOutputWatts", "/LastPowerOutputWatts"),
                    ),
                ],
            ));
        }
        said.insert("Power".into(), power.clone());
    }
    match output.format {
        Format::Table => output.list(POWER, &rows),
        _ => output.json(&said.into()),
    }
}

/// A number without a fraction that says nothing.
fn whole(number: &Value) -> String {
    let text = number.to_string();
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

fn of(resource: &Value, pointer: &str) -> Value {
    resource.pointer(pointer).cloned().unwrap_or_default()
}

/// Fans and temperatures: of `ThermalSubsystem`, or of `Thermal` where the service is older.
async fn thermal(client: &Client, output: &Output, chassis: &Value) -> Result<()> {
    let mut fans = Vec::new();
    let mut temperatures = Vec::new();
    if let Some(subsystem) = parts::linked(client, chassis, "/ThermalSubsystem").await? {
        let found = parts::at(client, &subsystem.value, "/Fans").await?;
        fans.extend(found.unwrap_or_default().into_iter().map(|fan| fan.value));
        let metrics = parts::linked(client, &subsystem.value, "/ThermalMetrics").await?;
        let metrics = metrics.map_or(Value::Null, |found| found.value);
        let list = metrics
            .get("TemperatureReadingsCelsius")
            .and_then(Value::as_array);
        temperatures.extend(list.into_iter().flatten().cloned());
    } else {
        let thermal =
            parts::one(client, chassis, "/Thermal", "temperatures of this chassis").await?;
        let list = |name: &str| {
            let list = thermal.value.get(name).and_then(Value::as_array);
            list.into_iter().flatten().cloned()
        };
        fans.extend(list("Fans"));
        temperatures.extend(list("Temperatures"));
    }
    if output.format != Format::Table {
        return output.json(&json!({"Fans": fans, "Temperatures": temperatures}));
    }
    let fans = fans.iter().map(|fan| {
        // A `Fan` has its speed in percent, in revolutions, or both; one in `Thermal` has a reading with its unit.
        let percent = of(fan, "/SpeedPercent/Reading");
        let turns = of(fan, "/SpeedPercent/SpeedRPM");
        let words = match (&percent, &turns) {
            (Value::Null, Value::Null) => return sensors::view(fan),
            (Value::Null, turns) => format!("{} rpm", whole(turns)),
            (percent, Value::Null) => format!("{} %", whole(percent)),
            (percent, turns) => format!("{} %, {} rpm", whole(percent), whole(turns)),
        };
        parts::with(fan, [("·Reading", words.into())])
    });
    let temperatures = temperatures.iter().map(|one| {
        let mut one = one.clone();
        if one.get("ReadingCelsius").is_none()
            && let Some(one) = one.as_object_mut()
        {
            one.insert("ReadingUnits".into(), "Cel".into());
        }
        sensors::view(&one)
    });
    let rows: Vec<Value> = fans.chain(temperatures).collect();
    output.list(THERMAL, &rows)
}
