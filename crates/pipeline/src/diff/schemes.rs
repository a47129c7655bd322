//! Segments of each scheme in both versions, and who moved between them.

use std::collections::BTreeMap;

use arrow::util::display::array_value_to_string;
use serde::Serialize;
use tessera_history::{ABSENT, SchemeBefore};
use tessera_snapshot::{Store, Version};

use super::chain::{self, Chain, EventFound, StepFound};
use super::{Members, Pair, values};
use crate::error::PipelineError;

/// One scheme in both versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemeDiff {
    /// Its name.
    pub scheme: String,
    /// `both`, `added` or `removed`.
    pub state: &'static str,
    /// Customers in both versions.
    pub compared: u64,
    /// Of them, those in another segment.
    pub moved: u64,
    /// What those who moved count; of those who came or left, see `moves`.
    pub moved_value: f64,
    /// Its segments, those of the other version first.
    pub segments: Vec<SegmentDiff>,
    /// Who moved from where to where, most first.
    pub moves: Vec<Moved>,
    /// Steps by cause over the versions between, so that who moves and moves back counts twice; they add up to the change of
    /// every segment. Absent where they are not known.
    pub causes: Option<Vec<CauseCount>>,
    /// Why causes are not known.
    pub causes_unknown: Option<String>,
    /// What happened to segments in the versions between: split, merged, renamed, born, dissolved.
    pub events: Vec<EventFound>,
    /// Some of those who moved.
    pub sample: Vec<MovedCustomer>,
}

/// One segment in both versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentDiff {
    /// Its permanent id.
    pub segment_id: i64,
    /// Its name in the other version, or where it is gone its last.
    pub segment: String,
    /// Its name in the one version, where that was another.
    pub name_before: Option<String>,
    /// `both`, `born` or `ended`.
    pub state: &'static str,
    /// Customers in the one version.
    pub customers_before: i64,
    /// Customers in the other version.
    pub customers_after: i64,
    /// Value of its customers in the one version, of the column that moves count; none where that has no such column.
    pub value_before: Option<f64>,
    /// Value in the other version.
    pub value_after: Option<f64>,
    /// Change of its customers by cause; the sum is the change of its size.
    pub net_by_cause: Option<BTreeMap<String, i64>>,
}

/// Customers who are in another segment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moved {
    /// Id of the segment before; none for those who came.
    pub from_segment_id: Option<i64>,
    /// Its name.
    pub from_segment: Option<String>,
    /// Id of the segment after; none for those who left.
    pub to_segment_id: Option<i64>,
    /// Its name.
    pub to_segment: Option<String>,
    /// How many.
    pub customers: u64,
    /// What they count: their value in the other version, of those who left in the one.
    pub value: f64,
}

/// Steps of one cause.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CauseCount {
    /// As in `migrations`.
    pub cause: String,
    /// Customers who moved by it.
    pub customers: i64,
    /// What they counted.
    pub value: f64,
}

/// A customer who moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedCustomer {
    /// The key.
    pub customer: String,
    /// The segment before.
    pub from_segment: Option<String>,
    /// The segment after.
    pub to_segment: Option<String>,
}

/// Compares every scheme of either version.
pub(super) fn compare(
    store: &Store,
    pair: &Pair<'_>,
    sample: usize,
) -> Result<Vec<SchemeDiff>, PipelineError> {
    let Chain {
        steps,
        mut events,
        unknown,
        gaps,
    } = Chain::new(store, pair.from, pair.to)?;
    let cents = values(pair)?;
    let [before, after] = cents.each_ref().map(|cents| cents.as_deref());
    let none = vec![0; pair.members.after.keys.len()];
    let of_either = pair
        .members
        .values(before.unwrap_or_default(), after.unwrap_or(&none));
    let (then, now) = (segments(pair.from)?, segments(pair.to)?);
    let members = &pair.members;
    let none = SchemeBefore::default();
    let compared = members.schemes().into_iter().map(|name| {
        let (a, b) = (
            members.before.schemes.get(name),
            members.after.schemes.get(name),
        );
        let state = state(a.is_some(), b.is_some());
        let own: Vec<&StepFound> = steps.iter().filter(|step| step.scheme == *name).collect();
        let unknown = unknown.clone().or_else(|| gaps.get(name).cloned());
        let is_known = unknown.is_none() && state == "both";
        let tables = [
            valued(of_scheme(&then, name), a.unwrap_or(&none), before),
            valued(of_scheme(&now, name), b.unwrap_or(&none), after),
        ];
        let mut made = SchemeDiff {
            scheme: name.clone(),
            state,
            compared: 0,
            moved: 0,
            moved_value: 0.0,
            segments: segment_diffs(&tables, is_known.then_some(&own)),
            moves: Vec::new(),
            causes: is_known.then(|| by_cause(&own)),
            causes_unknown: unknown.filter(|_| state == "both"),
            events: events.remove(name).unwrap_or_default(),
            sample: Vec::new(),
        };
        if state == "both" {
            let both = (a.unwrap_or(&none), b.unwrap_or(&none));
            moves(members, both, &of_either, sample, &mut made);
        }
        made
    });
    Ok(compared.collect())
}

