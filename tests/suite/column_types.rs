//! Columns of Parquet files in types that no pipeline can use: they do no harm where they are not used, and are named where they are.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, IntervalDayTimeArray, ListArray, RecordBatch,
    Time64MicrosecondArray,
};
use arrow::datatypes::{Field, Int64Type, IntervalDayTime, Schema};
use parquet::arrow::ArrowWriter;

use crate::evolution::{BASE, Lake, noon, stderr, texts};

/// Two orders of one customer at the same time, of different items.
fn orders() -> [(&'static str, ArrayRef); 3] {
    let items = [Some(vec![Some(1)]), Some(vec![Some(2), None])];
    let items = ListArray::from_iter_primitive::<Int64Type, _, _>(items);
    [
        ("id", texts(&["a", "a"])),
        ("at", noon(2)),
        ("items", Arc::new(items)),
    ]
}

/// A file whose further columns have types that decoders do not know: a UUID as ARROW has it, and an interval.
fn with_unknown_types(lake: &Lake) {
    let uuids = [[7_u8; 16], [8; 16]];
    let uuids = FixedSizeBinaryArray::try_from_iter(uuids.iter()).unwrap();
    let waits = IntervalDayTimeArray::from(vec![IntervalDayTime::new(1, 0); 2]);
    let columns: [(&str, ArrayRef); 4] = [
        ("id", texts(&["a", "b"])),
        ("at", noon(2)),
        ("session", Arc::new(uuids)),
        ("wait", Arc::new(waits)),
    ];
    let field = |(name, array): &(&str, ArrayRef)| {
        let field = Field::new(*name, array.data_type().clone(), true);
        match *name {
            "session" => field.with_metadata([("ARROW:extension:name", "arrow.uuid")]),
            _ => field,
        }
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let file = File::create(lake.dir.path().join("lake/9.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn columns_that_are_not_used_do_no_harm() {
    let lake = Lake::of(&[&orders()]);
    with_unknown_types(&lake);
    let check = lake.call("check", BASE, "");
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let (customers, _) = lake.run(BASE, "");
    assert_eq!(customers.ints("order_rows"), [Some(3), Some(1)]);
    let session = r#"session = { from = "orders", agg = "last", of = "session" }"#;
    let (customers, _) = lake.run(&format!("{BASE}, session = \"string\""), session);
    let text = |digits: &str| Some(digits.to_owned());
    assert_eq!(
        customers.texts("session"),
        [
            text("07070707-0707-0707-0707-070707070707"),
            text("08080808-0808-0808-0808-080808080808")
        ]
    );
    let wait = r#"wait = { from = "orders", agg = "last", of = "wait" }"#;
    let said = lake.refused(BASE, wait);
    for expected in [
        "error[TS-D002]",
        "column `wait` of source `orders` holds intervals of time in 1 file (9.parquet)",
        "write the interval as a number",
    ] {
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn rows_are_not_the_same_by_columns_that_cannot_be_compared() {
    let times: ArrayRef = Arc::new(Time64MicrosecondArray::from(vec![1, 2]));
    let with_times = [("id", texts(&["a", "a"])), ("at", noon(2)), ("open", times)];
    for (columns, name, holds) in [
        (orders(), "items", "lists"),
        (with_times, "open", "times of day"),
    ] {
        let mut lake = Lake::of(&[&columns]);
        let (customers, _) = lake.run(BASE, "");
        assert_eq!(customers.ints("order_rows"), [Some(2)]);
        for setting in ["drop_exact", "fail"] {
            lake.duplicates = setting;
            let said = lake.refused(BASE, "");
            let message = format!(
                "column `{name}` of source `orders` holds {holds} in 1 file (0.parquet), which cannot be compared"
            );
            for expected in [message.as_str(), setting, "duplicates = { unique = "] {
                assert!(said.contains(expected), "{expected}\n{said}");
            }
        }
    }
}

/// The text of a UUID is all of it, so rows can be compared by it.
#[test]
fn rows_with_other_uuids_are_others() {
    let uuids = [[7_u8; 16], [8; 16], [7; 16]];
    let uuids = FixedSizeBinaryArray::try_from_iter(uuids.iter()).unwrap();
    let mut lake = Lake::of(&[&[
        ("id", texts(&["a"; 3])),
        ("at", noon(3)),
        ("session", Arc::new(uuids)),
    ]]);
    lake.duplicates = "drop_exact";
    let (customers, _) = lake.run(BASE, "");
    assert_eq!(customers.ints("order_rows"), [Some(2)]);
}
