//! Scores, collected from the tables: which model is used and why, its test results, what is flagged.
//!
//! What a row of `models` states is in its [`Figure`]; its name is for people.

use std::collections::{BTreeMap, BTreeSet};

use tessera_spec::figure::{Figure, Metric, Sum, Test, TestPart};

use crate::facts::Facts;
use crate::mark::MADE_FROM_SCORES;
use crate::record::{CalibrationRow, ModelRow, QualityRow, QualityStatus};

/// One score.
pub(crate) struct Score<'a> {
    pub(crate) name: &'a str,
    /// The model that is used.
    pub(crate) served: Option<&'a str>,
    /// Why it is used.
    pub(crate) reason: Option<&'a str>,
    /// Rows of `models` except those of the choice.
    pub(crate) rows: Vec<&'a ModelRow>,
    /// Rows of `models` of which it is not known what they state.
    pub(crate) unstated: usize,
    /// Bins of the calibration.
    pub(crate) bins: Vec<&'a CalibrationRow>,
    /// Criteria on it.
    pub(crate) quality: Vec<&'a QualityRow>,
}

/// A parameter with its standard error.
pub(crate) struct Fitted<'a> {
    /// The parameter.
    pub(crate) of: &'a str,
    pub(crate) estimate: Cell<'a>,
    pub(crate) error: Cell<'a>,
}

/// A number of `models`, and the name of its row.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) row: &'a str,
    pub(crate) value: f64,
}

/// A result on data the model was not trained on.
#[derive(Clone, Copy)]
pub(crate) struct Tested<'a> {
    pub(crate) model: &'a str,
    pub(crate) test: &'a Test,
    pub(crate) cell: Cell<'a>,
}

/// Actual and predicted sums since the beginning of the holdout.
#[derive(Clone, Copy)]
pub(crate) struct Week<'a> {
    pub(crate) week: u32,
    pub(crate) actual: Cell<'a>,
    pub(crate) predicted: Cell<'a>,
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
    let mut names: BTreeSet<&str> = models
        .iter()
        .filter(|row| is_of_score(row))
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
        let said = |figure: Figure| of_score().find(|row| row.figure.as_ref() == Some(&figure));
        let (served, reason) = (said(Figure::Served), said(Figure::Reason));
        // The choice is tested like a model, without being one.
        let of_choice = |row: &&ModelRow| {
            let mut choice = served.iter().chain(&reason);
            choice.any(|of| of.model == row.model)
        };
        let text = |row: Option<&'a ModelRow>| row.and_then(|row| row.text.as_deref());
        Score {
            name,
            served: text(served),
            reason: text(reason),
            rows: of_score().filter(|row| !of_choice(row)).collect(),
            unstated: of_score().filter(|row| row.figure.is_none()).count(),
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

/// Whether only scores have such a row. A row that does not state what it is may be of a score.
fn is_of_score(row: &ModelRow) -> bool {
    match &row.figure {
        Some(Figure::Parameter | Figure::Estimate(_) | Figure::StandardError(_)) => false,
        Some(Figure::Reason) => false,
        Some(Figure::Served | Figure::Test(_) | Figure::Tracking(..)) | None => true,
    }
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
        let of_probabilities = [Metric::Auc, Metric::LogLoss, Metric::Brier];
        let judged = |found: &Tested<'_>| of_probabilities.contains(&found.test.metric);
        self.tested().iter().any(judged)
            && self
                .bins
                .iter()
                .all(|bin| (0.0..=1.0).contains(&bin.predicted))
    }

    /// Results on data that the models were not trained on, of all customers who were tested.
    pub(crate) fn tested(&self) -> Vec<Tested<'a>> {
        let tested = |row: &&'a ModelRow| match &row.figure {
            Some(Figure::Test(test)) if test.part != TestPart::Some => Some(Tested {
                model: row.model.as_str(),
                test,
                cell: cell(row)?,
            }),
            _ => None,
        };
        self.rows.iter().filter_map(tested).collect()
    }

    /// Parameters of a model that have a standard error, in the order of the table.
    pub(crate) fn fitted(&self, model: &str) -> Vec<Fitted<'a>> {
        let rows = || self.rows.iter().filter(|row| row.model == model);
        let error = |row: &&'a ModelRow| match &row.figure {
            Some(Figure::StandardError(of)) => Some((of.as_str(), cell(row)?)),
            _ => None,
        };
        let errors: BTreeMap<&str, Cell<'a>> = rows().filter_map(error).collect();
        let fitted = |row: &&'a ModelRow| match &row.figure {
            Some(Figure::Estimate(of)) => Some(Fitted {
                of,
                estimate: cell(row)?,
                error: *errors.get(of.as_str())?,
            }),
            _ => None,
        };
        rows().filter_map(fitted).collect()
    }

    /// The weeks of the holdout, in their order; weeks that lack the actual or the predicted sum are left out.
    pub(crate) fn tracking(&self, model: &str) -> Vec<Week<'a>> {
        let mut sums: BTreeMap<u32, [Option<Cell<'a>>; 2]> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.model == model) {
            if let Some(Figure::Tracking(sum, days)) = &row.figure {
                let place = match sum {
                    Sum::Actual => 0,
                    Sum::Predicted => 1,
                };
                sums.entry(days.div_ceil(7)).or_default()[place] = cell(row);
            }
        }
        let week = |(week, [actual, predicted]): (u32, [Option<Cell<'a>>; 2])| {
            Some(Week {
                week,
                actual: actual?,
                predicted: predicted?,
            })
        };
        sums.into_iter().filter_map(week).collect()
    }
}

fn cell(row: &ModelRow) -> Option<Cell<'_>> {
    Some(Cell {
        row: &row.name,
        value: row.value?,
    })
}

/// Rows of `models` of which it is not known what they state.
pub(crate) fn unstated(scores: &[Score<'_>]) -> usize {
    scores.iter().map(|score| score.unstated).sum()
}
