//! Files on their way to a service: read from disk as they are sent, never held as a whole (DSP0266, "Multipart HTTP push update").

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::PathBuf;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::send::prepare;
use super::{Client, X_AUTH_TOKEN};
use crate::error::{Error, Kind};
use crate::task::Outcome;
use crate::transport::Outgoing;
use crate::wire::{Request, Response};

/// So much of a file is read at once.
const CHUNK: usize = 64 << 10;

/// A file for a service: firmware (`MultipartHttpPushUri`, `HttpPushUri`), or an image to boot from.
///
/// ```no_run
/// # async fn example(client: hawkfish_client::Client) -> Result<(), hawkfish_client::Error> {
/// use hawkfish_client::Upload;
///
/// let upload = Upload::form("bios.bin", serde_json::json!({"Targets": []}));
/// let show = |sent, all| eprintln!("{sent} of {all} bytes");
/// client.upload("/redfish/v1/UpdateService/update", &upload, show).await?.finish(None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// The file.
    pub file: PathBuf,
    /// What the service is told of it: the part `UpdateParameters` of a form whose part `UpdateFile` is the file. Without it the file is the whole body.
    pub parameters: Option<Value>,
}

impl Upload {
    /// As a form: with what is to be done with it.
    pub fn form(file: impl Into<PathBuf>, parameters: Value) -> Self {
        Self {
            file: file.into(),
            parameters: Some(parameters),
        }
    }

    /// As it is.
    pub fn plain(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            parameters: None,
        }
    }

    /// The name that the service sees: that of the file, without what would break its header.
    fn name(&self) -> String {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        name.chars()
            .map(|c| match c {
                '"' | '\\' => '_',
                c if c.is_control() => '_',
                c => c,
            })
            .collect()
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        Error::new(Kind::Refused, self.file.display().to_string()).caused_by(error)
    }
}

impl Client {
    /// Sends a file by POST. `progress` is told how many bytes of the file have been sent, and how many it has. The time that an answer may take begins anew with
    /// each piece that the service takes, so that a slow line does not end a long upload. It is sent once, and a second time only where the service had ended our session.
    ///
    /// # Errors
    /// [`Kind::Refused`] for a file that cannot be read; [`Kind::Transport`] where the service takes no more of it; else the kind of the answer.
    pub async fn upload(
        &self,
        uri: &str,
        upload: &Upload,
        progress: impl Fn(u64, u64) + Clone + Send + Sync + 'static,
    ) -> Result<Outcome, Error> {
        let url = self.resolve(uri)?;
        let authorization = self.authorization().await?;
        let request = Request::new(Method::POST, uri);
        let sent = self
            .send_file(&request, &url, upload, authorization.as_ref(), &progress)
            .await?;
        let refused = sent.status == StatusCode::UNAUTHORIZED;
        let response = match authorization {
            // The service has ended the session: it did nothing, so the file can be sent again.
            Some((name, token)) if refused && name == X_AUTH_TOKEN && self.forget(&token) => {
                let authorization = self.authorization().await?;
                self.send_file(&request, &url, upload, authorization.as_ref(), &progress)
                    .await?
            }
            _ => sent,
        };
        Outcome::of(self, response.checked(&Method::POST)?)
    }

    async fn send_file(
        &self,
        request: &Request,
        url: &Url,
        upload: &Upload,
        authorization: Option<&(HeaderName, HeaderValue)>,
        progress: &(impl Fn(u64, u64) + Clone + Send + Sync + 'static),
    ) -> Result<Response, Error> {
        let file = File::open(&upload.file)
            .await
            .map_err(|error| upload.unreadable(error))?;
        let meta = file
            .metadata()
            .await
            .map_err(|error| upload.unreadable(error))?;
        if !meta.is_file() {
            let what = format!("{}: not a file", upload.file.display());
            return Err(Error::new(Kind::Refused, what));
        }
        let length = meta.len();
        let (head, tail, kind) = frame(upload);
        let total = head.len() as u64 + length + tail.len() as u64;
        let (parts, _) = prepare(request, url, authorization)?.into_parts();
        let told = progress.clone();
        let chunks = stream::iter([Ok(head)])
            .chain(pieces(file, length, told))
            .chain(stream::iter([Ok(tail)]))
            .filter(|piece| {
                let empty = piece.as_ref().is_ok_and(Bytes::is_empty);
                std::future::ready(!empty)
            });
        let mut sent = http::Request::from_parts(
            parts,
            Outgoing {
                length: total,
                chunks: chunks.boxed(),
            },
        );
        let headers = sent.headers_mut();
        headers.insert(CONTENT_TYPE, kind);
        // Many BMCs take no body whose length they are not told.
        headers.insert(CONTENT_LENGTH, total.into());
        let _place = self.inner.limit.place().await;
        let (parts, body) = self.inner.transport.upload(sent).await?.into_parts();
        Ok(Response {
            uri: url.path().to_owned(),
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

/// What stands before the file, what behind it, and what it all is.
fn frame(upload: &Upload) -> (Bytes, Bytes, HeaderValue) {
    let Some(parameters) = &upload.parameters else {
        let kind = HeaderValue::from_static("application/octet-stream");
        return (Bytes::new(), Bytes::new(), kind);
    };
    let boundary = boundary();
    let head = format!(
        "--{boundary}\r\n\
         Content-Disposition: form-data; name=\"UpdateParameters\"\r\n\
         Content-Type: application/json\r\n\r\n\
         {parameters}\r\n\
         --{boundary}\r\n\
         Content-Disposition: form-data; name=\"UpdateFile\"; filename=\"{}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        upload.name()
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let kind = HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
        .unwrap_or_else(|_| unreachable!("a boundary is plain ASCII"));
    (head.into(), tail.into(), kind)
}

/// A line that no file has: by chance, of 128 bits, and unknown to whoever made the file.
fn boundary() -> String {
    let chance = || RandomState::new().build_hasher().finish();
    format!("hawkfish-{:016x}{:016x}", chance(), chance())
}

/// The file, as long as it was when it was opened.
fn pieces(
    file: File,
    length: u64,
    told: impl Fn(u64, u64) + Send + Sync + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((file, 0, told), move |(mut file, sent, told)| async move {
        let left = length - sent;
        if left == 0 {
            return Ok(None);
        }
        let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        let mut piece = BytesMut::with_capacity(most);
        let mut limited = (&mut file).take(most as u64);
        if limited.read_buf(&mut piece).await? == 0 {
            let kind = std::io::ErrorKind::UnexpectedEof;
            return Err(std::io::Error::new(kind, "the file has become shorter"));
        }
        let sent = sent + piece.len() as u64;
        told(sent, length);
        Ok(Some((piece.freeze(), (file, sent, told))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_file_cannot_break_out_of_its_header() {
        let upload = Upload::form("/tmp/a\"\r\nX: y\\.bin", Value::Null);
        let (head, _, _) = frame(&upload);
        let head = String::from_utf8(head.to_vec()).unwrap();
        assert!(head.contains("filename=\"a___X: y_.bin\"\r\n"), "{head}");
    }

    #[test]
    fn no_two_uploads_have_the_same_boundary() {
        assert_ne!(boundary(), boundary());
        assert!(boundary().len() <= 70);
    }
}
