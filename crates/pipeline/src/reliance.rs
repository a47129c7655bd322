//! How far each column can be relied on: a score in doubt affects every number that is made from it.
//!
//! [`Reliance::of`] gives the mark of a column of `customers` by name, [`Reliance::of_scheme`] that of a scheme. Tables, terminal
//! and report use these marks, through the tables `features` and `segments` and rows of `quality`.

use std::collections::BTreeMap;

use tessera_expr::columns;
use tessera_segments::{Quality, QualityStatus};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Scheme, SchemeInput, Score, ScoreColumn};

use crate::prepared::Prepared;
use crate::scores::{BACKTEST, COMPUTABLE, Scored, WHOLE};

/// Why a column cannot be relied on, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Against {
    /// Its score was not tested.
    NotValidated,
    /// An assumption of its score does not hold, or the score failed a test.
    Flagged,
    /// No model is used: every customer has the same probability.
    BaseRate,
    /// There are no values.
    NotComputed,
}

impl Against {
    /// The name in published tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::NotValidated => "not validated",
            Self::Flagged => "flagged",
            Self::BaseRate => "base rate",
            Self::NotComputed => "not computed",
        }
    }
}

/// The status of a column without a mark in published tables.
pub(crate) const OK: &str = "ok";

/// Why a column cannot be relied on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    pub(crate) against: Against,
    /// The score, and what is wrong with it.
    pub(crate) reason: String,
}

/// The marks of the columns that scores and values add to `customers`, and of schemes.
#[derive(Debug, Default)]
pub(crate) struct Reliance {
    columns: BTreeMap<String, Mark>,
    schemes: BTreeMap<String, Mark>,
}

impl Reliance {
    /// From the quality of the scores; values and schemes get the worst mark of the columns they are made from.
    pub(crate) fn new(prepared: &Prepared, scored: &[(String, Scored)]) -> Self {
        let mut reliance = Self::default();
        for score in &prepared.pipeline.scores {
            let found = scored.iter().find(|(name, _)| *name == score.name.value);
            if let Some((_, scored)) = found {
                reliance.add_score(score, scored);
            }
        }
        for (info, expr) in &prepared.value {
            if let Some(mark) = reliance.worst(columns(expr)) {
                reliance.columns.insert(info.name.clone(), mark);
            }
        }
        for scheme in &prepared.pipeline.schemes {
            let mark = reliance.worst(read_by(scheme, prepared));
            if let Some(mark) = mark {
                let name = &scheme.name.value;
                reliance.schemes.insert(name.clone(), mark.clone());
                // Later rules may read its columns.
                let columns = scheme.columns().into_iter().map(|column| column.name);
                reliance
                    .columns
                    .extend(columns.map(|column| (column, mark.clone())));
            }
        }
        reliance
    }

    /// The mark of a column of `customers`; `None` where it can be relied on.
    pub(crate) fn of(&self, column: &str) -> Option<&Mark> {
        self.columns.get(column)
    }

    /// The mark of a scheme, from the columns that it assigns by.
    pub(crate) fn of_scheme(&self, scheme: &str) -> Option<&Mark> {
        self.schemes.get(scheme)
    }

    /// Marks the estimates of a score with the ends of their intervals: all where the score is in doubt, else those without values.
    fn add_score(&mut self, score: &Score, scored: &Scored) {
        let mark = of_score(score, scored);
        let intervals = score.intervals();
        let estimate_of = |column: &ScoreColumn| {
            let mut intervals = intervals.iter();
            let interval = intervals.find(|interval| interval.ends.contains(&column.name));
            match interval {
                Some(interval) => Some(interval.estimate.clone()),
                None => (!column.detail && !column.observed).then(|| column.name.clone()),
            }
        };
        for column in score.columns() {
            let Some(estimate) = estimate_of(&column) else {
                continue;
            };
            let missing = without_values(score, &estimate, scored);
            let worst = match (missing, &mark) {
                (Some(missing), Some(mark)) if missing.against <= mark.against => {
                    Some(mark.clone())
                }
                (Some(missing), _) => Some(missing),
                (None, mark) => mark.clone(),
            };
            self.columns.extend(worst.map(|mark| (column.name, mark)));
        }
    }

