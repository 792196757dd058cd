use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use sqlx::Connection as _;
use sqlx::sqlite::SqliteConnectOptions;

use super::*;
use crate::error::{Conflict, ErrorKind};

async fn put(store: &Store, name: &str) -> Result<()> {
    let name = name.to_owned();
    store
        .write(move |tx| Box::pin(async move { settings::put(tx, &name, &1).await }))
        .await
}

async fn has(store: &Store, name: &str) -> bool {
    let name = name.to_owned();
    let value: Option<u32> = store
        .read(move |conn| Box::pin(async move { settings::get(conn, &name).await }))
        .await
        .expect("a read");
    value.is_some()
}

async fn names(store: &Store) -> BTreeSet<String> {
    store
        .read(|conn| {
            Box::pin(async move {
                Ok(sqlx::query_scalar("SELECT name FROM hf_settings")
                    .fetch_all(conn)
                    .await?)
            })
        })
        .await
        .map(|names: Vec<String>| names.into_iter().collect())
        .expect("a read")
}

async fn stores() -> (tempfile::TempDir, [Store; 2]) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = Store::open(Some(dir.path()))
        .await
        .expect("a store in a file");
    let memory = Store::open(None).await.expect("a store in memory");
    (dir, [file, memory])
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_fails_undoes_itself_and_nothing_beside_it() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let all: Vec<_> = (0..400)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    store
                        .write(move |tx| {
                            Box::pin(async move {
                                settings::put(tx, &format!("n{n}"), &n).await?;
                                match n % 4 {
                                    1 => Err(Error::backend("refused")),
                                    3 => panic!("number {n}"),
                                    _ => Ok(n),
                                }
                            })
                        })
                        .await
                })
            })
            .collect();
        for (n, task) in all.into_iter().enumerate() {
            let result = task.await.expect("a producer");
            match n % 4 {
                1 => assert_eq!(*result.unwrap_err().kind(), ErrorKind::Backend),
                3 => assert_eq!(*result.unwrap_err().kind(), ErrorKind::Internal),
                _ => assert_eq!(result.unwrap(), n),
            }
        }
        let expected: BTreeSet<_> = (0..400).step_by(2).map(|n| format!("n{n}")).collect();
        assert_eq!(names(&store).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_follow_the_commit_in_its_order_and_before_the_answer() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all: Vec<_> = (0..200)
            .map(|n| {
                let (store, seen) = (store.clone(), seen.clone());
                tokio::spawn(async move {
                    let hook = seen.clone();
                    let result = store
                        .write(move |tx| {
                            Box::pin(async move {
                                let number = tx.next_number("test").await?;
                                tx.after_commit(move || hook.lock().unwrap().push(number));
                                if n % 3 == 0 {
                                    Err(Error::backend("refused"))
                                } else {
                                    Ok(number)
                                }
                            })
                        })
                        .await;
                    if let Ok(number) = result {
                        assert!(
                            seen.lock().unwrap().contains(&number),
                            "answered before its hook"
                        );
                    }
                })
            })
            .collect();
        for task in all {
            task.await.expect("a producer");
        }
        let seen = seen.lock().unwrap();
        // Numbers of failed work were given back, and hooks of failed work did not run.
        assert_eq!(*seen, (1..=seen.len() as u64).collect::<Vec<_>>());
        assert_eq!(seen.len(), 200 - 67);
    }
}

#[tokio::test]
async fn a_hook_that_panics_harms_nobody() {
    let store = Store::open(None).await.unwrap();
    store
        .write(|tx| {
            tx.after_commit(|| panic!("a hook"));
            Box::pin(async { Ok(()) })
        })
        .await
        .unwrap();
    put(&store, "after").await.unwrap();
    assert!(has(&store, "after").await);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_who_wait_for_it() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook = seen.clone();
        let works = store.write(move |tx| {
            Box::pin(async move {
                settings::put(tx, "innocent", &1).await?;
                tx.after_commit(move || hook.lock().unwrap().push(1));
                Ok(())
            })
        });
        let fails = store.write(|tx| {
            Box::pin(async move {
                // Looked at by COMMIT alone.
                sqlx::query("PRAGMA defer_foreign_keys = ON").execute(tx.conn()).await?;
                sqlx::query(
                    "INSERT INTO hf_sessions (id, account, token_sha256, created_ms, last_used_ms) VALUES ('1', 'nobody', x'00', 0, 0)",
                )
                .execute(tx.conn())
                .await?;
                Ok(())
            })
        });
        // Both wait before the writer, which is held up by the first, looks again.
        let (gate, open) = std::sync::mpsc::channel::<()>();
        let first = store.write(move |_| {
            open.recv().expect("the gate");
            Box::pin(async { Ok(()) })
        });
        let opener = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            gate.send(()).expect("the gate");
        };
        let (first, works, fails, ()) = tokio::join!(first, works, fails, opener);
        assert!(first.is_err() && works.is_err() && fails.is_err());
        assert!(seen.lock().unwrap().is_empty());
        assert!(!has(&store, "innocent").await);
        put(&store, "later").await.expect("the writer goes on");
        assert!(has(&store, "later").await);
    }
}

