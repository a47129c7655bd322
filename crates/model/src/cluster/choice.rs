//! How many clusters: five criteria over a range of k, on a sample.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::axes::PrincipalBox;
use super::error::{ClusterError, go_on, refuse, require_finite};
use super::lloyd;
use super::quality::{calinski_harabasz, davies_bouldin, mean_silhouette};
use super::sample::{ContentOrder, generator, mix, permutation};
use super::starts::quick_fit;
use crate::{Matrix, interrupt};

/// Prediction strength from which clusters count as real (Tibshirani and Walther 2005, section 3).
const STRONG: f64 = 0.8;

/// A criterion for the number of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChoiceCriterion {
    /// Highest mean silhouette.
    Silhouette,
    /// Highest Calinski-Harabasz.
    CalinskiHarabasz,
    /// Lowest Davies-Bouldin.
    DaviesBouldin,
    /// Smallest k with gap(k) >= gap(k + 1) - s(k + 1); the highest gap where there is none.
    Gap,
    /// Largest k whose prediction strength plus its standard error reaches 0.8; the lowest k where there is none.
    PredictionStrength,
}

/// How the criteria are computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChoiceParams {
    /// The criterion that decides; silhouette by default.
    pub criterion: ChoiceCriterion,
    /// Largest number of rows for silhouette, Calinski-Harabasz and Davies-Bouldin, at least 3; 10,000 by default.
    pub sample: usize,
    /// k-means++ starts per k, at least 1; 4 by default.
    pub starts: u32,
    /// Largest number of rows for gap and prediction strength, at least 6; 2,000 by default.
    pub resample: usize,
    /// Reference sets of the gap statistic; 20 by default, 0 leaves it out.
    pub references: u32,
    /// Random halvings for prediction strength; 10 by default, 0 leaves it out.
    pub halvings: u32,
}

impl Default for ChoiceParams {
    fn default() -> Self {
        Self {
            criterion: ChoiceCriterion::Silhouette,
            sample: 10_000,
            starts: 4,
            resample: 2_000,
            references: 20,
            halvings: 10,
        }
    }
}

impl ChoiceParams {
    pub(super) fn check(&self) -> Result<(), ClusterError> {
        match self {
            Self { sample: 0..3, .. } => refuse("choice.sample", self.sample as f64, "at least 3"),
            Self { resample: 0..6, .. } => {
                refuse("choice.resample", self.resample as f64, "at least 6")
            }
            Self { starts: 0, .. } => refuse("choice.starts", 0.0, "at least 1"),
            Self {
                criterion: ChoiceCriterion::Gap,
                references: 0..2,
                ..
            } => refuse(
                "choice.references",
                f64::from(self.references),
                "at least 2 where the gap decides",
            ),
            Self {
                criterion: ChoiceCriterion::PredictionStrength,
                halvings: 0..2,
                ..
            } => refuse(
                "choice.halvings",
                f64::from(self.halvings),
                "at least 2 where prediction strength decides",
            ),
            _ => Ok(()),
        }
    }
}

/// Numbers of clusters to try, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KRange {
    from: usize,
    to: usize,
}

impl KRange {
    /// A range with 2 <= `from` <= `to`.
    ///
    /// # Errors
    /// [`ClusterError::Parameter`] otherwise.
    pub fn new(from: u32, to: u32) -> Result<Self, ClusterError> {
        if from < 2 {
            let allowed = "at least 2: one cluster cannot be compared";
            return refuse("k.from", f64::from(from), allowed);
        }
        if to < from {
            return refuse("k.to", f64::from(to), "at least `from`");
        }
        Ok(Self {
            from: from as usize,
            to: to as usize,
        })
    }

    /// Every number of the range, the lowest first.
    pub fn all(self) -> std::ops::RangeInclusive<usize> {
        self.from..=self.to
    }
}

/// The criteria for one k.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceRow {
    /// Number of clusters.
    pub k: usize,
    /// Sum of squared distances to the centres over the sample.
    pub inertia: f64,
    /// Mean silhouette, within -1 to 1; higher is better.
    pub silhouette: f64,
    /// Calinski-Harabasz; higher is better.
    pub calinski_harabasz: f64,
    /// Davies-Bouldin; lower is better.
    pub davies_bouldin: f64,
    /// Gap statistic: by how much the log of the inertia lies below that of rows drawn uniformly.
    pub gap: Option<f64>,
    /// Its standard error, with the factor sqrt(1 + 1/B).
    pub gap_se: Option<f64>,
    /// Prediction strength, within 0 to 1, mean over the halvings.
    pub prediction_strength: Option<f64>,
    /// Its standard error.
    pub prediction_strength_se: Option<f64>,
}

/// The criteria for every k that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChoiceTable {
    /// By ascending k. Empty where the sample has too few distinct rows for the lowest k.
    pub rows: Vec<ChoiceRow>,
    /// The lowest k asked for, which is used where nothing can be compared.
    pub lowest: usize,
    /// Rows used for silhouette, Calinski-Harabasz and Davies-Bouldin.
    pub sample_rows: usize,
    /// Rows used for gap and prediction strength.
    pub resample_rows: usize,
}

