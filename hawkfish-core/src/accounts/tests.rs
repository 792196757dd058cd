mod lockout;
mod roles;

use super::*;
use crate::clock::ManualClock;
use crate::ctx::Actor;
use crate::entropy::SeededEntropy;
use crate::id::{RequestId, SessionId};

const GOOD: &str = "correct horse";

fn start() -> Timestamp {
    Timestamp::from_second(1_900_000_000).unwrap()
}

struct World {
    store: Store,
    clock: Arc<ManualClock>,
    accounts: Accounts,
}

async fn open(store: &Store, clock: &Arc<ManualClock>) -> Accounts {
    let entropy = Arc::new(SeededEntropy::new(1, "accounts"));
    Accounts::open(store, clock.clone(), entropy, HashCost::LEAST)
        .await
        .unwrap()
}

/// With the first administrator, account 1.
async fn world() -> World {
    let store = Store::open(None).await.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let accounts = open(&store, &clock).await;
    accounts.ensure_admin(Some(GOOD)).await.unwrap();
    World {
        store,
        clock,
        accounts,
    }
}

fn id(text: &str) -> AccountId {
    AccountId::parse(text).unwrap()
}

fn new(name: &str, role: &str) -> NewAccount {
    NewAccount {
        name: name.to_owned(),
        password: GOOD.to_owned(),
        role: role.to_owned(),
        enabled: true,
        password_change_required: false,
    }
}

fn property(error: &Error) -> &str {
    match error.kind() {
        ErrorKind::Invalid { property, .. } => property,
        other => panic!("{other:?}"),
    }
}

impl World {
    async fn add(&self, name: &str, role: &str) -> AccountId {
        self.accounts
            .create(&Ctx::service(), new(name, role))
            .await
            .unwrap()
            .id
            .clone()
    }

    async fn change(&self, id: &AccountId, change: AccountChange) -> Result<Arc<Account>> {
        self.accounts.update(&Ctx::service(), id, change).await
    }

    async fn policy(&self, change: PolicyChange) -> Result<Arc<AccountPolicy>> {
        self.accounts.set_policy(&Ctx::service(), change).await
    }

