//! The published tables of the segments as Arrow record batches.
//!
//! `as_of` comes first and is days since 1970-01-01 (Date32). Rows are sorted: `memberships` by key and scheme, `segments` by
//! scheme and segment id, `profiles` by scheme, segment id, feature and label, `models` by score, model and name.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use rayon::prelude::*;
use tessera_spec::figure::Figure;
use tessera_spec::pipeline::Playbook;

use crate::assignment::Assignment;
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::parameter::Parameter;
use crate::profiles::{Profile, check_lengths};
use crate::summary::SegmentSummary;

/// Approximate number of rows of a batch of `memberships`.
const BATCH_ROWS: usize = 65_536;

/// The `memberships` table in batches of about 65,536 rows, in table order. Each batch can also be built on its own, for
/// instance by several threads.
pub struct MembershipBatches<'a> {
    as_of: i32,
    customers: &'a Customers,
    /// By scheme name.
    assignments: Vec<(&'a Assignment, Option<&'a Stay>)>,
    schema: SchemaRef,
    next: usize,
    ready: VecDeque<Result<RecordBatch, SegmentError>>,
}

/// Since when customers are in their segments of a scheme, and where they were in the previous version; everything per customer
/// is in table order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stay {
    /// First day of the unbroken stay, in days since 1970-01-01.
    pub entered_on: Vec<i32>,
    /// Segments of the previous version: id and name.
    pub segments_before: Vec<(i64, String)>,
    /// Index into `segments_before`; beyond its end where the previous version did not have the customer.
    pub before: Vec<u32>,
    /// The causes of moves, as texts.
    pub causes: Vec<String>,
    /// Index into `causes`; beyond its end for customers who did not move.
    pub cause: Vec<u32>,
    /// The day on which the customer leaves the segment if no row comes, in days since 1970-01-01; empty where that is not told.
    pub leaves_on: Vec<Option<i32>>,
    /// Segments to which customers leave.
    pub segments_after: Vec<String>,
    /// Index into `segments_after`; beyond its end for customers who leave to no segment, or do not leave.
    pub leaves_to: Vec<u32>,
    /// The smallest changes of one column that lead to another segment, as texts.
    pub changes: Vec<String>,
    /// Index into `changes`; beyond its end for customers of whom none is told.
    pub nearest: Vec<u32>,
}

/// The `memberships` table: as_of, key, scheme, segment_id, segment, reason, assigned_by, entered_on, previous_segment_id,
/// previous_segment, cause, leaves_on, leaves_to, nearest_change; by key, then scheme. `stays` are those of the assignments, in
/// their order; without them these columns are null.
///
/// # Errors
/// An assignment of another number of customers than the table has.
pub fn memberships<'a>(
    as_of: i32,
    customers: &'a Customers,
    assignments: &'a [Assignment],
    stays: &'a [Stay],
) -> Result<MembershipBatches<'a>, SegmentError> {
    check_lengths(customers, assignments)?;
    let stays = stays.iter().map(Some).chain(std::iter::repeat(None));
    let mut assignments: Vec<(&Assignment, Option<&Stay>)> =
        assignments.iter().zip(stays).collect();
    assignments.sort_by(|a, b| a.0.scheme.cmp(&b.0.scheme));
    let schema = Schema::new(vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new(
            customers.key_name(),
            customers.key().data_type().clone(),
            false,
        ),
        Field::new("scheme", DataType::Utf8, false),
        Field::new("segment_id", DataType::Int64, false),
        Field::new("segment", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("assigned_by", DataType::Utf8, false),
        Field::new("entered_on", DataType::Date32, true),
        Field::new("previous_segment_id", DataType::Int64, true),
        Field::new("previous_segment", DataType::Utf8, true),
        Field::new("cause", DataType::Utf8, true),
        Field::new("leaves_on", DataType::Date32, true),
        Field::new("leaves_to", DataType::Utf8, true),
        Field::new("nearest_change", DataType::Utf8, true),
    ]);
    Ok(MembershipBatches {
        as_of,
        customers,
        assignments,
        schema: Arc::new(schema),
        next: 0,
        ready: VecDeque::new(),
    })
}