impl ChoiceTable {
    /// The k that a criterion chooses; in a tie the smallest.
    pub fn chosen(&self, criterion: ChoiceCriterion) -> usize {
        let highest = |score: &dyn Fn(&ChoiceRow) -> f64| {
            let better = |best: Option<(usize, f64)>, row: &ChoiceRow| match best {
                Some((_, least)) if score(row) <= least => best,
                _ => Some((row.k, score(row))),
            };
            self.rows.iter().fold(None, better).map(|(k, _)| k)
        };
        let chosen = match criterion {
            ChoiceCriterion::Silhouette => highest(&|row| row.silhouette),
            ChoiceCriterion::CalinskiHarabasz => highest(&|row| row.calinski_harabasz),
            ChoiceCriterion::DaviesBouldin => highest(&|row| -row.davies_bouldin),
            ChoiceCriterion::Gap => self
                .first_gap()
                .or_else(|| highest(&|row| row.gap.unwrap_or(f64::NEG_INFINITY))),
            ChoiceCriterion::PredictionStrength => {
                let reaches = |row: &&ChoiceRow| {
                    row.prediction_strength
                        .zip(row.prediction_strength_se)
                        .is_some_and(|(ps, se)| ps + se >= STRONG)
                };
                self.rows.iter().rev().find(reaches).map(|row| row.k)
            }
        };
        chosen.unwrap_or(self.lowest)
    }

    /// Tibshirani, Walther, Hastie (2001), section 3, step 3.
    fn first_gap(&self) -> Option<usize> {
        let enough = |pair: &&[ChoiceRow]| {
            let (Some(gap), Some(next), Some(se)) = (pair[0].gap, pair[1].gap, pair[1].gap_se)
            else {
                return false;
            };
            gap >= next - se
        };
        self.rows.windows(2).find(enough).map(|pair| pair[0].k)
    }
}

/// Computes every criterion for every k of the range on a sample of the rows (by content and seed).
/// Values of k that are not below the number of distinct rows are left out.
///
/// # Errors
/// No rows, a value that is not finite, or parameters outside their ranges.
pub fn choose_k(
    matrix: &Matrix<'_>,
    range: KRange,
    params: &ChoiceParams,
    seed: u64,
) -> Result<ChoiceTable, ClusterError> {
    params.check()?;
    require_finite(matrix)?;
    let order = ContentOrder::new(matrix, seed);
    let sample = matrix.gather(&order.take(params.sample));
    let resample = matrix.gather(&order.take(params.resample));
    let distinct = |rows: &Matrix<'_>| ContentOrder::new(rows, seed).distinct();
    let (distinct_sample, distinct_resample) = (distinct(&sample), distinct(&resample));
    let references = PrincipalBox::new(&resample);
    let row = |k: usize| -> Result<ChoiceRow, ClusterError> {
        go_on()?;
        let centroids = quick_fit(&sample, k, params.starts, seed);
        let labels = lloyd::labels(&sample, &centroids);
        let resampled = distinct_resample > k;
        let gap = if resampled {
            gap(&resample, &references, k, params, seed)
        } else {
            None
        };
        let strength = if resampled && k < resample.rows() / 2 {
            prediction_strength(&resample, k, params, seed)
        } else {
            None
        };
        Ok(ChoiceRow {
            k,
            inertia: lloyd::inertia(&sample, &centroids),
            silhouette: mean_silhouette(&sample, &labels)?,
            calinski_harabasz: calinski_harabasz(&sample, &labels)?,
            davies_bouldin: davies_bouldin(&sample, &labels)?,
            gap: gap.map(|(mean, _)| mean),
            gap_se: gap.map(|(_, se)| se),
            prediction_strength: strength.map(|(mean, _)| mean),
            prediction_strength_se: strength.map(|(_, se)| se),
        })
    };
    let tried: Vec<usize> = range.all().filter(|&k| k < distinct_sample).collect();
    let rows = tried
        .into_par_iter()
        .map(row)
        .collect::<Result<Vec<_>, _>>()?;
    go_on()?;
    Ok(ChoiceTable {
        rows,
        lowest: range.from,
        sample_rows: sample.rows(),
        resample_rows: resample.rows(),
    })
}

/// Gap statistic and its standard error (Tibshirani, Walther, Hastie 2001, equation 3 and step 3).
fn gap(
    rows: &Matrix<'_>,
    references: &PrincipalBox,
    k: usize,
    params: &ChoiceParams,
    seed: u64,
) -> Option<(f64, f64)> {
    if params.references < 2 {
        return None;
    }
    let log_inertia = |matrix: &Matrix<'_>, seed: u64| {
        let centroids = quick_fit(matrix, k, params.starts.min(2), seed);
        lloyd::inertia(matrix, &centroids)
            .max(f64::MIN_POSITIVE)
            .ln()
    };
    let observed = log_inertia(rows, seed);
    let reference = |b: u32| {
        if interrupt::requested() {
            return 0.0;
        }
        let strewn = references.strew(&mut generator(mix(seed ^ 0x6A70), u64::from(b)));
        log_inertia(&strewn, mix(seed ^ u64::from(b)))
    };
    let logs: Vec<f64> = (0..params.references)
        .into_par_iter()
        .map(reference)
        .collect();
    let (mean, sd) = super::moments::mean_sd(&logs);
    Some((
        mean - observed,
        sd * (1.0 + 1.0 / f64::from(params.references)).sqrt(),
    ))
}

