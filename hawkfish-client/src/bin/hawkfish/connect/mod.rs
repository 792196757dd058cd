//! From options, environment and profile to a client.
//!
//! An option says more than the environment, and the environment more than a profile; but a profile that is named by `--profile` is an option, and says more
//! than the environment. What one service is trusted with is never sent to another: kept sessions and saved passwords stand under the service's origin.

pub(crate) mod config;
pub(crate) mod fingerprint;
pub(crate) mod kept;
pub(crate) mod keyring;
mod private;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ValueEnum};
use hawkfish_client::transport::Certificate;
use hawkfish_client::{Builder, Client, Error, Kind};
use serde::Deserialize;
use url::Url;

use self::config::{File, Profile};
use self::kept::Kept;
use crate::failure::{Failure, Result};
use crate::output::{Format, Style};

/// Seconds that an answer may take where nobody says otherwise.
const TIMEOUT: u64 = 60;

#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// The service, such as `bmc.example:8443`; without a scheme it is https.
    #[arg(long, global = true, env = "HAWKFISH_URL", hide_env_values = true)]
    url: Option<String>,
    /// A service of the configuration file by its name there (see `hawkfish profiles`).
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_PROFILE",
        value_name = "NAME",
        hide_env_values = true
    )]
    profile: Option<String>,
    /// Who asks. The password comes from HAWKFISH_PASSWORD, a file, or `hawkfish login`.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_USERNAME",
        value_name = "NAME",
        hide_env_values = true
    )]
    user: Option<String>,
    /// A file with the user name in its first line and the password in its second, readable by its owner only.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_CREDENTIALS_FILE",
        value_name = "FILE",
        hide_env_values = true,
        hide_short_help = true
    )]
    credentials_file: Option<PathBuf>,
    /// How to log in; by a session if not said.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_AUTH",
        value_enum,
        hide_env_values = true,
        hide_short_help = true
    )]
    auth: Option<Auth>,
    /// Trust what the certificates in this PEM file have signed.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_CA",
        value_name = "FILE",
        hide_env_values = true,
        hide_short_help = true
    )]
    ca: Option<PathBuf>,
    /// Trust the certificate with this SHA-256, and no other.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_FINGERPRINT",
        value_name = "SHA-256",
        value_parser = checked_fingerprint,
        hide_env_values = true,
        hide_short_help = true
    )]
    fingerprint: Option<String>,
    /// Trust any certificate.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_INSECURE",
        value_parser = clap::builder::FalseyValueParser::new(),
        hide_env_values = true,
        hide_short_help = true
    )]
    insecure: bool,
    /// Seconds that one answer may take; 60 if not said.
    #[arg(
        long,
        global = true,
        env = "HAWKFISH_TIMEOUT",
        value_name = "SECONDS",
        hide_env_values = true,
        hide_short_help = true
    )]
    timeout: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// One session for the command, closed at its end; or the one that `hawkfish login` has left open.
    Session,
    /// User and password with each request.
    Basic,
}

impl Auth {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Basic => "basic",
        }
    }
}

/// What is known of the service before it is asked anything.
#[derive(Debug)]
pub(crate) struct Setup {
    /// Scheme, host and port: under this stands what is kept for the service.
    pub(crate) origin: String,
    /// The profile by which it was found.
    pub(crate) profile: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) auth: Auth,
    /// Whether somebody has said what certificate to trust.
    pub(crate) trusts: bool,
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) timeout: Duration,
    url: String,
    credentials_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    insecure: bool,
}

/// How a command says who asks.
pub(crate) enum Who {
    Nobody,
    Password {
        user: String,
        password: String,
        /// Where it came from, in words.
        from: &'static str,
    },
    /// By a session that is open already.
    Session(Kept),
}

