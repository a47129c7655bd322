//! The stages over the table of customers, and those that publish the results.

use arrow::array::RecordBatch;
use serde_json::json;
use tessera_engine::Engine;
use tessera_expr::Expr;
use tessera_history::Ledger;
use tessera_model::interrupt::Interrupt;
use tessera_spec::pipeline::Scheme;

use super::{Job, Made};
use crate::artifacts::{self, Known};
use crate::base::Base;
use crate::customers::{Assigned, AssignedMark, Ruled};
use crate::error::{PipelineError, needed};
use crate::gates::{self, Short};
use crate::held::{self, Held, Served};
use crate::history::{self, Evidence, History, HistoryMark};
use crate::prepared::Prepared;
use crate::publish::{self, Tables};
use crate::stage::{Stage, StageReport};
use crate::{cohorts, expect, experiments, leaves, lines, merged, nearest, scores, sources, value};

/// Memory of a score in addition to the tables, as a multiple of their size: its matrix, its training rows, its columns.
const SCORE_COPIES: f64 = 2.0;

/// Memory of a scheme, as a multiple of the table of customers: the scaled features of a clustering need most.
const ASSIGN_COPIES: f64 = 2.0;

/// Memory for writing the tables of a version, as a multiple of the table of customers.
const PUBLISH_COPIES: f64 = 1.0;

/// What a scheme is assigned with.
struct Holding<'a> {
    features: &'a RecordBatch,
    assigned: &'a mut Assigned,
    history: &'a mut History,
}

/// The definition of the previous version with its predicates, or why there is none that could serve instead. `learned`: what the
/// previous version applied; `applied`: the id of what this run applies.
fn earlier(
    prepared: &Prepared,
    scheme: &Scheme,
    history: &History,
    (learned, applied): (Option<&Known>, Option<&str>),
) -> Result<(Held, Option<Vec<Expr>>), String> {
    let name = scheme.name.value.as_str();
    let Some(mut held) = history.serving(name) else {
        return Err("there is no previous version with this scheme".to_owned());
    };
    let unfit = |why: String| format!("that of {} does not fit: {why}", held.as_of);
    let mut predicates = prepared.fitting(&held.scheme).map_err(unfit);
    if let (Ok(Some(rules)), Some(version)) = (&predicates, history.version_before())
        && let Some(kind) = history::kind_now(prepared, (&held.scheme, rules), version)
    {
        // Other schemes may have other names for their segments since.
        held.scheme.kind = kind;
        predicates = prepared.fitting(&held.scheme).map_err(unfit);
    }
    let (then, now) = (json!(held.scheme.kind), json!(scheme.kind));
    // Of the renames that the file states, some may have been made before that version.
    let before = history.version_before();
    let before = before.map(|version| history::stated_before(now.clone(), scheme, version));
    let is_renamed = || then == history::called_before(now.clone(), &scheme.naming);
    let same = then == now || before.as_ref() == Some(&then) || is_renamed();
    let id = learned.map(|known| known.committed.id.as_str());
    if same && (id == applied || !artifacts::learns(scheme)) {
        return Err("the previous version has the same one".to_owned());
    }
    if artifacts::learns(&held.scheme) && learned.is_none() {
        return Err("what the previous version had learned cannot be read".to_owned());
    }
    let predicates = predicates?;
    // Names that people give belong to ids of segments, whichever definition serves.
    held.scheme.naming = scheme.naming.after(&held.scheme.naming);
    Ok((held, predicates))
}

/// A stage that keeps the number of rows.
fn same_rows(rows: usize) -> StageReport {
    StageReport {
        rows_in: rows as u64,
        rows_out: rows as u64,
        ..StageReport::default()
    }
}

