//! Profiles of segments: every feature in every segment, compared with the whole base.

use std::cmp::Reverse;

use rayon::prelude::*;
use tessera_expr::exact::Sum;

use crate::assignment::Assignment;
use crate::customers::{ColumnKind, Customers, Labels, Numeric};
use crate::error::SegmentError;
use crate::moments::{Moments, rests};
use crate::rank::{Ranking, quantile_of};

/// Number of values shown of a label feature, the most frequent first; the others are counted as [`OTHER_LABEL`].
pub const LABEL_VALUES: usize = 20;

/// The values of a label feature beyond the [`LABEL_VALUES`] most frequent.
pub const OTHER_LABEL: &str = "(other)";

/// One feature, or one value of a label feature, in one segment.
///
/// A number, a date (as days since 1970-01-01) has `customers`, `mean`, quantiles, `population_mean`, `index`, `effect_size`; a
/// label (Utf8, Boolean) has one profile per value with `customers`, `share`, `population_share`, `index`.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// The scheme.
    pub scheme: String,
    /// Permanent id of the segment.
    pub segment_id: i64,
    /// Name of the segment.
    pub segment: String,
    /// The feature.
    pub feature: String,
    /// The value of a label feature.
    pub label: Option<String>,
    /// Numbers: customers of the segment with a value. Labels: customers of the segment with this label.
    pub customers: u64,
    /// Mean over the customers with a value; absent where there are none.
    pub mean: Option<f64>,
    /// Type-7 quantile at 0.5.
    pub median: Option<f64>,
    /// Type-7 quantile at 0.1.
    pub p10: Option<f64>,
    /// Type-7 quantile at 0.9.
    pub p90: Option<f64>,
    /// Mean over all customers with a value.
    pub population_mean: Option<f64>,
    /// 100 = as in the whole base: 100 mean / population mean, or 100 share / population share. Absent for dates and where the
    /// population mean is not positive, since a ratio to it has no meaning.
    pub index: Option<f64>,
    /// Cohen's d of the segment against the rest of the base: difference of the means over the pooled standard deviation
    /// (Cohen 1988, eq. 2.5.1). Absent where either side is empty or nothing varies.
    pub effect_size: Option<f64>,
    /// Share of this label among the customers of the segment that have a label.
    pub share: Option<f64>,
    /// Share of this label among all customers that have a label.
    pub population_share: Option<f64>,
}

/// Profiles of every segment of every scheme by every feature of the table, by scheme, segment id, feature and label.
///
/// Each feature is sorted once for all schemes; sums are exact, so the result does not depend on the number of threads or the
/// order of rows. Segments without customers have profiles too, without figures.
///
/// # Errors
/// An assignment of another number of customers than the table has.
pub fn profiles(
    customers: &Customers,
    assignments: &[Assignment],
) -> Result<Vec<Profile>, SegmentError> {
    check_lengths(customers, assignments)?;
    if assignments.is_empty() {
        return Ok(Vec::new());
    }
    let features: Vec<(&str, ColumnKind)> = customers.features().collect();
    let parts: Result<Vec<Vec<Profile>>, SegmentError> = features
        .into_par_iter()
        .map(|(feature, kind)| match kind {
            ColumnKind::Number | ColumnKind::Date => Ok(of_numbers(
                feature,
                &customers.numeric(feature)?,
                kind == ColumnKind::Number,
                assignments,
            )),
            ColumnKind::Label => Ok(of_labels(feature, &customers.labels(feature)?, assignments)),
        })
        .collect();
    let mut profiles: Vec<Profile> = parts?.into_iter().flatten().collect();
    profiles.par_sort_by(|a, b| sort_key(a).cmp(&sort_key(b)));
    Ok(profiles)
}

/// Rejects assignments of another table of customers.
pub(crate) fn check_lengths(
    customers: &Customers,
    assignments: &[Assignment],
) -> Result<(), SegmentError> {
    match assignments
        .iter()
        .find(|assignment| assignment.len() != customers.len())
    {
        Some(other) => Err(SegmentError::Mismatch {
            scheme: other.scheme.clone(),
            found: other.len(),
            expected: customers.len(),
        }),
        None => Ok(()),
    }
}

fn sort_key(profile: &Profile) -> (&str, i64, &str, Option<&str>) {
    (
        &profile.scheme,
        profile.segment_id,
        &profile.feature,
        profile.label.as_deref(),
    )
}

fn of_numbers(
    feature: &str,
    numbers: &Numeric,
    has_zero: bool,
    assignments: &[Assignment],
) -> Vec<Profile> {
    let ranking = Ranking::new(numbers.values());
    let population_mean = mean(ranking.values());
    let mut profiles = Vec::new();
    for assignment in assignments {
        let groups = Groups::new(&ranking, assignment);
        let moments: Vec<Moments> = (0..assignment.segments.len())
            .map(|segment| Moments::of(groups.values(segment)))
            .collect();
        for (segment, (own, rest)) in moments.iter().zip(rests(&moments)).enumerate() {
            let values = groups.values(segment);
            let quantile = |share| quantile_of(values.len(), share, |place| values[place]);
            let mean = own.mean();
            let base = population_mean.filter(|base| has_zero && *base > 0.0);
            profiles.push(Profile {
                customers: own.count,
                mean,
                median: quantile(0.5),
                p10: quantile(0.1),
                p90: quantile(0.9),
                population_mean,
                index: mean.zip(base).map(|(mean, base)| 100.0 * mean / base),
                effect_size: own.cohens_d(&rest),
                ..empty(assignment, segment, feature)
            });
        }
    }
    profiles
}