impl Connection {
    /// The profile that was asked for, or is the default where nothing else says which service is meant.
    pub(crate) fn profile_name<'a>(
        &'a self,
        given: &ArgMatches,
        file: &'a File,
    ) -> Option<&'a str> {
        let named = named(&self.profile);
        let url = named_url(&self.url).is_some();
        match source(given, "profile") {
            Some(ValueSource::CommandLine) => named,
            // What the environment says of the service on the command line is not meant: that is another service.
            Some(_) if source(given, "url") != Some(ValueSource::CommandLine) => named,
            Some(_) => None,
            None if url => None,
            None => file.config.profile.as_deref(),
        }
    }

    pub(crate) fn setup(&self, given: &ArgMatches, file: &File) -> Result<Setup> {
        let name = self.profile_name(given, file);
        let empty = Profile::default();
        let profile = match name {
            Some(name) => file.profile(name)?,
            None => &empty,
        };
        // A profile that is named on the command line says more than the environment.
        let first = source(given, "profile") == Some(ValueSource::CommandLine);
        let over = |id: &str, profiled: bool| match source(given, id) {
            Some(ValueSource::CommandLine) => true,
            Some(_) => !(first && profiled),
            None => false,
        };
        fn pick<T: Clone>(over: bool, given: &Option<T>, profiled: &Option<T>) -> Option<T> {
            match over {
                true => given.clone(),
                false => profiled.clone(),
            }
        }
        let resolved = |path: &Option<PathBuf>| path.as_deref().map(|path| file.resolve(path));

        let url = pick(over("url", profile.url.is_some()), &self.url, &profile.url);
        let (url, origin) = located(named_url(&url).ok_or_else(|| {
            Failure::Usage(match name {
                Some(name) => format!("the profile {name} has no url; use --url"),
                None => "no service named: use --url, set HAWKFISH_URL, or make a profile with `hawkfish profiles add`".into(),
            })
        })?)?;
        let known = file.config.services.get(&origin);

        let credentials_file = pick(
            over("credentials_file", profile.credentials_file.is_some()),
            &self.credentials_file,
            &resolved(&profile.credentials_file),
        );
        let user = pick(
            over("user", profile.user.is_some()),
            &self.user,
            &profile.user,
        )
        .or_else(|| known?.user.clone());
        let ca = pick(
            over("ca", profile.ca.is_some()),
            &self.ca,
            &resolved(&profile.ca),
        );
        let insecure = match over("insecure", profile.insecure.is_some()) {
            true => self.insecure,
            false => profile.insecure.unwrap_or(false),
        };
        let mut pinned = pick(
            over("fingerprint", profile.fingerprint.is_some()),
            &self.fingerprint,
            &profile.fingerprint,
        );
        if pinned.is_none() && ca.is_none() && !insecure {
            pinned = known.and_then(|known| known.fingerprint.clone());
        }
        let fingerprint = pinned
            .as_deref()
            .map(fingerprint::parse)
            .transpose()
            .map_err(|why| Failure::Usage(format!("{}: {why}", file.path.display())))?;
        let timeout = pick(
            over("timeout", profile.timeout.is_some()),
            &self.timeout,
            &profile.timeout,
        );
        Ok(Setup {
            url,
            origin,
            profile: name.map(str::to_owned),
            user: user.filter(|user| !user.is_empty()),
            auth: pick(
                over("auth", profile.auth.is_some()),
                &self.auth,
                &profile.auth,
            )
            .unwrap_or(Auth::Session),
            trusts: ca.is_some() || insecure || fingerprint.is_some(),
            fingerprint,
            timeout: Duration::from_secs(timeout.unwrap_or(TIMEOUT)),
            credentials_file,
            ca,
            insecure,
        })
    }

    /// How to print.
    pub(crate) fn format(&self, given: &ArgMatches, style: &Style, file: &File) -> Result<Format> {
        let profile = self.profile_name(given, file);
        let profiled = profile.map(|name| file.profile(name)).transpose()?;
        let profiled = profiled.and_then(|profile| profile.output);
        let first = source(given, "profile") == Some(ValueSource::CommandLine);
        let format = match style.output_option(given) {
            Some(format) => Some(format),
            None if first => profiled.or(style.output),
            None => style.output.or(profiled),
        };
        Ok(format.unwrap_or(Format::Table))
    }

    /// What was said on the command line itself, as a profile.
    pub(crate) fn as_profile(&self, given: &ArgMatches) -> Profile {
        let said = |id: &str| source(given, id) == Some(ValueSource::CommandLine);
        fn only<T: Clone>(said: bool, value: &Option<T>) -> Option<T> {
            value.clone().filter(|_| said)
        }
        Profile {
            url: only(said("url"), &self.url),
            user: only(said("user"), &self.user),
            credentials_file: only(said("credentials_file"), &self.credentials_file),
            auth: only(said("auth"), &self.auth),
            ca: only(said("ca"), &self.ca),
            fingerprint: only(said("fingerprint"), &self.fingerprint),
            insecure: said("insecure").then_some(self.insecure),
            timeout: only(said("timeout"), &self.timeout),
            output: None,
        }
    }
}

