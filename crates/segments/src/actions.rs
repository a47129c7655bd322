//! The published table `actions`: the customers of each playbook, those with most value at risk first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, StringBuilder, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tessera_spec::pipeline::{Playbook, VALUE_AT_RISK, VALUE_NOW};

use crate::assignment::Assignment;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::parameter::Parameter;
use crate::profiles::check_lengths;
use crate::quality::Quality;

/// Segments that are named beside one that does not exist.
const MOST_NAMED: usize = 8;

/// Largest number of rows of a batch.
const BATCH_ROWS: usize = 65_536;

/// The table `actions` in batches: one row per customer and playbook, by playbook and priority.
pub struct ActionBatches<'a> {
    as_of: i32,
    customers: &'a Customers,
    schema: SchemaRef,
    /// Further columns of the customers that the pipeline asks for.
    asked: Vec<ArrayRef>,
    /// Value now, value at risk, and what customers are worth where neither is declared; NaN where there is none.
    worth: [Vec<f64>; 3],
    listed: Listed<'a>,
    /// Playbooks by name, each with its scheme and the index of its segment there.
    playbooks: VecDeque<(&'a Playbook, &'a Assignment, u32)>,
    /// Rows of the first of these playbooks by priority, and how many of them are written.
    current: Option<(Vec<u32>, usize)>,
}

/// Who is in no playbook although its segment has one, by scheme and in table order of the customers.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// Who may be contacted; everybody in schemes that are not named.
    pub reachable: &'a BTreeMap<String, BooleanArray>,
    /// Who is kept out as the control of an experiment; nobody in schemes that are not named.
    pub kept_out: &'a BTreeMap<String, BooleanArray>,
}

impl Listed<'_> {
    /// Whether a customer of a scheme may be contacted.
    fn is_reachable(&self, scheme: &str, row: usize) -> bool {
        let reachable = self.reachable.get(scheme);
        reachable.is_none_or(|known| known.is_valid(row) && known.value(row))
    }

    /// Whether a customer of a scheme is in the control of an experiment.
    fn is_kept_out(&self, scheme: &str, row: usize) -> bool {
        let kept_out = self.kept_out.get(scheme);
        kept_out.is_some_and(|known| known.is_valid(row) && known.value(row))
    }
}

/// The table `actions`. `value` is the column of what customers are worth, or by which they are put in
/// order where none is; `listed` says who is not in the table. `asked` are further columns of the customers, in table order of the customers.
///
/// # Errors
/// An assignment of another number of customers than the table has.
pub fn actions<'a>(
    as_of: i32,
    customers: &'a Customers,
    assignments: &'a [Assignment],
    playbooks: &'a [Playbook],
    (value, listed): (Option<&str>, Listed<'a>),
    asked: Vec<(Field, ArrayRef)>,
) -> Result<ActionBatches<'a>, SegmentError> {
    check_lengths(customers, assignments)?;
    let mut planned: Vec<(&Playbook, &Assignment, u32)> = playbooks
        .iter()
        .filter_map(|playbook| {
            let scheme = &playbook.scheme.value;
            let assignment = assignments.iter().find(|a| a.scheme == *scheme)?;
            let mut segments = assignment.segments.iter();
            let segment = segments.position(|s| s.name == playbook.segment.value)?;
            Some((playbook, assignment, segment as u32))
        })
        .collect();
    planned.sort_by(|a, b| a.0.name.value.cmp(&b.0.name.value));
    let worth = |name: &str| -> Result<Vec<f64>, SegmentError> {
        if customers.features().any(|(own, _)| own == name) {
            return Ok(customers.numeric(name)?.values().to_vec());
        }
        Ok(vec![f64::NAN; customers.len()])
    };
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    let mut fields = vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new(
            customers.key_name(),
            customers.key().data_type().clone(),
            false,
        ),
        text("scheme", false),
        text("segment", false),
        text("playbook", false),
        text("goal", true),
        text("touch", true),
        text("channel", true),
        text("owner", true),
        text("reason", false),
        Field::new("value_now", DataType::Float64, true),
        Field::new("value_at_risk", DataType::Float64, true),
        Field::new("priority", DataType::Int64, false),
    ];
    let (wanted, asked): (Vec<Field>, Vec<ArrayRef>) = asked.into_iter().unzip();
    fields.extend(wanted);
    Ok(ActionBatches {
        as_of,
        customers,
        schema: Arc::new(Schema::new(fields)),
        asked,
        worth: [
            worth(VALUE_NOW)?,
            worth(VALUE_AT_RISK)?,
            worth(value.unwrap_or_default())?,
        ],
        listed,
        playbooks: planned.into(),
        current: None,
    })
}

