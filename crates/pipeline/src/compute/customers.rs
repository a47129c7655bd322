//! The stages over the table of customers, and those that publish the results.

use arrow::array::RecordBatch;
use tessera_engine::Engine;
use tessera_model::interrupt::Interrupt;

use super::{Job, Made, needed};
use crate::base::Base;
use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::history::{Evidence, History};
use crate::publish::{self, Tables};
use crate::stage::{Stage, StageReport};
use crate::{cohorts, expect, scores, value};

/// Memory of a score in addition to the tables, as a multiple of their size: its matrix, its training rows, its columns.
const SCORE_COPIES: f64 = 2.0;

/// Memory of a scheme, as a multiple of the table of customers: the scaled features of a clustering need most.
const ASSIGN_COPIES: f64 = 2.0;

/// Memory for writing the tables of a version, as a multiple of the table of customers.
const PUBLISH_COPIES: f64 = 1.0;

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
        Ok(report)
    }

    /// Adds the columns of `[value]` to the table and splits it into active customers and closed accounts.
    pub(super) fn values(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        made.past.clear();
        let table = needed(made.table.take(), "features")?;
        let table = value::add(self.prepared, &table, &self.engine, self.work)?;
        let report = same_rows(table.num_rows());
        made.base = Some(Base::part(self.prepared, table)?);
        Ok(report)
    }

    /// Reads the version before this day, if the store has one.
    pub(super) fn previous(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let base = needed(made.base.as_ref(), "customers")?;
        let assigned = Assigned::new(self.prepared, &base.active)?;
        let history = History::new(self.prepared, self.store.as_ref(), assigned.customers())?;
        (made.assigned, made.history, made.tables) = (Some(assigned), Some(history), None);
        made.failed.clear();
        Ok(same_rows(base.active.num_rows()))
    }

    /// Assigns every customer to one segment of a scheme.
    pub(super) fn assign(
        &self,
        stage: &Stage,
        name: &str,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        let scheme = needed(prepared.pipeline.scheme(name), "schemes")?;
        let features = &needed(made.base.as_ref(), "customers")?.active;
        let assigned = needed(made.assigned.as_mut(), "assignments")?;
        let history = needed(made.history.as_mut(), "the previous version")?;
        self.memory.require(stage, &[features], ASSIGN_COPIES)?;
        let matches = match prepared.rules.get(name) {
            Some(rules) => {
                let (day, rules) = (prepared.as_of, (scheme, rules.as_slice()));
                Some(assigned.ruled(prepared, day, rules, &self.engine, self.work)?)
            }
            None => None,
        };
        assigned.assign(prepared, scheme, matches.as_ref(), history)?;
        let failed = assigned.judge(prepared, scheme, features, history)?;
        made.failed.extend(failed);
        Ok(same_rows(assigned.len()))
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
        let prepared = self.prepared;
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
            assigned: assigned.artifacts(),
        };
        let (customers, assignments) = (assigned.customers(), assigned.assignments());
        let told = history.tell(prepared, customers, assignments, &evidence)?;
        let rejects = made.rejects.clone();
        let scored = (made.scored.clone(), made.artifacts.clone());
        let mut tables = Tables::new(prepared, assigned, told, &made.outcomes, rejects, scored)?;
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
        let replaces = self.replaces.clone();
        let mut published = publish::publish(store, &self.identity, tables, replaces, self.gate)?;
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

    /// Writes the report of the published version.
    pub(super) fn report(&self, made: &Made) -> Result<StageReport, PipelineError> {
        let store = needed(self.store.as_ref(), "a store")?;
        let published = needed(made.published.as_ref(), "a version")?;
        let bytes = publish::write_report(store, published.version, self.prepared.pipeline.report)?;
        Ok(StageReport {
            bytes,
            ..StageReport::default()
        })
    }
}