    /// The worst mark of some columns; in a tie the first.
    fn worst<'c>(&self, columns: impl IntoIterator<Item = &'c str>) -> Option<Mark> {
        let marks = columns.into_iter().filter_map(|column| self.of(column));
        let worst = marks.reduce(|worst, mark| {
            if mark.against > worst.against {
                mark
            } else {
                worst
            }
        });
        worst.cloned()
    }

    /// Rows of `quality` for values and schemes that are made from a score in doubt.
    pub(crate) fn quality(&self, pipeline: &Pipeline) -> Vec<(String, Quality)> {
        let values = pipeline.value_columns();
        let values = values.iter().map(|column| column.name);
        let marked = values.filter_map(|name| Some((name, self.of(name)?)));
        let schemes = self
            .schemes
            .iter()
            .map(|(name, mark)| (name.as_str(), mark));
        let row = |(name, mark): (&str, &Mark)| {
            let row = Quality {
                segment: String::new(),
                criterion: "made from scores",
                metric: mark.against.name().to_owned(),
                value: None,
                threshold: None,
                status: match mark.against {
                    Against::NotComputed => QualityStatus::NotComputed,
                    _ => QualityStatus::Flagged,
                },
                reason: Some(mark.reason.clone()),
            };
            (name.to_owned(), row)
        };
        marked.chain(schemes).map(row).collect()
    }
}

/// The columns that a scheme assigns by.
fn read_by<'a>(scheme: &'a Scheme, prepared: &'a Prepared) -> Vec<&'a str> {
    let inputs = scheme.kind.settings().inputs();
    let mut columns_read: Vec<&str> = inputs.iter().map(SchemeInput::name).collect();
    let rules = prepared.rules.get(&scheme.name.value);
    columns_read.extend(rules.into_iter().flatten().flat_map(columns));
    columns_read
}

/// The mark of an estimate that a score did not compute, with the reason that `quality` states of it, or else of the score.
fn without_values(score: &Score, estimate: &str, scored: &Scored) -> Option<Mark> {
    if scored.columns.contains_key(estimate) {
        return None;
    }
    let rows = || scored.quality.iter().filter(|row| row.reason.is_some());
    let of_column = |row: &&Quality| {
        row.status == QualityStatus::NotComputed && estimate.ends_with(&row.metric)
    };
    let in_doubt = |row: &&Quality| row.status == QualityStatus::Flagged;
    let row = rows().find(of_column).or_else(|| rows().find(in_doubt))?;
    let reason = row.reason.as_deref().unwrap_or_default();
    Some(Mark {
        against: Against::NotComputed,
        reason: format!("score `{}`: {reason}", score.name.value),
    })
}

/// The mark of a score, from its quality.
fn of_score(score: &Score, scored: &Scored) -> Option<Mark> {
    let name = &score.name.value;
    let said = |row: &Quality| row.reason.clone().unwrap_or_else(|| row.metric.clone());
    let mark = |against, reason: String| {
        Some(Mark {
            against,
            reason: format!("score `{name}`: {reason}"),
        })
    };
    let missing = |row: &&Quality| row.status == QualityStatus::NotComputed;
    let whole = |row: &&Quality| row.criterion == COMPUTABLE && row.metric == WHOLE;
    if let Some(row) = scored.quality.iter().filter(missing).find(whole) {
        return mark(Against::NotComputed, said(row));
    }
    if scored.base_rate_only {
        let why = "no model is used, and every customer has the base rate";
        return mark(Against::BaseRate, why.to_owned());
    }
    let mut flagged = scored
        .quality
        .iter()
        .filter(|row| row.status == QualityStatus::Flagged);
    if let Some(row) = flagged.next() {
        return mark(Against::Flagged, said(row));
    }
    let backtest = |row: &&Quality| row.metric.starts_with(BACKTEST);
    if let Some(row) = scored.quality.iter().filter(missing).find(backtest) {
        return mark(Against::NotValidated, said(row));
    }
    None
}
