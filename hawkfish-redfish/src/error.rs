//! The body of every 4xx and 5xx answer (DSP0266, "Error responses").

use crate::message::Message;
use serde::{Deserialize, Serialize};

/// `{"error": {"code", "message", "@Message.ExtendedInfo": [...]}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RedfishError {
    /// The only member of the body.
    pub error: ErrorBody,
}

/// What stands inside `error`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The MessageId of the message that stands for the whole answer.
    pub code: String,
    /// Its text.
    pub message: String,
    /// All messages, in the order in which they were found.
    #[serde(rename = "@Message.ExtendedInfo", default)]
    pub extended_info: Vec<Message>,
}

impl RedfishError {
    /// An error of one message or several. One stands for itself; several are announced by
    /// `Base.GeneralError`, as the specification asks. None at all becomes `Base.InternalError`.
    pub fn new(mut messages: Vec<Message>) -> Self {
        if messages.is_empty() {
            messages.push(crate::message::base("InternalError", &[]));
        }
        let (code, message) = match messages.as_slice() {
            [one] => (one.message_id.clone(), one.message.clone()),
            _ => {
                let general = crate::message::base("GeneralError", &[]);
                (general.message_id, general.message)
            }
        };
        Self {
            error: ErrorBody {
                code,
                message,
                extended_info: messages,
            },
        }
    }
}

impl From<Message> for RedfishError {
    fn from(message: Message) -> Self {
        Self::new(vec![message])
    }
}

impl From<Vec<Message>> for RedfishError {
    fn from(messages: Vec<Message>) -> Self {
        Self::new(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::base;
    use serde_json::json;

    #[test]
    fn one_message_stands_for_the_whole_answer() {
        let body =
            serde_json::to_value(RedfishError::from(base("PropertyUnknown", &["Foo"]))).unwrap();
        assert_eq!(
            body["error"]["code"],
            body["error"]["@Message.ExtendedInfo"][0]["MessageId"]
        );
        assert_eq!(
            body["error"]["message"],
            body["error"]["@Message.ExtendedInfo"][0]["Message"]
        );
    }

    #[test]
    fn several_messages_are_announced_by_general_error() {
        let body = serde_json::to_value(RedfishError::from(vec![
            base("PropertyUnknown", &["Foo"]),
            base("PropertyNotWritable", &["Id"]),
        ]))
        .unwrap();
        assert!(
            body["error"]["code"]
                .as_str()
                .unwrap()
                .ends_with(".GeneralError")
        );
        assert_eq!(
            body["error"]["@Message.ExtendedInfo"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }

    #[test]
    fn an_error_read_back_is_the_error_written() {
        let error = RedfishError::from(base("ResourceInUse", &[]));
        let read: RedfishError = serde_json::from_value(json!(error)).unwrap();
        assert_eq!(read, error);
    }
}
