//! What the client costs beside a loop around reqwest that a program would write by hand: CPU of the client alone, and the time that it takes, in the same minute
//! against the same served simulator.
//!
//! `cargo bench -p hawkfish-client --bench walk`; the exit code is 1 where it costs more than twice as much.
#![expect(clippy::print_stdout, reason = "it is a table to be read")]

use std::collections::HashSet;
use std::future::Future;
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt as _};
use hawkfish_client::{Client, SERVICE_ROOT, link};
use hawkfish_sim::{PASSWORD, USER, World};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

/// Requests under way at a time.
const LANES: usize = 8;
/// How often each is done; the best of them counts, for a machine does other things, too.
const ROUNDS: usize = 7;
/// The most that the client may cost, in what the loop costs.
const GOAL: f64 = 2.0;

/// What something took.
#[derive(Clone, Copy)]
struct Cost {
    cpu: Duration,
    wall: Duration,
    /// How many resources were read.
    read: usize,
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        now.tv_sec.unsigned_abs(),
        now.tv_nsec.unsigned_abs().try_into().unwrap_or_default(),
    )
}

/// Runs it on a thread of its own, so that what it costs is what the thread costs: connections and all.
fn measured<F: Future<Output = usize>>(work: impl FnOnce() -> F + Send) -> Cost {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let work = work();
                let (before, begun) = (cpu(), Instant::now());
                let read = work.await;
                Cost {
                    cpu: cpu() - before,
                    wall: begun.elapsed(),
                    read,
                }
            })
        });
        thread.join().expect("no panic")
    })
}

fn http() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder.build().expect("a client")
}

async fn json(http: &reqwest::Client, url: &str, uri: &str) -> Value {
    let request = http
        .get(format!("{url}{uri}"))
        .basic_auth(USER, Some(PASSWORD));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{uri}");
    answer.json().await.expect("JSON")
}

fn links(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(uri) if name == "@odata.id" => {
                        into.push(uri.split('#').next().unwrap_or_default().to_owned());
                    }
                    below => links(below, into),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| links(item, into)),
        _ => {}
    }
}

/// Level by level, as it is mostly written.
async fn walk_by_hand(url: &str) -> usize {
    let http = http();
    let mut known = HashSet::from([SERVICE_ROOT.to_owned()]);
    let mut level = vec![SERVICE_ROOT.to_owned()];
    while !level.is_empty() {
        let mut bodies = stream::iter(&level)
            .map(|uri| json(&http, url, uri))
            .buffered(LANES);
        let mut next = Vec::new();
        while let Some(body) = bodies.next().await {
            let mut found = Vec::new();
            links(&body, &mut found);
            for link in found {
                if known.insert(link.clone()) {
                    next.push(link);
                }
            }
        }
        drop(bodies);
        level = next;
    }
    known.len()
}

fn client(url: &str) -> Client {
    let builder = Client::builder(url).basic(USER, PASSWORD);
    builder.build().expect("a client")
}

async fn walk(url: &str) -> usize {
    let client = client(url);
    let mut walk = client.walk(SERVICE_ROOT).at_once(LANES);
    let mut read = 0;
    while let Some(found) = walk.next().await {
        found.expect("a resource");
        read += 1;
    }
    read
}

async fn expand_by_hand(url: &str) -> usize {
    let http = http();
    let root = json(&http, url, SERVICE_ROOT).await;
    let systems = link(&root, "/Systems").expect("systems");
    let page = json(&http, url, &format!("{systems}?$expand=.($levels=1)")).await;
    page["Members"].as_array().expect("members").len()
}

async fn expand(url: &str) -> usize {
    let client = client(url);
    let root = client.root().await.expect("a root").value;
    let systems = link(&root, "/Systems").expect("systems");
    client.resources(systems).await.expect("systems").len()
}

async fn each_by_hand(url: &str) -> usize {
    let http = http();
    let root = json(&http, url, SERVICE_ROOT).await;
    let page = json(&http, url, link(&root, "/Systems").expect("systems")).await;
    let members = page["Members"].as_array().expect("members");
    let read = stream::iter(members)
        .map(|member| json(&http, url, link(member, "").expect("a link")))
        .buffered(LANES);
    let read: Vec<Value> = read.collect().await;
    read.len()
}

async fn each(url: &str) -> usize {
    let client = client(url);
    let root = client.root().await.expect("a root").value;
    let systems = link(&root, "/Systems").expect("systems");
    let read = client.resources(systems).one_by_one().await;
    read.expect("systems").len()
}

async fn typed(url: &str) -> usize {
    let systems = client(url).systems().await.expect("systems");
    systems.len()
}

/// The best of both, one after the other so that they see the same machine.
fn beside<A: Future<Output = usize>, B: Future<Output = usize>>(
    what: &str,
    ours: impl Fn() -> A + Send + Sync,
    by_hand: impl Fn() -> B + Send + Sync,
) -> bool {
    let mut best: [Option<Cost>; 2] = [None, None];
    for _ in 0..ROUNDS {
        for (best, cost) in best.iter_mut().zip([measured(&ours), measured(&by_hand)]) {
            let so_far = best.get_or_insert(cost);
            assert_eq!(so_far.read, cost.read, "{what}: not the same each time");
            so_far.cpu = so_far.cpu.min(cost.cpu);
            so_far.wall = so_far.wall.min(cost.wall);
        }
    }
    let [Some(ours), Some(hand)] = best else {
        return false;
    };
    assert_eq!(ours.read, hand.read, "{what}: not the same resources");
    let each = |time: Duration| time.as_secs_f64() * 1e6 / ours.read as f64;
    let ratio = |ours: Duration, hand: Duration| ours.as_secs_f64() / hand.as_secs_f64();
    let (cpu, wall) = (ratio(ours.cpu, hand.cpu), ratio(ours.wall, hand.wall));
    println!(
        "{what:<34} {:>7} {:>9.1} {:>9.1} {cpu:>6.2} {:>9.1} {:>9.1} {wall:>6.2}",
        ours.read,
        each(ours.cpu),
        each(hand.cpu),
        each(ours.wall),
        each(hand.wall),
    );
    cpu <= GOAL && wall <= GOAL
}

async fn served(systems: usize) -> (World, hawkfish_sim::Served, String) {
    let world = World::builder().seed(6).systems(systems).traced(false);
    let world = world.start().await.expect("a world");
    let served = world.serve(([127, 0, 0, 1], 0).into()).await;
    let served = served.expect("an address");
    let url = format!("http://{}", served.address);
    (world, served, url)
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "µs a resource, best of {ROUNDS}{:>17} {:>9} {:>9} {:>6} {:>9} {:>9} {:>6}",
        "read", "CPU", "by hand", "ratio", "time", "by hand", "ratio"
    );
    let mut good = true;
    let (few, _served, url) = runtime.block_on(served(20));
    good &= beside("walk of 20 machines", || walk(&url), || walk_by_hand(&url));
    runtime.block_on(few.close()).expect("an end");
    let (many, _served, url) = runtime.block_on(served(1000));
    good &= beside(
        "1,000 machines, $expand",
        || expand(&url),
        || expand_by_hand(&url),
    );
    good &= beside("1,000 machines, each", || each(&url), || each_by_hand(&url));
    good &= beside(
        "1,000 machines as types, $expand",
        || typed(&url),
        || expand_by_hand(&url),
    );
    runtime.block_on(many.close()).expect("an end");
    if !good {
        println!("more than {GOAL} times as much");
        std::process::exit(1);
    }
}