/// Whether a scheme is in both, was added or was removed.
fn state(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (true, true) => "both",
        (false, _) => "added",
        (true, false) => "removed",
    }
}

impl Members {
    /// The schemes of before and after, by name.
    fn schemes(&self) -> Vec<&String> {
        let mut names: Vec<&String> = self.after.schemes.keys().collect();
        names.extend(self.before.schemes.keys());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Who would move since a version, by scheme. `before` and `after` are what the customers count, in hundredths.
    pub(crate) fn planned(
        &self,
        since: Option<&Version>,
        (before, after): (&[i64], &[i64]),
        sample: usize,
    ) -> Result<Vec<SchemeDiff>, PipelineError> {
        let cents = self.values(before, after);
        let none = SchemeBefore::default();
        let declared = match since {
            Some(version) => segments(version)?,
            None => BTreeMap::new(),
        };
        let planned = self.schemes().into_iter().map(|name| {
            let (a, b) = (self.before.schemes.get(name), self.after.schemes.get(name));
            let both = (a.unwrap_or(&none), b.unwrap_or(&none));
            let then = valued(of_scheme(&declared, name), both.0, Some(before));
            let tables = [then, rows(both.1, after)];
            let mut made = SchemeDiff {
                scheme: name.clone(),
                state: state(a.is_some(), b.is_some()),
                compared: 0,
                moved: 0,
                moved_value: 0.0,
                segments: segment_diffs(&tables, None),
                moves: Vec::new(),
                causes: None,
                causes_unknown: None,
                events: Vec::new(),
                sample: Vec::new(),
            };
            if made.state == "both" {
                moves(self, both, &cents, sample, &mut made);
            }
            made
        });
        Ok(planned.collect())
    }
}

/// The segments of a scheme with their customers, and what these count.
fn rows(scheme: &SchemeBefore, cents: &[i64]) -> Vec<SegmentRow> {
    let mut sums = vec![(0_i64, 0_i128); scheme.segments.len()];
    for (row, &segment) in scheme.segment_of.iter().enumerate() {
        if let Some(sum) = sums.get_mut(segment as usize) {
            sum.0 += 1;
            sum.1 += i128::from(cents.get(row).copied().unwrap_or(0));
        }
    }
    let mut rows = Vec::with_capacity(sums.len());
    for ((id, name), (customers, cents)) in scheme.segments.iter().zip(sums) {
        rows.push(SegmentRow {
            id: *id,
            position: rows.len() as i64,
            name: name.clone(),
            customers,
            value: Some(money(cents)),
        });
    }
    rows
}

/// The segments of a scheme.
fn of_scheme<'a>(segments: &'a BTreeMap<String, Vec<SegmentRow>>, name: &str) -> &'a [SegmentRow] {
    segments.get(name).map(Vec::as_slice).unwrap_or_default()
}

/// Declared segments with what their customers count. Segments without customers are only in the table of segments.
fn valued(
    declared: &[SegmentRow],
    scheme: &SchemeBefore,
    cents: Option<&[i64]>,
) -> Vec<SegmentRow> {
    let found = cents.map(|cents| rows(scheme, cents));
    let value = |id: i64| {
        let mut rows = found.as_ref()?.iter();
        rows.find(|row| row.id == id)
            .map_or(Some(0.0), |row| row.value)
    };
    let valued = declared.iter().map(|row| SegmentRow {
        value: value(row.id),
        ..row.clone()
    });
    valued.collect()
}

/// A segment as the table `segments` has it, but for its value.
#[derive(Debug, Clone)]
struct SegmentRow {
    id: i64,
    /// Place among the segments of the scheme.
    position: i64,
    name: String,
    customers: i64,
    /// What its customers count.
    value: Option<f64>,
}

/// The rows of `segments`, by scheme.
fn segments(version: &Version) -> Result<BTreeMap<String, Vec<SegmentRow>>, PipelineError> {
    let mut found: BTreeMap<String, Vec<SegmentRow>> = BTreeMap::new();
    for batch in version.read("segments")? {
        let (schemes, names) = (
            chain::texts(&batch, "scheme"),
            chain::texts(&batch, "segment"),
        );
        let ids = chain::integers(&batch, "segment_id");
        let positions = chain::integers(&batch, "position");
        let customers = chain::integers(&batch, "customers");
        for (row, scheme) in schemes.into_iter().enumerate() {
            let scheme = scheme.unwrap_or_default();
            found.entry(scheme).or_default().push(SegmentRow {
                id: ids[row].unwrap_or_default(),
                position: positions[row].unwrap_or(i64::MAX),
                name: names[row].clone().unwrap_or_default(),
                customers: customers[row].unwrap_or_default(),
                value: None,
            });
        }
    }
    for rows in found.values_mut() {
        rows.sort_by_key(|row| row.position);
    }
    Ok(found)
}

