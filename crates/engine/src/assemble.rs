//! Per-key tables side by side, for the union of the base tables' keys.

use std::cmp::Reverse;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt32Array,
};
use arrow::compute::{SortOptions, cast, filter_record_batch, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use tessera_expr::rel::{Assemble, KeyedTable};

use crate::Outside;
use crate::budget::Budget;
use crate::drawn::{hash_of_bytes, hash_of_integer};
use crate::error::EngineError;
use crate::table::read_file;
use crate::written::{self, Holders};

/// How often the tables are in memory at once: as they are read, and in one piece each or in the order of the customers.
const TABLE_COPIES: u64 = 2;

/// Keys with most rows that are named of a table: among them is every key with one row in a hundred.
const MOST_LEADING: usize = 128;

/// The customers and everything known of them, sorted by key; and what each table holds of other keys.
pub(crate) fn run(
    plan: &Assemble,
    budget: &Budget,
) -> Result<(RecordBatch, Vec<Outside>), EngineError> {
    let mut bytes = 0;
    for table in &plan.tables {
        let path = &table.path;
        let held = path.metadata();
        let held = held.map_err(|error| EngineError::io("read stage file", path, error))?;
        bytes += held.len();
    }
    budget.require(bytes * TABLE_COPIES, "the table of customers")?;
    let tables = plan
        .tables
        .iter()
        .map(|table| counted(table, read_file(&table.path)?))
        .collect::<Result<Vec<_>, _>>()?;
    let tables = in_one_form(tables)?;
    let base: Vec<&ArrayRef> = plan
        .tables
        .iter()
        .zip(&tables)
        .filter(|(table, _)| table.in_base)
        .map(|(_, batch)| batch.column(0))
        .collect();
    let keys = union(&base)?;
    let mut fields = vec![Field::new(&plan.key, keys.data_type().clone(), false)];
    let mut columns = vec![keys.clone()];
    let mut outside = Vec::new();
    let mut holders = plan.compare_keys.then(|| Holders::new(keys.len()));
    for (table, batch) in plan.tables.iter().zip(&tables) {
        // A table that is the whole base is in its order already.
        let places = if Arc::ptr_eq(&keys, batch.column(0)) {
            None
        } else {
            Some(positions(&keys, batch.column(0))?)
        };
        let mut found = outside_of(table, batch, places.as_ref());
        if plan.compare_keys {
            found.leading = leading(table, batch, places.as_ref())?;
        }
        outside.push(found);
        if let Some(holders) = &mut holders {
            holders.take(places.as_ref(), table.in_base);
        }
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()).skip(1) {
            if table.rows.as_ref() == Some(field.name()) {
                continue;
            }
            let mut placed = match &places {
                Some(places) => take(column, places, None)?,
                None => column.clone(),
            };
            if placed.null_count() > 0 && table.zero_when_absent.contains(field.name()) {
                placed = zeros_for_nulls(&placed);
            }
            fields.push(Field::new(field.name(), placed.data_type().clone(), true));
            columns.push(placed);
        }
    }
    if let Some(holders) = holders {
        let by_table: Vec<(&ArrayRef, bool)> = plan
            .tables
            .iter()
            .zip(&tables)
            .map(|(table, batch)| (batch.column(0), table.in_base))
            .collect();
        let written = written::compare(&by_table, &keys, holders);
        for (outside, written) in outside.iter_mut().zip(written) {
            outside.written = written;
        }
    }
    let schema = Arc::new(Schema::new(fields));
    Ok((RecordBatch::try_new(schema, columns)?, outside))
}

/// The rows of a table whose keys count.
fn counted(table: &KeyedTable, rows: RecordBatch) -> Result<RecordBatch, EngineError> {
    let Some(sample) = table.only else {
        return Ok(rows);
    };
    let keys = rows.column(0);
    let counts: BooleanArray = match keys.as_primitive_opt::<Int64Type>() {
        Some(keys) => {
            let keys = keys.values().iter();
            keys.map(|key| Some(sample.draws(hash_of_integer(*key))))
                .collect()
        }
        None => {
            let texts = keys.as_string::<i32>().iter();
            texts
                .map(|key| key.map(|key| sample.draws(hash_of_bytes(key.as_bytes()))))
                .collect()
        }
    };
    Ok(filter_record_batch(&rows, &counts)?)
}

