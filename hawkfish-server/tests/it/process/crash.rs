//! The program is killed in the middle of writing, again and again: what was acknowledged is there afterwards, and nothing is torn.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::client::Client;
use super::server::{PASSWORD, Server, USER};
use hawkfish_testing::until;

const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
const TASKS: &str = "/redfish/v1/TaskService/Tasks";

/// Chance enough to choose a moment.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new() -> Self {
        let seed = RandomState::new().hash_one(std::process::id()) | 1;
        eprintln!("moments are chosen by {seed}");
        Self(seed)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// What a test knows of something: how it was when a change was last acknowledged, and how it would be after the change that was not.
#[derive(Debug, Clone)]
struct Known<T> {
    sure: T,
    maybe: T,
}

impl<T: Clone + PartialEq + std::fmt::Debug> Known<T> {
    fn new(value: T) -> Self {
        Self {
            sure: value.clone(),
            maybe: value,
        }
    }

    fn attempt(&mut self, change: impl FnOnce(&mut T)) {
        self.maybe = self.sure.clone();
        change(&mut self.maybe);
    }

    fn acknowledged(&mut self) {
        self.sure = self.maybe.clone();
    }

    #[track_caller]
    fn is(&mut self, seen: T) {
        assert!(
            seen == self.sure || seen == self.maybe,
            "{seen:?} is neither of {self:#?}"
        );
        *self = Self::new(seen);
    }
}

/// What is written to a system.
#[derive(Debug, Clone, PartialEq)]
struct Setting {
    tag: String,
    enabled: String,
    target: String,
    lit: bool,
    image: Option<String>,
}

/// Writes to a system of its own.
struct SystemWriter {
    uri: String,
    known: Known<Setting>,
}

impl SystemWriter {
    async fn of(client: &Client, uri: String) -> Self {
        let known = Known::new(Self::seen(client, &uri).await);
        Self { uri, known }
    }

    async fn seen(client: &Client, uri: &str) -> Setting {
        let system = client.read(uri).await;
        let cd = client.read(&format!("{uri}/VirtualMedia/Cd")).await;
        assert_eq!(
            cd["Inserted"].as_bool(),
            Some(cd["Image"].is_string()),
            "{cd:#}"
        );
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Setting {
            tag: text(&system["AssetTag"]),
            enabled: text(&system["Boot"]["BootSourceOverrideEnabled"]),
            target: text(&system["Boot"]["BootSourceOverrideTarget"]),
            lit: system["LocationIndicatorActive"].as_bool().unwrap(),
            image: cd["Image"].as_str().map(str::to_owned),
        }
    }

    async fn write(&mut self, client: &Client, number: usize) -> reqwest::Result<()> {
        let cd = format!("{}/VirtualMedia/Cd/Actions/VirtualMedia", self.uri);
        let answer = match number % 5 {
            // Two properties in one request: both or neither.
            0..=2 => {
                let (enabled, target) =
                    [("Once", "Cd"), ("Continuous", "Hdd"), ("Disabled", "None")][number % 3];
                self.known.attempt(|setting| {
                    setting.tag = format!("tag-{number}");
                    setting.enabled = enabled.to_owned();
                    setting.target = target.to_owned();
                });
                let boot = json!({"BootSourceOverrideEnabled": enabled, "BootSourceOverrideTarget": target});
                let body = json!({"AssetTag": format!("tag-{number}"), "Boot": boot});
                client.patch(&self.uri, &body).await?
            }
            3 => {
                self.known.attempt(|setting| setting.lit = !setting.lit);
                let body = json!({"LocationIndicatorActive": self.known.maybe.lit});
                client.patch(&self.uri, &body).await?
            }
            _ if self.known.sure.image.is_some() => {
                self.known.attempt(|setting| setting.image = None);
                client.post(&format!("{cd}.EjectMedia"), &json!({})).await?
            }
            _ => {
                let image = format!("http://images.example/{number}.iso");
                self.known
                    .attempt(|setting| setting.image = Some(image.clone()));
                client
                    .post(&format!("{cd}.InsertMedia"), &json!({"Image": image}))
                    .await?
            }
        };
        answer.good();
        self.known.acknowledged();
        Ok(())
    }

    async fn check(&mut self, client: &Client) {
        self.known.is(Self::seen(client, &self.uri).await);
    }
}

/// Makes accounts and takes them away.
struct AccountWriter {
    name: &'static str,
    /// The one that there is now: its role.
    known: Known<Option<(String, String)>>,
    uri: String,
}

