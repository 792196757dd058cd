//! The keys of secure boot that simulated machines are delivered with: the certificates of their maker, and some programs that are known to be good or bad.
//!
//! All of it follows from the name of the make. Nothing here signs anything: what stands for keys and signatures are digests.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::profile::Profile;
use crate::backend::{Key, KeyKind, Keys};

/// The keys of machines of this make.
pub(super) fn delivered(profile: &Profile) -> Keys {
    let certificate = |name: &str| {
        vec![Key {
            kind: KeyKind::X509,
            owner: owner(profile, "maker"),
            data: certificate(profile, name).into(),
        }]
    };
    let programs = |name: &str, count: u8| -> Vec<Key> {
        let each = (1..=count).map(|part| Key {
            kind: KeyKind::Sha256,
            owner: owner(profile, "maker"),
            data: digest(profile, name, part).into(),
        });
        each.collect()
    };
    Keys {
        databases: BTreeMap::from([
            ("PK".to_owned(), certificate("Platform Key")),
            ("KEK".to_owned(), certificate("Key Exchange Key")),
            (
                "db".to_owned(),
                [certificate("Operating Systems"), programs("good", 3)].concat(),
            ),
            ("dbx".to_owned(), programs("bad", 6)),
        ]),
    }
}

fn digest(profile: &Profile, name: &str, part: u8) -> [u8; 32] {
    Sha256::digest(format!("{}/{name}/{part}", profile.product)).into()
}

fn owner(profile: &Profile, name: &str) -> Uuid {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = digest(profile, name, 0);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A certificate in DER (RFC 5280) that its own subject has issued, for a key of Ed25519 (RFC 8410).
fn certificate(profile: &Profile, name: &str) -> Vec<u8> {
    const SEQUENCE: u8 = 0x30;
    let algorithm = || der(SEQUENCE, &[&der(0x06, &[&[0x2b, 0x65, 0x70]])]);
    let named = |oid: u8, text: &str| {
        let pair = der(
            SEQUENCE,
            &[
                &der(0x06, &[&[0x55, 0x04, oid]]),
                &der(0x0c, &[text.as_bytes()]),
            ],
        );
        der(0x31, &[&pair])
    };
    let subject = || {
        let common_name = format!("{} {name}", profile.product);
        let organization = named(0x0a, &profile.manufacturer);
        der(SEQUENCE, &[&organization, &named(0x03, &common_name)])
    };
    let [key, first, second] = [1, 2, 3].map(|part| digest(profile, name, part));
    let mut serial = digest(profile, name, 4);
    // A positive number without a leading zero.
    serial[0] = serial[0] & 0x7f | 0x40;
    let times = [b"200101000000Z", b"491231235959Z"].map(|time| der(0x17, &[time]));
    let bits = |bits: &[&[u8]]| {
        let whole: &[u8] = &[0];
        der(0x03, &[&[whole], bits].concat())
    };
    let body = der(
        SEQUENCE,
        &[
            &der(0xa0, &[&der(0x02, &[&[2]])]),
            &der(0x02, &[&serial[..16]]),
            &algorithm(),
            &subject(),
            &der(SEQUENCE, &[&times[0], &times[1]]),
            &subject(),
            &der(SEQUENCE, &[&algorithm(), &bits(&[&key])]),
        ],
    );
    der(SEQUENCE, &[&body, &algorithm(), &bits(&[&first, &second])])
}

/// A value with its tag and its length (X.690).
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => out.push(short),
        Ok(byte) => out.extend([0x81, byte]),
        Err(_) => {
            out.push(0x82);
            out.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    out.extend(parts.concat());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificates::Facts;

    #[test]
    fn the_certificates_of_a_make_are_certificates_and_no_two_are_the_same() {
        let mut seen = Vec::new();
        for profile in Profile::all() {
            let keys = delivered(&profile);
            assert_eq!(keys, delivered(&profile));
            for key in keys.databases.values().flatten() {
                assert!(!seen.contains(&key.data));
                seen.push(key.data.clone());
            }
            let facts = Facts::of(&keys.databases["PK"][0].data).unwrap();
            assert_eq!(facts.subject.text, facts.issuer.text);
            let name = format!("{} Platform Key", profile.product);
            assert_eq!(facts.subject.common_names, [name]);
            assert_eq!(facts.subject.organization.as_deref(), Some("HawkFish"));
        }
    }
}