impl<'a> MembershipBatches<'a> {
    /// Schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Number of rows of the whole table.
    pub fn rows(&self) -> usize {
        self.customers.len() * self.assignments.len()
    }

    /// Number of batches of the whole table; none without customers or schemes.
    pub fn batches(&self) -> usize {
        if self.assignments.is_empty() {
            0
        } else {
            self.customers.len().div_ceil(self.customers_per_batch())
        }
    }

    /// The batch at this index, from 0; empty beyond the last.
    ///
    /// # Errors
    /// Arrow rejects the columns, for instance because reasons are too long for one array.
    pub fn batch(&self, index: usize) -> Result<RecordBatch, SegmentError> {
        let step = self.customers_per_batch();
        let end = ((index + 1) * step).min(self.customers.len());
        let rows: Vec<usize> = (index * step..end)
            .map(|position| self.customers.row_by_key(position))
            .collect();
        let schemes = &self.assignments;
        let pairs = || {
            rows.iter()
                .flat_map(|&row| schemes.iter().map(move |scheme| (row, scheme.0)))
        };
        let count = rows.len() * schemes.len();
        let key: ArrayRef = match self.customers.key().data_type() {
            DataType::Int64 => {
                let keys = self.customers.key().as_primitive::<Int64Type>().values();
                Arc::new(Int64Array::from_iter_values(
                    pairs().map(|(row, _)| keys[row]),
                ))
            }
            _ => {
                let keys = self.customers.key().as_string::<i32>();
                texts("memberships", pairs().map(|(row, _)| keys.value(row)))?
            }
        };
        let mut reasons = StringBuilder::with_capacity(count, count * 40);
        let mut reason = String::new();
        for (row, assignment) in pairs() {
            reason.clear();
            assignment.write_reason(row, &mut reason);
            reasons.append_value(&reason);
        }
        let mut columns = vec![
            dates(self.as_of, count),
            key,
            texts(
                "memberships",
                pairs().map(|(_, assignment)| assignment.scheme.as_str()),
            )?,
            Arc::new(Int64Array::from_iter_values(
                pairs().map(|(row, assignment)| assignment.segment(row).id),
            )),
            texts(
                "memberships",
                pairs().map(|(row, assignment)| assignment.segment(row).name.as_str()),
            )?,
            Arc::new(reasons.finish()),
            texts(
                "memberships",
                pairs().map(|(row, assignment)| assignment.decided_by(row).as_str()),
            )?,
        ];
        columns.extend(self.stays(&rows));
        table("memberships", self.schema.clone(), columns)
    }

    /// Since when the customers of these rows are in their segments, where they were, why they moved, when they leave, and what would
    /// move them.
    fn stays(&self, rows: &[usize]) -> [ArrayRef; 7] {
        let schemes = &self.assignments;
        let stays = || {
            let of_row = |&row: &usize| {
                let of = move |&(_, stay): &(_, Option<&'a Stay>)| stay.map(|stay| (row, stay));
                schemes.iter().map(of)
            };
            rows.iter().flat_map(of_row)
        };
        let before = |at: Option<(usize, &'a Stay)>| -> Option<&'a (i64, String)> {
            let (row, stay) = at?;
            stay.segments_before.get(*stay.before.get(row)? as usize)
        };
        [
            Arc::new(
                stays()
                    .map(|at| at.and_then(|(row, stay)| stay.entered_on.get(row).copied()))
                    .collect::<Date32Array>(),
            ),
            Arc::new(
                stays()
                    .map(|at| before(at).map(|segment| segment.0))
                    .collect::<Int64Array>(),
            ),
            Arc::new(
                stays()
                    .map(|at| before(at).map(|segment| segment.1.as_str()))
                    .collect::<StringArray>(),
            ),
            Arc::new(
                stays()
                    .map(|at| {
                        let (row, stay) = at?;
                        stay.causes.get(*stay.cause.get(row)? as usize)
                    })
                    .collect::<StringArray>(),
            ),
            Arc::new(
                stays()
                    .map(|at| at.and_then(|(row, stay)| *stay.leaves_on.get(row)?))
                    .collect::<Date32Array>(),
            ),
            Arc::new(
                stays()
                    .map(|at| {
                        let (row, stay) = at?;
                        stay.segments_after.get(*stay.leaves_to.get(row)? as usize)
                    })
                    .collect::<StringArray>(),
            ),
            Arc::new(
                stays()
                    .map(|at| {
                        let (row, stay) = at?;
                        stay.changes.get(*stay.nearest.get(row)? as usize)
                    })
                    .collect::<StringArray>(),
            ),
        ]
    }

    fn customers_per_batch(&self) -> usize {
        (BATCH_ROWS / self.assignments.len().max(1)).max(1)
    }
}

impl Iterator for MembershipBatches<'_> {
    type Item = Result<RecordBatch, SegmentError>;

    /// Builds as many batches at a time as there are threads.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let end = (self.next + rayon::current_num_threads()).min(self.batches());
            let built: Vec<_> = (self.next..end)
                .into_par_iter()
                .map(|index| self.batch(index))
                .collect();
            self.ready.extend(built);
            self.next = end;
        }
        self.ready.pop_front()
    }
}

