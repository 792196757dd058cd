//! A body for what hyper refuses by itself.
//!
//! What is no HTTP never becomes a request: hyper answers it with a status and nothing else, then closes. Here that answer gets the body that every error has
//! (DSP0266, "Error responses"). Only the first answer of a connection is looked at, and only before any request was made of it: after that, what is written is
//! the service's own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hawkfish_redfish::error::RedfishError;
use hawkfish_redfish::message::base;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is said on a connection in place of all that is written to it from now on.
#[derive(Clone, Debug, Default)]
pub(super) struct Said(Arc<Mutex<Option<Bytes>>>);

impl Said {
    /// Says it.
    pub(super) fn say(&self, bytes: Bytes) {
        *self.0.lock().expect("a connection's last words") = Some(bytes);
    }

    fn take(&self) -> Option<Bytes> {
        self.0.lock().expect("a connection's last words").take()
    }
}

/// A connection whose first answer may be hyper's own.
pub(super) struct Shaped<S> {
    inner: S,
    asked: Arc<AtomicBool>,
    /// What is written in place of hyper's answer, and how much of it is.
    instead: Option<(Vec<u8>, usize)>,
    said: Said,
    /// What is left of the last words, once they have begun.
    last: Option<Bytes>,
}

impl<S> Shaped<S> {
    /// `asked` says that a request was made of the connection.
    pub(super) fn new(inner: S, asked: Arc<AtomicBool>, said: Said) -> Self {
        Self {
            inner,
            asked,
            instead: None,
            said,
            last: None,
        }
    }
}

impl<S: AsyncWrite + Unpin> Shaped<S> {
    /// Writes the last words, where there are such; whether there are.
    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.last.is_none() && self.asked.load(Ordering::Relaxed) {
            self.last = self.said.take();
        }
        let Some(last) = &mut self.last else {
            return Poll::Ready(Ok(false));
        };
        while !last.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, last))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => drop(last.split_to(more)),
            }
        }
        Poll::Ready(Ok(true))
    }
}

/// What is said in place of hyper's answer, if it is one.
fn shaped(answer: &[u8]) -> Option<Vec<u8>> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let status = line.strip_prefix("HTTP/1.")?.get(2..5)?;
    let message = match status {
        "400" => base("GeneralError", &[]),
        "414" => base("InvalidURI", &["(too long)"]),
        "431" => base("HeaderInvalid", &["(too long)"]),
        _ => return None,
    };
    let body = serde_json::to_string(&RedfishError::from(message)).ok()?;
    let head = format!(
        "{line}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\nodata-version: 4.0\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n",
        body.len()
    );
    Some((head + &body).into_bytes())
}

impl<S: AsyncRead + Unpin> AsyncRead for Shaped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Shaped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.poll_last(cx))? {
            return Poll::Ready(Ok(bytes.len()));
        }
        let Self {
            inner,
            asked,
            instead,
            ..
        } = &mut *self;
        if instead.is_none() && !asked.load(Ordering::Relaxed) {
            *instead = shaped(bytes).map(|answer| (answer, 0));
        }
        let Some((answer, written)) = instead else {
            return Pin::new(inner).poll_write(cx, bytes);
        };
        while *written < answer.len() {
            match ready!(Pin::new(&mut *inner).poll_write(cx, &answer[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
        }
        *instead = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if ready!(self.poll_last(cx))? {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        if self.asked.load(Ordering::Relaxed) && self.instead.is_none() {
            return Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        self.poll_write(cx, first.map_or(&[], |slice| slice))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hyper_says_of_its_own_is_said_otherwise() {
        let answer =
            shaped(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n\r\n");
        let answer = String::from_utf8(answer.unwrap()).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
        assert!(body.contains("HeaderInvalid"));
        for other in [
            &b"HTTP/1.1 200 OK\r\n\r\n"[..],
            b"HTTP/1.1 404 Not Found\r\n\r\n",
            b"PRI * HTTP/2.0\r\n",
            b"HTTP/1.",
            b"\0\0\x12\x04",
            b"",
        ] {
            assert_eq!(shaped(other), None);
        }
    }
}
