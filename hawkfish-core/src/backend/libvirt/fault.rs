//! libvirt's errors as ours.

use virt::error::{Error as Virt, ErrorDomain, ErrorNumber};

use crate::backend::MachineKey;
use crate::error::{Conflict, Error, ErrorKind};

/// Whether an error says that the connection is gone, rather than that something was refused.
pub(super) fn is_of_connection(error: &Virt) -> bool {
    matches!(
        error.code(),
        ErrorNumber::NoConnect | ErrorNumber::InvalidConn | ErrorNumber::Rpc
    ) || (matches!(error.domain(), ErrorDomain::Rpc)
        && matches!(
            error.code(),
            ErrorNumber::SystemError | ErrorNumber::InternalError
        ))
        // The client side of RPC says this in its own domain or in none, depending on where it notices.
        || error.message().contains("client socket is closed")
        || error.message().contains("End of file while reading data")
        || error.message().contains("keepalive timeout")
}

/// What went wrong while `doing` something (a phrase that follows "could not").
pub(super) fn of(error: &Virt, doing: &'static str, key: MachineKey) -> Error {
    if is_of_connection(error) {
        return unavailable(error);
    }
    let said = error.message().trim_end_matches('.');
    let message = format!("The hypervisor could not {doing}: {said}.");
    let ours = match error.code() {
        ErrorNumber::NoDomain => Error::not_found("ComputerSystem", &key.to_string()),
        ErrorNumber::NoSupport
        | ErrorNumber::OperationUnsupported
        | ErrorNumber::ArgumentUnsupported => Error::new(
            ErrorKind::Unsupported {
                what: doing.to_owned(),
            },
            message,
        ),
        ErrorNumber::OperationInvalid => Error::conflict(Conflict::NotAllowed, message),
        ErrorNumber::OperationTimeout | ErrorNumber::ResourceBusy => {
            Error::conflict(Conflict::InUse, message)
        }
        _ => Error::backend(message),
    };
    ours.with("machine", key)
        .with("libvirt_code", error.code())
        .caused_by(error.clone())
}

pub(super) fn unavailable(error: &Virt) -> Error {
    Error::unavailable("The host does not answer.").caused_by(error.clone())
}

/// A failure of something that nobody asked for: worth giving the connection up only if that is what failed.
pub(super) fn unavailable_if_lost(error: &Virt) -> Error {
    if is_of_connection(error) {
        unavailable(error)
    } else {
        Error::backend("The hypervisor did not tell.").caused_by(error.clone())
    }
}
