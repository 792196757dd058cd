//! `sensors`: what is measured in chassis, what is wrong with it first.

mod older;

use clap::Subcommand;
use hawkfish_client::{Client, Fetched, link};
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::output::{Column, Output};
use crate::{find, lines};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// All sensors, with what they measure and where it begins to be too much or too little; what is wrong comes first.
    Ls {
        /// Only of these chassis, by id or name.
        #[arg(value_name = "CHASSIS")]
        chassis: Vec<String>,
        /// Only of this kind: Temperature, Rotational, Voltage, Power, …
        #[arg(long, value_name = "TYPE")]
        kind: Option<String>,
        /// Only what is not well.
        #[arg(long)]
        bad: bool,
    },
    /// One sensor.
    Show {
        /// Its id or name.
        sensor: String,
        /// Of this chassis, by id or name.
        #[arg(long)]
        chassis: Option<String>,
    },
}

const COLUMNS: &[Column] = &[
    ("HEALTH", &["/Health"]),
    ("SENSOR", &["/Name"]),
    ("READING", &["/Shown"]),
    ("CAUTION", &["/Caution"]),
    ("CRITICAL", &["/Critical"]),
    ("STATE", &["/State"]),
    ("CHASSIS", &["/Chassis"]),
];

const ROWS: &[Column] = &[
    ("Id", &["/Id"]),
    ("Name", &["/Name"]),
    ("Type", &["/ReadingType"]),
    ("Reading", &["/Shown"]),
    ("Caution", &["/Caution"]),
    ("Critical", &["/Critical"]),
    ("Fatal", &["/Fatal"]),
    ("Least possible", &["/Said/ReadingRangeMin"]),
    ("Most possible", &["/Said/ReadingRangeMax"]),
    ("At", &["/Said/ReadingTime"]),
    ("Where", &["/Said/PhysicalContext"]),
    ("State", &["/State"]),
    ("Health", &["/Health"]),
    ("Chassis", &["/Chassis"]),
    ("URI", &["/Said/@odata.id"]),
];

/// What a sensor comes to, whatever resource it is told by.
#[derive(Debug)]
struct Sensor {
    shown: Value,
    said: Value,
    worth: Worth,
}

/// How urgently somebody should look; what is worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Critical,
    Caution,
    Well,
    Absent,
}

pub(crate) async fn run(client: &Client, output: &Output, command: &Command) -> Result<()> {
    match command {
        Command::Ls { chassis, kind, bad } => {
            let mut sensors = Vec::new();
            for chassis in all(client, chassis).await? {
                sensors.extend(of(client, &chassis).await?);
            }
            if let Some(kind) = kind {
                sensors.retain(|sensor| {
                    find::text(&sensor.shown, "/ReadingType")
                        .is_some_and(|have| have.eq_ignore_ascii_case(kind))
                });
            }
            sensors.retain(|sensor| !bad || sensor.worth <= Worth::Caution);
            sensors.sort_by_key(|sensor| sensor.worth);
            let (shown, said): (Vec<Value>, Vec<Value>) = sensors
                .into_iter()
                .map(|sensor| (sensor.shown, sensor.said))
                .unzip();
            lines::list(output, COLUMNS, &shown, &said)
        }
        Command::Show { sensor, chassis } => {
            let mut found = Vec::new();
            for chassis in all(client, chassis.as_slice()).await? {
                found.extend(of(client, &chassis).await?);
            }
            let called = |have: &Sensor, pointer| find::text(&have.shown, pointer) == Some(sensor);
            found.retain(|have| called(have, "/Id") || called(have, "/Name"));
            match found.len() {
                0 => Err(Failure::NotFound(format!("there is no sensor {sensor}"))),
                1 => {
                    let Sensor {
                        mut shown, said, ..
                    } = found.remove(0);
                    shown["Said"] = said.clone();
                    lines::one(output, ROWS, &shown, &said)
                }
                several => Err(Failure::Usage(format!(
                    "{several} sensors are called {sensor}; name the --chassis"
                ))),
            }
        }
    }
}

/// The chassis of these names, or all.
async fn all(client: &Client, names: &[String]) -> Result<Vec<Fetched<Value>>> {
    let root = client.root().await?.value;
    let collection = find::linked(&root, "/Chassis", "chassis")?;
    if names.is_empty() {
        return find::all(client, collection).await;
    }
    let mut chassis = Vec::new();
    for name in names {
        chassis.push(find::member(client, collection, name, &["Id", "Name"], "chassis").await?);
    }
    Ok(chassis)
}

/// The sensors of a chassis; of one that has none, what its older resources measure.
async fn of(client: &Client, chassis: &Fetched<Value>) -> Result<Vec<Sensor>> {
    let id = find::called(chassis);
    if let Some(collection) = link(&chassis.value, "/Sensors") {
        let sensors = find::all(client, collection).await?;
        if !sensors.is_empty() {
            let sensors = sensors.into_iter();
            return Ok(sensors.map(|sensor| plain(id, sensor.value)).collect());
        }
    }
    let mut sensors = Vec::new();
    for (pointer, read) in [
        (
            "/Thermal",
            older::thermal as fn(&str, &Value) -> Vec<Sensor>,
        ),
        ("/Power", older::power),
    ] {
        if let Some(uri) = link(&chassis.value, pointer) {
            sensors.extend(read(id, &client.get_value(uri).await?.value));
        }
    }
    Ok(sensors)
}

