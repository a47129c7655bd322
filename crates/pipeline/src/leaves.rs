//! On which day customers leave their segments if no row comes: the schemes are applied to the customers as they will be on each of
//! the next days, as a run of that day without a new row would.
//!
//! Schemes that read scores are left out, since scores are not computed for later days; so are clusters from the day on which they
//! are fitted again, schemes that an earlier definition serves, and customers who are pinned.

pub(crate) mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Int64Type, Schema};
use chrono::{Days, NaiveDate};
use tessera_engine::Engine;
use tessera_expr::rel::Project;
use tessera_expr::{Expr, uses_as_of};
use tessera_features::Later;
use tessera_history::Ledger;
use tessera_model::interrupt;
use tessera_segments::{AssignedBy, Assignment, Stay};
use tessera_snapshot::NewArtifact;
use tessera_spec::pipeline::{Learns, Scheme};

use crate::base;
use crate::customers::{self, Assigned};
use crate::error::PipelineError;
use crate::history::{self, read_columns, reads_scores, used_schemes};
use crate::leaves::plan::Plan;
use crate::prepared::Prepared;
use crate::sources::epoch_day;
use crate::value;

/// Place of customers who do not leave within the days.
const STAYS: u32 = u32::MAX;

/// Adds the hidden columns of later days where the pipeline asks for the days on which customers leave their segments.
pub(crate) fn plan(prepared: &mut Prepared) {
    let Some(days) = prepared.pipeline.memberships.leaves_within_days else {
        return;
    };
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for scheme in &prepared.pipeline.schemes {
        if !reads_scores(prepared, scheme) {
            let read = read_columns(prepared, scheme);
            let made_of = prepared.features.made_of(read.into_iter());
            told.insert(scheme.name.value.clone(), made_of);
        }
    }
    let mut needed: BTreeSet<String> = told.values().flatten().cloned().collect();
    if prepared.pipeline.customer.active.is_some() {
        let condition = std::iter::once(base::CONDITION);
        needed.extend(prepared.features.made_of(condition));
    }
    let later = prepared.features.add_later(days, &needed);
    let may_change = |name: &String, made_of: &BTreeSet<String>| {
        made_of.is_disjoint(&later.unknown)
            && prepared
                .pipeline
                .scheme(name)
                .is_some_and(|scheme| changes(prepared, scheme, made_of, &later))
    };
    let schemes = told
        .iter()
        .filter(|(name, made_of)| may_change(name, made_of));
    let schemes = schemes.map(|(name, _)| name.clone()).collect();
    prepared.leaves = Some(Plan {
        later,
        needed,
        schemes,
    });
}

/// Whether segments of a scheme can change by time alone.
fn changes(
    prepared: &Prepared,
    scheme: &Scheme,
    made_of: &BTreeSet<String>,
    later: &Later,
) -> bool {
    let features = &prepared.features;
    let exprs = features.derived.iter().chain(&features.late);
    let values = prepared.value.iter().map(|(info, expr)| (&info.name, expr));
    let mut by_day = exprs
        .map(|(name, expr)| (name, expr))
        .chain(values)
        .filter(|(name, _)| made_of.contains(*name));
    let used = used_schemes(prepared, scheme);
    let mut rules = used.iter().filter_map(|name| prepared.rules.get(*name));
    let stays = &prepared.pipeline.memberships.min_stay_days;
    let mut held = used.iter();
    by_day.any(|(_, expr)| uses_as_of(expr))
        || made_of.iter().any(|name| later.columns.contains_key(name))
        || rules.any(|rules| rules.iter().any(uses_as_of))
        || held.any(|name| stays.contains_key(*name))
        || closes_by_time(prepared, later)
}

/// Whether accounts can be closed by time alone.
fn closes_by_time(prepared: &Prepared, later: &Later) -> bool {
    if prepared.pipeline.customer.active.is_none() {
        return false;
    }
    let made_of = prepared.features.made_of(std::iter::once(base::CONDITION));
    let exprs = prepared
        .features
        .derived
        .iter()
        .chain(&prepared.features.late);
    let mut read = exprs.filter(|(name, _)| name == base::CONDITION || made_of.contains(name));
    read.any(|(_, expr)| uses_as_of(expr))
        || made_of.iter().any(|name| later.columns.contains_key(name))
}