/// The columns that a scheme adds to the `customers` table, in table order of the customers: the segment's name under the
/// scheme's name (Utf8, never null), its id under `<scheme>_segment_id` (Int64, never null), then its further columns (nullable).
///
/// # Errors
/// The names do not fit into one Arrow array (2 GiB).
pub fn customer_columns(assignment: &Assignment) -> Result<Vec<(Field, ArrayRef)>, SegmentError> {
    let names = assignment
        .segment_of
        .iter()
        .map(|&segment| assignment.segments[segment as usize].name.as_str());
    let ids = (0..assignment.len()).map(|row| assignment.segment(row).id);
    let id = format!("{}_segment_id", assignment.scheme);
    let mut columns: Vec<(Field, ArrayRef)> = vec![
        (
            Field::new(&assignment.scheme, DataType::Utf8, false),
            texts("customers", names)?,
        ),
        (
            Field::new(id, DataType::Int64, false),
            Arc::new(Int64Array::from_iter_values(ids)),
        ),
    ];
    for column in &assignment.columns {
        columns.push((
            Field::new(&column.name, column.values.data_type().clone(), true),
            column.values.clone(),
        ));
    }
    Ok(columns)
}

/// Schema of the `segments` table.
pub fn segments_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new("scheme", DataType::Utf8, false),
        Field::new("segment_id", DataType::Int64, false),
        Field::new("segment", DataType::Utf8, false),
        Field::new("customers", DataType::Int64, false),
        Field::new("share", DataType::Float64, false),
        Field::new("value", DataType::Float64, true),
        Field::new("value_share", DataType::Float64, true),
        Field::new("kpi", DataType::Float64, true),
        Field::new("playbook", DataType::Utf8, true),
        Field::new("touch", DataType::Utf8, true),
        Field::new("channel", DataType::Utf8, true),
        Field::new("owner", DataType::Utf8, true),
        Field::new("rule", DataType::Utf8, true),
        Field::new("goal", DataType::Utf8, true),
        Field::new("kpi_customers", DataType::Int64, true),
        Field::new("value_now", DataType::Float64, true),
        Field::new("value_future", DataType::Float64, true),
        Field::new("value_past", DataType::Float64, true),
        Field::new("value_at_risk", DataType::Float64, true),
        Field::new("segment_key", DataType::Utf8, true),
        Field::new("position", DataType::Int64, true),
    ]))
}

