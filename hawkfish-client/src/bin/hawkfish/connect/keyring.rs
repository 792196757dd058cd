//! The keyring of the desktop: Secret Service, Keychain, Credential Manager.

/// Under which all that is ours stands there.
#[cfg(feature = "keyring")]
const SERVICE: &str = "hawkfish";

/// The secret of an account; `None` where there is none.
///
/// # Errors
/// Why there is no keyring to look into.
pub(crate) async fn get(account: String) -> Result<Option<String>, String> {
    aside(account, |account| imp::get(&account)).await
}

/// Keeps a secret.
///
/// # Errors
/// Why it cannot be kept.
pub(crate) async fn set(account: String, secret: String) -> Result<(), String> {
    aside(account, move |account| imp::set(&account, &secret)).await
}

/// Removes a secret; whether there was one.
///
/// # Errors
/// Why there is no keyring to remove it from.
pub(crate) async fn remove(account: String) -> Result<bool, String> {
    aside(account, |account| imp::remove(&account)).await
}

/// In a thread that nobody waits for when we are interrupted: the keyring may be asking a person to unlock it.
async fn aside<T: Send + 'static>(
    account: String,
    work: impl FnOnce(String) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = tell.send(work(account));
    });
    told.await
        .unwrap_or_else(|_| Err("the keyring did not answer".into()))
}

#[cfg(feature = "keyring")]
mod imp {
    use keyring::{Entry, Error};

    use super::SERVICE;

    fn entry(account: &str) -> Result<Entry, String> {
        if let Err(error) = Entry::store_status() {
            return Err(format!("there is no keyring to be reached: {error}"));
        }
        Entry::new(SERVICE, account).map_err(|error| error.to_string())
    }

    pub(super) fn get(account: &str) -> Result<Option<String>, String> {
        match entry(account)?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(format!("the keyring does not give it: {error}")),
        }
    }

    pub(super) fn set(account: &str, secret: &str) -> Result<(), String> {
        let set = entry(account)?.set_password(secret);
        set.map_err(|error| format!("the keyring does not take it: {error}"))
    }

    pub(super) fn remove(account: &str) -> Result<bool, String> {
        match entry(account)?.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(format!("the keyring does not let it go: {error}")),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod imp {
    const NONE: &str = "this hawkfish was built without a keyring";

    pub(super) fn get(_: &str) -> Result<Option<String>, String> {
        Err(NONE.into())
    }

    pub(super) fn set(_: &str, _: &str) -> Result<(), String> {
        Err(NONE.into())
    }

    pub(super) fn remove(_: &str) -> Result<bool, String> {
        Err(NONE.into())
    }
}