/// Splits off the columns of later days from the table of all features.
pub(crate) fn split(
    prepared: &Prepared,
    table: RecordBatch,
) -> Result<(RecordBatch, Option<RecordBatch>), PipelineError> {
    let Some(plan) = &prepared.leaves else {
        return Ok((table, None));
    };
    let hidden: BTreeSet<&str> = plan
        .later
        .columns
        .values()
        .flatten()
        .map(String::as_str)
        .collect();
    let features = &prepared.features;
    let computed = |name: &str| {
        let mut exprs = features.derived.iter().chain(&features.late);
        exprs.any(|(known, _)| known == name)
    };
    let schema = table.schema();
    let (mut kept, mut inputs) = (Vec::new(), vec![0]);
    for (place, field) in schema.fields().iter().enumerate() {
        let name = field.name().as_str();
        let is_input =
            plan.needed.contains(name) && !computed(name) && !plan.later.columns.contains_key(name);
        if hidden.contains(name) || (is_input && place > 0) {
            inputs.push(place);
        }
        if !hidden.contains(name) {
            kept.push(place);
        }
    }
    Ok((table.project(&kept)?, Some(table.project(&inputs)?)))
}

/// The results of the run from which later days follow.
pub(crate) struct From<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) engine: &'a dyn Engine,
    /// The key, and the columns that features of later days are made of.
    pub(crate) inputs: &'a RecordBatch,
    /// The table of all features and scores, a row per customer.
    pub(crate) now: &'a RecordBatch,
    pub(crate) assigned: &'a Assigned,
    /// The segments of this run and of all before.
    pub(crate) ledger: &'a Ledger,
}

/// What a scheme applies on later days.
struct Applied<'a> {
    scheme: &'a Scheme,
    published: &'a Assignment,
    /// What was fitted on a later day.
    fitted: Option<Assignment>,
    /// Last day on which it was fitted or tried, where it learns.
    tried: Option<NaiveDate>,
    /// Whether it is told on which day customers leave it.
    told: bool,
    /// Whether it can be applied.
    known: bool,
}

/// Fills in on which day customers leave their segments, and to which segment.
pub(crate) fn fill(from: &From<'_>, stays: &mut [Stay]) -> Result<(), PipelineError> {
    let Some(plan) = &from.prepared.leaves else {
        return Ok(());
    };
    let mut applied = applied(from, plan);
    let customers = customers_of(from)?;
    for (one, stay) in applied.iter().zip(&mut *stays) {
        if one.told {
            stay.leaves_on = vec![None; one.published.len()];
            stay.leaves_to = vec![STAYS; one.published.len()];
        }
    }
    for days in 1..=plan.later.days {
        if !applied.iter().any(|one| one.told) {
            break;
        }
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let day = from.prepared.as_of.checked_add_days(Days::new(days.into()));
        let Some(day) = day else { break };
        let (mut later, places) = on(from, plan, (days, day), &customers)?;
        let mut unknown: BTreeSet<&str> = BTreeSet::new();
        for (place, one) in applied.iter_mut().enumerate() {
            let used = used_schemes(from.prepared, one.scheme);
            if !used.is_disjoint(&unknown) {
                (one.known, one.told) = (false, false);
            }
            let Some(made) = one.on(from, (day, &places), &mut later, &stays[place])? else {
                unknown.insert(&one.scheme.name.value);
                continue;
            };
            if one.told {
                note(from, one, &made, (day, &places), &mut stays[place]);
            }
        }
    }
    Ok(())
}

/// The schemes in the order of the assignments.
fn applied<'a>(from: &From<'a>, plan: &Plan) -> Vec<Applied<'a>> {
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for scheme in &from.prepared.pipeline.schemes {
        if plan.schemes.contains(&scheme.name.value) {
            used.extend(used_schemes(from.prepared, scheme));
        }
    }
    let schemes = from.prepared.pipeline.schemes.iter();
    let assignments = from.assigned.assignments().iter();
    // Whether an earlier definition serves on later days too is not known.
    let held = assignments.clone();
    let held = held.filter(|assignment| assignment.assigned_by == AssignedBy::Held);
    let held: BTreeSet<&str> = held.map(|assignment| assignment.scheme.as_str()).collect();
    let of = |(scheme, published): (&'a Scheme, &'a Assignment)| {
        let name = &scheme.name.value;
        let artifact = from
            .assigned
            .artifacts()
            .iter()
            .find(|known| known.0 == *name);
        let tried = |(_, artifact): &(String, NewArtifact)| artifact.committed.tried_on;
        let is_held = !held.is_disjoint(&used_schemes(from.prepared, scheme));
        let windows = read_columns(from.prepared, scheme);
        let known = from.prepared.features.made_of(windows.into_iter());
        Applied {
            scheme,
            published,
            fitted: None,
            tried: artifact.map(tried),
            told: plan.schemes.contains(name) && !is_held,
            known: used.contains(name.as_str()) && known.is_subset(&plan.needed),
        }
    };
    schemes.zip(assignments).map(of).collect()
}

