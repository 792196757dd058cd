//! How a request gets to the service and its answer back.

mod in_process;
mod network;
mod pinned;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt as _};

pub use self::in_process::InProcess;
pub(crate) use self::network::{Network, Trust};
use crate::error::Error;

/// Most bytes of an answer that are read: a resource is some kilobytes, a registry a megabyte or two.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// A body that is read as it comes. To drop it ends the request: the connection, or over HTTP/2 the stream in it, is closed.
pub type Chunks = BoxStream<'static, Result<Bytes, Error>>;

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
}
