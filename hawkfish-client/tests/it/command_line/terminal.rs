//! The program on a real terminal: tmux shows what a person would see.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use jiff::SignedDuration;
use serde_json::json;
use tokio::sync::Notify;

use super::completions::script;
use super::rack::Rack;
use super::run::{Home, PROGRAM, forget_us};
use crate::mock::{Mock, PASSWORD, USER};
use hawkfish_testing::part;

/// A shell in a terminal of its own.
struct Terminal {
    socket: String,
}

impl Terminal {
    /// So many columns and lines, with this in the environment; `None` where there is no tmux, which has then been said.
    fn open(columns: u16, lines: u16, home: &Home, variables: &[(&str, &str)]) -> Option<Self> {
        Self::running(
            "bash --norc --noprofile -i",
            columns,
            lines,
            home,
            variables,
        )
    }

    fn running(
        shell: &str,
        columns: u16,
        lines: u16,
        home: &Home,
        variables: &[(&str, &str)],
    ) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if Command::new("tmux").arg("-V").output().is_err() {
            part::skip("tmux");
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let terminal = Self {
            socket: format!("hawkfish-test-{}-{number}", std::process::id()),
        };
        let folder = std::path::Path::new(PROGRAM).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.display());
        let mut command = terminal.tmux();
        command
            .args(["-f", "/dev/null", "new-session", "-d"])
            .arg("-c")
            .arg(home.dir.path())
            .args(["-x", &columns.to_string(), "-y", &lines.to_string()])
            .arg(shell)
            .env("PATH", path)
            .env("PS1", "$ ")
            .env("PROMPT", "$ ")
            .env("LC_ALL", "C.UTF-8")
            .envs(variables.iter().copied());
        forget_us(&mut command);
        home.leads(&mut command);
        command.envs(variables.iter().copied());
        assert!(command.status().unwrap().success());
        Some(terminal)
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-L", &self.socket]);
        command
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.tmux().args(arguments).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a line.
    fn enter(&self, line: &str) {
        self.said(&["send-keys", "-l", line]);
        self.key("Enter");
    }

    fn key(&self, key: &str) {
        self.said(&["send-keys", key]);
    }

    fn screen(&self) -> String {
        self.said(&["capture-pane", "-p"])
    }

    /// With all that has scrolled away, and with its colours.
    fn coloured(&self) -> String {
        self.said(&["capture-pane", "-p", "-e", "-S", "-"])
    }

    fn fact(&self, name: &str) -> String {
        let format = format!("#{{{name}}}");
        self.said(&["display-message", "-p", &format])
            .trim()
            .to_owned()
    }

