//! Redfish names as Rust names.

/// Words that a plain splitting at capitals would tear apart.
const WORDS: &[(&str, &str)] = &[
    ("HawkFish", "Hawkfish"),
    ("GiB", "Gib"),
    ("MiB", "Mib"),
    ("KiB", "Kib"),
    ("PCIe", "Pcie"),
    ("NVMe", "Nvme"),
    ("IPv4", "Ipv4"),
    ("IPv6", "Ipv6"),
    ("URIs", "Uris"),
    ("OAuth", "Oauth"),
    ("TACACSplus", "Tacacsplus"),
];

/// `BootSourceOverrideTarget` → `boot_source_override_target`, `HTTPBasicAuth` → `http_basic_auth`.
pub(crate) fn snake(name: &str) -> String {
    let mut name = name.to_owned();
    for (from, to) in WORDS {
        name = name.replace(from, to);
    }
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if c.is_ascii_uppercase() && at > 0 {
            let after_lower = !chars[at - 1].is_ascii_uppercase() && chars[at - 1] != '_';
            let before_lower = chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
            if after_lower || (before_lower && chars[at - 1] != '_') {
                out.push('_');
            }
        }
        out.push(if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        });
    }
    out
}

/// A field name, escaped where Rust has a meaning of its own for it.
pub(crate) fn field(name: &str) -> String {
    let snake = snake(name);
    match snake.as_str() {
        "type" | "mod" | "ref" | "match" | "move" | "use" | "in" | "loop" | "where" | "static" => {
            format!("r#{snake}")
        }
        "self" | "super" | "crate" => format!("{snake}_"),
        _ => snake,
    }
}

/// A variant name.
pub(crate) fn variant(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    if out == "Self" {
        out.push('_');
    }
    out
}
