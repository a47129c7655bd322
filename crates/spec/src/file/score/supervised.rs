//! `kind = "supervised"`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, Calibration, ScoreKind, Source, SourceKind, SupervisedModel, SupervisedScore,
};
use crate::reader::Reader;

use super::{days, horizon, source_of};

/// Observation dates of scores that state no number.
const DEFAULT_OBSERVATIONS: u32 = 4;

/// Models that compete where none are named.
const DEFAULT_MODELS: [SupervisedModel; 3] = [
    SupervisedModel::Logistic,
    SupervisedModel::RandomForest,
    SupervisedModel::RecencyRule,
];

pub(super) fn supervised(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(
        table,
        sources,
        &[SourceKind::Events, SourceKind::Intervals],
        "add `from = \"…\"`: the events or intervals whose end is churn",
    );
    let horizon = horizon(table);
    let every = days(table, "every");
    if let (Some(horizon), Some(every)) = (&horizon, &every)
        && every.value < horizon.value
    {
        let message = "`every` must not be shorter than `horizon`";
        table.notes.add(
            Diagnostic::error("TS-P044", message, every.span.clone())
                .with_label(format!(
                    "{} days between observation dates, {} days of horizon",
                    every.value, horizon.value
                ))
                .with_note(
                    "otherwise labels of the training dates overlap the dates on which the models are tested",
                )
                .with_help("remove `every`: then the observation dates are one horizon apart"),
        );
    }
    let models = table.words("models").unwrap_or_else(|| {
        let default = |model| At::new(model, table.span.clone());
        DEFAULT_MODELS.into_iter().map(default).collect()
    });
    let observations = table.integer("observations", 2..=24);
    let observations = observations.and_then(|number| u32::try_from(number.value).ok());
    let calibration = table.word("calibration");
    let features = table.texts("features").unwrap_or_default();
    let population = table.expression("population");
    let horizon_days = horizon?.value;
    Some(ScoreKind::Supervised(SupervisedScore {
        from,
        horizon_days,
        population,
        features,
        models,
        observations: observations.unwrap_or(DEFAULT_OBSERVATIONS),
        every_days: every.map_or(horizon_days, |every| every.value),
        calibration: calibration.map_or(Calibration::Platt, |word| word.value),
    }))
}
