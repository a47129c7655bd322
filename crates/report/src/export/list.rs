//! Whom a version lists for a playbook: the rows of `actions`, with further columns of `customers`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::{
    SortColumn, cast_with_options, concat_batches, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::{Field, Float64Type, Int64Type, Schema, SchemaRef};
use serde::Serialize;
use tessera_snapshot::{StoreError, Version};
use tessera_spec::diagnostic::suggest;

use super::{ExportError, Playbook};
use crate::key::{Key, of_column};

/// The table with the customers of every playbook.
const ACTIONS: &str = "actions";

/// The table with further columns.
const CUSTOMERS: &str = "customers";

/// Place of the key in tables of customers: behind `as_of`.
const KEY: usize = 1;

/// The rows of `models` that count who may not be contacted and who is in the control of an experiment, of the members of a scheme's
/// segments with a playbook.
const LEFT_OUT: [&str; 2] = ["customers_not_reachable", "customers_in_control"];

/// Whom a version lists for a playbook, by priority.
#[derive(Debug)]
pub struct List {
    /// The exported columns.
    pub rows: RecordBatch,
    /// How many members of the segment are listed.
    pub members: Members,
    /// Columns that the version does not have, and whose values are null therefore.
    pub absent: Vec<String>,
    /// Columns that had another type, with that type.
    pub(super) other_types: Vec<(String, String)>,
    pub(super) keys: ArrayRef,
    /// Keys of the members in the control of an experiment.
    pub(super) in_control: Vec<ArrayRef>,
}

/// How many members of the segment are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Members {
    /// Members of the segment.
    pub members: u64,
    /// Those in the list.
    pub listed: u64,
    /// The others.
    pub left_out: u64,
    /// Those of the others in the control of an experiment.
    pub in_control: u64,
    /// Those of the rest who may not be contacted, where the tables account for all of them so.
    pub not_reachable: Option<u64>,
}

/// Reads whom a version lists for one of its playbooks, with these columns: those of `actions` where it has the name, else of
/// `customers`; all of `actions` where none are named.
///
/// # Errors
/// A column that is not there, twice, or that the key is not among them; a table that cannot be read.
pub fn list(
    version: &Version,
    playbook: &Playbook,
    columns: Option<&[String]>,
) -> Result<List, ExportError> {
    let tables = Tables::of(version)?;
    let columns: Vec<String> = match columns {
        Some(columns) => columns.to_vec(),
        None => names(&tables.actions).map(str::to_owned).collect(),
    };
    let mut seen = HashSet::new();
    if let Some(twice) = columns.iter().find(|column| !seen.insert(column.as_str())) {
        return Err(ExportError::Twice(twice.clone()));
    }
    if let Some(unknown) = columns.iter().find(|name| tables.field(name).is_none()) {
        return Err(tables.unknown(unknown));
    }
    let key = tables.key();
    if !columns.contains(key.name()) {
        let key = key.name().clone();
        return Err(ExportError::NoKey { key });
    }
    tables.read(playbook, &columns)
}

/// Reads whom another version listed, with the columns of a list that it is compared with: null where the version has no such column.
/// A version without the playbook lists nobody.
///
/// # Errors
/// A key with another name or type; a table that cannot be read.
pub fn list_before(
    since: &Version,
    playbook: Option<&Playbook>,
    (version, list): (&Version, &List),
) -> Result<List, ExportError> {
    let Some(playbook) = playbook else {
        return Ok(List {
            rows: list.rows.slice(0, 0),
            members: Members::default(),
            absent: Vec::new(),
            other_types: Vec::new(),
            keys: list.keys.slice(0, 0),
            in_control: Vec::new(),
        });
    };
    let (then, now) = (Tables::of(since)?, Tables::of(version)?);
    let described = |key: &Field| format!("{}, {}", key.name(), key.data_type());
    if then.key().name() != now.key().name() || then.key().data_type() != now.key().data_type() {
        return Err(ExportError::OtherKey {
            version: version.number(),
            now: described(now.key()),
            since: since.number(),
            before: described(then.key()),
        });
    }
    let schema = list.rows.schema();
    let (there, absent): (Vec<String>, Vec<String>) = names(&schema)
        .map(str::to_owned)
        .partition(|name| then.field(name).is_some());
    let mut found = then.read(playbook, &there)?;
    found.absent = absent;
    found.as_columns_of(&schema, (version, since))?;
    Ok(found)
}

