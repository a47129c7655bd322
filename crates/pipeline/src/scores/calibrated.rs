//! Whether probabilities are calibrated: calibration error and slope, compared with what chance explains. The level is judged by
//! the error: an intercept shows it only at a probability of one half.

use tessera_model::churn::{DateShare, Steadiness};
use tessera_model::metrics::{self, CalibrationBin, EstimationError, LogitLine};
use tessera_model::special::Z_95;
use tessera_segments::{Quality, QualityStatus, Threshold};
use tessera_spec::shown::grouped;

/// Calibration error that is acceptable, whatever the size of the sample: so much, and no more than [`SMALL_SHARE`] of the rarer outcome.
const SMALL: f64 = 0.02;

/// Share of the rarer outcome: of a risk of 1% in a hundred, two points would be twice the risk.
const SMALL_SHARE: f64 = 0.2;

/// Least spread of the predictions over bins at which a slope is judged; of rarer outcomes their share.
const SPREAD: f64 = 0.02;

/// The same in standard errors of the predictions: what differs by less differs by chance, which no outcome follows.
const ERRORS_APART: f64 = 8.0;

/// A slope within these limits passes, and one that chance explains.
const SLOPES: [f64; 2] = [0.8, 1.25];

/// Standard errors that a right slope is away from 1 in at most 5 of 100 samples.
const CHANCE: f64 = Z_95;

/// How well probabilities agree with outcomes.
pub(in crate::scores) struct Calibrated {
    /// Mean absolute difference of predicted and observed over bins.
    pub(in crate::scores) error: f64,
    /// The limit that the error stays below in 95 of 100 samples if the probabilities are right.
    pub(in crate::scores) limit: f64,
    /// Observed log-odds over predicted log-odds; `None` where all predictions are equal.
    pub(in crate::scores) line: Option<LogitLine>,
    /// Standard error of its slope.
    pub(in crate::scores) slope_error: f64,
    /// Standard error of the predictions.
    pub(in crate::scores) error_of_predictions: f64,
    /// Means of predicted and observed.
    pub(in crate::scores) means: [f64; 2],
    /// Largest minus smallest mean prediction of a bin.
    pub(in crate::scores) spread: f64,
    /// Customers.
    pub(in crate::scores) rows: f64,
}

/// Probabilities that are estimates, whose errors chance is to explain too.
pub(in crate::scores) struct Estimates<'e> {
    /// The probabilities.
    pub(in crate::scores) probabilities: &'e [f64],
    /// The same for log-odds: an estimate of 0 or 1 says no more than the customers from whom it was learned.
    pub(in crate::scores) kept_apart: &'e [f64],
    /// Their standard error.
    pub(in crate::scores) error: f64,
    /// What moves many of them at once, as [`metrics::calibration_slope_error_of_estimates`] takes it.
    pub(in crate::scores) shared: &'e [[f64; 2]],
}

/// Two numbers, of which one exceeds the other, with as many decimals as show it: one at least, six at most.
fn told_apart(numbers: [f64; 2]) -> [String; 2] {
    let shown = |decimals: usize| numbers.map(|number| format!("{number:.decimals$}"));
    let mut all = (1..6).map(shown);
    let differs = all.find(|[one, other]| one != other);
    differs.unwrap_or_else(|| shown(6))
}

/// Ok or flagged.
pub(in crate::scores) fn status(holds: bool) -> QualityStatus {
    if holds {
        QualityStatus::Ok
    } else {
        QualityStatus::Flagged
    }
}

/// Largest minus smallest mean prediction of bins in ascending order; 0 without bins.
pub(in crate::scores) fn spread(bins: &[CalibrationBin]) -> f64 {
    let ends = bins.first().zip(bins.last());
    ends.map_or(0.0, |(first, last)| last.predicted - first.predicted)
}

/// The error that is acceptable of outcomes of this rate.
fn small(rate: f64) -> f64 {
    SMALL.min(SMALL_SHARE * rate.min(1.0 - rate))
}

/// The standard error of normal errors whose mean absolute value is this.
fn standard_error_of(mean_absolute: f64) -> f64 {
    mean_absolute * std::f64::consts::FRAC_PI_2.sqrt()
}

