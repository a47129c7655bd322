//! The keys of an `rfm_grid` scheme.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{
    At, Learns, LifecycleLimits, Refit, Role, SchemeColumnKind, SchemeInput, SchemeKind,
    SchemeSettings,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, SchemeSyntax, shape_of};

use crate::grid::CellMap;
use crate::rfm::{
    CODE_WEIGHTS, Closed, Grid, GridInterval, NOT_SCORED, RFM_ENDINGS, RfmGrid, ScoreMethod,
};

pub(super) const SYNTAX: SchemeSyntax = SchemeSyntax {
    name: "rfm_grid",
    summary: "Scores recency, frequency and monetary value from 1 to k and names the cells of the grid.",
    keys: &[
        RECENCY,
        FREQUENCY,
        MONETARY,
        SCORE_METHOD,
        SCORES,
        GRID,
        WEIGHTS,
    ],
    refit: Some(Refit::Always),
    clusters: false,
    read,
};

const RECENCY: Key = Key::optional(
    "recency",
    KeyValue::Text,
    "Feature of recency, small is good: days, or a number without a declared unit; `recency_days` by default.",
);

const FREQUENCY: Key = Key::optional(
    "frequency",
    KeyValue::Text,
    "Feature of frequency: a count, or a number without a declared unit; `order_count` by default.",
);

const MONETARY: Key = Key::optional(
    "monetary",
    KeyValue::Text,
    "Feature of monetary value: money, or a number without a declared unit; `spend_total` by default.",
);

const SCORE_METHOD: Key = Key::optional(
    "score_method",
    KeyValue::Of(shape_of::<MethodValue>),
    "How values become scores: `midrank` (default), `quantile`, `frozen`, or a table such as `{ kind = \"quantile\", closed = \"left\" }` or `{ kind = \"threshold\", recency = [30, 90, 180, 365], frequency = [1, 2, 5, 10], monetary = [50, 100, 250, 1000] }`.",
);

const SCORES: Key = Key::optional(
    "scores",
    KeyValue::Whole(2, 9),
    "Highest score; 5 by default, and what named grids need.",
);

const GRID: Key = Key::required(
    "grid",
    KeyValue::Of(shape_of::<GridValue>),
    "Cells and their names: `eleven`, `ten`, `interval_docs` or `interval_readme`, or a list of cells with a name and intervals of scores.",
    "add `grid = \"eleven\"`, or ten, interval_docs, interval_readme, or a list of intervals",
);

const WEIGHTS: Key = Key::optional(
    "weights",
    KeyValue::Of(weights_shape),
    "Weights of recency, frequency and monetary value in the weighted score; [100, 10, 1] by default.",
);

fn weights_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "items": {"type": "number", "minimum": 0}, "minItems": 3, "maxItems": 3,
    })
}

/// How values become scores.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum MethodValue {
    Word(PlainMethod),
    Table(MethodTable),
}

/// Score methods that need nothing more.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum PlainMethod {
    /// Mid-distribution rank: equal values get equal scores.
    Midrank,
    /// Type-7 quantile edges of this run.
    Quantile,
    /// Edges of the earliest version of the store that has them; the first run computes them.
    Frozen,
}

/// A score method with its settings.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
enum MethodTable {
    /// Mid-distribution rank: equal values get equal scores.
    Midrank {},
    /// Type-7 quantile edges of this run.
    Quantile {
        /// Which side of an edge belongs to the bin; `right` by default.
        closed: Option<Closed>,
        /// Added to each quantile before it is an edge; 0 by default.
        edge_offset: Option<f64>,
    },
    /// Edges as given: one fewer than `scores`, increasing; a value on an edge gets the lower score.
    Threshold {
        /// Edges of recency.
        #[schemars(length(min = 1, max = 8))]
        recency: Vec<f64>,
        /// Edges of frequency.
        #[schemars(length(min = 1, max = 8))]
        frequency: Vec<f64>,
        /// Edges of monetary value.
        #[schemars(length(min = 1, max = 8))]
        monetary: Vec<f64>,
    },
    /// Edges of an earlier version of the store.
    Frozen {
        /// The version; the earliest that has edges by default.
        #[schemars(range(min = 1))]
        version: Option<u64>,
    },
}

