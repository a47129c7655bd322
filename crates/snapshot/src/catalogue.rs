//! What makes a store easy to query as a whole: `catalog.parquet` and `views/duckdb.sql`. Both follow from the commits alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;

use crate::commit::CommittedTable;
use crate::error::StoreError;
use crate::store::{Digested, run_path};
use crate::writer::{Layout, write_parquet};

/// The newest version of every `as_of`.
fn newest<'a>(
    versions: impl Iterator<Item = &'a Arc<Digested>>,
) -> BTreeMap<NaiveDate, &'a Digested> {
    // Versions come in rising order, so that later ones replace earlier ones.
    versions
        .map(|known| (known.as_of, known.as_ref()))
        .collect()
}

/// `catalog.parquet`: one row per committed version.
pub(crate) fn parquet(versions: &[Arc<Digested>]) -> Result<Vec<u8>, StoreError> {
    let newest = newest(versions.iter());
    let superseded_by = |known: &Arc<Digested>| {
        newest
            .get(&known.as_of)
            .map(|by| by.version as i64)
            .filter(|&by| by != known.version as i64)
    };
    let schema = Arc::new(Schema::new(vec![
        Field::new("version", DataType::Int64, false),
        Field::new("as_of", DataType::Date32, false),
        Field::new("txid", DataType::Utf8, false),
        Field::new("superseded_by", DataType::Int64, true),
        Field::new("rows", DataType::Int64, false),
    ]));
    let rows =
        |known: &Arc<Digested>| known.tables.iter().map(CommittedTable::rows).sum::<u64>() as i64;
    let day = |known: &Arc<Digested>| {
        known
            .as_of
            .signed_duration_since(NaiveDate::default())
            .num_days() as i32
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(
            versions.iter().map(|known| known.version as i64),
        )),
        Arc::new(Date32Array::from_iter_values(versions.iter().map(day))),
        Arc::new(StringArray::from_iter_values(
            versions.iter().map(|known| &known.txid),
        )),
        Arc::new(versions.iter().map(superseded_by).collect::<Int64Array>()),
        Arc::new(Int64Array::from_iter_values(versions.iter().map(rows))),
    ];
    let layout = Layout {
        table: "catalog".to_owned(),
        schema: schema.clone(),
        sorted_by: vec![0],
        unique: true,
    };
    let batch = RecordBatch::try_new(schema, columns).map_err(|error| StoreError::BadTable {
        table: layout.table.clone(),
        reason: error.to_string(),
    });
    let (bytes, _) = write_parquet(
        &layout,
        std::iter::once(batch),
        Vec::new(),
        Path::new("catalog.parquet"),
    )?;
    Ok(bytes)
}

/// `views/duckdb.sql`: one view per table over the newest unexpired version of every `as_of`. Paths are relative to the
/// store's folder, so that a store can be moved or mounted elsewhere.
pub(crate) fn duckdb(versions: &[Arc<Digested>], expired: &BTreeSet<u64>) -> String {
    let current = newest(
        versions
            .iter()
            .filter(|known| !expired.contains(&known.version)),
    );
    let tables: BTreeSet<&str> = current
        .values()
        .flat_map(|known| known.tables.iter().map(|table| table.name.as_str()))
        .collect();
    let mut text = String::from(
        "-- Views over the newest version of every as_of: whole histories in one query.\n\
         -- Written anew by every run and by `tessera repair`.\n\
         -- Paths are relative to the store: start DuckDB in its folder (duckdb -init views/duckdb.sql), or name it first:\n\
         --   SET file_search_path = '/path/of/the/store';\n",
    );
    for table in tables {
        let files: Vec<String> = current
            .values()
            .filter_map(|known| {
                Some((
                    known,
                    known.tables.iter().find(|found| found.name == table)?,
                ))
            })
            .flat_map(|(known, found)| {
                let folder = run_path(known.as_of, &known.txid);
                found
                    .files
                    .iter()
                    .map(move |file| format!("'{folder}/{}'", file.path.replace('\'', "''")))
            })
            .collect();
        text.push_str(&format!(
            "\ncreate or replace view {table} as select * from read_parquet([\n  {}\n], union_by_name = true, hive_partitioning = false);\n",
            files.join(",\n  ")
        ));
    }
    text
}