impl List {
    /// Gives the rows the columns of another list.
    fn as_columns_of(
        &mut self,
        schema: &SchemaRef,
        (version, since): (&Version, &Version),
    ) -> Result<(), ExportError> {
        let mut columns = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        for field in schema.fields() {
            let ty = field.data_type();
            let column = match self.rows.column_by_name(field.name()) {
                None => new_null_array(ty, self.rows.num_rows()),
                Some(column) if column.data_type() == ty => column.clone(),
                Some(column) => {
                    let before = column.data_type().to_string();
                    self.other_types
                        .push((field.name().clone(), before.clone()));
                    let strict = arrow::compute::CastOptions {
                        safe: false,
                        ..Default::default()
                    };
                    let cast = cast_with_options(column, ty, &strict);
                    cast.map_err(|_| ExportError::OtherType {
                        column: field.name().clone(),
                        version: version.number(),
                        now: ty.to_string(),
                        since: since.number(),
                        before,
                    })?
                }
            };
            fields.push(field.as_ref().clone().with_nullable(true));
            columns.push(column);
        }
        self.rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(())
    }
}

/// The tables of a version that a list is made of.
struct Tables<'a> {
    version: &'a Version,
    actions: SchemaRef,
    customers: SchemaRef,
}

fn names(schema: &SchemaRef) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

impl<'a> Tables<'a> {
    fn of(version: &'a Version) -> Result<Self, ExportError> {
        let found = Self {
            version,
            actions: version.schema(ACTIONS)?,
            customers: version.schema(CUSTOMERS)?,
        };
        for (table, schema) in [(ACTIONS, &found.actions), (CUSTOMERS, &found.customers)] {
            if schema.fields().len() <= KEY {
                return Err(found.wrong(table, "has no key"));
            }
        }
        Ok(found)
    }

    fn wrong(&self, table: &'static str, problem: impl Into<String>) -> ExportError {
        ExportError::Table {
            version: self.version.number(),
            table,
            problem: problem.into(),
        }
    }

    fn key(&self) -> &Field {
        self.actions.field(KEY)
    }

    fn field(&self, name: &str) -> Option<&Field> {
        let own = self.actions.field_with_name(name);
        own.or_else(|_| self.customers.field_with_name(name)).ok()
    }

    fn unknown(&self, column: &str) -> ExportError {
        let mut available: Vec<&str> = names(&self.actions).collect();
        let further = names(&self.customers).filter(|name| self.actions.index_of(name).is_err());
        available.extend(further);
        ExportError::UnknownColumn {
            column: column.to_owned(),
            version: self.version.number(),
            near: suggest(column, &available).map(str::to_owned),
            available: available.into_iter().map(str::to_owned).collect(),
        }
    }

