//! What cuts connections, by a seed.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream;
use hawkfish_client::transport::Chunks;
use hawkfish_client::{Error, Kind, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Numbers that look like chance.
#[derive(Debug)]
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, most: u64) -> u64 {
        let next = |was: u64| Some(was.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let was = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        (was.unwrap_or_default() >> 33) % most
    }
}

/// A transport whose streams end after some bytes, in the middle of whatever they are at.
#[derive(Debug)]
pub(super) struct Cutting<T> {
    inner: T,
    dice: Mutex<Dice>,
    first: Mutex<usize>,
}

impl<T> Cutting<T> {
    pub(super) fn new(inner: T, seed: u64) -> Self {
        Self {
            inner,
            dice: Mutex::new(Dice(AtomicU64::new(seed))),
            first: Mutex::new(1000),
        }
    }
}

impl<T: Transport> Transport for Cutting<T> {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, Error>> {
        self.inner.send(request)
    }

    fn open(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Chunks>, Error>> {
        // Of the first stream the beginning, with the number to go on from, comes through.
        let least = std::mem::take(&mut *self.first.lock().unwrap());
        let mut left = least + usize::try_from(self.dice.lock().unwrap().below(4000)).unwrap();
        Box::pin(async move {
            Ok(self.inner.open(request).await?.map(|body| {
                let pieces = body.flat_map(move |piece| {
                    let cut = || Err(Error::new(Kind::Transport, "the connection was cut"));
                    let mut pieces = vec![piece];
                    if let [Ok(bytes)] = pieces.as_mut_slice() {
                        bytes.truncate(left);
                        left -= bytes.len();
                        if left == 0 {
                            pieces.push(cut());
                        }
                    }
                    stream::iter(pieces)
                });
                let mut over = false;
                let pieces = pieces.take_while(move |piece| {
                    let goes_on = !over;
                    over |= piece.is_err();
                    std::future::ready(goes_on)
                });
                pieces.boxed()
            }))
        })
    }
}

/// Carries connections to a service, and closes each that has a stream of events in it after some bytes.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
}

impl Proxy {
    pub(super) async fn to(service: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let dice = Dice(AtomicU64::new(seed));
        tokio::spawn(async move {
            // Of the first stream the beginning, with the number to go on from, comes through.
            let first = Arc::new(AtomicU64::new(2000));
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(service).await.unwrap();
                tokio::spawn(carry(near, far, dice.below(5000) + 200, first.clone()));
            }
        });
        Self { address }
    }
}

async fn carry(mut near: TcpStream, mut far: TcpStream, mut left: u64, first: Arc<AtomicU64>) {
    let (mut there, mut back) = (vec![0; 8192], vec![0; 8192]);
    let mut streams = false;
    loop {
        let done = tokio::select! {
            read = near.read(&mut there) => match read {
                Ok(count @ 1..) => {
                    if String::from_utf8_lossy(&there[..count]).contains("text/event-stream") {
                        streams = true;
                        left += first.swap(0, Ordering::Relaxed);
                    }
                    far.write_all(&there[..count]).await.is_err()
                }
                _ => true,
            },
            read = far.read(&mut back) => match read {
                Ok(count @ 1..) => {
                    let mut part = &back[..count];
                    if streams {
                        part = &part[..count.min(usize::try_from(left).unwrap())];
                        left -= part.len() as u64;
                    }
                    near.write_all(part).await.is_err() || left == 0
                }
                _ => true,
            },
        };
        if done {
            return;
        }
    }
}
