//! Tracking: actual and predicted purchases per week of the holdout, cumulated.

use serde::Serialize;

use super::models::models_query;
use super::{Build, Part, Section};
use crate::ReportError;
use crate::by_model::{ByModel, by_model};
use crate::chart::{Axis, Tick, place, trimmed};
use crate::facts::Facts;
use crate::number::{NONE, count, percent, plain};
use crate::score::{Cell, Score, Week, scores};
use crate::sql::{Num, Query};

pub(super) const SECTION: Section = Section {
    name: "tracking",
    title: "Week by week",
    template: include_str!("../../templates/sections/tracking.html"),
    build: Build::Appendix(build),
};

/// Edges of the plot area, in units of the canvas.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 196.0;

#[derive(Serialize)]
struct View {
    scores: Vec<ByModel<Model>>,
    query: Query,
}

#[derive(Serialize)]
struct Model {
    weeks: u32,
    /// Predicted divided by actual at the last week.
    ended: Option<String>,
    up: Vec<Tick>,
    across: Vec<Tick>,
    actual: String,
    predicted: String,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    week: u32,
    actual: Num,
    predicted: Num,
    ratio: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let shown = by_model(&scores(facts), models, model);
    if shown.is_empty() {
        return Ok(Part::NotApplicable);
    }
    Part::ready(View {
        scores: shown,
        query: models_query(facts),
    })
}

fn models<'a>(score: &Score<'a>) -> Vec<&'a str> {
    score.rows.iter().map(|row| row.model.as_str()).collect()
}

fn model(score: &Score<'_>, name: &str) -> Option<Model> {
    let points = score.tracking(name);
    let ended = points.last()?;
    let last = ended.week;
    let largest = points
        .iter()
        .map(|p| p.actual.value.max(p.predicted.value))
        .fold(0.0, f64::max);
    let up = Axis::new(largest, BOTTOM, TOP);
    let across = |week: u32| LEFT + (RIGHT - LEFT) * f64::from(week) / f64::from(last.max(1));
    // Both lines begin at 0: nothing was bought before the first week.
    let line = |sum: fn(&Week<'_>) -> f64| {
        let first = format!("{},{}", place(LEFT), place(BOTTOM));
        let rest = points
            .iter()
            .map(|point| format!("{},{}", place(across(point.week)), place(up.at(sum(point)))));
        std::iter::once(first)
            .chain(rest)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let marked = weeks_marked(last);
    Some(Model {
        weeks: last,
        ended: ratio(ended),
        up: up.ticks(|sum| trimmed(plain(sum))),
        across: marked
            .into_iter()
            .map(|week| Tick {
                at: place(across(week)),
                label: week.to_string(),
            })
            .collect(),
        actual: line(|point| point.actual.value),
        predicted: line(|point| point.predicted.value),
        rows: points
            .iter()
            .map(|point| Line {
                week: point.week,
                actual: number(point.actual),
                predicted: number(point.predicted),
                ratio: ratio(point).unwrap_or_else(|| NONE.to_owned()),
            })
            .collect(),
    })
}

fn number(cell: Cell<'_>) -> Num {
    Num::new(count(cell.value.round() as i64), cell.value, "value").at(cell.row)
}

fn ratio(point: &Week<'_>) -> Option<String> {
    let (actual, predicted) = (point.actual.value, point.predicted.value);
    (actual > 0.0).then(|| percent(predicted / actual))
}

/// 0, the last week, and round weeks between, about five in all.
fn weeks_marked(last: u32) -> Vec<u32> {
    let step = [1, 2, 4, 5, 10, 13, 26, 52]
        .into_iter()
        .find(|step| last.div_ceil(*step) <= 6)
        .unwrap_or_else(|| last.div_ceil(6).max(1));
    (0..=last).step_by(step as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_weeks_are_marked() {
        assert_eq!(weeks_marked(4), [0, 1, 2, 3, 4]);
        assert_eq!(weeks_marked(39), [0, 10, 20, 30]);
        assert_eq!(weeks_marked(52), [0, 10, 20, 30, 40, 50]);
        assert_eq!(weeks_marked(1), [0, 1]);
        assert!(weeks_marked(5_000).len() <= 7);
    }
}