/// Dates that a reason lists: the first of those that differ most.
const LISTED: usize = 4;

/// Whether what was predicted holds from one observation date to another: the row of `quality`; `None` of fewer than two dates.
pub(in crate::scores) fn between_dates(dates: &[DateShare]) -> Option<Quality> {
    let found = Steadiness::of(dates)?;
    let customers = dates.iter().map(|date| date.customers as f64).sum::<f64>();
    let observed = dates
        .iter()
        .map(|date| date.observed * date.customers as f64);
    let limit = found
        .chance_limit
        .max(standard_error_of(small(observed.sum::<f64>() / customers)));
    let holds = found.error <= limit;
    let reason = || {
        let mut most: Vec<&DateShare> = dates.iter().collect();
        let gap = |date: &DateShare| (date.observed - date.predicted).abs();
        most.sort_by(|a, b| gap(b).total_cmp(&gap(a)));
        most.truncate(LISTED);
        most.sort_by_key(|date| date.observed_on);
        let shown = most.iter().map(|date| {
            let [predicted, observed] = [date.predicted, date.observed].map(|p| 100.0 * p);
            format!("{}: {predicted:.0}% and {observed:.0}%", date.date())
        });
        format!(
            "predicted and observed share differ between observation dates by more than chance ({}): a season or a change that no feature \
             shows. The share that is predicted today is the mean of these dates, and what then happens may differ from it by {:.0} points \
             (one standard error), at whatever number of customers; who is more likely to leave than others may be right all the same. \
             More `observations`, so that they reach back more than a year, show whether it is a season",
            shown.collect::<Vec<_>>().join("; "),
            100.0 * found.error
        )
    };
    Some(Quality {
        segment: String::new(),
        criterion: "calibrated",
        metric: "error of the share between dates".to_owned(),
        value: Some(found.error),
        threshold: Some(Threshold::at_most(limit)),
        status: status(holds),
        reason: (!holds).then(reason),
    })
}

impl Calibrated {
    /// Of probabilities that are known.
    #[cfg(test)]
    fn of(probabilities: &[f64], happened: &[bool]) -> Option<Self> {
        let estimates = Estimates {
            probabilities,
            kept_apart: probabilities,
            error: 0.0,
            shared: &[],
        };
        Self::of_estimates(&estimates, happened)
    }

    /// Computed from probabilities, which are estimates, and outcomes; `None` without rows.
    pub(in crate::scores) fn of_estimates(
        estimates: &Estimates<'_>,
        happened: &[bool],
    ) -> Option<Self> {
        let &Estimates {
            probabilities,
            kept_apart,
            error,
            shared,
        } = estimates;
        let rows = happened.len() as f64;
        let line = metrics::calibration_line(kept_apart, happened);
        let mean = |sum: f64| sum / rows;
        let observed = happened.iter().filter(|happened| **happened).count() as f64;
        let moved = shared.iter().map(|[sum, _]| mean(*sum).powi(2));
        let of_all = EstimationError {
            each: error,
            together: moved.sum::<f64>().sqrt().min(error),
        };
        Some(Self {
            error: metrics::expected_calibration_error(probabilities, happened)?,
            limit: metrics::calibration_error_limit_of_estimates(probabilities, happened, of_all)?,
            slope_error: line.map_or(f64::INFINITY, |line| {
                metrics::calibration_slope_error_of_estimates(kept_apart, &line, shared)
            }),
            line,
            error_of_predictions: error,
            spread: spread(&metrics::calibration_table(probabilities, happened)?),
            means: [mean(probabilities.iter().sum()), mean(observed)],
            rows,
        })
    }

