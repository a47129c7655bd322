//! How the customers differ from those of the previous version: every published column, and the mix of segments of each scheme.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use rayon::prelude::*;
use serde_json::Value;
use tessera_history::{Drift, DriftRow, SchemeBefore, of_counts, of_numbers};
use tessera_segments::{Assignment, ColumnKind, Customers, LABEL_VALUES, Labels};
use tessera_spec::pipeline::{Scheme, Score, Unit};

use super::definitions::{COLUMNS, is_edited};
use super::{DEFINITIONS, Previous, definitions, read_columns};
use crate::base;
use crate::error::PipelineError;
use crate::identity;
use crate::prepared::Prepared;
use crate::sources::epoch_day;

/// Columns of the previous version that are in memory at a time.
const COLUMNS_AT_A_TIME: usize = 8;

/// Drift of every column that segments are profiled by, and of every scheme.
pub(super) fn rows(
    prepared: &Prepared,
    previous: &Previous,
    customers: &Customers,
    assignments: &[Assignment],
) -> Result<Vec<DriftRow>, PipelineError> {
    let now = definitions(prepared);
    let commit = previous.version.commit();
    let known = &commit.pipeline[DEFINITIONS];
    let redefined = match commit.program == identity::program() {
        true => redefined(known, &now),
        false => BTreeSet::new(),
    };
    let of_days = prepared.published().filter(|info| info.unit == Unit::Days);
    let counting_days: BTreeSet<&str> = of_days.map(|info| info.name.as_str()).collect();
    let columns = columns(prepared);
    let mut rows = Vec::new();
    for part in columns.chunks(COLUMNS_AT_A_TIME) {
        let names: Vec<&str> = part.iter().map(|column| column.1.as_str()).collect();
        let then = then(prepared, previous, &names)?;
        let has_days = names.iter().any(|name| counting_days.contains(name));
        let both = then.as_ref().filter(|_| has_days);
        let both = both.map_or_else(Vec::new, |then| of_both(then, customers));
        let days = (
            epoch_day(previous.version.as_of()),
            epoch_day(prepared.as_of),
        );
        let compared = part.par_iter().map(|(kind, name)| {
            let counts_days = counting_days.contains(name.as_str());
            let drift = column(
                (name, counts_days.then_some(&both)),
                (then.as_ref(), days.0),
                (customers, days.1),
            )?;
            Ok(row(kind, name, drift, redefined.contains(name.as_str())))
        });
        rows.extend(compared.collect::<Result<Vec<_>, PipelineError>>()?);
    }
    for assignment in assignments {
        let name = assignment.scheme.as_str();
        let drift = match previous.before.schemes.get(name) {
            Some(before) => mix(prepared, before, assignment),
            None => Drift::not_computed(NO_SCHEME.to_owned()),
        };
        let scheme = prepared.pipeline.scheme(name);
        let mut read = scheme
            .into_iter()
            .flat_map(|scheme| read_columns(prepared, scheme));
        let is_edited = |scheme| is_edited(prepared, scheme, &previous.version);
        let edited = scheme.is_none_or(is_edited) || read.any(|column| redefined.contains(column));
        rows.push(row("scheme", name, drift, edited));
    }
    Ok(rows)
}

const NO_CLUSTER: &str = "no cluster continues one of the previous version";

const NO_SCHEME: &str = "the previous version does not have the scheme";

fn row(kind: &'static str, name: &str, drift: Drift, edited: bool) -> DriftRow {
    let compared = drift.shape.is_some() || drift.before > 0;
    DriftRow {
        kind,
        name: name.to_owned(),
        drift: if edited && compared {
            drift.redefined("it is defined in another way than in the previous version".to_owned())
        } else {
            drift
        },
    }
}

/// Columns that segments are profiled by, with what they are.
fn columns(prepared: &Prepared) -> Vec<(&'static str, String)> {
    let details: BTreeSet<String> = prepared
        .pipeline
        .scores
        .iter()
        .flat_map(Score::columns)
        .filter(|column| column.detail)
        .map(|column| column.name)
        .collect();
    let features = prepared
        .features
        .published
        .iter()
        .map(|info| ("feature", info));
    let scores = prepared.scored.iter().map(|info| ("score", info));
    let values = prepared.value.iter().map(|(info, _)| ("value", info));
    let all = features.chain(scores).chain(values);
    let named = all.map(|(kind, info)| (kind, info.name.clone()));
    named.filter(|(_, name)| !details.contains(name)).collect()
}