/// The row of the table of this run for each row of the inputs; none for closed accounts.
fn customers_of(from: &From<'_>) -> Result<Vec<Option<u32>>, PipelineError> {
    let (inputs, now) = (from.inputs.column(0), from.now.column(0));
    let mut next = 0;
    // Closed accounts were taken out, and what is left kept its order.
    let of = |row: usize| {
        let same = next < now.len() && equal(inputs, row, now, next);
        same.then(|| {
            next += 1;
            next as u32 - 1
        })
    };
    Ok((0..inputs.len()).map(of).collect())
}

/// Whether two keys are the same.
fn equal(left: &ArrayRef, row: usize, right: &ArrayRef, other: usize) -> bool {
    match (
        left.as_primitive_opt::<Int64Type>(),
        right.as_primitive_opt::<Int64Type>(),
    ) {
        (Some(left), Some(right)) => left.value(row) == right.value(other),
        _ => {
            let texts = (left.as_string_opt::<i32>(), right.as_string_opt::<i32>());
            matches!(texts, (Some(left), Some(right)) if left.value(row) == right.value(other))
        }
    }
}

/// The customers on a later day, and for each the row of the table of this run.
fn on(
    from: &From<'_>,
    plan: &Plan,
    (days, day): (u32, NaiveDate),
    customers: &[Option<u32>],
) -> Result<(Assigned, Vec<Option<u32>>), PipelineError> {
    let table = computed(from, plan, (days, day))?;
    let condition = table.column_by_name(base::CONDITION);
    let condition = condition.and_then(|column| column.as_boolean_opt());
    let active = |row: usize| {
        condition.is_none_or(|condition| condition.is_null(row) || condition.value(row))
    };
    let rows: Vec<u32> = (0..table.num_rows())
        .filter(|&row| active(row))
        .map(|row| row as u32)
        .collect();
    let places = rows.iter().map(|&row| customers[row as usize]).collect();
    let table = take_record_batch(&table, &UInt32Array::from(rows))?;
    let whole = history::whole(from.prepared, from.now, &table)?;
    Ok((Assigned::new(from.prepared, &whole)?, places))
}

/// The features of a later day that schemes read.
fn computed(
    from: &From<'_>,
    plan: &Plan,
    (days, day): (u32, NaiveDate),
) -> Result<RecordBatch, PipelineError> {
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    let schema = from.inputs.schema();
    let mut on_day: BTreeMap<&str, &str> = BTreeMap::new();
    let mut of_other_days: BTreeSet<&str> = BTreeSet::new();
    for (name, on_each) in &plan.later.columns {
        of_other_days.extend(on_each.iter().map(String::as_str));
        if let Some(own) = on_each.get(days as usize - 1) {
            on_day.insert(own, name);
        }
    }
    for (place, field) in schema.fields().iter().enumerate() {
        let name = field.name().as_str();
        let name = match on_day.get(name) {
            Some(original) => original,
            None if of_other_days.contains(name) => continue,
            None => name,
        };
        fields.push(Field::new(name, field.data_type().clone(), place > 0));
        arrays.push(from.inputs.column(place).clone());
    }
    let inputs = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let features = &from.prepared.features;
    let wanted = |exprs: &[(String, Expr)]| -> Vec<(String, Expr)> {
        let wanted = exprs.iter().filter(|(name, _)| plan.needed.contains(name));
        wanted.cloned().collect()
    };
    let mut table = project(from, day, &inputs, wanted(&features.derived))?;
    if let Some(gap) = &features.base_gap {
        let mut late = customers::base_gap(gap, &table)?;
        late.extend(wanted(&features.late));
        table = project(from, day, &table, late)?;
    }
    let values = value::computable(from.prepared, &table);
    project(from, day, &table, values)
}

fn project(
    from: &From<'_>,
    day: NaiveDate,
    table: &RecordBatch,
    columns: Vec<(String, Expr)>,
) -> Result<RecordBatch, PipelineError> {
    if columns.is_empty() {
        return Ok(table.clone());
    }
    let plan = Project {
        as_of: day,
        timezone: from.prepared.pipeline.timezone,
        columns,
    };
    Ok(from.engine.project(&plan, table)?)
}

