//! Scores, collected from the tables: which model is used and why, its test results, what is flagged.

use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::mark::MADE_FROM_SCORES;
use crate::record::{CalibrationRow, ModelRow, QualityRow, QualityStatus};

/// The model name in `models` of the rows that say which model is used and why.
const CHOICE: &str = "choice";

/// Prefixes of names of results on data the model was not trained on.
const BACKTESTS: [&str; 2] = ["test_", "backtest_"];

/// Suffixes of names of standard errors of parameters.
const ERRORS: [&str; 2] = ["_standard_error", "_se"];

/// One score.
pub(crate) struct Score<'a> {
    pub(crate) name: &'a str,
    /// The model that is used.
    pub(crate) served: Option<&'a str>,
    /// Why it is used.
    pub(crate) reason: Option<&'a str>,
    /// Rows of `models` except those of the choice.
    pub(crate) rows: Vec<&'a ModelRow>,
    /// Bins of the calibration.
    pub(crate) bins: Vec<&'a CalibrationRow>,
    /// Criteria on it.
    pub(crate) quality: Vec<&'a QualityRow>,
}

/// A parameter with its standard error.
pub(crate) struct Fitted<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: f64,
    pub(crate) error_name: &'a str,
    pub(crate) error: f64,
}

/// A result on data the model was not trained on: `test_auc`, `backtest_30d_auc`.
#[derive(Clone, Copy)]
pub(crate) struct Tested<'a> {
    /// The name in `models`.
    pub(crate) name: &'a str,
    pub(crate) model: &'a str,
    /// The horizon, where the model was tested at several.
    pub(crate) days: Option<u32>,
    pub(crate) metric: &'a str,
    pub(crate) value: f64,
}

/// Every score in `models`, `calibration` or `quality`, by name. Schemes are left out.
pub(crate) fn scores<'a>(facts: &'a Facts<'_>) -> Vec<Score<'a>> {
    let models = facts.models.as_deref().unwrap_or_default();
    let bins = facts.calibration.as_deref().unwrap_or_default();
    let quality = facts.quality.as_deref().unwrap_or_default();
    let declared = facts.meta.schemes.iter().map(|scheme| scheme.name.as_str());
    let found = facts
        .schemes
        .iter()
        .flatten()
        .map(|scheme| scheme.name.as_str());
    // In `quality`, `customers` stands for the whole base.
    let schemes: BTreeSet<&str> = declared.chain(found).chain(["customers"]).collect();
    let is_of_score = |row: &&ModelRow| {
        (row.model == CHOICE && row.name == "served")
            || tested(row).is_some()
            || tracked(row).is_some()
    };
    let mut names: BTreeSet<&str> = models
        .iter()
        .filter(is_of_score)
        .map(|row| row.score.as_str())
        .collect();
    names.extend(bins.iter().map(|row| row.score.as_str()));
    // Values made from scores have rows there too, but are not scores.
    let of_scores = quality
        .iter()
        .filter(|row| row.criterion != MADE_FROM_SCORES);
    names.extend(of_scores.map(|row| row.scheme.as_str()));
    let score = |name: &'a str| {
        let of_score = || models.iter().filter(move |row| row.score == name);
        let choice = |what: &str| {
            let row = of_score().find(|row| row.model == CHOICE && row.name == what);
            row.and_then(|row| row.text.as_deref())
        };
        Score {
            name,
            served: choice("served"),
            reason: choice("reason"),
            rows: of_score().filter(|row| row.model != CHOICE).collect(),
            bins: bins.iter().filter(|row| row.score == name).collect(),
            quality: quality.iter().filter(|row| row.scheme == name).collect(),
        }
    };
    names
        .into_iter()
        .filter(|name| !schemes.contains(name))
        .map(score)
        .collect()
}

impl<'a> Score<'a> {
    /// Criteria with that result.
    pub(crate) fn criteria(&self, status: QualityStatus) -> impl Iterator<Item = &'a QualityRow> {
        self.quality
            .iter()
            .copied()
            .filter(move |row| row.status == status)
    }

    /// Models with something to show: the one that is used first, then by name.
    pub(crate) fn models(&self, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        let sorted: BTreeSet<&str> = names.collect();
        let mut models: Vec<&str> = sorted.into_iter().collect();
        models.sort_by_key(|model| Some(*model) != self.served);
        models
    }

    /// Whether its predictions are probabilities.
    pub(crate) fn is_probability(&self) -> bool {
        let judged = |row: &&ModelRow| {
            tested(row).is_some_and(|found| matches!(found.metric, "auc" | "log_loss" | "brier"))
        };
        self.rows.iter().any(judged)
            && self
                .bins
                .iter()
                .all(|bin| (0.0..=1.0).contains(&bin.predicted))
    }

    /// Results on data that the models were not trained on.
    pub(crate) fn tested(&self) -> Vec<Tested<'a>> {
        self.rows.iter().filter_map(|row| tested(row)).collect()
    }

    /// Parameters of a model that have a standard error, in the order of the table.
    pub(crate) fn fitted(&self, model: &str) -> Vec<Fitted<'a>> {
        let of_model = || self.rows.iter().filter(move |row| row.model == model);
        let error = |name: &str| {
            of_model()
                .find(|row| {
                    ERRORS
                        .iter()
                        .any(|end| row.name.strip_suffix(end) == Some(name))
                })
                .and_then(|row| Some((row.name.as_str(), row.value?)))
        };
        of_model()
            .filter_map(|row| {
                let (error_name, error) = error(&row.name)?;
                Some(Fitted {
                    name: &row.name,
                    value: row.value?,
                    error_name,
                    error,
                })
            })
            .collect()
    }

    /// Week with actual and predicted sums since the beginning of the holdout, by week; weeks that lack either are left out.
    pub(crate) fn tracking(&self, model: &str) -> Vec<(u32, f64, f64)> {
        let weeks = || {
            self.rows
                .iter()
                .filter(move |row| row.model == model)
                .filter_map(|row| Some((tracked(row)?, row.value?)))
        };
        let predicted = |week: u32| {
            weeks()
                .find(|((of, is_actual), _)| *of == week && !is_actual)
                .map(|(_, value)| value)
        };
        let mut points: Vec<(u32, f64, f64)> = weeks()
            .filter(|((_, is_actual), _)| *is_actual)
            .filter_map(|((week, _), actual)| Some((week, actual, predicted(week)?)))
            .collect();
        points.sort_by_key(|point| point.0);
        points
    }
}

fn tested(row: &ModelRow) -> Option<Tested<'_>> {
    let rest = BACKTESTS
        .iter()
        .find_map(|begin| row.name.strip_prefix(begin))?;
    let horizon = rest.split_once("d_").and_then(|(days, metric)| {
        let days: u32 = days.parse().ok()?;
        Some((days, metric))
    });
    let (days, metric) = match horizon {
        Some((days, metric)) => (Some(days), metric),
        None => (None, rest),
    };
    Some(Tested {
        name: &row.name,
        model: &row.model,
        days,
        metric,
        value: row.value?,
    })
}

/// Week of `tracking_week_<n>_actual` (true) or `tracking_week_<n>_predicted` (false).
fn tracked(row: &ModelRow) -> Option<(u32, bool)> {
    let (week, kind) = row.name.strip_prefix("tracking_week_")?.split_once('_')?;
    match kind {
        "actual" => Some((week.parse().ok()?, true)),
        "predicted" => Some((week.parse().ok()?, false)),
        _ => None,
    }
}
