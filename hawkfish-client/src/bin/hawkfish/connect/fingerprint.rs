//! Fingerprints of certificates, as people copy them: with colons or without, in either case, perhaps with `SHA256:` before.

/// The 32 bytes.
pub(crate) fn parse(text: &str) -> Result<[u8; 32], String> {
    let wrong = || {
        "a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits, colons between them or not".to_owned()
    };
    let text = text.trim();
    let digits = match text.get(..7) {
        Some(kind) if kind.eq_ignore_ascii_case("sha256:") => &text[7..],
        _ => text,
    };
    let digits: Vec<u8> = digits.bytes().filter(|&byte| byte != b':').collect();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return Err(wrong());
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or_else(wrong);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).map_err(|_| wrong())?;
    }
    Ok(bytes)
}

/// As openssl shows it.
pub(crate) fn show(bytes: &[u8; 32]) -> String {
    bytes.map(|byte| format!("{byte:02X}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_shown_and_as_others_show_it() {
        let bytes = std::array::from_fn(|index| u8::try_from(index * 7).unwrap());
        assert_eq!(parse(&show(&bytes)), Ok(bytes));
        let plain = show(&bytes).replace(':', "").to_lowercase();
        assert_eq!(parse(&plain), Ok(bytes));
        assert_eq!(parse(&format!("sha256:{plain}")), Ok(bytes));
        assert!(parse("ab").is_err() && parse(&plain.replace('0', "g")).is_err());
    }
}
