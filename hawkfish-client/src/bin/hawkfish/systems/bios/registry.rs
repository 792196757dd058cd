//! What settings there are and what they take, by the attribute registry of the service (DSP0268, AttributeRegistry).

use hawkfish_client::{Client, Kind};
use serde_json::{Map, Number, Value, json};

use super::super::parts::{self, text};
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Column, Format, Output};

/// A registry that was read.
pub(super) struct Registry {
    attributes: Vec<Value>,
}

const COLUMNS: &[Column] = &[
    ("NAME", &["/AttributeName"]),
    ("TYPE", &["/Type"]),
    ("TAKES", &["/·Takes"]),
    ("DEFAULT", &["/DefaultValue"]),
    ("ABOUT", &["/DisplayName"]),
];

const ROWS: &[Column] = &[
    ("Name", &["/AttributeName"]),
    ("About", &["/DisplayName"]),
    ("Help", &["/HelpText"]),
    ("Menu", &["/MenuPath"]),
    ("Type", &["/Type"]),
    ("Takes", &["/·Takes"]),
    ("Default", &["/DefaultValue"]),
    ("Value", &["/·Now"]),
    ("Read only", &["/ReadOnly"]),
    ("Needs a reset", &["/ResetRequired"]),
];

impl Registry {
    /// The registry that the settings name; `None` where the service gives none that can be read, and then only the service can say what is wrong.
    pub(super) async fn of(client: &Client, bios: &Value) -> Result<Option<Self>> {
        let Some(name) = text(bios, "/AttributeRegistry") else {
            return Ok(None);
        };
        match Self::read(client, name).await {
            Err(Failure::Client(error))
                if matches!(
                    error.kind,
                    Kind::NotFound
                        | Kind::Forbidden
                        | Kind::Unsupported
                        | Kind::Protocol
                        | Kind::Service
                        | Kind::Refused
                ) =>
            {
                Ok(None)
            }
            other => other,
        }
    }

    async fn read(client: &Client, name: &str) -> Result<Option<Self>> {
        let root = client.root().await?.value;
        let Ok(collection) = find::linked(&root, "/Registries", "registries") else {
            return Ok(None);
        };
        let files = client.members(collection).all().await?;
        // Firmware is newer than the file that names its registry: the version may be another.
        let stem = |name: &str| -> String {
            let end = name.find('.').unwrap_or(name.len());
            name[..end].to_owned()
        };
        let Some(file) = files
            .iter()
            .find(|file| file.id() == name)
            .or_else(|| files.iter().find(|file| stem(file.id()) == stem(name)))
        else {
            return Ok(None);
        };
        let file = file.clone().read(client).await?.value;
        let places = file.get("Location").and_then(Value::as_array);
        let places: Vec<&Value> = places.into_iter().flatten().collect();
        let english = places
            .iter()
            .find(|place| text(place, "/Language").is_some_and(|spoken| spoken.starts_with("en")));
        let Some(uri) = english
            .or(places.first())
            .and_then(|place| text(place, "/Uri"))
        else {
            return Ok(None);
        };
        let registry = client.get_value(uri).await?.value;
        let attributes = registry.pointer("/RegistryEntries/Attributes");
        let attributes = attributes.and_then(Value::as_array).cloned();
        Ok(attributes.map(|attributes| Self { attributes }))
    }

    fn attribute(&self, name: &str) -> Result<&Value> {
        let is = |attribute: &&Value, wanted: fn(&str, &str) -> bool| {
            text(attribute, "/AttributeName").is_some_and(|known| wanted(known, name))
        };
        let exactly = self.attributes.iter().find(|a| is(a, |a, b| a == b));
        exactly
            .or_else(|| {
                self.attributes
                    .iter()
                    .find(|a| is(a, str::eq_ignore_ascii_case))
            })
            .ok_or_else(|| Failure::NotFound(format!("the machine has no setting {name}")))
    }

