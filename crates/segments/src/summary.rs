//! How large the segments are, in customers and in money.

use rayon::prelude::*;

use crate::assignment::Assignment;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::moments;
use crate::profiles::{Groups, check_lengths, mean};
use crate::rank::Ranking;
use tessera_spec::pipeline::VALUE_COLUMNS;

/// One segment: its size, its value and the goal's KPI in it.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentSummary {
    /// The scheme.
    pub scheme: String,
    /// Permanent id of the segment.
    pub segment_id: i64,
    /// Name of the segment.
    pub segment: String,
    /// The rule as text, where there is one.
    pub rule: Option<String>,
    /// Number of customers.
    pub customers: u64,
    /// Share of all customers; 0 where there are none at all.
    pub share: f64,
    /// Sum of the value feature over the customers that have one; absent where no such feature is named.
    pub value: Option<f64>,
    /// Share of the whole base's value; absent where that is not positive.
    pub value_share: Option<f64>,
    /// Mean of the KPI over the customers that have one; absent where none has, or no KPI is named.
    pub kpi: Option<f64>,
    /// Customers with a KPI; absent where none is named.
    pub kpi_customers: Option<u64>,
    /// Sums of the columns of [`VALUE_COLUMNS`] over the customers that have one; absent where the table has no such column,
    /// or none of the customers a value.
    pub values: [Option<f64>; 4],
}

/// Sums up every segment of every scheme, by scheme and segment id.
///
/// Sums run in the order of the values, so neither the number of threads nor the order of rows changes a bit.
///
/// # Errors
/// An assignment of another number of customers than the table has; a value feature or KPI that is missing or not a number.
pub fn summarise(
    customers: &Customers,
    assignments: &[Assignment],
    value: Option<&str>,
    kpi: Option<&str>,
) -> Result<Vec<SegmentSummary>, SegmentError> {
    check_lengths(customers, assignments)?;
    if assignments.is_empty() {
        return Ok(Vec::new());
    }
    let rank = |feature: Option<&str>| -> Result<Option<Ranking>, SegmentError> {
        feature
            .map(|feature| Ok(Ranking::new(customers.numeric(feature)?.values())))
            .transpose()
    };
    let (value, kpi) = rayon::join(|| rank(value), || rank(kpi));
    let (value, kpi) = (value?, kpi?);
    let worth: Vec<Option<Ranking>> = VALUE_COLUMNS
        .iter()
        .map(|name| {
            rank(
                customers
                    .features()
                    .any(|(own, _)| own == *name)
                    .then_some(name),
            )
        })
        .collect::<Result<_, _>>()?;
    let total = value.as_ref().map(|value| moments::sum(value.values()));

    let of_assignment = |assignment: &Assignment| -> Vec<SegmentSummary> {
        let values = value
            .as_ref()
            .map(|ranking| Groups::new(ranking, assignment));
        let kpis = kpi.as_ref().map(|ranking| Groups::new(ranking, assignment));
        let worths: Vec<Option<Groups>> = worth
            .iter()
            .map(|ranking| {
                ranking
                    .as_ref()
                    .map(|ranking| Groups::new(ranking, assignment))
            })
            .collect();
        let all = customers.len().max(1) as f64;
        let of_segment = |(index, count): (usize, u64)| {
            let info = &assignment.segments[index];
            let value = values
                .as_ref()
                .map(|groups| moments::sum(groups.values(index)));
            SegmentSummary {
                scheme: assignment.scheme.clone(),
                segment_id: info.id,
                segment: info.name.clone(),
                rule: info.rule.clone(),
                customers: count,
                share: count as f64 / all,
                value,
                value_share: value
                    .zip(total.filter(|total| *total > 0.0))
                    .map(|(value, total)| value / total),
                kpi: kpis.as_ref().and_then(|groups| mean(groups.values(index))),
                kpi_customers: kpis
                    .as_ref()
                    .map(|groups| groups.values(index).len() as u64),
                values: std::array::from_fn(|place| {
                    let values = worths[place].as_ref()?.values(index);
                    (!values.is_empty()).then(|| moments::sum(values))
                }),
            }
        };
        assignment
            .counts()
            .into_iter()
            .enumerate()
            .map(of_segment)
            .collect()
    };
    let mut summaries: Vec<SegmentSummary> = assignments
        .par_iter()
        .flat_map_iter(of_assignment)
        .collect();
    summaries.sort_by(|a, b| (&a.scheme, a.segment_id).cmp(&(&b.scheme, b.segment_id)));
    Ok(summaries)
}
