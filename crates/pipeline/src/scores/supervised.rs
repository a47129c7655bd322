//! `kind = "supervised"`: the probability of churn, from models trained on the features at earlier dates and on who churned after
//! them.

mod plan;
pub(super) mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, UInt32Array};
use chrono::NaiveDate;
use tessera_expr::rel::Agg;
use tessera_features::FeatureInfo;
use tessera_model::churn::{
    Backtest, CHOICE, ChurnError, ChurnFit, ChurnServed, Observation, Panel,
};
use tessera_model::metrics;
use tessera_segments::{Fit, Parameter, Quality, QualityStatus, Threshold};
use tessera_spec::ScoreSyntax;
use tessera_spec::pipeline::{At, Base, ExprText, Refit, SourceKind, Wanted};

use super::applied::applied;
use super::calibrated::{Calibrated, between_dates, spread, status};
use super::churned::{self, Span};
use super::inputs::{customer_hashes, features, inputs};
use super::kind::{Kind, model};
use super::labelled;
use super::learned::{Comparison, Fitted, InUse, LearnedScore};
use super::population::{self, POPULATION, Population};
use super::reasons::Wording;
use super::{
    Asked, CalibrationRow, Given, NotComputed, ScoreModel, Scored, TrainedOn, WHOLE, not_computed,
};
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::publish::names;
use crate::sources::epoch_day;
use crate::untimed::{left_out, named};
use plan::plan;
use settings::{EXCLUDED, SupervisedScore};

/// Largest number of rows of one fit: more rows change the result in the third digit only, and a forest takes minutes.
const FIT_ROWS: usize = 30_000;

/// Largest number of rows of all observation dates together; with more, customers are sampled.
const PANEL_ROWS: usize = 4 * FIT_ROWS;

/// Customers read at an earlier date per row that is trained on, since not all of them can churn.
const SPARE: usize = 2;

impl From<ChurnError> for NotComputed {
    fn from(error: ChurnError) -> Self {
        Self::Data(error.to_string())
    }
}

pub(super) static KIND: Kind = Kind {
    syntax: ScoreSyntax {
        name: settings::NAME,
        summary: "Probability of churn within a horizon, learnt from the past, or from a label in the data.",
        keys: settings::KEYS,
        refit: Refit::Months(1),
        read: settings::read,
    },
    reads: "events or intervals",
    example: r#"[scores.churn]
kind = "supervised"
from = "orders"              # churned: no row within the horizon; intervals: the last one ends within it
horizon = "90d"
population = "recency_days < 120"                      # who can churn; see below
features = ["recency_days", "spend_90d"]               # all published features by default
models = ["logistic", "random_forest", "recency_rule"] # all three by default
observations = 4             # observation dates, 2 to 24; 4 by default
every = "90d"                # time between them, at least the horizon; the horizon by default
calibration = "platt"        # or isotonic, none; platt by default
"#,
    docs: include_str!("supervised/page.md"),
    files: &[
        "crates/model/src/churn",
        "crates/model/src/cluster/preparation",
        "crates/pipeline/src/scores/supervised",
        "crates/pipeline/src/scores/applied.rs",
        "crates/pipeline/src/scores/churned.rs",
        "crates/pipeline/src/scores/inputs.rs",
        "crates/pipeline/src/scores/labelled.rs",
        "crates/pipeline/src/scores/population.rs",
        "crates/pipeline/src/scores/telling.rs",
    ],
    criteria: &[
        "calibrated",
        "discriminates",
        "known at earlier dates",
        labelled::WITHOUT_LABEL,
        PLAUSIBLE,
        "population",
    ],
    model: model::<SupervisedScore>,
    restore: Fit::restored::<ChurnFit>,
};

impl ScoreModel for SupervisedScore {
    fn base(&self) -> Base {
        Base::Lifecycle
    }

    fn inputs(&self) -> Vec<(&At<String>, Wanted)> {
        let features = self.features.iter();
        features.map(|feature| (feature, Wanted::Any)).collect()
    }

