//! `kind = "contractual"`: contracts whose end is observed; who renews, and for how long.
//!
//! Where to look: `contracts` (ages by the calendar, and what is expected of a contract), `period` (when contracts end), `settings` (its
//! keys and columns).

mod contracts;
mod period;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use serde::{Deserialize, Serialize};
use tessera_expr::rel::Agg;
use tessera_model::contractual::{ContractAge, Lifetime, RenewalFit, RenewalModel, SurvivalCurve};
use tessera_model::lifetime_error::LifetimeError;
use tessera_model::special::Z_95;
use tessera_segments::{Fit, Parameter};
use tessera_spec::ScoreSyntax;
use tessera_spec::pipeline::{At, Base, Refit, Role, Wanted};

use super::calibrated::{Calibrated, Estimates};
use super::columns::floats;
use super::kind::{Kind, model};
use super::learned::{Comparison, Fitted, InUse, LearnedScore};
use super::lifetimes::{self, Life, lives};
use super::{Asked, BACKTEST, Given, NotComputed, ScoreModel, Scored, WHOLE, not_computed};
use contracts::{Clock, Ends, Expected};
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
           part of it. Ages are counted in renewal periods: months and years end on the \
           day of the month on which the contract began, or on the last of a shorter month. \
           Customers whose contracts have ended have no values.\n\n\
           Contracts that are cancelled usually end with a period, on the day after it or on its last day; some end within one. \
           `share_left_at_period_end` in `models` is the share of those who leave that does so at the end of a period, as the ended contracts \
           show; what ended contracts on any day would show by chance is taken off. It says where in its current period a contract can end: \
           where all leave at the ends of periods, a contract whose next renewal is beyond the horizon is sure to outlast it; where \
           contracts end on any day, it matters only how old they are, to the day. Of a period that has not ended, only those who left within \
           it are known.\n\n\
           `…_remaining_days` is the area under the survival of the contract over the horizon, in days. \
           `…_residual_value` counts the money of one period at each renewal of the contract within the horizon, discounted by its day.\n\n\
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
    restore: Fit::restored::<Renewals>,
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
        let lives = lives(given)?;
        let today = crate::sources::epoch_day(given.as_of);
        let clock = Clock {
            period: self.period,
            ends: period::ends(self.period, lives.iter().flatten(), today),
        };
        let history = clock.history(lives.iter().flatten(), today)?;
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
        kaplan_meier(clock, (&lives, today), &mut scored);
        scored.quality.extend(period::quality(self.period, &lives));
        let mut comparison = None;
        match &served {
            Some(fit) => {
                scored.parameters.extend(self.choice(fit));
                let seed = given.prepared.pipeline.seed;
                match backtest(self, fit.model, (&lives, today), seed)? {
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
                model: served.map_or_else(Fit::default, |fit| {
                    let ends = clock.ends;
                    Fit::new(settings::NAME, Renewals { fit, ends })
                }),
                findings: scored.into(),
            },
            backtest: None,
            comparison,
        })
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let Some(learned) = learned.model.get() else {
            return Ok(Scored::default());
        };
        Ok(Scored {
            columns: self.columns_of(learned, given)?,
            ..Scored::default()
        })
    }
}

/// A fitted model, and when the contracts end that it was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Renewals {
    fit: RenewalFit,
    ends: Ends,
}

/// Least number of customers with a contract at the earlier date of a backtest.
const LEAST_TESTED: usize = 50;

