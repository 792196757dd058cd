//! Typed Redfish client and the hawkfish command line.
