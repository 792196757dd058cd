//! A web server of images, on loopback.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use http::StatusCode;
use tokio::sync::Semaphore;

/// The server; it ends with the runtime of the test.
pub(super) struct Images {
    url: String,
    asked: Arc<AtomicUsize>,
    released: Arc<Semaphore>,
}

impl Images {
    /// Begins to serve all files of a folder.
    pub(super) async fn of(folder: PathBuf) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let released = Arc::new(Semaphore::new(0));
        let router = Router::new()
            .route("/{name}", axum::routing::get(image))
            .route("/slow/{name}", axum::routing::get(slow))
            .with_state((folder, Arc::clone(&asked), Arc::clone(&released)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            asked,
            released,
        }
    }

    /// Where an image is.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// Where the same is, which is sent only after [`Images::release`].
    pub(super) fn slow_url(&self, name: &str) -> String {
        format!("{}/slow/{name}", self.url)
    }

    /// Lets what was asked for go.
    pub(super) fn release(&self) {
        self.released.add_permits(64);
    }

    /// How often one was asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

type Shared = (PathBuf, Arc<AtomicUsize>, Arc<Semaphore>);

async fn slow(shared: State<Shared>, name: Path<String>) -> Result<Vec<u8>, StatusCode> {
    shared.0.2.acquire().await.unwrap().forget();
    image(shared, name).await
}

async fn image(
    State((folder, asked, _)): State<Shared>,
    Path(name): Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    asked.fetch_add(1, Ordering::SeqCst);
    std::fs::read(folder.join(name)).map_err(|_| StatusCode::NOT_FOUND)
}
