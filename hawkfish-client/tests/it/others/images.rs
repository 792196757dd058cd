//! A web server of images, on loopback.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use http::StatusCode;

/// The server; it ends with the runtime of the test.
pub(super) struct Images {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Images {
    /// Begins to serve all files of a folder.
    pub(super) async fn of(folder: PathBuf) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let router = Router::new()
            .route("/{name}", axum::routing::get(image))
            .with_state((folder, Arc::clone(&asked)));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    /// Where an image is.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    /// How often one was asked for.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn image(
    State((folder, asked)): State<(PathBuf, Arc<AtomicUsize>)>,
    Path(name): Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    asked.fetch_add(1, Ordering::SeqCst);
    std::fs::read(folder.join(name)).map_err(|_| StatusCode::NOT_FOUND)
}
