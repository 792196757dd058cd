//! Which addresses HawkFish may talk to on somebody's behalf, and the one HTTP client that obeys.
//!
//! A URL that a caller sends (of an image, of a webhook) must not become a way into the host or its cloud: loopback, link-local (the
//! metadata services of clouds), unspecified, multicast and reserved addresses are refused unless the operator allows them. Private networks
//! are where BMCs and image servers live, so they are allowed unless the operator denies them. The check is made on the very
//! addresses that are then connected to, for each redirect anew, so a name that changes its mind gains nothing.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::error::{Error, ErrorKind, Invalid, Result};

/// A rule of the operator: a network, or a host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Every address in the network.
    Net(IpNet),
    /// A host name, without regard to case.
    Host(String),
}

impl FromStr for Rule {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self::Net(net.trunc()));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Net(address.into()));
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) => Ok(Self::Host(name.to_ascii_lowercase())),
            _ => Err(Error::invalid(
                "",
                text,
                Invalid::Format,
                "An address rule is a network (10.0.0.0/8), an address or a host name.",
            )),
        }
    }
}

/// What the operator allows and denies beyond the defaults. Denials win.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Allowed although the defaults refuse it.
    pub allow: Vec<Rule>,
    /// Refused although the defaults allow it.
    pub deny: Vec<Rule>,
}

impl Policy {
    /// Whether a connection to `address`, reached by the name `host`, is allowed.
    #[must_use]
    pub fn allows(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let hit = |rules: &[Rule]| {
            rules.iter().any(|rule| match rule {
                Rule::Net(net) => net.contains(&address),
                Rule::Host(name) => *name == host,
            })
        };
        !hit(&self.deny) && (hit(&self.allow) || !is_sensitive(address))
    }

    /// Checks what can be checked of a URL without resolving its name: scheme, and a literal address.
    ///
    /// # Errors
    /// `Invalid` for another scheme than http and https or no host, `AddressRefused` for an address that policy refuses.
    pub fn check(&self, url: &Url) -> Result<()> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refused(url));
        }
        match url.host() {
            Some(Host::Ipv4(a)) if !self.allows(&a.to_string(), a.into()) => Err(refused(url)),
            Some(Host::Ipv6(a)) if !self.allows(&a.to_string(), a.into()) => Err(refused(url)),
            Some(Host::Domain(name))
                if is_local_name(name) && !self.allows(name, IpAddr::from([127, 0, 0, 1])) =>
            {
                Err(refused(url))
            }
            Some(_) => Ok(()),
            None => Err(refused(url)),
        }
    }

    /// A client for sending: it connects only where this policy allows, follows no redirect, uses no proxy, and speaks HTTP/1.1, where one connection carries
    /// one request at a time. How long it may take is the caller's to say.
    ///
    /// # Errors
    /// `Internal` when the TLS set-up fails.
    pub fn poster(self: &Arc<Self>, tls: &Tls) -> Result<reqwest::Client> {
        let builder = self
            .builder(tls)?
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_secs(10))
            // Many servers end a connection that was idle for 5 s: a request that meets that end is lost.
            .pool_idle_timeout(Duration::from_secs(3))
            .pool_max_idle_per_host(8);
        built(builder)
    }

    /// A client that connects only where this policy allows, follows at most five redirects (each checked), and uses no proxy.
    ///
    /// # Errors
    /// `Internal` when the TLS set-up fails.
    pub fn client(self: &Arc<Self>, tls: &Tls) -> Result<reqwest::Client> {
        let policy = Arc::clone(self);
        let redirect = reqwest::redirect::Policy::custom(move |attempt| {
            if attempt.previous().len() > 5 {
                return attempt.error("more than five redirects");
            }
            match policy.check(attempt.url()) {
                Ok(()) => attempt.follow(),
                Err(error) => attempt.error(error),
            }
        });
        let builder = self
            .builder(tls)?
            .redirect(redirect)
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(30));
        built(builder)
    }

    fn builder(self: &Arc<Self>, tls: &Tls) -> Result<reqwest::ClientBuilder> {
        let mut builder = reqwest::Client::builder()
            .dns_resolver(Arc::new(GuardedResolver {
                policy: Arc::clone(self),
                lookups: Arc::new(Semaphore::new(MOST_LOOKUPS)),
            }))
            .no_proxy()
            .referer(false)
            .user_agent(concat!("HawkFish/", env!("CARGO_PKG_VERSION")))
            .danger_accept_invalid_certs(!tls.verify);
        for authority in &tls.authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(authority).map_err(|e| {
                Error::internal("A certificate authority could not be read.").caused_by(e)
            })?;
            for certificate in certificates {
                builder = builder.add_root_certificate(certificate);
            }
        }
        Ok(builder)
    }
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client> {
    builder
        .build()
        .map_err(|e| Error::internal("The HTTP client could not be set up.").caused_by(e))
}

/// How the other side proves who it is.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Check certificates.
    pub verify: bool,
    /// Authorities to trust beside the public ones: PEM.
    pub authorities: Vec<Arc<[u8]>>,
}

/// The refusal of a URL, which is shown without credentials and query.
#[must_use]
pub fn refused(url: &Url) -> Error {
    let uri = redacted(url);
    Error::new(
        ErrorKind::AddressRefused { uri: uri.clone() },
        format!("The address policy does not allow {uri}."),
    )
}

