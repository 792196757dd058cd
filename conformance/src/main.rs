//! `conformance URL`: checks a Redfish endpoint and says what is wrong with it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use conformance::{Plan, Report, cases};
use hawkfish_client::Client;

/// Checks a Redfish endpoint against what the protocol and the schemas demand.
///
/// User and password are taken from HAWKFISH_USERNAME and HAWKFISH_PASSWORD. Without them most of a service is closed, and the cases about it are
/// skipped and counted as such.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The endpoint, such as `https://bmc.example`.
    #[arg(required_unless_present = "list")]
    url: Option<String>,
    /// Trust what the certificates in this PEM file have signed.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate.
    #[arg(long)]
    insecure: bool,
    /// Also the cases that change something; each puts it back.
    #[arg(long)]
    writes: bool,
    /// Only cases whose id begins so: errors, auth.session
    #[arg(long, value_name = "ID")]
    only: Option<String>,
    /// Most resources that are read.
    #[arg(long, default_value_t = 10_000)]
    limit: usize,
    /// Print JSON instead of the readable report.
    #[arg(long)]
    json: bool,
    /// Write JUnit's XML there, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the cases and run none.
    #[arg(long)]
    list: bool,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  nothing failed; what was skipped is in the report
  1  at least one case failed
  2  the command line is wrong
  3  nothing was checked: the endpoint cannot be reached or does not let us in";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match run(&arguments).await {
        Ok(Some(report)) => report,
        Ok(None) => return ExitCode::SUCCESS,
        Err((code, text)) => return complain(code, &text),
    };
    let written = match &arguments.junit {
        Some(file) => std::fs::write(file, report.junit())
            .map_err(|error| format!("{}: {error}", file.display())),
        None => Ok(()),
    };
    let shown = match arguments.json {
        true => format!("{:#}\n", report.json()),
        false => report.to_string(),
    };
    let printed = std::io::stdout().lock().write_all(shown.as_bytes());
    if let Err(text) = written.and(printed.map_err(|error| error.to_string())) {
        return complain(2, &text);
    }
    ExitCode::from(u8::from(report.counts().failed > 0))
}

fn complain(code: u8, text: &str) -> ExitCode {
    // Where even stderr is closed, the exit code is left.
    let _ = writeln!(std::io::stderr().lock(), "conformance: {text}");
    ExitCode::from(code)
}

async fn run(arguments: &Arguments) -> Result<Option<Report>, (u8, String)> {
    if arguments.list {
        let mut out = std::io::stdout().lock();
        for case in cases::ALL {
            let line = writeln!(out, "{}: {} [{}]", case.id, case.proves, case.section);
            line.map_err(|error| (2, error.to_string()))?;
        }
        return Ok(None);
    }
    let of = |name: &str| std::env::var(name).ok();
    let credentials = match (of("HAWKFISH_USERNAME"), of("HAWKFISH_PASSWORD")) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            let text =
                "HAWKFISH_USERNAME and HAWKFISH_PASSWORD go together; one of them is missing";
            return Err((2, text.into()));
        }
    };
    // What a service answers is what is judged, also where one could ask again.
    let mut builder = Client::builder(arguments.url.as_deref().unwrap_or_default())
        .retry(hawkfish_client::Retry::none());
    if let Some((user, password)) = &credentials {
        builder = builder.session(user, password);
    }
    if let Some(file) = &arguments.ca {
        let pem = std::fs::read(file);
        builder = builder.ca_pem(pem.map_err(|error| (2, format!("{}: {error}", file.display())))?);
    }
    if arguments.insecure {
        builder = builder.insecure();
    }
    let client = builder.build().map_err(|error| (2, error.to_string()))?;
    let plan = Plan {
        writes: arguments.writes,
        limit: arguments.limit,
        only: arguments.only.clone(),
        ..Plan::new(client.clone(), credentials)
    };
    let report = plan.run().await;
    // A session that cannot be closed ends by itself; that is no reason to keep the report back.
    let _ = client.logout().await;
    report.map(Some).map_err(|error| (3, error.to_string()))
}
