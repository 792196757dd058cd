//! From options and environment to a client.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use hawkfish_client::Client;

use crate::failure::{Failure, Result};

#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// The service, such as `bmc.example:8443`; without a scheme it is https.
    #[arg(long, global = true, env = "HAWKFISH_URL")]
    url: Option<String>,
    /// A file with the user name in its first line and the password in its second, readable by its owner only.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_CREDENTIALS_FILE",
        value_name = "FILE"
    )]
    credentials_file: Option<PathBuf>,
    /// How to log in.
    #[arg(long, global = true, env = "HAWKFISH_AUTH", value_enum, default_value_t = Auth::Session)]
    auth: Auth,
    /// Trust what the certificates in this PEM file have signed.
    #[arg(long, global = true, env = "HAWKFISH_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long, global = true, env = "HAWKFISH_INSECURE", value_parser = clap::builder::FalseyValueParser::new())]
    insecure: bool,
    /// Seconds that one answer may take.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 60
    )]
    timeout: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Auth {
    /// One session for the command, closed at its end.
    Session,
    /// User and password with each request.
    Basic,
}

impl Connection {
    pub(crate) fn client(&self) -> Result<Client> {
        let url = self.url.as_deref().filter(|url| !url.is_empty());
        let url = url.ok_or_else(|| {
            Failure::Usage("no service named: use --url or set HAWKFISH_URL".into())
        })?;
        let url = match url.contains("://") {
            true => url.to_owned(),
            false => format!("https://{url}"),
        };
        let mut builder = Client::builder(url).timeout(Duration::from_secs(self.timeout));
        if let Some(ca) = &self.ca {
            builder = builder.ca_pem(read(ca)?);
        }
        if self.insecure {
            builder = builder.insecure();
        }
        if let Some((user, password)) = self.credentials()? {
            builder = match self.auth {
                Auth::Session => builder.session(user, password),
                Auth::Basic => builder.basic(user, password),
            };
        }
        Ok(builder.build()?)
    }

    fn credentials(&self) -> Result<Option<(String, String)>> {
        if let Some(file) = &self.credentials_file {
            return from_file(file).map(Some);
        }
        let of = |name: &str| std::env::var(name).ok();
        match (of("HAWKFISH_USERNAME"), of("HAWKFISH_PASSWORD")) {
            (Some(user), Some(password)) => Ok(Some((user, password))),
            (None, None) => Ok(None),
            _ => Err(Failure::Usage(
                "HAWKFISH_USERNAME and HAWKFISH_PASSWORD go together; one of them is missing"
                    .into(),
            )),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn from_file(path: &Path) -> Result<(String, String)> {
    let wrong = |why: &str| Failure::Usage(format!("{}: {why}", path.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path)
            .map_err(|error| wrong(&error.to_string()))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others can read it; chmod 600 it"));
        }
    }
    let text = String::from_utf8(read(path)?).map_err(|_| wrong("not UTF-8"))?;
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(user), Some(password)) if !user.is_empty() => {
            Ok((user.to_owned(), password.to_owned()))
        }
        _ => Err(wrong(
            "the user name belongs in the first line, the password in the second",
        )),
    }
}