/// A threshold on either side.
#[derive(Debug, Default, Clone, Copy)]
struct Bounds {
    low: Option<f64>,
    high: Option<f64>,
}

impl Bounds {
    fn crossed(self, reading: f64) -> bool {
        self.low.is_some_and(|low| reading <= low) || self.high.is_some_and(|high| reading >= high)
    }

    fn shown(self) -> String {
        let low = self.low.map(|low| format!("≤{}", number(low)));
        let high = self.high.map(|high| format!("≥{}", number(high)));
        let both: Vec<String> = low.into_iter().chain(high).collect();
        both.join(" ")
    }
}

/// What is known of a sensor, in whatever resource it stood.
#[derive(Debug, Default)]
struct Facts<'a> {
    chassis: &'a str,
    id: String,
    name: String,
    kind: String,
    units: String,
    reading: Option<f64>,
    caution: Bounds,
    critical: Bounds,
    fatal: Bounds,
}

impl Facts<'_> {
    fn sensor(self, said: &Value) -> Sensor {
        let state = find::text(said, "/Status/State").unwrap_or_default();
        let health = find::text(said, "/Status/Health").unwrap_or_default();
        let beyond = |bounds: Bounds| self.reading.is_some_and(|reading| bounds.crossed(reading));
        let present = !matches!(state, "Absent" | "Disabled" | "UnavailableOffline");
        // Some services say that all is well whatever they measure.
        let worth = match health {
            _ if !present => Worth::Absent,
            "Critical" => Worth::Critical,
            _ if beyond(self.fatal) || beyond(self.critical) => Worth::Critical,
            "Warning" => Worth::Caution,
            _ if beyond(self.caution) => Worth::Caution,
            _ if self.reading.is_none() && health.is_empty() => Worth::Absent,
            _ => Worth::Well,
        };
        let shown = match self.reading {
            Some(reading) => format!("{} {}", number(reading), self.units),
            None => String::new(),
        };
        let health = match (health, worth) {
            ("OK" | "", Worth::Critical) => "Critical",
            ("OK" | "", Worth::Caution) => "Warning",
            (health, _) => health,
        };
        Sensor {
            shown: json!({
                "Chassis": self.chassis,
                "Id": self.id,
                "Name": self.name,
                "ReadingType": self.kind,
                "Shown": shown.trim_end(),
                "Caution": self.caution.shown(),
                "Critical": self.critical.shown(),
                "Fatal": self.fatal.shown(),
                "State": state,
                "Health": health,
            }),
            said: said.clone(),
            worth,
        }
    }
}

/// A Sensor, as its schema has it.
fn plain(chassis: &str, said: Value) -> Sensor {
    let bounds = |level: &str| Bounds {
        low: float(&said, &format!("/Thresholds/Lower{level}/Reading")),
        high: float(&said, &format!("/Thresholds/Upper{level}/Reading")),
    };
    let text = |pointer| find::text(&said, pointer).unwrap_or_default();
    let facts = Facts {
        chassis,
        id: text("/Id").to_owned(),
        name: text("/Name").to_owned(),
        kind: text("/ReadingType").to_owned(),
        units: units(text("/ReadingUnits")).to_owned(),
        reading: float(&said, "/Reading"),
        caution: bounds("Caution"),
        critical: bounds("Critical"),
        fatal: bounds("Fatal"),
    };
    facts.sensor(&said)
}

/// A number; some services write it as text.
fn float(value: &Value, pointer: &str) -> Option<f64> {
    match value.pointer(pointer)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// Not more digits than say something.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// Units as people write them, where UCUM writes them otherwise.
pub(crate) fn units(ucum: &str) -> &str {
    match ucum {
        "Cel" => "°C",
        "{rev}/min" | "RPM" => "rpm",
        "Percent" => "%",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(reading: f64, health: &str, state: &str) -> Sensor {
        plain(
            "1",
            json!({
                "Id": "a", "Name": "A", "ReadingUnits": "Cel", "Reading": reading,
                "Thresholds": {"UpperCaution": {"Reading": 80}, "UpperCritical": {"Reading": "90.50"}, "LowerCaution": {"Reading": null}},
                "Status": {"Health": health, "State": state},
            }),
        )
    }

    #[test]
    fn what_is_beyond_its_bounds_comes_first_also_where_the_service_says_that_all_is_well() {
        assert_eq!(sensor(20.0, "OK", "Enabled").worth, Worth::Well);
        assert_eq!(sensor(80.0, "OK", "Enabled").worth, Worth::Caution);
        let hot = sensor(91.0, "OK", "Enabled");
        assert_eq!(hot.worth, Worth::Critical);
        assert_eq!(hot.shown["Health"], "Critical");
        assert_eq!(hot.shown["Shown"], "91 °C");
        assert_eq!(hot.shown["Critical"], "≥90.5");
        assert_eq!(sensor(20.0, "Critical", "Enabled").worth, Worth::Critical);
        assert_eq!(sensor(0.0, "Critical", "Absent").worth, Worth::Absent);
        assert!(Worth::Critical < Worth::Caution && Worth::Caution < Worth::Well);
    }

    #[test]
    fn a_number_has_no_digits_that_say_nothing() {
        assert_eq!(number(1200.0), "1200");
        assert_eq!(number(0.000_067), "0");
        assert_eq!(number(59.6), "59.6");
        assert_eq!(number(-1.25), "-1.25");
    }
}
