//! Value: how unequally it is distributed over customers, and which segments combine value with risk.

use serde::Serialize;

use super::acting::segments_query;
use super::{Build, Part, Section};
use crate::ReportError;
use crate::chart::{Axis, Tick, place, trimmed};
use crate::facts::{Facts, Scheme};
use crate::number::{Measure, plain};
use crate::sql::{self, Num, Query};
use crate::text::{Name, title, words};

pub(super) const SECTION: Section = Section {
    name: "value",
    title: "Value",
    template: include_str!("../../templates/sections/value.html"),
    build: Build::Middle(build),
};

/// Edges of the plot area, in units of the canvas.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 216.0;

/// Width of the canvas.
const WIDTH: f64 = 420.0;
/// From a dot to its label.
const BESIDE: f64 = 10.0;
/// About how wide a letter of a label is.
const LETTER: f64 = 6.0;

/// Radius of the dot of all customers.
const LARGEST_DOT: f64 = 22.0;
const SMALLEST_DOT: f64 = 3.0;

/// Points of the curve.
const POINTS: usize = 100;

/// The shares of customers, in percent, whose share of the value is written.
const WRITTEN: [usize; 5] = [1, 5, 10, 20, 50];

#[derive(Serialize)]
struct View {
    value: String,
    lorenz: Option<Lorenz>,
    scatter: Option<Scatter>,
}

#[derive(Serialize)]
struct Lorenz {
    /// The curve as points of a line.
    curve: String,
    ticks: Vec<Tick>,
    up: Vec<Tick>,
    rows: Vec<Top>,
    /// Whether a customer has a value below 0.
    losses: bool,
    query: Query,
}

/// The share of the value that the top customers have.
#[derive(Serialize)]
struct Top {
    percent: usize,
    share: Num,
}

#[derive(Serialize)]
struct Scatter {
    scheme: String,
    kpi: String,
    across: Vec<Tick>,
    up: Vec<Tick>,
    dots: Vec<Dot>,
    /// x coordinate of the target.
    target: Option<String>,
    rows: Vec<Line>,
    /// Whether a segment is among the rows alone, since its value or its mean is below 0.
    losses: bool,
    query: Query,
}

#[derive(Serialize)]
struct Dot {
    x: String,
    y: String,
    r: String,
    /// The name, as far as there is room for it.
    name: String,
    /// Whether the label stands to the left of the dot.
    left: bool,
    detail: String,
    meets: Option<bool>,
    #[serde(skip)]
    at: (f64, f64),
    /// Height of the label.
    label: String,
}

#[derive(Serialize)]
struct Line {
    key: String,
    name: Name,
    value: Num,
    kpi: Num,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let lorenz = lorenz(facts)?;
    let scatter = facts
        .action_scheme()
        .and_then(|scheme| scatter(facts, scheme));
    if lorenz.is_none() && scatter.is_none() {
        return Ok(Part::NotApplicable);
    }
    Part::ready(View {
        value: facts
            .meta
            .value
            .as_deref()
            .map_or_else(|| "value".to_owned(), words),
        lorenz,
        scatter,
    })
}

