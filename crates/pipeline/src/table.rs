//! The table of customers with every feature, at any date: the same code for the date of the run and for the earlier dates that
//! models are trained on, so that a model cannot use what was not known at its date.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use chrono::NaiveDate;
use tessera_engine::{Engine, Materialized, Outside};
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, Aggregate, Assemble, Drawn, KeyedTable, Project, Sample};
use tessera_expr::{BinaryOp, Expr, failures};
use tessera_features::{FeaturePlan, Pass};
use tessera_spec::private;
use tessera_spec::shown::grouped;

use crate::customers;
use crate::error::{PipelineError, needed};
use crate::prepared::Prepared;

/// Joins the tables of the sources by key, then adds derived features; and counts the keys of each table outside the base, except
/// of lookups. `passes` are the tables of the plan's passes, of which a sample of the customers may count; they are discarded.
pub(crate) fn assemble(
    engine: &dyn Engine,
    prepared: &Prepared,
    plan: &FeaturePlan,
    as_of: NaiveDate,
    (passes, only): (&[PathBuf], Option<Sample>),
) -> Result<(RecordBatch, Vec<Outside>), PipelineError> {
    let tables = plan
        .passes
        .iter()
        .zip(passes)
        .filter(|(pass, _)| !pass.is_lookup)
        .map(|(pass, table)| KeyedTable {
            path: table.clone(),
            in_base: pass.in_base,
            zero_when_absent: pass.zero_when_absent.clone(),
            rows: Some(pass.rows.clone()),
            only,
        })
        .collect();
    let side_by_side = Assemble {
        key: prepared.pipeline.customer.key.clone(),
        tables,
        as_of,
        timezone: prepared.pipeline.timezone,
        columns: with_flags(&plan.derived),
        compare_keys: as_of == prepared.as_of,
    };
    let (mut table, outside) = engine.assemble(&side_by_side)?;
    passes.iter().for_each(|pass| discard(pass));
    if table.num_rows() == 0 {
        return Err(PipelineError::NoCustomers {
            as_of,
            sources: Vec::new(),
        });
    }
    if let Some(gap) = &plan.base_gap {
        let mut columns = customers::base_gap(gap, &table)?;
        columns.extend(with_flags(&plan.late));
        let late = Project {
            as_of,
            timezone: prepared.pipeline.timezone,
            columns,
        };
        table = engine.project(&late, &table)?;
    }
    Ok((table, outside))
}

/// Prefix of columns that mark where a conversion in a feature's expression failed.
const FAILED: &str = "__failed_";

/// The columns, each followed, if its expression may fail to convert a value, by a column that marks where it failed; such a value
/// is null.
pub(crate) fn with_flags(columns: &[(String, Expr)]) -> Vec<(String, Expr)> {
    let mut all = Vec::with_capacity(columns.len());
    for (name, expr) in columns {
        all.push((name.clone(), expr.clone()));
        let fails = failures(expr, None).into_iter().map(|failure| failure.when);
        let fails = fails.reduce(|a, b| a.condition(BinaryOp::Or, b));
        all.extend(fails.map(|fails| (format!("{FAILED}{name}"), fails)));
    }
    all
}

/// Warns of features with values that did not convert.
pub(crate) fn warn_of_failures(table: &RecordBatch) {
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        let name = field.name().strip_prefix(FAILED);
        let failed = column
            .as_boolean_opt()
            .map_or(0, |flags| flags.true_count());
        if let Some(name) = name.filter(|_| failed > 0) {
            tracing::warn!(
                feature = name,
                customers = failed,
                "`{name}` is null for {} customers because a value in it does not convert; if that is intended, use `try_cast`",
                grouped(failed as u64)
            );
        }
    }
}

/// Removes a table that is no longer needed: a large one fills the page cache that later stages need for their files.
fn discard(table: &Path) {
    if let Err(error) = std::fs::remove_file(table) {
        tracing::debug!("{}: {error}", table.display());
    }
}

/// Customers that are kept at an earlier date beyond those that are enough. The sample is a share of all customers, whose number is
/// known only after the sources were read, and a share draws more or fewer than its mean: by a multiple of the standard deviation.
const SPARE_DEVIATIONS: f64 = 8.0;

/// The sources at the close of an earlier day. Of each, the customers with the lowest hashes are kept while it is read for the date of
/// the run; once the number of customers is known, the sample is drawn from these.
pub(crate) struct Earlier {
    plan: FeaturePlan,
    folder: PathBuf,
    /// Number of customers that is enough; `None` where all are needed.
    enough: Option<usize>,
    /// The customers that count; all by default.
    sample: Option<Sample>,
    /// The tables of the plan's passes.
    passes: Vec<PassRead>,
}