/// Cells of the grid.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum GridValue {
    Named(GridName),
    Own(#[schemars(length(min = 1))] Vec<IntervalTable>),
}

/// One line of a grid: ranges of scores, both ends included; without a range all scores match. The first line that matches
/// decides.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct IntervalTable {
    /// Name of the segment.
    segment: String,
    /// Recency scores from, to.
    r: Option<[u8; 2]>,
    /// Frequency scores from, to.
    f: Option<[u8; 2]>,
    /// Monetary scores from, to.
    m: Option<[u8; 2]>,
}

/// Grids that have a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum GridName {
    /// The 11-segment map over all 125 cells.
    Eleven,
    /// The 10-segment grid of recency by frequency.
    Ten,
    /// First matching intervals, from the documentation of the R package `rfm`.
    IntervalDocs,
    /// First matching intervals, from the README of the R package `rfm`.
    IntervalReadme,
}

/// Score methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MethodName {
    /// Mid-distribution rank: equal values get equal scores.
    Midrank,
    /// Type-7 quantile edges of this run.
    Quantile,
    /// Edges as given.
    Threshold,
    /// Edges of an earlier version of the store.
    Frozen,
}

impl SchemeSettings for RfmGrid {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        let inputs = [
            (&self.recency, Role::Recency),
            (&self.frequency, Role::Frequency),
            (&self.monetary, Role::Monetary),
        ];
        let role = |(feature, role)| SchemeInput::role(feature, role);
        inputs.map(role).to_vec()
    }

    fn learned_by(&self) -> Option<Value> {
        // The grid says what the scores are called, the weights how they are summed; the edges are the same.
        let columns = [&self.recency, &self.frequency, &self.monetary];
        Some(json!([columns, self.score_method, self.scores]))
    }

    fn learns(&self) -> Learns {
        match self.score_method {
            ScoreMethod::Midrank | ScoreMethod::Quantile { .. } => Learns::Again,
            ScoreMethod::Threshold { .. } => Learns::Nothing("the edges are stated"),
            ScoreMethod::Frozen { .. } => Learns::Once("frozen edges stay as they are"),
        }
    }

    fn segments(&self, _: &LifecycleLimits) -> Option<Vec<String>> {
        let cells = CellMap::new(&self.grid.value, self.scores).ok()?;
        let named = cells.segments().iter().cloned();
        Some(named.chain([NOT_SCORED.to_owned()]).collect())
    }

    fn columns(&self) -> Vec<(&'static str, SchemeColumnKind)> {
        let mut columns = vec![("_score", SchemeColumnKind::Scores)];
        columns.extend(RFM_ENDINGS.map(|ending| (ending, SchemeColumnKind::Score)));
        if self.weights != CODE_WEIGHTS {
            columns.push(("_weighted", SchemeColumnKind::Weighted));
        }
        columns
    }
}

fn read(table: &Reader<'_>) -> Option<SchemeKind> {
    let scores = table.whole(&SCORES);
    let scores = scores.and_then(|scores| u8::try_from(scores).ok());
    let scores = scores.unwrap_or(5);
    table.require(&GRID);
    let (grid, method) = (grid(table, scores), score_method(table, scores));
    let weights = weights(table);
    let input = |key: &Key, default: &str| {
        let place = table.span.clone();
        table
            .text(key.name)
            .unwrap_or_else(|| At::new(default.to_owned(), place))
    };
    let (recency, frequency, monetary) = (
        input(&RECENCY, "recency_days"),
        input(&FREQUENCY, "order_count"),
        input(&MONETARY, "spend_total"),
    );
    let settings = RfmGrid {
        recency,
        frequency,
        monetary,
        score_method: method?,
        scores,
        grid: grid?,
        weights: weights?,
    };
    Some(SchemeKind::new(SYNTAX.name, settings))
}

