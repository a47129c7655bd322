//! The customers by the month of their first order: how many of them ordered in each later month, and for how much.
//!
//! A month that is over does not change, so its cells come from the previous version; only newer months are read. Where rows of then
//! may have changed, or the day of the run decides about them, all months are read: a year in one pass.

pub(crate) mod plan;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::{cast, filter_record_batch, is_not_null};
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type};
use tessera_engine::{Engine, TableRef};
use tessera_expr::aggregate::AggOp;
use tessera_expr::aggregates::{COUNT, SUM_AS_FLOAT};
use tessera_expr::exact::Sum;
use tessera_expr::rel::{Agg, Aggregate, Assemble, KeyedTable, Window};
use tessera_expr::{Expr, uses_as_of};
use tessera_history::{Cell, Cohorts, Month};

use crate::cohorts::plan::{FIRST, Plan};
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::sources::epoch_day;

/// Months of one pass: each takes a count and a sum per customer.
const MONTHS_PER_PASS: usize = 12;

/// Months that are shown; customers whose first order is older are in no cohort.
const MONTHS: i32 = 120;

/// More than the table's 18 digits hold.
const MOST_CENTS: f64 = 1e18;

/// Customers with an order: key, first day.
pub(crate) type Firsts = RecordBatch;

/// Cells that are known, of months up to the one that is named.
pub(crate) type Known = Option<(Month, BTreeMap<(Month, Month), Cell>)>;

/// The customers with an order, of the table of all features.
pub(crate) fn firsts(
    prepared: &Prepared,
    table: &RecordBatch,
) -> Result<Option<Firsts>, PipelineError> {
    let schema = table.schema();
    let Some(place) = prepared
        .cohorts
        .as_ref()
        .and_then(|_| schema.index_of(FIRST).ok())
    else {
        return Ok(None);
    };
    let firsts = table.project(&[0, place])?;
    let days = cast(firsts.column(1), &DataType::Date32)?;
    let firsts = RecordBatch::try_from_iter_with_nullable([
        (
            schema.field(0).name().as_str(),
            firsts.column(0).clone(),
            false,
        ),
        (FIRST, days, true),
    ])?;
    let known = is_not_null(firsts.column(1))?;
    Ok(Some(filter_record_batch(&firsts, &known)?))
}

/// Whether a customer can only come into the base by an order, so that cells of before hold.
pub(crate) fn makes_the_base(prepared: &Prepared) -> bool {
    let Some(plan) = &prepared.cohorts else {
        return false;
    };
    let mut passes = prepared.features.passes.iter();
    passes.any(|pass| pass.source == plan.source && pass.in_base)
}

/// Whether past months are counted anew in every run: the day of the run decides which orders are used, which are purchases, or what they
/// are worth.
pub(crate) fn change_by_day(prepared: &Prepared) -> bool {
    let by_day = |plan: &Plan| {
        let mut exprs = plan.purchase.iter().chain(&plan.amount);
        let by_day = |source: &str| prepared.features.rows_change_by_day(source);
        // Keys come with the time of their rows.
        let keys = prepared.pipeline.source(&plan.source);
        let keys = keys.and_then(|source| {
            prepared
                .pipeline
                .source(&source.only_keys_of.as_ref()?.value)
        });
        let keys_by_day = keys.is_some_and(|keys| keys.time.is_some() || by_day(&keys.name.value));
        exprs.any(uses_as_of) || keys_by_day || by_day(&plan.source)
    };
    prepared.cohorts.as_ref().is_some_and(by_day)
}

/// Counts the cohorts into their table.
pub(crate) fn count(
    prepared: &Prepared,
    (engine, work): (&dyn Engine, &Path),
    firsts: &Firsts,
    known: Known,
) -> Result<RecordBatch, PipelineError> {
    let as_of = epoch_day(prepared.as_of);
    let Some((plan, last)) = prepared.cohorts.as_ref().zip(Month::of(as_of)) else {
        return Ok(tessera_history::cohorts_table(
            as_of,
            &Cohorts::default(),
            false,
        )?);
    };
    let mut cohorts = Cohorts::default();
    let mut too_old = 0_u64;
    for day in firsts.column(1).as_primitive::<Date32Type>().values() {
        match Month::of(*day).filter(|month| last.since(*month) < MONTHS) {
            Some(month) => *cohorts.sizes.entry(month).or_default() += 1,
            None => too_old += 1,
        }
    }
    if too_old > 0 {
        tracing::warn!(
            "{} customers ordered first more than {MONTHS} months before this day and are in no cohort",
            tessera_spec::shown::grouped(too_old)
        );
    }
    let mut begin = cohorts
        .sizes
        .keys()
        .next()
        .copied()
        .unwrap_or(last.later(1));
    if let Some((until, cells)) = known {
        let held = cells.into_iter().filter(|((cohort, month), _)| {
            cohorts.sizes.contains_key(cohort) && *month <= until && last.since(*cohort) < MONTHS
        });
        cohorts.cells = held.collect();
        begin = begin.max(until.later(1));
    }
    let months: Vec<Month> = (0..=last.since(begin))
        .map(|age| begin.later(age))
        .collect();
    for part in months.chunks(MONTHS_PER_PASS) {
        let cells = pass(prepared, plan, (engine, work), firsts, part)?;
        cohorts.cells.extend(cells);
    }
    Ok(tessera_history::cohorts_table(
        as_of,
        &cohorts,
        plan.amount.is_some(),
    )?)
}

