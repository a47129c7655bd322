//! What was fitted, and its backtest: rows of `models`, `calibration` and `quality`.

mod silence;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use tessera_model::btyd::{
    Backtest, CalibrationBin, DropoutTest, Fallback, Forecast, ForecastPlan, Forecaster,
    PurchaseFit, PurchaseHistory, PurchaseModel, RateHeuristic, Served, SharedErrors,
    naive_purchases,
};
use tessera_segments::{Parameter, Quality, QualityStatus, Threshold};
use tessera_spec::figure::{Figure, Metric, Sum, TestPart};

use super::buyers::Buyers;
use super::settings::ClvScore;
use super::{checkpoints, holdout, unit};
use crate::scores::calibrated::{Calibrated, Estimates};
use crate::scores::columns::floats;
use crate::scores::learned::Comparison;
use crate::scores::{
    BACKTEST, CalibrationRow, Given, NotComputed, Scored, WHOLE, hidden_name, not_computed,
};
use crate::sources::epoch_day;
use silence::{SilenceGroup, groups_by_silence};

/// Difference from 1 of predicted over actual purchases in the holdout that is not flagged, however many purchases there are.
const TRACKING_LIMIT: f64 = 0.1;

/// With fewer customers who have bought again, the parameters of a purchase model are mostly noise.
const FEW_REPEAT_CUSTOMERS: f64 = 30.0;

/// Probability above which the customers with the longest time since the last purchase count as predicted alive.
const SURELY_ALIVE: f64 = 0.9;

/// The customers with the longest time since the last purchase buy much less if their share of buyers is below this fraction
/// of the share among the most recent buyers.
const BUYS_MUCH_LESS: f64 = 0.5;

/// Least number of customers in each group for a comparison.
const LEAST_OF_GROUP: usize = 50;

/// Least number of customers in a bin of `calibration`.
const LEAST_IN_BIN: f64 = 200.0;

/// Writes what was fitted into the rows of the published tables.
pub(super) struct Evidence<'s> {
    scored: &'s mut Scored,
}

impl<'s> Evidence<'s> {
    pub(super) fn new(scored: &'s mut Scored) -> Self {
        Self { scored }
    }

    pub(super) fn number(&mut self, model: &str, name: impl Into<String>, value: f64) {
        self.stating(model, name, value, Figure::Parameter);
    }

    fn stating(&mut self, model: &str, name: impl Into<String>, value: f64, figure: Figure) {
        let parameter = Parameter::number(model, name, value).stating(figure);
        self.scored.parameters.push(parameter);
    }

    /// A parameter with its standard error.
    pub(super) fn estimate(&mut self, model: &str, name: &str, value: f64, error: f64) {
        let rows = Parameter::estimate(model, name, value, error);
        self.scored.parameters.extend(rows);
    }

    /// States once why something was not computed.
    pub(super) fn not_computed(&mut self, metric: &str, reason: &str) {
        let row = not_computed(metric, reason);
        let same =
            |known: &Quality| (known.criterion, &known.metric) == (row.criterion, &row.metric);
        if !self.scored.quality.iter().any(same) {
            self.scored.quality.push(row);
        }
    }

    /// Judges an assumption: it does not hold where there is a reason.
    pub(super) fn flag(
        &mut self,
        metric: &str,
        value: f64,
        threshold: impl Into<Option<Threshold>>,
        reason: Option<String>,
    ) {
        self.scored.quality.push(Quality {
            segment: String::new(),
            criterion: "assumption",
            metric: metric.to_owned(),
            value: Some(value),
            threshold: threshold.into(),
            status: if reason.is_some() {
                QualityStatus::Flagged
            } else {
                QualityStatus::Ok
            },
            reason,
        });
    }

