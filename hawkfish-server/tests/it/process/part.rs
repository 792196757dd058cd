//! Parts from outside that a test needs.

use std::io::Write as _;
use std::path::PathBuf;

/// A variable of the environment that names a part. Without it the caller must return: the test is skipped, aloud.
pub(crate) fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        skip(name);
    }
    value
}

/// The Python with the clients in it.
pub(crate) fn python() -> Option<PathBuf> {
    variable("HAWKFISH_TEST_PYTHON").map(PathBuf::from)
}

/// A browser: Debian's Chromium, or one that takes the same flags.
pub(crate) fn browser() -> Option<PathBuf> {
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

/// Says aloud that a test is skipped, or fails where nothing may be missing.
pub(crate) fn skip(missing: &str) {
    assert!(
        std::env::var_os("HAWKFISH_TEST_REQUIRE").is_none_or(|value| value != "1"),
        "{missing} is missing"
    );
    say_skipped(missing);
}

/// Says aloud that a test is skipped.
pub(crate) fn say_skipped(missing: &str) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("SKIPPED {test}: {missing} is missing");
    if let Some(file) = std::env::var_os("HAWKFISH_TEST_SKIPS") {
        let skips = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(file);
        let _ = skips.and_then(|mut skips| writeln!(skips, "{test}: {missing}"));
    }
}