/// The Lorenz curve of values above 0, the highest first; customers without a value count as 0, as those below it do. Only shares that are
/// a customer or more are written.
fn lorenz(facts: &Facts<'_>) -> Result<Option<Lorenz>, ReportError> {
    let (Some(people), Some(column)) = (facts.people(), facts.value_column()) else {
        return Ok(None);
    };
    let known = people.numbers(column)?;
    let losses = known
        .iter()
        .any(|value| value.is_some_and(|value| value < 0.0));
    let mut values: Vec<f64> = known
        .into_iter()
        .map(|value| value.unwrap_or(0.0).max(0.0))
        .collect();
    values.sort_by(|a, b| b.total_cmp(a));
    let all: f64 = values.iter().sum();
    if all <= 0.0 {
        return Ok(None);
    }
    let mut held = Vec::with_capacity(POINTS + 1);
    let (mut sum, mut taken) = (0.0, 0);
    for point in 0..=POINTS {
        let until = (values.len() * point).div_ceil(POINTS);
        sum += values[taken..until].iter().sum::<f64>();
        taken = until;
        held.push(sum / all);
    }
    let (across, up) = (Axis::new(1.0, LEFT, RIGHT), Axis::new(1.0, BOTTOM, TOP));
    let curve = held.iter().enumerate().map(|(point, held)| {
        let x = across.at(point as f64 / POINTS as f64);
        format!("{},{}", place(x), place(up.at(*held)))
    });
    let mark = |share: f64| format!("{}%", trimmed(plain(share * 100.0)));
    let name = sql::column(column);
    let written = WRITTEN.into_iter();
    let written = written.filter(|percent| values.len() * percent >= 100);
    let rows = written.map(|percent| Top {
        percent,
        share: Num::new(
            crate::number::percent(held[percent]),
            held[percent],
            "share",
        ),
    });
    let rows: Vec<Top> = rows.collect();
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(Lorenz {
        curve: curve.collect::<Vec<_>>().join(" "),
        ticks: across.ticks(mark),
        up: up.ticks(mark),
        rows,
        losses,
        query: Query::by(
            &["top"],
            format!(
                "with v as (select greatest(coalesce({name}, 0), 0) as v from {}),\n  \
                 ranked as (select v, row_number() over (order by v desc) as i, count(*) over () as n, sum(v) over () as everything from v)\n\
                 select top, sum(v) filter (i <= ceil(n * top / 100)) / any_value(everything) as share\n\
                 from ranked, unnest([1, 5, 10, 20, 50]) as t(top) where n * top >= 100 group by top",
                facts.from("customers")
            ),
        ),
    }))
}

/// Segments by their mean KPI (x) and their value (y); the area of a dot is proportional to its customers.
fn scatter(facts: &Facts<'_>, scheme: &Scheme) -> Option<Scatter> {
    let kpi = facts.kpi.as_ref().filter(|kpi| !kpi.is_base_rate)?;
    let all = scheme.segments.iter();
    let all: Vec<_> = all.filter_map(|s| Some((s, s.kpi?, s.value?))).collect();
    let drawn = all.iter().copied();
    let known: Vec<_> = drawn
        .filter(|(_, kpi, value)| *kpi >= 0.0 && *value >= 0.0)
        .collect();
    if known.len() < 2 {
        return None;
    }
    let largest = |of: &dyn Fn(&(&crate::record::SegmentRow, f64, f64)) -> f64| {
        known.iter().map(of).fold(0.0, f64::max)
    };
    let limit = kpi.target.map(crate::TargetMeta::limit);
    let across = Axis::new(largest(&|s| s.1).max(limit.unwrap_or(0.0)), LEFT, RIGHT);
    let up = Axis::new(largest(&|s| s.2), BOTTOM, TOP);
    let dot = |&(s, mean, value): &(&crate::record::SegmentRow, f64, f64)| {
        let x = across.at(mean);
        Dot {
            x: place(x),
            y: place(up.at(value)),
            r: place((LARGEST_DOT * scheme.share(s).max(0.0).sqrt()).max(SMALLEST_DOT)),
            name: fitting(&Name::new(&s.name).shown, x),
            left: is_left(x),
            at: (x, up.at(value)),
            label: String::new(),
            detail: format!(
                "{}: {}, {}",
                Name::new(&s.name).shown,
                facts.value_short(value),
                kpi.measure.show(mean, facts.meta)
            ),
            meets: facts.meets(Some(mean)),
        }
    };
    let mut dots: Vec<Dot> = known.iter().map(dot).collect();
    keep_apart(&mut dots);
    let row = |&(s, mean, value): &(&crate::record::SegmentRow, f64, f64)| Line {
        key: sql::key(&s.name),
        name: Name::new(&s.name),
        value: Num::new(facts.value_short(value), value, "value"),
        kpi: Num::new(kpi.measure.show(mean, facts.meta), mean, "kpi"),
    };
    let mark = |value: f64| match kpi.measure {
        Measure::Percent => format!("{}%", trimmed(plain(value * 100.0))),
        _ => trimmed(plain(value)),
    };
    Some(Scatter {
        scheme: title(&scheme.name),
        kpi: words(&kpi.name),
        across: across.ticks(mark),
        up: up.ticks(|value| facts.value_short(value).replace(".00", "")),
        dots,
        target: limit
            .filter(|limit| *limit >= 0.0)
            .map(|limit| place(across.at(limit))),
        rows: all.iter().map(row).collect(),
        losses: all.len() > known.len(),
        query: segments_query(facts, scheme),
    })
}

