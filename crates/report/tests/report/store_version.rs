//! A version in a store is rendered to the same bytes as its tables in memory, also at a later time.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use tessera_report::{Options, ReportInput, ReportMeta, from_version, render};
use tessera_snapshot::tables::{self, Ty};
use tessera_snapshot::{RunIdentity, Store};

use crate::{fixture, scores};

/// A fixture's table with the columns that its definition adds.
fn published(table: &tables::Table, batch: &RecordBatch) -> RecordBatch {
    let rows = batch.num_rows();
    if table.columns.iter().any(|column| column.ty == Ty::Any) {
        return batch.clone();
    }
    let column = |column: &tables::Column| -> (Field, ArrayRef) {
        let ty = match column.ty {
            Ty::Int => DataType::Int64,
            Ty::Float => DataType::Float64,
            Ty::Date => DataType::Date32,
            Ty::Money => DataType::Decimal128(18, 2),
            Ty::Timestamp => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        };
        let known = batch.column_by_name(column.name).cloned();
        let values = known.unwrap_or_else(|| match (column.nullable, column.ty) {
            (true, _) => new_null_array(&ty, rows),
            (false, Ty::Int) => Arc::new((0..rows as i64).collect::<Int64Array>()),
            (false, _) => Arc::new(StringArray::from(vec![""; rows])),
        });
        (Field::new(column.name, ty, column.nullable), values)
    };
    let (fields, values): (Vec<Field>, Vec<ArrayRef>) = table.columns.iter().map(column).unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), values).unwrap()
}

/// Publishes the tables of an input as a run of this key.
fn publish(store: &Store, input: &ReportInput, key: &str) {
    let mut staging = store
        .stage(RunIdentity {
            run_key: key.into(),
            as_of: input.meta.as_of,
            program: "tessera".into(),
            pipeline: serde_json::to_value(&input.meta).unwrap(),
            inputs: serde_json::Value::Null,
        })
        .unwrap();
    for (name, batches) in &input.tables {
        let batch = published(tables::find(name).unwrap(), &batches[0]);
        staging
            .write(name, &batch.schema(), std::iter::once(Ok(batch.clone())))
            .unwrap();
    }
    staging.publish(serde_json::Value::Null).unwrap();
}

#[test]
fn a_published_version_renders_like_its_tables() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut input = fixture::version("Champions", "At Risk");
    input.meta.version = Some(1);
    input.tables.retain(|name, _| tables::find(name).is_some());
    // With every column that a published table has.
    for (name, batches) in &mut input.tables {
        *batches = vec![published(tables::find(name).unwrap(), &batches[0])];
    }
    publish(&store, &input, "one");

    let version = store.version(1).unwrap();
    let read = from_version(&version, None).unwrap();
    assert_eq!(read.meta, input.meta);
    let customers = read.tables["customers"][0].schema();
    let columns: Vec<&str> = customers
        .fields()
        .iter()
        .map(|f| f.name().as_str())
        .collect();
    assert_eq!(
        columns,
        [
            "as_of",
            "customer_id",
            "rfm",
            "rfm_score",
            "stage",
            "churn_probability"
        ]
    );
    let html = render(&read, &Options::default()).unwrap();
    // SQL can name files only for published tables.
    let folder_of_tables = version.folder_in_store();
    assert_eq!(
        read.files["segments"],
        [format!("{folder_of_tables}/segments.parquet")]
    );
    assert!(html.contains(&folder_of_tables.replace('/', "&#x2f;")));
    input.files = read.files.clone();
    assert_eq!(html, render(&input, &Options::default()).unwrap());
    let again = from_version(
        &Store::open(folder.path()).unwrap().version(1).unwrap(),
        None,
    )
    .unwrap();
    assert_eq!(html, render(&again, &Options::default()).unwrap());
}

#[test]
fn tables_of_scores_are_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut input = ReportInput::new(ReportMeta::new("scored", fixture::day(2026, 11, 22)));
    input.meta.version = Some(1);
    scores::add(&mut input, "churn", "lowest log loss");
    publish(&store, &input, "scored");
    let read = from_version(&store.version(1).unwrap(), None).unwrap();
    assert_eq!(read.tables.len(), 3);
    input.files = read.files.clone();
    assert_eq!(
        render(&read, &Options::default()).unwrap(),
        render(&input, &Options::default()).unwrap()
    );
}

#[test]
fn a_version_without_tables_renders_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let staging = store
        .stage(RunIdentity {
            run_key: "one".into(),
            as_of: fixture::day(2026, 11, 22),
            program: "tessera".into(),
            pipeline: serde_json::Value::Null,
            inputs: serde_json::Value::Null,
        })
        .unwrap();
    let published = staging.publish(serde_json::Value::Null).unwrap();
    let html = render(
        &from_version(&published.version, None).unwrap(),
        &Options::default(),
    )
    .unwrap();
    assert!(html.contains("Not computed:"));
}
