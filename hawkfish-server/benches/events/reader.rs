//! The side that reads: all of every stream, with as little work as that takes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use memchr::memmem::Finder;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

use crate::control::{PASSWORD, Server};

/// Stands before the time in an event.
pub(crate) const MARK: &str = "@sent=";
/// How long streams are waited for that do not come to the last event.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes at a time; one buffer for all.
const BUFFER: usize = 256 * 1024;
/// What may be left of a number at the end of a read.
const KEPT: usize = 64;

/// What came of it.
pub(crate) struct Heard {
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// What one stream has heard.
#[derive(Clone, Debug, Default)]
struct One {
    heard: u64,
    at: u64,
    disorder: u64,
    latencies: Vec<u32>,
}

/// Something that can be read.
trait Stream: AsyncRead + Unpin {}
impl<S: AsyncRead + Unpin> Stream for S {}

/// All streams.
pub(crate) struct Readers {
    runtime: Runtime,
    local: LocalSet,
    all: Vec<Rc<RefCell<One>>>,
}

impl Readers {
    /// Opens streams, each of which has been answered when this returns.
    pub(crate) fn open(server: &Server, token: &str, streams: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let local = LocalSet::new();
        let buffer = Rc::new(RefCell::new(vec![0; BUFFER]));
        let tls = server.certificate.as_ref().map(|certificate| {
            let mut roots = rustls::RootCertStore::empty();
            let der = CertificateDer::from_pem_file(certificate).expect("a certificate");
            roots.add(der).expect("a certificate");
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            TlsConnector::from(Arc::new(config))
        });
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("admin:{PASSWORD}"));
        let who = match token {
            "" => format!("authorization: Basic {basic}"),
            token => format!("x-auth-token: {token}"),
        };
        let request = format!(
            "GET /redfish/v1/EventService/SSE HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n{who}\r\n\r\n"
        );
        let mut all = Vec::new();
        local.block_on(&runtime, async {
            for _ in 0..streams {
                let mut stream = TcpStream::connect(server.address).await.expect("a place");
                stream.set_nodelay(true).expect("no delay");
                let one = Rc::new(RefCell::new(One::default()));
                all.push(one.clone());
                let mut stream: Box<dyn Stream> = match &tls {
                    None => {
                        stream.write_all(request.as_bytes()).await.expect("sent");
                        Box::new(stream)
                    }
                    Some(connector) => {
                        let name = ServerName::try_from("127.0.0.1").expect("a name");
                        let stream = connector.connect(name, stream).await;
                        let mut stream = stream.expect("a handshake");
                        stream.write_all(request.as_bytes()).await.expect("sent");
                        stream.flush().await.expect("sent");
                        Box::new(stream)
                    }
                };
                // Its first bytes: the head at least.
                let mut scan = Scan::default();
                read(&mut *stream, &buffer, &mut scan, &one).await;
                let buffer = buffer.clone();
                tokio::task::spawn_local(async move {
                    while read(&mut *stream, &buffer, &mut scan, &one).await {}
                });
            }
        });
        Self {
            runtime,
            local,
            all,
        }
    }

    /// Reads until every stream has come to that event, or nothing comes any more.
    pub(crate) fn read_through(&mut self, last: u64, emitted: impl FnOnce()) {
        let all = &self.all;
        let behind = || all.iter().any(|one| one.borrow().at < last);
        let heard = || all.iter().map(|one| one.borrow().heard).sum::<u64>();
        self.local.block_on(&self.runtime, async {
            let mut before = 0;
            let mut still = Duration::ZERO;
            while behind() && still < PATIENCE {
                let pause = Duration::from_millis(20);
                tokio::time::sleep(pause).await;
                let now = heard();
                still = if now == before {
                    still + pause
                } else {
                    Duration::ZERO
                };
                before = now;
            }
        });
        emitted();
    }

    /// What came of events of these numbers.
    pub(crate) fn heard(&self, first: u64, last: u64) -> Heard {
        let mut latencies: Vec<u32> = Vec::new();
        let (mut deliveries, mut lost) = (0, 0);
        for one in &self.all {
            let one = one.borrow();
            latencies.extend(&one.latencies);
            deliveries += one.heard;
            lost += (last - first + 1).saturating_sub(one.heard) + one.disorder;
        }
        latencies.sort_unstable();
        let at = |part: f64| {
            let place = (latencies.len().max(1) - 1) as f64 * part;
            let micros = latencies.get(place as usize).copied().unwrap_or_default();
            Duration::from_micros(u64::from(micros))
        };
        Heard {
            deliveries,
            lost,
            p50: at(0.50),
            p99: at(0.99),
        }
    }
}

/// Takes in what is there; false at the end.
async fn read(
    stream: &mut dyn Stream,
    buffer: &RefCell<Vec<u8>>,
    scan: &mut Scan,
    one: &RefCell<One>,
) -> bool {
    poll_fn(|cx| {
        let mut buffer = buffer.borrow_mut();
        let kept = scan.kept.len();
        buffer[..kept].copy_from_slice(&scan.kept);
        let mut into = ReadBuf::new(&mut buffer[kept..]);
        match Pin::new(&mut *stream).poll_read(cx, &mut into) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(_)) => Poll::Ready(false),
            Poll::Ready(Ok(())) => {
                let taken = into.filled().len();
                scan.look(&buffer[..kept + taken], &mut one.borrow_mut());
                Poll::Ready(taken > 0)
            }
        }
    })
    .await
}

/// Finds the numbers of events in bytes as they come.
struct Scan {
    /// The end of what was read before, where a number may have begun.
    kept: Vec<u8>,
    id: Finder<'static>,
    mark: Finder<'static>,
}

const ID: &[u8] = b"\nid: ";

impl Default for Scan {
    fn default() -> Self {
        Self {
            kept: Vec::with_capacity(KEPT),
            id: Finder::new(ID),
            mark: Finder::new(MARK.as_bytes()),
        }
    }
}

impl Scan {
    fn look(&mut self, bytes: &[u8], one: &mut One) {
        let mut done = 0;
        for at in self.id.find_iter(bytes) {
            let digits = &bytes[at + ID.len()..];
            let Some(length) = digits.iter().position(|byte| !byte.is_ascii_digit()) else {
                // The number goes on in the next read.
                done = at;
                break;
            };
            done = at + ID.len() + length;
            // What only says where the stream begins has no data; the next line of an event is its data.
            let Some(next) = digits.get(length..length + 2) else {
                done = at;
                break;
            };
            if next != b"\nd" {
                continue;
            }
            let number = digits[..length]
                .iter()
                .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
            if one.at > 0 && number != one.at + 1 {
                one.disorder += 1;
            }
            one.at = number;
            one.heard += 1;
        }
        self.time(bytes, one);
        let from = done.max(bytes.len().saturating_sub(KEPT));
        // A number found is not to be found again.
        let from = from.min(bytes.len());
        self.kept.clear();
        self.kept.extend_from_slice(&bytes[from..]);
    }

    /// Notes how old the first and the last event of a read are.
    fn time(&self, bytes: &[u8], one: &mut One) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.expect("after 1970").as_nanos();
        let first = self.mark.find(bytes);
        let last = memchr::memmem::rfind(bytes, MARK.as_bytes());
        for at in [first, last].into_iter().flatten() {
            let sent = bytes.get(at + MARK.len()..at + MARK.len() + 19);
            let sent = sent.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            if let Some(sent) = sent {
                let micros = now.saturating_sub(sent) / 1000;
                one.latencies
                    .push(u32::try_from(micros).unwrap_or(u32::MAX));
            }
        }
    }
}
