//! `kind = "supervised"`: the probability of churn, learnt from the features at earlier dates and from who churned after them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use chrono::NaiveDate;
use tessera_expr::Type;
use tessera_expr::rel::Agg;
use tessera_features::FeatureInfo;
use tessera_model::churn::{
    CalibrationKind, ChurnError, ChurnFit, ChurnModel, ChurnPlan, Inputs, Observation, Panel,
};
use tessera_segments::{Parameter, Quality, QualityStatus};
use tessera_spec::pipeline::{Calibration, SourceKind, SupervisedModel, SupervisedScore};
use xxhash_rust::xxh3::xxh3_64;

use super::churned::{self, Span};
use super::columns::{days, floats, texts};
use super::{Asked, CalibrationRow, Given, NotComputed, ScoreModel, Scored};
use crate::prepare::Prepared;
use crate::sources::epoch_day;

/// Largest number of rows that one fit sees: what a forest learns from more shows in the third digit, and takes minutes.
const FIT_ROWS: usize = 30_000;

/// Largest number of rows kept of all observation dates together; beyond, a sample of customers.
const PANEL_ROWS: usize = 4 * FIT_ROWS;

/// The catalogue feature that the recency rule reads.
const RECENCY: &str = "recency_days";

impl From<ChurnError> for NotComputed {
    fn from(error: ChurnError) -> Self {
        Self::Data(error.to_string())
    }
}

impl ScoreModel for SupervisedScore {
    fn hidden(&self, asked: &Asked<'_>) -> Vec<(String, Vec<Agg>)> {
        let from = &self.from.value;
        let mut wanted = spans(self, asked.as_of);
        let source = asked.pipeline.source(from);
        if source.is_some_and(|source| source.kind == SourceKind::Intervals) {
            wanted.push(today(asked.as_of));
        }
        vec![(from.clone(), churned::hidden(asked, from, &wanted))]
    }

    fn observations(&self, as_of: NaiveDate) -> Vec<NaiveDate> {
        spans(self, as_of)
            .iter()
            .map(|span| span.observed)
            .collect()
    }

    fn compute(&self, given: &Given<'_>) -> Result<Scored, NotComputed> {
        let features = features(self, given.prepared);
        let panel = panel(self, given, &features)?;
        let plan = plan(self, &features, given.prepared.pipeline.seed);
        let fit = ChurnFit::fit(&panel, &plan)?;
        drop(panel);
        let inputs = inputs(given.table, &features, given.prepared.as_of, None)?;
        let probabilities = fit.probabilities(&inputs)?;
        let reasons = fit.reasons(&inputs)?;
        let eligible = eligible(self, given)?;
        let name = given.name;
        let probability: Float64Array = probabilities
            .iter()
            .zip(&eligible)
            .map(|(p, eligible)| eligible.then_some(*p))
            .collect();
        let mut columns: BTreeMap<String, ArrayRef> = BTreeMap::new();
        columns.insert(format!("{name}_probability"), Arc::new(probability));
        for rank in 0..3 {
            let texts: StringArray = reasons
                .iter()
                .zip(&eligible)
                .map(|(reasons, eligible)| {
                    let reason = reasons[rank].as_ref().filter(|_| *eligible)?;
                    Some(reason.text.clone())
                })
                .collect();
            columns.insert(format!("{name}_reason_{}", rank + 1), Arc::new(texts));
        }
        let parameters = fit.parameters().into_iter().map(|row| Parameter {
            // Every score says under the same name what serves.
            model: match row.name.as_str() {
                "served" | "reason" => "choice".to_owned(),
                _ => row.model,
            },
            name: row.name,
            value: row.value.filter(|value| value.is_finite()),
            text: row.text,
        });
        let calibration = fit.calibration().into_iter().map(|row| CalibrationRow {
            model: row.model,
            bin: i64::from(row.bin),
            predicted: row.predicted,
            observed: row.observed,
            customers: row.customers as i64,
            lift: row.lift,
        });
        Ok(Scored {
            columns,
            parameters: parameters.collect(),
            calibration: calibration.collect(),
            quality: vec![quality(&fit)],
        })
    }
}

/// The observation dates with the days after them: the newest a horizon before the date of the run, oldest first.
fn spans(score: &SupervisedScore, as_of: NaiveDate) -> Vec<Span> {
    (0..score.observations)
        .rev()
        .filter_map(|back| Span::ending(as_of, back * score.every_days, score.horizon_days))
        .collect()
}

fn today(as_of: NaiveDate) -> Span {
    Span {
        observed: as_of,
        days: 0,
    }
}

/// The features that the models see.
fn features<'p>(score: &SupervisedScore, prepared: &'p Prepared) -> Vec<&'p FeatureInfo> {
    let wanted = |info: &&FeatureInfo| {
        score.features.is_empty() || score.features.iter().any(|f| f.value == info.name)
    };
    prepared.features.published.iter().filter(wanted).collect()
}

