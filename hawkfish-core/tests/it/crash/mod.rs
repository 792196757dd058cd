//! Thousands of crashes on real SQLite files, each at a step of the writer, of a host or of a delivery: what was acknowledged is there afterwards with its events, each
//! change has its event and each event its change, and every destination gets every event that is for it, in order, and twice only over a crash.
//!
//! A crash is a copy of the database's files as they lie at that step; the next life goes on with the copy, and of the old one nothing is heard any more. What comes
//! is chosen by a seed, and so is where it ends.

mod claims;
mod life;
mod script;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use hawkfish_core::app::HawkFish;
use hawkfish_core::backend::sim::{SimBackend, SimSettings};
use hawkfish_core::clock::ManualClock;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::life::{Life, Town};
use self::script::Op;

/// What happens until the crash, and at which step that comes.
#[derive(Clone, Debug)]
struct Chapter {
    rounds: Vec<Vec<Op>>,
    steps: u64,
}

fn chapter() -> impl Strategy<Value = Chapter> {
    let round = proptest::collection::vec(script::op(), 1..=3);
    let rounds = proptest::collection::vec(round, 1..=10);
    (rounds, 1..160_u64).prop_map(|(rounds, steps)| Chapter { rounds, steps })
}

fn story() -> impl Strategy<Value = Vec<Chapter>> {
    proptest::collection::vec(chapter(), 1..=16)
}

/// A store that was opened once.
fn template() -> tempfile::TempDir {
    let dir = folder();
    let runtime = life::runtime();
    runtime.block_on(async {
        let hf = HawkFish::builder()
            .data_dir(dir.path())
            .start()
            .await
            .unwrap();
        hf.close().await.unwrap();
    });
    dir
}

/// A folder in memory, where there is such a thing: no crash of the machine is tried here, and a thousand processes start.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// Lives through a story, and gives the number of crashes.
fn live(template: &Path, story: &[Chapter], steps: &Mutex<Vec<u64>>) -> Result<u64, String> {
    live_with(template, story, steps, &[])
}

/// The same, and each crash damages the database by SQL, as no crash may.
fn live_with(
    template: &Path,
    story: &[Chapter],
    steps: &Mutex<Vec<u64>>,
    damage: &[&'static str],
) -> Result<u64, String> {
    let folder = folder();
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let settings = SimSettings {
        systems: 2,
        seed: 1,
        ..SimSettings::default()
    };
    let rack = SimBackend::new(settings, clock.clone());
    let town = Arc::new(Town::default());
    let place = |number: usize| -> PathBuf { folder.path().join(number.to_string()) };
    life::copy(template, &place(0));
    let mut seen = claims::Seen::default();
    let mut crashes = 0;
    for (number, chapter) in story.iter().enumerate() {
        town.begin(number);
        let life = Life::new(
            town.clone(),
            place(number),
            place(number + 1),
            chapter.steps,
        );
        let told = {
            let runtime = life::runtime();
            let told = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = life.ended() => Ok(()),
                    told = script::run(&life, &rack, &clock, &chapter.rounds, &mut seen) => told,
                }
            });
            runtime.shutdown_background();
            told
        };
        told.map_err(|why| format!("in life {number}: {why}"))?;
        steps.lock().unwrap().push(life.steps_taken());
        life::runtime().block_on(life::damage(&place(number + 1), damage));
        crashes += 1;
    }
    let number = story.len();
    town.begin(number);
    let life = Life::new(town, place(number), place(number + 1), u64::MAX);
    let runtime = life::runtime();
    let told = runtime.block_on(script::epilogue(&life, &rack, &clock, &mut seen));
    runtime.shutdown_background();
    told.map_err(|why| format!("in the last life: {why}"))?;
    Ok(crashes)
}

fn setting(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn however_often_the_process_dies_no_event_is_lost_made_up_or_out_of_order() {
    let template = template();
    let enough = setting("HAWKFISH_CRASHES", 2_000);
    let seed = setting("HAWKFISH_SEED", 1);
    let (crashes, steps) = (AtomicU64::new(0), Mutex::default());
    std::thread::scope(|scope| {
        let (crashes, steps, template) = (&crashes, &steps, template.path());
        let workers: Vec<_> = (0..2)
            .map(|worker| {
                scope.spawn(move || {
                    let mut bytes = [0; 32];
                    bytes[..8].copy_from_slice(&seed.to_le_bytes());
                    bytes[8] = worker;
                    let config = Config {
                        cases: u32::try_from(enough).unwrap_or(u32::MAX),
                        failure_persistence: None,
                        max_shrink_iters: 400,
                        ..Config::default()
                    };
                    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
                    let mut runner = TestRunner::new_with_rng(config, rng);
                    runner.run(&story(), |story| {
                        // As many as are wanted, whoever has them.
                        if crashes.load(Ordering::Acquire) >= enough {
                            return Ok(());
                        }
                        let more = live(template, &story, steps).map_err(TestCaseError::fail)?;
                        crashes.fetch_add(more, Ordering::AcqRel);
                        Ok(())
                    })
                })
            })
            .collect();
        for worker in workers {
            if let Err(error) = worker.join().unwrap() {
                panic!("with HAWKFISH_SEED={seed}: {error}");
            }
        }
    });
    let steps = steps.into_inner().unwrap();
    let crashes = crashes.into_inner();
    eprintln!(
        "{crashes} crashes, after {} steps on average",
        steps.iter().sum::<u64>() / steps.len().max(1) as u64,
    );
    assert!(crashes >= enough);
}

#[test]
fn what_a_crash_may_not_do_is_found_out() {
    use crate::crash::life::Mood;
    use hawkfish_core::subscriptions::Retry;
    use hawkfish_core::systems::ResetType;

    let template = template();
    let chapter = |rounds| Chapter {
        rounds,
        steps: u64::MAX,
    };
    let story = [
        chapter(vec![
            vec![Op::Subscribe(Retry::RetryForever, false)],
            vec![Op::MakeAccount],
            vec![Op::Settle],
            vec![Op::Mood(0, Mood::Refuses)],
            vec![Op::MakeTask(true)],
            vec![Op::WorkOnTask(0, 50)],
            vec![Op::Reset(0, ResetType::On), Op::Insert(0)],
            vec![Op::Settle],
        ]),
        chapter(vec![vec![Op::MakeAccount], vec![Op::Settle]]),
    ];
    let tell =
        |damage: &[&'static str]| live_with(template.path(), &story, &Mutex::default(), damage);
    assert_eq!(tell(&[]), Ok(2));
    for (damage, says) in [
        // An event is lost: the last, one in the middle.
        (
            "DELETE FROM hf_events WHERE seq = (SELECT MAX(seq) FROM hf_events)",
            "was seen",
        ),
        ("DELETE FROM hf_events WHERE seq = 3", "has the number"),
        // A change is lost, and its event is not.
        ("DELETE FROM hf_subscriptions", "what there is"),
        ("DELETE FROM hf_accounts", "what there is"),
        ("DELETE FROM hf_tasks", "is told"),
        ("DELETE FROM hf_log_entries", "the log of"),
        // A destination is thought to be further than it is.
        (
            "UPDATE hf_subscriptions SET delivery = json_set(delivery, '$.through', json_extract(delivery, '$.through') + 3, '$.pin', NULL)",
            "never gets",
        ),
    ] {
        let found = tell(&[damage]).expect_err(damage);
        assert!(found.contains(says), "{damage}: {found}");
    }
}
