//! `events listen`: a receiver that subscribes itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use hawkfish_client::webhook::{Builder, Receiver};
use hawkfish_client::{Client, Kind};
use http::{HeaderName, HeaderValue};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use super::subscriptions::{body, subscribe};
use super::tell::tell;
use super::wanted::Choice;
use crate::failure::{Failure, Result};
use crate::find;
use crate::output::{Output, warn};

/// What a service that signs nothing is to send along, so that nobody else can send us events.
const SECRET: HeaderName = HeaderName::from_static("x-hawkfish-secret");
/// How long the end of the subscription is waited for.
const FAREWELL: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The address to receive at; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    at: SocketAddr,
    /// The URL by which the service reaches that address, where it is another.
    #[arg(long, value_name = "URL")]
    reached_as: Option<String>,
    #[command(flatten)]
    choice: Choice,
    /// A text that comes with each event.
    #[arg(long)]
    context: Option<String>,
    /// A certificate chain (PEM) to receive by TLS with.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Ends after so many events.
    #[arg(long, value_name = "N")]
    count: Option<usize>,
}

pub(super) async fn run(client: &Client, output: &Output, arguments: &Arguments) -> Result<()> {
    let url = arguments.reached_as.as_deref();
    if arguments.at.ip().is_unspecified() && url.is_none() {
        return Err(Failure::Usage(format!(
            "{} is no address that can be sent to; say how the service reaches it with --reached-as URL",
            arguments.at
        )));
    }
    let secret = secret()?;
    let root = client.root().await?.value;
    // Only HawkFish signs what it sends; others are given a header that nobody else knows.
    let signs = find::text(&root, "/Vendor") == Some("HawkFish");
    let mut receiver = match signs {
        true => Receiver::signed(secret.as_bytes()),
        false => Receiver::unsigned().header(SECRET, value(&secret)?),
    };
    if let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) {
        receiver = with_tls(receiver, certificate, key)?;
    }
    let receiver = receiver.on_refusal(|why| warn(&format!("not taken, because {why}")));
    let mut receiver = receiver
        .bind(arguments.at)
        .await
        .map_err(|error| Failure::Usage(format!("cannot receive at {}: {error}", arguments.at)))?;
    let url = url.map_or_else(|| receiver.url(), str::to_owned);
    let mut body = body(&url, arguments.context.as_deref(), &arguments.choice);
    match signs {
        true => body.insert("Oem".into(), json!({"HawkFish": {"SigningKey": secret}})),
        false => {
            let headers = json!([{SECRET.as_str(): secret}]);
            body.insert("HttpHeaders".into(), headers)
        }
    };
    let subscription = subscribe(client, body.into()).await?;
    warn(&format!(
        "listening at {url}, as subscription {}",
        find::id(&subscription)
    ));
    // Whatever ends it, the subscription goes before this does.
    let done = crate::interruptible(receive(&mut receiver, output, arguments.count)).await;
    let ended = tokio::time::timeout(FAREWELL, client.delete(&subscription, None)).await;
    match ended {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.kind == Kind::NotFound => {
            warn("the subscription was ended by somebody else");
        }
        Ok(Err(error)) => warn(&format!("{subscription} is still there: {error}")),
        Err(_) => warn(&format!("{subscription} may still be there: no answer")),
    }
    done
}

async fn receive(receiver: &mut Receiver, output: &Output, mut left: Option<usize>) -> Result<()> {
    while left != Some(0)
        && let Some(event) = receiver.next().await
    {
        tell(output, &event)?;
        left = left.map(|left| left.saturating_sub(event.records.len().max(1)));
    }
    Ok(())
}

/// Something that nobody can guess.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| {
        Failure::Output(std::io::Error::other("the system gives no random numbers"))
    })?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

fn value(secret: &str) -> Result<HeaderValue> {
    HeaderValue::try_from(secret).map_err(|error| Failure::Usage(error.to_string()))
}

fn with_tls(receiver: Builder, certificate: &Path, key: &Path) -> Result<Builder> {
    let wrong = |file: &Path, error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: {error}", file.display()))
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificate, &error))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| wrong(certificate, &error))?;
    Ok(receiver.tls(Arc::new(config)))
}