    fn reads(&self, published: &[FeatureInfo]) -> Vec<String> {
        let mut reads: Vec<String> = match self.features.is_empty() {
            true => published.iter().map(|info| info.name.clone()).collect(),
            false => self
                .features
                .iter()
                .map(|name| name.value.clone())
                .collect(),
        };
        let conditions = self.population.iter().chain(&self.label);
        reads.extend(conditions.flat_map(|text| names(&text.value)));
        reads
    }

    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        if !asked.fits || self.label.is_some() {
            return Vec::new();
        }
        let from = &self.from.value;
        let aggs = churned::hidden(asked, from, &spans(self, asked.as_of));
        vec![(from.clone(), aggs)]
    }

    fn at_each_date(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        if self.label.is_some() {
            return Vec::new();
        }
        let from = &self.from.value;
        let aggs = population::hidden(asked, from, &[self.horizon_days]);
        vec![(from.clone(), aggs)]
    }

    fn population(&self) -> Option<&ExprText> {
        self.population.as_ref()
    }

    fn label(&self) -> Option<&ExprText> {
        self.label.as_ref()
    }

    fn trained_on(&self) -> Option<TrainedOn<'_>> {
        // With a label, models learn from today's values alone.
        self.label.is_none().then(|| TrainedOn {
            features: &self.features,
            population: self.population.as_ref(),
            from: &self.from,
        })
    }

    fn observations(&self, as_of: NaiveDate) -> Vec<NaiveDate> {
        spans(self, as_of)
            .iter()
            .map(|span| span.observed)
            .collect()
    }

    fn enough(&self) -> Option<usize> {
        Some(SPARE * most_rows(self))
    }

    fn fit(&self, given: &Given<'_>, in_use: Option<InUse<'_>>) -> Result<Fitted, NotComputed> {
        let features = features(self, given.name, given.prepared);
        let mut scored = Scored::default();
        let fitted = if features.is_empty() {
            let unknown = self.left_out(given);
            let reason = format!(
                "no feature is left to learn from: only today's value is known of {}",
                named(&unknown)
            );
            Err(NotComputed::Data(reason))
        } else {
            fitted(self, given, &features, &mut scored)
        };
        let (fit, panel, backtest) = match fitted {
            Ok(fitted) => fitted,
            // The population is published in any case.
            Err(NotComputed::Data(reason)) => {
                tracing::warn!(
                    score = given.name,
                    "score `{}` is not computed: {reason}",
                    given.name
                );
                scored.quality.push(not_computed(WHOLE, reason));
                return Ok(Fitted {
                    learned: LearnedScore {
                        model: Fit::default(),
                        findings: scored.into(),
                    },
                    backtest: None,
                    comparison: None,
                });
            }
            Err(failed) => return Err(failed),
        };
        publish(&fit, &mut scored, self.label.is_some());
        let comparison = match in_use {
            // With a label, the model in use may have learned from the customers that the refit is tested on.
            Some(in_use) if self.label.is_none() => compared(&fit, &panel, &backtest, in_use)?,
            _ => None,
        };
        Ok(Fitted {
            backtest: tested(&backtest, given)?,
            learned: LearnedScore {
                model: Fit::new(settings::NAME, fit),
                findings: scored.into(),
            },
            comparison,
        })
    }

    fn compares(&self, name: &str, column: &str) -> bool {
        // Reasons are what sets a customer apart from the typical one.
        let own = column.strip_prefix(name);
        own.is_some_and(|column| column.starts_with("_reason"))
    }

    fn apply(&self, learned: &LearnedScore, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let unknown = self.left_out(given);
        let standings = match self.label {
            Some(_) => labelled::living(self, given)?,
            None => living(self, given).standings(given.table)?,
        };
        let reasons = standings.iter().map(|standing| standing.excluded());
        let excluded: StringArray = reasons.collect();
        let name = given.name;
        let mut scored = Scored {
            parameters: population::rows(self, &standings),
            quality: [
                known_then(&unknown),
                labelled::stated(self, given),
                plan::without_rule(self, given),
            ]
            .concat(),
            ..Scored::default()
        };
        let mut publish = |column: String, values: ArrayRef| {
            scored.columns.insert(column, values);
        };
        publish(format!("{name}{EXCLUDED}"), Arc::new(excluded));
        let Some(fit) = learned.model.get::<ChurnFit>() else {
            return Ok(scored);
        };
        scored.base_rate_only = fit.served() == ChurnServed::BaseRate;
        let features = features(self, given.name, given.prepared);
        let wording = Wording {
            features: &features,
            as_of: given.as_of,
            currency: &given.prepared.pipeline.currency,
        };
        let applied = applied(fit, given.table, &standings, &wording)?;
        publish(format!("{name}_probability"), applied.probability);
        for (rank, texts) in (1..).zip(applied.reasons) {
            publish(format!("{name}_reason_{rank}"), texts);
        }
        publish(format!("{name}_reasons_direction"), applied.direction);
        let judged = population::quality(self, &standings, given);
        scored.quality.push(judged);
        Ok(scored)
    }
}

