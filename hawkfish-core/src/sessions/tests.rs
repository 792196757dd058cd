use super::*;
use crate::accounts::tests::asks;
use crate::accounts::{
    AccountChange, FIRST_ADMIN, HashCost, NewAccount, NewRole, PolicyChange, RoleChange,
};
use crate::clock::ManualClock;
use crate::entropy::SeededEntropy;

const GOOD: &str = "correct horse";

struct World {
    store: Store,
    clock: Arc<ManualClock>,
    accounts: Accounts,
    sessions: Sessions,
}

impl World {
    async fn over(store: Store, clock: Arc<ManualClock>, limit: usize) -> Self {
        let entropy = Arc::new(SeededEntropy::new(1, "sessions"));
        let accounts = Accounts::open(&store, clock.clone(), entropy.clone(), HashCost::LEAST)
            .await
            .unwrap();
        let sessions = Sessions::open(&store, &accounts, clock.clone(), entropy, limit)
            .await
            .unwrap();
        Self {
            store,
            clock,
            accounts,
            sessions,
        }
    }

    /// With the administrator `admin` and the operator `b`.
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(
            Timestamp::from_second(1_900_000_000).unwrap(),
        ));
        let w = Self::over(Store::open(None).await.unwrap(), clock, 4).await;
        w.people().await;
        w
    }

    async fn people(&self) {
        self.accounts.ensure_admin(Some(GOOD)).await.unwrap();
        let b = NewAccount {
            name: "b".to_owned(),
            password: GOOD.to_owned(),
            role: "Operator".to_owned(),
            enabled: true,
            password_change_required: false,
        };
        self.accounts.create(&Ctx::service(), b).await.unwrap();
    }

    async fn login(&self, user: &str) -> Result<(Arc<Session>, Token)> {
        self.sessions
            .login(&Ctx::service(), user, GOOD, Some([192, 0, 2, 7].into()))
            .await
    }

    fn holds(&self, token: &Token) -> bool {
        self.sessions
            .by_token(&Ctx::service(), token.as_str())
            .is_some()
    }

    fn pass(&self, secs: i64) {
        self.clock.advance(SignedDuration::from_secs(secs));
    }

    async fn tick(&self) {
        for row in due::take_due(&self.store, self.clock.now(), 100)
            .await
            .unwrap()
        {
            assert_eq!(row.kind, DUE_SWEEP);
            self.sessions.on_due(&row).await.unwrap();
        }
    }

    async fn rows(&self) -> i64 {
        self.store
            .read(|conn| Box::pin(async move { rows::count(conn).await }))
            .await
            .unwrap()
    }
}

fn change() -> AccountChange {
    AccountChange::default()
}

#[tokio::test]
async fn a_token_stands_for_an_account_until_its_session_is_deleted() {
    let w = World::new().await;
    let (session, token) = w.login("b").await.unwrap();
    assert_eq!((session.id.as_str(), &*session.user), ("1", "b"));
    assert_eq!(session.address, Some([192, 0, 2, 7].into()));
    let (found, account, privileges) = w
        .sessions
        .by_token(&Ctx::service(), token.as_str())
        .unwrap();
    assert_eq!((found, &*account.name), (session.clone(), "b"));
    assert!(privileges.contains(&Privilege::ConfigureComponents));
    assert!(!privileges.contains(&Privilege::ConfigureUsers));
    let (_, other) = w.login("b").await.unwrap();
    assert_ne!(token, other);

    for wrong in [
        "",
        "x",
        &token.as_str()[1..],
        &format!("{} ", token.as_str()),
    ] {
        assert!(w.sessions.by_token(&Ctx::service(), wrong).is_none());
    }
    w.sessions
        .delete(&Ctx::service(), &session.id)
        .await
        .unwrap();
    assert!(!w.holds(&token));
    assert!(w.holds(&other));
    let again = w
        .sessions
        .delete(&Ctx::service(), &session.id)
        .await
        .unwrap_err();
    assert!(matches!(
        again.kind(),
        ErrorKind::NotFound {
            what: "Session",
            ..
        }
    ));
}

#[tokio::test]
async fn a_wrong_password_makes_no_session() {
    let w = World::new().await;
    let error = w
        .sessions
        .login(&Ctx::service(), "b", "wrong one", None)
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Unauthenticated);
    assert!(w.sessions.list(&Ctx::service()).is_empty());
}

#[tokio::test]
async fn a_token_is_kept_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(
        Timestamp::from_second(1_900_000_000).unwrap(),
    ));
    let w = World::over(Store::open(Some(dir.path())).await.unwrap(), clock, 4).await;
    w.people().await;
    let (session, token) = w.login("b").await.unwrap();
    assert!(!format!("{session:?} {token:?} {:?}", w.sessions).contains(token.as_str()));
    w.store.close().await;
    let bytes = std::fs::read(dir.path().join(db::DATABASE)).unwrap();
    let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
    assert!(holds(&digest(token.as_str())), "the digest is stored");
    assert!(!holds(token.as_str().as_bytes()));
    assert!(!holds(GOOD.as_bytes()));
}

