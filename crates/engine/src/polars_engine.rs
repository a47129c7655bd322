//! The built-in engine: polars' streaming scans with our own accumulators behind them.

use std::path::Path;

use arrow::array::RecordBatch;
use tessera_expr::Expr;
use tessera_expr::rel::{Aggregate, Assemble, Drawn, Project, SourceRows, Unseen};

use crate::aggregate::Made;
use crate::budget::Budget;
use crate::error::{EngineError, guarded};
use crate::lake;
use crate::lower::Clock;
use crate::written::Meeting;
use crate::{
    Engine, Materialized, Outside, Reject, Several, Successions, aggregate, assemble, glimpse,
    join, per_key, project, rejects, successions,
};

/// Polars on this machine.
#[derive(Debug, Clone)]
pub struct PolarsEngine {
    workers: usize,
    budget: Budget,
}

impl PolarsEngine {
    /// An engine with this many aggregation workers that keeps to a budget of memory. Neither shows in any result.
    pub fn new(workers: usize, budget: Budget) -> Self {
        lake::limit(budget.limit_bytes());
        Self {
            workers: workers.max(1),
            budget,
        }
    }
}

impl PolarsEngine {
    /// Runs passes that read the same files in the same way: together where there is memory for all of them.
    fn together(&self, passes: &[(&Aggregate, &Path)]) -> Result<Vec<Materialized>, EngineError> {
        let lookups = passes
            .iter()
            .map(|(plan, _)| guarded(|| join::hold(&plan.rows)));
        let _lookups = lookups.collect::<Result<Vec<_>, _>>()?;
        let made = guarded(|| self.passes(passes))?;
        let made = made.into_iter().map(|made| Materialized {
            table: made.table,
            counts: made.counts,
            left_out: made.left_out,
            hiding: made.hiding,
        });
        Ok(made.collect())
    }

    /// Passes for which there is no memory beside the first are run after it; those that may leave customers out leave out all.
    fn passes(&self, passes: &[(&Aggregate, &Path)]) -> Result<Vec<Made>, EngineError> {
        if passes.is_empty() {
            return Ok(Vec::new());
        }
        let made = aggregate::run_together(passes, self.workers, &self.budget)?;
        let mut all = Vec::with_capacity(passes.len());
        let mut later = Vec::new();
        for (&(plan, to), made) in passes.iter().zip(made) {
            let may_leave_out = matches!(plan.rows.only, Some(Drawn::Lowest(_)));
            all.push(match made {
                None if may_leave_out => Some(aggregate::nobody(plan, &self.budget, to)?),
                made => made,
            });
            if all.last().is_some_and(Option::is_none) {
                later.push((plan, to));
            }
        }
        let mut later = self.passes(&later)?.into_iter();
        let all = all.into_iter().map(|made| made.or_else(|| later.next()));
        let all: Option<Vec<Made>> = all.collect();
        all.ok_or_else(|| EngineError::internal("a pass without a table".to_owned()))
    }
}

impl Engine for PolarsEngine {
    fn name(&self) -> &'static str {
        "polars"
    }

    fn materialize(&self, plan: &Aggregate, to: &Path) -> Result<Materialized, EngineError> {
        let made = self.materialize_all(&[(plan, to)])?.pop();
        made.ok_or_else(|| EngineError::internal("a pass without a table".to_owned()))
    }

    fn assemble(&self, plan: &Assemble) -> Result<(RecordBatch, Vec<Outside>), EngineError> {
        guarded(|| {
            let (side_by_side, outside) = assemble::run(plan, &self.budget)?;
            let clock = Clock::local(plan.as_of, plan.timezone);
            let table = project::extend(&side_by_side, &plan.columns, clock)?;
            Ok((table, outside))
        })
    }

    fn project(&self, plan: &Project, table: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let clock = Clock::local(plan.as_of, plan.timezone);
        guarded(|| project::extend(table, &plan.columns, clock))
    }

    fn materialize_all(
        &self,
        passes: &[(&Aggregate, &Path)],
    ) -> Result<Vec<Materialized>, EngineError> {
        let mut made = Vec::with_capacity(passes.len());
        for together in passes.chunk_by(|(a, _), (b, _)| a.rows.scan.reads_alike(&b.rows.scan)) {
            made.extend(self.together(together)?);
        }
        Ok(made)
    }

    fn unseen(&self, rows: &SourceRows, hiding: Option<&[usize]>) -> Result<Unseen, EngineError> {
        let _lookups = guarded(|| join::hold(rows))?;
        guarded(|| aggregate::unseen(rows, hiding))
    }

    fn contradiction(&self, rows: &SourceRows, held: &[u64]) -> Result<(), EngineError> {
        guarded(|| aggregate::contradiction(rows, held))
    }

    fn rejects(
        &self,
        rows: &SourceRows,
        wanted: &[u64],
        take: &mut dyn FnMut(Reject),
    ) -> Result<(), EngineError> {
        let _lookups = guarded(|| join::hold(rows))?;
        guarded(|| rejects::collect(rows, wanted, &self.budget, take))
    }

    fn several(
        &self,
        rows: &SourceRows,
        valid: Option<&Expr>,
        columns: &[String],
    ) -> Result<Several, EngineError> {
        let _lookups = guarded(|| join::hold(rows))?;
        guarded(|| per_key::several(rows, valid, columns))
    }

    fn replaced(&self, rows: &SourceRows) -> Result<Option<RecordBatch>, EngineError> {
        guarded(|| join::replaced(rows))
    }

    fn nearly_joined(&self, rows: &SourceRows, join: &str) -> Result<Option<Meeting>, EngineError> {
        guarded(|| join::nearly_joined(rows, join))
    }

    fn successions(
        &self,
        rows: &SourceRows,
        until: &str,
        used: u64,
    ) -> Result<Successions, EngineError> {
        let _lookups = guarded(|| join::hold(rows))?;
        guarded(|| successions::successions(rows, until, used))
    }

    fn newest_negative(&self, rows: &SourceRows, amount: &Expr) -> Result<u64, EngineError> {
        let _lookups = guarded(|| join::hold(rows))?;
        guarded(|| per_key::newest_negative(rows, amount))
    }

    fn first_rows(
        &self,
        rows: &SourceRows,
        columns: &[String],
        file: usize,
        most: usize,
    ) -> Result<Vec<Vec<Option<String>>>, EngineError> {
        guarded(|| glimpse::first_rows(rows, columns, file, most))
    }

    fn limits(
        &self,
        rows: &SourceRows,
        column: &str,
    ) -> Result<Option<(String, String)>, EngineError> {
        guarded(|| glimpse::limits(rows, column))
    }

    fn check_names(&self, rows: &SourceRows) -> Vec<String> {
        rejects::rule_names(rows)
    }
}

/// Sets the number of polars' threads. Polars reads it once, when its pool is made, so this must come before anything runs.
///
/// # Safety
/// No other thread runs yet: the number goes through the environment, which is not safe to change while another thread reads it.
pub unsafe fn set_threads(threads: usize) {
    // SAFETY: as the caller promises.
    unsafe {
        std::env::set_var("POLARS_MAX_THREADS", threads.to_string());
        // Files state UTC under names that are no zones, such as `Z`. Only their instants are used, never the zone.
        std::env::set_var("POLARS_IGNORE_TIMEZONE_PARSE_ERROR", "1");
    }
}
