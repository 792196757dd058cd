//! Telemetry: what systems do and use, collected into reports.
//!
//! A definition says what is collected and when; its report holds what was. Reports that are made by themselves are due work, so that they go on after a restart
//! and follow the clock of a simulation; they are stored with when they are due next, as one. Reports that are made on request are worked out when they are
//! read, and cost nothing before.
//!
//! Not in here: what a metric is called in a tree of resources.

mod metric;
mod report;
mod rows;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use crate::app::HawkFish;
use crate::backend::{Place, Quantity, Sensor, Stats};
use crate::clock::Clock;
use crate::ctx::{Ctx, Scope};
use crate::db::{Store, Tx, settings};
use crate::due::{self, Due};
use crate::error::{Conflict, Error, ErrorKind, Invalid, Result};
use crate::events::Subject;
use crate::id::ReportId;
use crate::inventory::System;
use crate::logs::What;

pub use metric::{Metric, percent};
pub use report::{Definition, MOST_VALUES, Report, Set, Update, Value, Wanted, When};

/// The kind of the due row that makes a report; its subject is the definition.
pub const DUE_COLLECT: &str = "telemetry.collect";

/// The shortest time between two collections.
pub const LEAST_INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// Most definitions, and so reports.
pub const MOST: usize = 100;

const SETTINGS: &str = "telemetry";

/// What is to be reported, as somebody asks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDefinition {
    /// Its name in URIs; a number where none is given.
    pub id: Option<ReportId>,
    /// Its name for people.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// When.
    pub when: When,
    /// Whether reports are made.
    pub enabled: bool,
    /// What becomes of old values.
    pub update: Update,
    /// Values that are as they were are left out.
    pub suppress_repeated: bool,
    /// What.
    pub wanted: Vec<Wanted>,
    /// The same in the words of whoever asks; only kept.
    pub words: Json,
}

/// All definitions and reports. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Changed by [`Tx::after_commit`] alone.
    all: RwLock<BTreeMap<ReportId, Entry>>,
    /// Held from the decision to store a change until the change is in memory.
    gate: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Entry {
    definition: Arc<Definition>,
    report: Option<Arc<Report>>,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telemetry")
    }
}

fn missing(id: &ReportId) -> Error {
    Error::not_found("MetricReportDefinition", id.as_str())
}

/// What is defined until somebody defines something else. All are made on request, so that they cost nothing.
fn defaults(now: Timestamp) -> Vec<Definition> {
    let one = |id: &str, name: &str, metrics: &[Metric]| Definition {
        id: ReportId::parse(id).expect("a constant identifier"),
        name: name.to_owned(),
        description: None,
        when: When::OnRequest,
        enabled: true,
        update: Update::Overwrite,
        suppress_repeated: false,
        wanted: metrics
            .iter()
            .map(|metric| Wanted {
                metric: *metric,
                systems: Set::All,
                instances: Set::All,
            })
            .collect(),
        words: json!({
            "Metrics": metrics.iter().map(|metric| json!({"MetricId": metric.as_str()})).collect::<Vec<_>>(),
        }),
        project: None,
        face: None,
        made: now,
        generation: 1,
    };
    vec![
        one(
            "Power",
            "Power and energy of all systems",
            &[Metric::PowerConsumption, Metric::EnergyConsumption],
        ),
        one(
            "Storage",
            "What goes through the drives of all systems",
            &[Metric::DriveRead, Metric::DriveWritten],
        ),
        one(
            "Temperature",
            "Temperature of all systems",
            &[Metric::Temperature],
        ),
        one(
            "Utilization",
            "Processor and memory utilization of all systems",
            &[Metric::ProcessorUtilization, Metric::MemoryUtilization],
        ),
    ]
}

