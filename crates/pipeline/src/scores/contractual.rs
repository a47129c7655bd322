//! `kind = "contractual"`: contracts whose end is observed; who renews, and for how long.
//!
//! Ages are counted in whole renewal periods.

mod period;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use chrono::NaiveDate;
use tessera_expr::rel::Agg;
use tessera_model::contractual::{
    Lifetime, RenewalFit, RenewalHistory, RenewalModel, SurvivalCurve,
};
use tessera_model::special::Z_95;
use tessera_segments::{Fit, Parameter};
use tessera_spec::ScoreSyntax;
use tessera_spec::pipeline::{At, Base, Refit, RenewalPeriod, Role, Wanted};

use super::calibrated::{Calibrated, Estimates};
use super::columns::floats;
use super::kind::{Kind, model};
use super::learned::{Comparison, Fitted, InUse, LearnedScore};
use super::lifetimes::{self, Life, lives};
use super::{Asked, BACKTEST, Given, NotComputed, ScoreModel, Scored, WHOLE, not_computed};
use settings::{ContractualScore, RenewalKind};

/// Number of periods whose survival is published, by the model and by Kaplan and Meier.
const PUBLISHED_PERIODS: u32 = 12;

pub(super) static KIND: Kind = Kind {
    syntax: ScoreSyntax {
        name: settings::NAME,
        summary: "Renewal of contracts: survival and remaining lifetime.",
        keys: settings::KEYS,
        refit: Refit::Months(1),
        read: settings::read,
    },
    reads: "intervals",
    example: r#"[scores.renewal]
kind = "contractual"
from = "contracts"
models = ["bdw", "sbg"]      # the first one is used; this is the default
period = "1mo"               # one renewal period: 1mo, 1y, 30d, …; 1mo by default
horizon = "365d"
discount_per_year = 0.1      # 0.1 by default; only with value
value = "monthly_fee"        # feature with the money of one period; without it only time is predicted
"#,
    docs: "A lifetime runs from the first day of a customer's first interval to the end of its last; gaps between intervals count as \
           part of it. Ages are counted in whole renewal periods: months and years end on the \
           day of the month on which the contract began, or on the last of a shorter month. It is not used where in its current period a contract stands. \
           Customers whose contracts have ended have no values.\n\n\
           `…_remaining_days` is the area under the survival of a contract of that age over the horizon, in days. \
           `…_residual_value` counts the money of one period at each renewal within the horizon; of the period that the horizon cuts, \
           its share counts.\n\n\
           Where customers do not differ in their risk, neither model has an estimate. One rate for all (`one_rate` in `models`) is \
           used then: those who left, divided by the renewals that all decided on. It is not used where likelihood ratios \
           speak against it, at 5% for differing risks, at 0.1% for a risk that rises or falls with age; the score has no values then.\n\n\
           The model is fitted again on what was known one horizon ago and compared with who of the customers with a contract at \
           that date still has one (`calibrated` in `quality`). `models` has the first twelve periods of each model beside the curve \
           of Kaplan and Meier.\n",
    files: &[
        "crates/model/src/contractual",
        "crates/pipeline/src/scores/contractual",
        "crates/pipeline/src/scores/lifetimes.rs",
    ],
    criteria: &["assumption", "calibrated"],
    model: model::<ContractualScore>,
    restore: Fit::restored::<RenewalFit>,
};

impl ScoreModel for ContractualScore {
    fn base(&self) -> Base {
        Base::Lifecycle
    }

