//! What was fitted, and how it did: rows of `models`, `calibration` and `quality`.

use std::collections::BTreeSet;

use tessera_model::btyd::{
    Backtest, BtydFit, BtydModel, ForecastPlan, Forecaster, Ladder, PurchaseHistory, Served,
    naive_purchases,
};
use tessera_model::spend::{SpendFit, SpendHistory};
use tessera_segments::{Parameter, Quality, QualityStatus};
use tessera_spec::pipeline::ClvScore;

use super::buyers::Buyers;
use super::{checkpoints, holdout, unit};
use crate::scores::columns::floats;
use crate::scores::{CalibrationRow, Given, NotComputed, Scored, hidden_name, not_computed};

/// Correlation of frequency and spend above which Gamma-Gamma's assumption is doubtful.
const CORRELATION_LIMIT: f64 = 0.3;

/// Predicted over actual purchases in the holdout: further from 1 is flagged.
const TRACKING_LIMIT: f64 = 0.1;

/// Writes what was fitted into the rows of the published tables.
pub(super) struct Evidence<'s> {
    scored: &'s mut Scored,
}

impl<'s> Evidence<'s> {
    pub(super) fn new(scored: &'s mut Scored) -> Self {
        Self { scored }
    }

    pub(super) fn number(&mut self, model: &str, name: impl Into<String>, value: f64) {
        let parameter = Parameter::number(model, name, value);
        self.scored.parameters.push(parameter);
    }

    pub(super) fn text(&mut self, model: &str, name: &str, text: &str) {
        let parameter = Parameter::text(model, name.to_owned(), text.to_owned());
        self.scored.parameters.push(parameter);
    }

    pub(super) fn not_computed(&mut self, metric: &str, reason: &str) {
        let row = not_computed(metric, reason);
        self.scored.quality.push(row);
    }

    pub(super) fn ladder(&mut self, ladder: &Ladder) {
        self.text("choice", "served", ladder.rung());
        let reason = match ladder.failed.as_slice() {
            [] => "the first purchase model of the pipeline; its fit converged".to_owned(),
            failed => {
                let tried = failed.iter().map(|f| format!("{}: {}", f.rung, f.reason));
                tried.collect::<Vec<_>>().join("; ")
            }
        };
        self.text("choice", "reason", &reason);
        for failed in &ladder.failed {
            self.not_computed(&failed.rung, &failed.reason);
        }
    }

    pub(super) fn purchases(&mut self, fit: &BtydFit) {
        let model = fit.model.name();
        let names = fit.model.parameter_names();
        for ((name, value), error) in names.iter().zip(fit.parameters).zip(fit.standard_errors) {
            self.number(model, *name, value);
            self.number(model, format!("{name}_standard_error"), error);
        }
        self.number(model, "log_likelihood", fit.log_likelihood);
        self.number(model, "customers", fit.customers);
        self.number(model, "distinct_histories", fit.distinct_histories as f64);
        self.number(model, "gradient_norm", fit.gradient_norm);
        self.text(model, "time_unit", fit.unit.name());
    }
}

/// The spend model, where one is asked for and the data carries it.
pub(super) fn spend(
    score: &ClvScore,
    buyers: &Buyers,
    evidence: &mut Evidence<'_>,
) -> Option<SpendFit> {
    if !score.spend {
        return None;
    }
    let fitted = SpendHistory::from_columns(&buyers.x, &buyers.mean_spend, None)
        .and_then(|history| Ok((SpendFit::fit(&history)?, history)));
    let (fit, history) = match fitted {
        Ok(fitted) => fitted,
        Err(error) => {
            evidence.not_computed("gamma_gamma", &error.to_string());
            return None;
        }
    };
    match &fit {
        SpendFit::GammaGamma(gamma) => {
            let named = [("p", gamma.p), ("q", gamma.q), ("gamma", gamma.v)];
            for ((name, value), error) in named.into_iter().zip(gamma.standard_errors) {
                evidence.number("gamma_gamma", name, value);
                evidence.number("gamma_gamma", format!("{name}_standard_error"), error);
            }
            evidence.number("gamma_gamma", "log_likelihood", gamma.log_likelihood);
            evidence.number("gamma_gamma", "customers", gamma.customers);
            evidence.number("gamma_gamma", "gradient_norm", gamma.gradient_norm);
            evidence.number("gamma_gamma", "population_mean", gamma.population_mean());
        }
        SpendFit::CredibilityMean { fit, reason } => {
            evidence.not_computed("gamma_gamma", reason);
            evidence.number("credibility_mean", "mean", fit.mean);
            evidence.number("credibility_mean", "kappa", fit.kappa);
            evidence.number("credibility_mean", "customers", fit.customers);
        }
    }
    if let Some(correlation) = history.correlation() {
        evidence.number(fit.name(), "correlation", correlation);
        let strong = correlation.abs() > CORRELATION_LIMIT;
        evidence.scored.quality.push(Quality {
            segment: String::new(),
            criterion: "assumption",
            metric: "correlation of frequency and spend".to_owned(),
            value: Some(correlation),
            threshold: Some(CORRELATION_LIMIT),
            status: if strong {
                QualityStatus::Flagged
            } else {
                QualityStatus::Ok
            },
            reason: strong
                .then(|| "the spend model takes frequency and spend to be independent".to_owned()),
        });
    }
    Some(fit)
}

