//! The manual, in a real browser.

use std::process::Command;

use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::part;

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_builds_the_manual_from_what_this_service_alone_gives_it() {
    let Some(browser) = part::browser() else {
        return;
    };
    let server = Server::simulated(1, &[]);
    let page = format!("{}/redfish/v1/docs", server.url());
    let (scheme, rest) = page.split_once("://").unwrap();
    let password = PASSWORD.replace(' ', "%20");
    let done = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        // The certificate was made for this test.
        .args(["--ignore-certificate-errors", "--timeout=90000"])
        .args(["--virtual-time-budget=60000", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            server.folder().join("browser").display()
        ))
        .arg(format!("{scheme}://{USER}:{password}@{rest}"))
        .output()
        .expect("the browser starts");
    let shown = String::from_utf8_lossy(&done.stdout);
    for set in [
        "Systems",
        "Chassis",
        "Managers",
        "AccountService",
        "UpdateService",
    ] {
        let section = format!("data-tag=\"{set}\"");
        assert!(
            shown.contains(&section),
            "{set}: {shown}\n{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    assert!(!shown.contains("errors-wrapper"), "{shown}");
}
