//! Finds in a text what tells by its shape what it is.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Uuid([u8; 16]),
    /// Bytes in hexadecimal with colons or hyphens between: a MAC, a WWN, a DUID, a fingerprint.
    Octets(Vec<u8>),
    /// Four groups of four digits: a GUID of InfiniBand.
    Eui([u8; 8]),
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Email,
    /// An SSH key: algorithm and base64.
    SshKey,
    /// A block of PEM.
    Pem,
}

/// Shows all that is found, from left to right.
pub(super) fn scan(text: &str, mut show: impl FnMut(Range<usize>, Shape)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let is_begun = at > 0 && is_part(bytes[at - 1]);
        let found = match byte {
            b'-' if bytes[at..].starts_with(b"-----BEGIN ") => pem(text, at),
            b's' if !is_begun => ssh_key(text, at),
            b'@' => {
                if let Some(range) = email(bytes, at) {
                    let end = range.end;
                    show(range, Shape::Email);
                    at = end;
                    continue;
                }
                None
            }
            b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' if !is_begun => {
                ssh_key(text, at).or_else(|| number(text, at))
            }
            _ => None,
        };
        match found {
            Some((end, shape)) => {
                show(at..end, shape);
                at = end;
            }
            // Nothing begins within a run of digits and letters.
            None if is_part(byte) => {
                at += 1;
                while at < bytes.len() && is_part(bytes[at]) {
                    at += 1;
                }
            }
            None => at += 1,
        }
    }
}

/// What may stand neither before nor behind an address.
fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn is_end(bytes: &[u8], at: usize) -> bool {
    bytes.get(at).is_none_or(|byte| !is_part(*byte))
}

fn number(text: &str, at: usize) -> Option<(usize, Shape)> {
    let bytes = text.as_bytes();
    uuid(bytes, at)
        .or_else(|| octets(bytes, at))
        .or_else(|| eui(bytes, at))
        .or_else(|| v6(text, at))
        .or_else(|| v4(text, at))
}

fn uuid(bytes: &[u8], at: usize) -> Option<(usize, Shape)> {
    let part = bytes.get(at..at + 36)?;
    let mut value = [0; 16];
    let mut digits = 0;
    for (place, byte) in part.iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        value[digits / 2] = value[digits / 2] << 4 | hex(*byte)?;
        digits += 1;
    }
    is_end(bytes, at + 36).then_some((at + 36, Shape::Uuid(value)))
}

/// Six bytes or more, two digits each.
fn octets(bytes: &[u8], at: usize) -> Option<(usize, Shape)> {
    let between = *bytes.get(at + 2)?;
    if !matches!(between, b':' | b'-') {
        return None;
    }
    let mut value = Vec::new();
    let mut end = at;
    loop {
        let pair = (
            bytes.get(end).and_then(|b| hex(*b)),
            bytes.get(end + 1).and_then(|b| hex(*b)),
        );
        let (Some(high), Some(low)) = pair else {
            return None;
        };
        value.push(high << 4 | low);
        end += 2;
        if bytes.get(end) != Some(&between) {
            break;
        }
        // A colon may also end a sentence.
        if bytes.get(end + 1).is_none_or(|byte| hex(*byte).is_none()) {
            break;
        }
        end += 1;
    }
    let text = &bytes[at..end];
    // Numbers with hyphens between are more often dates.
    let is_date = between == b'-' && !text.iter().any(u8::is_ascii_alphabetic);
    (value.len() >= 6 && is_end(bytes, end) && !is_date).then_some((end, Shape::Octets(value)))
}

fn eui(bytes: &[u8], at: usize) -> Option<(usize, Shape)> {
    let part = bytes.get(at..at + 19)?;
    if at > 0 && bytes[at - 1] == b':' {
        return None;
    }
    let mut value = [0; 8];
    let mut digits = 0;
    for (place, byte) in part.iter().enumerate() {
        if matches!(place, 4 | 9 | 14) {
            if *byte != b':' {
                return None;
            }
            continue;
        }
        value[digits / 2] = value[digits / 2] << 4 | hex(*byte)?;
        digits += 1;
    }
    let end = at + 19;
    (is_end(bytes, end) && bytes.get(end) != Some(&b':')).then_some((end, Shape::Eui(value)))
}

fn v6(text: &str, at: usize) -> Option<(usize, Shape)> {
    let bytes = text.as_bytes();
    let mut end = at;
    let mut colons = 0;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b':' => colons += 1,
            b'.' => {}
            byte if hex(*byte).is_some() => {}
            _ => break,
        }
        end += 1;
        if end - at > 46 {
            return None;
        }
    }
    if colons < 2 || !is_end(bytes, end) {
        return None;
    }
    let mut part = &text[at..end];
    while !part.is_empty() {
        if let Ok(address) = part.parse::<Ipv6Addr>() {
            return Some((at + part.len(), Shape::V6(address)));
        }
        match part.as_bytes().last() {
            Some(b'.' | b':') => part = &part[..part.len() - 1],
            _ => return None,
        }
    }
    None
}