    /// Name and value as they are sent, or what is wrong with them.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(String, Value)> {
        let attribute = self.attribute(name)?;
        let name = text(attribute, "/AttributeName").unwrap_or(name);
        let is = |property: &str| attribute.get(property) == Some(&Value::Bool(true));
        if is("ReadOnly") || is("Immutable") {
            return Err(Failure::Usage(format!("{name} cannot be changed")));
        }
        let wrong = || {
            Failure::Usage(format!(
                "{name} does not take {value}, but {}",
                takes(attribute)
            ))
        };
        let value = match text(attribute, "/Type") {
            Some("Enumeration") => {
                let known = attribute.get("Value").and_then(Value::as_array);
                let known = known.into_iter().flatten();
                let named = |place: &str| {
                    known.clone().find(|known| {
                        text(known, place).is_some_and(|known| known.eq_ignore_ascii_case(value))
                    })
                };
                let found = named("/ValueName").or_else(|| named("/ValueDisplayName"));
                let found = found.and_then(|found| text(found, "/ValueName"));
                Value::from(found.ok_or_else(wrong)?)
            }
            Some("Integer") => {
                let number: i64 = value.parse().map_err(|_| wrong())?;
                let bound = |name: &str| attribute.get(name).and_then(Value::as_i64);
                let low = bound("LowerBound").is_some_and(|low| number < low);
                let high = bound("UpperBound").is_some_and(|high| number > high);
                let step = bound("ScalarIncrement").filter(|step| *step > 1);
                let from = bound("LowerBound").unwrap_or(0);
                let between = step.is_some_and(|step| number.wrapping_sub(from) % step != 0);
                if low || high || between {
                    return Err(wrong());
                }
                Value::from(number)
            }
            Some("Boolean") => Value::Bool(truth(value).ok_or_else(wrong)?),
            Some("Password") => {
                return Err(Failure::Usage(format!(
                    "{name} is a password; others could read it on the command line"
                )));
            }
            _ => {
                let bound = |name: &str| attribute.get(name).and_then(Value::as_u64);
                let length = value.chars().count() as u64;
                let short = bound("MinLength").is_some_and(|least| length < least);
                let long = bound("MaxLength").is_some_and(|most| length > most);
                if short || long {
                    return Err(wrong());
                }
                Value::from(value)
            }
        };
        Ok((name.to_owned(), value))
    }

    pub(super) fn explain(
        &self,
        output: &Output,
        values: &Map<String, Value>,
        names: &[String],
    ) -> Result<()> {
        let view = |attribute: &Value| {
            let now = text(attribute, "/AttributeName").and_then(|name| values.get(name));
            parts::with(
                attribute,
                [
                    ("·Takes", takes(attribute).into()),
                    ("·Now", now.cloned().unwrap_or_default()),
                ],
            )
        };
        let found = names.iter().map(|name| self.attribute(name));
        let found: Vec<&Value> = found.collect::<Result<_>>()?;
        match found[..] {
            [] => parts::list(output, COLUMNS, self.attributes.clone(), view),
            [one] => match output.format {
                Format::Table => output.one(ROWS, &view(one)),
                _ => output.json(one),
            },
            _ => parts::list(output, COLUMNS, found.into_iter().cloned().collect(), view),
        }
    }
}

/// What a setting takes, in words.
fn takes(attribute: &Value) -> String {
    let number = |name: &str| attribute.get(name).and_then(Value::as_i64);
    match text(attribute, "/Type") {
        Some("Enumeration") => {
            let values = attribute.get("Value").and_then(Value::as_array);
            let names = values.into_iter().flatten();
            let names: Vec<&str> = names
                .filter_map(|value| text(value, "/ValueName"))
                .collect();
            names.join(", ")
        }
        Some("Integer") => {
            let mut words = match (number("LowerBound"), number("UpperBound")) {
                (Some(low), Some(high)) => format!("{low} to {high}"),
                (Some(low), None) => format!("{low} or more"),
                (None, Some(high)) => format!("up to {high}"),
                (None, None) => "whole numbers".to_owned(),
            };
            if let Some(step) = number("ScalarIncrement").filter(|step| *step > 1) {
                words.push_str(&format!(" in steps of {step}"));
            }
            words
        }
        Some("Boolean") => "true, false".to_owned(),
        _ => match (number("MinLength"), number("MaxLength")) {
            (Some(least), Some(most)) => format!("{least} to {most} characters"),
            (None, Some(most)) => format!("up to {most} characters"),
            (Some(least), None) => format!("{least} characters or more"),
            (None, None) => "text".to_owned(),
        },
    }
}

fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Without a registry a value is of the kind that the setting has now.
pub(super) fn guess(
    attributes: &Map<String, Value>,
    name: &str,
    value: &str,
) -> Result<(String, Value)> {
    let known = attributes.get_key_value(name).or_else(|| {
        attributes
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
    });
    let (name, now) =
        known.ok_or_else(|| Failure::NotFound(format!("the machine has no setting {name}")))?;
    let wrong = |takes: &str| Failure::Usage(format!("{name} does not take {value}, but {takes}"));
    let value = match now {
        Value::Number(_) => {
            let number: Number = value.parse().map_err(|_| wrong("numbers"))?;
            Value::Number(number)
        }
        Value::Bool(_) => json!(truth(value).ok_or_else(|| wrong("true, false"))?),
        _ => json!(value),
    };
    Ok((name.clone(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let attributes = json!([
            {"AttributeName": "Mode", "Type": "Enumeration", "Value": [{"ValueName": "Uefi", "ValueDisplayName": "UEFI boot"}, {"ValueName": "Bios"}]},
            {"AttributeName": "Wait", "Type": "Integer", "LowerBound": 10, "UpperBound": 50, "ScalarIncrement": 20},
            {"AttributeName": "Quiet", "Type": "Boolean"},
            {"AttributeName": "Note", "Type": "String", "MaxLength": 3},
            {"AttributeName": "Secret", "Type": "Password"},
            {"AttributeName": "Fixed", "Type": "String", "ReadOnly": true},
        ]);
        Registry {
            attributes: attributes.as_array().unwrap().clone(),
        }
    }

    #[test]
    fn a_value_is_sent_as_the_registry_writes_it() {
        let registry = registry();
        let sent = |name, value| registry.check(name, value).unwrap();
        assert_eq!(sent("mode", "uefi"), ("Mode".into(), json!("Uefi")));
        assert_eq!(sent("Mode", "uefi boot"), ("Mode".into(), json!("Uefi")));
        assert_eq!(sent("Wait", "30"), ("Wait".into(), json!(30)));
        assert_eq!(sent("Quiet", "on"), ("Quiet".into(), json!(true)));
        assert_eq!(sent("Note", "äöü"), ("Note".into(), json!("äöü")));
    }

    #[test]
    fn a_value_that_it_does_not_take_is_refused_with_what_it_takes() {
        let registry = registry();
        let refused = |name, value| {
            let failure = registry.check(name, value).unwrap_err();
            (failure.exit_code(), failure.to_string())
        };
        assert_eq!(
            refused("Mode", "x"),
            (2, "Mode does not take x, but Uefi, Bios".into())
        );
        assert_eq!(
            refused("Wait", "20").1,
            "Wait does not take 20, but 10 to 50 in steps of 20"
        );
        assert_eq!(refused("Wait", "70").0, 2);
        assert_eq!(
            refused("Note", "abcd").1,
            "Note does not take abcd, but up to 3 characters"
        );
        assert_eq!(refused("Fixed", "a").0, 2);
        assert!(!refused("Secret", "hunter2").1.contains("hunter2"));
        assert_eq!(refused("Nothing", "a").0, 4);
    }

    #[test]
    fn without_a_registry_a_value_is_of_the_kind_that_is_there() {
        let now = json!({"Count": 3, "Name": "x", "Flag": true});
        let now = now.as_object().unwrap();
        assert_eq!(
            guess(now, "count", "4").unwrap(),
            ("Count".into(), json!(4))
        );
        assert_eq!(
            guess(now, "Flag", "no").unwrap(),
            ("Flag".into(), json!(false))
        );
        assert_eq!(guess(now, "Count", "many").unwrap_err().exit_code(), 2);
        assert_eq!(guess(now, "Colour", "red").unwrap_err().exit_code(), 4);
    }
}