fn told(name: &str) -> (Subject, Event) {
    let event = Event {
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        what: logs::What::Changed,
        by: None,
    };
    let system = crate::id::SystemId::parse(name).unwrap();
    (Subject::System(system), event)
}

/// Holds the writer up until what is handed in meanwhile waits, so that all of it goes into one commit.
async fn together<T>(store: &Store, works: impl Future<Output = T>) -> T {
    let (gate, open) = std::sync::mpsc::channel::<()>();
    let first = store.later(move |_| {
        open.recv().expect("the gate");
        Ok(())
    });
    let opener = async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        gate.send(()).expect("the gate");
    };
    let (first, works, ()) = tokio::join!(first, works, opener);
    first.expect("the first");
    works
}

#[tokio::test]
async fn what_is_left_to_a_commit_is_in_it_however_it_is_mixed_with_work_that_needs_sql_and_work_that_fails()
 {
    let (_dir, stores) = stores().await;
    for store in stores {
        // Handed in when it is polled, as the others are.
        let later = async |name: &'static str, fails: bool| {
            let work = store.later(move |later| {
                let (about, event) = told(name);
                later.happened(about, event);
                match fails {
                    false => Ok(()),
                    true => Err(Error::backend("refused")),
                }
            });
            work.await
        };
        let sql = |name: &'static str, fails: bool| {
            store.write(move |tx| {
                Box::pin(async move {
                    let (about, event) = told(name);
                    tx.happened(about, event);
                    settings::put(tx, name, &1).await?;
                    match fails {
                        false => Ok(()),
                        true => Err(Error::backend("refused")),
                    }
                })
            })
        };
        let before = store.commits();
        let done = together(&store, async {
            tokio::join!(
                later("a", false),
                sql("lost-first", true),
                later("lost", true),
                sql("b", false),
                later("c", false),
                sql("lost-last", true),
                sql("d", false),
                later("lost-too", true),
            )
        })
        .await;
        assert!(done.0.is_ok() && done.3.is_ok() && done.4.is_ok() && done.6.is_ok());
        assert!(done.1.is_err() && done.2.is_err() && done.5.is_err() && done.7.is_err());
        assert_eq!(store.commits(), before + 1);
        assert_eq!(names(&store).await, ["b", "d"].map(str::to_owned).into());
        let kept: Vec<String> = store
            .read(|conn| {
                Box::pin(async move {
                    let sql = "SELECT seq || ' ' || json_extract(fact, '$.about.System') FROM hf_events ORDER BY seq";
                    Ok(sqlx::query_scalar(sql).fetch_all(conn).await?)
                })
            })
            .await
            .unwrap();
        assert_eq!(kept, ["1 a", "2 b", "3 c", "4 d"]);
    }
}

#[tokio::test]
async fn work_that_settles_finds_what_was_left_before_it_in_the_same_commit_and_undoes_none_of_it()
{
    let (_dir, stores) = stores().await;
    for store in stores {
        let one = async |name: &'static str| {
            let (about, event) = told(name);
            store.tell(about, event).await
        };
        let settled = async |fails: bool| {
            let work = store.write_settled(move |tx| {
                Box::pin(async move {
                    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM hf_events")
                        .fetch_one(tx.conn())
                        .await?;
                    match fails {
                        false => Ok(found),
                        true => Err(Error::backend("refused")),
                    }
                })
            });
            work.await
        };
        let done = together(&store, async {
            tokio::join!(one("a"), settled(true), one("b"), settled(false), one("c"))
        })
        .await;
        assert!(done.1.is_err());
        assert_eq!(done.3.unwrap(), 2);
        assert_eq!(store.events().last(), 3);
    }
}