    /// The rows of the playbook with these columns, by priority and key.
    fn read(&self, playbook: &Playbook, columns: &[String]) -> Result<List, ExportError> {
        let key = self.key().name().as_str();
        let read = |name: &str| {
            let needed = ["scheme", "playbook", "priority"];
            name == key || needed.contains(&name) || columns.iter().any(|column| column == name)
        };
        let mut of_scheme = 0;
        let mut keep = |batch: &RecordBatch| {
            of_scheme += are(batch, "scheme", &playbook.scheme).true_count() as u64;
            are(batch, "playbook", &playbook.name)
        };
        let batches = self.version.read_where(ACTIONS, read, &mut keep)?;
        let fields = self.actions.fields().iter();
        let fields = fields.filter(|field| read(field.name())).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = in_order(&concat_batches(&schema, &batches)?, key)
            .ok_or_else(|| self.wrong(ACTIONS, "has no priority or key"))??;
        let keys = rows.column_by_name(key).cloned();
        let keys = keys.ok_or_else(|| self.wrong(ACTIONS, "has no key"))?;
        let further = self.further(&keys, columns)?;
        let (mut fields, mut exported) = (Vec::new(), Vec::new());
        for column in columns {
            let tables = [Some(&rows), further.as_ref()].into_iter().flatten();
            let mut found =
                tables.filter_map(|table| Some((table, table.schema_ref().index_of(column).ok()?)));
            let (table, place) = found.next().ok_or_else(|| self.unknown(column))?;
            fields.push(table.schema_ref().field(place).clone());
            exported.push(table.column(place).clone());
        }
        let in_control = self.in_control(playbook)?;
        let controls: usize = in_control.iter().map(|keys| keys.len()).sum();
        let listed = (rows.num_rows() as u64, of_scheme);
        Ok(List {
            members: self.members(playbook, listed, controls as u64)?,
            in_control,
            rows: RecordBatch::try_new(Arc::new(Schema::new(fields)), exported)?,
            absent: Vec::new(),
            other_types: Vec::new(),
            keys,
        })
    }

    /// The columns that only `customers` has, in the order of the keys.
    fn further(
        &self,
        keys: &ArrayRef,
        columns: &[String],
    ) -> Result<Option<RecordBatch>, ExportError> {
        let is_further =
            |name: &str| self.actions.index_of(name).is_err() && columns.iter().any(|c| c == name);
        if !names(&self.customers).any(is_further) {
            return Ok(None);
        }
        let key = self.customers.field(KEY).name().as_str();
        let listed =
            of_column(keys).ok_or_else(|| self.wrong(ACTIONS, "has keys of no key's type"))?;
        let known: HashSet<Key<'_>> = listed.iter().copied().collect();
        let read = |name: &str| name == key || is_further(name);
        let batches = self.version.read_where(CUSTOMERS, read, &mut |batch| {
            let own = batch.column_by_name(key).and_then(of_column);
            let own = own.unwrap_or_default();
            own.iter().map(|key| Some(known.contains(key))).collect()
        })?;
        let fields = self.customers.fields().iter();
        let fields = fields.filter(|field| read(field.name())).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let found = concat_batches(&schema, &batches)?;
        let own = found.column_by_name(key).cloned();
        let own = own.ok_or_else(|| self.wrong(CUSTOMERS, "has no key"))?;
        let rows =
            places(&own).ok_or_else(|| self.wrong(CUSTOMERS, "has keys of no key's type"))?;
        let order = listed.iter().map(|key| rows.get(key).copied());
        let order: Option<Vec<u32>> = order.collect();
        let lacks = || self.wrong(CUSTOMERS, "lacks a customer of `actions`");
        let order = UInt32Array::from(order.ok_or_else(lacks)?);
        Ok(Some(take_record_batch(&found, &order)?))
    }

    /// The keys of the members of the segment in the control of an experiment.
    fn in_control(&self, playbook: &Playbook) -> Result<Vec<ArrayRef>, ExportError> {
        if playbook.controls.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.customers.field(KEY).name().as_str();
        let wanted = |name: &str| {
            let mut controls = playbook.controls.iter();
            name == key || name == playbook.scheme || controls.any(|(column, _)| column == name)
        };
        let mut keep = |batch: &RecordBatch| {
            let own = are(batch, &playbook.scheme, &playbook.segment);
            let controls = playbook.controls.iter();
            let controls: Vec<BooleanArray> = controls
                .map(|(column, control)| are(batch, column, control))
                .collect();
            let is_control = |row: usize| controls.iter().any(|control| control.value(row));
            let rows = (0..batch.num_rows()).map(|row| Some(own.value(row) && is_control(row)));
            rows.collect()
        };
        let found = self.version.read_where(CUSTOMERS, wanted, &mut keep)?;
        let keys = found.iter().filter_map(|batch| batch.column_by_name(key));
        Ok(keys.cloned().collect())
    }

