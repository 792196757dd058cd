//! `hawkfish-server`: settings, start, run.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use hawkfish_server::app::Reach;
use hawkfish_server::assemble::{Assembled, assemble};
use hawkfish_server::banner::Banner;
use hawkfish_server::serve::{Bounds, serve};
use hawkfish_server::settings::{LogFormat, Settings, SettingsError};
use hawkfish_server::ssdp::{Place, Switch};
use hawkfish_server::{redirect, ssdp, tls};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

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
    // First of all, so that two services do not work on one port's behalf.
    let listener = TcpListener::bind(settings.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", settings.listen))?;
    let listen = listener.local_addr()?;
    let plain = match settings.door.http_redirect {
        Some(at) => Some(
            TcpListener::bind(at)
                .await
                .map_err(|error| format!("cannot listen on {at}: {error}"))?,
        ),
        None => None,
    };
    let Assembled {
        app,
        machines,
        admin,
    } = assemble(settings).await?;
    let tls = tls::load(&settings.tls, &settings.data_dir, listen.ip())?;
    let tls = match (tls, &settings.door.clients) {
        (Some(tls), Some(clients)) => Some(tls.asking(&clients.read()?)?),
        (tls, _) => tls,
    };
    let banner = Banner {
        listen,
        certificate: tls.as_ref().map(|tls| tls.certificate.as_path()),
        machines: &machines,
        admin: &admin,
        data_dir: &settings.data_dir,
    };
    let ssdp = Arc::new(Switch::open(&settings.data_dir, settings.door.ssdp)?);
    app.reached(Reach {
        https: tls.as_ref().map(|_| listen),
        http: match &plain {
            Some(plain) => Some(plain.local_addr()?),
            None => tls.is_none().then_some(listen),
        },
        ssdp: Some(ssdp.clone()),
        asks_clients: settings.door.clients.is_some(),
        identity: tls.as_ref().map(|tls| tls.identity.clone()),
    });
    let mut out = std::io::stdout();
    out.write_all(banner.text().as_bytes())?;
    out.flush()?;
    let bounds = Bounds {
        max_connections: settings.max_connections,
    };
    let hf = app.hawkfish().clone();
    let (end, ending) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("ending: no new connections, requests under way are finished");
        end.send_replace(true);
    });
    let ended = || {
        let mut ending = ending.clone();
        async move {
            // Without anybody to say so it ends, too.
            let _ = ending.wait_for(|end| *end).await;
        }
    };
    let mut beside = JoinSet::new();
    if let Some(plain) = plain {
        beside.spawn(redirect::serve(plain, listen.port(), ended()));
    }
    let known = ssdp::Service {
        uuid: hf.uuid(),
        listen,
        tls: tls.is_some(),
    };
    beside.spawn(ssdp::run(ssdp, Place::of(listen.ip()), known, ended()));
    serve(app, listener, tls.map(|tls| tls.config), bounds, ended()).await?;
    beside.join_all().await;
    hf.close().await?;
    Ok(())
}