impl SupervisedScore {
    /// The features that it would learn from if their earlier values were known.
    fn left_out<'p>(&self, given: &Given<'p>) -> Vec<&'p str> {
        let Prepared {
            features, untimed, ..
        } = given.prepared;
        let trained = self.trained_on();
        trained.map_or_else(Vec::new, |trained| left_out(&trained, features, untimed))
    }
}

/// Why the model in use stays although it cannot be compared on the same customers.
const RANKS_WORSE: &str = "the refit ranks customers worse on its newest date than the artifact in use did on its own (95% intervals)";

/// The fit and the model in use on the customers of the newest observation date.
fn compared(
    fit: &ChurnFit,
    panel: &Panel,
    backtest: &Backtest,
    in_use: InUse<'_>,
) -> Result<Option<Comparison>, NotComputed> {
    let fitted_on = epoch_day(in_use.fitted_on);
    let Some(in_use) = in_use.learned.model.get::<ChurnFit>() else {
        return Ok(None);
    };
    // What happens after the date was not known to a model that was fitted by then.
    let newest = backtest.observed_on.iter().max();
    let seen = newest.is_some_and(|newest| fitted_on > *newest);
    let worse = fit.chosen().auc.high_95 < in_use.chosen().auc.low_95;
    let chosen = backtest.predictions.iter().find(|(of, _)| of == CHOICE);
    let refit = chosen.and_then(|(_, p)| metrics::log_loss(p, &backtest.churned));
    let before = in_use.log_loss_of(panel, backtest)?;
    let metric = "log loss out of time";
    Ok(refit
        .zip(before)
        .map(|figures| Comparison::of(metric, figures, seen, worse.then_some(RANKS_WORSE))))
}

/// The rows of a fit in the tables `models`, `calibration` and `quality`.
fn publish(fit: &ChurnFit, scored: &mut Scored, labelled: bool) {
    let parameters = fit.parameters().into_iter().map(|row| Parameter {
        model: row.model,
        name: row.name,
        value: row.value.filter(|value| value.is_finite()),
        text: row.text,
        figure: Some(row.figure),
    });
    scored.parameters.extend(parameters);
    let calibration = fit.calibration().into_iter().map(|row| CalibrationRow {
        model: row.model,
        bin: i64::from(row.bin),
        predicted: row.predicted,
        observed: row.observed,
        customers: row.customers as i64,
        lift: row.lift,
    });
    scored.calibration.extend(calibration);
    scored.quality.extend(quality(fit, labelled));
}

/// The fit, with what it predicted for the customers it was tested on.
fn fitted(
    score: &SupervisedScore,
    given: &Given<'_>,
    features: &[&FeatureInfo],
    scored: &mut Scored,
) -> Result<(ChurnFit, Panel, Backtest), NotComputed> {
    let (panel, (fit, backtest)) = match score.label {
        Some(_) => {
            let found = labelled::labelled(score, given, PANEL_ROWS, &mut scored.parameters)?;
            let kept = labelled::untelling(&found, given, features, &mut scored.quality)?;
            let panel = labelled::panel(found, given, &kept)?;
            let fitted = ChurnFit::fit_static_tested(&panel, &plan(score, &kept, given.prepared));
            (panel, fitted.map_err(labelled::not_learned)?)
        }
        None => {
            let plan = plan(score, features, given.prepared);
            let panel = panel(score, given, features, &mut scored.parameters)?;
            let fitted = ChurnFit::fit_tested(&panel, &plan)?;
            (panel, fitted)
        }
    };
    Ok((fit, panel, backtest))
}