    /// Records the model that is used, and why it is not the requested one.
    pub(super) fn fallback(&mut self, score: &str, requested: &str, fallback: &Fallback) {
        let served = fallback.name().unwrap_or("none");
        let reason = match fallback.failed.as_slice() {
            [] => match &fallback.served {
                Served::Model(PurchaseFit::SharedDropout(_)) => {
                    "the first purchase model of the pipeline; its likelihood is highest where all customers share one dropout probability"
                }
                _ => "the first purchase model of the pipeline; its fit converged",
            }
            .to_owned(),
            failed => {
                let tried = failed.iter().map(|f| f.reason.as_str());
                tried.collect::<Vec<_>>().join("; ")
            }
        };
        let choice = Parameter::choice(served, &reason);
        self.scored.parameters.extend(choice);
        for failed in &fallback.failed {
            self.not_computed(&failed.model, &failed.reason);
        }
        if served != requested {
            tracing::warn!(
                score,
                "score `{score}`: {requested} was not fitted, so the fallback model {served} is used: {reason}"
            );
        }
        if let Some(test) = fallback.dropout {
            let ratio = test.likelihood_ratio;
            self.number("nbd", "likelihood_ratio", ratio);
            let reason = (!test.nobody_leaves()).then(|| {
                format!(
                    "some customers leave, which {served} does not model: for customers without a recent purchase the expected purchases are too high"
                )
            });
            let metric = format!("likelihood ratio of {requested} over {served}");
            self.flag(
                &metric,
                ratio,
                Threshold::at_most(DropoutTest::LIMIT),
                reason,
            );
        }
        match &fallback.served {
            Served::Model(PurchaseFit::Btyd(_) | PurchaseFit::SharedDropout(_)) => {}
            Served::Model(PurchaseFit::Nbd(_)) => {
                self.not_computed("alive_probability", "nbd assumes that nobody leaves");
            }
            Served::Heuristic(_) => {
                let meaning = "the heuristic is a rate and not a model: it gives no probability, no interval and no lifetime value";
                self.not_computed("alive_probability", meaning);
                self.stands_in((requested, served), meaning, &reason);
            }
            Served::Nothing => {
                self.not_computed(WHOLE, "no customer has bought again");
            }
        }
    }

    /// Flags what serves although it is not the model that the pipeline asks for and does less: `meaning` says what it is.
    pub(super) fn stands_in(
        &mut self,
        (requested, served): (&str, &str),
        meaning: &str,
        why: &str,
    ) {
        let reason = format!("{served} is used instead of {requested}: {meaning}; {why}");
        self.scored.quality.push(Quality {
            segment: String::new(),
            criterion: "assumption",
            metric: format!("{served} instead of {requested}"),
            value: None,
            threshold: None,
            status: QualityStatus::Flagged,
            reason: Some(reason),
        });
    }

    /// Flags a fit on few customers.
    pub(super) fn repeat_customers(&mut self, customers: f64) {
        if (1.0..FEW_REPEAT_CUSTOMERS).contains(&customers) {
            let reason = format!(
                "{customers} customers have bought again: too few to trust a model of purchases; use a longer history"
            );
            let metric = "customers with a repeat purchase";
            self.flag(
                metric,
                customers,
                Threshold::at_least(FEW_REPEAT_CUSTOMERS),
                Some(reason),
            );
        }
    }

    pub(super) fn purchases(&mut self, fit: &PurchaseFit) {
        let model = fit.name();
        for (name, value, error) in fit.parameters() {
            let rows = Parameter::estimate(model, name, value, error);
            self.scored.parameters.extend(rows);
        }
        self.number(model, "log_likelihood", fit.log_likelihood());
        self.number(model, "customers", fit.customers());
        self.number(model, "distinct_histories", fit.distinct_histories() as f64);
        self.number(model, "gradient_norm", fit.gradient_norm());
        let unit = Parameter::text(model, "time_unit", fit.unit().name());
        self.scored.parameters.push(unit);
        self.shared_dropout("", fit);
    }

    /// Flags a fit in which all customers share one dropout probability. `of` is put before the metric.
    fn shared_dropout(&mut self, of: &str, fit: &PurchaseFit) {
        let PurchaseFit::SharedDropout(shared) = fit else {
            return;
        };
        let (model, [_, _, p]) = (fit.name(), shared.parameters);
        self.scored.quality.push(Quality {
            segment: String::new(),
            criterion: "assumption",
            metric: format!("{of}{model} with one dropout probability for all"),
            value: Some(p),
            threshold: None,
            status: QualityStatus::Flagged,
            reason: Some(format!(
                "the likelihood of {model} is highest where all customers share one dropout probability, {p:.4} after a purchase: the data shows no difference between customers in how they leave, so a and b are not identified and p is published instead"
            )),
        });
    }
}

/// The purchases of each of these buyers in each part of the holdout.
fn held_out(
    given: &Given<'_>,
    before: &Buyers,
    parts: usize,
) -> Result<Vec<Vec<f64>>, NotComputed> {
    let part = |number: usize| {
        let name = hidden_name(given.name, &format!("held_out_{number}"));
        let all = floats(given.table, &name)?;
        Ok(before.rows.iter().map(|&row| all[row]).collect())
    };
    (0..parts).map(part).collect()
}