    fn inputs(&self) -> Vec<(&At<String>, Wanted)> {
        let value = self.value.iter();
        let money = |feature| (feature, Wanted::Role(Role::Money));
        value.map(money).collect()
    }

    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let aggs = lifetimes::hidden(asked, &self.from.value);
        vec![(self.from.value.clone(), aggs)]
    }

    fn fit(&self, given: &Given<'_>, in_use: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        let contracts = contracts(given, self.period)?;
        let mut history = RenewalHistory::new();
        for contract in contracts.iter().flatten() {
            history.add(contract.periods, !contract.current, 1.0)?;
        }
        let mut scored = Scored::default();
        let mut served: Option<RenewalFit> = None;
        for kind in &self.models {
            let model = match kind.value {
                RenewalKind::Sbg => RenewalModel::Sbg,
                RenewalKind::Bdw => RenewalModel::Bdw,
            };
            match RenewalFit::fit(model, &history) {
                Ok(fit) => {
                    publish(&fit, &mut scored);
                    served.get_or_insert(fit);
                }
                Err(error) => scored.quality.push(not_computed(model.name(), error)),
            }
        }
        if served.is_none()
            && let Ok(fit) = RenewalFit::of_one_rate(&history)
        {
            publish(&fit, &mut scored);
            served = Some(fit);
        }
        kaplan_meier(&contracts, &mut scored);
        scored
            .quality
            .extend(period::quality(self.period, &lives(given)?));
        let mut comparison = None;
        match &served {
            Some(fit) => {
                scored.parameters.extend(self.choice(fit));
                match backtest(self, fit.model, given)? {
                    Ok(test) => {
                        comparison = in_use.and_then(|in_use| test.against(in_use));
                        scored
                            .quality
                            .extend(test.calibrated.quality(" of renewal"));
                    }
                    Err(why) => scored.quality.push(not_computed(BACKTEST, why)),
                }
            }
            None => {
                let why = "no renewal model could be fitted";
                scored.quality.push(not_computed(WHOLE, why));
            }
        }
        Ok(Fitted {
            learned: LearnedScore {
                model: served.map_or_else(Fit::default, |fit| Fit::new(settings::NAME, fit)),
                findings: scored.into(),
            },
            backtest: None,
            comparison,
        })
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let Some(fit) = learned.model.get() else {
            return Ok(Scored::default());
        };
        let contracts = contracts(given, self.period)?;
        Ok(Scored {
            columns: self.columns_of(fit, &contracts, given)?,
            ..Scored::default()
        })
    }
}

/// A customer's contract.
struct Contract {
    /// Current: whole periods so far. Ended: the period at whose end the customer left, from 1.
    periods: u32,
    current: bool,
}

fn contracts(
    given: &Given<'_>,
    period: RenewalPeriod,
) -> Result<Vec<Option<Contract>>, NotComputed> {
    let today = crate::sources::epoch_day(given.as_of);
    let contract = |life: Option<Life>| {
        let life = life?;
        let current = life.end.is_none();
        Some(Contract {
            periods: match life.end {
                Some(end) => ended(period, life.first, end),
                None => whole(period, life.first, today),
            },
            current,
        })
    };
    Ok(lives(given)?.into_iter().map(contract).collect())
}

/// A day since 1970-01-01 in the calendar.
fn date(day: i32) -> NaiveDate {
    NaiveDate::from_epoch_days(day).unwrap_or_default()
}

/// The period at whose end a customer left, from 1.
fn ended(period: RenewalPeriod, first: i32, end: i32) -> u32 {
    let [first, end] = [first, end].map(date);
    period.begun(first, end).max(1)
}

/// Whole periods until a day.
fn whole(period: RenewalPeriod, first: i32, until: i32) -> u32 {
    let [first, until] = [first, until].map(date);
    period.whole(first, until)
}

/// Least number of customers with a contract at the earlier date of a backtest.
const LEAST_TESTED: usize = 50;

