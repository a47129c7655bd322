//! The keys of `kind = "clv"`, how they are read, and the columns that it adds.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{
    At, Direction, Meaning, ScoreColumn, ScoreInterval, ScoreKind, ScoreSettings, Source,
    SourceKind, Unit,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, shape_of};

use super::super::keys::{
    HORIZON, discount_per_year, horizon, number_that, refuse_money, source_of,
};

/// `kind = "…"`.
pub(super) const NAME: &str = "clv";

/// `kind = "clv"`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ClvScore {
    /// Events source whose rows are purchases.
    pub(super) from: At<String>,
    /// Purchase models, at least one: the first is used, the others are fitted and reported for comparison.
    pub(super) purchases: Vec<At<PurchaseModel>>,
    /// Whether spend and lifetime value are modelled (Gamma-Gamma).
    pub(super) spend: bool,
    /// Unit in which time is counted; weeks by default.
    pub(super) time_unit: PurchaseTimeUnit,
    /// Days that are predicted.
    pub(super) horizon_days: u32,
    /// Days before `as_of` that are held out for the backtest; 91, at most the horizon, when absent.
    pub(super) holdout_days: Option<u32>,
    /// Discount per year; 0.1 by default.
    pub(super) discount_per_year: f64,
    /// Share of spend that is margin; 1 by default, so that lifetime value is spend.
    pub(super) margin: f64,
    /// Prefix of the names of its columns; empty by default.
    pub(super) prefix: String,
}

/// Models of how often customers buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PurchaseModel {
    /// Fader, Hardie & Lee 2005.
    BgNbd,
    /// Batislam, Denizel & Filiztekin 2007.
    MbgNbd,
    /// Schmittlein, Morrison & Colombo 1987.
    ParetoNbd,
    /// Ehrenberg 1959: nobody leaves.
    Nbd,
}

/// Time unit of a purchase model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PurchaseTimeUnit {
    Days,
    Weeks,
}

/// Models as the file names them: of how often customers buy, and of what they spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ClvModel {
    /// Purchases: Fader, Hardie & Lee 2005.
    BgNbd,
    /// Purchases: Batislam, Denizel & Filiztekin 2007; customers may stop right after the first.
    MbgNbd,
    /// Purchases: Schmittlein, Morrison & Colombo 1987.
    ParetoNbd,
    /// Purchases: Ehrenberg 1959; nobody leaves.
    Nbd,
    /// Spend per purchase: Fader & Hardie 2013.
    GammaGamma,
}

const FROM: Key = Key::required(
    "from",
    KeyValue::Text,
    "Events source whose rows are purchases.",
    "add `from = \"…\"`: the events that are purchases",
);

const MODELS: Key = Key::required(
    "models",
    KeyValue::Of(models_shape),
    "At least one model of purchases (`bg_nbd`, `mbg_nbd`, `pareto_nbd` or `nbd`): the first is used, the others are reported for \
     comparison; `gamma_gamma` adds spend and lifetime value.",
    "add `models = [\"mbg_nbd\", \"gamma_gamma\"]`, or bg_nbd, pareto_nbd, nbd for purchases",
);

const TIME_UNIT: Key = Key::optional(
    "time_unit",
    KeyValue::Of(shape_of::<PurchaseTimeUnit>),
    "Unit in which the models count time: `weeks` (default) or `days`.",
);

const HOLDOUT: Key = Key::optional(
    "holdout",
    KeyValue::Days,
    "Time before `as_of` that is held out for the backtest; by default 91 days, at most the horizon. Predictions beyond it are not tested: \
     with enough history, state as much of the horizon as leaves as long a time before it.",
);

const DISCOUNT: Key = Key::optional(
    "discount_per_year",
    KeyValue::Number(0.0, 1.0),
    "Discount of money per year; 0.1 by default. Only with `gamma_gamma`.",
);

const MARGIN: Key = Key::optional(
    "margin",
    KeyValue::Of(margin_shape),
    "Share of spend that is margin, above 0, up to 1; 1 by default, so that lifetime value is spend. Only with `gamma_gamma`.",
);

const PREFIX: Key = Key::optional(
    "prefix",
    KeyValue::Of(prefix_shape),
    "Prefix of its column names (`clv`, `alive_probability`, …), so that one pipeline can have two such scores; none by default.",
);

/// The keys, in the order of the documentation.
pub(super) const KEYS: &[Key] = &[
    FROM, MODELS, TIME_UNIT, HORIZON, HOLDOUT, DISCOUNT, MARGIN, PREFIX,
];

fn models_shape(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<ClvModel>();
    json_schema!({
        "type": "array", "items": items, "minItems": 1, "uniqueItems": true,
        "contains": {"enum": ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"]},
    })
}

fn margin_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
}

fn prefix_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]*$"})
}

/// The expected values, each with its 80 and 95% interval.
pub(super) const ESTIMATES: [(&str, Unit, Meaning); 5] = [
    (
        "alive_probability",
        Unit::Ratio,
        (
            "probability that the customer will buy again at all",
            "probability of buying again",
            Direction::High,
        ),
    ),
    (
        "expected_purchases",
        Unit::Count,
        (
            "expected purchases within the horizon",
            "expected purchases",
            Direction::High,
        ),
    ),
    (
        "no_purchase_probability",
        Unit::Ratio,
        (
            "probability of no purchase within the horizon",
            "probability of no purchase",
            Direction::Low,
        ),
    ),
    (
        "expected_spend",
        Unit::Currency,
        (
            "expected spend per purchase",
            "expected money of a purchase",
            Direction::High,
        ),
    ),
    (
        "clv",
        Unit::Currency,
        (
            "residual lifetime value within the horizon: margin, discounted",
            "lifetime value (margin)",
            Direction::High,
        ),
    ),
];