fn v4(text: &str, at: usize) -> Option<(usize, Shape)> {
    let bytes = text.as_bytes();
    // A part of something longer with dots, such as `1.3.6.1.4.1`.
    if at > 1 && bytes[at - 1] == b'.' && bytes[at - 2].is_ascii_digit() {
        return None;
    }
    let mut end = at;
    let mut dots = 0;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'0'..=b'9' => {}
            b'.' if bytes.get(end + 1).is_some_and(u8::is_ascii_digit) => dots += 1,
            _ => break,
        }
        end += 1;
    }
    if dots != 3 || !is_end(bytes, end) {
        return None;
    }
    let address = text[at..end].parse().ok()?;
    Some((end, Shape::V4(address)))
}

/// The range of an address around its `@`.
fn email(bytes: &[u8], sign: usize) -> Option<Range<usize>> {
    let local = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
    let mut start = sign;
    while start > 0 && local(bytes[start - 1]) {
        start -= 1;
    }
    let mut end = sign + 1;
    while end < bytes.len() && (bytes[end].is_ascii_alphanumeric() || b".-".contains(&bytes[end])) {
        end += 1;
    }
    while end > sign + 1 && b".-".contains(&bytes[end - 1]) {
        end -= 1;
    }
    let domain = &bytes[sign + 1..end];
    let top = domain.iter().rposition(|byte| *byte == b'.')?;
    let is_top = domain.len() - top > 2 && domain[top + 1..].iter().all(u8::is_ascii_alphabetic);
    // Annotations look the same: `Members@odata.count`.
    let is_annotation = domain.starts_with(b"odata.")
        || domain.starts_with(b"Redfish.")
        || domain.starts_with(b"Message.");
    (start < sign && is_top && !is_annotation).then_some(start..end)
}

fn ssh_key(text: &str, at: usize) -> Option<(usize, Shape)> {
    let rest = text.get(at..)?;
    let is_key = ["ssh-rsa ", "ssh-ed25519 ", "ssh-dss ", "ecdsa-sha2-nistp"]
        .iter()
        .any(|begin| rest.starts_with(begin));
    let (algorithm, rest) = is_key.then(|| rest.split_once(' ')).flatten()?;
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let length = rest.bytes().take_while(|byte| is_base64(byte)).count();
    let is_blob = rest.starts_with("AAAA") && length > 40;
    is_blob.then_some((at + algorithm.len() + 1 + length, Shape::SshKey))
}

fn pem(text: &str, at: usize) -> Option<(usize, Shape)> {
    let rest = &text[at..];
    let label = rest.strip_prefix("-----BEGIN ")?.split_once("-----")?.0;
    let end = format!("-----END {label}-----");
    let length = rest.find(&end)? + end.len();
    Some((at + length, Shape::Pem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, Shape)> {
        let mut all = Vec::new();
        scan(text, |range, shape| all.push((&text[range], shape)));
        all
    }

    #[test]
    fn shapes_are_found_in_the_middle_of_sentences() {
        for (text, part) in [
            ("NIC b0:7b:25:d6:51:82: link is up", "b0:7b:25:d6:51:82"),
            ("NIC e4:3d:1a:13:27:f0 up", "e4:3d:1a:13:27:f0"),
            ("NIC_B0-7B-25-D6-51-82.", "B0-7B-25-D6-51-82"),
            ("wwn 50:01:43:80:12:34:56:78!", "50:01:43:80:12:34:56:78"),
            ("from 192.168.1.20:443.", "192.168.1.20"),
            ("(fe80::5eed:8cff:fe34:c294)", "fe80::5eed:8cff:fe34:c294"),
            ("at 2001:db8::1.", "2001:db8::1"),
            ("guid=88e9:a4ff:ff80:9da2,", "88e9:a4ff:ff80:9da2"),
            (
                "urn:uuid:4c4c4544-0035-3410-8050-c6c04f314733/x",
                "4c4c4544-0035-3410-8050-c6c04f314733",
            ),
            ("mail to a.b+c@ops.corp.io.", "a.b+c@ops.corp.io"),
        ] {
            let all = found(text);
            assert_eq!(all.len(), 1, "{text}: {all:?}");
            assert_eq!(all[0].0, part, "{text}");
        }
    }

    #[test]
    fn what_looks_alike_is_left_alone() {
        for text in [
            "2024-06-11T05:14:46+00:00",
            "24-06-11-05-14-46",
            "Members@odata.count",
            "DCIM:CURRENT#314__C:Disk.Bay.0:Enclosure.Internal.0-1",
            "1.3.6.1.4.1.674.10892",
            "/redfish/v1/Chassis/1/Drives/0000:3b:00.0",
            "6.00.30.00",
            "DCIM:firmware:14E4:165F:1028:08FF",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