/// Fits the model on the data a horizon earlier and compares it with which customers with a contract at that date still have
/// one now; or the reason why there is no backtest. Gaps between intervals count as part of a contract, as everywhere here.
fn backtest(
    score: &ContractualScore,
    model: RenewalModel,
    given: &Given<'_>,
) -> Result<Result<RenewalTest, String>, NotComputed> {
    let today = crate::sources::epoch_day(given.as_of);
    let then = today - score.horizon_days as i32;
    let lives = lives(given)?;
    let period = score.period;
    let mut history = RenewalHistory::new();
    let (mut ages, mut stayed) = (Vec::new(), Vec::new());
    for life in lives.iter().flatten().filter(|life| life.first <= then) {
        let left = life.end.filter(|end| *end <= then);
        if let Some(end) = left {
            history.add(ended(period, life.first, end), true, 1.0)?;
        } else {
            let age = whole(period, life.first, then);
            history.add(age, false, 1.0)?;
            ages.push(f64::from(age));
            stayed.push(life.end.is_none());
        }
    }
    if ages.len() < LEAST_TESTED {
        return Ok(Err(format!(
            "{} customers had a contract {} days ago, but {LEAST_TESTED} are needed to compare the model with what happened since; use a longer history, or shorten the horizon",
            ages.len(),
            score.horizon_days
        )));
    }
    let fitted = RenewalFit::fit(model, &history);
    let fitted = fitted.or_else(|why| RenewalFit::of_one_rate(&history).map_err(|_| why));
    let fit = match fitted {
        Ok(fit) => fit,
        Err(error) => return Ok(Err(format!("on the data known then: {error}"))),
    };
    let ahead = f64::from(score.horizon_days) / period.mean_days();
    let predicted = survivals(&fit, &ages, ahead);
    let error = error_of(&fit, &ages, ahead, given.prepared.pipeline.seed);
    let estimates = Estimates {
        probabilities: &predicted,
        kept_apart: &predicted,
        error,
        shared: &[],
    };
    Ok(match Calibrated::of_estimates(&estimates, &stayed) {
        Some(calibrated) => Ok(RenewalTest {
            calibrated,
            then,
            ages,
            ahead,
            predicted,
            stayed,
        }),
        None => Err("a prediction is not a number".to_owned()),
    })
}

/// What was predicted of those with a contract at the earlier date, and who still had one.
struct RenewalTest {
    calibrated: Calibrated,
    /// The earlier date, in days since 1970-01-01.
    then: i32,
    /// Whole periods at that date.
    ages: Vec<f64>,
    /// Periods since.
    ahead: f64,
    predicted: Vec<f64>,
    stayed: Vec<bool>,
}

impl RenewalTest {
    /// The tested model and the one in use on the same contracts.
    fn against(&self, in_use: InUse<'_>) -> Option<Comparison> {
        let before = survivals(in_use.learned.model.get()?, &self.ages, self.ahead);
        let seen = crate::sources::epoch_day(in_use.fitted_on) > self.then;
        let predicted = (self.predicted.as_slice(), before.as_slice());
        Comparison::of_probabilities("log loss of renewal", predicted, &self.stayed, seen)
    }
}

/// Draws of the parameters behind the standard error of a prediction.
const DRAWS: usize = 200;

/// The mean standard error of predictions, by the error of the model's parameters.
fn error_of(fit: &RenewalFit, ages: &[f64], ahead: f64, seed: u64) -> f64 {
    const WIDTH: f64 = 2.0 * Z_95;
    let mut by_age: BTreeMap<u32, f64> = BTreeMap::new();
    let errors = ages.iter().map(|&age| {
        *by_age.entry(age as u32).or_insert_with(|| {
            let estimate = fit.conditional_survival_estimate(age, ahead, DRAWS, seed);
            (estimate.high_95 - estimate.low_95) / WIDTH
        })
    });
    errors.sum::<f64>() / ages.len() as f64
}

fn survivals(fit: &RenewalFit, ages: &[f64], ahead: f64) -> Vec<f64> {
    let ages = ages.iter();
    ages.map(|&age| fit.conditional_survival(age, ahead))
        .collect()
}

fn publish(fit: &RenewalFit, scored: &mut Scored) {
    let model = fit.model.name();
    let rows = &mut scored.parameters;
    for ((name, value), error) in fit
        .model
        .parameter_names()
        .iter()
        .zip(&fit.parameters)
        .zip(&fit.standard_errors)
    {
        rows.extend(Parameter::estimate(model, name, *value, *error));
    }
    rows.push(Parameter::number(
        model,
        "log_likelihood",
        fit.log_likelihood,
    ));
    rows.push(Parameter::number(model, "customers", fit.customers));
    rows.push(Parameter::number(model, "gradient_norm", fit.gradient_norm));
    for period in 1..=PUBLISHED_PERIODS {
        let name = format!("survival_{period}");
        rows.push(Parameter::number(
            model,
            name,
            fit.survival(f64::from(period)),
        ));
    }
}