impl Setup {
    /// A builder that knows where and whom to trust, but not as whom.
    pub(crate) fn builder(&self) -> Result<Builder> {
        let mut builder = Client::builder(&self.url).timeout(self.timeout);
        if let Some(ca) = &self.ca {
            builder = builder.ca_pem(read(ca)?);
        }
        if let Some(fingerprint) = self.fingerprint {
            builder = builder.fingerprint(fingerprint);
        }
        if self.insecure {
            builder = builder.insecure();
        }
        Ok(builder)
    }

    pub(crate) fn client(&self, who: &Who) -> Result<Client> {
        let builder = self.builder()?;
        let builder = match who {
            Who::Nobody => builder,
            Who::Password { user, password, .. } => match self.auth {
                Auth::Session => builder.session(user, password),
                Auth::Basic => builder.basic(user, password),
            },
            Who::Session(kept) => builder.token(kept.session()),
        };
        Ok(builder.build()?)
    }

    /// Credentials in the order in which they are looked for: a file, the environment, a session that `hawkfish login` has left open, the keyring.
    pub(crate) async fn who(&self) -> Result<Who> {
        if let Some(who) = self.given()? {
            return Ok(who);
        }
        let user = self.user.as_deref();
        if self.auth == Auth::Session
            && let Some(kept) = Kept::find(&self.origin, user).await?
        {
            return Ok(Who::Session(kept));
        }
        let Some(user) = user else {
            return Ok(Who::Nobody);
        };
        let why = match keyring::get(self.saved_as(user)).await {
            Ok(Some(password)) => {
                return Ok(Who::Password {
                    user: user.to_owned(),
                    password,
                    from: "the keyring",
                });
            }
            Ok(None) => "the keyring has none".to_owned(),
            Err(why) => why,
        };
        Err(Failure::Unknown(format!(
            "there is no password for {user} at {}: HAWKFISH_PASSWORD is not set, no session is open, and {why}",
            self.origin
        )))
    }

    /// Credentials from a file or the environment.
    pub(crate) fn given(&self) -> Result<Option<Who>> {
        if let Some(file) = &self.credentials_file {
            let (user, password) = from_file(file)?;
            return Ok(Some(Who::Password {
                user,
                password,
                from: "the credentials file",
            }));
        }
        let Ok(password) = std::env::var("HAWKFISH_PASSWORD") else {
            return Ok(None);
        };
        let env_user = std::env::var("HAWKFISH_USERNAME").ok();
        match &self.user {
            // The password in the environment is that of the user in the environment.
            Some(user) if env_user.as_ref().is_none_or(|other| other == user) => {
                Ok(Some(Who::Password {
                    user: user.clone(),
                    password,
                    from: "HAWKFISH_PASSWORD",
                }))
            }
            Some(_) => Ok(None),
            None => Err(Failure::Usage(
                "HAWKFISH_PASSWORD is set, but whose it is is not known: set HAWKFISH_USERNAME, or use --user".into(),
            )),
        }
    }

    /// The account of the keyring under which a password stands.
    pub(crate) fn saved_as(&self, user: &str) -> String {
        format!("{user} {}", self.origin)
    }

    /// What to do about a failure, by what is known of the service and of who asked.
    pub(crate) async fn advice(&self, failure: &Failure, who: Option<&Who>) -> Vec<String> {
        let login = match &self.profile {
            Some(profile) => format!("hawkfish login --profile {profile}"),
            None => format!("hawkfish login --url {}", self.origin),
        };
        let error = match failure {
            Failure::Client(error) => error,
            Failure::Unknown(_) => {
                return vec![format!("Use `{login}`, or set HAWKFISH_PASSWORD.")];
            }
            _ => return Vec::new(),
        };
        let profiled = match &self.profile {
            Some(profile) => format!(" (profile {profile})"),
            None => String::new(),
        };
        match (error.kind, who) {
            (Kind::Unauthorized, Some(Who::Session(kept))) => vec![format!(
                "The session of {} at {}{profiled} has ended: use `{login}` again.",
                kept.user, self.origin
            )],
            (Kind::Unauthorized, Some(Who::Password { user, from, .. })) => vec![format!(
                "{}{profiled} does not take the password of {user} from {from}.",
                self.origin
            )],
            (Kind::Unauthorized, _) => vec![format!(
                "Use `{login}`, set HAWKFISH_USERNAME and HAWKFISH_PASSWORD, or name a --credentials-file."
            )],
            (
                Kind::Forbidden,
                Some(Who::Session(Kept { user, .. }) | Who::Password { user, .. }),
            ) => {
                vec![format!(
                    "{user} may not do this; another role or another user may (`hawkfish roles ls`, --user)."
                )]
            }
            (Kind::Transport, _) if untrusted(error) => self.about_certificate(&login).await,
            _ => Vec::new(),
        }
    }

