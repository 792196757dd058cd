//! Who looks at connections before anything is read of them: in production nobody; a simulation has some of them go wrong.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Says what becomes of a connection.
pub trait Porter: fmt::Debug + Send + Sync {
    /// What becomes of the next connection, which comes from `client`.
    fn admit(&self, client: SocketAddr) -> Admission;
}

/// What becomes of a connection.
#[derive(Default)]
pub struct Admission {
    /// Whether it is served.
    pub entry: Entry,
    /// TLS in place of the listener's, where that speaks TLS at all.
    pub tls: Option<Arc<ServerConfig>>,
    /// Dropped when the connection has ended.
    pub kept: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}

/// Whether a connection is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// It is.
    #[default]
    Served,
    /// It is reset.
    Reset,
    /// It is kept open, and no more is said on it than so many bytes of the handshake; where no TLS is spoken, nothing.
    Mute {
        /// So many.
        after: usize,
    },
}

/// Lets everybody in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everybody;

impl Porter for Everybody {
    fn admit(&self, _client: SocketAddr) -> Admission {
        Admission::default()
    }
}

/// Keeps a connection until its client leaves it.
pub(super) async fn mute(mut stream: TcpStream, acceptor: Option<TlsAcceptor>, after: usize) {
    match acceptor.filter(|_| after > 0) {
        Some(acceptor) => {
            let left = after;
            // It ends when the client does, and never well.
            let _ = acceptor.accept(Muted { stream, left }).await;
        }
        None => {
            let mut heard = [0; 1024];
            while stream.read(&mut heard).await.is_ok_and(|read| read > 0) {}
        }
    }
}

/// A connection on which only so much is said.
struct Muted {
    stream: TcpStream,
    left: usize,
}

impl AsyncRead for Muted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Muted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let some = &bytes[..bytes.len().min(self.left)];
        if !some.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, some))?;
            self.left -= written;
            return Poll::Ready(Ok(written));
        }
        // Nothing is ever written, but that the client leaves is noticed.
        loop {
            let mut room = [0; 1024];
            let mut heard = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut heard))?;
            if heard.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
