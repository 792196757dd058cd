//! How a value that was sent is shown in a message.

use serde_json::Value;

/// Longest text shown of a value, in characters.
const MAX: usize = 128;

/// What stands in place of a secret.
pub(super) const HIDDEN: &str = "******";

/// The value as text: short, and without anything that might be a secret. Of an object or an array
/// only that is shown, since anything might be in it.
pub(super) fn shown(value: &Value, secret: bool) -> String {
    if secret && !value.is_null() {
        return HIDDEN.to_owned();
    }
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(text) => short(&without_userinfo(text)),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Array(_) => "[...]".to_owned(),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(_) => "{...}".to_owned(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}

/// A URI may carry a user name and a password.
fn without_userinfo(text: &str) -> String {
    let Some(start) = text.find("://").map(|at| at + 3) else {
        return text.to_owned();
    };
    let end = text[start..]
        .find(['/', '?', '#'])
        .map_or(text.len(), |at| start + at);
    match text[start..end].rfind('@') {
        Some(at) => format!("{}{HIDDEN}{}", &text[..start], &text[start + at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_is_never_shown() {
        assert_eq!(shown(&json!("hunter2"), true), HIDDEN);
        assert_eq!(shown(&json!(5), true), HIDDEN);
        assert!(!shown(&json!({"Password": "hunter2"}), false).contains("hunter2"));
        assert_eq!(
            shown(&json!("http://me:hunter2@host/a@b"), false),
            format!("http://{HIDDEN}@host/a@b")
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = shown(&json!("ü".repeat(1000)), false);
        assert_eq!(text.chars().count(), MAX + 3);
    }
}
