//! The customers without the rows since the previous version: columns of the passes over the sources, and whose segment these rows can
//! have decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{filter, take};
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use tessera_engine::TableRef;
use tessera_history::{ABSENT, Alignment};
use tessera_segments::Assignment;
use tessera_spec::pipeline::SourceKind;

use super::state::{State, place_of};
use crate::error::PipelineError;
use crate::prepared::Prepared;

/// Results of the passes without the rows since the previous version.
#[derive(Debug)]
pub(crate) struct Aged {
    pub(super) since: NaiveDate,
    /// `None` where they cannot be computed.
    pub(super) inputs: Option<Inputs>,
    /// Rows since the previous version, per customer, over all sources of events and intervals.
    pub(super) new_rows: Vec<i64>,
    /// The same of accounts that are closed, where the pipeline says which are; the others are then of active customers alone.
    pub(super) closed: Option<ClosedRows>,
}

/// Closed accounts, and what is computed for them without the rows since the previous version.
#[derive(Debug)]
pub(super) struct ClosedRows {
    pub(super) keys: ArrayRef,
    /// `None` where they cannot be computed.
    pub(super) inputs: Option<Inputs>,
}

/// The key, attributes, and every other column of a pass without those rows.
#[derive(Debug)]
pub(super) struct Inputs {
    schema: SchemaRef,
    columns: Vec<Input>,
    /// Per sparse source, which customers have rows since, as booleans.
    has_new: Vec<ArrayRef>,
}

#[derive(Debug)]
struct Input {
    values: ArrayRef,
    /// The column with those rows, and the number of its source: its values stand for the others where the customer has none.
    without: Option<(ArrayRef, usize)>,
}

impl Inputs {
    /// The columns of these customers, or of all.
    pub(super) fn of(&self, rows: Option<&UInt32Array>) -> Result<RecordBatch, PipelineError> {
        let taken = |column: &ArrayRef| match rows {
            Some(rows) => take(column, rows, None),
            None => Ok(column.clone()),
        };
        let column = |input: &Input| {
            let values = taken(&input.values)?;
            let Some((today, source)) = &input.without else {
                return Ok(values);
            };
            let has_new = taken(&self.has_new[*source])?;
            zip(has_new.as_boolean(), &values, &taken(today)?)
        };
        let columns = self.columns.iter().map(column);
        let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

impl Inputs {
    /// The rows for which this holds.
    fn only(&self, wanted: &BooleanArray) -> Result<Self, PipelineError> {
        let only = |column: &ArrayRef| filter(column, wanted);
        let column = |input: &Input| {
            let without = input.without.as_ref();
            let without = without.map(|(today, source)| only(today).map(|today| (today, *source)));
            Ok(Input {
                values: only(&input.values)?,
                without: without.transpose()?,
            })
        };
        let columns = self.columns.iter().map(column);
        let has_new = self.has_new.iter().map(only);
        Ok(Self {
            schema: self.schema.clone(),
            columns: columns.collect::<Result<_, ArrowError>>()?,
            has_new: has_new.collect::<Result<_, ArrowError>>()?,
        })
    }
}

/// Splits off the columns computed without newer rows from the table of all features.
pub(crate) fn split(
    prepared: &Prepared,
    table: RecordBatch,
) -> Result<(RecordBatch, Option<Aged>), PipelineError> {
    let Some(aged) = &prepared.aged else {
        return Ok((table, None));
    };
    let schema = table.schema();
    let (mut taken, mut new_rows) = (BTreeSet::new(), vec![0_i64; table.num_rows()]);
    let mut renamed: BTreeMap<&str, (&str, Option<usize>)> = BTreeMap::new();
    let mut has_new = Vec::new();
    for source in aged.sources.values() {
        taken.insert(source.new_rows.as_str());
        let sparse = source.is_sparse.then_some(has_new.len());
        let mut has = vec![false; table.num_rows()];
        if let Some(counts) = table.column_by_name(&source.new_rows) {
            let counts = counts.as_primitive::<Int64Type>().iter();
            for (row, count) in counts.enumerate() {
                new_rows[row] += count.unwrap_or(0);
                has[row] = count.unwrap_or(0) > 0;
            }
        }
        has_new.extend(sparse.map(|_| Arc::new(BooleanArray::from(has)) as ArrayRef));
        for (original, twin) in source.columns.iter().flatten() {
            taken.insert(twin);
            renamed.insert(twin, (original, sparse));
        }
    }
    let whole = aged.sources.values().all(|source| source.columns.is_some());
    let attributes = attribute_columns(prepared);
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (place, field) in schema.fields().iter().enumerate() {
        let name = field.name().as_str();
        let own = (place == 0 || attributes.contains(name)).then_some((name, None));
        if let Some((original, sparse)) = renamed.get(name).copied().or(own) {
            fields.push(Field::new(original, field.data_type().clone(), true));
            let today = table.column_by_name(original).cloned();
            columns.push(Input {
                values: table.column(place).clone(),
                without: today.zip(sparse),
            });
        }
    }
    let inputs = Inputs {
        schema: Arc::new(Schema::new(fields)),
        columns,
        has_new,
    };
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|&place| !taken.contains(schema.field(place).name().as_str()))
        .collect();
    let aged = Aged {
        since: aged.since,
        inputs: whole.then_some(inputs),
        new_rows,
        closed: None,
    };
    Ok((table.project(&kept)?, Some(aged)))
}

/// Columns of the passes over attribute sources.
pub(super) fn attribute_columns(prepared: &Prepared) -> BTreeSet<&str> {
    let of_attributes = |source: &str| {
        let mut sources = prepared.pipeline.sources.iter();
        sources.any(|known| known.name.value == source && known.kind == SourceKind::Attributes)
    };
    let passes = prepared.features.passes.iter();
    let passes = passes.filter(|pass| of_attributes(&pass.source));
    let aggs = passes.flat_map(|pass| &pass.aggregate.aggs);
    aggs.map(|agg| agg.name.as_str()).collect()
}

impl Aged {
    /// Parts closed accounts from active customers. `keys` are those of all, in the order of the rows.
    pub(crate) fn parted(
        self,
        keys: &ArrayRef,
        active: &BooleanArray,
    ) -> Result<Self, PipelineError> {
        let closed = arrow::compute::not(active)?;
        let of = |wanted| self.inputs.as_ref().map(|inputs| inputs.only(wanted));
        let rows = self.new_rows.iter().zip(active.values());
        let rows = rows.filter(|(_, active)| *active).map(|(rows, _)| *rows);
        Ok(Self {
            since: self.since,
            inputs: of(active).transpose()?,
            new_rows: rows.collect(),
            closed: Some(ClosedRows {
                keys: filter(keys, &closed)?,
                inputs: of(&closed).transpose()?,
            }),
        })
    }

