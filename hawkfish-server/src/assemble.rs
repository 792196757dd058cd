//! From settings to a running system: which backend, which hosts, and everything around them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hawkfish_core::accounts::FirstAdmin;
use hawkfish_core::backend::Backend;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::{Clock, SystemClock};
use hawkfish_core::error::{Error, Result};
use hawkfish_core::events::EventSettings;
use hawkfish_core::id::HostId;
use hawkfish_core::media::MediaSettings;
use hawkfish_core::outgoing::Policy;
use hawkfish_core::subscriptions::SubscriptionSettings;

use crate::HawkFish;
use crate::app::{App, Options};
use crate::settings::{BackendChoice, Settings};
use crate::tls::ClientAuthorities;

/// What was put together.
#[derive(Clone, Debug)]
pub struct Assembled {
    /// The service.
    pub app: App,
    /// What runs the machines, and why.
    pub machines: Machines,
    /// What became of the first account.
    pub admin: FirstAdmin,
}

/// What runs the machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machines {
    /// libvirt, at these URIs; those that do not answer come with the reason.
    Libvirt(Vec<(String, Option<String>)>),
    /// The simulator.
    Simulated {
        /// How many.
        count: usize,
        /// What they are made from.
        seed: u64,
        /// Why not libvirt, where that was to be tried.
        because: Option<String>,
    },
}

/// How long a libvirt that answers may take to tell of all its machines before the service starts without them.
const FIRST_LOOK: Duration = Duration::from_secs(30);

type Hosts = Vec<(HostId, Arc<dyn Backend>)>;

/// Puts a system together and starts it; work in the background is begun.
///
/// # Errors
/// A store that cannot be opened, a password that is too weak, a file that cannot be read. A libvirt that does not answer is none.
pub async fn assemble(settings: &Settings) -> Result<Assembled> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (hosts, machines) = hosts(settings, &clock).await?;
    let mut builder = HawkFish::builder()
        .clock(clock)
        .data_dir(&settings.data_dir)
        .logs(settings.logs)
        .events(EventSettings {
            kept: settings.events.kept,
            ..EventSettings::default()
        })
        .subscriptions(subscriptions(settings)?)
        .media(media(settings)?);
    for (id, backend) in hosts {
        builder = builder.host(id, backend);
    }
    let hf = builder.start().await?;
    match finish(settings, &hf).await {
        Ok((admin, options)) => Ok(Assembled {
            app: App::new(hf, options),
            machines,
            admin,
        }),
        Err(error) => {
            // Whoever embeds it goes on, and may start it again on the same data.
            hf.close().await?;
            Err(error)
        }
    }
}

/// The first account, and what is begun in the background.
async fn finish(settings: &Settings, hf: &HawkFish) -> Result<(FirstAdmin, Options)> {
    let admin = match (&settings.admin_password, settings.admin_reset) {
        (Some(password), true) => {
            hf.accounts().recover_admin(password).await?;
            FirstAdmin::Kept
        }
        (password, _) => hf.accounts().ensure_admin(password.as_deref()).await?,
    };
    let clients = settings.door.clients.as_ref();
    let clients = clients.map(ClientAuthorities::read).transpose();
    let clients = clients.map_err(|error| {
        Error::internal("The authorities of clients cannot be read.").caused_by(error)
    })?;
    hf.start_running();
    let options = Options {
        time_limit: Duration::from_secs(settings.request_timeout_seconds),
        origins: settings.door.origins.clone(),
        require_if_match: settings.door.require_if_match,
        client_certificates: clients,
        ..Options::default()
    };
    Ok((admin, options))
}

/// Files of authorities.
fn authorities(files: &[PathBuf]) -> Result<Vec<Arc<[u8]>>> {
    let read = |path: &PathBuf| {
        std::fs::read(path).map(Arc::from).map_err(|error| {
            let message = format!("The authorities in {} cannot be read.", path.display());
            Error::internal(message).caused_by(error)
        })
    };
    files.iter().map(read).collect()
}

fn subscriptions(settings: &Settings) -> Result<SubscriptionSettings> {
    let of = &settings.events;
    Ok(SubscriptionSettings {
        policy: Some(Arc::new(Policy {
            allow: of.allow.clone(),
            deny: of.deny.clone(),
        })),
        authorities: Some(authorities(&of.authorities)?),
        most: of.most_subscriptions,
        ..SubscriptionSettings::default()
    })
}

fn media(settings: &Settings) -> Result<MediaSettings> {
    Ok(MediaSettings {
        policy: Arc::new(Policy {
            allow: settings.media_allow.clone(),
            deny: settings.media_deny.clone(),
        }),
        folders: settings.media_dirs.clone(),
        max_bytes: settings.media_max_bytes,
        store_bytes: settings.image_store_bytes,
        update_bytes: settings.update_max_bytes,
        authorities: authorities(&settings.media_cas)?,
    })
}

