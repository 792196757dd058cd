//! Every setting, once.

/// A setting.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its flag without the dashes, and its key in the file. In the environment `data-dir` is `HF_DATA_DIR`.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// Whether it can be given several times; in the environment separated by commas, in the file as an array.
    pub repeatable: bool,
    /// What it is for.
    pub help: &'static str,
}

const fn one(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key {
        name,
        value,
        repeatable: false,
        help,
    }
}

const fn many(name: &'static str, value: &'static str, help: &'static str) -> Key {
    Key {
        name,
        value,
        repeatable: true,
        help,
    }
}

/// Every setting.
pub const KEYS: &[Key] = &[
    one("config", "FILE", "TOML file with any of these settings"),
    one(
        "listen",
        "ADDRESS:PORT",
        "Where to listen [default: 127.0.0.1:8443]",
    ),
    one(
        "data-dir",
        "FOLDER",
        "Where database, certificate and images are kept [default: $XDG_STATE_HOME/hawkfish or ~/.local/state/hawkfish]",
    ),
    one(
        "backend",
        "auto|libvirt|sim",
        "What runs the machines; auto is libvirt when it answers, else simulated ones [default: auto]",
    ),
    many(
        "libvirt-uri",
        "URI",
        "A libvirt to manage [default: qemu:///system]",
    ),
    one(
        "sample-interval",
        "SECONDS",
        "Time between two samples of what machines of a libvirt use [default: 10]",
    ),
    one(
        "sim-systems",
        "N",
        "How many machines to simulate [default: 4]",
    ),
    one(
        "seed",
        "N",
        "What simulated machines are made from [default: 1]",
    ),
    one(
        "tls",
        "self-signed|off|CERT:KEY",
        "Encryption: with a certificate of its own, none, or with these PEM files [default: self-signed]",
    ),
    one(
        "admin-password",
        "PASSWORD",
        "Password of the first account, admin, when it is made; else one is made up and printed once. Rather set it in the environment than as a flag",
    ),
    one(
        "admin-reset",
        "yes|no",
        "Give the account admin the password set above, all rights, and unlock it, for who is locked out [default: no]",
    ),
    many(
        "media-dir",
        "FOLDER",
        "A folder whose images may be inserted by file: URL",
    ),
    many(
        "media-allow",
        "NETWORK|HOST",
        "Fetch images from there although it is a loopback, link-local or otherwise refused address",
    ),
    many(
        "media-deny",
        "NETWORK|HOST",
        "Never fetch images from there",
    ),
    many(
        "media-ca",
        "FILE",
        "PEM certificates of authorities to trust when fetching images",
    ),
    one(
        "media-max-size",
        "SIZE",
        "Largest image, such as 700M or 32G [default: 32G]",
    ),
    one(
        "image-store-size",
        "SIZE",
        "Most bytes of the images that clients push to be booted, together [default: 64G]",
    ),
    one(
        "update-max-size",
        "SIZE",
        "Largest firmware image [default: 64M]",
    ),
    one(
        "storage-pool",
        "NAME",
        "The storage pool of libvirt in which volumes are made [default: default]",
    ),
    many(
        "cors-origin",
        "ORIGIN|*",
        "Let web pages of this origin, such as https://ui.example, talk to the service",
    ),
    one(
        "require-if-match",
        "yes|no",
        "Refuse a PATCH or DELETE that does not say by If-Match what it was made for [default: no]",
    ),
    one(
        "http-redirect",
        "ADDRESS:PORT",
        "Where to answer plain HTTP, too: with the way to https, and nothing else",
    ),
    many(
        "client-ca",
        "FILE",
        "PEM certificates of authorities whose certificates tell who a client is",
    ),
    one(
        "client-certificates",
        "optional|required",
        "Whether clients may do without one, where there is a client-ca [default: optional]",
    ),
    one(
        "client-name-in",
        "CommonName|UserPrincipalName",
        "What of a client's certificate is the user name [default: CommonName]",
    ),
    one(
        "ssdp",
        "yes|no",
        "Let clients on the network find the service by SSDP [default: no]",
    ),
    many(
        "event-allow",
        "NETWORK|HOST",
        "Send events there although it is a loopback, link-local or otherwise refused address",
    ),
    many("event-deny", "NETWORK|HOST", "Never send events there"),
    many(
        "event-ca",
        "FILE",
        "PEM certificates of authorities to trust when sending events to who is to be verified",
    ),
    one(
        "events-kept",
        "N",
        "How many events are kept for destinations that are behind [default: 100000]",
    ),
    one(
        "max-subscriptions",
        "N",
        "Most subscriptions to events [default: 1000]",
    ),
    one(
        "event-log-size",
        "N",
        "Most entries of the log of a system [default: 500]",
    ),
    one(
        "audit-log-size",
        "N",
        "Most entries of the audit log [default: 2000]",
    ),
    one(
        "full-log",
        "wrap|stop",
        "What a full log does: let go of its oldest entry, or take in nothing until it is cleared [default: wrap]",
    ),
    one(
        "max-connections",
        "N",
        "Most connections at a time [default: 1024]",
    ),
    one(
        "request-timeout",
        "SECONDS",
        "Longest time for a request [default: 60]",
    ),
    one(
        "log",
        "FILTER",
        "What to log, such as info or hawkfish_server=debug,info [default: info]",
    ),
    one("log-format", "text|json", "How to log [default: text]"),
];
