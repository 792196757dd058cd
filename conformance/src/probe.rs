//! What several cases ask of an answer.

use hawkfish_client::{Request, Response};
use http::StatusCode;
use serde_json::Value;

use crate::case::Context;

/// A request's answer, or why there is none.
pub(crate) async fn ask(context: &Context<'_>, request: Request) -> Result<Response, String> {
    context
        .client
        .send(request)
        .await
        .map_err(|error| error.to_string())
}

/// The answer has one of these statuses, and the body that goes with an error.
pub(crate) fn refused(answer: &Response, statuses: &[u16]) -> Result<(), String> {
    if !statuses.contains(&answer.status.as_u16()) {
        return Err(format!("{} instead of {}", answer.status, list(statuses)));
    }
    redfish_error(answer)
}

fn list(statuses: &[u16]) -> String {
    let words: Vec<String> = statuses.iter().map(u16::to_string).collect();
    words.join(" or ")
}

/// The body is a Redfish error with at least one message (DSP0266, "Error responses").
pub(crate) fn redfish_error(answer: &Response) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{}: {what}", answer.status));
    let Ok(body) = answer.json() else {
        return wrong("the body of the error is not JSON");
    };
    let Some(error) = body.get("error") else {
        return wrong("the body has no error");
    };
    for name in ["code", "message"] {
        if !error.get(name).is_some_and(Value::is_string) {
            return Err(format!("{}: error.{name} is no text", answer.status));
        }
    }
    let messages = error.get("@Message.ExtendedInfo").and_then(Value::as_array);
    let Some(messages) = messages.filter(|messages| !messages.is_empty()) else {
        return wrong("the error has no @Message.ExtendedInfo");
    };
    for message in messages {
        let id = message.get("MessageId").and_then(Value::as_str);
        if !id.is_some_and(is_message_id) {
            return Err(format!("{}: {id:?} is no MessageId", answer.status));
        }
    }
    Ok(())
}

/// `Base.1.22.PropertyUnknown`; older registries write three numbers.
fn is_message_id(id: &str) -> bool {
    let parts: Vec<&str> = id.split('.').collect();
    let (Some((first, rest)), true) = (parts.split_first(), (4..=5).contains(&parts.len())) else {
        return false;
    };
    let Some((last, numbers)) = rest.split_last() else {
        return false;
    };
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    word(first) && word(last) && numbers.iter().all(|n| n.parse::<u32>().is_ok())
}

/// The methods of an `Allow` header.
pub(crate) fn allow(answer: &Response) -> Option<Vec<String>> {
    let allow = answer.header(http::header::ALLOW)?;
    Some(
        allow
            .split(',')
            .map(|method| method.trim().to_owned())
            .collect(),
    )
}

/// Whether the answer says that it is JSON.
pub(crate) fn is_json(answer: &Response) -> bool {
    let media_type = answer
        .header(http::header::CONTENT_TYPE)
        .unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/json")
}

/// 200, and why not.
pub(crate) fn ok(answer: &Response) -> Result<(), String> {
    match answer.status {
        StatusCode::OK => Ok(()),
        other => Err(format!("{other} instead of 200")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_are_told_from_other_words() {
        assert!(is_message_id("Base.1.22.PropertyUnknown"));
        assert!(is_message_id("iLO.2.14.0.Success"));
        for wrong in [
            "",
            "Base",
            "Base.1.PropertyUnknown",
            "Base.x.y.Z",
            "Base.1.22.",
            ".1.2.X",
        ] {
            assert!(!is_message_id(wrong), "{wrong}");
        }
    }
}
