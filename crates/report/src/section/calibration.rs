//! Calibration: what each model of a score predicted against what happened, and how far its best bins stand out.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::by_model::{ByModel, by_model};
use crate::chart::{Axis, Tick, place, trimmed};
use crate::facts::Facts;
use crate::number::{NONE, count, percent, plain};
use crate::record::CalibrationRow;
use crate::score::{Score, scores};

pub(super) const SECTION: Section = Section {
    name: "calibration",
    title: "Predicted and what happened",
    template: include_str!("../../templates/sections/calibration.html"),
    build: Build::Closing(build),
};

/// Bins of one model that are drawn.
const MOST_BINS: usize = 20;

/// Model of a score whose bins are bands of points, which are no forecast of what is observed.
const POINTS: &str = "health";

/// Edges of the field of a drawing, in units of its sheet.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 308.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 196.0;

/// Radius of the dot of the largest bin.
const LARGEST_DOT: f64 = 8.0;

/// Least radius that can be seen.
const SMALLEST_DOT: f64 = 2.0;

#[derive(Serialize)]
struct View {
    scores: Vec<ByModel<Model>>,
}

#[derive(Serialize)]
struct Model {
    plot: Option<Plot>,
    lift: Option<Lift>,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Plot {
    across: Vec<Tick>,
    up: Vec<Tick>,
    /// End of the line on which predicted is what happened.
    end: [String; 2],
    dots: Vec<Dot>,
}

#[derive(Serialize)]
struct Dot {
    x: String,
    y: String,
    r: String,
}

#[derive(Serialize)]
struct Lift {
    up: Vec<Tick>,
    /// Height of 1: as in all bins together.
    one: String,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    middle: String,
    label: String,
}

#[derive(Serialize)]
struct Line {
    label: String,
    customers: String,
    predicted: String,
    observed: String,
    lift: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    if facts.calibration.is_none() {
        return Ok(Part::NotApplicable);
    }
    let shown = by_model(&scores(facts), models, model);
    if shown.is_empty() {
        return Part::not_computed("no score of this version could be tried on later data");
    }
    Part::ready(View { scores: shown })
}

fn models<'a>(score: &Score<'a>) -> Vec<&'a str> {
    score.bins.iter().map(|bin| bin.model.as_str()).collect()
}

fn model(score: &Score<'_>, name: &str) -> Option<Model> {
    let mut bins: Vec<&CalibrationRow> = score
        .bins
        .iter()
        .copied()
        .filter(|bin| bin.model == name)
        .collect();
    let is_forecast = !name.starts_with(POINTS);
    if is_forecast {
        // The highest predictions first, whichever way the model counts its bins.
        bins.sort_by(|a, b| b.predicted.total_cmp(&a.predicted).then(a.bin.cmp(&b.bin)));
    } else {
        bins.sort_by_key(|bin| bin.bin);
    }
    bins.truncate(MOST_BINS);
    let probability = score.is_probability();
    let show = |value: f64| {
        if probability {
            percent(value)
        } else {
            plain(value)
        }
    };
    let mark = |value: f64| {
        if probability {
            format!("{}%", trimmed(plain(100.0 * value)))
        } else {
            trimmed(plain(value))
        }
    };
    Some(Model {
        plot: is_forecast.then(|| plot(&bins, &mark)),
        lift: lift(&bins),
        rows: (1..)
            .zip(&bins)
            .map(|(rank, bin)| Line {
                label: count(rank),
                customers: count(bin.customers),
                predicted: if is_forecast {
                    show(bin.predicted)
                } else {
                    NONE.to_owned()
                },
                observed: if is_forecast {
                    show(bin.observed)
                } else {
                    percent(bin.observed)
                },
                lift: bin.lift.map_or_else(|| NONE.to_owned(), times),
            })
            .collect(),
    })
}

fn plot(bins: &[&CalibrationRow], mark: &dyn Fn(f64) -> String) -> Plot {
    let largest = bins
        .iter()
        .map(|bin| bin.predicted.max(bin.observed))
        .fold(0.0, f64::max);
    let (across, up) = (
        Axis::new(largest, LEFT, RIGHT),
        Axis::new(largest, BOTTOM, TOP),
    );
    let most = bins.iter().map(|bin| bin.customers).max().unwrap_or(0);
    let dot = |bin: &&CalibrationRow| {
        // Area, not radius, says how many customers.
        let share = bin.customers as f64 / most.max(1) as f64;
        Dot {
            x: place(across.at(bin.predicted)),
            y: place(up.at(bin.observed)),
            r: place((LARGEST_DOT * share.sqrt()).max(SMALLEST_DOT)),
        }
    };
    Plot {
        across: across.ticks(mark),
        up: up.ticks(mark),
        end: [place(RIGHT), place(TOP)],
        dots: bins.iter().map(dot).collect(),
    }
}

/// Bars of the lift, where any bin has one.
fn lift(bins: &[&CalibrationRow]) -> Option<Lift> {
    let known = bins.iter().filter_map(|bin| bin.lift);
    let largest = known.reduce(f64::max)?.max(1.0);
    let up = Axis::new(largest, BOTTOM, TOP);
    let step = (RIGHT - LEFT) / bins.len() as f64;
    let bar = |(index, bin): (usize, &&CalibrationRow)| {
        let lift = bin.lift?;
        let from = LEFT + step * (index as f64 + 0.15);
        let top = up.at(lift);
        Some(Bar {
            x: place(from),
            y: place(top),
            width: place(step * 0.7),
            height: place(BOTTOM - top),
            middle: place(from + step * 0.35),
            label: (index + 1).to_string(),
        })
    };
    Some(Lift {
        up: up.ticks(times),
        one: place(up.at(1.0)),
        bars: bins.iter().enumerate().filter_map(bar).collect(),
    })
}

fn times(lift: f64) -> String {
    format!("{}×", trimmed(plain(lift)))
}
