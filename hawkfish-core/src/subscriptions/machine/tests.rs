use super::*;
use crate::logs::What;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + seconds).unwrap()
}

fn rules(retry: Retry) -> Rules {
    Rules {
        now: at(0),
        retry,
        attempts: 5,
        interval: SignedDuration::from_secs(30),
        jitter: 0,
    }
}

fn failed(status: Option<u16>) -> Event {
    Event::Failed {
        status,
        reason: "no".to_owned(),
        retry_after: None,
    }
}

const PIN: Pin = Pin {
    source: Source::Stream,
    last: 7,
};

/// A destination that is done with 5 events and was begun with those to 7.
fn begun(rules: &Rules) -> Delivery {
    let delivery = Delivery {
        through: 5,
        ..Delivery::default()
    };
    delivery.event(rules, Event::Begun(PIN)).0
}

/// Lets it fail and be due until it is no longer tried; gives it, the waits, and the last actions.
fn fail(rules: &Rules, most: usize) -> (Delivery, Vec<SignedDuration>, Vec<Action>) {
    let (mut delivery, mut waits) = (begun(rules), Vec::new());
    loop {
        let (next, actions) = delivery.event(rules, failed(Some(500)));
        let Life::Waiting { until } = next.life else {
            return (next, waits, actions);
        };
        assert_eq!(actions, [Action::WakeAt(until), Action::Store]);
        waits.push(until.duration_since(rules.now));
        let (due, actions) = next.event(rules, Event::Due);
        assert_eq!(actions, [Action::WakeNever, Action::Store, Action::Look]);
        assert_eq!(due.pin, Some(PIN), "the same is tried again");
        if waits.len() == most {
            return (due, waits, actions);
        }
        delivery = due.event(rules, Event::Begun(PIN)).0;
    }
}

#[test]
fn what_arrives_moves_the_cursor_and_what_does_not_becomes_a_dead_letter_after_five_tries() {
    let rules = rules(Retry::DeadLetter);
    let (done, actions) = begun(&rules).event(&rules, Event::Delivered(2));
    assert_eq!(
        (done.through, done.delivered, done.life),
        (7, 2, Life::Idle)
    );
    assert_eq!(actions, [Action::StoreSoon]);

    let (dead, waits, actions) = fail(&rules, 100);
    assert_eq!(waits.len(), 4);
    assert!(waits.windows(2).all(|two| two[0] < two[1]), "{waits:?}");
    assert_eq!((dead.through, dead.attempts, dead.life), (7, 0, Life::Idle));
    assert_eq!(
        actions[0],
        Action::Bury {
            after: 5,
            last: 7,
            attempts: 5
        }
    );
    assert_eq!(dead.delivered, 0);
}

#[test]
fn a_wait_doubles_to_a_bound_with_chance_in_half_of_it() {
    for jitter in [0, 1, 14_999, 15_000, u64::MAX, 0x1234_5678_9abc] {
        let rules = Rules {
            jitter,
            ..rules(Retry::RetryForeverWithBackoff)
        };
        let (_, waits, _) = fail(&rules, 40);
        for (failures, wait) in waits.iter().enumerate() {
            let whole = SignedDuration::from_secs(30 << failures.min(8)).min(MOST_BACKOFF);
            assert!(*wait >= whole / 2 && *wait <= whole, "{failures}: {wait}");
        }
    }
}

#[test]
fn each_policy_ends_as_it_says() {
    let (suspended, waits, actions) = fail(&rules(Retry::SuspendRetries), 100);
    assert_eq!((waits.len(), suspended.life), (4, Life::Suspended));
    assert_eq!(suspended.through, 5, "nothing is lost");
    assert_eq!(actions, [Action::Store]);

    let (_, waits, actions) = fail(&rules(Retry::TerminateAfterRetries), 100);
    assert_eq!((waits.len(), actions), (4, vec![Action::Terminate]));

    let (_, waits, _) = fail(&rules(Retry::RetryForever), 50);
    assert!(
        waits
            .iter()
            .all(|wait| *wait == SignedDuration::from_secs(30))
    );
    assert_eq!(waits.len(), 50);
}

#[test]
fn gone_ends_a_subscription_at_once_only_where_its_policy_would_end_it() {
    for retry in [
        Retry::DeadLetter,
        Retry::SuspendRetries,
        Retry::RetryForever,
        Retry::RetryForeverWithBackoff,
    ] {
        let rules = rules(retry);
        let (next, _) = begun(&rules).event(&rules, failed(Some(410)));
        assert!(matches!(next.life, Life::Waiting { .. }), "{retry:?}");
    }
    let rules = rules(Retry::TerminateAfterRetries);
    let (_, actions) = begun(&rules).event(&rules, failed(Some(410)));
    assert_eq!(actions, [Action::Terminate]);
}

#[test]
fn a_receiver_is_left_alone_as_long_as_it_asks_for_within_the_bound() {
    let rules = rules(Retry::DeadLetter);
    for (asked, waits) in [(1, 15), (100, 100), (1_000_000, 600)] {
        let event = Event::Failed {
            status: Some(503),
            reason: String::new(),
            retry_after: Some(SignedDuration::from_secs(asked)),
        };
        let (next, _) = begun(&rules).event(&rules, event);
        assert_eq!(next.life, Life::Waiting { until: at(waits) }, "{asked}");
    }
}