fn weights(table: &Reader<'_>) -> Option<[f64; 3]> {
    if !table.has("weights") {
        table.known("weights");
        return Some(CODE_WEIGHTS);
    }
    let numbers: Vec<f64> = table.numbers("weights")?.iter().map(|n| n.value).collect();
    match numbers.as_slice() {
        [r, f, m] if [r, f, m].into_iter().all(|w| *w >= 0.0) && r + f + m > 0.0 => {
            Some([*r, *f, *m])
        }
        _ => {
            let message = "`weights` must be three numbers from 0, not all 0";
            table.note(
                Diagnostic::error("TS-P030", message, table.value_span("weights")).with_help(
                    "of recency, frequency and monetary value: [100, 10, 1] is the default",
                ),
            );
            None
        }
    }
}

fn grid(table: &Reader<'_>, scores: u8) -> Option<At<Grid>> {
    if table.is_array(GRID.name) {
        return own_grid(table, scores);
    }
    if !table.is_text(GRID.name) {
        let wanted = "the name of a grid, or an array of { segment, r, f, m }";
        table.wrong_type(GRID.name, wanted);
        return None;
    }
    let text = table.text(GRID.name)?;
    let name = table.word_of::<GridName>(&text, GRID.name)?;
    if scores != 5 {
        let message = format!("grid \"{}\" is made for scores from 1 to 5", text.value);
        table.note(
            Diagnostic::error("TS-P031", message, table.value_span("scores")).with_help(format!(
                "set `scores = 5`, or write a list of intervals for {scores} scores"
            )),
        );
    }
    let grid = match name.value {
        GridName::Eleven => Grid::Eleven,
        GridName::Ten => Grid::Ten,
        GridName::IntervalDocs => Grid::IntervalDocs,
        GridName::IntervalReadme => Grid::IntervalReadme,
    };
    Some(At::new(grid, text.span))
}

fn own_grid(table: &Reader<'_>, scores: u8) -> Option<At<Grid>> {
    let wanted = "a table { segment, r, f, m }";
    let lines = table.tables(GRID.name, "a line of `grid`", wanted)?;
    let span = table.value_span(GRID.name);
    if lines.is_empty() {
        table.note(
            Diagnostic::error("TS-P009", "`grid` has no line", span)
                .with_help("add a line such as { segment = \"best\", r = [4, 5], f = [4, 5] }"),
        );
        return None;
    }
    let lines = lines.iter().map(|line| interval(line.as_ref()?, scores));
    let lines: Vec<Option<GridInterval>> = lines.collect();
    let lines: Option<Vec<GridInterval>> = lines.into_iter().collect();
    lines.map(|lines| At::new(Grid::Own(lines), span))
}

fn interval(inner: &Reader<'_>, scores: u8) -> Option<GridInterval> {
    let segment = inner.required_text("segment", "add `segment = \"…\"`");
    inner.check_segment(&segment);
    if segment.value == NOT_SCORED {
        let message =
            format!("`{NOT_SCORED}` is the segment of customers of whom a score is missing");
        inner.note(
            Diagnostic::error("TS-P007", message, segment.span.clone())
                .with_help("give the segment of this line another name"),
        );
    }
    let (r, f, m) = (
        score_range(inner, "r", scores),
        score_range(inner, "f", scores),
        score_range(inner, "m", scores),
    );
    inner.finish();
    Some(GridInterval {
        segment: segment.value,
        r: r?,
        f: f?,
        m: m?,
    })
}

/// Scores from, to; all of them where the key is left out.
fn score_range(line: &Reader<'_>, key: &str, scores: u8) -> Option<[u8; 2]> {
    let numbers = line.whole_numbers(key).into_iter();
    let numbers = numbers.map(|number| number.and_then(|number| u8::try_from(number).ok()));
    let numbers: Vec<Option<u8>> = numbers.collect();
    if !line.has(key) {
        return Some([1, scores]);
    }
    match numbers.as_slice() {
        [Some(from), Some(to)] if 1 <= *from && from <= to && *to <= scores => Some([*from, *to]),
        _ => {
            let message = format!(
                "`{key}` must be [from, to], two whole numbers, 1 <= from <= to <= {scores}"
            );
            line.note(
                Diagnostic::error("TS-P032", message, line.value_span(key)).with_help(format!(
                    "both ends are included; without `{key}` all scores match"
                )),
            );
            None
        }
    }
}

