//! The stages that read the lake.

use std::path::{Path, PathBuf};

use tessera_engine::{Engine, Materialized, Outside};
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, RowCounts, SourceRows};
use tessera_features::Pass;
use tessera_spec::pipeline::Source;

use super::{Job, Made, PassDone};
use crate::error::{PipelineError, needed};
use crate::history;
use crate::sources::{self, SourceOutcome};
use crate::stage::StageReport;
use crate::table::Earlier;
use crate::{cohorts, leaves, table, times};

impl Job<'_> {
    /// Reads a source once, into one row per customer at the date of the run and at earlier dates.
    pub(super) fn aggregate(
        &self,
        source: &str,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        let mut passes = prepared.features.passes.iter();
        let number = needed(passes.position(|pass| pass.source == source), "passes")?;
        let pass = &prepared.features.passes[number];
        let from = (
            &prepared.pipeline.sources[number],
            &prepared.inventories[number],
        );
        let table = self.work.join(format!("{number}-{}.parquet", pass.source));
        let Materialized {
            table: found,
            mut counts,
            hiding,
            ..
        } = self.read(pass, &table, made)?;
        let rows = &pass.aggregate.rows;
        let unseen = self.engine.unseen(rows, hiding.as_deref())?;
        counts.unseen = counts.unseen.plus(unseen);
        if counts.newest_micros.is_none() && counts.unseen.pruned > 0 {
            // How old the data is does not depend on what is computed of it.
            let every = self.counts(pass, |rows| rows.not_before = None)?;
            counts.newest_micros = every.newest_micros;
        }
        let mut outcome = sources::outcome(&self.engine, &prepared.pipeline, from, rows, counts)?;
        let time = from.0.time.as_ref().map(|time| time.value.as_str());
        times::warn(&mut outcome, time, prepared.as_of);
        sources::findings_of_the_lake(&prepared.pipeline, from, &mut outcome);
        let case = sources::Case {
            engine: &self.engine,
            from,
            rows,
            disclosure: self.disclosure,
        };
        let judged = sources::judge(&case, &prepared.pipeline, &mut outcome, prepared.as_of);
        self.observer.source(&outcome);
        judged?;
        sources::one_row_each(
            (&self.engine, &prepared.pipeline),
            from,
            rows,
            &mut outcome,
            found.rows,
        )?;
        sources::refunds(&self.engine, from.0, rows, &mut outcome)?;
        sources::last_days(&self.engine, from.0, rows, &mut outcome)?;
        sources::never_true(&prepared.pipeline, from.0, &pass.aggregate, &mut outcome);
        let report = StageReport {
            rows_in: outcome.file_rows,
            rows_out: found.rows,
            bytes: outcome.bytes,
            ..StageReport::default()
        };
        let aged = prepared.aged.as_ref();
        let aged = aged.and_then(|aged| aged.sources.get(&pass.source));
        let new_rows = aged.map(|aged| history::new_rows(&found, &aged.new_rows));
        made.passes.push(PassDone {
            table,
            outcome,
            new_rows: new_rows.transpose()?,
            pruned: self.pruned_since(pass)?,
        });
        Ok(report)
    }

    /// The used rows of the days that a run of the previous day read and this one does not, since no window reaches them any more.
    fn pruned_since(&self, pass: &Pass) -> Result<u64, PipelineError> {
        let rows = &pass.aggregate.rows;
        let (Some(aged), Some(first)) = (&self.prepared.aged, rows.not_before) else {
            return Ok(0);
        };
        let gap = rows.as_of.signed_duration_since(aged.since);
        let days = first.checked_sub_signed(gap).zip(first.pred_opt());
        let Some((first_then, last)) = days else {
            return Ok(0);
        };
        let counts = self.counts(pass, |rows| {
            (rows.not_before, rows.as_of) = (Some(first_then), last);
        })?;
        Ok(counts.used)
    }

    /// Counts other rows of a source than its pass reads.
    fn counts(
        &self,
        pass: &Pass,
        change: impl FnOnce(&mut SourceRows),
    ) -> Result<RowCounts, PipelineError> {
        let mut plan = pass.aggregate.clone();
        change(&mut plan.rows);
        plan.sparse = None;
        plan.aggs = vec![Agg {
            name: "rows".to_owned(),
            func: COUNT.of_rows(),
            window: None,
            filter: None,
        }];
        let table = self.work.join(format!("pruned-{}.parquet", pass.source));
        Ok(self.engine.materialize(&plan, &table)?.counts)
    }

    /// Reads the rows of a pass; where scores are trained on earlier dates, those of each of them in the same read.
    fn read(
        &self,
        pass: &Pass,
        table: &Path,
        made: &mut Made,
    ) -> Result<Materialized, PipelineError> {
        if made.passes.is_empty() {
            for (date, enough) in self.prepared.observations() {
                let planned = Earlier::planned(self.prepared, (date, enough), self.work)?;
                made.earlier.insert(date, planned);
            }
        }
        let beside = made.earlier.iter();
        let beside =
            beside.filter_map(|(date, earlier)| Some((*date, earlier.beside(&pass.source)?)));
        let beside: Vec<_> = beside.collect();
        let mut reads = vec![(&pass.aggregate, table)];
        reads.extend(beside.iter().map(|(_, (plan, to))| (plan, to.as_path())));
        let tables = self.engine.materialize_all(&reads);
        let tables = tables.map_err(|error| sources::without_key(error, self.disclosure))?;
        let mut tables = tables.into_iter();
        let found = needed(tables.next(), "passes")?;
        for ((date, _), table) in beside.iter().zip(tables) {
            if let Some(earlier) = made.earlier.get_mut(date) {
                earlier.made(&pass.source, &table);
            }
        }
        Ok(found)
    }

    /// Collects the first rows that each rule rejected, after checking that every source is complete.
    pub(super) fn rejects(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        let outcomes = made.passes.iter().map(|pass| &pass.outcome);
        sources::complete(&prepared.pipeline, outcomes, prepared.as_of)?;
        let mut rejected = 0;
        let passes = prepared.features.passes.iter().zip(&mut made.passes);
        for (number, (pass, done)) in passes.enumerate() {
            let case = sources::Case {
                engine: &self.engine,
                from: (
                    &prepared.pipeline.sources[number],
                    &prepared.inventories[number],
                ),
                rows: &pass.aggregate.rows,
                disclosure: self.disclosure,
            };
            made.rejects
                .extend(sources::rejects(&case, &mut done.outcome)?);
            rejected += done.outcome.rejected();
        }
        Ok(StageReport {
            rows_in: rejected,
            rows_out: made.rejects.len() as u64,
            ..StageReport::default()
        })
    }

    /// Makes the table of customers with every feature, including hidden ones.
    pub(super) fn features(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        let paths: Vec<PathBuf> = made.passes.iter().map(|pass| pass.table.clone()).collect();
        let plan = &prepared.features;
        let table = table::assemble(&self.engine, prepared, plan, prepared.as_of, (&paths, None));
        let (table, outside) = table.map_err(|error| match error {
            PipelineError::NoCustomers { as_of, .. } => PipelineError::NoCustomers {
                as_of,
                sources: self.without_customers(made),
            },
            other => other,
        })?;
        table::warn_of_failures(&table);
        self.keys(outside, &mut made.passes);
        let rows = table.num_rows() as u64;
        let (table, later) = leaves::split(prepared, table)?;
        made.later = later;
        let (table, aged) = history::split(prepared, table)?;
        made.firsts = cohorts::firsts(prepared, &table)?;
        (made.table, made.aged) = (Some(table), aged);
        Ok(StageReport {
            rows_in: rows,
            rows_out: rows,
            ..StageReport::default()
        })
    }

    /// What became of the rows of the sources whose customers there would be.
    fn without_customers(&self, made: &Made) -> Vec<String> {
        let planned = self.prepared.features.passes.iter().zip(&made.passes);
        let in_base = planned.filter(|(pass, _)| pass.in_base);
        let mut sources: Vec<String> = in_base
            .map(|(_, done)| sources::outcome_text(&done.outcome))
            .collect();
        if !self.prepared.pipeline.customer.from.is_empty() {
            sources.push("`from` of [customer] names no other source".to_owned());
        }
        sources
    }

    /// Notes which keys of the sources are no customers, and which may be written differently elsewhere.
    fn keys(&self, outside: Vec<Outside>, passes: &mut [PassDone]) {
        let pipeline = &self.prepared.pipeline;
        let planned = self.prepared.features.passes.iter();
        let held = planned.zip(&pipeline.sources).zip(passes);
        let held: Vec<_> = held.filter(|((pass, _), _)| !pass.is_lookup).collect();
        let sources: Vec<&Source> = held.iter().map(|((_, source), _)| *source).collect();
        let compared = sources::Compared {
            pipeline,
            sources: &sources,
            values: self.disclosure.values,
        };
        for (((pass, source), done), outside) in held.into_iter().zip(outside) {
            let rows = &pass.aggregate.rows;
            sources::placeholders(&compared, (source, rows), &outside, &mut done.outcome);
            match pass.in_base {
                true => compared.warn(source, &outside.written, &mut done.outcome),
                false => sources::outside_the_base(&compared, &mut done.outcome, outside),
            }
        }
    }

    /// Draws the customers of the earlier dates on which scores are trained: a sample if there are more than training needs. Sources
    /// that were not read for all of them are read again.
    pub(super) fn look_back(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let customers = needed(made.table.as_ref(), "features")?.num_rows();
        for (date, earlier) in &mut made.earlier {
            let sample = earlier.draw(self.prepared, customers);
            made.samples.extend(sample.map(|sample| (*date, sample)));
        }
        Ok(StageReport {
            rows_in: made.earlier.len() as u64,
            rows_out: table::look_back(&self.engine, &mut made.earlier)?,
            ..StageReport::default()
        })
    }

    /// Computes the features of the customers at an earlier date.
    pub(super) fn past(
        &self,
        date: chrono::NaiveDate,
        made: &mut Made,
    ) -> Result<StageReport, PipelineError> {
        let earlier = needed(made.earlier.remove(&date), "earlier dates")?;
        let found = match table::at(&self.engine, self.prepared, date, &earlier) {
            Ok(found) => Some(found),
            // No customers existed at this date; the score handles that.
            Err(PipelineError::NoCustomers { .. }) => None,
            Err(error) => return Err(error),
        };
        let rows = found.as_ref().map_or(0, |table| table.num_rows() as u64);
        made.past.extend(found.map(|found| (date, found)));
        Ok(StageReport {
            rows_out: rows,
            ..StageReport::default()
        })
    }

    /// Checks that the files of the lake have not changed since they were listed. The lake is not read after this stage, except to
    /// compare with the previous version.
    pub(super) fn unchanged(&self, made: &mut Made) -> Result<StageReport, PipelineError> {
        let prepared = self.prepared;
        for (source, inventory) in prepared.pipeline.sources.iter().zip(&prepared.inventories) {
            tessera_ingest::unchanged(source, inventory)?;
        }
        made.dated = made.passes.iter().filter_map(dated).collect();
        let passes = std::mem::take(&mut made.passes);
        made.outcomes = passes.into_iter().map(|pass| pass.outcome).collect();
        let files = prepared
            .inventories
            .iter()
            .map(|inventory| inventory.files.len() as u64);
        Ok(StageReport {
            rows_in: files.sum(),
            ..StageReport::default()
        })
    }
}

/// Used rows of a source up to the close of the previous day, also of days that only a run of that day reads.
fn dated(pass: &PassDone) -> Option<(String, u64)> {
    let outcome: &SourceOutcome = &pass.outcome;
    let dated = outcome.counts.used.checked_sub(pass.new_rows?)? + pass.pruned;
    Some((outcome.name.clone(), dated))
}