    /// Waits until the screen is so, and gives it.
    async fn until(&self, what: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let screen = self.screen();
            if what(&screen) {
                return screen;
            }
            assert!(Instant::now() < end, "the screen is\n{screen}");
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Runs a line, and gives the screen when it has ended.
    async fn ran(&self, line: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark = NUMBER.fetch_add(1, Ordering::Relaxed);
        self.enter(&format!("clear; {line}; echo ended $?-{mark}."));
        let mark = format!("-{mark}.");
        self.until(|screen| {
            screen
                .lines()
                .any(|line| line.starts_with("ended ") && line.ends_with(&mark))
        })
        .await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

fn login(url: &str) -> [(&'static str, String); 3] {
    [
        ("HAWKFISH_URL", url.to_owned()),
        ("HAWKFISH_USERNAME", USER.to_owned()),
        ("HAWKFISH_PASSWORD", PASSWORD.to_owned()),
    ]
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

fn simulated(rack: &Rack) -> [(&'static str, String); 3] {
    [
        ("HAWKFISH_URL", rack.url.clone()),
        ("HAWKFISH_USERNAME", hawkfish_sim::USER.to_owned()),
        ("HAWKFISH_PASSWORD", hawkfish_sim::PASSWORD.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_colours_and_a_pipe_and_whoever_says_no_gets_none() {
    let mock = Mock::new();
    let home = Home::new();
    let variables = login(&mock.listen().await);
    let Some(terminal) = Terminal::open(100, 20, &home, &borrowed(&variables)) else {
        return;
    };
    let green = "\u{1b}[32mOK";
    terminal.ran("hawkfish systems ls").await;
    assert!(
        terminal.coloured().contains(green),
        "{:?}",
        terminal.coloured()
    );
    for plain in [
        "hawkfish systems ls | cat",
        "NO_COLOR=1 hawkfish systems ls",
        "hawkfish systems ls --color=never",
        "TERM=dumb hawkfish systems ls",
    ] {
        terminal.ran(plain).await;
        let shown = terminal.screen();
        assert!(shown.contains("OK"), "{shown}");
        assert!(
            !terminal.said(&["capture-pane", "-p", "-e"]).contains(green),
            "{plain}"
        );
    }
    // Failures stand out as well.
    terminal.ran("hawkfish systems show nobody").await;
    assert!(
        terminal.coloured().contains("31mhawkfish:"),
        "{:?}",
        terminal.coloured()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_terminal_cuts_columns_and_wraps_values_and_a_pipe_does_neither() {
    let rack = Rack::of(2).await;
    let home = Home::new();
    let variables = simulated(&rack);
    for (columns, whole) in [(80, true), (50, false)] {
        let Some(terminal) = Terminal::open(columns, 40, &home, &borrowed(&variables)) else {
            return;
        };
        let screen = terminal.ran("hawkfish systems ls").await;
        let table: Vec<&str> = screen
            .lines()
            .skip_while(|line| !line.starts_with("ID"))
            .take(3)
            .collect();
        // Three lines and no more: nothing has gone over the edge.
        assert!(
            table[1].starts_with("863c6fd3") && table[2].starts_with("c0be672b"),
            "{screen}"
        );
        assert!(table[1].contains('…'), "{screen}");
        // By its id a machine is named, so that is cut last.
        let id = "863c6fd3-6d16-410b-b287-b8bb3d125a3a ";
        assert_eq!(table[1].starts_with(id), whole, "{screen}");
    }
    let Some(terminal) = Terminal::open(50, 40, &home, &borrowed(&variables)) else {
        return;
    };
    terminal
        .ran("hawkfish systems ls | cat > table.txt; grep -c … table.txt; wc -l table.txt")
        .await;
    assert!(
        terminal.screen().contains("3 table.txt"),
        "{}",
        terminal.screen()
    );
    assert!(
        terminal.screen().starts_with("0\n"),
        "{}",
        terminal.screen()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_redraws_what_has_changed_and_leaves_the_terminal_as_it_was() {
    let mock = Mock::new();
    let home = Home::new();
    let variables = login(&mock.listen().await);
    let Some(terminal) = Terminal::open(80, 20, &home, &borrowed(&variables)) else {
        return;
    };
    terminal.ran("echo before").await;
    terminal.enter("hawkfish systems ls --watch=0.2; echo over $?");
    let screen = terminal.until(|screen| screen.contains("node")).await;
    assert!(screen.contains("Off"), "{screen}");
    assert!(!screen.contains("before"), "{screen}");
    assert_eq!(
        (terminal.fact("alternate_on"), terminal.fact("cursor_flag")),
        ("1".into(), "0".into())
    );
    mock.inside().power = "On";
    let screen = terminal.until(|screen| !screen.contains("Off")).await;
    assert!(screen.contains("On"), "{screen}");
    assert_eq!(screen.matches("node").count(), 1, "{screen}");
    terminal.key("C-c");
    let screen = terminal.until(|screen| screen.contains("over 0")).await;
    // The shell's own history is back, and the last picture stays.
    assert!(
        screen.contains("before") && screen.contains("node"),
        "{screen}"
    );
    assert_eq!(
        (terminal.fact("alternate_on"), terminal.fact("cursor_flag")),
        ("0".into(), "1".into())
    );
    assert_eq!(mock.inside().logins, 1);
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_told_to_end_gives_the_screen_back() {
    let mock = Mock::new();
    let home = Home::new();
    let variables = login(&mock.listen().await);
    let Some(terminal) = Terminal::open(80, 20, &home, &borrowed(&variables)) else {
        return;
    };
    terminal.enter("sh -c 'echo $$ > pid; exec hawkfish systems ls --watch=0.2'; echo over $?");
    terminal.until(|screen| screen.contains("node")).await;
    let pid = std::fs::read_to_string(home.dir.path().join("pid")).unwrap();
    let sent = Command::new("kill").arg(pid.trim()).status().unwrap();
    assert!(sent.success());
    terminal.until(|screen| screen.contains("over 143")).await;
    assert_eq!(
        (terminal.fact("alternate_on"), terminal.fact("cursor_flag")),
        ("0".into(), "1".into())
    );
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_outlives_a_service_that_is_away_for_a_while() {
    let mock = Mock::new();
    let home = Home::new();
    let variables = login(&mock.listen().await);
    let Some(terminal) = Terminal::open(80, 20, &home, &borrowed(&variables)) else {
        return;
    };
    terminal.enter("hawkfish systems show 7 --watch=0.2; echo over $?");
    terminal.until(|screen| screen.contains("node")).await;
    mock.inside().tokens.clear();
    // The log-in is renewed, as any other.
    mock.inside().name = "renamed".into();
    terminal.until(|screen| screen.contains("renamed")).await;
    assert_eq!(mock.inside().logins, 2);
    terminal.key("C-c");
    terminal.until(|screen| screen.contains("over 0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_without_showing_it() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let Some(terminal) = Terminal::open(100, 20, &home, &[]) else {
        return;
    };
    terminal.enter(&format!("hawkfish login --url {url}; echo over $?"));
    terminal
        .until(|screen| screen.contains("User name at"))
        .await;
    terminal.enter(USER);
    terminal
        .until(|screen| screen.contains("Password of admin at"))
        .await;
    terminal.enter(PASSWORD);
    let screen = terminal.until(|screen| screen.contains("over 0")).await;
    assert!(screen.contains("logged in at"), "{screen}");
    assert!(!terminal.coloured().contains("sesame"), "{screen}");
    // And what is typed afterwards is seen again.
    terminal.ran("echo seen").await;
    let screen = terminal
        .ran(&format!("hawkfish systems ls --url {url}"))
        .await;
    assert!(
        screen.contains("node") && screen.contains("ended 0"),
        "{screen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_at_the_prompt_leaves_a_terminal_that_echoes() {
    let mock = Mock::new();
    let url = mock.listen().await;
    let home = Home::new();
    let Some(terminal) = Terminal::open(100, 20, &home, &[]) else {
        return;
    };
    // One line, so that no shell puts the terminal in order in between.
    terminal.enter(&format!(
        "hawkfish login --user {USER} --url {url}; echo over $?; stty -a | grep -o '.echo '"
    ));
    terminal
        .until(|screen| screen.contains("Password of"))
        .await;
    terminal.key("C-c");
    let screen = terminal.until(|screen| screen.contains("over 130")).await;
    assert!(!screen.contains("-echo"), "{screen}");
    let screen = terminal.ran("stty -a").await;
    assert!(
        screen.contains(" echo ") && screen.contains(" icanon") && screen.contains("isig"),
        "{screen}"
    );
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_trusted_on_first_use_when_somebody_says_so_and_remembered() {
    let (rack, sha256) = Rack::over_tls().await;
    let shown = sha256.map(|byte| format!("{byte:02X}")).join(":");
    let home = Home::new();
    let Some(terminal) = Terminal::open(140, 30, &home, &[]) else {
        return;
    };
    let login = format!(
        "hawkfish login --url {} --user {}; echo over $?",
        rack.url,
        hawkfish_sim::USER
    );
    terminal.enter(&login);
    let screen = terminal.until(|screen| screen.contains("[y/N]")).await;
    assert!(screen.contains(&shown), "{screen}");
    terminal.enter("");
    terminal.until(|screen| screen.contains("over 6")).await;
    assert!(!home.config().exists());

    terminal.ran("true").await;
    terminal.enter(&login);
    terminal.until(|screen| screen.contains("[y/N]")).await;
    terminal.enter("y");
    terminal
        .until(|screen| screen.contains("Password of"))
        .await;
    terminal.enter(hawkfish_sim::PASSWORD);
    terminal.until(|screen| screen.contains("over 0")).await;
    let config = std::fs::read_to_string(home.config()).unwrap();
    assert!(
        config.contains(&format!("fingerprint = \"{shown}\"")),
        "{config}"
    );
    let screen = terminal
        .ran(&format!("hawkfish systems ls --url {}", rack.url))
        .await;
    assert!(
        screen.contains("sim-00001") && screen.contains("ended 0"),
        "{screen}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_seen_to_get_on_and_its_bar_is_gone_at_its_end() {
    let rack = Rack::with(&["tasks-slow"]).await;
    let home = Home::new();
    let variables = simulated(&rack);
    let Some(terminal) = Terminal::open(100, 20, &home, &borrowed(&variables)) else {
        return;
    };
    let id = terminal
        .ran("hawkfish systems ls --no-headers --columns ID")
        .await;
    let id = id.lines().find(|line| line.len() == 36).unwrap().to_owned();
    terminal.enter(&format!(
        "hawkfish systems media insert {id} http://images.example/a.iso 2>&1 >out.txt; echo over $?"
    ));
    terminal.until(|screen| screen.contains("  0 %")).await;
    for percent in ["20 %", "40 %", "60 %"] {
        rack.world
            .advance(SignedDuration::from_secs(30))
            .await
            .unwrap();
        terminal.until(|screen| screen.contains(percent)).await;
    }
    rack.world
        .advance(SignedDuration::from_secs(60))
        .await
        .unwrap();
    let screen = terminal.until(|screen| screen.contains("over 0")).await;
    assert!(!screen.contains('%'), "{screen}");
    let said = terminal.ran("cat out.txt; rm out.txt").await;
    assert!(said.contains("holds http://images.example/a.iso"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_takes_the_bar_of_a_task_away() {
    let mock = Mock::new();
    mock.inside().task_after = Some(u32::MAX);
    let home = Home::new();
    let variables = login(&mock.listen().await);
    let Some(terminal) = Terminal::open(100, 20, &home, &borrowed(&variables)) else {
        return;
    };
    terminal.enter("hawkfish tasks wait 1; echo over $?");
    terminal.until(|screen| screen.contains("50 %")).await;
    terminal.key("C-c");
    let screen = terminal.until(|screen| screen.contains("over 130")).await;
    assert!(!screen.contains('%'), "{screen}");
    assert_eq!(terminal.fact("cursor_flag"), "1");
    assert!(mock.inside().tokens.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_completes_as_one_types() {
    if !std::path::Path::new("/usr/bin/zsh").exists() {
        part::skip("zsh");
        return;
    }
    let home = Home::new();
    std::fs::write(home.dir.path().join("_hawkfish"), script("zsh")).unwrap();
    let Some(terminal) = Terminal::running("zsh -f -i", 100, 30, &home, &[]) else {
        return;
    };
    terminal.enter("fpath=(~ $fpath); autoload -U compinit; compinit -u -D; echo ready");
    terminal
        .until(|screen| screen.lines().any(|line| line == "ready"))
        .await;
    terminal.said(&["send-keys", "-l", "hawkfish syst"]);
    terminal.key("Tab");
    terminal
        .until(|screen| screen.contains("hawkfish systems"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_is_asked_for_twice_without_showing_it() {
    let rack = Rack::of(1).await;
    let home = Home::new();
    let variables = simulated(&rack);
    let Some(terminal) = Terminal::open(100, 20, &home, &borrowed(&variables)) else {
        return;
    };
    let ask = async |first: &str, second: &str, ended: &str| {
        // The questions of the time before are off the screen.
        terminal.ran("true").await;
        terminal.enter("hawkfish accounts passwd; echo over $?");
        terminal
            .until(|screen| screen.contains("New password of admin:"))
            .await;
        terminal.enter(first);
        terminal.until(|screen| screen.contains("Once more:")).await;
        terminal.enter(second);
        terminal.until(|screen| screen.contains(ended)).await
    };
    let screen = ask("a new password", "a new passwort", "over 2").await;
    assert!(screen.contains("not the same"), "{screen}");
    let screen = ask("a new password", "a new password", "over 0").await;
    assert!(screen.contains("admin: password changed"), "{screen}");
    assert!(!terminal.coloured().contains("a new passwor"), "{screen}");
    let ran = rack.run_as("admin", "a new password", &["service", "show"]);
    assert_eq!(ran.await.code, 0);
    rack.run_as("admin", hawkfish_sim::PASSWORD, &["accounts", "ls"])
        .await
        .failed(3);
}

/// A service that takes a file, the second half of it only when it is told to go on.
async fn slow_to_take(go_on: Arc<Notify>) -> String {
    let documents = |uri: axum::http::Uri| async move {
        let service = json!({"@odata.id": "/redfish/v1/UpdateService", "HttpPushUri": "/push"});
        let root = json!({"UpdateService": {"@odata.id": "/redfish/v1/UpdateService"}});
        axum::Json(match uri.path() {
            "/redfish/v1/UpdateService" => service,
            _ => root,
        })
    };
    let push = move |body: axum::body::Body| async move {
        let mut body = body.into_data_stream();
        let mut taken = 0;
        while let Some(Ok(piece)) = body.next().await {
            if taken < UPLOAD / 2 && taken + piece.len() >= UPLOAD / 2 {
                go_on.notified().await;
            }
            taken += piece.len();
        }
        match taken {
            UPLOAD => axum::http::StatusCode::NO_CONTENT,
            _ => axum::http::StatusCode::BAD_REQUEST,
        }
    };
    let router = axum::Router::new()
        .route("/push", axum::routing::post(push))
        .fallback(documents)
        .layer(axum::extract::DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// More than sockets hold on their way.
const UPLOAD: usize = 64 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_seen_to_get_on_and_its_bar_is_gone_at_its_end() {
    let go_on = Arc::new(Notify::new());
    let url = slow_to_take(go_on.clone()).await;
    let home = Home::new();
    let file = std::fs::File::create(home.dir.path().join("bios.img")).unwrap();
    file.set_len(UPLOAD as u64).unwrap();
    let Some(terminal) = Terminal::open(100, 20, &home, &[("HAWKFISH_URL", &url)]) else {
        return;
    };
    terminal.enter("hawkfish firmware update bios.img 2>&1 >out.txt; echo over $?");
    let stands = |screen: &str| {
        let of = screen.split("/64.00 MiB").next().unwrap_or_default();
        let sent = of.rsplit(' ').nth(1)?;
        sent.parse::<f64>().ok().filter(|_| of.len() < screen.len())
    };
    let screen = terminal
        .until(|screen| stands(screen).is_some_and(|sent| sent > 31.0))
        .await;
    assert!(screen.contains("bios.img [="), "{screen}");
    assert!(stands(&screen).unwrap() < 64.0, "{screen}");
    go_on.notify_one();
    let screen = terminal.until(|screen| screen.contains("over 0")).await;
    assert!(!screen.contains("MiB"), "{screen}");
}
