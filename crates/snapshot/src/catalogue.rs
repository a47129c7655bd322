//! Files for querying all versions of a store: `catalog.parquet` and `views/duckdb.sql`. Both can be rebuilt from the commits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;

use crate::commit::run_path;
use crate::error::StoreError;
use crate::listed::{Digested, Standing};
use crate::succession::{self, newest};
use crate::tables::TABLES;
use crate::writer::{Layout, write_parquet};

/// `catalog.parquet`: one row per committed version. `superseded_by` is the newest version of the same day, `previous` the
/// version before it when it was made, `outdated` whether a run of its day would now have another version before it, `expired`
/// whether its tables may be gone.
pub(crate) fn parquet(
    versions: &[Arc<Digested>],
    expired: &BTreeSet<u64>,
) -> Result<Vec<u8>, StoreError> {
    let standings = succession::standings(versions);
    let superseded_by = |standing: &Standing| standing.superseded_by.map(|by| by as i64);
    let outdated = |standing: &Standing| Some(standing.outdated);
    let is_expired = |known: &Arc<Digested>| Some(expired.contains(&known.version));
    let schema = Arc::new(Schema::new(vec![
        Field::new("version", DataType::Int64, false),
        Field::new("as_of", DataType::Date32, false),
        Field::new("txid", DataType::Utf8, false),
        Field::new("superseded_by", DataType::Int64, true),
        Field::new("rows", DataType::Int64, false),
        Field::new("previous", DataType::Int64, true),
        Field::new("outdated", DataType::Boolean, false),
        Field::new("expired", DataType::Boolean, false),
    ]));
    let rows = |known: &Arc<Digested>| known.files.iter().map(|file| file.rows).sum::<u64>() as i64;
    let previous = |known: &Arc<Digested>| (known.previous > 0).then_some(known.previous as i64);
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
        Arc::new(standings.iter().map(superseded_by).collect::<Int64Array>()),
        Arc::new(Int64Array::from_iter_values(versions.iter().map(rows))),
        Arc::new(versions.iter().map(previous).collect::<Int64Array>()),
        Arc::new(standings.iter().map(outdated).collect::<BooleanArray>()),
        Arc::new(versions.iter().map(is_expired).collect::<BooleanArray>()),
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

/// Name of the DuckDB macro with the store's folder, and of the variable that replaces it.
const FOLDER: &str = "tessera_store";

/// Name of the macro with the folders of the versions that the views show.
const RUNS: &str = "tessera_runs";

/// Name of the macro that makes paths of folders and the name of a file.
const FILES: &str = "tessera_files";

/// Schema of the views over the newest day only.
const LATEST: &str = "latest";

/// `views/duckdb.sql`: per table one view over the newest unexpired version of every `as_of`, and one in the schema `latest`
/// over the version of the newest day; and the view `runs` over all versions. Views of tables name files of versions, which
/// never change, so all views made by running this file once read the same versions. The folder of each version is named once, in a
/// macro, and the views name ranges of them, so that a version adds a line and not one for each table. The file works from any
/// working folder: paths begin with the store's folder, which is defined once, in a macro, so that the views also work in a saved
/// database. A store that was moved needs `tessera repair`, or a variable with its new folder.
pub(crate) fn duckdb(versions: &[Arc<Digested>], expired: &BTreeSet<u64>, store: &Path) -> String {
    let current = newest(
        versions
            .iter()
            .filter(|known| !expired.contains(&known.version)),
    );
    let history: Vec<&Digested> = current.values().copied().collect();
    let store = quoted(&store.to_string_lossy());
    let runs_of_views: Vec<String> = history
        .iter()
        .map(|known| quoted(&run_path(known.as_of, &known.txid)))
        .collect();
    let mut text = format!(
        "-- Views over the newest version of every as_of: whole histories in one query. In the schema `{LATEST}`: the newest day\n\
         -- alone. All views are bound to the versions of the moment at which this file was read, and change together when it\n\
         -- is read again. For DuckDB 1.1 or newer.\n\
         -- Every run writes this file anew, and so does `tessera repair`: run that after moving the store. Where the store is\n\
         -- mounted at another place, name that place first: SET VARIABLE {FOLDER} = '/its/folder';\n\
         begin transaction;\n\
         create or replace macro {FOLDER}() as coalesce(getvariable('{FOLDER}'), {store});\n\
         create or replace macro {FILES}(runs, file) as [{FOLDER}() || '/' || run || '/' || file for run in runs];\n\
         create or replace macro {RUNS}() as [\n  {}\n];\n\
         create schema if not exists {LATEST};\n",
        runs_of_views.join(",\n  ")
    );
    let newest_day = history.len().saturating_sub(1);
    for (schema, first) in [("main", 0), (LATEST, newest_day)] {
        for table in TABLES {
            text.push_str(&view(schema, table.name, &history, first));
        }
    }
    text.push_str(&runs(versions, expired));
    text.push_str("\ncommit;\n");
    text
}

/// The view `runs`: when each version was published, by which program, which version superseded it, and whether it has expired. Only
/// the commits hold these times, no table of a version does, so they are constants in the view.
fn runs(versions: &[Arc<Digested>], expired: &BTreeSet<u64>) -> String {
    let standings = succession::standings(versions);
    let row = |(known, standing): (&Arc<Digested>, &Standing)| {
        let by = standing.superseded_by;
        format!(
            "({}, date '{}', timestamp {}, {}, {}, {}, {})",
            known.version,
            known.as_of,
            quoted(known.finished_at.trim_end_matches('Z')),
            quoted(&known.program),
            by.map_or_else(|| "null::bigint".to_owned(), |by| by.to_string()),
            standing.outdated,
            expired.contains(&known.version),
        )
    };
    let rows: Vec<String> = versions.iter().zip(&standings).map(row).collect();
    format!(
        "\ncreate or replace view main.runs as select version::bigint as version, as_of, published_at, program,\n  \
         superseded_by::bigint as superseded_by, outdated, expired from (values\n  {}\n) as \
         runs(version, as_of, published_at, program, superseded_by, outdated, expired);\n",
        rows.join(",\n  ")
    )
}

/// One view over the versions from a place in the history on; where none of them has the table, a statement that drops it, so that a
/// saved database does not keep an old view.
fn view(schema: &str, table: &str, history: &[&Digested], first: usize) -> String {
    // Of each file of the table the ranges of versions that have it, from 1 as DuckDB counts.
    let mut ranges: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (place, known) in history.iter().enumerate().skip(first) {
        for file in known.files_of(table) {
            let of_file = ranges.entry(&*file.path).or_default();
            match of_file.last_mut() {
                Some((_, last)) if *last == place => *last += 1,
                _ => of_file.push((place + 1, place + 1)),
            }
        }
    }
    if ranges.is_empty() {
        return format!("\ndrop view if exists {schema}.{table};\n");
    }
    let files: Vec<String> = ranges
        .iter()
        .flat_map(|(path, of_file)| of_file.iter().map(move |range| (path, range)))
        .map(|(path, (from, to))| format!("{FILES}({RUNS}()[{from}:{to}], {})", quoted(path)))
        .collect();
    format!(
        "\ncreate or replace view {schema}.{table} as select * from read_parquet({}, union_by_name = true, hive_partitioning = false);\n",
        files.join("\n  || ")
    )
}

/// A text as an SQL literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
