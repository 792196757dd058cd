//! The keys of secure boot in a file of UEFI variables, as EDK II lays it out: a firmware volume (PI specification, volume 3), in it a store of authenticated
//! variables (`MdeModulePkg/Include/Guid/VariableFormat.h`), in some of these lists of signatures (UEFI specification, "Signature Database").
//!
//! Only what is whole is read: what does not look as it should ends the reading, and no length is trusted.

use uuid::{Uuid, uuid};

use crate::backend::{Key, KeyKind, Keys};

const AUTHENTICATED: Uuid = uuid!("aaf32c78-947b-439a-a180-2e144ec37792");
const GLOBAL: Uuid = uuid!("8be4df61-93ca-11d2-aa0d-00e098032b8c");
const IMAGE_SECURITY: Uuid = uuid!("d719b2cb-3d3a-4596-a3bc-dad00e67656f");
const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
const RSA2048: Uuid = uuid!("3c5766e8-269c-4e34-aa14-ed776e85b3b6");

/// A variable that was written whole and not deleted since.
const ADDED: u8 = 0x3f;
/// Length of the header of a variable, of that of a store, and of an entry of a signature list before its data.
const VARIABLE: usize = 60;
const STORE: usize = 28;
const OWNER: usize = 16;

fn bytes<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn number(data: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes(data, at)?)).ok()
}

fn guid(data: &[u8], at: usize) -> Option<Uuid> {
    Some(Uuid::from_bytes_le(bytes(data, at)?))
}

/// The databases in a file of variables; `None` if it is none.
pub(super) fn keys(file: &[u8]) -> Option<Keys> {
    let is_volume = file.get(40..44)? == b"_FVH";
    let begin = usize::from(u16::from_le_bytes(bytes(file, 48)?));
    if !is_volume || guid(file, begin)? != AUTHENTICATED {
        return None;
    }
    let size = number(file, begin + 16)?;
    let store = file.get(begin..begin.checked_add(size)?)?;
    let mut keys = Keys::default();
    let mut at = STORE;
    while let Some(next) = variable(store, at, &mut keys) {
        at = next;
    }
    Some(keys)
}

/// Reads a variable, and returns where the next one begins.
fn variable(store: &[u8], at: usize, keys: &mut Keys) -> Option<usize> {
    if store.get(at..at + 2)? != [0xaa, 0x55] {
        return None;
    }
    let state = *store.get(at + 2)?;
    let (name_size, data_size) = (number(store, at + 36)?, number(store, at + 40)?);
    let vendor = guid(store, at + 44)?;
    let name_at = at + VARIABLE;
    let data_at = name_at.checked_add(name_size)?;
    let end = data_at.checked_add(data_size)?;
    let name = store.get(name_at..data_at)?;
    let data = store.get(data_at..end)?;
    let units = name
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let name: String = char::decode_utf16(units)
        .filter_map(Result::ok)
        .take_while(|c| *c != '\0')
        .collect();
    let is_database = match name.as_str() {
        "PK" | "KEK" | "PKDefault" | "KEKDefault" | "dbDefault" | "dbxDefault" => vendor == GLOBAL,
        "db" | "dbx" => vendor == IMAGE_SECURITY,
        _ => false,
    };
    if state == ADDED && is_database {
        keys.databases.insert(name, signatures(data));
    }
    // Each begins at a multiple of four.
    Some(end.checked_add(3)? & !3)
}

fn signatures(mut lists: &[u8]) -> Vec<Key> {
    let mut all = Vec::new();
    while let Some((list, rest)) = split(lists) {
        all.extend(list);
        lists = rest;
    }
    all
}

