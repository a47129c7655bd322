//! How good predicted probabilities are: log loss, Brier, average precision, calibration by bins, lift.
//!
//! Every function takes the predicted probabilities and the outcomes, row by row, and returns `None` where the lengths differ,
//! there are no rows, or a probability is NaN; other cases in which a function is undefined are stated there.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::{erf, erf_inv, erfc};

use crate::special::Z_95;

use super::logit_line::{LogitLine, logit, logit_line, slope_error, slope_error_with};

/// Most bins of the calibration table: deciles.
const BINS: usize = 10;

/// Least number of rows in a bin of the calibration table, so that the observed share is not mostly noise; fewer rows are one
/// bin.
const LEAST_IN_BIN: u64 = 200;

/// 95% point of the normal distribution.
const Z_95_ONE_SIDED: f64 = 1.644_853_626_951_472_2;

/// One bin of predictions that are near each other.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CalibrationBin {
    /// From 1, the lowest predictions.
    pub bin: u32,
    /// Mean predicted probability, in [0, 1].
    pub predicted: f64,
    /// Share of rows to which it happened, in [0, 1].
    pub observed: f64,
    /// Rows of the bin, at least 1.
    pub rows: u64,
    /// `observed` divided by the share among all rows; `None` where it happened to nobody.
    pub lift: Option<f64>,
}

/// A mean of paired differences with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PairedGain {
    /// Mean over rows of the log loss of the rival minus that of the candidate, nats; above 0 the candidate is better.
    pub mean: f64,
    /// Its standard error: standard deviation of the differences (n - 1) over the root of n.
    pub standard_error: f64,
    /// mean - 1.96 standard errors.
    pub low_95: f64,
    /// mean + 1.96 standard errors.
    pub high_95: f64,
}

/// Mean of -ln(probability given to what happened), nats, at least 0. Probabilities are kept 2.2e-16 away from 0 and 1, as
/// scikit-learn does.
pub fn log_loss(probabilities: &[f64], happened: &[bool]) -> Option<f64> {
    checked(probabilities, happened)?;
    Some(mean(&row_log_losses(probabilities, happened)))
}

/// Mean of (probability - outcome)^2, in [0, 1] (Brier 1950, for two classes counted once).
pub fn brier(probabilities: &[f64], happened: &[bool]) -> Option<f64> {
    checked(probabilities, happened)?;
    let squares = probabilities.iter().zip(happened);
    Some(mean(
        &squares
            .map(|(p, y)| (p - outcome(*y)).powi(2))
            .collect::<Vec<_>>(),
    ))
}

/// Sum over thresholds of (recall gained) x precision, in (0, 1]; rows of equal score enter together. `None` where it
/// happened to nobody.
pub fn average_precision(scores: &[f64], happened: &[bool]) -> Option<f64> {
    checked(scores, happened)?;
    let positives = count(happened);
    if positives == 0 {
        return None;
    }
    let (mut found, mut seen, mut sum) = (0u64, 0u64, 0.0);
    for run in descending_runs(scores, happened) {
        found += run.positives;
        seen += run.rows;
        sum += run.positives as f64 / positives as f64 * (found as f64 / seen as f64);
    }
    Some(sum)
}

/// The rate among the `share` (in (0, 1]) of rows with the highest scores, divided by the rate among all; where the border
/// falls among equal scores, these rows count in proportion. `None` where it happened to nobody or the share is out of range.
pub fn lift_at(scores: &[f64], happened: &[bool], share: f64) -> Option<f64> {
    checked(scores, happened)?;
    let positives = count(happened);
    if positives == 0 || !(share > 0.0 && share <= 1.0) {
        return None;
    }
    let wanted = share * scores.len() as f64;
    let (mut taken, mut found) = (0.0, 0.0);
    for run in descending_runs(scores, happened) {
        let part = ((wanted - taken) / run.rows as f64).clamp(0.0, 1.0);
        found += part * run.positives as f64;
        taken += part * run.rows as f64;
    }
    Some(found / wanted / (positives as f64 / scores.len() as f64))
}

/// Bins of counts as equal as ties allow, from the lowest predictions: as many as can have 200 rows each, at most ten. A row's
/// bin is floor(bins (rank - 1/2) / n), where equal predictions share their mean rank, so that the table does not depend on the
/// order of rows. A bin of fewer than 200 rows is merged into the one before it, the first into the one after it.
pub fn calibration_table(probabilities: &[f64], happened: &[bool]) -> Option<Vec<CalibrationBin>> {
    checked(probabilities, happened)?;
    let n = probabilities.len();
    let base = count(happened) as f64 / n as f64;
    let wanted = (n as u64 / LEAST_IN_BIN).clamp(1, BINS as u64);
    let mut runs = descending_runs(probabilities, happened);
    runs.reverse();
    let (mut bins, mut before) = (vec![Counted::default(); wanted as usize], 0u64);
    for run in runs {
        // Twice the mean rank from 0 plus 1 is an integer, so the bin is exact.
        let twice = 2 * before + run.rows;
        let bin = (wanted * twice / (2 * n as u64)).min(wanted - 1) as usize;
        before += run.rows;
        bins[bin].add(&Counted {
            rows: run.rows,
            positives: run.positives,
            sum: run.score * run.rows as f64,
        });
    }
    let mut joined: Vec<Counted> = Vec::new();
    for bin in bins.into_iter().filter(|bin| bin.rows > 0) {
        match joined.last_mut() {
            Some(last) if last.rows < LEAST_IN_BIN || bin.rows < LEAST_IN_BIN => last.add(&bin),
            _ => joined.push(bin),
        }
    }
    let shown = joined.into_iter().zip(1..).map(|(bin, number)| {
        let observed = bin.positives as f64 / bin.rows as f64;
        CalibrationBin {
            bin: number,
            predicted: bin.sum / bin.rows as f64,
            observed,
            rows: bin.rows,
            lift: (base > 0.0).then(|| observed / base),
        }
    });
    Some(shown.collect())
}

