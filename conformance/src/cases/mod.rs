//! All cases.
//!
//! A new case is one constant in the list of its group. Cases do not depend on each other, and can be run in any order.

mod auth;
mod errors;
mod etags;
mod headers;
mod payload;
mod service;
mod writes;

use crate::case::Case;

/// Every case, in the order of the report.
pub const ALL: &[&Case] = &[
    &service::VERSIONS,
    &service::ROOT,
    &service::ODATA,
    &service::METADATA,
    &service::SESSIONS,
    &payload::LINKS,
    &payload::MODEL,
    &payload::TYPE,
    &payload::ODATA_ID,
    &payload::ID,
    &payload::NAME,
    &payload::COUNT,
    &payload::TARGETS,
    &headers::ODATA_VERSION,
    &headers::CONTENT_TYPE,
    &headers::ALLOW,
    &headers::LINK,
    &headers::CACHE_CONTROL,
    &headers::HEAD,
    &etags::EQUAL,
    &etags::NOT_MODIFIED,
    &etags::STABLE,
    &auth::REQUIRED,
    &auth::BEFORE_NOT_FOUND,
    &auth::WRONG_PASSWORD,
    &auth::FOREIGN_TOKEN,
    &auth::SESSION,
    &auth::BASIC,
    &errors::NOT_FOUND,
    &errors::METHOD_NOT_ALLOWED,
    &errors::UNKNOWN_METHOD,
    &errors::UNKNOWN_QUERY,
    &errors::NOT_ACCEPTABLE,
    &errors::ODATA_VERSION,
    &errors::MALFORMED,
    &errors::MEDIA_TYPE,
    &writes::STALE,
    &writes::UNKNOWN_PROPERTY,
    &writes::NOTHING_TO_DO,
    &writes::BOOT_OVERRIDE,
];