#[tokio::test]
async fn a_session_lives_while_it_is_used() {
    let w = World::new().await;
    w.sessions.set_timeout(&Ctx::service(), 100).await.unwrap();
    let (session, token) = w.login("b").await.unwrap();
    let (idle, idle_token) = w.login("b").await.unwrap();
    for _ in 0..3 {
        w.pass(33);
        assert!(w.holds(&token));
    }
    w.pass(1);
    assert!(w.holds(&token));
    assert!(!w.holds(&idle_token));
    assert!(w.sessions.get(&Ctx::service(), &idle.id).is_err());
    assert_eq!(
        w.sessions.list(&Ctx::service()),
        std::slice::from_ref(&session)
    );
    assert_eq!(w.rows().await, 2);
    w.tick().await;
    assert_eq!(w.rows().await, 1, "it is gone for good");
    // Looking at it does not keep it alive.
    w.pass(99);
    assert!(w.sessions.get(&Ctx::service(), &session.id).is_ok());
    w.pass(1);
    assert!(!w.holds(&token));
    w.tick().await;
    assert_eq!(w.rows().await, 0);
    assert_eq!(w.store.next_due(), None, "nothing is left to sweep");
}

#[tokio::test]
async fn the_time_out_is_bounded_and_kept() {
    let w = World::new().await;
    assert_eq!(w.sessions.timeout(), 1800);
    for bad in [0, 29, 86_401] {
        let error = w
            .sessions
            .set_timeout(&Ctx::service(), bad)
            .await
            .unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Invalid { property, .. } if property == "/SessionTimeout")
        );
    }
    for good in [30, 86_400] {
        assert_eq!(
            w.sessions
                .set_timeout(&Ctx::service(), good)
                .await
                .unwrap()
                .timeout,
            good
        );
    }
    let w = World::over(w.store, w.clock, 4).await;
    assert_eq!(w.sessions.timeout(), 86_400);
}

#[tokio::test]
async fn sessions_outlive_a_restart_and_know_when_they_were_used() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(
        Timestamp::from_second(1_900_000_000).unwrap(),
    ));
    let w = World::over(
        Store::open(Some(dir.path())).await.unwrap(),
        clock.clone(),
        4,
    )
    .await;
    w.people().await;
    let (session, token) = w.login("b").await.unwrap();
    w.pass(1_000);
    assert!(w.holds(&token));
    w.tick().await;
    w.pass(59);
    assert!(w.holds(&token));
    // As after a crash: the last use was not stored, the one before was.
    w.store.close().await;
    let w = World::over(
        Store::open(Some(dir.path())).await.unwrap(),
        clock.clone(),
        4,
    )
    .await;
    assert_eq!(
        w.sessions.list(&Ctx::service()),
        std::slice::from_ref(&session)
    );
    w.pass(1_800 - 59 - 1);
    assert!(w.holds(&token));
    w.sessions.flush().await.unwrap();
    w.store.close().await;
    let w = World::over(Store::open(Some(dir.path())).await.unwrap(), clock, 4).await;
    w.pass(1_799);
    assert!(w.holds(&token));
    w.pass(1_800);
    assert!(!w.holds(&token));
    let next = {
        w.tick().await;
        w.login("b").await.unwrap().0
    };
    assert_eq!(next.id.as_str(), "2", "numbers are not used again");
    w.store.close().await;
}

#[tokio::test]
async fn there_are_no_more_sessions_than_the_limit() {
    let w = World::new().await;
    let all = futures::future::join_all((0..10).map(|_| w.login("b"))).await;
    let (made, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (4, 6));
    for error in refused {
        assert_eq!(*error.unwrap_err().kind(), ErrorKind::SessionLimit);
    }
    // One that has timed out makes room, before anybody sweeps.
    w.pass(1_800);
    w.login("b").await.unwrap();
    assert_eq!(w.rows().await, 1);
}

#[tokio::test]
async fn what_ends_an_account_ends_its_sessions() {
    let w = World::new().await;
    let (_, admin) = w.login(FIRST_ADMIN).await.unwrap();
    let (session, token) = w.login("b").await.unwrap();
    let off = AccountChange {
        enabled: Some(false),
        ..change()
    };
    w.accounts
        .update(&Ctx::service(), &session.account, off)
        .await
        .unwrap();
    assert!(!w.holds(&token));
    let on = AccountChange {
        enabled: Some(true),
        ..change()
    };
    w.accounts
        .update(&Ctx::service(), &session.account, on)
        .await
        .unwrap();
    assert!(!w.holds(&token), "it does not come back");

    let (_, token) = w.login("b").await.unwrap();
    w.accounts
        .delete(&Ctx::service(), &session.account)
        .await
        .unwrap();
    assert!(!w.holds(&token));
    assert!(w.holds(&admin));
    assert_eq!(w.rows().await, 1);
}

