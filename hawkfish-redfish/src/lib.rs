//! The words of Redfish: models, validation, messages. No I/O.