/// Rows of a bin of the calibration table.
#[derive(Clone, Default)]
struct Counted {
    rows: u64,
    positives: u64,
    /// Sum of the predictions.
    sum: f64,
}

impl Counted {
    fn add(&mut self, more: &Self) {
        self.rows += more.rows;
        self.positives += more.positives;
        self.sum += more.sum;
    }
}

/// The limit that [`expected_calibration_error`] stays below in 95 of 100 samples of this size if the predictions are right. Per
/// bin, observed minus predicted is normal with variance p (1 - p) / rows, so the mean of its absolute value is sqrt(2 / pi)
/// times its standard deviation.
pub fn calibration_error_limit(probabilities: &[f64], happened: &[bool]) -> Option<f64> {
    let exact = EstimationError::default();
    calibration_error_limit_of_estimates(probabilities, happened, exact)
}

/// The error of predictions that are estimates, in probability.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EstimationError {
    /// Standard deviation of the error of a prediction.
    pub each: f64,
    /// Standard deviation of the mean error of all of them, at most `each`: that of predictions which err together, since the
    /// parameters of one model are estimates. It is 0 where each errs for itself.
    pub together: f64,
}

/// Quantiles of the common error of predictions by which its distribution is summed up.
const COMMON_ERRORS: usize = 400;

/// As [`calibration_error_limit`], of predictions that are right but for the error of their estimation. What predictions err by together
/// moves all bins one way; what is left of the error adds to the variance of every bin.
pub fn calibration_error_limit_of_estimates(
    probabilities: &[f64],
    happened: &[bool],
    error: EstimationError,
) -> Option<f64> {
    let table = calibration_table(probabilities, happened)?;
    let n = probabilities.len() as f64;
    let together = error.together.clamp(0.0, error.each);
    let own = error.each * error.each - together * together;
    let bin = |bin: &CalibrationBin| {
        let rows = bin.rows as f64;
        let chance = bin.predicted * (1.0 - bin.predicted) / rows;
        [rows / n, (chance + own).sqrt()]
    };
    let bins: Vec<[f64; 2]> = table.iter().map(bin).collect();
    // The calibration error, which is about normal, where all predictions err by so much.
    let moved_by = |common: f64| {
        let (mut mean, mut variance) = (0.0, 0.0);
        for [share, deviation] in &bins {
            let [of_bin, around] = folded(share * common, share * deviation);
            mean += of_bin;
            variance += around;
        }
        [mean, variance.sqrt()]
    };
    let upper = |[mean, deviation]: [f64; 2]| mean + Z_95_ONE_SIDED * deviation;
    if together <= 0.0 {
        return Some(upper(moved_by(0.0)));
    }
    let common = |step: usize| {
        let quantile = (step as f64 + 0.5) / COMMON_ERRORS as f64;
        together * SQRT_2 * erf_inv(2.0 * quantile - 1.0)
    };
    let moved: Vec<[f64; 2]> = (0..COMMON_ERRORS)
        .map(|step| moved_by(common(step)))
        .collect();
    let share_below = |limit: f64| {
        let below = |[mean, deviation]: &[f64; 2]| 0.5 * erfc((mean - limit) / deviation / SQRT_2);
        moved.iter().map(below).sum::<f64>() / COMMON_ERRORS as f64
    };
    // Where the common error is largest, the limit is above that of all.
    let (mut low, mut high) = (0.0, upper(moved_by(common(COMMON_ERRORS - 1))));
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        match share_below(middle) < 0.95 {
            true => low = middle,
            false => high = middle,
        }
    }
    Some(high)
}

/// Mean and variance of the absolute value of a normal number of this mean and standard deviation.
fn folded(mean: f64, deviation: f64) -> [f64; 2] {
    let at_zero = deviation * (2.0 / PI).sqrt();
    if mean == 0.0 {
        return [at_zero, deviation.powi(2) * (1.0 - 2.0 / PI)];
    }
    let away = mean / (deviation * SQRT_2);
    let folded = at_zero * (-away * away).exp() + mean * erf(away);
    let variance = mean * mean + deviation * deviation - folded * folded;
    [folded, variance.max(0.0)]
}