impl Applied<'_> {
    /// The scheme on a later day; nothing where it is not applied then.
    fn on(
        &mut self,
        from: &From<'_>,
        (day, places): (NaiveDate, &[Option<u32>]),
        later: &mut Assigned,
        stay: &Stay,
    ) -> Result<Option<Assignment>, PipelineError> {
        if !self.known {
            return Ok(None);
        }
        let due = self.is_due(day);
        if due && self.scheme.finds_clusters() {
            (self.known, self.told) = (false, false);
            return Ok(None);
        }
        let prepared = from.prepared;
        let ruled = match prepared.rules.get(&self.scheme.name.value) {
            Some(rules) => Some(later.ruled_alone(prepared, day, rules, from.engine)?),
            None => None,
        };
        let learned = self.fitted.as_ref().unwrap_or(self.published);
        let made = match due {
            true => later.fit(prepared, self.scheme, ruled.as_ref()),
            false => later.apply(prepared, self.scheme, learned, ruled.as_ref()),
        };
        let mut made = match made {
            Ok(made) => made,
            // What was learned may not accept every value of a later day.
            Err(PipelineError::Segments(error)) => {
                tracing::debug!("`{}` on {day}: {error}", self.scheme.name.value);
                (self.known, self.told) = (false, false);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if due {
            self.tried = Some(day);
            self.fitted = Some(made.clone());
        }
        self.within(prepared, later, (places, stay), &mut made)?;
        for (place, row) in places.iter().enumerate() {
            let row = row.map(|row| row as usize);
            let held =
                row.filter(|&row| is_held(prepared, self.published, (row, epoch_day(day)), stay));
            if let Some(row) = held {
                made.put(place, self.published.segment(row));
            }
        }
        history::identify(from.ledger, self.scheme, self.published, &mut made);
        later.add(&made)?;
        Ok(Some(made))
    }

    /// Puts customers where the limits of their segment put them: the published one, or the one to which they left before that day.
    fn within(
        &self,
        prepared: &Prepared,
        later: &Assigned,
        (places, stay): (&[Option<u32>], &Stay),
        made: &mut Assignment,
    ) -> Result<(), PipelineError> {
        let Some(limits) = history::Limits::of(&prepared.pipeline.memberships, self.scheme) else {
            return Ok(());
        };
        let segment_before = |place: usize| {
            let row = places.get(place).copied().flatten()? as usize;
            match stay.leaves_on.get(row).copied().flatten() {
                None => Some(self.published.segment(row).name.as_str()),
                Some(_) => {
                    let after = stay.leaves_to.get(row).copied()?;
                    stay.segments_after.get(after as usize).map(String::as_str)
                }
            }
        };
        let found = limits.hold(later.customers(), segment_before)?;
        for one in found {
            let mut segments = made.segments.iter();
            if let Some(place) = segments.position(|segment| segment.name == one.tier) {
                made.segment_of[one.row as usize] = place as u32;
            }
        }
        Ok(())
    }

    /// Whether a run of that day would learn again.
    fn is_due(&self, day: NaiveDate) -> bool {
        let again = self.scheme.kind.settings().learns() == Learns::Again;
        let learns = again && !self.published.fit.is_none();
        let due = self.tried.and_then(|tried| self.scheme.refit.due(tried));
        learns && due.is_some_and(|due| due <= day)
    }
}

/// Whether a pin, or the minimum stay, still holds a customer in the published segment on a day.
fn is_held(
    prepared: &Prepared,
    published: &Assignment,
    (row, day): (usize, i32),
    stay: &Stay,
) -> bool {
    if published.decided_by(row) == AssignedBy::Pin {
        return true;
    }
    let stays = &prepared.pipeline.memberships.min_stay_days;
    let Some(&days) = stays.get(&published.scheme) else {
        return false;
    };
    let has_left = stay.leaves_on.get(row).is_some_and(Option::is_some);
    let entered = stay.entered_on.get(row).copied().unwrap_or(i32::MIN);
    !has_left && i64::from(day) < i64::from(entered) + i64::from(days)
}

/// Notes who is in another segment on a later day than in this version, and was not on the days before.
fn note(
    from: &From<'_>,
    one: &Applied<'_>,
    made: &Assignment,
    (day, places): (NaiveDate, &[Option<u32>]),
    stay: &mut Stay,
) {
    let (published, day) = (one.published, epoch_day(day));
    let mut names: Vec<u32> = Vec::with_capacity(made.segments.len());
    for segment in &made.segments {
        let known = stay
            .segments_after
            .iter()
            .position(|name| *name == segment.name);
        names.push(known.unwrap_or_else(|| {
            stay.segments_after.push(segment.name.clone());
            stay.segments_after.len() - 1
        }) as u32);
    }
    let mut gone = vec![true; published.len()];
    for (place, row) in places.iter().enumerate() {
        let Some(row) = row.map(|row| row as usize) else {
            continue;
        };
        gone[row] = false;
        let segment = made.segment_of[place];
        let other = made.segments[segment as usize].name != published.segment(row).name;
        let held = is_held(from.prepared, published, (row, day), stay);
        if other && stay.leaves_on[row].is_none() && !held {
            stay.leaves_on[row] = Some(day);
            stay.leaves_to[row] = names[segment as usize];
        }
    }
    // Who is closed by then leaves to no segment.
    for row in gone
        .iter()
        .enumerate()
        .filter(|(_, gone)| **gone)
        .map(|(row, _)| row)
    {
        if stay.leaves_on[row].is_none() {
            stay.leaves_on[row] = Some(day);
        }
    }
}