/// Whether the label of a dot at this place stands to its left.
fn is_left(x: f64) -> bool {
    x > (LEFT + RIGHT) / 2.0
}

/// A name as far as there is room for it beside a dot at this place, within the chart.
fn fitting(name: &str, x: f64) -> String {
    let room = match is_left(x) {
        true => x - BESIDE,
        false => WIDTH - x - BESIDE,
    };
    if width(name) <= room {
        return name.to_owned();
    }
    let mut taken = LETTER;
    let kept = name.chars().take_while(|letter| {
        taken += width_of(*letter);
        taken <= room
    });
    let kept: String = kept.collect();
    // Isolated, so that the ellipsis is at the end of a name that is written from right to left.
    format!("\u{2068}{}…\u{2069}", kept.trim_end())
}

/// About how wide a text is.
fn width(text: &str) -> f64 {
    text.chars().map(width_of).sum()
}

/// About how wide a letter is: those of East Asia are about twice as wide.
fn width_of(letter: char) -> f64 {
    if letter >= '\u{2e80}' {
        2.0 * LETTER
    } else {
        LETTER
    }
}

/// Moves labels up so that none overlaps another, the lowest first.
fn keep_apart(dots: &mut [Dot]) {
    const LINE: f64 = 12.0;
    let mut order: Vec<usize> = (0..dots.len()).collect();
    order.sort_by(|&a, &b| dots[b].at.1.total_cmp(&dots[a].at.1));
    let mut placed: Vec<(f64, f64, f64)> = Vec::new();
    for i in order {
        let dot = &dots[i];
        let width = width(&dot.name);
        let from = match dot.left {
            true => dot.at.0 - BESIDE - width,
            false => dot.at.0 + BESIDE,
        };
        let mut height = dot.at.1 - 6.0;
        // Each round moves the label above another one, so this many rounds are enough.
        for _ in 0..placed.len() {
            let lies_on = |other: &&(f64, f64, f64)| {
                (other.2 - height).abs() < LINE && from < other.1 && other.0 < from + width
            };
            let Some(other) = placed.iter().find(lies_on) else {
                break;
            };
            height = other.2 - LINE;
        }
        placed.push((from, from + width, height));
        dots[i].label = place(height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_where_the_chart_does() {
        assert_eq!(fitting("Champions", 60.0), "Champions");
        let long = "x".repeat(80);
        for x in [LEFT, 150.0, 229.0, 231.0, 300.0, RIGHT] {
            let label = fitting(&long, x);
            let room = if is_left(x) { x } else { WIDTH - x } - BESIDE;
            let letters = label.trim_matches(['\u{2068}', '\u{2069}']);
            assert!(letters.ends_with('…') && width(letters) <= room, "{label}");
            assert!(letters.chars().count() > 28, "{label}");
        }
        let wide = fitting(&"日".repeat(30), 200.0);
        assert_eq!(wide.chars().filter(|letter| *letter == '日').count(), 17);
    }
}