/// What models fitted on what was known before the holdout say of it, beside what happened and the naive rate.
pub(super) fn backtest(
    score: &ClvScore,
    given: &Given<'_>,
    fits: &[BtydFit],
    evidence: &mut Evidence<'_>,
) -> Result<(), NotComputed> {
    let before = Buyers::at(given, "_before", holdout(score))?;
    let windows = checkpoints(score);
    let held_out = windows
        .iter()
        .enumerate()
        .map(|(number, _)| {
            let name = hidden_name(given.name, &format!("held_out_{number}"));
            let all = floats(given.table, &name)?;
            Ok(before
                .rows
                .iter()
                .map(|&row| all[row])
                .collect::<Vec<f64>>())
        })
        .collect::<Result<Vec<_>, NotComputed>>()?;
    let actual: Vec<f64> = (0..before.rows.len())
        .map(|place| held_out.iter().map(|part| part[place]).sum())
        .collect();
    let unit = unit(score);
    let horizon = f64::from(holdout(score)) / unit.days();
    let history = match before.history(unit) {
        Ok(history) if !history.is_empty() => history,
        _ => {
            evidence.not_computed("backtest", "nobody had bought before the holdout");
            return Ok(());
        }
    };
    let mut judged = BTreeSet::new();
    for (rank, fit) in fits.iter().enumerate() {
        let Some(earlier) = earlier_fit(fit.model, rank == 0, &history, evidence) else {
            continue;
        };
        let model = earlier.model.name();
        if !judged.insert(model) {
            continue;
        }
        let predicted = purchases_within(&earlier, &history, horizon)?;
        let result = Backtest::new(&before.x, &predicted, &actual)?;
        evidence.judged(model, &result, rank == 0);
        let mut sum = 0.0;
        for (window, part) in windows.iter().zip(&held_out) {
            sum += part.iter().sum::<f64>();
            let days = holdout(score) - window.offset_days;
            let ahead = f64::from(days) / unit.days();
            let total: f64 = purchases_within(&earlier, &history, ahead)?.iter().sum();
            let week = days.div_ceil(7);
            evidence.number(model, format!("tracking_week_{week}_actual"), sum);
            evidence.number(model, format!("tracking_week_{week}_predicted"), total);
        }
    }
    let tenure = before.tenure_days.iter().map(|days| days / unit.days());
    let naive: Vec<f64> = before
        .x
        .iter()
        .zip(tenure)
        .map(|(&x, tenure)| naive_purchases(x, tenure, horizon))
        .collect();
    let result = Backtest::new(&before.x, &naive, &actual)?;
    evidence.judged("naive_rate", &result, false);
    Ok(())
}

/// The model fitted on what was known before the holdout; for the one that serves, the next rung where it cannot be fitted.
fn earlier_fit(
    model: BtydModel,
    serves: bool,
    history: &PurchaseHistory,
    evidence: &mut Evidence<'_>,
) -> Option<BtydFit> {
    let missed = |model: &str| format!("backtest of {model}");
    if !serves {
        let fit = BtydFit::fit(model, history);
        return fit
            .map_err(|error| evidence.not_computed(&missed(model.name()), &error.to_string()))
            .ok();
    }
    match Ladder::fit(model, history) {
        Ok(ladder) => {
            for failed in &ladder.failed {
                evidence.not_computed(&missed(&failed.rung), &failed.reason);
            }
            match ladder.served {
                Served::Model(fit) => Some(fit),
                Served::Heuristic(_) => None,
            }
        }
        Err(error) => {
            evidence.not_computed(&missed(model.name()), &error.to_string());
            None
        }
    }
}

/// Expected purchases of every customer of `history` within `horizon` units.
fn purchases_within(
    fit: &BtydFit,
    history: &PurchaseHistory,
    horizon: f64,
) -> Result<Vec<f64>, NotComputed> {
    let plan = ForecastPlan {
        horizon,
        discount_per_year: 0.0,
        draws: 0,
        seed: 0,
    };
    let forecasts = Forecaster::new(fit, plan)?.forecast(history);
    let value = |&row: &u32| forecasts[row as usize].purchases.value;
    Ok(history.row_of().iter().map(value).collect())
}

impl Evidence<'_> {
    fn judged(&mut self, model: &str, result: &Backtest, serves: bool) {
        self.number(model, "backtest_customers", result.customers as f64);
        self.number(model, "backtest_predicted", result.predicted_total);
        self.number(model, "backtest_actual", result.actual_total);
        if let Some(tracking) = result.tracking {
            self.number(model, "backtest_tracking", tracking);
        }
        if let Some(correlation) = result.correlation {
            self.number(model, "backtest_correlation", correlation);
        }
        self.number(model, "backtest_mae", result.mean_absolute_error);
        self.number(model, "backtest_rmse", result.root_mean_square_error);
        for bin in &result.by_x {
            let name = format!("backtest_x_{}", bin.bin);
            self.number(model, format!("{name}_predicted"), bin.predicted);
            self.number(model, format!("{name}_actual"), bin.actual);
        }
        for decile in &result.deciles {
            self.scored.calibration.push(CalibrationRow {
                model: model.to_owned(),
                bin: i64::from(decile.bin),
                predicted: decile.predicted,
                observed: decile.actual,
                customers: decile.customers.round() as i64,
                lift: decile.lift,
            });
        }
        if serves {
            // Without a purchase in the holdout there is no ratio: that is off as well.
            let off = result
                .tracking
                .is_none_or(|tracking| (tracking - 1.0).abs() > TRACKING_LIMIT);
            self.scored.quality.push(Quality {
                segment: String::new(),
                criterion: "calibrated",
                metric: "predicted over actual purchases in the holdout".to_owned(),
                value: result.tracking,
                threshold: Some(1.0 + TRACKING_LIMIT),
                status: if off { QualityStatus::Flagged } else { QualityStatus::Ok },
                reason: off.then(|| {
                    "predicted and actual purchases differ by more than a tenth; buying may be seasonal, or the holdout too short"
                        .to_owned()
                }),
            });
        }
    }
}
