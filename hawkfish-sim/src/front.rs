//! What answers behind the gate.

use std::sync::Arc;

use axum::body::Body;
use hawkfish_server::App;
use hawkfish_server::face::Face;
use http::{Request, Response};

use crate::replay::Replica;

/// What answers a face's requests, once the faults have let them through.
#[derive(Clone, Debug)]
pub(crate) enum Front {
    /// The production service, as the face shows it.
    Service(App),
    /// A captured tree in front of it, as the face shows it.
    Captured(Arc<Replica>, Option<Face>),
}

impl Front {
    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        match self {
            Self::Service(app) => app.answer(request).await,
            Self::Captured(replica, face) => {
                let mut request = request;
                if let Some(face) = face.as_ref().filter(|_| replica.is_one()) {
                    request.extensions_mut().insert(face.scope().clone());
                }
                replica.answer(request).await
            }
        }
    }
}
