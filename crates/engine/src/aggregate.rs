//! One pass over the rows of a source: polars reads, prunes, converts and evaluates expressions; our own accumulators take
//! the batches, since a query engine's group-by is neither exact in its float sums (they depend on the order in which threads
//! add) nor as fast where a dozen windowed aggregates share a scan.
//!
//! The types that matter: [`layout::Layout`] (what is accumulated), [`worker::Worker`] (the loop), [`batch::Batch`];
//! [`run_together`] reads the source as often as the memory of the run asks for.

mod batch;
mod days;
mod finish;
mod gaps;
mod keys;
mod layout;
mod lowest;
mod overflow;
mod passes;
mod place;
mod records;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};

use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{
    Aggregate, Money, OWN, RowCounts, ScanColumn, SourceRows, Unconverted, Unseen,
};

use crate::column::col;
use crate::duplicates::Duplicates;
use crate::error::EngineError;
use crate::lake::Fault;
use crate::lower::{lower, many};
use crate::scan::{
    FUTURE, PRUNED, UNKNOWN, UNSEEN, broken_text, broken_time, each_unseen, each_window, epoch_day,
    has_unseen, is_converted, no_number_name, nulled_name, skipped_times, times_in_range,
};
use batch::{Batch, names};
use days::Days;
pub(crate) use finish::arrow_type;
use layout::Layout;
use overflow::overflows;
pub(crate) use passes::{Made, nobody, run_together};

/// Rows per batch handed from the scan to the workers.
const SCAN_ROWS: usize = 1 << 16;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Sends every batch of a frame to every worker. Whether they take more.
fn drain(
    frame: LazyFrame,
    scanner: &Arc<Mutex<Scanner>>,
    senders: &Arc<Mutex<Vec<SyncSender<Arc<Batch>>>>>,
) -> Result<bool, EngineError> {
    let failure: Arc<Mutex<Option<EngineError>>> = Arc::default();
    let stopped = Arc::new(AtomicBool::new(false));
    let (seen, stops) = (failure.clone(), stopped.clone());
    let (scanner, senders) = (scanner.clone(), senders.clone());
    let callback = PlanCallback::new(move |frame: DataFrame| -> PolarsResult<bool> {
        let batch = EngineError::go_on().and_then(|()| lock(&scanner).batch(&frame));
        match batch {
            Ok(batch) => {
                let batch = Arc::new(batch);
                let has_stopped = lock(&senders)
                    .iter()
                    .any(|sender| sender.send(batch.clone()).is_err());
                stops.fetch_or(has_stopped, Ordering::Relaxed);
                Ok(has_stopped)
            }
            Err(error) => {
                *lock(&seen) = Some(error);
                Ok(true)
            }
        }
    });
    let rows = std::num::NonZeroUsize::new(SCAN_ROWS);
    let result = frame
        .sink_batches(callback, true, rows)
        .and_then(|frame| frame.collect_with_engine(Engine::Streaming));
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    result?;
    Ok(!stopped.load(Ordering::Relaxed))
}

/// The columns that the accumulators need, of the rows of the source.
fn selected(frame: LazyFrame, plan: &Aggregate, layout: &Layout) -> LazyFrame {
    let rows = &plan.rows;
    let mut columns = vec![key(rows).alias(names::KEY)];
    if let Some(time) = &rows.time {
        columns.push(
            col(time.as_str())
                .cast(DataType::Datetime(TimeUnit::Microseconds, None))
                .alias(names::MICROS),
        );
    }
    if let Some(status) = status(rows) {
        columns.push(status.alias(names::STATUS));
    }
    for (i, (_, skipped)) in skipped_times(rows).into_iter().enumerate() {
        columns.push(skipped.alias(names::skipped(i)));
    }
    for (i, (_, is_null)) in nulled(plan, layout).into_iter().enumerate() {
        columns.push(is_null.alias(names::nulled(i)));
    }
    for (i, join) in rows.scan.joins.iter().enumerate() {
        columns.push(col(join.matched()).not().alias(names::unmatched(i)));
    }
    if let Some(amount) = counted_money(plan) {
        let amount = lower(amount, rows).cast(DataType::Float64);
        columns.push(amount.alias(names::AMOUNT));
    }
    for (i, value) in layout.values.iter().enumerate() {
        let column = value_column(plan, value);
        columns.push(column.alias(names::value(i)));
    }
    for (i, filter) in layout.filters.iter().enumerate() {
        columns.push(lower(filter, rows).alias(names::filter(i)));
    }
    let overflows = overflows(plan, &layout.values).into_iter().enumerate();
    columns.extend(overflows.map(|(i, (_, overflowed))| overflowed.alias(names::overflow(i))));
    frame.select(columns)
}

