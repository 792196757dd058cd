//! The SQL of systems.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use crate::backend::{Boot, BootOverride, Machine, Power, Slot};
use crate::db::{Later, Row, Tx, from_ms, to_ms};
use crate::error::{Error, Result};
use crate::id::{HostId, ProjectId, SystemId};
use crate::inventory::System;

/// What is stored of a system.
#[derive(Clone, Debug)]
pub(crate) struct SystemRow {
    pub(crate) id: SystemId,
    pub(crate) host: HostId,
    pub(crate) project: ProjectId,
    pub(crate) present: bool,
    pub(crate) indicator: bool,
    pub(crate) machine: Machine,
    pub(crate) seen: Timestamp,
}

/// How a system runs of which nothing else is stored.
pub(crate) struct StateRow {
    pub(crate) id: SystemId,
    state: State<'static>,
    pub(crate) seen: Timestamp,
}

impl StateRow {
    /// Says of a machine as it came how it runs.
    pub(crate) fn put_into(self, machine: &mut Machine) {
        self.state.put_into(machine);
    }
}

/// What of a machine changes often: stored apart from the rest.
#[derive(Serialize, Deserialize)]
struct State<'a> {
    power: Power,
    crashed: bool,
    last_reset: Option<Timestamp>,
    over: Option<BootOverride>,
    slots: Cow<'a, [Slot]>,
}

impl State<'_> {
    fn put_into(self, machine: &mut Machine) {
        machine.power = self.power;
        machine.crashed = self.crashed;
        machine.last_reset = self.last_reset;
        machine.boot.over = self.over;
        machine.slots = self.slots.into_owned();
    }
}

/// Whether two machines are stored as the same one, but for their states.
pub(crate) fn is_same_base(a: &Machine, b: &Machine) -> bool {
    // Each by its name, so that whoever adds something has to say where it is stored.
    let Machine {
        key,
        name,
        title,
        description,
        power: _,
        crashed: _,
        last_reset: _,
        processors,
        memory_kib,
        identity,
        boot,
        slots: _,
        autostart,
        hardware,
        storage,
        firmware,
    } = a;
    let Boot {
        mode,
        modes,
        secure,
        over: _,
        targets,
        options,
        http_uri,
    } = boot;
    *key == b.key
        && *name == b.name
        && *title == b.title
        && *description == b.description
        && *processors == b.processors
        && *memory_kib == b.memory_kib
        && *identity == b.identity
        && *autostart == b.autostart
        && *mode == b.boot.mode
        && *modes == b.boot.modes
        && *secure == b.boot.secure
        && *targets == b.boot.targets
        && *options == b.boot.options
        && *http_uri == b.boot.http_uri
        && (Arc::ptr_eq(hardware, &b.hardware) || hardware.is_kept_as(&b.hardware))
        && (Arc::ptr_eq(storage, &b.storage) || *storage == b.storage)
        && (Arc::ptr_eq(firmware, &b.firmware) || *firmware == b.firmware)
}

/// All systems that were ever seen.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Vec<SystemRow>> {
    let rows = sqlx::query(
        "SELECT id, host, project, present, indicator, machine, state, COALESCE(s.seen_ms, hf_systems.seen_ms) AS last_ms
         FROM hf_systems LEFT JOIN hf_system_states AS s ON s.system = id ORDER BY id",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let mut machine: Machine = serde_json::from_str(row.try_get("machine")?)?;
            if let Some(state) = row.try_get::<Option<&str>, _>("state")? {
                serde_json::from_str::<State<'_>>(state)?.put_into(&mut machine);
            }
            Ok(SystemRow {
                id: SystemId::parse(row.try_get("id")?)?,
                host: HostId::parse(row.try_get("host")?)?,
                project: ProjectId::parse(row.try_get("project")?)?,
                present: row.try_get::<i64, _>("present")? != 0,
                indicator: row.try_get::<i64, _>("indicator")? != 0,
                machine,
                seen: from_ms(row.try_get("last_ms")?)?,
            })
        })
        .collect()
}

/// How those systems run of which nothing else is stored, because their machines are made anew.
pub(crate) async fn load_states(conn: &mut SqliteConnection) -> Result<Vec<StateRow>> {
    let rows = sqlx::query(
        "SELECT system, state, seen_ms FROM hf_system_states
         WHERE NOT EXISTS (SELECT 1 FROM hf_systems WHERE id = system) ORDER BY system",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StateRow {
                id: SystemId::parse(row.try_get("system")?)?,
                state: serde_json::from_str(row.try_get("state")?)?,
                seen: from_ms(row.try_get("seen_ms")?)?,
            })
        })
        .collect()
}

