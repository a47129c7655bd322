//! Customers whose keys were merged or split since the previous version.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{ArrayRef, RecordBatch};
use tessera_history::{ABSENT, Alignment, Before, Cause, Causes};
use tessera_snapshot::Version;

use super::state::{State, late_customers_first, mixed};
use crate::error::PipelineError;
use crate::merged;

/// Which customers of either version are others than they were, because the map of keys is another one. Rows are those of an
/// [`Alignment`]: the customers of this run, then those who are gone.
#[derive(Debug)]
pub(crate) struct KeyChanges {
    /// A key leads to them that did not, or no longer does.
    touched: Vec<bool>,
    /// Of those, the ones who are no customer any more, since their key belongs to another one now.
    merged_away: Vec<bool>,
}

impl KeyChanges {
    /// Compares the map of this run with that of the previous version; `None` where every key leads to the same customer.
    pub(super) fn new(
        now: Option<&RecordBatch>,
        previous: &Version,
        (before, customers, alignment): (&Before, &ArrayRef, &Alignment),
    ) -> Result<Option<Self>, PipelineError> {
        let then = merged::published(previous)?;
        if then.as_ref().map(RecordBatch::columns) == now.map(RecordBatch::columns) {
            return Ok(None);
        }
        let (now, then) = (leading(now)?, leading(then.as_ref())?);
        if now == then {
            return Ok(None);
        }
        let mut keys: BTreeSet<&str> = BTreeSet::new();
        for key in now.keys().chain(then.keys()) {
            let leads = |map: &'_ BTreeMap<String, String>| map.get(key).cloned();
            if leads(&now) != leads(&then) {
                let ends = [now.get(key), then.get(key)].into_iter().flatten();
                keys.insert(key);
                keys.extend(ends.map(String::as_str));
            }
        }
        let mut of_either = merged::texts(customers)?;
        let left = merged::texts(&before.keys)?;
        let gone = alignment.gone.iter();
        of_either.extend(gone.filter_map(|&row| left.get(row as usize).cloned()));
        let touched = of_either.iter().map(|key| keys.contains(key.as_str()));
        let merged_away = of_either.iter().map(|key| now.contains_key(key));
        Ok(Some(Self {
            touched: touched.collect(),
            merged_away: merged_away.collect(),
        }))
    }

    /// Whether a customer of either version is another than it was.
    pub(super) fn touches(&self, row: usize) -> bool {
        self.touched.get(row) == Some(&true)
    }

    /// The steps of a scheme from the previous version to the state after `others`, which is computed with today's map and all that
    /// `others` names. `alone` is the state with today's map and all else as before, where that is known.
    pub(super) fn steps(
        &self,
        before: State,
        (others, after): (Causes, &State),
        alone: Option<&State>,
    ) -> Vec<(Causes, State)> {
        let identity = Causes::from(Cause::Identity);
        let mut steps = Vec::new();
        match alone {
            Some(alone) => steps.push((identity, mixed(before, alone, &self.touched))),
            None => {
                let nobody = State {
                    names: Vec::new(),
                    of: vec![ABSENT; after.of.len()],
                };
                let left = mixed(before, &nobody, &self.merged_away);
                let both = identity.and(others);
                steps.push((identity, left.clone()));
                steps.push((both, mixed(left, after, &self.touched)));
            }
        }
        let at = steps.last().map(|(_, state)| state.clone());
        if let Some(at) = at.filter(|_| !others.is_empty()) {
            steps.extend(late_customers_first(at, (others, after)));
        }
        steps
    }
}

/// The customer that each key of a map leads to.
fn leading(map: Option<&RecordBatch>) -> Result<BTreeMap<String, String>, PipelineError> {
    let Some(map) = map else {
        return Ok(BTreeMap::new());
    };
    let keys = merged::texts(map.column(0))?.into_iter();
    Ok(keys.zip(merged::texts(map.column(1))?).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(names: &[&str], of: &[u32]) -> State {
        State {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            of: of.to_vec(),
        }
    }

    /// Customers: `a` is not concerned, `b` was merged into `c`, which is another segment since.
    fn merge() -> KeyChanges {
        KeyChanges {
            touched: vec![false, true, true],
            merged_away: vec![false, true, false],
        }
    }

    #[test]
    fn what_only_the_map_changes_is_one_step() {
        let before = state(&["low", "high"], &[0, 0, 0]);
        let after = state(&["high", "low"], &[0, ABSENT, 0]);
        let steps = merge().steps(before, (Causes::NONE, &after), Some(&after));
        assert_eq!(
            steps,
            [(
                Cause::Identity.into(),
                state(&["low", "high"], &[0, ABSENT, 1])
            )]
        );
    }

    #[test]
    fn what_cannot_be_told_apart_says_so_for_customers_whose_keys_changed() {
        let before = state(&["low", "high"], &[0, 0, 0]);
        let after = state(&["low", "high"], &[1, ABSENT, 1]);
        let late = Causes::from(Cause::LateData);
        let steps = merge().steps(before, (late, &after), None);
        let named: Vec<String> = steps.iter().map(|step| step.0.to_string()).collect();
        assert_eq!(named, ["identity", "identity or late_data", "late_data"]);
        assert_eq!(steps[0].1.of, [0, ABSENT, 0]);
        assert_eq!(steps[1].1.of, [0, ABSENT, 1]);
        assert_eq!(steps[2].1.of, [1, ABSENT, 1]);
    }
}