#[tokio::test]
async fn nothing_to_keep_is_no_commit() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let before = store.commits();
        store.flush().await.unwrap();
        let refused = store.later(|_| Err::<(), _>(Error::backend("refused")));
        assert!(refused.await.is_err());
        assert_eq!(store.commits(), before);
        let (about, event) = told("a");
        store.tell(about, event).await.unwrap();
        assert_eq!(store.commits(), before + 1);
    }
}

#[tokio::test]
async fn work_is_done_even_if_nobody_waits_for_it() {
    let store = Store::open(None).await.unwrap();
    {
        let work = put(&store, "forgotten");
        tokio::pin!(work);
        // Once polled it is handed in; then it is dropped.
        assert!(futures::poll!(&mut work).is_pending());
    }
    put(&store, "next").await.unwrap();
    assert!(has(&store, "forgotten").await);
}

#[tokio::test]
async fn reading_changes_nothing() {
    let (_dir, stores) = stores().await;
    for store in stores {
        let result = store
            .read(|conn| {
                Box::pin(async move {
                    let sql = "INSERT INTO hf_settings (name, value) VALUES ('sneaked', '1')";
                    // In memory there is no connection that only reads; what it did is undone.
                    let _ = sqlx::query(sql).execute(conn).await;
                    Ok(())
                })
            })
            .await;
        assert!(result.is_ok());
        assert!(!has(&store, "sneaked").await);
    }
}

#[tokio::test]
async fn a_data_directory_serves_one_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b");
    let store = Store::open(Some(&data)).await.unwrap();
    put(&store, "kept").await.unwrap();
    let error = Store::open(Some(&data)).await.expect_err("a second owner");
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::InUse));
    assert!(
        error.message().contains("in use by another HawkFish"),
        "{error}"
    );

    store.close().await;
    assert!(put(&store, "late").await.is_err());
    let again = Store::open(Some(&data))
        .await
        .expect("the directory is free");
    assert!(has(&again, "kept").await);
    assert!(!has(&again, "late").await);
    again.close().await;
}

#[tokio::test]
async fn close_does_first_what_was_handed_in_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Some(dir.path())).await.unwrap();
    let names_put: Vec<_> = (0..100).map(|n| format!("n{n}")).collect();
    let puts = futures::future::join_all(names_put.iter().map(|name| put(&store, name)));
    let (results, ()) = tokio::join!(puts, store.close());
    assert!(results.iter().all(Result::is_ok));
    assert!(
        !dir.path().join("hawkfish.db-wal").exists(),
        "the log is folded in"
    );
    let again = Store::open(Some(dir.path())).await.unwrap();
    assert_eq!(names(&again).await.len(), 100);
    again.close().await;
}

#[tokio::test]
async fn nobody_else_can_read_the_database() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = Store::open(Some(&data)).await.unwrap();
    put(&store, "secret").await.unwrap();
    let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert_eq!(mode(&name), 0o600, "{name}");
    }
    assert_eq!(mode("hawkfish.db-wal"), 0o600);
    store.close().await;

    fs::set_permissions(data.join(DATABASE), fs::Permissions::from_mode(0o644)).unwrap();
    let store = Store::open(Some(&data)).await.unwrap();
    assert_eq!(
        mode(DATABASE),
        0o600,
        "opened to others, it is closed again"
    );
    store.close().await;
}

async fn raw(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(dir.join(DATABASE))
        .create_if_missing(true);
    SqliteConnection::connect_with(&options)
        .await
        .expect("a database")
}

#[tokio::test]
async fn the_list_of_migrations_is_that_of_the_folder() {
    let mut files: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let listed: Vec<_> = migrate::ALL
        .iter()
        .map(|(_, name, _)| format!("{name}.sql"))
        .collect();
    assert_eq!(listed, files);
    for (version, name, _) in migrate::ALL {
        assert!(name.starts_with(&format!("{version:04}_")), "{name}");
    }
}