/// The estimate without a model, for comparison with the models.
fn kaplan_meier(contracts: &[Option<Contract>], scored: &mut Scored) {
    const MODEL: &str = "kaplan_meier";
    let lifetimes: Vec<Lifetime> = contracts
        .iter()
        .flatten()
        .map(|contract| Lifetime {
            entry: 0.0,
            // Observation of less than one period counts as half of one.
            exit: f64::from(contract.periods).max(0.5),
            left: !contract.current,
            weight: 1.0,
        })
        .collect();
    match SurvivalCurve::fit(&lifetimes) {
        Ok(curve) => {
            // What nobody was followed for is not known.
            let followed = lifetimes.iter().map(|life| life.exit).fold(0.0, f64::max) as u32;
            for period in 1..=PUBLISHED_PERIODS.min(followed) {
                let survival = curve.survival(f64::from(period));
                let name = format!("survival_{period}");
                scored
                    .parameters
                    .push(Parameter::number(MODEL, name, survival));
            }
        }
        Err(error) => scored.quality.push(not_computed(MODEL, error)),
    }
}

trait Columns {
    /// Which model is used, and why.
    fn choice(&self, fit: &RenewalFit) -> [Parameter; 2];

    fn columns_of(
        &self,
        fit: &RenewalFit,
        contracts: &[Option<Contract>],
        given: &Given<'_>,
    ) -> Result<BTreeMap<String, ArrayRef>, NotComputed>;
}

impl Columns for ContractualScore {
    fn choice(&self, fit: &RenewalFit) -> [Parameter; 2] {
        let first = self.models.first().map(|model| model.value);
        let reason = match (first, fit.model) {
            (Some(RenewalKind::Sbg), RenewalModel::Sbg)
            | (Some(RenewalKind::Bdw), RenewalModel::Bdw) => {
                "the first renewal model of the pipeline; its fit converged"
            }
            (_, RenewalModel::OneRate) => {
                "no renewal model of the pipeline could be fitted; neither differing risks nor age explain more, so one rate serves for all"
            }
            _ => "the first renewal model of the pipeline could not be fitted; this one could",
        };
        Parameter::choice(fit.model.name(), reason)
    }

    /// Customers with a current contract; null for the others.
    fn columns_of(
        &self,
        fit: &RenewalFit,
        contracts: &[Option<Contract>],
        given: &Given<'_>,
    ) -> Result<BTreeMap<String, ArrayRef>, NotComputed> {
        let period = self.period.mean_days();
        let ahead = f64::from(self.horizon_days) / period;
        let per_period = (period / 365.0 * self.discount_per_year.ln_1p()).exp();
        let values = match &self.value {
            Some(value) => Some(floats(given.table, &value.value)?),
            None => None,
        };
        // Customers of the same age share their forecast.
        let mut by_age: BTreeMap<u32, [f64; 3]> = BTreeMap::new();
        for contract in contracts.iter().flatten().filter(|c| c.current) {
            by_age.entry(contract.periods).or_insert_with(|| {
                let age = f64::from(contract.periods);
                [
                    fit.conditional_survival(age, ahead),
                    fit.restricted_lifetime(age, ahead) * period,
                    fit.discounted_renewals(age, ahead, per_period),
                ]
            });
        }
        let column = |value: &dyn Fn(usize, &[f64; 3]) -> f64| -> ArrayRef {
            let values = contracts.iter().enumerate().map(|(row, contract)| {
                let contract = contract.as_ref().filter(|contract| contract.current)?;
                let forecast = by_age.get(&contract.periods)?;
                Some(value(row, forecast)).filter(|value| value.is_finite())
            });
            Arc::new(values.collect::<Float64Array>())
        };
        let name = given.name;
        let mut columns = BTreeMap::from([
            (
                format!("{name}_survival_probability"),
                column(&|_, forecast| forecast[0]),
            ),
            (
                format!("{name}_remaining_days"),
                column(&|_, forecast| forecast[1]),
            ),
        ]);
        if let Some(values) = values {
            columns.insert(
                format!("{name}_residual_value"),
                column(&|row, forecast| values[row] * forecast[2]),
            );
        }
        Ok(columns)
    }
}