/// A table of a source at an earlier date.
struct PassRead {
    path: PathBuf,
    /// Nothing else is missing of it.
    done: Option<Done>,
}

/// What a table has of its source.
#[derive(Clone, Copy)]
struct Done {
    rows: u64,
    /// The lowest hash of a customer that it does not have.
    left_out: Option<u64>,
}

impl Earlier {
    /// The plan of an earlier date, with a folder for its tables.
    pub(crate) fn planned(
        prepared: &Prepared,
        (as_of, enough): (NaiveDate, Option<usize>),
        work: &Path,
    ) -> Result<Self, PipelineError> {
        // What is learned from an earlier date must have been known then.
        let known_by = prepared.known_as_of.min(as_of);
        let with = (known_by, &BTreeSet::new());
        Self::planned_as_known(prepared, (as_of, enough), with, work)
    }

    /// The same with the rows that were known by another day, and the columns with which these scores are applied.
    fn planned_as_known(
        prepared: &Prepared,
        (as_of, enough): (NaiveDate, Option<usize>),
        (known_by, scores): (NaiveDate, &BTreeSet<&str>),
        work: &Path,
    ) -> Result<Self, PipelineError> {
        let plan = prepared.features_at(as_of, known_by, scores)?;
        let folder = work.join(as_of.to_string());
        private::create_folder(&folder).map_err(|error| PipelineError::Io {
            step: "cannot create",
            path: folder.clone(),
            error,
        })?;
        let passes = plan.passes.iter().enumerate().map(|(number, pass)| {
            let nothing = Done {
                rows: 0,
                left_out: None,
            };
            PassRead {
                path: folder.join(format!("{number}-{}.parquet", pass.source)),
                // The rows of a lookup are read by the joins.
                done: pass.is_lookup.then_some(nothing),
            }
        });
        Ok(Self {
            passes: passes.collect(),
            enough: enough.filter(|_| customers_are_independent(&plan)),
            sample: None,
            plan,
            folder,
        })
    }

    /// The read of a source beside that for the date of the run, and the file for its table.
    pub(crate) fn beside(&self, source: &str) -> Option<(Aggregate, PathBuf)> {
        let lowest = self.enough.map(|enough| {
            let spare = SPARE_DEVIATIONS * (enough as f64).sqrt();
            Drawn::Lowest(enough.saturating_add(spare as usize))
        });
        let (pass, read) = self.pass(source)?;
        let mut aggregate = pass.aggregate.clone();
        aggregate.rows.only = lowest;
        Some((aggregate, read.path.clone()))
    }

    /// A table that was made.
    pub(crate) fn made(&mut self, source: &str, made: &Materialized) {
        let place = self
            .plan
            .passes
            .iter()
            .position(|pass| pass.source == source);
        if let Some(read) = place.and_then(|place| self.passes.get_mut(place)) {
            read.done = Some(Done {
                rows: made.table.rows,
                left_out: made.left_out,
            });
        }
    }

    /// The pass over a source, unless it is made.
    fn pass(&self, source: &str) -> Option<(&Pass, &PassRead)> {
        let mut passes = self.plan.passes.iter().zip(&self.passes);
        passes.find(|(pass, read)| pass.source == source && read.done.is_none())
    }

    /// Draws the sample that is enough of so many customers at the date of the run, which may themselves be a sample. Tables that do
    /// not have all of it are to be read once more.
    pub(crate) fn draw(&mut self, prepared: &Prepared, customers: usize) -> Option<Sample> {
        let share = self.enough.map(|enough| {
            let share = enough as f64 / customers.max(1) as f64;
            share * prepared.pipeline.customer.sample.unwrap_or(1.0)
        });
        self.sample = share
            .filter(|share| *share < 1.0)
            .map(|share| Sample { share });
        let sample = self.sample;
        for read in &mut self.passes {
            let is_whole = |done: &Done| match done.left_out {
                Some(hash) => sample.is_some_and(|sample| !sample.draws(hash)),
                None => true,
            };
            read.done = read.done.filter(is_whole);
        }
        sample
    }
}

/// Whether no row of a customer depends on those of another, so that a sample of them can be read: repeated rows are those of one
/// customer.
fn customers_are_independent(plan: &FeaturePlan) -> bool {
    let mut passes = plan.passes.iter().filter(|pass| !pass.is_lookup);
    passes.all(|pass| {
        let rows = &pass.aggregate.rows;
        let repeated = rows.dedup.as_ref().map(|dedup| &dedup.columns);
        repeated.is_none_or(|columns| {
            columns.is_empty() || columns.iter().any(|column| rows.is_key(column))
        })
    })
}