impl Telemetry {
    /// The definitions and reports of a store; in a new one, those that there are by default.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn open(store: &Store, clock: Arc<dyn Clock>) -> Result<Self> {
        let (begun, definitions, reports) = store
            .read(|conn| {
                Box::pin(async move {
                    let begun: Option<Json> = settings::get(conn, SETTINGS).await?;
                    let definitions = rows::definitions(conn).await?;
                    Ok((begun, definitions, rows::reports(conn).await?))
                })
            })
            .await?;
        let mut all: BTreeMap<ReportId, Entry> = definitions
            .into_iter()
            .map(|definition| {
                let id = definition.id.clone();
                let definition = Arc::new(definition);
                let report = None;
                (id, Entry { definition, report })
            })
            .collect();
        for report in reports {
            if let Some(entry) = all.get_mut(&report.definition) {
                entry.report = Some(Arc::new(report));
            }
        }
        let inner = Arc::new(Inner {
            store: store.clone(),
            clock,
            all: RwLock::new(all),
            gate: tokio::sync::Mutex::default(),
        });
        let this = Self(inner);
        if begun.is_none() {
            this.put_defaults(true).await?;
        }
        Ok(this)
    }

    fn look<T>(&self, what: impl FnOnce(&BTreeMap<ReportId, Entry>) -> T) -> T {
        look(&self.0, what)
    }

    async fn put_defaults(&self, is_new: bool) -> Result<()> {
        let inner = self.0.clone();
        let now = self.0.clock.now();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    settings::put(tx, SETTINGS, &json!({"begun": true})).await?;
                    for definition in defaults(now) {
                        let known = look(&inner, |all| all.get(&definition.id).cloned());
                        let is_same = known.as_ref().is_some_and(|known| {
                            Definition {
                                made: now,
                                generation: definition.generation,
                                ..Definition::clone(&known.definition)
                            } == definition
                                && known.report.is_none()
                        });
                        // Of a store that is new nobody wants to hear.
                        match (&known, is_new, is_same) {
                            (_, true, _) | (_, _, true) => {}
                            (None, ..) => say(tx, &definition.id, &What::Created.at(now)),
                            (Some(_), ..) => {
                                let about = Subject::ReportDefinition(definition.id.clone());
                                tx.happened(about, What::Changed.at(now));
                            }
                        }
                        put(tx, &inner, definition, None).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The definitions that the caller may see, ordered by id.
    #[must_use]
    pub fn definitions(&self, ctx: &Ctx) -> Vec<Arc<Definition>> {
        self.look(|all| {
            let definitions = all.values().map(|entry| &entry.definition);
            definitions
                .filter(|definition| visible(ctx, definition))
                .cloned()
                .collect()
        })
    }

    /// A definition.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn definition(&self, ctx: &Ctx, id: &ReportId) -> Result<Arc<Definition>> {
        self.look(|all| all.get(id).map(|entry| entry.definition.clone()))
            .filter(|definition| visible(ctx, definition))
            .ok_or_else(|| missing(id))
    }

    fn entry(&self, ctx: &Ctx, id: &ReportId) -> Result<Entry> {
        self.look(|all| all.get(id).cloned())
            .filter(|entry| visible(ctx, &entry.definition))
            .ok_or_else(|| missing(id))
    }

    /// Defines a report. It is durable when this returns.
    ///
    /// # Errors
    /// `Invalid` with a pointer into a `MetricReportDefinition`; `AlreadyExists`; `LimitExceeded`; `Internal` when the store fails.
    pub async fn define(&self, ctx: &Ctx, new: NewDefinition) -> Result<Arc<Definition>> {
        check(&new)?;
        let _gate = self.0.gate.lock().await;
        if let Some(id) = &new.id
            && self.look(|all| all.contains_key(id))
        {
            return Err(Error::new(
                ErrorKind::AlreadyExists {
                    what: "MetricReportDefinition",
                    property: "Id",
                    value: id.to_string(),
                },
                "There is a definition of that name.",
            ));
        }
        if self.look(BTreeMap::len) >= MOST {
            return Err(Error::new(
                ErrorKind::LimitExceeded { what: "reports" },
                "There are too many report definitions.",
            ));
        }
        let taken: Vec<ReportId> = self.look(|all| all.keys().cloned().collect());
        let (inner, ctx) = (self.0.clone(), ctx.clone());
        let now = self.0.clock.now();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let id = match &new.id {
                        Some(id) => id.clone(),
                        None => loop {
                            let number = tx.next_number("report_definitions").await?;
                            let id = ReportId::parse(&number.to_string())?;
                            if !taken.contains(&id) {
                                break id;
                            }
                        },
                    };
                    say(tx, &id, &What::Created.at(now));
                    let definition = defined(id, new, &ctx, now, 1);
                    put(tx, &inner, definition, None).await
                })
            })
            .await
    }

    /// Defines a report anew. What was reported so far stays.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for one that this face only shares; `Invalid` with a pointer into a `MetricReportDefinition`; `Internal` when
    /// the store fails.
    pub async fn redefine(
        &self,
        ctx: &Ctx,
        id: &ReportId,
        new: NewDefinition,
    ) -> Result<Arc<Definition>> {
        check(&new)?;
        let _gate = self.0.gate.lock().await;
        let Entry { definition, report } = self.entry(ctx, id)?;
        let (inner, now) = (self.0.clone(), self.0.clock.now());
        // With a new schedule, counting begins anew.
        let report = report.map(|report| {
            Arc::new(Report {
                sequence: 0,
                ..Report::clone(&report)
            })
        });
        let generation = definition.generation + 1;
        own(ctx, &definition)?;
        let definition = Definition {
            project: definition.project.clone(),
            face: definition.face.clone(),
            ..defined(id.clone(), new, ctx, now, generation)
        };
        self.0
            .store
            .write(move |tx| {
                let about = Subject::ReportDefinition(definition.id.clone());
                tx.happened(about, What::Changed.at(now));
                Box::pin(async move { put(tx, &inner, definition, report).await })
            })
            .await
    }

    /// Deletes a definition and its report.
    ///
    /// # Errors
    /// `NotFound`; `Conflict::NotAllowed` for one that this face only shares; `Internal` when the store fails.
    pub async fn delete(&self, ctx: &Ctx, id: &ReportId) -> Result<()> {
        let _gate = self.0.gate.lock().await;
        let entry = self.entry(ctx, id)?;
        own(ctx, &entry.definition)?;
        let inner = self.0.clone();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let id = entry.definition.id.clone();
                    rows::delete(tx, &id).await?;
                    due::remove(tx, DUE_COLLECT, id.as_str()).await?;
                    say(tx, &id, &What::Removed.at(inner.clock.now()));
                    tx.after_commit(move || {
                        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
                        all.remove(&id);
                    });
                    Ok(())
                })
            })
            .await
    }

    /// Brings the definitions that there are by default back to how they were, with no report; others stay.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn reset_defaults(&self) -> Result<()> {
        let _gate = self.0.gate.lock().await;
        self.put_defaults(false).await
    }

    /// Empties all reports that the caller may see.
    ///
    /// # Errors
    /// `Internal` when the store fails.
    pub async fn clear_reports(&self, ctx: &Ctx) -> Result<()> {
        let _gate = self.0.gate.lock().await;
        let ids: Vec<ReportId> = self
            .definitions(ctx)
            .iter()
            .map(|definition| definition.id.clone())
            .collect();
        let inner = self.0.clone();
        self.0
            .store
            .write(move |tx| {
                Box::pin(async move {
                    for id in &ids {
                        let is_made = look(&inner, |all| {
                            all.get(id).is_some_and(|entry| entry.report.is_some())
                        });
                        if is_made {
                            let event = What::Changed.at(inner.clock.now());
                            tx.happened(Subject::Report(id.clone()), event);
                        }
                        rows::delete_report(tx, id).await?;
                    }
                    tx.after_commit(move || {
                        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
                        for id in &ids {
                            if let Some(entry) = all.get_mut(id) {
                                entry.report = None;
                            }
                        }
                    });
                    Ok(())
                })
            })
            .await
    }
}