fn of_labels(feature: &str, labels: &Labels<'_>, assignments: &[Assignment]) -> Vec<Profile> {
    let shown = Shown::new(labels);
    let population = shown.counts(labels, 1, |_| 0);
    let mut profiles = Vec::new();
    for assignment in assignments {
        let counts = shown.counts(labels, assignment.segments.len(), |row| {
            assignment.segment_of[row] as usize
        });
        for (segment, counts) in counts.chunks(shown.names.len().max(1)).enumerate() {
            let (all, population_all): (u64, u64) = (counts.iter().sum(), population.iter().sum());
            for (name, (&count, &population)) in
                shown.names.iter().zip(counts.iter().zip(&population))
            {
                let share = share_of(count, all);
                let population_share = share_of(population, population_all);
                let base = population_share.filter(|base| *base > 0.0);
                profiles.push(Profile {
                    label: Some(name.clone()),
                    customers: count,
                    index: share.zip(base).map(|(share, base)| 100.0 * share / base),
                    share,
                    population_share,
                    ..empty(assignment, segment, feature)
                });
            }
        }
    }
    profiles
}

fn empty(assignment: &Assignment, segment: usize, feature: &str) -> Profile {
    let info = &assignment.segments[segment];
    Profile {
        scheme: assignment.scheme.clone(),
        segment_id: info.id,
        segment: info.name.clone(),
        feature: feature.to_owned(),
        label: None,
        customers: 0,
        mean: None,
        median: None,
        p10: None,
        p90: None,
        population_mean: None,
        index: None,
        effect_size: None,
        share: None,
        population_share: None,
    }
}

/// The present values of a feature by segment, ascending within each.
pub(crate) struct Groups {
    values: Vec<f64>,
    starts: Vec<usize>,
}

impl Groups {
    /// One pass in ascending order of the values, so each segment's values are sorted without another sort.
    pub(crate) fn new(ranking: &Ranking, assignment: &Assignment) -> Self {
        let mut starts = vec![0; assignment.segments.len() + 1];
        // Looked up once per value, since rows in the order of values are scattered over the table.
        let segment_of = |&row: &u32| {
            let segment = assignment.segment_of[row as usize];
            starts[segment as usize + 1] += 1;
            segment
        };
        let segments: Vec<u32> = ranking.rows().iter().map(segment_of).collect();
        for segment in 1..starts.len() {
            starts[segment] += starts[segment - 1];
        }
        let mut next = starts.clone();
        let mut values = vec![0.0; ranking.len()];
        for (segment, &value) in segments.into_iter().zip(ranking.values()) {
            let place = &mut next[segment as usize];
            values[*place] = value;
            *place += 1;
        }
        Self { values, starts }
    }

    /// The values of one segment, ascending.
    pub(crate) fn values(&self, segment: usize) -> &[f64] {
        &self.values[self.starts[segment]..self.starts[segment + 1]]
    }
}

/// The values of a label feature that are shown, by name with [`OTHER_LABEL`] last.
struct Shown {
    names: Vec<String>,
    /// Per label code: index into `names`.
    place: Vec<u32>,
}

impl Shown {
    /// The most frequent values; among equally frequent ones the first by name.
    fn new(labels: &Labels<'_>) -> Self {
        let counts = labels.counts();
        let mut codes: Vec<usize> = (0..counts.len())
            .filter(|code| labels.values()[*code] != OTHER_LABEL)
            .collect();
        codes.sort_by_key(|code| Reverse(counts[*code]));
        codes.truncate(LABEL_VALUES);
        codes.sort_unstable();
        let mut names: Vec<String> = codes
            .iter()
            .map(|code| labels.values()[*code].to_string())
            .collect();
        let mut place = vec![names.len() as u32; counts.len()];
        for (index, code) in codes.iter().enumerate() {
            place[*code] = index as u32;
        }
        if names.len() < counts.len() {
            names.push(OTHER_LABEL.to_owned());
        }
        Self { names, place }
    }

    /// Customers by group, then shown value.
    fn counts(
        &self,
        labels: &Labels<'_>,
        groups: usize,
        group_of: impl Fn(usize) -> usize,
    ) -> Vec<u64> {
        let width = self.names.len();
        let mut counts = vec![0; groups * width];
        for (row, &code) in labels.codes().iter().enumerate() {
            if code != Labels::MISSING {
                counts[group_of(row) * width + self.place[code as usize] as usize] += 1;
            }
        }
        counts
    }
}

fn share_of(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

/// Mean of values, absent without any: the exact sum divided by their number, rounded once.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    let sum: Sum = values.iter().copied().collect();
    (!values.is_empty()).then(|| sum.mean(values.len() as u64))
}
