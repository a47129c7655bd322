//! The keys of `kind = "supervised"`, how they are read, and the columns that it adds.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{
    At, Direction, ExprText, Line, Loss, ScoreColumn, ScoreKind, ScoreSettings, Source, SourceKind,
    Unit,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, shape_of};

use super::super::keys::{several, source_of};

/// Suffix of the column that states why a customer has no probability.
pub(crate) const EXCLUDED: &str = "_excluded";

/// Observation dates of scores that state no number.
const DEFAULT_OBSERVATIONS: u32 = 4;

/// Models that compete where none are named.
const DEFAULT_MODELS: [SupervisedModel; 3] = [
    SupervisedModel::Logistic,
    SupervisedModel::RandomForest,
    SupervisedModel::RecencyRule,
];

/// `kind = "…"`.
pub(crate) const NAME: &str = "supervised";

/// `kind = "supervised"`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SupervisedScore {
    /// Churned are, with events, customers without a row within the horizon; with intervals, customers whose last interval
    /// ends within it.
    pub(crate) from: At<String>,
    /// Condition over features that says who has churned, where the data states it: what the models learn, from all customers as
    /// they are today and tested on other customers, not at a later date.
    pub(crate) label: Option<ExprText>,
    /// Days after an observation date in which churn is looked for; 0 with a label.
    pub(crate) horizon_days: u32,
    /// Condition over features that says who can churn at a date; when absent, who is alive by the label's own definition: an
    /// event within the horizon before the date, or a running interval.
    pub(crate) population: Option<ExprText>,
    /// Features the models see; every published feature when empty.
    pub(crate) features: Vec<At<String>>,
    /// Models that are compared; the recency rule and the base rate always are.
    pub(crate) models: Vec<At<SupervisedModel>>,
    /// Observation dates before `as_of`, the newest a horizon before it; 4 by default, none with a label.
    pub(crate) observations: u32,
    /// Days between observation dates; the horizon by default, so that labels do not overlap.
    pub(crate) every_days: u32,
    /// How raw probabilities are corrected on a held-out slice.
    pub(crate) calibration: Calibration,
}

/// Models of churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SupervisedModel {
    /// Logistic regression.
    Logistic,
    /// Random forest.
    RandomForest,
    /// Days since the last event alone.
    RecencyRule,
}

/// Correction of raw probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Calibration {
    /// A logistic curve through the log-odds (Platt 1999).
    Platt,
    /// A rising step function (pool adjacent violators).
    Isotonic,
    /// No correction.
    None,
}

const FROM: Key = Key::required(
    "from",
    KeyValue::Text,
    "Churned are, with events, customers without a row within the horizon; with intervals, customers whose last interval ends \
     within it.",
    "add `from = \"…\"`: the events or intervals whose end is churn",
);

const HORIZON: Key = Key::optional(
    "horizon",
    KeyValue::Days,
    "How far ahead it looks: whole days or weeks, such as `90d`, `12w`. Required without `label`.",
);

const LABEL: Key = Key::optional(
    "label",
    KeyValue::Condition,
    "Condition over features that says who has churned, such as `churned = 'Yes'`, where the data states it. `from` is then the \
     source that does, and there are no dates: models learn from all customers as they are, and are tested on other customers.",
);

const POPULATION: Key = Key::optional(
    "population",
    KeyValue::Condition,
    "Condition over features that says who can churn, at the date of the run and at each observation date: by default who had an \
     event within one horizon before the date, or has a running interval. Who never bought is never among them.",
);

const FEATURES: Key = Key::optional(
    "features",
    KeyValue::Of(features_shape),
    "Features the models see; every published feature by default.",
);

const MODELS: Key = Key::optional(
    "models",
    KeyValue::Of(several::<SupervisedModel>),
    "Models that are compared with the recency rule and the base rate; all three (`logistic`, `random_forest`, `recency_rule`) by \
     default. With both of the first, the mean of their log-odds (`combined`) is a candidate too. The one with the best log loss out of \
     time is used.",
);

const OBSERVATIONS: Key = Key::optional(
    "observations",
    KeyValue::Whole(2, 24),
    "Observation dates before `as_of`, the newest a horizon before it; 4 by default.",
);

const EVERY: Key = Key::optional(
    "every",
    KeyValue::Days,
    "Time from one observation date to the next, at least the horizon; the horizon by default.",
);

const CALIBRATION: Key = Key::optional(
    "calibration",
    KeyValue::Of(shape_of::<Calibration>),
    "How raw probabilities are corrected on a held-out slice: `platt` (default), `isotonic` or `none`.",
);

/// The keys, in the order of the documentation.
pub(crate) const KEYS: &[Key] = &[
    FROM,
    HORIZON,
    LABEL,
    POPULATION,
    FEATURES,
    MODELS,
    OBSERVATIONS,
    EVERY,
    CALIBRATION,
];