/// A value in one of the types that accumulators know.
fn value_column(plan: &Aggregate, value: &tessera_expr::Expr) -> Expr {
    let lowered = lower(value, &plan.rows);
    match value.ty {
        Type::Float | Type::String | Type::Decimal { .. } => lowered,
        Type::Bool | Type::Int => lowered.cast(DataType::Int64),
        Type::Date => lowered.cast(DataType::Int32).cast(DataType::Int64),
        Type::Timestamp => lowered.cast(DataType::Int64),
        Type::Null => lowered.cast(DataType::Float64),
    }
}

/// The key by which customers are distinguished: integers as they are, other numbers as the text of their digits, like an
/// integer is written beside keys that are texts.
pub(crate) fn key(rows: &SourceRows) -> Expr {
    let ty = key_type(rows);
    match ty {
        Type::Decimal { .. } | Type::Float => {
            let whole = tessera_expr::Expr::column(&rows.key, ty)
                .cast(Type::Decimal { scale: 0 })
                .cast(Type::String);
            lower(&whole, rows)
        }
        _ => col(rows.key.as_str()),
    }
}

/// Type of the key column.
pub(crate) fn key_type(rows: &SourceRows) -> Type {
    rows.scan.column_type(&rows.key).unwrap_or(Type::String)
}

/// Status of rows that pass; that of others is 1 + the number of the first rule that takes them out, and of rows that are not
/// visible [`FUTURE`], [`UNKNOWN`] or [`PRUNED`].
pub(crate) fn status(rows: &SourceRows) -> Option<Expr> {
    let broken = conversion_rules(rows).into_iter().map(|rule| rule.broken);
    let checks = rows.checks.iter().map(|check| lower(&check.bad_when, rows));
    let numbered = (1_u32..).zip(broken.chain(checks));
    let mut conditions: Vec<(u32, Expr)> = numbered.collect();
    // The numbers stay, the leading checks come first.
    let checks_from = conditions.len() - rows.checks.len();
    conditions[..checks_from + rows.leading].rotate_left(checks_from);
    let mut status = match conditions.len() {
        0..=MOST_NESTED => nested(conditions),
        _ => Some(first_true(conditions)),
    };
    if has_unseen(rows) {
        let unseen = col(UNSEEN);
        let otherwise = status.unwrap_or_else(|| lit(0u32));
        let is_unseen = unseen.clone().neq(lit(0u32));
        status = Some(when(is_unseen).then(unseen).otherwise(otherwise));
    }
    status.map(|status| status.cast(DataType::UInt32))
}

/// Conditions up to which the first that holds is found by choices within choices, which are fast and grow with the square.
const MOST_NESTED: usize = 64;

/// The number of the first condition that holds, 0 where none does.
fn nested(conditions: Vec<(u32, Expr)>) -> Option<Expr> {
    let mut status = None;
    for (number, condition) in conditions.into_iter().rev() {
        let otherwise = status.unwrap_or_else(|| lit(0u32));
        status = Some(when(condition).then(lit(number)).otherwise(otherwise));
    }
    status
}

/// The same of many conditions.
fn first_true(conditions: Vec<(u32, Expr)>) -> Expr {
    let (numbers, conditions): (Vec<u32>, Vec<Expr>) = conditions.into_iter().unzip();
    many(conditions, DataType::UInt32, move |conditions| {
        let rows = conditions
            .iter()
            .map(|holds| holds.len())
            .max()
            .unwrap_or(0);
        let mut status = vec![0_u32; rows];
        for (code, holds) in numbers.iter().zip(conditions).rev() {
            let (code, holds) = (*code, holds.bool()?);
            if !holds.any() {
                continue;
            }
            if holds.len() == 1 {
                status.fill(code);
                continue;
            }
            let met = status.iter_mut().zip(holds.iter());
            met.filter(|(_, holds)| *holds == Some(true))
                .for_each(|(status, _)| *status = code);
        }
        let name = conditions.first().map(|first| first.name().clone());
        Ok(Series::new(name.unwrap_or_default(), status))
    })
}

/// A column whose values may be such that its type cannot hold them.
pub(crate) struct Conversion<'a> {
    pub(crate) column: &'a ScanColumn,
    /// The column is converted from text; else its times may be ones that cannot be represented.
    pub(crate) from_text: bool,
    /// Where a value does not convert.
    pub(crate) broken: Expr,
}