/// Who can churn, at any date.
fn living<'a>(score: &SupervisedScore, given: &Given<'a>) -> Population<'a> {
    let source = given.prepared.pipeline.source(&score.from.value);
    Population {
        score: given.name,
        days: score.horizon_days,
        stated: score.population.is_some(),
        intervals: source.is_some_and(|source| source.kind == SourceKind::Intervals),
    }
}

/// Which features are left out because only their value of today is known; empty where none is.
fn known_then(unknown: &[&str]) -> Vec<Quality> {
    let reason = || {
        format!(
            "{} of a source without `time`: only today's value is known, so they are left out",
            named(unknown)
        )
    };
    let row = (!unknown.is_empty()).then(|| Quality {
        segment: String::new(),
        criterion: "known at earlier dates",
        metric: "features left out".to_owned(),
        value: Some(unknown.len() as f64),
        threshold: None,
        status: QualityStatus::Ok,
        reason: Some(reason()),
    });
    row.into_iter().collect()
}

/// The predictions of the candidates for single customers, by key.
fn tested(found: &Backtest, given: &Given<'_>) -> Result<Option<super::Backtest>, NotComputed> {
    let day = |date: &NaiveDate| epoch_day(*date);
    let wanted = found.observed_on.first();
    let now = (given.as_of, given.table);
    let mut dates = given
        .past
        .iter()
        .map(|(date, table)| (*date, table))
        .chain([now]);
    let Some((_, then)) = dates.find(|(date, _)| Some(&day(date)) == wanted) else {
        return Ok(None);
    };
    let hashes = customer_hashes(then.column(0));
    let places: HashMap<u64, u32> = hashes.into_iter().zip(0..).collect();
    let rows: UInt32Array = found
        .customer
        .iter()
        .map(|c| places.get(c).copied())
        .collect();
    let keys = arrow::compute::take(then.column(0), &rows, None).map_err(PipelineError::from)?;
    let predictions = found.predictions.iter();
    Ok(Some(super::Backtest {
        keys,
        observed_on: found.observed_on.clone(),
        churned: found.churned.clone(),
        predictions: predictions.cloned().collect(),
    }))
}

/// The observation dates with the days after them, oldest first; the newest is a horizon before the date of the run.
fn spans(score: &SupervisedScore, as_of: NaiveDate) -> Vec<Span> {
    (0..score.observations)
        .rev()
        .filter_map(|back| Span::ending(as_of, back * score.every_days, score.horizon_days))
        .collect()
}

/// Largest number of rows of each observation date.
fn most_rows(score: &SupervisedScore) -> usize {
    PANEL_ROWS / (score.observations as usize).max(1)
}

/// The features at each observation date of the customers who could churn, and which of them did.
fn panel(
    score: &SupervisedScore,
    given: &Given<'_>,
    features: &[&FeatureInfo],
    parameters: &mut Vec<Parameter>,
) -> Result<Panel, NotComputed> {
    let dates = spans(score, given.as_of);
    let most = most_rows(score);
    let mut observations = Vec::new();
    for span in dates {
        let Some(then) = given.past.get(&span.observed) else {
            continue;
        };
        let outcomes = churned::outcomes(given, span, then)?;
        let standings = living(score, given).standings(then)?;
        let could = outcomes.iter().zip(&standings);
        let known: Vec<bool> = could
            .filter_map(|(outcome, standing)| outcome.filter(|_| standing.lives()))
            .collect();
        let left = known.iter().filter(|churned| **churned).count();
        if let Some(sample) = given.samples.get(&span.observed) {
            let name = format!("{} share of customers read", span.observed);
            parameters.push(Parameter::number(POPULATION, name, sample.share));
        }
        for (what, number) in [("customers", known.len()), ("churned", left)] {
            let name = format!("{} {what}", span.observed);
            parameters.push(Parameter::number(POPULATION, name, number as f64));
        }
        let customers = customer_hashes(then.column(0));
        let share = most as f64 / known.len().max(1) as f64;
        let mut rows = Vec::new();
        let (mut churned, mut customer) = (Vec::new(), Vec::new());
        for (row, outcome) in outcomes.into_iter().enumerate() {
            let Some(outcome) = outcome.filter(|_| standings[row].lives()) else {
                continue;
            };
            // The same customers at every date, whatever the order of rows.
            if (customers[row] >> 11) as f64 / (1u64 << 53) as f64 <= share {
                rows.push(row as u32);
                churned.push(outcome);
                customer.push(customers[row]);
            }
        }
        if rows.is_empty() {
            continue;
        }
        observations.push(Observation {
            inputs: inputs(then, features, span.observed, Some(&rows))?,
            churned,
            customer,
            observed_on: epoch_day(span.observed),
        });
    }
    if observations.is_empty() {
        let reason = "no earlier date has customers who could churn and whose outcome is known: the lake does not reach back far enough for the horizon, or `population` is true for no customer";
        return Err(NotComputed::Data(reason.to_owned()));
    }
    Ok(Panel::stack(observations)?)
}

