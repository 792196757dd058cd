//! Parts that a test needs and may not find.

use std::io::Write as _;
use std::path::PathBuf;

/// A variable of the environment that names a part. Without it the caller must return: the test is skipped, aloud.
///
/// # Panics
/// Where nothing may be missing.
pub fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(name);
    }
    value
}

/// The Python with other people's clients and programs in it.
///
/// # Panics
/// Where nothing may be missing.
pub fn python() -> Option<PathBuf> {
    variable("HAWKFISH_TEST_PYTHON").map(PathBuf::from)
}

/// A browser: Debian's Chromium, or one that takes the same flags.
///
/// # Panics
/// Where nothing may be missing.
pub fn browser() -> Option<PathBuf> {
    if let Some(browser) = std::env::var_os("HAWKFISH_TEST_BROWSER") {
        return Some(browser.into());
    }
    let usual = PathBuf::from("/usr/bin/chromium");
    if usual.exists() {
        return Some(usual);
    }
    skip("HAWKFISH_TEST_BROWSER, or /usr/bin/chromium,");
    None
}

/// The folder with captures of real BMCs, `hpe.tar.xz` and `dell.tar.xz`. They are not ours to carry along, so that it is said aloud but never a fault
/// where they are missing.
pub fn captures() -> Option<PathBuf> {
    not_ours("HAWKFISH_CAPTURES_DIR")
}

/// The folder with DMTF's tarballs. They are not ours to carry along either.
pub fn dmtf() -> Option<PathBuf> {
    not_ours("HAWKFISH_DMTF_DIR")
}

fn not_ours(name: &str) -> Option<PathBuf> {
    let dir = std::env::var_os(name).filter(|dir| !dir.is_empty());
    if dir.is_none() {
        say_skipped(name);
    }
    dir.map(PathBuf::from)
}

/// Says aloud that a test is skipped.
///
/// # Panics
/// Where nothing may be missing.
pub fn skip(missing: &str) {
    assert!(
        std::env::var_os("HAWKFISH_TEST_REQUIRE").is_none_or(|value| value != "1"),
        "{missing} is missing"
    );
    say_skipped(missing);
}

/// Says aloud that a test is skipped, also where nothing may be missing.
pub fn say_skipped(missing: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED {test}: {missing} is missing");
    if let Some(file) = std::env::var_os("HAWKFISH_TEST_SKIPS") {
        let skips = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file);
        // Where even that cannot be written, it has been said aloud.
        let _ = skips.and_then(|mut skips| writeln!(skips, "{test}: {missing}"));
    }
}
