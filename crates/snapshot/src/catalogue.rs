//! What makes a store easy to query as a whole: `catalog.parquet` and `views/duckdb.sql`. Both can be rebuilt at any time.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;

use crate::error::StoreError;
use crate::store::{Store, run_path};
use crate::txid;
use crate::version::Version;
use crate::writer::write_file;

/// Writes both anew from the commits.
pub(crate) fn rebuild(store: &Store) -> Result<(), StoreError> {
    let versions = store.versions()?;
    catalogue(store, &versions)?;
    let views = store.root.enter_or_make("views")?;
    let draft = format!("views-{}", txid::new());
    store.tmp.write_new(&draft, duckdb(store, &versions).as_bytes())?;
    store
        .tmp
        .rename_over(&draft, &views, "duckdb.sql")
        .and_then(|()| views.sync())
        .map_err(|error| StoreError::io("replace views", &views.join("duckdb.sql"), error))
}

fn catalogue(store: &Store, versions: &[Version]) -> Result<(), StoreError> {
    let superseded = Store::superseded(versions);
    let schema = Arc::new(Schema::new(vec![
        Field::new("version", DataType::Int64, false),
        Field::new("as_of", DataType::Date32, false),
        Field::new("txid", DataType::Utf8, false),
        Field::new("superseded_by", DataType::Int64, true),
        Field::new("rows", DataType::Int64, false),
    ]));
    let rows = |version: &Version| version.commit().tables.iter().map(crate::commit::CommittedTable::rows).sum::<u64>() as i64;
    let day = |version: &Version| version.as_of().signed_duration_since(NaiveDate::default()).num_days() as i32;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(versions.iter().map(|v| v.number() as i64))),
        Arc::new(Date32Array::from_iter_values(versions.iter().map(day))),
        Arc::new(StringArray::from_iter_values(versions.iter().map(|v| v.commit().txid.as_str()))),
        Arc::new(versions.iter().map(|v| superseded.get(&v.number()).map(|by| *by as i64)).collect::<Int64Array>()),
        Arc::new(Int64Array::from_iter_values(versions.iter().map(rows))),
    ];
    let bad = |error: arrow::error::ArrowError| StoreError::BadTable { table: "catalog".to_owned(), reason: error.to_string() };
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(bad)?;
    let draft = format!("catalog-{}", txid::new());
    let file = store.tmp.create(&draft)?;
    write_file("catalog", &draft, file, &schema, &[0], std::iter::once(Ok(batch)))?;
    store
        .tmp
        .rename_over(&draft, &store.root, "catalog.parquet")
        .map_err(|error| StoreError::io("replace catalogue", &store.root.join("catalog.parquet"), error))
}

/// One view per table over the newest version of every `as_of`.
fn duckdb(store: &Store, versions: &[Version]) -> String {
    let superseded = Store::superseded(versions);
    let current: Vec<&Version> = versions.iter().filter(|v| !superseded.contains_key(&v.number())).collect();
    let tables: BTreeSet<&str> = current.iter().flat_map(|v| v.commit().tables.iter().map(|t| t.name.as_str())).collect();
    let root = store.path().canonicalize().unwrap_or_else(|_| store.path().to_owned());
    let mut text = String::from(
        "-- Views over the newest version of every as_of: whole histories in one query.\n\
         -- Written anew by every run and by `tessera repair`.\n",
    );
    for table in tables {
        let files: Vec<String> = current
            .iter()
            .filter_map(|version| {
                let found = version.commit().tables.iter().find(|known| known.name == table)?;
                let folder = root.join(run_path(version.commit()));
                Some(found.files.iter().map(move |file| quoted(&folder.join(&file.path).display().to_string())))
            })
            .flatten()
            .collect();
        text.push_str(&format!(
            "\ncreate or replace view {table} as select * from read_parquet([\n  {}\n], union_by_name = true, hive_partitioning = false);\n",
            files.join(",\n  ")
        ));
    }
    text
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