/// Reads what is missing of the sources at earlier dates: every source once for all of them. The number is that of the rows of all
/// tables.
pub(crate) fn look_back(
    engine: &dyn Engine,
    earlier: &mut BTreeMap<NaiveDate, Earlier>,
) -> Result<u64, PipelineError> {
    let mut reads = Vec::new();
    for (date, at_date) in &*earlier {
        let passes = at_date.plan.passes.iter().zip(&at_date.passes);
        for (number, (pass, read)) in passes.enumerate() {
            if read.done.is_none() {
                let mut aggregate = pass.aggregate.clone();
                aggregate.rows.only = at_date.sample.map(Drawn::Share);
                reads.push((number, *date, aggregate, read.path.clone()));
            }
        }
    }
    reads.sort_by_key(|(number, date, ..)| (*number, *date));
    let wanted: Vec<_> = reads
        .iter()
        .map(|(.., aggregate, table)| (aggregate, table.as_path()))
        .collect();
    let made = engine.materialize_all(&wanted)?;
    for ((_, date, aggregate, _), made) in reads.iter().zip(&made) {
        if let Some(at_date) = earlier.get_mut(date) {
            at_date.made(&aggregate.rows.scan.source, made);
        }
    }
    let passes = earlier.values().flat_map(|at_date| &at_date.passes);
    Ok(passes.filter_map(|read| Some(read.done?.rows)).sum())
}

/// All customers at the close of an earlier day, as [`at`] has them, by the rows that are known today, with the columns with which
/// these scores are applied.
pub(crate) fn at_date(
    engine: &dyn Engine,
    prepared: &Prepared,
    (as_of, scores): (NaiveDate, &BTreeSet<&str>),
    work: &Path,
) -> Result<RecordBatch, PipelineError> {
    let with = (prepared.known_as_of, scores);
    let mut planned = Earlier::planned_as_known(prepared, (as_of, None), with, work)?;
    for (source, count) in counts_of_dated_rows(prepared, &planned.plan) {
        planned.plan.keep_hidden(&source, vec![count]);
    }
    let mut earlier = BTreeMap::from([(as_of, planned)]);
    look_back(engine, &mut earlier)?;
    let earlier = needed(earlier.remove(&as_of), "earlier dates")?;
    at(engine, prepared, as_of, &earlier)
}

/// Beginning of the names of columns that count the rows of a source up to an earlier day.
pub(crate) const DATED_ROWS: &str = "__dated_rows_of_";

/// Whether rows without a day make customers: nothing says since when these are there.
pub(crate) fn has_undated_customers(prepared: &Prepared) -> bool {
    let mut passes = prepared.features.passes.iter();
    passes.any(|pass| pass.in_base && is_undated(prepared, &pass.source))
}

/// Whether the rows of a source state neither since when they are valid nor since when they are known.
fn is_undated(prepared: &Prepared, source: &str) -> bool {
    let source = prepared.pipeline.source(source);
    source.is_some_and(|source| source.time.is_none() && source.known_at.is_none())
}

/// Counts of the rows with a day that make customers, by source, where rows without one make some, too.
fn counts_of_dated_rows(prepared: &Prepared, plan: &FeaturePlan) -> Vec<(String, Agg)> {
    if !has_undated_customers(prepared) {
        return Vec::new();
    }
    let passes = plan.passes.iter();
    let dated = passes.filter(|pass| pass.in_base && !is_undated(prepared, &pass.source));
    let count = |pass: &Pass| Agg {
        name: format!("{DATED_ROWS}{}", pass.source),
        func: COUNT.of_rows(),
        window: None,
        filter: None,
    };
    dated
        .map(|pass| (pass.source.clone(), count(pass)))
        .collect()
}

/// The customers with their published features and the columns that scores need at every date, at the close of an earlier day.
pub(crate) fn at(
    engine: &dyn Engine,
    prepared: &Prepared,
    as_of: NaiveDate,
    earlier: &Earlier,
) -> Result<RecordBatch, PipelineError> {
    let Earlier {
        plan,
        folder,
        passes,
        sample,
        ..
    } = earlier;
    let paths: Vec<PathBuf> = passes.iter().map(|read| read.path.clone()).collect();
    let (table, _) = assemble(engine, prepared, plan, as_of, (&paths, *sample))?;
    let wanted: Vec<usize> = std::iter::once(Ok(0))
        .chain(
            plan.published
                .iter()
                .map(|info| &info.name)
                .chain(&plan.kept)
                .map(|name| table.schema().index_of(name)),
        )
        .collect::<Result<_, _>>()?;
    // The files are not needed any more, and history may be long.
    if let Err(error) = std::fs::remove_dir_all(folder) {
        tracing::debug!("{}: {error}", folder.display());
    }
    Ok(table.project(&wanted)?)
}
