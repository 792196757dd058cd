//! Runs Redfish checks against any endpoint.
