//! What answers behind the gate.

use axum::body::Body;
use hawkfish_server::App;
use http::{Request, Response};

/// What answers a face's requests, once the faults have let them through.
#[derive(Clone, Debug)]
pub(crate) enum Front {
    /// The production service, as the face shows it.
    Service(App),
}

impl Front {
    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self {
            Self::Service(app) => app.answer(request).await,
        }
    }
}
