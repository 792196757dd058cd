//! The interactive manual of what is served: Swagger UI, from files that are a part of the program, on the OpenAPI document of this very service.
//!
//! Nothing is fetched from anywhere else, and the page says so to the browser. It takes a log-in as the document does: a browser asks for it.

use bytes::Bytes;
use swagger_ui_redist::{SwaggerUi, SwaggerUiStaticFile};

use crate::catalog::{Content, Privileges, Resource};
use crate::problem::Problem;

/// What the page may load, and from where: from here alone. The styles that it sets on its own elements count as written in the page.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const FILE: Resource = Resource {
    privileges: Privileges::MANAGER,
    ..Resource::NONE
};

/// `/redfish/v1/docs`
pub const PAGE: Resource = Resource {
    uri: "/redfish/v1/docs",
    media_type: "text/html",
    get: Some(|_| Box::pin(async { Ok(Content::Document(Bytes::from_static(HTML.as_bytes()))) })),
    ..FILE
};

/// What starts the manual; a file of its own, because the policy lets no script stand in the page.
pub const START: Resource = Resource {
    uri: "/redfish/v1/docs/start.js",
    media_type: "text/javascript",
    get: Some(|_| Box::pin(async { Ok(Content::Document(Bytes::from_static(SCRIPT.as_bytes()))) })),
    ..FILE
};

/// Swagger UI itself.
pub const BUNDLE: Resource = Resource {
    uri: "/redfish/v1/docs/swagger-ui-bundle.js",
    media_type: "text/javascript",
    get: Some(|_| Box::pin(async { file(SwaggerUiStaticFile::Js) })),
    ..FILE
};

/// The looks of Swagger UI.
pub const STYLE: Resource = Resource {
    uri: "/redfish/v1/docs/swagger-ui.css",
    media_type: "text/css",
    get: Some(|_| Box::pin(async { file(SwaggerUiStaticFile::Css) })),
    ..FILE
};

const HTML: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>HawkFish</title>
<link rel="stylesheet" href="/redfish/v1/docs/swagger-ui.css">
</head>
<body>
<div id="manual"></div>
<script src="/redfish/v1/docs/swagger-ui-bundle.js"></script>
<script src="/redfish/v1/docs/start.js"></script>
</body>
</html>
"#;

// The origin alone: where somebody wrote credentials into the address of the page, a browser refuses what is relative to that.
const SCRIPT: &str = r##"SwaggerUIBundle({
  url: window.location.origin + "/redfish/v1/openapi.yaml",
  dom_id: "#manual",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  validatorUrl: null,
});
"##;

fn file(wanted: SwaggerUiStaticFile) -> Result<Content, Problem> {
    let mut files = SwaggerUi::static_files().iter();
    let found = files.find(|(file, _)| *file == wanted);
    let (_, bytes) = found.ok_or_else(|| Problem::internal("a file of the manual is missing"))?;
    Ok(Content::Document(Bytes::from_static(bytes)))
}