/// A URL as it may be shown: without user name, password, query and fragment.
#[must_use]
pub fn redacted(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail only for URLs that cannot have them in the first place.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

fn is_sensitive(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => {
            let o = a.octets();
            a.is_loopback()
                || a.is_link_local()
                || a.is_unspecified()
                || a.is_multicast()
                || a.is_broadcast()
                || o[0] == 0
                || o[0] >= 240
                || a == std::net::Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(a) => {
            let s = a.segments();
            a.is_loopback()
                || a.is_unspecified()
                || a.is_multicast()
                || a.is_unicast_link_local()
                // Site-local (deprecated), the address of a cloud's metadata service, and addresses that carry an IPv4 address inside.
                || (s[0] & 0xffc0) == 0xfec0
                || a == "fd00:ec2::254".parse::<std::net::Ipv6Addr>().expect("a constant address")
                || embedded_v4(s).is_some_and(|v4| is_sensitive(IpAddr::V4(v4)))
        }
    }
}

/// The IPv4 address inside an IPv4-compatible, NAT64 (RFC 6052) or 6to4 (RFC 3056) address.
fn embedded_v4(s: [u16; 8]) -> Option<std::net::Ipv4Addr> {
    let v4 =
        |high: u16, low: u16| std::net::Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(v4(high, low))
        }
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

/// Most names that are looked up at once for one client: each takes a thread, for as long as a name server likes.
const MOST_LOOKUPS: usize = 128;

/// Resolves names and lets through only addresses that policy allows.
struct GuardedResolver {
    policy: Arc<Policy>,
    lookups: Arc<Semaphore>,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, lookups) = (Arc::clone(&self.policy), Arc::clone(&self.lookups));
        Box::pin(async move {
            let host = name.as_str().to_owned();
            // In a task of its own: its thread goes on when nobody waits for it any more, and counts until it ends.
            let looking = tokio::spawn({
                let host = host.clone();
                async move {
                    let _permit = lookups.acquire().await;
                    let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
                    Ok::<Vec<SocketAddr>, std::io::Error>(found.collect())
                }
            });
            let found = looking.await??;
            let allowed: Vec<SocketAddr> = found
                .iter()
                .copied()
                .filter(|a| policy.allows(&host, a.ip()))
                .collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(Box::new(PolicyRefusal) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Every address of a name is refused.
#[derive(Debug, thiserror::Error)]
#[error("the address policy does not allow any address of this host")]
struct PolicyRefusal;

/// Turns what went wrong in a request into an error of core, telling refusal from failure.
#[must_use]
pub fn explain(url: &Url, error: reqwest::Error) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut deepest = String::new();
    while let Some(cause) = source {
        if cause.is::<PolicyRefusal>()
            || cause
                .downcast_ref::<Error>()
                .is_some_and(|e| matches!(e.kind(), ErrorKind::AddressRefused { .. }))
        {
            return refused(url);
        }
        deepest = cause.to_string();
        source = cause.source();
    }
    let uri = redacted(url);
    Error::new(
        ErrorKind::Upstream { uri: uri.clone() },
        format!("{uri} could not be read: {deepest}."),
    )
    .caused_by(error.without_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &Policy, url: &str) -> bool {
        policy.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn what_leads_into_the_host_is_refused_by_default() {
        let policy = Policy::default();
        for bad in [
            "file:///etc/shadow",
            "ftp://images.example/a.iso",
            "http://127.0.0.1/a.iso",
            "http://127.1/a.iso",
            "http://2130706433/a.iso",
            "http://0x7f.1/a.iso",
            "http://localhost/a.iso",
            "http://LOCALHOST./a.iso",
            "http://x.localhost/a.iso",
            "http://0.0.0.0/",
            "http://169.254.169.254/latest/meta-data",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://224.0.0.1/",
            "http://255.255.255.255/",
        ] {
            assert!(!check(&policy, bad), "{bad}");
        }
        for good in [
            "http://192.0.2.7/a.iso",
            "https://images.example/a.iso",
            "http://10.1.2.3/a.iso",
            "http://[2001:db8::1]/a.iso",
        ] {
            assert!(check(&policy, good), "{good}");
        }
    }

    #[test]
    fn the_operators_denial_wins_over_the_operators_allowance() {
        let policy = Policy {
            allow: vec!["127.0.0.0/8".parse().unwrap()],
            deny: vec!["127.0.0.2".parse().unwrap()],
        };
        assert!(check(&policy, "http://127.0.0.1/"));
        assert!(check(&policy, "http://localhost/"));
        assert!(!check(&policy, "http://127.0.0.2/"));
        assert!(!check(&policy, "http://[::1]/"));
    }

    #[tokio::test]
    async fn a_name_that_resolves_into_the_host_is_refused_when_it_is_connected_to() {
        let policy = Arc::new(Policy::default());
        let client = policy
            .client(&Tls {
                verify: true,
                authorities: vec![],
            })
            .unwrap();
        let poster = policy
            .poster(&Tls {
                verify: false,
                authorities: vec![],
            })
            .unwrap();
        let url = Url::parse("http://localhost:9/").unwrap();
        for client in [client, poster] {
            let error = explain(&url, client.get(url.clone()).send().await.unwrap_err());
            assert!(
                matches!(error.kind(), ErrorKind::AddressRefused { .. }),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        let url = Url::parse("http://user:secret@h.example/p/a.iso?token=secret#secret").unwrap();
        assert_eq!(redacted(&url), "http://h.example/p/a.iso");
    }
}
