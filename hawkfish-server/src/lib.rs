//! The Redfish service of HawkFish, on axum.
