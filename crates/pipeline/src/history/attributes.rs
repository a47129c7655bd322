//! Which attributes of customers changed since the previous version, and which features and values depend on them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::distinct;
use tessera_expr::{Expr, columns};
use tessera_history::ABSENT;
use tessera_spec::pipeline::SourceKind;

use super::Previous;
use super::aged::attribute_columns;
use super::state::Standing;
use crate::base;
use crate::error::PipelineError;
use crate::prepared::Prepared;

/// The attributes that changed since the previous version.
pub(super) struct Touched<'n> {
    /// Today's values of the customers of both.
    pub(super) replaced: BTreeMap<&'n str, ArrayRef>,
    /// Rows of these customers.
    pub(super) now_rows: UInt32Array,
    /// Their rows in the previous version.
    pub(super) then_rows: UInt32Array,
    /// The rows of this version's customers of whom an attribute changed.
    pub(super) changed: Vec<u32>,
}

/// Whether a customer can come or leave because of attributes: their rows make customers, or they decide who is active.
fn make_the_base(prepared: &Prepared, attributes: &BTreeSet<&str>) -> bool {
    let plan = &prepared.features;
    let is_attributes = |source: &str| {
        let source = prepared.pipeline.source(source);
        source.is_some_and(|source| source.kind == SourceKind::Attributes)
    };
    let mut passes = plan.passes.iter();
    let decide = plan.made_of(std::iter::once(base::CONDITION));
    let mut decide = decide.iter();
    passes.any(|pass| pass.in_base && is_attributes(&pass.source))
        || decide.any(|name| attributes.contains(name.as_str()))
}

/// What attributes changed since the previous version; `None` where none did and no customer came or left because of attributes.
pub(super) fn touched<'n>(
    prepared: &'n Prepared,
    (today, new_rows): (&RecordBatch, &[i64]),
    previous: &Previous,
    then: &Standing,
) -> Result<Option<Touched<'n>>, PipelineError> {
    let attributes = attribute_columns(prepared);
    let can_come = make_the_base(prepared, &attributes);
    let pairs = (0..today.num_rows()).filter(|&row| then.rows[row] != ABSENT);
    let (now_rows, then_rows): (Vec<u32>, Vec<u32>) =
        pairs.map(|row| (row as u32, then.rows[row])).unzip();
    let (now_rows, then_rows) = (UInt32Array::from(now_rows), UInt32Array::from(then_rows));
    let mut replaced: BTreeMap<&str, ArrayRef> = BTreeMap::new();
    let mut changed = vec![false; now_rows.len()];
    for name in attributes {
        let (Some(now), Some(old)) = (today.column_by_name(name), then.table.column_by_name(name))
        else {
            continue;
        };
        let now = arrow::compute::take(now, &now_rows, None)?;
        let old = arrow::compute::take(old, &then_rows, None)?;
        if now.to_data() != old.to_data() {
            let differs = distinct(&now, &cast(&old, now.data_type())?)?;
            let pairs = changed.iter_mut().zip(differs.values());
            pairs.for_each(|(changed, differs)| *changed |= differs);
            replaced.insert(name, now);
        }
    }
    let came = |row: usize| {
        previous.alignment.before[row] == ABSENT && then.rows[row] == ABSENT && new_rows[row] == 0
    };
    let left = || then.rows[today.num_rows()..].iter();
    let base_changed =
        can_come && ((0..today.num_rows()).any(came) || left().any(|&row| row != ABSENT));
    let changed = now_rows.values().iter().zip(changed);
    let changed = changed.filter(|(_, changed)| *changed);
    let changed = changed.map(|(row, _)| *row).collect();
    Ok((!replaced.is_empty() || base_changed).then_some(Touched {
        replaced,
        now_rows,
        then_rows,
        changed,
    }))
}

/// The features and values that depend on replaced columns: those that can be computed again from the table, and those that cannot.
pub(super) fn dependents(
    prepared: &Prepared,
    table: &RecordBatch,
    replaced: &BTreeMap<&str, ArrayRef>,
) -> (Vec<(String, Expr)>, BTreeSet<String>) {
    let mut affected: BTreeSet<&str> = replaced.keys().copied().collect();
    let (mut again, mut unknown) = (Vec::new(), BTreeSet::new());
    let plan = &prepared.features;
    let derived = plan.derived.iter().map(|(name, expr)| (false, name, expr));
    let late = plan.late.iter().map(|(name, expr)| (true, name, expr));
    let values = prepared.value.iter();
    let values = values.map(|(info, expr)| (false, &info.name, expr));
    for (late, name, expr) in derived.chain(late).chain(values) {
        let read = columns(expr);
        if !read.iter().any(|column| affected.contains(column)) {
            continue;
        }
        affected.insert(name);
        let known = |column: &&str| {
            !unknown.contains(*column)
                && (table.column_by_name(column).is_some()
                    || again
                        .iter()
                        .any(|(name, _): &(String, Expr)| name == column))
        };
        if !late && read.iter().all(known) {
            again.push((name.clone(), expr.clone()));
        } else {
            unknown.insert(name.clone());
        }
    }
    (again, unknown)
}