    async fn try_password(&self, user: &str, password: &str) -> bool {
        match self.accounts.check_password(user, password, None).await {
            Ok(account) => {
                assert_eq!(&*account.name, user);
                true
            }
            Err(error) => {
                assert_eq!(*error.kind(), ErrorKind::Unauthenticated);
                assert_eq!(error.message(), "The user name or the password is wrong.");
                false
            }
        }
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let store = Store::open(None).await.unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let accounts = open(&store, &clock).await;
    let FirstAdmin::Made {
        generated: Some(password),
    } = accounts.ensure_admin(None).await.unwrap()
    else {
        panic!("no password was made");
    };
    assert!(
        accounts
            .check_password("admin", &password, None)
            .await
            .is_ok()
    );
    // Another password at the next start changes nothing, also in a new process.
    let accounts = open(&store, &clock).await;
    assert_eq!(
        accounts.ensure_admin(Some("another one")).await.unwrap(),
        FirstAdmin::Kept
    );
    assert!(
        accounts
            .check_password("admin", &password, None)
            .await
            .is_ok()
    );
    assert!(
        accounts
            .check_password("admin", "another one", None)
            .await
            .is_err()
    );

    // Unless it is asked for.
    let admin = accounts.recover_admin("another one").await.unwrap();
    assert_eq!(
        (admin.id.as_str(), admin.role.as_str()),
        ("1", ADMINISTRATOR)
    );
    assert!(
        accounts
            .check_password("admin", "another one", None)
            .await
            .is_ok()
    );
    assert!(
        accounts
            .check_password("admin", &password, None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn accounts_have_small_numbers_that_are_not_used_again() {
    let w = world().await;
    assert_eq!(w.add("b", "Operator").await.as_str(), "2");
    let third = w.add("c", "ReadOnly").await;
    w.accounts.delete(&Ctx::service(), &third).await.unwrap();
    assert_eq!(w.add("c", "ReadOnly").await.as_str(), "4");
    for n in 5..=12 {
        w.add(&format!("n{n}"), "ReadOnly").await;
    }
    let ids: Vec<_> = w.accounts.list().iter().map(|a| a.id.to_string()).collect();
    assert_eq!(
        ids,
        ["1", "2", "4", "5", "6", "7", "8", "9", "10", "11", "12"]
    );
    for other in ["01", "+1", "x", "3"] {
        let Ok(other) = AccountId::parse(other) else {
            continue;
        };
        assert!(matches!(
            w.accounts.get(&other).unwrap_err().kind(),
            ErrorKind::NotFound { .. }
        ));
    }
    // As they were, in a new process.
    assert_eq!(open(&w.store, &w.clock).await.list(), w.accounts.list());
}

#[tokio::test]
async fn user_names_are_checked() {
    let w = world().await;
    let long = "x".repeat(65);
    for bad in [
        "",
        "a:b",
        " a",
        "a ",
        "a\nb",
        "a\u{7f}",
        "\0",
        long.as_str(),
    ] {
        let error = w
            .accounts
            .create(&Ctx::service(), new(bad, "Operator"))
            .await
            .unwrap_err();
        assert_eq!(property(&error), "/UserName", "{bad:?}");
        let change = AccountChange {
            name: Some(bad.to_owned()),
            ..AccountChange::default()
        };
        assert_eq!(
            property(&w.change(&id("1"), change).await.unwrap_err()),
            "/UserName",
            "{bad:?}"
        );
    }
    for good in ["a", "Ünal Ö", "a@b.c", "<x/>", &"x".repeat(64)] {
        w.add(good, "Operator").await;
        assert!(w.try_password(good, GOOD).await);
    }
    let error = w
        .accounts
        .create(&Ctx::service(), new("admin", "Operator"))
        .await
        .unwrap_err();
    let taken = ErrorKind::AlreadyExists {
        what: "ManagerAccount",
        property: "UserName",
        value: "admin".to_owned(),
    };
    assert_eq!(*error.kind(), taken);
    let rename = AccountChange {
        name: Some("admin".to_owned()),
        ..AccountChange::default()
    };
    assert_eq!(
        *w.change(&id("2"), rename.clone()).await.unwrap_err().kind(),
        taken
    );
    w.change(&id("1"), rename).await.expect("its own name");
}

#[tokio::test]
async fn a_renamed_account_is_known_by_its_new_name_alone() {
    let w = world().await;
    let b = w.add("b", "Operator").await;
    let rename = AccountChange {
        name: Some("c".to_owned()),
        ..AccountChange::default()
    };
    w.change(&b, rename).await.unwrap();
    assert!(!w.try_password("b", GOOD).await);
    assert!(w.try_password("c", GOOD).await);
    assert_eq!(w.add("b", "ReadOnly").await.as_str(), "3");
}

#[tokio::test]
async fn passwords_obey_the_policy() {
    let w = world().await;
    for bad in [
        "",
        "short",
        &"x".repeat(129),
        "with\nnewline",
        "Longer-Name",
    ] {
        let account = NewAccount {
            password: bad.to_owned(),
            ..new("longer-name", "Operator")
        };
        let error = w
            .accounts
            .create(&Ctx::service(), account)
            .await
            .unwrap_err();
        assert_eq!(property(&error), "/Password", "{bad:?}");
        assert!(
            bad.is_empty() || !format!("{error:?}").contains(bad),
            "the password is in the error"
        );
    }
    w.policy(PolicyChange {
        min_password_length: Some(14),
        ..PolicyChange::default()
    })
    .await
    .unwrap();
    let change = AccountChange {
        password: Some("thirteen chars".to_owned()),
        ..AccountChange::default()
    };
    w.change(&id("1"), change).await.unwrap();
    let change = AccountChange {
        password: Some(GOOD.to_owned()),
        ..AccountChange::default()
    };
    assert_eq!(
        property(&w.change(&id("1"), change).await.unwrap_err()),
        "/Password"
    );
    // Characters, not bytes.
    let change = AccountChange {
        password: Some("ü".repeat(14)),
        ..AccountChange::default()
    };
    w.change(&id("1"), change).await.unwrap();
    assert!(w.try_password("admin", &"ü".repeat(14)).await);
}

#[tokio::test]
async fn a_policy_that_contradicts_itself_is_refused_whole() {
    let w = world().await;
    let none = PolicyChange::default;
    let cases = [
        (
            PolicyChange {
                min_password_length: Some(0),
                ..none()
            },
            "/MinPasswordLength",
        ),
        (
            PolicyChange {
                min_password_length: Some(129),
                ..none()
            },
            "/MinPasswordLength",
        ),
        (
            PolicyChange {
                max_password_length: Some(7),
                ..none()
            },
            "/MaxPasswordLength",
        ),
        (
            PolicyChange {
                max_password_length: Some(0),
                ..none()
            },
            "/MaxPasswordLength",
        ),
        (
            PolicyChange {
                max_password_length: Some(1025),
                ..none()
            },
            "/MaxPasswordLength",
        ),
        (
            PolicyChange {
                lockout_reset_after: Some(301),
                ..none()
            },
            "/AccountLockoutCounterResetAfter",
        ),
        (
            PolicyChange {
                lockout_duration: Some(59),
                ..none()
            },
            "/AccountLockoutDuration",
        ),
    ];
    let before = w.accounts.policy();
    for (change, pointer) in cases {
        let change = PolicyChange {
            lockout_threshold: Some(9),
            ..change
        };
        assert_eq!(property(&w.policy(change).await.unwrap_err()), pointer);
        assert_eq!(w.accounts.policy(), before);
    }
    let after = w
        .policy(PolicyChange {
            lockout_threshold: Some(9),
            ..none()
        })
        .await
        .unwrap();
    assert_eq!(
        (after.lockout_threshold, after.generation),
        (9, before.generation + 1)
    );
    assert_eq!(open(&w.store, &w.clock).await.policy(), after);
    // The same again is no change.
    assert_eq!(
        w.policy(PolicyChange {
            lockout_threshold: Some(9),
            ..none()
        })
        .await
        .unwrap(),
        after
    );
}

#[tokio::test]
async fn only_the_right_password_of_an_enabled_account_lets_in() {
    let w = world().await;
    assert!(w.try_password("admin", GOOD).await);
    // Again, from memory.
    assert!(w.try_password("admin", GOOD).await);
    assert!(!w.try_password("admin", "correct horsf").await);
    assert!(!w.try_password("admin", "").await);
    assert!(!w.try_password("ADMIN", GOOD).await);
    assert!(!w.try_password("nobody", GOOD).await);
    assert!(!w.try_password("admin", &"x".repeat(1_000_000)).await);

    let b = w.add("b", "Operator").await;
    assert!(w.try_password("b", GOOD).await);
    w.change(
        &b,
        AccountChange {
            enabled: Some(false),
            ..AccountChange::default()
        },
    )
    .await
    .unwrap();
    assert!(!w.try_password("b", GOOD).await);
    w.change(
        &b,
        AccountChange {
            enabled: Some(true),
            ..AccountChange::default()
        },
    )
    .await
    .unwrap();
    assert!(w.try_password("b", GOOD).await);
    let password = Some("another one".to_owned());
    w.change(
        &b,
        AccountChange {
            password,
            ..AccountChange::default()
        },
    )
    .await
    .unwrap();
    assert!(
        !w.try_password("b", GOOD).await,
        "remembered after it was changed"
    );
    assert!(w.try_password("b", "another one").await);
    w.accounts.delete(&Ctx::service(), &b).await.unwrap();
    assert!(!w.try_password("b", "another one").await);
}

#[tokio::test]
async fn there_is_always_an_enabled_administrator() {
    let w = world().await;
    let admin = id("1");
    let b = w.add("b", ADMINISTRATOR).await;
    let disable = AccountChange {
        enabled: Some(false),
        ..AccountChange::default()
    };
    let demote = AccountChange {
        role: Some("Operator".to_owned()),
        ..AccountChange::default()
    };
    w.change(&b, disable.clone())
        .await
        .expect("another is left");
    for change in [disable, demote.clone()] {
        let error = w.change(&admin, change).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Conflict(Conflict::NotAllowed));
    }
    assert!(w.accounts.delete(&Ctx::service(), &admin).await.is_err());
    w.change(
        &b,
        AccountChange {
            enabled: Some(true),
            ..AccountChange::default()
        },
    )
    .await
    .unwrap();
    w.change(&admin, demote).await.expect("another is left");
    assert!(w.accounts.delete(&Ctx::service(), &b).await.is_err());
    w.accounts.delete(&Ctx::service(), &admin).await.unwrap();
    assert_eq!(w.accounts.list().len(), 1);
}

#[tokio::test]
async fn two_administrators_who_delete_each_other_at_once_leave_one() {
    let w = world().await;
    let b = w.add("b", ADMINISTRATOR).await;
    let (ctx, admin) = (Ctx::service(), id("1"));
    let (x, y) = tokio::join!(w.accounts.delete(&ctx, &admin), w.accounts.delete(&ctx, &b));
    assert_ne!(x.is_ok(), y.is_ok());
    assert_eq!(w.accounts.list().len(), 1);
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let w = world().await;
    let b = w.add("b", "Operator").await;
    let before = w.accounts.get(&b).unwrap();
    let change = AccountChange {
        name: Some("c".to_owned()),
        enabled: Some(false),
        role: Some("NoSuch".to_owned()),
        ..AccountChange::default()
    };
    assert_eq!(
        property(&w.change(&b, change).await.unwrap_err()),
        "/RoleId"
    );
    assert_eq!(w.accounts.get(&b).unwrap(), before);
    // No change is no new generation.
    let same = AccountChange {
        enabled: Some(true),
        ..AccountChange::default()
    };
    assert_eq!(w.change(&b, same).await.unwrap(), before);
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_changed_to_another() {
    let w = world().await;
    let account = NewAccount {
        password_change_required: true,
        ..new("b", "Operator")
    };
    let b = w
        .accounts
        .create(&Ctx::service(), account)
        .await
        .unwrap()
        .id
        .clone();
    let account = w.accounts.check_password("b", GOOD, None).await.unwrap();
    assert!(account.password_change_required);
    let to = |password: &str| AccountChange {
        password: Some(password.to_owned()),
        ..AccountChange::default()
    };
    assert_eq!(
        property(&w.change(&b, to(GOOD)).await.unwrap_err()),
        "/Password"
    );
    assert!(w.accounts.get(&b).unwrap().password_change_required);
    assert!(
        !w.change(&b, to("another one"))
            .await
            .unwrap()
            .password_change_required
    );
    // Unless it is to be changed again.
    let change = AccountChange {
        password_change_required: Some(true),
        ..to("yet another")
    };
    assert!(w.change(&b, change).await.unwrap().password_change_required);
}

#[tokio::test]
async fn passwords_are_in_no_debug_text() {
    let w = world().await;
    let change = AccountChange {
        password: Some("hush-hush".to_owned()),
        ..AccountChange::default()
    };
    let account = w.accounts.by_name("admin").unwrap();
    let shown = format!(
        "{:?} {change:?} {account:?} {:?}",
        new("b", "Operator"),
        w.accounts
    );
    for secret in [GOOD, "hush-hush", "argon2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn passwords_are_kept_as_argon2id_with_the_recommended_cost() {
    let entropy = Arc::new(SeededEntropy::new(1, "cost"));
    let hasher = password::Hasher::new(entropy, HashCost::default()).unwrap();
    let (one, two) = (
        hasher.hash(GOOD).await.unwrap(),
        hasher.hash(GOOD).await.unwrap(),
    );
    assert!(
        one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        one.0
    );
    assert_ne!(one.0, two.0, "each has its own salt");
    assert!(hasher.verify(Some((&id("1"), &one)), GOOD).await.unwrap());
    assert!(
        !hasher
            .verify(Some((&id("1"), &one)), "wrong one")
            .await
            .unwrap()
    );
    // Nobody's costs as much, which an unreadable one would not.
    assert!(!hasher.verify(None, GOOD).await.unwrap());
    let parts = |hashed: &password::Hashed| {
        let parts: Vec<_> = hashed.0.split('$').map(str::to_owned).collect();
        (parts[1..4].to_vec(), parts[4].len(), parts[5].len())
    };
    assert_eq!(parts(hasher.nobody()), parts(&one));
}

/// An account as it asks for something by a session.
pub(crate) fn asks(account: &Account, session: Option<SessionId>) -> Ctx {
    Ctx {
        actor: Actor::Account {
            id: account.id.clone(),
            name: account.name.clone(),
            role: account.role.clone(),
            session,
        },
        ..Ctx::anonymous(RequestId::parse("r").unwrap(), None)
    }
}
