//! `kind = "health"`: weighted components from 0 to 100. Scores of 30, 60 and 90 days ago are compared with which of the
//! customers who could churn have churned since.

mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use chrono::NaiveDate;
use tessera_expr::rel::Agg;
use tessera_features::FeatureInfo;
use tessera_model::Matrix;
use tessera_model::health::{
    HealthBacktest, HealthBand, HealthComponent, HealthError, HealthFit, HealthPlan, HealthScale,
    HealthTrial, HorizonOutcome,
};
use tessera_model::metrics::Auc;
use tessera_segments::{Fit, Parameter, Quality, QualityStatus, Threshold};
use tessera_spec::ScoreSyntax;
use tessera_spec::figure::{Figure, Metric, TestPart};
use tessera_spec::pipeline::{At, Base, Direction, Refit, Role, SourceKind, Wanted};

use super::churned::{self, Span};
use super::columns::floats;
use super::kind::{Kind, model};
use super::learned::{Fitted, InUse, LearnedScore};
use super::population::{self, Population};
use super::{Asked, BACKTEST, Given, NotComputed, ScoreModel, Scored, not_computed};
use crate::base;
use crate::error::PipelineError;
use settings::HealthScore;

/// Days between a score and the outcome that it is compared with.
const HORIZONS: [u32; 3] = [30, 60, 90];

/// The name of the model in published tables.
const MODEL: &str = "health";

impl From<HealthError> for NotComputed {
    fn from(error: HealthError) -> Self {
        Self::Data(error.to_string())
    }
}

pub(super) static KIND: Kind = Kind {
    syntax: ScoreSyntax {
        name: settings::NAME,
        summary: "Weighted components from 0 to 100: it predicts nothing, it rates each customer.",
        keys: settings::KEYS,
        refit: Refit::Months(1),
        read: settings::read,
    },
    reads: "events or intervals, for its backtest",
    example: r#"[scores.health]
kind = "health"
from = "orders"
min_coverage = 0.6                              # share of the weight that must be known, else the score is null; 0.6 by default
bands = { red = 36, yellow = 71, green = 100 }  # upper limits, the last 100; this is the default

[scores.health.components]
recency = { feature = "recency_days", weight = 40, worst = 180, best = 7 }
spend = { feature = "spend_90d", weight = 30, percentile = "high" }
tickets = { feature = "tickets_90d", weight = 30, steps = [{ below = 1, points = 100 }, { below = 4, points = 60 }, { points = 0 }] }
"#,
    docs: include_str!("health/page.md"),
    files: &[
        "crates/model/src/health",
        "crates/pipeline/src/scores/health",
    ],
    criteria: &["discriminates"],
    model: model::<HealthScore>,
    restore: Fit::restored::<HealthFit>,
};

/// The end of a component's values that gets most points; none where the points rise and fall.
fn better_end(scale: &HealthScale) -> Direction {
    match scale {
        HealthScale::Linear { worst, best } if worst > best => Direction::Low,
        HealthScale::Percentile {
            small_is_good: true,
        } => Direction::Low,
        HealthScale::Linear { .. } | HealthScale::Percentile { .. } => Direction::High,
        HealthScale::Steps(steps) => match (
            steps.is_sorted_by(|a, b| a.1 <= b.1),
            steps.is_sorted_by(|a, b| a.1 >= b.1),
        ) {
            (true, false) => Direction::High,
            (false, true) => Direction::Low,
            _ => Direction::None,
        },
    }
}

impl ScoreModel for HealthScore {
    fn base(&self) -> Base {
        Base::Engagement
    }

    fn inputs(&self) -> Vec<(&At<String>, Wanted)> {
        let components = self.components.iter();
        components
            .map(|component| {
                let role = Role::Good(better_end(&component.scale));
                (&component.feature, Wanted::Role(role))
            })
            .collect()
    }

    fn labels(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let bands = self.bands.iter().map(|(band, _)| band.clone());
        vec![(format!("{name}_band"), bands.collect())]
    }

