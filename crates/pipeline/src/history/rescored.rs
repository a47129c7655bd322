//! Scores of customers in the states between the previous version and this one: what this run applied to its customers, applied to
//! those of the state.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_features::SourceInput;
use tessera_spec::pipeline::{Scheme, Score};

use super::Previous;
use super::definitions::{read_columns, reads_scores, scores_of};
use super::replay::Replay;
use crate::artifacts;
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::{scores, value};

/// Whether the scores that a scheme reads are the same whichever other customers are scored beside one.
fn is_by_row(prepared: &Prepared, scheme: &Scheme) -> bool {
    let read = read_columns(prepared, scheme);
    let compares = |score: &Score| {
        let name = score.name.value.as_str();
        let model = scores::of(&score.kind);
        let columns = score.columns();
        let mut columns = columns.iter().map(|column| column.name.as_str());
        columns.any(|column| read.contains(column) && model.compares(name, column))
    };
    !prepared.pipeline.scores.iter().any(compares)
}

/// The scores that are computed for states between two versions.
fn rescored(prepared: &Prepared) -> BTreeSet<&str> {
    let schemes = prepared.pipeline.schemes.iter();
    let by_row = schemes.filter(|scheme| is_by_row(prepared, scheme));
    by_row
        .flat_map(|scheme| scores_of(prepared, scheme))
        .map(|score| score.name.value.as_str())
        .collect()
}

/// The hidden aggregates that are also wanted without the rows since the previous version: those with which scores are applied that
/// schemes read.
pub(crate) fn aged_columns(
    prepared: &Prepared,
    inputs: &BTreeMap<String, SourceInput>,
) -> BTreeSet<String> {
    let wanted = rescored(prepared);
    let all = prepared.pipeline.scores.iter();
    let all = all.filter(|score| wanted.contains(score.name.value.as_str()));
    let with = (&prepared.pipeline, inputs);
    all.flat_map(|score| scores::aggregates_to_apply(score, with, prepared.as_of))
        .flat_map(|(_, aggs)| aggs)
        .map(|agg| agg.name)
        .collect()
}

impl Replay<'_> {
    /// Whether the states of a scheme can be computed, as far as it depends on scores.
    pub(super) fn knows_scores(&self, previous: &Previous, scheme: &Scheme) -> bool {
        if !reads_scores(self.prepared, scheme) {
            return true;
        }
        // Customers whose keys were merged would have other scores than those beside them, who have the ones that were published.
        let is_mixed = previous.keys.is_some() && self.has_new_scores(scheme);
        self.learned.is_some() && is_by_row(self.prepared, scheme) && !is_mixed
    }

    /// Whether a score that a scheme reads was learned anew since the previous version.
    fn has_new_scores(&self, scheme: &Scheme) -> bool {
        let mut scores = scores_of(self.prepared, scheme);
        scores.any(|score| {
            let of = artifacts::of_score(&score.name.value);
            self.changes.is_learned_anew(&of)
        })
    }

    /// Whether a score that one of these schemes reads was learned anew since the previous version.
    pub(super) fn any_new_scores(&self, schemes: &[&str]) -> bool {
        let schemes = schemes.iter();
        let mut schemes = schemes.filter_map(|name| self.prepared.pipeline.scheme(name));
        schemes.any(|scheme| self.has_new_scores(scheme))
    }

    /// The scores that states need.
    pub(super) fn scores(&self) -> BTreeSet<&str> {
        match self.learned {
            Some(_) => rescored(self.prepared),
            None => BTreeSet::new(),
        }
    }

    /// Customers with their features and the columns with which scores are applied, at the close of a day: with the scores that states
    /// need, and the values that can be computed then.
    pub(super) fn with_scores(
        &self,
        mut table: RecordBatch,
        as_of: NaiveDate,
    ) -> Result<RecordBatch, PipelineError> {
        if let Some(learned) = self.learned {
            let wanted = self.scores();
            for score in &self.prepared.pipeline.scores {
                let name = score.name.value.as_str();
                if wanted.contains(name) {
                    let with = learned.get(name);
                    table = scores::applied(score, self.prepared, (&table, as_of), with)?;
                }
            }
        }
        let values = value::computable(self.prepared, &table);
        match values.is_empty() {
            true => Ok(table),
            false => self.project(&table, as_of, values),
        }
    }

    /// Whether a scheme reads a score that depends on one of these features.
    pub(super) fn scores_depend_on(&self, scheme: &str, changed: &BTreeSet<String>) -> bool {
        let Some(scheme) = self.prepared.pipeline.scheme(scheme) else {
            return true;
        };
        let published = &self.prepared.features.published;
        let depends = |score: &Score| {
            let read = scores::of(&score.kind).reads(published);
            read.iter().any(|feature| changed.contains(feature))
        };
        scores_of(self.prepared, scheme).any(depends)
    }
}