impl AccountWriter {
    async fn write(&mut self, client: &Client, number: usize) -> reqwest::Result<()> {
        match self.known.sure.clone() {
            None => {
                let name = format!("{}{number}", self.name);
                self.known
                    .attempt(|known| *known = Some((name.clone(), "Operator".to_owned())));
                let body = json!({"UserName": name, "Password": format!("of {name} it is"), "RoleId": "Operator"});
                let answer = client.post(ACCOUNTS, &body).await?.good();
                answer.headers["location"]
                    .to_str()
                    .unwrap()
                    .clone_into(&mut self.uri);
            }
            Some((name, role)) if role == "Operator" => {
                self.known
                    .attempt(|known| *known = Some((name, "ReadOnly".to_owned())));
                client
                    .patch(&self.uri, &json!({"RoleId": "ReadOnly"}))
                    .await?
                    .good();
            }
            Some(_) => {
                self.known.attempt(|known| *known = None);
                client.delete(&self.uri).await?.good();
            }
        }
        self.known.acknowledged();
        Ok(())
    }

    async fn check(&mut self, client: &Client) {
        let mut mine = Vec::new();
        for uri in client.members(ACCOUNTS).await {
            let account = client.read(&uri).await;
            let name = account["UserName"].as_str().unwrap().to_owned();
            if name.starts_with(self.name) {
                mine.push((uri, name, account["RoleId"].as_str().unwrap().to_owned()));
            }
        }
        assert!(
            mine.len() < 2,
            "{mine:?}, where this is known: {:?}",
            self.known
        );
        let Some((uri, name, role)) = mine.pop() else {
            self.known.is(None);
            return;
        };
        let session = client
            .new_session(&name, &format!("of {name} it is"))
            .await
            .unwrap();
        client.delete(&session.0).await.unwrap().good();
        self.known.is(Some((name, role)));
        self.uri = uri;
    }
}

/// Begins sessions and ends them.
#[derive(Default)]
struct SessionWriter {
    /// Token by URI.
    begun: BTreeMap<String, String>,
    /// What is being ended, and may have been.
    ending: Option<(String, String)>,
    ended: Vec<String>,
}

impl SessionWriter {
    async fn write(&mut self, client: &Client, number: usize) -> reqwest::Result<()> {
        if number % 2 == 1
            && let Some((uri, token)) = self.begun.pop_first()
        {
            self.ending = Some((uri.clone(), token.clone()));
            client.delete(&uri).await?.good();
            self.ending = None;
            self.ended.push(token);
        } else {
            let (uri, token) = client.new_session(USER, PASSWORD).await?;
            self.begun.insert(uri, token);
        }
        Ok(())
    }

    async fn check(&mut self, client: &Client) {
        let status =
            async |token: &str| client.with_token(token).get(SESSIONS).await.unwrap().status;
        for (uri, token) in &self.begun {
            assert_eq!(status(token).await, StatusCode::OK, "{uri}");
        }
        for token in self.ended.drain(..) {
            assert_eq!(status(&token).await, StatusCode::UNAUTHORIZED);
        }
        if let Some((uri, token)) = self.ending.take()
            && status(&token).await == StatusCode::OK
        {
            self.begun.insert(uri, token);
        }
    }
}

enum Writer {
    System(SystemWriter),
    Account(AccountWriter),
    Session(SessionWriter),
}

impl Writer {
    async fn write(&mut self, client: &Client, number: usize) -> reqwest::Result<()> {
        match self {
            Self::System(writer) => writer.write(client, number).await,
            Self::Account(writer) => writer.write(client, number).await,
            Self::Session(writer) => writer.write(client, number).await,
        }
    }

    async fn check(&mut self, client: &Client) {
        match self {
            Self::System(writer) => writer.check(client).await,
            Self::Account(writer) => writer.check(client).await,
            Self::Session(writer) => writer.check(client).await,
        }
    }
}

/// A copy of the database as the crash has left it, opened; the original is for the program alone.
pub(crate) async fn wreck(server: &Server, copy: &Path) -> SqliteConnection {
    std::fs::create_dir_all(copy).unwrap();
    for file in ["hawkfish.db", "hawkfish.db-wal"] {
        let _ = std::fs::remove_file(copy.join(file));
        let from = server.data_dir().join(file);
        if from.exists() {
            std::fs::copy(from, copy.join(file)).unwrap();
        }
    }
    let _ = std::fs::remove_file(copy.join("hawkfish.db-shm"));
    let options = SqliteConnectOptions::new().filename(copy.join("hawkfish.db"));
    let mut database = options.connect().await.unwrap();
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut database)
        .await
        .unwrap();
    assert_eq!(found, ["ok"]);
    let orphans = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut database)
        .await;
    assert!(orphans.unwrap().is_empty());
    database
}