/// For each scheme with a playbook, the customers whose segment has none, and those with one who may not be contacted or are in the
/// control of an experiment.
pub fn without_playbook(
    assignments: &[Assignment],
    playbooks: &[Playbook],
    listed: Listed<'_>,
) -> Vec<(String, Parameter)> {
    let of_scheme = |assignment: &Assignment| {
        let own: Vec<&str> = playbooks
            .iter()
            .filter(|playbook| playbook.scheme.value == assignment.scheme)
            .map(|playbook| playbook.segment.value.as_str())
            .collect();
        let counts = assignment.counts().into_iter().zip(&assignment.segments);
        let without = counts
            .filter(|(_, segment)| !own.contains(&segment.name.as_str()))
            .map(|(customers, _)| customers)
            .sum::<u64>();
        let number = |name: &str, customers: u64| {
            let row = Parameter::number("playbooks", name, customers as f64);
            (assignment.scheme.clone(), row)
        };
        let mut rows = vec![number("customers_without_playbook", without)];
        if let Some(reachable) = listed.reachable.get(&assignment.scheme) {
            let (mut kept_out, mut unknown) = (0, 0);
            for (segment, reachable) in assignment.segment_of.iter().zip(reachable) {
                let name = &assignment.segments[*segment as usize].name;
                if own.contains(&name.as_str()) {
                    kept_out += u64::from(reachable != Some(true));
                    unknown += u64::from(reachable.is_none());
                }
            }
            rows.push(number("customers_not_reachable", kept_out));
            if unknown > 0 {
                rows.push(number("customers_not_known_reachable", unknown));
            }
        }
        if listed.kept_out.contains_key(&assignment.scheme) {
            let scheme = assignment.scheme.as_str();
            let of_playbook = assignment
                .segment_of
                .iter()
                .enumerate()
                .filter(|(_, segment)| {
                    let name = &assignment.segments[**segment as usize].name;
                    own.contains(&name.as_str())
                });
            let kept_out = of_playbook.filter(|(row, _)| {
                listed.is_kept_out(scheme, *row) && listed.is_reachable(scheme, *row)
            });
            rows.push(number("customers_in_control", kept_out.count() as u64));
        }
        match own.is_empty() {
            true => Vec::new(),
            false => rows,
        }
    };
    assignments.iter().flat_map(of_scheme).collect()
}

/// Playbooks for segments that a scheme does not have, of schemes whose segments follow from the customers.
pub fn for_nobody(assignments: &[Assignment], playbooks: &[Playbook]) -> Vec<(String, Quality)> {
    let row = |playbook: &Playbook| {
        let (scheme, segment) = (&playbook.scheme.value, &playbook.segment.value);
        let assignment = assignments.iter().find(|own| own.scheme == *scheme)?;
        let names: Vec<&str> = assignment
            .segments
            .iter()
            .map(|own| own.name.as_str())
            .collect();
        if names.contains(&segment.as_str()) {
            return None;
        }
        let shown = names[..names.len().min(MOST_NAMED)].join("`, `");
        let reason = format!(
            "playbook `{}` is for segment `{segment}`, which scheme `{scheme}` does not have in this run, so that it is for nobody; its segments are \
             `{shown}`{}",
            playbook.name.value,
            if names.len() > MOST_NAMED {
                " and others"
            } else {
                ""
            }
        );
        let row = Quality::not_computed(segment, "actionable", "playbook_segment", reason);
        Some((scheme.clone(), row))
    };
    playbooks.iter().filter_map(row).collect()
}

