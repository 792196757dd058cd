//! Connections.

use super::{ALL, Preset, of_every_get, rule, sometimes};
use crate::fault::{Certificate, Connection, Damage, Framing, HangUp, Headers, Rule, Then};

pub(super) const PRESETS: &[Preset] = &[
    Preset {
        name: "cut-off",
        about: "One GET in five breaks off in the middle of its body.",
        make: || vec![sometimes("cut-off", Then::Damage(Damage::CutOff), 0.2)],
    },
    Preset {
        name: "drops-connections",
        about: "One GET in five finds its connection closed.",
        make: || {
            let closed = Then::HangUp(HangUp::Before);
            vec![sometimes("drops-connections", closed, 0.2)]
        },
    },
    Preset {
        name: "resets-connections",
        about: "Every third connection is reset as soon as it is there.",
        make: || every_third("resets-connections", Connection::Reset),
    },
    Preset {
        name: "silent-connections",
        about: "Every third connection is taken, and nothing is ever said on it, as of a web server that hangs.",
        make: || every_third("silent-connections", Connection::Silent),
    },
    Preset {
        name: "tls-stalls",
        about: "Every third handshake of TLS stops after the server's first bytes.",
        make: || every_third("tls-stalls", Connection::StallsInHandshake),
    },
    Preset {
        name: "certificate-expired",
        about: "The certificate has ended, as those do that nobody renews.",
        make: || shown("certificate-expired", Certificate::Expired),
    },
    Preset {
        name: "certificate-not-yet-valid",
        about: "The certificate begins tomorrow, as one made by a clock that is ahead.",
        make: || shown("certificate-not-yet-valid", Certificate::NotYetValid),
    },
    Preset {
        name: "certificate-of-another-name",
        about: "The certificate is for another name, as where a BMC was given a new address.",
        make: || shown("certificate-of-another-name", Certificate::AnotherName),
    },
    Preset {
        name: "certificate-of-unknown-issuer",
        about: "The certificate is of an authority that nobody knows, as of BMCs fresh from the factory.",
        make: || shown("certificate-of-unknown-issuer", Certificate::UnknownIssuer),
    },
    Preset {
        name: "closes-after-each-answer",
        about: "Each answer says Connection: close, and that is done.",
        make: || {
            let set = [("connection".to_owned(), "close".to_owned())];
            let close = Then::Headers(Headers {
                set: set.into(),
                ..Headers::default()
            });
            vec![rule("closes-after-each-answer", close, ALL, &[])]
        },
    },
    Preset {
        name: "http-1.0",
        about: "Answers are those of HTTP/1.0: without a length, and over when the connection is closed.",
        make: || of_every_get("http-1.0", Then::Framing(Framing::Http10)),
    },
    Preset {
        name: "chunks-too-short",
        about: "One GET in five is answered in chunks, of which the last is shorter than it says, and the connection ends.",
        make: || {
            let chunks = Then::Framing(Framing::ChunkTooShort);
            vec![sometimes("chunks-too-short", chunks, 0.2)]
        },
    },
    Preset {
        name: "length-too-short",
        about: "One GET in five says half the length that its body has.",
        make: || {
            let half = Then::Framing(Framing::LengthTooShort);
            vec![sometimes("length-too-short", half, 0.2)]
        },
    },
];

fn every_third(name: &str, connection: Connection) -> Vec<Rule> {
    let mut third = Rule::new(name, Then::Connection(connection));
    (third.when.calls.first, third.when.calls.every) = (3, 3);
    vec![third]
}

fn shown(name: &str, certificate: Certificate) -> Vec<Rule> {
    vec![Rule::new(name, Then::Certificate(certificate))]
}
