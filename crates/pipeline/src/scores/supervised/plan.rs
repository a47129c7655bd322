//! What is fitted: the candidates, and the recency rule where the feature that it reads is about the rows of the score.

use tessera_features::FeatureInfo;
use tessera_model::churn::{CalibrationKind, ChurnModel, ChurnPlan};
use tessera_segments::Quality;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::SourceKind;

use super::super::inputs::features;
use super::super::{Given, not_computed};
use super::FIT_ROWS;
use super::settings::{Calibration, SupervisedModel, SupervisedScore};
use crate::prepared::Prepared;

/// The catalogue feature that the recency rule reads.
const RECENCY: &str = "recency_days";

pub(super) fn plan(
    score: &SupervisedScore,
    features: &[&FeatureInfo],
    prepared: &Prepared,
) -> ChurnPlan {
    let models = score.models.iter().filter_map(|model| match model.value {
        SupervisedModel::Logistic => Some(ChurnModel::Logistic),
        SupervisedModel::RandomForest => Some(ChurnModel::RandomForest),
        // Always among the candidates.
        SupervisedModel::RecencyRule => None,
    });
    let has_recency = features.iter().any(|info| info.name == RECENCY);
    let is_own = recency_of_another(score, &prepared.pipeline).is_none();
    ChurnPlan {
        models: models.collect(),
        recency: (has_recency && is_own).then(|| RECENCY.to_owned()),
        calibration: match score.calibration {
            Calibration::Platt => CalibrationKind::Platt,
            Calibration::Isotonic => CalibrationKind::Isotonic,
            Calibration::None => CalibrationKind::None,
        },
        // Without dates there are no days between them.
        horizon_days: score.horizon_days.max(1),
        seed: prepared.pipeline.seed,
        max_rows: FIT_ROWS,
    }
}

/// The source whose rows recency is counted from, where the score is about the rows of another source of events: how long a customer has
/// been away is then not what it counts.
fn recency_of_another<'p>(score: &SupervisedScore, pipeline: &'p Pipeline) -> Option<&'p str> {
    let from = pipeline.source(&score.from.value)?;
    let orders = tessera_features::orders(pipeline)?;
    let is_other = from.kind == SourceKind::Events && from.name.value != orders.name.value;
    is_other.then_some(orders.name.value.as_str())
}

/// States that there is no recency rule where recency is that of another source.
pub(super) fn without_rule(score: &SupervisedScore, given: &Given<'_>) -> Vec<Quality> {
    let features = features(score, given.name, given.prepared);
    let has_recency = features.iter().any(|info| info.name == RECENCY);
    let other = recency_of_another(score, &given.prepared.pipeline);
    let row = other.filter(|_| has_recency).map(|orders| {
        let from = &score.from.value;
        let reason = format!(
            "`{RECENCY}` counts from the last row of `{orders}`, and this score is about rows of `{from}`: the rule to beat is the base rate"
        );
        not_computed("recency rule", reason)
    });
    row.into_iter().collect()
}
