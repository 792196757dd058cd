//! The first lines printed: what is served, by what and why, and a line to try it with.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use hawkfish_core::accounts::FirstAdmin;

use crate::assemble::Machines;

/// What there is to tell.
#[derive(Clone, Copy, Debug)]
pub struct Banner<'a> {
    /// Where the service listens.
    pub listen: SocketAddr,
    /// The certificate to pin, where the service is encrypted.
    pub certificate: Option<&'a Path>,
    /// What runs the machines.
    pub machines: &'a Machines,
    /// What became of the first account.
    pub admin: &'a FirstAdmin,
    /// Where things are kept.
    pub data_dir: &'a Path,
}

impl Banner<'_> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let base = self.base();
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(
            out,
            "HawkFish {version} serves Redfish at {base}/redfish/v1/"
        );
        for (index, line) in self.machines().iter().enumerate() {
            let label = if index == 0 { "machines" } else { "" };
            let _ = writeln!(out, "  {label:<10} {line}");
        }
        let _ = writeln!(out, "  {:<10} {}", "data", self.data_dir.display());
        let password = match self.admin {
            FirstAdmin::Made {
                generated: Some(password),
            } => {
                let _ = writeln!(
                    out,
                    "  {:<10} user admin, password {password} (made now; it is shown only this once)",
                    "account"
                );
                Some(password)
            }
            _ => None,
        };
        if self.certificate.is_none() {
            let _ = writeln!(
                out,
                "  {:<10} nothing is encrypted; passwords and tokens can be read on the way",
                "warning"
            );
        }
        let certificate = self.certificate.map_or(String::new(), |path| {
            format!("--cacert {} ", quoted(&path.display().to_string()))
        });
        // Without a password curl asks for it.
        let password = password.map_or(String::new(), |password| format!(":{password}"));
        let _ = writeln!(
            out,
            "  {:<10} curl {certificate}-u admin{password} {base}/redfish/v1/Systems",
            "try"
        );
        out
    }

    /// Scheme, host and port to reach the service at from this machine.
    #[must_use]
    pub fn base(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let ip = match self.listen.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        format!("{scheme}://{}", SocketAddr::new(ip, self.listen.port()))
    }

    /// What runs the machines, in lines.
    #[must_use]
    pub fn machines(&self) -> Vec<String> {
        match self.machines {
            Machines::Simulated {
                count,
                seed,
                because,
            } => {
                let mut lines = vec![format!("{count} simulated, seed {seed}")];
                if let Some(because) = because {
                    lines.push(because.clone());
                    lines.push(ADVICE.to_owned());
                }
                lines
            }
            Machines::Libvirt(hosts) => {
                let mut lines: Vec<String> = hosts
                    .iter()
                    .map(|(uri, reason)| match reason {
                        None => format!("of libvirt at {uri}"),
                        Some(reason) => {
                            format!("of libvirt at {uri}, which does not answer yet: {reason}")
                        }
                    })
                    .collect();
                if hosts.iter().any(|(_, reason)| reason.is_some()) {
                    lines.push(ADVICE.to_owned());
                }
                lines
            }
        }
    }
}

const ADVICE: &str = "to manage real machines: start libvirtd (systemctl start libvirtd), let this user in (adduser $USER libvirt, then log in again), or name another with --libvirt-uri";

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_served_and_how_to_try_it() {
        let machines = Machines::Simulated {
            count: 4,
            seed: 9,
            because: Some("libvirt does not answer at qemu:///system: no socket".into()),
        };
        let admin = FirstAdmin::Made {
            generated: Some("s3cret".into()),
        };
        let banner = Banner {
            listen: "0.0.0.0:8443".parse().unwrap(),
            certificate: Some(Path::new("/data/it's/c.pem")),
            machines: &machines,
            admin: &admin,
            data_dir: Path::new("/data"),
        };
        let text = banner.text();
        assert!(
            text.contains("serves Redfish at https://127.0.0.1:8443/redfish/v1/"),
            "{text}"
        );
        assert!(
            text.contains("4 simulated, seed 9") && text.contains("--libvirt-uri"),
            "{text}"
        );
        assert!(
            text.contains(r"curl --cacert '/data/it'\''s/c.pem' -u admin:s3cret https://127.0.0.1:8443/redfish/v1/Systems"),
            "{text}"
        );
    }

    #[test]
    fn a_password_that_was_given_is_not_shown() {
        let machines = Machines::Libvirt(vec![("qemu:///system".into(), None)]);
        let admin = FirstAdmin::Made { generated: None };
        let banner = Banner {
            listen: "[::1]:80".parse().unwrap(),
            certificate: None,
            machines: &machines,
            admin: &admin,
            data_dir: Path::new("/data"),
        };
        let text = banner.text();
        assert!(
            text.contains("curl -u admin http://[::1]:80/redfish/v1/Systems"),
            "{text}"
        );
        assert!(text.contains("nothing is encrypted"), "{text}");
    }
}