/// Every task comes to an end, and one that failed says why.
async fn tasks_end(client: &Client) {
    for uri in client.members(TASKS).await {
        until("the task ends", Duration::from_secs(10), async || {
            let answer = client.get(&uri).await.unwrap();
            let task = answer.body;
            if task["TaskState"] == "Exception" {
                let said = task["Messages"][0]["Message"].as_str();
                assert!(said.is_some_and(|said| !said.is_empty()), "{task:#}");
            }
            // Old ones are forgotten by themselves.
            (answer.status == StatusCode::NOT_FOUND || task["EndTime"].is_string()).then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_write_is_lost_however_often_the_program_is_killed() {
    const ROUNDS: usize = 24;
    let mut chance = Chance::new();
    let mut server = Server::simulated(6, &[]);
    // Its session, too, outlives all that follows.
    let client = server.client().await;
    let mut writers = Vec::new();
    for uri in client.members("/redfish/v1/Systems").await {
        writers.push(Writer::System(SystemWriter::of(&client, uri).await));
    }
    for name in ["alice", "bob"] {
        writers.push(Writer::Account(AccountWriter {
            name,
            known: Known::new(None),
            uri: String::new(),
        }));
    }
    writers.push(Writer::Session(SessionWriter::default()));

    let mut all = 0;
    let mut number = 0;
    for round in 0..ROUNDS {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let under_way: Vec<_> = writers
            .drain(..)
            .enumerate()
            .map(|(index, mut writer)| {
                let (client, acknowledged) = (client.clone(), Arc::clone(&acknowledged));
                tokio::spawn(async move {
                    // Not all at the same kind of write at a time.
                    let mut number = number + index;
                    while writer.write(&client, number).await.is_ok() {
                        number += 1;
                        acknowledged.fetch_add(1, Ordering::AcqRel);
                    }
                    (writer, number)
                })
            })
            .collect();
        let enough = 5 + usize::try_from(chance.below(150)).unwrap();
        until("enough is written", Duration::from_secs(60), async || {
            (acknowledged.load(Ordering::Acquire) >= enough).then_some(())
        })
        .await;
        std::thread::sleep(Duration::from_micros(chance.below(20_000)));
        server.kill();
        for writer in under_way {
            let (writer, last) = writer.await.expect("a writer meets only crashes");
            writers.push(writer);
            number = number.max(last + 1);
        }
        all += acknowledged.load(Ordering::Acquire);

        let copy = server.folder().join("copy");
        wreck(&server, &copy).await.close().await.unwrap();
        server.start();
        // What is taken up again is among what is looked at then.
        tasks_end(&client).await;
        for writer in &mut writers {
            writer.check(&client).await;
        }
        eprintln!("round {round}: {all} writes acknowledged so far");
    }
    assert!(all > ROUNDS * 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_whose_power_cycle_a_crash_cut_off_comes_up_again() {
    let mut chance = Chance::new();
    let mut server = Server::simulated(6, &[]);
    let client = server.client().await;
    let systems = client.members("/redfish/v1/Systems").await;
    let reset = async |client: &Client, system: &str, how: &str| {
        let uri = format!("{system}/Actions/ComputerSystem.Reset");
        client.post(&uri, &json!({"ResetType": how})).await
    };
    for system in &systems {
        reset(&client, system, "On").await.unwrap().good();
    }
    // A crash does not always come between off and on; as often as not, another moment is interesting as well.
    let began = Instant::now();
    let (mut rounds, mut left_off) = (0, 0);
    while rounds < 10 || left_off < 3 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{left_off} of {rounds}"
        );
        rounds += 1;
        let mut cycling = Vec::new();
        for system in systems.clone() {
            let client = client.clone();
            cycling.push(tokio::spawn(async move {
                while let Ok(answer) = reset(&client, &system, "PowerCycle").await {
                    answer.good();
                }
            }));
        }
        tokio::time::sleep(Duration::from_micros(100_000 + chance.below(200_000))).await;
        server.kill();
        for cycling in cycling {
            cycling.await.unwrap();
        }
        let mut database = wreck(&server, &server.folder().join("copy")).await;
        let off: Vec<String> = sqlx::query_scalar(
            "SELECT system FROM hf_system_states WHERE json_extract(state, '$.power') = 'Off'",
        )
        .fetch_all(&mut database)
        .await
        .unwrap();
        database.close().await.unwrap();
        left_off += usize::from(!off.is_empty());

        server.start();
        for system in &systems {
            until("the system is on", Duration::from_secs(20), async || {
                let state = client.read(system).await["PowerState"].take();
                (state == "On" || state == "PoweringOn").then_some(())
            })
            .await;
        }
        tasks_end(&client).await;
        eprintln!("round {rounds}: {off:?} were off");
    }
}
