//! Scores: which model is used and why, the results of every model on data it was not trained on, its parameters, what is
//! flagged and what was not computed.

use std::collections::BTreeMap;

use serde::Serialize;
use tessera_spec::figure::{Metric, TestPart};

use super::models::models_query;
use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::number::{NONE, count, counted};
use crate::record::{QualityRow, QualityStatus};
use crate::score::{Cell, Score, Tested, scores, unstated};
use crate::sql::{self, Num, Query};
use crate::text::{Name, printable, shortened, title, words};

pub(super) const SECTION: Section = Section {
    name: "scores",
    title: "How far the scores can be trusted",
    template: include_str!("../../templates/sections/scores.html"),
    build: Build::Appendix(build),
};

/// Longest reason shown, in characters.
const LONGEST_REASON: usize = 400;

/// Largest number of scores shown; the rest is counted.
const MOST_SCORES: usize = 40;

/// Figures of a backtest: the metric, its heading, and which way is better.
const FIGURES: [(Metric, &str, &str); 9] = [
    (Metric::Auc, "AUC", "higher is better, 0.5 is chance"),
    (
        Metric::AveragePrecision,
        "Average precision",
        "higher is better",
    ),
    (Metric::LogLoss, "Log loss", "lower is better"),
    (Metric::Brier, "Brier score", "lower is better"),
    (
        Metric::CalibrationError,
        "Calibration error",
        "lower is better",
    ),
    (Metric::Tracking, "Predicted over actual", "1 is exact"),
    (Metric::Correlation, "Correlation", "higher is better"),
    (
        Metric::MeanAbsoluteError,
        "Mean absolute error",
        "lower is better",
    ),
    (
        Metric::RootMeanSquareError,
        "Root mean square error",
        "lower is better",
    ),
];

/// Largest number of parameters shown of one model; the rest is counted.
const MOST_PARAMETERS: usize = 60;

#[derive(Serialize)]
struct View {
    /// Rows of which it is not known what they state.
    unstated: Option<String>,
    scores: Vec<ScoreView>,
    left_out: usize,
    query: Query,
    criteria: Query,
}

#[derive(Serialize)]
struct ScoreView {
    key: String,
    title: String,
    name: Name,
    served: Option<String>,
    reason: Option<String>,
    flags: Vec<Criterion>,
    /// Criteria that pass.
    passed: Vec<Criterion>,
    not_computed: Vec<Criterion>,
    columns: Vec<Column>,
    models: Vec<Line>,
    fitted: Vec<Fit>,
}

#[derive(Serialize)]
struct Column {
    title: &'static str,
    better: &'static str,
}

#[derive(Serialize)]
struct Line {
    key: String,
    model: String,
    serves: bool,
    horizon: Option<String>,
    cells: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    value: Num,
    interval: Option<(Num, Num)>,
}

#[derive(Serialize)]
struct Fit {
    key: String,
    model: String,
    serves: bool,
    parameters: Vec<Fitted>,
    left_out: usize,
}

#[derive(Serialize)]
struct Fitted {
    name: Name,
    value: Num,
    error: Num,
}

#[derive(Serialize)]
struct Criterion {
    criterion: String,
    key: String,
    metric: String,
    metric_key: String,
    figures: Option<(Num, Option<Num>)>,
    /// What stands before the limit.
    limit: &'static str,
    reason: Option<String>,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let found = scores(facts);
    if found.is_empty() {
        return Ok(Part::NotApplicable);
    }
    Part::ready(View {
        query: models_query(facts),
        criteria: Query::by(
            &["scheme", "criterion", "metric"],
            format!(
                "select scheme, criterion, metric, value, threshold\nfrom {}\nwhere segment = ''",
                facts.from("quality")
            ),
        ),
        unstated: Some(unstated(&found))
            .filter(|rows| *rows > 0)
            .map(|rows| counted(rows as i64, "row", "rows")),
        left_out: found.len().saturating_sub(MOST_SCORES),
        scores: found.iter().take(MOST_SCORES).map(view).collect(),
    })
}

fn view(score: &Score<'_>) -> ScoreView {
    let criteria = |status| score.criteria(status).map(criterion).collect();
    let tested = score.tested();
    let shown: Vec<usize> = (0..FIGURES.len())
        .filter(|&figure| tested.iter().any(|found| is_figure(found, figure)))
        .collect();
    let fit = |model: &str| {
        let fitted = score.fitted(model);
        Fit {
            key: sql::key(model),
            model: words(model),
            serves: score.served == Some(model),
            left_out: fitted.len().saturating_sub(MOST_PARAMETERS),
            parameters: fitted.iter().take(MOST_PARAMETERS).map(parameter).collect(),
        }
    };
    ScoreView {
        key: sql::key(score.name),
        title: title(score.name),
        name: Name::new(score.name),
        served: score.served.map(words),
        reason: score.reason.map(sentence),
        flags: criteria(QualityStatus::Flagged),
        passed: criteria(QualityStatus::Ok),
        not_computed: criteria(QualityStatus::NotComputed),
        columns: shown
            .iter()
            .map(|&figure| Column {
                title: FIGURES[figure].1,
                better: FIGURES[figure].2,
            })
            .collect(),
        models: lines(score, &tested, &shown),
        fitted: score
            .models(score.rows.iter().map(|row| row.model.as_str()))
            .into_iter()
            .map(fit)
            .filter(|fit| !fit.parameters.is_empty())
            .collect(),
    }
}

