//! Firmware settings: those in force, and those that wait for the next reset.

use hawkfish_core::backend::{Knob, KnobValue, Power, Setting, Takes, Word};
use hawkfish_core::bios::ApplyTime;
use hawkfish_core::inventory::System;
use hawkfish_redfish::message::{base, hawkfish};
use hawkfish_redfish::model::Prop;
use hawkfish_redfish::model::bios::{Attributes, Bios};
use hawkfish_redfish::validate::{self, Finding};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::attribute_registry;
use crate::catalog::{Action, Content, Outcome, Resource, Rq};
use crate::problem::Problem;

/// `/redfish/v1/Systems/{system}/Bios`
pub const RESOURCE: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Bios",
    entity: "Bios",
    get: Some(|rq| Box::pin(read(rq))),
    actions: &[Action {
        name: "Bios.ResetBios",
        run: |rq| Box::pin(reset(rq)),
        needs: None,
    }],
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    // It tells of the tag that the resource had when settings were last applied, so it cannot count for the tag.
    clock_like: &[SETTINGS_ANNOTATION],
    ..Resource::NONE
};

/// `/redfish/v1/Systems/{system}/Bios/Settings`
pub const SETTINGS: Resource = Resource {
    uri: "/redfish/v1/Systems/{system}/Bios/Settings",
    entity: "Bios",
    get: Some(|rq| Box::pin(read_settings(rq))),
    patch: Some(|rq| Box::pin(change(rq))),
    version: Some(|rq| Ok(rq.hf.system(&rq.ctx, &rq.id("system")?)?.generation)),
    ..Resource::NONE
};

const SETTINGS_ANNOTATION: &str = "@Redfish.Settings";
const APPLY_TIME: &str = "@Redfish.SettingsApplyTime";

fn attributes(values: impl IntoIterator<Item = (Knob, KnobValue)>) -> Attributes {
    Attributes {
        entries: values
            .into_iter()
            .map(|(knob, value)| (knob.as_str().to_owned(), attribute_registry::json(value)))
            .collect(),
    }
}

fn found(rq: &Rq) -> Result<std::sync::Arc<System>, Problem> {
    let system = rq.hf.system(&rq.ctx, &rq.id("system")?)?;
    if system.machine.firmware.settings.is_empty() {
        return Err(Problem::missing(rq.uri()));
    }
    Ok(system)
}

async fn read(rq: &Rq) -> Result<Content, Problem> {
    let system = found(rq)?;
    let body = |values, to_defaults| Bios {
        id: "Bios".to_owned(),
        name: "Firmware settings".to_owned(),
        description: Prop::Value(
            "The settings with which the system runs, or with which it would start if it is off."
                .to_owned(),
        ),
        attribute_registry: Prop::Value(attribute_registry::name(&system.machine.firmware)),
        reset_bios_to_defaults_pending: Prop::Value(to_defaults),
        attributes: Some(attributes(values)),
        ..Bios::default()
    };
    let Content::Resource(mut shown) = Content::of(&body(
        system.machine.firmware.now(),
        system.bios.to_defaults,
    ))?
    else {
        return Err(Problem::internal("a model is a resource"));
    };
    let mut settings = Map::from_iter([
        ("@odata.type".to_owned(), json!("#Settings.v1_4_0.Settings")),
        (
            "SettingsObject".to_owned(),
            json!({ "@odata.id": format!("{}/Settings", rq.uri()) }),
        ),
        (
            "SupportedApplyTimes".to_owned(),
            json!(apply_times(&system)),
        ),
    ]);
    if let Some(applied) = &system.bios.applied {
        let then = Content::of(&body(applied.values.clone(), false))?;
        if let Content::Resource(then) = then {
            settings.insert("ETag".to_owned(), rq.tag_of(then)?.into());
        }
        settings.insert("Time".to_owned(), super::date_time(applied.at).into());
    }
    let message = match (&system.bios.failed, &system.bios.applied) {
        (Some(failed), _) => Some(hawkfish(
            "SettingsNotApplied",
            &[failed.message.trim_end_matches('.')],
        )),
        (None, Some(_)) => Some(base("Success", &[])),
        (None, None) => None,
    };
    if let Some(message) = message {
        settings.insert("Messages".to_owned(), json!([message]));
    }
    shown.insert(SETTINGS_ANNOTATION.to_owned(), settings.into());
    Ok(Content::Resource(shown))
}

fn apply_times(system: &System) -> &'static [&'static str] {
    if system.machine.power == Power::Off {
        &["OnReset", "Immediate"]
    } else {
        &["OnReset"]
    }
}

