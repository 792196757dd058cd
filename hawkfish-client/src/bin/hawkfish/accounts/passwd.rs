//! `accounts passwd`: another password, also where nothing else is let through before it was changed.

use hawkfish_client::{Client, Error, Fetched, Kind};
use serde_json::{Value, json};

use super::secret::NewPassword;
use crate::change::conclude;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::Output;

pub(super) async fn run(
    client: &Client,
    output: &Output,
    name: Option<&str>,
    password: &NewPassword,
) -> Result<()> {
    let account = match named(client, name).await {
        Err(Failure::Client(error)) => {
            let Some(uri) = must_change(&error) else {
                return Err(error.into());
            };
            let account = client.get_value(uri).await?;
            if name.is_some_and(|name| !is_called(&account.value, name)) {
                return Err(error.into());
            }
            account
        }
        found => found?,
    };
    let user = account.value.get("UserName").and_then(Value::as_str);
    let user = user.unwrap_or(&account.uri).to_owned();
    let password = password.read(&user).await?;
    let outcome = client
        .patch(
            &account.uri,
            account.etag.as_ref(),
            &json!({"Password": password}),
        )
        .await?;
    conclude(output, outcome, &format!("{user}: password changed")).await
}

async fn named(client: &Client, name: Option<&str>) -> Result<Fetched<Value>> {
    match name {
        Some(name) => super::account(client, name).await,
        None => {
            let user = own_name(client).await?;
            super::account(client, &user).await
        }
    }
}

/// Who we are: what our session says.
async fn own_name(client: &Client) -> Result<String> {
    client.login().await?;
    let session = client.session().and_then(|session| session.uri);
    let Some(session) = session else {
        return Err(Failure::Usage(
            "without a session the service does not say who asks; name the account".into(),
        ));
    };
    let session = client.get_value(&session).await?.value;
    find::text(&session, "/UserName")
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::NotFound("the session does not say whose it is; name the account".into())
        })
}

fn is_called(account: &Value, name: &str) -> bool {
    ["/Id", "/UserName"]
        .iter()
        .any(|pointer| find::text(account, pointer) == Some(name))
}

/// The account whose password has to be changed before anything else, which the service names then (DSP0266, "Password change required handling").
fn must_change(error: &Error) -> Option<&str> {
    if error.kind != Kind::Forbidden {
        return None;
    }
    let mut messages = error.messages().iter();
    let message = messages.find(|message| message.key() == "PasswordChangeRequired")?;
    message.args.first().map(String::as_str)
}
