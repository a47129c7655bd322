//! `kind = "survival"`: how long contracts go on, read off how long all contracts lasted (Kaplan & Meier 1958), without a model.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use serde::Serialize;
use tessera_expr::rel::Agg;
use tessera_model::contractual::{Lifetime, SurvivalCurve};
use tessera_segments::{Fit, Parameter};
use tessera_spec::pipeline::{
    At, Base, Direction, Line, Refit, ScoreColumn, ScoreKind, ScoreSettings, Source, SourceKind,
    Unit,
};
use tessera_spec::reader::Reader;
use tessera_spec::shown::grouped;
use tessera_spec::{Key, KeyValue, ScoreSyntax};

use super::calibrated::{Calibrated, Estimates};
use super::keys::{HORIZON, horizon, source_of};
use super::kind::{Kind, model};
use super::learned::{Fitted, InUse, LearnedScore};
use super::lifetimes::{self, Life, lives};
use super::{Asked, BACKTEST, Given, NotComputed, ScoreModel, Scored, WHOLE, not_computed};
use crate::sources::epoch_day;

/// The name of the curve in published tables.
const MODEL: &str = "kaplan_meier";

/// Least number of customers with a contract at the earlier date of a backtest.
const LEAST_TESTED: usize = 50;

const FROM: Key = Key::required(
    "from",
    KeyValue::Text,
    "Intervals source with the contracts.",
    "add `from = \"…\"`: the intervals that are contracts",
);

pub(super) static KIND: Kind = Kind {
    syntax: ScoreSyntax {
        name: "survival",
        summary: "How long contracts go on, read off how long all contracts lasted, without a model.",
        keys: &[FROM, HORIZON],
        refit: Refit::Months(1),
        read,
    },
    reads: "intervals",
    example: r#"[scores.stay]
kind = "survival"
from = "contracts"
horizon = "180d"
"#,
    docs: "A lifetime runs from the first day of a customer's first interval to the end of its last, in days; gaps between intervals \
           count as part of it. The share S(t) of lifetimes that outlast t days is that of Kaplan and Meier (1958): contracts that \
           still run count for as long as they have run. A contract that has run for t days outlasts the horizon h with probability \
           S(t + h) / S(t); its expected remaining days within the horizon are the area under that curve.\n\n\
           Nothing is assumed about how the rate at which contracts end depends on their age, and nothing is said beyond the oldest \
           contract: where no contract is t + h days old, there are no values, and `models` counts these customers. Customers whose \
           contracts have ended have none either. With few contracts, or a horizon longer than the data, `contractual` is the kind \
           to use.\n\n\
           The curve of what was known one horizon ago is compared with who of the customers with a contract at that date still has \
           one (`calibrated` in `quality`). A curve that is due is always used: it is that of the newest data.\n",
    files: &[
        "crates/model/src/contractual/kaplan_meier.rs",
        "crates/pipeline/src/scores/lifetimes.rs",
        "crates/pipeline/src/scores/survival.rs",
    ],
    criteria: &["calibrated"],
    model: model::<SurvivalScore>,
    restore: Fit::restored::<SurvivalCurve>,
};

/// `kind = "survival"`.
#[derive(Debug, Clone, Serialize)]
struct SurvivalScore {
    /// Intervals source with the contracts.
    from: At<String>,
    /// Days that are predicted.
    horizon_days: u32,
}

fn read(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(table, sources, &[SourceKind::Intervals], &FROM);
    let settings = SurvivalScore {
        from,
        horizon_days: horizon(table)?,
    };
    Some(ScoreKind::new(KIND.syntax.name, settings))
}

impl ScoreSettings for SurvivalScore {
    fn line(&self, name: &str) -> Option<Line> {
        Some(Line {
            source: self.from.value.clone(),
            known: format!("{name}_survival_probability"),
        })
    }

    fn columns(&self, name: &str) -> Vec<ScoreColumn> {
        let probability = (
            "share of contracts as old as the current one that outlasted the horizon",
            "probability that the contract goes on",
            Direction::High,
        );
        let days = (
            "expected remaining lifetime within the horizon",
            "expected remaining days of the contract",
            Direction::High,
        );
        vec![
            ScoreColumn::new(
                format!("{name}_survival_probability"),
                Unit::Ratio,
                probability,
            )
            .ahead("for", self.horizon_days),
            ScoreColumn::new(format!("{name}_remaining_days"), Unit::Days, days)
                .ahead("in", self.horizon_days),
        ]
    }
}