    /// How many members of the segment are listed, and whether all others may not be contacted or are in a control.
    fn members(
        &self,
        playbook: &Playbook,
        (listed, listed_of_scheme): (u64, u64),
        in_control: u64,
    ) -> Result<Members, ExportError> {
        let (mut members, mut of_playbooks) = (0, 0);
        for batch in self.version.read("segments")? {
            let own = are(&batch, "scheme", &playbook.scheme);
            let segment = are(&batch, "segment", &playbook.segment);
            let counts = batch.column_by_name("customers");
            let counts = counts.and_then(|column| column.as_primitive_opt::<Int64Type>());
            let counts = counts.ok_or_else(|| self.wrong("segments", "has no `customers`"))?;
            let acted_on = batch.column_by_name("playbook");
            for row in (0..batch.num_rows()).filter(|&row| own.value(row)) {
                let customers = counts.value(row).unsigned_abs();
                if segment.value(row) {
                    members += customers;
                }
                if acted_on.is_some_and(|playbooks| playbooks.is_valid(row)) {
                    of_playbooks += customers;
                }
            }
        }
        let left_out = members.saturating_sub(listed);
        let rest = left_out.saturating_sub(in_control);
        let counted = self.left_out(&playbook.scheme)?;
        let all = counted.is_some_and(|counted| listed_of_scheme + counted == of_playbooks);
        Ok(Members {
            members,
            listed,
            left_out,
            in_control,
            not_reachable: (all || rest == 0).then_some(rest),
        })
    }

    /// How many members of the scheme's segments with a playbook may not be contacted or are in a control, where a run counts them.
    fn left_out(&self, scheme: &str) -> Result<Option<u64>, ExportError> {
        let wanted = |name: &str| ["score", "name", "value"].contains(&name);
        let mut keep = |batch: &RecordBatch| {
            let own = are(batch, "score", scheme);
            let named = LEFT_OUT.map(|name| are(batch, "name", name));
            let is_counted = |row: usize| named.iter().any(|named| named.value(row));
            let rows = (0..batch.num_rows()).map(|row| Some(own.value(row) && is_counted(row)));
            rows.collect()
        };
        let found = match self.version.read_where("models", wanted, &mut keep) {
            Err(StoreError::NoTable { .. }) => Vec::new(),
            found => found?,
        };
        let mut counted = None;
        for batch in &found {
            let values = batch.column_by_name("value");
            let values = values.and_then(|values| values.as_primitive_opt::<Float64Type>());
            for value in values
                .into_iter()
                .flat_map(|values| values.iter().flatten())
            {
                counted = Some(counted.unwrap_or(0) + value as u64);
            }
        }
        Ok(counted)
    }
}

/// Where a column has this text; nowhere where there is no such column.
pub(super) fn are(batch: &RecordBatch, column: &str, text: &str) -> BooleanArray {
    let texts = batch.column_by_name(column);
    match texts.and_then(|texts| texts.as_string_opt::<i32>()) {
        Some(texts) => texts.iter().map(|own| Some(own == Some(text))).collect(),
        None => BooleanArray::from(vec![false; batch.num_rows()]),
    }
}

/// The row of every key; `None` for a column of another type than keys have.
pub(super) fn places(keys: &ArrayRef) -> Option<HashMap<Key<'_>, u32>> {
    Some(of_column(keys)?.into_iter().zip(0..).collect())
}

/// The rows by priority and key; `None` where a column of them is missing.
fn in_order(
    rows: &RecordBatch,
    key: &str,
) -> Option<Result<RecordBatch, arrow::error::ArrowError>> {
    let sorted = |name: &str| {
        Some(SortColumn {
            values: rows.column_by_name(name)?.clone(),
            options: None,
        })
    };
    let by = [sorted("priority")?, sorted(key)?];
    Some(lexsort_to_indices(&by, None).and_then(|order| take_record_batch(rows, &order)))
}
