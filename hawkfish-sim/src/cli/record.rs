//! `hawkfish-sim record`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};
use hawkfish_client::Client;
use hawkfish_core::entropy::{Entropy as _, OsEntropy};
use hawkfish_sim::capture::{Capture, Unread};
use hawkfish_sim::record::{self, Journal, Options, Progress, anonymise};
use tokio::signal::unix::{SignalKind, signal};

use super::{Error, say};

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The service, such as `https://bmc.example`; without a scheme it is https.
    url: String,
    /// The folder to write; it must not be there yet, or be empty.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Who logs in. Without a user only what everybody may see is read.
    #[arg(long, env = "HAWKFISH_USERNAME")]
    user: Option<String>,
    /// A file with the password in its first line, readable by its owner only; otherwise HAWKFISH_PASSWORD has it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How to log in.
    #[arg(long, value_enum, default_value_t = Auth::Session)]
    auth: Auth,
    /// Trust any certificate.
    #[arg(long, conflicts_with_all = ["ca", "fingerprint"])]
    insecure: bool,
    /// Trust what the certificates in this PEM file have signed.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust the certificate whose SHA-256 this is, in hexadecimal, with or without colons.
    #[arg(long, value_name = "SHA256")]
    fingerprint: Option<String>,
    /// Seconds that one answer may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// Most requests in a second.
    #[arg(long, value_name = "R", default_value_t = 20.0)]
    rate: f64,
    /// Most requests at a time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    parallel: u8,
    /// Most documents.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    max: usize,
    /// Most entries of one log.
    #[arg(long, value_name = "N", default_value_t = 200)]
    log_entries: usize,
    /// Read only URIs that fit; may be given more than once. `*` is any part without a slash, `**` any at all.
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// Do not read URIs that fit; may be given more than once.
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Keep names that people gave, of hosts, users, places and asset tags. Serial numbers and addresses are replaced all the same.
    #[arg(long)]
    keep_names: bool,
    /// Keep everything as it is: serial numbers, addresses, keys.
    #[arg(long, conflicts_with = "keep_names")]
    keep_all: bool,
    /// Go on with a recording that broke off.
    #[arg(long)]
    resume: bool,
}

/// A BMC has some sixteen sessions.
const MOST_REFUSALS: usize = 5;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Auth {
    /// One session, closed at the end.
    Session,
    /// User and password with each request.
    Basic,
}

pub(crate) async fn record(what: Record) -> Result<(), Error> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let options = what.options()?;
    let client = what.client()?;
    is_free(&what.out)?;
    let part = part(&what.out)?;
    let mut journal = match what.resume {
        true => Journal::resume(&part, &client.origin())?,
        false if part.exists() => {
            let part = part.display();
            return Err(
                format!("{part}: a recording broke off; --resume goes on, or delete it").into(),
            );
        }
        false => Journal::begin(&part, &client.origin())?,
    };
    let begun = journal.len();
    let mut shown = Shown::default();
    let walked = tokio::select! {
        walked = record::walk(&client, &options, &mut journal, |progress| shown.show(progress)) => {
            walked.map_err(Error::from)
        }
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("interrupted".into()),
    };
    shown.end();
    // However it ended: a BMC has few sessions.
    let ended = client.logout().await;
    let capture = walked.map_err(|error: Error| {
        format!(
            "{error}; what was read is kept in {} for --resume",
            part.display()
        )
    })?;
    if let Err(error) = ended {
        let _ = writeln!(
            std::io::stderr(),
            "hawkfish-sim: the session may still be open: {error}"
        );
    }
    let unread: Vec<Unread> = capture.unread.clone();
    let capture = what.finished(capture)?;
    capture.write(&what.out)?;
    std::fs::remove_file(&part)?;
    let missing = unread.iter().filter(|one| one.status.is_some()).count();
    let resumed = if begun > 0 {
        format!(", {begun} of them before")
    } else {
        String::new()
    };
    say(&format!(
        "documents   {}{resumed}\nunread      {missing}, and {} left out\nanonymised  {}\nwritten to  {}\n",
        capture.documents.len(),
        unread.len() - missing,
        if what.keep_all { "no" } else { "yes" },
        what.out.display(),
    ))
}

