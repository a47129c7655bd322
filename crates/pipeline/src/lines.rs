//! Lines of business: who has left one can still be lost in another.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use tessera_spec::pipeline::{Line, Score, VALUE_AT_RISK, VALUE_FUTURE};
use tessera_spec::shown::grouped;

use crate::prepared::Prepared;

/// The lines of business that scores predict, by the names of the scores, beside that of the score that says who has left.
pub(crate) fn other_lines(prepared: &Prepared) -> impl Iterator<Item = Line> {
    let mut scores: Vec<&Score> = prepared.pipeline.scores.iter().collect();
    scores.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    let first = prepared.pipeline.says_who_left().and_then(Score::line);
    let lines = scores.into_iter().filter_map(Score::line);
    lines.filter(move |line| {
        first
            .as_ref()
            .is_some_and(|first| first.source != line.source)
    })
}

/// Warns of customers who can be lost in another line of business and have a future value, but no risk of being lost.
pub(crate) fn without_risk(prepared: &Prepared, customers: &RecordBatch) -> Option<String> {
    let at_risk = customers.column_by_name(VALUE_AT_RISK)?;
    let future = customers.column_by_name(VALUE_FUTURE)?;
    let future = future.as_primitive_opt::<Float64Type>()?;
    for line in other_lines(prepared) {
        let Some(known) = customers.column_by_name(&line.known) else {
            continue;
        };
        let lacks = |row: &usize| {
            known.is_valid(*row)
                && at_risk.is_null(*row)
                && future.is_valid(*row)
                && future.value(*row) > 0.0
        };
        let count = (0..customers.num_rows()).filter(lacks).count();
        if count > 0 {
            let noun = if count == 1 { "customer" } else { "customers" };
            return Some(format!(
                "{} {noun} can be lost by `{}` and have a future value, but `risk` of [value] is missing there, so that none of \
                 it is at risk: combine the risks of all lines of business in `risk`, with `coalesce` where a customer may lack one",
                grouped(count as u64),
                line.known
            ));
        }
    }
    None
}