impl ScoreModel for SurvivalScore {
    fn base(&self) -> Base {
        Base::Lifecycle
    }

    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let from = &self.from.value;
        vec![(from.clone(), lifetimes::hidden(asked, from))]
    }

    fn fit(&self, given: &Given<'_>, _: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        let lives = lives(given)?;
        let today = epoch_day(given.as_of);
        let lifetimes = lifetimes_at(&lives, today);
        let curve = SurvivalCurve::fit(&lifetimes)?;
        let mut scored = Scored::default();
        let mut number = |name: &str, value: f64| {
            let row = Parameter::number(MODEL, name, value);
            scored.parameters.push(row);
        };
        number("customers", lifetimes.len() as f64);
        let left = lifetimes.iter().filter(|life| life.left).count();
        number("left", left as f64);
        number("observed_days", curve.observed_until);
        if let Some(median) = curve.median() {
            number("median_days", median);
        }
        let ahead = f64::from(self.horizon_days);
        if let Some(share) = curve.conditional_survival(0.0, ahead) {
            number(&format!("survival_{}d", self.horizon_days), share);
        }
        let reason = "the share of contracts that lasted; no model is fitted";
        scored.parameters.extend(Parameter::choice(MODEL, reason));
        let tested = self.backtest(&lives, today - self.horizon_days as i32)?;
        scored.quality.extend(match tested {
            Ok(calibrated) => calibrated.quality(" of survival"),
            Err(why) => vec![not_computed(BACKTEST, why)],
        });
        Ok(Fitted {
            learned: LearnedScore {
                model: Fit::new(KIND.syntax.name, curve),
                findings: scored.into(),
            },
            backtest: None,
            // A newer curve has seen more of the same lifetimes.
            comparison: None,
        })
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let Some(curve) = learned.model.get::<SurvivalCurve>() else {
            return Ok(Scored::default());
        };
        let today = epoch_day(given.as_of);
        let ages: Vec<Option<i32>> = lives(given)?
            .into_iter()
            .map(|life| {
                let life = life.filter(|life| life.end.is_none())?;
                Some((today - life.first).max(0))
            })
            .collect();
        // Customers of the same age share their forecast.
        let mut by_age: BTreeMap<i32, Option<[f64; 2]>> = BTreeMap::new();
        for age in ages.iter().flatten() {
            let forecast = || ahead(curve, f64::from(*age), f64::from(self.horizon_days));
            by_age.entry(*age).or_insert_with(forecast);
        }
        let of = |age: &Option<i32>| by_age.get(age.as_ref()?).copied().flatten();
        let column = |place: usize| -> ArrayRef {
            let values = ages.iter().map(|age| of(age).map(|found| found[place]));
            Arc::new(values.collect::<Float64Array>())
        };
        let current = ages.iter().flatten().count();
        let beyond = ages.iter().filter(|age| age.is_some() && of(age).is_none());
        let beyond = beyond.count();
        let quality = (beyond == current).then(|| {
            let why = match current {
                0 => "nobody has a contract".to_owned(),
                _ => format!(
                    "no contract is known {} days after the age of any of the {} current ones; use a longer history, shorten the horizon, or use \
                     `contractual`",
                    self.horizon_days,
                    grouped(current as u64)
                ),
            };
            not_computed(WHOLE, why)
        });
        let beyond = Parameter::number(MODEL, "customers_beyond_the_curve", beyond as f64);
        let name = given.name;
        Ok(Scored {
            columns: BTreeMap::from([
                (format!("{name}_survival_probability"), column(0)),
                (format!("{name}_remaining_days"), column(1)),
            ]),
            parameters: vec![beyond],
            quality: quality.into_iter().collect(),
            ..Scored::default()
        })
    }
}

/// The probability that a contract of that age outlasts the days ahead, and its expected days of these; none beyond the curve.
fn ahead(curve: &SurvivalCurve, age: f64, days: f64) -> Option<[f64; 2]> {
    let probability = curve.conditional_survival(age, days)?;
    let area = curve.restricted_mean(age + days)? - curve.restricted_mean(age)?;
    Some([probability, area / curve.survival(age)])
}

