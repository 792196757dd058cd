//! Brings an image from a web server into the cache: streamed, bounded, hashed, and only from where policy allows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use url::Url;

use super::store::{Stored, Storing};
use crate::error::{Error, ErrorKind, Result};
use crate::outgoing::{self, Policy, Tls};

/// What to fetch, and how.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) url: Url,
    pub(crate) user_name: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Tls,
    /// Most bytes that are taken.
    pub(crate) max_bytes: u64,
}

/// Streams an image into `cache` and gives its path there: its SHA-256 in hexadecimal and `ending`, so that the same image lies there once. `unique`
/// keeps two downloads apart while they run. `progress` is told the percentage done, where the server says how long the image is.
pub(crate) async fn download(
    policy: &Arc<Policy>,
    (cache, unique, ending): (&Path, &str, &str),
    busy: &Arc<()>,
    what: Download,
    mut progress: impl FnMut(u8),
) -> Result<Stored> {
    let Download {
        mut url,
        user_name,
        password,
        tls,
        max_bytes,
    } = what;
    policy.check(&url)?;
    let client = policy.client(&tls)?;
    let user_name =
        user_name.or_else(|| (!url.username().is_empty()).then(|| decode(url.username())));
    let password = password.or_else(|| url.password().map(decode));
    let _ = url.set_username("");
    let _ = url.set_password(None);

    let mut request = client.get(url.clone());
    if let Some(user_name) = user_name {
        request = request.basic_auth(user_name, password);
    }
    let response = request
        .send()
        .await
        .map_err(|e| outgoing::explain(&url, e))?;
    let upstream = |message: String| {
        Error::new(
            ErrorKind::Upstream {
                uri: outgoing::redacted(&url),
            },
            message,
        )
    };
    if !response.status().is_success() {
        return Err(upstream(format!(
            "{} answered {}.",
            outgoing::redacted(&url),
            response.status()
        )));
    }
    let length = response.content_length();
    let too_big = || {
        upstream(format!(
            "{} is larger than the {max_bytes} bytes allowed.",
            outgoing::redacted(&url)
        ))
    };
    if length.is_some_and(|l| l > max_bytes) {
        return Err(too_big());
    }

    let mut storing = Storing::begin(cache, unique, max_bytes, busy).await?;
    let mut told = 0_u8;
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| outgoing::explain(&url, e))?;
        if storing.taken() + chunk.len() as u64 > max_bytes {
            return Err(too_big());
        }
        storing.write(&chunk).await?;
        if let Some(length) = length.filter(|l| *l > 0) {
            let percent = u8::try_from((storing.taken() * 100 / length).min(99)).unwrap_or(99);
            if percent > told {
                told = percent;
                progress(percent);
            }
        }
    }
    if storing.taken() == 0 {
        return Err(upstream(format!("{} is empty.", outgoing::redacted(&url))));
    }
    storing.finish(ending).await
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

/// The file that a `file:` URL names, if it is an ordinary file in one of `folders`.
///
/// # Errors
/// `AddressRefused` for whatever lies elsewhere, whether it exists or not, so that nothing of the host's files is learned.
pub(super) async fn local(folders: &[PathBuf], url: &Url) -> Result<PathBuf> {
    let refuse = || outgoing::refused(url);
    let wanted = url.to_file_path().map_err(|()| refuse())?;
    // Resolved first, so that neither `..` nor a link leads out of the folder.
    let real = tokio::fs::canonicalize(&wanted)
        .await
        .map_err(|_| refuse())?;
    for folder in folders {
        let Ok(folder) = tokio::fs::canonicalize(folder).await else {
            continue;
        };
        if real.starts_with(&folder) && tokio::fs::metadata(&real).await.is_ok_and(|m| m.is_file())
        {
            return Ok(real);
        }
    }
    Err(refuse())
}
