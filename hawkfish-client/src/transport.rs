//! How a request gets to the service and its answer back.

mod certificate;
mod in_process;
mod network;
mod pinned;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};

pub use self::certificate::Certificate;
pub use self::in_process::InProcess;
pub(crate) use self::network::{Network, Trust};
use crate::error::{Error, Kind};

/// Most bytes of an answer that are read: a resource is some kilobytes, a registry a megabyte or two.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// A body that is read as it comes. To drop it ends the request: the connection, or over HTTP/2 the stream in it, is closed.
pub type Chunks = BoxStream<'static, Result<Bytes, Error>>;

/// A body that is read as it is sent, such as a file. An error of it ends the request.
pub struct Outgoing {
    /// How many bytes it has; the request says so in `Content-Length`.
    pub length: u64,
    /// They, in pieces.
    pub chunks: BoxStream<'static, std::io::Result<Bytes>>,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({} bytes)", self.length)
    }
}

/// Carries one request to the service.
///
/// # Behavior
/// - Any status is an answer; an error says that there was none ([`crate::Kind::Transport`]).
/// - Redirects are answers: only the client knows where its credentials may go.
/// - Answers are read whole, up to a bound.
pub trait Transport: std::fmt::Debug + Send + Sync + 'static {
    /// Sends the request, whose URI is absolute.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>>;

    /// Sends the request and answers as soon as the headers are there; the body comes as it comes, for however long. What a stream of events needs.
    ///
    /// A transport that says nothing of its own here reads the answer whole and hands it on in one piece, which serves every answer that ends.
    fn open(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Chunks>, Error>> {
        let whole = self.send(request);
        Box::pin(async move { Ok(whole.await?.map(|body| stream::iter([Ok(body)]).boxed())) })
    }

    /// Sends a request with a body that is never held as a whole.
    ///
    /// A transport that says nothing of its own here reads the body whole, up to the bound of answers, and sends that.
    fn upload(
        &self,
        request: http::Request<Outgoing>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        Box::pin(async move {
            let (parts, mut body) = request.into_parts();
            let mut whole = BytesMut::new();
            while let Some(piece) = body.chunks.next().await {
                let piece = piece.map_err(unread)?;
                if whole.len() + piece.len() > MAX_BODY {
                    let why = format!("the body is longer than {MAX_BODY} bytes");
                    return Err(Error::new(Kind::Refused, why));
                }
                whole.extend_from_slice(&piece);
            }
            self.send(http::Request::from_parts(parts, whole.freeze()))
                .await
        })
    }
}

fn unread(error: std::io::Error) -> Error {
    Error::new(Kind::Refused, "what is to be sent cannot be read").caused_by(error)
}
