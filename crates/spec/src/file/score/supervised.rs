//! `kind = "supervised"`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, Calibration, ScoreKind, Source, SourceKind, SupervisedModel, SupervisedScore,
};
use crate::reader::Reader;

use super::{days, source_of};

/// Observation dates of scores that state no number.
const DEFAULT_OBSERVATIONS: u32 = 4;

/// Models that compete where none are named.
const DEFAULT_MODELS: [SupervisedModel; 3] = [
    SupervisedModel::Logistic,
    SupervisedModel::RandomForest,
    SupervisedModel::RecencyRule,
];

pub(super) fn supervised(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let label = table.expression("label");
    let kinds: &[SourceKind] = match label {
        // Any source may state who has churned.
        Some(_) => &[
            SourceKind::Events,
            SourceKind::Intervals,
            SourceKind::Attributes,
        ],
        None => &[SourceKind::Events, SourceKind::Intervals],
    };
    let from = source_of(
        table,
        sources,
        kinds,
        "add `from = \"…\"`: the events or intervals whose end is churn",
    );
    let horizon = days(table, "horizon");
    let every = days(table, "every");
    gaps(table, horizon.as_ref(), every.as_ref());
    let models = table.words("models").unwrap_or_else(|| {
        let default = |model| At::new(model, table.span.clone());
        DEFAULT_MODELS.into_iter().map(default).collect()
    });
    let observations = table.integer("observations", 2..=24);
    let observations = observations.and_then(|number| u32::try_from(number.value).ok());
    let calibration = table.word("calibration");
    let features = table.texts("features").unwrap_or_default();
    let population = table.expression("population");
    let (horizon_days, observations) = match &label {
        Some(_) => {
            without_dates(table);
            (0, 0)
        }
        None => {
            let Some(horizon) = horizon else {
                unknown_outcome(table);
                return None;
            };
            (horizon.value, observations.unwrap_or(DEFAULT_OBSERVATIONS))
        }
    };
    Some(ScoreKind::Supervised(SupervisedScore {
        from,
        label,
        horizon_days,
        population,
        features,
        models,
        observations,
        every_days: every.map_or(horizon_days, |every| every.value),
        calibration: calibration.map_or(Calibration::Platt, |word| word.value),
    }))
}

/// Observation dates must be at least a horizon apart.
fn gaps(table: &Reader<'_>, horizon: Option<&At<u32>>, every: Option<&At<u32>>) {
    if let (Some(horizon), Some(every)) = (horizon, every)
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
}

/// With a label there are no observation dates, so settings of them have no effect.
fn without_dates(table: &Reader<'_>) {
    for key in ["horizon", "observations", "every"] {
        if table.has(key) {
            let message = format!("`{key}` has no effect beside `label`");
            table.notes.add(
                Diagnostic::error("TS-P086", message, table.key_span(key))
                    .with_label("a label that stands in the data is learned from all customers as they are, at no earlier date")
                    .with_help(format!("remove `{key}`; or remove `label`, and churn is found in the rows of `from`")),
            );
        }
    }
}

/// Neither `horizon` nor `label`.
fn unknown_outcome(table: &Reader<'_>) {
    // What is written and is no duration was noted.
    if !table.has("horizon") {
        let message = format!("{} has neither `horizon` nor `label`", table.name);
        table.notes.add(
            Diagnostic::error("TS-P087", message, table.span.clone()).with_help(
                "add `horizon = \"90d\"`: how far ahead it looks, in whole days or weeks; or `label = \"…\"`: who has churned, where the data states it",
            ),
        );
    }
}