impl Record {
    fn options(&self) -> Result<Options, Error> {
        if !(self.rate > 0.0 && self.rate <= 1_000_000.0) {
            return Err("--rate: more than 0 requests in a second".into());
        }
        let globs = |all: &[String]| {
            all.iter()
                .map(|glob| matcher(glob))
                .collect::<Result<_, _>>()
        };
        Ok(Options {
            gap: Duration::from_secs_f64(1.0 / self.rate),
            parallel: usize::from(self.parallel),
            most: self.max,
            log_entries: self.log_entries,
            refusals: match (&self.user, self.auth) {
                (Some(_), Auth::Session) => MOST_REFUSALS,
                _ => usize::MAX,
            },
            include: globs(&self.include)?,
            exclude: globs(&self.exclude)?,
            ..Options::default()
        })
    }

    fn client(&self) -> Result<Client, Error> {
        let url = match self.url.contains("://") {
            true => self.url.clone(),
            false => format!("https://{}", self.url),
        };
        let mut builder = Client::builder(url)
            .timeout(Duration::from_secs(self.timeout))
            // The recorder asks again by itself, with the pauses that it was told.
            .retry(hawkfish_client::Retry::none());
        if let Some(file) = &self.ca {
            let pem =
                std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
            builder = builder.ca_pem(pem);
        }
        if let Some(text) = &self.fingerprint {
            builder = builder.fingerprint(fingerprint(text)?);
        }
        if self.insecure {
            builder = builder.insecure();
        }
        if let Some(user) = &self.user {
            let password = self.password()?;
            builder = match self.auth {
                Auth::Session => builder.session(user, password),
                Auth::Basic => builder.basic(user, password),
            };
        }
        Ok(builder.build()?)
    }

    fn password(&self) -> Result<String, Error> {
        let Some(file) = &self.password_file else {
            let password = std::env::var("HAWKFISH_PASSWORD");
            return password.map_err(|_| {
                "no password: set HAWKFISH_PASSWORD, or name a file by --password-file".into()
            });
        };
        let shown = file.display();
        use std::os::unix::fs::PermissionsExt as _;
        let facts = std::fs::metadata(file).map_err(|error| format!("{shown}: {error}"))?;
        if facts.permissions().mode() & 0o077 != 0 {
            return Err(format!("{shown}: others can read it; chmod 600 it").into());
        }
        let text = std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// The capture as it is written.
    fn finished(&self, mut capture: Capture) -> Result<Capture, Error> {
        capture.source.recorded_at = Some(jiff::Timestamp::now());
        if self.keep_all {
            capture.source.is_anonymised = Some(false);
            return Ok(capture);
        }
        let mut key = [0; 32];
        OsEntropy.fill(&mut key);
        let options = anonymise::Options {
            keep_names: self.keep_names,
        };
        Ok(anonymise::anonymise(&capture, &key, options)?)
    }
}

fn matcher(glob: &str) -> Result<GlobMatcher, Error> {
    let glob = GlobBuilder::new(glob).literal_separator(true).build();
    Ok(glob?.compile_matcher())
}

fn fingerprint(text: &str) -> Result<[u8; 32], Error> {
    let digits: String = text.chars().filter(|letter| *letter != ':').collect();
    let wrong = "--fingerprint: 64 hexadecimal digits";
    let bytes = (0..digits.len()).step_by(2).map(|at| {
        let two = digits.get(at..at + 2)?;
        u8::from_str_radix(two, 16).ok()
    });
    let bytes: Option<Vec<u8>> = bytes.collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| wrong.into())
}

/// Before a service is asked for half an hour.
fn is_free(out: &Path) -> Result<(), Error> {
    let is_taken = match std::fs::read_dir(out) {
        Ok(mut there) => there.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    match is_taken {
        true => Err(format!("{}: there is something already", out.display()).into()),
        false => Ok(()),
    }
}

/// Where what was read is kept until all is.
fn part(out: &Path) -> Result<PathBuf, Error> {
    let name = out.file_name().ok_or("--out: not the name of a folder")?;
    let mut name = name.to_owned();
    name.push(".part");
    Ok(out.with_file_name(name))
}

/// How far it is, on a terminal.
#[derive(Default)]
struct Shown {
    last: Option<Instant>,
}

impl Shown {
    fn show(&mut self, progress: Progress) {
        let is_time = self
            .last
            .is_none_or(|last| last.elapsed() > Duration::from_millis(200));
        if !is_time || !std::io::stderr().is_terminal() {
            return;
        }
        self.last = Some(Instant::now());
        let Progress {
            read,
            unread,
            to_go,
        } = progress;
        let _ = write!(
            std::io::stderr(),
            "\r{read} read, {unread} not, {to_go} to go   "
        );
    }

    fn end(&self) {
        if self.last.is_some() {
            let _ = writeln!(std::io::stderr());
        }
    }
}
