//! The states between two versions with the attributes of today and all else as before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use tessera_history::ABSENT;

use super::Previous;
use super::attributes::{Touched, dependents};
use super::replay::Replay;
use super::state::{Standing, State};
use crate::error::PipelineError;

impl Replay<'_> {
    /// The states with the attributes that changed and all else as before, of the schemes of these that read no column whose value
    /// with those attributes is not known.
    pub(super) fn with_attributes(
        &self,
        previous: &Previous,
        then: &Standing,
        touched: Option<Touched<'_>>,
        schemes: &[&str],
    ) -> Result<BTreeMap<String, State>, PipelineError> {
        let Some(touched) = touched else {
            return Ok(BTreeMap::new());
        };
        let found = self.attributes(then, touched)?;
        let schemes = schemes.iter().copied();
        let other_scores = match found.standing.can_be_scored {
            true => &found.unknown,
            false => &found.changed,
        };
        let is_known = |name: &&str| {
            !self.reads(name, &found.unknown) && !self.scores_depend_on(name, other_scores)
        };
        let known = schemes.filter(is_known);
        let known = self.with_used(&known.collect());
        self.assign(previous, &found.standing, &known, &BTreeMap::new())
    }

    /// The customers of the previous version with today's attributes.
    fn attributes(
        &self,
        then: &Standing,
        touched: Touched<'_>,
    ) -> Result<Reattributed, PipelineError> {
        let Touched {
            replaced,
            now_rows,
            then_rows,
            ..
        } = touched;
        let (again, unknown) = dependents(self.prepared, &then.table, &replaced);
        let changed = replaced.keys().map(|name| (*name).to_owned());
        let changed = changed.chain(again.iter().map(|(name, _)| name.clone()));
        let changed = changed.chain(unknown.iter().cloned()).collect();
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        let scored = || self.prepared.scored.iter();
        let values = self.prepared.value.iter().map(|(info, _)| info);
        let is_scored = |name: &str| {
            then.can_be_scored && scored().chain(values.clone()).any(|info| info.name == name)
        };
        let again: Vec<_> = again
            .into_iter()
            .filter(|(name, _)| !is_scored(name))
            .collect();
        let again_names: BTreeSet<&str> = again.iter().map(|(name, _)| name.as_str()).collect();
        for (place, field) in then.table.schema().fields().iter().enumerate() {
            let name = field.name().as_str();
            if again_names.contains(name) || unknown.contains(name) || is_scored(name) {
                continue;
            }
            fields.push(field.as_ref().clone().with_nullable(true));
            arrays.push(match replaced.get(name) {
                Some(column) => column.clone(),
                None => arrow::compute::take(then.table.column(place), &then_rows, None)?,
            });
        }
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let table = match again.is_empty() {
            true => table,
            false => self.project(&table, then.as_of, again)?,
        };
        let table = match then.can_be_scored {
            true => self.with_scores(table, then.as_of)?,
            false => table,
        };
        let mut rows = vec![ABSENT; then.rows.len()];
        for (place, row) in now_rows.values().iter().enumerate() {
            rows[*row as usize] = place as u32;
        }
        let standing = Standing {
            table,
            rows,
            only: None,
            as_of: then.as_of,
            can_be_scored: then.can_be_scored,
        };
        Ok(Reattributed {
            standing,
            unknown,
            changed,
        })
    }
}

/// The customers of the previous version with today's attributes.
struct Reattributed {
    standing: Standing,
    /// Features that depend on attributes and on columns that the previous version does not publish.
    unknown: BTreeSet<String>,
    /// Attributes with other values, and features and values that depend on them, those of `unknown` among them.
    changed: BTreeSet<String>,
}