/// Fits the model on the data a horizon earlier and compares it with which customers with a contract at that date still have
/// one now; or the reason why there is no backtest. Gaps between intervals count as part of a contract, as everywhere here.
fn backtest(
    score: &ContractualScore,
    model: RenewalModel,
    (lives, today): (&[Option<Life>], i32),
    seed: u64,
) -> Result<Result<RenewalTest, String>, LifetimeError> {
    let then = today - score.horizon_days as i32;
    let clock = Clock {
        period: score.period,
        ends: period::ends(score.period, lives.iter().flatten(), then),
    };
    let history = clock.history(lives.iter().flatten(), then)?;
    let has_contract = |life: &&Life| life.first <= then && life.end.is_none_or(|end| end > then);
    let current = lives.iter().flatten().filter(has_contract);
    let (ages, stayed): (Vec<Ahead>, Vec<bool>) = current
        .map(|life| {
            let ages = [then, today].map(|day| clock.age(life.first, day));
            (ages, life.end.is_none())
        })
        .unzip();
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
    let predicted = survivals(&fit, &ages);
    let error = error_of(&fit, &ages, seed);
    // Half a customer more who left: nobody is sure to stay.
    let least = 0.5 / (fit.customers + 1.0);
    let inside = predicted.iter().map(|p| p.clamp(least, 1.0 - least));
    let kept_apart: Vec<f64> = inside.collect();
    let estimates = Estimates {
        probabilities: &predicted,
        kept_apart: &kept_apart,
        error,
        shared: &fit.errors_of_predictions(&ages, &kept_apart),
    };
    Ok(match Calibrated::of_estimates(&estimates, &stayed) {
        Some(calibrated) => Ok(RenewalTest {
            calibrated,
            then,
            ages,
            predicted,
            stayed,
        }),
        None => Err("a prediction is not a number".to_owned()),
    })
}

/// The age of a contract at an earlier date and now.
type Ahead = [ContractAge; 2];

/// What was predicted of those with a contract at the earlier date, and who still had one.
struct RenewalTest {
    calibrated: Calibrated,
    /// The earlier date, in days since 1970-01-01.
    then: i32,
    ages: Vec<Ahead>,
    predicted: Vec<f64>,
    stayed: Vec<bool>,
}

impl RenewalTest {
    /// The tested model and the one in use on the same contracts.
    fn against(&self, in_use: InUse<'_>) -> Option<Comparison> {
        let before: &Renewals = in_use.learned.model.get()?;
        let before = survivals(&before.fit, &self.ages);
        let seen = crate::sources::epoch_day(in_use.fitted_on) > self.then;
        let predicted = (self.predicted.as_slice(), before.as_slice());
        Comparison::of_probabilities("log loss of renewal", predicted, &self.stayed, seen)
    }
}

/// Draws of the parameters behind the standard error of a prediction.
const DRAWS: usize = 200;

/// The mean standard error of predictions, by the error of the model's parameters.
fn error_of(fit: &RenewalFit, ages: &[Ahead], seed: u64) -> f64 {
    const WIDTH: f64 = 2.0 * Z_95;
    let mut known: BTreeMap<[(u32, u64); 2], f64> = BTreeMap::new();
    let errors = ages.iter().map(|&[from, to]| {
        let key = [from, to].map(|age| (age.periods, age.part.to_bits()));
        *known.entry(key).or_insert_with(|| {
            let estimate = fit.stays_estimate((from, to), DRAWS, seed);
            (estimate.high_95 - estimate.low_95) / WIDTH
        })
    });
    errors.sum::<f64>() / ages.len() as f64
}