    /// Which certificate it is that nobody vouches for, and the ways to trust it.
    async fn about_certificate(&self, login: &str) -> Vec<String> {
        let shown = Certificate::of(&self.url, self.timeout.min(Duration::from_secs(10))).await;
        let Ok(shown) = shown else {
            return Vec::new();
        };
        let sha256 = fingerprint::show(&shown.sha256);
        let mut advice = vec![format!("Its certificate has the SHA-256 {sha256}.")];
        if self.fingerprint.is_some() {
            advice.push(
                "It is not the one that is trusted: either the service has a new certificate, or somebody stands between.".into(),
            );
            advice.push(format!(
                "If you know it to be right: `{login} --fingerprint {sha256}`."
            ));
        } else {
            advice.push(format!(
                "If that is what the service itself says: `{login}` asks and remembers it; --fingerprint trusts it for one command."
            ));
            advice.push(
                "Or name who has signed it with --ca FILE; --insecure only where nobody can listen."
                    .into(),
            );
        }
        advice
    }
}

/// Whether it was the certificate that was not trusted.
pub(crate) fn untrusted(error: &Error) -> bool {
    error.kind == Kind::Transport && error.to_string().contains("certificate")
}

/// A program that a command starts. It gets none of our secrets in its environment.
pub(crate) fn program(name: &str) -> std::process::Command {
    let mut command = std::process::Command::new(name);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(secret) {
            command.env_remove(name);
        }
    }
    command
}

fn secret(name: &str) -> bool {
    name.starts_with("HAWKFISH_")
        && (name.contains("PASSWORD") || name.contains("SECRET") || name.contains("TOKEN"))
}

/// Where the innermost command has an option's value from.
fn source(given: &ArgMatches, id: &str) -> Option<ValueSource> {
    given
        .try_contains_id(id)
        .is_ok_and(|there| there)
        .then(|| given.value_source(id))
        .flatten()
        .filter(|source| *source != ValueSource::DefaultValue)
}

fn named(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

fn named_url(url: &Option<String>) -> Option<&str> {
    named(url)
}

/// The URL with its scheme, and its origin.
pub(crate) fn located(url: &str) -> Result<(String, String)> {
    let url = match url.contains("://") {
        true => url.to_owned(),
        false => format!("https://{url}"),
    };
    // Not shown where it may hold a password: errors stand in logs.
    let shown = if url.contains('@') { "the URL" } else { &url };
    let parsed = Url::parse(&url).map_err(|error| Failure::Usage(format!("{shown}: {error}")))?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(Failure::Usage(
            "the URL holds credentials, where others can read them; give them separately".into(),
        ));
    }
    if !matches!(parsed.scheme(), "http" | "https") || parsed.host().is_none() {
        return Err(Failure::Usage(format!("{shown}: neither http nor https")));
    }
    let origin = parsed.origin().ascii_serialization();
    Ok((url, origin))
}

fn checked_fingerprint(text: &str) -> std::result::Result<String, String> {
    fingerprint::parse(text).map(|_| text.to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

fn from_file(path: &Path) -> Result<(String, String)> {
    let wrong = |why: &str| Failure::Usage(format!("{}: {why}", path.display()));
    if let Some(why) = private::exposed(path).map_err(|error| wrong(&error.to_string()))? {
        return Err(wrong(why));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_scheme_is_https_and_one_with_credentials_is_never_shown() {
        assert_eq!(located("bmc:8443").unwrap().1, "https://bmc:8443");
        assert_eq!(located("http://bmc/").unwrap().1, "http://bmc");
        for url in [
            "https://u:secret@bmc",
            "u:secret@bmc",
            "https://u:secret@:x",
        ] {
            let failure = located(url).unwrap_err();
            assert!(!failure.to_string().contains("secret"), "{failure}");
        }
        assert!(located("ftp://bmc").is_err());
    }

    #[test]
    fn what_is_secret_in_the_environment_is_known_by_its_name() {
        assert!(secret("HAWKFISH_PASSWORD") && secret("HAWKFISH_IMAGE_PASSWORD"));
        assert!(!secret("HAWKFISH_URL") && !secret("PASSWORD"));
    }
}