    /// Rows of `quality`; `of` is appended to the names of the metrics.
    pub(in crate::scores) fn quality(&self, of: &str) -> Vec<Quality> {
        let row =
            |metric: &str, value: f64, threshold: Threshold, holds: bool, reason: String| Quality {
                segment: String::new(),
                criterion: "calibrated",
                metric: format!("{metric}{of}"),
                value: Some(value).filter(|value| value.is_finite()),
                threshold: Some(threshold),
                status: status(holds),
                reason: (!holds).then_some(reason),
            };
        let rate = self.means.iter().sum::<f64>() / 2.0;
        let rarer = rate.min(1.0 - rate);
        let limit = self.limit.max(small(rate));
        let [predicted, observed] = self.means.map(|mean| 100.0 * mean);
        let differing = told_apart([self.error, self.limit].map(|share| 100.0 * share));
        let mut rows = vec![row(
            "calibration error",
            self.error,
            Threshold::at_most(limit),
            self.error <= limit,
            format!(
                "predicted and observed differ by {} points on average, where chance explains at most {}; the average is over groups \
                of like probability, while of all {} customers {predicted:.1}% were predicted and {observed:.1}% happened: the ranking of \
                customers may be right, the probabilities are not",
                differing[0],
                differing[1],
                grouped(self.rows as u64)
            ),
        )];
        let least = SPREAD
            .min(rarer)
            .max(ERRORS_APART * self.error_of_predictions);
        if let Some(line) = self.line.filter(|_| self.spread >= least) {
            // Of predictions that hardly differ, the slope says little.
            let is_chance = (line.slope - 1.0).abs() <= CHANCE * self.slope_error;
            let within = (SLOPES[0]..=SLOPES[1]).contains(&line.slope) || is_chance;
            let how = if line.slope < 1.0 {
                "too extreme"
            } else {
                "too close to the mean"
            };
            rows.push(row(
                "calibration slope",
                line.slope,
                Threshold::about(1.0),
                within,
                format!(
                    "predictions are {how}: the calibration slope is {:.2} (standard error {:.2}), and 1 is right",
                    line.slope,
                    self.slope_error
                ),
            ));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 20,000 customers 1% are predicted: that 2.4% leave is a number of which nothing right can be done, that 1.1% do is chance.
    #[test]
    fn rare_outcomes_are_judged_beside_how_rare_they_are() {
        let status = |leave: usize| {
            let happened: Vec<bool> = (0..20_000).map(|row| row % 1_000 < leave).collect();
            let rows = Calibrated::of(&[0.01; 20_000], &happened)
                .unwrap()
                .quality("");
            rows[0].status
        };
        assert_eq!(status(24), QualityStatus::Flagged);
        assert_eq!(status(11), QualityStatus::Ok);
        // Of outcomes as frequent as not, two points are small.
        let happened: Vec<bool> = (0..20_000).map(|row| row % 1_000 < 515).collect();
        let rows = Calibrated::of(&[0.5; 20_000], &happened)
            .unwrap()
            .quality("");
        assert_eq!(rows[0].status, QualityStatus::Ok);
    }

    /// That 2.34 points are more than 2.31 is seen, and what differs anyway keeps one decimal.
    #[test]
    fn an_error_above_its_limit_is_seen_to_be() {
        assert_eq!(told_apart([2.3406, 2.3081]), ["2.34", "2.31"]);
        assert_eq!(told_apart([2.34061, 2.34052]), ["2.3406", "2.3405"]);
        assert_eq!(told_apart([10.6, 6.1]), ["10.6", "6.1"]);
        assert_eq!(told_apart([0.0, 0.0]), ["0.000000", "0.000000"]);
    }

    /// Half of either group happens, where few and most were predicted: right on the whole, wrong in each group.
    #[test]
    fn a_reason_begins_with_what_decides() {
        let probabilities: Vec<f64> = (0..400)
            .map(|row| if row < 200 { 0.1 } else { 0.9 })
            .collect();
        let happened: Vec<bool> = (0..400).map(|row| row % 2 == 0).collect();
        let rows = Calibrated::of(&probabilities, &happened)
            .unwrap()
            .quality("");
        let reason = rows[0].reason.clone().unwrap();
        let first = reason.split(';').next().unwrap();
        assert!(
            first.starts_with("predicted and observed differ by 40.0 points on average")
                && first.contains("chance explains at most"),
            "{reason}"
        );
        assert!(
            reason.contains("of all 400 customers 50.0% were predicted and 50.0% happened"),
            "{reason}"
        );
    }
}