fn parameter(found: &crate::score::Fitted<'_>) -> Fitted {
    let number =
        |cell: Cell<'_>| Num::new(significant(cell.value), cell.value, "value").at(cell.row);
    Fitted {
        name: Name::new(found.of),
        value: number(found.estimate),
        error: number(found.error),
    }
}

/// One line per model and horizon that has any of the figures.
fn lines(score: &Score<'_>, tested: &[Tested<'_>], shown: &[usize]) -> Vec<Line> {
    let mut lines = Vec::new();
    for model in score.models(tested.iter().map(|found| found.model)) {
        let mut by_horizon: BTreeMap<Option<u32>, Vec<&Tested<'_>>> = BTreeMap::new();
        for found in tested.iter().filter(|found| found.model == model) {
            by_horizon.entry(found.test.days).or_default().push(found);
        }
        for (days, of_horizon) in by_horizon {
            if !of_horizon
                .iter()
                .any(|found| shown.iter().any(|&figure| is_figure(found, figure)))
            {
                continue;
            }
            lines.push(Line {
                key: sql::key(model),
                model: words(model),
                serves: score.served == Some(model),
                horizon: days.map(|days| format!("{days} days")),
                cells: shown
                    .iter()
                    .map(|&figure| figure_of(&of_horizon, figure))
                    .collect(),
            });
        }
    }
    lines
}

fn is_figure(found: &Tested<'_>, figure: usize) -> bool {
    (found.test.metric, found.test.part) == (FIGURES[figure].0, TestPart::All)
}

fn figure_of(tested: &[&Tested<'_>], figure: usize) -> Shown {
    let part = |part: TestPart| {
        let mut found = tested.iter().filter(|found| found.test.part == part);
        let found = found.find(|found| found.test.metric == FIGURES[figure].0);
        found.map(|found| number(found.cell))
    };
    let interval = part(TestPart::Low).zip(part(TestPart::High));
    match part(TestPart::All) {
        Some(value) => Shown { value, interval },
        None => Shown {
            value: Num::opt(NONE, None, "value"),
            interval: None,
        },
    }
}

fn number(cell: Cell<'_>) -> Num {
    Num::new(three(cell.value), cell.value, "value").at(cell.row)
}

fn criterion(row: &QualityRow) -> Criterion {
    let figures = row.value.map(|value| {
        (
            Num::new(three(value), value, "value"),
            row.threshold
                .map(|limit| Num::new(three(limit), limit, "threshold")),
        )
    });
    Criterion {
        criterion: title(&row.criterion),
        key: sql::key(&row.criterion),
        metric: title(&row.metric),
        metric_key: sql::key(&row.metric),
        figures,
        limit: limit_words(row),
        reason: row
            .reason
            .as_deref()
            .map(sentence)
            .map(|text| capital(&text)),
    }
}

/// How a figure is held against its limit.
fn limit_words(row: &QualityRow) -> &'static str {
    match row.side.as_deref() {
        Some("at least") => "at least",
        Some("at most") => "at most",
        Some("about") => "right is about",
        _ => "limit",
    }
}

/// A text of the tables as the end of a sentence.
fn sentence(text: &str) -> String {
    let text = shortened(&printable(text), LONGEST_REASON);
    text.trim_end_matches('.').to_owned()
}

/// The text with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// A figure with three decimals; the very large and the very small by their size.
fn three(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && (10.0..1e15).contains(&size) {
        return count(value as i64);
    }
    if size >= 1e6 || (size > 0.0 && size < 5e-4) {
        format!("{value:.2e}")
    } else {
        format!("{value:.3}")
    }
}

/// A parameter with four significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..9.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).clamp(0.0, 8.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_four_digits() {
        assert_eq!(significant(0.242_594_6), "0.2426");
        assert_eq!(significant(4.413_6), "4.414");
        assert_eq!(significant(-9_582.4), "-9582");
        assert_eq!(significant(1e-9), "1.000e-9");
        assert_eq!(three(0.781_49), "0.781");
        assert_eq!(three(8_813.0), "8,813");
        assert_eq!(three(0.000_1), "1.00e-4");
    }
}
