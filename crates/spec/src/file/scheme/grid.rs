//! `kind = "rfm_grid"`

use toml::Spanned;
use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{At, Closed, Grid, GridInterval, RfmGrid, SchemeKind, ScoreMethod};
use crate::reader::{Reader, integer_of, text_of, word_of, wrong_type};
use crate::written::word::{GridName, MethodName};

use super::check_segment;

pub(super) fn rfm_grid(table: &Reader<'_>) -> Option<SchemeKind> {
    let scores = table.integer("scores", 2..=9);
    let scores = scores.and_then(|scores| u8::try_from(scores.value).ok());
    let scores = scores.unwrap_or(5);
    if !table.has("grid") {
        table.missing(
            "grid",
            "add `grid = \"eleven\"`, or ten, interval_docs, interval_readme, or a list of intervals",
        );
    }
    let (grid, method) = (grid(table, scores), score_method(table, scores));
    let weights = weights(table);
    let input = |key: &str, default: &str| {
        let place = table.span.clone();
        table
            .text(key)
            .unwrap_or_else(|| At::new(default.to_owned(), place))
    };
    let (recency, frequency, monetary) = (
        input("recency", "recency_days"),
        input("frequency", "order_count"),
        input("monetary", "spend_total"),
    );
    Some(SchemeKind::RfmGrid(RfmGrid {
        recency,
        frequency,
        monetary,
        score_method: method?,
        scores,
        grid: grid?,
        weights: weights?,
    }))
}

fn weights(table: &Reader<'_>) -> Option<[f64; 3]> {
    if !table.has("weights") {
        let _ = table.get("weights");
        return Some([100.0, 10.0, 1.0]);
    }
    let numbers: Vec<f64> = table.numbers("weights")?.iter().map(|n| n.value).collect();
    match numbers.as_slice() {
        [r, f, m] if [r, f, m].into_iter().all(|w| *w >= 0.0) && r + f + m > 0.0 => {
            Some([*r, *f, *m])
        }
        _ => {
            let message = "`weights` must be three numbers from 0, not all 0";
            table.notes.add(
                Diagnostic::error("TS-P030", message, table.value_span("weights")).with_help(
                    "of recency, frequency and monetary value: [100, 10, 1] is the default",
                ),
            );
            None
        }
    }
}

fn grid(table: &Reader<'_>, scores: u8) -> Option<At<Grid>> {
    let value = table.get("grid")?;
    let text = match value.get_ref() {
        DeValue::Array(items) => return own_grid(table, items, value.span(), scores),
        DeValue::String(_) => text_of(table.notes, value, "`grid`")?,
        _ => {
            let wanted = "the name of a grid, or an array of { segment, r, f, m }";
            wrong_type(table.notes, value, "`grid`", wanted);
            return None;
        }
    };
    let name = word_of::<GridName>(table.notes, &text, "grid")?;
    if scores != 5 {
        let message = format!("grid \"{}\" is made for scores from 1 to 5", text.value);
        table.notes.add(
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

fn own_grid(
    table: &Reader<'_>,
    items: &[Spanned<DeValue<'_>>],
    span: std::ops::Range<usize>,
    scores: u8,
) -> Option<At<Grid>> {
    if items.is_empty() {
        table.notes.add(
            Diagnostic::error("TS-P009", "`grid` has no line", span)
                .with_help("add a line such as { segment = \"best\", r = [4, 5], f = [4, 5] }"),
        );
        return None;
    }
    let lines = items.iter().map(|item| interval(table, item, scores));
    let lines: Vec<Option<GridInterval>> = lines.collect();
    let lines: Option<Vec<GridInterval>> = lines.into_iter().collect();
    lines.map(|lines| At::new(Grid::Own(lines), span))
}

fn interval(table: &Reader<'_>, item: &Spanned<DeValue<'_>>, scores: u8) -> Option<GridInterval> {
    let Some(inner) = item.get_ref().as_table() else {
        wrong_type(
            table.notes,
            item,
            "a line of `grid`",
            "a table { segment, r, f, m }",
        );
        return None;
    };
    let inner = Reader::new(inner, item.span(), "a line of `grid`", table.notes);
    let segment = inner.required_text("segment", "add `segment = \"…\"`");
    check_segment(inner.notes, &segment);
    let (r, f, m) = (
        score_range(&inner, "r", scores),
        score_range(&inner, "f", scores),
        score_range(&inner, "m", scores),
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
    let Some(value) = line.get(key) else {
        return Some([1, scores]);
    };
    let numbers = value.get_ref().as_array().map(|items| {
        let bytes = items.iter().map(|item| integer_of(item.get_ref()));
        bytes
            .map(|n| n.and_then(|n| u8::try_from(n).ok()))
            .collect()
    });
    let numbers: Vec<Option<u8>> = numbers.unwrap_or_default();
    match numbers.as_slice() {
        [Some(from), Some(to)] if 1 <= *from && from <= to && *to <= scores => Some([*from, *to]),
        _ => {
            let message = format!(
                "`{key}` must be [from, to], two whole numbers, 1 <= from <= to <= {scores}"
            );
            line.notes.add(
                Diagnostic::error("TS-P032", message, value.span()).with_help(format!(
                    "both ends are included; without `{key}` all scores match"
                )),
            );
            None
        }
    }
}

fn score_method(table: &Reader<'_>, scores: u8) -> Option<ScoreMethod> {
    let Some(value) = table.get("score_method") else {
        return Some(ScoreMethod::Midrank);
    };
    let text = match value.get_ref() {
        DeValue::Table(inner) => {
            let inner = Reader::new(inner, value.span(), "`score_method`", table.notes);
            let help = "add `kind = \"quantile\"`, or midrank, threshold, frozen";
            let kind = inner.required_word("kind", help)?;
            let method = method(&inner, kind.value, scores);
            inner.finish();
            return method;
        }
        DeValue::String(_) => text_of(table.notes, value, "`score_method`")?,
        _ => {
            let wanted =
                "the name of a method, or a table { kind = \"quantile\", closed = \"left\" }";
            wrong_type(table.notes, value, "`score_method`", wanted);
            return None;
        }
    };
    match word_of::<MethodName>(table.notes, &text, "score_method")?.value {
        MethodName::Midrank => Some(ScoreMethod::Midrank),
        MethodName::Quantile => Some(ScoreMethod::Quantile {
            closed: Closed::Right,
            edge_offset: 0.0,
        }),
        MethodName::Frozen => Some(ScoreMethod::Frozen { version: None }),
        MethodName::Threshold => {
            table.notes.add(
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
        table.notes.add(
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
        table.notes.add(
            Diagnostic::error("TS-P034", message, table.value_span(key)).with_help(
                "an edge is between two scores, so there is one edge fewer than `scores`",
            ),
        );
        return None;
    }
    Some(edges.into_iter().map(|edge| edge.value).collect())
}
