//! Files that clients push in a multipart POST (DSP0266, "Multipart HTTP push update"): a part of JSON that says what to do, and a part that is the file.
//!
//! The file goes to disk as it comes in and is never held in memory; it is bounded, and gone again when the request breaks off. An upload takes as long as it takes,
//! but not longer than the usual time without a byte.

use axum::body::Body;
use futures::StreamExt as _;
use hawkfish_core::media::Stored;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use multer::Multipart;
use serde_json::{Map, Value};

use crate::catalog::Rq;
use crate::problem::Problem;

/// Longest part of JSON, bytes.
const LONGEST_PARAMETERS: usize = 64 << 10;
/// The part with the file.
pub(crate) const FILE: &str = "UpdateFile";
/// The part that says what to do.
pub(crate) const PARAMETERS: &str = "UpdateParameters";

/// What was pushed.
#[derive(Debug)]
pub(crate) struct Pushed {
    /// What to do.
    pub(crate) parameters: Option<Map<String, Value>>,
    /// The file.
    pub(crate) file: Stored,
    /// The name that the client gives it.
    pub(crate) name: String,
}

fn broken(error: multer::Error) -> Problem {
    tracing::debug!(%error, "a multipart body broke off");
    Problem::base(StatusCode::BAD_REQUEST, "UnrecognizedRequestBody", &[])
}

fn too_large() -> Problem {
    Problem::base(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", &[])
}

fn missing(part: &str) -> Problem {
    Problem::base(StatusCode::BAD_REQUEST, "PropertyMissing", &[part]).related(&format!("/{part}"))
}

/// Takes in what is pushed: a file of at most so many bytes, whose name on disk has that ending.
///
/// # Errors
/// 415 for what is no multipart body, 400 for one that lacks the file or has parts that nobody knows, 413 for a file that is too large, 408 when nothing comes.
pub(crate) async fn multipart(
    rq: &Rq,
    headers: &HeaderMap,
    body: Body,
    most: u64,
    ending: &str,
) -> Result<Pushed, Problem> {
    let wrong_type = || {
        Problem::base(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "HeaderInvalid",
            &["Content-Type"],
        )
    };
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| wrong_type())?;
    let patience = rq.service.options.time_limit;
    let stream = body
        .into_data_stream()
        .map(|chunk| chunk.map_err(std::io::Error::other));
    let stream = futures::stream::unfold(
        (Box::pin(stream), false),
        move |(mut stream, over)| async move {
            if over {
                return None;
            }
            match tokio::time::timeout(patience, stream.next()).await {
                Ok(None) => None,
                Ok(Some(chunk)) => Some((chunk, (stream, false))),
                Err(_) => {
                    let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    Some((Err(late), (stream, true)))
                }
            }
        },
    );
    let mut parts = Multipart::new(stream, boundary);

    let mut parameters = None;
    let mut file: Option<(Stored, String)> = None;
    while let Some(mut part) = parts.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            PARAMETERS if parameters.is_none() => {
                let mut bytes = Vec::new();
                while let Some(chunk) = part.chunk().await.map_err(broken)? {
                    if bytes.len() + chunk.len() > LONGEST_PARAMETERS {
                        return Err(too_large());
                    }
                    bytes.extend_from_slice(&chunk);
                }
                parameters = Some(crate::catalog::object(&bytes)?);
            }
            FILE if file.is_none() => {
                let called = part.file_name().unwrap_or_default().to_owned();
                let mut storing = rq.hf.take_in_file(most).await?;
                while let Some(chunk) = part.chunk().await.map_err(broken)? {
                    if storing.taken() + chunk.len() as u64 > most {
                        return Err(too_large());
                    }
                    storing.write(&chunk).await?;
                }
                if storing.taken() == 0 {
                    return Err(missing(FILE));
                }
                file = Some((storing.finish(ending).await?, called));
            }
            other => {
                let shown: String = other.chars().take(64).collect();
                let unknown = Problem::base(StatusCode::BAD_REQUEST, "PropertyUnknown", &[&shown]);
                return Err(unknown.related(&format!("/{shown}")));
            }
        }
    }
    let (file, name) = file.ok_or_else(|| missing(FILE))?;
    Ok(Pushed {
        parameters,
        file,
        name,
    })
}