    fn reads(&self, _: &[FeatureInfo]) -> Vec<String> {
        let components = self.components.iter();
        let reads = components.map(|component| component.feature.value.clone());
        reads.collect()
    }

    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        if !asked.fits {
            return Vec::new();
        }
        let from = &self.from.value;
        let aggs = churned::hidden(asked, from, &spans(asked.as_of));
        vec![(from.clone(), aggs)]
    }

    fn at_each_date(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let from = &self.from.value;
        vec![(from.clone(), population::hidden(asked, from, &HORIZONS))]
    }

    fn observations(&self, as_of: NaiveDate) -> Vec<NaiveDate> {
        spans(as_of).iter().map(|span| span.observed).collect()
    }

    fn fit(&self, given: &Given<'_>, _: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        let plan = planned(self)?;
        let base = match base::active(given.table) {
            Some(active) => {
                &filter_record_batch(given.table, &active).map_err(PipelineError::from)?
            }
            None => given.table,
        };
        let fit = HealthFit::fit(&plan, &components(self, base)?)?;
        let mut scored = Scored::default();
        for component in plan.components() {
            let weight = Parameter::number(
                MODEL,
                format!("weight_{}", component.name),
                component.weight,
            );
            scored.parameters.push(weight);
        }
        self.backtest(given, &plan, &mut scored)?;
        Ok(Fitted {
            learned: LearnedScore {
                model: Fit::new(settings::NAME, fit),
                findings: scored.into(),
            },
            backtest: None,
            // No outcome is learned, so a newer scale cannot predict worse: it is that of the newest customers.
            comparison: None,
        })
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let Some(fit) = learned.model.get::<HealthFit>() else {
            return Ok(Scored::default());
        };
        let plan = planned(self)?;
        let scores = fit.score(&components(self, given.table)?)?;
        let name = given.name;
        let band = |band: &Option<u32>| {
            band.and_then(|place| plan.bands().get(place as usize))
                .map(|band| band.name.as_str())
        };
        let number = |values: &[f64]| -> ArrayRef {
            let values = values.iter().map(|v| Some(*v).filter(|v| v.is_finite()));
            Arc::new(values.collect::<Float64Array>())
        };
        let bands: ArrayRef = Arc::new(scores.band.iter().map(band).collect::<StringArray>());
        let without = scores.score.iter().filter(|score| score.is_nan()).count();
        let without = Parameter::number(MODEL, "customers_without_score", without as f64);
        Ok(Scored {
            columns: BTreeMap::from([
                (name.to_owned(), number(&scores.score)),
                (format!("{name}_band"), bands),
                (format!("{name}_coverage"), number(&scores.coverage)),
            ]),
            parameters: vec![without],
            ..Scored::default()
        })
    }
}

/// The plan of what is declared. Columns are found by the components' names, whatever features they are made from.
fn planned(score: &HealthScore) -> Result<HealthPlan, HealthError> {
    let components = score.components.iter().map(|c| HealthComponent {
        name: c.name.value.clone(),
        weight: c.weight,
        scale: c.scale.clone(),
    });
    let bands = score.bands.iter().map(|(name, below)| HealthBand {
        name: name.clone(),
        below: Some(*below),
    });
    HealthPlan::new(components.collect(), score.min_coverage, bands.collect())
}

fn spans(as_of: NaiveDate) -> Vec<Span> {
    let span = |days| Span::ending(as_of, 0, days);
    HORIZONS.into_iter().filter_map(span).collect()
}

/// One column per component, under the component's name.
fn components(score: &HealthScore, table: &RecordBatch) -> Result<Matrix<'static>, NotComputed> {
    let mut names = Vec::new();
    let mut columns = Vec::new();
    for component in &score.components {
        names.push(component.name.value.clone());
        columns.push(floats(table, &component.feature.value)?);
    }
    Matrix::from_columns(names, columns).map_err(|error| NotComputed::Data(error.to_string()))
}

trait Judged {
    fn backtest(
        &self,
        given: &Given<'_>,
        plan: &HealthPlan,
        scored: &mut Scored,
    ) -> Result<(), NotComputed>;
}