impl ActionBatches<'_> {
    /// Schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The customers of a segment who may be contacted and are in no control, by descending value at risk, then by descending value now, then by what they are
    /// worth, then by key. Customers without these values come last.
    fn by_priority(&self, assignment: &Assignment, segment: u32) -> Vec<u32> {
        let scheme = assignment.scheme.as_str();
        let may_be_contacted = |row: usize| {
            self.listed.is_reachable(scheme, row) && !self.listed.is_kept_out(scheme, row)
        };
        let mut rows: Vec<u32> = (0..self.customers.len())
            .map(|position| self.customers.row_by_key(position) as u32)
            .filter(|&row| assignment.segment_of[row as usize] == segment)
            .filter(|&row| may_be_contacted(row as usize))
            .collect();
        let known = |value: f64| {
            if value.is_nan() {
                f64::NEG_INFINITY
            } else {
                value
            }
        };
        let by = |place: usize, row: u32| known(self.worth[place][row as usize]);
        rows.sort_by(|&a, &b| {
            let at_risk = by(1, b).total_cmp(&by(1, a));
            at_risk
                .then_with(|| by(0, b).total_cmp(&by(0, a)))
                .then_with(|| by(2, b).total_cmp(&by(2, a)))
        });
        rows
    }

    fn batch(
        &self,
        (playbook, assignment, segment): (&Playbook, &Assignment, u32),
        rows: &[u32],
        before: usize,
    ) -> Result<RecordBatch, SegmentError> {
        let failed = |source| SegmentError::Table {
            table: "actions",
            source,
        };
        let places = UInt32Array::from(rows.to_vec());
        let of = |column: &ArrayRef| take(column, &places, None).map_err(failed);
        let same = |text: Option<&str>| -> ArrayRef {
            Arc::new(rows.iter().map(|_| text).collect::<StringArray>())
        };
        let worth = |place: usize| -> ArrayRef {
            let values = rows.iter().map(|&row| self.worth[place][row as usize]);
            let values = values.map(|value| Some(value).filter(|value| !value.is_nan()));
            Arc::new(values.collect::<Float64Array>())
        };
        let mut reasons = StringBuilder::with_capacity(rows.len(), rows.len() * 60);
        let mut reason = String::new();
        for &row in rows {
            reason.clear();
            assignment.write_reason(row as usize, &mut reason);
            reasons.append_value(&reason);
        }
        let segment = &assignment.segments[segment as usize];
        let priorities = (1..=rows.len()).map(|rank| (before + rank) as i64);
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from(vec![self.as_of; rows.len()])),
            of(self.customers.key())?,
            same(Some(&assignment.scheme)),
            same(Some(&segment.name)),
            same(Some(&playbook.name.value)),
            same(playbook.goal.as_deref()),
            same(playbook.touch.as_deref()),
            same(playbook.channel.as_deref()),
            same(playbook.owner.as_deref()),
            Arc::new(reasons.finish()),
            worth(0),
            worth(1),
            Arc::new(Int64Array::from_iter_values(priorities)),
        ];
        for column in &self.asked {
            columns.push(of(column)?);
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(failed)
    }
}

impl Iterator for ActionBatches<'_> {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let first = *self.playbooks.front()?;
            let (rows, done) = match self.current.take() {
                Some(current) => current,
                None => (self.by_priority(first.1, first.2), 0),
            };
            let end = (done + BATCH_ROWS).min(rows.len());
            if done == end {
                self.playbooks.pop_front();
                continue;
            }
            let batch = self.batch(first, &rows[done..end], done);
            self.current = Some((rows, end));
            return Some(batch);
        }
    }
}