#[tokio::test]
async fn an_account_that_ends_during_a_log_in_leaves_no_session() {
    let w = World::new().await;
    let b = w.accounts.by_name("b").unwrap().id.clone();
    let service = Ctx::service();
    for round in 0..20 {
        let off = AccountChange {
            enabled: Some(false),
            ..change()
        };
        let on = AccountChange {
            enabled: Some(true),
            ..change()
        };
        let (login, off) = tokio::join!(w.login("b"), w.accounts.update(&service, &b, off));
        off.unwrap();
        w.accounts.update(&service, &b, on).await.unwrap();
        if let Ok((_, token)) = login {
            assert!(!w.holds(&token), "round {round}");
        }
        assert_eq!(w.rows().await, 0, "round {round}");
    }
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_but_the_one_that_set_it() {
    let w = World::new().await;
    let (mine, mine_token) = w.login("b").await.unwrap();
    let (_, other) = w.login("b").await.unwrap();
    let (_, admin) = w.login(FIRST_ADMIN).await.unwrap();
    let b = w.accounts.get(&mine.account).unwrap();
    let new = |password: &str| AccountChange {
        password: Some(password.to_owned()),
        ..change()
    };
    let ctx = asks(&b, Some(mine.id.clone()));
    w.accounts
        .update(&ctx, &mine.account, new("another one"))
        .await
        .unwrap();
    assert!(w.holds(&mine_token) && !w.holds(&other) && w.holds(&admin));
    assert_eq!(w.rows().await, 2);
    // Set by somebody else it ends them all.
    let admin_account = w.accounts.by_name(FIRST_ADMIN).unwrap();
    let ctx = asks(&admin_account, Some(mine.id.clone()));
    w.accounts
        .update(&ctx, &mine.account, new("yet another"))
        .await
        .unwrap();
    assert!(!w.holds(&mine_token) && w.holds(&admin));
}

#[tokio::test]
async fn a_session_shows_the_name_and_the_rights_of_its_account_as_they_are() {
    let w = World::new().await;
    let ctx = Ctx::service();
    let auditor = NewRole {
        id: "Auditor".to_owned(),
        privileges: [Privilege::Login].into(),
    };
    let role = w.accounts.create_role(&ctx, auditor).await.unwrap();
    let (session, token) = w.login("b").await.unwrap();
    let new = AccountChange {
        name: Some("c".to_owned()),
        role: Some("Auditor".to_owned()),
        ..change()
    };
    w.accounts
        .update(&ctx, &session.account, new)
        .await
        .unwrap();
    let (now, account, privileges) = w
        .sessions
        .by_token(&Ctx::service(), token.as_str())
        .unwrap();
    assert_eq!((&*now.user, &*account.name), ("c", "c"));
    assert!(now.generation > session.generation);
    assert_eq!(w.sessions.list(&Ctx::service()), [now]);
    assert_eq!(*privileges, [Privilege::Login].into());
    // Use of a renamed one still counts.
    w.pass(1_799);
    assert!(w.holds(&token));
    w.pass(1_799);
    assert!(w.holds(&token));

    let nothing = RoleChange {
        privileges: Some(BTreeSet::new()),
    };
    w.accounts
        .update_role(&ctx, &role.id, nothing)
        .await
        .unwrap();
    assert!(
        w.sessions
            .by_token(&Ctx::service(), token.as_str())
            .unwrap()
            .2
            .is_empty()
    );
    let error = w.login("c").await.unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn one_way_in_stays_open() {
    let w = World::new().await;
    let ctx = Ctx::service();
    let (_, token) = w.login("b").await.unwrap();
    let basic = |basic_auth| PolicyChange {
        basic_auth: Some(basic_auth),
        ..PolicyChange::default()
    };
    w.sessions
        .set_policy(&ctx, None, Some(false))
        .await
        .unwrap();
    assert!(!w.holds(&token));
    assert!(w.login("b").await.is_err());
    assert!(
        w.accounts
            .set_policy(&ctx, basic(BasicAuth::Disabled))
            .await
            .is_err()
    );
    w.accounts
        .set_policy(&ctx, basic(BasicAuth::Unadvertised))
        .await
        .unwrap();

    w.sessions.set_policy(&ctx, None, Some(true)).await.unwrap();
    assert!(w.holds(&token), "it was only not to be used");
    w.accounts
        .set_policy(&ctx, basic(BasicAuth::Disabled))
        .await
        .unwrap();
    let error = w
        .sessions
        .set_policy(&ctx, Some(60), Some(false))
        .await
        .unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
    assert_eq!(w.sessions.timeout(), 1800, "nothing of it was set");
}