impl ClvScore {
    /// The column of an estimate: what depends on the horizon states it, and without a margin money is what is spent.
    fn column(&self, name: String, unit: Unit, meaning: Meaning) -> ScoreColumn {
        let (about, ..) = meaning;
        let mut column = ScoreColumn::new(name, unit, meaning);
        if unit == Unit::Currency && !self.has_margin() {
            column.about = about.replace("margin", "spend, since no margin is stated");
            column.label = column.label.replace("(margin)", "(spend)");
        }
        if about.contains("the horizon") {
            return column.ahead("in", self.horizon_days);
        }
        column
    }

    /// Whether a part of what is spent is margin.
    fn has_margin(&self) -> bool {
        self.margin < 1.0
    }

    /// What is modelled: of [`ESTIMATES`] all, or those without money.
    fn estimates(&self) -> &'static [(&'static str, Unit, Meaning)] {
        &ESTIMATES[..if self.spend { 5 } else { 3 }]
    }
}

impl ScoreSettings for ClvScore {
    fn intervals(&self, _: &str) -> Vec<ScoreInterval> {
        let estimates = self.estimates().iter();
        let named = estimates.map(|(name, ..)| format!("{}{name}", self.prefix));
        named.map(ScoreInterval::of).collect()
    }

    fn columns(&self, score: &str) -> Vec<ScoreColumn> {
        let prefix = &self.prefix;
        let mut columns = Vec::new();
        let intervals = self.intervals(score).into_iter();
        for (interval, (_, unit, meaning)) in intervals.zip(self.estimates()) {
            let column = |name: String| self.column(name, *unit, *meaning);
            columns.push(column(interval.estimate));
            columns.extend(interval.ends.map(|end| column(end).detail()));
        }
        if self.spend {
            let (about, label) = if self.has_margin() {
                ("margin of what was spent so far", "margin so far")
            } else {
                (
                    "what was spent so far: no margin is stated",
                    "spend so far (no margin is stated)",
                )
            };
            let meaning = (about, label, Direction::High);
            let name = format!("{prefix}past_value");
            columns.push(ScoreColumn::new(name, Unit::Currency, meaning).observed());
        }
        let meaning = (
            "the model of purchases that served: the first of the pipeline, or its fallback model",
            "model of purchases",
            Direction::None,
        );
        let fallback = ScoreColumn::new(format!("{prefix}model_fallback"), Unit::Label, meaning);
        columns.push(fallback.detail());
        columns
    }

    fn prefix_key(&self) -> Option<&'static str> {
        Some(PREFIX.name)
    }
}

/// Reads the table.
pub(super) fn read(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(table, sources, &[SourceKind::Events], &FROM);
    let models = models(table);
    let spend = |models: &[At<ClvModel>]| models.iter().any(|m| m.value == ClvModel::GammaGamma);
    if models.as_deref().is_some_and(|models| !spend(models)) {
        refuse_money(
            table,
            &[&DISCOUNT, &MARGIN],
            "add \"gamma_gamma\", which models spend, to `models`, or remove this",
        );
    }
    let time_unit = table.word(TIME_UNIT.name);
    let (horizon, holdout) = (horizon(table), table.days(HOLDOUT.name));
    let discount_per_year = discount_per_year(table, &DISCOUNT);
    let margin = number_that(
        table,
        MARGIN.name,
        |share| share > 0.0 && share <= 1.0,
        "a share above 0, up to 1",
        "with 0.3, 30 of 100 spent are margin; without the key lifetime value is spend",
    );
    let prefix = prefix(table);
    let models = models?;
    let settings = ClvScore {
        from,
        spend: spend(&models),
        purchases: purchases(models),
        time_unit: time_unit.map_or(PurchaseTimeUnit::Weeks, |unit| unit.value),
        horizon_days: horizon?,
        holdout_days: holdout.map(|days| days.value),
        discount_per_year,
        margin: margin.unwrap_or(1.0),
        prefix,
    };
    Some(ScoreKind::new(NAME, settings))
}

/// The models, at least one of which is of how often customers buy.
fn models(table: &Reader<'_>) -> Option<Vec<At<ClvModel>>> {
    table.require(&MODELS);
    let models: Vec<At<ClvModel>> = table.words(MODELS.name)?;
    if models.iter().all(|m| m.value == ClvModel::GammaGamma) {
        let message = "`models` has no model of purchases";
        table.note(
            Diagnostic::error("TS-P045", message, table.value_span(MODELS.name))
                .with_label("gamma_gamma models spend per purchase, not how often customers buy")
                .with_help("put \"mbg_nbd\", \"bg_nbd\", \"pareto_nbd\" or \"nbd\" before it"),
        );
        return None;
    }
    Some(models)
}

/// Models of how often customers buy, in file order: the first is used.
fn purchases(models: Vec<At<ClvModel>>) -> Vec<At<PurchaseModel>> {
    let purchase = |model: At<ClvModel>| {
        let value = match model.value {
            ClvModel::BgNbd => PurchaseModel::BgNbd,
            ClvModel::MbgNbd => PurchaseModel::MbgNbd,
            ClvModel::ParetoNbd => PurchaseModel::ParetoNbd,
            ClvModel::Nbd => PurchaseModel::Nbd,
            ClvModel::GammaGamma => return None,
        };
        Some(At::new(value, model.span))
    };
    models.into_iter().filter_map(purchase).collect()
}

/// The prefix of the names of the columns.
fn prefix(table: &Reader<'_>) -> String {
    let Some(prefix) = table.text(PREFIX.name) else {
        return String::new();
    };
    table.check_column_name("prefix of column names", &prefix);
    prefix.value
}
