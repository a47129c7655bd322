//! Who churned after an earlier date, computed from the data at the date of the run.
//!
//! For events, a customer churned if it has no row in the days after the date. For intervals, a customer with a running interval
//! at the date churned if it has none at the end of the days.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use chrono::{Days, NaiveDate};
use tessera_expr::Expr;
use tessera_expr::aggregates::COUNT;
use tessera_expr::rel::{Agg, Window};
use tessera_spec::pipeline::SourceKind;

use super::columns::floats;
use super::{Asked, Given, NotComputed, hidden_name};
use crate::error::PipelineError;

/// The days after an earlier date in which a customer may churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// The earlier date; it is not one of the days.
    pub(crate) observed: NaiveDate,
    /// Days after it.
    pub(crate) days: u32,
}

impl Span {
    /// The span of `days` that ends `ago` days before `as_of`; `None` before the calendar's beginning.
    pub(crate) fn ending(as_of: NaiveDate, ago: u32, days: u32) -> Option<Self> {
        let back = u64::from(ago) + u64::from(days);
        let observed = as_of.checked_sub_days(Days::new(back))?;
        Some(Self { observed, days })
    }

    fn end(self) -> Option<NaiveDate> {
        self.observed
            .checked_add_days(Days::new(u64::from(self.days)))
    }
}

/// The hidden aggregates that show who churned in each span.
pub(crate) fn hidden(asked: &Asked<'_>, from: &str, spans: &[Span]) -> Vec<Agg> {
    let Some(source) = asked.pipeline.source(from) else {
        return Vec::new();
    };
    let mut aggs = Vec::new();
    for &span in spans {
        let Some(end) = span.end() else { continue };
        let mut count = |what: &str, window, filter| {
            aggs.push(Agg {
                name: name(asked.name, what, span),
                func: COUNT.of_rows(),
                window,
                filter,
            });
        };
        if source.kind == SourceKind::Intervals {
            let running = |date| running_at(asked, from, date);
            if let (Some(then), Some(later)) = (running(span.observed), running(end)) {
                count("running", None, Some(then));
                count("stays", None, Some(later));
            }
        } else {
            let offset = asked.as_of.signed_duration_since(end).num_days();
            let window = Window {
                days: Some(span.days),
                offset_days: u32::try_from(offset).unwrap_or(0),
            };
            count("events", Some(window), asked.purchase(from));
        }
    }
    aggs
}

fn name(score: &str, what: &str, span: Span) -> String {
    hidden_name(score, &format!("{what}_{}_{}", span.observed, span.days))
}

/// True for intervals that have begun by the close of `date` and end after it.
pub(super) fn running_at(asked: &Asked<'_>, from: &str, date: NaiveDate) -> Option<Expr> {
    let source = asked.pipeline.source(from)?;
    let schema = &asked.inputs.get(from)?.schema;
    let begin = &source.time.as_ref()?.value;
    let begun = format!("cast(\"{begin}\" as date) <= date '{date}'");
    let condition = match &source.until {
        Some(until) => {
            let until = &until.value;
            format!(
                "{begun} and (\"{until}\" is null or cast(\"{until}\" as date) > date '{date}')"
            )
        }
        None => begun,
    };
    tessera_expr::parse(&condition, schema).ok()
}

/// Whether each customer of the base at `span.observed` churned; `None` for those who could not, since no interval was running.
/// `then` is the table of that date, whose first column is the key.
pub(crate) fn outcomes(
    given: &Given<'_>,
    span: Span,
    then: &RecordBatch,
) -> Result<Vec<Option<bool>>, NotComputed> {
    let places = places(then.column(0), given.table.column(0))?;
    let counted = |what: &str| -> Result<Option<Vec<f64>>, NotComputed> {
        let name = name(given.name, what, span);
        if given.table.schema().index_of(&name).is_err() {
            return Ok(None);
        }
        Ok(Some(floats(given.table, &name)?))
    };
    let (events, running, stays) = (counted("events")?, counted("running")?, counted("stays")?);
    let outcome = |place: Option<usize>| {
        let row = place?;
        match (&events, &running, &stays) {
            (Some(events), _, _) => Some(events[row] == 0.0),
            (None, Some(running), Some(stays)) => (running[row] > 0.0).then_some(stays[row] == 0.0),
            _ => None,
        }
    };
    Ok(places.into_iter().map(outcome).collect())
}

/// For each key of `then` its row among `now`; both are sorted.
fn places(then: &ArrayRef, now: &ArrayRef) -> Result<Vec<Option<usize>>, PipelineError> {
    let compare = arrow::array::make_comparator(then, now, SortOptions::default())?;
    let mut row = 0;
    let find = |key: usize| {
        while row < now.len() && compare(key, row).is_gt() {
            row += 1;
        }
        (row < now.len() && compare(key, row).is_eq()).then_some(row)
    };
    Ok((0..then.len()).map(find).collect())
}
