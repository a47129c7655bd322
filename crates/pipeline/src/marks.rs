//! Further columns of `segments`: how far its numbers can be relied on, and how many members have left.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema};
use tessera_segments::Assignment;
use tessera_spec::pipeline::{Period, VALUE_AT_RISK, VALUE_PAST};

use crate::error::PipelineError;
use crate::lines::other_lines;
use crate::prepared::Prepared;
use crate::reliance::{Mark, OK, Reliance};
use crate::scores::Standing;

/// Columns of `segments` that say how far a segment can be relied on.
pub(crate) const RELIANCE: [&str; 4] =
    ["kpi_status", "kpi_reason", "scheme_status", "scheme_reason"];

/// Standing of a segment of which more members have left than can still be lost.
const LOST: &str = "lost";

/// Standing of all other segments.
const LIVING: &str = "living";

/// The table `segments` with its last columns: status of the KPI and of the scheme, with reasons; who has left, and what winning
/// one of them back would be worth.
pub(crate) fn segments(
    segments: &RecordBatch,
    prepared: &Prepared,
    (customers, assignments): (&RecordBatch, &[Assignment]),
    reliance: &Reliance,
) -> Result<RecordBatch, PipelineError> {
    let kpi = prepared
        .pipeline
        .goal
        .as_ref()
        .map(|goal| goal.kpi.value.as_str());
    let rows = segments.num_rows();
    let of_kpi = kpi.map(|kpi| reliance.of(kpi));
    let status = |mark: Option<&Mark>| mark.map_or(OK, |mark| mark.against.name());
    let kpi_status: StringArray = (0..rows).map(|_| of_kpi.map(status)).collect();
    let kpi_reason: StringArray = (0..rows)
        .map(|_| of_kpi.flatten().map(|mark| mark.reason.as_str()))
        .collect();
    let schemes = text_column(segments, "scheme")?;
    let marks: Vec<Option<&Mark>> = schemes.iter().map(|s| reliance.of_scheme(s?)).collect();
    let statuses: StringArray = marks.iter().map(|mark| Some(status(*mark))).collect();
    let reasons: StringArray = marks
        .iter()
        .map(|mark| mark.map(|mark| mark.reason.as_str()))
        .collect();
    let left = Left::read(prepared, customers)?;
    let ids = segments.column(segments.schema().index_of("segment_id")?);
    let ids = ids.as_primitive::<arrow::datatypes::Int64Type>();
    let of_segment = |row: usize| {
        let left = left.as_ref()?;
        let scheme = schemes.value(row);
        let assignment = assignments.iter().find(|a| a.scheme == scheme)?;
        let place = assignment
            .segments
            .iter()
            .position(|s| s.id == ids.value(row))?;
        Some(left.of(assignment, place as u32))
    };
    let found: Vec<Option<LeftOfSegment>> = (0..rows).map(of_segment).collect();
    let standing: StringArray = found
        .iter()
        .map(|found| found.as_ref().map(LeftOfSegment::standing))
        .collect();
    let lost: Int64Array = found.iter().map(|f| f.as_ref().map(|f| f.left)).collect();
    let worth: Float64Array = found
        .iter()
        .map(|f| f.as_ref().and_then(|f| f.win_back))
        .collect();
    let added: [(&str, ArrayRef); 7] = [
        (RELIANCE[0], Arc::new(kpi_status)),
        (RELIANCE[1], Arc::new(kpi_reason)),
        (RELIANCE[2], Arc::new(statuses)),
        (RELIANCE[3], Arc::new(reasons)),
        ("standing", Arc::new(standing)),
        ("left_customers", Arc::new(lost)),
        ("win_back_value", Arc::new(worth)),
    ];
    let mut fields: Vec<Arc<Field>> = segments.schema().fields().iter().cloned().collect();
    let mut columns = segments.columns().to_vec();
    for (name, column) in added {
        fields.push(Arc::new(Field::new(name, column.data_type().clone(), true)));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// Money per period of who brought so much from the first order until the customer counted as lost. Of less than a period it is what was
/// brought: who bought once within a quarter did not do so in each quarter of a year.
fn brought_per(past: f64, period_days: f64, stayed_days: f64) -> f64 {
    past * period_days / stayed_days.max(period_days)
}

fn text_column(table: &RecordBatch, name: &str) -> Result<StringArray, PipelineError> {
    let column = table.column(table.schema().index_of(name)?);
    Ok(column.as_string::<i32>().clone())
}

/// Which customers have left, according to the score that says so ([`tessera_spec::Pipeline::says_who_left`]), with no value at risk and in no other line of business, and
/// their money per period until they counted as lost.
struct Left {
    /// Whether a customer has left; `None` for customers who never bought and can be lost in no other way either.
    left: Vec<Option<bool>>,
    /// Money per period; `None` where it is not known.
    per_period: Vec<Option<f64>>,
}

/// The members of a segment who have left.
struct LeftOfSegment {
    living: i64,
    left: i64,
    win_back: Option<f64>,
}

impl LeftOfSegment {
    fn standing(&self) -> &'static str {
        if self.left > self.living {
            LOST
        } else {
            LIVING
        }
    }
}

impl Left {
    /// `None` where no score predicts churn.
    fn read(prepared: &Prepared, customers: &RecordBatch) -> Result<Option<Self>, PipelineError> {
        let Some(score) = prepared.pipeline.says_who_left() else {
            return Ok(None);
        };
        let Some(loss) = score.loss() else {
            return Ok(None);
        };
        let excluded = text_column(customers, &loss.excluded)?;
        let numbers = |name: &str| -> Result<Option<Vec<Option<f64>>>, PipelineError> {
            let Some(column) = customers.column_by_name(name) else {
                return Ok(None);
            };
            let column = arrow::compute::cast(column, &DataType::Float64)?;
            Ok(Some(column.as_primitive::<Float64Type>().iter().collect()))
        };
        // With several lines of business, who left one of them can still be lost in another.
        let mut elsewhere = vec![false; customers.num_rows()];
        let others = other_lines(prepared).map(|line| line.known);
        for name in std::iter::once(VALUE_AT_RISK.to_owned()).chain(others) {
            let Some(column) = customers.column_by_name(&name) else {
                continue;
            };
            let rows = elsewhere.iter_mut().enumerate();
            rows.for_each(|(row, is)| *is |= column.is_valid(row));
        }
        let can_be_lost = |row: usize| elsewhere[row];
        let left = excluded
            .iter()
            .enumerate()
            .map(|(row, why)| match Standing::of(why) {
                Some(Standing::Living) => Some(false),
                Some(Standing::ChurnedBefore) => Some(!can_be_lost(row)),
                _ => can_be_lost(row).then_some(false),
            });
        let left = left.collect();
        let value = prepared.pipeline.value.as_ref();
        let per = value.and_then(|value| value.per);
        let period = per.unwrap_or(Period::Month).days();
        // The days are counted by the orders: until when a customer stayed who was lost to another source, they do not say.
        let orders = tessera_features::orders(&prepared.pipeline);
        let of_orders = orders.is_some_and(|orders| {
            let line = score.line();
            line.is_none_or(|line| line.source == orders.name.value)
        });
        let days = |name: &str| if of_orders { numbers(name) } else { Ok(None) };
        let read = (
            numbers(VALUE_PAST)?,
            days("tenure_days")?,
            days("recency_days")?,
        );
        let per_period = match read {
            (Some(past), Some(tenure), Some(recency)) => (0..customers.num_rows())
                .map(|row| {
                    // By a label it is not known until when they stayed.
                    let horizon = Some(f64::from(loss.horizon_days)).filter(|days| *days > 0.0)?;
                    let stayed = tenure[row]? - recency[row]? + horizon;
                    Some(brought_per(past[row]?, period, stayed))
                })
                .collect(),
            _ => vec![None; customers.num_rows()],
        };
        Ok(Some(Self { left, per_period }))
    }

    fn of(&self, assignment: &Assignment, segment: u32) -> LeftOfSegment {
        let members = assignment.segment_of.iter().enumerate();
        let members = members
            .filter(|(_, of)| **of == segment)
            .map(|(row, _)| row);
        let (mut living, mut left) = (0, 0);
        let mut worth = Vec::new();
        for row in members {
            match self.left[row] {
                Some(true) => {
                    left += 1;
                    worth.extend(self.per_period[row]);
                }
                Some(false) => living += 1,
                None => {}
            }
        }
        // Sorted, so that the sum does not depend on the order of rows.
        worth.sort_unstable_by(f64::total_cmp);
        let sum: f64 = worth.iter().sum();
        LeftOfSegment {
            living,
            left,
            win_back: (!worth.is_empty()).then(|| sum / worth.len() as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::brought_per;

    /// 72 pounds, bought on one day, count as lost after 90 days: 289 a year is four such purchases, which nobody saw.
    #[test]
    fn no_more_is_said_of_a_period_than_was_brought_where_less_than_one_was_seen() {
        let year = 365.25;
        assert_eq!(brought_per(72.0, year, 90.0), 72.0);
        assert_eq!(brought_per(72.0, year, 2.0 * year), 36.0);
        assert!((brought_per(90.0, 365.25 / 12.0, 90.0) - 30.4375).abs() < 1e-12);
    }
}