/// The first of some signature lists, and the others.
fn split(lists: &[u8]) -> Option<(Vec<Key>, &[u8])> {
    let kind = match guid(lists, 0)? {
        X509 => KeyKind::X509,
        SHA256 => KeyKind::Sha256,
        RSA2048 => KeyKind::Rsa2048,
        other => KeyKind::Other(other),
    };
    let (size, header, each) = (number(lists, 16)?, number(lists, 20)?, number(lists, 24)?);
    let from = header.checked_add(28)?;
    if each <= OWNER || size < from {
        return None;
    }
    let entries = lists.get(from..size)?.chunks_exact(each);
    let keys = entries.map(|entry| Key {
        kind,
        owner: guid(entry, 0).unwrap_or_default(),
        data: entry[OWNER..].into(),
    });
    Some((keys.collect(), lists.get(size..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(kind: Uuid, data: &[&[u8]]) -> Vec<u8> {
        let each = OWNER + data[0].len();
        let size = 28 + each * data.len();
        let mut out = kind.to_bytes_le().to_vec();
        for number in [size, 0, each] {
            out.extend((number as u32).to_le_bytes());
        }
        for data in data {
            out.extend(GLOBAL.to_bytes_le());
            out.extend(*data);
        }
        out
    }

    fn written(name: &str, vendor: Uuid, state: u8, data: &[u8]) -> Vec<u8> {
        let name: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let mut out = vec![0xaa, 0x55, state, 0];
        out.resize(36, 0);
        out.extend((name.len() as u32).to_le_bytes());
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(vendor.to_bytes_le());
        out.extend(name);
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0xff);
        out
    }

    fn file(variables: &[Vec<u8>]) -> Vec<u8> {
        let variables = variables.concat();
        let mut out = vec![0; 40];
        out.extend(b"_FVH");
        out.resize(48, 0);
        out.extend(72_u16.to_le_bytes());
        out.resize(72, 0);
        out.extend(AUTHENTICATED.to_bytes_le());
        out.extend(((STORE + variables.len() + 64) as u32).to_le_bytes());
        out.resize(72 + STORE, 0);
        out.extend(variables);
        out.resize(out.len() + 64, 0xff);
        out
    }

    #[test]
    fn databases_are_read_with_their_owners_and_what_was_deleted_is_not() {
        let hashes = [list(SHA256, &[&[1; 32], &[2; 32]]), list(X509, &[&[3; 10]])].concat();
        let file = file(&[
            written("PK", GLOBAL, ADDED, &list(X509, &[&[9; 7]])),
            written("db", IMAGE_SECURITY, 0x3c, &list(SHA256, &[&[7; 32]])),
            written("Boot0000", GLOBAL, ADDED, b"something else"),
            written("db", IMAGE_SECURITY, ADDED, &hashes),
            written("dbx", GLOBAL, ADDED, &hashes),
        ]);
        let keys = keys(&file).unwrap();
        assert_eq!(keys.databases.keys().collect::<Vec<_>>(), ["PK", "db"]);
        let db = &keys.databases["db"];
        let kinds: Vec<_> = db.iter().map(|key| (key.kind, key.data.len())).collect();
        assert_eq!(
            kinds,
            [
                (KeyKind::Sha256, 32),
                (KeyKind::Sha256, 32),
                (KeyKind::X509, 10)
            ]
        );
        assert_eq!((db[1].owner, db[1].data[0]), (GLOBAL, 2));
    }

    #[test]
    fn a_file_cut_anywhere_is_read_as_far_as_it_goes() {
        let whole = file(&[written("PK", GLOBAL, ADDED, &list(X509, &[&[9; 7]]))]);
        for length in 0..whole.len() {
            let _ = keys(&whole[..length]);
        }
        let mut spoiled = whole.clone();
        for at in 0..whole.len() {
            spoiled[at] = !spoiled[at];
            let _ = keys(&spoiled);
            spoiled[at] = whole[at];
        }
        assert_eq!(keys(b"no such thing"), None);
    }

    #[test]
    fn the_variables_that_debian_enrolls_are_read() {
        let path = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";
        let Ok(file) = std::fs::read(path) else {
            eprintln!("SKIPPED: {path} is missing");
            return;
        };
        let keys = keys(&file).unwrap();
        for name in ["PK", "KEK", "db"] {
            let database = &keys.databases[name];
            assert!(!database.is_empty(), "{name}");
            for key in database {
                assert_eq!(key.kind, KeyKind::X509, "{name}");
                crate::certificates::Facts::of(&key.data).unwrap();
            }
        }
        assert!(
            keys.databases["dbx"]
                .iter()
                .all(|key| key.kind == KeyKind::Sha256)
        );
    }
}
