//! Calibration: predictions of each model of a score compared with outcomes, and the lift of its bins.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::by_model::{ByModel, by_model};
use crate::chart::{Axis, Tick, place, trimmed};
use crate::facts::Facts;
use crate::number::{NONE, count, percent, plain};
use crate::record::CalibrationRow;
use crate::score::{Score, scores};
use crate::sql::{Num, Query};

pub(super) const SECTION: Section = Section {
    name: "calibration",
    title: "Predicted and what happened",
    template: include_str!("../../templates/sections/calibration.html"),
    build: Build::Appendix(build),
};

/// Largest number of bins of one model that are drawn.
const MOST_BINS: usize = 20;

/// Edges of the plot area, in units of the canvas.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 308.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 196.0;

/// Radius of the dot of the largest bin, in units of the canvas.
const LARGEST_DOT: f64 = 8.0;

/// Smallest visible radius, in units of the canvas.
const SMALLEST_DOT: f64 = 2.0;

#[derive(Serialize)]
struct View {
    scores: Vec<ByModel<Model>>,
    query: Query,
}

#[derive(Serialize)]
struct Model {
    plot: Plot,
    lift: Option<Lift>,
    rows: Vec<Line>,
}

#[derive(Serialize)]
struct Plot {
    across: Vec<Tick>,
    up: Vec<Tick>,
    /// End of the line on which predicted equals observed.
    end: [String; 2],
    dots: Vec<Dot>,
    /// Interval in which 95 of 100 observations of a bin lie if the prediction is right: x, low y, high y.
    bands: Vec<[String; 3]>,
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
    key: String,
    label: String,
    customers: Num,
    predicted: Num,
    observed: Num,
    lift: Num,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    if facts.calibration.is_none() {
        return Ok(Part::NotApplicable);
    }
    let shown = by_model(&scores(facts), models, model);
    if shown.is_empty() {
        return Part::not_computed("no score of this version could be tested on later data");
    }
    Part::ready(View {
        scores: shown,
        query: Query::by(
            &["score", "model", "bin"],
            format!(
                "select score, model, bin, customers, predicted, observed, lift\nfrom {}",
                facts.from("calibration")
            ),
        ),
    })
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
    // The highest predictions first, whatever the order of the model's bins.
    bins.sort_by(|a, b| b.predicted.total_cmp(&a.predicted).then(a.bin.cmp(&b.bin)));
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
        plot: plot(&bins, &mark, probability),
        lift: lift(&bins),
        rows: (1..)
            .zip(&bins)
            .map(|(rank, bin)| Line {
                key: bin.bin.to_string(),
                label: count(rank),
                customers: Num::count(bin.customers, "customers"),
                predicted: Num::new(show(bin.predicted), bin.predicted, "predicted"),
                observed: Num::new(show(bin.observed), bin.observed, "observed"),
                lift: Num::opt(
                    bin.lift.map_or_else(|| NONE.to_owned(), times),
                    bin.lift,
                    "lift",
                ),
            })
            .collect(),
    })
}

fn plot(bins: &[&CalibrationRow], mark: &dyn Fn(f64) -> String, probability: bool) -> Plot {
    let band_of = |bin: &CalibrationRow| probability.then(|| band(bin)).flatten();
    let largest = bins
        .iter()
        .map(|bin| {
            let top = band_of(bin).map_or(0.0, |band| band.1);
            bin.predicted.max(bin.observed).max(top)
        })
        .fold(0.0, f64::max);
    let (across, up) = (
        Axis::new(largest, LEFT, RIGHT),
        Axis::new(largest, BOTTOM, TOP),
    );
    let most = bins.iter().map(|bin| bin.customers).max().unwrap_or(0);
    let dot = |bin: &&CalibrationRow| {
        // The area of a dot, not its radius, is proportional to its customers.
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
        bands: bins
            .iter()
            .filter_map(|bin| {
                let (low, high) = band_of(bin)?;
                Some([
                    place(across.at(bin.predicted)),
                    place(up.at(low)),
                    place(up.at(high)),
                ])
            })
            .collect(),
        dots: bins.iter().map(dot).collect(),
    }
}

/// The interval of the observed share of a bin with that probability in 95 of 100 cases (Wilson 1927, equation for the limits,
/// around the prediction); for bins whose size is known.
fn band(bin: &CalibrationRow) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    let (p, n) = (bin.predicted, bin.customers as f64);
    if n < 1.0 {
        return None;
    }
    let middle = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(((middle - half).max(0.0), (middle + half).min(1.0)))
}

/// Bars of the lift, where any bin has a lift.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_is_wilsons() {
        let bin = CalibrationRow {
            score: String::new(),
            model: String::new(),
            bin: 1,
            predicted: 0.2,
            observed: 0.2,
            customers: 100,
            lift: None,
        };
        // statsmodels.stats.proportion.proportion_confint(20, 100, method="wilson")
        let (low, high) = band(&bin).unwrap();
        assert!(
            (low - 0.133_367).abs() < 1e-5 && (high - 0.288_829).abs() < 1e-5,
            "{low} {high}"
        );
    }
}