/// Columns of text first, then columns of times.
fn conversions(rows: &SourceRows) -> Vec<Conversion<'_>> {
    let texts = rows.scan.columns.iter().filter(|c| is_converted(c));
    let texts = texts.map(|column| Conversion {
        column,
        from_text: true,
        broken: broken_text(&rows.scan, column),
    });
    let times = times_in_range(rows).map(|column| Conversion {
        column,
        from_text: false,
        broken: broken_time(&rows.scan, column),
    });
    texts.chain(times).collect()
}

/// Columns with a rule of their own: a value that does not convert takes its row out.
pub(crate) fn conversion_rules(rows: &SourceRows) -> Vec<Conversion<'_>> {
    match rows.unconverted {
        Unconverted::TakesOut(_) => conversions(rows),
        Unconverted::Null => Vec::new(),
    }
}

/// Columns whose values can become null though what they are made from is not: name, and where that is so.
fn nulled(plan: &Aggregate, layout: &Layout) -> Vec<(String, Expr)> {
    let rows = &plan.rows;
    let converted = match rows.unconverted {
        Unconverted::TakesOut(_) => Vec::new(),
        Unconverted::Null => conversions(rows),
    };
    let converted = converted
        .into_iter()
        .map(|c| (c.column.name.clone(), c.broken));
    // Names that begin so are the plan's own, which no user has derived.
    let derived = rows
        .scan
        .derive
        .iter()
        .filter(|(name, _)| !name.starts_with(OWN));
    let derived = derived.map(|(name, _)| (name.clone(), col(nulled_name(name))));
    let floats = floats_read(rows, layout);
    let floats = floats.map(|column| (column.name.clone(), col(no_number_name(&column.name))));
    let within = rows.read_as_null.iter();
    let within = within.map(|(what, fails)| (what.clone(), lower(fails, rows)));
    converted
        .chain(derived)
        .chain(floats)
        .chain(within)
        .collect()
}

/// The columns of floats that the aggregates read, also through derived columns.
fn floats_read<'a>(rows: &'a SourceRows, layout: &Layout) -> impl Iterator<Item = &'a ScanColumn> {
    let exprs = layout.values.iter().chain(&layout.filters);
    let of = |expr: &tessera_expr::Expr| -> Vec<String> {
        let names = tessera_expr::columns(expr).into_iter();
        names.map(str::to_owned).collect()
    };
    let mut read: BTreeSet<String> = exprs.flat_map(of).collect();
    for (name, expr) in rows.scan.derive.iter().rev() {
        if read.contains(name) {
            read.extend(of(expr));
        }
    }
    let columns = rows.scan.columns.iter();
    let floats = columns.filter(|column| column.may_hold_floats());
    floats.filter(move |column| read.contains(&column.name))
}

/// The money of a row, where the plan reads it for its aggregates.
fn counted_money(plan: &Aggregate) -> Option<&tessera_expr::Expr> {
    let amount = plan.rows.amount.as_ref()?;
    let wanted = tessera_expr::columns(amount);
    let reads = |expr: &tessera_expr::Expr| !tessera_expr::columns(expr).is_disjoint(&wanted);
    let layout = Layout::new(&plan.aggs);
    layout.values.iter().any(reads).then_some(amount)
}

/// How many of these rows have a flag.
fn flagged(frame: &DataFrame, name: &str, rows: &[u32]) -> Result<u64, EngineError> {
    let flags = frame.column(name)?.as_materialized_series().bool()?;
    if !flags.any() {
        return Ok(0);
    }
    let is_set = |row: &&u32| flags.get(**row as usize) == Some(true);
    Ok(rows.iter().filter(is_set).count() as u64)
}

/// Counts the outcomes of the rows and keeps the used ones.
struct Scanner {
    counts: RowCounts,
    days: Days,
    duplicates: Option<Arc<Duplicates>>,
    /// Position of the next row among those that pass the checks.
    position: u64,
    as_of_day: i32,
    value_count: usize,
    filter_count: usize,
    /// Expressions that may overflow, in the order of their columns.
    overflows: Vec<String>,
    source: String,
}

