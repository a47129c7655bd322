//! The keys of `kind = "health"`, how they are read, and the columns that it adds.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use tessera_model::health::HealthScale;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{
    At, Direction, Meaning, ScoreColumn, ScoreKind, ScoreSettings, Source, SourceKind, Unit,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue};

use super::super::keys::{number_that, source_of};

/// Least share of the weight that must be present where none is stated.
const DEFAULT_COVERAGE: f64 = 0.6;

/// Bands where none are stated, with their upper limits.
const DEFAULT_BANDS: [(&str, f64); 3] = [("red", 36.0), ("yellow", 71.0), ("green", 100.0)];

/// The best health, and the most points of a component.
const BEST: f64 = 100.0;

/// How a component is made, in a message.
const SCALES: &str = "write `worst` and `best`, or `percentile = \"high\"`, or `steps = [{ below = 3, points = 20 }, { points = 100 }]`";

/// `kind = "…"`.
pub(super) const NAME: &str = "health";

/// `kind = "health"`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HealthScore {
    /// Components in file order.
    pub(super) components: Vec<HealthComponent>,
    /// Least share of the weight that must be known, otherwise the score is null; 0.6 by default.
    pub(super) min_coverage: f64,
    /// Bands from worst to best with the upper limit (exclusive) of each but the last, whose limit is 100 and belongs to it;
    /// red 36, yellow 71, green 100 by default.
    pub(super) bands: Vec<(String, f64)>,
    /// Source whose events or intervals say who churned, for the backtest at 30, 60 and 90 days.
    pub(super) from: At<String>,
}

/// One component of a health score.
#[derive(Debug, Clone, Serialize)]
pub(super) struct HealthComponent {
    /// Name of the component.
    pub(super) name: At<String>,
    /// The numeric feature of the component.
    pub(super) feature: At<String>,
    /// Weight, > 0.
    pub(super) weight: f64,
    /// How the feature becomes 0 to 100.
    pub(super) scale: HealthScale,
}

const FROM: Key = Key::required(
    "from",
    KeyValue::Text,
    "Events or intervals that say who churned, for the backtest.",
    "add `from = \"…\"`: the events or intervals that say who churned, for the backtest",
);

const COMPONENTS: Key = Key::required(
    "components",
    KeyValue::Of(components_shape),
    "What health is made of, by name.",
    "add `components.NAME = { feature = \"…\", weight = 1, worst = 0, best = 10 }`, one for each component of the health",
);

const MIN_COVERAGE: Key = Key::optional(
    "min_coverage",
    KeyValue::Number(0.0, 1.0),
    "Least share of the weight whose features are known, otherwise the score is null; 0.6 by default.",
);

const BANDS: Key = Key::optional(
    "bands",
    KeyValue::Of(bands_shape),
    "Names with upper limits, worst first, rising, the last 100: { red = 36, yellow = 71, green = 100 } by default. Below 36 is red.",
);

/// The keys, in the order of the documentation.
pub(super) const KEYS: &[Key] = &[FROM, COMPONENTS, MIN_COVERAGE, BANDS];

fn components_shape(generator: &mut SchemaGenerator) -> Schema {
    let mut shape = generator.subschema_for::<BTreeMap<String, ComponentTable>>();
    shape.insert("minProperties".to_owned(), 1.into());
    shape
}

fn bands_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "minProperties": 1,
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    })
}

/// One component of a health score: a feature, and how it becomes 0 to 100.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum ComponentTable {
    Linear(LinearTable),
    Percentile(PercentileTable),
    Steps(StepsTable),
}

/// A straight line from the worst value to the best, constant outside.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct LinearTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// The value of 0 points; above `best` where small values are good.
    worst: f64,
    /// The value of 100 points.
    best: f64,
}

/// The rank among the customers: 100 times the mid-distribution rank.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct PercentileTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// Which values are good: `high` or `low`.
    percentile: GoodEnd,
}

/// Points by steps.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct StepsTable {
    /// The numeric feature of the component.
    feature: String,
    /// Its weight relative to the other components.
    #[schemars(extend("exclusiveMinimum" = 0))]
    weight: f64,
    /// Steps with increasing limits: the first whose `below` is greater than the value decides; the last has no `below` and
    /// takes the rest.
    #[schemars(length(min = 2))]
    steps: Vec<StepTable>,
}

/// One step.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct StepTable {
    /// Values below this get the points.
    below: Option<f64>,
    /// Points from 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    points: f64,
}

/// The end of a component's values that is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum GoodEnd {
    /// High values are good.
    High,
    /// Low values are good.
    Low,
}