async fn read_settings(rq: &Rq) -> Result<Content, Problem> {
    let system = found(rq)?;
    let content = Content::of(&Bios {
        id: "Settings".to_owned(),
        name: "Firmware settings to come".to_owned(),
        description: Prop::Value(
            "The settings with which the system will run after its next reset through this service."
                .to_owned(),
        ),
        attribute_registry: Prop::Value(attribute_registry::name(&system.machine.firmware)),
        attributes: Some(attributes(system.settings_to_come())),
        ..Bios::default()
    })?;
    let Content::Resource(mut shown) = content else {
        return Err(Problem::internal("a model is a resource"));
    };
    let times = json!({
        "@odata.type": "#Settings.v1_4_0.PreferredApplyTime",
        "ApplyTime": "OnReset",
        "ApplyTime@Redfish.AllowableValues": apply_times(&system),
    });
    shown.insert(APPLY_TIME.to_owned(), times);
    // The action is called at the settings in force.
    Ok(Content::Resource(shown))
}

async fn change(rq: &Rq) -> Result<Outcome, Problem> {
    let system = found(rq)?;
    let when = apply_time(rq, &system)?;
    let none = Map::new();
    let body = rq.raw_body().get("Attributes").and_then(Value::as_object);
    let mut wanted = std::collections::BTreeMap::new();
    let mut findings = Vec::new();
    for (name, value) in body.unwrap_or(&none) {
        let knob = Knob::from_name(name);
        let setting = knob.and_then(|knob| system.machine.firmware.setting(knob));
        match setting.map_or(Err(validate::Problem::Unknown), |s| taken(s, value)) {
            Ok((knob, value)) => {
                wanted.insert(knob, value);
            }
            Err(problem) => findings.push(Finding {
                pointer: format!("/Attributes/{name}"),
                name: name.clone(),
                problem,
            }),
        }
    }
    if !findings.is_empty() {
        return Err(Problem::findings(findings));
    }
    rq.hf
        .set_firmware(&rq.ctx, &system.id, wanted, when)
        .await?;
    Ok(Outcome::Done)
}

/// A value as the setting takes it.
fn taken(setting: &Setting, value: &Value) -> Result<(Knob, KnobValue), validate::Problem> {
    let shown = match value {
        Value::String(text) => text.chars().take(64).collect(),
        other => other.to_string().chars().take(64).collect::<String>(),
    };
    let wanted = match (setting.takes, value) {
        (Takes::Words(_), Value::String(text)) => {
            Word::from_name(text).map(KnobValue::Word).ok_or(true)
        }
        (Takes::Numbers(..), Value::Number(number)) => {
            number.as_i64().map(KnobValue::Number).ok_or(false)
        }
        _ => Err(false),
    };
    let wanted = match wanted {
        Ok(wanted) => wanted,
        Err(true) => return Err(validate::Problem::NotInList { value: shown }),
        Err(false) => return Err(validate::Problem::Type { value: shown }),
    };
    if setting.takes.allows(wanted) {
        // What can be nothing else may be said, and is not to be changed.
        return Ok((setting.knob, wanted));
    }
    Err(match setting.takes {
        _ if setting.takes.is_fixed() => validate::Problem::NotWritable,
        Takes::Words(_) => validate::Problem::NotInList { value: shown },
        Takes::Numbers(..) => validate::Problem::OutOfRange { value: shown },
    })
}

/// When the caller wants it (DSP0266, "Settings resource").
fn apply_time(rq: &Rq, system: &System) -> Result<ApplyTime, Problem> {
    let Some(wanted) = rq.annotation(APPLY_TIME) else {
        return Ok(ApplyTime::OnReset);
    };
    let pointer = format!("/{APPLY_TIME}");
    let refused = |key: &str, args: &[&str], pointer: &str| {
        Problem::base(StatusCode::BAD_REQUEST, key, args).related(pointer)
    };
    let Some(wanted) = wanted.as_object() else {
        let shown: String = wanted.to_string().chars().take(64).collect();
        let args = [shown.as_str(), APPLY_TIME];
        return Err(refused("PropertyValueTypeError", &args, &pointer));
    };
    for name in wanted.keys().filter(|name| !name.contains('@')) {
        if name != "ApplyTime" {
            return Err(refused(
                "PropertyUnknown",
                &[name],
                &format!("{pointer}/{name}"),
            ));
        }
    }
    let pointer = format!("{pointer}/ApplyTime");
    match wanted.get("ApplyTime") {
        None => Err(refused("PropertyMissing", &["ApplyTime"], &pointer)),
        Some(Value::String(time)) if time == "OnReset" => Ok(ApplyTime::OnReset),
        Some(Value::String(time))
            if time == "Immediate" && apply_times(system).contains(&"Immediate") =>
        {
            Ok(ApplyTime::Immediate)
        }
        Some(other) => {
            let shown: String = other
                .as_str()
                .map_or_else(|| other.to_string(), str::to_owned)
                .chars()
                .take(64)
                .collect();
            let args = [shown.as_str(), "ApplyTime"];
            Err(refused("PropertyValueNotInList", &args, &pointer))
        }
    }
}

async fn reset(rq: &Rq) -> Result<Outcome, Problem> {
    let system = found(rq)?;
    rq.hf.reset_firmware(&rq.ctx, &system.id).await?;
    Ok(Outcome::Done)
}