#[test]
fn what_is_under_way_while_somebody_suspends_still_counts() {
    let rules = rules(Retry::DeadLetter);
    let (suspended, _) = begun(&rules).event(&rules, Event::SuspendAsked);
    let (done, _) = suspended.clone().event(&rules, Event::Delivered(2));
    assert_eq!((done.through, done.life), (7, Life::Suspended));
    let (failed, actions) = suspended.event(&rules, failed(None));
    assert_eq!((failed.through, failed.life), (5, Life::Suspended));
    assert_eq!(actions, [Action::StoreSoon]);
    assert!(failed.failure.is_some());
    // Resumed, the same is tried under the same name.
    let everything = Event::Resumed {
        last: 9,
        within: None,
    };
    let (resumed, _) = failed.event(&rules, everything);
    assert_eq!((resumed.life, resumed.pin), (Life::Idle, Some(PIN)));
}

#[test]
fn who_resumes_says_how_old_events_may_be() {
    let rules = rules(Retry::DeadLetter);
    let suspended = || begun(&rules).event(&rules, Event::SuspendAsked).0;
    let resume = |within| Event::Resumed {
        last: 9,
        within: Some(within),
    };
    let (none, _) = suspended().event(&rules, resume(SignedDuration::ZERO));
    assert_eq!((none.through, none.pin), (9, None));
    let (some, _) = suspended().event(&rules, resume(SignedDuration::from_secs(60)));
    assert_eq!(some.through, 5);
    assert!(some.skips(6, at(-61)) && !some.skips(6, at(-60)));
    assert!(!some.skips(10, at(-61)), "only what waited");
    let (later, _) = some.event(&rules, Event::Passed(9));
    assert_eq!(later.skip, None);
    // Nothing happens to one that is not suspended.
    let (same, actions) = begun(&rules).event(&rules, resume(SignedDuration::ZERO));
    assert_eq!((same.through, actions), (5, vec![]));
}

#[test]
fn a_destination_is_told_once_that_it_missed_events() {
    let rules = rules(Retry::DeadLetter);
    let delivery = Delivery {
        through: 5,
        ..Delivery::default()
    };
    let (one, _) = delivery.event(&rules, Event::Lost(105));
    let (two, _) = one.event(&rules, Event::Lost(205));
    assert_eq!((two.lost, two.through), (200, 205));
    assert_eq!(two.notes.len(), 1);
    assert_eq!(two.notes[0].what, What::Missed);
    let pin = Pin {
        source: Source::Notes,
        last: two.notes[0].number,
    };
    let (told, _) = two.event(&rules, Event::Begun(pin));
    let (told, _) = told.event(&rules, Event::Delivered(1));
    assert!(told.notes.is_empty());
    assert_eq!(told.through, 205);
}

#[test]
fn notes_never_pile_up() {
    let rules = rules(Retry::DeadLetter);
    let mut delivery = Delivery::default();
    for _ in 0..1_000 {
        delivery = delivery.event(&rules, Event::Noted(What::Heartbeat)).0;
    }
    assert_eq!(delivery.notes.len(), MOST_NOTES);
    assert_eq!(delivery.notes.last().unwrap().number, 1_000);
}

#[test]
fn letters_that_do_not_arrive_again_are_dead_again_and_the_cursor_stays() {
    let rules = Rules {
        attempts: 1,
        ..rules(Retry::DeadLetter)
    };
    let letters = Pin {
        source: Source::Letters,
        last: 3,
    };
    let delivery = Delivery {
        through: 5,
        ..Delivery::default()
    };
    let (begun, _) = delivery.event(&rules, Event::Begun(letters));
    let (dead, actions) = begun.clone().event(&rules, failed(None));
    assert_eq!(
        actions[0],
        Action::Rebury {
            last: 3,
            attempts: 1
        }
    );
    assert_eq!((dead.through, dead.pin), (5, None));
    let (arrived, actions) = begun.event(&rules, Event::Delivered(1));
    assert_eq!(actions, [Action::Unbury { last: 3 }, Action::Store]);
    assert_eq!((arrived.through, arrived.delivered), (5, 1));
}

#[test]
fn after_a_restart_what_was_under_way_is_tried_again_and_what_waited_waits() {
    let rules = rules(Retry::DeadLetter);
    let (restarted, _) = begun(&rules).event(&rules, Event::Restarted);
    assert_eq!((restarted.life, restarted.pin), (Life::Idle, Some(PIN)));
    let (waiting, _) = begun(&rules).event(&rules, failed(None));
    let (restarted, _) = waiting.clone().event(&rules, Event::Restarted);
    assert_eq!(restarted, waiting);
    // What is stored is read as it was.
    let text = serde_json::to_string(&waiting).unwrap();
    assert_eq!(serde_json::from_str::<Delivery>(&text).unwrap(), waiting);
}
