//! The keys of `kind = "contractual"`, how they are read, and the columns that it adds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::{
    At, Direction, Line, RenewalPeriod, ScoreColumn, ScoreKind, ScoreSettings, Source, SourceKind,
    Unit,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue};

use super::super::keys::{HORIZON, discount_per_year, horizon, refuse_money, several, source_of};

/// A renewal period that is not stated.
const DEFAULT_PERIOD: RenewalPeriod = RenewalPeriod::Months(1);

/// Models if none are named; the first is used.
const DEFAULT_MODELS: [RenewalKind; 2] = [RenewalKind::Bdw, RenewalKind::Sbg];

/// `kind = "…"`.
pub(super) const NAME: &str = "contractual";

/// `kind = "contractual"`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ContractualScore {
    /// Intervals source with the contracts.
    pub(super) from: At<String>,
    /// Renewal models, at least one: the first is used, the others are fitted and reported for comparison.
    pub(super) models: Vec<At<RenewalKind>>,
    /// One renewal period; a month by default.
    #[serde(flatten)]
    pub(super) period: RenewalPeriod,
    /// Days that are predicted.
    pub(super) horizon_days: u32,
    /// Discount per year; 0.1 by default.
    pub(super) discount_per_year: f64,
    /// Numeric feature with the money of one period; without it only time is predicted.
    pub(super) value: Option<At<String>>,
}

/// Models of renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum RenewalKind {
    /// Shifted beta-geometric (Fader & Hardie 2007).
    Sbg,
    /// Beta discrete Weibull: hazards may rise or fall (Fader, Hardie et al. 2018).
    Bdw,
}

const FROM: Key = Key::required(
    "from",
    KeyValue::Text,
    "Intervals source with the contracts.",
    "add `from = \"…\"`: the intervals that are contracts",
);

const MODELS: Key = Key::optional(
    "models",
    KeyValue::Of(several::<RenewalKind>),
    "Models of renewal (`bdw`, `sbg`): the first is used, others are reported for comparison; [bdw, sbg] by default.",
);

const PERIOD: Key = Key::optional(
    "period",
    KeyValue::Period,
    "One renewal period, counted from the first day of each contract: calendar months or years (`1mo`, `1y`), days or weeks; `1mo` by default.",
);

const DISCOUNT: Key = Key::optional(
    "discount_per_year",
    KeyValue::Number(0.0, 1.0),
    "Discount of money per year; 0.1 by default. Only with `value`.",
);

const VALUE: Key = Key::optional(
    "value",
    KeyValue::Text,
    "Numeric feature with the money of one period; without it only time is predicted.",
);

/// The keys, in the order of the documentation.
pub(super) const KEYS: &[Key] = &[FROM, MODELS, PERIOD, HORIZON, DISCOUNT, VALUE];

impl ScoreSettings for ContractualScore {
    fn line(&self, name: &str) -> Option<Line> {
        Some(Line {
            source: self.from.value.clone(),
            known: format!("{name}_survival_probability"),
        })
    }

    fn columns(&self, name: &str) -> Vec<ScoreColumn> {
        let mut columns = vec![
            ScoreColumn::new(
                format!("{name}_survival_probability"),
                Unit::Ratio,
                (
                    "probability that a current contract outlasts the horizon",
                    "probability that the contract goes on",
                    Direction::High,
                ),
            )
            .ahead("for", self.horizon_days),
            ScoreColumn::new(
                format!("{name}_remaining_days"),
                Unit::Days,
                (
                    "expected remaining lifetime within the horizon",
                    "expected remaining days of the contract",
                    Direction::High,
                ),
            )
            .ahead("in", self.horizon_days),
        ];
        if self.value.is_some() {
            let value = ScoreColumn::new(
                format!("{name}_residual_value"),
                Unit::Currency,
                (
                    "expected discounted money of the renewals within the horizon",
                    "expected value of the remaining contract",
                    Direction::High,
                ),
            );
            columns.push(value.ahead("in", self.horizon_days));
        }
        columns
    }
}

/// Reads the table.
pub(super) fn read(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(table, sources, &[SourceKind::Intervals], &FROM);
    let models = table.words(MODELS.name).unwrap_or_else(|| {
        let default = |model| At::new(model, table.span.clone());
        DEFAULT_MODELS.into_iter().map(default).collect()
    });
    let (period, horizon) = (table.period(PERIOD.name), horizon(table));
    if !table.has(VALUE.name) {
        refuse_money(
            table,
            &[&DISCOUNT],
            "add `value = \"…\"`, the feature with the money of one period, or remove this",
        );
    }
    let discount_per_year = discount_per_year(table, &DISCOUNT);
    let value = table.text(VALUE.name);
    let settings = ContractualScore {
        from,
        models,
        period: period.unwrap_or(DEFAULT_PERIOD),
        horizon_days: horizon?,
        discount_per_year,
        value,
    };
    Some(ScoreKind::new(NAME, settings))
}