fn look<T>(inner: &Inner, look: impl FnOnce(&BTreeMap<ReportId, Entry>) -> T) -> T {
    look(&inner.all.read().unwrap_or_else(PoisonError::into_inner))
}

/// Tells that a definition and its report have come or gone.
fn say(tx: &mut Tx, id: &ReportId, event: &crate::logs::Event) {
    tx.happened(Subject::ReportDefinition(id.clone()), event.clone());
    tx.happened(Subject::Report(id.clone()), event.clone());
}

fn visible(ctx: &Ctx, definition: &Definition) -> bool {
    let in_project =
        ctx.project.is_none() || definition.project.is_none() || ctx.project == definition.project;
    in_project && (ctx.made_here(definition.face.as_ref()) || is_for_all(definition))
}

/// Whether a definition of the fleet shows each face what is its own: it is made anew for whoever asks, and names no system.
fn is_for_all(definition: &Definition) -> bool {
    let words = definition.words.as_object();
    definition.face.is_none()
        && definition.when == When::OnRequest
        && definition
            .wanted
            .iter()
            .all(|wanted| wanted.systems == Set::All)
        && words.is_some_and(|words| words.keys().all(|name| name == "Metrics"))
}

/// Whether the caller may change a definition that is there for it.
fn own(ctx: &Ctx, definition: &Definition) -> Result<()> {
    if ctx.made_here(definition.face.as_ref()) {
        return Ok(());
    }
    Err(Error::conflict(
        Conflict::NotAllowed,
        "The definition is shared by all systems; it is changed at the service of the fleet.",
    ))
}