impl Job<'_> {
    /// Adds the columns of a score to the table.
    pub(super) fn score(
        &self,
        stage: &Stage,
        name: &str,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        let mut scores = prepared.pipeline.scores.iter();
        let score = needed(scores.find(|score| score.name.value == name), "scores")?;
        let table = needed(made.table.as_ref(), "features")?;
        let held: Vec<&RecordBatch> = [table].into_iter().chain(made.past.values()).collect();
        self.memory.require(stage, &held, SCORE_COPIES)?;
        let given = (&made.past, &made.samples);
        let one = scores::compute(score, prepared, table, given, Interrupt::PROCESS)?;
        let report = same_rows(one.table.num_rows());
        made.table = Some(one.table);
        made.scored.push((name.to_owned(), one.scored));
        made.artifacts.extend(one.artifact);
        let learned = made.learned.get_or_insert_default();
        learned.extend(one.learned.map(|learned| (name.to_owned(), learned)));
        Ok(report)
    }

    /// Adds the columns of `[value]` to the table and splits it into active customers and closed accounts.
    pub(super) fn values(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        made.past.clear();
        let table = needed(made.table.take(), "features")?;
        let table = value::add(self.prepared, &table, &self.engine)?;
        let report = same_rows(table.num_rows());
        let keys = table.column(0).clone();
        let base = Base::part(self.prepared, table)?;
        if let Some(closed) = base.closed.as_ref()
            && closed.active().false_count() > 0
            && let Some(aged) = made.aged.take()
        {
            made.aged = Some(aged.parted(&keys, closed.active())?);
        }
        if let Some(warning) = lines::without_risk(self.prepared, &base.active) {
            tracing::warn!("{warning}");
        }
        made.base = Some(base);
        Ok(report)
    }

    /// Reads the version before this day, if the store has one.
    pub(super) fn previous(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let base = needed(made.base.as_ref(), "customers")?;
        let assigned = Assigned::new(self.prepared, &base.active)?;
        let customers = assigned.customers();
        let key_type = customers.key().data_type();
        let merged = merged::keys(self.prepared, &self.engine, key_type)?;
        let history = History::new(self.prepared, self.store.as_ref(), customers, merged)?;
        if let Some(before) = history.files_before() {
            sources::shrunk::warn(before, &self.prepared.inventories, &mut made.outcomes);
        }
        (made.assigned, made.history, made.tables) = (Some(assigned), Some(history), None);
        made.failed.clear();
        made.served = None;
        Ok(same_rows(base.active.num_rows()))
    }

    /// Assigns every customer to one segment of a scheme.
    pub(super) fn assign(
        &self,
        stage: &Stage,
        name: &str,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let served = made.served.clone();
        let prepared = self.served_by(served.as_ref());
        let scheme = needed(prepared.pipeline.scheme(name), "schemes")?;
        let features = &needed(made.base.as_ref(), "customers")?.active;
        let assigned = needed(made.assigned.as_mut(), "assignments")?;
        let history = needed(made.history.as_mut(), "the previous version")?;
        self.memory.require(stage, &[features], ASSIGN_COPIES)?;
        let matches = self.ruled(prepared, scheme, assigned)?;
        let before = (assigned.mark(), history.mark());
        assigned.assign(prepared, scheme, matches.as_ref(), history)?;
        let mut short = assigned.judge(prepared, scheme, features, history)?;
        if short.fail.is_empty() && !short.hold.is_empty() {
            let rows = same_rows(assigned.len());
            let mut holding = Holding {
                features,
                assigned,
                history,
            };
            let found = self.hold(prepared, scheme, (before, &short.hold), &mut holding)?;
            if let Some((prepared, held, again)) = found {
                made.served = Some(Served::with(served.as_ref(), prepared, held));
                short = again;
            }
            made.failed.extend(short.fail);
            return Ok(rows);
        }
        made.failed.extend(short.fail);
        Ok(same_rows(assigned.len()))
    }

    /// The pipeline with the definitions of schemes that serve.
    fn served_by<'s>(&'s self, served: Option<&'s Served>) -> &'s Prepared {
        served.map_or(self.prepared, |served| &served.prepared)
    }

    /// The results of the rules of a scheme; none for other kinds.
    fn ruled(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        assigned: &Assigned,
    ) -> Result<Option<Ruled>, PipelineError> {
        let Some(rules) = prepared.rules.get(&scheme.name.value) else {
            return Ok(None);
        };
        let (day, rules) = (prepared.as_of, (scheme, rules.as_slice()));
        let ruled = assigned.ruled(prepared, day, rules, &self.engine)?;
        Ok(Some(ruled))
    }

    /// Assigns by the definition of the previous version instead, if there is another one that fits today's columns. Returns the
    /// pipeline with it, and what of it falls short in turn.
    fn hold(
        &self,
        prepared: &Prepared,
        scheme: &Scheme,
        ((assigned_before, history_before), short): ((AssignedMark, HistoryMark), &[String]),
        to: &mut Holding<'_>,
    ) -> Result<Option<(Prepared, Held, Short)>, PipelineError> {
        let name = scheme.name.value.as_str();
        let known = prepared.artifacts.before(&artifacts::of_scheme(name));
        let applied = to.assigned.applied(name);
        let found = earlier(prepared, scheme, to.history, (known, applied));
        let (held, predicates) = match found {
            Ok(found) => found,
            Err(why) => {
                let row = held::row(short, Err(why));
                tracing::warn!(
                    "scheme `{name}`: {}",
                    row.reason.as_deref().unwrap_or_default()
                );
                to.assigned.note(row);
                return Ok(None);
            }
        };
        to.assigned.set_aside(name);
        to.assigned.back_to(&assigned_before);
        to.history.back_to(history_before, name);
        let served = prepared.with_scheme(held.scheme.clone(), predicates);
        let ruled = self.ruled(&served, &held.scheme, to.assigned)?;
        let by = (
            ruled.as_ref(),
            known.filter(|_| artifacts::learns(&held.scheme)),
        );
        to.assigned
            .assign_held(&served, &held.scheme, by, to.history)?;
        let row = held::row(short, Ok(held.as_of));
        tracing::warn!(
            "scheme `{name}`: {}",
            row.reason.as_deref().unwrap_or_default()
        );
        to.assigned.note(row);
        let again = to
            .assigned
            .judge(&served, &held.scheme, to.features, to.history)?;
        Ok(Some((served, held, again)))
    }

    /// The customers by the month of their first order: of months that are over, as the previous version has them.
    pub(super) fn cohorts(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let firsts = needed(made.firsts.as_ref(), "first orders")?;
        let history = needed(made.history.as_ref(), "the previous version")?;
        let known = history.cohorts(self.prepared, &made.dated)?;
        let with = (&self.engine as &dyn Engine, self.work);
        let table = cohorts::count(self.prepared, with, firsts, known)?;
        let report = StageReport {
            rows_in: firsts.num_rows() as u64,
            rows_out: table.num_rows() as u64,
            ..StageReport::default()
        };
        made.cohorts = Some(table);
        Ok(report)
    }

    /// Makes the tables: profiles of segments, moves and their causes, and all others.
    pub(super) fn profile(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let served = made.served.clone();
        let prepared = self.served_by(served.as_ref());
        if let Some(warning) = value::undeclared(prepared) {
            tracing::warn!("{warning}");
        }
        if !made.failed.is_empty() {
            return Err(PipelineError::Gates {
                failures: std::mem::take(&mut made.failed),
            });
        }
        let base = needed(made.base.as_ref(), "customers")?;
        let assigned = needed(made.assigned.take(), "assignments")?.beside(base.closed.clone());
        let history = needed(made.history.take(), "the previous version")?;
        let rows_in = assigned.len() as u64;
        let evidence = Evidence {
            engine: &self.engine,
            work: self.work,
            table: &base.active,
            aged: made.aged.as_ref(),
            dated: &made.dated,
            artifacts: &made.artifacts,
            learned: made.learned.as_ref(),
            assigned: assigned.artifacts(),
        };
        let (customers, assignments) = (assigned.customers(), assigned.assignments());
        let published = assigned.published()?;
        let conducted = experiments::conduct(prepared, published, &history)?;
        let mut told = history.tell(prepared, customers, assignments, &evidence)?;
        if let Some(inputs) = &made.later {
            let ledger = Ledger::from_batches(std::slice::from_ref(&told.ledger))?;
            let from = leaves::From {
                prepared,
                engine: &self.engine,
                inputs,
                now: &base.active,
                assigned: &assigned,
                ledger: &ledger,
            };
            leaves::fill(&from, &mut told.stays)?;
        }
        nearest::fill(prepared, &self.engine, &assigned, &mut told.stays)?;
        let rejects = made.rejects.clone();
        let scored = (made.scored.clone(), made.artifacts.clone());
        let reachable = gates::reachable(prepared, &base.active);
        let mut tables = Tables::new(
            prepared,
            assigned,
            told,
            &made.outcomes,
            rejects,
            scored,
            (reachable, conducted),
        )?;
        tables.add_cohorts(made.cohorts.clone());
        tables.expectations = expect::hold(prepared, &tables)?;
        let rows_out = tables.profile_rows();
        made.tables = Some(tables);
        Ok(StageReport {
            rows_in,
            rows_out,
            ..StageReport::default()
        })
    }

    /// Publishes the tables in the store.
    pub(super) fn publish(
        &self,
        stage: &Stage,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let tables = needed(made.tables.as_ref(), "tables")?;
        let store = needed(self.store.as_ref(), "a store")?;
        let rows = tables.rows();
        self.memory
            .require(stage, &[tables.customers()], PUBLISH_COPIES)?;
        let begun = (self.prepared.started, self.replaces.clone());
        let mut identity = self.identity.clone();
        if let Some(served) = &made.served {
            identity.pipeline = served.stated(&identity.pipeline);
        }
        let mut published =
            publish::publish((store, self.prepared), &identity, tables, begun, self.gate)?;
        published.expectations = tables.expectations;
        self.observer.published(&published);
        let report = StageReport {
            rows_in: rows,
            rows_out: rows,
            bytes: published.bytes,
            ..StageReport::default()
        };
        made.published = Some(published);
        Ok(report)
    }

    /// Writes the report of the published version, from its tables: nothing else of the run is held any more.
    pub(super) fn report(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        *made = Made {
            published: made.published.take(),
            ..Made::default()
        };
        let store = needed(self.store.as_ref(), "a store")?;
        let published = needed(made.published.as_mut(), "a version")?;
        let bytes = publish::write_report(store, published, self.prepared.pipeline.report)?;
        Ok(StageReport {
            bytes,
            ..StageReport::default()
        })
    }
}
