//! Accounts.

/// The URI of an account.
#[must_use]
pub fn uri(account: &str) -> String {
    format!("/redfish/v1/AccountService/Accounts/{account}")
}