/// The lifetimes as they were known on a day. One that ended on the day on which it began lasted half a day.
fn lifetimes_at(lives: &[Option<Life>], day: i32) -> Vec<Lifetime> {
    let begun = lives.iter().flatten().filter(|life| life.first <= day);
    let lifetime = |life: &Life| {
        let end = life.end.filter(|end| *end <= day);
        Lifetime {
            entry: 0.0,
            exit: f64::from(end.unwrap_or(day) - life.first).max(0.5),
            left: end.is_some(),
            weight: 1.0,
        }
    };
    begun.map(lifetime).collect()
}

impl SurvivalScore {
    /// The curve of what was known on an earlier day, compared with who of those with a contract then has one now; or why there is
    /// no such comparison.
    fn backtest(
        &self,
        lives: &[Option<Life>],
        then: i32,
    ) -> Result<Result<Calibrated, String>, NotComputed> {
        let lifetimes = lifetimes_at(lives, then);
        if lifetimes.is_empty() {
            return Ok(Err("no contract had begun one horizon ago".to_owned()));
        }
        let curve = SurvivalCurve::fit(&lifetimes)?;
        let days = f64::from(self.horizon_days);
        let mut exits: Vec<f64> = lifetimes.iter().map(|life| life.exit).collect();
        exits.sort_unstable_by(f64::total_cmp);
        // Contracts that were followed so long, from which the share is known.
        let followed = |age: f64| (exits.len() - exits.partition_point(|exit| *exit < age)) as f64;
        let (mut ages, mut predicted, mut stayed) = (Vec::new(), Vec::new(), Vec::new());
        let (mut kept_apart, mut errors) = (Vec::new(), 0.0);
        for life in lives.iter().flatten().filter(|life| life.first <= then) {
            if life.end.is_some_and(|end| end <= then) {
                continue;
            }
            // The oldest contracts were beyond the curve.
            let age = f64::from(then - life.first);
            if let Some(share) = curve.conditional_survival(age, days) {
                let known = followed(age + days);
                ages.push(age);
                predicted.push(share);
                // Half a contract more that went on, and half a one that ended.
                kept_apart.push((known * share + 0.5) / (known + 1.0));
                errors += curve.conditional_error(age, days).unwrap_or(0.0);
                stayed.push(life.end.is_none());
            }
        }
        if predicted.len() < LEAST_TESTED {
            return Ok(Err(format!(
                "of {} customers with a contract {} days ago the curve of that day says something, but {LEAST_TESTED} are needed to \
                 compare it with what happened since; use a longer history, or shorten the horizon",
                predicted.len(),
                self.horizon_days
            )));
        }
        let error = errors / predicted.len() as f64;
        let estimates = Estimates {
            probabilities: &predicted,
            kept_apart: &kept_apart,
            error,
            shared: &curve.errors_of_predictions(&ages, days, &kept_apart),
        };
        let found = Calibrated::of_estimates(&estimates, &stayed);
        Ok(found.ok_or_else(|| "a prediction is not a number".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use tessera_segments::QualityStatus;

    use super::*;

    /// Contracts of months of thirty days, of customers of whom half leave with 5% a month and half with 35%: the curve is right. It is
    /// flagged in as many of these lakes as chance makes it, also where nobody of the few oldest had left until then.
    #[test]
    fn the_slope_of_a_right_curve_is_flagged_by_chance_alone() {
        let (mut flagged, mut judged) = (0, 0);
        let mut uniform = crate::scores::uniform(7);
        let score = SurvivalScore {
            from: At::new("contracts".to_owned(), 0..0),
            horizon_days: 90,
        };
        for _ in 0..40 {
            let lives: Vec<Option<Life>> = (0..8_000)
                .map(|customer| {
                    let first = -(uniform() * 1_200.0) as i32;
                    let leaves = if customer % 2 == 0 { 0.05 } else { 0.35 };
                    let months = 1 + (uniform().ln() / f64::ln(1.0 - leaves)) as i32;
                    let end = Some(first + 30 * months).filter(|end| *end <= 0);
                    Some(Life { first, end })
                })
                .collect();
            let found = score.backtest(&lives, -90).ok().and_then(Result::ok);
            let rows = found.unwrap().quality("");
            let slope = rows.iter().find(|row| row.metric == "calibration slope");
            judged += usize::from(slope.is_some());
            flagged += usize::from(slope.is_some_and(|row| row.status == QualityStatus::Flagged));
        }
        assert!(judged >= 20, "{judged}");
        assert!(flagged <= 4, "{flagged} of {judged}");
    }
}