/// Whether the score discriminates and is calibrated, by the figures of the choice ([`ChurnFit::chosen`]).
fn quality(fit: &ChurnFit, labelled: bool) -> Vec<Quality> {
    let chosen = fit.chosen();
    let is_used = fit.served() != ChurnServed::BaseRate;
    let discriminates = chosen.auc.low_95 > 0.5 && is_used;
    let area = Quality {
        segment: String::new(),
        criterion: "discriminates",
        metric: match labelled {
            true => "area under the ROC curve on other customers",
            false => "area under the ROC curve out of time",
        }
        .to_owned(),
        value: Some(chosen.auc.value),
        // No area would do where the base rate is no worse in log loss.
        threshold: is_used.then(|| Threshold::at_least(chosen.auc.chance_limit())),
        status: status(discriminates),
        reason: (!discriminates).then(|| match is_used {
            // Why the model is used is no reason against it.
            true => format!(
                "the area is {:.3} (95% interval {:.3} to {:.3}), which chance explains: it is that of the choice, in which each customer is \
                 predicted by the candidate chosen without it",
                chosen.auc.value, chosen.auc.low_95, chosen.auc.high_95
            ),
            false => fit.reason().to_owned(),
        }),
    };
    let table = chosen.calibration.iter();
    let (predicted, observed, rows) = table.fold((0.0, 0.0, 0.0), |(p, o, n), bin| {
        let rows = bin.rows as f64;
        (p + bin.predicted * rows, o + bin.observed * rows, n + rows)
    });
    let calibration = Calibrated {
        error: chosen.calibration_error,
        limit: chosen.calibration_error_limit,
        line: chosen.calibration_line,
        slope_error: chosen.calibration_line.map_or(f64::INFINITY, |line| {
            let of_outcomes = metrics::calibration_slope_error_of_bins(&chosen.calibration, &line);
            of_outcomes * chosen.learning_factor
        }),
        error_of_predictions: 0.0,
        spread: spread(&chosen.calibration),
        means: [predicted / rows, observed / rows],
        rows,
    };
    let mut found = vec![area];
    found.extend(too_good(fit));
    found.extend(calibration.quality(""));
    found.extend(between_dates(fit.dates()));
    found
}

/// Area under the ROC curve above which a model is more likely to know what it is to predict than to predict it.
const TOO_GOOD: f64 = 0.98;

/// Flags a model that hardly errs, with the input that it owes this to.
fn too_good(fit: &ChurnFit) -> Option<Quality> {
    let area = fit.chosen().auc.value;
    if area <= TOO_GOOD || fit.served() == ChurnServed::BaseRate {
        return None;
    }
    let mut candidates = fit.candidates().iter();
    let served = candidates.find(|candidate| candidate.model == fit.served());
    let importances = served.iter().flat_map(|served| &served.importances);
    let most = importances.max_by(|(_, a), (_, b)| a.total_cmp(b));
    let by = most.map_or_else(String::new, |(input, _)| {
        format!(", most of all by `{input}`")
    });
    Some(Quality {
        segment: String::new(),
        criterion: PLAUSIBLE,
        metric: "area under the ROC curve".to_owned(),
        value: Some(area),
        threshold: Some(Threshold::at_most(TOO_GOOD)),
        status: QualityStatus::Flagged,
        reason: Some(format!(
            "it hardly errs{by}: a column that is changed when a customer leaves, such as a status, knows what is to be predicted. If it was known at \
            the earlier dates as it is in the lake today, nothing is to be done; otherwise leave it out by `features`"
        )),
    })
}

/// The criterion of models that are too good.
const PLAUSIBLE: &str = "plausible";
