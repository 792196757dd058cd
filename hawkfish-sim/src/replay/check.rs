//! What PATCH may say of a captured document: only what is there, only what its schema lets be written, only values of the same kind.

use hawkfish_redfish::message::{Message, base};
use hawkfish_redfish::schema::{self, Of, Property, Type};
use hawkfish_server::problem::Problem;
use http::StatusCode;
use serde_json::{Map as Object, Value};

use super::Refusal;

/// Never written, whatever a vendor's schema may say of it.
const FIXED: &[&str] = &["Id", "Name", "Members", "Actions", "Links", "Status"];

/// A document as a PATCH leaves it. `open` are properties of the top that something else looks at.
///
/// # Errors
/// All that is wrong, and nothing is done.
pub(super) fn changed(
    before: &Value,
    kind: &str,
    said: &Object<String, Value>,
    open: &[&str],
) -> Result<Value, Refusal> {
    let mut check = Check::default();
    let mut after = before.clone();
    if said.iter().all(|(name, _)| name.contains('@')) {
        let nothing = Problem::base(StatusCode::BAD_REQUEST, "NoOperation", &[]);
        return Err(nothing.into());
    }
    check.object(&mut after, said, schema::resource(kind), "", open);
    match check.wrong.is_empty() {
        true => Ok(after),
        false => Err(Problem::messages(StatusCode::BAD_REQUEST, check.wrong).into()),
    }
}

#[derive(Default)]
struct Check {
    wrong: Vec<Message>,
}

/// A value as messages show it.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    text.chars().take(200).collect()
}

impl Check {
    fn wrong(&mut self, key: &str, args: &[&str], at: &str) {
        self.wrong.push(base(key, args).related(at));
    }

    fn object(
        &mut self,
        now: &mut Value,
        said: &Object<String, Value>,
        kind: Option<Type>,
        at: &str,
        open: &[&str],
    ) {
        let Some(now) = now.as_object_mut() else {
            return;
        };
        for (name, value) in said {
            // Annotations are about the others.
            if name.contains('@') {
                continue;
            }
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            let is_open = open.contains(&name.as_str());
            let Some(current) = now.get(name) else {
                if !is_open {
                    self.wrong("PropertyUnknown", &[name], &at);
                }
                continue;
            };
            let known = kind.and_then(|kind| kind.property(name));
            if let Some(allowed) = now.get(&format!("{name}@Redfish.AllowableValues"))
                && let Some(allowed) = allowed.as_array()
                && value.is_string()
                && !allowed.contains(value)
            {
                self.wrong("PropertyValueNotInList", &[&shown(value), name], &at);
                continue;
            }
            let mut next = current.clone();
            self.property(
                &mut next,
                value,
                known,
                (name, &at),
                kind.is_some(),
                is_open,
            );
            if let Some(count) = now.get_mut(&format!("{name}@odata.count"))
                && let Some(all) = next.as_array()
            {
                *count = all.len().into();
            }
            now.insert(name.clone(), next);
        }
    }

    fn property(
        &mut self,
        now: &mut Value,
        said: &Value,
        known: Option<Property>,
        (name, at): (&str, &str),
        is_typed: bool,
        is_open: bool,
    ) {
        let is_top = at.matches('/').count() == 1;
        // What a vendor adds has no schema here: it takes what is like what it shows.
        let Some(known) = known else {
            if is_top && FIXED.contains(&name) || now.get("@odata.id").is_some() {
                return self.wrong("PropertyNotWritable", &[name], at);
            }
            return self.same(now, said, name, at);
        };
        let inner = match known.of {
            Of::Object(inner) => Some(inner),
            _ => None,
        };
        // `Oem`, and objects of which something may be written.
        let goes_in = name == "Oem" || inner.is_some() && !known.is_list && said.is_object();
        if name == "Links" && is_top && !goes_in {
            return self.wrong("PropertyNotWritable", &[name], at);
        }
        if goes_in && now.is_object() {
            return match said.as_object() {
                Some(said) => {
                    let kind = inner.filter(|_| name != "Oem");
                    self.object(now, said, kind, at, &[]);
                }
                None => self.wrong("PropertyValueTypeError", &[&shown(said), name], at),
            };
        }
        let may = known.is_writable || is_open && is_typed;
        if !may {
            return self.wrong("PropertyNotWritable", &[name], at);
        }
        if known.is_list {
            let Some(all) = said.as_array() else {
                return self.wrong("PropertyValueTypeError", &[&shown(said), name], at);
            };
            let current = now.as_array().cloned().unwrap_or_default();
            let mut next = Vec::new();
            for (place, one) in all.iter().enumerate() {
                let at = format!("{at}/{place}");
                match (inner, one) {
                    // An empty object leaves an element as it is, null takes it away (DSP0266, "PATCH on array properties").
                    (Some(inner), Value::Object(said)) => {
                        let like = current.get(place).or(current.first());
                        let Some(mut element) = like.cloned() else {
                            next.push(one.clone());
                            continue;
                        };
                        self.object(&mut element, said, Some(inner), &at, &[]);
                        next.push(element);
                    }
                    (Some(_), Value::Null) => {}
                    (Some(_), _) => {
                        self.wrong("PropertyValueTypeError", &[&shown(one), name], &at);
                    }
                    (None, _) => {
                        self.value(one, known, current.get(place), name, &at);
                        next.push(one.clone());
                    }
                }
            }
            *now = next.into();
            return;
        }
        self.value(said, known, Some(now), name, at);
        now.clone_from(said);
    }

    /// Holds a value against its schema.
    fn value(&mut self, said: &Value, known: Property, now: Option<&Value>, name: &str, at: &str) {
        // Services show null where their schema does not; what is shown may be written.
        if said.is_null() && (known.is_nullable || now.is_some_and(Value::is_null)) {
            return;
        }
        let fits = match known.of {
            Of::Bool => said.is_boolean(),
            Of::Int => said.is_i64() || said.is_u64(),
            Of::Number => said.is_number(),
            Of::Text | Of::DateTime | Of::One(_) => said.is_string(),
            Of::Primitive => !said.is_object() && !said.is_array(),
            Of::Object(_) | Of::Link => said.is_object(),
            Of::Unknown => true,
        };
        if !fits {
            return self.wrong("PropertyValueTypeError", &[&shown(said), name], at);
        }
        match (known.of, said) {
            (Of::One(all), Value::String(text)) if !all.contains(text) => {
                self.wrong("PropertyValueNotInList", &[text, name], at);
            }
            (Of::DateTime, Value::String(text)) if text.parse::<jiff::Timestamp>().is_err() => {
                self.wrong("PropertyValueFormatError", &[text, name], at);
            }
            _ => {}
        }
    }

    /// A value of which no more is known than what stands there now.
    fn same(&mut self, now: &mut Value, said: &Value, name: &str, at: &str) {
        if let (Value::Object(_), Value::Object(said)) = (&*now, said) {
            return self.object(now, said, None, at, &[]);
        }
        let fits = match (&*now, said) {
            (Value::Null, said) => !said.is_object() && !said.is_array(),
            (Value::String(_), Value::Null | Value::String(_))
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Number(_), Value::Number(_) | Value::Null) => true,
            (Value::Array(now), Value::Array(said)) => match now.first() {
                Some(like) => said
                    .iter()
                    .all(|one| std::mem::discriminant(one) == std::mem::discriminant(like)),
                None => said.iter().all(|one| !one.is_object() && !one.is_array()),
            },
            _ => false,
        };
        match fits {
            true => now.clone_from(said),
            false => self.wrong("PropertyValueTypeError", &[&shown(said), name], at),
        }
    }
}