/// The columns of these names, of the customers that were active in the previous version; none where it has no customer.
fn then(
    prepared: &Prepared,
    previous: &Previous,
    names: &[&str],
) -> Result<Option<Customers>, PipelineError> {
    let key = prepared.pipeline.customer.key.as_str();
    let has_base = prepared.pipeline.customer.active.is_some();
    let read = |column: &str| {
        column == key || names.contains(&column) || (has_base && column == base::ACTIVE)
    };
    let batches = previous.version.read_columns("customers", read)?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let mut table = concat_batches(&first.schema(), &batches)?;
    drop(batches);
    let active = table.column_by_name(base::ACTIVE).filter(|_| has_base);
    if let Some(active) = active.and_then(|active| active.as_boolean_opt()).cloned() {
        table = filter_record_batch(&table, &active)?;
    }
    let kept: Vec<usize> = comparable(&table);
    Ok(Some(Customers::new(table.project(&kept)?)?))
}

/// Columns whose type segments can be made of: an earlier program may have published others.
fn comparable(table: &RecordBatch) -> Vec<usize> {
    let fits = |&column: &usize| column == 0 || Customers::takes(table.column(column).data_type());
    (0..table.num_columns()).filter(fits).collect()
}

/// Rows of the customers who are in both tables: of the earlier one, and of this one.
fn of_both(then: &Customers, now: &Customers) -> Vec<(usize, usize)> {
    let order = |a: usize, b: usize| {
        let keys = (then.key(), now.key());
        match (keys.0.as_string_opt::<i32>(), keys.1.as_string_opt::<i32>()) {
            (Some(then), Some(now)) => Some(then.value(a).cmp(now.value(b))),
            _ => {
                let then = keys.0.as_primitive_opt::<Int64Type>()?;
                let now = keys.1.as_primitive_opt::<Int64Type>()?;
                Some(then.value(a).cmp(&now.value(b)))
            }
        }
    };
    let (mut a, mut b, mut both) = (0, 0, Vec::new());
    while a < then.len() && b < now.len() {
        let rows = (then.row_by_key(a), now.row_by_key(b));
        match order(rows.0, rows.1) {
            None => break,
            Some(Ordering::Less) => a += 1,
            Some(Ordering::Greater) => b += 1,
            Some(Ordering::Equal) => {
                both.push(rows);
                (a, b) = (a + 1, b + 1);
            }
        }
    }
    both
}

/// Whether days fall as time passes, such as those until a renewal, rather than rise, such as those since an order: as those of more
/// customers did.
fn falls(both: &[(usize, usize)], then: &[f64], now: &[f64], passed: f64) -> bool {
    let changed = |by: f64| {
        let is_so = |&&(a, b): &&(usize, usize)| (now[b] - then[a] - by).abs() < 0.5;
        both.iter().filter(is_so).count()
    };
    passed > 0.0 && changed(-passed) > changed(passed)
}

/// One column of both versions; dates are compared as days before the day of their version. `counts_days`: where its numbers are days,
/// the customers of both versions.
fn column(
    (name, counts_days): (&str, Option<&Vec<(usize, usize)>>),
    (then, before_day): (Option<&Customers>, i32),
    (customers, day): (&Customers, i32),
) -> Result<Drift, PipelineError> {
    let kind = |customers: &Customers| {
        let mut features = customers.features();
        features
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| kind)
    };
    let Some(then) = then else {
        return Ok(Drift::not_computed(
            "the previous version has no customers".to_owned(),
        ));
    };
    let Some(now_kind) = kind(customers) else {
        return Ok(Drift::not_computed(
            "this version does not have the column".to_owned(),
        ));
    };
    match kind(then) {
        None => Ok(Drift::not_computed(
            "the previous version does not have the column".to_owned(),
        )),
        Some(then_kind) if then_kind != now_kind => Ok(Drift::not_computed(
            "the column had another type in the previous version".to_owned(),
        )),
        Some(ColumnKind::Label) => Ok(labels(&then.labels(name)?, &customers.labels(name)?)),
        Some(kind) => {
            let values = |of: &Customers, day: i32| -> Result<Vec<f64>, PipelineError> {
                let values = of.numeric(name)?.values().to_vec();
                Ok(match kind {
                    ColumnKind::Date => {
                        let age = |value: f64| f64::from(day) - value.floor();
                        values.into_iter().map(age).collect()
                    }
                    _ => values,
                })
            };
            let (before, now) = (values(then, before_day)?, values(customers, day)?);
            let days = f64::from(day - before_day);
            let passed = match (kind, counts_days) {
                (ColumnKind::Date, _) => days,
                (_, Some(both)) if falls(both, &before, &now, days) => -days,
                (_, Some(_)) => days,
                (_, None) => 0.0,
            };
            Ok(of_numbers(before, now, passed))
        }
    }
}