    /// The customers whose segments without the new rows may be others than those of this run, which are assigned row by row: those
    /// with new rows, and those whom limits or people put elsewhere. `None` where it may be all: their features depend on those of
    /// other customers, or on ends that became known since, or a scheme assigns them by their ranks.
    pub(super) fn concerned(
        &self,
        prepared: &Prepared,
        assignments: &[Assignment],
    ) -> Option<Vec<u32>> {
        let mut passes = prepared.features.passes.iter();
        let has_ends = passes.any(|pass| pass.aggregate.rows.until.is_some());
        let mut schemes = prepared.pipeline.schemes.iter().zip(assignments);
        let by_row = schemes.all(|(scheme, assignment)| assignment.is_applied_by_row(scheme));
        if prepared.features.base_gap.is_some() || has_ends || !by_row {
            return None;
        }
        let held = assignments.iter().flat_map(|one| one.held.keys().copied());
        let held: BTreeSet<u32> = held.collect();
        let rows = self.new_rows.iter().zip(0..);
        let concerned = rows.filter(|(new, row)| **new > 0 || held.contains(row));
        Some(concerned.map(|(_, row)| row).collect())
    }
}

/// The state of all customers from that of those concerned, in the order of their rows: the others are where this run put them.
pub(super) fn completed(
    mut state: State,
    assignment: &Assignment,
    concerned: &[u32],
    alignment: &Alignment,
) -> State {
    let segments = assignment.segments.iter();
    let places: Vec<u32> = segments
        .map(|segment| place_of(&mut state.names, &segment.name))
        .collect();
    let segment_of = assignment.segment_of.iter();
    let mut of: Vec<u32> = segment_of
        .map(|&segment| places[segment as usize])
        .collect();
    for (&row, &place) in concerned.iter().zip(&state.of) {
        of[row as usize] = place;
    }
    state.of = alignment.of_now(&of, ABSENT);
    state
}

/// The number of rows since the previous version: the sum of a column of a pass's table.
pub(crate) fn new_rows(table: &TableRef, column: &str) -> Result<u64, PipelineError> {
    let batch = table.read_column(column)?;
    let counts = batch.column_by_name(column);
    let counts = counts.and_then(|counts| counts.as_primitive_opt::<Int64Type>());
    let sum: i64 = counts.map_or(0, |counts| counts.iter().flatten().sum());
    Ok(u64::try_from(sum).unwrap_or(0))
}