fn plan(score: &SupervisedScore, features: &[&FeatureInfo], seed: u64) -> ChurnPlan {
    let models = score.models.iter().filter_map(|model| match model.value {
        SupervisedModel::Logistic => Some(ChurnModel::Logistic),
        SupervisedModel::RandomForest => Some(ChurnModel::RandomForest),
        // Always among the candidates.
        SupervisedModel::RecencyRule => None,
    });
    let has_recency = features.iter().any(|info| info.name == RECENCY);
    ChurnPlan {
        models: models.collect(),
        recency: has_recency.then(|| RECENCY.to_owned()),
        calibration: match score.calibration {
            Calibration::Platt => CalibrationKind::Platt,
            Calibration::Isotonic => CalibrationKind::Isotonic,
            Calibration::None => CalibrationKind::None,
        },
        horizon_days: score.horizon_days,
        seed,
        max_rows: FIT_ROWS,
    }
}

/// What was known at each observation date, and who churned after it.
fn panel(
    score: &SupervisedScore,
    given: &Given<'_>,
    features: &[&FeatureInfo],
) -> Result<Panel, NotComputed> {
    let dates = spans(score, given.prepared.as_of);
    let most = PANEL_ROWS / dates.len().max(1);
    let mut observations = Vec::new();
    for span in dates {
        let Some(then) = given.past.get(&span.observed) else {
            continue;
        };
        let outcomes = churned::outcomes(given, span, then)?;
        let customers = customer_hashes(then.column(0));
        let share = most as f64 / then.num_rows().max(1) as f64;
        let mut rows = Vec::new();
        let (mut churned, mut customer) = (Vec::new(), Vec::new());
        for (row, outcome) in outcomes.into_iter().enumerate() {
            let Some(outcome) = outcome else { continue };
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
        let reason = "no earlier date has customers whose outcome is known: the lake does not reach back far enough for the horizon";
        return Err(NotComputed::Data(reason.to_owned()));
    }
    Ok(Panel::stack(observations)?)
}

/// The features as a model reads them: numbers, labels, and dates as days before the date.
fn inputs(
    table: &RecordBatch,
    features: &[&FeatureInfo],
    as_of: NaiveDate,
    rows: Option<&[u32]>,
) -> Result<Inputs, NotComputed> {
    let chosen;
    let table = match rows {
        Some(rows) => {
            let rows = arrow::array::UInt32Array::from(rows.to_vec());
            chosen = arrow::compute::take_record_batch(table, &rows)
                .map_err(crate::error::PipelineError::from)?;
            &chosen
        }
        None => table,
    };
    let mut inputs = Inputs::new(table.num_rows());
    for info in features {
        let name = &info.name;
        inputs = match info.ty {
            Type::String => inputs.label(name, texts(table, name)?.iter())?,
            Type::Date | Type::Timestamp => {
                let today = epoch_day(as_of);
                let age = |day: Option<i32>| day.map_or(f64::NAN, |day| f64::from(today - day));
                let ages = days(table, name)?.into_iter().map(age).collect();
                inputs.number(name, ages)?
            }
            Type::Bool | Type::Int | Type::Float | Type::Decimal { .. } | Type::Null => {
                inputs.number(name, floats(table, name)?)?
            }
        };
    }
    Ok(inputs)
}

/// Who can churn at the date of the run: everybody, or those with a running interval.
fn eligible(score: &SupervisedScore, given: &Given<'_>) -> Result<Vec<bool>, NotComputed> {
    let source = given.prepared.pipeline.source(&score.from.value);
    if source.is_none_or(|source| source.kind != SourceKind::Intervals) {
        return Ok(vec![true; given.table.num_rows()]);
    }
    let outcomes = churned::outcomes(given, today(given.prepared.as_of), given.table)?;
    Ok(outcomes.iter().map(Option::is_some).collect())
}

/// A number per key that never changes.
fn customer_hashes(keys: &ArrayRef) -> Vec<u64> {
    match keys.data_type() {
        DataType::Int64 => {
            let keys = keys.as_primitive::<Int64Type>();
            let hash = |row: usize| xxh3_64(&keys.value(row).to_le_bytes());
            (0..keys.len()).map(hash).collect()
        }
        _ => {
            let keys = keys.as_string::<i32>();
            let hash = |row: usize| xxh3_64(keys.value(row).as_bytes());
            (0..keys.len()).map(hash).collect()
        }
    }
}

/// Whether a model serves, or only a rule or the base rate.
fn quality(fit: &ChurnFit) -> Quality {
    let served = fit.candidates().iter().find(|c| c.model == fit.served());
    let auc = served.map(|candidate| candidate.auc);
    let discriminates = auc.is_some_and(|auc| auc.low_95 > 0.5);
    Quality {
        segment: String::new(),
        criterion: "discriminates",
        metric: "area under the ROC curve out of time".to_owned(),
        value: auc.map(|auc| auc.value),
        threshold: Some(0.5),
        status: if discriminates {
            QualityStatus::Ok
        } else {
            QualityStatus::Flagged
        },
        reason: (!discriminates).then(|| fit.reason().to_owned()),
    }
}
