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
    /// Its number among the segments of the scheme, from 1, in the order of the pipeline or of the kind.
    pub position: u64,
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
    /// Sums of the columns of [`VALUE_COLUMNS`] over the customers that have a value; absent where the table has no such
    /// column, or none of the customers has a value.
    pub values: [Option<f64>; 4],
}

/// Sums up every segment of every scheme, by scheme and segment id.
///
/// Sums run in the order of the values, so the result does not depend on the number of threads or the order of rows.
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
        let values = |feature| Ok(Ranking::new(customers.numeric(feature)?.values()));
        feature.map(values).transpose()
    };
    let (value, kpi) = rayon::join(|| rank(value), || rank(kpi));
    let is_there = |name: &&str| customers.features().any(|(own, _)| own == *name);
    let worth = VALUE_COLUMNS
        .iter()
        .map(|name| rank(Some(*name).filter(is_there)));
    let measured = Measured {
        customers: customers.len(),
        value: value?,
        kpi: kpi?,
        worth: worth.collect::<Result<_, _>>()?,
    };
    let mut summaries: Vec<SegmentSummary> = assignments
        .par_iter()
        .flat_map_iter(|assignment| measured.of(assignment))
        .collect();
    summaries.sort_by(|a, b| (&a.scheme, a.segment_id).cmp(&(&b.scheme, b.segment_id)));
    Ok(summaries)
}

/// What is summed up, ranked once for all schemes.
struct Measured {
    /// Number of customers.
    customers: usize,
    value: Option<Ranking>,
    kpi: Option<Ranking>,
    /// The columns of [`VALUE_COLUMNS`] that the table has.
    worth: Vec<Option<Ranking>>,
}

impl Measured {
    /// The summaries of the segments of one scheme.
    fn of(&self, assignment: &Assignment) -> Vec<SegmentSummary> {
        let grouped = |ranking: &Option<Ranking>| {
            let ranking = ranking.as_ref()?;
            Some(Groups::new(ranking, assignment))
        };
        let (values, kpis) = (grouped(&self.value), grouped(&self.kpi));
        let worths: Vec<Option<Groups>> = self.worth.iter().map(grouped).collect();
        let total = self
            .value
            .as_ref()
            .map(|value| moments::sum(value.values()));
        let total = total.filter(|total| *total > 0.0);
        let all = self.customers.max(1) as f64;
        let of_segment = |(index, customers): (usize, u64)| {
            let info = &assignment.segments[index];
            let value = values
                .as_ref()
                .map(|groups| moments::sum(groups.values(index)));
            let kpis = kpis.as_ref().map(|groups| groups.values(index));
            SegmentSummary {
                scheme: assignment.scheme.clone(),
                segment_id: info.id,
                segment: info.name.clone(),
                position: index as u64 + 1,
                rule: info.rule.clone(),
                customers,
                share: customers as f64 / all,
                value,
                value_share: value.zip(total).map(|(value, total)| value / total),
                kpi: kpis.and_then(mean),
                kpi_customers: kpis.map(|values| values.len() as u64),
                values: std::array::from_fn(|place| {
                    let values = worths[place].as_ref()?.values(index);
                    (!values.is_empty()).then(|| moments::sum(values))
                }),
            }
        };
        let counts = assignment.counts().into_iter().enumerate();
        counts.map(of_segment).collect()
    }
}
