//! Brings an image from a web server into the cache: streamed, bounded, hashed, and only from where policy allows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::outgoing::{self, Policy, Tls};

/// What to fetch, and how.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) url: Url,
    pub(super) user_name: Option<String>,
    pub(super) password: Option<String>,
    pub(super) tls: Tls,
    /// Most bytes that are taken.
    pub(super) max_bytes: u64,
}

/// Streams an image into `cache` and gives its path there: its SHA-256 in hexadecimal, so that the same image lies there once. `unique`
/// keeps two downloads apart while they run. `progress` is told the percentage done, where the server says how long the image is.
pub(super) async fn download(
    policy: &Arc<Policy>,
    cache: &Path,
    unique: &str,
    what: Download,
    mut progress: impl FnMut(u8),
) -> Result<PathBuf> {
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

    let part = Part(cache.join(format!("{unique}.part")));
    let mut file = tokio::fs::File::create(&part.0)
        .await
        .map_err(cache_failed)?;
    let mut hash = Sha256::new();
    let (mut taken, mut told) = (0_u64, 0_u8);
    let mut body = response.bytes_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|e| outgoing::explain(&url, e))?;
        taken += chunk.len() as u64;
        if taken > max_bytes {
            return Err(too_big());
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(cache_failed)?;
        if let Some(length) = length.filter(|l| *l > 0) {
            let percent = u8::try_from((taken * 100 / length).min(99)).unwrap_or(99);
            if percent > told {
                told = percent;
                progress(percent);
            }
        }
    }
    if taken == 0 {
        return Err(upstream(format!("{} is empty.", outgoing::redacted(&url))));
    }
    file.sync_all().await.map_err(cache_failed)?;
    drop(file);
    let path = cache.join(format!("{}.img", hex::encode(hash.finalize())));
    tokio::fs::rename(&part.0, &path)
        .await
        .map_err(cache_failed)?;
    Ok(path)
}

/// A file under way, gone with the download that made it unless that finished.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After a finished download it has another name already.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn cache_failed(error: std::io::Error) -> Error {
    Error::internal("The image could not be written to the cache.").caused_by(error)
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
