//! A web server of images: a thread, and one for each connection.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How an image is handed out.
#[derive(Clone, Debug)]
enum Manner {
    /// To everybody.
    Open,
    /// To who brings this `Authorization`.
    Guarded(String),
    /// Half of it, then nothing until [`Images::release`], then the rest.
    Halting,
    /// Half of it, and then the connection ends.
    Broken,
}

/// The server; it ends with the test.
pub(crate) struct Images {
    address: SocketAddr,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    files: Mutex<BTreeMap<String, (PathBuf, Manner)>>,
    asked: AtomicUsize,
    released: Mutex<bool>,
    change: Condvar,
    closed: AtomicBool,
}

impl Images {
    /// Begins to serve, on a loopback port.
    pub(crate) fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner::default());
        let shared = Arc::clone(&inner);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::Acquire) {
                    break;
                }
                let shared = Arc::clone(&shared);
                // A client that goes away in between is what some tests want.
                std::thread::spawn(move || drop(shared.answer(stream)));
            }
        });
        Self { address, inner }
    }

    /// An image for everybody: its URL.
    pub(crate) fn open(&self, file: &Path) -> String {
        self.put(file, Manner::Open)
    }

    /// An image for who knows the password: its URL.
    pub(crate) fn guarded(&self, file: &Path, user: &str, password: &str) -> String {
        let credentials = STANDARD.encode(format!("{user}:{password}"));
        self.put(file, Manner::Guarded(format!("Basic {credentials}")))
    }

    /// An image of which only half comes until [`Images::release`]: its URL.
    pub(crate) fn halting(&self, file: &Path) -> String {
        *self.inner.released.lock().unwrap() = false;
        self.put(file, Manner::Halting)
    }

    /// An image that breaks off: its URL.
    pub(crate) fn broken(&self, file: &Path) -> String {
        self.put(file, Manner::Broken)
    }

    /// A URL here at which there is nothing.
    pub(crate) fn nothing(&self) -> String {
        format!("http://{}/nothing.iso", self.address)
    }

    /// Lets what halts go on.
    pub(crate) fn release(&self) {
        *self.inner.released.lock().unwrap() = true;
        self.inner.change.notify_all();
    }

    /// How often an image was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.inner.asked.load(Ordering::Acquire)
    }

    fn put(&self, file: &Path, manner: Manner) -> String {
        let mut files = self.inner.files.lock().unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let path = format!("/{}/{name}", files.len());
        files.insert(path.clone(), (file.to_owned(), manner));
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        self.inner.closed.store(true, Ordering::Release);
        self.release();
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl Inner {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let mut authorization = String::new();
        for line in lines {
            let line = line?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("authorization")
            {
                value.trim().clone_into(&mut authorization);
            }
        }
        self.asked.fetch_add(1, Ordering::AcqRel);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let found = self.files.lock().unwrap().get(path).cloned();
        let Some((file, manner)) = found else {
            return refuse(&mut stream, "404 Not Found");
        };
        if matches!(&manner, Manner::Guarded(wanted) if *wanted != authorization) {
            return refuse(&mut stream, "401 Unauthorized");
        }
        let content = std::fs::read(file)?;
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            content.len()
        )?;
        let (first, second) = content.split_at(content.len() / 2);
        stream.write_all(first)?;
        match manner {
            Manner::Open | Manner::Guarded(_) => {}
            Manner::Broken => return Ok(()),
            Manner::Halting => {
                let released = self.released.lock().unwrap();
                drop(
                    self.change
                        .wait_while(released, |released| !*released)
                        .unwrap(),
                );
            }
        }
        stream.write_all(second)
    }
}

fn refuse(stream: &mut TcpStream, status: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}