fn segment_diffs(
    [then, now]: &[Vec<SegmentRow>; 2],
    steps: Option<&Vec<&StepFound>>,
) -> Vec<SegmentDiff> {
    let net = |id: i64| {
        let mut net: BTreeMap<String, i64> = BTreeMap::new();
        for step in steps?.iter().filter(|step| step.from != step.to) {
            let sign = i64::from(step.to == Some(id)) - i64::from(step.from == Some(id));
            if sign != 0 {
                *net.entry(step.cause.clone()).or_default() += sign * step.customers;
            }
        }
        Some(net)
    };
    let of = |before: Option<&SegmentRow>, after: Option<&SegmentRow>| {
        let shown = after.or(before)?;
        let renamed = before.filter(|before| before.name != shown.name);
        Some(SegmentDiff {
            segment_id: shown.id,
            segment: shown.name.clone(),
            name_before: renamed.map(|before| before.name.clone()),
            state: match (before, after) {
                (Some(_), Some(_)) => "both",
                (None, _) => "born",
                (_, None) => "ended",
            },
            customers_before: before.map_or(0, |before| before.customers),
            customers_after: after.map_or(0, |after| after.customers),
            value_before: before.and_then(|before| before.value),
            value_after: after.and_then(|after| after.value),
            net_by_cause: net(shown.id),
        })
    };
    let find = |rows: &[SegmentRow], id: i64| rows.iter().find(|row| row.id == id).cloned();
    let kept = now
        .iter()
        .map(|row| of(find(then, row.id).as_ref(), Some(row)));
    let gone = then.iter().filter(|row| find(now, row.id).is_none());
    kept.chain(gone.map(|row| of(Some(row), None)))
        .flatten()
        .collect()
}

fn by_cause(steps: &[&StepFound]) -> Vec<CauseCount> {
    let mut causes: BTreeMap<&str, (i64, i128)> = BTreeMap::new();
    for step in steps {
        let cause = causes.entry(&step.cause).or_default();
        *cause = (cause.0 + step.customers, cause.1 + step.cents);
    }
    let of = |(cause, (customers, cents)): (&str, (i64, i128))| CauseCount {
        cause: cause.to_owned(),
        customers,
        value: money(cents),
    };
    let mut causes: Vec<CauseCount> = causes.into_iter().map(of).collect();
    causes.sort_by(|a, b| b.customers.cmp(&a.customers).then(a.cause.cmp(&b.cause)));
    causes
}

/// Counts who is in another segment, and names some of them.
fn moves(
    members: &Members,
    (before, after): (&SchemeBefore, &SchemeBefore),
    cents: &[i64],
    sample: usize,
    made: &mut SchemeDiff,
) {
    let then = members.alignment.of_before(&before.segment_of, ABSENT);
    let now = members.alignment.of_now(&after.segment_of, ABSENT);
    let segment = |of: &SchemeBefore, place: u32| of.segments.get(place as usize).cloned();
    let mut counted: BTreeMap<(u32, u32), (u64, i128)> = BTreeMap::new();
    let mut moved_cents = 0;
    for (row, (&old, &new)) in then.iter().zip(&now).enumerate() {
        let ids = (segment(before, old), segment(after, new));
        made.compared += u64::from(ids.0.is_some() && ids.1.is_some());
        let (from, to) = (ids.0.as_ref().map(|id| id.0), ids.1.as_ref().map(|id| id.0));
        if from == to {
            continue;
        }
        if from.is_some() && to.is_some() {
            made.moved += 1;
            moved_cents += i128::from(cents[row]);
        }
        let count = counted.entry((old, new)).or_default();
        *count = (count.0 + 1, count.1 + i128::from(cents[row]));
        if made.sample.len() < sample {
            made.sample.push(MovedCustomer {
                customer: customer(members, row),
                from_segment: ids.0.map(|segment| segment.1),
                to_segment: ids.1.map(|segment| segment.1),
            });
        }
    }
    made.moved_value = money(moved_cents);
    made.moves
        .extend(counted.into_iter().map(|((old, new), (customers, cents))| {
            let (from, to) = (segment(before, old), segment(after, new));
            Moved {
                from_segment_id: from.as_ref().map(|from| from.0),
                from_segment: from.map(|from| from.1),
                to_segment_id: to.as_ref().map(|to| to.0),
                to_segment: to.map(|to| to.1),
                customers,
                value: money(cents),
            }
        }));
    let ends = |one: &Moved| (one.from_segment_id, one.to_segment_id);
    made.moves
        .sort_by(|a, b| b.customers.cmp(&a.customers).then(ends(a).cmp(&ends(b))));
}

/// The key of a customer of either version.
fn customer(members: &Members, row: usize) -> String {
    let now = members.after.keys.len();
    let shown = match row.checked_sub(now) {
        None => array_value_to_string(&members.after.keys, row),
        Some(gone) => {
            let row = members.alignment.gone[gone] as usize;
            array_value_to_string(&members.before.keys, row)
        }
    };
    shown.unwrap_or_default()
}

/// Hundredths as money.
fn money(cents: i128) -> f64 {
    cents as f64 / 100.0
}