/// The cells of some months, one behind the other: a pass over the rows of these months alone.
fn pass(
    prepared: &Prepared,
    plan: &Plan,
    (engine, work): (&dyn Engine, &Path),
    firsts: &Firsts,
    months: &[Month],
) -> Result<BTreeMap<(Month, Month), Cell>, PipelineError> {
    let as_of = epoch_day(prepared.as_of);
    let mut passes = prepared.features.passes.iter();
    let found = passes.find(|pass| pass.source == plan.source);
    let (Some(found), Some(begin)) = (found, months.first()) else {
        return Ok(BTreeMap::new());
    };
    let mut rows = found.aggregate.rows.clone();
    // A row may repeat one of before, so that all have to be read where repeated rows are looked for by some of their columns.
    let by_columns = rows
        .dedup
        .as_ref()
        .is_some_and(|dedup| !dedup.columns.is_empty());
    if !by_columns {
        let days = u64::try_from(as_of - begin.first_day()).unwrap_or(0);
        rows.not_before = prepared.as_of.checked_sub_days(chrono::Days::new(days));
    }
    let aggs = months.iter().enumerate().flat_map(|(number, month)| {
        let end = month.last_day().min(as_of);
        let window = Window {
            days: u32::try_from(end - month.first_day() + 1).ok(),
            offset_days: u32::try_from(as_of - end).unwrap_or(0),
        };
        let agg = |name: String, func: AggOp, filter: Option<Expr>| Agg {
            name,
            func,
            window: Some(window),
            filter,
        };
        let orders = agg(orders(number), COUNT.of_rows(), plan.purchase.clone());
        let amount = plan.amount.clone();
        let money = amount.map(|of| agg(revenue(number), SUM_AS_FLOAT.of(of), None));
        std::iter::once(orders).chain(money)
    });
    let aggs: Vec<Agg> = aggs.collect();
    let zero_when_absent = aggs.iter().map(|agg| agg.name.clone()).collect();
    let (counted, base) = (
        work.join("cohort-months.parquet"),
        work.join("cohorts.parquet"),
    );
    let plan = Aggregate {
        rows,
        aggs,
        sparse: None,
    };
    engine.materialize(&plan, &counted)?;
    TableRef::write(&base, firsts.schema(), std::slice::from_ref(firsts))?;
    let beside = |path: &Path, in_base: bool, zeros: Vec<String>| KeyedTable {
        path: path.to_owned(),
        in_base,
        zero_when_absent: zeros,
        rows: None,
        only: None,
    };
    let assemble = Assemble {
        key: prepared.pipeline.customer.key.clone(),
        tables: vec![
            beside(&base, true, Vec::new()),
            beside(&counted, false, zero_when_absent),
        ],
        as_of: prepared.as_of,
        timezone: prepared.pipeline.timezone,
        columns: Vec::new(),
        compare_keys: false,
    };
    let (table, _) = engine.assemble(&assemble)?;
    cells(&table, months)
}

fn orders(month: usize) -> String {
    format!("__orders_{month}")
}

fn revenue(month: usize) -> String {
    format!("__revenue_{month}")
}

/// Adds the customers of each cohort up. Sums are exact, so that no order of customers shows.
fn cells(
    table: &RecordBatch,
    months: &[Month],
) -> Result<BTreeMap<(Month, Month), Cell>, PipelineError> {
    let firsts = table
        .column_by_name(FIRST)
        .map(|column| cast(column, &DataType::Date32));
    let Some(firsts) = firsts.transpose()? else {
        return Ok(BTreeMap::new());
    };
    let firsts = firsts.as_primitive::<Date32Type>();
    let cohort_of: Vec<Option<Month>> = firsts.iter().map(|day| day.and_then(Month::of)).collect();
    let mut cells = BTreeMap::new();
    for (number, &month) in months.iter().enumerate() {
        let none = || Arc::new(Int64Array::from(vec![0; table.num_rows()])) as Arc<dyn Array>;
        let orders = table
            .column_by_name(&orders(number))
            .cloned()
            .unwrap_or_else(none);
        let orders = cast(&orders, &DataType::Int64)?;
        let money = table.column_by_name(&revenue(number));
        let money = money
            .map(|money| cast(money, &DataType::Float64))
            .transpose()?;
        let money = money
            .as_ref()
            .map(|money| money.as_primitive::<Float64Type>());
        let mut found: BTreeMap<Month, (u64, Sum)> = BTreeMap::new();
        for (row, orders) in orders.as_primitive::<Int64Type>().iter().enumerate() {
            let Some(cohort) = cohort_of[row].filter(|cohort| *cohort <= month) else {
                continue;
            };
            let (active, sum) = found.entry(cohort).or_default();
            *active += u64::from(orders.unwrap_or(0) > 0);
            let value = money.map_or(0.0, |money| money.value(row));
            sum.add(if value.is_finite() { value } else { 0.0 });
        }
        for (cohort, (active, sum)) in found {
            let cell = Cell {
                active,
                revenue_cents: money.and_then(|_| in_cents(sum.value())),
            };
            cells.insert((cohort, month), cell);
        }
    }
    Ok(cells)
}

/// Money in hundredths; none beyond what the table holds.
fn in_cents(value: f64) -> Option<i128> {
    let cents = (value * 100.0).round();
    (cents.abs() < MOST_CENTS).then_some(cents as i128)
}