/// Forgets how a system runs.
pub(crate) async fn forget_state(tx: &mut Tx, id: &SystemId) -> Result<()> {
    sqlx::query("DELETE FROM hf_system_states WHERE system = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// The systems of a host that are gone.
pub(crate) async fn gone_ones(conn: &mut SqliteConnection, host: &HostId) -> Result<Vec<SystemId>> {
    let ids: Vec<String> =
        sqlx::query_scalar("SELECT id FROM hf_systems WHERE present = 0 AND host = $1 ORDER BY id")
            .bind(host.as_str())
            .fetch_all(conn)
            .await?;
    ids.iter().map(|id| SystemId::parse(id)).collect()
}

/// Stores a machine as a whole. A system that is new goes to the project given; one that is known keeps its own.
pub(crate) async fn put(
    tx: &mut Tx,
    id: &SystemId,
    host: &HostId,
    project: &ProjectId,
    machine: &Machine,
    seen: Timestamp,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO hf_systems (id, host, project, present, indicator, machine, seen_ms) VALUES ($1, $2, $3, 1, 0, $4, $5)
         ON CONFLICT (id) DO UPDATE SET host = excluded.host, present = 1, machine = excluded.machine, seen_ms = excluded.seen_ms",
    )
    .bind(id.as_str())
    .bind(host.as_str())
    .bind(project.as_str())
    .bind(serde_json::to_string(machine)?)
    .bind(to_ms(seen))
    .execute(tx.conn())
    .await?;
    put_state(tx.later(), id, machine, seen)
}

/// Stores how a machine runs. The rest of it is stored.
pub(crate) fn put_state(
    later: &mut Later,
    id: &SystemId,
    machine: &Machine,
    seen: Timestamp,
) -> Result<()> {
    let state = State {
        power: machine.power,
        crashed: machine.crashed,
        last_reset: machine.last_reset,
        over: machine.boot.over,
        slots: Cow::Borrowed(&machine.slots),
    };
    let row = serde_json::to_string(&(id.as_str(), state, to_ms(seen)))?;
    later.leave(&Row::State(row));
    Ok(())
}

/// What a system keeps when its machine goes and comes back: its project, and whether its indicator is lit.
pub(crate) async fn kept(tx: &mut Tx, id: &SystemId) -> Result<(ProjectId, bool)> {
    let row = sqlx::query("SELECT project, indicator FROM hf_systems WHERE id = $1")
        .bind(id.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok((
        ProjectId::parse(row.try_get("project")?)?,
        row.try_get::<i64, _>("indicator")? != 0,
    ))
}

/// Stores that a machine is gone. Its project is kept, should it come back.
pub(crate) async fn gone(tx: &mut Tx, id: &SystemId) -> Result<()> {
    sqlx::query("UPDATE hf_systems SET present = 0 WHERE id = $1")
        .bind(id.as_str())
        .execute(tx.conn())
        .await?;
    Ok(())
}

/// Stores whether the indicator of a system is lit; and the system itself, where it is not stored yet.
pub(crate) async fn put_indicator(tx: &mut Tx, system: &System, lit: bool) -> Result<()> {
    let update = "UPDATE hf_systems SET indicator = $2 WHERE id = $1";
    let id = &system.id;
    for _ in 0..2 {
        let done = sqlx::query(update)
            .bind(id.as_str())
            .bind(i64::from(lit))
            .execute(tx.conn())
            .await?;
        if done.rows_affected() > 0 {
            return Ok(());
        }
        let System {
            host,
            project,
            machine,
            seen,
            ..
        } = system;
        put(tx, id, host, project, machine, *seen).await?;
    }
    Err(Error::internal("A system that was stored is not there."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend as _;
    use crate::backend::sim::{SimBackend, SimSettings};
    use crate::backend::{BootTarget, MediaSource, Medium};
    use crate::clock::ManualClock;
    use crate::db::Store;
    use crate::inventory::system_id;

    async fn machine() -> Machine {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let backend = SimBackend::new(SimSettings::default(), clock);
        backend.machines().await.unwrap().remove(0)
    }

    async fn stored(store: &Store, whole: bool, machine: &Machine, second: i64) -> SystemRow {
        let (id, machine) = (system_id(machine.key), machine.clone());
        let seen = Timestamp::from_second(second).unwrap();
        store
            .write(move |tx| {
                Box::pin(async move {
                    if !whole {
                        return put_state(tx.later(), &id, &machine, seen);
                    }
                    let project = ProjectId::default_project();
                    let host = HostId::parse("sim").unwrap();
                    put(tx, &id, &host, &project, &machine, seen).await
                })
            })
            .await
            .unwrap();
        let all = store.read(|conn| Box::pin(load(conn))).await.unwrap();
        assert_eq!(all.len(), 1);
        all.into_iter().next().unwrap()
    }

    #[tokio::test]
    async fn how_a_system_runs_is_stored_apart_and_put_together_with_the_rest() {
        let store = Store::open(None).await.unwrap();
        let off = machine().await;
        stored(&store, true, &off, 1).await;
        let mut on = off.clone();
        on.power = Power::On;
        on.crashed = true;
        on.last_reset = Some(Timestamp::from_second(2).unwrap());
        on.boot.over = Some(BootOverride {
            target: BootTarget::Pxe,
            once: true,
        });
        on.slots[0].medium = Some(Medium {
            source: MediaSource::Uri("http://example.org/a.iso".to_owned()),
            write_protected: true,
        });
        assert!(is_same_base(&off, &on));
        let row = stored(&store, false, &on, 2).await;
        let state = |m: &Machine| {
            let boot = m.boot.over;
            (m.power, m.crashed, m.last_reset, boot, m.slots.clone())
        };
        assert_eq!(state(&row.machine), state(&on));
        assert_eq!(row.seen, Timestamp::from_second(2).unwrap());
        // As a whole again, which is newer than its state.
        let row = stored(&store, true, &off, 3).await;
        assert_eq!(state(&row.machine), state(&off));
    }

    #[tokio::test]
    async fn a_reset_is_one_commit_that_stores_no_more_than_how_the_system_runs() {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        let backend = SimBackend::new(SimSettings::default(), clock.clone());
        let hawkfish = crate::app::HawkFish::builder()
            .clock(clock.clone())
            .host(HostId::parse("sim").unwrap(), backend)
            .start()
            .await
            .unwrap();
        let ctx = crate::ctx::Ctx::service();
        let id = hawkfish.systems(&ctx)[0].id.clone();
        let on = super::super::ResetType::On;
        hawkfish.reset(&ctx, &id, on).await.unwrap();
        let rows = async || {
            let all = "SELECT coalesce(group_concat(s.seen_ms || ' ' || s.machine), '') FROM hf_systems AS s";
            let read = hawkfish.store().read(move |conn| {
                Box::pin(
                    async move { Ok(sqlx::query_scalar::<_, String>(all).fetch_one(conn).await?) },
                )
            });
            read.await.unwrap()
        };
        let before = (hawkfish.store().commits(), rows().await);
        clock.advance(jiff::SignedDuration::from_secs(1));
        let again = super::super::ResetType::ForceRestart;
        let system = hawkfish.reset(&ctx, &id, again).await.unwrap();
        // In memory, each read takes a turn of the writer.
        assert_eq!(hawkfish.store().commits() - before.0, 2);
        assert_eq!(rows().await, before.1);
        // Of a machine that can be made anew, that is all there is.
        assert_eq!(before.1, "");
        let kept = hawkfish.store().read(|conn| Box::pin(load_states(conn)));
        let kept = kept.await.unwrap().pop().unwrap();
        assert_eq!(kept.id, id);
        let mut machine = Machine::clone(&system.machine);
        machine.last_reset = None;
        kept.put_into(&mut machine);
        assert_eq!(machine, *system.machine);
    }

    #[tokio::test]
    async fn what_a_machine_is_made_of_is_more_than_how_it_runs() {
        let before = machine().await;
        let changes: [fn(&mut Machine); 5] = [
            |m| m.name.push('x'),
            |m| m.autostart = !m.autostart,
            |m| m.boot.options[0].enabled = !m.boot.options[0].enabled,
            |m| Arc::make_mut(&mut m.hardware).nics[0].link_up ^= true,
            |m| m.identity.asset_tag = None,
        ];
        for change in changes {
            let mut now = before.clone();
            change(&mut now);
            assert!(!is_same_base(&before, &now), "{now:?}");
        }
    }
}