impl Scanner {
    fn new(plan: &Aggregate, layout: &Layout, duplicates: Option<Arc<Duplicates>>) -> Self {
        Self {
            counts: RowCounts {
                by_check: vec![0; conversion_rules(&plan.rows).len() + plan.rows.checks.len()],
                nulled: nulled(plan, layout)
                    .into_iter()
                    .map(|(name, _)| (name, 0))
                    .collect(),
                unmatched: plan
                    .rows
                    .scan
                    .joins
                    .iter()
                    .map(|join| (join.name.clone(), 0))
                    .collect(),
                met: layout
                    .filters
                    .iter()
                    .map(|filter| (filter.to_string(), false))
                    .collect(),
                money: counted_money(plan).map(|_| Money::default()),
                skipped: skipped_times(&plan.rows)
                    .into_iter()
                    .map(|(name, _)| (name, 0))
                    .collect(),
                ..RowCounts::default()
            },
            days: Days::default(),
            duplicates,
            position: 0,
            as_of_day: epoch_day(plan.rows.as_of),
            value_count: layout.values.len(),
            overflows: overflows(plan, &layout.values)
                .into_iter()
                .map(|(expression, _)| expression)
                .collect(),
            source: plan.rows.scan.source.clone(),
            filter_count: layout.filters.len(),
        }
    }

    fn batch(&mut self, frame: &DataFrame) -> Result<Batch, EngineError> {
        let mut used = self.passing(frame)?;
        self.count_nulled(frame, &used)?;
        if let Some(duplicates) = &self.duplicates {
            let (position, counts) = (&mut self.position, &mut self.counts);
            used.retain(|_| {
                let repeated = duplicates.contains(*position);
                *position += 1;
                counts.repeated += u64::from(repeated);
                !repeated
            });
        }
        self.counts.used += used.len() as u64;
        self.refuse_overflow(frame, &used)?;
        for (i, (_, count)) in self.counts.skipped.iter_mut().enumerate() {
            *count += flagged(frame, &names::skipped(i), &used)?;
        }
        for (i, (_, count)) in self.counts.unmatched.iter_mut().enumerate() {
            *count += flagged(frame, &names::unmatched(i), &used)?;
        }
        for (i, (_, met)) in self.counts.met.iter_mut().enumerate() {
            *met = *met || flagged(frame, &names::filter(i), &used)? > 0;
        }
        self.count_money(frame, &used)?;
        let batch = Batch::new(
            frame,
            self.as_of_day,
            self.value_count,
            self.filter_count,
            used,
        )?;
        self.days.take(&batch);
        let newest = batch
            .used
            .iter()
            .filter_map(|&row| batch.micros.get(row as usize))
            .max()
            .copied();
        self.counts.newest_micros = self
            .counts
            .newest_micros
            .max(newest.filter(|&micros| micros != i64::MIN));
        Ok(batch)
    }

    fn refuse_overflow(&self, frame: &DataFrame, used: &[u32]) -> Result<(), EngineError> {
        for (i, expression) in self.overflows.iter().enumerate() {
            let column = frame.column(&names::overflow(i))?;
            let flags = column.as_materialized_series().bool()?;
            if flags.any()
                && used
                    .iter()
                    .any(|&row| flags.get(row as usize) == Some(true))
            {
                return Err(EngineError::RowOverflow {
                    name: self.source.clone(),
                    expression: expression.clone(),
                });
            }
        }
        Ok(())
    }

    /// Rows that are visible and pass all checks.
    fn passing(&mut self, frame: &DataFrame) -> Result<Vec<u32>, EngineError> {
        let Ok(status) = frame.column(names::STATUS) else {
            return Ok((0..frame.height() as u32).collect());
        };
        let all_pass = |status: &UInt32Chunked| status.null_count() == 0 && status.max() == Some(0);
        if all_pass(status.as_materialized_series().u32()?) {
            return Ok((0..frame.height() as u32).collect());
        }
        let mut passing = Vec::with_capacity(frame.height());
        let unseen = &mut self.counts.unseen;
        for (row, status) in status.as_materialized_series().u32()?.iter().enumerate() {
            match status.unwrap_or(0) {
                0 => passing.push(row as u32),
                FUTURE => unseen.future += 1,
                UNKNOWN => unseen.unknown += 1,
                PRUNED => unseen.pruned += 1,
                check => self.counts.by_check[check as usize - 1] += 1,
            }
        }
        Ok(passing)
    }

    fn count_nulled(&mut self, frame: &DataFrame, passing: &[u32]) -> Result<(), EngineError> {
        for (i, (_, count)) in self.counts.nulled.iter_mut().enumerate() {
            let nulled = frame.column(&names::nulled(i))?.as_materialized_series();
            let nulled = nulled.bool()?;
            let all = nulled.sum().unwrap_or(0);
            *count += if all == 0 || passing.len() == frame.height() {
                u64::from(all)
            } else {
                let is_null = |row: &&u32| nulled.get(**row as usize) == Some(true);
                passing.iter().filter(is_null).count() as u64
            };
        }
        Ok(())
    }

