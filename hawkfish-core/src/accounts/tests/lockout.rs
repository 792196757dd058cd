use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

#[tokio::test]
async fn failures_lock_an_account_for_a_time_and_a_restart_does_not_open_it() {
    let w = world().await;
    let b = w.add("b", "Operator").await;
    for _ in 0..5 {
        assert!(!w.try_password("b", "wrong one").await);
    }
    let locked = w.accounts.get(&b).unwrap();
    assert!(locked.locked);
    assert!(!w.try_password("b", GOOD).await, "let in while locked");
    assert!(
        w.try_password("admin", GOOD).await,
        "another account is locked with it"
    );

    let accounts = open(&w.store, &w.clock).await;
    assert!(accounts.get(&b).unwrap().locked);
    let w = World { accounts, ..w };
    w.clock.advance(SignedDuration::from_secs(299));
    assert!(!w.try_password("b", GOOD).await);
    w.clock.advance(SignedDuration::from_secs(1));
    let open_again = w.accounts.get(&b).unwrap();
    assert!(!open_again.locked);
    assert_ne!(open_again.generation, locked.generation, "seen as a change");
    assert_eq!(w.accounts.by_name("b").unwrap(), open_again);
    assert_eq!(w.accounts.list()[1], open_again);
    assert!(w.try_password("b", GOOD).await);
    let generation = w.accounts.get(&b).unwrap().generation;
    assert!(generation > open_again.generation);
    // A success ends the count.
    for _ in 0..4 {
        assert!(!w.try_password("b", "wrong one").await);
    }
    assert!(w.try_password("b", GOOD).await);
    for _ in 0..4 {
        assert!(!w.try_password("b", "wrong one").await);
    }
    assert!(w.try_password("b", GOOD).await);
}

#[tokio::test]
async fn failures_are_forgotten_after_a_time() {
    let w = world().await;
    let b = w.add("b", "Operator").await;
    for _ in 0..4 {
        w.try_password("b", "wrong one").await;
    }
    w.clock.advance(SignedDuration::from_secs(60));
    for _ in 0..4 {
        w.try_password("b", "wrong one").await;
    }
    assert!(!w.accounts.get(&b).unwrap().locked);
    w.try_password("b", "wrong one").await;
    assert!(w.accounts.get(&b).unwrap().locked);
}

#[tokio::test]
async fn an_administrator_unlocks_and_nobody_locks() {
    let w = world().await;
    let change = PolicyChange {
        lockout_counter_reset: Some(false),
        ..PolicyChange::default()
    };
    w.policy(change).await.unwrap();
    let b = w.add("b", "Operator").await;
    let lock = AccountChange {
        locked: Some(true),
        ..AccountChange::default()
    };
    let unlock = AccountChange {
        locked: Some(false),
        ..AccountChange::default()
    };
    assert_eq!(
        property(&w.change(&b, lock.clone()).await.unwrap_err()),
        "/Locked"
    );
    for _ in 0..5 {
        w.try_password("b", "wrong one").await;
    }
    w.clock.advance(SignedDuration::from_hours(24));
    assert!(
        !w.try_password("b", GOOD).await,
        "time opens no lock while the counter is not reset"
    );
    w.change(&b, lock).await.expect("it is locked already");
    assert!(!w.change(&b, unlock).await.unwrap().locked);
    assert!(w.try_password("b", GOOD).await);
}

#[tokio::test]
async fn a_threshold_of_zero_locks_nobody() {
    let w = world().await;
    w.policy(PolicyChange {
        lockout_threshold: Some(0),
        ..PolicyChange::default()
    })
    .await
    .unwrap();
    for _ in 0..20 {
        w.try_password("admin", "wrong one").await;
    }
    assert!(w.try_password("admin", GOOD).await);
}

/// What the lockout of an account should be, told from the whole history instead of a count.
fn expected(policy: &AccountPolicy, history: &[(i64, Attempt)], now: i64) -> bool {
    let (duration, reset) = (
        i64::from(policy.lockout_duration),
        i64::from(policy.lockout_reset_after),
    );
    let mut run: Vec<i64> = Vec::new();
    let mut locked_at = None;
    for (at, attempt) in history {
        if locked_at.is_some_and(|l| policy.lockout_counter_reset && at - l >= duration) {
            locked_at = None;
            run.clear();
        }
        if locked_at.is_some() && *attempt != Attempt::Unlocked {
            continue;
        }
        match attempt {
            Attempt::Failed => {
                if policy.lockout_counter_reset && run.last().is_some_and(|last| at - last >= reset)
                {
                    run.clear();
                }
                run.push(*at);
                if run.len() >= policy.lockout_threshold as usize && policy.locks() {
                    locked_at = Some(*at);
                }
            }
            Attempt::Succeeded | Attempt::Unlocked => {
                run.clear();
                locked_at = None;
            }
        }
    }
    locked_at.is_some_and(|l| !(policy.lockout_counter_reset && now - l >= duration))
}

proptest! {
    #[test]
    fn an_account_is_locked_exactly_when_its_history_says_so(
        threshold in 0..6_u32,
        duration in 0..100_u32,
        reset in 0..100_u32,
        counter_reset in any::<bool>(),
        steps in proptest::collection::vec((0..60_i64, 0..10_u8), 0..80),
    ) {
        let policy = AccountPolicy {
            lockout_threshold: threshold,
            lockout_duration: duration,
            lockout_reset_after: reset.min(duration),
            lockout_counter_reset: counter_reset,
            ..AccountPolicy::default()
        };
        let mut lockout = Lockout::default();
        let mut history = Vec::new();
        let mut now = 0;
        for (pause, what) in steps {
            now += pause;
            let attempt = match what {
                0 => Attempt::Unlocked,
                1 => Attempt::Succeeded,
                _ => Attempt::Failed,
            };
            let at = start() + SignedDuration::from_secs(now);
            prop_assert_eq!(lockout.locked(&policy, at), expected(&policy, &history, now));
            lockout = lockout.event(&policy, at, attempt);
            history.push((now, attempt));
            prop_assert_eq!(lockout.locked(&policy, at), expected(&policy, &history, now));
        }
    }
}
