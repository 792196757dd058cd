//! Changes that are small enough to be waited for without being asked.

use std::io::Read as _;
use std::path::Path;

use hawkfish_client::Outcome;

use crate::failure::{Failure, Result};
use crate::output::Output;

/// Waits for the end of a change and says what it came to.
pub(crate) async fn conclude(output: &Output, outcome: Outcome, sentence: &str) -> Result<()> {
    let answer = outcome.finish(None).await?;
    output.done(sentence, &answer)
}

/// The word as the service writes it, whatever its case here; where the service does not say what it takes, as it is.
pub(crate) fn as_written(allowed: &[String], wanted: &str, what: &str) -> Result<String> {
    if allowed.is_empty() {
        return Ok(wanted.to_owned());
    }
    let found = allowed
        .iter()
        .find(|value| value.eq_ignore_ascii_case(wanted));
    found.cloned().ok_or_else(|| {
        Failure::Usage(format!(
            "{wanted} is no {what} here; there are {}",
            allowed.join(", ")
        ))
    })
}

/// What stands in an argument: itself, a file behind `@`, or standard input for `@-`.
pub(crate) fn text_of(argument: &str) -> Result<String> {
    match argument.strip_prefix('@') {
        None => Ok(argument.to_owned()),
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
            Ok(text)
        }
        Some(file) => text_in(Path::new(file)),
    }
}

/// A file of text.
pub(crate) fn text_in(file: &Path) -> Result<String> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))
}

/// An argument that is to be JSON: itself, a file behind `@`, or standard input for `@-`.
pub(crate) fn json_of(argument: &str) -> Result<serde_json::Value> {
    serde_json::from_str(&text_of(argument)?)
        .map_err(|error| Failure::Usage(format!("the body is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_sent_as_the_service_writes_it_and_one_that_it_does_not_know_is_not_sent() {
        let allowed = ["ReadOnly".to_owned(), "Operator".to_owned()];
        assert_eq!(
            as_written(&allowed, "readonly", "role").unwrap(),
            "ReadOnly"
        );
        let wrong = as_written(&allowed, "root", "role").unwrap_err();
        assert_eq!(wrong.exit_code(), 2);
        assert!(wrong.to_string().contains("ReadOnly, Operator"));
        assert_eq!(as_written(&[], "root", "role").unwrap(), "root");
    }
}
