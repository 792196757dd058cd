//! `hawkfish-server`: settings, start, run.

use std::io::Write as _;
use std::process::ExitCode;

use hawkfish_server::settings::{LogFormat, Settings, SettingsError};
use hawkfish_server::start::Service;
use tokio::signal::unix::{SignalKind, signal};

/// An answer is made of many small pieces; this one hands them out faster than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let settings = match Settings::read(std::env::args_os(), variables()) {
        Ok(settings) => settings,
        // clap knows where help goes and where errors do.
        Err(SettingsError::Flags(error)) => error.exit(),
        Err(error) => return fail(&error),
    };
    if let Err(error) = start_log(&settings) {
        return fail(&error);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(&settings)),
        Err(error) => return fail(&error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.as_ref()),
    }
}

/// The environment, as far as it is text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut out = std::io::stderr();
    let mut whole = format!("hawkfish-server: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        whole.push_str(&format!(": {error}"));
        source = error.source();
    }
    // There is nowhere else to say it.
    let _ = writeln!(out, "{whole}");
    ExitCode::FAILURE
}

fn start_log(settings: &Settings) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(&settings.log)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let service = Service::start(settings).await?;
    let mut out = std::io::stdout();
    out.write_all(service.banner().text().as_bytes())?;
    out.flush()?;
    let told_to_end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(service.run(told_to_end).await?)
}