/// The `segments` table, with the first playbook in file order that names the segment.
///
/// # Errors
/// Arrow refuses the columns.
pub fn segments_table(
    as_of: i32,
    summaries: &[SegmentSummary],
    playbooks: &[Playbook],
) -> Result<RecordBatch, SegmentError> {
    let mut rows: Vec<&SegmentSummary> = summaries.iter().collect();
    rows.sort_by(|a, b| (&a.scheme, a.segment_id).cmp(&(&b.scheme, b.segment_id)));
    let named: Vec<Option<&Playbook>> = rows
        .iter()
        .map(|row| {
            playbooks
                .iter()
                .find(|book| book.scheme.value == row.scheme && book.segment.value == row.segment)
        })
        .collect();
    let of_playbook = |pick: fn(&Playbook) -> Option<&str>| {
        named
            .iter()
            .map(|book| book.and_then(pick))
            .collect::<StringArray>()
    };
    let worth = |place: usize| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row.values[place])
                .collect::<Float64Array>(),
        )
    };
    let columns: Vec<ArrayRef> = vec![
        dates(as_of, rows.len()),
        texts("segments", rows.iter().map(|row| row.scheme.as_str()))?,
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| row.segment_id),
        )),
        texts("segments", rows.iter().map(|row| row.segment.as_str()))?,
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| row.customers as i64),
        )),
        Arc::new(Float64Array::from_iter_values(
            rows.iter().map(|row| row.share),
        )),
        Arc::new(rows.iter().map(|row| row.value).collect::<Float64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| row.value_share)
                .collect::<Float64Array>(),
        ),
        Arc::new(rows.iter().map(|row| row.kpi).collect::<Float64Array>()),
        Arc::new(of_playbook(|book| Some(&book.name.value))),
        Arc::new(of_playbook(|book| book.touch.as_deref())),
        Arc::new(of_playbook(|book| book.channel.as_deref())),
        Arc::new(of_playbook(|book| book.owner.as_deref())),
        Arc::new(
            rows.iter()
                .map(|row| row.rule.as_deref())
                .collect::<StringArray>(),
        ),
        Arc::new(of_playbook(|book| book.goal.as_deref())),
        Arc::new(
            rows.iter()
                .map(|row| row.kpi_customers.map(|n| n as i64))
                .collect::<Int64Array>(),
        ),
        worth(0),
        worth(1),
        worth(2),
        worth(3),
        Arc::new(
            rows.iter()
                .map(|row| Some(format!("{}/{}", row.scheme, row.segment)))
                .collect::<StringArray>(),
        ),
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|row| row.position as i64),
        )),
    ];
    table("segments", segments_schema(), columns)
}

/// Schema of the `profiles` table.
pub fn profiles_schema() -> SchemaRef {
    let mut fields = vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new("scheme", DataType::Utf8, false),
        Field::new("segment_id", DataType::Int64, false),
        Field::new("segment", DataType::Utf8, false),
        Field::new("feature", DataType::Utf8, false),
        Field::new("label", DataType::Utf8, true),
        Field::new("customers", DataType::Int64, false),
    ];
    let figures = [
        "mean",
        "median",
        "p10",
        "p90",
        "population_mean",
        "index",
        "effect_size",
        "share",
        "population_share",
    ];
    fields.extend(figures.map(|name| Field::new(name, DataType::Float64, true)));
    Arc::new(Schema::new(fields))
}

/// The `profiles` table, in the order given ([`crate::profiles()`] sorts).
///
/// # Errors
/// The texts do not fit into one Arrow array.
pub fn profiles_table(as_of: i32, profiles: &[Profile]) -> Result<RecordBatch, SegmentError> {
    let figures: [fn(&Profile) -> Option<f64>; 9] = [
        |p| p.mean,
        |p| p.median,
        |p| p.p10,
        |p| p.p90,
        |p| p.population_mean,
        |p| p.index,
        |p| p.effect_size,
        |p| p.share,
        |p| p.population_share,
    ];
    let mut columns: Vec<ArrayRef> = vec![
        dates(as_of, profiles.len()),
        texts("profiles", profiles.iter().map(|p| p.scheme.as_str()))?,
        Arc::new(Int64Array::from_iter_values(
            profiles.iter().map(|p| p.segment_id),
        )),
        texts("profiles", profiles.iter().map(|p| p.segment.as_str()))?,
        texts("profiles", profiles.iter().map(|p| p.feature.as_str()))?,
        Arc::new(
            profiles
                .iter()
                .map(|p| p.label.as_deref())
                .collect::<StringArray>(),
        ),
        Arc::new(Int64Array::from_iter_values(
            profiles.iter().map(|p| p.customers as i64),
        )),
    ];
    for figure in figures {
        columns.push(Arc::new(
            profiles.iter().map(figure).collect::<Float64Array>(),
        ));
    }
    table("profiles", profiles_schema(), columns)
}