    fn count_money(&mut self, frame: &DataFrame, used: &[u32]) -> Result<(), EngineError> {
        let Some(money) = &mut self.counts.money else {
            return Ok(());
        };
        let amounts = frame
            .column(names::AMOUNT)?
            .as_materialized_series()
            .rechunk();
        let amounts = amounts.f64()?;
        let mut add = |amount: f64| {
            if amount < 0.0 {
                money.negative_rows += 1;
                money.negative -= amount;
            } else {
                money.positive += amount;
            }
        };
        match amounts.cont_slice() {
            Ok(values) => used.iter().for_each(|&row| add(values[row as usize])),
            Err(_) => {
                let known = used.iter().filter_map(|&row| amounts.get(row as usize));
                known.for_each(&mut add);
            }
        }
        Ok(())
    }
}

/// Counts the rows that bounds on the files' own columns keep out of the pass, by reading nothing but the columns of time, and
/// of those only the row groups that their statistics do not keep out. `hiding` are the files that may have such rows, in order.
pub(crate) fn unseen(rows: &SourceRows, hiding: Option<&[usize]>) -> Result<Unseen, EngineError> {
    let every: Vec<usize>;
    let hiding = match hiding {
        Some(hiding) => hiding,
        None => {
            every = (0..rows.scan.files.len()).collect();
            &every
        }
    };
    let mut unseen = Unseen::default();
    for together in runs(hiding) {
        unseen = unseen.plus(unseen_of(rows, together)?);
    }
    Ok(unseen)
}

/// Runs of successive numbers among rising ones; one run from the first to the last where there are many, since each is a plan.
fn runs(numbers: &[usize]) -> Vec<Range<usize>> {
    const MOST_RUNS: usize = 8;
    let runs = numbers.chunk_by(|a, b| a + 1 == *b);
    let ends = |run: &[usize]| Some(*run.first()?..run.last()? + 1);
    let runs: Vec<Range<usize>> = runs.filter_map(ends).collect();
    if runs.len() > MOST_RUNS {
        return ends(numbers).into_iter().collect();
    }
    runs
}

/// As [`unseen`], of these files.
fn unseen_of(rows: &SourceRows, files: Range<usize>) -> Result<Unseen, EngineError> {
    let mut unseen = Unseen::default();
    let count = |frame: LazyFrame| {
        let counts = len().cast(DataType::UInt64).alias("rows");
        Ok(frame.group_by([col(UNSEEN)]).agg([counts]))
    };
    each_unseen(rows, files, &count, &mut |frame| {
        let counted = frame
            .collect_with_engine(Engine::Streaming)?
            .unwrap_single();
        let column = |name: &str| -> Result<Series, EngineError> {
            Ok(counted.column(name)?.as_materialized_series().clone())
        };
        let (reasons, counts) = (column(UNSEEN)?, column("rows")?);
        for (reason, count) in reasons.u32()?.iter().zip(counts.u64()?.iter()) {
            let count = count.unwrap_or(0);
            match reason {
                Some(UNKNOWN) => unseen.unknown += count,
                Some(PRUNED) => unseen.pruned += count,
                _ => unseen.future += count,
            }
        }
        Ok(true)
    })?;
    Ok(unseen)
}

/// Names the first file of which not every row is read as one that is visible or as one that is not: its row groups were chosen
/// by statistics that contradict its values. `held` are the rows of each file.
pub(crate) fn contradiction(rows: &SourceRows, held: &[u64]) -> Result<(), EngineError> {
    let count = |frame: LazyFrame| Ok(frame.select([len().cast(DataType::UInt64).alias("rows")]));
    for (number, (file, held)) in rows.scan.files.iter().zip(held).enumerate() {
        let mut found = 0;
        let mut add = |frame: LazyFrame| {
            let counted = frame
                .collect_with_engine(Engine::Streaming)?
                .unwrap_single();
            found += counted.column("rows")?.u64()?.get(0).unwrap_or(0);
            Ok(true)
        };
        let only = number..number + 1;
        each_window(rows, only.clone(), false, &count, &mut add)?;
        each_unseen(rows, only, &count, &mut add)?;
        if found != *held {
            let what = "the statistics of its row groups contradict its values";
            let fault = Fault::Damaged(what.to_owned());
            return Err(EngineError::of_lake_file(&rows.scan, file, fault));
        }
    }
    Ok(())
}