fn check(new: &NewDefinition) -> Result<()> {
    if new.wanted.is_empty() {
        return Err(Error::invalid(
            "/MetricProperties",
            "",
            Invalid::Missing,
            "Say what is to be reported, in MetricProperties or in Metrics.",
        ));
    }
    if let When::Periodic(schedule) = &new.when {
        let interval = "/Schedule/RecurrenceInterval";
        match schedule.every {
            None => {
                let message = "A periodic report needs an interval.";
                return Err(Error::invalid(interval, "", Invalid::Missing, message));
            }
            Some(every) if every < LEAST_INTERVAL => {
                return Err(Error::invalid(
                    interval,
                    format!("PT{}S", every.as_secs()),
                    Invalid::OutOfRange,
                    format!("The shortest interval is {} s.", LEAST_INTERVAL.as_secs()),
                ));
            }
            Some(_) => {}
        }
        if schedule.next(None, 0, schedule.start).is_none() {
            return Err(Error::invalid(
                "/Schedule/InitialStartTime",
                schedule.start.to_string(),
                Invalid::OutOfRange,
                "With this schedule nothing would ever be reported.",
            ));
        }
    }
    Ok(())
}

fn defined(
    id: ReportId,
    new: NewDefinition,
    ctx: &Ctx,
    made: Timestamp,
    generation: u64,
) -> Definition {
    Definition {
        name: new.name.unwrap_or_else(|| format!("Report {id}")),
        id,
        description: new.description,
        when: new.when,
        enabled: new.enabled,
        update: new.update,
        suppress_repeated: new.suppress_repeated,
        wanted: new.wanted,
        words: new.words,
        project: ctx.project.clone(),
        face: ctx.face().cloned(),
        made,
        generation,
    }
}

/// Stores a definition and when it is due, and shows it once that is durable.
async fn put(
    tx: &mut Tx,
    inner: &Arc<Inner>,
    definition: Definition,
    report: Option<Arc<Report>>,
) -> Result<Arc<Definition>> {
    rows::put(tx, &definition).await?;
    match &report {
        Some(report) => rows::put_report(tx, report).await?,
        None => rows::delete_report(tx, &definition.id).await?,
    }
    let now = inner.clock.now();
    wake(tx, &definition, definition.next(None, now, 0)).await?;
    let definition = Arc::new(definition);
    let (inner, entry) = (
        inner.clone(),
        Entry {
            definition: definition.clone(),
            report,
        },
    );
    tx.after_commit(move || {
        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(entry.definition.id.clone(), entry);
    });
    Ok(definition)
}

async fn wake(tx: &mut Tx, definition: &Definition, next: Option<Timestamp>) -> Result<()> {
    let id = definition.id.as_str();
    match next {
        Some(next) => due::put(tx, next, DUE_COLLECT, id, &Json::Null).await,
        None => due::remove(tx, DUE_COLLECT, id).await,
    }
}

impl Stats {
    /// The temperature that stands for the whole: that of the air that comes in, else the first that is known.
    #[must_use]
    pub fn temperature(&self) -> Option<&Sensor> {
        self.sensor_at(Place::Intake, Quantity::Temperature)
            .or_else(|| self.of(Quantity::Temperature).next())
    }
}

impl HawkFish {
    /// What a system does and uses and what is measured in it, as last known; nothing while its host does not answer. From memory.
    #[must_use]
    pub fn stats(&self, system: &System) -> Option<Arc<Stats>> {
        if !system.reachable {
            return None;
        }
        let host = self.inner.hosts.get(&system.host)?;
        host.backend.stats(system.machine.key)
    }