impl Judged for HealthScore {
    fn backtest(
        &self,
        given: &Given<'_>,
        plan: &HealthPlan,
        scored: &mut Scored,
    ) -> Result<(), NotComputed> {
        let mut earlier: Vec<(u32, Vec<f64>, Vec<bool>)> = Vec::new();
        for span in spans(given.as_of) {
            let Some(then) = given.past.get(&span.observed) else {
                let metric = format!("{BACKTEST} at {} days", span.days);
                let reason = format!("there was no customer on {}", span.observed);
                scored.quality.push(not_computed(&metric, reason));
                continue;
            };
            // What was known then: percentiles among the customers of that day.
            let columns = components(self, then)?;
            let scores = HealthFit::fit(plan, &columns)?.score(&columns)?.score;
            let outcomes = churned::outcomes(given, span, then)?;
            let source = given.prepared.pipeline.source(&self.from.value);
            let living = Population {
                score: given.name,
                days: span.days,
                stated: false,
                intervals: source.is_some_and(|source| source.kind == SourceKind::Intervals),
            };
            let standings = living.standings(then)?;
            let judged = scores.iter().zip(outcomes).zip(standings);
            let (scores, churned) = judged
                .filter(|(_, standing)| standing.lives())
                .filter_map(|((score, churned), _)| Some((*score, churned?)))
                .unzip();
            earlier.push((span.days, scores, churned));
        }
        let trials: Vec<HealthTrial<'_>> = earlier
            .iter()
            .map(|(days, scores, churned)| HealthTrial {
                days: *days,
                scores,
                churned,
            })
            .collect();
        let backtest = HealthBacktest::run(plan, &trials)?;
        for horizon in &backtest.horizons {
            publish(horizon, scored);
        }
        scored
            .parameters
            .extend(Parameter::choice(MODEL, &backtest.reason));
        if !backtest.horizons.iter().any(|horizon| horizon.judged) {
            scored
                .quality
                .push(not_computed(BACKTEST, &backtest.reason));
            return Ok(());
        }
        let weakest = weakest(&backtest);
        let by_area =
            backtest.discriminates || weakest.is_some_and(|area| area.value <= area.chance_limit());
        scored.quality.push(Quality {
            segment: String::new(),
            criterion: "discriminates",
            metric: "area under the ROC curve at 30, 60 and 90 days".to_owned(),
            value: weakest.map(|area| area.value),
            // Where every area would do, the bands decide.
            threshold: weakest
                .filter(|_| by_area)
                .map(|area| Threshold::at_least(area.chance_limit())),
            status: if backtest.discriminates {
                QualityStatus::Ok
            } else {
                QualityStatus::Flagged
            },
            reason: (!backtest.discriminates).then(|| backtest.reason.clone()),
        });
        Ok(())
    }
}

/// Of the horizons that could be judged, the area that is the least certain to be above chance.
fn weakest(backtest: &HealthBacktest) -> Option<Auc> {
    let judged = backtest.horizons.iter().filter(|horizon| horizon.judged);
    let areas = judged.filter_map(|horizon| horizon.auc);
    areas.min_by(|a, b| a.low_95.total_cmp(&b.low_95))
}

fn publish(horizon: &HorizonOutcome, scored: &mut Scored) {
    let days = horizon.days;
    let mut number = |what: String, (metric, part): (Metric, TestPart), value: f64| {
        let row = Parameter::number(MODEL, format!("backtest_{days}d_{what}"), value);
        let figure = Figure::test_part(metric, part, Some(days));
        scored.parameters.push(row.stating(figure));
    };
    let mut of_all = vec![
        (Metric::Customers, TestPart::All, horizon.scored as f64),
        (Metric::Churned, TestPart::All, horizon.churned as f64),
    ];
    if let Some(auc) = horizon.auc {
        of_all.extend([
            (Metric::Auc, TestPart::All, auc.value),
            (Metric::Auc, TestPart::Low, auc.low_95),
            (Metric::Auc, TestPart::High, auc.high_95),
        ]);
    }
    for (metric, part, value) in of_all {
        let end = match part {
            TestPart::Low => "_low_95",
            TestPart::High => "_high_95",
            TestPart::All | TestPart::Some => "",
        };
        number(format!("{}{end}", metric.name()), (metric, part), value);
    }
    for band in &horizon.bands {
        for (metric, value) in [
            (Metric::Customers, Some(band.customers as f64)),
            (Metric::ChurnRate, band.churn_rate),
            (Metric::Lift, band.lift),
        ] {
            let name = format!("{}_{}", band.band, metric.name());
            if let Some(value) = value {
                number(name, (metric, TestPart::Some), value);
            }
        }
    }
}