/// Prediction strength, mean and standard error over random halvings (Tibshirani and Walther 2005, equation 2).
fn prediction_strength(
    rows: &Matrix<'_>,
    k: usize,
    params: &ChoiceParams,
    seed: u64,
) -> Option<(f64, f64)> {
    if params.halvings < 2 {
        return None;
    }
    let halving = |h: u32| {
        if interrupt::requested() {
            return 0.0;
        }
        let order = permutation(
            rows.rows(),
            &mut generator(mix(seed ^ 0x7053), u64::from(h)),
        );
        let (first, second) = order.split_at(order.len() / 2);
        let (first, second) = (rows.gather(first), rows.gather(second));
        let fit = |half: &Matrix<'_>, turn: u64| {
            quick_fit(
                half,
                k,
                params.starts.min(2),
                mix(seed ^ mix(2 * u64::from(h) + turn)),
            )
        };
        let (centres_first, centres_second) = (fit(&first, 0), fit(&second, 1));
        let strength = |test: &Matrix<'_>, own, other| {
            least_share(&lloyd::labels(test, own), &lloyd::labels(test, other), k)
        };
        (strength(&second, &centres_second, &centres_first)
            + strength(&first, &centres_first, &centres_second))
            / 2.0
    };
    let strengths: Vec<f64> = (0..params.halvings).into_par_iter().map(halving).collect();
    let (mean, sd) = super::moments::mean_sd(&strengths);
    // The standard error of a mean takes the deviation of the sample, divided by n - 1.
    Some((mean, sd / (f64::from(params.halvings) - 1.0).sqrt()))
}

/// Over clusters of at least two rows, the least share of pairs of rows that the other labels keep together.
fn least_share(labels: &[u32], other: &[u32], k: usize) -> f64 {
    let mut cells = vec![0.0; k * k];
    labels
        .iter()
        .zip(other)
        .for_each(|(&a, &b)| cells[a as usize * k + b as usize] += 1.0);
    let share = |row: &[f64]| {
        let size: f64 = row.iter().sum();
        (size >= 2.0)
            .then(|| row.iter().map(|n| n * (n - 1.0)).sum::<f64>() / (size * (size - 1.0)))
    };
    cells.chunks(k).filter_map(share).fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(k: usize, gap: f64, se: f64, strength: f64) -> ChoiceRow {
        ChoiceRow {
            k,
            inertia: 1.0,
            silhouette: 0.5,
            calinski_harabasz: k as f64,
            davies_bouldin: k as f64,
            gap: Some(gap),
            gap_se: Some(se),
            prediction_strength: Some(strength),
            prediction_strength_se: Some(0.02),
        }
    }

    #[test]
    fn each_criterion_chooses_by_its_own_rule() {
        let rows = vec![
            row(2, 0.2, 0.01, 0.95),
            row(3, 0.5, 0.01, 0.79),
            row(4, 0.505, 0.01, 0.3),
            row(5, 0.6, 0.01, 0.2),
        ];
        let table = ChoiceTable {
            rows,
            lowest: 2,
            sample_rows: 10,
            resample_rows: 10,
        };
        assert_eq!(
            table.chosen(ChoiceCriterion::Silhouette),
            2,
            "of equals the smallest"
        );
        assert_eq!(table.chosen(ChoiceCriterion::CalinskiHarabasz), 5);
        assert_eq!(table.chosen(ChoiceCriterion::DaviesBouldin), 2);
        assert_eq!(table.chosen(ChoiceCriterion::Gap), 3, "0.5 >= 0.505 - 0.01");
        assert_eq!(
            table.chosen(ChoiceCriterion::PredictionStrength),
            3,
            "0.79 + 0.02 >= 0.8"
        );
        let empty = ChoiceTable {
            rows: vec![],
            lowest: 4,
            sample_rows: 1,
            resample_rows: 1,
        };
        assert_eq!(empty.chosen(ChoiceCriterion::Silhouette), 4);
    }

    #[test]
    fn pairs_kept_together_are_counted_for_the_weakest_cluster() {
        // Cluster 0: 4 rows, 3 together: 3 of 6 pairs. Cluster 1: both together.
        assert_eq!(
            least_share(&[0, 0, 0, 0, 1, 1], &[0, 0, 0, 1, 1, 1], 2),
            0.5
        );
        assert_eq!(least_share(&[0, 1], &[0, 1], 2), 1.0);
    }
}
