//! Columns of Parquet files in types that no pipeline can use: they do no harm where they are not used, and are named where they are.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Decimal256Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    IntervalDayTimeArray, ListArray, RecordBatch, Time64MicrosecondArray,
};
use arrow::datatypes::{Field, Int64Type, IntervalDayTime, Schema, i256};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;

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

/// A file with decimals of 16 bytes in an encoding.
fn with_decimals(lake: &Lake, amounts: ArrayRef, encoding: Option<Encoding>) {
    let columns = [
        ("id", texts(&["a"; 4])),
        ("at", noon(4)),
        ("amount", amounts),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut written = WriterProperties::builder().set_dictionary_enabled(false);
    if let Some(encoding) = encoding {
        written = written.set_column_encoding("amount".into(), encoding);
    }
    let file = File::create(lake.dir.path().join("lake/0.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(written.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn decimals_are_read_or_their_encoding_is_named() {
    let lake = Lake::of(&[&orders()]);
    let declared = format!("{BASE}, amount = \"f64\"");
    let spend = r#"spend = { from = "orders", agg = "sum", of = "amount" }"#;
    let cents = [125_i128, 250, -50, 1_000];
    let decimals = |digits| {
        let cents = Decimal128Array::from(cents.to_vec());
        Arc::new(cents.with_precision_and_scale(digits, 2).unwrap()) as ArrayRef
    };
    with_decimals(&lake, decimals(38), Some(Encoding::PLAIN));
    let (customers, _) = lake.run(&declared, spend);
    assert_eq!(customers.floats("spend"), [Some(13.25)]);
    for (encoding, name) in [
        (Encoding::DELTA_BYTE_ARRAY, "DELTA_BYTE_ARRAY"),
        (Encoding::BYTE_STREAM_SPLIT, "BYTE_STREAM_SPLIT"),
    ] {
        with_decimals(&lake, decimals(38), Some(encoding));
        lake.run(BASE, "");
        let said = lake.refused(&declared, spend);
        for expected in [
            "error[TS-D002]",
            &format!(
                "column `amount` of source `orders` holds values of a fixed number of bytes in the encoding {name} in 1 file (0.parquet)"
            ),
            "write it in the encoding PLAIN or with a dictionary",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
    }
}

/// The type of 256 bits has room for 76 digits; how many there are is what counts.
#[test]
fn decimals_of_256_bits_are_read_up_to_38_digits() {
    let lake = Lake::of(&[&orders()]);
    let declared = format!("{BASE}, amount = \"f64\"");
    let spend = r#"spend = { from = "orders", agg = "sum", of = "amount" }"#;
    let decimals = |digits| {
        let cents = [125_i128, 250, -50, 1_000].map(i256::from_i128);
        let cents = Decimal256Array::from(cents.to_vec());
        Arc::new(cents.with_precision_and_scale(digits, 2).unwrap()) as ArrayRef
    };
    for digits in [9, 18, 20, 38] {
        with_decimals(&lake, decimals(digits), None);
        let (customers, _) = lake.run(&declared, spend);
        assert_eq!(customers.floats("spend"), [Some(13.25)], "{digits} digits");
    }
    with_decimals(&lake, decimals(39), None);
    let said = lake.refused(&declared, spend);
    assert!(said.contains("decimals of more than 38 digits"), "{said}");
}

/// What pandas writes day by day: whole numbers in files without a missing value, floats in the others. The work grew with the third
/// power of how often the type changes: for these files it took many minutes.
#[test]
fn a_type_that_changes_from_file_to_file_costs_little() {
    const FILES: i64 = 600;
    let file = |number: i64| -> [(&str, ArrayRef); 3] {
        let amount: ArrayRef = match number % 2 {
            0 => Arc::new(Int64Array::from(vec![number])),
            _ => Arc::new(Float64Array::from(vec![number as f64 + 0.5])),
        };
        [("id", texts(&["a"])), ("at", noon(1)), ("amount", amount)]
    };
    let files: Vec<[(&str, ArrayRef); 3]> = (0..FILES).map(file).collect();
    let lake = Lake::of(&files.iter().map(|columns| &columns[..]).collect::<Vec<_>>());
    let of = |agg: &str| {
        format!("{agg}_amount = {{ from = \"orders\", agg = \"{agg}\", of = \"amount\" }}\n")
    };
    let features = ["sum", "first", "last"].map(of).concat();
    let began = std::time::Instant::now();
    let (customers, _) = lake.run(&format!("{BASE}, amount = \"f64\""), &features);
    assert!(began.elapsed().as_secs() < 90, "{:?}", began.elapsed());
    let sum = (FILES * (FILES - 1) / 2) as f64 + FILES as f64 / 4.0;
    assert_eq!(customers.floats("sum_amount"), [Some(sum)]);
    // By the order of paths: 0.parquet is the first, 99.parquet the last.
    assert_eq!(customers.floats("first_amount"), [Some(0.0)]);
    assert_eq!(customers.floats("last_amount"), [Some(99.5)]);
}
