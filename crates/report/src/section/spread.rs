//! The distribution of scores over customers: a histogram of every score.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::chart::{Axis, Tick, place, trimmed};
use crate::column::Table;
use crate::facts::Facts;
use crate::mark::Mark;
use crate::number::{Measure, count, counted, plain};
use crate::sql::{self, Num, Query};
use crate::text::title;

pub(super) const SECTION: Section = Section {
    name: "spread",
    title: "How scores are spread",
    template: include_str!("../../templates/sections/spread.html"),
    build: Build::Middle(build),
};

/// Edges of the plot area, in units of the canvas.
const LEFT: f64 = 8.0;
const RIGHT: f64 = 272.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 92.0;

/// Bins of a histogram.
const BINS: usize = 20;
/// Scores shown.
const MOST: usize = 10;
/// Suffixes of columns with an end of an interval; they get no histogram of their own. Versions from before these had a table of
/// their own have them in `customers`.
const INTERVAL_ENDS: [&str; 4] = ["_low_95", "_low_80", "_high_80", "_high_95"];
/// Suffixes of columns that say what a score knew of a customer; they are no predictions.
const KNOWN: [&str; 2] = ["_coverage", "past_value"];
/// The bins end at this quantile; the last bin also has the customers beyond.
const REACH: f64 = 0.99;

#[derive(Serialize)]
struct View {
    histograms: Vec<Histogram>,
}

#[derive(Serialize)]
struct Histogram {
    title: String,
    doubt_of: Option<String>,
    bars: Vec<Bar>,
    ticks: Vec<Tick>,
    beyond: bool,
    known: String,
    rows: Vec<Line>,
    query: Query,
}

#[derive(Serialize)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    detail: String,
}

#[derive(Serialize)]
struct Line {
    bin: usize,
    from: String,
    customers: Num,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(people) = facts.people() else {
        return Ok(Part::NotApplicable);
    };
    let mut histograms = Vec::new();
    for column in columns(facts, people) {
        histograms.extend(histogram(facts, people, column)?);
        if histograms.len() == MOST {
            break;
        }
    }
    if histograms.is_empty() {
        return Ok(Part::NotApplicable);
    }
    Part::ready(View { histograms })
}

/// The numeric columns that come from models. The KPI is first.
fn columns<'a>(facts: &'a Facts<'_>, people: Table<'a>) -> Vec<&'a str> {
    let kpi = facts
        .kpi
        .as_ref()
        .filter(|kpi| !kpi.is_base_rate)
        .map(|kpi| kpi.name.as_str());
    let is_score = |name: &str| {
        facts
            .meta
            .feature(name)
            .is_some_and(|feature| feature.score.is_some())
    };
    let others = people.number_columns().into_iter().filter(|name| {
        is_score(name)
            && !INTERVAL_ENDS
                .iter()
                .chain(&KNOWN)
                .any(|end| name.ends_with(end))
            && Some(*name) != kpi
            && !facts.marks.is_base_rate(name)
    });
    kpi.filter(|kpi| people.has(kpi))
        .into_iter()
        .chain(others)
        .collect()
}

fn histogram(
    facts: &Facts<'_>,
    people: Table<'_>,
    column: &str,
) -> Result<Option<Histogram>, ReportError> {
    let mut values: Vec<f64> = people.numbers(column)?.into_iter().flatten().collect();
    values.sort_by(f64::total_cmp);
    let (Some(&lowest), Some(&highest)) = (values.first(), values.last()) else {
        return Ok(None);
    };
    if lowest >= highest || lowest < 0.0 {
        return Ok(None);
    }
    let measure = Measure::of(facts.meta, column);
    let reach = values[((values.len() - 1) as f64 * REACH) as usize];
    let end = match measure {
        Measure::Percent if highest <= 1.0 => 1.0,
        // A round end, so that bins begin at round numbers.
        _ => Axis::new(if reach > 0.0 { reach } else { highest }, 0.0, 1.0).largest(),
    };
    let width = end / BINS as f64;
    let bin_of = |value: f64| ((value / width).floor() as usize).min(BINS - 1);
    let mut counts = [0_i64; BINS];
    for value in &values {
        counts[bin_of(*value)] += 1;
    }
    let beyond = highest > end;
    let mark = |value: f64| match measure {
        Measure::Percent => format!("{}%", trimmed(plain(value * 100.0))),
        _ => trimmed(plain(value)),
    };
    let from = |bin: usize| mark(bin as f64 * width);
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (across, step) = (Axis::new(end, LEFT, RIGHT), (RIGHT - LEFT) / BINS as f64);
    let bar = |(bin, n): (usize, &i64)| {
        let height = (BOTTOM - TOP) * *n as f64 / most;
        let to = match beyond && bin == BINS - 1 {
            true => "and more".to_owned(),
            false => format!("to {}", from(bin + 1)),
        };
        Bar {
            x: place(LEFT + step * bin as f64 + 0.5),
            y: place(BOTTOM - height),
            width: place(step - 1.0),
            height: place(height),
            detail: format!(
                "{} {to}: {}",
                from(bin),
                counted(*n, "customer", "customers")
            ),
        }
    };
    let name = sql::column(column);
    Ok(Some(Histogram {
        title: title(column),
        doubt_of: facts.marks.of(column).map(Mark::sentence),
        bars: counts.iter().enumerate().map(bar).collect(),
        ticks: across.ticks(mark),
        beyond,
        known: count(values.len() as i64),
        rows: counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(bin, n)| Line {
                bin,
                from: from(bin),
                customers: Num::count(*n, "customers"),
            })
            .collect(),
        query: Query::by(
            &["bin"],
            format!(
                "select least(cast(floor({name} / {width:?}::double) as integer), {}) as bin, count(*) as customers\nfrom {}\nwhere {name} is not null group by bin",
                BINS - 1,
                facts.from("customers")
            ),
        ),
    }))
}
