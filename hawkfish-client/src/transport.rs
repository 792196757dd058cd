//! How a request gets to the service and its answer back.

mod in_process;
mod network;
mod pinned;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use self::in_process::InProcess;
pub(crate) use self::network::{Network, Trust};
use crate::error::Error;

/// Most bytes of an answer that are read: a resource is some kilobytes, a registry a megabyte or two.
pub(crate) const MAX_BODY: usize = 64 << 20;

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
}