/// The predictions for the holdout of models fitted on the data before it, compared with outcomes and the naive rate.
pub(super) fn backtest(
    score: &ClvScore,
    given: &Given<'_>,
    (fits, in_use): (&[PurchaseFit], Option<(&PurchaseFit, NaiveDate)>),
    evidence: &mut Evidence<'_>,
) -> Result<Option<Comparison>, NotComputed> {
    let before = Buyers::at(given, "_before", holdout(score))?;
    let windows = checkpoints(score);
    let held_out = held_out(given, &before, windows.len())?;
    let actual: Vec<f64> = (0..before.rows.len())
        .map(|place| held_out.iter().map(|part| part[place]).sum())
        .collect();
    let unit = unit(score);
    let horizon = f64::from(holdout(score)) / unit.days();
    let history = match before.history(unit) {
        Ok(history) if !history.is_empty() => history,
        _ => {
            evidence.not_computed(BACKTEST, "nobody had bought before the holdout");
            return Ok(None);
        }
    };
    let mut comparison = None;
    let mut judged = BTreeSet::new();
    if let Some(fit) = fits
        .first()
        .filter(|fit| !matches!(fit, PurchaseFit::Nbd(_)))
    {
        // The published fit, applied to the day before the holdout. Its training data includes the holdout.
        let alive = forecast_of(fit, &history, 1.0, |forecast| forecast.p_alive.value)?;
        let groups = groups_by_silence(&before.silent_days(), &alive, &actual);
        evidence.alive(fit.name(), &groups, holdout(score));
    }
    for (rank, fit) in fits.iter().enumerate() {
        let Some(earlier) = earlier_fit(fit.model(), rank == 0, &history, given, evidence) else {
            continue;
        };
        let model = earlier.name();
        if !judged.insert(model) {
            continue;
        }
        let predicted = purchases_within(&earlier, &history, horizon)?;
        let result = Backtest::new(&before.x, &predicted, &actual)?;
        let errors = (rank == 0).then(|| errors_of(&earlier, &history, horizon, given));
        let errors = errors.transpose()?;
        evidence.judged(model, &result, errors.as_ref());
        if let Some(errors) = errors {
            let silent = forecast_of(&earlier, &history, horizon, |f| f.p_no_purchase.value)?;
            let happened: Vec<bool> = actual.iter().map(|bought| *bought == 0.0).collect();
            if let Some((in_use, fitted_on)) = in_use {
                let before = forecast_of(in_use, &history, horizon, |f| f.p_no_purchase.value)?;
                let begin = epoch_day(given.as_of) - holdout(score) as i32;
                comparison = Comparison::of_probabilities(
                    "log loss of no purchase in the holdout",
                    (&silent, &before),
                    &happened,
                    epoch_day(fitted_on) > begin,
                );
            }
            evidence.calibrated(&silent, &errors, &happened);
        }
        let mut happened = 0.0;
        for (window, part) in windows.iter().zip(&held_out) {
            happened += part.iter().sum::<f64>();
            let days = holdout(score) - window.offset_days;
            let expected = purchases_within(&earlier, &history, f64::from(days) / unit.days())?;
            evidence.tracking(model, days, [happened, expected.iter().sum()]);
        }
    }
    let result = Backtest::new(&before.x, &naive(&before, unit, horizon), &actual)?;
    evidence.judged("naive_rate", &result, None);
    evidence.scored.quality.extend(untested(score));
    Ok(comparison)
}

/// How much of the horizon the holdout covers, where that is not all of it.
fn untested(score: &ClvScore) -> Option<Quality> {
    let (tested, predicted) = (holdout(score), score.horizon_days);
    (tested < predicted).then(|| Quality {
        segment: String::new(),
        criterion: "calibrated",
        metric: "share of the horizon that the holdout tests".to_owned(),
        value: Some(f64::from(tested) / f64::from(predicted)),
        threshold: None,
        status: QualityStatus::Ok,
        reason: Some(format!(
            "{tested} of the {predicted} days that are predicted are tested; with twice as much history, a longer `holdout` tests more"
        )),
    })
}

/// The purchases of each buyer within a horizon by its rate so far.
fn naive(before: &Buyers, unit: tessera_model::btyd::TimeUnit, horizon: f64) -> Vec<f64> {
    let tenure = before.tenure_days.iter().map(|days| days / unit.days());
    let purchases = before.x.iter().zip(tenure);
    purchases
        .map(|(&x, tenure)| naive_purchases(x, tenure, horizon))
        .collect()
}

