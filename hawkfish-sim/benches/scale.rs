//! What it takes to simulate a fleet, against a server that does nothing, on the same machine in the same minute.
//!
//! `cargo bench -p hawkfish-sim --bench scale`; with `-- few` a tenth of the systems are touched.
#![expect(clippy::print_stdout, reason = "it is a table to be read")]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use hawkfish_core::ctx::Ctx;
use hawkfish_core::systems::ResetType;
use hawkfish_sim::{PASSWORD, USER, World};
use jiff::SignedDuration;
use reqwest::Client;
use serde_json::Value;

const MANY: usize = 100_000;
const KIB: f64 = 1024.0;
/// Requests under way at a time.
const LANES: usize = 8;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

struct Running {
    child: Child,
    url: String,
    /// From the start to the first 200.
    ready_in: Duration,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    async fn start(client: &Client, command: &mut Command) -> Result<Self> {
        let begun = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let url = line.split_whitespace().last().ok_or("no URL")?.to_owned();
        let status = client.get(&url).send().await?.status();
        let ready_in = begun.elapsed();
        assert_eq!(status, 200);
        Ok(Self {
            child,
            url,
            ready_in,
        })
    }

    /// What it holds in memory, KiB.
    fn resident(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.ok_or("no VmRSS")?.trim().trim_end_matches(" kB");
        Ok(kib.parse()?)
    }

    /// What it has taken of processors, seconds.
    fn cpu(&self) -> Result<f64> {
        const TICKS_A_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let rest = stat.rsplit(") ").next().ok_or("no stat")?;
        let field = |number: usize| rest.split(' ').nth(number).unwrap_or("0").parse::<f64>();
        Ok((field(11)? + field(12)?) / TICKS_A_SECOND)
    }

    async fn json(&self, client: &Client, uri: &str) -> Result<Value> {
        let root = self.url.trim_end_matches("/redfish/v1/");
        let asked = client.get(format!("{root}{uri}"));
        let answer = asked.basic_auth(USER, Some(PASSWORD)).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

/// The middle one of several starts.
async fn ready_in(client: &Client, mut command: impl FnMut() -> Command) -> Result<f64> {
    let mut all = Vec::new();
    for _ in 0..5 {
        let running = Running::start(client, &mut command()).await?;
        all.push(running.ready_in.as_secs_f64() * 1e3);
    }
    all.sort_by(f64::total_cmp);
    Ok(all[all.len() / 2])
}

fn simulator(systems: usize) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawkfish-sim"));
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--seed", "1"])
        .args(["--systems", &systems.to_string()]);
    command
}

/// A server that answers and does nothing else.
async fn bare() -> Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("url http://{address}/redfish/v1/");
    std::io::stdout().flush()?;
    let app = Router::new().route("/redfish/v1/", get(async || "{}"));
    axum::serve(listener, app).await?;
    Ok(())
}

/// Does something with each, several at a time.
async fn each<F: Future<Output = Result<()>> + Send + 'static>(
    all: &[String],
    act: impl Fn(String) -> F + Send + Sync + Clone + 'static,
) -> Result<()> {
    let mut lanes = Vec::new();
    for lane in 0..LANES {
        let mine: Vec<String> = all.iter().skip(lane).step_by(LANES).cloned().collect();
        let act = act.clone();
        lanes.push(tokio::spawn(async move {
            for one in mine {
                act(one).await?;
            }
            Result::Ok(())
        }));
    }
    for lane in lanes {
        lane.await??;
    }
    Ok(())
}

