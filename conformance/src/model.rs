//! A resource against the model of its type.

use std::cmp::Ordering;

use hawkfish_redfish::validate::{self, Finding, Problem};
use serde_json::Value;

/// What can be said of a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Judgement {
    /// Our model has its type.
    Known {
        /// `ComputerSystem`.
        entity: String,
        /// What is wrong with it.
        wrong: Vec<String>,
        /// JSON pointers to what our model cannot judge: properties that it does not have, values that a newer version may
        /// have added, and required properties that an older one may not have had.
        unjudged: Vec<String>,
    },
    /// Our model does not have its type.
    Unknown {
        /// Its `@odata.type`.
        odata_type: String,
    },
    /// It has no `@odata.type`, or one that is not well formed.
    Untyped,
}

/// Holds a resource against the newest version of its type that we know.
pub fn judge(body: &Value) -> Judgement {
    let odata_type = body.get("@odata.type").and_then(Value::as_str);
    let Some((entity, version)) = odata_type.and_then(parse) else {
        return Judgement::Untyped;
    };
    let Some((_, ours)) = validate::odata_type(entity).and_then(parse) else {
        return Judgement::Unknown {
            odata_type: odata_type.unwrap_or_default().to_owned(),
        };
    };
    let age = version.cmp(&ours);
    let (mut wrong, mut unjudged) = (Vec::new(), Vec::new());
    for finding in validate::response(entity, body) {
        if can_judge(&finding, age) {
            wrong.push(sentence(&finding));
        } else {
            unjudged.push(finding.pointer);
        }
    }
    Judgement::Known {
        entity: entity.to_owned(),
        wrong,
        unjudged,
    }
}

/// The model holds what HawkFish serves, in the newest version: what it leaves out, what a newer version may have added and what an older one did
/// not yet require is not wrong in another service.
fn can_judge(finding: &Finding, age: Ordering) -> bool {
    match finding.problem {
        Problem::Unknown => false,
        // The name is that of the type where an expanded resource is of a type that we do not have.
        Problem::NotInList { .. } => age != Ordering::Greater && finding.name != "@odata.type",
        Problem::Missing => {
            age != Ordering::Less
                || ["Id", "Name"].contains(&finding.name.as_str())
                || finding.name.starts_with('@')
        }
        _ => true,
    }
}

fn sentence(finding: &Finding) -> String {
    let at = &finding.pointer;
    match &finding.problem {
        Problem::Missing => format!("{at} is missing"),
        Problem::Type { value } => format!("{at} is {value}, which is of another type"),
        Problem::NotInList { value } => format!("{at} is {value}, which is not among its values"),
        Problem::Format { value } => format!("{at} is {value}, which is not in its format"),
        Problem::OutOfRange { value } => format!("{at} is {value}, which is out of its range"),
        other => format!("{at}: {other:?}"),
    }
}

/// Name and version of `#ComputerSystem.v1_26_0.ComputerSystem` and `#SessionCollection.SessionCollection`.
pub fn parse(odata_type: &str) -> Option<(&str, [u32; 3])> {
    let mut parts = odata_type.strip_prefix('#')?.split('.');
    let (namespace, second, third) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() || namespace.is_empty() {
        return None;
    }
    match third {
        None => (namespace == second).then_some((namespace, [0; 3])),
        Some(name) => {
            let mut numbers = second.strip_prefix('v')?.split('_').map(str::parse);
            let version = [
                numbers.next()?.ok()?,
                numbers.next()?.ok()?,
                numbers.next()?.ok()?,
            ];
            (numbers.next().is_none() && !name.is_empty()).then_some((name, version))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_told_with_its_version_or_not_at_all() {
        assert_eq!(
            parse("#ComputerSystem.v1_26_0.ComputerSystem"),
            Some(("ComputerSystem", [1, 26, 0]))
        );
        assert_eq!(
            parse("#SessionCollection.SessionCollection"),
            Some(("SessionCollection", [0, 0, 0]))
        );
        for wrong in [
            "",
            "#",
            "ComputerSystem",
            "#ComputerSystem",
            "#A.B",
            "#A.v1.A",
            "#A.v1_2.A",
            "#A.v1_2_x.A",
            "#A.v1_2_3.",
            "#A.v1_2_3.A.b",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