fn survivals(fit: &RenewalFit, ages: &[Ahead]) -> Vec<f64> {
    let ages = ages.iter();
    ages.map(|&[from, to]| fit.stays(from, to)).collect()
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
    rows.push(Parameter::number(
        model,
        "share_left_at_period_end",
        fit.at_ends,
    ));
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
fn kaplan_meier(clock: Clock, (lives, today): (&[Option<Life>], i32), scored: &mut Scored) {
    const MODEL: &str = "kaplan_meier";
    // A contract that ends on its first day lasted a little.
    const SHORTEST: f64 = 0.01;
    let lifetimes: Vec<Lifetime> = lives
        .iter()
        .flatten()
        .map(|life| {
            let age = clock.age(life.first, life.end.unwrap_or(today));
            Lifetime {
                entry: 0.0,
                exit: (f64::from(age.periods) + age.part).max(SHORTEST),
                left: life.end.is_some(),
                weight: 1.0,
            }
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
        learned: &Renewals,
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
        learned: &Renewals,
        given: &Given<'_>,
    ) -> Result<BTreeMap<String, ArrayRef>, NotComputed> {
        let lives = lives(given)?;
        let clock = Clock {
            period: self.period,
            ends: learned.ends,
        };
        let today = crate::sources::epoch_day(given.as_of);
        let values = match &self.value {
            Some(value) => Some(floats(given.table, &value.value)?),
            None => None,
        };
        // Customers whose contracts began on the same day share their forecast.
        let mut by_day: BTreeMap<i32, Expected> = BTreeMap::new();
        let current = |life: &Option<Life>| {
            let life = life.as_ref().filter(|life| life.end.is_none())?;
            Some(life.first)
        };
        for first in lives.iter().filter_map(current) {
            by_day.entry(first).or_insert_with(|| {
                let (horizon, discount) = (self.horizon_days, self.discount_per_year);
                clock.expected(&learned.fit, (first, today), horizon, discount)
            });
        }
        let column = |value: &dyn Fn(usize, &Expected) -> f64| -> ArrayRef {
            let values = lives.iter().enumerate().map(|(row, life)| {
                let expected = by_day.get(&current(life)?)?;
                Some(value(row, expected)).filter(|value| value.is_finite())
            });
            Arc::new(values.collect::<Float64Array>())
        };
        let name = given.name;
        let mut columns = BTreeMap::from([
            (
                format!("{name}_survival_probability"),
                column(&|_, expected| expected.survival),
            ),
            (
                format!("{name}_remaining_days"),
                column(&|_, expected| expected.days),
            ),
        ]);
        if let Some(values) = values {
            columns.insert(
                format!("{name}_residual_value"),
                column(&|row, expected| values[row] * expected.renewals),
            );
        }
        Ok(columns)
    }
}

#[cfg(test)]
mod tests {
    use tessera_segments::QualityStatus;
    use tessera_spec::pipeline::RenewalPeriod;

    use super::*;

    const PERIOD: i32 = 30;
    const AHEAD: u32 = 360;
    const ALPHA: f64 = 0.7;
    const BETA: f64 = 4.0;

    /// Contracts that all began within six periods before the earlier date, of customers with theta ~ Beta(0.7, 4).
    fn contracts(uniform: &mut impl FnMut() -> f64) -> Vec<Option<Life>> {
        let life = |_| {
            let first = -(AHEAD as i32) - (uniform() * f64::from(6 * PERIOD)) as i32;
            let (outlasts, mut renewals, mut survival) = (uniform(), 0, 1.0);
            let end = loop {
                let renewed = f64::from(renewals);
                survival *= (BETA + renewed) / (ALPHA + BETA + renewed);
                renewals += 1;
                let end = first + PERIOD * renewals;
                if end > 0 {
                    break None;
                }
                if survival < outlasts {
                    break Some(end);
                }
            };
            Some(Life { first, end })
        };
        (0..4_000).map(life).collect()
    }

    /// The model is right, and half a year is little to tell its three parameters from. Its slope over a year ahead is more than 1.96 standard
    /// errors away from 1 in 5 of 100 lakes, and its calibration error above the limit in as many. Of 60 that is 3; more than 8 are in 1 of
    /// 350 such tests. Without the errors of the parameters in the slope it is one lake in five, and one in four where each bin of the
    /// calibration error errs for itself.
    #[test]
    fn a_right_model_is_flagged_by_chance_alone() {
        let mut uniform = crate::scores::uniform(7);
        let score = ContractualScore {
            from: At::new("contracts".to_owned(), 0..0),
            models: vec![],
            period: RenewalPeriod::Days(PERIOD as u32),
            horizon_days: AHEAD,
            discount_per_year: 0.1,
            value: None,
        };
        let (mut tested, mut away, mut flagged) = (0, 0, [0; 2]);
        for _ in 0..60 {
            let lives = contracts(&mut uniform);
            let test = backtest(&score, RenewalModel::Bdw, (&lives, 0), 1);
            let Ok(Ok(test)) = test else { continue };
            let found = test.calibrated;
            let Some(line) = found.line else { continue };
            tested += 1;
            away += usize::from((line.slope - 1.0).abs() > Z_95 * found.slope_error);
            for (count, row) in flagged.iter_mut().zip(found.quality("")) {
                *count += usize::from(row.status == QualityStatus::Flagged);
            }
        }
        println!("{away} of {tested} away, {flagged:?} flagged");
        assert!(tested >= 50, "{tested}");
        assert!(away <= 8, "{away} of {tested}");
        assert!(flagged.iter().all(|count| *count <= 8), "{flagged:?}");
    }
}
