//! The table of customers with every feature, at any date: the same code for the date of the run and for the earlier dates that
//! models are trained on, so that a model cannot use what was not known at its date.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::{AsArray, RecordBatch};
use chrono::NaiveDate;
use tessera_engine::{Engine, Outside};
use tessera_expr::rel::{Assemble, KeyedTable, Project, Rel, Sample};
use tessera_expr::{BinaryOp, Expr, failures};
use tessera_features::FeaturePlan;
use tessera_spec::private;
use tessera_spec::shown::grouped;

use crate::compute::needed;
use crate::customers;
use crate::error::PipelineError;
use crate::prepare::Prepared;

/// Joins the tables of the sources by key, then adds derived features; and counts the keys of each table outside the base, except
/// of lookups. `passes` are the tables of the plan's passes, which are discarded.
pub(crate) fn assemble(
    engine: &dyn Engine,
    prepared: &Prepared,
    plan: &FeaturePlan,
    as_of: NaiveDate,
    passes: &[PathBuf],
    work: &Path,
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
            rows: pass.rows.clone(),
        })
        .collect();
    let side_by_side = Assemble {
        key: prepared.pipeline.customer.key.clone(),
        tables,
        as_of,
        timezone: prepared.pipeline.timezone,
        columns: with_flags(&plan.derived),
    };
    let assembled = work.join("assembled.parquet");
    let made = engine.materialize(&Rel::Assemble(side_by_side), &assembled)?;
    let (mut table, outside) = (made.table, made.outside);
    passes.iter().for_each(|pass| discard(pass));
    if table.rows == 0 {
        return Err(PipelineError::NoCustomers {
            as_of,
            sources: Vec::new(),
        });
    }
    if let Some(gap) = &plan.base_gap {
        let mut columns = customers::base_gap(gap, &table.read()?)?;
        columns.extend(with_flags(&plan.late));
        let late = Project {
            table: table.path.clone(),
            as_of,
            timezone: prepared.pipeline.timezone,
            columns,
        };
        let computed = work.join("late.parquet");
        table = engine.materialize(&Rel::Project(late), &computed)?.table;
        discard(&assembled);
    }
    let made = table.read()?;
    discard(&table.path);
    Ok((made, outside))
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

/// The sample of customers that is enough at an earlier date, as a share of those at the date of the run; `None` where all must be
/// read: rows that repeat rows of another customer are found only if all customers are read.
pub(crate) fn sample(plan: &FeaturePlan, prepared: &Prepared, share: f64) -> Option<Sample> {
    let mut passes = plan.passes.iter().filter(|pass| !pass.is_lookup);
    let alone = passes.all(|pass| {
        let rows = &pass.aggregate.rows;
        let repeated = rows.dedup.as_ref().map(|dedup| &dedup.columns);
        repeated.is_none_or(|columns| columns.is_empty() || columns.contains(&rows.key))
    });
    // The customers at the date of the run may themselves be a sample.
    let share = share * prepared.pipeline.customer.sample.unwrap_or(1.0);
    (alone && share < 1.0).then_some(Sample { share })
}

/// The sources at the close of an earlier day.
pub(crate) struct Earlier {
    plan: FeaturePlan,
    folder: PathBuf,
    /// The tables of the plan's passes.
    passes: Vec<PathBuf>,
}

/// Reads the sources at earlier dates, of each a sample of the customers where that is enough: every source once for all of them. The
/// number is that of the rows of all tables.
pub(crate) fn look_back(
    engine: &dyn Engine,
    wanted: Vec<(NaiveDate, FeaturePlan, Option<Sample>)>,
    work: &Path,
) -> Result<(BTreeMap<NaiveDate, Earlier>, u64), PipelineError> {
    let mut earlier = BTreeMap::new();
    let mut reads = Vec::new();
    for (date, plan, sample) in wanted {
        let folder = work.join(date.to_string());
        private::create_folder(&folder).map_err(|error| PipelineError::Io {
            step: "cannot create",
            path: folder.clone(),
            error,
        })?;
        let mut passes = Vec::new();
        for (number, pass) in plan.passes.iter().enumerate() {
            let table = folder.join(format!("{number}-{}.parquet", pass.source));
            // The rows of a lookup are read by the joins.
            if !pass.is_lookup {
                let mut aggregate = pass.aggregate.clone();
                aggregate.rows.only = sample;
                reads.push((number, aggregate, table.clone()));
            }
            passes.push(table);
        }
        let at_date = Earlier {
            plan,
            folder,
            passes,
        };
        earlier.insert(date, at_date);
    }
    reads.sort_by_key(|(number, ..)| *number);
    let reads: Vec<_> = reads
        .iter()
        .map(|(_, aggregate, table)| (aggregate, table.as_path()))
        .collect();
    let made = engine.materialize_all(&reads)?;
    let rows = made.iter().map(|made| made.table.rows).sum();
    Ok((earlier, rows))
}

/// All customers at the close of an earlier day, as [`at`] has them.
pub(crate) fn at_date(
    engine: &dyn Engine,
    prepared: &Prepared,
    as_of: NaiveDate,
    work: &Path,
) -> Result<RecordBatch, PipelineError> {
    let wanted = vec![(as_of, prepared.features_at(as_of)?, None)];
    let (mut earlier, _) = look_back(engine, wanted, work)?;
    let earlier = needed(earlier.remove(&as_of), "earlier dates")?;
    at(engine, prepared, as_of, &earlier)
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
    } = earlier;
    let (table, _) = assemble(engine, prepared, plan, as_of, passes, folder)?;
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
