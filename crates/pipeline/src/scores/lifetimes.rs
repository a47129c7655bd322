//! How long customers with contracts have stayed: from the first day of a customer's first interval to the end of its last. Gaps
//! between intervals count as part of it.

use tessera_expr::Expr;
use tessera_expr::aggregates::{COUNT, FIRST_DAY, MAX};
use tessera_expr::rel::Agg;

use super::columns::{days, floats};
use super::{Asked, Given, NotComputed, hidden_name};
use crate::sources::epoch_day;

/// The lifetime of a customer, in days since 1970-01-01.
pub(super) struct Life {
    pub(super) first: i32,
    /// `None` while an interval runs.
    pub(super) end: Option<i32>,
}

/// The aggregates over a source of intervals that show them at the date of the run.
pub(super) fn hidden(asked: &Asked<'_>, from: &str) -> Vec<Agg> {
    let agg = |what: &str, func| Agg {
        name: hidden_name(asked.name, what),
        func,
        window: None,
        filter: None,
    };
    let mut aggs = vec![
        agg("first", FIRST_DAY.of_rows()),
        agg("intervals", COUNT.of_rows()),
    ];
    let until = asked.pipeline.source(from).and_then(|source| {
        let name = source.until.as_ref()?.value.as_str();
        let ty = asked.inputs.get(from)?.schema.get(name)?;
        Some(Expr::column(name, ty))
    });
    if let Some(until) = until {
        aggs.push(agg("ended", COUNT.of(until.clone())));
        aggs.push(agg("end", MAX.of(until)));
    }
    aggs
}

/// The lifetime of each customer; `None` without an interval.
pub(super) fn lives(given: &Given<'_>) -> Result<Vec<Option<Life>>, NotComputed> {
    let name = |what: &str| hidden_name(given.name, what);
    let first = days(given.table, &name("first"))?;
    let intervals = floats(given.table, &name("intervals"))?;
    let known_ends = given.table.schema().index_of(&name("ended")).is_ok();
    let (ended, ends) = if known_ends {
        (
            floats(given.table, &name("ended"))?,
            days(given.table, &name("end"))?,
        )
    } else {
        (vec![0.0; first.len()], vec![None; first.len()])
    };
    let today = epoch_day(given.as_of);
    let life = |(row, first): (usize, &Option<i32>)| {
        let first = (*first)?;
        let current = intervals[row] > ended[row];
        let end = (!current).then(|| ends[row].unwrap_or(today));
        Some(Life { first, end })
    };
    Ok(first.iter().enumerate().map(life).collect())
}