/// Mean over rows of |predicted - observed| of their bin in [`calibration_table`], in [0, 1].
pub fn expected_calibration_error(probabilities: &[f64], happened: &[bool]) -> Option<f64> {
    let table = calibration_table(probabilities, happened)?;
    let weighted = table
        .iter()
        .map(|bin| bin.rows as f64 * (bin.predicted - bin.observed).abs());
    Some(weighted.sum::<f64>() / probabilities.len() as f64)
}

/// Intercept and slope of logit(rate) over logit(probability) by maximum likelihood (Cox 1958); 0 and 1 where calibrated.
/// A slope below 1 means that predictions are too extreme. `None` where all predictions are equal, only one outcome occurs, or
/// predictions separate the outcomes completely.
pub fn calibration_line(probabilities: &[f64], happened: &[bool]) -> Option<LogitLine> {
    checked(probabilities, happened)?;
    let logits: Vec<f64> = probabilities
        .iter()
        .map(|&p| logit(kept_apart(p)))
        .collect();
    let targets: Vec<f64> = happened.iter().map(|&y| outcome(y)).collect();
    logit_line(&logits, &targets)
}

/// Standard error of the slope of [`calibration_line`] over these probabilities, for rows that are independent of each other: the
/// probabilities count as given, though they may be estimates themselves.
pub fn calibration_slope_error(probabilities: &[f64], line: &LogitLine) -> f64 {
    let logits = probabilities.iter().map(|&p| (logit(kept_apart(p)), 1.0));
    slope_error(logits, line)
}

/// As [`calibration_slope_error`], of probabilities that are estimates. `errors` are independent of each other, each as the standard
/// deviations by which it moves the sum of the probabilities and the sum of their products with their log-odds.
pub fn calibration_slope_error_of_estimates(
    probabilities: &[f64],
    line: &LogitLine,
    errors: &[[f64; 2]],
) -> f64 {
    let logits = probabilities.iter().map(|&p| (logit(kept_apart(p)), 1.0));
    slope_error_with(logits, line, errors)
}

/// As [`calibration_slope_error`], of rows that are known by their bins alone: as if all of a bin had its mean probability, so it is a
/// little too large.
pub fn calibration_slope_error_of_bins(bins: &[CalibrationBin], line: &LogitLine) -> f64 {
    let logits = bins
        .iter()
        .map(|bin| (logit(kept_apart(bin.predicted)), bin.rows as f64));
    slope_error(logits, line)
}

/// By how much the candidate's log loss is below the rival's, on the same rows. The interval holds for rows that are
/// independent of each other: one row per customer. `None` with fewer than two rows.
pub fn log_loss_gain(candidate: &[f64], rival: &[f64], happened: &[bool]) -> Option<PairedGain> {
    checked(candidate, happened)?;
    checked(rival, happened)?;
    let losses = row_log_losses(rival, happened)
        .into_iter()
        .zip(row_log_losses(candidate, happened));
    paired_gain(&losses.map(|(rival, own)| rival - own).collect::<Vec<f64>>())
}

/// A mean of differences with its interval; `None` with fewer than two.
pub(crate) fn paired_gain(differences: &[f64]) -> Option<PairedGain> {
    let n = differences.len() as f64;
    if n < 2.0 {
        return None;
    }
    let average = mean(differences);
    let squares: f64 = differences.iter().map(|d| (d - average).powi(2)).sum();
    let error = (squares / (n - 1.0) / n).sqrt();
    Some(PairedGain {
        mean: average,
        standard_error: error,
        low_95: average - Z_95 * error,
        high_95: average + Z_95 * error,
    })
}

fn checked(scores: &[f64], happened: &[bool]) -> Option<()> {
    let usable = scores.len() == happened.len()
        && !scores.is_empty()
        && !scores.iter().any(|score| score.is_nan());
    usable.then_some(())
}

fn outcome(happened: bool) -> f64 {
    f64::from(u8::from(happened))
}

fn count(happened: &[bool]) -> u64 {
    happened.iter().filter(|is| **is).count() as u64
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn kept_apart(probability: f64) -> f64 {
    probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON)
}

pub(crate) fn row_log_losses(probabilities: &[f64], happened: &[bool]) -> Vec<f64> {
    let rows = probabilities.iter().zip(happened);
    rows.map(|(&p, &y)| {
        let p = kept_apart(p);
        if y { -p.ln() } else { -(-p).ln_1p() }
    })
    .collect()
}

/// Rows of one score.
struct Run {
    score: f64,
    rows: u64,
    positives: u64,
}

/// The rows by falling score, equal scores together.
fn descending_runs(scores: &[f64], happened: &[bool]) -> Vec<Run> {
    let mut rows: Vec<(f64, bool)> = scores
        .iter()
        .zip(happened)
        // Adding zero makes -0.0 and 0.0 the same score.
        .map(|(score, y)| (score + 0.0, *y))
        .collect();
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let runs = rows.chunk_by(|a, b| a.0 == b.0);
    runs.map(|run| Run {
        score: run[0].0,
        rows: run.len() as u64,
        positives: run.iter().filter(|(_, y)| *y).count() as u64,
    })
    .collect()
}