/// Tables whose keys are all integers or all texts; integers beside texts become the text of their digits.
fn in_one_form(tables: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, EngineError> {
    let is_text = |table: &RecordBatch| *table.column(0).data_type() == DataType::Utf8;
    if tables.iter().all(is_text) || !tables.iter().any(is_text) {
        return Ok(tables);
    }
    let in_text = |table: RecordBatch| {
        if is_text(&table) {
            return Ok(table);
        }
        let texts = cast(table.column(0), &DataType::Utf8)?;
        let order = sort_to_indices(&texts, None, None)?;
        let mut fields: Vec<Arc<Field>> = table.schema().fields().iter().cloned().collect();
        fields[0] = Arc::new(Field::new(fields[0].name(), DataType::Utf8, false));
        let mut columns = table.columns().to_vec();
        columns[0] = texts;
        let columns = columns
            .iter()
            .map(|column| take(column, &order, None))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    };
    tables.into_iter().map(in_text).collect()
}

/// What a table holds of keys that are no customers. `places` are the rows of the customers.
fn outside_of(table: &KeyedTable, batch: &RecordBatch, places: Option<&UInt32Array>) -> Outside {
    let keys = batch.num_rows() as u64;
    let inside = places.map_or(batch.num_rows(), |places| {
        places.len() - places.null_count()
    });
    let rows = rows_of(table, batch).and_then(|rows| {
        let all: i64 = rows.values().iter().sum();
        let inside: i64 = match places {
            Some(places) => places
                .iter()
                .flatten()
                .map(|row| rows.value(row as usize))
                .sum(),
            None => all,
        };
        u64::try_from(all - inside).ok()
    });
    Outside {
        keys,
        keys_outside: keys - inside as u64,
        rows_outside: rows,
        ..Outside::default()
    }
}

/// The used rows of each key of a table, where it counts them.
fn rows_of<'b>(table: &KeyedTable, batch: &'b RecordBatch) -> Option<&'b Int64Array> {
    let name = table.rows.as_ref()?;
    batch.column_by_name(name)?.as_primitive_opt::<Int64Type>()
}

/// The customers with most rows of a table, most first; of equal ones that with the lower key. `places` are the rows of the customers.
fn leading(
    table: &KeyedTable,
    batch: &RecordBatch,
    places: Option<&UInt32Array>,
) -> Result<Vec<(String, u64)>, EngineError> {
    let Some(rows) = rows_of(table, batch) else {
        return Ok(Vec::new());
    };
    let mut order: Vec<u32> = match places {
        Some(places) => places.iter().flatten().collect(),
        None => (0..rows.len() as u32).collect(),
    };
    let by_rows = |row: &u32| (Reverse(rows.value(*row as usize)), *row);
    if order.len() > MOST_LEADING {
        order.select_nth_unstable_by_key(MOST_LEADING, by_rows);
        order.truncate(MOST_LEADING);
    }
    order.sort_unstable_by_key(by_rows);
    let keys = take(batch.column(0), &UInt32Array::from(order.clone()), None)?;
    let keys = cast(&keys, &DataType::Utf8)?;
    let keys = keys
        .as_string::<i32>()
        .iter()
        .map(Option::unwrap_or_default);
    let counts = order.iter().map(|row| rows.value(*row as usize));
    let named = keys.zip(counts);
    Ok(named
        .map(|(key, rows)| (key.to_owned(), rows.max(0).cast_unsigned()))
        .collect())
}

/// All keys of sorted key columns, each once, sorted.
fn union(columns: &[&ArrayRef]) -> Result<ArrayRef, EngineError> {
    let Some(first) = columns.first() else {
        return Err(EngineError::internal(
            "no source makes up the base of customers".to_owned(),
        ));
    };
    if columns.len() == 1 {
        return Ok((*first).clone());
    }
    match first.data_type() {
        DataType::Int64 => {
            let mut all: Vec<i64> = Vec::new();
            for column in columns {
                all.extend(typed(column.as_primitive_opt::<Int64Type>())?.values());
            }
            all.sort_unstable();
            all.dedup();
            Ok(Arc::new(Int64Array::from(all)))
        }
        _ => {
            let mut all: Vec<&str> = Vec::new();
            for column in columns {
                all.extend(typed(column.as_string_opt::<i32>())?.iter().flatten());
            }
            all.sort_unstable();
            all.dedup();
            Ok(Arc::new(StringArray::from(all)))
        }
    }
}

fn typed<T>(array: Option<T>) -> Result<T, EngineError> {
    array.ok_or_else(|| {
        EngineError::internal("sources disagree about the type of the customer's key".to_owned())
    })
}

/// For each key its row in the table, null where the table lacks it. Both are sorted.
fn positions(keys: &ArrayRef, table: &ArrayRef) -> Result<UInt32Array, EngineError> {
    let compare = arrow::array::make_comparator(keys, table, SortOptions::default())?;
    let mut row = 0;
    let mut places = Vec::with_capacity(keys.len());
    for key in 0..keys.len() {
        while row < table.len() && compare(key, row).is_gt() {
            row += 1;
        }
        let found = row < table.len() && compare(key, row).is_eq();
        places.push(found.then_some(row as u32));
    }
    Ok(UInt32Array::from(places))
}

fn zeros_for_nulls(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(
            column
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| v.unwrap_or(0)),
        )),
        DataType::Float64 => Arc::new(Float64Array::from_iter_values(
            column
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| v.unwrap_or(0.0)),
        )),
        _ => column.clone(),
    }
}