impl ScoreSettings for HealthScore {
    fn columns(&self, name: &str) -> Vec<ScoreColumn> {
        let column = |end: &str, unit, meaning: Meaning| {
            ScoreColumn::new(format!("{name}{end}"), unit, meaning)
        };
        vec![
            column(
                "",
                Unit::Score,
                ("health from 0 to 100", "health", Direction::High),
            ),
            column(
                "_band",
                Unit::Label,
                ("band of the health", "band of the health", Direction::None),
            ),
            column(
                "_coverage",
                Unit::Ratio,
                (
                    "share of the weight that is present",
                    "known share of the health's weight",
                    Direction::None,
                ),
            ),
        ]
    }
}

/// Reads the table.
pub(super) fn read(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let kinds = [SourceKind::Events, SourceKind::Intervals];
    let from = source_of(table, sources, &kinds, &FROM);
    let min_coverage = number_that(
        table,
        MIN_COVERAGE.name,
        |share| (0.0..=1.0).contains(&share),
        "a share from 0 to 1",
        "with 0.6, customers have no score if less than 60% of the weight is known",
    );
    let bands = bands(table);
    let components = components(table);
    let settings = HealthScore {
        components: components?,
        min_coverage: min_coverage.unwrap_or(DEFAULT_COVERAGE),
        bands: bands?,
        from,
    };
    Some(ScoreKind::new(NAME, settings))
}

/// Names and upper limits: above 0, rising, the last 100.
fn bands(table: &Reader<'_>) -> Option<Vec<(String, f64)>> {
    let Some(inner) = table.table(BANDS.name) else {
        let stated = table.has(BANDS.name);
        let default = || DEFAULT_BANDS.map(|(name, limit)| (name.to_owned(), limit));
        return (!stated).then(|| default().to_vec());
    };
    let wrong = |message: String, span: Range<usize>| {
        let found = Diagnostic::error("TS-P046", message, span).with_note(
            "bands are upper limits of the health, from the worst band: they increase up to 100",
        );
        inner.note(found.with_help("for example { red = 36, yellow = 71, green = 100 }"));
    };
    let mut bands: Vec<(String, f64)> = Vec::new();
    let mut good = true;
    for entry in inner.entries() {
        inner.check_segment(&entry.key);
        let Some(limit) = inner.number(&entry.key.value) else {
            good = false;
            continue;
        };
        let before = bands.last().map_or(0.0, |(_, limit)| *limit);
        if limit.value <= before || limit.value > BEST {
            let band = &entry.key.value;
            let message = match bands.last() {
                _ if limit.value > BEST => format!("band `{band}` is above 100"),
                Some((name, before)) => {
                    format!("band `{band}` must be above {before}, the limit of band `{name}`")
                }
                None => format!("band `{band}` must be above 0"),
            };
            wrong(message, limit.span);
            good = false;
        }
        bands.push((entry.key.value, limit.value));
    }
    if good && bands.last().is_none_or(|band| band.1 != BEST) {
        let last = inner.entries().pop();
        let span = last.map_or_else(
            || inner.span.clone(),
            |last| inner.value_span(&last.key.value),
        );
        wrong(
            "the last band must be 100, so that every health is in a band".to_owned(),
            span,
        );
        good = false;
    }
    good.then_some(bands)
}

/// The components, in file order.
fn components(table: &Reader<'_>) -> Option<Vec<HealthComponent>> {
    table.require(&COMPONENTS);
    let inner = table.table(COMPONENTS.name)?;
    let entries = inner.entries();
    if entries.is_empty() {
        let message = format!("`components` of {} is empty", table.name);
        let found = Diagnostic::error("TS-P009", message, inner.span.clone());
        table.note(found.with_help(COMPONENTS.required.unwrap_or_default()));
    }
    // All are read before the list is rejected, so that all mistakes are noted.
    let read: Vec<Option<HealthComponent>> = entries
        .into_iter()
        .map(|entry| {
            let name = format!("component `{}`", entry.key.value);
            let of = inner.table_called(&entry.key.value, &name)?;
            inner.check_column_name("component", &entry.key);
            component(&of, entry.key)
        })
        .collect();
    read.into_iter().collect()
}

fn component(table: &Reader<'_>, name: At<String>) -> Option<HealthComponent> {
    let read = scale_of(table, &name)?;
    let feature = table.required_text(
        "feature",
        "add `feature = \"…\"`, the numeric feature of the component",
    );
    if !table.has("weight") {
        table.missing(
            "weight",
            "add `weight = 1`: its weight relative to the other components",
        );
    }
    let weight = number_that(
        table,
        "weight",
        |weight| weight > 0.0,
        "above 0",
        "weights need no fixed sum: each counts by its share of the known weights",
    );
    let scale = read(table);
    table.finish();
    Some(HealthComponent {
        name,
        feature,
        weight: weight?,
        scale: scale?,
    })
}