/// The model fitted on the data before the holdout; for the model that is used, a fallback model where it cannot be fitted.
fn earlier_fit(
    model: PurchaseModel,
    serves: bool,
    history: &PurchaseHistory,
    given: &Given<'_>,
    evidence: &mut Evidence<'_>,
) -> Option<PurchaseFit> {
    if !serves {
        // The model that is used is tested without it.
        let metric = format!("comparison with {} in the backtest", model.name());
        let fit = model.fit(history, given.interrupt);
        return fit
            .map_err(|error| evidence.not_computed(&metric, &error.to_string()))
            .ok();
    }
    let missed = |model: &str| format!("{BACKTEST} of {model}");
    let late = |why: &str| format!("not tested: on what was known before the holdout, {why}");
    let fallback = match Fallback::fit(model, history, given.interrupt) {
        Ok(fallback) => fallback,
        Err(error) => {
            evidence.not_computed(&missed(model.name()), &late(&error.to_string()));
            return None;
        }
    };
    for failed in &fallback.failed {
        evidence.not_computed(&missed(&failed.model), &late(&failed.reason));
    }
    if let Some(first) = fallback.failed.first() {
        tracing::warn!(
            score = given.name,
            "backtest of score `{}`: on what was known before the holdout, {} was not fitted, {} is judged instead: {}",
            given.name,
            first.model,
            fallback
                .name()
                .filter(|name| *name != RateHeuristic::NAME)
                .unwrap_or("nothing"),
            first.reason
        );
    }
    match fallback.served {
        Served::Model(fit) => {
            evidence.shared_dropout("backtest of ", &fit);
            Some(fit)
        }
        Served::Heuristic(_) | Served::Nothing => None,
    }
}

/// What the errors of the parameters do to all predictions of a model within `horizon` units.
fn errors_of(
    fit: &PurchaseFit,
    history: &PurchaseHistory,
    horizon: f64,
    given: &Given<'_>,
) -> Result<SharedErrors, NotComputed> {
    let plan = ForecastPlan {
        horizon,
        discount_per_year: 0.0,
        draws: ForecastPlan::MIN_DRAWS,
        seed: given.prepared.pipeline.seed,
    };
    let forecaster = Forecaster::new(fit, plan)?.watching(given.interrupt);
    Ok(forecaster.scorer(history).shared_errors())
}

/// A number of the forecast of every customer of `history` within `horizon` units.
fn forecast_of(
    fit: &PurchaseFit,
    history: &PurchaseHistory,
    horizon: f64,
    number: fn(&Forecast) -> f64,
) -> Result<Vec<f64>, NotComputed> {
    let plan = ForecastPlan {
        horizon,
        discount_per_year: 0.0,
        draws: 0,
        seed: 0,
    };
    let forecasts = Forecaster::new(fit, plan)?.forecast(history);
    let value = |&row: &u32| number(&forecasts[row as usize]);
    Ok(history.row_of().iter().map(value).collect())
}

/// Deciles of the prediction as bins of `calibration`: the lowest predictions first, merged so that each bin has at least 200
/// customers where there are that many.
fn lowest_first(model: &str, tenths: &[CalibrationBin]) -> Vec<CalibrationRow> {
    // Customers, sums of predicted and actual.
    let mut joined: Vec<[f64; 3]> = Vec::new();
    for tenth in tenths.iter().rev() {
        let n = tenth.customers;
        let more = [n, tenth.predicted * n, tenth.actual * n];
        match joined.last_mut() {
            Some(last) if last[0].min(n) < LEAST_IN_BIN => {
                last.iter_mut()
                    .zip(more)
                    .for_each(|(sum, more)| *sum += more);
            }
            _ => joined.push(more),
        }
    }
    let total = joined
        .iter()
        .fold([0.0; 2], |[n, a], bin| [n + bin[0], a + bin[2]]);
    let base = total[1] / total[0];
    let mut before = 0.0;
    let rows = joined
        .into_iter()
        .zip(1..)
        .map(|([n, predicted, actual], bin)| {
            // Customers may be fractional where a boundary falls among equal predictions; rounding keeps their sum.
            let customers = (before + n).round() - f64::round(before);
            before += n;
            CalibrationRow {
                model: model.to_owned(),
                bin,
                predicted: predicted / n,
                observed: actual / n,
                customers: customers as i64,
                lift: (base > 0.0).then(|| actual / n / base),
            }
        });
    rows.collect()
}

/// Expected purchases of every customer of `history` within `horizon` units.
fn purchases_within(
    fit: &PurchaseFit,
    history: &PurchaseHistory,
    horizon: f64,
) -> Result<Vec<f64>, NotComputed> {
    forecast_of(fit, history, horizon, |forecast| forecast.purchases.value)
}