/// Schema of the `models` table.
pub fn models_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new("score", DataType::Utf8, false),
        Field::new("model", DataType::Utf8, false),
        Field::new("name", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("figure", DataType::Utf8, true),
        Field::new("figure_of", DataType::Utf8, true),
        Field::new("figure_days", DataType::Int64, true),
    ]))
}

/// The rows of schemes in the `models` table: their parameters, and their warnings as `warning_1`, `warning_2`, …
pub fn model_rows(assignments: &[Assignment]) -> Vec<(String, Parameter)> {
    let mut rows: Vec<(String, Parameter)> = Vec::new();
    for assignment in assignments {
        let parameters = assignment.parameters.iter().cloned();
        rows.extend(parameters.map(|parameter| (assignment.scheme.clone(), parameter)));
        for (number, warning) in (1..).zip(&assignment.warnings) {
            let number: usize = number;
            let name = format!("warning_{number}");
            rows.push((
                assignment.scheme.clone(),
                Parameter::text(assignment.kind, name, warning.to_string()),
            ));
        }
    }
    rows
}

/// The `models` table of parameters by the scheme or score they belong to, sorted.
///
/// # Errors
/// Arrow refuses the columns.
pub fn models_table(
    as_of: i32,
    mut rows: Vec<(String, Parameter)>,
) -> Result<RecordBatch, SegmentError> {
    rows.sort_by(|(a, x), (b, y)| (a, &x.model, &x.name).cmp(&(b, &y.model, &y.name)));
    let stated = rows.iter().map(|row| row.1.figure.as_ref());
    let stated: Vec<_> = stated.map(|figure| figure.map(Figure::columns)).collect();
    let days = stated.iter().map(|of| of.and_then(|of| of.days));
    let columns: Vec<ArrayRef> = vec![
        dates(as_of, rows.len()),
        texts("models", rows.iter().map(|row| row.0.as_str()))?,
        texts("models", rows.iter().map(|row| row.1.model.as_str()))?,
        texts("models", rows.iter().map(|row| row.1.name.as_str()))?,
        Arc::new(rows.iter().map(|row| row.1.value).collect::<Float64Array>()),
        Arc::new(
            rows.iter()
                .map(|row| row.1.text.as_deref())
                .collect::<StringArray>(),
        ),
        Arc::new(
            stated
                .iter()
                .map(|of| of.map(|of| of.figure))
                .collect::<StringArray>(),
        ),
        Arc::new(
            stated
                .iter()
                .map(|of| of.and_then(|of| of.of))
                .collect::<StringArray>(),
        ),
        Arc::new(days.map(|days| days.map(i64::from)).collect::<Int64Array>()),
    ];
    table("models", models_schema(), columns)
}

/// A Utf8 array without nulls.
///
/// # Errors
/// More than 2 GiB of text, which one Arrow array of this type cannot hold; the builders would panic.
pub(crate) fn texts<'t>(
    table: &'static str,
    texts: impl Iterator<Item = &'t str> + Clone,
) -> Result<ArrayRef, SegmentError> {
    let bytes: usize = texts.clone().map(str::len).sum();
    if i32::try_from(bytes).is_err() {
        return Err(SegmentError::Table {
            table,
            source: ArrowError::OffsetOverflowError(bytes),
        });
    }
    let mut buffer = Vec::with_capacity(bytes);
    let offsets = OffsetBuffer::from_lengths(texts.clone().map(str::len));
    texts.for_each(|text| buffer.extend_from_slice(text.as_bytes()));
    let array = StringArray::try_new(offsets, buffer.into(), None);
    array
        .map(|array| Arc::new(array) as ArrayRef)
        .map_err(|source| SegmentError::Table { table, source })
}

fn dates(as_of: i32, rows: usize) -> ArrayRef {
    Arc::new(Date32Array::from(vec![as_of; rows]))
}

fn table(
    name: &'static str,
    schema: SchemaRef,
    columns: Vec<ArrayRef>,
) -> Result<RecordBatch, SegmentError> {
    RecordBatch::try_new(schema, columns).map_err(|source| SegmentError::Table {
        table: name,
        source,
    })
}