type ReadScale = fn(&Reader<'_>) -> Option<HealthScale>;

/// How the component is scaled: by the keys that only one scale has.
fn scale_of(table: &Reader<'_>, name: &At<String>) -> Option<ReadScale> {
    let scales: [(&[&str], ReadScale); 3] = [
        (&["worst", "best"], linear),
        (&["percentile"], percentile),
        (&["steps"], steps),
    ];
    let stated = scales.iter().filter_map(|(keys, read)| {
        let key = keys.iter().find(|key| table.has(key))?;
        Some((*key, *read))
    });
    let stated: Vec<(&str, ReadScale)> = stated.collect();
    let (message, span) = match stated.as_slice() {
        [(_, read)] => return Some(*read),
        [] => (
            format!(
                "{} does not say how its feature becomes a number from 0 to 100",
                table.name
            ),
            name.span.clone(),
        ),
        [(one, _), (other, _), ..] => (
            format!("{} has both `{one}` and `{other}`", table.name),
            table.key_span(other),
        ),
    };
    table.note(Diagnostic::error("TS-P047", message, span).with_help(SCALES));
    None
}

fn linear(table: &Reader<'_>) -> Option<HealthScale> {
    for (key, help) in [
        ("worst", "add `worst = …`, the value of 0 points"),
        ("best", "add `best = …`, the value of 100 points"),
    ] {
        if !table.has(key) {
            table.missing(key, help);
        }
    }
    let (worst, best) = (table.number("worst"), table.number("best"));
    let (worst, best) = (worst?, best?);
    if worst.value == best.value {
        let message = "`worst` and `best` are the same";
        table.note(Diagnostic::error("TS-P047", message, best.span).with_help(
            "with worst = 90, best = 0 small values are good; with worst = 0, best = 90 large values",
        ));
        return None;
    }
    Some(HealthScale::Linear {
        worst: worst.value,
        best: best.value,
    })
}

fn percentile(table: &Reader<'_>) -> Option<HealthScale> {
    let good: At<GoodEnd> = table.word("percentile")?;
    Some(HealthScale::Percentile {
        small_is_good: good.value == GoodEnd::Low,
    })
}

/// Steps with rising limits, the last without one.
fn steps(table: &Reader<'_>) -> Option<HealthScale> {
    let items = table.tables("steps", "a step", "a table { below, points }")?;
    let wrong = |message: &str, span: Range<usize>| {
        table.note(
            Diagnostic::error("TS-P048", message, span)
                .with_note(
                    "a value gets the points of the first step whose `below` is greater than it; the last step takes the rest",
                )
                .with_help("for example [{ below = 1, points = 0 }, { below = 5, points = 60 }, { points = 100 }]"),
        );
    };
    if items.len() < 2 {
        wrong(
            "`steps` needs at least two steps",
            table.value_span("steps"),
        );
    }
    let last = items.len().saturating_sub(1);
    let mut steps: Vec<(f64, f64)> = Vec::new();
    let mut good = items.len() >= 2;
    for (i, item) in items.into_iter().enumerate() {
        let read = item.and_then(|item| Some((step(&item)?, item.span)));
        let Some(((below, points), span)) = read else {
            good = false;
            continue;
        };
        let mistake = match &below {
            Some(_) if i == last => Some("the last step must have no `below`"),
            None if i < last => Some("only the last step may lack `below`"),
            Some(limit) if steps.last().is_some_and(|s| s.0 >= limit.value) => {
                Some("the limits of `steps` must rise")
            }
            _ => None,
        };
        if let Some(mistake) = mistake {
            wrong(mistake, below.as_ref().map_or(span, |b| b.span.clone()));
            good = false;
        }
        steps.push((below.map_or(f64::INFINITY, |limit| limit.value), points));
    }
    good.then_some(HealthScale::Steps(steps))
}

/// One step: its limit, if it has one, and its points.
fn step(step: &Reader<'_>) -> Option<(Option<At<f64>>, f64)> {
    if !step.has("points") {
        step.missing("points", "add `points = …`, from 0 to 100");
    }
    let below = step.number("below");
    let points = number_that(
        step,
        "points",
        |points| (0.0..=BEST).contains(&points),
        "from 0 to 100",
        "0 is the worst, 100 the best",
    );
    step.finish();
    if below.is_none() && step.has("below") {
        return None;
    }
    Some((below, points?))
}
