//! The registry itself, and what conforms to it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, StringViewArray};
use arrow::datatypes::Field;

use super::*;

#[test]
fn registry_is_sorted_unique_documented_and_begins_with_as_of() {
    assert!(TABLES.windows(2).all(|pair| pair[0].name < pair[1].name));
    for table in TABLES {
        assert_eq!(table.columns[0].name, "as_of", "{}", table.name);
        let names: BTreeSet<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns.len(), "{}", table.name);
        assert!(
            table.sorted_by.iter().all(|column| names.contains(column)),
            "{}",
            table.name
        );
        assert!(
            table.doc.ends_with('.')
                && table.columns.iter().all(|column| column.doc.ends_with('.')),
            "{}",
            table.name
        );
        let number = |column: &&Column| matches!(column.ty, Ty::Float) && column.unit.is_empty();
        let bare: Vec<&str> = table
            .columns
            .iter()
            .filter(number)
            .map(|column| column.name)
            .collect();
        assert_eq!(
            bare,
            if table.name == "models" {
                vec!["value"]
            } else {
                vec![]
            },
            "{}: a number has a unit",
            table.name
        );
    }
}

#[test]
fn every_table_of_the_release_is_declared() {
    let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    assert_eq!(
        names,
        [
            "actions",
            "backtest",
            "calibration",
            "cohorts",
            "customers",
            "drift",
            "experiments",
            "features",
            "memberships",
            "merged_keys",
            "migrations",
            "models",
            "moves",
            "profiles",
            "quality",
            "reject_rules",
            "rejects",
            "score_intervals",
            "segment_events",
            "segment_ledger",
            "segments",
            "sources"
        ]
    );
}

#[test]
fn printed_tables_name_every_column() {
    let (text, json) = (markdown(), to_json());
    for (number, table) in TABLES.iter().enumerate() {
        assert!(text.contains(&format!("\n## {} ({})\n", table.name, table.version)));
        for (place, column) in table.columns.iter().enumerate() {
            assert!(text.contains(&format!("| {} | {} |", column.name, column.ty.as_str())));
            assert_eq!(json[number]["columns"][place]["name"], column.name);
            assert_eq!(json[number]["columns"][place]["unit"], column.unit);
        }
    }
}

fn customers(extra: Vec<(Field, ArrayRef)>) -> RecordBatch {
    let mut fields = vec![
        Field::new("as_of", DataType::Date32, true),
        Field::new("client", DataType::Utf8View, true),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![1, 1])),
        Arc::new(StringViewArray::from_iter_values(["a", "b"])),
    ];
    for (field, column) in extra {
        fields.push(field);
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn reason(batch: &RecordBatch) -> String {
    conform("customers", batch).unwrap_err().to_string()
}

#[test]
fn customers_are_open_to_columns_of_published_types() {
    let spend: ArrayRef = Arc::new(Float64Array::from(vec![None, Some(1.0)]));
    let good = customers(vec![(
        Field::new("spend", DataType::Float64, true),
        spend.clone(),
    )]);
    conform("customers", &good).unwrap();
    let layout = layout("customers", good.schema_ref()).unwrap();
    let types: Vec<(&DataType, bool)> = layout
        .schema
        .fields()
        .iter()
        .map(|f| (f.data_type(), f.is_nullable()))
        .collect();
    assert_eq!(
        types,
        [
            (&DataType::Date32, false),
            (&DataType::Utf8, false),
            (&DataType::Float64, true)
        ]
    );
    assert_eq!(layout.sorted_by, [1]);

    let twice = customers(vec![
        (Field::new("spend", DataType::Float64, true), spend.clone()),
        (Field::new("spend", DataType::Float64, true), spend),
    ]);
    assert!(reason(&twice).contains("two columns are called `spend`"));
    let nested = DataType::new_list(DataType::Int64, true);
    let list = customers(vec![(
        Field::new("orders", nested.clone(), true),
        arrow::array::new_null_array(&nested, 2),
    )]);
    assert!(
        reason(&list).contains("column `orders` is List"),
        "{}",
        reason(&list)
    );
}

#[test]
fn missing_misplaced_and_null_columns_are_named() {
    let models = |names: [&str; 9], scores: ArrayRef| {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Date32Array::from(vec![1])), scores];
        columns.extend((0..2).map(|_| Arc::new(StringArray::from(vec!["m"])) as ArrayRef));
        columns.push(Arc::new(Float64Array::from(vec![1.0])));
        columns.extend((0..3).map(|_| Arc::new(StringArray::from(vec![None::<&str>])) as ArrayRef));
        columns.push(Arc::new(Int64Array::from(vec![None])));
        RecordBatch::try_from_iter_with_nullable(
            names
                .into_iter()
                .zip(columns)
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    };
    let names = [
        "as_of",
        "score",
        "model",
        "name",
        "value",
        "text",
        "figure",
        "figure_of",
        "figure_days",
    ];
    let text: ArrayRef = Arc::new(StringArray::from(vec!["rfm"]));
    conform("models", &models(names, text.clone())).unwrap();
    let error = |batch: &RecordBatch| conform("models", batch).unwrap_err().to_string();
    let mut others = names;
    others.swap(1, 2);
    let swapped = models(others, text);
    assert_eq!(
        error(&swapped),
        "table `models`: column `model` (Utf8) is at the position of column `score` (string)"
    );
    let number = models(names, Arc::new(Int64Array::from(vec![1])));
    assert_eq!(
        error(&number),
        "table `models`: column `score` (Int64) is at the position of column `score` (string)"
    );
    let null = models(names, Arc::new(StringArray::from(vec![None::<&str>])));
    assert_eq!(
        error(&null),
        "table `models`: column `score` has nulls, but is not nullable"
    );
    let short = null.project(&[0, 1]).unwrap();
    assert_eq!(error(&short), "table `models`: 2 columns instead of 9");
    assert_eq!(
        conform("customer", &short).unwrap_err().to_string(),
        "table `customer`: there is no published table of this name"
    );
}