/// Reads each system and its manager, and turns it on.
async fn touch(running: &Arc<Running>, client: &Client, members: &[String]) -> Result<()> {
    let (running, client) = (Arc::clone(running), client.clone());
    let act = move |uri: String| {
        let (running, client) = (Arc::clone(&running), client.clone());
        async move {
            running.json(&client, &uri).await?;
            let manager = uri.replace("Systems", "Managers");
            running.json(&client, &manager).await?;
            let root = running.url.trim_end_matches("/redfish/v1/");
            let reset = format!("{root}{uri}/Actions/ComputerSystem.Reset");
            let asked = client.post(reset).basic_auth(USER, Some(PASSWORD));
            let asked = asked.header("content-type", "application/json");
            let answer = asked.body(r#"{"ResetType":"On"}"#).send().await?;
            answer.error_for_status()?;
            Ok(())
        }
    };
    each(members, act).await
}

/// Everything that one system leads to.
async fn walk(running: &Running, client: &Client, system: &str) -> Result<usize> {
    let id = system.rsplit('/').next().ok_or("no id")?;
    let mut to_read = vec![system.to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(uri) = to_read.pop() {
        if !uri.contains(id) || uri.contains('#') || !seen.insert(uri.clone()) {
            continue;
        }
        let mut values = vec![running.json(client, &uri).await?];
        while let Some(value) = values.pop() {
            match value {
                Value::Object(map) => {
                    for (name, value) in map {
                        match value {
                            Value::String(uri) if name == "@odata.id" => to_read.push(uri),
                            Value::Object(_) | Value::Array(_) => values.push(value),
                            _ => {}
                        }
                    }
                }
                Value::Array(all) => values.extend(all),
                _ => {}
            }
        }
    }
    Ok(seen.len())
}

async fn measure(touched: usize) -> Result<()> {
    let client = Client::builder().no_proxy().build()?;
    let me = std::env::current_exe()?;
    let nothing = ready_in(&client, || {
        let mut command = Command::new(&me);
        command.arg("bare");
        command
    })
    .await?;
    let few = ready_in(&client, || simulator(4)).await?;
    let many = ready_in(&client, || simulator(MANY)).await?;
    println!(
        "start to the first 200, ms:  bare axum {nothing:.1}, 4 BMCs {few:.1}, {MANY} BMCs {many:.1}"
    );

    let idle = Running::start(&client, &mut simulator(4))
        .await?
        .resident()?;
    let running = Arc::new(Running::start(&client, &mut simulator(MANY)).await?);
    let all = running.resident()?;
    let each = (all - idle) / MANY as f64;
    println!(
        "resident, MiB:  4 BMCs {:.1}, {MANY} BMCs {:.1}: {each:.2} KiB each",
        idle / KIB,
        all / KIB
    );

    let list = running.json(&client, "/redfish/v1/Systems").await?;
    let members = list["Members"].as_array().ok_or("no members")?.iter();
    let members = members.filter_map(|member| Some(member["@odata.id"].as_str()?.to_owned()));
    let members: Vec<String> = members.collect();
    println!(
        "  with the list of all read, MiB: {:.1}",
        running.resident()? / KIB
    );

    let cpu = running.cpu()?;
    let mut resources = 0;
    for system in members.iter().step_by(MANY / 50) {
        resources += walk(&running, &client, system).await?;
    }
    let cpu = (running.cpu()? - cpu) * 1e6 / resources as f64;
    println!(
        "walk of 50 trees:  {resources} resources, {cpu:.1} µs of the server's processor each"
    );

    let before = running.resident()?;
    let (cpu, begun) = (running.cpu()?, Instant::now());
    touch(&running, &client, &members[..touched]).await?;
    let cpu = (running.cpu()? - cpu) * 1e6 / touched as f64;
    let after = running.resident()?;
    println!(
        "{touched} systems read, their managers read, and turned on:  {:.1} s, {cpu:.0} µs each; {:.1} MiB resident, {:.2} KiB more for each",
        begun.elapsed().as_secs_f64(),
        after / KIB,
        (after - before) / touched as f64
    );
    drop(running);

    let world = World::builder()
        .seed(1)
        .systems(1_000)
        .traced(false)
        .start()
        .await?;
    let ctx = Ctx::service();
    for id in world.hawkfish().inventory().ids(&ctx) {
        world.hawkfish().reset(&ctx, &id, ResetType::On).await?;
    }
    let begun = Instant::now();
    world.advance(SignedDuration::from_hours(24)).await?;
    println!(
        "a day of 1000 systems that are turned on:  {:.2} s",
        begun.elapsed().as_secs_f64()
    );
    world.close().await?;
    Ok(())
}

fn main() -> Result<()> {
    let says = |word: &str| std::env::args().any(|arg| arg == word);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    if says("bare") {
        return runtime.block_on(bare());
    }
    let touched = if says("few") { MANY / 10 } else { MANY };
    runtime.block_on(measure(touched))
}
