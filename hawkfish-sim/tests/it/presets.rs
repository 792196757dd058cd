//! Every fault that has a name, as a client of others sees it on a socket: and that the client sees something else where the fault is not.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use hawkfish_sim::fault::{Delay, PRESETS, Rule, Then, preset};
use hawkfish_sim::{PASSWORD, USER, World};
use jiff::SignedDuration;
use serde_json::{Value, json};

use hawkfish_testing::part;

/// A preset, and what a client sees with it.
struct Proof {
    preset: &'static str,
    /// What the client says where nothing is wrong, JSON.
    well: &'static str,
    /// What it says with the preset, JSON.
    ill: &'static str,
    /// How fast time goes by itself.
    speed: f64,
    tls: bool,
}

const fn proof(preset: &'static str, well: &'static str, ill: &'static str) -> Proof {
    Proof {
        preset,
        well,
        ill,
        speed: 0.0,
        tls: false,
    }
}

impl Proof {
    const fn at_speed(self, speed: f64) -> Self {
        Self { speed, ..self }
    }

    const fn by_tls(self) -> Self {
        Self { tls: true, ..self }
    }
}

const AUTH: &[Proof] = &[
    proof("session-table-full", r#""session""#, r#""basic""#),
    proof("sessions-leak", "0", "1"),
    proof("session-expires-early", "[200, 200]", "[200, 401]"),
    proof(
        "login-works-the-second-time",
        r#"["None", "None", "None"]"#,
        r#"["InvalidCredentialsError", "None", "InvalidCredentialsError"]"#,
    ),
    proof(
        "unauthorized-now-and-then",
        "[200, 200, 200, 200, 200, 200]",
        "[200, 200, 200, 200, 401, 200]",
    ),
];

const OVERLOAD: &[Proof] = &[
    proof(
        "busy-now-and-then",
        r#"["(200, None)"]"#,
        r#"["(200, None)", "(503, '2')"]"#,
    ),
    proof("overloaded", "[200]", "[200, 503]").at_speed(1.0),
    proof("slow", "200", r#""ReadTimeout""#).at_speed(1.0),
    proof(
        "slow-first-inventory",
        "[200, 200]",
        r#"["ReadTimeout", 200]"#,
    )
    .at_speed(10.0),
    proof("slow-tail", "[false, false]", "[true, true]"),
    proof(
        "rate-limited",
        "[[[200, null], [200, null], [200, null]], 200]",
        r#"[[[200, null], [429, "1"], [429, "1"]], 200]"#,
    ),
    proof(
        "rate-limited-with-a-date",
        "[[200, null], [200, null], [200, null]]",
        r#"[[200, null], [429, "Thu, 01 Jan 2026 00:00:30 GMT"], [429, "Thu, 01 Jan 2026 00:00:30 GMT"]]"#,
    ),
    proof("trickles", "false", "true"),
    proof(
        "stalls-in-bodies",
        r#"["200"]"#,
        r#"["200", "ConnectionError"]"#,
    ),
];

const EFFECT: &[Proof] = &[
    proof("power-does-not-come", r#""On""#, r#""Off""#),
    proof("media-does-not-mount", "[null, true]", "[null, false]"),
    proof(
        "lost-answers",
        r#"[204, "On"]"#,
        r#"["ConnectionError", "On"]"#,
    ),
];

const ETAG: &[Proof] = &[
    proof("refuses-its-own-etag", "200", "412"),
    proof("no-etags", "true", "false"),
    proof("etag-of-the-state-before", "[200, 200]", "[200, 412]"),
    proof("etag-header-differs", "true", "false"),
    proof("weak-etags", "[false, false]", "[true, false]"),
    proof("members-without-etags", "[true, true]", "[false, true]"),
    proof("not-modified-though-changed", "200", "304"),
    proof(
        "stale-reads",
        r#"["before", "after", "after"]"#,
        r#"["before", "before", "after"]"#,
    ),
];

const HEADERS: &[Proof] = &[
    proof("task-without-location", "[202, true]", "[202, false]"),
    proof(
        "absolute-locations",
        r#""/redfish/v1""#,
        r#""(ours)/redfish/v1""#,
    ),
    proof(
        "locations-of-another-host",
        r#""/redfish/v1""#,
        r#""https://bmc.invalid/redfish/v1""#,
    ),
    proof("redirects-to-slash", "[201, true]", "[200, false]"),
    proof("gzip-always", "null", r#""gzip""#),
    proof(
        "wrong-content-type",
        r#""application/json""#,
        r#""text/plain""#,
    ),
    proof("capital-header-names", r#"["etag"]"#, r#"["ETAG"]"#),
    proof("ignores-query-parameters", "true", "false"),
    proof("ignores-unknown-parameters", "[true, 501]", "[true, 200]"),
];

const BODY: &[Proof] = &[
    proof(
        "truncated-json",
        r#"["RootService"]"#,
        r#"["JsonDecodingError", "RootService"]"#,
    ),
    proof(
        "html-error-page",
        r#"["RootService"]"#,
        r#"["RootService", "ValueError"]"#,
    ),
    proof(
        "plain-errors",
        "[404, true]",
        r#"[404, "JsonDecodingError"]"#,
    ),
    proof(
        "success-as-error",
        r#"[200, false, "a"]"#,
        r#"[200, true, "a"]"#,
    ),
    proof("members-null", "2", r#""TypeError""#),
    proof("wrong-count", "0", "1"),
    proof("zero-dates", r#""2026-""#, r#""0000-""#),
    proof("dates-without-offset", "true", "false"),
    proof("empty-uuid", "36", "0"),
    proof("object-for-empty-list", r#""list""#, r#""dict""#),
    proof(
        "without-required-properties",
        "2",
        r#""MissingAttributeError""#,
    ),
    proof("duplicate-keys", "0", "1"),
    proof(
        "byte-order-mark",
        r#""RootService""#,
        r#""JsonDecodingError""#,
    ),
];

const CONNECTION: &[Proof] = &[
    proof(
        "cut-off",
        r#"["200"]"#,
        r#"["200", "ChunkedEncodingError"]"#,
    ),
    proof(
        "drops-connections",
        r#"["200"]"#,
        r#"["200", "ConnectionError"]"#,
    ),
    proof(
        "resets-connections",
        r#"["200"]"#,
        r#"["200", "ConnectionError"]"#,
    ),
    proof(
        "silent-connections",
        r#"["200"]"#,
        r#"["200", "ReadTimeout"]"#,
    ),
    proof("tls-stalls", r#"["200"]"#, r#"["200", "ReadTimeout"]"#).by_tls(),
    proof(
        "certificate-expired",
        "200",
        r#"["certificate has expired"]"#,
    )
    .by_tls(),
    proof(
        "certificate-not-yet-valid",
        "200",
        r#"["certificate is not yet valid"]"#,
    )
    .by_tls(),
    proof(
        "certificate-of-another-name",
        "200",
        r#"["is not valid for"]"#,
    )
    .by_tls(),
    proof(
        "certificate-of-unknown-issuer",
        "200",
        r#"["unable to get local issuer"]"#,
    )
    .by_tls(),
    proof("closes-after-each-answer", "null", r#""close""#),
    proof("http-1.0", "[11, true, 200]", "[10, false, 200]"),
    proof(
        "chunks-too-short",
        r#"["200"]"#,
        r#"["200", "ChunkedEncodingError"]"#,
    ),
    proof(
        "length-too-short",
        r#"["RootService"]"#,
        r#"["JsonDecodingError", "RootService"]"#,
    ),
];

const HERE: &[&[Proof]] = &[AUTH, OVERLOAD, EFFECT, ETAG, HEADERS, BODY, CONNECTION];

/// Presets that are proven elsewhere, and the test that does.
pub(crate) const PROVEN: &[(&str, &str)] = &[
    (
        "events-get-lost",
        "a_receiver_of_events_that_get_lost_finds_gaps_and_the_stream_has_what_fills_them",
    ),
    (
        "events-twice",
        "events_that_come_twice_come_with_the_same_number",
    ),
    (
        "events-late",
        "late_events_come_when_their_time_has_come_and_not_before",
    ),
    ("events-out-of-order", "events_out_of_order_are_all_there"),
    (
        "tasks-slow",
        "a_slow_task_gets_on_and_is_done_when_its_time_has_come",
    ),
    ("tasks-hang", "a_task_that_hangs_ends_when_it_is_cancelled"),
    ("tasks-fail", "one_task_in_three_fails"),
    (
        "tasks-vanish",
        "a_task_that_vanishes_is_404_and_its_work_is_done",
    ),
    ("percent-goes-back", "a_percentage_goes_back_or_stays"),
    ("percent-stays", "a_percentage_goes_back_or_stays"),
    ("media-fails", "a_task_that_fails_says_why"),
    (
        "update-fails-halfway",
        "an_update_that_fails_halfway_leaves_the_old_version",
    ),
    (
        "update-rolls-back",
        "an_update_that_rolls_back_was_there_for_a_while",
    ),
    (
        "update-keeps-the-old-version",
        "an_update_may_keep_the_old_version_and_never_be_done",
    ),
    (
        "update-needs-bmc-reset",
        "an_update_may_need_a_reset_of_the_bmc",
    ),
    (
        "bmc-reboots-now-and-then",
        "each_25th_request_finds_a_bmc_that_restarts",
    ),
    (
        "bmc-reboots-every-hour",
        "each_hour_a_bmc_is_busy_and_then_away",
    ),
    (
        "bmc-hangs",
        "a_bmc_that_hangs_keeps_who_asks_waiting_and_then_its_sessions",
    ),
    ("clock-in-1970", "a_clock_begins_anew_in_1970"),
    (
        "clock-an-hour-ahead",
        "a_clock_that_is_ahead_shows_in_events_and_in_the_log",
    ),
    (
        "clock-drifts",
        "a_clock_that_drifts_loses_four_seconds_in_an_hour",
    ),
    (
        "bmc-forgets-its-settings",
        "a_bmc_that_forgets_its_settings_has_no_local_time",
    ),
    ("power-stays-as-it-is", "power_stays_as_it_is"),
    ("power-comes-late", "power_comes_late"),
    ("power-comes-and-goes", "power_comes_and_goes"),
    ("power-state-lags", "the_power_state_lags"),
    ("override-ignored", "an_override_is_ignored_and_used_up"),
    ("once-sticks", "once_sticks"),
    ("media-unseen", "a_medium_that_is_not_seen_is_not_booted"),
    ("media-ejects-itself", "a_medium_ejects_itself"),
    ("guest-hangs", "a_guest_that_hangs_hears_nothing"),
    ("disk-fails", "a_disk_that_fails_is_critical_and_told_of"),
    (
        "fan-fails",
        "a_fan_that_stands_still_and_a_processor_that_is_too_hot_are_critical",
    ),
    (
        "processor-too-hot",
        "a_fan_that_stands_still_and_a_processor_that_is_too_hot_are_critical",
    ),
    ("link-down", "a_link_that_is_down_shows"),
    ("power-fails", "the_power_goes_and_is_back_a_minute_later"),
];

/// The program with the clients in it.
struct Clients {
    child: Child,
    input: ChildStdin,
    output: std::io::Lines<BufReader<ChildStdout>>,
}

impl Drop for Clients {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Clients {
    /// `None` where there is no Python with the clients in it; then the test is skipped, aloud.
    fn start() -> Option<Self> {
        let python = part::python()?;
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/see_presets.py");
        let mut child = Command::new(python)
            .args(["-W", "ignore", program])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python starts");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped")).lines();
        Some(Self {
            child,
            input,
            output,
        })
    }

    fn say(&mut self, line: &Value) {
        writeln!(self.input, "{line}").expect("python listens");
    }

    fn hear(&mut self) -> Value {
        let line = self.output.next().expect("python goes on").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// What a client sees of a world with these faults.
    async fn look(&mut self, proof: &Proof, faults: Vec<Rule>) -> (Value, World) {
        let world = World::builder().seed(7).systems(2).faults(faults);
        let world = world.start().await.unwrap();
        let tls = proof.tls.then(|| world.tls(&[]).unwrap());
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca.pem");
        let ca = tls.as_ref().map(|tls| {
            std::fs::write(&ca, &tls.authority).unwrap();
            ca
        });
        if proof.speed > 0.0 {
            world.clock().set_speed(proof.speed);
            world.start_running();
        }
        let any = "127.0.0.1:0".parse().unwrap();
        let config = tls.map(|tls| tls.config);
        let served = world.serve_with(any, config).await.unwrap();
        let scheme = if proof.tls { "https" } else { "http" };
        self.say(&json!({
            "preset": proof.preset,
            "url": format!("{scheme}://{}", served.address),
            "user": USER,
            "password": PASSWORD,
            "ca": ca,
        }));
        loop {
            // The world goes on meanwhile, on the other threads.
            let heard = tokio::task::block_in_place(|| self.hear());
            if let Some(seconds) = heard["advance"].as_i64() {
                if seconds > 0 {
                    let by = SignedDuration::from_secs(seconds);
                    world.advance(by).await.unwrap();
                }
                self.say(&json!({"age": world.age().as_secs_f64()}));
                continue;
            }
            return (heard["seen"].clone(), world);
        }
    }
}

/// What is wrong anyway, so that there is something to see.
fn anyway(name: &str) -> Vec<Rule> {
    let half = SignedDuration::from_millis(500);
    match name {
        // Requests that are over at once are never many at a time.
        "overloaded" => vec![Rule::new("held", Then::Delay(Delay::Constant(half)))],
        // So that there is a task.
        "task-without-location" => preset("tasks-hang").expect("a preset").rules(),
        _ => Vec::new(),
    }
}

async fn prove(proofs: &[Proof]) {
    let Some(mut clients) = Clients::start() else {
        return;
    };
    let mut wrong = Vec::new();
    for proof in proofs {
        let rules = preset(proof.preset).expect("a preset").rules();
        for (faults, wanted) in [(Vec::new(), proof.well), (rules, proof.ill)] {
            let is_ill = !faults.is_empty();
            let all = [anyway(proof.preset), faults].concat();
            let (seen, world) = clients.look(proof, all).await;
            let wanted: Value = serde_json::from_str(wanted).unwrap();
            if seen != wanted {
                wrong.push(format!(
                    "{} {is_ill}: {seen} and not {wanted}",
                    proof.preset
                ));
            }
            let fired = world.fired(proof.preset);
            if is_ill && fired.is_none_or(|times| times == 0) {
                wrong.push(format!("{} did not fire", proof.preset));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_logins_and_sessions_go_wrong() {
    prove(AUTH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_services_that_are_slow_and_overloaded() {
    prove(OVERLOAD).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_that_what_was_answered_is_not_what_was_done() {
    prove(EFFECT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_tags_that_are_wrong() {
    prove(ETAG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_headers_that_are_wrong() {
    prove(HEADERS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_bodies_that_are_wrong() {
    prove(BODY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_see_connections_go_wrong() {
    prove(CONNECTION).await;
}

#[test]
fn every_preset_is_proven() {
    let here = HERE.iter().flat_map(|proofs| proofs.iter());
    let mut proven: BTreeSet<&str> = here.map(|proof| proof.preset).collect();
    let tests = [
        include_str!("faults_bmc.rs"),
        include_str!("faults_events.rs"),
        include_str!("faults_machine.rs"),
        include_str!("faults_work.rs"),
    ];
    for (preset, test) in PROVEN {
        let (named, quoted) = (format!("fn {test}("), format!("\"{preset}\""));
        let at = tests.iter().find_map(|text| text.split_once(&named));
        let (_, body) = at.unwrap_or_else(|| panic!("no test {test}"));
        let body = body.split("#[tokio::test").next().unwrap_or_default();
        assert!(body.contains(&quoted), "{test} does not name {preset}");
        proven.insert(preset);
    }
    let all: BTreeSet<&str> = PRESETS.iter().map(|preset| preset.name).collect();
    assert_eq!(all, proven);
}
