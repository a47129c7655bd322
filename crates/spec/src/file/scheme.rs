//! `[schemes.NAME]`

use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, AttributeScheme, Closed, Grid, GridInterval, KChoice, KmeansScheme, QuantileScheme, RfmGrid, RulesScheme, Scheme,
    SchemeKind, ScoreMethod, SegmentRule, Transform,
};
use crate::reader::{Reader, choice_of, text_of, wrong_type};

use super::check_name;

/// Kinds of schemes, each with the function that reads its table.
type ReadKind = fn(&Reader<'_>) -> Option<SchemeKind>;
const KINDS: &[(&str, ReadKind)] = &[
    ("rfm_grid", rfm_grid),
    ("quantile", quantile),
    ("rules", rules),
    ("attribute", attribute),
    ("lifecycle", |_| Some(SchemeKind::Lifecycle)),
    ("kmeans", kmeans),
];

const GRIDS: &[(&str, u8)] = &[("eleven", 0), ("ten", 1), ("interval_docs", 2), ("interval_readme", 3)];

/// All schemes, in file order.
pub(super) fn schemes(reader: &Reader<'_>) -> Vec<Scheme> {
    let Some(tables) = reader.table("schemes") else { return Vec::new() };
    let mut schemes = Vec::new();
    for entry in tables.entries() {
        let name = entry.key;
        let Some(table) = tables.as_table(entry.value, &name.value, format!("[schemes.{}]", name.value)) else { continue };
        check_name(reader, "scheme", &name);
        let kind = table.required_choice("kind", KINDS, "add `kind = \"…\"`: rfm_grid, quantile, rules, attribute, lifecycle, kmeans");
        let Some(kind) = kind else { continue };
        let kind = (kind.value)(&table);
        table.finish();
        schemes.extend(kind.map(|kind| Scheme { name, kind }));
    }
    schemes
}

fn named(table: &Reader<'_>, key: &str, default: &str) -> At<String> {
    table.text(key).unwrap_or_else(|| At::new(default.to_owned(), table.span.clone()))
}

fn rfm_grid(table: &Reader<'_>) -> Option<SchemeKind> {
    let scores = table.integer("scores", 2..=9).map_or(5, |scores| scores.value as u8);
    if !table.has("grid") {
        table.missing("grid", "add `grid = \"eleven\"`, or ten, interval_docs, interval_readme, or own intervals");
    }
    let grid = grid(table, scores);
    let weights = table.numbers("weights").map(|weights| weights.iter().map(|w| w.value).collect::<Vec<f64>>());
    let weights = match weights.as_deref() {
        None => [100.0, 10.0, 1.0],
        Some([r, f, m]) => [*r, *f, *m],
        Some(_) => {
            table.error("TS-P030", "`weights` are three numbers: of recency, frequency, monetary value", table.span.clone());
            return None;
        }
    };
    Some(SchemeKind::RfmGrid(RfmGrid {
        recency: named(table, "recency", "recency_days"),
        frequency: named(table, "frequency", "order_count"),
        monetary: named(table, "monetary", "spend_total"),
        score_method: score_method(table, scores)?,
        scores,
        grid: grid?,
        weights,
    }))
}

fn grid(table: &Reader<'_>, scores: u8) -> Option<At<Grid>> {
    let value = table.get("grid")?;
    if let DeValue::Array(items) = value.get_ref() {
        let intervals: Vec<GridInterval> = items.iter().filter_map(|item| interval(table, item, scores)).collect();
        return Some(At::new(Grid::Own(intervals), value.span()));
    }
    let text = text_of(table.notes, value, "`grid`")?;
    let number = choice_of(table.notes, &text, "grid", GRIDS)?;
    if scores != 5 {
        table.notes.add(
            Diagnostic::error("TS-P031", format!("grid \"{}\" is made for scores from 1 to 5", text.value), text.span.clone())
                .with_help(format!("set `scores = 5`, or write own intervals for {scores} scores")),
        );
    }
    let grid = match number.value {
        0 => Grid::Eleven,
        1 => Grid::Ten,
        2 => Grid::IntervalDocs,
        _ => Grid::IntervalReadme,
    };
    Some(At::new(grid, text.span))
}

fn interval(table: &Reader<'_>, item: &toml::Spanned<DeValue<'_>>, scores: u8) -> Option<GridInterval> {
    let Some(inner) = item.get_ref().as_table() else {
        wrong_type(table.notes, item, "an interval of `grid`", "a table { segment, r, f, m }");
        return None;
    };
    let inner = Reader::new(inner, item.span(), "an interval of `grid`", table.notes);
    let segment = inner.required_text("segment", "add `segment = \"…\"`");
    let range = |key: &str| -> Option<[u8; 2]> {
        let Some(numbers) = inner.numbers(key) else { return (!inner.has(key)).then_some([1, scores]) };
        match numbers.as_slice() {
            [from, to] if from.value >= 1.0 && from.value <= to.value && to.value <= f64::from(scores) => {
                Some([from.value as u8, to.value as u8])
            }
            _ => {
                inner.error("TS-P032", format!("`{key}` must be [from, to] with 1 <= from <= to <= {scores}"), item.span());
                None
            }
        }
    };
    let (r, f, m) = (range("r"), range("f"), range("m"));
    inner.finish();
    Some(GridInterval { segment: segment.value, r: r?, f: f?, m: m? })
}

fn score_method(table: &Reader<'_>, scores: u8) -> Option<ScoreMethod> {
    const METHODS: &[(&str, u8)] = &[("midrank", 0), ("quantile", 1), ("threshold", 2), ("frozen", 3)];
    let Some(value) = table.get("score_method") else { return Some(ScoreMethod::Midrank) };
    if let Some(inner) = value.get_ref().as_table() {
        let inner = Reader::new(inner, value.span(), "score_method", table.notes);
        let kind = inner.required_choice("kind", METHODS, "add `kind = \"quantile\"`, or midrank, threshold, frozen")?;
        let method = method(&inner, kind.value, scores);
        inner.finish();
        return method;
    }
    let text = text_of(table.notes, value, "`score_method`")?;
    match choice_of(table.notes, &text, "score_method", METHODS)?.value {
        0 => Some(ScoreMethod::Midrank),
        1 => Some(ScoreMethod::Quantile { closed: Closed::Right, edge_offset: 0.0 }),
        2 => {
            table.notes.add(
                Diagnostic::error("TS-P033", "thresholds need their edges", text.span)
                    .with_help("write `score_method = { kind = \"threshold\", recency = […], frequency = […], monetary = […] }`"),
            );
            None
        }
        _ => Some(ScoreMethod::Frozen { version: None }),
    }
}

fn method(inner: &Reader<'_>, kind: u8, scores: u8) -> Option<ScoreMethod> {
    Some(match kind {
        0 => ScoreMethod::Midrank,
        1 => ScoreMethod::Quantile {
            closed: inner
                .choice("closed", &[("right", Closed::Right), ("left", Closed::Left)])
                .map_or(Closed::Right, |closed| closed.value),
            edge_offset: inner.number("edge_offset").map_or(0.0, |offset| offset.value),
        },
        2 => {
            let edges = |key: &str| -> Option<Vec<f64>> {
                if !inner.has(key) {
                    inner.missing(key, format!("add `{key} = […]` with {} rising edges", scores - 1));
                    return None;
                }
                let edges: Vec<f64> = inner.numbers(key)?.iter().map(|edge| edge.value).collect();
                if edges.len() + 1 != usize::from(scores) || !edges.windows(2).all(|pair| pair[0] < pair[1]) {
                    let message = format!("`{key}` must be {} rising numbers, for scores from 1 to {scores}", scores - 1);
                    inner.error("TS-P034", message, inner.get(key).map_or(inner.span.clone(), toml::Spanned::span));
                    return None;
                }
                Some(edges)
            };
            let (recency, frequency, monetary) = (edges("recency"), edges("frequency"), edges("monetary"));
            ScoreMethod::Threshold { recency: recency?, frequency: frequency?, monetary: monetary? }
        }
        _ => ScoreMethod::Frozen { version: inner.integer("version", 1..=i64::MAX).map(|version| version.value as u64) },
    })
}

fn quantile(table: &Reader<'_>) -> Option<SchemeKind> {
    let by = table.required_text("by", "add `by = \"…\"`, the number to rank by");
    let missing = table.text("missing").map_or_else(|| "unknown".to_owned(), |text| text.value);
    let Some(inner) = table.table("tiers") else {
        if !table.has("tiers") {
            table.missing("tiers", "add `tiers = { top = 0.05, high = 0.20, low = 1.0 }`: cumulative shares, highest first");
        }
        return None;
    };
    let mut tiers = Vec::new();
    for entry in inner.entries() {
        if let Some(share) = inner.number(&entry.key.value) {
            tiers.push((entry.key.value, share.value));
        }
    }
    let rising = tiers.windows(2).all(|pair| pair[0].1 < pair[1].1) && tiers.first().is_some_and(|tier| tier.1 > 0.0);
    if !rising || tiers.last().is_none_or(|tier| tier.1 != 1.0) {
        table.notes.add(
            Diagnostic::error("TS-P035", "tiers must be rising cumulative shares that end at 1.0", inner.span.clone())
                .with_help("such as { top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }: the top 5%, the next 15%, …"),
        );
        return None;
    }
    Some(SchemeKind::Quantile(QuantileScheme { by, tiers, missing }))
}

fn rules(table: &Reader<'_>) -> Option<SchemeKind> {
    if !table.has("rules") {
        table.missing("rules", "add `rules = [ { segment = \"…\", when = \"…\" } ]`; the first that is true decides");
    }
    let mut list = Vec::new();
    for item in table.array("rules").unwrap_or_default() {
        let Some(inner) = item.get_ref().as_table() else {
            wrong_type(table.notes, item, "a rule", "a table { segment, when }");
            continue;
        };
        let inner = Reader::new(inner, item.span(), "a rule", table.notes);
        let segment = inner.required_text("segment", "add `segment = \"…\"`");
        if !inner.has("when") {
            inner.missing("when", "add `when = \"…\"`, a condition over features and earlier schemes");
        }
        let when = inner.expression("when");
        inner.finish();
        list.extend(when.map(|when| SegmentRule { segment, when }));
    }
    let otherwise = table.required_text("otherwise", "add `otherwise = \"…\"`, the segment where no rule is true");
    Some(SchemeKind::Rules(RulesScheme { rules: list, otherwise: otherwise.value }))
}

fn attribute(table: &Reader<'_>) -> Option<SchemeKind> {
    let scheme = AttributeScheme {
        by: table.required_text("by", "add `by = \"…\"`, the label to divide by"),
        missing: table.text("missing").map_or_else(|| "unknown".to_owned(), |text| text.value),
        min_share: share(table, "min_share", 0.0),
        other: table.text("other").map_or_else(|| "other".to_owned(), |text| text.value),
    };
    Some(SchemeKind::Attribute(scheme))
}

fn share(table: &Reader<'_>, key: &str, default: f64) -> f64 {
    let Some(number) = table.number(key) else { return default };
    if !(0.0..0.5).contains(&number.value) {
        table.error("TS-P036", format!("`{key}` must be a share from 0 to below 0.5"), number.span);
    }
    number.value
}

fn kmeans(table: &Reader<'_>) -> Option<SchemeKind> {
    const TRANSFORMS: &[(&str, Transform)] =
        &[("auto", Transform::Auto), ("none", Transform::None), ("log1p", Transform::Log1p), ("asinh", Transform::Asinh)];
    if !table.has("features") {
        table.missing("features", "add `features = [\"recency_days\", …]`, the numbers to cluster by");
    }
    let features = table.texts("features").unwrap_or_default();
    if table.has("features") && features.is_empty() {
        table.error("TS-P037", "k-means needs at least one feature", table.span.clone());
    }
    let scheme = KmeansScheme {
        features,
        k: clusters(table)?,
        transform: table.choice("transform", TRANSFORMS).map_or(Transform::Auto, |transform| transform.value),
        winsorise: table.has("winsorise").then(|| share(table, "winsorise", 0.0)),
        restarts: table.integer("restarts", 1..=1_000).map_or(10, |restarts| restarts.value as u32),
        sample: table.integer("sample", 1_000..=10_000_000).map_or(50_000, |sample| sample.value as u32),
        names: table.texts("names").unwrap_or_default().into_iter().map(|name| name.value).collect(),
    };
    if let (KChoice::Fixed(k), false) = (scheme.k, scheme.names.is_empty())
        && scheme.names.len() != k as usize
    {
        table.error("TS-P038", format!("{} names for {k} clusters", scheme.names.len()), table.span.clone());
    }
    Some(SchemeKind::Kmeans(scheme))
}

fn clusters(table: &Reader<'_>) -> Option<KChoice> {
    const MOST: i64 = 50;
    let Some(value) = table.get("k") else {
        table.missing("k", "add `k = \"auto\"`, a number, or { from = 3, to = 10 }");
        return None;
    };
    match value.get_ref() {
        DeValue::String(text) if text == "auto" => Some(KChoice::Range(2, 10)),
        DeValue::Table(inner) => {
            let inner = Reader::new(inner, value.span(), "k", table.notes);
            let (from, to) = (inner.integer("from", 2..=MOST), inner.integer("to", 2..=MOST));
            inner.finish();
            match (from, to) {
                (Some(from), Some(to)) if from.value <= to.value => Some(KChoice::Range(from.value as u32, to.value as u32)),
                _ => {
                    table.error("TS-P039", format!("`k` must be {{ from, to }} with 2 <= from <= to <= {MOST}"), value.span());
                    None
                }
            }
        }
        DeValue::Integer(_) => table.integer("k", 1..=MOST).map(|k| KChoice::Fixed(k.value as u32)),
        _ => {
            wrong_type(table.notes, value, "`k`", "\"auto\", a whole number, or { from = 3, to = 10 }");
            None
        }
    }
}