#[tokio::test]
async fn an_older_database_is_brought_up_to_date() {
    for versions in 1..migrate::ALL.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut conn = raw(dir.path()).await;
        migrate::migrator(&migrate::ALL[..versions])
            .run_direct(&mut conn)
            .await
            .unwrap();
        sqlx::query("INSERT INTO hf_settings (name, value) VALUES ('old', '1')")
            .execute(&mut conn)
            .await
            .unwrap();
        conn.close().await.unwrap();

        let store = Store::open(Some(dir.path()))
            .await
            .expect("an older database");
        assert!(has(&store, "old").await);
        let tables: Vec<String> = store
            .read(|conn| {
                Box::pin(async move {
                    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'hf\\_%' ESCAPE '\\'";
                    Ok(sqlx::query_scalar(sql).fetch_all(conn).await?)
                })
            })
            .await
            .unwrap();
        for table in [
            "hf_due",
            "hf_accounts",
            "hf_roles",
            "hf_sessions",
            "hf_tasks",
        ] {
            assert!(tables.iter().any(|t| t == table), "{table}");
        }
        store.close().await;
    }
}

#[tokio::test]
async fn a_newer_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(Some(dir.path())).await.unwrap().close().await;
    let mut conn = raw(dir.path()).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'from the future', 1, x'00', 0)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();

    let error = Store::open(Some(dir.path()))
        .await
        .expect_err("a newer database");
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
    assert!(error.message().contains("newer HawkFish"), "{error}");
    assert!(error.message().contains("9999"), "{error}");
}

#[tokio::test]
async fn what_is_no_database_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(DATABASE), vec![b'x'; 8192]).unwrap();
    let error = Store::open(Some(dir.path()))
        .await
        .expect_err("no database");
    assert_eq!(*error.kind(), ErrorKind::Internal);
    assert!(
        format!("{error:?}").contains(&dir.path().display().to_string()),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_runtime_of_one_thread_is_enough() {
    // The answer comes from a thread of its own: nothing here needs a second one, nor a clock.
    let (_dir, stores) = stores().await;
    for store in stores {
        let all = futures::future::join_all((0..50).map(|n| {
            let store = store.clone();
            async move { put(&store, &n.to_string()).await }
        }));
        assert!(all.await.iter().all(Result::is_ok));
        assert_eq!(names(&store).await.len(), 50);
    }
}

/// Set in the process that is to be killed: the data directory.
const CRASH: &str = "HAWKFISH_TEST_CRASH_DIR";
const CRASH_PRODUCERS: usize = 8;

#[test]
fn kill_9_loses_no_acknowledged_write() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    if let Some(dir) = std::env::var_os(CRASH) {
        runtime.block_on(write_until_killed(Path::new(&dir)));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut in_database = 0;
    for round in 0..20 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "db::tests::kill_9_loses_no_acknowledged_write",
                "--exact",
                "--nocapture",
            ])
            .env(CRASH, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let enough = 1 + round * 53 % 400;
        let mut heard = 0;
        let mut line = String::new();
        loop {
            line.clear();
            if said.read_line(&mut line).unwrap() == 0 {
                break;
            }
            // The last line may have been cut off. The harness says other things.
            if let Some(name) = line
                .strip_suffix('\n')
                .and_then(|l| l.strip_prefix("written "))
            {
                acknowledged.insert(name.to_owned());
                heard += 1;
                if heard == enough {
                    child.kill().expect("SIGKILL");
                }
            }
        }
        child.wait().unwrap();
        assert!(
            heard >= enough,
            "the child ended by itself in round {round}"
        );

        runtime.block_on(async {
            let store = Store::open(Some(dir.path()))
                .await
                .expect("the database opens");
            let found = names(&store).await;
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(lost.is_empty(), "round {round}: lost {lost:?}");
            in_database = found.len();
            let sound: String = store
                .read(|conn| {
                    Box::pin(async move {
                        Ok(sqlx::query_scalar("PRAGMA integrity_check")
                            .fetch_one(conn)
                            .await?)
                    })
                })
                .await
                .unwrap();
            assert_eq!(sound, "ok");
            store.close().await;
        });
    }
    // The last few of each round may have been written and not told.
    assert!(in_database - acknowledged.len() <= 20 * 1024);
}

async fn write_until_killed(dir: &Path) {
    let store = Store::open(Some(dir)).await.expect("a store");
    let start = names(&store).await.len();
    let producers: Vec<_> = (0..CRASH_PRODUCERS)
        .map(|producer| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0_u64.. {
                    let name = format!("{start}-{producer}-{n}");
                    put(&store, &name).await.expect("a write");
                    // One call, so that lines of producers do not mix.
                    let line = format!("written {name}\n");
                    if std::io::stdout().lock().write_all(line.as_bytes()).is_err() {
                        return;
                    }
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.expect("a producer");
    }
}
