//! Where a URI lies on disk, and what URI a path stands for. No part of a path is ever taken from a URI unchecked.

use super::MANIFEST;

/// Names that mean something in a folder of a document.
const TAKEN: &[&str] = &[
    "index.json",
    "index.xml",
    "index.html",
    "index.txt",
    "index.bin",
    "headers.json",
    "time.json",
    MANIFEST,
];

/// Most bytes of a name in a folder; file systems have 255.
const MOST_NAME: usize = 200;

/// A URI as the key of a document: without fragment, without a slash at its end.
#[must_use]
pub fn plain_uri(uri: &str) -> String {
    let uri = uri.split_once('#').map_or(uri, |(before, _)| before);
    match uri.split_once('?') {
        Some((path, query)) => format!("{}?{query}", path.trim_end_matches('/')),
        None => uri.trim_end_matches('/').to_owned(),
    }
}

/// The key of what a link leads to, where it stays on the same service: a path that begins with one slash.
#[must_use]
pub fn follows_to(link: &str) -> Option<String> {
    let is_path = link.starts_with('/') && !link.starts_with("//");
    let is_clean = !link.bytes().any(|byte| byte <= b' ' || byte == b'\\');
    let steps_up = link
        .split(['/', '?', '#'])
        .any(|part| part == ".." || part == ".");
    (is_path && is_clean && !steps_up).then(|| plain_uri(link))
}

/// The folders of a URI, and whether they say it: where not, the manifest has to.
pub(super) fn folders(uri: &str) -> (Vec<String>, bool) {
    let path = uri.trim_start_matches('/');
    let mut is_said = uri.len() == path.len() + 1;
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut folders: Vec<String> = Vec::new();
    for part in path.split('/') {
        let (name, same) = safe(part);
        is_said &= same;
        folders.push(name);
    }
    if let Some(query) = query {
        folders.push(safe(&format!("?{query}")).0);
        is_said = false;
    }
    (folders, is_said)
}

/// A name that is safe in any folder, and whether it is the part itself.
fn safe(part: &str) -> (String, bool) {
    let mut name = String::with_capacity(part.len());
    for byte in part.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => name.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'~' | b'$' | b':' | b'@' | b'+' | b',' | b'=' | b'(' | b')'
            | b'%' | b'!' | b';' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.chars().all(|letter| letter == '.') || TAKEN.contains(&name.as_str()) {
        name = name.replace('.', "%2E");
    }
    if name.is_empty() {
        name = "%".to_owned();
    }
    if name.len() > MOST_NAME {
        let mark = mark(part);
        name.truncate(MOST_NAME - 17);
        name.push_str(&format!("~{mark:016x}"));
    }
    let same = name == part;
    (name, same)
}

/// A number that tells long names apart (FNV-1a).
fn mark(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The media type that the name of a file says.
pub(super) fn type_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("html" | "htm") => "text/html",
        Some("txt") => "text/plain",
        _ => "application/octet-stream",
    }
}

/// The file for bytes of a media type.
pub(super) fn file_for(content_type: &str) -> &'static str {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    match kind {
        "application/json" => "index.json",
        "application/xml" | "text/xml" => "index.xml",
        "text/html" => "index.html",
        "text/plain" => "index.txt",
        _ => "index.bin",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_lies_where_the_mockup_creator_puts_it() {
        let (folders, is_said) = folders("/redfish/v1/Chassis/1/Drives/Disk.Bay.0:Enclosure.0-1");
        assert!(is_said);
        assert_eq!(
            folders.join("/"),
            "redfish/v1/Chassis/1/Drives/Disk.Bay.0:Enclosure.0-1"
        );
    }

    #[test]
    fn no_uri_leads_out_of_the_folder() {
        for uri in [
            "/redfish/../../etc/passwd",
            "/redfish/v1/./x",
            "/redfish/v1/a\\b",
            "/redfish/v1//x",
            "/redfish/v1/index.json",
            "/redfish/v1/x?$skip=../../2",
            "/redfish/v1/a\0b",
            "/capture.json",
        ] {
            let (folders, is_said) = folders(uri);
            assert!(!is_said, "{uri}");
            for folder in folders {
                assert!(
                    !folder.is_empty()
                        && !folder.contains(['/', '\\', '\0', '?'])
                        && folder.chars().any(|letter| letter != '.')
                        && !TAKEN.contains(&folder.as_str()),
                    "{uri}: {folder}"
                );
            }
        }
        let long = format!("/redfish/v1/{}", "x".repeat(5000));
        let (folders, is_said) = folders(&long);
        assert!(!is_said && folders.iter().all(|folder| folder.len() <= MOST_NAME));
    }

    #[test]
    fn links_that_leave_the_service_are_not_followed() {
        assert_eq!(
            follows_to("/redfish/v1/A/#/B/0").as_deref(),
            Some("/redfish/v1/A")
        );
        assert_eq!(
            follows_to("/redfish/v1/A?$skip=2").as_deref(),
            Some("/redfish/v1/A?$skip=2")
        );
        for link in [
            "//evil.example/x",
            "https://evil.example/",
            "/a/../b",
            "a/b",
            "",
            "/a b",
        ] {
            assert_eq!(follows_to(link), None, "{link}");
        }
    }
}
