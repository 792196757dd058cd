//! Writes a value as YAML 1.2, in block style, for people to read and to compare.

use serde_json::Value;

pub(super) fn of(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

/// A value that begins on a line of its own.
fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                indent(depth, out);
                text(name, out);
                out.push(':');
                after(value, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                indent(depth, out);
                out.push('-');
                // What a list holds begins beside its dash.
                let mut inner = String::new();
                after(item, depth + 1, &mut inner);
                let nested = inner.strip_prefix('\n').map(str::to_owned);
                match nested {
                    Some(nested) => {
                        out.push(' ');
                        out.push_str(nested.trim_start_matches(' '));
                    }
                    None => out.push_str(&inner),
                }
            }
        }
        scalar => {
            indent(depth, out);
            line(scalar, out);
            out.push('\n');
        }
    }
}

/// A value behind a name or a dash.
fn after(value: &Value, depth: usize, out: &mut String) {
    let nested = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty() && !is_short(items),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(value, depth, out);
    } else {
        out.push(' ');
        line(value, out);
        out.push('\n');
    }
}

/// Lists of few plain values stand on one line.
fn is_short(items: &[Value]) -> bool {
    items.len() <= 4
        && items
            .iter()
            .all(|item| !item.is_object() && !item.is_array())
}

fn line(value: &Value, out: &mut String) {
    match value {
        Value::String(value) => text(value, out),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                line(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// A string: plain where nothing in it means anything to YAML, else quoted as in JSON, which YAML reads alike.
fn text(value: &str, out: &mut String) {
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-' | '$'))
        && !matches!(
            value.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        out.push_str(value);
    } else {
        out.push_str(&Value::from(value).to_string());
    }
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_written_so_that_nothing_in_it_is_taken_for_something_else() {
        let value = json!({
            "a": {"b": [1, 2], "on": true, "200": null},
            "list": [{"x": "no", "y": {"z": "#/a: b"}}, {}],
            "/path/{id}": "plain",
            "long": [1, 2, 3, 4, 5],
        });
        let expected = "\
a:
  b: [1, 2]
  \"on\": true
  \"200\": null
list:
  - x: \"no\"
    \"y\":
      z: \"#/a: b\"
  - {}
\"/path/{id}\": plain
long:
  - 1
  - 2
  - 3
  - 4
  - 5
";
        assert_eq!(of(&value), expected);
    }
}