impl Evidence<'_> {
    /// P(alive) compared with who bought in the holdout, by the time since the last purchase before it.
    fn alive(&mut self, model: &str, groups: &[SilenceGroup], holdout_days: u32) {
        for (number, group) in (1..).zip(groups) {
            let name = format!("backtest_silence_{number}");
            self.number(model, format!("{name}_from_days"), group.from_days);
            self.number(model, format!("{name}_customers"), group.customers as f64);
            self.number(model, format!("{name}_alive"), group.alive);
            self.number(model, format!("{name}_bought"), group.bought);
        }
        let (Some(first), Some(last)) = (groups.first(), groups.last()) else {
            return;
        };
        if groups.len() < 2 || groups.iter().any(|group| group.customers < LEAST_OF_GROUP) {
            return;
        }
        let is_sure = last.alive > SURELY_ALIVE;
        let doubtful = is_sure && last.bought < BUYS_MUCH_LESS * first.bought;
        let reason = || {
            format!(
                "of the customers without a purchase for {} days or more the model predicts that {:.1}% are alive, but only {:.1}% bought \
                in the next {holdout_days} days, compared with {:.1}% of the most recent buyers: the model does not detect who has left, \
                so their expected purchases and value are too high",
                last.from_days,
                100.0 * last.alive,
                100.0 * last.bought,
                100.0 * first.bought
            )
        };
        self.flag(
            "probability of being alive of those silent longest",
            last.alive,
            // Those who buy like the others may be as sure to be alive.
            (doubtful || !is_sure).then_some(Threshold::at_most(SURELY_ALIVE)),
            doubtful.then(reason),
        );
    }

    /// How the probabilities of no purchase in the holdout are calibrated.
    fn calibrated(&mut self, silent: &[f64], errors: &SharedErrors, happened: &[bool]) {
        let estimates = Estimates {
            probabilities: silent,
            kept_apart: silent,
            error: errors.p_no_purchase,
            shared: &errors.shared,
        };
        let found = Calibrated::of_estimates(&estimates, happened);
        let rows = found.map(|found| found.quality(" of no purchase in the holdout"));
        self.scored.quality.extend(rows.into_iter().flatten());
    }

    /// Actual and predicted purchases of so many days.
    fn tracking(&mut self, model: &str, days: u32, [actual, predicted]: [f64; 2]) {
        for (what, of, value) in [
            ("actual", Sum::Actual, actual),
            ("predicted", Sum::Predicted, predicted),
        ] {
            let name = format!("tracking_week_{}_{what}", days.div_ceil(7));
            self.stating(model, name, value, Figure::Tracking(of, days));
        }
    }

    /// Rows of a model; of the one that is used, whose errors are given, the totals are judged.
    fn judged(&mut self, model: &str, result: &Backtest, errors: Option<&SharedErrors>) {
        for (metric, value) in [
            (Metric::Customers, Some(result.customers as f64)),
            (Metric::Predicted, Some(result.predicted_total)),
            (Metric::Actual, Some(result.actual_total)),
            (Metric::Tracking, result.tracking),
            (Metric::Correlation, result.correlation),
            (Metric::MeanAbsoluteError, Some(result.mean_absolute_error)),
            (
                Metric::RootMeanSquareError,
                Some(result.root_mean_square_error),
            ),
        ] {
            let name = format!("backtest_{}", metric.name());
            if let Some(value) = value {
                self.stating(model, name, value, Figure::test(metric, None));
            }
        }
        for bin in &result.by_x {
            for (metric, value) in [
                (Metric::Predicted, bin.predicted),
                (Metric::Actual, bin.actual),
            ] {
                let name = format!("backtest_x_{}_{}", bin.bin, metric.name());
                let figure = Figure::test_part(metric, TestPart::Some, None);
                self.stating(model, name, value, figure);
            }
        }
        let rows = lowest_first(model, &result.deciles);
        self.scored.calibration.extend(rows);
        if let Some(errors) = errors {
            let chance = result.chance_limit(errors.purchases);
            // Without a purchase in the holdout there is no ratio, which is flagged as well.
            let apart = (result.predicted_total - result.actual_total).abs();
            let small = (TRACKING_LIMIT * result.actual_total).max(chance);
            let off = result.tracking.is_none() || apart > small;
            self.scored.quality.push(Quality {
                segment: String::new(),
                criterion: "calibrated",
                metric: "predicted over actual purchases in the holdout".to_owned(),
                value: result.tracking,
                threshold: Some(Threshold::about(1.0)),
                status: if off { QualityStatus::Flagged } else { QualityStatus::Ok },
                reason: off.then(|| {
                    format!(
                        "{:.0} purchases were predicted and {:.0} made: they differ by more than a tenth, and by more than the {chance:.0} that \
                         chance explains; buying may be seasonal, or the holdout too short",
                        result.predicted_total,
                        result.actual_total
                    )
                }),
            });
        }
    }
}
