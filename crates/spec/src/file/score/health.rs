//! `kind = "health"`

use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{
    At, HealthComponent, HealthScale, HealthScore, ScoreKind, Source, SourceKind,
};
use crate::reader::{Reader, check_segment, wrong_type};
use crate::written::word::GoodEnd;

use super::{Names, check_name, number_that, source_of};

/// Least share of the weight that must be present where none is stated.
const DEFAULT_COVERAGE: f64 = 0.6;

/// Bands where none are stated, with their upper limits.
const DEFAULT_BANDS: [(&str, f64); 3] = [("red", 36.0), ("yellow", 71.0), ("green", 100.0)];

/// The best health, and the most points of a component.
const BEST: f64 = 100.0;

/// How a component is made, in a message.
const SCALES: &str = "write `worst` and `best`, or `percentile = \"high\"`, or `steps = [{ below = 3, points = 20 }, { points = 100 }]`";

pub(super) fn health(table: &Reader<'_>, sources: &[Source]) -> Option<ScoreKind> {
    let from = source_of(
        table,
        sources,
        &[SourceKind::Events, SourceKind::Intervals],
        "add `from = \"…\"`: the events or intervals that say who churned, for the backtest",
    );
    let min_coverage = number_that(
        table,
        "min_coverage",
        |share| (0.0..=1.0).contains(&share),
        "a share from 0 to 1",
        "with 0.6, customers have no score if less than 60% of the weight is known",
    );
    let bands = bands(table);
    let components = components(table);
    Some(ScoreKind::Health(HealthScore {
        components: components?,
        min_coverage: min_coverage.map_or(DEFAULT_COVERAGE, |share| share.value),
        bands: bands?,
        from,
    }))
}

/// Names and upper limits: above 0, rising, the last 100.
fn bands(table: &Reader<'_>) -> Option<Vec<(String, f64)>> {
    let Some(inner) = table.table("bands") else {
        let stated = table.has("bands");
        let default = || DEFAULT_BANDS.map(|(name, limit)| (name.to_owned(), limit));
        return (!stated).then(|| default().to_vec());
    };
    let wrong = |message: String, span: Range<usize>| {
        let found = Diagnostic::error("TS-P046", message, span).with_note(
            "bands are upper limits of the health, from the worst band: they increase up to 100",
        );
        inner
            .notes
            .add(found.with_help("for example { red = 36, yellow = 71, green = 100 }"));
    };
    let mut bands: Vec<(String, f64)> = Vec::new();
    let mut good = true;
    for entry in inner.entries() {
        check_segment(inner.notes, &entry.key);
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
        let span = last.map_or_else(|| inner.span.clone(), |entry| entry.value.span());
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
    const HELP: &str = "add `components.NAME = { feature = \"…\", weight = 1, worst = 0, best = 10 }`, one for each component of the health";
    if !table.has("components") {
        table.missing("components", HELP);
    }
    let inner = table.table("components")?;
    let entries = inner.entries();
    if entries.is_empty() {
        let message = format!("`components` of {} is empty", table.name);
        table
            .notes
            .add(Diagnostic::error("TS-P009", message, inner.span.clone()).with_help(HELP));
    }
    // All are read before the list is rejected, so that all mistakes are noted.
    let read: Vec<Option<HealthComponent>> = entries
        .into_iter()
        .map(|entry| {
            let name = format!("component `{}`", entry.key.value);
            let inner = inner.as_table(entry.value, &name, &name)?;
            check_name(inner.notes, Names::Column, "component", &entry.key);
            component(&inner, entry.key)
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
        weight: weight?.value,
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
    table
        .notes
        .add(Diagnostic::error("TS-P047", message, span).with_help(SCALES));
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
        table
            .notes
            .add(Diagnostic::error("TS-P047", message, best.span).with_help(
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
    let items = table.array("steps")?;
    let wrong = |message: &str, span: Range<usize>| {
        table.notes.add(
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
        let Some((below, points)) = step(table, item) else {
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
            let span = below
                .as_ref()
                .map_or_else(|| item.span(), |b| b.span.clone());
            wrong(mistake, span);
            good = false;
        }
        steps.push((below.map_or(f64::INFINITY, |limit| limit.value), points));
    }
    good.then_some(HealthScale::Steps(steps))
}

/// One step: its limit, if it has one, and its points.
fn step(component: &Reader<'_>, item: &Spanned<DeValue<'_>>) -> Option<(Option<At<f64>>, f64)> {
    let Some(inner) = item.get_ref().as_table() else {
        wrong_type(component.notes, item, "a step", "a table { below, points }");
        return None;
    };
    let inner = Reader::new(inner, item.span(), "a step", component.notes);
    if !inner.has("points") {
        inner.missing("points", "add `points = …`, from 0 to 100");
    }
    let below = inner.number("below");
    let points = number_that(
        &inner,
        "points",
        |points| (0.0..=BEST).contains(&points),
        "from 0 to 100",
        "0 is the worst, 100 the best",
    );
    inner.finish();
    if below.is_none() && inner.has("below") {
        return None;
    }
    Some((below, points?.value))
}