/// The most frequent labels of the previous version, and all others together.
fn labels(then: &Labels<'_>, now: &Labels<'_>) -> Drift {
    let counted = |labels: &Labels<'_>| {
        let (mut counts, mut missing) = (vec![0_u64; labels.values().len()], 0);
        for &code in labels.codes() {
            match counts.get_mut(code as usize) {
                Some(count) => *count += 1,
                None => missing += 1,
            }
        }
        let names = labels.values().iter().map(ToString::to_string);
        (names.zip(counts).collect::<Vec<_>>(), missing)
    };
    let ((mut before, missing_before), (now, missing)) = (counted(then), counted(now));
    before.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let others_before = before.split_off(before.len().min(LABEL_VALUES));
    let mut left: Vec<u64> = before.iter().map(|label| label.1).collect();
    left.push(others_before.iter().map(|label| label.1).sum());
    let places: BTreeMap<&str, usize> = before
        .iter()
        .enumerate()
        .map(|(place, label)| (label.0.as_str(), place))
        .collect();
    let mut right = vec![0; left.len()];
    for (name, count) in &now {
        let place = places.get(name.as_str()).copied();
        right[place.unwrap_or(before.len())] += count;
    }
    of_counts((&left, missing_before), (&right, missing))
}

/// Customers by segment; a segment of one of the versions has none in the other. Clusters that no cluster of the other version continues
/// are compared together: that they have other ids says nothing of sizes, and table `segment_events` names them.
pub(super) fn mix(prepared: &Prepared, before: &SchemeBefore, assignment: &Assignment) -> Drift {
    let mut counts: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for &place in &before.segment_of {
        if let Some((id, _)) = before.segments.get(place as usize) {
            counts.entry(*id).or_default().0 += 1;
        }
    }
    for (segment, count) in assignment.segments.iter().zip(assignment.counts()) {
        counts.entry(segment.id).or_default().1 += count;
    }
    let scheme = prepared.pipeline.scheme(&assignment.scheme);
    let is_found = scheme.is_some_and(Scheme::finds_clusters);
    if is_found {
        let (of_both, others): (BTreeMap<_, _>, BTreeMap<_, _>) = counts
            .into_iter()
            .partition(|(_, both)| both.0 > 0 && both.1 > 0);
        if of_both.is_empty() {
            return Drift::not_computed(NO_CLUSTER.to_owned());
        }
        let sum = |which: fn(&(u64, u64)) -> u64| others.values().map(which).sum::<u64>();
        let pooled = (sum(|both| both.0), sum(|both| both.1));
        counts = of_both;
        // Ids begin at 1.
        counts.insert(0, pooled);
    }
    let (then, now): (Vec<u64>, Vec<u64>) = counts.into_values().unzip();
    of_counts((&then, 0), (&now, 0))
}

/// Columns that are defined in another way than in the previous version: by another program they may be computed in another way, too,
/// but what it states of them cannot be compared.
fn redefined<'n>(then: &Value, now: &'n Value) -> BTreeSet<&'n str> {
    let (then, now) = (&then[COLUMNS], now[COLUMNS].as_object());
    let columns = now.into_iter().flatten();
    let edited = columns.filter(|(name, hash)| then[*name].is_string() && then[*name] != **hash);
    edited.map(|(name, _)| name.as_str()).collect()
}
