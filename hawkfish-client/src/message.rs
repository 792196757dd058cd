//! Messages as services send them, which is not always as the specification has them.

use hawkfish_redfish::message::{Message, Severity};
use serde_json::Value;

use crate::quirks;

/// The messages of an error body; of a body without `error`, those at its top, where some services put them.
pub(crate) fn of_error(body: &[u8]) -> Vec<Message> {
    let Ok(body) = quirks::json(body) else {
        return Vec::new();
    };
    let error = body.get("error").unwrap_or(&body);
    let mut messages = error
        .get("@Message.ExtendedInfo")
        .map(of_list)
        .unwrap_or_default();
    let own = one(error).filter(|message| !message.message.is_empty());
    match (messages.as_mut_slice(), own) {
        // An error without extended information still has its code and text.
        ([], own) => messages.extend(own),
        // One message that only says which it is; what went wrong stands beside it.
        ([single], Some(own)) if single.message.is_empty() => single.message = own.message,
        _ => {}
    }
    messages
}

/// A list of messages, or a single one where the list was forgotten.
pub(crate) fn of_list(list: &Value) -> Vec<Message> {
    match list {
        Value::Array(list) => list.iter().filter_map(one).collect(),
        single => one(single).into_iter().collect(),
    }
}

fn one(value: &Value) -> Option<Message> {
    let value = value.as_object()?;
    let text = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| value.get(*name)?.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let strings = |name: &str| match value.get(name) {
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| {
                item.as_str()
                    .map_or_else(|| item.to_string(), str::to_owned)
            })
            .collect(),
        _ => Vec::new(),
    };
    Some(Message {
        message_id: text(&["MessageId", "code"]),
        message: text(&["Message", "message"]),
        args: strings("MessageArgs"),
        // `Severity` is what `MessageSeverity` was called before Message 1.1.
        severity: match text(&["MessageSeverity", "Severity"]).as_str() {
            "OK" => Severity::OK,
            "Warning" => Severity::Warning,
            _ => Severity::Critical,
        },
        resolution: text(&["Resolution"]),
        related_properties: strings("RelatedProperties"),
    })
}

/// All texts in one line.
pub(crate) fn summary(messages: &[Message]) -> Option<String> {
    let texts: Vec<&str> = messages
        .iter()
        .map(|message| match message.message.as_str() {
            "" => message.message_id.as_str(),
            text => text,
        })
        .filter(|text| !text.is_empty())
        .collect();
    (!texts.is_empty()).then(|| texts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_in_its_old_shape_and_with_numbers_as_arguments() {
        let messages = of_error(
            br#"{"error": {"code": "Base.1.0.GeneralError", "@Message.ExtendedInfo": {
                "MessageId": "Base.1.0.PropertyValueOutOfRange", "Severity": "Warning", "Message": "Too much.", "MessageArgs": [7, "N"]}}}"#,
        );
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].key(), "PropertyValueOutOfRange");
        assert_eq!(messages[0].args, ["7", "N"]);
        assert_eq!(messages[0].severity, Severity::Warning);
    }

    #[test]
    fn an_error_without_extended_information_is_its_own_message() {
        let messages = of_error(br#"{"error": {"code": "X.1.0.Y", "message": "It broke."}}"#);
        assert_eq!(summary(&messages).as_deref(), Some("It broke."));
    }

    #[test]
    fn a_message_without_a_text_has_that_of_the_error() {
        let messages = of_error(
            br#"{"error": {"code": "Base.1.0.GeneralError", "message": "Feature Chassis not available",
                "@Message.ExtendedInfo": [{"MessageId": "Base.1.0.GeneralError"}]}}"#,
        );
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].key(), "GeneralError");
        assert_eq!(
            summary(&messages).as_deref(),
            Some("Feature Chassis not available")
        );
    }

    #[test]
    fn a_page_of_html_holds_no_message() {
        assert!(of_error(b"<html>502 Bad Gateway</html>").is_empty());
        assert!(of_error(b"[1, 2]").is_empty());
    }
}