/// Names, none twice.
fn features_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string"}, "uniqueItems": true})
}

impl ScoreSettings for SupervisedScore {
    fn columns(&self, name: &str) -> Vec<ScoreColumn> {
        let Loss {
            probability,
            excluded,
            ..
        } = self.lost(name);
        // A source that states who has churned has no horizon.
        let about = match self.label {
            None => "probability of churn within the horizon; null for who cannot churn",
            Some(_) => "probability of churn; null for who cannot churn",
        };
        let meaning = (about, "churn probability", Direction::Low);
        let probability = ScoreColumn::new(probability, Unit::Ratio, meaning);
        let mut columns = vec![match self.label {
            None => probability.ahead("in", self.horizon_days),
            Some(_) => probability,
        }];
        let mut detail = |name, about, label| {
            let column = ScoreColumn::new(name, Unit::Label, (about, label, Direction::None));
            columns.push(column.detail());
        };
        detail(
            excluded,
            "why there is no probability: who never bought or churned before cannot churn",
            "why there is no probability of churn",
        );
        for (rank, label) in [
            (1, "first reason of the probability of churn"),
            (2, "second reason of the probability of churn"),
            (3, "third reason of the probability of churn"),
        ] {
            let about = "what moves the probability most away from that of a typical customer";
            detail(format!("{name}_reason_{rank}"), about, label);
        }
        detail(
            format!("{name}_reasons_direction"),
            "`raises` where the probability is at least the base rate and the reasons raise it, else `lowers`",
            "whether the reasons raise or lower the probability of churn",
        );
        columns
    }

    fn loss(&self, name: &str) -> Option<Loss> {
        Some(self.lost(name))
    }

    fn line(&self, name: &str) -> Option<Line> {
        Some(Line {
            source: self.from.value.clone(),
            known: self.lost(name).probability,
        })
    }
}

impl SupervisedScore {
    fn lost(&self, name: &str) -> Loss {
        Loss {
            probability: format!("{name}_probability"),
            excluded: format!("{name}{EXCLUDED}"),
            horizon_days: self.horizon_days,
        }
    }
}

/// Reads the table.
pub(crate) fn read(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let label = table.expression(LABEL.name);
    let kinds: &[SourceKind] = match label {
        // Any source may state who has churned.
        Some(_) => &[
            SourceKind::Events,
            SourceKind::Intervals,
            SourceKind::Attributes,
        ],
        None => &[SourceKind::Events, SourceKind::Intervals],
    };
    let from = source_of(table, sources, kinds, &FROM);
    let horizon = table.days(HORIZON.name);
    let every = table.days(EVERY.name);
    gaps(table, horizon.as_ref(), every.as_ref());
    let models = table.words(MODELS.name).unwrap_or_else(|| {
        let default = |model| At::new(model, table.span.clone());
        DEFAULT_MODELS.into_iter().map(default).collect()
    });
    let observations = table.whole(&OBSERVATIONS);
    let calibration = table.word(CALIBRATION.name);
    let features = features(table);
    let population = table.expression(POPULATION.name);
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
    let settings = SupervisedScore {
        from,
        label,
        horizon_days,
        population,
        features,
        models,
        observations,
        every_days: every.map_or(horizon_days, |every| every.value),
        calibration: calibration.map_or(Calibration::Platt, |word| word.value),
    };
    Some(ScoreKind::new(NAME, settings))
}

/// The features that the models see; a list without one means all of them, which is said.
fn features(table: &Reader<'_>) -> Vec<At<String>> {
    let features = table.texts(FEATURES.name).unwrap_or_default();
    if table.is_empty(FEATURES.name) {
        let message = format!(
            "`{}` of {} is empty, so the models see every published feature",
            FEATURES.name, table.name
        );
        let span = table.value_span(FEATURES.name);
        let warning = Diagnostic::warning("TS-P009", message, span);
        table.note(warning.with_help("name features, or remove the key, which means the same"));
    }
    features
}

/// Observation dates must be at least a horizon apart.
fn gaps(table: &Reader<'_>, horizon: Option<&At<u32>>, every: Option<&At<u32>>) {
    if let (Some(horizon), Some(every)) = (horizon, every)
        && every.value < horizon.value
    {
        let message = "`every` must not be shorter than `horizon`";
        table.note(
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
    for key in [HORIZON.name, OBSERVATIONS.name, EVERY.name] {
        if table.has(key) {
            let message = format!("`{key}` has no effect beside `label`");
            table.note(
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
    if !table.has(HORIZON.name) {
        let message = format!("{} has neither `horizon` nor `label`", table.name);
        table.note(
            Diagnostic::error("TS-P087", message, table.span.clone()).with_help(
                "add `horizon = \"90d\"`: how far ahead it looks, in whole days or weeks; or `label = \"…\"`: who has churned, where the data states it",
            ),
        );
    }
}