    /// The report of a definition: of one that is made on request, as it is now; of another, as it was last made.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn metric_report(&self, ctx: &Ctx, id: &ReportId) -> Result<Arc<Report>> {
        let Entry { definition, report } = self.telemetry().entry(ctx, id)?;
        let now = self.clock().now();
        if definition.when == When::OnRequest && definition.enabled {
            let values = self.collect(ctx, &definition);
            let report = Report::with(None, &definition, now, values);
            return report.map(Arc::new).ok_or_else(|| missing(id));
        }
        Ok(report.unwrap_or_else(|| {
            Arc::new(Report {
                definition: definition.id.clone(),
                name: Some(definition.name.clone()),
                at: definition.made,
                sequence: 0,
                values: Vec::new(),
                last: Vec::new(),
            })
        }))
    }

    /// What a definition asks for, as far as the caller and the definition may see it, at most [`MOST_VALUES`].
    fn collect(&self, ctx: &Ctx, definition: &Definition) -> Vec<Value> {
        let mut sees = ctx.clone();
        sees.project = ctx.project.clone().or_else(|| definition.project.clone());
        if let (None, Some(face)) = (&sees.scope, &definition.face) {
            sees.scope = Some(Arc::new(Scope::of(face.clone())));
        }
        let mut values = Vec::new();
        for system in self.inventory().ids(&sees) {
            let id = system.as_str();
            let mut wanted = definition
                .wanted
                .iter()
                .filter(|wanted| wanted.systems.contains(id))
                .peekable();
            if wanted.peek().is_none() {
                continue;
            }
            let Some(system) = self.inventory().peek(&sees, &system) else {
                continue;
            };
            let Some(stats) = self.stats(&system) else {
                continue;
            };
            for wanted in wanted {
                for (instance, value) in wanted.metric.read(&stats) {
                    let named = instance.as_deref().unwrap_or_default();
                    if !wanted.instances.contains(named) {
                        continue;
                    }
                    if values.len() >= MOST_VALUES {
                        tracing::warn!(report = %definition.id, most = MOST_VALUES, "a report is full before it is complete");
                        return values;
                    }
                    values.push(Value {
                        metric: wanted.metric,
                        system: system.id.clone(),
                        instance,
                        at: stats.at,
                        value,
                    });
                }
            }
        }
        values
    }

    /// Makes the report that is due.
    pub(crate) async fn on_report_due(&self, row: &Due) -> Result<()> {
        let telemetry = self.telemetry();
        let _gate = telemetry.0.gate.lock().await;
        let ctx = Ctx::service();
        let entry = ReportId::parse(&row.subject).and_then(|id| telemetry.entry(&ctx, &id));
        let now = self.clock().now();
        let made = entry.ok().map(|entry| {
            let values = self.collect(&ctx, &entry.definition);
            let made = Report::with(entry.report.as_deref(), &entry.definition, now, values);
            (entry, made)
        });
        let wanted = self.inner.subscriptions.wants_reports();
        let (inner, subject) = (telemetry.0.clone(), row.subject.clone());
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let Some((Entry { definition, report }, made)) = made else {
                        return due::remove(tx, DUE_COLLECT, &subject).await;
                    };
                    let done = made
                        .as_ref()
                        .or(report.as_deref())
                        .map_or(0, |r| r.sequence);
                    wake(tx, &definition, definition.next(Some(now), now, done)).await?;
                    let Some(made) = made else { return Ok(()) };
                    rows::put_report(tx, &made).await?;
                    let made = Arc::new(made);
                    // A report is long, and the stream keeps many events: it holds only what somebody wants to hear.
                    if wanted {
                        let event = What::Report(made.clone()).at(now);
                        tx.happened(Subject::Report(made.definition.clone()), event);
                    }
                    tx.after_commit(move || {
                        let mut all = inner.all.write().unwrap_or_else(PoisonError::into_inner);
                        if let Some(entry) = all.get_mut(&made.definition) {
                            entry.report = Some(made);
                        }
                    });
                    Ok(())
                })
            })
            .await
    }
}