async fn hosts(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<(Hosts, Machines)> {
    if settings.backend == BackendChoice::Sim {
        return simulated(settings, clock, None);
    }
    let told = probe(&settings.libvirt_uris).await;
    let none = told.iter().all(|(_, reason)| reason.is_some());
    if settings.backend == BackendChoice::Auto && none {
        let because = told.into_iter().map(|(uri, reason)| {
            let reason = reason.unwrap_or_default();
            format!("libvirt does not answer at {uri}: {reason}")
        });
        let because = because.collect::<Vec<_>>().join("; ");
        return simulated(settings, clock, Some(because));
    }
    let hosts = connect(
        &settings.libvirt_uris,
        &settings.storage_pool,
        Duration::from_secs(settings.sample_interval_seconds),
        clock,
    )?;
    // Whoever reads that the service is there is to find the machines there, too.
    let answering = hosts.iter().zip(&told);
    let first_looks = answering
        .filter(|(_, (_, reason))| reason.is_none())
        .map(|((_, backend), _)| tokio::time::timeout(FIRST_LOOK, backend.changed()));
    futures::future::join_all(first_looks).await;
    Ok((hosts, Machines::Libvirt(told)))
}

fn simulated(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    because: Option<String>,
) -> Result<(Hosts, Machines)> {
    let rack = SimSettings {
        systems: settings.sim_systems,
        seed: settings.seed,
        ..SimSettings::default()
    };
    let backend = SimBackend::new(rack, Arc::clone(clock));
    let machines = Machines::Simulated {
        count: settings.sim_systems,
        seed: settings.seed,
        because,
    };
    Ok((vec![(HostId::parse("sim")?, backend)], machines))
}

/// How long a libvirt may take to answer before the service starts without it.
#[cfg(feature = "libvirt")]
const PATIENCE: Duration = Duration::from_secs(5);

/// Which libvirts do not answer, and why.
#[cfg(feature = "libvirt")]
async fn probe(uris: &[String]) -> Vec<(String, Option<String>)> {
    let asked = uris.iter().map(|uri| async move {
        let answer = hawkfish_core::backend::libvirt::probe(uri, PATIENCE).await;
        (
            uri.clone(),
            answer.err().map(|error| error.message().to_owned()),
        )
    });
    futures::future::join_all(asked).await
}

/// All of them; those that do not answer yet are tried again and again.
#[cfg(feature = "libvirt")]
fn connect(
    uris: &[String],
    pool: &Option<String>,
    sample_every: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<Hosts> {
    use hawkfish_core::backend::libvirt::{LibvirtBackend, LibvirtSettings};
    let mut taken = BTreeSet::new();
    let one = |uri: &String| {
        let id = host_id(uri, &mut taken)?;
        let libvirt = LibvirtSettings {
            storage_pool: pool.clone(),
            sample_every,
            ..LibvirtSettings::new(uri)
        };
        let backend = LibvirtBackend::connect(libvirt, Arc::clone(clock));
        Ok((id, backend as Arc<dyn Backend>))
    };
    uris.iter().map(one).collect()
}

#[cfg(not(feature = "libvirt"))]
async fn probe(uris: &[String]) -> Vec<(String, Option<String>)> {
    let reason = "this program was built without libvirt";
    uris.iter()
        .map(|uri| (uri.clone(), Some(reason.to_owned())))
        .collect()
}

#[cfg(not(feature = "libvirt"))]
fn connect(_: &[String], _: &Option<String>, _: Duration, _: &Arc<dyn Clock>) -> Result<Hosts> {
    Err(Error::unsupported(
        "libvirt (this program was built without it)",
    ))
}

/// A name for the host at a URI: `qemu+ssh://root@h1/system` is `qemu-ssh-root-h1-system`. It is stored with every system, so it must stay the same.
#[cfg_attr(
    not(feature = "libvirt"),
    expect(dead_code, reason = "only libvirt has URIs")
)]
fn host_id(uri: &str, taken: &mut BTreeSet<String>) -> Result<HostId> {
    let words: Vec<&str> = uri
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut name = words.join("-");
    name.truncate(100);
    let mut distinct = name.clone();
    let mut number = 2;
    while !taken.insert(distinct.clone()) {
        distinct = format!("{name}-{number}");
        number += 1;
    }
    HostId::parse(&distinct)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_after_its_uri() {
        let mut taken = BTreeSet::new();
        for (uri, name) in [
            ("qemu:///system", "qemu-system"),
            ("qemu+ssh://root@h1/system", "qemu-ssh-root-h1-system"),
            ("qemu://system", "qemu-system-2"),
        ] {
            assert_eq!(host_id(uri, &mut taken).unwrap().as_str(), name);
        }
    }
}