fn score_method(table: &Reader<'_>, scores: u8) -> Option<ScoreMethod> {
    let key = SCORE_METHOD.name;
    if !table.has(key) {
        table.known(key);
        return Some(ScoreMethod::Midrank);
    }
    if table.is_table(key) {
        let inner = table.table_called(key, "`score_method`")?;
        let help = "add `kind = \"quantile\"`, or midrank, threshold, frozen";
        let kind = inner.required_word("kind", help)?;
        let method = method(&inner, kind.value, scores);
        inner.finish();
        return method;
    }
    if !table.is_text(key) {
        let wanted = "the name of a method, or a table { kind = \"quantile\", closed = \"left\" }";
        table.wrong_type(key, wanted);
        return None;
    }
    let text = table.text(key)?;
    match table.word_of::<MethodName>(&text, key)?.value {
        MethodName::Midrank => Some(ScoreMethod::Midrank),
        MethodName::Quantile => Some(ScoreMethod::Quantile {
            closed: Closed::Right,
            edge_offset: 0.0,
        }),
        MethodName::Frozen => Some(ScoreMethod::Frozen { version: None }),
        MethodName::Threshold => {
            table.note(
                Diagnostic::error("TS-P033", "thresholds need edges", text.span).with_help(
                    "write { kind = \"threshold\", recency = […], frequency = […], monetary = […] }",
                ),
            );
            None
        }
    }
}

fn method(table: &Reader<'_>, kind: MethodName, scores: u8) -> Option<ScoreMethod> {
    Some(match kind {
        MethodName::Midrank => ScoreMethod::Midrank,
        MethodName::Quantile => {
            let closed = table.word("closed");
            ScoreMethod::Quantile {
                closed: closed.map_or(Closed::Right, |closed| closed.value),
                edge_offset: table
                    .number("edge_offset")
                    .map_or(0.0, |offset| offset.value),
            }
        }
        MethodName::Threshold => {
            let (recency, frequency, monetary) = (
                edges(table, "recency", scores),
                edges(table, "frequency", scores),
                edges(table, "monetary", scores),
            );
            ScoreMethod::Threshold {
                recency: recency?,
                frequency: frequency?,
                monetary: monetary?,
            }
        }
        MethodName::Frozen => {
            let version = table.integer("version", 1..=i64::MAX);
            ScoreMethod::Frozen {
                version: version.map(|version| version.value.unsigned_abs()),
            }
        }
    })
}

/// Rising edges between scores.
fn edges(table: &Reader<'_>, key: &str, scores: u8) -> Option<Vec<f64>> {
    let wanted = usize::from(scores) - 1;
    if !table.has(key) {
        table.missing(key, format!("add `{key} = […]` with {wanted} rising edges"));
        return None;
    }
    let edges = table.numbers(key)?;
    if let Some(pair) = edges.windows(2).find(|pair| pair[0].value >= pair[1].value) {
        let message = format!("edges of `{key}` must rise");
        table.note(
            Diagnostic::error("TS-P034", message, pair[1].span.clone())
                .with_label(format!("not above {}", pair[0].value)),
        );
        return None;
    }
    if edges.len() != wanted {
        let message = format!(
            "`{key}` has {} edges, but scores from 1 to {scores} need {wanted}",
            edges.len()
        );
        table.note(
            Diagnostic::error("TS-P034", message, table.value_span(key)).with_help(
                "an edge is between two scores, so there is one edge fewer than `scores`",
            ),
        );
        return None;
    }
    Some(edges.into_iter().map(|edge| edge.value).collect())
}
